#include "driver/capture/write.h"

#include <cstdint>

#include "driver/capture/values.h"
#include "driver/handle/attributes.h"
#include "driver/route/route.h"

namespace understudy::capture {
namespace {

/// How one execution is going to be recorded; decided before it runs.
struct Plan {
  const sql::Analysis* analysis = nullptr;
  Verdict verdict = Verdict::opaque;
  Verb verb = Verb::other;
  bool reads = false;                      // the grammar has cleared what the words made suspect
  const char* uncaptured = nullptr;        // not recorded but counted under this name
  const std::string* rewritten = nullptr;  // run on our own statement in its place
  std::size_t columns = 0;                 // of each row the rewritten text returns
  bool with_txid = false;
};

std::uint64_t statement_deadline_ns(const Statement& stmt) {
  const Attribute* timeout = find_attribute(stmt.attributes, SQL_ATTR_QUERY_TIMEOUT);
  const auto seconds = timeout == nullptr ? 0 : reinterpret_cast<std::uintptr_t>(timeout->value);
  return seconds == 0 ? 0 : monotonic_ns() + seconds * 1'000'000'000ull;
}

Plan make_plan(Statement& stmt, Session& session) {
  Execution& execution = *stmt.execution;
  Plan plan;
  plan.uncaptured = binding_obstacle(stmt, execution.parameters());
  plan.analysis = execution.analysis(session.catalog(), session.default_search_path);
  if (execution.classification().cls == sql::StatementClass::ddl) plan.verdict = Verdict::ddl;
  const sql::Analysis* analysis = plan.analysis;
  plan.reads = analysis != nullptr && plan.verdict != Verdict::ddl &&
               !sql::modifies(analysis->classification.cls);
  if (plan.reads || plan.uncaptured != nullptr || analysis == nullptr) return plan;
  // An unqualified name may now mean one of the session's own tables.
  if ((session.slot().pinned.load(std::memory_order_relaxed) & kPinnedTemporaryTable) != 0)
    return plan;
  plan.verdict = analysis->verdict;
  plan.verb = analysis->verb;
  if (plan.verdict != Verdict::keyed && plan.verdict != Verdict::effects) return plan;
  const bool evidence = plan.verdict == Verdict::effects || session.dialect == Dialect::sqlite;
  if (evidence) {
    // Always the same text for one statement, so that it stays prepared: with the transaction's id
    // where the engine has one, whether or not it is known already.
    plan.with_txid = plan.verdict == Verdict::effects && !analysis->rewritten_with_txid.empty();
    plan.rewritten = plan.with_txid ? &analysis->rewritten_with_txid : &analysis->rewritten;
    plan.columns = analysis->columns.size();
  } else if (session.transaction.server_txid == 0 && !analysis->rewritten_with_txid.empty()) {
    plan.with_txid = true;
    plan.rewritten = &analysis->rewritten_with_txid;
  }
  if (plan.rewritten != nullptr && plan.rewritten->empty()) plan.rewritten = nullptr;
  if (plan.verdict == Verdict::effects && plan.rewritten == nullptr) plan.verdict = Verdict::opaque;
  return plan;
}

void begin_entry(Statement& stmt, Session& session, const Plan& plan) {
  const Execution& execution = *stmt.execution;
  std::uint8_t flags = execution.wide() ? kStatementWideText : 0;
  if (plan.columns != 0) flags |= kStatementHasEffects;
  EntryWriter& entries = session.transaction.entries;
  const std::string_view shape =
      plan.analysis == nullptr ? std::string_view() : plan.analysis->shape;
  entries.begin_statement(plan.verdict, plan.verb, flags, execution.text(), shape);
  append_parameters(stmt, execution.parameters(), entries);
  if (plan.verdict != Verdict::keyed) return;
  for (const KeyPart& part : plan.analysis->key) entries.add_key(part);
}

// Rows changed by the application's own statement; -1 when it must not be asked.
SQLLEN own_row_count(const Statement& stmt, SQLRETURN ret) {
  if (ret == SQL_NO_DATA) return 0;
  const auto row_count = stmt.connection.library->fn.RowCount;
  SQLLEN count = -1;
  // After a warning the question might clear the application's diagnostics.
  if (ret != SQL_SUCCESS || row_count == nullptr) return -1;
  return SQL_SUCCEEDED(row_count(stmt.real, &count)) ? count : -1;
}

bool changed_something(const Plan& plan, SQLLEN rows) {
  return rows != 0 || plan.verb == Verb::other;
}

void entry_recorded(Session& session, const Plan& plan, SQLLEN rows) {
  session.transaction.entries.end_statement(rows);
  if (plan.verdict != Verdict::opaque) return;
  session.transaction.flags |= kTransactionBarrier;
  session.header().opaque.fetch_add(1, std::memory_order_relaxed);
}

SQLRETURN run_rewritten(Statement& stmt, Session& session, const Plan& plan, bool direct,
                        SQLLEN* rows) {
  Execution& execution = *stmt.execution;
  Transaction& transaction = session.transaction;
  const SQLRETURN ret = execution.run_own(*plan.rewritten, direct);
  if (ret == SQL_NO_DATA) *rows = 0;
  if (SQL_SUCCEEDED(ret)) {
    *rows = execution.read_rows(plan.columns, plan.with_txid, plan.verb, &transaction.entries,
                                &transaction.server_txid);
  }
  if (!SQL_SUCCEEDED(ret) && ret != SQL_NO_DATA) return ret;
  execution.hidden = true;
  execution.row_count = *rows < 0 ? -1 : *rows;
  // libsqliteodbc answers a changed row count of zero like this; a query without rows it does not.
  const bool says_no_data = session.dialect == Dialect::sqlite && *rows == 0 &&
                            stmt.connection.environment.odbc_version != SQL_OV_ODBC2;
  return says_no_data ? static_cast<SQLRETURN>(SQL_NO_DATA) : ret;
}

// Runs one execution inside the open transaction and records it.
SQLRETURN run_recorded(Statement& stmt, Session& session, bool direct,
                       const RunsUnchanged& unchanged) {
  Transaction& transaction = session.transaction;
  if (transaction.tainted) session.settle_taint();
  if (transaction.poisoned) return unchanged();
  const Plan plan = make_plan(stmt, session);
  if (plan.reads) {
    const SQLRETURN ret = unchanged();
    stmt.execution->cursor_open = SQL_SUCCEEDED(ret);
    if (ret == SQL_ERROR) transaction.tainted = true;
    return ret;
  }
  if (plan.verdict == Verdict::ddl || plan.uncaptured != nullptr) {
    const SQLRETURN ret = unchanged();
    const bool done = SQL_SUCCEEDED(ret) || ret == SQL_NO_DATA;
    if (done && plan.verdict == Verdict::ddl) transaction.schema_changed = true;
    if (done && plan.verdict != Verdict::ddl) session.note_uncaptured(plan.uncaptured);
    if (ret == SQL_ERROR) transaction.tainted = true;
    return ret;
  }
  begin_entry(stmt, session, plan);
  SQLLEN rows = -1;
  SQLRETURN ret = SQL_ERROR;
  if (plan.rewritten != nullptr) {
    ret = run_rewritten(stmt, session, plan, direct, &rows);
    if (rows < 0 && SQL_SUCCEEDED(ret)) {
      transaction.entries.cancel_statement();
      session.note_uncaptured("effects-unreadable");
      return ret;
    }
  } else {
    ret = unchanged();
    rows = own_row_count(stmt, ret);
  }
  const bool done = SQL_SUCCEEDED(ret) || ret == SQL_NO_DATA;
  if (done && changed_something(plan, rows)) {
    entry_recorded(session, plan, rows);
    session.spill();
  } else {
    transaction.entries.cancel_statement();
  }
  if (!done) transaction.tainted = true;
  return ret;
}

// Autocommit under capture: execute, seal, commit. The application sees autocommit.
SQLRETURN run_converted(Statement& stmt, Session& session, bool direct,
                        const RunsUnchanged& unchanged) {
  Connection& dbc = session.dbc;
  if (!SQL_SUCCEEDED(real_set_autocommit(dbc, false))) {
    session.map->invalidate("the real driver refuses to leave autocommit: order cannot be kept");
    const SQLRETURN ret = unchanged();
    session.lost();
    return ret;
  }
  session.transaction.flags |= kTransactionAutocommit;
  SQLRETURN ret = run_recorded(stmt, session, direct, unchanged);
  const bool done = SQL_SUCCEEDED(ret) || ret == SQL_NO_DATA;
  // The statement failed and is alone in its transaction: there is nothing to ask the server.
  session.transaction.tainted = false;
  const SQLRETURN ended = done ? session.commit([&] { return real_end_tran(dbc, SQL_COMMIT); })
                               : session.rollback([&] { return real_end_tran(dbc, SQL_ROLLBACK); });
  if (done && !SQL_SUCCEEDED(ended)) {
    take_diagnostics(*dbc.library, SQL_HANDLE_DBC, dbc.real, dbc.wide, stmt);
    real_end_tran(dbc, SQL_ROLLBACK);
    ret = SQL_ERROR;
  }
  real_set_autocommit(dbc, true);
  return ret;
}

// Marks the session as writing. False: `*ret` is the application's answer.
bool begin(Statement& stmt, Session& session, BeginWrite* how, SQLRETURN* ret) {
  bool timed_out = false;
  *how = session.begin_write(statement_deadline_ns(stmt), &timed_out);
  if (!timed_out && *how == BeginWrite::moved) {
    if (!route::move(session, ret, stmt)) return false;
    *how = session.begin_write(statement_deadline_ns(stmt), &timed_out);
  }
  if (timed_out) {
    *ret = stmt.fail("HYT00", "writers are held for a cutover and the query timeout has passed");
    return false;
  }
  return route::rehome(stmt, session, ret);
}

SQLRETURN run_marked(Statement& stmt, Session& session, bool implicit,
                     const RunsUnchanged& unchanged) {
  const SQLRETURN ret = unchanged();
  stmt.execution->data_pending = ret == SQL_NEED_DATA;
  stmt.execution->pending_implicit = implicit;
  if (implicit && ret != SQL_NEED_DATA) session.lost();
  return ret;
}

}  // namespace

SQLRETURN run_write(Statement& stmt, Session& session, bool direct,
                    const RunsUnchanged& unchanged) {
  const std::lock_guard lock(session.dbc.write_mutex);
  const bool implicit = session.autocommitting();
  BeginWrite how = BeginWrite::unrecorded;
  SQLRETURN ret = SQL_ERROR;
  if (!begin(stmt, session, &how, &ret)) return ret;
  if (how != BeginWrite::recorded) return run_marked(stmt, session, implicit, unchanged);
  const sql::StatementClass cls = stmt.execution->classification().cls;
  // Maintenance that refuses a transaction block (VACUUM and the like) changes no row.
  if (cls == sql::StatementClass::no_block) return run_marked(stmt, session, implicit, unchanged);
  const char* obstacle = binding_obstacle(stmt, stmt.execution->parameters());
  if (implicit && (obstacle != nullptr || cls == sql::StatementClass::ddl)) {
    // Not converted: pieces of data are still to come, or there is nothing to seal.
    ret = unchanged();
    if (obstacle == nullptr && SQL_SUCCEEDED(ret)) session.transaction.schema_changed = true;
    return end_pending(stmt, session, ret);
  }
  if (implicit) return run_converted(stmt, session, direct, unchanged);
  ret = run_recorded(stmt, session, direct, unchanged);
  stmt.execution->data_pending = ret == SQL_NEED_DATA;
  stmt.execution->pending_implicit = false;
  return ret;
}

SQLRETURN end_pending(Statement& stmt, Session& session, SQLRETURN ret) {
  Execution& execution = *stmt.execution;
  const bool implicit = session.autocommitting();
  execution.data_pending = ret == SQL_NEED_DATA;
  execution.pending_implicit = implicit;
  if (ret == SQL_NEED_DATA) return ret;
  Transaction& transaction = session.transaction;
  if (!transaction.recorded) {
    if (implicit) session.lost();
    return ret;
  }
  const bool done = SQL_SUCCEEDED(ret) || ret == SQL_NO_DATA;
  if (done && !transaction.schema_changed) {
    const char* kind = binding_obstacle(stmt, execution.parameters());
    session.note_uncaptured(kind == nullptr ? "data-at-execution" : kind);
  }
  if (!done) transaction.tainted = true;
  if (!implicit) return ret;
  // The server has committed already: what is left is to say so in the journal.
  transaction.tainted = false;
  if (!done) {
    session.lost();
  } else if (transaction.schema_changed) {
    session.lost();
    session.map->invalidate(
        "the application changed the schema of production during the migration");
  } else {
    (void)session.commit([] { return static_cast<SQLRETURN>(SQL_SUCCESS); });
  }
  return ret;
}

SQLRETURN run_locking_read(Statement& stmt, Session& session, const RunsUnchanged& unchanged) {
  const std::lock_guard lock(session.dbc.write_mutex);
  const bool implicit = session.autocommitting();
  BeginWrite how = BeginWrite::unrecorded;
  SQLRETURN ret = SQL_ERROR;
  if (!begin(stmt, session, &how, &ret)) return ret;
  ret = unchanged();
  stmt.execution->cursor_open = SQL_SUCCEEDED(ret);
  if (implicit) {
    session.lost();
  } else if (ret == SQL_ERROR) {
    session.transaction.tainted = true;
  }
  return ret;
}

SQLRETURN run_uncaptured(Statement& stmt, Session& session, const char* kind,
                         const RunsUnchanged& unchanged) {
  const std::lock_guard lock(session.dbc.write_mutex);
  const bool implicit = session.autocommitting();
  BeginWrite how = BeginWrite::unrecorded;
  SQLRETURN ret = SQL_ERROR;
  if (!begin(stmt, session, &how, &ret)) return ret;
  if (how != BeginWrite::recorded) return run_marked(stmt, session, implicit, unchanged);
  ret = unchanged();
  const bool done = SQL_SUCCEEDED(ret) || ret == SQL_NEED_DATA;
  if (done) session.note_uncaptured(kind);
  if (!done) session.transaction.tainted = !implicit;
  if (!implicit) return ret;
  if (done) {
    (void)session.commit([] { return static_cast<SQLRETURN>(SQL_SUCCESS); });
  } else {
    session.lost();
  }
  return ret;
}

}  // namespace understudy::capture
