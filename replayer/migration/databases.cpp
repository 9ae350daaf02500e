#include "replayer/migration/databases.h"

namespace understudy {
namespace {

Database open(const std::string& target) {
  Database out;
  out.connection = std::make_unique<odbc::Connection>(target);
  out.dialect = &sql_dialect(dialect_of(*out.connection));
  return out;
}

}  // namespace

Database open_production(const Settings& settings) {
  return open(settings.production);
}

Database open_shadow(const Settings& settings) {
  return open(settings.shadow);
}

Database open_shadow_for_applying(const Settings& settings) {
  Database plain = open(settings.shadow);
  const std::string options = plain.sql().apply_options(plain.db().info(SQL_DRIVER_NAME));
  if (options.empty()) return plain;
  return open(with_options(settings.shadow, options));
}

}  // namespace understudy
