// What PostgreSQL has beyond the other engines: types, kinds of tables, statements and sessions.
#pragma once

#include "tests/engine/fidelity/schema.h"

namespace fidelity {

/// Adds columns of further types to the tables, and further tables. What is there already stays, so
/// that a seed's first six tables are what they always were.
void widen_postgresql(Schema* schema, Random& random);

/// As make_statements().
std::vector<Sql> postgresql_statements(const Schema& schema, Random& random);

}  // namespace fidelity
