#include "replayer/odbc/odbc.h"

#include <sqlucode.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <utility>

#include "journal/c_type.h"
#include "journal/generic_value.h"
#include "replayer/odbc/unicode.h"

namespace understudy::odbc {
namespace {

constexpr std::size_t kDiagnosticUnitsMax = 2048;
constexpr std::size_t kFirstPieceBytes = 8192;  // of a column; longer values take a second call
constexpr std::size_t kKeptBufferBytesMax = 1 << 20;
// libsqliteodbc measures the whole text at each call: not many calls, then.
constexpr std::size_t kSliceBytes = 16u << 20;
constexpr std::size_t kInfoBytesMax = 1024;

struct Diagnostic {
  std::string sqlstate = "HY000";
  SQLINTEGER native = 0;
  std::string text;
};

Diagnostic wide_diagnostic(SQLSMALLINT type, SQLHANDLE handle) {
  std::array<SQLWCHAR, 6> state{};
  std::array<SQLWCHAR, kDiagnosticUnitsMax> text{};
  SQLSMALLINT length = 0;
  Diagnostic out;
  if (!SQL_SUCCEEDED(SQLGetDiagRecW(type, handle, 1, state.data(), &out.native, text.data(),
                                    static_cast<SQLSMALLINT>(text.size()), &length))) {
    return out;
  }
  out.sqlstate = to_utf8(state.data(), 5);
  out.text = to_utf8(text.data(),
                     std::min<std::size_t>(static_cast<std::size_t>(length), text.size() - 1));
  return out;
}

Diagnostic narrow_diagnostic(SQLSMALLINT type, SQLHANDLE handle) {
  std::array<SQLCHAR, 6> state{};
  std::array<SQLCHAR, kDiagnosticUnitsMax> text{};
  SQLSMALLINT length = 0;
  Diagnostic out;
  if (!SQL_SUCCEEDED(SQLGetDiagRec(type, handle, 1, state.data(), &out.native, text.data(),
                                   static_cast<SQLSMALLINT>(text.size()), &length))) {
    return out;
  }
  out.sqlstate.assign(reinterpret_cast<const char*>(state.data()), 5);
  out.text.assign(reinterpret_cast<const char*>(text.data()),
                  std::min<std::size_t>(static_cast<std::size_t>(length), text.size() - 1));
  return out;
}

bool says_dead(SQLHDBC dbc) {
  SQLUINTEGER dead = SQL_CD_FALSE;
  const auto answer =
      SQLGetConnectAttr(dbc, SQL_ATTR_CONNECTION_DEAD, &dead, SQL_IS_UINTEGER, nullptr);
  return SQL_SUCCEEDED(answer) && dead == SQL_CD_TRUE;
}

[[noreturn]] void raise(SQLSMALLINT type, SQLHANDLE handle, SQLHDBC dbc, bool wide,
                        const char* action) {
  auto found = wide ? wide_diagnostic(type, handle) : narrow_diagnostic(type, handle);
  throw Error(found.sqlstate, found.native, action, std::move(found.text), says_dead(dbc));
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// The values of PWD= and Password= in a connection string, as written and without braces.
std::vector<std::string> secrets_of(std::string_view text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const auto equals = text.find('=', at);
    if (equals == std::string_view::npos) break;
    std::string key = lower(text.substr(at, equals - at));
    std::erase_if(key, [](unsigned char c) { return std::isspace(c) || c == ';'; });
    auto end = text.find(text.substr(equals + 1, 1) == "{" ? '}' : ';', equals + 1);
    end = std::min(end, text.size());
    auto value = text.substr(equals + 1, end - equals - 1);
    if (!value.empty() && value.front() == '{') value.remove_prefix(1);
    if ((key == "pwd" || key == "password") && !value.empty()) out.emplace_back(value);
    at = end + 1;
  }
  return out;
}

void erase_secrets(std::string& text, std::string_view connection_string) {
  for (const auto& secret : secrets_of(connection_string)) {
    for (auto at = text.find(secret); at != std::string::npos; at = text.find(secret, at)) {
      text.replace(at, secret.size(), "***");
      at += 3;
    }
  }
}

// Whether the driver takes W calls. ODBC has no question for it (a driver manager converts either
// way), so its name answers: psqlodbcw.so, libmaodbc.so, libmyodbc8w.so; SQLite's has no W entries.
bool wide_driver(std::string name) {
  name = lower(name);
  if (const auto slash = name.rfind('/'); slash != std::string::npos) name.erase(0, slash + 1);
  if (const auto dot = name.find('.'); dot != std::string::npos) name.erase(dot);
  if (name.find("sqlite") != std::string::npos) return false;
  return name.ends_with('w') || name.find("maodbc") != std::string::npos;
}

bool reads_bytes(const std::string& name) {
  return lower(name).find("maodbc") != std::string::npos;
}

bool is_character_or_bytes(SQLLEN type) {
  for (const int one : {SQL_CHAR, SQL_VARCHAR, SQL_LONGVARCHAR, SQL_WCHAR, SQL_WVARCHAR,
                        SQL_WLONGVARCHAR, SQL_BINARY, SQL_VARBINARY, SQL_LONGVARBINARY}) {
    if (type == one) return true;
  }
  return false;
}

bool ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x80; });
}

template <class T>
SQLPOINTER integer_attribute(T value) {
  return reinterpret_cast<SQLPOINTER>(static_cast<std::uintptr_t>(value));
}

}  // namespace

Error::Error(std::string sqlstate, long native, const std::string& action, std::string server_text,
             bool lost)
    : std::runtime_error(action + " failed with SQLSTATE " + sqlstate +
                         (native != 0 ? " (native " + std::to_string(native) + ")" : "")),
      sqlstate_(std::move(sqlstate)),
      server_text_(std::move(server_text)),
      native_(native),
      lost_(lost) {}

bool Error::connection_lost() const {
  return lost_ || sqlstate_.starts_with("08") || sqlstate_.starts_with("57P0");
}

Connection::Connection(const std::string& target, bool read_only) {
  const std::string text = target.find('=') == std::string::npos ? "DSN=" + target : target;
  // The driver manager sends a W connect to a driver without W entries as its A connect, converted
  // by the locale: exact for ASCII only. Other strings go out narrow first, to learn the driver.
  const bool first_wide = ascii(text);
  try {
    connect(text, first_wide, read_only);
    wide_ = wide_driver(info(SQL_DRIVER_NAME));
    if (wide_ && !first_wide) {
      close();
      connect(text, true, read_only);
    }
    bytes_ = reads_bytes(info(SQL_DRIVER_NAME));
  } catch (...) {
    close();
    throw;
  }
}

void Connection::connect(const std::string& text, bool use_wide, bool read_only) {
  if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &env_)) ||
      !SQL_SUCCEEDED(
          SQLSetEnvAttr(env_, SQL_ATTR_ODBC_VERSION, integer_attribute(SQL_OV_ODBC3), 0)) ||
      !SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_DBC, env_, &dbc_))) {
    throw Error("HY001", 0, "preparing an ODBC connection", {});
  }
  if (read_only) {  // a hint by the standard: drivers may ignore it
    SQLSetConnectAttr(dbc_, SQL_ATTR_ACCESS_MODE, integer_attribute(SQL_MODE_READ_ONLY),
                      SQL_IS_UINTEGER);
  }
  SQLSMALLINT length = 0;
  SQLRETURN answer = SQL_ERROR;
  if (use_wide) {
    auto wide_text = to_wide(text);
    answer = SQLDriverConnectW(dbc_, nullptr, wide_text.data(),
                               static_cast<SQLSMALLINT>(wide_text.size()), nullptr, 0, &length,
                               SQL_DRIVER_NOPROMPT);
    std::fill(wide_text.begin(), wide_text.end(), SQLWCHAR{0});
  } else {
    auto* bytes = reinterpret_cast<SQLCHAR*>(const_cast<char*>(text.data()));
    answer = SQLDriverConnect(dbc_, nullptr, bytes, static_cast<SQLSMALLINT>(text.size()), nullptr,
                              0, &length, SQL_DRIVER_NOPROMPT);
  }
  if (SQL_SUCCEEDED(answer)) return;
  auto found = narrow_diagnostic(SQL_HANDLE_DBC, dbc_);
  erase_secrets(found.text, text);
  throw Error(found.sqlstate, found.native, "connecting", std::move(found.text));
}

void Connection::close() {
  if (dbc_ != SQL_NULL_HDBC) {
    // SQLDisconnect refuses (25000) while a transaction is open.
    if (!SQL_SUCCEEDED(SQLDisconnect(dbc_))) {
      SQLEndTran(SQL_HANDLE_DBC, dbc_, SQL_ROLLBACK);
      SQLDisconnect(dbc_);
    }
    SQLFreeHandle(SQL_HANDLE_DBC, dbc_);
  }
  if (env_ != SQL_NULL_HENV) SQLFreeHandle(SQL_HANDLE_ENV, env_);
  dbc_ = SQL_NULL_HDBC;
  env_ = SQL_NULL_HENV;
}

Connection::~Connection() {
  close();
}

void Connection::set_autocommit(bool on) {
  const auto value = integer_attribute(on ? SQL_AUTOCOMMIT_ON : SQL_AUTOCOMMIT_OFF);
  if (!SQL_SUCCEEDED(SQLSetConnectAttr(dbc_, SQL_ATTR_AUTOCOMMIT, value, SQL_IS_UINTEGER))) {
    raise(SQL_HANDLE_DBC, dbc_, dbc_, wide_, "setting autocommit");
  }
}

void Connection::set_isolation(SQLULEN txn_isolation) {
  if (!SQL_SUCCEEDED(SQLSetConnectAttr(dbc_, SQL_ATTR_TXN_ISOLATION,
                                       integer_attribute(txn_isolation), SQL_IS_UINTEGER))) {
    raise(SQL_HANDLE_DBC, dbc_, dbc_, wide_, "setting the isolation level");
  }
}

void Connection::commit() {
  if (!SQL_SUCCEEDED(SQLEndTran(SQL_HANDLE_DBC, dbc_, SQL_COMMIT))) {
    raise(SQL_HANDLE_DBC, dbc_, dbc_, wide_, "commit");
  }
}

void Connection::rollback() {
  if (!SQL_SUCCEEDED(SQLEndTran(SQL_HANDLE_DBC, dbc_, SQL_ROLLBACK))) {
    raise(SQL_HANDLE_DBC, dbc_, dbc_, wide_, "rollback");
  }
}

bool Connection::dead() {
  return says_dead(dbc_);
}

std::string Connection::info(SQLUSMALLINT info_type) {
  std::array<char, kInfoBytesMax> text{};
  SQLSMALLINT length = 0;
  if (!SQL_SUCCEEDED(SQLGetInfo(dbc_, info_type, text.data(), static_cast<SQLSMALLINT>(text.size()),
                                &length))) {
    raise(SQL_HANDLE_DBC, dbc_, dbc_, wide_, "asking the driver about itself");
  }
  return std::string(text.data());
}

SQLUINTEGER Connection::info_number(SQLUSMALLINT info_type) {
  SQLUINTEGER number = 0;  // a driver that writes 16 bits leaves the others as they are
  return SQL_SUCCEEDED(SQLGetInfo(dbc_, info_type, &number, sizeof number, nullptr)) ? number : 0;
}

bool Connection::autocommit() {
  SQLULEN value = SQL_AUTOCOMMIT_ON;
  SQLGetConnectAttr(dbc_, SQL_ATTR_AUTOCOMMIT, &value, SQL_IS_UINTEGER, nullptr);
  return static_cast<SQLUINTEGER>(value) == SQL_AUTOCOMMIT_ON;
}

void Connection::run(std::string_view sql) {
  Statement statement(*this);
  statement.execute_direct(sql);
}

OptionalText Connection::scalar(std::string_view sql) {
  Statement statement(*this);
  statement.execute_direct(sql);
  if (!statement.fetch()) return std::nullopt;
  return statement.text(1);
}

Statement::Statement(Connection& connection) : connection_(connection) {
  if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, connection_.dbc_, &handle_))) {
    raise(SQL_HANDLE_DBC, connection_.dbc_, connection_.dbc_, connection_.wide_,
          "making a statement");
  }
}

Statement::~Statement() {
  SQLFreeHandle(SQL_HANDLE_STMT, handle_);
}

void Statement::prepare(std::string_view sql) {
  close();
  SQLRETURN answer = SQL_ERROR;
  if (connection_.wide_) {
    auto text = to_wide(sql);
    answer = SQLPrepareW(handle_, text.data(), static_cast<SQLINTEGER>(text.size()));
  } else {
    auto* bytes = reinterpret_cast<SQLCHAR*>(const_cast<char*>(sql.data()));
    answer = SQLPrepare(handle_, bytes, static_cast<SQLINTEGER>(sql.size()));
  }
  if (SQL_SUCCEEDED(answer)) return;
  raise(SQL_HANDLE_STMT, handle_, connection_.dbc_, connection_.wide_, "preparing a statement");
}

// Room for the value of an output parameter; a longer one is cut, which nobody sees.
constexpr std::size_t kAnswerBytes = 4096;

void Statement::bind(const std::vector<Bind>& parameters) {
  SQLFreeStmt(handle_, SQL_RESET_PARAMS);
  converted_.clear();
  converted_.reserve(parameters.size());  // bound by address
  SQLUSMALLINT number = 0;
  for (const auto& given : parameters) {
    const Bind* bind = &given;
    if (connection_.wide_ && given.utf8 && given.c_type == SQL_C_CHAR && given.indicator >= 0) {
      auto& wide = converted_.emplace_back();
      wide.column_size = given.column_size;
      wide.digits = given.digits;
      wide.io_type = given.io_type;
      wide.c_type = SQL_C_WCHAR;
      wide.sql_type = given.sql_type == SQL_VARCHAR ? SQLSMALLINT{SQL_WVARCHAR} : given.sql_type;
      wide.bytes = to_wide_bytes(given.bytes);
      wide.indicator = static_cast<SQLLEN>(wide.bytes.size());
      bind = &wide;
    } else if (given.io_type != SQL_PARAM_INPUT) {
      auto& answered = converted_.emplace_back(given);
      answered.bytes.resize(std::max(given.bytes.size(), kAnswerBytes));
      bind = &answered;
    }
    const bool no_place = bind->bytes.empty() && fixed_bytes(bind->c_type) != 0;
    auto* value = no_place ? nullptr : const_cast<char*>(bind->bytes.data());
    auto* indicator = const_cast<SQLLEN*>(&bind->indicator);
    const auto answer =
        SQLBindParameter(handle_, ++number, bind->io_type, bind->c_type, bind->sql_type,
                         std::max<SQLULEN>(bind->column_size, 1), bind->digits, value,
                         static_cast<SQLLEN>(bind->bytes.size()), indicator);
    if (SQL_SUCCEEDED(answer)) continue;
    raise(SQL_HANDLE_STMT, handle_, connection_.dbc_, connection_.wide_, "binding a parameter");
  }
}

// Connector/ODBC calls an error whose SQLSTATE begins with 01 a success, here and there.
bool Statement::succeeded(short answer) const {
  constexpr SQLINTEGER kServerErrors = 1000;  // and above; of a warning only the driver says so
  if (answer != SQL_SUCCESS_WITH_INFO || !connection_.bytes_) return SQL_SUCCEEDED(answer);
  return wide_diagnostic(SQL_HANDLE_STMT, handle_).native < kServerErrors;
}

void Statement::execute() {
  close();
  const auto answer = SQLExecute(handle_);
  if (succeeded(answer) || answer == SQL_NO_DATA) return;
  raise(SQL_HANDLE_STMT, handle_, connection_.dbc_, connection_.wide_, "executing a statement");
}

void Statement::execute_direct(std::string_view sql) {
  close();
  SQLRETURN answer = SQL_ERROR;
  if (connection_.wide_) {
    auto text = to_wide(sql);
    answer = SQLExecDirectW(handle_, text.data(), static_cast<SQLINTEGER>(text.size()));
  } else {
    auto* bytes = reinterpret_cast<SQLCHAR*>(const_cast<char*>(sql.data()));
    answer = SQLExecDirect(handle_, bytes, static_cast<SQLINTEGER>(sql.size()));
  }
  if (succeeded(answer) || answer == SQL_NO_DATA) return;
  raise(SQL_HANDLE_STMT, handle_, connection_.dbc_, connection_.wide_, "executing a statement");
}

long long Statement::row_count() {
  SQLLEN count = -1;
  return SQL_SUCCEEDED(SQLRowCount(handle_, &count)) ? count : -1;
}

int Statement::parameter_count() {
  SQLSMALLINT count = 0;
  return SQL_SUCCEEDED(SQLNumParams(handle_, &count)) ? count : -1;
}

int Statement::column_count() {
  SQLSMALLINT count = 0;
  return SQL_SUCCEEDED(SQLNumResultCols(handle_, &count)) ? count : 0;
}

bool Statement::next_result() {
  as_bytes_.clear();
  types_.clear();
  const auto answer = SQLMoreResults(handle_);
  if (answer == SQL_NO_DATA) return false;
  if (succeeded(answer)) return true;
  raise(SQL_HANDLE_STMT, handle_, connection_.dbc_, connection_.wide_, "executing a statement");
}

bool Statement::fetch() {
  const auto answer = SQLFetch(handle_);
  if (answer == SQL_NO_DATA) return false;
  if (SQL_SUCCEEDED(answer)) return true;
  raise(SQL_HANDLE_STMT, handle_, connection_.dbc_, connection_.wide_, "reading a row");
}

// MariaDB's driver cuts long texts in two when they are read as SQL_C_WCHAR, and ends them at NUL
// (Connector/ODBC 3.1.15); as bytes it gives what the server sent.
bool Statement::as_bytes(int column) {
  if (!connection_.bytes_) return false;
  const auto place = static_cast<std::size_t>(column);
  if (as_bytes_.size() <= place) as_bytes_.resize(place + 1, Known::no_answer_yet);
  auto& known = as_bytes_[place];
  if (known == Known::no_answer_yet) {
    SQLLEN type = 0;
    const auto answer = SQLColAttribute(handle_, static_cast<SQLUSMALLINT>(column),
                                        SQL_DESC_CONCISE_TYPE, nullptr, 0, nullptr, &type);
    known = SQL_SUCCEEDED(answer) && is_character_or_bytes(type) ? Known::bytes : Known::text;
  }
  return known == Known::bytes;
}

long Statement::type_of(int column) {
  const auto place = static_cast<std::size_t>(column);
  if (types_.size() <= place) types_.resize(place + 1, 0);
  if (types_[place] != 0) return types_[place];
  return types_[place] = result_type(column);
}

long Statement::result_type(int column) {
  // By SQLDescribeCol: libsqliteodbc answers SQLColAttribute differently.
  constexpr SQLSMALLINT kNameBytes = 512;
  SQLCHAR name[2 * kNameBytes] = {};
  SQLSMALLINT length = 0;
  SQLSMALLINT type = SQL_VARCHAR;
  SQLULEN size = 0;
  SQLSMALLINT digits = 0;
  SQLSMALLINT nullable = 0;
  SQLDescribeCol(handle_, static_cast<SQLUSMALLINT>(column), name, kNameBytes, &length, &type,
                 &size, &digits, &nullable);
  return type == SQL_UNKNOWN_TYPE ? SQL_VARCHAR : type;
}

OptionalText Statement::real(int column) {
  double value = 0;
  SQLLEN length = 0;
  require(SQLGetData(handle_, static_cast<SQLUSMALLINT>(column), SQL_C_DOUBLE, &value, sizeof value,
                     &length),
          "reading a column");
  if (length == SQL_NULL_DATA) return std::nullopt;
  return generic_real(value);
}

OptionalText Statement::text(int column) {
  const GenericKind kind =
      connection_.by_type_ ? generic_kind(type_of(column)) : GenericKind::unknown;
  if (kind == GenericKind::real) return real(column);
  if (kind == GenericKind::bytes) {
    const auto bytes = piecewise(column, SQL_C_BINARY, false, 0);
    return bytes ? OptionalText(generic_bytes(*bytes)) : std::nullopt;
  }
  const bool bytes = as_bytes(column);
  const bool wide = connection_.wide_ && !bytes;
  const std::size_t unit = wide ? sizeof(SQLWCHAR) : bytes ? 0 : 1;  // of the NUL at the end
  return piecewise(column, bytes ? SQL_C_BINARY : wide ? SQL_C_WCHAR : SQL_C_CHAR, wide, unit);
}

OptionalText Statement::piecewise(int column, SQLSMALLINT c_type, bool wide, std::size_t unit) {
  if (buffer_.size() < kFirstPieceBytes) buffer_.resize(kFirstPieceBytes);
  std::string value;
  std::size_t kept = 0;  // at the front of the buffer: the first half of a character
  for (bool whole = false; !whole;) {
    SQLLEN left = 0;  // before this call
    const std::size_t room = buffer_.size() - kept;
    const auto answer = SQLGetData(handle_, static_cast<SQLUSMALLINT>(column), c_type,
                                   buffer_.data() + kept, static_cast<SQLLEN>(room), &left);
    if (answer == SQL_NO_DATA) break;
    if (!SQL_SUCCEEDED(answer)) {
      raise(SQL_HANDLE_STMT, handle_, connection_.dbc_, wide, "reading a column");
    }
    if (left == SQL_NULL_DATA) return std::nullopt;
    whole = left != SQL_NO_TOTAL && static_cast<std::size_t>(left) + unit <= room;
    std::size_t filled = kept + (whole ? static_cast<std::size_t>(left) : room - unit);
    kept = 0;
    if (wide) {
      const auto* text = reinterpret_cast<const SQLWCHAR*>(buffer_.data());
      const std::size_t units = filled / sizeof(SQLWCHAR);
      if (!whole && units != 0 && (text[units - 1] & 0xfc00) == 0xd800) kept = sizeof(SQLWCHAR);
      filled -= kept;
      value += to_utf8(text, filled / sizeof(SQLWCHAR));
    } else {
      value.append(buffer_, 0, filled);
    }
    if (whole) break;
    std::memmove(buffer_.data(), buffer_.data() + filled, kept);
    const std::size_t more =
        left == SQL_NO_TOTAL ? buffer_.size() : static_cast<std::size_t>(left) - (room - unit);
    const std::size_t wanted = kept + std::min(more, kSliceBytes) / 2 * 2 + 2 * unit;
    if (buffer_.size() < wanted) buffer_.resize(wanted);
  }
  if (buffer_.size() > kKeptBufferBytesMax) buffer_ = {};
  return value;
}

void Statement::require(SQLRETURN answer, const char* action) {
  if (SQL_SUCCEEDED(answer)) return;
  raise(SQL_HANDLE_STMT, handle_, connection_.dbc_, connection_.wide_, action);
}

void Statement::limit_rows(std::uint64_t rows) {
  SQLSetStmtAttr(handle_, SQL_ATTR_MAX_ROWS, reinterpret_cast<SQLPOINTER>(rows), SQL_IS_UINTEGER);
}

void Statement::close() {
  as_bytes_.clear();
  types_.clear();
  SQLFreeStmt(handle_, SQL_CLOSE);
}

}  // namespace understudy::odbc
