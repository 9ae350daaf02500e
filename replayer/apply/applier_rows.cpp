// Row effects on the shadow.
#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "replayer/apply/applier_impl.h"
#include "replayer/apply/fingerprint.h"
#include "replayer/apply/shadow_errors.h"

namespace understudy {
namespace {

/// Held of the rows of one statement that collide with others of it.
constexpr std::size_t kLaterRowsBytesMax = 64u << 20;

}  // namespace

std::vector<std::size_t> in_order(const ShapeRoute& route, std::span<const RowEffect> rows) {
  std::vector<std::size_t> out(route.plans.size());
  std::iota(out.begin(), out.end(), std::size_t{0});
  if (!rows.empty() && rows.front().verb == Verb::remove) std::reverse(out.begin(), out.end());
  return out;
}

bool Applier::Impl::is_there(ShapePlan& plan, const RowEffect& row) {
  const std::string& remove = plan.sql(Verb::remove);
  odbc::Statement look(shadow);
  look.prepare("SELECT 1" + remove.substr(remove.find(" FROM ")));
  const auto key = plan.bind(Verb::remove, row);
  look.bind(key);
  look.execute();
  return look.fetch();
}

bool Applier::Impl::left_as_it_was(const FeedTransaction& transaction,
                                   const StatementEntry& statement, long long rows) {
  if ((statement.flags & kStatementCountsFound) == 0 || rows > statement.row_count) return false;
  if (statement.verdict != Verdict::keyed || statement.key.empty()) return true;
  const ShapeRoute& to = route(transaction, statement);
  const std::string text = to.plans.empty() ? "" : to.plans.front().finds(statement.key);
  if (text.empty()) return false;
  const auto values = recorded_parameters(statement);
  std::vector<odbc::Bind> key;
  for (const KeyPart& part : statement.key) {
    if (!part.parameter) continue;
    if (*part.parameter >= values.size()) return false;
    key.push_back(values[*part.parameter]);
  }
  odbc::Statement look(shadow);
  look.prepare(text);
  look.bind(key);
  look.execute();
  return look.fetch();
}

// How many of the rows were moved together.
std::size_t Applier::Impl::run_moves(ShapePlan& plan, std::span<const RowEffect> rows,
                                     bool* as_expected) {
  std::size_t done = 0;
  while (!single_moves && done < rows.size()) {
    const auto moves = plan.moves(rows.subspan(done));
    if (!moves) break;
    if (run(moves->text, moves->parameters) != static_cast<long long>(moves->rows)) {
      *as_expected = false;
    }
    done += moves->rows;
  }
  return done;
}

long long Applier::Impl::run_row(ShapePlan& plan, Verb verb, const RowEffect& row) {
  if (verb == Verb::replace) {
    run(plan.sql(Verb::remove), plan.bind(Verb::remove, row));
    for (const auto& [text, key] : plan.removals(row)) run(text, key);
    // SQLite: it may collide by an index over an expression or of some rows alone, too.
    std::string insert = plan.sql(Verb::insert);
    if (dialect.kind() == Dialect::sqlite) insert.replace(0, 6, "INSERT OR REPLACE");
    return run(insert, plan.bind(Verb::insert, row));
  }
  const Verb first = verb == Verb::put ? Verb::update : verb;
  const auto rows = run(plan.sql(first), plan.bind(first, row));
  const bool update = verb == Verb::put || (verb == Verb::update && plan.mapped());
  if (!update || rows != 0) return rows;
  // MariaDB counts only rows that an UPDATE made different, which one of a dropped column does not.
  // An engine of which nothing is known may do the same.
  const bool perhaps = dialect.kind() == Dialect::mariadb || dialect.kind() == Dialect::generic;
  if (perhaps && is_there(plan, row)) return 1;
  if (verb == Verb::update) return rows;
  return run(plan.sql(Verb::insert), plan.bind(Verb::insert, row));
}

ShapeRoute& Applier::Impl::route(const FeedTransaction& transaction,
                                 const StatementEntry& statement) {
  return plans.route(statement.shape, transaction.text(statement.shape));
}

bool Applier::Impl::is_mapped(const FeedTransaction& transaction, const StatementEntry& statement) {
  return statement.shape != kNoText &&
         plans.is_mapped(statement.shape, transaction.text(statement.shape));
}

// `as_put`: the shadow is known to differ, so rows are made to be as they are in production
// whatever stands there.
void Applier::Impl::run_rows(const FeedTransaction& transaction, const StatementEntry& statement,
                             bool as_put, Tally& tally) {
  const OwnSettings own(*this);
  ShapeRoute& to = route(transaction, statement);
  const bool further_part = going_on.has_value();
  if (transaction.stored != nullptr && !further_part) {
    going_on.emplace();
    going_on->as_put = as_put;
    going_on->shape = statement.shape;
    going_on->encoded_shape = transaction.text(statement.shape);
    going_on->what = fingerprint(transaction.text(statement.text));
  }
  const Reports report = [&](const char* kind) {
    tally.divergence(fingerprint(transaction.text(statement.text)), kind, transaction.seq);
  };
  const std::span<const RowEffect> rows = statement.rows;
  for (const std::size_t place : in_order(to, rows)) {
    ShapePlan& plan = to.plans[place];
    if (!further_part && lacks_columns(plan)) report("no such column");
    bool as_expected = true;
    const std::size_t moved = as_put ? 0 : run_moves(plan, rows, &as_expected);
    if (!as_expected) report("row-count");
    // All old keys first: one of them may be another row's new one.
    if (as_put && !plan.whole_row()) {
      for (const RowEffect& row : rows) {
        if (row.verb != Verb::move) continue;
        run(plan.sql(Verb::remove), plan.bind(Verb::remove, row));
      }
    }
    const RunsRow run_one = [&](const RowEffect& row) {
      run_recorded_row(plan, row, as_put, report);
    };
    const auto rest = run_in_some_order(rows.subspan(moved), run_one, going_on.has_value());
    keep_for_later(place, rest);
  }
}

void Applier::Impl::keep_for_later(std::size_t plan, std::span<const RowEffect* const> rows) {
  for (const RowEffect* row : rows) {
    auto& later = going_on->later.emplace_back();
    later.plan = plan;
    later.verb = row->verb;
    for (const auto& value : row->values) {
      later.values.emplace_back(value);
      going_on->later_bytes += sizeof(later.values.back()) + (value ? value->size() : 0);
    }
    if (going_on->later_bytes > kLaterRowsBytesMax) {
      throw NoPlace("rows that collide with each other are more than are held");
    }
  }
}

// The statement has no further part: what collided within it is tried once more.
void Applier::Impl::finish_rows(std::uint64_t seq, Tally& tally) {
  const auto all = std::exchange(going_on, std::nullopt);
  if (!all || all->later.empty()) return;
  const OwnSettings own(*this);
  ShapeRoute& to = plans.route(all->shape, all->encoded_shape);
  const Reports report = [&](const char* kind) { tally.divergence(all->what, kind, seq); };
  std::map<std::size_t, std::vector<RowEffect>> by_place;
  for (const auto& later : all->later) {
    RowEffect row;
    row.verb = later.verb;
    row.values.assign(later.values.begin(), later.values.end());
    by_place[later.plan].push_back(std::move(row));
  }
  for (const std::size_t place : in_order(to, by_place.begin()->second)) {
    ShapePlan& plan = to.plans[place];
    const RunsRow run_one = [&](const RowEffect& row) {
      run_recorded_row(plan, row, all->as_put, report);
    };
    run_in_some_order(by_place[place], run_one, false);
  }
}

// The tables that stand for one that was emptied. Of a split one the last part goes first: it may
// refer to the others.
void Applier::Impl::clear_tables(const FeedTransaction& transaction,
                                 const StatementEntry& statement) {
  auto& all = route(transaction, statement).plans;
  for (auto plan = all.rbegin(); plan != all.rend(); ++plan) run(plan->sql(Verb::clear), {});
}

void Applier::Impl::run_recorded_row(ShapePlan& plan, const RowEffect& row, bool as_put,
                                     const Reports& report) {
  const bool removes = row.verb == Verb::remove;
  const bool changes = row.verb == Verb::update || row.verb == Verb::move;
  const bool puts = as_put && !plan.whole_row() && (changes || row.verb == Verb::insert);
  RowEffect moved;
  if (puts && row.verb == Verb::move) {
    moved.verb = Verb::put;
    moved.values.assign(row.values.begin() + plan.key_columns(), row.values.end());
  }
  const bool as_moved = moved.verb == Verb::put;
  const auto changed = run_row(plan, puts ? Verb::put : row.verb, as_moved ? moved : row);
  if (changed == 0 && changes) {
    report("row-count");
    if (row.verb == Verb::update) run_row(plan, Verb::insert, row);
  } else if (changed == 0 && removes && !as_put) {
    report("row-count");
  }
}

// Rows of one statement that collide with each other, as when numbers move up by one: production
// took them in an order in which they do not, which is found by trying. `leave_rest`: those that
// collide with something else yet are returned.
std::vector<const RowEffect*> Applier::Impl::run_in_some_order(std::span<const RowEffect> rows,
                                                               const RunsRow& run_one,
                                                               bool leave_rest) {
  std::vector<const RowEffect*> left;
  for (const RowEffect& row : rows) left.push_back(&row);
  while (!left.empty()) {
    std::vector<const RowEffect*> later;
    std::optional<odbc::Error> error;
    for (const RowEffect* row : left) {
      try {
        run_one(*row);
      } catch (const odbc::Error& one) {
        const bool last = left.size() == 1 && !leave_rest;
        if (last || !collides(one, dialect.kind())) throw;
        error = one;
        later.push_back(row);
      }
    }
    if (later.size() == left.size()) {
      if (leave_rest) return later;
      throw odbc::Error(*error);
    }
    left = std::move(later);
  }
  return {};
}

}  // namespace understudy
