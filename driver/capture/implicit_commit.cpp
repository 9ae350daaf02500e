#include "driver/capture/implicit_commit.h"

#include <mutex>

#include "driver/sql/lexer.h"

namespace understudy::capture {
namespace {

using sql::StatementClass;

// The value given to autocommit; nothing when the text gives none, or in a form not understood.
std::optional<bool> autocommit_given(std::string_view text) {
  sql::Lexer lexer(text, Dialect::mariadb);
  std::optional<bool> given;
  for (sql::Token token = lexer.next(); token.kind != sql::TokenKind::end; token = lexer.next()) {
    if (!token.is_word("AUTOCOMMIT")) continue;
    token = lexer.next();
    if (token.is(':')) token = lexer.next();
    if (!token.is('=')) continue;
    token = lexer.next();
    if (token.text == "1" || token.is_word("ON") || token.is_word("TRUE")) given = true;
    if (token.text == "0" || token.is_word("OFF") || token.is_word("FALSE")) given = false;
  }
  return given;
}

bool locks_tables(const Execution& execution) {
  sql::Lexer lexer(execution.text(), Dialect::mariadb);
  return lexer.next().is_word("LOCK");
}

SQLRETURN run_schema_change(Session& session, const std::string& text,
                            const RunsUnchanged& unchanged) {
  const SQLRETURN ret = unchanged();
  if (SQL_SUCCEEDED(ret)) {
    // Of a temporary table it may have left the transaction open.
    const bool temporary = session.changes_temporary(text);
    if (temporary && session.asks_open_transaction()) return ret;
    session.transaction.schema_changed = !temporary;
  } else if (session.asks_open_transaction()) {
    return ret;
  } else {
    session.note_uncaptured("implicit-commit");
  }
  (void)session.commit([] { return static_cast<SQLRETURN>(SQL_SUCCESS); });
  return ret;
}

SQLRETURN run_set_autocommit(Session& session, bool on, const RunsUnchanged& unchanged) {
  const bool ends = on && !session.dbc.autocommit && session.transaction.recorded;
  const SQLRETURN ret = ends ? session.commit(unchanged) : unchanged();
  if (SQL_SUCCEEDED(ret)) session.dbc.autocommit = on;
  return ret;
}

}  // namespace

std::optional<SQLRETURN> run_implicit_commit(Statement& stmt, Session& session,
                                             const RunsUnchanged& unchanged) {
  const std::lock_guard lock(session.dbc.write_mutex);
  if (session.transaction.tainted) session.settle_taint();
  const Execution& execution = *stmt.execution;
  const StatementClass cls = execution.classification().cls;
  if (cls == StatementClass::context) {
    const auto given = autocommit_given(execution.text());
    return given ? std::optional(run_set_autocommit(session, *given, unchanged)) : std::nullopt;
  }
  if (!session.transaction.recorded || session.autocommitting()) return std::nullopt;
  if (cls == StatementClass::ddl) return run_schema_change(session, execution.text(), unchanged);
  if (cls == StatementClass::begin) {
    const SQLRETURN ret = session.commit(unchanged);
    session.transaction.by_text = SQL_SUCCEEDED(ret);
    return ret;
  }
  if (cls == StatementClass::locking_read && locks_tables(execution)) {
    return session.commit(unchanged);
  }
  return std::nullopt;
}

}  // namespace understudy::capture
