// What the user decided at `create`: migration.toml. Connection strings may hold passwords: the
// file has mode 0600 and nothing of it is printed or logged.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "journal/catalog.h"
#include "journal/control_page.h"
#include "replayer/migration/home.h"
#include "replayer/migration/key_source.h"

namespace understudy {

struct Settings {
  std::string production;  // ODBC connection string or DSN name
  std::string shadow;
  std::string mapping;                 // path; empty: none
  std::string durability = "process";  // or "power"
  std::string on_full = "wait";        // or "invalidate"
  bool share_credentials = false;      // the catalog names the shadow's account to the drivers
  std::uint64_t ring_bytes = kRingBytesDefault;
  bool generic = false;                           // only what ODBC tells is used of either engine
  bool record_effects = false;                    // every write is recorded by its rows
  bool record_statements = false;                 // none needs to be, where that is up to the user
  std::vector<std::string> tables_by_statements;  // or none of these tables'
  std::vector<std::string> tables_by_effects;     // or those of these tables: schema.table
  KeySource journal_key;                          // empty: the journal is not encrypted
};

/// Throws Failure (3) that names key and remedy.
Settings load_settings(const Home& home);
void save_settings(const Home& home, const Settings& settings);

/// Marks the tables of `production` whose writes are recorded by their rows, keyed ones too: those
/// that the settings name; all when the shadow is another engine, which does not understand
/// production's statements; and those of a generic engine, which may have triggers unseen, unless
/// the settings say "statements". Returns the names in the settings that mean no table.
std::vector<std::string> mark_by_effects(const Settings& settings, const Catalog& shadow,
                                         Catalog* production);

/// A connection string of `target` (a DSN name becomes DSN=name) with `options` (KEY=VALUE;...).
std::string with_options(const std::string& target, const std::string& options);
/// The same without account and password.
std::string without_credentials(const std::string& target);

}  // namespace understudy
