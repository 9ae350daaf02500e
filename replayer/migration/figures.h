// The figures of `status`, read from the control page and the state file: they are there whether or
// not the migration's processes run. And the guardrails of cutover and reverse, judged from the
// same figures.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "journal/segment.h"
#include "journal/segment_map.h"
#include "replayer/migration/home.h"
#include "replayer/migration/state.h"

namespace understudy {

struct SessionLine {
  std::uint32_t pid = 0;
  std::string why;
};

struct Figures {
  State state;
  bool journald_alive = false;
  bool replayer_alive = false;
  std::string mode = "none";  // what drivers are told; "none" without shared memory
  std::uint64_t sessions = 0;
  std::uint64_t sealed = 0, journaled = 0, applied = 0;  // transactions
  std::uint64_t backlog_transactions = 0;
  double backlog_seconds = 0;
  std::uint64_t in_doubt = 0, opaque = 0, divergences = 0, uncaptured_writes = 0;
  std::uint64_t ring_used_bytes = 0, journal_bytes = 0;
  std::uint64_t disk_free_bytes = 0;      // where the journal is
  std::optional<double> seconds_to_full;  // of that disk, as the journal grows now
  bool lacks_room = false;                // journald waits for room on that disk
  std::vector<SessionLine> pinned;        // sessions that cannot be moved
  std::vector<SessionLine> writing;       // the open transactions that wrote, longest first
};

/// `map` may be null: no shared memory. `replayer_alive` is what the caller knows or found out.
Figures collect_figures(SegmentMap* map, const Home& home, const State& state, bool replayer_alive);
/// From outside the replayer process.
Figures collect_figures(const Home& home);

inline constexpr double kFullSoonSeconds = 3600;
inline constexpr std::uint64_t kDiskLowBytes = 4 * kSegmentBytesDefault;

/// What wants an operator before it becomes a blocker, a line each.
std::vector<std::string> alarms(const Figures& figures);

struct Guardrail {
  std::string name;
  bool met = false;
  std::string value;
  std::string remedy;  // when it is not met
};

inline constexpr double kBacklogSecondsMax = 5;
inline constexpr std::int64_t kVerifiedFreshUs = 24ll * 3600 * 1'000'000;

/// Of `cutover` (there) or `reverse` (back).
std::vector<Guardrail> guardrails(const Home& home, const Figures& figures, Way way = Way::there);
const std::vector<std::string>& guardrail_names(Way way = Way::there);

}  // namespace understudy
