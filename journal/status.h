// Errors as values for ring, journal and capture. Nothing here throws; copying a Status that
// carries a message may allocate. Values are immutable once made and may be read from any thread.
#pragma once

#include <cassert>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace understudy {

enum class Code : std::uint8_t {
  ok,
  end,          // no more data; not an error of the data
  not_found,    // the named thing does not exist
  invalid,      // the caller or a file says something that cannot be
  full,         // a limit was met; the message names it
  timeout,      // a deadline passed
  io,           // the operating system refused
  corrupt,      // bytes from disk or shared memory do not hold together
  dead,         // the process on the other side is gone
  unsupported,  // another version, or something this build does not do
  wrong_key,    // the journal cannot be read or written with the keys given, or with none
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  [[nodiscard]] bool ok() const { return code_ == Code::ok; }
  [[nodiscard]] Code code() const { return code_; }
  /// One line without a final full stop; says what happened, to what, and what to do next.
  [[nodiscard]] const std::string& message() const { return message_; }

 private:
  Code code_ = Code::ok;
  std::string message_;
};

/// A value or the reason why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(std::move(status)) { assert(!status_.ok()); }  // NOLINT

  [[nodiscard]] bool ok() const { return value_.has_value(); }
  [[nodiscard]] const Status& status() const { return status_; }
  [[nodiscard]] T& operator*() { return *value_; }
  [[nodiscard]] const T& operator*() const { return *value_; }
  [[nodiscard]] T* operator->() { return &*value_; }
  [[nodiscard]] const T* operator->() const { return &*value_; }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace understudy
