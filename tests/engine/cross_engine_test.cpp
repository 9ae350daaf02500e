// Whole migrations from MariaDB and from SQLite to PostgreSQL while programs keep writing, with SQL
// that both engines understand.
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/engine/databases.h"
#include "tests/engine/recording.h"
#include "tests/support/live_migration.h"

namespace understudy {
namespace {

// Prepared statements with parameters, in one transaction each time.
class Program {
 public:
  explicit Program(const std::string& target) : app_(target) {
    app_.autocommit(false);
    prepare(add_, "UPDATE Hot SET val = val + ? WHERE id = ?");
    prepare(note_, "INSERT INTO Audit (word, amount) VALUES (?, ?)");
    prepare(forget_, "DELETE FROM Audit WHERE word = ? AND amount < ?");
    prepare(look_, "SELECT val FROM Hot WHERE id = ?");
  }

  bool once(int here, int there) {
    const std::string word = "word " + std::to_string(here);
    const bool done = add(1, here) && add(-1, there) && run(note_, word, here) &&
                      (here != 2 || run(forget_, word, 3)) && reads(here);
    if (done && SQL_SUCCEEDED(app_.commit())) return true;
    app_.rollback();
    return false;
  }

 private:
  static void prepare(raw::Statement& stmt, const std::string& sql) {
    if (!SQL_SUCCEEDED(SQLPrepare(stmt.handle, raw::text(sql), SQL_NTS))) {
      throw std::runtime_error(stmt.problems());
    }
  }
  static void bind(raw::Statement& stmt, SQLUSMALLINT at, int* value) {
    SQLBindParameter(stmt.handle, at, SQL_PARAM_INPUT, SQL_C_LONG, SQL_INTEGER, 0, 0, value, 0,
                     nullptr);
  }
  bool add(int difference, int id) {
    bind(add_, 1, &difference);
    bind(add_, 2, &id);
    return SQL_SUCCEEDED(SQLExecute(add_.handle));
  }
  static bool run(raw::Statement& stmt, std::string word, int number) {
    SQLLEN length = SQL_NTS;
    SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_VARCHAR, 40, 0, word.data(),
                     0, &length);
    bind(stmt, 2, &number);
    const SQLRETURN ret = SQLExecute(stmt.handle);
    return SQL_SUCCEEDED(ret) || ret == SQL_NO_DATA;
  }
  bool reads(int id) {
    bind(look_, 1, &id);
    const bool found =
        SQL_SUCCEEDED(SQLExecute(look_.handle)) && SQLFetch(look_.handle) == SQL_SUCCESS;
    SQLFreeStmt(look_.handle, SQL_CLOSE);
    return found;
  }

  Application app_;
  raw::Statement add_{app_};
  raw::Statement note_{app_};
  raw::Statement forget_{app_};
  raw::Statement look_{app_};
};

class Writers {
 public:
  Writers(const std::string& target, int count) {
    for (int i = 0; i < count; ++i) threads_.emplace_back([=, this] { write(target, i); });
  }
  ~Writers() { stop(); }
  void stop() {
    ending_ = true;
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }
  void wait_for_more(long count) const {
    const long before = committed_;
    while (committed_ < before + count) std::this_thread::yield();
  }

 private:
  void write(const std::string& target, int writer) {
    Program program(target);
    for (int turn = 0; !ending_; ++turn) {
      if (program.once(1 + (turn + writer) % 5, 1 + (turn * 3 + writer * 2) % 5)) ++committed_;
    }
  }

  std::atomic<bool> ending_{false};
  std::atomic<long> committed_{0};
  std::vector<std::thread> threads_;
};

void expect_equal(LiveMigration& migration) {
  migration.expect_tool({"verify"});
  const auto status = migration.status();
  EXPECT_EQ(status["rows_different"], 0) << status.dump(1);
  EXPECT_EQ(status["divergences"], 0) << status.dump(1);
  EXPECT_EQ(status["uncaptured_writes"], 0) << status.dump(1);
}

// What the replayer counted is written down a moment later. The one divergence's kind.
std::string divergence(LiveMigration& migration) {
  for (int tries = 0; tries < 100; ++tries) {
    const auto report = migration.status()["divergence_report"];
    if (report.size() == 1) return report[0]["kind"];
    if (report.size() > 1) return report.dump(1);
  }
  return "none";
}

// The application's account of one engine is none of the other.
void share_credentials(const LiveMigration& migration) {
  const std::string path =
      OdbcEnvironment::shared().home() + "/" + migration.name() + "/migration.toml";
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  std::string changed = text.str();
  const std::string line = "share_credentials = false";
  const auto at = changed.find(line);
  ASSERT_NE(at, std::string::npos) << path;
  changed.replace(at, line.size(), "share_credentials = true");
  std::ofstream(path) << changed;
}

// While writers go on: copy, comparison, cutover; afterwards the same program writes on the shadow.
void migrate_live(LiveMigration& migration, int writers_count) {
  {
    Writers writers(migration.application(), writers_count);
    writers.wait_for_more(5);
    migration.expect_tool(
        {"create", "--production", migration.production(), "--shadow", migration.shadow()});
    share_credentials(migration);
    migration.expect_tool({"start"});
    writers.wait_for_more(20);
    expect_equal(migration);
    migration.expect_tool({"cutover"});
    writers.wait_for_more(20);
  }
  const auto status = migration.status();
  EXPECT_EQ(status["phase"], "switched") << status.dump(1);
  odbc::Connection there(migration.shadow());
  EXPECT_EQ(there.scalar("SELECT sum(val)::text FROM hot"), "0");
  EXPECT_EQ(there.scalar("SELECT (last_value >= (SELECT max(id) FROM audit))::text"
                         " FROM pg_sequences WHERE sequencename = 'audit_id_seq'"),
            "true");
  migration.expect_tool({"complete"});
}

const std::vector<std::string_view> kShadowSchema = {
    "CREATE TABLE hot (id bigint PRIMARY KEY, val bigint NOT NULL)",
    "CREATE TABLE audit (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, word varchar(40),"
    " amount numeric(10,2), at timestamptz)"};

// --- MariaDB ---

class FromMariadb : public testing::Test {
 protected:
  FromMariadb()
      : migration_("Understudy Unicode", "MariaDB Unicode", MariaDbServer::shared().new_database(),
                   PostgresServer::shared().new_database(), "PostgreSQL Unicode") {}

  void define(const std::vector<std::string_view>& production,
              const std::vector<std::string_view>& shadow) {
    odbc::Connection here(migration_.production());
    run_all(here, production);
    odbc::Connection there(migration_.shadow());
    run_all(there, shadow);
  }

  LiveMigration migration_;
};

TEST_F(FromMariadb, ALiveProgramMovesToPostgresql) {
  define({"CREATE TABLE Hot (id INT PRIMARY KEY, val BIGINT NOT NULL)",
          "CREATE TABLE Audit (id BIGINT AUTO_INCREMENT PRIMARY KEY, word VARCHAR(40),"
          " amount DECIMAL(10,2), at TIMESTAMP DEFAULT NOW())",
          "INSERT INTO Hot SELECT seq, 0 FROM seq_1_to_5"},
         kShadowSchema);
  migrate_live(migration_, 4);
}

constexpr std::string_view kMariadbTypes =
    "CREATE TABLE v (id INT PRIMARY KEY, big BIGINT UNSIGNED, exact_ DECIMAL(48,10), ratio DOUBLE,"
    " near FLOAT, word VARCHAR(40), code CHAR(5), raw VARBINARY(40), pad BINARY(4), flag "
    "TINYINT(1),"
    " day DATE, at DATETIME(6), seen TIMESTAMP(3) NULL, span TIME, made YEAR, kind ENUM('a','b'),"
    " tags SET('x','y'), doc JSON, mask BIT(10), uid UUID)";
constexpr std::string_view kMariadbTypesThere =
    "CREATE TABLE v (id integer PRIMARY KEY, big numeric(20), exact_ numeric(48,10),"
    " ratio double precision, near real, word varchar(40), code char(5), raw bytea, pad bytea,"
    " flag boolean, day date, at timestamp(6), seen timestamptz(3), span interval, made smallint,"
    " kind text, tags text, doc jsonb, mask bit(10), uid uuid)";

// Two rows of extremes and one of NULLs, with this number first.
std::vector<std::string> extremes(int first) {
  const auto id = [&](int more) { return std::to_string(first + more); };
  return {"INSERT INTO v VALUES (" + id(0) +
              ", 18446744073709551615, -12345678901234567890123456789012345678.0123456789,"
              " 1.7976931348623157e308, 0.1, 'it''s \U0001F600', 'ab', x'0041ff', x'61', 1,"
              " '9999-12-31', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07.999', '838:59:59',"
              " 2155, 'a', 'x,y', '{\"b\": 1.50, \"a\": [null, \"\\\\u00e9\"]}', b'1000000001',"
              " '00112233-4455-6677-8899-AABBCCDDEEFF')",
          "INSERT INTO v VALUES (" + id(1) +
              ", 0, 0.5, -5e-324, -3.4e38, '', '', '', x'00', 0, '0001-01-01',"
              " '2020-02-29 00:00:00.5', '1970-01-01 00:00:01', '-838:59:59', 0, 'b', '', '[]', 0,"
              " '00000000-0000-0000-0000-000000000000')",
          "INSERT INTO v (id) VALUES (" + id(2) + ")"};
}

TEST_F(FromMariadb, EveryTypeIsEqualCopiedAndReplayed) {
  define({kMariadbTypes}, {kMariadbTypesThere});
  {
    odbc::Connection before(migration_.production());
    for (const auto& sql : extremes(1)) before.run(sql);
  }
  migration_.create_and_start();
  Application app(migration_.application());
  for (const auto& sql : extremes(11)) RUN(app, sql);
  RUN(app,
      "INSERT INTO v SELECT id + 20, big, exact_, ratio, near, word, code, raw, pad, flag, day,"
      " at, seen, span, made, kind, tags, doc, mask, uid FROM v WHERE id < 10");
  RUN(app, "UPDATE v SET big = 7, word = 'z', flag = NOT flag WHERE id = 21");
  RUN(app, "UPDATE v SET ratio = ratio / 3 WHERE id IN (22, 12)");
  RUN(app, "UPDATE v SET id = 40 WHERE id = 21");
  RUN(app, "UPDATE v SET id = id + 20 WHERE id = 22");
  RUN(app, "DELETE FROM v WHERE id = 13");
  expect_equal(migration_);
  odbc::Connection there(migration_.shadow());
  EXPECT_EQ(there.scalar("SELECT count(*)::text FROM v"), "8");
  EXPECT_EQ(there.scalar("SELECT word || '|' || (raw IS NOT NULL) FROM v WHERE id = 12"), "|true");
  EXPECT_EQ(there.scalar("SELECT coalesce(word, 'NULL') FROM v WHERE id = 23"), "NULL");
  EXPECT_EQ(there.scalar("SELECT at::text || (seen AT TIME ZONE 'UTC')::text FROM v WHERE id = 11"),
            "9999-12-31 23:59:59.9999992038-01-19 03:14:07.999");
}

TEST_F(FromMariadb, ADamagedRowIsFound) {
  define({kMariadbTypes}, {kMariadbTypesThere});
  {
    odbc::Connection before(migration_.production());
    for (const auto& sql : extremes(1)) before.run(sql);
  }
  migration_.create_and_start();
  odbc::Connection(migration_.shadow()).run("UPDATE v SET doc = '{\"b\": 1.51}' WHERE id = 1");
  EXPECT_EQ(LiveMigration::tool({"verify", migration_.name()}).exit_code, 1);
  EXPECT_EQ(migration_.status()["rows_different"], 1);
  odbc::Connection(migration_.shadow()).run("UPDATE v SET word = NULL WHERE id = 2");
  EXPECT_EQ(LiveMigration::tool({"verify", migration_.name()}).exit_code, 1);
  EXPECT_EQ(migration_.status()["rows_different"], 2);
}

TEST_F(FromMariadb, WhatHasNoRowsIsCountedAndNotRun) {
  define({"CREATE TABLE t (id INT PRIMARY KEY, v INT)",
          "CREATE PROCEDURE p() INSERT INTO t VALUES (9, 9)"},
         {"CREATE TABLE t (id integer PRIMARY KEY, v integer)"});
  migration_.create_and_start();
  Application app(migration_.application());
  RUN(app, "SET @x = 5");
  RUN(app, "INSERT INTO t VALUES (1, 5)");
  RUN(app, "CALL p()");
  EXPECT_EQ(LiveMigration::tool({"verify", migration_.name()}).exit_code, 1);
  const auto status = migration_.status();
  EXPECT_EQ(status["rows_different"], 1) << status.dump(1);
  EXPECT_EQ(divergence(migration_), "opaque on another engine");
}

TEST_F(FromMariadb, AZeroDateIsSaidBeforehandAndCountedWhenItComes) {
  define({"CREATE TABLE t (id INT PRIMARY KEY, day DATE)"},
         {"CREATE TABLE t (id integer PRIMARY KEY, day date)"});
  migration_.create_and_start();
  Application app(migration_.application());
  RUN(app, "SET sql_mode = ''");
  RUN(app, "INSERT INTO t VALUES (1, '0000-00-00')");
  EXPECT_EQ(LiveMigration::tool({"verify", migration_.name()}).exit_code, 1);
  EXPECT_EQ(divergence(migration_), "column day holds a zero date");
  const Finished check = LiveMigration::tool({"check", migration_.name()});
  EXPECT_NE(check.output.find("table t holds zero dates"), std::string::npos) << check.output;
}

TEST_F(FromMariadb, ColumnsThatNeverFitFailTheCheck) {
  define({"CREATE TABLE t (id INT PRIMARY KEY, raw BLOB)"},
         {"CREATE TABLE t (id integer PRIMARY KEY, raw text)"});
  migration_.expect_tool(
      {"create", "--production", migration_.production(), "--shadow", migration_.shadow()});
  const Finished check = LiveMigration::tool({"check", migration_.name()});
  EXPECT_EQ(check.exit_code, 1);
  EXPECT_NE(check.output.find("column t.raw: blob does not become text"), std::string::npos)
      << check.output;
}

// --- SQLite ---

class FromSqlite : public testing::Test {
 protected:
  FromSqlite()
      : migration_("Understudy Unicode", "SQLite3", "Database=" + folder_.path() + "/p.db;",
                   PostgresServer::shared().new_database(), "PostgreSQL Unicode") {}

  void define(const std::vector<std::string_view>& production,
              const std::vector<std::string_view>& shadow) {
    odbc::Connection here(migration_.production());
    here.run("PRAGMA journal_mode = WAL");
    run_all(here, production);
    odbc::Connection there(migration_.shadow());
    run_all(there, shadow);
  }

  TempDir folder_;
  LiveMigration migration_;
};

TEST_F(FromSqlite, ALiveProgramMovesToPostgresql) {
  define({"CREATE TABLE Hot (id INTEGER PRIMARY KEY, val INT NOT NULL)",
          "CREATE TABLE Audit (id INTEGER PRIMARY KEY, word TEXT, amount NUMERIC,"
          " at TEXT DEFAULT CURRENT_TIMESTAMP)",
          "INSERT INTO Hot VALUES (1, 0), (2, 0), (3, 0), (4, 0), (5, 0)"},
         kShadowSchema);
  migrate_live(migration_, 2);
}

constexpr std::string_view kSqliteTypes =
    "CREATE TABLE v (id INTEGER PRIMARY KEY, n INT, price NUMERIC, f REAL, word TEXT, raw BLOB,"
    " ok BOOLEAN, day TEXT, at TEXT, doc TEXT)";
constexpr std::string_view kSqliteTypesThere =
    "CREATE TABLE v (id bigint PRIMARY KEY, n bigint, price numeric, f double precision, word text,"
    " raw bytea, ok boolean, day date, at timestamptz, doc jsonb)";

TEST_F(FromSqlite, EveryTypeIsEqualCopiedAndReplayed) {
  define({kSqliteTypes}, {kSqliteTypesThere});
  const std::vector<std::string> rows = {
      "9223372036854775807, 12.50, 1.7976931348623157e308, 'it''s \U0001F600', x'0041ff', 1,"
      " '2020-02-29', '2020-01-01 00:30:00.250', '{\"b\": 1.0, \"a\": null}'",
      "-9223372036854775808, 1e20, 9e999, '', x'', 0, '0001-01-01', '2020-01-01T00:30:00Z', '[]'",
      "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL"};
  odbc::Connection before(migration_.production());
  int id = 0;
  for (const auto& row : rows) {
    before.run("INSERT INTO v VALUES (" + std::to_string(++id) + ", " + row + ")");
  }
  migration_.create_and_start();
  Application app(migration_.application());
  for (const auto& row : rows) {
    RUN(app, "INSERT INTO v VALUES (" + std::to_string(++id) + ", " + row + ")");
  }
  RUN(app, "UPDATE v SET f = 0.1 + 0.2, n = n - 1 WHERE id > 3 AND id < 6 AND n > 0");
  RUN(app, "UPDATE v SET id = 50 WHERE id = 5");
  RUN(app, "DELETE FROM v WHERE id = 6");
  expect_equal(migration_);
  odbc::Connection there(migration_.shadow());
  EXPECT_EQ(there.scalar("SELECT string_agg(n::text || f::text, ' ' ORDER BY id) FROM v"
                         " WHERE id IN (2, 4)"),
            "-9223372036854775808Infinity 92233720368547758060.30000000000000004");
}

TEST_F(FromSqlite, ATextInAnIntegerColumnIsNamedAndNeverSilent) {
  define({kSqliteTypes}, {kSqliteTypesThere});
  migration_.create_and_start();
  Application app(migration_.application());
  RUN(app, "INSERT INTO v (id, n) VALUES (1, 'abc')");
  RUN(app, "INSERT INTO v (id, n) VALUES (2, 2)");
  EXPECT_EQ(LiveMigration::tool({"verify", migration_.name()}).exit_code, 1);
  const auto status = migration_.status();
  EXPECT_EQ(status["rows_different"], 1) << status.dump(1);
  EXPECT_EQ(divergence(migration_), "column n holds no number");
}

}  // namespace
}  // namespace understudy
