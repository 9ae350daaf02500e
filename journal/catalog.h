// What is known of a database's tables: read by `start` through the dialect, stored in the
// migration's home as `catalog`, read by the drivers. The driver makes no catalog query itself.
//
// File: UTF-8 lines, fields separated by TAB; TAB, newline and backslash in a field are written \t,
// \n, \\. First line `understudy-catalog 1`. Replaced by rename; ControlHeader::catalog_generation
// grows afterwards. Format: docs/reference/catalog.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "journal/status.h"

namespace understudy {

enum class Dialect : std::uint8_t { generic, sqlite, postgresql, mariadb };
std::string_view dialect_name(Dialect dialect);
std::optional<Dialect> dialect_from_name(std::string_view name);
/// From SQL_DBMS_NAME.
Dialect dialect_of_dbms(std::string_view dbms_name);

enum class DefaultKind : std::uint8_t {
  none,      // NULL when not given
  constant,  // a literal
  computed,  // made by the server: now(), nextval(), random()
};

struct Column {
  std::string name;
  std::string type;  // as the server writes it, usable in CAST
  bool nullable = true;
  bool generated = false;             // GENERATED ALWAYS AS (...): never written
  bool identity = false;              // serial, IDENTITY, AUTOINCREMENT, rowid alias
  bool immutable_arithmetic = false;  // + - * / and || on it depend on nothing but their operands
  bool numbered = false;              // MariaDB: its default takes a number of a sequence
  DefaultKind default_kind = DefaultKind::none;
  std::string sequence;  // that its default is the next number of, qualified; empty when unknown
};

struct ForeignKey {
  std::string name;
  std::string parent_schema;
  std::string parent_table;
  std::vector<std::string> columns;
  std::vector<std::string> parent_columns;
  bool cascades = false;
};

struct Table {
  std::string schema;  // empty where the engine has none
  std::string name;
  std::vector<Column> columns;
  std::vector<std::uint32_t> key;                       // primary key: column indices; empty: none
  std::vector<std::vector<std::uint32_t>> unique_keys;  // others
  std::vector<ForeignKey> foreign_keys;
  std::vector<std::string> triggers;
  std::string definition;  // of a view through which the server itself writes the table below it
  bool is_view = false;
  bool partitioned = false;  // its rows are those of its partitions, which are tables, too
  bool inherited = false;    // tables that inherit from it hold rows with keys of their own
  bool readable = true;      // the account may SELECT every column
  bool row_security = false;
  bool rules = false;
  bool by_effects = false;  // every write is recorded by its rows, keyed ones too
  bool deferrable = false;  // what is written may be checked against others' rows at COMMIT alone
  bool numbering = false;   // MariaDB: a trigger may write to a table with a `numbered` column

  [[nodiscard]] std::optional<std::uint32_t> column(std::string_view column_name) const;
  [[nodiscard]] bool holds_rows() const { return !is_view && !partitioned; }
  [[nodiscard]] std::string display_name() const;  // schema.name
};

/// How an engine stores and compares names.
enum class NameCase : std::uint8_t { upper, lower, sensitive, mixed };

/// What an ODBC driver told, and `start` has tried, of an engine that is known by nothing else: the
/// dialect `generic`.
struct Engine {
  std::string name;          // SQL_DBMS_NAME
  std::string quote = "\"";  // around names; empty: names cannot be quoted
  NameCase names = NameCase::mixed;
  NameCase quoted_names = NameCase::sensitive;
  bool for_update = false;    // SELECT ... FOR UPDATE is taken
  bool savepoints = false;    // SAVEPOINT, ROLLBACK TO SAVEPOINT, RELEASE SAVEPOINT
  bool serializable = false;  // it runs nothing at a lower isolation level
  bool snapshots = false;     // it has a level at which all reads of a transaction see one state
  bool limit = false;         // SELECT ... LIMIT n
  bool fetch_first = false;   // SELECT ... FETCH FIRST n ROWS ONLY
  /// Of an UPDATE it counts the rows that it made different only.
  [[nodiscard]] bool counts_changed() const;
  bool operator==(const Engine&) const = default;
  auto operator<=>(const Engine&) const = default;  // NOLINT(modernize-use-nullptr): not ours
};

struct Catalog {
  Dialect dialect = Dialect::generic;
  Engine engine;                         // of the dialect generic
  std::vector<std::string> search_path;  // schemas an unqualified name is looked for in
  std::vector<Table> tables;
  /// PostgreSQL: what SET CONSTRAINTS has to name so that all keys which may be deferred are
  /// checked, and no trigger runs early; empty: there is none, or the server has no means.
  std::string deferrable_keys;
  std::string
      shadow_connection;  // for routing; without credentials unless the migration names them

  /// Engine rules: PostgreSQL folds unquoted names before calling; SQLite ignores ASCII case.
  /// `schema` empty: search_path. Null when unknown or (ambiguity) in doubt.
  [[nodiscard]] const Table* find(std::string_view schema, std::string_view name) const;
  /// Whether a statement for one of them means the same on the other.
  [[nodiscard]] bool same_engine(const Catalog& other) const {
    return dialect == other.dialect && engine.name == other.engine.name;
  }

  [[nodiscard]] std::string encode() const;
  static Result<Catalog> decode(std::string_view text);
  static Result<Catalog> load(const std::string& path);
  [[nodiscard]] Status save(const std::string& path) const;  // as access.h says; fsync, rename
};

}  // namespace understudy
