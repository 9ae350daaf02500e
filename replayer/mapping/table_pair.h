// A table of production and where its rows go: what copy, replay and verify have in common.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "journal/catalog.h"
#include "replayer/dialect/dialect.h"
#include "replayer/values/conversion.h"

namespace understudy {

/// A production table and where its rows go. Points into both catalogs.
struct TablePair {
  const Table* production = nullptr;
  const Table* shadow = nullptr;
  std::vector<std::uint32_t> production_columns;  // ordinals; generated columns left out
  std::vector<std::uint32_t> shadow_columns;      // where each of them goes
  std::vector<AddedColumn> added = {};            // of the shadow alone
  bool mapped = false;                            // by the mapping file, not by equal names

  /// Where production's column goes: a place in both lists; nothing: nowhere.
  [[nodiscard]] std::optional<std::size_t> place_of(std::uint32_t production_column) const;
};

/// What becomes of the tables that a mapping names. All others go by their names.
struct Mapped {
  std::vector<TablePair> pairs;       // two of a table that is split
  std::vector<const Table*> dropped;  // of production

  [[nodiscard]] bool empty() const { return pairs.empty() && dropped.empty(); }
  /// Whether the mapping names this table, which production has (on the way back: the shadow).
  [[nodiscard]] bool names(const Table& production) const;
};

/// A row may be written without this column.
bool fills_itself(const Column& column);

/// How the values of the pair's columns are converted, in their order.
std::vector<Conversion> conversions_of(const TablePair& pair, Dialect from, Dialect to);

/// Tables of both sides: as mapped, otherwise by name (schema and name; production's schema-less
/// names match the shadow's first search path entry). Problems (missing table or column, shadow
/// column without default that production lacks, missing key) are returned as sentences.
std::vector<TablePair> pair_tables(const Catalog& production, const Catalog& shadow,
                                   const Mapped& mapped, std::vector<std::string>* problems);

/// Marks production's tables and the shadow's that the mapping names: their writes are recorded by
/// their rows, since a statement of one schema does not fit the other.
void mark_by_effects(const Mapped& mapped, Catalog* production, Catalog* shadow);

/// Where production's generated keys stand, under the names that the shadow has for them.
std::vector<SequenceState> map_sequences(std::vector<SequenceState> sequences,
                                         const Mapped& mapped);

}  // namespace understudy
