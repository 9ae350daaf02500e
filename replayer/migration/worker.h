// The thread that brings a migration forward: preflight, recording, aligning, copying, replaying;
// after the switch it replays back to production. It begins where the state file says it was.
// Errors end a phase with their reason in the state; while replaying, a lost target is tried again
// for as long as it takes, at growing intervals.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "replayer/apply/applier.h"
#include "replayer/apply/journal_feed.h"
#include "replayer/migration/bypass.h"
#include "replayer/migration/databases.h"
#include "replayer/migration/doubt.h"
#include "replayer/migration/migration.h"

namespace understudy {

inline constexpr std::uint64_t kIdleLookNs = 20'000'000;  // at the journal when nothing is new
inline constexpr std::uint64_t kWordsLookNs = kNsPerSecond / 4;  // for programs that cannot join
inline constexpr std::uint64_t kRetryNsMin = 100'000'000;        // of a lost shadow
inline constexpr std::uint64_t kRetryNsMax = 5 * kNsPerSecond;
inline constexpr std::uint64_t kHaltNs = 10 * kNsPerSecond;
inline constexpr std::uint64_t kJournaldStartNs = 10 * kNsPerSecond;

class Worker {
 public:
  explicit Worker(Migration& migration) : migration_(migration) {}

  /// The thread's body; returns when migration.stop is set.
  void run();

  // --- from other threads ---
  /// Begins or goes on after an error. `writers_wait_ns`: how long to wait for transactions that
  /// wrote before recording; 0: without limit.
  void start(std::vector<std::string> skip, std::uint64_t writers_wait_ns);
  /// The error that ended the last attempt, once; empty while it goes on.
  [[nodiscard]] std::string failure();
  /// Makes the worker stop at the marker with this id, everything before it committed on the
  /// target and every figure in the state. 0: lets it go on.
  void arm(std::uint64_t marker_id);
  /// The marker's journal position; nothing at the deadline, or when `give_up` is set and somebody
  /// wakes the waiter.
  std::optional<std::uint64_t> wait_reached(std::uint64_t marker_id, std::uint64_t deadline_ns,
                                            const std::atomic<bool>& give_up = kToTheEnd);
  /// The direction ended at the marker it stands at: it goes on as the state file says now.
  void turn();
  /// The migration has ended: applies nothing more. Returns when it has stopped, or after kHaltNs
  /// (a database may keep it).
  void halt();
  /// Wakes it, and who waits for it, to look at migration.stop and `give_up`.
  void wake();
  /// What it has applied or is about to.
  [[nodiscard]] const RecordedWrites& recorded() const { return recorded_; }
  /// Every transaction up to this journal position is in `recorded` and committed on the target;
  /// unlike `applied_seq` it counts the outcomes behind the last one, so that it catches up.
  [[nodiscard]] std::uint64_t replayed_seq() const { return replayed_seq_; }

 private:
  struct Replay;

  void advance_one_phase();
  void wait_for_start();
  void preflight();
  void begin_recording();
  void record();
  void align_and_copy();
  void replay(Way way);
  void replay_connected(Way way);
  std::uint64_t position_of_direction(Replay& replay);
  void lost_target(Way way, const std::string& why);
  bool replay_next(Replay& replay);
  void publish(Replay& replay, bool force);
  void settle_doubt(Replay& replay);
  void stand_at(std::uint64_t marker_id, std::uint64_t seq);
  bool is_armed(std::uint64_t marker_id);
  void check_mode();
  void check_way_back();
  std::string obstacle_of_way_back() const;
  void require_journald();
  void pause(std::uint64_t ns);

  static constexpr std::atomic<bool> kToTheEnd{false};

  Migration& migration_;
  RecordedWrites recorded_;
  std::atomic<std::uint64_t> replayed_seq_{0};
  std::optional<std::string> no_way_back_;  // by the schemas, looked at once; empty: there is
  std::mutex mutex_;
  std::condition_variable changed_;
  bool started_ = false;
  bool turned_ = false;
  bool halted_ = false;
  bool busy_ = false;
  std::vector<std::string> skip_;
  std::uint64_t writers_wait_ns_ = 0;
  std::string failure_;
  std::uint64_t armed_ = 0;
  std::uint64_t reached_ = 0;
  std::uint64_t reached_seq_ = 0;
  std::uint64_t retry_ns_ = kRetryNsMin;
  std::uint64_t words_looked_ns_ = 0;  // of the worker's own thread
};

/// Whether the worker acts in this phase without being told.
bool phase_goes_on(Phase phase);

}  // namespace understudy
