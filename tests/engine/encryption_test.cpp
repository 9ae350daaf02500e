// A migration whose journal is encrypted, driven as an operator drives it.
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/support/live_migration.h"

namespace understudy {
namespace {

namespace fs = std::filesystem;

class EncryptedMigration : public ::testing::Test {
 protected:
  EncryptedMigration()
      : migration_("Understudy Unicode", "SQLite3",
                   "Database=" + folder_.path() + "/production.db;",
                   "Database=" + folder_.path() + "/shadow.db;") {
    for (const std::string& side : {migration_.production(), migration_.shadow()}) {
      odbc::Connection db(side);
      db.scalar("PRAGMA journal_mode=WAL");
      db.run("CREATE TABLE item (id integer PRIMARY KEY, name text)");
    }
    write_keys({'1'});
  }

  void write_keys(std::initializer_list<char> digits) const {
    std::ofstream out(key_file());
    for (const char digit : digits) out << std::string(64, digit) << "\n";
    out.close();
    ::chmod(key_file().c_str(), 0600);
  }
  [[nodiscard]] std::string key_file() const { return folder_.path() + "/keys"; }
  void create_and_start() {
    migration_.expect_tool({"create", "--production", migration_.production(), "--shadow",
                            migration_.shadow(), "--journal-key-file", key_file()});
    migration_.expect_tool({"start"});
  }
  void insert(int id) const {
    odbc::Connection(migration_.application())
        .run("INSERT INTO item VALUES (" + std::to_string(id) + ", '" + kValue + "')");
  }
  void expect_verified() {
    migration_.expect_tool({"verify"});
    const nlohmann::json status = migration_.status();
    EXPECT_EQ(status["rows_different"], 0);
    EXPECT_EQ(status["uncaptured_writes"], 0);
    EXPECT_EQ(status["opaque"], 0);
  }
  /// Stops both processes as a service manager does.
  void stop_processes() const {
    for (const char* which : {"replayer", "journald"}) {
      migration_.signal_process(which, "TERM");
      while (migration_.pid_of(which) != 0) std::this_thread::yield();
    }
  }
  [[nodiscard]] std::string home() const {
    return OdbcEnvironment::shared().home() + "/" + migration_.name();
  }
  /// Files below the migration's home that hold the value.
  [[nodiscard]] std::vector<std::string> files_with_value() const {
    std::vector<std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(home())) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      const std::string bytes(std::istreambuf_iterator<char>(in), {});
      if (bytes.find(kValue) != std::string::npos) out.push_back(entry.path());
    }
    return out;
  }
  static void expect_one_line(const Finished& done, int exit_code) {
    EXPECT_EQ(done.exit_code, exit_code) << done.output;
    EXPECT_EQ(std::count(done.output.begin(), done.output.end(), '\n'), 1) << done.output;
  }

  static constexpr const char* kValue = "Rosenkavalier-4711-Zwetschge";
  TempDir folder_;
  LiveMigration migration_;
};

TEST_F(EncryptedMigration, LeavesNoRowValueInAnyFileAndSurvivesAKilledJournald) {
  create_and_start();
  for (int id = 1; id <= 20; ++id) insert(id);
  ASSERT_TRUE(migration_.kill_process("journald"));
  insert(21);  // waits in the ring
  migration_.expect_tool({"start"});
  for (int id = 22; id <= 40; ++id) insert(id);
  expect_verified();
  EXPECT_EQ(files_with_value(), std::vector<std::string>{});

  const Finished dumped = LiveMigration::tool(
      {"journal", "dump", migration_.journal(), "--show-values", "--journal-key-file", key_file()});
  EXPECT_EQ(dumped.exit_code, 0) << dumped.output;
  EXPECT_NE(dumped.output.find(kValue), std::string::npos);
  EXPECT_NE(dumped.output.find("stream"), std::string::npos);
  const Finished whole = LiveMigration::tool(
      {"journal", "verify", migration_.journal(), "--journal-key-file", key_file()});
  EXPECT_EQ(whole.exit_code, 0) << whole.output;
}

TEST_F(EncryptedMigration, WithoutTheKeyTheJournalIsCountedAndNotRead) {
  create_and_start();
  insert(1);
  expect_verified();
  for (const char* command : {"dump", "verify"}) {
    const Finished done = LiveMigration::tool({"journal", command, migration_.journal()});
    expect_one_line(done, 3);
    EXPECT_NE(done.output.find("encrypted with the key"), std::string::npos) << done.output;
  }
  expect_one_line(LiveMigration::tool({"replay", "--journal", migration_.journal(), "--shadow",
                                       migration_.shadow(), "--dry-run"}),
                  3);
  const Finished counted = LiveMigration::tool({"journal", "stat", migration_.journal()});
  EXPECT_EQ(counted.exit_code, 0) << counted.output;
  EXPECT_NE(counted.output.find("needs the key"), std::string::npos) << counted.output;
  const Finished replayed =
      LiveMigration::tool({"replay", "--journal", migration_.journal(), "--shadow",
                           migration_.shadow(), "--dry-run", "--journal-key-file", key_file()});
  EXPECT_EQ(replayed.exit_code, 0) << replayed.output;
}

TEST_F(EncryptedMigration, WithAWrongKeyStartFailsInOneLineAndNothingIsLost) {
  create_and_start();
  insert(1);
  stop_processes();
  insert(2);
  write_keys({'2'});
  const Finished wrong = LiveMigration::tool({"start", migration_.name()});
  expect_one_line(wrong, 3);
  EXPECT_NE(wrong.output.find("not among those given"), std::string::npos) << wrong.output;
  fs::remove(key_file());
  expect_one_line(LiveMigration::tool({"start", migration_.name()}), 3);
  expect_one_line(LiveMigration::tool({"journald", migration_.name()}), 3);
  EXPECT_EQ(migration_.status()["mode"], "record");
  insert(3);
  write_keys({'1'});
  migration_.expect_tool({"start"});
  expect_verified();
  EXPECT_EQ(odbc::Connection(migration_.shadow()).scalar("SELECT count(*) FROM item"), "3");
}

TEST_F(EncryptedMigration, ReplacedKeyIsUsedFromTheNextStartOnAndTheOlderOneForWhatWasBefore) {
  create_and_start();
  insert(1);
  stop_processes();
  write_keys({'2', '1'});
  migration_.expect_tool({"start"});
  insert(2);
  expect_verified();
  const std::string counted = LiveMigration::tool({"journal", "stat", migration_.journal()}).output;
  const auto first = counted.find("with the key");
  ASSERT_NE(first, std::string::npos) << counted;
  EXPECT_NE(counted.find("with the key", first + 1), std::string::npos) << counted;
}

TEST_F(EncryptedMigration, CreateMakesNothingWhenTheKeyCannotBeRead) {
  ::chmod(key_file().c_str(), 0640);
  const Finished done =
      LiveMigration::tool({"create", migration_.name(), "--production", migration_.production(),
                           "--shadow", migration_.shadow(), "--journal-key-file", key_file()});
  expect_one_line(done, 3);
  EXPECT_NE(done.output.find("chmod 600"), std::string::npos) << done.output;
  EXPECT_FALSE(fs::exists(home()));
}

TEST_F(EncryptedMigration, KeyMayComeFromACommand) {
  migration_.expect_tool({"create", "--production", migration_.production(), "--shadow",
                          migration_.shadow(), "--journal-key-command", "/bin/cat " + key_file()});
  migration_.expect_tool({"start"});
  insert(1);
  expect_verified();
  EXPECT_EQ(files_with_value(), std::vector<std::string>{});
}

// What others see of the processes: no connection string, no key, not even where it is.
TEST_F(EncryptedMigration, CommandLinesOfItsProcessesHoldNothingButItsName) {
  create_and_start();
  for (const char* which : {"journald", "replayer"}) {
    std::ifstream in("/proc/" + std::to_string(migration_.pid_of(which)) + "/cmdline");
    std::string words(std::istreambuf_iterator<char>(in), {});
    std::replace(words.begin(), words.end(), '\0', ' ');
    EXPECT_EQ(words, std::string("understudy ") + which + " " + migration_.name() + " ");
  }
}

}  // namespace
}  // namespace understudy
