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

/// MariaDB: asks for the definition of that procedure, as the text that creates it, in the third
/// column. NULL where the account may not see it. Leaves FOUND_ROWS() as it is.
std::string show_procedure(const CalledProcedure& procedure);

/// What stands behind the parameters in such a text. Nothing where it has another form.
std::optional<std::string_view> procedure_body(std::string_view definition);

/// MariaDB: whether running this definition may send a result with rows. Says so of any word that a
/// statement with a result has, wherever it stands.
bool may_send_results(std::string_view definition);

/// MariaDB: whether running this definition may end or begin a transaction, or a lock that outlives
/// one: it must not run in a transaction that the application knows nothing of.
bool controls_transactions(std::string_view definition);

/// MariaDB: SELECT of how many rows the session has written so far, or tried to.
inline constexpr char kRowsWritten[] =
    "SELECT SUM(VARIABLE_VALUE) FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME IN "
    "('HANDLER_WRITE', 'HANDLER_UPDATE', 'HANDLER_DELETE')";

}  // namespace understudy::sql
