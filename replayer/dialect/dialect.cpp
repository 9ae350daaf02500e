#include "replayer/dialect/dialect.h"

#include <stdexcept>

#include "replayer/dialect/sql_text.h"

namespace understudy {

std::string SqlDialect::qualified(const Table& table) const {
  if (table.schema.empty()) return quote(table.name);
  return quote(table.schema) + "." + quote(table.name);
}

const SqlDialect& sql_dialect(Dialect dialect) {
  switch (dialect) {
    case Dialect::postgresql:
      return postgresql_dialect();
    case Dialect::sqlite:
      return sqlite_dialect();
    case Dialect::mariadb:
      return mariadb_dialect();
    case Dialect::generic:
      break;
  }
  throw std::runtime_error("databases of the kind '" + std::string(dialect_name(dialect)) +
                           "' cannot be copied or replayed to; use PostgreSQL, SQLite or MariaDB");
}

Dialect dialect_of(odbc::Connection& db) {
  return dialect_of_dbms(db.info(SQL_DBMS_NAME));
}

}  // namespace understudy
