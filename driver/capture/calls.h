// MariaDB: procedures that give back parameters, send results, or fail when they have written.
//
// A call is over on the server before the application has read anything. What it sends waits on the
// connection, which takes no COMMIT before, and the real driver takes one result after the other
// into the statement that asks for it. It does not look at which statement that is: others of ours
// take all that come, the transaction is sealed and committed, and the application reads them where
// they are, as results of its own statement.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "driver/capture/work.h"

namespace understudy::capture {

/// The definitions of the procedure that this text calls, the first, and of those that they call.
/// Nothing where the account may not see one, or they are too many. Called with write_mutex held.
std::optional<std::vector<std::string>> called_definitions(Statement& stmt,
                                                           const std::string& text);

/// How many results follow the first one at the most, 0 when there is none; nothing where that is
/// not known, or the real driver is none that lets another statement take them. `gives_back`:
/// parameters, as a result.
std::optional<std::size_t> results_behind(const Session& session,
                                          const std::vector<std::string>& definitions,
                                          bool gives_back);

/// Whether any of them may send rows.
bool sends_rows(const std::vector<std::string>& definitions);

/// The call of a procedure that sends no rows has failed with what the present statement tells, and
/// may have written before: what stands of it is recorded, in the open transaction. False: not,
/// since the error is not one that the shadow would give again.
bool record_failed_call(const Work& work);

/// Runs and records a call in a transaction of its own. Nothing when it cannot (nothing has
/// run then). Called with write_mutex held, the session marked as recorded, outside of
/// transactions.
std::optional<SQLRETURN> run_call(const Work& work, std::size_t behind, bool direct,
                                  const RunsUnchanged& unchanged);

}  // namespace understudy::capture
