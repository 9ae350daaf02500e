// UTF-8 and UTF-16 for programs that call A and W entries with the same texts.
#pragma once

#include <sql.h>
#include <sqlext.h>

#include <string>
#include <string_view>

namespace understudy::parity {

std::u16string to_wide(std::string_view utf8);
/// `units` UTF-16 units; a lone surrogate shows as \uXXXX.
std::string to_narrow(const SQLWCHAR* text, std::size_t units);
/// For a transcript: control characters and bytes that are not UTF-8 as \xNN.
std::string printable(std::string_view text);
std::string hex(const void* bytes, std::size_t count);
/// All occurrences.
std::string replaced(std::string text, std::string_view what, std::string_view with);

}  // namespace understudy::parity
