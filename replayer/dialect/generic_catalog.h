// What ODBC's own questions tell of an engine and of its tables: SQLGetInfo, SQLTables, SQLColumns,
// SQLPrimaryKeys, SQLStatistics, SQLForeignKeys, and what a few harmless statements show.
#pragma once

#include <string_view>

#include "journal/catalog.h"
#include "replayer/odbc/odbc.h"

namespace understudy {

/// Asks the driver, and tries what it does not tell by statements that find no row, in a
/// transaction that is rolled back. Leaves the connection in autocommit. Throws odbc::Error.
Engine read_engine(odbc::Connection& db);

/// User tables and views. Triggers, rules, generated columns and row security are in no ODBC
/// answer.
Catalog read_generic_catalog(odbc::Connection& db, const Engine& engine);

/// The highest isolation level that the driver offers; 0 when it has no transactions.
SQLUINTEGER strictest_isolation(odbc::Connection& db);

/// By COLUMN_DEF of SQLColumns: a default that is not plainly a literal counts as computed.
DefaultKind generic_default_kind(std::string_view expression);

/// `name` between the engine's quotes; as it stands where there are none.
std::string generic_quoted(const Engine& engine, std::string_view name);

}  // namespace understudy
