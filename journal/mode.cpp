#include "journal/mode.h"

#include <array>

namespace understudy {
namespace {

constexpr std::array<std::string_view, 14> kPhaseNames = {
    "preflight", "recording", "aligning", "copying",   "replaying", "verifying", "ready",
    "holding",   "switching", "switched", "reversing", "completed", "cancelled", "invalid"};
static_assert(kPhaseNames.size() == static_cast<std::size_t>(Phase::invalid) + 1);

}  // namespace

std::string_view phase_name(Phase phase) {
  const auto index = static_cast<std::size_t>(phase);
  return index < kPhaseNames.size() ? kPhaseNames[index] : std::string_view("unknown");
}

std::optional<Phase> phase_from_name(std::string_view name) {
  for (std::size_t i = 0; i < kPhaseNames.size(); ++i) {
    if (kPhaseNames[i] == name) return static_cast<Phase>(i);
  }
  return std::nullopt;
}

}  // namespace understudy
