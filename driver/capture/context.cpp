// What a session has set: the statements that the shadow's session needs before the same statements
// mean the same there.
#include <algorithm>
#include <set>

#include "driver/capture/session.h"
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

// What decides which tables a name means.
bool mentions_search_path(std::string_view text, Dialect dialect) {
  if (dialect == Dialect::mariadb) return mentions(text, dialect, {"USE"});
  return mentions(text, dialect,
                  {"SEARCH_PATH", "SCHEMA", "ROLE", "AUTHORIZATION", "DISCARD", "RESET"});
}

bool is_prepare(std::string_view statement) {
  return sql::prepared_name(statement).has_value();
}

// PostgreSQL: ends with the transaction.
bool is_local(std::string_view statement) {
  sql::Lexer lexer(statement, Dialect::postgresql);
  if (!lexer.next().is_word("SET")) return false;
  const sql::Token what = lexer.next();
  return what.is_word("LOCAL") || what.is_word("TRANSACTION") || what.is_word("CONSTRAINTS");
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

void keep_last_of_each(std::vector<std::string>* context, Dialect dialect) {
  std::set<std::string> seen;
  std::vector<std::string> kept;
  for (auto one = context->rbegin(); one != context->rend(); ++one) {
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
  if (transaction.recorded) transaction.entries.add_context(context);
}

std::size_t Session::settings() const {
  if (dialect != Dialect::postgresql) return context.size();
  return context.size() -
         static_cast<std::size_t>(std::count_if(context.begin(), context.end(), is_prepare));
}

void Session::settings_undone(std::size_t settings) {
  if (dialect != Dialect::postgresql) return;
  std::size_t seen = 0;
  std::erase_if(context,
                [&](const std::string& one) { return !is_prepare(one) && ++seen > settings; });
  settings_changed();
}

void Session::settings_ended(bool committed) {
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
  default_search_path =
      !settings_lost_ && std::none_of(context.begin(), context.end(), [this](const auto& one) {
        return mentions_search_path(one, dialect);
      });
  const auto changed = [this](std::string_view what) {
    return dialect == Dialect::mariadb &&
           std::any_of(context.begin(), context.end(),
                       [what](const auto& one) { return mentions(one, Dialect::mariadb, {what}); });
  };
  mode_changed_ = changed("SQL_MODE");
  zone_changed_ = changed("TIME_ZONE");
}

bool Session::reads_as_usual(std::string_view text, const sql::Analysis& analysis) const {
  if (mode_changed_ && text.find_first_of("\"\\[") != std::string_view::npos) return false;
  if (!zone_changed_) return true;
  const auto plain = [](const Table* table) {
    return table == nullptr ||
           std::none_of(table->columns.begin(), table->columns.end(),
                        [](const Column& one) { return one.type.starts_with("timestamp"); });
  };
  return plain(analysis.table) &&
         std::all_of(analysis.before.begin(), analysis.before.end(),
                     [&](const sql::RowsQuery& one) { return plain(one.table); });
}

}  // namespace understudy::capture
