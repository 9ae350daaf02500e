// The application's buffers for rows: where a fetch writes, and what a write through the cursor
// reads.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "driver/handle/statement.h"

namespace understudy::capture {

/// A value as the application's buffer held it.
struct BufferedValue {
  SQLSMALLINT c_type = 0;
  SQLLEN indicator = 0;
  std::string bytes;
};

/// What SQLBindCol and SQLSetStmtAttr have set, or what the row descriptors say where the
/// application set fields there or uses an explicit one. Values are read when they are asked for.
/// Make it before a call whose diagnostics the application may read: the real driver may be asked.
class RowBuffers {
 public:
  static RowBuffers of(const Statement& stmt);

  /// False: where the rows are is not known.
  [[nodiscard]] bool known() const { return known_; }
  [[nodiscard]] std::size_t rows() const { return rows_; }  // of a whole rowset
  /// The number of rows that the last fetch has brought; nothing when there is no place for it.
  [[nodiscard]] std::optional<SQLULEN> fetched() const;
  /// SQL_ATTR_ROW_OPERATION_PTR says that this row is left out.
  [[nodiscard]] bool ignored(std::size_t row) const;
  /// SQL_ATTR_ROW_STATUS_PTR says that this row could not be written.
  [[nodiscard]] bool failed(std::size_t row) const;
  [[nodiscard]] bool bound(SQLUSMALLINT column) const;
  /// Nothing when the buffer holds no value: unbound, NULL, left out, or of unknown length. Column
  /// 0 is the bookmark.
  [[nodiscard]] std::optional<BufferedValue> value(SQLUSMALLINT column, std::size_t row,
                                                   SQLSMALLINT sql_type) const;
  /// The column is given no value of the application's: unbound, or SQL_COLUMN_IGNORE.
  [[nodiscard]] bool left_out(SQLUSMALLINT column, std::size_t row) const;
  [[nodiscard]] bool is_null(SQLUSMALLINT column, std::size_t row) const;
  /// Some value of this row comes by SQLPutData.
  [[nodiscard]] bool waits_for_data(std::size_t row) const;

 private:
  struct Column {
    ColumnBinding binding;
    SQLLEN* octet_length = nullptr;  // a place of its own; null: the indicator's
  };
  void read_statement(const Statement& stmt);
  void read_descriptors(const Statement& stmt);
  bool read_records(const Statement& stmt, SQLHDESC app);
  template <class T>
  [[nodiscard]] T* element(T* base, std::size_t row, SQLLEN size) const;
  [[nodiscard]] SQLLEN indicator(const Column& column, std::size_t row) const;

  std::map<SQLUSMALLINT, Column> columns_;
  bool known_ = true;
  std::size_t rows_ = 1;
  SQLULEN bind_type_ = SQL_BIND_BY_COLUMN;
  SQLULEN offset_ = 0;
  const SQLUSMALLINT* operation_ = nullptr;
  const SQLUSMALLINT* status_ = nullptr;
  const SQLULEN* fetched_ = nullptr;
};

}  // namespace understudy::capture
