// Which table of the shadow a table of production is, by its name.
#pragma once

#include <string_view>

#include "journal/catalog.h"

namespace understudy {

/// On one engine the same schema and name. On another, the tables of production's database stand in
/// the shadow's default schema (the first of its search path), under the same name or, when no
/// table has that, under the only one that differs in ASCII case: engines fold names differently.
/// Null when there is none. Points into `shadow`.
const Table* counterpart_of(std::string_view schema, std::string_view name, Dialect production,
                            const Catalog& shadow);

}  // namespace understudy
