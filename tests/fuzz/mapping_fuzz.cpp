// libFuzzer target for the mapping file: either it is read within its limits, or one line says
// where it is wrong.
#include <cstdlib>
#include <string>

#include "replayer/mapping/mapping_file.h"

namespace {

using namespace understudy;

void require(bool condition) {
  if (!condition) std::abort();
}

void require_place(MappingPlace place) {
  require(place.line >= 1 && place.column >= 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    const MappingFile file = parse_mapping(text, "m");
    require(file.tables.size() <= kMappedTablesMax);
    for (const auto& table : file.tables) {
      require_place(table.name.place);
      require(!table.name.name.empty() && table.name.name.size() <= kMappedNameBytesMax);
      const std::size_t parts = table.split ? kSplitParts : 1;
      require(table.parts.size() == (table.dropped ? 0 : parts));
      for (const auto& part : table.parts) {
        for (const auto& [name, value] : part.add) {
          require_place(value.place);
          require(!name.name.empty() && value.text.size() <= kAddedBytesMax);
        }
      }
    }
  } catch (const MappingError& error) {
    const std::string said = error.what();
    require(said.starts_with("m:") && said.find('\n') == std::string::npos);
  }
  return 0;
}
