// The statement whose failure ends the whole transaction.
//
// psqlodbc, rollback level 2, in manual mode: it sets a savepoint of its own before a statement,
// and undoes that statement alone, but where it has just begun the transaction itself. SAVEPOINT
// and RELEASE do not change that, but on a connection that has not ended a transaction yet; there,
// a statement that the server prepares gets the savepoint, too (13.02). One of ours that comes
// first takes the place: then the transaction is ended here, as the bare driver would have ended
// it.
#pragma once

#include "driver/capture/session.h"

namespace understudy::capture {

/// After an execution of the application's. Takes the write lock.
void settle_first_statement(Statement& stmt, Session& session, SQLRETURN ret);

/// Before a catalog function.
void first_statement_runs(Session& session);

}  // namespace understudy::capture
