// A statement that may change production: how it is run and recorded.
#pragma once

#include <functional>

#include "driver/capture/session.h"

namespace understudy::capture {

/// Runs the application's own call on its own real statement, unchanged.
using RunsUnchanged = std::function<SQLRETURN()>;

/// The text of `stmt.execution` modifies or may modify: marks, captures, runs, and under autocommit
/// commits in the exact order. `direct`: SQLExecDirect. Returns what the bare driver would.
SQLRETURN run_write(Statement& stmt, Session& session, bool direct, const RunsUnchanged& unchanged);
/// A read that locks rows: held at a cutover as a write is, recorded never.
SQLRETURN run_locking_read(Statement& stmt, Session& session, const RunsUnchanged& unchanged);
/// A call that writes but cannot be recorded exactly yet: run unchanged, counted and named by kind.
SQLRETURN run_uncaptured(Statement& stmt, Session& session, const char* kind,
                         const RunsUnchanged& unchanged);
/// The pieces of a data-at-execution call have all come, or it was given up: `ret` is its end.
SQLRETURN end_pending(Statement& stmt, Session& session, SQLRETURN ret);

}  // namespace understudy::capture
