// PostgreSQL: statements that were prepared as text, by PREPARE, and are run as text, by EXECUTE.
//
// What an EXECUTE does is what the prepared statement does, so the prepared text is judged and the
// EXECUTE is recorded by the rows it changed. Pure and thread safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "driver/sql/analyzer.h"

namespace understudy::sql {

/// `EXECUTE name (arguments)`.
struct ExecuteText {
  std::string name;              // as the server stores it
  std::size_t arguments_at = 0;  // of what follows the name in the text
  std::uint32_t arguments = 0;   // their number
};

/// Nothing when the text is anything but one EXECUTE whose arguments can be counted.
std::optional<ExecuteText> execute_text(std::string_view text);

/// `DEALLOCATE name`; without a name what forgets them all: DEALLOCATE ALL, DISCARD ALL.
struct DeallocateText {
  std::optional<std::string> name;
  bool settings = false;  // and all settings of the session: DISCARD ALL
};

/// Nothing when the text is anything but one of these.
std::optional<DeallocateText> deallocate_text(std::string_view text);

/// The name, as the server stores it, in `PREPARE name ... AS ...`; nothing for other texts.
std::optional<std::string> prepared_name(std::string_view text);

/// The statement that the text gives to PREPARE under this name; `text` is what was sent to the
/// server in one piece and may hold other statements. Nothing when it cannot be told.
std::optional<std::string> prepared_statement(std::string_view text, std::string_view name);

/// As `analyze` for a statement with the parameters $1, $2, ... of a PREPARE: its effects, or
/// opaque; never keyed, since its parameters are no markers. The rewritten texts keep them.
Analysis analyze_prepared(std::string_view statement, const Catalog& catalog,
                          const SearchPath& path);

/// Whether the text, or a part of it, may change what the names of prepared statements mean:
/// PREPARE, DEALLOCATE, DISCARD.
bool changes_prepared(std::string_view text);

}  // namespace understudy::sql
