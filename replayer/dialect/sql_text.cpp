#include "replayer/dialect/sql_text.h"

#include <algorithm>

namespace understudy {

std::string quoted(std::string_view text, char mark) {
  std::string out(1, mark);
  for (const char c : text) {
    if (c == mark) out += mark;
    out += c;
  }
  return out += mark;
}

std::string join(const std::vector<std::uint32_t>& columns, std::string_view separator,
                 const std::function<std::string(std::uint32_t)>& piece) {
  std::string out;
  for (const auto column : columns) {
    if (!out.empty()) out += separator;
    out += piece(column);
  }
  return out;
}

std::string insert_statement(const StatementPieces& pieces,
                             const std::vector<std::uint32_t>& columns, std::size_t rows,
                             std::string_view before_values) {
  std::string out = "INSERT INTO " + pieces.table;
  if (columns.empty()) return out + " DEFAULT VALUES";
  out += " (" + join(columns, ", ", pieces.name) + ")";
  out += before_values;
  const std::string row = "(" + join(columns, ", ", pieces.parameter) + ")";
  for (std::size_t i = 0; i < rows; ++i) out += (i == 0 ? " VALUES " : ", ") + row;
  return out;
}

namespace {

std::string where_key(const StatementPieces& pieces, const std::vector<std::uint32_t>& key) {
  return " WHERE " + join(key, " AND ", [&](std::uint32_t column) {
           return pieces.name(column) + " = " + pieces.parameter(column);
         });
}

}  // namespace

std::string set_clause(const StatementPieces& pieces, const std::vector<std::uint32_t>& columns) {
  return " SET " + join(columns, ", ", [&](std::uint32_t column) {
           return pieces.name(column) + " = " + pieces.parameter(column);
         });
}

std::string update_statement(const StatementPieces& pieces,
                             const std::vector<std::uint32_t>& columns,
                             const std::vector<std::uint32_t>& key) {
  return "UPDATE " + pieces.table + set_clause(pieces, columns) + where_key(pieces, key);
}

std::string delete_statement(const StatementPieces& pieces, const std::vector<std::uint32_t>& key) {
  return "DELETE FROM " + pieces.table + where_key(pieces, key);
}

odbc::Bind text_parameter(std::optional<std::string_view> exact) {
  odbc::Bind out;
  out.utf8 = true;
  out.column_size = 1;
  if (!exact) return out;
  out.column_size = std::max<SQLULEN>(exact->size(), 1);
  out.bytes = *exact;
  out.indicator = static_cast<SQLLEN>(exact->size());
  return out;
}

std::vector<Row> read_rows(odbc::Connection& db, std::string_view sql) {
  odbc::Statement statement(db);
  statement.execute_direct(sql);
  const int columns = statement.column_count();
  std::vector<Row> rows;
  while (statement.fetch()) {
    auto& row = rows.emplace_back();
    for (int column = 1; column <= columns; ++column) row.push_back(statement.text(column));
  }
  return rows;
}

}  // namespace understudy
