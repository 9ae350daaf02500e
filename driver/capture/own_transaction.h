// Autocommit: a statement runs in a transaction of its own, which is sealed before it is committed.
#pragma once

#include "driver/capture/work.h"

namespace understudy::capture {

/// False: the real driver refuses, and recording has ended.
bool leave_autocommit(Session& session);
/// Back to what the application believes. When the real driver refuses, it is asked again before
/// the next statement.
void return_to_autocommit(Session& session);
/// The statement has run in a transaction of its own: seal and commit, or roll back. `stands`: so
/// does what it has done although it failed. What the application is told.
SQLRETURN end_converted(Statement& stmt, Session& session, SQLRETURN ret, bool stands = false);

/// Under autocommit: `work` runs and records inside a transaction that is sealed and committed when
/// it succeeds; `unchanged` where the real driver refuses to leave autocommit. Called with
/// write_mutex held and the session marked as recorded.
SQLRETURN run_in_own_transaction(Statement& stmt, Session& session, const RunsUnchanged& work,
                                 const RunsUnchanged& unchanged);

}  // namespace understudy::capture
