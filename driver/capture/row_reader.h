// Rows read again by their keys, with statements of our own.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "driver/capture/own_statement.h"
#include "driver/capture/positioned.h"

namespace understudy::capture {

/// Questions for the rows of one cursor. Guarded by Connection::write_mutex.
class RowReader {
 public:
  RowReader(Statement& stmt, const PositionedCursor& cursor)
      : stmt_(stmt), cursor_(cursor), question_(stmt) {}

  enum class Wanted {
    key,     // of a row that is going to be written: locked as by the write itself
    row,     // as it stands now
    own_row  // which this transaction has made
  };
  /// The columns of one row in exact text; empty when there is no such row, nothing when it could
  /// not be asked for.
  using Columns = std::vector<std::optional<std::string>>;
  std::optional<Columns> read(const KeyValues& key, Wanted wanted);
  /// The rows that a write of the application's has just added, `count` of them, all with keys that
  /// the server made; nothing when it cannot be told which these are.
  std::optional<std::vector<Columns>> read_made(std::size_t count);
  /// The last question was refused as the application's own write would have been: a deadlock, a
  /// lock that did not come. `to` gets what the server said of it.
  bool locked_out(Handle& to);
  /// The key that the server has made for the row this connection inserted last. Only after it has
  /// made one: PostgreSQL fails the transaction otherwise.
  std::optional<KeyValues> generated_key();
  /// MariaDB: whether the server takes a key of 0 as it is given. Nothing when it does not say.
  std::optional<bool> keeps_zero();

 private:
  bool bind(const KeyValues& key);
  bool read_columns(std::size_t count, Columns* out);

  Statement& stmt_;
  const PositionedCursor& cursor_;
  OwnStatement question_;
};

/// The key of the row that the cursor stands on, where the application has not bound its columns;
/// nothing when it cannot be read without the application noticing.
std::optional<KeyValues> key_of_current_row(const Statement& stmt, const PositionedCursor& cursor);

}  // namespace understudy::capture
