#include "replayer/values/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "journal/exact_text.h"
#include "replayer/values/comparable.h"

namespace understudy {
namespace {

constexpr std::size_t kBitsMax = 64;  // of MariaDB's BIT

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

[[noreturn]] void wrong_form() {
  throw std::runtime_error("a value is not in the exact text form of its engine");
}

// HEX() of a BIT has no leading zeros, so the width is the column's.
std::string bits_of_hex(std::string_view digits, std::string_view type) {
  std::size_t width = 1;
  if (const auto open = type.find('('); open != std::string_view::npos) {
    std::from_chars(type.data() + open + 1, type.data() + type.size(), width);
  }
  std::string out;
  for (const char c : digits) {
    const int digit = digit_of(c);
    if (digit < 0) wrong_form();
    for (int bit = 3; bit >= 0; --bit) out += (digit >> bit & 1) != 0 ? '1' : '0';
  }
  out.erase(0, std::min(out.find('1'), out.size()));
  if (out.size() > width || width > kBitsMax) wrong_form();
  return out.insert(0, width - out.size(), '0');
}

bool is_mariadb_number(std::string_view base) {
  return base.ends_with("int") || base == "decimal" || base == "float" || base == "double" ||
         base == "year";
}

std::string undouble(std::string_view inside) {
  std::string out;
  out.reserve(inside.size());
  for (std::size_t i = 0; i < inside.size(); ++i) {
    out += inside[i];
    if (inside[i] == '\'') ++i;
  }
  return out;
}

// printf('%!.20g') writes more digits than name the number.
std::string shortest(std::string_view real) {
  const auto value = double_of(real);
  if (!value) wrong_form();
  if (std::isinf(*value)) return *value < 0 ? "-Inf" : "Inf";
  char digits[32];
  const auto written = std::to_chars(digits, digits + sizeof digits, *value);
  return {digits, written.ptr};
}

}  // namespace

std::string bytes_of_hex(std::string_view digits) {
  if (digits.size() % 2 != 0) wrong_form();
  std::string out;
  out.reserve(digits.size() / 2);
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    const int high = digit_of(digits[i]);
    const int low = digit_of(digits[i + 1]);
    if (high < 0 || low < 0) wrong_form();
    out += static_cast<char>(high * 16 + low);
  }
  return out;
}

std::string hex_of_bytes(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

Value mariadb_value(const Column& column, std::string_view exact) {
  const std::string_view base = mariadb_base_type(column.type);
  if (base == "bit") return {Value::Kind::bits, bits_of_hex(exact, column.type)};
  if (mariadb_is_binary(column.type)) return {Value::Kind::bytes, bytes_of_hex(exact)};
  return {is_mariadb_number(base) ? Value::Kind::number : Value::Kind::text, std::string(exact)};
}

Value sqlite_value(std::string_view exact) {
  constexpr std::string_view kTextCast = "CAST(X'";
  constexpr std::string_view kTextCastEnd = "' AS TEXT)";
  const bool closed = exact.size() >= 2 && exact.ends_with('\'');
  if (exact.starts_with('\'')) {
    if (!closed) wrong_form();
    return {Value::Kind::text, undouble(exact.substr(1, exact.size() - 2))};
  }
  if (exact.starts_with("X'")) {
    if (!closed || exact.size() < 3) wrong_form();
    return {Value::Kind::bytes, bytes_of_hex(exact.substr(2, exact.size() - 3))};
  }
  if (exact.starts_with(kTextCast)) {
    if (!exact.ends_with(kTextCastEnd)) wrong_form();
    exact.remove_prefix(kTextCast.size());
    exact.remove_suffix(kTextCastEnd.size());
    return {Value::Kind::text, bytes_of_hex(exact)};
  }
  const bool integer = !exact.empty() && exact.find_first_not_of("-0123456789") == exact.npos;
  return {Value::Kind::number, integer ? std::string(exact) : shortest(exact)};
}

}  // namespace understudy
