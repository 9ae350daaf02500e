// `verify`: production against shadow at one common point while both go on.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "replayer/migration/migration.h"
#include "replayer/migration/worker.h"
#include "replayer/verify/verify.h"

namespace understudy {

using Say = std::function<void(const std::string& line)>;

inline constexpr std::uint64_t kCatchUpNs =
    600 * kNsPerSecond;  // for the worker to reach the point

/// Throws Failure: (1) when the migration is not replaying or the worker does not reach the point,
/// (3) when `stop` ended it early; whoever sets that wakes the worker. The result is in the state
/// file when this returns.
VerifyResult verify_migration(Migration& migration, Worker& worker, const Say& say,
                              const std::atomic<bool>& stop);

/// The comparison alone, of these production tables (Table::display_name; none named: all), without
/// a trace in the state. Nothing when `stop` ended it early; whoever sets it wakes the worker.
/// Throws Failure, odbc::Error, std::runtime_error.
std::optional<VerifyResult> compare_at_common_point(Migration& migration, Worker& worker,
                                                    const std::vector<std::string>& tables,
                                                    const Say& say, const std::atomic<bool>& stop);

}  // namespace understudy
