#include "replayer/migration/mapping.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>

#include "replayer/mapping/resolve.h"
#include "replayer/migration/failure.h"

namespace understudy {

std::string read_mapping(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  // One byte more than allowed, so that the reader sees that there is more.
  std::string text(kMappingBytesMax + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in.is_open() || in.bad())
    throw Failure(kExitUsage,
                  fmt::format("the mapping file {} cannot be read; correct the path", path));
  text.resize(static_cast<std::size_t>(in.gcount()));
  try {
    (void)parse_mapping(text, path);
  } catch (const MappingError& error) {
    throw Failure(kExitUsage, error.what());
  }
  return text;
}

Mapped mapped_tables(const std::string& text, const std::string& path, const Catalog& production,
                     const Catalog& shadow) {
  try {
    return resolve_mapping(parse_mapping(text, path), production, shadow);
  } catch (const MappingError& error) {
    throw Failure(kExitUsage, error.what());
  }
}

std::string mapping_path(const Home& home, const Settings& settings) {
  const bool frozen = ::access(home.mapping().c_str(), F_OK) == 0;
  return frozen ? home.mapping() : settings.mapping;
}

Mapped mapped_tables(const Home& home, const Settings& settings, const Catalog& production,
                     const Catalog& shadow) {
  if (settings.mapping.empty()) return {};
  const std::string path = mapping_path(home, settings);
  return mapped_tables(read_mapping(path), path, production, shadow);
}

}  // namespace understudy
