// ODBC's C types as records name them: how many bytes a value has.
#pragma once

#include <cstdint>

#include "journal/record.h"

namespace understudy {

/// Bytes of a value of a type that always has as many; 0 for character and binary data, whose
/// values have the length that is told beside them, and for types that are not known.
std::int64_t fixed_bytes(std::int16_t c_type);
/// Whether a value of this type can be recorded: ODBC's own types, not those of one driver.
bool known_c_type(std::int16_t c_type);

/// Whether a real driver that is given the parameter reads no byte behind those recorded: whoever
/// may write the ring may write any record. Code::corrupt otherwise.
Status check_parameter(const Parameter& parameter);

}  // namespace understudy
