// The pass-through: every call goes to the real driver as it came.

#include "driver/capture/intercept.h"

#include "driver/api/guard.h"
#include "driver/api/wide_output.h"

namespace understudy::capture {
namespace {

using api::current;
using api::entries;
using api::forward;

// The application's text for the narrow entry, and for us to keep.
std::string utf8_or_bytes(const SqlText& text) {
  if (text.wide != nullptr) {
    auto converted = real::to_utf8(text.wide, text.length);
    return converted.ok() ? std::move(*converted) : std::string();
  }
  if (text.narrow == nullptr) return {};
  const auto* bytes = reinterpret_cast<const char*>(text.narrow);
  return text.length < 0 ? std::string(bytes)
                         : std::string(bytes, static_cast<std::size_t>(text.length));
}

template <class Wide, class Narrow>
SQLRETURN with_text(Statement& stmt, const SqlText& text, Wide wide, Narrow narrow) {
  stmt.current.store(stmt.real, std::memory_order_release);
  if (text.wide == nullptr) {
    return forward(stmt, narrow, stmt.real, const_cast<SQLCHAR*>(text.narrow), text.length);
  }
  if (wide != nullptr) return wide(stmt.real, const_cast<SQLWCHAR*>(text.wide), text.length);
  const real::NarrowText converted(text.wide, text.length);
  if (!converted.ok()) return api::refuse(stmt, converted);
  return forward(stmt, narrow, stmt.real, converted.data(), converted.length());
}

}  // namespace

void connected(Connection&) {}
void disconnecting(Connection&) {}
void disconnected(Connection&) {}
void boundary(Connection&) {}
void freeing(Statement&) {}
bool without_result(const Statement&) { return false; }

SQLRETURN prepare(Statement& stmt, const SqlText& text) {
  const real::Entries& fn = entries(stmt);
  const SQLRETURN ret = with_text(stmt, text, fn.PrepareW, fn.Prepare);
  stmt.prepared = SQL_SUCCEEDED(ret);
  stmt.prepared_wide = text.wide != nullptr;
  stmt.prepared_text = utf8_or_bytes(text);
  return ret;
}

SQLRETURN exec_direct(Statement& stmt, const SqlText& text) {
  return with_text(stmt, text, entries(stmt).ExecDirectW, entries(stmt).ExecDirect);
}

SQLRETURN execute(Statement& stmt) {
  return forward(stmt, entries(stmt).Execute, stmt.real);
}

SQLRETURN param_data(Statement& stmt, SQLPOINTER* value) {
  return forward(stmt, entries(stmt).ParamData, current(stmt), value);
}

SQLRETURN put_data(Statement& stmt, SQLPOINTER data, SQLLEN length) {
  return forward(stmt, entries(stmt).PutData, current(stmt), data, length);
}

SQLRETURN bulk_operations(Statement& stmt, SQLSMALLINT operation) {
  return forward(stmt, entries(stmt).BulkOperations, stmt.real, operation);
}

SQLRETURN set_pos(Statement& stmt, SQLSETPOSIROW row, SQLUSMALLINT operation, SQLUSMALLINT lock) {
  return forward(stmt, entries(stmt).SetPos, stmt.real, row, operation, lock);
}

SQLRETURN end_tran(Connection& dbc, SQLSMALLINT completion) {
  const real::Entries& fn = entries(dbc);
  if (fn.EndTran != nullptr) return fn.EndTran(SQL_HANDLE_DBC, dbc.real, completion);
  return forward(dbc, fn.Transact, SQLHENV{SQL_NULL_HENV}, dbc.real,
                 static_cast<SQLUSMALLINT>(completion));
}

SQLRETURN set_autocommit(Connection& dbc, SQLULEN value, bool wide_entry) {
  const real::Entries& fn = entries(dbc);
  auto* attribute = wide_entry && fn.SetConnectAttrW != nullptr ? fn.SetConnectAttrW
                                                                : fn.SetConnectAttr;
  if (attribute == nullptr) {
    return forward(dbc, fn.SetConnectOption, dbc.real, SQLUSMALLINT{SQL_AUTOCOMMIT}, value);
  }
  return attribute(dbc.real, SQL_ATTR_AUTOCOMMIT, reinterpret_cast<SQLPOINTER>(value),
                   SQL_IS_UINTEGER);
}

SQLRETURN row_count(Statement& stmt, SQLLEN* count) {
  return forward(stmt, entries(stmt).RowCount, current(stmt), count);
}

SQLRETURN num_result_cols(Statement& stmt, SQLSMALLINT* count) {
  return forward(stmt, entries(stmt).NumResultCols, current(stmt), count);
}

SQLRETURN more_results(Statement& stmt) {
  return forward(stmt, entries(stmt).MoreResults, current(stmt));
}

SQLRETURN close_cursor(Statement& stmt) {
  const real::Entries& fn = entries(stmt);
  if (fn.CloseCursor != nullptr) return fn.CloseCursor(current(stmt));
  return forward(stmt, fn.FreeStmt, current(stmt), SQLUSMALLINT{SQL_CLOSE});
}

SQLRETURN free_stmt(Statement& stmt, SQLUSMALLINT option) {
  return forward(stmt, entries(stmt).FreeStmt, stmt.real, option);
}

SQLRETURN cancel(Statement& stmt) {
  const real::Entries& fn = entries(stmt);
  if (fn.Cancel != nullptr) return fn.Cancel(current(stmt));
  return forward(stmt, fn.CancelHandle, SQLSMALLINT{SQL_HANDLE_STMT}, current(stmt));
}

}  // namespace understudy::capture
