// What a session has set: the statements that the shadow's session needs before the same statements
// mean the same there.
#include <algorithm>
#include <iterator>
#include <set>

#include "driver/capture/session.h"
#include "driver/sql/batch.h"
#include "driver/sql/functions.h"
#include "driver/sql/lexer.h"
#include "driver/sql/prepared_text.h"

namespace understudy::capture {
namespace {

bool mentions(std::string_view text, Dialect dialect,
              std::initializer_list<std::string_view> words) {
  sql::Lexer lexer(text, dialect);
  for (sql::Token token = lexer.next(); token.kind != sql::TokenKind::end; token = lexer.next()) {
    for (const std::string_view word : words) {
      if (token.is_word(word)) return true;
    }
  }
  return false;
}

// MariaDB: the database that names without one mean after USE.
sql::SearchPath used_database(std::string_view statement) {
  sql::Lexer lexer(statement, Dialect::mariadb);
  const bool use = lexer.next().is_word("USE");
  const sql::Token name = lexer.next();
  const bool plain =
      name.kind == sql::TokenKind::word || name.kind == sql::TokenKind::quoted_identifier;
  if (!use || !plain) return {sql::SearchPath::Kind::unknown, {}};
  return {sql::SearchPath::Kind::given, {sql::identifier(name, Dialect::mariadb)}};
}

// Where unqualified names are looked for after these statements.
sql::SearchPath path_after(const std::vector<std::string>& context, Dialect dialect) {
  const sql::SearchPath unknown{sql::SearchPath::Kind::unknown, {}};
  sql::SearchPath path;
  bool another_role = false;
  for (const std::string& one : context) {
    if (dialect == Dialect::mariadb && mentions(one, dialect, {"USE"})) path = used_database(one);
    if (dialect != Dialect::postgresql) continue;
    if (auto set = sql::search_path_set_by(one)) {
      path = std::move(*set);
    } else if (mentions(one, dialect, {"SEARCH_PATH", "SCHEMA", "DISCARD"})) {
      path = unknown;
    } else if (mentions(one, dialect, {"ROLE", "AUTHORIZATION"})) {
      another_role = true;
    }
  }
  // The usual path begins with the schema of the role's name.
  return another_role && path.kind == sql::SearchPath::Kind::usual ? unknown : path;
}

// MariaDB: SET sql_mode = '...', which leaves texts with quotes and backslashes as they are.
bool sets_mode_without_quotes(std::string_view statement) {
  sql::Lexer lexer(statement, Dialect::mariadb);
  if (!lexer.next().is_word("SET")) return false;
  sql::Token token = lexer.next();
  if (token.is_word("SESSION") || token.is_word("LOCAL")) token = lexer.next();
  if (!token.is_word("SQL_MODE") || !lexer.next().is('=')) return false;
  token = lexer.next();
  const bool literal = token.text.size() >= 2 && token.text.front() == '\'';
  if (!literal || lexer.next().kind != sql::TokenKind::end) return false;
  const std::string modes = sql::ascii_upper(token.text.substr(1, token.text.size() - 2));
  for (std::size_t at = 0; at <= modes.size();) {
    const std::size_t end = std::min(modes.find(',', at), modes.size());
    const std::string_view mode = std::string_view(modes).substr(at, end - at);
    const bool known = mode.empty() || mode.starts_with("STRICT_") ||
                       mode.starts_with("NO_ZERO_") || mode.starts_with("NO_AUTO_") ||
                       mode == "NO_ENGINE_SUBSTITUTION" || mode == "ERROR_FOR_DIVISION_BY_ZERO" ||
                       mode == "ONLY_FULL_GROUP_BY" || mode == "ALLOW_INVALID_DATES" ||
                       mode == "TRADITIONAL";
    if (!known) return false;
    at = end + 1;
  }
  return true;
}

bool is_prepare(std::string_view statement) {
  return sql::prepared_name(statement).has_value();
}

// Words of the whole text, those in literals and bodies of functions too, in upper case.
class RawWords {
 public:
  explicit RawWords(std::string_view text) : text_(text) {}
  /// False at the end.
  bool next() {
    previous_ = std::move(word_);
    word_.clear();
    while (at_ < text_.size() && !in_word(text_[at_])) ++at_;
    while (at_ < text_.size() && in_word(text_[at_])) word_ += text_[at_++];
    word_ = sql::ascii_upper(word_);
    return !word_.empty();
  }
  [[nodiscard]] bool is(std::initializer_list<std::string_view> words) const {
    return std::find(words.begin(), words.end(), word_) != words.end();
  }
  [[nodiscard]] std::string_view word() const { return word_; }
  [[nodiscard]] bool follows(std::initializer_list<std::string_view> words) const {
    return std::find(words.begin(), words.end(), previous_) != words.end();
  }

 private:
  static bool in_word(char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  }
  std::string_view text_;
  std::size_t at_ = 0;
  std::string word_;
  std::string previous_;
};

// PostgreSQL: ends with the transaction.
bool is_local(std::string_view statement) {
  sql::Lexer lexer(statement, Dialect::postgresql);
  if (!lexer.next().is_word("SET")) return false;
  const sql::Token what = lexer.next();
  return what.is_word("LOCAL") || what.is_word("TRANSACTION") || what.is_word("CONSTRAINTS");
}

// PostgreSQL: whether a text of the application's is about the setting that `learned` sets, in the
// form `SET "name" TO value` or `SET ROLE name`.
bool concerns(const std::string& own, const std::string& learned) {
  RawWords name(learned);
  (void)name.next();
  (void)name.next();
  for (RawWords words(own); words.next();) {
    if (words.is({name.word()}) || (name.is({"TIMEZONE"}) && words.is({"ZONE"})) ||
        (name.is({"SEARCH_PATH"}) && words.is({"SCHEMA"})) ||
        (name.is({"ROLE"}) && words.is({"AUTHORIZATION"}))) {
      return true;
    }
  }
  return false;
}

// PostgreSQL: settings that decide how a value is written as text, and under which it is written as
// rows are read.
struct Format {
  std::string_view name;
  std::initializer_list<std::string_view> usual;
};
const Format kFormats[] = {{"DATESTYLE", {"ISO", "DEFAULT"}},
                           {"INTERVALSTYLE", {"POSTGRES", "DEFAULT"}},
                           {"EXTRA_FLOAT_DIGITS", {"1", "2", "3", "DEFAULT"}},
                           {"BYTEA_OUTPUT", {"HEX", "DEFAULT"}}};

bool leaves_usual(const Format& format, const std::vector<std::string>& context) {
  bool changed = false;
  for (const std::string& one : context) {
    RawWords words(one);
    bool resets = false;
    bool named = false;
    bool usual = false;
    for (bool first = true; words.next(); first = false) {
      resets = resets || (first && words.is({"RESET", "DISCARD"}));
      named = named || words.is({format.name}) || (resets && words.is({"ALL"}));
      usual = usual || (named && words.is(format.usual));
    }
    if (named) changed = !resets && (!usual || one.find('-') != std::string::npos);
  }
  return changed;
}

// Of two statements with the same name the later one alone is needed. PostgreSQL: what SET names;
// otherwise the statement itself.
std::string name_of(const std::string& statement, Dialect dialect) {
  if (dialect != Dialect::postgresql) return statement;
  sql::Lexer lexer(statement, dialect);
  if (!lexer.next().is_word("SET")) return statement;
  std::string name = "SET";
  for (sql::Token token = lexer.next(); token.kind != sql::TokenKind::end; token = lexer.next()) {
    if (token.is('=') || token.is_word("TO")) return name;
    if (token.is_word("SESSION")) continue;
    name += ' ' + sql::ascii_upper(token.text);
    for (const char* last : {"ZONE", "ROLE", "AUTHORIZATION", "SCHEMA", "NAMES"}) {
      if (token.is_word(last)) return name;
    }
  }
  return statement;
}

// SQLite: whether foreign keys are enforced. In a transaction it does nothing, and says nothing.
bool concerns_foreign_keys(const std::string& statement) {
  return mentions(statement, Dialect::sqlite, {"FOREIGN_KEYS"});
}

// MariaDB, SET name = literal, SET @name := literal: the name. Otherwise nothing.
std::string variable_set_plainly(const std::string& statement) {
  sql::Lexer lexer(statement, Dialect::mariadb);
  if (!lexer.next().is_word("SET")) return {};
  sql::Token token = lexer.next();
  if (token.is_word("SESSION") || token.is_word("LOCAL")) token = lexer.next();
  std::string name;
  if (token.is('@')) {
    name.push_back('@');
    token = lexer.next();
  }
  if (token.kind != sql::TokenKind::word) return {};
  name += sql::ascii_upper(token.text);
  token = lexer.next();
  if (token.is(':')) token = lexer.next();
  if (!token.is('=')) return {};
  token = lexer.next();
  if (token.is('-')) token = lexer.next();
  const bool literal = token.kind == sql::TokenKind::number || token.text.starts_with('\'');
  return literal && lexer.next().kind == sql::TokenKind::end ? name : std::string();
}

// Of an engine of which nothing is known: whatever else is set may change what a text means.
bool sets_more_than_isolation(const std::string& statement) {
  sql::Lexer lexer(statement, Dialect::generic);
  if (!lexer.next().is_word("SET")) return true;
  const sql::Token what = lexer.next();
  if (what.is_word("TRANSACTION")) return false;
  return !what.is_word("SESSION") || !lexer.next().is_word("CHARACTERISTICS");
}

// PREPARE is read under what was set before it, which is needed even where it is set again later;
// so is whatever else than a literal is assigned on MariaDB.
void keep_last_of_each(std::vector<std::string>* context, Dialect dialect) {
  std::set<std::string> seen;
  std::set<std::string> plain;
  std::vector<std::string> kept;
  for (auto one = context->rbegin(); one != context->rend(); ++one) {
    if (dialect == Dialect::postgresql && is_prepare(*one)) seen.clear();
    if (dialect == Dialect::mariadb) {
      const std::string name = variable_set_plainly(*one);
      if (name.empty()) plain.clear();
      if (!name.empty() && !plain.insert(name).second) continue;
    }
    if (seen.insert(name_of(*one, dialect)).second) kept.push_back(std::move(*one));
  }
  std::reverse(kept.begin(), kept.end());
  *context = std::move(kept);
}

}  // namespace

void Session::add_context(std::string statement) {
  const bool postgresql = dialect == Dialect::postgresql;
  const auto ended = postgresql ? sql::deallocate_text(statement) : std::nullopt;
  if (ended && ended->settings) {
    context.clear();
    settings_lost_ = false;
  } else if (ended) {
    std::erase_if(context, [&](const std::string& one) {
      const auto name = sql::prepared_name(one);
      return name && (!ended->name || *name == *ended->name);
    });
  } else {
    if (postgresql && autocommitting() && is_local(statement)) return;
    if (dialect == Dialect::sqlite && concerns_foreign_keys(statement)) {
      settings_learned_ = false;
      return;
    }
    if (!autocommitting() && !transaction.settings_before) transaction.settings_before = settings();
    context.push_back(std::move(statement));
    if (autocommitting()) keep_last_of_each(&context, dialect);
    if (context.size() > kContextMax) {
      context.pop_back();
      settings_lost_ = true;
      if (transaction.recorded) note_uncaptured("too-many-settings");
    }
  }
  settings_changed();
  if (!transaction.recorded) return;
  const bool nothing = transaction.nothing_yet();
  transaction.entries.add_context(context);
  if (nothing) transaction.first_statement = transaction.entries.entries();
}

// `learned`: what is set now, before the session's own texts; nullptr: it is not known. What these
// texts have set hides what was so before, until the transaction ends: then it is asked for again.
void Session::set_before(std::vector<std::string>* learned) {
  // The server refuses whatever is sent until the transaction that has failed is over.
  if (learned == nullptr) {
    settings_learned_ = false;
    return;
  }
  const bool open = transaction.settings_before.has_value();
  const auto hidden = [this](const std::string& one) {
    return std::any_of(context.begin(), context.end(),
                       [&](const std::string& own) { return concerns(own, one); });
  };
  if (std::erase_if(*learned, hidden) != 0 && open) settings_learned_ = false;
  if (open) *transaction.settings_before += learned->size();
  for (Transaction::Savepoint& one : transaction.savepoints) one.settings += learned->size();
  learned->insert(learned->end(), std::make_move_iterator(context.begin()),
                  std::make_move_iterator(context.end()));
  context = std::move(*learned);
  if (context.size() > kContextMax) {
    context.resize(kContextMax);
    settings_lost_ = true;
  }
  settings_changed();
}

void Session::set_foreign_keys(bool enforced) {
  std::erase_if(context, concerns_foreign_keys);
  if (enforced) context.insert(context.begin(), "PRAGMA foreign_keys = ON");
  settings_changed();
}

void Session::record_settings() {
  if (settings_doubtful_) ask_settings();
  const bool nothing = transaction.nothing_yet();
  if (!context.empty()) transaction.entries.add_context(context);
  if (nothing) transaction.first_statement = transaction.entries.entries();
}

void Session::rolled_back_to(std::string_view savepoint) {
  const bool known = transaction.rollback_to(savepoint);
  if (!transaction.recorded) return;
  if (!known) return note_uncaptured(kUnknownSavepoint);
  // The settings were taken back, too, when they were recorded since.
  record_settings();
}

std::size_t Session::settings() const {
  if (dialect != Dialect::postgresql) return context.size();
  return context.size() -
         static_cast<std::size_t>(std::count_if(context.begin(), context.end(), is_prepare));
}

void Session::settings_undone(std::size_t settings) {
  if (dialect != Dialect::postgresql) return;
  if (transaction.settings_told) {
    settings_doubtful_ = true;
    return;
  }
  std::size_t seen = 0;
  std::erase_if(context,
                [&](const std::string& one) { return !is_prepare(one) && ++seen > settings; });
  settings_changed();
}

void Session::settings_ended(bool committed) {
  settings_doubtful_ = settings_in_doubt();
  transaction.settings_told = false;
  if (!transaction.settings_before) return;
  const std::size_t before = *transaction.settings_before;
  transaction.settings_before.reset();
  if (dialect == Dialect::postgresql) {
    if (!committed) settings_undone(before);
    std::erase_if(context, is_local);
  }
  keep_last_of_each(&context, dialect);
  settings_changed();
}

void Session::settings_changed() {
  search_path = settings_lost_ || names_lost_ ? sql::SearchPath{sql::SearchPath::Kind::unknown, {}}
                                              : path_after(context, dialect);
  const auto changed = [this](std::string_view what) {
    return dialect == Dialect::mariadb &&
           std::any_of(context.begin(), context.end(),
                       [what](const auto& one) { return mentions(one, Dialect::mariadb, {what}); });
  };
  anything_changed_ = dialect == Dialect::generic &&
                      std::any_of(context.begin(), context.end(), sets_more_than_isolation);
  formats_changed_ = dialect == Dialect::postgresql &&
                     std::any_of(std::begin(kFormats), std::end(kFormats),
                                 [this](const Format& one) { return leaves_usual(one, context); });
  mode_changed_ =
      dialect == Dialect::mariadb &&
      std::any_of(context.begin(), context.end(), [](const auto& one) {
        return mentions(one, Dialect::mariadb, {"SQL_MODE"}) && !sets_mode_without_quotes(one);
      });
  zone_changed_ = changed("TIME_ZONE");
}

bool Session::add_settings_of_batch(const std::string& text) {
  const auto parts = sql::split_batch(text, dialect);
  for (const sql::BatchPart& part : parts) {
    if (part.classification.cls != sql::StatementClass::context) continue;
    if (part.classification.creates_temporary) {
      add_temporary(part.text);
    } else {
      add_context(std::string(part.text));
    }
  }
  return !parts.empty();
}

void Session::after_opaque(const sql::Classification& what, const std::string& text, bool ran) {
  prepared_texts.doubt();
  const bool names_known = !names_lost_;
  if (what.sets && (!ran || !add_settings_of_batch(text))) names_lost_ = temporary_unknown_ = true;
  // A body of statements, or a text that is put together, may do the same.
  for (RawWords words(text); words.next();) {
    const bool path =
        words.is({"SET_CONFIG", "SEARCH_PATH"}) || (words.is({"ROLE", "SCHEMA", "AUTHORIZATION"}) &&
                                                    words.follows({"SET", "LOCAL", "SESSION"}));
    const bool perhaps = dialect == Dialect::generic && what.cls == sql::StatementClass::opaque &&
                         words.is({"SET", "SET_CONFIG", "USE", "ALTER"});
    names_lost_ = names_lost_ || (path && dialect == Dialect::postgresql) || perhaps;
    temporary_unknown_ =
        temporary_unknown_ ||
        (words.is({"TEMP", "TEMPORARY"}) &&
         words.follows({"CREATE", "REPLACE", "LOCAL", "GLOBAL", "INTO"}) && !what.sets);
  }
  if (temporary_unknown_) slot().pinned.fetch_or(kPinnedTemporaryTable, std::memory_order_relaxed);
  if (names_lost_ && names_known) settings_changed();
}

bool Session::quotes_as_usual(std::string_view text) const {
  return !mode_changed_ || text.find_first_of("\"\\[") == std::string_view::npos;
}

bool Session::reads_as_usual(std::string_view text) const {
  return !anything_changed_ && !formats_changed_ && quotes_as_usual(text);
}

bool Session::in_another_zone(const sql::Analysis& analysis) const {
  if (!zone_changed_) return false;
  const auto plain = [](const Table* table) {
    return table == nullptr ||
           std::none_of(table->columns.begin(), table->columns.end(),
                        [](const Column& one) { return one.type.starts_with("timestamp"); });
  };
  return !plain(analysis.table) ||
         std::any_of(analysis.before.begin(), analysis.before.end(),
                     [&](const sql::RowsQuery& one) { return !plain(one.table); });
}

}  // namespace understudy::capture
