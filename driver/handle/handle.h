// What the driver manager holds for us: environment, connection, statement, descriptor.
#pragma once

#include <sql.h>
#include <sqlext.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace understudy {

enum class HandleKind : std::uint32_t {
  environment = 0x55534531,
  connection = 0x55534331,
  statement = 0x55535331,
  descriptor = 0x55534431,
  freed = 0,
};

/// A diagnostic of our own, answered before the real driver is asked. Cleared at the next call on
/// the handle, as the standard says of all diagnostics.
struct Diagnostic {
  char sqlstate[6] = "HY000";
  std::string message;  // "[Understudy] ..." ; UTF-8
  SQLINTEGER native = 0;
  /// Taken over from the real driver before a call that would have cleared it there.
  bool of_real = false;
  std::string class_origin;
  std::string subclass_origin;
  std::string connection_name;
  std::string server_name;
  SQLLEN row = SQL_ROW_NUMBER_UNKNOWN;
  SQLINTEGER column = SQL_COLUMN_NUMBER_UNKNOWN;
};

/// First member of every handle, so that a foreign pointer is recognised.
class Handle {
 public:
  explicit Handle(HandleKind kind) : kind_(kind) {}
  ~Handle() { kind_ = HandleKind::freed; }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  [[nodiscard]] HandleKind kind() const { return kind_; }
  std::vector<Diagnostic> diagnostics;

  /// Records a diagnostic of our own and returns SQL_ERROR. Never throws.
  SQLRETURN fail(const char* sqlstate, std::string_view message) noexcept;

 private:
  volatile HandleKind kind_;
};

/// An attribute as the application set it: replayed on the real handle before connecting and when a
/// connection moves. Strings are copied (the application's pointer is dead after the call).
struct Attribute {
  SQLINTEGER attribute = 0;
  bool is_string = false;
  bool wide = false;
  SQLPOINTER value = nullptr;    // when not a string
  std::vector<char> string;      // bytes as given
  SQLINTEGER string_length = 0;  // as given
};

}  // namespace understudy
