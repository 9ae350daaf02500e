// A disk that a host crash leaves as disks are left: of what was not synced any part may be there.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "journal/file_system.h"

namespace understudy {

/// Passes everything on to the operating system and remembers how to take back what is not synced.
/// Sectors and sizes come back one by one, names in the reverse order of their changes. Thread
/// safe.
class LossyDisk final : public FileSystem {
 public:
  /// The host goes down at the call with this number; that call and all later ones fail.
  explicit LossyDisk(std::uint64_t crash_at) : calls_left_(crash_at) {}

  [[nodiscard]] bool down() const { return down_; }
  /// The machine is going to crash now, if it has not yet.
  void power_off() {
    const std::lock_guard guard(mutex_);
    down_ = true;
  }

  /// After the crash, when nobody uses the files: takes back what `random` says.
  void lose(std::mt19937_64& random) {
    const std::lock_guard guard(mutex_);
    for (auto& [path, file] : files_) lose_contents(path, file, random);
    if (names_.empty()) return;
    const std::size_t kept = random() % (names_.size() + 1);
    while (names_.size() > kept) {
      names_.back().take_back();
      names_.pop_back();
    }
  }

  Result<int> open(const std::string& path, int flags, unsigned mode) override {
    const std::lock_guard guard(mutex_);
    if (fails()) return kDown;
    const bool there = std::filesystem::exists(path);
    const auto file = real_.open(path, (flags & ~O_ACCMODE) | O_RDWR, mode);
    if (!file.ok()) return file;
    if (!there) names_.push_back({folder_of(path), [path] { std::filesystem::remove(path); }});
    open_[*file] = path;
    File& known = files_[path];
    known.size = there && (flags & O_TRUNC) == 0 ? std::filesystem::file_size(path) : 0;
    if (known.changes.empty()) known.synced_size = known.size;
    return file;
  }
  void close(int file) override {
    const std::lock_guard guard(mutex_);
    open_.erase(file);
    real_.close(file);
  }
  Status write_at(int file, std::span<const std::byte> bytes, std::uint64_t offset) override {
    const std::lock_guard guard(mutex_);
    if (down_) return kDown;
    // What is being written when the host goes down may be there, too.
    const bool last = fails();
    File& known = files_[open_[file]];
    std::vector<char> before(bytes.size());
    const ssize_t read = ::pread(file, before.data(), before.size(), static_cast<off_t>(offset));
    before.resize(read < 0 ? 0 : static_cast<std::size_t>(read));
    known.changes.push_back({offset, std::move(before)});
    known.size = std::max(known.size, offset + bytes.size());
    const Status status = real_.write_at(file, bytes, offset);
    return last ? kDown : status;
  }
  Status truncate(int file, std::uint64_t bytes) override {
    const std::lock_guard guard(mutex_);
    if (fails()) return kDown;
    files_[open_[file]].size = bytes;
    return real_.truncate(file, bytes);
  }
  Status sync_data(int file) override {
    const std::lock_guard guard(mutex_);
    if (fails()) return kDown;
    File& known = files_[open_[file]];
    known.changes.clear();
    known.synced_size = known.size;
    return {};
  }
  Status sync_file(int file) override { return sync_data(file); }
  Status sync_directory(const std::string& path) override {
    const std::lock_guard guard(mutex_);
    if (fails()) return kDown;
    std::erase_if(names_, [&](const Name& one) { return one.folder == path; });
    return {};
  }
  Status rename(const std::string& from, const std::string& to) override {
    const std::lock_guard guard(mutex_);
    if (fails()) return kDown;
    files_[to] = std::move(files_[from]);
    files_.erase(from);
    for (auto& [file, path] : open_) {
      if (path == from) path = to;
    }
    names_.push_back({folder_of(to), [this, from, to] {
                        std::filesystem::rename(to, from);
                        files_.erase(to);
                      }});
    return real_.rename(from, to);
  }
  /// Of what is removed nothing comes back: nobody relies on it.
  Status remove(const std::string& path) override {
    const std::lock_guard guard(mutex_);
    if (fails()) return kDown;
    files_.erase(path);
    return real_.remove(path);
  }
  Status has_room(const std::string& directory, std::uint64_t bytes) override {
    return real_.has_room(directory, bytes);
  }
  Status make_directory(const std::string& path, unsigned mode) override {
    const std::lock_guard guard(mutex_);
    if (fails()) return kDown;
    const bool there = std::filesystem::exists(path);
    Status status = real_.make_directory(path, mode);
    if (!there) names_.push_back({folder_of(path), [path] { std::filesystem::remove_all(path); }});
    return status;
  }

 private:
  static constexpr std::size_t kSector = 512;
  static inline const Status kDown{Code::io, "the host is down"};

  struct Change {
    std::uint64_t offset;
    std::vector<char> before;  // shorter where the file ended
  };
  struct File {
    std::vector<Change> changes;
    std::uint64_t size = 0;
    std::uint64_t synced_size = 0;
  };
  struct Name {
    std::string folder;
    std::function<void()> take_back;
  };

  static std::string folder_of(const std::string& path) {
    return std::filesystem::path(path).parent_path().string();
  }

  /// Whether this call is the one of the crash, or behind it.
  bool fails() {
    if (down_) return true;
    if (calls_left_-- > 0) return false;
    down_ = true;
    return true;
  }

  static void lose_contents(const std::string& path, const File& known, std::mt19937_64& random) {
    if (!std::filesystem::exists(path)) return;
    const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    for (auto change = known.changes.rbegin(); change != known.changes.rend(); ++change) {
      for (std::size_t at = 0; at < change->before.size();) {
        const std::uint64_t place = change->offset + at;
        const std::size_t count =
            std::min<std::size_t>(kSector - place % kSector, change->before.size() - at);
        if (random() % 2 == 0 &&
            ::pwrite(file, change->before.data() + at, count, static_cast<off_t>(place)) < 0) {
          std::abort();
        }
        at += count;
      }
    }
    if (known.size > known.synced_size && random() % 2 == 0 &&
        ::ftruncate(file, static_cast<off_t>(known.synced_size)) != 0) {
      std::abort();
    }
    ::close(file);
  }

  std::mutex mutex_;
  FileSystem& real_ = operating_system();
  std::uint64_t calls_left_;
  std::atomic<bool> down_ = false;
  std::map<int, std::string> open_;
  std::map<std::string, File> files_;
  std::vector<Name> names_;
};

}  // namespace understudy
