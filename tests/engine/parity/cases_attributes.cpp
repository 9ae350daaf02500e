// Attributes of environments, connections and statements.
#include <functional>

#include "tests/engine/parity/case.h"
#include "tests/engine/parity/program.h"

namespace understudy::parity {
namespace {

void environment_attributes(Program& p) {
  for (const SQLINTEGER one : {SQL_ATTR_ODBC_VERSION, SQL_ATTR_CONNECTION_POOLING,
                               SQL_ATTR_CP_MATCH, SQL_ATTR_OUTPUT_NTS, 9999}) {
    p.get_env_attr(one);
  }
  p.set_env_attr(SQL_ATTR_OUTPUT_NTS, SQL_FALSE);
  p.set_env_attr(SQL_ATTR_CP_MATCH, SQL_CP_RELAXED_MATCH);
  p.set_env_attr(SQL_ATTR_ODBC_VERSION, SQL_OV_ODBC2);
  p.set_env_attr(9999, 1);
}

void connection_attributes(Program& p) {
  const std::initializer_list<SQLINTEGER> all = {
      SQL_ATTR_ACCESS_MODE,        SQL_ATTR_AUTOCOMMIT,
      SQL_ATTR_CONNECTION_TIMEOUT, SQL_ATTR_LOGIN_TIMEOUT,
      SQL_ATTR_METADATA_ID,        SQL_ATTR_ODBC_CURSORS,
      SQL_ATTR_PACKET_SIZE,        SQL_ATTR_TXN_ISOLATION,
      SQL_ATTR_CONNECTION_DEAD,    SQL_ATTR_ASYNC_ENABLE,
      SQL_ATTR_AUTO_IPD,           SQL_ATTR_DISCONNECT_BEHAVIOR,
      SQL_ATTR_ENLIST_IN_DTC,      SQL_ATTR_QUERY_TIMEOUT,
      SQL_ATTR_MAX_ROWS,           9998};
  for (const SQLINTEGER one : all) p.get_connect_attr(p.dbc, one);
  p.get_connect_text(p.dbc, SQL_ATTR_CURRENT_CATALOG);
  p.get_connect_text(p.dbc, SQL_ATTR_CURRENT_CATALOG, 4);
  for (const SQLINTEGER one : all) {
    if (one == SQL_ATTR_ODBC_CURSORS || one == SQL_ATTR_ENLIST_IN_DTC) continue;
    p.set_connect_attr(p.dbc, one, 1);
    p.get_connect_attr(p.dbc, one);
  }
  p.set_connect_attr(p.dbc, SQL_ATTR_TXN_ISOLATION, SQL_TXN_SERIALIZABLE);
  p.get_connect_attr(p.dbc, SQL_ATTR_TXN_ISOLATION);
  p.set_connect_attr(p.dbc, SQL_ATTR_AUTOCOMMIT, 77);
  p.get_connect_attr(p.dbc, SQL_ATTR_AUTOCOMMIT);
  p.set_connect_text(p.dbc, SQL_ATTR_CURRENT_CATALOG, "no_such_catalog");
}

void attributes_set_before_connecting(Program& p) {
  p.dbc = p.alloc_dbc();
  p.set_connect_attr(p.dbc, SQL_ATTR_AUTOCOMMIT, SQL_AUTOCOMMIT_OFF);
  p.set_connect_attr(p.dbc, SQL_ATTR_LOGIN_TIMEOUT, 5);
  p.set_connect_attr(p.dbc, SQL_ATTR_ACCESS_MODE, SQL_MODE_READ_WRITE);
  p.set_connect_attr(p.dbc, SQL_ATTR_TXN_ISOLATION, SQL_TXN_SERIALIZABLE);
  p.set_connect_attr(p.dbc, SQL_ATTR_METADATA_ID, SQL_TRUE);
  p.get_connect_attr(p.dbc, SQL_ATTR_AUTOCOMMIT);
  p.driver_connect(p.dbc, "DSN=" + p.dsn());
  for (const SQLINTEGER one : {SQL_ATTR_AUTOCOMMIT, SQL_ATTR_LOGIN_TIMEOUT, SQL_ATTR_ACCESS_MODE,
                               SQL_ATTR_TXN_ISOLATION, SQL_ATTR_METADATA_ID}) {
    p.get_connect_attr(p.dbc, one);
  }
  p.run("INSERT INTO $T (v) VALUES (1)");
  p.rollback();
  p.query("SELECT count(*) FROM $T");
}

void statement_attributes(Program& p) {
  const std::initializer_list<SQLINTEGER> numbers = {SQL_ATTR_ASYNC_ENABLE,
                                                     SQL_ATTR_CONCURRENCY,
                                                     SQL_ATTR_CURSOR_SCROLLABLE,
                                                     SQL_ATTR_CURSOR_SENSITIVITY,
                                                     SQL_ATTR_CURSOR_TYPE,
                                                     SQL_ATTR_ENABLE_AUTO_IPD,
                                                     SQL_ATTR_KEYSET_SIZE,
                                                     SQL_ATTR_MAX_LENGTH,
                                                     SQL_ATTR_MAX_ROWS,
                                                     SQL_ATTR_METADATA_ID,
                                                     SQL_ATTR_NOSCAN,
                                                     SQL_ATTR_PARAM_BIND_TYPE,
                                                     SQL_ATTR_PARAMSET_SIZE,
                                                     SQL_ATTR_QUERY_TIMEOUT,
                                                     SQL_ATTR_RETRIEVE_DATA,
                                                     SQL_ATTR_ROW_ARRAY_SIZE,
                                                     SQL_ATTR_ROW_BIND_TYPE,
                                                     SQL_ATTR_ROW_NUMBER,
                                                     SQL_ATTR_SIMULATE_CURSOR,
                                                     SQL_ATTR_USE_BOOKMARKS,
                                                     SQL_ROWSET_SIZE,
                                                     9997};
  SQLHSTMT h = p.stmt();
  for (const SQLINTEGER one : numbers) p.get_stmt_attr(h, one);
  for (const SQLINTEGER one : numbers) {
    if (one == SQL_ATTR_ASYNC_ENABLE || one == SQL_ATTR_ENABLE_AUTO_IPD) continue;
    for (const SQLULEN value : {SQLULEN{0}, SQLULEN{1}, SQLULEN{3}}) {
      p.set_stmt_attr(h, one, value);
      p.get_stmt_attr(h, one);
    }
  }
  p.drop(h);
  h = p.stmt();
  p.exec(h, "SELECT id FROM $T ORDER BY id");
  p.get_stmt_attr(h, SQL_ATTR_ROW_NUMBER);
  p.set_stmt_attr(h, SQL_ATTR_CURSOR_TYPE, SQL_CURSOR_STATIC);
  p.set_stmt_attr(h, SQL_ATTR_MAX_ROWS, 1);
  p.fetch(h);
  p.get_stmt_attr(h, SQL_ATTR_ROW_NUMBER);
  p.drop(h);
}

void max_rows_and_max_length(Program& p) {
  SQLHSTMT h = p.stmt();
  p.set_stmt_attr(h, SQL_ATTR_MAX_ROWS, 2);
  if (SQL_SUCCEEDED(p.exec(h, "SELECT id, note FROM $T ORDER BY id"))) p.rows(h);
  p.close(h);
  p.set_stmt_attr(h, SQL_ATTR_MAX_ROWS, 0);
  p.set_stmt_attr(h, SQL_ATTR_MAX_LENGTH, 3);
  if (SQL_SUCCEEDED(p.exec(h, "SELECT id, note FROM $T ORDER BY id"))) p.rows(h);
  p.close(h);
  p.set_stmt_attr(h, SQL_ATTR_NOSCAN, SQL_NOSCAN_ON);
  if (SQL_SUCCEEDED(p.exec(h, "SELECT {d '2024-01-02'}"))) p.rows(h);
  p.drop(h);
}

void asynchronous_execution(Program& p) {
  SQLHSTMT h = p.stmt();
  p.set_stmt_attr(h, SQL_ATTR_ASYNC_ENABLE, SQL_ASYNC_ENABLE_ON);
  p.get_stmt_attr(h, SQL_ATTR_ASYNC_ENABLE);
  SQLRETURN ret = SQL_STILL_EXECUTING;
  for (int i = 0; i < 1000 && ret == SQL_STILL_EXECUTING; ++i) {
    ret = p.exec(h, "INSERT INTO $T (v) VALUES (41)");
  }
  p.row_count(h);
  p.drop(h);
  p.query("SELECT count(*) FROM $T");
  h = p.stmt();
  p.set_stmt_attr(h, SQL_ATTR_ASYNC_ENABLE, SQL_ASYNC_ENABLE_ON);
  const auto to_its_end = [](const std::function<SQLRETURN()>& call) {
    SQLRETURN last = SQL_STILL_EXECUTING;
    for (int i = 0; i < 1000 && last == SQL_STILL_EXECUTING; ++i) last = call();
  };
  to_its_end([&] { return p.prepare(h, "UPDATE $T SET v = v + 1"); });
  to_its_end([&] { return p.execute(h); });
  p.row_count(h);
  to_its_end([&] { return p.exec(h, "SELECT v FROM $T"); });
  to_its_end([&] { return p.fetch(h); });
  p.cancel(h);
  p.drop(h);
}

}  // namespace

void add_attribute_cases(Cases& all) {
  const auto add = [&](const char* name, std::vector<const char*> schema, void (*body)(Program&),
                       bool own = false) {
    all.push_back({"Attributes", name, kAll, std::move(schema), body, own});
  };
  add("EnvironmentAttributes", {}, environment_attributes);
  add("ConnectionAttributes", {}, connection_attributes);
  add("AttributesSetBeforeConnecting", {"CREATE TABLE $T (id $serial, v int)"},
      attributes_set_before_connecting, true);
  const char* note = "CREATE TABLE $T (id int PRIMARY KEY, note varchar(40))";
  const char* rows = "INSERT INTO $T VALUES (1, 'one note'), (2, 'two'), (3, NULL)";
  add("StatementAttributes", {note, rows}, statement_attributes);
  add("MaxRowsAndMaxLength", {note, rows}, max_rows_and_max_length);
  add("AsynchronousExecution", {"CREATE TABLE $T (id $serial, v int)"}, asynchronous_execution);
}

}  // namespace understudy::parity
