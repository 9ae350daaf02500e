#include "replayer/migration/bypass.h"

#include <algorithm>
#include <map>

namespace understudy {
namespace {

/// As TableWrites names it: schema.name, or the name alone.
std::string name_of(const Shape& shape) {
  return shape.schema.empty() ? shape.table : shape.schema + "." + shape.table;
}

}  // namespace

// --- what was recorded ---

const std::string& RecordedWrites::table_of(const FeedTransaction& transaction, const TextId& id) {
  const auto found = shapes_.find(id);
  if (found != shapes_.end()) return found->second;
  static const std::string kUnknown;
  const auto shape = Shape::decode(transaction.text(id));
  if (!shape.ok()) return kUnknown;
  if (shapes_.size() >= kShapesKnownMax) shapes_.clear();
  return shapes_[id] = name_of(*shape);
}

void RecordedWrites::add(const FeedTransaction& transaction) {
  if (transaction.outcome != Outcome::committed) return;
  bool unknown = false;
  std::map<std::string, std::uint64_t> rows;  // by table
  transaction.for_each([&](const Entry& entry) {
    const bool counts = entry.type == Entry::Type::statement || entry.type == Entry::Type::rows;
    unknown = unknown || entry.type == Entry::Type::note;
    if (!counts || entry.statement.verdict == Verdict::context) return true;
    const StatementEntry& statement = entry.statement;
    const std::string table =
        statement.shape == kNoText ? std::string() : table_of(transaction, statement.shape);
    if (table.empty()) {
      unknown = true;
      return true;
    }
    const auto changed = static_cast<std::uint64_t>(std::max<std::int64_t>(statement.row_count, 0));
    rows[table] += statement.rows.empty() ? changed : statement.rows.size();
    return true;
  });
  const std::lock_guard guard(mutex_);
  ++transactions_;
  for (const auto& [table, count] : rows) {
    tables_[table].rows += count;
    ++tables_[table].transactions;
  }
  if (unknown) ++unknown_;
}

RecordedWrites::Table RecordedWrites::of(const TableWrites& writes) const {
  const std::lock_guard guard(mutex_);
  Table out;
  const auto add = [&](const std::string& table) {
    const auto found = tables_.find(table);
    if (found == tables_.end()) return;
    out.rows += found->second.rows;
    out.transactions += found->second.transactions;
  };
  if (writes.members.empty()) add(writes.table);
  for (const std::string& member : writes.members) add(member);
  return out;
}

std::uint64_t RecordedWrites::unknown() const {
  const std::lock_guard guard(mutex_);
  return unknown_;
}

std::uint64_t RecordedWrites::transactions() const {
  const std::lock_guard guard(mutex_);
  return transactions_;
}

// --- what is suspected ---

BypassAccounts::Account BypassAccounts::opened(const TableWrites& writes,
                                               const RecordedWrites& recorded) const {
  Account out;
  out.counted = out.base = writes.count;
  out.recorded_base = recorded.of(writes).rows;
  out.recorded = transactions_of(writes, recorded);
  out.unknown = unknown_;
  return out;
}

std::uint64_t BypassAccounts::transactions_of(const TableWrites& writes,
                                              const RecordedWrites& recorded) {
  return writes.table.empty() ? recorded.transactions() : recorded.of(writes).transactions;
}

void BypassAccounts::look_at(Account& account, const TableWrites& writes,
                             const RecordedWrites& recorded) const {
  if (writes.count < account.counted) {  // the server was started anew, or its counters reset
    account = opened(writes, recorded);
    return;
  }
  const std::uint64_t transactions = transactions_of(writes, recorded);
  const bool changed = writes.count != account.counted;
  const bool quiet = transactions == account.recorded && unknown_ == unknown_before_;
  account.counted = writes.count;
  account.recorded = transactions;
  if (!writes.rows) {
    account.suspected = account.suspected || (changed && quiet);
    return;
  }
  const std::uint64_t counted = writes.count - account.base;
  const std::uint64_t known = recorded.of(writes).rows - account.recorded_base;
  account.excess_now = counted > known ? counted - known : 0;
  account.suspected = account.excess_now > account.excess;
}

std::vector<BypassAccounts::Suspicion> BypassAccounts::look(const std::vector<TableWrites>& counted,
                                                            const RecordedWrites& recorded) {
  unknown_before_ = unknown_;
  unknown_ = recorded.unknown();
  std::vector<Suspicion> out;
  for (const TableWrites& writes : counted) {
    const auto found = accounts_.find(writes.table);
    if (found == accounts_.end()) {
      accounts_.emplace(writes.table, opened(writes, recorded));
      continue;
    }
    Account& account = found->second;
    look_at(account, writes, recorded);
    if (account.suspected) {
      out.push_back({writes.table, writes.members, account.unknown == unknown_});
    }
  }
  return out;
}

void BypassAccounts::explained(const std::vector<Suspicion>& suspected) {
  for (const Suspicion& one : suspected) {
    const auto found = accounts_.find(one.table);
    if (found == accounts_.end()) continue;
    Account& account = found->second;
    account.excess = std::max(account.excess, account.excess_now);
    account.unknown = unknown_;
    account.suspected = false;
  }
}

}  // namespace understudy
