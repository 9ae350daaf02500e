#include "replayer/migration/databases.h"

namespace understudy {
namespace {

Database open(const std::string& target, const Settings& settings) {
  Database out;
  out.connection = std::make_unique<odbc::Connection>(target);
  out.dialect = &dialect_for(*out.connection, settings.generic);
  return out;
}

}  // namespace

Database open_production(const Settings& settings) {
  return open(settings.production, settings);
}

Database open_shadow(const Settings& settings) {
  return open(settings.shadow, settings);
}

Database open_shadow_for_applying(const Settings& settings) {
  return open_target_for_applying(settings, Way::there);
}

Database open_source(const Settings& settings, Way way) {
  return open(way == Way::back ? settings.shadow : settings.production, settings);
}

Database open_target(const Settings& settings, Way way) {
  return open(way == Way::back ? settings.production : settings.shadow, settings);
}

Database open_target_for_applying(const Settings& settings, Way way) {
  Database plain = open_target(settings, way);
  const std::string options = plain.sql().apply_options(plain.db().info(SQL_DRIVER_NAME));
  if (options.empty()) return plain;
  return open(with_options(way == Way::back ? settings.production : settings.shadow, options),
              settings);
}

}  // namespace understudy
