#include "journal/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <optional>
#include <string_view>

namespace understudy {
namespace {

struct ProcessStat {
  std::uint64_t start_time = 0;
  bool zombie = false;
};

/// Fields of a /proc stat line, counted as proc(5) does; the second may hold spaces and
/// parentheses.
std::optional<ProcessStat> parse_stat(std::string_view line) {
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string_view::npos || name_end + 2 >= line.size()) return std::nullopt;
  line.remove_prefix(name_end + 2);
  ProcessStat out;
  const bool ended = line[0] == 'Z' || line[0] == 'X';
  std::uint64_t threads = 0;
  for (int field = 3; field <= 22; ++field) {
    const std::size_t space = line.find(' ');
    const std::string_view text = line.substr(0, space);
    std::uint64_t* target = field == 20 ? &threads : field == 22 ? &out.start_time : nullptr;
    if (target &&
        std::from_chars(text.data(), text.data() + text.size(), *target).ec != std::errc())
      return std::nullopt;
    if (space == std::string_view::npos && field < 22) return std::nullopt;
    if (space != std::string_view::npos) line.remove_prefix(space + 1);
  }
  // A program whose first thread has ended while others run shows as a zombie with many threads.
  out.zombie = ended && threads <= 1;
  return out;
}

std::optional<ProcessStat> read_stat(const char* path) {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  char buffer[1024];
  const ssize_t got = ::read(fd, buffer, sizeof(buffer));
  ::close(fd);
  if (got <= 0) return std::nullopt;
  return parse_stat(std::string_view(buffer, static_cast<std::size_t>(got)));
}

}  // namespace

const ProcessIdentity& this_process() {
  thread_local ProcessIdentity identity;
  const pid_t pid = ::getpid();
  if (identity.pid != pid) {
    const auto stat_line = read_stat("/proc/self/stat");
    struct stat info {};
    identity.start_time = stat_line ? stat_line->start_time : 0;
    identity.pid_namespace = ::stat("/proc/self/ns/pid", &info) == 0 ? info.st_ino : 0;
    identity.pid = pid;
  }
  return identity;
}

bool process_exists(pid_t pid, std::uint64_t start_time) {
  if (pid <= 0) return false;
  if (::kill(pid, 0) != 0 && errno == ESRCH) return false;
  char path[32];
  *fmt::format_to(path, "/proc/{}/stat", pid) = '\0';
  const auto found = read_stat(path);
  if (!found) return ::kill(pid, 0) == 0 || errno != ESRCH;  // hidden from this user, or just gone
  if (found->zombie) return false;
  return start_time == 0 || found->start_time == start_time;
}

std::string boot_id() {
  constexpr std::size_t kBytesMax = 36;
  char text[kBytesMax];
  const int fd = ::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  const ssize_t got = ::read(fd, text, sizeof(text));
  ::close(fd);
  const std::string_view read(text, got < 0 ? 0 : static_cast<std::size_t>(got));
  return std::string(read.substr(0, read.find('\n')));
}

}  // namespace understudy
