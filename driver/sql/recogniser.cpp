#include "driver/sql/recogniser.h"

#include <algorithm>

#include "journal/exact_text.h"

namespace understudy::sql {

const Token& Cursor::peek(std::size_t ahead) const {
  static const Token kNone;
  return at_ + ahead < to_ ? tokens_[at_ + ahead] : kNone;
}

const Token& Cursor::take() {
  const Token& token = peek();
  if (!done()) ++at_;
  return token;
}

bool Cursor::accept(std::string_view word) {
  if (!peek().is_word(word)) return false;
  ++at_;
  return true;
}

bool Cursor::accept(char punctuation) {
  if (!peek().is(punctuation)) return false;
  ++at_;
  return true;
}

bool Cursor::accept(char first, char second) {
  if (!peek().is(first) || !peek(1).is(second)) return false;
  if (peek(1).offset != peek().offset + 1) return false;
  at_ += 2;
  return true;
}

bool Cursor::skip_parentheses() {
  if (!peek().is('(')) return false;
  std::size_t depth = 0;
  do {
    if (peek().is('(')) ++depth;
    if (peek().is(')')) --depth;
    ++at_;
  } while (depth > 0 && at_ < to_);
  return depth == 0;
}

std::optional<std::string> Cursor::name() {
  const TokenKind kind = peek().kind;
  if (kind != TokenKind::word && kind != TokenKind::quoted_identifier) return std::nullopt;
  return identifier(take(), dialect_);
}

std::size_t value_tokens(const Cursor& cursor) {
  const Token& token = cursor.peek();
  if (token.kind == TokenKind::parameter || token.kind == TokenKind::number ||
      token.kind == TokenKind::string || token.is_word("NULL") || token.is_word("TRUE") ||
      token.is_word("FALSE")) {
    return 1;
  }
  const bool sign = token.is('-') || token.is('+');
  return sign && cursor.peek(1).kind == TokenKind::number ? 2 : 0;
}

namespace {

bool null_test(Cursor* at) {
  if (at->accept("ISNULL") || at->accept("NOTNULL")) return at->done();
  const std::size_t start = at->position();
  const bool is = at->accept("IS");
  const bool negated = at->accept("NOT");
  if ((is || negated) && at->accept("NULL") && at->done()) return true;
  at->seek(start);
  return false;
}

bool comparison(Cursor* at) {
  return at->accept('<', '>') || at->accept('!', '=') || at->accept('<', '=') ||
         at->accept('>', '=') || at->accept('<') || at->accept('>');
}

bool values_only(Cursor* at) {
  if (!at->accept('(')) return false;
  do {
    const std::size_t count = value_tokens(*at);
    if (count == 0) return false;
    at->seek(at->position() + count);
  } while (at->accept(','));
  return at->accept(')') && at->done();
}

/// An integer in the one form that equal integers have; MariaDB's types are not standard names.
bool plain_integer(const TokenizedText& text, std::size_t from, std::size_t to,
                   const Column& column) {
  if (!mariadb_base_type(column.type).ends_with("int")) return false;
  const Token& value = text.tokens[to - 1];
  if (to - from == 2 && !text.tokens[from].is('-')) return false;
  return value.kind == TokenKind::number && value.text.front() != '0' &&
         value.text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

Recogniser::Recogniser(const TokenizedText& text, const Catalog& catalog, Analysis* out)
    : text_(text),
      catalog_(catalog),
      out_(*out),
      cursor_(text.tokens, 0, text.tokens.size(), catalog.dialect),
      dialect_(catalog.dialect) {}

bool Recogniser::refused(std::string_view reason) {
  set_opaque(&out_, reason);
  return false;
}

Cursor Recogniser::cursor(std::size_t from, std::size_t to) const {
  return {text_.tokens, from, to, dialect_};
}

std::size_t Recogniser::find(std::size_t from,
                             std::initializer_list<std::string_view> words) const {
  std::size_t depth = 0;
  for (std::size_t i = from; i < text_.tokens.size(); ++i) {
    const Token& token = text_.tokens[i];
    if (token.is('(')) ++depth;
    if (token.is(')') && depth > 0) --depth;
    if (depth > 0) continue;
    for (const std::string_view word : words) {
      if (token.is_word(word)) return i;
    }
  }
  return text_.tokens.size();
}

bool Recogniser::balanced() const {
  std::size_t depth = 0;
  for (const Token& token : text_.tokens) {
    if (token.is('(')) ++depth;
    if (token.is(')') && depth-- == 0) return false;
  }
  return depth == 0;
}

std::optional<std::uint32_t> Recogniser::key_position(std::uint32_t ordinal) const {
  const auto found = std::find(table_->key.begin(), table_->key.end(), ordinal);
  if (found == table_->key.end()) return std::nullopt;
  return static_cast<std::uint32_t>(found - table_->key.begin());
}

std::optional<KeyPart> Recogniser::key_part(std::uint32_t position, Span tokens) const {
  const auto [from, to] = tokens;
  const std::size_t count = value_tokens(cursor(from, to));
  if (count == 0 || from + count != to) return std::nullopt;
  KeyPart part;
  part.column = position;
  if (text_.tokens[from].kind == TokenKind::parameter) {
    part.parameter = static_cast<std::uint32_t>(
        std::count_if(text_.tokens.begin(), text_.tokens.begin() + static_cast<long>(from),
                      [](const Token& t) { return t.kind == TokenKind::parameter; }));
    return part;
  }
  const Column& column = table_->columns[table_->key[position]];
  const bool plain = dialect_ == Dialect::mariadb
                         ? plain_integer(text_, from, to, column)
                         : plain_key_literal(text_, from, count, column, dialect_);
  if (!plain) return std::nullopt;
  const Token& last = text_.tokens[to - 1];
  const std::size_t start = text_.tokens[from].offset;
  part.literal = text_.text.substr(start, last.offset + last.text.size() - start);
  return part;
}

std::optional<std::vector<Recogniser::Span>> Recogniser::single_row(
    const std::vector<std::uint32_t>& columns) {
  if (!cursor_.accept('(')) return std::nullopt;
  std::vector<Span> given(table_->columns.size());
  std::size_t i = 0;
  do {
    const std::size_t count = value_tokens(cursor_);
    if (count == 0 || i >= columns.size()) return std::nullopt;
    given[columns[i++]] = {cursor_.position(), cursor_.position() + count};
    cursor_.seek(cursor_.position() + count);
  } while (cursor_.accept(','));
  if (!cursor_.accept(')') || !cursor_.done() || i != columns.size()) return std::nullopt;
  return given;
}

bool Recogniser::value_rows(std::size_t to, const std::vector<std::uint32_t>& columns,
                            std::size_t rows_max, std::vector<std::vector<Span>>* rows) {
  do {
    const std::size_t open = cursor_.position();
    if (!cursor_.skip_parentheses()) return false;
    const std::size_t close = cursor_.position() - 1;
    std::vector<Span> given(table_->columns.size());
    std::size_t from = open + 1;
    for (const std::uint32_t column : columns) {
      if (from > close) return false;
      std::size_t end = std::min(close, end_of_expression(from));
      given[column] = {from, end};
      from = end + 1;
    }
    if (from != close + 1 || rows->size() >= rows_max) return false;
    rows->push_back(std::move(given));
  } while (cursor_.position() < to && cursor_.accept(','));
  return cursor_.position() == to;
}

bool Recogniser::is_value(Span tokens) const {
  const std::size_t count = value_tokens(cursor(tokens.first, tokens.second));
  return count != 0 && tokens.first + count == tokens.second;
}

bool Recogniser::all_values(const std::vector<Span>& row) const {
  return std::all_of(row.begin(), row.end(),
                     [&](Span one) { return one.second == 0 || is_value(one); });
}

bool Recogniser::assignments(std::size_t to, std::vector<Assignment>* out, bool keys) {
  do {
    std::vector<std::uint32_t> columns;
    const bool list = cursor_.accept('(');
    do {
      const auto ordinal = column(&cursor_);
      if (!ordinal) return refused(cursor_.name() ? "unknown-column" : "not-understood");
      if (!keys && key_position(*ordinal)) return refused("key-assigned");
      columns.push_back(*ordinal);
    } while (list && cursor_.accept(','));
    if ((list && !cursor_.accept(')')) || !cursor_.accept('=')) return refused("not-understood");
    const std::size_t from = cursor_.position();
    const std::size_t end = std::min(to, end_of_expression(from));
    for (const std::uint32_t ordinal : columns) out->push_back({ordinal, from, end, !list});
    cursor_.seek(end);
  } while (cursor_.position() < to && cursor_.accept(','));
  return cursor_.position() == to || refused("not-understood");
}

std::size_t Recogniser::end_of_expression(std::size_t from) const {
  std::size_t depth = 0;
  for (std::size_t i = from; i < text_.tokens.size(); ++i) {
    if (text_.tokens[i].is('(')) ++depth;
    if (text_.tokens[i].is(')') && depth > 0) --depth;
    if (depth == 0 && text_.tokens[i].is(',')) return i;
  }
  return text_.tokens.size();
}

bool Recogniser::replaces_one_row() const {
  return table_->unique_keys.empty() && table_->triggers.empty() && !is_referred_to();
}

bool Recogniser::is_referred_to() const {
  const std::string name = ascii_lower(table_->name);
  for (const Table& other : catalog_.tables) {
    for (const ForeignKey& reference : other.foreign_keys) {
      if (ascii_lower(reference.parent_table) == name) return true;
    }
  }
  return false;
}

// ---- expressions; recursion is bounded by kNestingMax ----

std::optional<std::uint32_t> Recogniser::column(Cursor* at) const {
  const std::size_t start = at->position();
  auto name = at->name();
  if (name && at->accept('.')) {
    const bool ours = ascii_lower(*name) == ascii_lower(name_);
    name = at->name();
    if (!ours) name.reset();
  }
  const auto ordinal = name ? table_->column(*name) : std::nullopt;
  if (!ordinal || at->peek().is('(') || at->peek().is('.')) {
    at->seek(start);
    return std::nullopt;
  }
  return ordinal;
}

bool Recogniser::immutable(Span tokens) const {
  Cursor at = cursor(tokens.first, tokens.second);
  return sum(&at) && at.done();
}

// Precedence does not matter here: only whether each operand and operator is known. || is another
// operator in each sql_mode of MariaDB.
bool Recogniser::sum(Cursor* at) const {
  const bool joins = dialect_ != Dialect::mariadb;
  do {
    if (!operand(at)) return false;
  } while ((joins && at->accept('|', '|')) || at->accept('+') || at->accept('-') ||
           at->accept('*') || at->accept('/') || at->accept('%'));
  return true;
}

bool Recogniser::operand(Cursor* at) const {
  while (at->accept('-') || at->accept('+')) {
  }
  if (at->accept('(')) return sum(at) && at->accept(')');
  if (column(at)) return true;
  if (const std::size_t count = value_tokens(*at); count != 0) {
    at->seek(at->position() + count);
    return true;
  }
  return call(at);
}

bool Recogniser::call(Cursor* at) const {
  if (at->peek().kind != TokenKind::word || !at->peek(1).is('(')) return false;
  const std::string name = ascii_lower(at->take().text);
  if (function_effect(name, dialect_) != FunctionEffect::immutable) return false;
  at->take();
  do {
    if (!sum(at)) return false;
  } while (at->accept(','));
  return at->accept(')');
}

// ---- WHERE ----

Recogniser::Key Recogniser::pinned_key(std::size_t where) const {
  if (where >= text_.tokens.size()) return std::nullopt;
  Found found(table_->key.size());
  if (!conjunction(where + 1, text_.tokens.size(), &found)) return std::nullopt;
  std::vector<KeyPart> key;
  for (auto& part : found) {
    if (!part) return std::nullopt;
    key.push_back(std::move(*part));
  }
  return key;
}

bool Recogniser::conjunction(std::size_t from, std::size_t to, Found* found) const {
  while (from < to) {
    const std::size_t end = std::min(to, find(from, {"AND"}));
    if (!conjunct(from, end, found)) return false;
    from = end + 1;
    if (end + 1 == to) return false;
  }
  return true;
}

bool Recogniser::conjunct(std::size_t from, std::size_t to, Found* found) const {
  Cursor at = cursor(from, to);
  if (at.peek().is('(')) {
    return at.skip_parentheses() && at.done() && conjunction(from + 1, to - 1, found);
  }
  const Side left = side(&at);
  if (!left.valid) return false;
  if (null_test(&at)) return left.column.has_value();
  if (left.column && at.accept("IN")) return values_only(&at);
  const bool equal = at.accept('=', '=') || at.accept('=');
  if (!equal && !comparison(&at)) return false;
  const Side right = side(&at);
  if (!right.valid || !at.done()) return false;
  if (equal) pin(left, right, found);
  return true;
}

Recogniser::Side Recogniser::side(Cursor* at) const {
  Side out;
  out.tokens.first = at->position();
  out.column = column(at);
  if (!out.column) at->seek(at->position() + value_tokens(*at));
  out.tokens.second = at->position();
  out.valid = out.tokens.second > out.tokens.first;
  return out;
}

void Recogniser::pin(const Side& left, const Side& right, Found* found) const {
  for (const auto& [named, value] : {std::pair(left, right), std::pair(right, left)}) {
    if (!named.column || value.column) continue;
    const auto position = key_position(*named.column);
    if (!position || (*found)[*position]) continue;
    (*found)[*position] = key_part(*position, value.tokens);
  }
}

}  // namespace understudy::sql
