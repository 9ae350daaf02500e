// What a mapping file means for two databases, whose catalogs say which names there are.
#pragma once

#include <string>
#include <vector>

#include "journal/catalog.h"
#include "replayer/mapping/mapping_file.h"
#include "replayer/mapping/table_pair.h"

namespace understudy {

/// Tables are named as `check` names them, or by name alone where the search path finds them.
/// Points into both catalogs. Throws MappingError at the place that cannot be followed; pure
/// otherwise.
Mapped resolve_mapping(const MappingFile& file, const Catalog& production, const Catalog& shadow);

/// The way back: from the shadow to production. Columns that only one side has are left to the
/// defaults of the other.
Mapped inverse_of(const Mapped& mapped);
/// Why rows cannot be carried back: a sentence each, for the operator; empty: they can.
std::vector<std::string> no_way_back(const Mapped& mapped);

}  // namespace understudy
