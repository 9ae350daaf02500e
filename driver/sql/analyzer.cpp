#include "driver/sql/analyzer.h"

#include <algorithm>

#include "driver/sql/dialects.h"
#include "driver/sql/escapes.h"
#include "driver/sql/functions.h"
#include "journal/generic_value.h"

namespace understudy::sql {
namespace {

bool valid_utf8(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead == 0) return false;  // C interfaces would see a shorter text
    const std::size_t follow = lead < 0x80   ? 0
                               : lead < 0xc2 ? 4
                               : lead < 0xe0 ? 1
                               : lead < 0xf0 ? 2
                               : lead < 0xf5 ? 3
                                             : 4;
    if (follow == 4 || text.size() - i <= follow) return false;
    for (std::size_t k = 1; k <= follow; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    }
    i += follow + 1;
  }
  return true;
}

/// A string that ends elsewhere when standard_conforming_strings is off: nobody here knows whether.
bool ambiguous_string(const Token& token, Dialect dialect) {
  if (dialect != Dialect::postgresql || token.kind != TokenKind::string) return false;
  const char first = token.text.front();
  return first != 'e' && first != 'E' && first != '$' && token.text.find("\\'") != token.text.npos;
}

bool is_numbered_parameter(const Token& token) {
  return token.kind == TokenKind::other && token.text.size() > 1 && token.text.front() == '$' &&
         token.text.find_first_not_of("0123456789", 1) == std::string_view::npos;
}

/// Types by their lower-case names; SQLite's by its rules of affinity.
bool is_integer_type(std::string_view type, Dialect dialect) {
  if (dialect == Dialect::sqlite) return type.find("int") != std::string_view::npos;
  if (dialect == Dialect::generic) return generic_kind(type) == GenericKind::integer;
  return type == "smallint" || type == "integer" || type == "bigint";
}
bool is_text_type(std::string_view type, Dialect dialect) {
  if (dialect == Dialect::generic) return generic_kind(type) == GenericKind::text;
  if (dialect != Dialect::sqlite) return type == "text" || type.starts_with("character varying");
  if (is_integer_type(type, dialect)) return false;
  return type.find("char") != std::string_view::npos ||
         type.find("text") != std::string_view::npos || type.find("clob") != std::string_view::npos;
}

/// Tokens that may put one more level on a parse tree: operators, prefixes, joins, subqueries.
bool deepens(const Token& token) {
  if (token.kind == TokenKind::punctuation) return !token.is('.');
  if (token.kind != TokenKind::word) return false;
  for (const std::string_view word :
       {"AND",     "OR",       "NOT",     "IS",     "ISNULL",   "NOTNULL", "BETWEEN", "IN",
        "LIKE",    "ILIKE",    "SIMILAR", "GLOB",   "REGEXP",   "MATCH",   "ESCAPE",  "OVERLAPS",
        "COLLATE", "AT",       "JOIN",    "CASE",   "ELSE",     "SELECT",  "EXISTS",  "ARRAY",
        "ROW",     "OPERATOR", "WITH",    "VALUES", "DISTINCT", "ALL"}) {
    if (token.is_word(word)) return true;
  }
  return false;
}

/// Upper bound of the parse tree's depth. Chains of operators, joins and prefixes grow a tree by a
/// level per token, lists separated by commas do not; set operations chain across commas.
class NestingEstimate {
 public:
  void add(const Token& token) {
    if (token.is_word("UNION") || token.is_word("EXCEPT") || token.is_word("INTERSECT")) ++sets_;
    if (token.is(';')) {
      levels_ = {Level()};  // another statement has a tree of its own
      sets_ = 0;
    } else if (token.is('(') || token.is('[')) {
      levels_.push_back({});
    } else if ((token.is(')') || token.is(']')) && levels_.size() > 1) {
      const std::size_t inner = levels_.back().total();
      levels_.pop_back();
      levels_.back().inside = std::max(levels_.back().inside, inner);
      ++levels_.back().own;
    } else if (token.is(',')) {
      Level& level = levels_.back();
      level.before = level.total();
      level.own = level.inside = 0;
    } else if (deepens(token)) {
      ++levels_.back().own;
    }
    const bool deep = levels_.size() + levels_.back().own + sets_ > kNestingMax;
    too_deep_ = too_deep_ || deep || levels_.back().total() > kNestingMax;
  }
  [[nodiscard]] bool too_deep() const { return too_deep_; }

 private:
  struct Level {
    std::size_t own = 0;     // deepening tokens since the last comma
    std::size_t inside = 0;  // deepest parenthesis since then
    std::size_t before = 0;  // deepest part before the last comma
    [[nodiscard]] std::size_t total() const { return std::max(before, own + inside); }
  };
  std::vector<Level> levels_{1};
  std::size_t sets_ = 0;
  bool too_deep_ = false;
};

Verdict verdict_of(StatementClass cls) {
  switch (cls) {
    case StatementClass::context:
      return Verdict::context;
    case StatementClass::ddl:
      return Verdict::ddl;
    default:
      return Verdict::opaque;
  }
}

std::string_view reason_of(StatementClass cls) {
  switch (cls) {
    case StatementClass::opaque:
      return "may-write";
    case StatementClass::no_block:
      return "no-block";
    default:
      return "";
  }
}

/// A query that words could not clear; the grammar perhaps can.
bool doubtful_query(const TokenizedText& text) {
  for (const Token& token : text.tokens) {
    if (token.is('(')) continue;
    return token.is_word("SELECT") || token.is_word("WITH") || token.is_word("VALUES");
  }
  return false;
}

bool truncates(const TokenizedText& text) {
  return !text.tokens.empty() && text.tokens.front().is_word("TRUNCATE");
}

std::string quoted(std::string_view name, char mark) {
  std::string out(1, mark);
  for (const char c : name) out.append(c == mark ? 2 : 1, c);
  return out += mark;
}

}  // namespace

std::size_t TokenizedText::end() const {
  if (ends_at != 0) return ends_at;
  return tokens.empty() ? 0 : tokens.back().offset + tokens.back().text.size();
}

std::optional<std::size_t> TokenizedText::at(std::size_t offset) const {
  const auto found = std::lower_bound(tokens.begin(), tokens.end(), offset,
                                      [](const Token& t, std::size_t o) { return t.offset < o; });
  if (found == tokens.end() || found->offset != offset) return std::nullopt;
  return static_cast<std::size_t>(found - tokens.begin());
}

TokenizedText tokenize(std::string_view text, Dialect dialect, Parameters parameters) {
  TokenizedText out;
  out.text = text;
  const bool small = text.size() <= kAnalyzedBytesMax && valid_utf8(text);
  out.understood = small;
  NestingEstimate nesting;
  Lexer lexer(text, dialect);
  for (Token token = lexer.next(); token.kind != TokenKind::end; token = lexer.next()) {
    if (token.kind == TokenKind::parameter) {
      ++out.parameters;
      out.plain_parameters = out.plain_parameters && token.text == "?";
    }
    if (parameters == Parameters::numbered && is_numbered_parameter(token)) {
      token.kind = TokenKind::number;
    }
    out.escape = out.escape || token.is('{');
    const bool strange = token.kind == TokenKind::unterminated || token.kind == TokenKind::other ||
                         ambiguous_string(token, dialect);
    if (strange || out.tokens.size() >= kAnalyzedTokensMax) out.understood = false;
    if (!out.understood) continue;
    nesting.add(token);
    out.understood = !nesting.too_deep();
    out.tokens.push_back(token);
  }
  while (!out.tokens.empty() && out.tokens.back().is(';')) out.tokens.pop_back();
  return out;
}

void set_opaque(Analysis* analysis, std::string_view reason) {
  analysis->verdict = Verdict::opaque;
  analysis->reason = reason;
}

std::string_view table_obstacle(const Table* table) {
  if (table == nullptr) return "unknown-table";
  if (table->is_view) return "view";
  if (table->rules) return "rules";
  if (table->row_security) return "row-security";
  if (!table->readable) return "unreadable";
  if (table->columns.size() > kColumnsMax) return "too-many-columns";
  for (const std::uint32_t ordinal : table->key) {
    if (ordinal >= table->columns.size()) return "unknown-column";
    if (table->columns[ordinal].generated) return "generated-key";
  }
  return {};
}

void set_effects(Analysis* analysis, const Table& table, Verb verb) {
  analysis->verdict = Verdict::effects;
  analysis->verb = verb;
  analysis->table = &table;
  analysis->columns = table.key;
  const bool whole = verb != Verb::remove || table.key.empty();
  for (std::uint32_t i = 0; whole && i < table.columns.size(); ++i) {
    const bool in_key = std::find(table.key.begin(), table.key.end(), i) != table.key.end();
    if (!in_key && !table.columns[i].generated) analysis->columns.push_back(i);
  }
  analysis->key_count =
      static_cast<std::uint32_t>(table.key.empty() ? analysis->columns.size() : table.key.size());
  Shape shape{table.schema, table.name, analysis->key_count, {}};
  for (const std::uint32_t ordinal : analysis->columns) {
    shape.columns.push_back(table.columns[ordinal].name);
  }
  analysis->shape = shape.encode();
}

std::string quote_identifier(std::string_view name) {
  return quoted(name, '"');
}

std::string backticked(std::string_view name) {
  return quoted(name, '`');
}

std::string text_constant(std::string_view value) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out = "_utf8mb4 X'";
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out += '\'';
}

bool plain_key_literal(const TokenizedText& text, std::size_t first, std::size_t count,
                       const Column& column, Dialect dialect) {
  if (count == 0 || count > 2 || first + count > text.tokens.size()) return false;
  const Token& value = text.tokens[first + count - 1];
  const std::string type = ascii_lower(column.type);
  if (value.kind == TokenKind::number) {
    if (count == 2 && !text.tokens[first].is('-')) return false;
    const bool digits = value.text.find_first_not_of("0123456789") == std::string_view::npos;
    const bool one_form = value.text.front() != '0' || (count == 1 && value.text == "0");
    return digits && one_form && is_integer_type(type, dialect);
  }
  const bool continued =
      first + count < text.tokens.size() && text.tokens[first + count].kind == TokenKind::string;
  return count == 1 && value.kind == TokenKind::string && !continued &&
         value.text.front() == '\'' && value.text.find('\\') == std::string_view::npos &&
         is_text_type(type, dialect);
}

bool names_a_moment(std::string_view literal) {
  const std::string lower = ascii_lower(literal);
  std::size_t start = 0;
  for (std::size_t i = 0; i <= lower.size(); ++i) {
    if (i < lower.size() && lower[i] >= 'a' && lower[i] <= 'z') continue;
    const std::string_view word = std::string_view(lower).substr(start, i - start);
    for (const std::string_view moment : {"now", "today", "tomorrow", "yesterday", "current"}) {
      if (word == moment) return true;
    }
    start = i + 1;
  }
  return false;
}

namespace {

// Reads the statement of a text that one of the analyzers understands.
void analyze_statement(const TokenizedText& tokens, const Catalog& catalog, const SearchPath& path,
                       Analysis* out) {
  if (out->classification.statements > 1) return set_opaque(out, "several-statements");
  if (tokens.escape) return set_opaque(out, "odbc-escape");
  if (!tokens.understood) return set_opaque(out, "not-understood");
  if (!tokens.plain_parameters) return set_opaque(out, "named-parameters");
  const bool postgresql = catalog.dialect == Dialect::postgresql;
  if (out->classification.cls == StatementClass::opaque) {
    if (postgresql && (doubtful_query(tokens) || truncates(tokens))) {
      analyze_postgresql(tokens, catalog, path, out);
    }
  } else if (postgresql) {
    analyze_postgresql(tokens, catalog, path, out);
  } else if (catalog.dialect == Dialect::sqlite) {
    analyze_sqlite(tokens, catalog, out);
  } else if (catalog.dialect == Dialect::mariadb) {
    analyze_mariadb(tokens, catalog, path, out);
  } else {
    analyze_generic(tokens, catalog, path, out);
  }
}

// Puts the application's own escapes back into a text that was made from the masked one: whatever
// was added stands before, behind and at `end` of it.
void unmask(std::string_view original, std::string_view masked, std::size_t end,
            std::string* rewritten) {
  const std::size_t at = rewritten->find(masked.substr(0, end));
  if (rewritten->empty() || at == std::string::npos) return rewritten->clear();
  rewritten->replace(at, end, original.substr(0, end));
}

// A keyed statement of a table that is recorded by its rows. MariaDB gives no rows of some.
void leave_key(Analysis* out) {
  const bool keyed = out->verdict == Verdict::keyed && out->table != nullptr;
  if (!keyed || !out->table->by_effects) return;
  out->verdict = Verdict::effects;
  out->key.clear();
  out->txid_only.clear();
  const bool rows = !out->rewritten.empty() || !out->before.empty() || !out->after.empty() ||
                    !out->keeping.empty();
  if (!rows) set_opaque(out, "no-rows");
}

Analysis verdict_of_text(std::string_view text, const Catalog& catalog, const SearchPath& path) {
  Analysis out;
  out.classification = classify(text, catalog.dialect);
  const StatementClass cls = out.classification.cls;
  out.verdict = verdict_of(cls);
  out.reason = reason_of(cls);
  const TokenizedText tokens = tokenize(text, catalog.dialect);
  out.parameters = tokens.parameters;
  if (cls != StatementClass::write && cls != StatementClass::opaque) return out;
  const std::optional<std::string> masked =
      tokens.escape ? mask_escapes(text, catalog.dialect) : std::nullopt;
  if (!masked) {
    analyze_statement(tokens, catalog, path, &out);
    return out;
  }
  TokenizedText plain = tokenize(*masked, catalog.dialect);
  plain.ends_at = tokens.end();  // behind a brace that is masked
  plain.escaped = text;
  analyze_statement(plain, catalog, path, &out);
  for (std::string* rewritten : {&out.rewritten, &out.rewritten_with_txid, &out.txid_only}) {
    unmask(text, *masked, plain.end(), rewritten);
  }
  return out;
}

}  // namespace

Analysis analyze(std::string_view text, const Catalog& catalog, const SearchPath& path) {
  Analysis out = verdict_of_text(text, catalog, path);
  leave_key(&out);
  return out;
}

}  // namespace understudy::sql
