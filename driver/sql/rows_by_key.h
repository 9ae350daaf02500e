// Rows asked for by their keys when a statement has changed them: those that a query found before,
// on MariaDB and engines that are not known, and those that a MERGE has kept, on PostgreSQL.
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

/// The same of a query that says how it begins; see RowsQuery::again.
std::optional<std::string> generic_rows_by_key(const RowsQuery& like,
                                               std::span<const ExactKey> keys);

/// Generic: a query that reads a table and finds nothing; empty when there is no table.
std::string generic_nothing(const Catalog& catalog);

/// PostgreSQL: `columns` in exact text form of the rows whose `lookup` columns have these values;
/// as one text without parameters.
std::string postgresql_rows_by(const Table& table, const std::vector<std::uint32_t>& columns,
                               const std::vector<std::uint32_t>& lookup,
                               std::span<const ExactKey> keys);

}  // namespace understudy::sql
