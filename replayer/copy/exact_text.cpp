#include "replayer/copy/exact_text.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <stdexcept>

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

std::string undouble(const std::string& literal) {
  std::string out;
  for (std::size_t i = 1; i + 1 < literal.size(); ++i) {
    out += literal[i];
    if (literal[i] == '\'') ++i;
  }
  return out;
}

// SQLite's 20 digits of a real as the fewest that name the same double.
std::string shortest(const std::string& real) {
  char digits[32];
  const auto written =
      std::to_chars(digits, digits + sizeof digits, std::strtod(real.c_str(), nullptr));
  return std::string(digits, written.ptr);
}

// 'text', X'hex', a number or Inf, as PostgreSQL's input functions take them.
void sqlite_to_postgresql(const Column& column, odbc::OptionalText* value) {
  if (!*value) return;
  const std::string literal = **value;
  if (literal.starts_with("'")) {
    *value = undouble(literal);
  } else if (literal.starts_with("CAST(")) {
    throw std::runtime_error("column " + column.name +
                             " holds a text with a NUL character, which PostgreSQL does not take");
  } else if (literal.starts_with("X'")) {
    const auto digits = literal.substr(2, literal.size() - 3);
    if (lower_type(column) != "bytea") {
      throw std::runtime_error("column " + column.name +
                               " holds a blob, and the shadow's column is no bytea");
    }
    *value = "\\x" + digits;
  } else if (literal == "Inf" || literal == "-Inf") {
    *value = literal.front() == '-' ? "-Infinity" : "Infinity";
  } else if (lower_type(column) == "boolean") {
    *value = literal == "0" ? "false" : "true";
  } else if (literal.find_first_of(".e") != std::string::npos) {
    *value = shortest(literal);
  }
}

std::string sqlite_text(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += c;
    out += c;
  }
  return out += '\'';
}

bool plain_number(const std::string& text) {
  if (text.empty()) return false;
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  return *end == '\0' && std::isfinite(value);
}

// The storage class follows the shadow column's declared type, as SQLite's affinity would.
void postgresql_to_sqlite(const Column& column, odbc::OptionalText* value) {
  if (!*value) return;
  const std::string text = **value;
  const std::string type = lower_type(column);
  if (has(type, "blob")) {
    if (!text.starts_with("\\x")) {
      throw std::runtime_error("column " + column.name +
                               " is a blob on the shadow and no bytea in production");
    }
    *value = "X'" + text.substr(2) + "'";
  } else if (has(type, "bool") && (text == "true" || text == "false")) {
    *value = text == "true" ? "1" : "0";
  } else if (is_number(column) && plain_number(text)) {
    *value = text;
  } else {
    *value = sqlite_text(text);
  }
}

}  // namespace

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

std::string comparable_number(const std::string& text) {
  if (text == "Infinity" || text == "Inf") return "Inf";
  if (text == "-Infinity" || text == "-Inf") return "-Inf";
  if (text.find_first_not_of("+-.0123456789") == std::string::npos &&
      text.find('.') != std::string::npos) {
    std::string out = text.substr(0, text.find_last_not_of('0') + 1);
    if (out.ends_with('.')) out.pop_back();
    return out == "-0" ? "0" : out;
  }
  if (text.find_first_of("eE") == std::string::npos || !plain_number(text)) return text;
  // With an exponent it is a binary float on at least one side: written without one.
  char digits[400];
  const auto written = std::to_chars(digits, digits + sizeof digits,
                                     std::strtod(text.c_str(), nullptr), std::chars_format::fixed);
  return written.ec == std::errc() ? std::string(digits, written.ptr) : text;
}

ExactConverter exact_converter(Dialect from, Dialect to) {
  if (from == Dialect::sqlite && to == Dialect::postgresql) return sqlite_to_postgresql;
  if (from == Dialect::postgresql && to == Dialect::sqlite) return postgresql_to_sqlite;
  return nullptr;
}

}  // namespace understudy
