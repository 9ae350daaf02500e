#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "journal/segment_map.h"
#include "replayer/dialect/postgresql_catalog.h"
#include "tests/engine/databases.h"

namespace understudy {
namespace {

class PostgresqlDialect : public testing::Test {
 protected:
  const SqlDialect& dialect_ = sql_dialect(Dialect::postgresql);
  std::string target_ = postgres_target();
  odbc::Connection db_{target_};

  Catalog catalog() { return dialect_.read_catalog(db_); }

  // Writes the values through exact texts into a second table and compares on the server.
  void expect_round_trip(const std::string& type, const std::vector<std::string>& literals) {
    run_all(db_, {"DROP TABLE IF EXISTS source", "DROP TABLE IF EXISTS target"});
    db_.run("CREATE TABLE source (id int PRIMARY KEY, v " + type + ")");
    db_.run("CREATE TABLE target (id int PRIMARY KEY, v " + type + ")");
    for (std::size_t i = 0; i < literals.size(); ++i) {
      db_.run("INSERT INTO source VALUES (" + std::to_string(i) + ", " + literals[i] + ")");
    }
    const auto tables = catalog();
    dialect_.prepare_session(db_);
    const auto rows = exact_rows(db_, dialect_, table_of(tables, "source"));
    ASSERT_EQ(rows.size(), literals.size()) << type;
    insert_exact(db_, dialect_, table_of(tables, "target"), rows);
    EXPECT_EQ(exact_rows(db_, dialect_, table_of(tables, "target")), rows) << type;
    EXPECT_EQ(db_.scalar("SELECT count(*) FROM source s JOIN target t USING (id)"
                         " WHERE s.v::text IS NOT DISTINCT FROM t.v::text"
                         " AND (s.v IS NULL) = (t.v IS NULL)"),
              std::to_string(literals.size()))
        << type;
  }
};

TEST_F(PostgresqlDialect, ReadsColumnsKeysAndWhatTheServerMakes) {
  run_all(db_,
          {"CREATE TABLE parent (a int, b text, PRIMARY KEY (b, a))",
           "CREATE TABLE child (id serial PRIMARY KEY, big bigint GENERATED ALWAYS AS IDENTITY,"
           " pb text, pa int, made timestamptz DEFAULT now(), n int NOT NULL DEFAULT 5,"
           " twice int GENERATED ALWAYS AS (n * 2) STORED, u text UNIQUE, d date,"
           " FOREIGN KEY (pb, pa) REFERENCES parent ON DELETE CASCADE)",
           "CREATE UNIQUE INDEX child_part ON child (d) WHERE n > 3",
           "CREATE VIEW seen AS SELECT 1 AS one",
           "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
           " $$BEGIN RETURN NEW; END$$",
           "CREATE TRIGGER watch BEFORE INSERT ON child FOR EACH ROW EXECUTE FUNCTION f()"});
  const auto found = catalog();
  EXPECT_EQ(found.search_path, std::vector<std::string>{"public"});
  const auto& parent = table_of(found, "parent");
  EXPECT_EQ(parent.key, (std::vector<std::uint32_t>{1, 0}));
  const auto& child = table_of(found, "child");
  const auto column = [&](const char* name) { return child.columns[*child.column(name)]; };
  EXPECT_TRUE(column("id").identity);
  EXPECT_EQ(column("id").sequence, "public.child_id_seq");
  EXPECT_TRUE(column("big").identity);
  EXPECT_EQ(column("big").sequence, "public.child_big_seq");
  EXPECT_EQ(column("made").default_kind, DefaultKind::computed);
  EXPECT_EQ(column("made").type, "timestamp with time zone");
  EXPECT_EQ(column("n").default_kind, DefaultKind::constant);
  EXPECT_FALSE(column("n").nullable);
  EXPECT_TRUE(column("n").immutable_arithmetic);
  EXPECT_TRUE(column("twice").generated);
  EXPECT_EQ(column("d").default_kind, DefaultKind::none);
  EXPECT_EQ(child.unique_keys, (std::vector<std::vector<std::uint32_t>>{{7}}));
  ASSERT_EQ(child.foreign_keys.size(), 1u);
  EXPECT_EQ(child.foreign_keys[0].columns, (std::vector<std::string>{"pb", "pa"}));
  EXPECT_EQ(child.foreign_keys[0].parent_columns, (std::vector<std::string>{"b", "a"}));
  EXPECT_TRUE(child.foreign_keys[0].cascades);
  EXPECT_EQ(child.triggers, std::vector<std::string>{"watch"});
  EXPECT_TRUE(table_of(found, "seen").is_view);
}

TEST_F(PostgresqlDialect, LeavesOutSystemSchemasAndThePositionTable) {
  db_.run("CREATE SCHEMA other");
  db_.run("CREATE TABLE other.thing (id int PRIMARY KEY)");
  dialect_.make_position_table(db_);
  const auto found = catalog();
  ASSERT_EQ(found.tables.size(), 1u);
  EXPECT_EQ(found.tables[0].display_name(), "other.thing");
}

TEST_F(PostgresqlDialect, ReadsAPartitionedTableAndItsPartitions) {
  run_all(db_, {"CREATE TABLE whole (id int PRIMARY KEY) PARTITION BY RANGE (id)",
                "CREATE TABLE part PARTITION OF whole FOR VALUES FROM (0) TO (10)",
                "CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS"
                " 'BEGIN RETURN new; END'",
                "CREATE TRIGGER below BEFORE INSERT ON part FOR EACH ROW"
                " EXECUTE FUNCTION quiet()"});
  const auto found = catalog();
  const Table& whole = table_of(found, "whole");
  EXPECT_FALSE(whole.is_view);
  EXPECT_TRUE(whole.partitioned);
  EXPECT_FALSE(whole.holds_rows());
  EXPECT_EQ(whole.key.size(), 1u);
  EXPECT_EQ(whole.triggers, std::vector<std::string>{"below"});
  EXPECT_TRUE(table_of(found, "part").holds_rows());
  EXPECT_FALSE(table_of(found, "part").inherited);
  EXPECT_EQ(table_of(found, "part").key.size(), 1u);
}

TEST_F(PostgresqlDialect, SaysWhichTablesOthersInheritFrom) {
  run_all(db_, {"CREATE TABLE parent (id int PRIMARY KEY)",
                "CREATE TABLE child (v int) INHERITS (parent)"});
  const auto found = catalog();
  EXPECT_TRUE(table_of(found, "parent").inherited);
  EXPECT_FALSE(table_of(found, "child").inherited);
}

TEST_F(PostgresqlDialect, SaysWhatAnAccountMayNotReadAndWhereRowsAreHidden) {
  run_all(db_, {"DROP ROLE IF EXISTS understudy_reader", "CREATE ROLE understudy_reader",
                "CREATE TABLE open (id int PRIMARY KEY)",
                "CREATE TABLE half (id int PRIMARY KEY, secret text)",
                "ALTER TABLE open ENABLE ROW LEVEL SECURITY",
                "CREATE RULE quiet AS ON DELETE TO half DO INSTEAD NOTHING",
                "GRANT SELECT ON open TO understudy_reader",
                "GRANT SELECT (id) ON half TO understudy_reader", "SET ROLE understudy_reader"});
  const auto found = catalog();
  run_all(db_, {"RESET ROLE", "DROP OWNED BY understudy_reader", "DROP ROLE understudy_reader"});
  EXPECT_TRUE(table_of(found, "open").readable);
  EXPECT_TRUE(table_of(found, "open").row_security);
  EXPECT_FALSE(table_of(found, "half").readable);
  EXPECT_TRUE(table_of(found, "half").rules);
}

TEST(PostgresqlDefault, IsConstantOnlyForALiteralWithAtMostOneCast) {
  for (const char* text :
       {"5", "'-1'::integer", "(-1)", "1.5", "true", "NULL::text", "'it''s'::character varying(5)",
        "'{}'::text[]", "'2024-01-01'::date", "'x'::\"Mood\"", "'1 day'::interval"}) {
    EXPECT_EQ(postgresql_default_kind(text), DefaultKind::constant) << text;
  }
  for (const char* text : {"now()", "nextval('s'::regclass)", "CURRENT_TIMESTAMP", "(1 + 2)",
                           "('now'::text)::date", "'now'::text::date", "'a'::text || 'b'",
                           "random()", "ARRAY[1]", "'5'::integer + n", "truev()"}) {
    EXPECT_EQ(postgresql_default_kind(text), DefaultKind::computed) << text;
  }
}

TEST_F(PostgresqlDialect, CarriesNumbersThroughExactTexts) {
  expect_round_trip("int", {"0", "-2147483648", "NULL"});
  expect_round_trip("bigint", {"9223372036854775807", "-9223372036854775808"});
  expect_round_trip("numeric", {"12345678901234567890123456789012345678901234567890.1234567890",
                                "'NaN'", "-0.00", "1e-200", "'Infinity'"});
  expect_round_trip("numeric(10,2)", {"12.50", "-99999999.99"});
  expect_round_trip("float8", {"0.1", "'Infinity'", "'-Infinity'", "'NaN'", "1e308", "5e-324",
                               "0.1::float8 + 0.2::float8"});
  expect_round_trip("real", {"0.1", "3.4e38"});
  expect_round_trip("boolean", {"true", "false", "NULL"});
}

TEST_F(PostgresqlDialect, CarriesTextsThroughExactTexts) {
  expect_round_trip(
      "text", {"''", "NULL", "'it''s \"q\"'", "E'a\\nb\\r\\nc\\td\\r'", "'ä€😀'",
               "E'back\\\\slash \\\\'", "'? {d} :x $1'", "'  blanks  '", "repeat('é😀', 100000)"});
  expect_round_trip("char(5)", {"'ab'", "''", "'é'"});
  expect_round_trip("varchar(3)", {"'abc'", "'é😀x'"});
  expect_round_trip("bytea", {"'\\x00ff5c27'", "''", "'\\x'"});
  expect_round_trip("\"char\"", {"'x'"});
  expect_round_trip("bit(5)", {"B'10101'"});
}

TEST_F(PostgresqlDialect, CarriesTimesThroughExactTexts) {
  expect_round_trip("date", {"'2024-02-29'", "'infinity'", "'0044-03-15 BC'"});
  expect_round_trip("time", {"'23:59:59.999999'", "'24:00'"});
  expect_round_trip("timetz", {"'12:00:00+05:30'"});
  expect_round_trip("timestamp", {"'2024-01-01 00:00:00.000001'", "'-infinity'"});
  expect_round_trip("timestamptz", {"'2024-01-01 00:00:00+02'", "'4713-01-01 00:00:00+00 BC'"});
  expect_round_trip("interval", {"'-1 year 2 days -03:04:05.6'", "'1 mon -1 day'", "'0'"});
}

TEST_F(PostgresqlDialect, CarriesOtherTypesThroughExactTexts) {
  db_.run("CREATE TYPE mood AS ENUM ('so so', 'it''s')");
  db_.run("CREATE DOMAIN small AS int CHECK (VALUE < 100)");
  db_.run("CREATE TYPE pair AS (a int, b text)");
  expect_round_trip("uuid", {"'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"});
  expect_round_trip("json", {"'{ \"a\" :  \"\\u00e9\", \"a\":1}'"});
  expect_round_trip("jsonb", {"'{\"b\": [1, null], \"a\": \"x\"}'"});
  expect_round_trip("int[]", {"'{1,NULL,-3}'", "'{{1,2},{3,4}}'", "'{}'", "'[0:1]={7,8}'"});
  expect_round_trip("text[]", {"ARRAY['a,b', 'q\"', 'NULL', NULL, '']"});
  expect_round_trip("varchar(3)[]", {"ARRAY['abc']"});
  expect_round_trip("inet", {"'10.1.2.3/8'", "'::1'"});
  expect_round_trip("macaddr", {"'08:00:2b:01:02:03'"});
  expect_round_trip("mood", {"'so so'", "'it''s'"});
  expect_round_trip("small", {"7"});
  expect_round_trip("pair", {"ROW(1, 'x,y')"});
  expect_round_trip("int4range", {"'[1,5)'", "'empty'", "'(,3)'"});
  expect_round_trip("tsvector", {"'a:1 fat:2'"});
  expect_round_trip("point", {"'(0.1,2)'"});
}

TEST_F(PostgresqlDialect, RefusesToCutATextThatIsTooLongForTheShadow) {
  db_.run("CREATE TABLE narrow (id int PRIMARY KEY, v varchar(3))");
  const auto found = catalog();
  EXPECT_THROW(insert_exact(db_, dialect_, table_of(found, "narrow"), {{"1", "abcd"}}),
               odbc::Error);
}

TEST_F(PostgresqlDialect, PagesInTheOrderOfTheKeyNotOfItsText) {
  db_.run("CREATE TABLE numbers (id int PRIMARY KEY, v text)");
  db_.run("INSERT INTO numbers SELECT i, 'v' || i FROM generate_series(-5, 24) i");
  const auto found = catalog();
  const auto& table = table_of(found, "numbers");
  Row after;
  std::vector<std::string> seen;
  while (true) {
    odbc::Statement page(db_);
    page.prepare(dialect_.page_sql(table, {1}, !after.empty(), 7));
    const auto place = dialect_.bind_place(table, after);
    page.bind(place);
    page.execute();
    const auto before = seen.size();
    while (page.fetch()) {
      seen.push_back(*page.text(1));
      after = {page.text(2)};
    }
    if (seen.size() == before) break;
  }
  ASSERT_EQ(seen.size(), 30u);
  for (int i = 0; i < 30; ++i)
    EXPECT_EQ(seen[static_cast<std::size_t>(i)], "v" + std::to_string(i - 5));
}

TEST_F(PostgresqlDialect, PagesATableWithoutAKeyByItsRowIdentity) {
  db_.run("CREATE TABLE loose (v int)");
  db_.run("INSERT INTO loose SELECT 1 FROM generate_series(1, 10)");
  const auto found = catalog();
  const auto& table = table_of(found, "loose");
  EXPECT_EQ(dialect_.place_columns(table), 1u);
  odbc::Statement page(db_);
  page.prepare(dialect_.page_sql(table, {0}, true, 100));
  const auto place = dialect_.bind_place(table, {"(0,4)"});
  page.bind(place);
  page.execute();
  int rows = 0;
  while (page.fetch()) ++rows;
  EXPECT_EQ(rows, 6);
}

TEST_F(PostgresqlDialect, UpdatesAndDeletesByKeyInExactTexts) {
  run_all(db_, {"CREATE TABLE item (a int, b text, v numeric, PRIMARY KEY (a, b))",
                "INSERT INTO item VALUES (1, 'x', 1), (1, 'y', 1)"});
  const auto found = catalog();
  const auto& table = table_of(found, "item");
  const auto run = [&](const std::string& sql, const std::vector<odbc::Bind>& parameters) {
    odbc::Statement statement(db_);
    statement.prepare(sql);
    statement.bind(parameters);
    statement.execute();
    return statement.row_count();
  };
  const auto bind = [&](std::uint32_t c, const char* v) {
    return dialect_.bind(table.columns[c], odbc::OptionalText(v));
  };
  EXPECT_EQ(
      run(dialect_.update_sql(table, {2}, {0, 1}), {bind(2, "2.5"), bind(0, "1"), bind(1, "y")}),
      1);
  EXPECT_EQ(run(dialect_.delete_sql(table, {0, 1}), {bind(0, "1"), bind(1, "x")}), 1);
  EXPECT_EQ(run(dialect_.delete_sql(table, {0, 1}), {bind(0, "1"), bind(1, "x")}), 0);
  EXPECT_EQ(exact_rows(db_, dialect_, table), (std::vector<Row>{{"1", "y", "2.5"}}));
}

TEST_F(PostgresqlDialect, SnapshotStaysAtTheStateItWasOpenedIn) {
  db_.run("CREATE TABLE t (id int PRIMARY KEY)");
  odbc::Connection reader(target_, true);
  dialect_.open_snapshot(reader);
  db_.run("INSERT INTO t VALUES (1)");
  EXPECT_EQ(reader.scalar("SELECT count(*) FROM t"), "0");
  EXPECT_THROW(reader.run("INSERT INTO t VALUES (2)"), odbc::Error);
  dialect_.close_snapshot(reader);
  EXPECT_EQ(reader.scalar("SELECT count(*) FROM t"), "1");
  reader.run("INSERT INTO t VALUES (3)");
  EXPECT_EQ(db_.scalar("SELECT count(*) FROM t"), "2");
}

TEST_F(PostgresqlDialect, SwitchesTriggersOffForTheCopyAndOnAgain) {
  run_all(db_, {"CREATE TABLE t (id int PRIMARY KEY)", "CREATE TABLE log (id int)",
                "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
                " $$BEGIN INSERT INTO log VALUES (NEW.id); RETURN NEW; END$$",
                "CREATE TRIGGER w AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()"});
  const auto found = catalog();
  dialect_.before_copy(db_, table_of(found, "t"));
  db_.run("INSERT INTO t VALUES (1)");
  EXPECT_EQ(db_.scalar("SELECT count(*) FROM log"), "0");
  dialect_.after_copy(db_, table_of(found, "t"));
  db_.run("INSERT INTO t VALUES (2)");
  EXPECT_EQ(db_.scalar("SELECT count(*) FROM log"), "1");
}

TEST_F(PostgresqlDialect, SetsSequencesByColumnEvenUnderAnotherNameAndNeverBackwards) {
  run_all(db_, {"CREATE TABLE a (id serial PRIMARY KEY)", "CREATE TABLE b (id serial PRIMARY KEY)",
                "CREATE SEQUENCE loose", "SELECT setval('a_id_seq', 50)",
                "SELECT setval('loose', 7)", "CREATE SEQUENCE untouched START 100"});
  const auto production = dialect_.read_sequences(db_);
  odbc::Connection shadow(postgres_target());
  run_all(shadow,
          {"CREATE TABLE a (id serial PRIMARY KEY)", "CREATE TABLE b (id serial PRIMARY KEY)",
           "ALTER SEQUENCE a_id_seq RENAME TO renamed", "CREATE SEQUENCE loose",
           "SELECT setval('loose', 9)", "CREATE SEQUENCE untouched START 100"});
  EXPECT_EQ(dialect_.set_sequences(shadow, production, dialect_.read_catalog(shadow)), 1);
  EXPECT_EQ(shadow.scalar("SELECT nextval('renamed')"), "51");
  EXPECT_EQ(shadow.scalar("SELECT nextval('loose')"), "10");
  EXPECT_EQ(shadow.scalar("SELECT nextval('untouched')"), "100");
}

TEST_F(PostgresqlDialect, AsksTheServerHowATransactionEnded) {
  const auto committed = db_.scalar("SELECT pg_current_xact_id()");
  odbc::Connection open(target_);
  open.set_autocommit(false);
  const auto running = open.scalar("SELECT pg_current_xact_id()");
  constexpr std::int64_t kLater = 3'600'000'000;  // than the server's beginning
  const TxnTimes times{wall_clock_us() + kLater, wall_clock_us() + kLater};
  const auto status = [&](const odbc::OptionalText& id) {
    return dialect_.txn_status(db_, std::strtoull(id->c_str(), nullptr, 10), times);
  };
  EXPECT_EQ(status(committed), TxnStatus::committed);
  EXPECT_EQ(status(running), TxnStatus::in_progress);
  open.rollback();
  EXPECT_EQ(status(running), TxnStatus::rolled_back);
  EXPECT_EQ(status("99999999999"), TxnStatus::unknown);
}

TEST_F(PostgresqlDialect, DoesNotTakeStatisticsThatWereResetForACrash) {
  const TxnTimes times{wall_clock_us(), wall_clock_us()};
  const auto id = db_.scalar("SELECT pg_current_xact_id()");
  (void)db_.scalar("SELECT pg_stat_reset_shared('bgwriter')");
  const auto status = dialect_.txn_status(db_, std::strtoull(id->c_str(), nullptr, 10), times);
  EXPECT_EQ(status, TxnStatus::maybe_another);
}

TEST(OdbcConnection, KeepsThePasswordOutOfItsErrors) {
  try {
    odbc::Connection db(postgres_target() + "Database=absent_database;Pwd=hush-hush;");
    FAIL();
  } catch (const odbc::Error& error) {
    EXPECT_EQ(std::string(error.what()).find("hush-hush"), std::string::npos);
    EXPECT_EQ(error.server_text().find("hush-hush"), std::string::npos);
  }
}

TEST_F(PostgresqlDialect, SaysThatTheConnectionIsLostWhenTheServerEndsIt) {
  const auto pid = db_.scalar("SELECT pg_backend_pid()");
  odbc::Connection other(target_);
  other.scalar("SELECT pg_terminate_backend(" + *pid + ", 5000)");
  try {
    db_.scalar("SELECT 1");
    FAIL();
  } catch (const odbc::Error& error) {
    EXPECT_TRUE(error.connection_lost()) << error.what();
  }
  EXPECT_TRUE(db_.dead());
}

}  // namespace
}  // namespace understudy
