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
  /// Asks for a cutover or a reverse and kills the replayer at a moment of it.
  void turn_and_kill_replayer(const char* command) {
    Background asked({UNDERSTUDY_PATH, command, migration_.name(), "--timeout", "60"});
    std::this_thread::sleep_for(std::chrono::milliseconds(random_() % 400));
    migration_.kill_process("replayer");
    asked.wait();
    migration_.expect_tool({"start"});
  }
  /// Where the application is after all, then made to be there.
  void expect_side_then_turn(const char* command, const char* before, const char* after) {
    std::string phase = migration_.status()["phase"];
    if (phase == "ready") phase = "replaying";
    EXPECT_TRUE(phase == before || phase == after) << phase;
    std::printf("%s killed: %s\n", command, phase.c_str());
    if (phase == before) migration_.expect_tool({command, "--timeout", "60"});
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

TEST_F(KilledProcesses, OnTheWayThereAndBackLoseNothingAndRepeatNothing) {
  migration_.create_and_start();
  migration_.expect_tool({"verify"});
  Background first(load(1));
  Background second(load(2));
  for (int round = 0; round < 3; ++round) {
    SCOPED_TRACE(round);
    turn_and_kill_replayer("cutover");
    expect_side_then_turn("cutover", "replaying", "switched");
    EXPECT_TRUE(migration_.kill_process("journald"));
    migration_.expect_tool({"start"});
    turn_and_kill_replayer("reverse");
    expect_side_then_turn("reverse", "switched", "replaying");
  }
  EXPECT_EQ(first.wait(), 0);
  EXPECT_EQ(second.wait(), 0);

  migration_.expect_tool({"verify"});
  const nlohmann::json status = migration_.status();
  EXPECT_EQ(status["rows_different"], 0) << status.dump(1);
  EXPECT_EQ(status["in_doubt"], 0);
  EXPECT_EQ(status["divergences"], 0) << status.dump(1);
  EXPECT_EQ(status["uncaptured_writes"], 0);
  EXPECT_EQ(status["applied"], status["journaled"]);
  odbc::Connection production(migration_.production());
  // Each version of a row was made once, whichever side it was made on.
  EXPECT_EQ(production.scalar("SELECT count(*)::text FROM (SELECT hot_id, ver FROM audit GROUP BY "
                              "hot_id, ver HAVING count(*) > 1) AS twice"),
            "0");
}

TEST_F(KilledProcesses, AProgramThatDiesOnTheShadowLeavesNothingHalfApplied) {
  migration_.create_and_start();
  migration_.expect_tool({"verify"});
  migration_.expect_tool({"cutover"});
  {
    Background victim(load(1));
    Background other(load(2));
    until_random_moment();
    victim.kill(SIGKILL);
    victim.wait();
    until_random_moment();
    EXPECT_TRUE(migration_.kill_process("replayer"));
    EXPECT_TRUE(migration_.kill_process("journald"));
    migration_.expect_tool({"start"});
    other.kill(SIGKILL);
    other.wait();
  }
  migration_.expect_tool({"verify"});
  const nlohmann::json status = migration_.status();
  EXPECT_EQ(status["phase"], "switched");
  EXPECT_EQ(status["rows_different"], 0) << status.dump(1);
  EXPECT_EQ(status["in_doubt"], 0) << status.dump(1);
  migration_.expect_tool({"reverse"});
}

TEST_F(KilledProcesses, AVerifyWhoseToolIsKilledEndsAndAnotherCanBegin) {
  migration_.create_and_start();
  odbc::Connection shadow(migration_.shadow());
  shadow.set_autocommit(false);
  shadow.run("LOCK TABLE hot IN ACCESS EXCLUSIVE MODE");
  odbc::Connection(migration_.application())
      .run("UPDATE hot SET val = val + 1, ver = ver + 1 WHERE id = 1");
  {
    // The replayer does not reach the common point.
    Background verify({UNDERSTUDY_PATH, "verify", migration_.name()});
    EXPECT_EQ(migration_.status_when(
                  [](const auto& now) { return now["phase"] == "verifying"; })["phase"],
              "verifying");
    verify.kill(SIGKILL);
  }
  EXPECT_EQ(
      migration_.status_when([](const auto& now) { return now["phase"] != "verifying"; })["phase"],
      "replaying");
  shadow.rollback();
  migration_.expect_tool({"verify"});
}

TEST_F(KilledProcesses, WithoutJournaldRecordingEndsWithTheReasonWhenTheRingIsFull) {
  migration_.expect_tool({"create", "--production", migration_.production(), "--shadow",
                          migration_.shadow(), "--ring-bytes", "65536"});
  migration_.expect_tool({"start"});
  EXPECT_TRUE(migration_.kill_process("journald"));
  odbc::Connection application(migration_.application());
  int writes = 0;
  const auto write = [&] {
    application.run("UPDATE hot SET val = val + 1, ver = ver + 1 WHERE id = 1");
    ++writes;
  };
  const int full = 65536 / 64;  // no record is smaller
  while (writes < full) write();
  const nlohmann::json status = migration_.status();
  EXPECT_EQ(status["mode"], "invalid");
  EXPECT_EQ(status["phase"], "invalid");
  EXPECT_NE(status["reason"].dump().find("journald"), std::string::npos) << status["reason"];
  for (int i = 0; i < 100; ++i) write();
  EXPECT_EQ(
      odbc::Connection(migration_.production()).scalar("SELECT ver::text FROM hot WHERE id = 1"),
      std::to_string(writes));
}

}  // namespace
}  // namespace understudy
