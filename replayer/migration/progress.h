// The line that `start` prints while it goes on: copied of total, recorded, replayed, backlog,
// rate, elapsed, time left, phase with reason.
#pragma once

#include <cstdint>
#include <string>

#include "replayer/migration/figures.h"

namespace understudy {

/// Time left is given once this share is copied; before, it would mean nothing.
inline constexpr double kEtaFrom = 0.01;

class ProgressLine {
 public:
  std::string text(const Figures& figures);

 private:
  std::uint64_t began_ns_ = 0;
  std::uint64_t copy_began_ns_ = 0;
};

}  // namespace understudy
