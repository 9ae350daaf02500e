// A folder of the fuzzer's own below TMPDIR, which run.sh puts into memory and removes: a fuzzer
// ends without destructors.
#pragma once

#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace understudy::fuzz {

inline std::string scratch_folder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "fuzz-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) std::abort();
  return pattern;
}

}  // namespace understudy::fuzz
