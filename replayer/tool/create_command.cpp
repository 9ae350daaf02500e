#include <fmt/format.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <memory>

#include "journal/access.h"
#include "journal/file_system.h"
#include "journal/segment_map.h"
#include "replayer/dialect/dialect.h"
#include "replayer/migration/beginning.h"
#include "replayer/migration/failure.h"
#include "replayer/migration/mapping.h"
#include "replayer/migration/settings.h"
#include "replayer/migration/state.h"
#include "replayer/odbc/odbc.h"
#include "replayer/tool/commands.h"
#include "replayer/tool/key_options.h"

namespace understudy {
namespace {

/// One that is there keeps its mode.
void make_folder(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), 0700) == 0) {
    if (::chmod(path.c_str(), mode) == 0) return;
  } else if (errno == EEXIST) {
    return;
  }
  throw Failure(kExitFailed,
                fmt::format("cannot make {}: {}; create it, or set UNDERSTUDY_HOME to a "
                            "folder of yours",
                            path, std::strerror(errno)));
}

/// A name or a number. Throws Failure (2).
gid_t group_of(const std::string& text) {
  gid_t number = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  if (!text.empty() && read.ec == std::errc() && read.ptr == end) return number;
  const group* found = ::getgrnam(text.c_str());
  if (found != nullptr) return found->gr_gid;
  throw Failure(kExitUsage, fmt::format("there is no group {}; make it, and put the users of the "
                                        "application into it",
                                        text));
}

/// Of the group's members each may enter it and none may list it.
void share_folder(const std::string& path, const std::string& name) {
  if (name.empty()) return;
  if (::chown(path.c_str(), static_cast<uid_t>(-1), group_of(name)) == 0 &&
      ::chmod(path.c_str(), 0710) == 0)
    return;
  throw Failure(kExitFailed,
                fmt::format("cannot give {} to the group {}: {}; be a member of it, or "
                            "root",
                            path, name, std::strerror(errno)));
}

/// Drivers make it, too, as soon as their data source is used.
std::shared_ptr<SegmentMap> open_segment(const Home& home, const Settings& settings) {
  auto map = SegmentMap::open_or_create(home.root, home.name, settings.ring_bytes);
  if (!map.ok() && may_not_open(home.root, home.name))
    throw Failure(kExitFailed, fmt::format("{}: programs of another user use the data source; do "
                                           "this as root, with --group, or as that user",
                                           map.status().message()));
  return require(std::move(map));
}

/// The folder of an ended migration makes way; nothing of it is lost.
void move_ended_aside(const Home& home) {
  const State state = load_state(home);
  if (state.phase != Phase::completed && state.phase != Phase::cancelled)
    throw Failure(kExitUsage,
                  fmt::format("migration {} exists already and is {}; choose another name, "
                              "or end it with `understudy cancel {}`",
                              home.name, phase_name(state.phase), home.name));
  const std::string aside = fmt::format("{}/.{}.{}", home.root, home.name, std::time(nullptr));
  if (::rename(home.folder().c_str(), aside.c_str()) != 0)
    throw Failure(kExitFailed, fmt::format("cannot rename {}: {}; move it away", home.folder(),
                                           std::strerror(errno)));
}

/// Connects; its tables, where they are wanted.
Catalog require_connection(const std::string& target, const char* side, bool generic,
                           bool wants_catalog) {
  try {
    odbc::Connection connection(target);
    if (!wants_catalog) return {};
    return dialect_for(connection, generic).read_catalog(connection);
  } catch (const odbc::Error& error) {
    throw Failure(kExitFailed, fmt::format("cannot connect to the {} database: {}; correct --{}",
                                           side, error.what(), side));
  }
}

/// What CLI11 says of a number that is none; empty: it is one.
std::string power_of_two(const std::string& given) {
  std::uint64_t value = 0;
  const char* end = given.data() + given.size();
  const auto read = std::from_chars(given.data(), end, value);
  const bool good = read.ec == std::errc() && read.ptr == end && std::has_single_bit(value);
  return good ? "" : given + " is no power of two";
}

void create(const std::string& name, const Settings& settings, const std::string& group) {
  if (!group.empty()) (void)group_of(group);
  const Home home = Home::of(name);
  const bool maps = !settings.mapping.empty();
  (void)load_journal_keys(settings.journal_key);
  if (maps) (void)read_mapping(settings.mapping);
  const Catalog production =
      require_connection(settings.production, "production", settings.generic, maps);
  const Catalog shadow = require_connection(settings.shadow, "shadow", settings.generic, maps);
  if (maps)
    (void)mapped_tables(read_mapping(settings.mapping), settings.mapping, production, shadow);
  if (home.exists()) move_ended_aside(home);
  // Of the home others see nothing but what they know the name of.
  make_folder(home.root, 0711);
  make_folder(home.folder(), 0700);
  share_folder(home.folder(), group);
  make_folder(home.journal(), 0700);
  require(operating_system().sync_directory(home.root));  // its files are synced as they are made
  const auto map = open_segment(home, settings);
  require(share_segment(home.root, home.name));
  require(tell_switched(home.root, home.name, false));
  renew_segment(*map);
  save_settings(home, settings);
  fmt::print("created {}; next: understudy check {}\n", home.folder(), home.name);
}

}  // namespace

void add_create_command(CLI::App& app, int* exit_code) {
  CLI::App* command =
      app.add_subcommand("create", "make a migration's home; changes nothing in either database");
  struct Given {
    std::string name;
    Settings settings;
    std::string group;
  };
  const auto given = std::make_shared<Given>();
  command
      ->add_option("NAME", given->name, "the migration; drivers use the name of their data source")
      ->required();
  command
      ->add_option(
          "--production", given->settings.production,
          "data source name or connection string; a password in it is seen by others on this "
          "host, so name a data source")
      ->required();
  command->add_option("--shadow", given->settings.shadow, "the same for the shadow")->required();
  command->add_option("--group", given->group,
                      "whose members' programs are recorded, too; without it only those of this "
                      "user");
  command->add_option("--mapping", given->settings.mapping, "TOML file for a changed schema");
  const auto record = std::make_shared<std::string>();
  const auto dialect = std::make_shared<std::string>();
  command
      ->add_option("--dialect", *dialect,
                   "generic: use nothing of either engine but what its ODBC driver tells")
      ->envname("UNDERSTUDY_DIALECT")
      ->check(CLI::IsMember({"own", "generic"}));
  command
      ->add_option("--record", *record,
                   "effects: record every write by the rows it changed; statements: where they are "
                   "exact, by "
                   "themselves")
      ->check(CLI::IsMember({"statements", "effects"}));
  command
      ->add_option("--ring-bytes", given->settings.ring_bytes,
                   "size of the ring in shared memory: a power of two")
      ->check(CLI::Range(kRingBytesMin, kRingBytesMax))
      ->check(CLI::Validator(power_of_two, "POWER OF TWO"));
  const auto key = add_key_options(*command);
  command->callback([given, record, dialect, key, exit_code] {
    given->settings.journal_key = *key;
    given->settings.generic = *dialect == "generic";
    given->settings.record_effects = *record == "effects";
    given->settings.record_statements = *record == "statements";
    // Whoever reads it later may run in another folder.
    std::string& mapping = given->settings.mapping;
    if (!mapping.empty()) mapping = std::filesystem::absolute(mapping);
    create(given->name, given->settings, given->group);
    *exit_code = kExitDone;
  });
}

}  // namespace understudy
