// Calls of procedures, and whether what a procedure does may send results.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace understudy::sql {

struct CalledProcedure {
  std::string schema;  // empty: the current one
  std::string name;
};

/// MariaDB: the procedure that `CALL name`, or the ODBC escape, calls.
std::optional<CalledProcedure> called_procedure(std::string_view text);

/// MariaDB: SELECT of the definition of that procedure. Without row, or with NULL, the account may
/// not see it. Names are given in UTF-8.
std::string procedure_text(const CalledProcedure& procedure);

/// MariaDB: whether running this definition may send a result with rows. Says so of any word that a
/// statement with a result has, wherever it stands.
bool may_send_results(std::string_view definition);

}  // namespace understudy::sql
