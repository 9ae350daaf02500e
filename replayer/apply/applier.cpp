#include "replayer/apply/applier.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "replayer/apply/applier_impl.h"
#include "replayer/apply/fingerprint.h"
#include "replayer/apply/shadow_errors.h"

namespace understudy {
namespace {

bool has_to_run_alone(const FeedTransaction& transaction) {
  if ((transaction.head.flags & kTransactionBarrier) != 0) return true;
  bool alone = false;
  bool statements_before = false;
  transaction.for_each([&](const Entry& entry) {
    if (entry.type == Entry::Type::context && statements_before) alone = true;
    if (entry.type != Entry::Type::statement) return !alone;
    statements_before = true;
    const auto verdict = entry.statement.verdict;
    alone = alone || (verdict != Verdict::keyed && verdict != Verdict::effects);
    return !alone;
  });
  return alone;
}

/// The context in force when the first statement runs.
std::vector<std::string> first_context(const FeedTransaction& transaction) {
  std::vector<std::string> context;
  transaction.for_each([&](const Entry& entry) {
    if (entry.type == Entry::Type::context) context = context_texts(transaction, entry.context);
    return entry.type != Entry::Type::statement;
  });
  return context;
}

}  // namespace

std::vector<std::string> context_texts(const FeedTransaction& transaction, const Context& context) {
  std::vector<std::string> out;
  for (const auto& id : context.statements) out.emplace_back(transaction.text(id));
  return out;
}

// --- position --------------------------------------------------------------------------------

void Applier::Impl::read_position() {
  if (position_known) return;
  shadow.set_autocommit(true);
  dialect.need_position_table(shadow);
  shadow.set_autocommit(false);
  odbc::Statement select(shadow);
  // The server may still be at work on the last transaction of a replayer that was killed: its row
  // is locked until that has ended. SQLite ends with its process.
  const char* wait = dialect.waits_for_rows() ? " FOR UPDATE" : "";
  select.prepare(fmt::format("SELECT seq FROM {} WHERE migration = ?{}", kPositionTable, wait));
  odbc::Bind name;
  name.column_size = migration.size();
  name.indicator = static_cast<SQLLEN>(migration.size());
  name.bytes = migration;
  const std::vector<odbc::Bind> parameters{name};
  select.bind(parameters);
  select.execute();
  if (select.fetch()) {
    position = std::stoull(select.text(1).value_or("0"));
    position_row = true;
  }
  select.close();
  shadow.rollback();
  wanted = position;
  total.figures.applied_seq = position;
  position_known = true;
}

// The row is changed from the value known only; a lock on it makes another applier wait.
void Applier::Impl::write_position(std::uint64_t seq) {
  const auto text_of = [](const std::string& text) {
    odbc::Bind bind;
    bind.column_size = text.size();
    bind.indicator = static_cast<SQLLEN>(text.size());
    bind.bytes = text;
    return bind;
  };
  const std::string number =
      dialect.kind() == Dialect::mariadb ? "CAST(? AS SIGNED)" : "CAST(? AS bigint)";
  if (position_row) {
    const auto rows = prepared.run(
        fmt::format("UPDATE {} SET seq = {} WHERE migration = ? AND seq = {}", kPositionTable,
                    number, number),
        {text_of(std::to_string(seq)), text_of(migration), text_of(std::to_string(position))});
    if (rows == 1) return;
    broken = true;
    throw std::runtime_error(
        fmt::format("the stored position of migration {} is no longer {}: something else "
                    "applies to it; stop that, then start the replayer again",
                    migration, position));
  }
  prepared.run(
      fmt::format("INSERT INTO {} (migration, seq) VALUES (?, {})", kPositionTable, number),
      {text_of(migration), text_of(std::to_string(seq))});
}

void Applier::Impl::commit_at(std::uint64_t seq, const Tally& tally) {
  context.ending();
  shadow.commit();
  context.committed();
  position = seq;
  position_row = true;
  total.add(tally);
  total.figures.applied_seq = seq;
}

void Applier::Impl::undo() {
  joined.clear();
  shadow.rollback();
  context.rolled_back();
}

// --- session context ---------------------------------------------------------------------------

// First thing in a shadow transaction: the position, written with the connection's own rights, then
// the context of what follows. A context statement that the shadow refuses is left out from then
// on, and counted with every transaction that should have had it.
void Applier::Impl::enter(const std::vector<std::string>& recorded, std::uint64_t seq,
                          std::uint64_t from, Tally& tally) {
  // Of another engine they mean nothing here, and rows do not depend on them.
  const auto statements = another_engine ? std::vector<std::string>() : context.inside(recorded);
  if (!another_engine) context.settle_outside(recorded);
  const bool same = context.known() && context.present() == statements;
  if (same && statements.empty()) {
    write_position(seq);
    return context.begun();
  }
  for (bool entered = false; !entered;) {
    if (!context.reset() && !same) {
      tally.divergence("(session context)", "context not reset", from);
    }
    write_position(seq);
    context.begun();
    try {
      context.apply(statements);
      entered = true;
    } catch (const odbc::Error& error) {
      if (outside_the_statement(error, dialect.kind())) throw;
      undo();
    }
  }
  for (const auto& statement : statements) {
    const auto* state = context.refused(statement);
    if (state != nullptr)
      tally.divergence(fingerprint(statement), "context sqlstate " + *state, from);
  }
}

// --- the batch ---------------------------------------------------------------------------------

void Applier::Impl::add(FeedTransaction&& transaction) {
  read_position();
  if (transaction.seq <= wanted) {
    throw std::logic_error(
        fmt::format("transaction {} is behind the position {}", transaction.seq, wanted));
  }
  if (transaction.outcome == Outcome::unknown) {
    throw std::logic_error("a transaction in doubt cannot be applied");
  }
  if (transaction.outcome == Outcome::rolled_back) {
    ++rolled_back;
    wanted = transaction.seq;
    return;
  }
  const bool alone = has_to_run_alone(transaction);
  const bool by_itself = alone || transaction.stored != nullptr;
  auto context_wanted = first_context(transaction);
  const bool fits = batch.empty() || (!by_itself && batch.size() < kBatchTransactionsMax &&
                                      batch_bytes + transaction.bytes.size() <= kBatchBytesMax &&
                                      context_wanted == batch.front().context);
  if (!fits) flush();
  wanted = transaction.seq;
  batch_bytes += transaction.bytes.size();
  batch.push_back({std::move(transaction), alone, std::move(context_wanted)});
  if (by_itself) flush();
}

void Applier::Impl::flush() {
  if (broken) throw std::logic_error("an applier is used after it failed");
  if (batch.empty() && wanted == position && rolled_back == 0) return;
  read_position();
  try {
    if (batch.empty()) {
      if (wanted != position) {
        if (!context.clean()) context.reset();
        write_position(wanted);
        commit_at(wanted, {});
      }
    } else if (batch.front().alone || !try_joined()) {
      one_by_one();
    }
  } catch (...) {
    broken = true;
    throw;
  }
  total.figures.skipped_rolled_back += std::exchange(rolled_back, 0);
  batch.clear();
  batch_bytes = 0;
}

Applier::Applier(odbc::Connection& shadow, const SqlDialect& dialect, const Catalog& production,
                 const Catalog& shadow_catalog, std::string migration, Mapped mapped)
    : impl_(std::make_unique<Impl>(shadow, dialect, production, shadow_catalog,
                                   std::move(migration), std::move(mapped))) {
  shadow.set_autocommit(false);
}

Applier::~Applier() {
  try {
    impl_->shadow.rollback();
  } catch (const odbc::Error&) {
    // The connection is gone, and with it what was open.
  }
}

void Applier::target_is_older() {
  impl_->older = true;
}

std::uint64_t Applier::stored_position() {
  impl_->read_position();
  return impl_->position;
}

void Applier::store_position(std::uint64_t seq) {
  impl_->read_position();
  impl_->flush();
  if (impl_->position_row && seq == impl_->position) return;
  impl_->context.reset();
  impl_->write_position(seq);
  impl_->commit_at(seq, {});
  impl_->wanted = seq;
}

void Applier::apply(const FeedTransaction& transaction) {
  impl_->add(transaction.copy());
}

void Applier::apply(FeedTransaction&& transaction) {
  impl_->add(std::move(transaction));
}

void Applier::advance(std::uint64_t seq) {
  impl_->read_position();
  impl_->wanted = std::max(impl_->wanted, seq);
}

void Applier::commit() {
  impl_->flush();
}

bool Applier::batch_full() const {
  return impl_->batch.size() >= kBatchTransactionsMax || impl_->batch_bytes >= kBatchBytesMax;
}

const ApplyFigures& Applier::figures() const {
  return impl_->total.figures;
}

}  // namespace understudy
