#include "replayer/migration/cutover.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "journal/gate.h"
#include "replayer/migration/databases.h"
#include "replayer/migration/failure.h"

namespace understudy {
namespace {

constexpr std::uint64_t kSessionLookNs = 10'000'000;

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
      (void)hold_.decide(*switching, Mode::record);
    } else if (held) {
      (void)hold_.finish(*held, Mode::record);
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

void require_guardrails(const Migration& migration, const Figures& figures,
                        const CutoverOptions& options, const Say* say) {
  for (const std::string& name : options.skip) {
    const auto& known = guardrail_names();
    if (std::find(known.begin(), known.end(), name) == known.end())
      throw Failure(kExitUsage, fmt::format("there is no guardrail {}; they are {}", name,
                                            fmt::join(known, ", ")));
  }
  const auto rails = guardrails(migration.home, figures);
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

bool waits_for_route(Migration& migration) {
  const std::uint64_t now = monotonic_ns();
  for (std::uint32_t i = 0; i < kSlotCount; ++i) {
    Slot& slot = migration.map->slot(i);
    if (slot.state.load() != static_cast<std::uint32_t>(SlotState::active)) continue;
    if (slot.session_id.load() == migration.session_id()) continue;
    if (slot.route.load() != static_cast<std::uint32_t>(SlotRoute::production)) continue;
    if (slot.pinned.load() != 0) continue;
    const std::uint64_t called = slot.last_call_ns.load();
    if (called == 0 || (now > called && now - called > kRecentCallNs)) continue;
    if (migration.map->liveness(i) == Liveness::alive) return true;
  }
  return false;
}

/// Sessions in use connect to the shadow before anything is held.
void prepare_sessions(Migration& migration, Timeline& timeline) {
  ControlHeader& header = migration.header();
  header.prepare_route.store(1);
  const std::uint64_t deadline_ns = monotonic_ns() + kPrepareNs;
  bool waiting = waits_for_route(migration);
  while (waiting && monotonic_ns() < deadline_ns && !migration.stop) {
    // Preparing wakes nobody, so the slots are looked at again and again.
    migration.wait_for_journal(migration.journal_token(), kSessionLookNs);
    waiting = waits_for_route(migration);
  }
  timeline.add(waiting
                   ? "not all busy sessions are connected to the shadow; they will be at the switch"
                   : "busy sessions are connected to the shadow");
}

void require_time(const Status& status) {
  if (status.ok()) return;
  const bool no = status.code() == Code::timeout || status.code() == Code::invalid;
  throw Failure(no ? kExitNo : kExitFailed, status.message() + "; production stays in use");
}

void print_plan(const Migration& migration, const CutoverOptions& options,
                const std::vector<SequenceState>& sequences, const Figures& figures,
                const Say& say) {
  say("dry run: nothing is changed. The steps would be:");
  say(fmt::format("1. tell {} sessions to connect to the shadow, wait {} s at most",
                  figures.sessions, kPrepareNs / kNsPerSecond));
  say(fmt::format("2. hold new writing transactions, {} s at most; {} are open now",
                  options.timeout_s, figures.writing.size()));
  for (const SessionLine& line : figures.writing)
    say(fmt::format("   waits for process {}, which {}", line.pid, line.why));
  say(fmt::format("3. replay the rest: {} transactions now", figures.backlog_transactions));
  say(fmt::format("4. set {} sequences on the shadow", sequences.size()));
  say(fmt::format("5. write `switched` into {}", migration.home.state()));
  say("6. sessions move to the shadow at their next transaction");
}

void back_to_production(Migration& migration, const std::string& why) {
  migration.state->change([&](State& state) {
    if (state.phase != Phase::holding && state.phase != Phase::switching &&
        state.phase != Phase::switched)
      return;
    state.enter(state.verified_clean() ? Phase::ready : Phase::replaying,
                "cutover given up: " + why);
  });
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

/// From the hold to the decision.
void hold_and_switch(Migration& migration, Worker& worker, const CutoverOptions& options,
                     const Database& production, const Database& shadow, Timeline& timeline) {
  Undo undo(migration, worker);
  prepare_sessions(migration, timeline);
  require_guardrails(migration, collect_figures(migration.map.get(), migration.state->get(), true),
                     options, nullptr);
  migration.state->change([](State& state) {
    state.enter(Phase::holding, "new writing transactions wait, open ones may end");
  });
  Hold hold(*migration.map);
  const Trouble before = trouble_of(migration);
  const std::uint64_t began_ns = monotonic_ns();
  const std::uint64_t deadline_ns = began_ns + static_cast<std::uint64_t>(options.timeout_s * 1e9);
  const auto held = hold.begin(deadline_ns);
  require_time(held.status());
  undo.held = *held;
  timeline.add("hold begun");
  require_time(hold.wait_clear(Writing::recorded, deadline_ns));
  timeline.add("open transactions have ended");
  const std::uint64_t marker = Migration::random_id();
  worker.arm(marker);
  migration.append_marker(marker, MarkerKind::cutover);
  if (!worker.wait_reached(marker, deadline_ns))
    throw Failure(kExitNo,
                  "the rest was not replayed in time; production stays in use, try again "
                  "with a smaller backlog or a longer --timeout");
  if (trouble_of(migration) != before)
    throw Failure(kExitNo,
                  "uncaptured writes, transactions in doubt or divergences came up during the "
                  "hold; production stays in use, see `understudy status`");
  timeline.add("everything is replayed");
  const int sequences =
      shadow.sql().set_sequences(shadow.db(), production.sql().read_sequences(production.db()),
                                 require(Catalog::load(migration.home.shadow_catalog())));
  timeline.add(fmt::format("{} sequences set", sequences));
  const auto switching = hold.finish(*undo.held, Mode::switching);
  require_time(switching.status());
  undo.switching = *switching;
  // Both phases in one write: writers wait for the disk here.
  migration.state->change([](State& state) {
    state.enter(Phase::switching, "the decision is being written");
    state.enter(Phase::switched, "the shadow is in productive use");
  });
  undo.decided = true;
  timeline.add("decision on disk");
  const Status opened = hold.decide(*undo.switching, Mode::switched);
  worker.finish();
  const double hold_ms = static_cast<double>(monotonic_ns() - began_ns) / 1e6;
  timeline.add("sessions may write, on the shadow");
  migration.state->change([&](State& state) {
    state.last_hold_ms = hold_ms;
    state.timeline = timeline.entries;
  });
  require(opened);
}

}  // namespace

void cut_over(Migration& migration, Worker& worker, const CutoverOptions& options, const Say& say) {
  const Figures figures = collect_figures(migration.map.get(), migration.state->get(), true);
  require_guardrails(migration, figures, options, &say);
  const Database production = open_production(migration.settings);
  const Database shadow = open_shadow(migration.settings);
  const auto sequences = production.sql().read_sequences(production.db());
  if (options.dry_run) return print_plan(migration, options, sequences, figures, say);
  Timeline timeline(say);
  try {
    hold_and_switch(migration, worker, options, production, shadow, timeline);
  } catch (const std::exception& error) {
    timeline.add("given up");
    timeline.print();
    if (migration.mode() == Mode::switched) throw;
    back_to_production(migration, error.what());
    throw;
  }
  timeline.print();
  say(fmt::format("writers were held for {:.3f} ms", migration.state->get().last_hold_ms));
}

void settle_interrupted_cutover(Migration& migration) {
  const bool switched = migration.state->get().phase == Phase::switched;
  migration.change_mode(Mode::hold, Mode::record);
  if (switched) {
    migration.change_mode(Mode::switching, Mode::switched);
    // New shared memory, as after a restart of the host: sessions must not begin on production.
    migration.change_mode(Mode::idle, Mode::switched);
  } else {
    migration.change_mode(Mode::switching, Mode::record);
  }
  // Only a cutover that was taken back leaves `record`: its undoing could not be written down.
  if (switched && migration.mode() == Mode::record)
    back_to_production(migration, "the decision was taken back");
  if (!switched) {
    migration.header().prepare_route.store(0);
    back_to_production(migration, "the replayer was interrupted");
  }
}

}  // namespace understudy
