// Thin RAII over libodbc for the tool and its processes. Throws; one connection belongs to one
// thread at a time.
//
// Texts are UTF-8 everywhere. A `wide` connection talks UTF-16 to the driver manager (exact
// whatever the locale); drivers without W entries (SQLite's) get the UTF-8 bytes untouched.
#pragma once

#include <sql.h>
#include <sqlext.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace understudy::odbc {

/// An error reported by a driver. what() carries SQLSTATE and the action, never the server's text,
/// since that may quote row values; server_text() has it for terminals that asked for values.
class Error : public std::runtime_error {
 public:
  Error(std::string sqlstate, long native, const std::string& action, std::string server_text,
        bool lost = false);
  [[nodiscard]] const std::string& sqlstate() const { return sqlstate_; }
  [[nodiscard]] const std::string& server_text() const { return server_text_; }
  /// The driver's own number: SQLite's result code, for one, whose SQLSTATE is always HY000.
  [[nodiscard]] long native() const { return native_; }
  /// 08xxx, or the connection says it is dead.
  [[nodiscard]] bool connection_lost() const;

 private:
  std::string sqlstate_;
  std::string server_text_;
  long native_;
  bool lost_;  // the driver said afterwards that the connection is dead
};

using OptionalText = std::optional<std::string>;

class Connection;

/// A parameter to bind. Exactly what the journal recorded, or made from a dialect's text form.
struct Bind {
  SQLSMALLINT c_type = SQL_C_CHAR;
  SQLSMALLINT sql_type = SQL_VARCHAR;
  SQLULEN column_size = 0;
  SQLSMALLINT digits = 0;
  SQLLEN indicator = SQL_NULL_DATA;  // length in bytes, SQL_NULL_DATA, SQL_DEFAULT_PARAM
  std::string bytes;
  // `bytes` is UTF-8 made from an exact text form, not what an application bound: a wide connection
  // then sends it as SQL_C_WCHAR, since drivers convert SQL_C_CHAR by the locale.
  bool utf8 = false;
  /// Other than SQL_PARAM_INPUT: the server's answer goes to a place that nobody reads.
  SQLSMALLINT io_type = SQL_PARAM_INPUT;
};

class Statement {
 public:
  explicit Statement(Connection& connection);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  void prepare(std::string_view sql);
  /// Places for parameters in the prepared text; -1 when the driver does not know.
  int parameter_count();
  /// Binds all parameters (they must stay alive until `execute` returned).
  void bind(const std::vector<Bind>& parameters);
  /// Rows that the driver is to give at the most; 0: all.
  void limit_rows(std::uint64_t rows);
  /// The result of a catalog function, called with this statement's handle.
  [[nodiscard]] SQLHSTMT handle() const { return handle_; }
  /// What a call of the caller's on `handle` returned; throws when it failed.
  void require(SQLRETURN answer, const char* action);
  /// Runs the prepared text. SQL_NO_DATA counts as success with zero rows.
  void execute();
  void execute_direct(std::string_view sql);
  /// Rows changed by the last execution; -1 when the driver does not know.
  long long row_count();
  int column_count();
  /// The SQL data type of a column of the present result, as the driver tells it.
  long result_type(int column);
  /// Goes to the result of the next statement of a text that holds several; false behind the last.
  bool next_result();
  /// Next row of the result; false at its end.
  bool fetch();
  /// Column (1-based) of the current row as text, exact bytes in UTF-8; any length.
  OptionalText text(int column);
  void close();

 private:
  Connection& connection_;
  SQLHSTMT handle_ = SQL_NULL_HSTMT;
  std::vector<Bind> converted_;  // of the bound parameters, those sent as UTF-16
  std::string buffer_;           // of text(), kept for the next column
  enum class Known : std::uint8_t { no_answer_yet, text, bytes };
  bool as_bytes(int column);
  [[nodiscard]] bool succeeded(short answer) const;
  std::vector<Known> as_bytes_;  // by column, of the present result
  long type_of(int column);
  std::vector<long> types_;  // by column, 0: not asked yet
  OptionalText real(int column);
  OptionalText piecewise(int column, SQLSMALLINT c_type, bool wide, std::size_t unit);
};

class Connection {
 public:
  /// `target`: connection string or DSN name. Throws Error. The password in it is in no message.
  explicit Connection(const std::string& target, bool read_only = false);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void set_autocommit(bool on);
  void set_isolation(SQLULEN txn_isolation);
  void commit();
  void rollback();
  [[nodiscard]] bool dead();
  [[nodiscard]] std::string info(SQLUSMALLINT info_type);
  /// A number, of 16 or 32 bits; 0 when the driver does not tell.
  [[nodiscard]] SQLUINTEGER info_number(SQLUSMALLINT info_type);
  [[nodiscard]] bool autocommit();
  /// From now on values are read in the text form of the dialect generic: by the type that the
  /// driver tells of a column.
  void read_by_type() { by_type_ = true; }
  [[nodiscard]] bool wide() const { return wide_; }
  [[nodiscard]] SQLHDBC handle() const { return dbc_; }
  /// One statement without result, or the first column of its first row.
  void run(std::string_view sql);
  OptionalText scalar(std::string_view sql);

 private:
  friend class Statement;
  void connect(const std::string& text, bool use_wide, bool read_only);
  void close();
  SQLHENV env_ = SQL_NULL_HENV;
  SQLHDBC dbc_ = SQL_NULL_HDBC;
  bool wide_ = false;
  bool bytes_ = false;  // character columns are read as bytes in UTF-8
  bool by_type_ = false;
};

}  // namespace understudy::odbc
