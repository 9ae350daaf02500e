// Concluding from rows whether a transaction was committed: production in a snapshot against the
// shadow, which still stands before the transaction.
#pragma once

#include <functional>
#include <optional>

#include "journal/record.h"
#include "journal/segment.h"
#include "replayer/mapping/table_pair.h"
#include "replayer/migration/databases.h"

namespace understudy {

/// Where a transaction would go.
struct DoubtTarget {
  const Database& database;
  const Catalog& source_catalog;
  const Catalog& catalog;
  const Mapped& mapped;
  std::function<Database()> another;  // one more connection to it
};

/// Reads the transaction at `seq` and what follows it up to the marker. A row that later
/// transactions wrote too says something only where all of them, and this one, wrote it by keyed
/// statements, whose outcome is known: see doubt_trace.h. `committed` or `rolled_back` only when at
/// least one row decides and none contradicts; otherwise nothing. Rows of mapped tables say
/// nothing, since the sides hold them differently. Throws on damage of the journal.
std::optional<Outcome> outcome_by_rows(JournalReader& journal, std::uint64_t seq,
                                       std::uint64_t marker_id, const Database& production,
                                       const DoubtTarget& target);

}  // namespace understudy
