#include "replayer/migration/cutover.h"

#include <fmt/format.h>

#include <algorithm>

#include "journal/access.h"
#include "journal/gate.h"
#include "replayer/mapping/resolve.h"
#include "replayer/migration/across.h"
#include "replayer/migration/beginning.h"
#include "replayer/migration/databases.h"
#include "replayer/migration/failure.h"
#include "replayer/migration/log.h"
#include "replayer/migration/mapping.h"

namespace understudy {
namespace {

constexpr std::uint64_t kSessionLookNs = 10'000'000;
constexpr std::uint64_t kJournaldLookNs = 100'000'000;

/// What differs between `cutover` and `reverse`.
struct Turn {
  Way way;  // in which transactions were applied so far
  const char* command;
  Phase held;
  Mode decision, decided;
  SlotRoute unprepared;
};
constexpr Turn kCutover{Way::there,      "cutover",      Phase::holding,
                        Mode::switching, Mode::switched, SlotRoute::production};
constexpr Turn kReverse{Way::back,       "reverse",    Phase::reversing,
                        Mode::returning, Mode::record, SlotRoute::shadow};

class Timeline {
 public:
  explicit Timeline(const Say& say) : say_(say) {}
  double now_ms() const { return static_cast<double>(monotonic_ns() - began_ns_) / 1e6; }
  void add(std::string what) { entries.push_back({now_ms(), std::move(what)}); }
  /// Printed once the hold is over: no client may slow it down.
  void print() const {
    for (const TimelineEntry& entry : entries)
      say_(fmt::format("{:>10.3f} ms  {}", entry.at_ms, entry.what));
  }
  std::vector<TimelineEntry> entries;

 private:
  const Say& say_;
  std::uint64_t began_ns_ = monotonic_ns();
};

/// What must be undone unless the decision was made.
class Undo {
 public:
  Undo(Migration& migration, Worker& worker)
      : migration_(migration), worker_(worker), hold_(*migration.map) {}
  ~Undo() {
    if (decided) return;
    if (switching) {
      (void)hold_.decide(*switching, let_go(mode_of(*switching)));
    } else if (held) {
      (void)hold_.finish(*held, let_go(mode_of(*held)));
    }
    migration_.header().prepare_route.store(0);
    worker_.arm(0);
  }
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;

  std::optional<std::uint32_t> held;
  std::optional<std::uint32_t> switching;
  bool decided = false;

 private:
  Migration& migration_;
  Worker& worker_;
  Hold hold_;
};

void require_guardrails(const Migration& migration, const Turn& turn, const Figures& figures,
                        const CutoverOptions& options, const Say* say) {
  for (const std::string& name : options.skip) {
    const auto& known = guardrail_names(turn.way);
    if (std::find(known.begin(), known.end(), name) == known.end())
      throw Failure(kExitUsage, fmt::format("there is no guardrail {}; they are {}", name,
                                            fmt::join(known, ", ")));
  }
  const auto rails = guardrails(migration.home, figures, turn.way);
  const auto skipped = [&](const Guardrail& rail) {
    return std::find(options.skip.begin(), options.skip.end(), rail.name) != options.skip.end();
  };
  if (say) {
    for (const Guardrail& rail : rails)
      (*say)(fmt::format("{:<18} {:<8} {}", rail.name,
                         rail.met        ? "met"
                         : skipped(rail) ? "skipped"
                                         : "NOT MET",
                         rail.value));
  }
  for (const Guardrail& rail : rails) {
    if (!rail.met && !skipped(rail))
      throw Failure(kExitNo, fmt::format("guardrail {} is not met: {}; {}", rail.name, rail.value,
                                         rail.remedy));
  }
}

bool waits_for_route(Migration& migration, const Turn& turn) {
  const std::uint64_t now = monotonic_ns();
  for (std::uint32_t i = 0; i < kSlotCount; ++i) {
    Slot& slot = migration.map->slot(i);
    if (slot.state.load() != static_cast<std::uint32_t>(SlotState::active)) continue;
    if (slot.session_id.load() == migration.session_id()) continue;
    if (slot.route.load() != static_cast<std::uint32_t>(turn.unprepared)) continue;
    if (slot.pinned.load() != 0) continue;
    const std::uint64_t called = slot.last_call_ns.load();
    if (called == 0 || (now > called && now - called > kRecentCallNs)) continue;
    if (migration.map->liveness(i) == Liveness::alive) return true;
  }
  return false;
}

/// Sessions in use connect to the other side before anything is held.
void prepare_sessions(Migration& migration, const Turn& turn, Timeline& timeline) {
  ControlHeader& header = migration.header();
  header.prepare_route.store(1);
  const std::uint64_t deadline_ns = monotonic_ns() + kPrepareNs;
  bool waiting = waits_for_route(migration, turn);
  while (waiting && monotonic_ns() < deadline_ns && !migration.stop) {
    // Preparing wakes nobody, so the slots are looked at again and again.
    migration.wait_for_journal(migration.journal_token(), kSessionLookNs);
    waiting = waits_for_route(migration, turn);
  }
  const std::string there = target_name(turn.way);
  timeline.add(waiting ? "not all busy sessions are connected to " + there +
                             "; they will be at the switch"
                       : "busy sessions are connected to " + there);
}

std::string stays(const Turn& turn) {
  return fmt::format("; {} stays in use", source_name(turn.way));
}

void require_time(const Turn& turn, const Status& status) {
  if (status.ok()) return;
  const bool no = status.code() == Code::timeout || status.code() == Code::invalid;
  throw Failure(no ? kExitNo : kExitFailed, status.message() + stays(turn));
}

void print_plan(const Migration& migration, const Turn& turn, const CutoverOptions& options,
                const std::vector<SequenceState>& sequences, const Figures& figures,
                const Say& say) {
  const char* target = target_name(turn.way);
  say("dry run: nothing is changed. The steps would be:");
  say(fmt::format("1. tell {} sessions to connect to {}, wait {} s at most", figures.sessions,
                  target, kPrepareNs / kNsPerSecond));
  say(fmt::format("2. hold new writing transactions, {} s at most; {} are open now",
                  options.timeout_s, figures.writing.size()));
  for (const SessionLine& line : figures.writing)
    say(fmt::format("   waits for process {}, which {}", line.pid, line.why));
  say(fmt::format("3. replay the rest: {} transactions now", figures.backlog_transactions));
  say(fmt::format("4. set {} sequences on {}", sequences.size(), target));
  say(fmt::format("5. write `{}` into {}", turn.way == Way::back ? "replaying" : "switched",
                  migration.home.state()));
  say(fmt::format("6. sessions move to {} at their next transaction", target));
}

/// What the state file says, to programs that find no shared memory.
void tell_after_restart(const Migration& migration, bool shadow_in_use) {
  const Status told = tell_side_in_use(migration.home.root, migration.home.name,
                                       shadow_in_use ? SideInUse::shadow : SideInUse::production);
  if (!told.ok()) log_warning(told.message());
}

void back_to_production(Migration& migration, const std::string& why) {
  migration.state->change([&](State& state) {
    if (state.phase != Phase::holding && state.phase != Phase::switching &&
        state.phase != Phase::switched)
      return;
    state.enter(state.phase_in_production(), "cutover given up: " + why);
  });
  tell_after_restart(migration, false);
}

void back_to_shadow(Migration& migration, const std::string& why) {
  migration.state->change([&](State& state) {
    if (state.phase >= Phase::completed) return;
    state.enter(Phase::switched, "reverse given up, the shadow stays in use: " + why);
  });
  tell_after_restart(migration, true);
}

void decide(State& state, const Turn& turn) {
  if (turn.way == Way::back) {
    state.enter(Phase::replaying, "production is in use again; applying what it commits");
    return;
  }
  // Both phases in one write: writers wait for the disk here.
  state.enter(Phase::switching, "the decision is being written");
  state.enter(Phase::switched, "the shadow is in productive use");
}

/// Figures that must not grow while writers are held.
struct Trouble {
  std::uint64_t uncaptured = 0, in_doubt = 0, divergences = 0;
  bool operator==(const Trouble&) const = default;
};

Trouble trouble_of(Migration& migration) {
  return {migration.header().uncaptured.load(), migration.header().in_doubt.load(),
          migration.state->get().divergence_count()};
}

/// Where they stand on the source, under the target's names.
std::vector<SequenceState> sequences_of(const Migration& migration, const Turn& turn,
                                        const Database& source, const Database& target) {
  const Catalog production = require(Catalog::load(migration.home.catalog()));
  const Catalog shadow = require(Catalog::load(migration.home.shadow_catalog()));
  const Mapped there = mapped_tables(migration.home, migration.settings, production, shadow);
  auto sequences = source.sql().kind() == target.sql().kind()
                       ? source.sql().read_sequences(source.db())
                       : sequences_across(source, production);
  return map_sequences(std::move(sequences), turn.way == Way::back ? inverse_of(there) : there);
}

/// The journal position of the marker, when it is applied; nothing at the deadline. What is sealed
/// reaches the journal only while journald lives, and its death wakes nobody.
std::optional<std::uint64_t> wait_replayed(Migration& migration, Worker& worker, const Turn& turn,
                                           std::uint64_t marker, std::uint64_t deadline_ns) {
  for (;;) {
    const auto reached =
        worker.wait_reached(marker, std::min(deadline_ns, monotonic_ns() + kJournaldLookNs));
    if (reached || migration.stop || monotonic_ns() >= deadline_ns) return reached;
    if (migration.journald_alive()) continue;
    throw Failure(kExitNo, fmt::format("journald died during the hold{}, run `understudy start {}`",
                                       stays(turn), migration.home.name));
  }
}

/// Holds writers and waits until everything is applied. The marker's journal position.
std::uint64_t hold_and_drain(Migration& migration, Worker& worker, const Turn& turn,
                             std::uint64_t deadline_ns, Undo& undo, Timeline& timeline) {
  Hold hold(*migration.map);
  const Trouble before = trouble_of(migration);
  const auto held = hold.begin(deadline_ns);
  require_time(turn, held.status());
  undo.held = *held;
  timeline.add("hold begun");
  require_time(turn, hold.wait_clear(Writing::recorded, deadline_ns));
  timeline.add("open transactions have ended");
  const std::uint64_t marker = Migration::random_id();
  worker.arm(marker);
  migration.append_marker(marker, MarkerKind::cutover);
  const auto reached = wait_replayed(migration, worker, turn, marker, deadline_ns);
  if (!reached)
    throw Failure(kExitNo, fmt::format("the rest was not replayed in time{}, try again with a "
                                       "smaller backlog or a longer --timeout",
                                       stays(turn)));
  if (trouble_of(migration) != before)
    throw Failure(kExitNo, fmt::format("uncaptured writes, transactions in doubt or divergences "
                                       "came up during the hold{}, see `understudy status`",
                                       stays(turn)));
  timeline.add("everything is replayed");
  return *reached;
}

/// To the programs that may not take part.
void tell_others(const Migration& migration, bool shadow_in_use) {
  const Status told = tell_switched(migration.home.root, migration.home.name, shadow_in_use);
  if (!told.ok()) log_warning(told.message());
}

/// From the hold to the decision.
void hold_and_switch(Migration& migration, Worker& worker, const Turn& turn,
                     const CutoverOptions& options, const Database& source, const Database& target,
                     Timeline& timeline) {
  Undo undo(migration, worker);
  prepare_sessions(migration, turn, timeline);
  require_guardrails(
      migration, turn,
      collect_figures(migration.map.get(), migration.home, migration.state->get(), true), options,
      nullptr);
  migration.state->change([&](State& state) {
    state.enter(turn.held, "new writing transactions wait, open ones may end");
  });
  const std::uint64_t began_ns = monotonic_ns();
  const std::uint64_t deadline_ns = began_ns + static_cast<std::uint64_t>(options.timeout_s * 1e9);
  const std::uint64_t seq = hold_and_drain(migration, worker, turn, deadline_ns, undo, timeline);
  const std::string catalog =
      turn.way == Way::back ? migration.home.catalog() : migration.home.shadow_catalog();
  const int sequences = target.sql().set_sequences(
      target.db(), sequences_of(migration, turn, source, target), require(Catalog::load(catalog)));
  timeline.add(fmt::format("{} sequences set", sequences));
  Hold hold(*migration.map);
  const auto switching = hold.finish(*undo.held, turn.decision);
  require_time(turn, switching.status());
  undo.switching = *switching;
  turn.way == Way::there ? require_all_were_recorded(migration.home)
                         : require_all_recorded(migration.home);
  require(tell_side_in_use(migration.home.root, migration.home.name, SideInUse::undecided));
  migration.state->change([&](State& state) {
    decide(state, turn);
    state.turn(seq, migration.header().uncaptured.load());
  });
  undo.decided = true;
  tell_after_restart(migration, turn.way == Way::there);
  timeline.add("decision on disk");
  migration.header().prepare_route.store(0);  // else it would be about the way back
  if (turn.way == Way::there) tell_others(migration, true);
  const Status opened = hold.decide(*undo.switching, turn.decided);
  if (turn.way == Way::back) tell_others(migration, false);
  worker.turn();
  const double hold_ms = static_cast<double>(monotonic_ns() - began_ns) / 1e6;
  timeline.add(fmt::format("sessions may write, on {}", target_name(turn.way)));
  migration.state->change([&](State& state) {
    state.last_hold_ms = hold_ms;
    state.timeline = timeline.entries;
  });
  require(opened);
}

/// Made before anything is held, in production as in the shadow; where it may not be made there is
/// no way back, and the cutover says so.
void make_way_back(const Database& production, const Say& say) {
  try {
    production.sql().need_position_table(production.db());
    if (production.sql().may_make_position_table(production.db())) return;
  } catch (const odbc::Error& error) {
    if (error.connection_lost()) throw;
  }
  say(
      fmt::format("there will be no way back for now: the account of `production` may not create "
                  "and write the table {} there; see `understudy check`",
                  kPositionTable));
}

/// Just behind another turn the worker is still connecting.
void wait_for_direction(Migration& migration, Worker& worker, const Turn& turn) {
  const std::uint64_t deadline_ns = monotonic_ns() + kPrepareNs;
  while (!migration.stop && monotonic_ns() < deadline_ns) {
    const State state = migration.state->get();
    const bool reached =
        turn.way == Way::back ? state.production_reachable : state.shadow_reachable;
    if (way_of(state.phase) != turn.way || reached || !state.way_back.empty()) return;
    if (!worker.failure().empty()) return;
    migration.wait_for_journal(migration.journal_token(), kSessionLookNs);
  }
}

void turn_over(Migration& migration, Worker& worker, const Turn& turn,
               const CutoverOptions& options, const Say& say) {
  wait_for_direction(migration, worker, turn);
  const Figures figures =
      collect_figures(migration.map.get(), migration.home, migration.state->get(), true);
  require_guardrails(migration, turn, figures, options, &say);
  const Database source = open_source(migration.settings, turn.way);
  const Database target = open_target(migration.settings, turn.way);
  const auto sequences = sequences_of(migration, turn, source, target);
  if (options.dry_run) return print_plan(migration, turn, options, sequences, figures, say);
  if (turn.way == Way::there) make_way_back(source, say);
  Timeline timeline(say);
  try {
    hold_and_switch(migration, worker, turn, options, source, target, timeline);
  } catch (const std::exception& error) {
    timeline.add("given up");
    timeline.print();
    if (migration.mode() == turn.decided) throw;
    if (turn.way == Way::back) {
      back_to_shadow(migration, error.what());
    } else {
      back_to_production(migration, error.what());
    }
    throw;
  }
  timeline.print();
  say(fmt::format("writers were held for {:.3f} ms", migration.state->get().last_hold_ms));
}

}  // namespace

void cut_over(Migration& migration, Worker& worker, const CutoverOptions& options, const Say& say) {
  turn_over(migration, worker, kCutover, options, say);
}

void cut_back(Migration& migration, Worker& worker, const CutoverOptions& options, const Say& say) {
  turn_over(migration, worker, kReverse, options, say);
}

namespace {

// The state file says that the shadow is in use.
void settle_on_shadow(Migration& migration) {
  migration.change_mode(Mode::hold_back, Mode::switched);
  migration.change_mode(Mode::returning, Mode::switched);
  migration.change_mode(Mode::switching, Mode::switched);
  // New shared memory, as after a restart of the host: sessions must not begin on production, and
  // what they did before this was seen is not recorded.
  if (migration.change_mode(Mode::idle, Mode::switched))
    migration.map->invalidate(kNewSharedMemory);
  // Only a cutover that was taken back leaves `record`: its undoing could not be written down.
  migration.change_mode(Mode::hold, Mode::record);
  if (migration.mode() == Mode::record)
    return back_to_production(migration, "the decision was taken back");
  if (migration.state->get().phase == Phase::reversing)
    back_to_shadow(migration, "the replayer was interrupted");
}

void settle_on_production(Migration& migration) {
  migration.change_mode(Mode::hold, Mode::record);
  migration.change_mode(Mode::switching, Mode::record);
  migration.change_mode(Mode::returning, Mode::record);
  // As above, of a way back.
  migration.change_mode(Mode::hold_back, Mode::switched);
  if (shadow_in_use(migration.mode()) && migration.state->get().phase == Phase::replaying)
    return back_to_shadow(migration, "the decision was taken back");
  back_to_production(migration, "the replayer was interrupted");
}

}  // namespace

void settle_interrupted_cutover(Migration& migration) {
  const Phase phase = migration.state->get().phase;
  if (phase == Phase::completed || phase == Phase::cancelled) return;
  migration.header().prepare_route.store(0);
  if (way_of(phase) == Way::back) {
    settle_on_shadow(migration);
  } else {
    settle_on_production(migration);
  }
  tell_others(migration, shadow_in_use(migration.mode()));
  tell_after_restart(migration, shadow_in_use(migration.mode()));
}

}  // namespace understudy
