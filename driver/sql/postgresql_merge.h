// MERGE of PostgreSQL. Internal to driver/sql.
#pragma once

#include "driver/sql/postgresql_tree.h"

namespace understudy::sql {

/// Gives `out` the verdict. `statement` is what `text` was parsed to.
void analyze_postgresql_merge(const TokenizedText& text, const PgQuery__MergeStmt& statement,
                              const SideEffects& effects, const Catalog& catalog,
                              const SearchPath& path, Analysis* out);

}  // namespace understudy::sql
