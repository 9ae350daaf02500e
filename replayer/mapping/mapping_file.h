// The mapping file: what the operator says of a shadow that has another schema than production.
// Names are not looked up here.
//
// A table of production is [tables.NAME]. Of it may be said: `to`, the shadow's table; `rename`, a
// table of production's columns and their names there; `drop`, a list of columns, or true for the
// whole table; `retyped`, columns that have another type there; `add`, a table of the shadow's own
// columns with a constant or { expression = "..." } each. Instead of `to`, [[tables.NAME.split]]
// stands twice, each time with `to`, `columns` and, where wanted, `rename` and `add`.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace understudy {

inline constexpr std::size_t kMappingBytesMax = 1u << 20;
inline constexpr std::size_t kMappedTablesMax = 4096;
inline constexpr std::size_t kMappedColumnsMax = 2000;  // named for one table
inline constexpr std::size_t kMappedNameBytesMax = 255;
inline constexpr std::size_t kAddedBytesMax = 4096;  // a constant or an expression
inline constexpr std::size_t kSplitParts = 2;

/// A place in the mapping file, from 1 on.
struct MappingPlace {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
};

/// The file cannot be followed. what() is one line: `FILE:LINE:COLUMN: reason and remedy`.
class MappingError : public std::runtime_error {
 public:
  MappingError(std::string_view path, MappingPlace place, std::string_view reason);
};

struct MappingName {
  std::string name;
  MappingPlace place;
};

struct MappingValue {
  enum class Kind : std::uint8_t { text, number, boolean, expression };
  Kind kind = Kind::text;
  std::string text;  // a boolean: true or false
  MappingPlace place;
};

struct MappingFile {
  /// What goes to one table of the shadow.
  struct Part {
    MappingName to;                                           // without a name: production's
    std::vector<MappingName> columns;                         // of a split
    std::vector<std::pair<MappingName, MappingName>> rename;  // production's, the shadow's
    std::vector<std::pair<MappingName, MappingValue>> add;    // the shadow's
  };
  struct Table {
    MappingName name;
    bool dropped = false;
    std::vector<MappingName> drop;
    std::vector<MappingName> retyped;
    bool split = false;
    std::vector<Part> parts;  // one; kSplitParts of a split; none when dropped
  };
  std::string path;
  std::vector<Table> tables;
};

/// Pure. `path` is for messages only. Throws MappingError.
MappingFile parse_mapping(std::string_view text, const std::string& path);

}  // namespace understudy
