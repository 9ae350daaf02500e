#include "replayer/migration/worker.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "journal/durable_recording.h"
#include "journal/gate.h"
#include "journal/segment.h"
#include "journal/unrecorded.h"
#include "replayer/copy/copy.h"
#include "replayer/mapping/resolve.h"
#include "replayer/migration/alignment.h"
#include "replayer/migration/beginning.h"
#include "replayer/migration/checks.h"
#include "replayer/migration/failure.h"
#include "replayer/migration/log.h"
#include "replayer/migration/mapping.h"

namespace understudy {
namespace {

constexpr std::uint64_t kWriterLookNs = 200'000'000;  // at who is waited for

/// Transactions among the journal's records (after, until].
std::uint64_t count_transactions(Migration& migration, std::uint64_t after, std::uint64_t until) {
  std::uint64_t out = 0;
  if (after >= until) return out;
  const auto reader = migration.open_journal();
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

/// From here on the file may change or go. Both catalogs are as they are going to be saved.
void freeze_mapping(const Migration& migration, Catalog* production, Catalog* shadow) {
  const std::string& path = migration.settings.mapping;
  if (path.empty()) return;
  const std::string text = read_mapping(path);
  mark_by_effects(mapped_tables(text, path, *production, *shadow), production, shadow);
  replace_file(migration.home.mapping(), text);
}

std::string applying(Way way) {
  return way == Way::back ? "the shadow is in productive use; production follows, for the way back"
                          : "applying what production commits";
}

}  // namespace

bool phase_goes_on(Phase phase) {
  return phase >= Phase::recording && phase <= Phase::reversing;
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

std::optional<std::uint64_t> Worker::wait_reached(std::uint64_t marker_id,
                                                  std::uint64_t deadline_ns,
                                                  const std::atomic<bool>& give_up) {
  std::unique_lock guard(mutex_);
  while (reached_ != marker_id && !migration_.stop && !give_up) {
    const std::uint64_t now = monotonic_ns();
    if (now >= deadline_ns) return std::nullopt;
    changed_.wait_for(guard, std::chrono::nanoseconds(deadline_ns - now));
  }
  if (reached_ != marker_id) return std::nullopt;
  return reached_seq_;
}

void Worker::turn() {
  const std::lock_guard guard(mutex_);
  turned_ = true;
  armed_ = 0;
  changed_.notify_all();
}

void Worker::halt() {
  std::unique_lock guard(mutex_);
  halted_ = turned_ = true;
  armed_ = 0;
  changed_.notify_all();
  changed_.wait_for(guard, std::chrono::nanoseconds(kHaltNs), [&] { return !busy_; });
}

void Worker::wake() {
  const std::lock_guard guard(mutex_);
  changed_.notify_all();
}

void Worker::pause(std::uint64_t ns) {
  std::unique_lock guard(mutex_);
  changed_.wait_for(guard, std::chrono::nanoseconds(ns),
                    [&] { return migration_.stop.load() || turned_; });
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
      log_error(error.what());
      try {
        migration_.state->change([&](State& state) {
          state.reason = error.what();
          if (way_of(state.phase) == Way::back) state.way_back = error.what();
        });
      } catch (const std::exception& second) {
        log_error(second.what());
      }
      const std::lock_guard guard(mutex_);
      failure_ = error.what();
      started_ = false;
    }
    const std::lock_guard guard(mutex_);
    busy_ = false;
    changed_.notify_all();
  }
}

void Worker::wait_for_start() {
  std::unique_lock guard(mutex_);
  changed_.wait(guard, [&] { return (started_ && !halted_) || migration_.stop.load(); });
  busy_ = !migration_.stop;
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
      return replay(Way::there);
    case Phase::switched:
    case Phase::reversing:
      return replay(Way::back);
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
    return migration_.journald_alive() &&
           JournalReader::open_stored(migration_.home.journal()).ok();
  };
  while (!ready() && !migration_.stop) {
    if (monotonic_ns() > deadline_ns)
      throw Failure(kExitFailed, fmt::format("journald does not run, so nothing would be recorded; "
                                             "see {}, then run `understudy start {}`",
                                             migration_.home.journald_log(), migration_.home.name));
    pause(kIdleLookNs);
  }
}

/// Whether what is recorded outlives the host is decided here.
void Worker::begin_recording() {
  const bool power = migration_.settings.durability == "power";
  const Home& home = migration_.home;
  migration_.header().durability_power.store(power ? 1 : 0);
  require(power ? begin_durable_recording(home.root, home.name, migration_.settings.ring_bytes)
                : end_durable_recording(home.root, home.name));
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
    Catalog shadow_catalog = shadow.sql().read_catalog(shadow.db());
    mark_by_effects(migration_.settings, shadow_catalog, &catalog);
    if (shadow_catalog.dialect == Dialect::generic) {
      Settings back;
      back.record_statements = migration_.settings.record_statements;
      mark_by_effects(back, catalog, &shadow_catalog);
    }
    freeze_mapping(migration_, &catalog, &shadow_catalog);
    require(catalog.save(migration_.home.catalog()));
    require(shadow_catalog.save(migration_.home.shadow_catalog()));
  }
  ControlHeader& header = migration_.header();
  require(migration_.map->reserve_ring());
  header.catalog_generation.fetch_add(1);
  require_all_recorded(migration_.home);
  if (migration_.mode() == Mode::idle) begin_recording();
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
  const Mapped mapped = mapped_tables(migration_.home, migration_.settings, from, to);
  std::vector<std::string> problems;
  std::vector<std::string> cycles;
  const auto pairs = copy_order(pair_tables(from, to, mapped, &problems), &cycles);
  for (const std::string& problem : problems) log_warning(problem);
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
  log_info(fmt::format("aligned at {} with the gate closed for {:.3f} ms", seq, point.gate_ms));
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
  shadow.sql().need_position_table(shadow.db());
  Applier(shadow.db(), shadow.sql(), from, to, migration_.home.name).store_position(seq);
  migration_.state->change([&](State& state) {
    state.copied_rows = last.copied_rows;
    state.total_rows = std::max(last.total_rows, last.copied_rows);
    state.copying_table.clear();
    state.settled = 0;
    state.settled_seq = seq;
    state.direction_seq = seq;
    state.direction_begun = true;
    state.shadow_reachable = true;
    state.enter(Phase::replaying, "applying what production commits");
  });
}

void Worker::check_mode() {
  if (monotonic_ns() - words_looked_ns_ > kWordsLookNs) {
    words_looked_ns_ = monotonic_ns();
    const auto word =
        find_unrecorded_word(migration_.home.root, migration_.home.name, Unrecorded::any);
    if (word && records(migration_.mode()))
      migration_.map->invalidate("a program was not recorded: " + *word);
  }
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

std::string Worker::obstacle_of_way_back() const {
  const Catalog production = require(Catalog::load(migration_.home.catalog()));
  const Catalog shadow = require(Catalog::load(migration_.home.shadow_catalog()));
  if (production.dialect != shadow.dialect)
    return "it is on another engine than the shadow, and values are converted in one direction "
           "only";
  const auto obstacles =
      no_way_back(mapped_tables(migration_.home, migration_.settings, production, shadow));
  return fmt::format("{}", fmt::join(obstacles, "; "));
}

/// After the switch: the application is not harmed, but what it commits goes nowhere any more.
void Worker::check_way_back() {
  if (!no_way_back_) no_way_back_ = obstacle_of_way_back();
  if (!no_way_back_->empty())
    throw Failure(kExitNo, "there is no way back to production: " + *no_way_back_);
  if (migration_.mode() != Mode::one_way) return;
  std::string why = migration_.map->reason();
  if (why.empty()) why = "recording ended without a reason";
  throw Failure(kExitNo, fmt::format("there is no way back to production: {}; the shadow stays in "
                                     "use, `understudy complete {}` ends the migration",
                                     why, migration_.home.name));
}

// --- replaying ---

struct Worker::Replay {
  Way way = Way::there;
  Database target;
  Catalog from, to;
  Mapped mapped;  // points into both
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

void Worker::replay(Way way) {
  try {
    replay_connected(way);
    retry_ns_ = kRetryNsMin;
  } catch (const odbc::Error& error) {
    log_warning(fmt::format("{}; next try in {} ms", error.what(), retry_ns_ / 1'000'000));
    lost_target(way, error.what());
    pause(retry_ns_);
    retry_ns_ = std::min(2 * retry_ns_, kRetryNsMax);
  }
  const std::lock_guard guard(mutex_);
  turned_ = halted_;
}

void Worker::lost_target(Way way, const std::string& why) {
  const std::string reason =
      fmt::format("{}; tried again every {} s at most", why, kRetryNsMax / kNsPerSecond);
  migration_.state->change([&](State& state) {
    if (way_of(state.phase) != way) return;  // it has turned meanwhile
    if (way == Way::there) {
      state.shadow_reachable = false;
      state.enter(Phase::replaying, reason);
      return;
    }
    state.production_reachable = false;
    state.way_back = reason;
    state.enter(state.phase, "the shadow is in productive use; no way back for now: " + reason);
  });
}

/// The target's position, which a direction that is new has first to be told.
std::uint64_t Worker::position_of_direction(Replay& replay) {
  const State before = migration_.state->get();
  if (!before.direction_begun) {
    replay.applier->store_position(before.direction_seq);
    migration_.state->change([](State& state) { state.direction_begun = true; });
    return before.direction_seq;
  }
  const std::uint64_t position = replay.applier->stored_position();
  if (position >= std::max(before.direction_seq, before.alignment_seq)) return position;
  throw Failure(kExitFailed,
                fmt::format("the table {} on {} no longer says what was applied; {} the migration",
                            kPositionTable, target_name(replay.way),
                            replay.way == Way::back ? "complete" : "cancel"));
}

void Worker::replay_connected(Way way) {
  way == Way::back ? check_way_back() : check_mode();
  const std::string from = migration_.home.catalog();
  const std::string to = migration_.home.shadow_catalog();
  Replay replay{way,
                open_target_for_applying(migration_.settings, way),
                require(Catalog::load(way == Way::back ? to : from)),
                require(Catalog::load(way == Way::back ? from : to)),
                {},
                {},
                {},
                DoubtResolver(migration_, way),
                {},
                0,
                0,
                {},
                0,
                0,
                false};
  replay.mapped =
      way == Way::back
          ? inverse_of(mapped_tables(migration_.home, migration_.settings, replay.to, replay.from))
          : mapped_tables(migration_.home, migration_.settings, replay.from, replay.to);
  replay.applier.emplace(replay.target.db(), replay.target.sql(), replay.from, replay.to,
                         migration_.home.name, replay.mapped);
  if (way == Way::back) replay.applier->target_is_older();
  const std::uint64_t position = position_of_direction(replay);
  const State before = migration_.state->get();
  replay.position = position;
  replay.settled = before.settled + count_transactions(migration_, before.settled_seq, position);
  replay.base = before.divergences;
  replay.base_uncaptured = before.uncaptured;
  replay.feed.emplace(migration_.home.journal(), position, migration_.journal_keys());
  migration_.state->change([&](State& state) {
    (way == Way::back ? state.production_reachable : state.shadow_reachable) = true;
    state.way_back.clear();
    state.settled = replay.settled;
    state.settled_seq = position;
    state.enter(way == Way::back ? state.phase : state.phase_in_production(), applying(way));
  });
  retry_ns_ = kRetryNsMin;
  publish(replay, true);
  for (;;) {
    {
      const std::lock_guard guard(mutex_);
      if (turned_) return;
      if (migration_.stop) break;
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
  } catch (const JournalKeyError& error) {
    // Nothing is wrong with the journal: with its key the next `start` goes on.
    migration_.forget_journal_keys();
    throw Failure(kExitFailed, error.what());
  } catch (const std::runtime_error& error) {
    migration_.map->invalidate(error.what());
    if (replay.way == Way::there) check_mode();
    throw;
  }
  Applier& applier = *replay.applier;
  if (!item) {
    applier.commit();
    publish(replay, false);
    if (replay.feed->backlog() == 0) replayed_seq_ = replay.feed->read_seq();
    replay.way == Way::back ? check_way_back() : check_mode();
    if (replay.feed->waiting().reason == FeedWait::Reason::in_doubt) settle_doubt(replay);
    return false;
  }
  if (item->transaction) {
    if (item->transaction->head.side != source_of(replay.way))
      throw Failure(kExitFailed, fmt::format("the transaction at {} of the journal was made on {} "
                                             "itself; nothing more is applied",
                                             item->transaction->seq, target_name(replay.way)));
    replay.open.push_back(item->transaction->seq);
    try {
      recorded_.add(*item->transaction);
      applier.apply(std::move(*item->transaction));
    } catch (const DamagedTransaction& error) {
      migration_.map->invalidate(error.what());
      if (replay.way == Way::there) check_mode();
      throw;
    }
    if (applier.batch_full()) applier.commit();
    publish(replay, false);
    return true;
  }
  migration_.require_durable(item->marker->seq);
  applier.advance(item->marker->seq);
  applier.commit();
  publish(replay, is_armed(item->marker->marker.id));
  stand_at(item->marker->marker.id, item->marker->seq);
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
  if (seq > replayed_seq_) replayed_seq_ = seq;
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
      state.enter(state.phase, applying(replay.way));
  });
}

void Worker::settle_doubt(Replay& replay) {
  const FeedWait wait = replay.feed->waiting();
  const auto another = [&] { return open_target_for_applying(migration_.settings, replay.way); };
  if (replay.doubt.settle(wait, {replay.target, replay.from, replay.to, replay.mapped, another}))
    return;
  replay.doubt_named = true;
  migration_.state->note([&](State& state) {
    state.enter(state.phase, fmt::format("the transaction at {} is in doubt: {}", wait.seq,
                                         replay.doubt.reason()));
  });
}

bool Worker::is_armed(std::uint64_t marker_id) {
  const std::lock_guard guard(mutex_);
  return armed_ == marker_id;
}

void Worker::stand_at(std::uint64_t marker_id, std::uint64_t seq) {
  std::unique_lock guard(mutex_);
  if (armed_ != marker_id) return;
  reached_ = marker_id;
  reached_seq_ = seq;
  changed_.notify_all();
  changed_.wait(guard, [&] { return armed_ != marker_id || migration_.stop.load(); });
}

}  // namespace understudy
