#include "driver/capture/values.h"

#include <cstring>

namespace understudy::capture {
namespace {

// Length in bytes of a value whose C type has one size; 0 for character and binary data.
SQLLEN fixed_bytes(SQLSMALLINT c_type) {
  switch (c_type) {
    case SQL_C_BIT:
    case SQL_C_TINYINT:
    case SQL_C_STINYINT:
    case SQL_C_UTINYINT:
      return 1;
    case SQL_C_SHORT:
    case SQL_C_SSHORT:
    case SQL_C_USHORT:
      return 2;
    case SQL_C_LONG:
    case SQL_C_SLONG:
    case SQL_C_ULONG:
    case SQL_C_FLOAT:
      return 4;
    case SQL_C_SBIGINT:
    case SQL_C_UBIGINT:
    case SQL_C_DOUBLE:
      return 8;
    case SQL_C_NUMERIC:
      return sizeof(SQL_NUMERIC_STRUCT);
    case SQL_C_DATE:
    case SQL_C_TYPE_DATE:
      return sizeof(SQL_DATE_STRUCT);
    case SQL_C_TIME:
    case SQL_C_TYPE_TIME:
      return sizeof(SQL_TIME_STRUCT);
    case SQL_C_TIMESTAMP:
    case SQL_C_TYPE_TIMESTAMP:
      return sizeof(SQL_TIMESTAMP_STRUCT);
    case SQL_C_GUID:
      return sizeof(SQLGUID);
    default:
      return c_type >= SQL_C_INTERVAL_YEAR && c_type <= SQL_C_INTERVAL_MINUTE_TO_SECOND
                 ? static_cast<SQLLEN>(sizeof(SQL_INTERVAL_STRUCT))
                 : 0;
  }
}

bool known_c_type(SQLSMALLINT c_type) {
  return fixed_bytes(c_type) != 0 || c_type == SQL_C_CHAR || c_type == SQL_C_WCHAR ||
         c_type == SQL_C_BINARY;
}

template <class T>
T* moved(T* address, const SQLULEN* offset) {
  if (offset == nullptr) return address;
  return reinterpret_cast<T*>(reinterpret_cast<std::uintptr_t>(address) + *offset);
}

SQLLEN terminated_bytes(SQLSMALLINT c_type, const void* value) {
  if (c_type != SQL_C_WCHAR)
    return static_cast<SQLLEN>(std::strlen(static_cast<const char*>(value)));
  const auto* units = static_cast<const SQLWCHAR*>(value);
  SQLLEN count = 0;
  while (units[count] != 0) ++count;
  return count * static_cast<SQLLEN>(sizeof(SQLWCHAR));
}

struct BoundValue {
  SQLSMALLINT c_type = 0;
  SQLLEN indicator = 0;  // as the application set it; SQL_NTS for a null pointer
  const void* value = nullptr;
};

BoundValue bound_value(const Statement& stmt, const ParameterBinding& binding) {
  BoundValue bound;
  bound.c_type = resolved_c_type(binding.c_type, binding.sql_type);
  bound.value = moved(binding.value, stmt.param_bind_offset);
  bound.indicator = binding.indicator == nullptr
                        ? SQLLEN{SQL_NTS}
                        : *moved(binding.indicator, stmt.param_bind_offset);
  return bound;
}

bool comes_later(SQLLEN indicator) {
  return indicator == SQL_DATA_AT_EXEC || indicator <= SQL_LEN_DATA_AT_EXEC_OFFSET;
}

// The length the real driver will take; -1 when the indicator means nothing for this type.
SQLLEN value_bytes(const BoundValue& bound) {
  if (const SQLLEN fixed = fixed_bytes(bound.c_type); fixed != 0) return fixed;
  if (bound.indicator >= 0) return bound.indicator;
  if (bound.indicator != SQL_NTS || bound.c_type == SQL_C_BINARY) return -1;
  return terminated_bytes(bound.c_type, bound.value);
}

const char* value_obstacle(const BoundValue& bound) {
  if (bound.indicator == SQL_NULL_DATA || bound.indicator == SQL_DEFAULT_PARAM) return nullptr;
  if (comes_later(bound.indicator)) return "data-at-execution";
  if (!known_c_type(bound.c_type)) return "driver-specific-type";
  if (bound.value == nullptr && bound.indicator != 0) return "null-buffer";
  if (bound.value == nullptr) return nullptr;
  const SQLLEN bytes = value_bytes(bound);
  if (bytes < 0) return "unknown-length";
  return static_cast<SQLULEN>(bytes) > kValueBytesMax ? "value-too-large" : nullptr;
}

}  // namespace

SQLSMALLINT resolved_c_type(SQLSMALLINT c_type, SQLSMALLINT sql_type) {
  if (c_type != SQL_C_DEFAULT) return c_type;
  switch (sql_type) {
    case SQL_BIT:
      return SQL_C_BIT;
    case SQL_TINYINT:
      return SQL_C_STINYINT;
    case SQL_SMALLINT:
      return SQL_C_SSHORT;
    case SQL_INTEGER:
      return SQL_C_SLONG;
    case SQL_BIGINT:
      return SQL_C_SBIGINT;
    case SQL_REAL:
      return SQL_C_FLOAT;
    case SQL_FLOAT:
    case SQL_DOUBLE:
      return SQL_C_DOUBLE;
    case SQL_BINARY:
    case SQL_VARBINARY:
    case SQL_LONGVARBINARY:
      return SQL_C_BINARY;
    case SQL_WCHAR:
    case SQL_WVARCHAR:
    case SQL_WLONGVARCHAR:
      return SQL_C_WCHAR;
    case SQL_DATE:
    case SQL_TYPE_DATE:
      return SQL_C_TYPE_DATE;
    case SQL_TIME:
    case SQL_TYPE_TIME:
      return SQL_C_TYPE_TIME;
    case SQL_TIMESTAMP:
    case SQL_TYPE_TIMESTAMP:
      return SQL_C_TYPE_TIMESTAMP;
    case SQL_GUID:
      return SQL_C_GUID;
    default:
      return SQL_C_CHAR;
  }
}

const char* binding_obstacle(const Statement& stmt, std::uint32_t parameters) {
  if (parameters == 0) return nullptr;
  if (stmt.paramset_size > 1) return "parameter-array";
  if (stmt.app_param != nullptr || stmt.implicit[1]->touched || stmt.implicit[3]->touched) {
    return "descriptor";
  }
  if (parameters > stmt.parameters.size()) return "unbound-parameter";
  for (std::uint32_t i = 0; i < parameters; ++i) {
    const ParameterBinding& binding = stmt.parameters[i];
    if (!binding.bound) return "unbound-parameter";
    if (binding.io_type == SQL_PARAM_OUTPUT) return "output-parameter";
    if (const char* obstacle = value_obstacle(bound_value(stmt, binding))) return obstacle;
  }
  return nullptr;
}

void append_parameters(const Statement& stmt, std::uint32_t parameters, EntryWriter& entries) {
  for (std::uint32_t i = 0; i < parameters; ++i) {
    const ParameterBinding& binding = stmt.parameters[i];
    const BoundValue bound = bound_value(stmt, binding);
    Parameter out;
    out.io_type = binding.io_type;
    out.c_type = bound.c_type;
    out.sql_type = binding.sql_type;
    out.digits = binding.digits;
    out.column_size = binding.column_size;
    out.indicator = bound.indicator;
    if (bound.indicator != SQL_NULL_DATA && bound.indicator != SQL_DEFAULT_PARAM) {
      out.indicator = bound.value == nullptr ? 0 : value_bytes(bound);
      out.bytes = {static_cast<const char*>(bound.value), static_cast<std::size_t>(out.indicator)};
    }
    entries.add_parameter(out);
  }
}

}  // namespace understudy::capture
