#include "replayer/migration/status.h"

#include <fmt/format.h>

#include <ctime>
#include <nlohmann/json.hpp>

namespace understudy {
namespace {

using nlohmann::json;

bool ended(Phase phase) {
  return phase == Phase::completed || phase == Phase::cancelled;
}

std::string next_step(const Home& home, const Figures& figures) {
  const auto command = [&](const char* verb) {
    return fmt::format("understudy {} {}", verb, home.name);
  };
  const State& state = figures.state;
  if (ended(state.phase)) return "";
  if (state.phase == Phase::invalid) return command("cancel");
  if (state.phase == Phase::switched && figures.mode == "one_way") return command("complete");
  if (!figures.journald_alive || !figures.replayer_alive)
    return command(state.phase == Phase::preflight ? "check" : "start");
  if (state.phase == Phase::replaying) return command("verify");
  if (state.phase == Phase::ready) return command("cutover");
  if (state.phase == Phase::switched) return command("complete");
  return command("status");
}

/// The state's reason, and what the state file cannot know: who has died.
std::string reason_of(const Figures& figures) {
  std::string out = figures.state.reason;
  const Phase phase = figures.state.phase;
  if (phase == Phase::preflight || ended(phase) || phase == Phase::invalid) return out;
  if (figures.mode == "invalid") out += "; recording has ended";
  if (figures.mode == "one_way") out += "; recording has ended, so there is no way back";
  if (!figures.journald_alive) out += "; journald does not run";
  if (!figures.replayer_alive) out += "; the replayer does not run";
  return out;
}

std::vector<std::string> blockers_of(const Home& home, const Figures& figures, Way way) {
  std::vector<std::string> out;
  for (const Guardrail& rail : guardrails(home, figures, way)) {
    if (!rail.met) out.push_back(rail.name + ": " + rail.value + "; " + rail.remedy);
  }
  return out;
}

json session_lines(const std::vector<SessionLine>& lines) {
  json out = json::array();
  for (const SessionLine& line : lines) out.push_back({{"pid", line.pid}, {"why", line.why}});
  return out;
}

json entered_phases(const State& state) {
  json out = json::array();
  for (const auto& [phase, at_us] : state.entered)
    out.push_back({{"into", phase}, {"at_us", at_us}});
  return out;
}

}  // namespace

json status_json(const Home& home, const Figures& figures) {
  const State& state = figures.state;
  const auto blockers = blockers_of(home, figures, Way::there);
  const auto reverse_blockers = blockers_of(home, figures, Way::back);
  json out = {{"name", home.name},
              {"phase", phase_name(state.phase)},
              {"reason", reason_of(figures)},
              {"can_cutover", blockers.empty()},
              {"blockers", blockers},
              {"can_reverse", reverse_blockers.empty()},
              {"reverse_blockers", reverse_blockers},
              {"sessions", figures.sessions},
              {"copied_rows", state.copied_rows},
              {"total_rows", state.total_rows},
              {"sealed", figures.sealed},
              {"journaled", figures.journaled},
              {"applied", figures.applied},
              {"backlog_transactions", figures.backlog_transactions},
              {"backlog_seconds", figures.backlog_seconds},
              {"in_doubt", figures.in_doubt},
              {"opaque", figures.opaque},
              {"divergences", figures.divergences},
              {"uncaptured_writes", figures.uncaptured_writes},
              {"ring_used_bytes", figures.ring_used_bytes},
              {"journal_bytes", figures.journal_bytes},
              {"disk_free_bytes", figures.disk_free_bytes},
              {"seconds_to_full", nullptr},
              {"alarms", alarms(figures)},
              {"rows_compared", state.verified ? state.verified->rows_compared : 0},
              {"rows_different", state.verified ? state.verified->rows_different : 0},
              {"last_hold_ms", state.last_hold_ms},
              {"alignment_ms", state.alignment_ms},
              {"mode", figures.mode},
              {"journald_alive", figures.journald_alive},
              {"replayer_alive", figures.replayer_alive},
              {"verified_at_us", state.verified ? state.verified->at_us : 0},
              {"applied_seq", state.settled_seq},
              {"pinned_sessions", session_lines(figures.pinned)},
              {"writing_sessions", session_lines(figures.writing)},
              {"entered", entered_phases(state)},
              {"next_step", next_step(home, figures)}};
  if (figures.seconds_to_full) out["seconds_to_full"] = *figures.seconds_to_full;
  out["divergence_report"] = json::array();
  for (const Divergence& one : state.divergences)
    out["divergence_report"].push_back({{"fingerprint", one.fingerprint},
                                        {"kind", one.kind},
                                        {"first_seq", one.first_seq},
                                        {"count", one.count}});
  out["uncaptured_report"] = json::array();
  for (const BypassedTable& one : state.bypassed)
    out["uncaptured_report"].push_back(
        {{"table", one.table}, {"rows", one.rows}, {"found_us", one.found_us}});
  out["timeline"] = json::array();
  for (const TimelineEntry& entry : state.timeline)
    out["timeline"].push_back({{"at_ms", entry.at_ms}, {"what", entry.what}});
  return out;
}

std::string status_text(const Home& home, const Figures& figures) {
  const State& state = figures.state;
  const Way way = way_of(state.phase);
  const auto blockers = blockers_of(home, figures, way);
  std::string out;
  const auto line = [&](const char* name, const std::string& value) {
    out += fmt::format("{:<12} {}\n", name, value);
  };
  line("migration", home.name);
  line("phase", fmt::format("{}: {}", phase_name(state.phase), reason_of(figures)));
  line("copied", fmt::format("{}/{} rows", state.copied_rows, state.total_rows));
  line("recorded",
       fmt::format("{} transactions, {} in the journal", figures.sealed, figures.journaled));
  line("replayed", fmt::format("{} transactions", figures.applied));
  line("backlog", fmt::format("{} transactions, {:.1f} s", figures.backlog_transactions,
                              figures.backlog_seconds));
  line("trouble",
       fmt::format("{} in doubt, {} divergences, {} uncaptured writes, {} opaque", figures.in_doubt,
                   figures.divergences, figures.uncaptured_writes, figures.opaque));
  for (const BypassedTable& one : state.bypassed)
    line("", fmt::format("{} rows of {} were written past the driver", one.rows, one.table));
  line("sessions", fmt::format("{}, {} with an open transaction that wrote", figures.sessions,
                               figures.writing.size()));
  for (const SessionLine& one : figures.writing)
    line("", fmt::format("process {} {}", one.pid, one.why));
  line("bytes",
       fmt::format("{} in the ring, {} in the journal, {} free on its disk",
                   figures.ring_used_bytes, figures.journal_bytes, figures.disk_free_bytes));
  line("verified", state.verified
                       ? fmt::format("{} rows compared, {} different",
                                     state.verified->rows_compared, state.verified->rows_different)
                       : "never");
  for (const std::string& alarm : alarms(figures)) line("ALARM", alarm);
  line("pauses", fmt::format("alignment {:.3f} ms, last hold {:.3f} ms", state.alignment_ms,
                             state.last_hold_ms));
  if (!ended(state.phase) && state.phase != Phase::invalid) {
    const char* no = way == Way::back ? "NOT POSSIBLE" : "not yet possible";
    line(way == Way::back ? "way back" : "cutover", blockers.empty() ? "possible" : no);
    for (const std::string& blocker : blockers) line("", blocker);
  }
  if (const std::string next = next_step(home, figures); !next.empty()) line("next", next);
  return out;
}

}  // namespace understudy
