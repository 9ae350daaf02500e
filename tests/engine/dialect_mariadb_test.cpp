#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <set>
#include <string>

#include "replayer/copy/page_reader.h"
#include "replayer/dialect/mariadb_catalog.h"
#include "replayer/migration/settings.h"
#include "tests/engine/databases.h"

namespace understudy {
namespace {

std::uint64_t test_seed() {
  const char* set = std::getenv("UNDERSTUDY_SEED");
  const std::uint64_t seed = set ? std::strtoull(set, nullptr, 10) : std::random_device{}();
  std::printf("UNDERSTUDY_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

class MariadbDialect : public testing::Test {
 protected:
  const SqlDialect& dialect_ = sql_dialect(Dialect::mariadb);
  std::string target_ = mariadb_target();
  odbc::Connection db_{target_};
  std::string shadow_target_ = mariadb_target();
  odbc::Connection shadow_{shadow_target_};

  Catalog catalog() { return dialect_.read_catalog(db_); }

  // Both sides get the table; production's rows go over in exact texts.
  void expect_same_rows_over_there(const std::string& create) {
    shadow_.run(create);
    dialect_.prepare_session(db_);
    dialect_.prepare_session(shadow_);
    const auto found = catalog();
    const auto& table = table_of(found, "t");
    const auto rows = exact_rows(db_, dialect_, table);
    EXPECT_FALSE(rows.empty());
    insert_exact(shadow_, dialect_, table, rows);
    EXPECT_EQ(exact_rows(shadow_, dialect_, table), rows);
    const std::string sums = "CHECKSUM TABLE t EXTENDED";
    EXPECT_EQ(second_column(db_, sums), second_column(shadow_, sums));
  }

  static odbc::OptionalText second_column(odbc::Connection& db, const std::string& sql) {
    odbc::Statement statement(db);
    statement.execute_direct(sql);
    return statement.fetch() ? statement.text(2) : std::nullopt;
  }
};

TEST_F(MariadbDialect, ReadsColumnsKeysAndWhatTheServerMakes) {
  run_all(db_,
          {"CREATE TABLE parent (a VARCHAR(10), b INT, PRIMARY KEY (b, a))",
           "CREATE TABLE child (id INT AUTO_INCREMENT PRIMARY KEY, pb INT, pa VARCHAR(10),"
           " n DECIMAL(10,2) UNSIGNED NOT NULL DEFAULT 5.5, made DATETIME DEFAULT NOW(),"
           " word VARCHAR(20) DEFAULT 'it''s (', sum INT DEFAULT (n + 1), id2 UUID DEFAULT UUID(),"
           " twice INT AS (n * 2) VIRTUAL, thrice INT AS (n * 3) STORED, u VARCHAR(9) UNIQUE,"
           " changed DATETIME NULL ON UPDATE current_timestamp(), e ENUM('A','b') DEFAULT 'b',"
           " bits BIT(3) DEFAULT b'101', nothing INT DEFAULT NULL,"
           " FOREIGN KEY fk (pb, pa) REFERENCES parent (b, a) ON DELETE SET NULL)",
           "CREATE VIEW seen AS SELECT 1 AS one", "CREATE SEQUENCE numbers",
           "CREATE TRIGGER watch AFTER INSERT ON child FOR EACH ROW SET @x = 1"});
  const auto found = catalog();
  EXPECT_EQ(table_of(found, "parent").key, (std::vector<std::uint32_t>{1, 0}));
  const auto& child = table_of(found, "child");
  const auto column = [&](const char* name) { return child.columns[*child.column(name)]; };
  EXPECT_TRUE(column("id").identity);
  EXPECT_EQ(column("n").type, "decimal(10,2) unsigned");
  EXPECT_FALSE(column("n").nullable);
  EXPECT_EQ(column("n").default_kind, DefaultKind::constant);
  EXPECT_EQ(column("made").default_kind, DefaultKind::computed);
  EXPECT_EQ(column("word").default_kind, DefaultKind::constant);
  EXPECT_EQ(column("sum").default_kind, DefaultKind::computed);
  EXPECT_EQ(column("id2").default_kind, DefaultKind::computed);
  EXPECT_TRUE(column("twice").generated);
  EXPECT_TRUE(column("thrice").generated);
  EXPECT_EQ(column("changed").type, "datetime on update current_timestamp");
  EXPECT_EQ(column("e").type, "enum('A','b')");
  EXPECT_EQ(column("bits").default_kind, DefaultKind::constant);
  EXPECT_EQ(column("nothing").default_kind, DefaultKind::none);
  EXPECT_EQ(child.unique_keys, (std::vector<std::vector<std::uint32_t>>{{10}}));
  ASSERT_EQ(child.foreign_keys.size(), 1u);
  EXPECT_EQ(child.foreign_keys[0].columns, (std::vector<std::string>{"pb", "pa"}));
  EXPECT_EQ(child.foreign_keys[0].parent_columns, (std::vector<std::string>{"b", "a"}));
  EXPECT_TRUE(child.foreign_keys[0].cascades);
  EXPECT_EQ(child.triggers, std::vector<std::string>{"watch"});
  EXPECT_TRUE(table_of(found, "seen").is_view);
  EXPECT_EQ(found.find("", "numbers"), nullptr);
}

TEST_F(MariadbDialect, FindsTablesByTheNameOfTheirOwnDatabaseOnly) {
  db_.run("CREATE TABLE t (id INT PRIMARY KEY)");
  const auto found = catalog();
  EXPECT_NE(found.find(found.search_path.at(0), "t"), nullptr);
  EXPECT_EQ(found.find("another", "t"), nullptr);
}

TEST_F(MariadbDialect, CarriesEveryTypeThroughExactTexts) {
  const std::string create =
      "CREATE TABLE t (id INT PRIMARY KEY, ti TINYINT(1), bu BIGINT UNSIGNED, bs BIGINT,"
      " n DECIMAL(65,30), f FLOAT, d DOUBLE, b BIT(64), bn BINARY(3), vb VARBINARY(9), bl LONGBLOB,"
      " c CHAR(9), v VARCHAR(99), x LONGTEXT, l VARCHAR(9) CHARACTER SET latin1, j JSON,"
      " dd DATE, t TIME(6), dt DATETIME(6), ts TIMESTAMP(6) NULL, ts0 TIMESTAMP NULL, y YEAR,"
      " e ENUM('A','ä,'''), s SET('x','y'), u UUID, i6 INET6, g GEOMETRY, z INT(5) ZEROFILL)"
      " CHARACTER SET utf8mb4";
  run_all(
      db_,
      {create, "SET sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+05:30'",
       "INSERT INTO t VALUES (1, 1, 18446744073709551615, -9223372036854775808,"
       " 12345678901234567890123456789012345.123456789012345678901234567891, 0.1, 0.1,"
       " 18446744073709551615, x'000102', x'00', x'0027ff', 'ab ', 'ä😀\\'\\\\', '', 'é', "
       "'{\"a\":1}',"
       " '2020-02-31', '-838:59:59.999999', '9999-12-31 23:59:59.999999',"
       " '2038-01-19 08:44:07.999999', '1970-01-01 05:30:01', 2155, 'ä,''', 'x,y',"
       " '01234567-89ab-cdef-0123-456789abcdef', '::1', ST_GeomFromText('POINT(1.1 2)', 4326), 42)",
       "INSERT INTO t (id, dd, t, dt, ts, ts0, y, e, s, x, vb) VALUES (2, 0, 0, 0, 0, 0, 0, 'A', "
       "'',"
       " CONCAT('a', CHAR(0 USING utf8mb4), 'b'), '')",
       "INSERT INTO t (id, ts, ts0, dt) VALUES (3, '2021-06-01 00:00:00.000001',"
       " '2021-06-01 00:00:00', '0001-01-01 00:00:00')",
       "INSERT INTO t (id) VALUES (4)", "INSERT INTO t (id, v) VALUES (-5, 'negative')",
       "INSERT INTO t (id, bl, x) VALUES (0, REPEAT(x'00ff', 100000), REPEAT('ä', 100000))"});
  expect_same_rows_over_there(create);
}

TEST_F(MariadbDialect, WritesTheSameInstantWhateverTheTimeZoneOfTheSession) {
  run_all(db_, {"CREATE TABLE t (id INT PRIMARY KEY, ts TIMESTAMP)", "SET time_zone = '+02:00'",
                "INSERT INTO t VALUES (1, '2020-01-01 02:00:00')"});
  const auto found = catalog();
  EXPECT_EQ(exact_rows(db_, dialect_, table_of(found, "t")),
            (std::vector<Row>{{"1", "2020-01-01 00:00:00"}}));
}

TEST_F(MariadbDialect, LosesNoBitOfFloatsAndDoubles) {
  const std::string create = "CREATE TABLE t (id INT PRIMARY KEY, f FLOAT, d DOUBLE)";
  db_.run(create);
  std::mt19937_64 random(test_seed());
  std::string rows = "INSERT INTO t VALUES (0, 1.4e-45, 5e-324)";
  for (int i = 1; i < 9000; ++i) {
    const float f = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    const double d = std::bit_cast<double>(random());
    if (!std::isfinite(f) || !std::isfinite(d)) continue;
    char text[80];
    std::snprintf(text, sizeof text, ", (%d, %.9e, %.17e)", i, static_cast<double>(f), d);
    rows += text;
  }
  db_.run(rows);
  expect_same_rows_over_there(create);
}

TEST_F(MariadbDialect, ReadsPagesInTheOrderOfEveryKindOfKey) {
  const std::vector<std::pair<std::string, std::string>> keys = {
      {"BIGINT UNSIGNED", "18446744073709551615 - seq"},
      {"DECIMAL(30,10)", "9007199254740993.25 + seq / 10"},
      {"DOUBLE", "1 / seq"},
      {"FLOAT", "1 / seq"},
      {"VARCHAR(20)", "CONCAT(IF(seq % 2, 'a', 'B'), seq)"},
      {"VARBINARY(20)", "UNHEX(HEX(seq))"},
      {"BIT(20)", "seq"},
      {"DATE", "DATE'2020-01-01' + INTERVAL seq DAY"},
      {"TIMESTAMP(3)", "TIMESTAMP'2020-01-01 00:00:00' + INTERVAL seq / 1000 SECOND"},
      {"TIME", "SEC_TO_TIME(CAST(seq AS SIGNED) * 7 - 500)"},
      {"UUID", "UUID()"},
      {"INET6", "INET6_NTOA(UNHEX(LPAD(HEX(seq), 32, '0')))"}};
  for (const auto& [type, value] : keys) {
    SCOPED_TRACE(type);
    db_.run("CREATE OR REPLACE TABLE t (a INT, k " + type + ", PRIMARY KEY (k, a))");
    db_.run("INSERT INTO t (k, a) SELECT " + value + ", seq % 3 FROM seq_1_to_100");
    dialect_.prepare_session(db_);
    const auto found = catalog();
    const auto& table = table_of(found, "t");
    std::vector<Row> got;
    std::vector<Row> page;
    PageReader reader(db_, dialect_, table, all_columns(table), 7);
    while (reader.next(&page)) got.insert(got.end(), page.begin(), page.end());
    EXPECT_EQ(got, exact_rows(db_, dialect_, table));
    EXPECT_EQ(got.size(), 100u);
  }
}

TEST_F(MariadbDialect, ReadsPagesByTheNumbersOfEnumsAndSets) {
  run_all(db_, {"CREATE TABLE t (k ENUM('z','m','a'), s SET('y','b'), PRIMARY KEY (k, s))",
                "INSERT INTO t VALUES ('z','y'), ('z','b'), ('z','y,b'), ('m',''), ('a','b')"});
  const auto found = catalog();
  const auto& table = table_of(found, "t");
  std::vector<Row> got;
  std::vector<Row> page;
  PageReader reader(db_, dialect_, table, all_columns(table), 2);
  while (reader.next(&page)) got.insert(got.end(), page.begin(), page.end());
  EXPECT_EQ(got, (std::vector<Row>{{"z", "y"}, {"z", "b"}, {"z", "y,b"}, {"m", ""}, {"a", "b"}}));
}

TEST_F(MariadbDialect, ReadsEveryRowOfATableWithoutAKeyOnce) {
  run_all(db_, {"CREATE TABLE t (a VARCHAR(9), b INT)",
                "INSERT INTO t VALUES ('x', 1), ('x', 1), ('X', 1), (NULL, 1), ('', NULL),"
                " ('x', 1), ('y', 2), (NULL, NULL)"});
  const auto found = catalog();
  const auto& table = table_of(found, "t");
  std::multiset<Row> got;
  std::vector<Row> page;
  PageReader reader(db_, dialect_, table, all_columns(table), 2);
  while (reader.next(&page)) got.insert(page.begin(), page.end());
  EXPECT_EQ(got, (std::multiset<Row>{{"x", "1"},
                                     {"x", "1"},
                                     {"x", "1"},
                                     {"X", "1"},
                                     {std::nullopt, "1"},
                                     {"", std::nullopt},
                                     {"y", "2"},
                                     {std::nullopt, std::nullopt}}));
}

TEST_F(MariadbDialect, SeesOneStateInASnapshotWhileOthersWrite) {
  run_all(db_, {"CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)"});
  odbc::Connection reader(target_);
  dialect_.open_snapshot(reader);
  db_.run("INSERT INTO t VALUES (2)");
  EXPECT_EQ(reader.scalar("SELECT COUNT(*) FROM t"), "1");
  EXPECT_EQ(reader.scalar("SELECT COUNT(*) FROM t"), "1");
  dialect_.close_snapshot(reader);
  EXPECT_EQ(reader.scalar("SELECT COUNT(*) FROM t"), "2");
}

TEST_F(MariadbDialect, UpdatesAndDeletesByKeysThatNoDoubleHolds) {
  run_all(db_, {"CREATE TABLE t (id BIGINT PRIMARY KEY, v TEXT)",
                "INSERT INTO t VALUES (9007199254740993, 'a'), (9007199254740992, 'b')"});
  const auto found = catalog();
  const auto& table = table_of(found, "t");
  odbc::Statement statement(db_);
  statement.prepare(dialect_.update_sql(table, {1}, {0}));
  const std::vector<odbc::Bind> changed = {
      dialect_.bind(table.columns[1], odbc::OptionalText("c")),
      dialect_.bind(table.columns[0], odbc::OptionalText("9007199254740993"))};
  statement.bind(changed);
  statement.execute();
  statement.prepare(dialect_.delete_sql(table, {0}));
  const std::vector<odbc::Bind> key = {
      dialect_.bind(table.columns[0], odbc::OptionalText("9007199254740992"))};
  statement.bind(key);
  statement.execute();
  EXPECT_EQ(exact_rows(db_, dialect_, table), (std::vector<Row>{{"9007199254740993", "c"}}));
}

TEST_F(MariadbDialect, SetsAutoIncrementAndSequencesForwardOnly) {
  for (auto* db : {&db_, &shadow_}) {
    run_all(*db,
            {"CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY)", "CREATE SEQUENCE s NOCACHE"});
  }
  run_all(db_, {"INSERT INTO t VALUES (41)", "DELETE FROM t"});
  db_.scalar("SELECT NEXTVAL(s)");
  db_.scalar("SELECT NEXTVAL(s)");
  const auto standing = dialect_.read_sequences(db_);
  const auto shadow_catalog = dialect_.read_catalog(shadow_);
  EXPECT_EQ(dialect_.set_sequences(shadow_, standing, shadow_catalog), 2);
  EXPECT_EQ(dialect_.set_sequences(shadow_, standing, shadow_catalog), 0);
  EXPECT_EQ(shadow_.scalar("SELECT CAST(NEXTVAL(s) AS CHAR)"), "3");
  shadow_.run("INSERT INTO t VALUES ()");
  EXPECT_EQ(shadow_.scalar("SELECT CAST(id AS CHAR) FROM t"), "42");
}

TEST_F(MariadbDialect, TakesTriggersAwayForTheCopyAndMakesThemAgain) {
  run_all(shadow_,
          {"CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(9))", "SET sql_mode = 'ANSI_QUOTES'",
           "CREATE TRIGGER loud BEFORE INSERT ON t FOR EACH ROW SET NEW.\"v\" = 'loud'"});
  dialect_.prepare_session(shadow_);
  const auto found = dialect_.read_catalog(shadow_);
  dialect_.before_copy(shadow_, table_of(found, "t"));
  shadow_.run("INSERT INTO t VALUES (1, 'calm')");
  dialect_.after_copy(shadow_, table_of(found, "t"));
  shadow_.run("INSERT INTO t VALUES (2, 'calm')");
  EXPECT_EQ(exact_rows(shadow_, dialect_, table_of(found, "t")),
            (std::vector<Row>{{"1", "calm"}, {"2", "loud"}}));
  EXPECT_EQ(shadow_.scalar("SHOW TABLES LIKE 'understudy%'"), std::nullopt);
}

TEST_F(MariadbDialect, KeepsAnIdOfZeroOnTheApplyingConnection) {
  shadow_.run("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, d DATE)");
  const auto options = dialect_.apply_options(shadow_.info(SQL_DRIVER_NAME));
  odbc::Connection applying(with_options(shadow_target_, options));
  applying.run("INSERT INTO t VALUES (0, '0000-00-00')");
  const auto found = dialect_.read_catalog(shadow_);
  EXPECT_EQ(exact_rows(applying, dialect_, table_of(found, "t")),
            (std::vector<Row>{{"0", "0000-00-00"}}));
}

TEST_F(MariadbDialect, NamesTablesThatHaveNoTransactions) {
  run_all(db_, {"CREATE TABLE t (id INT PRIMARY KEY) ENGINE=MyISAM",
                "CREATE TABLE u (id INT PRIMARY KEY) ENGINE=InnoDB"});
  const auto spots = dialect_.weak_spots(db_);
  ASSERT_EQ(spots.size(), 1u);
  EXPECT_NE(spots[0].find("table t has the engine MyISAM"), std::string::npos);
}

TEST_F(MariadbDialect, NamesDefaultsThatTakeNumbersOfASequence) {
  run_all(db_,
          {"CREATE SEQUENCE `n``1`",
           "CREATE TABLE t (id INT DEFAULT NEXTVAL(`n``1`) PRIMARY KEY,"
           " c VARCHAR(9) DEFAULT CONCAT('a', NEXT VALUE FOR `n``1`))",
           "CREATE TABLE away (v INT)", "CREATE TABLE near (v INT)", "CREATE TABLE nearer (v INT)",
           "CREATE PROCEDURE may(v INT) INSERT INTO t SET c = v", "CREATE TABLE caller (v INT)",
           "CREATE VIEW shown AS SELECT c FROM t", "CREATE TABLE viewer (v INT)",
           "CREATE TRIGGER e AFTER INSERT ON viewer FOR EACH ROW INSERT INTO shown VALUES (1)",
           "CREATE TRIGGER a AFTER INSERT ON away FOR EACH ROW SET @a = 1",
           "CREATE TRIGGER b AFTER DELETE ON near FOR EACH ROW INSERT INTO nearer SET v = 2",
           "CREATE TRIGGER c BEFORE INSERT ON nearer FOR EACH ROW INSERT INTO T (c) VALUES (2)",
           "CREATE TRIGGER d AFTER UPDATE ON caller FOR EACH ROW CALL may(1)"});
  EXPECT_EQ(dialect_.weak_spots(db_).size(), 2u);
  const auto found = dialect_.read_catalog(db_);
  const auto columns = table_of(found, "t").columns;
  EXPECT_TRUE(columns[0].numbered);
  EXPECT_EQ(db_.scalar("SELECT NEXTVAL(" + columns[0].sequence + ")"), "1");
  EXPECT_TRUE(columns[1].numbered);
  EXPECT_EQ(columns[1].sequence, "");
  EXPECT_FALSE(table_of(found, "away").numbering);
  for (const char* name : {"near", "nearer", "caller", "viewer"}) {
    EXPECT_TRUE(table_of(found, name).numbering) << name;
  }
}

TEST(MariadbDefault, TellsConstantsFromWhatTheServerComputes) {
  for (const char* constant : {"5", "-1.5", "1e10", "'a'", "'it''s'", "'a\\'b'", "b'101'", "''"}) {
    EXPECT_EQ(mariadb_default_kind(constant), DefaultKind::constant) << constant;
  }
  EXPECT_EQ(mariadb_default_kind("NULL"), DefaultKind::none);
  for (const char* computed : {"current_timestamp()", "uuid()", "(`a` + 1)", "'a' + 'b'", "1 + `a`",
                               "curdate()", "-`a`", "concat('a')"}) {
    EXPECT_EQ(mariadb_default_kind(computed), DefaultKind::computed) << computed;
  }
}

}  // namespace
}  // namespace understudy
