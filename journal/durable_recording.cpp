#include "journal/durable_recording.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

#include "journal/access.h"
#include "journal/control_page.h"
#include "journal/process.h"

namespace understudy {
namespace {

// One line: WORD BOOTS RING-BYTES BOOT-ID, of columns with a fixed width, so that each is changed
// in place: a full disk does not keep recording from being ended.
constexpr std::string_view kRecorded = "recorded";
constexpr std::string_view kEnded = "ended   ";
static_assert(kRecorded.size() == kEnded.size());
constexpr std::size_t kLineBytesMax = 128;

struct Line {
  bool recorded = false;
  DurableRecording recording;
  std::string boot_id;
};

std::string folder_of(const std::string& home, const std::string& migration) {
  return home + "/" + migration;
}
std::string path_of(const std::string& home, const std::string& migration) {
  return folder_of(home, migration) + "/recording";
}

Status failed(const std::string& path) {
  return {Code::io, fmt::format("cannot write {}: {}; remove it before the host restarts", path,
                                std::strerror(errno))};
}

std::string rest_of(const DurableRecording& recording, const std::string& boot_id) {
  return fmt::format(" {:>3} {:>20} {:<36}\n", recording.boots, recording.ring_bytes, boot_id);
}

/// The next word; empty at the end.
std::string_view take_word(std::string_view* text) {
  text->remove_prefix(std::min(text->find_first_not_of(" \n"), text->size()));
  const std::string_view word = text->substr(0, text->find_first_of(" \n"));
  text->remove_prefix(word.size());
  return word;
}

template <class Number>
bool take_number(std::string_view* text, Number* out) {
  const std::string_view word = take_word(text);
  const auto read = std::from_chars(word.data(), word.data() + word.size(), *out);
  return read.ec == std::errc() && read.ptr == word.data() + word.size();
}

std::optional<Line> parse(std::string_view text) {
  Line out;
  const std::string_view word = take_word(&text);
  out.recorded = word == kRecorded;
  const std::uint64_t& bytes = out.recording.ring_bytes;
  if (!take_number(&text, &out.recording.boots) || !take_number(&text, &out.recording.ring_bytes))
    return std::nullopt;
  out.boot_id = take_word(&text);
  const bool sound = std::has_single_bit(bytes) && bytes >= kRingBytesMin &&
                     bytes <= kRingBytesMax && out.recording.boots <= kBootsMax;
  return sound ? std::optional(std::move(out)) : std::nullopt;
}

class File {
 public:
  File(const std::string& path, int flags)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, S_IRUSR | S_IWUSR)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool write(std::string_view text, std::size_t at) const {
    const auto done = ::pwrite(fd_, text.data(), text.size(), static_cast<off_t>(at));
    return done == static_cast<ssize_t>(text.size()) && ::fdatasync(fd_) == 0;
  }

 private:
  int fd_;
};

std::optional<Line> read_line(const std::string& home, const std::string& migration) {
  const File file(path_of(home, migration), O_RDONLY);
  struct stat info {};
  if (!file.is_open() || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode))
    return std::nullopt;
  const bool trusted = info.st_uid == 0 || info.st_uid == ::geteuid() || owns(home, info.st_uid) ||
                       owns(folder_of(home, migration), info.st_uid);
  if (!trusted) return std::nullopt;
  std::array<char, kLineBytesMax> text{};
  const ssize_t got = ::pread(file.get(), text.data(), text.size(), 0);
  if (got <= 0) return std::nullopt;
  return parse({text.data(), static_cast<std::size_t>(got)});
}

}  // namespace

Status begin_durable_recording(const std::string& home, const std::string& migration,
                               std::uint64_t ring_bytes) {
  const auto before = read_line(home, migration);
  const bool goes_on = before && before->recorded && before->boot_id == boot_id();
  if (goes_on && before->recording.ring_bytes == ring_bytes) return {};
  const std::string path = path_of(home, migration);
  const std::string temporary = path + ".new";
  ::unlink(temporary.c_str());
  {
    const File file(temporary, O_WRONLY | O_CREAT | O_EXCL);
    if (!file.is_open()) return failed(temporary);
    const DurableRecording recording{ring_bytes, goes_on ? before->recording.boots : 0};
    // Who takes part may end it.
    const Status given = give_access(file.get(), access_of(folder_of(home, migration)), true);
    if (!given.ok()) return given;
    if (!file.write(std::string(kRecorded) + rest_of(recording, boot_id()), 0))
      return failed(temporary);
  }
  const File folder(folder_of(home, migration), O_RDONLY | O_DIRECTORY);
  const bool renamed = folder.is_open() && ::rename(temporary.c_str(), path.c_str()) == 0 &&
                       ::fsync(folder.get()) == 0;
  return renamed ? Status() : failed(path);
}

Status end_durable_recording(const std::string& home, const std::string& migration) {
  const std::string path = path_of(home, migration);
  const File file(path, O_WRONLY);
  if (!file.is_open()) return errno == ENOENT ? Status() : failed(path);
  return file.write(kEnded, 0) ? Status() : failed(path);
}

std::optional<DurableRecording> recording_before(const std::string& home,
                                                 const std::string& migration) {
  const auto line = read_line(home, migration);
  const std::string now = boot_id();
  if (!line || !line->recorded || now.empty() || line->boot_id == now) return std::nullopt;
  DurableRecording out = line->recording;
  if (++out.boots > kBootsMax) return std::nullopt;
  return out;
}

Status resume_durable_recording(const std::string& home, const std::string& migration) {
  const auto recording = recording_before(home, migration);
  if (!recording) return {};
  const std::string path = path_of(home, migration);
  const File file(path, O_WRONLY);
  // Not the word: somebody may be ending it.
  const bool told = file.is_open() && file.write(rest_of(*recording, boot_id()), kRecorded.size());
  return told ? Status() : failed(path);
}

}  // namespace understudy
