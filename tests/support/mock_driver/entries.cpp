// The mock driver's exported entries: every one that a driver may have, all the same inside.
//
// Each is an indirect function: the loader asks its resolver for the address, which is that of a
// template's instance with the entry's own parameters. So no signature is written out here.
#include "driver/real/entries.h"

#include <dlfcn.h>

#include "tests/support/mock_driver/driver.h"

namespace understudy::mock {
namespace {

template <class T>
std::intptr_t as_word(T value) {
  if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<std::intptr_t>(value);
  } else {
    return static_cast<std::intptr_t>(value);
  }
}

template <class Name, class Function>
struct Entry;
template <class Name, class... Parameters>
struct Entry<Name, SQLRETURN(Parameters...)> {
  static SQLRETURN call(Parameters... parameters) {
    return Driver::instance().called({Name::text, {as_word(parameters)...}, {}, {}});
  }
};

// Null unless this file exports it: copies of the library with entries blotted out exist.
void* exported(const char* name) {
  static Dl_info own{};
  static void* const self = [] {
    dladdr(reinterpret_cast<const void*>(&exported_functions), &own);
    return dlopen(own.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  }();
  return self == nullptr ? nullptr : dlsym(self, name);
}

}  // namespace

#define MOCK_NAME(name)                        \
  namespace {                                  \
  struct Name##name {                          \
    static constexpr const char* text = #name; \
  };                                           \
  }
#define MOCK_RESOLVER(name)                                                                     \
  extern "C" {                                                                                  \
  static decltype(&::SQL##name) mock_resolve_##name() {                                         \
    return &understudy::mock::Entry<understudy::mock::Name##name, decltype(::SQL##name)>::call; \
  }                                                                                             \
  }
UNDERSTUDY_PLAIN_ENTRIES(MOCK_NAME)
UNDERSTUDY_WIDE_ENTRIES(MOCK_NAME)
UNDERSTUDY_HIDDEN_ENTRIES(MOCK_NAME)

const std::vector<SQLUSMALLINT>& exported_functions() {
  struct Function {
    const char* name;
    SQLUSMALLINT id;
  };
  static constexpr Function kFunctions[] = {
      {"SQLAllocConnect", SQL_API_SQLALLOCCONNECT},
      {"SQLAllocEnv", SQL_API_SQLALLOCENV},
      {"SQLColAttributes", SQL_API_SQLCOLATTRIBUTES},
      {"SQLError", SQL_API_SQLERROR},
      {"SQLFreeConnect", SQL_API_SQLFREECONNECT},
      {"SQLFreeEnv", SQL_API_SQLFREEENV},
      {"SQLGetConnectOption", SQL_API_SQLGETCONNECTOPTION},
      {"SQLGetStmtOption", SQL_API_SQLGETSTMTOPTION},
      {"SQLParamOptions", SQL_API_SQLPARAMOPTIONS},
      {"SQLSetConnectOption", SQL_API_SQLSETCONNECTOPTION},
      {"SQLSetParam", SQL_API_SQLSETPARAM},
      {"SQLSetScrollOptions", SQL_API_SQLSETSCROLLOPTIONS},
      {"SQLSetStmtOption", SQL_API_SQLSETSTMTOPTION},
      {"SQLTransact", SQL_API_SQLTRANSACT},
      {"SQLAllocHandle", SQL_API_SQLALLOCHANDLE},
      {"SQLAllocStmt", SQL_API_SQLALLOCSTMT},
      {"SQLBindCol", SQL_API_SQLBINDCOL},
      {"SQLBindParameter", SQL_API_SQLBINDPARAMETER},
      {"SQLBrowseConnect", SQL_API_SQLBROWSECONNECT},
      {"SQLBulkOperations", SQL_API_SQLBULKOPERATIONS},
      {"SQLCancel", SQL_API_SQLCANCEL},
      {"SQLCloseCursor", SQL_API_SQLCLOSECURSOR},
      {"SQLColAttribute", SQL_API_SQLCOLATTRIBUTE},
      {"SQLColumns", SQL_API_SQLCOLUMNS},
      {"SQLConnect", SQL_API_SQLCONNECT},
      {"SQLCopyDesc", SQL_API_SQLCOPYDESC},
      {"SQLDescribeCol", SQL_API_SQLDESCRIBECOL},
      {"SQLDescribeParam", SQL_API_SQLDESCRIBEPARAM},
      {"SQLDisconnect", SQL_API_SQLDISCONNECT},
      {"SQLDriverConnect", SQL_API_SQLDRIVERCONNECT},
      {"SQLEndTran", SQL_API_SQLENDTRAN},
      {"SQLExecDirect", SQL_API_SQLEXECDIRECT},
      {"SQLExecute", SQL_API_SQLEXECUTE},
      {"SQLExtendedFetch", SQL_API_SQLEXTENDEDFETCH},
      {"SQLFetch", SQL_API_SQLFETCH},
      {"SQLFetchScroll", SQL_API_SQLFETCHSCROLL},
      {"SQLFreeHandle", SQL_API_SQLFREEHANDLE},
      {"SQLFreeStmt", SQL_API_SQLFREESTMT},
      {"SQLGetConnectAttr", SQL_API_SQLGETCONNECTATTR},
      {"SQLGetCursorName", SQL_API_SQLGETCURSORNAME},
      {"SQLGetData", SQL_API_SQLGETDATA},
      {"SQLGetDescField", SQL_API_SQLGETDESCFIELD},
      {"SQLGetDescRec", SQL_API_SQLGETDESCREC},
      {"SQLGetDiagField", SQL_API_SQLGETDIAGFIELD},
      {"SQLGetDiagRec", SQL_API_SQLGETDIAGREC},
      {"SQLGetInfo", SQL_API_SQLGETINFO},
      {"SQLGetStmtAttr", SQL_API_SQLGETSTMTATTR},
      {"SQLGetTypeInfo", SQL_API_SQLGETTYPEINFO},
      {"SQLMoreResults", SQL_API_SQLMORERESULTS},
      {"SQLNativeSql", SQL_API_SQLNATIVESQL},
      {"SQLNumParams", SQL_API_SQLNUMPARAMS},
      {"SQLNumResultCols", SQL_API_SQLNUMRESULTCOLS},
      {"SQLParamData", SQL_API_SQLPARAMDATA},
      {"SQLPrepare", SQL_API_SQLPREPARE},
      {"SQLPutData", SQL_API_SQLPUTDATA},
      {"SQLRowCount", SQL_API_SQLROWCOUNT},
      {"SQLSetConnectAttr", SQL_API_SQLSETCONNECTATTR},
      {"SQLSetCursorName", SQL_API_SQLSETCURSORNAME},
      {"SQLSetDescField", SQL_API_SQLSETDESCFIELD},
      {"SQLSetDescRec", SQL_API_SQLSETDESCREC},
      {"SQLSetEnvAttr", SQL_API_SQLSETENVATTR},
      {"SQLSetPos", SQL_API_SQLSETPOS},
      {"SQLSetStmtAttr", SQL_API_SQLSETSTMTATTR},
      {"SQLTables", SQL_API_SQLTABLES},
  };
  static const std::vector<SQLUSMALLINT> all = [] {
    std::vector<SQLUSMALLINT> found;
    for (const Function& function : kFunctions) {
      if (exported(function.name) != nullptr) found.push_back(function.id);
    }
    return found;
  }();
  return all;
}

}  // namespace understudy::mock

UNDERSTUDY_PLAIN_ENTRIES(MOCK_RESOLVER)
UNDERSTUDY_WIDE_ENTRIES(MOCK_RESOLVER)
UNDERSTUDY_HIDDEN_ENTRIES(MOCK_RESOLVER)

#define MOCK_EXPORT(name)                          \
  extern "C" __attribute__((visibility("default"), \
                            ifunc("mock_resolve_" #name))) decltype(::SQL##name) SQL##name;
UNDERSTUDY_PLAIN_ENTRIES(MOCK_EXPORT)
UNDERSTUDY_WIDE_ENTRIES(MOCK_EXPORT)
UNDERSTUDY_HIDDEN_ENTRIES(MOCK_EXPORT)
