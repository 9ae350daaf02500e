#include "driver/capture/work.h"

#include <algorithm>
#include <array>
#include <thread>
#include <utility>

#include "driver/sql/connector_batch.h"
#include "driver/sql/procedures.h"

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

namespace {

bool may_be_several(const Statement& stmt, const Session& session) {
  return session.dialect == Dialect::mariadb &&
         stmt.execution->classification().cls == sql::StatementClass::opaque;
}

}  // namespace

std::optional<std::string> rows_written(Statement& stmt, Session& session) {
  if (!may_be_several(stmt, session) || !session.autocommitting()) return std::nullopt;
  session.keep_found_rows();
  OwnStatement question(stmt);
  std::string rows;
  bool is_null = false;
  const bool told = question.ask(sql::kRowsWritten) && question.read_value(1, &rows, &is_null);
  return told ? std::optional(std::move(rows)) : std::nullopt;
}

bool perhaps_in_part(const Statement& stmt, const Session& session) {
  // Of the server, which has begun nothing: unknown words, what it does not prepare, no such
  // procedure, other arguments, no right to call it.
  constexpr std::array<SQLINTEGER, 5> kNothingRan = {1064, 1295, 1305, 1318, 1370};
  constexpr SQLINTEGER kClientErrors = 2000;
  if (!may_be_several(stmt, session) || session.autocommitting()) return false;
  Handle seen(HandleKind::statement);
  take_diagnostics(*stmt.library, SQL_HANDLE_STMT, stmt.current.load(), stmt.connection.wide, seen);
  const SQLINTEGER native = seen.diagnostics.empty() ? 0 : seen.diagnostics.front().native;
  return native > 0 && native < kClientErrors &&
         std::find(kNothingRan.begin(), kNothingRan.end(), native) == kNothingRan.end();
}

namespace {

/// Nothing of what it writes is checked at COMMIT.
bool checked_at_once(const Plan& plan, const sql::RowsQuery* rows) {
  const bool by_rows = plan.verdict == Verdict::keyed || plan.verdict == Verdict::effects;
  if (!by_rows || plan.analysis == nullptr || plan.analysis->several_targets) return false;
  const Table* table = rows != nullptr ? rows->table : plan.analysis->table;
  return table != nullptr && !table->deferrable && !table->is_view && !table->rules &&
         table->triggers.empty();
}

}  // namespace

void begin_entry(const Work& work, std::size_t set, const sql::RowsQuery* rows) {
  const Plan& plan = work.plan;
  if (!checked_at_once(plan, rows)) work.session.transaction.deferrable = true;
  std::uint8_t flags = work.execution().wide() ? kStatementWideText : 0;
  if (plan.columns != 0 || plan.asks) flags |= kStatementHasEffects;
  if (work.session.counts_found && sql::may_count_found(work.execution().text())) {
    flags |= kStatementCountsFound;
  }
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
