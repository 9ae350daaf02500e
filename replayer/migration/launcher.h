// Starting journald and the replayer as processes of their own, unless they run already.
#pragma once

#include "replayer/migration/home.h"

namespace understudy {

inline constexpr int kLaunchSeconds = 10;  // and what a key command may take

/// Returns when both run and the replayer answers. Throws Failure (3) that names the log of the one
/// that ended.
void launch_processes(const Home& home);

}  // namespace understudy
