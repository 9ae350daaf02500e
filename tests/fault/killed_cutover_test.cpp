// A cutover, and the way back, whose replayer dies at each of its steps: it ends in production or
// in the shadow, the program goes on without an operator, and a second command goes on from there.
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <thread>

#include "tests/support/live_migration.h"

namespace understudy {
namespace {

constexpr auto kPatience = std::chrono::seconds(60);

class KilledCutover : public ::testing::Test {
 protected:
  KilledCutover() {
    // Only what is started from here on has it: the replayer, whatever else stays away from it.
    ::setenv("UNDERSTUDY_TEST_STEP", step_.c_str(), 1);
    ::setenv("LD_PRELOAD", DIES_AT_PATH, 1);
    migration_.create_and_start();
    migration_.expect_tool({"verify"});
    ::unsetenv("LD_PRELOAD");
    load_.emplace(std::vector<std::string>{HOT_ROWS_APP_PATH, migration_.application(), "--threads",
                                           "4", "--seconds", "3600"});
  }
  ~KilledCutover() override {
    ::unsetenv("LD_PRELOAD");
    ::unsetenv("UNDERSTUDY_TEST_STEP");
  }

  void arm(const std::string& step) const { std::ofstream(step_) << step; }
  [[nodiscard]] bool came() const { return !std::filesystem::exists(step_); }
  void start() {
    ::setenv("LD_PRELOAD", DIES_AT_PATH, 1);
    migration_.expect_tool({"start"});
    ::unsetenv("LD_PRELOAD");
  }
  std::int64_t versions() {
    std::int64_t out = 0;
    for (const std::string& side : {migration_.production(), migration_.shadow()})
      out = std::max<std::int64_t>(
          out, std::stoll(*odbc::Connection(side).scalar("SELECT sum(ver)::text FROM hot")));
    return out;
  }
  /// The program commits more, whoever has died.
  void expect_progress() {
    const std::int64_t before = versions();
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (versions() < before + 40 && std::chrono::steady_clock::now() < end) {
    }
    EXPECT_GE(versions(), before + 40);
  }
  /// The side that the state file says is the one that drivers are told.
  std::string side() {
    const auto status = migration_.status();
    const std::string phase = status["phase"];
    const bool shadow = phase == "switched" || phase == "reversing";
    EXPECT_EQ(status["mode"], shadow ? "switched" : "record") << status.dump(1);
    return shadow ? "shadow" : "production";
  }
  void expect_all_right() {
    load_->kill(SIGTERM);
    EXPECT_EQ(load_->wait(), 0);
    load_.reset();
    migration_.expect_tool({"verify"});
    const auto status = migration_.status();
    EXPECT_EQ(status["rows_different"], 0) << status.dump(1);
    EXPECT_EQ(status["in_doubt"], 0);
    EXPECT_EQ(status["divergences"], 0) << status.dump(1);
    EXPECT_EQ(status["uncaptured_writes"], 0);
    EXPECT_EQ(odbc::Connection(migration_.production())
                  .scalar("SELECT count(*)::text FROM (SELECT hot_id, ver FROM audit GROUP BY "
                          "hot_id, ver HAVING count(*) > 1) AS twice"),
              "0");
  }
  /// A hold of an hour: nobody is let go by its end.
  Finished turn(const std::string& command) {
    return LiveMigration::tool({command, migration_.name(), "--timeout", "3600"});
  }

  TempDir folder_;
  std::string step_ = folder_.path() + "/step";
  LiveMigration migration_;
  std::optional<Background> load_;
};

struct Command {
  const char* command;
  const char* held;
  const char* decided;
  const char* before;
  const char* after;
};
constexpr Command kThere{"cutover", "holding", "switched", "production", "shadow"};
constexpr Command kBack{"reverse", "reversing", "replaying", "shadow", "production"};

TEST_F(KilledCutover, EndsOnOneSideAndTheProgramGoesOnWithoutAnOperator) {
  const std::vector<std::pair<std::string, bool>> steps = {
      {"before held", false},    {"behind held", false},     {"message 1 held", false},
      {"message 4 held", false}, {"message 8 held", false},  {"before decided", false},
      {"behind decided", true},  {"message 1 decided", true}};
  for (const auto& [words, decided] : steps) {
    for (const Command& way : {kThere, kBack}) {
      const std::string at = words.substr(0, words.rfind(' ') + 1) +
                             (words.ends_with("held") ? way.held : way.decided);
      SCOPED_TRACE(at);
      ASSERT_EQ(side(), way.before);
      arm("kill " + at);
      EXPECT_EQ(turn(way.command).exit_code, 3);
      ASSERT_TRUE(came());
      expect_progress();
      EXPECT_EQ(side(), decided ? way.after : way.before);
      start();
      EXPECT_EQ(side(), decided ? way.after : way.before);
      if (!decided) {
        const Finished again = turn(way.command);
        EXPECT_EQ(again.exit_code, 0) << again.output;
      }
      ASSERT_EQ(side(), way.after);
    }
  }
  expect_all_right();
}

TEST_F(KilledCutover, ASyncOfTheStateFileThatFailsLeavesTheSideInUseUntilTheNextTry) {
  for (const char* when : {"before ", "behind "}) {
    for (const Command& way : {kThere, kBack}) {
      SCOPED_TRACE(std::string(when) + way.decided);
      ASSERT_EQ(side(), way.before);
      arm(std::string("fail ") + when + way.decided);
      const Finished failed = turn(way.command);
      EXPECT_NE(failed.exit_code, 0);
      EXPECT_NE(failed.output.find("sync"), std::string::npos) << failed.output;
      ASSERT_TRUE(came());
      EXPECT_EQ(side(), way.before);
      expect_progress();
      const Finished again = turn(way.command);
      EXPECT_EQ(again.exit_code, 0) << again.output;
      ASSERT_EQ(side(), way.after);
    }
  }
  expect_all_right();
}

/// The replayer stands at a step while another process dies, and then goes on.
class KilledBeside : public KilledCutover {
 protected:
  std::unique_ptr<Background> stand_at(const Command& way, const std::string& step) {
    EXPECT_EQ(side(), way.before);
    arm("stop " + step);
    auto asked = std::make_unique<Background>(std::vector<std::string>{
        UNDERSTUDY_PATH, way.command, migration_.name(), "--timeout", "3600"});
    while (!came()) std::this_thread::yield();
    return asked;
  }
  void go_on() { migration_.signal_process("replayer", "CONT"); }
  void expect_side(const std::string& name) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (migration_.status()["mode"] != (name == "shadow" ? "switched" : "record") &&
           std::chrono::steady_clock::now() < end) {
    }
    EXPECT_EQ(side(), name);
  }
};

TEST_F(KilledBeside, TheToolDiesAndTheReplayerEndsWhatItWasAskedFor) {
  for (const Command& way : {kThere, kBack}) {
    auto tool = stand_at(way, std::string("behind ") + way.held);
    tool->kill(SIGKILL);
    tool->wait();
    go_on();
    expect_side(way.after);
    expect_progress();
  }
  expect_all_right();
}

TEST_F(KilledBeside, AProgramDiesAndTheOthersMoveAllTheSame) {
  for (const Command& way : {kThere, kBack}) {
    Background victim({HOT_ROWS_APP_PATH, migration_.application(), "--threads", "2", "--seconds",
                       "3600", "--seed", "2"});
    while (migration_.status()["sessions"] < 6) std::this_thread::yield();
    auto tool = stand_at(way, std::string("before ") + way.decided);
    victim.kill(SIGKILL);
    victim.wait();
    go_on();
    EXPECT_EQ(tool->wait(), 0);
    expect_progress();
    EXPECT_EQ(side(), way.after);
  }
  expect_all_right();
}

TEST_F(KilledBeside, JournaldDiesDuringTheHoldAndTheSideStaysUntilTheNextTry) {
  for (const Command& way : {kThere, kBack}) {
    auto tool = stand_at(way, std::string("behind ") + way.held);
    EXPECT_TRUE(migration_.kill_process("journald"));
    go_on();
    EXPECT_EQ(tool->wait(), 1);
    EXPECT_EQ(side(), way.before);
    expect_progress();
    start();
    const Finished again = turn(way.command);
    EXPECT_EQ(again.exit_code, 0) << again.output;
    EXPECT_EQ(side(), way.after);
  }
  expect_all_right();
}

TEST_F(KilledBeside, BothProcessesDieWhileTheDecisionIsWrittenAndStartGoesOn) {
  for (const Command& way : {kThere, kBack}) {
    auto tool = stand_at(way, std::string("behind ") + way.decided);
    EXPECT_TRUE(migration_.kill_process("journald"));
    EXPECT_TRUE(migration_.kill_process("replayer"));
    EXPECT_EQ(tool->wait(), 3);
    start();
    expect_progress();
    EXPECT_EQ(side(), way.after);
  }
  expect_all_right();
}

}  // namespace
}  // namespace understudy
