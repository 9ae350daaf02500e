// Functions of ODBC 2, which programs of any version may call.
#include "tests/engine/parity/case.h"
#include "tests/engine/parity/program.h"

namespace understudy::parity {
namespace {

void statement_options(Program& p) {
  SQLHSTMT h = SQL_NULL_HSTMT;
  p.done("AllocStmt", SQL_HANDLE_DBC, p.dbc, SQLAllocStmt(p.dbc, &h));
  for (const SQLUSMALLINT option :
       {SQL_QUERY_TIMEOUT, SQL_MAX_ROWS, SQL_NOSCAN, SQL_MAX_LENGTH, SQL_BIND_TYPE, SQL_CURSOR_TYPE,
        SQL_CONCURRENCY, SQL_KEYSET_SIZE, SQL_ROWSET_SIZE, SQL_SIMULATE_CURSOR, SQL_RETRIEVE_DATA,
        SQL_USE_BOOKMARKS, SQL_ROW_NUMBER, 999}) {
    SQLULEN value = 0;
    const std::string name = std::to_string(option);
    p.done("SetStmtOption " + name, SQL_HANDLE_STMT, h, SQLSetStmtOption(h, option, 1));
    const SQLRETURN ret = SQLGetStmtOption(h, option, &value);
    p.done("GetStmtOption " + name, SQL_HANDLE_STMT, h, ret, std::to_string(value));
  }
  p.done("FreeStmt", SQL_HANDLE_DBC, p.dbc, SQLFreeStmt(h, SQL_DROP));
}

void connection_options(Program& p) {
  for (const SQLUSMALLINT option : {SQL_ACCESS_MODE, SQL_AUTOCOMMIT, SQL_LOGIN_TIMEOUT,
                                    SQL_TXN_ISOLATION, SQL_PACKET_SIZE, 999}) {
    SQLULEN value = 0;
    const std::string name = std::to_string(option);
    SQLRETURN ret = SQLGetConnectOption(p.dbc, option, &value);
    p.done("GetConnectOption " + name, SQL_HANDLE_DBC, p.dbc, ret, std::to_string(value));
    ret = SQLSetConnectOption(p.dbc, option, 1);
    p.done("SetConnectOption " + name, SQL_HANDLE_DBC, p.dbc, ret);
  }
}

void transacts(Program& p) {
  const auto transact = [&](SQLHENV env, SQLHDBC dbc, SQLUSMALLINT type) {
    p.done("Transact " + std::to_string(type),
           dbc == SQL_NULL_HDBC ? SQL_HANDLE_ENV : SQL_HANDLE_DBC, dbc == SQL_NULL_HDBC ? env : dbc,
           SQLTransact(env, dbc, type));
  };
  p.done("SetConnectOption", SQL_HANDLE_DBC, p.dbc,
         SQLSetConnectOption(p.dbc, SQL_AUTOCOMMIT, SQL_AUTOCOMMIT_OFF));
  p.run("INSERT INTO $T (v) VALUES (1)");
  transact(p.env, p.dbc, SQL_COMMIT);
  p.run("INSERT INTO $T (v) VALUES (2)");
  transact(p.env, p.dbc, SQL_ROLLBACK);
  p.run("INSERT INTO $T (v) VALUES (3)");
  transact(p.env, SQL_NULL_HDBC, SQL_COMMIT);
  p.run("INSERT INTO $T (v) VALUES (4)");
  p.done("SetConnectOption", SQL_HANDLE_DBC, p.dbc,
         SQLSetConnectOption(p.dbc, SQL_AUTOCOMMIT, SQL_AUTOCOMMIT_ON));
  p.query("SELECT v FROM $T ORDER BY v");
}

void sets_parameters(Program& p) {
  SQLHSTMT h = p.stmt();
  SQLINTEGER v[3] = {10, 11, 12};
  SQLLEN length[3] = {0, SQL_NULL_DATA, 0};
  SQLULEN row = 7777;
  p.prepare(h, "INSERT INTO $T (v) VALUES (?)");
  p.done("SetParam", SQL_HANDLE_STMT, h,
         SQLSetParam(h, 1, SQL_C_SLONG, SQL_INTEGER, 10, 0, v, length));
  p.execute(h);
  p.row_count(h);
  p.done("ParamOptions", SQL_HANDLE_STMT, h, SQLParamOptions(h, 3, &row));
  p.execute(h);
  p.row_count(h);
  p.note("row", static_cast<SQLLEN>(row));
  p.drop(h);
  p.query("SELECT v FROM $T ORDER BY v");
}

void column_attributes(Program& p) {
  SQLHSTMT h = p.stmt();
  p.exec(h, "SELECT id, v FROM $T");
  for (SQLUSMALLINT field = 0; field < 20; ++field) {
    SQLCHAR text[100] = "";
    SQLSMALLINT length = -7;
    SQLLEN number = -7;
    const SQLRETURN ret = SQLColAttributes(h, 2, field, text, sizeof(text), &length, &number);
    p.done("ColAttributes " + std::to_string(field), SQL_HANDLE_STMT, h, ret,
           std::to_string(number) + " " + reinterpret_cast<char*>(text));
  }
  p.done("SetScrollOptions", SQL_HANDLE_STMT, h,
         SQLSetScrollOptions(h, SQL_CONCUR_READ_ONLY, SQL_SCROLL_STATIC, 2));
  p.drop(h);
  h = p.stmt();
  p.done("SetScrollOptions", SQL_HANDLE_STMT, h,
         SQLSetScrollOptions(h, SQL_CONCUR_READ_ONLY, SQL_SCROLL_STATIC, 2));
  p.get_stmt_attr(h, SQL_ATTR_CURSOR_TYPE);
  p.drop(h);
}

}  // namespace

void add_odbc2_cases(Cases& all) {
  const auto add = [&](const char* name, void (*body)(Program&)) {
    all.push_back({"Odbc2", name, kAll, {"CREATE TABLE $T (id $serial, v int)"}, body});
  };
  add("StatementOptions", statement_options);
  add("ConnectionOptions", connection_options);
  add("Transacts", transacts);
  add("SetsParameters", sets_parameters);
  add("ColumnAttributes", column_attributes);
}

}  // namespace understudy::parity
