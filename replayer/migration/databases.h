// Connecting to the two databases of a migration.
#pragma once

#include <memory>
#include <string>

#include "replayer/dialect/dialect.h"
#include "replayer/migration/settings.h"
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

}  // namespace understudy
