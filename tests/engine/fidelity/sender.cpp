#include "tests/engine/fidelity/sender.h"

#include <charconv>
#include <cstdint>
#include <deque>
#include <limits>

namespace fidelity {
namespace {

/// A value as it is bound; its address stays until the statement is done.
struct Bound {
  std::string text;
  std::u16string wide;
  std::int64_t big = 0;
  std::int32_t number = 0;
  SQLLEN length = 0;
};

/// UTF-8 of the generator's own making.
std::u16string wide_of(const std::string& text) {
  std::u16string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto first = static_cast<unsigned char>(text[at]);
    const std::size_t bytes = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    char32_t code = bytes == 1 ? first : first & (0x7fu >> bytes);
    for (std::size_t i = 1; i < bytes; ++i) {
      code = code << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3fu);
    }
    at += bytes;
    if (code < 0x10000) {
      out += static_cast<char16_t>(code);
    } else {
      out += static_cast<char16_t>(0xd7c0 + (code >> 10));
      out += static_cast<char16_t>(0xdc00 + (code & 0x3ff));
    }
  }
  return out;
}

bool is_integer(const std::string& text, std::int64_t* out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc{} && end == text.data() + text.size();
}

class Sending {
 public:
  explicit Sending(plain::Connection& connection) {
    check(SQLAllocHandle(SQL_HANDLE_STMT, connection.handle(), &stmt_), "statement");
  }
  ~Sending() { SQLFreeHandle(SQL_HANDLE_STMT, stmt_); }
  Sending(const Sending&) = delete;
  Sending& operator=(const Sending&) = delete;

  void prepare(std::string text) {
    check(SQLPrepare(stmt_, reinterpret_cast<SQLCHAR*>(text.data()), SQL_NTS), "prepare");
  }
  /// False: no row, and no result to read.
  bool at_once(std::string text) {
    const SQLRETURN result = SQLExecDirect(stmt_, reinterpret_cast<SQLCHAR*>(text.data()), SQL_NTS);
    check(result, "execute");
    return result != SQL_NO_DATA;
  }
  bool execute() {
    const SQLRETURN result = SQLExecute(stmt_);
    check(result, "execute");
    return result != SQL_NO_DATA;
  }

  void bind(const std::optional<std::string>& value, Engine engine, Random& random) {
    Bound& out = bound_.emplace_back();
    out.text = value.value_or("");
    out.length = value ? static_cast<SQLLEN>(out.text.size()) : SQL_NULL_DATA;
    const bool other = engine == Engine::postgresql && random.chance(50);
    if (other && is_integer(out.text, &out.big)) return bind_number(&out, random);
    if (!other) return bind(SQL_C_CHAR, SQL_VARCHAR, out.text.size(), out.text.data(), &out.length);
    out.wide = wide_of(out.text);
    if (value) out.length = static_cast<SQLLEN>(out.wide.size() * sizeof(char16_t));
    bind(SQL_C_WCHAR, SQL_WVARCHAR, out.wide.size(), out.wide.data(), &out.length);
  }

  void read_all() {
    do {
      SQLSMALLINT columns = 0;
      check(SQLNumResultCols(stmt_, &columns), "columns");
      if (columns > 0) read_rows();
    } while (more());
  }

 private:
  void bind_number(Bound* out, Random& random) {
    const bool fits = out->big >= std::numeric_limits<std::int32_t>::min() &&
                      out->big <= std::numeric_limits<std::int32_t>::max();
    out->length = 0;
    if (!fits || random.chance(50))
      return bind(SQL_C_SBIGINT, SQL_BIGINT, 0, &out->big, &out->length);
    out->number = static_cast<std::int32_t>(out->big);
    bind(SQL_C_SLONG, SQL_INTEGER, 0, &out->number, &out->length);
  }
  void bind(SQLSMALLINT c_type, SQLSMALLINT sql_type, std::size_t size, SQLPOINTER value,
            SQLLEN* length) {
    check(SQLBindParameter(stmt_, static_cast<SQLUSMALLINT>(bound_.size()), SQL_PARAM_INPUT, c_type,
                           sql_type, size + 1, 0, value, *length < 0 ? 0 : *length, length),
          "bind");
  }
  void read_rows() {
    for (;;) {
      const SQLRETURN result = SQLFetch(stmt_);
      if (result == SQL_NO_DATA) return;
      check(result, "fetch");
      char text[64];  // more is cut off
      SQLLEN length = 0;
      check(SQLGetData(stmt_, 1, SQL_C_CHAR, text, sizeof(text), &length), "get");
    }
  }
  bool more() {
    const SQLRETURN result = SQLMoreResults(stmt_);
    if (result == SQL_NO_DATA) return false;
    check(result, "more results");
    return true;
  }
  void check(SQLRETURN result, const char* action) {
    if (SQL_SUCCEEDED(result) || result == SQL_NO_DATA) return;
    SQLCHAR state[6] = "HY000";
    SQLCHAR message[SQL_MAX_MESSAGE_LENGTH] = "no diagnostic record";
    SQLINTEGER native = 0;
    SQLGetDiagRec(SQL_HANDLE_STMT, stmt_, 1, state, &native, message, sizeof(message), nullptr);
    throw plain::Error(reinterpret_cast<const char*>(state), native,
                       std::string(action) + ": " + reinterpret_cast<const char*>(message));
  }

  SQLHSTMT stmt_ = SQL_NULL_HSTMT;
  std::deque<Bound> bound_;
};

/// What begins and ends transactions is not prepared: psqlodbc makes a plan anew that it could not
/// remove in a failed transaction, and such an error is not to leave another transaction open.
bool controls(const std::string& text) {
  for (const char* word :
       {"BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE"}) {
    if (text.starts_with(word)) return true;
  }
  return false;
}

}  // namespace

void send(plain::Connection& connection, Engine engine, const Sql& sql, Random& random) {
  Sending one(connection);
  const bool control = engine == Engine::postgresql && controls(sql.text);
  const bool at_once = control || (engine != Engine::sqlite && random.chance(30));
  if (!at_once) one.prepare(sql.text);
  for (const auto& value : sql.values) one.bind(value, engine, random);
  if (at_once ? one.at_once(sql.text) : one.execute()) one.read_all();
}

void send_at_once(plain::Connection& connection, const std::string& text) {
  Sending one(connection);
  if (one.at_once(text)) one.read_all();
}

}  // namespace fidelity
