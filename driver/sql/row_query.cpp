#include "driver/sql/row_query.h"

#include "driver/sql/dialects.h"
#include "journal/exact_text.h"

namespace understudy::sql {
namespace {

std::string exact_column(const Column& column, Dialect dialect) {
  const std::string name = quote_identifier(column.name);
  if (dialect == Dialect::postgresql) return name + "::text";
  return column.identity ? "quote(" + name + ")" : sqlite_exact_text(name);
}

}  // namespace

std::optional<RowQuery> row_query(const Table& table, Dialect dialect) {
  if (dialect != Dialect::postgresql && dialect != Dialect::sqlite) return std::nullopt;
  if (!table_obstacle(&table).empty() || table.key.empty()) return std::nullopt;
  Analysis effects;
  set_effects(&effects, table, Verb::put);
  RowQuery out;
  out.shape = effects.shape;
  out.key_count = effects.key_count;
  out.columns = effects.columns.size();
  std::string list;
  for (std::size_t i = 0; i < effects.columns.size(); ++i) {
    if (i == out.key_count) out.key_text = list;
    if (i != 0) list += ", ";
    list += exact_column(table.columns[effects.columns[i]], dialect);
  }
  if (out.columns == out.key_count) out.key_text = list;
  std::string from = " FROM ";
  if (!table.schema.empty()) from += quote_identifier(table.schema) + '.';
  from += quote_identifier(table.name) + " WHERE ";
  for (std::size_t i = 0; i < table.key.size(); ++i) {
    if (i != 0) from += " AND ";
    from += quote_identifier(table.columns[table.key[i]].name) + " = ?";
  }
  out.key_text = "SELECT " + out.key_text + from;
  out.row_text = "SELECT " + list + from;
  return out;
}

}  // namespace understudy::sql
