// Concluding from rows whether a transaction was committed: production in a snapshot against the
// shadow, which still stands before the transaction.
#pragma once

#include <optional>

#include "journal/record.h"
#include "journal/segment.h"
#include "replayer/migration/databases.h"

namespace understudy {

/// Reads the transaction at `seq` and what follows it up to the marker. Rows that a later
/// transaction wrote too say nothing. `committed` or `rolled_back` only when at least one row
/// decides and none contradicts; otherwise nothing. SQLite only. Throws on damage of the journal.
std::optional<Outcome> outcome_by_rows(JournalReader& journal, std::uint64_t seq,
                                       std::uint64_t marker_id, const Database& production,
                                       const Database& shadow, const Catalog& shadow_catalog);

}  // namespace understudy
