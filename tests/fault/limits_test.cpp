// Programs at limits, each with the bare driver and recorded: what Understudy adds to their memory,
// and what the replayer and journald need, however large a transaction is:
// docs/reference/limits.md. UNDERSTUDY_LIMITS multiplies the sizes, for measuring by hand.
#include <chrono>
#include <cstdlib>
#include <thread>

#include "tests/support/live_migration.h"

namespace understudy {
namespace {

constexpr auto kPatience = std::chrono::minutes(30);
constexpr std::uint64_t kKib = 1;
constexpr std::uint64_t kMib = 1024 * kKib;
constexpr std::uint64_t kJournaldKibMax = 96 * kMib;  // the ring counts in it
constexpr std::uint64_t kReplayerKibMax = 64 * kMib;  // whatever it applies

std::uint64_t times() {
  const char* given = std::getenv("UNDERSTUDY_LIMITS");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
}

struct Limit {
  const char* what;
  std::uint64_t count;
  std::uint64_t added_kib_max;      // of the program, beyond the bare driver
  std::uint64_t each_bytes_max;     // and for each
  std::uint64_t applying_each_max;  // of the replayer, in bytes, while it applies
};

void PrintTo(const Limit& limit, std::ostream* out) {
  *out << limit.what << " " << limit.count;
}

class Limits : public ::testing::TestWithParam<Limit> {
 protected:
  Limits() {
    for (const std::string& side : {migration_.production(), migration_.shadow()})
      odbc::Connection(side).run(
          "CREATE TABLE big (id integer PRIMARY KEY, body text, bytes bytea)");
    migration_.create_and_start();
  }
  static Finished program(const std::string& target) {
    return run_program(
        {LIMITS_APP_PATH, target, GetParam().what, std::to_string(GetParam().count * times())});
  }
  static std::uint64_t peak_kib(const std::string& output) {
    const std::size_t at = output.find("peak_kib ");
    return at == std::string::npos ? 0 : std::strtoull(output.c_str() + at + 9, nullptr, 10);
  }
  std::uint64_t peak_kib_of(const char* which) {
    const std::string path = "/proc/" + std::to_string(migration_.pid_of(which)) + "/status";
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);)
      if (line.starts_with("VmHWM:")) return std::strtoull(line.c_str() + 6, nullptr, 10);
    return 0;
  }

  static PostgresServer& server() {
    static PostgresServer one({"max_connections=2200", "shared_buffers=64MB"});
    return one;
  }

  LiveMigration migration_{"Understudy Unicode", "PostgreSQL Unicode", server().new_database(),
                           server().new_database()};
};

TEST_P(Limits, AddNoMoreMemoryThanExpected) {
  const Limit& limit = GetParam();
  const std::uint64_t count = limit.count * times();
  const std::uint64_t before = peak_kib_of("replayer");
  const Finished bare = program(migration_.production());
  EXPECT_EQ(bare.exit_code, 0) << bare.output;
  odbc::Connection(migration_.production()).run("TRUNCATE big");
  const Finished recorded = program(migration_.application());
  EXPECT_EQ(recorded.exit_code, 0) << recorded.output;
  const auto patience = std::chrono::steady_clock::now() + kPatience;
  while (migration_.status()["backlog_transactions"] != 0 &&
         std::chrono::steady_clock::now() < patience)
    std::this_thread::yield();
  const std::uint64_t applied = peak_kib_of("replayer");
  migration_.expect_tool({"verify"});
  const auto status = migration_.status();
  EXPECT_EQ(status["rows_different"], 0) << status.dump(1);
  EXPECT_EQ(status["uncaptured_writes"], 0) << status.dump(1);
  const std::uint64_t with = peak_kib(recorded.output);
  const std::uint64_t without = peak_kib(bare.output);
  std::printf(
      "%-12s %9llu: program %llu MiB, with the bare driver %llu; journald %llu, replayer "
      "%llu before, %llu when applied, %llu when compared\n",
      limit.what, static_cast<unsigned long long>(count),
      static_cast<unsigned long long>(with / kMib), static_cast<unsigned long long>(without / kMib),
      static_cast<unsigned long long>(peak_kib_of("journald") / kMib),
      static_cast<unsigned long long>(before / kMib),
      static_cast<unsigned long long>(applied / kMib),
      static_cast<unsigned long long>(peak_kib_of("replayer") / kMib));
  EXPECT_LE(with, without + limit.added_kib_max + count * limit.each_bytes_max / 1024);
  EXPECT_LE(peak_kib_of("journald"), kJournaldKibMax);
  EXPECT_LE(applied, kReplayerKibMax + count * limit.applying_each_max / 1024);
}

// The ring is 64 MiB of shared memory, which counts as the program's when it has been written. Rows
// that a statement returns are psqlodbc's: it keeps them until the statement is closed.
INSTANTIATE_TEST_SUITE_P(Of, Limits,
                         ::testing::Values(Limit{"connections", 100, 96 * kMib, 32 * 1024, 0},
                                           Limit{"statements", 500, 96 * kMib, 8 * 1024, 0},
                                           Limit{"rows", 200'000, 80 * kMib, 220, 0},
                                           Limit{"executions", 10'000, 80 * kMib, 0, 0},
                                           Limit{"arrays", 50'000, 80 * kMib, 0, 0},
                                           Limit{"value", 16, 96 * kMib, 2 << 20, 7 << 20},
                                           Limit{"bound", 16, 96 * kMib, 1 << 20, 7 << 20}),
                         [](const auto& one) { return one.param.what; });

}  // namespace
}  // namespace understudy
