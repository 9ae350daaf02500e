// What a session holds besides its present real connection.
#pragma once

#include <sql.h>

#include <atomic>
#include <cstddef>
#include <mutex>
#include <vector>

#include "driver/real/library.h"

namespace understudy::route {

/// A connection that the session has left while statements still live on it.
struct Behind {
  SQLHDBC dbc = SQL_NULL_HDBC;
  const real::Library* library = nullptr;
  std::size_t statements = 0;
};

/// Guarded by Connection::write_mutex, but for the atomics and `behind`.
struct State {
  // To the other side, opened ahead of the switch; null before, and again once the session moved.
  SQLHDBC ahead = SQL_NULL_HDBC;
  const real::Library* ahead_library = nullptr;
  // Looked at by every call of the connection, so apart from the handle.
  std::atomic<bool> ready{false};
  std::atomic<bool> failed{false};  // the other side could not be reached; once for each cutover
  // After moves, while statements are left behind: more than one when it went there and back.
  std::mutex behind_mutex;
  std::vector<Behind> behind;
};

}  // namespace understudy::route
