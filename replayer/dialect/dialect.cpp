#include "replayer/dialect/dialect.h"

#include "replayer/dialect/generic.h"
#include "replayer/dialect/generic_catalog.h"
#include "replayer/dialect/sql_text.h"

namespace understudy {

std::string SqlDialect::qualified(const Table& table) const {
  if (table.schema.empty()) return quote(table.name);
  return quote(table.schema) + "." + quote(table.name);
}

namespace {

bool position_table_is_there(odbc::Connection& db) {
  try {
    (void)db.scalar("SELECT seq FROM " + std::string(kPositionTable) + " WHERE 1 = 0");
    return true;
  } catch (const odbc::Error& error) {
    if (error.connection_lost()) throw;
    return false;
  }
}

}  // namespace

void SqlDialect::need_position_table(odbc::Connection& db) const {
  if (!position_table_is_there(db)) make_position_table(db);
}

bool SqlDialect::may_make_position_table(odbc::Connection& db) const {
  const bool there = position_table_is_there(db);
  if (!there && !tables_roll_back()) return may_create_tables(db);
  const std::string table = kPositionTable;
  bool allowed = true;
  db.set_autocommit(false);
  try {
    if (!there) make_position_table(db);
    db.run("INSERT INTO " + table + " SELECT migration, seq FROM " + table + " WHERE 1 = 0");
    db.run("UPDATE " + table + " SET seq = seq WHERE 1 = 0");
  } catch (const odbc::Error& error) {
    if (error.connection_lost()) throw;
    allowed = false;
  }
  db.rollback();
  db.set_autocommit(true);
  return allowed;
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
  return generic_dialect(Engine());
}

const SqlDialect& sql_dialect(const Catalog& catalog) {
  return catalog.dialect == Dialect::generic ? generic_dialect(catalog.engine)
                                             : sql_dialect(catalog.dialect);
}

const SqlDialect& dialect_for(odbc::Connection& db, bool generic) {
  const Dialect known = generic ? Dialect::generic : dialect_of(db);
  if (known != Dialect::generic) return sql_dialect(known);
  db.read_by_type();
  return generic_dialect(read_engine(db));
}

Dialect dialect_of(odbc::Connection& db) {
  return dialect_of_dbms(db.info(SQL_DBMS_NAME));
}

bool SqlDialect::is_deterministic(odbc::Connection& db, const Table& table,
                                  const AddedColumn& added) const {
  if (added.constant) return true;
  db.set_autocommit(false);
  bool out = true;
  try {
    for (const std::string& sql : deterministic_probe(table, added)) db.run(sql);
  } catch (const odbc::Error& error) {
    if (error.connection_lost()) throw;
    out = false;
  }
  db.rollback();
  db.set_autocommit(true);
  return out;
}

}  // namespace understudy
