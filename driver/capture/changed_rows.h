// What a statement changed where the engine returns no rows of it: asked for before and afterwards.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "driver/capture/own_statement.h"
#include "driver/sql/rows_by_key.h"

namespace understudy::capture {

/// Bytes held of the keys of rows that a statement is going to change; above it is recorded as it
/// stands, as an opaque one.
inline constexpr std::size_t kChangedRowsBytesMax = 256u << 20;
inline constexpr std::size_t kKeysPerQuestion = 256;
/// How often a statement is taken back and run again because others had brought rows under its
/// condition in between.
inline constexpr int kChangedRowsTries = 10;
inline constexpr char kRowsSavepoint[] = "understudy_rows";

/// The rows of one execution. The first question locks them, so that nobody else changes them
/// before the statement does. Guarded by Connection::write_mutex.
class ChangedRows {
 public:
  ChangedRows(Statement& stmt, const sql::Analysis& analysis, const BoundParameters& bound);

  enum class Found {
    yes,
    no,     // it cannot be asked
    error,  // what the application gets; its diagnostics are at Statement::current
  };
  /// Before the execution of this set.
  Found read_before(std::size_t set);

  /// Begins the entry of a table's rows.
  using BeginsEntry = std::function<void(const sql::RowsQuery& query)>;
  /// After it, when the real driver told of `count` changed rows: appends an entry for each table.
  /// False: what it changed is not known for certain; what was appended is void.
  bool append_after(std::size_t set, SQLLEN count, EntryWriter& entries, const BeginsEntry& begin);
  /// The same of a statement that has answered `ret` and returns old keys, rows and their places;
  /// their number goes to `count`.
  bool append_returned(SQLRETURN ret, OwnStatement& own, EntryWriter& entries,
                       const BeginsEntry& begin, SQLLEN* count, std::uint64_t* server_txid);
  /// The same of a statement that returns rows and their places, by which old keys are known.
  bool append_moved(OwnStatement& own, EntryWriter& entries, const BeginsEntry& begin,
                    SQLLEN* count);

 private:
  struct Row {
    sql::ExactKey key;
    TextId values;  // a digest of all its columns
  };
  struct Rows {
    const sql::RowsQuery* query = nullptr;
    std::vector<Row> before;  // in the order of their keys
  };

  Found run(const std::string& text);
  Found ask(const sql::RowsQuery& query, std::size_t set);
  Found planned_index(const sql::RowsQuery& query, std::size_t set, std::string* index);
  [[nodiscard]] bool refused() const;
  bool fetch(OwnStatement& from, std::size_t columns, std::vector<std::optional<std::string>>* row,
             bool* end);
  bool fetch_before(Rows* rows);
  bool fetch_places();
  bool fetch_old_keys(const sql::RowsQuery& query);
  SQLLEN append_removed(const Rows& rows, EntryWriter& entries);
  SQLLEN append_changed(const Rows& rows, EntryWriter& entries);
  [[nodiscard]] bool fires_unchanged(const Rows& rows) const;
  bool append_found(std::size_t set, SQLLEN count, EntryWriter& entries, const BeginsEntry& begin);

  Statement& stmt_;
  const sql::Analysis& analysis_;
  const BoundParameters& bound_;
  OwnStatement& own_;
  std::vector<Rows> rows_;
  std::vector<std::string> places_;  // in order
  struct OldKey {
    std::vector<std::optional<std::string>> values;
    bool doubtful = false;  // several rows may come to this place
    bool taken = false;
  };
  std::unordered_map<std::string, OldKey> old_keys_;  // by place
  std::size_t bytes_ = 0;
};

}  // namespace understudy::capture
