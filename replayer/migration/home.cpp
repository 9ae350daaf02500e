#include "replayer/migration/home.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "journal/access.h"
#include "journal/file_system.h"
#include "journal/segment_map.h"
#include "replayer/migration/failure.h"

namespace understudy {

Home Home::of(std::string_view migration) {
  if (!valid_migration_name(migration))
    throw Failure(
        kExitUsage,
        "a migration's name is 1 to 64 letters, digits, dots, dashes and underscores, and "
        "does not begin with a dot; choose another name");
  return {understudy_home(), std::string(migration)};
}

bool Home::exists() const {
  return ::access(settings().c_str(), F_OK) == 0;
}

Home existing_home(std::string_view migration) {
  Home home = Home::of(migration);
  if (!home.exists())
    throw Failure(kExitUsage,
                  fmt::format("there is no migration {} in {}; make it with `understudy "
                              "create {}`, or set UNDERSTUDY_HOME",
                              home.name, home.root, home.name));
  return home;
}

void replace_file(const std::string& path, std::string_view content) {
  FileSystem& files = operating_system();
  const std::string temporary = path + ".new";
  const int file = require(files.open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0600));
  Access access = access_of(path.substr(0, path.rfind('/')));
  access.shared = false;
  const Status own = give_access(file, access, false);
  const Status written =
      !own.ok() ? own
                : files.write_at(file, std::as_bytes(std::span(content.data(), content.size())), 0);
  const Status synced = written.ok() ? files.sync_file(file) : written;
  files.close(file);
  require(synced);
  require(files.rename(temporary, path));
  require(files.sync_directory(path.substr(0, path.rfind('/'))));
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in)
    throw Failure(kExitFailed, fmt::format("cannot read {}: {}; look at its permissions", path,
                                           std::strerror(errno)));
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace understudy
