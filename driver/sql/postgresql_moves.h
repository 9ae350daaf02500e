// UPDATEs of PostgreSQL after which old rows are found no more by their keys. Internal to
// driver/sql.
#pragma once

#include <string>

#include "driver/sql/postgresql_tree.h"

namespace understudy::sql {

/// Sets effects of Verb::move with the texts that give them. `name`: what the statement calls the
/// table. False, `out` void: not understood.
bool set_moves(const TokenizedText& text, const PgQuery__UpdateStmt& statement, const Table& table,
               const std::string& name, Analysis* out);

}  // namespace understudy::sql
