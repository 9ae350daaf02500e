#include "driver/sql/arrays.h"

#include "driver/sql/lexer.h"

namespace understudy::sql {
namespace {

bool is_any(const Token& token, std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words) {
    if (token.is_word(word)) return true;
  }
  return false;
}

}  // namespace

bool sent_as_one_array(std::string_view text) {
  Lexer lexer(text, Dialect::mariadb);
  return is_any(lexer.next(), {"INSERT", "REPLACE", "UPDATE"});
}

bool server_takes_array(std::string_view text) {
  Lexer lexer(text, Dialect::mariadb);
  const bool update = lexer.next().is_word("UPDATE");
  int depth = 0;
  for (Token token = lexer.next(); token.kind != TokenKind::end; token = lexer.next()) {
    if (token.is('(')) ++depth;
    if (token.is(')')) --depth;
    if (depth == 0 && is_any(token, {"SET", "VALUES", "VALUE"})) return true;
    if (update && depth == 0 && (token.is(',') || is_any(token, {"JOIN", "STRAIGHT_JOIN"}))) {
      return false;
    }
    if (!update && is_any(token, {"SELECT", "WITH", "TABLE"})) return false;
  }
  return true;
}

bool server_runs_sets(std::string_view text) {
  Lexer lexer(text, Dialect::mariadb);
  return lexer.next().is_word("UPDATE");
}

}  // namespace understudy::sql
