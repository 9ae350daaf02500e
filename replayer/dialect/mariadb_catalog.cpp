#include "replayer/dialect/mariadb_catalog.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <string>
#include <utility>

#include "journal/exact_text.h"
#include "replayer/dialect/sql_text.h"

namespace understudy {
namespace {

constexpr std::string_view kTables = R"(
SELECT TABLE_NAME, IF(TABLE_TYPE LIKE '%VIEW', '1', '0') FROM information_schema.TABLES
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE <> 'SEQUENCE' AND TABLE_NAME NOT LIKE 'understudy\_%'
ORDER BY TABLE_NAME)";

constexpr std::string_view kColumns = R"(
SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, EXTRA, IS_GENERATED
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()
ORDER BY TABLE_NAME, ORDINAL_POSITION)";

constexpr std::string_view kKeys = R"(
SELECT TABLE_NAME, INDEX_NAME, COLUMN_NAME FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = DATABASE() AND NON_UNIQUE = 0
ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX)";

constexpr std::string_view kForeignKeys = R"(
SELECT k.TABLE_NAME, k.CONSTRAINT_NAME,
  IF(k.REFERENCED_TABLE_SCHEMA = DATABASE(), '', k.REFERENCED_TABLE_SCHEMA),
  k.REFERENCED_TABLE_NAME, k.COLUMN_NAME, k.REFERENCED_COLUMN_NAME,
  IF(r.UPDATE_RULE IN ('NO ACTION', 'RESTRICT') AND r.DELETE_RULE IN ('NO ACTION', 'RESTRICT'),
    '0', '1')
FROM information_schema.KEY_COLUMN_USAGE k JOIN information_schema.REFERENTIAL_CONSTRAINTS r
  ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME
  AND r.TABLE_NAME = k.TABLE_NAME
WHERE k.TABLE_SCHEMA = DATABASE() AND k.REFERENCED_TABLE_NAME IS NOT NULL
ORDER BY k.TABLE_NAME, k.CONSTRAINT_NAME, k.ORDINAL_POSITION)";

constexpr std::string_view kTriggers = R"(
SELECT EVENT_OBJECT_TABLE, TRIGGER_NAME, ACTION_STATEMENT FROM information_schema.TRIGGERS
WHERE EVENT_OBJECT_SCHEMA = DATABASE() ORDER BY EVENT_OBJECT_TABLE, TRIGGER_NAME)";

constexpr std::string_view kRoutines = R"(
SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE())";

const std::string kCall = "call";

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// Of enum('A','b') only the word is folded: the values are data.
std::string type_text(const std::string& type) {
  const std::size_t end = type.find('(');
  const std::string base = lower(type.substr(0, end));
  if (base == "enum" || base == "set") return base + type.substr(end);
  return lower(type);
}

// What the operators + - * / make of two values of the type depends on no setting. Dates count from
// texts in forms that depend on sql_mode, FLOAT is rounded when it is stored, which is the same
// everywhere.
bool immutable_arithmetic(std::string_view type) {
  const std::string_view base = mariadb_base_type(type);
  for (const std::string_view word : {"decimal", "float", "double", "char", "varchar"}) {
    if (base == word) return true;
  }
  return base.ends_with("int") || base.ends_with("text");
}

// Not as a part of a longer name.
bool has_word(const std::string& text, const std::string& word) {
  const auto in_name = [&](std::size_t at) {
    const auto c = static_cast<unsigned char>(at < text.size() ? text[at] : ' ');
    return std::isalnum(c) != 0 || c == '_' || c == '$' || c >= 0x80;
  };
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    if ((at == 0 || !in_name(at - 1)) && !in_name(at + word.size())) return true;
  }
  return false;
}

// Collects the tables by name, which is exact: MariaDB's information_schema returns stored names.
class Reader {
 public:
  explicit Reader(odbc::Connection& db) : db_(db) {}

  Catalog read() {
    catalog_.dialect = Dialect::mariadb;
    if (auto database = db_.scalar("SELECT DATABASE()")) catalog_.search_path.push_back(*database);
    for (const auto& row : read_rows(db_, kTables)) {
      by_name_[*row[0]] = catalog_.tables.size();
      auto& table = catalog_.tables.emplace_back();
      table.name = *row[0];
      table.is_view = row[1] == "1";
    }
    for (const auto& row : read_rows(db_, kColumns)) add_column(row);
    read_keys();
    read_foreign_keys();
    for (const auto& row : read_rows(db_, kTriggers)) {
      if (auto* table = find(row[0])) {
        table->triggers.push_back(*row[1]);
        const std::string body = lower(row[2].value_or(""));
        bodies_[table->name] += (body.empty() ? kCall : body) + '\n';
      }
    }
    find_numbering();
    return std::move(catalog_);
  }

 private:
  Table* find(const odbc::OptionalText& name) {
    const auto found = by_name_.find(*name);
    return found == by_name_.end() ? nullptr : &catalog_.tables[found->second];
  }

  void add_column(const Row& row) {
    auto* table = find(row[0]);
    if (table == nullptr) return;
    const std::string extra = lower(row[5].value_or(""));
    auto& column = table->columns.emplace_back();
    column.name = *row[1];
    column.type = type_text(*row[2]);
    column.nullable = row[3] == "YES";
    column.generated = row[6] == "ALWAYS";
    column.identity = extra.find("auto_increment") != std::string::npos;
    column.immutable_arithmetic = immutable_arithmetic(column.type);
    if (column.identity || column.generated) {
      column.default_kind = DefaultKind::computed;
    } else if (row[4]) {
      column.default_kind = mariadb_default_kind(*row[4]);
      if (column.default_kind == DefaultKind::computed)
        set_sequence(&column, lower(*row[4]), *row[4]);
    }
    if (extra.find("on update") != std::string::npos) column.type += " on update current_timestamp";
  }

  /// `nextval(`database`.`name`)`, as the server writes it, or an expression that has it in it.
  static void set_sequence(Column* column, std::string_view folded, const std::string& as_written) {
    constexpr std::string_view kNext = "nextval(";
    column->numbered = folded.find(kNext) != std::string_view::npos;
    const bool alone = folded.starts_with(kNext) && folded.find(')') == folded.size() - 1;
    if (alone) column->sequence = as_written.substr(kNext.size(), folded.size() - kNext.size() - 1);
  }

  // A body that mentions such a table, or another whose triggers do, or a view, or that calls
  // something, may write there; one that the account may not read may, too.
  void find_numbering() {
    std::vector<std::string> reached;
    for (const Table& table : catalog_.tables) {
      const bool numbered = std::any_of(table.columns.begin(), table.columns.end(),
                                        [](const Column& column) { return column.numbered; });
      if (numbered) reached.push_back(lower(table.name));
    }
    if (reached.empty()) return;
    for (const auto& row : read_rows(db_, kRoutines)) reached.push_back(lower(*row[0]));
    for (const Table& table : catalog_.tables) {
      if (table.is_view) reached.push_back(lower(table.name));
    }
    reached.push_back(kCall);
    for (bool more = true; std::exchange(more, false);) {
      for (Table& table : catalog_.tables) {
        const auto body = bodies_.find(table.name);
        if (table.numbering || body == bodies_.end()) continue;
        table.numbering = std::any_of(reached.begin(), reached.end(), [&](const std::string& name) {
          return has_word(body->second, name);
        });
        if (!table.numbering) continue;
        reached.push_back(lower(table.name));
        more = true;
      }
    }
  }

  void read_keys() {
    std::pair<std::string, std::string> index;
    for (const auto& row : read_rows(db_, kKeys)) {
      auto* table = find(row[0]);
      const auto ordinal = table == nullptr ? std::nullopt : table->column(*row[2]);
      if (!ordinal) continue;
      const bool primary = row[1] == "PRIMARY";
      if (!primary && index != std::pair(*row[0], *row[1])) table->unique_keys.emplace_back();
      index = {*row[0], *row[1]};
      (primary ? table->key : table->unique_keys.back()).push_back(*ordinal);
    }
  }

  void read_foreign_keys() {
    std::pair<std::string, std::string> constraint;
    for (const auto& row : read_rows(db_, kForeignKeys)) {
      auto* table = find(row[0]);
      if (table == nullptr) continue;
      if (constraint != std::pair(*row[0], *row[1])) {
        auto& key = table->foreign_keys.emplace_back();
        key.name = *row[1];
        key.parent_schema = row[2].value_or("");
        key.parent_table = *row[3];
        key.cascades = row[6] == "1";
      }
      constraint = {*row[0], *row[1]};
      table->foreign_keys.back().columns.push_back(*row[4]);
      table->foreign_keys.back().parent_columns.push_back(*row[5]);
    }
  }

  odbc::Connection& db_;
  Catalog catalog_;
  std::map<std::string, std::size_t> by_name_;
  std::map<std::string, std::string> bodies_;  // of a table's triggers, in small letters
};

}  // namespace

DefaultKind mariadb_default_kind(std::string_view expression) {
  if (expression == "NULL") return DefaultKind::none;
  if (expression.starts_with("b'") || expression.starts_with("x'")) expression.remove_prefix(1);
  if (expression.starts_with('\'')) {
    for (std::size_t i = 1; i < expression.size(); ++i) {
      if (expression[i] == '\\') {
        ++i;
      } else if (expression[i] == '\'' && expression.substr(i, 2) == "''") {
        ++i;
      } else if (expression[i] == '\'') {
        return i + 1 == expression.size() ? DefaultKind::constant : DefaultKind::computed;
      }
    }
    return DefaultKind::computed;
  }
  if (expression.starts_with('-')) expression.remove_prefix(1);
  const bool number = !expression.empty() &&
                      expression.find_first_not_of("0123456789.e+-") == std::string_view::npos &&
                      std::isdigit(static_cast<unsigned char>(expression.front())) != 0;
  return number ? DefaultKind::constant : DefaultKind::computed;
}

Catalog read_mariadb_catalog(odbc::Connection& db) {
  return Reader(db).read();
}

}  // namespace understudy
