#include "replayer/migration/progress.h"

#include <fmt/format.h>

#include "journal/segment_map.h"

namespace understudy {
namespace {

std::string minutes(double seconds) {
  const auto whole = static_cast<std::uint64_t>(seconds);
  return fmt::format("{:02}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

}  // namespace

std::string ProgressLine::text(const Figures& figures) {
  const State& state = figures.state;
  const std::uint64_t now = monotonic_ns();
  if (began_ns_ == 0) began_ns_ = now;
  if (copy_began_ns_ == 0 && state.phase == Phase::copying) copy_began_ns_ = now;
  const double total = static_cast<double>(state.total_rows);
  const double copied = static_cast<double>(state.copied_rows);
  const double share = total > 0 ? std::min(1.0, copied / total) : 0;
  std::string out =
      fmt::format("copied {}/{} {:.1f}%; recorded {}; replayed {}; backlog {} ({:.1f} s)",
                  state.copied_rows, state.total_rows, 100 * share, figures.sealed, figures.applied,
                  figures.backlog_transactions, figures.backlog_seconds);
  const double copying_s = static_cast<double>(now - copy_began_ns_) / 1e9;
  const bool copying = state.phase == Phase::copying && copying_s > 0;
  if (copying) out += fmt::format("; {:.0f} rows/s", copied / copying_s);
  out += "; " + minutes(static_cast<double>(now - began_ns_) / 1e9);
  if (copying && share >= kEtaFrom) out += ", ETA " + minutes(copying_s / share - copying_s);
  return out + fmt::format("; {}: {}", phase_name(state.phase), state.reason);
}

}  // namespace understudy
