#include "replayer/migration/bypass_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "replayer/migration/failure.h"
#include "replayer/migration/log.h"
#include "replayer/migration/verification.h"

namespace understudy {
namespace {

bool comparable(Phase phase) {
  return phase == Phase::replaying || phase == Phase::ready || phase == Phase::switched;
}

bool watched(Migration& migration, const State& state) {
  if (state.phase == Phase::copying) return true;
  if (!comparable(state.phase)) return false;
  return way_of(state.phase) != Way::back ||
         (migration.mode() == Mode::switched && state.production_reachable);
}

}  // namespace

BypassWatch::BypassWatch(Migration& migration, Worker& worker)
    : migration_(migration), worker_(worker), thread_([this] { run(); }) {}

BypassWatch::~BypassWatch() {
  {
    const std::lock_guard guard(mutex_);
    ending_ = true;
    give_up_ = true;
  }
  changed_.notify_all();
  worker_.wake();
  thread_.join();
}

BypassWatch::Pause::Pause(BypassWatch& watch) : watch_(watch) {
  std::unique_lock guard(watch_.mutex_);
  ++watch_.pauses_;
  watch_.give_up_ = true;
  watch_.worker_.wake();
  watch_.changed_.wait(guard, [&] { return !watch_.comparing_; });
}

BypassWatch::Pause::~Pause() {
  const std::lock_guard guard(watch_.mutex_);
  if (--watch_.pauses_ == 0 && !watch_.ending_) watch_.give_up_ = false;
}

/// False at the end.
bool BypassWatch::rest(std::uint64_t ns) {
  std::unique_lock guard(mutex_);
  return !changed_.wait_for(guard, std::chrono::nanoseconds(ns), [&] { return ending_; });
}

void BypassWatch::run() {
  while (rest(kBypassLookNs)) {
    try {
      const State state = migration_.state->get();
      if (watched(migration_, state)) {
        look(state);
        told_ = false;
      } else if (way_of(state.phase) == Way::back) {
        production_.reset();  // which may be shut down now
      }
    } catch (const std::exception& error) {
      // The worker tells of a production or shadow that cannot be reached; here it is tried again.
      if (!told_) log_warning(fmt::format("looking for writers past the driver: {}", error.what()));
      told_ = true;
      production_.reset();
    }
  }
}

bool BypassWatch::replayed_past(std::uint64_t ring_position) {
  ControlHeader& header = migration_.header();
  std::uint64_t seq = 0;
  for (const std::uint64_t deadline_ns = monotonic_ns() + kBypassLookNs;;) {
    if (seq == 0 && header.head.load() >= ring_position) seq = header.journaled_seq.load();
    if (seq != 0 && worker_.replayed_seq() >= seq) return true;
    if (monotonic_ns() > deadline_ns || give_up_) return false;
    migration_.wait_for_journal(migration_.journal_token(), kIdleLookNs);
  }
}

void BypassWatch::look(const State& state) {
  // What production counts from here on was written by somebody else: the application or the
  // replayer.
  if (state.direction_at_us != direction_at_us_) accounts_ = {};
  direction_at_us_ = state.direction_at_us;
  if (!production_) production_ = open_production(migration_.settings);
  const auto counted = production_->sql().table_writes(production_->db());
  // Whoever committed before that was in the ring before that.
  const std::uint64_t position = migration_.header().tail.load();
  // While copying nothing is replayed, and nothing recorded is counted: the first look opens the
  // accounts, others wait.
  const bool copying = state.phase == Phase::copying;
  if (copying && !accounts_.empty()) return;
  if (!copying && !replayed_past(position)) return;
  const auto suspected = accounts_.look(counted, worker_.recorded());
  if (suspected.empty() || monotonic_ns() < compare_after_ns_) return;
  compare(suspected);
}

void BypassWatch::compare(const std::vector<BypassAccounts::Suspicion>& suspected) {
  {
    const std::lock_guard guard(mutex_);
    if (pauses_ > 0 || ending_ || !comparable(migration_.state->get().phase)) return;
    comparing_ = true;
    give_up_ = false;
  }
  struct Done {
    BypassWatch& watch;
    ~Done() {
      const std::lock_guard guard(watch.mutex_);
      watch.comparing_ = false;
      watch.changed_.notify_all();
    }
  } done{*this};
  std::vector<std::string> tables;
  bool certain = true;
  for (const auto& [table, members, table_certain] : suspected) {
    if (members.empty() && !table.empty()) tables.push_back(table);
    tables.insert(tables.end(), members.begin(), members.end());
    certain = certain && table_certain;
  }
  log_info(fmt::format(
      "production counts more writes than were recorded; comparing {}",
      tables.empty() ? std::string("all tables") : fmt::format("{}", fmt::join(tables, ", "))));
  const std::uint64_t began_ns = monotonic_ns();
  const auto compared = compare_at_common_point(
      migration_, worker_, tables, [](const std::string&) {}, give_up_);
  if (!compared) return;  // a command came; the next look suspects them again
  accounts_.explained(suspected);
  const std::uint64_t now = monotonic_ns();
  pause_ns_ = compared->rows_different > 0
                  ? 0
                  : std::min(kBypassPauseNsMax,
                             std::max(2 * pause_ns_, kBypassPauseFactor * (now - began_ns)));
  compare_after_ns_ = now + pause_ns_;
  if (compared->rows_different == 0) return;
  if (!certain) {
    log_warning(fmt::format("{} rows differ, perhaps by what was recorded as opaque; run verify",
                            compared->rows_different));
    return;
  }
  migration_.state->change([&](State& state) {
    for (const TableDifference& table : compared->tables) {
      const std::uint64_t rows = table.missing + table.extra + table.different;
      if (rows > 0) state.found_bypassed(table.table, rows);
    }
  });
  log_warning(fmt::format("{} rows were written past the driver; see `understudy status {}`",
                          compared->rows_different, migration_.home.name));
}

}  // namespace understudy
