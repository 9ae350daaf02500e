// Verdicts for MariaDB. INSERT and DELETE return their rows (RETURNING, 10.5); UPDATE does not, so
// what an UPDATE did is known only where it is keyed.
#include <algorithm>

#include "driver/sql/collect.h"
#include "driver/sql/recogniser.h"
#include "journal/exact_text.h"

namespace understudy::sql {
namespace {

std::string returned_column(const Column& column) {
  std::string name = "`";
  for (const char c : column.name) {
    if (c == '`') name += '`';
    name += c;
  }
  return mariadb_exact_text(name + '`', column.type);
}

/// Its value depends on the session's time zone, which the replayer's session does not share.
bool is_timestamp(const Column& column) {
  return mariadb_base_type(column.type) == "timestamp";
}

bool set_by_every_update(const Column& column) {
  return column.type.find(" on update ") != std::string::npos;
}

/// Whether equal keys are equal texts. Texts compare by a collation that mostly ignores case.
bool plain_key_type(const Column& column) {
  const std::string_view base = mariadb_base_type(column.type);
  return base.ends_with("int") || base == "decimal" || base == "date" || base == "uuid" ||
         base == "binary" || base == "varbinary" || base == "year";
}

class MariadbAnalyzer : private Recogniser {
 public:
  using Recogniser::Recogniser;

  void run() {
    for (const Token& token : text_.tokens) {
      out_.own_returning = out_.own_returning || token.is_word("RETURNING");
      double_quotes_ = double_quotes_ || token.text.starts_with('"');
    }
    if (cursor_.accept("INSERT")) return insert();
    if (cursor_.accept("UPDATE")) return update();
    if (cursor_.accept("DELETE")) return remove();
    // The row count of a REPLACE counts removed rows too, and RETURNING hides it.
    refuse(cursor_.accept("REPLACE") ? "replace" : "not-understood");
  }

 private:
  /// `[database.]table`; false: the verdict is given.
  bool target() {
    auto name = cursor_.name();
    std::string database;
    if (name && cursor_.accept('.')) {
      database = std::move(*name);
      name = cursor_.name();
    }
    if (!name) return refused("not-understood");
    table_ = catalog_.find(database, *name);
    const std::string_view obstacle = table_obstacle(table_);
    if (!obstacle.empty()) return refused(obstacle);
    name_ = *name;
    target_token_ = cursor_.position() - 1;
    return !calls_unknown() || refused("unknown-function");
  }

  /// A stored function may write.
  [[nodiscard]] bool calls_unknown() const {
    for (std::size_t i = 0; i + 1 < text_.tokens.size(); ++i) {
      const Token& token = text_.tokens[i];
      if (!text_.tokens[i + 1].is('(') || i == target_token_) continue;
      if (token.kind == TokenKind::quoted_identifier) return true;
      if (token.kind != TokenKind::word || token.is_word("VALUE")) continue;
      const bool qualified = i > 0 && text_.tokens[i - 1].is('.');
      if (!qualified && keyword_before_parenthesis(ascii_upper(token.text))) continue;
      const FunctionEffect effect = function_effect(ascii_lower(token.text), Dialect::mariadb);
      if (qualified || effect == FunctionEffect::unknown) return true;
    }
    return false;
  }

  bool effects(Verb verb) {
    if (!balanced()) return refused("not-understood");
    set_effects(&out_, *table_, verb);
    std::vector<std::string> texts;
    std::string list;
    for (const std::uint32_t ordinal : out_.columns) {
      texts.push_back(returned_column(table_->columns[ordinal]));
      list += (list.empty() ? "" : ", ") + texts.back();
    }
    // RETURNING is a reserved word, and its list is the last clause.
    out_.rewritten =
        std::string(text_.text.substr(0, text_.end())) +
        (out_.own_returning ? ", " + mariadb_collecting_expression(texts) : " RETURNING " + list) +
        std::string(text_.text.substr(text_.end()));
    return true;
  }

  void keyed(Key key) {
    if (!key) return;
    out_.verdict = Verdict::keyed;
    out_.key = std::move(*key);
  }

  /// "..." is a string or a name, as sql_mode says.
  [[nodiscard]] bool may_be_keyed() const {
    return table_->triggers.empty() && !double_quotes_ && !out_.own_returning &&
           std::all_of(table_->key.begin(), table_->key.end(),
                       [&](auto c) { return plain_key_type(table_->columns[c]); });
  }

  // --- INSERT ---

  void insert() {
    cursor_.accept("LOW_PRIORITY") || cursor_.accept("HIGH_PRIORITY");
    if (cursor_.accept("DELAYED")) return refuse("delayed");
    const bool ignore = cursor_.accept("IGNORE");
    cursor_.accept("INTO");
    if (!target()) return;
    if (cursor_.peek().is_word("PARTITION")) return refuse("partition");
    // Its row count is 2 for a changed row, and RETURNING hides it.
    for (std::size_t i = find(cursor_.position(), {"DUPLICATE"}); i < text_.tokens.size();
         i = find(i + 1, {"DUPLICATE"})) {
      if (text_.tokens[i - 1].is_word("ON")) return refuse("upsert");
    }
    std::vector<std::uint32_t> columns;
    if (!insert_columns(&columns)) return refuse("unknown-column");
    if (!effects(Verb::insert) || ignore || !may_be_keyed()) return;
    if (!cursor_.accept("VALUES") && !cursor_.accept("VALUE")) return;
    if (const auto row = single_row(columns)) keyed(key_of_row(*row));
  }

  bool insert_columns(std::vector<std::uint32_t>* columns) {
    const bool named = cursor_.peek().is('(') && !cursor_.peek(1).is_word("SELECT") &&
                       !cursor_.peek(1).is_word("WITH") && !cursor_.peek(1).is_word("VALUES");
    if (!named) {
      for (std::uint32_t i = 0; i < table_->columns.size(); ++i) columns->push_back(i);
      return true;
    }
    cursor_.take();
    if (cursor_.accept(')')) return true;
    do {
      const auto name = cursor_.name();
      const auto ordinal = name ? table_->column(*name) : std::nullopt;
      if (!ordinal) return false;
      columns->push_back(*ordinal);
    } while (cursor_.accept(','));
    return cursor_.accept(')');
  }

  [[nodiscard]] Key key_of_row(const std::vector<Span>& given) const {
    for (std::size_t i = 0; i < given.size(); ++i) {
      const Column& column = table_->columns[i];
      const bool made = column.identity || column.default_kind == DefaultKind::computed;
      if (is_timestamp(column) || (given[i].second == 0 && made && !column.generated)) {
        return std::nullopt;
      }
    }
    std::vector<KeyPart> key;
    for (std::uint32_t k = 0; k < table_->key.size(); ++k) {
      const Span tokens = given[table_->key[k]];
      auto part = tokens.second == 0 ? std::nullopt : key_part(k, tokens);
      // NULL and 0 make a new key, and a parameter may be either.
      if (!part || (part->parameter && table_->columns[table_->key[k]].identity)) {
        return std::nullopt;
      }
      key.push_back(std::move(*part));
    }
    return key;
  }

  /// Connector/ODBC makes a text of its own of WHERE CURRENT OF.
  [[nodiscard]] bool current_of(std::size_t start) const {
    for (std::size_t i = find(start, {"CURRENT"}); i + 1 < text_.tokens.size();
         i = find(i + 1, {"CURRENT"})) {
      if (text_.tokens[i + 1].is_word("OF")) return true;
    }
    return false;
  }

  // --- UPDATE ---

  void update() {
    if (out_.own_returning) return refuse("not-understood");
    cursor_.accept("LOW_PRIORITY");
    if (cursor_.accept("IGNORE")) return refuse("update-effects");
    if (!target()) return;
    if (!alias()) return;
    if (!cursor_.accept("SET")) return refuse("several-tables");
    const std::size_t start = cursor_.position();
    if (current_of(start)) return refuse(kCurrentOf);
    if (find(start, {"ORDER", "LIMIT"}) != text_.tokens.size()) {
      return refuse("limit");
    }
    const std::size_t where = find(start, {"WHERE"});
    std::vector<Assignment> assigned;
    if (!assignments(where, &assigned)) return;
    refuse("update-effects");
    if (!balanced() || !may_be_keyed() || !repeatable(assigned)) return;
    Key key = pinned_key(where);
    if (!key) return;
    set_effects(&out_, *table_, Verb::update);
    out_.reason.clear();
    keyed(std::move(key));
  }

  bool alias() {
    const bool word = cursor_.accept("AS");
    const bool named = cursor_.peek().kind == TokenKind::quoted_identifier ||
                       (cursor_.peek().kind == TokenKind::word && cursor_.peek(1).is_word("SET"));
    if (!named) return !word || refused("not-understood");
    name_ = *cursor_.name();
    return true;
  }

  /// Whether the same row with the same parameters becomes the same on the shadow.
  [[nodiscard]] bool repeatable(const std::vector<Assignment>& assigned) const {
    for (std::uint32_t i = 0; i < table_->columns.size(); ++i) {
      const Column& column = table_->columns[i];
      const auto found = std::find_if(assigned.begin(), assigned.end(),
                                      [&](const Assignment& one) { return one.column == i; });
      const bool given = found != assigned.end();
      if (set_by_every_update(column) && !given) return false;
      if (given && is_timestamp(column)) return false;
    }
    return std::all_of(assigned.begin(), assigned.end(), [&](const Assignment& one) {
      return one.single && immutable({one.from, one.to}) && !reads_timestamp({one.from, one.to});
    });
  }

  [[nodiscard]] bool reads_timestamp(Span tokens) const {
    for (std::size_t i = tokens.first; i < tokens.second; ++i) {
      Cursor at = cursor(i, i + 1);
      const auto name = at.name();
      const auto ordinal = name ? table_->column(*name) : std::nullopt;
      if (ordinal && is_timestamp(table_->columns[*ordinal])) return true;
    }
    return false;
  }

  // --- DELETE ---

  void remove() {
    cursor_.accept("LOW_PRIORITY");
    cursor_.accept("QUICK");
    const bool ignore = cursor_.accept("IGNORE");
    if (!cursor_.accept("FROM")) return refuse("several-tables");
    if (!target()) return;
    const Token& next = cursor_.peek();
    if (next.is(',') || next.is('.') || next.is_word("USING")) {
      return refuse("several-tables");
    }
    if (!cursor_.done() && !next.is_word("WHERE") && !next.is_word("ORDER") &&
        !next.is_word("LIMIT") && !next.is_word("RETURNING")) {
      return refuse("not-understood");
    }
    const std::size_t start = cursor_.position();
    if (current_of(start)) return refuse(kCurrentOf);
    if (!effects(Verb::remove) || ignore || !may_be_keyed()) return;
    if (find(start, {"ORDER", "LIMIT"}) == text_.tokens.size()) keyed(pinned_key(start));
  }

  std::size_t target_token_ = 0;
  bool double_quotes_ = false;
};

}  // namespace

void analyze_mariadb(const TokenizedText& text, const Catalog& catalog, bool default_database,
                     Analysis* analysis) {
  if (!default_database) return set_opaque(analysis, "session-settings");
  MariadbAnalyzer(text, catalog, analysis).run();
}

}  // namespace understudy::sql
