// The one authoritative account of a migration: state.json. Only the holder of kLockReplayer writes
// it, so it is never contradicted. Keys: docs/reference/status.md.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "journal/mode.h"
#include "replayer/apply/applier.h"
#include "replayer/migration/home.h"
#include "replayer/migration/way.h"

namespace understudy {

struct VerifiedTable {
  std::string table;
  std::uint64_t rows_compared = 0;
  std::uint64_t missing = 0;
  std::uint64_t extra = 0;
  std::uint64_t different = 0;
};

struct Verified {
  std::int64_t at_us = 0;  // wall clock
  std::uint64_t rows_compared = 0;
  std::uint64_t rows_different = 0;
  std::vector<VerifiedTable> tables;
};

/// Rows of a table that were written past the driver.
struct BypassedTable {
  std::string table;
  std::uint64_t rows = 0;
  std::int64_t found_us = 0;  // wall clock, the first time
};

struct TimelineEntry {
  double at_ms = 0;  // since the cutover began
  std::string what;
};

inline constexpr int kStateVersion = 2;
inline constexpr std::size_t kPhasesEnteredMax = 256;  // the oldest are forgotten

struct State {
  Phase phase = Phase::preflight;
  std::string reason = "created, not started";
  std::vector<std::pair<std::string, std::int64_t>> entered;  // phase, wall clock in us

  bool copy_begun = false;  // rows on the shadow are ours: a restart may empty its tables
  std::uint64_t copied_rows = 0;
  std::uint64_t total_rows = 0;
  std::string copying_table;

  std::uint64_t alignment_marker = 0;
  std::uint64_t alignment_seq = 0;
  double alignment_ms = 0;                // the gate was closed
  std::uint64_t sealed_at_alignment = 0;  // transactions that are in the snapshot
  std::uint64_t doubt_at_alignment = 0;   // in doubt before it; the snapshot holds their truth
  std::uint64_t settled = 0;              // transactions behind the alignment, applied or void
  std::uint64_t settled_seq = 0;          // journal position that `settled` counts up to
  std::int64_t oldest_unsettled_us = 0;   // when the oldest of the backlog was sealed; 0: none

  // The present direction: to the shadow, or after the switch back to production. See way.h.
  std::uint64_t direction_seq = 0;      // what lies behind this journal position goes that way
  bool direction_begun = true;          // the target's position is of this direction
  std::int64_t direction_at_us = 0;     // when it was decided; 0: at the alignment
  std::uint64_t uncaptured_before = 0;  // of the control page's count, in directions before

  bool shadow_reachable = false;
  bool production_reachable = false;  // to apply to; known while the shadow is in use
  std::string way_back;               // why there is none, or not now; empty: there is
  std::uint64_t uncaptured = 0;
  std::vector<BypassedTable> bypassed;  // found since the last clean comparison
  std::vector<Divergence> divergences;
  std::optional<Verified> verified;
  double last_hold_ms = 0;
  std::vector<TimelineEntry> timeline;  // of the last cutover
  std::uint64_t replayer_session = 0;   // not one of the application's
  std::string boot_id;                  // of the host, when a replayer began last
  std::int64_t written_at_us = 0;

  /// Enters a phase; the same phase again only changes the reason. Nothing leaves `completed` or
  /// `cancelled`, and only `cancelled` follows `invalid`, whichever thread comes late.
  void enter(Phase next, std::string why);
  [[nodiscard]] std::uint64_t divergence_count() const;
  /// So many rows of the table differ now.
  void found_bypassed(const std::string& table, std::uint64_t rows);
  [[nodiscard]] std::uint64_t bypassed_rows() const;
  /// Rows were compared, none differed.
  [[nodiscard]] bool verified_clean() const;
  /// The phase while production is in use and nothing else goes on: `ready` after a clean
  /// comparison in this direction.
  [[nodiscard]] Phase phase_in_production() const;
  /// What the host that went down may have taken from production is not in the journal: rows are to
  /// be compared again.
  void outlive_restart();
  /// The phase has just been entered in which transactions behind this position go the other way
  /// than before; figures of troubles begin anew. `uncaptured_now` is the control page's count.
  void turn(std::uint64_t seq, std::uint64_t uncaptured_now);
};

/// Throws std::runtime_error when the text is no state of this version.
State decode_state(const std::string& text);
std::string encode_state(const State& state);
/// The state on disk, or the first one when nothing was written yet. Throws Failure (3).
State load_state(const Home& home);

/// Thread safe.
class StateFile {
 public:
  /// Reads what is there. The caller holds kLockReplayer.
  explicit StateFile(const Home& home);
  [[nodiscard]] State get() const;
  /// Changes and writes it; durable when this returns. Throws Failure (3) with the state in memory
  /// as it was.
  void change(const std::function<void(State&)>& edit);
  /// Changes figures; written at most every kFigureIntervalUs.
  void note(const std::function<void(State&)>& edit);

  static constexpr std::int64_t kFigureIntervalUs = 500'000;

 private:
  void write(State next);

  mutable std::mutex mutex_;
  std::string path_;
  State state_;
};

}  // namespace understudy
