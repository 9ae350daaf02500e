// Programs that write to production past the driver.
#include <chrono>
#include <string>

#include "tests/engine/databases.h"
#include "tests/support/live_migration.h"

namespace understudy {
namespace {

constexpr auto kPatience = std::chrono::seconds(120);  // only a broken watch takes that long
constexpr auto kAnotherWrite = std::chrono::seconds(5);

/// Writes to `quiet` past the driver until the status tells of it: the watch takes what it sees
/// first for its beginning.
nlohmann::json write_past(LiveMigration& migration) {
  odbc::Connection past(migration.production());
  const auto end = std::chrono::steady_clock::now() + kPatience;
  for (int id = 10;; ++id) {
    past.run("INSERT INTO quiet VALUES (" + std::to_string(id) + ", 0)");
    const auto next = std::chrono::steady_clock::now() + kAnotherWrite;
    while (std::chrono::steady_clock::now() < next) {
      nlohmann::json status = migration.status();
      if (status["uncaptured_writes"] != 0 || std::chrono::steady_clock::now() > end) return status;
    }
  }
}

class Bypass : public testing::Test {
 protected:
  static void make_tables(LiveMigration& migration) {
    for (const std::string& side : {migration.production(), migration.shadow()}) {
      odbc::Connection db(side);
      db.run("CREATE TABLE orders (id INTEGER PRIMARY KEY, val INTEGER)");
      db.run("CREATE TABLE quiet (id INTEGER PRIMARY KEY, val INTEGER)");
    }
    odbc::Connection(migration.production()).run("INSERT INTO orders VALUES (1, 0), (2, 0)");
  }
  static void expect_found(LiveMigration& migration, const std::string& table) {
    make_tables(migration);
    migration.create_and_start();
    odbc::Connection application(migration.application());
    application.run("UPDATE orders SET val = 1 WHERE id = 1");
    migration.expect_tool({"verify"});
    EXPECT_EQ(migration.status()["uncaptured_writes"], 0);
    const nlohmann::json status = write_past(migration);
    EXPECT_GT(status["uncaptured_writes"], 0) << status;
    ASSERT_EQ(status["uncaptured_report"].size(), 1u) << status;
    EXPECT_EQ(status["uncaptured_report"][0]["table"], table);
    EXPECT_FALSE(status["can_cutover"]);
    const Finished refused = LiveMigration::tool({"cutover", migration.name()});
    EXPECT_EQ(refused.exit_code, 1);
  }
  /// Of a program that nobody has told of the switch.
  static void expect_found_behind_the_switch(LiveMigration& migration, const std::string& table) {
    make_tables(migration);
    migration.create_and_start();
    odbc::Connection application(migration.application());
    migration.expect_tool({"verify"});
    migration.expect_tool({"cutover"});
    application.run("UPDATE orders SET val = 1 WHERE id = 1");
    migration.expect_tool({"verify"});
    EXPECT_EQ(migration.status()["uncaptured_writes"], 0);
    const nlohmann::json status = write_past(migration);
    EXPECT_GT(status["uncaptured_writes"], 0) << status;
    ASSERT_EQ(status["uncaptured_report"].size(), 1u) << status;
    EXPECT_EQ(status["uncaptured_report"][0]["table"], table);
    EXPECT_EQ(LiveMigration::tool({"reverse", migration.name()}).exit_code, 1);
  }
};

TEST_F(Bypass, IsFoundOnPostgresqlWithItsTable) {
  LiveMigration migration;
  expect_found(migration, "public.quiet");
  odbc::Connection production(migration.production());
  production.run("DELETE FROM quiet");
  migration.expect_tool({"verify"});
  EXPECT_EQ(migration.status()["uncaptured_writes"], 0);
}

TEST_F(Bypass, IsFoundOnPostgresqlWhileTheShadowIsInUse) {
  LiveMigration migration;
  expect_found_behind_the_switch(migration, "public.quiet");
}

TEST_F(Bypass, IsFoundOnMariadbWithItsTable) {
  MariaDbServer& server = MariaDbServer::shared();
  LiveMigration migration("Understudy Unicode", "MariaDB Unicode", server.new_database(),
                          server.new_database());
  expect_found(migration, "quiet");
}

TEST_F(Bypass, IsFoundOnMariadbWhileTheShadowIsInUse) {
  MariaDbServer& server = MariaDbServer::shared();
  LiveMigration migration("Understudy Unicode", "MariaDB Unicode", server.new_database(),
                          server.new_database());
  expect_found_behind_the_switch(migration, "quiet");
}

/// Two databases of SQLite in a folder of their own.
struct OnSqlite {
  OnSqlite() {
    for (const std::string& side : {migration.production(), migration.shadow()})
      odbc::Connection(side).scalar("PRAGMA journal_mode = WAL");
  }
  [[nodiscard]] std::string database(const char* name) const {
    return "Database=" + std::string(folder.path()) + "/" + name + ".db;";
  }
  const TempDir folder;
  LiveMigration migration{"Understudy ANSI", "SQLite3", database("production"), database("shadow")};
};

TEST_F(Bypass, IsFoundOnSqliteWithItsTable) {
  OnSqlite on;
  expect_found(on.migration, "quiet");
}

TEST_F(Bypass, IsFoundOnSqliteWhileTheShadowIsInUse) {
  OnSqlite on;
  expect_found_behind_the_switch(on.migration, "quiet");
}

TEST_F(Bypass, IsNotWhatTheApplicationTookBack) {
  LiveMigration migration;
  make_tables(migration);
  migration.create_and_start();
  odbc::Connection application(migration.application());
  application.set_autocommit(false);
  application.run("UPDATE orders SET val = val + 1");
  application.rollback();
  const nlohmann::json status = write_past(migration);  // both tables were looked at then
  ASSERT_EQ(status["uncaptured_report"].size(), 1u) << status;
  EXPECT_EQ(status["uncaptured_report"][0]["table"], "public.quiet");
}

TEST_F(Bypass, IsFoundAgainWhenTheApplicationIsBackOnProduction) {
  LiveMigration migration;
  make_tables(migration);
  migration.create_and_start();
  odbc::Connection application(migration.application());
  migration.expect_tool({"verify"});
  migration.expect_tool({"cutover"});
  application.run("UPDATE orders SET val = val + 1");
  application.run("INSERT INTO quiet VALUES (1, 0), (2, 0), (3, 0)");
  migration.expect_tool({"verify"});
  migration.expect_tool({"reverse"});
  application.run("UPDATE orders SET val = val + 1");
  const nlohmann::json status = write_past(migration);
  ASSERT_EQ(status["uncaptured_report"].size(), 1u) << status;
  EXPECT_EQ(status["uncaptured_report"][0]["table"], "public.quiet");
}

}  // namespace
}  // namespace understudy
