// Figures of what was applied, with divergences grouped.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>

#include "replayer/apply/applier.h"

namespace understudy {

/// Of one try, or of all that was committed. Holds kDivergencesMax kinds; further ones count as
/// "(others)".
class Tally {
 public:
  ApplyFigures figures;

  void divergence(std::string what, std::string kind, std::uint64_t seq, std::uint64_t count = 1);
  /// Counts what `more` has counted of transactions and their statements.
  void add(const Tally& more);

 private:
  std::map<std::pair<std::string, std::string>, std::size_t> places_;  // in figures.divergences
};

}  // namespace understudy
