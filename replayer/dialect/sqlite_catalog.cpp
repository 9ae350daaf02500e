#include "replayer/dialect/sqlite_catalog.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "replayer/dialect/sql_text.h"

namespace understudy {
namespace {

// Virtual tables and their shadow tables are opaque: their rows are not what a table would hold.
constexpr std::string_view kTables = R"(
SELECT l.name, CASE WHEN l.type = 'table' THEN 0 ELSE 1 END
FROM pragma_table_list l
WHERE l.schema = 'main' AND substr(l.name, 1, 7) <> 'sqlite_'
  AND substr(l.name, 1, 11) <> 'understudy_'
ORDER BY l.name)";

// hidden: 1 of a virtual table, 2 and 3 generated.
constexpr std::string_view kColumns = R"(
SELECT l.name, x.name, x.type, x."notnull", x.dflt_value, x.pk, x.hidden
FROM pragma_table_list l JOIN pragma_table_xinfo(l.name) x
WHERE l.schema = 'main' AND x.hidden <> 1
ORDER BY l.name, x.cid)";

constexpr std::string_view kUniqueKeys = R"(
SELECT l.name, i.name, i.origin, k.name, i.partial
FROM pragma_table_list l JOIN pragma_index_list(l.name) i JOIN pragma_index_info(i.name) k
WHERE l.schema = 'main' AND i."unique" = 1
ORDER BY l.name, i.name, k.seqno)";

constexpr std::string_view kForeignKeys = R"(
SELECT l.name, f.id, f."table", f."from", f."to",
  CASE WHEN f.on_update IN ('NO ACTION', 'RESTRICT') AND f.on_delete IN ('NO ACTION', 'RESTRICT')
    THEN 0 ELSE 1 END
FROM pragma_table_list l JOIN pragma_foreign_key_list(l.name) f
WHERE l.schema = 'main' AND l.type = 'table'
ORDER BY l.name, f.id, f.seq)";

constexpr std::string_view kTriggers =
    "SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger' ORDER BY tbl_name, name";

std::string upper(std::string_view text) {
  std::string out(text);
  for (auto& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

class Reader {
 public:
  explicit Reader(odbc::Connection& db) : db_(db) {}

  Catalog read() {
    catalog_.dialect = Dialect::sqlite;
    for (const auto& row : read_rows(db_, kTables)) {
      by_name_[upper(*row[0])] = catalog_.tables.size();
      auto& table = catalog_.tables.emplace_back();
      table.name = *row[0];
      table.is_view = row[1] == "1";
    }
    key_places_.resize(catalog_.tables.size());
    key_indexed_.resize(catalog_.tables.size());
    read_columns();
    read_unique_keys();
    for (auto& table : catalog_.tables) finish_key(table);
    read_foreign_keys();
    for (const auto& row : read_rows(db_, kTriggers)) {
      if (auto* table = find(*row[0])) table->triggers.push_back(*row[1]);
    }
    return std::move(catalog_);
  }

 private:
  Table* find(std::string_view name) {
    const auto found = by_name_.find(upper(name));
    return found == by_name_.end() ? nullptr : &catalog_.tables[found->second];
  }

  std::size_t index_of(const Table& table) const {
    return static_cast<std::size_t>(&table - catalog_.tables.data());
  }

  void read_columns() {
    for (const auto& row : read_rows(db_, kColumns)) {
      auto* table = find(*row[0]);
      if (table == nullptr) continue;
      const auto ordinal = static_cast<std::uint32_t>(table->columns.size());
      auto& column = table->columns.emplace_back();
      column.name = *row[1];
      column.type = row[2].value_or("");
      column.nullable = row[3] == "0";
      column.generated = row[6] == "2" || row[6] == "3";
      column.immutable_arithmetic = true;
      if (row[4]) column.default_kind = sqlite_default_kind(*row[4]);
      if (column.generated) column.default_kind = DefaultKind::computed;
      if (row[5] != "0") key_places_[index_of(*table)][std::stoi(*row[5])] = ordinal;
    }
  }

  // A key over an expression has no column names, and one of some rows alone is none of the others:
  // nothing that a row could be found by. All columns stand for it, so that it is known that rows
  // collide by more than the primary key.
  void read_unique_keys() {
    std::map<std::pair<std::string, std::string>, std::vector<odbc::OptionalText>> keys;
    for (const auto& row : read_rows(db_, kUniqueKeys)) {
      auto* table = find(*row[0]);
      if (table == nullptr) continue;
      if (row[2] == "pk") {
        key_indexed_[index_of(*table)] = true;
      } else {
        keys[{*row[0], *row[1]}].push_back(row[4] == "0" ? row[3] : std::nullopt);
      }
    }
    for (const auto& [place, names] : keys) {
      auto* table = find(place.first);
      std::vector<std::uint32_t> ordinals;
      for (const auto& name : names) {
        const auto ordinal = name ? table->column(*name) : std::nullopt;
        if (ordinal) ordinals.push_back(*ordinal);
      }
      if (ordinals.size() != names.size()) {
        ordinals.resize(table->columns.size());
        std::iota(ordinals.begin(), ordinals.end(), std::uint32_t{0});
      }
      auto& all = table->unique_keys;
      if (std::find(all.begin(), all.end(), ordinals) == all.end()) {
        all.push_back(std::move(ordinals));
      }
    }
  }

  // INTEGER PRIMARY KEY is the rowid, unless there is an index for it (DESC, WITHOUT ROWID).
  void finish_key(Table& table) {
    for (const auto& [place, ordinal] : key_places_[index_of(table)]) table.key.push_back(ordinal);
    if (table.key.size() != 1 || key_indexed_[index_of(table)]) return;
    auto& column = table.columns[table.key[0]];
    if (upper(column.type) != "INTEGER") return;
    column.identity = true;
    column.nullable = false;
    column.default_kind = DefaultKind::computed;
  }

  void read_foreign_keys() {
    std::string id;
    for (const auto& row : read_rows(db_, kForeignKeys)) {
      auto* table = find(*row[0]);
      if (table == nullptr) continue;
      if (id != *row[0] + '\0' + *row[1]) {
        auto& key = table->foreign_keys.emplace_back();
        key.name = "foreign key " + *row[1];
        key.parent_table = *row[2];
        key.cascades = row[5] == "1";
      }
      id = *row[0] + '\0' + *row[1];
      auto& key = table->foreign_keys.back();
      key.columns.push_back(*row[3]);
      if (row[4] && !row[4]->empty()) {
        key.parent_columns.push_back(*row[4]);
      } else if (const auto* parent = find(key.parent_table)) {
        const auto place = key.columns.size() - 1;  // not named: the parent's primary key
        if (place < parent->key.size()) {
          key.parent_columns.push_back(parent->columns[parent->key[place]].name);
        }
      }
    }
  }

  odbc::Connection& db_;
  Catalog catalog_;
  std::map<std::string, std::size_t> by_name_;
  std::vector<std::map<int, std::uint32_t>> key_places_;  // by table: place in the key, ordinal
  std::vector<bool> key_indexed_;                         // by table: an index serves the key
};

}  // namespace

DefaultKind sqlite_default_kind(std::string_view text) {
  if (text.empty()) return DefaultKind::none;
  const std::string word = upper(text);
  if (word == "NULL") return DefaultKind::none;
  if (word == "TRUE" || word == "FALSE") return DefaultKind::constant;
  if (text.starts_with('\'') || word.starts_with("X'")) {
    for (std::size_t i = text.find('\'') + 1; i < text.size(); ++i) {
      if (text[i] != '\'') continue;
      if (i + 1 == text.size()) return DefaultKind::constant;
      if (text[i + 1] != '\'') return DefaultKind::computed;
      ++i;
    }
    return DefaultKind::computed;
  }
  bool any_digit = false;
  for (const char c : text) {
    any_digit = any_digit || std::isdigit(static_cast<unsigned char>(c)) != 0;
    const bool number = std::isxdigit(static_cast<unsigned char>(c)) != 0;
    if (!number && std::string_view("+-.xX").find(c) == std::string_view::npos) {
      return DefaultKind::computed;
    }
  }
  return any_digit ? DefaultKind::constant : DefaultKind::computed;
}

Catalog read_sqlite_catalog(odbc::Connection& db) {
  return Reader(db).read();
}

}  // namespace understudy
