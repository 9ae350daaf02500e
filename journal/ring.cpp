#include "journal/ring.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>

#include "journal/mode.h"

namespace understudy {
namespace {

constexpr std::uint64_t kAlignment = 8;
constexpr std::uint64_t kRecordShare = 8;  // the largest record is this part of the ring

constexpr std::uint32_t word_of(RingState state) {
  return static_cast<std::uint32_t>(state);
}

std::uint64_t record_bytes(std::uint64_t payload_bytes) {
  return (sizeof(RingHeader) + payload_bytes + kAlignment - 1) / kAlignment * kAlignment;
}

bool valid_kind(std::uint32_t kind) {
  return kind >= static_cast<std::uint32_t>(RingKind::transaction) &&
         kind <= static_cast<std::uint32_t>(RingKind::abandon);
}

/// Fields that another process may be writing.
template <class T>
T load(T& field) {
  return std::atomic_ref<T>(field).load(std::memory_order_acquire);
}
template <class T>
void store(T& field, T value) {
  std::atomic_ref<T>(field).store(value, std::memory_order_release);
}

}  // namespace

Ring::Ring(SegmentMap& map) : map_(map), mask_(map.ring_bytes() - 1) {}

std::uint32_t Ring::payload_bytes_max() const {
  return static_cast<std::uint32_t>(map_.ring_bytes() / kRecordShare - sizeof(RingHeader));
}

RingHeader& Ring::header_at(std::uint64_t position) const {
  return *reinterpret_cast<RingHeader*>(map_.ring_data() + (position & mask_));
}

/// False when head and tail cannot be a ring's.
bool Ring::read_window(std::uint64_t* head, std::uint64_t* tail) const {
  ControlHeader& header = map_.header();
  for (;;) {
    const std::uint64_t head_before = header.head.load();
    *tail = header.tail.load();
    *head = header.head.load();
    if (*tail < head_before || *tail % kAlignment != 0 || *head % kAlignment != 0) return false;
    if (*head <= *tail) return *tail - *head <= map_.ring_bytes();
    // The consumer moved on between the two looks: the tail read is an old one.
    if (header.tail.load() < *head) return false;
  }
}

// --- producers ---

Result<Ring::Claim> Ring::claim(std::uint32_t slot, RingKind kind, std::uint64_t txn_id,
                                std::uint32_t payload_bytes, std::uint64_t deadline_ns) {
  if (slot >= kSlotCount || !valid_kind(static_cast<std::uint32_t>(kind)))
    return Status(Code::invalid, "a ring record needs a slot and a kind");
  if (payload_bytes > payload_bytes_max())
    return Status(Code::invalid, fmt::format("a ring record of {} bytes is over the limit of {}",
                                             payload_bytes, payload_bytes_max()));
  ControlHeader& header = map_.header();
  Slot& owner = map_.slot(slot);
  const std::uint64_t need = record_bytes(payload_bytes);
  for (;;) {
    const std::uint32_t space = header.space_wake.load();
    std::uint64_t head = 0;
    std::uint64_t tail = 0;
    if (!read_window(&head, &tail)) return broken(tail);
    const std::uint64_t to_end = map_.ring_bytes() - (tail & mask_);
    const std::uint64_t padding = need > to_end ? to_end : 0;
    if (tail - head + padding + need > map_.ring_bytes()) {
      const bool ended = recording_ended(mode_of(header.mode_word.load()));
      if (ended || monotonic_ns() >= deadline_ns ||
          !futex_wait_until(header.space_wake, space, deadline_ns))
        return Status(Code::full, fmt::format("the ring of {} bytes is full; {}", map_.ring_bytes(),
                                              header.lacks_room.load() != 0
                                                  ? "journald waits for room on its disk"
                                                  : "look whether journald runs"));
      continue;
    }
    // Sequentially consistent: who sees the moved tail sees the intent.
    owner.claim_intent.store(tail + 1);
    std::uint64_t expected = tail;
    if (!header.tail.compare_exchange_strong(expected, tail + padding + need)) {
      owner.claim_intent.store(0);
      continue;
    }
    if (padding != 0) {
      RingHeader& rest = header_at(tail);
      store(rest.length, static_cast<std::uint32_t>(padding));
      rest.state.store(word_of(RingState::padding), std::memory_order_release);
    }
    const std::uint64_t position = tail + padding;
    RingHeader& record = header_at(position);
    store(record.length, static_cast<std::uint32_t>(need));
    record.state.store(word_of(RingState::claimed), std::memory_order_release);
    store(record.slot, slot);
    store(record.txn_id, txn_id);
    store(record.payload_bytes, payload_bytes);
    store(record.session, static_cast<std::uint32_t>(owner.session_id.load()));
    store(record.kind, static_cast<std::uint32_t>(kind));
    owner.claim_intent.store(0);
    return Claim{position,
                 {map_.ring_data() + (position & mask_) + sizeof(RingHeader), payload_bytes}};
  }
}

void Ring::publish(const Claim& claim) {
  header_at(claim.position).state.store(word_of(RingState::prepared));
  wake_consumer();
}

void Ring::abort(const Claim& claim) {
  header_at(claim.position).state.store(word_of(RingState::padding));
  wake_consumer();
}

/// After a sequentially consistent store of what the consumer looks for: either it sees that, or
/// this sees it asleep.
void Ring::wake_consumer() {
  ControlHeader& header = map_.header();
  if (header.consumer_sleeping.load() == 0) return;
  header.consumer_wake.fetch_add(1);
  futex_wake_all(header.consumer_wake);
}

Status Ring::wait_durable(const Claim& claim, std::uint64_t deadline_ns) {
  ControlHeader& header = map_.header();
  for (;;) {
    const std::uint32_t seen = header.durable_wake.load();
    if (header.durable_position.load() > claim.position) return {};
    if (recording_ended(mode_of(header.mode_word.load())))
      return Status(Code::invalid, "recording ended before the transaction was on disk");
    if (monotonic_ns() >= deadline_ns || !futex_wait_until(header.durable_wake, seen, deadline_ns))
      return Status(Code::timeout,
                    "the transaction is not on disk yet; look whether journald runs");
  }
}

// --- the consumer ---

Status Ring::broken(std::uint64_t position) const {
  return Status(
      Code::corrupt,
      fmt::format("the ring does not hold together at position {} (head {}, tail {}); the "
                  "migration has to be started anew",
                  position, map_.header().head.load(), map_.header().tail.load()));
}

bool Ring::valid_length(std::uint64_t position, std::uint64_t tail, std::uint32_t length,
                        std::uint32_t bytes_min) const {
  return length % kAlignment == 0 && length >= bytes_min && length <= tail - position &&
         length <= map_.ring_bytes() / kRecordShare &&
         (position & mask_) + length <= map_.ring_bytes();
}

/// A live session may be about to write a header before `tail`. No lower bound: the head may
/// already have passed the padding that began its claim.
bool Ring::live_claim_before(std::uint64_t tail) const {
  for (std::uint32_t i = 0; i < kSlotCount; ++i) {
    const std::uint64_t intent = map_.slot(i).claim_intent.load();
    if (intent != 0 && intent - 1 < tail && map_.liveness(i) == Liveness::alive) return true;
  }
  return false;
}

/// Of a claimed record. A slot alone is not enough: it is used again after its session died.
bool Ring::producer_alive(RingHeader& record, std::uint64_t tail) const {
  if (load(record.kind) == 0) {
    if (live_claim_before(tail)) return true;
    // The kind is written before the intent is taken back: without both the producer is dead. With
    // a kind its claim has ended between the two looks.
    if (load(record.kind) == 0) return false;
  }
  const std::uint32_t index = load(record.slot);
  if (index >= kSlotCount) return false;
  Slot& slot = map_.slot(index);
  return slot.state.load() == static_cast<std::uint32_t>(SlotState::active) &&
         static_cast<std::uint32_t>(slot.session_id.load()) == load(record.session) &&
         map_.liveness(index) == Liveness::alive;
}

std::uint64_t Ring::zeros_end(std::uint64_t position, std::uint64_t tail) const {
  while (position < tail) {
    auto* word = reinterpret_cast<std::uint64_t*>(map_.ring_data() + (position & mask_));
    if (load(*word) != 0) break;
    position += kAlignment;
  }
  return position;
}

Result<Ring::Item> Ring::prepared_item(std::uint64_t position, std::uint64_t tail) {
  RingHeader& record = header_at(position);
  const std::uint32_t length = load(record.length);
  if (!valid_length(position, tail, length, sizeof(RingHeader))) return broken(position);
  const std::uint32_t kind = load(record.kind);
  const std::uint32_t slot = load(record.slot);
  const std::uint32_t payload_bytes = load(record.payload_bytes);
  if (!valid_kind(kind) || slot >= kSlotCount || record_bytes(payload_bytes) != length)
    return broken(position);
  return Item{static_cast<RingKind>(kind),
              slot,
              load(record.txn_id),
              position,
              position + length,
              {map_.ring_data() + (position & mask_) + sizeof(RingHeader), payload_bytes}};
}

/// The first readable record at or after `position`. *reached: everything before it has been
/// passed, as padding, as left by the dead.
Result<Ring::Item> Ring::item_at(std::uint64_t position, std::uint64_t* reached) {
  for (;;) {
    std::uint64_t head = 0;
    std::uint64_t tail = 0;
    *reached = position;
    if (!read_window(&head, &tail) || position < head || position > tail ||
        position % kAlignment != 0)
      return broken(position);
    if (position == tail) return Status(Code::end, "the ring is empty");
    RingHeader& record = header_at(position);
    const std::uint32_t state = record.state.load();
    if (state == word_of(RingState::prepared)) return prepared_item(position, tail);
    if (state > word_of(RingState::padding)) return broken(position);
    if (state == word_of(RingState::padding)) {
      const std::uint32_t length = load(record.length);
      if (!valid_length(position, tail, length, kPaddingBytesMin)) return broken(position);
      position += length;
      continue;
    }
    const bool claimed = state == word_of(RingState::claimed);
    if (claimed && !valid_length(position, tail, load(record.length), sizeof(RingHeader)))
      return broken(position);
    if (claimed ? producer_alive(record, tail) : live_claim_before(tail))
      return Status(Code::end, "the next record is still being written");
    // It may have written on between the look at the record and its death or the end of its claim.
    if (record.state.load() != state) continue;
    const std::uint32_t length = load(record.length);
    if (length == 0) {
      position = zeros_end(position, tail);
      continue;
    }
    if (!valid_length(position, tail, length, kPaddingBytesMin)) return broken(position);
    position += length;
  }
}

Result<Ring::Item> Ring::peek() {
  const std::uint64_t head = map_.header().head.load();
  std::uint64_t reached = head;
  Result<Item> item = item_at(head, &reached);
  // Freed here, or a ring full of what the dead left would stay full.
  if (reached > head && (item.ok() || item.status().code() == Code::end)) free_until(reached);
  return item;
}

Result<Ring::Item> Ring::peek_after(const Item& item) {
  std::uint64_t reached = 0;
  return item_at(item.next_position, &reached);
}

void Ring::consume(const Item& item) {
  free_until(item.next_position);
}

void Ring::free_until(std::uint64_t position) {
  ControlHeader& header = map_.header();
  std::uint64_t head = 0;
  std::uint64_t tail = 0;
  if (!read_window(&head, &tail) || position <= head || position > tail) return;
  const std::uint64_t first = std::min(position - head, map_.ring_bytes() - (head & mask_));
  std::memset(map_.ring_data() + (head & mask_), 0, first);
  std::memset(map_.ring_data(), 0, position - head - first);
  header.head.store(position);
  header.space_wake.fetch_add(1);
  futex_wake_all(header.space_wake);
}

void Ring::wait_for_data(std::uint64_t deadline_ns) {
  ControlHeader& header = map_.header();
  header.consumer_sleeping.store(1);
  const std::uint32_t seen = header.consumer_wake.load();
  std::uint64_t reached = 0;
  const Result<Item> item = item_at(header.head.load(), &reached);
  if (!item.ok() && item.status().code() == Code::end)
    futex_wait_until(header.consumer_wake, seen, deadline_ns);
  header.consumer_sleeping.store(0);
}

void Ring::gather(std::uint64_t deadline_ns) {
  ControlHeader& header = map_.header();
  futex_wait_until(header.consumer_wake, header.consumer_wake.load(), deadline_ns);
}

std::uint64_t Ring::used_bytes() const {
  std::uint64_t head = 0;
  std::uint64_t tail = 0;
  return read_window(&head, &tail) ? tail - head : map_.ring_bytes();
}

}  // namespace understudy
