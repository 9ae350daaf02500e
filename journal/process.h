// This process, and whether another one is alive, as /proc tells.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

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

/// The kernel's random name of this boot of the host, at most 36 bytes; empty: unknown.
std::string boot_id();

}  // namespace understudy
