#include "driver/real/wide.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>

namespace understudy::real {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

constexpr bool is_high(char32_t unit) {
  return unit >= 0xD800 && unit <= 0xDBFF;
}
constexpr bool is_low(char32_t unit) {
  return unit >= 0xDC00 && unit <= 0xDFFF;
}

void append_utf8(std::string* out, char32_t c) {
  const auto tail = [&](int shift) {
    out->push_back(static_cast<char>(0x80 | ((c >> shift) & 0x3F)));
  };
  if (c < 0x80) {
    out->push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out->push_back(static_cast<char>(0xC0 | (c >> 6)));
    tail(0);
  } else if (c < 0x10000) {
    out->push_back(static_cast<char>(0xE0 | (c >> 12)));
    tail(6);
    tail(0);
  } else {
    out->push_back(static_cast<char>(0xF0 | (c >> 18)));
    tail(12);
    tail(6);
    tail(0);
  }
}

void append_utf16(std::u16string* out, char32_t c) {
  if (c < 0x10000) {
    out->push_back(static_cast<char16_t>(c));
    return;
  }
  out->push_back(static_cast<char16_t>(0xD800 + ((c - 0x10000) >> 10)));
  out->push_back(static_cast<char16_t>(0xDC00 + ((c - 0x10000) & 0x3FF)));
}

struct Decoded {
  char32_t character = kReplacement;
  std::size_t bytes = 1;
};

Decoded decode_utf8(std::string_view text) {
  const auto lead = static_cast<std::uint8_t>(text[0]);
  if (lead < 0x80) return {lead, 1};
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return {};
  char32_t c = lead & (0x7Fu >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<std::uint8_t>(text[i]);
    if ((next & 0xC0) != 0x80) return {};
    c = (c << 6) | (next & 0x3Fu);
  }
  if (c < kLeast[bytes] || c > 0x10FFFF || is_high(c) || is_low(c)) return {};
  return {c, bytes};
}

// SIZE_MAX when there is no end within the limit.
std::size_t units_of(const SQLWCHAR* text, SQLLEN length) {
  if (length >= 0) return static_cast<std::size_t>(length);
  std::size_t units = 0;
  while (units <= kWideUnitsMax && text[units] != 0) ++units;
  return units;
}

}  // namespace

Result<std::string> to_utf8(const SQLWCHAR* text, SQLLEN length) {
  if (text == nullptr) return std::string();
  if (length < 0 && length != SQL_NTS) {
    return Status(Code::invalid, "the length of a text argument is negative");
  }
  const std::size_t units = units_of(text, length);
  if (units > kWideUnitsMax) return Status(Code::invalid, "a text argument is too long");
  std::string out;
  out.reserve(units + units / 8);
  for (std::size_t i = 0; i < units; ++i) {
    char32_t c = text[i];
    if (is_high(c) && i + 1 < units && is_low(text[i + 1])) {
      c = 0x10000 + ((c - 0xD800) << 10) + (text[++i] - 0xDC00u);
    } else if (is_high(c) || is_low(c)) {
      return Status(Code::invalid, "a text argument is not valid UTF-16");
    }
    append_utf8(&out, c);
  }
  return out;
}

std::u16string to_utf16(std::string_view text) {
  std::u16string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Decoded next = decode_utf8(text);
    append_utf16(&out, next.character);
    text.remove_prefix(next.bytes);
  }
  return out;
}

std::size_t copy_wide(std::u16string_view text, SQLWCHAR* out, std::size_t capacity) {
  if (out == nullptr || capacity == 0) return text.size();
  std::size_t units = std::min(text.size(), capacity - 1);
  if (units < text.size() && units > 0 && is_high(text[units - 1])) --units;
  std::memcpy(out, text.data(), units * sizeof(SQLWCHAR));
  out[units] = 0;
  return text.size();
}

void wipe(std::string& text) {
  text.resize(text.capacity());
  explicit_bzero(text.data(), text.size());
  text.clear();
}

NarrowText::NarrowText(const SQLWCHAR* text, SQLLEN length) : null_(text == nullptr) {
  auto converted = to_utf8(text, length);
  if (converted.ok()) {
    text_ = std::move(*converted);
  } else {
    status_ = converted.status();
  }
}

SQLCHAR* NarrowText::data() const {
  return null_ ? nullptr : reinterpret_cast<SQLCHAR*>(const_cast<char*>(text_.data()));
}

SQLINTEGER NarrowText::length() const {
  return static_cast<SQLINTEGER>(text_.size());
}

SQLSMALLINT NarrowText::short_length() const {
  constexpr std::size_t kMax = std::numeric_limits<SQLSMALLINT>::max();
  return text_.size() > kMax ? SQLSMALLINT{SQL_NTS} : static_cast<SQLSMALLINT>(text_.size());
}

}  // namespace understudy::real
