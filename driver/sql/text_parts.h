// Texts of ours that hold stretches of the application's. Internal to driver/sql.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "driver/sql/dialects.h"

namespace understudy::sql {

/// A text put together from our words and stretches of the application's, which remembers the
/// parameters of those.
class TextParts {
 public:
  explicit TextParts(const TokenizedText& text) : text_(text) {}
  TextParts& add(std::string_view words);
  /// Tokens, and what stands between them.
  TextParts& copy(std::size_t from, std::size_t to);

  /// Another text of the same statement's parts.
  TextParts& append(const TextParts& other);

  /// A hint may be put in here; see RowsQuery.
  TextParts& hint() {
    hint_at_ = out_.size();
    return *this;
  }

  [[nodiscard]] const std::string& text() const { return out_; }
  [[nodiscard]] std::size_t hint_at() const { return hint_at_; }
  [[nodiscard]] const std::vector<std::uint32_t>& parameters() const { return parameters_; }

 private:
  const TokenizedText& text_;
  std::string out_;
  std::size_t hint_at_ = 0;
  std::vector<std::uint32_t> parameters_;
};

}  // namespace understudy::sql
