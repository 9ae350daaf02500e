// quote()'s literals back into typed parameters.
#pragma once

#include <string_view>

#include "replayer/odbc/odbc.h"

namespace understudy {

/// Integer, real (Inf and -Inf too), 'text', X'hex', CAST(X'hex' AS TEXT) or NULL. Throws
/// std::runtime_error for anything else. The text form of a real is read by strtod, whatever the
/// locale.
odbc::Bind bind_sqlite_literal(std::string_view literal);

}  // namespace understudy
