// Verdicts for SQLite: a recogniser over tokens that understands as much of INSERT, UPDATE and
// DELETE as a verdict needs. What it does not recognise is opaque, or has effects and no key.
#include <algorithm>
#include <initializer_list>

#include "driver/sql/recogniser.h"
#include "driver/sql/temporary.h"
#include "driver/sql/text_parts.h"
#include "journal/exact_text.h"

namespace understudy::sql {
namespace {

// libsqliteodbc fetches rows only of a statement whose first word is SELECT, WITH or the like.
constexpr std::string_view kQueryPrefix = "WITH understudy_q AS (SELECT 1) ";

/// Not with double quotes: SQLite reads "x" as a string when there is no such column, and a stale
/// catalog would go unnoticed.
std::string returned_column(const Column& column, const std::string& qualifier = {}) {
  const std::string name = qualifier + backticked(column.name);
  // A generated key is a rowid: always an integer.
  return column.identity ? "quote(" + name + ")" : sqlite_exact_text(name);
}

/// What a column stores of the value `x` of an expression, by its affinity; NULL where that is not
/// said here.
std::string stored(const Column& column, const std::string& x) {
  const std::string type = ascii_upper(column.type);
  const auto has = [&](std::string_view part) { return type.find(part) != std::string::npos; };
  const std::string text = "CAST(" + x + " AS TEXT)";
  const std::string integer = "CAST(" + x + " AS INTEGER)";
  const std::string start = "CASE typeof(" + x + ") WHEN ";
  const std::string end = " ELSE " + x + " END";
  if (!has("INT")) {
    if (has("CHAR") || has("CLOB") || has("TEXT")) {
      return start + "'integer' THEN " + text + " WHEN 'real' THEN " + text + end;
    }
    if (has("BLOB") || type.empty()) return x;
    if (has("REAL") || has("FLOA") || has("DOUB")) {
      return start + "'integer' THEN CAST(" + x + " AS REAL) WHEN 'text' THEN NULL" + end;
    }
  }
  return start + "'text' THEN CASE WHEN CAST(" + integer + " AS TEXT) = " + x + " THEN " + integer +
         " END WHEN 'real' THEN CASE WHEN " + x + " = " + integer + " THEN " + integer + end + end;
}

/// The name of the rowid that no column hides; empty: there is none.
std::string rowid_name(const Table& table) {
  for (const char* name : {"rowid", "_rowid_", "oid"}) {
    if (!table.column(name)) return name;
  }
  return {};
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
    // Rows of a table without a key are told apart by what they hold, and found by their rowid.
    if (table_->key.empty() && rowid_name(*table_).empty()) return refuse("no-key"), false;
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

  /// `place`: one more column that is returned. RETURNING stands before ORDER BY and LIMIT.
  bool effects(Verb verb, const std::string& place = {}) {
    if (!balanced()) return refuse("not-understood"), false;
    set_effects(&out_, *table_, verb);
    const std::size_t end =
        limit_ == 0 ? text_.end()
                    : text_.tokens[limit_ - 1].offset + text_.tokens[limit_ - 1].text.size();
    std::string text(with_ ? std::string_view() : kQueryPrefix);
    text += text_.text.substr(0, end);
    text += " RETURNING ";
    for (std::size_t i = 0; i < out_.columns.size(); ++i) {
      if (i != 0) text += ", ";
      text += returned_column(table_->columns[out_.columns[i]]);
    }
    if (!place.empty()) text += ", " + place;
    text += text_.text.substr(end);
    out_.rewritten = std::move(text);
    return true;
  }

  /// Notes where ORDER BY or LIMIT of the statement itself begins.
  bool find_limit(std::size_t from) {
    const std::size_t at = find(from, {"ORDER", "LIMIT"});
    if (at != text_.tokens.size()) limit_ = at;
    return limit_ != 0;
  }

  void keyed(std::vector<KeyPart> key) {
    out_.verdict = Verdict::keyed;
    out_.key = std::move(key);
  }

  [[nodiscard]] bool may_be_keyed() const {
    return !with_ && limit_ == 0 && !table_->key.empty() && table_->triggers.empty();
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
    // Whether its triggers see a removal is up to a setting.
    if (replace && !table_->triggers.empty()) return refuse("replace");
    if (replace && table_->key.empty()) return refuse("no-key");
    std::vector<std::uint32_t> columns;
    if (!insert_columns(&columns)) return refuse("unknown-column");
    const std::size_t rows = cursor_.position();
    const std::size_t conflict = find_conflict(rows);
    bool puts = replace;
    if (!upserts(conflict, &puts)) return;
    if (puts && table_->key.empty()) return refuse("no-key");
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

  /// Tokens at which the parts of an UPDATE begin; those that are missing are at the end.
  struct UpdateParts {
    std::size_t update = 0;
    std::size_t target = 0;
    std::size_t set = 0;
    std::size_t from = 0;
    std::size_t where = 0;
  };

  void update() {
    UpdateParts at;
    at.update = cursor_.position() - 1;
    const bool either = cursor_.accept("OR");
    const bool replace = either && cursor_.accept("REPLACE");
    const bool ignore = either && !replace && cursor_.accept("IGNORE");
    // What FAIL leaves of a statement that fails, and what ROLLBACK takes, is not in any row.
    if (either && !replace && !ignore && !cursor_.accept("ABORT")) return refuse("update-or");
    at.target = cursor_.position();
    if (!target()) return;
    if (!skip_index_hint()) return refuse("not-understood");
    at.set = cursor_.position();
    if (!cursor_.accept("SET")) return refuse("not-understood");
    const std::size_t start = cursor_.position();
    find_limit(start);
    at.from = find_from(start);
    at.where = find(start, {"WHERE"});
    const std::size_t end = limit_ == 0 ? text_.tokens.size() : limit_;
    std::vector<Assignment> assigned;
    if (!assignments(std::min({at.from, at.where, end}), &assigned, true)) return;
    const bool moves = std::any_of(assigned.begin(), assigned.end(), [&](const Assignment& one) {
      return key_position(one.column).has_value();
    });
    // REPLACE removes the rows that the new one collides with.
    const bool removes = replace && (moves || !table_->unique_keys.empty());
    if (removes && (moves || !removes_quietly())) return refuse("update-or");
    if (moves || table_->key.empty()) return move(at, assigned);
    if (!effects(removes ? Verb::replace : Verb::update) || !may_be_keyed() || replace || ignore) {
      return;
    }
    if (at.from != text_.tokens.size()) return;
    for (const Assignment& assignment : assigned) {
      if (!assignment.single || !immutable({assignment.from, assignment.to})) return;
    }
    if (auto key = pinned_key(at.where)) keyed(std::move(*key));
  }

  [[nodiscard]] std::size_t find_from(std::size_t start) const {
    std::size_t at = find(start, {"FROM"});
    while (at < text_.tokens.size() && text_.tokens[at - 1].is_word("DISTINCT")) {
      at = find(at + 1, {"FROM"});
    }
    return at;
  }

  /// Keys change, or the table has none. A query before it gives old keys by the place at which the
  /// statement returns the new rows: writers are one after the other, so nobody comes in between.
  void move(const UpdateParts& at, const std::vector<Assignment>& assigned) {
    const auto nullable = [&](std::uint32_t column) {
      return table_->columns[column].nullable && !table_->columns[column].identity;
    };
    // A table WITHOUT ROWID has a key that is not NULL.
    if (std::any_of(table_->key.begin(), table_->key.end(), nullable) || table_->key.empty()) {
      const std::string rowid = rowid_name(*table_);
      if (rowid.empty() || !effects(Verb::move, "quote(" + rowid + ")")) {
        return refuse("key-assigned");
      }
      TextParts query(text_);
      query.copy(0, at.update).add(" SELECT quote(" + backticked(name_) + '.' + rowid + ")");
      for (std::uint32_t i = 0; i < out_.key_count; ++i) {
        query.add(", " +
                  returned_column(table_->columns[out_.columns[i]], backticked(name_) + '.'));
      }
      add_source(at, &query);
      return ask_before(query);
    }
    move_by_new_key(at, assigned);
  }

  /// The place is the new key, as the statement's own expressions make it.
  void move_by_new_key(const UpdateParts& at, const std::vector<Assignment>& assigned) {
    if (!repeats_itself(assigned)) return refuse("key-assigned");
    std::string returned;
    TextParts inner(text_);
    std::string places;
    std::string old;
    for (std::uint32_t i = 0; i < table_->key.size(); ++i) {
      const std::uint32_t ordinal = table_->key[i];
      const Column& column = table_->columns[ordinal];
      const std::string next = "understudy_" + std::to_string(i);
      inner.add(i == 0 ? "" : ", ");
      const auto found = std::find_if(assigned.begin(), assigned.end(),
                                      [&](const auto& one) { return one.column == ordinal; });
      if (found == assigned.end()) {
        inner.add(backticked(name_) + '.' + backticked(column.name));
      } else if (!found->single) {
        return refuse("key-assigned");
      } else {
        inner.add("(").copy(found->from, found->to).add(")");
      }
      const std::string kept = "understudy_old_" + std::to_string(i);
      std::string named = " AS ";
      named.append(next).append(", ");
      named.append(returned_column(column, backticked(name_) + '.')).append(" AS ").append(kept);
      inner.add(named);
      // A rowid takes what can be read as an integer.
      const std::string value =
          column.identity ? "CAST(CAST(" + next + " AS NUMERIC) AS INTEGER)" : stored(column, next);
      const std::string joint = i == 0 ? "" : " || ',' || ";
      std::string enclosed = "(";
      enclosed.append(value).append(")");
      places.append(joint);
      places.append(column.identity ? "quote" + enclosed : sqlite_exact_text(enclosed));
      returned += joint + returned_column(column);
      old += ", " + kept;
    }
    if (!effects(Verb::move, returned)) return;
    TextParts query(text_);
    query.copy(0, at.update).add(" SELECT " + places + old + " FROM (SELECT ").append(inner);
    add_source(at, &query);
    ask_before(query.add(")"));
  }

  /// Whether the query before it computes the same keys as the statement.
  [[nodiscard]] bool repeats_itself(const std::vector<Assignment>& assigned) const {
    // What other columns get decides neither rows nor keys.
    const auto decides = [&](std::size_t token) {
      return std::none_of(assigned.begin(), assigned.end(), [&](const Assignment& one) {
        return !key_position(one.column) && one.from <= token && token < one.to;
      });
    };
    for (std::size_t i = 0; i < text_.tokens.size(); ++i) {
      const Token& token = text_.tokens[i];
      if (!decides(i)) continue;
      if (token.is_word("CURRENT_TIMESTAMP") || token.is_word("CURRENT_TIME") ||
          token.is_word("CURRENT_DATE")) {
        return false;
      }
      if (i + 1 == text_.tokens.size() || !text_.tokens[i + 1].is('(')) continue;
      if (token.kind != TokenKind::word && token.kind != TokenKind::quoted_identifier) continue;
      const std::string name = ascii_lower(identifier(token, Dialect::sqlite));
      if (keyword_before_parenthesis(ascii_upper(name))) continue;
      if (name == "count" || name == "sum" || name == "total" || name == "avg") continue;
      if (function_effect(name, Dialect::sqlite) != FunctionEffect::immutable) return false;
    }
    // Which rows a subquery with LIMIT takes is up to its plan.
    return std::none_of(assigned.begin(), assigned.end(), [&](const Assignment& one) {
      return std::any_of(text_.tokens.begin() + static_cast<long>(one.from),
                         text_.tokens.begin() + static_cast<long>(one.to),
                         [](const Token& token) { return token.is_word("LIMIT"); });
    });
  }

  /// FROM, the statement's own tables behind it; its condition.
  void add_source(const UpdateParts& at, TextParts* query) const {
    const std::size_t end = text_.tokens.size();
    const std::size_t rest = std::min({at.where, end, limit_ == 0 ? end : limit_});
    query->add(" FROM ");
    if (at.from != end) query->copy(at.from + 1, rest).add(", ");
    query->copy(at.target, at.set).add(" ").copy(rest, end);
  }

  void ask_before(const TextParts& query) {
    RowsQuery before;
    before.table = table_;
    before.columns = out_.columns;
    before.key_count = out_.key_count;
    before.shape = out_.shape;
    before.text = query.text();
    before.parameters = query.parameters();
    before.lock = "DELETE FROM " + (table_->schema.empty() ? "main" : backticked(table_->schema)) +
                  '.' + backticked(table_->name) + " WHERE 0";
    out_.before.push_back(std::move(before));
  }

  /// Whether nothing follows from the removal of a row.
  [[nodiscard]] bool removes_quietly() const {
    return table_->triggers.empty() && !is_referred_to();
  }

  // --- DELETE ---

  void remove() {
    if (!cursor_.accept("FROM")) return refuse("not-understood");
    if (!target()) return;
    if (!skip_index_hint()) return refuse("not-understood");
    const std::size_t start = cursor_.position();
    find_limit(start);
    if (!cursor_.done() && cursor_.position() != limit_ && !cursor_.peek().is_word("WHERE")) {
      return refuse("not-understood");
    }
    if (!effects(Verb::remove) || !may_be_keyed()) return;
    if (auto key = pinned_key(start)) keyed(std::move(*key));
  }

  std::size_t limit_ = 0;  // token; 0: none
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
