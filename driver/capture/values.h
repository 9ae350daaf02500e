// The values of bound parameters as they are at the time of an execution.
#pragma once

#include "driver/handle/statement.h"
#include "journal/record.h"

namespace understudy::capture {

inline constexpr SQLULEN kValueBytesMax = 1u << 30;  // one parameter

/// Why the values of an execution cannot be read from the bindings; a stable kind, or null.
/// Only the first `parameters` bindings count: later ones are left over from other texts and may
/// point anywhere.
const char* binding_obstacle(const Statement& stmt, std::uint32_t parameters);

/// Appends the bound values to the open statement. Call before the real execution: output
/// parameters are overwritten by it. Only after `binding_obstacle` answered null.
void append_parameters(const Statement& stmt, std::uint32_t parameters, EntryWriter& entries);

/// SQL_C_DEFAULT resolved by the parameter's SQL type, as the standard's table says.
SQLSMALLINT resolved_c_type(SQLSMALLINT c_type, SQLSMALLINT sql_type);

}  // namespace understudy::capture
