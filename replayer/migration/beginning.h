// What has to be so before recording begins: shared memory that a migration before this one, or a
// data source without any, has left; programs that could not be recorded.
#pragma once

#include "journal/segment_map.h"
#include "replayer/migration/home.h"

namespace understudy {

/// Sets mode and figures to a migration's beginning. The segment itself stays: programs map it as
/// long as they live, and would write unrecorded if it were replaced. Throws Failure (1) when
/// processes of a migration still run, or connections of one before it are on its shadow.
void renew_segment(SegmentMap& map);

/// Before production's writes are recorded, or are again: throws Failure (1) when a program lives
/// that has left word that it cannot be recorded. Words of programs that have ended are forgotten.
void require_all_recorded(const Home& home);
/// While they are: throws Failure (1) when any such word is there.
void require_all_were_recorded(const Home& home);

}  // namespace understudy
