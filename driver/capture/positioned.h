// Writes through a cursor: SQLSetPos, SQLBulkOperations and, where the real driver makes a text of
// its own of it, WHERE CURRENT OF. They name no key, the row is the cursor's.
//
// The keys of a rowset are taken from the application's bound columns when it is fetched, since the
// application may change them there before it writes. Before such a write the rows' keys are asked
// for in exact text form, after it the rows are read again by their keys.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "driver/capture/catalog_view.h"
#include "driver/capture/row_buffers.h"
#include "driver/capture/write.h"
#include "driver/sql/row_query.h"

namespace understudy::capture {

inline constexpr std::size_t kBookmarksMax = 100000;  // rows of one cursor remembered by bookmark

using KeyValues = std::vector<BufferedValue>;

class PositionedCursor {
 public:
  /// Null when rows cannot be told by key columns of one known table: its writes are counted.
  static std::unique_ptr<PositionedCursor> of(Statement& stmt, Session& session);

  /// A rowset has been fetched; `rows` from SQLExtendedFetch, or null.
  void fetched(const RowBuffers& buffers, const SQLULEN* rows);

  struct KeyColumn {
    SQLUSMALLINT number = 0;  // in the result
    SQLSMALLINT sql_type = 0;
    SQLULEN size = 0;
    SQLSMALLINT digits = 0;
  };
  std::shared_ptr<CatalogView> view;
  const Table* table = nullptr;  // belongs to `view`
  sql::RowQuery query;
  std::vector<KeyColumn> keys;    // in key order
  std::vector<KeyValues> rowset;  // of the rows fetched last
  std::map<std::string, KeyValues> by_bookmark;
  SQLSMALLINT columns = 0;   // of the result
  SQLULEN rows_fetched = 0;  // by the last fetch, where the application has no place for it
};

/// A result has been opened on which the application may write through the cursor.
bool may_be_positioned(const Statement& stmt);
/// Runs a fetch of such a result and remembers the keys of its rows. `rows`: SQLExtendedFetch's
/// count, else null.
SQLRETURN fetch_with_keys(Statement& stmt, Session& session, const SQLULEN* rows,
                          const RunsUnchanged& fetch);

SQLRETURN run_set_pos(Statement& stmt, Session& session, SQLSETPOSIROW row, SQLUSMALLINT operation,
                      const RunsUnchanged& unchanged);
SQLRETURN run_bulk(Statement& stmt, Session& session, SQLSMALLINT operation,
                   const RunsUnchanged& unchanged);
/// An UPDATE or DELETE WHERE CURRENT OF, which Connector/ODBC turns into a statement by key.
/// Nothing, and nothing has run, when the row cannot be told. Called with write_mutex held and the
/// session marked as recorded.
std::optional<SQLRETURN> run_current_of(Statement& stmt, Session& session,
                                        const sql::Analysis& analysis,
                                        const RunsUnchanged& unchanged);

}  // namespace understudy::capture
