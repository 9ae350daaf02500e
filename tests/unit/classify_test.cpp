#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "driver/sql/analyzer.h"

namespace understudy::sql {
namespace {

using Expectations = std::vector<std::pair<const char*, StatementClass>>;
using C = StatementClass;

void expect_all(const Expectations& expectations, Dialect dialect) {
  for (const auto& [text, cls] : expectations) {
    EXPECT_EQ(static_cast<int>(classify(text, dialect).cls), static_cast<int>(cls)) << text;
  }
}

TEST(Classify, KnowsReadsOfPostgresql) {
  expect_all({{"SELECT 1", C::read},
              {" /* x */ ( SELECT a FROM t ) UNION SELECT 2", C::read},
              {"VALUES (1), (2)", C::read},
              {"TABLE t", C::read},
              {"WITH x AS (SELECT 1) SELECT * FROM x WHERE a IN (1, 2)", C::read},
              {"SELECT count(*), max(a)::varchar(10), pg_catalog.now() FROM t", C::read},
              {"SHOW work_mem", C::read},
              {"EXPLAIN DELETE FROM t", C::read},
              {"EXPLAIN ANALYZE SELECT 1", C::read},
              {"DECLARE c CURSOR FOR SELECT 1", C::read},
              {"FETCH 10 FROM c", C::read}},
             Dialect::postgresql);
}

TEST(Classify, TakesUnknownCallsInAQueryForWrites) {
  expect_all({{"SELECT my_function(1)", C::opaque},
              {"SELECT nextval('s')", C::opaque},
              {"SELECT public.abs(1)", C::opaque},
              {"SELECT \"f\"(1)", C::opaque},
              {"SELECT * FROM f(1)", C::opaque}},
             Dialect::postgresql);
}

TEST(Classify, KnowsLockingReads) {
  expect_all({{"SELECT * FROM t FOR UPDATE", C::locking_read},
              {"SELECT * FROM t FOR NO KEY UPDATE OF t NOWAIT", C::locking_read},
              {"SELECT * FROM t FOR KEY SHARE", C::locking_read},
              {"SELECT pg_advisory_lock(1)", C::locking_read},
              {"LOCK TABLE t", C::locking_read}},
             Dialect::postgresql);
  expect_all({{"SELECT * FROM t LOCK IN SHARE MODE", C::locking_read},
              {"SELECT * FROM t FOR UPDATE", C::locking_read}},
             Dialect::mariadb);
}

TEST(Classify, KnowsWrites) {
  const Expectations writes = {{"INSERT INTO t VALUES (?)", C::write},
                               {"update t set a = 1", C::write},
                               {"DELETE FROM t", C::write},
                               {"WITH x AS (SELECT 1) DELETE FROM t", C::write},
                               {"WITH x AS (DELETE FROM t) SELECT 1", C::write},
                               {"REPLACE INTO t VALUES (1)", C::write}};
  for (const Dialect d :
       {Dialect::generic, Dialect::sqlite, Dialect::postgresql, Dialect::mariadb}) {
    expect_all(writes, d);
  }
}

TEST(Classify, DoesNotTakeTheReplaceFunctionForAWrite) {
  expect_all({{"WITH x AS (SELECT replace(a, 'b', 'c') FROM t) SELECT * FROM x", C::read}},
             Dialect::sqlite);
}

TEST(Classify, TakesWhatMayWriteForOpaque) {
  expect_all({{"CALL p()", C::opaque},
              {"DO $$ BEGIN END $$", C::opaque},
              {"COPY t FROM STDIN", C::opaque},
              {"EXECUTE p(1)", C::opaque},
              {"{call p(?)}", C::opaque},
              {"{?=call p(?)}", C::opaque},
              {"EXPLAIN ANALYZE DELETE FROM t", C::opaque},
              {"EXPLAIN (ANALYZE) EXECUTE p", C::opaque},
              {"PREPARE TRANSACTION 'x'", C::opaque},
              {"COMMIT PREPARED 'x'", C::opaque},
              {"ROLLBACK PREPARED 'x'", C::opaque},
              {"FROBNICATE t", C::opaque},
              {"SELECT 'x", C::opaque}},
             Dialect::postgresql);
}

TEST(Classify, KnowsTransactionsInTwoPhases) {
  const auto phase = [](const char* text, Dialect dialect) {
    return classify(text, dialect).two_phase;
  };
  constexpr Dialect kPg = Dialect::postgresql;
  constexpr Dialect kMy = Dialect::mariadb;
  EXPECT_EQ(phase("PREPARE TRANSACTION 'x'", kPg), TwoPhase::prepares);
  EXPECT_EQ(phase("COMMIT PREPARED 'x'", kPg), TwoPhase::commits);
  EXPECT_EQ(phase("ROLLBACK PREPARED 'x'", kPg), TwoPhase::rolls_back);
  EXPECT_EQ(phase("PREPARE x AS SELECT 1", kPg), TwoPhase::none);
  EXPECT_EQ(phase("xa begin 'x'", kMy), TwoPhase::begins);
  EXPECT_EQ(phase("XA END 'x'", kMy), TwoPhase::goes_on);
  EXPECT_EQ(phase("XA PREPARE 'x'", kMy), TwoPhase::prepares);
  EXPECT_EQ(phase("XA COMMIT 'x'", kMy), TwoPhase::commits);
  EXPECT_EQ(phase("XA COMMIT 'x' ONE PHASE", kMy), TwoPhase::commits_alone);
  EXPECT_EQ(phase("XA ROLLBACK 'x'", kMy), TwoPhase::rolls_back);
  const Classification several = classify("INSERT INTO t VALUES (1); XA PREPARE 'x'", kMy);
  EXPECT_EQ(several.two_phase, TwoPhase::none);
  EXPECT_STREQ(several.uncaptured, kTwoPhase);
}

TEST(Classify, DropsWhatWasPreparedWithoutChangingTheSchema) {
  expect_all({{"DROP PREPARE p", C::context}, {"DROP TABLE prepare", C::ddl}}, Dialect::mariadb);
}

TEST(Classify, KnowsSavepointsByTheirNamesWithoutRegardToCase) {
  for (const Dialect dialect : {Dialect::sqlite, Dialect::mariadb}) {
    EXPECT_EQ(classify("SAVEPOINT Abc", dialect).savepoint,
              classify("RELEASE SAVEPOINT aBC", dialect).savepoint);
  }
}

TEST(Classify, KnowsSchemaChanges) {
  expect_all({{"CREATE TABLE t (a int)", C::ddl},
              {"ALTER TABLE t ADD b int", C::ddl},
              {"DROP TABLE t", C::ddl},
              {"TRUNCATE t", C::opaque},
              {"GRANT SELECT ON t TO u", C::ddl},
              {"SELECT * INTO u FROM t", C::ddl},
              {"REFRESH MATERIALIZED VIEW v", C::ddl}},
             Dialect::postgresql);
}

TEST(Classify, TemporaryTablesPinTheSession) {
  for (const char* text :
       {"CREATE TEMP TABLE t (a int)", "create local temporary table t (a int)",
        "CREATE OR REPLACE TEMP VIEW v AS SELECT 1", "SELECT * INTO TEMP u FROM t",
        "SELECT * INTO TEMPORARY TABLE u FROM t"}) {
    const Classification c = classify(text, Dialect::postgresql);
    EXPECT_EQ(c.cls, C::context) << text;
    EXPECT_TRUE(c.creates_temporary) << text;
  }
}

TEST(Classify, KnowsWhatRefusesATransactionBlock) {
  expect_all({{"VACUUM", C::no_block},
              {"CREATE DATABASE d", C::no_block},
              {"DROP DATABASE d", C::no_block},
              {"CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)", C::no_block},
              {"DROP INDEX CONCURRENTLY i", C::no_block},
              {"ALTER SYSTEM SET work_mem = 1", C::no_block},
              {"REINDEX DATABASE d", C::no_block}},
             Dialect::postgresql);
}

TEST(Classify, KnowsSessionContext) {
  expect_all({{"SET search_path = a", C::context},
              {"SET LOCAL work_mem = 1", C::context},
              {"RESET ALL", C::context},
              {"DISCARD ALL", C::context},
              {"LISTEN x", C::context},
              {"PREPARE p AS INSERT INTO t VALUES ($1)", C::context}},
             Dialect::postgresql);
  expect_all({{"USE db", C::context}, {"SET NAMES utf8", C::context}}, Dialect::mariadb);
}

TEST(Classify, KnowsTransactionControl) {
  expect_all({{"BEGIN", C::begin},
              {"BEGIN ISOLATION LEVEL SERIALIZABLE", C::begin},
              {"START TRANSACTION READ ONLY", C::begin},
              {"COMMIT", C::commit},
              {"END WORK", C::commit},
              {"ROLLBACK", C::rollback},
              {"ABORT", C::rollback}},
             Dialect::postgresql);
  expect_all({{"BEGIN IMMEDIATE", C::begin}, {"END TRANSACTION", C::commit}}, Dialect::sqlite);
  expect_all({{"BEGIN DELETE FROM t; END", C::opaque}}, Dialect::generic);
}

TEST(Classify, TellsAChainedEnd) {
  EXPECT_TRUE(classify("COMMIT AND CHAIN", Dialect::postgresql).chained);
  EXPECT_TRUE(classify("ROLLBACK WORK AND CHAIN;", Dialect::postgresql).chained);
  EXPECT_FALSE(classify("COMMIT AND NO CHAIN", Dialect::postgresql).chained);
}

TEST(Classify, NamesSavepointsAsTheEngineStoresThem) {
  EXPECT_EQ(classify("SAVEPOINT Abc", Dialect::postgresql).savepoint, "abc");
  EXPECT_EQ(classify("SAVEPOINT \"Abc\"", Dialect::postgresql).savepoint, "Abc");
  EXPECT_EQ(classify("ROLLBACK TO SAVEPOINT a", Dialect::postgresql).savepoint, "a");
  EXPECT_EQ(classify("ROLLBACK WORK TO a", Dialect::postgresql).savepoint, "a");
  EXPECT_EQ(classify("RELEASE a", Dialect::postgresql).savepoint, "a");
  EXPECT_EQ(classify("RELEASE SAVEPOINT a", Dialect::sqlite).savepoint, "a");
  expect_all({{"SAVEPOINT a", C::savepoint},
              {"ROLLBACK TO a", C::rollback_to},
              {"RELEASE SAVEPOINT a", C::release}},
             Dialect::sqlite);
}

TEST(Classify, SeveralStatementsAreOpaqueUnlessAllRead) {
  const Classification reads = classify("SELECT 1; SELECT 2;", Dialect::postgresql);
  EXPECT_EQ(reads.cls, C::read);
  EXPECT_EQ(reads.statements, 2u);
  const Classification mixed = classify("SELECT 1; DELETE FROM t", Dialect::postgresql);
  EXPECT_EQ(mixed.cls, C::opaque);
  EXPECT_EQ(mixed.statements, 2u);
  EXPECT_EQ(classify("BEGIN; COMMIT", Dialect::postgresql).cls, C::opaque);
}

TEST(Classify, CountsATriggersBodyAsItsStatement) {
  const Classification c =
      classify("CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM u; END", Dialect::sqlite);
  EXPECT_EQ(c.cls, C::ddl);
  EXPECT_EQ(c.statements, 1u);
}

TEST(Classify, SeesNothingInCommentsAndSemicolons) {
  expect_all({{"", C::empty}, {" -- x\n ; ; /* y */", C::empty}}, Dialect::postgresql);
}

TEST(Classify, TellsReadingFromSettingPragmas) {
  expect_all({{"PRAGMA user_version", C::read},
              {"PRAGMA table_info(t)", C::read},
              {"PRAGMA main.table_info(t)", C::read},
              {"PRAGMA foreign_keys = ON", C::context},
              {"PRAGMA main.journal_mode(WAL)", C::context},
              {"ATTACH 'x' AS y", C::context},
              {"VACUUM", C::no_block},
              {"EXPLAIN QUERY PLAN DELETE FROM t", C::read},
              {"SELECT load_extension('x')", C::opaque},
              {"SELECT writefile('x', 'y')", C::opaque},
              {"SELECT random(), my_extension(1)", C::read}},
             Dialect::sqlite);
}

TEST(Classify, ReadsWordsOfMariadb) {
  expect_all({{"SELECT a INTO @x FROM t", C::opaque},
              {"LOAD DATA INFILE 'x' INTO TABLE t", C::opaque},
              {"ANALYZE UPDATE t SET a = 1", C::opaque},
              {"SET STATEMENT max_statement_time=1 FOR DELETE FROM t", C::opaque},
              {"/*!50000 DELETE FROM t */", C::opaque},
              {"SHOW TABLES", C::read},
              {"DESCRIBE t", C::read},
              {"SELECT concat(a, 'x') FROM t", C::read}},
             Dialect::mariadb);
}

TEST(Classify, TakesNoNameWithColumnsForAFunction) {
  for (const char* text : {
           "CREATE TEMP TABLE t (a int DEFAULT 1, b geometry(4), UNIQUE (a))",
           "CREATE TEMP TABLE t (a int DEFAULT (1 + 2), CONSTRAINT c CHECK (a > 0), f geometry(4))",
           "CREATE TEMP TABLE t (a) AS SELECT i FROM (VALUES (1)) AS n(i)",
           "CREATE TEMP TABLE t AS WITH n(i) AS (SELECT 1) SELECT i FROM n",
           "CREATE TEMPORARY TABLE `t` (a INT DEFAULT 0, b INT AS (a + 1), INDEX i (a)) SELECT 1",
       }) {
    EXPECT_EQ(classify(text, Dialect::postgresql).uncaptured, nullptr) << text;
    EXPECT_EQ(classify(text, Dialect::mariadb).uncaptured, nullptr) << text;
  }
  expect_all({{"SELECT i FROM generate_series(1, 3) AS n(i)", C::read}}, Dialect::postgresql);
}

TEST(Classify, CountsFunctionsThatMayWriteWhereTheirTextIsNotReplayed) {
  const auto kind = [](std::string_view text, Dialect dialect = Dialect::postgresql) {
    const Classification c = classify(text, dialect);
    return std::string(c.uncaptured == nullptr ? "" : c.uncaptured);
  };
  EXPECT_EQ(kind("CREATE TEMP TABLE t AS SELECT f(1)"), "temporary-by-function");
  EXPECT_EQ(kind("CREATE TEMP TABLE t (a int DEFAULT f())"), "temporary-by-function");
  EXPECT_EQ(kind("SELECT f(1) AS a INTO TEMP t"), "temporary-by-function");
  EXPECT_EQ(kind("CREATE TEMP TABLE t (a int DEFAULT nextval('s'))"), "");
  EXPECT_EQ(kind("CREATE TEMP TABLE t AS EXECUTE p"), "temporary-by-function");
  EXPECT_EQ(kind("CREATE TEMP TABLE t (a int CHECK (a IN (1, f(2))))"), "temporary-by-function");
  EXPECT_EQ(kind("DECLARE c CURSOR FOR SELECT f(1)"), "cursor-by-function");
  EXPECT_EQ(kind("DECLARE c CURSOR FOR SELECT f(1); FETCH c"), "cursor-by-function");
  EXPECT_EQ(kind("DECLARE c CURSOR FOR SELECT lower(a) FROM t"), "");
  EXPECT_EQ(kind("SET @x = f(1)", Dialect::mariadb), "setting-by-function");
  EXPECT_EQ(kind("SET @x = NOW()", Dialect::mariadb), "");
}

}  // namespace
}  // namespace understudy::sql
