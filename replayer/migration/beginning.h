// Shared memory that a migration before this one, or a data source without any, has left.
#pragma once

#include "journal/segment_map.h"

namespace understudy {

/// Sets mode and figures to a migration's beginning. The segment itself stays: programs map it as
/// long as they live, and would write unrecorded if it were replaced. Throws Failure (1) when
/// processes of a migration still run, or connections of one before it are on its shadow.
void renew_segment(SegmentMap& map);

}  // namespace understudy
