// Verdicts for SQLite: a recogniser over tokens that understands as much of INSERT, UPDATE and
// DELETE as a verdict needs. What it does not recognise is opaque, or has effects and no key.
#include <algorithm>
#include <initializer_list>

#include "driver/sql/recogniser.h"
#include "driver/sql/temporary.h"
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

class SqliteAnalyzer : private Recogniser {
 public:
  using Recogniser::Recogniser;

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
    if (schema.empty() || schema == "temp") out_.target = plain_name(*name, Dialect::sqlite);
    table_ = schema.empty() || schema == "main" ? catalog_.find("", *name) : nullptr;
    if (table_ == nullptr && schema == "main") table_ = catalog_.find(schema, *name);
    const std::string_view obstacle = table_obstacle(table_);
    if (table_ == nullptr || !obstacle.empty()) return refuse(obstacle), false;
    if (table_->key.empty()) return refuse("no-key"), false;
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
    // Whether its triggers see a removal is up to a setting.
    if (replace && !table_->triggers.empty()) return refuse("replace");
    std::vector<std::uint32_t> columns;
    if (!insert_columns(&columns)) return refuse("unknown-column");
    const std::size_t rows = cursor_.position();
    const std::size_t conflict = find_conflict(rows);
    bool puts = replace;
    if (!upserts(conflict, &puts)) return;
    const Verb verb = replace && !replaces_one_row() ? Verb::replace : Verb::put;
    if (!effects(puts ? verb : Verb::insert)) return;
    const bool plain = !replace && !ignore && conflict == text_.tokens.size();
    if (!plain || !may_be_keyed()) return;
    if (auto key = inserted_key(columns)) keyed(std::move(*key));
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
      std::vector<Assignment> assigned;
      if (!assignments(std::min(at, find(action, {"WHERE"})), &assigned)) return false;
      *puts = true;
    }
    return true;
  }

  [[nodiscard]] Key inserted_key(const std::vector<std::uint32_t>& columns) {
    if (!cursor_.accept("VALUES")) return std::nullopt;
    const auto row = single_row(columns);
    return row ? key_of_row(*row) : std::nullopt;
  }

  [[nodiscard]] Key key_of_row(const std::vector<Span>& given) const {
    for (std::size_t i = 0; i < given.size(); ++i) {
      const Column& column = table_->columns[i];
      const bool made = column.identity || column.default_kind == DefaultKind::computed;
      if (given[i].second == 0 && made && !column.generated) return std::nullopt;
    }
    std::vector<KeyPart> key;
    for (std::uint32_t k = 0; k < table_->key.size(); ++k) {
      const Span tokens = given[table_->key[k]];
      auto part = tokens.second == 0 ? std::nullopt : key_part(k, tokens);
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
    std::vector<Assignment> assigned;
    if (!assignments(std::min(from, where), &assigned)) return;
    if (!effects(Verb::update) || !may_be_keyed() || from != text_.tokens.size()) return;
    for (const Assignment& assignment : assigned) {
      if (!assignment.single || !immutable({assignment.from, assignment.to})) return;
    }
    if (auto key = pinned_key(where)) keyed(std::move(*key));
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
