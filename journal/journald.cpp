#include "journal/journald.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "journal/abandoned.h"
#include "journal/mode.h"
#include "journal/record.h"
#include "journal/ring.h"
#include "journal/segment.h"
#include "journal/segment_map.h"

namespace understudy {
namespace {

constexpr std::uint64_t kNsPerMs = 1'000'000;
constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
constexpr std::uint64_t kWaitNsMax = kNsPerSecond;
constexpr std::uint64_t kBatchBytesMax = 1u << 20;
constexpr std::uint32_t kBatchRecordsMax = 1024;
constexpr std::uint32_t kNoSlot = kSlotCount;
// Records that come within this time share one write and no producer pays for a wake-up: with
// thousands of transactions a second, waking for each cost more than writing them.
constexpr std::uint64_t kGatherNs = kNsPerMs;
// Between looks at whether the sessions of open transactions live; all slots: each second.
constexpr std::uint64_t kLookNs = 10 * kNsPerMs;
// Between tries to make the next segment on a full disk: nothing tells when others make room.
constexpr std::uint64_t kRoomLookNs = 200 * kNsPerMs;
constexpr std::uint64_t kGrowthSeconds = 8;  // that the figure looks back on

/// A transaction in the journal whose outcome has not come, or one of which there are only chunks.
struct OpenTransaction {
  std::uint64_t session_id = 0;
  std::uint32_t slot = kNoSlot;
  bool sealed = false;
};

/// What the journal says of what was written before this process began.
struct History {
  std::unordered_map<std::uint64_t, OpenTransaction> open;
  std::unordered_map<std::uint64_t, std::uint32_t> ring_of;  // of the open ones
  std::unordered_set<std::uint64_t> in_doubt;
  std::uint64_t transactions = 0;
  std::uint64_t session_id_max = 0;
  std::uint64_t position = 0;  // of the ring `position_ring`, journaled up to here
  std::uint32_t ring_max = 0;
  bool any = false;
  bool has_gap = false;
  std::string gap;
};

Status wrong_payload(const char* what) {
  return {Code::corrupt, std::string("a program published a record that is wrong: ") + what};
}

std::string as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Status note_transaction(const JournalRecord& record, History* history) {
  const auto head = decode_head(record.payload);
  if (!head.ok()) return head.status();
  history->open[head->txn_id] = {head->session_id, kNoSlot, true};
  history->ring_of[head->txn_id] = record.origin.ring;
  history->session_id_max = std::max(history->session_id_max, head->session_id);
  ++history->transactions;
  return {};
}

Status note_outcome(const JournalRecord& record, History* history) {
  const auto outcome = plain_body<OutcomeRecord>(record.payload);
  if (!outcome.ok()) return outcome.status();
  history->open.erase(outcome->txn_id);
  history->ring_of.erase(outcome->txn_id);
  if (outcome->outcome == Outcome::unknown) {
    history->in_doubt.insert(outcome->txn_id);
  } else {
    history->in_doubt.erase(outcome->txn_id);
  }
  return {};
}

Result<History> read_history(const std::string& directory, std::uint32_t ring,
                             const std::shared_ptr<const JournalKeys>& keys) {
  auto reader = JournalReader::open(directory, keys);
  if (!reader.ok()) return reader.status();
  History history;
  for (;;) {
    const auto record = (*reader)->next();
    if (!record.ok() && record.status().code() == Code::end) return history;
    if (!record.ok()) return record.status();
    history.ring_max = std::max(history.ring_max, record->origin.ring);
    if (ring != 0 && record->origin.ring == ring) {
      history.position = std::max(history.position, record->origin.position);
    }
    Status status;
    if (record->type == RecordType::transaction) status = note_transaction(*record, &history);
    if (record->type == RecordType::outcome) status = note_outcome(*record, &history);
    if (record->type == RecordType::gap) {
      history.has_gap = true;
      history.gap = as_text(record->payload);
    }
    if (!status.ok()) return status;
    history.any = history.any || record->origin.ring != 0;
  }
}

template <class T>
std::span<const std::byte> raw(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

class Journald {
 public:
  Journald(const JournaldOptions& options, std::atomic<bool>& stop, SegmentMap& map)
      : options_(options), stop_(stop), map_(map), header_(map.header()), ring_(map) {}

  Status run();

 private:
  Status recover();
  Status refuse_lost_records(const History& history);
  void adopt(History history);
  Status loop();
  [[nodiscard]] FileSystem& files() const {
    return options_.files != nullptr ? *options_.files : operating_system();
  }
  Result<bool> turn();
  [[nodiscard]] bool lacks_room(const Status& status) const;
  void tell_room(bool lacks);
  Status await_room(const Status& full);
  void measure_growth();
  Status drain_to(std::uint64_t position);
  Status failed(Status status);
  void write_gap(const std::string& reason);

  Result<bool> drain_batch();
  Status write(const Ring::Item& item);
  Status write_texts(const RingPayload& payload, std::uint64_t body_bytes);
  Status write_transaction(const Ring::Item& item, std::span<const std::byte> body);
  Status write_outcome(const Ring::Item& item, std::span<const std::byte> body);
  Status append(RecordType type, std::span<const std::byte> payload,
                std::span<const std::byte> tail, const Ring::Item& item);
  Status publish(std::uint64_t position);
  Status sync();
  Status sync_when_due();

  Status look_when_due(bool busy);
  Status look_for_the_dead(bool all_slots);
  void observe_departed();
  void observe_dead_slots();
  [[nodiscard]] bool departed(const OpenTransaction& open);
  Status resolve_departed();
  Status resolve(std::uint64_t txn_id, const OpenTransaction& open);

  const JournaldOptions& options_;
  std::atomic<bool>& stop_;
  SegmentMap& map_;
  ControlHeader& header_;
  Ring ring_;
  std::unique_ptr<JournalWriter> writer_;

  std::uint32_t ring_number_ = 0;
  std::uint64_t journaled_position_ = 0;  // of this ring: written by this process or one before it
  std::uint64_t transactions_ = 0;
  std::unordered_map<std::uint64_t, OpenTransaction> open_;
  std::unordered_set<std::uint64_t> in_doubt_;
  // Session -> the ring's tail when it was found gone: all it published is before that.
  std::unordered_map<std::uint64_t, std::uint64_t> departed_;
  std::unordered_map<std::uint32_t, std::uint64_t> dead_slots_;  // slot -> tail, as above
  std::uint64_t last_sync_ns_ = 0;
  std::uint64_t last_look_ns_ = 0;
  std::uint64_t last_full_look_ns_ = 0;
  std::uint64_t measured_bytes_ = 0;
  std::uint64_t measured_ns_ = 0;
};

// --- beginning and end ---

Status Journald::run() {
  if (auto status = recover(); !status.ok()) {
    // Opening has changed nothing that counts: another journald goes on when there is room, or when
    // it has the key.
    if (status.code() == Code::full && writer_ == nullptr) return status;
    if (status.code() == Code::wrong_key) return status;
    return failed(std::move(status));
  }
  if (auto status = loop(); !status.ok()) return failed(std::move(status));
  return {};
}

Status Journald::failed(Status status) {
  map_.invalidate("journald stopped: " + status.message());
  write_gap(status.message());
  return status;
}

// Best effort: when the journal itself is what failed, the mode alone carries the reason.
void Journald::write_gap(const std::string& reason) {
  if (writer_ == nullptr) return;
  const auto bytes = std::as_bytes(std::span(reason.data(), reason.size()));
  if (writer_->append(RecordType::gap, bytes).ok() && writer_->sync().ok()) {
    header_.journaled_seq.store(writer_->last_seq());
    header_.durable_seq.store(writer_->last_seq());
  }
}

// The ring is of this boot and this segment; what it held when the host went down is lost, as are
// records that were written and not synced.
Status Journald::refuse_lost_records(const History& history) {
  const std::string& before = writer_->previous_boot_id();
  const bool restarted = !before.empty() && before != header_.boot_id;
  if (restarted && history.any && header_.durability_power.load() == 0) {
    return {Code::invalid,
            "host restarted while recording with Durability=process: committed transactions may "
            "be missing; begin the migration anew"};
  }
  if (ring_number_ != 0 && header_.journaled_seq.load() > writer_->last_seq()) {
    return {Code::corrupt, "the journal ends at record " + std::to_string(writer_->last_seq()) +
                               " but record " + std::to_string(header_.journaled_seq.load()) +
                               " had been written; begin the migration anew"};
  }
  return {};
}

Status Journald::recover() {
  const std::string folder = options_.home + "/" + options_.migration;
  const std::string directory = folder + "/journal";
  JournalWriter::Options writer_options;
  if (options_.segment_bytes != 0) writer_options.segment_bytes = options_.segment_bytes;
  writer_options.files = options_.files;
  writer_options.boot_id = options_.boot_id;
  writer_options.keys = options_.keys;
  auto writer = JournalWriter::open(directory, writer_options);
  if (!writer.ok()) return writer.status();
  ring_number_ = header_.ring_number.load();
  auto history = read_history(directory, ring_number_, options_.keys);
  if (!history.ok()) return history.status();
  if (history->has_gap) {
    // Not through `failed`, which would write one more.
    return {Code::invalid, "recording had ended before: " + history->gap};
  }
  writer_ = std::move(*writer);
  if (auto status = refuse_lost_records(*history); !status.ok()) return status;
  adopt(std::move(*history));
  if (auto status = publish(journaled_position_); !status.ok()) return status;
  return sync();
}

void Journald::adopt(History history) {
  if (ring_number_ == 0) {
    // Nobody has read this ring yet. A number no record in the journal carries makes its positions
    // its own, whatever was written from rings before it.
    ring_number_ = history.ring_max + 1;
    header_.ring_number.store(ring_number_);
    header_.sealed.fetch_add(history.transactions);
  }
  // What one before this process had written is on disk: opening the journal synced it.
  journaled_position_ = history.position;
  transactions_ = history.transactions;
  in_doubt_ = std::move(history.in_doubt);
  std::uint64_t next = header_.next_session_id.load();
  while (next < history.session_id_max &&
         !header_.next_session_id.compare_exchange_weak(next, history.session_id_max)) {
  }
  std::unordered_map<std::uint64_t, std::uint32_t> slots;
  for (std::uint32_t i = 0; i < kSlotCount; ++i) {
    if (map_.slot(i).state.load() == static_cast<std::uint32_t>(SlotState::active)) {
      slots[map_.slot(i).session_id.load()] = i;
    }
  }
  for (auto& [txn_id, open] : history.open) {
    const auto slot = slots.find(open.session_id);
    // A session of another ring has the same number only by chance.
    const bool of_this_ring = history.ring_of[txn_id] == ring_number_;
    if (of_this_ring && slot != slots.end()) open.slot = slot->second;
  }
  open_ = std::move(history.open);
}

Status Journald::loop() {
  measured_ns_ = last_sync_ns_ = monotonic_ns();
  measured_bytes_ = writer_->bytes();
  const std::uint64_t interval_ns = options_.sync_interval_ms * kNsPerMs;
  const std::uint64_t gather_bytes_max = map_.ring_bytes() / 4;
  while (!stop_.load()) {
    header_.journald_beat_ns.store(monotonic_ns());
    const auto drained = turn();
    if (!drained.ok() && !lacks_room(drained.status())) return drained.status();
    if (!drained.ok()) {
      if (auto status = await_room(drained.status()); !status.ok()) return status;
      continue;
    }
    tell_room(false);
    // Where it fails the next `start` does it.
    (void)end_abandoned_turn(map_, options_.home + "/" + options_.migration, files());
    const std::uint64_t now = monotonic_ns();
    if (!*drained) {
      const std::uint64_t wait_ns =
          interval_ns == 0 ? kWaitNsMax : std::min(interval_ns, kWaitNsMax);
      ring_.wait_for_data(now + wait_ns);
    } else if (header_.durability_power.load() == 0 && ring_.used_bytes() < gather_bytes_max) {
      ring_.gather(now + kGatherNs);
    }
  }
  // What a full disk keeps in the ring is there for the next journald.
  const Status status = drain_to(header_.tail.load());
  return lacks_room(status) ? Status() : status;
}

Result<bool> Journald::turn() {
  const auto drained = drain_batch();
  if (!drained.ok()) return drained;
  if (auto status = sync_when_due(); !status.ok()) return status;
  if (auto status = look_when_due(*drained); !status.ok()) return status;
  return drained;
}

bool Journald::lacks_room(const Status& status) const {
  return status.code() == Code::full && writer_->lacks_room();
}

void Journald::tell_room(bool lacks) {
  if (header_.lacks_room.exchange(lacks ? 1 : 0) == (lacks ? 1 : 0)) return;
  futex_wake_all(header_.lacks_room);
}

// What is written stands, and is synced; the ring keeps the rest. Writers go on until it is full,
// then wait as OnFull says, and end recording: only then is it over.
Status Journald::await_room(const Status& full) {
  if (auto status = sync(); !status.ok()) return status;
  tell_room(true);
  const std::uint32_t mode = header_.mode_word.load();
  if (recording_ended(mode_of(mode))) return full;
  futex_wait_until(header_.mode_word, mode, monotonic_ns() + kRoomLookNs);
  return {};
}

void Journald::measure_growth() {
  const std::uint64_t now = monotonic_ns();
  const std::uint64_t bytes = writer_->bytes();
  const std::uint64_t ms = (now - measured_ns_) / kNsPerMs;
  if (ms == 0) return;
  const std::uint64_t kib = (bytes - measured_bytes_) * 1000 / 1024 / ms;
  const std::uint64_t before = header_.growth_kib.load();
  const std::uint64_t mean = (before * (kGrowthSeconds - 1) + kib) / kGrowthSeconds;
  header_.growth_kib.store(static_cast<std::uint32_t>(std::min<std::uint64_t>(mean, UINT32_MAX)));
  measured_ns_ = now;
  measured_bytes_ = bytes;
}

// Up to what was claimed when the stop was asked for; a session that is still writing its record
// does not hold the end up.
Status Journald::drain_to(std::uint64_t position) {
  while (header_.head.load() < position) {
    const auto drained = drain_batch();
    if (!drained.ok()) return drained.status();
    if (!*drained) break;
  }
  if (auto status = look_for_the_dead(true); !status.ok()) return status;
  return sync();
}

// --- ring to journal ---

Result<bool> Journald::drain_batch() {
  auto item = ring_.peek();
  if (!item.ok() && item.status().code() == Code::end) return false;
  if (!item.ok()) return item.status();
  std::uint64_t bytes = 0;
  Status written;
  std::optional<Ring::Item> last;  // that is in the journal
  for (std::uint32_t count = 1;; ++count) {
    // A process before this one may have been killed between writing and freeing: positions of one
    // ring only grow, and the journal holds a prefix of them, so the position alone tells.
    if (item->next_position > journaled_position_) {
      written = write(*item);
      if (!written.ok() && !lacks_room(written)) return written;
      if (!written.ok()) break;
      bytes += item->payload.size();
    }
    last = *item;
    if (count == kBatchRecordsMax || bytes >= kBatchBytesMax) break;
    auto next = ring_.peek_after(*item);
    if (!next.ok()) break;  // the next batch meets the same and reports it
    item = std::move(next);
  }
  if (last) {
    if (auto status = writer_->write_out(); !status.ok()) return status;
    if (auto status = publish(last->next_position); !status.ok()) return status;
    ring_.consume(*last);
  }
  if (!written.ok()) return written;
  return true;
}

Status Journald::write(const Ring::Item& item) {
  if (item.kind == RingKind::abandon) {
    open_.erase(item.txn_id);
    return append(RecordType::abandon, raw(item.txn_id), {}, item);
  }
  const auto payload = split_ring_payload(item.payload);
  if (!payload.ok()) return payload.status();
  if (auto status = write_texts(*payload, payload->body.size()); !status.ok()) return status;
  switch (item.kind) {
    case RingKind::transaction:
      return write_transaction(item, payload->body);
    case RingKind::outcome:
      return write_outcome(item, payload->body);
    case RingKind::chunk:
      open_.try_emplace(item.txn_id,
                        OpenTransaction{map_.slot(item.slot).session_id.load(), item.slot, false});
      return append(RecordType::chunk, raw(item.txn_id), payload->body, item);
    case RingKind::marker:
      if (payload->body.size() != sizeof(MarkerRecord)) return wrong_payload("a marker's length");
      return append(RecordType::marker, payload->body, {}, item);
    case RingKind::abandon:
      break;
  }
  return wrong_payload("its kind");
}

// A record and the texts it names stand in one segment, so that a reader that begins there has
// them.
Status Journald::write_texts(const RingPayload& payload, std::uint64_t body_bytes) {
  std::uint64_t needed = writer_->bytes_of(body_bytes + sizeof(std::uint64_t));
  for (const auto& [id, text] : payload.texts) needed += writer_->bytes_of(id.size() + text.size());
  if (auto status = writer_->reserve(needed); !status.ok()) return status;
  for (const auto& [id, text] : payload.texts) {
    if (auto status = writer_->need_text(id, text); !status.ok()) return status;
  }
  return {};
}

Status Journald::write_transaction(const Ring::Item& item, std::span<const std::byte> body) {
  const auto head = decode_head(body);
  if (!head.ok()) return head.status();
  if (head->txn_id != item.txn_id) return wrong_payload("a transaction's number");
  open_[item.txn_id] = {head->session_id, item.slot, true};
  ++transactions_;
  return append(RecordType::transaction, body, {}, item);
}

Status Journald::write_outcome(const Ring::Item& item, std::span<const std::byte> body) {
  const auto outcome = plain_body<OutcomeRecord>(body);
  if (!outcome.ok()) return outcome.status();
  if (outcome->txn_id != item.txn_id) return wrong_payload("an outcome's transaction");
  if (outcome->outcome < Outcome::committed || outcome->outcome > Outcome::unknown) {
    return wrong_payload("an outcome's kind");
  }
  open_.erase(item.txn_id);
  if (outcome->outcome == Outcome::unknown) {
    in_doubt_.insert(item.txn_id);
  } else {
    in_doubt_.erase(item.txn_id);
  }
  return append(RecordType::outcome, body, {}, item);
}

Status Journald::append(RecordType type, std::span<const std::byte> payload,
                        std::span<const std::byte> tail, const Ring::Item& item) {
  return writer_->append(type, payload, tail, {ring_number_, item.next_position}).status();
}

// What is written becomes visible, and with Durability=power durable, before the ring is freed.
Status Journald::publish(std::uint64_t position) {
  journaled_position_ = std::max(journaled_position_, position);
  header_.journaled.store(transactions_);
  header_.journaled_seq.store(writer_->last_seq());
  header_.journal_bytes.store(writer_->bytes());
  header_.in_doubt.store(in_doubt_.size());
  return header_.durability_power.load() != 0 ? sync() : Status();
}

Status Journald::sync() {
  if (auto status = writer_->sync(); !status.ok()) return status;
  last_sync_ns_ = monotonic_ns();
  header_.durable_seq.store(writer_->last_seq());
  if (journaled_position_ > header_.durable_position.load()) {
    header_.durable_position.store(journaled_position_);
    header_.durable_wake.fetch_add(1);
    futex_wake_all(header_.durable_wake);
  }
  return {};
}

Status Journald::sync_when_due() {
  if (header_.durable_seq.load() == writer_->last_seq()) return {};
  const std::uint64_t interval_ns = options_.sync_interval_ms * kNsPerMs;
  return monotonic_ns() - last_sync_ns_ >= interval_ns ? sync() : Status();
}

// --- sessions that are gone ---

Status Journald::look_when_due(bool busy) {
  const std::uint64_t now = monotonic_ns();
  const bool all_slots = now - last_full_look_ns_ >= kNsPerSecond;
  if (!all_slots && (busy || now - last_look_ns_ < kLookNs)) return {};
  return look_for_the_dead(all_slots);
}

// A session is resolved, and its slot freed, only when the ring has been read up to the tail as it
// was after the session had been found gone: its outcome may still be in there, and a record that
// it had only claimed is skipped by asking for the liveness of its slot.
Status Journald::look_for_the_dead(bool all_slots) {
  last_look_ns_ = monotonic_ns();
  // Slots first: a slot found dead is freed only in a pass that also saw its transactions.
  if (all_slots) {
    observe_dead_slots();
    measure_growth();
    last_full_look_ns_ = last_look_ns_;
  }
  observe_departed();
  return resolve_departed();
}

bool Journald::departed(const OpenTransaction& open) {
  if (open.slot >= kSlotCount) return true;
  const Slot& slot = map_.slot(open.slot);
  return slot.state.load() != static_cast<std::uint32_t>(SlotState::active) ||
         slot.session_id.load() != open.session_id || map_.liveness(open.slot) == Liveness::dead;
}

void Journald::observe_departed() {
  for (const auto& [txn_id, open] : open_) {
    if (departed_.contains(open.session_id) || !departed(open)) continue;
    departed_.emplace(open.session_id, header_.tail.load());
    if (open.slot < kSlotCount) dead_slots_.try_emplace(open.slot, header_.tail.load());
  }
}

void Journald::observe_dead_slots() {
  for (std::uint32_t i = 0; i < kSlotCount; ++i) {
    if (map_.slot(i).state.load() == static_cast<std::uint32_t>(SlotState::free)) continue;
    if (map_.liveness(i) == Liveness::dead) dead_slots_.try_emplace(i, header_.tail.load());
  }
}

Status Journald::resolve_departed() {
  const std::uint64_t head = header_.head.load();
  bool wrote = false;
  Status resolved;
  for (auto open = open_.begin(); open != open_.end();) {
    const auto gone = departed_.find(open->second.session_id);
    if (gone == departed_.end() || gone->second > head) {
      ++open;
      continue;
    }
    resolved = resolve(open->first, open->second);
    if (!resolved.ok() && !lacks_room(resolved)) return resolved;
    if (!resolved.ok()) break;
    wrote = true;
    open = open_.erase(open);
  }
  if (wrote) {
    if (auto status = writer_->write_out(); !status.ok()) return status;
    if (auto status = publish(journaled_position_); !status.ok()) return status;
  }
  if (!resolved.ok()) return resolved;
  std::erase_if(departed_, [&](const auto& gone) { return gone.second <= head; });
  std::erase_if(dead_slots_, [&](const auto& dead) {
    if (dead.second > head) return false;
    map_.release_dead(dead.first);
    return true;
  });
  return {};
}

Status Journald::resolve(std::uint64_t txn_id, const OpenTransaction& open) {
  if (!open.sealed) return writer_->append(RecordType::abandon, raw(txn_id)).status();
  OutcomeRecord outcome;
  outcome.txn_id = txn_id;
  outcome.at_us = wall_clock_us();
  outcome.outcome = Outcome::unknown;
  const auto seq = writer_->append(RecordType::outcome, raw(outcome));
  if (seq.ok()) in_doubt_.insert(txn_id);
  return seq.status();
}

Status make_home(const JournaldOptions& options) {
  FileSystem& files = options.files != nullptr ? *options.files : operating_system();
  const std::string folder = options.home + "/" + options.migration;
  if (auto status = files.make_directory(folder, 0700); !status.ok()) return status;
  return files.sync_directory(options.home);
}

}  // namespace

Status run_journald(const JournaldOptions& options, std::atomic<bool>& stop) {
  if (!valid_migration_name(options.migration)) {
    return {Code::invalid, "not a migration's name: " + options.migration};
  }
  auto map = SegmentMap::open_or_create(options.home, options.migration);
  if (!map.ok()) return map.status();
  if (auto status = (*map)->lock(kLockJournald); !status.ok()) return status;
  Status status = make_home(options);
  try {
    if (status.ok()) status = Journald(options, stop, **map).run();
  } catch (const std::exception& error) {
    status = Status(Code::io, std::string("journald stopped: ") + error.what());
    (*map)->invalidate(status.message());
  }
  (*map)->unlock(kLockJournald);
  return status;
}

}  // namespace understudy
