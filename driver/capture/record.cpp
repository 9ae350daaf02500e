#include "driver/capture/record.h"

#include <algorithm>
#include <new>
#include <optional>

#include "driver/capture/collected.h"
#include "driver/capture/record_parts.h"
#include "driver/capture/record_rows.h"
#include "driver/capture/row_counts.h"
#include "driver/sql/procedures.h"

namespace understudy::capture {
namespace {

constexpr char kAsTheServerSays[] = "ROW_COUNT()";

bool late_value_lost(const Work& work) {
  return work.plan.values && std::any_of(work.late.begin(), work.late.end(),
                                         [](const LateValue& one) { return one.lost; });
}

// What it did last may be another thing than the result that it shows.
bool is_call(const Work& work) {
  return work.execution().classification().cls == sql::StatementClass::opaque;
}

// MariaDB took the command for none that runs with an array: nothing has run.
bool refused_array(const Statement& stmt, const Session& session) {
  constexpr SQLINTEGER kUnsupportedPrepared = 1295;
  if (session.dialect != Dialect::mariadb) return false;
  Handle seen(HandleKind::statement);
  take_diagnostics(*stmt.library, SQL_HANDLE_STMT, stmt.real, stmt.connection.wide, seen);
  return !seen.diagnostics.empty() && seen.diagnostics.front().native == kUnsupportedPrepared;
}

// On the application's own statement. The values are taken before the call, which may overwrite
// them.
SQLRETURN record_unchanged(const Work& work, const RunsSlice& run) {
  const std::size_t sets = work.bound.sets();
  if (sets > 1) {
    const auto mark = work.entries().mark();
    for (std::size_t set = 0; set < sets; ++set) {
      if (work.bound.skipped(set)) continue;
      begin_entry(work, set);
      end_entry(work, -1);
      work.session.spill();
    }
    const SQLRETURN ret = run(work.all());
    if (!done(ret)) {
      work.entries().rewind(mark);
      if (ret == SQL_ERROR && !refused_array(work.stmt, work.session)) {
        work.session.note_uncaptured("parameter-array-failed");
      }
    }
    return ret;
  }
  const auto before = rows_written(work.stmt, work.session);
  begin_entry(work, 0);
  const SQLRETURN ret = run(work.all());
  settle_entry(work, ret, own_row_count(work.stmt, ret));
  if (ret == SQL_ERROR && before && before != rows_written(work.stmt, work.session)) {
    work.execution().in_part = true;
    work.session.note_uncaptured(kFailedInPart);
  } else if (ret == SQL_ERROR && perhaps_in_part(work.stmt, work.session)) {
    work.session.transaction.failed_in_part = true;
  }
  if (work.session.dialect == Dialect::mariadb && done(ret) && is_call(work)) {
    // While results wait to be read the server answers nothing else, and will still know it.
    const bool kept = SQL_SUCCEEDED(work.session.send_aside(sql::kKeepRowCount));
    work.session.previous.rows = kept ? sql::kKeptRowCount : kAsTheServerSays;
  }
  return ret;
}

// The rows of effects that our own statement returned. False: they could not be read.
bool record_effects(const Work& work, Slice slice, SQLRETURN ret) {
  OwnStatement& own = work.execution().own;
  std::vector<SQLLEN> counts;
  SQLLEN total = 0;
  begin_entry(work, slice.first);
  while (SQL_SUCCEEDED(ret)) {
    const SQLLEN rows = own.read_rows(work.plan.columns, work.plan.with_txid, work.plan.verb,
                                      &work.entries(), &work.session.transaction.server_txid);
    if (rows < 0) {
      work.entries().cancel_statement();
      return false;
    }
    counts.push_back(rows);
    total += rows;
    if (!own.next_result()) break;
  }
  if (ret == SQL_NO_DATA) counts.push_back(0);
  settle_entry(work, ret, total);
  add_counts(work, counts);
  return true;
}

// The application's own text ran on our own statement: what each set changed.
void record_sets(const Work& work, Slice slice, SQLRETURN ret) {
  OwnStatement& own = work.execution().own;
  std::vector<SQLLEN> counts;
  if (ret == SQL_NO_DATA) {
    counts.push_back(0);
  } else {
    do counts.push_back(own.row_count());
    while (own.next_result());
  }
  std::size_t at = 0;
  const bool each = counts.size() == slice.count;
  for (std::size_t set = slice.first; set < slice.first + slice.count; ++set) {
    if (work.bound.skipped(set)) continue;
    begin_entry(work, set);
    settle_entry(work, ret, each ? counts[at++] : -1);
  }
  add_counts(work, counts);
}

// The application is going to fetch from our own statement.
bool record_visible(const Work& work, SQLRETURN ret) {
  Execution& execution = work.execution();
  execution.visible = true;
  if (work.plan.collects && !work.plan.analysis->parts.empty()) {
    execution.clipped = work.plan.analysis->shows_all ? 0 : 1;
    return !SQL_SUCCEEDED(ret) || record_kept_parts(work);
  }
  begin_entry(work, 0);
  if (!work.plan.collects) {
    settle_entry(work, ret, ret == SQL_SUCCESS ? execution.own.row_count() : -1);
    return true;
  }
  execution.clipped = 1;
  work.session.keep_found_rows();
  const SQLLEN rows =
      SQL_SUCCEEDED(ret) ? collect_rows(work.stmt, work.session, work.plan) : SQLLEN{0};
  if (rows < 0) {
    work.entries().cancel_statement();
    return false;
  }
  settle_entry(work, ret, rows);
  return true;
}

SQLRETURN record_on_own(const Work& work, Slice slice, const RunsSlice& run) {
  if (work.plan.collects) (void)begin_collecting(work.session);
  const SQLRETURN ret = run(slice);
  Execution& execution = work.execution();
  if (ret == SQL_NEED_DATA) return ret;
  execution.own.report_processed(work.bound, slice);
  execution.failed_on_own = !done(ret);
  if (!done(ret)) {
    if (work.plan.collects) forget_collected(work.stmt, work.session);
    if (!work.plan.visible) remember_rows(work, ret);
    if (work.session.dialect == Dialect::postgresql) keep_first_count(work);
    return ret;
  }
  if (work.plan.visible) {
    if (!record_visible(work, ret)) work.session.rows_unread();
    return ret;
  }
  execution.hidden = true;
  // Reading its rows is going to clear what the real driver warned of.
  if (ret == SQL_SUCCESS_WITH_INFO) {
    const Connection& dbc = work.stmt.connection;
    take_diagnostics(*dbc.library, SQL_HANDLE_STMT, execution.own.handle(), dbc.wide, work.stmt);
  }
  if (work.plan.columns != 0 && !work.plan.analysis->parts.empty()) {
    if (!record_returned_parts(work, slice, ret)) work.session.rows_unread();
  } else if (work.plan.columns != 0 || work.plan.with_txid) {
    if (!record_effects(work, slice, ret)) work.session.rows_unread();
  } else {
    record_sets(work, slice, ret);
  }
  execution.own.close();
  remember_rows(work, ret);
  return ret;
}

// Inside the open transaction.
SQLRETURN record_or_throw(const Work& work, Slice slice, const RunsSlice& run) {
  Transaction& transaction = work.session.transaction;
  const Plan& plan = work.plan;
  SQLRETURN ret = SQL_ERROR;
  if (plan.reads) {
    ret = run(slice);
    work.execution().cursor_open = SQL_SUCCEEDED(ret);
  } else if (plan.verdict == Verdict::ddl || plan.uncaptured != nullptr || late_value_lost(work)) {
    ret = run(slice);
    if (done(ret) && plan.verdict == Verdict::ddl) transaction.schema_changed = true;
    if (done(ret) && plan.verdict != Verdict::ddl) {
      work.session.note_uncaptured(plan.uncaptured != nullptr ? plan.uncaptured
                                                              : "value-too-large");
    }
  } else if (plan.asks) {
    ret = record_by_rows(work, slice, run);
  } else {
    ret = plan.text == nullptr ? record_unchanged(work, run) : record_on_own(work, slice, run);
  }
  if (!done(ret) && ret != SQL_NEED_DATA) transaction.tainted = true;
  return ret;
}

// Connector/ODBC: an error whose SQLSTATE begins with 01, as that of a value which is cut off, is
// SQL_ERROR, but a success without columns where the text has a RETURNING.
bool refused_as_success(const Work& work, SQLRETURN ret) {
  const Plan& plan = work.plan;
  if (work.session.dialect != Dialect::mariadb || ret != SQL_SUCCESS_WITH_INFO) return false;
  const bool own_returning = plan.analysis != nullptr && plan.analysis->own_returning;
  const bool returns = plan.columns != 0 || (plan.keeps && plan.verb == Verb::put);
  if (!own_returning && !(returns && on_own(work))) return false;
  constexpr SQLINTEGER kServerErrors = 1000;  // and above; of a warning only the driver says so
  Handle seen(HandleKind::statement);
  take_diagnostics(*work.stmt.library, SQL_HANDLE_STMT, work.stmt.current.load(),
                   work.stmt.connection.wide, seen);
  return !seen.diagnostics.empty() && seen.diagnostics.front().native >= kServerErrors;
}

}  // namespace

SQLRETURN record(const Work& work, Slice slice, const RunsSlice& run) {
  std::optional<SQLRETURN> answered;
  SQLRETURN refused = SQL_ERROR;  // what the bare driver says of an error
  const RunsSlice keeping = [&](Slice part) {
    answered = run(part);
    if (refused_as_success(work, *answered)) {
      if (work.plan.analysis->own_returning) refused = *answered;
      return *(answered = static_cast<SQLRETURN>(SQL_ERROR));
    }
    const sql::Analysis* analysis = work.plan.analysis;
    // A procedure in a transaction of ours has no query.
    if (work.session.autocommitting() && sql::called_procedure(work.execution().text())) {
      return *answered;
    }
    work.session.found_rows_set(work.execution().text(),
                                analysis != nullptr && analysis->several_targets);
    return *answered;
  };
  try {
    const SQLRETURN ret = record_or_throw(work, slice, keeping);
    return ret == SQL_ERROR ? refused : ret;
  } catch (const std::bad_alloc&) {
    work.entries().cancel_statement();
    work.session.map->invalidate("no memory was left to record a statement");
    return answered ? *answered : run(slice);
  }
}

namespace {

// The server took the text for no statement: what it says is about ours.
bool refused_text(const Work& work, const OwnStatement& own) {
  constexpr SQLINTEGER kSqliteError = 1;
  constexpr SQLINTEGER kMariadbParseError = 1064;
  constexpr SQLINTEGER kMariadbAmbiguous = 1052;
  constexpr SQLINTEGER kMariadbTableAccess = 1142;
  constexpr SQLINTEGER kMariadbColumnAccess = 1143;
  constexpr SQLINTEGER kMariadbAssignedTwice = 4140;  // in sql_mode SIMULTANEOUS_ASSIGNMENT
  if (work.session.dialect == Dialect::mariadb) {
    Handle seen(HandleKind::statement);
    take_diagnostics(*work.stmt.library, SQL_HANDLE_STMT, own.handle(), work.stmt.connection.wide,
                     seen);
    const SQLINTEGER native = seen.diagnostics.empty() ? 0 : seen.diagnostics.front().native;
    return native == kMariadbParseError ||
           (work.plan.keeps && (native == kMariadbTableAccess || native == kMariadbColumnAccess ||
                                native == kMariadbAmbiguous || native == kMariadbAssignedTwice));
  }
  if (work.session.dialect != Dialect::sqlite) return false;
  // libsqliteodbc tells of an error once: what is read here is what the application gets.
  std::vector<Diagnostic>& told = work.stmt.diagnostics;
  take_diagnostics(*work.stmt.library, SQL_HANDLE_STMT, own.handle(), work.stmt.connection.wide,
                   work.stmt);
  const bool refused = !told.empty() && told.front().native == kSqliteError;
  if (refused) told.clear();
  return refused;
}

}  // namespace

RunsSlice runs_text(const Work& work, bool direct, const RunsUnchanged& unchanged) {
  return [&work, direct, &unchanged](Slice slice) -> SQLRETURN {
    if (work.plan.text == nullptr) return to_its_end(unchanged);
    OwnStatement& own = work.execution().own;
    const SQLRETURN opened = own.open(work.plan.visible);
    if (!SQL_SUCCEEDED(opened)) {
      work.stmt.run_on(own.handle() == SQL_NULL_HSTMT ? work.stmt.real : own.handle());
      return opened;
    }
    if (!own.bind(work.bound, slice)) {
      work.stmt.run_on(own.handle());
      return SQL_ERROR;
    }
    const SQLRETURN ret =
        to_its_end([&] { return own.run(*work.plan.text, direct, work.execution().wide()); });
    if (ret != SQL_ERROR || slice.count != work.bound.sets() || !refused_text(work, own)) {
      return ret;
    }
    // Nothing has run: the application is told of its own text.
    work.stmt.run_on(work.stmt.real);
    return unchanged();
  };
}

}  // namespace understudy::capture
