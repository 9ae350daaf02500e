// Program's calls on environments and connections.
#include "tests/engine/parity/program.h"
#include "tests/engine/parity/text.h"

namespace understudy::parity {
namespace {

constexpr SQLSMALLINT kCompletedCharacters = 2000;

std::string shown(SQLULEN value) {
  return std::to_string(static_cast<SQLLEN>(value));
}

SQLPOINTER pointer(SQLULEN value) {
  return reinterpret_cast<SQLPOINTER>(value);
}

}  // namespace

bool Program::connect(const std::string& extra) {
  dbc = alloc_dbc();
  return SQL_SUCCEEDED(driver_connect(dbc, "DSN=" + way_.dsn + ";" + extra));
}

SQLHDBC Program::alloc_dbc() {
  SQLHDBC made = SQL_NULL_HDBC;
  done("AllocHandle(DBC)", SQL_HANDLE_ENV, env, SQLAllocHandle(SQL_HANDLE_DBC, env, &made));
  return made;
}

SQLRETURN Program::driver_connect(SQLHDBC on, const std::string& text) {
  In in(*this, text.c_str());
  Out out(style_.wide, kCompletedCharacters);
  SQLSMALLINT length = -7;
  const SQLRETURN ret = style_.wide
                            ? SQLDriverConnectW(on, nullptr, in.wide(), SQL_NTS, out.wide(),
                                                kCompletedCharacters, &length, SQL_DRIVER_NOPROMPT)
                            : SQLDriverConnect(on, nullptr, in.narrow(), SQL_NTS, out.narrow(),
                                               kCompletedCharacters, &length, SQL_DRIVER_NOPROMPT);
  return done("DriverConnect(" + text + ")", SQL_HANDLE_DBC, on, ret,
              std::to_string(length) + " " + out.text());
}

SQLRETURN Program::connect_dsn(SQLHDBC on, const std::string& dsn, const std::string& user,
                               const std::string& password) {
  In a(*this, dsn.c_str());
  In b(*this, user.c_str());
  In c(*this, password.c_str());
  const SQLRETURN ret =
      style_.wide ? SQLConnectW(on, a.wide(), SQL_NTS, b.wide(), SQL_NTS, c.wide(), SQL_NTS)
                  : SQLConnect(on, a.narrow(), SQL_NTS, b.narrow(), SQL_NTS, c.narrow(), SQL_NTS);
  return done("Connect(" + dsn + ", " + user + ")", SQL_HANDLE_DBC, on, ret);
}

SQLRETURN Program::browse_connect(SQLHDBC on, const std::string& text) {
  In in(*this, text.c_str());
  Out out(style_.wide, kCompletedCharacters);
  SQLSMALLINT length = -7;
  const SQLRETURN ret =
      style_.wide
          ? SQLBrowseConnectW(on, in.wide(), SQL_NTS, out.wide(), kCompletedCharacters, &length)
          : SQLBrowseConnect(on, in.narrow(), SQL_NTS, out.narrow(), kCompletedCharacters, &length);
  return done("BrowseConnect(" + text + ")", SQL_HANDLE_DBC, on, ret,
              std::to_string(length) + " " + out.text());
}

SQLRETURN Program::disconnect(SQLHDBC on) {
  return done("Disconnect", SQL_HANDLE_DBC, on, SQLDisconnect(on));
}

SQLRETURN Program::free_dbc(SQLHDBC on) {
  const SQLRETURN ret = SQLFreeHandle(SQL_HANDLE_DBC, on);
  if (SQL_SUCCEEDED(ret) && on == dbc) dbc = SQL_NULL_HDBC;
  if (SQL_SUCCEEDED(ret)) {
    write("FreeHandle(DBC) -> " + shown_return(ret));
    return ret;
  }
  return done("FreeHandle(DBC)", SQL_HANDLE_DBC, on, ret);
}

SQLRETURN Program::end_tran(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT completion) {
  return done(std::string("EndTran(") + (type == SQL_HANDLE_ENV ? "ENV" : "DBC") + ", " +
                  (completion == SQL_COMMIT ? "COMMIT" : "ROLLBACK") + ")",
              type, handle, SQLEndTran(type, handle, completion));
}

SQLRETURN Program::autocommit(bool on) {
  return set_connect_attr(dbc, SQL_ATTR_AUTOCOMMIT, on ? SQL_AUTOCOMMIT_ON : SQL_AUTOCOMMIT_OFF);
}

SQLRETURN Program::set_env_attr(SQLINTEGER attribute, SQLULEN value) {
  return done("SetEnvAttr(" + std::to_string(attribute) + ", " + shown(value) + ")", SQL_HANDLE_ENV,
              env, SQLSetEnvAttr(env, attribute, pointer(value), 0));
}

SQLRETURN Program::get_env_attr(SQLINTEGER attribute) {
  SQLINTEGER value = -7;
  SQLINTEGER length = -7;
  const SQLRETURN ret = SQLGetEnvAttr(env, attribute, &value, sizeof(value), &length);
  return done("GetEnvAttr(" + std::to_string(attribute) + ")", SQL_HANDLE_ENV, env, ret,
              std::to_string(value));
}

SQLRETURN Program::set_connect_attr(SQLHDBC on, SQLINTEGER attribute, SQLULEN value) {
  const SQLRETURN ret = style_.wide ? SQLSetConnectAttrW(on, attribute, pointer(value), 0)
                                    : SQLSetConnectAttr(on, attribute, pointer(value), 0);
  return done("SetConnectAttr(" + std::to_string(attribute) + ", " + shown(value) + ")",
              SQL_HANDLE_DBC, on, ret);
}

SQLRETURN Program::set_connect_text(SQLHDBC on, SQLINTEGER attribute, const std::string& value) {
  In in(*this, value.c_str());
  const SQLRETURN ret = style_.wide ? SQLSetConnectAttrW(on, attribute, in.wide(), SQL_NTS)
                                    : SQLSetConnectAttr(on, attribute, in.narrow(), SQL_NTS);
  return done("SetConnectAttr(" + std::to_string(attribute) + ", " + value + ")", SQL_HANDLE_DBC,
              on, ret);
}

SQLRETURN Program::get_connect_attr(SQLHDBC on, SQLINTEGER attribute) {
  // Drivers disagree on 4 or 8 bytes; the buffer shows which was written.
  SQLULEN value = 0x7777777777777777;
  SQLINTEGER length = -7;
  const SQLRETURN ret = style_.wide
                            ? SQLGetConnectAttrW(on, attribute, &value, sizeof(value), &length)
                            : SQLGetConnectAttr(on, attribute, &value, sizeof(value), &length);
  return done("GetConnectAttr(" + std::to_string(attribute) + ")", SQL_HANDLE_DBC, on, ret,
              "0x" + hex(&value, sizeof(value)) + " " + std::to_string(length));
}

SQLRETURN Program::get_connect_text(SQLHDBC on, SQLINTEGER attribute, SQLINTEGER capacity) {
  Out out(style_.wide, 2 * capacity);
  SQLINTEGER length = -7;
  const SQLRETURN ret = style_.wide
                            ? SQLGetConnectAttrW(on, attribute, out.wide(), capacity, &length)
                            : SQLGetConnectAttr(on, attribute, out.narrow(), capacity, &length);
  return done("GetConnectAttr(" + std::to_string(attribute) + ", " + std::to_string(capacity) + ")",
              SQL_HANDLE_DBC, on, ret, std::to_string(length) + " " + out.text());
}

SQLRETURN Program::get_info(SQLUSMALLINT type, bool text, SQLSMALLINT capacity) {
  const std::string call = "GetInfo(" + std::to_string(type) + ")";
  SQLSMALLINT length = -7;
  Out out(style_.wide, capacity);
  const auto bytes = static_cast<SQLSMALLINT>(capacity * (style_.wide ? 2 : 1));
  const SQLRETURN ret = style_.wide ? SQLGetInfoW(dbc, type, out.wide(), bytes, &length)
                                    : SQLGetInfo(dbc, type, out.narrow(), bytes, &length);
  if (text) {
    return done(call, SQL_HANDLE_DBC, dbc, ret, std::to_string(length) + " " + out.text());
  }
  return done(call, SQL_HANDLE_DBC, dbc, ret,
              std::to_string(length) + " 0x" + hex(out.bytes.data(), sizeof(SQLULEN)));
}

SQLRETURN Program::get_functions(SQLUSMALLINT function) {
  SQLUSMALLINT supported[SQL_API_ODBC3_ALL_FUNCTIONS_SIZE] = {};
  const SQLRETURN ret = SQLGetFunctions(dbc, function, supported);
  const bool all = function == SQL_API_ODBC3_ALL_FUNCTIONS || function == SQL_API_ALL_FUNCTIONS;
  return done("GetFunctions(" + std::to_string(function) + ")", SQL_HANDLE_DBC, dbc, ret,
              all ? hex(supported, sizeof(supported)) : std::to_string(supported[0]));
}

SQLRETURN Program::native_sql(const std::string& sql, SQLINTEGER capacity) {
  In in(*this, sql.c_str());
  Out out(style_.wide, capacity);
  SQLINTEGER length = -7;
  // Not SQL_NTS: libsqliteodbc 0.9998 then writes three bytes before the buffer.
  const auto units = static_cast<SQLINTEGER>(style_.wide ? in.units.size() : in.bytes.size());
  const SQLRETURN ret =
      style_.wide ? SQLNativeSqlW(dbc, in.wide(), units, out.wide(), capacity, &length)
                  : SQLNativeSql(dbc, in.narrow(), units, out.narrow(), capacity, &length);
  return done("NativeSql(" + in.shown() + ")", SQL_HANDLE_DBC, dbc, ret,
              std::to_string(length) + " " + out.text());
}

}  // namespace understudy::parity
