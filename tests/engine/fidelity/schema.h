// A random schema and random statements on it, from seeds, in the SQL of each engine.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace fidelity {

enum class Engine { postgresql, sqlite, mariadb };
Engine engine_of(std::string_view name);  // throws std::invalid_argument

enum class Kind { integer, big, real, numeric, text, bytes, moment, truth, json };

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  int below(int bound) { return static_cast<int>(engine_() % static_cast<unsigned>(bound)); }
  bool chance(int percent) { return below(100) < percent; }
  template <class T>
  const T& of(const std::vector<T>& all) {
    return all[static_cast<std::size_t>(below(static_cast<int>(all.size())))];
  }
  std::string pick(std::initializer_list<const char*> all) {
    return *(all.begin() + below(static_cast<int>(all.size())));
  }

 private:
  std::mt19937_64 engine_;
};

/// How a table's rows are told apart.
enum class Key { generated, chosen, text, pair, none };

struct Column {
  std::string name;  // quoted
  Kind kind = Kind::text;
  bool nullable = true;
  std::string fallback;  // DEFAULT expression; empty: none

  // Where the engine has more than the kinds: the type as it stands in the table, and what makes a
  // literal of it.
  std::string type;
  std::string (*literal)(Random&) = nullptr;
};

struct Table {
  std::string name;  // quoted
  Key key = Key::generated;
  std::vector<std::string> key_columns;  // quoted
  std::vector<Column> columns;           // those that are not of the key
  std::string unique;                    // one integer column that is unique; empty: none
  std::string parent;                    // the table whose `id` the column `parent` refers to
  std::string parent_rule = "ON DELETE CASCADE";
  // An UPDATE of its keys by a range is opaque, and what stays so of one with ORDER BY and LIMIT.
  bool opaque_moves = false;

  // Where the first column of the key is of a type of the engine's own.
  std::string key_type;
  std::string (*key_literal)(Random&) = nullptr;

  bool random = true;  // whether any statement may be sent to it
  bool triggers = false;
  std::string rest;  // of its definition: columns and constraints that statements do not name
  std::string tail;  // behind its definition
  std::string view;  // PostgreSQL: through which it is written as well
  [[nodiscard]] bool one_integer_key() const { return key == Key::generated || key == Key::chosen; }
  /// MariaDB: whether rows that an UPDATE changes are asked for, which of equal ones may be others.
  [[nodiscard]] bool asked_for() const { return opaque_moves || name == "watched"; }
  /// Whether some values are of many kilobytes.
  [[nodiscard]] bool holds_large() const;
};

struct Schema {
  Engine engine = Engine::postgresql;
  bool plain = false;
  std::vector<Table> tables;
  std::vector<std::string> before;  // statements that the tables need
  std::vector<std::string> after;   // and those that need the tables

  /// The statements that make it.
  [[nodiscard]] std::vector<std::string> ddl() const;
};

/// `plain`: what an engine that is known by ODBC alone is exact with, see
/// docs/reference/generic.md: chosen keys, types without a rest that a driver does not tell,
/// statements of one table.
Schema make_schema(Engine engine, std::uint64_t seed, bool plain = false);

/// The same tables on PostgreSQL, of a plain schema of another engine, with the types that
/// docs/reference/cross-engine.md names.
Schema on_postgresql(const Schema& schema);

/// What only one engine has. The tables that were there stay as they are.
void widen_mariadb(Schema* schema, Random& random);
void widen_sqlite(Schema* schema, Random& random);

inline constexpr int kKeysMax = 40;  // chosen keys are drawn from so few that rows are hot

/// One statement: a text, and values for its markers as texts; nullopt is NULL.
struct Sql {
  std::string text;
  std::vector<std::optional<std::string>> values;
  bool always = false;  // sent even where one before it failed
};

/// A random statement that writes, and now and then one that only reads or fails; or several that
/// belong together: those behind one that failed are not sent, but where they are sent always.
std::vector<Sql> make_statements(const Schema& schema, Random& random);

/// Rows to begin with.
std::vector<Sql> first_rows(const Schema& schema, Random& random);

}  // namespace fidelity
