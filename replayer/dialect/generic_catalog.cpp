#include "replayer/dialect/generic_catalog.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "journal/generic_value.h"
#include "replayer/dialect/sql_text.h"
#include "replayer/odbc/unicode.h"

namespace understudy {
namespace {

constexpr std::string_view kOwnTables = "understudy_";
constexpr std::uint32_t kNone = UINT32_MAX;  // no column

bool same_but_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

/// A name as an argument of a catalog function: in UTF-16 for drivers that take it.
class Name {
 public:
  Name(const odbc::Connection& db, const odbc::OptionalText& name) : given_(name.has_value()) {
    if (!given_) return;
    narrow_ = *name;
    if (db.wide()) wide_ = odbc::to_wide(narrow_);
  }
  [[nodiscard]] SQLCHAR* narrow() {
    return given_ ? reinterpret_cast<SQLCHAR*>(narrow_.data()) : nullptr;
  }
  [[nodiscard]] SQLWCHAR* wide() { return given_ ? wide_.data() : nullptr; }
  [[nodiscard]] SQLSMALLINT narrow_length() const {
    return static_cast<SQLSMALLINT>(narrow_.size());
  }
  [[nodiscard]] SQLSMALLINT wide_length() const { return static_cast<SQLSMALLINT>(wide_.size()); }

 private:
  bool given_;
  std::string narrow_;
  decltype(odbc::to_wide("")) wide_;
};

std::vector<Row> rows_of(odbc::Statement& statement) {
  const int columns = statement.column_count();
  std::vector<Row> out;
  while (statement.fetch()) {
    Row& row = out.emplace_back();
    for (int column = 1; column <= columns; ++column) row.push_back(statement.text(column));
  }
  return out;
}

/// Where a table is, as SQLTables names it.
struct Place {
  odbc::OptionalText catalog;
  odbc::OptionalText schema;
  std::string table;
};

odbc::OptionalText current_catalog(odbc::Connection& db) {
  char name[256] = {};
  SQLINTEGER length = 0;
  if (!SQL_SUCCEEDED(SQLGetConnectAttr(db.handle(), SQL_ATTR_CURRENT_CATALOG, name, sizeof name - 1,
                                       &length)) ||
      name[0] == '\0') {
    return std::nullopt;
  }
  return std::string(name);
}

bool is_of_the_engine(std::string_view schema) {
  for (const std::string_view known : {"information_schema", "pg_catalog", "sys", "sysibm",
                                       "pg_toast", "performance_schema", "mysql"}) {
    if (same_but_case(schema, known)) return true;
  }
  return false;
}

class Reader {
 public:
  Reader(odbc::Connection& db, const Engine& engine) : db_(db), engine_(engine) {}

  Catalog read() {
    catalog_.dialect = Dialect::generic;
    catalog_.engine = engine_;
    for (const Row& row : tables()) {
      const std::string schema = row[1].value_or("");
      const std::string name = row[2].value_or("");
      const std::string kind = row[3].value_or("");
      const bool view = same_but_case(kind, "VIEW");
      if (name.starts_with(kOwnTables) || is_of_the_engine(schema)) continue;
      if (!view && !same_but_case(kind, "TABLE") && !same_but_case(kind, "BASE TABLE")) continue;
      Table& table = catalog_.tables.emplace_back();
      table.schema = schema;
      table.name = name;
      table.is_view = view;
      table.by_effects = true;  // it may have triggers
      places_.push_back({row[0], row[1], name});
    }
    types_.resize(catalog_.tables.size());
    for (std::size_t i = 0; i < catalog_.tables.size(); ++i) read_table(i);
    return std::move(catalog_);
  }

 private:
  std::vector<Row> tables() {
    odbc::Statement ask(db_);
    Name where(db_, current_catalog(db_));
    Name kinds(db_, "TABLE,VIEW");
    ask.require(db_.wide() ? SQLTablesW(ask.handle(), where.wide(), where.wide_length(), nullptr, 0,
                                        nullptr, 0, kinds.wide(), kinds.wide_length())
                           : SQLTables(ask.handle(), where.narrow(), where.narrow_length(), nullptr,
                                       0, nullptr, 0, kinds.narrow(), kinds.narrow_length()),
                "asking for the tables");
    return rows_of(ask);
  }

  void read_table(std::size_t at) {
    read_columns(at);
    Table& table = catalog_.tables[at];
    table.readable = !table.columns.empty();
    if (table.is_view || !table.readable) return;
    read_key(at);
    read_unique_keys(at);
    read_foreign_keys(at);
    see_columns(&table, types_[at]);
  }

  void read_columns(std::size_t at) {
    const Place& place = places_[at];
    odbc::Statement ask(db_);
    Name catalog(db_, place.catalog);
    Name schema(db_, place.schema);
    Name name(db_, place.table);
    ask.require(
        db_.wide()
            ? SQLColumnsW(ask.handle(), catalog.wide(), catalog.wide_length(), schema.wide(),
                          schema.wide_length(), name.wide(), name.wide_length(), nullptr, 0)
            : SQLColumns(ask.handle(), catalog.narrow(), catalog.narrow_length(), schema.narrow(),
                         schema.narrow_length(), name.narrow(), name.narrow_length(), nullptr, 0),
        "asking for columns");
    for (const Row& row : rows_of(ask)) {
      // Names are patterns here: `_` is any character.
      if (row.size() < 11 || row[2] != place.table) continue;
      if (row[1].value_or("") != place.schema.value_or("")) continue;
      Column& column = catalog_.tables[at].columns.emplace_back();
      column.name = row[3].value_or("");
      GenericType type;
      type.name = row[5].value_or("");
      type.sql_type = std::atol(row[4].value_or("0").c_str());
      type.size = std::atol(row[6].value_or("0").c_str());
      type.digits = std::atol(row[8].value_or("0").c_str());
      column.nullable = row[10] != "0";
      set_type(type, &column);
      types_[at].push_back(std::move(type));
      if (row.size() > 12 && row[12]) column.default_kind = generic_default_kind(*row[12]);
    }
  }

  void read_key(std::size_t at) {
    const Place& place = places_[at];
    odbc::Statement ask(db_);
    Name catalog(db_, place.catalog);
    Name schema(db_, place.schema);
    Name name(db_, place.table);
    ask.require(db_.wide() ? SQLPrimaryKeysW(ask.handle(), catalog.wide(), catalog.wide_length(),
                                             schema.wide(), schema.wide_length(), name.wide(),
                                             name.wide_length())
                           : SQLPrimaryKeys(ask.handle(), catalog.narrow(), catalog.narrow_length(),
                                            schema.narrow(), schema.narrow_length(), name.narrow(),
                                            name.narrow_length()),
                "asking for primary keys");
    std::map<long, std::string> parts;
    for (const Row& row : rows_of(ask)) {
      if (row[2] == place.table) parts[std::atol(row[4].value_or("0").c_str())] = *row[3];
    }
    for (const auto& [number, part] : parts) {
      const auto ordinal = catalog_.tables[at].column(part);
      if (ordinal) catalog_.tables[at].key.push_back(*ordinal);
    }
    if (catalog_.tables[at].key.size() != parts.size()) catalog_.tables[at].key.clear();
  }

  void read_unique_keys(std::size_t at) {
    const Place& place = places_[at];
    odbc::Statement ask(db_);
    Name catalog(db_, place.catalog);
    Name schema(db_, place.schema);
    Name name(db_, place.table);
    ask.require(db_.wide() ? SQLStatisticsW(ask.handle(), catalog.wide(), catalog.wide_length(),
                                            schema.wide(), schema.wide_length(), name.wide(),
                                            name.wide_length(), SQL_INDEX_UNIQUE, SQL_QUICK)
                           : SQLStatistics(ask.handle(), catalog.narrow(), catalog.narrow_length(),
                                           schema.narrow(), schema.narrow_length(), name.narrow(),
                                           name.narrow_length(), SQL_INDEX_UNIQUE, SQL_QUICK),
                "asking for indexes");
    Table& table = catalog_.tables[at];
    std::map<std::string, std::vector<std::uint32_t>> indexes;
    std::vector<std::string> partial;  // or over expressions
    for (const Row& row : rows_of(ask)) {
      if (row[2] != place.table || !row[5] || row[3] != "0") continue;
      // A number, not an optional one: gcc takes that for uninitialised when it optimises.
      const std::uint32_t ordinal = row[8] ? table.column(*row[8]).value_or(kNone) : kNone;
      const bool filtered = row.size() > 12 && row[12] && !row[12]->empty();
      if (ordinal == kNone || filtered) {
        partial.push_back(*row[5]);
      } else {
        indexes[*row[5]].push_back(ordinal);
      }
    }
    for (const std::string& one : partial) indexes.erase(one);
    for (auto& [index, columns] : indexes) {
      if (columns != table.key) table.unique_keys.push_back(std::move(columns));
    }
  }

  void read_foreign_keys(std::size_t at) {
    const Place& place = places_[at];
    odbc::Statement ask(db_);
    Name catalog(db_, place.catalog);
    Name schema(db_, place.schema);
    Name name(db_, place.table);
    ask.require(db_.wide()
                    ? SQLForeignKeysW(ask.handle(), nullptr, 0, nullptr, 0, nullptr, 0,
                                      catalog.wide(), catalog.wide_length(), schema.wide(),
                                      schema.wide_length(), name.wide(), name.wide_length())
                    : SQLForeignKeys(ask.handle(), nullptr, 0, nullptr, 0, nullptr, 0,
                                     catalog.narrow(), catalog.narrow_length(), schema.narrow(),
                                     schema.narrow_length(), name.narrow(), name.narrow_length()),
                "asking for foreign keys");
    for (const Row& row : rows_of(ask)) {
      if (row.size() < 12 || row[6] != place.table) continue;
      std::vector<ForeignKey>& keys = catalog_.tables[at].foreign_keys;
      if (row[8] == "1" || keys.empty()) {
        ForeignKey& key = keys.emplace_back();
        key.name = row[11].value_or("");
        key.parent_schema = row[1].value_or("");
        key.parent_table = row[2].value_or("");
        const auto acts = [](const odbc::OptionalText& rule) { return rule != "1" && rule != "3"; };
        key.cascades = acts(row[9]) || acts(row[10]);
      }
      keys.back().columns.push_back(row[7].value_or(""));
      keys.back().parent_columns.push_back(row[3].value_or(""));
    }
  }

  static void set_type(const GenericType& type, Column* column) {
    const GenericKind kind = generic_kind(type.sql_type);
    column->type = type.text();
    column->immutable_arithmetic = kind == GenericKind::integer || kind == GenericKind::decimal ||
                                   kind == GenericKind::real || kind == GenericKind::text;
  }

  /// Keys that the server makes are told of a result only; and whether the account may read. The
  /// type is that of a result, too, by which values are read.
  void see_columns(Table* table, std::vector<GenericType>& types) {
    std::string text = "SELECT ";
    for (std::size_t i = 0; i < table->columns.size(); ++i) {
      if (i != 0) text += ", ";
      text += generic_quoted(engine_, table->columns[i].name);
    }
    text += " FROM ";
    if (!table->schema.empty()) text += generic_quoted(engine_, table->schema) + ".";
    text += generic_quoted(engine_, table->name) + " WHERE 1 = 0";
    try {
      odbc::Statement see(db_);
      see.execute_direct(text);
      for (std::size_t i = 0; i < table->columns.size(); ++i) {
        SQLLEN made = SQL_FALSE;
        SQLColAttribute(see.handle(), static_cast<SQLUSMALLINT>(i + 1), SQL_DESC_AUTO_UNIQUE_VALUE,
                        nullptr, 0, nullptr, &made);
        types[i].sql_type = see.result_type(static_cast<int>(i) + 1);
        set_type(types[i], &table->columns[i]);
        if (made != SQL_TRUE) continue;
        table->columns[i].identity = true;
        table->columns[i].default_kind = DefaultKind::computed;
      }
    } catch (const odbc::Error& error) {
      if (error.connection_lost()) throw;
      table->readable = false;
    }
  }

  odbc::Connection& db_;
  const Engine& engine_;
  Catalog catalog_;
  std::vector<Place> places_;
  std::vector<std::vector<GenericType>> types_;  // by table and column
};

NameCase name_case(SQLUINTEGER told) {
  switch (told) {
    case SQL_IC_UPPER:
      return NameCase::upper;
    case SQL_IC_LOWER:
      return NameCase::lower;
    case SQL_IC_SENSITIVE:
      return NameCase::sensitive;
    default:
      return NameCase::mixed;
  }
}

/// In a transaction that is rolled back.
bool takes(odbc::Connection& db, const std::vector<std::string>& statements) {
  db.set_autocommit(false);
  bool out = true;
  try {
    for (const std::string& one : statements) db.run(one);
  } catch (const odbc::Error& error) {
    if (error.connection_lost()) throw;
    out = false;
  }
  db.rollback();
  db.set_autocommit(true);
  return out;
}

/// What SQLTables names first; empty: there is none to try with.
std::string some_table(odbc::Connection& db, const Engine& engine) {
  odbc::Statement ask(db);
  Name where(db, current_catalog(db));
  Name kinds(db, "TABLE");
  ask.require(db.wide() ? SQLTablesW(ask.handle(), where.wide(), where.wide_length(), nullptr, 0,
                                     nullptr, 0, kinds.wide(), kinds.wide_length())
                        : SQLTables(ask.handle(), where.narrow(), where.narrow_length(), nullptr, 0,
                                    nullptr, 0, kinds.narrow(), kinds.narrow_length()),
              "asking for the tables");
  while (ask.fetch()) {
    const auto schema = ask.text(2);
    const auto name = ask.text(3);
    if (!name || (schema && is_of_the_engine(*schema))) continue;
    const bool qualified = schema && !schema->empty();
    return (qualified ? generic_quoted(engine, *schema) + "." : std::string()) +
           generic_quoted(engine, *name);
  }
  return {};
}

}  // namespace

std::string generic_quoted(const Engine& engine, std::string_view name) {
  return engine.quote.empty() ? std::string(name) : quoted(name, engine.quote.front());
}

SQLUINTEGER strictest_isolation(odbc::Connection& db) {
  if (db.info_number(SQL_TXN_CAPABLE) == SQL_TC_NONE) return 0;
  const SQLUINTEGER offered = db.info_number(SQL_TXN_ISOLATION_OPTION);
  for (const SQLUINTEGER level : {SQL_TXN_SERIALIZABLE, SQL_TXN_REPEATABLE_READ,
                                  SQL_TXN_READ_COMMITTED, SQL_TXN_READ_UNCOMMITTED}) {
    if ((offered & level) != 0) return level;
  }
  return 0;
}

Engine read_engine(odbc::Connection& db) {
  Engine out;
  out.name = db.info(SQL_DBMS_NAME);
  out.quote = db.info(SQL_IDENTIFIER_QUOTE_CHAR);
  if (out.quote == " " || out.quote.size() != 1) out.quote.clear();
  out.names = name_case(db.info_number(SQL_IDENTIFIER_CASE));
  out.quoted_names = name_case(db.info_number(SQL_QUOTED_IDENTIFIER_CASE));
  const SQLUINTEGER offered = db.info_number(SQL_TXN_ISOLATION_OPTION);
  const SQLUINTEGER strictest = strictest_isolation(db);
  out.snapshots = strictest >= SQL_TXN_REPEATABLE_READ;
  out.serializable = strictest == SQL_TXN_SERIALIZABLE && offered == SQL_TXN_SERIALIZABLE;
  db.set_autocommit(true);
  if (strictest == 0) return out;
  const std::string table = some_table(db, out);
  const std::string nothing = "SELECT 1 FROM " + table + " WHERE 1 = 0";
  if (!table.empty()) {
    out.for_update = takes(db, {nothing + " FOR UPDATE"});
    out.limit = takes(db, {nothing + " LIMIT 1"});
    out.fetch_first = !out.limit && takes(db, {nothing + " FETCH FIRST 1 ROWS ONLY"});
  }
  out.savepoints =
      takes(db, {"SAVEPOINT understudy_probe", "SAVEPOINT understudy_inner",
                 "ROLLBACK TO SAVEPOINT understudy_probe", "RELEASE SAVEPOINT understudy_probe"});
  return out;
}

Catalog read_generic_catalog(odbc::Connection& db, const Engine& engine) {
  return Reader(db, engine).read();
}

DefaultKind generic_default_kind(std::string_view expression) {
  while (!expression.empty() && expression.front() == ' ') expression.remove_prefix(1);
  while (!expression.empty() && expression.back() == ' ') expression.remove_suffix(1);
  if (expression.empty() || same_but_case(expression, "NULL")) return DefaultKind::none;
  if (expression.size() >= 2 && expression.starts_with('\'') && expression.ends_with('\'')) {
    const std::string_view inside = expression.substr(1, expression.size() - 2);
    const bool plain = inside.find_first_of("'\\") == std::string_view::npos;
    return plain ? DefaultKind::constant : DefaultKind::computed;
  }
  if (expression.starts_with('-')) expression.remove_prefix(1);
  const bool number =
      !expression.empty() && expression.find_first_not_of("0123456789.") == std::string_view::npos;
  return number ? DefaultKind::constant : DefaultKind::computed;
}

}  // namespace understudy
