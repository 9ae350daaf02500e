// The first load: every mapped table from production's snapshot into the shadow, in batches.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "journal/catalog.h"
#include "replayer/dialect/dialect.h"
#include "replayer/mapping/table_pair.h"

namespace understudy {

/// Whether a foreign key of the same database has `parent` as its parent.
bool refers_to(const ForeignKey& key, const Table& parent);
/// Parents before children by the shadow's foreign keys. Of each cycle one member, which is named,
/// goes before its parents.
std::vector<TablePair> copy_order(std::vector<TablePair> pairs, std::vector<std::string>* cycles);

struct CopyProgress {
  std::uint64_t copied_rows = 0;
  std::uint64_t total_rows = 0;  // counted or estimated at the start
  std::string table;
};

inline constexpr std::uint64_t kCopyBatchRows = 2000;

/// Copies inside production's open snapshot; each batch is one transaction on the shadow. Empties
/// the shadow's tables first when `restart`. Stops early (returns false) when `stop` turns true.
/// `pairs` are in copy_order. Nullable foreign key columns that refer to a table not yet filled (a
/// cycle, a table that refers to itself) are written as NULL first and filled in at the end.
/// `shadow` is in autocommit mode, before and after. Throws odbc::Error.
bool copy_tables(odbc::Connection& production, odbc::Connection& shadow, const SqlDialect& from,
                 const SqlDialect& to, const std::vector<TablePair>& pairs, bool restart,
                 const std::function<void(const CopyProgress&)>& progress,
                 const std::atomic<bool>& stop);

}  // namespace understudy
