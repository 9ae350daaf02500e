#include "journal/file_system.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace understudy {
namespace {

Status failure(const char* what, const std::string& path) {
  const int error = errno;
  const std::string head = std::string("cannot ") + what + " " + path + ": ";
  if (error == ENOSPC || error == EDQUOT) {
    return {Code::full, head + "the disk is full; make room"};
  }
  return {error == ENOENT ? Code::not_found : Code::io, head + std::strerror(error)};
}

std::string path_of(int file) {
  char target[4096];
  const std::string link = "/proc/self/fd/" + std::to_string(file);
  const ssize_t length = ::readlink(link.c_str(), target, sizeof(target));
  return length > 0 ? std::string(target, static_cast<std::size_t>(length)) : "the journal";
}

class OperatingSystem final : public FileSystem {
 public:
  Result<int> open(const std::string& path, int flags, unsigned mode) override {
    const int file = ::open(path.c_str(), flags | O_CLOEXEC, mode);
    if (file < 0) return failure("open", path);
    return file;
  }

  void close(int file) override { ::close(file); }

  Status write_at(int file, std::span<const std::byte> bytes, std::uint64_t offset) override {
    while (!bytes.empty()) {
      const ssize_t count = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return failure("write", path_of(file));
      bytes = bytes.subspan(static_cast<std::size_t>(count));
      offset += static_cast<std::uint64_t>(count);
    }
    return {};
  }

  Status truncate(int file, std::uint64_t bytes) override {
    if (::ftruncate(file, static_cast<off_t>(bytes)) == 0) return {};
    return failure("truncate", path_of(file));
  }

  Status sync_data(int file) override {
    if (::fdatasync(file) == 0) return {};
    return failure("sync", path_of(file));
  }

  Status sync_file(int file) override {
    if (::fsync(file) == 0) return {};
    return failure("sync", path_of(file));
  }

  Status sync_directory(const std::string& path) override {
    const int directory = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return failure("open", path);
    Status status;
    if (::fsync(directory) != 0) status = failure("sync", path);
    ::close(directory);
    return status;
  }

  Status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) == 0) return {};
    return failure("rename to", to);
  }

  Status remove(const std::string& path) override {
    if (::unlink(path.c_str()) == 0) return {};
    return failure("remove", path);
  }

  Status has_room(const std::string& directory, std::uint64_t bytes) override {
    struct statvfs disk {};
    if (::statvfs(directory.c_str(), &disk) != 0) return failure("look at", directory);
    const std::uint64_t blocks = ::geteuid() == 0 ? disk.f_bfree : disk.f_bavail;
    const std::uint64_t block = std::max<std::uint64_t>(disk.f_frsize, 1);
    if (blocks >= bytes / block + (bytes % block != 0 ? 1 : 0)) return {};
    errno = ENOSPC;
    return failure("write in", directory);
  }

  Status make_directory(const std::string& path, unsigned mode) override {
    if (::mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return {};
    return failure("make", path);
  }
};

}  // namespace

FileSystem& operating_system() {
  static auto* const files = new OperatingSystem;
  return *files;
}

}  // namespace understudy
