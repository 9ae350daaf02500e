#include "tests/support/crash_cleaner.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "journal/segment_map.h"

namespace understudy {
namespace {

namespace fs = std::filesystem;

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

// The other end of the pipe is closed by the death of its process and in no other way, but for
// forked children that live on: those are waited for as well.
void clean_up_after(int alive, const std::string& home, const std::string& configuration) {
  char none = 0;
  while (::read(alive, &none, 1) == -1 && errno == EINTR) {
  }
  if (none != 0) return;  // ended in order
  end_processes(home);
  remove_segments(home, configuration);
  std::error_code error;
  fs::remove_all(home, error);
  fs::remove_all(configuration, error);
}

}  // namespace

CrashCleaner::CrashCleaner(const std::string& home, const std::string& configuration)
    : owner_(::getpid()) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe for the crash cleaner");
  cleaner_ = ::fork();
  if (cleaner_ == 0) {
    ::close(ends[1]);
    ::setsid();  // the terminal's interrupt is not for it
    // Nobody is to wait for its copies of the output.
    const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int stream = 0; stream <= 2; ++stream) ::dup2(nowhere, stream);
    clean_up_after(ends[0], home, configuration);
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
