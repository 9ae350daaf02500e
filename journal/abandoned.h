// A hold or a switch whose replayer has died. Nobody would end a switch before the next `start`,
// and a hold not before its deadline: journald does it, so that the sessions that wait go on.
#pragma once

#include <string>

#include "journal/file_system.h"
#include "journal/segment_map.h"
#include "journal/status.h"

namespace understudy {

/// Where a hold or a switch is under way and no other process holds kLockReplayer, ends it as the
/// state file in `folder` says, on the side that it names; the file's name is made durable first.
/// A new replayer that comes meanwhile decides the same. Code::ok also when there is nothing to do;
/// an error leaves it to the next `start`. Not before the caller is a process of its own: its own
/// lock is not seen.
Status end_abandoned_turn(SegmentMap& map, const std::string& folder, FileSystem& files);

}  // namespace understudy
