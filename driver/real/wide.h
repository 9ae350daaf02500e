// UTF-16 as ODBC has it, to UTF-8 and back.
//
// Used where a W entry stands in front of a real driver that has only the plain one. Everything
// here is pure and thread safe.
#pragma once

#include <sql.h>
#include <sqlext.h>
#include <sqlucode.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "journal/status.h"

namespace understudy::real {

inline constexpr std::size_t kWideUnitsMax = 16u << 20;  // of one text, either direction

/// `length` in code units, or SQL_NTS. Code::invalid for a lone surrogate, a negative length that
/// is not SQL_NTS, or more than kWideUnitsMax units. A null pointer is the empty text. Zero units
/// inside a given length are kept.
Result<std::string> to_utf8(const SQLWCHAR* text, SQLLEN length);

/// Bytes that are not UTF-8 become U+FFFD, one for each byte.
std::u16string to_utf16(std::string_view text);

/// Copies as ODBC does: as many units as fit before the terminating zero, no half surrogate pair.
/// `capacity` in units; null or 0 copies nothing. Returns the units of the whole text.
std::size_t copy_wide(std::u16string_view text, SQLWCHAR* out, std::size_t capacity);

/// Overwrites and empties a text that holds a credential.
void wipe(std::string& text);

/// A text argument of a W entry as a plain entry takes it. Wiped when it goes: it may be a
/// password.
class NarrowText {
 public:
  NarrowText(const SQLWCHAR* text, SQLLEN length);
  ~NarrowText() { wipe(text_); }
  NarrowText(const NarrowText&) = delete;
  NarrowText& operator=(const NarrowText&) = delete;

  [[nodiscard]] bool ok() const { return status_.ok(); }
  [[nodiscard]] const Status& status() const { return status_; }
  [[nodiscard]] const std::string& text() const { return text_; }
  /// Null when the argument was. Plain entries take non-const pointers and do not write.
  [[nodiscard]] SQLCHAR* data() const;
  [[nodiscard]] SQLINTEGER length() const;
  /// For entries whose lengths are 16 bits: SQL_NTS for what does not fit.
  [[nodiscard]] SQLSMALLINT short_length() const;

 private:
  bool null_;
  std::string text_;
  Status status_;
};

}  // namespace understudy::real
