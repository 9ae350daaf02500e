// ODBC escape sequences, which no engine's grammar knows.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "journal/catalog.h"

namespace understudy::sql {

/// The text with its escapes replaced by what an analyzer may read in their place, byte for byte as
/// long as the original, so that offsets mean the same in both: braces and their words become
/// blanks, scalar functions the engine may not know become a volatile one. Nothing for procedure
/// calls, for words that ODBC does not define and for unbalanced braces. Pure.
std::optional<std::string> mask_escapes(std::string_view text, Dialect dialect);

}  // namespace understudy::sql
