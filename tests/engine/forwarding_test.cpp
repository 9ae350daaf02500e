// Without a migration the driver is a pass-through: what the application sees is what the real
// driver says.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "tests/engine/raw_odbc.h"
#include "tests/support/engines.h"

namespace understudy {
namespace {

using raw::Connection;
using raw::Statement;

enum class Engine { sqlite, postgresql };

/// One way from an application to an engine: through which of our libraries, and whether the
/// application connects with the W entry.
struct Way {
  std::string name;
  Engine engine;
  bool unicode;
  bool wide;
};

std::ostream& operator<<(std::ostream& out, const Way& way) {
  return out << way.name;
}

std::string real_driver(const Way& way) {
  if (way.engine == Engine::sqlite) return "SQLite3";
  return way.unicode ? "PostgreSQL Unicode" : "PostgreSQL ANSI";
}

std::string through(const Way& way) {
  return std::string("Driver={Understudy ") + (way.unicode ? "Unicode" : "ANSI") +
         "};RealDriver={" + real_driver(way) + "};";
}

/// A database of the test's own, reached both ways.
class ForwardingTest : public testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    OdbcEnvironment::shared();
    database_ = GetParam().engine == Engine::sqlite ? "Database=" + folder_.path() + "/test.db;"
                                                    : PostgresServer::shared().new_database();
  }
  [[nodiscard]] std::string bare() const {
    return "Driver={" + real_driver(GetParam()) + "};" + database_;
  }
  [[nodiscard]] std::string shim() const { return through(GetParam()) + database_; }
  static SQLRETURN open(Connection& connection, const std::string& target) {
    return GetParam().wide ? connection.connect_wide(target) : connection.connect(target);
  }
  /// What `work` writes down about a connection, both ways: the two have to be the same.
  template <class Work>
  void expect_parity(Work work) {
    std::string seen[2];
    const std::string targets[] = {bare(), shim()};
    for (int i = 0; i < 2; ++i) {
      Connection connection;
      ASSERT_TRUE(SQL_SUCCEEDED(open(connection, targets[i]))) << connection.problems();
      std::ostringstream out;
      work(connection, out);
      seen[i] = out.str();
    }
    EXPECT_EQ(seen[0], seen[1]);
    EXPECT_NE(seen[0], "");
  }

  TempDir folder_;
  std::string database_;
};

INSTANTIATE_TEST_SUITE_P(
    Ways, ForwardingTest,
    testing::Values(Way{"SqliteUnicodeNarrow", Engine::sqlite, true, false},
                    Way{"SqliteUnicodeWide", Engine::sqlite, true, true},
                    Way{"SqliteAnsiNarrow", Engine::sqlite, false, false},
                    Way{"PostgresUnicodeNarrow", Engine::postgresql, true, false},
                    Way{"PostgresUnicodeWide", Engine::postgresql, true, true},
                    Way{"PostgresAnsiNarrow", Engine::postgresql, false, false}),
    [](const auto& one) { return one.param.name; });

void note(std::ostream& out, const char* what, SQLRETURN ret, const Statement& stmt) {
  out << what << " " << ret;
  if (ret != SQL_SUCCESS) out << " " << stmt.problems();
  out << "\n";
}

void note_rows(std::ostream& out, Statement& stmt) {
  SQLSMALLINT columns = 0;
  note(out, "columns", SQLNumResultCols(stmt.handle, &columns), stmt);
  for (SQLRETURN ret = SQL_SUCCESS; (ret = SQLFetch(stmt.handle)) == SQL_SUCCESS;) {
    for (SQLSMALLINT i = 1; i <= columns; ++i) {
      SQLCHAR value[200] = "";
      SQLLEN length = -7;
      ret = SQLGetData(stmt.handle, static_cast<SQLUSMALLINT>(i), SQL_C_CHAR, value, sizeof(value),
                       &length);
      out << ret << ":" << length << ":" << (length < 0 ? "" : reinterpret_cast<char*>(value))
          << " ";
    }
    out << "\n";
  }
}

// One value of each C type an application is likely to bind.
struct Values {
  SQLINTEGER number = -70000;
  SQLBIGINT big = 9000000000000LL;
  SQLSMALLINT small = 12;
  double real = 0.1;
  SQLCHAR text[20] = "it's text";
  unsigned char bytes[4] = {0, 1, 0xFE, 0xFF};
  SQL_DATE_STRUCT date{2024, 2, 29};
  SQL_TIMESTAMP_STRUCT stamp{2024, 2, 29, 23, 59, 58, 123000000};
  unsigned char bit = 1;
  SQLWCHAR wide[4] = {0x20AC, 0xD83D, 0xDE00, 0};
  SQLLEN lengths[11] = {0, 0, 0, 0, SQL_NTS, 4, 0, 0, 0, SQL_NTS, SQL_NULL_DATA};

  void bind(SQLHSTMT stmt, bool with_wide) {
    const auto one = [&](SQLUSMALLINT n, SQLSMALLINT c_type, SQLSMALLINT sql_type, SQLULEN size,
                         SQLSMALLINT digits, SQLPOINTER value, SQLLEN capacity) {
      ASSERT_EQ(SQLBindParameter(stmt, n, SQL_PARAM_INPUT, c_type, sql_type, size, digits, value,
                                 capacity, &lengths[n - 1]),
                SQL_SUCCESS);
    };
    one(1, SQL_C_SLONG, SQL_INTEGER, 10, 0, &number, 0);
    one(2, SQL_C_SBIGINT, SQL_BIGINT, 19, 0, &big, 0);
    one(3, SQL_C_SSHORT, SQL_SMALLINT, 5, 0, &small, 0);
    one(4, SQL_C_DOUBLE, SQL_DOUBLE, 15, 0, &real, 0);
    one(5, SQL_C_CHAR, SQL_VARCHAR, 20, 0, text, sizeof(text));
    one(6, SQL_C_BINARY, SQL_VARBINARY, 4, 0, bytes, sizeof(bytes));
    one(7, SQL_C_TYPE_DATE, SQL_TYPE_DATE, 10, 0, &date, 0);
    one(8, SQL_C_TYPE_TIMESTAMP, SQL_TYPE_TIMESTAMP, 23, 3, &stamp, 0);
    one(9, SQL_C_BIT, SQL_BIT, 1, 0, &bit, 0);
    if (with_wide) one(10, SQL_C_WCHAR, SQL_WVARCHAR, 20, 0, wide, sizeof(wide));
    if (!with_wide) one(10, SQL_C_CHAR, SQL_VARCHAR, 20, 0, text, sizeof(text));
    one(11, SQL_C_CHAR, SQL_VARCHAR, 20, 0, text, sizeof(text));
  }
};

TEST_P(ForwardingTest, RunsPreparedStatementsWithEveryCommonCType) {
  const bool sqlite = GetParam().engine == Engine::sqlite;
  expect_parity([&](Connection& connection, std::ostream& out) {
    Statement stmt(connection);
    stmt.run("DROP TABLE IF EXISTS v");
    note(out, "create",
         stmt.run(std::string("CREATE TABLE v (a int, b bigint, c smallint, d double precision, "
                              "e varchar(20), f ") +
                  (sqlite ? "blob" : "bytea") + ", g date, h timestamp, i " +
                  (sqlite ? "bit" : "boolean") + ", j varchar(20), k varchar(20))"),
         stmt);
    note(
        out, "prepare",
        SQLPrepare(stmt.handle, raw::text("INSERT INTO v VALUES (?,?,?,?,?,?,?,?,?,?,?)"), SQL_NTS),
        stmt);
    Values values;
    values.bind(stmt.handle, GetParam().unicode);
    SQLSMALLINT markers = 0;
    SQLNumParams(stmt.handle, &markers);
    out << markers << "\n";
    for (values.number = 1; values.number < 4; ++values.number) {
      SQLLEN rows = -5;
      note(out, "execute", SQLExecute(stmt.handle), stmt);
      SQLRowCount(stmt.handle, &rows);
      out << rows << "\n";
    }
    SQLFreeStmt(stmt.handle, SQL_RESET_PARAMS);
    note(out, "select", stmt.run("SELECT * FROM v ORDER BY a"), stmt);
    note_rows(out, stmt);
  });
}

TEST_P(ForwardingTest, ShowsTheDiagnosticsOfTheRealDriver) {
  expect_parity([](Connection& connection, std::ostream& out) {
    Statement stmt(connection);
    note(out, "syntax", stmt.run("SELECT frm nowhere wht"), stmt);
    stmt.run("DROP TABLE IF EXISTS u");
    stmt.run("CREATE TABLE u (a int PRIMARY KEY)");
    note(out, "first", stmt.run("INSERT INTO u VALUES (1)"), stmt);
    note(out, "second", stmt.run("INSERT INTO u VALUES (1)"), stmt);
    note(out, "fetch", SQLFetch(stmt.handle), stmt);
    note(out, "none", stmt.run("UPDATE u SET a = 2 WHERE a = 99"), stmt);
  });
}

TEST_P(ForwardingTest, AnswersInfoAndFunctionsAsTheRealDriver) {
  expect_parity([](Connection& connection, std::ostream& out) {
    for (const SQLUSMALLINT type :
         {SQL_DBMS_NAME, SQL_DBMS_VER, SQL_DRIVER_NAME, SQL_IDENTIFIER_QUOTE_CHAR, SQL_KEYWORDS,
          SQL_SEARCH_PATTERN_ESCAPE, SQL_CATALOG_TERM}) {
      SQLCHAR value[4096] = "";
      SQLSMALLINT length = -1;
      const SQLRETURN ret = SQLGetInfo(connection.dbc, type, value, sizeof(value), &length);
      out << type << " " << ret << " " << length << " " << value << "\n";
    }
    for (const SQLUSMALLINT type :
         {SQL_TXN_CAPABLE, SQL_CURSOR_COMMIT_BEHAVIOR, SQL_NULL_COLLATION}) {
      SQLUSMALLINT value = 0;
      SQLSMALLINT length = 0;
      out << SQLGetInfo(connection.dbc, type, &value, sizeof(value), &length) << " " << value
          << "\n";
    }
    std::array<SQLUSMALLINT, SQL_API_ODBC3_ALL_FUNCTIONS_SIZE> bitmap{};
    out << SQLGetFunctions(connection.dbc, SQL_API_ODBC3_ALL_FUNCTIONS, bitmap.data());
    // Ours to answer in any case, so that SQLError need not be exported.
    for (const int own : {SQL_API_SQLGETDIAGREC, SQL_API_SQLGETDIAGFIELD, SQL_API_SQLERROR}) {
      auto& word = bitmap[static_cast<std::size_t>(own >> 4)];
      word = static_cast<SQLUSMALLINT>(word & ~(1u << (own & 0xF)));
    }
    for (const SQLUSMALLINT word : bitmap) out << " " << word;
  });
}

TEST_P(ForwardingTest, AnswersCatalogQuestionsAndColumnDescriptions) {
  expect_parity([](Connection& connection, std::ostream& out) {
    Statement stmt(connection);
    stmt.run("DROP TABLE IF EXISTS described");
    stmt.run("CREATE TABLE described (first int PRIMARY KEY, second varchar(30))");
    const std::string table = "described";
    SQLCHAR* name = raw::text(table);
    SQLFreeStmt(stmt.handle, SQL_CLOSE);
    note(out, "columns", SQLColumns(stmt.handle, nullptr, 0, nullptr, 0, name, SQL_NTS, nullptr, 0),
         stmt);
    SQLSMALLINT columns = 0;
    SQLNumResultCols(stmt.handle, &columns);
    for (SQLUSMALLINT i = 1; i <= columns; ++i) {
      SQLCHAR label[100] = "";
      SQLSMALLINT length = 0, type = 0, digits = 0, nullable = 0;
      SQLULEN size = 0;
      note(out, "describe",
           SQLDescribeCol(stmt.handle, i, label, sizeof(label), &length, &type, &size, &digits,
                          &nullable),
           stmt);
      SQLCHAR attribute[100] = "";
      SQLLEN number = 0;
      note(out, "attribute",
           SQLColAttribute(stmt.handle, i, SQL_DESC_TYPE_NAME, attribute, sizeof(attribute),
                           &length, &number),
           stmt);
      out << label << " " << type << " " << size << " " << digits << " " << nullable << " "
          << attribute << "\n";
    }
    SQLFreeStmt(stmt.handle, SQL_CLOSE);
    note(out, "keys", SQLPrimaryKeys(stmt.handle, nullptr, 0, nullptr, 0, name, SQL_NTS), stmt);
    note_rows(out, stmt);
    SQLFreeStmt(stmt.handle, SQL_CLOSE);
    note(out, "types", SQLGetTypeInfo(stmt.handle, SQL_INTEGER), stmt);
    note_rows(out, stmt);
  });
}

TEST_P(ForwardingTest, BringsAttributesSetBeforeConnectingToTheRealDriver) {
  {
    Connection maker;
    ASSERT_TRUE(SQL_SUCCEEDED(open(maker, shim()))) << maker.problems();
    Statement stmt(maker);
    ASSERT_EQ(stmt.run("CREATE TABLE kept (a int)"), SQL_SUCCESS) << stmt.problems();
  }
  Connection connection;
  SQLSetConnectAttr(connection.dbc, SQL_ATTR_AUTOCOMMIT,
                    reinterpret_cast<SQLPOINTER>(SQL_AUTOCOMMIT_OFF), SQL_IS_UINTEGER);
  ASSERT_TRUE(SQL_SUCCEEDED(open(connection, shim()))) << connection.problems();
  SQLUINTEGER autocommit = 7;
  SQLGetConnectAttr(connection.dbc, SQL_ATTR_AUTOCOMMIT, &autocommit, sizeof(autocommit), nullptr);
  EXPECT_EQ(autocommit, SQLUINTEGER{SQL_AUTOCOMMIT_OFF});
  Statement stmt(connection);
  EXPECT_EQ(stmt.run("INSERT INTO kept VALUES (1)"), SQL_SUCCESS) << stmt.problems();
  EXPECT_EQ(SQLEndTran(SQL_HANDLE_DBC, connection.dbc, SQL_ROLLBACK), SQL_SUCCESS);
  EXPECT_EQ(stmt.scalar("SELECT count(*) FROM kept"), "0");
}

TEST_P(ForwardingTest, CommitsAndRollsBack) {
  expect_parity([](Connection& connection, std::ostream& out) {
    Statement stmt(connection);
    stmt.run("DROP TABLE IF EXISTS t");
    stmt.run("CREATE TABLE t (a int)");
    SQLSetConnectAttr(connection.dbc, SQL_ATTR_AUTOCOMMIT, nullptr, SQL_IS_UINTEGER);
    note(out, "insert", stmt.run("INSERT INTO t VALUES (1)"), stmt);
    out << SQLEndTran(SQL_HANDLE_DBC, connection.dbc, SQL_COMMIT);
    note(out, "insert", stmt.run("INSERT INTO t VALUES (2)"), stmt);
    out << SQLEndTran(SQL_HANDLE_DBC, connection.dbc, SQL_ROLLBACK);
    out << stmt.scalar("SELECT count(*) FROM t") << "\n";
  });
}

TEST_P(ForwardingTest, LeavesOneHandleOfEachKindPerAllocation) {
  Connection connection;
  ASSERT_TRUE(SQL_SUCCEEDED(open(connection, shim()))) << connection.problems();
  for (int i = 0; i < 1000; ++i) {
    Statement stmt(connection);
    SQLHDESC descriptor = SQL_NULL_HDESC;
    ASSERT_TRUE(SQL_SUCCEEDED(
        SQLGetStmtAttr(stmt.handle, SQL_ATTR_APP_ROW_DESC, &descriptor, SQL_IS_POINTER, nullptr)));
    ASSERT_NE(descriptor, nullptr);
  }
}

TEST_P(ForwardingTest, TellsWhyTheRealDriverCannotConnectAndConnectsAtTheNextTry) {
  const bool sqlite = GetParam().engine == Engine::sqlite;
  const std::string nowhere =
      sqlite ? "Database=/nowhere/at/all.db;" : "Server=127.0.0.1;Port=1;Uid=x;Database=x;";
  std::string seen[2];
  const std::string drivers[] = {"Driver={" + real_driver(GetParam()) + "};", through(GetParam())};
  for (int i = 0; i < 2; ++i) {
    Connection connection;
    EXPECT_EQ(open(connection, drivers[i] + nowhere), SQL_ERROR);
    seen[i] = connection.problems();
    EXPECT_TRUE(SQL_SUCCEEDED(open(connection, drivers[i] + database_))) << connection.problems();
  }
  EXPECT_EQ(seen[0], seen[1]);
  EXPECT_NE(seen[0], "");
}

TEST_P(ForwardingTest, TakesDataAtExecution) {
  expect_parity([](Connection& connection, std::ostream& out) {
    Statement stmt(connection);
    stmt.run("DROP TABLE IF EXISTS late");
    stmt.run("CREATE TABLE late (a int, b varchar(100))");
    SQLINTEGER number = 4;
    SQLLEN late = SQL_DATA_AT_EXEC;
    char token = 0;
    SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, SQL_C_SLONG, SQL_INTEGER, 10, 0, &number, 0,
                     nullptr);
    SQLBindParameter(stmt.handle, 2, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_VARCHAR, 100, 0, &token, 0,
                     &late);
    out << stmt.run("INSERT INTO late VALUES (?, ?)");
    SQLPOINTER wanted = nullptr;
    out << SQLParamData(stmt.handle, &wanted) << (wanted == &token);
    out << SQLPutData(stmt.handle, raw::text("first "), 6);
    out << SQLPutData(stmt.handle, raw::text("second"), 6);
    note(out, "done", SQLParamData(stmt.handle, &wanted), stmt);
    SQLFreeStmt(stmt.handle, SQL_RESET_PARAMS);
    out << stmt.scalar("SELECT b FROM late WHERE a = 4");
  });
}

TEST_P(ForwardingTest, RunsArraysOfParameters) {
  expect_parity([](Connection& connection, std::ostream& out) {
    Statement stmt(connection);
    stmt.run("DROP TABLE IF EXISTS many");
    stmt.run("CREATE TABLE many (a int PRIMARY KEY)");
    SQLINTEGER numbers[] = {1, 2, 3, 2, 5};
    SQLUSMALLINT states[5] = {9, 9, 9, 9, 9};
    SQLULEN processed = 77;
    out << SQLSetStmtAttr(stmt.handle, SQL_ATTR_PARAMSET_SIZE, reinterpret_cast<SQLPOINTER>(5), 0)
        << SQLSetStmtAttr(stmt.handle, SQL_ATTR_PARAM_STATUS_PTR, states, 0)
        << SQLSetStmtAttr(stmt.handle, SQL_ATTR_PARAMS_PROCESSED_PTR, &processed, 0);
    SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, SQL_C_SLONG, SQL_INTEGER, 10, 0, numbers, 0,
                     nullptr);
    note(out, "execute", stmt.run("INSERT INTO many VALUES (?)"), stmt);
    for (const SQLUSMALLINT state : states) out << state << " ";
    out << processed << "\n";
    Statement count(connection);
    out << count.scalar("SELECT count(*) FROM many");
  });
}

TEST_P(ForwardingTest, ServesApplicationsOfEveryVersionOfOdbc) {
  for (const SQLINTEGER version : {2, 3, 380}) {
    std::string seen[2];
    const std::string targets[] = {bare(), shim()};
    for (int i = 0; i < 2; ++i) {
      Connection connection(version);
      ASSERT_TRUE(SQL_SUCCEEDED(open(connection, targets[i]))) << connection.problems();
      std::ostringstream out;
      Statement stmt(connection);
      stmt.run("DROP TABLE IF EXISTS dated");
      note(out, "create", stmt.run("CREATE TABLE dated (d date, t timestamp)"), stmt);
      note(out, "select", stmt.run("SELECT d, t FROM dated"), stmt);
      for (SQLUSMALLINT column : {1, 2}) {
        SQLSMALLINT type = 0;
        SQLDescribeCol(stmt.handle, column, nullptr, 0, nullptr, &type, nullptr, nullptr, nullptr);
        out << type << "\n";
      }
      note(out, "syntax", stmt.run("SELEC"), stmt);
      seen[i] = out.str();
    }
    EXPECT_EQ(seen[0], seen[1]) << "version " << version;
  }
}

TEST_P(ForwardingTest, AnswersTheCallsOfOdbc2) {
  expect_parity([](Connection& connection, std::ostream& out) {
    Statement stmt(connection);
    stmt.run("DROP TABLE IF EXISTS old");
    stmt.run("CREATE TABLE old (a int)");
    out << SQLSetConnectOption(connection.dbc, SQL_AUTOCOMMIT, SQL_AUTOCOMMIT_OFF);
    SQLUINTEGER autocommit = 9;
    out << SQLGetConnectOption(connection.dbc, SQL_AUTOCOMMIT, &autocommit) << autocommit;
    SQLINTEGER number = 8;
    SQLLEN length = 0;
    out << SQLPrepare(stmt.handle, raw::text("INSERT INTO old VALUES (?)"), SQL_NTS);
    out << SQLSetParam(stmt.handle, 1, SQL_C_SLONG, SQL_INTEGER, 10, 0, &number, &length);
    note(out, "execute", SQLExecute(stmt.handle), stmt);
    out << SQLTransact(connection.env, connection.dbc, SQL_COMMIT);
    SQLFreeStmt(stmt.handle, SQL_RESET_PARAMS);
    out << SQLSetStmtOption(stmt.handle, SQL_QUERY_TIMEOUT, 7);
    SQLULEN timeout = 0;
    out << SQLGetStmtOption(stmt.handle, SQL_QUERY_TIMEOUT, &timeout) << timeout;
    out << stmt.run("SELECT a FROM old");
    SQLCHAR name[20] = "";
    SQLSMALLINT got = 0;
    SQLLEN value = 0;
    out << SQLColAttributes(stmt.handle, 1, SQL_COLUMN_NAME, name, sizeof(name), &got, &value)
        << name;
    SQLULEN rows = 0;
    SQLUSMALLINT states[1] = {9};
    out << SQLExtendedFetch(stmt.handle, SQL_FETCH_NEXT, 1, &rows, states) << rows << states[0];
  });
}

// ---- what only one engine or one way can show ----

Way postgres_unicode() {
  return {"", Engine::postgresql, true, true};
}

TEST(Forwarding, CarriesWideTextsToPostgresAndBack) {
  Connection connection;
  ASSERT_TRUE(SQL_SUCCEEDED(connection.connect_wide(through(postgres_unicode()) +
                                                    PostgresServer::shared().new_database())))
      << connection.problems();
  Statement stmt(connection);
  const std::u16string text = u"gr\u00fc\u00df\u20ac\U0001F600";
  ASSERT_EQ(stmt.run(u"SELECT '" + text + u"' AS \"n\u00e4me\""), SQL_SUCCESS) << stmt.problems();
  SQLWCHAR name[20] = {};
  SQLSMALLINT length = 0;
  ASSERT_EQ(SQLDescribeColW(stmt.handle, 1, name, 20, &length, nullptr, nullptr, nullptr, nullptr),
            SQL_SUCCESS);
  EXPECT_EQ(raw::from_wide(name), u"n\u00e4me");
  ASSERT_EQ(SQLFetch(stmt.handle), SQL_SUCCESS);
  SQLWCHAR value[20] = {};
  SQLLEN bytes = 0;
  ASSERT_EQ(SQLGetData(stmt.handle, 1, SQL_C_WCHAR, value, sizeof(value), &bytes), SQL_SUCCESS);
  EXPECT_EQ(raw::from_wide(value), text);
  EXPECT_EQ(bytes, static_cast<SQLLEN>(text.size() * 2));
}

/// The Unicode library in front of a driver that has only plain entries.
class NarrowedTest : public testing::Test {
 protected:
  void SetUp() override {
    OdbcEnvironment::shared();
    const std::string target =
        "Driver={Understudy Unicode};RealDriver=SQLite3;Database=" + folder_.path() + "/test.db;";
    ASSERT_TRUE(SQL_SUCCEEDED(connection_.connect_wide(target))) << connection_.problems();
  }
  TempDir folder_;
  Connection connection_;
};

TEST_F(NarrowedTest, ConvertsStatementTextsBothWays) {
  Statement stmt(connection_);
  const std::u16string text = u"gr\u00fc\u00df\u20ac\U0001F600";
  ASSERT_EQ(stmt.run(u"SELECT '" + text + u"' AS \"n\u00e4me\""), SQL_SUCCESS) << stmt.problems();
  SQLWCHAR name[20] = {};
  SQLSMALLINT length = 0;
  ASSERT_EQ(SQLDescribeColW(stmt.handle, 1, name, 20, &length, nullptr, nullptr, nullptr, nullptr),
            SQL_SUCCESS);
  EXPECT_EQ(raw::from_wide(name), u"n\u00e4me");
  EXPECT_EQ(length, 4);
  ASSERT_EQ(SQLFetch(stmt.handle), SQL_SUCCESS);
  SQLWCHAR value[20] = {};
  SQLLEN bytes = 0;
  ASSERT_EQ(SQLGetData(stmt.handle, 1, SQL_C_WCHAR, value, sizeof(value), &bytes), SQL_SUCCESS);
  EXPECT_EQ(raw::from_wide(value), text);
}

TEST_F(NarrowedTest, ConvertsPreparedTexts) {
  Statement stmt(connection_);
  const std::u16string sql = u"SELECT '\u20ac' || ?";
  ASSERT_EQ(SQLPrepareW(stmt.handle, raw::text(sql), static_cast<SQLINTEGER>(sql.size())),
            SQL_SUCCESS)
      << stmt.problems();
  SQLCHAR more[] = "x";
  SQLLEN length = 1;
  SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_VARCHAR, 1, 0, more, 2,
                   &length);
  ASSERT_EQ(SQLExecute(stmt.handle), SQL_SUCCESS) << stmt.problems();
  ASSERT_EQ(SQLFetch(stmt.handle), SQL_SUCCESS);
  SQLWCHAR value[20] = {};
  ASSERT_EQ(SQLGetData(stmt.handle, 1, SQL_C_WCHAR, value, sizeof(value), nullptr), SQL_SUCCESS);
  EXPECT_EQ(raw::from_wide(value), u"\u20acx");
}

TEST_F(NarrowedTest, RefusesTextsThatAreNotUtf16) {
  Statement stmt(connection_);
  const std::u16string broken = {u'S', 0xD800, u'x'};
  EXPECT_EQ(stmt.run(broken), SQL_ERROR);
  EXPECT_EQ(raw::diagnostics(SQL_HANDLE_STMT, stmt.handle).size(), 1u) << stmt.problems();
}

TEST_F(NarrowedTest, CutsTextsAtUnitsAndWarns) {
  Statement stmt(connection_);
  ASSERT_EQ(stmt.run(u"SELECT 1 AS \"\u20ac\u20ac\u20ac\u20ac\""), SQL_SUCCESS);
  SQLWCHAR name[3] = {7, 7, 7};
  SQLSMALLINT length = 0;
  EXPECT_EQ(SQLDescribeColW(stmt.handle, 1, name, 3, &length, nullptr, nullptr, nullptr, nullptr),
            SQL_SUCCESS_WITH_INFO);
  EXPECT_EQ(raw::from_wide(name), u"\u20ac\u20ac");
  EXPECT_EQ(length, 4);
  EXPECT_EQ(stmt.problems().substr(0, 5), "01004");
}

TEST_F(NarrowedTest, CountsLengthsOfInfoTextsInBytes) {
  SQLWCHAR name[100] = {};
  SQLSMALLINT bytes = 0;
  ASSERT_EQ(SQLGetInfoW(connection_.dbc, SQL_DBMS_NAME, name, sizeof(name), &bytes), SQL_SUCCESS);
  EXPECT_EQ(raw::from_wide(name), u"SQLite");
  EXPECT_EQ(bytes, 12);
}

TEST_F(NarrowedTest, AnswersCatalogFunctionsWithWideNames) {
  Statement stmt(connection_);
  ASSERT_EQ(stmt.run(u"CREATE TABLE \"stra\u00dfe\" (nr int)"), SQL_SUCCESS) << stmt.problems();
  const std::u16string name = u"stra\u00dfe";
  SQLFreeStmt(stmt.handle, SQL_CLOSE);
  ASSERT_EQ(SQLColumnsW(stmt.handle, nullptr, 0, nullptr, 0, raw::text(name), SQL_NTS, nullptr, 0),
            SQL_SUCCESS)
      << stmt.problems();
  ASSERT_EQ(SQLFetch(stmt.handle), SQL_SUCCESS);
  SQLWCHAR column[20] = {};
  ASSERT_EQ(SQLGetData(stmt.handle, 4, SQL_C_WCHAR, column, sizeof(column), nullptr), SQL_SUCCESS);
  EXPECT_EQ(raw::from_wide(column), u"nr");
}

TEST_F(NarrowedTest, TellsDiagnosticsInUtf16) {
  Statement stmt(connection_);
  ASSERT_EQ(stmt.run(u"SELECT \u00e4\u00f6\u00fc"), SQL_ERROR);
  SQLWCHAR state[6] = {};
  SQLWCHAR message[200] = {};
  SQLINTEGER native = 0;
  SQLSMALLINT length = 0;
  ASSERT_EQ(SQLGetDiagRecW(SQL_HANDLE_STMT, stmt.handle, 1, state, &native, message, 200, &length),
            SQL_SUCCESS);
  EXPECT_NE(raw::from_wide(message).find(u"\u00e4\u00f6\u00fc"), std::u16string::npos);
  EXPECT_EQ(length, static_cast<SQLSMALLINT>(raw::from_wide(message).size()));
  EXPECT_EQ(SQLGetDiagRecW(SQL_HANDLE_STMT, stmt.handle, 2, state, &native, message, 200, &length),
            SQL_NO_DATA);
}

TEST_F(NarrowedTest, ReturnsTheCompletedConnectionString) {
  Connection connection;
  const std::u16string target = raw::widened(
      "Driver={Understudy Unicode};RealDriver=SQLite3;Database=" + folder_.path() + "/other.db;");
  SQLWCHAR completed[1024] = {};
  SQLSMALLINT length = 0;
  ASSERT_TRUE(SQL_SUCCEEDED(SQLDriverConnectW(connection.dbc, nullptr, raw::text(target), SQL_NTS,
                                              completed, 1024, &length, SQL_DRIVER_NOPROMPT)));
  connection.connected = true;
  EXPECT_EQ(length, static_cast<SQLSMALLINT>(raw::from_wide(completed).size()));
  EXPECT_NE(raw::from_wide(completed).find(u"other.db"), std::u16string::npos);
}

// ---- descriptors ----

class DescriptorTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    OdbcEnvironment::shared();
    Way way = postgres_unicode();
    way.unicode = GetParam();
    const std::string target = through(way) + PostgresServer::shared().new_database();
    ASSERT_TRUE(SQL_SUCCEEDED(connection_.connect(target))) << connection_.problems();
    ASSERT_EQ(SQLAllocHandle(SQL_HANDLE_DESC, connection_.dbc, &shared_), SQL_SUCCESS);
  }
  void TearDown() override {
    if (shared_ != SQL_NULL_HDESC) SQLFreeHandle(SQL_HANDLE_DESC, shared_);
  }
  static SQLRETURN use(Statement& stmt, SQLINTEGER which, SQLHDESC descriptor) {
    return SQLSetStmtAttr(stmt.handle, which, descriptor, SQL_IS_POINTER);
  }
  static SQLHDESC used(Statement& stmt, SQLINTEGER which) {
    SQLHDESC descriptor = SQL_NULL_HDESC;
    SQLGetStmtAttr(stmt.handle, which, &descriptor, SQL_IS_POINTER, nullptr);
    return descriptor;
  }
  Connection connection_;
  SQLHDESC shared_ = SQL_NULL_HDESC;
};

INSTANTIATE_TEST_SUITE_P(Libraries, DescriptorTest, testing::Bool(),
                         [](const auto& one) { return one.param ? "Unicode" : "Ansi"; });

TEST_P(DescriptorTest, ServesTwoStatementsWithOneSetOfColumns) {
  Statement first(connection_);
  Statement second(connection_);
  ASSERT_EQ(use(first, SQL_ATTR_APP_ROW_DESC, shared_), SQL_SUCCESS) << first.problems();
  ASSERT_EQ(use(second, SQL_ATTR_APP_ROW_DESC, shared_), SQL_SUCCESS) << second.problems();
  SQLINTEGER value = 0;
  SQLLEN length = 0;
  ASSERT_EQ(SQLBindCol(first.handle, 1, SQL_C_SLONG, &value, 0, &length), SQL_SUCCESS);
  ASSERT_EQ(first.run("SELECT 11"), SQL_SUCCESS);
  ASSERT_EQ(SQLFetch(first.handle), SQL_SUCCESS);
  EXPECT_EQ(value, 11);
  ASSERT_EQ(second.run("SELECT 22"), SQL_SUCCESS);
  ASSERT_EQ(SQLFetch(second.handle), SQL_SUCCESS);
  EXPECT_EQ(value, 22);
}

TEST_P(DescriptorTest, ServesTwoStatementsWithOneSetOfParameters) {
  Statement first(connection_);
  Statement second(connection_);
  for (Statement* stmt : {&first, &second}) {
    ASSERT_EQ(use(*stmt, SQL_ATTR_APP_PARAM_DESC, shared_), SQL_SUCCESS) << stmt->problems();
  }
  SQLINTEGER value = 41;
  SQLLEN length = 0;
  ASSERT_EQ(SQLBindParameter(first.handle, 1, SQL_PARAM_INPUT, SQL_C_SLONG, SQL_INTEGER, 10, 0,
                             &value, 0, &length),
            SQL_SUCCESS);
  EXPECT_EQ(first.scalar("SELECT ? + 1"), "42");
}

// The driver manager's own answer to SQLGetStmtAttr stays the explicit one; what counts is where
// the real driver puts the bindings.
TEST_P(DescriptorTest, GivesTheImplicitOneBackForNull) {
  Statement first(connection_);
  Statement second(connection_);
  ASSERT_EQ(use(first, SQL_ATTR_APP_ROW_DESC, shared_), SQL_SUCCESS);
  ASSERT_EQ(use(second, SQL_ATTR_APP_ROW_DESC, shared_), SQL_SUCCESS);
  ASSERT_EQ(use(first, SQL_ATTR_APP_ROW_DESC, SQL_NULL_HDESC), SQL_SUCCESS);
  SQLINTEGER own = 0;
  SQLINTEGER of_shared = 0;
  ASSERT_EQ(SQLBindCol(first.handle, 1, SQL_C_SLONG, &own, 0, nullptr), SQL_SUCCESS);
  ASSERT_EQ(SQLBindCol(second.handle, 1, SQL_C_SLONG, &of_shared, 0, nullptr), SQL_SUCCESS);
  ASSERT_EQ(first.run("SELECT 33"), SQL_SUCCESS);
  ASSERT_EQ(SQLFetch(first.handle), SQL_SUCCESS);
  EXPECT_EQ(own, 33);
  EXPECT_EQ(of_shared, 0);
}

TEST_P(DescriptorTest, LeavesItsStatementsWhenItIsFreed) {
  Statement stmt(connection_);
  ASSERT_EQ(use(stmt, SQL_ATTR_APP_ROW_DESC, shared_), SQL_SUCCESS);
  ASSERT_EQ(SQLFreeHandle(SQL_HANDLE_DESC, shared_), SQL_SUCCESS);
  shared_ = SQL_NULL_HDESC;
  EXPECT_EQ(stmt.scalar("SELECT 5"), "5");
}

TEST_P(DescriptorTest, CopiesBetweenImplicitAndExplicit) {
  Statement stmt(connection_);
  SQLINTEGER value = 0;
  SQLLEN length = 0;
  ASSERT_EQ(SQLBindCol(stmt.handle, 1, SQL_C_SLONG, &value, 0, &length), SQL_SUCCESS);
  ASSERT_EQ(SQLCopyDesc(used(stmt, SQL_ATTR_APP_ROW_DESC), shared_), SQL_SUCCESS);
  SQLSMALLINT count = 0;
  ASSERT_EQ(SQLGetDescField(shared_, 0, SQL_DESC_COUNT, &count, 0, nullptr), SQL_SUCCESS);
  EXPECT_EQ(count, 1);
}

TEST_P(DescriptorTest, DescribesResultsInTheImplementationRowDescriptor) {
  Statement stmt(connection_);
  ASSERT_EQ(stmt.run("SELECT 1 AS first, 2 AS second"), SQL_SUCCESS);
  SQLSMALLINT count = 0;
  SQLCHAR name[20] = "";
  const SQLHDESC rows = used(stmt, SQL_ATTR_IMP_ROW_DESC);
  ASSERT_EQ(SQLGetDescField(rows, 0, SQL_DESC_COUNT, &count, 0, nullptr), SQL_SUCCESS);
  EXPECT_EQ(count, 2);
  ASSERT_EQ(SQLGetDescField(rows, 2, SQL_DESC_NAME, name, sizeof(name), nullptr), SQL_SUCCESS);
  EXPECT_STREQ(reinterpret_cast<char*>(name), "second");
}

// ---- configuration ----

void expect_one_problem(const std::string& target, const std::string& state,
                        const std::string& hint) {
  for (const bool wide : {false, true}) {
    Connection connection;
    const SQLRETURN ret = wide ? connection.connect_wide(target) : connection.connect(target);
    EXPECT_EQ(ret, SQL_ERROR) << target;
    const auto found = raw::diagnostics(SQL_HANDLE_DBC, connection.dbc);
    ASSERT_EQ(found.size(), 1u) << connection.problems();
    EXPECT_EQ(found[0].substr(0, 5), state) << found[0];
    EXPECT_NE(found[0].find(hint), std::string::npos) << found[0];
  }
}

TEST(Configuration, SaysWhereToNameTheRealDriver) {
  for (const char* driver : {"Understudy Unicode", "Understudy ANSI"}) {
    expect_one_problem(std::string("Driver={") + driver + "};Database=x", "IM003",
                       "set RealDriver to");
  }
}

TEST(Configuration, SaysWhyTheRealDriverCannotBeLoaded) {
  expect_one_problem("Driver={Understudy Unicode};RealDriver=/nowhere/driver.so", "IM003",
                     "/nowhere/driver.so");
  expect_one_problem("Driver={Understudy Unicode};RealDriver=no such section", "IM003",
                     "no such section");
}

TEST(Configuration, RefusesItselfAsTheRealDriver) {
  expect_one_problem("Driver={Understudy Unicode};RealDriver=Understudy Unicode", "IM003",
                     "is Understudy itself");
  expect_one_problem("Driver={Understudy ANSI};RealDriver=" UNDERSTUDYA_PATH, "IM003",
                     "is Understudy itself");
}

TEST(Configuration, RefusesALoopThroughTheOtherLibrary) {
  expect_one_problem("Driver={Understudy Unicode};RealDriver=Understudy ANSI", "IM003",
                     "is Understudy itself");
}

TEST(Configuration, RefusesValuesItDoesNotKnow) {
  expect_one_problem("Driver={Understudy ANSI};RealDriver=SQLite3;Order=sideways", "HY000",
                     "exact or window");
}

TEST(Configuration, ReadsItsKeysFromTheSectionOfTheDataSource) {
  const TempDir folder;
  OdbcEnvironment::shared().add_data_source("keys-of-dsn",
                                            {{"Driver", "Understudy Unicode"},
                                             {"RealDriver", "SQLite3"},
                                             {"Database", folder.path() + "/dsn.db"}});
  Connection connection;
  ASSERT_TRUE(SQL_SUCCEEDED(
      SQLConnect(connection.dbc, raw::text("keys-of-dsn"), SQL_NTS, nullptr, 0, nullptr, 0)))
      << connection.problems();
  connection.connected = true;
  Statement stmt(connection);
  EXPECT_EQ(stmt.scalar("SELECT 3"), "3");
}

TEST(Configuration, ReadsItsKeysFromTheSectionOfTheDriver) {
  OdbcEnvironment::shared().add_driver("Shop through Understudy",
                                       {{"Driver", UNDERSTUDYW_PATH}, {"RealDriver", "SQLite3"}});
  const TempDir folder;
  Connection connection;
  ASSERT_TRUE(SQL_SUCCEEDED(connection.connect(
      "Driver={Shop through Understudy};Database=" + folder.path() + "/section.db")))
      << connection.problems();
}

TEST(Configuration, LetsPostgresReadItsOwnKeysFromTheDataSource) {
  auto& server = PostgresServer::shared();
  server.new_database();
  OdbcEnvironment::shared().add_data_source("pg-keys", {{"Driver", "Understudy Unicode"},
                                                        {"RealDriver", "PostgreSQL Unicode"},
                                                        {"Servername", "127.0.0.1"},
                                                        {"Port", std::to_string(server.port())},
                                                        {"Username", "postgres"},
                                                        {"Database", "test1"}});
  const std::u16string name = u"pg-keys";
  Connection connection;
  ASSERT_TRUE(
      SQL_SUCCEEDED(SQLConnectW(connection.dbc, raw::text(name), SQL_NTS, nullptr, 0, nullptr, 0)))
      << connection.problems();
  connection.connected = true;
  Statement stmt(connection);
  EXPECT_EQ(stmt.scalar("SELECT current_database()"), "test1");
}

TEST(Configuration, WorksWithIsql) {
  const TempDir folder;
  const Finished done = run_program(
      {"isql", "-b", "-k",
       "Driver={Understudy Unicode};RealDriver=SQLite3;Database=" + folder.path() + "/isql.db"},
      "select 40 + 2 as answer;\n");
  EXPECT_NE(done.output.find("42"), std::string::npos) << done.output;
}

// ---- threads ----

TEST(Forwarding, LetsAnotherThreadCancelARunningStatement) {
  for (const bool unicode : {true, false}) {
    Way way = postgres_unicode();
    way.unicode = unicode;
    const std::string database = PostgresServer::shared().new_database();
    Connection connection;
    ASSERT_TRUE(SQL_SUCCEEDED(connection.connect(through(way) + database)));
    Connection observer;
    ASSERT_TRUE(SQL_SUCCEEDED(observer.connect("Driver={PostgreSQL Unicode};" + database)));
    Statement running(connection);
    std::atomic<bool> done{false};
    std::thread canceller([&] {
      Statement watch(observer);
      while (!done &&
             watch.scalar("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' "
                          "AND query LIKE '%pg_sleep(600)' AND pid <> pg_backend_pid()") != "1") {
      }
      SQLCancel(running.handle);
    });
    const SQLRETURN ret = running.run("SELECT pg_sleep(600)");
    done = true;
    canceller.join();
    EXPECT_EQ(ret, SQL_ERROR);
    EXPECT_NE(running.problems().find("cancel"), std::string::npos) << running.problems();
  }
}

TEST(Forwarding, ServesManyConnectionsOfOneEnvironmentAtOnce) {
  const TempDir folder;
  std::vector<std::thread> threads;
  std::atomic<int> answers{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 20; ++round) {
        Connection connection;
        const std::string target =
            std::string("Driver={Understudy ") + (i % 2 == 0 ? "Unicode" : "ANSI") +
            "};RealDriver=SQLite3;Database=" + folder.path() + "/" + std::to_string(i) + ".db";
        if (!SQL_SUCCEEDED(connection.connect(target))) continue;
        Statement stmt(connection);
        if (stmt.scalar("SELECT 1") == "1") ++answers;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(answers, 160);
}

// ---- the libraries themselves ----

std::set<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::set<std::string> all;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) all.insert(line);
  }
  return all;
}

std::set<std::string> symbols(const std::string& library, const std::string& kind) {
  const Finished listed = run_program({"nm", "-D", kind, "--format=just-symbols", library});
  std::set<std::string> all = lines_of(listed.output);
  return all;
}

TEST(Library, ExportsExactlyTheGoldenList) {
  for (const auto& [library, list] : {std::pair{UNDERSTUDYW_PATH, "exports_w.txt"},
                                      std::pair{UNDERSTUDYA_PATH, "exports_a.txt"}}) {
    std::ifstream file(std::string(GOLDEN_FOLDER) + "/" + list);
    std::stringstream golden;
    golden << file.rdbuf();
    EXPECT_EQ(symbols(library, "--defined-only"), lines_of(golden.str())) << library;
  }
}

TEST(Library, NeedsNoDriverManager) {
  for (const char* library : {UNDERSTUDYW_PATH, UNDERSTUDYA_PATH}) {
    const Finished read = run_program({"readelf", "-d", library});
    EXPECT_NE(read.output.find("libodbcinst.so"), std::string::npos) << read.output;
    EXPECT_EQ(read.output.find("[libodbc.so"), std::string::npos) << read.output;
  }
}

TEST(Library, LooksForNoOdbcFunctionOutsideOfItself) {
  for (const char* library : {UNDERSTUDYW_PATH, UNDERSTUDYA_PATH}) {
    for (const auto& name : symbols(library, "--undefined-only")) {
      if (name.starts_with("SQL")) {
        EXPECT_EQ(name, "SQLGetPrivateProfileString");
      }
    }
    const Finished relocations = run_program({"readelf", "-rW", library});
    for (const auto& line : lines_of(relocations.output)) {
      const auto at = line.find(" SQL");
      if (at == std::string::npos) continue;
      EXPECT_NE(line.find("SQLGetPrivateProfileString"), std::string::npos) << line;
    }
  }
}

}  // namespace
}  // namespace understudy
