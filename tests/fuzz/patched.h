// What a fuzzer makes of its input: the bytes themselves, or changes of something well formed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace understudy::fuzz {

/// An even first byte: what follows it is the text. An odd one: `whole` with changes, each of three
/// bytes: where, in the lower order first, and the value to put there; the value 0xff at a place
/// whose byte is 0xff already cuts the text off behind it.
inline std::string patched(std::string_view whole, std::span<const std::uint8_t> input) {
  if (input.empty()) return std::string(whole);
  const auto rest = input.subspan(1);
  if (input[0] % 2 == 0) return {reinterpret_cast<const char*>(rest.data()), rest.size()};
  std::string out(whole);
  for (std::size_t i = 0; i + 2 < rest.size() && !out.empty(); i += 3) {
    const std::size_t at = (rest[i] | static_cast<std::size_t>(rest[i + 1]) << 8) % out.size();
    const auto value = static_cast<char>(rest[i + 2]);
    if (value == '\xff' && out[at] == '\xff') out.resize(at + 1);
    out[at] = value;
  }
  return out;
}

}  // namespace understudy::fuzz
