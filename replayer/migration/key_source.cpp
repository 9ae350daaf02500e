#include "replayer/migration/key_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "journal/segment_map.h"
#include "replayer/migration/failure.h"

namespace understudy {
namespace {

constexpr std::string_view kShellOnly = "'\"\\$`|&;<>()*?[]{}~#!\t\n";

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

[[noreturn]] void fail(const std::string& line) {
  throw Failure(kExitFailed, line);
}

/// `text` holds one byte more than a key file may have, so that a longer one is seen.
std::shared_ptr<const JournalKeys> parse(const SecretBytes& text, std::size_t bytes,
                                         const std::string& from) {
  if (bytes > kJournalKeyTextMax)
    fail(
        fmt::format("{} gives more than {} lines of 64 digits; keep the current key and those of "
                    "segments that are still there",
                    from, kJournalKeysMax));
  auto keys = JournalKeys::parse(text.bytes().first(bytes));
  if (!keys.ok()) fail(fmt::format("{}: {}", from, keys.status().message()));
  return *keys;
}

std::shared_ptr<const JournalKeys> load_file(const std::string& path) {
  const std::string name = "the key file " + path;
  // A pipe without a writer would keep us waiting.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (file.get() < 0) fail(fmt::format("cannot open {}: {}", name, std::strerror(errno)));
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) fail(fmt::format("cannot look at {}", name));
  if (!S_ISREG(info.st_mode)) fail(name + " is no regular file");
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    fail(fmt::format("{} may be read by others than its owner; chmod 600 {}", name, path));
  if (info.st_uid != ::geteuid() && info.st_uid != 0)
    fail(fmt::format("{} belongs to user {}; give it to the user that runs journald and replayer",
                     name, info.st_uid));
  const SecretBytes text(kJournalKeyTextMax + 1);
  std::size_t bytes = 0;
  while (bytes < text.bytes().size()) {
    const ssize_t count =
        ::read(file.get(), text.bytes().data() + bytes, text.bytes().size() - bytes);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(fmt::format("cannot read {}: {}", name, std::strerror(errno)));
    if (count == 0) break;
    bytes += static_cast<std::size_t>(count);
  }
  return parse(text, bytes, name);
}

/// A process of its own group, which ends with everything it has started when this goes.
class Command {
 public:
  explicit Command(const std::vector<std::string>& words) : name_("the key command " + words[0]) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) fail("cannot make a pipe for " + name_);
    output_ = std::make_unique<Descriptor>(ends[0]);
    const Descriptor input(ends[1]);
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawnattr_init(&attributes);
    ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&files, input.get(), STDOUT_FILENO);
    ::posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    sigset_t defaults;
    sigset_t none;
    ::sigfillset(&defaults);
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigdefault(&attributes, &defaults);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setpgroup(&attributes, 0);
    ::posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    const int error = ::posix_spawn(&pid_, argv[0], &files, &attributes, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
    if (error != 0) pid_ = -1;
    if (error != 0) fail(fmt::format("cannot run {}: {}", name_, std::strerror(error)));
  }
  ~Command() {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  /// What it prints until it closes its output; then waits for its end.
  std::size_t run(const SecretBytes& text) {
    std::size_t bytes = 0;
    for (;;) {
      wait_for(output_->get());
      if (bytes == text.bytes().size()) fail(name_ + " prints more than any key file holds");
      const ssize_t count =
          ::read(output_->get(), text.bytes().data() + bytes, text.bytes().size() - bytes);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail(fmt::format("cannot read from {}: {}", name_, std::strerror(errno)));
      if (count == 0) break;
      bytes += static_cast<std::size_t>(count);
    }
    const Descriptor ended(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    wait_for(ended.get());
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    if (WIFSIGNALED(status))
      fail(fmt::format("{} was ended by signal {}", name_, WTERMSIG(status)));
    if (WEXITSTATUS(status) != 0)
      fail(fmt::format("{} ended with {}; run it by hand to see why", name_, WEXITSTATUS(status)));
    return bytes;
  }
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  void wait_for(int descriptor) const {
    for (;;) {
      const std::uint64_t now = monotonic_ns();
      pollfd waiting{descriptor, POLLIN, 0};
      const int left_ms =
          now < deadline_ns_ ? static_cast<int>((deadline_ns_ - now) / 1'000'000) + 1 : 0;
      const int ready = ::poll(&waiting, 1, left_ms);
      if (ready > 0) return;
      if (ready < 0 && errno == EINTR) continue;
      fail(fmt::format("{} took more than {} s and was ended", name_, kKeyCommandSeconds));
    }
  }

  std::string name_;
  std::unique_ptr<Descriptor> output_;
  pid_t pid_ = -1;
  std::uint64_t deadline_ns_ = monotonic_ns() + kKeyCommandSeconds * 1'000'000'000ull;
};

std::shared_ptr<const JournalKeys> load_command(const std::vector<std::string>& words) {
  if (words[0].empty() || words[0][0] != '/')
    fail(fmt::format("the key command {} is not named by its full path", words[0]));
  const SecretBytes text(kJournalKeyTextMax + 1);
  Command command(words);
  return parse(text, command.run(text), command.name());
}

}  // namespace

std::shared_ptr<const JournalKeys> load_journal_keys(const KeySource& source) {
  if (!source.file.empty()) return load_file(source.file);
  if (!source.command.empty()) return load_command(source.command);
  return nullptr;
}

std::vector<std::string> words_of_command(std::string_view text) {
  if (text.find_first_of(kShellOnly) != std::string_view::npos)
    throw Failure(kExitUsage,
                  "the key command is run without a shell, as words between blanks; put anything "
                  "else into a script, or into journal_key_command of migration.toml as a list");
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end > 0) words.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

}  // namespace understudy
