// A migration's segment in a temporary home, and child processes that end as a test wants.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <string>

#include "journal/mode.h"
#include "journal/segment_map.h"

namespace understudy {

inline constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
/// For waits that end at once unless something is broken.
inline std::uint64_t soon() {
  return monotonic_ns() + 20 * kNsPerSecond;
}
/// For waits that are expected to end by their deadline.
inline std::uint64_t shortly() {
  return monotonic_ns() + kNsPerSecond / 20;
}

/// From UNDERSTUDY_SEED, or random; printed either way.
inline std::uint64_t test_seed() {
  const char* set = std::getenv("UNDERSTUDY_SEED");
  const std::uint64_t seed = set ? std::strtoull(set, nullptr, 10) : std::random_device{}();
  std::printf("UNDERSTUDY_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

/// A child process; killed with SIGKILL when still running at the end.
class Child {
 public:
  /// Runs `body` in the child, which then exits with status 0, or 1 when it returned false.
  explicit Child(const std::function<bool()>& body) {
    std::fflush(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) ::_exit(body() ? 0 : 1);
  }
  Child(Child&& other) noexcept : pid_(other.pid_) { other.pid_ = -1; }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { end(); }

  [[nodiscard]] pid_t pid() const { return pid_; }
  void stop() const {
    ::kill(pid_, SIGSTOP);
    ::waitpid(pid_, nullptr, WUNTRACED);
  }
  void resume() const { ::kill(pid_, SIGCONT); }
  /// Kills it and leaves the zombie.
  void kill() const {
    ::kill(pid_, SIGKILL);
    siginfo_t info;
    ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
  }
  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  /// Waits for its end; the status as of waitpid.
  int wait() {
    int status = -1;
    if (pid_ > 0) ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_ = -1;
};

/// Runs `body` in a child that is then really killed.
inline void in_killed_child(const std::function<void()>& body) {
  Child child([&] {
    body();
    ::raise(SIGKILL);
    return false;
  });
  const int status = child.wait();
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

class SegmentTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "understudy-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    home_ = pattern;
  }
  void TearDown() override {
    map_.reset();
    EXPECT_TRUE(SegmentMap::remove(home_, kName).ok());
    std::filesystem::remove_all(home_);
  }
  SegmentMap& create(std::uint64_t ring_bytes = kRingBytesMin) {
    auto made = SegmentMap::open_or_create(home_, kName, ring_bytes);
    EXPECT_TRUE(made.ok()) << made.status().message();
    map_ = *made;
    return *map_;
  }
  void set_mode(Mode mode) { map_->header().mode_word = mode_word(mode, 1); }
  /// A word of the page that no code looks at, for tests to meet at.
  std::atomic<std::uint32_t>& meeting() { return map_->slot(kSlotCount - 1).reserved; }
  void arrive() {
    meeting().fetch_add(1);
    futex_wake_all(meeting());
  }
  [[nodiscard]] bool wait_for_arrivals(std::uint32_t count) {
    const std::uint64_t deadline = soon();
    for (;;) {
      const std::uint32_t seen = meeting().load();
      if (seen >= count) return true;
      if (!futex_wait_until(meeting(), seen, deadline)) return false;
    }
  }
  static void sleep_for_ever() {
    for (;;) ::pause();
  }

  static constexpr const char* kName = "test";
  std::string home_;
  std::shared_ptr<SegmentMap> map_;
};

}  // namespace understudy
