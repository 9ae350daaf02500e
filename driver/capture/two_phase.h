// Transactions in two phases, as PostgreSQL and MariaDB take them as text.
#pragma once

#include "driver/capture/session.h"
#include "driver/capture/write.h"

namespace understudy::capture {

/// Runs the statement as it is and follows what becomes of the transaction. PostgreSQL: one
/// that is prepared is sealed then, and counted, since it may be rolled back yet. MariaDB: it is
/// sealed when the session commits it. The COMMIT of any other is counted, since the session that
/// prepared it may not have been recorded. Takes write_mutex.
SQLRETURN run_two_phase(Statement& stmt, Session& session, const RunsUnchanged& unchanged);

}  // namespace understudy::capture
