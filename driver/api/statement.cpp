// Bindings, parameters and cursor names of a statement.

#include "driver/api/wide_output.h"
#include "driver/capture/intercept.h"

using namespace understudy;

namespace {

void keep_parameter(Statement& stmt, SQLUSMALLINT number, const ParameterBinding& binding) {
  if (number == 0) return;
  if (stmt.parameters.size() < number) stmt.parameters.resize(number);
  stmt.parameters[number - 1] = binding;
  if (stmt.app_param == nullptr) return;
  std::vector<ParameterBinding>& shared = stmt.app_param->parameters;
  if (shared.size() < number) shared.resize(number);
  shared[number - 1] = binding;
}

void keep_column(Statement& stmt, SQLUSMALLINT number, const ColumnBinding& binding) {
  if (binding.value == nullptr && binding.indicator == nullptr) {
    stmt.columns.erase(number);
  } else {
    stmt.columns[number] = binding;
  }
}

// SQLSetParam and SQLBindParam are SQLBindParameter with fewer arguments; where the real driver has
// only the latter the driver manager's own mapping is used: input (and output for SQLSetParam), and
// no limit on the buffer.
template <class Entry>
SQLRETURN bind_short(Statement& stmt, Entry entry, SQLUSMALLINT number, ParameterBinding binding) {
  auto* full = api::entries(stmt).BindParameter;
  SQLRETURN ret = SQL_ERROR;
  if (entry != nullptr) {
    ret = entry(stmt.real, number, binding.c_type, binding.sql_type, binding.column_size,
                binding.digits, binding.value, binding.indicator);
  } else {
    ret = api::forward(stmt, full, stmt.real, number, binding.io_type, binding.c_type,
                       binding.sql_type, binding.column_size, binding.digits, binding.value,
                       binding.buffer_length, binding.indicator);
  }
  if (SQL_SUCCEEDED(ret)) keep_parameter(stmt, number, binding);
  return api::told(stmt, ret);
}

}  // namespace

UNDERSTUDY_ENTRY_POINT SQLBindParameter(SQLHSTMT handle, SQLUSMALLINT number, SQLSMALLINT io_type,
                                        SQLSMALLINT c_type, SQLSMALLINT sql_type,
                                        SQLULEN column_size, SQLSMALLINT digits, SQLPOINTER value,
                                        SQLLEN buffer_length, SQLLEN* indicator) {
  return api::on<Statement>(handle, [&](Statement& stmt) {
    const SQLRETURN ret =
        api::forward(stmt, api::entries(stmt).BindParameter, stmt.real, number, io_type, c_type,
                     sql_type, column_size, digits, value, buffer_length, indicator);
    if (SQL_SUCCEEDED(ret)) {
      keep_parameter(
          stmt, number,
          {true, io_type, c_type, sql_type, column_size, digits, value, buffer_length, indicator});
    }
    return api::told(stmt, ret);
  });
}

UNDERSTUDY_ENTRY_POINT SQLBindParam(SQLHSTMT handle, SQLUSMALLINT number, SQLSMALLINT c_type,
                                    SQLSMALLINT sql_type, SQLULEN column_size, SQLSMALLINT digits,
                                    SQLPOINTER value, SQLLEN* indicator) {
  return api::on<Statement>(handle, [&](Statement& stmt) {
    return bind_short(
        stmt, api::entries(stmt).BindParam, number,
        {true, SQL_PARAM_INPUT, c_type, sql_type, column_size, digits, value, 0, indicator});
  });
}

UNDERSTUDY_ENTRY_POINT SQLSetParam(SQLHSTMT handle, SQLUSMALLINT number, SQLSMALLINT c_type,
                                   SQLSMALLINT sql_type, SQLULEN column_size, SQLSMALLINT digits,
                                   SQLPOINTER value, SQLLEN* indicator) {
  return api::on<Statement>(handle, [&](Statement& stmt) {
    return bind_short(stmt, api::entries(stmt).SetParam, number,
                      {true, SQL_PARAM_INPUT_OUTPUT, c_type, sql_type, column_size, digits, value,
                       SQL_SETPARAM_VALUE_MAX, indicator});
  });
}

UNDERSTUDY_ENTRY_POINT SQLBindCol(SQLHSTMT handle, SQLUSMALLINT number, SQLSMALLINT c_type,
                                  SQLPOINTER value, SQLLEN buffer_length, SQLLEN* indicator) {
  return api::on<Statement>(handle, [&](Statement& stmt) {
    auto* bind = api::entries(stmt).BindCol;
    const SQLUSMALLINT shown = capture::shown_column(stmt, number);
    const SQLRETURN ret =
        api::forward(stmt, bind, stmt.real, shown, c_type, value, buffer_length, indicator);
    if (SQLHSTMT clone = capture::clone(stmt); clone != SQL_NULL_HSTMT && SQL_SUCCEEDED(ret)) {
      bind(clone, shown, c_type, value, buffer_length, indicator);
    }
    if (SQL_SUCCEEDED(ret)) keep_column(stmt, number, {c_type, value, buffer_length, indicator});
    return api::told(stmt, ret);
  });
}

UNDERSTUDY_ENTRY_POINT SQLNumParams(SQLHSTMT handle, SQLSMALLINT* count) {
  return api::on<Statement>(handle, [&](Statement& stmt) {
    return api::forward(stmt, api::entries(stmt).NumParams, capture::parameters_of(stmt), count);
  });
}

UNDERSTUDY_ENTRY_POINT SQLDescribeParam(SQLHSTMT handle, SQLUSMALLINT number, SQLSMALLINT* type,
                                        SQLULEN* size, SQLSMALLINT* digits, SQLSMALLINT* nullable) {
  return api::on<Statement>(handle, [&](Statement& stmt) {
    return api::forward(stmt, api::entries(stmt).DescribeParam, capture::parameters_of(stmt),
                        number, type, size, digits, nullable);
  });
}

UNDERSTUDY_ENTRY_POINT SQLSetScrollOptions(SQLHSTMT handle, SQLUSMALLINT concurrency, SQLLEN keyset,
                                           SQLUSMALLINT rowset) {
  return api::on<Statement>(handle, [&](Statement& stmt) {
    return api::told(stmt, api::forward(stmt, api::entries(stmt).SetScrollOptions, stmt.real,
                                        concurrency, keyset, rowset));
  });
}

UNDERSTUDY_ENTRY_POINT SQLSetCursorName(SQLHSTMT handle, SQLCHAR* name, SQLSMALLINT length) {
  return api::on<Statement>(handle, [&](Statement& stmt) {
    const SQLRETURN ret =
        api::forward(stmt, api::entries(stmt).SetCursorName, stmt.real, name, length);
    if (SQL_SUCCEEDED(ret) && name != nullptr) {
      const auto* bytes = reinterpret_cast<const char*>(name);
      stmt.cursor_name =
          length < 0 ? std::string(bytes) : std::string(bytes, static_cast<std::size_t>(length));
    }
    return api::told(stmt, ret);
  });
}

UNDERSTUDY_ENTRY_POINT SQLSetCursorNameW(SQLHSTMT handle, SQLWCHAR* name, SQLSMALLINT length) {
  return api::on<Statement>(handle, [&](Statement& stmt) {
    const real::NarrowText text(name, length);
    if (!text.ok()) return api::refuse(stmt, text);
    const real::Entries& fn = api::entries(stmt);
    const SQLRETURN ret =
        fn.SetCursorNameW != nullptr
            ? fn.SetCursorNameW(stmt.real, name, length)
            : api::forward(stmt, fn.SetCursorName, stmt.real, text.data(), text.short_length());
    if (SQL_SUCCEEDED(ret)) stmt.cursor_name = text.text();
    return api::told(stmt, ret);
  });
}

UNDERSTUDY_ENTRY_POINT SQLGetCursorName(SQLHSTMT handle, SQLCHAR* name, SQLSMALLINT capacity,
                                        SQLSMALLINT* length) {
  return api::on<Statement>(handle, [&](Statement& stmt) {
    const SQLHSTMT at = capture::names_cursor(stmt);
    return capture::told_by(
        stmt, at, api::forward(stmt, api::entries(stmt).GetCursorName, at, name, capacity, length));
  });
}

UNDERSTUDY_ENTRY_POINT SQLGetCursorNameW(SQLHSTMT handle, SQLWCHAR* name, SQLSMALLINT capacity,
                                         SQLSMALLINT* length) {
  return api::on<Statement>(handle, [&](Statement& stmt) -> SQLRETURN {
    const real::Entries& fn = api::entries(stmt);
    const SQLHSTMT at = capture::names_cursor(stmt);
    if (fn.GetCursorNameW != nullptr) {
      return capture::told_by(stmt, at, fn.GetCursorNameW(at, name, capacity, length));
    }
    const api::WideOutput<SQLSMALLINT> out{name, capacity, length};
    return api::text_output(&stmt, out, [&](SQLCHAR* to, SQLSMALLINT bytes, SQLSMALLINT* got) {
      return api::forward(stmt, fn.GetCursorName, at, to, bytes, got);
    });
  });
}
