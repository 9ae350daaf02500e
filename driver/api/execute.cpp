// Preparing and executing: handed to capture.

#include "driver/api/guard.h"
#include "driver/capture/intercept.h"

using namespace understudy;

UNDERSTUDY_ENTRY_POINT SQLPrepare(SQLHSTMT handle, SQLCHAR* text, SQLINTEGER length) {
  return api::on<Statement>(handle, [&](Statement& stmt) {
    if (const SQLRETURN moved = capture::boundary(stmt); !SQL_SUCCEEDED(moved)) return moved;
    return capture::prepare(stmt, {text, nullptr, length});
  });
}

UNDERSTUDY_ENTRY_POINT SQLPrepareW(SQLHSTMT handle, SQLWCHAR* text, SQLINTEGER length) {
  return api::on<Statement>(handle, [&](Statement& stmt) {
    if (const SQLRETURN moved = capture::boundary(stmt); !SQL_SUCCEEDED(moved)) return moved;
    return capture::prepare(stmt, {nullptr, text, length});
  });
}

UNDERSTUDY_ENTRY_POINT SQLExecDirect(SQLHSTMT handle, SQLCHAR* text, SQLINTEGER length) {
  return api::on<Statement>(handle, [&](Statement& stmt) {
    if (const SQLRETURN moved = capture::boundary(stmt); !SQL_SUCCEEDED(moved)) return moved;
    return capture::exec_direct(stmt, {text, nullptr, length});
  });
}

UNDERSTUDY_ENTRY_POINT SQLExecDirectW(SQLHSTMT handle, SQLWCHAR* text, SQLINTEGER length) {
  return api::on<Statement>(handle, [&](Statement& stmt) {
    if (const SQLRETURN moved = capture::boundary(stmt); !SQL_SUCCEEDED(moved)) return moved;
    return capture::exec_direct(stmt, {nullptr, text, length});
  });
}

UNDERSTUDY_ENTRY_POINT SQLExecute(SQLHSTMT handle) {
  return api::on<Statement>(handle, [](Statement& stmt) {
    if (const SQLRETURN moved = capture::boundary(stmt); !SQL_SUCCEEDED(moved)) return moved;
    return capture::execute(stmt);
  });
}

UNDERSTUDY_ENTRY_POINT SQLParamData(SQLHSTMT handle, SQLPOINTER* value) {
  return api::on<Statement>(handle,
                            [&](Statement& stmt) { return capture::param_data(stmt, value); });
}

UNDERSTUDY_ENTRY_POINT SQLPutData(SQLHSTMT handle, SQLPOINTER data, SQLLEN length) {
  return api::on<Statement>(handle,
                            [&](Statement& stmt) { return capture::put_data(stmt, data, length); });
}

UNDERSTUDY_ENTRY_POINT SQLBulkOperations(SQLHSTMT handle, SQLSMALLINT operation) {
  return api::on<Statement>(
      handle, [&](Statement& stmt) { return capture::bulk_operations(stmt, operation); });
}

UNDERSTUDY_ENTRY_POINT SQLSetPos(SQLHSTMT handle, SQLSETPOSIROW row, SQLUSMALLINT operation,
                                 SQLUSMALLINT lock) {
  return api::on<Statement>(
      handle, [&](Statement& stmt) { return capture::set_pos(stmt, row, operation, lock); });
}

UNDERSTUDY_ENTRY_POINT SQLCancel(SQLHSTMT handle) {
  return api::on_untouched<Statement>(handle,
                                      [](Statement& stmt) { return capture::cancel(stmt); });
}

UNDERSTUDY_ENTRY_POINT SQLCancelHandle(SQLSMALLINT type, SQLHANDLE handle) {
  if (type == SQL_HANDLE_STMT) {
    return api::on_untouched<Statement>(handle,
                                        [](Statement& stmt) { return capture::cancel(stmt); });
  }
  if (type != SQL_HANDLE_DBC) return SQL_INVALID_HANDLE;
  return api::on_untouched<Connection>(handle, [](Connection& dbc) -> SQLRETURN {
    if (!dbc.connected) return dbc.fail("08003", "the connection is not open");
    return api::forward(dbc, api::entries(dbc).CancelHandle, SQLSMALLINT{SQL_HANDLE_DBC}, dbc.real);
  });
}
