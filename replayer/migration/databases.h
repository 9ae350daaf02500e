// Connecting to the two databases of a migration.
#pragma once

#include <memory>
#include <string>

#include "replayer/dialect/dialect.h"
#include "replayer/migration/settings.h"
#include "replayer/migration/way.h"
#include "replayer/odbc/odbc.h"

namespace understudy {

struct Database {
  std::unique_ptr<odbc::Connection> connection;
  const SqlDialect* dialect = nullptr;

  [[nodiscard]] odbc::Connection& db() const { return *connection; }
  [[nodiscard]] const SqlDialect& sql() const { return *dialect; }
};

/// Throws odbc::Error, or std::runtime_error for an engine without a dialect.
Database open_production(const Settings& settings);
Database open_shadow(const Settings& settings);
/// With the driver options that applying needs.
Database open_shadow_for_applying(const Settings& settings);

/// The side in use.
Database open_source(const Settings& settings, Way way);
/// The side that is kept equal.
Database open_target(const Settings& settings, Way way);
Database open_target_for_applying(const Settings& settings, Way way);

}  // namespace understudy
