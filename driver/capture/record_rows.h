// Statements whose engine does not return what they changed: it is kept, or asked for.
#pragma once

#include "driver/capture/work.h"

namespace understudy::capture {

/// Runs and records a slice of a plan that asks (Plan::asks) inside the open transaction; what the
/// real driver answered.
SQLRETURN record_by_rows(const Work& work, Slice slice, const RunsSlice& run);

}  // namespace understudy::capture
