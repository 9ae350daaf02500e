// Temporary tables of a session, by name. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "journal/catalog.h"

namespace understudy::sql {

/// The table that a CREATE TEMPORARY TABLE, or a SELECT INTO TEMPORARY, makes: its name as the
/// engine stores it, in lower case where the engine ignores case. Nothing: not understood, or
/// something through which other tables may be written: a view, a trigger, a child of a table.
std::optional<std::string> temporary_table(std::string_view text, Dialect dialect);

/// The tables that DROP TABLE, ALTER TABLE, TRUNCATE or CREATE INDEX names, in the same form.
/// Nothing for other texts, and where one is named with a schema that is not the temporary one.
std::optional<std::vector<std::string>> changed_tables(std::string_view text, Dialect dialect);

/// A table's name in the form of the above.
std::string plain_name(std::string_view name, Dialect dialect);

}  // namespace understudy::sql
