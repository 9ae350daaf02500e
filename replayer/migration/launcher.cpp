#include "replayer/migration/launcher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "journal/segment_map.h"
#include "replayer/migration/control_socket.h"
#include "replayer/migration/failure.h"
#include "replayer/migration/settings.h"

namespace understudy {
namespace {

constexpr int kLookMs = 10;

/// The child between fork and exec: only what is safe there.
[[noreturn]] void become(const char* command, const Home& home, int log, int nothing) {
  ::setsid();
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::syscall(SYS_close_range, 3u, ~0u, 0u);
  ::execl("/proc/self/exe", "understudy", command, home.name.c_str(), nullptr);
  ::_exit(kExitFailed);
}

/// Starts `understudy COMMAND NAME` detached, then waits until `ready`, at most kLaunchSeconds.
void launch(const char* command, const Home& home, const std::string& log_path,
            const std::function<bool()>& ready) {
  const int log = ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (log < 0) throw Failure(kExitFailed, "cannot write " + log_path + "; look at its permissions");
  const pid_t child = ::fork();
  if (child == 0) become(command, home, log, nothing);
  ::close(log);
  ::close(nothing);
  if (child < 0)
    throw Failure(kExitFailed, "cannot start another process; see the limits of this user");
  // Death shows on the pidfd at once; readiness is a lock or a socket, which tell nobody.
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, child, 0));
  const std::uint64_t deadline_ns =
      monotonic_ns() + (kLaunchSeconds + kKeyCommandSeconds) * 1'000'000'000ull;
  bool ended = false;
  while (!ready() && !ended && monotonic_ns() < deadline_ns) {
    pollfd waiting{pidfd, POLLIN, 0};
    ended = ::poll(&waiting, 1, kLookMs) > 0 || ::waitpid(child, nullptr, WNOHANG) == child;
  }
  if (pidfd >= 0) ::close(pidfd);
  if (!ready())
    throw Failure(kExitFailed, fmt::format("{} of migration {} {}; see {}", command, home.name,
                                           ended ? "ended at once" : "is not ready yet", log_path));
}

}  // namespace

void launch_processes(const Home& home) {
  const auto map =
      require(SegmentMap::open_or_create(home.root, home.name, load_settings(home).ring_bytes));
  const auto journald_runs = [&] { return map->locked_elsewhere(kLockJournald); };
  if (!journald_runs()) launch("journald", home, home.journald_log(), journald_runs);
  const auto replayer_runs = [&] {
    return map->locked_elsewhere(kLockReplayer) && replayer_listens(home);
  };
  if (!replayer_runs()) launch("replayer", home, home.replayer_log(), replayer_runs);
}

}  // namespace understudy
