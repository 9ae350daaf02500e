// Writers that go past the driver: what production's engine counts as written, table by table,
// against what the journal says was written. An excess is a suspicion, never a proof (a statement
// that was taken back counts for PostgreSQL, a trigger's rows stand in no journal), so a suspected
// table is compared; only rows that differ are told.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "replayer/apply/journal_feed.h"
#include "replayer/dialect/dialect.h"

namespace understudy {

/// What the journal's committed transactions wrote, by table name without its schema where the
/// engine has none. Filled by the thread that replays, read by the one that looks. Thread safe.
class RecordedWrites {
 public:
  struct Table {
    std::uint64_t rows = 0;
    std::uint64_t transactions = 0;
  };

  /// By one thread.
  void add(const FeedTransaction& transaction);
  /// Of one table or several, as TableWrites names them.
  [[nodiscard]] Table of(const TableWrites& writes) const;
  /// Transactions that hold a statement whose tables are not known.
  [[nodiscard]] std::uint64_t unknown() const;
  /// All committed transactions added so far.
  [[nodiscard]] std::uint64_t transactions() const;

 private:
  const std::string& table_of(const FeedTransaction& transaction, const TextId& shape);

  mutable std::mutex mutex_;
  std::map<std::string, Table, std::less<>> tables_;
  std::unordered_map<TextId, std::string, TextIdHash> shapes_;  // of the thread that adds
  std::uint64_t unknown_ = 0;
  std::uint64_t transactions_ = 0;
};

inline constexpr std::size_t kShapesKnownMax = 4096;

/// Which tables are suspected. One thread.
class BypassAccounts {
 public:
  struct Suspicion {
    std::string table;
    std::vector<std::string> members;  // as in TableWrites
    /// Nothing was recorded meanwhile whose tables are not known: rows that differ have no other
    /// cause.
    bool certain = true;
  };
  /// What the engine counts and what was recorded by then: the journal has been read up to a point
  /// behind `counted`. Names the tables in which more was written than is explained. The first time
  /// nothing is suspected.
  std::vector<Suspicion> look(const std::vector<TableWrites>& counted,
                              const RecordedWrites& recorded);
  /// The suspected tables were compared: whatever was counted is explained.
  void explained(const std::vector<Suspicion>& suspected);
  [[nodiscard]] bool empty() const { return accounts_.empty(); }

 private:
  struct Account {
    std::uint64_t counted = 0;        // at the last look
    std::uint64_t base = 0;           // counted when the account was opened
    std::uint64_t recorded_base = 0;  // recorded by then
    std::uint64_t recorded = 0;       // transactions, at the last look
    std::uint64_t unknown = 0;        // RecordedWrites::unknown when it was last explained
    std::uint64_t excess = 0;         // explained
    std::uint64_t excess_now = 0;
    bool suspected = false;
  };
  [[nodiscard]] Account opened(const TableWrites& writes, const RecordedWrites& recorded) const;
  static std::uint64_t transactions_of(const TableWrites& writes, const RecordedWrites& recorded);
  void look_at(Account& account, const TableWrites& writes, const RecordedWrites& recorded) const;

  std::map<std::string, Account> accounts_;
  std::uint64_t unknown_ = 0;
  std::uint64_t unknown_before_ = 0;
};

}  // namespace understudy
