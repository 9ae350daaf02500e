#include "journal/unrecorded.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <vector>

#include "journal/access.h"
#include "journal/durable_recording.h"
#include "journal/process.h"
#include "journal/segment_map.h"

namespace understudy {
namespace {

// A symbolic link that leads nowhere: its target is the word, "PID START-TIME PID-NAMESPACE
// REASON".

std::string path_of(const std::string& home, const std::string& migration, unsigned number) {
  return fmt::format("/dev/shm{}.unrecorded-{}", segment_name(home, migration), number);
}

struct Word {
  pid_t pid = 0;
  std::uint64_t start_time = 0;
  std::uint64_t pid_namespace = 0;
  std::string reason;
  uid_t owner = 0;

  /// Of a process in another namespace nothing can be found out.
  [[nodiscard]] bool lives() const {
    return pid_namespace != this_process().pid_namespace || process_exists(pid, start_time);
  }
};

std::optional<Word> read_word(const std::string& path) {
  std::array<char, kUnrecordedReasonMax + 64> text{};
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0 || !S_ISLNK(info.st_mode)) return std::nullopt;
  const ssize_t length = ::readlink(path.c_str(), text.data(), text.size());
  if (length <= 0) return std::nullopt;
  Word out;
  out.owner = info.st_uid;
  const char* end = text.data() + length;
  const char* at = text.data();
  const auto number = [&](auto* value) {
    while (at != end && *at == ' ') ++at;
    const auto read = std::from_chars(at, end, *value);
    at = read.ptr;
    return read.ec == std::errc();
  };
  if (!number(&out.pid) || !number(&out.start_time) || !number(&out.pid_namespace)) {
    return std::nullopt;
  }
  for (; at != end; ++at) {
    out.reason += static_cast<unsigned char>(*at) < 0x20 ? ' ' : *at;
  }
  return out;
}

bool is_member(uid_t user, gid_t group) {
  constexpr int kGroupsMax = 1024;
  std::vector<char> buffer(16u << 10);
  struct passwd entry {};
  struct passwd* found = nullptr;
  if (::getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
    return false;
  std::vector<gid_t> groups(kGroupsMax);
  int count = kGroupsMax;
  if (::getgrouplist(found->pw_name, found->pw_gid, groups.data(), &count) < 0) return false;
  groups.resize(static_cast<std::size_t>(count));
  for (const gid_t one : groups) {
    if (one == group) return true;
  }
  return false;
}

bool is_believed(const Word& word, const Access& access) {
  return word.owner == 0 || word.owner == access.owner ||
         (access.shared && is_member(word.owner, access.group));
}

}  // namespace

void leave_unrecorded_word(const std::string& home, const std::string& migration,
                           const std::string& reason) {
  (void)end_durable_recording(home, migration);
  const ProcessIdentity& me = this_process();
  const std::string path =
      path_of(home, migration, static_cast<unsigned>(me.pid) % kUnrecordedWordsMax);
  const std::string text = fmt::format("{} {} {} {}", me.pid, me.start_time, me.pid_namespace,
                                       reason.substr(0, kUnrecordedReasonMax));
  if (::symlink(text.c_str(), path.c_str()) == 0 || errno != EEXIST) return;
  // Another's, which is as good as long as it lives.
  const std::optional<Word> there = read_word(path);
  if (there && there->lives()) return;
  ::unlink(path.c_str());
  (void)!::symlink(text.c_str(), path.c_str());
}

std::optional<std::string> find_unrecorded_word(const std::string& home,
                                                const std::string& migration, Unrecorded which) {
  for (unsigned number = 0; number < kUnrecordedWordsMax; ++number) {
    const std::optional<Word> word = read_word(path_of(home, migration, number));
    if (!word) continue;
    if (which == Unrecorded::alive && !word->lives()) continue;
    if (!is_believed(*word, access_of_migration(home, migration))) continue;
    return fmt::format("process {}:{}", word->pid, word->reason);
  }
  return std::nullopt;
}

void forget_ended_words(const std::string& home, const std::string& migration) {
  for (unsigned number = 0; number < kUnrecordedWordsMax; ++number) {
    const std::string path = path_of(home, migration, number);
    const std::optional<Word> word = read_word(path);
    if (word && !word->lives()) ::unlink(path.c_str());
  }
}

}  // namespace understudy
