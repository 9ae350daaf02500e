// Statements of PostgreSQL that write in several places: in their WITH, too. Internal to
// driver/sql.
#pragma once

#include "driver/sql/postgresql_tree.h"

namespace understudy::sql {

/// Gives `out` the verdict: effects, when all rows can be returned or kept, and replayed in some
/// order; opaque otherwise. `statement` is what `numbered` was parsed to.
void analyze_postgresql_parts(const TokenizedText& text, const NumberedText& numbered,
                              const PgQuery__Node& statement, const SideEffects& effects,
                              const Catalog& catalog, const SearchPath& path, Analysis* out);

}  // namespace understudy::sql
