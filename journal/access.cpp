#include "journal/access.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>

#include "journal/segment_map.h"

namespace understudy {

Access access_of(const std::string& folder) {
  Access out;
  struct stat info {};
  out.owner = ::geteuid();
  if (::stat(folder.c_str(), &info) != 0) return out;
  out.shared = (info.st_mode & S_IXGRP) != 0;
  out.group = info.st_gid;
  out.owner = info.st_uid;
  return out;
}

Status give_access(int file, const Access& access, bool writable) {
  const uid_t owner = ::geteuid() == 0 ? access.owner : static_cast<uid_t>(-1);
  const gid_t group = access.shared ? access.group : static_cast<gid_t>(-1);
  // Private first: a change of owner or group never opens it to others on the way.
  if (::fchmod(file, S_IRUSR | S_IWUSR) != 0 || ::fchown(file, owner, group) != 0) {
    return {Code::io, std::string("cannot give a file to its folder's owner and group: ") +
                          std::strerror(errno)};
  }
  if (!access.shared) return {};
  const mode_t shared = S_IRUSR | S_IWUSR | S_IRGRP | (writable ? S_IWGRP : 0);
  if (::fchmod(file, shared) == 0) return {};
  return {Code::io, std::string("cannot open a file to its group: ") + std::strerror(errno)};
}

Access access_of_migration(const std::string& home, const std::string& migration) {
  const std::string folder = home + "/" + migration;
  if (::access(folder.c_str(), F_OK) == 0) return access_of(folder);
  Access out = access_of(home);
  struct stat info {};
  // `create` lets everybody pass through the home, its group too.
  out.shared = out.shared && ::stat(home.c_str(), &info) == 0 && (info.st_mode & S_IRGRP) != 0;
  return out;
}

bool owns(const std::string& folder, uid_t user) {
  struct stat info {};
  return ::stat(folder.c_str(), &info) == 0 && info.st_uid == user;
}

namespace {

constexpr mode_t kSwitched = S_IXOTH;  // means nothing else for shared memory

mode_t mode_of_side(SideInUse side) {
  if (side == SideInUse::production) return 0;
  return side == SideInUse::shadow ? S_ISVTX : S_ISVTX | S_ISUID;
}

std::string path_of(const std::string& home, const std::string& migration) {
  return "/dev/shm" + segment_name(home, migration);
}

/// The folder is open to all and sticky: what is no file of ours there is left alone.
Status change_segment(const std::string& path, const std::function<bool(const struct stat&)>& act) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return {Code::not_found, "there is no shared memory " + path};
  }
  const bool ours = ::geteuid() == 0 || info.st_uid == ::geteuid();
  if (ours && act(info)) return {};
  return {Code::io, "shared memory " + path + " belongs to user " + std::to_string(info.st_uid) +
                        " and cannot be changed; do this as that user or as root"};
}

}  // namespace

Status share_segment(const std::string& home, const std::string& migration) {
  const Access access = access_of_migration(home, migration);
  const std::string path = path_of(home, migration);
  const mode_t mode = S_IRUSR | S_IWUSR | (access.shared ? S_IRGRP | S_IWGRP : 0);
  return change_segment(path, [&](const struct stat& info) {
    const uid_t owner = ::geteuid() == 0 ? access.owner : static_cast<uid_t>(-1);
    const gid_t group = access.shared ? access.group : static_cast<gid_t>(-1);
    return ::chmod(path.c_str(), S_IRUSR | S_IWUSR) == 0 &&
           ::lchown(path.c_str(), owner, group) == 0 &&
           ::chmod(path.c_str(), mode | (info.st_mode & kSwitched)) == 0;
  });
}

Status tell_switched(const std::string& home, const std::string& migration, bool now) {
  const std::string path = path_of(home, migration);
  return change_segment(path, [&](const struct stat& info) {
    const mode_t mode = info.st_mode & 07777 & ~kSwitched;
    return ::chmod(path.c_str(), mode | (now ? kSwitched : 0)) == 0;
  });
}

bool may_not_open(const std::string& home, const std::string& migration) {
  const auto refused = [](const std::string& path, int how) {
    return ::faccessat(AT_FDCWD, path.c_str(), how, AT_EACCESS) != 0 && errno == EACCES;
  };
  const std::string path = path_of(home, migration);
  if (::access(path.c_str(), F_OK) != 0) return refused(home + "/" + migration, X_OK);
  return refused(path, R_OK | W_OK);
}

Status tell_side_in_use(const std::string& home, const std::string& migration, SideInUse side) {
  const std::string path = home + "/" + migration;
  const int folder = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct stat info {};
  bool told = folder >= 0 && ::fstat(folder, &info) == 0;
  if (told && mode_of_side(side) != (info.st_mode & (S_ISVTX | S_ISUID))) {
    const mode_t rest = info.st_mode & 07777 & ~static_cast<mode_t>(S_ISVTX | S_ISUID);
    told = ::fchmod(folder, rest | mode_of_side(side)) == 0 && ::fsync(folder) == 0;
  }
  const int error = errno;
  if (folder >= 0) ::close(folder);
  if (told) return {};
  return {Code::io,
          "cannot note at folder " + path + " which database is in use: " + std::strerror(error)};
}

SideInUse side_in_use(const std::string& home, const std::string& migration) {
  struct stat info {};
  if (::stat((home + "/" + migration).c_str(), &info) != 0 || (info.st_mode & S_ISVTX) == 0) {
    return SideInUse::production;
  }
  const bool trusted = info.st_uid == 0 || info.st_uid == ::geteuid() || owns(home, info.st_uid);
  if (!trusted) return SideInUse::production;
  return (info.st_mode & S_ISUID) != 0 ? SideInUse::undecided : SideInUse::shadow;
}

bool switched(const std::string& home, const std::string& migration) {
  if (side_in_use(home, migration) == SideInUse::shadow) return true;
  struct stat info {};
  const std::string path = path_of(home, migration);
  if (::lstat(path.c_str(), &info) != 0 || (info.st_mode & kSwitched) == 0) return false;
  return info.st_uid == 0 || info.st_uid == ::geteuid() || owns(home, info.st_uid) ||
         owns(home + "/" + migration, info.st_uid);
}

}  // namespace understudy
