// The long-lived process `understudy replayer NAME`.
#pragma once

#include <atomic>

#include "replayer/migration/home.h"

namespace understudy {

/// Runs until `stop`, or the end of the migration. Takes kLockReplayer; ends an interrupted
/// cutover; goes on with the phase in the state file; serves the control socket. Throws Failure.
void run_replayer(const Home& home, const std::atomic<bool>& stop);

}  // namespace understudy
