// The command line's contract: exit codes, one-line errors, and what its JSON always holds.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "journal/segment_map.h"
#include "tests/engine/databases.h"

namespace understudy {
namespace {

using nlohmann::json;

/// A migration between two SQLite files; its name is its own, its segment is removed at the end.
class ToolTest : public ::testing::Test {
 protected:
  void SetUp() override {
    static int count = 0;
    name_ = "tool-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
    production_ = sqlite_target(folder_, "production");
    shadow_ = sqlite_target(folder_, "shadow");
    for (const std::string& target : {production_, shadow_}) {
      odbc::Connection db(target);
      db.scalar("PRAGMA journal_mode=WAL");
      db.run("CREATE TABLE item (id integer PRIMARY KEY, name text)");
    }
    run_all(*std::make_unique<odbc::Connection>(production_),
            {"INSERT INTO item VALUES (1, 'one')", "INSERT INTO item VALUES (2, 'two')"});
  }
  void TearDown() override {
    tool({"cancel", name_});
    EXPECT_TRUE(SegmentMap::remove(OdbcEnvironment::shared().home(), name_).ok());
  }

  static Finished tool(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), UNDERSTUDY_PATH);
    return run_program(arguments);
  }
  Finished create() {
    return tool({"create", name_, "--production", production_, "--shadow", shadow_});
  }
  json status() {
    const Finished done = tool({"status", name_, "--json"});
    EXPECT_EQ(done.exit_code, 0) << done.output;
    return json::parse(done.output);
  }
  static void expect_one_line(const Finished& done, int exit_code) {
    EXPECT_EQ(done.exit_code, exit_code) << done.output;
    EXPECT_EQ(std::count(done.output.begin(), done.output.end(), '\n'), 1) << done.output;
    EXPECT_EQ(done.output.rfind("understudy: ", 0), 0u) << done.output;
  }

  TempDir folder_;
  std::string name_;
  std::string production_;
  std::string shadow_;
};

TEST_F(ToolTest, AnswersWrongUseInOneLineWithExitCodeTwo) {
  expect_one_line(tool({}), 2);
  expect_one_line(tool({"nonsense"}), 2);
  expect_one_line(tool({"create", name_}), 2);
  expect_one_line(tool({"create", "../up", "--production", "a", "--shadow", "b"}), 2);
  expect_one_line(tool({"status", "no-such-migration"}), 2);
}

TEST_F(ToolTest, ReverseFailsInOneLineWhereThereIsNoMigration) {
  expect_one_line(tool({"reverse", name_}), 2);
}

TEST_F(ToolTest, CreateFailsInOneLineWithoutThePasswordWhenADatabaseIsOutOfReach) {
  const Finished done = tool({"create", name_, "--production",
                              "Driver=PostgreSQL Unicode;Server=127.0.0.1;Port=1;PWD=topsecret",
                              "--shadow", shadow_});
  expect_one_line(done, 3);
  EXPECT_EQ(done.output.find("topsecret"), std::string::npos);
}

TEST_F(ToolTest, CreateRefusesAMigrationThatIsUnderWay) {
  ASSERT_EQ(create().exit_code, 0);
  expect_one_line(create(), 2);
}

TEST_F(ToolTest, CreateTakesTheNameOfACancelledMigration) {
  ASSERT_EQ(create().exit_code, 0);
  ASSERT_EQ(tool({"cancel", name_}).exit_code, 0);
  EXPECT_EQ(create().exit_code, 0);
  EXPECT_EQ(status()["phase"], "preflight");
}

TEST_F(ToolTest, DeletesTheJournalOfAMigrationThatHasEndedAndSaysWhatThatWas) {
  ASSERT_EQ(create().exit_code, 0);
  ASSERT_EQ(tool({"start", name_}).exit_code, 0);
  const std::filesystem::path journal = OdbcEnvironment::shared().home() + "/" + name_ + "/journal";
  std::ofstream(journal / "00000001.torn") << "12345";
  std::ofstream(journal / "notes.txt") << "mine";
  std::uintmax_t bytes = 5;
  ASSERT_TRUE(std::filesystem::exists(journal / "00000001.segment"));
  bytes += std::filesystem::file_size(journal / "00000001.segment");
  ASSERT_EQ(tool({"cancel", name_}).exit_code, 0);
  EXPECT_TRUE(std::filesystem::exists(journal / "00000001.segment"));
  // The next segment is prepared at any time.
  if (std::filesystem::exists(journal / "next.tmp"))
    bytes += std::filesystem::file_size(journal / "next.tmp");
  const Finished done = tool({"cancel", name_, "--delete-journal"});
  EXPECT_EQ(done.exit_code, 0) << done.output;
  EXPECT_NE(done.output.find("files, " + std::to_string(bytes) + " bytes"), std::string::npos)
      << done.output << bytes;
  EXPECT_NE(done.output.find("notes.txt"), std::string::npos) << done.output;
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(journal))
    left.push_back(entry.path().filename());
  EXPECT_EQ(left, std::vector<std::string>{"notes.txt"});
  EXPECT_EQ(status()["phase"], "cancelled");
}

TEST_F(ToolTest, DeletesNoJournalOfAMigrationThatGoesOn) {
  ASSERT_EQ(create().exit_code, 0);
  ASSERT_EQ(tool({"start", name_}).exit_code, 0);
  expect_one_line(tool({"complete", name_, "--delete-journal"}), 1);
  EXPECT_TRUE(std::filesystem::exists(OdbcEnvironment::shared().home() + "/" + name_ +
                                      "/journal/00000001.segment"));
  const Finished done = tool({"cancel", name_, "--delete-journal"});
  EXPECT_EQ(done.exit_code, 0) << done.output;
  EXPECT_FALSE(std::filesystem::exists(OdbcEnvironment::shared().home() + "/" + name_ +
                                       "/journal/00000001.segment"));
}

TEST_F(ToolTest, StartRefusesAMappingFileThatWentWrongAfterwardsAndChangesNothing) {
  const std::string file = folder_.path() + "/m.toml";
  std::ofstream(file).close();
  ASSERT_EQ(
      tool({"create", name_, "--production", production_, "--shadow", shadow_, "--mapping", file})
          .exit_code,
      0);
  std::ofstream(file) << "[tables.item]\nto = 5\n";
  const json before = status();
  const Finished done = tool({"start", name_});
  expect_one_line(done, 2);
  EXPECT_NE(done.output.find("m.toml:2:6: "), std::string::npos) << done.output;
  EXPECT_EQ(status()["phase"], before["phase"]);
  EXPECT_EQ(status()["reason"], before["reason"]);
}

TEST_F(ToolTest, CheckPassesWhereBothSidesFitTogether) {
  ASSERT_EQ(create().exit_code, 0);
  const Finished done = tool({"check", name_, "--json"});
  EXPECT_EQ(done.exit_code, 0) << done.output;
  EXPECT_TRUE(json::parse(done.output)["passed"]);
}

TEST_F(ToolTest, CheckNamesAMissingTableAndCanBeToldToAcceptIt) {
  odbc::Connection(production_).run("CREATE TABLE more (id integer PRIMARY KEY)");
  ASSERT_EQ(create().exit_code, 0);
  const Finished done = tool({"check", name_});
  EXPECT_EQ(done.exit_code, 1) << done.output;
  EXPECT_NE(done.output.find("more"), std::string::npos);
  EXPECT_EQ(tool({"check", name_, "--skip", "tables"}).exit_code, 0);
  expect_one_line(tool({"check", name_, "--skip", "no-such-check"}), 2);
}

TEST_F(ToolTest, CreateHasEveryWriteRecordedByItsRowsWhenAsked) {
  ASSERT_EQ(tool({"create", name_, "--production", production_, "--shadow", shadow_, "--record",
                  "effects"})
                .exit_code,
            0);
  const Finished done = tool({"check", name_});
  EXPECT_NE(done.output.find("1 of 1 tables by the rows that change"), std::string::npos)
      << done.output;
}

TEST_F(ToolTest, CheckRefusesARingOfAnotherSizeThanTheSettingsSay) {
  expect_one_line(tool({"create", name_, "--production", production_, "--shadow", shadow_,
                        "--ring-bytes", "100000"}),
                  2);
  ASSERT_EQ(tool({"create", name_, "--production", production_, "--shadow", shadow_, "--ring-bytes",
                  "1048576"})
                .exit_code,
            0);
  EXPECT_EQ(tool({"check", name_}).exit_code, 0);
  const std::string path = OdbcEnvironment::shared().home() + "/" + name_ + "/migration.toml";
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  std::string settings = text.str();
  const std::size_t at = settings.find("1048576");
  ASSERT_NE(at, std::string::npos) << settings;
  settings.replace(at, 7, "2097152");
  std::ofstream(path) << settings;
  const Finished done = tool({"check", name_});
  EXPECT_EQ(done.exit_code, 1) << done.output;
  EXPECT_NE(done.output.find("the ring has 1048576 bytes"), std::string::npos) << done.output;
}

TEST_F(ToolTest, CheckRefusesAnEngineToWhichValuesAreNotConverted) {
  const std::string production = postgres_target();
  odbc::Connection(production).run("CREATE TABLE item (id int PRIMARY KEY, name text)");
  ASSERT_EQ(tool({"create", name_, "--production", production, "--shadow", shadow_}).exit_code, 0);
  const Finished done = tool({"check", name_});
  EXPECT_EQ(done.exit_code, 1) << done.output;
  EXPECT_NE(done.output.find("values of postgresql are not converted to those of sqlite"),
            std::string::npos)
      << done.output;
}

TEST_F(ToolTest, CheckWarnsOfAShadowOnAnotherEngine) {
  const std::string shadow = postgres_target();
  odbc::Connection(shadow).run("CREATE TABLE item (id int PRIMARY KEY, name text)");
  ASSERT_EQ(tool({"create", name_, "--production", production_, "--shadow", shadow}).exit_code, 0);
  const Finished done = tool({"check", name_});
  EXPECT_EQ(done.exit_code, 0) << done.output;
  EXPECT_NE(done.output.find("the shadow is on another engine"), std::string::npos) << done.output;
}

TEST_F(ToolTest, StatusHoldsEveryFigureBeforeAnythingRuns) {
  ASSERT_EQ(create().exit_code, 0);
  const json found = status();
  for (const char* key :
       {"phase",           "reason",        "can_cutover",          "blockers",
        "sessions",        "copied_rows",   "total_rows",           "sealed",
        "journaled",       "applied",       "backlog_transactions", "backlog_seconds",
        "in_doubt",        "opaque",        "divergences",          "uncaptured_writes",
        "ring_used_bytes", "journal_bytes", "rows_compared",        "rows_different",
        "last_hold_ms",    "alignment_ms"})
    EXPECT_TRUE(found.contains(key)) << key;
  EXPECT_EQ(found["phase"], "preflight");
  EXPECT_FALSE(found["can_cutover"]);
}

TEST_F(ToolTest, GoesThroughAMigrationWithoutAnyApplication) {
  ASSERT_EQ(create().exit_code, 0);
  const Finished started = tool({"start", name_});
  ASSERT_EQ(started.exit_code, 0) << started.output;
  EXPECT_EQ(status()["copied_rows"], 2);
  EXPECT_EQ(tool({"cutover", name_}).exit_code, 1) << "not compared yet";
  const Finished verified = tool({"verify", name_});
  ASSERT_EQ(verified.exit_code, 0) << verified.output;
  EXPECT_TRUE(status()["can_cutover"]) << status().dump(2);
  const Finished switched = tool({"cutover", name_});
  ASSERT_EQ(switched.exit_code, 0) << switched.output;
  EXPECT_EQ(status()["phase"], "switched");
  expect_one_line(tool({"cancel", name_}), 1);
  const Finished completed = tool({"complete", name_});
  EXPECT_EQ(completed.exit_code, 0) << completed.output;
  EXPECT_FALSE(status()["journald_alive"]);
  EXPECT_FALSE(status()["replayer_alive"]);
  EXPECT_EQ(*odbc::Connection(shadow_).scalar("SELECT count(*) FROM item"), "2");
}

TEST_F(ToolTest, VerifyAnswersNoWhenRowsDifferAndCutoverIsThenRefused) {
  ASSERT_EQ(create().exit_code, 0);
  ASSERT_EQ(tool({"start", name_}).exit_code, 0);
  odbc::Connection(shadow_).run("DELETE FROM item WHERE id = 2");
  EXPECT_EQ(tool({"verify", name_}).exit_code, 1);
  EXPECT_EQ(status()["rows_different"], 1);
  EXPECT_EQ(tool({"cutover", name_}).exit_code, 1);
  EXPECT_EQ(status()["mode"], "record");
}

TEST_F(ToolTest, CutoverDryRunChangesNothing) {
  ASSERT_EQ(create().exit_code, 0);
  ASSERT_EQ(tool({"start", name_}).exit_code, 0);
  ASSERT_EQ(tool({"verify", name_}).exit_code, 0);
  const Finished dry = tool({"cutover", name_, "--dry-run"});
  EXPECT_EQ(dry.exit_code, 0) << dry.output;
  EXPECT_EQ(status()["phase"], "ready");
  EXPECT_EQ(status()["mode"], "record");
}

TEST_F(ToolTest, RefusesToStartWhatWasCancelled) {
  ASSERT_EQ(create().exit_code, 0);
  ASSERT_EQ(tool({"cancel", name_}).exit_code, 0);
  expect_one_line(tool({"start", name_}), 1);
}

}  // namespace
}  // namespace understudy
