// Parameter arrays: their sets run in slices, as many at once as the plan allows.
#pragma once

#include "driver/capture/work.h"

namespace understudy::capture {

/// Slice after slice inside the open transaction; stops at the first that fails, as the real
/// drivers do.
SQLRETURN record_slices(const Work& work, const RunsSlice& run);
/// Each slice of an array commits by itself, as it does under the real driver's autocommit.
SQLRETURN run_converted(const Work& work, const RunsSlice& run);
/// Connector/ODBC may send an array as one command, of which nothing stays when one set fails. So
/// that what each set changed is known they are run one after the other, behind a savepoint.
/// `implicit`: in a transaction of its own.
SQLRETURN run_whole_array(const Work& work, bool implicit, const RunsSlice& run,
                          const RunsUnchanged& unchanged);
/// psqlodbc tells of the set that failed once more, as the result behind those of the sets before.
void keep_failed_set(const Work& work);

}  // namespace understudy::capture
