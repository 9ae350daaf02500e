#include "journal/mode.h"

#include <gtest/gtest.h>

namespace understudy {
namespace {

TEST(Mode, WordHoldsModeAndEpoch) {
  const std::uint32_t word = mode_word(Mode::switching, 0xabcdef);
  EXPECT_EQ(mode_of(word), Mode::switching);
  EXPECT_EQ(epoch_of(word), 0xabcdefu);
}

TEST(Phase, EveryNameLeadsBackToItsPhase) {
  for (int i = 0; i <= static_cast<int>(Phase::invalid); ++i) {
    const auto phase = static_cast<Phase>(i);
    EXPECT_EQ(phase_from_name(phase_name(phase)), phase) << phase_name(phase);
  }
}

TEST(Phase, NamesAreTheOutwardContract) {
  EXPECT_EQ(phase_name(Phase::preflight), "preflight");
  EXPECT_EQ(phase_name(Phase::ready), "ready");
  EXPECT_EQ(phase_name(Phase::switched), "switched");
  EXPECT_EQ(phase_name(Phase::invalid), "invalid");
}

TEST(Phase, RefusesANameThatIsNone) {
  EXPECT_EQ(phase_from_name("replay"), std::nullopt);
}

TEST(Phase, NamesAValueOutOfRangeUnknown) {
  EXPECT_EQ(phase_name(static_cast<Phase>(200)), "unknown");
}

}  // namespace
}  // namespace understudy
