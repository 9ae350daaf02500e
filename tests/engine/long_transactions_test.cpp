// Migrations of values and statements that are larger than what the driver holds.
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "tests/engine/databases.h"
#include "tests/engine/recording.h"
#include "tests/support/live_migration.h"

namespace understudy {
namespace {

class LongTransactions : public testing::TestWithParam<Dialect> {
 protected:
  LongTransactions() : migration_("Understudy Unicode", driver(), side("p"), side("s")) {
    for (const auto& where : {migration_.production(), migration_.shadow()}) {
      odbc::Connection db(where);
      if (GetParam() == Dialect::sqlite) db.run("PRAGMA journal_mode = WAL");
      db.run("CREATE TABLE docs (id " + key() + " PRIMARY KEY, v INT, body " + text() + ")");
    }
    migration_.create_and_start();
  }

  static std::string driver() {
    switch (GetParam()) {
      case Dialect::sqlite:
        return "SQLite3";
      case Dialect::mariadb:
        return "MariaDB Unicode";
      default:
        return "PostgreSQL Unicode";
    }
  }
  std::string side(const std::string& name) {
    switch (GetParam()) {
      case Dialect::sqlite:
        return "Database=" + folder_.path() + "/" + name + ".db;";
      case Dialect::mariadb:
        return MariaDbServer::shared().new_database();
      default:
        return PostgresServer::shared().new_database();
    }
  }
  static std::string key() { return GetParam() == Dialect::sqlite ? "INTEGER" : "INT"; }
  static std::string text() { return GetParam() == Dialect::mariadb ? "LONGTEXT" : "TEXT"; }

  void expect_equal() {
    migration_.expect_tool({"verify"});
    const auto status = migration_.status();
    EXPECT_EQ(status["rows_different"], 0) << status.dump(1);
    EXPECT_EQ(status["divergences"], 0) << status.dump(1);
    EXPECT_EQ(status["uncaptured_writes"], 0) << status.dump(1);
  }

  TempDir folder_;
  LiveMigration migration_;
};

INSTANTIATE_TEST_SUITE_P(Engines, LongTransactions,
                         testing::Values(Dialect::sqlite, Dialect::postgresql, Dialect::mariadb),
                         [](const auto& one) { return std::string(dialect_name(one.param)); });

TEST_P(LongTransactions, AValueOfManyMegabytesReachesTheShadow) {
  // MariaDB takes 16 MiB in one packet as it is installed. The others: more than a ring record may
  // have.
  const std::size_t bytes = (GetParam() == Dialect::mariadb ? 8u : 40u) << 20;
  Application app(migration_.application());
  raw::Statement stmt(app);
  for (int id = 1; id <= 2; ++id) {
    std::string body(bytes, static_cast<char>('a' + id));
    SQLLEN length = static_cast<SQLLEN>(body.size());
    SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_LONGVARCHAR, bytes, 0,
                     body.data(), length, &length);
    const std::string number = std::to_string(id);
    ASSERT_EQ(stmt.run("INSERT INTO docs (id, v, body) VALUES (" + number + ", 0, ?)"), SQL_SUCCESS)
        << stmt.problems();
  }
  std::string word = "short";
  SQLLEN length = static_cast<SQLLEN>(word.size());
  SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_LONGVARCHAR, word.size(), 0,
                   word.data(), length, &length);
  ASSERT_EQ(stmt.run("UPDATE docs SET body = ? WHERE id = 2"), SQL_SUCCESS) << stmt.problems();
  expect_equal();
  odbc::Connection shadow(migration_.shadow());
  EXPECT_EQ(shadow.scalar("SELECT length(body) FROM docs WHERE id = 1"), std::to_string(bytes));
}

TEST_P(LongTransactions, AStatementThatTouchesAHundredThousandRowsReachesTheShadow) {
  Application app(migration_.application());
  app.autocommit(false);
  RUN(app,
      "INSERT INTO docs (id, v, body) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL"
      " SELECT i + 1 FROM n WHERE i < 1000) SELECT i, i, 'a text' FROM n");
  for (int rows = 1000; rows < 100'000; rows *= 10) {
    const std::string n = std::to_string(rows);
    RUN(app, "INSERT INTO docs (id, v, body) SELECT docs.id + " + n +
                 " * n.i, docs.v, docs.body"
                 " FROM docs, (WITH RECURSIVE m (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM m"
                 " WHERE i < 9) SELECT i FROM m) AS n");
  }
  RUN(app, "SAVEPOINT s");
  RUN(app, "DELETE FROM docs WHERE id > 10");
  RUN(app, "ROLLBACK TO SAVEPOINT s");
  RUN(app, "UPDATE docs SET v = v + 1 WHERE id > 500");
  ASSERT_TRUE(SQL_SUCCEEDED(app.commit()));
  expect_equal();
  EXPECT_EQ(odbc::Connection(migration_.shadow()).scalar("SELECT count(*) FROM docs"), "100000");
}

}  // namespace
}  // namespace understudy
