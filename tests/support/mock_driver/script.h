// What a test tells the mock driver to do, and what it asks of it afterwards.
//
// A test loads the same file as the driver under test (`dlopen` of one path gives one instance) and
// gets the script by `mock_script`. All functions are thread safe.
#pragma once

#include <sql.h>
#include <sqlext.h>
#include <sqlucode.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace understudy::mock {

struct Diagnostic {
  std::string state;
  SQLINTEGER native = 0;
  std::string message;
};

/// One call as it arrived.
struct Call {
  std::string entry;                  // without "SQL": "ExecDirectW"
  std::vector<std::intptr_t> values;  // arguments in order; pointers as they were
  std::string text;                   // the statement or connection text; W texts as ASCII
  std::thread::id thread;

  /// An output argument, or a value behind any pointer argument.
  template <class T>
  [[nodiscard]] T& at(std::size_t argument) const {
    return *reinterpret_cast<T*>(values.at(argument));
  }
};

/// What an entry does at one call.
struct Answer {
  /// Runs first, without any lock of the mock: it may call ODBC, wait, or write out values.
  std::function<void(const Call&)> hook = {};
  /// Whether the entry then does its work as an unscripted call would.
  bool works = true;
  bool coded = false;  // `code` replaces what the work returned
  SQLRETURN code = SQL_SUCCESS;
  std::vector<Diagnostic> diagnostics = {};
};

/// Does nothing but return `code`, with the diagnostics on the handle.
inline Answer returns(SQLRETURN code, std::vector<Diagnostic> diagnostics = {}) {
  return {{}, false, true, code, std::move(diagnostics)};
}
/// Works as usual after the hook.
inline Answer works_after(std::function<void(const Call&)> hook) {
  return {std::move(hook), true, false, SQL_SUCCESS, {}};
}
/// Works as usual, then returns `code`.
inline Answer works_and_returns(SQLRETURN code, std::vector<Diagnostic> diagnostics = {}) {
  return {{}, true, true, code, std::move(diagnostics)};
}
/// Runs the hook, does no work and returns `code`.
inline Answer only(std::function<void(const Call&)> hook, SQLRETURN code = SQL_SUCCESS) {
  return {std::move(hook), false, true, code, {}};
}

/// What a statement leaves. No columns: it is no query.
struct Result {
  std::vector<std::string> columns = {};
  std::vector<std::vector<std::string>> rows = {};  // "\0" alone is NULL
  SQLLEN row_count = 1;
};

class Script {
 public:
  /// Forgets answers, results, calls and settings; handles stay.
  virtual void reset() = 0;

  /// The next call of the entry ("ExecDirectW") without an answer yet gets this one.
  virtual void once(std::string_view entry, Answer answer) = 0;
  /// Every call that no `once` is left for.
  virtual void always(std::string_view entry, Answer answer) = 0;
  /// Statements whose text contains `part` leave this; the last one set wins.
  virtual void leave(std::string_view part, Result result) = 0;

  virtual void info(SQLUSMALLINT type, std::string value) = 0;
  /// SQLGetFunctions denies it, although it is exported.
  virtual void deny(SQLUSMALLINT function) = 0;
  /// SQLGetDiagRec and SQLError tell the last diagnostic again and again.
  virtual void endless_diagnostics() = 0;
  /// From now on everything that asks the server fails with 08S01.
  virtual void die() = 0;

  [[nodiscard]] virtual std::vector<Call> calls() const = 0;
  [[nodiscard]] virtual std::vector<Call> calls(std::string_view entry) const = 0;
  /// Handles of a kind (SQL_HANDLE_STMT, ...) that are allocated now.
  [[nodiscard]] virtual std::size_t live(SQLSMALLINT type) const = 0;
  /// Handles that were used or freed without being alive, of any kind.
  [[nodiscard]] virtual std::size_t misuses() const = 0;
  /// Transactions that COMMIT made last, and statements that executed in them.
  [[nodiscard]] virtual std::vector<std::string> committed() const = 0;

 protected:
  ~Script() = default;
};

inline constexpr const char* kScriptSymbol = "mock_script";
using ScriptFunction = Script* (*)();

}  // namespace understudy::mock
