// Exact texts of one engine as exact texts of another, and in a form that both agree on.
#pragma once

#include <string>

#include "journal/catalog.h"
#include "replayer/odbc/odbc.h"

namespace understudy {

/// Rewrites a value in production's exact text form into that of the shadow's column. Null when
/// both are the same engine. The function throws std::runtime_error for what cannot be converted.
using ExactConverter = void (*)(const Column& shadow_column, odbc::OptionalText* value);
ExactConverter exact_converter(Dialect from, Dialect to);

/// A text that is equal for equal values although the column's type differs between the sides:
/// numbers without trailing zeros of the fraction and in one notation. For comparing only.
std::string comparable_number(const std::string& text);
/// Whether a column's values compare as numbers.
bool is_number(const Column& column);

}  // namespace understudy
