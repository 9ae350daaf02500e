// Attributes as the application set them: copied, remembered, and set again on a real handle.
#pragma once

#include <optional>
#include <vector>

#include "driver/handle/handle.h"
#include "driver/real/library.h"

namespace understudy {

inline constexpr std::size_t kAttributeBytesMax = 1u << 20;  // of one string value

/// Whether ODBC or the given length says that the value is bytes to be copied: the three string
/// attributes of the standard, and driver-specific ones with SQL_NTS, a positive length or
/// SQL_LEN_BINARY_ATTR. All other values are integers or pointers the application keeps alive.
bool is_string_attribute(SQLINTEGER attribute, SQLPOINTER value, SQLINTEGER length);

/// A copy of the value; `wide` when it came through a W entry. nullopt when a string is longer than
/// kAttributeBytesMax. Throws std::bad_alloc.
std::optional<Attribute> copy_attribute(SQLINTEGER attribute, SQLPOINTER value, SQLINTEGER length,
                                        bool wide);

/// Replaces the value of the same attribute in place, or appends.
void remember(std::vector<Attribute>& attributes, Attribute attribute);
const Attribute* find_attribute(const std::vector<Attribute>& attributes, SQLINTEGER attribute);

/// Sets it through the entry the real driver has: the W entry for what came wide, converted to
/// UTF-8 when there is none; SQLSetConnectOption or SQLSetStmtOption where that is all there is.
/// SQL_ERROR without a diagnostic when the driver has no entry at all.
SQLRETURN set_connect_attribute(const real::Library& library, SQLHDBC real, const Attribute& value);
SQLRETURN set_stmt_attribute(const real::Library& library, SQLHSTMT real, const Attribute& value);

}  // namespace understudy
