// Executions that wait for data: SQLParamData and SQLPutData.
#pragma once

#include "driver/capture/work.h"

namespace understudy::capture {

/// Starts an execution with values that come later. `implicit`: it gets a transaction of its own;
/// `direct`: SQLExecDirect.
SQLRETURN start_pending(const Work& work, bool implicit, bool direct,
                        const RunsUnchanged& unchanged);
/// SQLParamData and SQLPutData of an execution that waits for data. Called with write_mutex held.
SQLRETURN continue_pending(Statement& stmt, Session& session, const RunsUnchanged& param_data);
void add_pending(Statement& stmt, Session& session, const void* data, SQLLEN length);
/// The execution that waited for data was given up. Called with write_mutex held.
void abandon_pending(Statement& stmt, Session& session);

}  // namespace understudy::capture
