// Where the api layer hands over the calls that capture and routing care about. Everything else is
// forwarded by the api layer itself, through `stmt.current` where it reads state of an execution.
//
// Every function returns what the application gets. Called inside the api's guard: our own
// diagnostics cleared, exceptions turned into diagnostics (HY001 for std::bad_alloc).
#pragma once

#include <sql.h>
#include <sqlext.h>

#include <functional>
#include <string_view>

#include "driver/capture/results.h"
#include "driver/handle/connection.h"
#include "driver/handle/statement.h"

namespace understudy::capture {

/// A statement text as the application gave it. `length` in characters of its kind, or SQL_NTS.
struct SqlText {
  const SQLCHAR* narrow = nullptr;  // one of the two
  const SQLWCHAR* wide = nullptr;
  SQLINTEGER length = SQL_NTS;
};

/// Whether the shadow is in use of a migration that this user may not take part in, or could not
/// when it connected: what it writes to production would be lost. Then a diagnostic of `handle`
/// says so: 08004 when it connects, 08S01 afterwards. Before each call that may write or commit.
bool shut_out(Handle& handle, const Connection& dbc, const char* sqlstate = "08S01");
/// The real connection is up and the pre-connect attributes are set: joins the migration's segment.
void connected(Connection& dbc);
/// The real driver refused to connect. Where the migration has the shadow in use and production may
/// be gone, the connection is made there. False: nothing has changed.
bool connected_elsewhere(Connection& dbc);
/// Just after connecting: it was made there.
bool began_elsewhere(const Connection& dbc);
/// Before and after the real SQLDisconnect. An open transaction is dropped only after it succeeded.
void disconnecting(Connection& dbc);
void disconnected(Connection& dbc);

/// A new statement, before the application knows of it: what other threads may look at is made
/// here.
void allocated(Statement& stmt);
/// Before a catalog function.
void asks_catalog(Statement& stmt);
SQLRETURN prepare(Statement& stmt, const SqlText& text);
SQLRETURN exec_direct(Statement& stmt, const SqlText& text);
SQLRETURN execute(Statement& stmt);
SQLRETURN param_data(Statement& stmt, SQLPOINTER* value);
SQLRETURN put_data(Statement& stmt, SQLPOINTER data, SQLLEN length);
/// Around a fetch of rows into bound columns: keys of a rowset through which the application may
/// write are remembered. `rows`: SQLExtendedFetch's count, else null.
SQLRETURN fetched(Statement& stmt, const SQLULEN* rows, const std::function<SQLRETURN()>& fetch);
/// Whether `fetched` has anything to do.
bool keeps_rows(const Statement& stmt);
SQLRETURN bulk_operations(Statement& stmt, SQLSMALLINT operation);
SQLRETURN set_pos(Statement& stmt, SQLSETPOSIROW row, SQLUSMALLINT operation, SQLUSMALLINT lock);
/// `completion` SQL_COMMIT or SQL_ROLLBACK on one connection.
SQLRETURN end_tran(Connection& dbc, SQLSMALLINT completion);
/// SQLSetConnectAttr(SQL_ATTR_AUTOCOMMIT); turning it on commits.
SQLRETURN set_autocommit(Connection& dbc, SQLULEN value, bool wide_entry);
/// After SQLSetConnectAttr(SQL_ATTR_CURRENT_CATALOG) succeeded, which is MariaDB's USE.
void database_set(Connection& dbc, std::string_view name);

SQLRETURN close_cursor(Statement& stmt);
/// SQLFreeStmt(SQL_CLOSE, SQL_UNBIND, SQL_RESET_PARAMS); bookkeeping of bindings is done by the
/// api.
SQLRETURN free_stmt(Statement& stmt, SQLUSMALLINT option);
/// Lock-free; may arrive from another thread during an execution.
SQLRETURN cancel(Statement& stmt);

/// Before any call that may reach production on a connection: moves the session when the migration
/// has been switched and the session is at a transaction boundary. Cheap (one load) otherwise.
SQLRETURN boundary(Connection& dbc);
/// The same, and brings the statement to the connection's present side.
SQLRETURN boundary(Statement& stmt);
/// Before a real statement is freed or re-allocated.
void freeing(Statement& stmt);

}  // namespace understudy::capture
