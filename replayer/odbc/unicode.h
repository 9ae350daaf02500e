// UTF-8 and the driver manager's UTF-16 (unixODBC's SQLWCHAR is two bytes, native order).
#pragma once

#include <sql.h>

#include <string>
#include <string_view>

namespace understudy::odbc {

static_assert(sizeof(SQLWCHAR) == 2, "unixODBC must be built with a SQLWCHAR of two bytes");
using WideText = std::basic_string<SQLWCHAR>;

/// Throws std::runtime_error when `text` is not UTF-8.
WideText to_wide(std::string_view text);
/// The same as bytes, for values that may be large.
std::string to_wide_bytes(std::string_view text);
/// Lone surrogates become U+FFFD.
std::string to_utf8(const SQLWCHAR* text, std::size_t units);

}  // namespace understudy::odbc
