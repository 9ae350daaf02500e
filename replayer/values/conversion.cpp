#include "replayer/values/conversion.h"

#include "journal/exact_text.h"
#include "replayer/values/comparable.h"

namespace understudy {
namespace {

std::string lower_type(const Column& column) {
  std::string out;
  for (const char c : column.type) out += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

bool has(const std::string& text, const char* word) {
  return text.find(word) != std::string::npos;
}

bool is_number(const Column& column) {
  const std::string type = lower_type(column);
  if (has(type, "char") || has(type, "text") || has(type, "[]") || has(type, "interval") ||
      has(type, "point") || has(type, "range")) {
    return false;
  }
  for (const char* word : {"int", "num", "dec", "real", "floa", "doub"}) {
    if (has(type, word)) return true;
  }
  return false;
}

bool is_moment(const Column& column) {
  const std::string type = lower_type(column);
  return !has(type, "[]") && !has(type, "range") && (has(type, "date") || has(type, "timestamp"));
}

// Without what two types write differently: the zone UTC, zeros of a fraction, midnight.
std::string comparable_moment(std::string text) {
  if (text.ends_with("+00")) text.resize(text.size() - 3);
  if (text.find('.') != std::string::npos) {
    text.resize(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.pop_back();
  }
  constexpr std::string_view kMidnight = " 00:00:00";
  if (text.ends_with(kMidnight)) text.resize(text.size() - kMidnight.size());
  return text;
}

std::string text_of_literal(const std::string& literal) {
  if (!literal.starts_with('\'')) return literal;
  std::string out;
  for (std::size_t i = 1; i + 1 < literal.size(); ++i) {
    out += literal[i];
    if (literal[i] == '\'') ++i;  // doubled
  }
  return out;
}

std::string sqlite_text(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += c;
    out += c;
  }
  return out += '\'';
}

// The storage class follows the shadow column's declared type, as SQLite's affinity would.
std::string postgresql_to_sqlite(const Column& column, const std::string& text) {
  const std::string type = lower_type(column);
  if (has(type, "blob")) {
    if (!text.starts_with("\\x"))
      throw Unconvertible("no bytea, and the shadow's column is a blob");
    return "X'" + text.substr(2) + "'";
  }
  if (has(type, "bool") && (text == "true" || text == "false")) return text == "true" ? "1" : "0";
  const bool finite = text.find("nfinity") == std::string::npos;
  return is_number(column) && finite && double_of(text) ? text : sqlite_text(text);
}

}  // namespace

bool converts(Dialect from, Dialect to) {
  if (from == to) return true;
  return to == Dialect::postgresql && (from == Dialect::mariadb || from == Dialect::sqlite);
}

Conversion::Conversion(Dialect from, const Column& production, Dialect to, const Column& shadow)
    : production_(production), shadow_(shadow) {
  if (from != to && to == Dialect::postgresql) {
    way_ = from == Dialect::mariadb ? Way::mariadb_to_postgresql : Way::sqlite_to_postgresql;
    type_ = postgresql_type(shadow.type);
  } else if (from != to && to == Dialect::sqlite) {
    way_ = Way::to_sqlite;
  }
  compare_ = comparison(from);
}

// On one engine under two types, as after a column was retyped.
Conversion::Compare Conversion::comparison_of_types(Dialect engine) const {
  const bool number = is_number(production_);
  if (number && is_number(shadow_)) return Compare::decimal;
  if (engine == Dialect::sqlite && number != is_number(shadow_)) return Compare::literal;
  return is_moment(production_) && is_moment(shadow_) ? Compare::moment : Compare::text;
}

Conversion::Compare Conversion::comparison(Dialect from) const {
  if (way_ == Way::same) {
    return production_.type == shadow_.type ? Compare::text : comparison_of_types(from);
  }
  if (way_ == Way::to_sqlite) {
    return is_number(production_) && is_number(shadow_) ? Compare::decimal : Compare::text;
  }
  switch (type_) {
    case PostgresqlType::integer:
    case PostgresqlType::numeric:
      return Compare::decimal;
    case PostgresqlType::real:
      return Compare::real;
    case PostgresqlType::double_precision:
      return Compare::double_precision;
    case PostgresqlType::jsonb:
      return Compare::json;
    default:
      return Compare::text;
  }
}

void Conversion::convert(odbc::OptionalText* value) const {
  if (!*value || way_ == Way::same) return;
  try {
    *value = way_ == Way::to_sqlite ? postgresql_to_sqlite(shadow_, **value)
                                    : postgresql_text(way_ == Way::mariadb_to_postgresql
                                                          ? mariadb_value(production_, **value)
                                                          : sqlite_value(**value),
                                                      type_, shadow_.type);
  } catch (const Unconvertible& reason) {
    throw Unconvertible("column " + production_.name + " holds " + reason.what());
  }
}

void Conversion::make_comparable(bool of_shadow, odbc::OptionalText* value) const {
  if (!*value) return;
  switch (compare_) {
    case Compare::text:
      return;
    case Compare::decimal:
      *value = comparable_decimal(**value);
      return;
    case Compare::real:
      *value = comparable_float(**value, of_shadow);
      return;
    case Compare::double_precision:
      *value = comparable_float(**value, false);
      return;
    case Compare::json:
      *value = comparable_json(**value);
      return;
    case Compare::moment:
      *value = comparable_moment(**value);
      return;
    case Compare::literal:
      *value = comparable_decimal(text_of_literal(**value));
      return;
  }
}

std::string Conversion::obstacle() const {
  if (way_ != Way::mariadb_to_postgresql) return {};
  const std::string_view base = mariadb_base_type(production_.type);
  const bool bits = base == "bit";
  const bool bytes = !bits && mariadb_is_binary(production_.type);
  const bool takes_bytes = type_ == PostgresqlType::bytes || type_ == PostgresqlType::uuid;
  const bool takes_bits = type_ == PostgresqlType::bits || type_ == PostgresqlType::boolean ||
                          type_ == PostgresqlType::integer || type_ == PostgresqlType::numeric ||
                          type_ == PostgresqlType::text;
  const bool date = base == "date" || base == "datetime" || base == "timestamp" || base == "time";
  const bool takes_number = type_ == PostgresqlType::integer || type_ == PostgresqlType::numeric ||
                            type_ == PostgresqlType::real || type_ == PostgresqlType::boolean ||
                            type_ == PostgresqlType::double_precision;
  const bool wrong = (bytes && !takes_bytes) || (bits && !takes_bits) || (date && takes_number) ||
                     (type_ == PostgresqlType::bits && !bits);
  if (!wrong) return {};
  return production_.type + " does not become " + shadow_.type;
}

}  // namespace understudy
