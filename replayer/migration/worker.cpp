#include "replayer/migration/worker.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>

#include "journal/gate.h"
#include "journal/segment.h"
#include "replayer/copy/copy.h"
#include "replayer/migration/alignment.h"
#include "replayer/migration/checks.h"
#include "replayer/migration/failure.h"

namespace understudy {
namespace {

constexpr std::uint64_t kWriterLookNs = 200'000'000;  // at who is waited for

/// Transactions among the journal's records (after, until].
std::uint64_t count_transactions(const std::string& directory, std::uint64_t after,
                                 std::uint64_t until) {
  std::uint64_t out = 0;
  if (after >= until) return out;
  auto reader = require(JournalReader::open(directory));
  require(reader->seek(after + 1));
  for (;;) {
    const auto record = reader->next();
    if (record.status().code() == Code::end) return out;
    require(record.status());
    if (record->seq > until) return out;
    if (record->type == RecordType::transaction) ++out;
  }
}

std::vector<Divergence> merged(std::vector<Divergence> base, const std::vector<Divergence>& more) {
  for (const Divergence& one : more) {
    const auto same = std::find_if(base.begin(), base.end(), [&](const Divergence& other) {
      return other.fingerprint == one.fingerprint && other.kind == one.kind;
    });
    if (same != base.end()) {
      same->count += one.count;
    } else if (base.size() < kDivergencesMax) {
      base.push_back(one);
    }
  }
  return base;
}

Phase phase_when_replaying(const State& state) {
  return state.verified_clean() ? Phase::ready : Phase::replaying;
}

}  // namespace

bool phase_goes_on(Phase phase) {
  return phase >= Phase::recording && phase <= Phase::switching;
}

// --- control ---

void Worker::start(std::vector<std::string> skip, std::uint64_t writers_wait_ns) {
  const std::lock_guard guard(mutex_);
  skip_ = std::move(skip);
  writers_wait_ns_ = writers_wait_ns;
  failure_.clear();
  started_ = true;
  changed_.notify_all();
}

std::string Worker::failure() {
  const std::lock_guard guard(mutex_);
  return failure_;
}

void Worker::arm(std::uint64_t marker_id) {
  const std::lock_guard guard(mutex_);
  armed_ = marker_id;
  reached_ = 0;
  changed_.notify_all();
}

bool Worker::wait_reached(std::uint64_t marker_id, std::uint64_t deadline_ns,
                          const std::atomic<bool>& give_up) {
  std::unique_lock guard(mutex_);
  while (reached_ != marker_id && !migration_.stop && !give_up) {
    const std::uint64_t now = monotonic_ns();
    if (now >= deadline_ns) return false;
    changed_.wait_for(guard, std::chrono::nanoseconds(deadline_ns - now));
  }
  return reached_ == marker_id;
}

void Worker::finish() {
  const std::lock_guard guard(mutex_);
  finished_ = true;
  armed_ = 0;
  changed_.notify_all();
}

void Worker::wake() {
  const std::lock_guard guard(mutex_);
  changed_.notify_all();
}

void Worker::pause(std::uint64_t ns) {
  std::unique_lock guard(mutex_);
  changed_.wait_for(guard, std::chrono::nanoseconds(ns),
                    [&] { return migration_.stop.load() || finished_; });
}

// --- phases ---

void Worker::run() {
  if (phase_goes_on(migration_.state->get().phase)) {
    const std::lock_guard guard(mutex_);
    started_ = true;  // never false here: the command `start` may have come before this thread
  }
  while (!migration_.stop) {
    wait_for_start();
    if (migration_.stop) return;
    try {
      advance_one_phase();
    } catch (const std::exception& error) {
      spdlog::error("{}", error.what());
      try {
        migration_.state->change([&](State& state) { state.reason = error.what(); });
      } catch (const std::exception& second) {
        spdlog::error("{}", second.what());
      }
      const std::lock_guard guard(mutex_);
      failure_ = error.what();
      started_ = false;
    }
  }
}

void Worker::wait_for_start() {
  std::unique_lock guard(mutex_);
  changed_.wait(guard, [&] { return started_ || migration_.stop.load(); });
}

void Worker::advance_one_phase() {
  switch (migration_.state->get().phase) {
    case Phase::preflight:
      return preflight();
    case Phase::recording:
      return record();
    case Phase::aligning:
    case Phase::copying:
      return align_and_copy();
    case Phase::replaying:
    case Phase::verifying:
    case Phase::ready:
    case Phase::holding:
    case Phase::switching:
      return replay();
    default:
      break;
  }
  const std::lock_guard guard(mutex_);
  started_ = false;
}

void Worker::preflight() {
  std::vector<std::string> skip;
  {
    const std::lock_guard guard(mutex_);
    skip = skip_;
  }
  const auto checks =
      run_checks(migration_.home, migration_.settings, migration_.state->get(), skip);
  if (const Check* failed = first_failure(checks))
    throw Failure(kExitNo, fmt::format("check {} failed: {}; {}", failed->name, failed->detail,
                                       failed->remedy));
  migration_.state->change(
      [](State& state) { state.enter(Phase::recording, "reading production's catalog"); });
}

void Worker::require_journald() {
  const std::uint64_t deadline_ns = monotonic_ns() + kJournaldStartNs;
  // It takes its lock first and makes the first segment afterwards.
  const auto ready = [&] {
    return migration_.journald_alive() && JournalReader::open(migration_.home.journal()).ok();
  };
  while (!ready() && !migration_.stop) {
    if (monotonic_ns() > deadline_ns)
      throw Failure(kExitFailed, fmt::format("journald does not run, so nothing would be recorded; "
                                             "see {}, then run `understudy start {}`",
                                             migration_.home.journald_log(), migration_.home.name));
    pause(kIdleLookNs);
  }
}

void Worker::record() {
  require_journald();
  {
    const Database production = open_production(migration_.settings);
    const Database shadow = open_shadow(migration_.settings);
    Catalog catalog = production.sql().read_catalog(production.db());
    catalog.shadow_connection = migration_.settings.share_credentials
                                    ? with_options(migration_.settings.shadow, "")
                                    : without_credentials(migration_.settings.shadow);
    require(catalog.save(migration_.home.catalog()));
    require(shadow.sql().read_catalog(shadow.db()).save(migration_.home.shadow_catalog()));
  }
  ControlHeader& header = migration_.header();
  require(migration_.map->reserve_ring());
  header.durability_power.store(migration_.settings.durability == "power" ? 1 : 0);
  header.catalog_generation.fetch_add(1);
  if (!migration_.change_mode(Mode::idle, Mode::record) && migration_.mode() != Mode::record)
    check_mode();
  Hold hold(*migration_.map);
  const std::uint64_t began_ns = monotonic_ns();
  for (;;) {
    const Status clear = hold.wait_clear(Writing::unrecorded, monotonic_ns() + kWriterLookNs);
    if (clear.ok()) break;
    migration_.state->note([&](State& state) {
      state.enter(Phase::recording, "waits for writers from before recording: " + clear.message());
    });
    if (migration_.stop) return;
    check_mode();
    std::unique_lock guard(mutex_);
    if (writers_wait_ns_ != 0 && monotonic_ns() - began_ns > writers_wait_ns_)
      throw Failure(kExitNo, clear.message());
  }
  migration_.state->change([](State& state) {
    state.enter(Phase::aligning, "every write is recorded; looking for a common point");
  });
}

void Worker::align_and_copy() {
  require_journald();
  check_mode();
  const Catalog from = require(Catalog::load(migration_.home.catalog()));
  const Catalog to = require(Catalog::load(migration_.home.shadow_catalog()));
  std::vector<std::string> problems;
  std::vector<std::string> cycles;
  const auto pairs = copy_order(pair_tables(from, to, &problems), &cycles);
  for (const std::string& problem : problems) spdlog::warn("{}", problem);
  const Database production = open_production(migration_.settings);
  const Database shadow = open_shadow_for_applying(migration_.settings);
  const bool again = migration_.state->get().copy_begun;
  DoubtResolver doubt(migration_);

  CommonPointOptions options;
  options.kind = MarkerKind::alignment;
  // Without a server a dead process leaves nothing that could still become visible.
  options.doubt_allowed = !production.sql().can_resolve();
  options.settle = [&] { doubt.settle_all_by_server(); };
  options.waiting = [&](const std::string& why) {
    migration_.state->note([&](State& state) { state.enter(Phase::aligning, why); });
  };
  const CommonPoint point = take_common_point(migration_, production, options);
  const std::uint64_t seq = find_marker(migration_, point);
  spdlog::info("aligned at {} with the gate closed for {:.3f} ms", seq, point.gate_ms);
  migration_.state->change([&](State& state) {
    state.alignment_marker = point.marker_id;
    state.alignment_seq = seq;
    state.alignment_ms = point.gate_ms;
    state.sealed_at_alignment = point.sealed;
    state.doubt_at_alignment = point.in_doubt;
    state.copy_begun = true;
    state.verified.reset();
    state.divergences.clear();
    state.enter(Phase::copying, again ? "copying once more from the beginning" : "copying");
  });
  const auto progress = [&](const CopyProgress& now) {
    migration_.state->note([&](State& state) {
      state.copied_rows = now.copied_rows;
      state.total_rows = now.total_rows;
      state.copying_table = now.table;
    });
  };
  CopyProgress last;
  const bool complete = copy_tables(
      production.db(), shadow.db(), production.sql(), shadow.sql(), pairs, again,
      [&](const CopyProgress& now) { progress(last = now); }, migration_.stop);
  production.sql().close_snapshot(production.db());
  if (!complete) return;
  shadow.sql().make_position_table(shadow.db());
  Applier(shadow.db(), shadow.sql(), from, to, migration_.home.name).store_position(seq);
  migration_.state->change([&](State& state) {
    state.copied_rows = last.copied_rows;
    state.total_rows = std::max(last.total_rows, last.copied_rows);
    state.copying_table.clear();
    state.settled = 0;
    state.settled_seq = seq;
    state.shadow_reachable = true;
    state.enter(Phase::replaying, "applying what production commits");
  });
}

void Worker::check_mode() {
  const Mode mode = migration_.mode();
  if (mode != Mode::invalid && mode != Mode::idle) return;
  if (migration_.state->get().phase >= Phase::completed) return;
  std::string why =
      "recording was interrupted: the shared memory is new, as after a restart of the "
      "host";
  if (mode == Mode::invalid) why = migration_.map->reason();
  if (why.empty()) why = "recording ended without a reason";
  migration_.map->invalidate(why);
  migration_.state->change([&](State& state) { state.enter(Phase::invalid, why); });
  throw Failure(
      kExitFailed,
      fmt::format("migration {} is invalid: {}; `understudy cancel {}` ends it, then begin "
                  "a new one",
                  migration_.home.name, why, migration_.home.name));
}

// --- replaying ---

struct Worker::Replay {
  Database shadow;
  Catalog from, to;
  std::optional<Applier> applier;
  std::optional<JournalFeed> feed;
  DoubtResolver doubt;
  std::vector<Divergence> base;
  std::uint64_t base_uncaptured = 0;
  std::uint64_t settled = 0;
  std::deque<std::uint64_t> open;  // transactions handed to the applier, not committed
  std::uint64_t position = 0;
  std::uint64_t published_ns = 0;
  bool doubt_named = false;  // in the state's reason
};

void Worker::replay() {
  try {
    replay_connected();
    retry_ns_ = kRetryNsMin;
  } catch (const odbc::Error& error) {
    spdlog::warn("{}; next try in {} ms", error.what(), retry_ns_ / 1'000'000);
    migration_.state->change([&](State& state) {
      state.shadow_reachable = false;
      state.enter(Phase::replaying, fmt::format("{}; tried again every {} s at most", error.what(),
                                                kRetryNsMax / kNsPerSecond));
    });
    pause(retry_ns_);
    retry_ns_ = std::min(2 * retry_ns_, kRetryNsMax);
  }
  const std::lock_guard guard(mutex_);
  if (finished_) started_ = false;
}

void Worker::replay_connected() {
  check_mode();
  Replay replay{open_shadow_for_applying(migration_.settings),
                require(Catalog::load(migration_.home.catalog())),
                require(Catalog::load(migration_.home.shadow_catalog())),
                {},
                {},
                DoubtResolver(migration_),
                {},
                0,
                0,
                {},
                0,
                0,
                false};
  replay.shadow.sql().make_position_table(replay.shadow.db());
  replay.applier.emplace(replay.shadow.db(), replay.shadow.sql(), replay.from, replay.to,
                         migration_.home.name);
  const std::uint64_t position = replay.applier->stored_position();
  const State before = migration_.state->get();
  if (position < before.alignment_seq)
    throw Failure(kExitFailed, fmt::format("the shadow's table {} no longer says what was applied; "
                                           "cancel the migration and begin a new one",
                                           kPositionTable));
  replay.position = position;
  replay.settled =
      before.settled + count_transactions(migration_.home.journal(), before.settled_seq, position);
  replay.base = before.divergences;
  replay.base_uncaptured = before.uncaptured;
  replay.feed.emplace(migration_.home.journal(), position);
  migration_.state->change([&](State& state) {
    state.shadow_reachable = true;
    state.settled = replay.settled;
    state.settled_seq = position;
    state.enter(phase_when_replaying(state), "applying what production commits");
  });
  retry_ns_ = kRetryNsMin;
  publish(replay, true);
  for (;;) {
    {
      const std::lock_guard guard(mutex_);
      if (migration_.stop || finished_) break;
    }
    const std::uint32_t token = migration_.journal_token();
    if (replay_next(replay)) continue;
    migration_.wait_for_journal(token, kIdleLookNs);
  }
  replay.applier->commit();
  publish(replay, true);
}

/// False when nothing more can be done for now.
bool Worker::replay_next(Replay& replay) {
  std::optional<FeedItem> item;
  try {
    item = replay.feed->next();
  } catch (const std::runtime_error& error) {
    migration_.map->invalidate(error.what());
    check_mode();
    throw;
  }
  Applier& applier = *replay.applier;
  if (!item) {
    applier.commit();
    publish(replay, false);
    check_mode();
    if (replay.feed->waiting().reason == FeedWait::Reason::in_doubt) settle_doubt(replay);
    return false;
  }
  if (item->transaction) {
    replay.open.push_back(item->transaction->seq);
    recorded_.add(*item->transaction);
    applier.apply(std::move(*item->transaction));
    if (applier.batch_full()) applier.commit();
    publish(replay, false);
    return true;
  }
  applier.advance(item->marker->seq);
  applier.commit();
  publish(replay, false);
  stand_at(item->marker->marker.id);
  return true;
}

void Worker::publish(Replay& replay, bool force) {
  constexpr std::uint64_t kIntervalNs = 200'000'000;
  const ApplyFigures& figures = replay.applier->figures();
  while (!replay.open.empty() && replay.open.front() <= figures.applied_seq) {
    replay.open.pop_front();
    ++replay.settled;
  }
  ControlHeader& header = migration_.header();
  const std::uint64_t seq = replay.position = std::max(replay.position, figures.applied_seq);
  header.applied_seq.store(seq);
  header.applied.store(replay.settled);
  const std::uint64_t now = monotonic_ns();
  if (!force && now - replay.published_ns < kIntervalNs) return;
  replay.published_ns = now;
  migration_.state->note([&](State& state) {
    state.settled = replay.settled;
    state.settled_seq = seq;
    state.divergences = merged(replay.base, figures.divergences);
    state.uncaptured = replay.base_uncaptured + figures.uncaptured;
    state.oldest_unsettled_us = replay.feed->backlog() ? replay.feed->oldest_sealed_at_us() : 0;
    if (replay.doubt_named && header.in_doubt.load() <= state.doubt_at_alignment)
      state.enter(state.phase, "applying what production commits");
  });
}

void Worker::settle_doubt(Replay& replay) {
  const FeedWait wait = replay.feed->waiting();
  if (replay.doubt.settle(wait, replay.shadow, replay.to)) return;
  replay.doubt_named = true;
  migration_.state->note([&](State& state) {
    state.enter(state.phase, fmt::format("the transaction at {} is in doubt: {}", wait.seq,
                                         replay.doubt.reason()));
  });
}

void Worker::stand_at(std::uint64_t marker_id) {
  std::unique_lock guard(mutex_);
  if (armed_ != marker_id) return;
  reached_ = marker_id;
  changed_.notify_all();
  changed_.wait(guard, [&] { return armed_ != marker_id || migration_.stop.load(); });
}

}  // namespace understudy
