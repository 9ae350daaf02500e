// What differs between engines for whoever acts on a database: catalog queries, exact text form of
// values, snapshots, sequences, the applied position, resolving doubt.
//
// Exact text form (docs/reference/values.md): PostgreSQL `column::text`; SQLite a literal as by
// `quote(column)`; MariaDB a plain text, hexadecimal for bytes. A row read in it from one
// side and written with `insert_sql` + `bind` to the other is the same row. All methods throw
// odbc::Error; a dialect object is stateless and may be shared by threads.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "journal/catalog.h"
#include "journal/record.h"
#include "replayer/odbc/odbc.h"

namespace understudy {

using Row = std::vector<odbc::OptionalText>;

struct SequenceState {
  std::string schema, name;   // PostgreSQL: the sequence; SQLite: empty and the table
  std::string table, column;  // that it feeds, where known
  long long last_value = 0;
  bool is_called = true;
};

/// What the engine itself counts of the writes to a table.
struct TableWrites {
  std::string table;        // as Table::display_name(); empty: the database as a whole
  std::uint64_t count = 0;  // never falls while the server runs
  bool rows = false;        // counts rows; otherwise it only changes when something was written
  /// Where rows of several tables are counted together, since they are written through one of
  /// them: all of them, `table` too. Empty: it alone.
  std::vector<std::string> members = {};
};

/// A column of the target that the rows to be written do not have. `sql` is its value, in brackets
/// or otherwise whole, over the other columns of the row by their plain names.
struct AddedColumn {
  std::uint32_t column = 0;
  std::string sql;
  bool constant = false;  // written when the row is made, and left alone afterwards
};

/// How a transaction ended, as far as the server knows. After a crash a server gives ids once more
/// whose transactions had left nothing on its disk: `committed_before_restart` is such an id only
/// if the server has crashed more than once since, `maybe_another` may well be.
enum class TxnStatus {
  committed,
  rolled_back,
  in_progress,
  unknown,
  committed_before_restart,
  maybe_another,
};

/// Wall clock of this host, microseconds.
struct TxnTimes {
  std::int64_t writing_at_us = 0;  // its id was not given before; 0: not known
  std::int64_t sealed_at_us = 0;   // its COMMIT was not sent before
};

inline constexpr char kPositionTable[] = "understudy_position";

class SqlDialect {
 public:
  virtual ~SqlDialect() = default;
  [[nodiscard]] virtual Dialect kind() const = 0;
  [[nodiscard]] virtual std::string quote(std::string_view identifier) const = 0;
  [[nodiscard]] std::string qualified(const Table& table) const;

  /// User tables and views of the database (system schemas left out), everything Catalog holds.
  virtual Catalog read_catalog(odbc::Connection& db) const = 0;

  /// SELECT of `columns` (ordinals) in exact text form, ordered by the table's key (or the engine's
  /// row identity), `limit` rows after the place `after` (a row of exact texts of the ordering
  /// columns; empty: from the start). The ordering columns are appended after `columns` in the
  /// result, so that the last row gives the next `after`. Parameters of the text:
  /// bind_place(after). `more`: expressions over the row's columns, behind `columns` in the result.
  virtual std::string page_sql(const Table& table, const std::vector<std::uint32_t>& columns,
                               bool has_after, std::uint64_t limit,
                               const std::vector<std::string>& more = {}) const = 0;
  /// A column (as written in SQL) in exact text form, as page_sql reads it.
  [[nodiscard]] virtual std::string exact_text(const Column& column,
                                               const std::string& written) const = 0;
  /// How many ordering columns page_sql appends; 0: it reads the whole table, in no order.
  [[nodiscard]] virtual std::size_t place_columns(const Table& table) const = 0;
  virtual std::vector<odbc::Bind> bind_place(const Table& table, const Row& after) const = 0;

  /// A constant of the mapping (`number`: a number or a boolean, as digits or a word) and an
  /// expression as the value of an added column.
  [[nodiscard]] virtual std::string constant_sql(const Column& column, std::string_view text,
                                                 bool number) const = 0;
  [[nodiscard]] virtual std::string expression_sql(const Column& column,
                                                   std::string_view text) const = 0;
  /// '1' where the column of a row holds the value of this SQL as it would be stored, else '0'.
  [[nodiscard]] virtual std::string holds_sql(const Column& column,
                                              const std::string& sql) const = 0;

  /// Whether the added column's value follows from the row alone, as the engine judges: it is asked
  /// for an index or a stored column of it on a temporary table. In autocommit.
  [[nodiscard]] bool is_deterministic(odbc::Connection& db, const Table& table,
                                      const AddedColumn& added) const;

  /// Writes by columns, every value a parameter in the order given; `added` takes none.
  virtual std::string insert_sql(const Table& table, const std::vector<std::uint32_t>& columns,
                                 std::size_t rows = 1,
                                 const std::vector<AddedColumn>& added = {}) const = 0;
  /// SET columns..., WHERE key...; the key values follow as parameters. Of `added` the expressions.
  virtual std::string update_sql(const Table& table, const std::vector<std::uint32_t>& columns,
                                 const std::vector<std::uint32_t>& key,
                                 const std::vector<AddedColumn>& added = {}) const = 0;
  virtual std::string delete_sql(const Table& table,
                                 const std::vector<std::uint32_t>& key) const = 0;
  /// Deletes all rows.
  virtual std::string clear_sql(const Table& table) const = 0;
  /// Many rows whose keys change, as one statement: only at its end have the keys to be unique and
  /// referred to. For each row its columns, then its old key. Empty: not in this engine.
  virtual std::string move_sql(const Table& table, const std::vector<std::uint32_t>& columns,
                               const std::vector<std::uint32_t>& key, std::size_t rows,
                               const std::vector<AddedColumn>& added = {}) const {
    (void)table, (void)columns, (void)key, (void)rows, (void)added;
    return {};
  }
  /// Update and delete for one row of a table without a key, the whole old row in exact texts as
  /// the parameters that say which. Empty: not in this engine.
  virtual std::string update_whole_row_sql(const Table& table,
                                           const std::vector<std::uint32_t>& columns) const = 0;
  virtual std::string delete_whole_row_sql(const Table& table,
                                           const std::vector<std::uint32_t>& columns) const = 0;
  /// A parameter for a value in exact text form of a column.
  virtual odbc::Bind bind(const Column& column, const odbc::OptionalText& exact) const = 0;
  virtual odbc::Bind bind(const Column& column, std::optional<std::string_view> exact) const = 0;

  /// Connection string additions for the shadow's applying connection (driver options).
  [[nodiscard]] virtual std::string apply_options(std::string_view driver_name) const {
    (void)driver_name;
    return {};
  }

  /// Fixes the session settings that exact texts depend on (time zone, date and interval style).
  /// open_snapshot does it too.
  virtual void prepare_session(odbc::Connection& db) const = 0;

  /// Opens a transaction whose reads all see one state, and fixes that state now.
  virtual void open_snapshot(odbc::Connection& db) const = 0;
  virtual void close_snapshot(odbc::Connection& db) const = 0;
  /// Whether a snapshot held open leaves writers undisturbed (SQLite: only in WAL mode); a remedy.
  virtual bool snapshot_is_free(odbc::Connection& db, std::string* remedy) const = 0;
  /// What the engine cannot keep exactly in this database: one sentence each, with a remedy.
  virtual std::vector<std::string> weak_spots(odbc::Connection& db) const {
    (void)db;
    return {};
  }
  /// Triggers that may change a row before it is written, as table.trigger: rows of the journal
  /// have been changed by production's already.
  virtual std::vector<std::string> rewriting_triggers(odbc::Connection& db) const {
    (void)db;
    return {};
  }
  /// What was written so far by anybody, as far as the engine tells without a privilege. Late by
  /// some seconds; rows taken back again may be counted.
  virtual std::vector<TableWrites> table_writes(odbc::Connection& db) const = 0;
  [[nodiscard]] virtual double estimated_rows(odbc::Connection& db, const Table& table) const = 0;

  /// Whether this session refuses a row whose parent is absent.
  [[nodiscard]] virtual bool enforces_foreign_keys(odbc::Connection& db) const = 0;
  /// The most rows one insert_sql should hold for `columns` columns (measured, and limits).
  [[nodiscard]] virtual std::size_t insert_rows_max(std::size_t columns) const = 0;
  /// Around the copy into the shadow: triggers off and on again, where the engine can.
  virtual void before_copy(odbc::Connection& shadow, const Table& table) const = 0;
  virtual void after_copy(odbc::Connection& shadow, const Table& table) const = 0;
  /// Empties a table without cascades (restart of a copy).
  virtual void empty_table(odbc::Connection& shadow, const Table& table) const = 0;

  virtual std::vector<SequenceState> read_sequences(odbc::Connection& db) const = 0;
  /// Sets the shadow's sequences to where production's stand, never backwards. Returns how many.
  virtual int set_sequences(odbc::Connection& shadow, const std::vector<SequenceState>& production,
                            const Catalog& shadow_catalog) const = 0;

  /// CREATE TABLE IF NOT EXISTS understudy_position(migration PRIMARY KEY, seq, ...).
  virtual void make_position_table(odbc::Connection& shadow) const = 0;
  /// The same, but nothing is asked of the server where the table is there: an account that may not
  /// create tables can use one that was made for it. In autocommit.
  void need_position_table(odbc::Connection& db) const;
  /// Whether need_position_table would succeed; nothing stays changed. In autocommit.
  [[nodiscard]] bool may_make_position_table(odbc::Connection& db) const;
  /// Whether CREATE TABLE is undone by ROLLBACK.
  [[nodiscard]] virtual bool tables_roll_back() const { return true; }
  /// What the account's own privileges say, where it cannot be tried.
  [[nodiscard]] virtual bool may_create_tables(odbc::Connection& db) const {
    (void)db;
    return true;
  }
  /// Whether SELECT ... FOR UPDATE waits for whoever has changed the row.
  [[nodiscard]] virtual bool waits_for_rows() const { return true; }
  [[nodiscard]] virtual bool can_resolve() const = 0;  // txn_status knows
  virtual TxnStatus txn_status(odbc::Connection& production, std::uint64_t server_txid,
                               const TxnTimes& times) const = 0;

 protected:
  /// Statements that all succeed only when the column's value is deterministic; they leave nothing
  /// that outlives the connection.
  [[nodiscard]] virtual std::vector<std::string> deterministic_probe(
      const Table& table, const AddedColumn& added) const = 0;
};

/// Code by dialect; of a generic one for an engine of which nothing is known.
const SqlDialect& sql_dialect(Dialect dialect);
/// The same for the engine that the catalog was read from.
const SqlDialect& sql_dialect(const Catalog& catalog);
/// By SQL_DBMS_NAME.
Dialect dialect_of(odbc::Connection& db);
/// The dialect of this connection, which from then on reads values as it needs them. `generic`:
/// whatever the engine is. In autocommit. Throws odbc::Error.
const SqlDialect& dialect_for(odbc::Connection& db, bool generic = false);

}  // namespace understudy
