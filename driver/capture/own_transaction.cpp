#include "driver/capture/own_transaction.h"

#include <utility>

#include "driver/handle/attributes.h"

namespace understudy::capture {
bool leave_autocommit(Session& session) {
  if (session.makes_none || !SQL_SUCCEEDED(real_set_autocommit(session.dbc, false))) return false;
  session.transaction.flags |= kTransactionAutocommit;
  return true;
}

namespace {

// SQLite has undone the transaction by itself (SQLCancel, a full disk, OR ROLLBACK), which
// libsqliteodbc does not notice: it refuses to end what is not there any more.
bool ended_by_itself(Session& session) {
  if (session.dialect != Dialect::sqlite || !SQL_SUCCEEDED(session.send_aside("BEGIN"))) {
    return false;
  }
  return SQL_SUCCEEDED(real_end_tran(session.dbc, SQL_ROLLBACK));
}

void try_to_return(Session& session) {
  session.left_autocommit = !SQL_SUCCEEDED(real_set_autocommit(session.dbc, true));
  if (session.left_autocommit && ended_by_itself(session)) {
    session.left_autocommit = !SQL_SUCCEEDED(real_set_autocommit(session.dbc, true));
  }
}

}  // namespace

void return_to_autocommit(Session& session) {
  try_to_return(session);
  if (session.left_autocommit && !session.connection_lost()) {
    tell_operator("the real driver refuses to return to autocommit", session.migration);
  }
}

SQLRETURN run_outside(Session& session, const RunsUnchanged& unchanged) {
  const SQLRETURN ret = unchanged();
  if (done(ret) || ret == SQL_NEED_DATA) {
    session.map->invalidate("the real driver refuses to leave autocommit: order cannot be kept");
  }
  session.lost();
  return ret;
}

std::optional<SQLRETURN> run_if_still_outside(Statement& stmt, Session& session,
                                              const RunsUnchanged& unchanged) {
  try_to_return(session);  // an SQLCancel that came late may have met the first try
  if (!session.left_autocommit) return std::nullopt;
  if (!session.connection_lost()) {
    return stmt.fail("HY000", "the real driver refuses to return to autocommit");
  }
  const SQLRETURN ret = run_outside(session, unchanged);
  // Connected again by itself: what the application takes for committed must be.
  if (done(ret)) real_end_tran(session.dbc, SQL_COMMIT);
  return ret;
}

SQLRETURN end_converted(Statement& stmt, Session& session, SQLRETURN ret, bool stands) {
  Connection& dbc = session.dbc;
  // It is alone in its transaction: there is nothing to ask the server.
  session.transaction.tainted = false;
  stands = stands || done(ret);
  const SQLRETURN ended = stands
                              ? session.commit([&] { return real_end_tran(dbc, SQL_COMMIT); })
                              : session.rollback([&] { return real_end_tran(dbc, SQL_ROLLBACK); });
  if (!stands) session.lost();
  if (!stands || SQL_SUCCEEDED(ended)) return ret;
  if (dbc.diagnostics.empty()) {
    take_diagnostics(*dbc.library, SQL_HANDLE_DBC, dbc.real, dbc.wide, stmt);
  } else {
    stmt.diagnostics = std::exchange(dbc.diagnostics, {});  // the server was asked since
  }
  real_end_tran(dbc, SQL_ROLLBACK);
  stmt.execution->forget_result();
  return SQL_ERROR;
}

SQLRETURN run_in_own_transaction(Statement& stmt, Session& session, const RunsUnchanged& work,
                                 const RunsUnchanged& unchanged) {
  if (!leave_autocommit(session)) return run_outside(session, unchanged);
  SQLRETURN ret = work();
  if (ret == SQL_NEED_DATA) {
    stmt.execution->pending->converted = true;
    return ret;
  }
  ret = end_converted(stmt, session, ret);
  return_to_autocommit(session);
  return ret;
}

}  // namespace understudy::capture
