// The state file: what is written is what is read, and late threads cannot take an end back.
#include "replayer/migration/state.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "replayer/migration/failure.h"
#include "replayer/migration/settings.h"

namespace understudy {
namespace {

class StateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/understudy-state-XXXXXX";
    ASSERT_NE(::mkdtemp(path), nullptr);
    home_ = {path, "m"};
    std::filesystem::create_directory(home_.folder());
  }
  void TearDown() override { std::filesystem::remove_all(home_.root); }
  Home home_;
};

TEST_F(StateTest, IsPreflightWhereNothingWasWritten) {
  EXPECT_EQ(load_state(home_).phase, Phase::preflight);
}

TEST_F(StateTest, IsReadAsItWasWritten) {
  State written;
  written.enter(Phase::replaying, "a reason with \"quotes\"");
  written.copy_begun = true;
  written.settled = 7;
  written.settled_seq = 1ull << 60;
  written.divergences.push_back({"UPDATE t", "row-count", 5, 2});
  written.verified = Verified{1, 10, 3, {{"t", 10, 1, 1, 1}}};
  written.timeline.push_back({1.5, "hold begun"});
  const State read = decode_state(encode_state(written));
  EXPECT_EQ(encode_state(read), encode_state(written));
  EXPECT_EQ(read.settled_seq, 1ull << 60);
  EXPECT_EQ(read.divergence_count(), 2u);
  EXPECT_FALSE(read.verified_clean());
}

TEST_F(StateTest, ATurnBeginsItsFiguresAnewAndKeepsACleanComparison) {
  State state;
  state.verified = Verified{1, 10, 0, {}};
  state.settled = 5;
  state.enter(Phase::switched, "decided");
  state.turn(77, 0);
  EXPECT_EQ(state.direction_seq, 77u);
  EXPECT_FALSE(state.direction_begun);
  EXPECT_EQ(state.settled, 5u);
  EXPECT_TRUE(state.verified_clean());
  EXPECT_EQ(state.phase_in_production(), Phase::replaying);
  const State read = decode_state(encode_state(state));
  EXPECT_EQ(read.direction_seq, 77u);
  EXPECT_FALSE(read.direction_begun);
}

TEST_F(StateTest, ATurnWithAcceptedDifferencesNeedsAnotherComparison) {
  State state;
  state.verified = Verified{1, 10, 0, {}};
  state.divergences.push_back({"UPDATE t", "row-count", 5, 2});
  state.turn(77, 0);
  EXPECT_FALSE(state.verified.has_value());
  EXPECT_TRUE(state.divergences.empty());
}

TEST_F(StateTest, IsOnDiskWhenAChangeReturns) {
  StateFile file(home_);
  file.change([](State& state) { state.enter(Phase::switched, "decided"); });
  EXPECT_EQ(load_state(home_).phase, Phase::switched);
}

TEST_F(StateTest, StaysAsItWasWhenAChangeCannotBeWritten) {
  StateFile file(home_);
  std::filesystem::remove_all(home_.folder());
  EXPECT_THROW(file.change([](State& state) { state.enter(Phase::switched, "decided"); }), Failure);
  EXPECT_EQ(file.get().phase, Phase::preflight);
}

TEST_F(StateTest, NeverLeavesAnEnd) {
  State state;
  state.enter(Phase::cancelled, "by the operator");
  state.enter(Phase::replaying, "a thread that comes late");
  EXPECT_EQ(state.phase, Phase::cancelled);
  EXPECT_EQ(state.reason, "by the operator");
}

TEST_F(StateTest, GoesFromInvalidToCancelledOnly) {
  State state;
  state.enter(Phase::invalid, "the disk is full");
  state.enter(Phase::replaying, "late");
  EXPECT_EQ(state.phase, Phase::invalid);
  state.enter(Phase::cancelled, "given up");
  EXPECT_EQ(state.phase, Phase::cancelled);
}

TEST_F(StateTest, KeepsTheTimeOfEntryWhenOnlyTheReasonChanges) {
  State state;
  state.enter(Phase::recording, "one");
  state.enter(Phase::recording, "two");
  EXPECT_EQ(state.entered.size(), 1u);
  EXPECT_EQ(state.reason, "two");
}

TEST_F(StateTest, NamesTheFileWhenItIsDamaged) {
  std::ofstream(home_.state()) << "{\"version\": 1, \"phase\": \"swi";
  try {
    load_state(home_);
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.exit_code(), kExitFailed);
    EXPECT_NE(std::string(failure.what()).find(home_.state()), std::string::npos);
  }
}

TEST_F(StateTest, RefusesAnotherVersion) {
  EXPECT_THROW(decode_state("{\"version\": 99, \"phase\": \"ready\"}"), std::runtime_error);
}

TEST(Settings, AreReadAsTheyWereWritten) {
  char path[] = "/tmp/understudy-settings-XXXXXX";
  ASSERT_NE(::mkdtemp(path), nullptr);
  const Home home{path, "m"};
  std::filesystem::create_directory(home.folder());
  Settings written;
  written.production = "Driver={A};PWD={a\"b;}}c}";
  written.shadow = "shadow-dsn";
  written.durability = "power";
  save_settings(home, written);
  const Settings read = load_settings(home);
  EXPECT_EQ(read.production, written.production);
  EXPECT_EQ(read.shadow, written.shadow);
  EXPECT_EQ(read.durability, "power");
  const auto mode = std::filesystem::status(home.settings()).permissions();
  EXPECT_EQ(static_cast<unsigned>(mode) & 07, 0u) << "others may read the passwords";
  std::filesystem::remove_all(home.root);
}

TEST(Settings, LeaveAccountAndPasswordOutOfWhatDriversRead) {
  EXPECT_EQ(without_credentials("Driver=X;UID=me;Pwd={a;b}};c};Database=d"),
            "Driver=X;Database=d;");
  EXPECT_EQ(without_credentials("orders"), "DSN=orders;");
}

}  // namespace
}  // namespace understudy
