#include "driver/real/library.h"

#include <dlfcn.h>
#include <link.h>
#include <odbcinst.h>
#include <sys/stat.h>

#include <map>
#include <memory>
#include <mutex>

#include "driver/real/configuration.h"

namespace understudy::real {
namespace {

constexpr std::size_t kSectionDepthMax = 4;  // odbcinst.ini sections that name sections

std::string directory_of(const void* address) {
  Dl_info info{};
  if (dladdr(address, &info) == 0 || info.dli_fname == nullptr) return {};
  const std::string file = info.dli_fname;
  const auto slash = file.rfind('/');
  return slash == std::string::npos ? std::string() : file.substr(0, slash);
}

bool is_file(const std::string& path) {
  struct stat st {};
  return stat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode);
}

bool same_file(const char* left, const char* right) {
  struct stat a {};
  struct stat b {};
  return stat(left, &a) == 0 && stat(right, &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

// libodbc finds file names in the directory compiled into it, "<libdir>/odbc". We normally lie
// there ourselves; libodbcinst lies in <libdir>.
std::string find_file(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const std::string own = directory_of(reinterpret_cast<const void*>(&load));
  const std::string system =
      directory_of(reinterpret_cast<const void*>(&::SQLGetPrivateProfileString));
  for (std::string candidate : {own + "/", system + "/odbc/"}) {
    candidate += name;
    if (is_file(candidate)) return candidate;
  }
  return name;
}

bool is_this_library(void* handle) {
  Dl_info own{};
  link_map* map = nullptr;
  if (dladdr(reinterpret_cast<const void*>(&load), &own) == 0) return false;
  if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0 || map == nullptr) return false;
  return same_file(own.dli_fname, map->l_name);
}

// dlsym also searches what the driver is linked against. A name that falls through to a driver
// manager would call back into it: such an entry does not exist.
void* entry(void* handle, const char* name) {
  void* address = dlsym(handle, name);
  Dl_info info{};
  if (address == nullptr || dladdr(address, &info) == 0 || info.dli_fname == nullptr) {
    return address;
  }
  const std::string_view file = info.dli_fname;
  const std::string_view base = file.substr(file.rfind('/') + 1);
  const bool manager = base.starts_with("libodbc.so") || base.starts_with("libiodbc.so");
  return manager ? nullptr : address;
}

void fill(void* handle, Library* library) {
  Entries& fn = library->fn;
#define UNDERSTUDY_ENTRY(name) \
  fn.name = reinterpret_cast<decltype(fn.name)>(entry(handle, "SQL" #name));
  UNDERSTUDY_PLAIN_ENTRIES(UNDERSTUDY_ENTRY)
  UNDERSTUDY_WIDE_ENTRIES(UNDERSTUDY_ENTRY)
  UNDERSTUDY_HIDDEN_ENTRIES(UNDERSTUDY_ENTRY)
#undef UNDERSTUDY_ENTRY
  library->unicode = fn.ConnectW != nullptr || fn.DriverConnectW != nullptr;
}

// From a section, or a section that names a section, to what the loader is given.
std::string resolve_sections(std::string name) {
  for (std::size_t depth = 0; depth < kSectionDepthMax; ++depth) {
    if (name.find('/') != std::string::npos) break;
    std::string file = profile_string("ODBCINST.INI", name, "Driver64");
    if (file.empty()) file = profile_string("ODBCINST.INI", name, "Driver");
    if (file.empty() || file == name) break;
    name = file;
  }
  return name;
}

Result<std::unique_ptr<Library>> open_library(const std::string& file, std::string_view name) {
  void* handle = dlopen(find_file(file).c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = dlerror();
    return Status(Code::not_found, "the real driver '" + std::string(name) +
                                       "' cannot be loaded: " + (reason ? reason : "unknown") +
                                       "; set RealDriver to a section of odbcinst.ini or to the "
                                       "path of the driver's library");
  }
  if (is_this_library(handle)) {
    dlclose(handle);
    return Status(Code::invalid, "RealDriver '" + std::string(name) +
                                     "' is Understudy itself; set it to the driver that was used "
                                     "before");
  }
  auto library = std::make_unique<Library>();
  library->path = file;
  fill(handle, library.get());
  if (library->fn.AllocHandle == nullptr && library->fn.AllocEnv == nullptr) {
    dlclose(handle);
    return Status(Code::invalid, "RealDriver '" + std::string(name) +
                                     "' names a library that is not an ODBC driver");
  }
  return library;
}

struct Table {
  std::mutex mutex;
  std::map<std::string, std::unique_ptr<Library>> by_path;
};

// Leaked on purpose: threads of the application may still call while the process exits.
Table& table() {
  static Table* const instance = new Table;
  return *instance;
}

}  // namespace

Result<const Library*> load(std::string_view name) {
  const std::string file = resolve_sections(std::string(name));
  Table& loaded = table();
  const std::lock_guard lock(loaded.mutex);
  if (auto found = loaded.by_path.find(file); found != loaded.by_path.end()) {
    return static_cast<const Library*>(found->second.get());
  }
  auto opened = open_library(file, name);
  if (!opened.ok()) return opened.status();
  auto& place = loaded.by_path[file];
  place = std::move(*opened);
  return static_cast<const Library*>(place.get());
}

}  // namespace understudy::real
