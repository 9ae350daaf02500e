#include "replayer/migration/figures.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>

#include "journal/mode.h"

namespace understudy {
namespace {

std::string_view mode_word_of(Mode mode) {
  constexpr std::string_view kWords[] = {"idle",      "record",    "hold",
                                         "switching", "switched",  "invalid",
                                         "hold_back", "returning", "one_way"};
  const auto index = static_cast<std::size_t>(mode);
  return index < std::size(kWords) ? kWords[index] : "damaged";
}

std::string pinned_words(std::uint32_t bits) {
  std::vector<std::string_view> out;
  if (bits & kPinnedTemporaryTable) out.push_back("temporary table");
  if (bits & kPinnedLock) out.push_back("lock held");
  if (bits & kPinnedDescriptor) out.push_back("explicit descriptor");
  if (bits & kPinnedCursor) out.push_back("cursor WITH HOLD");
  if (bits & kPinnedRealDriver) out.push_back("the other side not reachable with its credentials");
  return fmt::format("{}", fmt::join(out, ", "));
}

std::uint64_t less(std::uint64_t from, std::uint64_t what) {
  return from > what ? from - what : 0;
}

void collect_sessions(SegmentMap& map, Figures& out) {
  std::vector<std::pair<std::uint64_t, SessionLine>> writing;
  const std::uint64_t now = monotonic_ns();
  for (std::uint32_t i = 0; i < kSlotCount; ++i) {
    Slot& slot = map.slot(i);
    if (slot.state.load() != static_cast<std::uint32_t>(SlotState::active)) continue;
    if (slot.session_id.load() == out.state.replayer_session && out.replayer_alive) continue;
    if (map.liveness(i) == Liveness::dead) continue;
    ++out.sessions;
    const std::uint32_t pid = slot.pid.load();
    if (const std::uint32_t pinned = slot.pinned.load(); pinned != 0)
      out.pinned.push_back({pid, pinned_words(pinned)});
    if (slot.writing.load() == static_cast<std::uint32_t>(Writing::none)) continue;
    const std::uint64_t age_ms = less(now, slot.writing_since_ns.load()) / 1'000'000;
    writing.push_back({age_ms, {pid, fmt::format("has been writing for {} ms", age_ms)}});
  }
  std::sort(writing.begin(), writing.end(),
            [](const auto& a, const auto& b) { return a.first > b.first; });
  for (auto& [age, line] : writing) out.writing.push_back(std::move(line));
}

bool recording_over(const std::string& mode) {
  return mode == mode_word_of(Mode::invalid) || mode == mode_word_of(Mode::one_way);
}

void collect_disk(const Home& home, Figures& out) {
  struct statvfs disk {};
  if (::statvfs(home.journal().c_str(), &disk) == 0 || ::statvfs(home.root.c_str(), &disk) == 0)
    out.disk_free_bytes = std::uint64_t{disk.f_bavail} * disk.f_frsize;
}

bool has_backlog(Phase phase) {
  return phase >= Phase::copying && phase <= Phase::reversing;
}

}  // namespace

Figures collect_figures(SegmentMap* map, const Home& home, const State& state,
                        bool replayer_alive) {
  Figures out;
  out.state = state;
  out.replayer_alive = replayer_alive;
  out.divergences = state.divergence_count();
  out.uncaptured_writes = state.uncaptured + state.bypassed_rows();
  collect_disk(home, out);
  if (!map) return out;
  ControlHeader& header = map->header();
  out.journald_alive = map->locked_elsewhere(kLockJournald);
  out.mode = mode_word_of(mode_of(header.mode_word.load()));
  // Applied first: what is committed meanwhile then shows as backlog, never as less than nothing.
  out.applied = header.applied.load();
  out.journaled = header.journaled.load();
  // A process killed behind its seal has not counted it; journald has.
  out.sealed = std::max(header.sealed.load(), out.journaled);
  if (has_backlog(state.phase))
    out.backlog_transactions = less(out.sealed, state.sealed_at_alignment + out.applied);
  const std::int64_t since = state.oldest_unsettled_us;
  if (out.backlog_transactions > 0 && since > 0)
    out.backlog_seconds =
        static_cast<double>(std::max<std::int64_t>(0, wall_clock_us() - since)) / 1e6;
  out.in_doubt = less(header.in_doubt.load(), state.doubt_at_alignment);
  out.opaque = header.opaque.load();
  out.uncaptured_writes =
      std::max(state.uncaptured, less(header.uncaptured.load(), state.uncaptured_before)) +
      state.bypassed_rows();
  out.ring_used_bytes = less(header.tail.load(), header.head.load());
  out.journal_bytes = header.journal_bytes.load();
  out.lacks_room = out.journald_alive && header.lacks_room.load() != 0;
  if (const std::uint32_t kib = header.growth_kib.load(); out.journald_alive && kib > 0)
    out.seconds_to_full = static_cast<double>(out.disk_free_bytes) / (1024.0 * kib);
  collect_sessions(*map, out);
  return out;
}

Figures collect_figures(const Home& home) {
  const auto map = SegmentMap::open(home.root, home.name);
  if (!map.ok()) return collect_figures(nullptr, home, load_state(home), false);
  const bool alive = (*map)->locked_elsewhere(kLockReplayer);
  return collect_figures(map->get(), home, load_state(home), alive);
}

std::vector<std::string> alarms(const Figures& figures) {
  std::vector<std::string> out;
  if (!figures.journald_alive || recording_over(figures.mode)) return out;
  if (figures.lacks_room) {
    out.emplace_back(
        "the journal's disk is full; recording ends when the ring is full too: make room");
  } else if (figures.seconds_to_full && *figures.seconds_to_full < kFullSoonSeconds) {
    out.push_back(
        fmt::format("the journal's disk is full in {:.0f} s as the journal grows now: "
                    "make room",
                    *figures.seconds_to_full));
  } else if (figures.disk_free_bytes < kDiskLowBytes) {
    out.push_back(
        fmt::format("the journal's disk has {} bytes left: make room", figures.disk_free_bytes));
  }
  return out;
}

const std::vector<std::string>& guardrail_names(Way way) {
  static const std::vector<std::string> kThere = {
      "phase",    "journald",    "replayer",          "shadow",   "backlog",
      "in_doubt", "divergences", "uncaptured_writes", "verified", "sessions"};
  static const std::vector<std::string> kBack = {
      "phase",    "journald",    "replayer",          "production", "backlog",
      "in_doubt", "divergences", "uncaptured_writes", "verified",   "sessions"};
  return way == Way::back ? kBack : kThere;
}

std::vector<Guardrail> guardrails(const Home& home, const Figures& figures, Way way) {
  const State& state = figures.state;
  const bool back = way == Way::back;
  const std::string start = "run `understudy start " + home.name + "`";
  const std::string verify = "run `understudy verify " + home.name + "`";
  const std::string anew =
      back ? "stay on the shadow, and run `understudy complete " + home.name + "`"
           : "run `understudy cancel " + home.name + "` and begin a new migration";
  std::vector<Guardrail> out;
  const auto add = [&](const char* name, bool met, std::string value, std::string remedy) {
    out.push_back({name, met, std::move(value), met ? "" : std::move(remedy)});
  };
  const bool phase = back ? state.phase == Phase::switched && figures.mode == "switched"
                          : (state.phase == Phase::replaying || state.phase == Phase::ready) &&
                                figures.mode == "record";
  add("phase", phase, fmt::format("{}, drivers {}", phase_name(state.phase), figures.mode),
      !back                       ? "wait until the phase is replaying or ready"
      : figures.mode == "one_way" ? anew
                                  : "there is a way back in the phase switched only");
  add("journald", figures.journald_alive && !figures.lacks_room,
      !figures.journald_alive ? "does not run"
      : figures.lacks_room    ? "waits for room on its disk"
                              : "runs",
      figures.lacks_room ? "make room on the journal's disk" : start);
  add("replayer", figures.replayer_alive, figures.replayer_alive ? "runs" : "does not run", start);
  if (back) {
    const bool open = state.production_reachable && state.way_back.empty();
    add("production", open,
        open                     ? "reachable"
        : state.way_back.empty() ? "not reachable yet"
                                 : state.way_back,
        "see that production's server runs and that its account may create and write the table "
        "understudy_position");
  } else {
    add("shadow", state.shadow_reachable, state.shadow_reachable ? "reachable" : "not reachable",
        "see that the shadow's server runs");
  }
  add("backlog", figures.backlog_seconds <= kBacklogSecondsMax,
      fmt::format("{} transactions, {:.1f} s", figures.backlog_transactions,
                  figures.backlog_seconds),
      "wait until the replayer has caught up");
  add("in_doubt", figures.in_doubt == 0, std::to_string(figures.in_doubt),
      "wait until it is known how these transactions ended");
  add("divergences", figures.divergences == 0, std::to_string(figures.divergences),
      "see `understudy status --json`, correct the cause, then " + verify);
  std::vector<std::string> bypassed;
  for (const BypassedTable& table : state.bypassed)
    bypassed.push_back(fmt::format("{} rows of {} past the driver", table.rows, table.table));
  add("uncaptured_writes", figures.uncaptured_writes == 0,
      fmt::format("{}{}{}", figures.uncaptured_writes, bypassed.empty() ? "" : ": ",
                  fmt::join(bypassed, ", ")),
      bypassed.empty()
          ? anew
          : "see that every program that writes goes through the driver; then " + anew);
  if (!state.verified) {
    add("verified", false, "never", verify);
  } else {
    const bool fresh = wall_clock_us() - state.verified->at_us < kVerifiedFreshUs;
    add("verified", state.verified_clean() && fresh,
        fmt::format("{} rows compared, {} different{}", state.verified->rows_compared,
                    state.verified->rows_different, fresh ? "" : ", more than a day ago"),
        verify);
  }
  std::vector<std::string> pinned;
  for (const SessionLine& line : figures.pinned)
    pinned.push_back(fmt::format("process {} ({})", line.pid, line.why));
  add("sessions", pinned.empty(),
      pinned.empty() ? fmt::format("{}, all movable", figures.sessions)
                     : fmt::format("cannot be moved: {}", fmt::join(pinned, ", ")),
      "end what pins these sessions, or accept with --skip sessions that they must reconnect");
  return out;
}

}  // namespace understudy
