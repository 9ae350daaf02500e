#include "driver/capture/data_at_execution.h"

#include <new>
#include <utility>

#include "driver/capture/own_transaction.h"
#include "driver/capture/record.h"
#include "driver/capture/row_counts.h"
#include "driver/capture/write.h"

namespace understudy::capture {
SQLRETURN start_pending(const Work& work, bool implicit, bool direct,
                        const RunsUnchanged& unchanged) {
  Session& session = work.session;
  auto pending = std::make_unique<Pending>();
  pending->recorded = true;
  pending->implicit = implicit;
  pending->direct = direct;
  pending->plan = work.plan;
  pending->plan.sets_at_once = 0;
  pending->bound = work.bound;
  pending->late = work.late;
  pending->txn_id = session.transaction.txn_id;
  // The statement runs at the last SQLParamData, and only then leaves autocommit; of an array each
  // set runs when its own values are there.
  if (implicit && work.bound.sets() > 1) {
    pending->converted = leave_autocommit(session);
    if (!pending->converted) return run_outside(session, unchanged);
  }
  const SQLRETURN ret = runs_text(work, direct, unchanged)(work.all());
  if (ret == SQL_NEED_DATA) {
    work.execution().pending = std::move(pending);
    work.execution().stands_in = work.plan.text != nullptr;
    work.execution().plain = false;
    if (!direct) remember_rows_before(work);
    return ret;
  }
  // The real driver saw no such value after all, or failed before it asked.
  if (pending->converted) return_to_autocommit(session);
  if (done(ret)) session.note_uncaptured("data-at-execution");
  if (!done(ret)) session.transaction.tainted = !implicit;
  if (implicit) session.lost();
  return ret;
}

namespace {

SQLRETURN finish_pending(Statement& stmt, Session& session, const RunsUnchanged& last) {
  const std::unique_ptr<Pending> pending = std::move(stmt.execution->pending);
  BeginWrite how = BeginWrite::unrecorded;
  SQLRETURN ret = SQL_ERROR;
  const auto run = [&](Slice) { return to_its_end(last); };
  // Another statement of this connection may have ended the transaction in between.
  if (!begin_marked(stmt, session, &how, &ret)) return ret;
  if (how != BeginWrite::recorded) {
    ret = last();
    if (pending->implicit) session.lost();
    return ret;
  }
  for (LateValue& one : pending->late) {
    one.lost = one.lost || (one.pieces && pending->txn_id != session.transaction.txn_id);
  }
  const Work work{stmt, session, pending->plan, pending->bound, pending->late};
  if (!pending->implicit) return as_application_sees(work, record(work, work.all(), run));
  if (!pending->converted && !leave_autocommit(session)) return run_outside(session, last);
  ret = end_converted(stmt, session, record(work, work.all(), run));
  return_to_autocommit(session);
  return as_application_sees(work, ret);
}

// The last piece of a write through a cursor has come.
SQLRETURN finish_settling(Statement& stmt, Session& session, SQLRETURN ret) {
  const std::unique_ptr<Pending> pending = std::move(stmt.execution->pending);
  BeginWrite how = BeginWrite::unrecorded;
  SQLRETURN refused = SQL_ERROR;
  // Another statement of this connection may have ended the transaction in between.
  const bool marked = begin_marked(stmt, session, &how, &refused);
  if (marked && how == BeginWrite::recorded) ret = pending->settle(ret);
  if (!pending->converted) return ret;
  ret = end_converted(stmt, session, ret);
  return_to_autocommit(session);
  return ret;
}

}  // namespace

SQLRETURN continue_pending(Statement& stmt, Session& session, const RunsUnchanged& param_data) {
  Pending& pending = *stmt.execution->pending;
  if (pending.recorded && pending.asked == pending.late.size()) {
    const SQLRETURN ret = finish_pending(stmt, session, param_data);
    if (ret != SQL_NEED_DATA) session.keep_row_count(stmt, ret);
    return ret;
  }
  const SQLRETURN ret = param_data();
  if (ret == SQL_STILL_EXECUTING) return ret;
  if (ret == SQL_NEED_DATA) {
    ++pending.asked;
    return ret;
  }
  if (pending.recorded) return finish_pending(stmt, session, [&] { return ret; });
  if (pending.settle) return finish_settling(stmt, session, ret);
  const bool implicit = pending.implicit;
  stmt.execution->pending.reset();
  if (implicit) session.lost();
  return ret;
}

void add_pending(Statement& stmt, Session& session, const void* data, SQLLEN length) {
  Pending& pending = *stmt.execution->pending;
  const bool wanted = pending.recorded && pending.plan.values && pending.asked > 0 &&
                      pending.asked <= pending.late.size();
  if (!wanted) return;
  const std::lock_guard lock(session.dbc.write_mutex);
  Transaction& transaction = session.transaction;
  const bool goes_on = transaction.recorded && transaction.txn_id == pending.txn_id;
  try {
    pending.late[pending.asked - 1].add(data, length, goes_on ? &transaction.entries : nullptr);
  } catch (const std::bad_alloc&) {
    pending.late[pending.asked - 1].lost = true;
  }
}

void abandon_pending(Statement& stmt, Session& session) {
  const std::unique_ptr<Pending> pending = std::move(stmt.execution->pending);
  if (pending == nullptr || !pending->implicit) return;
  if (pending->converted) {
    real_end_tran(session.dbc, SQL_ROLLBACK);
    return_to_autocommit(session);
  }
  if (session.autocommitting() && session.transaction.entries.empty()) session.lost();
}

}  // namespace understudy::capture
