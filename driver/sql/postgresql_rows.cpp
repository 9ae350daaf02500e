#include "driver/sql/dialects.h"
#include "driver/sql/rows_by_key.h"

namespace understudy::sql {
namespace {

// Reads alike whatever standard_conforming_strings says.
std::string literal(std::string_view text) {
  std::string out = "E'";
  for (const char c : text) out.append(c == '\'' || c == '\\' ? 2 : 1, c);
  return out += '\'';
}

}  // namespace

std::string postgresql_rows_by(const Table& table, const std::vector<std::uint32_t>& columns,
                               const std::vector<std::uint32_t>& lookup,
                               std::span<const ExactKey> keys) {
  std::string out = "SELECT ";
  for (const std::uint32_t ordinal : columns) {
    if (ordinal != columns.front()) out += ", ";
    out += quote_identifier(table.columns[ordinal].name) + "::text";
  }
  out += " FROM " + quote_identifier(table.schema) + '.' + quote_identifier(table.name);
  const char* between = " WHERE (";
  for (const ExactKey& key : keys) {
    out += between;
    for (std::size_t i = 0; i < lookup.size(); ++i) {
      if (i != 0) out += " AND ";
      out += quote_identifier(table.columns[lookup[i]].name) + " = " + literal(key[i]);
    }
    out += ')';
    between = " OR (";
  }
  return out;
}

}  // namespace understudy::sql
