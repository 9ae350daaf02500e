// How many rows an execution changed: what the application is told of it, and what the real drivers
// remember afterwards.
#pragma once

#include <vector>

#include "driver/capture/work.h"

namespace understudy::capture {

/// Rows changed by the application's own statement; -1 when it must not be asked.
SQLLEN own_row_count(const Statement& stmt, SQLRETURN ret);
/// How many rows the real driver says the statement has changed; -1 when it does not say.
SQLLEN rows_changed(const Work& work, SQLRETURN ret);
/// More results of this execution, as the real driver would count them.
void add_counts(const Work& work, const std::vector<SQLLEN>& counts);

/// Connector/ODBC sends these sets as one command.
bool sent_as_one(const Execution& execution, const BoundParameters& bound);
/// How the real drivers remember an execution on the application's own statement.
void remember_rows(const Work& work, SQLRETURN ret);
/// An execution of a prepared text waits for data on a statement of ours: until it runs, MariaDB's
/// real driver has the row count of the execution before, on the application's own.
void remember_rows_before(const Work& work);
/// After an execution on the application's own statement: a real driver that refused it before it
/// ran still has the row count of the execution before, which may have run on a statement of ours.
void remember_refusal(Statement& stmt, const Session& session, SQLRETURN ret);
/// Of an array of which it sends set by set psqlodbc keeps what the first has changed when another
/// fails, but not where that has returned rows.
void keep_first_count(const Work& work);
/// On our own statement the application sees no result, but this count.
SQLRETURN settle_own(const Work& work, Slice slice, SQLRETURN ret, SQLLEN count);
/// libsqliteodbc answers a row count of zero with SQL_NO_DATA, which a query without rows does not.
SQLRETURN as_application_sees(const Work& work, SQLRETURN ret);

}  // namespace understudy::capture
