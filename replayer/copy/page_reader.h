// A table's rows in exact texts, page by page, without an open cursor between pages unless the
// dialect has no place to go on from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "replayer/dialect/dialect.h"

namespace understudy {

/// Drivers hold a page in memory, so pages shrink where rows are wide.
inline constexpr std::uint64_t kPageBytesTarget = 16u << 20;

/// One thread. The table, connection and dialect must outlive it. Throws odbc::Error.
class PageReader {
 public:
  PageReader(odbc::Connection& db, const SqlDialect& dialect, const Table& table,
             std::vector<std::uint32_t> columns, std::uint64_t rows_max,
             std::vector<std::string> more = {});

  /// The next rows, in the order of the columns given, and behind them `more`, expressions as
  /// page_sql takes them; false (and none) at the end.
  bool next(std::vector<Row>* rows);

 private:
  void prepare();
  void execute();
  void adapt(std::uint64_t rows, std::uint64_t bytes);

  odbc::Connection& db_;
  const SqlDialect& dialect_;
  const Table& table_;
  std::vector<std::uint32_t> columns_;
  std::vector<std::string> more_;
  std::uint64_t rows_max_;
  std::uint64_t limit_;
  std::uint64_t prepared_limit_ = 0;
  bool prepared_after_ = false;
  bool end_ = false;
  bool open_ = false;  // of a table that is read in one go
  Row after_;
  odbc::Statement statement_;
};

}  // namespace understudy
