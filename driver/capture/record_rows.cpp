#include "driver/capture/record_rows.h"

#include <optional>
#include <string>

#include "driver/capture/changed_rows.h"
#include "driver/capture/collected.h"
#include "driver/capture/merged_rows.h"
#include "driver/capture/row_counts.h"
#include "driver/sql/collect.h"

namespace understudy::capture {
namespace {

// As it stands, since its rows are not known. `ran`: it has run already and changed `changed` rows.
SQLRETURN record_opaque(const Work& work, Slice slice, const RunsSlice& run,
                        std::optional<SQLRETURN> ran = std::nullopt, SQLLEN changed = -1) {
  Plan plan = work.plan;
  plan.verdict = Verdict::opaque;
  plan.asks = false;
  plan.values = work.bound.obstacle() == nullptr;
  const Work opaque{work.stmt, work.session, plan, work.bound, work.late};
  begin_entry(opaque, slice.first);
  const SQLRETURN ret = ran ? *ran : run(slice);
  const SQLLEN count = !done(ret) ? 0 : ran ? changed : rows_changed(opaque, ret);
  settle_entry(opaque, ret, count);
  return settle_own(work, slice, ret, count);
}

using TakesBack = std::function<bool()>;

// The statement has kept what it changed on the server. Nothing: that is not known, and it was
// taken back.
std::optional<SQLRETURN> record_kept(const Work& work, Slice slice, const RunsSlice& run,
                                     const TakesBack& back) {
  if (!begin_collecting(work.session)) return std::nullopt;
  const SQLRETURN ret = run(slice);
  if (!done(ret)) {
    forget_collected(work.stmt, work.session);
    return settle_own(work, slice, ret, 0);
  }
  work.session.keep_found_rows();
  const EntryWriter::Mark mark = work.entries().mark();
  if (work.plan.verb == Verb::put && on_own(work)) {
    begin_entry(work, slice.first);
    OwnStatement& own = work.execution().own;
    const std::size_t columns = work.plan.analysis->columns.size();
    const SQLLEN put = own.read_rows(columns, false, Verb::put, &work.entries(), nullptr);
    own.close();
    const SQLLEN told = put < 0 ? -1 : count_upsert(work.stmt, put, work.session.counts_found);
    if (told >= 0) {
      settle_entry(work, ret, put);
      return settle_own(work, slice, ret, told);
    }
    work.entries().rewind(mark);
    return back() ? std::nullopt : std::optional(record_opaque(work, slice, run, ret));
  }
  const SQLLEN count = rows_changed(work, ret);
  begin_entry(work, slice.first);
  const SQLLEN rows = append_kept(work.stmt, work.session, *work.plan.analysis);
  // Where the server counts what it has found, too, the rows are asked for when some have not
  // changed.
  if (rows == count) {
    settle_entry(work, ret, rows);
    return settle_own(work, slice, ret, count);
  }
  work.entries().rewind(mark);
  if (back()) return std::nullopt;
  return record_opaque(work, slice, run, ret, count);
}

// A MERGE has kept by which keys its rows are found.
SQLRETURN record_merge(const Work& work, Slice slice, const RunsSlice& run, bool saved,
                       const TakesBack& back) {
  for (int left = kMergeTries;; --left) {
    const SQLRETURN ret = run(slice);
    if (!done(ret)) return settle_own(work, slice, ret, 0);
    const SQLLEN count = rows_changed(work, ret);
    MergedRows rows(work.stmt, *work.plan.analysis);
    if (rows.read(count)) {
      rows.append(work, slice.first);
      if (saved) work.session.send_aside(std::string("RELEASE ") + kRowsSavepoint);
      return settle_own(work, slice, ret, count);
    }
    const bool undone = back();
    if (undone && left > 1) continue;
    const SQLRETURN told =
        undone ? record_opaque(work, slice, run) : record_opaque(work, slice, run, ret, count);
    (void)OwnStatement(work.stmt).ask(sql::collect_sql());  // it has kept its rows once more
    return told;
  }
}

// The question failed as the statement would have.
SQLRETURN told_by_question(const Work& work) {
  work.execution().failed_on_own = true;
  remember_rows(work, SQL_ERROR);
  return SQL_ERROR;
}

// The engine does not return what it changed, or not all of it: that is asked for.
SQLRETURN record_asked(const Work& work, Slice slice, const RunsSlice& run, bool saved,
                       const TakesBack& back) {
  Session& session = work.session;
  EntryWriter& entries = work.entries();
  const sql::Analysis& analysis = *work.plan.analysis;
  const bool returns =
      work.plan.text == &analysis.rewritten_with_txid || work.plan.text == &analysis.rewritten;
  ChangedRows rows(work.stmt, analysis, work.bound);
  const auto begin = [&](const sql::RowsQuery& query) { begin_entry(work, slice.first, &query); };
  // On SQLite nobody comes in between.
  const bool once = session.dialect == Dialect::sqlite;
  session.keep_found_rows();
  for (int left = once ? 1 : kChangedRowsTries;; --left) {
    const ChangedRows::Found found = rows.read_before(slice.first);
    if (found == ChangedRows::Found::error) return told_by_question(work);
    if (found == ChangedRows::Found::no && session.dialect != Dialect::mariadb) back();
    if (found == ChangedRows::Found::no || left == 0) return record_opaque(work, slice, run);
    const SQLRETURN ret = run(slice);
    if (!done(ret)) return settle_own(work, slice, ret, 0);
    session.keep_found_rows();
    if (!returns && session.warned())
      return record_opaque(work, slice, run, ret, rows_changed(work, ret));
    const EntryWriter::Mark mark = entries.mark();
    SQLLEN count = returns ? 0 : rows_changed(work, ret);
    OwnStatement& own = work.execution().own;
    const bool known = returns && once ? rows.append_moved(own, entries, begin, &count)
                       : returns       ? rows.append_returned(ret, own, entries, begin, &count,
                                                              &session.transaction.server_txid)
                                       : rows.append_after(slice.first, count, entries, begin);
    if (known) {
      session.spill();
      // Nested ones would pile up there.
      if (saved && session.dialect != Dialect::mariadb) {
        session.send_aside(std::string("RELEASE SAVEPOINT ") + kRowsSavepoint);
      }
      return settle_own(work, slice, ret, count);
    }
    if (returns) work.execution().own.close();
    entries.rewind(mark);
    if (back()) continue;
    return record_opaque(work, slice, run, ret, count);
  }
}

}  // namespace

SQLRETURN record_by_rows(const Work& work, Slice slice, const RunsSlice& run) {
  Session& session = work.session;
  const bool asks_before = !work.plan.analysis->before.empty();
  const std::string name = kRowsSavepoint;
  const bool saved = (asks_before || work.plan.keeps) && session.takes_savepoints() &&
                     SQL_SUCCEEDED(session.send_aside("SAVEPOINT " + name));
  const TakesBack back = [&] {
    return saved && SQL_SUCCEEDED(session.send_aside("ROLLBACK TO SAVEPOINT " + name));
  };
  if (!work.plan.analysis->merges.empty()) return record_merge(work, slice, run, saved, back);
  if (!work.plan.keeps) return record_asked(work, slice, run, saved, back);
  if (const auto ret = record_kept(work, slice, run, back)) return *ret;
  const SQLRETURN ret =
      asks_before ? record_asked(work, slice, run, saved, back) : record_opaque(work, slice, run);
  forget_collected(work.stmt, session);
  return ret;
}

}  // namespace understudy::capture
