// One by one: what went wrong is isolated.
#include <algorithm>
#include <utility>

#include "replayer/apply/applier_impl.h"
#include "replayer/apply/fingerprint.h"
#include "replayer/apply/shadow_errors.h"

namespace understudy {
namespace {

bool has_moves(const FeedTransaction& transaction) {
  bool moves = false;
  transaction.for_each([&](const Entry& entry) {
    const auto& rows = entry.statement.rows;
    moves = rows.size() > 1 && rows.front().verb == Verb::move;
    return !moves;
  });
  return moves;
}

// Of the state that says nothing, the engine's own number too.
std::string state_of(const odbc::Error& error) {
  constexpr std::string_view kGeneral = "HY000";
  const std::string number =
      error.sqlstate() == kGeneral ? " (" + std::to_string(error.native()) + ")" : "";
  return "sqlstate " + error.sqlstate() + number;
}

}  // namespace

std::vector<odbc::Bind> recorded_parameters(const StatementEntry& statement) {
  std::vector<odbc::Bind> out;
  out.reserve(statement.parameters.size());
  for (const auto& parameter : statement.parameters) {
    odbc::Bind bind;
    bind.io_type = parameter.io_type;
    bind.c_type = parameter.c_type;
    bind.sql_type = parameter.sql_type;
    bind.column_size = parameter.column_size;
    bind.digits = parameter.digits;
    bind.indicator = static_cast<SQLLEN>(parameter.indicator);
    bind.bytes = parameter.bytes;
    out.push_back(std::move(bind));
  }
  return out;
}

long long Applier::Impl::run(std::string_view text, const std::vector<odbc::Bind>& parameters) {
  return run_on(prepared, text, parameters);
}

// The server reads literals when it prepares the text: '12:00' is of the time zone of then.
long long Applier::Impl::run_recorded(std::string_view text,
                                      const std::vector<odbc::Bind>& parameters) {
  if (!context.known() || recorded_under != context.present()) {
    recorded_texts.clear();
    recorded_under = context.present();
  }
  return run_on(recorded_texts, text, parameters);
}

long long Applier::Impl::run_on(PreparedStatements& statements, std::string_view text,
                                const std::vector<odbc::Bind>& parameters) {
  ++total.figures.round_trips;
  return sent_as_utf16([&] {
    // psqlodbc runs a call with an answer only when it sees text and bindings together.
    const bool answers = std::any_of(parameters.begin(), parameters.end(), [](const auto& one) {
      return one.io_type != SQL_PARAM_INPUT;
    });
    return parameters.empty() || answers ? statements.run_once(text, parameters)
                                         : statements.run(text, parameters);
  });
}

void Applier::Impl::count(const StatementEntry& statement, Tally& tally) {
  ++tally.figures.statements;
  if (statement.verdict == Verdict::keyed) ++tally.figures.keyed;
  if (statement.verdict == Verdict::effects) ++tally.figures.effects;
  if (statement.verdict == Verdict::opaque) ++tally.figures.opaque;
}

void Applier::Impl::note(const FeedTransaction& transaction, const Note& note, Tally& tally) {
  ++tally.figures.uncaptured;
  tally.divergence(std::string(note.detail.substr(0, kFingerprintBytesMax)),
                   "uncaptured " + std::string(note.kind.substr(0, kFingerprintBytesMax)),
                   transaction.seq);
}

void Applier::Impl::run_statement(const FeedTransaction& transaction,
                                  const StatementEntry& statement, bool by_rows, Tally& tally) {
  count(statement, tally);
  const auto text = transaction.text(statement.text);
  const auto report = [&](const char* kind) {
    tally.divergence(fingerprint(text), kind, transaction.seq);
  };
  const bool has_shape = statement.shape != kNoText;
  const bool has_rows = !statement.rows.empty() && has_shape;
  const bool rows_only =
      statement.verdict == Verdict::effects || another_engine || is_mapped(transaction, statement);
  if (rows_only && has_rows) {
    return run_rows(transaction, statement, by_rows, tally);
  }
  if (by_rows && has_rows) return run_rows(transaction, statement, true, tally);
  if (statement.verb == Verb::clear && has_shape && (another_engine || !mapped.empty())) {
    return clear_tables(transaction, statement);
  }
  if (is_mapped(transaction, statement)) {
    const bool nothing = statement.verdict == Verdict::effects && statement.row_count == 0;
    if (!nothing) report("mapped, without rows");
    return;
  }
  if (another_engine) {
    // A setting changes no row; whatever else has no rows here changed some that are not known.
    if (statement.verdict != Verdict::context) report("opaque on another engine");
    return;
  }
  if (statement.verdict == Verdict::effects && statement.row_count != 0) {
    report("effects missing");
  }
  const auto rows = run_recorded(text, recorded_parameters(statement));
  if (statement.verdict != Verdict::keyed) context.changed(statement.verdict);
  if (statement.row_count < 0 || rows < 0 || rows == statement.row_count) return;
  if (left_as_it_was(transaction, statement, rows)) return;
  report("row-count");
  if (has_rows) run_rows(transaction, statement, true, tally);
}

void Applier::Impl::run_entries(const FeedTransaction& transaction, bool by_rows, Tally& tally) {
  bool first = true;
  going_on.reset();
  transaction.for_each([&](const Entry& entry) {
    if (entry.type != Entry::Type::rows) finish_rows(transaction.seq, tally);
    switch (entry.type) {
      case Entry::Type::note:
        note(transaction, entry.note, tally);
        break;
      case Entry::Type::context:
        if (!first && !another_engine) {
          if (!context.reset()) {
            tally.divergence("(session context)", "context not reset", transaction.seq);
          }
          context.apply(context.inside(context_texts(transaction, entry.context)));
        }
        break;
      case Entry::Type::statement:
        first = false;
        run_statement(transaction, entry.statement, by_rows, tally);
        break;
      case Entry::Type::rows:  // of a statement that was not run by them: they say nothing new
        if (going_on) run_rows(transaction, entry.statement, going_on->as_put, tally);
        break;
      case Entry::Type::piece:
      case Entry::Type::rewind:
        break;  // whoever read the transaction has put them together
    }
    return true;
  });
  finish_rows(transaction.seq, tally);
}

void Applier::Impl::one_by_one() {
  for (const auto& one : batch) apply_one(one);
  if (wanted == position) return;
  context.reset();  // markers and rolled-back transactions behind the last one
  write_position(wanted);
  commit_at(wanted, {});
}

void Applier::Impl::apply_one(const Waiting& one) {
  const FeedTransaction& transaction = one.transaction;
  constexpr std::string_view kActiveTransaction = "25001";
  std::string kind;
  Tally tally;
  try {
    enter(one.context, transaction.seq, transaction.seq, tally);
    run_entries(transaction, false, tally);
    ++tally.figures.applied;
    commit_at(transaction.seq, tally);
    single_moves = false;
    return;
  } catch (const odbc::Error& error) {
    if (outside_the_statement(error, dialect.kind())) throw;
    if (error.sqlstate() == kActiveTransaction && transaction.entries.size() == 1) {
      undo();
      return outside_transaction(transaction);
    }
    kind = state_of(error);
  } catch (const NoPlace& problem) {
    kind = problem.what();
  }
  undo();
  constexpr std::string_view kIntegrity = "sqlstate 23";
  if (!single_moves && kind.starts_with(kIntegrity) && has_moves(transaction)) {
    single_moves = true;
    return apply_one(one);
  }
  single_moves = false;
  apply_by_rows(one, kind);
}

// The second try, after an error: rows instead of statements wherever there are rows.
void Applier::Impl::apply_by_rows(const Waiting& one, const std::string& kind) {
  const FeedTransaction& transaction = one.transaction;
  std::string what;
  bool has_rows = false;
  transaction.for_each([&](const Entry& entry) {
    if (what.empty() && entry.type == Entry::Type::statement) {
      what = fingerprint(transaction.text(entry.statement.text));
    }
    has_rows = has_rows || !entry.statement.rows.empty();
    return !has_rows;
  });
  if (what.empty()) what = "(no statement)";
  Tally tally;
  tally.divergence(what, kind, transaction.seq);
  if (!has_rows) return leave_out(transaction, std::move(tally));
  try {
    Tally second = tally;
    enter(one.context, transaction.seq, transaction.seq, second);
    run_entries(transaction, true, second);
    ++second.figures.applied;
    return commit_at(transaction.seq, second);
  } catch (const odbc::Error& error) {
    if (outside_the_statement(error, dialect.kind())) throw;
  } catch (const NoPlace&) {
  }
  undo();
  leave_out(transaction, std::move(tally));
}

void Applier::Impl::leave_out(const FeedTransaction& transaction, Tally tally) {
  context.reset();
  write_position(transaction.seq);
  ++tally.figures.left_out;
  commit_at(transaction.seq, tally);
}

// VACUUM and the like refuse a transaction block. The position follows in one of its own: such a
// statement may run twice when the process dies in between, which is why only a transaction of this
// one statement is run so.
void Applier::Impl::outside_transaction(const FeedTransaction& transaction) {
  Tally tally;
  context.reset();
  shadow.commit();
  shadow.set_autocommit(true);
  std::string kind;
  try {
    run_entries(transaction, false, tally);
    ++tally.figures.applied;
  } catch (const odbc::Error& error) {
    if (outside_the_statement(error, dialect.kind())) throw;
    kind = state_of(error);
  }
  shadow.set_autocommit(false);
  if (!kind.empty()) {
    tally = {};
    tally.divergence(fingerprint(transaction.text(transaction.entries[0].statement.text)), kind,
                     transaction.seq);
    return leave_out(transaction, std::move(tally));
  }
  context.reset();
  write_position(transaction.seq);
  commit_at(transaction.seq, tally);
}

}  // namespace understudy
