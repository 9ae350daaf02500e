#include "driver/capture/first_statement.h"

#include "driver/capture/forward.h"
#include "driver/real/configuration.h"
#include "driver/sql/lexer.h"

namespace understudy::capture {
namespace {

constexpr char kEachStatement = '2';

bool concerns(const Session& session) {
  return session.dialect == Dialect::postgresql && !session.dbc.autocommit &&
         !session.transaction.first_ran.load(std::memory_order_relaxed);
}

// By the first word, of several statements in one text, too.
enum class Word { savepoint, transaction, other };

Word first_word(const std::string& text) {
  const sql::Token first = sql::Lexer(text, Dialect::postgresql).next();
  if (first.is_word("SAVEPOINT") || first.is_word("RELEASE")) return Word::savepoint;
  for (const char* word : {"ROLLBACK", "COMMIT", "BEGIN", "START", "END", "ABORT"}) {
    if (first.is_word(word)) return Word::transaction;
  }
  return Word::other;
}

bool ends_transaction(const sql::Classification& what) {
  return !what.chained &&
         (what.cls == sql::StatementClass::commit || what.cls == sql::StatementClass::rollback);
}

// Whether the server has been sent the text as it is.
bool sent_whole(const Statement& stmt) {
  if (stmt.execution->parameters() != 0) return false;
  return stmt.execution->direct ||
         real::connect_key(stmt.connection.connect_text, stmt.connection.settings.dsn,
                           "UseServerSidePrepare") == "0";
}

// The server has refused it, not the real driver before that, nor we.
bool refused_by_server(const Statement& stmt) {
  constexpr SQLINTEGER kExecutionFailed = 1;  // psqlodbc's own number
  if (!stmt.diagnostics.empty()) return stmt.diagnostics.front().native == kExecutionFailed;
  Handle seen(HandleKind::statement);
  take_diagnostics(*stmt.library, SQL_HANDLE_STMT, current(stmt), stmt.connection.wide, seen);
  return !seen.diagnostics.empty() && seen.diagnostics.front().native == kExecutionFailed;
}

void settle_failure(const Statement& stmt, Session& session, Word word) {
  Transaction& transaction = session.transaction;
  // The server refuses everything then, until the application goes back to a savepoint.
  if (word != Word::other) return first_statement_runs(session);
  if (rollback_level(session) != kEachStatement) return;
  const bool alone = !transaction.begun.load(std::memory_order_relaxed);
  const bool ended_one = transaction.ended_one.load(std::memory_order_relaxed);
  const bool whole = ended_one || (alone && sent_whole(stmt));
  if (!whole || !refused_by_server(stmt)) return;
  transaction.begun.store(false, std::memory_order_relaxed);
  transaction.ended_one.store(true, std::memory_order_relaxed);
  const std::lock_guard lock(session.dbc.write_mutex);
  // Does nothing where psqlodbc has done so itself. What it has said of the statement stays.
  if (records(session.mode())) (void)real_end_tran(session.dbc, SQL_ROLLBACK);
  session.nothing_kept();
}

}  // namespace

void settle_first_statement(Statement& stmt, Session& session, SQLRETURN ret) {
  if (!concerns(session)) return;
  const Execution& execution = *stmt.execution;
  const Word word = first_word(execution.text());
  if (ret == SQL_ERROR) return settle_failure(stmt, session, word);
  if (ends_transaction(execution.classification())) return;
  session.transaction.begun.store(true, std::memory_order_relaxed);
  if (word != Word::savepoint) first_statement_runs(session);
}

void first_statement_runs(Session& session) {
  session.transaction.begun.store(true, std::memory_order_relaxed);
  session.transaction.first_ran.store(true, std::memory_order_relaxed);
}

}  // namespace understudy::capture
