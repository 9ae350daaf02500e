// A disk that fails when it is told to.
#pragma once

#include <fcntl.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "journal/file_system.h"

namespace understudy {

/// Passes on to the operating system until told to fail.
class FaultyFiles final : public FileSystem {
 public:
  std::atomic<int> writes_until_full = -1;
  std::atomic<int> segments_until_full = -1;
  std::atomic<int> syncs_until_failure = -1;
  std::atomic<std::uint64_t> room_left = UINT64_MAX;  // what has_room finds
  std::atomic<std::uint64_t> bytes_written = 0;
  std::atomic<int> sync_calls = 0;

  Result<int> open(const std::string& path, int flags, unsigned mode) override {
    if ((flags & O_CREAT) != 0 && path.ends_with("next.tmp")) {
      if (segments_until_full == 0) return Status(Code::full, "the disk is full");
      if (segments_until_full > 0) --segments_until_full;
    }
    return real_.open(path, flags, mode);
  }
  void close(int file) override { real_.close(file); }
  Status write_at(int file, std::span<const std::byte> bytes, std::uint64_t offset) override {
    if (writes_until_full == 0) return {Code::full, "the disk is full"};
    if (writes_until_full > 0) --writes_until_full;
    bytes_written += bytes.size();
    return real_.write_at(file, bytes, offset);
  }
  Status truncate(int file, std::uint64_t bytes) override { return real_.truncate(file, bytes); }
  Status sync_data(int file) override {
    ++sync_calls;
    if (syncs_until_failure == 0) return {Code::io, "the disk is broken"};
    if (syncs_until_failure > 0) --syncs_until_failure;
    return real_.sync_data(file);
  }
  Status sync_file(int file) override { return real_.sync_file(file); }
  Status sync_directory(const std::string& path) override { return real_.sync_directory(path); }
  Status rename(const std::string& a, const std::string& b) override { return real_.rename(a, b); }
  Status remove(const std::string& path) override { return real_.remove(path); }
  Status has_room(const std::string& directory, std::uint64_t bytes) override {
    if (bytes > room_left) return {Code::full, "the disk is full"};
    return real_.has_room(directory, bytes);
  }
  Status make_directory(const std::string& path, unsigned mode) override {
    return real_.make_directory(path, mode);
  }

 private:
  FileSystem& real_ = operating_system();
};

}  // namespace understudy
