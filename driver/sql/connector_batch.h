// Several statements in one text of MariaDB, as Connector/ODBC 3.1 takes them.
//
// Where no statement seems to return rows and there are no markers it sends the text as it is: the
// server stops at the first statement that fails. Otherwise it prepares and executes each by
// itself, and goes on behind one that fails.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "driver/sql/batch.h"

namespace understudy::sql {

struct ConnectorBatch {
  /// Those that run. A single one: the real driver takes them all for one, which the server
  /// refuses.
  std::vector<BatchPart> parts;
  bool as_text = false;  // sent as it is
};

/// Nothing where the real driver reads the text in another way than the server, or what it makes of
/// it cannot be told: ODBC escapes, empty statements, comments beside markers or rows, routines,
/// statements that are not understood. The parts' texts belong to `text`. Pure and thread safe.
std::optional<ConnectorBatch> connector_batch(std::string_view text);

/// Asks the server to prepare the statement, which tells whether it fails before it runs; and takes
/// that back.
std::string prepare_to_ask(std::string_view statement);
inline constexpr char kForgetAsked[] = "DEALLOCATE PREPARE understudy_asked";

/// What a statement becomes that is given to Connector/ODBC while its SQL_ATTR_MAX_ROWS is not 0:
/// it writes LIMIT behind any text, also behind one that changes rows (3.1.15). Pure and thread
/// safe.
std::string with_max_rows(std::string_view text, std::uintptr_t rows);

/// MariaDB: whether the count of a statement may take in rows that it has found and left as they
/// were, where the connection asks for that. Not of what removes rows, or adds them alone.
bool may_count_found(std::string_view text);

}  // namespace understudy::sql
