// ODBC as an application calls it, with every return code in sight. Tests only.
#pragma once

#include <sql.h>
#include <sqlext.h>
#include <sqlucode.h>

#include <string>
#include <vector>

namespace understudy::raw {

inline SQLCHAR* text(const std::string& value) {
  return reinterpret_cast<SQLCHAR*>(const_cast<char*>(value.c_str()));
}
inline SQLWCHAR* text(const std::u16string& value) {
  return reinterpret_cast<SQLWCHAR*>(const_cast<char16_t*>(value.c_str()));
}
inline std::u16string from_wide(const SQLWCHAR* value) {
  return reinterpret_cast<const char16_t*>(value);
}
inline std::u16string widened(const std::string& ascii) {
  return {ascii.begin(), ascii.end()};
}

/// All diagnostics of a handle: "SQLSTATE native text" each.
inline std::vector<std::string> diagnostics(SQLSMALLINT type, SQLHANDLE handle) {
  std::vector<std::string> all;
  SQLCHAR state[6];
  SQLCHAR message[1024];
  SQLINTEGER native = 0;
  SQLSMALLINT length = 0;
  for (SQLSMALLINT record = 1; SQL_SUCCEEDED(
           SQLGetDiagRec(type, handle, record, state, &native, message, sizeof(message), &length));
       ++record) {
    all.push_back(std::string(reinterpret_cast<char*>(state)) + " " + std::to_string(native) + " " +
                  reinterpret_cast<char*>(message));
  }
  return all;
}

inline std::string joined(const std::vector<std::string>& lines) {
  std::string all;
  for (const auto& line : lines) all += line + "\n";
  return all;
}

class Connection {
 public:
  explicit Connection(SQLINTEGER version = SQL_OV_ODBC3) {
    SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &env);
    SQLSetEnvAttr(env, SQL_ATTR_ODBC_VERSION,
                  reinterpret_cast<SQLPOINTER>(static_cast<SQLLEN>(version)), 0);
    SQLAllocHandle(SQL_HANDLE_DBC, env, &dbc);
  }
  ~Connection() {
    if (connected) {
      SQLEndTran(SQL_HANDLE_DBC, dbc, SQL_ROLLBACK);
      SQLDisconnect(dbc);
    }
    SQLFreeHandle(SQL_HANDLE_DBC, dbc);
    SQLFreeHandle(SQL_HANDLE_ENV, env);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  SQLRETURN connect(const std::string& target) {
    return keep(SQLDriverConnect(dbc, nullptr, text(target), SQL_NTS, nullptr, 0, nullptr,
                                 SQL_DRIVER_NOPROMPT));
  }
  SQLRETURN connect_wide(const std::string& target) {
    const std::u16string wide = widened(target);
    return keep(SQLDriverConnectW(dbc, nullptr, text(wide), SQL_NTS, nullptr, 0, nullptr,
                                  SQL_DRIVER_NOPROMPT));
  }
  [[nodiscard]] std::string problems() const { return joined(diagnostics(SQL_HANDLE_DBC, dbc)); }

  SQLHENV env = SQL_NULL_HENV;
  SQLHDBC dbc = SQL_NULL_HDBC;
  bool connected = false;

 private:
  SQLRETURN keep(SQLRETURN ret) {
    connected = SQL_SUCCEEDED(ret);
    return ret;
  }
};

class Statement {
 public:
  explicit Statement(const Connection& connection) {
    SQLAllocHandle(SQL_HANDLE_STMT, connection.dbc, &handle);
  }
  ~Statement() { SQLFreeHandle(SQL_HANDLE_STMT, handle); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  SQLRETURN run(const std::string& sql) {
    SQLFreeStmt(handle, SQL_CLOSE);
    return SQLExecDirect(handle, text(sql), SQL_NTS);
  }
  SQLRETURN run(const std::u16string& sql) {
    SQLFreeStmt(handle, SQL_CLOSE);
    return SQLExecDirectW(handle, text(sql), SQL_NTS);
  }
  /// The first column of the first row as text.
  std::string scalar(const std::string& sql) {
    SQLCHAR value[256] = "";
    SQLLEN length = 0;
    if (!SQL_SUCCEEDED(run(sql)) || SQLFetch(handle) != SQL_SUCCESS) return problems();
    SQLGetData(handle, 1, SQL_C_CHAR, value, sizeof(value), &length);
    SQLFreeStmt(handle, SQL_CLOSE);
    return length == SQL_NULL_DATA ? "NULL" : reinterpret_cast<char*>(value);
  }
  [[nodiscard]] std::string problems() const {
    return joined(diagnostics(SQL_HANDLE_STMT, handle));
  }

  SQLHSTMT handle = SQL_NULL_HSTMT;
};

}  // namespace understudy::raw
