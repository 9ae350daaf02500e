// A point that production's snapshot and the journal have in common: every transaction sealed
// before the marker is in the snapshot, none after it. Taken under the commit gate, which is closed
// only for as long as opening a snapshot takes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "replayer/migration/databases.h"
#include "replayer/migration/migration.h"

namespace understudy {

inline constexpr std::uint64_t kGateClosedNs = 2 * kNsPerSecond;  // of one attempt
inline constexpr int kGateAttemptsMax = 10;  // that a waiter or a COMMIT spoiled
inline constexpr std::uint64_t kDoubtWaitNs =
    60 * kNsPerSecond;  // for transactions in doubt to end

struct CommonPoint {
  std::uint64_t marker_id = 0;
  std::uint64_t seq_before = 0;  // the marker's journal position is behind this one
  std::uint64_t sealed = 0;      // transactions sealed before it since the page was made
  std::uint64_t in_doubt = 0;    // transactions in doubt when it was taken
  double gate_ms = 0;            // the gate was closed for so long
};

struct CommonPointOptions {
  MarkerKind kind = MarkerKind::common_point;
  /// Transactions in doubt do not matter: the caller knows that none can still become visible.
  bool doubt_allowed = false;
  /// So many in doubt lie before the alignment and have no part in this.
  std::uint64_t doubt_ignored = 0;
  /// Called with each attempt's marker id before the marker is written. May be empty.
  std::function<void(std::uint64_t)> announce;
  /// Called when transactions in doubt stand in the way, to settle them. May be empty.
  std::function<void()> settle;
  /// Told why it takes longer. May be empty.
  std::function<void(const std::string&)> waiting;
};

/// Leaves production inside its snapshot. Throws Failure (1) with the reason when the attempts are
/// used up, odbc::Error when production refuses; the gate is open again either way.
CommonPoint take_common_point(Migration& migration, const Database& production,
                              const CommonPointOptions& options);

/// The journal position of a marker. Throws Failure (3) when it is not written within
/// kJournaldWaitNs.
std::uint64_t find_marker(Migration& migration, const CommonPoint& point);

}  // namespace understudy
