#include "driver/capture/intercept.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "driver/capture/batch.h"
#include "driver/capture/control.h"
#include "driver/capture/data_at_execution.h"
#include "driver/capture/first_statement.h"
#include "driver/capture/forward.h"
#include "driver/capture/implicit_commit.h"
#include "driver/capture/own_transaction.h"
#include "driver/capture/parts.h"
#include "driver/capture/positioned.h"
#include "driver/capture/row_counts.h"
#include "driver/capture/session.h"
#include "driver/capture/two_phase.h"
#include "driver/capture/write.h"
#include "driver/handle/attributes.h"
#include "driver/real/configuration.h"
#include "driver/real/wide.h"
#include "driver/route/route.h"
#include "driver/sql/lexer.h"
#include "journal/access.h"

namespace understudy::capture {
namespace {

using sql::StatementClass;

// The text for us to read; `false` when it is no text (lone surrogates): then it is opaque.
bool readable_text(const SqlText& text, std::string* out) {
  if (text.wide != nullptr) {
    Result<std::string> converted = real::to_utf8(text.wide, text.length);
    if (!converted.ok()) return false;
    *out = std::move(*converted);
    return true;
  }
  out->clear();
  if (text.narrow == nullptr) return true;
  const auto* bytes = reinterpret_cast<const char*>(text.narrow);
  *out = text.length < 0 ? std::string(bytes)
                         : std::string(bytes, static_cast<std::size_t>(text.length));
  return true;
}

template <class Wide, class Narrow>
SQLRETURN with_text(Statement& stmt, const SqlText& text, Wide wide, Narrow narrow) {
  if (text.wide == nullptr) {
    return forward(stmt, narrow, stmt.real, const_cast<SQLCHAR*>(text.narrow), text.length);
  }
  if (wide != nullptr) return wide(stmt.real, const_cast<SQLWCHAR*>(text.wide), text.length);
  const real::NarrowText converted(text.wide, text.length);
  if (!converted.ok()) return stmt.fail("HY000", converted.status().message());
  return forward(stmt, narrow, stmt.real, converted.data(), converted.length());
}

// Where the rows are that the application fetches.
SQLHSTMT shown(const Statement& stmt) {
  const bool visible = stmt.execution != nullptr && stmt.execution->visible;
  return visible ? current(stmt) : stmt.real;
}

// From now on the application's questions are answered by its own statement again.
void on_application_statement(Statement& stmt, Execution& execution) {
  if (execution.visible) execution.own.close();
  execution.forget_result();
  stmt.run_on(stmt.real);
}

SQLRETURN run_read(Statement& stmt, Session& session, const RunsUnchanged& unchanged) {
  if (!session.autocommitting()) {
    session.transaction.has_read.store(true, std::memory_order_relaxed);
  }
  const SQLRETURN ret = unchanged();
  stmt.execution->cursor_open = SQL_SUCCEEDED(ret);
  stmt.execution->updatable = SQL_SUCCEEDED(ret) && may_be_positioned(stmt);
  if (SQL_SUCCEEDED(ret) && stmt.execution->classification().holds) {
    const std::lock_guard lock(session.dbc.write_mutex);
    session.held_changed(stmt.execution->text());
  }
  // A failed SELECT, too, can cost the open transaction what it wrote before.
  if (ret == SQL_ERROR && session.transaction.recorded) {
    const std::lock_guard lock(session.dbc.write_mutex);
    session.transaction.tainted = session.transaction.recorded;
  }
  return ret;
}

}  // namespace

SQLRETURN run_setting(Statement& stmt, Session& session, const RunsUnchanged& unchanged) {
  const SQLRETURN ret = unchanged();
  if (!SQL_SUCCEEDED(ret)) {
    session.transaction.tainted = session.transaction.recorded;
    return ret;
  }
  const Execution& execution = *stmt.execution;
  if (execution.classification().holds) session.held_changed(execution.text());
  if (execution.classification().creates_temporary && session.add_temporary(execution.text())) {
    return ret;
  }
  session.prepared_texts.after(session, execution.text());
  session.add_context(execution.text());
  return ret;
}

SQLRETURN run_savepoint(Statement& stmt, Session& session, const RunsUnchanged& unchanged) {
  const sql::Classification& what = stmt.execution->classification();
  Transaction& transaction = session.transaction;
  // SQLite: a savepoint outside of a transaction begins one, and its release commits it.
  const bool outermost = session.dialect == Dialect::sqlite &&
                         (what.cls == StatementClass::savepoint ? session.autocommitting()
                          : what.cls == StatementClass::release
                              ? transaction.outer_savepoint == what.savepoint && transaction.by_text
                              : false);
  if (outermost && what.cls == StatementClass::release) return session.commit(unchanged);
  // What is told of the rows that could not be read belongs before it.
  if (what.cls == StatementClass::savepoint && transaction.unread) session.settle_taint();
  const SQLRETURN ret = unchanged();

  if (!SQL_SUCCEEDED(ret)) {
    transaction.tainted = transaction.recorded;
    return ret;
  }
  if (what.cls == StatementClass::savepoint) {
    if (outermost) {
      transaction.by_text = true;
      transaction.outer_savepoint = what.savepoint;
    }
    // psqlodbc does not see a savepoint that was prepared, and releases it with its own.
    const bool unsure = session.dialect == Dialect::postgresql && !stmt.execution->direct;
    transaction.set_savepoint(what.savepoint, session.settings(), unsure);
  } else if (what.cls == StatementClass::release) {
    transaction.release(what.savepoint);
  } else {
    transaction.poisoned = false;
    transaction.tainted = transaction.slipped;
    if (const auto settings = transaction.settings_at(what.savepoint)) {
      session.settings_undone(*settings);
    }
    session.rolled_back_to(what.savepoint);
  }
  transaction.anchored = false;  // it is not the innermost any more, or is gone
  if (transaction.recorded) session.anchor();
  return ret;
}

namespace {

SQLRETURN run_context(Statement& stmt, Session& session, const RunsUnchanged& unchanged) {
  const std::lock_guard lock(session.dbc.write_mutex);
  return run_setting(stmt, session, unchanged);
}

// psqlodbc does not notice a BEGIN that the server runs as a prepared statement: it goes on in
// autocommit and commits after the next statement.
bool unnoticed_begin(const Statement& stmt, const Session& session, bool direct) {
  if (direct || session.dialect != Dialect::postgresql || !session.dbc.autocommit) return false;
  const std::string simple = real::connect_key(
      session.dbc.connect_text, stmt.connection.settings.dsn, "UseServerSidePrepare");
  return simple != "0";
}

// The server had no transaction to end: what is recorded was committed before, unseen.
bool ended_before(const Statement& stmt, Session& session, SQLRETURN ret) {
  // libsqliteodbc does not notice a COMMIT as text: what follows it commits by itself.
  if (session.dialect == Dialect::sqlite) return ret == SQL_ERROR && !session.begun_by_text();
  if (ret != SQL_SUCCESS_WITH_INFO || session.dialect != Dialect::postgresql) return false;
  Handle seen(HandleKind::statement);
  take_diagnostics(*stmt.library, SQL_HANDLE_STMT, stmt.real, stmt.connection.wide, seen);
  return std::any_of(seen.diagnostics.begin(), seen.diagnostics.end(), [](const Diagnostic& one) {
    return std::string_view(one.sqlstate) == "25P01";
  });
}

SQLRETURN run_rollback(const Statement& stmt, Session& session, const RunsUnchanged& unchanged) {
  const SQLRETURN ret = unchanged();
  if (!session.transaction.recorded || !ended_before(stmt, session, ret)) {
    return session.rollback([&] { return ret; });
  }
  session.note_uncaptured("transaction-ended-unseen");
  session.transaction.deferrable = false;  // nothing is left to be checked
  (void)session.commit([] { return static_cast<SQLRETURN>(SQL_SUCCESS); });
  return ret;
}

SQLRETURN run_control(Statement& stmt, Session& session, bool direct,
                      const RunsUnchanged& unchanged) {
  const std::lock_guard lock(session.dbc.write_mutex);
  const sql::Classification& what = stmt.execution->classification();
  SQLRETURN ret = SQL_ERROR;
  switch (what.cls) {
    case StatementClass::begin:
      ret = unchanged();
      if (SQL_SUCCEEDED(ret) && !unnoticed_begin(stmt, session, direct)) {
        session.transaction.by_text = true;
      }
      return ret;
    case StatementClass::commit:
      ret = session.commit(unchanged);
      break;
    case StatementClass::rollback:
      ret = run_rollback(stmt, session, unchanged);
      break;
    default:
      return run_savepoint(stmt, session, unchanged);
  }
  if (what.chained && SQL_SUCCEEDED(ret)) session.transaction.by_text = true;
  return ret;
}

// Several statements in one text, some of which begin or end transactions. Where what each of them
// did cannot be told apart they are counted, and what was recorded before is sealed first, since
// the text may commit it.
SQLRETURN run_controlling_batch(Statement& stmt, Session& session, const RunsUnchanged& unchanged) {
  const std::lock_guard lock(session.dbc.write_mutex);
  const bool recorded_before = session.transaction.recorded;
  BeginWrite how = BeginWrite::unrecorded;
  SQLRETURN ret = SQL_ERROR;
  if (!begin_marked(stmt, session, &how, &ret)) return ret;
  if (how == BeginWrite::recorded) {
    if (const auto told = run_batch(stmt, session)) return *told;
    session.note_uncaptured("batch-with-transaction-control");
  }
  // What it leaves open has written: the session stays marked.
  const bool leaves_open = stmt.execution->classification().leaves_open;
  if (recorded_before) {
    ret = session.commit(unchanged, leaves_open);
  } else {
    // The note is all that is recorded, and stands whatever became of the batch.
    ret = unchanged();
    (void)session.commit([] { return static_cast<SQLRETURN>(SQL_SUCCESS); }, leaves_open);
  }
  const Execution& execution = *stmt.execution;
  session.after_opaque(execution.classification(), execution.text(), SQL_SUCCEEDED(ret));
  stmt.execution->cursor_open = SQL_SUCCEEDED(ret);
  session.transaction.by_text = SQL_SUCCEEDED(ret) && leaves_open;
  if (leaves_open && !SQL_SUCCEEDED(ret)) session.lost();
  return ret;
}

SQLRETURN run_by_class(Statement& stmt, Session& session, bool direct,
                       const RunsUnchanged& unchanged) {
  Execution& execution = *stmt.execution;
  if (execution.pending != nullptr) {
    const std::lock_guard lock(session.dbc.write_mutex);
    abandon_pending(stmt, session);
  }
  const bool two_phase = execution.classification().two_phase != sql::TwoPhase::none;
  if (session.dialect == Dialect::mariadb && !two_phase) {
    if (const auto ret = run_implicit_commit(stmt, session, unchanged)) return *ret;
  }
  if (session.left_autocommit) {
    const std::lock_guard lock(session.dbc.write_mutex);
    if (const auto ret = run_if_still_outside(stmt, session, unchanged)) return *ret;
  }
  if (two_phase) return run_two_phase(stmt, session, unchanged);
  if (execution.classification().controls) return run_controlling_batch(stmt, session, unchanged);
  if (const char* kind = execution.classification().uncaptured) {
    // As a setting its function would run on the shadow with every transaction.
    return run_uncaptured(stmt, session, kind, [&] {
      const bool temporary = execution.classification().creates_temporary;
      return temporary ? run_setting(stmt, session, unchanged) : unchanged();
    });
  }
  switch (execution.classification().cls) {
    case StatementClass::read:
    case StatementClass::empty:
      return run_read(stmt, session, unchanged);
    case StatementClass::locking_read:
      return run_locking_read(stmt, session, unchanged);
    case StatementClass::context:
      return run_context(stmt, session, unchanged);
    case StatementClass::write:
    case StatementClass::opaque:
    case StatementClass::ddl:
    case StatementClass::no_block:
      return run_write(stmt, session, direct, unchanged);
    default:
      return run_control(stmt, session, direct, unchanged);
  }
}

SQLRETURN run_and_remember(Statement& stmt, Session& session, bool direct,
                           const RunsUnchanged& unchanged) {
  stmt.execution->stands_in = false;
  const SQLRETURN ret = run_by_class(stmt, session, direct, unchanged);
  settle_first_statement(stmt, session, ret);
  remember_refusal(stmt, session, ret);
  return ret;
}

SQLRETURN run_text(Statement& stmt, Session& session, bool direct, const RunsUnchanged& unchanged) {
  if (session.dialect != Dialect::mariadb) {
    return run_and_remember(stmt, session, direct, unchanged);
  }
  if (const auto told = run_parts(stmt, session, direct, unchanged)) return *told;
  std::string rows;
  {
    const std::lock_guard lock(session.dbc.write_mutex);
    rows = session.tell_previous(*stmt.execution);
  }
  const SQLRETURN ret = run_and_remember(stmt, session, direct, unchanged);
  const std::lock_guard lock(session.dbc.write_mutex);
  session.tell_diagnostics(*stmt.execution, rows);
  return ret;
}

// The text of SQLExecDirect; notes whether the application's own statement has been given it.
SQLRETURN run_direct(Statement& stmt, Session& session, const RunsUnchanged& unchanged) {
  Execution& execution = *stmt.execution;
  return run_text(stmt, session, true, [&] {
    const SQLRETURN ret = unchanged();
    execution.given_to = stmt.real;
    return ret;
  });
}

}  // namespace

namespace {

// The host went down while the decision between both sides was being written, and the replayer has
// not begun anew since.
bool is_undecided(const std::string& name) {
  if (side_in_use(understudy_home(), name) != SideInUse::undecided) return false;
  const auto map = SegmentMap::open(understudy_home(), name);
  return !map.ok() || mode_of((*map)->header().mode_word.load()) == Mode::idle;
}

}  // namespace

bool shut_out(Handle& handle, const Connection& dbc, const char* sqlstate) {
  if (dbc.session != nullptr) [[likely]]
    return false;
  const std::string& name = dbc.settings.migration;
  if (name.empty() || std::getenv("UNDERSTUDY_BYPASS") != nullptr) return false;
  if (!dbc.connected && valid_migration_name(name) && is_undecided(name)) {
    tell_operator("a program is refused until `understudy start` has run", name);
    handle.fail(sqlstate, "the host went down while migration " + name +
                              " was being switched, and which database is in use is known to its "
                              "state file only; run `understudy start " +
                              name + "`");
    return true;
  }
  if (!switched(understudy_home(), name) ||
      (!dbc.connected && !may_not_open(understudy_home(), name)))
    return false;
  tell_operator("a program that cannot take part in a migration is refused", name);
  handle.fail(
      sqlstate,
      "migration " + name +
          " was switched to the shadow and this program cannot take part in it, so that what "
          "it writes to production would be lost; run it as a member of the migration's group "
          "(understudy create --group), or see the system's log for what keeps it out");
  return true;
}

void connected(Connection& dbc) {
  dbc.session = Session::join(dbc);
  // Whatever else keeps it from being recorded has been told, and is no reason to refuse it unless
  // the shadow is in use.
  std::string& name = dbc.settings.migration;
  if (dbc.session == nullptr && valid_migration_name(name) &&
      !may_not_open(understudy_home(), name) && !switched(understudy_home(), name))
    name.clear();
}

bool connected_elsewhere(Connection& dbc) {
  if (!valid_migration_name(dbc.settings.migration)) return false;
  // Looked at before anything is made: most refused connections have nothing to do with a switch.
  const std::string& name = dbc.settings.migration;
  const auto map = SegmentMap::open(understudy_home(), name);
  const bool elsewhere = map.ok() ? shadow_in_use(mode_of((*map)->header().mode_word.load()))
                                  : side_in_use(understudy_home(), name) == SideInUse::shadow;
  if (!elsewhere) return false;
  std::unique_ptr<Session> session = Session::join(dbc, false);
  if (session == nullptr || !route::begin_on_shadow(*session)) return false;
  dbc.session = std::move(session);
  return true;
}

bool began_elsewhere(const Connection& dbc) {
  return dbc.session != nullptr && dbc.session->on_shadow;
}

void disconnecting(Connection& dbc) {
  if (dbc.session == nullptr) return;
  const std::lock_guard lock(dbc.write_mutex);
  dbc.session->drop_question();
  const std::lock_guard children(dbc.children_mutex);
  for (Statement* stmt : dbc.statements) {
    if (stmt->execution != nullptr) stmt->execution->drop_own();
  }
}

void disconnected(Connection& dbc) {
  if (dbc.session == nullptr) return;
  {
    const std::lock_guard lock(dbc.write_mutex);
    const Transaction& left = dbc.session->transaction;
    if (left.prepared && left.recorded) dbc.session->note_uncaptured(sql::kTwoPhase);
    dbc.session->lost();
    route::close(*dbc.session);
  }
  dbc.session.reset();
}

SQLRETURN boundary(Connection& dbc) {
  Session* session = dbc.session.get();
  if (session == nullptr) return shut_out(dbc, dbc) ? SQL_ERROR : SQL_SUCCESS;
  return route::at_boundary(dbc, *session, dbc);
}

SQLRETURN boundary(Statement& stmt) {
  Session* session = stmt.connection.session.get();
  if (session == nullptr) return shut_out(stmt, stmt.connection) ? SQL_ERROR : SQL_SUCCESS;
  const SQLRETURN moved = route::at_boundary(stmt.connection, *session, stmt);
  if (!SQL_SUCCEEDED(moved)) return moved;
  SQLRETURN ret = SQL_SUCCESS;
  return route::rehome(stmt, *session, &ret) ? static_cast<SQLRETURN>(SQL_SUCCESS) : ret;
}

void allocated(Statement& stmt) {
  if (stmt.connection.session != nullptr) execution_of(stmt);
}

void asks_catalog(Statement& stmt) {
  Session* session = stmt.connection.session.get();
  // The answer is on the application's own statement.
  if (session != nullptr && stmt.execution != nullptr) {
    stmt.execution->stands_in = stmt.execution->remembers_own = false;
    on_application_statement(stmt, *stmt.execution);
  }
  if (session != nullptr && !session->dbc.autocommit) first_statement_runs(*session);
  if (session == nullptr || session->dialect != Dialect::mariadb) return;
  // The real driver asks the server: that is now the last statement.
  const std::lock_guard lock(stmt.connection.write_mutex);
  session->previous.rows.clear();
  session->previous.found_kept = false;
}

void freeing(Statement& stmt) {
  Session* session = stmt.connection.session.get();
  if (session == nullptr) return;
  if (stmt.execution != nullptr) {
    if (stmt.execution->pending != nullptr) {
      const std::lock_guard lock(stmt.connection.write_mutex);
      abandon_pending(stmt, *session);
    }
    stmt.execution->drop_own();
  }
  route::leaving(stmt, *session);
}

namespace {

sql::AsksPrevious asks_of(const Session& session, const std::string& text) {
  if (session.dialect != Dialect::mariadb) return {};
  sql::AsksPrevious asks = sql::asks_previous(text);
  // Of several statements in one text most are asked about within it.
  const bool answers = !asks.text.empty() || asks.diagnostics;
  if (answers && sql::classify(text, session.dialect).statements > 1) {
    asks.text.clear();
    asks.diagnostics = false;
  }
  return asks;
}

// The server names a stretch of the text in what it says.
bool refused_in_our_words(const Statement& stmt) {
  constexpr std::string_view kSyntax = "42000";
  Handle seen(HandleKind::statement);
  take_diagnostics(*stmt.library, SQL_HANDLE_STMT, stmt.real, stmt.connection.wide, seen);
  return !seen.diagnostics.empty() && seen.diagnostics.front().sqlstate == kSyntax;
}

}  // namespace

SQLRETURN prepare(Statement& stmt, const SqlText& text) {
  Session* session = stmt.connection.session.get();
  if (session == nullptr) {
    return with_text(stmt, text, entries(stmt).PrepareW, entries(stmt).Prepare);
  }
  Execution& execution = execution_of(stmt);
  on_application_statement(stmt, execution);
  execution.begin_text();
  stmt.prepared_wide = text.wide != nullptr;
  if (!readable_text(text, &stmt.prepared_text)) stmt.prepared_text = "?unreadable";
  execution.asks = asks_of(*session, stmt.prepared_text);
  const std::string& asking = execution.asks.text;
  bool prepared = !asking.empty() &&
                  SQL_SUCCEEDED(real_prepare(*stmt.library, stmt.real, asking, stmt.prepared_wide));
  if (prepared) stmt.prepared_text = asking;
  // A text that is refused is refused in the application's words.
  const SQLRETURN ret =
      prepared ? SQL_SUCCESS : with_text(stmt, text, entries(stmt).PrepareW, entries(stmt).Prepare);
  stmt.prepared = SQL_SUCCEEDED(ret);
  if (session->dialect == Dialect::mariadb) execution.take_max_rows();
  execution.set_text(stmt.prepared_text, stmt.prepared_wide, session->dialect);
  return ret;
}

SQLRETURN exec_direct(Statement& stmt, const SqlText& text) {
  Session* session = stmt.connection.session.get();
  const auto unchanged = [&]() -> SQLRETURN {
    const bool asks = session != nullptr && !stmt.execution->asks.text.empty();
    if (asks) {
      const SQLRETURN ret = real_exec_direct(*stmt.library, stmt.real, stmt.execution->asks.text,
                                             text.wide != nullptr);
      if (ret != SQL_ERROR || !refused_in_our_words(stmt)) return ret;
    }
    return with_text(stmt, text, entries(stmt).ExecDirectW, entries(stmt).ExecDirect);
  };
  if (session == nullptr) return unchanged();
  Execution& execution = execution_of(stmt);
  on_application_statement(stmt, execution);
  std::string readable;
  if (!readable_text(text, &readable)) readable = "?unreadable";
  execution.asks = asks_of(*session, readable);
  if (!execution.asks.text.empty()) readable = execution.asks.text;
  if (session->dialect == Dialect::mariadb) execution.take_max_rows();
  execution.set_text(readable, text.wide != nullptr, session->dialect);
  stmt.prepared = false;
  execution.begin_text();
  execution.direct = true;
  return run_direct(stmt, *session, unchanged);
}

SQLRETURN execute(Statement& stmt) {
  const auto unchanged = [&]() -> SQLRETURN {
    return forward(stmt, entries(stmt).Execute, stmt.real);
  };
  Session* session = stmt.connection.session.get();
  if (session == nullptr) return unchanged();
  Execution& execution = execution_of(stmt);
  if (!stmt.prepared && !execution.direct) return unchanged();
  on_application_statement(stmt, execution);
  // What SQLExecDirect has run the real drivers run again.
  if (!stmt.prepared) {
    return run_direct(stmt, *session, [&]() -> SQLRETURN {
      if (execution.given_to == stmt.real) return unchanged();
      // Connector/ODBC looks for unbound parameters of a prepared statement only.
      if (session->dialect == Dialect::mariadb) {
        const SQLRETURN ret =
            real_prepare(*stmt.library, stmt.real, execution.given_text(), execution.wide());
        return SQL_SUCCEEDED(ret) ? unchanged() : ret;
      }
      return real_exec_direct(*stmt.library, stmt.real, execution.given_text(), execution.wide());
    });
  }
  execution.set_text(stmt.prepared_text, stmt.prepared_wide, session->dialect);
  return run_text(stmt, *session, false, unchanged);
}

SQLRETURN param_data(Statement& stmt, SQLPOINTER* value) {
  const auto unchanged = [&]() -> SQLRETURN {
    return forward(stmt, entries(stmt).ParamData, current(stmt), value);
  };
  Session* session = stmt.connection.session.get();
  if (session == nullptr || stmt.execution == nullptr || stmt.execution->pending == nullptr) {
    return unchanged();
  }
  const std::lock_guard lock(stmt.connection.write_mutex);
  Execution& execution = *stmt.execution;
  execution.ran_at = stmt.calls;
  const SQLRETURN ret = continue_pending(stmt, *session, unchanged);
  if (ret != SQL_NEED_DATA && current(stmt) == stmt.real) {
    execution.stands_in = execution.remembers_own = false;
  }
  return ret;
}

SQLRETURN put_data(Statement& stmt, SQLPOINTER data, SQLLEN length) {
  const SQLRETURN ret = forward(stmt, entries(stmt).PutData, current(stmt), data, length);
  const bool pending = stmt.execution != nullptr && stmt.execution->pending != nullptr;
  if (pending && SQL_SUCCEEDED(ret)) add_pending(stmt, *stmt.connection.session, data, length);
  return ret;
}

bool keeps_rows(const Statement& stmt) {
  return stmt.execution != nullptr && stmt.execution->updatable;
}

SQLRETURN fetched(Statement& stmt, const SQLULEN* rows, const std::function<SQLRETURN()>& fetch) {
  Session* session = stmt.connection.session.get();
  if (session == nullptr || !keeps_rows(stmt)) return fetch();
  return fetch_with_keys(stmt, *session, rows, fetch);
}

SQLRETURN bulk_operations(Statement& stmt, SQLSMALLINT operation) {
  const auto unchanged = [&]() -> SQLRETURN {
    const SQLRETURN ret = forward(stmt, entries(stmt).BulkOperations, shown(stmt), operation);
    return told_by_application_statement(stmt, ret);
  };
  Session* session = stmt.connection.session.get();
  if (shut_out(stmt, stmt.connection)) return SQL_ERROR;
  if (session == nullptr) return unchanged();
  if (operation == SQL_FETCH_BY_BOOKMARK) {
    return fetched(stmt, nullptr, unchanged);
  }
  execution_of(stmt);
  return run_bulk(stmt, *session, operation, unchanged);
}

SQLRETURN set_pos(Statement& stmt, SQLSETPOSIROW row, SQLUSMALLINT operation, SQLUSMALLINT lock) {
  const auto unchanged = [&]() -> SQLRETURN {
    const SQLRETURN ret = forward(stmt, entries(stmt).SetPos, shown(stmt), row, operation, lock);
    return told_by_application_statement(stmt, ret);
  };
  Session* session = stmt.connection.session.get();
  const bool reads = operation == SQL_POSITION || operation == SQL_REFRESH;
  if (!reads && shut_out(stmt, stmt.connection)) return SQL_ERROR;
  if (session == nullptr || reads) return unchanged();
  execution_of(stmt);
  return run_set_pos(stmt, *session, row, operation, unchanged);
}

SQLRETURN end_tran(Connection& dbc, SQLSMALLINT completion) {
  const auto unchanged = [&] { return real_end_tran(dbc, completion); };
  Session* session = dbc.session.get();
  if (completion == SQL_COMMIT && shut_out(dbc, dbc)) return SQL_ERROR;
  if (session == nullptr) return unchanged();
  const std::lock_guard lock(dbc.write_mutex);
  session->previous.rows.clear();
  if (session->dialect == Dialect::sqlite && dbc.autocommit && session->transaction.by_text) {
    return session->perhaps_end(unchanged, completion == SQL_COMMIT);
  }
  return completion == SQL_COMMIT ? session->commit(unchanged) : session->rollback(unchanged);
}

void database_set(Connection& dbc, std::string_view name) {
  Session* session = dbc.session.get();
  if (session == nullptr || session->dialect != Dialect::mariadb) return;
  const std::lock_guard lock(dbc.write_mutex);
  std::string statement = "USE `";
  for (const char c : name) statement.append(c == '`' ? 2 : 1, c);
  statement += '`';
  session->add_context(std::move(statement));
}

SQLRETURN set_autocommit(Connection& dbc, SQLULEN value, bool wide_entry) {
  const auto unchanged = [&]() -> SQLRETURN {
    const real::Entries& fn = dbc.library->fn;
    auto* attribute =
        wide_entry && fn.SetConnectAttrW != nullptr ? fn.SetConnectAttrW : fn.SetConnectAttr;
    if (attribute == nullptr) {
      return forward(dbc, fn.SetConnectOption, dbc.real, SQLUSMALLINT{SQL_AUTOCOMMIT}, value);
    }
    return attribute(dbc.real, SQL_ATTR_AUTOCOMMIT, reinterpret_cast<SQLPOINTER>(value),
                     SQL_IS_UINTEGER);
  };
  Session* session = dbc.session.get();
  if (value == SQL_AUTOCOMMIT_ON && shut_out(dbc, dbc)) return SQL_ERROR;
  if (session == nullptr) return unchanged();
  const std::lock_guard lock(dbc.write_mutex);
  session->previous.rows.clear();
  const bool commits = value == SQL_AUTOCOMMIT_ON && !dbc.autocommit;
  return commits ? session->commit(unchanged) : unchanged();
}

SQLRETURN close_cursor(Statement& stmt) {
  if (without_result(stmt)) return stmt.fail("24000", "no cursor is open");
  if (stmt.execution != nullptr) stmt.execution->cursor_open = false;
  const real::Entries& fn = entries(stmt);
  // A prepared statement is asked about its own text again.
  struct BackToApplication {
    Statement& stmt;
    ~BackToApplication() {
      if (stmt.execution == nullptr || !stmt.execution->visible) return;
      stmt.execution->forget_result();
      stmt.run_on(stmt.real);
    }
  } back{stmt};
  if (fn.CloseCursor != nullptr) return fn.CloseCursor(current(stmt));
  return forward(stmt, fn.FreeStmt, current(stmt), SQLUSMALLINT{SQL_CLOSE});
}

SQLRETURN free_stmt(Statement& stmt, SQLUSMALLINT option) {
  if (stmt.execution != nullptr && option == SQL_CLOSE) {
    const Session* of = stmt.connection.session.get();
    if (of != nullptr && of->dialect == Dialect::sqlite) {
      stmt.execution->stands_in = stmt.execution->remembers_own = false;
    }
    if (Session* session = stmt.connection.session.get();
        session != nullptr && stmt.execution->pending != nullptr) {
      const std::lock_guard lock(stmt.connection.write_mutex);
      abandon_pending(stmt, *session);
    }
    on_application_statement(stmt, *stmt.execution);
  }
  if (SQLHSTMT own = clone(stmt); own != SQL_NULL_HSTMT && option == SQL_UNBIND) {
    forward(stmt, entries(stmt).FreeStmt, own, option);
  }
  return forward(stmt, entries(stmt).FreeStmt, stmt.real, option);
}

SQLRETURN cancel(Statement& stmt) {
  const real::Entries& fn = entries(stmt);
  const SQLRETURN ret = fn.Cancel != nullptr ? fn.Cancel(current(stmt))
                                             : forward(stmt, fn.CancelHandle,
                                                       SQLSMALLINT{SQL_HANDLE_STMT}, current(stmt));
  // An execution that waits for data has ended with that. Another thread's call is not waited for:
  // the statement's next call finds out.
  Session* session = stmt.connection.session.get();
  if (session == nullptr || stmt.execution == nullptr || !SQL_SUCCEEDED(ret)) return ret;
  const std::unique_lock lock(stmt.connection.write_mutex, std::try_to_lock);
  // libsqliteodbc takes it for the end of the result.
  if (lock.owns_lock() && session->dialect == Dialect::sqlite) stmt.execution->rows_last = -1;
  if (lock.owns_lock() && stmt.execution->pending != nullptr) {
    abandon_pending(stmt, *session);
    on_application_statement(stmt, *stmt.execution);
  }
  return ret;
}

}  // namespace understudy::capture
