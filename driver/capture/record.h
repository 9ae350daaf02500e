// One execution inside the open transaction, run and recorded.
#pragma once

#include "driver/capture/work.h"

namespace understudy::capture {

/// Runs a slice and records what it did; what the real driver answered. Without memory nothing can
/// be recorded, which ends the recording; the application's statement runs all the same.
SQLRETURN record(const Work& work, Slice slice, const RunsSlice& run);

/// Runs the plan's text on our own statement, or `unchanged` where the plan has none. `direct`:
/// SQLExecDirect. Both arguments have to outlive it.
RunsSlice runs_text(const Work& work, bool direct, const RunsUnchanged& unchanged);

}  // namespace understudy::capture
