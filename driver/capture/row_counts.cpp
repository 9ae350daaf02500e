#include "driver/capture/row_counts.h"

#include <algorithm>
#include <string_view>

#include "driver/sql/arrays.h"

namespace understudy::capture {
SQLLEN own_row_count(const Statement& stmt, SQLRETURN ret) {
  if (ret == SQL_NO_DATA) return 0;
  const auto row_count = stmt.connection.library->fn.RowCount;
  SQLLEN count = -1;
  // After a warning the question might clear the application's diagnostics.
  if (ret != SQL_SUCCESS || row_count == nullptr) return -1;
  return SQL_SUCCEEDED(row_count(stmt.real, &count)) ? count : -1;
}

SQLLEN rows_changed(const Work& work, SQLRETURN ret) {
  if (ret == SQL_NO_DATA) return 0;
  if (ret == SQL_SUCCESS_WITH_INFO) {
    const Connection& dbc = work.stmt.connection;
    take_diagnostics(*dbc.library, SQL_HANDLE_STMT, work.stmt.current.load(), dbc.wide, work.stmt);
  }
  if (!on_own(work)) return own_row_count(work.stmt, SQL_SUCCESS);
  OwnStatement& own = work.execution().own;
  // What returns rows is a query for libsqliteodbc, which counts none.
  const bool counts = work.session.dialect != Dialect::sqlite || !own.has_columns();
  return counts ? own.row_count() : own.read_rows(0, false, Verb::other, nullptr, nullptr);
}

void add_counts(const Work& work, const std::vector<SQLLEN>& counts) {
  std::vector<SQLLEN>& seen = work.execution().counts;
  work.execution().rows_of_set = counts.empty() ? 0 : counts.back();
  // psqlodbc gives each set a result of its own; the others one for all.
  if (work.session.dialect == Dialect::postgresql || seen.empty()) {
    seen.insert(seen.end(), counts.begin(), counts.end());
    return;
  }
  for (const SQLLEN count : counts) seen.back() += std::max<SQLLEN>(count, 0);
}

namespace {

// What the real driver refuses before it forgets how many rows the last execution changed.
bool refused_before_it_ran(Statement& stmt, const Session& session) {
  const auto state = [](const Diagnostic& one) { return std::string_view(one.sqlstate); };
  if (session.dialect == Dialect::sqlite) {
    const std::vector<Diagnostic>& told = stmt.diagnostics;
    return !told.empty() && told.front().native < 0 && state(told.front()) != "07009";
  }
  if (session.dialect != Dialect::mariadb) return false;
  Handle seen(HandleKind::statement);
  take_diagnostics(*stmt.library, SQL_HANDLE_STMT, stmt.current.load(), stmt.connection.wide, seen);
  return !seen.diagnostics.empty() && state(seen.diagnostics.front()) == "07002";
}

}  // namespace

bool sent_as_one(const Execution& execution, const BoundParameters& bound) {
  return bound.sets() > 1 && bound.bind_type() == SQL_PARAM_BIND_BY_COLUMN &&
         sql::sent_as_one_array(execution.text());
}

void remember_rows(const Work& work, SQLRETURN ret) {
  // A text that ours was refused with has run as it is, on the application's own.
  if (work.stmt.current.load() == work.stmt.real) return;
  Execution& execution = work.execution();
  execution.stands_in = true;
  execution.plain = work.bound.count() == 0 && work.stmt.parameters.empty();
  execution.given_up = !done(ret) && refused_before_it_ran(work.stmt, work.session);
  if (execution.given_up) return;
  execution.remembers_own = true;
  if (work.session.dialect == Dialect::mariadb && !sent_as_one(execution, work.bound)) {
    execution.rows_last = done(ret) ? execution.rows_of_set : -1;
    return;
  }
  // Of an array that failed, what the sets before have changed.
  execution.rows_last = execution.counts.empty() ? 0 : execution.counts.back();
}

void remember_rows_before(const Work& work) {
  Execution& execution = work.execution();
  const Statement& stmt = work.stmt;
  const auto field = stmt.library->fn.GetDiagField;
  if (work.session.dialect != Dialect::mariadb || field == nullptr) return;
  if (!execution.stands_in || execution.remembers_own) return;
  SQLLEN rows = -1;
  if (!SQL_SUCCEEDED(field(SQL_HANDLE_STMT, stmt.real, 0, SQL_DIAG_ROW_COUNT, &rows, SQL_IS_INTEGER,
                           nullptr))) {
    return;
  }
  execution.rows_last = rows;
  execution.remembers_own = true;
}

void remember_refusal(Statement& stmt, const Session& session, SQLRETURN ret) {
  Execution& execution = *stmt.execution;
  if (!execution.remembers_own || stmt.current.load() != stmt.real) return;
  // libsqliteodbc tells of an error once: what is read here is what the application gets.
  if (ret == SQL_ERROR && session.dialect == Dialect::sqlite) {
    take_diagnostics(*stmt.library, SQL_HANDLE_STMT, stmt.real, stmt.connection.wide, stmt);
  }
  const bool waits = ret == SQL_NEED_DATA && session.dialect == Dialect::mariadb;
  if (waits || (ret == SQL_ERROR && refused_before_it_ran(stmt, session))) {
    execution.stands_in = execution.given_up = true;
    execution.plain = false;
  } else {
    execution.remembers_own = false;
  }
}

void keep_first_count(const Work& work) {
  const bool set_by_set = work.bound.sets() > 1 && work.plan.sets_at_once == 0;
  if (!set_by_set || (work.plan.columns == 0 && !work.plan.with_txid)) return;
  const Connection& dbc = work.stmt.connection;
  OwnStatement& own = work.execution().own;
  take_diagnostics(*dbc.library, SQL_HANDLE_STMT, own.handle(), dbc.wide, work.stmt);
  work.execution().rows_first = std::max<SQLLEN>(own.row_count(), 0);
}

SQLRETURN settle_own(const Work& work, Slice slice, SQLRETURN ret, SQLLEN count) {
  if (!on_own(work)) return ret;
  Execution& execution = work.execution();
  execution.own.report_processed(work.bound, slice);
  execution.failed_on_own = !done(ret);
  if (done(ret)) {
    execution.hidden = true;
    add_counts(work, {count});
    execution.own.close();
  }
  remember_rows(work, ret);
  return ret;
}

SQLRETURN as_application_sees(const Work& work, SQLRETURN ret) {
  const Execution& execution = work.execution();
  if (!execution.hidden || work.session.dialect != Dialect::sqlite || ret != SQL_SUCCESS) {
    return ret;
  }
  const bool none = std::all_of(execution.counts.begin(), execution.counts.end(),
                                [](SQLLEN count) { return count == 0; });
  const bool odbc2 = work.stmt.connection.environment.odbc_version == SQL_OV_ODBC2;
  return none && !odbc2 ? static_cast<SQLRETURN>(SQL_NO_DATA) : ret;
}

}  // namespace understudy::capture
