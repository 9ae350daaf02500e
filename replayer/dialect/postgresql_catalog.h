// PostgreSQL's system catalogs (12 and later) read into a Catalog.
#pragma once

#include "journal/catalog.h"
#include "replayer/odbc/odbc.h"

namespace understudy {

/// Throws odbc::Error.
Catalog read_postgresql_catalog(odbc::Connection& db);

/// What pg_get_expr's text of a default says: a literal with at most one cast is constant. A second
/// cast is evaluated at run time ('now'::text::date), so anything else is computed.
DefaultKind postgresql_default_kind(std::string_view expression);

}  // namespace understudy
