#include "replayer/apply/journal_feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <stdexcept>
#include <utility>

namespace understudy {
namespace {

[[noreturn]] void fail(const Status& status) {
  if (status.code() == Code::wrong_key) throw JournalKeyError(status.message());
  throw std::runtime_error(status.message());
}

[[noreturn]] void fail_at(const JournalRecord& record, std::string_view what) {
  throw std::runtime_error(fmt::format(
      "record {} (segment {}, offset {}) {}; check the journal with `understudy journal "
      "verify`",
      record.seq, record.segment, record.offset, what));
}

std::uint64_t leading_id(const JournalRecord& record) {
  std::uint64_t id = 0;
  if (record.payload.size() < sizeof(id)) fail_at(record, "is too short");
  std::memcpy(&id, record.payload.data(), sizeof(id));
  return id;
}

[[noreturn]] void fail_decoding(std::uint64_t seq, const Status& status) {
  throw std::runtime_error(
      fmt::format("transaction {}: {}; check the journal with `understudy journal verify`", seq,
                  status.message()));
}

using TextStores = std::vector<std::shared_ptr<TextStore>>;

/// Entry bytes of one transaction as they are found, chunk by chunk.
struct Body {
  std::vector<std::byte> bytes;
  TextStores texts;
  std::uint32_t chunks = 0;
  std::uint64_t first_seq = 0;
  std::uint64_t size = 0;  // also of what is not held
  bool held = true;        // otherwise it is read once more

  void count(std::span<const std::byte> part, std::uint64_t seq) {
    if (first_seq == 0) first_seq = seq;
    size += part.size();
  }
  void add(std::span<const std::byte> part, const std::shared_ptr<TextStore>& store) {
    bytes.insert(bytes.end(), part.begin(), part.end());
    if (texts.empty() || texts.back() != store) texts.push_back(store);
  }
  void let_go() {
    held = false;
    bytes = {};
    texts = {};
  }
};

/// Calls `use` with every text that these entries name.
template <class Use>
void for_each_text(std::span<const std::byte> bytes, std::uint64_t seq, Use use) {
  EntryReader reader(bytes);
  for (;;) {
    const auto entry = reader.next();
    if (!entry.ok() && entry.status().code() == Code::end) return;
    if (!entry.ok()) fail_decoding(seq, entry.status());
    if (entry->statement.text != kNoText) use(entry->statement.text);
    if (entry->statement.shape != kNoText) use(entry->statement.shape);
    for (const auto& id : entry->context.statements) use(id);
  }
}

/// Copies the texts of these entries out of the reader's dictionary of the current segment.
std::size_t keep_texts(const JournalReader& reader, std::span<const std::byte> bytes,
                       std::uint64_t seq, TextStore& store) {
  std::size_t grown = 0;
  for_each_text(bytes, seq, [&](const TextId& id) {
    if (store.find(id) != nullptr) return;
    const auto text = reader.text(id);
    if (!text.ok()) fail(text.status());
    grown += store.add(id, *text);
  });
  return grown;
}

struct Pending {
  std::uint64_t seq = 0;
  std::optional<MarkerRecord> marker;
  TransactionHead head;
  Body body;
  std::optional<Outcome> outcome;

  [[nodiscard]] bool ready() const { return marker || (outcome && *outcome != Outcome::unknown); }
};

}  // namespace

const std::string* TextStore::find(const TextId& id) const {
  const auto found = texts_.find(id);
  return found == texts_.end() ? nullptr : &found->second;
}

std::size_t TextStore::add(const TextId& id, std::string_view text) {
  return texts_.try_emplace(id, text).second ? text.size() : 0;
}

void FeedTransaction::read_entries() {
  auto read = read_transaction(bytes);
  if (!read.ok()) fail_decoding(seq, read.status());
  if (read->written != head.entries) {
    fail_decoding(seq, Status(Code::corrupt, fmt::format("{} entries instead of {}", read->written,
                                                         head.entries)));
  }
  entries = std::move(read->entries);
  values = std::move(read->values);
}

void FeedTransaction::for_each(const UsesEntry& use) const {
  if (stored != nullptr) return stored->for_each(use);
  for (const Entry& entry : entries) {
    if (!use(entry)) return;
  }
}

FeedTransaction FeedTransaction::copy() const {
  FeedTransaction out;
  out.seq = seq;
  out.head = head;
  out.outcome = outcome;
  out.stored = stored;
  out.bytes = bytes;
  if (stored == nullptr) out.read_entries();
  out.texts = texts;
  return out;
}

std::string_view FeedTransaction::text(const TextId& id) const {
  if (id == kNoText) return {};
  if (stored != nullptr) return stored->text(id);
  for (const auto& store : texts) {
    if (const auto* found = store->find(id)) return *found;
  }
  throw std::runtime_error(
      fmt::format("transaction {} names a text that the journal does not hold; check the journal "
                  "with `understudy journal verify`",
                  seq));
}

struct JournalFeed::Impl {
  std::string directory;
  std::uint64_t after_seq = 0;
  std::shared_ptr<const JournalKeys> keys;
  std::unique_ptr<JournalReader> reader;
  std::uint64_t read_seq = 0;
  std::uint64_t segment = 0;
  std::shared_ptr<TextStore> store;
  std::deque<Pending> pending;
  std::unordered_map<std::uint64_t, Body> chunks;               // by transaction id
  std::unordered_map<std::uint64_t, std::uint64_t> unresolved;  // transaction id: its seq
  std::uint64_t transactions = 0;                               // in `pending`
  std::uint64_t bytes = 0;                                      // of bodies
  struct Held {
    std::weak_ptr<TextStore> store;
    std::uint64_t bytes = 0;
  };
  std::vector<Held> texts;       // the last is the current segment's
  std::uint64_t text_bytes = 0;  // of all in `texts`
  std::string ended;             // why nothing after a gap can be used
  // Reads transactions once more that were not held; stands behind `again_seq`.
  std::unique_ptr<JournalReader> again;
  std::uint64_t again_seq = 0;

  std::unique_ptr<JournalReader> open() const;
  bool read_one();
  void take(const JournalRecord& record);
  void take_transaction(const JournalRecord& record);
  void take_chunk(const JournalRecord& record);
  void take_outcome(const JournalRecord& record);
  Body find_chunks(const JournalRecord& record, std::uint64_t txn_id, std::uint32_t wanted) const;
  void take_part(Body& body, std::span<const std::byte> part, std::uint64_t seq);
  void let_go(Body& body);
  void read_again(Pending& item);
  void enter_segment(std::uint64_t number);
  void keep(std::span<const std::byte> part, std::uint64_t seq);
  void check_limits();
  FeedItem hand_out();
};

std::unique_ptr<JournalReader> JournalFeed::Impl::open() const {
  auto opened = JournalReader::open(directory, keys);
  if (!opened.ok()) fail(opened.status());
  return std::move(*opened);
}

void JournalFeed::Impl::enter_segment(std::uint64_t number) {
  if (store && number == segment) return;
  segment = number;
  store = std::make_shared<TextStore>();
  std::erase_if(texts, [&](const Held& held) {
    if (!held.store.expired()) return false;
    text_bytes -= held.bytes;
    return true;
  });
  texts.push_back({store, 0});
}

void JournalFeed::Impl::keep(std::span<const std::byte> part, std::uint64_t seq) {
  const auto grown = keep_texts(*reader, part, seq, *store);
  texts.back().bytes += grown;
  text_bytes += grown;
}

void JournalFeed::Impl::check_limits() {
  if (transactions <= kFeedPendingMax) return;
  const Pending& first = pending.front();
  throw std::runtime_error(
      fmt::format("{} transactions wait behind transaction {} (id {}), more than the {} that are "
                  "kept in mind",
                  transactions, first.seq, first.head.txn_id, kFeedPendingMax));
}

bool JournalFeed::Impl::read_one() {
  if (!ended.empty()) throw std::runtime_error(ended);
  auto record = reader->next();
  if (!record.ok() && record.status().code() == Code::end) return false;
  if (!record.ok()) fail(record.status());
  read_seq = record->seq;
  enter_segment(record->segment);
  take(*record);
  check_limits();
  return true;
}

void JournalFeed::Impl::take(const JournalRecord& record) {
  switch (record.type) {
    case RecordType::transaction:
      return take_transaction(record);
    case RecordType::chunk:
      return take_chunk(record);
    case RecordType::outcome:
      return take_outcome(record);
    case RecordType::marker: {
      const auto marker = plain_body<MarkerRecord>(record.payload);
      if (!marker.ok()) fail_at(record, "is no marker");
      if (record.seq <= after_seq) return;
      Pending item;
      item.seq = record.seq;
      item.marker = *marker;
      pending.push_back(std::move(item));
      return;
    }
    case RecordType::abandon: {
      const auto found = chunks.find(leading_id(record));
      if (found == chunks.end()) return;
      let_go(found->second);
      chunks.erase(found);
      return;
    }
    case RecordType::gap:
      ended = fmt::format(
          "recording ended at record {} ({}) and nothing after it can be trusted; the migration "
          "has to begin anew",
          record.seq,
          std::string_view(reinterpret_cast<const char*>(record.payload.data()),
                           std::min<std::size_t>(record.payload.size(), 200)));
      throw std::runtime_error(ended);
    case RecordType::text:
    case RecordType::next_segment:
    case RecordType::stream:
      return;
  }
}

void JournalFeed::Impl::let_go(Body& body) {
  bytes -= body.bytes.size();
  body.let_go();
}

void JournalFeed::Impl::take_part(Body& body, std::span<const std::byte> part, std::uint64_t seq) {
  body.count(part, seq);
  if (!body.held) return;
  if (body.size > kWholeBytesMax || bytes + text_bytes + part.size() > kFeedBytesMax) {
    return let_go(body);
  }
  keep(part, seq);
  body.add(part, store);
  bytes += part.size();
}

void JournalFeed::Impl::take_chunk(const JournalRecord& record) {
  const auto txn_id = leading_id(record);
  auto& body = chunks[txn_id];
  ++body.chunks;
  take_part(body, record.payload.subspan(sizeof(txn_id)), record.seq);
}

void JournalFeed::Impl::take_transaction(const JournalRecord& record) {
  const auto head = decode_head(record.payload);
  if (!head.ok()) fail_at(record, "is no transaction");
  Pending item;
  item.seq = record.seq;
  item.head = *head;
  if (const auto found = chunks.find(head->txn_id); found != chunks.end()) {
    item.body = std::move(found->second);
    chunks.erase(found);
  }
  if (record.seq <= after_seq) return let_go(item.body);
  if (item.body.chunks != head->chunks) {
    let_go(item.body);
    item.body = find_chunks(record, head->txn_id, head->chunks);
  }
  take_part(item.body, record.payload.subspan(sizeof(TransactionHead)), record.seq);
  unresolved[head->txn_id] = record.seq;
  ++transactions;
  pending.push_back(std::move(item));
}

// A feed that was opened behind the beginning of a transaction has not met its first chunks. They
// are looked for further and further back until all are there; transactions of several chunks are
// rare and few are open at any one place.
Body JournalFeed::Impl::find_chunks(const JournalRecord& record, std::uint64_t txn_id,
                                    std::uint32_t wanted) const {
  for (std::uint64_t back = 4096;; back *= 4) {
    const std::uint64_t from = record.seq > back ? record.seq - back : 1;
    const auto earlier = open();
    if (const auto status = earlier->seek(from); !status.ok()) fail(status);
    Body body;
    body.held = false;
    for (;;) {
      const auto found = earlier->next();
      if (!found.ok()) fail(found.status());
      if (found->seq >= record.seq) break;
      if (found->type != RecordType::chunk || leading_id(*found) != txn_id) continue;
      body.count(found->payload.subspan(sizeof(txn_id)), found->seq);
      ++body.chunks;
    }
    if (body.chunks == wanted) return body;
    if (from == 1 || body.chunks > wanted) {
      fail_at(record,
              fmt::format("is a transaction of {} chunks, and {} are there", wanted, body.chunks));
    }
  }
}

// A transaction that there was no room for when it was met.
void JournalFeed::Impl::read_again(Pending& item) {
  constexpr std::uint64_t kReadOverMax = 4096;  // records, instead of seeking
  Body body;
  const std::uint64_t from = item.body.first_seq;
  if (again == nullptr || from <= again_seq || from > again_seq + kReadOverMax) {
    again = open();
    if (const auto status = again->seek(from); !status.ok()) fail(status);
  }
  auto found_texts = std::make_shared<TextStore>();
  std::uint64_t in_segment = 0;
  for (again_seq = 0; again_seq < item.seq;) {
    const auto found = again->next();
    if (!found.ok()) fail(found.status());
    again_seq = found->seq;
    const bool last = found->seq == item.seq;
    if (found->seq < from) continue;
    if (!last && (found->type != RecordType::chunk || leading_id(*found) != item.head.txn_id)) {
      continue;
    }
    if (found->segment != in_segment) found_texts = std::make_shared<TextStore>();
    in_segment = found->segment;
    const auto part =
        found->payload.subspan(last ? sizeof(TransactionHead) : sizeof(item.head.txn_id));
    body.count(part, found->seq);
    keep_texts(*again, part, found->seq, *found_texts);
    body.add(part, found_texts);
  }
  item.body = std::move(body);
}

void JournalFeed::Impl::take_outcome(const JournalRecord& record) {
  const auto outcome = plain_body<OutcomeRecord>(record.payload);
  if (!outcome.ok() || outcome->outcome < Outcome::committed ||
      outcome->outcome > Outcome::unknown) {
    fail_at(record, "is no outcome");
  }
  const auto found = unresolved.find(outcome->txn_id);
  if (found == unresolved.end()) return;
  const auto item =
      std::lower_bound(pending.begin(), pending.end(), found->second,
                       [](const Pending& one, std::uint64_t seq) { return one.seq < seq; });
  item->outcome = outcome->outcome;
  if (outcome->outcome != Outcome::unknown) unresolved.erase(found);
}

FeedItem JournalFeed::Impl::hand_out() {
  auto item = std::move(pending.front());
  pending.pop_front();
  FeedItem out;
  if (item.marker) {
    out.marker = FeedMarker{item.seq, *item.marker};
    return out;
  }
  --transactions;
  FeedTransaction transaction;
  transaction.seq = item.seq;
  transaction.head = item.head;
  transaction.outcome = *item.outcome;
  if (item.body.held) {
    bytes -= item.body.bytes.size();
  } else if (item.body.size <= kWholeBytesMax) {
    read_again(item);
  } else {
    transaction.stored = std::make_shared<StoredTransaction>(directory, keys, item.body.first_seq,
                                                             item.seq, item.head);
    if (transaction.outcome == Outcome::committed) transaction.stored->check();
    out.transaction = std::move(transaction);
    return out;
  }
  transaction.bytes = std::move(item.body.bytes);
  transaction.read_entries();
  transaction.texts.assign(item.body.texts.begin(), item.body.texts.end());
  out.transaction = std::move(transaction);
  return out;
}

JournalFeed::JournalFeed(const std::string& directory, std::uint64_t after_seq,
                         std::shared_ptr<const JournalKeys> keys)
    : impl_(std::make_unique<Impl>()) {
  impl_->directory = directory;
  impl_->after_seq = after_seq;
  impl_->keys = std::move(keys);
  impl_->reader = impl_->open();
  if (after_seq == 0) return;
  const auto status = impl_->reader->seek(after_seq + 1);
  if (!status.ok() && status.code() != Code::not_found) fail(status);
  impl_->read_seq = after_seq;
}

JournalFeed::~JournalFeed() = default;

std::optional<FeedItem> JournalFeed::next() {
  while (impl_->pending.empty() || !impl_->pending.front().ready()) {
    if (!impl_->read_one()) return std::nullopt;
  }
  return impl_->hand_out();
}

FeedWait JournalFeed::waiting() const {
  FeedWait wait;
  if (impl_->pending.empty() || impl_->pending.front().ready()) return wait;
  const auto& front = impl_->pending.front();
  wait.reason = front.outcome ? FeedWait::Reason::in_doubt : FeedWait::Reason::outcome_pending;
  wait.seq = front.seq;
  wait.txn_id = front.head.txn_id;
  wait.server_txid = front.head.server_txid;
  wait.writing_at_us = writing_at_us(front.head);
  wait.sealed_at_us = front.head.sealed_at_us;
  return wait;
}

std::uint64_t JournalFeed::backlog() const {
  return impl_->transactions;
}

std::int64_t JournalFeed::oldest_sealed_at_us() const {
  for (const auto& item : impl_->pending) {
    if (!item.marker) return item.head.sealed_at_us;
  }
  return 0;
}

std::uint64_t JournalFeed::read_seq() const {
  return impl_->read_seq;
}

}  // namespace understudy
