// Pieces of statements that every dialect puts together in the same way, and reading small results.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "replayer/dialect/dialect.h"

namespace understudy {

/// `text` between quote marks, those inside doubled.
std::string quoted(std::string_view text, char mark);

/// piece(column) for each column, joined.
std::string join(const std::vector<std::uint32_t>& columns, std::string_view separator,
                 const std::function<std::string(std::uint32_t)>& piece);

/// How a dialect writes a column's name and the parameter that takes its exact text.
struct StatementPieces {
  std::string table;
  std::function<std::string(std::uint32_t)> name;
  std::function<std::string(std::uint32_t)> parameter;
};
/// Expressions are told apart from constants: an engine that lets VALUES refer to columns to the
/// left, and SET see what was set to the left, takes them as they are (`in_place`); otherwise the
/// row is put together in a SELECT first.
std::string insert_statement(const StatementPieces& pieces,
                             const std::vector<std::uint32_t>& columns, std::size_t rows,
                             std::string_view before_values, const std::vector<AddedColumn>& added,
                             bool in_place);
std::string update_statement(const StatementPieces& pieces,
                             const std::vector<std::uint32_t>& columns,
                             const std::vector<std::uint32_t>& key,
                             const std::vector<AddedColumn>& added, bool in_place);
/// Rows of parameters as a SELECT with names; `constants` stand in each of them.
std::string rows_of_parameters(const StatementPieces& pieces,
                               const std::vector<std::uint32_t>& columns, std::size_t rows,
                               const std::vector<AddedColumn>& constants);
std::vector<AddedColumn> constants_of(const std::vector<AddedColumn>& added);
std::vector<AddedColumn> expressions_of(const std::vector<AddedColumn>& added);
/// The added columns' names, or their values, each behind a comma.
std::string comma_names(const StatementPieces& pieces, const std::vector<AddedColumn>& added);
std::string comma_values(const std::vector<AddedColumn>& added);
std::string delete_statement(const StatementPieces& pieces, const std::vector<std::uint32_t>& key);
std::string set_clause(const StatementPieces& pieces, const std::vector<std::uint32_t>& columns);

/// A value in exact text form as a parameter that holds that text.
odbc::Bind text_parameter(std::optional<std::string_view> exact);

/// What the dialects write alike once they have said how they write a column and its parameter.
class WrittenDialect : public SqlDialect {
 public:
  std::string update_sql(const Table& table, const std::vector<std::uint32_t>& columns,
                         const std::vector<std::uint32_t>& key,
                         const std::vector<AddedColumn>& added) const override {
    return update_statement(pieces(table), columns, key, added, in_place());
  }
  std::string delete_sql(const Table& table, const std::vector<std::uint32_t>& key) const override {
    return delete_statement(pieces(table), key);
  }
  std::string clear_sql(const Table& table) const override {
    return "DELETE FROM " + qualified(table);
  }
  std::string update_whole_row_sql(const Table& table,
                                   const std::vector<std::uint32_t>& columns) const override {
    const std::string row = whole_row(table, columns);
    return row.empty() ? row
                       : "UPDATE " + qualified(table) + set_clause(pieces(table), columns) + row;
  }
  std::string delete_whole_row_sql(const Table& table,
                                   const std::vector<std::uint32_t>& columns) const override {
    const std::string row = whole_row(table, columns);
    return row.empty() ? row : "DELETE FROM " + qualified(table) + row;
  }
  using SqlDialect::bind;
  odbc::Bind bind(const Column& column, const odbc::OptionalText& exact) const override {
    return bind(column, exact ? std::optional<std::string_view>(*exact) : std::nullopt);
  }

 protected:
  [[nodiscard]] virtual StatementPieces pieces(const Table& table) const = 0;
  /// See insert_statement.
  [[nodiscard]] virtual bool in_place() const { return false; }
  /// WHERE for one row that has these values in exact text; empty: it cannot be said.
  [[nodiscard]] virtual std::string whole_row(const Table& /*table*/,
                                              const std::vector<std::uint32_t>& /*columns*/) const {
    return {};
  }
};

/// A whole result in texts; for catalog queries.
std::vector<Row> read_rows(odbc::Connection& db, std::string_view sql);

const SqlDialect& postgresql_dialect();
const SqlDialect& sqlite_dialect();
const SqlDialect& mariadb_dialect();

}  // namespace understudy
