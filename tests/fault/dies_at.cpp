// A library that a test preloads into the replayer: the process dies, or stops, at an exact step of
// a cutover, told from the state file that it writes and the messages that it sends.
//
// UNDERSTUDY_TEST_STEP names a file; while it is there its words are "kill" or "stop", then the
// step:
//   before PHASE      the state file is about to say so, and all else is ready for it
//   behind PHASE      the state file says so, and its folder is not synced yet
//   message N PHASE   the Nth message to a server after that
// The file is removed when the step has come.
#include <dlfcn.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <sstream>
#include <string>
#include <utility>

namespace {

std::string phase_in(const std::string& path) {
  const std::string key = "  \"phase\": \"";
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(key, 0) == 0)
      return line.substr(key.size(), line.find('"', key.size()) - key.size());
  }
  return {};
}

struct Step {
  std::string how, when, phase;
  int number = 0;
};

Step asked() {
  Step step;
  const char* path = std::getenv("UNDERSTUDY_TEST_STEP");
  if (path == nullptr) return step;
  std::ifstream in(path);
  in >> step.how >> step.when;
  if (step.when == "message") in >> step.number;
  in >> step.phase;
  return step;
}

void take(const Step& step) {
  ::unlink(std::getenv("UNDERSTUDY_TEST_STEP"));
  if (step.how == "fail") return;
  ::kill(::getpid(), step.how == "stop" ? SIGSTOP : SIGKILL);
}

std::mutex mutex;
std::string phase;  // as the state file says
std::atomic<int> messages{0};
thread_local bool next_sync_fails = false;

std::string path_of(int file) {
  char path[PATH_MAX] = {};
  const std::string link = "/proc/self/fd/" + std::to_string(file);
  return ::readlink(link.c_str(), path, sizeof path - 1) > 0 ? path : std::string();
}

bool sync_fails(int file) {
  if (std::exchange(next_sync_fails, false)) return true;
  const Step step = asked();
  if (step.how != "fail" || step.when != "before") return false;
  const std::string path = path_of(file);
  if (!path.ends_with("/state.json.new") || phase_in(path) != step.phase) return false;
  take(step);
  return true;
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

int rename(const char* from, const char* to) noexcept {
  static const auto real = reinterpret_cast<decltype(&::rename)>(::dlsym(RTLD_NEXT, "rename"));
  if (!std::string(to).ends_with("/state.json")) return real(from, to);
  const std::string next = phase_in(from);
  const Step step = asked();
  const bool here = step.phase == next;
  if (here && step.when == "before") take(step);
  const int result = real(from, to);
  if (here && step.when == "behind") {
    take(step);
    next_sync_fails = step.how == "fail";
  }
  const std::lock_guard guard(mutex);
  if (phase != next) messages = 0;
  phase = next;
  return result;
}

int fsync(int file) {
  static const auto real = reinterpret_cast<decltype(&::fsync)>(::dlsym(RTLD_NEXT, "fsync"));
  if (!sync_fails(file)) return real(file);
  errno = EIO;
  return -1;
}

ssize_t send(int socket, const void* bytes, size_t count, int flags) {
  static const auto real = reinterpret_cast<decltype(&::send)>(::dlsym(RTLD_NEXT, "send"));
  const Step step = asked();
  if (step.when == "message") {
    const std::lock_guard guard(mutex);
    if (step.phase == phase && ++messages == step.number) take(step);
  }
  return real(socket, bytes, count, flags);
}
}
#pragma GCC visibility pop
