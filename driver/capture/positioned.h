// Writes through a cursor: SQLSetPos and SQLBulkOperations name no key, the row is the cursor's.
//
// The keys of a rowset are taken from the application's bound columns when it is fetched, since the
// application may change them there before it writes. Before such a write the rows' keys are asked
// for in exact text form, after it the rows are read again by their keys.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "driver/capture/catalog_view.h"
#include "driver/capture/write.h"
#include "driver/sql/row_query.h"

namespace understudy::capture {

inline constexpr std::size_t kBookmarksMax = 100000;  // rows of one cursor remembered by bookmark

/// The value of a key column as the application's buffer held it.
struct KeyValue {
  SQLSMALLINT c_type = 0;
  SQLLEN indicator = 0;
  std::string bytes;
};
using KeyValues = std::vector<KeyValue>;

class PositionedCursor {
 public:
  /// Null when rows cannot be told by bound key columns of one known table; `why` then names the
  /// kind under which its writes are counted.
  static std::unique_ptr<PositionedCursor> of(Statement& stmt, Session& session);

  /// A rowset has been fetched; `rows` from SQLExtendedFetch, or null.
  void fetched(const Statement& stmt, const SQLULEN* rows);

  struct KeyColumn {
    SQLUSMALLINT number = 0;  // in the result
    SQLSMALLINT sql_type = 0;
    SQLULEN size = 0;
    SQLSMALLINT digits = 0;
  };
  std::shared_ptr<CatalogView> view;
  sql::RowQuery query;
  std::vector<KeyColumn> keys;    // in key order
  std::vector<KeyValues> rowset;  // of the rows fetched last
  std::map<std::string, KeyValues> by_bookmark;
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

}  // namespace understudy::capture
