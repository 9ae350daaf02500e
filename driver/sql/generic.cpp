// Verdicts for an engine of which nothing is known but what its ODBC driver tells: INSERT ...
// VALUES, UPDATE and DELETE of one table in the words of standard SQL. Any other word, and whatever
// engines read in different ways, makes a statement opaque.
#include <algorithm>
#include <array>

#include "driver/sql/recogniser.h"
#include "driver/sql/rows_by_key.h"
#include "driver/sql/temporary.h"
#include "driver/sql/text_parts.h"
#include "journal/generic_value.h"

namespace understudy::sql {
namespace {

constexpr std::size_t kInsertedRowsMax = 100;  // each is one more question

// What may stand in an expression besides columns and functions.
constexpr std::array<std::string_view, 18> kPlain = {
    "AND",  "OR",    "NOT",  "IN",   "BETWEEN", "LIKE", "ESCAPE", "IS",     "NULL",
    "TRUE", "FALSE", "CASE", "WHEN", "THEN",    "ELSE", "END",    "VALUES", "DEFAULT"};
constexpr std::array<std::string_view, 5> kMoments = {
    "CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME", "LOCALTIMESTAMP", "LOCALTIME"};
// Begins another clause, whether or not a column has this name.
constexpr std::array<std::string_view, 26> kClauses = {
    "SELECT", "WITH",   "FROM",   "USING",     "JOIN",    "LIMIT",  "ORDER",     "FETCH", "OFFSET",
    "TOP",    "OUTPUT", "GROUP",  "HAVING",    "UNION",   "EXCEPT", "FOR",       "OF",    "ON",
    "OVER",   "INTO",   "ROWNUM", "RETURNING", "CURRENT", "EXISTS", "INTERSECT", "OPTION"};

template <class Words>
bool one_of(const Token& token, const Words& words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return token.is_word(word); });
}

std::string quoted(const Engine& engine, std::string_view name) {
  if (engine.quote.empty()) return std::string(name);
  std::string out = engine.quote;
  for (const char c : name) out.append(c == engine.quote.front() ? 2 : 1, c);
  return out += engine.quote;
}

/// A key in the form that a query of literals may hold; nothing for a value that has none.
std::optional<std::string> literal(const Column& column, std::string_view exact) {
  switch (generic_kind(column.type)) {
    case GenericKind::integer:
    case GenericKind::decimal: {
      const bool number = exact.find_first_not_of("0123456789.-") == std::string_view::npos;
      return number && !exact.empty() ? std::optional(std::string(exact)) : std::nullopt;
    }
    case GenericKind::text:
    case GenericKind::padded: {
      // A backslash escapes in some engines.
      if (exact.find_first_of(std::string_view("\\\0", 2)) != std::string_view::npos) {
        return std::nullopt;
      }
      std::string out = "'";
      for (const char c : exact) out.append(c == '\'' ? 2 : 1, c);
      return out += '\'';
    }
    default:
      return std::nullopt;
  }
}

bool has_literals(const Table& table) {
  return std::all_of(table.key.begin(), table.key.end(), [&](std::uint32_t ordinal) {
    switch (generic_kind(table.columns[ordinal].type)) {
      case GenericKind::integer:
      case GenericKind::decimal:
      case GenericKind::text:
      case GenericKind::padded:
        return true;
      default:
        return false;
    }
  });
}

bool is_number(const Column& column) {
  const GenericKind kind = generic_kind(column.type);
  return kind == GenericKind::integer || kind == GenericKind::decimal || kind == GenericKind::real;
}

class GenericAnalyzer : private Recogniser {
 public:
  using Recogniser::Recogniser;

  void run() {
    judge();
    const bool opaque = out_.verdict == Verdict::opaque;
    if (opaque && out_.verb == Verb::other) out_.verb = verb_of_known_words();
  }

 private:
  /// What a statement that is opaque does to rows, and to nothing else: where it has changed none
  /// there is nothing to replay. `other`: it runs something that is not known.
  [[nodiscard]] Verb verb_of_known_words() const {
    for (std::size_t i = 0; i + 1 < text_.tokens.size(); ++i) {
      const Token& token = text_.tokens[i];
      const bool named =
          token.kind == TokenKind::word || token.kind == TokenKind::quoted_identifier;
      if (!named || !text_.tokens[i + 1].is('(')) continue;
      // The columns of an INSERT.
      const bool target = i == 2 && text_.tokens[0].is_word("INSERT");
      if (target || keyword_before_parenthesis(ascii_upper(token.text))) continue;
      const bool qualified = i > 0 && text_.tokens[i - 1].is('.');
      if (token.kind != TokenKind::word || qualified || !known_function(token, Allowed::anything)) {
        return Verb::other;
      }
    }
    if (text_.tokens.empty() || !names_a_table()) return Verb::other;
    const Token& first = text_.tokens.front();
    if (first.is_word("INSERT")) return Verb::insert;
    if (first.is_word("UPDATE")) return Verb::update;
    return first.is_word("DELETE") ? Verb::remove : Verb::other;
  }

  /// What is written is a table: of a view a trigger may write where no row of its own is counted.
  [[nodiscard]] bool names_a_table() const {
    std::size_t at = text_.tokens.front().is_word("UPDATE") ? 1 : 2;
    const std::size_t count = text_.tokens.size();
    if (at >= count) return false;
    std::string schema;
    if (at + 2 < count && text_.tokens[at + 1].is('.')) {
      schema = stored(text_.tokens[at]);
      at += 2;
    }
    const Table* table = catalog_.find(schema, stored(text_.tokens[at]));
    return table != nullptr && !table->is_view;
  }

  void judge() {
    if (text_.tokens.empty()) return refuse("not-understood");
    if (!text_.escaped.empty()) return refuse("odbc-escape");
    if (!in_plain_words()) return refuse("not-understood");
    if (cursor_.accept("INSERT")) return insert();
    if (cursor_.accept("UPDATE")) return update();
    if (cursor_.accept("DELETE")) return remove();
    refuse("not-understood");
  }

  [[nodiscard]] const Engine& engine() const { return catalog_.engine; }

  // --- what every engine reads alike ---

  [[nodiscard]] bool in_plain_words() const {
    std::size_t end = 0;
    for (const Token& token : text_.tokens) {
      if (!is_blank(text_.text.substr(end, token.offset - end)) || !is_plain(token)) return false;
      end = token.offset + token.text.size();
    }
    std::string_view rest = text_.text.substr(end);
    while (rest.ends_with(';') || rest.ends_with(' ') || rest.ends_with('\n'))
      rest.remove_suffix(1);
    return is_blank(rest) && balanced();
  }

  /// Spaces, and comments that no engine nests or executes.
  static bool is_blank(std::string_view gap) {
    constexpr std::string_view kSpaces = " \t\r\n";
    for (;;) {
      const std::size_t at = gap.find_first_not_of(kSpaces);
      if (at == std::string_view::npos) return true;
      gap.remove_prefix(at);
      const std::size_t close = gap.find("*/");
      if (!gap.starts_with("/*") || close == std::string_view::npos || close < 2) return false;
      const std::string_view inside = gap.substr(2, close - 2);
      if (inside.find("/*") != std::string_view::npos) return false;
      if (inside.starts_with('!') || inside.starts_with('M') || inside.starts_with('+')) {
        return false;
      }
      gap.remove_prefix(close + 2);
    }
  }

  [[nodiscard]] bool is_plain(const Token& token) const {
    constexpr std::string_view kSigns = "(),.=<>+-*/%|!";
    const bool backslash = token.text.find('\\') != std::string_view::npos;
    switch (token.kind) {
      case TokenKind::word:
      case TokenKind::parameter:
        return true;
      case TokenKind::number:
        return token.text.find_first_of("xX") == std::string_view::npos;
      case TokenKind::string:
        return token.text.front() == '\'' && !backslash;
      case TokenKind::quoted_identifier:
        return !backslash && !engine().quote.empty() &&
               token.text.front() == engine().quote.front();
      case TokenKind::punctuation:
        return kSigns.find(token.text.front()) != std::string_view::npos;
      default:
        return false;
    }
  }

  /// A name as the engine stores it.
  [[nodiscard]] std::string stored(const Token& token) const {
    const bool quotes = token.kind == TokenKind::quoted_identifier;
    const std::string name = identifier(token, Dialect::generic);
    switch (quotes ? engine().quoted_names : engine().names) {
      case NameCase::upper:
        return ascii_upper(name);
      case NameCase::lower:
        return ascii_lower(name);
      default:
        return name;
    }
  }

  enum class Allowed : std::uint8_t {
    anything,  // that is known not to write
    columns,   // and what depends on nothing but them
    values,    // what depends on no column
  };

  /// Whether these tokens are made of known words.
  [[nodiscard]] bool known_words(std::size_t from, std::size_t to, Allowed allowed) const {
    for (std::size_t i = from; i < to; ++i) {
      const Token& token = text_.tokens[i];
      const bool called = i + 1 < text_.tokens.size() && text_.tokens[i + 1].is('(');
      const bool quotes = token.kind == TokenKind::quoted_identifier;
      if (token.kind != TokenKind::word && !quotes) continue;
      if (one_of(token, kClauses)) return false;
      if (one_of(token, kPlain)) continue;
      if (called) {
        const bool qualified = i > from && text_.tokens[i - 1].is('.');
        if (quotes || qualified || !known_function(token, allowed)) return false;
        continue;
      }
      if (allowed == Allowed::anything && one_of(token, kMoments)) continue;
      if (allowed == Allowed::values) {
        if (!one_of(token, kMoments)) return false;
        continue;
      }
      const std::string name = identifier(token, Dialect::generic);
      const bool qualifies = i + 1 < to && text_.tokens[i + 1].is('.');
      if (qualifies ? ascii_lower(name) != ascii_lower(name_) : !table_->column(name)) return false;
    }
    return true;
  }

  [[nodiscard]] static bool known_function(const Token& token, Allowed allowed) {
    const FunctionEffect effect = function_effect(ascii_lower(token.text), Dialect::generic);
    if (effect == FunctionEffect::immutable) return true;
    return allowed != Allowed::columns && effect == FunctionEffect::reads;
  }

  // --- parts that all verbs have ---

  /// `[schema.]table [AS alias]`; false: the verdict is given.
  bool target(bool may_have_alias) {
    Token token = cursor_.peek();
    if (!cursor_.name()) return refused("not-understood");
    std::string schema;
    if (cursor_.accept('.')) {
      schema = stored(token);
      token = cursor_.peek();
      if (!cursor_.name()) return refused("not-understood");
    }
    if (cursor_.peek().is('.')) return refused("not-understood");
    const std::string name = stored(token);
    if (schema.empty()) out_.target = plain_name(name, Dialect::generic);
    table_ = catalog_.find(schema, name);
    const std::string_view obstacle = table_obstacle(table_);
    if (!obstacle.empty()) return refused(obstacle);
    if (table_->key.empty()) return refused("no-key");
    name_ = name;
    if (!may_have_alias || !cursor_.accept("AS")) return true;
    const auto alias = cursor_.name();
    if (!alias) return refused("not-understood");
    name_ = *alias;
    return true;
  }

  [[nodiscard]] std::string qualified() const {
    const std::string name = quoted(engine(), table_->name);
    return table_->schema.empty() ? name : quoted(engine(), table_->schema) + '.' + name;
  }

  [[nodiscard]] std::string column_list() const {
    std::string out;
    for (const std::uint32_t ordinal : out_.columns) {
      out += (out.empty() ? "" : ", ") + quoted(engine(), table_->columns[ordinal].name);
    }
    return out;
  }

  [[nodiscard]] RowsQuery query(const TextParts& rest) const {
    RowsQuery out;
    out.table = table_;
    out.columns = out_.columns;
    out.key_count = out_.key_count;
    out.shape = out_.shape;
    const std::string select = "SELECT " + column_list() + " FROM ";
    out.text = select + rest.text();
    out.parameters = rest.parameters();
    out.again = select + qualified() + " WHERE ";
    for (const std::uint32_t ordinal : table_->key) {
      out.key_names.push_back(quoted(engine(), table_->columns[ordinal].name));
    }
    return out;
  }

  /// The row whose columns of a key have these values.
  [[nodiscard]] RowsQuery row_by(const std::vector<std::uint32_t>& key,
                                 const std::vector<Span>& values) const {
    TextParts rest(text_);
    rest.add(qualified() + " WHERE ");
    for (std::size_t i = 0; i < key.size(); ++i) {
      rest.add(i == 0 ? "" : " AND ").add(quoted(engine(), table_->columns[key[i]].name) + " = ");
      rest.copy(values[i].first, values[i].second);
    }
    return query(rest);
  }

  [[nodiscard]] RowsQuery pinned_row(const std::vector<KeyPart>& key) const {
    TextParts rest(text_);
    RowsQuery out;
    std::vector<std::uint32_t> parameters;
    rest.add(qualified() + " WHERE ");
    for (std::size_t i = 0; i < key.size(); ++i) {
      rest.add(i == 0 ? "" : " AND ");
      rest.add(quoted(engine(), table_->columns[table_->key[i]].name) + " = ");
      rest.add(key[i].parameter ? "?" : key[i].literal);
      if (key[i].parameter) parameters.push_back(*key[i].parameter);
    }
    out = query(rest);
    out.parameters = std::move(parameters);
    return out;
  }

  /// Its rows cannot be had.
  void give_up(std::string_view reason) {
    out_.table = nullptr;
    out_.verb = Verb::other;
    out_.columns.clear();
    out_.key_count = 0;
    out_.shape.clear();
    out_.after.clear();
    refuse(reason);
  }

  void keyed(std::vector<KeyPart> key) {
    out_.verdict = Verdict::keyed;
    out_.key = std::move(key);
  }

  /// Effects by the rows that the condition finds, locked, or opaque. `write`: changes nothing.
  void reads_before(std::size_t target, std::size_t target_end, std::size_t where,
                    const std::string& write) {
    if (!engine().for_update && !engine().serializable) return give_up("no-row-locks");
    if (!has_literals(*table_)) return give_up("key-type");
    if (!known_words(std::min(where + 1, text_.tokens.size()), text_.tokens.size(),
                     Allowed::columns)) {
      return give_up("condition");
    }
    TextParts rest(text_);
    rest.copy(target, target_end).add(" ").copy(where, text_.tokens.size());
    RowsQuery before = query(rest);
    if (engine().for_update) {
      before.text += " FOR UPDATE";
    } else {
      before.lock = write;
    }
    out_.before.push_back(std::move(before));
    out_.counts_met = !engine().counts_changed();
  }

  // --- INSERT ---

  void insert() {
    if (!cursor_.accept("INTO")) return refuse("not-understood");
    if (!target(false)) return;
    std::vector<std::uint32_t> columns;
    if (!insert_columns(&columns)) return refuse("unknown-column");
    if (!cursor_.accept("VALUES")) return refuse("not-values");
    const std::size_t end = text_.tokens.size();
    if (!known_words(cursor_.position(), end, Allowed::values)) return refuse("not-understood");
    std::vector<std::vector<Span>> rows;
    if (!value_rows(end, columns, kInsertedRowsMax, &rows)) return refuse("not-understood");
    set_effects(&out_, *table_, Verb::insert);
    for (const auto& row : rows) {
      const auto* key = known_key(row);
      if (key == nullptr) return give_up("generated-key");
      std::vector<Span> values;
      for (const std::uint32_t ordinal : *key) values.push_back(row[ordinal]);
      out_.after.push_back(row_by(*key, values));
    }
    if (rows.size() != 1 || !all_values(rows.front())) return;
    if (auto key = key_of_row(rows.front())) keyed(std::move(*key));
  }

  bool insert_columns(std::vector<std::uint32_t>* columns) {
    if (!cursor_.accept('(')) {
      for (std::uint32_t i = 0; i < table_->columns.size(); ++i) columns->push_back(i);
      return true;
    }
    do {
      const auto name = cursor_.name();
      const auto ordinal = name ? table_->column(*name) : std::nullopt;
      if (!ordinal) return false;
      columns->push_back(*ordinal);
    } while (cursor_.accept(','));
    return cursor_.accept(')');
  }

  /// The primary key, or another unique one, when the text gives all of its values; not NULL.
  [[nodiscard]] const std::vector<std::uint32_t>* known_key(const std::vector<Span>& row) const {
    const auto given = [&](std::uint32_t ordinal) {
      return row[ordinal].second != 0 && is_value(row[ordinal]) &&
             !text_.tokens[row[ordinal].first].is_word("NULL");
    };
    const auto all = [&](const std::vector<std::uint32_t>& key) {
      return std::all_of(key.begin(), key.end(), given);
    };
    if (all(table_->key)) return &table_->key;
    const auto found = std::find_if(table_->unique_keys.begin(), table_->unique_keys.end(), all);
    return found == table_->unique_keys.end() ? nullptr : &*found;
  }

  [[nodiscard]] Key key_of_row(const std::vector<Span>& given) const {
    for (std::size_t i = 0; i < given.size(); ++i) {
      const Column& column = table_->columns[i];
      const bool made = column.identity || column.default_kind == DefaultKind::computed;
      if (given[i].second == 0 && made) return std::nullopt;
    }
    std::vector<KeyPart> key;
    for (std::uint32_t k = 0; k < table_->key.size(); ++k) {
      const Span tokens = given[table_->key[k]];
      auto part = tokens.second == 0 ? std::nullopt : key_part(k, tokens);
      // NULL may stand for a key that the server makes, and a parameter may be NULL.
      const Column& column = table_->columns[table_->key[k]];
      if (!part || (part->parameter && (column.identity || column.nullable))) return std::nullopt;
      key.push_back(std::move(*part));
    }
    return key;
  }

  // --- UPDATE ---

  void update() {
    const std::size_t target_at = cursor_.position();
    if (!target(true)) return;
    const std::size_t set = cursor_.position();
    if (!cursor_.accept("SET")) return refuse("not-understood");
    const std::size_t where = find(set + 1, {"WHERE"});
    if (!known_words(set + 1, where, Allowed::anything)) return refuse("not-understood");
    std::vector<Assignment> assigned;
    if (!assignments(where, &assigned, true)) return;
    Key key = pinned_key(where);
    const bool moves = std::any_of(assigned.begin(), assigned.end(), [&](const Assignment& one) {
      return key_position(one.column).has_value();
    });
    if (moves) return move(std::move(key), assigned);
    set_effects(&out_, *table_, Verb::update);
    if (key) {
      // The statement itself locks the one row that it changes.
      out_.after.push_back(pinned_row(*key));
      if (is_repeatable(assigned)) keyed(std::move(*key));
      return;
    }
    const std::string column = quoted(engine(), table_->columns[assigned.front().column].name);
    reads_before(target_at, set, where,
                 "UPDATE " + qualified() + " SET " + column + " = " + column + " WHERE 1 = 0");
  }

  /// From one value to another.
  void move(Key key, const std::vector<Assignment>& assigned) {
    const bool values = std::all_of(assigned.begin(), assigned.end(), [&](const Assignment& one) {
      const auto position = key_position(one.column);
      return !position || key_part(*position, {one.from, one.to});
    });
    if (!key || !values || !is_repeatable(assigned)) return refuse("key-assigned");
    set_effects(&out_, *table_, Verb::move);
    keyed(std::move(*key));
  }

  /// Whether the same row with the same parameters becomes the same on the shadow.
  [[nodiscard]] bool is_repeatable(const std::vector<Assignment>& assigned) const {
    return std::all_of(assigned.begin(), assigned.end(), [&](const Assignment& one) {
      if (!one.single) return false;
      if (is_value({one.from, one.to})) return true;
      return immutable({one.from, one.to}) && computes_numbers(one.from, one.to);
    });
  }

  /// Without ||, which joins texts in one engine and is OR in another.
  [[nodiscard]] bool computes_numbers(std::size_t from, std::size_t to) const {
    for (std::size_t i = from; i < to; ++i) {
      const Token& token = text_.tokens[i];
      if (token.is('|') || token.kind == TokenKind::string) return false;
      if (token.kind != TokenKind::word && token.kind != TokenKind::quoted_identifier) continue;
      const auto ordinal = table_->column(identifier(token, Dialect::generic));
      const bool qualifies = i + 1 < to && text_.tokens[i + 1].is('.');
      if (!qualifies && (!ordinal || !is_number(table_->columns[*ordinal]))) return false;
    }
    return true;
  }

  // --- DELETE ---

  void remove() {
    if (!cursor_.accept("FROM")) return refuse("not-understood");
    const std::size_t target_at = cursor_.position();
    if (!target(true)) return;
    const std::size_t where = cursor_.position();
    if (!cursor_.done() && !cursor_.peek().is_word("WHERE")) return refuse("not-understood");
    set_effects(&out_, *table_, Verb::remove);
    Key key = pinned_key(where);
    if (!key) {
      return reads_before(target_at, where, where, "DELETE FROM " + qualified() + " WHERE 1 = 0");
    }
    // One row at the most, whether or not it is locked: the count says whether it was that one.
    out_.before.push_back(pinned_row(*key));
    keyed(std::move(*key));
  }
};

}  // namespace

std::optional<std::string> generic_rows_by_key(const RowsQuery& like,
                                               std::span<const ExactKey> keys) {
  const Table& table = *like.table;
  std::string out = like.again;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    out += i == 0 ? "(" : " OR (";
    for (std::size_t k = 0; k < like.key_count; ++k) {
      const auto value = literal(table.columns[table.key[k]], keys[i][k]);
      if (!value) return std::nullopt;
      out += (k == 0 ? "" : " AND ") + like.key_names[k] + " = " + *value;
    }
    out += ')';
  }
  return out;
}

std::string generic_nothing(const Catalog& catalog) {
  for (const Table& table : catalog.tables) {
    if (table.is_view || !table.readable || table.columns.empty()) continue;
    std::string out = "SELECT " + quoted(catalog.engine, table.columns[0].name) + " FROM ";
    if (!table.schema.empty()) out += quoted(catalog.engine, table.schema) + '.';
    return out + quoted(catalog.engine, table.name) + " WHERE 1 = 0";
  }
  return {};
}

void analyze_generic(const TokenizedText& text, const Catalog& catalog, const SearchPath& path,
                     Analysis* analysis) {
  if (path.kind == SearchPath::Kind::unknown) return set_opaque(analysis, "search-path");
  GenericAnalyzer(text, catalog, analysis).run();
}

}  // namespace understudy::sql
