#include "replayer/values/comparable.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

namespace understudy {
namespace {

struct Decimal {
  bool negative = false;
  std::string digits;  // without zeros at either end; empty: zero
  long exponent = 0;   // of the last digit
};

std::optional<Decimal> decimal_of(std::string_view text) {
  Decimal out;
  std::size_t at = 0;
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) out.negative = text[at++] == '-';
  bool point = false;
  bool any = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '.' && !point) {
      point = true;
      continue;
    }
    if (c < '0' || c > '9') break;
    any = true;
    if (point) --out.exponent;
    if (c != '0' || !out.digits.empty()) out.digits += c;
  }
  if (!any) return std::nullopt;
  if (at < text.size()) {
    if (text[at] != 'e' && text[at] != 'E') return std::nullopt;
    if (++at < text.size() && text[at] == '+') ++at;
    long more = 0;
    const auto read = std::from_chars(text.data() + at, text.data() + text.size(), more);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
    constexpr long kExponentMax = 1'000'000'000;
    if (more > kExponentMax || more < -kExponentMax) return std::nullopt;
    out.exponent += more;
  }
  while (out.digits.ends_with('0')) {
    out.digits.pop_back();
    ++out.exponent;
  }
  return out;
}

// As people write it, unless that has too many zeros.
std::string written_out(const Decimal& decimal) {
  constexpr long kZerosMax = 400;
  const long exponent = decimal.exponent;
  const auto count = static_cast<long>(decimal.digits.size());
  if (exponent > kZerosMax || exponent + count < -kZerosMax) {
    return decimal.digits + "e" + std::to_string(exponent);
  }
  if (exponent >= 0) return decimal.digits + std::string(static_cast<std::size_t>(exponent), '0');
  std::string out = decimal.digits;
  if (count <= -exponent) out.insert(0, static_cast<std::size_t>(-exponent - count + 1), '0');
  return out.insert(out.size() - static_cast<std::size_t>(-exponent), 1, '.');
}

bool is_infinity(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return text == "Inf" || text == "Infinity";
}

std::string infinity(bool negative) {
  return negative ? "-Infinity" : "Infinity";
}

// Takes a JSON text apart, event by event, so that depth costs no stack, and writes it again.
class JsonWriter : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return put("null"); }
  bool boolean(bool value) override { return put(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override {
    return put(comparable_decimal(std::to_string(value)));
  }
  bool number_unsigned(number_unsigned_t value) override {
    return put(comparable_decimal(std::to_string(value)));
  }
  bool number_float(number_float_t /*value*/, const string_t& text) override {
    return put(comparable_decimal(text));
  }
  bool string(string_t& value) override { return put(quoted(value)); }
  bool binary(binary_t& /*value*/) override { return false; }
  bool start_object(std::size_t /*count*/) override { return open(true); }
  bool key(string_t& value) override {
    open_.back().name = quoted(value);
    return true;
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t /*count*/) override { return open(false); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t /*at*/, const std::string& /*token*/,
                   const nlohmann::detail::exception& /*error*/) override {
    return false;
  }

  std::string out;

 private:
  struct Level {
    bool object = false;
    std::string name;
    std::map<std::string, std::string> members;
    std::string items;
  };

  static std::string quoted(const std::string& text) {
    // Lengths instead of escapes: nobody reads this text.
    return "\"" + std::to_string(text.size()) + ":" + text;
  }

  bool put(std::string value) {
    if (open_.empty()) {
      out = std::move(value);
    } else if (open_.back().object) {
      open_.back().members[open_.back().name] = std::move(value);
    } else {
      open_.back().items += value + ",";
    }
    return true;
  }

  bool open(bool object) {
    open_.emplace_back().object = object;
    return true;
  }

  bool close() {
    const Level level = std::move(open_.back());
    open_.pop_back();
    if (!level.object) return put("[" + level.items + "]");
    std::string text = "{";
    for (const auto& [name, value] : level.members)
      text.append(name).append(":").append(value).append(",");
    return put(text + "}");
  }

  std::vector<Level> open_;
};

}  // namespace

std::string comparable_decimal(std::string_view text) {
  if (is_infinity(text)) return infinity(text.front() == '-');
  const auto decimal = decimal_of(text);
  if (!decimal) return std::string(text);
  if (decimal->digits.empty()) return "0";
  return (decimal->negative ? "-" : "") + written_out(*decimal);
}

std::optional<double> double_of(std::string_view text) {
  if (is_infinity(text)) {
    const double infinite = std::numeric_limits<double>::infinity();
    return text.front() == '-' ? -infinite : infinite;
  }
  if (!decimal_of(text)) return std::nullopt;
  const bool negative = text.starts_with('-');
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec == std::errc::result_out_of_range) {
    const auto decimal = *decimal_of(text);
    const long magnitude = decimal.exponent + static_cast<long>(decimal.digits.size());
    value = magnitude > 0 ? std::numeric_limits<double>::infinity() : 0.0;
    return negative ? -value : value;
  }
  return value;
}

std::string comparable_float(std::string_view text, bool single) {
  auto value = double_of(text);
  if (!value) return std::string(text);
  if (single && std::isfinite(*value) && *value != 0) {
    float near = 0;
    const std::size_t sign = text.starts_with('+') ? 1 : 0;
    std::from_chars(text.data() + sign, text.data() + text.size(), near);
    *value = static_cast<double>(near);
  }
  if (std::isinf(*value)) return infinity(*value < 0);
  if (*value == 0) return "0";
  char digits[32];
  const auto written = std::to_chars(digits, digits + sizeof digits, *value);
  return {digits, written.ptr};
}

std::string comparable_json(std::string_view text) {
  JsonWriter writer;
  if (!nlohmann::json::sax_parse(text, &writer)) return std::string(text);
  return std::move(writer.out);
}

}  // namespace understudy
