// What a session has been given before the application's first statement: by its connection string,
// its role or its database. No text of the application's tells of it.
#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "driver/capture/session.h"
#include "driver/real/configuration.h"
#include "driver/sql/batch.h"
#include "driver/sql/prepared_text.h"

namespace understudy::capture {
namespace {

constexpr std::size_t kAnswerBytesMax = 64u << 10;
constexpr char kSeparator = '\n';

// Left out: what concerns the client alone, and what would make the replayer give up or take other
// locks. As hexadecimal digits, which every driver gives alike; of the search path what it means.
constexpr const char* kAskPostgresql =
    "SELECT encode(convert_to(string_agg(one, E'\\n'), 'UTF8'), 'hex') FROM ("
    "SELECT 'SET ' || quote_ident(name) || ' TO ' || CASE WHEN name = 'search_path' THEN "
    "coalesce((SELECT string_agg(quote_ident(s), ', ') FROM unnest(current_schemas(false)) s), "
    "'''''') ELSE quote_literal(setting) END AS one FROM pg_catalog.pg_settings WHERE "
    "(source IN ('client', 'user', 'database', 'database user') OR (source = 'session' AND setting "
    "<> reset_val)) AND context IN ('user', 'superuser') AND name NOT IN ('client_encoding', "
    "'extra_float_digits', 'application_name', 'client_min_messages') AND name !~ "
    "'(_timeout$|transaction_|^log_)' "
    "UNION ALL SELECT 'SET ROLE ' || quote_ident(current_setting('role')) WHERE "
    "current_setting('role') <> 'none') settings";

// Bits of Connector/ODBC's OPTION.
constexpr unsigned long kNoCacheOption = 1ul << 20;
constexpr unsigned long kForwardOnlyOption = 1ul << 21;
constexpr unsigned long kFoundRowsOption = 2;
constexpr unsigned long kReconnectOption = 1ul << 22;

// As libsqliteodbc and Connector/ODBC read their switches.
bool is_yes(std::string_view value) {
  return !value.empty() &&
         std::string_view("YyTt123456789").find(value.front()) != std::string_view::npos;
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::string from_hexadecimal(std::string_view digits) {
  std::string out;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    const int high = digit_of(digits[i]);
    const int low = digit_of(digits[i + 1]);
    if (high < 0 || low < 0) return {};
    out += static_cast<char>(high * 16 + low);
  }
  return out;
}

// The first column of the only row; nothing when it cannot be read, or is more than is read.
std::optional<std::string> answer(const Session& session, SQLHSTMT statement) {
  const real::Entries& fn = session.dbc.library->fn;
  if (!SQL_SUCCEEDED(
          real_exec_direct(*session.dbc.library, statement, kAskPostgresql, session.dbc.wide)) ||
      fn.Fetch == nullptr || fn.GetData == nullptr || !SQL_SUCCEEDED(fn.Fetch(statement))) {
    return std::nullopt;
  }
  std::string text(kAnswerBytesMax, '\0');
  SQLLEN length = 0;
  const SQLRETURN ret =
      fn.GetData(statement, 1, SQL_C_CHAR, text.data(), static_cast<SQLLEN>(text.size()), &length);
  if (ret == SQL_SUCCESS && length == SQL_NULL_DATA) return std::string();
  const bool whole =
      ret == SQL_SUCCESS && length >= 0 && static_cast<std::size_t>(length) < text.size();
  if (!whole) return std::nullopt;
  text.resize(static_cast<std::size_t>(length));
  return from_hexadecimal(text);
}

// PostgreSQL: a statement for each of the settings; nothing when the server refuses to answer.
std::optional<std::vector<std::string>> settings_told(Session& session) {
  SQLHSTMT statement = session.question();
  if (statement == SQL_NULL_HSTMT) return std::nullopt;
  const auto all = answer(session, statement);
  session.drop_question();
  if (!all) return std::nullopt;
  std::vector<std::string> out;
  for (std::size_t at = 0; at < all->size();) {
    const std::size_t end = std::min(all->find(kSeparator, at), all->size());
    out.push_back(all->substr(at, end - at));
    at = end + 1;
  }
  return out;
}

// SQLite: whether the session enforces foreign keys, by its connection string or a text; nothing
// when it cannot be asked now.
std::optional<bool> foreign_keys_told(Session& session) {
  SQLHSTMT statement = session.question();
  if (statement == SQL_NULL_HSTMT) return std::nullopt;
  const real::Library& library = *session.dbc.library;
  const bool ran =
      SQL_SUCCEEDED(real_exec_direct(library, statement, "PRAGMA foreign_keys", session.dbc.wide));
  const std::int64_t told = ran ? first_number(library, statement) : -1;
  session.drop_question();
  return told < 0 ? std::nullopt : std::optional(told == 1);
}

}  // namespace

void Session::settings_by_connecting() {
  const auto key = [&](const char* name) {
    return real::connect_key(dbc.connect_text, dbc.settings.dsn, name);
  };
  if (dialect == Dialect::sqlite) makes_none = is_yes(key("NoTXN"));
  if (dialect != Dialect::mariadb) return;
  const std::string given = key("INITSTMT");
  if (!given.empty()) add_settings_of_batch(given);
  const unsigned long option = std::strtoul(key("OPTION").c_str(), nullptr, 10) |
                               std::strtoul(key("OPTIONS").c_str(), nullptr, 10);
  connects_anew = is_yes(key("AUTO_RECONNECT")) || (option & kReconnectOption) != 0;
  leaves_rows = is_yes(key("FORWARDONLY")) || (option & (kNoCacheOption | kForwardOnlyOption)) != 0;
  counts_found = (option & kFoundRowsOption) != 0;
}

void Session::learn_settings() {
  if (settings_learned_) return;
  // Either side can be asked, where it is SQLite.
  if (dialect == Dialect::sqlite && (!on_shadow || dialect_of(dbc) == dialect)) {
    const auto enforced = foreign_keys_told(*this);
    settings_learned_ = enforced.has_value();
    if (enforced) set_foreign_keys(*enforced);
    return;
  }
  if (on_shadow) return;
  settings_learned_ = true;
  if (dialect != Dialect::postgresql) return;
  auto told = settings_told(*this);
  set_before(told ? &*told : nullptr);
}

bool Session::settings_in_doubt() const {
  return settings_doubtful_ || transaction.settings_told ||
         (dialect == Dialect::postgresql && transaction.settings_before && !transaction.recorded &&
          rollback_level(*this) != '2');
}

void Session::ask_settings() {
  const bool asks = dialect == Dialect::postgresql;
  const auto told = asks ? settings_told(*this) : std::nullopt;
  if (!told) return;  // it refuses whatever is sent until the transaction is over
  std::erase_if(context, [](const auto& one) { return !sql::prepared_name(one); });
  context.insert(context.end(), told->begin(), told->end());
  settings_doubtful_ = false;
  transaction.settings_told = transaction.settings_before.has_value();
  settings_changed();
}

}  // namespace understudy::capture
