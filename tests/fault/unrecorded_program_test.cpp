// Programs that have no room for a migration's shared memory work as without Understudy, and are
// not lost sight of.
#include <string>
#include <vector>

#include "journal/unrecorded.h"
#include "tests/support/live_migration.h"

namespace understudy {
namespace {

constexpr const char* kRingBytes = "536870912";
constexpr const char* kAddressSpaceKib = "500000";  // less than the ring

class UnrecordedProgram : public ::testing::Test {
 protected:
  UnrecordedProgram() {
    migration_.expect_tool({"create", "--production", migration_.production(), "--shadow",
                            migration_.shadow(), "--ring-bytes", kRingBytes});
  }
  ~UnrecordedProgram() override {
    forget_ended_words(OdbcEnvironment::shared().home(), migration_.name());
  }
  [[nodiscard]] std::vector<std::string> program(const std::string& seconds) const {
    return {"/bin/sh",
            "-c",
            R"(ulimit -v "$0" && exec "$@")",
            kAddressSpaceKib,
            HOT_ROWS_APP_PATH,
            migration_.application(),
            "--threads",
            "1",
            "--seconds",
            seconds};
  }
  std::int64_t versions() {
    return std::stoll(
        *odbc::Connection(migration_.production()).scalar("SELECT sum(ver)::text FROM hot"));
  }

  LiveMigration migration_;
};

TEST_F(UnrecordedProgram, EndsTheRecordingThatItIsMissingFrom) {
  migration_.expect_tool({"start"});
  const std::int64_t before = versions();
  const Finished done = run_program(program("0.3"));
  EXPECT_EQ(done.exit_code, 0) << done.output;
  EXPECT_GT(versions(), before);
  const auto status =
      migration_.status_when([](const auto& now) { return now["phase"] == "invalid"; });
  EXPECT_EQ(status["phase"], "invalid") << status.dump(1);
  EXPECT_NE(std::string(status["reason"]).find("was not recorded: process"), std::string::npos)
      << status["reason"];
}

TEST_F(UnrecordedProgram, KeepsAMigrationFromBeginningAsLongAsItLives) {
  Background program_now(program("3600"));
  const std::string home = OdbcEnvironment::shared().home();
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!find_unrecorded_word(home, migration_.name(), Unrecorded::alive) &&
         std::chrono::steady_clock::now() < end) {
  }
  const Finished refused = LiveMigration::tool({"start", migration_.name()});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_EQ(migration_.status()["mode"], "idle");
  EXPECT_NE(refused.output.find("cannot be recorded, process"), std::string::npos)
      << refused.output;
  program_now.kill(SIGKILL);
  (void)program_now.wait();
  migration_.expect_tool({"start"});
  EXPECT_EQ(migration_.status()["phase"], "replaying");
}

}  // namespace
}  // namespace understudy
