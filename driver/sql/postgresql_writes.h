// What one INSERT, UPDATE or DELETE in a tree of PostgreSQL writes. Internal to driver/sql.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "driver/sql/postgresql_tree.h"

namespace understudy::sql {

/// The table of this name; null when it is not known, or in doubt.
const Table* find_table(const Catalog& catalog, const SearchPath& path, std::string_view schema,
                        std::string_view name);

struct PostgresqlWrite {
  /// Why the rows it changes cannot be returned, as Analysis::reason; empty: they can.
  std::string_view obstacle;
  const Table* table = nullptr;
  Verb verb = Verb::other;
  std::string target;                   // as Analysis::target
  std::string name;                     // what its expressions call the table
  bool joined = false;                  // its RETURNING sees other tables, too
  std::vector<std::uint32_t> assigned;  // columns, by an UPDATE or an upsert
  PgQuery__Node* const* returning = nullptr;
  std::size_t returned = 0;

  [[nodiscard]] bool through_view() const { return obstacle == "view"; }
};

/// The table of a statement alone.
PostgresqlWrite postgresql_target(const PgQuery__RangeVar* relation, const Catalog& catalog,
                                  const SearchPath& path);

bool refers(const Table& child, const Table& parent);
bool is_referred_to(const Catalog& catalog, const Table& table);

bool is_postgresql_write(const PgQuery__Node& node);
/// `node` is one of these.
PostgresqlWrite postgresql_write(const PgQuery__Node& node, const Catalog& catalog,
                                 const SearchPath& path);

}  // namespace understudy::sql
