// Connecting, disconnecting, cancelling, threads.
#include <atomic>
#include <thread>

#include "tests/engine/parity/case.h"
#include "tests/engine/parity/program.h"

namespace understudy::parity {
namespace {

void connects_in_every_way(Program& p) {
  p.dbc = p.alloc_dbc();
  p.connect_dsn(p.dbc, p.dsn(), "", "");
  p.query("SELECT 1");
  p.disconnect(p.dbc);
  p.disconnect(p.dbc);
  p.driver_connect(p.dbc, "DSN=" + p.dsn() + ";");
  p.driver_connect(p.dbc, "DSN=" + p.dsn() + ";");
  p.free_dbc(p.dbc);
  p.disconnect(p.dbc);
  p.connect_dsn(p.dbc, "no_such_data_source", "", "");
  p.driver_connect(p.dbc, "DSN=no_such_data_source");
  p.driver_connect(p.dbc, "nonsense");
  p.connect_dsn(p.dbc, p.dsn(), "", "");
  p.query("SELECT 2");
  p.disconnect(p.dbc);
  p.free_dbc(p.dbc);
}

void browses(Program& p) {
  p.dbc = p.alloc_dbc();
  p.browse_connect(p.dbc, "DSN=" + p.dsn());
  p.disconnect(p.dbc);
}

// What a browse has begun is given up by connecting, and can be begun anew.
void browses_and_connects(Program& p) {
  p.dbc = p.alloc_dbc();
  p.browse_connect(p.dbc, "DSN=no_such_data_source");
  p.browse_connect(p.dbc, "DSN=" + p.dsn() + ";");
  p.browse_connect(p.dbc, "UID=nobody;");
  p.disconnect(p.dbc);
  p.driver_connect(p.dbc, "DSN=" + p.dsn() + ";");
  p.query("SELECT 1");
  p.browse_connect(p.dbc, "DSN=" + p.dsn() + ";");
  p.disconnect(p.dbc);
  p.driver_connect(p.dbc, "DSN=no_such_data_source");
  p.free_dbc(p.dbc);
}

// Transactions of two connections, ended by one call on their environment.
void ends_the_transactions_of_an_environment(Program& p) {
  SQLHDBC other = p.alloc_dbc();
  p.driver_connect(other, "DSN=" + p.dsn() + ";");
  p.autocommit(false);
  p.set_connect_attr(other, SQL_ATTR_AUTOCOMMIT, SQL_AUTOCOMMIT_OFF);
  for (const SQLSMALLINT completion : {SQL_COMMIT, SQL_ROLLBACK}) {
    SQLHSTMT h = p.stmt(other);
    p.run("INSERT INTO $T (v) VALUES (1)");
    // SQLite has one writer at a time.
    p.exec(h, p.sqlite() ? "SELECT count(*) FROM $T" : "INSERT INTO $T (v) VALUES (2)");
    p.drop(h);
    p.end_tran(SQL_HANDLE_ENV, p.env, completion);
  }
  p.end_tran(SQL_HANDLE_ENV, p.env, 7);
  p.disconnect(other);
  p.end_tran(SQL_HANDLE_ENV, p.env, SQL_COMMIT);
  p.free_dbc(other);
  p.query("SELECT v FROM $T ORDER BY v");
  p.commit();
}

void disconnects_with_statements_alive(Program& p) {
  SQLHSTMT a = p.stmt();
  SQLHSTMT b = p.stmt();
  p.exec(a, "INSERT INTO $T (v) VALUES (1)");
  p.exec(b, "SELECT v FROM $T");
  p.fetch(b);
  p.alloc_desc();
  p.disconnect(p.dbc);
  p.driver_connect(p.dbc, "DSN=" + p.dsn() + ";");
  p.query("SELECT count(*) FROM $T");
}

void disconnects_with_an_open_transaction(Program& p) {
  p.autocommit(false);
  p.run("INSERT INTO $T (v) VALUES (1)");
  p.disconnect(p.dbc);
  p.set_connect_attr(p.dbc, SQL_ATTR_AUTOCOMMIT, SQL_AUTOCOMMIT_ON);
  p.driver_connect(p.dbc, "DSN=" + p.dsn() + ";");
  p.query("SELECT count(*) FROM $T");
  p.run("BEGIN");
  p.run("INSERT INTO $T (v) VALUES (2)");
  p.disconnect(p.dbc);
  p.driver_connect(p.dbc, "DSN=" + p.dsn() + ";");
  p.query("SELECT count(*) FROM $T");
}

// Another session sees that the statement runs before it is cancelled.
void cancels_from_another_thread(Program& p) {
  SQLHDBC other = p.alloc_dbc();
  p.driver_connect(other, "DSN=" + p.dsn() + ";");
  const std::string sql = p.expand("INSERT INTO $T (v) SELECT 1 FROM pg_sleep(20)");
  for (const bool direct : {true, false}) {
    SQLHSTMT h = p.stmt();
    auto* text = reinterpret_cast<SQLCHAR*>(const_cast<char*>(sql.c_str()));
    if (!direct) p.prepare(h, sql);
    SQLRETURN ret = SQL_SUCCESS;
    std::thread runner([&] { ret = direct ? SQLExecDirect(h, text, SQL_NTS) : SQLExecute(h); });
    SQLHSTMT watch = p.stmt(other);
    SQLCHAR question[] =
        "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' "
        "AND datname = current_database()";
    while (SQLExecDirect(watch, question, SQL_NTS) != SQL_SUCCESS ||
           SQLFetch(watch) != SQL_SUCCESS) {
      SQLFreeStmt(watch, SQL_CLOSE);
    }
    p.note("cancel " + shown_return(SQLCancel(h)));
    runner.join();
    p.done("the cancelled", SQL_HANDLE_STMT, h, ret);
    p.drop(watch);
    p.exec(h, "INSERT INTO $T (v) VALUES (3)");
    p.row_count(h);
    p.drop(h);
  }
  p.disconnect(other);
  p.free_dbc(other);
  p.query("SELECT v FROM $T ORDER BY id");
}

// Which thread comes first is chance: only sums are shown.
void threads_share_a_connection(Program& p) {
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        SQLHSTMT h = SQL_NULL_HSTMT;
        SQLAllocHandle(SQL_HANDLE_STMT, p.dbc, &h);
        const std::string sql =
            p.expand("INSERT INTO $T (v) VALUES (" + std::to_string(t * 10 + i) + ")");
        auto* text = reinterpret_cast<SQLCHAR*>(const_cast<char*>(sql.c_str()));
        if (SQLExecDirect(h, text, SQL_NTS) != SQL_SUCCESS) ++failed;
        SQLFreeHandle(SQL_HANDLE_STMT, h);
      }
    });
  }
  for (std::thread& one : threads) one.join();
  p.note("failed", failed.load());
  p.query("SELECT count(*), sum(v) FROM $T");
}

}  // namespace

void add_connection_cases(Cases& all) {
  const auto add = [&](const char* name, void (*body)(Program&), unsigned engines = kAll,
                       bool own = false) {
    all.push_back(
        {"Connections", name, engines, {"CREATE TABLE $T (id $serial, v int)"}, body, own});
  };
  add("ConnectsInEveryWay", connects_in_every_way, kAll, true);
  add("Browses", browses, kAll, true);
  add("BrowsesAndConnects", browses_and_connects, kAll, true);
  add("EndsTheTransactionsOfAnEnvironment", ends_the_transactions_of_an_environment);
  add("DisconnectsWithStatementsAlive", disconnects_with_statements_alive);
  add("DisconnectsWithAnOpenTransaction", disconnects_with_an_open_transaction);
  add("CancelsFromAnotherThread", cancels_from_another_thread, kPostgres);
  add("ThreadsShareAConnection", threads_share_a_connection);
}

}  // namespace understudy::parity
