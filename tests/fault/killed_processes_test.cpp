// SIGKILL for each process of a migration while it runs: nothing is lost, nothing comes twice.
#include <chrono>
#include <cstdlib>
#include <random>
#include <thread>

#include "tests/support/live_migration.h"

namespace understudy {
namespace {

constexpr int kLoadSeconds = 12;

std::uint64_t seed() {
  const char* given = std::getenv("UNDERSTUDY_SEED");
  const std::uint64_t value =
      given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::printf("UNDERSTUDY_SEED=%llu\n", static_cast<unsigned long long>(value));
  return value;
}

class KilledProcesses : public ::testing::Test {
 protected:
  /// The moment of a fault is what the test is about: it is drawn, and nothing waits for it.
  void until_random_moment() {
    std::this_thread::sleep_for(std::chrono::milliseconds(300 + random_() % 1200));
  }
  std::vector<std::string> load(int number) {
    return {HOT_ROWS_APP_PATH, migration_.application(),     "--threads", "4",
            "--seconds",       std::to_string(kLoadSeconds), "--seed",    std::to_string(number)};
  }

  std::mt19937_64 random_{seed()};
  LiveMigration migration_;
};

TEST_F(KilledProcesses, LoseNothingAndRepeatNothing) {
  migration_.create_and_start();
  Background victim(load(1));
  Background survivor(load(2));
  until_random_moment();
  victim.kill(SIGKILL);
  EXPECT_EQ(victim.wait(), 128 + SIGKILL);
  until_random_moment();
  EXPECT_TRUE(migration_.kill_process("journald"));
  migration_.expect_tool({"start"});
  until_random_moment();
  EXPECT_TRUE(migration_.kill_process("replayer"));
  migration_.expect_tool({"start"});
  EXPECT_EQ(survivor.wait(), 0);

  migration_.expect_tool({"verify"});
  const nlohmann::json status = migration_.status();
  EXPECT_EQ(status["rows_different"], 0);
  EXPECT_EQ(status["in_doubt"], 0);
  EXPECT_EQ(status["divergences"], 0);
  EXPECT_EQ(status["uncaptured_writes"], 0);
  EXPECT_EQ(status["applied"], status["journaled"]);
  odbc::Connection shadow(migration_.shadow());
  EXPECT_EQ(shadow.scalar("SELECT sum(ver)::text FROM hot"),
            odbc::Connection(migration_.production()).scalar("SELECT sum(ver)::text FROM hot"));
}

}  // namespace
}  // namespace understudy
