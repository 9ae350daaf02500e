// What a statement looks like without its values, for reports.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace understudy {

inline constexpr std::size_t kFingerprintBytesMax = 120;

/// Words and signs of a statement with every literal replaced by `?`, comments left out, white
/// space made one blank, cut at the limit. Where it cannot be sure that a literal has ended (a
/// backslash in a string, a quote that is not closed) the fingerprint ends there, so that no value
/// gets out.
std::string fingerprint(std::string_view text);

}  // namespace understudy
