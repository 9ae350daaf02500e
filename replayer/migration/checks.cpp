#include "replayer/migration/checks.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "journal/segment.h"
#include "journal/segment_map.h"
#include "journal/unrecorded.h"
#include "replayer/dialect/counterpart.h"
#include "replayer/mapping/resolve.h"
#include "replayer/migration/across.h"
#include "replayer/migration/databases.h"
#include "replayer/migration/failure.h"
#include "replayer/migration/mapping.h"

namespace understudy {
namespace {

using CheckVerdict = Check::Verdict;

constexpr std::uint64_t kDiskRoomMin = 1ull << 30;
constexpr double kBytesPerValue = 32;  // of a rough estimate of a database's size
constexpr double kRoomFactor = 2;      // the journal may grow to twice the database
constexpr std::size_t kNamesShownMax = 8;

std::string names(const std::vector<std::string>& all) {
  const std::size_t shown = std::min(all.size(), kNamesShownMax);
  std::string out = fmt::format("{}", fmt::join(all.begin(), all.begin() + shown, ", "));
  if (all.size() > shown) out += fmt::format(" and {} more", all.size() - shown);
  return out;
}

std::string mebibytes(double bytes) {
  return fmt::format("{:.0f} MiB", bytes / (1 << 20));
}

struct Sides {
  std::optional<Database> production;
  std::optional<Database> shadow;
  Catalog production_catalog;
  Catalog shadow_catalog;
  Mapped mapped;  // points into both
};

/// Gathers results; a throwing check fails with what was thrown.
class Report {
 public:
  explicit Report(const std::vector<std::string>& skip) : skip_(skip) {}

  void run(const std::string& name, const std::string& remedy, const std::function<Check()>& body) {
    Check out;
    try {
      out = body();
    } catch (const std::exception& error) {
      out = {name, CheckVerdict::fail, error.what(), remedy, false};
    }
    out.name = name;
    out.skipped = std::find(skip_.begin(), skip_.end(), name) != skip_.end();
    if (out.verdict == CheckVerdict::pass) out.remedy.clear();
    checks.push_back(std::move(out));
  }

  std::vector<Check> checks;

 private:
  const std::vector<std::string>& skip_;
};

Check passed(std::string detail) {
  return {"", CheckVerdict::pass, std::move(detail), "", false};
}

Check supported(const Database& production, const Database& shadow) {
  const Dialect from = production.sql().kind();
  const Dialect to = shadow.sql().kind();
  for (const Database* side : {&production, &shadow}) {
    const bool without = side->db().info_number(SQL_TXN_CAPABLE) == SQL_TC_NONE;
    if (side->sql().kind() == Dialect::generic && without)
      return {"", CheckVerdict::fail, "a driver has no transactions",
              "use another driver or engine: what is recorded is recorded by transactions", false};
  }
  return passed(fmt::format("{} to {}", dialect_name(from), dialect_name(to)));
}

/// On one engine, or on two that are both known by ODBC alone.
bool same_values(const Sides& sides) {
  return sides.production_catalog.same_engine(sides.shadow_catalog);
}

void check_connections(Report& report, const Settings& settings, Sides& sides) {
  report.run("production_reachable", "correct `production` in migration.toml, or start the server",
             [&] {
               odbc::Connection connection(settings.production);
               return passed("connected to " + connection.info(SQL_DBMS_NAME) + " " +
                             connection.info(SQL_DBMS_VER));
             });
  report.run("shadow_reachable", "correct `shadow` in migration.toml, or start the server", [&] {
    odbc::Connection connection(settings.shadow);
    return passed("connected to " + connection.info(SQL_DBMS_NAME) + " " +
                  connection.info(SQL_DBMS_VER));
  });
  if (first_failure(report.checks)) return;
  report.run("dialect_supported", "see the reason", [&] {
    Database production = open_production(settings);
    Database shadow = open_shadow(settings);
    sides.production_catalog = production.sql().read_catalog(production.db());
    sides.shadow_catalog = shadow.sql().read_catalog(shadow.db());
    sides.production = std::move(production);
    sides.shadow = std::move(shadow);
    return supported(*sides.production, *sides.shadow);
  });
  if (!sides.production || !sides.shadow) return;
  report.run("same_engine", "", [&]() -> Check {
    const Dialect from = sides.production->sql().kind();
    const Dialect to = sides.shadow->sql().kind();
    if (same_values(sides)) return passed("values need no conversion");
    if (converts(from, to)) {
      return {"", CheckVerdict::warn,
              "the shadow is on another engine: every write is replayed by its rows, settings of "
              "sessions are not, and a statement without known rows (opaque) is counted as a "
              "divergence",
              "see docs/reference/cross-engine.md; run verify before the cutover", false};
    }
    return {"", CheckVerdict::fail,
            fmt::format("values of {} are not converted to those of {}", dialect_name(from),
                        dialect_name(to)),
            "make the shadow on the engine of production, or on PostgreSQL; or write dialect ="
            " \"generic\" in migration.toml",
            false};
  });
}

Check check_record(const Settings& settings, Sides& sides) {
  Catalog& catalog = sides.production_catalog;
  const auto unknown = mark_by_effects(settings, sides.shadow_catalog, &catalog);
  if (!unknown.empty()) {
    return {"", CheckVerdict::fail, "[record] names no table of production: " + names(unknown),
            "write schema.table in migration.toml as `understudy check` names them", false};
  }
  mark_by_effects(sides.mapped, &catalog, &sides.shadow_catalog);
  const auto marked = std::count_if(catalog.tables.begin(), catalog.tables.end(),
                                    [](const Table& table) { return table.by_effects; });
  if (marked == 0) return passed("statements, and rows where a statement alone is not exact");
  return passed(
      fmt::format("{} of {} tables by the rows that change", marked, catalog.tables.size()));
}

Check check_keys(const Catalog& catalog) {
  std::vector<std::string> without;
  for (const Table& table : catalog.tables) {
    if (table.holds_rows() && table.key.empty()) without.push_back(table.display_name());
  }
  if (without.empty()) return passed("every table has a primary key");
  return {
      "", CheckVerdict::warn, "without primary key: " + names(without),
      "add a primary key; otherwise their rows are found by all their values, or their statements "
      "replayed as they stand, and they are compared as a whole",
      false};
}

Check check_generated(const Catalog& catalog) {
  std::vector<std::string> columns;
  for (const Table& table : catalog.tables) {
    for (const Column& column : table.columns) {
      if (column.generated || column.identity || column.default_kind == DefaultKind::computed)
        columns.push_back(table.display_name() + "." + column.name);
    }
  }
  if (columns.empty()) return passed("no column is filled in by the server");
  return passed("replayed with production's values: " + names(columns));
}

/// What acts besides a statement on rows of a table: its triggers, and foreign keys that change it
/// with another.
std::vector<std::string> acts_beside(const Table& table) {
  std::vector<std::string> out;
  for (const std::string& trigger : table.triggers)
    out.push_back(fmt::format("trigger {}.{}", table.display_name(), trigger));
  for (const ForeignKey& key : table.foreign_keys) {
    if (key.cascades)
      out.push_back(fmt::format("{} changes with {}", table.display_name(), key.parent_table));
  }
  return out;
}

/// What one side's table has and the other's lacks. Of tables that a mapping names, and between
/// engines, names tell nothing.
std::vector<std::string> acts_on_one_side(const Sides& sides) {
  std::vector<std::string> out;
  const Catalog& production = sides.production_catalog;
  if (production.dialect != sides.shadow_catalog.dialect) return out;
  for (const Table& table : production.tables) {
    const Table* twin =
        counterpart_of(table.schema, table.name, production.dialect, sides.shadow_catalog);
    if (twin == nullptr || sides.mapped.names(table)) continue;
    const auto here = acts_beside(table);
    const auto there = acts_beside(*twin);
    const auto lacks = [](const std::vector<std::string>& all, const std::string& one) {
      return std::find(all.begin(), all.end(), one) == all.end();
    };
    for (const std::string& one : here) {
      if (lacks(there, one)) out.push_back("not on the shadow: " + one);
    }
    for (const std::string& one : there) {
      if (lacks(here, one)) out.push_back("on the shadow alone: " + one);
    }
  }
  return out;
}

/// PostgreSQL: keys that production may check at COMMIT, and the shadow at each statement.
Check check_deferrable(const Sides& sides) {
  std::vector<std::string> found;
  const Catalog& production = sides.production_catalog;
  for (const Table& table : production.tables) {
    const Table* twin =
        counterpart_of(table.schema, table.name, production.dialect, sides.shadow_catalog);
    if (table.deferrable && twin != nullptr && !twin->deferrable && !sides.mapped.names(table))
      found.push_back(table.display_name());
  }
  if (found.empty()) return passed("keys are checked on the shadow when production checks them");
  return {"", CheckVerdict::warn, "keys are deferrable in production alone: " + names(found),
          "make them DEFERRABLE on the shadow; it refuses rows that are in each other's way until"
          " COMMIT, and their transactions are counted as divergences",
          false};
}

Check check_triggers(const Sides& sides) {
  if (sides.production_catalog.dialect == Dialect::generic) {
    return {"", CheckVerdict::warn,
            "ODBC does not tell of triggers: every write is recorded by the"
            " rows that it leaves, unless `record` says otherwise",
            "see that triggers and cascades do the same on both sides, and that none on the shadow"
            " changes a row before it is written",
            false};
  }
  std::vector<std::string> found = acts_on_one_side(sides);
  for (const std::string& one : sides.shadow->sql().rewriting_triggers(sides.shadow->db()))
    found.push_back("may change on the shadow what production's have changed: trigger " + one);
  const std::size_t wrong = found.size();
  for (const Catalog* catalog : {&sides.production_catalog, &sides.shadow_catalog}) {
    const char* side = catalog == &sides.production_catalog ? "production: " : "shadow: ";
    for (const Table& table : catalog->tables) {
      for (const std::string& one : acts_beside(table)) found.push_back(side + one);
    }
  }
  if (found.empty()) return passed("no triggers and no foreign keys that cascade");
  const std::string remedy =
      wrong == 0
          ? "see that they do the same on both sides: their effects are made on the shadow by"
            " its own"
          : "make them the same on both sides; drop or disable on the shadow, until the"
            " cutover, those that run before a row is written";
  return {"", CheckVerdict::warn, names(found), remedy, false};
}

/// What pairing the tables found, without keys: the check `keys` tells of those.
std::vector<std::string> pairing_problems(const Sides& sides, std::size_t* pairs) {
  std::vector<std::string> problems;
  *pairs =
      pair_tables(sides.production_catalog, sides.shadow_catalog, sides.mapped, &problems).size();
  std::erase_if(problems, [](const std::string& problem) {
    return problem.find(" has no primary key") != std::string::npos;
  });
  return problems;
}

Check check_mapping(const Sides& sides) {
  const Mapped& mapped = sides.mapped;
  if (mapped.empty()) return passed("every table goes by its name");
  const std::string detail = fmt::format(
      "{} tables of the shadow are filled as the mapping says, {} of production are "
      "dropped; statements that are recorded as opaque cannot be mapped",
      mapped.pairs.size(), mapped.dropped.size());
  const auto obstacles = no_way_back(mapped);
  if (obstacles.empty()) return passed(detail);
  const std::size_t shown = std::min(obstacles.size(), kNamesShownMax);
  return {"", CheckVerdict::warn,
          fmt::format("{}; there would be no way back after the switch: {}", detail,
                      fmt::join(obstacles.begin(), obstacles.begin() + shown, "; ")),
          "accept it, or change the mapping or production's columns", false};
}

Check check_tables(const Sides& sides) {
  std::size_t pairs = 0;
  const std::vector<std::string> problems = pairing_problems(sides, &pairs);
  if (problems.empty()) return passed(fmt::format("{} tables on both sides", pairs));
  const std::size_t shown = std::min(problems.size(), kNamesShownMax);
  return {"", CheckVerdict::fail,
          fmt::format("{}", fmt::join(problems.begin(), problems.begin() + shown, "; ")),
          "give the shadow the missing tables and columns", false};
}

Check check_conversions(const Sides& sides) {
  const Dialect from = sides.production->sql().kind();
  const Dialect to = sides.shadow->sql().kind();
  if (from == to) return passed("values need no conversion");
  std::vector<std::string> problems;  // the check `tables` reports them
  const auto pairs =
      pair_tables(sides.production_catalog, sides.shadow_catalog, sides.mapped, &problems);
  const auto said = [](const std::vector<std::string>& all) {
    const std::size_t shown = std::min(all.size(), kNamesShownMax);
    return fmt::format("{}", fmt::join(all.begin(), all.begin() + static_cast<long>(shown), "; "));
  };
  if (const auto never = never_converted(pairs, from, to); !never.empty()) {
    return {"", CheckVerdict::fail, said(never), "give these columns of the shadow another type",
            false};
  }
  if (const auto some = not_converted(*sides.production, pairs); !some.empty()) {
    return {"", CheckVerdict::warn, said(some),
            "correct these rows in production: the copy ends at the first of them", false};
  }
  return passed("every column's type has a counterpart");
}

bool holds_rows(const Database& side, const Table& table) {
  odbc::Statement look(side.db());
  const bool generic = side.sql().kind() == Dialect::generic;
  if (generic) look.limit_rows(1);  // Connector/ODBC makes a LIMIT of it
  look.execute_direct("SELECT 1 FROM " + side.sql().qualified(table) + (generic ? "" : " LIMIT 1"));
  return look.fetch();
}

Check check_shadow_empty(const Sides& sides, const State& state) {
  if (state.copy_begun) return passed("the rows there are this migration's copy");
  std::vector<std::string> filled;
  std::vector<std::string> problems;  // the check `tables` reports them
  for (const TablePair& pair :
       pair_tables(sides.production_catalog, sides.shadow_catalog, sides.mapped, &problems)) {
    if (holds_rows(*sides.shadow, *pair.shadow)) filled.push_back(pair.shadow->display_name());
  }
  if (filled.empty()) return passed("the shadow's tables are empty");
  return {"", CheckVerdict::fail, "rows in " + names(filled), "empty these tables on the shadow",
          false};
}

Check check_snapshot(Database& database, const char* side) {
  std::string remedy;
  if (database.sql().snapshot_is_free(database.db(), &remedy))
    return passed(fmt::format("reading a snapshot of {} disturbs no writer", side));
  return {"", CheckVerdict::fail,
          fmt::format("a snapshot held open on {} blocks its writers", side), remedy, false};
}

Check check_weak_spots(const Sides& sides) {
  const auto found = sides.production->sql().weak_spots(sides.production->db());
  if (found.empty()) return passed("none of production's tables is kept less than exactly");
  const std::size_t shown = std::min(found.size(), kNamesShownMax);
  return {"", CheckVerdict::warn,
          fmt::format("{}", fmt::join(found.begin(), found.begin() + shown, "; ")),
          "change these tables, or run verify before the cutover", false};
}

Check check_disk(const Home& home, const Sides& sides) {
  double bytes = 0;
  for (const Table& table : sides.production_catalog.tables) {
    if (!table.holds_rows()) continue;
    bytes += sides.production->sql().estimated_rows(sides.production->db(), table) *
             static_cast<double>(table.columns.size()) * kBytesPerValue;
  }
  const double wanted = std::max(static_cast<double>(kDiskRoomMin), kRoomFactor * bytes);
  struct statvfs info {};
  if (::statvfs(home.folder().c_str(), &info) != 0)
    throw std::runtime_error("cannot ask for the free space of " + home.folder());
  const double free_bytes = static_cast<double>(info.f_bavail) * static_cast<double>(info.f_frsize);
  std::string detail =
      fmt::format("{} free for the journal, {} advised", mebibytes(free_bytes), mebibytes(wanted));
  if (free_bytes >= wanted) return passed(std::move(detail));
  return {"", CheckVerdict::fail, std::move(detail),
          "make room, or put UNDERSTUDY_HOME on a larger disk", false};
}

Check check_shared_memory(const Home& home, const Settings& settings) {
  if (const auto map = SegmentMap::open(home.root, home.name); map.ok()) {
    if ((*map)->ring_bytes() == settings.ring_bytes) return passed("the ring exists");
    return {"", CheckVerdict::fail,
            fmt::format("the ring has {} bytes, ring_bytes in migration.toml says {}",
                        (*map)->ring_bytes(), settings.ring_bytes),
            "correct migration.toml, or create the migration anew with --ring-bytes", false};
  }
  struct statvfs info {};
  if (::statvfs("/dev/shm", &info) != 0) throw std::runtime_error("there is no /dev/shm");
  const double free_bytes = static_cast<double>(info.f_bavail) * static_cast<double>(info.f_frsize);
  std::string detail = fmt::format("{} free in /dev/shm, the ring takes {}", mebibytes(free_bytes),
                                   mebibytes(static_cast<double>(settings.ring_bytes)));
  if (free_bytes > static_cast<double>(settings.ring_bytes + kRingOffset))
    return passed(std::move(detail));
  return {"", CheckVerdict::fail, std::move(detail),
          "enlarge /dev/shm, or create the migration with a smaller --ring-bytes", false};
}

Check check_programs(const Home& home) {
  const auto word = find_unrecorded_word(home.root, home.name, Unrecorded::alive);
  if (!word) return passed("every program that is connected can be recorded");
  return {"", CheckVerdict::fail, "a program cannot be recorded, " + *word,
          "remove the cause and start the program again", false};
}

Check check_sequences(const Sides& sides) {
  if (sides.production->sql().kind() == Dialect::generic) {
    std::vector<std::string> made;
    for (const Table& table : sides.production_catalog.tables) {
      for (const Column& column : table.columns) {
        if (column.identity) made.push_back(table.display_name() + "." + column.name);
      }
    }
    if (made.empty()) return passed("the drivers tell of no key that the server makes");
    return {"", CheckVerdict::warn,
            "what counts the keys of " + names(made) + " is not set on the shadow at the cutover",
            "set it there by hand, behind production's, before the cutover", false};
  }
  const auto sequences = sides.production->sql().read_sequences(sides.production->db());
  return passed(
      fmt::format("{} sequences can be read; the cutover sets the shadow's", sequences.size()));
}

Check check_reverse_position(const Sides& sides) {
  const Database& production = *sides.production;
  if (production.sql().may_make_position_table(production.db()))
    return passed(
        fmt::format("the cutover makes {} in production, for the way back", kPositionTable));
  return {"", CheckVerdict::warn,
          fmt::format("the account of `production` may not create {} there: there would be no way "
                      "back after the switch",
                      kPositionTable),
          fmt::format("let an administrator create {} (migration: text of 255, primary key; seq: "
                      "64-bit integer, not null) and grant SELECT, INSERT and UPDATE on it",
                      kPositionTable),
          false};
}

}  // namespace

std::string_view verdict_word(Check::Verdict verdict) {
  return verdict == CheckVerdict::pass ? "pass" : verdict == CheckVerdict::warn ? "warn" : "fail";
}

const std::vector<std::string>& check_names() {
  static const std::vector<std::string> kNames = {"production_reachable",
                                                  "shadow_reachable",
                                                  "dialect_supported",
                                                  "same_engine",
                                                  "mapping",
                                                  "record",
                                                  "keys",
                                                  "generated_values",
                                                  "triggers",
                                                  "deferrable_keys",
                                                  "tables",
                                                  "conversions",
                                                  "shadow_not_empty",
                                                  "snapshot",
                                                  "shadow_snapshot",
                                                  "weak_spots",
                                                  "journal_key",
                                                  "disk_room",
                                                  "shared_memory_room",
                                                  "programs",
                                                  "sequences",
                                                  "reverse_position"};
  return kNames;
}

void require_check_names(const std::vector<std::string>& given) {
  for (const std::string& name : given) {
    const auto& known = check_names();
    if (std::find(known.begin(), known.end(), name) == known.end())
      throw Failure(kExitUsage, fmt::format("there is no check {}; the checks are {}", name,
                                            fmt::join(known, ", ")));
  }
}

std::vector<Check> run_checks(const Home& home, const Settings& settings, const State& state,
                              const std::vector<std::string>& skip) {
  // It may have been written or changed since `create`, and must not be ignored.
  if (!settings.mapping.empty()) (void)read_mapping(mapping_path(home, settings));
  Report report(skip);
  Sides sides;
  check_connections(report, settings, sides);
  const bool connected = sides.production && sides.shadow;
  const auto run = [&](const std::string& name, const std::function<Check()>& body) {
    if (connected) report.run(name, "see the reason, then run the check again", body);
  };
  if (connected)
    sides.mapped = mapped_tables(home, settings, sides.production_catalog, sides.shadow_catalog);
  run("mapping", [&] { return check_mapping(sides); });
  run("record", [&] { return check_record(settings, sides); });
  run("keys", [&] { return check_keys(sides.production_catalog); });
  run("generated_values", [&] { return check_generated(sides.production_catalog); });
  run("triggers", [&] { return check_triggers(sides); });
  run("deferrable_keys", [&] { return check_deferrable(sides); });
  run("tables", [&] { return check_tables(sides); });
  run("conversions", [&] { return check_conversions(sides); });
  run("shadow_not_empty", [&] { return check_shadow_empty(sides, state); });
  run("snapshot", [&] { return check_snapshot(*sides.production, "production"); });
  run("shadow_snapshot", [&] {
    Check out = check_snapshot(*sides.shadow, "the shadow");
    if (out.verdict == CheckVerdict::fail) out.verdict = CheckVerdict::warn;
    return out;
  });
  run("weak_spots", [&] { return check_weak_spots(sides); });
  report.run(
      "journal_key", "correct journal_key_file or journal_key_command in migration.toml", [&] {
        const auto keys = load_journal_keys(settings.journal_key);
        require(check_journal_keys(home.journal(), keys));
        return passed(keys ? "the journal is encrypted with the key " + key_id_text(keys->current())
                           : "the journal is not encrypted");
      });
  run("disk_room", [&] { return check_disk(home, sides); });
  report.run("shared_memory_room", "see that /dev/shm is mounted",
             [&] { return check_shared_memory(home, settings); });
  report.run("programs", "see the reason, then run the check again",
             [&] { return check_programs(home); });
  run("sequences", [&] { return check_sequences(sides); });
  run("reverse_position", [&] { return check_reverse_position(sides); });
  return report.checks;
}

const Check* first_failure(const std::vector<Check>& checks) {
  for (const Check& check : checks) {
    if (check.verdict == CheckVerdict::fail && !check.skipped) return &check;
  }
  return nullptr;
}

}  // namespace understudy
