#include "driver/capture/work.h"

#include <thread>

namespace understudy::capture {

bool done(SQLRETURN ret) {
  return SQL_SUCCEEDED(ret) || ret == SQL_NO_DATA;
}

SQLRETURN to_its_end(const RunsUnchanged& call) {
  SQLRETURN ret = call();
  while (ret == SQL_STILL_EXECUTING) {
    std::this_thread::yield();
    ret = call();
  }
  return ret;
}

void begin_entry(const Work& work, std::size_t set, const sql::RowsQuery* rows) {
  const Plan& plan = work.plan;
  std::uint8_t flags = work.execution().wide() ? kStatementWideText : 0;
  if (plan.columns != 0 || plan.asks) flags |= kStatementHasEffects;
  const std::string_view shape = rows != nullptr            ? rows->shape
                                 : plan.analysis == nullptr ? std::string_view()
                                                            : plan.analysis->shape;
  work.entries().begin_statement(plan.verdict, plan.verb, flags, work.execution().text(), shape);
  if (plan.values) work.bound.append(set, work.late, work.entries());
  if (plan.verdict != Verdict::keyed || plan.analysis == nullptr) return;
  for (const KeyPart& part : plan.analysis->key) work.entries().add_key(part);
}

namespace {

bool changed_something(const Plan& plan, SQLLEN rows) {
  return rows != 0 || plan.verb == Verb::other || plan.verb == Verb::clear;
}

}  // namespace

void end_entry(const Work& work, SQLLEN rows) {
  work.entries().end_statement(rows);
  if (work.plan.verdict != Verdict::opaque) return;
  work.session.transaction.flags |= kTransactionBarrier;
  work.session.header().opaque.fetch_add(1, std::memory_order_relaxed);
}

void settle_entry(const Work& work, SQLRETURN ret, SQLLEN rows) {
  if (!done(ret) || !changed_something(work.plan, rows)) {
    work.entries().cancel_statement();
    return;
  }
  end_entry(work, rows);
  work.session.spill();
}

bool on_own(const Work& work) {
  return work.plan.text != nullptr && work.stmt.current.load() != work.stmt.real;
}

}  // namespace understudy::capture
