#include "journal/abandoned.h"

#include <filesystem>
#include <fstream>
#include <optional>

#include "journal/access.h"
#include "journal/mode.h"

namespace understudy {
namespace {

constexpr std::string_view kPhaseKey = "  \"phase\": \"";  // a line of its own, never nested

/// What the state file says; it is replaced as a whole, never changed.
std::optional<Phase> phase_in(const std::string& path) {
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(kPhaseKey)) continue;
    const std::size_t end = line.find('"', kPhaseKey.size());
    if (end == std::string::npos) return std::nullopt;
    return phase_from_name(std::string_view(line).substr(kPhaseKey.size(), end - kPhaseKey.size()));
  }
  return std::nullopt;
}

}  // namespace

Status end_abandoned_turn(SegmentMap& map, const std::string& folder, FileSystem& files) {
  ControlHeader& header = map.header();
  std::uint32_t word = header.mode_word.load();
  const Mode mode = mode_of(word);
  if (!held(mode) || map.locked_elsewhere(kLockReplayer)) return {};
  Mode next = let_go(mode);
  if (being_decided(mode)) {
    const auto phase = phase_in(folder + "/state.json");
    if (!phase) return {Code::corrupt, "the state file does not say its phase"};
    // Else a crash of the host might take back what sessions have seen.
    if (auto synced = files.sync_directory(folder); !synced.ok()) return synced;
    const bool on_shadow = *phase == Phase::switched || *phase == Phase::reversing;
    next = on_shadow ? Mode::switched : Mode::record;
  }
  // The programs that may not take part; where it fails the next `start` does it.
  const std::filesystem::path path(folder);
  (void)tell_switched(path.parent_path(), path.filename(), shadow_in_use(next));
  // A replayer that began meanwhile has made another word of it.
  if (header.mode_word.compare_exchange_strong(word, mode_word(next, epoch_of(word) + 1)))
    futex_wake_all(header.mode_word);
  return {};
}

}  // namespace understudy
