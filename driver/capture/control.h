// Statements about the transaction and the session that are told in the text.
#pragma once

#include "driver/capture/session.h"
#include "driver/capture/write.h"

namespace understudy::capture {

/// SAVEPOINT, RELEASE and ROLLBACK TO: runs it and follows. Called with write_mutex held.
SQLRETURN run_savepoint(Statement& stmt, Session& session, const RunsUnchanged& unchanged);
/// A statement about the session's own settings: runs it and remembers it. Called with write_mutex
/// held.
SQLRETURN run_setting(Statement& stmt, Session& session, const RunsUnchanged& unchanged);

}  // namespace understudy::capture
