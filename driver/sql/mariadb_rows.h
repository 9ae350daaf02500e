// Queries for rows that MariaDB does not return: of UPDATE, of changes of several tables, of
// upserts. Internal to driver/sql, but for `rows_by_key`.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "driver/sql/recogniser.h"

namespace understudy::sql {

/// `name` between backticks.
std::string backticked(std::string_view name);

/// A text put together from our words and stretches of the application's, which remembers the
/// parameters of those.
class TextParts {
 public:
  explicit TextParts(const TokenizedText& text) : text_(text) {}
  TextParts& add(std::string_view words);
  /// Tokens, and what stands between them.
  TextParts& copy(std::size_t from, std::size_t to);

  /// A hint may be put in here; see RowsQuery.
  TextParts& hint() {
    hint_at_ = out_.size();
    return *this;
  }

  [[nodiscard]] const std::string& text() const { return out_; }
  [[nodiscard]] std::size_t hint_at() const { return hint_at_; }
  [[nodiscard]] const std::vector<std::uint32_t>& parameters() const { return parameters_; }

 private:
  const TokenizedText& text_;
  std::string out_;
  std::size_t hint_at_ = 0;
  std::vector<std::uint32_t> parameters_;
};

/// One table among those that an UPDATE or DELETE names.
struct Source {
  const Table* table = nullptr;  // null: a subquery, or a table that nothing is known of
  std::string name;              // without a database; empty when one is named
  std::string alias;             // or the table's name
};

/// `table [AS alias] JOIN ... ON ...`, tokens from `from` to `to`. Nothing: not understood.
std::optional<std::vector<Source>> table_references(const TokenizedText& text,
                                                    const Catalog& catalog, std::size_t from,
                                                    std::size_t to);

/// SELECT of the rows of one source, all columns or the key alone, FROM what `rest` says.
RowsQuery rows_query(const Source& source, bool key_only, const TextParts& rest);

/// Whether rows of this table can be asked for by their keys as literals.
bool readable_by_key(const Table& table);

}  // namespace understudy::sql
