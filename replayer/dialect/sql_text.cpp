#include "replayer/dialect/sql_text.h"

#include <algorithm>
#include <iterator>

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

std::vector<AddedColumn> constants_of(const std::vector<AddedColumn>& added) {
  std::vector<AddedColumn> out;
  std::copy_if(added.begin(), added.end(), std::back_inserter(out),
               [](const AddedColumn& one) { return one.constant; });
  return out;
}

std::vector<AddedColumn> expressions_of(const std::vector<AddedColumn>& added) {
  std::vector<AddedColumn> out;
  std::copy_if(added.begin(), added.end(), std::back_inserter(out),
               [](const AddedColumn& one) { return !one.constant; });
  return out;
}

std::string comma_names(const StatementPieces& pieces, const std::vector<AddedColumn>& added) {
  std::string out;
  for (const auto& one : added) out.append(", ").append(pieces.name(one.column));
  return out;
}

std::string comma_values(const std::vector<AddedColumn>& added) {
  std::string out;
  for (const auto& one : added) out.append(", ").append(one.sql);
  return out;
}

std::string rows_of_parameters(const StatementPieces& pieces,
                               const std::vector<std::uint32_t>& columns, std::size_t rows,
                               const std::vector<AddedColumn>& constants) {
  std::string first = "SELECT " + join(columns, ", ", [&](std::uint32_t column) {
                        return pieces.parameter(column) + " AS " + pieces.name(column);
                      });
  for (const auto& one : constants) {
    first.append(", ").append(one.sql).append(" AS ").append(pieces.name(one.column));
  }
  const std::string other =
      " UNION ALL SELECT " + join(columns, ", ", pieces.parameter) + comma_values(constants);
  for (std::size_t i = 1; i < rows; ++i) first += other;
  return first;
}

std::string insert_statement(const StatementPieces& pieces,
                             const std::vector<std::uint32_t>& columns, std::size_t rows,
                             std::string_view before_values, const std::vector<AddedColumn>& added,
                             bool in_place) {
  std::string out = "INSERT INTO " + pieces.table;
  if (columns.empty()) return out + " DEFAULT VALUES";
  const auto constants = constants_of(added);
  const auto expressions = expressions_of(added);
  const std::string names = join(columns, ", ", pieces.name) + comma_names(pieces, constants);
  out += " (" + names + comma_names(pieces, expressions) + ")";
  out += before_values;
  if (!expressions.empty() && !in_place) {
    return out + " SELECT " + names + comma_values(expressions) + " FROM (" +
           rows_of_parameters(pieces, columns, rows, constants) + ") AS r";
  }
  const std::string row = "(" + join(columns, ", ", pieces.parameter) + comma_values(constants) +
                          comma_values(expressions) + ")";
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
                             const std::vector<std::uint32_t>& key,
                             const std::vector<AddedColumn>& added, bool in_place) {
  const auto expressions = expressions_of(added);
  std::string set = set_clause(pieces, columns);
  if (in_place) {
    for (const auto& one : expressions) {
      set.append(", ").append(pieces.name(one.column)).append(" = ").append(one.sql);
    }
  } else if (!expressions.empty()) {
    const std::string names = join(columns, ", ", pieces.name);
    set = " SET (" + names + comma_names(pieces, expressions) + ") = (SELECT " + names +
          comma_values(expressions) + " FROM (" + rows_of_parameters(pieces, columns, 1, {}) +
          ") AS r)";
  }
  return "UPDATE " + pieces.table + set + where_key(pieces, key);
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
