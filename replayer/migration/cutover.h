// `cutover`: production's writers are held, the rest is replayed, and the state file says
// `switched`. Before that line is on disk every failure and every timeout leaves production in use.
// `reverse`: the same back, until the state file says `replaying`; before that the shadow stays in
// use.
#pragma once

#include <string>
#include <vector>

#include "replayer/migration/figures.h"
#include "replayer/migration/migration.h"
#include "replayer/migration/verification.h"
#include "replayer/migration/worker.h"

namespace understudy {

struct CutoverOptions {
  bool dry_run = false;
  double timeout_s = 10;          // of the hold
  std::vector<std::string> skip;  // guardrails by name
};

inline constexpr double kTimeoutSecondsMax = 3600;
inline constexpr std::uint64_t kPrepareNs =
    2 * kNsPerSecond;  // for sessions to connect to the other side
inline constexpr std::uint64_t kRecentCallNs = 1 * kNsPerSecond;  // such a session is busy

/// Throws Failure: 1 a guardrail is not met or the time is up, 2 an unknown guardrail, 3 failed.
void cut_over(Migration& migration, Worker& worker, const CutoverOptions& options, const Say& say);
/// The same.
void cut_back(Migration& migration, Worker& worker, const CutoverOptions& options, const Say& say);

/// When a replayer process begins: what one before it left of a hold or a switch is ended as the
/// state file says.
void settle_interrupted_cutover(Migration& migration);

}  // namespace understudy
