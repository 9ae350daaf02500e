#include "driver/capture/slices.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "driver/capture/own_transaction.h"
#include "driver/capture/record.h"
#include "driver/capture/row_counts.h"
#include "driver/capture/write.h"
#include "driver/sql/arrays.h"

namespace understudy::capture {
namespace {

std::size_t slice_size(const Work& work) {
  const std::size_t at_once = work.plan.sets_at_once;
  return work.plan.text == nullptr || at_once == 0 ? work.bound.sets() : at_once;
}

void mark_unused(const Work& work, std::size_t from) {
  if (work.bound.status() == nullptr || work.session.dialect == Dialect::sqlite) return;
  for (std::size_t set = from; set < work.bound.sets(); ++set) {
    work.bound.status()[set] = SQL_PARAM_UNUSED;
  }
}

SQLRETURN worse(SQLRETURN a, SQLRETURN b) {
  if (a == SQL_NO_DATA) return b;
  if (b == SQL_NO_DATA) return a;
  return a == SQL_SUCCESS ? b : a;
}

// Slice after slice; stops at the first that fails, as the real drivers do.
template <class RunOne>
SQLRETURN each_slice(const Work& work, RunOne one) {
  const std::size_t size = slice_size(work);
  // psqlodbc, BatchSize=1, does not tell of an array that it has changed no row.
  const bool by_one =
      work.session.dialect == Dialect::postgresql && work.bound.sets() > 1 && size == 1;
  SQLRETURN ret = by_one ? SQL_SUCCESS : SQL_NO_DATA;
  for (std::size_t first = 0; first < work.bound.sets(); first += size) {
    const Slice slice{first, std::min(size, work.bound.sets() - first)};
    if (slice.count == 1 && work.bound.skipped(first)) {
      const bool told = work.session.dialect == Dialect::postgresql;
      if (told && work.bound.status() != nullptr) work.bound.status()[first] = SQL_PARAM_UNUSED;
      continue;
    }
    const SQLRETURN now = one(slice);
    if (!done(now)) {
      if (slice.first + slice.count < work.bound.sets()) mark_unused(work, first + slice.count);
      return now;
    }
    ret = worse(ret, now);
  }
  return ret;
}

}  // namespace

SQLRETURN record_slices(const Work& work, const RunsSlice& run) {
  return each_slice(work, [&](Slice slice) { return record(work, slice, run); });
}

void keep_failed_set(const Work& work) {
  Execution& execution = work.execution();
  if (work.session.dialect != Dialect::postgresql || execution.counts.empty() || !on_own(work)) {
    return;
  }
  constexpr std::string_view kOfExecution = ";\nError while executing the query";
  const Connection& dbc = work.stmt.connection;
  Handle seen(HandleKind::statement);
  take_diagnostics(*dbc.library, SQL_HANDLE_STMT, execution.own.handle(), dbc.wide, seen);
  for (Diagnostic& one : seen.diagnostics) {
    if (!one.message.ends_with(kOfExecution)) continue;
    one.message.resize(one.message.size() - kOfExecution.size());
  }
  execution.failed_set = std::move(seen.diagnostics);
}

SQLRETURN run_converted(const Work& work, const RunsSlice& run) {
  Session& session = work.session;
  SQLRETURN refused = SQL_ERROR;
  const SQLRETURN ret = each_slice(work, [&](Slice slice) -> SQLRETURN {
    BeginWrite how = BeginWrite::recorded;
    if (slice.first != 0 && !begin_marked(work.stmt, session, &how, &refused)) return refused;
    if (!leave_autocommit(session)) return run_outside(session, [&] { return run(slice); });
    const SQLRETURN now = record(work, slice, run);
    return end_converted(work.stmt, session, now, work.execution().in_part);
  });
  return_to_autocommit(session);
  return ret;
}

namespace {

constexpr char kArraySavepoint[] = "understudy_array";

// What the application is told of its parameter sets.
struct SetsTold {
  explicit SetsTold(const BoundParameters& of) : bound(of) {
    if (of.status() != nullptr) status.assign(of.status(), of.status() + of.sets());
    if (of.processed() != nullptr) processed = *of.processed();
  }
  void restore() const {
    std::copy(status.begin(), status.end(), bound.status());
    if (bound.processed() != nullptr) *bound.processed() = processed;
  }
  const BoundParameters& bound;
  std::vector<SQLUSMALLINT> status;
  SQLULEN processed = 0;
};

// One statement to the server, of which nothing stays when one set fails.
bool fails_whole(const Work& work) {
  return sent_as_one(work.execution(), work.bound) &&
         !sql::server_runs_sets(work.execution().text());
}

void show_own_statement(const Work& work) {
  work.execution().forget_result();
  work.execution().stands_in = false;
  work.stmt.run_on(work.stmt.real);
}

// Undone, the application's own call fails again and is what the application is told of. Where the
// sets before the one that failed stand it is undone, too, and they are run and recorded once more,
// up to the one that fails: its warnings stay. `*stands`: so it was.
SQLRETURN fail_whole_array(const Work& work, const SetsTold& before, const RunsUnchanged& unchanged,
                           const RunsSlice& run, bool* stands) {
  Session& session = work.session;
  const auto back = [&] {
    const std::string text = std::string("ROLLBACK TO SAVEPOINT ") + kArraySavepoint;
    const bool gone = SQL_SUCCEEDED(session.send_aside(text));
    if (gone) session.rolled_back_to(kArraySavepoint);
    return gone;
  };
  // After a deadlock nothing is left to go back to.
  if (!back()) return SQL_ERROR;
  before.restore();
  show_own_statement(work);
  work.stmt.diagnostics.clear();
  const SQLRETURN ret = to_its_end(unchanged);
  session.transaction.tainted = !done(ret);
  if ((fails_whole(work) && !done(ret)) || !back()) return ret;
  const SetsTold told(work.bound);
  const std::vector<Diagnostic> warned = std::exchange(work.stmt.diagnostics, {});
  *stands = true;
  (void)record_slices(work, run);
  told.restore();
  work.stmt.diagnostics = warned;
  show_own_statement(work);
  return ret;
}

// Of what the server ran set by set its ROW_COUNT() is that of the last set.
void keep_last_count(const Work& work, bool failed) {
  if (fails_whole(work)) return;
  work.session.previous.rows = failed ? "-1" : std::to_string(work.execution().rows_of_set);
}

// All sets have run, or were to be ignored: these count as processed.
void report_ignored(const BoundParameters& bound) {
  if (bound.processed() != nullptr) *bound.processed() = bound.sets();
  for (std::size_t set = 0; bound.status() != nullptr && set < bound.sets(); ++set) {
    if (bound.skipped(set)) bound.status()[set] = SQL_PARAM_UNUSED;
  }
}

}  // namespace

SQLRETURN run_whole_array(const Work& work, bool implicit, const RunsSlice& run,
                          const RunsUnchanged& unchanged) {
  Session& session = work.session;
  if (implicit && !leave_autocommit(session)) return run_outside(session, unchanged);
  const SetsTold before(work.bound);
  const bool saved = SQL_SUCCEEDED(session.send_aside(std::string("SAVEPOINT ") + kArraySavepoint));
  if (saved) session.transaction.set_savepoint(kArraySavepoint);
  SQLRETURN ret = record_slices(work, run);
  bool stands = false;
  if (!done(ret) && saved) {
    ret = fail_whole_array(work, before, unchanged, run, &stands);
    keep_last_count(work, true);
    if (implicit && stands && session.transaction.tainted) session.settle_taint();
  } else if (done(ret)) {
    report_ignored(work.bound);
    keep_last_count(work, false);
  }
  if (implicit) {
    ret = end_converted(work.stmt, session, ret, stands);
    return_to_autocommit(session);
  } else if (saved) {
    (void)session.send_aside(std::string("RELEASE SAVEPOINT ") + kArraySavepoint);
    session.transaction.release(kArraySavepoint);
  }
  return ret;
}

}  // namespace understudy::capture
