// Calls of procedures, and whether what a procedure does may send results.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace understudy::sql {

struct CalledProcedure {
  std::string schema;  // empty: the current one
  std::string name;
};

/// MariaDB: the procedure that `CALL name`, or the ODBC escape, calls.
std::optional<CalledProcedure> called_procedure(std::string_view text);

/// The text that calls it, without its parameters.
std::string call_of(const CalledProcedure& procedure);

/// MariaDB: asks for the definition of that procedure, as the text that creates it, in the third
/// column. NULL where the account may not see it. Leaves FOUND_ROWS() as it is.
std::string show_procedure(const CalledProcedure& procedure);

/// What stands behind the parameters in such a text. Nothing where it has another form.
std::optional<std::string_view> procedure_body(std::string_view definition);

/// MariaDB: whether running this definition may send a result with rows. Says so of any word that a
/// statement with a result has, wherever it stands.
bool may_send_results(std::string_view definition);

/// MariaDB: how many results with rows running this definition may send at the most. Nothing where
/// that is not known: statements with a result in a loop or under a CONTINUE handler, EXECUTE.
/// Procedures that it calls are not looked into.
std::optional<std::size_t> results_at_most(std::string_view definition);

/// MariaDB: the procedures that this definition calls, in order.
std::vector<CalledProcedure> procedures_called(std::string_view definition);

/// MariaDB: whether running this definition may end or begin a transaction, or a lock that outlives
/// one: it must not run in a transaction that the application knows nothing of.
bool controls_transactions(std::string_view definition);

/// MariaDB: a text that does what this call did which failed with this error of the server: up to
/// where it fails, and no error comes of it. When it fails with another, or does not, one does.
/// With the same parameters. Empty where the text is no such call, or the error is one of the text,
/// or of the moment, as a deadlock or a full disk are.
std::string call_that_fails(std::string_view text, long error);

/// MariaDB: SELECT of how many rows the session has written so far, or tried to.
inline constexpr char kRowsWritten[] =
    "SELECT SUM(VARIABLE_VALUE) FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME IN "
    "('HANDLER_WRITE', 'HANDLER_UPDATE', 'HANDLER_DELETE')";

}  // namespace understudy::sql
