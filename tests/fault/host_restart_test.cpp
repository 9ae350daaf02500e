// The host restarts behind a cutover: shared memory is gone, and programs start before anything of
// Understudy does. They work with the database that the state file says is in use.
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "journal/access.h"
#include "journal/process.h"
#include "tests/support/live_migration.h"

namespace understudy {
namespace {

/// Puts text in the place of another one in a file, which is there.
void replace_in(const std::string& path, const std::string& from, const std::string& to) {
  std::ostringstream read;
  read << std::ifstream(path).rdbuf();
  std::string text = read.str();
  const std::size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos) << path;
  std::ofstream(path) << text.replace(at, from.size(), to);
}

class HostRestart : public ::testing::Test {
 protected:
  explicit HostRestart(const std::string& durability = "process") {
    migration_.expect_tool(
        {"create", "--production", migration_.production(), "--shadow", migration_.shadow()});
    replace_in(file("migration.toml"), "'process'", "'" + durability + "'");
    migration_.expect_tool({"start"});
    migration_.expect_tool({"verify"});
  }
  ~HostRestart() override {
    ::unsetenv("LD_PRELOAD");
    ::unsetenv("UNDERSTUDY_TEST_STEP");
  }

  /// No process of ours lives through it, and no shared memory.
  void restart() {
    for (const char* process : {"journald", "replayer"}) migration_.kill_process(process);
    EXPECT_TRUE(SegmentMap::remove(OdbcEnvironment::shared().home(), migration_.name()).ok());
  }
  Finished program() {
    return run_program(
        {HOT_ROWS_APP_PATH, migration_.application(), "--threads", "2", "--seconds", "0.5"});
  }
  [[nodiscard]] std::string file(const std::string& name) const {
    return OdbcEnvironment::shared().home() + "/" + migration_.name() + "/" + name;
  }
  static std::int64_t versions(const std::string& side) {
    return std::stoll(*odbc::Connection(side).scalar("SELECT sum(ver)::text FROM hot"));
  }
  void expect_a_program_works_on(const std::string& used, const std::string& other) {
    const std::int64_t before = versions(used);
    const std::int64_t others = versions(other);
    const Finished done = program();
    EXPECT_EQ(done.exit_code, 0) << done.output;
    EXPECT_GT(versions(used), before);
    EXPECT_EQ(versions(other), others);
  }

  TempDir folder_;
  LiveMigration migration_;
};

TEST_F(HostRestart, ProgramsGoOnWithTheShadowThatWasInUse) {
  migration_.expect_tool({"cutover"});
  restart();
  expect_a_program_works_on(migration_.shadow(), migration_.production());
  migration_.expect_tool({"start"});
  const auto status = migration_.status();
  EXPECT_EQ(status["phase"], "switched") << status.dump(1);
  EXPECT_EQ(status["mode"], "one_way");
  EXPECT_NE(std::string(status["reason"]).find("no way back"), std::string::npos);
  expect_a_program_works_on(migration_.shadow(), migration_.production());
}

TEST_F(HostRestart, ProgramsGoOnWithTheShadowAfterTheMigrationIsCompleted) {
  migration_.expect_tool({"cutover"});
  migration_.expect_tool({"complete"});
  restart();
  expect_a_program_works_on(migration_.shadow(), migration_.production());
}

TEST_F(HostRestart, ProgramsGoOnWithProductionThatIsInUseAgain) {
  migration_.expect_tool({"cutover"});
  migration_.expect_tool({"reverse"});
  restart();
  expect_a_program_works_on(migration_.production(), migration_.shadow());
}

TEST_F(HostRestart, EndsAMigrationThatIsBeingRecorded) {
  restart();
  expect_a_program_works_on(migration_.production(), migration_.shadow());
  EXPECT_NE(LiveMigration::tool({"start", migration_.name()}).exit_code, 0);
  const auto status =
      migration_.status_when([](const auto& now) { return now["phase"] == "invalid"; });
  EXPECT_EQ(status["phase"], "invalid") << status.dump(1);
  expect_a_program_works_on(migration_.production(), migration_.shadow());
}

TEST_F(HostRestart, ProgramsOfUsersThatMayNotTakePartAreRefusedWhileTheShadowIsInUse) {
  migration_.expect_tool({"cutover"});
  restart();
  const std::string home = OdbcEnvironment::shared().home();
  ASSERT_EQ(::chmod(home.c_str(), 0711), 0);  // as `create` makes it
  const pid_t child = ::fork();
  if (child == 0) {
    const bool other = ::setgid(65534) == 0 && ::setuid(65534) == 0;
    ::_exit(other && switched(home, migration_.name()) && may_not_open(home, migration_.name()) &&
                    !SegmentMap::open_or_create(home, migration_.name()).ok()
                ? 0
                : 1);
  }
  int status = 1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(std::filesystem::exists("/dev/shm" + segment_name(home, migration_.name())));
}

class HostRestartInTheDecision : public HostRestart {
 protected:
  /// The replayer dies in the cutover at the step of dies_at.cpp, and the host with it.
  void die_at(const std::string& step) {
    const std::string file = folder_.path() + "/step";
    ::setenv("UNDERSTUDY_TEST_STEP", file.c_str(), 1);
    ::setenv("LD_PRELOAD", DIES_AT_PATH, 1);
    migration_.kill_process("replayer");
    migration_.expect_tool({"start"});
    ::unsetenv("LD_PRELOAD");
    std::ofstream(file) << "kill " + step;
    EXPECT_EQ(LiveMigration::tool({"cutover", migration_.name()}).exit_code, 3);
    ASSERT_FALSE(std::filesystem::exists(file));
    restart();
  }
  void expect_programs_are_refused() {
    const Finished refused = program();
    EXPECT_NE(refused.exit_code, 0);
    EXPECT_NE(refused.output.find("understudy start"), std::string::npos) << refused.output;
  }
};

TEST_F(HostRestartInTheDecision, ProgramsAreRefusedUntilTheStateFileHasBeenRead) {
  die_at("before switched");
  expect_programs_are_refused();
  (void)LiveMigration::tool({"start", migration_.name()});
  expect_a_program_works_on(migration_.production(), migration_.shadow());
}

TEST_F(HostRestartInTheDecision, ProgramsAreRefusedUntilTheStateFileSaysThatTheShadowIsInUse) {
  die_at("behind switched");
  expect_programs_are_refused();
  migration_.expect_tool({"start"});
  expect_a_program_works_on(migration_.shadow(), migration_.production());
}

// What was recorded is on disk: recording goes on, whoever comes first.
class DurableHostRestart : public HostRestart {
 protected:
  DurableHostRestart() : HostRestart("power") {}

  /// The next boot has another name.
  void reboot() {
    restart();
    const std::string before(boot_id().size(), '0');
    for (const char* name : {"recording", "state.json"}) replace_in(file(name), boot_id(), before);
  }
  /// A program that comes before the two processes waits for them with its first COMMIT.
  void start_behind_a_program() {
    Background first(
        {HOT_ROWS_APP_PATH, migration_.application(), "--threads", "4", "--seconds", "1"});
    migration_.expect_tool({"start"});
    EXPECT_EQ(first.wait(), 0);
  }
  void expect_invalid() {
    const auto status =
        migration_.status_when([](const auto& now) { return now["phase"] == "invalid"; });
    EXPECT_EQ(status["phase"], "invalid") << status.dump(1);
  }
};

TEST_F(DurableHostRestart, WhatProgramsWriteBeforeTheProcessesComeIsRecorded) {
  EXPECT_EQ(program().exit_code, 0);
  migration_.expect_tool({"verify"});
  const std::int64_t before = versions(migration_.production());
  reboot();
  start_behind_a_program();
  EXPECT_GT(versions(migration_.production()), before);
  const auto status = migration_.status();
  EXPECT_EQ(status["phase"], "replaying") << status.dump(1);
  EXPECT_EQ(LiveMigration::tool({"cutover", migration_.name()}).exit_code, 1)
      << "rows are to be compared again";
  migration_.expect_tool({"verify"});
  migration_.expect_tool({"cutover"});
  EXPECT_EQ(versions(migration_.shadow()), versions(migration_.production()));
}

TEST_F(DurableHostRestart, AgainAndAgainNothingIsLost) {
  for (int boot = 0; boot < 3; ++boot) {
    Background load(
        {HOT_ROWS_APP_PATH, migration_.application(), "--threads", "4", "--seconds", "60"});
    const std::int64_t before = versions(migration_.production());
    while (versions(migration_.production()) < before + 50 && !load.ended())
      std::this_thread::yield();
    load.kill(SIGKILL);
    load.wait();
    reboot();
    migration_.expect_tool({"start"});
  }
  migration_.expect_tool({"verify"});
  EXPECT_EQ(migration_.status()["uncaptured_writes"], 0);
}

TEST_F(DurableHostRestart, TheWayBackStaysOpen) {
  migration_.expect_tool({"cutover"});
  EXPECT_EQ(program().exit_code, 0);
  reboot();
  start_behind_a_program();
  migration_.expect_tool({"verify"});
  migration_.expect_tool({"reverse"});
  EXPECT_EQ(versions(migration_.shadow()), versions(migration_.production()));
  const std::int64_t before = versions(migration_.production());
  EXPECT_EQ(program().exit_code, 0);
  EXPECT_GT(versions(migration_.production()), before);
}

TEST_F(DurableHostRestart, DoesNotBringBackARecordingThatHadEnded) {
  odbc::Connection(migration_.application()).run("ALTER TABLE hot ADD COLUMN more integer");
  reboot();
  expect_a_program_works_on(migration_.production(), migration_.shadow());
  EXPECT_NE(LiveMigration::tool({"start", migration_.name()}).exit_code, 0);
  expect_invalid();
}

TEST_F(DurableHostRestart, SharedMemoryThatIsLostWithoutOneEndsTheMigration) {
  restart();
  expect_a_program_works_on(migration_.production(), migration_.shadow());
  EXPECT_NE(LiveMigration::tool({"start", migration_.name()}).exit_code, 0);
  expect_invalid();
}

}  // namespace
}  // namespace understudy
