#include "tests/engine/parity/text.h"

#include <cstdio>

namespace understudy::parity {
namespace {

void append_utf8(std::string& out, char32_t code) {
  const auto byte = [&](char32_t bits) { out += static_cast<char>(bits); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xC0 | (code >> 6));
    byte(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    byte(0xE0 | (code >> 12));
    byte(0x80 | ((code >> 6) & 0x3F));
    byte(0x80 | (code & 0x3F));
  } else {
    byte(0xF0 | (code >> 18));
    byte(0x80 | ((code >> 12) & 0x3F));
    byte(0x80 | ((code >> 6) & 0x3F));
    byte(0x80 | (code & 0x3F));
  }
}

std::size_t sequence_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xF0) return 4;
  if (lead >= 0xE0) return 3;
  return lead >= 0xC0 ? 2 : 0;
}

std::string escaped(unsigned value, const char* format) {
  char text[16];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}

}  // namespace

std::u16string to_wide(std::string_view utf8) {
  std::u16string out;
  for (std::size_t at = 0; at < utf8.size();) {
    const auto lead = static_cast<unsigned char>(utf8[at]);
    std::size_t length = sequence_length(lead);
    if (length == 0 || at + length > utf8.size()) length = 1;
    char32_t code = length == 1 ? lead : lead & (0xFFu >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
      code = (code << 6) | (static_cast<unsigned char>(utf8[at + i]) & 0x3Fu);
    }
    if (code >= 0x10000) {
      out += static_cast<char16_t>(0xD800 + ((code - 0x10000) >> 10));
      out += static_cast<char16_t>(0xDC00 + ((code - 0x10000) & 0x3FF));
    } else {
      out += static_cast<char16_t>(code);
    }
    at += length;
  }
  return out;
}

std::string to_narrow(const SQLWCHAR* text, std::size_t units) {
  std::string out;
  for (std::size_t at = 0; at < units; ++at) {
    const char32_t unit = text[at];
    const bool pair = unit >= 0xD800 && unit < 0xDC00 && at + 1 < units && text[at + 1] >= 0xDC00 &&
                      text[at + 1] < 0xE000;
    if (pair) {
      append_utf8(out, 0x10000 + ((unit - 0xD800) << 10) + (text[++at] - 0xDC00u));
    } else if (unit >= 0xD800 && unit < 0xE000) {
      out += escaped(unit, "\\u%04X");
    } else {
      append_utf8(out, unit);
    }
  }
  return out;
}

std::string printable(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const std::size_t length = sequence_length(lead);
    bool whole = length > 0 && at + length <= text.size() && lead >= 0x20 && lead != 0x7F;
    for (std::size_t i = 1; whole && i < length; ++i) {
      whole = (static_cast<unsigned char>(text[at + i]) & 0xC0) == 0x80;
    }
    if (whole) {
      out += text.substr(at, length);
      at += length;
    } else {
      out += escaped(lead, "\\x%02X");
      ++at;
    }
  }
  return out;
}

std::string hex(const void* bytes, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    out += escaped(static_cast<const unsigned char*>(bytes)[i], "%02x");
  }
  return out;
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) {
    text.replace(at, what.size(), with);
  }
  return text;
}

}  // namespace understudy::parity
