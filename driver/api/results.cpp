// Results: always of the real statement that ran last. No lock, no allocation, no look-up.

#include "driver/api/wide_output.h"
#include "driver/capture/intercept.h"

using namespace understudy;

namespace {

SQLRETURN no_cursor(Statement& stmt) {
  return stmt.fail("24000", "invalid cursor state");
}

// SQLGetFunctions has one number for SQLColAttribute and SQLColAttributes, so the driver manager
// calls the latter even where the real driver has only the former. The three fields that were
// renumbered:
SQLUSMALLINT odbc3_field(SQLUSMALLINT field) {
  switch (field) {
    case SQL_COLUMN_COUNT:
      return SQL_DESC_COUNT;
    case SQL_COLUMN_NAME:
      return SQL_DESC_NAME;
    case SQL_COLUMN_NULLABLE:
      return SQL_DESC_NULLABLE;
    default:
      return field;
  }
}

// A statement without result is asked about where the application prepared it.
SQLHSTMT described(Statement& stmt) {
  if (!capture::without_result(stmt)) [[likely]]
    return api::current(stmt);
  return stmt.real;
}

bool asks_for_count(Statement& stmt, SQLUSMALLINT column, SQLUSMALLINT field, SQLLEN* number) {
  // psqlodbc takes the count of ODBC 2 for a field of the column, which is not there.
  const bool count = field == SQL_DESC_COUNT || (field == SQL_COLUMN_COUNT && column == 0);
  if (!count || !capture::without_result(stmt) || !capture::counts_no_columns(stmt)) return false;
  if (number != nullptr) *number = 0;
  return true;
}

// The number of columns is a field of every column.
SQLRETURN counted(Statement& stmt, SQLUSMALLINT field, SQLLEN* number, SQLRETURN ret) {
  const bool count = field == SQL_DESC_COUNT || field == SQL_COLUMN_COUNT;
  if (count && SQL_SUCCEEDED(ret) && number != nullptr) *number -= capture::clipped_columns(stmt);
  return capture::told_by_application_statement(stmt, ret);
}

}  // namespace

UNDERSTUDY_ENTRY_POINT SQLFetch(SQLHSTMT handle) {
  return api::on<Statement>(handle, [](Statement& stmt) -> SQLRETURN {
    if (capture::without_result(stmt)) [[unlikely]]
      return capture::fetch_without_result(stmt, SQL_FETCH_NEXT);
    const auto fetch = [&]() -> SQLRETURN {
      return api::forward(stmt, api::entries(stmt).Fetch, api::current(stmt));
    };
    if (capture::keeps_rows(stmt)) [[unlikely]]
      return capture::fetched(stmt, nullptr, fetch);
    return fetch();
  });
}

UNDERSTUDY_ENTRY_POINT SQLFetchScroll(SQLHSTMT handle, SQLSMALLINT orientation, SQLLEN offset) {
  return api::on<Statement>(handle, [&](Statement& stmt) {
    if (capture::without_result(stmt)) [[unlikely]]
      return capture::fetch_without_result(stmt, orientation);
    const auto fetch = [&]() -> SQLRETURN {
      return api::forward(stmt, api::entries(stmt).FetchScroll, api::current(stmt), orientation,
                          offset);
    };
    if (capture::keeps_rows(stmt)) [[unlikely]]
      return capture::fetched(stmt, nullptr, fetch);
    return fetch();
  });
}

UNDERSTUDY_ENTRY_POINT SQLExtendedFetch(SQLHSTMT handle, SQLUSMALLINT orientation, SQLLEN offset,
                                        SQLULEN* rows, SQLUSMALLINT* status) {
  return api::on<Statement>(handle, [&](Statement& stmt) {
    if (capture::without_result(stmt)) [[unlikely]]
      return capture::fetch_without_result(stmt, static_cast<SQLSMALLINT>(orientation));
    const auto fetch = [&]() -> SQLRETURN {
      return api::forward(stmt, api::entries(stmt).ExtendedFetch, api::current(stmt), orientation,
                          offset, rows, status);
    };
    if (capture::keeps_rows(stmt)) [[unlikely]]
      return capture::fetched(stmt, rows, fetch);
    return fetch();
  });
}

UNDERSTUDY_ENTRY_POINT SQLGetData(SQLHSTMT handle, SQLUSMALLINT column, SQLSMALLINT c_type,
                                  SQLPOINTER value, SQLLEN capacity, SQLLEN* indicator) {
  return api::on<Statement>(handle, [&](Statement& stmt) {
    if (capture::without_result(stmt)) [[unlikely]]
      return no_cursor(stmt);
    return api::forward(stmt, api::entries(stmt).GetData, api::current(stmt),
                        capture::shown_column(stmt, column), c_type, value, capacity, indicator);
  });
}

UNDERSTUDY_ENTRY_POINT SQLRowCount(SQLHSTMT handle, SQLLEN* count) {
  return api::on<Statement>(handle,
                            [&](Statement& stmt) { return capture::row_count(stmt, count); });
}

UNDERSTUDY_ENTRY_POINT SQLNumResultCols(SQLHSTMT handle, SQLSMALLINT* count) {
  return api::on<Statement>(handle,
                            [&](Statement& stmt) { return capture::num_result_cols(stmt, count); });
}

UNDERSTUDY_ENTRY_POINT SQLMoreResults(SQLHSTMT handle) {
  return api::on<Statement>(handle, [](Statement& stmt) { return capture::more_results(stmt); });
}

UNDERSTUDY_ENTRY_POINT SQLCloseCursor(SQLHSTMT handle) {
  return api::on<Statement>(handle, [](Statement& stmt) { return capture::close_cursor(stmt); });
}

UNDERSTUDY_ENTRY_POINT SQLDescribeCol(SQLHSTMT handle, SQLUSMALLINT column, SQLCHAR* name,
                                      SQLSMALLINT capacity, SQLSMALLINT* length, SQLSMALLINT* type,
                                      SQLULEN* size, SQLSMALLINT* digits, SQLSMALLINT* nullable) {
  return api::on<Statement>(handle, [&](Statement& stmt) {
    return capture::told_by_application_statement(
        stmt, api::forward(stmt, api::entries(stmt).DescribeCol, described(stmt),
                           capture::shown_column(stmt, column), name, capacity, length, type, size,
                           digits, nullable));
  });
}

UNDERSTUDY_ENTRY_POINT SQLDescribeColW(SQLHSTMT handle, SQLUSMALLINT column, SQLWCHAR* name,
                                       SQLSMALLINT capacity, SQLSMALLINT* length, SQLSMALLINT* type,
                                       SQLULEN* size, SQLSMALLINT* digits, SQLSMALLINT* nullable) {
  return api::on<Statement>(handle, [&](Statement& stmt) -> SQLRETURN {
    const real::Entries& fn = api::entries(stmt);
    const SQLHSTMT at = described(stmt);
    if (fn.DescribeColW != nullptr) {
      return capture::told_by_application_statement(
          stmt, fn.DescribeColW(at, capture::shown_column(stmt, column), name, capacity, length,
                                type, size, digits, nullable));
    }
    const api::WideOutput<SQLSMALLINT> out{name, capacity, length};
    return api::text_output(&stmt, out, [&](SQLCHAR* to, SQLSMALLINT bytes, SQLSMALLINT* got) {
      return api::forward(stmt, fn.DescribeCol, at, capture::shown_column(stmt, column), to, bytes,
                          got, type, size, digits, nullable);
    });
  });
}

UNDERSTUDY_ENTRY_POINT SQLColAttribute(SQLHSTMT handle, SQLUSMALLINT column, SQLUSMALLINT field,
                                       SQLPOINTER text, SQLSMALLINT capacity, SQLSMALLINT* length,
                                       SQLLEN* number) {
  return api::on<Statement>(handle, [&](Statement& stmt) -> SQLRETURN {
    if (asks_for_count(stmt, column, field, number)) [[unlikely]]
      return SQL_SUCCESS;
    return counted(
        stmt, field, number,
        api::forward(stmt, api::entries(stmt).ColAttribute, described(stmt),
                     capture::shown_column(stmt, column), field, text, capacity, length, number));
  });
}

UNDERSTUDY_ENTRY_POINT SQLColAttributeW(SQLHSTMT handle, SQLUSMALLINT column, SQLUSMALLINT field,
                                        SQLPOINTER text, SQLSMALLINT capacity, SQLSMALLINT* length,
                                        SQLLEN* number) {
  return api::on<Statement>(handle, [&](Statement& stmt) -> SQLRETURN {
    if (asks_for_count(stmt, column, field, number)) [[unlikely]]
      return SQL_SUCCESS;
    const real::Entries& fn = api::entries(stmt);
    const SQLHSTMT at = described(stmt);
    if (fn.ColAttributeW != nullptr) {
      return counted(stmt, field, number,
                     fn.ColAttributeW(at, capture::shown_column(stmt, column), field, text,
                                      capacity, length, number));
    }
    if (!api::is_text_field(field)) {
      return counted(stmt, field, number,
                     api::forward(stmt, fn.ColAttribute, at, capture::shown_column(stmt, column),
                                  field, text, capacity, length, number));
    }
    const api::WideOutput<SQLSMALLINT> out{static_cast<SQLWCHAR*>(text),
                                           capacity / SQLLEN{sizeof(SQLWCHAR)}, length, true};
    return api::text_output(&stmt, out, [&](SQLCHAR* to, SQLSMALLINT bytes, SQLSMALLINT* got) {
      return counted(stmt, field, number,
                     api::forward(stmt, fn.ColAttribute, at, capture::shown_column(stmt, column),
                                  field, SQLPOINTER{to}, bytes, got, number));
    });
  });
}

UNDERSTUDY_ENTRY_POINT SQLColAttributes(SQLHSTMT handle, SQLUSMALLINT column, SQLUSMALLINT field,
                                        SQLPOINTER text, SQLSMALLINT capacity, SQLSMALLINT* length,
                                        SQLLEN* number) {
  return api::on<Statement>(handle, [&](Statement& stmt) -> SQLRETURN {
    if (asks_for_count(stmt, column, field, number)) [[unlikely]]
      return SQL_SUCCESS;
    const real::Entries& fn = api::entries(stmt);
    if (fn.ColAttributes != nullptr) {
      return counted(stmt, field, number,
                     fn.ColAttributes(described(stmt), capture::shown_column(stmt, column), field,
                                      text, capacity, length, number));
    }
    return counted(
        stmt, field, number,
        api::forward(stmt, fn.ColAttribute, described(stmt), capture::shown_column(stmt, column),
                     odbc3_field(field), text, capacity, length, number));
  });
}
