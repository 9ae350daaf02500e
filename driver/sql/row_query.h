// Reading one row again by its key, in exact text form: for writes that no RETURNING can follow.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "journal/catalog.h"

namespace understudy::sql {

struct RowQuery {
  /// SELECT of the key columns, and of all columns with the key columns first; each with one
  /// parameter marker for each key column, in key order.
  std::string key_text;
  std::string row_text;
  /// Behind either: locks the row, where another snapshot than the write's own would be read
  /// without. Empty elsewhere.
  std::string lock;
  /// SELECT of the key that the server made last for this connection; empty where the key is not a
  /// single generated column.
  std::string generated_text;
  /// MariaDB: SELECT of the rows that have the first key that the server made for the last
  /// statement of this connection that it made any for, or a later one; empty like
  /// `generated_text`.
  std::string made_text;
  std::string shape;  // Shape::encode() of what row_text gives
  std::uint32_t key_count = 0;
  std::size_t columns = 0;
};

/// Nothing for tables whose rows cannot be effects or found by key, and for engines without an
/// exact text form.
std::optional<RowQuery> row_query(const Table& table, Dialect dialect);

}  // namespace understudy::sql
