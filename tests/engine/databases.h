// Empty databases of each engine for the replayer's tests, and short ways to fill and read them.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "replayer/dialect/dialect.h"
#include "tests/support/engines.h"

namespace understudy {

inline std::string postgres_target() {
  return "Driver=PostgreSQL Unicode;" + PostgresServer::shared().new_database();
}

inline std::string sqlite_target(const TempDir& folder, const std::string& name) {
  return "Driver=SQLite3;Database=" + std::string(folder.path()) + "/" + name + ".db;";
}

inline std::string mariadb_target() {
  return "Driver=MariaDB Unicode;" + MariaDbServer::shared().new_database();
}

/// Whether the tests run with the dialect that knows nothing of the engine; `create` reads it, too.
inline bool generic_forced() {
  const char* dialect = std::getenv("UNDERSTUDY_DIALECT");
  return dialect != nullptr && std::string_view(dialect) == "generic";
}

inline void run_all(odbc::Connection& db, const std::vector<std::string_view>& statements) {
  for (const auto sql : statements) db.run(sql);
}

inline const Table& table_of(const Catalog& catalog, std::string_view name) {
  const auto* table = catalog.find("", name);
  if (table == nullptr) throw std::runtime_error("no table " + std::string(name));
  return *table;
}

inline std::vector<std::uint32_t> all_columns(const Table& table) {
  std::vector<std::uint32_t> out;
  for (std::uint32_t i = 0; i < table.columns.size(); ++i) out.push_back(i);
  return out;
}

/// All rows of a table in exact texts, without the ordering columns.
inline std::vector<Row> exact_rows(odbc::Connection& db, const SqlDialect& dialect,
                                   const Table& table) {
  odbc::Statement statement(db);
  statement.prepare(dialect.page_sql(table, all_columns(table), false, 10000));
  statement.execute();
  std::vector<Row> out;
  while (statement.fetch()) {
    auto& row = out.emplace_back();
    for (std::size_t i = 1; i <= table.columns.size(); ++i) {
      row.push_back(statement.text(static_cast<int>(i)));
    }
  }
  return out;
}

inline void insert_exact(odbc::Connection& db, const SqlDialect& dialect, const Table& table,
                         const std::vector<Row>& rows) {
  odbc::Statement statement(db);
  statement.prepare(dialect.insert_sql(table, all_columns(table)));
  for (const auto& row : rows) {
    std::vector<odbc::Bind> parameters;
    for (std::size_t i = 0; i < row.size(); ++i) {
      parameters.push_back(dialect.bind(table.columns[i], row[i]));
    }
    statement.bind(parameters);
    statement.execute();
  }
}

}  // namespace understudy
