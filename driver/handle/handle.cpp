#include "driver/handle/handle.h"

#include <cstring>

namespace understudy {

SQLRETURN Handle::fail(const char* sqlstate, std::string_view message) noexcept {
  try {
    Diagnostic diagnostic;
    std::strncpy(diagnostic.sqlstate, sqlstate, sizeof(diagnostic.sqlstate) - 1);
    diagnostic.sqlstate[sizeof(diagnostic.sqlstate) - 1] = '\0';
    diagnostic.message = "[Understudy] ";
    diagnostic.message += message;
    diagnostics.push_back(std::move(diagnostic));
  } catch (...) {
    // Without memory the code alone has to do.
  }
  return SQL_ERROR;
}

}  // namespace understudy
