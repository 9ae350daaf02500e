// What a statement does, and how it is to be recorded.
//
// `classify` looks at words only and is cheap enough for every prepared text, recording or not.
// `analyze` knows the catalog and gives the verdict. Unknown counts as unsafe; neither ever fails:
// a text that cannot be understood is opaque with a reason. Both are pure and thread safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "driver/sql/search_path.h"
#include "journal/catalog.h"
#include "journal/record.h"

namespace understudy::sql {

enum class StatementClass : std::uint8_t {
  read,          // SELECT without visible side effects, SHOW, EXPLAIN without ANALYZE, PRAGMA read
  locking_read,  // SELECT ... FOR UPDATE/SHARE
  write,         // INSERT, UPDATE, DELETE, MERGE, REPLACE, writing CTE
  opaque,  // may write: CALL, DO, COPY FROM, EXECUTE, batches, unknown words, ODBC call escape
  ddl,
  context,  // SET, RESET, USE, PRAGMA that sets, temporary tables, LISTEN, DISCARD
  begin,
  commit,
  rollback,  // transaction control as text
  savepoint,
  rollback_to,
  release,
  no_block,  // refuses a transaction block: VACUUM, CREATE DATABASE, CREATE INDEX CONCURRENTLY, ...
  empty,     // nothing but comments
};

/// What a statement does to a transaction in two phases: PostgreSQL's PREPARE TRANSACTION and
/// COMMIT PREPARED, MariaDB's XA. What is prepared outlives its session.
enum class TwoPhase : std::uint8_t {
  none,
  begins,         // XA START
  goes_on,        // XA END, XA RECOVER
  prepares,       // PREPARE TRANSACTION, XA PREPARE
  commits,        // COMMIT PREPARED, XA COMMIT: of any session's
  commits_alone,  // XA COMMIT ... ONE PHASE: nothing was prepared
  rolls_back,     // ROLLBACK PREPARED, XA ROLLBACK
};

/// The kind under which what is prepared, and what is committed then, is counted.
inline constexpr char kTwoPhase[] = "two-phase-transaction";

struct Classification {
  StatementClass cls = StatementClass::opaque;
  bool chained = false;            // COMMIT AND CHAIN, ROLLBACK AND CHAIN
  std::string savepoint;           // name as the engine stores it
  bool creates_temporary = false;  // CREATE TEMP TABLE and the like: pins the session
  bool holds = false;              // it may take or free what session_locks.h knows of
  std::uint32_t statements = 1;    // in the text
  /// Several statements, some of which begin or end transactions; `leaves_open`: the last of those
  /// begins one.
  bool controls = false;
  bool leaves_open = false;
  bool sets = false;  // several statements, some of which set something (PREPARE aside)
  /// It runs a function that may write where its text is not replayed: it is counted under this
  /// name.
  const char* uncaptured = nullptr;
  TwoPhase two_phase = TwoPhase::none;  // of one statement alone
};

Classification classify(std::string_view text, Dialect dialect);

/// Whether a statement of this class can change production and must be captured.
inline constexpr bool modifies(StatementClass cls) {
  return cls == StatementClass::write || cls == StatementClass::opaque ||
         cls == StatementClass::ddl || cls == StatementClass::no_block;
}

/// The reason of a statement that means nothing without the application's cursor.
inline constexpr std::string_view kCurrentOf = "current-of";

/// A query of ours for rows that a statement is going to change, or has changed, where the engine
/// does not return them: `columns` in exact text form, the rows locked.
struct RowsQuery {
  const Table* table = nullptr;  // belongs to the catalog given to `analyze`
  std::string text;
  std::vector<std::uint32_t> parameters;  // of the application's text, for each marker of `text`
  /// Where `text` takes FORCE INDEX with the index that the statement itself is going to use, as
  /// `explain` (with all of its parameters) tells: another plan would lock other rows. 0: nowhere.
  std::size_t hint_at = 0;
  std::string explain;
  std::vector<std::uint32_t> columns;  // as in Analysis
  std::uint32_t key_count = 0;
  std::string shape;
  /// SQLite, and generic where nothing locks rows: changes nothing and begins to write, so that
  /// nobody else writes between `text` and the statement.
  std::string lock;
  /// Generic: `text` for other rows, up to its condition. Empty: MariaDB's.
  std::string again;
  std::vector<std::string> key_names;  // beside it: the key's columns as they are written
};

/// The rows of one table that a statement changes in one of several places.
struct RowsPart {
  Verb verb = Verb::other;
  std::string target;  // as in Analysis
  RowsQuery rows;      // without a text
};

/// A WHEN of a MERGE.
struct MergeAction {
  Verb verb = Verb::other;  // update, remove, insert; other: it does nothing
  /// Ordinals of the columns by which its row is found: of the primary key, or of another unique
  /// key where that one is made by the server.
  std::vector<std::uint32_t> lookup;
};

struct Analysis {
  Classification classification;
  Verdict verdict = Verdict::opaque;
  Verb verb = Verb::other;
  /// Why it is opaque: a stable kind such as "own-returning", "unknown-table", "no-key",
  /// "key-assigned", "several-statements", "odbc-escape", "view", "not-understood". Empty
  /// otherwise.
  std::string reason;
  const Table* table = nullptr;  // belongs to the catalog given to `analyze`
  /// The table that the statement writes, when it names one alone and without a schema, or with the
  /// temporary one; as in temporary.h.
  std::string target;
  bool several_targets = false;  // it may write more than one table
  /// Opaque: the rows of its target are all that it changes, so that it has done nothing where the
  /// row count is 0. What it would find on the shadow then is not sure.
  bool changes_rows_alone = false;
  /// Effects, or evidence of a keyed statement: catalog ordinals, key columns first (in key order),
  /// for DELETE the key only. Generated columns (GENERATED ALWAYS AS) are left out.
  std::vector<std::uint32_t> columns;
  std::uint32_t key_count = 0;
  std::string shape;         // Shape::encode() of the above; set with `columns`
  std::vector<KeyPart> key;  // of a keyed statement
  /// The text to run in place of the application's, with the same parameter markers in the same
  /// order, returning `columns` in exact text form, one row per changed row. Empty: run the
  /// application's own text (opaque, or a keyed statement that needs no evidence).
  std::string rewritten;
  /// PostgreSQL: `rewritten` with pg_current_xact_id()::text as one more, last column. Empty
  /// elsewhere.
  std::string rewritten_with_txid;
  /// PostgreSQL, keyed: the text that returns nothing but pg_current_xact_id()::text, one row for
  /// each changed row; for the first modifying statement of a transaction.
  std::string txid_only;
  /// PostgreSQL, keyed: a literal in it means what the session's settings were when the server read
  /// the text, which of a prepared one it did once, perhaps under others than those of now.
  bool literals_by_setting = false;
  /// MariaDB and generic, in place of `rewritten`: what an UPDATE or a DELETE (MariaDB: of several
  /// tables) is going to touch, a query for each table it changes; to be read again by key
  /// afterwards. PostgreSQL, Verb::move: a query that locks the rows and gives the place of each;
  /// `rewritten` returns the old key, `columns` and that place, and has to find the same rows.
  /// SQLite, Verb::move: a query for the place of each row and its old key; `rewritten` returns
  /// `columns` and that place.
  std::vector<RowsQuery> before;
  /// PostgreSQL, MERGE: what it may do to `table`. `keeping` keeps the number of its WHEN here and
  /// the values of `lookup` for each row that it is about to change, and perhaps for others.
  std::vector<MergeAction> merges;
  /// MariaDB, in place of the text: an UPDATE that keeps old key and new row of what it changes for
  /// `mariadb_collect_sql`; Verb::put: an upsert that returns `columns` and keeps marks of rows.
  std::string keeping;
  /// MariaDB, in place of the text: an INSERT that remembers in variables the numbers of sequences
  /// by which `after` finds its rows. It returns nothing.
  std::string remembering;
  /// Another snapshot than the statement's own may decide which rows `before` finds.
  bool before_may_miss = false;
  /// Generic: the engine counts the rows that an UPDATE has met, made different or not.
  bool counts_met = false;
  /// MariaDB and generic, in place of `rewritten`: where the rows of an upsert, of an INSERT with a
  /// RETURNING of its own, or of a statement that names them by a key, stand afterwards. Each query
  /// finds one at least.
  std::vector<RowsQuery> after;
  /// The statement has a RETURNING of its own that the application sees. `rewritten` then returns
  /// one column more than the application's text, behind its own, and leaves the rows for
  /// `collect_sql` to fetch.
  bool own_returning = false;
  /// With own_returning: it returns the application's columns and no more.
  bool shows_all = false;
  /// PostgreSQL, of a statement that writes in its WITH, too: what it writes, in an order in which
  /// the rows can be replayed. `rewritten` returns, or keeps, one text for each row, in the form of
  /// collect.h: the number of its part and `columns` of that.
  std::vector<RowsPart> parts;
  /// Beside `parts`: it writes these, and they are temporary tables, or it cannot be told.
  std::vector<std::string> temporary_targets;
  std::size_t counted_part = 0;  // the application is told of its rows, where it sees no result
  /// MariaDB: the cursor of WHERE CURRENT OF at the end of the text; `table` and `verb` are then
  /// what it writes, and how.
  std::string cursor;
  std::uint32_t parameters = 0;  // markers in the text
};

/// MariaDB: the current database is another than the catalog's.
bool looks_elsewhere(const SearchPath& path, const Catalog& catalog);

/// Names that cannot be resolved are opaque, "search-path".
Analysis analyze(std::string_view text, const Catalog& catalog, const SearchPath& path = {});

}  // namespace understudy::sql
