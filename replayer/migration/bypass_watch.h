// The thread that looks for writers that go past the driver and write to production: beside the
// application while the migration is replaying to the shadow, beside the replayer while the shadow
// is in use and there is a way back. Its accounts begin anew at each turn.
//
// Every kBypassLookNs it reads what production counts as written (one query on a connection of its
// own), waits until the journal has been replayed past that moment, and compares the tables in
// which more was written than the journal explains, at a common point as `verify` takes it. Rows
// that differ there are told in the state, by table, and count as uncaptured writes; a clean
// `verify` later takes them back.
//
// What it cannot see: writes between two looks to a table that was written through the driver in
// between, on engines that tell only that something was written (docs/reference/status.md); writes
// while it did not run, or while production cannot be reached. `verify` finds those. Without a way
// back the sides have nothing in common that could be compared.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "replayer/migration/bypass.h"
#include "replayer/migration/databases.h"
#include "replayer/migration/migration.h"
#include "replayer/migration/worker.h"

namespace understudy {

inline constexpr std::uint64_t kBypassLookNs = 2 * kNsPerSecond;
/// After a comparison that found nothing the next one waits for this many times its duration, and
/// twice as long each time, up to kBypassPauseNsMax.
inline constexpr std::uint64_t kBypassPauseFactor = 20;
inline constexpr std::uint64_t kBypassPauseNsMax = 600 * kNsPerSecond;

class BypassWatch {
 public:
  BypassWatch(Migration& migration, Worker& worker);
  /// Ends the thread.
  ~BypassWatch();
  BypassWatch(const BypassWatch&) = delete;
  BypassWatch& operator=(const BypassWatch&) = delete;

  /// While it lives no comparison of this thread runs: one under way is given up. For commands.
  class Pause {
   public:
    explicit Pause(BypassWatch& watch);
    ~Pause();
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    BypassWatch& watch_;
  };

 private:
  void run();
  void look(const State& state);
  bool replayed_past(std::uint64_t ring_position);
  void compare(const std::vector<BypassAccounts::Suspicion>& suspected);
  bool rest(std::uint64_t ns);

  Migration& migration_;
  Worker& worker_;
  BypassAccounts accounts_;
  std::int64_t direction_at_us_ = 0;  // State's, of the accounts
  std::optional<Database> production_;
  bool told_ = false;  // that looking fails, since it last went well
  std::uint64_t compare_after_ns_ = 0;
  std::uint64_t pause_ns_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool ending_ = false;
  int pauses_ = 0;
  bool comparing_ = false;
  std::atomic<bool> give_up_{false};
  std::thread thread_;
};

}  // namespace understudy
