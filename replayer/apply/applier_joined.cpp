// The usual way: many statements in one round trip.
#include <utility>

#include "replayer/apply/applier_impl.h"

namespace understudy {
namespace {

constexpr std::size_t kMarkersKept = 65536;

}  // namespace

void Applier::Impl::run_joined() {
  if (joined.empty()) return;
  ++total.figures.round_trips;
  if (!sent_as_utf16([&] { return joined.run(); })) throw Surprise{};
}

// An application may bind more than the text has places for, which would shift all values behind.
bool Applier::Impl::joinable(std::string_view text, const TextId& id,
                             const std::vector<odbc::Bind>& parameters) {
  if (!joins || !JoinedStatements::can_join(parameters)) return false;
  if (parameters.empty()) return true;
  auto found = markers.find(id);
  if (found == markers.end()) {
    odbc::Statement statement(shadow);
    sent_as_utf16([&] {
      statement.prepare(text);
      return true;
    });
    if (markers.size() >= kMarkersKept) markers.clear();
    found = markers.emplace(id, statement.parameter_count()).first;
  }
  return found->second == static_cast<int>(parameters.size());
}

void Applier::Impl::join_row(ShapePlan& plan, const RowEffect& row) {
  const bool simple =
      row.verb == Verb::insert || row.verb == Verb::update || row.verb == Verb::remove;
  if (!joins || !simple) {
    run_joined();
    if (run_row(plan, row.verb, row) != 1) throw Surprise{};
    return;
  }
  joined.add(plan.sql(row.verb), plan.bind(row.verb, row), 1);
  if (joined.full()) run_joined();
}

void Applier::Impl::join_rows(ShapePlan& plan, std::span<const RowEffect> rows) {
  if (rows.empty()) return;
  bool as_expected = !lacks_columns(plan);
  const bool moves = rows.front().verb == Verb::move;
  if (moves) run_joined();
  const std::size_t moved = moves ? run_moves(plan, rows, &as_expected) : 0;
  if (!as_expected) throw Surprise{};
  for (const RowEffect& row : rows.subspan(moved)) join_row(plan, row);
}

void Applier::Impl::join_effects(const FeedTransaction& transaction,
                                 const StatementEntry& statement) {
  const OwnSettings own(*this);
  ShapeRoute& to = route(transaction, statement);
  for (const std::size_t place : in_order(to, statement.rows)) {
    join_rows(to.plans[place], statement.rows);
  }
}

void Applier::Impl::join_statement(const FeedTransaction& transaction,
                                   const StatementEntry& statement) {
  if (statement.verdict == Verdict::effects) {
    if (statement.rows.empty()) throw Surprise{};
    return join_effects(transaction, statement);
  }
  if (another_engine || is_mapped(transaction, statement)) throw Surprise{};
  auto parameters = recorded_parameters(statement);
  const auto text = transaction.text(statement.text);
  if (joinable(text, statement.text, parameters)) {
    joined.add(text, std::move(parameters), statement.row_count);
    if (joined.full()) run_joined();
    return;
  }
  run_joined();
  const auto rows = run_recorded(text, parameters);
  if (statement.row_count >= 0 && rows != statement.row_count) throw Surprise{};
}

void Applier::Impl::join(const FeedTransaction& transaction, Tally& tally) {
  transaction.for_each([&](const Entry& entry) {
    if (entry.type == Entry::Type::note) note(transaction, entry.note, tally);
    if (entry.type == Entry::Type::rows && entry.statement.verdict == Verdict::effects) {
      join_effects(transaction, entry.statement);
    }
    if (entry.type != Entry::Type::statement) return true;
    join_statement(transaction, entry.statement);
    count(entry.statement, tally);
    return true;
  });
  ++tally.figures.applied;
}

// All transactions of the batch in one of the shadow; false, rolled back, when anything is not as
// production saw it.
bool Applier::Impl::try_joined() {
  Tally tally;
  try {
    enter(batch.front().context, wanted, batch.front().transaction.seq, tally);
    joins = driver_joins && context.plain_strings();
    for (const auto& one : batch) join(one.transaction, tally);
    run_joined();
    commit_at(wanted, tally);
    return true;
  } catch (const Surprise&) {
  } catch (const NoPlace&) {
  } catch (const odbc::Error& error) {
    if (error.connection_lost()) throw;
  }
  undo();
  return false;
}

}  // namespace understudy
