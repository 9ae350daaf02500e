// A value apart from the engine that wrote it, and what cannot become one of another engine.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "journal/catalog.h"

namespace understudy {

/// A value for which the other engine's column has no equal. what() names the reason in a few
/// words, never the value.
class Unconvertible : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Value {
  enum class Kind : std::uint8_t {
    number,  // decimal, with or without fraction and exponent; Inf, -Inf
    text,    // UTF-8, may hold NUL
    bytes,   // raw
    bits,    // of '0' and '1'
  };
  Kind kind = Kind::text;
  std::string text;
};

/// From the exact text forms of docs/reference/values.md. Throws std::runtime_error for what is not
/// in that form. Pure.
Value mariadb_value(const Column& column, std::string_view exact);
Value sqlite_value(std::string_view exact);

/// The bytes that hexadecimal digits stand for.
std::string bytes_of_hex(std::string_view digits);
std::string hex_of_bytes(std::string_view bytes);

}  // namespace understudy
