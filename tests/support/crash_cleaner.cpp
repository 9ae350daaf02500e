#include "tests/support/crash_cleaner.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "journal/segment_map.h"

namespace understudy {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMemoryForServersMin = 12ull << 30;
constexpr int kRemovalsMax = 100;  // of a folder into which a dying server still writes
constexpr int kBetweenRemovalsMs = 20;

std::uint64_t memory_available() {
  std::ifstream in("/proc/meminfo");
  std::string line;
  while (std::getline(in, line)) {
    if (line.starts_with("MemAvailable:"))
      return std::strtoull(line.c_str() + 13, nullptr, 10) << 10;
  }
  return 0;
}

// Environments end each variable with a NUL.
bool belongs_to(const std::string& process, const std::string& home) {
  std::ifstream in("/proc/" + process + "/environ", std::ios::binary);
  const std::string environment{std::istreambuf_iterator<char>(in), {}};
  const std::string wanted = "UNDERSTUDY_HOME=" + home + '\0';
  const auto at = environment.find(wanted);
  return at != std::string::npos && (at == 0 || environment[at - 1] == '\0');
}

void end_processes(const std::string& home) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    if (std::isdigit(static_cast<unsigned char>(name.front())) == 0) continue;
    const auto pid = static_cast<pid_t>(std::stol(name));
    if (pid != ::getpid() && belongs_to(name, home)) ::kill(pid, SIGKILL);
  }
}

void remove_segments(const std::string& home, const std::string& configuration) {
  std::ifstream sections(configuration + "/odbc.ini");
  for (std::string line; std::getline(sections, line);) {
    if (!line.starts_with('[') || !line.ends_with(']')) continue;
    (void)SegmentMap::remove(home, line.substr(1, line.size() - 2));
  }
}

void remove_server_folders(const std::string& beginning) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(fs::path(beginning).parent_path(), error)) {
    if (!entry.path().string().starts_with(beginning + "-")) continue;
    for (int i = 0; i < kRemovalsMax; ++i) {
      fs::remove_all(entry.path(), error);
      if (!error) break;
      ::poll(nullptr, 0, kBetweenRemovalsMs);
    }
  }
}

// The other end of the pipe is closed by the death of its process and in no other way, but for
// forked children that live on: those are waited for as well.
void clean_up_after(int alive, const std::string& home, const std::string& configuration,
                    const std::string& servers) {
  char none = 0;
  while (::read(alive, &none, 1) == -1 && errno == EINTR) {
  }
  if (none != 0) return;  // ended in order
  end_processes(home);
  remove_segments(home, configuration);
  std::error_code error;
  fs::remove_all(home, error);
  fs::remove_all(configuration, error);
  remove_server_folders(servers);
}

}  // namespace

std::string server_folder(pid_t program) {
  static const bool in_memory = [] {
    struct statvfs space {};
    const bool there = ::statvfs("/dev/shm", &space) == 0 && ::access("/dev/shm", W_OK) == 0;
    const std::uint64_t free = there ? space.f_bavail * space.f_frsize : 0;
    return std::min(free, memory_available()) >= kMemoryForServersMin;
  }();
  const fs::path parent = in_memory ? fs::path("/dev/shm") : fs::temp_directory_path();
  return (parent / ("understudy-server-" + std::to_string(program))).string();
}

CrashCleaner::CrashCleaner(const std::string& home, const std::string& configuration)
    : owner_(::getpid()) {
  const std::string servers = server_folder(owner_);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe for the crash cleaner");
  cleaner_ = ::fork();
  if (cleaner_ == 0) {
    ::close(ends[1]);
    ::setsid();  // the terminal's interrupt is not for it
    // Nobody is to wait for its copies of the output.
    const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int stream = 0; stream <= 2; ++stream) ::dup2(nowhere, stream);
    clean_up_after(ends[0], home, configuration, servers);
    ::_exit(0);
  }
  ::close(ends[0]);
  alive_ = ends[1];
  if (cleaner_ < 0) throw std::runtime_error("no process for the crash cleaner");
}

CrashCleaner::~CrashCleaner() {
  if (::getpid() != owner_) return;
  const char in_order = 1;
  const bool told = ::write(alive_, &in_order, 1) == 1;
  ::close(alive_);
  if (told) ::waitpid(cleaner_, nullptr, 0);
}

}  // namespace understudy
