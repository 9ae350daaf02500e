// What a session holds besides its present real connection.
#pragma once

#include <sql.h>

#include <atomic>
#include <cstddef>

#include "driver/real/library.h"

namespace understudy::route {

/// Guarded by Connection::write_mutex, but for the count.
struct State {
  // Opened ahead of the switch; null before, and again once the session has moved.
  SQLHDBC shadow = SQL_NULL_HDBC;
  const real::Library* shadow_library = nullptr;
  bool failed = false;  // the shadow could not be reached; not tried again before the switch
  // After the move, while statements are left behind.
  SQLHDBC production = SQL_NULL_HDBC;
  const real::Library* production_library = nullptr;
  std::atomic<std::size_t> left_behind{0};
};

}  // namespace understudy::route
