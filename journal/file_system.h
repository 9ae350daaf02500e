// The calls to the operating system that the journal's writer makes, in one place, so that a test
// can make any of them fail, or drop what was not synced. A Status names the file and what to do; a
// full disk or quota is Code::full. Nothing is retried except a call that a signal interrupted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "journal/status.h"

namespace understudy {

/// Thread safe: the next segment is prepared on a thread of its own.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  /// open(2) with O_CLOEXEC; the result is a file descriptor for the calls below.
  virtual Result<int> open(const std::string& path, int flags, unsigned mode) = 0;
  virtual void close(int file) = 0;
  /// Writes all bytes or fails.
  virtual Status write_at(int file, std::span<const std::byte> bytes, std::uint64_t offset) = 0;
  virtual Status truncate(int file, std::uint64_t bytes) = 0;
  virtual Status sync_data(int file) = 0;
  virtual Status sync_file(int file) = 0;
  virtual Status sync_directory(const std::string& path) = 0;
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  virtual Status remove(const std::string& path) = 0;
  /// Code::full when the disk of this directory has not so many bytes left. Quotas, and who else
  /// writes there, are not looked at.
  virtual Status has_room(const std::string& directory, std::uint64_t bytes) = 0;
  /// Makes the directory; one that exists already is as good.
  virtual Status make_directory(const std::string& path, unsigned mode) = 0;
};

/// The real one; never destroyed.
FileSystem& operating_system();

}  // namespace understudy
