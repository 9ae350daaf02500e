// ODBC for the programs of the tests: what an ordinary application does, and nothing of Understudy.
//
// Statements are prepared and their parameters bound once, then executed many times. Errors are
// thrown. One connection and its statements belong to one thread.
#pragma once

#include <sql.h>
#include <sqlext.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <stdexcept>
#include <string>
#include <string_view>

namespace plain {

inline constexpr std::size_t kTextBytesMax = 1024;  // of one parameter or column

class Error : public std::runtime_error {
 public:
  Error(std::string sqlstate, SQLINTEGER native, const std::string& message);
  [[nodiscard]] const std::string& sqlstate() const { return sqlstate_; }
  /// The engine asks to try the transaction again: SQLite busy, serialization failure, deadlock.
  [[nodiscard]] bool retryable() const;

 private:
  std::string sqlstate_;
  SQLINTEGER native_;
};

/// What a connection has done so far.
struct CallFigures {
  std::uint64_t statements = 0;
  std::chrono::nanoseconds longest_call{0};  // of one execution, fetch, commit or rollback
};

class Connection {
 public:
  /// `target`: an ODBC connection string, such as "DSN=orders".
  explicit Connection(const std::string& target);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void set_autocommit(bool on);
  void commit() { end(SQL_COMMIT); }
  void rollback() { end(SQL_ROLLBACK); }
  [[nodiscard]] std::string dbms_name();
  [[nodiscard]] SQLHDBC handle() const { return dbc_; }
  [[nodiscard]] const CallFigures& figures() const { return figures_; }
  /// Forgets the longest call, so that the next reading is of what came after.
  void reset_longest_call() { figures_.longest_call = {}; }

 private:
  friend class Statement;
  void end(SQLSMALLINT completion);

  SQLHENV env_ = SQL_NULL_HENV;
  SQLHDBC dbc_ = SQL_NULL_HDBC;
  CallFigures figures_;
};

class Statement {
 public:
  Statement(Connection& connection, const std::string& sql);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  /// Executes with these values (integers and texts; the same kinds on every call). Returns the row
  /// count that the driver reports; 0 for SQL_NO_DATA.
  template <class... Values>
  SQLLEN execute(const Values&... values) {
    std::size_t index = 0;
    (set(index++, values), ...);
    return run();
  }
  bool fetch();
  [[nodiscard]] std::int64_t integer(SQLUSMALLINT column);
  [[nodiscard]] std::string text(SQLUSMALLINT column);
  void close();

 private:
  struct Parameter {
    std::int64_t number = 0;
    SQLLEN indicator = 0;
    char text[kTextBytesMax] = {};
  };
  Parameter& parameter(std::size_t index, SQLSMALLINT c_type);
  void set(std::size_t index, std::int64_t value);
  void set(std::size_t index, std::string_view value);
  SQLLEN run();

  Connection& connection_;
  SQLHSTMT stmt_ = SQL_NULL_HSTMT;
  std::deque<Parameter> parameters_;  // addresses are bound
};

/// One statement without parameters on a handle of its own.
void run(Connection& connection, const std::string& sql);
std::int64_t scalar(Connection& connection, const std::string& sql);

}  // namespace plain
