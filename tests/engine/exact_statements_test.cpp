// Statements on SQLite and MariaDB.
#include "tests/engine/exact_statements.h"

#include <gtest/gtest.h>

namespace understudy {
namespace {

// --- SQLite ---

class ExactSqlite : public ExactStatements {
 protected:
  ExactSqlite() : ExactStatements(Dialect::sqlite) {}
};

TEST_F(ExactSqlite, KeysThatChange) {
  begin({"CREATE TABLE a (id INTEGER PRIMARY KEY, v)",
         "CREATE TABLE p (a INT, b TEXT, v, PRIMARY KEY (a, b)) WITHOUT ROWID",
         "CREATE TABLE n (k TEXT PRIMARY KEY, v)",
         "CREATE TABLE u (id INT PRIMARY KEY NOT NULL, v REAL UNIQUE)",
         "INSERT INTO a VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, NULL)",
         "INSERT INTO p VALUES (1, 'x', 1), (2, 'y', 2), (3, 'z', 3)",
         "INSERT INTO n VALUES ('x', 1), ('y', 2)", "INSERT INTO u VALUES (1, 1), (2, 2), (3, 3)"});
  send({"UPDATE a SET id = id + 10 WHERE id > 1", "UPDATE a SET id = id - 1",
        "UPDATE a SET id = '7', v = random() WHERE id = 0", "UPDATE a SET id = -id WHERE v > 'a'",
        "UPDATE p SET a = a * 2, b = upper(b) || a WHERE v > 1", "UPDATE p SET a = 5.0 WHERE v = 1",
        "UPDATE p SET a = a + v, v = hex(randomblob(4)) ORDER BY a DESC LIMIT 2",
        "UPDATE n SET k = k || random()", "UPDATE u SET id = id + 100 WHERE v > 1.5",
        "UPDATE u SET id = a.id FROM a WHERE a.id > 0 AND u.id = 1",
        "UPDATE u SET v = -v WHERE id > 0 ORDER BY v DESC LIMIT 9"});
  expect_equal(0);
}

TEST_F(ExactSqlite, KeysThatChangeInATransactionAndBesideOpenCursors) {
  begin({"CREATE TABLE a (id INTEGER PRIMARY KEY, v)", "CREATE TABLE k (a, b)",
         "INSERT INTO a VALUES (1, 'a'), (2, 'b'), (3, 'c')",
         "INSERT INTO k VALUES (1, 1), (1, 1)"});
  app_->autocommit(false);
  raw::Statement cursor(*app_);
  EXPECT_EQ(cursor.run("SELECT id FROM a"), SQL_SUCCESS);
  EXPECT_EQ(SQLFetch(cursor.handle), SQL_SUCCESS);
  send({"UPDATE a SET id = id + 10", "SAVEPOINT s", "UPDATE a SET id = id + 10",
        "UPDATE k SET b = random()", "ROLLBACK TO s", "UPDATE k SET a = 7 WHERE b = 1"});
  EXPECT_EQ(run(*app_, "UPDATE a SET id = 11"), SQL_ERROR);
  send({"UPDATE a SET v = 'z', id = 5 WHERE id = 12"});
  EXPECT_EQ(app_->commit(), SQL_SUCCESS);
  send({"UPDATE k SET a = 8"});
  EXPECT_EQ(app_->rollback(), SQL_SUCCESS);
  expect_equal(0);
}

TEST_F(ExactSqlite, ForeignKeysThatTheSessionEnforces) {
  begin({"CREATE TABLE a (id INTEGER PRIMARY KEY, u INT UNIQUE, v)",
         "CREATE TABLE kid (id INTEGER PRIMARY KEY, a INT REFERENCES a (id) ON DELETE CASCADE"
         " ON UPDATE CASCADE, n)",
         "CREATE TABLE grandkid (id INTEGER PRIMARY KEY, k INT REFERENCES kid (id)"
         " ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED)",
         "CREATE TABLE loose (id INTEGER PRIMARY KEY, u INT REFERENCES a (u) ON DELETE SET NULL"
         " ON UPDATE SET DEFAULT)",
         "INSERT INTO a VALUES (1, 11, 'a'), (2, 12, 'b'), (3, 13, 'c'), (4, 14, 'd')",
         "INSERT INTO kid SELECT id * 10, id, 0 FROM a",
         "INSERT INTO kid SELECT id + 1, a, 1 FROM kid",
         "INSERT INTO grandkid SELECT id * 10, id FROM kid",
         "INSERT INTO loose SELECT id, u FROM a"});
  send({"PRAGMA foreign_keys = ON", "DELETE FROM a WHERE id = 1",
        "UPDATE a SET id = id + 100, v = random() WHERE id > 2",
        "INSERT OR REPLACE INTO a VALUES (2, 22, 'r')", "UPDATE a SET u = u + 5 WHERE id = 103",
        "INSERT INTO a VALUES (7, 17, 's')", "INSERT INTO kid VALUES (70, 7, 2)",
        "REPLACE INTO a (id, u) VALUES (8, 17)", "DELETE FROM kid WHERE n = 1 LIMIT 1"});
  app_->autocommit(false);
  send({"DELETE FROM a WHERE u > 18 AND id > 100", "UPDATE kid SET n = n + 1"});
  EXPECT_EQ(run(*app_, "INSERT INTO kid VALUES (99, 99, 9)"), SQL_ERROR);
  send({"INSERT INTO grandkid VALUES (999, 999)", "INSERT INTO kid VALUES (999, NULL, 9)"});
  EXPECT_EQ(app_->commit(), SQL_SUCCESS);
  expect_equal(0);
}

// Of two sessions one enforces them; in a transaction the PRAGMA does nothing.
TEST_F(ExactSqlite, ForeignKeysThatOneOfTwoSessionsEnforces) {
  begin({"CREATE TABLE a (id INTEGER PRIMARY KEY, v)",
         "CREATE TABLE kid (id INTEGER PRIMARY KEY, a INT REFERENCES a (id) ON DELETE CASCADE)",
         "INSERT INTO a VALUES (1, 'a'), (2, 'b'), (3, 'c')",
         "INSERT INTO kid SELECT id * 10, id FROM a"});
  odbc::Connection other(migration_->application());
  send({"PRAGMA foreign_keys = ON"});
  for (int turn = 1; turn < 3; ++turn) {
    const std::string id = std::to_string(turn);
    send({"DELETE FROM a WHERE id = " + id});
    other.run("INSERT INTO kid VALUES (" + id + ", 100)");
    other.run("DELETE FROM a WHERE id = 3");
    other.run("INSERT INTO a VALUES (3, 'd')");
  }
  app_->autocommit(false);
  send({"INSERT INTO a VALUES (7, 's')", "PRAGMA foreign_keys = OFF"});
  EXPECT_EQ(run(*app_, "INSERT INTO kid VALUES (77, 78)"), SQL_ERROR);
  EXPECT_EQ(app_->commit(), SQL_SUCCESS);
  migration_->expect_tool({"verify"});
  EXPECT_EQ(migration_->status()["divergences"], 0);
  migration_->expect_tool({"cutover"});
  EXPECT_EQ(run(*app_, "INSERT INTO kid VALUES (78, 79)"), SQL_ERROR);
  EXPECT_EQ(app_->rollback(), SQL_SUCCESS);
  other.run("INSERT INTO kid VALUES (80, 81)");
  app_.reset();
  migration_->expect_tool({"verify"});
  EXPECT_EQ(migration_->status()["rows_different"], 0);
  migration_->expect_tool({"complete"});
}

// A session that enforces them may update what lacks a parent, other than its reference.
TEST_F(ExactSqlite, ForeignKeysOfRowsWithoutAParent) {
  begin({"CREATE TABLE a (id INTEGER PRIMARY KEY, v)",
         "CREATE TABLE kid (id INTEGER PRIMARY KEY, a INT REFERENCES a (id), n)",
         "CREATE TABLE late (id INTEGER PRIMARY KEY, a INT REFERENCES a (id) DEFERRABLE INITIALLY"
         " DEFERRED, n)",
         "INSERT INTO a VALUES (1, 'a'), (2, 'b')",
         "INSERT INTO kid VALUES (1, 1, 0), (2, 2, 0), (3, 30, 0), (4, 40, 0), (5, NULL, 0)",
         "INSERT INTO late SELECT * FROM kid"});
  odbc::Connection other(migration_->application());
  send({"PRAGMA foreign_keys = ON"});
  for (const char* table : {"kid", "late"}) {
    const std::string t = table;
    send({"UPDATE " + t + " SET n = n + 1", "UPDATE " + t + " SET n = random() WHERE id = 3",
          "DELETE FROM " + t + " WHERE id = 4", "UPDATE " + t + " SET a = 2 WHERE id = 3"});
    other.run("INSERT INTO " + t + " VALUES (6, 60, 1), (7, 70, 1)");
    send({"UPDATE " + t + " SET n = n + 1 WHERE id > 5"});
    app_->autocommit(false);
    send({"DELETE FROM " + t + " WHERE id = 6", "UPDATE " + t + " SET n = random() WHERE id <> 6",
          "INSERT INTO " + t + " VALUES (8, 2, 1)"});
    EXPECT_EQ(app_->commit(), SQL_SUCCESS);
    send({"UPDATE " + t + " SET n = 9"});
    EXPECT_EQ(app_->rollback(), SQL_SUCCESS);
    app_->autocommit(true);
  }
  expect_equal(0);
}

// How a session waits, and keeps its pages, is its own affair; what its texts mean is not.
TEST_F(ExactSqlite, PragmasOfOneOfTwoSessions) {
  begin(
      {"CREATE TABLE t (id INTEGER PRIMARY KEY, v)", "CREATE TABLE gone (id, v)",
       "CREATE TRIGGER notes AFTER DELETE ON t BEGIN INSERT INTO gone VALUES (old.id, old.v); END",
       "INSERT INTO t VALUES (1, 'Abc'), (2, 'abc'), (3, 'ABC')"});
  odbc::Connection other(migration_->application());
  send({"PRAGMA busy_timeout = 3000", "PRAGMA synchronous = NORMAL", "PRAGMA cache_size = -2000",
        "PRAGMA temp_store = MEMORY", "PRAGMA journal_mode = WAL",
        "PRAGMA main.recursive_triggers = 1"});
  for (int turn = 0; turn < 3; ++turn) {
    send({"REPLACE INTO t VALUES (1, 'r')", "UPDATE t SET v = v || random() WHERE id = 1"});
    other.run("REPLACE INTO t VALUES (2, 's')");
    send({"PRAGMA case_sensitive_like = ON", "DELETE FROM t WHERE v LIKE 'a%' LIMIT 1"});
    other.run("DELETE FROM t WHERE v LIKE 'abc'");
    other.run("INSERT INTO t (v) VALUES ('aBC')");
  }
  expect_equal(6);  // REPLACE beside triggers
}

TEST_F(ExactSqlite, RowsWithoutAKeyWhoseValuesAreEqualButNotTheSame) {
  begin({"CREATE TABLE k (a, b TEXT COLLATE NOCASE, c REAL, d NUMERIC, e BLOB, f INTEGER)"});
  send(
      {"INSERT INTO k (a, b) VALUES (1, 'a'), (1.0, 'A'), ('1', 'a'), (x'31', 'a'), (1, 'a'),"
       " (NULL, ''), ('', NULL), (-0.0, 'a'), (0.0, 'a'), (9e999, 'i'), (-9e999, 'i'),"
       " (9223372036854775807, 'x'), (-9223372036854775808, 'x'), (9223372036854775808, 'x'),"
       " ('a' || char(0) || 'b', 'nul'), (0.1 + 0.2, 'r'), (zeroblob(3), x'00'), (1e-320, 'd')",
       "INSERT INTO k (c, d, e, f) VALUES ('12', '12', 12, '12'), ('x', '1e3', '12', 3.0),"
       " (5, 5.0, 5, 5), ('5.5', '0x10', 5.5, 'y')",
       "UPDATE k SET c = random(), d = 1.0 WHERE a = 1", "UPDATE k SET b = b || 'ü' WHERE b = 'A'",
       "UPDATE k SET f = f + 1, e = a", "DELETE FROM k WHERE a = 1 LIMIT 2",
       "DELETE FROM k WHERE a IS NULL AND b IS NULL", "UPDATE k SET a = a ORDER BY b LIMIT 3",
       "INSERT INTO k SELECT * FROM k WHERE a > 0", "DELETE FROM k WHERE typeof(a) = 'real'"});
  expect_equal(0);
}

TEST_F(ExactSqlite, WhatBecomesOfCollisions) {
  begin({"CREATE TABLE t (id INTEGER PRIMARY KEY, u INT UNIQUE, v TEXT NOT NULL DEFAULT 'd')",
         "CREATE TABLE s (k TEXT PRIMARY KEY NOT NULL, v)",
         "INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c'), (4, 4, 'd')",
         "INSERT INTO s VALUES ('x', 1)"});
  send({"INSERT OR IGNORE INTO t VALUES (1, 9, 'z'), (9, 1, 'z'), (8, 8, 'y')",
        "INSERT OR REPLACE INTO t VALUES (7, 1, 'r'), (2, 3, 'q')",
        "INSERT OR ABORT INTO t VALUES (20, 20, 'z')", "REPLACE INTO s VALUES ('x', 2), ('y', 3)",
        "UPDATE OR IGNORE t SET u = 8", "UPDATE OR REPLACE t SET u = 8, v = 'last' WHERE id = 20",
        "UPDATE OR REPLACE s SET v = random()",
        "INSERT INTO t VALUES (20, 30, 'n') ON CONFLICT (id) DO UPDATE SET v = v || 'u' WHERE u > "
        "100",
        "INSERT INTO t VALUES (20, 30, 'n') ON CONFLICT (id) DO UPDATE SET v = v || 'u' WHERE u < "
        "100",
        "INSERT INTO t (u, v) VALUES (8, 'o') ON CONFLICT (u) DO UPDATE SET v = excluded.v || "
        "random()",
        "INSERT INTO s VALUES ('y', 9), ('z', 1) ON CONFLICT DO NOTHING",
        "UPDATE OR REPLACE t SET v = NULL WHERE id = 20"});
  EXPECT_EQ(run(*app_, "INSERT OR ABORT INTO t VALUES (41, 41, 'x'), (42, 41, 'x')"), SQL_ERROR);
  send({"INSERT OR FAIL INTO t VALUES (51, 51, 'f')",
        "INSERT OR ROLLBACK INTO t VALUES (52, 52, 'f')"});
  expect_equal(2);
}

TEST_F(ExactSqlite, CollisionsByIndexesOverExpressionsAndOfSomeRows) {
  begin({"CREATE TABLE t (id INTEGER PRIMARY KEY, v INT, w TEXT)",
         "CREATE TABLE s (k TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, v INT) WITHOUT ROWID",
         "CREATE UNIQUE INDEX t_w ON t (lower(w))", "CREATE UNIQUE INDEX s_v ON s (v) WHERE v > 10",
         "INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c')",
         "INSERT INTO s VALUES ('x', 11), ('y', 12), ('z', 5)"});
  send({"INSERT OR REPLACE INTO t VALUES (4, 4, 'A')", "REPLACE INTO t VALUES (2, 5, 'C')",
        "INSERT OR IGNORE INTO t VALUES (9, 9, 'C'), (8, 8, 'd')",
        "REPLACE INTO s VALUES ('X', 12)", "REPLACE INTO s VALUES ('w', 5), ('v', 5)",
        "UPDATE OR REPLACE s SET v = 12 WHERE v = 5 AND k = 'w'",
        "INSERT INTO s VALUES ('W', 3) ON CONFLICT (k) DO UPDATE SET v = v + 1"});
  expect_equal(0);
}

TEST_F(ExactSqlite, GeneratedColumnsAndKeysAndReturning) {
  begin(
      {"CREATE TABLE g (id INTEGER PRIMARY KEY AUTOINCREMENT, a INT, b INT AS (a * 2) STORED,"
       " c TEXT AS ('<' || a || '>'), at TEXT DEFAULT CURRENT_TIMESTAMP)",
       "CREATE TABLE \"Größe \"\"x\"\"\" (\"Schlüssel \" TEXT PRIMARY KEY NOT NULL, [order] INT)"});
  send({"INSERT INTO g (a) VALUES (1), (2), (NULL)", "UPDATE g SET a = a + 1, id = id * 10",
        "DELETE FROM g WHERE b = 6", "INSERT INTO g (a) VALUES (7) RETURNING id, b",
        "UPDATE g SET a = random() % 100 WHERE c = '<7>' RETURNING *",
        "INSERT INTO \"Größe \"\"x\"\"\" VALUES ('ä', 1), ('', 2)",
        "UPDATE \"Größe \"\"x\"\"\" SET \"Schlüssel \" = \"Schlüssel \" || 'ß', [order] = 5",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
        " INSERT INTO g (a) SELECT i FROM n"});
  expect_equal(0);
}

TEST_F(ExactSqlite, TriggersDoOnTheShadowWhatTheyDidOnProduction) {
  begin({"CREATE TABLE t (id INTEGER PRIMARY KEY, v INT)", "CREATE TABLE log (id INT, v INT)",
         "CREATE TRIGGER after_t AFTER UPDATE ON t BEGIN INSERT INTO log VALUES (old.id, new.id); "
         "END",
         "CREATE TRIGGER gone AFTER DELETE ON t BEGIN DELETE FROM log WHERE id = old.id; END",
         "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)"});
  send({"UPDATE t SET v = v + 1 WHERE v > 1", "UPDATE t SET id = id + 10",
        "DELETE FROM t WHERE id = 12"});
  expect_equal(0);
}

TEST_F(ExactSqlite, AViewWithATriggerInsteadIsOpaque) {
  begin({"CREATE TABLE t (id INTEGER PRIMARY KEY, v INT)", "CREATE VIEW w AS SELECT id, v FROM t",
         "CREATE TRIGGER w_in INSTEAD OF INSERT ON w BEGIN INSERT INTO t VALUES (new.id, new.v); "
         "END"});
  send({"INSERT INTO w VALUES (1, 5), (2, 6)"});
  expect_equal(1);
}

// --- MariaDB ---

class ExactMariadb : public ExactStatements {
 protected:
  ExactMariadb() : ExactStatements(Dialect::mariadb) {}
};

TEST_F(ExactMariadb, KeysThatChange) {
  begin({"CREATE TABLE a (id INT PRIMARY KEY, v INT, u INT UNIQUE)",
         "CREATE TABLE p (a VARCHAR(40), b BIGINT UNSIGNED, v DOUBLE, PRIMARY KEY (a, b))",
         "CREATE TABLE d (k DOUBLE PRIMARY KEY, v TEXT)",
         "CREATE TABLE kid (id INT PRIMARY KEY, a INT, FOREIGN KEY (a) REFERENCES a (id)"
         " ON UPDATE CASCADE ON DELETE SET NULL)",
         "INSERT INTO a VALUES (1, 1, 1), (2, 2, 2), (3, 3, 3), (4, 4, 4)",
         "INSERT INTO p VALUES ('x', 1, 1), ('y', 18446744073709551615, 2)",
         "INSERT INTO d VALUES (0.1, 'a'), (1e300, 'b')", "INSERT INTO kid VALUES (1, 1), (2, 2)"});
  send({"UPDATE a SET id = id + 1 ORDER BY id DESC",
        "UPDATE a SET id = id - 1 WHERE v < 3 ORDER BY id",
        "UPDATE a SET u = u + 1 ORDER BY u DESC",
        "UPDATE a SET id = FLOOR(100 + RAND() * 100000) LIMIT 1",
        "UPDATE p SET a = CONCAT(a, 'ß'), b = b - 1", "UPDATE p SET a = UUID() WHERE v = 1",
        "UPDATE d SET k = k + 0.1", "UPDATE d SET v = CONCAT(v, 'x') WHERE k < 1",
        "UPDATE a SET id = 2 * id, v = id WHERE u > 3", "DELETE FROM a WHERE u = 3"});
  expect_equal(0);
}

TEST_F(ExactMariadb, KeysOfTypesThatAreNoUsualKeys) {
  constexpr const char* kTypes[] = {"DOUBLE", "FLOAT", "INET6", "ENUM('a','B','it''s','d','e','f')",
                                    "BIT(33)"};
  constexpr const char* kFirst[] = {"1 / seq", "1 / seq", "CONCAT('::', seq)", "seq", "seq"};
  constexpr const char* kOne[] = {"0.1", "1.25", "'0::3'", "'b'", "5000000000"};
  std::vector<std::string> schema;
  std::vector<std::string> sent;
  for (std::size_t i = 0; i < std::size(kTypes); ++i) {
    const std::string t = "t" + std::to_string(i);
    schema.push_back("CREATE TABLE " + t + " (id " + kTypes[i] +
                     ", part INT, c INT, r DOUBLE DEFAULT (RAND()), PRIMARY KEY (id, part))");
    schema.push_back("INSERT INTO " + t + " SELECT " + kFirst[i] +
                     ", seq % 3, seq * 10, NULL FROM seq_1_to_6");
    const std::string into = "INSERT INTO " + t + " (id, part, c) VALUES (";
    for (const std::string& one :
         {"UPDATE IGNORE " + t + " SET r = RAND(), c = c + 1 WHERE c < 30",
          into + kOne[i] + ", 2, 7) ON DUPLICATE KEY UPDATE r = RAND()",
          into + kOne[i] + ", 2, 7) ON DUPLICATE KEY UPDATE r = RAND(), c = VALUES(c)",
          into + kOne[i] + ", 1, 8) RETURNING id, r",
          "REPLACE INTO " + t + " (id, part, c) VALUES (" + kOne[i] + ", 0, 2)",
          "UPDATE " + t + " AS a JOIN " + t +
              " AS b ON a.id = b.id AND a.part < b.part SET a.r = RAND()",
          "UPDATE " + t + " SET c = c + 1, r = -r WHERE id = " + kOne[i] + " AND part = 1",
          "UPDATE " + t + " SET part = part + 5 WHERE c > 40",
          "DELETE FROM " + t + " WHERE c BETWEEN 25 AND 40 LIMIT 1"}) {
      sent.push_back(one);
    }
  }
  begin({schema.begin(), schema.end()});
  send({sent.begin(), sent.end()});
  expect_equal(0);
}

TEST_F(ExactMariadb, AReplaceThatCollidesWithNothingIsAnInsert) {
  begin({"CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT, r DOUBLE DEFAULT (RAND()))",
         "CREATE TABLE u (id INT AUTO_INCREMENT PRIMARY KEY, v INT UNIQUE, w INT)",
         "CREATE TABLE k (v INT, r DOUBLE DEFAULT (RAND()))"});
  send({"REPLACE INTO t (v) VALUES (1), (2)", "REPLACE INTO t (v) VALUES (3)",
        "REPLACE INTO u (w) VALUES (1), (2)", "REPLACE INTO u (v, w) VALUES (NULL, 1), (NULL, 2)",
        "REPLACE INTO u (v, w) VALUES (5, 1), (6, 2)",
        "REPLACE INTO u (v, w) VALUES (5, 7), (6, 8)", "REPLACE INTO k (v) VALUES (1), (1)",
        "REPLACE INTO k (v) SELECT v FROM t"});
  app_->autocommit(false);
  {
    raw::Statement count(*app_);
    EXPECT_EQ(count.run("REPLACE INTO t (v) VALUES (8), (9), (10)"), SQL_SUCCESS);
    SQLLEN rows = 0;
    EXPECT_EQ(SQLRowCount(count.handle, &rows), SQL_SUCCESS);
    EXPECT_EQ(rows, 3);
  }
  EXPECT_EQ(app_->commit(), SQL_SUCCESS);
  expect_equal(0);
}

TEST_F(ExactMariadb, AnErrorThatIsAWarningByItsStateIsToldAsTheBareDriverTellsIt) {
  begin({"CREATE TABLE t (id INT PRIMARY KEY, e ENUM('a','b'), v INT)",
         "CREATE TABLE g (id INT AUTO_INCREMENT PRIMARY KEY, e ENUM('a','b'), u INT UNIQUE)",
         "INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2)"});
  const StatementTexts refused = {
      "INSERT INTO t VALUES (3, 'none such', 3)",
      "INSERT INTO g (e) VALUES ('a'), ('none such')",
      "INSERT INTO g (e) VALUES ('none such') RETURNING id",
      "UPDATE t SET e = 'none such'",
      "INSERT INTO g (e) VALUES ('a'), ('none such') RETURNING id",
      "UPDATE t SET v = 7, e = 'none such' WHERE id = 1",
      "REPLACE INTO t VALUES (1, 'z', 3)",
      "REPLACE INTO g (e) VALUES ('none such')",
      "INSERT INTO g (u) VALUES (1) ON DUPLICATE KEY UPDATE e = 'none such', u = u + 1",
      "INSERT INTO g (e) VALUES ('z') ON DUPLICATE KEY UPDATE e = 'none such', u = u + 1",
      "INSERT INTO t VALUES (1, 'a', 3) ON DUPLICATE KEY UPDATE e = 'none such'"};
  Application bare(migration_->production());
  bare.autocommit(false);
  send({"INSERT INTO g (u) VALUES (1)"});
  for (const bool autocommit : {true, false}) {
    app_->autocommit(autocommit);
    for (const std::string_view one : refused) {
      raw::Statement expected(bare);
      raw::Statement stmt(*app_);
      const SQLRETURN ret = expected.run(std::string(one));
      const std::string problems = expected.problems();
      EXPECT_EQ(bare.rollback(), SQL_SUCCESS);
      EXPECT_EQ(stmt.run(std::string(one)), ret) << one;
      EXPECT_EQ(stmt.problems(), problems) << one;
      send({"UPDATE t SET v = v + 1 WHERE id = 2"});
      if (!autocommit) {
        EXPECT_EQ(app_->commit(), SQL_SUCCESS);
      }
    }
  }
  expect_equal(0);
}

TEST_F(ExactMariadb, ModesThatDoNotTouchQuotesLeaveEveryTextAsItIs) {
  begin({"CREATE TABLE k (a VARCHAR(40), r DOUBLE)"});
  send({"SET sql_mode = 'STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ENGINE_SUBSTITUTION'",
        "INSERT INTO k VALUES ('{\"a\": [1, \\\\]}', RAND())",
        "SET SESSION sql_mode = 'TRADITIONAL'", "UPDATE k SET a = CONCAT(a, '[\"]')",
        "SET sql_mode = ''", "INSERT INTO k SELECT a, RAND() FROM k WHERE a <> '\"'"});
  expect_equal(0);
}

TEST_F(ExactMariadb, QuotesThatAModeReadsDifferentlyAreOpaque) {
  begin({"CREATE TABLE k (a VARCHAR(40), b INT)"});
  send({"SET sql_mode = 'STRICT_ALL_TABLES,ANSI_QUOTES'", "INSERT INTO k (\"a\") VALUES ('x')",
        "SET sql_mode = 'NO_BACKSLASH_ESCAPES'", "INSERT INTO k (a) VALUES ('\\')"});
  expect_equal(2);
}

TEST_F(ExactMariadb, ValuesThatAModeWithoutStrictnessMakesFit) {
  begin({"CREATE TABLE t (id INT PRIMARY KEY, n TINYINT, c CHAR(3), d DATE)",
         "CREATE TABLE k (s SET('x','y'), n TINYINT)"});
  send({"SET sql_mode = ''", "INSERT INTO t VALUES (1, 300, 'too long', 'x')",
        "INSERT INTO t VALUES (2, 1, 'c', NULL), (3, -300, 'd', '2024-02-31')",
        "INSERT INTO k VALUES ('x,q', 300)", "UPDATE t SET n = 999 WHERE n > 0"});
  expect_equal(0);
}

TEST_F(ExactMariadb, AnEnumThatIsNoneOfItsValuesIsToldAsADivergence) {
  begin({"CREATE TABLE t (id INT PRIMARY KEY, e ENUM('a','b'))"});
  send({"SET sql_mode = ''", "INSERT INTO t VALUES (1, 'none'), (2, 'a')"});
  app_.reset();
  LiveMigration::tool({"verify", migration_->name()});
  const auto status = migration_->status();
  EXPECT_EQ(status["divergences"], 1) << status.dump(1);
  EXPECT_EQ(status["rows_different"], 2) << status.dump(1);
  migration_->expect_tool({"cancel"});
}

// As programs do that tell a trigger who writes.
TEST_F(ExactMariadb, AVariableThatIsSetAgainAndAgain) {
  begin({"CREATE TABLE t (id INT PRIMARY KEY, v INT)", "CREATE TABLE log (id INT, who VARCHAR(9))",
         "CREATE TRIGGER who AFTER UPDATE ON t FOR EACH ROW INSERT INTO log VALUES (NEW.id, @who)",
         "INSERT INTO t VALUES (1, 0)"});
  for (int i = 0; i < 300; ++i) {
    const std::string set = "SET @who = 'u" + std::to_string(i) + "'";
    const std::string zone = "SET time_zone = '+0" + std::to_string(i % 9) + ":00'";
    if (i % 7 == 0) send({"SET @who = 'a'", "SET @second = CONCAT(@who, 'b')", zone});
    send({set, "UPDATE t SET v = v + 1 WHERE id = 1"});
    if (i % 7 == 0) send({"SET @who := @second", "UPDATE t SET v = v + 1 WHERE id = 1"});
  }
  expect_equal(0);
}

TEST_F(ExactMariadb, KeysThatAreNumbersOfASequence) {
  begin({"CREATE SEQUENCE `some numbers` START WITH 50",
         "CREATE TABLE t (id INT DEFAULT NEXTVAL(`some numbers`) PRIMARY KEY, v INT)"});
  send({"SELECT NEXTVAL(`some numbers`)", "INSERT INTO t (v) VALUES (1)",
        "INSERT INTO t VALUES (DEFAULT, 3)", "INSERT INTO t VALUES (7, 4), (8, 5)",
        "INSERT INTO t VALUES (NEXTVAL(`some numbers`), 6)", "UPDATE t SET v = v + 1 WHERE v > 3",
        "DELETE FROM t WHERE v = 5", "INSERT INTO t (v) VALUES (9)"});
  expect_equal(1);  // SELECT NEXTVAL
}

TEST_F(ExactMariadb, KeysThatAreNumbersOfASequenceInAnArray) {
  begin({"CREATE SEQUENCE n START WITH 50",
         "CREATE TABLE t (id INT DEFAULT NEXTVAL(n) PRIMARY KEY, v INT)"});
  {
    raw::Statement stmt(*app_);
    SQLINTEGER values[] = {1, 2, 3};
    SQLSetStmtAttr(stmt.handle, SQL_ATTR_PARAMSET_SIZE, reinterpret_cast<SQLPOINTER>(3), 0);
    SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, SQL_C_SLONG, SQL_INTEGER, 10, 0, values, 0,
                     nullptr);
    ASSERT_EQ(SQLPrepare(stmt.handle, raw::text("INSERT INTO t (v) VALUES (?), (7)"), SQL_NTS),
              SQL_SUCCESS);
    for (int turn = 0; turn < 2; ++turn) {
      ASSERT_EQ(SQLExecute(stmt.handle), SQL_SUCCESS) << stmt.problems();
      SQLLEN rows = 0;
      SQLRowCount(stmt.handle, &rows);
      EXPECT_EQ(rows, 6);
    }
  }
  expect_equal(0);
}

// Many sessions at once: the server dies when one returns a row of such a table and another takes a
// number by its default, here behind a trigger.
TEST_F(ExactMariadb, AServerThatDiesOfReturningLives) {
  begin({"CREATE SEQUENCE n", "CREATE TABLE t (id INT DEFAULT NEXTVAL(n) PRIMARY KEY, v INT)",
         "CREATE TABLE o (id INT AUTO_INCREMENT PRIMARY KEY, v INT)",
         "CREATE TRIGGER notes AFTER INSERT ON o FOR EACH ROW INSERT INTO t (v) VALUES (NEW.v)"});
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&, i] {
      Application app(migration_->application());
      for (int turn = 0; turn < 200; ++turn) {
        const std::string id = std::to_string(-1 - turn * 6 - i);
        RUN(app, i % 2 == 0      ? "INSERT INTO t (v) VALUES (1), (2)"
                 : turn % 2 == 0 ? "INSERT INTO o (v) VALUES (3)"
                                 : "INSERT INTO t VALUES (" + id + ", NULL), (" + id + "000, 4)");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  LiveMigration::tool({"verify", migration_->name()});  // waits until all is replayed
  EXPECT_EQ(migration_->status()["opaque"], 300);
  app_.reset();
  migration_->expect_tool({"cancel"});
}

TEST_F(ExactMariadb, TriggersFireForRowsThatAnUpdateHasLeftAsTheyWere) {
  begin({"CREATE TABLE t (id INT PRIMARY KEY, v INT)", "CREATE TABLE o (id INT PRIMARY KEY, v INT)",
         "CREATE TABLE log (id INT PRIMARY KEY, n INT)",
         "CREATE TRIGGER counts AFTER UPDATE ON t FOR EACH ROW INSERT INTO log VALUES (NEW.id, 1)"
         " ON DUPLICATE KEY UPDATE n = n + 1",
         "INSERT INTO t VALUES (1, 5), (2, 6), (3, 7)", "INSERT INTO o VALUES (1, 5), (2, 9)"});
  send({"UPDATE t SET v = 5", "UPDATE t SET v = 5", "UPDATE t SET v = 6 WHERE id = 2",
        "UPDATE t SET v = 6 WHERE id = 2", "UPDATE t SET v = 8 WHERE id = 99",
        "UPDATE t JOIN o ON t.id = o.id SET t.v = o.v, o.v = o.v"});
  expect_equal(0);
}

TEST_F(ExactMariadb, TheCheckNamesTriggersAndCascades) {
  begin({"CREATE TABLE a (id INT PRIMARY KEY)",
         "CREATE TABLE kid (id INT PRIMARY KEY, a INT, FOREIGN KEY (a) REFERENCES a (id)"
         " ON DELETE CASCADE)",
         "CREATE TRIGGER loud AFTER INSERT ON a FOR EACH ROW SET @x = 1"});
  const Finished check = LiveMigration::tool({"check", migration_->name()});
  EXPECT_NE(check.output.find("production: trigger a.loud"), std::string::npos) << check.output;
  EXPECT_NE(check.output.find("production: kid changes with a"), std::string::npos) << check.output;
  send({"INSERT INTO a VALUES (1), (2)", "INSERT INTO kid VALUES (1, 1), (2, 2)",
        "DELETE FROM a WHERE id = 1"});
  expect_equal(0);
}

TEST_F(ExactMariadb, RowsWithoutAKey) {
  begin({"CREATE TABLE k (a INT, b VARCHAR(20), c FLOAT)",
         "CREATE TABLE o (a INT, ts TIMESTAMP NULL)",
         "INSERT INTO k VALUES (1, 'x', 1.1), (1, 'x', 1.1), (2, 'X', 2.5), (3, NULL, NULL)",
         "INSERT INTO o VALUES (1, NULL), (2, '2020-01-01 00:00:00')"});
  send({"UPDATE k SET c = RAND() WHERE a = 1", "UPDATE k SET a = a + 1, b = CONCAT(b, a)",
        "UPDATE k SET b = '' WHERE b IS NULL", "UPDATE k SET a = 9 ORDER BY b LIMIT 2",
        "UPDATE k SET b = 'same' WHERE a = 9", "UPDATE k SET b = 'same' WHERE a = 9",
        "UPDATE k SET a = (@n := COALESCE(@n, 0) + 1)", "UPDATE o SET ts = NOW()",
        "UPDATE o SET a = a + 5", "DELETE FROM k WHERE a > 2 LIMIT 1"});
  expect_equal(0);
}

TEST_F(ExactMariadb, VariablesAndSubqueriesOfAnUpdate) {
  begin({"CREATE TABLE t (id INT PRIMARY KEY, v INT, w VARCHAR(20))",
         "CREATE TABLE o (id INT PRIMARY KEY, v INT)",
         "INSERT INTO t SELECT seq, seq, 'x' FROM seq_1_to_20",
         "INSERT INTO o VALUES (1, 5), (2, 7)"});
  send({"SET @from = 3, @step = 2", "UPDATE t SET v = v + @step WHERE id > @from",
        "UPDATE t SET v = (@n := COALESCE(@n, 100) + 1) ORDER BY id DESC",
        "UPDATE t SET w = 'y' WHERE (@m := COALESCE(@m, 0) + 1) < 4 ORDER BY id"});
  app_->autocommit(false);
  send({"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"});
  EXPECT_EQ(app_->commit(), SQL_SUCCESS);
  send({"SELECT COUNT(*) FROM o"});
  {
    Application other(migration_->application());
    EXPECT_EQ(run(other, "UPDATE o SET v = 12 WHERE id = 1"), SQL_SUCCESS);
  }
  send({"UPDATE t SET w = 'z' WHERE id = (SELECT MAX(v) FROM o)",
        "INSERT INTO t SELECT v + 100, v, 'new' FROM o",
        "DELETE FROM t WHERE id IN (SELECT v FROM o)"});
  EXPECT_EQ(app_->commit(), SQL_SUCCESS);
  expect_equal(0);
}

constexpr std::string_view kAllTypes =
    "CREATE TABLE every (id INT PRIMARY KEY, de DECIMAL(65,30), bu BIGINT UNSIGNED, f FLOAT,"
    " d DOUBLE, b BIT(64), y YEAR, t TIME(6), dt DATETIME(6), ts TIMESTAMP(6) NULL, da DATE,"
    " j JSON, e ENUM('a','Ö'), s SET('x','y','z'), lt LONGTEXT, lb LONGBLOB, g GEOMETRY,"
    " i INET6, u UUID, c CHAR(5) COLLATE utf8mb4_bin, l VARCHAR(9) CHARACTER SET latin1,"
    " vb VARBINARY(9), bo BOOLEAN)";
constexpr std::string_view kExtremes =
    " VALUES (1, 99999999999999999999999999999999999.999999999999999999999999999999,"
    " 18446744073709551615, 3.402823e38, 1.7976931348623157e308,"
    " b'1111111111111111111111111111111111111111111111111111111111111111', 2155,"
    " '838:59:59.999999', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07.999999',"
    " '9999-12-31', '{\"a\": [1, 2.50, null]}', 'Ö', 'x,z', REPEAT('ä😀', 3000),"
    " REPEAT(x'00ff', 3000), ST_GeomFromText('POLYGON((0 0,1 0,1 1,0 0))'), '::ffff:1.2.3.4',"
    " '123e4567-e89b-12d3-a456-426655440000', 'ä b', 'é', x'0001', TRUE),"
    " (2, -0.000000000000000000000000000001, 0, -1.17549435e-38, -0.0, b'0', 1901,"
    " '-838:59:59', '1000-01-01 00:00:00', '1970-01-01 00:00:01', '1000-01-01', 'null', 'a', '',"
    " '', '', POINT(1, -2), '::', '00000000-0000-0000-0000-000000000000', '', '', '', FALSE),"
    " (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,"
    " NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)";

TEST_F(ExactMariadb, EveryTypeAtItsExtremes) {
  std::string keyless(kAllTypes);
  keyless.replace(keyless.find("every"), 5, "loose").replace(keyless.find(" PRIMARY KEY"), 12, "");
  const std::string insert = "INSERT INTO every" + std::string(kExtremes);
  const std::string loose = "INSERT INTO loose" + std::string(kExtremes);
  begin({kAllTypes, keyless});
  send({insert, loose, "UPDATE every SET bo = NOT bo, c = CONCAT(c, 'x') WHERE id > 0",
        "UPDATE every SET id = id + 10, vb = CONCAT(vb, x'ff')", "UPDATE loose SET id = id + 10",
        "UPDATE loose SET d = d / 3, f = f / 3, de = de / 3", "DELETE FROM loose WHERE id = 12",
        "REPLACE INTO every (id, l) VALUES (13, 'ß')",
        "INSERT INTO every (id, c) VALUES (11, 'n') ON DUPLICATE KEY UPDATE c = 'dup'"});
  expect_equal(2);  // functions that make shapes are not known
}

TEST_F(ExactMariadb, ZonesModesAndCharactersOfTheSession) {
  begin(
      {"CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, ts TIMESTAMP(3) NULL DEFAULT NULL,"
       " dt DATETIME NULL, v VARCHAR(20))",
       "CREATE TABLE k (ts TIMESTAMP NULL, v VARCHAR(20))"});
  send({"SET time_zone = '+05:30'",
        "INSERT INTO t (ts, v) VALUES ('2020-01-01 00:00:00', 'a'), (NOW(3), 'b')",
        "INSERT INTO t (id, ts) VALUES (50, '2021-06-01 12:00:00')",
        "UPDATE t SET ts = ts + INTERVAL 1 HOUR",
        "UPDATE t SET ts = '2022-02-02 02:02:02' WHERE id = 50",
        "UPDATE t SET v = 'keyed' WHERE id = 50",
        "UPDATE t SET v = 'nobody' WHERE id = 51",
        "DELETE FROM t WHERE id = 1",
        "INSERT INTO k VALUES ('2020-01-01 00:00:00', 'a'), (NULL, 'b')",
        "UPDATE k SET ts = '2020-06-01 00:00:00'",
        "DELETE FROM k WHERE v = 'b'",
        "REPLACE INTO t (id, ts) VALUES (60, '2020-01-01 00:00:00')",
        "SET time_zone = '-08:00'",
        "UPDATE t SET v = 'west' WHERE ts < '2020-06-01 00:00:00'",
        "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",
        "INSERT INTO t (id, v) VALUES (0, 'zero')",
        "SET SESSION sql_mode = ''",
        "UPDATE t SET id = 7 WHERE id = 0",
        "INSERT INTO t (dt, ts, v) VALUES ('0000-00-00 00:00:00', 0, 'zero'), ('2020-00-01', NULL, "
        "'part')",
        "UPDATE t SET v = CONCAT(v, '!') WHERE v LIKE 'z%'"});
  expect_equal(0);
}

TEST_F(ExactMariadb, NamesAfterAnotherDatabaseWasChosen) {
  begin({"CREATE TABLE t (id INT PRIMARY KEY, v INT)"});
  const std::string ours = database_;
  MariaDbServer::shared().new_database();
  const std::string other = MariaDbServer::shared().database();
  MariaDbServer::shared().sql(other, "CREATE TABLE t (id INT PRIMARY KEY, v INT)");
  const std::string use_other = "USE " + other;
  const std::string use_ours = "USE `" + ours + "`";
  const std::string qualified = "INSERT INTO `" + ours + "`.t VALUES (2, 2)";
  send({"INSERT INTO t VALUES (1, 1)", use_other, "INSERT INTO t VALUES (9, 9)", qualified,
        use_ours, "INSERT INTO t VALUES (3, 3)", "UPDATE t SET v = v + 1"});
  app_.reset();
  migration_->expect_tool({"verify"});
  const auto status = migration_->status();
  EXPECT_EQ(status["rows_different"], 0);
  EXPECT_EQ(status["opaque"], 0);
  EXPECT_EQ(status["uncaptured_writes"], 1);  // what went to another database
  migration_->expect_tool({"cancel"});
}

TEST_F(ExactMariadb, WhatTheServerMakesOfARow) {
  begin(
      {"CREATE TABLE g (id INT AUTO_INCREMENT PRIMARY KEY, a INT, b INT AS (a * 2) STORED,"
       " c VARCHAR(20) AS (CONCAT('<', a)) VIRTUAL, h INT INVISIBLE DEFAULT 5,"
       " r DOUBLE DEFAULT (RAND()), changed DATETIME(6) DEFAULT NOW(6) ON UPDATE NOW(6))",
       "CREATE TABLE part (id INT PRIMARY KEY, v INT) PARTITION BY HASH (id) PARTITIONS 3",
       "CREATE TABLE made (id INT AUTO_INCREMENT PRIMARY KEY, v INT)"});
  send({"INSERT INTO g (a) VALUES (1), (2), (3)", "UPDATE g SET a = a + 1 WHERE a > 1",
        "UPDATE g SET h = 7 WHERE id = 1", "INSERT INTO g SET a = 9",
        "INSERT INTO g (a) SELECT a FROM g", "INSERT IGNORE INTO g (id, a) VALUES (1, 1), (77, 7)",
        "INSERT INTO part SELECT seq, seq FROM seq_1_to_9",
        "UPDATE part SET id = id + 10 ORDER BY id DESC", "UPDATE part SET v = 0 WHERE id > 15",
        "DELETE FROM part WHERE id = 12 RETURNING id, v",
        "INSERT INTO made (v) WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n "
        "WHERE i < 5) SELECT i FROM n"});
  expect_equal(0);
}

TEST_F(ExactMariadb, TriggersViewsAndWhatIsPutTogetherOnTheServer) {
  begin({"CREATE TABLE t (id INT PRIMARY KEY, v INT)",
         "CREATE TABLE log (id INT AUTO_INCREMENT PRIMARY KEY, v INT)",
         "CREATE TRIGGER t_log AFTER UPDATE ON t FOR EACH ROW INSERT INTO log (v) VALUES (NEW.v)",
         "CREATE TABLE c (id INT PRIMARY KEY, v INT)",
         "CREATE TRIGGER c_clip BEFORE INSERT ON c FOR EACH ROW SET NEW.v = LEAST(NEW.v, 10)",
         "CREATE VIEW w AS SELECT id, v FROM t",
         "CREATE PROCEDURE p(n INT) INSERT INTO t VALUES (n, n)"});
  send({"INSERT INTO t VALUES (1, 1), (2, 2)", "UPDATE t SET v = v + 1",
        "UPDATE t SET v = 7 WHERE id = 1", "INSERT INTO c VALUES (1, 5), (2, 50)",
        "UPDATE w SET v = 3 WHERE id = 2", "CALL p(9)", "REPLACE INTO c SELECT id + 10, v FROM t"});
  expect_equal(3);
}

}  // namespace
}  // namespace understudy
