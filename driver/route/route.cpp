#include "driver/route/route.h"

#include <algorithm>
#include <cctype>
#include <initializer_list>

#include "driver/handle/attributes.h"
#include "driver/real/configuration.h"
#include "driver/real/wide.h"

namespace understudy::route {
namespace {

using capture::Session;
using Pairs = std::vector<std::pair<std::string, std::string>>;

bool same_key(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return std::tolower(static_cast<unsigned char>(x)) ==
                  std::tolower(static_cast<unsigned char>(y));
         });
}

std::string value_of(const Pairs& pairs, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    for (const auto& [name, value] : pairs) {
      if (same_key(name, key)) return value;
    }
  }
  return {};
}

constexpr std::initializer_list<const char*> kUserKeys = {"UID", "UserName", "User"};
constexpr std::initializer_list<const char*> kPasswordKeys = {"PWD", "Password"};

std::string credential(const Pairs& given, const std::string& dsn,
                       std::initializer_list<const char*> keys) {
  std::string found = value_of(given, keys);
  for (const char* key : keys) {
    if (!found.empty() || dsn.empty()) break;
    found = real::profile_string("ODBC.INI", dsn, key);
  }
  return found;
}

// psqlodbc takes braces around a user's name as part of it: only where the text needs them.
std::string written(const std::string& value) {
  if (value.find_first_of("[]{}(),;?*=!@ ") == std::string::npos) return value;
  std::string out = "{";
  for (const char c : value) out += c == '}' ? std::string("}}") : std::string(1, c);
  return out + "}";
}

std::string as_connect_text(const std::string& configured) {
  return configured.find('=') == std::string::npos ? "DSN=" + configured : configured;
}

bool names_account(const std::string& configured) {
  const Pairs named = real::parse_connect_text(as_connect_text(configured));
  return !credential(named, value_of(named, {"DSN"}), kUserKeys).empty();
}

// The migration's connection string for the shadow, with the application's own credentials unless
// it names others.
std::string shadow_text(const Session& session, const std::string& configured) {
  std::string text = as_connect_text(configured);
  if (names_account(configured)) return text;
  const Connection& dbc = session.dbc;
  const Pairs given = real::parse_connect_text(dbc.connect_text);
  const std::string user = credential(given, dbc.settings.dsn, kUserKeys);
  std::string password = credential(given, dbc.settings.dsn, kPasswordKeys);
  if (!text.empty() && text.back() != ';') text += ';';
  if (!user.empty()) text += "UID=" + written(user) + ';';
  if (!password.empty()) text += "PWD=" + written(password) + ';';
  real::wipe(password);
  return text;
}

Result<const real::Library*> shadow_library(const std::string& text) {
  // The shadow may be named by a data source that has this driver in front, too.
  const Result<Settings> settings = real::read_settings(text);
  if (settings.ok() && !settings->real_driver.empty()) return real::load(settings->real_driver);
  const Pairs pairs = real::parse_connect_text(text);
  std::string driver = value_of(pairs, {"Driver"});
  const std::string dsn = value_of(pairs, {"DSN"});
  if (driver.empty() && !dsn.empty()) driver = real::profile_string("ODBC.INI", dsn, "Driver");
  if (driver.empty()) return Status(Code::not_found, "the shadow's connection names no driver");
  return real::load(driver);
}

SQLRETURN connect_with(const real::Library& library, SQLHDBC dbc, const std::string& text,
                       bool wide) {
  SQLSMALLINT length = 0;
  if (wide && library.fn.DriverConnectW != nullptr) {
    std::u16string units = real::to_utf16(text);
    SQLWCHAR out[1024];
    const SQLRETURN ret = library.fn.DriverConnectW(
        dbc, nullptr, reinterpret_cast<SQLWCHAR*>(units.data()),
        static_cast<SQLSMALLINT>(units.size()), out, 1024, &length, SQL_DRIVER_NOPROMPT);
    explicit_bzero(units.data(), units.size() * sizeof(char16_t));
    explicit_bzero(out, sizeof out);
    return ret;
  }
  if (library.fn.DriverConnect == nullptr) return SQL_ERROR;
  std::string bytes = text;
  SQLCHAR out[1024];
  const SQLRETURN ret = library.fn.DriverConnect(
      dbc, nullptr, reinterpret_cast<SQLCHAR*>(bytes.data()),
      static_cast<SQLSMALLINT>(bytes.size()), out, 1024, &length, SQL_DRIVER_NOPROMPT);
  real::wipe(bytes);
  explicit_bzero(out, sizeof out);
  return ret;
}

void free_connection(const real::Library& library, SQLHDBC dbc) {
  if (library.fn.FreeHandle != nullptr) {
    library.fn.FreeHandle(SQL_HANDLE_DBC, dbc);
  } else if (library.fn.FreeConnect != nullptr) {
    library.fn.FreeConnect(dbc);
  }
}

void hang_up(const real::Library& library, SQLHDBC dbc) {
  // A transaction that has only read may be open: drivers refuse to disconnect in the middle of it.
  if (library.fn.EndTran != nullptr) library.fn.EndTran(SQL_HANDLE_DBC, dbc, SQL_ROLLBACK);
  if (library.fn.Disconnect != nullptr) library.fn.Disconnect(dbc);
  free_connection(library, dbc);
}

// What has happened, for the application.
std::string switched_to(const Session& session) {
  return session.on_shadow ? "the application went back to production; "
                           : "production was switched to the shadow; ";
}

// Where the other side is, with the application's own credentials; wiped by the caller.
Result<std::string> text_of_other_side(Session& session) {
  if (session.on_shadow) return session.dbc.connect_text;  // as the application once connected
  const std::shared_ptr<capture::CatalogView> view = session.catalog();
  if (view == nullptr || view->catalog().shadow_connection.empty()) {
    return Status(Code::not_found, "the migration's catalog names no shadow");
  }
  return shadow_text(session, view->catalog().shadow_connection);
}

Status connect_other_side(Session& session, const std::string& text, Handle& reporter) {
  const std::string side = session.on_shadow ? "production" : "the shadow";
  const Result<const real::Library*> library =
      session.on_shadow ? real::load(session.dbc.settings.real_driver) : shadow_library(text);
  if (!library.ok()) return library.status();
  const real::Entries& fn = (*library)->fn;
  Connection& dbc = session.dbc;
  SQLHENV env = dbc.environment.real_environment(**library, reporter);
  if (env == SQL_NULL_HENV || fn.AllocHandle == nullptr) {
    return {Code::unsupported, "the driver of " + side + " gives no environment"};
  }
  SQLHDBC opened = SQL_NULL_HDBC;
  if (!SQL_SUCCEEDED(fn.AllocHandle(SQL_HANDLE_DBC, env, &opened))) {
    return {Code::unsupported, "the driver of " + side + " gives no connection handle"};
  }
  const Attribute* timeout = find_attribute(dbc.attributes, SQL_ATTR_LOGIN_TIMEOUT);
  if (timeout != nullptr) set_connect_attribute(**library, opened, *timeout);
  const SQLRETURN ret = connect_with(**library, opened, text, dbc.wide);
  if (!SQL_SUCCEEDED(ret)) {
    Handle refused(HandleKind::connection);
    capture::take_diagnostics(**library, SQL_HANDLE_DBC, opened, dbc.wide, refused);
    free_connection(**library, opened);
    const std::string state =
        refused.diagnostics.empty() ? "HY000" : refused.diagnostics.front().sqlstate;
    return {Code::io, side + " refuses the application's connection with SQLSTATE " + state};
  }
  session.route.ahead = opened;
  session.route.ahead_library = *library;
  return {};
}

Status open_other_side(Session& session, Handle& reporter) {
  Result<std::string> text = text_of_other_side(session);
  if (!text.ok()) return text.status();
  Status opened = connect_other_side(session, *text, reporter);
  real::wipe(*text);
  return opened;
}

// `ask` asks for what the session's texts did not show. A transaction in which nothing has run yet
// must stay as it is: the application may still choose its isolation level.
template <class Ask>
void learn(Session& session, Ask ask) {
  const capture::Transaction& transaction = session.transaction;
  const bool untouched = !session.autocommitting() && !transaction.writing &&
                         !transaction.has_read.load(std::memory_order_relaxed);
  if (untouched && transaction.by_text) return;
  ask();
  if (untouched) capture::real_end_tran(session.dbc, SQL_ROLLBACK);
}

// Opens the other side's connection ahead of the switch.
void prepare(Session& session, Handle& reporter) {
  State& state = session.route;
  const Status opened = open_other_side(session, reporter);
  learn(session, [&] {
    session.learn_settings();
    session.learn_held();
  });
  // The present side is still in use: this is not the application's error.
  reporter.diagnostics.clear();
  state.failed.store(!opened.ok());
  state.ready.store(opened.ok());
  if (opened.ok()) {
    const SlotRoute route = session.on_shadow ? SlotRoute::prepared_back : SlotRoute::prepared;
    session.slot().route.store(static_cast<std::uint32_t>(route));
    return;
  }
  session.slot().pinned.fetch_or(kPinnedRealDriver);
  capture::tell_operator("a session cannot move to the other side", opened.message());
}

void replay_attributes(Session& session) {
  Connection& dbc = session.dbc;
  for (const Attribute& attribute : dbc.attributes) {
    if (attribute.attribute == SQL_ATTR_AUTOCOMMIT) continue;
    set_connect_attribute(*dbc.library, dbc.real, attribute);
  }
}

// Behind the settings: a rollback would take them back, and SQLite takes some outside of a
// transaction alone.
void replay_autocommit(Session& session) {
  if (!session.dbc.autocommit) capture::real_set_autocommit(session.dbc, false);
}

bool replay_context(Session& session, std::string* state) {
  for (const std::string& statement : session.context) {
    SQLHSTMT question = session.question();
    const SQLRETURN ret = question == SQL_NULL_HSTMT
                              ? static_cast<SQLRETURN>(SQL_ERROR)
                              : capture::real_exec_direct(*session.dbc.library, question, statement,
                                                          session.dbc.wide);
    session.drop_question();
    if (SQL_SUCCEEDED(ret) || ret == SQL_NO_DATA) continue;
    *state = statement.substr(0, 40);
    return false;
  }
  return true;
}

// Whether another side is in use than the one the session is on. Of a word that is no mode nothing
// is concluded.
bool belongs_elsewhere(const Session& session, Mode mode) {
  return known_mode(mode) && shadow_in_use(mode) != session.on_shadow;
}

bool reads_committed(const Session& session) {
  if (session.dialect == Dialect::sqlite) return !session.transaction.by_text;
  const Attribute* level = find_attribute(session.dbc.attributes, SQL_ATTR_TXN_ISOLATION);
  if (level == nullptr) return true;  // both engines' own default
  const auto value = reinterpret_cast<std::uintptr_t>(level->value);
  return value == SQL_TXN_READ_COMMITTED || value == SQL_TXN_READ_UNCOMMITTED;
}

// The connection opened ahead becomes the session's own.
void take_ahead(Session& session) {
  State& state = session.route;
  session.dbc.library = state.ahead_library;
  session.dbc.real = state.ahead;
  state.ahead = SQL_NULL_HDBC;
  state.ready.store(false);
  state.failed.store(false);
  session.slot().pinned.fetch_and(~kPinnedRealDriver);
  session.changed_sides();
}

void swap_sides(Session& session) {
  Connection& dbc = session.dbc;
  State& state = session.route;
  session.drop_question();
  Behind behind{dbc.real, dbc.library, 0};
  {
    const std::lock_guard lock(dbc.children_mutex);
    for (const Statement* stmt : dbc.statements) behind.statements += stmt->home == dbc.real;
  }
  {
    const std::lock_guard lock(state.behind_mutex);
    state.behind.push_back(behind);
  }
  take_ahead(session);
}

// A statement has left the connection it lived on.
void left(State& state, SQLHDBC home) {
  const std::lock_guard lock(state.behind_mutex);
  for (Behind& one : state.behind) {
    if (one.dbc == home && one.statements > 0) --one.statements;
  }
}

void hang_up_where_nothing_is_left(State& state) {
  std::vector<Behind> done;
  {
    const std::lock_guard lock(state.behind_mutex);
    const auto first = std::partition(state.behind.begin(), state.behind.end(),
                                      [](const Behind& one) { return one.statements > 0; });
    done.assign(first, state.behind.end());
    state.behind.erase(first, state.behind.end());
  }
  for (const Behind& one : done) hang_up(*one.library, one.dbc);
}

// Descriptors whose fields were set directly carry more than the bindings we know of.
bool copy_descriptors(Statement& stmt, SQLHSTMT from, SQLHSTMT to,
                      const real::Library& old_library) {
  const real::Library& library = *stmt.connection.library;
  for (std::size_t i = 0; i < stmt.implicit.size(); ++i) {
    if (!stmt.implicit[i]->touched || i == 2) continue;  // 2: IRD, made by the driver
    const auto attribute = static_cast<SQLINTEGER>(SQL_ATTR_APP_ROW_DESC + i);
    SQLHDESC source = SQL_NULL_HDESC;
    SQLHDESC target = SQL_NULL_HDESC;
    const bool copied =
        &library == &old_library && library.fn.CopyDesc != nullptr &&
        library.fn.GetStmtAttr != nullptr &&
        SQL_SUCCEEDED(library.fn.GetStmtAttr(from, attribute, &source, SQL_IS_POINTER, nullptr)) &&
        SQL_SUCCEEDED(library.fn.GetStmtAttr(to, attribute, &target, SQL_IS_POINTER, nullptr)) &&
        SQL_SUCCEEDED(library.fn.CopyDesc(source, target));
    if (!copied) return false;
  }
  return stmt.app_row == nullptr && stmt.app_param == nullptr;
}

void bind_again(Statement& stmt, SQLHSTMT real) {
  const real::Entries& fn = stmt.connection.library->fn;
  for (std::size_t i = 0; i < stmt.parameters.size() && fn.BindParameter != nullptr; ++i) {
    const ParameterBinding& one = stmt.parameters[i];
    if (!one.bound) continue;
    fn.BindParameter(real, static_cast<SQLUSMALLINT>(i + 1), one.io_type, one.c_type, one.sql_type,
                     one.column_size, one.digits, one.value, one.buffer_length, one.indicator);
  }
  if (fn.BindCol == nullptr) return;
  for (const auto& [column, one] : stmt.columns) {
    fn.BindCol(real, column, one.c_type, one.value, one.buffer_length, one.indicator);
  }
}

}  // namespace

bool move(Session& session, SQLRETURN* ret, Handle& reporter) {
  if (!belongs_elsewhere(session, session.mode())) return true;
  State& state = session.route;
  if (state.ahead == SQL_NULL_HDBC) {
    const Status opened = open_other_side(session, reporter);
    if (!opened.ok()) {
      *ret = reporter.fail("08S01", switched_to(session) + opened.message());
      return false;
    }
  }
  const bool temporary =
      (session.slot().pinned.load(std::memory_order_relaxed) & kPinnedTemporaryTable) != 0;
  if (const char* left = temporary ? "temporary tables" : session.held()) {
    *ret = reporter.fail(
        "08S01", switched_to(session) + "this session's " + left + " stayed behind: connect again");
    return false;
  }
  const std::string switched = switched_to(session);
  const Dialect before = capture::dialect_of(session.dbc);
  if (!session.knows_settings()) learn(session, [&] { session.learn_settings(); });
  swap_sides(session);
  replay_attributes(session);
  // The settings of one engine mean nothing on another.
  const bool same_engine = capture::dialect_of(session.dbc) == before;
  std::string failed;
  if (same_engine && !replay_context(session, &failed)) {
    *ret = reporter.fail("08S01", switched + "that side refuses: " + failed);
    return false;
  }
  replay_autocommit(session);
  session.transaction.ended();
  const SlotRoute route = session.on_shadow ? SlotRoute::shadow : SlotRoute::production;
  session.slot().route.store(static_cast<std::uint32_t>(route));
  hang_up_where_nothing_is_left(state);
  return true;
}

bool begin_on_shadow(Session& session) {
  const std::shared_ptr<capture::CatalogView> view = session.catalog();
  if (session.on_shadow || view == nullptr || names_account(view->catalog().shadow_connection)) {
    return false;
  }
  Handle unheard(HandleKind::connection);
  if (!open_other_side(session, unheard).ok()) return false;
  Connection& dbc = session.dbc;
  const real::Library& production = *dbc.library;
  const SQLHDBC refused = dbc.real;
  take_ahead(session);
  free_connection(production, refused);
  replay_attributes(session);
  replay_autocommit(session);
  session.slot().route.store(static_cast<std::uint32_t>(SlotRoute::shadow));
  return true;
}

SQLRETURN at_boundary(Connection& dbc, Session& session, Handle& reporter) {
  const ControlHeader& header = session.header();
  const bool elsewhere = belongs_elsewhere(session, session.mode());
  if (elsewhere) {
    // Below, under the lock.
  } else if (header.prepare_route.load(std::memory_order_relaxed) == 0) {
    // A cutover that was given up: the next one may find the other side within reach.
    if (session.route.failed.load(std::memory_order_relaxed) &&
        session.route.failed.exchange(false))
      session.slot().pinned.fetch_and(~kPinnedRealDriver);
    return SQL_SUCCESS;
  } else if (session.route.ready.load() || session.route.failed.load()) {
    return SQL_SUCCESS;
  }
  const std::lock_guard lock(dbc.write_mutex);
  session.slot().last_call_ns.store(monotonic_ns(), std::memory_order_relaxed);
  if (!elsewhere) {
    if (session.route.ahead == SQL_NULL_HDBC && !session.route.failed.load())
      prepare(session, reporter);
    return SQL_SUCCESS;
  }
  capture::Transaction& transaction = session.transaction;
  if (transaction.writing || !belongs_elsewhere(session, session.mode())) return SQL_SUCCESS;
  const bool has_read = transaction.has_read.load(std::memory_order_relaxed);
  if (!session.autocommitting() && has_read && !reads_committed(session)) {
    capture::real_end_tran(dbc, SQL_ROLLBACK);
    transaction.ended();
    return reporter.fail("40001", switched_to(session) +
                                      "the transaction, which has only read, cannot go on: run it "
                                      "again");
  }
  SQLRETURN ret = SQL_SUCCESS;
  return move(session, &ret, reporter) ? static_cast<SQLRETURN>(SQL_SUCCESS) : ret;
}

bool rehome(Statement& stmt, Session& session, SQLRETURN* ret) {
  Connection& dbc = session.dbc;
  if (stmt.home == dbc.real) return true;
  if (stmt.execution != nullptr) stmt.execution->drop_own();
  SQLHSTMT fresh = SQL_NULL_HSTMT;
  if (!SQL_SUCCEEDED(capture::real_alloc_statement(dbc, &fresh))) {
    *ret = stmt.fail("08S01", "the side that is in use now gives no statement handle");
    return false;
  }
  const real::Library& old_library = *stmt.library;
  if (!copy_descriptors(stmt, stmt.real, fresh, old_library)) {
    capture::real_free_statement(*dbc.library, fresh);
    *ret = stmt.fail("08S01",
                     "the connection moved to the other database; this statement's descriptors "
                     "stayed behind: allocate the statement again");
    return false;
  }
  for (const Attribute& attribute : stmt.attributes)
    set_stmt_attribute(*dbc.library, fresh, attribute);
  bind_again(stmt, fresh);
  if (!stmt.cursor_name.empty() && dbc.library->fn.SetCursorName != nullptr) {
    dbc.library->fn.SetCursorName(fresh, reinterpret_cast<SQLCHAR*>(stmt.cursor_name.data()),
                                  static_cast<SQLSMALLINT>(stmt.cursor_name.size()));
  }
  if (stmt.prepared)
    capture::real_prepare(*dbc.library, fresh, stmt.prepared_text, stmt.prepared_wide);
  const SQLHSTMT old = stmt.real;
  stmt.real = fresh;
  {
    const std::lock_guard lock(dbc.children_mutex);  // a switch counts who lives where
    left(session.route, stmt.home);
    stmt.home = dbc.real;
  }
  stmt.library = dbc.library;
  stmt.current.store(fresh, std::memory_order_release);
  for (auto& descriptor : stmt.implicit) descriptor->real = SQL_NULL_HDESC;
  capture::real_free_statement(old_library, old);
  hang_up_where_nothing_is_left(session.route);
  return true;
}

void leaving(Statement& stmt, Session& session) {
  // The connection itself is closed later: the statement's real handle is still to be freed.
  if (stmt.home != session.dbc.real) left(session.route, stmt.home);
}

void close(Session& session) {
  State& state = session.route;
  if (state.ahead != SQL_NULL_HDBC) hang_up(*state.ahead_library, state.ahead);
  state.ahead = SQL_NULL_HDBC;
  const std::lock_guard lock(state.behind_mutex);
  for (const Behind& one : state.behind) hang_up(*one.library, one.dbc);
  state.behind.clear();
}

}  // namespace understudy::route
