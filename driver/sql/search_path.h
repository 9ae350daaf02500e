// Where a session looks for tables that are named without a schema. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace understudy::sql {

struct SearchPath {
  enum class Kind : std::uint8_t {
    usual,    // the catalog's
    given,    // `schemas`
    unknown,  // names cannot be resolved
  };
  Kind kind = Kind::usual;
  std::vector<std::string> schemas;

  bool operator==(const SearchPath&) const = default;
};

inline constexpr std::size_t kSchemasMax = 64;  // of a search path

/// PostgreSQL: what SET search_path, SET SCHEMA, RESET search_path or RESET ALL leaves. Nothing:
/// the statement is none of these. `unknown` where it cannot be told, as with "$user".
std::optional<SearchPath> search_path_set_by(std::string_view text);

}  // namespace understudy::sql
