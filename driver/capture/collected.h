// Effects that a statement with a RETURNING of its own left on the server for us to fetch.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "driver/capture/plan.h"
#include "driver/capture/session.h"

namespace understudy::capture {

/// Before a statement that keeps rows. False: they would not be known.
bool begin_collecting(Session& session);

/// Fetches the rows that the execution of `plan` left behind and appends them to the open entry.
/// Returns their number, or -1 when they are not there or were more than the server kept.
SQLLEN collect_rows(Statement& stmt, Session& session, const Plan& plan);

/// The same of the rows that an UPDATE has kept: Analysis::keeping.
SQLLEN append_kept(Statement& stmt, Session& session, const sql::Analysis& analysis);

/// The marks of an upsert that has returned `rows` rows: how many the server would have counted;
/// -1 when they are not there. `found`: rows that were there and stayed as they were count as well.
SQLLEN count_upsert(Statement& stmt, SQLLEN rows, bool found);

/// Reads one row of `columns` values off the front of `text`, in the form that
/// sql::collected_value writes: the length in characters (`in_bytes`: in bytes), a colon and the
/// text, or a dash for NULL. Empty when the text has another form.
std::vector<std::optional<std::string_view>> take_collected_row(std::string_view* text,
                                                                std::size_t columns, bool in_bytes);

/// The statement failed: what it left behind must not be taken for the next one's.
void forget_collected(Statement& stmt, const Session& session);

}  // namespace understudy::capture
