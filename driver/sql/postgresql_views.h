// Views of PostgreSQL through which the server writes one table. Internal to driver/sql.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "driver/sql/dialects.h"

namespace understudy::sql {

/// A table as a view shows it.
struct ViewedTable {
  const Table* table = nullptr;
  /// For each of the table's columns the name that the view has for it; empty: it does not show it.
  std::vector<std::string> names;
};

/// Nothing for a view that is not updatable by itself, or whose definition is not plain.
std::optional<ViewedTable> viewed_table(const Table& view, const Catalog& catalog);

/// Sets effects of a write of this verb through the view, and the names of `columns` there. False:
/// what it does to the table cannot be told from what the view shows.
bool set_viewed_effects(Analysis* analysis, const ViewedTable& view, Verb verb,
                        std::vector<std::string>* names);

}  // namespace understudy::sql
