#include "driver/sql/search_path.h"

#include "driver/sql/lexer.h"

namespace understudy::sql {
namespace {

constexpr Dialect kDialect = Dialect::postgresql;

SearchPath unknown() {
  return {SearchPath::Kind::unknown, {}};
}

/// A schema's name as an identifier or a plain string.
std::optional<std::string> schema(const Token& token) {
  std::string name;
  if (token.kind == TokenKind::string) {
    const bool plain = token.text.size() >= 2 && token.text.front() == '\'' &&
                       token.text.find_first_of("\\\"", 1) == std::string_view::npos;
    if (!plain) return std::nullopt;
    name = token.text.substr(1, token.text.size() - 2);
    if (name.find('\'') != std::string::npos) return std::nullopt;
  } else if (token.kind == TokenKind::word || token.kind == TokenKind::quoted_identifier) {
    name = identifier(token, kDialect);
  }
  const bool special = name.empty() || name.front() == '$' || name == "pg_temp";
  return special ? std::nullopt : std::optional(std::move(name));
}

SearchPath list(Lexer* lexer) {
  SearchPath out{SearchPath::Kind::given, {}};
  for (Token token = lexer->next();; token = lexer->next()) {
    if (token.is_word("DEFAULT")) return {};
    auto name = schema(token);
    if (!name || out.schemas.size() >= kSchemasMax) return unknown();
    out.schemas.push_back(std::move(*name));
    token = lexer->next();
    if (token.kind == TokenKind::end || token.is(';')) return out;
    if (!token.is(',')) return unknown();
  }
}

}  // namespace

std::optional<SearchPath> search_path_set_by(std::string_view text) {
  Lexer lexer(text, kDialect);
  const Token verb = lexer.next();
  Token what = lexer.next();
  if (verb.is_word("RESET")) {
    const bool path = what.is_word("SEARCH_PATH") || what.is_word("ALL");
    return path ? std::optional(SearchPath()) : std::nullopt;
  }
  if (!verb.is_word("SET")) return std::nullopt;
  if (what.is_word("SESSION") || what.is_word("LOCAL")) what = lexer.next();
  if (what.is_word("SCHEMA")) return list(&lexer);
  if (!what.is_word("SEARCH_PATH")) return std::nullopt;
  const Token joint = lexer.next();
  return joint.is('=') || joint.is_word("TO") ? list(&lexer) : unknown();
}

}  // namespace understudy::sql
