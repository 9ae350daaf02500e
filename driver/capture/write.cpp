#include "driver/capture/write.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "driver/capture/batch.h"
#include "driver/capture/calls.h"
#include "driver/capture/data_at_execution.h"
#include "driver/capture/own_transaction.h"
#include "driver/capture/parts.h"
#include "driver/capture/positioned.h"
#include "driver/capture/record.h"
#include "driver/capture/row_counts.h"
#include "driver/capture/slices.h"
#include "driver/handle/attributes.h"
#include "driver/route/route.h"
#include "driver/sql/arrays.h"
#include "driver/sql/procedures.h"

namespace understudy::capture {
namespace {

std::uint64_t statement_deadline_ns(const Statement& stmt) {
  const Attribute* timeout = find_attribute(stmt.attributes, SQL_ATTR_QUERY_TIMEOUT);
  const auto seconds = timeout == nullptr ? 0 : reinterpret_cast<std::uintptr_t>(timeout->value);
  return seconds == 0 ? 0 : monotonic_ns() + seconds * 1'000'000'000ull;
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

namespace {

// DDL under autocommit has nothing to be sealed before it.
SQLRETURN run_ddl(Session& session, const RunsUnchanged& unchanged) {
  const SQLRETURN ret = unchanged();
  session.lost();
  if (done(ret)) session.map->invalidate(session.schema_changed());
  return ret;
}

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
  const auto before = rows_written(stmt, session);
  ret = unchanged();
  const bool in_part = ret == SQL_ERROR && before && before != rows_written(stmt, session);
  const bool stands = done(ret) || ret == SQL_NEED_DATA || even_failed || in_part;
  if (stands) session.note_uncaptured(in_part ? kFailedInPart : kind);
  if (!done(ret) && ret != SQL_NEED_DATA) session.transaction.tainted = !implicit;
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

std::optional<std::string> called_definition(Statement& stmt, const std::string& text) {
  const auto procedure = sql::called_procedure(text);
  if (!procedure) return std::nullopt;
  constexpr SQLUSMALLINT kDefinition = 3;
  OwnStatement question(stmt);
  std::string definition;
  bool is_null = true;
  const bool told = question.ask(sql::show_procedure(*procedure)) &&
                    question.read_value(kDefinition, &definition, &is_null) && !is_null;
  const auto body = told ? sql::procedure_body(definition) : std::nullopt;
  return body ? std::optional(std::string(*body)) : std::nullopt;
}

namespace {

// What is known of the statement that an EXECUTE as text executes.
std::shared_ptr<const sql::Analysis> executed_text(Statement& stmt, Session& session) {
  const bool perhaps = session.dialect == Dialect::postgresql &&
                       stmt.execution->classification().cls == sql::StatementClass::opaque;
  return perhaps ? session.prepared_texts.executed(stmt, session) : nullptr;
}

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

using Definitions = std::optional<std::vector<std::string>>;

bool is_recorded_call(const Statement& stmt, const Session& session) {
  return session.dialect == Dialect::mariadb && records(session.mode()) &&
         stmt.execution->classification().cls == sql::StatementClass::opaque &&
         sql::called_procedure(stmt.execution->text());
}

// A procedure that ends transactions: what was recorded before is sealed first, since it may commit
// it. What it leaves open has written: the session stays marked.
SQLRETURN run_controlling_call(Statement& stmt, Session& session, const RunsUnchanged& unchanged) {
  const bool implicit = session.autocommitting();
  const bool recorded_before = session.transaction.recorded;
  BeginWrite how = BeginWrite::unrecorded;
  SQLRETURN ret = SQL_ERROR;
  if (!begin_marked(stmt, session, &how, &ret)) return ret;
  if (how != BeginWrite::recorded) return run_marked(stmt, session, implicit, unchanged);
  session.note_uncaptured("call-with-transaction-control");
  if (recorded_before) return session.commit(unchanged, !implicit);
  // The note is all that is recorded, and stands whatever becomes of the call.
  ret = unchanged();
  (void)session.commit([] { return static_cast<SQLRETURN>(SQL_SUCCESS); }, !implicit);
  return ret;
}

constexpr char kOutput[] = "call-with-output";
constexpr char kResults[] = "call-with-results";

// Nothing where its parameters cannot be recorded, or it would mean others on the shadow.
std::optional<SQLRETURN> run_known_call(Statement& stmt, Session& session, Plan plan,
                                        const BoundParameters& bound, std::size_t behind,
                                        bool direct, const RunsUnchanged& unchanged) {
  if (plan.uncaptured != nullptr || bound.obstacle() != nullptr || bound.sets() > 1 ||
      !bound.late_values().empty()) {
    return std::nullopt;
  }
  plan.text = &stmt.execution->text();
  plan.visible = true;
  return run_call(Work{stmt, session, plan, bound, {}}, behind, direct, unchanged);
}

// MariaDB: several statements in one text that were not told apart.
bool is_several(const Statement& stmt, const Session& session) {
  const sql::Classification& what = stmt.execution->classification();
  return session.dialect == Dialect::mariadb && what.statements > 1 &&
         what.cls == sql::StatementClass::opaque;
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
  const bool output = implicit && gives_back(stmt, session);
  const bool call = is_recorded_call(stmt, session);
  std::optional<std::size_t> behind;  // results of a call
  bool sends_nothing = false;         // but parameters
  if (output && !call) {
    return run_uncaptured_here(stmt, session, kOutput, false, unchanged);
  }
  if (is_several(stmt, session)) {
    *opaque = true;
    return run_uncaptured_here(stmt, session, kSeveral, takes_several_statements(session),
                               unchanged);
  }
  if (call) {
    const Definitions definitions = called_definitions(stmt, stmt.execution->text());
    *opaque = true;
    if (definitions &&
        std::any_of(definitions->begin(), definitions->end(), sql::controls_transactions)) {
      return run_controlling_call(stmt, session, unchanged);
    }
    sends_nothing = definitions && !sends_rows(*definitions);
    if (implicit && definitions && !session.leaves_rows)
      behind = results_behind(session, *definitions, output);
    if (implicit && !behind && (output || !sends_nothing)) {
      return run_uncaptured_here(stmt, session, output ? kOutput : kResults, false, unchanged);
    }
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
  if (session.transaction.poisoned) return session.run_poisoned(unchanged);
  if (stmt.execution->classification().statements > 1) {
    if (const auto told = run_batch(stmt, session)) {
      *opaque = false;
      return *told;
    }
  }
  if (!implicit) session.anchor();
  stmt.execution->executed = executed_text(stmt, session);
  const auto bound = BoundParameters::of(stmt, stmt.execution->parameters());
  Plan plan = make_plan(stmt, session, bound);
  *opaque = !plan.reads && plan.verdict == Verdict::opaque;
  if (behind) {
    if (const auto told = run_known_call(stmt, session, plan, bound, *behind, direct, unchanged)) {
      return *told;
    }
    if (output || !sends_nothing) {
      session.lost();
      return run_uncaptured_here(stmt, session, output ? kOutput : kResults, false, unchanged);
    }
  }
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
  const bool in_part = std::exchange(session.transaction.failed_in_part, false);
  ret = record_slices(work, run);
  bool& now = session.transaction.failed_in_part;
  if (now && sends_nothing && record_failed_call(work)) now = false;
  now = now || in_part;
  if (ret == SQL_ERROR) keep_failed_set(work);
  return as_application_sees(work, ret);
}

}  // namespace

SQLRETURN run_write(Statement& stmt, Session& session, bool direct,
                    const RunsUnchanged& unchanged) {
  const std::lock_guard lock(session.dbc.write_mutex);
  bool opaque = false;
  bool recorded = false;
  const SQLRETURN ret = run_write_here(stmt, session, direct, unchanged, &opaque, &recorded);
  const Execution& execution = *stmt.execution;
  if (recorded && ret != SQL_NEED_DATA) session.keep_row_count(stmt, ret);
  if (recorded && done(ret)) session.look_for_transaction();
  if (opaque) session.after_opaque(execution.classification(), execution.text(), done(ret));
  if (done(ret) && execution.classification().holds) session.held_changed(execution.text());
  return ret;
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
  if (SQL_SUCCEEDED(ret) && stmt.execution->classification().holds) {
    session.held_changed(stmt.execution->text());
  }
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
