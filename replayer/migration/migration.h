// What the threads of the replayer process share: the migration's files, its segment, and the means
// to put records of its own into the ring.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "journal/record.h"
#include "journal/ring.h"
#include "journal/segment.h"
#include "journal/segment_map.h"
#include "replayer/migration/home.h"
#include "replayer/migration/settings.h"
#include "replayer/migration/state.h"

namespace understudy {

inline constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
inline constexpr std::uint64_t kRingWaitNs = 5 * kNsPerSecond;  // for room in the ring
inline constexpr std::uint64_t kJournaldWaitNs =
    30 * kNsPerSecond;  // for a record to reach the disk

/// Holds kLockReplayer for its life. The methods are thread safe.
class Migration {
 public:
  /// Opens or creates the segment. Throws Failure (1) when another process acts on the migration.
  explicit Migration(Home home);
  ~Migration();
  Migration(const Migration&) = delete;
  Migration& operator=(const Migration&) = delete;

  [[nodiscard]] ControlHeader& header() { return map->header(); }
  [[nodiscard]] Mode mode() { return mode_of(header().mode_word.load()); }
  /// One change of mode by compare-and-swap; false when the mode is not `from`.
  bool change_mode(Mode from, Mode to);

  static std::uint64_t random_id();
  /// Puts a marker into the ring. Throws Failure (3) when the ring stays full.
  void append_marker(std::uint64_t id, MarkerKind kind);
  void append_outcome(std::uint64_t txn_id, Outcome outcome);

  [[nodiscard]] bool journald_alive() { return map->locked_elsewhere(kLockJournald); }
  /// Take the token, look into the journal, then wait: nothing written in between is missed.
  [[nodiscard]] std::uint32_t journal_token() { return header().space_wake.load(); }
  void wait_for_journal(std::uint32_t token, std::uint64_t ns_max);
  /// With durability = power, before a position is remembered: a restart of the host cuts the
  /// journal off behind what is on disk, and what is written then must lie behind the position.
  /// Waits kJournaldWaitNs at most. Throws Failure (3).
  void require_durable(std::uint64_t seq);
  /// Of the slot that this process took for its own records.
  [[nodiscard]] std::uint64_t session_id() { return map->slot(slot_).session_id.load(); }

  /// The keys of the journal, read when they are first needed; null: it is not encrypted. Throws
  /// Failure (3).
  std::shared_ptr<const JournalKeys> journal_keys();
  /// They do not fit: they are read anew when they are needed next.
  void forget_journal_keys();
  /// Throws Failure (3) when there is no journal or no key.
  std::unique_ptr<JournalReader> open_journal();

  const Home home;
  const Settings settings;
  const std::shared_ptr<SegmentMap> map;
  std::atomic<bool> stop{false};

 private:
  void append(RingKind kind, std::uint64_t txn_id, const std::vector<std::byte>& payload);

  Ring ring_;
  std::mutex ring_mutex_;  // one claim at a time per slot
  std::mutex keys_mutex_;
  std::shared_ptr<const JournalKeys> keys_;
  std::uint32_t slot_ = 0;

 public:
  std::optional<StateFile> state;  // read once the lock is held
};

}  // namespace understudy
