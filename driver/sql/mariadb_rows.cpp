#include "driver/sql/mariadb_rows.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <system_error>

#include "driver/sql/rows_by_key.h"
#include "journal/exact_text.h"

namespace understudy::sql {
namespace {

bool one_of(const Token& token, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return token.is_word(word); });
}

bool begins_join(const Token& token) {
  return token.is(',') || one_of(token, {"JOIN", "STRAIGHT_JOIN"});
}

bool is_alias(const Token& token) {
  if (token.kind == TokenKind::quoted_identifier) return true;
  return token.kind == TokenKind::word &&
         !one_of(token, {"JOIN", "INNER", "LEFT", "RIGHT", "CROSS", "NATURAL", "STRAIGHT_JOIN",
                         "OUTER", "ON", "USING", "USE", "FORCE", "IGNORE", "PARTITION", "FOR"});
}

/// A key in the form that a query of literals may hold; nothing for a value that is none.
std::optional<std::string> literal(const Column& column, std::string_view exact) {
  const std::string_view base = mariadb_base_type(column.type);
  if (base == "bit") {
    std::uint64_t number = 0;
    const char* end = exact.data() + exact.size();
    const auto [read, error] = std::from_chars(exact.data(), end, number, 16);
    return error == std::errc{} && read == end ? std::optional(std::to_string(number))
                                               : std::nullopt;
  }
  if (mariadb_is_binary(column.type)) {
    const bool digits = exact.find_first_not_of("0123456789ABCDEF") == std::string_view::npos;
    return digits ? std::optional("x'" + std::string(exact) + "'") : std::nullopt;
  }
  if (base.ends_with("int") || base == "decimal" || base == "year") {
    const bool number = exact.find_first_not_of("0123456789.-") == std::string_view::npos;
    return number && !exact.empty() ? std::optional(std::string(exact)) : std::nullopt;
  }
  if (base == "double" || base == "float") {
    const bool number = exact.find_first_not_of("0123456789.-+e") == std::string_view::npos;
    if (!number || exact.empty()) return std::nullopt;
    // Without an exponent it is a DECIMAL, which is compared digit by digit.
    return std::string(exact) + (exact.find('e') == std::string_view::npos ? "e0" : "");
  }
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out = "CONVERT(x'";
  for (const char c : exact) {
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out + "' USING utf8mb4)";
}

/// Types of which a parameter in the exact text form finds the same row.
bool text_type(const Column& column) {
  const std::string_view base = mariadb_base_type(column.type);
  for (const std::string_view known : {"decimal", "year", "date", "datetime", "time", "uuid",
                                       "binary", "varbinary", "char", "varchar"}) {
    if (base == known) return true;
  }
  return base.ends_with("int");
}

bool literal_type(const Column& column) {
  const std::string_view base = mariadb_base_type(column.type);
  return text_type(column) || base == "double" || base == "float" || base == "inet6" ||
         base == "enum" || base == "bit";
}

bool all_of_key(const Table& table, bool (*known)(const Column&)) {
  return !table.key.empty() &&
         std::all_of(table.key.begin(), table.key.end(),
                     [&](std::uint32_t ordinal) { return known(table.columns[ordinal]); });
}

std::string column_list(const Table& table, const std::vector<std::uint32_t>& columns,
                        const std::string& qualifier) {
  std::string out;
  for (const std::uint32_t ordinal : columns) {
    const Column& column = table.columns[ordinal];
    if (!out.empty()) out += ", ";
    out += mariadb_exact_text(qualifier + backticked(column.name), column.type);
  }
  return out;
}

}  // namespace

std::optional<std::vector<Source>> table_references(const TokenizedText& text,
                                                    const Catalog& catalog, std::size_t from,
                                                    std::size_t to) {
  std::vector<Source> out;
  Cursor at(text.tokens, from, to, catalog.dialect);
  bool wanted = true;
  while (!at.done()) {
    if (!wanted) {
      wanted = begins_join(at.peek());
      if (!at.peek().is('(')) {
        at.take();
      } else if (!at.skip_parentheses()) {
        return std::nullopt;
      }
      continue;
    }
    wanted = false;
    Source source;
    if (at.peek().is('(')) {
      if (!at.peek(1).is_word("SELECT") || !at.skip_parentheses()) return std::nullopt;
    } else {
      auto name = at.name();
      std::string database;
      if (name && at.accept('.')) {
        database = std::move(*name);
        name = at.name();
      }
      if (!name) return std::nullopt;
      source.table = catalog.find(database, *name);
      source.alias = *name;
      if (database.empty()) source.name = *name;
    }
    const bool named = at.accept("AS");
    if (named || is_alias(at.peek())) {
      const auto alias = at.name();
      if (!alias) return std::nullopt;
      source.alias = *alias;
    }
    out.push_back(std::move(source));
  }
  return wanted ? std::nullopt : std::optional(std::move(out));
}

RowsQuery rows_query(const Source& source, bool key_only, const TextParts& rest) {
  Analysis effects;
  set_effects(&effects, *source.table, key_only ? Verb::remove : Verb::update);
  RowsQuery out;
  out.table = source.table;
  out.columns = std::move(effects.columns);
  out.key_count = effects.key_count;
  out.shape = std::move(effects.shape);
  const std::string select =
      "SELECT " + column_list(*source.table, out.columns, backticked(source.alias) + '.') +
      " FROM ";
  out.text = select + rest.text() + " FOR UPDATE";
  out.hint_at = rest.hint_at() == 0 ? 0 : select.size() + rest.hint_at();
  out.parameters = rest.parameters();
  return out;
}

bool readable_by_key(const Table& table) {
  return all_of_key(table, literal_type);
}

bool readable_by_text(const Table& table) {
  return all_of_key(table, text_type);
}

std::string with_index(const RowsQuery& query, const std::string& index) {
  std::string text = query.text;
  if (!index.empty()) text.insert(query.hint_at, " FORCE INDEX (" + backticked(index) + ')');
  return text;
}

std::optional<std::string> rows_by_key(const RowsQuery& like, std::span<const ExactKey> keys) {
  if (!like.again.empty()) return generic_rows_by_key(like, keys);
  const Table& table = *like.table;
  std::string out = "SELECT " + column_list(table, like.columns, "") + " FROM ";
  if (!table.schema.empty()) out += backticked(table.schema) + '.';
  // A scan of the table would lock the rows of others.
  out += backticked(table.name) + " FORCE INDEX (PRIMARY) WHERE ";
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i != 0) out += " OR ";
    out += '(';
    for (std::size_t k = 0; k < like.key_count; ++k) {
      const Column& column = table.columns[table.key[k]];
      const auto value = literal(column, keys[i][k]);
      if (!value) return std::nullopt;
      if (k != 0) out += " AND ";
      out += backticked(column.name) + " = " + *value;
    }
    out += ')';
  }
  return out + " FOR UPDATE";
}

}  // namespace understudy::sql
