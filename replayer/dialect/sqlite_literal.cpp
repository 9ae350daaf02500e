#include "replayer/dialect/sqlite_literal.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>

namespace understudy {
namespace {

constexpr std::string_view kTextCast = "CAST(X'";
constexpr std::string_view kTextCastEnd = "' AS TEXT)";

[[noreturn]] void refuse() {
  throw std::runtime_error("a value for SQLite is not in the form quote() gives");
}

template <class T>
odbc::Bind fixed(SQLSMALLINT c_type, SQLSMALLINT sql_type, T value) {
  odbc::Bind out;
  out.c_type = c_type;
  out.sql_type = sql_type;
  out.bytes.assign(reinterpret_cast<const char*>(&value), sizeof value);
  out.indicator = sizeof value;
  return out;
}

odbc::Bind variable(SQLSMALLINT c_type, SQLSMALLINT sql_type, std::string bytes) {
  odbc::Bind out;
  out.c_type = c_type;
  out.sql_type = sql_type;
  out.column_size = std::max<SQLULEN>(bytes.size(), 1);
  out.indicator = static_cast<SQLLEN>(bytes.size());
  out.bytes = std::move(bytes);
  return out;
}

std::string undouble(std::string_view inside) {
  std::string out;
  out.reserve(inside.size());
  for (std::size_t i = 0; i < inside.size(); ++i) {
    out += inside[i];
    if (inside[i] != '\'') continue;
    if (++i == inside.size() || inside[i] != '\'') refuse();
  }
  return out;
}

std::string from_hex(std::string_view digits) {
  if (digits.size() % 2 != 0) refuse();
  std::string out(digits.size() / 2, '\0');
  for (std::size_t i = 0; i < out.size(); ++i) {
    unsigned byte = 0;
    const char* first = digits.data() + 2 * i;
    if (std::from_chars(first, first + 2, byte, 16).ptr != first + 2) refuse();
    out[i] = static_cast<char>(byte);
  }
  return out;
}

double real(std::string_view literal) {
  // Out of range: quote() of newer versions writes infinity as 9.0e+999.
  const double sign = literal.front() == '-' ? -1 : 1;
  if (literal == "Inf" || literal == "-Inf") return sign * std::numeric_limits<double>::infinity();
  double value = 0;
  const auto* end = literal.data() + literal.size();
  const auto read = std::from_chars(literal.data(), end, value);
  if (read.ptr != end) refuse();
  if (read.ec != std::errc::result_out_of_range) return value;
  return literal.find("e-") == std::string_view::npos
             ? sign * std::numeric_limits<double>::infinity()
             : sign * 0.0;
}

}  // namespace

odbc::Bind bind_sqlite_literal(std::string_view literal) {
  if (literal.empty()) refuse();
  if (literal == "NULL") return {};
  const bool closed = literal.size() >= 2 && literal.back() == '\'';
  if (literal.front() == '\'') {
    if (!closed) refuse();
    return variable(SQL_C_CHAR, SQL_VARCHAR, undouble(literal.substr(1, literal.size() - 2)));
  }
  if (literal.starts_with(kTextCast)) {
    if (!literal.ends_with(kTextCastEnd)) refuse();
    literal.remove_prefix(kTextCast.size());
    literal.remove_suffix(std::min(kTextCastEnd.size(), literal.size()));
    return variable(SQL_C_CHAR, SQL_VARCHAR, from_hex(literal));
  }
  if (literal.starts_with("X'")) {
    if (!closed || literal.size() < 3) refuse();
    return variable(SQL_C_BINARY, SQL_VARBINARY, from_hex(literal.substr(2, literal.size() - 3)));
  }
  std::int64_t integer = 0;
  const auto* end = literal.data() + literal.size();
  const auto read = std::from_chars(literal.data(), end, integer);
  if (read.ec == std::errc() && read.ptr == end) {
    return fixed(SQL_C_SBIGINT, SQL_BIGINT, integer);
  }
  return fixed(SQL_C_DOUBLE, SQL_DOUBLE, real(literal));
}

}  // namespace understudy
