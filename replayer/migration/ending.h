// `complete` and `cancel`: the end of a migration.
#pragma once

#include "replayer/migration/migration.h"
#include "replayer/migration/verification.h"

namespace understudy {

/// After the switch only, otherwise Failure (1). Drops the position table on the shadow. Drivers
/// that still use the old data source stay on the shadow as long as the segment is there.
void complete_migration(Migration& migration, const Say& say);
/// Before the switch only, otherwise Failure (1). Drivers pass through to production again.
void cancel_migration(Migration& migration, const Say& say);
/// Waits until journald has seen the end and stopped. Failure (3) when it does not within 10 s.
void wait_for_journald_end(Migration& migration);

}  // namespace understudy
