// One execution on its way into the journal, and the entry that it becomes.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "driver/capture/session.h"
#include "driver/sql/row_query.h"

namespace understudy::capture {

/// What an execution is made of while it runs; all of it belongs to the caller.
struct Work {
  Statement& stmt;
  Session& session;
  const Plan& plan;
  const BoundParameters& bound;
  const std::vector<LateValue>& late;

  [[nodiscard]] Execution& execution() const { return *stmt.execution; }
  [[nodiscard]] EntryWriter& entries() const { return session.transaction.entries; }
  [[nodiscard]] Slice all() const { return {0, bound.sets()}; }
};

/// Runs the application's own call on its own real statement, unchanged.
using RunsUnchanged = std::function<SQLRETURN()>;
/// Runs a slice on the server; what the real driver answered.
using RunsSlice = std::function<SQLRETURN(Slice)>;

/// The statement has done what it was asked, if only to nothing.
bool done(SQLRETURN ret);
/// An execution under capture runs to its end: what it did has to be known before anything follows.
SQLRETURN to_its_end(const RunsUnchanged& call);
/// MariaDB: before and after what may run several statements, such as a call of a procedure, under
/// autocommit: when they differ, a part of it stands although it failed. Nothing of other
/// statements and engines.
std::optional<std::string> rows_written(Statement& stmt, Session& session);
/// In a transaction, where a question before the call would change what FOUND_ROWS() says: whether
/// the call of a procedure that failed may have written something before it did.
bool perhaps_in_part(const Statement& stmt, const Session& session);

/// It ran on our own statement: not where the server has refused our text, and the application's
/// own statement has run.
bool on_own(const Work& work);

/// Opens the entry of one parameter set. `rows`: of the rows that were asked for, whose shape is
/// another than that of the statement's effects.
void begin_entry(const Work& work, std::size_t set, const sql::RowsQuery* rows = nullptr);
/// The open entry stands; `rows` it changed, -1 when not known.
void end_entry(const Work& work, SQLLEN rows);
/// The open entry stands when the execution changed something, and is dropped otherwise.
void settle_entry(const Work& work, SQLRETURN ret, SQLLEN rows);

}  // namespace understudy::capture
