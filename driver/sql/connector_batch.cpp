#include "driver/sql/connector_batch.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "driver/sql/dialects.h"

namespace understudy::sql {
namespace {

// Words at whose beginning the real driver expects rows.
constexpr std::array<std::string_view, 9> kRowWords = {
    "SELECT", "WITH", "CALL", "SHOW", "ANALYZE", "EXPLAIN", "CHECK", "EXECUTE", "DESC"};
// Those that it looks for a RETURNING behind.
constexpr std::array<std::string_view, 3> kReturningWords = {"INSERT", "UPDATE", "DELETE"};
constexpr std::string_view kReturning = "RETURNING";
constexpr std::string_view kBreaks = " \t\r\n?\"'`";  // what ends a word for the real driver

bool starts_with_word(std::string_view text, std::string_view upper) {
  return text.size() >= upper.size() &&
         std::equal(upper.begin(), upper.end(), text.begin(), [](char a, char b) {
           return a == std::toupper(static_cast<unsigned char>(b));
         });
}

template <std::size_t N>
bool starts_with_any(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return starts_with_word(text, word); });
}

// From its first letter on: the real driver passes over what stands before it.
std::string_view from_letter(std::string_view text) {
  const auto* at = std::find_if(text.begin(), text.end(), [](char c) {
    return std::isalpha(static_cast<unsigned char>(c)) != 0;
  });
  return text.substr(static_cast<std::size_t>(at - text.begin()));
}

bool expects_rows(const BatchPart& part) {
  return starts_with_any(from_letter(part.text), kRowWords);
}

bool is_quoted(const Token& token) {
  return token.kind == TokenKind::string || token.kind == TokenKind::quoted_identifier;
}

struct Signs {
  bool comments = false;         // what may begin one, outside quotes
  bool quoted_newline = false;   // a line that ends inside quotes
  bool empty_statement = false;  // two semicolons side by side, or one at the beginning
  bool returning = false;        // a word that the real driver takes for RETURNING
  bool unsure_returning = false;
  bool sets_mode = false;  // behind which quotes may mean something else
};

void look_outside(std::string_view text, Signs* signs) {
  for (const std::string_view sign : {"--", "#", "/*"}) {
    signs->comments = signs->comments || text.find(sign) != std::string_view::npos;
  }
}

Signs signs_of(const TokenizedText& text) {
  Signs signs;
  std::size_t outside = 0;
  bool begins = true;
  for (const Token& token : text.tokens) {
    if (token.is(';')) signs.empty_statement = signs.empty_statement || begins;
    begins = token.is(';');
    if (is_quoted(token)) {
      look_outside(text.text.substr(outside, token.offset - outside), &signs);
      outside = token.offset + token.text.size();
      signs.quoted_newline =
          signs.quoted_newline || token.text.find('\n') != std::string_view::npos;
    } else if (token.is_word("SQL_MODE")) {
      signs.sets_mode = true;
    } else if (token.kind == TokenKind::word && starts_with_word(token.text, kReturning)) {
      const bool apart =
          token.offset > 0 && kBreaks.find(text.text[token.offset - 1]) != std::string_view::npos;
      const bool exact = apart && token.text.size() == kReturning.size();
      (exact ? signs.returning : signs.unsure_returning) = true;
    }
  }
  look_outside(text.text.substr(outside), &signs);
  return signs;
}

bool is_call(const BatchPart& part) {
  return part.classification.cls == StatementClass::opaque && starts_with_word(part.text, "CALL");
}

bool can_be_told(const BatchPart& part) {
  switch (part.classification.cls) {
    case StatementClass::read:
    case StatementClass::locking_read:
    case StatementClass::write:
    case StatementClass::context:
    case StatementClass::commit:
    case StatementClass::rollback:
    case StatementClass::savepoint:
    case StatementClass::rollback_to:
    case StatementClass::release:
      return !starts_with_word(part.text, "PREPARE") && !starts_with_word(part.text, "DEALLOCATE");
    case StatementClass::ddl:
      return true;
    case StatementClass::begin:  // BEGIN NOT ATOMIC begins a block
      return starts_with_word(part.text, "START") ||
             !begins_with_modes(part.text, Dialect::mariadb);
    default:
      return is_call(part);
  }
}

// A query in a form that the real driver does not take for one.
bool rows_unseen(const BatchPart& part) {
  const StatementClass cls = part.classification.cls;
  const bool query = cls == StatementClass::read || cls == StatementClass::locking_read;
  return query && !expects_rows(part) && !starts_with_word(part.text, "LOCK");
}

bool is_one_word(const BatchPart& part) {
  return part.text.find_first_of(kBreaks, 1) == std::string_view::npos;
}

}  // namespace

std::optional<ConnectorBatch> connector_batch(std::string_view text) {
  const TokenizedText tokenized = tokenize(text, Dialect::mariadb);
  const Signs signs = signs_of(tokenized);
  ConnectorBatch out{split_batch(text, Dialect::mariadb), false};
  const std::vector<BatchPart>& parts = out.parts;
  const bool quotes_change =
      signs.sets_mode && text.find_first_of("\"\\") != std::string_view::npos;
  const bool told = parts.size() > 1 && tokenized.plain_parameters && !signs.empty_statement &&
                    !quotes_change && parts.size() == classify(text, Dialect::mariadb).statements &&
                    std::all_of(parts.begin(), parts.end(), can_be_told) &&
                    std::none_of(parts.begin(), parts.end(), rows_unseen);
  if (!told) return std::nullopt;
  // One word at the end, such as COMMIT, the real driver does not count.
  const bool word = is_one_word(parts.back());
  const auto counted = parts.end() - (word ? 1 : 0);
  const bool expected = std::any_of(parts.begin(), counted, expects_rows);
  const bool looked_for = starts_with_any(parts.front().text, kReturningWords);
  if (!expected && (signs.unsure_returning || (signs.returning && !looked_for))) {
    return std::nullopt;
  }
  const bool rows = expected || signs.returning;
  out.as_text = !rows && tokenized.parameters == 0;
  if (out.as_text) {
    const bool unseen = word && expects_rows(parts.back());
    if (unseen || (signs.comments && signs.quoted_newline)) return std::nullopt;
    return out;
  }
  if (signs.comments) return std::nullopt;
  if (word) out.parts.pop_back();
  return out;
}

std::string prepare_to_ask(std::string_view statement) {
  return "PREPARE understudy_asked FROM " + text_constant(statement);
}

std::string with_max_rows(std::string_view text, std::uintptr_t rows) {
  const auto last = text.find_last_not_of(" \t\r\n;");
  std::string limited(text.substr(0, last == std::string_view::npos ? 0 : last + 1));
  return limited += " LIMIT " + std::to_string(rows);
}

bool may_count_found(std::string_view text) {
  Lexer lexer(text, Dialect::mariadb);
  Token token = lexer.next();
  if (token.is_word("DELETE") || token.is_word("REPLACE")) return false;
  if (!token.is_word("INSERT")) return true;
  while (token.kind != TokenKind::end && !token.is_word("DUPLICATE")) token = lexer.next();
  return token.kind != TokenKind::end;
}

}  // namespace understudy::sql
