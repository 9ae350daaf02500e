// The real driver: its library, found and loaded once per process, and a table of its entry points.
#pragma once

#include <sql.h>
#include <sqlext.h>
#include <sqlucode.h>

#include <atomic>
#include <string>
#include <string_view>

#include "driver/real/entries.h"
#include "journal/status.h"

namespace understudy::real {

/// One loaded real driver. Never unloaded (a driver may have started threads or registered exit
/// handlers). Entry pointers are null where the real driver has no such function. Immutable after
/// load but for what `denies_diag_rec` learns: any thread may call through it.
struct Library {
  std::string path;
  Entries fn;            // one typed pointer per SQL function of the driver manager's table
  bool unicode = false;  // it exports SQLConnectW or SQLDriverConnectW
  /// It denies SQLGetDiagRec in SQLGetFunctions (libsqlite3odbc): its diagnostics come from
  /// SQLError, which forgets what it told, so they are collected into Handle::diagnostics. Learnt
  /// at connect.
  mutable std::atomic<bool> denies_diag_rec{false};
};

/// Finds and loads. `name` is an odbcinst.ini section (Driver64, then Driver), an absolute path, or
/// a file name looked for where this library itself lies (libodbc does the same through its
/// compiled-in path), then by plain dlopen. Code::invalid when it is this library itself (device
/// and inode) or the section leads back here; Code::not_found with the loader's reason otherwise.
/// Thread safe; the same path gives the same Library.
Result<const Library*> load(std::string_view name);

/// The driver's diagnostics come from SQLError: it has no SQLGetDiagRec, or says it has none.
inline bool tells_by_error_only(const Library& library) {
  if (library.fn.Error == nullptr) return false;
  return library.fn.GetDiagRec == nullptr ||
         library.denies_diag_rec.load(std::memory_order_relaxed);
}

}  // namespace understudy::real
