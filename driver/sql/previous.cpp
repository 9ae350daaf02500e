#include "driver/sql/previous.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "driver/sql/dialects.h"

namespace understudy::sql {
namespace {

bool one_of(const Token& token, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return token.is_word(word); });
}

// COALESCE keeps the type and length that the function's column has.
std::string_view replacement(const Token& name) {
  if (name.is_word("ROW_COUNT")) {
    return "COALESCE(CAST(LEFT(@understudy_row_count, 20) AS SIGNED), ROW_COUNT())";
  }
  return "COALESCE(CAST(LEFT(@understudy_found_rows, 20) AS SIGNED), FOUND_ROWS())";
}

class PreviousReader {
 public:
  explicit PreviousReader(std::string_view text)
      : text_(text), tokenized_(tokenize(text, Dialect::mariadb)), tokens_(tokenized_.tokens) {}

  AsksPrevious read() {
    if (!tokenized_.understood) return {};
    // A query within the query comes before it, and sets FOUND_ROWS().
    const bool nested = std::count_if(tokens_.begin(), tokens_.end(),
                                      [](const Token& one) { return one.is_word("SELECT"); }) > 1;
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (one_of(tokens_[i], {"WARNING_COUNT", "ERROR_COUNT"})) out_.warnings = true;
      if (is_call(i) && !(nested && tokens_[i].is_word("FOUND_ROWS"))) calls_.push_back(i);
    }
    if (!tokens_.empty() && tokens_[0].is_word("SHOW")) show();
    if (!tokens_.empty() && tokens_[0].is_word("GET")) diagnostics();
    if (!calls_.empty()) replace();
    return std::move(out_);
  }

 private:
  [[nodiscard]] bool at(std::size_t i, char punctuation) const {
    return i < tokens_.size() && tokens_[i].is(punctuation);
  }

  [[nodiscard]] bool is_call(std::size_t i) const {
    return one_of(tokens_[i], {"ROW_COUNT", "FOUND_ROWS"}) && at(i + 1, '(') && at(i + 2, ')') &&
           (i == 0 || !tokens_[i - 1].is('.'));
  }

  void show() {
    out_.warnings = std::any_of(tokens_.begin(), tokens_.end(), [](const Token& one) {
      return one_of(one, {"WARNINGS", "ERRORS"});
    });
  }

  // GET [CURRENT] DIAGNOSTICS @a = ROW_COUNT, @b = NUMBER
  void diagnostics() {
    out_.warnings = out_.diagnostics = true;
    for (std::size_t i = 2; i < tokens_.size(); ++i) {
      if (!tokens_[i].is_word("ROW_COUNT") || !tokens_[i - 1].is('=')) continue;
      std::size_t from = i - 1;
      while (from > 0 && !tokens_[from].is('@')) --from;
      const std::size_t begin = tokens_[from].offset;
      out_.row_count_into.emplace_back(text_.substr(begin, tokens_[i - 1].offset - begin));
    }
  }

  /// The first token of the select list's item that the call is in; nothing outside of one.
  [[nodiscard]] std::optional<std::size_t> item_of(std::size_t call) const {
    std::optional<std::size_t> first = call;
    bool comma = false;
    for (std::size_t i = call, depth = 0; i-- > 0;) {
      const Token& token = tokens_[i];
      if (token.is(')')) ++depth;
      if (token.is('(')) {
        if (depth == 0) comma = false;
        if (depth == 0) first = i;
        if (depth > 0) --depth;
      }
      if (depth > 0) continue;
      if (token.is_word("SELECT")) return comma ? first : after_modifiers(i + 1);
      if (one_of(token,
                 {"FROM", "WHERE", "BY", "HAVING", "LIMIT", "SET", "VALUES", "ON", "INTO"})) {
        return std::nullopt;
      }
      if (token.is(',') && !comma) {
        comma = true;
        first = i + 1;
      }
    }
    return std::nullopt;
  }

  [[nodiscard]] std::size_t after_modifiers(std::size_t i) const {
    while (i < tokens_.size() &&
           one_of(tokens_[i], {"ALL", "DISTINCT", "DISTINCTROW", "HIGH_PRIORITY", "STRAIGHT_JOIN",
                               "SQL_SMALL_RESULT", "SQL_BIG_RESULT", "SQL_BUFFER_RESULT",
                               "SQL_CACHE", "SQL_NO_CACHE", "SQL_CALC_FOUND_ROWS"})) {
      ++i;
    }
    return i;
  }

  /// Behind the last token of the item.
  [[nodiscard]] std::size_t end_of_item(std::size_t first) const {
    std::size_t depth = 0;
    for (std::size_t i = first; i < tokens_.size(); ++i) {
      const Token& token = tokens_[i];
      if (token.is('(')) ++depth;
      const bool closes = token.is(')');
      if (depth == 0 &&
          (closes || token.is(',') || token.is(';') ||
           one_of(token, {"FROM", "INTO", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "UNION",
                          "EXCEPT", "INTERSECT", "PROCEDURE", "FOR", "LOCK"}))) {
        return i;
      }
      if (closes) --depth;
    }
    return tokens_.size();
  }

  /// `expression AS name`, or without AS.
  [[nodiscard]] bool named(std::size_t first, std::size_t end) const {
    const Token& last = tokens_[end - 1];
    if (end - first < 2 || last.is(')')) return false;
    const Token& before = tokens_[end - 2];
    if (one_of(last, {"NULL", "END", "TRUE", "FALSE", "UNKNOWN"})) return false;
    const bool name = last.kind == TokenKind::word || last.kind == TokenKind::quoted_identifier ||
                      last.kind == TokenKind::string;
    return name && (before.is(')') || before.kind != TokenKind::punctuation);
  }

  /// Items whose columns would be named after our words get the names they had.
  void replace() {
    std::vector<std::pair<std::size_t, std::size_t>> unnamed;
    for (const std::size_t call : calls_) {
      const auto first = item_of(call);
      if (!first) continue;
      const std::size_t end = end_of_item(*first);
      const bool inside = call + 3 <= end;
      const bool known = !unnamed.empty() && unnamed.back().first == *first;
      if (inside && !known && !named(*first, end)) unnamed.emplace_back(*first, end);
    }
    std::size_t copied = 0;
    std::size_t next = 0;
    const auto copy_to = [&](std::size_t offset) {
      out_.text += text_.substr(copied, offset - copied);
      copied = offset;
    };
    const auto name_items = [&](std::size_t token) {
      for (; next < unnamed.size() && unnamed[next].second <= token; ++next) {
        const auto [from, to] = unnamed[next];
        const Token& last = tokens_[to - 1];
        const std::size_t end = last.offset + last.text.size();
        copy_to(end);
        const std::size_t begin = tokens_[from].offset;
        out_.text.append(" AS ").append(backticked(text_.substr(begin, end - begin)));
      }
    };
    for (const std::size_t call : calls_) {
      name_items(call);
      copy_to(tokens_[call].offset);
      out_.text += replacement(tokens_[call]);
      copied = tokens_[call + 2].offset + 1;
    }
    name_items(tokens_.size());
    copy_to(text_.size());
  }

  std::string_view text_;
  const TokenizedText tokenized_;
  const std::vector<Token>& tokens_;
  std::vector<std::size_t> calls_;
  AsksPrevious out_;
};

// Cheap enough for every text that is prepared.
bool perhaps(std::string_view text) {
  for (const std::string_view word :
       {"row_count", "found_rows", "warning", "error", "diagnostics"}) {
    const auto same = [](char a, char b) {
      return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + ('a' - 'A')) : a) == b;
    };
    if (std::search(text.begin(), text.end(), word.begin(), word.end(), same) != text.end()) {
      return true;
    }
  }
  return false;
}

}  // namespace

AsksPrevious asks_previous(std::string_view text) {
  return perhaps(text) ? PreviousReader(text).read() : AsksPrevious();
}

std::string previous_sql(const std::string& rows, bool found_kept) {
  return "SET @understudy_row_count = " + (rows.empty() ? "ROW_COUNT()" : rows) +
         ", @understudy_found_rows = " + (found_kept ? "@understudy_found" : "FOUND_ROWS()");
}

bool sets_found_rows(std::string_view text) {
  Lexer lexer(text, Dialect::mariadb);
  Token token = lexer.next();
  if (one_of(token, {"EXPLAIN", "DESC", "DESCRIBE", "CALL", "VALUES"})) return true;
  if (token.is_word("SHOW")) {
    return !one_of(lexer.next(), {"CREATE", "WARNINGS", "ERRORS", "GRANTS"});
  }
  for (; token.kind != TokenKind::end; token = lexer.next()) {
    if (token.is_word("SELECT")) return true;
  }
  return false;
}

}  // namespace understudy::sql
