#include "driver/capture/session.h"

#include <pthread.h>

#include <cstdlib>
#include <cstring>

#include "driver/real/wide.h"
#include "journal/access.h"
#include "journal/unrecorded.h"

namespace understudy::capture {
namespace {

std::atomic<std::uint32_t> fork_generation{0};

void count_fork() {
  fork_generation.fetch_add(1, std::memory_order_relaxed);
}

void watch_forks() {
  static const int registered = pthread_atfork(nullptr, nullptr, count_fork);
  (void)registered;
}

// A Unicode driver writes UTF-16 through either entry once it was connected through a W entry.
std::string dbms_name(const Connection& dbc) {
  constexpr SQLSMALLINT kUnitsMax = 128;
  SQLSMALLINT length = 0;
  const real::Entries& fn = dbc.library->fn;
  if (dbc.wide && fn.GetInfoW != nullptr) {
    SQLWCHAR name[kUnitsMax] = {};
    if (!SQL_SUCCEEDED(fn.GetInfoW(dbc.real, SQL_DBMS_NAME, name, sizeof name, &length))) return {};
    Result<std::string> text = real::to_utf8(name, SQL_NTS);
    return text.ok() ? std::move(*text) : std::string();
  }
  char name[kUnitsMax] = {};
  if (fn.GetInfo == nullptr ||
      !SQL_SUCCEEDED(fn.GetInfo(dbc.real, SQL_DBMS_NAME, name, sizeof name, &length))) {
    return {};
  }
  return name;
}

}  // namespace

Dialect dialect_of(const Connection& dbc) {
  return dialect_of_dbms(dbms_name(dbc));
}

std::unique_ptr<Session> Session::join(Connection& dbc, bool up) {
  const std::string& name = dbc.settings.migration;
  if (name.empty() || std::getenv("UNDERSTUDY_BYPASS") != nullptr) return nullptr;
  if (!valid_migration_name(name)) {
    tell_operator("not recorded: no migration can have this name", name);
    return nullptr;
  }
  watch_forks();
  const std::string home = understudy_home();
  Result<std::shared_ptr<SegmentMap>> map = SegmentMap::open_or_create(home, name);
  if (!map.ok()) {
    tell_operator("a connection is not recorded", map.status().message());
    if (!may_not_open(home, name)) leave_unrecorded_word(home, name, map.status().message());
    return nullptr;
  }
  Result<std::uint32_t> slot = (*map)->register_session();
  if (!slot.ok()) {
    tell_operator("a connection is not recorded", slot.status().message());
    (*map)->invalidate("a connection could not be registered: " + slot.status().message());
    return nullptr;
  }
  std::unique_ptr<Session> session(new Session(dbc, home, std::move(*map), *slot));
  if (!up) return session;
  session->dialect = session->own_dialect_ = dialect_of(dbc);
  session->settings_by_connecting();
  return session;
}

Session::Session(Connection& owner, std::string home_path, std::shared_ptr<SegmentMap> segment,
                 std::uint32_t slot)
    : dbc(owner),
      home(std::move(home_path)),
      migration(owner.settings.migration),
      map(std::move(segment)),
      slot_(slot),
      fork_generation_(fork_generation.load(std::memory_order_relaxed)),
      ring_(*map),
      gate_(*map),
      hold_(*map) {
  transaction.entries.drain_by([this] { spill(); }, chunk_bytes());
}

Session::~Session() {
  // After a fork the slot belongs to the parent.
  if (fork_generation_ == fork_generation.load(std::memory_order_relaxed)) {
    map->unregister_session(slot_);
  }
}

void Session::check_process() {
  constexpr auto kNone = static_cast<std::uint32_t>(Writing::none);
  const std::uint32_t now = fork_generation.load(std::memory_order_relaxed);
  if (now == fork_generation_) [[likely]] {
    // A forked child has taken the open transaction over, with the mark.
    if (transaction.writing && slot().writing.load(std::memory_order_relaxed) == kNone) {
      transaction.ended();
    }
    return;
  }
  fork_generation_ = now;
  const Result<std::uint32_t> registered = map->register_session();
  if (!registered.ok()) {
    map->invalidate("a forked process could not be registered: " + registered.status().message());
    return transaction.ended();
  }
  Slot& parents = slot();
  slot_ = *registered;
  if (!transaction.writing) return;
  // The server's transaction goes on here. The new mark is there before the old one goes, so that
  // whoever holds writers sees one of them.
  slot().writing_since_ns.store(parents.writing_since_ns.load(std::memory_order_relaxed),
                                std::memory_order_relaxed);
  slot().writing.store(
      static_cast<std::uint32_t>(transaction.recorded ? Writing::recorded : Writing::unrecorded));
  hold_.end_write(parents);
  if (!transaction.recorded) return;
  const bool handed_over = transaction.chunks != 0;
  if (handed_over) publish_abandon();
  transaction.txn_id = new_transaction_id();
  if (handed_over) begin_without_chunks();
}

// What chunks have taken stands under the name of the parent's transaction, and what has not left
// yet counts on from it. Recording begins anew; a rollback to an older savepoint comes back to
// here.
void Session::begin_without_chunks() {
  transaction.chunks = 0;
  transaction.entries.clear();
  transaction.first_statement = 0;
  record_settings();
  note_uncaptured("transaction-of-parent");
  for (Transaction::Savepoint& one : transaction.savepoints) {
    one.mark = transaction.entries.mark();
  }
}

std::shared_ptr<CatalogView> Session::catalog() {
  const std::uint32_t generation = header().catalog_generation.load(std::memory_order_acquire);
  const Side side = on_shadow ? Side::shadow : Side::production;
  if (view_ != nullptr && view_->generation() == generation && view_side_ == side) return view_;
  view_ = CatalogView::get(home, migration, side, generation);
  view_side_ = side;
  return view_;
}

void Session::changed_sides() {
  on_shadow = !on_shadow;
  dialect = own_dialect_ = dialect_of(dbc);
  settle_dialect();
  prepared_texts.forget();
  named_locks_ = 0;
  tables_locked_ = false;
}

// The migration may be told to use nothing of the engine that is its own.
void Session::settle_dialect() {
  if (!records(mode())) return;
  const auto view = catalog();
  const bool generic = view != nullptr && view->catalog().dialect == Dialect::generic;
  const Dialect now = generic ? Dialect::generic : own_dialect_;
  if (dialect.exchange(now) != now) settings_changed();
}

bool Session::takes_savepoints() {
  if (dialect != Dialect::generic) return true;
  const auto view = catalog();
  return view != nullptr && view->catalog().engine.savepoints;
}

void Session::anchor() {
  if (dialect != Dialect::generic || transaction.anchored || !takes_savepoints()) return;
  transaction.anchored = SQL_SUCCEEDED(send_aside(std::string("SAVEPOINT ") + kAnchor));
}

BeginWrite Session::begin_write(std::uint64_t deadline_ns, bool* timed_out) {
  *timed_out = false;
  check_process();
  if (transaction.writing) {
    mark_is_idle_ = false;
    return transaction.recorded ? BeginWrite::recorded : BeginWrite::unrecorded;
  }
  Slot& mine = slot();
  mine.last_call_ns.store(monotonic_ns(), std::memory_order_relaxed);
  BeginWrite how = hold_.begin_write(mine, deadline_ns, timed_out, on_shadow);
  if (*timed_out || how == BeginWrite::moved) return how;
  transaction.writing = true;
  // Catalog and dialect are production's: on another engine no statement can be put in another's
  // place. So there is no way back from there, and the figure says so.
  const bool strange = on_shadow && dialect != Dialect::generic && dialect_of(dbc) != dialect;
  if (strange && how == BeginWrite::recorded) {
    header().uncaptured.fetch_add(1, std::memory_order_relaxed);
    how = BeginWrite::unrecorded;
  }
  if (how == BeginWrite::recorded) learn_settings();
  if (settings_in_doubt()) settings_doubtful_ = true;
  transaction.recorded = how == BeginWrite::recorded;
  if (transaction.recorded) settle_dialect();
  if (transaction.recorded) {
    transaction.txn_id = new_transaction_id();
    record_settings();
    if (settings_lost_) note_uncaptured("too-many-settings");
  }
  return how;
}

std::uint64_t Session::new_transaction_id() {
  const std::uint64_t session_id = slot().session_id.load(std::memory_order_relaxed);
  return (session_id << 32) | (next_transaction_++ & 0xffffffffu);
}

void Session::end_write() {
  if (!transaction.writing) return;
  hold_.end_write(slot());
  transaction.writing = false;
}

void Session::keep_mark(bool idle) {
  ++mark_keepers_;
  mark_is_idle_ = idle;
}

void Session::release_mark() {
  if (--mark_keepers_ != 0) return;
  // A savepoint may stand that was set while marked.
  if (!mark_is_idle_ || !transaction.savepoints.empty()) return;
  const bool by_text = transaction.by_text;
  const bool has_read = transaction.has_read;
  lost();
  transaction.by_text = by_text;
  transaction.has_read = has_read;
}

SQLHSTMT Session::question() {
  if (question_ == SQL_NULL_HSTMT && !SQL_SUCCEEDED(real_alloc_statement(dbc, &question_))) {
    question_ = SQL_NULL_HSTMT;
  }
  return question_;
}

SQLRETURN Session::send_aside(const std::string& text) {
  SQLHSTMT statement = question();
  const SQLRETURN ret = statement == SQL_NULL_HSTMT
                            ? static_cast<SQLRETURN>(SQL_ERROR)
                            : real_exec_direct(*dbc.library, statement, text, dbc.wide);
  drop_question();
  return ret;
}

void Session::drop_question() {
  if (question_ != SQL_NULL_HSTMT) real_free_statement(*dbc.library, question_);
  question_ = SQL_NULL_HSTMT;
}

// --- the real driver ---

SQLRETURN real_end_tran(const Connection& dbc, SQLSMALLINT completion) {
  const real::Entries& fn = dbc.library->fn;
  if (fn.EndTran != nullptr) return fn.EndTran(SQL_HANDLE_DBC, dbc.real, completion);
  if (fn.Transact == nullptr) return SQL_ERROR;
  return fn.Transact(SQL_NULL_HENV, dbc.real, static_cast<SQLUSMALLINT>(completion));
}

SQLRETURN real_set_autocommit(const Connection& dbc, bool on) {
  const real::Entries& fn = dbc.library->fn;
  const SQLULEN value = on ? SQL_AUTOCOMMIT_ON : SQL_AUTOCOMMIT_OFF;
  auto* const pointer = reinterpret_cast<SQLPOINTER>(value);
  if (dbc.wide && fn.SetConnectAttrW != nullptr) {
    return fn.SetConnectAttrW(dbc.real, SQL_ATTR_AUTOCOMMIT, pointer, SQL_IS_UINTEGER);
  }
  if (fn.SetConnectAttr != nullptr) {
    return fn.SetConnectAttr(dbc.real, SQL_ATTR_AUTOCOMMIT, pointer, SQL_IS_UINTEGER);
  }
  if (fn.SetConnectOption == nullptr) return SQL_ERROR;
  return fn.SetConnectOption(dbc.real, SQL_AUTOCOMMIT, value);
}

SQLRETURN real_alloc_statement(const Connection& dbc, SQLHSTMT* out) {
  const real::Entries& fn = dbc.library->fn;
  if (fn.AllocHandle != nullptr) return fn.AllocHandle(SQL_HANDLE_STMT, dbc.real, out);
  return fn.AllocStmt == nullptr ? SQL_ERROR : fn.AllocStmt(dbc.real, out);
}

void real_free_statement(const real::Library& library, SQLHSTMT statement) {
  if (library.fn.FreeHandle != nullptr) {
    library.fn.FreeHandle(SQL_HANDLE_STMT, statement);
  } else if (library.fn.FreeStmt != nullptr) {
    library.fn.FreeStmt(statement, SQL_DROP);
  }
}

namespace {

SQLRETURN with_text(std::string_view text, bool wide, decltype(&::SQLPrepareW) wide_entry,
                    decltype(&::SQLPrepare) entry, SQLHSTMT statement) {
  if (wide && wide_entry != nullptr) {
    std::u16string units = real::to_utf16(text);
    return wide_entry(statement, reinterpret_cast<SQLWCHAR*>(units.data()),
                      static_cast<SQLINTEGER>(units.size()));
  }
  if (entry == nullptr) return SQL_ERROR;
  // Drivers take the text as non-const and terminated, whatever length is given.
  std::string bytes(text);
  return entry(statement, reinterpret_cast<SQLCHAR*>(bytes.data()),
               static_cast<SQLINTEGER>(bytes.size()));
}

}  // namespace

SQLRETURN real_prepare(const real::Library& library, SQLHSTMT statement, std::string_view text,
                       bool wide) {
  return with_text(text, wide, library.fn.PrepareW, library.fn.Prepare, statement);
}

SQLRETURN real_exec_direct(const real::Library& library, SQLHSTMT statement, std::string_view text,
                           bool wide) {
  return with_text(text, wide, library.fn.ExecDirectW, library.fn.ExecDirect, statement);
}

namespace {

std::string taken_text(const real::Library& library, SQLSMALLINT type, SQLHANDLE handle,
                       SQLSMALLINT record, bool wide, SQLSMALLINT field) {
  constexpr SQLSMALLINT kUnitsMax = 256;
  SQLSMALLINT length = 0;
  if (wide && library.fn.GetDiagFieldW != nullptr) {
    SQLWCHAR text[kUnitsMax] = {};
    if (!SQL_SUCCEEDED(
            library.fn.GetDiagFieldW(type, handle, record, field, text, sizeof text, &length))) {
      return {};
    }
    Result<std::string> read = real::to_utf8(text, SQL_NTS);
    return read.ok() ? std::move(*read) : std::string();
  }
  char text[kUnitsMax] = "";
  if (library.fn.GetDiagField == nullptr ||
      !SQL_SUCCEEDED(
          library.fn.GetDiagField(type, handle, record, field, text, kUnitsMax, &length))) {
    return {};
  }
  return text;
}

// Everything else a record has, so that the application reads what the real driver said.
void take_fields(const real::Library& library, SQLSMALLINT type, SQLHANDLE handle,
                 SQLSMALLINT record, bool wide, Diagnostic* taken) {
  taken->of_real = true;
  const auto text = [&](SQLSMALLINT field) {
    return taken_text(library, type, handle, record, wide, field);
  };
  taken->class_origin = text(SQL_DIAG_CLASS_ORIGIN);
  taken->subclass_origin = text(SQL_DIAG_SUBCLASS_ORIGIN);
  taken->connection_name = text(SQL_DIAG_CONNECTION_NAME);
  taken->server_name = text(SQL_DIAG_SERVER_NAME);
  if (library.fn.GetDiagField == nullptr) return;
  library.fn.GetDiagField(type, handle, record, SQL_DIAG_ROW_NUMBER, &taken->row, SQL_IS_INTEGER,
                          nullptr);
  library.fn.GetDiagField(type, handle, record, SQL_DIAG_COLUMN_NUMBER, &taken->column,
                          SQL_IS_INTEGER, nullptr);
}

// Drivers that tell of errors through SQLError only, each once.
void take_errors(const real::Library& library, SQLSMALLINT type, SQLHANDLE handle, Handle& to) {
  constexpr std::size_t kRecordsMax = 16;
  const bool statement = type == SQL_HANDLE_STMT;
  for (std::size_t i = 0; i < kRecordsMax; ++i) {
    SQLCHAR state[SQL_SQLSTATE_SIZE + 1] = {};
    SQLCHAR message[SQL_MAX_MESSAGE_LENGTH] = {};
    Diagnostic taken;
    SQLSMALLINT length = 0;
    const SQLRETURN ret = library.fn.Error(SQL_NULL_HENV, statement ? SQL_NULL_HDBC : handle,
                                           statement ? handle : SQL_NULL_HSTMT, state,
                                           &taken.native, message, sizeof message, &length);
    if (!SQL_SUCCEEDED(ret)) return;
    std::memcpy(taken.sqlstate, state, SQL_SQLSTATE_SIZE);
    message[sizeof message - 1] = 0;
    taken.message = reinterpret_cast<const char*>(message);
    to.diagnostics.push_back(std::move(taken));
  }
}

}  // namespace

void take_diagnostics(const real::Library& library, SQLSMALLINT type, SQLHANDLE handle, bool wide,
                      Handle& to) {
  constexpr SQLSMALLINT kRecordsMax = 16;
  constexpr SQLSMALLINT kMessageUnitsMax = 1024;
  if (real::tells_by_error_only(library)) return take_errors(library, type, handle, to);
  for (SQLSMALLINT record = 1; record <= kRecordsMax; ++record) {
    Diagnostic taken;
    SQLSMALLINT length = 0;
    SQLRETURN ret = SQL_NO_DATA;
    if (wide && library.fn.GetDiagRecW != nullptr) {
      SQLWCHAR state[6] = {};
      SQLWCHAR message[kMessageUnitsMax] = {};
      ret = library.fn.GetDiagRecW(type, handle, record, state, &taken.native, message,
                                   kMessageUnitsMax, &length);
      for (int i = 0; i < 5; ++i) taken.sqlstate[i] = static_cast<char>(state[i]);
      if (auto text = real::to_utf8(message, SQL_NTS); text.ok()) taken.message = std::move(*text);
    } else if (library.fn.GetDiagRec != nullptr) {
      SQLCHAR state[6] = {};
      SQLCHAR message[kMessageUnitsMax] = {};
      ret = library.fn.GetDiagRec(type, handle, record, state, &taken.native, message,
                                  kMessageUnitsMax, &length);
      for (int i = 0; i < 5; ++i) taken.sqlstate[i] = static_cast<char>(state[i]);
      taken.message = reinterpret_cast<const char*>(message);
    }
    if (!SQL_SUCCEEDED(ret)) return;
    take_fields(library, type, handle, record, wide, &taken);
    to.diagnostics.push_back(std::move(taken));
  }
}

}  // namespace understudy::capture
