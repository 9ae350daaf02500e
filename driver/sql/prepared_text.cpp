#include "driver/sql/prepared_text.h"

#include <algorithm>
#include <vector>

#include "driver/sql/dialects.h"

namespace understudy::sql {
namespace {

constexpr Dialect kDialect = Dialect::postgresql;

bool opens(const Token& token) {
  return token.is('(') || token.is('[');
}
bool closes(const Token& token) {
  return token.is(')') || token.is(']');
}

/// Behind the bracket that closes the one at `from`; nothing when none does.
std::optional<std::size_t> behind_brackets(const std::vector<Token>& tokens, std::size_t from) {
  std::size_t depth = 0;
  for (std::size_t i = from; i < tokens.size(); ++i) {
    if (opens(tokens[i])) ++depth;
    if (closes(tokens[i]) && --depth == 0) return i + 1;
  }
  return std::nullopt;
}

bool names_something(const Token& token) {
  return token.kind == TokenKind::word || token.kind == TokenKind::quoted_identifier;
}

/// One piece of a text between semicolons.
struct Piece {
  std::size_t first = 0;
  std::size_t end = 0;
};

std::vector<Piece> pieces(const std::vector<Token>& tokens) {
  std::vector<Piece> out;
  std::size_t first = 0;
  for (std::size_t i = 0; i <= tokens.size(); ++i) {
    if (i < tokens.size() && !tokens[i].is(';')) continue;
    if (i > first) out.push_back({first, i});
    first = i + 1;
  }
  return out;
}

/// The statement behind AS of `PREPARE name (types) AS statement`.
std::optional<Piece> prepared_by(const std::vector<Token>& tokens, Piece piece,
                                 std::string_view name) {
  const std::size_t named = piece.first + 1;
  if (!tokens[piece.first].is_word("PREPARE") || named >= piece.end) return std::nullopt;
  if (!names_something(tokens[named]) || identifier(tokens[named], kDialect) != name) {
    return std::nullopt;
  }
  std::optional<std::size_t> at = named + 1;
  if (*at < piece.end && tokens[*at].is('(')) at = behind_brackets(tokens, *at);
  if (!at || *at + 1 >= piece.end || !tokens[*at].is_word("AS")) return std::nullopt;
  return Piece{*at + 1, piece.end};
}

}  // namespace

std::optional<ExecuteText> execute_text(std::string_view text) {
  const TokenizedText tokenized = tokenize(text, kDialect);
  const std::vector<Token>& tokens = tokenized.tokens;
  if (!tokenized.understood || tokenized.escape || tokens.size() < 2) return std::nullopt;
  if (!tokens[0].is_word("EXECUTE") || !names_something(tokens[1])) return std::nullopt;
  ExecuteText out;
  out.name = identifier(tokens[1], kDialect);
  out.arguments_at = tokens[1].offset + tokens[1].text.size();
  if (tokens.size() == 2) return out;
  if (!tokens[2].is('(') || behind_brackets(tokens, 2) != tokens.size()) return std::nullopt;
  std::size_t depth = 0;
  for (std::size_t i = 3; i + 1 < tokens.size(); ++i) {
    if (opens(tokens[i])) ++depth;
    if (closes(tokens[i])) --depth;
    if (tokens[i].is(';')) return std::nullopt;
    if (tokens[i].is(',') && depth == 0) ++out.arguments;
  }
  ++out.arguments;
  return out;
}

std::optional<DeallocateText> deallocate_text(std::string_view text) {
  const TokenizedText tokenized = tokenize(text, kDialect);
  const std::vector<Token>& tokens = tokenized.tokens;
  if (!tokenized.understood || tokens.size() < 2 || tokens.size() > 3) return std::nullopt;
  const bool discards = tokens[0].is_word("DISCARD");
  if (!discards && !tokens[0].is_word("DEALLOCATE")) return std::nullopt;
  if (tokens.size() == 3 && (discards || !tokens[1].is_word("PREPARE"))) return std::nullopt;
  if (!names_something(tokens.back())) return std::nullopt;
  if (tokens.back().is_word("ALL")) return DeallocateText{std::nullopt, discards};
  if (discards) return std::nullopt;
  return DeallocateText{identifier(tokens.back(), kDialect)};
}

std::optional<std::string> prepared_name(std::string_view text) {
  Lexer lexer(text, kDialect);
  if (!lexer.next().is_word("PREPARE")) return std::nullopt;
  const Token name = lexer.next();
  if (!names_something(name) || name.is_word("TRANSACTION")) return std::nullopt;
  return identifier(name, kDialect);
}

std::optional<std::string> prepared_statement(std::string_view text, std::string_view name) {
  const TokenizedText tokenized = tokenize(text, kDialect, Parameters::numbered);
  const std::vector<Token>& tokens = tokenized.tokens;
  if (!tokenized.understood) return std::nullopt;
  std::optional<Piece> found;
  for (const Piece piece : pieces(tokens)) {
    const auto one = prepared_by(tokens, piece, name);
    if (!one) continue;
    if (found) return std::nullopt;
    found = one;
  }
  if (!found) return std::nullopt;
  const std::size_t from = tokens[found->first].offset;
  const Token& last = tokens[found->end - 1];
  return std::string(text.substr(from, last.offset + last.text.size() - from));
}

Analysis analyze_prepared(std::string_view statement, const Catalog& catalog,
                          const SearchPath& path) {
  Analysis out;
  out.classification = classify(statement, kDialect);
  set_opaque(&out, "prepared-as-text");
  const TokenizedText tokens = tokenize(statement, kDialect, Parameters::numbered);
  const StatementClass cls = out.classification.cls;
  // A question mark is an operator there, and would be a marker to the real driver.
  if (!tokens.understood || tokens.escape || tokens.parameters != 0 ||
      out.classification.statements != 1) {
    out.classification.cls = StatementClass::opaque;
    return out;
  }
  if (cls == StatementClass::write || cls == StatementClass::opaque) {
    analyze_postgresql(tokens, catalog, path, &out);
  }
  out.key.clear();
  out.txid_only.clear();
  // The query before it would need the values of the parameters.
  if (!out.before.empty()) {
    out.before.clear();
    out.rewritten.clear();
    out.rewritten_with_txid.clear();
    set_opaque(&out, "key-assigned");
  }
  if (!out.rewritten.empty()) out.verdict = Verdict::effects;
  return out;
}

bool changes_prepared(std::string_view text) {
  Lexer lexer(text, kDialect);
  for (Token token = lexer.next(); token.kind != TokenKind::end; token = lexer.next()) {
    if (token.is_word("PREPARE") || token.is_word("DEALLOCATE") || token.is_word("DISCARD")) {
      return true;
    }
  }
  return false;
}

}  // namespace understudy::sql
