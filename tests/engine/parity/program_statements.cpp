// Program's calls on statements: execution, parameters, results.
#include <cstring>

#include "tests/engine/parity/program.h"
#include "tests/engine/parity/text.h"

namespace understudy::parity {
namespace {

std::string call(const char* name, std::initializer_list<SQLLEN> arguments) {
  std::string out = std::string(name) + "(";
  const char* between = "";
  for (const SQLLEN one : arguments) {
    out += between + std::to_string(one);
    between = ", ";
  }
  return out + ")";
}

std::string given(const void* place) {
  return place == nullptr ? "null" : "set";
}

}  // namespace

SQLHSTMT Program::stmt() {
  return stmt(dbc);
}

SQLHSTMT Program::stmt(SQLHDBC of) {
  SQLHSTMT made = SQL_NULL_HSTMT;
  const SQLRETURN ret = SQLAllocHandle(SQL_HANDLE_STMT, of, &made);
  if (ret != SQL_SUCCESS) done("AllocHandle(STMT)", SQL_HANDLE_DBC, of, ret);
  return made;
}

SQLRETURN Program::drop(SQLHSTMT h) {
  const SQLRETURN ret = SQLFreeHandle(SQL_HANDLE_STMT, h);
  if (ret != SQL_SUCCESS) done("FreeHandle(STMT)", SQL_HANDLE_STMT, h, ret);
  return ret;
}

SQLRETURN Program::free_stmt(SQLHSTMT h, SQLUSMALLINT option) {
  return done(call("FreeStmt", {option}), SQL_HANDLE_STMT, h, SQLFreeStmt(h, option));
}

SQLRETURN Program::close_cursor(SQLHSTMT h) {
  return done("CloseCursor", SQL_HANDLE_STMT, h, SQLCloseCursor(h));
}

SQLRETURN Program::exec(SQLHSTMT h, const std::string& sql) {
  In in(*this, sql.c_str());
  const SQLRETURN ret =
      style_.wide ? SQLExecDirectW(h, in.wide(), SQL_NTS) : SQLExecDirect(h, in.narrow(), SQL_NTS);
  return done("ExecDirect(" + in.shown() + ")", SQL_HANDLE_STMT, h, ret);
}

SQLRETURN Program::prepare(SQLHSTMT h, const std::string& sql) {
  In in(*this, sql.c_str());
  const SQLRETURN ret =
      style_.wide ? SQLPrepareW(h, in.wide(), SQL_NTS) : SQLPrepare(h, in.narrow(), SQL_NTS);
  return done("Prepare(" + in.shown() + ")", SQL_HANDLE_STMT, h, ret);
}

SQLRETURN Program::execute(SQLHSTMT h) {
  return done("Execute", SQL_HANDLE_STMT, h, SQLExecute(h));
}

SQLRETURN Program::cancel(SQLHSTMT h) {
  return done("Cancel", SQL_HANDLE_STMT, h, SQLCancel(h));
}

SQLRETURN Program::row_count(SQLHSTMT h) {
  SQLLEN rows = -7;
  const SQLRETURN ret = SQLRowCount(h, &rows);
  return done("RowCount", SQL_HANDLE_STMT, h, ret, std::to_string(rows));
}

SQLRETURN Program::more_results(SQLHSTMT h) {
  return done("MoreResults", SQL_HANDLE_STMT, h, SQLMoreResults(h));
}

SQLRETURN Program::num_result_cols(SQLHSTMT h, SQLSMALLINT* count) {
  SQLSMALLINT columns = -7;
  const SQLRETURN ret = SQLNumResultCols(h, &columns);
  if (count != nullptr) *count = columns;
  return done("NumResultCols", SQL_HANDLE_STMT, h, ret, std::to_string(columns));
}

SQLRETURN Program::describe_col(SQLHSTMT h, SQLUSMALLINT column, SQLSMALLINT capacity) {
  Out name(style_.wide, capacity);
  SQLSMALLINT length = -7;
  SQLSMALLINT type = -7;
  SQLULEN size = 7777;
  SQLSMALLINT digits = -7;
  SQLSMALLINT nullable = -7;
  const SQLRETURN ret = style_.wide ? SQLDescribeColW(h, column, name.wide(), capacity, &length,
                                                      &type, &size, &digits, &nullable)
                                    : SQLDescribeCol(h, column, name.narrow(), capacity, &length,
                                                     &type, &size, &digits, &nullable);
  return done(call("DescribeCol", {column}), SQL_HANDLE_STMT, h, ret,
              (ret == SQL_ERROR ? std::string() : name.text()) + " " + std::to_string(length) +
                  " type " + std::to_string(type) + " " + std::to_string(size) + " " +
                  std::to_string(digits) + " nullable " + std::to_string(nullable));
}

SQLRETURN Program::col_attribute(SQLHSTMT h, SQLUSMALLINT column, SQLUSMALLINT field, bool text) {
  constexpr SQLSMALLINT kCharacters = 200;
  Out out(style_.wide, kCharacters);
  SQLSMALLINT length = -7;
  SQLLEN number = -7;
  const SQLRETURN ret = style_.wide
                            ? SQLColAttributeW(h, column, field, text ? out.wide() : nullptr,
                                               text ? 2 * kCharacters : 0, &length, &number)
                            : SQLColAttribute(h, column, field, text ? out.narrow() : nullptr,
                                              text ? kCharacters : 0, &length, &number);
  return done(call("ColAttribute", {column, field}), SQL_HANDLE_STMT, h, ret,
              text ? std::to_string(length) + " " + out.text() : std::to_string(number));
}

SQLRETURN Program::set_stmt_attr(SQLHSTMT h, SQLINTEGER attribute, SQLULEN value) {
  auto* pointer = reinterpret_cast<SQLPOINTER>(value);
  const SQLRETURN ret = style_.wide ? SQLSetStmtAttrW(h, attribute, pointer, 0)
                                    : SQLSetStmtAttr(h, attribute, pointer, 0);
  return done(call("SetStmtAttr", {attribute, static_cast<SQLLEN>(value)}), SQL_HANDLE_STMT, h,
              ret);
}

SQLRETURN Program::set_stmt_pointer(SQLHSTMT h, SQLINTEGER attribute, SQLPOINTER value) {
  const SQLRETURN ret = style_.wide ? SQLSetStmtAttrW(h, attribute, value, SQL_IS_POINTER)
                                    : SQLSetStmtAttr(h, attribute, value, SQL_IS_POINTER);
  return done("SetStmtAttr(" + std::to_string(attribute) + ", " + given(value) + ")",
              SQL_HANDLE_STMT, h, ret);
}

SQLRETURN Program::get_stmt_attr(SQLHSTMT h, SQLINTEGER attribute) {
  SQLULEN value = 0x7777777777777777;
  SQLINTEGER length = -7;
  const SQLRETURN ret = style_.wide ? SQLGetStmtAttrW(h, attribute, &value, sizeof(value), &length)
                                    : SQLGetStmtAttr(h, attribute, &value, sizeof(value), &length);
  return done(call("GetStmtAttr", {attribute}), SQL_HANDLE_STMT, h, ret,
              "0x" + hex(&value, sizeof(value)) + " " + std::to_string(length));
}

SQLRETURN Program::set_cursor_name(SQLHSTMT h, const std::string& name) {
  In in(*this, name.c_str());
  const SQLRETURN ret = style_.wide ? SQLSetCursorNameW(h, in.wide(), SQL_NTS)
                                    : SQLSetCursorName(h, in.narrow(), SQL_NTS);
  return done("SetCursorName(" + in.shown() + ")", SQL_HANDLE_STMT, h, ret);
}

SQLRETURN Program::get_cursor_name(SQLHSTMT h, SQLSMALLINT capacity) {
  Out out(style_.wide, capacity);
  SQLSMALLINT length = -7;
  const SQLRETURN ret = style_.wide ? SQLGetCursorNameW(h, out.wide(), capacity, &length)
                                    : SQLGetCursorName(h, out.narrow(), capacity, &length);
  return done("GetCursorName", SQL_HANDLE_STMT, h, ret, std::to_string(length) + " " + out.text());
}

// --- parameters ---

SQLRETURN Program::bind_parameter(SQLHSTMT h, SQLUSMALLINT n, SQLSMALLINT io, SQLSMALLINT c_type,
                                  SQLSMALLINT sql_type, SQLULEN size, SQLSMALLINT digits,
                                  SQLPOINTER value, SQLLEN capacity, SQLLEN* indicator) {
  const SQLRETURN ret =
      SQLBindParameter(h, n, io, c_type, sql_type, size, digits, value, capacity, indicator);
  return done(
      call("BindParameter", {n, io, c_type, sql_type, static_cast<SQLLEN>(size), digits, capacity}),
      SQL_HANDLE_STMT, h, ret);
}

SQLRETURN Program::bind_int(SQLHSTMT h, SQLUSMALLINT n, SQLINTEGER* value, SQLLEN* indicator) {
  return bind_parameter(h, n, SQL_PARAM_INPUT, SQL_C_SLONG, SQL_INTEGER, 10, 0, value,
                        sizeof(SQLINTEGER), indicator);
}

SQLRETURN Program::bind_text(SQLHSTMT h, SQLUSMALLINT n, char* value, SQLLEN capacity,
                             SQLLEN* indicator) {
  return bind_parameter(h, n, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_VARCHAR, 100, 0, value, capacity,
                        indicator);
}

SQLRETURN Program::num_params(SQLHSTMT h) {
  SQLSMALLINT count = -7;
  const SQLRETURN ret = SQLNumParams(h, &count);
  return done("NumParams", SQL_HANDLE_STMT, h, ret, std::to_string(count));
}

SQLRETURN Program::describe_param(SQLHSTMT h, SQLUSMALLINT n) {
  SQLSMALLINT type = -7;
  SQLULEN size = 7777;
  SQLSMALLINT digits = -7;
  SQLSMALLINT nullable = -7;
  const SQLRETURN ret = SQLDescribeParam(h, n, &type, &size, &digits, &nullable);
  return done(call("DescribeParam", {n}), SQL_HANDLE_STMT, h, ret,
              "type " + std::to_string(type) + " " + std::to_string(size) + " " +
                  std::to_string(digits) + " nullable " + std::to_string(nullable));
}

SQLRETURN Program::param_data(SQLHSTMT h) {
  SQLPOINTER token = nullptr;
  const SQLRETURN ret = SQLParamData(h, &token);
  return done("ParamData", SQL_HANDLE_STMT, h, ret,
              ret == SQL_NEED_DATA
                  ? "token " + std::to_string(reinterpret_cast<std::intptr_t>(token))
                  : "");
}

SQLRETURN Program::put_data(SQLHSTMT h, const void* data, SQLLEN length) {
  return done(call("PutData", {length}), SQL_HANDLE_STMT, h,
              SQLPutData(h, const_cast<void*>(data), length));
}

// --- results ---

SQLRETURN Program::bind_col(SQLHSTMT h, SQLUSMALLINT n, SQLSMALLINT c_type, SQLPOINTER value,
                            SQLLEN capacity, SQLLEN* indicator) {
  return done(call("BindCol", {n, c_type, capacity}), SQL_HANDLE_STMT, h,
              SQLBindCol(h, n, c_type, value, capacity, indicator));
}

SQLRETURN Program::fetch(SQLHSTMT h) {
  return done("Fetch", SQL_HANDLE_STMT, h, SQLFetch(h));
}

SQLRETURN Program::fetch_scroll(SQLHSTMT h, SQLSMALLINT orientation, SQLLEN offset) {
  return done(call("FetchScroll", {orientation, offset}), SQL_HANDLE_STMT, h,
              SQLFetchScroll(h, orientation, offset));
}

SQLRETURN Program::extended_fetch(SQLHSTMT h, SQLUSMALLINT orientation, SQLLEN offset,
                                  SQLUSMALLINT* status) {
  SQLULEN rows = 7777;
  const SQLRETURN ret = SQLExtendedFetch(h, orientation, offset, &rows, status);
  return done(call("ExtendedFetch", {orientation, offset}), SQL_HANDLE_STMT, h, ret,
              std::to_string(rows));
}

SQLRETURN Program::get_data(SQLHSTMT h, SQLUSMALLINT column, SQLSMALLINT c_type, SQLLEN capacity,
                            bool with_indicator) {
  std::vector<char> buffer(static_cast<std::size_t>(capacity) + 64, '\0');
  SQLLEN indicator = -77;
  const SQLRETURN ret =
      SQLGetData(h, column, c_type, buffer.data(), capacity, with_indicator ? &indicator : nullptr);
  const bool value = SQL_SUCCEEDED(ret) && indicator != SQL_NULL_DATA;
  return done(call("GetData", {column, c_type, capacity}), SQL_HANDLE_STMT, h, ret,
              std::to_string(indicator) +
                  (value ? " " + shown_value(c_type, buffer.data(), indicator, capacity) : ""));
}

SQLRETURN Program::set_pos(SQLHSTMT h, SQLSETPOSIROW row, SQLUSMALLINT operation,
                           SQLUSMALLINT lock) {
  return done(call("SetPos", {static_cast<SQLLEN>(row), operation, lock}), SQL_HANDLE_STMT, h,
              SQLSetPos(h, row, operation, lock));
}

SQLRETURN Program::bulk_operations(SQLHSTMT h, SQLSMALLINT operation) {
  return done(call("BulkOperations", {operation}), SQL_HANDLE_STMT, h,
              SQLBulkOperations(h, operation));
}

// --- descriptors ---

SQLHDESC Program::descriptor(SQLHSTMT h, SQLINTEGER attribute) {
  SQLHDESC found = SQL_NULL_HDESC;
  const SQLRETURN ret = SQLGetStmtAttr(h, attribute, &found, SQL_IS_POINTER, nullptr);
  done(call("GetStmtAttr", {attribute}), SQL_HANDLE_STMT, h, ret, given(found));
  return found;
}

SQLHDESC Program::alloc_desc() {
  SQLHDESC made = SQL_NULL_HDESC;
  done("AllocHandle(DESC)", SQL_HANDLE_DBC, dbc, SQLAllocHandle(SQL_HANDLE_DESC, dbc, &made));
  return made;
}

SQLRETURN Program::free_desc(SQLHDESC d) {
  const SQLRETURN ret = SQLFreeHandle(SQL_HANDLE_DESC, d);
  if (ret == SQL_ERROR) return done("FreeHandle(DESC)", SQL_HANDLE_DESC, d, ret);
  write("FreeHandle(DESC) -> " + shown_return(ret));
  return ret;
}

SQLRETURN Program::copy_desc(SQLHDESC from, SQLHDESC to) {
  return done("CopyDesc", SQL_HANDLE_DESC, to, SQLCopyDesc(from, to));
}

SQLRETURN Program::get_desc_field(SQLHDESC d, SQLSMALLINT record, SQLSMALLINT field) {
  constexpr SQLINTEGER kBytes = 200;
  Out out(style_.wide, kBytes);
  SQLINTEGER length = -7;
  const SQLRETURN ret = style_.wide
                            ? SQLGetDescFieldW(d, record, field, out.wide(), kBytes, &length)
                            : SQLGetDescField(d, record, field, out.narrow(), kBytes, &length);
  // Addresses differ from run to run; that one was given does not.
  const bool address = field == SQL_DESC_DATA_PTR || field == SQL_DESC_INDICATOR_PTR ||
                       field == SQL_DESC_OCTET_LENGTH_PTR || field == SQL_DESC_ARRAY_STATUS_PTR ||
                       field == SQL_DESC_ROWS_PROCESSED_PTR || field == SQL_DESC_BIND_OFFSET_PTR;
  SQLPOINTER pointer = nullptr;
  std::memcpy(&pointer, out.bytes.data(), sizeof(pointer));
  return done(call("GetDescField", {record, field}), SQL_HANDLE_DESC, d, ret,
              address ? given(pointer)
                      : "0x" + hex(out.bytes.data(), sizeof(SQLULEN)) + " " + out.text() + " " +
                            std::to_string(length));
}

SQLRETURN Program::get_desc_rec(SQLHDESC d, SQLSMALLINT record) {
  constexpr SQLSMALLINT kCharacters = 100;
  Out name(style_.wide, kCharacters);
  SQLSMALLINT length = -7;
  SQLSMALLINT type = -7;
  SQLSMALLINT subtype = -7;
  SQLLEN octets = -7;
  SQLSMALLINT precision = -7;
  SQLSMALLINT scale = -7;
  SQLSMALLINT nullable = -7;
  const SQLRETURN ret = style_.wide
                            ? SQLGetDescRecW(d, record, name.wide(), kCharacters, &length, &type,
                                             &subtype, &octets, &precision, &scale, &nullable)
                            : SQLGetDescRec(d, record, name.narrow(), kCharacters, &length, &type,
                                            &subtype, &octets, &precision, &scale, &nullable);
  std::string outputs = name.text();
  for (const SQLLEN one : {SQLLEN{length}, SQLLEN{type}, SQLLEN{subtype}, octets, SQLLEN{precision},
                           SQLLEN{scale}, SQLLEN{nullable}}) {
    outputs += " " + std::to_string(one);
  }
  return done(call("GetDescRec", {record}), SQL_HANDLE_DESC, d, ret, outputs);
}

SQLRETURN Program::set_desc_field(SQLHDESC d, SQLSMALLINT record, SQLSMALLINT field,
                                  SQLPOINTER value, bool show) {
  const SQLRETURN ret = style_.wide ? SQLSetDescFieldW(d, record, field, value, SQL_IS_POINTER)
                                    : SQLSetDescField(d, record, field, value, SQL_IS_POINTER);
  return done(call("SetDescField", {record, field}) +
                  (show ? " " + std::to_string(reinterpret_cast<std::intptr_t>(value)) : ""),
              SQL_HANDLE_DESC, d, ret);
}

SQLRETURN Program::set_desc_rec(SQLHDESC d, SQLSMALLINT record, SQLSMALLINT type,
                                SQLSMALLINT subtype, SQLLEN length, SQLSMALLINT precision,
                                SQLSMALLINT scale, SQLPOINTER data, SQLLEN* octets,
                                SQLLEN* indicator) {
  const SQLRETURN ret =
      SQLSetDescRec(d, record, type, subtype, length, precision, scale, data, octets, indicator);
  return done(call("SetDescRec", {record, type, subtype, length, precision, scale}),
              SQL_HANDLE_DESC, d, ret);
}

}  // namespace understudy::parity
