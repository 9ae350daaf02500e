// Layout of the shared-memory segment of a migration: header, session slots, byte ring.
//
// Every process that maps it agrees on these offsets; the layout hash in the header refuses a
// process built from another version. No pointers, no locks: fixed-width atomics only. All times
// are CLOCK_MONOTONIC nanoseconds unless the name says otherwise. Byte table:
// docs/internals/control-page.md.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace understudy {

inline constexpr char kControlMagic[8] = {'U', 'N', 'D', 'R', 'S', 'T', 'D', 'Y'};
inline constexpr std::uint32_t kControlVersion = 2;
inline constexpr std::uint32_t kSlotCount = 4096;              // connections per migration
inline constexpr std::uint64_t kRingBytesDefault = 64u << 20;  // a power of two
inline constexpr std::uint64_t kRingBytesMin = 64u << 10;
inline constexpr std::uint64_t kRingBytesMax = 4ull << 30;
inline constexpr std::size_t kReasonBytes = 256;

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

enum class SlotState : std::uint32_t { free = 0, claimed = 1, active = 2 };

/// What the session's open transaction has done to production.
enum class Writing : std::uint32_t {
  none = 0,
  unrecorded = 1,  // it wrote while nothing was recorded; `start` waits for its end
  recorded = 2,    // it writes under capture; a hold waits for its end
};

/// Why a session cannot be moved to the other side; bits of Slot::pinned.
enum PinnedBit : std::uint32_t {
  kPinnedTemporaryTable = 1u << 0,
  kPinnedLock = 1u << 1,
  kPinnedDescriptor = 1u << 2,
  kPinnedRealDriver =
      1u << 3,  // the other side could not be reached with the application's credentials
  kPinnedCursor = 1u << 4,  // one that outlives its transaction
};

enum class SlotRoute : std::uint32_t {
  production = 0,
  prepared = 1,  // on production, the shadow's connection open
  shadow = 2,
  prepared_back = 3,  // on the shadow, production's connection open
};

/// One connection. Written by its session; cleared by journald when the session's process is dead.
struct alignas(128) Slot {
  std::atomic<std::uint32_t> state;          // SlotState
  std::atomic<std::uint32_t> pid;            // as the session's own pid namespace numbers it
  std::atomic<std::uint64_t> start_time;     // field 22 of /proc/self/stat, clock ticks since boot
  std::atomic<std::uint64_t> pid_namespace;  // inode of /proc/self/ns/pid
  std::atomic<std::uint64_t> session_id;
  std::atomic<std::uint32_t> in_flight;     // 1 from passing the commit gate to the outcome
  std::atomic<std::uint32_t> writing;       // Writing
  std::atomic<std::uint64_t> claim_intent;  // ring position + 1 of a claim being made; 0: none
  std::atomic<std::uint64_t> in_flight_txn;
  std::atomic<std::uint64_t> sealed;  // transactions sealed by this session
  std::atomic<std::uint32_t> route;   // SlotRoute
  std::atomic<std::uint32_t> pinned;  // PinnedBit
  std::atomic<std::uint64_t> writing_since_ns;
  std::atomic<std::uint64_t> last_call_ns;
  std::atomic<std::uint32_t> in_call;  // 1 while the application is inside the driver to write
  std::atomic<std::uint32_t> reserved;
};
static_assert(sizeof(Slot) == 128);
static_assert(offsetof(Slot, in_flight) == 32 && offsetof(Slot, claim_intent) == 40);

struct ControlHeader {
  // 0: identity, written once before `ready`
  char magic[8];
  std::uint32_t version;
  std::uint32_t layout_hash;
  std::uint64_t segment_bytes;
  std::uint64_t slots_offset;
  std::uint64_t ring_offset;
  std::uint64_t ring_bytes;
  std::uint32_t slot_count;
  std::atomic<std::uint32_t> ready;  // 1 when the fields above are valid
  char boot_id[40];                  // kernel's random boot id, a zero-terminated string

  // 128: what drivers look at on every transaction
  alignas(64) std::atomic<std::uint32_t> mode_word;  // futex; see mode.h
  std::atomic<std::uint32_t> commit_gate;            // futex; odd: closed, value is a token
  std::atomic<std::uint64_t> gate_deadline_ns;       // after it any waiter may open the gate
  std::atomic<std::uint64_t> hold_deadline_ns;       // after it any waiter may end the hold
  std::atomic<std::uint32_t> catalog_generation;     // grows when the catalog file was replaced
  std::atomic<std::uint32_t> prepare_route;          // 1: sessions connect to the other side
  std::atomic<std::uint64_t> next_session_id;
  std::atomic<std::uint32_t> gate_clear;        // futex; bumped when a mark is cleared
  std::atomic<std::uint32_t> durability_power;  // 1: COMMIT waits for durable_position

  // 192: producers
  alignas(64) std::atomic<std::uint64_t> tail;  // ring position: claimed up to here
  // 256: consumer
  alignas(64) std::atomic<std::uint64_t> head;  // ring position: consumed and zeroed up to here
  std::atomic<std::uint64_t> durable_position;  // ring position: on disk up to here
  std::atomic<std::uint32_t> durable_wake;      // futex; bumped with durable_position
  std::atomic<std::uint32_t> space_wake;        // futex; bumped when head moved
  std::atomic<std::uint64_t> journald_beat_ns;  // last sign of life
  // 320: wake-up of the consumer
  alignas(64) std::atomic<std::uint32_t> consumer_sleeping;
  std::atomic<std::uint32_t> consumer_wake;  // futex

  // 384: figures
  alignas(64) std::atomic<std::uint64_t> sealed;  // transactions
  std::atomic<std::uint64_t> journaled;           // transactions
  std::atomic<std::uint64_t> journaled_seq;       // journal sequence number written
  std::atomic<std::uint64_t> durable_seq;         // journal sequence number on disk
  std::atomic<std::uint64_t> opaque;              // statements
  std::atomic<std::uint64_t> uncaptured;          // statements that could not be recorded
  std::atomic<std::uint64_t> tainted;             // transactions probed after an error
  std::atomic<std::uint64_t> in_doubt;            // transactions; kept by journald and replayer
  alignas(64) std::atomic<std::uint64_t> journal_bytes;
  std::atomic<std::uint64_t> hold_waits;
  std::atomic<std::uint64_t> hold_wait_ns_max;
  std::atomic<std::uint64_t> applied_seq;
  std::atomic<std::uint64_t> applied;       // transactions
  std::atomic<std::uint32_t> reason_state;  // 0 empty, 1 being written, 2 readable
  std::atomic<std::uint32_t> lacks_room;    // futex; 1: journald waits for room on its disk
  char reason[kReasonBytes];                // why the mode is `invalid`
  std::atomic<std::uint32_t> ring_number;   // journald's name for this ring; 0: not given yet
  std::atomic<std::uint32_t> growth_kib;    // of the journal, per second
};
static_assert(offsetof(ControlHeader, mode_word) == 128);
static_assert(offsetof(ControlHeader, tail) == 192);
static_assert(offsetof(ControlHeader, head) == 256);
static_assert(offsetof(ControlHeader, consumer_sleeping) == 320);
static_assert(offsetof(ControlHeader, sealed) == 384);
static_assert(sizeof(ControlHeader) <= 4096);

inline constexpr std::uint64_t kSlotsOffset = 4096;
inline constexpr std::uint64_t kRingOffset = kSlotsOffset + kSlotCount * sizeof(Slot);

// Byte-range locks on the segment's own file. The kernel drops them when their process dies.
inline constexpr std::uint64_t kLockJournald = 1ull << 40;
inline constexpr std::uint64_t kLockReplayer = (1ull << 40) + 1;
inline constexpr std::uint64_t kLockCreate = (1ull << 40) + 2;
inline constexpr std::uint64_t kLockSlot0 = 1ull << 41;  // + slot index

}  // namespace understudy
