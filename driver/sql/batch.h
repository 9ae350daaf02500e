// Several statements in one text, for engines whose drivers send them as one.
#pragma once

#include <string_view>
#include <vector>

#include "driver/sql/analyzer.h"

namespace understudy::sql {

/// In one text. Each becomes a round trip of its own: a longer script would be slowed down.
inline constexpr std::size_t kBatchStatementsMax = 256;

struct BatchPart {
  std::string_view text;  // without its semicolon; belongs to the whole
  Classification classification;
  std::uint32_t parameters = 0;  // markers
};

/// The statements of the text in order. Empty when it is not understood, has ODBC escapes, or more
/// statements than the limit. Pure and thread safe.
std::vector<BatchPart> split_batch(std::string_view text, Dialect dialect);

/// BEGIN or START TRANSACTION that says what the transaction is to be like.
bool begins_with_modes(std::string_view text, Dialect dialect);

}  // namespace understudy::sql
