// A statement that may change production: how it is run and recorded.
#pragma once

#include <functional>

#include "driver/capture/session.h"

namespace understudy::capture {

/// Runs the application's own call on its own real statement, unchanged.
using RunsUnchanged = std::function<SQLRETURN()>;

/// After an execution on the application's own statement: a real driver that refused it before it
/// ran still has the row count of the execution before, which may have run on a statement of ours.
void remember_refusal(Statement& stmt, const Session& session, SQLRETURN ret);

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

/// SQLParamData and SQLPutData of an execution that waits for data. Called with write_mutex held.
SQLRETURN continue_pending(Statement& stmt, Session& session, const RunsUnchanged& param_data);
void add_pending(Statement& stmt, Session& session, const void* data, SQLLEN length);
/// The execution that waited for data was given up. Called with write_mutex held.
void abandon_pending(Statement& stmt, Session& session);

/// Under autocommit: `work` runs and records inside a transaction that is sealed and committed when
/// it succeeds; `unchanged` where the real driver refuses to leave autocommit. Called with
/// write_mutex held and the session marked as recorded.
SQLRETURN run_in_own_transaction(Statement& stmt, Session& session, const RunsUnchanged& work,
                                 const RunsUnchanged& unchanged);

/// Marks the session as writing, moving it first when the migration has switched. False: `*ret` is
/// the application's answer.
bool begin_marked(Statement& stmt, Session& session, BeginWrite* how, SQLRETURN* ret);

}  // namespace understudy::capture
