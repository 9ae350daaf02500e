#include "driver/sql/text_parts.h"

namespace understudy::sql {

TextParts& TextParts::add(std::string_view words) {
  out_ += words;
  return *this;
}

TextParts& TextParts::copy(std::size_t from, std::size_t to) {
  if (from >= to || to > text_.tokens.size()) return *this;
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < to; ++i) {
    if (text_.tokens[i].kind != TokenKind::parameter) continue;
    if (i >= from) parameters_.push_back(number);
    ++number;
  }
  const Token& last = text_.tokens[to - 1];
  const std::size_t start = text_.tokens[from].offset;
  const std::size_t end = to == text_.tokens.size() ? text_.end() : last.offset + last.text.size();
  out_ += text_.original().substr(start, end - start);
  return *this;
}

TextParts& TextParts::append(const TextParts& other) {
  out_ += other.out_;
  parameters_.insert(parameters_.end(), other.parameters_.begin(), other.parameters_.end());
  return *this;
}

}  // namespace understudy::sql
