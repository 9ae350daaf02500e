// What the drivers must do now (Mode) and where the migration stands for its operator (Phase).
// The mode lives in one 32-bit word of the control page: mode in the low 8 bits, an epoch above, so
// that every change is visible as a change and can be decided by one compare-and-swap.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace understudy {

enum class Mode : std::uint8_t {
  idle = 0,       // pass through; only mark transactions that write
  record = 1,     // capture every modifying statement
  hold = 2,       // as record, but no transaction may begin to write
  switching = 3,  // as hold; the decision has been made and is being written down
  switched = 4,   // sessions belong to the shadow; capture points the other way
  invalid = 5,    // recording ended with a reason; pass through on production
  hold_back = 6,  // as hold, while the shadow is in use
  returning = 7,  // as switching, the decision being for production
  one_way = 8,    // the shadow is in use and nothing is recorded any more: there is no way back
};

inline constexpr bool known_mode(Mode mode) {
  return mode <= Mode::one_way;
}
/// Whether the application belongs on the shadow.
inline constexpr bool shadow_in_use(Mode mode) {
  return mode == Mode::switched || mode == Mode::hold_back || mode == Mode::returning ||
         mode == Mode::one_way;
}
/// Whether modifying statements are captured, on the side in use.
inline constexpr bool records(Mode mode) {
  return known_mode(mode) && mode != Mode::idle && mode != Mode::invalid && mode != Mode::one_way;
}
inline constexpr bool being_decided(Mode mode) {
  return mode == Mode::switching || mode == Mode::returning;
}
/// Whether transactions that begin to write wait.
inline constexpr bool held(Mode mode) {
  return mode == Mode::hold || mode == Mode::hold_back || being_decided(mode);
}
/// Whether recording is over for good.
inline constexpr bool recording_ended(Mode mode) {
  return mode == Mode::invalid || mode == Mode::one_way;
}
/// What a hold, or a decision that is not taken, goes back to: the same side stays in use.
inline constexpr Mode let_go(Mode mode) {
  return shadow_in_use(mode) ? Mode::switched : Mode::record;
}

inline constexpr std::uint32_t mode_word(Mode mode, std::uint32_t epoch) {
  return (epoch << 8) | static_cast<std::uint32_t>(mode);
}
inline constexpr Mode mode_of(std::uint32_t word) {
  return static_cast<Mode>(word & 0xff);
}
inline constexpr std::uint32_t epoch_of(std::uint32_t word) {
  return word >> 8;
}

/// The names are part of the outward contract (`status --json`).
enum class Phase : std::uint8_t {
  preflight,
  recording,
  aligning,
  copying,
  replaying,
  verifying,
  ready,
  holding,
  switching,
  switched,
  reversing,
  completed,
  cancelled,
  invalid,
};

std::string_view phase_name(Phase phase);
std::optional<Phase> phase_from_name(std::string_view name);

}  // namespace understudy
