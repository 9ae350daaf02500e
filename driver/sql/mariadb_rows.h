// Queries for rows that MariaDB does not return: of UPDATE, of changes of several tables, of
// upserts. Internal to driver/sql, but for `rows_by_key`.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "driver/sql/recogniser.h"
#include "driver/sql/text_parts.h"

namespace understudy::sql {

/// One table among those that an UPDATE or DELETE names.
struct Source {
  const Table* table = nullptr;  // null: a subquery, or a table that nothing is known of
  std::string name;              // without a database; empty when one is named
  std::string alias;             // or the table's name
};

/// `table [AS alias] JOIN ... ON ...`, tokens from `from` to `to`. Nothing: not understood.
std::optional<std::vector<Source>> table_references(const TokenizedText& text,
                                                    const Catalog& catalog, std::size_t from,
                                                    std::size_t to);

/// SELECT of the rows of one source, all columns or the key alone, FROM what `rest` says.
RowsQuery rows_query(const Source& source, bool key_only, const TextParts& rest);

/// Whether rows of this table can be asked for by their keys as literals.
bool readable_by_key(const Table& table);

/// Whether they can be by parameters that hold the exact texts of their keys, too.
bool readable_by_text(const Table& table);

}  // namespace understudy::sql
