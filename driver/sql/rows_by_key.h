// Rows that a query found before, asked for once more by their keys. MariaDB.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "driver/sql/analyzer.h"

namespace understudy::sql {

/// The text of the query with the index of this name, where it takes one; empty: without.
std::string with_index(const RowsQuery& query, const std::string& index);

using ExactKey = std::vector<std::string>;  // exact texts, none of them NULL

/// The same columns of the rows of these keys, locked, as one text without parameters. Nothing when
/// a key has no literal.
std::optional<std::string> rows_by_key(const RowsQuery& like, std::span<const ExactKey> keys);

}  // namespace understudy::sql
