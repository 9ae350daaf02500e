// Comparing production and shadow row by row, each in a snapshot of one common point.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "replayer/copy/copy.h"

namespace understudy {

struct TableDifference {
  std::string table;
  std::uint64_t rows_compared = 0;
  std::uint64_t missing = 0;  // on the shadow
  std::uint64_t extra = 0;    // on the shadow
  std::uint64_t different = 0;
  std::vector<Row> first_keys;  // at most kFirstKeysMax, exact texts; shown only with --show-values
};
inline constexpr std::size_t kFirstKeysMax = 10;

struct VerifyResult {
  std::uint64_t rows_compared = 0;
  std::uint64_t rows_different = 0;
  std::vector<TableDifference> tables;  // all tables, also the equal ones
};

/// Both connections are inside their snapshots. Order of a table's rows may differ between the
/// sides (collations): rows are matched by key whatever the order. Tables without a key are
/// compared as multisets of rows. Exact texts are compared; numbers by value where the types of a
/// column differ. Columns that only the shadow has are compared with what `added` gives them.
/// Progress counts compared rows. When `stop` turns true the tables not finished are left out of
/// the result. Throws odbc::Error, std::runtime_error at the limit of rows that wait.
VerifyResult compare_tables(odbc::Connection& production, odbc::Connection& shadow,
                            const SqlDialect& from, const SqlDialect& to,
                            const std::vector<TablePair>& pairs,
                            const std::function<void(const CopyProgress&)>& progress,
                            const std::atomic<bool>& stop);

}  // namespace understudy
