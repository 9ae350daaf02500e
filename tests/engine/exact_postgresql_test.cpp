// Statements on PostgreSQL.
#include "tests/engine/exact_statements.h"

namespace understudy {
namespace {

class ExactPostgresql : public ExactStatements {
 protected:
  ExactPostgresql() : ExactStatements(Dialect::postgresql) {}
};

TEST_F(ExactPostgresql, PartitionedTables) {
  begin(
      {"CREATE TABLE sale (day date, id bigserial, region text NOT NULL, v numeric(9, 2),"
       " PRIMARY KEY (id, day, region)) PARTITION BY RANGE (day)",
       "CREATE TABLE sale_1 PARTITION OF sale FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')",
       "CREATE TABLE sale_2 PARTITION OF sale FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')"
       " PARTITION BY LIST (region)",
       "CREATE TABLE sale_2n PARTITION OF sale_2 FOR VALUES IN ('n')",
       "CREATE TABLE sale_2r PARTITION OF sale_2 DEFAULT",
       "CREATE TABLE bare (h int, v text) PARTITION BY HASH (h)",
       "CREATE TABLE bare_0 PARTITION OF bare FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
       "CREATE TABLE bare_1 PARTITION OF bare FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
       "INSERT INTO sale (day, region, v) SELECT '2026-01-01'::date + n, chr(109 + n % 3), n"
       " FROM generate_series(1, 50) n",
       "INSERT INTO bare SELECT n % 5, 'x' FROM generate_series(1, 20) n"});
  send({"INSERT INTO sale (day, region, v) VALUES ('2026-01-09', 'n', 1), ('2026-02-09', 'q', 2)",
        "INSERT INTO sale (day, id, region, v) VALUES ('2026-02-03', 1000, 'n', 5)",
        "UPDATE sale SET v = v + random() WHERE region = 'n'",
        "UPDATE sale SET v = 7 WHERE id = 3 AND day = '2026-01-04'",
        "UPDATE sale SET day = day + 20 WHERE day < '2026-01-10'",
        "UPDATE sale SET region = 'z' WHERE id = 1000", "DELETE FROM sale WHERE v > 40",
        "UPDATE sale_2n SET v = -v", "DELETE FROM sale_2 WHERE region = 'z'",
        "INSERT INTO sale (day, id, region) VALUES ('2026-02-03', 77, 'm')"
        " ON CONFLICT (id, day, region) DO UPDATE SET v = 1",
        "UPDATE bare SET h = h + 1, v = v || random() WHERE h < 3", "DELETE FROM bare WHERE h = 4",
        "INSERT INTO bare VALUES (1, NULL), (1, NULL)"});
  expect_equal(0);
}

TEST_F(ExactPostgresql, KeysThatAreInSeveralTablesByInheritance) {
  begin({"CREATE TABLE parent (id int PRIMARY KEY, v int)",
         "CREATE TABLE child (w int, PRIMARY KEY (id)) INHERITS (parent)",
         "INSERT INTO parent VALUES (1, 1), (2, 2)",
         "INSERT INTO child VALUES (1, 10, 0), (3, 30, 0)"});
  send({"INSERT INTO parent VALUES (3, 3)", "UPDATE child SET v = v + random() * 9 WHERE id = 1",
        "UPDATE parent SET v = v + 1 WHERE id = 1", "UPDATE ONLY parent SET v = v * 5 WHERE id = 1",
        "DELETE FROM parent WHERE id = 3"});
  expect_equal(3);
}

// How long a statement may take, and what a transaction may do, is production's affair; what is
// checked at the end of a statement there may hold only at the end of several here.
TEST_F(ExactPostgresql, WhatASessionSetsOfItsTransactionsIsNotTheShadows) {
  begin(
      {"CREATE TABLE t (id int PRIMARY KEY, v int)",
       "CREATE TABLE kid (id int PRIMARY KEY, t int REFERENCES t DEFERRABLE INITIALLY DEFERRED)"});
  app_->autocommit(false);
  const auto transaction = [&](const StatementTexts& statements) {
    send(statements);
    EXPECT_TRUE(SQL_SUCCEEDED(app_->commit()));
  };
  // Many, so that some are applied together.
  for (int i = 100; i < 200; ++i) {
    const std::string insert = "INSERT INTO t VALUES (" + std::to_string(i) + ", 1)";
    send({"SET TRANSACTION READ ONLY"});
    EXPECT_EQ(run(*app_, insert), SQL_ERROR);
    EXPECT_TRUE(SQL_SUCCEEDED(app_->commit()));
    transaction({insert});
  }
  transaction({"SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "INSERT INTO t VALUES (1, 1)",
               "SET TRANSACTION READ ONLY"});
  transaction({"INSERT INTO t VALUES (2, 2)", "SET TIME ZONE 'Asia/Tokyo'",
               "SET SESSION default_transaction_read_only = on"});
  transaction({"SET default_transaction_read_only TO off"});
  transaction({"SET LOCAL transaction_read_only = off", "UPDATE t SET v = v + 1 WHERE id < 9",
               "SET LOCAL transaction_read_only = on"});
  transaction({"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ",
               "INSERT INTO t VALUES (3, 3)"});
  transaction({"SET CONSTRAINTS ALL IMMEDIATE",
               "WITH k AS (INSERT INTO kid VALUES (1, 4)) INSERT INTO t VALUES (4, 4)"});
  expect_equal(0);
}

// A text that the server takes for the present moment is another one when it is replayed.
TEST_F(ExactPostgresql, BoundTextsThatNameAMoment) {
  begin({"CREATE TABLE t (id int PRIMARY KEY, at timestamptz, day date)"});
  SQLCHAR now[] = " Now";
  SQLWCHAR today[] = {'t', 'o', 'd', 'a', 'y', 0};
  SQLINTEGER id = 1;
  {
    raw::Statement stmt(*app_);
    const auto bind = [&](SQLUSMALLINT number, SQLSMALLINT c_type, SQLSMALLINT type,
                          SQLPOINTER value) {
      EXPECT_TRUE(SQL_SUCCEEDED(SQLBindParameter(stmt.handle, number, SQL_PARAM_INPUT, c_type, type,
                                                 20, 0, value, 0, nullptr)));
    };
    bind(1, SQL_C_LONG, SQL_INTEGER, &id);
    bind(2, SQL_C_CHAR, SQL_VARCHAR, now);
    bind(3, SQL_C_WCHAR, SQL_WVARCHAR, today);
    EXPECT_EQ(stmt.run("INSERT INTO t VALUES (?, ?, ?)"), SQL_SUCCESS) << stmt.problems();
  }
  expect_equal(0);
}

// They are opaque: where they have found nothing, what they find on the shadow is another matter.
TEST_F(ExactPostgresql, MovesWithTheirOwnReturningThatFindNothing) {
  begin({"CREATE TABLE t (id int PRIMARY KEY, v int)", "CREATE TABLE k (v int)",
         "INSERT INTO t VALUES (1, 1)", "INSERT INTO k VALUES (1)"});
  app_->autocommit(false);
  send({"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "INSERT INTO t VALUES (2, 2)"});
  odbc::Connection(migration_->application()).run("INSERT INTO t VALUES (7, 7)");
  odbc::Connection(migration_->application()).run("INSERT INTO k VALUES (7)");
  send({"UPDATE t SET id = 8 WHERE id = 7 RETURNING v",
        "UPDATE k SET v = 8 WHERE v = 7 RETURNING v"});
  EXPECT_TRUE(SQL_SUCCEEDED(app_->commit()));
  expect_equal(0);
}

// Rows are read as ISO writes them; under another form the statements themselves are replayed.
TEST_F(ExactPostgresql, ValuesThatTheSessionHasWrittenOtherwise) {
  begin({"CREATE TABLE t (id int PRIMARY KEY, day date, f float8, b bytea, i interval)",
         "INSERT INTO t VALUES (1, '2026-02-03', 0.1, 'a', '1 day')"});
  send({"SET DateStyle = 'German'", "UPDATE t SET day = day + 30 WHERE id < 9", "RESET DateStyle",
        "SET extra_float_digits = -5", "UPDATE t SET f = f / 3 WHERE id < 9",
        "SET extra_float_digits TO 3", "SET bytea_output = escape",
        "UPDATE t SET b = b || '\\000'::bytea WHERE id < 9", "SET bytea_output = hex",
        "SET IntervalStyle TO 'iso_8601'", "UPDATE t SET i = i * 3 WHERE id < 9",
        "SET IntervalStyle TO 'postgres'", "UPDATE t SET f = f * 3 WHERE id < 9"});
  expect_equal(4);
}

TEST_F(ExactPostgresql, KeysThatAreDeferred) {
  begin(
      {"CREATE TABLE late (id int PRIMARY KEY, v int UNIQUE DEFERRABLE INITIALLY DEFERRED, w int)",
       "CREATE TABLE moved (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, w int)",
       "INSERT INTO late SELECT n, n, 0 FROM generate_series(1, 40) n",
       "INSERT INTO moved SELECT n, 0 FROM generate_series(1, 40) n"});
  app_->autocommit(false);
  const auto transaction = [&](const StatementTexts& statements) {
    send(statements);
    EXPECT_TRUE(SQL_SUCCEEDED(app_->commit()));
  };
  // Each in a setting of its own, and all together: transactions are applied alone and together.
  for (const std::string_view zone : {"SET TIME ZONE 'UTC'", "SET TIME ZONE 'Asia/Tokyo'"}) {
    transaction({zone});
    transaction({"UPDATE late SET v = 2 WHERE id = 1", "UPDATE late SET v = 1 WHERE id = 2"});
    transaction({"UPDATE late SET v = 4 WHERE id = 3", zone, "UPDATE late SET v = 3 WHERE id = 4"});
    transaction({"UPDATE late SET v = 5 + (v - 4) % 6 WHERE v BETWEEN 5 AND 10"});
    transaction({"UPDATE late SET v = 21 WHERE v = 20",
                 "UPDATE late SET v = 20 WHERE v = 21 AND id <> 20"});
    transaction({"UPDATE late SET v = CASE id WHEN 30 THEN 31 ELSE 30 END WHERE id IN (30, 31)"});
    transaction({"INSERT INTO late VALUES (100, 12, 0)", "DELETE FROM late WHERE id = 12",
                 "UPDATE late SET id = 12 WHERE id = 100"});
    transaction({"SAVEPOINT a", "UPDATE late SET v = 14 WHERE id = 15", "SAVEPOINT b",
                 "UPDATE late SET v = 14 WHERE id = 16", "ROLLBACK TO b",
                 "UPDATE late SET v = 15 WHERE id = 14", "RELEASE a"});
    transaction({"INSERT INTO late VALUES (101, 17, 1) ", "SAVEPOINT a",
                 "DELETE FROM late WHERE v = 17 AND w = 0", "RELEASE a",
                 "UPDATE late SET id = 17, w = 0 WHERE id = 101"});
    transaction({"UPDATE moved SET id = 10 + (id - 9) % 5 WHERE id BETWEEN 10 AND 14"});
  }
  expect_equal(0);
}

TEST_F(ExactPostgresql, RowsThatShareADeferredPrimaryKeyAreToldAsADivergence) {
  begin({"CREATE TABLE moved (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, w int)",
         "INSERT INTO moved VALUES (1, 1), (2, 2)"});
  app_->autocommit(false);
  send({"UPDATE moved SET id = 2 WHERE id = 1", "UPDATE moved SET id = 1 WHERE w = 2"});
  EXPECT_TRUE(SQL_SUCCEEDED(app_->commit()));
  app_.reset();
  EXPECT_EQ(LiveMigration::tool({"verify", migration_->name()}).exit_code, 1);
  EXPECT_EQ(migration_->status()["divergences"], 1);
  migration_->expect_tool({"cancel"});
}

TEST_F(ExactPostgresql, TheCheckNamesKeysThatAreDeferrableInProductionAlone) {
  begin({"CREATE TABLE late (id int PRIMARY KEY, v int, CONSTRAINT k UNIQUE (v) DEFERRABLE)",
         "CREATE TABLE same (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)"});
  odbc::Connection(migration_->shadow())
      .run("ALTER TABLE late DROP CONSTRAINT k, ADD CONSTRAINT k UNIQUE (v)");
  const Finished check = LiveMigration::tool({"check", migration_->name()});
  EXPECT_NE(check.output.find("keys are deferrable in production alone: public.late"),
            std::string::npos)
      << check.output;
  EXPECT_EQ(check.output.find("public.same"), std::string::npos) << check.output;
  send({"INSERT INTO late VALUES (1, 1)"});
  expect_equal(0);
}

TEST_F(ExactPostgresql, RangesThatAreMadeByFunctions) {
  begin({"CREATE TABLE t (id serial PRIMARY KEY, r int4range, at tstzrange)"});
  send({"INSERT INTO t (r, at) VALUES (int4range(2, 9), tstzrange(now(), NULL))",
        "UPDATE t SET r = r * int4range(3, 5) WHERE r && int4range(1, 3)"});
  expect_equal(0);
}

TEST_F(ExactPostgresql, ASettingThatOnlyCommitMakesLast) {
  begin({"CREATE TABLE t (id int PRIMARY KEY, at timestamptz)"});
  app_->autocommit(false);
  send({"SET TIME ZONE 'Asia/Tokyo'"});
  EXPECT_TRUE(SQL_SUCCEEDED(app_->rollback()));
  send({"INSERT INTO t VALUES (1, '2026-01-01 00:00')"});
  EXPECT_TRUE(SQL_SUCCEEDED(app_->commit()));
  send({"INSERT INTO t VALUES (2, '2026-01-01 00:00')", "SET TIME ZONE 'UTC'"});
  EXPECT_TRUE(SQL_SUCCEEDED(app_->rollback()));
  send({"INSERT INTO t VALUES (3, '2026-01-01 00:00')"});
  EXPECT_TRUE(SQL_SUCCEEDED(app_->commit()));
  expect_equal(0);
}

constexpr std::string_view kQueue =
    "CREATE TABLE queue (id serial PRIMARY KEY, v text, at timestamptz DEFAULT clock_timestamp())";
constexpr std::string_view kArchive =
    "CREATE TABLE archive (id int PRIMARY KEY, v text, at timestamptz, gone float8 DEFAULT "
    "random())";

TEST_F(ExactPostgresql, StatementsThatWriteInTheirWith) {
  begin({kQueue, kArchive, "CREATE TABLE parent (id serial PRIMARY KEY, \"Größe\" text)",
         "CREATE TABLE child (id serial PRIMARY KEY, parent int REFERENCES parent, v float8)",
         "CREATE TABLE bare (v text, w float8 DEFAULT random())",
         "INSERT INTO queue (v) SELECT 'q' || n FROM generate_series(1, 100) n"});
  send(
      {"WITH moved AS (DELETE FROM queue WHERE id <= 10 RETURNING *) INSERT INTO archive"
       " SELECT * FROM moved",
       "WITH moved (a, b) AS MATERIALIZED (DELETE FROM queue AS q WHERE q.id <= 20 RETURNING q.id,"
       " upper(v), at /* ) */) INSERT INTO archive (id, v, at) SELECT a, b, at FROM moved -- x",
       "WITH p AS (INSERT INTO parent (\"Größe\") VALUES ('a'), ('b') RETURNING id)"
       " INSERT INTO child (parent, v) SELECT id, random() FROM p",
       "WITH p AS (INSERT INTO parent VALUES (77, 'x')) INSERT INTO child (parent, v) VALUES (77,"
       " random())",
       "WITH c AS (DELETE FROM child WHERE parent = 77) DELETE FROM parent WHERE id = 77",
       "WITH c AS (INSERT INTO child (parent) VALUES (78)), n AS (SELECT 1) INSERT INTO parent"
       " VALUES (78, NULL)",
       "WITH gone AS (DELETE FROM archive WHERE id < 5), late AS (UPDATE queue SET v = v ||"
       " random() WHERE id BETWEEN 30 AND 40 RETURNING id AS \"the id\", v) UPDATE archive SET"
       " gone = random() FROM late WHERE archive.id + 25 = late.\"the id\"",
       "WITH x AS (INSERT INTO bare (v) VALUES ('x'), (NULL), ('')) INSERT INTO bare (v) VALUES"
       " ('x')",
       "WITH x AS (DELETE FROM bare WHERE v = 'x' RETURNING *) INSERT INTO bare SELECT 'y', w"
       " FROM x",
       "WITH up AS (INSERT INTO archive (id, v) VALUES (15, 'u'), (30999, 'n') ON CONFLICT (id) DO"
       " UPDATE SET v = excluded.v || random() RETURNING id) DELETE FROM queue USING up WHERE"
       " queue.id = up.id + 35",
       "WITH w AS (UPDATE queue SET v = 'nobody' WHERE false) DELETE FROM queue WHERE false",
       "INSERT INTO queue (v) SELECT n FROM generate_series(1, 20000) n",
       "WITH many AS (DELETE FROM queue RETURNING *) INSERT INTO archive SELECT * FROM many"});
  expect_equal(0);
}

TEST_F(ExactPostgresql, StatementsThatWriteInTheirWithAndShowAResult) {
  begin({kQueue, kArchive, "INSERT INTO queue (v) SELECT 'q' || n FROM generate_series(1, 50) n"});
  const auto shows = [&](const std::string& text, SQLSMALLINT columns, int rows) {
    raw::Statement stmt(*app_);
    ASSERT_EQ(stmt.run(text), SQL_SUCCESS) << stmt.problems();
    SQLSMALLINT seen = 0;
    SQLNumResultCols(stmt.handle, &seen);
    EXPECT_EQ(seen, columns) << text;
    int fetched = 0;
    while (SQLFetch(stmt.handle) == SQL_SUCCESS) ++fetched;
    EXPECT_EQ(fetched, rows) << text;
  };
  shows("WITH d AS (DELETE FROM queue WHERE id <= 3 RETURNING *) SELECT *, random() FROM d", 4, 3);
  shows("WITH d AS (DELETE FROM queue WHERE id <= 9 RETURNING id) SELECT count(*), max(id) FROM d",
        2, 1);
  shows("WITH d AS (DELETE FROM queue WHERE id <= 20) SELECT 1 LIMIT 0", 1, 0);
  shows(
      "WITH d AS (DELETE FROM queue WHERE id <= 30 RETURNING queue.*) INSERT INTO archive SELECT"
      " * FROM d RETURNING id, gone",
      2, 10);
  shows(
      "WITH d AS (INSERT INTO queue (v) VALUES ('ä''\\ü'), (NULL) RETURNING id, v), e AS (SELECT"
      " id FROM d) UPDATE archive SET v = 'z' || random() FROM e WHERE archive.id = e.id - 30"
      " RETURNING e.id",
      1, 2);
  expect_equal(0);
}

TEST_F(ExactPostgresql, RowCountsOfStatementsThatWriteInTheirWith) {
  begin({kQueue, kArchive, "INSERT INTO queue (v) SELECT 'q' || n FROM generate_series(1, 50) n"});
  const auto counts = [&](const std::string& text, SQLLEN rows) {
    raw::Statement stmt(*app_);
    ASSERT_TRUE(SQL_SUCCEEDED(stmt.run(text))) << stmt.problems();
    SQLLEN seen = -1;
    SQLRowCount(stmt.handle, &seen);
    EXPECT_EQ(seen, rows) << text;
    SQLSMALLINT columns = -1;
    SQLNumResultCols(stmt.handle, &columns);
    EXPECT_EQ(columns, 0) << text;
  };
  counts(
      "WITH d AS (DELETE FROM queue WHERE id <= 7 RETURNING *) INSERT INTO archive SELECT * FROM"
      " d WHERE id > 2",
      5);
  counts("WITH d AS (DELETE FROM queue WHERE id <= 9) UPDATE archive SET v = 'x' WHERE id < 5", 2);
  counts("WITH d AS (DELETE FROM queue WHERE id <= 12) DELETE FROM archive WHERE id < 0", 0);
  EXPECT_EQ(run(*app_, "WITH d AS (DELETE FROM queue) SELECT * FROM d"), SQL_ERROR);
  EXPECT_EQ(run(*app_,
                "WITH d AS (DELETE FROM archive WHERE id = 5) INSERT INTO archive (id) VALUES"
                " (5)"),
            SQL_ERROR);
  EXPECT_EQ(run(*app_,
                "WITH d AS (DELETE FROM queue RETURNING *) INSERT INTO archive SELECT * FROM"
                " d, d AS e"),
            SQL_ERROR);
  expect_equal(0);
}

TEST_F(ExactPostgresql, ArraysOfParametersForStatementsThatWriteInSeveralPlaces) {
  begin({kQueue, kArchive, "INSERT INTO queue (v) SELECT 'q' || n FROM generate_series(1, 50) n"});
  SQLINTEGER ids[] = {3, 1000, 5};
  SQLLEN lengths[] = {0, 0, 0};
  const auto counts = [&](const std::string& text, const std::vector<SQLLEN>& rows) {
    raw::Statement stmt(*app_);
    SQLSetStmtAttr(stmt.handle, SQL_ATTR_PARAMSET_SIZE, reinterpret_cast<SQLPOINTER>(SQLULEN{3}),
                   SQL_IS_UINTEGER);
    SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, SQL_C_LONG, SQL_INTEGER, 0, 0, ids, 0,
                     lengths);
    ASSERT_TRUE(SQL_SUCCEEDED(stmt.run(text))) << stmt.problems();
    std::vector<SQLLEN> seen;
    do SQLRowCount(stmt.handle, &seen.emplace_back());
    while (SQL_SUCCEEDED(SQLMoreResults(stmt.handle)));
    EXPECT_EQ(seen, rows) << text;
  };
  counts(
      "WITH d AS (DELETE FROM queue WHERE id = ? RETURNING *) INSERT INTO archive SELECT * FROM d",
      {1, 0, 1});
  counts(
      "MERGE INTO archive a USING (SELECT ?::int AS id) s ON a.id = s.id WHEN MATCHED THEN UPDATE"
      " SET v = 'merged' WHEN NOT MATCHED THEN INSERT (id, gone) VALUES (s.id, 0)",
      {1, 1, 1});
  expect_equal(3);
}

TEST_F(ExactPostgresql, PreparedTextsThatWriteInSeveralPlaces) {
  begin({kQueue, kArchive, "INSERT INTO queue (v) SELECT 'q' || n FROM generate_series(1, 50) n"});
  send(
      {"PREPARE p (int) AS WITH d AS (DELETE FROM queue WHERE id = $1 RETURNING *) INSERT INTO"
       " archive SELECT *, random() FROM d",
       "EXECUTE p (3)", "EXECUTE p (1000)",
       "PREPARE q (int) AS WITH d AS (DELETE FROM queue WHERE id < $1 RETURNING id) SELECT * FROM "
       "d",
       "EXECUTE q (6)",
       "PREPARE m (int) AS MERGE INTO archive a USING (SELECT $1 AS id) s ON a.id = s.id WHEN NOT"
       " MATCHED THEN INSERT (id, gone) VALUES (s.id, 0)",
       "EXECUTE m (77)"});
  expect_equal(1);
}

TEST_F(ExactPostgresql, StatementsThatWriteTemporaryTablesInTheirWith) {
  begin({kQueue, kArchive, "INSERT INTO queue (v) SELECT 'q' || n FROM generate_series(1, 50) n"});
  send({"CREATE TEMP TABLE job (id int, v text)", "CREATE TEMP TABLE other (id int)",
        "WITH d AS (DELETE FROM queue WHERE id <= 7 RETURNING *) INSERT INTO job SELECT id, v FROM "
        "d",
        "WITH d AS (DELETE FROM job WHERE id <= 5 RETURNING *) INSERT INTO archive SELECT *, now()"
        " FROM d",
        "WITH d AS (DELETE FROM job RETURNING *), e AS (INSERT INTO other SELECT id FROM d), f AS"
        " (UPDATE queue SET v = random() FROM d WHERE queue.id = d.id + 10) SELECT * FROM d",
        "WITH d AS (DELETE FROM job RETURNING id) INSERT INTO job SELECT * FROM d",
        "WITH d AS (DELETE FROM queue WHERE id = 9 RETURNING *), e AS (INSERT INTO archive SELECT *"
        " FROM d) INSERT INTO other SELECT id FROM d"});
  expect_equal(0);
}

TEST_F(ExactPostgresql, StatementsThatWriteInTheirWithAndAreNotUnderstood) {
  begin({kQueue, kArchive, "CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree)",
         "INSERT INTO queue (v) SELECT 'q' || n FROM generate_series(1, 50) n",
         "INSERT INTO tree VALUES (1, NULL), (2, 1)"});
  send(
      {"WITH d AS (DELETE FROM queue WHERE id = 1 RETURNING id + 1) INSERT INTO archive (id, gone)"
       " SELECT *, 0 FROM d",
       "WITH d AS (UPDATE queue SET id = id + 1000 WHERE id = 2) DELETE FROM queue WHERE id = 3",
       "WITH d AS (DELETE FROM tree WHERE id = 2) INSERT INTO tree VALUES (3, 1)"});
  expect_equal(3);
}

TEST_F(ExactPostgresql, Merge) {
  begin(
      {"CREATE TABLE stock (sku text, place int, n int, at timestamptz DEFAULT clock_timestamp(),"
       " PRIMARY KEY (sku, place))",
       "CREATE TABLE item (id serial PRIMARY KEY, sku varchar(40) UNIQUE, v float8)",
       "CREATE TABLE part (id int, day date, v text, PRIMARY KEY (id, day)) PARTITION BY LIST"
       " (day)",
       "CREATE TABLE part_1 PARTITION OF part FOR VALUES IN ('2026-01-01')",
       "CREATE TABLE part_2 PARTITION OF part DEFAULT",
       "INSERT INTO stock SELECT 'it''s \\ ' || n, n % 3, n FROM generate_series(1, 30) n",
       "INSERT INTO item (sku, v) SELECT 's' || n, n FROM generate_series(1, 300) n"});
  const auto merges = [&](const std::string& text, SQLLEN rows) {
    raw::Statement stmt(*app_);
    ASSERT_TRUE(SQL_SUCCEEDED(stmt.run(text))) << text << ": " << stmt.problems();
    SQLLEN seen = -1;
    SQLRowCount(stmt.handle, &seen);
    EXPECT_EQ(seen, rows) << text;
  };
  merges(
      "MERGE INTO stock AS s USING (SELECT 'it''s \\ ' || n AS sku, n % 3 AS place, n FROM"
      " generate_series(21, 40) n) AS d ON s.sku = d.sku AND s.place = d.place"
      " WHEN MATCHED AND d.n > 28 THEN DELETE"
      " WHEN MATCHED AND d.n > 25 THEN DO NOTHING"
      " WHEN MATCHED THEN UPDATE SET n = s.n + random() * 1000"
      " WHEN NOT MATCHED AND d.n > 38 THEN DO NOTHING"
      " WHEN NOT MATCHED THEN INSERT (sku, place, n) VALUES (d.sku, d.place, d.n) -- x",
      15);
  merges(
      "WITH d AS (SELECT 's' || n AS sku, n FROM generate_series(200, 900) n) MERGE INTO item"
      " USING d ON item.sku = d.sku WHEN NOT MATCHED THEN INSERT (sku, v) VALUES (sku, random())"
      " WHEN MATCHED THEN UPDATE SET v = random(), sku = upper(item.sku)",
      701);
  merges(
      "MERGE INTO item USING (VALUES ('x', 1), ('y', 2)) AS d (sku, n) ON false"
      " WHEN NOT MATCHED THEN INSERT VALUES (n + 1000, d.sku, n)",
      2);
  merges(
      "MERGE INTO item i USING item o ON i.id = o.id + 1 AND i.id > 950 WHEN MATCHED THEN DELETE",
      1);
  merges(
      "MERGE INTO part p USING generate_series(1, 5) n ON p.id = n WHEN NOT MATCHED THEN INSERT"
      " (id, day, v) VALUES (n, '2026-01-01'::date + n % 2, 'v')",
      5);
  merges(
      "MERGE INTO part p USING generate_series(1, 9) n ON p.id = n WHEN MATCHED AND p.id = 3 THEN"
      " DELETE WHEN MATCHED THEN UPDATE SET v = v || random()",
      5);
  EXPECT_EQ(run(*app_,
                "MERGE INTO stock s USING generate_series(1, 3) n ON true WHEN MATCHED THEN"
                " DELETE"),
            SQL_ERROR);
  expect_equal(1);
}

TEST_F(ExactPostgresql, ViewsThatTheServerWritesThrough) {
  begin(
      {"CREATE TABLE t (id serial PRIMARY KEY, a text, b float8, hidden int DEFAULT 5, at "
       "timestamptz"
       " DEFAULT clock_timestamp(), g int GENERATED ALWAYS AS (id * 2) STORED)",
       "CREATE TABLE pair (k int, l text, v int, PRIMARY KEY (k, l))",
       "CREATE VIEW whole AS SELECT * FROM t WHERE id < 1000",
       "CREATE VIEW shows AS SELECT a AS \"the A\", id AS number, upper(a) AS loud, at FROM t AS x"
       " WHERE b IS NULL OR b < 1e9",
       "CREATE VIEW upon AS SELECT number, \"the A\" AS aa, at FROM shows WHERE number > 3 WITH "
       "CHECK"
       " OPTION",
       "CREATE VIEW pairs AS SELECT v, l, k FROM pair", "CREATE VIEW few AS SELECT a FROM t",
       "INSERT INTO t (a, b) SELECT 'a' || n, n FROM generate_series(1, 30) n",
       "INSERT INTO pair SELECT n, n, n FROM generate_series(1, 9) n"});
  send({"INSERT INTO whole (a, b) VALUES ('x', random()), ('y', NULL)",
        "UPDATE whole SET b = random() WHERE id BETWEEN 5 AND 9", "DELETE FROM whole WHERE id = 7",
        "INSERT INTO shows (\"the A\") VALUES ('z'), (NULL)",
        "UPDATE shows AS s SET \"the A\" = s.loud || random() WHERE s.number < 4 RETURNING s.*",
        "DELETE FROM shows WHERE loud = 'A10'",
        "UPDATE upon SET aa = aa || random() FROM pair WHERE pair.k = upon.number",
        "INSERT INTO upon (aa) VALUES ('up')", "DELETE FROM upon WHERE number = 12",
        "INSERT INTO pairs VALUES (1, 'x', 77), (2, 'y', 78)",
        "INSERT INTO pairs VALUES (10, 'x', 77), (2, 'z', 79) ON CONFLICT (k, l) DO UPDATE SET v ="
        " pairs.v + excluded.v",
        "UPDATE pairs SET v = v + 1 WHERE k > 3", "DELETE FROM pairs WHERE l = '5'"});
  expect_equal(0);
}

TEST_F(ExactPostgresql, OtherViewsAndRulesAreOpaque) {
  begin(
      {"CREATE TABLE t (id int PRIMARY KEY, a text)",
       "CREATE TABLE made (id serial PRIMARY KEY, a text, b int)",
       "CREATE TABLE ruled (id int PRIMARY KEY)", "CREATE TABLE told (id int PRIMARY KEY)",
       "CREATE RULE also AS ON INSERT TO ruled DO ALSO INSERT INTO told VALUES (new.id)",
       "CREATE VIEW plain AS SELECT id, a FROM t", "CREATE VIEW keyless AS SELECT a, b FROM made",
       "CREATE VIEW instead AS SELECT id FROM t", "CREATE VIEW by_rule AS SELECT id FROM t",
       "CREATE FUNCTION put() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES"
       " (new.id, 'instead'); RETURN new; END $$",
       "CREATE TRIGGER puts INSTEAD OF INSERT ON instead FOR EACH ROW EXECUTE FUNCTION put()",
       "CREATE RULE puts AS ON INSERT TO by_rule DO INSTEAD INSERT INTO t VALUES (new.id, 'rule')",
       "INSERT INTO made (a, b) VALUES ('x', 1)"});
  send({"INSERT INTO instead VALUES (1)", "INSERT INTO by_rule VALUES (2)",
        "INSERT INTO ruled VALUES (3)", "UPDATE plain SET id = id + 10 WHERE id = 1",
        "UPDATE keyless SET a = 'y' WHERE b = 1"});
  expect_equal(5);
}

TEST_F(ExactPostgresql, CheckNamesTriggersThatAreNotTheSame) {
  begin({"CREATE TABLE t (id int PRIMARY KEY, n int)",
         "CREATE TABLE child (id int PRIMARY KEY, t int REFERENCES t ON DELETE CASCADE)",
         "CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.n := new.n + 1;"
         " RETURN new; END $$",
         "CREATE TRIGGER counts BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION again()",
         "CREATE TRIGGER later AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION again()"});
  odbc::Connection shadow(migration_->shadow());
  shadow.run("DROP TRIGGER later ON t");
  shadow.run("CREATE TRIGGER more AFTER DELETE ON child EXECUTE FUNCTION again()");
  const std::string said = LiveMigration::tool({"check", migration_->name()}).output;
  for (const char* words :
       {"not on the shadow: trigger public.t.later",
        "on the shadow alone: trigger public.child.more",
        "may change on the shadow what production's have changed: trigger public.t.counts",
        "production: public.child changes with t"}) {
    EXPECT_NE(said.find(words), std::string::npos) << words << ": " << said;
  }
  app_.reset();
  migration_->expect_tool({"cancel"});
}

// More rows than are kept of such a statement: counted, whatever is taken back behind it.
TEST_F(ExactPostgresql, RowsThatAreNotReadStayNamedBehindASavepoint) {
  begin({"CREATE TABLE t (id serial PRIMARY KEY, v text)"});
  app_->autocommit(false);
  send(
      {"WITH a AS (INSERT INTO t (v) SELECT repeat('x', 150000) FROM generate_series(1, 4) "
       "RETURNING *) SELECT count(*) FROM a",
       "SAVEPOINT s", "INSERT INTO t (v) VALUES ('y')", "ROLLBACK TO s"});
  EXPECT_EQ(app_->commit(), SQL_SUCCESS);
  (void)LiveMigration::tool({"verify", migration_->name()});
  const auto status = migration_->status();
  EXPECT_EQ(status["uncaptured_writes"], 1) << status.dump(1);
  ASSERT_EQ(status["divergence_report"].size(), 1u) << status.dump(1);
  EXPECT_EQ(status["divergence_report"][0]["kind"], "uncaptured effects-unreadable");
}

// A collation may take several texts for one, and then several rows.
TEST_F(ExactPostgresql, RowsWithoutAKeyWhoseTextsAreEqualButNotTheSame) {
  begin(
      {"CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = "
       "false)",
       "CREATE TABLE t (v TEXT COLLATE caseless)", "INSERT INTO t VALUES ('a'), ('A'), ('Ab')"});
  send({"DELETE FROM t WHERE v = 'A' COLLATE \"C\"", "INSERT INTO t VALUES ('aB')",
        "UPDATE t SET v = 'c' WHERE v = 'aB' COLLATE \"C\""});
  expect_equal(0);
}

}  // namespace
}  // namespace understudy
