// Any engine behind an ODBC driver, by what ODBC itself tells of it.
#pragma once

#include "replayer/dialect/dialect.h"

namespace understudy {

/// Lives as long as the process. Values have to be read by a connection that does so by type; see
/// `dialect_for`.
const SqlDialect& generic_dialect(const Engine& engine);

}  // namespace understudy
