// The mapping of a migration: the operator's file until recording begins, then the copy of it that
// lies beside the catalogs.
#pragma once

#include <string>

#include "replayer/mapping/mapping_file.h"
#include "replayer/mapping/table_pair.h"
#include "replayer/migration/home.h"
#include "replayer/migration/settings.h"

namespace understudy {

/// The text, parsed so far that it is one: names are not looked up. Throws Failure (2), with file,
/// line and column, when it is wrong; also when it cannot be read.
std::string read_mapping(const std::string& path);

/// Where the mapping in force lies. Only for settings that name one.
std::string mapping_path(const Home& home, const Settings& settings);

/// What is mapped, looked up in both catalogs, into which it points; nothing without a file. Throws
/// Failure (2) with file, line and column.
Mapped mapped_tables(const Home& home, const Settings& settings, const Catalog& production,
                     const Catalog& shadow);
/// The same of a text of the file at `path`.
Mapped mapped_tables(const std::string& text, const std::string& path, const Catalog& production,
                     const Catalog& shadow);

}  // namespace understudy
