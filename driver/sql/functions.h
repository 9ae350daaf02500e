// What is known of functions by their names: which read only, and which are immutable.
//
// A function that stands in no list counts as one that may write. The lists name built-in
// functions; a user's own function of the same name hides behind them, which the guide says. Names
// are lower case, without schema. Pure and thread safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "journal/catalog.h"

namespace understudy::sql {

enum class FunctionEffect : std::uint8_t {
  unknown,    // may write
  immutable,  // depends on nothing but its arguments: allowed in a keyed statement
  reads,      // no side effect on rows; its value may differ on replay
  sequences,  // takes numbers from a sequence; sequences are set at the cutover
  locks,      // takes or frees an advisory lock
};

FunctionEffect function_effect(std::string_view lower_case_name, Dialect dialect);

/// Whether a word before `(` is part of the grammar and no function: IN, VALUES, VARCHAR, ...
bool keyword_before_parenthesis(std::string_view upper_case_word);

std::string ascii_lower(std::string_view text);
std::string ascii_upper(std::string_view text);

}  // namespace understudy::sql
