// `complete` and `cancel`: the end of a migration.
#pragma once

#include "replayer/migration/migration.h"
#include "replayer/migration/verification.h"

namespace understudy {

/// After the switch only, otherwise Failure (1). Nothing is recorded any more and there is no way
/// back. Drivers that still use the old data source stay on the shadow as long as the segment is
/// there.
void complete_migration(Migration& migration);
/// Afterwards, once nothing is applied any more: drops the table of positions where it is of no
/// more use, and says so.
void drop_positions(Migration& migration, const Say& say);
/// Before the switch only, otherwise Failure (1). Drivers pass through to production again.
void cancel_migration(Migration& migration, const Say& say);
/// Removes the journal's files once a migration has ended and neither of its processes runs, and
/// says how many files and bytes that were. What is no file of the journal stays, and is named.
/// Throws Failure (1) when a process runs or the migration has not ended, Failure (3) when a file
/// stays.
void delete_journal(const Home& home, const Say& say);
/// Waits until the process that holds kLockJournald or kLockReplayer has seen the end and stopped.
/// Throws Failure (3) that names its log when it does not within 10 s.
void wait_for_end(SegmentMap& map, std::uint64_t lock, const std::string& log);

}  // namespace understudy
