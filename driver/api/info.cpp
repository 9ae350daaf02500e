// What the driver and the data source say of themselves.

#include <cstring>

#include "driver/api/wide_output.h"
#include "driver/capture/intercept.h"

using namespace understudy;

namespace {

bool is_string_info(SQLUSMALLINT type) {
  switch (type) {
    case SQL_ACCESSIBLE_PROCEDURES:
    case SQL_ACCESSIBLE_TABLES:
    case SQL_CATALOG_NAME:
    case SQL_CATALOG_NAME_SEPARATOR:
    case SQL_CATALOG_TERM:
    case SQL_COLLATION_SEQ:
    case SQL_COLUMN_ALIAS:
    case SQL_DATABASE_NAME:
    case SQL_DATA_SOURCE_NAME:
    case SQL_DATA_SOURCE_READ_ONLY:
    case SQL_DBMS_NAME:
    case SQL_DBMS_VER:
    case SQL_DESCRIBE_PARAMETER:
    case SQL_DM_VER:
    case SQL_DRIVER_NAME:
    case SQL_DRIVER_ODBC_VER:
    case SQL_DRIVER_VER:
    case SQL_EXPRESSIONS_IN_ORDERBY:
    case SQL_IDENTIFIER_QUOTE_CHAR:
    case SQL_INTEGRITY:
    case SQL_KEYWORDS:
    case SQL_LIKE_ESCAPE_CLAUSE:
    case SQL_MAX_ROW_SIZE_INCLUDES_LONG:
    case SQL_MULTIPLE_ACTIVE_TXN:
    case SQL_MULT_RESULT_SETS:
    case SQL_NEED_LONG_DATA_LEN:
    case SQL_ODBC_VER:
    case SQL_ORDER_BY_COLUMNS_IN_SELECT:
    case SQL_OUTER_JOINS:
    case SQL_PROCEDURES:
    case SQL_PROCEDURE_TERM:
    case SQL_ROW_UPDATES:
    case SQL_SCHEMA_TERM:
    case SQL_SEARCH_PATTERN_ESCAPE:
    case SQL_SERVER_NAME:
    case SQL_SPECIAL_CHARACTERS:
    case SQL_TABLE_TERM:
    case SQL_USER_NAME:
    case SQL_XOPEN_CLI_YEAR:
      return true;
    default:
      return false;
  }
}

template <class Work>
SQLRETURN when_connected(SQLHDBC handle, Work work) {
  return api::on<Connection>(handle, [&](Connection& dbc) -> SQLRETURN {
    if (!dbc.connected) return dbc.fail("08003", "the connection is not open");
    return work(dbc, api::entries(dbc));
  });
}

struct Function {
  SQLUSMALLINT id;
  bool present;
};

void mark(SQLUSMALLINT* bitmap, SQLUSMALLINT id) {
  bitmap[id >> 4] = static_cast<SQLUSMALLINT>(bitmap[id >> 4] | (1u << (id & 0xF)));
}

bool marked(const SQLUSMALLINT* bitmap, SQLUSMALLINT id) {
  return (bitmap[id >> 4] & (1u << (id & 0xF))) != 0;
}

// libsqlite3odbc denies SQLGetDiagRec in favour of SQLError, which we must not export: the driver
// manager would be left without a way to ask. So it is ours, over the real driver's SQLError.
void claim_diagnostics(Connection& dbc, SQLUSMALLINT function, SQLUSMALLINT* out) {
  if (function == SQL_API_ODBC3_ALL_FUNCTIONS) {
    dbc.library->denies_diag_rec.store(!marked(out, SQL_API_SQLGETDIAGREC),
                                       std::memory_order_relaxed);
    mark(out, SQL_API_SQLGETDIAGREC);
    mark(out, SQL_API_SQLGETDIAGFIELD);
  } else if (function == SQL_API_SQLGETDIAGREC || function == SQL_API_SQLGETDIAGFIELD) {
    *out = SQL_TRUE;
  }
}

constexpr std::size_t kOdbc2Functions = 100;

// For a real driver without SQLGetFunctions: what the driver manager would conclude from its table.
SQLRETURN answer_from_table(const real::Entries& fn, SQLUSMALLINT id, SQLUSMALLINT* out) {
#define UNDERSTUDY_FUNCTION(name, number) Function{number, fn.name != nullptr},
  const Function functions[] = {
      UNDERSTUDY_FUNCTION(AllocHandle, SQL_API_SQLALLOCHANDLE) UNDERSTUDY_FUNCTION(
          AllocStmt, SQL_API_SQLALLOCSTMT) UNDERSTUDY_FUNCTION(BindCol, SQL_API_SQLBINDCOL)
          UNDERSTUDY_FUNCTION(BindParameter, SQL_API_SQLBINDPARAMETER) UNDERSTUDY_FUNCTION(
              BulkOperations, SQL_API_SQLBULKOPERATIONS) UNDERSTUDY_FUNCTION(Cancel,
                                                                             SQL_API_SQLCANCEL)
              UNDERSTUDY_FUNCTION(CloseCursor, SQL_API_SQLCLOSECURSOR) UNDERSTUDY_FUNCTION(
                  ColAttribute,
                  SQL_API_SQLCOLATTRIBUTE) UNDERSTUDY_FUNCTION(ColumnPrivileges,
                                                               SQL_API_SQLCOLUMNPRIVILEGES)
                  UNDERSTUDY_FUNCTION(Columns, SQL_API_SQLCOLUMNS) UNDERSTUDY_FUNCTION(
                      Connect, SQL_API_SQLCONNECT) UNDERSTUDY_FUNCTION(CopyDesc,
                                                                       SQL_API_SQLCOPYDESC)
                      UNDERSTUDY_FUNCTION(DescribeCol, SQL_API_SQLDESCRIBECOL) UNDERSTUDY_FUNCTION(
                          DescribeParam,
                          SQL_API_SQLDESCRIBEPARAM) UNDERSTUDY_FUNCTION(Disconnect,
                                                                        SQL_API_SQLDISCONNECT)
                          UNDERSTUDY_FUNCTION(DriverConnect, SQL_API_SQLDRIVERCONNECT) UNDERSTUDY_FUNCTION(EndTran, SQL_API_SQLENDTRAN) UNDERSTUDY_FUNCTION(
                              ExecDirect,
                              SQL_API_SQLEXECDIRECT) UNDERSTUDY_FUNCTION(Execute, SQL_API_SQLEXECUTE)
                              UNDERSTUDY_FUNCTION(ExtendedFetch, SQL_API_SQLEXTENDEDFETCH) UNDERSTUDY_FUNCTION(
                                  Fetch,
                                  SQL_API_SQLFETCH) UNDERSTUDY_FUNCTION(FetchScroll, SQL_API_SQLFETCHSCROLL)
                                  UNDERSTUDY_FUNCTION(ForeignKeys, SQL_API_SQLFOREIGNKEYS) UNDERSTUDY_FUNCTION(
                                      FreeHandle,
                                      SQL_API_SQLFREEHANDLE) UNDERSTUDY_FUNCTION(FreeStmt, SQL_API_SQLFREESTMT)
                                      UNDERSTUDY_FUNCTION(GetConnectAttr, SQL_API_SQLGETCONNECTATTR) UNDERSTUDY_FUNCTION(
                                          GetCursorName,
                                          SQL_API_SQLGETCURSORNAME) UNDERSTUDY_FUNCTION(GetData, SQL_API_SQLGETDATA)
                                          UNDERSTUDY_FUNCTION(GetDescField, SQL_API_SQLGETDESCFIELD) UNDERSTUDY_FUNCTION(
                                              GetDescRec,
                                              SQL_API_SQLGETDESCREC) UNDERSTUDY_FUNCTION(GetDiagField, SQL_API_SQLGETDIAGFIELD)
                                              UNDERSTUDY_FUNCTION(GetDiagRec, SQL_API_SQLGETDIAGREC) UNDERSTUDY_FUNCTION(
                                                  GetInfo,
                                                  SQL_API_SQLGETINFO) UNDERSTUDY_FUNCTION(GetStmtAttr, SQL_API_SQLGETSTMTATTR)
                                                  UNDERSTUDY_FUNCTION(GetTypeInfo, SQL_API_SQLGETTYPEINFO) UNDERSTUDY_FUNCTION(
                                                      MoreResults,
                                                      SQL_API_SQLMORERESULTS)
                                                      UNDERSTUDY_FUNCTION(NativeSql, SQL_API_SQLNATIVESQL) UNDERSTUDY_FUNCTION(
                                                          NumParams,
                                                          SQL_API_SQLNUMPARAMS) UNDERSTUDY_FUNCTION(NumResultCols, SQL_API_SQLNUMRESULTCOLS)
                                                          UNDERSTUDY_FUNCTION(ParamData, SQL_API_SQLPARAMDATA) UNDERSTUDY_FUNCTION(
                                                              Prepare,
                                                              SQL_API_SQLPREPARE) UNDERSTUDY_FUNCTION(PrimaryKeys, SQL_API_SQLPRIMARYKEYS)
                                                              UNDERSTUDY_FUNCTION(ProcedureColumns, SQL_API_SQLPROCEDURECOLUMNS) UNDERSTUDY_FUNCTION(
                                                                  Procedures,
                                                                  SQL_API_SQLPROCEDURES) UNDERSTUDY_FUNCTION(PutData, SQL_API_SQLPUTDATA)
                                                                  UNDERSTUDY_FUNCTION(RowCount, SQL_API_SQLROWCOUNT) UNDERSTUDY_FUNCTION(
                                                                      SetConnectAttr,
                                                                      SQL_API_SQLSETCONNECTATTR)
                                                                      UNDERSTUDY_FUNCTION(
                                                                          SetCursorName,
                                                                          SQL_API_SQLSETCURSORNAME)
                                                                          UNDERSTUDY_FUNCTION(
                                                                              SetDescField,
                                                                              SQL_API_SQLSETDESCFIELD)
                                                                              UNDERSTUDY_FUNCTION(
                                                                                  SetDescRec,
                                                                                  SQL_API_SQLSETDESCREC)
                                                                                  UNDERSTUDY_FUNCTION(
                                                                                      SetPos,
                                                                                      SQL_API_SQLSETPOS)
                                                                                      UNDERSTUDY_FUNCTION(
                                                                                          SetStmtAttr,
                                                                                          SQL_API_SQLSETSTMTATTR)
                                                                                          UNDERSTUDY_FUNCTION(
                                                                                              SpecialColumns,
                                                                                              SQL_API_SQLSPECIALCOLUMNS)
                                                                                              UNDERSTUDY_FUNCTION(
                                                                                                  Statistics,
                                                                                                  SQL_API_SQLSTATISTICS)
                                                                                                  UNDERSTUDY_FUNCTION(
                                                                                                      TablePrivileges,
                                                                                                      SQL_API_SQLTABLEPRIVILEGES)
                                                                                                      UNDERSTUDY_FUNCTION(
                                                                                                          Tables,
                                                                                                          SQL_API_SQLTABLES)};
#undef UNDERSTUDY_FUNCTION
  if (id == SQL_API_ODBC3_ALL_FUNCTIONS) {
    std::memset(out, 0, SQL_API_ODBC3_ALL_FUNCTIONS_SIZE * sizeof(SQLUSMALLINT));
  } else if (id == SQL_API_ALL_FUNCTIONS) {
    std::memset(out, 0, kOdbc2Functions * sizeof(SQLUSMALLINT));
  } else {
    *out = SQL_FALSE;
  }
  for (const Function& function : functions) {
    if (!function.present) continue;
    if (id == SQL_API_ODBC3_ALL_FUNCTIONS) mark(out, function.id);
    if (id == SQL_API_ALL_FUNCTIONS && function.id < kOdbc2Functions) out[function.id] = SQL_TRUE;
    if (id == function.id) *out = SQL_TRUE;
  }
  return SQL_SUCCESS;
}

}  // namespace

UNDERSTUDY_ENTRY_POINT SQLGetFunctions(SQLHDBC handle, SQLUSMALLINT function, SQLUSMALLINT* out) {
  return when_connected(handle, [&](Connection& dbc, const real::Entries& fn) -> SQLRETURN {
    if (fn.GetFunctions == nullptr) return answer_from_table(fn, function, out);
    const SQLRETURN ret = fn.GetFunctions(dbc.real, function, out);
    if (SQL_SUCCEEDED(ret) && out != nullptr) claim_diagnostics(dbc, function, out);
    return ret;
  });
}

UNDERSTUDY_ENTRY_POINT SQLGetInfo(SQLHDBC handle, SQLUSMALLINT type, SQLPOINTER value,
                                  SQLSMALLINT capacity, SQLSMALLINT* length) {
  return when_connected(handle, [&](Connection& dbc, const real::Entries& fn) {
    return api::forward(dbc, fn.GetInfo, dbc.real, type, value, capacity, length);
  });
}

UNDERSTUDY_ENTRY_POINT SQLGetInfoW(SQLHDBC handle, SQLUSMALLINT type, SQLPOINTER value,
                                   SQLSMALLINT capacity, SQLSMALLINT* length) {
  return when_connected(handle, [&](Connection& dbc, const real::Entries& fn) -> SQLRETURN {
    if (fn.GetInfoW != nullptr) return fn.GetInfoW(dbc.real, type, value, capacity, length);
    if (!is_string_info(type)) {
      return api::forward(dbc, fn.GetInfo, dbc.real, type, value, capacity, length);
    }
    const api::WideOutput<SQLSMALLINT> out{static_cast<SQLWCHAR*>(value),
                                           capacity / SQLLEN{sizeof(SQLWCHAR)}, length, true};
    return api::text_output(&dbc, out, [&](SQLCHAR* to, SQLSMALLINT bytes, SQLSMALLINT* got) {
      return api::forward(dbc, fn.GetInfo, dbc.real, type, SQLPOINTER{to}, bytes, got);
    });
  });
}

UNDERSTUDY_ENTRY_POINT SQLNativeSql(SQLHDBC handle, SQLCHAR* in, SQLINTEGER in_length, SQLCHAR* out,
                                    SQLINTEGER capacity, SQLINTEGER* length) {
  return when_connected(handle, [&](Connection& dbc, const real::Entries& fn) {
    return api::forward(dbc, fn.NativeSql, dbc.real, in, in_length, out, capacity, length);
  });
}

UNDERSTUDY_ENTRY_POINT SQLNativeSqlW(SQLHDBC handle, SQLWCHAR* in, SQLINTEGER in_length,
                                     SQLWCHAR* out, SQLINTEGER capacity, SQLINTEGER* length) {
  return when_connected(handle, [&](Connection& dbc, const real::Entries& fn) -> SQLRETURN {
    if (fn.NativeSqlW != nullptr) {
      return fn.NativeSqlW(dbc.real, in, in_length, out, capacity, length);
    }
    const real::NarrowText text(in, in_length);
    if (!text.ok()) return api::refuse(dbc, text);
    const api::WideOutput<SQLINTEGER> target{out, capacity, length};
    return api::text_output(&dbc, target, [&](SQLCHAR* to, SQLINTEGER bytes, SQLINTEGER* got) {
      return api::forward(dbc, fn.NativeSql, dbc.real, text.data(), text.length(), to, bytes, got);
    });
  });
}
