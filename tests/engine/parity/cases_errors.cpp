// Errors: of constraints, of syntax, of sequence, of other sessions.
#include <future>
#include <thread>

#include "tests/engine/parity/case.h"
#include "tests/engine/parity/program.h"

namespace understudy::parity {
namespace {

void constraint_violations(Program& p) {
  p.run("INSERT INTO $T (id, name, price) VALUES (1, 'one', 5)");
  for (const bool on : {true, false}) {
    p.autocommit(on);
    for (const char* sql :
         {"INSERT INTO $T (id, name, price) VALUES (1, 'again', 5)",
          "INSERT INTO $T (id, name, price) VALUES (2, NULL, 5)",
          "INSERT INTO $T (id, name, price) VALUES (2, 'one', 5)",
          "INSERT INTO $T (id, name, price) VALUES (2, 'two', -5)",
          "INSERT INTO $T (id, name, price) VALUES (2, 'two', 5), (1, 'x', 5)",
          "INSERT INTO $T_child (id, parent) VALUES (1, 99)",
          "UPDATE $T SET id = NULL WHERE id = 1", "UPDATE $T SET name = NULL",
          "INSERT INTO $T (id, name, price) VALUES (3, 'three', 'not a number')"}) {
      p.run(sql);
      if (!on) p.rollback();
    }
    if (on) p.run("INSERT INTO $T_child (id, parent) VALUES (1, 1)");
    p.run("DELETE FROM $T WHERE id = 1");
    if (!on) p.rollback();
  }
  p.query("SELECT id, name FROM $T ORDER BY id");
  p.rollback();
}

void broken_statements(Program& p) {
  for (const char* sql :
       {"SELEC 1", "SELECT nothing FROM $T", "SELECT 1 FROM no_such_table", "INSERT INTO $T",
        "INSERT INTO $T (nothing) VALUES (1)", "INSERT INTO $T (id) VALUES (1", "UPDATE $T SET",
        "UPDATE $T SET nothing = 1", "DELETE FROM no_such_table", "INSERT INTO $T VALUES ('\"",
        "UPDATE $T SET name = 'unterminated", "/* comment only */", "-- comment only"}) {
    p.run(sql);
    SQLHSTMT h = p.stmt();
    if (SQL_SUCCEEDED(p.prepare(h, sql))) p.execute(h);
    p.num_result_cols(h);
    p.drop(h);
  }
}

void function_sequence_errors(Program& p) {
  SQLHSTMT h = p.stmt();
  p.execute(h);
  p.fetch(h);
  p.row_count(h);
  p.num_result_cols(h);
  p.num_params(h);
  p.more_results(h);
  p.param_data(h);
  p.put_data(h, "x", 1);
  p.get_data(h, 1, SQL_C_CHAR);
  p.close_cursor(h);
  p.cancel(h);
  p.set_pos(h, 1, SQL_POSITION);
  p.bulk_operations(h, SQL_ADD);
  p.describe_col(h, 1);
  p.prepare(h, "SELECT id FROM $T");
  p.fetch(h);
  p.row_count(h);
  p.execute(h);
  p.execute(h);
  p.exec(h, "INSERT INTO $T (id, name, price) VALUES (50, 'seq', 1)");
  p.prepare(h, "INSERT INTO $T (id, name, price) VALUES (51, 'seq2', 1)");
  p.close(h);
  p.prepare(h, "INSERT INTO $T (id, name, price) VALUES (?, 'seq3', 1)");
  p.execute(h);
  p.drop(h);
  p.query("SELECT id FROM $T ORDER BY id");
}

void updates_that_find_nothing(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    SQLHSTMT h = p.stmt();
    SQLINTEGER id = 99;
    p.bind_int(h, 1, &id);
    p.prepare(h, "UPDATE $T SET price = 3 WHERE id = ?");
    p.execute(h);
    p.row_count(h);
    p.num_result_cols(h);
    p.fetch(h);
    id = 1;
    p.execute(h);
    p.row_count(h);
    p.exec(h, "DELETE FROM $T WHERE id = ?");
    id = 99;
    p.exec(h, "DELETE FROM $T WHERE id = ?");
    p.more_results(h);
    p.drop(h);
    p.rollback();
  }
}

// The case's connection and another, both with a transaction; a statement on each.
struct TwoSessions {
  SQLHDBC other;
  SQLHSTMT a;
  SQLHSTMT b;
};

TwoSessions begin_two(Program& p, const std::string& extra = {}) {
  SQLHDBC other = p.alloc_dbc();
  p.driver_connect(other, "DSN=" + p.dsn() + extra);
  p.autocommit(false);
  p.set_connect_attr(other, SQL_ATTR_AUTOCOMMIT, SQL_AUTOCOMMIT_OFF);
  SQLHSTMT a = p.stmt();
  return {other, a, p.stmt(other)};
}

void end_two(Program& p, const TwoSessions& two) {
  p.drop(two.a);
  p.drop(two.b);
  p.disconnect(two.other);
  p.free_dbc(two.other);
}

/// Not shown: it runs while the other session does.
SQLRETURN executed(SQLHSTMT h, std::string sql) {
  return SQLExecDirect(h, reinterpret_cast<SQLCHAR*>(sql.data()), SQL_NTS);
}

// Two sessions, each wants the row of the other. The server chooses the one that closes the circle.
void deadlock_victim(Program& p) {
  p.run("INSERT INTO $T (id, name, price) VALUES (1, 'a', 1), (2, 'b', 1)");
  const auto [other, a, b] = begin_two(p);
  // Session a looks for deadlocks only after b has found one.
  p.exec(a, "SET deadlock_timeout = '60s'");
  p.exec(b, "SET deadlock_timeout = '100ms'");
  p.exec(a, "UPDATE $T SET price = 10 WHERE id = 1");
  p.exec(b, "UPDATE $T SET price = 20 WHERE id = 2");
  const std::string waits = p.expand("UPDATE $T SET price = 11 WHERE id = 2");
  auto waited = std::async(std::launch::async, [&, h = a] { return executed(h, waits); });
  p.exec(b, "UPDATE $T SET price = 21 WHERE id = 1");
  p.end_tran(SQL_HANDLE_DBC, other, SQL_COMMIT);
  p.note("the other " + shown_return(waited.get()));
  p.commit();
  end_two(p, {other, a, b});
  p.query("SELECT id, price FROM $T ORDER BY id");
  p.commit();
}

// InnoDB chooses the one that has changed less; its session has no transaction any more.
void deadlock_victim_of_innodb(Program& p) {
  // So many that an UPDATE by key does not read, and lock, them all.
  std::string rows = "(1, 'a1', 1)";
  for (int id = 2; id <= 100; ++id) {
    rows += ", (" + std::to_string(id) + ", 'a" + std::to_string(id) + "', 1)";
  }
  p.run("INSERT INTO $T (id, name, price) VALUES " + rows);
  const auto [other, a, b] = begin_two(p);
  p.exec(a, "UPDATE $T SET price = 10 WHERE id = 1");
  for (const char* id : {"2", "3", "4"}) {
    p.exec(b, std::string("UPDATE $T SET price = 20 WHERE id = ") + id);
  }
  const std::string waits = p.expand("UPDATE $T SET price = 21 WHERE id = 1");
  auto waited = std::async(std::launch::async, [&, h = b] { return executed(h, waits); });
  p.exec(a, "UPDATE $T SET price = 11 WHERE id = 2");
  p.note("the other " + shown_return(waited.get()));
  p.end_tran(SQL_HANDLE_DBC, other, SQL_COMMIT);
  p.exec(a, "UPDATE $T SET name = 'after' WHERE id = 1");
  p.commit();
  end_two(p, {other, a, b});
  p.query("SELECT id, name, price FROM $T WHERE id < 5 ORDER BY id");
  p.commit();
}

/// Not shown: numbers of sessions differ from run to run.
std::string asked(SQLHDBC dbc, std::string sql) {
  SQLHSTMT h = SQL_NULL_HSTMT;
  SQLAllocHandle(SQL_HANDLE_STMT, dbc, &h);
  char text[40] = "";
  SQLLEN length = 0;
  if (SQL_SUCCEEDED(SQLExecDirect(h, reinterpret_cast<SQLCHAR*>(sql.data()), SQL_NTS)) &&
      SQL_SUCCEEDED(SQLFetch(h))) {
    SQLGetData(h, 1, SQL_C_CHAR, text, sizeof text, &length);
  }
  SQLFreeHandle(SQL_HANDLE_STMT, h);
  return text;
}

/// Ends the session of `dbc` in the server, by another; returns when it has ended.
void end_session(Program& p, SQLHDBC dbc, SQLHDBC by) {
  if (p.postgres()) {
    const std::string session = asked(dbc, "SELECT pg_backend_pid()");
    p.note("ended " + asked(by, "SELECT pg_terminate_backend(" + session + ", 60000)"));
    return;
  }
  const std::string session = asked(dbc, "SELECT CONNECTION_ID()");
  asked(by, "KILL " + session);
  const std::string left =
      "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = " + session;
  while (asked(by, left) == "1") std::this_thread::yield();
}

// The server ends the session of an open transaction. What the application is told of that, of a
// second try, and of statements behind.
void connection_lost_before_commit(Program& p) {
  SQLHDBC lost = p.alloc_dbc();
  p.driver_connect(lost, "DSN=" + p.dsn());
  p.set_connect_attr(lost, SQL_ATTR_AUTOCOMMIT, SQL_AUTOCOMMIT_OFF);
  SQLHSTMT h = p.stmt(lost);
  p.exec(h, "INSERT INTO $T (id, name, price) VALUES (1, 'lost', 1)");
  p.row_count(h);
  end_session(p, lost, p.dbc);
  p.end_tran(SQL_HANDLE_DBC, lost, SQL_COMMIT);
  p.get_connect_attr(lost, SQL_ATTR_CONNECTION_DEAD);
  p.end_tran(SQL_HANDLE_DBC, lost, SQL_COMMIT);
  p.exec(h, "INSERT INTO $T (id, name, price) VALUES (2, 'lost', 1)");
  p.end_tran(SQL_HANDLE_DBC, lost, SQL_ROLLBACK);
  p.drop(h);
  p.disconnect(lost);
  p.free_dbc(lost);
  p.query("SELECT id, name FROM $T ORDER BY id");
}

// The same between two statements.
void lose_between_statements(Program& p, bool autocommit) {
  SQLHDBC lost = p.alloc_dbc();
  p.driver_connect(lost, "DSN=" + p.dsn());
  if (!autocommit) p.set_connect_attr(lost, SQL_ATTR_AUTOCOMMIT, SQL_AUTOCOMMIT_OFF);
  SQLHSTMT h = p.stmt(lost);
  p.exec(h, "INSERT INTO $T (id, name, price) VALUES (3, 'one', 1)");
  p.prepare(h, "UPDATE $T SET price = price + 1 WHERE id = 3");
  end_session(p, lost, p.dbc);
  p.execute(h);
  p.execute(h);
  p.end_tran(SQL_HANDLE_DBC, lost, SQL_COMMIT);
  p.drop(h);
  p.disconnect(lost);
  p.free_dbc(lost);
  p.query("SELECT id, name, price FROM $T ORDER BY id");
}

void connection_lost_before_statement(Program& p) {
  lose_between_statements(p, false);
}

void connection_lost_under_autocommit(Program& p) {
  lose_between_statements(p, true);
}

// Connector/ODBC connects anew by itself, and the server commits each statement then.
void connection_made_anew(Program& p) {
  if (!p.connect("OPTION=4194304;")) return;
  SQLHDBC lost = p.alloc_dbc();
  p.driver_connect(lost, "DSN=" + p.dsn() + ";OPTION=4194304");
  p.set_connect_attr(lost, SQL_ATTR_AUTOCOMMIT, SQL_AUTOCOMMIT_OFF);
  SQLHSTMT h = p.stmt(lost);
  p.exec(h, "INSERT INTO $T (id, name, price) VALUES (1, 'lost', 1)");
  end_session(p, lost, p.dbc);
  p.end_tran(SQL_HANDLE_DBC, lost, SQL_COMMIT);
  p.exec(h, "INSERT INTO $T (id, name, price) VALUES (2, 'kept', 1)");
  p.end_tran(SQL_HANDLE_DBC, lost, SQL_ROLLBACK);
  p.exec(h, "INSERT INTO $T (id, name, price) VALUES (3, 'kept', 1)");
  p.end_tran(SQL_HANDLE_DBC, lost, SQL_COMMIT);
  p.drop(h);
  p.disconnect(lost);
  p.free_dbc(lost);
  p.query("SELECT id, name, price FROM $T ORDER BY id");
}

void busy_database(Program& p) {
  if (!p.connect("Timeout=50;")) return;
  const auto [other, a, b] = begin_two(p, ";Timeout=50;");
  p.exec(a, "INSERT INTO $T (id, name, price) VALUES (1, 'first', 1)");
  p.exec(b, "INSERT INTO $T (id, name, price) VALUES (2, 'second', 1)");
  p.end_tran(SQL_HANDLE_DBC, other, SQL_COMMIT);
  p.commit();
  p.exec(b, "INSERT INTO $T (id, name, price) VALUES (3, 'third', 1)");
  p.row_count(b);
  p.end_tran(SQL_HANDLE_DBC, other, SQL_COMMIT);
  end_two(p, {other, a, b});
  p.query("SELECT id FROM $T ORDER BY id");
  p.commit();
}

void warnings_of_the_server(Program& p) {
  p.run("DO $$ BEGIN RAISE WARNING 'one'; RAISE WARNING 'two'; END $$");
  SQLHSTMT h = p.stmt();
  p.exec(h, "SELECT $T_warn()");
  p.rows(h);
  p.drop(h);
  p.run("INSERT INTO $T_w (v) VALUES (1)");
  p.run("INSERT INTO $T_w (v) VALUES (2), (3)");
  p.run("INSERT INTO $T_w (v) VALUES (-1)");
}

}  // namespace

void add_error_cases(Cases& all) {
  const std::vector<const char*> items = {
      "CREATE TABLE $T (id int PRIMARY KEY, name varchar(20) NOT NULL UNIQUE, price int CHECK "
      "(price > 0))",
      "CREATE TABLE $T_child (id int PRIMARY KEY, parent int REFERENCES $T (id))"};
  const auto add = [&](const char* name, void (*body)(Program&), unsigned engines = kAll,
                       bool own = false) {
    all.push_back({"Errors", name, engines, items, body, own});
  };
  add("ConstraintViolations", constraint_violations);
  add("BrokenStatements", broken_statements);
  add("FunctionSequenceErrors", function_sequence_errors);
  add("UpdatesThatFindNothing", updates_that_find_nothing);
  add("DeadlockVictim", deadlock_victim, kPostgres);
  add("DeadlockVictimOfInnodb", deadlock_victim_of_innodb, kMaria);
  add("ConnectionLostBeforeCommit", connection_lost_before_commit, kPostgres | kMaria);
  add("ConnectionLostBeforeStatement", connection_lost_before_statement, kPostgres | kMaria);
  add("ConnectionLostUnderAutocommit", connection_lost_under_autocommit, kPostgres | kMaria);
  add("ConnectionMadeAnew", connection_made_anew, kMaria, true);
  add("BusyDatabase", busy_database, kSqlite, true);
  all.push_back(
      {"Errors",
       "WarningsOfTheServer",
       kPostgres,
       {"CREATE FUNCTION $T_warn() RETURNS int LANGUAGE plpgsql AS $$BEGIN RAISE WARNING "
        "'careful'; RETURN 1; END$$",
        "CREATE TABLE $T_w (id $serial, v int)",
        "CREATE FUNCTION $T_t() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE WARNING "
        "'row %', NEW.v; RAISE NOTICE 'noted'; IF NEW.v < 0 THEN RAISE EXCEPTION 'no' "
        "USING DETAIL = 'below', HINT = 'above'; END IF; RETURN NEW; END$$",
        "CREATE TRIGGER w BEFORE INSERT ON $T_w FOR EACH ROW EXECUTE FUNCTION $T_t()"},
       warnings_of_the_server});
}

}  // namespace understudy::parity
