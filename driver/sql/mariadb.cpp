// Verdicts for MariaDB. INSERT and DELETE of one table return their rows (RETURNING, 10.5). Those
// of an UPDATE, of several tables and of an upsert are asked for.
#include <algorithm>

#include "driver/sql/collect.h"
#include "driver/sql/mariadb_rows.h"
#include "driver/sql/recogniser.h"
#include "driver/sql/temporary.h"
#include "driver/sql/text_parts.h"
#include "journal/exact_text.h"

namespace understudy::sql {
namespace {

std::string returned_column(const Column& column) {
  return mariadb_exact_text(backticked(column.name), column.type);
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

constexpr std::size_t kUpsertRowsMax = 100;  // each is one more question

class MariadbAnalyzer : private Recogniser {
 public:
  using Recogniser::Recogniser;

  /// `elsewhere`: names without a database are those of another one.
  void run(bool elsewhere) {
    elsewhere_ = elsewhere;
    for (const Token& token : text_.tokens) {
      out_.own_returning = out_.own_returning || token.is_word("RETURNING");
      double_quotes_ = double_quotes_ || token.text.starts_with('"');
    }
    if (cursor_.accept("INSERT")) return insert();
    if (cursor_.accept("UPDATE")) return update();
    if (cursor_.accept("DELETE")) return remove();
    if (cursor_.accept("REPLACE")) return replace();
    refuse("not-understood");
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
    target_token_ = cursor_.position() - 1;
    if (calls_unknown()) return refused("unknown-function");
    if (database.empty()) out_.target = plain_name(*name, Dialect::mariadb);
    qualified_ = !database.empty();
    table_ = elsewhere_ && !qualified_ ? nullptr : catalog_.find(database, *name);
    const std::string_view obstacle = table_obstacle(table_);
    if (!obstacle.empty()) return refused(obstacle);
    name_ = *name;
    takes_numbers_ = table_->numbering;
    return true;
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
    if (takes_numbers_) return refused("sequence-default");
    set_effects(&out_, *table_, verb);
    std::vector<std::string> texts;
    std::string list;
    for (const std::uint32_t ordinal : out_.columns) {
      texts.push_back(returned_column(table_->columns[ordinal]));
      list += (list.empty() ? "" : ", ") + texts.back();
    }
    // RETURNING is a reserved word, and its list is the last clause.
    out_.rewritten = std::string(text_.text);
    out_.rewritten.insert(text_.end(), out_.own_returning
                                           ? ", " + mariadb_collecting_expression(texts)
                                           : " RETURNING " + list);
    return true;
  }

  void keyed(Key key) {
    if (!key) return;
    out_.verdict = Verdict::keyed;
    out_.key = std::move(*key);
  }

  /// "..." is a string or a name, as sql_mode says.
  /// The shadow's database may have another name.
  [[nodiscard]] bool may_be_keyed() const {
    return !qualified_ && !table_->key.empty() && table_->triggers.empty() && !double_quotes_ &&
           !out_.own_returning && std::all_of(table_->key.begin(), table_->key.end(), [&](auto c) {
             return plain_key_type(table_->columns[c]);
           });
  }

  // --- INSERT ---

  void insert() {
    cursor_.accept("LOW_PRIORITY") || cursor_.accept("HIGH_PRIORITY");
    if (cursor_.accept("DELAYED")) return refuse("delayed");
    const bool ignore = cursor_.accept("IGNORE");
    cursor_.accept("INTO");
    if (!target()) return;
    if (cursor_.peek().is_word("PARTITION")) return refuse("partition");
    std::vector<std::uint32_t> columns;
    if (!insert_columns(&columns)) return refuse("unknown-column");
    for (std::size_t i = find(cursor_.position(), {"DUPLICATE"}); i < text_.tokens.size();
         i = find(i + 1, {"DUPLICATE"})) {
      if (text_.tokens[i - 1].is_word("ON")) return upsert(columns, i - 1, ignore);
    }
    if (takes_numbers_ && !table_->numbering && !out_.own_returning) {
      return numbered(columns, ignore);
    }
    if (!effects(Verb::insert) || ignore) return;
    if (out_.own_returning) return finds_inserted(columns);
    if (!may_be_keyed() || !accept_values()) return;
    if (const auto row = single_row(columns)) keyed(key_of_row(*row));
  }

  /// The server dies of RETURNING in a table with a default that takes a number of a sequence, as
  /// soon as any session uses it; and LASTVAL may be the number of another session's default. So
  /// the rows are read by their keys, and a number that one of these takes is remembered in a
  /// variable.
  void numbered(const std::vector<std::uint32_t>& columns, bool ignore) {
    const std::size_t values = cursor_.position() + 1;
    std::vector<std::vector<Span>> rows;
    const bool listed = balanced() && accept_values() &&
                        value_rows(text_.tokens.size(), columns, kUpsertRowsMax, &rows);
    refuse("sequence-default");
    // A trigger may give the row another key.
    if (!listed || ignore || !table_->triggers.empty() || !readable_by_key(*table_)) return;
    std::vector<std::vector<std::string>> variables;
    const auto changes = remembered(rows, values, &variables);
    if (!changes) return;
    std::vector<RowsQuery> queries;
    for (std::size_t r = 0; r < rows.size(); ++r) {
      auto query = inserted_row(rows[r], rows.size() == 1, variables[r]);
      if (!query) return;
      queries.push_back(std::move(*query));
    }
    set_effects(&out_, *table_, Verb::insert);
    out_.reason.clear();
    out_.after = std::move(queries);
    if (!changes->empty()) out_.remembering = changed(*changes);
    if (may_be_keyed() && rows.size() == 1 && all_values(rows[0])) keyed(key_of_row(rows[0]));
  }

  struct Change {
    std::size_t offset = 0;
    std::size_t bytes = 0;  // that go
    std::string words;      // that come
  };

  [[nodiscard]] std::string changed(const std::vector<Change>& changes) const {
    std::string out(text_.original());
    for (auto one = changes.rbegin(); one != changes.rend(); ++one) {
      out.replace(one->offset, one->bytes, one->words);
    }
    return out;
  }

  /// What has the text take and remember the numbers of keys, by offset; by row and ordinal in
  /// which variable. Nothing where that cannot be said. `values`: the token behind VALUES.
  [[nodiscard]] std::optional<std::vector<Change>> remembered(
      const std::vector<std::vector<Span>>& rows, std::size_t values,
      std::vector<std::vector<std::string>>* variables) const {
    std::vector<Change> out;
    std::string names;
    bool made = false;
    for (std::size_t r = 0; r < rows.size(); ++r) {
      variables->emplace_back(table_->columns.size());
      std::string numbers;
      std::size_t end = 0;
      for (std::uint32_t i = 0; i < table_->columns.size(); ++i) {
        const Column& column = table_->columns[i];
        const Span given = rows[r][i];
        end = std::max(end, given.second);
        const bool named = given.second != 0;
        const bool by_default = column.numbered && (!named || is_default(given));
        if (!by_default && !(key_position(i) && takes_number(given))) continue;
        if (by_default && column.sequence.empty()) return std::nullopt;
        const std::string number =
            by_default ? "NEXTVAL(" + column.sequence + ')' : std::string(words_of(given));
        std::string& variable = variables->back()[i];
        variable = "@understudy_number_" + std::to_string(r) + '_' + std::to_string(i);
        const std::string words = std::string(variable).append(" := ").append(number);
        made = made || by_default;
        if (named) {
          out.push_back({text_.tokens[given.first].offset, words_of(given).size(), words});
        } else {
          numbers += ", " + words;
          if (r == 0) names += ", " + backticked(column.name);
        }
      }
      if (!numbers.empty()) out.push_back({text_.tokens[end].offset, 0, numbers});
    }
    // Which number is whose goes by where they stand, if the text takes others.
    if (made && says({"NEXTVAL", "NEXT", "LASTVAL", "PREVIOUS", "SETVAL"})) return std::nullopt;
    if (!names.empty()) out.push_back({text_.tokens[values - 2].offset, 0, names});
    std::sort(out.begin(), out.end(),
              [](const Change& a, const Change& b) { return a.offset < b.offset; });
    return out;
  }

  /// The next number of a sequence and nothing else.
  [[nodiscard]] bool takes_number(Span given) const {
    if (given.second == 0) return false;
    Cursor at = cursor(given.first, given.second);
    if (at.accept("NEXTVAL")) return at.skip_parentheses() && at.done();
    const bool next = at.accept("NEXT") && at.accept("VALUE") && at.accept("FOR") && at.name();
    return next && (!at.accept('.') || at.name()) && at.done();
  }

  [[nodiscard]] std::string_view words_of(Span tokens) const {
    const std::size_t from = text_.tokens[tokens.first].offset;
    const Token& last = text_.tokens[tokens.second - 1];
    return text_.original().substr(from, last.offset + last.text.size() - from);
  }

  /// Where the rows of `INSERT ... VALUES ... RETURNING` stand afterwards, when their keys are
  /// known.
  void finds_inserted(const std::vector<std::uint32_t>& columns) {
    std::vector<std::vector<Span>> rows;
    const std::size_t returning = find(cursor_.position(), {"RETURNING"});
    if (!table_->triggers.empty() || !readable_by_key(*table_) || !accept_values() ||
        !value_rows(returning, columns, kUpsertRowsMax, &rows)) {
      return;
    }
    for (const auto& row : rows) {
      auto query = inserted_row(row, rows.size() == 1, {});
      if (!query) return out_.after.clear();
      out_.after.push_back(std::move(*query));
    }
  }

  [[nodiscard]] std::optional<RowsQuery> inserted_row(
      const std::vector<Span>& row, bool alone, const std::vector<std::string>& variables) const {
    const std::uint32_t first = table_->key.front();
    const bool counted = table_->columns[first].identity;
    if (counted && (row[first].second == 0 || is_default(row[first]))) {
      return alone ? found_by(nullptr, row) : std::nullopt;
    }
    // NULL and 0 make a new key, and a parameter may be either.
    const Token* given = counted ? &text_.tokens[row[first].first] : nullptr;
    const bool kept =
        given == nullptr || (given->kind == TokenKind::number && given->text[0] > '0');
    return kept ? found_by(&table_->key, row, variables) : std::nullopt;
  }

  [[nodiscard]] bool is_default(Span given) const {
    return given.second == given.first + 1 && text_.tokens[given.first].is_word("DEFAULT");
  }

  bool accept_values() { return cursor_.accept("VALUES") || cursor_.accept("VALUE"); }

  // --- REPLACE, ON DUPLICATE KEY UPDATE ---
  // Their row counts tell of updated and removed rows too, and RETURNING would hide them.

  void replace() {
    cursor_.accept("LOW_PRIORITY");
    if (cursor_.accept("DELAYED")) return refuse("delayed");
    cursor_.accept("INTO");
    if (!target()) return;
    std::vector<std::uint32_t> columns;
    if (cursor_.peek().is_word("PARTITION") || out_.own_returning) return refuse("replace");
    if (!insert_columns(&columns)) return refuse("unknown-column");
    std::vector<std::vector<Span>> rows;
    // Where nothing can collide it is an INSERT, whose row count is that of its rows.
    if (table_->key.empty() && table_->unique_keys.empty()) {
      effects(Verb::insert);
      return;
    }
    if (!balanced() || !accept_values() ||
        !value_rows(text_.tokens.size(), columns, kUpsertRowsMax, &rows)) {
      return refuse("replace");
    }
    if (std::all_of(rows.begin(), rows.end(), [&](const auto& row) { return is_new(row); })) {
      effects(Verb::insert);
      return;
    }
    finds_rows(rows, true, Verb::replace);
    // Nothing decides what it does but the rows with its unique values, which it writes.
    if (may_be_keyed() && rows.size() == 1 && all_values(rows[0])) {
      keyed_put(key_of_row(rows[0]));
    }
  }

  /// The server makes its key, and it has no other unique values: it collides with nothing.
  [[nodiscard]] bool is_new(const std::vector<Span>& row) const {
    if (table_->key.size() != 1 || !table_->columns[table_->key.front()].identity ||
        row[table_->key.front()].second != 0) {
      return false;
    }
    return std::all_of(table_->unique_keys.begin(), table_->unique_keys.end(),
                       [&](const auto& unique) { return is_null(unique, row); });
  }

  void upsert(const std::vector<std::uint32_t>& columns, std::size_t conflict, bool ignore) {
    std::vector<std::vector<Span>> rows;
    if (out_.own_returning || !balanced()) return refuse("upsert");
    const bool listed = accept_values() && value_rows(conflict, columns, kUpsertRowsMax, &rows);
    cursor_.seek(conflict + 2);
    std::vector<Assignment> assigned;
    if (!cursor_.accept("KEY") || !cursor_.accept("UPDATE")) return refuse("not-understood");
    const std::size_t start = cursor_.position();
    if (!assignments(text_.tokens.size(), &assigned)) return;
    const bool moves = std::any_of(assigned.begin(), assigned.end(),
                                   [&](const Assignment& one) { return in_unique(one.column); });
    finds_rows(rows, listed && !ignore && !moves, Verb::put);
    if (out_.verdict == Verdict::opaque && !ignore) keep_upsert(start, assigned);
    if (!ignore && listed && may_be_keyed() && rows.size() == 1 && all_values(rows[0]) &&
        repeatable(assigned)) {
      keyed_put(key_of_row(rows[0]));
    }
  }

  /// Effects by the rows that the upsert returns, whichever of them were there.
  void keep_upsert(std::size_t start, const std::vector<Assignment>& assigned) {
    const Column* carrier = carrier_of(assigned);
    const bool plain = !table_->key.empty() && table_->triggers.empty() && !takes_numbers_ &&
                       all_set_here(assigned);
    if (carrier == nullptr || !plain) return;
    set_effects(&out_, *table_, Verb::put);
    out_.reason.clear();
    const std::string qualifier = backticked(name_) + '.';
    const std::vector<std::string> row = exact_row(qualifier);
    std::string list;
    for (const std::uint32_t ordinal : out_.columns) {
      list += (list.empty() ? "" : ", ") + returned_column(table_->columns[ordinal]);
    }
    const auto [first, last] = mariadb_marking(qualifier + backticked(carrier->name), row);
    TextParts text(text_);
    text.add(text_.original().substr(0, text_.tokens[start].offset)).add(first + ", ");
    text.copy(start, text_.tokens.size()).add(", " + last + " RETURNING " + list);
    text.add(text_.original().substr(text_.end()));
    out_.keeping = text.text();
  }

  /// Whether no column is set by the server behind the last of these assignments.
  [[nodiscard]] bool all_set_here(const std::vector<Assignment>& assigned) const {
    for (std::uint32_t i = 0; i < table_->columns.size(); ++i) {
      const bool given = std::any_of(assigned.begin(), assigned.end(),
                                     [&](const Assignment& one) { return one.column == i; });
      if (set_by_every_update(table_->columns[i]) && !given) return false;
    }
    return true;
  }

  /// The whole row, key first.
  [[nodiscard]] std::vector<std::string> exact_row(const std::string& qualifier) const {
    Analysis effects;
    set_effects(&effects, *table_, Verb::update);
    std::vector<std::string> row;
    for (const std::uint32_t ordinal : effects.columns) {
      const Column& column = table_->columns[ordinal];
      row.push_back(mariadb_exact_text(qualifier + backticked(column.name), column.type));
    }
    return row;
  }

  [[nodiscard]] bool in_unique(std::uint32_t column) const {
    return std::any_of(
        table_->unique_keys.begin(), table_->unique_keys.end(),
        [&](const auto& key) { return std::find(key.begin(), key.end(), column) != key.end(); });
  }

  /// Effects by what is found afterwards under the unique value of each row, or opaque.
  void finds_rows(const std::vector<std::vector<Span>>& rows, bool allowed, Verb verb) {
    refuse(verb == Verb::replace ? "replace" : "upsert");
    // A trigger may give the row other values than the text.
    if (!allowed || !table_->triggers.empty() || !readable_by_key(*table_)) return;
    std::vector<RowsQuery> queries;
    for (const auto& row : rows) {
      auto query = unique_row(row, rows.size() == 1, verb);
      if (!query) return;
      queries.push_back(std::move(*query));
    }
    set_effects(&out_, *table_, verb);
    out_.reason.clear();
    out_.after = std::move(queries);
  }

  /// What finds the row by a unique key whose values are known: equality with one is always looked
  /// up in its index, so that no other row is locked. Which row an upsert has changed is known when
  /// a single key can collide; REPLACE leaves one that has them all.
  [[nodiscard]] std::optional<RowsQuery> unique_row(const std::vector<Span>& row, bool alone,
                                                    Verb verb) const {
    const Column& first = table_->columns[table_->key.front()];
    const bool made = table_->key.size() == 1 && (first.identity || !first.sequence.empty()) &&
                      row[table_->key.front()].second == 0;
    std::vector<const std::vector<std::uint32_t>*> keys;
    if (!made) keys.push_back(&table_->key);
    for (const auto& unique : table_->unique_keys) {
      if (!is_null(unique, row)) keys.push_back(&unique);
    }
    if (verb == Verb::replace && made && alone) keys.clear();
    if ((keys.size() > 1 && verb != Verb::replace) || (keys.empty() && !alone)) return std::nullopt;
    return found_by(keys.empty() ? nullptr : keys.front(), row);
  }

  /// The row whose columns of this unique key have the given values, or those of variables (by
  /// ordinal); no key: the one whose key the server has made last.
  [[nodiscard]] std::optional<RowsQuery> found_by(
      const std::vector<std::uint32_t>* key, const std::vector<Span>& row,
      const std::vector<std::string>& variables = {}) const {
    TextParts rest(text_);
    if (!table_->schema.empty()) rest.add(backticked(table_->schema) + '.');
    rest.add(backticked(table_->name) + " WHERE ");
    if (key == nullptr) {
      const Column& made = table_->columns[table_->key.front()];
      if (!made.sequence.empty()) return std::nullopt;
      rest.add(backticked(made.name) + " = LAST_INSERT_ID()");
    }
    for (std::size_t i = 0; key != nullptr && i < key->size(); ++i) {
      const std::uint32_t ordinal = (*key)[i];
      const Column& column = table_->columns[ordinal];
      const Span given = row[ordinal];
      const std::string variable = variables.empty() ? "" : variables[ordinal];
      if (variable.empty() && (given.second == 0 || !is_value(given))) return std::nullopt;
      // A number is compared with a text as a number, which no index knows.
      const bool as_text = is_text(column) &&
                           (!variable.empty() || !text_.tokens[given.first].text.starts_with('\''));
      rest.add(i == 0 ? "" : " AND ").add(backticked(column.name) + " = ");
      rest.add(as_text ? "CAST(" : "").add(variable);
      if (variable.empty()) rest.copy(given.first, given.second);
      rest.add(as_text ? " AS CHAR)" : "");
    }
    return rows_query({table_, "", table_->name}, false, rest);
  }

  [[nodiscard]] bool says(std::initializer_list<std::string_view> words) const {
    return std::any_of(text_.tokens.begin(), text_.tokens.end(), [&](const Token& token) {
      return std::any_of(words.begin(), words.end(),
                         [&](std::string_view word) { return token.is_word(word); });
    });
  }

  static bool is_text(const Column& column) {
    const std::string_view base = mariadb_base_type(column.type);
    return base.ends_with("char") || base.ends_with("text");
  }

  /// A unique key with a NULL in it collides with nothing.
  [[nodiscard]] bool is_null(const std::vector<std::uint32_t>& key,
                             const std::vector<Span>& row) const {
    return std::any_of(key.begin(), key.end(), [&](std::uint32_t ordinal) {
      const Span tokens = row[ordinal];
      const Column& column = table_->columns[ordinal];
      if (tokens.second != 0) return is_value(tokens) && text_.tokens[tokens.first].is_word("NULL");
      return column.nullable && column.default_kind == DefaultKind::none;
    });
  }

  void keyed_put(Key key) {
    if (!key) return;
    set_effects(&out_, *table_, Verb::put);
    out_.reason.clear();
    keyed(std::move(key));
  }

  bool insert_columns(std::vector<std::uint32_t>* columns) {
    takes_numbers_ = takes_numbers_ || std::any_of(table_->columns.begin(), table_->columns.end(),
                                                   [](const Column& one) { return one.numbered; });
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

  /// Connector/ODBC makes a text of its own of WHERE CURRENT OF at the end. True: the verdict is
  /// given.
  bool current_of(std::size_t start, const Table* table, Verb verb) {
    const std::size_t end = text_.tokens.size();
    for (std::size_t i = find(start, {"CURRENT"}); i + 1 < end; i = find(i + 1, {"CURRENT"})) {
      if (!text_.tokens[i + 1].is_word("OF")) continue;
      refuse(kCurrentOf);
      Cursor name = cursor(i + 2, end);
      const auto named = name.name();
      if (!named || !name.done() || !text_.tokens[i - 1].is_word("WHERE")) return true;
      out_.cursor = *named;
      out_.table = table;
      out_.verb = verb;
      return true;
    }
    return false;
  }

  // --- UPDATE ---

  void update() {
    if (out_.own_returning) return refuse("not-understood");
    cursor_.accept("LOW_PRIORITY");
    const bool ignore = cursor_.accept("IGNORE");
    const std::size_t from = cursor_.position();
    const std::size_t set = find(from, {"SET"});
    const auto sources = table_references(text_, catalog_, from, set);
    if (!sources || set == text_.tokens.size() || !balanced()) return refuse("not-understood");
    const Table* only = sources->size() == 1 ? sources->front().table : nullptr;
    if (current_of(set, only, Verb::update)) return;
    if (calls_unknown()) return refuse("unknown-function");
    cursor_.seek(set + 1);
    if (sources->size() > 1) return update_several(*sources, from, set);
    update_one(sources->front(), from, set, ignore);
  }

  bool use(const Source& source) {
    out_.target = out_.several_targets ? "" : plain_name(source.name, Dialect::mariadb);
    qualified_ = source.name.empty();
    table_ = elsewhere_ && !qualified_ ? nullptr : source.table;
    name_ = source.alias;
    const std::string_view obstacle = table_obstacle(table_);
    return obstacle.empty() || refused(obstacle);
  }

  void update_one(const Source& source, std::size_t from, std::size_t set, bool ignore) {
    if (!use(source)) return;
    const std::size_t tail = find(set + 1, {"WHERE", "ORDER", "LIMIT"});
    const bool limited = find(set + 1, {"ORDER", "LIMIT"}) != text_.tokens.size();
    std::vector<Assignment> assigned;
    if (!assignments(tail, &assigned, true)) return;
    const bool moves = std::any_of(assigned.begin(), assigned.end(), [&](const Assignment& one) {
      return key_position(one.column).has_value();
    });
    if (moves) {
      refuse("key-assigned");
      keep_rows(from, set, tail, assigned, ignore);
      const bool values = std::all_of(assigned.begin(), assigned.end(), [&](const Assignment& one) {
        const auto position = key_position(one.column);
        return !position || key_part(*position, {one.from, one.to});
      });
      if (!values) return;
    } else {
      // Triggers fire for rows that it has met and left as they were, but not for those that it
      // skips.
      if (ignore && !table_->triggers.empty()) return refuse("ignore-with-triggers");
      reads_before({source}, from, set, tail, false);
      // Rows that it keeps leave the server's warnings as they are; the question is for too many.
      keep_rows(from, set, tail, assigned, ignore);
    }
    if (table_->by_effects && out_.verdict == Verdict::effects) return;
    if (ignore || limited || !may_be_keyed() || !repeatable(assigned)) return;
    Key key = pinned_key(tail);
    if (!key) return;
    if (!moves) out_.keeping.clear();
    set_effects(&out_, *table_, moves ? Verb::move : Verb::update);
    out_.reason.clear();
    keyed(std::move(key));
  }

  /// Effects by rows that the statement itself keeps: nothing is asked that it does not see. A
  /// trigger, and what is set by every UPDATE, come after the last assignment.
  void keep_rows(std::size_t from, std::size_t set, std::size_t tail,
                 const std::vector<Assignment>& assigned, bool ignore) {
    const Column* carrier = carrier_of(assigned);
    if (ignore || carrier == nullptr || !table_->triggers.empty() || !all_set_here(assigned))
      return;
    if (out_.verdict != Verdict::effects) {
      set_effects(&out_, *table_, Verb::move);
      out_.reason.clear();
    }
    const std::string qualifier = backticked(name_) + '.';
    const std::vector<std::string> row = exact_row(qualifier);
    const std::vector<std::string> key(row.begin(), row.begin() + out_.key_count);
    const auto [first, last] = mariadb_keeping(qualifier + backticked(carrier->name), key, row);
    TextParts text(text_);
    text.add(text_.original().substr(0, text_.tokens[from].offset)).copy(from, set + 1);
    text.add(" " + first + ", ").copy(set + 1, tail).add(", " + last + " ");
    text.copy(tail, text_.tokens.size()).add(text_.original().substr(text_.end()));
    out_.keeping = text.text();
  }

  /// What can be assigned to itself without a change or a complaint. One that the statement writes
  /// anyway, if possible: the account may, and it is not the reason for another plan.
  [[nodiscard]] const Column* carrier_of(const std::vector<Assignment>& assigned) const {
    const auto carries = [](const Column& column) {
      const std::string_view base = mariadb_base_type(column.type);
      for (const std::string_view type :
           {"decimal", "double", "char", "varchar", "binary", "varbinary"}) {
        if (base == type) return !column.generated;
      }
      const bool whole = base.ends_with("int") || base.ends_with("text") || base.ends_with("blob");
      return whole && !column.generated;
    };
    for (const Assignment& one : assigned) {
      if (carries(table_->columns[one.column])) return &table_->columns[one.column];
    }
    for (std::uint32_t i = 0; i < table_->columns.size(); ++i) {
      if (carries(table_->columns[i]) && !key_position(i) && !in_unique(i)) {
        return &table_->columns[i];
      }
    }
    return nullptr;
  }

  void update_several(const std::vector<Source>& sources, std::size_t from, std::size_t set) {
    out_.several_targets = true;
    const std::size_t tail = find(set + 1, {"WHERE", "ORDER", "LIMIT"});
    std::vector<Source> changed;
    while (cursor_.position() < tail) {
      const Source* source = assigned_source(sources);
      if (source == nullptr) return;
      const auto same = [&](const Source& one) { return one.alias == source->alias; };
      if (std::none_of(changed.begin(), changed.end(), same)) changed.push_back(*source);
      cursor_.seek(std::min(tail, end_of_expression(cursor_.position())));
      cursor_.accept(',');
    }
    if (changed.empty()) return refuse("not-understood");
    reads_before(changed, from, set, tail, false);
  }

  /// The table whose column is assigned at the cursor. Null: the verdict is given.
  const Source* assigned_source(const std::vector<Source>& sources) {
    auto name = cursor_.name();
    std::string qualifier;
    while (name && cursor_.accept('.')) {
      qualifier = std::move(*name);
      name = cursor_.name();
    }
    const Source* found = nullptr;
    for (const Source& source : sources) {
      if (!name || source.table == nullptr) continue;
      const bool here = qualifier.empty() ? source.table->column(*name).has_value()
                                          : ascii_lower(source.alias) == ascii_lower(qualifier);
      if (!here) continue;
      if (found != nullptr) return refuse("several-tables"), nullptr;
      found = &source;
    }
    if (found == nullptr || !cursor_.accept('=')) return refuse("several-tables"), nullptr;
    if (!use(*found)) return nullptr;
    const auto ordinal = table_->column(*name);
    if (!ordinal) return refuse("unknown-column"), nullptr;
    if (key_position(*ordinal)) return refuse("key-assigned"), nullptr;
    return found;
  }

  /// One table without hints of the application's.
  [[nodiscard]] bool explained(std::size_t from, std::size_t to) const {
    return std::none_of(text_.tokens.begin() + static_cast<long>(from),
                        text_.tokens.begin() + static_cast<long>(to), [](const Token& token) {
                          return token.is(',') || token.is('(') || token.is_word("JOIN") ||
                                 token.is_word("STRAIGHT_JOIN");
                        });
  }

  /// Effects by the rows of these tables before and after, or opaque. Names stand in the tokens
  /// from `from` to `to`, the condition behind `tail`.
  void reads_before(const std::vector<Source>& changed, std::size_t from, std::size_t to,
                    std::size_t tail, bool removes) {
    std::vector<RowsQuery> queries;
    for (const Source& source : changed) {
      if (!use(source)) return;
      if (table_->key.empty()) return refuse("no-key");
      if (!readable_by_key(*table_)) return refuse("key-type");
      TextParts rest(text_);
      rest.copy(from, to);
      if (explained(from, to)) rest.hint();
      rest.add(" ").copy(tail, text_.tokens.size());
      queries.push_back(rows_query(source, removes, rest));
    }
    // Our question would assign the application's variables once more.
    for (std::size_t i = 0; i + 1 < text_.tokens.size(); ++i) {
      const bool assigns = text_.tokens[i].is(':') && text_.tokens[i + 1].is('=');
      if (assigns) return refuse("user-variable");
    }
    if (queries.front().hint_at != 0) {
      queries.front().explain = "EXPLAIN " + std::string(text_.original().substr(0, text_.end()));
    }
    set_effects(&out_, *changed.front().table, removes ? Verb::remove : Verb::update);
    out_.reason.clear();
    out_.before = std::move(queries);
    out_.before_may_miss = std::any_of(text_.tokens.begin(), text_.tokens.end(),
                                       [](const Token& one) { return one.is_word("SELECT"); });
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
    const std::size_t first = cursor_.position();
    const bool from = cursor_.accept("FROM");
    const std::size_t named = cursor_.position();
    if (!from || find(named, {"USING"}) != text_.tokens.size()) return remove_several(first);
    if (!target()) return;
    const Token& next = cursor_.peek();
    if (next.is(',') || next.is('.')) return refuse("not-understood");
    if (!cursor_.done() && !next.is_word("WHERE") && !next.is_word("ORDER") &&
        !next.is_word("LIMIT") && !next.is_word("RETURNING")) {
      return refuse("not-understood");
    }
    const std::size_t start = cursor_.position();
    if (current_of(start, table_, Verb::remove)) return;
    if (!effects(Verb::remove) || ignore || !may_be_keyed()) return;
    if (find(start, {"ORDER", "LIMIT"}) == text_.tokens.size()) keyed(pinned_key(start));
  }

  /// DELETE a, b FROM ... and DELETE FROM a, b USING ...
  void remove_several(std::size_t first) {
    if (out_.own_returning || !balanced()) return refuse("not-understood");
    out_.several_targets = true;
    const bool from = first < text_.tokens.size() && text_.tokens[first].is_word("FROM");
    const std::size_t targets = from ? first + 1 : first;
    const std::size_t middle = find(targets, {from ? "USING" : "FROM"});
    if (middle == text_.tokens.size()) return refuse("not-understood");
    const std::size_t tail = find(middle + 1, {"WHERE"});
    const auto sources = table_references(text_, catalog_, middle + 1, tail);
    if (!sources) return refuse("several-tables");
    if (calls_unknown()) return refuse("unknown-function");
    std::vector<Source> changed;
    Cursor at = cursor(targets, middle);
    do {
      std::string name;
      do {
        if (at.accept('*')) break;  // old spelling: a.*
        const auto part = at.name();
        if (!part) return refuse("not-understood");
        name = *part;
      } while (at.accept('.'));
      const auto found = std::find_if(sources->begin(), sources->end(), [&](const Source& one) {
        return ascii_lower(one.alias) == ascii_lower(name);
      });
      // The server refuses a name that stands twice.
      const bool again = std::any_of(changed.begin(), changed.end(), [&](const Source& one) {
        return ascii_lower(one.alias) == ascii_lower(name);
      });
      if (found == sources->end() || again) return refuse("several-tables");
      changed.push_back(*found);
    } while (at.accept(','));
    if (!at.done()) return refuse("not-understood");
    reads_before(changed, middle + 1, tail, tail, true);
  }

  std::size_t target_token_ = 0;
  bool double_quotes_ = false;
  bool elsewhere_ = false;
  /// An INSERT of a table with a default that takes a number of a sequence, or what may write to
  /// one by a trigger. The server (10.11) dies of a RETURNING there, whether or not the statement
  /// uses the default, when another session does.
  bool takes_numbers_ = false;
  bool qualified_ = false;  // the statement names the database of its table
};

}  // namespace

bool looks_elsewhere(const SearchPath& path, const Catalog& catalog) {
  return path.kind == SearchPath::Kind::given &&
         (catalog.search_path.empty() || path.schemas != std::vector{catalog.search_path.front()});
}

void analyze_mariadb(const TokenizedText& text, const Catalog& catalog, const SearchPath& path,
                     Analysis* analysis) {
  if (path.kind == SearchPath::Kind::unknown) return set_opaque(analysis, "search-path");
  MariadbAnalyzer(text, catalog, analysis).run(looks_elsewhere(path, catalog));
}

}  // namespace understudy::sql
