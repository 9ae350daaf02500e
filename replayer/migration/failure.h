// How a command ends when it does not succeed: the exit codes of the tool's contract.
#pragma once

#include <stdexcept>
#include <string>

#include "journal/status.h"

namespace understudy {

inline constexpr int kExitDone = 0;
inline constexpr int kExitNo = 1;      // the answer is no: rows differ, a guardrail is not met
inline constexpr int kExitUsage = 2;   // wrong use
inline constexpr int kExitFailed = 3;  // failed

/// One line for standard error that says what happened, to what, and what to do, and the exit code.
class Failure : public std::runtime_error {
 public:
  Failure(int exit_code, const std::string& line)
      : std::runtime_error(line), exit_code_(exit_code) {}
  [[nodiscard]] int exit_code() const { return exit_code_; }

 private:
  int exit_code_;
};

/// Throws unless `status` is ok.
inline void require(const Status& status, int exit_code = kExitFailed) {
  if (!status.ok()) throw Failure(exit_code, status.message());
}

/// The value, or throws.
template <class T>
T require(Result<T> result, int exit_code = kExitFailed) {
  if (!result.ok()) throw Failure(exit_code, result.status().message());
  return std::move(*result);
}

}  // namespace understudy
