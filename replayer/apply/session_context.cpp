#include "replayer/apply/session_context.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <string_view>
#include <utility>

namespace understudy {
namespace {

constexpr std::size_t kRefusedKept = 4096;

// Settings of a session that another can have too; those of a moment (TIMESTAMP, INSERT_ID) are
// SESSION ONLY.
constexpr std::string_view kMariadbSettings =
    "SELECT VARIABLE_NAME, SESSION_VALUE, VARIABLE_TYPE FROM information_schema.SYSTEM_VARIABLES"
    " WHERE VARIABLE_SCOPE = 'SESSION' AND READ_ONLY = 'NO' AND VARIABLE_NAME <> 'AUTOCOMMIT'";

// Name to the statement that gives it the value it has now.
std::map<std::string, std::string> mariadb_settings(odbc::Connection& db) {
  std::map<std::string, std::string> out;
  odbc::Statement settings(db);
  settings.execute_direct(kMariadbSettings);
  while (settings.fetch()) {
    const auto name = settings.text(1).value_or("");
    const auto value = settings.text(2);
    const auto type = settings.text(3).value_or("");
    const bool number = type.find("INT") != std::string::npos || type == "DOUBLE";
    out[name] = "SET SESSION " + name + " = " +
                (!value   ? std::string("NULL")
                 : number ? *value
                          : "'" + *value + "'");
  }
  return out;
}

// The first two words of a statement in capitals.
std::string beginning(std::string_view statement) {
  std::string out;
  bool word = false;
  for (const char c : statement) {
    if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
      out += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      word = true;
    } else if (word) {
      if (out.find(' ') != std::string::npos) break;
      out += ' ';
      word = false;
    }
  }
  return out;
}

// All texts go to the shadow in UTF-8, whatever the application's session spoke.
bool sets_characters(std::string_view statement) {
  const std::string words = beginning(statement);
  return words.starts_with("SET NAMES") || words.starts_with("SET CHARACTER") ||
         words.starts_with("SET CHARSET");
}

// What follows SET, and SESSION or LOCAL behind it, up to the first character that is of no name,
// in small letters.
std::string name_set(std::string_view statement) {
  const auto word = [&statement] {
    std::string out;
    const auto in_word = [](unsigned char c) { return std::isalpha(c) != 0 || c == '_'; };
    while (!statement.empty() && std::isspace(static_cast<unsigned char>(statement[0])) != 0) {
      statement.remove_prefix(1);
    }
    while (!statement.empty() && in_word(static_cast<unsigned char>(statement[0]))) {
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(statement[0])));
      statement.remove_prefix(1);
    }
    return out;
  };
  if (word() != "set") return {};
  std::string name = word();
  return name == "session" || name == "local" ? word() : name;
}

// What MariaDB's SET assigns, one by one. Nothing where that cannot be told without the server:
// backslashes, comments, quotes or parentheses that are not closed.
std::optional<std::vector<std::string>> assignments(const std::string& statement) {
  if (statement.find('\\') != std::string::npos) return std::nullopt;
  std::vector<std::string> out(1);
  char quote = 0;
  int depth = 0;
  constexpr std::string_view kSet = "SET ";
  if (!beginning(statement).starts_with(kSet)) return std::nullopt;
  for (std::size_t i = kSet.size(); i < statement.size(); ++i) {
    const char c = statement[i];
    const char next = i + 1 < statement.size() ? statement[i + 1] : '\0';
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '\'' || c == '"' || c == '`') {
      quote = c;
    } else if (c == '#' || c == ';' || (c == '-' && next == '-') || (c == '/' && next == '*')) {
      return std::nullopt;
    } else if (c == '(' || c == ')') {
      depth += c == '(' ? 1 : -1;
    } else if (c == ',' && depth == 0) {
      out.emplace_back();
      continue;
    }
    if (out.back().empty() && std::isspace(static_cast<unsigned char>(c)) != 0) continue;
    out.back() += c;
  }
  if (quote != 0 || depth != 0 || out.front().empty()) return std::nullopt;
  return out;
}

// MariaDB: variables that change no other when they are set.
bool stands_alone(std::string_view name) {
  static constexpr std::string_view kNames[] = {"DEFAULT_WEEK_FORMAT",
                                                "DIV_PRECISION_INCREMENT",
                                                "FOREIGN_KEY_CHECKS",
                                                "GROUP_CONCAT_MAX_LEN",
                                                "INNODB_LOCK_WAIT_TIMEOUT",
                                                "INTERACTIVE_TIMEOUT",
                                                "LC_TIME_NAMES",
                                                "LOCK_WAIT_TIMEOUT",
                                                "MAX_STATEMENT_TIME",
                                                "NET_READ_TIMEOUT",
                                                "NET_WRITE_TIMEOUT",
                                                "SQL_AUTO_IS_NULL",
                                                "SQL_MODE",
                                                "SQL_SAFE_UPDATES",
                                                "TIME_ZONE",
                                                "UNIQUE_CHECKS",
                                                "WAIT_TIMEOUT"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

// The variable that one of them sets, in capitals; empty: a variable of the user's. Nothing: some
// other form.
std::optional<std::string> variable_of(std::string_view assignment) {
  const auto take = [&assignment](std::string_view prefix) {
    const bool there =
        assignment.size() >= prefix.size() &&
        std::equal(prefix.begin(), prefix.end(), assignment.begin(), [](char wanted, char c) {
          return wanted == std::toupper(static_cast<unsigned char>(c));
        });
    if (there) assignment.remove_prefix(prefix.size());
    return there;
  };
  if (!assignment.starts_with("@@") && take("@")) return std::string();
  if (take("@@")) {
    (void)(take("SESSION.") || take("LOCAL."));
  } else {
    (void)(take("SESSION ") || take("LOCAL "));
  }
  std::string name;
  while (!assignment.empty() &&
         (std::isalpha(static_cast<unsigned char>(assignment[0])) != 0 || assignment[0] == '_')) {
    name += static_cast<char>(std::toupper(static_cast<unsigned char>(assignment[0])));
    assignment.remove_prefix(1);
  }
  while (take(" ")) {
  }
  const bool assigned = take("=") || take(":=");
  return assigned && stands_alone(name) ? std::optional(std::move(name)) : std::nullopt;
}

// PostgreSQL: how long something may take, and what transactions may do and see. Here they wait for
// nobody, are joined with others, and do what production's have done.
bool sets_transactions(const std::string& name) {
  static constexpr std::string_view kNames[] = {"transaction",       "characteristics",
                                                "statement_timeout", "lock_timeout",
                                                "deadlock_timeout",  "idle_session_timeout"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames) ||
         name.starts_with("transaction_") || name.starts_with("default_transaction_") ||
         name.starts_with("idle_in_transaction_");
}

// SQLite: settings that decide what a text means, or what a row brings about, and their values when
// the session has not set them. Not foreign_keys, which a transaction cannot set.
struct Pragma {
  std::string_view name;
  std::string_view reset;
};
constexpr Pragma kPragmas[] = {
    {"case_sensitive_like", "PRAGMA case_sensitive_like = OFF"},
    {"recursive_triggers", "PRAGMA recursive_triggers = OFF"},
    {"ignore_check_constraints", "PRAGMA ignore_check_constraints = OFF"},
    {"reverse_unordered_selects", "PRAGMA reverse_unordered_selects = OFF"}};

const Pragma* meaning_set(const std::string& statement) {
  std::string small;
  for (const char c : statement) {
    small += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  for (const Pragma& one : kPragmas) {
    if (small.find(one.name) != std::string::npos) return &one;
  }
  return nullptr;
}

// SQLite: how a session waits and what it keeps in memory is its own affair, on its own side.
bool changes_no_meaning(const std::string& statement) {
  return beginning(statement).starts_with("PRAGMA") && meaning_set(statement) == nullptr;
}

// The driver writes it so, when the session enforces them.
constexpr std::string_view kEnforced = "PRAGMA foreign_keys = ON";

}  // namespace

SessionContext::SessionContext(odbc::Connection& shadow, Dialect dialect)
    : shadow_(shadow), dialect_(dialect) {
  if (dialect_ == Dialect::mariadb) settings_ = mariadb_settings(shadow_);
  if (dialect_ == Dialect::sqlite) enforced_ = enforces();
  if (dialect_ != Dialect::postgresql) return;
  // psqlodbc sets these by statement, not in the startup packet, so RESET ALL would undo them.
  odbc::Statement settings(shadow_);
  settings.execute_direct(
      "SELECT 'SET SESSION ' || quote_ident(name) || ' = ' || quote_literal(setting)"
      " FROM pg_settings WHERE source = 'session' AND name <> 'search_path'"
      " AND name NOT LIKE 'transaction%' ORDER BY name");
  while (settings.fetch()) {
    if (auto text = settings.text(1)) baseline_.push_back(std::move(*text));
  }
}

bool SessionContext::reset() {
  if (clean()) return true;
  if (dialect_ == Dialect::mariadb) return reset_mariadb();
  if (dialect_ == Dialect::sqlite) return reset_sqlite();
  if (dialect_ != Dialect::postgresql) return false;
  touched_ = true;
  shadow_.run("RESET SESSION AUTHORIZATION");
  shadow_.run("RESET ROLE");
  shadow_.run("RESET ALL");
  shadow_.run("DISCARD TEMP");
  // Of functions that were replayed: the application's locks are its own affair, on its side.
  (void)shadow_.scalar("SELECT pg_advisory_unlock_all()::text");
  deallocate();
  for (const auto& statement : baseline_) shadow_.run(statement);
  present_.clear();
  unknown_ = false;
  return true;
}

// What applications have prepared as text; the real driver's own are prepared by the protocol.
void SessionContext::deallocate() {
  if (!prepared_) return;
  std::vector<std::string> names;
  odbc::Statement prepared(shadow_);
  prepared.execute_direct("SELECT quote_ident(name) FROM pg_prepared_statements WHERE from_sql");
  while (prepared.fetch()) {
    if (auto name = prepared.text(1)) names.push_back(std::move(*name));
  }
  for (const auto& name : names) shadow_.run("DEALLOCATE " + name);
  prepared_ = false;
}

// What was attached stays.
bool SessionContext::reset_sqlite() {
  for (const Pragma& one : kPragmas) shadow_.run(one.reset);
  const bool all = std::all_of(present_.begin(), present_.end(),
                               [](const auto& one) { return meaning_set(one) != nullptr; });
  present_.clear();
  unknown_ = false;
  return all;
}

std::optional<std::vector<std::string>> SessionContext::first_values() const {
  std::vector<std::string> out;
  for (const std::string& one : present_) {
    if (sets_characters(one) || beginning(one).starts_with("USE")) continue;  // not applied
    const auto all = assignments(one);
    if (!all) return std::nullopt;
    for (const std::string& assignment : *all) {
      const auto name = variable_of(assignment);
      if (!name) return std::nullopt;
      if (name->empty()) continue;
      const auto first = settings_.find(*name);
      if (first == settings_.end()) return std::nullopt;
      if (std::find(out.begin(), out.end(), first->second) == out.end()) {
        out.push_back(first->second);
      }
    }
  }
  return out;
}

// Temporary tables and user variables stay. All settings are read only where it is not known which
// have changed: that takes longer than a transaction.
bool SessionContext::reset_mariadb() {
  const bool known = !unknown_ && !opaque_ran_;
  if (const auto first = known ? first_values() : std::nullopt) {
    for (const auto& statement : *first) shadow_.run(statement);
    present_.clear();
    return true;
  }
  for (const auto& [name, now] : mariadb_settings(shadow_)) {
    const auto first = settings_.find(name);
    if (first != settings_.end() && first->second != now) shadow_.run(first->second);
  }
  present_.clear();
  unknown_ = opaque_ran_ = false;
  return true;
}

bool SessionContext::enforces() const {
  return shadow_.scalar("PRAGMA foreign_keys") == "1";
}

std::vector<std::string> SessionContext::inside(std::vector<std::string> statements) const {
  if (dialect_ == Dialect::sqlite) std::erase_if(statements, changes_no_meaning);
  return statements;
}

void SessionContext::settle_outside(const std::vector<std::string>& statements) {
  if (dialect_ != Dialect::sqlite) return;
  const bool wanted =
      std::find(statements.begin(), statements.end(), kEnforced) != statements.end();
  if (wanted == enforced_) return;
  shadow_.rollback();
  lacks_parent_ = false;
  shadow_.set_autocommit(true);
  shadow_.run(wanted ? kEnforced : "PRAGMA foreign_keys = OFF");
  shadow_.set_autocommit(false);
  enforced_ = enforces();
}

// Sessions that enforce nothing leave rows without a parent, and SQLite lets such a row be updated
// as long as its reference is not assigned; here it is. It counts what lacks a parent, and looks
// whether a row that goes has lacked one only while the count is not zero. So a row of ours lacks
// one up to the end.
void SessionContext::begun() {
  if (!enforced_) return;
  shadow_.run("PRAGMA defer_foreign_keys = ON");
  shadow_.run("CREATE TEMP TABLE IF NOT EXISTS understudy_parent (id INTEGER PRIMARY KEY)");
  shadow_.run(
      "CREATE TEMP TABLE IF NOT EXISTS understudy_child (id INTEGER REFERENCES understudy_parent)");
  shadow_.run("INSERT INTO temp.understudy_child VALUES (1)");
  lacks_parent_ = true;
}

void SessionContext::ending() {
  if (std::exchange(lacks_parent_, false)) shadow_.run("DELETE FROM temp.understudy_child");
}

void SessionContext::apply(const std::vector<std::string>& statements) {
  for (const auto& statement : statements) {
    if (dialect_ == Dialect::mariadb) {
      if (sets_characters(statement)) continue;
      // Names mean the shadow's tables: what means others there was not recorded.
      if (beginning(statement).starts_with("USE")) continue;
    }
    const std::string name = dialect_ == Dialect::postgresql ? name_set(statement) : "";
    if (sets_transactions(name) || refused(statement) != nullptr) continue;
    touched_ = true;
    prepared_ = prepared_ || beginning(statement).starts_with("PREPARE");
    try {
      // Rows are put one after the other that a statement has changed at once.
      shadow_.run(name == "constraints" ? "SET CONSTRAINTS ALL DEFERRED" : statement);
    } catch (const odbc::Error& error) {
      if (!error.connection_lost()) {
        // What is refused once more is remembered once more.
        if (failed_.size() >= kRefusedKept) {
          std::erase_if(failed_, [&](const auto& one) {
            return std::find(statements.begin(), statements.end(), one.first) == statements.end();
          });
        }
        failed_[statement] = error.sqlstate();
      }
      throw;
    }
  }
  present_ = statements;
  unknown_ = false;
}

void SessionContext::rolled_back() {
  lacks_parent_ = false;
  if (touched_) unknown_ = true;
  touched_ = false;
}

// In PostgreSQL any function may call set_config; what a procedure of MariaDB has set stays set.
void SessionContext::changed(Verdict verdict) {
  opaque_ran_ = opaque_ran_ || verdict == Verdict::opaque;
  if (verdict != Verdict::context && dialect_ != Dialect::postgresql) return;
  unknown_ = true;
  touched_ = true;
}

const std::string* SessionContext::refused(const std::string& statement) const {
  const auto found = failed_.find(statement);
  return found == failed_.end() ? nullptr : &found->second;
}

bool SessionContext::plain_strings() {
  if (clean()) return true;
  return shadow_.scalar("SHOW standard_conforming_strings") == "on";
}

}  // namespace understudy
