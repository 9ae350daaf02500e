#include "replayer/migration/ending.h"

#include <fmt/format.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "journal/durable_recording.h"
#include "journal/file_system.h"
#include "replayer/migration/databases.h"
#include "replayer/migration/failure.h"

namespace understudy {
namespace {

constexpr std::uint64_t kEndNs = 10 * kNsPerSecond;
constexpr std::uint64_t kLookNs = 10'000'000;

void drop_position(Migration& migration, Way way, const Say& say) {
  const char* side = target_name(way);
  try {
    const Database target = open_target(migration.settings, way);
    target.db().run(fmt::format("DROP TABLE IF EXISTS {}", kPositionTable));
    say(fmt::format("dropped {} on {}", kPositionTable, side));
  } catch (const odbc::Error& error) {
    say(fmt::format("could not drop {} on {} ({}); drop it yourself", kPositionTable, side,
                    error.what()));
  }
}

/// What the journal's writer makes: segments, what a recovery cut off, the next segment.
bool is_of_journal(const std::string& name) {
  const std::string_view digits = std::string_view(name).substr(0, name.find('.'));
  const bool numbered = digits.size() >= 8 && digits.find_first_not_of("0123456789") == digits.npos;
  const std::string_view rest = std::string_view(name).substr(digits.size());
  return name == "next.tmp" || (numbered && (rest == ".segment" || rest.starts_with(".torn")));
}

void change_any_mode(Migration& migration, Mode to) {
  while (migration.mode() != to && !migration.change_mode(migration.mode(), to)) {
  }
}

}  // namespace

void complete_migration(Migration& migration) {
  const State state = migration.state->get();
  if (state.phase != Phase::switched)
    throw Failure(kExitNo, fmt::format("migration {} is {}, not switched; `understudy cutover {}` "
                                       "comes first, `understudy cancel {}` gives up",
                                       migration.home.name, phase_name(state.phase),
                                       migration.home.name, migration.home.name));
  require(end_durable_recording(migration.home.root, migration.home.name));
  migration.state->change([](State& next) {
    next.enter(Phase::completed, "the shadow is production now; there is no way back");
  });
  // Nothing is recorded any more; sessions stay on the shadow.
  change_any_mode(migration, Mode::one_way);
}

void drop_positions(Migration& migration, const Say& say) {
  const State state = migration.state->get();
  const bool completed = state.phase == Phase::completed;
  // Rows that were copied stay on the shadow after `cancel`, and the table with them.
  if (completed) drop_position(migration, Way::there, say);
  if (state.direction_at_us != 0) drop_position(migration, Way::back, say);
  if (!completed) return;
  for (const BypassedTable& one : state.bypassed)
    say(fmt::format(
        "{} rows of {} differ since they were written past the driver; what was written "
        "to the old production is only there",
        one.rows, one.table));
  say("point the data source at the new database; as long as the migration's folder is there its "
      "drivers are led to it");
}

void cancel_migration(Migration& migration, const Say& say) {
  const State state = migration.state->get();
  if (state.phase >= Phase::switching && state.phase <= Phase::completed)
    throw Failure(kExitNo,
                  fmt::format("migration {} is {}: the application uses the shadow; "
                              "`understudy complete {}` ends it",
                              migration.home.name, phase_name(state.phase), migration.home.name));
  require(end_durable_recording(migration.home.root, migration.home.name));
  // The state first: the worker takes a mode that nobody ended for an interruption.
  migration.state->change(
      [](State& next) { next.enter(Phase::cancelled, "production stays in use"); });
  change_any_mode(migration, Mode::idle);
  migration.header().prepare_route.store(0);
  say("drivers pass through to production; rows copied so far stay on the shadow");
}

void delete_journal(const Home& home, const Say& say) {
  namespace fs = std::filesystem;
  const Phase phase = load_state(home).phase;
  if (phase != Phase::completed && phase != Phase::cancelled)
    throw Failure(kExitNo, fmt::format("migration {} is {}; its journal is needed until it is "
                                       "completed or cancelled",
                                       home.name, phase_name(phase)));
  const auto map = SegmentMap::open(home.root, home.name);
  // Without shared memory there is nothing that a journald could read.
  const std::shared_ptr<SegmentMap> held = map.ok() ? *map : nullptr;
  const auto lock = held ? held->lock(kLockJournald) : Status();
  if (!lock.ok())
    throw Failure(kExitNo, fmt::format("journald of migration {} still runs; stop it, then delete "
                                       "its journal",
                                       home.name));
  struct Unlock {
    SegmentMap* map;
    ~Unlock() {
      if (map != nullptr) map->unlock(kLockJournald);
    }
  } unlock{held.get()};
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::vector<std::string> others;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(home.journal(), error)) {
    const std::string name = entry.path().filename();
    if (!is_of_journal(name) || !entry.is_regular_file() || entry.is_symlink()) {
      others.push_back(name);
      continue;
    }
    const std::uint64_t size = entry.file_size();
    require(operating_system().remove(entry.path()));
    ++files;
    bytes += size;
  }
  if (error && error != std::errc::no_such_file_or_directory)
    throw Failure(kExitFailed,
                  fmt::format("cannot look into {}: {}", home.journal(), error.message()));
  if (!error) require(operating_system().sync_directory(home.journal()));
  say(fmt::format("deleted the journal: {} files, {} bytes in {}", files, bytes, home.journal()));
  if (!others.empty())
    say(fmt::format("left there, since they are no files of a journal: {}",
                    fmt::join(others, ", ")));
}

void wait_for_end(SegmentMap& map, std::uint64_t lock, const std::string& log) {
  const std::uint64_t deadline_ns = monotonic_ns() + kEndNs;
  std::atomic<std::uint32_t> nobody_wakes{0};
  while (map.locked_elsewhere(lock)) {
    if (monotonic_ns() > deadline_ns)
      throw Failure(kExitFailed,
                    fmt::format("a process of the migration did not stop; see {}", log));
    // The kernel tells nobody when a lock is dropped.
    futex_wait_until(nobody_wakes, 0, monotonic_ns() + kLookNs);
  }
}

}  // namespace understudy
