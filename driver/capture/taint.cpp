// After an error the server may have kept the transaction, undone the statement, or undone all of
// it, and COMMIT succeeds in each case (psqlodbc, Protocol=7.4-2, -1 and -0). So it is asked before
// the next modifying statement and before COMMIT, when the driver manager has long collected the
// application's diagnostics.
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "driver/capture/session.h"
#include "driver/real/configuration.h"
#include "driver/sql/rows_by_key.h"

namespace understudy::capture {

std::int64_t first_number(const real::Library& library, SQLHSTMT statement) {
  if (library.fn.Fetch == nullptr || library.fn.GetData == nullptr) return -1;
  if (!SQL_SUCCEEDED(library.fn.Fetch(statement))) return -1;
  char digits[32] = {};
  SQLLEN length = 0;
  if (!SQL_SUCCEEDED(
          library.fn.GetData(statement, 1, SQL_C_CHAR, digits, sizeof digits, &length))) {
    return -1;
  }
  return length == SQL_NULL_DATA ? 0 : std::strtoll(digits, nullptr, 10);
}

namespace {

constexpr const char* kEffectsUnreadable = "effects-unreadable";
constexpr const char* kErrorInTransaction = "error-in-transaction";

enum class Kept { all, nothing, poisoned, unknown };

// PostgreSQL's id of the open transaction: 0 when it has none, nullopt when it refuses to answer,
// as it does in a transaction that it will roll back.
std::optional<std::uint64_t> assigned_txid(const Session& session, SQLHSTMT statement) {
  const real::Library& library = *session.dbc.library;
  const SQLRETURN ret = real_exec_direct(
      library, statement, "SELECT pg_current_xact_id_if_assigned()::text", session.dbc.wide);
  if (!SQL_SUCCEEDED(ret)) return std::nullopt;
  const std::int64_t txid = first_number(library, statement);
  if (library.fn.FreeStmt != nullptr) library.fn.FreeStmt(statement, SQL_CLOSE);
  return txid > 0 ? static_cast<std::uint64_t>(txid) : 0;
}

Kept ask_postgresql(Session& session, SQLHSTMT statement) {
  // psqlodbc may answer the question's own failure by ending the transaction.
  std::optional<std::uint64_t> txid = assigned_txid(session, statement);
  if (!txid) txid = assigned_txid(session, statement);
  if (!txid) return Kept::poisoned;
  const Transaction& transaction = session.transaction;
  const std::uint64_t known = transaction.server_txid;
  // Nothing was written yet, whatever statements have run, and psqlodbc has undone the failed one
  // alone: savepoints and settings stand.
  if (*txid == 0) return known == 0 && rollback_level(session) == '2' ? Kept::all : Kept::nothing;
  return known == 0 || known == *txid ? Kept::all : Kept::nothing;
}

// SQLite undoes the whole transaction only for a few errors (full disk, no memory, ON CONFLICT
// ROLLBACK). A second BEGIN is refused exactly while the first transaction lives; if it is
// accepted, the application's transaction goes on inside ours, empty, as it does with the bare
// driver.
Kept ask_sqlite(Session& session, SQLHSTMT statement) {
  const SQLRETURN ret =
      real_exec_direct(*session.dbc.library, statement, "BEGIN", session.dbc.wide);
  return SQL_SUCCEEDED(ret) ? Kept::nothing : Kept::all;
}

// MariaDB undoes the whole transaction for a deadlock (1213), the statement alone otherwise (1205
// too, unless innodb_rollback_on_timeout). The question itself begins no transaction, but any
// statement that reads a table does: it has to come before them all.
Kept ask_mariadb(Session& session, SQLHSTMT statement) {
  const real::Library& library = *session.dbc.library;
  const SQLRETURN ret =
      real_exec_direct(library, statement, "SELECT @@in_transaction", session.dbc.wide);
  if (!SQL_SUCCEEDED(ret)) return Kept::poisoned;
  const std::int64_t open = first_number(library, statement);
  return open == 1 ? Kept::all : open == 0 ? Kept::nothing : Kept::poisoned;
}

// Whether the server refuses whatever is sent, as in a transaction that it is going to roll back: a
// savepoint and a query that finds nothing.
bool refuses_everything(Session& session) {
  const auto view = session.catalog();
  const std::string nothing = view == nullptr ? "" : sql::generic_nothing(view->catalog());
  return !nothing.empty() && !SQL_SUCCEEDED(session.send_aside(nothing));
}

// The savepoint of ours is there exactly while the transaction is. Where it is not and another can
// be set, the transaction is a new one.
Kept ask_generic(Session& session) {
  const bool anchored = std::exchange(session.transaction.anchored, false);
  const std::string name = kAnchor;
  if (!session.takes_savepoints()) return Kept::unknown;
  const bool there = anchored && SQL_SUCCEEDED(session.send_aside("RELEASE SAVEPOINT " + name));
  session.transaction.anchored = SQL_SUCCEEDED(session.send_aside("SAVEPOINT " + name));
  if (there) return Kept::all;
  if (session.transaction.anchored) return anchored ? Kept::nothing : Kept::unknown;
  return refuses_everything(session) ? Kept::poisoned : Kept::unknown;
}

Kept ask(Session& session, SQLHSTMT statement) {
  switch (session.dialect) {
    case Dialect::generic:
      return ask_generic(session);
    case Dialect::postgresql:
      return ask_postgresql(session, statement);
    case Dialect::sqlite:
      return ask_sqlite(session, statement);
    default:
      return ask_mariadb(session, statement);
  }
}

}  // namespace

char rollback_level(const Session& session) {
  const std::string protocol =
      real::connect_key(session.dbc.connect_text, session.dbc.settings.dsn, "Protocol");
  return protocol.find('-') == std::string::npos ? '2' : protocol.back();
}

bool Session::asks_open_transaction() {
  keep_found_rows();
  SQLHSTMT statement = question();
  const bool open = statement != SQL_NULL_HSTMT && ask_mariadb(*this, statement) == Kept::all;
  drop_question();
  return open;
}

// A second BEGIN is refused exactly while a transaction is open.
bool Session::begun_by_text() {
  SQLHSTMT statement = question();
  if (statement == SQL_NULL_HSTMT) return false;
  const bool begun = SQL_SUCCEEDED(real_exec_direct(*dbc.library, statement, "BEGIN", dbc.wide));
  if (begun) real_exec_direct(*dbc.library, statement, "ROLLBACK", dbc.wide);
  drop_question();
  return !begun;
}

void Session::rows_unread() {
  transaction.tainted = transaction.unread = true;
}

// It is asked again before the next statement, which may run in another.
void Session::poison() {
  transaction.poisoned = transaction.tainted = true;
}

SQLRETURN Session::run_poisoned(const std::function<SQLRETURN()>& unchanged) {
  const SQLRETURN ret = unchanged();
  transaction.slipped = transaction.slipped || ret != SQL_ERROR;
  return ret;
}

void Session::settle_taint() {
  transaction.tainted = false;
  const bool unread = std::exchange(transaction.unread, false);
  if (!transaction.recorded) return;
  const bool again = std::exchange(transaction.poisoned, false);
  if (!again) header().tainted.fetch_add(1, std::memory_order_relaxed);
  keep_found_rows();
  SQLHSTMT statement = question();
  if (statement == SQL_NULL_HSTMT && connection_lost()) {
    poison();
    return;
  }
  const Kept kept = statement == SQL_NULL_HSTMT ? Kept::unknown : ask(*this, statement);
  drop_question();
  if (kept == Kept::unknown)
    return note_uncaptured(unread ? kEffectsUnreadable : kErrorInTransaction);
  if (kept == Kept::poisoned) return poison();
  if (kept == Kept::all && unread) note_uncaptured(kEffectsUnreadable);
  const bool slipped = std::exchange(transaction.slipped, false);
  if (kept == Kept::all && slipped) note_uncaptured(kErrorInTransaction);
  if (kept == Kept::all) return;
  nothing_kept();
  if (slipped) note_uncaptured(kErrorInTransaction);
}

void Session::nothing_kept() {
  transaction.tainted = transaction.unread = transaction.poisoned = transaction.slipped = false;
  settings_ended(false);
  if (!transaction.recorded) return;
  // A transaction that a text began is over, and the server is in autocommit again.
  if (dialect == Dialect::mariadb && dbc.autocommit) return lost();
  // Of a transaction in which nothing was written the savepoints are kept: MariaDB keeps them too,
  // and where the server does not, it refuses to go back to them.
  const bool nothing_yet = transaction.nothing_yet();
  auto savepoints = std::exchange(transaction.savepoints, {});
  if (transaction.chunks != 0) publish_abandon();
  transaction.forget_entries();
  transaction.chunks = 0;
  record_settings();
  for (Transaction::Savepoint& one : savepoints) one.mark = transaction.entries.mark();
  if (nothing_yet) transaction.savepoints = std::move(savepoints);
  transaction.txn_id = new_transaction_id();  // the server's transaction is another one
}

// Of what was written before, nothing is left; the last write stands, however the application ends
// what it takes for its transaction.
void Session::look_for_transaction() {
  const bool ask = connects_anew && transaction.recorded && !transaction.poisoned &&
                   !transaction.prepared && !autocommitting() && !transaction.nothing_yet();
  if (!ask || asks_open_transaction()) return;
  if (transaction.chunks != 0) publish_abandon();
  transaction.forget_entries();
  transaction.chunks = 0;
  transaction.txn_id = new_transaction_id();
  record_settings();
  note_uncaptured("connection-renewed");
}

// Connector/ODBC says HY001 of it, with the client library's code.
bool Session::connection_lost() const {
  constexpr std::string_view kConnectionException = "08";
  constexpr SQLINTEGER kServerGone = 2006;
  constexpr SQLINTEGER kServerLost = 2013;
  Handle seen(HandleKind::connection);
  take_diagnostics(*dbc.library, SQL_HANDLE_DBC, dbc.real, dbc.wide, seen);
  if (seen.diagnostics.empty()) return false;
  const Diagnostic& first = seen.diagnostics.front();
  const bool by_code =
      dialect == Dialect::mariadb && (first.native == kServerGone || first.native == kServerLost);
  return by_code || std::string_view(first.sqlstate).starts_with(kConnectionException);
}

// The question begins a transaction in manual mode, which is ended again: the application's next
// statement is to begin its own.
Outcome Session::refused_outcome() {
  constexpr std::string_view kConnectionLost = "08";
  if (dialect != Dialect::postgresql || transaction.server_txid == 0) return Outcome::unknown;
  if (dbc.diagnostics.empty()) {
    take_diagnostics(*dbc.library, SQL_HANDLE_DBC, dbc.real, dbc.wide, dbc);
  }
  const bool lost_connection =
      !dbc.diagnostics.empty() &&
      std::string_view(dbc.diagnostics.front().sqlstate).starts_with(kConnectionLost);
  SQLHSTMT statement = lost_connection ? SQL_NULL_HSTMT : question();
  if (statement == SQL_NULL_HSTMT) return Outcome::unknown;
  const std::string ask = "SELECT CASE pg_catalog.pg_xact_status('" +
                          std::to_string(transaction.server_txid) +
                          "'::pg_catalog.xid8) WHEN 'aborted' THEN 1 WHEN 'committed' THEN 2 END";
  const SQLRETURN ret = real_exec_direct(*dbc.library, statement, ask, dbc.wide);
  const std::int64_t said = SQL_SUCCEEDED(ret) ? first_number(*dbc.library, statement) : 0;
  drop_question();
  if (!dbc.autocommit) real_end_tran(dbc, SQL_ROLLBACK);
  return said == 1 ? Outcome::rolled_back : said == 2 ? Outcome::committed : Outcome::unknown;
}

// PostgreSQL checks a deferred key in COMMIT, and there waits for whoever has written the same
// value and not ended: that one would come behind us in the ring, and before us in the database.
// Behind the seal nothing may wait, so the check comes before it. Where it fails it is taken back
// by the server: COMMIT is going to say so itself. INFO is sent whatever client_min_messages says.
Session::DeferredKeys Session::check_deferred_keys() {
  const auto view = transaction.deferrable ? catalog() : nullptr;
  if (view == nullptr || view->catalog().deferrable_keys.empty()) return DeferredKeys::stand;
  SQLHSTMT statement = question();
  if (statement == SQL_NULL_HSTMT) return DeferredKeys::stand;
  const std::string text = "DO $understudy$ BEGIN SET CONSTRAINTS " +
                           view->catalog().deferrable_keys +
                           " IMMEDIATE; EXCEPTION WHEN OTHERS OR query_canceled OR"
                           " assert_failure THEN RAISE INFO 'refused'; END $understudy$";
  const SQLRETURN ret = real_exec_direct(*dbc.library, statement, text, dbc.wide);
  const bool ran = SQL_SUCCEEDED(ret);
  if (!ran) {
    dbc.diagnostics.clear();
    take_diagnostics(*dbc.library, SQL_HANDLE_STMT, statement, dbc.wide, dbc);
  }
  drop_question();
  if (ran) return ret == SQL_SUCCESS ? DeferredKeys::stand : DeferredKeys::refused;
  statement = question();
  const auto txid = statement == SQL_NULL_HSTMT ? std::nullopt : assigned_txid(*this, statement);
  drop_question();
  const bool stands = transaction.server_txid != 0 && txid == transaction.server_txid;
  if (stands) dbc.diagnostics.clear();
  return stands ? DeferredKeys::stand : DeferredKeys::gone;
}

void Session::learn_server_txid() {
  if (dialect != Dialect::postgresql || transaction.server_txid != 0) return;
  SQLHSTMT statement = question();
  if (statement == SQL_NULL_HSTMT) return;
  transaction.server_txid = assigned_txid(*this, statement).value_or(0);
  drop_question();
}

}  // namespace understudy::capture
