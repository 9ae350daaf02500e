// Row effects of the journal as statements for the shadow.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include "journal/record.h"
#include "replayer/dialect/dialect.h"
#include "replayer/mapping/table_pair.h"
#include "replayer/values/conversion.h"

namespace understudy {

/// A row effect that the shadow has no place for. Counted as a divergence; what() is its kind.
class NoPlace : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Where the columns of a shape stand on one table of the shadow, and the texts that write them.
class ShapePlan {
 public:
  /// `production` tells how values of another engine are converted. Throws NoPlace when the shadow
  /// has no such table.
  ShapePlan(const SqlDialect& dialect, const Catalog& production, const Catalog& shadow,
            const Shape& shape);
  /// As the mapping says; what it drops is no missing column.
  ShapePlan(const SqlDialect& dialect, const Catalog& production, const Catalog& shadow,
            const Shape& shape, const TablePair& pair);

  /// The text for a verb (insert, update, remove, move, clear). Throws NoPlace for an update or
  /// removal in a table without a key.
  const std::string& sql(Verb verb);
  /// Its parameters. Throws std::runtime_error when the row does not fit the shape, and NoPlace
  /// when a value has no equal on the shadow.
  [[nodiscard]] std::vector<odbc::Bind> bind(Verb verb, const RowEffect& row) const;
  /// As many of these moved rows as one statement takes, from the first on: its text, its
  /// parameters and how many they are. Nothing: one at a time.
  struct Moves {
    std::string text;
    std::vector<odbc::Bind> parameters;
    std::size_t rows = 0;
  };
  [[nodiscard]] std::optional<Moves> moves(std::span<const RowEffect> rows) const;
  /// What removes the rows that the whole row collides with by a unique key other than the primary
  /// one: texts and their parameters.
  using Removal = std::pair<std::string, std::vector<odbc::Bind>>;
  [[nodiscard]] std::vector<Removal> removals(const RowEffect& row) const;
  /// A query for the row with this key; '?' stands for each part that is a parameter. Empty: the
  /// parts are none of the shape's.
  [[nodiscard]] std::string finds(std::span<const KeyPart> key) const;
  /// A row has no key but all its values, and equal rows are one as good as the other.
  [[nodiscard]] bool whole_row() const { return whole_row_; }
  /// Values of the key, at the front of a row; of a moved one the old key.
  [[nodiscard]] std::ptrdiff_t key_columns() const {
    return static_cast<std::ptrdiff_t>(shape_key_);
  }
  /// Of a table that the mapping names.
  [[nodiscard]] bool mapped() const { return mapped_; }
  /// Columns of the shape that the shadow lacks.
  [[nodiscard]] std::size_t missing_columns() const { return missing_; }

 private:
  struct Place {
    std::uint32_t value;   // index in the row
    std::uint32_t column;  // ordinal on the shadow
  };
  void add_place(std::uint32_t value, std::uint32_t column);
  void finish(const Catalog& production, const Catalog& shadow, const Shape& shape);
  static std::vector<std::uint32_t> columns(std::span<const Place> places);
  void find_conversions(const Catalog& production, Dialect shadow, const Shape& shape);
  [[nodiscard]] odbc::Bind bind(const Place& place, std::optional<std::string_view> value) const;
  void append(std::vector<odbc::Bind>& out, std::span<const Place> places, const RowEffect& row,
              std::size_t skip = 0) const;

  const SqlDialect& dialect_;
  const Table* table_ = nullptr;
  std::vector<Place> key_;
  std::vector<Place> all_;                              // written by an insert
  std::vector<Place> rest_;                             // written by an update
  std::vector<std::optional<Conversion>> conversions_;  // by value; empty: one engine
  std::vector<AddedColumn> added_;                      // of the shadow alone
  std::size_t shape_columns_ = 0;
  std::size_t shape_key_ = 0;
  std::size_t missing_ = 0;
  bool whole_row_ = false;
  bool mapped_ = false;
  std::string insert_, update_, remove_, move_, clear_;
};

inline constexpr std::size_t kShapePlansMax = 4096;

/// What becomes of the rows of a shape.
struct ShapeRoute {
  bool mapped = false;           // its statements do not fit the shadow
  std::vector<ShapePlan> plans;  // none: the table is dropped; several: it is split
};

/// Routes by shape, made on first use. `mapped` points into both catalogs and outlives this object,
/// as they do.
class ShapePlans {
 public:
  ShapePlans(const SqlDialect& dialect, const Catalog& production, const Catalog& shadow,
             const Mapped& mapped)
      : dialect_(dialect), production_(production), shadow_(shadow), mapped_(mapped) {}
  /// Throws NoPlace as ShapePlan does.
  ShapeRoute& route(const TextId& id, std::string_view encoded);
  /// Whether the mapping names the table of this shape; unlike `route` it never throws NoPlace.
  bool is_mapped(const TextId& id, std::string_view encoded);

 private:
  const SqlDialect& dialect_;
  const Catalog& production_;
  const Catalog& shadow_;
  const Mapped& mapped_;
  std::unordered_map<TextId, std::unique_ptr<ShapeRoute>, TextIdHash> routes_;
};

}  // namespace understudy
