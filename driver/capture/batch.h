// PostgreSQL: several statements in one text, told apart while a migration records.
//
// The server runs such a text as one transaction unless statements in it begin and end some. Ours
// runs it statement by statement in the same transactions, each sealed before its COMMIT is sent,
// and hands the application the row counts and rows of all of them as the results of one execution.
#pragma once

#include <optional>

#include "driver/capture/session.h"

namespace understudy::capture {

/// The text of `stmt.execution` holds several statements; the session is marked and recorded.
/// Nothing when it cannot be told apart with the same results and diagnostics (nothing has run
/// then): with parameters, schema changes, calls, texts that are not understood, and where the
/// server would warn or refuse. Called with write_mutex held.
std::optional<SQLRETURN> run_batch(Statement& stmt, Session& session);

}  // namespace understudy::capture
