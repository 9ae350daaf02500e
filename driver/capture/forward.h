// The real driver's entry, called as the application's call was.
#pragma once

#include "driver/handle/statement.h"

namespace understudy::capture {

/// IM001 where the real driver has no such entry.
template <class... Parameters, class... Arguments>
SQLRETURN forward(Handle& handle, SQLRETURN (*entry)(Parameters...), Arguments... arguments) {
  if (entry == nullptr) [[unlikely]] {
    return handle.fail("IM001", "the real driver does not support this function");
  }
  return entry(arguments...);
}

inline const real::Entries& entries(const Statement& stmt) {
  return stmt.library->fn;
}

/// The real statement that executed last: the application's own or one of ours.
inline SQLHSTMT current(const Statement& stmt) {
  return stmt.current.load(std::memory_order_acquire);
}

}  // namespace understudy::capture
