// The databases a target's cases run on: three of production, equal at the beginning, and a shadow.
//
// `bare` is reached through the real driver alone, `idle` through Understudy with no migration,
// `live` through Understudy while a migration records, copies to the shadow and replays there.
// One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "journal/segment_map.h"
#include "tests/engine/parity/case.h"
#include "tests/engine/parity/program.h"
#include "tests/support/engines.h"

namespace understudy::parity {

/// A real driver, the library in front of it, and the manner of the program.
struct Target {
  const char* name;
  Engines engine;
  const char* real_driver;
  const char* shim;
  Style style;
  /// Of the data source, besides the usual ones: "Key=value;Key=value". May be empty.
  std::string keys = {};
};

class World {
 public:
  World(const Target& target, const Cases& cases);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  [[nodiscard]] Way bare() const { return way("bare"); }
  [[nodiscard]] Way idle() const { return way("idle"); }
  [[nodiscard]] Way live() const { return way("live"); }
  /// Starts the migration at the first call.
  void record();
  /// Empty while the migration records; else the reason why not.
  std::string not_recording();
  /// The databases of the recorded way anew: another migration, for the cases to come.
  void renew();
  Finished verify();
  /// `status --json`.
  std::string figures();

  static std::string table_of(const Case& one);

 private:
  [[nodiscard]] std::string name(const char* way) const;
  [[nodiscard]] std::string database(const char* way) const;
  [[nodiscard]] std::string connection(const char* way) const;  // through the real driver
  [[nodiscard]] Way way(const char* which) const;
  [[nodiscard]] std::string script(bool with_rows) const;
  void make_databases();
  void make_postgres_databases();
  void make_sqlite_database(const char* way);
  void make_mariadb_database(const char* way);
  void add_data_source(const char* way);
  void end_migration();

  Target target_;
  std::vector<std::string> schema_;
  TempDir folder_;
  int number_;  // of the world in this process: in all names
  bool recording_ = false;
};

}  // namespace understudy::parity
