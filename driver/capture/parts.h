// MariaDB: several statements in one text, told apart while a migration records.
//
// Connector/ODBC has the server run such a text, or runs its statements one by one, each in the
// application's transaction or, under autocommit, in one of its own. Ours runs each on a statement
// of its own as if the application did, and hands the application their results, row counts and
// errors as those of one execution.
#pragma once

#include <optional>

#include "driver/capture/work.h"

namespace understudy::capture {

/// The kind under which they are counted where they are not told apart.
inline constexpr char kSeveral[] = "batch-with-results";

/// The text of `stmt.execution` holds several statements, and a migration records. Nothing when
/// they cannot be told apart with the same results and diagnostics (nothing has run then): data at
/// execution, output parameters, arrays beside statements without parameters, procedures that send
/// results, SQL_ATTR_MAX_ROWS, asynchronous execution, and what sql::connector_batch refuses.
/// Called without write_mutex.
std::optional<SQLRETURN> run_parts(Statement& stmt, Session& session, bool direct,
                                   const RunsUnchanged& unchanged);

/// Whether the application has connected with the option of Connector/ODBC that allows it.
bool takes_several_statements(const Session& session);

/// The result of a part becomes the present one.
void show_part(Statement& stmt, const Execution::Shown& result);
/// The results are over. The statements stay.
void close_parts(Statement& stmt);
/// The real statements are freed: before the connection, or the application's statement, is.
void drop_parts(Statement& stmt);

}  // namespace understudy::capture
