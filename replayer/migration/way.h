// Which way the journal is applied: to the shadow, or after the switch back to production.
#pragma once

#include <cstdint>

#include "journal/mode.h"
#include "journal/record.h"

namespace understudy {

enum class Way : std::uint8_t {
  there,  // production is in use; its transactions are applied to the shadow
  back,   // the shadow is in use; its transactions are applied to production
};

inline constexpr Way way_of(Phase phase) {
  return phase == Phase::switched || phase == Phase::reversing ? Way::back : Way::there;
}
/// The side in use, whose transactions are recorded.
inline constexpr Side source_of(Way way) {
  return way == Way::back ? Side::shadow : Side::production;
}
inline constexpr const char* source_name(Way way) {
  return way == Way::back ? "the shadow" : "production";
}
inline constexpr const char* target_name(Way way) {
  return way == Way::back ? "production" : "the shadow";
}

}  // namespace understudy
