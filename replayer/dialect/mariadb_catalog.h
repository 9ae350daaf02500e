// MariaDB's information_schema read into a Catalog.
#pragma once

#include <string_view>

#include "replayer/dialect/dialect.h"

namespace understudy {

/// Tables of the connection's own database; their schema is empty, the catalog's search path is the
/// database's name. A column's type is COLUMN_TYPE in lower case; " on update current_timestamp"
/// stands behind it where the server sets the column at every UPDATE. Throws odbc::Error.
Catalog read_mariadb_catalog(odbc::Connection& db);

/// Of COLUMN_DEFAULT, which is an expression: 'it''s', 5, current_timestamp(), (`a` + 1).
DefaultKind mariadb_default_kind(std::string_view expression);

}  // namespace understudy
