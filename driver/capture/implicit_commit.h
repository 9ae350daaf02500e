// Statements that begin or end a transaction on MariaDB without saying so.
#pragma once

#include <optional>

#include "driver/capture/session.h"
#include "driver/capture/write.h"

namespace understudy::capture {

/// Before every statement on MariaDB. Asks first about a tainted transaction: whatever runs next,
/// a read too, may begin a new one that looks like the old. Then runs the statement and answers
/// when it is one of these:
/// - BEGIN and LOCK TABLES in an open transaction commit it: sealed before;
/// - a schema change commits it even when it fails, but not when it is misspelt: the server is
///   asked, and the recording is invalid or has a note;
/// - SET autocommit as text: ends a transaction, and from then on the connection is in that mode.
/// Nothing: the statement has not run.
std::optional<SQLRETURN> run_implicit_commit(Statement& stmt, Session& session,
                                             const RunsUnchanged& unchanged);

}  // namespace understudy::capture
