#include "replayer/dialect/counterpart.h"

#include <algorithm>

namespace understudy {
namespace {

bool same_but_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

const Table* counterpart_of(std::string_view schema, std::string_view name, Dialect production,
                            const Catalog& shadow) {
  if (production == shadow.dialect) {
    return shadow.find(shadow.dialect == Dialect::sqlite ? std::string_view() : schema, name);
  }
  const std::string_view home =
      shadow.search_path.empty() ? std::string_view() : shadow.search_path.front();
  if (const Table* exact = shadow.find(home, name)) return exact;
  const Table* found = nullptr;
  for (const Table& table : shadow.tables) {
    if (!same_but_case(table.name, name) || (!home.empty() && table.schema != home)) continue;
    if (found != nullptr) return nullptr;
    found = &table;
  }
  return found;
}

}  // namespace understudy
