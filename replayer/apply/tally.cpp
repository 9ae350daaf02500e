#include "replayer/apply/tally.h"

namespace understudy {

void Tally::divergence(std::string what, std::string kind, std::uint64_t seq, std::uint64_t count) {
  auto name = std::make_pair(std::move(what), std::move(kind));
  if (!places_.contains(name) && figures.divergences.size() >= kDivergencesMax) {
    name = {"(others)", "others"};
  }
  const auto [at, fresh] = places_.try_emplace(name, figures.divergences.size());
  if (fresh) figures.divergences.push_back({name.first, name.second, seq, 0});
  figures.divergences[at->second].count += count;
}

void Tally::add(const Tally& more) {
  figures.applied += more.figures.applied;
  figures.statements += more.figures.statements;
  figures.keyed += more.figures.keyed;
  figures.effects += more.figures.effects;
  figures.opaque += more.figures.opaque;
  figures.left_out += more.figures.left_out;
  figures.uncaptured += more.figures.uncaptured;
  for (const Divergence& one : more.figures.divergences) {
    divergence(one.fingerprint, one.kind, one.first_seq, one.count);
  }
}

}  // namespace understudy
