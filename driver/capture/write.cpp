#include "driver/capture/write.h"

#include <algorithm>
#include <cstdint>
#include <new>
#include <optional>
#include <thread>

#include "driver/capture/batch.h"
#include "driver/capture/changed_rows.h"
#include "driver/capture/collected.h"
#include "driver/capture/positioned.h"
#include "driver/handle/attributes.h"
#include "driver/route/route.h"
#include "driver/sql/arrays.h"

namespace understudy::capture {
namespace {

/// One execution on its way into the journal.
struct Work {
  Statement& stmt;
  Session& session;
  const Plan& plan;
  const BoundParameters& bound;
  const std::vector<LateValue>& late;

  [[nodiscard]] Execution& execution() const { return *stmt.execution; }
  [[nodiscard]] EntryWriter& entries() const { return session.transaction.entries; }
  [[nodiscard]] Slice all() const { return {0, bound.sets()}; }
};

/// Runs a slice on the server; what the real driver answered.
using RunsSlice = std::function<SQLRETURN(Slice)>;

bool done(SQLRETURN ret) {
  return SQL_SUCCEEDED(ret) || ret == SQL_NO_DATA;
}

std::uint64_t statement_deadline_ns(const Statement& stmt) {
  const Attribute* timeout = find_attribute(stmt.attributes, SQL_ATTR_QUERY_TIMEOUT);
  const auto seconds = timeout == nullptr ? 0 : reinterpret_cast<std::uintptr_t>(timeout->value);
  return seconds == 0 ? 0 : monotonic_ns() + seconds * 1'000'000'000ull;
}

// --- entries ---

void begin_entry(const Work& work, std::size_t set, const sql::RowsQuery* rows = nullptr) {
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

void end_entry(const Work& work, SQLLEN rows) {
  work.entries().end_statement(rows);
  if (work.plan.verdict != Verdict::opaque) return;
  work.session.transaction.flags |= kTransactionBarrier;
  work.session.header().opaque.fetch_add(1, std::memory_order_relaxed);
}

bool changed_something(const Plan& plan, SQLLEN rows) {
  return rows != 0 || plan.verb == Verb::other;
}

/// The open entry stands when the execution changed something, and is dropped otherwise.
void settle_entry(const Work& work, SQLRETURN ret, SQLLEN rows) {
  if (!done(ret) || !changed_something(work.plan, rows)) {
    work.entries().cancel_statement();
    return;
  }
  end_entry(work, rows);
  work.session.spill();
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

bool late_value_lost(const Work& work) {
  return work.plan.values && std::any_of(work.late.begin(), work.late.end(),
                                         [](const LateValue& one) { return one.lost; });
}

// --- one execution, run and recorded ---

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
    }
    const SQLRETURN ret = run(work.all());
    if (done(ret)) {
      work.session.spill();
    } else {
      work.entries().rewind(mark);
      if (ret == SQL_ERROR && !refused_array(work.stmt, work.session)) {
        work.session.note_uncaptured("parameter-array-failed");
      }
    }
    return ret;
  }
  begin_entry(work, 0);
  const SQLRETURN ret = run(work.all());
  settle_entry(work, ret, own_row_count(work.stmt, ret));
  if (work.session.dialect == Dialect::mariadb && done(ret) && is_call(work)) {
    work.session.send_aside(sql::kKeepRowCount);
    work.session.previous.rows = sql::kKeptRowCount;
  }
  return ret;
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

// Connector/ODBC sends these sets as one command.
bool sent_as_one(const Execution& execution, const BoundParameters& bound) {
  return bound.sets() > 1 && bound.bind_type() == SQL_PARAM_BIND_BY_COLUMN &&
         sql::sent_as_one_array(execution.text());
}

// How the real drivers remember an execution on the application's own statement.
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

// Of an array of which it sends set by set psqlodbc keeps what the first has changed when another
// fails, but not where that has returned rows.
void keep_first_count(const Work& work) {
  const bool set_by_set = work.bound.sets() > 1 && work.plan.sets_at_once == 0;
  if (!set_by_set || (work.plan.columns == 0 && !work.plan.with_txid)) return;
  const Connection& dbc = work.stmt.connection;
  OwnStatement& own = work.execution().own;
  take_diagnostics(*dbc.library, SQL_HANDLE_STMT, own.handle(), dbc.wide, work.stmt);
  work.execution().rows_first = std::max<SQLLEN>(own.row_count(), 0);
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
    if (!record_visible(work, ret)) work.session.note_uncaptured("effects-unreadable");
    return ret;
  }
  execution.hidden = true;
  // Reading its rows is going to clear what the real driver warned of.
  if (ret == SQL_SUCCESS_WITH_INFO) {
    const Connection& dbc = work.stmt.connection;
    take_diagnostics(*dbc.library, SQL_HANDLE_STMT, execution.own.handle(), dbc.wide, work.stmt);
  }
  if (work.plan.columns != 0 || work.plan.with_txid) {
    if (!record_effects(work, slice, ret)) work.session.note_uncaptured("effects-unreadable");
  } else {
    record_sets(work, slice, ret);
  }
  execution.own.close();
  remember_rows(work, ret);
  return ret;
}

// Not where the server has refused our text, and the application's own statement has run.
bool on_own(const Work& work) {
  return work.plan.text != nullptr && work.stmt.current.load() != work.stmt.real;
}

// How many rows the real driver says the statement has changed; -1 when it does not say.
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

// On our own statement the application sees no result, but this count.
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

// As it stands, since its rows are not known. `ran`: it has run already and changed `changed` rows.
SQLRETURN record_opaque(const Work& work, Slice slice, const RunsSlice& run,
                        std::optional<SQLRETURN> ran = std::nullopt, SQLLEN changed = -1) {
  Plan plan = work.plan;
  plan.verdict = Verdict::opaque;
  plan.asks = false;
  plan.values = work.bound.obstacle() == nullptr;
  const Work opaque{work.stmt, work.session, plan, work.bound, work.late};
  begin_entry(opaque, slice.first);
  const SQLRETURN ret = ran ? *ran : run(slice);
  const SQLLEN count = !done(ret) ? 0 : ran ? changed : rows_changed(opaque, ret);
  settle_entry(opaque, ret, count);
  return settle_own(work, slice, ret, count);
}

using TakesBack = std::function<bool()>;

// The statement has kept what it changed on the server. Nothing: that is not known, and it was
// taken back.
std::optional<SQLRETURN> record_kept(const Work& work, Slice slice, const RunsSlice& run,
                                     const TakesBack& back) {
  if (!begin_collecting(work.session)) return std::nullopt;
  const SQLRETURN ret = run(slice);
  if (!done(ret)) {
    forget_collected(work.stmt, work.session);
    return settle_own(work, slice, ret, 0);
  }
  work.session.keep_found_rows();
  const EntryWriter::Mark mark = work.entries().mark();
  if (work.plan.verb == Verb::put && on_own(work)) {
    begin_entry(work, slice.first);
    OwnStatement& own = work.execution().own;
    const std::size_t columns = work.plan.analysis->columns.size();
    const SQLLEN put = own.read_rows(columns, false, Verb::put, &work.entries(), nullptr);
    own.close();
    const SQLLEN told = put < 0 ? -1 : count_upsert(work.stmt, put, counts_found_rows(work.stmt));
    if (told >= 0) {
      settle_entry(work, ret, put);
      return settle_own(work, slice, ret, told);
    }
    work.entries().rewind(mark);
    return back() ? std::nullopt : std::optional(record_opaque(work, slice, run, ret));
  }
  const SQLLEN count = rows_changed(work, ret);
  begin_entry(work, slice.first);
  const SQLLEN rows = append_kept(work.stmt, work.session, *work.plan.analysis);
  if (rows == count || (rows >= 0 && counts_found_rows(work.stmt))) {
    settle_entry(work, ret, rows);
    return settle_own(work, slice, ret, count);
  }
  work.entries().rewind(mark);
  if (back()) return std::nullopt;
  return record_opaque(work, slice, run, ret, count);
}

// The question failed as the statement would have.
SQLRETURN told_by_question(const Work& work) {
  work.execution().failed_on_own = true;
  remember_rows(work, SQL_ERROR);
  return SQL_ERROR;
}

// The engine does not return what it changed, or not all of it: that is asked for.
SQLRETURN record_asked(const Work& work, Slice slice, const RunsSlice& run, bool saved,
                       const TakesBack& back) {
  Session& session = work.session;
  EntryWriter& entries = work.entries();
  const sql::Analysis& analysis = *work.plan.analysis;
  const bool returns =
      work.plan.text == &analysis.rewritten_with_txid || work.plan.text == &analysis.rewritten;
  ChangedRows rows(work.stmt, analysis, work.bound);
  const auto begin = [&](const sql::RowsQuery& query) { begin_entry(work, slice.first, &query); };
  // On SQLite nobody comes in between.
  const bool once = session.dialect == Dialect::sqlite;
  session.keep_found_rows();
  for (int left = once ? 1 : kChangedRowsTries;; --left) {
    const ChangedRows::Found found = rows.read_before(slice.first);
    if (found == ChangedRows::Found::error) return told_by_question(work);
    if (found == ChangedRows::Found::no && session.dialect == Dialect::postgresql) back();
    if (found == ChangedRows::Found::no || left == 0) return record_opaque(work, slice, run);
    const SQLRETURN ret = run(slice);
    if (!done(ret)) return settle_own(work, slice, ret, 0);
    session.keep_found_rows();
    if (!returns && session.warned())
      return record_opaque(work, slice, run, ret, rows_changed(work, ret));
    const EntryWriter::Mark mark = entries.mark();
    SQLLEN count = returns ? 0 : rows_changed(work, ret);
    OwnStatement& own = work.execution().own;
    const bool known = returns && once ? rows.append_moved(own, entries, begin, &count)
                       : returns       ? rows.append_returned(ret, own, entries, begin, &count,
                                                              &session.transaction.server_txid)
                                       : rows.append_after(slice.first, count, entries, begin);
    if (known) {
      session.spill();
      // Nested ones would pile up there.
      if (saved && session.dialect != Dialect::mariadb) {
        session.send_aside(std::string("RELEASE ") + kRowsSavepoint);
      }
      return settle_own(work, slice, ret, count);
    }
    if (returns) work.execution().own.close();
    entries.rewind(mark);
    if (back()) continue;
    return record_opaque(work, slice, run, ret, count);
  }
}

SQLRETURN record_by_rows(const Work& work, Slice slice, const RunsSlice& run) {
  Session& session = work.session;
  const bool asks_before = !work.plan.analysis->before.empty();
  const std::string name = kRowsSavepoint;
  const bool saved =
      (asks_before || work.plan.keeps) && SQL_SUCCEEDED(session.send_aside("SAVEPOINT " + name));
  const TakesBack back = [&] {
    return saved && SQL_SUCCEEDED(session.send_aside("ROLLBACK TO SAVEPOINT " + name));
  };
  if (!work.plan.keeps) return record_asked(work, slice, run, saved, back);
  if (const auto ret = record_kept(work, slice, run, back)) return *ret;
  const SQLRETURN ret =
      asks_before ? record_asked(work, slice, run, saved, back) : record_opaque(work, slice, run);
  forget_collected(work.stmt, session);
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

// Without memory nothing can be recorded; the application's statement runs all the same.
SQLRETURN record(const Work& work, Slice slice, const RunsSlice& run) {
  std::optional<SQLRETURN> answered;
  const RunsSlice keeping = [&](Slice part) {
    answered = run(part);
    const sql::Analysis* analysis = work.plan.analysis;
    work.session.found_rows_set(work.execution().text(),
                                analysis != nullptr && analysis->several_targets);
    return *answered;
  };
  try {
    return record_or_throw(work, slice, keeping);
  } catch (const std::bad_alloc&) {
    work.entries().cancel_statement();
    work.session.map->invalidate("no memory was left to record a statement");
    return answered ? *answered : run(slice);
  }
}

// --- slices of an array ---

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

// psqlodbc tells of the set that failed once more, as the result behind those of the sets before.
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

// Slice after slice; stops at the first that fails, as the real drivers do.
template <class RunOne>
SQLRETURN each_slice(const Work& work, RunOne one) {
  const std::size_t size = slice_size(work);
  SQLRETURN ret = SQL_NO_DATA;
  for (std::size_t first = 0; first < work.bound.sets(); first += size) {
    const Slice slice{first, std::min(size, work.bound.sets() - first)};
    if (slice.count == 1 && work.bound.skipped(first)) continue;
    const SQLRETURN now = one(slice);
    if (!done(now)) {
      if (slice.first + slice.count < work.bound.sets()) mark_unused(work, first + slice.count);
      return now;
    }
    ret = worse(ret, now);
  }
  return ret;
}

// libsqliteodbc answers a row count of zero with SQL_NO_DATA, which a query without rows does not.
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

// --- autocommit ---

bool leave_autocommit(Session& session) {
  if (SQL_SUCCEEDED(real_set_autocommit(session.dbc, false))) {
    session.transaction.flags |= kTransactionAutocommit;
    return true;
  }
  session.map->invalidate("the real driver refuses to leave autocommit: order cannot be kept");
  return false;
}

// Back to what the application believes. When the real driver refuses, it is asked again before
// the next statement.
void return_to_autocommit(Session& session) {
  session.left_autocommit = !SQL_SUCCEEDED(real_set_autocommit(session.dbc, true));
  if (session.left_autocommit) {
    tell_operator("the real driver refuses to return to autocommit", session.migration);
  }
}

// The statement has run in a transaction of its own: seal and commit, or roll back. `stands`: so
// does what it has done although it failed.
SQLRETURN end_converted(Statement& stmt, Session& session, SQLRETURN ret, bool stands = false) {
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

// Each slice of an array commits by itself, as it does under the real driver's autocommit.
SQLRETURN run_converted(const Work& work, const RunsSlice& run) {
  Session& session = work.session;
  SQLRETURN refused = SQL_ERROR;
  const SQLRETURN ret = each_slice(work, [&](Slice slice) -> SQLRETURN {
    BeginWrite how = BeginWrite::recorded;
    if (slice.first != 0 && !begin_marked(work.stmt, session, &how, &refused)) return refused;
    if (!leave_autocommit(session)) {
      const SQLRETURN plain = run(slice);
      session.lost();
      return plain;
    }
    return end_converted(work.stmt, session, record(work, slice, run));
  });
  return_to_autocommit(session);
  return ret;
}

// An execution under capture runs to its end: what it did has to be known before anything follows.
SQLRETURN to_its_end(const RunsUnchanged& call) {
  SQLRETURN ret = call();
  while (ret == SQL_STILL_EXECUTING) {
    std::this_thread::yield();
    ret = call();
  }
  return ret;
}

// --- an array on MariaDB ---

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

// Undone, the application's own call fails again and is what the application is told of. `*stands`:
// the sets before the one that failed do: the server runs those of an UPDATE one by one.
SQLRETURN fail_whole_array(const Work& work, SQLRETURN ret, const SetsTold& before,
                           const RunsUnchanged& unchanged, bool* stands) {
  Session& session = work.session;
  // After a deadlock nothing is left to go back to.
  const std::string back = std::string("ROLLBACK TO SAVEPOINT ") + kArraySavepoint;
  if (!SQL_SUCCEEDED(session.send_aside(back))) return ret;
  session.rolled_back_to(kArraySavepoint);
  before.restore();
  work.execution().forget_result();
  work.execution().stands_in = false;
  work.stmt.current.store(work.stmt.real, std::memory_order_release);
  ret = to_its_end(unchanged);
  session.transaction.tainted = !done(ret);
  *stands = done(ret) || sql::server_runs_sets(work.execution().text());
  if (*stands) session.note_uncaptured("parameter-array-failed");
  return ret;
}

// All sets have run, or were to be ignored: these count as processed.
void report_ignored(const BoundParameters& bound) {
  if (bound.processed() != nullptr) *bound.processed() = bound.sets();
  for (std::size_t set = 0; bound.status() != nullptr && set < bound.sets(); ++set) {
    if (bound.skipped(set)) bound.status()[set] = SQL_PARAM_UNUSED;
  }
}

// Connector/ODBC may send an array as one command, of which nothing stays when one set fails. So
// that what each set changed is known they are run one after the other, behind a savepoint.
SQLRETURN run_whole_array(const Work& work, bool implicit, const RunsSlice& run,
                          const RunsUnchanged& unchanged) {
  Session& session = work.session;
  if (implicit && !leave_autocommit(session)) {
    const SQLRETURN ret = unchanged();
    session.lost();
    return ret;
  }
  const SetsTold before(work.bound);
  const bool saved = SQL_SUCCEEDED(session.send_aside(std::string("SAVEPOINT ") + kArraySavepoint));
  if (saved) session.transaction.set_savepoint(kArraySavepoint);
  SQLRETURN ret = each_slice(work, [&](Slice slice) { return record(work, slice, run); });
  bool stands = false;
  if (!done(ret) && saved) {
    ret = fail_whole_array(work, ret, before, unchanged, &stands);
  } else if (done(ret)) {
    report_ignored(work.bound);
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

// DDL under autocommit has nothing to be sealed before it.
SQLRETURN run_ddl(Session& session, const RunsUnchanged& unchanged) {
  const SQLRETURN ret = unchanged();
  session.lost();
  if (done(ret)) session.map->invalidate(session.schema_changed());
  return ret;
}

// --- not recorded ---

SQLRETURN run_marked(Statement& stmt, Session& session, bool implicit,
                     const RunsUnchanged& unchanged) {
  const SQLRETURN ret = unchanged();
  if (ret == SQL_NEED_DATA) {
    stmt.execution->pending = std::make_unique<Pending>();
    stmt.execution->pending->implicit = implicit;
    return ret;
  }
  // The application calls again until an asynchronous execution has ended.
  if (implicit && ret != SQL_STILL_EXECUTING) session.lost();
  return ret;
}

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

RunsSlice runs_text(const Work& work, bool direct, const RunsUnchanged& unchanged) {
  return [&work, direct, &unchanged](Slice slice) -> SQLRETURN {
    if (work.plan.text == nullptr) return to_its_end(unchanged);
    OwnStatement& own = work.execution().own;
    const SQLRETURN opened = own.open(work.plan.visible);
    if (!SQL_SUCCEEDED(opened)) {
      work.stmt.current.store(own.handle() == SQL_NULL_HSTMT ? work.stmt.real : own.handle());
      return opened;
    }
    if (!own.bind(work.bound, slice)) {
      work.stmt.current.store(own.handle());
      return SQL_ERROR;
    }
    const SQLRETURN ret =
        to_its_end([&] { return own.run(*work.plan.text, direct, work.execution().wide()); });
    if (ret != SQL_ERROR || slice.count != work.bound.sets() || !refused_text(work, own)) {
      return ret;
    }
    // Nothing has run: the application is told of its own text.
    work.stmt.current.store(work.stmt.real, std::memory_order_release);
    return unchanged();
  };
}

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
  if (implicit && work.bound.sets() > 1) pending->converted = leave_autocommit(session);
  const SQLRETURN ret = runs_text(work, direct, unchanged)(work.all());
  if (ret == SQL_NEED_DATA) {
    work.execution().pending = std::move(pending);
    work.execution().stands_in = work.plan.text != nullptr;
    work.execution().plain = false;
    return ret;
  }
  // The real driver saw no such value after all, or failed before it asked.
  if (pending->converted) return_to_autocommit(session);
  if (done(ret)) session.note_uncaptured("data-at-execution");
  if (!done(ret)) session.transaction.tainted = !implicit;
  if (implicit) session.lost();
  return ret;
}

// What is known of the statement that an EXECUTE as text executes.
std::shared_ptr<const sql::Analysis> executed_text(Statement& stmt, Session& session) {
  const bool perhaps = session.dialect == Dialect::postgresql &&
                       stmt.execution->classification().cls == sql::StatementClass::opaque;
  return perhaps ? session.prepared_texts.executed(stmt, session) : nullptr;
}

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
  if (!pending->converted && !leave_autocommit(session)) {
    ret = last();
    session.lost();
    return ret;
  }
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

bool begin_marked(Statement& stmt, Session& session, BeginWrite* how, SQLRETURN* ret) {
  bool timed_out = false;
  *how = session.begin_write(statement_deadline_ns(stmt), &timed_out);
  while (!timed_out && *how == BeginWrite::moved) {
    if (!route::move(session, ret, stmt)) return false;
    *how = session.begin_write(statement_deadline_ns(stmt), &timed_out);
  }
  if (timed_out) {
    *ret = stmt.fail("HYT00", "writers are held for a cutover and the query timeout has passed");
    return false;
  }
  return route::rehome(stmt, session, ret);
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

namespace {

// The server did not let a procedure end the transaction that was begun for it: nothing of it has
// run, and alone it may.
bool refused_to_end(const Statement& stmt, const Session& session) {
  if (session.dialect != Dialect::postgresql || stmt.current.load() != stmt.real) return false;
  Handle seen(HandleKind::statement);
  take_diagnostics(*stmt.library, SQL_HANDLE_STMT, stmt.real, stmt.connection.wide, seen);
  return !seen.diagnostics.empty() &&
         std::string_view(seen.diagnostics.front().sqlstate) == "2D000";
}

// `even_failed`: what fails may have committed a part.
SQLRETURN run_uncaptured_here(Statement& stmt, Session& session, const char* kind, bool even_failed,
                              const RunsUnchanged& unchanged) {
  const bool implicit = session.autocommitting();
  BeginWrite how = BeginWrite::unrecorded;
  SQLRETURN ret = SQL_ERROR;
  if (!begin_marked(stmt, session, &how, &ret)) return ret;
  if (how != BeginWrite::recorded) return run_marked(stmt, session, implicit, unchanged);
  ret = unchanged();
  const bool stands = done(ret) || ret == SQL_NEED_DATA || even_failed;
  if (stands) {
    session.note_uncaptured(kind);
  } else {
    session.transaction.tainted = !implicit;
  }
  if (!implicit) return ret;
  // The note is all that is recorded; when data is still to come, the write follows it.
  if (stands) {
    (void)session.commit([] { return static_cast<SQLRETURN>(SQL_SUCCESS); });
  } else {
    session.lost();
  }
  return ret;
}

}  // namespace

SQLRETURN record_part(Statement& stmt, Session& session) {
  Execution& execution = *stmt.execution;
  execution.executed = nullptr;
  const auto bound = BoundParameters::of(stmt, 0);
  Plan plan = make_plan(stmt, session, bound);
  if (plan.text == nullptr) {
    plan.text = &execution.text();
    plan.visible = plan.analysis != nullptr && plan.analysis->own_returning;
  }
  const SQLRETURN opened = execution.own.open(plan.visible);
  if (!SQL_SUCCEEDED(opened)) return opened;
  if (!execution.own.bind(bound, {0, 1})) return SQL_ERROR;
  const Work work{stmt, session, plan, bound, {}};
  const RunsUnchanged never = [] { return static_cast<SQLRETURN>(SQL_ERROR); };
  const SQLRETURN ret = record(work, work.all(), runs_text(work, true, never));
  if (plan.verdict == Verdict::opaque) {
    session.after_opaque(execution.classification(), execution.text(), done(ret));
  }
  return ret;
}

namespace {

bool names_cursor(const Session& session, const Plan& plan, const BoundParameters& bound) {
  return session.dialect == Dialect::mariadb && plan.analysis != nullptr &&
         plan.uncaptured != nullptr && plan.analysis->reason == sql::kCurrentOf &&
         bound.sets() == 1 && bound.obstacle() == nullptr && bound.late_values().empty();
}

// MariaDB: what a procedure gives back comes as a result that the application has to read, or
// close, before the connection can be told to commit.
bool gives_back(const Statement& stmt, const Session& session) {
  if (session.dialect != Dialect::mariadb ||
      stmt.execution->classification().cls != sql::StatementClass::opaque) {
    return false;
  }
  const auto bound = BoundParameters::of(stmt, stmt.execution->parameters());
  return std::any_of(
      bound.bindings().begin(), bound.bindings().end(),
      [](const ParameterBinding& one) { return one.bound && one.io_type != SQL_PARAM_INPUT; });
}

bool all_ignored(const BoundParameters& bound) {
  for (std::size_t set = 0; set < bound.sets(); ++set) {
    if (!bound.skipped(set)) return false;
  }
  return true;
}

// `*opaque`: what it did is not known.
SQLRETURN run_write_here(Statement& stmt, Session& session, bool direct,
                         const RunsUnchanged& unchanged, bool* opaque, bool* recorded) {
  const bool implicit = session.autocommitting();
  if (implicit && gives_back(stmt, session)) {
    return run_uncaptured_here(stmt, session, "call-with-output", false, unchanged);
  }
  BeginWrite how = BeginWrite::unrecorded;
  SQLRETURN ret = SQL_ERROR;
  if (!begin_marked(stmt, session, &how, &ret)) return ret;
  const sql::StatementClass cls = stmt.execution->classification().cls;
  *opaque = cls == sql::StatementClass::opaque;
  if (how != BeginWrite::recorded) return run_marked(stmt, session, implicit, unchanged);
  // Maintenance that refuses a transaction block (VACUUM and the like) changes no row.
  if (cls == sql::StatementClass::no_block) return run_marked(stmt, session, implicit, unchanged);
  if (implicit && cls == sql::StatementClass::ddl &&
      !session.changes_temporary(stmt.execution->text())) {
    return run_ddl(session, unchanged);
  }
  *recorded = true;
  if (session.transaction.tainted) session.settle_taint();
  if (session.transaction.poisoned) return unchanged();
  if (stmt.execution->classification().statements > 1) {
    if (const auto told = run_batch(stmt, session)) {
      *opaque = false;
      return *told;
    }
  }
  stmt.execution->executed = executed_text(stmt, session);
  const auto bound = BoundParameters::of(stmt, stmt.execution->parameters());
  Plan plan = make_plan(stmt, session, bound);
  *opaque = !plan.reads && plan.verdict == Verdict::opaque;
  if (names_cursor(session, plan, bound)) {
    if (const auto told = run_current_of(stmt, session, *plan.analysis, unchanged)) return *told;
  }
  if (plan.reads && implicit) {
    ret = unchanged();
    stmt.execution->cursor_open = SQL_SUCCEEDED(ret);
    session.lost();
    return ret;
  }
  // A real driver may give no more statements, or not take a binding a second time: the
  // application's own statement is then all there is.
  OwnStatement& own = stmt.execution->own;
  const bool ready = plan.text == nullptr ||
                     (SQL_SUCCEEDED(own.open(plan.visible)) && own.bind(bound, {0, bound.sets()}));
  const bool refused = session.dialect == Dialect::mariadb && sent_as_one(*stmt.execution, bound) &&
                       !sql::server_takes_array(stmt.execution->text());
  if (!ready || refused) plan = without_own_statement(plan, bound);
  const std::vector<LateValue> late =
      plan.reads || bound.obstacle() != nullptr ? std::vector<LateValue>() : bound.late_values();
  const Work work{stmt, session, plan, bound, late};
  if (!late.empty()) return start_pending(work, implicit, direct, unchanged);
  const RunsSlice run = runs_text(work, direct, unchanged);
  if (session.dialect == Dialect::mariadb && bound.sets() > 1 && plan.text != nullptr) {
    if (all_ignored(bound)) return run_marked(stmt, session, implicit, unchanged);
    return run_whole_array(work, implicit, run, unchanged);
  }
  if (implicit) {
    ret = run_converted(work, run);
    if (ret == SQL_ERROR && refused_to_end(stmt, session)) {
      return run_uncaptured_here(stmt, session, "call-with-transaction-control", true, unchanged);
    }
    if (ret == SQL_ERROR) keep_failed_set(work);
    return as_application_sees(work, ret);
  }
  ret = each_slice(work, [&](Slice slice) { return record(work, slice, run); });
  if (ret == SQL_ERROR) keep_failed_set(work);
  return as_application_sees(work, ret);
}

}  // namespace

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

SQLRETURN run_write(Statement& stmt, Session& session, bool direct,
                    const RunsUnchanged& unchanged) {
  const std::lock_guard lock(session.dbc.write_mutex);
  bool opaque = false;
  bool recorded = false;
  const SQLRETURN ret = run_write_here(stmt, session, direct, unchanged, &opaque, &recorded);
  const Execution& execution = *stmt.execution;
  if (recorded && ret != SQL_NEED_DATA) session.keep_row_count(stmt, ret);
  if (opaque) session.after_opaque(execution.classification(), execution.text(), done(ret));
  return ret;
}

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

SQLRETURN run_locking_read(Statement& stmt, Session& session, const RunsUnchanged& unchanged) {
  const std::lock_guard lock(session.dbc.write_mutex);
  const bool implicit = session.autocommitting();
  BeginWrite how = BeginWrite::unrecorded;
  SQLRETURN ret = SQL_ERROR;
  if (!begin_marked(stmt, session, &how, &ret)) return ret;
  ret = unchanged();
  stmt.execution->cursor_open = SQL_SUCCEEDED(ret);
  stmt.execution->updatable = SQL_SUCCEEDED(ret) && may_be_positioned(stmt);
  if (implicit && ret != SQL_STILL_EXECUTING) {
    session.lost();
  } else if (ret == SQL_ERROR) {
    session.transaction.tainted = true;
  }
  return ret;
}

SQLRETURN run_uncaptured(Statement& stmt, Session& session, const char* kind,
                         const RunsUnchanged& unchanged) {
  const std::lock_guard lock(session.dbc.write_mutex);
  return run_uncaptured_here(stmt, session, kind, false, unchanged);
}

}  // namespace understudy::capture
