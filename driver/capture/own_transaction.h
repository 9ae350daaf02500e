// Autocommit: a statement runs in a transaction of its own, which is sealed before it is committed.
#pragma once

#include <optional>

#include "driver/capture/work.h"

namespace understudy::capture {

/// False: the real driver refuses, mostly since its connection is lost; see run_outside().
bool leave_autocommit(Session& session);
/// Back to what the application believes. When the real driver refuses, it is asked again before
/// the next statement; the operator is told unless the connection is lost.
void return_to_autocommit(Session& session);
/// The real driver did not leave autocommit: the statement runs as it is, and what the application
/// is told is the real driver's. One that takes effect all the same has no known place in the
/// order, and recording ends.
SQLRETURN run_outside(Session& session, const RunsUnchanged& unchanged);
/// Where the real driver did not return to autocommit: asks it again. What became of the statement
/// when it refuses once more; nullopt: it is to run as always. Called with write_mutex held.
std::optional<SQLRETURN> run_if_still_outside(Statement& stmt, Session& session,
                                              const RunsUnchanged& unchanged);
/// The statement has run in a transaction of its own: seal and commit, or roll back. `stands`: so
/// does what it has done although it failed. What the application is told.
SQLRETURN end_converted(Statement& stmt, Session& session, SQLRETURN ret, bool stands = false);

/// Under autocommit: `work` runs and records inside a transaction that is sealed and committed when
/// it succeeds; `unchanged` where the real driver refuses to leave autocommit. Called with
/// write_mutex held and the session marked as recorded.
SQLRETURN run_in_own_transaction(Statement& stmt, Session& session, const RunsUnchanged& work,
                                 const RunsUnchanged& unchanged);

}  // namespace understudy::capture
