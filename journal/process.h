// This process, and whether another one is alive, as /proc tells.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace understudy {

struct ProcessIdentity {
  pid_t pid = 0;
  std::uint64_t start_time = 0;     // in clock ticks since the host's start; 0: unknown
  std::uint64_t pid_namespace = 0;  // its inode; 0: unknown
};

/// Read anew after a fork. Any thread.
const ProcessIdentity& this_process();

/// Of a process in the own pid namespace; `start_time` 0 matches any. What cannot be found out
/// counts as existing.
bool process_exists(pid_t pid, std::uint64_t start_time);

}  // namespace understudy
