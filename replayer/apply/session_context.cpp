#include "replayer/apply/session_context.h"

namespace understudy {

SessionContext::SessionContext(odbc::Connection& shadow, Dialect dialect)
    : shadow_(shadow), dialect_(dialect) {
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
  if (dialect_ != Dialect::postgresql) return false;
  touched_ = true;
  shadow_.run("RESET SESSION AUTHORIZATION");
  shadow_.run("RESET ROLE");
  shadow_.run("RESET ALL");
  shadow_.run("DISCARD TEMP");
  for (const auto& statement : baseline_) shadow_.run(statement);
  present_.clear();
  unknown_ = false;
  return true;
}

void SessionContext::apply(const std::vector<std::string>& statements) {
  for (const auto& statement : statements) {
    if (refused(statement) != nullptr) continue;
    touched_ = true;
    try {
      shadow_.run(statement);
    } catch (const odbc::Error& error) {
      if (!error.connection_lost()) failed_[statement] = error.sqlstate();
      throw;
    }
  }
  present_ = statements;
  unknown_ = false;
}

void SessionContext::rolled_back() {
  if (touched_) unknown_ = true;
  touched_ = false;
}

// In PostgreSQL any function may call set_config.
void SessionContext::changed(Verdict verdict) {
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
