#include "replayer/odbc/unicode.h"

#include <cstdint>
#include <cstring>
#include <stdexcept>

namespace understudy::odbc {
namespace {

[[noreturn]] void refuse() {
  throw std::runtime_error("a text for the database is not UTF-8");
}

// Reads one code point at `at` and moves past it; refuses overlong forms and surrogates.
std::uint32_t next_code_point(std::string_view text, std::size_t& at) {
  const auto lead = static_cast<unsigned char>(text[at++]);
  if (lead < 0x80) return lead;
  int more = 0;
  std::uint32_t code = 0;
  std::uint32_t least = 0;
  if (lead >= 0xc2 && lead < 0xe0) {
    more = 1, code = lead & 0x1fu, least = 0x80;
  } else if (lead >= 0xe0 && lead < 0xf0) {
    more = 2, code = lead & 0x0fu, least = 0x800;
  } else if (lead >= 0xf0 && lead < 0xf5) {
    more = 3, code = lead & 0x07u, least = 0x10000;
  } else {
    refuse();
  }
  for (; more > 0; --more) {
    if (at == text.size()) refuse();
    const auto next = static_cast<unsigned char>(text[at++]);
    if ((next & 0xc0) != 0x80) refuse();
    code = code << 6 | (next & 0x3fu);
  }
  if (code < least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) refuse();
  return code;
}

void append_utf8(std::string& out, std::uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
    return;
  }
  if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
  } else {
    if (code < 0x10000) {
      out += static_cast<char>(0xe0 | code >> 12);
    } else {
      out += static_cast<char>(0xf0 | code >> 18);
      out += static_cast<char>(0x80 | (code >> 12 & 0x3f));
    }
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
  }
  out += static_cast<char>(0x80 | (code & 0x3f));
}

template <class Put>
void each_unit(std::string_view text, Put put) {
  for (std::size_t at = 0; at < text.size();) {
    const std::uint32_t code = next_code_point(text, at);
    if (code < 0x10000) {
      put(static_cast<SQLWCHAR>(code));
    } else {
      put(static_cast<SQLWCHAR>(0xd800 + ((code - 0x10000) >> 10)));
      put(static_cast<SQLWCHAR>(0xdc00 + ((code - 0x10000) & 0x3ff)));
    }
  }
}

}  // namespace

WideText to_wide(std::string_view text) {
  WideText out;
  out.reserve(text.size());
  each_unit(text, [&](SQLWCHAR unit) { out += unit; });
  return out;
}

std::string to_wide_bytes(std::string_view text) {
  std::size_t units = 0;
  each_unit(text, [&](SQLWCHAR) { ++units; });
  std::string out(units * sizeof(SQLWCHAR), '\0');
  char* at = out.data();
  each_unit(text, [&](SQLWCHAR unit) {
    std::memcpy(at, &unit, sizeof(unit));
    at += sizeof(unit);
  });
  return out;
}

std::string to_utf8(const SQLWCHAR* text, std::size_t units) {
  std::string out;
  out.reserve(units);
  for (std::size_t i = 0; i < units; ++i) {
    std::uint32_t code = text[i];
    const bool high = code >= 0xd800 && code < 0xdc00;
    if (high && i + 1 < units && text[i + 1] >= 0xdc00 && text[i + 1] < 0xe000) {
      code = 0x10000 + ((code - 0xd800) << 10) + (text[++i] - 0xdc00u);
    } else if (code >= 0xd800 && code < 0xe000) {
      code = 0xfffd;
    }
    append_utf8(out, code);
  }
  return out;
}

}  // namespace understudy::odbc
