// Texts that are equal exactly when values are, for values that can be written in several ways.
// For comparing only. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace understudy {

/// A decimal number of any length, with or without fraction and exponent, in one form: 1.50, 15e-1
/// and 1.5 are one. Other texts (NaN, Infinity, what is no number) stay as they are; Inf is written
/// Infinity.
std::string comparable_decimal(std::string_view text);

/// A binary float in one form; `single`: the text is of a float of 32 bits. Zero has no sign.
std::string comparable_float(std::string_view text, bool single);

/// A JSON text in one form: members ordered, the last of equal names, numbers as decimals, strings
/// without escapes that are not needed. What is no JSON stays as it is.
std::string comparable_json(std::string_view text);

/// The double that a text names; nothing when it names none. Too large is infinite.
std::optional<double> double_of(std::string_view text);

}  // namespace understudy
