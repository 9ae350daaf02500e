// What a session sets on PostgreSQL between its statements: names, zones, roles. The shadow holds
// the same rows.
#include "tests/engine/exact_statements.h"

namespace understudy {
namespace {

constexpr std::string_view kZoned =
    "CREATE TABLE z (id int PRIMARY KEY, at timestamptz, bare timestamp, d date, t timetz, n text,"
    " made date DEFAULT '2020-01-01 00:30'::timestamptz::date,"
    " w text DEFAULT ('2020-06-01 12:00+00'::timestamptz)::text)";
constexpr std::string_view kZonedRows =
    "INSERT INTO z SELECT n, '2020-01-01 00:00+00' FROM generate_series(1, 9) n";

class SettingsPostgresql : public ExactStatements {
 protected:
  SettingsPostgresql() : ExactStatements(Dialect::postgresql) {}

  void begin_twins() {
    begin({"CREATE SCHEMA more", "CREATE TYPE mood AS ENUM ('sad', 'ok')",
           "CREATE TABLE t (id int PRIMARY KEY, v text, m mood DEFAULT 'ok', r float8 DEFAULT "
           "random())",
           "CREATE TABLE more.t (id int PRIMARY KEY, v text, m mood DEFAULT 'sad', r float8 "
           "DEFAULT random())",
           "CREATE TABLE kid (id serial PRIMARY KEY, t int REFERENCES t)",
           "CREATE TABLE more.kid (id serial PRIMARY KEY, t int REFERENCES more.t)",
           "INSERT INTO t SELECT n, 'public' FROM generate_series(1, 9) n",
           "INSERT INTO more.t SELECT n, 'more' FROM generate_series(5, 14) n"});
  }
  void begin_zones() {
    begin({kZoned,
           "CREATE FUNCTION same (timestamptz) RETURNS timestamptz LANGUAGE sql AS 'SELECT $1'",
           kZonedRows});
  }
  void commit() { EXPECT_TRUE(SQL_SUCCEEDED(app_->commit())); }
  void rollback() { EXPECT_TRUE(SQL_SUCCEEDED(app_->rollback())); }
};

constexpr const char* kPaths[] = {"public", "more, public", "public, more", "more"};

TEST_F(SettingsPostgresql, PathsUnderAutocommit) {
  begin_twins();
  int id = 100;
  for (int round = 0; round < 3; ++round) {
    for (const char* path : kPaths) {
      const std::string set = std::string("SET search_path TO ") + path;
      const std::string one = std::to_string(id++);
      const std::string keyed = "INSERT INTO t (id, v, m) VALUES (" + one + ", 'k', NULL)";
      const std::string made = "INSERT INTO t (id, v) VALUES (1" + one + ", random())";
      const std::string kid = "INSERT INTO kid (t) VALUES (" + one + ")";
      send({set, keyed, made, kid, "UPDATE t SET v = v || 'u' WHERE id = 7",
            "UPDATE t SET v = v || random() WHERE id = 8", "DELETE FROM t WHERE id = 6"});
    }
  }
  send({"RESET search_path", "INSERT INTO t (id) VALUES (90)", "SET SCHEMA 'more'",
        "INSERT INTO t (id) VALUES (90)", "SET search_path = DEFAULT",
        "INSERT INTO t (id) VALUES (91)"});
  expect_equal(0);
}

TEST_F(SettingsPostgresql, PathsInTransactions) {
  begin_twins();
  app_->autocommit(false);
  send({"SET search_path TO more, public", "INSERT INTO t (id) VALUES (100)"});
  rollback();
  send({"INSERT INTO t (id) VALUES (101)", "SET search_path TO more, public",
        "INSERT INTO t (id) VALUES (101)"});
  commit();
  send({"INSERT INTO t (id) VALUES (102)", "SET LOCAL search_path TO public",
        "INSERT INTO t (id) VALUES (102)"});
  commit();
  send({"INSERT INTO t (id) VALUES (103)", "SAVEPOINT s", "SET search_path TO public",
        "INSERT INTO t (id) VALUES (103)", "ROLLBACK TO s", "INSERT INTO t (id) VALUES (104)"});
  commit();
  send({"SAVEPOINT s", "SET search_path TO public", "INSERT INTO t (id) VALUES (105)",
        "ROLLBACK TO SAVEPOINT s", "INSERT INTO t (id) VALUES (105)",
        "SET LOCAL search_path TO public", "SAVEPOINT s", "INSERT INTO t (id) VALUES (106)",
        "RESET search_path", "INSERT INTO t (id) VALUES (107)", "ROLLBACK TO s",
        "INSERT INTO t (id) VALUES (108)"});
  commit();
  send({"SAVEPOINT s", "SET search_path TO public", "RELEASE s"});
  commit();
  send({"INSERT INTO t (id) VALUES (109)", "SET search_path TO more"});
  rollback();
  send({"INSERT INTO t (id) VALUES (110)", "SET search_path TO more"});
  commit();
  EXPECT_EQ(run(*app_, "SET search_path TO public; SELECT 1/0"), SQL_ERROR);
  rollback();
  send({"INSERT INTO t (id) VALUES (111)"});
  commit();
  send({"SET search_path TO public"});
  EXPECT_EQ(run(*app_, "SELECT 1/0"), SQL_ERROR);
  (void)app_->commit();
  send({"INSERT INTO t (id) VALUES (112)"});
  commit();
  send({"SET search_path TO more"});
  EXPECT_EQ(run(*app_, "INSERT INTO t (id) VALUES (112), (112)"), SQL_ERROR);
  (void)app_->commit();
  send({"INSERT INTO t (id) VALUES (113)"});
  commit();
  expect_equal(0);
}

// psqlodbc ends the transaction with its first statement; what is set next stands.
TEST_F(SettingsPostgresql, BehindAFirstStatementThatFailsWhenItHasWritten) {
  begin_twins();
  app_->autocommit(false);
  int id = 200;
  for (const char* failing : {"INSERT INTO t (id) VALUES (1), (1)",
                              "INSERT INTO t (id) VALUES (300); INSERT INTO t (id) VALUES (300)",
                              "UPDATE t SET id = 1 WHERE id < 9"}) {
    EXPECT_EQ(run(*app_, failing), SQL_ERROR);
    const std::string one = "INSERT INTO t (id) VALUES (" + std::to_string(id++) + ")";
    send({"SET search_path TO more, public", one});
    commit();
    EXPECT_EQ(run(*app_, failing), SQL_ERROR);
    send({"SET LOCAL search_path TO public", one, "RESET search_path"});
    commit();
  }
  expect_equal(0);
}

// What the database has set is asked for when the session writes first, behind a savepoint.
TEST_F(SettingsPostgresql, AskedForBehindASavepoint) {
  begin({"CREATE SCHEMA more", "CREATE TABLE t (id int PRIMARY KEY, v text)",
         "CREATE TABLE more.t (id int PRIMARY KEY, v text)",
         "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET TimeZone TO ''Asia/Tokyo''', "
         "current_database()); END $$"});
  Application late(migration_->application());
  late.autocommit(false);
  for (const char* sql :
       {"SET LOCAL search_path TO more, public", "SAVEPOINT s", "INSERT INTO t (id) VALUES (100)",
        "ROLLBACK TO s", "INSERT INTO t (id, v) VALUES (101, '2020-01-01 00:00'::timestamptz)"}) {
    EXPECT_EQ(run(late, sql), SQL_SUCCESS) << sql;
  }
  EXPECT_EQ(late.commit(), SQL_SUCCESS);
  expect_equal(0);
}

// The server gives a transaction no id before it has written, and psqlodbc undoes what fails alone.
TEST_F(SettingsPostgresql, ErrorsBehindStatementsThatHaveChangedNothing) {
  begin_twins();
  app_->autocommit(false);
  const auto fails = [this](const std::string& text) {
    EXPECT_EQ(run(*app_, text), SQL_ERROR) << text;
  };
  send({"SET search_path TO more, public", "DO $$ BEGIN PERFORM 1; END $$"});
  fails("INSERT INTO t (id) VALUES (5)");
  send({"INSERT INTO t (id) VALUES (300)"});
  commit();
  send({"INSERT INTO t (id) VALUES (301)"});
  commit();
  send({"DO $$ BEGIN PERFORM 2; END $$", "SAVEPOINT s", "SET LOCAL search_path TO public"});
  fails("SELECT 1/0");
  send({"INSERT INTO t (id) VALUES (302)", "ROLLBACK TO s", "INSERT INTO t (id) VALUES (303)"});
  commit();
  expect_equal(2);
}

// psqlodbc undoes nothing, all, or the statement; COMMIT succeeds in each case.
TEST_F(SettingsPostgresql, TransactionsThatOnlySetAndFail) {
  begin_twins();
  for (const char level : {'0', '1', '2'}) {
    SCOPED_TRACE(level);
    Application app(migration_->application() + ";Protocol=7.4-" + level + ";");
    app.autocommit(false);
    const std::string at = std::to_string(100 * (level - '0' + 4));
    const std::string insert = "INSERT INTO t (id, v, r) VALUES (" + at;
    RUN(app, "SET search_path TO more, public");
    EXPECT_EQ(run(app, "SELECT 1/0"), SQL_ERROR);
    if (level != '0') {
      RUN(app, insert + " + 1, 'a', random())");
    }
    (void)app.commit();
    RUN(app, insert + " + 2, 'b', random())");
    (void)app.commit();
    RUN(app, "SET LOCAL search_path TO more");
    EXPECT_EQ(run(app, "SELECT 1/0"), SQL_ERROR);
    (void)app.rollback();
    RUN(app, insert + " + 3, 'c', random())");
    (void)app.commit();
  }
  expect_equal(0);
}

TEST_F(SettingsPostgresql, TextsThatWerePreparedUnderAnotherPath) {
  begin_twins();
  {
    raw::Statement insert(*app_);
    SQLINTEGER id = 200;
    SQLLEN length = 0;
    ASSERT_EQ(SQLPrepare(insert.handle,
                         raw::text(std::string("INSERT INTO t (id, v) VALUES (?, 'p')")), SQL_NTS),
              SQL_SUCCESS);
    SQLBindParameter(insert.handle, 1, SQL_PARAM_INPUT, SQL_C_LONG, SQL_INTEGER, 0, 0, &id, 0,
                     &length);
    for (int round = 0; round < 3; ++round) {
      for (const char* path : kPaths) {
        send({std::string("SET search_path TO ") + path});
        ++id;
        EXPECT_EQ(SQLExecute(insert.handle), SQL_SUCCESS) << insert.problems();
      }
    }
  }
  expect_equal(0);
}

TEST_F(SettingsPostgresql, SessionsOfSeveralPathsAtOnce) {
  begin_twins();
  Application other(migration_->application());
  Application third(migration_->application());
  const auto send_to = [](Application& app, const std::string& text) {
    raw::Statement stmt(app);
    EXPECT_TRUE(SQL_SUCCEEDED(stmt.run(text))) << text << stmt.problems();
  };
  send_to(*app_, "SET search_path TO public, more");
  send_to(other, "SET search_path TO more, public");
  for (int i = 300; i < 360; ++i) {
    const std::string insert =
        "INSERT INTO t (id, v, m) VALUES (" + std::to_string(i) + ", 'x', NULL)";
    send_to(*app_, insert);
    send_to(other, insert);
    send_to(third, "UPDATE t SET v = v || random() WHERE id = " + std::to_string(i));
    send_to(other, "INSERT INTO kid (t) VALUES (" + std::to_string(i) + ")");
    if (i % 7 == 0) send_to(third, "SET search_path TO public");
    if (i % 7 == 3) send_to(third, "SET search_path TO more");
  }
  expect_equal(0);
}

TEST_F(SettingsPostgresql, Roles) {
  begin_twins();
  for (const auto& where : {migration_->production(), migration_->shadow()}) {
    odbc::Connection db(where);
    db.run(
        "DO $$ BEGIN CREATE ROLE settings_role; EXCEPTION WHEN duplicate_object OR "
        "unique_violation THEN NULL; END $$");
    db.run("GRANT USAGE ON SCHEMA more TO settings_role");
    db.run("GRANT ALL ON ALL TABLES IN SCHEMA public, more TO settings_role");
    db.run("GRANT ALL ON ALL SEQUENCES IN SCHEMA public, more TO settings_role");
  }
  send({"SET search_path = public, more", "SET ROLE settings_role",
        "INSERT INTO t (id) VALUES (100)", "INSERT INTO t (id, v, m) VALUES (101, 'k', NULL)",
        "UPDATE t SET v = 'x' WHERE id < 4", "INSERT INTO kid (t) VALUES (100)",
        "DELETE FROM t WHERE id = 5", "RESET ROLE", "INSERT INTO t (id) VALUES (102)",
        "SET SESSION AUTHORIZATION settings_role", "INSERT INTO t (id) VALUES (103)",
        "RESET SESSION AUTHORIZATION", "INSERT INTO t (id) VALUES (104)",
        "SET LOCAL ROLE settings_role"});
  app_->autocommit(false);
  send({"INSERT INTO t (id) VALUES (105)", "SET LOCAL ROLE settings_role",
        "INSERT INTO t (id) VALUES (106)", "RESET ROLE", "INSERT INTO t (id) VALUES (107)",
        "SET ROLE settings_role"});
  rollback();
  send({"INSERT INTO t (id) VALUES (108)", "SET ROLE settings_role"});
  commit();
  send({"INSERT INTO t (id) VALUES (109)"});
  commit();
  expect_equal(0);
}

constexpr const char* kZones[] = {"'Asia/Tokyo'", "'UTC'", "'America/St_Johns'", "-7", "DEFAULT"};

TEST_F(SettingsPostgresql, ZonesUnderAutocommit) {
  begin_zones();
  int id = 100;
  for (int round = 0; round < 3; ++round) {
    for (const char* zone : kZones) {
      const std::string set = std::string("SET TIME ZONE ") + zone;
      const std::string one = std::to_string(id++);
      send({set,
            "INSERT INTO z (id, at, bare, d, t) VALUES (" + one +
                ", '2020-01-01 12:00', '2020-01-01 12:00+09', '2020-01-01', '12:00')",
            "INSERT INTO z (id, at, n) VALUES (1" + one + ", '2020-11-01 01:30', random())",
            "INSERT INTO z (id, at, made, w) VALUES (2" + one + ", '2020-11-01 00:01', NULL, NULL)",
            "UPDATE z SET d = at, bare = at, n = at WHERE id = 7",
            "UPDATE z SET at = bare, n = n || random() WHERE id = 8",
            "UPDATE z SET bare = at, d = at::date, n = at::text WHERE id < 7",
            "UPDATE z SET at = d, n = extract(timezone FROM at) || to_char(at, 'HH24') WHERE id = "
            "7"});
    }
  }
  expect_equal(0);
}

TEST_F(SettingsPostgresql, ZonesInTransactions) {
  begin_zones();
  app_->autocommit(false);
  const auto insert = [this](int id) {
    send({"INSERT INTO z (id, at) VALUES (" + std::to_string(id) + ", '2020-01-01 12:00')"});
  };
  send({"SET TIME ZONE 'Asia/Tokyo'"});
  insert(100);
  commit();
  insert(101);
  send({"SET LOCAL TIME ZONE 'America/St_Johns'"});
  insert(102);
  commit();
  insert(103);
  send({"SAVEPOINT s", "SET timezone = 'UTC'"});
  insert(104);
  send({"ROLLBACK TO s"});
  insert(105);
  send({"RESET timezone"});
  insert(106);
  send({"ROLLBACK TO s"});
  insert(107);
  commit();
  send({"SAVEPOINT s", "SET LOCAL timezone TO -7", "ROLLBACK TO s"});
  insert(108);
  send({"SET TIME ZONE 5"});
  insert(109);
  rollback();
  insert(110);
  commit();
  send({"SET TIME ZONE 6"});
  EXPECT_EQ(run(*app_, "SELECT 1/0"), SQL_ERROR);
  (void)app_->commit();
  insert(111);
  commit();
  send({"SET TIME ZONE 'UTC'"});
  EXPECT_EQ(run(*app_, "INSERT INTO z (id) VALUES (1)"), SQL_ERROR);
  (void)app_->commit();
  insert(112);
  commit();
  expect_equal(0);
}

/// What a program writes that prepares its texts once; the moments that are then stored.
std::string prepared_once(Application& app) {
  raw::Statement keyed(app);
  raw::Statement made(app);
  raw::Statement plain(app);
  SQLINTEGER id = 200;
  SQLLEN length = 0;
  for (const auto& [stmt, text] :
       {std::pair(&keyed,
                  "INSERT INTO z (id, at, made, w) VALUES (?, '2020-01-01 12:00', NULL, NULL)"),
        std::pair(&made, "INSERT INTO z (id, at) VALUES (1000 + ?, '2020-01-01 12:00')"),
        std::pair(&plain, "UPDATE z SET at = '2021-01-01 12:00' WHERE id = 3")}) {
    EXPECT_EQ(SQLPrepare(stmt->handle, raw::text(std::string(text)), SQL_NTS), SQL_SUCCESS);
    if (stmt == &plain) continue;
    SQLBindParameter(stmt->handle, 1, SQL_PARAM_INPUT, SQL_C_LONG, SQL_INTEGER, 0, 0, &id, 0,
                     &length);
  }
  for (int round = 0; round < 3; ++round) {
    for (const char* zone : kZones) {
      raw::Statement set(app);
      EXPECT_EQ(set.run(std::string("SET TIME ZONE ") + zone), SQL_SUCCESS);
      ++id;
      for (raw::Statement* stmt : {&keyed, &made, &plain}) {
        EXPECT_EQ(SQLExecute(stmt->handle), SQL_SUCCESS) << stmt->problems();
      }
    }
  }
  raw::Statement all(app);
  return all.scalar(
      "SELECT md5(string_agg((at AT TIME ZONE 'UTC')::text, ' ' ORDER BY id)) FROM z");
}

// The server reads the literals of a prepared text once, in the zone of then.
TEST_F(SettingsPostgresql, TextsThatWerePreparedInAnotherZone) {
  begin_zones();
  const std::string bare = "Driver={PostgreSQL Unicode};" + PostgresServer::shared().new_database();
  odbc::Connection(bare).run(std::string(kZoned));
  odbc::Connection(bare).run(std::string(kZonedRows));
  Application without(bare);
  EXPECT_EQ(prepared_once(*app_), prepared_once(without));
  expect_equal(0);
}

TEST_F(SettingsPostgresql, NamedTextsThatWerePreparedInAnotherZone) {
  begin_zones();
  send({"SET TIME ZONE 'Asia/Tokyo'",
        "PREPARE p (int) AS INSERT INTO z (id, at, made, w) VALUES ($1, '2020-01-01 12:00', NULL, "
        "NULL)",
        "PREPARE q (int) AS UPDATE z SET at = same('2020-01-01 12:00') WHERE id = $1",
        "EXECUTE p (200)", "SET TIME ZONE 'UTC'", "EXECUTE p (201)", "EXECUTE q (7)",
        "SET TIME ZONE -7", "EXECUTE p (202)", "EXECUTE q (8)", "DEALLOCATE p", "RESET TIME ZONE",
        "PREPARE p (int) AS INSERT INTO z (id, at) VALUES ($1, '2020-01-01 12:00')",
        "SET TIME ZONE 5", "EXECUTE p (203)"});
  expect_equal(2);
}

TEST_F(SettingsPostgresql, SessionsOfSeveralZonesAtOnce) {
  begin_zones();
  Application other(migration_->application());
  SQLINTEGER id = 300;
  SQLLEN length = 0;
  // Real values keep the texts from being joined, so that they are prepared on the shadow.
  for (int i = 0; i < 40; ++i) {
    for (Application* app : {app_.get(), &other}) {
      if (i % 5 == 0) {
        raw::Statement set(*app);
        EXPECT_EQ(
            set.run(std::string("SET TIME ZONE ") + kZones[(i / 5 + (app == &other ? 1 : 0)) % 5]),
            SQL_SUCCESS);
      }
      raw::Statement insert(*app);
      ++id;
      double number = id;
      SQLBindParameter(insert.handle, 1, SQL_PARAM_INPUT, SQL_C_LONG, SQL_INTEGER, 0, 0, &id, 0,
                       &length);
      SQLBindParameter(insert.handle, 2, SQL_PARAM_INPUT, SQL_C_DOUBLE, SQL_DOUBLE, 0, 0, &number,
                       0, &length);
      EXPECT_EQ(insert.run("INSERT INTO z (id, at, n, made, w) VALUES (?, '2020-01-01 12:00', "
                           "CAST(? AS float8), NULL, NULL)"),
                SQL_SUCCESS)
          << insert.problems();
    }
  }
  expect_equal(0);
}

TEST_F(SettingsPostgresql, OutliveARollbackBehindTheSwitch) {
  begin_twins();
  app_->autocommit(false);
  send({"SET TIME ZONE 'Asia/Tokyo'", "INSERT INTO t (id, v) VALUES (500, 'a')"});
  EXPECT_TRUE(SQL_SUCCEEDED(app_->commit()));
  migration_->expect_tool({"verify"});
  migration_->expect_tool({"cutover"});
  for (int turn = 0; turn < 2; ++turn) {
    EXPECT_EQ(raw::Statement(*app_).scalar("SHOW TIME ZONE"), "Asia/Tokyo");
    EXPECT_TRUE(SQL_SUCCEEDED(app_->rollback()));
  }
  app_.reset();
  migration_->expect_tool({"complete"});
}

}  // namespace
}  // namespace understudy
