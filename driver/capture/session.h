// A connection's part in its migration, and a statement's part in an execution.
#pragma once

#include <atomic>
#include <functional>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "driver/capture/catalog_view.h"
#include "driver/capture/own_statement.h"
#include "driver/capture/pending.h"
#include "driver/capture/prepared_texts.h"
#include "driver/capture/transaction.h"
#include "driver/handle/statement.h"
#include "driver/route/state.h"
#include "driver/sql/analyzer.h"
#include "driver/sql/previous.h"
#include "journal/gate.h"
#include "journal/ring.h"
#include "journal/segment_map.h"

namespace understudy::capture {

inline constexpr std::uint64_t kFullWaitNs = 5'000'000'000;  // OnFull=wait, then invalidate
inline constexpr std::uint64_t kDurableWaitNs =
    10'000'000'000;  // Durability=power, then invalidate
inline constexpr char kSchemaChanged[] =
    "the application changed the schema of production during the migration";
inline constexpr char kShadowSchemaChanged[] =
    "the application changed the schema of the shadow after the switch";
/// The kind under which what stands of a procedure that failed is counted.
inline constexpr char kFailedInPart[] = "call-failed-in-part";
inline constexpr std::size_t kContextMax = 256;      // context statements of a session
inline constexpr std::size_t kTemporaryMax = 10000;  // names of temporary tables of a session
/// Of a result that psqlodbc has no row count for: SQLRowCount leaves the place as it is.
inline constexpr SQLLEN kNoRowCount = std::numeric_limits<SQLLEN>::min();

class Execution;
class PositionedCursor;

/// Ends or commits a transaction on the server; what the application gets.
using EndsTransaction = std::function<SQLRETURN()>;

/// MariaDB: what the application may still ask, by text, of the statement it has run last, although
/// statements of ours followed it. See previous.cpp.
struct Previous {
  std::string rows;         // an expression for its ROW_COUNT(); empty: the server knows
  bool found_kept = false;  // its FOUND_ROWS() is kept in a variable
  bool told = false;        // the variables that the application's texts read have been set
};

/// One connection of a migration: its slot in the registry and its open transaction. Lives as long
/// as the connection is up. All members are guarded by Connection::write_mutex unless said
/// otherwise.
class Session {
 public:
  /// Null when the connection belongs to no migration, or its segment cannot be had (told to
  /// syslog): then it is a pass-through. `up`: the real connection is.
  static std::unique_ptr<Session> join(Connection& dbc, bool up = true);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Connection& dbc;
  const std::string home;
  const std::string migration;
  const std::shared_ptr<SegmentMap> map;
  /// How the application's texts are read. Read by readers, which hold no lock.
  std::atomic<Dialect> dialect{Dialect::generic};
  Transaction transaction;
  std::vector<std::string> context;
  // --- temporary tables; see temporary.cpp ---
  /// A statement has made something temporary. Writes to a table are none of the migration's; of
  /// anything else it is not known what it writes: then false.
  bool add_temporary(std::string_view statement);
  /// Whether the statement writes a temporary table alone.
  [[nodiscard]] bool writes_temporary(const sql::Analysis& analysis) const;
  /// Whether the table it writes may be a temporary one that hides the catalog's.
  [[nodiscard]] bool perhaps_hidden(const sql::Analysis& analysis) const;
  /// Whether a schema change touches no table of the catalog: temporary ones, or what is not there.
  [[nodiscard]] bool changes_temporary(std::string_view statement);
  // --- what would be left behind on the server; see held.cpp ---
  /// After a text that may have taken or freed a lock of the session, or opened a cursor.
  void held_changed(std::string_view text);
  /// Asks, where the server tells, and shows it in the slot.
  void learn_held();
  /// Before the session moves: what would stay behind, in the plural; null: nothing. On MariaDB
  /// its named locks are freed. Once told it stays so.
  const char* held();

  sql::SearchPath search_path;  // of unqualified names
  /// After a statement, or several in one text, recorded as it stands: what it may have changed of
  /// the session's names and settings. `ran`: to its end.
  void after_opaque(const sql::Classification& what, const std::string& text, bool ran);
  bool on_shadow = false;
  PreparedTexts prepared_texts;
  /// The real connection is in manual mode although the application believes in autocommit.
  std::atomic<bool> left_autocommit{false};  // read by readers, which hold no lock
  route::State route;

  [[nodiscard]] ControlHeader& header() const { return map->header(); }
  [[nodiscard]] Mode mode() const {
    return mode_of(header().mode_word.load(std::memory_order_acquire));
  }
  [[nodiscard]] Slot& slot() const { return map->slot(slot_); }
  /// The present catalog of the side the session is on; null when there is none.
  std::shared_ptr<CatalogView> catalog();
  /// The session is on the other real connection of `dbc` now.
  void changed_sides();
  /// Whether SAVEPOINT can be sent without an error in the application's transaction.
  [[nodiscard]] bool takes_savepoints();
  /// Generic: before a write in a transaction of the application's, a savepoint that tells after an
  /// error whether the transaction is still there. Innermost, so that its release takes no other.
  void anchor();
  [[nodiscard]] const char* schema_changed() const {
    return on_shadow ? kShadowSchemaChanged : kSchemaChanged;
  }
  /// Whether each statement is a transaction of its own on the server.
  [[nodiscard]] bool autocommitting() const {
    return (dbc.autocommit || makes_none) && !transaction.by_text;
  }
  /// SQLite, NoTXN: the real driver makes no transaction, whatever it answers.
  bool makes_none = false;
  /// MariaDB, AUTO_RECONNECT: the real driver connects anew without a word, and the server then
  /// commits each statement although the application has turned that off.
  bool connects_anew = false;
  /// MariaDB, NO_CACHE and FORWARDONLY: rows are left with the server, and a statement of ours that
  /// has taken a result is not freed without harm.
  bool leaves_rows = false;
  /// MariaDB, FOUND_ROWS: an UPDATE counts the rows that it has found, changed or not.
  bool counts_found = false;

  /// A forked child has no slot of its own yet: registers anew. Cheap otherwise.
  void check_process();
  /// Before the first statement of a transaction that writes. `deadline_ns` is the statement's own
  /// query timeout (0: none); `timed_out` says that it passed while the migration held writers.
  BeginWrite begin_write(std::uint64_t deadline_ns, bool* timed_out);
  // --- what the session has set; see context.cpp ---
  /// What the connection string of MariaDB or SQLite has set and asked for.
  void settings_by_connecting();
  /// PostgreSQL: what the connection string, the role or the database has set, once: the server is
  /// asked before the session's first recorded write, or before it moves to the shadow; once more
  /// in the next transaction where nobody answers, or the open one has set the same.
  void learn_settings();
  [[nodiscard]] bool knows_settings() const { return settings_learned_; }
  /// A statement about the session's settings has succeeded: what follows depends on it.
  void add_context(std::string statement);
  /// Whether quotes and backslashes of a text mean what they mean by default.
  [[nodiscard]] bool quotes_as_usual(std::string_view text) const;
  /// Whether a text means what it means by default. MariaDB's sql_mode decides what "..." and a
  /// backslash are.
  [[nodiscard]] bool reads_as_usual(std::string_view text) const;
  /// Whether a keyed statement is about moments that it would mean otherwise in the replayer's time
  /// zone. Rows are read and written without regard to the zone.
  [[nodiscard]] bool in_another_zone(const sql::Analysis& analysis) const;
  /// The number of settings made so far, without statements prepared as text.
  [[nodiscard]] std::size_t settings() const;
  /// PostgreSQL undid all but the first `settings` of them. What was prepared stays.
  void settings_undone(std::size_t settings);
  /// The open transaction has ended.
  void settings_ended(bool committed);
  /// PostgreSQL: an error that was not followed up may have undone what the open transaction has
  /// set: of psqlodbc's levels 0 and 1 before anything was recorded.
  [[nodiscard]] bool settings_in_doubt() const;
  /// The statement changed nothing of the server's transaction state, or the transaction is over.
  void end_write();
  /// Between these two the session, which is marked, stays so from one transaction to the next: no
  /// cutover takes away the connection that holds results. `idle`: nothing has been written yet.
  void keep_mark(bool idle);
  void release_mark();

  /// After a write in a transaction of the application's, where the connection may have been made
  /// anew: what was recorded of a transaction that is not there is given up, and counted.
  void look_for_transaction();
  /// Runs `commit` in the exact order of the protocol: asks the server about a tainted transaction,
  /// seals what was recorded, commits, records the outcome.
  /// `goes_on`: another transaction follows at once, which has written already or is going to: the
  /// session stays marked, and no cutover comes in between.
  SQLRETURN commit(const EndsTransaction& commit, bool goes_on = false);
  SQLRETURN rollback(const EndsTransaction& rollback, bool goes_on = false);
  /// SQLite: a transaction is open on the connection.
  bool begun_by_text();
  /// SQLEndTran in SQLite's autocommit after BEGIN as text: libsqliteodbc ends what it believes to
  /// have begun itself, or does nothing. Finds out which, and goes on accordingly.
  SQLRETURN perhaps_end(const EndsTransaction& end, bool commits);
  /// The connection is gone and with it the open transaction.
  void lost();
  /// Writes what the buffer holds as a chunk when it has grown over kChunkBytes. The buffer itself
  /// asks for it in the middle of a statement.
  void spill();
  /// The server has gone back to this savepoint, and what was recorded since is taken back.
  void rolled_back_to(std::string_view savepoint);
  /// Counts something that could not be recorded exactly, and names it in the journal.
  void note_uncaptured(const char* kind);
  /// After an error: asks the server what became of the transaction. See taint.cpp.
  void settle_taint();
  /// The server has ended the transaction and undone all of it; the application's goes on in
  /// another.
  void nothing_kept();
  /// The server is going to roll the transaction back, as far as it tells.
  void poison();
  /// Runs a statement in it. One that succeeds all the same is not recorded, and told of when the
  /// server answers again.
  SQLRETURN run_poisoned(const std::function<SQLRETURN()>& unchanged);
  /// The rows that a statement changed could not be read. They are missed only where the server,
  /// when it is asked, has kept the transaction: on a connection that was lost it has not.
  void rows_unread();
  /// What the real driver said of the call on the connection that failed last: the server's session
  /// is gone, and with it what was not committed.
  [[nodiscard]] bool connection_lost() const;
  /// COMMIT has failed: what the server says became of the transaction. Unknown when it cannot be
  /// asked. What the connection tells of the failure is the application's afterwards, too.
  Outcome refused_outcome();
  /// MariaDB: whether the server has a transaction open. Only while nothing is being executed.
  bool asks_open_transaction();
  /// The server's id of the transaction, when no statement of it could return it on its way:
  /// without it nobody could find out whether a COMMIT that lost its answer took effect.
  void learn_server_txid();
  /// What is found of PostgreSQL's deferred keys before the seal.
  enum class DeferredKeys {
    stand,    // or there are none: nobody has to be waited for any more
    refused,  // COMMIT is going to say so, unless another gives the key away meanwhile
    gone,     // the transaction is not there any more; what was said of it the connection tells
  };
  /// Checks them, which waits for other transactions.
  DeferredKeys check_deferred_keys();

  /// A statement of our own on the real connection, for questions. Freed with the session.
  SQLHSTMT question();
  void drop_question();
  /// Runs a text of ours beside the application's statements and their diagnostics.
  SQLRETURN send_aside(const std::string& text);

  // --- what the application's texts ask of the statement before; see previous.cpp ---
  Previous previous;
  /// Before a text of the application's is run; what ROW_COUNT() is to say before it.
  std::string tell_previous(const Execution& execution);
  /// After GET DIAGNOSTICS has run, which leaves ROW_COUNT() as it was.
  void tell_diagnostics(const Execution& execution, const std::string& rows);
  /// After it, where its FOUND_ROWS() has come. `joins`: it changes rows of several tables.
  void found_rows_set(const std::string& text, bool joins = false);
  /// Before a query of ours.
  void keep_found_rows();
  /// After a statement that was recorded: what ROW_COUNT() is to say of it.
  void keep_row_count(Statement& stmt, SQLRETURN ret);
  /// Whether the server has warned of the last statement, and the program may look at it.
  bool warned();

 private:
  Session(Connection& owner, std::string home_path, std::shared_ptr<SegmentMap> segment,
          std::uint32_t slot);

  bool seal(Ring::Claim* claim);
  bool recording_still() const;
  void settle_dialect();
  bool add_settings_of_batch(const std::string& text);
  /// The server has begun another transaction in the same call; the session stays marked.
  void next_transaction();
  void settings_changed();
  /// Takes the settings as the server says them. They stay in doubt where it does not.
  void ask_settings();
  /// What the session has set, before what follows in the open transaction.
  void record_settings();
  void publish_outcome(std::uint64_t txn_id, Outcome outcome);
  void publish_abandon();
  void begin_without_chunks();
  std::uint64_t full_deadline_ns() const;
  void prepare_head(TransactionHead* head);
  [[nodiscard]] std::uint32_t writing_ms() const;
  std::uint64_t new_transaction_id();
  [[nodiscard]] std::size_t chunk_bytes() const;

  Dialect own_dialect_ = Dialect::generic;  // of the server, whatever the catalog says
  std::uint32_t slot_;
  std::uint32_t fork_generation_;
  Ring ring_;
  Gate gate_;
  Hold hold_;
  std::uint64_t next_transaction_ = 1;
  std::set<std::string, std::less<>> temporary_;
  bool temporary_unknown_ = false;  // one has a name that is not known, or there are too many
  void set_before(std::vector<std::string>* learned);
  void set_foreign_keys(bool enforced);

  bool settings_learned_ = false;
  bool names_lost_ = false;  // something may have set the search path unseen
  bool mode_changed_ = false;
  bool zone_changed_ = false;
  bool anything_changed_ = false;   // generic: a setting, of which nothing is known
  bool formats_changed_ = false;    // PostgreSQL: rows would not be read as they are written
  bool settings_doubtful_ = false;  // PostgreSQL: to be asked for before what is recorded next
  bool settings_lost_ = false;      // there were more than are kept
  bool tables_locked_ = false;      // MariaDB: LOCK TABLES
  int named_locks_ = 0;             // MariaDB: as its texts say
  const char* held_back_ = nullptr;
  std::shared_ptr<CatalogView> view_;
  Side view_side_ = Side::production;
  SQLHSTMT question_ = SQL_NULL_HSTMT;
  std::uint32_t mark_keepers_ = 0;
  bool mark_is_idle_ = false;  // nothing was written since it has been kept last
};

/// A statement's last text, its verdict, and what the application may still ask about its run.
class Execution {
 public:
  explicit Execution(Statement& owner);
  ~Execution();
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;

  /// Takes a new text (prepare or direct).
  void set_text(std::string_view utf8, bool wide, Dialect dialect);
  /// MariaDB, before set_text: the real driver is given the text, and takes SQL_ATTR_MAX_ROWS as it
  /// is now.
  void take_max_rows();
  /// As the application gave it; `text` is what the server gets.
  [[nodiscard]] const std::string& given_text() const { return max_rows_ == 0 ? text_ : given_; }
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] bool wide() const { return wide_; }
  [[nodiscard]] const sql::Classification& classification() const { return classification_; }
  [[nodiscard]] std::uint32_t parameters() const { return parameters_; }
  /// The verdict under this view; null view: null.
  const sql::Analysis* analysis(const std::shared_ptr<CatalogView>& view,
                                const sql::SearchPath& path);
  /// The application sees the statement's own run again.
  void forget_result();
  void drop_own();

  sql::AsksPrevious asks;  // MariaDB
  OwnStatement own;
  OwnStatement questions;  // for rows that the engine does not return
  /// The text is an EXECUTE whose meaning is known: the verdict on what it executes.
  std::shared_ptr<const sql::Analysis> executed;
  /// The last execution ran on `own`: the application sees no result set, but these row counts, one
  /// for each result.
  bool hidden = false;
  std::vector<SQLLEN> counts;
  std::size_t result = 0;
  /// A new text, or the end of a result: libsqliteodbc forgets how many rows the last one changed.
  void begin_text();
  bool direct = false;                 // the last text came by SQLExecDirect
  SQLHSTMT given_to = SQL_NULL_HSTMT;  // the real statement of the application that ran that text
  bool stands_in = false;  // the last execution ran, or waits for data, on `own`, without a result
  bool plain = false;      // without parameters
  bool given_up = false;   // the real driver refused it before it ran
  SQLLEN rows_last = -1;   // of the last execution on `own`, as the real driver remembers it
  SQLLEN rows_of_set = 0;  // of its last set of parameters
  SQLLEN rows_first = -1;  // of the first set of an array that failed, when it is known
  /// No execution on the application's own statement has made the real driver forget `rows_last`.
  bool remembers_own = false;
  std::uint32_t ran_at = 0;  // Statement::calls when it ran
  [[nodiscard]] bool asked_since() const { return owner_.calls != ran_at; }
  /// PostgreSQL: what SQLMoreResults tells behind `counts`, of the set that an array has failed at.
  std::vector<Diagnostic> failed_set;
  bool failed_on_own = false;  // it ran on `own` and failed there
  bool in_part = false;        // it failed, and a part of what it did stands
  /// The last execution ran on `own` and the application fetches there, all but the last columns.
  bool visible = false;
  SQLSMALLINT clipped = 0;
  /// A result of a batch that the application fetches from a statement of its own.
  struct Shown {
    std::unique_ptr<OwnStatement> statement;  // null: the result is hidden, unless a part has it
    SQLSMALLINT clipped = 0;
    Statement* part = nullptr;
    bool has_rows = false;
    bool followed = false;  // by a result of ours, which the application does not see
    SQLLEN rows = -1;       // of a part, as the real driver remembers them
  };
  std::vector<Shown> shown;  // one for each of `counts` when any is fetched, else empty
  /// Another real statement in place of `own`, which the application is going to fetch from. Those
  /// given back are kept: another thread may be about to cancel them.
  std::unique_ptr<OwnStatement> take_own();
  /// The result of this number becomes the present one of a batch.
  void show(std::size_t number);
  /// MariaDB: statements of ours that run the parts of a text, each as if the application did. Kept
  /// from one execution to the next. See parts.h.
  std::vector<std::unique_ptr<Statement>> parts;
  std::string parts_text;  // that they are prepared for
  [[nodiscard]] bool shows_part() const { return !shown.empty() && shown[result].part != nullptr; }
  bool cursor_open = false;  // the last execution may have left a cursor on the server's side
  std::unique_ptr<Pending> pending;
  /// The application may write through the cursor of its result, and what is known of its rows.
  bool updatable = false;
  std::unique_ptr<PositionedCursor> positioned;
  const void* home = nullptr;  // the real connection the statement lives on

 private:
  Statement& owner_;
  std::vector<std::unique_ptr<OwnStatement>> spare_;
  std::string text_;
  std::string given_;            // unless it is `text_`
  std::uintptr_t max_rows_ = 0;  // that `text_` is limited to
  bool wide_ = false;
  sql::Classification classification_;
  std::uint32_t parameters_ = 0;
  std::shared_ptr<CatalogView> view_;
  std::shared_ptr<const sql::Analysis> analysis_;
  sql::SearchPath analyzed_path_;
};

/// What psqlodbc undoes when an execution fails: 0 nothing, 1 the transaction, 2 the execution
/// where a transaction was open before it, and else the transaction.
char rollback_level(const Session& session);

/// The statement's execution state, made at first need.
Execution& execution_of(Statement& stmt);

// --- the real driver, called with whichever entry it has ---
/// Of the server behind the connection's present side, by SQL_DBMS_NAME.
Dialect dialect_of(const Connection& dbc);
SQLRETURN real_end_tran(const Connection& dbc, SQLSMALLINT completion);
SQLRETURN real_set_autocommit(const Connection& dbc, bool on);
SQLRETURN real_alloc_statement(const Connection& dbc, SQLHSTMT* out);
void real_free_statement(const real::Library& library, SQLHSTMT statement);
/// Text in UTF-8 (wide) or in the application's bytes, as the application's own texts went.
SQLRETURN real_prepare(const real::Library& library, SQLHSTMT statement, std::string_view text,
                       bool wide);
SQLRETURN real_exec_direct(const real::Library& library, SQLHSTMT statement, std::string_view text,
                           bool wide);
/// The first column of the first row as a number; 0 for NULL, -1 when there is none.
std::int64_t first_number(const real::Library& library, SQLHSTMT statement);
/// Takes over the real handle's diagnostics as our own, so that they survive the handle's next
/// call.
void take_diagnostics(const real::Library& library, SQLSMALLINT type, SQLHANDLE handle, bool wide,
                      Handle& to);

}  // namespace understudy::capture
