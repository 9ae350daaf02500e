#include "tests/support/plain_odbc.h"

#include <cstring>
#include <utility>

namespace plain {
namespace {

[[noreturn]] void fail(SQLSMALLINT kind, SQLHANDLE handle, const std::string& action) {
  SQLCHAR state[6] = "HY000";
  SQLCHAR message[SQL_MAX_MESSAGE_LENGTH] = "no diagnostic record";
  SQLINTEGER native = 0;
  SQLSMALLINT length = 0;
  SQLGetDiagRec(kind, handle, 1, state, &native, message, sizeof(message), &length);
  std::string sqlstate(reinterpret_cast<const char*>(state));
  std::string text = action + ": " + sqlstate + " " + reinterpret_cast<const char*>(message);
  throw Error(std::move(sqlstate), native, text);
}

void check(SQLRETURN result, SQLSMALLINT kind, SQLHANDLE handle, const char* action) {
  if (!SQL_SUCCEEDED(result)) fail(kind, handle, action);
}

template <class Call>
SQLRETURN timed(CallFigures& figures, Call&& call) {
  const auto begin = std::chrono::steady_clock::now();
  const SQLRETURN result = call();
  const std::chrono::nanoseconds took = std::chrono::steady_clock::now() - begin;
  if (took > figures.longest_call) figures.longest_call = took;
  return result;
}

}  // namespace

Error::Error(std::string sqlstate, SQLINTEGER native, const std::string& message)
    : std::runtime_error(message), sqlstate_(std::move(sqlstate)), native_(native) {}

bool Error::retryable() const {
  constexpr SQLINTEGER kSqliteBusy = 5;
  constexpr SQLINTEGER kSqliteLocked = 6;
  if (sqlstate_ == "40001" || sqlstate_ == "40P01") return true;
  return sqlstate_ == "HY000" && (native_ == kSqliteBusy || native_ == kSqliteLocked);
}

Connection::Connection(const std::string& target) {
  check(SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &env_), SQL_HANDLE_ENV, env_,
        "environment");
  SQLSetEnvAttr(env_, SQL_ATTR_ODBC_VERSION, reinterpret_cast<SQLPOINTER>(SQL_OV_ODBC3), 0);
  check(SQLAllocHandle(SQL_HANDLE_DBC, env_, &dbc_), SQL_HANDLE_ENV, env_, "connection");
  std::string text = target;
  const SQLRETURN result = SQLDriverConnect(dbc_, nullptr, reinterpret_cast<SQLCHAR*>(text.data()),
                                            SQL_NTS, nullptr, 0, nullptr, SQL_DRIVER_NOPROMPT);
  if (SQL_SUCCEEDED(result)) return;
  try {
    fail(SQL_HANDLE_DBC, dbc_, "connect");
  } catch (...) {
    SQLFreeHandle(SQL_HANDLE_DBC, dbc_);
    SQLFreeHandle(SQL_HANDLE_ENV, env_);
    throw;
  }
}

Connection::~Connection() {
  SQLDisconnect(dbc_);
  SQLFreeHandle(SQL_HANDLE_DBC, dbc_);
  SQLFreeHandle(SQL_HANDLE_ENV, env_);
}

void Connection::set_autocommit(bool on) {
  const std::uintptr_t value = on ? SQL_AUTOCOMMIT_ON : SQL_AUTOCOMMIT_OFF;
  check(SQLSetConnectAttr(dbc_, SQL_ATTR_AUTOCOMMIT, reinterpret_cast<SQLPOINTER>(value), 0),
        SQL_HANDLE_DBC, dbc_, "set autocommit");
}

void Connection::end(SQLSMALLINT completion) {
  const SQLRETURN result =
      timed(figures_, [&] { return SQLEndTran(SQL_HANDLE_DBC, dbc_, completion); });
  check(result, SQL_HANDLE_DBC, dbc_, completion == SQL_COMMIT ? "commit" : "rollback");
}

std::string Connection::dbms_name() {
  char name[128] = {};
  SQLSMALLINT length = 0;
  check(SQLGetInfo(dbc_, SQL_DBMS_NAME, name, sizeof(name), &length), SQL_HANDLE_DBC, dbc_,
        "name of the engine");
  return name;
}

Statement::Statement(Connection& connection, const std::string& sql) : connection_(connection) {
  check(SQLAllocHandle(SQL_HANDLE_STMT, connection.dbc_, &stmt_), SQL_HANDLE_DBC, connection.dbc_,
        "statement");
  std::string text = sql;
  const SQLRETURN result = SQLPrepare(stmt_, reinterpret_cast<SQLCHAR*>(text.data()), SQL_NTS);
  if (SQL_SUCCEEDED(result)) return;
  try {
    fail(SQL_HANDLE_STMT, stmt_, "prepare " + sql);
  } catch (...) {
    SQLFreeHandle(SQL_HANDLE_STMT, stmt_);
    throw;
  }
}

Statement::~Statement() {
  SQLFreeHandle(SQL_HANDLE_STMT, stmt_);
}

Statement::Parameter& Statement::parameter(std::size_t index, SQLSMALLINT c_type) {
  if (index < parameters_.size()) return parameters_[index];
  Parameter& made = parameters_.emplace_back();
  const bool number = c_type == SQL_C_SBIGINT;
  check(SQLBindParameter(stmt_, static_cast<SQLUSMALLINT>(index + 1), SQL_PARAM_INPUT, c_type,
                         number ? SQL_BIGINT : SQL_VARCHAR, number ? 0 : kTextBytesMax - 1, 0,
                         number ? static_cast<SQLPOINTER>(&made.number) : made.text,
                         number ? 0 : sizeof(made.text), &made.indicator),
        SQL_HANDLE_STMT, stmt_, "bind");
  return made;
}

void Statement::set(std::size_t index, std::int64_t value) {
  Parameter& bound = parameter(index, SQL_C_SBIGINT);
  bound.number = value;
  bound.indicator = 0;
}

void Statement::set(std::size_t index, std::string_view value) {
  if (value.size() >= kTextBytesMax) throw std::length_error("text parameter is too long");
  Parameter& bound = parameter(index, SQL_C_CHAR);
  std::memcpy(bound.text, value.data(), value.size());
  bound.text[value.size()] = 0;
  bound.indicator = static_cast<SQLLEN>(value.size());
}

SQLLEN Statement::run() {
  ++connection_.figures_.statements;
  const SQLRETURN result = timed(connection_.figures_, [&] { return SQLExecute(stmt_); });
  if (result == SQL_NO_DATA) return 0;
  check(result, SQL_HANDLE_STMT, stmt_, "execute");
  SQLLEN rows = -1;
  check(SQLRowCount(stmt_, &rows), SQL_HANDLE_STMT, stmt_, "row count");
  return rows;
}

bool Statement::fetch() {
  const SQLRETURN result = timed(connection_.figures_, [&] { return SQLFetch(stmt_); });
  if (result == SQL_NO_DATA) return false;
  check(result, SQL_HANDLE_STMT, stmt_, "fetch");
  return true;
}

std::int64_t Statement::integer(SQLUSMALLINT column) {
  std::int64_t value = 0;
  SQLLEN indicator = 0;
  check(SQLGetData(stmt_, column, SQL_C_SBIGINT, &value, sizeof(value), &indicator),
        SQL_HANDLE_STMT, stmt_, "get integer");
  return indicator == SQL_NULL_DATA ? 0 : value;
}

std::string Statement::text(SQLUSMALLINT column) {
  char value[kTextBytesMax] = {};
  SQLLEN indicator = 0;
  check(SQLGetData(stmt_, column, SQL_C_CHAR, value, sizeof(value), &indicator), SQL_HANDLE_STMT,
        stmt_, "get text");
  return indicator == SQL_NULL_DATA ? std::string("NULL") : std::string(value);
}

void Statement::close() {
  SQLFreeStmt(stmt_, SQL_CLOSE);
}

void run(Connection& connection, const std::string& sql) {
  Statement statement(connection, sql);
  statement.execute();
}

std::int64_t scalar(Connection& connection, const std::string& sql) {
  Statement statement(connection, sql);
  statement.execute();
  if (!statement.fetch()) throw std::runtime_error("no row: " + sql);
  return statement.integer(1);
}

}  // namespace plain
