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

constexpr std::array<std::string_view, 19> kControlWords = {"COMMIT",
                                                            "ROLLBACK",
                                                            "START",
                                                            "SAVEPOINT",
                                                            "AUTOCOMMIT",
                                                            "ALTER",
                                                            "TRUNCATE",
                                                            "RENAME",
                                                            "GRANT",
                                                            "REVOKE",
                                                            "LOCK",
                                                            "UNLOCK",
                                                            "FLUSH",
                                                            "INSTALL",
                                                            "GET_LOCK",
                                                            "RELEASE_LOCK",
                                                            "RELEASE_ALL_LOCKS",
                                                            "XA",
                                                            "RESET"};

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

std::string show_procedure(const CalledProcedure& procedure) {
  std::string out = "SHOW CREATE PROCEDURE ";
  if (!procedure.schema.empty()) out += backticked(procedure.schema) + '.';
  return out += backticked(procedure.name);
}

std::optional<std::string_view> procedure_body(std::string_view definition) {
  Lexer lexer(definition, Dialect::mariadb);
  Token token = lexer.next();
  while (token.kind != TokenKind::end && !token.is_word("PROCEDURE")) token = lexer.next();
  if (!is_name(lexer.next())) return std::nullopt;
  std::size_t depth = 0;
  do {
    token = lexer.next();
    if (token.kind == TokenKind::end) return std::nullopt;
    if (token.is('(')) ++depth;
    if (token.is(')')) --depth;
  } while (depth > 0);
  if (!token.is(')')) return std::nullopt;
  return definition.substr(token.offset + 1);
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

bool controls_transactions(std::string_view definition) {
  Lexer lexer(definition, Dialect::mariadb);
  bool changes = false;  // CREATE or DROP, of something that is not temporary
  for (Token token = lexer.next(); token.kind != TokenKind::end; token = lexer.next()) {
    if (changes && !token.is_word("TEMPORARY")) return true;
    if (token.kind == TokenKind::unterminated || is_one_of(token, kControlWords)) return true;
    changes = token.is_word("CREATE") || token.is_word("DROP");
  }
  return false;
}

}  // namespace understudy::sql
