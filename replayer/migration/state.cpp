#include "replayer/migration/state.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "journal/segment_map.h"
#include "replayer/migration/failure.h"

namespace understudy {

using nlohmann::json;

static void to_json(json& out, const VerifiedTable& table) {
  out = {{"table", table.table},
         {"rows_compared", table.rows_compared},
         {"missing", table.missing},
         {"extra", table.extra},
         {"different", table.different}};
}

static void from_json(const json& in, VerifiedTable& table) {
  in.at("table").get_to(table.table);
  in.at("rows_compared").get_to(table.rows_compared);
  in.at("missing").get_to(table.missing);
  in.at("extra").get_to(table.extra);
  in.at("different").get_to(table.different);
}

static void to_json(json& out, const Divergence& divergence) {
  out = {{"fingerprint", divergence.fingerprint},
         {"kind", divergence.kind},
         {"first_seq", divergence.first_seq},
         {"count", divergence.count}};
}

static void from_json(const json& in, Divergence& divergence) {
  in.at("fingerprint").get_to(divergence.fingerprint);
  in.at("kind").get_to(divergence.kind);
  in.at("first_seq").get_to(divergence.first_seq);
  in.at("count").get_to(divergence.count);
}

static void to_json(json& out, const BypassedTable& table) {
  out = {{"table", table.table}, {"rows", table.rows}, {"found_us", table.found_us}};
}

static void from_json(const json& in, BypassedTable& table) {
  in.at("table").get_to(table.table);
  in.at("rows").get_to(table.rows);
  in.at("found_us").get_to(table.found_us);
}

static void to_json(json& out, const TimelineEntry& entry) {
  out = {{"at_ms", entry.at_ms}, {"what", entry.what}};
}

static void from_json(const json& in, TimelineEntry& entry) {
  in.at("at_ms").get_to(entry.at_ms);
  in.at("what").get_to(entry.what);
}

void State::enter(Phase next, std::string why) {
  const bool final = phase == Phase::completed || phase == Phase::cancelled;
  if (final || (phase == Phase::invalid && next != Phase::cancelled)) return;
  reason = std::move(why);
  if (phase == next && !entered.empty()) return;
  phase = next;
  entered.emplace_back(phase_name(next), wall_clock_us());
  if (entered.size() > kPhasesEnteredMax) entered.erase(entered.begin());
}

std::uint64_t State::divergence_count() const {
  std::uint64_t out = 0;
  for (const Divergence& divergence : divergences) out += divergence.count;
  return out;
}

void State::found_bypassed(const std::string& table, std::uint64_t rows) {
  const auto known = std::find_if(bypassed.begin(), bypassed.end(),
                                  [&](const BypassedTable& one) { return one.table == table; });
  if (known != bypassed.end()) {
    known->rows = rows;
  } else {
    bypassed.push_back({table, rows, wall_clock_us()});
  }
}

std::uint64_t State::bypassed_rows() const {
  std::uint64_t out = 0;
  for (const BypassedTable& table : bypassed) out += table.rows;
  return out;
}

bool State::verified_clean() const {
  return verified && verified->rows_different == 0;
}

Phase State::phase_in_production() const {
  return verified_clean() && verified->at_us >= direction_at_us ? Phase::ready : Phase::replaying;
}

void State::turn(std::uint64_t seq, std::uint64_t uncaptured_now) {
  // What was accepted as different is different still.
  if (divergence_count() != 0 || uncaptured_now != uncaptured_before || !bypassed.empty())
    verified.reset();
  direction_seq = seq;
  direction_begun = false;
  direction_at_us = wall_clock_us();
  uncaptured_before = uncaptured_now;
  uncaptured = 0;
  divergences.clear();
  way_back.clear();
  (way_of(phase) == Way::back ? production_reachable : shadow_reachable) = false;
}

void State::outlive_restart() {
  constexpr char kWhy[] = "the host has restarted and recording goes on; compare again";
  verified.reset();
  enter(phase == Phase::ready || phase == Phase::verifying ? Phase::replaying : phase, kWhy);
}

std::string encode_state(const State& state) {
  json out = {{"version", kStateVersion},
              {"phase", phase_name(state.phase)},
              {"reason", state.reason},
              {"entered", state.entered},
              {"copy_begun", state.copy_begun},
              {"copied_rows", state.copied_rows},
              {"total_rows", state.total_rows},
              {"copying_table", state.copying_table},
              {"alignment_marker", state.alignment_marker},
              {"alignment_seq", state.alignment_seq},
              {"alignment_ms", state.alignment_ms},
              {"sealed_at_alignment", state.sealed_at_alignment},
              {"doubt_at_alignment", state.doubt_at_alignment},
              {"settled", state.settled},
              {"settled_seq", state.settled_seq},
              {"oldest_unsettled_us", state.oldest_unsettled_us},
              {"direction_seq", state.direction_seq},
              {"direction_begun", state.direction_begun},
              {"direction_at_us", state.direction_at_us},
              {"uncaptured_before", state.uncaptured_before},
              {"shadow_reachable", state.shadow_reachable},
              {"production_reachable", state.production_reachable},
              {"way_back", state.way_back},
              {"uncaptured", state.uncaptured},
              {"bypassed", state.bypassed},
              {"divergences", state.divergences},
              {"last_hold_ms", state.last_hold_ms},
              {"timeline", state.timeline},
              {"replayer_session", state.replayer_session},
              {"boot_id", state.boot_id},
              {"written_at_us", state.written_at_us}};
  if (state.verified)
    out["verified"] = {{"at_us", state.verified->at_us},
                       {"rows_compared", state.verified->rows_compared},
                       {"rows_different", state.verified->rows_different},
                       {"tables", state.verified->tables}};
  return out.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

State decode_state(const std::string& text) {
  const json in = json::parse(text);
  if (in.at("version").get<int>() != kStateVersion)
    throw std::runtime_error("written by another version of understudy");
  State out;
  const auto phase = phase_from_name(in.at("phase").get<std::string>());
  if (!phase) throw std::runtime_error("unknown phase");
  out.phase = *phase;
  in.at("reason").get_to(out.reason);
  in.at("entered").get_to(out.entered);
  in.at("copy_begun").get_to(out.copy_begun);
  in.at("copied_rows").get_to(out.copied_rows);
  in.at("total_rows").get_to(out.total_rows);
  in.at("copying_table").get_to(out.copying_table);
  in.at("alignment_marker").get_to(out.alignment_marker);
  in.at("alignment_seq").get_to(out.alignment_seq);
  in.at("alignment_ms").get_to(out.alignment_ms);
  in.at("sealed_at_alignment").get_to(out.sealed_at_alignment);
  in.at("doubt_at_alignment").get_to(out.doubt_at_alignment);
  in.at("settled").get_to(out.settled);
  in.at("settled_seq").get_to(out.settled_seq);
  in.at("oldest_unsettled_us").get_to(out.oldest_unsettled_us);
  in.at("direction_seq").get_to(out.direction_seq);
  in.at("direction_begun").get_to(out.direction_begun);
  in.at("direction_at_us").get_to(out.direction_at_us);
  in.at("uncaptured_before").get_to(out.uncaptured_before);
  in.at("shadow_reachable").get_to(out.shadow_reachable);
  in.at("production_reachable").get_to(out.production_reachable);
  in.at("way_back").get_to(out.way_back);
  in.at("uncaptured").get_to(out.uncaptured);
  in.at("bypassed").get_to(out.bypassed);
  in.at("divergences").get_to(out.divergences);
  in.at("last_hold_ms").get_to(out.last_hold_ms);
  in.at("timeline").get_to(out.timeline);
  in.at("replayer_session").get_to(out.replayer_session);
  out.boot_id = in.value("boot_id", std::string());
  in.at("written_at_us").get_to(out.written_at_us);
  if (!in.contains("verified")) return out;
  const json& verified = in.at("verified");
  out.verified.emplace();
  verified.at("at_us").get_to(out.verified->at_us);
  verified.at("rows_compared").get_to(out.verified->rows_compared);
  verified.at("rows_different").get_to(out.verified->rows_different);
  verified.at("tables").get_to(out.verified->tables);
  return out;
}

State load_state(const Home& home) {
  if (::access(home.state().c_str(), F_OK) != 0) return {};
  try {
    return decode_state(read_file(home.state()));
  } catch (const Failure&) {
    throw;
  } catch (const std::exception& error) {
    throw Failure(kExitFailed,
                  fmt::format("{} is damaged ({}); restore it, or cancel the migration "
                              "by removing {} while nothing runs",
                              home.state(), error.what(), home.folder()));
  }
}

StateFile::StateFile(const Home& home) : path_(home.state()), state_(load_state(home)) {}

State StateFile::get() const {
  const std::lock_guard guard(mutex_);
  return state_;
}

void StateFile::change(const std::function<void(State&)>& edit) {
  const std::lock_guard guard(mutex_);
  State next = state_;
  edit(next);
  write(std::move(next));
}

void StateFile::note(const std::function<void(State&)>& edit) {
  const std::lock_guard guard(mutex_);
  State next = state_;
  edit(next);
  if (wall_clock_us() - state_.written_at_us < kFigureIntervalUs) {
    state_ = std::move(next);
  } else {
    write(std::move(next));
  }
}

void StateFile::write(State next) {
  next.written_at_us = wall_clock_us();
  replace_file(path_, encode_state(next));
  state_ = std::move(next);
}

}  // namespace understudy
