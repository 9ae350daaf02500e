// Which table is filled before which.
#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "replayer/copy/copy.h"

namespace understudy {
namespace {

using Edges = std::vector<std::set<std::size_t>>;  // by pair: the pairs its foreign keys refer to

Edges parents_of(const std::vector<TablePair>& pairs) {
  Edges out(pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    for (const auto& key : pairs[i].shadow->foreign_keys) {
      for (std::size_t j = 0; j < pairs.size(); ++j) {
        if (j != i && refers_to(key, *pairs[j].shadow)) out[i].insert(j);
      }
    }
  }
  return out;
}

bool reaches_itself(const Edges& parents, std::size_t start) {
  std::set<std::size_t> seen;
  std::vector<std::size_t> open(parents[start].begin(), parents[start].end());
  while (!open.empty()) {
    const auto at = open.back();
    open.pop_back();
    if (at == start) return true;
    if (seen.insert(at).second) open.insert(open.end(), parents[at].begin(), parents[at].end());
  }
  return false;
}

}  // namespace

bool refers_to(const ForeignKey& key, const Table& parent) {
  const auto same = [](std::string_view a, std::string_view b, bool fold) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) {
      const auto lower = [&](char c) {
        return fold && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      };
      return lower(x) == lower(y);
    });
  };
  // Without schemas (SQLite) names ignore ASCII case.
  return key.parent_schema == parent.schema &&
         same(key.parent_table, parent.name, parent.schema.empty());
}

std::vector<TablePair> copy_order(std::vector<TablePair> pairs, std::vector<std::string>* cycles) {
  const Edges parents = parents_of(pairs);
  std::vector<bool> placed(pairs.size(), false);
  std::vector<TablePair> out;
  const auto ready = [&](std::size_t i) {
    return std::all_of(parents[i].begin(), parents[i].end(), [&](auto p) { return placed[p]; });
  };
  while (out.size() < pairs.size()) {
    bool moved = false;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      if (placed[i] || !ready(i)) continue;
      placed[i] = moved = true;
      out.push_back(pairs[i]);
    }
    if (moved) continue;
    // Only cycles and what hangs on them are left: one member goes before its parents.
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      if (placed[i] || !reaches_itself(parents, i)) continue;
      placed[i] = true;
      if (cycles != nullptr) cycles->push_back(pairs[i].shadow->display_name());
      out.push_back(pairs[i]);
      break;
    }
  }
  return out;
}

}  // namespace understudy
