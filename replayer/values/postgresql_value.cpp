#include "replayer/values/postgresql_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "replayer/values/comparable.h"
#include "replayer/values/moment.h"

namespace understudy {
namespace {

using Kind = Value::Kind;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

/// A number's text, whether it was written as a number or as a text.
const std::string& number_text(const Value& value) {
  const bool may = value.kind == Kind::number || value.kind == Kind::text;
  if (!may || !double_of(value.text)) throw Unconvertible("no number");
  return value.text;
}

std::string of_bits(std::string_view bits) {
  unsigned long long value = 0;
  for (const char bit : bits) value = value * 2 + (bit == '1' ? 1 : 0);
  return std::to_string(value);
}

std::string without_leading_zeros(std::string_view digits) {
  const std::size_t first = std::min(digits.find_first_not_of('0'), digits.size() - 1);
  return std::string(digits.substr(first));
}

// 007, 5.0 and 1e3 are integers, 1.5 is none.
std::string integer_text(const Value& value) {
  if (value.kind == Kind::bits) return of_bits(value.text);
  std::string decimal = comparable_decimal(number_text(value));
  if (decimal.find_first_not_of("-0123456789") != std::string::npos) {
    throw Unconvertible("no integer");
  }
  return decimal;
}

std::string numeric_text(const Value& value, std::string_view type_name) {
  if (value.kind == Kind::bits) return of_bits(value.text);
  std::string text = number_text(value);
  if (text == "Inf" || text == "-Inf") return text + "inity";
  if (text.find_first_of("eE") != std::string::npos) return text;  // the server writes it out
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.erase(0, 1);
  std::size_t point = text.find('.');
  std::string fraction = point == std::string::npos ? "" : text.substr(point + 1);
  const std::string whole = point == 0 ? "0" : without_leading_zeros(text.substr(0, point));
  std::size_t scale = fraction.size();
  if (const auto comma = type_name.find(','); comma != std::string_view::npos) {
    std::from_chars(type_name.data() + comma + 1, type_name.data() + type_name.size(), scale);
  }
  if (fraction.size() < scale) fraction.append(scale - fraction.size(), '0');
  const bool zero = (whole + fraction).find_first_not_of('0') == std::string::npos;
  return (negative && !zero ? "-" : "") + whole + (fraction.empty() ? "" : "." + fraction);
}

std::string float_text(const Value& value, bool single) {
  const std::optional<double> number = double_of(number_text(value));
  const auto near = static_cast<float>(*number);
  if (!single) return postgresql_float(*number);
  if (std::isinf(near) && !std::isinf(*number)) throw Unconvertible("a number too large");
  // All digits: what a float of 32 bits does not hold is rounded by the server, and the comparison
  // tells of it.
  return postgresql_float(*number);
}

std::string boolean_text(const Value& value) {
  const std::string word = lower(value.text);
  if (value.kind != Kind::bytes) {
    for (const std::string_view yes : {"1", "true", "t", "yes", "y", "on"}) {
      if (word == yes) return "true";
    }
    for (const std::string_view no : {"0", "false", "f", "no", "n", "off"}) {
      if (word == no) return "false";
    }
  }
  throw Unconvertible("neither 0 nor 1 for a boolean");
}

std::string characters(const Value& value) {
  if (value.kind == Kind::bytes) throw Unconvertible("bytes, and the shadow's column is no bytea");
  if (value.text.find('\0') != std::string::npos) {
    throw Unconvertible("a text with a NUL character, which PostgreSQL does not take");
  }
  return value.text;
}

std::string padded_text(const Value& value) {
  std::string out = characters(value);
  out.erase(out.find_last_not_of(' ') + 1);  // those at its end do not count there
  return out;
}

Moment moment_of(const Value& value) {
  const auto moment = value.kind == Kind::text ? parse_moment(value.text) : std::nullopt;
  if (!moment) throw Unconvertible("no date in the form YYYY-MM-DD HH:MM:SS");
  return *moment;
}

std::string only_date(const Value& value) {
  const Moment moment = moment_of(value);
  const bool has_time =
      moment.hour != 0 || moment.minute != 0 || moment.second != 0 || !moment.fraction.empty();
  if (has_time) throw Unconvertible("a date with a time, and the shadow's column is a date");
  return date_text(moment);
}

std::string time_text(const Value& value, bool of_day) {
  const auto out = value.kind == Kind::text ? hours_text(value.text) : std::nullopt;
  if (!out) throw Unconvertible("no time in the form HH:MM:SS");
  if (of_day && (out->starts_with('-') || out->find(':') > 2 || *out > "24:00:00")) {
    throw Unconvertible("a time beyond 24 hours");
  }
  return *out;
}

std::string uuid_text(const Value& value) {
  constexpr std::size_t kUuidBytes = 16;
  if (value.kind != Kind::bytes) return lower(characters(value));
  if (value.text.size() != kUuidBytes) throw Unconvertible("bytes that are no uuid");
  std::string out = hex_of_bytes(value.text);
  for (const std::size_t at : {20, 16, 12, 8}) out.insert(at, 1, '-');
  return out;
}

std::string bits_text(const Value& value, std::string_view type_name) {
  if (value.kind != Kind::bits) throw Unconvertible("no bits");
  std::string out = value.text;
  if (type_name.starts_with("bit varying")) return out;
  std::size_t width = 1;
  if (const auto open = type_name.find('('); open != std::string_view::npos) {
    std::from_chars(type_name.data() + open + 1, type_name.data() + type_name.size(), width);
  }
  if (out.size() < width) out.insert(0, width - out.size(), '0');
  return out;
}

std::string bytea_text(const Value& value) {
  if (value.kind == Kind::bits) throw Unconvertible("bits, and the shadow's column is a bytea");
  return "\\x" + hex_of_bytes(value.text);
}

}  // namespace

PostgresqlType postgresql_type(std::string_view type) {
  using Type = PostgresqlType;
  if (type.ends_with("[]")) return Type::other;
  const bool zoned = type.ends_with(" with time zone");
  std::string_view base = type.substr(0, type.find('('));
  if (base.starts_with("timestamp")) return zoned ? Type::timestamptz : Type::timestamp;
  if (base.starts_with("time")) return zoned ? Type::other : Type::time;
  if (base.starts_with("interval")) return Type::interval;
  for (const auto& [name, kind] : {std::pair{"smallint", Type::integer},
                                   {"integer", Type::integer},
                                   {"bigint", Type::integer},
                                   {"numeric", Type::numeric},
                                   {"real", Type::real},
                                   {"double precision", Type::double_precision},
                                   {"boolean", Type::boolean},
                                   {"bytea", Type::bytes},
                                   {"text", Type::text},
                                   {"character varying", Type::text},
                                   {"citext", Type::text},
                                   {"name", Type::text},
                                   {"json", Type::text},
                                   {"character", Type::padded},
                                   {"date", Type::date},
                                   {"uuid", Type::uuid},
                                   {"jsonb", Type::jsonb},
                                   {"bit", Type::bits},
                                   {"bit varying", Type::bits}}) {
    if (base == name) return kind;
  }
  return Type::other;
}

std::string postgresql_text(const Value& value, PostgresqlType type, std::string_view type_name) {
  switch (type) {
    case PostgresqlType::integer:
      return integer_text(value);
    case PostgresqlType::numeric:
      return numeric_text(value, type_name);
    case PostgresqlType::real:
      return float_text(value, true);
    case PostgresqlType::double_precision:
      return float_text(value, false);
    case PostgresqlType::boolean:
      return boolean_text(value);
    case PostgresqlType::bytes:
      return bytea_text(value);
    case PostgresqlType::padded:
      return padded_text(value);
    case PostgresqlType::date:
      return only_date(value);
    case PostgresqlType::timestamp:
      return date_time_text(in_utc(moment_of(value)));
    case PostgresqlType::timestamptz:
      return date_time_text(in_utc(moment_of(value))) + "+00";
    case PostgresqlType::time:
      return time_text(value, true);
    case PostgresqlType::interval:
      return time_text(value, false);
    case PostgresqlType::uuid:
      return uuid_text(value);
    case PostgresqlType::bits:
      return bits_text(value, type_name);
    case PostgresqlType::text:
    case PostgresqlType::jsonb:
    case PostgresqlType::other:
      return characters(value);
  }
  return characters(value);
}

// As float8out does: fixed notation as long as all digits fit those that a double holds for
// certain.
std::string postgresql_float(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  constexpr int kFixedBelow = 15;
  char buffer[48];
  const auto written =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  std::string text(buffer, written.ptr);
  int exponent = 0;
  const std::size_t sign = text.find('e') + (text[text.find('e') + 1] == '+' ? 2 : 1);
  std::from_chars(text.data() + sign, text.data() + text.size(), exponent);
  if (exponent < -4 || exponent >= kFixedBelow) return text;
  const auto fixed = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed);
  return {buffer, fixed.ptr};
}

}  // namespace understudy
