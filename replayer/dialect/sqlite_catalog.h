// SQLite's schema (3.37 and later: pragma_table_list) read into a Catalog.
#pragma once

#include "journal/catalog.h"
#include "replayer/odbc/odbc.h"

namespace understudy {

/// Throws odbc::Error. Tables of the project's own (understudy_...) are left out.
Catalog read_sqlite_catalog(odbc::Connection& db);

/// What the text of a DEFAULT clause says: only a bare literal is constant.
DefaultKind sqlite_default_kind(std::string_view text);

}  // namespace understudy
