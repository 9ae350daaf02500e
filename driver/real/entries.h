// Every entry point a driver may have, as typed pointers.
//
// The list is the driver manager's own table (unixODBC fills it by dlsym for each driver) without
// what the manager answers itself, plus the few ODBC 2 names older real drivers have instead.
#pragma once

#include <sql.h>
#include <sqlext.h>
#include <sqlucode.h>

namespace understudy::real {

static_assert(sizeof(SQLWCHAR) == 2, "unixODBC's UTF-16 form is assumed everywhere");

// clang-format off
#define UNDERSTUDY_PLAIN_ENTRIES(X)                                                              \
  X(AllocConnect) X(AllocEnv) X(AllocHandle) X(AllocStmt) X(BindCol) X(BindParam)                \
  X(BindParameter) X(BrowseConnect) X(BulkOperations) X(Cancel) X(CancelHandle) X(CloseCursor)   \
  X(ColAttribute) X(ColAttributes) X(ColumnPrivileges) X(Columns) X(Connect) X(CopyDesc)         \
  X(DescribeCol) X(DescribeParam) X(Disconnect) X(DriverConnect) X(EndTran) X(ExecDirect)        \
  X(Execute) X(ExtendedFetch) X(Fetch) X(FetchScroll) X(ForeignKeys) X(FreeConnect) X(FreeEnv)   \
  X(FreeHandle) X(FreeStmt) X(GetConnectAttr) X(GetConnectOption) X(GetCursorName) X(GetData)    \
  X(GetDescField) X(GetDescRec) X(GetDiagField) X(GetDiagRec) X(GetEnvAttr) X(GetFunctions)      \
  X(GetInfo) X(GetStmtAttr) X(GetStmtOption) X(GetTypeInfo) X(MoreResults) X(NativeSql)          \
  X(NumParams) X(NumResultCols) X(ParamData) X(ParamOptions) X(Prepare) X(PrimaryKeys)           \
  X(ProcedureColumns) X(Procedures) X(PutData) X(RowCount) X(SetConnectAttr) X(SetConnectOption) \
  X(SetCursorName) X(SetDescField) X(SetDescRec) X(SetEnvAttr) X(SetParam) X(SetPos)             \
  X(SetScrollOptions) X(SetStmtAttr) X(SetStmtOption) X(SpecialColumns) X(Statistics)            \
  X(TablePrivileges) X(Tables) X(Transact)

#define UNDERSTUDY_WIDE_ENTRIES(X)                                                               \
  X(BrowseConnectW) X(ColAttributeW) X(ColumnPrivilegesW) X(ColumnsW) X(ConnectW)                \
  X(DescribeColW) X(DriverConnectW) X(ExecDirectW) X(ForeignKeysW) X(GetConnectAttrW)            \
  X(GetConnectOptionW) X(GetCursorNameW) X(GetDescFieldW) X(GetDescRecW) X(GetDiagFieldW) X(GetDiagRecW) X(GetInfoW)  \
  X(GetStmtAttrW) X(GetTypeInfoW) X(NativeSqlW) X(PrepareW) X(PrimaryKeysW) X(ProcedureColumnsW) \
  X(ProceduresW) X(SetConnectAttrW) X(SetCursorNameW) X(SetDescFieldW) X(SetStmtAttrW)           \
  X(SpecialColumnsW) X(StatisticsW) X(TablePrivilegesW) X(TablesW)
// Used, never exported: a driver manager that finds SQLError asks it first and for ever.
#define UNDERSTUDY_HIDDEN_ENTRIES(X) X(Error)
// clang-format on

struct Entries {
// NOLINTNEXTLINE(bugprone-macro-parentheses): a declarator cannot have them
#define UNDERSTUDY_ENTRY(name) decltype(&::SQL##name) name = nullptr;
  UNDERSTUDY_PLAIN_ENTRIES(UNDERSTUDY_ENTRY)
  UNDERSTUDY_WIDE_ENTRIES(UNDERSTUDY_ENTRY)
  UNDERSTUDY_HIDDEN_ENTRIES(UNDERSTUDY_ENTRY)
#undef UNDERSTUDY_ENTRY
};

}  // namespace understudy::real
