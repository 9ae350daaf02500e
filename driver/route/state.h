// What a session holds besides its present real connection.
#pragma once

#include <sql.h>

#include <atomic>
#include <cstddef>

#include "driver/real/library.h"

namespace understudy::route {

/// Guarded by Connection::write_mutex, but for the atomics.
struct State {
  // Opened ahead of the switch; null before, and again once the session has moved.
  SQLHDBC shadow = SQL_NULL_HDBC;
  const real::Library* shadow_library = nullptr;
  // Looked at by every call of the connection, so apart from the handle.
  std::atomic<bool> ready{false};
  std::atomic<bool> failed{false};  // the shadow could not be reached; once for each cutover
  // After the move, while statements are left behind.
  SQLHDBC production = SQL_NULL_HDBC;
  const real::Library* production_library = nullptr;
  std::atomic<std::size_t> left_behind{0};
};

}  // namespace understudy::route
