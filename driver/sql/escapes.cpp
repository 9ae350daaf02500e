#include "driver/sql/escapes.h"

#include <algorithm>
#include <vector>

#include "driver/sql/functions.h"
#include "driver/sql/lexer.h"

namespace understudy::sql {
namespace {

// Whatever a scalar function is called in the engine, it writes nothing; its value may differ on
// the shadow, as this one's does.
constexpr std::string_view kVolatile = "now";

class Masking {
 public:
  Masking(std::string_view text, Dialect dialect) : masked_(text), dialect_(dialect) {
    Lexer lexer(text, dialect);
    for (Token token = lexer.next(); token.kind != TokenKind::end; token = lexer.next()) {
      tokens_.push_back(token);
    }
  }

  bool run() {
    std::size_t open = 0;
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (tokens_[i].is('}')) {
        if (open-- == 0) return false;
        blank(tokens_[i]);
      } else if (tokens_[i].is('{')) {
        ++open;
        blank(tokens_[i]);
        if (!word_after(i + 1)) return false;
      }
    }
    return open == 0;
  }
  [[nodiscard]] std::string take() { return std::move(masked_); }

 private:
  bool word_after(std::size_t i) {
    if (i >= tokens_.size() || tokens_[i].kind != TokenKind::word) return false;
    const Token& word = tokens_[i];
    // The engine's own ESCAPE and INTERVAL follow the brace as they are.
    if (word.is_word("ESCAPE") || word.is_word("INTERVAL")) return true;
    if (word.is_word("FN")) {
      blank(word);
      return i + 1 < tokens_.size() && function(tokens_[i + 1]);
    }
    for (const std::string_view known : {"D", "T", "TS", "OJ"}) {
      if (!word.is_word(known)) continue;
      blank(word);
      return true;
    }
    return false;
  }

  bool function(const Token& name) {
    if (name.kind != TokenKind::word) return false;
    const std::string lower = ascii_lower(name.text);
    if (function_effect(lower, dialect_) != FunctionEffect::unknown) return true;
    if (name.text.size() < kVolatile.size()) return false;
    blank(name);
    std::copy(kVolatile.begin(), kVolatile.end(), masked_.begin() + place(name.offset));
    return true;
  }

  void blank(const Token& token) {
    std::fill_n(masked_.begin() + place(token.offset), token.text.size(), ' ');
  }
  static std::ptrdiff_t place(std::size_t offset) { return static_cast<std::ptrdiff_t>(offset); }

  std::string masked_;
  Dialect dialect_;
  std::vector<Token> tokens_;
};

}  // namespace

std::optional<std::string> mask_escapes(std::string_view text, Dialect dialect) {
  Masking masking(text, dialect);
  if (!masking.run()) return std::nullopt;
  return masking.take();
}

}  // namespace understudy::sql
