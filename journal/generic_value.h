// The dialect `generic`: how a value is written as a text where nothing is known of the engine but
// what its ODBC driver tells. Shared by driver and replayer. Pure.
#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace understudy {

/// SQL data types, by their numbers in ODBC, as far as they are told apart.
enum class GenericKind : std::uint8_t {
  integer,
  decimal,
  real,     // binary floating point: read as a double, written with the digits that name it
  text,     // of varying length
  padded,   // of fixed length: equal values may be different texts
  bytes,    // hexadecimal digits
  moment,   // dates, times, timestamps: what a driver tells of them may be up to the session
  unknown,  // as the driver writes it
};

inline GenericKind generic_kind(long sql_type) {
  switch (sql_type) {
    case -6:  // SQL_TINYINT
    case 5:   // SQL_SMALLINT
    case 4:   // SQL_INTEGER
    case -5:  // SQL_BIGINT
      return GenericKind::integer;
    case 2:  // SQL_NUMERIC
    case 3:  // SQL_DECIMAL
      return GenericKind::decimal;
    case 6:  // SQL_FLOAT
    case 7:  // SQL_REAL
    case 8:  // SQL_DOUBLE
      return GenericKind::real;
    case 12:   // SQL_VARCHAR
    case -1:   // SQL_LONGVARCHAR
    case -9:   // SQL_WVARCHAR
    case -10:  // SQL_WLONGVARCHAR
      return GenericKind::text;
    case 1:   // SQL_CHAR
    case -8:  // SQL_WCHAR
      return GenericKind::padded;
    case -2:  // SQL_BINARY
    case -3:  // SQL_VARBINARY
    case -4:  // SQL_LONGVARBINARY
      return GenericKind::bytes;
    case 9:   // SQL_DATETIME
    case 91:  // SQL_TYPE_DATE
    case 92:  // SQL_TYPE_TIME
    case 93:  // SQL_TYPE_TIMESTAMP
      return GenericKind::moment;
    default:
      return GenericKind::unknown;
  }
}

/// A column's type as the catalog keeps it: `NAME(size,digits):number of the SQL data type`.
struct GenericType {
  std::string name;
  long size = 0;
  long digits = 0;
  long sql_type = 0;

  [[nodiscard]] std::string text() const {
    return name + '(' + std::to_string(size) + ',' + std::to_string(digits) +
           "):" + std::to_string(sql_type);
  }
};

/// Of a column of a generic catalog; `unknown` for anything else.
inline GenericKind generic_kind(std::string_view column_type) {
  const std::size_t colon = column_type.rfind(':');
  if (colon == std::string_view::npos) return GenericKind::unknown;
  const std::string_view digits = column_type.substr(colon + 1);
  long type = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), type);
  const bool whole = read.ec == std::errc() && read.ptr == digits.data() + digits.size();
  return whole ? generic_kind(type) : GenericKind::unknown;
}

/// The fewest digits that name this number.
inline std::string generic_real(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  char digits[32];
  const auto written = std::to_chars(digits, digits + sizeof digits, value);
  return {digits, written.ptr};
}

/// Of what `generic_real` wrote.
inline std::optional<double> generic_number(std::string_view text) {
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = read.ec == std::errc() && read.ptr == text.data() + text.size();
  return whole ? std::optional(value) : std::nullopt;
}

inline std::string generic_bytes(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

}  // namespace understudy
