#include "driver/capture/own_transaction.h"

#include <utility>

#include "driver/handle/attributes.h"

namespace understudy::capture {
bool leave_autocommit(Session& session) {
  if (SQL_SUCCEEDED(real_set_autocommit(session.dbc, false))) {
    session.transaction.flags |= kTransactionAutocommit;
    return true;
  }
  session.map->invalidate("the real driver refuses to leave autocommit: order cannot be kept");
  return false;
}

void return_to_autocommit(Session& session) {
  session.left_autocommit = !SQL_SUCCEEDED(real_set_autocommit(session.dbc, true));
  if (session.left_autocommit) {
    tell_operator("the real driver refuses to return to autocommit", session.migration);
  }
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
  SQLRETURN ret = SQL_ERROR;
  if (!leave_autocommit(session)) {
    ret = unchanged();
    session.lost();
    return ret;
  }
  ret = work();
  if (ret == SQL_NEED_DATA) {
    stmt.execution->pending->converted = true;
    return ret;
  }
  ret = end_converted(stmt, session, ret);
  return_to_autocommit(session);
  return ret;
}

}  // namespace understudy::capture
