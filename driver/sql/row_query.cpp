#include "driver/sql/row_query.h"

#include "driver/sql/dialects.h"
#include "driver/sql/mariadb_rows.h"
#include "journal/exact_text.h"

namespace understudy::sql {
namespace {

std::string quoted(std::string_view name, Dialect dialect) {
  return dialect == Dialect::mariadb ? backticked(name) : quote_identifier(name);
}

std::string exact_column(const Column& column, Dialect dialect) {
  const std::string name = quoted(column.name, dialect);
  if (dialect == Dialect::mariadb) return mariadb_exact_text(name, column.type);
  if (dialect == Dialect::postgresql) return name + "::text";
  return column.identity ? "quote(" + name + ")" : sqlite_exact_text(name);
}

std::string generated_key_text(const Column& column, Dialect dialect) {
  if (dialect == Dialect::mariadb) return column.identity ? "SELECT LAST_INSERT_ID()" : "";
  if (dialect == Dialect::sqlite) return column.identity ? "SELECT last_insert_rowid()" : "";
  if (column.sequence.empty()) return {};
  std::string text = "SELECT pg_catalog.currval('";
  for (const char c : column.sequence) text.append(c == '\'' ? 2 : 1, c);
  return text + "')::text";
}

// The server gives rows of one statement growing keys, and tells the first.
std::string made_rows_text(const std::string& columns, const Table& table, const Column& key) {
  std::string text = "SELECT " + columns + " FROM ";
  if (!table.schema.empty()) text += backticked(table.schema) + '.';
  text += backticked(table.name) + " WHERE " + backticked(key.name) + " >= LAST_INSERT_ID()";
  return text;
}

}  // namespace

std::optional<RowQuery> row_query(const Table& table, Dialect dialect) {
  if (dialect == Dialect::generic) return std::nullopt;
  const bool known = table_obstacle(&table).empty() && !table.inherited;
  if (!known || table.key.empty()) return std::nullopt;
  // A key in floating point is found neither by a text nor by the application's own number.
  if (dialect == Dialect::mariadb && !readable_by_text(table)) return std::nullopt;
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
  if (!table.schema.empty()) from += quoted(table.schema, dialect) + '.';
  from += quoted(table.name, dialect) + " WHERE ";
  for (std::size_t i = 0; i < table.key.size(); ++i) {
    if (i != 0) from += " AND ";
    from += quoted(table.columns[table.key[i]].name, dialect) + " = ?";
  }
  out.key_text = "SELECT " + out.key_text + from;
  out.row_text = "SELECT " + list + from;
  if (dialect == Dialect::mariadb) out.lock = " FOR UPDATE";
  if (table.key.size() == 1) {
    const Column& key = table.columns[table.key.front()];
    out.generated_text = generated_key_text(key, dialect);
    if (dialect == Dialect::mariadb && key.identity) {
      out.made_text = made_rows_text(list, table, key);
    }
  }
  return out;
}

}  // namespace understudy::sql
