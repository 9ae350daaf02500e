// Texts a plain entry of the real driver returns, handed to the application as UTF-16.
#pragma once

#include <algorithm>
#include <limits>
#include <string>

#include "driver/api/guard.h"
#include "driver/real/wide.h"

namespace understudy::api {

inline constexpr std::size_t kOutputBytesMin = 512;
inline constexpr std::size_t kOutputBytesMax = 48u << 20;
inline constexpr std::size_t kUtf8BytesPerUnit = 3;

/// Where a W entry's text goes. `capacity` in units. Lengths are in units, or in bytes where the
/// standard says so.
template <class Length>
struct WideOutput {
  SQLWCHAR* text = nullptr;
  SQLLEN capacity = 0;
  Length* length = nullptr;
  bool in_bytes = false;
};

/// Reads the whole text through `call(buffer, bytes, &length)` of a plain entry, once more with a
/// larger buffer when the first was too small. Only for entries that may be called twice.
template <class Length, class Call>
SQLRETURN read_text(std::string* text, SQLLEN wish_units, Call call) {
  constexpr auto kMost = std::min<std::size_t>(std::numeric_limits<Length>::max(), kOutputBytesMax);
  const auto wish = static_cast<std::size_t>(std::max<SQLLEN>(wish_units, 0));
  std::size_t bytes = std::min(kMost, std::max(kOutputBytesMin, wish * kUtf8BytesPerUnit + 1));
  for (bool again = true;; again = false) {
    text->assign(bytes, '\0');
    Length length = SQL_NTS;
    const SQLRETURN ret =
        call(reinterpret_cast<SQLCHAR*>(text->data()), static_cast<Length>(bytes), &length);
    if (!SQL_SUCCEEDED(ret)) return ret;
    const auto whole = length < 0 ? text->find('\0') : static_cast<std::size_t>(length);
    if (again && whole != std::string::npos && whole >= bytes && bytes < kMost) {
      bytes = std::min(kMost, whole + 1);
      continue;
    }
    text->resize(std::min(whole, bytes - 1));
    return ret;
  }
}

/// Hands the text over; 01004 on `reporter` (when given) if it had to be cut.
template <class Length>
SQLRETURN write_text(Handle* reporter, SQLRETURN ret, const std::string& text,
                     const WideOutput<Length>& out) {
  if (!SQL_SUCCEEDED(ret)) return ret;
  const auto capacity = static_cast<std::size_t>(std::max<SQLLEN>(out.capacity, 0));
  const std::size_t units = real::copy_wide(real::to_utf16(text), out.text, capacity);
  const std::size_t length = out.in_bytes ? units * sizeof(SQLWCHAR) : units;
  if (out.length != nullptr) {
    *out.length =
        static_cast<Length>(std::min<std::size_t>(length, std::numeric_limits<Length>::max()));
  }
  if (out.text == nullptr || units < capacity) return ret;
  if (reporter != nullptr) reporter->fail("01004", "string data, right truncated");
  return SQL_SUCCESS_WITH_INFO;
}

/// Both: the usual W entry over a plain one.
template <class Length, class Call>
SQLRETURN text_output(Handle* reporter, const WideOutput<Length>& out, Call call) {
  std::string text;
  const SQLRETURN ret = read_text<Length>(&text, out.capacity, call);
  return write_text(reporter, ret, text, out);
}

/// Fields of descriptors and columns whose value is a text (SQL_COLUMN_NAME: the ODBC 2 form).
inline bool is_text_field(SQLLEN field) {
  switch (field) {
    case SQL_COLUMN_NAME:
    case SQL_DESC_BASE_COLUMN_NAME:
    case SQL_DESC_BASE_TABLE_NAME:
    case SQL_DESC_CATALOG_NAME:
    case SQL_DESC_LABEL:
    case SQL_DESC_LITERAL_PREFIX:
    case SQL_DESC_LITERAL_SUFFIX:
    case SQL_DESC_LOCAL_TYPE_NAME:
    case SQL_DESC_NAME:
    case SQL_DESC_SCHEMA_NAME:
    case SQL_DESC_TABLE_NAME:
    case SQL_DESC_TYPE_NAME:
      return true;
    default:
      return false;
  }
}

/// A text argument that is not valid UTF-16, or too long.
inline SQLRETURN refuse(Handle& handle, const real::NarrowText& text) {
  return handle.fail("22018", text.status().message());
}

}  // namespace understudy::api
