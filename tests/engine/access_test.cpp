// Programs of several users under one migration: those of its group are recorded, whatever their
// umask; those of others are refused while it is under way, and never pass unseen. Needs root, as
// starting the database servers does.
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/engine/raw_odbc.h"
#include "tests/support/live_migration.h"

namespace understudy {
namespace {

namespace fs = std::filesystem;

constexpr gid_t kGroup = 4700;

/// A program of another user, driven step by step from here.
class Program {
 public:
  Program(uid_t user, bool member) {
    std::fflush(nullptr);
    EXPECT_EQ(::pipe(to_), 0);
    EXPECT_EQ(::pipe(from_), 0);
    pid_ = ::fork();
    if (pid_ != 0) return;
    const gid_t groups[] = {kGroup};
    if (::setgroups(member ? 1 : 0, groups) != 0 || ::setgid(user) != 0 || ::setuid(user) != 0)
      ::_exit(1);
    ::umask(0077);
    serve();
  }
  ~Program() {
    ::close(to_[1]);
    ::waitpid(pid_, nullptr, 0);
    for (const int one : {to_[0], from_[0], from_[1]}) ::close(one);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// "ok", or the SQLSTATE and the message. `what`: a connection string or SQL.
  std::string ask(const std::string& what) {
    const std::string line = what + "\n";
    EXPECT_EQ(::write(to_[1], line.data(), line.size()), static_cast<ssize_t>(line.size()));
    return line_of(from_[0]);
  }

 private:
  static std::string line_of(int from) {
    std::string out;
    for (char c = 0; ::read(from, &c, 1) == 1 && c != '\n';) out += c;
    return out;
  }
  [[noreturn]] void serve() {
    ::close(to_[1]);
    std::unique_ptr<odbc::Connection> connection;
    for (std::string line = line_of(to_[0]); !line.empty(); line = line_of(to_[0])) {
      std::string answer = "ok";
      try {
        if (line.rfind("DSN=", 0) == 0) {
          connection = std::make_unique<odbc::Connection>(line);
        } else if (line == "manual") {
          connection->set_autocommit(false);
        } else if (line == "COMMIT") {
          connection->commit();
        } else {
          connection->run(line);
        }
      } catch (const odbc::Error& error) {
        answer = error.sqlstate() + " " + error.server_text();
      } catch (const std::exception& error) {
        answer = error.what();
      }
      std::replace(answer.begin(), answer.end(), '\n', ' ');
      answer += "\n";
      if (::write(from_[1], answer.data(), answer.size()) < 0) ::_exit(1);
    }
    connection.reset();
    ::_exit(0);
  }

  int to_[2] = {-1, -1};
  int from_[2] = {-1, -1};
  pid_t pid_ = -1;
};

class AccessTest : public ::testing::Test {
 protected:
  AccessTest()
      : migration_("Understudy Unicode", "SQLite3",
                   "Database=" + folder_.path() + "/production.db;",
                   "Database=" + folder_.path() + "/shadow.db;") {
    for (const std::string& side : {migration_.production(), migration_.shadow()}) {
      odbc::Connection db(side);
      db.scalar("PRAGMA journal_mode=WAL");
      db.run("CREATE TABLE item (id integer PRIMARY KEY, name text)");
    }
    // What every user of a host sees: the database, ODBC's configuration, the way to the home.
    ::chmod(folder_.path().c_str(), 0777);
    for (const char* name : {"production.db", "production.db-wal", "production.db-shm"})
      ::chmod((folder_.path() + "/" + name).c_str(), 0666);
    ::chmod(OdbcEnvironment::shared().home().c_str(), 0711);
    open_to_all(std::getenv("ODBCSYSINI"));
    open_to_all(std::getenv("ODBCINI"));
  }
  static void open_to_all(const char* path) {
    if (path == nullptr) return;
    const bool folder = fs::is_directory(path);
    ::chmod(path, folder ? 0755 : 0644);
    if (!folder) ::chmod(fs::path(path).parent_path().c_str(), 0755);
    if (!folder) return;
    for (const auto& entry : fs::directory_iterator(path)) ::chmod(entry.path().c_str(), 0644);
  }
  void create(bool shared) {
    std::vector<std::string> words = {"create", "--production", migration_.production(), "--shadow",
                                      migration_.shadow()};
    if (shared) words.insert(words.end(), {"--group", std::to_string(kGroup)});
    migration_.expect_tool(words);
  }
  [[nodiscard]] std::string home() const {
    return OdbcEnvironment::shared().home() + "/" + migration_.name();
  }
  void expect_equal(const std::string& rows) {
    migration_.expect_tool({"verify"});
    EXPECT_EQ(migration_.status()["rows_different"], 0);
    EXPECT_EQ(migration_.status()["opaque"], 0);
    EXPECT_EQ(odbc::Connection(migration_.shadow()).scalar("SELECT count(*) FROM item"), rows);
  }
  static unsigned mode_of_file(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
    return info.st_mode & 0777;
  }
  /// The answer is this diagnostic, and says what to do.
  static void expect_refused(const std::string& answer, const std::string& sqlstate) {
    EXPECT_NE(answer.find(sqlstate), std::string::npos) << answer;
    EXPECT_NE(answer.find("--group"), std::string::npos) << answer;
  }

  TempDir folder_;
  LiveMigration migration_;
};

TEST_F(AccessTest, SeveralUsersOfTheGroupAreRecordedWhateverTheirUmask) {
  create(true);
  Program first(4711, true);
  Program second(4712, true);
  EXPECT_EQ(first.ask(migration_.application()), "ok");
  EXPECT_EQ(first.ask("INSERT INTO item VALUES (1, 'before')"), "ok");
  migration_.expect_tool({"start"});
  EXPECT_EQ(second.ask(migration_.application()), "ok");
  EXPECT_EQ(first.ask("INSERT INTO item VALUES (2, 'a')"), "ok");
  EXPECT_EQ(second.ask("INSERT INTO item VALUES (3, 'b')"), "ok");
  EXPECT_EQ(migration_.status()["sessions"], 2);
  expect_equal("3");
}

TEST_F(AccessTest, UserOutsideTheGroupGoesOnAndWhatItWritesIsNamed) {
  create(true);
  Program outsider(4713, false);
  ASSERT_EQ(outsider.ask(migration_.application()), "ok");
  EXPECT_EQ(outsider.ask("INSERT INTO item VALUES (1, 'before')"), "ok");
  EXPECT_EQ(outsider.ask("manual"), "ok");
  migration_.expect_tool({"start"});
  EXPECT_EQ(outsider.ask("COMMIT"), "ok");
  expect_equal("1");
  // What it writes before the first look is left to `verify`.
  const auto status = migration_.status_when([&](const auto& now) {
    EXPECT_EQ(outsider.ask("INSERT INTO item (name) VALUES ('late')"), "ok");
    EXPECT_EQ(outsider.ask("COMMIT"), "ok");
    return now["uncaptured_writes"] != 0;
  });
  EXPECT_NE(status.value("uncaptured_writes", 0), 0);
  EXPECT_NE(status["uncaptured_report"].dump().find("\"item\""), std::string::npos)
      << status.dump(1);
  const Finished refused = LiveMigration::tool({"cutover", migration_.name()});
  EXPECT_EQ(refused.exit_code, 1) << refused.output;
}

TEST_F(AccessTest, UserOutsideTheGroupIsRefusedWhileTheShadowIsInUse) {
  create(true);
  Program outsider(4713, false);
  Program member(4711, true);
  ASSERT_EQ(outsider.ask(migration_.application()), "ok");
  migration_.expect_tool({"start"});
  migration_.expect_tool({"verify"});
  migration_.expect_tool({"cutover"});
  expect_refused(outsider.ask("INSERT INTO item VALUES (1, 'lost')"), "08S01");
  expect_refused(outsider.ask(migration_.application()), "08004");
  EXPECT_EQ(member.ask(migration_.application()), "ok");
  migration_.expect_tool({"verify"});
  migration_.expect_tool({"reverse"});
  Program later(4713, false);
  EXPECT_EQ(later.ask(migration_.application()), "ok");
  EXPECT_EQ(later.ask("INSERT INTO item VALUES (1, 'back')"), "ok");
}

TEST_F(AccessTest, WithoutAGroupOnlyItsOwnUserTakesPart) {
  create(false);
  migration_.expect_tool({"start"});
  Program other(4711, true);  // before this process, which it is forked from, takes part
  odbc::Connection(migration_.application()).run("INSERT INTO item VALUES (1, 'a')");
  expect_equal("1");
  ASSERT_EQ(other.ask(migration_.application()), "ok");
  migration_.expect_tool({"cutover"});
  expect_refused(other.ask("INSERT INTO item VALUES (2, 'b')"), "08S01");
}

TEST_F(AccessTest, GroupSeesWhatDriversNeedAndNobodyElseAnything) {
  create(true);
  migration_.expect_tool({"start"});
  const std::string segment =
      "/dev/shm" + segment_name(OdbcEnvironment::shared().home(), migration_.name());
  EXPECT_EQ(mode_of_file(segment), 0660u);
  EXPECT_EQ(mode_of_file(home()), 0710u);
  int seen = 0;
  for (const auto& entry : fs::recursive_directory_iterator(home())) {
    const std::string name = entry.path().filename();
    const bool for_drivers = name == "catalog" || name == "shadow.catalog";
    const unsigned expected = entry.is_directory() ? 0700u : for_drivers ? 0640u : 0600u;
    EXPECT_EQ(mode_of_file(entry.path()), expected) << name;
    if (!for_drivers) continue;
    struct stat info {};
    ASSERT_EQ(::stat(entry.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_gid, kGroup);
    ++seen;
  }
  EXPECT_EQ(seen, 2);
}

TEST_F(AccessTest, GroupThatDoesNotExistIsRefusedBeforeAnythingIsMade) {
  const Finished done =
      LiveMigration::tool({"create", migration_.name(), "--production", migration_.production(),
                           "--shadow", migration_.shadow(), "--group", "no-such-group-here"});
  EXPECT_EQ(done.exit_code, 2) << done.output;
  EXPECT_FALSE(fs::exists(home()));
}

}  // namespace
}  // namespace understudy
