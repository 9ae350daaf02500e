// The application's environment. A real environment is made per real driver, at the first connect.
#pragma once

#include <mutex>
#include <unordered_map>
#include <vector>

#include "driver/handle/handle.h"
#include "driver/real/library.h"

namespace understudy {

class Environment : public Handle {
 public:
  Environment() : Handle(HandleKind::environment) {}

  SQLINTEGER odbc_version = SQL_OV_ODBC3;
  std::vector<Attribute> attributes;  // set before a real environment existed

  /// The real environment of this library, made and given the recorded attributes at first use.
  /// When the real driver refuses ODBC 3.80, 3 is tried. Thread safe. On failure a diagnostic is
  /// put on `reporter`.
  SQLHENV real_environment(const real::Library& library, Handle& reporter);
  /// The version of ODBC that this library has said to speak, asked as the driver manager asks.
  SQLINTEGER real_version(const real::Library& library);
  /// Frees all real environments; called when the environment is freed.
  void free_real();

 private:
  std::mutex mutex_;
  std::unordered_map<const real::Library*, SQLHENV> real_;
  std::unordered_map<const real::Library*, SQLINTEGER> versions_;
};

}  // namespace understudy
