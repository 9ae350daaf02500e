// What the driver does when the real driver behind it is poor, wrong or dying: faults that no
// engine gives on demand. The real driver is a scripted one.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <limits>
#include <thread>

#include "driver/real/entries.h"
#include "tests/engine/recording.h"
#include "tests/support/mock_driver/mock.h"

namespace understudy {
namespace {

using mock::MockDriver;

constexpr SQLRETURN kUndefinedCode = 4711;

std::string through(const MockDriver& driver, const std::string& more = {}) {
  return "Driver={Understudy Unicode};RealDriver=" + driver.path() + ";" + more;
}

mock::Diagnostic told(const std::string& state, const std::string& message) {
  return {state, 7, message};
}

std::vector<std::string> states(SQLSMALLINT type, SQLHANDLE handle) {
  std::vector<std::string> out;
  for (const std::string& line : raw::diagnostics(type, handle)) out.push_back(line.substr(0, 5));
  return out;
}

/// Our library called without a driver manager in between, as strictly as C allows.
struct Shim {
  Shim() {
    void* library = ::dlopen(UNDERSTUDYW_PATH, RTLD_LAZY | RTLD_LOCAL);
#define SHIM_ENTRY(name) \
  fn.name = reinterpret_cast<decltype(fn.name)>(::dlsym(library, "SQL" #name));
    UNDERSTUDY_PLAIN_ENTRIES(SHIM_ENTRY)
    UNDERSTUDY_WIDE_ENTRIES(SHIM_ENTRY)
#undef SHIM_ENTRY
  }
  real::Entries fn;
};

const real::Entries& shim() {
  static const Shim loaded;
  return loaded.fn;
}

/// Environment, connection and statement of our library itself, over a driver that may be poor.
class Direct {
 public:
  explicit Direct(const MockDriver& driver) {
    shim().AllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &env);
    shim().AllocHandle(SQL_HANDLE_DBC, env, &dbc);
    std::string target = through(driver);
    connected = shim().DriverConnect(dbc, nullptr, raw::text(target), SQL_NTS, nullptr, 0, nullptr,
                                     SQL_DRIVER_NOPROMPT);
    if (SQL_SUCCEEDED(connected)) allocated = shim().AllocHandle(SQL_HANDLE_STMT, dbc, &stmt);
  }
  ~Direct() {
    if (stmt != SQL_NULL_HSTMT) shim().FreeHandle(SQL_HANDLE_STMT, stmt);
    shim().Disconnect(dbc);
    shim().FreeHandle(SQL_HANDLE_DBC, dbc);
    shim().FreeHandle(SQL_HANDLE_ENV, env);
  }
  Direct(const Direct&) = delete;
  Direct& operator=(const Direct&) = delete;

  static std::string state(SQLSMALLINT type, SQLHANDLE handle) {
    SQLCHAR out[6] = "";
    SQLINTEGER native = 0;
    shim().GetDiagRec(type, handle, 1, out, &native, nullptr, 0, nullptr);
    return reinterpret_cast<char*>(out);
  }

  SQLHENV env = SQL_NULL_HENV;
  SQLHDBC dbc = SQL_NULL_HDBC;
  SQLHSTMT stmt = SQL_NULL_HSTMT;
  SQLRETURN connected = SQL_ERROR;
  SQLRETURN allocated = SQL_ERROR;
};

// ---- what is missing ----

/// A call of one of our entries with harmless arguments.
struct Probe {
  const char* missing;  // full names, separated by spaces
  SQLRETURN (*call)(Direct&);
  bool on_connection;
};

SQLCHAR* some_text() {
  static SQLCHAR text[] = "x";
  return text;
}
SQLWCHAR* some_wide_text() {
  static SQLWCHAR text[] = {'x', 0};
  return text;
}

// Where the driver has no form of the entry at all, the answer is IM001.
const Probe kProbes[] = {
    {"SQLBindCol",
     [](Direct& d) { return shim().BindCol(d.stmt, 1, SQL_C_LONG, nullptr, 0, nullptr); }, false},
    {"SQLBindParameter",
     [](Direct& d) {
       return shim().BindParameter(d.stmt, 1, SQL_PARAM_INPUT, SQL_C_LONG, SQL_INTEGER, 0, 0,
                                   nullptr, 0, nullptr);
     },
     false},
    {"SQLBrowseConnect SQLBrowseConnectW", nullptr, true},
    {"SQLBulkOperations", [](Direct& d) { return shim().BulkOperations(d.stmt, SQL_ADD); }, false},
    {"SQLCancel SQLCancelHandle", [](Direct& d) { return shim().Cancel(d.stmt); }, false},
    {"SQLCancelHandle", [](Direct& d) { return shim().CancelHandle(SQL_HANDLE_DBC, d.dbc); }, true},
    {"SQLCloseCursor SQLFreeStmt", [](Direct& d) { return shim().CloseCursor(d.stmt); }, false},
    {"SQLColAttribute SQLColAttributes SQLColAttributeW",
     [](Direct& d) {
       return shim().ColAttributeW(d.stmt, 1, SQL_DESC_NAME, nullptr, 0, nullptr, nullptr);
     },
     false},
    {"SQLColumns SQLColumnsW",
     [](Direct& d) {
       return shim().ColumnsW(d.stmt, nullptr, 0, nullptr, 0, some_wide_text(), SQL_NTS, nullptr,
                              0);
     },
     false},
    {"SQLDescribeCol SQLDescribeColW",
     [](Direct& d) {
       return shim().DescribeColW(d.stmt, 1, nullptr, 0, nullptr, nullptr, nullptr, nullptr,
                                  nullptr);
     },
     false},
    {"SQLDescribeParam",
     [](Direct& d) { return shim().DescribeParam(d.stmt, 1, nullptr, nullptr, nullptr, nullptr); },
     false},
    {"SQLEndTran SQLTransact",
     [](Direct& d) { return shim().EndTran(SQL_HANDLE_DBC, d.dbc, SQL_COMMIT); }, true},
    {"SQLExecDirect SQLExecDirectW",
     [](Direct& d) { return shim().ExecDirectW(d.stmt, some_wide_text(), SQL_NTS); }, false},
    {"SQLExecute", [](Direct& d) { return shim().Execute(d.stmt); }, false},
    {"SQLExtendedFetch",
     [](Direct& d) {
       SQLULEN rows = 0;
       return shim().ExtendedFetch(d.stmt, SQL_FETCH_NEXT, 0, &rows, nullptr);
     },
     false},
    {"SQLFetch", [](Direct& d) { return shim().Fetch(d.stmt); }, false},
    {"SQLFetchScroll", [](Direct& d) { return shim().FetchScroll(d.stmt, SQL_FETCH_NEXT, 0); },
     false},
    {"SQLFreeStmt", [](Direct& d) { return shim().FreeStmt(d.stmt, SQL_UNBIND); }, false},
    {"SQLGetConnectAttr SQLGetConnectAttrW SQLGetConnectOption",
     [](Direct& d) {
       SQLUINTEGER value = 0;
       return shim().GetConnectAttrW(d.dbc, SQL_ATTR_CONNECTION_DEAD, &value, 0, nullptr);
     },
     true},
    {"SQLGetCursorName SQLGetCursorNameW",
     [](Direct& d) { return shim().GetCursorNameW(d.stmt, nullptr, 0, nullptr); }, false},
    {"SQLGetData",
     [](Direct& d) { return shim().GetData(d.stmt, 1, SQL_C_CHAR, some_text(), 2, nullptr); },
     false},
    {"SQLGetInfo SQLGetInfoW",
     [](Direct& d) { return shim().GetInfoW(d.dbc, SQL_DBMS_NAME, nullptr, 0, nullptr); }, true},
    {"SQLGetStmtAttr SQLGetStmtAttrW SQLGetStmtOption",
     [](Direct& d) {
       SQLULEN value = 0;
       return shim().GetStmtAttrW(d.stmt, SQL_ATTR_QUERY_TIMEOUT, &value, 0, nullptr);
     },
     false},
    {"SQLGetTypeInfo SQLGetTypeInfoW",
     [](Direct& d) { return shim().GetTypeInfoW(d.stmt, SQL_ALL_TYPES); }, false},
    {"SQLMoreResults", [](Direct& d) { return shim().MoreResults(d.stmt); }, false},
    {"SQLNativeSql SQLNativeSqlW",
     [](Direct& d) {
       return shim().NativeSqlW(d.dbc, some_wide_text(), SQL_NTS, nullptr, 0, nullptr);
     },
     true},
    {"SQLNumParams",
     [](Direct& d) {
       SQLSMALLINT count = 0;
       return shim().NumParams(d.stmt, &count);
     },
     false},
    {"SQLNumResultCols",
     [](Direct& d) {
       SQLSMALLINT count = 0;
       return shim().NumResultCols(d.stmt, &count);
     },
     false},
    {"SQLParamData",
     [](Direct& d) {
       SQLPOINTER value = nullptr;
       return shim().ParamData(d.stmt, &value);
     },
     false},
    {"SQLPrepare SQLPrepareW",
     [](Direct& d) { return shim().PrepareW(d.stmt, some_wide_text(), SQL_NTS); }, false},
    {"SQLPutData", [](Direct& d) { return shim().PutData(d.stmt, some_text(), 1); }, false},
    {"SQLRowCount",
     [](Direct& d) {
       SQLLEN count = 0;
       return shim().RowCount(d.stmt, &count);
     },
     false},
    {"SQLSetConnectAttr SQLSetConnectAttrW SQLSetConnectOption",
     [](Direct& d) {
       return shim().SetConnectAttrW(d.dbc, SQL_ATTR_ACCESS_MODE, nullptr, SQL_IS_UINTEGER);
     },
     true},
    {"SQLSetConnectAttr SQLSetConnectAttrW SQLSetConnectOption",
     [](Direct& d) { return shim().SetConnectAttrW(d.dbc, SQL_ATTR_AUTOCOMMIT, nullptr, 0); },
     true},
    {"SQLSetCursorName SQLSetCursorNameW",
     [](Direct& d) { return shim().SetCursorNameW(d.stmt, some_wide_text(), SQL_NTS); }, false},
    {"SQLSetParam SQLBindParameter",
     [](Direct& d) {
       SQLLEN indicator = 0;
       return shim().SetParam(d.stmt, 1, SQL_C_LONG, SQL_INTEGER, 0, 0, some_text(), &indicator);
     },
     false},
    {"SQLSetPos",
     [](Direct& d) { return shim().SetPos(d.stmt, 1, SQL_POSITION, SQL_LOCK_NO_CHANGE); }, false},
    {"SQLSetScrollOptions",
     [](Direct& d) { return shim().SetScrollOptions(d.stmt, SQL_CONCUR_READ_ONLY, 0, 1); }, false},
    {"SQLSetStmtAttr SQLSetStmtAttrW SQLSetStmtOption",
     [](Direct& d) {
       return shim().SetStmtAttrW(d.stmt, SQL_ATTR_QUERY_TIMEOUT, nullptr, SQL_IS_UINTEGER);
     },
     false},
    {"SQLTables SQLTablesW",
     [](Direct& d) {
       return shim().TablesW(d.stmt, nullptr, 0, nullptr, 0, some_wide_text(), SQL_NTS, nullptr, 0);
     },
     false},
    {"SQLPrimaryKeys SQLPrimaryKeysW",
     [](Direct& d) {
       return shim().PrimaryKeysW(d.stmt, nullptr, 0, nullptr, 0, some_wide_text(), SQL_NTS);
     },
     false},
};

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

TEST(MockDriver, AnEntryTheRealDriverHasInNoFormAnswersIM001) {
  for (const Probe& probe : kProbes) {
    if (probe.call == nullptr) continue;
    const MockDriver driver(words(probe.missing));
    Direct direct(driver);
    ASSERT_EQ(direct.allocated, SQL_SUCCESS) << probe.missing;
    EXPECT_EQ(probe.call(direct), SQL_ERROR) << probe.missing;
    const SQLSMALLINT type = probe.on_connection ? SQL_HANDLE_DBC : SQL_HANDLE_STMT;
    EXPECT_EQ(Direct::state(type, probe.on_connection ? direct.dbc : direct.stmt), "IM001")
        << probe.missing;
  }
}

TEST(MockDriver, WithoutAnyWideEntryTheWideCallReachesThePlainOne) {
  for (const Probe& probe : kProbes) {
    if (probe.call == nullptr) continue;
    std::vector<std::string> wide;
    std::string plain;
    for (const std::string& name : words(probe.missing)) {
      if (name.ends_with("W")) wide.push_back(name);
      if (!name.ends_with("W") && plain.empty()) plain = name.substr(3);
    }
    if (wide.empty()) continue;
    const MockDriver driver(wide);
    Direct direct(driver);
    ASSERT_EQ(direct.allocated, SQL_SUCCESS);
    EXPECT_EQ(probe.call(direct), SQL_SUCCESS) << probe.missing;
    EXPECT_FALSE(driver->calls(plain).empty()) << plain;
  }
}

// Whatever one entry is missing, an application gets an answer for each of its calls.
TEST(MockDriver, EachEntryMayMissWithoutACrashBehindTheDriverManager) {
  std::vector<std::string> names;
#define NAME(name) names.emplace_back("SQL" #name);
  UNDERSTUDY_PLAIN_ENTRIES(NAME)
  UNDERSTUDY_WIDE_ENTRIES(NAME)
#undef NAME
  for (const std::string& name : names) {
    const MockDriver driver({name});
    raw::Connection app;
    const SQLRETURN connected = app.connect(through(driver));
    if (!SQL_SUCCEEDED(connected)) {
      EXPECT_NE(app.problems(), "") << name;
      continue;
    }
    raw::Statement stmt(app);
    SQLINTEGER value = 1;
    SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, SQL_C_LONG, SQL_INTEGER, 0, 0, &value, 0,
                     nullptr);
    SQLPrepare(stmt.handle, raw::text(std::string("INSERT INTO t VALUES (?)")), SQL_NTS);
    SQLExecute(stmt.handle);
    stmt.run("SELECT 1");
    SQLFetch(stmt.handle);
    SQLCancel(stmt.handle);
    EXPECT_LE(raw::diagnostics(SQL_HANDLE_STMT, stmt.handle).size(), 64u) << name;
    SQLEndTran(SQL_HANDLE_DBC, app.dbc, SQL_COMMIT);
  }
}

TEST(MockDriver, ADriverOfOdbc2IsReachedByItsOwnNames) {
  const MockDriver driver({"SQLAllocHandle", "SQLFreeHandle", "SQLEndTran", "SQLGetDiagRec",
                           "SQLGetDiagRecW", "SQLGetDiagField", "SQLGetDiagFieldW", "SQLSetEnvAttr",
                           "SQLGetEnvAttr", "SQLSetConnectAttr", "SQLSetConnectAttrW",
                           "SQLGetConnectAttr", "SQLGetConnectAttrW", "SQLSetStmtAttr",
                           "SQLSetStmtAttrW", "SQLGetStmtAttr", "SQLGetStmtAttrW", "SQLCloseCursor",
                           "SQLCancelHandle"});
  {
    raw::Connection app;
    ASSERT_TRUE(SQL_SUCCEEDED(app.connect(through(driver)))) << app.problems();
    EXPECT_EQ(SQLSetConnectAttr(app.dbc, SQL_ATTR_AUTOCOMMIT, nullptr, 0), SQL_SUCCESS);
    raw::Statement stmt(app);
    EXPECT_EQ(stmt.run("INSERT INTO t VALUES (1)"), SQL_SUCCESS) << stmt.problems();
    driver->once("ExecDirect", mock::returns(SQL_ERROR, {told("23000", "twice")}));
    EXPECT_EQ(stmt.run("INSERT INTO t VALUES (1)"), SQL_ERROR);
    EXPECT_NE(stmt.problems().find("twice"), std::string::npos) << stmt.problems();
    EXPECT_EQ(SQLEndTran(SQL_HANDLE_DBC, app.dbc, SQL_COMMIT), SQL_SUCCESS) << app.problems();
  }
  EXPECT_EQ(driver->committed(), std::vector<std::string>{"INSERT INTO t VALUES (1)"});
  for (const SQLSMALLINT type : {SQL_HANDLE_ENV, SQL_HANDLE_DBC, SQL_HANDLE_STMT}) {
    EXPECT_EQ(driver->live(type), 0u);
  }
  EXPECT_EQ(driver->misuses(), 0u);
}

TEST(MockDriver, ALibraryThatIsNoDriverIsRefusedByName) {
  const MockDriver driver({"SQLAllocHandle", "SQLAllocEnv"});
  raw::Connection app;
  EXPECT_EQ(app.connect(through(driver)), SQL_ERROR);
  EXPECT_NE(app.problems().find("not an ODBC driver"), std::string::npos) << app.problems();
}

// ---- allocation ----

TEST(MockDriver, ARefusedAllocationOfEachKindLeavesNoHandleAndTellsWhy) {
  for (const int refused : {0, 1, 2}) {
    const MockDriver driver;
    for (int i = 0; i < refused; ++i) driver->once("AllocHandle", mock::Answer{});
    driver->once("AllocHandle", mock::returns(SQL_ERROR, {told("HY001", "no memory")}));
    {
      raw::Connection app;
      const SQLRETURN connected = app.connect(through(driver));
      EXPECT_EQ(SQL_SUCCEEDED(connected), refused == 2) << refused;
      EXPECT_EQ(app.problems().empty(), refused == 2);
      if (refused == 2) {
        SQLHSTMT stmt = SQL_NULL_HSTMT;
        EXPECT_EQ(SQLAllocHandle(SQL_HANDLE_STMT, app.dbc, &stmt), SQL_ERROR);
        EXPECT_TRUE(stmt == nullptr);
        EXPECT_EQ(states(SQL_HANDLE_DBC, app.dbc), std::vector<std::string>{"HY001"});
      }
    }
    for (const SQLSMALLINT type : {SQL_HANDLE_ENV, SQL_HANDLE_DBC, SQL_HANDLE_STMT}) {
      EXPECT_EQ(driver->live(type), 0u) << "refused " << refused << ", kind " << type;
    }
    EXPECT_EQ(driver->misuses(), 0u);
  }
}

TEST(MockDriver, AfterARefusedAllocationTheNextConnectSucceeds) {
  const MockDriver driver;
  driver->once("AllocHandle", mock::returns(SQL_ERROR));
  raw::Connection app;
  EXPECT_EQ(app.connect(through(driver)), SQL_ERROR);
  EXPECT_EQ(app.connect(through(driver)), SQL_SUCCESS) << app.problems();
}

TEST(MockDriver, ARefusedExplicitDescriptorLeavesNoHandle) {
  const MockDriver driver;
  raw::Connection app;
  ASSERT_EQ(app.connect(through(driver)), SQL_SUCCESS);
  driver->once("AllocHandle", mock::returns(SQL_ERROR, {told("HY014", "too many")}));
  SQLHDESC desc = SQL_NULL_HDESC;
  EXPECT_EQ(SQLAllocHandle(SQL_HANDLE_DESC, app.dbc, &desc), SQL_ERROR);
  EXPECT_TRUE(desc == nullptr);
  EXPECT_EQ(driver->live(SQL_HANDLE_DESC), 0u);
  EXPECT_EQ(SQLAllocHandle(SQL_HANDLE_DESC, app.dbc, &desc), SQL_SUCCESS);
  EXPECT_EQ(SQLFreeHandle(SQL_HANDLE_DESC, desc), SQL_SUCCESS);
}

TEST(MockDriver, ASuccessWithoutAHandleIsARefusal) {
  const MockDriver driver;
  raw::Connection app;
  driver->always("AllocHandle", mock::returns(SQL_SUCCESS));
  EXPECT_EQ(app.connect(through(driver)), SQL_ERROR);
  EXPECT_NE(app.problems(), "");
  EXPECT_EQ(driver->misuses(), 0u);
}

TEST(MockDriver, AFailedConnectMayBeRepeatedOnTheSameHandle) {
  const MockDriver driver;
  for (int i = 0; i < 5; ++i) {
    driver->once("DriverConnect", mock::returns(SQL_ERROR, {told("08001", "no server")}));
  }
  {
    raw::Connection app;
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(app.connect(through(driver)), SQL_ERROR);
      EXPECT_NE(app.problems().find("no server"), std::string::npos) << app.problems();
    }
    EXPECT_EQ(app.connect(through(driver)), SQL_SUCCESS) << app.problems();
    EXPECT_EQ(driver->live(SQL_HANDLE_DBC), 1u);
  }
  EXPECT_EQ(driver->live(SQL_HANDLE_DBC), 0u);
}

TEST(MockDriver, ADisconnectThatFailsLeavesTheConnectionUsable) {
  const MockDriver driver;
  raw::Connection app;
  ASSERT_EQ(app.connect(through(driver)), SQL_SUCCESS);
  driver->once("Disconnect", mock::returns(SQL_ERROR, {told("25000", "a transaction is open")}));
  EXPECT_EQ(SQLDisconnect(app.dbc), SQL_ERROR);
  EXPECT_NE(app.problems().find("a transaction is open"), std::string::npos);
  raw::Statement stmt(app);
  EXPECT_EQ(stmt.run("UPDATE t SET a = 1"), SQL_SUCCESS);
}

TEST(MockDriver, AStatementThatCannotBeFreedStaysAHandle) {
  const MockDriver driver;
  raw::Connection app;
  ASSERT_EQ(app.connect(through(driver)), SQL_SUCCESS);
  SQLHSTMT stmt = SQL_NULL_HSTMT;
  ASSERT_EQ(SQLAllocHandle(SQL_HANDLE_STMT, app.dbc, &stmt), SQL_SUCCESS);
  driver->once("FreeHandle", mock::returns(SQL_ERROR, {told("HY010", "still executing")}));
  EXPECT_EQ(SQLFreeHandle(SQL_HANDLE_STMT, stmt), SQL_ERROR);
  EXPECT_EQ(SQLFreeHandle(SQL_HANDLE_STMT, stmt), SQL_SUCCESS);
  EXPECT_EQ(driver->live(SQL_HANDLE_STMT), 0u);
  EXPECT_EQ(driver->misuses(), 0u);
}

// ---- return codes and diagnostics ----

TEST(MockDriver, AReturnCodeThatOdbcDoesNotKnowIsPassedOnUnchanged) {
  const MockDriver driver;
  Direct direct(driver);
  for (const SQLRETURN code : {kUndefinedCode, SQLRETURN{-42}, SQLRETURN{SQL_INVALID_HANDLE},
                               SQLRETURN{SQL_NO_DATA}, SQLRETURN{SQL_STILL_EXECUTING}}) {
    for (const char* entry : {"ExecDirectW", "Execute", "Fetch", "PrepareW", "NumParams"}) {
      driver->once(entry, mock::returns(code));
    }
    EXPECT_EQ(shim().ExecDirectW(direct.stmt, some_wide_text(), SQL_NTS), code);
    EXPECT_EQ(shim().PrepareW(direct.stmt, some_wide_text(), SQL_NTS), code);
    EXPECT_EQ(shim().Execute(direct.stmt), code);
    EXPECT_EQ(shim().Fetch(direct.stmt), code);
    SQLSMALLINT count = 0;
    EXPECT_EQ(shim().NumParams(direct.stmt, &count), code);
  }
}

TEST(MockDriver, ManyDiagnosticsArriveInTheirOrder) {
  const MockDriver driver;
  raw::Connection app;
  ASSERT_EQ(app.connect(through(driver)), SQL_SUCCESS);
  std::vector<mock::Diagnostic> many;
  for (int i = 0; i < 200; ++i) many.push_back({"01000", i, "number " + std::to_string(i)});
  driver->once("ExecDirect", mock::returns(SQL_ERROR, many));
  raw::Statement stmt(app);
  EXPECT_EQ(stmt.run("UPDATE t SET a = 1"), SQL_ERROR);
  const auto seen = raw::diagnostics(SQL_HANDLE_STMT, stmt.handle);
  ASSERT_EQ(seen.size(), many.size());
  EXPECT_NE(seen[199].find("number 199"), std::string::npos) << seen[199];
}

TEST(MockDriver, DiagnosticsOfSqlErrorThatNeverEndAreTakenToALimit) {
  const MockDriver driver(
      {"SQLGetDiagRec", "SQLGetDiagRecW", "SQLGetDiagField", "SQLGetDiagFieldW"});
  driver->endless_diagnostics();
  raw::Connection app;
  ASSERT_EQ(app.connect(through(driver)), SQL_SUCCESS);
  driver->once("ExecDirect", mock::returns(SQL_ERROR, {told("42000", "again and again")}));
  raw::Statement stmt(app);
  EXPECT_EQ(stmt.run("UPDATE t SET a = 1"), SQL_ERROR);
  const auto seen = raw::diagnostics(SQL_HANDLE_STMT, stmt.handle);
  EXPECT_GE(seen.size(), 1u);
  EXPECT_LE(seen.size(), 64u);
}

TEST(MockDriver, ATextLengthThatLiesIsNotBelieved) {
  const MockDriver driver({"SQLGetCursorNameW", "SQLNativeSqlW"});
  Direct direct(driver);
  const auto lie = [](std::size_t length_at, auto length) {
    return [=](const mock::Call& call) {
      std::memcpy(&call.at<char>(1), "name", 5);
      call.at<decltype(length)>(length_at) = length;
    };
  };
  SQLWCHAR out[8];
  SQLSMALLINT length = 0;
  for (const SQLSMALLINT said : {SQLSMALLINT{-1}, SQLSMALLINT{-32768}, SQLSMALLINT{32767}}) {
    driver->always("GetCursorName", mock::only(lie(3, said)));
    const SQLRETURN ret = shim().GetCursorNameW(direct.stmt, out, 8, &length);
    EXPECT_TRUE(SQL_SUCCEEDED(ret)) << said;
    EXPECT_EQ(raw::from_wide(out).substr(0, 4), u"name") << said;
  }
}

// ---- asynchronous execution, cancel, threads ----

TEST(MockDriver, StillExecutingIsPassedOnUntilTheResultComes) {
  const MockDriver driver;
  raw::Connection app;
  ASSERT_EQ(app.connect(through(driver)), SQL_SUCCESS);
  raw::Statement stmt(app);
  for (int i = 0; i < 3; ++i) {
    driver->once("ExecDirect", mock::returns(SQL_STILL_EXECUTING));
  }
  SQLRETURN ret = SQL_STILL_EXECUTING;
  int asked = 0;
  while (ret == SQL_STILL_EXECUTING && asked < 10) {
    ++asked;
    ret = SQLExecDirect(stmt.handle, raw::text(std::string("UPDATE t SET a = 1")), SQL_NTS);
  }
  EXPECT_EQ(ret, SQL_SUCCESS);
  EXPECT_EQ(asked, 4);
  EXPECT_EQ(driver->committed().size(), 1u);
}

TEST(MockDriver, CancelFromAnotherThreadArrivesDuringTheExecution) {
  const MockDriver driver;
  raw::Connection app;
  ASSERT_EQ(app.connect(through(driver)), SQL_SUCCESS);
  raw::Statement stmt(app);
  driver->once("ExecDirect",
               mock::only(
                   [&](const mock::Call&) {
                     std::thread([&] { EXPECT_EQ(SQLCancel(stmt.handle), SQL_SUCCESS); }).join();
                   },
                   SQL_ERROR));
  EXPECT_EQ(stmt.run("UPDATE t SET a = 1"), SQL_ERROR);
  EXPECT_EQ(driver->calls("Cancel").size(), 1u);
}

TEST(MockDriver, ADriverMayCallItsApplicationBackFromAnotherThread) {
  const MockDriver driver;
  raw::Connection app;
  ASSERT_EQ(app.connect(through(driver)), SQL_SUCCESS);
  raw::Statement stmt(app);
  raw::Statement other(app);
  driver->once("ExecDirect", mock::works_after([&](const mock::Call&) {
                 std::thread([&] { EXPECT_EQ(other.run("SELECT 1"), SQL_SUCCESS); }).join();
               }));
  EXPECT_EQ(stmt.run("SELECT 2"), SQL_SUCCESS);
  EXPECT_EQ(driver->calls("ExecDirect").size(), 2u);
}

// ---- what is forwarded ----

TEST(MockDriver, TheConnectionStringArrivesUnchanged) {
  const MockDriver driver;
  raw::Connection app;
  const std::string target = through(driver, "UID=me;PWD={a;}}b};Odd=;");
  ASSERT_EQ(app.connect(target), SQL_SUCCESS);
  EXPECT_EQ(driver->calls("DriverConnect").at(0).text, target);
}

TEST(MockDriver, AttributesSetBeforeConnectingArriveBeforeTheConnect) {
  const MockDriver driver;
  raw::Connection app;
  SQLSetConnectAttr(app.dbc, SQL_ATTR_LOGIN_TIMEOUT, reinterpret_cast<SQLPOINTER>(9),
                    SQL_IS_UINTEGER);
  ASSERT_EQ(app.connect(through(driver)), SQL_SUCCESS);
  bool set = false;
  for (const mock::Call& call : driver->calls()) {
    if (call.entry == "SetConnectAttr" && call.values[1] == SQL_ATTR_LOGIN_TIMEOUT) {
      EXPECT_EQ(call.values[2], 9);
      set = true;
    }
    if (call.entry == "DriverConnect") break;
  }
  EXPECT_TRUE(set);
}

TEST(MockDriver, AnUnrecordedConnectionAsksTheServerNothingOfItsOwn) {
  const MockDriver driver;
  raw::Connection app;
  ASSERT_EQ(app.connect(through(driver)), SQL_SUCCESS);
  raw::Statement stmt(app);
  stmt.run("INSERT INTO t VALUES (1)");
  SQLEndTran(SQL_HANDLE_DBC, app.dbc, SQL_COMMIT);
  EXPECT_EQ(driver->calls("ExecDirect").size(), 1u);
  EXPECT_EQ(driver->calls("AllocHandle").size(), 3u);
}

// ---- recording ----

/// A migration that records what goes through a mock driver. Without a catalog every write is
/// opaque.
class Recording {
 public:
  explicit Recording(const MockDriver& driver, const Catalog& catalog = {}) {
    static int count = 0;
    name_ = "mock" + std::to_string(++count);
    OdbcEnvironment::shared().add_data_source(
        name_, {{"Driver", "Understudy Unicode"}, {"RealDriver", driver.path()}});
    map_ =
        must(SegmentMap::open_or_create(OdbcEnvironment::shared().home(), name_, kTestRingBytes));
    const Status reserved = map_->reserve_ring();
    if (!reserved.ok()) throw std::runtime_error(reserved.message());
    if (!catalog.tables.empty()) publish(catalog);
    turn(Mode::record);
  }
  ~Recording() { (void)SegmentMap::remove(OdbcEnvironment::shared().home(), name_); }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;
  void stop() { turn(Mode::idle); }
  [[nodiscard]] Mode mode() const { return mode_of(map_->header().mode_word); }
  [[nodiscard]] std::string target() const { return "DSN=" + name_ + ";"; }
  Seen drain() { return drained(*map_); }
  [[nodiscard]] std::uint64_t uncaptured() const { return map_->header().uncaptured; }
  /// Sessions that hold the gate or a mark; none may be left when nobody is in a transaction.
  [[nodiscard]] std::uint32_t writing() const {
    std::uint32_t count = 0;
    for (std::uint32_t i = 0; i < kSlotCount; ++i) {
      if (map_->slot(i).writing.load() != static_cast<std::uint32_t>(Writing::none)) ++count;
    }
    return count;
  }

 private:
  void turn(Mode mode) {
    auto& word = map_->header().mode_word;
    word = mode_word(mode, epoch_of(word) + 1);
  }
  void publish(const Catalog& catalog) {
    const std::string folder = OdbcEnvironment::shared().home() + "/" + name_;
    ::mkdir(folder.c_str(), 0750);
    const Status saved = catalog.save(folder + "/catalog");
    if (!saved.ok()) throw std::runtime_error(saved.message());
    map_->header().catalog_generation.fetch_add(1);
  }

  std::string name_;
  std::shared_ptr<SegmentMap> map_;
};

constexpr const char* kWrite = "UPDATE t SET a = 1";

TEST(MockDriverRecorded, ACommitThatFailsIsInDoubt) {
  const MockDriver driver;
  Recording recording(driver);
  Application app(recording.target());
  app.autocommit(false);
  RUN(app, kWrite);
  driver->once("EndTran", mock::returns(SQL_ERROR, {told("08S01", "lost")}));
  EXPECT_EQ(app.commit(), SQL_ERROR);
  EXPECT_EQ(states(SQL_HANDLE_DBC, app.dbc), std::vector<std::string>{"08S01"});
  EXPECT_EQ(app.commit(), SQL_SUCCESS);
  const Seen seen = recording.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(seen.transactions[0].outcome, Outcome::unknown);
  EXPECT_EQ(recording.writing(), 0u);
}

TEST(MockDriverRecorded, ACommitWithAnUndefinedCodeIsInDoubtAndPassedOn) {
  const MockDriver driver;
  Recording recording(driver);
  Application app(recording.target());
  app.autocommit(false);
  RUN(app, kWrite);
  driver->once("EndTran", mock::returns(kUndefinedCode));
  app.commit();
  const Seen seen = recording.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(seen.transactions[0].outcome, Outcome::unknown);
}

TEST(MockDriverRecorded, AnAutocommittedWriteIsCommittedOnceAndTheApplicationSeesAutocommit) {
  const MockDriver driver;
  Recording recording(driver);
  Application app(recording.target());
  RUN(app, kWrite);
  EXPECT_EQ(driver->committed(), std::vector<std::string>{kWrite});
  SQLUINTEGER value = 0;
  SQLGetConnectAttr(app.dbc, SQL_ATTR_AUTOCOMMIT, &value, 0, nullptr);
  EXPECT_EQ(value, static_cast<SQLUINTEGER>(SQL_AUTOCOMMIT_ON));
  EXPECT_EQ(recording.drain().texts(), std::vector<std::string>{kWrite});
}

TEST(MockDriverRecorded, ADeadConnectionLeavesNoRecordAndNoMark) {
  const MockDriver driver;
  Recording recording(driver);
  {
    Application app(recording.target());
    app.autocommit(false);
    RUN(app, kWrite);
    driver->die();
    EXPECT_EQ(run(app, kWrite), SQL_ERROR);
    EXPECT_EQ(app.rollback(), SQL_ERROR);
  }
  EXPECT_TRUE(recording.drain().transactions.empty());
  EXPECT_EQ(recording.writing(), 0u);
}

TEST(MockDriverRecorded, AnAsynchronousWriteIsOneExecution) {
  const MockDriver driver;
  Recording recording(driver);
  Application app(recording.target());
  raw::Statement stmt(app);
  for (const char* entry : {"ExecDirect", "ExecDirectW"}) {
    for (int i = 0; i < 3; ++i) driver->once(entry, mock::returns(SQL_STILL_EXECUTING));
  }
  SQLRETURN ret = SQL_STILL_EXECUTING;
  for (int asked = 0; ret == SQL_STILL_EXECUTING && asked < 10; ++asked) {
    ret = SQLExecDirect(stmt.handle, raw::text(std::string(kWrite)), SQL_NTS);
  }
  EXPECT_EQ(ret, SQL_SUCCESS) << stmt.problems();
  EXPECT_EQ(driver->committed(), std::vector<std::string>{kWrite});
  const Seen seen = recording.drain();
  EXPECT_EQ(seen.texts(), std::vector<std::string>{kWrite});
  EXPECT_EQ(recording.writing(), 0u);
}

TEST(MockDriverRecorded, CancelDuringARecordedWriteWaitsForNoLock) {
  const MockDriver driver;
  Recording recording(driver);
  Application app(recording.target());
  raw::Statement stmt(app);
  driver->once(
      "ExecDirect",
      mock::only([&](const mock::Call&) { std::thread([&] { SQLCancel(stmt.handle); }).join(); },
                 SQL_ERROR));
  EXPECT_EQ(stmt.run(kWrite), SQL_ERROR);
  EXPECT_EQ(driver->calls("Cancel").size(), 1u);
  EXPECT_TRUE(recording.drain().transactions.empty());
}

TEST(MockDriverRecorded, EachEntryMayMissWithoutACrash) {
  std::vector<std::string> names;
#define NAME(name) names.emplace_back("SQL" #name);
  UNDERSTUDY_PLAIN_ENTRIES(NAME)
  UNDERSTUDY_WIDE_ENTRIES(NAME)
#undef NAME
  for (const std::string& name : names) {
    const MockDriver driver({name});
    driver->info(SQL_DBMS_NAME, "PostgreSQL");
    Recording recording(driver);
    raw::Connection app;
    if (!SQL_SUCCEEDED(app.connect(recording.target()))) continue;
    {
      raw::Statement stmt(app);
      stmt.run(kWrite);
      driver->once("ExecDirect", mock::returns(SQL_ERROR));
      stmt.run(kWrite);
      stmt.run("SELECT 1");
      SQLPrepare(stmt.handle, raw::text(std::string(kWrite)), SQL_NTS);
      SQLExecute(stmt.handle);
      SQLEndTran(SQL_HANDLE_DBC, app.dbc, SQL_COMMIT);
    }
    EXPECT_EQ(driver->misuses(), 0u) << name;
  }
}

/// The catalog of a PostgreSQL database with one table whose key the server makes.
Catalog one_table() {
  Catalog catalog;
  catalog.dialect = Dialect::postgresql;
  catalog.search_path = {"public"};
  Table& table = catalog.tables.emplace_back();
  table.schema = "public";
  table.name = "items";
  Column id;
  id.name = "id";
  id.type = "integer";
  id.nullable = false;
  id.identity = true;
  id.default_kind = DefaultKind::computed;
  Column v;
  v.name = "v";
  v.type = "integer";
  table.columns = {id, v};
  table.key = {0};
  return catalog;
}

constexpr const char* kInsert = "INSERT INTO items (v) VALUES (7)";

/// The recorder asks for the row that an INSERT made: one row of three texts, the third the
/// server's transaction id.
void answer_as_postgresql(const MockDriver& driver) {
  driver->info(SQL_DBMS_NAME, "PostgreSQL");
  driver->leave("RETURNING", {{"id", "v", "txid"}, {{"1", "7", "900"}}, 1});
  driver->leave("if_assigned", {{"txid"}, {{"900"}}, 1});
  driver->leave("pg_settings", {{"settings"}, {{""}}, 1});
}

TEST(MockDriverRecorded, TheRowOfAnInsertIsReadFromTheStatementOfOurOwn) {
  const MockDriver driver;
  answer_as_postgresql(driver);
  Recording recording(driver, one_table());
  Application app(recording.target());
  RUN(app, kInsert);
  const Seen seen = recording.drain();
  ASSERT_EQ(seen.texts(), std::vector<std::string>{kInsert});
  ASSERT_EQ(seen.transactions[0].statements[0].effects.size(), 1u);
  EXPECT_EQ(seen.transactions[0].statements[0].effects[0].values, (Row{"1", "7"}));
  EXPECT_EQ(seen.transactions[0].head.server_txid, 900u);
}

TEST(MockDriverRecorded, AConnectionLostBeforeTheRowsAreReadLeavesNothingUncaptured) {
  for (const bool autocommit : {true, false}) {
    SCOPED_TRACE(autocommit);
    const MockDriver driver;
    answer_as_postgresql(driver);
    Recording recording(driver, one_table());
    {
      Application app(recording.target());
      app.autocommit(autocommit);
      driver->once("Fetch", mock::only([&](const mock::Call&) { driver->die(); }, SQL_ERROR));
      (void)run(app, kInsert);
      if (!autocommit) {
        EXPECT_EQ(app.commit(), SQL_ERROR);
      }
    }
    EXPECT_TRUE(recording.drain().transactions.empty());
    EXPECT_EQ(recording.uncaptured(), 0u);
    EXPECT_EQ(recording.writing(), 0u);
  }
}

TEST(MockDriverRecorded, AValueOverTheLimitRunsAndIsCounted) {
  const MockDriver driver;
  Recording recording(driver);
  Application app(recording.target());
  // Nobody reads it: neither this driver, nor we.
  constexpr std::size_t kBytes = kValueBytesMax + 1;
  void* value =
      ::mmap(nullptr, kBytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(value, MAP_FAILED);
  raw::Statement stmt(app);
  SQLLEN length = kBytes;
  SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, SQL_C_BINARY, SQL_LONGVARBINARY, kBytes, 0,
                   value, length, &length);
  EXPECT_EQ(stmt.run("UPDATE t SET a = ?"), SQL_SUCCESS) << stmt.problems();
  ::munmap(value, kBytes);
  const Seen seen = recording.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(seen.transactions[0].notes, std::vector<std::string>{"value-too-large"});
  EXPECT_EQ(recording.uncaptured(), 1u);
  EXPECT_EQ(recording.mode(), Mode::record);
}

TEST(MockDriverRecorded, AValueWhoseLengthLiesDoesNotFailTheApplicationsStatement) {
  for (const SQLLEN said : {SQLLEN{-7}, SQLLEN{1} << 60, std::numeric_limits<SQLLEN>::min()}) {
    const MockDriver driver;
    answer_as_postgresql(driver);
    Recording recording(driver, one_table());
    Application app(recording.target());
    driver->always("GetData", mock::only([said](const mock::Call& call) {
                     std::memcpy(&call.at<char>(3), "1", 2);
                     call.at<SQLLEN>(5) = said;
                   }));
    EXPECT_EQ(run(app, kInsert), SQL_SUCCESS) << said;
    driver->always("GetData", mock::Answer{});
    EXPECT_EQ(run(app, kWrite), SQL_SUCCESS) << said;
    SQLUINTEGER autocommit = 0;
    for (const mock::Call& call : driver->calls("SetConnectAttr")) {
      autocommit = static_cast<SQLUINTEGER>(call.values[2]);
    }
    EXPECT_EQ(autocommit, static_cast<SQLUINTEGER>(SQL_AUTOCOMMIT_ON)) << said;
    EXPECT_EQ(recording.writing(), 0u) << said;
  }
}

TEST(MockDriverRecorded, AnAsynchronousStatementIsRunToItsEnd) {
  const MockDriver driver;
  Recording recording(driver);
  Application app(recording.target());
  raw::Statement stmt(app);
  for (int i = 0; i < 2; ++i) driver->once("ExecDirect", mock::returns(SQL_STILL_EXECUTING));
  EXPECT_EQ(SQLExecDirect(stmt.handle, raw::text(std::string(kWrite)), SQL_NTS), SQL_SUCCESS);
  EXPECT_EQ(recording.drain().texts(), std::vector<std::string>{kWrite});
}

TEST(MockDriverRecorded, ADriverThatRefusesManualModeServesTheApplicationAndEndsRecording) {
  const MockDriver driver;
  Recording recording(driver);
  Application app(recording.target());
  driver->always("SetConnectAttr", mock::returns(SQL_ERROR, {told("HYC00", "only autocommit")}));
  RUN(app, kWrite);
  EXPECT_EQ(driver->committed(), std::vector<std::string>{kWrite});
  EXPECT_EQ(recording.mode(), Mode::invalid);
}

TEST(MockDriverRecorded, AnAutocommitThatCannotBeTurnedOnAgainIsNotForgotten) {
  const MockDriver driver;
  Recording recording(driver);
  Application app(recording.target());
  driver->once("SetConnectAttr", mock::Answer{});
  driver->once("SetConnectAttr", mock::returns(SQL_ERROR, {told("HY000", "not now")}));
  RUN(app, kWrite);
  recording.stop();
  RUN(app, "UPDATE t SET a = 2");
  EXPECT_EQ(driver->committed(), (std::vector<std::string>{kWrite, "UPDATE t SET a = 2"}));
}

// SQLite has ended the transaction by itself, and an SQLCancel that came late has met what was to
// find that out.
TEST(MockDriverRecorded, ATransactionThatHasEndedByItselfIsFoundOutWithTheNextStatement) {
  const MockDriver driver;
  driver->info(SQL_DBMS_NAME, "SQLite");
  Recording recording(driver);
  Application app(recording.target());
  RUN(app, kWrite);
  const mock::Answer refused =
      mock::returns(SQL_ERROR, {told("HY000", "no transaction is active")});
  driver->once("SetConnectAttr", mock::Answer{});
  driver->once("SetConnectAttr", refused);
  driver->once("SetConnectAttr", refused);
  for (int i = 0; i < 2; ++i) driver->once("ExecDirect", mock::Answer{});
  driver->once("ExecDirect", mock::returns(SQL_ERROR, {told("HY000", "interrupted")}));
  RUN(app, "UPDATE t SET a = 2");
  RUN(app, "UPDATE t SET a = 3");
  EXPECT_EQ(driver->committed().back(), "UPDATE t SET a = 3");
}

TEST(MockDriverRecorded, ACommitWithAWarningIsCommitted) {
  const MockDriver driver;
  Recording recording(driver);
  Application app(recording.target());
  app.autocommit(false);
  RUN(app, kWrite);
  driver->once("EndTran", mock::works_and_returns(SQL_SUCCESS_WITH_INFO, {told("01000", "slow")}));
  EXPECT_EQ(app.commit(), SQL_SUCCESS_WITH_INFO);
  EXPECT_EQ(recording.drain().transactions.at(0).outcome, Outcome::committed);
}

TEST(MockDriverRecorded, AWriteWithAWarningKeepsItsWarning) {
  const MockDriver driver;
  Recording recording(driver);
  Application app(recording.target());
  raw::Statement stmt(app);
  driver->once("ExecDirect",
               mock::works_and_returns(SQL_SUCCESS_WITH_INFO, {told("01004", "cut short")}));
  EXPECT_EQ(stmt.run(kWrite), SQL_SUCCESS_WITH_INFO);
  EXPECT_EQ(states(SQL_HANDLE_STMT, stmt.handle), std::vector<std::string>{"01004"});
  EXPECT_EQ(recording.drain().texts(), std::vector<std::string>{kWrite});
}

TEST(MockDriverRecorded, ARefusedStatementOfOurOwnStillGivesTheApplicationAnAnswer) {
  const MockDriver driver;
  answer_as_postgresql(driver);
  Recording recording(driver, one_table());
  Application app(recording.target());
  raw::Statement stmt(app);
  driver->always("AllocHandle", mock::returns(SQL_ERROR, {told("HY014", "too many statements")}));
  EXPECT_EQ(stmt.run(kInsert), SQL_SUCCESS) << stmt.problems();
  EXPECT_EQ(driver->misuses(), 0u);
}

TEST(MockDriverRecorded, AFailedCommitOfAnAutocommittedWriteKeepsItsDiagnostic) {
  const MockDriver driver;
  Recording recording(driver);
  Application app(recording.target());
  raw::Statement stmt(app);
  driver->once("EndTran", mock::returns(SQL_ERROR, {told("40001", "serialize")}));
  EXPECT_EQ(stmt.run(kWrite), SQL_ERROR);
  EXPECT_EQ(states(SQL_HANDLE_STMT, stmt.handle), std::vector<std::string>{"40001"});
  EXPECT_EQ(recording.drain().transactions.at(0).outcome, Outcome::unknown);
  EXPECT_EQ(stmt.run(kWrite), SQL_SUCCESS);
}

TEST(MockDriver, BrowsingGoesOnUntilTheDriverIsContent) {
  const MockDriver driver;
  driver->once("BrowseConnect", mock::returns(SQL_NEED_DATA));
  {
    raw::Connection app;
    const std::string first = through(driver);
    SQLCHAR out[64] = "";
    SQLSMALLINT length = 0;
    EXPECT_EQ(SQLBrowseConnect(app.dbc, raw::text(first), SQL_NTS, out, 64, &length),
              SQL_NEED_DATA);
    const std::string second = "UID=me";
    EXPECT_EQ(SQLBrowseConnect(app.dbc, raw::text(second), SQL_NTS, out, 64, &length), SQL_SUCCESS)
        << app.problems();
    app.connected = true;
    EXPECT_EQ(driver->calls("BrowseConnect").at(1).text, second);
    EXPECT_EQ(driver->live(SQL_HANDLE_DBC), 1u);
  }
  EXPECT_EQ(driver->live(SQL_HANDLE_DBC), 0u);
}

TEST(MockDriver, ABrowseThatIsGivenUpLeavesNoHandle) {
  const MockDriver driver;
  driver->once("BrowseConnect", mock::returns(SQL_NEED_DATA));
  {
    raw::Connection app;
    const std::string first = through(driver);
    SQLCHAR out[64] = "";
    SQLSMALLINT length = 0;
    EXPECT_EQ(SQLBrowseConnect(app.dbc, raw::text(first), SQL_NTS, out, 64, &length),
              SQL_NEED_DATA);
    EXPECT_EQ(SQLDisconnect(app.dbc), SQL_SUCCESS) << app.problems();
  }
  EXPECT_EQ(driver->live(SQL_HANDLE_DBC), 0u);
  EXPECT_EQ(driver->live(SQL_HANDLE_ENV), 0u);
}

}  // namespace
}  // namespace understudy
