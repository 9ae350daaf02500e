// A transaction that is not held in memory: its entries are read from the journal when they are
// asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "journal/record.h"
#include "journal/segment.h"

namespace understudy {

/// The journal needs a key that was not given.
class JournalKeyError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class DamagedTransaction : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Entries in order; false ends the reading.
using UsesEntry = std::function<bool(const Entry&)>;

/// Of a statement that gives rows new keys, this much comes together: its rows may take each
/// other's keys.
inline constexpr std::size_t kMovesTogetherBytesMax = 32u << 20;

/// Holds one record of the journal, and the large values that the entry at hand names. In place of
/// the entries it knows which of them were taken back: 8 bytes for each stretch of those, 16 for a
/// statement in several parts and 16 for each value that stands in pieces. Single thread. Throws
/// DamagedTransaction (one line: position and remedy) on damage, or when a value is named before
/// its pieces.
class StoredTransaction {
 public:
  /// `first_seq`: of its first chunk; `seq`: of the transaction record itself.
  StoredTransaction(std::string directory, std::shared_ptr<const JournalKeys> keys,
                    std::uint64_t first_seq, std::uint64_t seq, const TransactionHead& head);
  ~StoredTransaction();

  /// Reads all of it once, for the first time it is used.
  void check() { take_survey(); }
  /// Calls `use` with every entry that stands. A statement of many rows comes first with the row
  /// count of the whole and some of its rows; the others follow in entries of the type `rows`,
  /// which say of themselves what the statement says. May be called again, from the beginning.
  void for_each(const UsesEntry& use);
  /// A text that the entry at hand names: for `use`, while it runs.
  [[nodiscard]] std::string_view text(const TextId& id) const;

 private:
  struct Survey;
  class Walk;
  using UsesRecord = std::function<bool(std::span<const std::byte> entries)>;

  [[noreturn]] void fail(std::string_view what) const;
  [[noreturn]] static void fail(const Status& status);
  void each_record(const UsesRecord& use);
  void take_survey();

  std::string directory_;
  std::shared_ptr<const JournalKeys> keys_;
  std::uint64_t first_seq_;
  std::uint64_t seq_;
  TransactionHead head_;
  std::unique_ptr<JournalReader> reader_;
  std::unique_ptr<Survey> survey_;
  std::unordered_map<TextId, std::string, TextIdHash> held_;  // of a statement in several parts
};

}  // namespace understudy
