// Classification by words: one pass over the tokens, then a decision per statement.
#include <array>
#include <initializer_list>

#include "driver/sql/analyzer.h"
#include "driver/sql/functions.h"
#include "driver/sql/lexer.h"

namespace understudy::sql {
namespace {

constexpr std::size_t kHeadTokens = 12;

/// What one pass learns of one statement of the text.
struct Features {
  std::array<Token, kHeadTokens> head;  // first tokens, opening parentheses in front left out
  std::size_t count = 0;                // of tokens, those of `head` included
  std::array<Token, 3> last;            // the three last tokens, the latest at the end
  bool writing_word = false;            // INSERT, UPDATE, DELETE, MERGE, REPLACE
  bool locking_clause = false;          // FOR UPDATE and the like
  bool into = false;
  bool into_temporary = false;
  bool unknown_call = false;  // word before `(` that is neither grammar nor a known function
  bool runs_unknown = false;  // such a call in a query, or in an expression of a definition
  bool sequence_call = false;
  bool lock_call = false;
  bool concurrently = false;
  bool analyze = false;
  bool strange = false;  // unterminated, or an executable comment

  [[nodiscard]] bool word(std::size_t i, std::string_view keyword) const {
    return i < kHeadTokens && i < count && head[i].is_word(keyword);
  }
  [[nodiscard]] bool any(std::size_t i, std::initializer_list<std::string_view> words) const {
    for (const std::string_view w : words) {
      if (word(i, w)) return true;
    }
    return false;
  }
  [[nodiscard]] bool punctuation(std::size_t i, char c) const {
    return i < kHeadTokens && i < count && head[i].is(c);
  }
  /// One of the first tokens behind the verb.
  [[nodiscard]] bool early(std::string_view keyword, std::size_t until = kHeadTokens) const {
    for (std::size_t i = 1; i < until && i < count; ++i) {
      if (head[i].is_word(keyword)) return true;
    }
    return false;
  }
};

/// Gathers the features of one statement, token by token.
class Gatherer {
 public:
  explicit Gatherer(Dialect dialect) : dialect_(dialect) {}

  Features features;

  void add(const Token& token) {
    Features& f = features;
    if (f.count == 0 && token.is('(')) return;
    f.strange = f.strange || token.kind == TokenKind::unterminated ||
                (token.kind == TokenKind::other && token.text.starts_with("/*"));
    if (token.is('(')) {
      call();
      ++depth_;
    } else if (token.is(')') || token.is(',')) {
      if (token.is(')')) --depth_;
      if (token.is(',') ? depth_ == expression_at_ : depth_ < expression_at_) expression_at_ = -1;
    } else if (previous().is_word("REPLACE") || previous().is_word("INSERT")) {
      f.writing_word = true;  // REPLACE( and MariaDB's INSERT( are functions
    }
    if (token.kind == TokenKind::word) keyword(token);
    if (f.count < kHeadTokens) f.head[f.count] = token;
    ++f.count;
    f.last = {f.last[1], f.last[2], token};
  }

 private:
  [[nodiscard]] const Token& previous() const { return features.last[2]; }

  void keyword(const Token& token) {
    Features& f = features;
    const bool strength = token.is_word("UPDATE") || token.is_word("SHARE");
    if (strength && after_for_) {
      f.locking_clause = true;
    } else if (token.is_word("UPDATE") || token.is_word("DELETE") || token.is_word("MERGE")) {
      f.writing_word = true;
    } else if (token.is_word("SHARE") && previous().is_word("IN")) {
      f.locking_clause = true;  // LOCK IN SHARE MODE
    } else if (token.is_word("INTO")) {
      f.into = true;
    } else if (token.is_word("TEMP") || token.is_word("TEMPORARY")) {
      f.into_temporary = f.into_temporary || previous().is_word("INTO");
    } else if (token.is_word("SELECT") || token.is_word("VALUES")) {
      query_ = true;
    } else if (token.is_word("EXECUTE")) {
      f.runs_unknown = true;
    } else if (token.is_word("AS") || token.is_word("DEFAULT") || token.is_word("CHECK")) {
      if (expression_at_ < 0) expression_at_ = depth_;
    } else if (token.is_word("CONCURRENTLY")) {
      f.concurrently = true;
    } else if (token.is_word("ANALYZE") || token.is_word("ANALYSE")) {
      f.analyze = true;
    }
    after_for_ =
        token.is_word("FOR") || (after_for_ && (token.is_word("NO") || token.is_word("KEY")));
  }

  /// An opening parenthesis follows the previous token.
  void call() {
    Features& f = features;
    if (previous().kind == TokenKind::quoted_identifier && dialect_ != Dialect::sqlite) {
      return unknown_call();  // perhaps only an alias with columns
    }
    if (previous().kind != TokenKind::word) return;
    // A type, or a name with columns.
    for (const std::string_view before : {"AS", "WITH", "RECURSIVE"}) {
      if (f.last[1].is_word(before)) return;
    }
    const bool qualified = f.last[1].is('.');
    if (!qualified && keyword_before_parenthesis(ascii_upper(previous().text))) return;
    if (qualified && !f.last[0].is_word("PG_CATALOG")) return unknown_call();
    const FunctionEffect effect = function_effect(ascii_lower(previous().text), dialect_);
    f.lock_call = f.lock_call || effect == FunctionEffect::locks;
    f.sequence_call = f.sequence_call || effect == FunctionEffect::sequences;
    if (effect == FunctionEffect::unknown) unknown_call();
  }

  void unknown_call() {
    features.unknown_call = true;
    features.runs_unknown = features.runs_unknown || query_ || expression_at_ >= 0;
  }

  Dialect dialect_;
  int depth_ = 0;           // of parentheses
  int expression_at_ = -1;  // the depth where an expression of a definition began
  bool query_ = false;
  bool after_for_ = false;
};

Classification of(StatementClass cls) {
  Classification out;
  out.cls = cls;
  return out;
}

Classification counted(StatementClass cls, bool by_function, const char* kind) {
  Classification out = of(cls);
  if (by_function) out.uncaptured = kind;
  return out;
}

Classification temporary(const Features& f) {
  Classification out = counted(StatementClass::context, f.runs_unknown, "temporary-by-function");
  out.creates_temporary = true;
  return out;
}

StatementClass query_class(const Features& f) {
  if (f.unknown_call || f.sequence_call) return StatementClass::opaque;
  return f.locking_clause || f.lock_call ? StatementClass::locking_read : StatementClass::read;
}

Classification select(const Features& f, Dialect dialect) {
  if (f.into && dialect == Dialect::mariadb) return of(StatementClass::opaque);
  if (f.into && dialect != Dialect::sqlite) {
    return f.into_temporary ? temporary(f) : of(StatementClass::ddl);
  }
  return of(query_class(f));
}

Classification explain(const Features& f, Dialect dialect) {
  if (dialect == Dialect::sqlite || !f.analyze) return of(StatementClass::read);
  const bool harmless = !f.writing_word && !f.unknown_call && !f.sequence_call && !f.into &&
                        (f.early("SELECT") || f.early("VALUES") || f.early("WITH"));
  return of(harmless ? query_class(f) : StatementClass::opaque);
}

Classification two_phase(TwoPhase phase) {
  Classification out = of(StatementClass::opaque);
  out.two_phase = phase;
  out.uncaptured = kTwoPhase;
  return out;
}

Classification xa(const Features& f) {
  if (f.any(1, {"START", "BEGIN"})) return two_phase(TwoPhase::begins);
  if (f.any(1, {"END", "RECOVER"})) return two_phase(TwoPhase::goes_on);
  if (f.word(1, "PREPARE")) return two_phase(TwoPhase::prepares);
  if (f.word(1, "ROLLBACK")) return two_phase(TwoPhase::rolls_back);
  const bool alone = f.last[1].is_word("ONE") && f.last[2].is_word("PHASE");
  return two_phase(alone ? TwoPhase::commits_alone : TwoPhase::commits);
}

bool chained(const Features& f) {
  return f.last[2].is_word("CHAIN") && f.last[1].is_word("AND");
}

Classification end_of_transaction(StatementClass cls, const Features& f) {
  if (f.early("PREPARED")) {
    return two_phase(cls == StatementClass::commit ? TwoPhase::commits : TwoPhase::rolls_back);
  }
  Classification out = of(cls);
  out.chained = chained(f);
  return out;
}

Classification savepoint(StatementClass cls, const Features& f, std::size_t at, Dialect dialect) {
  if (at >= f.count || at >= kHeadTokens) return of(StatementClass::opaque);
  Classification out = of(cls);
  out.savepoint = identifier(f.head[at], dialect);
  // Compared without regard to case, quoted or not.
  if (dialect == Dialect::sqlite || dialect == Dialect::mariadb) {
    out.savepoint = ascii_lower(out.savepoint);
  }
  return out;
}

Classification rollback(const Features& f, Dialect dialect) {
  std::size_t at = 1;
  if (f.any(at, {"WORK", "TRANSACTION", "TRAN"})) ++at;
  if (!f.word(at, "TO")) return end_of_transaction(StatementClass::rollback, f);
  ++at;
  if (f.word(at, "SAVEPOINT") && f.count > at + 1) ++at;
  return savepoint(StatementClass::rollback_to, f, at, dialect);
}

/// BEGIN opens a transaction, or in other engines a block of statements.
Classification begin(const Features& f) {
  const bool transaction =
      f.count == 1 || f.any(1, {"TRANSACTION", "TRAN", "WORK", "ISOLATION", "READ", "NOT",
                                "DEFERRABLE", "DEFERRED", "IMMEDIATE", "EXCLUSIVE", "CONCURRENT"});
  return of(transaction ? StatementClass::begin : StatementClass::opaque);
}

Classification create(const Features& f, Dialect dialect) {
  for (const std::string_view word : {"TEMP", "TEMPORARY"}) {
    if (f.early(word, 5)) return temporary(f);
  }
  if (dialect == Dialect::postgresql &&
      (f.any(1, {"DATABASE", "TABLESPACE", "SUBSCRIPTION"}) || f.concurrently)) {
    return of(StatementClass::no_block);
  }
  return of(StatementClass::ddl);
}

Classification alter_or_drop(const Features& f, Dialect dialect) {
  if (dialect == Dialect::postgresql &&
      (f.any(1, {"DATABASE", "TABLESPACE", "SYSTEM", "SUBSCRIPTION"}) || f.concurrently)) {
    return of(StatementClass::no_block);
  }
  if (dialect == Dialect::mariadb && f.word(0, "DROP") && f.word(1, "PREPARE")) {
    return of(StatementClass::context);
  }
  return of(StatementClass::ddl);
}

/// PRAGMA name reads; with a value it sets, except where the value names what to read.
Classification pragma(const Features& f) {
  const std::size_t name = f.punctuation(2, '.') ? 3 : 1;
  if (f.count <= name + 1) return of(StatementClass::read);
  for (const std::string_view reader :
       {"TABLE_INFO", "TABLE_XINFO", "TABLE_LIST", "INDEX_LIST", "INDEX_INFO", "INDEX_XINFO",
        "FOREIGN_KEY_LIST", "FOREIGN_KEY_CHECK", "INTEGRITY_CHECK", "QUICK_CHECK", "OPTIMIZE",
        "WAL_CHECKPOINT", "INCREMENTAL_VACUUM"}) {
    if (f.word(name, reader)) return of(StatementClass::read);
  }
  return of(StatementClass::context);
}

Classification sqlite_only(const Features& f) {
  if (f.word(0, "PRAGMA")) return pragma(f);
  if (f.any(0, {"ATTACH", "DETACH"})) return of(StatementClass::context);
  if (f.word(0, "ANALYZE")) return of(StatementClass::read);  // statistics only
  if (f.word(0, "REINDEX")) return of(StatementClass::ddl);
  return of(StatementClass::opaque);
}

Classification postgresql_only(const Features& f) {
  if (f.any(0, {"RESET", "DISCARD", "LISTEN", "UNLISTEN", "DEALLOCATE", "LOAD"})) {
    return of(StatementClass::context);
  }
  // NOTIFY and CHECKPOINT change no row; ANALYZE changes statistics only.
  if (f.any(0, {"FETCH", "MOVE", "CLOSE", "TABLE", "NOTIFY", "CHECKPOINT", "ANALYZE", "ANALYSE"})) {
    return of(StatementClass::read);
  }
  // A cursor runs its query when it is read.
  if (f.word(0, "DECLARE")) return counted(query_class(f), f.unknown_call, "cursor-by-function");
  if (f.word(0, "PREPARE")) {
    return f.word(1, "TRANSACTION") ? two_phase(TwoPhase::prepares) : of(StatementClass::context);
  }
  if (f.word(0, "LOCK")) return of(StatementClass::locking_read);
  if (f.word(0, "REINDEX")) {
    const bool alone =
        f.concurrently || f.early("DATABASE") || f.early("SYSTEM") || f.early("SCHEMA");
    return of(alone ? StatementClass::no_block : StatementClass::ddl);
  }
  if (f.word(0, "CLUSTER")) {
    return of(f.count == 1 ? StatementClass::no_block : StatementClass::ddl);
  }
  if (f.any(0, {"REVOKE", "COMMENT", "REFRESH", "SECURITY", "REASSIGN", "IMPORT"})) {
    return of(StatementClass::ddl);
  }
  return of(StatementClass::opaque);
}

Classification mariadb_only(const Features& f) {
  if (f.any(0, {"USE", "UNLOCK", "KILL", "DEALLOCATE"})) return of(StatementClass::context);
  if (f.any(0, {"DESCRIBE", "DESC", "HELP", "CHECK", "CHECKSUM", "GET"}))
    return of(StatementClass::read);
  if (f.word(0, "LOCK")) return of(StatementClass::locking_read);
  if (f.word(0, "PREPARE")) return of(StatementClass::context);
  if (f.word(0, "XA")) return xa(f);
  if (f.any(0, {"REVOKE", "RENAME", "OPTIMIZE", "REPAIR", "FLUSH", "INSTALL", "UNINSTALL"}) ||
      (f.word(0, "ANALYZE") && f.any(1, {"TABLE", "LOCAL", "NO_WRITE_TO_BINLOG"}))) {
    return of(StatementClass::ddl);
  }
  return of(StatementClass::opaque);
}

Classification dialect_only(const Features& f, Dialect dialect) {
  switch (dialect) {
    case Dialect::sqlite:
      return sqlite_only(f);
    case Dialect::postgresql:
      return postgresql_only(f);
    case Dialect::mariadb:
      return mariadb_only(f);
    case Dialect::generic:
      break;
  }
  if (f.any(0, {"USE", "RESET"})) return of(StatementClass::context);
  if (f.word(0, "LOCK")) return of(StatementClass::locking_read);
  if (f.any(0, {"REVOKE", "COMMENT", "RENAME"})) return of(StatementClass::ddl);
  return of(StatementClass::opaque);
}

Classification decide(const Features& f, Dialect dialect) {
  if (f.count == 0) return of(StatementClass::empty);
  if (f.strange || f.head[0].kind != TokenKind::word) return of(StatementClass::opaque);
  if (f.word(0, "SELECT")) return select(f, dialect);
  if (f.word(0, "VALUES")) return of(query_class(f));
  if (f.any(0, {"INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE"}))
    return of(StatementClass::write);
  if (f.word(0, "WITH")) {
    return f.writing_word ? of(StatementClass::write) : select(f, dialect);
  }
  if (f.word(0, "EXPLAIN")) return explain(f, dialect);
  if (f.word(0, "SHOW")) return of(StatementClass::read);
  if (f.word(0, "BEGIN")) return begin(f);
  if (f.word(0, "START")) {
    return of(f.word(1, "TRANSACTION") ? StatementClass::begin : StatementClass::opaque);
  }
  if (f.any(0, {"COMMIT", "END"})) return end_of_transaction(StatementClass::commit, f);
  if (f.word(0, "ABORT")) return end_of_transaction(StatementClass::rollback, f);
  if (f.word(0, "ROLLBACK")) return rollback(f, dialect);
  if (f.word(0, "SAVEPOINT")) return savepoint(StatementClass::savepoint, f, 1, dialect);
  if (f.word(0, "RELEASE")) {
    const std::size_t at = f.word(1, "SAVEPOINT") && f.count > 2 ? 2 : 1;
    return savepoint(StatementClass::release, f, at, dialect);
  }
  if (f.word(0, "SET")) {
    // MariaDB: SET STATEMENT variable = value FOR statement.
    const bool carries =
        f.word(1, "STATEMENT") && (f.writing_word || f.unknown_call || f.sequence_call);
    if (carries) return of(StatementClass::opaque);
    const bool runs = f.unknown_call && !f.word(1, "PASSWORD");
    return counted(StatementClass::context, runs, "setting-by-function");
  }
  if (f.word(0, "CREATE")) return create(f, dialect);
  if (dialect == Dialect::generic && f.word(0, "ALTER") && f.word(1, "SESSION"))
    return of(StatementClass::context);
  if (f.any(0, {"ALTER", "DROP"})) return alter_or_drop(f, dialect);
  // On PostgreSQL it is part of its transaction and locks the table: replayed in its place.
  if (f.word(0, "TRUNCATE") && dialect == Dialect::postgresql) return of(StatementClass::opaque);
  if (f.any(0, {"TRUNCATE", "GRANT"})) return of(StatementClass::ddl);
  if (f.word(0, "VACUUM")) return of(StatementClass::no_block);
  return dialect_only(f, dialect);
}

/// A routine's or trigger's body holds semicolons of its own: the rest of the text belongs to it.
bool body_follows(const Features& f, Dialect dialect) {
  if (!f.word(0, "CREATE")) return false;
  if (dialect == Dialect::postgresql)
    return f.last[1].is_word("BEGIN") && f.last[2].is_word("ATOMIC");
  return f.early("TRIGGER") || f.early("PROCEDURE") || f.early("FUNCTION") || f.early("EVENT");
}

}  // namespace

Classification classify(std::string_view text, Dialect dialect) {
  Lexer lexer(text, dialect);
  Classification first = of(StatementClass::empty);
  std::uint32_t statements = 0;
  bool all_read = true;
  bool controls = false;
  bool leaves_open = false;
  bool sets = false;
  bool holds = false;
  const char* cursor = nullptr;
  Gatherer statement(dialect);
  bool body = false;
  const auto finish = [&] {
    if (statement.features.count == 0) return;
    const Classification one = decide(statement.features, dialect);
    if (++statements == 1) first = one;
    all_read = all_read && one.cls == StatementClass::read;
    holds = holds || statement.features.lock_call ||
            statement.features.any(0, {"LOCK", "UNLOCK", "DECLARE", "CLOSE", "DISCARD"});
    sets = sets || (one.cls == StatementClass::context && !statement.features.word(0, "PREPARE"));
    if (one.cls == StatementClass::opaque && one.uncaptured != nullptr) cursor = one.uncaptured;
    if (one.cls >= StatementClass::begin && one.cls <= StatementClass::release) {
      controls = true;
      if (one.cls <= StatementClass::rollback) {
        leaves_open = one.cls == StatementClass::begin || one.chained;
      }
    }
    statement = Gatherer(dialect);
  };
  for (Token token = lexer.next(); token.kind != TokenKind::end; token = lexer.next()) {
    if (token.is(';') && !body) {
      finish();
      continue;
    }
    statement.add(token);
    body = body || body_follows(statement.features, dialect);
  }
  finish();
  // What the others run is replayed with the text; a cursor is read later.
  if (statements > 1 && !all_read)
    first = counted(StatementClass::opaque, cursor != nullptr, cursor);
  first.statements = statements;
  if (statements > 1) first.two_phase = TwoPhase::none;
  first.controls = statements > 1 && controls;
  first.leaves_open = statements > 1 && leaves_open;
  first.sets = statements > 1 && sets;
  first.holds = holds;
  return first;
}

}  // namespace understudy::sql
