// A program of its own for what is set once per process, or ends it: `odbc_steps_app TARGET
// STEP..`.
//
// Steps: pool-process, pool-environment, connect, disconnect, manual, commit, rollback, exit,
// exit-in-thread, and anything else is SQL. Each prints its return code and its diagnostics on one
// line.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "tests/engine/raw_odbc.h"

namespace {

using namespace understudy;

SQLHDBC connection = SQL_NULL_HDBC;

// Made at the first step that needs it: what is set for the process comes before.
SQLHENV environment() {
  static SQLHENV handle = [] {
    SQLHENV made = SQL_NULL_HENV;
    SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &made);
    SQLSetEnvAttr(made, SQL_ATTR_ODBC_VERSION, reinterpret_cast<SQLPOINTER>(SQL_OV_ODBC3), 0);
    return made;
  }();
  return handle;
}

SQLRETURN pool(SQLHENV of, SQLULEN kind) {
  return SQLSetEnvAttr(of, SQL_ATTR_CONNECTION_POOLING, reinterpret_cast<SQLPOINTER>(kind), 0);
}

SQLRETURN connect(const std::string& target) {
  SQLAllocHandle(SQL_HANDLE_DBC, environment(), &connection);
  return SQLDriverConnect(connection, nullptr, raw::text(target), SQL_NTS, nullptr, 0, nullptr,
                          SQL_DRIVER_NOPROMPT);
}

SQLRETURN disconnect() {
  const SQLRETURN ret = SQLDisconnect(connection);
  SQLFreeHandle(SQL_HANDLE_DBC, connection);
  connection = SQL_NULL_HDBC;
  return ret;
}

SQLRETURN run(const std::string& sql) {
  SQLHSTMT stmt = SQL_NULL_HSTMT;
  SQLAllocHandle(SQL_HANDLE_STMT, connection, &stmt);
  const SQLRETURN ret = SQLExecDirect(stmt, raw::text(sql), SQL_NTS);
  std::printf("%s", raw::joined(raw::diagnostics(SQL_HANDLE_STMT, stmt)).c_str());
  SQLFreeHandle(SQL_HANDLE_STMT, stmt);
  return ret;
}

SQLRETURN take(const std::string& step, const std::string& target) {
  if (step == "pool-process") return pool(SQL_NULL_HENV, SQL_CP_ONE_PER_DRIVER);
  if (step == "pool-environment") return pool(environment(), SQL_CP_ONE_PER_HENV);
  if (step == "connect") return connect(target);
  if (step == "disconnect") return disconnect();
  if (step == "manual") return SQLSetConnectAttr(connection, SQL_ATTR_AUTOCOMMIT, nullptr, 0);
  if (step == "commit") return SQLEndTran(SQL_HANDLE_DBC, connection, SQL_COMMIT);
  if (step == "rollback") return SQLEndTran(SQL_HANDLE_DBC, connection, SQL_ROLLBACK);
  if (step == "exit") std::exit(0);
  if (step == "exit-in-thread") std::thread([] { std::exit(0); }).join();
  return run(step);
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) return 2;
  for (int i = 2; i < count; ++i) {
    const SQLRETURN ret = take(arguments[i], arguments[1]);
    std::printf("%d %s\n", ret, arguments[i]);
    if (connection != SQL_NULL_HDBC && !SQL_SUCCEEDED(ret)) {
      std::printf("%s", raw::joined(raw::diagnostics(SQL_HANDLE_DBC, connection)).c_str());
    }
    std::fflush(stdout);
  }
  return 0;
}
