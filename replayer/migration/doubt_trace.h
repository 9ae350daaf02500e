// What a row would be with and without a transaction, seen on the shadow: keyed statements depend
// on their row and on constants alone, so that those of one row can be run by themselves.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "replayer/migration/databases.h"

namespace understudy {

inline constexpr std::size_t kTracedStatementsMax = 10'000;  // of one transaction in doubt

/// A keyed statement of one row, as it was recorded.
struct RowStatement {
  std::string text;
  std::vector<odbc::Bind> parameters;
};

/// A row since the transaction in doubt.
struct RowTrace {
  std::vector<RowStatement> mine;   // of the transaction
  std::vector<RowStatement> later;  // of committed ones behind it
  bool untold = false;              // something else has written it, too, or may have
};

using RowImage = std::optional<std::vector<odbc::OptionalText>>;  // nothing: not there

struct TracedRow {
  RowImage with, without;
};

/// Runs the statements on `shadow`, a connection of its own to the shadow, which stands before the
/// transaction; in transactions that are rolled back. `look` reads the row on it. Nothing when a
/// statement is refused: a row that it refers to may have been another's; nothing, and none is run,
/// where the shadow has tables without transactions. Throws odbc::Error when
/// the connection is lost.
std::optional<TracedRow> trace_row(const Database& shadow, const RowTrace& trace,
                                   const std::function<RowImage()>& look);

}  // namespace understudy
