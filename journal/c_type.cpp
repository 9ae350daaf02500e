#include "journal/c_type.h"

#include <sqlext.h>

#include <cstddef>

namespace understudy {

std::int64_t fixed_bytes(std::int16_t c_type) {
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
                 ? static_cast<std::int64_t>(sizeof(SQL_INTERVAL_STRUCT))
                 : 0;
  }
}

bool known_c_type(std::int16_t c_type) {
  return fixed_bytes(c_type) != 0 || c_type == SQL_C_CHAR || c_type == SQL_C_WCHAR ||
         c_type == SQL_C_BINARY;
}

namespace {

bool known_direction(std::int16_t io_type) {
  switch (io_type) {
    case SQL_PARAM_INPUT:
    case SQL_PARAM_INPUT_OUTPUT:
    case SQL_PARAM_OUTPUT:
    case SQL_PARAM_INPUT_OUTPUT_STREAM:
    case SQL_PARAM_OUTPUT_STREAM:
      return true;
    default:
      return false;
  }
}

bool has_its_bytes(const Parameter& parameter) {
  const std::size_t bytes = parameter.bytes.size();
  const bool without =
      parameter.indicator == SQL_NULL_DATA || parameter.indicator == SQL_DEFAULT_PARAM;
  if (without) return bytes == 0;
  if (!known_c_type(parameter.c_type) || parameter.indicator < 0) return false;
  if (parameter.c_type == SQL_C_WCHAR && bytes % sizeof(SQLWCHAR) != 0) return false;
  const auto fixed = static_cast<std::size_t>(fixed_bytes(parameter.c_type));
  // The application gave no place, which real drivers take for NULL.
  if (fixed != 0) return bytes >= fixed || (bytes == 0 && parameter.indicator == 0);
  return static_cast<std::uint64_t>(parameter.indicator) == bytes;
}

}  // namespace

Status check_parameter(const Parameter& parameter) {
  if (!known_direction(parameter.io_type)) {
    return {Code::corrupt, "a parameter has no direction"};
  }
  return has_its_bytes(parameter)
             ? Status()
             : Status(Code::corrupt, "a parameter has not the bytes that it tells of");
}

}  // namespace understudy
