#include "tests/engine/parity/program.h"

#include <cstring>
#include <sstream>
#include <stdexcept>

#include "tests/engine/parity/text.h"

namespace understudy::parity {
namespace {

constexpr SQLSMALLINT kMessageCharacters = 2000;
constexpr SQLSMALLINT kRecordsMax = 200;  // a driver that never says SQL_NO_DATA would not end
constexpr std::size_t kLinesMax = 30000;
constexpr int kRowsMax = 2000;

std::string interval_text(const SQL_INTERVAL_STRUCT& value) {
  std::ostringstream out;
  out << "interval " << value.interval_type << " sign " << value.interval_sign << " "
      << value.intval.day_second.day << " " << value.intval.day_second.hour << " "
      << value.intval.day_second.minute << " " << value.intval.day_second.second << " "
      << value.intval.day_second.fraction;
  return out.str();
}

std::string without_number(std::string text, const std::string& before) {
  for (std::size_t at = 0; (at = text.find(before, at)) != std::string::npos;) {
    at += before.size();
    const std::size_t end = text.find_first_not_of("0123456789", at);
    text.replace(at, (end == std::string::npos ? text.size() : end) - at, "<n>");
  }
  return text;
}

// MariaDB ended the session: whether the client's next command can still be written, so that the
// answer is missed, is settled by the two of them.
constexpr const char* kUnwritten = "Server has gone away";
constexpr const char* kUnanswered = "Lost connection to server during query";

// A text that names backends and transactions is as long as their numbers are.
std::string shown_length(SQLSMALLINT length, const std::string& text) {
  for (const char* varies : {"deadlock detected", kUnwritten, kUnanswered}) {
    if (text.find(varies) != std::string::npos) return "<n>";
  }
  return std::to_string(length);
}

template <class Number>
std::string number(const void* data) {
  Number value;
  std::memcpy(&value, data, sizeof(value));
  std::ostringstream out;
  out.precision(17);
  out << +value;
  return out.str();
}

std::string characters(SQLSMALLINT c_type, const void* data, SQLLEN indicator, SQLLEN capacity) {
  if (c_type == SQL_C_WCHAR) {
    const auto* text = static_cast<const SQLWCHAR*>(data);
    std::size_t units = 0;
    while (units < static_cast<std::size_t>(capacity) / sizeof(SQLWCHAR) && text[units] != 0) {
      ++units;
    }
    return '"' + printable(to_narrow(text, units)) + '"';
  }
  if (c_type == SQL_C_BINARY) {
    const SQLLEN length = indicator < 0 || indicator > capacity ? capacity : indicator;
    return "0x" + hex(data, static_cast<std::size_t>(length));
  }
  const auto* text = static_cast<const char*>(data);
  return '"' + printable({text, strnlen(text, static_cast<std::size_t>(capacity))}) + '"';
}

std::string date_text(const SQL_DATE_STRUCT& date) {
  return std::to_string(date.year) + "-" + std::to_string(date.month) + "-" +
         std::to_string(date.day);
}

std::string time_text(const SQL_TIME_STRUCT& time) {
  return std::to_string(time.hour) + ":" + std::to_string(time.minute) + ":" +
         std::to_string(time.second);
}

std::string numeric_text(const SQL_NUMERIC_STRUCT& value) {
  return "numeric(" + std::to_string(value.precision) + "," + std::to_string(value.scale) +
         ") sign " + std::to_string(value.sign) + " 0x" + hex(value.val, sizeof(value.val));
}

std::string structure(SQLSMALLINT c_type, const void* data) {
  switch (c_type) {
    case SQL_C_TYPE_DATE:
    case SQL_C_DATE:
      return date_text(*static_cast<const SQL_DATE_STRUCT*>(data));
    case SQL_C_TYPE_TIME:
    case SQL_C_TIME:
      return time_text(*static_cast<const SQL_TIME_STRUCT*>(data));
    case SQL_C_TYPE_TIMESTAMP:
    case SQL_C_TIMESTAMP: {
      const auto& stamp = *static_cast<const SQL_TIMESTAMP_STRUCT*>(data);
      return date_text({stamp.year, stamp.month, stamp.day}) + " " +
             time_text({stamp.hour, stamp.minute, stamp.second}) + "." +
             std::to_string(stamp.fraction);
    }
    case SQL_C_NUMERIC:
      return numeric_text(*static_cast<const SQL_NUMERIC_STRUCT*>(data));
    case SQL_C_GUID:
      return hex(data, sizeof(SQLGUID));
    default:
      return interval_text(*static_cast<const SQL_INTERVAL_STRUCT*>(data));
  }
}

}  // namespace

std::string shown_return(SQLRETURN ret) {
  switch (ret) {
    case SQL_SUCCESS:
      return "SUCCESS";
    case SQL_SUCCESS_WITH_INFO:
      return "SUCCESS_WITH_INFO";
    case SQL_ERROR:
      return "ERROR";
    case SQL_INVALID_HANDLE:
      return "INVALID_HANDLE";
    case SQL_NEED_DATA:
      return "NEED_DATA";
    case SQL_NO_DATA:
      return "NO_DATA";
    case SQL_STILL_EXECUTING:
      return "STILL_EXECUTING";
    default:
      return std::to_string(ret);
  }
}

std::string shown_value(SQLSMALLINT c_type, const void* data, SQLLEN indicator, SQLLEN capacity) {
  switch (c_type) {
    case SQL_C_CHAR:
    case SQL_C_WCHAR:
    case SQL_C_BINARY:
    case SQL_C_DEFAULT:
      return characters(c_type, data, indicator, capacity);
    case SQL_C_SHORT:
    case SQL_C_SSHORT:
      return number<SQLSMALLINT>(data);
    case SQL_C_USHORT:
      return number<SQLUSMALLINT>(data);
    case SQL_C_LONG:
    case SQL_C_SLONG:
      return number<SQLINTEGER>(data);
    case SQL_C_ULONG:
      return number<SQLUINTEGER>(data);
    case SQL_C_SBIGINT:
      return number<SQLBIGINT>(data);
    case SQL_C_UBIGINT:
      return number<SQLUBIGINT>(data);
    case SQL_C_TINYINT:
    case SQL_C_STINYINT:
      return number<SQLSCHAR>(data);
    case SQL_C_UTINYINT:
    case SQL_C_BIT:
      return number<SQLCHAR>(data);
    case SQL_C_FLOAT:
      return number<SQLREAL>(data);
    case SQL_C_DOUBLE:
      return number<SQLDOUBLE>(data);
    default:
      return structure(c_type, data);
  }
}

Program::Out::Out(bool wide, SQLLEN room)
    : is_wide(wide), bytes(static_cast<std::size_t>(room < 0 ? 0 : room) * 2 + 2, '\0') {}

std::string Program::Out::text() const {
  const SQLSMALLINT c_type = is_wide ? SQL_C_WCHAR : SQL_C_CHAR;
  return shown_value(c_type, bytes.data(), SQL_NTS, static_cast<SQLLEN>(bytes.size()));
}

Program::In::In(const Program& program, Text text)
    : null(text == nullptr), bytes(null ? "" : program.expand(text)), units(to_wide(bytes)) {}

Program::Program(Way way, Style style, std::string table)
    : way_(std::move(way)), style_(style), table_(std::move(table)) {
  SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &env);
  SQLSetEnvAttr(env, SQL_ATTR_ODBC_VERSION,
                reinterpret_cast<SQLPOINTER>(static_cast<SQLLEN>(style_.version)), 0);
}

Program::~Program() {
  if (dbc != SQL_NULL_HDBC) {
    SQLEndTran(SQL_HANDLE_DBC, dbc, SQL_ROLLBACK);
    SQLDisconnect(dbc);
    SQLFreeHandle(SQL_HANDLE_DBC, dbc);
  }
  SQLFreeHandle(SQL_HANDLE_ENV, env);
}

std::string Program::expand(std::string sql, Engines engine, const std::string& table) {
  const auto pick = [engine](const char* postgres, const char* sqlite, const char* maria) {
    if (engine == kPostgres) return postgres;
    return engine == kSqlite ? sqlite : maria;
  };
  sql = replaced(sql, "$serial",
                 pick("serial PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT",
                      "int AUTO_INCREMENT PRIMARY KEY"));
  sql = replaced(sql, "$blob", pick("bytea", "blob", "longblob"));
  sql = replaced(sql, "$bool", pick("boolean", "bit", "bit(1)"));
  sql = replaced(sql, "$double", pick("double precision", "double", "double"));
  sql = replaced(sql, "$stamp", pick("timestamp", "timestamp", "datetime(6)"));
  sql = replaced(sql, "$text", pick("text", "text", "longtext"));
  return replaced(sql, "$T", table);
}

std::string Program::expand(std::string sql) const {
  return expand(std::move(sql), way_.engine, table_);
}

// The three ways differ in nothing but the names of the data source and the database, which are of
// equal length: programs that show either would differ by what they were given.
// Where the server names backends and transaction ids (deadlocks), these differ from run to run.
std::string Program::normalised(const std::string& line) const {
  std::string text = replaced(replaced(line, way_.dsn, "<dsn>"), way_.database, "<database>");
  // MariaDB's catalog functions list the databases of the other ways as well.
  if (maria()) {
    const std::string family = way_.database.substr(0, way_.database.size() - 4);
    for (const char* other : {"bare", "idle", "live", "shad"}) {
      text = replaced(std::move(text), family + other, "<database>");
    }
    if (text.find(kUnanswered) != std::string::npos) {
      text = replaced(replaced(std::move(text), kUnanswered, kUnwritten), " 2013 ", " 2006 ");
    }
  }
  text = without_number(std::move(text), "Process ");
  text = without_number(std::move(text), "blocked by process ");
  return without_number(std::move(text), "ShareLock on transaction ");
}

void Program::write(const std::string& line) {
  if (lines_.size() > kLinesMax) throw std::runtime_error("the case does not end");
  lines_.push_back(normalised(line));
}

void Program::note(const std::string& line) {
  write("# " + line);
}

void Program::note(const std::string& what, SQLLEN value) {
  note(what + " " + std::to_string(value));
}

void Program::note(const std::string& what, const std::vector<SQLLEN>& numbers) {
  std::string line = what;
  for (const SQLLEN one : numbers) line += " " + std::to_string(one);
  note(line);
}

SQLRETURN Program::done(const std::string& call, SQLSMALLINT type, SQLHANDLE handle, SQLRETURN ret,
                        const std::string& outputs) {
  write(call + " -> " + shown_return(ret) + (outputs.empty() ? "" : " " + outputs));
  if (ret == SQL_INVALID_HANDLE || ret == SQL_STILL_EXECUTING) return ret;
  if (odbc2()) {
    diagnostics_2(type, handle);
  } else {
    diagnostics(type, handle, ret);
  }
  return ret;
}

void Program::diagnostics_2(SQLSMALLINT type, SQLHANDLE handle) {
  for (SQLSMALLINT i = 0; i < kRecordsMax; ++i) {
    SQLCHAR state[6] = "";
    SQLCHAR message[kMessageCharacters] = "";
    SQLINTEGER native = 0;
    SQLSMALLINT length = -1;
    const SQLRETURN ret = SQLError(type == SQL_HANDLE_ENV ? handle : env,
                                   type == SQL_HANDLE_DBC ? handle : SQL_NULL_HDBC,
                                   type == SQL_HANDLE_STMT ? handle : SQL_NULL_HSTMT, state,
                                   &native, message, kMessageCharacters, &length);
    if (!SQL_SUCCEEDED(ret)) return;
    write("    " + shown_return(ret) + " " + reinterpret_cast<char*>(state) + " " +
          std::to_string(native) + " " + shown_length(length, reinterpret_cast<char*>(message)) +
          " " + printable(reinterpret_cast<char*>(message)));
  }
}

void Program::diagnostics(SQLSMALLINT type, SQLHANDLE handle, SQLRETURN ret) {
  if (ret != SQL_SUCCESS) header_fields(type, handle);
  for (SQLSMALLINT number = 1; number < kRecordsMax && record(type, handle, number); ++number) {
  }
}

void Program::header_fields(SQLSMALLINT type, SQLHANDLE handle) {
  std::ostringstream out;
  const auto field = [&](const char* name, SQLSMALLINT id, auto value) {
    const SQLRETURN ret = style_.wide ? SQLGetDiagFieldW(type, handle, 0, id, &value, 0, nullptr)
                                      : SQLGetDiagField(type, handle, 0, id, &value, 0, nullptr);
    out << " " << name << "=" << shown_return(ret) << ":" << +value;
  };
  field("number", SQL_DIAG_NUMBER, SQLINTEGER{-7});
  field("return", SQL_DIAG_RETURNCODE, SQLRETURN{-7});
  if (type == SQL_HANDLE_STMT) {
    field("rows", SQL_DIAG_ROW_COUNT, SQLLEN{-7});
    field("cursor", SQL_DIAG_CURSOR_ROW_COUNT, SQLLEN{-7});
    field("function", SQL_DIAG_DYNAMIC_FUNCTION_CODE, SQLINTEGER{-7});
    Out text(style_.wide, 200);
    SQLSMALLINT length = -7;
    const SQLRETURN ret = style_.wide ? SQLGetDiagFieldW(type, handle, 0, SQL_DIAG_DYNAMIC_FUNCTION,
                                                         text.wide(), 400, &length)
                                      : SQLGetDiagField(type, handle, 0, SQL_DIAG_DYNAMIC_FUNCTION,
                                                        text.narrow(), 200, &length);
    out << " dynamic=" << shown_return(ret) << ":" << length << ":" << text.text();
  }
  write("    header" + out.str());
}

bool Program::record(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT number) {
  Out state(style_.wide, 6);
  Out message(style_.wide, kMessageCharacters);
  SQLINTEGER native = 0;
  SQLSMALLINT length = -7;
  const SQLRETURN ret = style_.wide ? SQLGetDiagRecW(type, handle, number, state.wide(), &native,
                                                     message.wide(), kMessageCharacters, &length)
                                    : SQLGetDiagRec(type, handle, number, state.narrow(), &native,
                                                    message.narrow(), kMessageCharacters, &length);
  if (!SQL_SUCCEEDED(ret)) return false;
  write("    " + std::to_string(number) + " " + state.text() + " " + std::to_string(native) + " " +
        shown_length(length, message.text()) + " " + message.text() +
        record_fields(type, handle, number));
  return true;
}

std::string Program::record_fields(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT number) {
  std::ostringstream out;
  for (const SQLSMALLINT id : {SQL_DIAG_CLASS_ORIGIN, SQL_DIAG_SUBCLASS_ORIGIN,
                               SQL_DIAG_CONNECTION_NAME, SQL_DIAG_SERVER_NAME}) {
    // Connector/ODBC leaves it as it was, and the driver manager had not written it
    // (SQLBrowseConnect).
    if (maria() && type == SQL_HANDLE_DBC && id == SQL_DIAG_CONNECTION_NAME) continue;
    Out text(style_.wide, 200);
    SQLSMALLINT length = -7;
    const SQLRETURN ret =
        style_.wide ? SQLGetDiagFieldW(type, handle, number, id, text.wide(), 400, &length)
                    : SQLGetDiagField(type, handle, number, id, text.narrow(), 200, &length);
    out << " " << id << "=" << ret << ":" << length << ":" << text.text();
  }
  // Of drivers that it asks with SQLError the driver manager gives uninitialised numbers.
  if (type != SQL_HANDLE_STMT || sqlite()) return out.str();
  SQLLEN row = -77;
  SQLINTEGER column = -77;
  const SQLRETURN rows =
      SQLGetDiagField(type, handle, number, SQL_DIAG_ROW_NUMBER, &row, 0, nullptr);
  const SQLRETURN columns =
      SQLGetDiagField(type, handle, number, SQL_DIAG_COLUMN_NUMBER, &column, 0, nullptr);
  out << " row=" << rows << ":" << row << " column=" << columns << ":" << column;
  return out.str();
}

void Program::rows(SQLHSTMT h) {
  SQLSMALLINT columns = 0;
  if (!SQL_SUCCEEDED(num_result_cols(h, &columns))) return;
  for (SQLSMALLINT i = 1; i <= columns; ++i) describe_col(h, static_cast<SQLUSMALLINT>(i));
  fetch_all(h, columns);
}

void Program::fetch_all(SQLHSTMT h, SQLSMALLINT columns) {
  for (int row = 0; row < kRowsMax; ++row) {
    if (!SQL_SUCCEEDED(fetch(h))) return;
    for (SQLSMALLINT i = 1; i <= columns; ++i) {
      get_data(h, static_cast<SQLUSMALLINT>(i), SQL_C_CHAR);
    }
  }
}

SQLRETURN Program::run(const std::string& sql) {
  SQLHSTMT h = stmt();
  const SQLRETURN ret = exec(h, sql);
  if (SQL_SUCCEEDED(ret)) row_count(h);
  drop(h);
  return ret;
}

void Program::query(const std::string& sql) {
  SQLHSTMT h = stmt();
  if (SQL_SUCCEEDED(exec(h, sql))) rows(h);
  drop(h);
}

}  // namespace understudy::parity
