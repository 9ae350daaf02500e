#include "driver/capture/plan.h"

#include <cstdlib>

#include "driver/capture/session.h"
#include "driver/handle/attributes.h"
#include "driver/real/configuration.h"

namespace understudy::capture {
namespace {

constexpr std::size_t kPsqlodbcBatch = 100;  // BatchSize, unless set

SQLULEN attribute_of(const Statement& stmt, SQLINTEGER attribute, SQLULEN otherwise) {
  const Attribute* set = find_attribute(stmt.attributes, attribute);
  return set == nullptr ? otherwise : reinterpret_cast<std::uintptr_t>(set->value);
}

// How many sets psqlodbc sends as one piece of work, which succeeds or fails as a whole: up to
// BatchSize when the cursor is forward-only and read-only. With a size of one each set commits by
// itself under autocommit, and all fall together otherwise.
std::size_t psqlodbc_sets(const Statement& stmt, bool autocommitting) {
  const std::string given =
      real::connect_key(stmt.connection.connect_text, stmt.connection.settings.dsn, "BatchSize");
  const bool plain =
      attribute_of(stmt, SQL_ATTR_CURSOR_TYPE, SQL_CURSOR_FORWARD_ONLY) ==
          SQL_CURSOR_FORWARD_ONLY &&
      attribute_of(stmt, SQL_ATTR_CONCURRENCY, SQL_CONCUR_READ_ONLY) == SQL_CONCUR_READ_ONLY;
  const std::size_t size =
      given.empty() ? kPsqlodbcBatch : std::strtoul(given.c_str(), nullptr, 10);
  if (plain && size > 1) return size;
  return autocommitting ? 1 : 0;
}

std::size_t sets_at_once(const Statement& stmt, const Session& session, const Plan& plan) {
  switch (session.dialect) {
    case Dialect::postgresql:
      return psqlodbc_sets(stmt, session.autocommitting());
    case Dialect::sqlite:
      return 1;  // libsqliteodbc runs set after set
    case Dialect::mariadb:
      return 1;  // MariaDB's bulk execution returns no rows
    default:
      return plan.columns == 0 ? 1 : 0;  // one at a time to learn each one's row count
  }
}

// An array runs on our own statement, so that what each set changed is known.
void plan_array(const Statement& stmt, const Session& session, Plan* plan) {
  if (plan->text == nullptr) {
    const bool writes = stmt.execution->classification().cls == sql::StatementClass::write;
    if (!writes || plan->visible) return;
    plan->text = &stmt.execution->text();
  }
  plan->sets_at_once = sets_at_once(stmt, session, *plan);
}

bool asynchronous(const Statement& stmt) {
  return attribute_of(stmt, SQL_ATTR_ASYNC_ENABLE, SQL_ASYNC_ENABLE_OFF) == SQL_ASYNC_ENABLE_ON;
}

// The text whose rows are the effects. Always the same one for a statement, so that it stays
// prepared: with the transaction's id where the engine has one, whether or not it is known already.
void plan_effects(Plan* plan, bool keep_verdict, bool keep_values) {
  const sql::Analysis& analysis = *plan->analysis;
  plan->with_txid = !analysis.rewritten_with_txid.empty();
  plan->text = plan->with_txid ? &analysis.rewritten_with_txid : &analysis.rewritten;
  plan->columns = analysis.parts.empty() ? analysis.columns.size() : 1;
  plan->values = keep_values;
  if (!keep_verdict) plan->verdict = Verdict::effects;
}

// A verdict of effects or keyed.
void plan_known(const Session& session, const BoundParameters& bound, const char* obstacle,
                bool late, bool prepared, Plan* plan) {
  const sql::Analysis& analysis = *plan->analysis;
  const bool moves = analysis.verb == Verb::move;
  const bool array = bound.sets() > 1;
  const bool readable = obstacle == nullptr && !array && !late;
  // The application's own result has no column of ours then.
  const bool by_key = analysis.own_returning && !analysis.after.empty() && readable;
  const bool effects = !analysis.rewritten.empty() && !moves && !by_key;
  plan->collects = plan->visible = analysis.own_returning && !by_key;
  if (plan->collects && array) {
    *plan = {};  // each set has a result of its own
    plan->uncaptured = obstacle;
    return;
  }
  // What a value stands for here is not what it would stand for on the shadow.
  const bool changes =
      bound.converts() || (plan->verdict == Verdict::keyed && obstacle == nullptr &&
                           session.dialect == Dialect::postgresql && bound.names_moment());
  const bool untold =
      array || late || obstacle != nullptr || changes || (prepared && analysis.literals_by_setting);
  const bool together = moves && array && session.dialect == Dialect::postgresql;
  const bool keeps = !late && !analysis.keeping.empty() && !(array && !analysis.merges.empty());
  const bool asks =
      keeps || (!late && !together && !(analysis.before.empty() && analysis.after.empty()));
  if (plan->verdict == Verdict::effects && !effects && !asks) plan->verdict = Verdict::opaque;
  const bool keyed_in_doubt = array ? changes : untold;
  if (asks && !effects && (plan->verdict == Verdict::effects || keyed_in_doubt)) {
    plan->asks = true;
    plan->verdict = Verdict::effects;
    plan->values = readable;
    plan->keeps = keeps;
    if (keeps) plan->text = &analysis.keeping;
    if (!analysis.remembering.empty()) plan->text = &analysis.remembering;
    if (moves && !analysis.rewritten.empty()) {
      const bool plain = analysis.rewritten_with_txid.empty();
      plan->text = plain ? &analysis.rewritten : &analysis.rewritten_with_txid;
    }
  } else if (plan->verdict == Verdict::effects) {
    plan_effects(plan, false, readable);
  } else if (effects && untold) {
    plan_effects(plan, false, readable);
  } else if (changes) {
    plan->verdict = Verdict::opaque;  // its key is another than it seems
  } else if (effects && session.dialect == Dialect::sqlite) {
    plan_effects(plan, true, true);  // its rows are the only evidence of a COMMIT without an answer
  } else if (session.transaction.server_txid == 0 && !analysis.txid_only.empty()) {
    plan->with_txid = true;
    plan->text = &analysis.txid_only;
  }
  if (plan->collects) plan->with_txid = false;
  plan->uncaptured = plan->columns == 0 && !plan->asks ? obstacle : nullptr;
}

}  // namespace

Plan without_own_statement(Plan plan, const BoundParameters& bound) {
  if (plan.verdict == Verdict::effects) plan.verdict = Verdict::opaque;
  plan.text = nullptr;
  plan.visible = plan.collects = plan.with_txid = plan.asks = plan.keeps = false;
  plan.columns = plan.sets_at_once = 0;
  plan.values = true;
  plan.uncaptured = bound.obstacle();
  return plan;
}

Plan make_plan(Statement& stmt, Session& session, const BoundParameters& bound) {
  Execution& execution = *stmt.execution;
  Plan plan;
  const char* obstacle = bound.obstacle();
  plan.analysis = execution.executed != nullptr
                      ? execution.executed.get()
                      : execution.analysis(session.catalog(), session.search_path);
  const sql::StatementClass cls = execution.classification().cls;
  const bool changes_schema = cls == sql::StatementClass::ddl;
  if (cls != sql::StatementClass::write && execution.classification().statements == 1 &&
      session.changes_temporary(execution.text())) {
    plan.reads = true;
    return plan;
  }
  if (changes_schema) plan.verdict = Verdict::ddl;
  const sql::Analysis* analysis = plan.analysis;
  plan.reads =
      analysis != nullptr && plan.verdict != Verdict::ddl &&
      (!sql::modifies(analysis->classification.cls) || session.writes_temporary(*analysis));
  if (plan.reads || plan.verdict == Verdict::ddl) return plan;
  plan.uncaptured = obstacle;
  // Connector/ODBC of the replayer, without the cursor, says that it has run and runs nothing.
  if (analysis != nullptr && analysis->reason == sql::kCurrentOf) plan.uncaptured = "current-of";
  if (!bound.complete()) return plan;  // the real driver is going to complain
  const bool late = obstacle == nullptr && !bound.late_values().empty();
  if (analysis != nullptr && !session.perhaps_hidden(*analysis) &&
      session.reads_as_usual(execution.text()) &&
      (analysis->verdict == Verdict::keyed || analysis->verdict == Verdict::effects)) {
    plan.verdict = session.in_another_zone(*analysis) ? Verdict::effects : analysis->verdict;
    plan.verb = analysis->verb;
    const bool prepared = !execution.direct || execution.executed != nullptr;
    plan_known(session, bound, obstacle, late, prepared, &plan);
  } else if (analysis != nullptr && analysis->verb == Verb::clear &&
             !session.perhaps_hidden(*analysis)) {
    plan.verb = Verb::clear;
  } else if (analysis != nullptr &&
             (session.dialect == Dialect::generic ||
              (analysis->changes_rows_alone && !session.perhaps_hidden(*analysis)))) {
    plan.verb = analysis->verb;  // where it has changed no row there is nothing to replay
  }
  // The shadow has one database: there the text would mean other tables.
  const auto catalog = session.catalog();
  const bool elsewhere = session.dialect == Dialect::mariadb && catalog != nullptr &&
                         sql::looks_elsewhere(session.search_path, catalog->catalog());
  if (elsewhere && plan.verdict == Verdict::opaque) plan.uncaptured = "other-database";
  if (plan.uncaptured != nullptr) {
    Plan counted;  // the application's own call, as it is
    counted.analysis = plan.analysis;
    counted.uncaptured = plan.uncaptured;
    return counted;
  }
  if (bound.sets() > 1) plan_array(stmt, session, &plan);
  if (plan.text == nullptr && !plan.asks && asynchronous(stmt)) {
    // Run to its end at once: what it did is then known here.
    plan.text = &execution.text();
    plan.visible = true;
  }
  return plan;
}

}  // namespace understudy::capture
