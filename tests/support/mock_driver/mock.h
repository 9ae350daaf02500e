// A copy of the mock driver for one test, with the entries missing that the test does not want.
#pragma once

#include <dlfcn.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/engines.h"
#include "tests/support/mock_driver/script.h"

namespace understudy::mock {

/// Throws std::runtime_error when the copy cannot be made or loaded. The library stays loaded, as
/// real drivers do; its file goes with the object.
class MockDriver {
 public:
  /// `without`: full names, such as "SQLCancel".
  explicit MockDriver(const std::vector<std::string>& without = {}) {
    std::ifstream in(MOCK_ODBC_PATH, std::ios::binary);
    std::string image{std::istreambuf_iterator<char>(in), {}};
    for (const std::string& name : without) blot_out(&image, name);
    std::ofstream(path(), std::ios::binary) << image;
    void* handle = ::dlopen(path().c_str(), RTLD_LAZY | RTLD_LOCAL);
    if (handle == nullptr) throw std::runtime_error(::dlerror());
    script_ = reinterpret_cast<ScriptFunction>(::dlsym(handle, kScriptSymbol))();
  }

  [[nodiscard]] std::string path() const { return folder_.path() + "/libmock_odbc.so"; }
  Script* operator->() const { return script_; }

 private:
  // In the dynamic table of names each stands once, between two zeros; its hash no longer fits.
  static void blot_out(std::string* image, const std::string& name) {
    const std::string whole = '\0' + name + '\0';
    const std::size_t at = image->find(whole);
    if (at == std::string::npos) throw std::runtime_error("the mock driver has no " + name);
    (*image)[at + 1] = '-';
  }

  TempDir folder_;
  Script* script_ = nullptr;
};

}  // namespace understudy::mock
