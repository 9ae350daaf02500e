// A statement that may change production: how it is run and recorded.
#pragma once

#include <optional>
#include <string>

#include "driver/capture/work.h"

namespace understudy::capture {

/// The text of `stmt.execution` modifies or may modify: marks, captures, runs, and under autocommit
/// commits in the exact order. `direct`: SQLExecDirect. Returns what the bare driver would.
SQLRETURN run_write(Statement& stmt, Session& session, bool direct, const RunsUnchanged& unchanged);
/// A read that locks rows: held at a cutover as a write is, recorded never.
SQLRETURN run_locking_read(Statement& stmt, Session& session, const RunsUnchanged& unchanged);
/// A call that writes but cannot be recorded exactly: run unchanged, counted and named by kind.
SQLRETURN run_uncaptured(Statement& stmt, Session& session, const char* kind,
                         const RunsUnchanged& unchanged);

/// One statement of a batch, without parameters: the text of `stmt.execution` runs on our own
/// statement inside the open transaction, and is recorded. Its row count is added to
/// those of the execution, unless it returns rows to the application (Execution::visible). Called
/// with write_mutex held.
SQLRETURN record_part(Statement& stmt, Session& session);

/// MariaDB: the definition of the procedure that this text calls; nothing where the account may not
/// see it. Called with write_mutex held.
std::optional<std::string> called_definition(Statement& stmt, const std::string& text);

/// Marks the session as writing, moving it first when the migration has switched. False: `*ret` is
/// the application's answer.
bool begin_marked(Statement& stmt, Session& session, BeginWrite* how, SQLRETURN* ret);

}  // namespace understudy::capture
