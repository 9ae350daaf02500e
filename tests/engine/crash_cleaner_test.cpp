// A test program that crashes leaves nothing behind.
#include "tests/support/crash_cleaner.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>

#include "journal/segment_map.h"
#include "tests/support/engines.h"

namespace understudy {
namespace {

struct Pipe {
  Pipe() {
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  }
  ~Pipe() {
    for (const int end : ends) ::close(end);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  /// Waits until nobody holds the writing end.
  void wait_for_end() {
    ::close(ends[1]);
    ends[1] = -1;
    char none = 0;
    while (::read(ends[0], &none, 1) == 1) {
    }
  }
  int ends[2];
};

// A process that lives until it is killed, as a migration's do, and holds the pipe. It has begun
// when this returns.
void start_in_background(const Pipe& pipe, const std::string& home) {
  if (::fork() == 0) {
    ::setsid();
    ::dup2(pipe.ends[1], 1);
    ::close(2);
    std::string variable = "UNDERSTUDY_HOME=" + home;
    char* environment[] = {variable.data(), nullptr};
    ::execle("/bin/sh", "sh", "-c", "echo; exec sleep 300", nullptr, environment);
    ::_exit(127);
  }
  char begun = 0;
  while (::read(pipe.ends[0], &begun, 1) == -1 && errno == EINTR) {
  }
}

TEST(CrashCleaner, EndsTheProcessesOfAProgramThatCrashesAndRemovesItsSegments) {
  const TempDir home;
  const TempDir configuration;
  std::ofstream(configuration.path() + "/odbc.ini") << "[crashed]\nDriver=none\n";
  const std::string segment = "/dev/shm" + segment_name(home.path(), "crashed");
  Pipe pipe;
  const pid_t program = ::fork();
  if (program == 0) {
    const CrashCleaner cleaner(home.path(), configuration.path());
    const auto map = SegmentMap::open_or_create(home.path(), "crashed", 1u << 20);
    start_in_background(pipe, home.path());
    ::mkdir((server_folder(::getpid()) + "-left").c_str(), 0700);
    ::kill(::getpid(), map.ok() ? SIGKILL : SIGTERM);
  }
  int status = 0;
  ::waitpid(program, &status, 0);
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  pipe.wait_for_end();  // the cleaner holds it until it has done its work
  EXPECT_NE(::access(segment.c_str(), F_OK), 0);
  EXPECT_NE(::access(home.path().c_str(), F_OK), 0);
  EXPECT_NE(::access((server_folder(program) + "-left").c_str(), F_OK), 0);
}

TEST(CrashCleaner, TouchesNothingAfterAnEndInOrder) {
  const TempDir home;
  const TempDir configuration;
  { const CrashCleaner cleaner(home.path(), configuration.path()); }
  EXPECT_EQ(::access(home.path().c_str(), F_OK), 0);
  EXPECT_EQ(::access(configuration.path().c_str(), F_OK), 0);
}

}  // namespace
}  // namespace understudy
