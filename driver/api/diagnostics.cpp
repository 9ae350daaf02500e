// Diagnostics: our own first; otherwise the real driver's, of the real handle that was used last.
// Nothing here clears anything.

#include <cstring>

#include "driver/api/wide_output.h"
#include "driver/capture/intercept.h"

using namespace understudy;

namespace {

constexpr SQLINTEGER kUnknownPosition = SQL_ROW_NUMBER_UNKNOWN;

constexpr std::size_t kCollectedMax = 64;

/// The real handle whose diagnostics the application's handle shows.
struct Source {
  Handle* handle = nullptr;
  const real::Library* library = nullptr;  // null: nothing real stands behind the handle
  SQLHANDLE real = SQL_NULL_HANDLE;
};

Source source_of(SQLSMALLINT type, SQLHANDLE handle) {
  if (type == SQL_HANDLE_ENV) return {api::as<Environment>(handle), nullptr, SQL_NULL_HANDLE};
  if (type == SQL_HANDLE_DBC) {
    auto* dbc = api::as<Connection>(handle);
    if (dbc == nullptr) return {};
    return {dbc, dbc->library, dbc->real};
  }
  if (type == SQL_HANDLE_STMT) {
    auto* stmt = api::as<Statement>(handle);
    if (stmt == nullptr) return {};
    return {stmt, stmt->library, stmt->told_by_real ? stmt->real : api::current(*stmt)};
  }
  auto* desc = type == SQL_HANDLE_DESC ? api::as<Descriptor>(handle) : nullptr;
  if (desc == nullptr) return {};
  return {desc, &api::library_of(*desc), desc->real};
}

// Whether a driver manager would ask this real driver by SQLError. Until a connection is up it asks
// so first, but while browsing.
bool by_error(const Source& from) {
  if (from.library == nullptr || from.library->fn.Error == nullptr) return false;
  const real::Entries& fn = from.library->fn;
  if (from.handle->kind() != HandleKind::connection) {
    return real::tells_by_error_only(*from.library);
  }
  const auto& dbc = static_cast<const Connection&>(*from.handle);
  if (dbc.connected) return real::tells_by_error_only(*from.library);
  if (dbc.browsed) return fn.GetDiagRec == nullptr || fn.GetDiagField == nullptr;
  return !from.library->unicode;
}

// SQLError tells each diagnostic once; the driver manager asks twice.
void collect(SQLSMALLINT type, const Source& from) {
  if (type == SQL_HANDLE_DESC) return;
  const bool statement = type == SQL_HANDLE_STMT;
  SQLHDBC dbc = statement ? SQL_NULL_HDBC : from.real;
  SQLHSTMT stmt = statement ? from.real : SQL_NULL_HSTMT;
  for (std::size_t i = 0; i < kCollectedMax; ++i) {
    SQLCHAR state[SQL_SQLSTATE_SIZE + 1] = {};
    SQLCHAR text[SQL_MAX_MESSAGE_LENGTH] = {};
    Diagnostic found;
    SQLSMALLINT length = 0;
    const SQLRETURN ret = from.library->fn.Error(SQL_NULL_HENV, dbc, stmt, state, &found.native,
                                                 text, sizeof(text), &length);
    if (!SQL_SUCCEEDED(ret)) return;
    std::memcpy(found.sqlstate, state, SQL_SQLSTATE_SIZE);
    text[sizeof(text) - 1] = 0;
    found.message = reinterpret_cast<const char*>(text);
    from.handle->diagnostics.push_back(std::move(found));
  }
}

// `own` answers from our diagnostics, `real` asks the real driver.
template <class Own, class Real>
SQLRETURN answer(SQLSMALLINT type, SQLHANDLE handle, Own own, Real real) noexcept {
  const Source from = source_of(type, handle);
  if (from.handle == nullptr) return SQL_INVALID_HANDLE;
  try {
    if (!from.handle->diagnostics.empty()) return own(*from.handle);
    if (from.library == nullptr || from.real == SQL_NULL_HANDLE) return SQL_NO_DATA;
    if (!by_error(from)) return real(from.library->fn, from.real);
    collect(type, from);
    return own(*from.handle);
  } catch (...) {
    return SQL_ERROR;
  }
}

const Diagnostic* find(const Handle& handle, SQLSMALLINT record) {
  const auto index = static_cast<std::size_t>(record - 1);
  return record > 0 && index < handle.diagnostics.size() ? &handle.diagnostics[index] : nullptr;
}

// `capacity` in bytes; copied as a plain entry does.
SQLRETURN copy_narrow(std::string_view text, SQLCHAR* out, SQLLEN capacity, SQLSMALLINT* length) {
  if (length != nullptr) *length = static_cast<SQLSMALLINT>(text.size());
  if (out == nullptr || capacity <= 0) return text.empty() ? SQL_SUCCESS : SQL_SUCCESS_WITH_INFO;
  const std::size_t bytes = std::min(text.size(), static_cast<std::size_t>(capacity) - 1);
  std::memcpy(out, text.data(), bytes);
  out[bytes] = 0;
  return bytes < text.size() ? SQL_SUCCESS_WITH_INFO : SQL_SUCCESS;
}

bool is_string_field(SQLSMALLINT field) {
  switch (field) {
    case SQL_DIAG_CLASS_ORIGIN:
    case SQL_DIAG_CONNECTION_NAME:
    case SQL_DIAG_DYNAMIC_FUNCTION:
    case SQL_DIAG_MESSAGE_TEXT:
    case SQL_DIAG_SERVER_NAME:
    case SQL_DIAG_SQLSTATE:
    case SQL_DIAG_SUBCLASS_ORIGIN:
      return true;
    default:
      return false;
  }
}

std::string_view own_text(const Diagnostic& diagnostic, SQLSMALLINT field) {
  const std::string_view state = diagnostic.sqlstate;
  const bool of_odbc = state.starts_with("IM");
  switch (field) {
    case SQL_DIAG_SQLSTATE:
      return state;
    case SQL_DIAG_MESSAGE_TEXT:
      return diagnostic.message;
    case SQL_DIAG_CLASS_ORIGIN:
      if (diagnostic.of_real) return diagnostic.class_origin;
      return of_odbc ? "ODBC 3.0" : "ISO 9075";
    case SQL_DIAG_SUBCLASS_ORIGIN:
      if (diagnostic.of_real) return diagnostic.subclass_origin;
      return of_odbc || state.starts_with("HY") ? "ODBC 3.0" : "ISO 9075";
    case SQL_DIAG_CONNECTION_NAME:
      return diagnostic.connection_name;
    case SQL_DIAG_SERVER_NAME:
      return diagnostic.server_name;
    default:
      return "";
  }
}

template <class Number>
SQLRETURN number(SQLPOINTER out, Number value) {
  if (out != nullptr) *static_cast<Number*>(out) = value;
  return SQL_SUCCESS;
}

SQLRETURN own_header(const Handle& handle, SQLSMALLINT field, SQLPOINTER out) {
  switch (field) {
    case SQL_DIAG_NUMBER:
      return number(out, static_cast<SQLINTEGER>(handle.diagnostics.size()));
    case SQL_DIAG_RETURNCODE:
      return number(out, SQLRETURN{SQL_ERROR});
    case SQL_DIAG_ROW_COUNT:
    case SQL_DIAG_CURSOR_ROW_COUNT:
      return number(out, SQLLEN{0});
    case SQL_DIAG_DYNAMIC_FUNCTION_CODE:
      return number(out, SQLINTEGER{SQL_DIAG_UNKNOWN_STATEMENT});
    default:
      return SQL_ERROR;
  }
}

SQLRETURN own_number(const Diagnostic& diagnostic, SQLSMALLINT field, SQLPOINTER out) {
  switch (field) {
    case SQL_DIAG_NATIVE:
      return number(out, diagnostic.native);
    case SQL_DIAG_ROW_NUMBER:
      return number(out, diagnostic.row);
    case SQL_DIAG_COLUMN_NUMBER:
      return number(out, diagnostic.column);
    default:
      return SQL_ERROR;
  }
}

// `copy` puts a text into the application's buffer.
template <class Copy>
SQLRETURN own_field(const Handle& handle, SQLSMALLINT record, SQLSMALLINT field, SQLPOINTER out,
                    Copy copy) {
  if (record == 0 && field == SQL_DIAG_DYNAMIC_FUNCTION) return copy(std::string_view());
  if (record == 0 || !is_string_field(field)) {
    if (record == 0) return own_header(handle, field, out);
    const Diagnostic* diagnostic = find(handle, record);
    return diagnostic == nullptr ? SQLRETURN{SQL_NO_DATA} : own_number(*diagnostic, field, out);
  }
  const Diagnostic* diagnostic = find(handle, record);
  return diagnostic == nullptr ? SQLRETURN{SQL_NO_DATA} : copy(own_text(*diagnostic, field));
}

SQLRETURN wide_record(const real::Entries& fn, SQLSMALLINT type, SQLHANDLE real, SQLSMALLINT record,
                      SQLWCHAR* state, SQLINTEGER* native,
                      const api::WideOutput<SQLSMALLINT>& out) {
  if (fn.GetDiagRec == nullptr) return SQL_NO_DATA;
  SQLCHAR narrow_state[6] = {};
  const SQLRETURN ret =
      api::text_output(nullptr, out, [&](SQLCHAR* to, SQLSMALLINT bytes, SQLSMALLINT* got) {
        return fn.GetDiagRec(type, real, record, narrow_state, native, to, bytes, got);
      });
  if (SQL_SUCCEEDED(ret) && state != nullptr) {
    for (std::size_t i = 0; i < sizeof(narrow_state); ++i) state[i] = narrow_state[i];
    state[SQL_SQLSTATE_SIZE] = 0;
  }
  return ret;
}

SQLRETURN wide_field(const real::Entries& fn, SQLSMALLINT type, SQLHANDLE real, SQLSMALLINT record,
                     SQLSMALLINT field, SQLPOINTER value, SQLSMALLINT capacity,
                     SQLSMALLINT* length) {
  if (fn.GetDiagField == nullptr) return SQL_NO_DATA;
  if (!is_string_field(field)) {
    return fn.GetDiagField(type, real, record, field, value, capacity, length);
  }
  const api::WideOutput<SQLSMALLINT> out{static_cast<SQLWCHAR*>(value),
                                         capacity / SQLLEN{sizeof(SQLWCHAR)}, length, true};
  return api::text_output(nullptr, out, [&](SQLCHAR* to, SQLSMALLINT bytes, SQLSMALLINT* got) {
    return fn.GetDiagField(type, real, record, field, to, bytes, got);
  });
}

// What SQLError tells of a record.
bool is_told_by_error(SQLSMALLINT field) {
  return field == SQL_DIAG_SQLSTATE || field == SQL_DIAG_NATIVE || field == SQL_DIAG_MESSAGE_TEXT;
}

// Records of a driver that is asked by SQLError have no further fields, only places that are 0: so
// the driver manager answers when it asks such a driver itself. The header is the driver's own.
bool has_no_such_field(const Source& from, SQLSMALLINT record, SQLSMALLINT field) {
  return record > 0 && !is_told_by_error(field) && by_error(from);
}

SQLRETURN place_only(SQLSMALLINT field, SQLPOINTER value) {
  if (field == SQL_DIAG_ROW_NUMBER) return number(value, SQLLEN{0});
  if (field == SQL_DIAG_COLUMN_NUMBER) return number(value, SQLINTEGER{0});
  return SQL_ERROR;
}

// Counts of an execution whose result the application does not see.
bool counted_by_capture(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT record, SQLSMALLINT field,
                        SQLPOINTER value) {
  if (type != SQL_HANDLE_STMT || record != 0 || value == nullptr) return false;
  const auto* stmt = api::as<Statement>(handle);
  return stmt != nullptr && capture::answer_header(*stmt, field, static_cast<SQLLEN*>(value));
}

// What we took over from the real driver has no header of ours but its count.
bool all_of_real(const Source& from, SQLSMALLINT field) {
  return field != SQL_DIAG_NUMBER && from.handle != nullptr && !from.handle->diagnostics.empty() &&
         from.handle->diagnostics.front().of_real;
}

bool asks_real_header(const Source& from, SQLSMALLINT record, SQLSMALLINT field) {
  return record == 0 && from.library != nullptr && from.real != SQL_NULL_HANDLE &&
         (by_error(from) || all_of_real(from, field));
}

}  // namespace

UNDERSTUDY_ENTRY_POINT SQLGetDiagRec(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT record,
                                     SQLCHAR* state, SQLINTEGER* native, SQLCHAR* text,
                                     SQLSMALLINT capacity, SQLSMALLINT* length) {
  return answer(
      type, handle,
      [&](const Handle& own) -> SQLRETURN {
        const Diagnostic* diagnostic = find(own, record);
        if (diagnostic == nullptr) return record > 0 ? SQL_NO_DATA : SQL_ERROR;
        if (state != nullptr) std::memcpy(state, diagnostic->sqlstate, SQL_SQLSTATE_SIZE + 1);
        if (native != nullptr) *native = diagnostic->native;
        return copy_narrow(diagnostic->message, text, capacity, length);
      },
      [&](const real::Entries& fn, SQLHANDLE real) -> SQLRETURN {
        if (fn.GetDiagRec == nullptr) return SQL_NO_DATA;
        return fn.GetDiagRec(type, real, record, state, native, text, capacity, length);
      });
}

UNDERSTUDY_ENTRY_POINT SQLGetDiagRecW(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT record,
                                      SQLWCHAR* state, SQLINTEGER* native, SQLWCHAR* text,
                                      SQLSMALLINT capacity, SQLSMALLINT* length) {
  const api::WideOutput<SQLSMALLINT> out{text, capacity, length};
  return answer(
      type, handle,
      [&](const Handle& own) -> SQLRETURN {
        const Diagnostic* diagnostic = find(own, record);
        if (diagnostic == nullptr) return record > 0 ? SQL_NO_DATA : SQL_ERROR;
        if (state != nullptr) real::copy_wide(real::to_utf16(diagnostic->sqlstate), state, 6);
        if (native != nullptr) *native = diagnostic->native;
        return api::write_text(nullptr, SQL_SUCCESS, diagnostic->message, out);
      },
      [&](const real::Entries& fn, SQLHANDLE real) -> SQLRETURN {
        if (fn.GetDiagRecW == nullptr)
          return wide_record(fn, type, real, record, state, native, out);
        return fn.GetDiagRecW(type, real, record, state, native, text, capacity, length);
      });
}

UNDERSTUDY_ENTRY_POINT SQLGetDiagField(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT record,
                                       SQLSMALLINT field, SQLPOINTER value, SQLSMALLINT capacity,
                                       SQLSMALLINT* length) {
  if (counted_by_capture(type, handle, record, field, value)) return SQL_SUCCESS;
  const Source from = source_of(type, handle);
  if (has_no_such_field(from, record, field)) return place_only(field, value);
  if (asks_real_header(from, record, field)) {
    if (from.library->fn.GetDiagField == nullptr) return SQL_NO_DATA;
    return from.library->fn.GetDiagField(type, from.real, record, field, value, capacity, length);
  }
  return answer(
      type, handle,
      [&](const Handle& own) {
        return own_field(own, record, field, value, [&](std::string_view text) {
          return copy_narrow(text, static_cast<SQLCHAR*>(value), capacity, length);
        });
      },
      [&](const real::Entries& fn, SQLHANDLE real) -> SQLRETURN {
        if (fn.GetDiagField == nullptr) return SQL_NO_DATA;
        return fn.GetDiagField(type, real, record, field, value, capacity, length);
      });
}

UNDERSTUDY_ENTRY_POINT SQLGetDiagFieldW(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT record,
                                        SQLSMALLINT field, SQLPOINTER value, SQLSMALLINT capacity,
                                        SQLSMALLINT* length) {
  if (counted_by_capture(type, handle, record, field, value)) return SQL_SUCCESS;
  const Source from = source_of(type, handle);
  if (has_no_such_field(from, record, field)) return place_only(field, value);
  if (asks_real_header(from, record, field)) {
    return wide_field(from.library->fn, type, from.real, record, field, value, capacity, length);
  }
  return answer(
      type, handle,
      [&](const Handle& own) {
        return own_field(own, record, field, value, [&](std::string_view text) {
          const api::WideOutput<SQLSMALLINT> out{static_cast<SQLWCHAR*>(value),
                                                 capacity / SQLLEN{sizeof(SQLWCHAR)}, length, true};
          return api::write_text(nullptr, SQL_SUCCESS, std::string(text), out);
        });
      },
      [&](const real::Entries& fn, SQLHANDLE real) -> SQLRETURN {
        if (fn.GetDiagFieldW == nullptr) {
          return wide_field(fn, type, real, record, field, value, capacity, length);
        }
        return fn.GetDiagFieldW(type, real, record, field, value, capacity, length);
      });
}
