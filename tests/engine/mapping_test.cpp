// Migrations to a shadow of another schema, as a mapping file says it: copied, replayed, compared
// and carried back.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/engine/databases.h"
#include "tests/engine/recording.h"
#include "tests/support/live_migration.h"

namespace understudy {
namespace {

constexpr const char* kRenamed =
    "[tables.item]\n"
    "to = 'product'\n"
    "rename = { name = 'title', cents = 'price' }\n"
    "drop = ['legacy']\n"
    "retyped = ['cents']\n"
    "[tables.item.add]\n"
    "origin = \"the 'old' shop\"\n"
    "grade = 7\n"
    "label = { expression = \"upper(title) || '!'\" }\n"
    "[tables.scrap]\n"
    "drop = true\n";

constexpr const char* kSplit =
    "[[tables.person.split]]\n"
    "to = 'person_name'\n"
    "columns = ['id', 'name']\n"
    "[[tables.person.split]]\n"
    "to = 'address'\n"
    "columns = ['id', 'street', 'note']\n"
    "rename = { street = 'road' }\n"
    "add = { country = 'DE' }\n";

class Mapping : public testing::TestWithParam<Dialect> {
 protected:
  void SetUp() override {
    switch (GetParam()) {
      case Dialect::postgresql:
        return make("Understudy Unicode", "PostgreSQL Unicode",
                    PostgresServer::shared().new_database(),
                    PostgresServer::shared().new_database(), "BIGSERIAL PRIMARY KEY");
      case Dialect::mariadb:
        return make("Understudy Unicode", "MariaDB Unicode", MariaDbServer::shared().new_database(),
                    MariaDbServer::shared().new_database(), "BIGINT AUTO_INCREMENT PRIMARY KEY");
      default:
        return make("Understudy ANSI", "SQLite3", sqlite_side("production"), sqlite_side("shadow"),
                    "INTEGER PRIMARY KEY AUTOINCREMENT");
    }
  }
  void make(const char* driver, const char* real, const std::string& production,
            const std::string& shadow, const std::string& key) {
    migration_ = std::make_unique<LiveMigration>(driver, real, production, shadow);
    odbc::Connection from(migration_->production());
    odbc::Connection to(migration_->shadow());
    if (GetParam() == Dialect::sqlite) {
      from.run("PRAGMA journal_mode = WAL");
      to.run("PRAGMA journal_mode = WAL");
    }
    for (odbc::Connection* side : {&from, &to}) {
      side->run("CREATE TABLE plain (id INTEGER PRIMARY KEY, n INTEGER)");
      side->run("INSERT INTO plain VALUES (1, 0)");
    }
    to.run("DELETE FROM plain");
    from.run("CREATE TABLE item (id " + key +
             ", name VARCHAR(40) NOT NULL, cents INTEGER, legacy VARCHAR(20))");
    to.run("CREATE TABLE product (id " + key +
           ", price BIGINT, title VARCHAR(50) NOT NULL, origin VARCHAR(20) NOT NULL,"
           " grade SMALLINT NOT NULL, label VARCHAR(60))");
    from.run("CREATE TABLE scrap (id INTEGER PRIMARY KEY, word VARCHAR(20))");
    from.run(
        "CREATE TABLE person (id INTEGER PRIMARY KEY, name VARCHAR(40), street VARCHAR(40),"
        " note VARCHAR(40))");
    to.run("CREATE TABLE person_name (id INTEGER PRIMARY KEY, name VARCHAR(40))");
    to.run(
        "CREATE TABLE address (id INTEGER PRIMARY KEY REFERENCES person_name (id),"
        " road VARCHAR(40), note VARCHAR(40), country VARCHAR(2) NOT NULL)");
    run_all(from,
            {"INSERT INTO item (name, cents, legacy) VALUES ('one', 100, 'x')",
             "INSERT INTO item (name, cents, legacy) VALUES ('two', NULL, NULL)",
             "INSERT INTO item (name, cents, legacy) VALUES ('three', 300, 'z')",
             "INSERT INTO scrap VALUES (1, 'a')", "INSERT INTO person VALUES (1, 'A', 's', 'n')",
             "INSERT INTO person VALUES (2, 'B', NULL, 'm')"});
  }
  std::string sqlite_side(const std::string& name) {
    return "Database=" + std::string(folder_.path()) + "/" + name + ".db;Timeout=60000;";
  }

  std::string file(const std::string& text) {
    std::string path = std::string(folder_.path()) + "/map.toml";
    std::ofstream(path, std::ios::trunc) << text;
    return path;
  }
  /// MariaDB's || is a logical OR.
  [[nodiscard]] std::string in_dialect(std::string text) const {
    const std::string plain = "upper(title) || '!'";
    const std::size_t at = text.find(plain);
    if (GetParam() == Dialect::mariadb && at != std::string::npos)
      text.replace(at, plain.size(), "concat(upper(title), '!')");
    return text;
  }
  void create(const std::string& mapping) {
    tool({"create", "--production", migration_->production(), "--shadow", migration_->shadow(),
          "--mapping", file(in_dialect(mapping))});
  }
  void tool(std::vector<std::string> arguments) { migration_->expect_tool(std::move(arguments)); }
  Finished answer(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin() + 1, migration_->name());
    return LiveMigration::tool(std::move(arguments));
  }
  void expect_equal(const char* phase) {
    const Finished done = answer({"verify"});
    EXPECT_EQ(done.exit_code, 0) << done.output;
    const auto status = migration_->status();
    EXPECT_EQ(status["phase"], phase) << status.dump(1);
    EXPECT_EQ(status["rows_different"], 0) << status.dump(1);
    EXPECT_EQ(status["divergences"], 0) << status.dump(1);
    EXPECT_EQ(status["uncaptured_writes"], 0) << status.dump(1);
    EXPECT_EQ(status["opaque"], 0) << status.dump(1);
  }
  static void write(Application& app, const std::vector<std::string>& statements) {
    for (const std::string& sql : statements) {
      raw::Statement stmt(app);
      const SQLRETURN ret = stmt.run(sql);
      EXPECT_TRUE(SQL_SUCCEEDED(ret) || ret == SQL_NO_DATA) << sql << ": " << stmt.problems();
    }
  }
  /// Rows of a query with one text each.
  static std::vector<std::string> rows(const std::string& side, const std::string& query) {
    odbc::Connection db(side);
    odbc::Statement statement(db);
    statement.execute_direct(query);
    std::vector<std::string> out;
    while (statement.fetch()) {
      std::string& row = out.emplace_back();
      for (int i = 1; i <= statement.column_count(); ++i) {
        if (i > 1) row += '|';
        row += statement.text(i).value_or("-");
      }
    }
    return out;
  }
  void expect_equal_rows() {
    EXPECT_EQ(rows(migration_->production(), "SELECT id, name, cents FROM item ORDER BY id"),
              rows(migration_->shadow(), "SELECT id, title, price FROM product ORDER BY id"));
    EXPECT_EQ(rows(migration_->production(),
                   "SELECT id, name, street, note FROM person"
                   " ORDER BY id"),
              rows(migration_->shadow(),
                   "SELECT n.id, n.name, a.road, a.note FROM person_name n"
                   " JOIN address a ON a.id = n.id ORDER BY n.id"));
  }
  std::vector<std::string> products() {
    return rows(migration_->shadow(),
                "SELECT id, price, title, origin, grade, label FROM product ORDER BY id");
  }
  std::vector<std::string> items() {
    return rows(migration_->production(), "SELECT id, cents, name, legacy FROM item ORDER BY id");
  }

  TempDir folder_;
  std::unique_ptr<LiveMigration> migration_;
};

using Lines = std::vector<std::string>;

/// Tables split between tests: what a test does not map is dropped.
const std::string kRenamedOnly = std::string(kRenamed) + "[tables.person]\ndrop = true\n";
const std::string kSplitOnly =
    std::string(kSplit) + "[tables.item]\ndrop = true\n[tables.scrap]\ndrop = true\n";

TEST_P(Mapping, CopiesAndReplaysUnderOtherNames) {
  create(kRenamedOnly);
  tool({"start"});
  EXPECT_EQ(products(), (Lines{"1|100|one|the 'old' shop|7|ONE!", "2|-|two|the 'old' shop|7|TWO!",
                               "3|300|three|the 'old' shop|7|THREE!"}));
  Application app(migration_->application());
  write(app, {"INSERT INTO item (name, cents, legacy) VALUES ('four', 4, 'w')",
              "UPDATE item SET name = 'uno', cents = 101 WHERE id = 1",
              "UPDATE item SET legacy = 'only this' WHERE id = 2",
              "UPDATE item SET cents = 5 WHERE name = 'four'", "DELETE FROM item WHERE id = 3",
              "INSERT INTO scrap VALUES (2, 'b')", "UPDATE scrap SET word = 'c'",
              "DELETE FROM scrap WHERE id = 1", "UPDATE plain SET n = n + 1 WHERE id = 1",
              "UPDATE item SET id = 40 WHERE id = 4"});
  app.autocommit(false);
  write(app, {"UPDATE item SET name = 'never' WHERE id = 1"});
  app.rollback();
  write(app, {"UPDATE item SET name = 'duo' WHERE id = 2", "INSERT INTO scrap VALUES (3, 'd')"});
  app.commit();
  expect_equal("ready");
  EXPECT_EQ(products(), (Lines{"1|101|uno|the 'old' shop|7|UNO!", "2|-|duo|the 'old' shop|7|DUO!",
                               "40|5|four|the 'old' shop|7|FOUR!"}));
  EXPECT_EQ(rows(migration_->shadow(), "SELECT n FROM plain"), Lines{"1"});
}

TEST_P(Mapping, ReplaysRowsThatTheServerMakesAndKeysThatMove) {
  create(kRenamedOnly);
  tool({"start"});
  Application app(migration_->application());
  std::vector<std::string> statements = {
      "INSERT INTO item (name, cents) VALUES ('four', 4), ('five', 5)",
      "INSERT INTO item (name, cents) SELECT name, 1 FROM item WHERE id < 3",
      "UPDATE item SET cents = cents + 1 WHERE cents > 50", "DELETE FROM item WHERE cents = 5"};
  if (GetParam() == Dialect::mariadb) {
    statements.emplace_back(
        "INSERT INTO item (id, name) VALUES (1, 'x') ON DUPLICATE KEY UPDATE name = 'again'");
    statements.emplace_back("UPDATE item SET id = id + 1 ORDER BY id DESC");
  } else {
    statements.emplace_back(
        "INSERT INTO item (id, name) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = "
        "'again'");
    statements.emplace_back("UPDATE item SET id = id + 100");
    statements.emplace_back("UPDATE item SET id = id - 99");
  }
  write(app, statements);
  expect_equal("ready");
  const Lines now = products();
  ASSERT_EQ(now.size(), items().size());
  EXPECT_EQ(now.front(), "2|101|again|the 'old' shop|7|AGAIN!");
}

// Inserts, changes and removes rows until it is told to end.
class Load {
 public:
  explicit Load(const std::string& target) {
    thread_ = std::thread([this, target] {
      Application app(target);
      for (int turn = 0; !ending_; ++turn) {
        app.autocommit(turn % 2 == 0);
        const std::string key = std::to_string(100 + turn % 7);
        for (const std::string& sql :
             {"INSERT INTO person VALUES (" + key + ", 'n', 's', NULL)",
              "UPDATE person SET note = 'turn " + std::to_string(turn) + "' WHERE id = " + key,
              "INSERT INTO item (name, cents) VALUES ('i', " + std::to_string(turn) + ")",
              "UPDATE item SET name = 'j', legacy = 'l' WHERE cents = " + std::to_string(turn),
              "DELETE FROM item WHERE cents = " + std::to_string(turn - 5),
              "DELETE FROM person WHERE id = " + key}) {
          raw::Statement stmt(app);
          const SQLRETURN ret = stmt.run(sql);
          if (!SQL_SUCCEEDED(ret) && ret != SQL_NO_DATA) ++errors_;
        }
        if (turn % 2 != 0) turn % 3 == 0 ? app.rollback() : app.commit();
        ++turns_;
      }
    });
  }
  ~Load() { stop(); }
  void stop() {
    ending_ = true;
    if (thread_.joinable()) thread_.join();
  }
  void wait_for(int more) const {
    for (const int before = turns_; turns_ < before + more;) std::this_thread::yield();
  }
  [[nodiscard]] int errors() const { return errors_; }

 private:
  std::atomic<bool> ending_{false};
  std::atomic<int> turns_{0};
  std::atomic<int> errors_{0};
  std::thread thread_;
};

TEST_P(Mapping, FollowsAProgramThatWritesAllTheTime) {
  create(std::string(kRenamed) + kSplit);
  Load load(migration_->application());
  load.wait_for(3);
  tool({"start"});
  load.wait_for(10);
  expect_equal("ready");
  load.wait_for(10);
  expect_equal("ready");
  load.stop();
  EXPECT_EQ(load.errors(), 0);
  tool({"cutover"});
  expect_equal_rows();
}

TEST_P(Mapping, IsCarriedBackByItsInverse) {
  create(kRenamedOnly);
  tool({"start"});
  expect_equal("ready");
  tool({"cutover"});
  {
    Application app(migration_->application());
    write(app, {"INSERT INTO product (title, price, origin, grade) VALUES ('new', 9, 'here', 1)",
                "UPDATE product SET title = 'uno', grade = 2 WHERE id = 1",
                "UPDATE product SET origin = 'only this' WHERE id = 2",
                "DELETE FROM product WHERE id = 3"});
    expect_equal("switched");
    EXPECT_EQ(items(), (Lines{"1|100|uno|x", "2|-|two|-", "4|9|new|-"}));
  }
  tool({"reverse"});
  Application app(migration_->application());
  write(app, {"UPDATE item SET cents = 10 WHERE id = 4",
              "INSERT INTO item (name, cents) VALUES ('five', 5)"});
  expect_equal("ready");
  EXPECT_EQ(products(), (Lines{"1|100|uno|the 'old' shop|2|ONE!", "2|-|two|only this|7|TWO!",
                               "4|10|new|here|1|NEW!", "5|5|five|the 'old' shop|7|FIVE!"}));
  EXPECT_EQ(rows(migration_->production(), "SELECT word FROM scrap"), Lines{"a"});
}

TEST_P(Mapping, SplitsATableIntoTwo) {
  create(kSplitOnly);
  const Finished check = answer({"check"});
  EXPECT_EQ(check.exit_code, 0) << check.output;
  EXPECT_NE(check.output.find("no way back after the switch"), std::string::npos) << check.output;
  tool({"start"});
  Application app(migration_->application());
  write(app,
        {"INSERT INTO person VALUES (3, 'C', 't', NULL)",
         "UPDATE person SET street = 'u' WHERE id = 2", "UPDATE person SET name = 'a' WHERE id = 1",
         "DELETE FROM person WHERE id = 3", "INSERT INTO person VALUES (4, 'D', 'v', 'o')"});
  expect_equal("ready");
  EXPECT_EQ(rows(migration_->shadow(), "SELECT id, name FROM person_name ORDER BY id"),
            (Lines{"1|a", "2|B", "4|D"}));
  EXPECT_EQ(rows(migration_->shadow(), "SELECT id, road, note, country FROM address ORDER BY id"),
            (Lines{"1|s|n|DE", "2|u|m|DE", "4|v|o|DE"}));
  tool({"cutover"});
  const Finished reverse = answer({"reverse"});
  EXPECT_EQ(reverse.exit_code, 1) << reverse.output;
  EXPECT_NE(reverse.output.find("is split"), std::string::npos) << reverse.output;
}

// Elsewhere there is no TRUNCATE, or it is a change of schema.
class MappedTruncate : public Mapping {};

TEST_P(MappedTruncate, ATableThatIsEmptiedIsEmptiedUnderItsOtherName) {
  create(std::string(kRenamed) + kSplit);
  tool({"start"});
  Application app(migration_->application());
  write(app, {"TRUNCATE item RESTART IDENTITY", "INSERT INTO item (name, cents) VALUES ('new', 1)",
              "INSERT INTO scrap VALUES (7, 'x')", "TRUNCATE TABLE public.scrap",
              "TRUNCATE ONLY public.person", "INSERT INTO person VALUES (3, 'C', 's', 'n')",
              "TRUNCATE plain"});
  app.autocommit(false);
  write(app, {"INSERT INTO plain VALUES (5, 5)", "TRUNCATE scrap", "TRUNCATE item",
              "INSERT INTO item (name, cents) VALUES ('last', 2)"});
  app.commit();
  const Finished done = answer({"verify"});
  EXPECT_EQ(done.exit_code, 0) << done.output;
  expect_equal_rows();
  EXPECT_EQ(rows(migration_->shadow(), "SELECT id, title FROM product"), Lines{"2|last"});
  EXPECT_EQ(rows(migration_->shadow(), "SELECT id, n FROM plain"), Lines{"5|5"});
  const auto status = migration_->status();
  EXPECT_EQ(status["divergences"], 0) << status.dump(1);
  EXPECT_EQ(status["opaque"], 6);
}

TEST_P(MappedTruncate, SeveralTablesEmptiedAtOnceAreNamed) {
  create(kRenamedOnly);
  tool({"start"});
  Application app(migration_->application());
  write(app, {"TRUNCATE item, scrap"});
  EXPECT_EQ(answer({"verify"}).exit_code, 1);
  const auto status = migration_->status();
  ASSERT_EQ(status["divergences"], 1) << status.dump(1);
  EXPECT_EQ(status["divergence_report"][0]["fingerprint"], "TRUNCATE item, scrap");
}

TEST_P(Mapping, VerifyFindsWhatTheMappingDoesNotSay) {
  create(kRenamedOnly);
  tool({"start"});
  expect_equal("ready");
  odbc::Connection shadow(migration_->shadow());
  run_all(shadow, {"UPDATE product SET origin = 'other' WHERE id = 1",
                   "UPDATE product SET label = 'TWO?' WHERE id = 2",
                   "UPDATE product SET title = 'drei', label = 'DREI!' WHERE id = 3"});
  EXPECT_EQ(answer({"verify"}).exit_code, 1);
  EXPECT_EQ(migration_->status()["rows_different"], 3);
}

TEST_P(Mapping, AnExpressionThatIsAnotherEachTimeIsNotComparedAndSaid) {
  create(
      "[tables.item]\nto = 'product'\nrename = { name = 'title', cents = 'price' }\n"
      "drop = ['legacy']\n[tables.item.add]\norigin = 'x'\ngrade = 1\n"
      "label = { expression = 'current_timestamp' }\n[tables.scrap]\ndrop = true\n"
      "[tables.person]\ndrop = true\n");
  tool({"start"});
  const Finished done = answer({"verify"});
  EXPECT_EQ(done.exit_code, 0) << done.output;
  EXPECT_NE(done.output.find("column label"), std::string::npos) << done.output;
  EXPECT_EQ(done.output.find("column origin"), std::string::npos) << done.output;
}

TEST_P(Mapping, AWrongOneIsRefusedWithItsPlaceAndNothingIsMade) {
  const Finished done =
      answer({"create", "--production", migration_->production(), "--shadow", migration_->shadow(),
              "--mapping", file("[tables.item]\nto = 'product'\ndrop = ['legcay']\n")});
  EXPECT_EQ(done.exit_code, 2) << done.output;
  EXPECT_NE(done.output.find("map.toml:3:9: table"), std::string::npos) << done.output;
  EXPECT_FALSE(std::filesystem::exists(migration_->journal() + "/.."));
}

TEST_P(Mapping, IsFrozenWhenRecordingBegins) {
  create(kRenamedOnly);
  tool({"start"});
  file("[tables.nonsense]\ndrop = true\n");
  Application app(migration_->application());
  write(app, {"UPDATE item SET name = 'uno' WHERE id = 1"});
  tool({"check"});
  ASSERT_TRUE(migration_->kill_process("replayer"));
  tool({"start"});
  write(app, {"UPDATE item SET name = 'duo' WHERE id = 2"});
  expect_equal("ready");
}

TEST(MappingAcross, GoesToAnotherEngineToo) {
  const TempDir folder;
  LiveMigration migration(
      "Understudy ANSI", "SQLite3",
      "Database=" + std::string(folder.path()) + "/production.db;Timeout=60000;",
      PostgresServer::shared().new_database(), "PostgreSQL Unicode");
  odbc::Connection from(migration.production());
  run_all(from, {"PRAGMA journal_mode = WAL",
                 "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, active INTEGER, old TEXT)",
                 "INSERT INTO item VALUES (1, 'one', 1, 'x')"});
  odbc::Connection to(migration.shadow());
  to.run(
      "CREATE TABLE product (id bigint PRIMARY KEY, title varchar(40), usable boolean,"
      " since date NOT NULL, label text)");
  const std::string file = std::string(folder.path()) + "/map.toml";
  std::ofstream(file) << "[tables.item]\nto = 'product'\ndrop = ['old']\nretyped = ['active']\n"
                         "rename = { name = 'title', active = 'usable' }\n[tables.item.add]\n"
                         "since = '2020-01-02'\n"
                         "label = { expression = \"title || ' since ' || since::text\" }\n";
  migration.expect_tool({"create", "--production", migration.production(), "--shadow",
                         migration.shadow(), "--mapping", file});
  migration.expect_tool({"start"});
  Application app(migration.application());
  EXPECT_EQ(run(app, "INSERT INTO item VALUES (2, 'two', 0, NULL)"), SQL_SUCCESS);
  EXPECT_EQ(run(app, "UPDATE item SET name = 'uno', old = 'y' WHERE id = 1"), SQL_SUCCESS);
  migration.expect_tool({"verify"});
  EXPECT_EQ(migration.status()["divergences"], 0);
  EXPECT_EQ(to.scalar("SELECT string_agg(concat_ws('|', title, usable, since, label), ';'"
                      " ORDER BY id) FROM product"),
            "uno|t|2020-01-02|uno since 2020-01-02;two|f|2020-01-02|two since 2020-01-02");
}

INSTANTIATE_TEST_SUITE_P(Engines, MappedTruncate, testing::Values(Dialect::postgresql),
                         [](const auto& one) { return std::string(dialect_name(one.param)); });
INSTANTIATE_TEST_SUITE_P(Engines, Mapping,
                         testing::Values(Dialect::postgresql, Dialect::sqlite, Dialect::mariadb),
                         [](const auto& one) { return std::string(dialect_name(one.param)); });

}  // namespace
}  // namespace understudy
