#include "driver/capture/parameters.h"

#include <algorithm>
#include <cstring>

#include "driver/capture/session.h"
#include "driver/sql/dialects.h"

namespace understudy::capture {

bool comes_later(SQLLEN indicator) {
  return indicator == SQL_DATA_AT_EXEC || indicator <= SQL_LEN_DATA_AT_EXEC_OFFSET;
}

namespace {

SQLLEN terminated_bytes(SQLSMALLINT c_type, const void* value) {
  if (c_type != SQL_C_WCHAR)
    return static_cast<SQLLEN>(std::strlen(static_cast<const char*>(value)));
  const auto* units = static_cast<const SQLWCHAR*>(value);
  SQLLEN count = 0;
  while (units[count] != 0) ++count;
  return count * static_cast<SQLLEN>(sizeof(SQLWCHAR));
}

// A bound pointer may be a small integer until the offset is added.
template <class T>
T* moved(T* address, SQLULEN by) {
  if (address == nullptr) return nullptr;
  return reinterpret_cast<T*>(reinterpret_cast<std::uintptr_t>(address) + by);
}

// --- what the real descriptors say ---

template <class T>
T field(const real::Entries& fn, SQLHDESC desc, SQLSMALLINT record, SQLSMALLINT id, T otherwise) {
  T value = otherwise;
  const auto get = fn.GetDescField;
  if (get == nullptr || !SQL_SUCCEEDED(get(desc, record, id, &value, SQL_IS_POINTER, nullptr))) {
    return otherwise;
  }
  return value;
}

SQLHDESC descriptor_of(const Statement& stmt, SQLINTEGER attribute) {
  SQLHDESC desc = SQL_NULL_HDESC;
  const auto get = stmt.library->fn.GetStmtAttr;
  if (get == nullptr || !SQL_SUCCEEDED(get(stmt.real, attribute, &desc, SQL_IS_POINTER, nullptr))) {
    return SQL_NULL_HDESC;
  }
  return desc;
}

ParameterBinding binding_of(const real::Entries& fn, SQLHDESC app, SQLHDESC implementation,
                            SQLSMALLINT record) {
  ParameterBinding out;
  out.bound = true;
  out.c_type = field<SQLSMALLINT>(fn, app, record, SQL_DESC_CONCISE_TYPE, SQL_C_DEFAULT);
  out.value = field<SQLPOINTER>(fn, app, record, SQL_DESC_DATA_PTR, nullptr);
  out.indicator = field<SQLLEN*>(fn, app, record, SQL_DESC_INDICATOR_PTR, nullptr);
  out.octet_length = field<SQLLEN*>(fn, app, record, SQL_DESC_OCTET_LENGTH_PTR, nullptr);
  out.buffer_length = field<SQLLEN>(fn, app, record, SQL_DESC_OCTET_LENGTH, 0);
  out.io_type =
      field<SQLSMALLINT>(fn, implementation, record, SQL_DESC_PARAMETER_TYPE, SQL_PARAM_INPUT);
  if (out.io_type == SQL_PARAM_TYPE_UNKNOWN) out.io_type = SQL_PARAM_INPUT;  // never told
  out.sql_type = field<SQLSMALLINT>(fn, implementation, record, SQL_DESC_CONCISE_TYPE, SQL_VARCHAR);
  const bool number = out.sql_type == SQL_NUMERIC || out.sql_type == SQL_DECIMAL;
  const auto length = field<SQLULEN>(fn, implementation, record, SQL_DESC_LENGTH, 0);
  const auto precision = field<SQLSMALLINT>(fn, implementation, record, SQL_DESC_PRECISION, 0);
  const bool moment = out.sql_type == SQL_TYPE_TIMESTAMP || out.sql_type == SQL_TYPE_TIME;
  out.column_size = number ? static_cast<SQLULEN>(precision) : length;
  out.digits =
      moment ? precision : field<SQLSMALLINT>(fn, implementation, record, SQL_DESC_SCALE, 0);
  return out;
}

// Fields were set that SQLBindParameter does not know of.
bool fields_were_set(const Statement& stmt) {
  const bool app = stmt.app_param != nullptr ? stmt.app_param->touched : stmt.implicit[1]->touched;
  return app || stmt.implicit[3]->touched;
}

// What was bound through this or another statement that uses the same descriptor; the SQL side of
// a parameter is the statement's own.
std::vector<ParameterBinding> bindings_of(const Statement& stmt, std::uint32_t count) {
  if (stmt.app_param == nullptr) return stmt.parameters;
  std::vector<ParameterBinding> out = stmt.app_param->parameters;
  SQLHDESC implementation = descriptor_of(stmt, SQL_ATTR_IMP_PARAM_DESC);
  for (std::uint32_t i = 0; i < out.size() && i < count; ++i) {
    const bool own = i < stmt.parameters.size() && stmt.parameters[i].bound;
    const ParameterBinding sql = own || implementation == SQL_NULL_HDESC
                                     ? (own ? stmt.parameters[i] : out[i])
                                     : binding_of(stmt.library->fn, implementation, implementation,
                                                  static_cast<SQLSMALLINT>(i + 1));
    out[i].io_type = sql.io_type;
    out[i].sql_type = sql.sql_type;
    out[i].column_size = sql.column_size;
    out[i].digits = sql.digits;
  }
  return out;
}

// libsqliteodbc takes bind offsets and operation arrays, and does not look at them.
bool ignores_arrays_of_its_own(const Statement& stmt) {
  const Session* session = stmt.connection.session.get();
  return session != nullptr && session->dialect == Dialect::sqlite;
}

// The address of the parameter's element in this set.
template <class T>
T* element(T* base, std::size_t set, SQLULEN bind_type, SQLULEN offset, SQLLEN size) {
  if (base == nullptr) return nullptr;
  const SQLULEN step =
      bind_type == SQL_PARAM_BIND_BY_COLUMN ? static_cast<SQLULEN>(size) : bind_type;
  return moved(base, offset + step * set);
}

SQLLEN element_bytes(const ParameterBinding& binding) {
  const SQLLEN fixed = fixed_bytes(resolved_c_type(binding.c_type, binding.sql_type));
  return fixed != 0 ? fixed : std::max<SQLLEN>(binding.buffer_length, 0);
}

// The length the real driver will take; -1 when the indicator means nothing for this type.
SQLLEN value_bytes(const BoundValue& bound) {
  if (const SQLLEN fixed = fixed_bytes(bound.c_type); fixed != 0) return fixed;
  if (bound.indicator >= 0) return bound.indicator;
  if (bound.indicator != SQL_NTS || bound.c_type == SQL_C_BINARY) return -1;
  return terminated_bytes(bound.c_type, bound.value);
}

// PostgreSQL reads no text of more than 128 characters as a moment (MAXDATELEN): of two bytes each.
constexpr SQLLEN kMomentBytesMax = 256;

// Other characters as a question mark.
std::string ascii_of(const BoundValue& text, std::size_t bytes) {
  if (text.c_type == SQL_C_CHAR) return {static_cast<const char*>(text.value), bytes};
  std::string out;
  const auto* units = static_cast<const SQLWCHAR*>(text.value);
  for (std::size_t i = 0; i < bytes / sizeof(SQLWCHAR); ++i) {
    out += units[i] < 0x80 ? static_cast<char>(units[i]) : '?';
  }
  return out;
}

bool has_no_value(SQLLEN indicator) {
  return indicator == SQL_NULL_DATA || indicator == SQL_DEFAULT_PARAM;
}

const char* value_obstacle(const BoundValue& bound) {
  if (has_no_value(bound.indicator)) return nullptr;
  if (!known_c_type(bound.c_type)) return "driver-specific-type";
  if (comes_later(bound.indicator)) return nullptr;
  if (bound.value == nullptr && bound.indicator > 0) return "null-buffer";
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

BoundParameters BoundParameters::of(const Statement& stmt, std::uint32_t count) {
  BoundParameters out;
  out.count_ = count;
  if (!fields_were_set(stmt)) {
    out.bindings_ = bindings_of(stmt, count);
    out.sets_ = std::max<SQLULEN>(stmt.paramset_size, 1);
    out.bind_type_ = stmt.param_bind_type;
    out.offset_ = ignores_arrays_of_its_own(stmt) ? nullptr : stmt.param_bind_offset;
    out.operation_ = ignores_arrays_of_its_own(stmt) ? nullptr : stmt.param_operation;
    out.status_ = stmt.param_status;
    out.processed_ = stmt.params_processed;
    return out;
  }
  const real::Entries& fn = stmt.library->fn;
  SQLHDESC app = descriptor_of(stmt, SQL_ATTR_APP_PARAM_DESC);
  SQLHDESC implementation = descriptor_of(stmt, SQL_ATTR_IMP_PARAM_DESC);
  if (app == SQL_NULL_HDESC || implementation == SQL_NULL_HDESC) {
    out.readable_ = false;
    return out;
  }
  out.sets_ = std::max<SQLULEN>(field<SQLULEN>(fn, app, 0, SQL_DESC_ARRAY_SIZE, 1), 1);
  // A 32-bit field: the upper half of the place stays as it was.
  out.bind_type_ = field<SQLUINTEGER>(fn, app, 0, SQL_DESC_BIND_TYPE, SQL_PARAM_BIND_BY_COLUMN);
  out.offset_ = field<SQLULEN*>(fn, app, 0, SQL_DESC_BIND_OFFSET_PTR, nullptr);
  out.operation_ = field<SQLUSMALLINT*>(fn, app, 0, SQL_DESC_ARRAY_STATUS_PTR, nullptr);
  out.status_ = field<SQLUSMALLINT*>(fn, implementation, 0, SQL_DESC_ARRAY_STATUS_PTR, nullptr);
  out.processed_ = field<SQLULEN*>(fn, implementation, 0, SQL_DESC_ROWS_PROCESSED_PTR, nullptr);
  const auto records = field<SQLSMALLINT>(fn, app, 0, SQL_DESC_COUNT, 0);
  for (SQLSMALLINT i = 1; i <= records && i <= static_cast<SQLSMALLINT>(count); ++i) {
    out.bindings_.push_back(binding_of(fn, app, implementation, i));
  }
  return out;
}

bool BoundParameters::skipped(std::size_t set) const {
  return operation_ != nullptr && sets_ > 1 && operation_[set] == SQL_PARAM_IGNORE;
}

BoundValue BoundParameters::value(std::size_t set, std::uint32_t parameter) const {
  const ParameterBinding& binding = bindings_[parameter];
  const SQLULEN offset = offset_ == nullptr ? 0 : *offset_;
  BoundValue out;
  out.c_type = resolved_c_type(binding.c_type, binding.sql_type);
  out.value =
      element(static_cast<char*>(binding.value), set, bind_type_, offset, element_bytes(binding));
  // The first field of a structure that only the offset gives a place.
  if (binding.value == nullptr && offset != 0) {
    out.value = reinterpret_cast<const void*>(offset + bind_type_ * set);
  }
  const auto length_at = [&](SQLLEN* base) {
    return element(base, set, bind_type_, offset, SQLLEN{sizeof(SQLLEN)});
  };
  const SQLLEN* indicator = length_at(binding.indicator);
  const SQLLEN* octets =
      binding.octet_length == nullptr ? indicator : length_at(binding.octet_length);
  const bool null = indicator != nullptr && *indicator == SQL_NULL_DATA;
  out.indicator = null ? SQLLEN{SQL_NULL_DATA} : octets != nullptr ? *octets : SQLLEN{SQL_NTS};
  return out;
}

bool BoundParameters::complete() const {
  return readable_ && count_ <= bindings_.size() &&
         std::all_of(bindings_.begin(), bindings_.begin() + static_cast<std::ptrdiff_t>(count_),
                     [](const ParameterBinding& one) { return one.bound; });
}

bool BoundParameters::names_moment() const {
  for (std::size_t set = 0; set < sets_; ++set) {
    if (skipped(set)) continue;
    for (std::uint32_t i = 0; i < count_; ++i) {
      const BoundValue one = value(set, i);
      const bool text = one.c_type == SQL_C_CHAR || one.c_type == SQL_C_WCHAR;
      if (!text || one.value == nullptr || has_no_value(one.indicator) ||
          comes_later(one.indicator)) {
        continue;
      }
      const SQLLEN bytes = value_bytes(one);
      if (bytes <= 0 || bytes > kMomentBytesMax) continue;
      if (sql::names_a_moment(ascii_of(one, static_cast<std::size_t>(bytes)))) return true;
    }
  }
  return false;
}

const char* BoundParameters::obstacle() const {
  if (!complete()) return readable_ ? "unbound-parameter" : "descriptor";
  for (std::size_t set = 0; set < sets_; ++set) {
    if (skipped(set)) continue;
    for (std::uint32_t i = 0; i < count_; ++i) {
      if (bindings_[i].io_type == SQL_PARAM_OUTPUT) continue;
      if (const char* obstacle = value_obstacle(value(set, i))) return obstacle;
    }
  }
  return nullptr;
}

bool BoundParameters::converts() const {
  return std::any_of(bindings_.begin(),
                     bindings_.begin() + static_cast<std::ptrdiff_t>(
                                             std::min<std::size_t>(count_, bindings_.size())),
                     [](const ParameterBinding& one) {
                       switch (resolved_c_type(one.c_type, one.sql_type)) {
                         case SQL_C_CHAR:
                         case SQL_C_WCHAR:
                         case SQL_C_BINARY:
                         case SQL_C_BIT:
                         case SQL_C_DOUBLE:
                         case SQL_C_FLOAT:
                         case SQL_C_SLONG:
                         case SQL_C_LONG:
                         case SQL_C_ULONG:
                         case SQL_C_SSHORT:
                         case SQL_C_SHORT:
                         case SQL_C_USHORT:
                         case SQL_C_STINYINT:
                         case SQL_C_TINYINT:
                         case SQL_C_UTINYINT:
                         case SQL_C_SBIGINT:
                         case SQL_C_UBIGINT:
                           return false;
                         default:
                           return true;
                       }
                     });
}

std::vector<LateValue> BoundParameters::late_values() const {
  std::vector<LateValue> out;
  for (std::size_t set = 0; set < sets_; ++set) {
    if (skipped(set)) continue;
    for (std::uint32_t i = 0; i < count_; ++i) {
      if (bindings_[i].io_type == SQL_PARAM_OUTPUT) continue;
      const BoundValue bound = value(set, i);
      if (!comes_later(bound.indicator)) continue;
      LateValue late;
      late.set = set;
      late.parameter = i;
      late.c_type = bound.c_type;
      out.push_back(std::move(late));
    }
  }
  return out;
}

void BoundParameters::append(std::size_t set, const std::vector<LateValue>& late,
                             EntryWriter& entries) const {
  for (std::uint32_t i = 0; i < count_; ++i) {
    const ParameterBinding& binding = bindings_[i];
    Parameter out;
    out.io_type = binding.io_type;
    out.c_type = resolved_c_type(binding.c_type, binding.sql_type);
    out.sql_type = binding.sql_type;
    out.digits = binding.digits;
    out.column_size = binding.column_size;
    out.indicator = SQL_NULL_DATA;
    const auto piecemeal = std::find_if(late.begin(), late.end(), [&](const LateValue& one) {
      return one.set == set && one.parameter == i;
    });
    if (piecemeal != late.end()) {
      out.indicator = piecemeal->indicator;
      out.bytes = piecemeal->bytes;
      out.pieces = piecemeal->pieces;
    } else if (binding.io_type != SQL_PARAM_OUTPUT) {
      const BoundValue bound = value(set, i);
      out.indicator = bound.indicator;
      if (!has_no_value(bound.indicator)) {
        out.indicator = bound.value == nullptr ? 0 : value_bytes(bound);
        out.bytes = {static_cast<const char*>(bound.value),
                     static_cast<std::size_t>(out.indicator)};
      }
    }
    entries.add_parameter(out);
  }
}

void LateValue::add(const void* data, SQLLEN length, EntryWriter* entries) {
  if (has_no_value(length)) {
    indicator = length;
    return;
  }
  const BoundValue piece{c_type, length, data};
  const SQLLEN size = data == nullptr ? 0 : value_bytes(piece);
  if (size < 0 || lost) {
    lost = true;
    return;
  }
  indicator = std::max<SQLLEN>(indicator, 0) + size;
  const std::string_view more(static_cast<const char*>(data), static_cast<std::size_t>(size));
  if (!pieces && bytes.size() + more.size() <= kLateBytesHeld) {
    bytes.append(more);
    return;
  }
  lost = entries == nullptr || static_cast<std::uint64_t>(indicator) > kValueBytesMax;
  if (lost) return;
  if (!pieces) {
    pieces = entries->new_value();
    entries->add_pieces(*pieces, std::exchange(bytes, {}));
  }
  entries->add_pieces(*pieces, more);
}

}  // namespace understudy::capture
