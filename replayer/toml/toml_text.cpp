#define TOML_IMPLEMENTATION
#include "replayer/toml/toml_text.h"

#include <algorithm>

namespace understudy {

toml::table parse_toml(std::string_view text) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    const auto begin = error.source().begin;
    throw TomlError(std::max(begin.line, 1u), std::max(begin.column, 1u),
                    std::string(error.description()));
  }
}

}  // namespace understudy
