// Tokens of a statement text, enough to classify it and to find its parameter markers.
//
// Understands comments (nested in PostgreSQL), quoted identifiers and strings of each dialect
// ('' doubling, E'' escapes, dollar quotes, [..] and `..` in SQLite), numbers, parameter markers
// and punctuation. Never fails: bytes it does not know become `other`, an unterminated string
// becomes `unterminated`. Views point into the text. No allocation in `Lexer` itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "journal/catalog.h"

namespace understudy::sql {

enum class TokenKind : std::uint8_t {
  end,
  word,
  quoted_identifier,
  string,
  number,
  parameter,
  punctuation,
  other,
  unterminated,
};

struct Token {
  TokenKind kind = TokenKind::end;
  std::string_view text;   // as written, quotes included
  std::size_t offset = 0;  // of its first byte
  [[nodiscard]] bool is_word(std::string_view upper_case_keyword) const;  // ASCII case folded
  [[nodiscard]] bool is(char punctuation) const;
};

class Lexer {
 public:
  Lexer(std::string_view text, Dialect dialect) : text_(text), dialect_(dialect) {}
  Token next();

 private:
  std::string_view text_;
  Dialect dialect_;
  std::size_t at_ = 0;
};

/// Identifier as the engine stores it: unquoted PostgreSQL names folded to lower case, quotes
/// removed.
std::string identifier(const Token& token, Dialect dialect);

}  // namespace understudy::sql
