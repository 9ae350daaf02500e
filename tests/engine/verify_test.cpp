#include "replayer/verify/verify.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/engine/databases.h"

namespace understudy {
namespace {

VerifyResult compare(odbc::Connection& production, odbc::Connection& shadow) {
  const auto& from = dialect_for(production, generic_forced());
  const auto& to = dialect_for(shadow, generic_forced());
  const auto production_catalog = from.read_catalog(production);
  const auto shadow_catalog = to.read_catalog(shadow);
  std::vector<std::string> problems;
  const auto pairs = pair_tables(production_catalog, shadow_catalog, Mapped{}, &problems);
  from.open_snapshot(production);
  to.open_snapshot(shadow);
  const std::atomic<bool> stop = false;
  auto result = compare_tables(production, shadow, from, to, pairs, {}, stop);
  from.close_snapshot(production);
  to.close_snapshot(shadow);
  return result;
}

class VerifyPostgresql : public testing::Test {
 protected:
  odbc::Connection production_{postgres_target()};
  odbc::Connection shadow_{postgres_target()};

  void both(const std::vector<std::string_view>& statements) {
    run_all(production_, statements);
    run_all(shadow_, statements);
  }
};

class VerifySqlite : public testing::Test {
 protected:
  TempDir folder_;
  odbc::Connection production_{sqlite_target(folder_, "production")};
  odbc::Connection shadow_{sqlite_target(folder_, "shadow")};
};

TEST_F(VerifyPostgresql, FindsEqualTablesEqual) {
  both({"CREATE TABLE t (id int PRIMARY KEY, v text, at timestamptz)",
        "INSERT INTO t SELECT i, 'v' || i, to_timestamp(i) FROM generate_series(1, 9001) i"});
  production_.run("SET TIME ZONE 'Asia/Tokyo'");
  const auto result = compare(production_, shadow_);
  EXPECT_EQ(result.rows_compared, 9001u);
  EXPECT_EQ(result.rows_different, 0u);
  ASSERT_EQ(result.tables.size(), 1u);
  EXPECT_EQ(result.tables[0].table, "public.t");
}

TEST_F(VerifyPostgresql, CountsMissingExtraAndDifferentRowsAndNamesTheirKeys) {
  both({"CREATE TABLE t (id int PRIMARY KEY, v text)",
        "INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 9001) i"});
  run_all(shadow_, {"DELETE FROM t WHERE id = 7", "UPDATE t SET v = NULL WHERE id IN (1, 9000)",
                    "INSERT INTO t VALUES (-3, 'x')"});
  const auto result = compare(production_, shadow_);
  EXPECT_EQ(result.rows_different, 4u);
  EXPECT_EQ(result.rows_compared, 9002u);
  const auto& table = result.tables.at(0);
  EXPECT_EQ(table.missing, 1u);
  EXPECT_EQ(table.extra, 1u);
  EXPECT_EQ(table.different, 2u);
  auto keys = table.first_keys;
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(keys, (std::vector<Row>{{"-3"}, {"1"}, {"7"}, {"9000"}}));
}

TEST_F(VerifyPostgresql, KeepsTheFirstTenKeysOnly) {
  both({"CREATE TABLE t (id int PRIMARY KEY)"});
  production_.run("INSERT INTO t SELECT generate_series(1, 1000)");
  const auto result = compare(production_, shadow_);
  EXPECT_EQ(result.tables.at(0).missing, 1000u);
  EXPECT_EQ(result.tables.at(0).first_keys.size(), kFirstKeysMax);
}

TEST_F(VerifyPostgresql, MatchesRowsByKeyWhereTheSidesSortDifferently) {
  production_.run("CREATE TABLE t (k text COLLATE \"C\" PRIMARY KEY, v int)");
  shadow_.run("CREATE TABLE t (k text COLLATE \"und-x-icu\" PRIMARY KEY, v int)");
  const char* rows =
      "INSERT INTO t SELECT CASE WHEN i % 2 = 0 THEN 'a' ELSE 'A' END || md5(i::text), i"
      " FROM generate_series(1, 9001) i";
  production_.run(rows);
  shadow_.run(rows);
  const auto result = compare(production_, shadow_);
  EXPECT_EQ(result.rows_compared, 9001u);
  EXPECT_EQ(result.rows_different, 0u);
}

TEST_F(VerifyPostgresql, ComparesTablesWithoutAKeyAsMultisets) {
  both({"CREATE TABLE t (v text)"});
  production_.run("INSERT INTO t VALUES ('a'), ('a'), ('b'), (NULL)");
  shadow_.run("INSERT INTO t VALUES ('b'), ('a'), (NULL), ('c')");
  const auto result = compare(production_, shadow_);
  EXPECT_EQ(result.tables.at(0).missing, 1u);
  EXPECT_EQ(result.tables.at(0).extra, 1u);
  EXPECT_EQ(result.rows_different, 2u);
}

TEST_F(VerifyPostgresql, TellsNullFromTheEmptyTextAndOneColumnFromTheNext) {
  both({"CREATE TABLE t (id int PRIMARY KEY, a text, b text)"});
  production_.run("INSERT INTO t VALUES (1, NULL, ''), (2, 'x', 'yz')");
  shadow_.run("INSERT INTO t VALUES (1, '', NULL), (2, 'xy', 'z')");
  EXPECT_EQ(compare(production_, shadow_).tables.at(0).different, 2u);
}

TEST_F(VerifyPostgresql, ComparesNumbersByValueWhereTheColumnTypeChanged) {
  production_.run("CREATE TABLE t (id int PRIMARY KEY, n numeric(10,2))");
  shadow_.run("CREATE TABLE t (id bigint PRIMARY KEY, n numeric(12,4))");
  production_.run("INSERT INTO t VALUES (1, 1.5), (2, 100)");
  shadow_.run("INSERT INTO t VALUES (1, 1.5), (2, 100.0001)");
  EXPECT_EQ(compare(production_, shadow_).rows_different, 1u);
}

TEST_F(VerifySqlite, FindsEqualTablesEqualWhateverTheirRowids) {
  for (auto* db : {&production_, &shadow_}) db->run("CREATE TABLE t (k TEXT PRIMARY KEY, v)");
  production_.run("INSERT INTO t VALUES ('a', 1), ('b', 2.5), ('c', x'00'), (NULL, 1)");
  shadow_.run("INSERT INTO t VALUES (NULL, 1), ('c', x'00'), ('b', 2.5), ('a', 1)");
  const auto result = compare(production_, shadow_);
  EXPECT_EQ(result.rows_compared, 4u);
  EXPECT_EQ(result.rows_different, 0u);
}

TEST_F(VerifySqlite, SeesAValueOfAnotherStorageClass) {
  for (auto* db : {&production_, &shadow_}) db->run("CREATE TABLE t (k INTEGER PRIMARY KEY, v)");
  production_.run("INSERT INTO t VALUES (1, 5)");
  shadow_.run("INSERT INTO t VALUES (1, '5')");
  EXPECT_EQ(compare(production_, shadow_).tables.at(0).different, 1u);
}

TEST_F(VerifySqlite, ComparesValuesAcrossEngines) {
  production_.run("CREATE TABLE t (k INTEGER PRIMARY KEY, f REAL, n NUMERIC, s TEXT)");
  production_.run("INSERT INTO t VALUES (1, 5.0, 1.50, 'it''s'), (2, 1e20, 3, NULL)");
  odbc::Connection postgres(postgres_target());
  postgres.run("CREATE TABLE t (k bigint PRIMARY KEY, f float8, n numeric(10,3), s text)");
  postgres.run("INSERT INTO t VALUES (1, 5, 1.5, 'it''s'), (2, 1e20, 3, '')");
  const auto result = compare(production_, postgres);
  EXPECT_EQ(result.rows_compared, 2u);
  EXPECT_EQ(result.rows_different, 1u);  // NULL and ''
}

}  // namespace
}  // namespace understudy
