#include "driver/sql/lexer.h"

namespace understudy::sql {
namespace {

constexpr std::size_t kPostgresNameBytesMax = 63;  // NAMEDATALEN - 1: longer names are cut

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_word_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_word_part(char c) {
  return is_word_start(c) || is_digit(c) || c == '$';
}
char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}
char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

/// Where scanning ended, and whether the closing delimiter was found.
struct Span {
  std::size_t end = 0;
  bool closed = false;
};

class Scanner {
 public:
  Scanner(std::string_view text, Dialect dialect) : text_(text), dialect_(dialect) {}

  [[nodiscard]] char at(std::size_t i) const { return i < text_.size() ? text_[i] : '\0'; }
  [[nodiscard]] bool has(std::size_t i) const { return i < text_.size(); }

  /// First byte that is neither space nor comment; `closed` false in an unterminated comment.
  [[nodiscard]] Span skip_blank(std::size_t i) const {
    while (has(i)) {
      if (is_space(text_[i])) {
        ++i;
      } else if (line_comment(i)) {
        while (has(i) && text_[i] != '\n' && !(text_[i] == '\r' && cr_ends_comment())) ++i;
      } else if (at(i) == '/' && at(i + 1) == '*' && !executable_comment(i)) {
        const Span comment = block_comment(i);
        if (!comment.closed) return {i, false};
        i = comment.end;
      } else {
        break;
      }
    }
    return {i, true};
  }

  [[nodiscard]] Span quoted(std::size_t i, char close, bool backslash) const {
    for (++i; has(i); ++i) {
      if (backslash && text_[i] == '\\') {
        ++i;
      } else if (text_[i] == close) {
        if (close == ']' || at(i + 1) != close) return {i + 1, true};
        ++i;
      }
    }
    return {text_.size(), false};
  }

  [[nodiscard]] std::size_t word(std::size_t i) const {
    while (has(i) && is_word_part(text_[i])) ++i;
    return i;
  }

  [[nodiscard]] std::size_t number(std::size_t i) const {
    if (at(i) == '0' && upper(at(i + 1)) == 'X') {
      for (i += 2; has(i) && is_word_part(text_[i]);) ++i;
      return i;
    }
    while (is_digit(at(i))) ++i;
    if (at(i) == '.') {
      for (++i; is_digit(at(i));) ++i;
    }
    if (upper(at(i)) == 'E') {
      const std::size_t sign = at(i + 1) == '+' || at(i + 1) == '-' ? 1 : 0;
      if (is_digit(at(i + 1 + sign))) {
        for (i += 1 + sign; is_digit(at(i));) ++i;
      }
    }
    return i;
  }

  /// `$tag$ ... $tag$`; end 0 when no dollar quote opens here.
  [[nodiscard]] Span dollar_quoted(std::size_t i) const {
    std::size_t tag_end = i + 1;
    if (has(tag_end) && is_word_start(text_[tag_end])) {
      while (has(tag_end) && is_word_part(text_[tag_end]) && text_[tag_end] != '$') ++tag_end;
    }
    if (at(tag_end) != '$') return {0, false};
    const std::string_view tag = text_.substr(i, tag_end + 1 - i);
    const std::size_t close = text_.find(tag, tag_end + 1);
    if (close == std::string_view::npos) return {text_.size(), false};
    return {close + tag.size(), true};
  }

  /// Length of a prefix that belongs to a string such as E'..', X'..', U&'..'; 0: none.
  [[nodiscard]] std::size_t string_prefix(std::size_t i) const {
    const char c = upper(text_[i]);
    if (dialect_ == Dialect::sqlite) return c == 'X' && at(i + 1) == '\'' ? 1 : 0;
    if (c == 'U' && at(i + 1) == '&' && at(i + 2) == '\'' && dialect_ == Dialect::postgresql) {
      return 2;
    }
    const bool known =
        c == 'B' || c == 'X' || c == 'N' || (c == 'E' && dialect_ == Dialect::postgresql);
    return known && at(i + 1) == '\'' ? 1 : 0;
  }

  [[nodiscard]] bool executable_comment(std::size_t i) const {
    return dialect_ == Dialect::mariadb && at(i) == '/' && at(i + 1) == '*' &&
           (at(i + 2) == '!' || (upper(at(i + 2)) == 'M' && at(i + 3) == '!'));
  }

 private:
  // PostgreSQL's scanner ends a line comment at CR too; SQLite and MariaDB at LF only.
  [[nodiscard]] bool cr_ends_comment() const { return dialect_ == Dialect::postgresql; }

  [[nodiscard]] bool line_comment(std::size_t i) const {
    if (at(i) == '#' && dialect_ == Dialect::mariadb) return true;
    if (at(i) != '-' || at(i + 1) != '-') return false;
    // MariaDB reads `5--1` as arithmetic: a comment needs a space or control character.
    return dialect_ != Dialect::mariadb || !has(i + 2) ||
           static_cast<unsigned char>(text_[i + 2]) <= ' ';
  }

  [[nodiscard]] Span block_comment(std::size_t i) const {
    std::size_t depth = 1;
    for (i += 2; has(i);) {
      if (at(i) == '*' && at(i + 1) == '/') {
        i += 2;
        if (--depth == 0) return {i, true};
      } else if (dialect_ == Dialect::postgresql && at(i) == '/' && at(i + 1) == '*') {
        ++depth;
        i += 2;
      } else {
        ++i;
      }
    }
    // SQLite lets the end of the text close a comment.
    return {text_.size(), dialect_ == Dialect::sqlite};
  }

  std::string_view text_;
  Dialect dialect_;
};

}  // namespace

bool Token::is_word(std::string_view upper_case_keyword) const {
  if (kind != TokenKind::word || text.size() != upper_case_keyword.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (upper(text[i]) != upper_case_keyword[i]) return false;
  }
  return true;
}

bool Token::is(char punctuation) const {
  return kind == TokenKind::punctuation && text.size() == 1 && text[0] == punctuation;
}

Token Lexer::next() {
  const Scanner scan(text_, dialect_);
  const Span blank = scan.skip_blank(at_);
  const std::size_t start = blank.end;
  const auto token = [&](TokenKind kind, std::size_t end) {
    at_ = end;
    return Token{kind, text_.substr(start, end - start), start};
  };
  const auto closed_or_not = [&](TokenKind kind, Span span) {
    return token(span.closed ? kind : TokenKind::unterminated, span.end);
  };
  if (!blank.closed) return token(TokenKind::unterminated, text_.size());
  if (!scan.has(start)) return token(TokenKind::end, text_.size());

  const char c = text_[start];
  if (is_word_start(c)) {
    const std::size_t prefix = scan.string_prefix(start);
    if (prefix == 0) return token(TokenKind::word, scan.word(start));
    const bool backslash = (upper(c) == 'E' && dialect_ == Dialect::postgresql) ||
                           (upper(c) == 'N' && dialect_ == Dialect::mariadb);
    return closed_or_not(TokenKind::string, scan.quoted(start + prefix, '\'', backslash));
  }
  if (is_digit(c) || (c == '.' && is_digit(scan.at(start + 1)))) {
    return token(TokenKind::number, scan.number(start));
  }
  const bool mariadb = dialect_ == Dialect::mariadb;
  const bool sqlite = dialect_ == Dialect::sqlite;
  switch (c) {
    case '\'':
      return closed_or_not(TokenKind::string, scan.quoted(start, '\'', mariadb));
    case '"':
      return closed_or_not(mariadb ? TokenKind::string : TokenKind::quoted_identifier,
                           scan.quoted(start, '"', mariadb));
    case '`':
      if (dialect_ == Dialect::postgresql) return token(TokenKind::punctuation, start + 1);
      return closed_or_not(TokenKind::quoted_identifier, scan.quoted(start, '`', false));
    case '[':
      if (!sqlite) return token(TokenKind::punctuation, start + 1);
      return closed_or_not(TokenKind::quoted_identifier, scan.quoted(start, ']', false));
    case '?': {
      std::size_t end = start + 1;
      while (sqlite && is_digit(scan.at(end))) ++end;
      return token(TokenKind::parameter, end);
    }
    case '$':
      if (dialect_ == Dialect::postgresql) {
        const Span quoted = scan.dollar_quoted(start);
        if (quoted.end != 0) return closed_or_not(TokenKind::string, quoted);
        return token(TokenKind::other, scan.word(start + 1));
      }
      [[fallthrough]];
    case '#':
    case ':':
    case '@':
      if (sqlite && scan.has(start + 1) && is_word_part(text_[start + 1])) {
        return token(TokenKind::parameter, scan.word(start + 1));
      }
      return token(c == '$' ? TokenKind::other : TokenKind::punctuation, start + 1);
    default:
      break;
  }
  if (scan.executable_comment(start)) return token(TokenKind::other, start + 3);
  if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\') {
    return token(TokenKind::other, start + 1);
  }
  return token(TokenKind::punctuation, start + 1);
}

std::string identifier(const Token& token, Dialect dialect) {
  std::string name;
  if (token.kind == TokenKind::quoted_identifier && token.text.size() >= 2) {
    const char close = token.text.back();
    for (std::size_t i = 1; i + 1 < token.text.size(); ++i) {
      name += token.text[i];
      if (token.text[i] == close && close != ']') ++i;
    }
  } else {
    name.assign(token.text);
    if (dialect == Dialect::postgresql) {
      for (char& c : name) c = lower(c);
    }
  }
  if (dialect == Dialect::postgresql && name.size() > kPostgresNameBytesMax) {
    std::size_t end = kPostgresNameBytesMax;
    while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xc0) == 0x80) --end;
    name.resize(end);
  }
  return name;
}

}  // namespace understudy::sql
