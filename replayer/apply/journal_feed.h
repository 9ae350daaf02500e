// The journal as a sequence of whole transactions with known outcome, in seal order.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "journal/record.h"
#include "journal/segment.h"
#include "replayer/apply/stored_transaction.h"

namespace understudy {

/// Statement texts and encoded shapes of one segment that its transactions use. Shared between the
/// feed and the transactions handed out, gone with the last of them.
class TextStore {
 public:
  /// Null when this segment has no such text.
  [[nodiscard]] const std::string* find(const TextId& id) const;
  /// Bytes that it grew by.
  std::size_t add(const TextId& id, std::string_view text);

 private:
  std::unordered_map<TextId, std::string, TextIdHash> texts_;
};

/// A transaction ready to be applied or skipped. A small one owns its bytes and keeps its texts
/// alive; of a large one `entries` is empty, and `for_each` reads the journal.
struct FeedTransaction {
  FeedTransaction() = default;
  FeedTransaction(FeedTransaction&&) = default;
  FeedTransaction& operator=(FeedTransaction&&) = default;
  FeedTransaction(const FeedTransaction&) = delete;  // entries are views into bytes
  FeedTransaction& operator=(const FeedTransaction&) = delete;
  /// The same transaction with bytes of its own.
  [[nodiscard]] FeedTransaction copy() const;

  std::uint64_t seq = 0;  // of its transaction record
  TransactionHead head;
  Outcome outcome = Outcome::unknown;
  std::vector<Entry> entries;      // views into bytes and values
  std::vector<std::byte> bytes;    // of the entries
  std::deque<std::string> values;  // large ones, put together
  /// Of one that is too large to be held, instead of the three before.
  std::shared_ptr<StoredTransaction> stored;
  /// Calls `use` with the entries in order, as StoredTransaction says, whichever it is.
  void for_each(const UsesEntry& use) const;
  /// From `bytes`. Throws std::runtime_error when they are no whole transaction.
  void read_entries();
  /// Text of a statement, or the encoded shape; empty for kNoText. Valid as long as this
  /// transaction; of a stored one for the entry at hand, in `for_each`. Throws std::runtime_error
  /// when the journal has no such text.
  [[nodiscard]] std::string_view text(const TextId& id) const;
  std::vector<std::shared_ptr<const TextStore>> texts;  // of the segments it stands in
};

struct FeedMarker {
  std::uint64_t seq = 0;
  MarkerRecord marker;
};

struct FeedItem {
  std::optional<FeedTransaction> transaction;
  std::optional<FeedMarker> marker;
};

/// What holds the feed back at its front.
struct FeedWait {
  enum class Reason { nothing_new, outcome_pending, in_doubt } reason = Reason::nothing_new;
  std::uint64_t seq = 0;
  std::uint64_t txn_id = 0;
  std::uint64_t server_txid = 0;
  std::int64_t writing_at_us = 0;  // as writing_at_us()
  std::int64_t sealed_at_us = 0;
};

inline constexpr std::size_t kFeedPendingMax = 1u << 20;   // transactions behind the oldest
inline constexpr std::uint64_t kFeedBytesMax = 64u << 20;  // held of them, and of open ones
inline constexpr std::size_t kWholeBytesMax = 1u << 20;    // a larger transaction is never held

/// Reads no further than the next item needs. What lies between the oldest transaction without
/// outcome and the reader is held up to the limits above; of what is beyond them only the place in
/// the journal is known, where it is read once more when its turn comes. Markers wait for the
/// transactions before them. An `unknown` outcome holds the feed until a definite one follows;
/// behind a definite one it is ignored. Single thread. Throws std::runtime_error (one line:
/// position and remedy) on damage or gap, JournalKeyError where a key is missing.
class JournalFeed {
 public:
  /// Items with seq > after_seq. Chunks of a transaction that begin before are found all the same.
  JournalFeed(const std::string& directory, std::uint64_t after_seq,
              std::shared_ptr<const JournalKeys> keys = nullptr);
  ~JournalFeed();
  /// The next transaction whose outcome is known (rolled-back ones are handed out too, to be
  /// counted and skipped), or the next marker, strictly in sequence; nullopt: see `waiting`.
  std::optional<FeedItem> next();
  [[nodiscard]] FeedWait waiting() const;
  /// Transactions read from the journal and not handed out yet, and their oldest sealed_at_us.
  [[nodiscard]] std::uint64_t backlog() const;
  [[nodiscard]] std::int64_t oldest_sealed_at_us() const;
  [[nodiscard]] std::uint64_t read_seq() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace understudy
