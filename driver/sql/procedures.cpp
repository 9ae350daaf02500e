#include "driver/sql/procedures.h"

#include <algorithm>
#include <array>
#include <utility>

#include "driver/sql/dialects.h"
#include "driver/sql/lexer.h"

namespace understudy::sql {
namespace {

constexpr std::array<std::string_view, 21> kResultWords = {
    "SELECT",   "WITH",    "RETURNING", "SHOW",  "CALL",     "EXECUTE", "EXPLAIN",
    "DESCRIBE", "DESC",    "ANALYZE",   "CHECK", "CHECKSUM", "REPAIR",  "OPTIMIZE",
    "HELP",     "HANDLER", "CACHE",     "LOAD",  "XA",       "TABLE",   "BINLOG"};

// Behind which a statement begins.
constexpr std::array<std::string_view, 6> kBeginWords = {"BEGIN", "THEN", "ELSE",
                                                         "DO",    "LOOP", "REPEAT"};

template <std::size_t N>
bool is_one_of(const Token& token, const std::array<std::string_view, N>& words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return token.is_word(word); });
}

bool is_name(const Token& token) {
  return token.kind == TokenKind::word || token.kind == TokenKind::quoted_identifier;
}

}  // namespace

std::optional<CalledProcedure> called_procedure(std::string_view text) {
  Lexer lexer(text, Dialect::mariadb);
  Token token = lexer.next();
  if (token.is('{')) token = lexer.next();
  if (!token.is_word("CALL")) return std::nullopt;
  const Token first = lexer.next();
  if (!is_name(first)) return std::nullopt;
  CalledProcedure out{"", identifier(first, Dialect::mariadb)};
  if (!lexer.next().is('.')) return out;
  const Token second = lexer.next();
  if (!is_name(second)) return std::nullopt;
  out.schema = std::exchange(out.name, identifier(second, Dialect::mariadb));
  return out;
}

std::string procedure_text(const CalledProcedure& procedure) {
  std::string out =
      "SELECT ROUTINE_DEFINITION FROM information_schema.ROUTINES WHERE ROUTINE_TYPE = 'PROCEDURE' "
      "AND ROUTINE_SCHEMA = ";
  out += procedure.schema.empty() ? "DATABASE()" : text_constant(procedure.schema);
  out += " AND ROUTINE_NAME = ";
  return out += text_constant(procedure.name);
}

bool may_send_results(std::string_view definition) {
  Lexer lexer(definition, Dialect::mariadb);
  bool begins = true;
  for (Token token = lexer.next(); token.kind != TokenKind::end; token = lexer.next()) {
    if (token.kind == TokenKind::unterminated || is_one_of(token, kResultWords)) return true;
    if (begins && token.is_word("VALUES")) return true;
    begins = token.is(';') || is_one_of(token, kBeginWords);
  }
  return false;
}

}  // namespace understudy::sql
