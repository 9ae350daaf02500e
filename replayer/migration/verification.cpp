#include "replayer/migration/verification.h"

#include <fmt/format.h>

#include <algorithm>

#include "replayer/migration/alignment.h"
#include "replayer/migration/databases.h"
#include "replayer/migration/failure.h"
#include "replayer/migration/mapping.h"

namespace understudy {
namespace {

/// Lets the worker go on however the comparison ends.
class Armed {
 public:
  explicit Armed(Worker& worker) : worker_(worker) {}
  ~Armed() { release(); }
  Armed(const Armed&) = delete;
  Armed& operator=(const Armed&) = delete;
  void release() {
    if (!released_) worker_.arm(0);
    released_ = true;
  }

 private:
  Worker& worker_;
  bool released_ = false;
};

/// Columns that only the shadow has are compared as long as nobody but this migration has written
/// there, and where the mapping gives one row one value.
void choose_added(const State& state, const Database& shadow, std::vector<TablePair>* pairs,
                  const Say& say) {
  const bool used = state.direction_at_us != 0;
  for (TablePair& pair : *pairs) {
    std::erase_if(pair.added, [&](const AddedColumn& one) {
      if (used) return true;
      if (shadow.sql().is_deterministic(shadow.db(), *pair.shadow, one)) return false;
      say(
          fmt::format("column {} of {} is not compared: its expression may give another value each "
                      "time",
                      pair.shadow->columns[one.column].name, pair.shadow->display_name()));
      return true;
    });
  }
}

}  // namespace

std::optional<VerifyResult> compare_at_common_point(Migration& migration, Worker& worker,
                                                    const std::vector<std::string>& tables,
                                                    const Say& say, const std::atomic<bool>& stop) {
  const Catalog from = require(Catalog::load(migration.home.catalog()));
  const Catalog to = require(Catalog::load(migration.home.shadow_catalog()));
  std::vector<std::string> problems;
  const Mapped mapped = mapped_tables(migration.home, migration.settings, from, to);
  auto pairs = pair_tables(from, to, mapped, &problems);
  if (!tables.empty()) {
    std::erase_if(pairs, [&](const TablePair& pair) {
      const auto named = [&](const Table& table) {
        return std::find(tables.begin(), tables.end(), table.display_name()) != tables.end();
      };
      return !named(*pair.production) && !(pair.mapped && named(*pair.shadow));
    });
    if (pairs.empty()) return VerifyResult{};
  }
  const Database production = open_production(migration.settings);
  const Database shadow = open_shadow(migration.settings);
  choose_added(migration.state->get(), shadow, &pairs, say);
  const Way way = way_of(migration.state->get().phase);
  const Database& source = way == Way::back ? shadow : production;
  const Database& target = way == Way::back ? production : shadow;
  Armed armed(worker);
  CommonPointOptions options;
  options.announce = [&](std::uint64_t id) { worker.arm(id); };
  options.doubt_ignored = migration.state->get().doubt_at_alignment;
  options.waiting = [&](const std::string& why) { say("waiting: " + why); };
  const CommonPoint point = take_common_point(migration, source, options);
  say(fmt::format("common point taken, the gate was closed for {:.3f} ms", point.gate_ms));
  if (!worker.wait_reached(point.marker_id, monotonic_ns() + kCatchUpNs, stop)) {
    if (stop) return std::nullopt;
    throw Failure(kExitNo,
                  "the replayer did not reach the common point in time; see `understudy "
                  "status` for what holds it back");
  }
  target.sql().open_snapshot(target.db());
  std::string remedy;
  if (target.sql().snapshot_is_free(target.db(), &remedy)) armed.release();
  std::string table;
  const auto progress = [&](const CopyProgress& now) {
    if (now.table == table) return;
    table = now.table;
    say("comparing " + table);
  };
  VerifyResult result = compare_tables(production.db(), shadow.db(), production.sql(), shadow.sql(),
                                       pairs, progress, stop);
  shadow.sql().close_snapshot(shadow.db());
  production.sql().close_snapshot(production.db());
  if (stop) return std::nullopt;
  return result;
}

namespace {

void print(const VerifyResult& result, const Say& say) {
  say(fmt::format("{:<40} {:>12} {:>9} {:>9} {:>9}", "table", "compared", "missing", "extra",
                  "different"));
  for (const TableDifference& table : result.tables)
    say(fmt::format("{:<40} {:>12} {:>9} {:>9} {:>9}", table.table, table.rows_compared,
                    table.missing, table.extra, table.different));
}

}  // namespace

VerifyResult verify_migration(Migration& migration, Worker& worker, const Say& say,
                              const std::atomic<bool>& stop) {
  const Phase phase = migration.state->get().phase;
  if (phase != Phase::replaying && phase != Phase::ready && phase != Phase::switched)
    throw Failure(kExitNo,
                  fmt::format("migration {} is {}; it can be compared while it is replaying, "
                              "ready or switched",
                              migration.home.name, phase_name(phase)));
  const Way way = way_of(phase);
  // The phase says which side is in use: after the switch it stays.
  migration.state->change([&](State& state) {
    state.enter(way == Way::back ? phase : Phase::verifying, "comparing all tables");
  });
  VerifyResult result;
  try {
    auto compared = compare_at_common_point(migration, worker, {}, say, stop);
    if (!compared) throw Failure(kExitFailed, "the comparison was interrupted; run it again");
    result = std::move(*compared);
  } catch (...) {
    migration.state->change([](State& state) {
      if (state.phase == Phase::switched)
        state.enter(state.phase, "the comparison did not end; run verify again");
      if (state.phase == Phase::verifying)
        state.enter(Phase::replaying, "the comparison did not end; run verify again");
    });
    throw;
  }
  migration.state->change([&](State& state) {
    Verified verified{wall_clock_us(), result.rows_compared, result.rows_different, {}};
    for (const TableDifference& table : result.tables)
      verified.tables.push_back(
          {table.table, table.rows_compared, table.missing, table.extra, table.different});
    state.verified = std::move(verified);
    if (result.rows_different == 0) state.bypassed.clear();
    if (state.phase == Phase::invalid) return;
    const bool equal = result.rows_different == 0;
    const std::string why =
        equal ? fmt::format("{} rows compared, none different", result.rows_compared)
              : fmt::format("{} rows differ", result.rows_different);
    const Phase next = equal ? Phase::ready : Phase::replaying;
    state.enter(way == Way::back ? state.phase : next, why);
  });
  print(result, say);
  return result;
}

}  // namespace understudy
