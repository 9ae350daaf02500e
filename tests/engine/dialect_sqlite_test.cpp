#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include "replayer/dialect/sqlite_catalog.h"
#include "tests/engine/databases.h"

namespace understudy {
namespace {

std::uint64_t test_seed() {
  const char* set = std::getenv("UNDERSTUDY_SEED");
  const std::uint64_t seed = set ? std::strtoull(set, nullptr, 10) : std::random_device{}();
  std::printf("UNDERSTUDY_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

class SqliteDialect : public testing::Test {
 protected:
  TempDir folder_;
  const SqlDialect& dialect_ = sql_dialect(Dialect::sqlite);
  std::string target_ = sqlite_target(folder_, "production");
  odbc::Connection db_{target_};

  Catalog catalog() { return dialect_.read_catalog(db_); }
};

TEST_F(SqliteDialect, ReadsColumnsKeysAndWhatTheEngineMakes) {
  run_all(db_,
          {"CREATE TABLE parent (a TEXT NOT NULL, b INT NOT NULL, PRIMARY KEY (b, a))"
           " WITHOUT ROWID",
           "CREATE TABLE child (id INTEGER PRIMARY KEY AUTOINCREMENT, pb INT, pa TEXT,"
           " n INT NOT NULL DEFAULT -5, made TEXT DEFAULT CURRENT_TIMESTAMP, word TEXT"
           " DEFAULT 'it''s', twice INT GENERATED ALWAYS AS (n * 2), u TEXT UNIQUE,"
           " r REAL DEFAULT (random()),"
           " FOREIGN KEY (pb, pa) REFERENCES parent ON DELETE SET NULL)",
           "CREATE UNIQUE INDEX part ON child (n) WHERE n > 3",
           "CREATE UNIQUE INDEX made_up ON child (lower(u))", "CREATE VIEW seen AS SELECT 1 AS one",
           "CREATE TRIGGER watch AFTER INSERT ON child BEGIN SELECT 1; END"});
  const auto found = catalog();
  EXPECT_EQ(table_of(found, "parent").key, (std::vector<std::uint32_t>{1, 0}));
  EXPECT_FALSE(table_of(found, "parent").columns[0].nullable);
  const auto& child = table_of(found, "child");
  const auto column = [&](const char* name) { return child.columns[*child.column(name)]; };
  EXPECT_TRUE(column("id").identity);
  EXPECT_EQ(column("n").default_kind, DefaultKind::constant);
  EXPECT_EQ(column("word").default_kind, DefaultKind::constant);
  EXPECT_EQ(column("made").default_kind, DefaultKind::computed);
  EXPECT_EQ(column("r").default_kind, DefaultKind::computed);
  EXPECT_TRUE(column("twice").generated);
  EXPECT_EQ(child.unique_keys, (std::vector<std::vector<std::uint32_t>>{
                                   {0, 1, 2, 3, 4, 5, 6, 7, 8},  // of expressions, of some rows
                                   {7}}));
  ASSERT_EQ(child.foreign_keys.size(), 1u);
  EXPECT_EQ(child.foreign_keys[0].columns, (std::vector<std::string>{"pb", "pa"}));
  EXPECT_EQ(child.foreign_keys[0].parent_columns, (std::vector<std::string>{"b", "a"}));
  EXPECT_TRUE(child.foreign_keys[0].cascades);
  EXPECT_EQ(child.triggers, std::vector<std::string>{"watch"});
  EXPECT_TRUE(table_of(found, "seen").is_view);
}

TEST_F(SqliteDialect, TellsARowidAliasFromOtherPrimaryKeys) {
  run_all(db_, {"CREATE TABLE alias (id integer PRIMARY KEY)",
                "CREATE TABLE descending (id INTEGER PRIMARY KEY DESC)",
                "CREATE TABLE int_key (id INT PRIMARY KEY)",
                "CREATE TABLE no_rowid (id INTEGER PRIMARY KEY) WITHOUT ROWID"});
  const auto found = catalog();
  EXPECT_TRUE(table_of(found, "alias").columns[0].identity);
  EXPECT_FALSE(table_of(found, "descending").columns[0].identity);
  EXPECT_FALSE(table_of(found, "int_key").columns[0].identity);
  EXPECT_FALSE(table_of(found, "no_rowid").columns[0].identity);
}

// The values are written by the engine itself, under every affinity, and read back by it.
TEST_F(SqliteDialect, CarriesEveryStorageClassThroughExactTextsUnderEveryAffinity) {
  const std::string columns =
      "(id INTEGER PRIMARY KEY, n, i INTEGER, r REAL, t TEXT, u NUMERIC, b BLOB)";
  db_.run("CREATE TABLE source " + columns);
  db_.run("CREATE TABLE target " + columns);
  for (const char* literal : {"NULL",
                              "0",
                              "-1",
                              "9223372036854775807",
                              "-9223372036854775808",
                              "0.1",
                              "5.0",
                              "1e308",
                              "-1e-300",
                              "4.9e-324",
                              "9e999",
                              "-9e999",
                              "9007199254740993.0",
                              "123456789.123456789",
                              "''",
                              "'5'",
                              "'5.0'",
                              "'1e5'",
                              "'it''s \"x\"'",
                              "'NULL'",
                              "'?{x}'",
                              "'ä€😀'",
                              "'a\\b'",
                              "'a' || char(13, 10) || 'b' || char(9)",
                              "x''",
                              "x'0001ff27'",
                              "x'616263'",
                              "'a' || char(0) || 'b'",
                              "713.16412345678901",
                              "' 7 '"}) {
    const std::string v = literal;
    db_.run("INSERT INTO source (n, i, r, t, u, b) VALUES (" + v + "," + v + "," + v + "," + v +
            "," + v + "," + v + ")");
  }
  const auto found = catalog();
  const auto rows = exact_rows(db_, dialect_, table_of(found, "source"));
  ASSERT_EQ(rows.size(), 30u);
  insert_exact(db_, dialect_, table_of(found, "target"), rows);
  EXPECT_EQ(exact_rows(db_, dialect_, table_of(found, "target")), rows);
  for (const char* column : {"n", "i", "r", "t", "u", "b"}) {
    const std::string c = column;
    EXPECT_EQ(db_.scalar("SELECT count(*) FROM source s JOIN target t USING (id) WHERE s." + c +
                         " IS t." + c + " AND typeof(s." + c + ") = typeof(t." + c + ")"),
              "30")
        << c;
  }
}

TEST_F(SqliteDialect, CarriesEveryRealExactly) {
  run_all(db_, {"CREATE TABLE source (id INTEGER PRIMARY KEY, v REAL)",
                "CREATE TABLE target (id INTEGER PRIMARY KEY, v REAL)"});
  const auto seed = test_seed();
  std::mt19937_64 random(seed);
  odbc::Statement insert(db_);
  insert.prepare("INSERT INTO source (v) VALUES (?)");
  db_.run("BEGIN");  // one sync to disk instead of thousands
  for (int i = 0; i < 5000; ++i) {
    auto value = std::bit_cast<double>(random());
    if (i % 2 == 0) value = static_cast<double>(random() % 100000000000) / 1000.0 / 7.0;
    if (!std::isfinite(value)) continue;
    odbc::Bind bind;
    bind.c_type = SQL_C_DOUBLE;
    bind.sql_type = SQL_DOUBLE;
    bind.indicator = sizeof value;
    bind.bytes.assign(reinterpret_cast<const char*>(&value), sizeof value);
    const std::vector<odbc::Bind> parameters{bind};
    insert.bind(parameters);
    insert.execute();
  }
  const auto found = catalog();
  insert_exact(db_, dialect_, table_of(found, "target"),
               exact_rows(db_, dialect_, table_of(found, "source")));
  db_.run("COMMIT");
  EXPECT_EQ(db_.scalar("SELECT count(*) FROM source s JOIN target t USING (id) WHERE s.v <> t.v"),
            "0");
  EXPECT_EQ(db_.scalar("SELECT count(*) FROM source"), db_.scalar("SELECT count(*) FROM target"));
}

TEST_F(SqliteDialect, ReadsAPrimaryKeyThatHoldsNullsByRowid) {
  run_all(db_,
          {"CREATE TABLE t (k TEXT PRIMARY KEY)", "INSERT INTO t VALUES (NULL), ('a'), (NULL)"});
  const auto found = catalog();
  EXPECT_EQ(dialect_.place_columns(table_of(found, "t")), 1u);
  EXPECT_EQ(exact_rows(db_, dialect_, table_of(found, "t")),
            (std::vector<Row>{{std::nullopt}, {"'a'"}, {std::nullopt}}));
}

TEST_F(SqliteDialect, SnapshotStaysAtTheStateItWasOpenedIn) {
  db_.scalar("PRAGMA journal_mode = wal");
  db_.run("CREATE TABLE t (id INTEGER PRIMARY KEY)");
  odbc::Connection reader(target_, true);
  EXPECT_TRUE(dialect_.snapshot_is_free(reader, nullptr));
  dialect_.open_snapshot(reader);
  db_.run("INSERT INTO t VALUES (1)");
  EXPECT_EQ(reader.scalar("SELECT count(*) FROM t"), "0");
  dialect_.close_snapshot(reader);
  EXPECT_EQ(reader.scalar("SELECT count(*) FROM t"), "1");
}

TEST_F(SqliteDialect, NamesTheRemedyWhereASnapshotWouldHoldUpWriters) {
  std::string remedy;
  EXPECT_FALSE(dialect_.snapshot_is_free(db_, &remedy));
  EXPECT_NE(remedy.find("journal_mode = WAL"), std::string::npos);
}

TEST_F(SqliteDialect, TakesTriggersAwayForTheCopyAndMakesThemAgain) {
  run_all(db_, {"CREATE TABLE t (id INTEGER PRIMARY KEY)", "CREATE TABLE log (id)",
                "CREATE TRIGGER w AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.id); END"});
  const auto found = catalog();
  dialect_.before_copy(db_, table_of(found, "t"));
  db_.run("INSERT INTO t VALUES (1)");
  EXPECT_EQ(db_.scalar("SELECT count(*) FROM log"), "0");
  dialect_.after_copy(db_, table_of(catalog(), "t"));  // a later process reads no triggers
  db_.run("INSERT INTO t VALUES (2)");
  EXPECT_EQ(db_.scalar("SELECT count(*) FROM log"), "1");
  EXPECT_EQ(db_.scalar("SELECT count(*) FROM sqlite_master WHERE name LIKE 'understudy%'"), "0");
}

TEST_F(SqliteDialect, SetsAutoincrementCountersAndNeverBackwards) {
  run_all(db_, {"CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT)",
                "CREATE TABLE b (id INTEGER PRIMARY KEY AUTOINCREMENT)",
                "INSERT INTO a VALUES (50)", "INSERT INTO b VALUES (7)", "DELETE FROM a"});
  odbc::Connection shadow(sqlite_target(folder_, "shadow"));
  run_all(shadow,
          {"CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT)",
           "CREATE TABLE b (id INTEGER PRIMARY KEY AUTOINCREMENT)", "INSERT INTO b VALUES (9)"});
  const auto states = dialect_.read_sequences(db_);
  EXPECT_EQ(dialect_.set_sequences(shadow, states, dialect_.read_catalog(shadow)), 1);
  run_all(shadow, {"INSERT INTO a DEFAULT VALUES", "INSERT INTO b DEFAULT VALUES"});
  EXPECT_EQ(shadow.scalar("SELECT max(id) FROM a"), "51");
  EXPECT_EQ(shadow.scalar("SELECT max(id) FROM b"), "10");
}

TEST(SqliteDefault, IsConstantOnlyForABareLiteral) {
  for (const char* text : {"5", "-1.5e3", "'it''s'", "x'00'", "true", "0xFF"}) {
    EXPECT_EQ(sqlite_default_kind(text), DefaultKind::constant) << text;
  }
  for (const char* text : {"CURRENT_TIMESTAMP", "random()", "'a' || 'b'", "1 + 1", "now"}) {
    EXPECT_EQ(sqlite_default_kind(text), DefaultKind::computed) << text;
  }
}

}  // namespace
}  // namespace understudy
