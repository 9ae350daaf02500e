#include "driver/sql/session_locks.h"

#include <string>

#include "driver/sql/functions.h"
#include "driver/sql/lexer.h"

namespace understudy::sql {
namespace {

void add_call(const std::string& function, SessionLocks* out) {
  if (function == "pg_advisory_lock" || function == "pg_advisory_lock_shared" ||
      function == "pg_try_advisory_lock" || function == "pg_try_advisory_lock_shared" ||
      function == "get_lock") {
    ++out->taken;
  } else if (function == "pg_advisory_unlock" || function == "pg_advisory_unlock_shared" ||
             function == "release_lock") {
    ++out->freed;
  } else if (function == "pg_advisory_unlock_all" || function == "release_all_locks") {
    out->all_freed = true;
  }
}

}  // namespace

SessionLocks session_locks(std::string_view text, Dialect dialect) {
  SessionLocks out;
  if (dialect != Dialect::postgresql && dialect != Dialect::mariadb) return out;
  Lexer lexer(text, dialect);
  Token before = lexer.next();
  if (before.is_word("UNLOCK")) out.tables_freed = true;
  if (before.is_word("CLOSE") || before.is_word("DISCARD")) out.cursor = true;
  const bool lock = before.is_word("LOCK") && dialect == Dialect::mariadb;
  const bool declare = before.is_word("DECLARE");
  for (Token token = lexer.next(); before.kind != TokenKind::end; token = lexer.next()) {
    if (token.is('(') && before.kind == TokenKind::word) add_call(ascii_lower(before.text), &out);
    if (lock && (token.is_word("TABLE") || token.is_word("TABLES"))) out.tables_taken = true;
    if (declare && before.is_word("WITH") && token.is_word("HOLD")) out.cursor = true;
    if (before.is_word("DISCARD") && token.is_word("ALL")) out.all_freed = true;
    before = token;
  }
  return out;
}

}  // namespace understudy::sql
