// Values as PostgreSQL's columns take them, in the texts in which it writes them itself.
#pragma once

#include <string>
#include <string_view>

#include "replayer/values/value.h"

namespace understudy {

enum class PostgresqlType : std::uint8_t {
  integer,
  numeric,
  real,
  double_precision,
  boolean,
  bytes,
  text,
  padded,  // character(n)
  date,
  timestamp,
  timestamptz,
  time,
  interval,
  uuid,
  jsonb,
  bits,
  other,
};

/// `type` as format_type() writes it.
PostgresqlType postgresql_type(std::string_view type);

/// The column's exact text of a value. Throws Unconvertible. Ranges, lengths and the form of types
/// that are not known here are left to the server, which refuses what it does not take.
std::string postgresql_text(const Value& value, PostgresqlType type, std::string_view type_name);

/// A double as the server writes it: the fewest digits, with an exponent from 10^15 on.
std::string postgresql_float(double value);

}  // namespace understudy
