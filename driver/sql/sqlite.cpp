// Verdicts for SQLite: a recogniser over tokens that understands as much of INSERT, UPDATE and
// DELETE as a verdict needs. What it does not recognise is opaque, or has effects and no key.
#include <algorithm>
#include <initializer_list>

#include "driver/sql/dialects.h"
#include "driver/sql/functions.h"
#include "journal/exact_text.h"

namespace understudy::sql {
namespace {

// libsqliteodbc fetches rows only of a statement whose first word is SELECT, WITH or the like.
constexpr std::string_view kQueryPrefix = "WITH understudy_q AS (SELECT 1) ";

/// Not with double quotes: SQLite reads "x" as a string when there is no such column, and a stale
/// catalog would go unnoticed.
std::string returned_column(const Column& column) {
  std::string name = "`";
  for (const char c : column.name) {
    if (c == '`') name += '`';
    name += c;
  }
  name += '`';
  // A generated key is a rowid: always an integer.
  return column.identity ? "quote(" + name + ")" : sqlite_exact_text(name);
}

/// Walks along the tokens of one statement.
class Cursor {
 public:
  Cursor(const std::vector<Token>& tokens, std::size_t from, std::size_t to)
      : tokens_(tokens), at_(from), to_(to) {}

  [[nodiscard]] bool done() const { return at_ >= to_; }
  [[nodiscard]] std::size_t position() const { return at_; }
  void seek(std::size_t position) { at_ = std::min(position, to_); }
  [[nodiscard]] const Token& peek(std::size_t ahead = 0) const {
    static const Token kNone;
    return at_ + ahead < to_ ? tokens_[at_ + ahead] : kNone;
  }
  const Token& take() {
    const Token& token = peek();
    if (!done()) ++at_;
    return token;
  }
  bool accept(std::string_view word) { return peek().is_word(word) && (++at_, true); }
  bool accept(char punctuation) { return peek().is(punctuation) && (++at_, true); }
  /// Two punctuation bytes side by side, such as || or <=.
  bool accept(char first, char second) {
    if (!peek().is(first) || !peek(1).is(second)) return false;
    if (peek(1).offset != peek().offset + 1) return false;
    at_ += 2;
    return true;
  }
  /// Behind the parenthesis that closes the one here; false when there is none.
  bool skip_parentheses() {
    if (!peek().is('(')) return false;
    std::size_t depth = 0;
    do {
      if (peek().is('(')) ++depth;
      if (peek().is(')')) --depth;
      ++at_;
    } while (depth > 0 && at_ < to_);
    return depth == 0;
  }
  std::optional<std::string> name() {
    const TokenKind kind = peek().kind;
    if (kind != TokenKind::word && kind != TokenKind::quoted_identifier) return std::nullopt;
    return identifier(take(), Dialect::sqlite);
  }

 private:
  const std::vector<Token>& tokens_;
  std::size_t at_;
  std::size_t to_;
};

/// A value: parameter, or literal. Returns the number of tokens, 0 when there is none.
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

class SqliteAnalyzer {
 public:
  SqliteAnalyzer(const TokenizedText& text, const Catalog& catalog, Analysis* out)
      : text_(text), catalog_(catalog), out_(*out), cursor_(text.tokens, 0, text.tokens.size()) {}

  void run() {
    if (!skip_with()) return refuse("not-understood");
    for (std::size_t i = 0; i < text_.tokens.size(); ++i) {
      if (text_.tokens[i].is_word("RETURNING")) return refuse("own-returning");
      if (calls_writer(i)) return refuse("unknown-function");
    }
    if (cursor_.accept("INSERT")) return insert(false);
    if (cursor_.accept("REPLACE")) return insert(true);
    if (cursor_.accept("UPDATE")) return update();
    if (cursor_.accept("DELETE")) return remove();
    refuse("not-understood");
  }

 private:
  struct Assignment {
    std::uint32_t column = 0;
    std::size_t from = 0;  // tokens of its expression
    std::size_t to = 0;
    bool single = true;  // not (a, b) = ...
  };

  void refuse(std::string_view reason) { set_opaque(&out_, reason); }

  // --- parts that all verbs have ---

  bool skip_with() {
    if (!cursor_.accept("WITH")) return true;
    with_ = true;
    cursor_.accept("RECURSIVE");
    do {
      if (!cursor_.name()) return false;
      if (cursor_.peek().is('(') && !cursor_.skip_parentheses()) return false;
      if (!cursor_.accept("AS")) return false;
      cursor_.accept("NOT");
      cursor_.accept("MATERIALIZED");
      if (!cursor_.skip_parentheses()) return false;
    } while (cursor_.accept(','));
    return true;
  }

  [[nodiscard]] bool calls_writer(std::size_t i) const {
    if (i + 1 >= text_.tokens.size() || !text_.tokens[i + 1].is('(')) return false;
    const Token& token = text_.tokens[i];
    if (token.kind != TokenKind::word && token.kind != TokenKind::quoted_identifier) return false;
    const std::string name = ascii_lower(identifier(token, Dialect::sqlite));
    return function_effect(name, Dialect::sqlite) == FunctionEffect::unknown;
  }

  /// `[schema.]table [AS alias]`; false: the verdict is given.
  bool target() {
    auto name = cursor_.name();
    std::string schema;
    if (name && cursor_.accept('.')) {
      schema = ascii_lower(*name);
      name = cursor_.name();
    }
    if (!name) return refuse("not-understood"), false;
    table_ = schema.empty() || schema == "main" ? catalog_.find("", *name) : nullptr;
    if (table_ == nullptr && schema == "main") table_ = catalog_.find(schema, *name);
    const std::string_view obstacle = table_obstacle(table_);
    if (!obstacle.empty()) return refuse(obstacle), false;
    name_ = *name;
    return alias();
  }

  bool alias() {
    if (!cursor_.accept("AS")) return true;
    const auto name = cursor_.name();
    if (!name) return refuse("not-understood"), false;
    name_ = *name;
    return true;
  }

  bool skip_index_hint() {
    if (cursor_.peek().is_word("NOT") && cursor_.peek(1).is_word("INDEXED")) {
      cursor_.seek(cursor_.position() + 2);
    } else if (cursor_.accept("INDEXED")) {
      return cursor_.accept("BY") && cursor_.name().has_value();
    }
    return true;
  }

  /// The first of these words outside parentheses from here on, or the end.
  [[nodiscard]] std::size_t find(std::size_t from,
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

  [[nodiscard]] bool balanced() const {
    std::size_t depth = 0;
    for (const Token& token : text_.tokens) {
      if (token.is('(')) ++depth;
      if (token.is(')') && depth-- == 0) return false;
    }
    return depth == 0;
  }

  bool effects(Verb verb) {
    if (!balanced()) return refuse("not-understood"), false;
    set_effects(&out_, *table_, verb);
    std::string text(with_ ? std::string_view() : kQueryPrefix);
    text += text_.text.substr(0, text_.end());
    text += " RETURNING ";
    for (std::size_t i = 0; i < out_.columns.size(); ++i) {
      if (i != 0) text += ", ";
      text += returned_column(table_->columns[out_.columns[i]]);
    }
    text += text_.text.substr(text_.end());
    out_.rewritten = std::move(text);
    return true;
  }

  void keyed(std::vector<KeyPart> key) {
    out_.verdict = Verdict::keyed;
    out_.key = std::move(key);
  }

  [[nodiscard]] bool may_be_keyed() const { return !with_ && table_->triggers.empty(); }

  [[nodiscard]] std::optional<std::uint32_t> key_position(std::uint32_t ordinal) const {
    const auto found = std::find(table_->key.begin(), table_->key.end(), ordinal);
    if (found == table_->key.end()) return std::nullopt;
    return static_cast<std::uint32_t>(found - table_->key.begin());
  }

  /// The key part of the value that fills exactly these tokens.
  [[nodiscard]] std::optional<KeyPart> key_part(std::uint32_t position, std::size_t from,
                                                std::size_t to) const {
    const Cursor cursor(text_.tokens, from, to);
    const std::size_t count = value_tokens(cursor);
    if (count == 0 || from + count != to) return std::nullopt;
    KeyPart part;
    part.column = position;
    if (text_.tokens[from].kind == TokenKind::parameter) {
      part.parameter = parameter_number(from);
      return part;
    }
    const Column& column = table_->columns[table_->key[position]];
    if (!plain_key_literal(text_, from, count, column, Dialect::sqlite)) return std::nullopt;
    const Token& last = text_.tokens[to - 1];
    const std::size_t start = text_.tokens[from].offset;
    part.literal = text_.text.substr(start, last.offset + last.text.size() - start);
    return part;
  }

  [[nodiscard]] std::uint32_t parameter_number(std::size_t token) const {
    return static_cast<std::uint32_t>(
        std::count_if(text_.tokens.begin(), text_.tokens.begin() + static_cast<long>(token),
                      [](const Token& t) { return t.kind == TokenKind::parameter; }));
  }

  // --- INSERT ---

  void insert(bool replace) {
    bool ignore = false;
    if (!replace && cursor_.accept("OR")) {
      replace = cursor_.accept("REPLACE");
      ignore = !replace && cursor_.accept("IGNORE");
      if (!replace && !ignore && !cursor_.accept("ABORT")) return refuse("insert-or");
    }
    if (!cursor_.accept("INTO")) return refuse("not-understood");
    if (!target()) return;
    if (replace && !replaces_one_row()) return refuse("replace");
    std::vector<std::uint32_t> columns;
    if (!insert_columns(&columns)) return refuse("unknown-column");
    const std::size_t rows = cursor_.position();
    const std::size_t conflict = find_conflict(rows);
    bool puts = replace;
    if (!upserts(conflict, &puts)) return;
    if (!effects(puts ? Verb::put : Verb::insert)) return;
    const bool plain = !replace && !ignore && conflict == text_.tokens.size();
    if (!plain || !may_be_keyed()) return;
    if (auto key = inserted_key(columns)) keyed(std::move(*key));
  }

  /// Whether REPLACE can remove no other row than the one with the new row's key, and nothing
  /// follows from that removal.
  [[nodiscard]] bool replaces_one_row() const {
    if (!table_->unique_keys.empty() || !table_->triggers.empty()) return false;
    const std::string name = ascii_lower(table_->name);
    for (const Table& other : catalog_.tables) {
      for (const ForeignKey& reference : other.foreign_keys) {
        if (ascii_lower(reference.parent_table) == name) return false;
      }
    }
    return true;
  }

  bool insert_columns(std::vector<std::uint32_t>* columns) {
    if (!cursor_.peek().is('(') || cursor_.peek(1).is_word("SELECT") ||
        cursor_.peek(1).is_word("VALUES") || cursor_.peek(1).is_word("WITH")) {
      for (std::uint32_t i = 0; i < table_->columns.size(); ++i) {
        // Hidden generated columns take no value of a list without names.
        if (!table_->columns[i].generated) columns->push_back(i);
      }
      return true;
    }
    cursor_.take();
    do {
      const auto name = cursor_.name();
      const auto ordinal = name ? table_->column(*name) : std::nullopt;
      if (!ordinal) return false;
      columns->push_back(*ordinal);
    } while (cursor_.accept(','));
    return cursor_.accept(')');
  }

  [[nodiscard]] std::size_t find_conflict(std::size_t from) const {
    for (std::size_t i = find(from, {"ON"}); i < text_.tokens.size(); i = find(i + 1, {"ON"})) {
      if (i + 1 < text_.tokens.size() && text_.tokens[i + 1].is_word("CONFLICT")) return i;
    }
    return text_.tokens.size();
  }

  /// ON CONFLICT clauses from here to the end; false: opaque.
  bool upserts(std::size_t at, bool* puts) {
    while (at < text_.tokens.size()) {
      const std::size_t action = find(at, {"DO"}) + 1;
      cursor_.seek(action);
      at = find_conflict(action);
      if (cursor_.accept("NOTHING")) continue;
      if (!cursor_.accept("UPDATE") || !cursor_.accept("SET"))
        return refuse("not-understood"), false;
      std::vector<Assignment> assignments;
      if (!parse_assignments(std::min(at, find(action, {"WHERE"})), &assignments)) return false;
      *puts = true;
    }
    return true;
  }

  [[nodiscard]] std::optional<std::vector<KeyPart>> inserted_key(
      const std::vector<std::uint32_t>& columns) {
    if (!cursor_.accept("VALUES") || !cursor_.accept('(')) return std::nullopt;
    std::vector<std::pair<std::size_t, std::size_t>> given(table_->columns.size());
    std::size_t i = 0;
    do {
      const std::size_t count = value_tokens(cursor_);
      if (count == 0 || i >= columns.size()) return std::nullopt;
      given[columns[i++]] = {cursor_.position(), cursor_.position() + count};
      cursor_.seek(cursor_.position() + count);
    } while (cursor_.accept(','));
    if (!cursor_.accept(')') || !cursor_.done() || i != columns.size()) return std::nullopt;
    return key_of_row(given);
  }

  [[nodiscard]] std::optional<std::vector<KeyPart>> key_of_row(
      const std::vector<std::pair<std::size_t, std::size_t>>& given) const {
    for (std::size_t i = 0; i < given.size(); ++i) {
      const Column& column = table_->columns[i];
      const bool made = column.identity || column.default_kind == DefaultKind::computed;
      if (given[i].second == 0 && made && !column.generated) return std::nullopt;
    }
    std::vector<KeyPart> key;
    for (std::uint32_t k = 0; k < table_->key.size(); ++k) {
      const auto [from, to] = given[table_->key[k]];
      auto part = to == 0 ? std::nullopt : key_part(k, from, to);
      if (!part) return std::nullopt;
      // NULL for a rowid alias makes a new key, and a parameter may be NULL.
      if (part->parameter && table_->columns[table_->key[k]].identity) return std::nullopt;
      key.push_back(std::move(*part));
    }
    return key;
  }

  // --- UPDATE ---

  void update() {
    if (cursor_.accept("OR") && !cursor_.accept("ABORT")) return refuse("update-or");
    if (!target()) return;
    if (!skip_index_hint() || !cursor_.accept("SET")) return refuse("not-understood");
    const std::size_t start = cursor_.position();
    if (find(start, {"ORDER", "LIMIT"}) != text_.tokens.size()) return refuse("limit");
    const std::size_t from = find(start, {"FROM"});
    const std::size_t where = find(start, {"WHERE"});
    std::vector<Assignment> assignments;
    if (!parse_assignments(std::min(from, where), &assignments)) return;
    if (!effects(Verb::update) || !may_be_keyed() || from != text_.tokens.size()) return;
    for (const Assignment& assignment : assignments) {
      if (!assignment.single || !immutable(assignment.from, assignment.to)) return;
    }
    if (auto key = pinned_key(where)) keyed(std::move(*key));
  }

  /// `column = expression, ...` from the cursor to `to`; false: opaque.
  bool parse_assignments(std::size_t to, std::vector<Assignment>* out) {
    do {
      std::vector<std::string> names;
      const bool list = cursor_.accept('(');
      do {
        const auto name = cursor_.name();
        if (!name) return refuse("not-understood"), false;
        names.push_back(*name);
      } while (list && cursor_.accept(','));
      if ((list && !cursor_.accept(')')) || !cursor_.accept('=')) {
        return refuse("not-understood"), false;
      }
      const std::size_t from = cursor_.position();
      const std::size_t end = std::min(to, end_of_expression(from));
      for (const std::string& name : names) {
        const auto ordinal = table_->column(name);
        if (!ordinal) return refuse("unknown-column"), false;
        if (key_position(*ordinal)) return refuse("key-assigned"), false;
        out->push_back({*ordinal, from, end, !list});
      }
      cursor_.seek(end);
    } while (cursor_.position() < to && cursor_.accept(','));
    if (cursor_.position() == to) return true;
    return refuse("not-understood"), false;
  }

  [[nodiscard]] std::size_t end_of_expression(std::size_t from) const {
    std::size_t depth = 0;
    for (std::size_t i = from; i < text_.tokens.size(); ++i) {
      if (text_.tokens[i].is('(')) ++depth;
      if (text_.tokens[i].is(')') && depth > 0) --depth;
      if (depth == 0 && text_.tokens[i].is(',')) return i;
    }
    return text_.tokens.size();
  }

  // --- DELETE ---

  void remove() {
    if (!cursor_.accept("FROM")) return refuse("not-understood");
    if (!target()) return;
    if (!skip_index_hint()) return refuse("not-understood");
    const std::size_t start = cursor_.position();
    if (find(start, {"ORDER", "LIMIT"}) != text_.tokens.size()) return refuse("limit");
    if (!cursor_.done() && !cursor_.peek().is_word("WHERE")) return refuse("not-understood");
    if (!effects(Verb::remove) || !may_be_keyed()) return;
    if (auto key = pinned_key(start)) keyed(std::move(*key));
  }

  // --- expressions; recursion is bounded by kNestingMax ---

  [[nodiscard]] std::optional<std::uint32_t> column(Cursor* cursor) const {
    const std::size_t start = cursor->position();
    auto name = cursor->name();
    if (name && cursor->accept('.')) {
      const bool ours = ascii_lower(*name) == ascii_lower(name_);
      name = cursor->name();
      if (!ours) name.reset();
    }
    const auto ordinal = name ? table_->column(*name) : std::nullopt;
    if (!ordinal || cursor->peek().is('(') || cursor->peek().is('.')) {
      cursor->seek(start);
      return std::nullopt;
    }
    return ordinal;
  }

  [[nodiscard]] bool immutable(std::size_t from, std::size_t to) const {
    Cursor cursor(text_.tokens, from, to);
    return sum(&cursor) && cursor.done();
  }

  // Precedence does not matter here: only whether each operand and operator is known.
  [[nodiscard]] bool sum(Cursor* cursor) const {
    do {
      if (!operand(cursor)) return false;
    } while (cursor->accept('|', '|') || cursor->accept('+') || cursor->accept('-') ||
             cursor->accept('*') || cursor->accept('/') || cursor->accept('%'));
    return true;
  }

  [[nodiscard]] bool operand(Cursor* cursor) const {
    while (cursor->accept('-') || cursor->accept('+')) {
    }
    if (cursor->accept('(')) return sum(cursor) && cursor->accept(')');
    if (column(cursor)) return true;
    if (const std::size_t count = value_tokens(*cursor); count != 0) {
      cursor->seek(cursor->position() + count);
      return true;
    }
    return call(cursor);
  }

  [[nodiscard]] bool call(Cursor* cursor) const {
    if (cursor->peek().kind != TokenKind::word || !cursor->peek(1).is('(')) return false;
    const std::string name = ascii_lower(cursor->take().text);
    if (function_effect(name, Dialect::sqlite) != FunctionEffect::immutable) return false;
    cursor->take();
    do {
      if (!sum(cursor)) return false;
    } while (cursor->accept(','));
    return cursor->accept(')');
  }

  // --- WHERE ---

  [[nodiscard]] std::optional<std::vector<KeyPart>> pinned_key(std::size_t where) const {
    if (where >= text_.tokens.size()) return std::nullopt;
    std::vector<std::optional<KeyPart>> found(table_->key.size());
    if (!conjunction(where + 1, text_.tokens.size(), &found)) return std::nullopt;
    std::vector<KeyPart> key;
    for (auto& part : found) {
      if (!part) return std::nullopt;
      key.push_back(std::move(*part));
    }
    return key;
  }

  [[nodiscard]] bool conjunction(std::size_t from, std::size_t to,
                                 std::vector<std::optional<KeyPart>>* found) const {
    while (from < to) {
      const std::size_t end = std::min(to, find(from, {"AND"}));
      if (!conjunct(from, end, found)) return false;
      from = end + 1;
      if (end + 1 == to) return false;
    }
    return true;
  }

  [[nodiscard]] bool conjunct(std::size_t from, std::size_t to,
                              std::vector<std::optional<KeyPart>>* found) const {
    Cursor cursor(text_.tokens, from, to);
    if (cursor.peek().is('(')) {
      return cursor.skip_parentheses() && cursor.done() && conjunction(from + 1, to - 1, found);
    }
    const Side left = side(&cursor);
    if (!left.valid) return false;
    if (null_test(&cursor)) return left.column.has_value();
    if (left.column && cursor.accept("IN")) return values_only(&cursor);
    const bool equal = cursor.accept('=', '=') || cursor.accept('=');
    if (!equal && !comparison(&cursor)) return false;
    const Side right = side(&cursor);
    if (!right.valid || !cursor.done()) return false;
    if (equal) pin(left, right, found);
    return true;
  }

  struct Side {
    bool valid = false;
    std::optional<std::uint32_t> column;
    std::size_t from = 0;
    std::size_t to = 0;
  };

  [[nodiscard]] Side side(Cursor* cursor) const {
    Side out;
    out.from = cursor->position();
    out.column = column(cursor);
    if (!out.column) cursor->seek(cursor->position() + value_tokens(*cursor));
    out.to = cursor->position();
    out.valid = out.to > out.from;
    return out;
  }

  [[nodiscard]] static bool null_test(Cursor* cursor) {
    if (cursor->accept("ISNULL") || cursor->accept("NOTNULL")) return cursor->done();
    const std::size_t start = cursor->position();
    const bool is = cursor->accept("IS");
    const bool negated = cursor->accept("NOT");
    if ((is || negated) && cursor->accept("NULL") && cursor->done()) return true;
    cursor->seek(start);
    return false;
  }

  [[nodiscard]] static bool comparison(Cursor* cursor) {
    return cursor->accept('<', '>') || cursor->accept('!', '=') || cursor->accept('<', '=') ||
           cursor->accept('>', '=') || cursor->accept('<') || cursor->accept('>');
  }

  [[nodiscard]] static bool values_only(Cursor* cursor) {
    if (!cursor->accept('(')) return false;
    do {
      const std::size_t count = value_tokens(*cursor);
      if (count == 0) return false;
      cursor->seek(cursor->position() + count);
    } while (cursor->accept(','));
    return cursor->accept(')') && cursor->done();
  }

  void pin(const Side& left, const Side& right, std::vector<std::optional<KeyPart>>* found) const {
    for (const auto& [named, value] : {std::pair(left, right), std::pair(right, left)}) {
      if (!named.column || value.column) continue;
      const auto position = key_position(*named.column);
      if (!position || (*found)[*position]) continue;
      (*found)[*position] = key_part(*position, value.from, value.to);
    }
  }

  const TokenizedText& text_;
  const Catalog& catalog_;
  Analysis& out_;
  Cursor cursor_;
  const Table* table_ = nullptr;
  std::string name_;  // alias or table name, as the statement's own expressions may say it
  bool with_ = false;
};

/// The text without a RETURNING of its own, whose rows nobody sees: libsqliteodbc gives rows only
/// for texts that begin as a query does. Nothing when there is none, or it cannot be left out.
std::optional<TokenizedText> without_returning(const TokenizedText& text) {
  if (text.tokens.empty() || text.tokens.front().is_word("WITH")) return std::nullopt;
  std::size_t depth = 0;
  std::optional<std::size_t> at;
  for (std::size_t i = 0; i < text.tokens.size(); ++i) {
    const Token& token = text.tokens[i];
    if (token.is('(')) ++depth;
    if (token.is(')') && depth > 0) --depth;
    if (token.is_word("RETURNING")) {
      if (depth > 0 || at || i == 0) return std::nullopt;
      at = i;
    } else if (at && token.kind == TokenKind::parameter) {
      return std::nullopt;
    }
  }
  if (!at) return std::nullopt;
  TokenizedText out = text;
  out.text = text.text.substr(0, text.tokens[*at].offset);
  out.tokens.resize(*at);
  out.ends_at = 0;
  return out;
}

}  // namespace

void analyze_sqlite(const TokenizedText& text, const Catalog& catalog, Analysis* analysis) {
  const std::optional<TokenizedText> shorter = without_returning(text);
  SqliteAnalyzer(shorter ? *shorter : text, catalog, analysis).run();
  // The application's own text is a statement that a replay cannot count rows of.
  if (shorter && analysis->verdict == Verdict::keyed) {
    analysis->verdict = Verdict::effects;
    analysis->key.clear();
  }
}

}  // namespace understudy::sql
