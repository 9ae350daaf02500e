#include "driver/sql/batch.h"

#include <algorithm>

#include "driver/sql/dialects.h"

namespace understudy::sql {

std::vector<BatchPart> split_batch(std::string_view text, Dialect dialect) {
  const TokenizedText tokenized = tokenize(text, dialect);
  std::vector<BatchPart> out;
  if (!tokenized.understood || tokenized.escape) return out;
  const std::vector<Token>& tokens = tokenized.tokens;
  for (std::size_t i = 0, first = 0; i <= tokens.size(); ++i) {
    if (i < tokens.size() && !tokens[i].is(';')) continue;
    if (i > first) {
      const std::size_t from = tokens[first].offset;
      const Token& last = tokens[i - 1];
      const std::string_view part = text.substr(from, last.offset + last.text.size() - from);
      if (out.size() == kBatchStatementsMax) return {};
      const auto markers =
          std::count_if(tokens.begin() + static_cast<std::ptrdiff_t>(first),
                        tokens.begin() + static_cast<std::ptrdiff_t>(i),
                        [](const Token& token) { return token.kind == TokenKind::parameter; });
      out.push_back({part, classify(part, dialect), static_cast<std::uint32_t>(markers)});
    }
    first = i + 1;
  }
  return out;
}

bool begins_with_modes(std::string_view text, Dialect dialect) {
  Lexer lexer(text, dialect);
  lexer.next();
  Token token = lexer.next();
  if (token.is_word("WORK") || token.is_word("TRANSACTION")) token = lexer.next();
  return token.kind != TokenKind::end && !token.is(';');
}

}  // namespace understudy::sql
