#include "driver/capture/two_phase.h"

#include <mutex>

namespace understudy::capture {
namespace {

SQLRETURN prepare(Session& session, const RunsUnchanged& unchanged) {
  Transaction& transaction = session.transaction;
  if (session.dialect == Dialect::mariadb) {
    const SQLRETURN ret = unchanged();
    transaction.prepared = SQL_SUCCEEDED(ret);
    return ret;
  }
  if (transaction.recorded && !transaction.nothing_yet()) session.note_uncaptured(sql::kTwoPhase);
  return session.commit(unchanged);
}

// Whose transaction it is, and what it wrote, the text does not tell. MariaDB lets a session do
// nothing else before it has ended what it has prepared.
SQLRETURN commit_prepared(Statement& stmt, Session& session, const RunsUnchanged& unchanged) {
  if (session.transaction.prepared) return session.commit(unchanged);
  BeginWrite how = BeginWrite::unrecorded;
  SQLRETURN ret = SQL_ERROR;
  if (!begin_marked(stmt, session, &how, &ret)) return ret;
  ret = unchanged();
  if (how == BeginWrite::recorded && SQL_SUCCEEDED(ret)) session.note_uncaptured(sql::kTwoPhase);
  (void)session.commit([] { return static_cast<SQLRETURN>(SQL_SUCCESS); });
  return ret;
}

}  // namespace

SQLRETURN run_two_phase(Statement& stmt, Session& session, const RunsUnchanged& unchanged) {
  const std::lock_guard lock(session.dbc.write_mutex);
  // From XA END on the server answers nothing but the end itself.
  if (session.transaction.tainted) session.settle_taint();
  switch (stmt.execution->classification().two_phase) {
    case sql::TwoPhase::prepares:
      return prepare(session, unchanged);
    case sql::TwoPhase::commits_alone:
      return session.commit(unchanged);
    case sql::TwoPhase::commits:
      return commit_prepared(stmt, session, unchanged);
    case sql::TwoPhase::rolls_back:
      return session.transaction.by_text ? session.rollback(unchanged) : unchanged();
    default:
      break;
  }
  const SQLRETURN ret = unchanged();
  const bool begins = stmt.execution->classification().two_phase == sql::TwoPhase::begins;
  if (begins && SQL_SUCCEEDED(ret)) session.transaction.by_text = true;
  return ret;
}

}  // namespace understudy::capture
