// What the server keeps for the session itself, whatever becomes of its transactions: locks that it
// has taken by hand, cursors that outlive their transaction. On another connection they would be
// gone without a word, so a session that has them does not move.
#include <algorithm>

#include "driver/capture/session.h"
#include "driver/sql/session_locks.h"

namespace understudy::capture {
namespace {

// psqlodbc's own cursors are read to their end where they are.
constexpr const char* kAskPostgresql =
    "SELECT CASE WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND "
    "granted AND pid = pg_catalog.pg_backend_pid()) THEN 1 WHEN EXISTS (SELECT 1 FROM "
    "pg_catalog.pg_cursors WHERE is_holdable AND name NOT LIKE 'SQL\\_CUR%') THEN 2 ELSE 0 END";
// Nothing there tells without taking them away. The connection is about to be left: they are gone
// in either case.
constexpr const char* kAskMariadb = "SELECT RELEASE_ALL_LOCKS()";

constexpr std::uint32_t kLock = kPinnedLock;
constexpr std::uint32_t kCursor = kPinnedCursor;
constexpr std::uint32_t kNothing = 0;

/// The first number of the answer; -1 when there is none.
std::int64_t ask(Session& session, const char* text) {
  SQLHSTMT statement = session.question();
  std::int64_t answer = -1;
  if (statement != SQL_NULL_HSTMT &&
      SQL_SUCCEEDED(real_exec_direct(*session.dbc.library, statement, text, session.dbc.wide))) {
    answer = first_number(*session.dbc.library, statement);
  }
  session.drop_question();
  return answer;
}

void show(Slot& slot, std::uint32_t bits) {
  slot.pinned.fetch_and(~(kLock | kCursor), std::memory_order_relaxed);
  if (bits != kNothing) slot.pinned.fetch_or(bits, std::memory_order_relaxed);
}

std::uint32_t postgresql_bits(std::int64_t answer) {
  return answer == 1 ? kLock : answer == 2 ? kCursor : kNothing;
}

}  // namespace

void Session::learn_held() {
  if (own_dialect_ != Dialect::postgresql) return;
  const std::int64_t answer = ask(*this, kAskPostgresql);
  if (answer >= 0) show(slot(), postgresql_bits(answer));
}

void Session::held_changed(std::string_view text) {
  const sql::SessionLocks locks = sql::session_locks(text, own_dialect_);
  if (!locks.any()) return;
  if (own_dialect_ == Dialect::postgresql) {
    if (records(mode())) learn_held();
    return;
  }
  if (locks.all_freed) named_locks_ = 0;
  named_locks_ = std::max(named_locks_ + locks.taken - locks.freed, 0);
  tables_locked_ = locks.tables_taken || (tables_locked_ && !locks.tables_freed);
  show(slot(), named_locks_ != 0 || tables_locked_ ? kLock : kNothing);
}

const char* Session::held() {
  if (held_back_ != nullptr) return held_back_;
  std::uint32_t bits = kNothing;
  if (own_dialect_ == Dialect::postgresql) {
    std::int64_t answer = ask(*this, kAskPostgresql);
    // A transaction that has only read, and failed, answers nothing: it ends here in any case.
    if (answer < 0 && !autocommitting() && SQL_SUCCEEDED(real_end_tran(dbc, SQL_ROLLBACK))) {
      answer = ask(*this, kAskPostgresql);
    }
    bits = postgresql_bits(answer);
  } else if (own_dialect_ == Dialect::mariadb) {
    bits = tables_locked_ || ask(*this, kAskMariadb) > 0 ? kLock : kNothing;
  }
  if (bits == kNothing) return nullptr;
  show(slot(), bits);
  held_back_ = (bits & kLock) != 0 ? "locks" : "cursors";
  return held_back_;
}

}  // namespace understudy::capture
