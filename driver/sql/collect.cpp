#include "driver/sql/collect.h"

#include <span>

namespace understudy::sql {
namespace {

constexpr std::string_view kKept =
    "coalesce(pg_catalog.current_setting('understudy.rows', true), '')";

}  // namespace

std::string collected_value(std::string_view text_expression) {
  const std::string text(text_expression);
  return "coalesce(pg_catalog.char_length(" + text + ")::text || ':' || " + text + ", '-')";
}

namespace {

// In halves, so that the tree of it stays flat however many there are.
void join_values(std::span<const std::string> text_expressions, std::string* out) {
  if (text_expressions.size() == 1) {
    *out += collected_value(text_expressions.front());
    return;
  }
  const std::size_t half = text_expressions.size() / 2;
  *out += '(';
  join_values(text_expressions.first(half), out);
  *out += " || ";
  join_values(text_expressions.subspan(half), out);
  *out += ')';
}

}  // namespace

std::string collected_row(const std::vector<std::string>& text_expressions) {
  std::string row;
  if (!text_expressions.empty()) join_values(text_expressions, &row);
  return row;
}

std::string collecting_expression(const std::vector<std::string>& text_expressions) {
  const std::string row = collected_row(text_expressions);
  const std::string kept(kKept);
  const std::string too_much = "'" + std::string(kCollectedTooMuch) + "'";
  return "pg_catalog.set_config('understudy.rows', CASE WHEN " + kept + " = " + too_much +
         " OR pg_catalog.char_length(" + kept + ") > " + std::to_string(kCollectedCharactersMax) +
         " THEN " + too_much + " ELSE " + kept + " || " + row + " END, true)";
}

std::string collect_sql() {
  return "SELECT pg_catalog.current_setting('understudy.rows', true), "
         "pg_catalog.pg_current_xact_id()::text, "
         "pg_catalog.set_config('understudy.rows', '', true)";
}

namespace {

// Each with a comma before it.
std::string mariadb_row(const std::vector<std::string>& text_expressions) {
  std::string row;
  for (const std::string& one : text_expressions) {
    row += ", COALESCE(CONCAT(LENGTH(";
    row += one;
    row += "), ':', CAST(";
    row += one;
    row += " AS BINARY)), '-')";
  }
  return row;
}

}  // namespace

std::string mariadb_collecting_expression(const std::vector<std::string>& text_expressions) {
  const std::string name = "@understudy_rows";
  const std::string kept = "COALESCE(" + name + ", '')";
  const std::string row = mariadb_row(text_expressions);
  const std::string too_much = "'" + std::string(kCollectedTooMuch) + "'";
  // CONCAT is NULL when its value does not fit into a packet.
  return "LENGTH(" + name + " := IF(" + kept + " = " + too_much + " OR LENGTH(" + kept + ") > " +
         std::to_string(kCollectedCharactersMax) + ", " + too_much + ", COALESCE(CONCAT(" + kept +
         row + "), " + too_much + "))) IS NULL";
}

KeepingAssignments mariadb_keeping(const std::string& column, const std::vector<std::string>& key,
                                   const std::vector<std::string>& columns) {
  const std::string itself = " IS NULL, " + column + ", " + column + ")";
  const std::string too_much = "'" + std::string(kCollectedTooMuch) + "'";
  const std::string kept = "COALESCE(@understudy_rows, '')";
  const std::string row = "CONCAT(''" + mariadb_row(columns) + ")";
  KeepingAssignments out;
  out.first = column + " = IF(CONCAT(@understudy_was := " + row + ", @understudy_key := CONCAT(''" +
              mariadb_row(key) + "))" + itself;
  out.last = column + " = IF((@understudy_rows := IF(" + row +
             " = @understudy_was, @understudy_rows, IF(" + kept + " = " + too_much + " OR LENGTH(" +
             kept + ") > " + std::to_string(kCollectedCharactersMax) + ", " + too_much +
             ", COALESCE(CONCAT(" + kept + ", @understudy_key, " + row + "), " + too_much + "))))" +
             itself;
  return out;
}

KeepingAssignments mariadb_marking(const std::string& column,
                                   const std::vector<std::string>& columns) {
  const std::string itself = " IS NULL, " + column + ", " + column + ")";
  const std::string row = "CONCAT(''" + mariadb_row(columns) + ")";
  KeepingAssignments out;
  out.first = column + " = IF((@understudy_was := " + row + ")" + itself;
  out.last = column + " = IF((@understudy_rows := CONCAT(COALESCE(@understudy_rows, ''), IF(" +
             row + " = @understudy_was, '" + kUpsertSame + "', '" + kUpsertChanged + "')))" +
             itself;
  return out;
}

std::string mariadb_collect_begin_sql() {
  return "SET @understudy_rows = NULL, @understudy_was = NULL, @understudy_key = NULL";
}

std::string mariadb_collect_sql() {
  return "SELECT @understudy_rows, @understudy_rows := NULL";
}

}  // namespace understudy::sql
