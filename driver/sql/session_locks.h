// What a text does to locks that belong to the session and outlive its transactions. Pure.
#pragma once

#include <string_view>

#include "journal/catalog.h"

namespace understudy::sql {

/// By its words alone: a lock that was tried for counts as taken, and what a stored function does
/// is not seen.
struct SessionLocks {
  int taken = 0;              // advisory locks
  int freed = 0;              // one each
  bool all_freed = false;     // advisory locks
  bool tables_taken = false;  // MariaDB: LOCK TABLES
  bool tables_freed = false;
  bool cursor = false;  // PostgreSQL: one WITH HOLD is opened, or some cursor is closed

  [[nodiscard]] bool any() const {
    return taken != 0 || freed != 0 || all_freed || tables_taken || tables_freed || cursor;
  }
};
SessionLocks session_locks(std::string_view text, Dialect dialect);

}  // namespace understudy::sql
