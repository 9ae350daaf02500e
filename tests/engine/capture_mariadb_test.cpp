// What the driver records on MariaDB.
#include <gtest/gtest.h>

#include <future>
#include <string>
#include <thread>
#include <vector>

#include "tests/engine/recording.h"

namespace understudy {
namespace {

std::string first_value(Application& app, const std::string& sql) {
  raw::Statement stmt(app);
  char value[64] = "none";
  SQLLEN length = 0;
  if (!SQL_SUCCEEDED(stmt.run(sql)) || !SQL_SUCCEEDED(SQLFetch(stmt.handle))) return "none";
  SQLGetData(stmt.handle, 1, SQL_C_CHAR, value, sizeof value, &length);
  return length == SQL_NULL_DATA ? "NULL" : value;
}

std::string rows_of(const SeenStatement& statement) {
  std::string out;
  for (const SeenRow& row : statement.effects) {
    out += row.verb == Verb::remove ? '-' : row.verb == Verb::put ? '=' : '+';
    for (const auto& value : row.values) out += value.value_or("NULL") + ' ';
  }
  return out;
}

class CaptureMariadb : public testing::Test {
 protected:
  void begin(const std::vector<std::string_view>& schema) {
    production_.define(schema);
    production_.record();
  }

  Production production_{Dialect::mariadb};
};

TEST_F(CaptureMariadb, RecordsTheRowsOfGeneratedKeysAndDefaultsAndTellsTheRowCount) {
  begin(
      {"CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(20),"
       " at DATETIME(6) DEFAULT NOW(6), ts TIMESTAMP(3) DEFAULT NOW(3))"});
  Application app(production_.through());
  raw::Statement stmt(app);
  ASSERT_EQ(stmt.run("INSERT INTO t (v) VALUES ('ä'), (NULL)"), SQL_SUCCESS) << stmt.problems();
  SQLLEN rows = 0;
  SQLRowCount(stmt.handle, &rows);
  EXPECT_EQ(rows, 2);
  SQLSMALLINT columns = -1;
  SQLNumResultCols(stmt.handle, &columns);
  EXPECT_EQ(columns, 0);
  EXPECT_EQ(first_value(app, "SELECT LAST_INSERT_ID()"), "1");
  const auto seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(seen.transactions[0].outcome, Outcome::committed);
  const auto& statement = seen.transactions[0].statements.at(0);
  EXPECT_EQ(statement.verdict, Verdict::effects);
  EXPECT_EQ(statement.rows, 2);
  ASSERT_EQ(statement.effects.size(), 2u);
  EXPECT_EQ(statement.effects[0].values[0], "1");
  EXPECT_EQ(statement.effects[0].values[1], "ä");
  EXPECT_EQ(statement.effects[1].values[1], std::nullopt);
  EXPECT_EQ(statement.effects[0].values[2], production_.scalar("SELECT at FROM t WHERE id = 1"));
}

TEST_F(CaptureMariadb, ASavepointOutlivesAFailedFirstStatement) {
  begin({"CREATE TABLE t (id INT PRIMARY KEY)"});
  Application app(production_.through());
  app.autocommit(false);
  RUN(app, "SAVEPOINT here");
  EXPECT_EQ(run(app, "INSERT INTO nowhere VALUES (10)"), SQL_ERROR);
  RUN(app, "INSERT INTO t VALUES (11)");
  const bool back = SQL_SUCCEEDED(run(app, "ROLLBACK TO SAVEPOINT here"));
  RUN(app, "INSERT INTO t VALUES (12)");
  ASSERT_TRUE(SQL_SUCCEEDED(app.commit()));
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_TRUE(seen.transactions[0].notes.empty());
  EXPECT_EQ(seen.transactions[0].statements.size(), back ? 1u : 2u);
  EXPECT_EQ(production_.scalar("SELECT count(*) FROM t"), back ? "1" : "2");
}

// Whatever the server has kept of the transaction, what it rolled back is not recorded.
TEST_F(CaptureMariadb, RollingBackToASavepointAfterAFailedFirstStatementIsExact) {
  begin({"CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)"});
  Application app(production_.through());
  const std::vector<std::vector<std::string>> programs = {
      {"SAVEPOINT a", "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2)", "ROLLBACK TO a"},
      {"INSERT INTO t VALUES (1)", "SAVEPOINT a", "INSERT INTO t VALUES (2)", "ROLLBACK TO a"},
      {"SAVEPOINT a", "INSERT INTO nowhere VALUES (1)", "INSERT INTO t VALUES (2)", "ROLLBACK TO a",
       "INSERT INTO t VALUES (3)"},
      {"INSERT INTO nowhere VALUES (1)", "SAVEPOINT a", "INSERT INTO t VALUES (4)", "ROLLBACK TO a",
       "INSERT INTO t VALUES (5)"},
      {"SELECT nonsense", "SAVEPOINT a", "INSERT INTO t VALUES (6)", "ROLLBACK TO a"},
      {"SAVEPOINT a", "UPDATE t SET id = 1", "UPDATE t SET id = id + 20 WHERE id < 9",
       "ROLLBACK TO a", "INSERT INTO t VALUES (7)"},
      {"SAVEPOINT a", "SAVEPOINT b", "INSERT INTO t VALUES (1)", "ROLLBACK TO b",
       "INSERT INTO t VALUES (8)", "ROLLBACK TO a"},
      {"SAVEPOINT a", "INSERT INTO t VALUES (9), (1)", "ROLLBACK TO a", "INSERT INTO t VALUES (9)"},
      {"INSERT INTO t VALUES (10)", "SAVEPOINT a", "INSERT INTO t VALUES (1)",
       "INSERT INTO t VALUES (11)", "ROLLBACK TO a"},
  };
  for (const bool with_settings : {false, true}) {
    if (with_settings) {
      RUN(app, "SET SESSION time_zone = '+02:00'");
    }
    for (const bool by_text : {false, true}) {
      app.autocommit(by_text);
      for (auto program : programs) {
        if (by_text) program.insert(program.begin(), "BEGIN");
        std::string all;
        for (const std::string& one : program) {
          all.append(one).append(SQL_SUCCEEDED(run(app, one)) ? "; " : " (failed); ");
        }
        ASSERT_TRUE(SQL_SUCCEEDED(run(app, "COMMIT")));
        const Seen seen = production_.drain();
        std::size_t rows = 0;
        for (const auto& transaction : seen.transactions) {
          EXPECT_TRUE(transaction.notes.empty()) << all << transaction.notes[0];
          EXPECT_EQ(!transaction.contexts.empty(), with_settings) << all;
          rows += transaction.statements.size();
        }
        EXPECT_EQ(std::to_string(1 + rows), production_.scalar("SELECT COUNT(*) FROM t")) << all;
        production_.define({"DELETE FROM t WHERE id <> 1"});
      }
    }
  }
}

TEST_F(CaptureMariadb, RecordsLongTextsOfManyBytesWhole) {
  begin({"CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v LONGTEXT)"});
  Application app(production_.through());
  ASSERT_EQ(run(app,
                "INSERT INTO t (v) VALUES (CONCAT(REPEAT('ä😀', 100000),"
                " CHAR(0 USING utf8mb4), 'end'))"),
            SQL_SUCCESS);
  const auto seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  const auto& value = seen.transactions[0].statements.at(0).effects.at(0).values.at(1);
  ASSERT_TRUE(value.has_value());
  EXPECT_EQ(value->size(), 600004u);
  EXPECT_TRUE(value->ends_with(std::string("\0end", 4)));
}

TEST_F(CaptureMariadb, RecordsTheRowsOfAReturningThatTheApplicationReads) {
  begin(
      {"CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(20) CHARACTER SET latin1,"
       " b VARBINARY(9), at TIMESTAMP(3) DEFAULT NOW(3), UNIQUE (v))"});
  Application app(production_.through());
  EXPECT_EQ(
      first_value(app, "INSERT INTO t (v, b) VALUES ('one', NULL), ('one', NULL) RETURNING id"),
      "none");
  raw::Statement stmt(app);
  ASSERT_EQ(
      stmt.run("INSERT INTO t (v, b) VALUES ('a:\xc3\xa9', x'002d31'), (NULL, '') RETURNING *"),
      SQL_SUCCESS)
      << stmt.problems();
  SQLSMALLINT columns = -1;
  SQLNumResultCols(stmt.handle, &columns);
  EXPECT_EQ(columns, 4);
  EXPECT_EQ(SQLFetch(stmt.handle), SQL_SUCCESS);
  EXPECT_EQ(SQLFetch(stmt.handle), SQL_SUCCESS);
  EXPECT_EQ(SQLFetch(stmt.handle), SQL_NO_DATA);
  EXPECT_EQ(first_value(app, "DELETE FROM t WHERE v IS NULL RETURNING b"), "");
  const auto seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 2u);
  const auto& made = seen.transactions[0].statements.at(0);
  EXPECT_EQ(made.verdict, Verdict::effects);
  ASSERT_EQ(made.effects.size(), 2u);
  EXPECT_EQ(made.effects[0].values[0], production_.scalar("SELECT MIN(id) FROM t"));
  EXPECT_EQ(made.effects[0].values[1], "a:\xc3\xa9");
  EXPECT_EQ(made.effects[0].values[2], "002D31");
  EXPECT_EQ(made.effects[0].values[3], production_.scalar("SELECT at FROM t"));
  EXPECT_EQ(made.effects[1].values[1], std::nullopt);
  EXPECT_EQ(made.effects[1].values[2], "");
  const auto& gone = seen.transactions[1].statements.at(0);
  ASSERT_EQ(gone.effects.size(), 1u);
  EXPECT_EQ(gone.effects[0].values[0], made.effects[1].values[0]);
}

TEST_F(CaptureMariadb, RecordsAllRowsOfTheFirstReturningOfASession) {
  begin({"CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1), (2), (3)"});
  Application app(production_.through());
  EXPECT_EQ(first_value(app, "DELETE FROM t RETURNING id"), "1");
  const auto seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(rows_of(seen.transactions[0].statements.at(0)), "-1 -2 -3 ");
}

TEST_F(CaptureMariadb, RecordsPreparedInsertsAndArraysRowByRow) {
  begin({"CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)"});
  Application app(production_.through());
  raw::Statement stmt(app);
  ASSERT_EQ(
      SQLPrepare(stmt.handle, raw::text(std::string("INSERT INTO t (v) VALUES (?)")), SQL_NTS),
      SQL_SUCCESS);
  SQLINTEGER values[] = {7, 8, 9};
  SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, SQL_C_SLONG, SQL_INTEGER, 0, 0, values, 0,
                   nullptr);
  ASSERT_EQ(SQLExecute(stmt.handle), SQL_SUCCESS) << stmt.problems();
  ASSERT_EQ(SQLExecute(stmt.handle), SQL_SUCCESS) << stmt.problems();
  SQLSetStmtAttr(stmt.handle, SQL_ATTR_PARAMSET_SIZE, reinterpret_cast<SQLPOINTER>(3), 0);
  ASSERT_EQ(SQLExecute(stmt.handle), SQL_SUCCESS) << stmt.problems();
  SQLLEN rows = 0;
  SQLRowCount(stmt.handle, &rows);
  EXPECT_EQ(rows, 3);
  std::vector<Row> recorded;
  for (const auto& transaction : production_.drain().transactions) {
    for (const auto& statement : transaction.statements) {
      for (const auto& effect : statement.effects) recorded.push_back(effect.values);
    }
  }
  EXPECT_EQ(recorded,
            (std::vector<Row>{{"1", "7"}, {"2", "7"}, {"3", "7"}, {"4", "8"}, {"5", "9"}}));
  EXPECT_EQ(production_.scalar("SELECT GROUP_CONCAT(v ORDER BY id) FROM t"), "7,7,7,8,9");
}

TEST_F(CaptureMariadb, LeavesNothingOfAnArrayOfWhichOneSetFails) {
  begin({"CREATE TABLE t (id INT PRIMARY KEY, v INT)"});
  Application app(production_.through());
  ASSERT_EQ(run(app, "BEGIN"), SQL_SUCCESS);
  ASSERT_EQ(run(app, "INSERT INTO t VALUES (9, 9)"), SQL_SUCCESS);
  raw::Statement stmt(app);
  SQLINTEGER ids[] = {1, 2, 1};
  SQLUSMALLINT status[] = {77, 77, 77};
  SQLSetStmtAttr(stmt.handle, SQL_ATTR_PARAMSET_SIZE, reinterpret_cast<SQLPOINTER>(3), 0);
  SQLSetStmtAttr(stmt.handle, SQL_ATTR_PARAM_STATUS_PTR, status, 0);
  SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, SQL_C_SLONG, SQL_INTEGER, 10, 0, ids, 0,
                   nullptr);
  EXPECT_EQ(stmt.run("INSERT INTO t (id) VALUES (?)"), SQL_ERROR);
  EXPECT_EQ(status[0], 0x101);  // Connector/ODBC fills them with bytes of 1
  ids[2] = 3;
  EXPECT_EQ(stmt.run("INSERT INTO t (id) VALUES (?)"), SQL_SUCCESS) << stmt.problems();
  ASSERT_EQ(run(app, "COMMIT"), SQL_SUCCESS);
  ids[0] = 5;
  EXPECT_EQ(stmt.run("INSERT INTO t (id) VALUES (?)"), SQL_ERROR);
  EXPECT_EQ(production_.scalar("SELECT GROUP_CONCAT(id ORDER BY id) FROM t"), "1,2,3,9");
  const auto seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(seen.transactions[0].statements.size(), 4u);
}

TEST_F(CaptureMariadb, RecordsKeyedStatementsWithTheirValues) {
  begin({"CREATE TABLE t (id INT PRIMARY KEY, v INT)"});
  Application app(production_.through());
  EXPECT_EQ(run(app, "INSERT INTO t VALUES (1, 5)"), SQL_SUCCESS);
  EXPECT_EQ(run(app, "UPDATE t SET v = v + 1 WHERE id = 1"), SQL_SUCCESS);
  EXPECT_EQ(run(app, "UPDATE t SET v = v + 1 WHERE v > 0"), SQL_SUCCESS);
  EXPECT_EQ(run(app, "DELETE FROM t WHERE v > 0"), SQL_SUCCESS);
  const auto seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 4u);
  std::vector<Verdict> verdicts;
  for (const auto& one : seen.transactions) verdicts.push_back(one.statements.at(0).verdict);
  EXPECT_EQ(verdicts, (std::vector<Verdict>{Verdict::keyed, Verdict::keyed, Verdict::effects,
                                            Verdict::effects}));
  EXPECT_EQ(seen.transactions[3].statements[0].effects.at(0).values.at(0), "1");
}

TEST_F(CaptureMariadb, RecordsTheRowsThatAnUpdateHasChanged) {
  begin({"CREATE TABLE t (id INT PRIMARY KEY, v INT, w DOUBLE)",
         "INSERT INTO t VALUES (1, 1, 0), (2, 5, 0), (3, 6, 0), (4, NULL, 0)"});
  Application app(production_.through());
  raw::Statement stmt(app);
  SQLINTEGER five = 5;
  SQLINTEGER least = 2;
  SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, SQL_C_SLONG, SQL_INTEGER, 10, 0, &five, 0,
                   nullptr);
  SQLBindParameter(stmt.handle, 2, SQL_PARAM_INPUT, SQL_C_SLONG, SQL_INTEGER, 10, 0, &least, 0,
                   nullptr);
  ASSERT_EQ(stmt.run("UPDATE t SET v = ? WHERE v > ?"), SQL_SUCCESS) << stmt.problems();
  SQLLEN rows = 0;
  SQLRowCount(stmt.handle, &rows);
  EXPECT_EQ(rows, 1);  // the other had this value already
  SQLSMALLINT columns = -1;
  SQLNumResultCols(stmt.handle, &columns);
  EXPECT_EQ(columns, 0);
  EXPECT_EQ(run(app, "UPDATE t SET v = 9 WHERE v IS NULL ORDER BY id LIMIT 1"), SQL_SUCCESS);
  EXPECT_EQ(run(app, "UPDATE t SET v = 9 WHERE v > 100"), SQL_SUCCESS);
  const auto seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 2u);
  EXPECT_EQ(seen.transactions[0].statements.at(0).verdict, Verdict::effects);
  EXPECT_EQ(rows_of(seen.transactions[0].statements.at(0)), "+3 5 0 ");
  EXPECT_EQ(rows_of(seen.transactions[1].statements.at(0)), "+4 9 0 ");
}

TEST_F(CaptureMariadb, RecordsTheRowsOfStatementsThatChangeSeveralTables) {
  begin({"CREATE TABLE a (id INT PRIMARY KEY, v INT)",
         "CREATE TABLE b (id VARCHAR(9) PRIMARY KEY,"
         " a INT, v INT)",
         "INSERT INTO a VALUES (1, 1), (2, 2), (3, 3)",
         "INSERT INTO b VALUES ('x', 1, 0), ('y', 1, 0), ('ä', 2, 0)"});
  Application app(production_.through());
  EXPECT_EQ(run(app, "UPDATE a JOIN b ON b.a = a.id SET a.v = 7, b.v = 8 WHERE a.id = 1"),
            SQL_SUCCESS);
  EXPECT_EQ(run(app, "DELETE a, b FROM a LEFT JOIN b ON b.a = a.id WHERE a.id > 1"), SQL_SUCCESS);
  const auto seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 2u);
  ASSERT_EQ(seen.transactions[0].statements.size(), 2u);
  EXPECT_EQ(rows_of(seen.transactions[0].statements[0]), "+1 7 ");
  EXPECT_EQ(rows_of(seen.transactions[0].statements[1]), "+x 1 8 +y 1 8 ");
  ASSERT_EQ(seen.transactions[1].statements.size(), 2u);
  EXPECT_EQ(rows_of(seen.transactions[1].statements[0]), "-2 -3 ");
  EXPECT_EQ(rows_of(seen.transactions[1].statements[1]), "-ä ");
}

TEST_F(CaptureMariadb, RecordsWhatAnUpsertLeaves) {
  begin({"CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, u INT UNIQUE, v DOUBLE)",
         "CREATE TABLE p (id INT PRIMARY KEY, v INT, at DATETIME(6) DEFAULT NOW(6))"});
  Application app(production_.through());
  raw::Statement stmt(app);
  SQLLEN rows = 0;
  for (const SQLLEN expected : {1, 2}) {
    ASSERT_EQ(stmt.run("INSERT INTO t (u, v) VALUES (5, 1) ON DUPLICATE KEY UPDATE v = v + 1"),
              SQL_SUCCESS)
        << stmt.problems();
    SQLRowCount(stmt.handle, &rows);
    EXPECT_EQ(rows, expected);
  }
  EXPECT_EQ(run(app, "REPLACE INTO p (id, v) VALUES (1, 1), (2, 2)"), SQL_SUCCESS);
  const auto seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 3u);
  EXPECT_EQ(rows_of(seen.transactions[0].statements.at(0)), "=1 5 1 ");
  EXPECT_EQ(rows_of(seen.transactions[1].statements.at(0)), "=1 5 2 ");
  EXPECT_EQ(seen.transactions[2].statements.at(0).effects.size(), 2u);
}

TEST_F(CaptureMariadb, RecordsTheRowsOfEachSetOfAnArrayOfUpdates) {
  begin({"CREATE TABLE t (id INT PRIMARY KEY, v INT)",
         "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)"});
  Application app(production_.through());
  raw::Statement stmt(app);
  SQLINTEGER from[] = {1, 3};
  SQLSetStmtAttr(stmt.handle, SQL_ATTR_PARAMSET_SIZE, reinterpret_cast<SQLPOINTER>(2), 0);
  SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, SQL_C_SLONG, SQL_INTEGER, 10, 0, from, 0,
                   nullptr);
  ASSERT_EQ(stmt.run("UPDATE t SET v = v + 10 WHERE v >= ? AND v < 10"), SQL_SUCCESS)
      << stmt.problems();
  SQLLEN rows = 0;
  SQLRowCount(stmt.handle, &rows);
  EXPECT_EQ(rows, 3);
  const auto seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(rows_of(seen.transactions[0].statements.at(0)), "+1 11 +2 12 +3 13 ");
  EXPECT_EQ(seen.transactions[0].statements.size(), 1u);  // the second set changed nothing
}

// Of an UPDATE, and of what Connector/ODBC sends set by set.
TEST_F(CaptureMariadb, RecordsTheSetsBeforeTheOneThatAnArrayFailsAt) {
  begin({"CREATE TABLE t (id INT PRIMARY KEY, v INT)",
         "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3), (4, 4), (8, 8)"});
  Application app(production_.through());
  const auto fails = [&](const std::string& sql, std::vector<SQLINTEGER> of, bool as_one) {
    raw::Statement stmt(app);
    SQLULEN processed = 77;
    const SQLULEN by = as_one ? SQL_PARAM_BIND_BY_COLUMN : sizeof(SQLINTEGER);
    SQLSetStmtAttr(stmt.handle, SQL_ATTR_PARAMSET_SIZE, reinterpret_cast<SQLPOINTER>(of.size()), 0);
    SQLSetStmtAttr(stmt.handle, SQL_ATTR_PARAM_BIND_TYPE, reinterpret_cast<SQLPOINTER>(by), 0);
    SQLSetStmtAttr(stmt.handle, SQL_ATTR_PARAMS_PROCESSED_PTR, &processed, 0);
    SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, SQL_C_SLONG, SQL_INTEGER, 10, 0, of.data(), 0,
                     nullptr);
    EXPECT_EQ(stmt.run(sql), as_one ? SQL_ERROR : SQL_SUCCESS_WITH_INFO);
    EXPECT_NE(stmt.problems().find("23000"), std::string::npos) << stmt.problems();
    EXPECT_EQ(processed, as_one ? 0u : of.size());
  };
  const std::string update = "UPDATE t SET v = v + 10, id = IF(id = 4, 8, id) WHERE v = ?";
  const std::string insert = "INSERT INTO t (id) VALUES (?)";
  fails(update, {1, 2, 4, 3}, true);
  fails(update, {4, 3}, true);
  fails(insert, {21, 22, 1}, false);
  fails(insert, {31, 32, 1}, true);
  app.autocommit(false);
  fails(update, {11, 12, 4, 3}, true);
  fails(insert, {23, 1}, false);
  ASSERT_TRUE(SQL_SUCCEEDED(app.commit()));
  std::string recorded;
  for (const auto& transaction : production_.drain().transactions) {
    EXPECT_TRUE(transaction.notes.empty());
    EXPECT_EQ(transaction.outcome, Outcome::committed);
    for (const auto& statement : transaction.statements) recorded += rows_of(statement);
    recorded += ". ";
  }
  EXPECT_EQ(recorded, "+1 1 11 +2 2 12 . +21 NULL +22 NULL . +1 1 21 +2 2 22 +23 NULL . ");
  EXPECT_EQ(production_.scalar("SELECT GROUP_CONCAT(id, ':', IFNULL(v, '') ORDER BY id) FROM t"),
            "1:21,2:22,3:3,4:4,8:8,21:,22:,23:");
}

// Row 1 belongs to the victim, rows 2 to 5 to the other, which has written more and so survives.
class CaptureMariadbCall : public CaptureMariadb {
 protected:
  void SetUp() override {
    begin({"CREATE TABLE t (id INT PRIMARY KEY, v INT)",
           "CREATE PROCEDURE twice(n INT) BEGIN INSERT INTO t VALUES (n, 1); "
           "INSERT INTO t VALUES (n, 2); END",
           "CREATE PROCEDURE refuses() BEGIN DECLARE c INT; SET c = 1; "
           "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END",
           "CREATE PROCEDURE asks() BEGIN DECLARE c INT; SELECT COUNT(*) INTO c FROM t; "
           "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END",
           "CREATE PROCEDURE ends(n INT) BEGIN INSERT INTO t VALUES (n, 1); COMMIT; "
           "INSERT INTO t VALUES (n + 1, 1); ROLLBACK; END"});
  }
  [[nodiscard]] std::vector<std::string> notes() {
    std::vector<std::string> out;
    for (const SeenTransaction& one : production_.drain().transactions) {
      EXPECT_EQ(one.outcome, Outcome::committed);
      out.insert(out.end(), one.notes.begin(), one.notes.end());
    }
    return out;
  }
};

TEST_F(CaptureMariadbCall, WhatStandsOfAProcedureThatFailsIsRecorded) {
  Application app(production_.through());
  EXPECT_EQ(run(app, "CALL twice(1)"), SQL_ERROR);
  EXPECT_EQ(production_.scalar("SELECT v FROM t WHERE id = 1"), "1");
  app.autocommit(false);
  EXPECT_EQ(run(app, "CALL twice(2)"), SQL_ERROR);
  EXPECT_EQ(app.commit(), SQL_SUCCESS);
  EXPECT_EQ(production_.scalar("SELECT v FROM t WHERE id = 2"), "1");
  const auto seen = production_.drain();
  const auto up_to_error = [](const std::string& call) {
    return "BEGIN NOT ATOMIC DECLARE EXIT HANDLER FOR 1062 BEGIN END; " + call +
           "; SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 30001, MESSAGE_TEXT = 'a call that had "
           "failed did not'; END";
  };
  EXPECT_EQ(seen.texts(),
            (std::vector<std::string>{up_to_error("CALL twice(1)"), up_to_error("CALL twice(2)")}));
  ASSERT_EQ(seen.transactions.size(), 2u);
  for (const SeenTransaction& one : seen.transactions) {
    EXPECT_EQ(one.outcome, Outcome::committed);
    EXPECT_EQ(one.notes, std::vector<std::string>{});
  }
}

TEST_F(CaptureMariadbCall, AProcedureThatOnlyRefusesIsNotCounted) {
  Application app(production_.through());
  for (const bool on : {true, false}) {
    app.autocommit(on);
    for (const char* text : {"CALL refuses()", "CALL asks()", "CALL nowhere()", "CALL twice()"}) {
      EXPECT_EQ(run(app, text), SQL_ERROR) << text;
    }
  }
  EXPECT_EQ(app.rollback(), SQL_SUCCESS);
  EXPECT_EQ(notes(), std::vector<std::string>{});
  EXPECT_EQ(production_.map().header().uncaptured.load(), 0u);
}

TEST_F(CaptureMariadbCall, AProcedureThatEndsTransactionsRunsAsItIsAndIsCounted) {
  Application app(production_.through());
  EXPECT_EQ(run(app, "CALL ends(1)"), SQL_SUCCESS);
  EXPECT_EQ(production_.scalar("SELECT GROUP_CONCAT(id ORDER BY id) FROM t"), "1,2");
  app.autocommit(false);
  EXPECT_EQ(run(app, "INSERT INTO t VALUES (9, 9)"), SQL_SUCCESS);
  EXPECT_EQ(run(app, "CALL ends(5)"), SQL_SUCCESS);
  EXPECT_EQ(app.rollback(), SQL_SUCCESS);
  EXPECT_EQ(production_.scalar("SELECT GROUP_CONCAT(id ORDER BY id) FROM t"), "1,2,5,9");
  const auto seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 2u);
  EXPECT_EQ(seen.texts(), std::vector<std::string>{"INSERT INTO t VALUES (9, 9)"});
  for (const SeenTransaction& one : seen.transactions) {
    EXPECT_EQ(one.notes, std::vector<std::string>{"call-with-transaction-control"});
    EXPECT_EQ(one.outcome, Outcome::committed);
  }
}

class CaptureMariadbBatch : public CaptureMariadb {
 protected:
  void SetUp() override {
    begin({"CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 1)"});
  }
  [[nodiscard]] std::string through() const { return production_.through() + "OPTION=67108864;"; }
  std::uint32_t marked() {
    std::uint32_t count = 0;
    for (std::uint32_t i = 0; i < kSlotCount; ++i) {
      const bool writing =
          production_.map().slot(i).writing != static_cast<std::uint32_t>(Writing::none);
      if (writing) ++count;
    }
    return count;
  }
};

TEST_F(CaptureMariadbBatch, RecordsEachStatementOfATextInATransactionOfItsOwn) {
  Application app(through());
  EXPECT_EQ(run(app,
                "INSERT INTO t VALUES (2, 2); UPDATE t SET v = 7 WHERE id = 1; DELETE FROM t "
                "WHERE v = 9"),
            SQL_SUCCESS);
  const auto seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 2u);
  EXPECT_EQ(seen.texts(), (std::vector<std::string>{"INSERT INTO t VALUES (2, 2)",
                                                    "UPDATE t SET v = 7 WHERE id = 1"}));
  for (const SeenTransaction& one : seen.transactions) {
    EXPECT_EQ(one.outcome, Outcome::committed);
    EXPECT_EQ(one.statements.at(0).verdict, Verdict::keyed);
  }
  EXPECT_EQ(marked(), 0u);
}

TEST_F(CaptureMariadbBatch, RecordsATextWithMarkersInTheApplicationsTransaction) {
  Application app(through());
  app.autocommit(false);
  raw::Statement stmt(app);
  SQLINTEGER first = 5;
  SQLINTEGER second = 1;
  SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, SQL_C_SLONG, SQL_INTEGER, 0, 0, &first, 0,
                   nullptr);
  SQLBindParameter(stmt.handle, 2, SQL_PARAM_INPUT, SQL_C_SLONG, SQL_INTEGER, 0, 0, &second, 0,
                   nullptr);
  ASSERT_EQ(stmt.run("INSERT INTO t VALUES (?, 0); UPDATE t SET v = 3 WHERE id = ?"), SQL_SUCCESS)
      << stmt.problems();
  EXPECT_EQ(marked(), 1u);
  EXPECT_EQ(app.commit(), SQL_SUCCESS);
  const auto seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  const auto& statements = seen.transactions[0].statements;
  ASSERT_EQ(statements.size(), 2u);
  EXPECT_EQ(statements[0].verdict, Verdict::keyed);
  EXPECT_EQ(statements[1].parameters.size(), 1u);
  EXPECT_EQ(run(app, "UPDATE t SET v = 4 WHERE id = 1; COMMIT"), SQL_SUCCESS);
  EXPECT_EQ(marked(), 0u);
}

TEST_F(CaptureMariadbBatch, ASchemaChangeInATextEndsRecordingAndTheRestStillRuns) {
  Application app(through());
  EXPECT_EQ(run(app,
                "UPDATE t SET v = 2 WHERE id = 1; ALTER TABLE t ADD COLUMN w INT; UPDATE t SET "
                "w = 3"),
            SQL_SUCCESS);
  EXPECT_EQ(production_.mode(), Mode::invalid);
  EXPECT_NE(production_.map().reason().find("schema"), std::string::npos);
  EXPECT_EQ(production_.scalar("SELECT w FROM t WHERE v = 2"), "3");
  EXPECT_EQ(marked(), 0u);
}

class CaptureMariadbDeadlock : public CaptureMariadb {
 protected:
  void meet(Application& victim, Application& other) {
    EXPECT_EQ(run(victim, "UPDATE t SET v = 1 WHERE id = 1"), SQL_SUCCESS);
    EXPECT_EQ(run(other, "UPDATE t SET v = 2 WHERE id > 1"), SQL_SUCCESS);
    auto waiting = std::async(std::launch::async,
                              [&] { return run(other, "UPDATE t SET v = 2 WHERE id = 1"); });
    raw::Statement stmt(victim);
    EXPECT_EQ(stmt.run("UPDATE t SET v = 1 WHERE id = 2"), SQL_ERROR);
    EXPECT_NE(stmt.problems().find("40001 1213"), std::string::npos) << stmt.problems();
    EXPECT_EQ(waiting.get(), SQL_SUCCESS);
    EXPECT_EQ(other.commit(), SQL_SUCCESS);
    (void)production_.drain();
  }

  const std::vector<std::string_view> schema_ = {"CREATE TABLE t (id INT PRIMARY KEY, v INT)",
                                                 "INSERT INTO t SELECT seq, 0 FROM seq_1_to_5"};
};

TEST_F(CaptureMariadbDeadlock, RecordsOnlyWhatTheVictimDidAfterwardsThoughItReadFirst) {
  begin(schema_);
  Application victim(production_.through());
  Application other(production_.through());
  victim.autocommit(false);
  other.autocommit(false);
  meet(victim, other);
  EXPECT_EQ(first_value(victim, "SELECT COUNT(*) FROM t"), "5");
  EXPECT_EQ(run(victim, "INSERT INTO t VALUES (6, 6)"), SQL_SUCCESS);
  EXPECT_EQ(victim.commit(), SQL_SUCCESS);
  const auto seen = production_.drain();
  EXPECT_EQ(seen.texts(), std::vector<std::string>{"INSERT INTO t VALUES (6, 6)"});
  EXPECT_EQ(seen.transactions.at(0).notes, std::vector<std::string>{});
  EXPECT_EQ(production_.scalar("SELECT GROUP_CONCAT(v ORDER BY id) FROM t"), "2,2,2,2,2,6");
}

TEST_F(CaptureMariadbDeadlock, KnowsThatATransactionBegunByTextIsOver) {
  begin(schema_);
  Application victim(production_.through());
  Application other(production_.through());
  other.autocommit(false);
  EXPECT_EQ(run(victim, "START TRANSACTION"), SQL_SUCCESS);
  meet(victim, other);
  EXPECT_EQ(run(victim, "INSERT INTO t VALUES (6, 6)"), SQL_SUCCESS);
  EXPECT_EQ(run(victim, "ROLLBACK"), SQL_SUCCESS);
  EXPECT_EQ(production_.scalar("SELECT COUNT(*) FROM t"), "6");
  EXPECT_EQ(production_.drain().texts(), std::vector<std::string>{"INSERT INTO t VALUES (6, 6)"});
}

// The server ends the session of one application.
class CaptureMariadbLost : public CaptureMariadb {
 protected:
  void SetUp() override { begin({"CREATE TABLE t (id INT PRIMARY KEY)"}); }
  void end_session(Application& app) {
    const std::string session = first_value(app, "SELECT CONNECTION_ID()");
    Application other(production_.bare());
    EXPECT_EQ(run(other, "KILL " + session), SQL_SUCCESS);
    const std::string left =
        "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = " + session;
    while (production_.scalar(left) != "0") std::this_thread::yield();
  }
  Seen drain() {
    Seen seen = production_.drain();
    EXPECT_EQ(production_.map().reason(), "");
    EXPECT_EQ(production_.map().header().uncaptured.load(), 0u);
    return seen;
  }
};

TEST_F(CaptureMariadbLost, UnderAutocommitRecordingGoesOn) {
  Application app(production_.through());
  EXPECT_EQ(run(app, "INSERT INTO t VALUES (1)"), SQL_SUCCESS);
  raw::Statement stmt(app);
  end_session(app);
  EXPECT_EQ(stmt.run("INSERT INTO t VALUES (2)"), SQL_ERROR);
  EXPECT_EQ(stmt.run("INSERT INTO t VALUES (3)"), SQL_ERROR);
  Application next(production_.through());
  EXPECT_EQ(run(next, "INSERT INTO t VALUES (4)"), SQL_SUCCESS);
  EXPECT_EQ(drain().texts(),
            (std::vector<std::string>{"INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (4)"}));
}

TEST_F(CaptureMariadbLost, OfATransactionWhoseNextStatementFailsNothingIsKept) {
  Application app(production_.through());
  app.autocommit(false);
  EXPECT_EQ(run(app, "INSERT INTO t VALUES (1)"), SQL_SUCCESS);
  end_session(app);
  EXPECT_EQ(run(app, "INSERT INTO t VALUES (2)"), SQL_ERROR);
  EXPECT_EQ(app.commit(), SQL_ERROR);
  EXPECT_EQ(drain().texts(), std::vector<std::string>{});
  EXPECT_EQ(production_.scalar("SELECT COUNT(*) FROM t"), "0");
}

TEST_F(CaptureMariadb, KeepsATransactionInWhichOneStatementFailed) {
  begin({"CREATE TABLE t (id INT PRIMARY KEY)"});
  Application app(production_.through());
  app.autocommit(false);
  EXPECT_EQ(run(app, "INSERT INTO t VALUES (1)"), SQL_SUCCESS);
  EXPECT_EQ(run(app, "INSERT INTO t VALUES (1)"), SQL_ERROR);
  EXPECT_EQ(run(app, "INSERT INTO t VALUES (2)"), SQL_SUCCESS);
  EXPECT_EQ(app.commit(), SQL_SUCCESS);
  EXPECT_EQ(production_.drain().texts(),
            (std::vector<std::string>{"INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2)"}));
}

TEST_F(CaptureMariadb, RecordsWhatABeginCommitsOnItsWay) {
  begin({"CREATE TABLE t (id INT PRIMARY KEY)"});
  Application app(production_.through());
  app.autocommit(false);
  EXPECT_EQ(run(app, "INSERT INTO t VALUES (1)"), SQL_SUCCESS);
  EXPECT_EQ(run(app, "START TRANSACTION"), SQL_SUCCESS);
  EXPECT_EQ(run(app, "INSERT INTO t VALUES (2)"), SQL_SUCCESS);
  EXPECT_EQ(app.rollback(), SQL_SUCCESS);
  EXPECT_EQ(production_.drain().texts(), std::vector<std::string>{"INSERT INTO t VALUES (1)"});
  EXPECT_EQ(production_.scalar("SELECT COUNT(*) FROM t"), "1");
}

TEST_F(CaptureMariadb, FollowsAutocommitThatATextSets) {
  begin({"CREATE TABLE t (id INT PRIMARY KEY)"});
  Application app(production_.through());
  EXPECT_EQ(run(app, "SET autocommit = 0"), SQL_SUCCESS);
  EXPECT_EQ(run(app, "INSERT INTO t VALUES (1)"), SQL_SUCCESS);
  EXPECT_EQ(run(app, "ROLLBACK"), SQL_SUCCESS);
  EXPECT_EQ(production_.scalar("SELECT COUNT(*) FROM t"), "0");
  EXPECT_EQ(run(app, "INSERT INTO t VALUES (2)"), SQL_SUCCESS);
  EXPECT_EQ(run(app, "SET @@autocommit := ON"), SQL_SUCCESS);
  EXPECT_EQ(production_.drain().texts(), std::vector<std::string>{"INSERT INTO t VALUES (2)"});
  EXPECT_EQ(production_.scalar("SELECT COUNT(*) FROM t"), "1");
}

TEST_F(CaptureMariadb, BecomesInvalidWhenASchemaChangeCommitsWhatIsThenRolledBack) {
  begin({"CREATE TABLE t (id INT PRIMARY KEY)"});
  Application app(production_.through());
  app.autocommit(false);
  EXPECT_EQ(run(app, "INSERT INTO t VALUES (1)"), SQL_SUCCESS);
  EXPECT_EQ(run(app, "CREATE TABLE u (id INT)"), SQL_SUCCESS);
  EXPECT_EQ(app.rollback(), SQL_SUCCESS);
  EXPECT_EQ(production_.scalar("SELECT COUNT(*) FROM t"), "1");
  EXPECT_EQ(production_.mode(), Mode::invalid);
}

TEST_F(CaptureMariadb, NotesASchemaChangeThatFailedAndCommittedAllTheSame) {
  begin({"CREATE TABLE t (id INT PRIMARY KEY)"});
  Application app(production_.through());
  app.autocommit(false);
  EXPECT_EQ(run(app, "INSERT INTO t VALUES (1)"), SQL_SUCCESS);
  EXPECT_EQ(run(app, "CREATE TABLE t (id INT)"), SQL_ERROR);
  EXPECT_EQ(app.rollback(), SQL_SUCCESS);
  EXPECT_EQ(production_.scalar("SELECT COUNT(*) FROM t"), "1");
  const auto seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(seen.transactions[0].notes, std::vector<std::string>{"implicit-commit"});
}

TEST_F(CaptureMariadb, JudgesTextsThatEachModeReadsAlike) {
  begin({"CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(9))"});
  Application app(production_.through());
  EXPECT_EQ(run(app, "SET SESSION sql_mode = 'ANSI_QUOTES', time_zone = '+03:00'"), SQL_SUCCESS);
  EXPECT_EQ(run(app, "INSERT INTO t VALUES (1, 'five')"), SQL_SUCCESS);
  EXPECT_EQ(run(app, "INSERT INTO \"t\" VALUES (2, 'six')"), SQL_SUCCESS);
  const auto seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 2u);
  EXPECT_EQ(seen.transactions[0].statements.at(0).verdict, Verdict::keyed);
  EXPECT_EQ(seen.transactions[1].statements.at(0).verdict, Verdict::opaque);
}

TEST_F(CaptureMariadb, KnowsThatNamesMeanOtherTablesAfterTheDatabaseWasChanged) {
  begin({"CREATE TABLE t (id INT PRIMARY KEY, v INT)"});
  const std::string ours = MariaDbServer::shared().database();
  MariaDbServer::shared().new_database();
  const std::string other = MariaDbServer::shared().database();
  MariaDbServer::shared().sql(other, "CREATE TABLE t (id INT PRIMARY KEY, v INT)");
  Application app(production_.through());
  for (const std::string& database : {other, ours}) {
    ASSERT_EQ(SQLSetConnectAttr(app.dbc, SQL_ATTR_CURRENT_CATALOG, raw::text(database), SQL_NTS),
              SQL_SUCCESS)
        << app.problems();
    EXPECT_EQ(run(app, "INSERT INTO t VALUES (1, 5)"), SQL_SUCCESS);
  }
  const auto seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 2u);
  EXPECT_EQ(seen.transactions[0].notes, std::vector<std::string>{"other-database"});
  EXPECT_EQ(seen.transactions[1].statements.at(0).verdict, Verdict::keyed);
}

// Another session that holds the second of two rows.
class RowsHeldByAnother : public CaptureMariadb {
 protected:
  void SetUp() override {
    begin({"CREATE TABLE t (id INT PRIMARY KEY, v INT, KEY by_v (v))",
           "INSERT INTO t VALUES (1, 1), (2, 1), (3, 1)"});
    app_ = std::make_unique<Application>(production_.through());
    app_->autocommit(false);
    other_ = std::make_unique<Application>(production_.bare());
    other_->autocommit(false);
    RUN(*other_, "UPDATE t SET v = 1 + v - 1 WHERE id = 2");
    RUN(*other_, "SELECT id FROM t WHERE id = 2 FOR UPDATE");
  }
  /// The other has gone and the statement is tried again: what was recorded of the transaction.
  std::vector<SeenStatement> recorded_after_retry(const std::string& text) {
    EXPECT_TRUE(SQL_SUCCEEDED(other_->rollback()));
    EXPECT_TRUE(SQL_SUCCEEDED(run(*app_, text)));
    EXPECT_TRUE(SQL_SUCCEEDED(app_->commit()));
    const auto seen = production_.drain();
    EXPECT_EQ(seen.transactions.size(), 1u);
    return seen.transactions.empty() ? std::vector<SeenStatement>()
                                     : seen.transactions[0].statements;
  }

  const std::string all_ = "UPDATE t SET v = v + 1 WHERE v >= 1";
  std::unique_ptr<Application> app_;
  std::unique_ptr<Application> other_;
};

TEST_F(RowsHeldByAnother, AQuestionThatTimesOutIsToldAsTheStatementItself) {
  RUN(*app_, "SET SESSION innodb_lock_wait_timeout = 1");
  RUN(*app_, "INSERT INTO t VALUES (9, 9)");
  raw::Statement stmt(*app_);
  EXPECT_EQ(stmt.run(all_), SQL_ERROR);
  EXPECT_NE(stmt.problems().find("1205"), std::string::npos) << stmt.problems();
  const auto statements = recorded_after_retry(all_);
  ASSERT_EQ(statements.size(), 2u);
  EXPECT_EQ(statements[1].verdict, Verdict::effects);
  EXPECT_EQ(statements[1].rows, 4);
}

TEST_F(RowsHeldByAnother, AQuestionThatIsADeadlocksVictimIsToldAsTheStatementItself) {
  RUN(*app_, "UPDATE t SET v = 5 WHERE id = 3");
  // The one that has changed less is the victim.
  RUN(*other_, "INSERT INTO t VALUES (11, 0), (12, 0), (13, 0), (14, 0)");
  auto waits = std::async(std::launch::async, [&] {
    raw::Statement other(*other_);
    return other.run("UPDATE t SET v = 6 WHERE id = 3");
  });
  raw::Statement stmt(*app_);
  EXPECT_EQ(stmt.run(all_), SQL_ERROR);
  EXPECT_NE(stmt.problems().find("1213"), std::string::npos) << stmt.problems();
  EXPECT_TRUE(SQL_SUCCEEDED(waits.get()));
  const auto statements = recorded_after_retry(all_);
  ASSERT_EQ(statements.size(), 1u);
  EXPECT_EQ(statements[0].rows, 3);
}

TEST_F(CaptureMariadb, AKeyThatTheRealDriverConvertsIsNoKey) {
  begin({"CREATE TABLE t (d DATE PRIMARY KEY)", "INSERT INTO t VALUES ('2001-02-03')"});
  Application app(production_.through());
  raw::Statement stmt(app);
  SQL_DATE_STRUCT dates[] = {{2004, 5, 6}, {2001, 2, 3}};
  for (SQLUSMALLINT i = 0; i < 2; ++i) {
    ASSERT_EQ(SQLBindParameter(stmt.handle, i + 1, SQL_PARAM_INPUT, SQL_C_TYPE_DATE, SQL_TYPE_DATE,
                               10, 0, &dates[i], 0, nullptr),
              SQL_SUCCESS);
  }
  ASSERT_EQ(stmt.run("UPDATE t SET d = ? WHERE d = ?"), SQL_SUCCESS) << stmt.problems();
  const auto seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(seen.transactions[0].statements.at(0).verdict, Verdict::opaque);
}

}  // namespace
}  // namespace understudy
