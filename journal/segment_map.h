// Opening the shared-memory segment of a migration, and who of its users is alive.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "journal/control_page.h"
#include "journal/status.h"

namespace understudy {

/// `$UNDERSTUDY_HOME`, or /var/lib/understudy; without a trailing slash.
std::string understudy_home();
/// A migration's name: 1 to 64 of [A-Za-z0-9._-], not beginning with a dot.
bool valid_migration_name(std::string_view name);
/// POSIX shared-memory name: of the home's path (hashed) and the migration's name.
std::string segment_name(std::string_view home, std::string_view migration);

enum class Liveness { alive, dead };

inline constexpr std::uint64_t kCreatorWaitNs =
    2'000'000'000;  // for a creator that is still writing

/// Why recording has ended in a segment that is made while the shadow is in use.
inline constexpr std::string_view kNewSharedMemory =
    "the shared memory is new, as after a restart of the host";

/// One mapping of one migration's segment. One per process and migration: a second open returns the
/// same mapping. Closing any descriptor of a file drops all of the process's byte-range locks on
/// it, also those of another copy of this code in the same process (the two driver libraries), so
/// the descriptor is closed only when the file has lost its name, at an open after that; a later
/// open uses it again. All functions may be called from any thread.
class SegmentMap {
 public:
  /// Opens the segment, or creates it (owner, group and mode: access.h) with a ring of
  /// `ring_bytes` (power of two). A new one is idle, or in mode one_way with the reason
  /// kNewSharedMemory where the shadow was in use when shared memory was lost (side_in_use). Where
  /// recording goes on after a restart of the host (durable_recording.h) it records.
  /// Bounds, magic, version and layout hash are checked before use. Waits at most 2 s for a creator
  /// that is still writing the header; a creator that died is replaced under the lock kLockCreate.
  static Result<std::shared_ptr<SegmentMap>> open_or_create(
      const std::string& home, const std::string& migration,
      std::uint64_t ring_bytes = kRingBytesDefault);
  /// Code::not_found when there is none, or one that its creator left unfinished.
  static Result<std::shared_ptr<SegmentMap>> open(const std::string& home,
                                                  const std::string& migration);
  /// Removes the segment's name; no such name is success. Existing mappings stay valid.
  static Status remove(const std::string& home, const std::string& migration);

  /// Reserves the memory of the ring, which `open_or_create` leaves untouched so that a data source
  /// that is never migrated costs half a MiB. Before the first mode that records. Code::io with a
  /// remedy when /dev/shm is too small.
  Status reserve_ring();

  ~SegmentMap();
  SegmentMap(const SegmentMap&) = delete;
  SegmentMap& operator=(const SegmentMap&) = delete;

  [[nodiscard]] ControlHeader& header();
  [[nodiscard]] Slot& slot(std::uint32_t index);  // index < kSlotCount
  [[nodiscard]] std::byte* ring_data();
  [[nodiscard]] std::uint64_t ring_bytes() const;  // as checked at open, not as the page says now

  /// Takes a byte of the lock file without waiting. Code::full when another process has it, or this
  /// process already took it through this mapping. Destroying the mapping gives it back.
  Status lock(std::uint64_t byte);
  void unlock(std::uint64_t byte);
  /// Whether any *other* process holds the byte.
  [[nodiscard]] bool locked_elsewhere(std::uint64_t byte);

  /// Claims a free slot, locks its byte, fills in this process and marks it active.
  /// Code::full at kSlotCount connections.
  Result<std::uint32_t> register_session();
  void unregister_session(std::uint32_t index);
  /// Dead only if the slot's byte is unlocked *and* no process with the recorded pid and start time
  /// exists (a program that closes all descriptors loses its locks but lives). The pid is believed
  /// only inside the same pid namespace. A stopped process is alive.
  [[nodiscard]] Liveness liveness(std::uint32_t index);
  /// Whether the calling process registered this session. False in a forked child: it must register
  /// its own and leave the parent's alone.
  [[nodiscard]] bool owned_by_this_process(std::uint32_t index);
  /// Frees the slot of a dead session, under its byte lock so that nobody takes it meanwhile. False
  /// when the session lives after all. For journald, once the session's transaction is resolved.
  bool release_dead(std::uint32_t index);

  /// Sets mode `invalid` with a reason, once; the first reason stays. Opens a closed commit gate
  /// (the closer's `open` then fails) and wakes everyone who waits. Waits for nobody, and for the
  /// disk only where recording is to outlive the host (durable_recording.h). In `switching`
  /// and `switched` only the reason is recorded: the decision has been made, and sessions must not
  /// fall back to production silently.
  void invalidate(std::string_view reason);
  /// Empty when there is none, or when its writer died in the middle of it.
  [[nodiscard]] std::string reason();

 private:
  SegmentMap();
  static Result<std::shared_ptr<SegmentMap>> attach(const std::string& home,
                                                    const std::string& migration, bool create,
                                                    std::uint64_t ring_bytes);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// CLOCK_MONOTONIC in nanoseconds.
std::uint64_t monotonic_ns();
/// Wall clock in microseconds since 1970.
std::int64_t wall_clock_us();
/// Waits while `*word == expected`, at most until `deadline_ns` (monotonic; 0: not at all). Shared
/// between processes. Returns false when the deadline passed; may return early (spurious).
bool futex_wait_until(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                      std::uint64_t deadline_ns);
void futex_wake_all(std::atomic<std::uint32_t>& word);

}  // namespace understudy
