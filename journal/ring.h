// The byte ring between the applications and journald: many producers, one consumer.
//
// A producer announces its intent in its slot, claims [position, position + length) by
// compare-and-swap on the tail, writes the header with state `claimed`, clears the intent, fills
// the payload, and publishes with state `prepared`. Ring order is the order of the claims. The
// consumer zeroes what it has read before it moves the head, so memory ahead of the tail is always
// zero. Within a header the length is written first and the kind last, so that the first word of a
// record is never zero once anything of it was written, and a kind says that the rest is there. A
// claim that does not fit before the end of the memory covers the rest of it with padding.
//
// A producer may die at any of these points. The consumer resolves only when Slot liveness says
// dead: `claimed` by a dead session is skipped (COMMIT was never sent); zeros where no live session
// has an intent inside [head, tail) are skipped up to the next non-zero word or the tail. Nothing
// is ever reclaimed by timeout. Byte table: docs/internals/control-page.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "journal/segment_map.h"
#include "journal/status.h"

namespace understudy {

enum class RingState : std::uint32_t { free = 0, claimed = 1, prepared = 2, padding = 3 };

enum class RingKind : std::uint32_t {
  transaction = 1,  // payload: encoded transaction, see record.h
  chunk = 2,        // part of a transaction too large for one record; not sealed yet
  outcome = 3,      // payload: encoded outcome
  marker = 4,       // payload: encoded marker
  abandon = 5,      // the chunks of this transaction are void; no payload
};

struct RingHeader {
  std::atomic<std::uint32_t> state;  // RingState
  std::uint32_t length;              // of the record with header, a multiple of 8
  std::uint32_t kind;                // RingKind
  std::uint32_t slot;                // of the producer
  std::uint64_t txn_id;
  std::uint32_t payload_bytes;
  std::uint32_t session;  // low half of the producer's session id: slots are used again
};
static_assert(sizeof(RingHeader) == 32);
inline constexpr std::uint32_t kPaddingBytesMin = 8;  // padding has only the first two fields

class Ring {
 public:
  explicit Ring(SegmentMap& map);

  struct Claim {
    std::uint64_t position = 0;
    std::span<std::byte> payload;
  };

  /// Largest payload of one record: an eighth of the ring less the header.
  [[nodiscard]] std::uint32_t payload_bytes_max() const;

  /// Claims a place. While the ring is full it waits for the consumer until `deadline_ns`, then
  /// Code::full. Code::invalid when payload_bytes is over the maximum. Thread safe; one claim at a
  /// time per slot.
  Result<Claim> claim(std::uint32_t slot, RingKind kind, std::uint64_t txn_id,
                      std::uint32_t payload_bytes, std::uint64_t deadline_ns);
  /// The payload is complete: makes the record readable and wakes a sleeping consumer.
  void publish(const Claim& claim);
  /// Turns a claimed record into padding.
  void abort(const Claim& claim);
  /// Waits until everything before `position` + 1 is on disk; Code::timeout at the deadline.
  Status wait_durable(const Claim& claim, std::uint64_t deadline_ns);

  // --- the consumer; one at a time, guarded by the lock byte kLockJournald ---
  struct Item {
    RingKind kind{};
    std::uint32_t slot = 0;
    std::uint64_t txn_id = 0;
    std::uint64_t position = 0;
    std::uint64_t next_position = 0;
    std::span<const std::byte> payload;  // valid until `consume`
  };
  /// The record at the head: Code::end when there is none yet (empty, or claimed by a live
  /// session), Code::corrupt when the bytes cannot be a record. Skips padding and what dead
  /// sessions left.
  Result<Item> peek();
  /// The record after `item` without consuming it (for batches); same codes.
  Result<Item> peek_after(const Item& item);
  /// Zeroes and frees everything up to item.next_position.
  void consume(const Item& item);
  /// Sleeps until something is published, at most until `deadline_ns`.
  void wait_for_data(std::uint64_t deadline_ns);
  /// Lets records gather until `deadline_ns`; producers do not pay for waking the consumer.
  void gather(std::uint64_t deadline_ns);
  [[nodiscard]] std::uint64_t used_bytes() const;

 private:
  Result<Item> item_at(std::uint64_t position, std::uint64_t* reached);
  [[nodiscard]] bool read_window(std::uint64_t* head, std::uint64_t* tail) const;
  [[nodiscard]] RingHeader& header_at(std::uint64_t position) const;
  [[nodiscard]] bool valid_length(std::uint64_t position, std::uint64_t tail, std::uint32_t length,
                                  std::uint32_t bytes_min) const;
  [[nodiscard]] bool live_claim_before(std::uint64_t tail) const;
  [[nodiscard]] bool producer_alive(RingHeader& record, std::uint64_t tail) const;
  [[nodiscard]] std::uint64_t zeros_end(std::uint64_t position, std::uint64_t tail) const;
  Result<Item> prepared_item(std::uint64_t position, std::uint64_t tail);
  [[nodiscard]] Status broken(std::uint64_t position) const;
  void free_until(std::uint64_t position);
  void wake_consumer();

  SegmentMap& map_;
  std::uint64_t mask_;
};

}  // namespace understudy
