// What does not go from one engine to another, found beforehand.
#pragma once

#include <string>
#include <vector>

#include "replayer/copy/copy.h"
#include "replayer/migration/databases.h"

namespace understudy {

/// Columns none of whose values can be converted: a sentence each.
std::vector<std::string> never_converted(const std::vector<TablePair>& pairs, Dialect from,
                                         Dialect to);

/// Columns that hold values known not to be converted: MariaDB's zero dates. Reads each table that
/// has dates once. Throws odbc::Error.
std::vector<std::string> not_converted(const Database& production,
                                       const std::vector<TablePair>& pairs);

/// Where production's generated keys stand, for a shadow on another engine: the sequences that the
/// engine tells of, and for each generated key the largest one in use. Throws odbc::Error.
std::vector<SequenceState> sequences_across(const Database& production, const Catalog& catalog);

}  // namespace understudy
