#include "replayer/apply/applier.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <span>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#include "replayer/apply/fingerprint.h"
#include "replayer/apply/row_effects.h"
#include "replayer/apply/session_context.h"
#include "replayer/apply/statement_runner.h"

namespace understudy {
namespace {

constexpr std::size_t kMarkersKept = 65536;

/// A joined batch changed other rows than expected; nobody outside this file sees it.
struct Surprise {};

/// An application that uses the ANSI entries may send texts in any encoding; a Unicode driver takes
/// none but those that are UTF-8.
template <class Use>
auto sent_as_utf16(Use use) {
  try {
    return use();
  } catch (const odbc::Error&) {
    throw;
  } catch (const std::runtime_error&) {
    throw NoPlace("text is not UTF-8");
  }
}

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

/// Whether the statement is not to blame: trying again, or elsewhere, may work.
bool outside_the_statement(const odbc::Error& error, Dialect dialect) {
  if (error.connection_lost()) return true;
  if (dialect == Dialect::sqlite) {
    constexpr long kConstraint = 19, kError = 1, kMismatch = 20, kRange = 25, kTooBig = 18;
    const long code = error.native() & 0xff;
    if (error.native() < 0) return false;  // the driver's own, such as a missing parameter
    return code != kConstraint && code != kError && code != kMismatch && code != kRange &&
           code != kTooBig && code != 0;
  }
  if (dialect == Dialect::mariadb) {
    // Lock wait timeout, deadlock, full disk, full table, shutdown, too many connections.
    for (const long code : {1205L, 1213L, 1021L, 1114L, 1053L, 1040L}) {
      if (error.native() == code) return true;
    }
  }
  static constexpr std::string_view kClasses[] = {"40", "53", "55", "57", "58", "XX"};
  const std::string_view state(error.sqlstate());
  return std::any_of(std::begin(kClasses), std::end(kClasses),
                     [&](std::string_view one) { return state.starts_with(one); });
}

// A key that is there already, after which the transaction goes on.
bool collides(const odbc::Error& error, Dialect dialect) {
  constexpr long kSqliteConstraint = 19;
  constexpr long kMariadbDuplicate = 1062;
  return (dialect == Dialect::sqlite && error.native() == kSqliteConstraint) ||
         (dialect == Dialect::mariadb && error.native() == kMariadbDuplicate);
}

bool runs_alone(const FeedTransaction& transaction) {
  if ((transaction.head.flags & kTransactionBarrier) != 0) return true;
  bool statements_before = false;
  for (const auto& entry : transaction.entries) {
    if (entry.type == Entry::Type::context && statements_before) return true;
    if (entry.type != Entry::Type::statement) continue;
    statements_before = true;
    const auto verdict = entry.statement.verdict;
    if (verdict != Verdict::keyed && verdict != Verdict::effects) return true;
  }
  return false;
}

bool has_moves(const FeedTransaction& transaction) {
  return std::any_of(transaction.entries.begin(), transaction.entries.end(), [](const Entry& one) {
    return one.statement.rows.size() > 1 && one.statement.rows.front().verb == Verb::move;
  });
}

/// A split table's parts in the order in which rows come into being there, or for rows that go, the
/// other way round: the second part may refer to the first.
std::vector<std::reference_wrapper<ShapePlan>> in_order(ShapeRoute& route,
                                                        const std::vector<RowEffect>& rows) {
  std::vector<std::reference_wrapper<ShapePlan>> out(route.plans.begin(), route.plans.end());
  if (!rows.empty() && rows.front().verb == Verb::remove) std::reverse(out.begin(), out.end());
  return out;
}

std::vector<std::string> context_texts(const FeedTransaction& transaction, const Context& context) {
  std::vector<std::string> out;
  for (const auto& id : context.statements) out.emplace_back(transaction.text(id));
  return out;
}

/// The context in force when the first statement runs.
std::vector<std::string> first_context(const FeedTransaction& transaction) {
  std::vector<std::string> context;
  for (const auto& entry : transaction.entries) {
    if (entry.type == Entry::Type::statement) break;
    if (entry.type == Entry::Type::context) context = context_texts(transaction, entry.context);
  }
  return context;
}

/// Figures of work that is not committed yet.
struct Tally {
  ApplyFigures figures;

  void divergence(std::string what, std::string kind, std::uint64_t seq) {
    figures.divergences.push_back({std::move(what), std::move(kind), seq, 1});
  }
};

using Batch = std::vector<FeedTransaction>;

}  // namespace

struct Applier::Impl {
  Impl(odbc::Connection& shadow_connection, const SqlDialect& sql,
       const Catalog& production_catalog, const Catalog& shadow_catalog, std::string name,
       Mapped tables)
      : shadow(shadow_connection),
        dialect(sql),
        migration(std::move(name)),
        another_engine(production_catalog.dialect != shadow_catalog.dialect),
        mapped(std::move(tables)),
        plans(sql, production_catalog, shadow_catalog, mapped),
        prepared(shadow_connection),
        joined(shadow_connection),
        context(shadow_connection, sql.kind()),
        driver_joins(sql.kind() == Dialect::postgresql &&
                     shadow_connection.info(SQL_DRIVER_NAME).find("psqlodbc") !=
                         std::string::npos) {}

  odbc::Connection& shadow;
  const SqlDialect& dialect;
  std::string migration;
  const bool another_engine;  // than production's: only rows can be replayed
  const Mapped mapped;
  ShapePlans plans;
  PreparedStatements prepared;
  JoinedStatements joined;
  SessionContext context;
  const bool driver_joins;
  bool joins = false;         // in the batch that is being run
  bool single_moves = false;  // moved rows one after the other, as their keys may collide
  std::unordered_map<TextId, int, TextIdHash> markers;  // of texts that were joined
  bool position_known = false;
  bool position_row = false;
  bool broken = false;
  bool older = false;  // columns that the target lacks are new ones of the other side

  [[nodiscard]] bool lacks_columns(const ShapePlan& plan) const {
    return !older && plan.missing_columns() != 0;
  }

  Batch batch;
  std::size_t batch_bytes = 0;
  std::uint64_t position = 0;  // committed
  std::uint64_t wanted = 0;    // with the open batch
  std::uint64_t rolled_back = 0;
  ApplyFigures figures;
  std::map<std::pair<std::string, std::string>, std::size_t> divergence_index;

  class OwnSettings;

  void read_position();
  void write_position(std::uint64_t seq);
  void add(FeedTransaction&& transaction);
  void flush();
  bool try_joined();
  void one_by_one();
  void apply_one(const FeedTransaction& transaction);
  void apply_by_rows(const FeedTransaction& transaction, const std::string& kind);
  void outside_transaction(const FeedTransaction& transaction);
  void leave_out(const FeedTransaction& transaction, Tally tally);
  void commit_at(std::uint64_t seq, const Tally& tally);
  void undo();
  void merge(const Tally& tally);

  void enter(const std::vector<std::string>& recorded, std::uint64_t seq, std::uint64_t from,
             Tally& tally);
  void join(const FeedTransaction& transaction, Tally& tally);
  void join_statement(const FeedTransaction& transaction, const StatementEntry& statement);
  void join_rows(ShapePlan& plan, std::span<const RowEffect> rows);
  void join_row(ShapePlan& plan, const RowEffect& row);
  void run_joined();
  bool joinable(std::string_view text, const TextId& id, const std::vector<odbc::Bind>& parameters);

  void run_entries(const FeedTransaction& transaction, bool by_rows, Tally& tally);
  void run_statement(const FeedTransaction& transaction, const StatementEntry& statement,
                     bool by_rows, Tally& tally);
  void run_rows(const FeedTransaction& transaction, const StatementEntry& statement, bool as_put,
                Tally& tally);
  void run_rows(ShapePlan& plan, std::span<const RowEffect> rows, bool as_put,
                const std::function<void(const char*)>& report);
  void clear_tables(const FeedTransaction& transaction, const StatementEntry& statement);
  ShapeRoute& route(const FeedTransaction& transaction, const StatementEntry& statement);
  bool is_mapped(const FeedTransaction& transaction, const StatementEntry& statement);
  void run_in_some_order(std::span<const RowEffect> rows,
                         const std::function<void(const RowEffect&)>& run_one);
  bool is_there(ShapePlan& plan, const RowEffect& row);
  std::size_t run_moves(ShapePlan& plan, std::span<const RowEffect> rows, bool* as_expected);
  long long run_row(ShapePlan& plan, Verb verb, const RowEffect& row);
  void count(const FeedTransaction& transaction, const StatementEntry& statement, Tally& tally);
  void note(const FeedTransaction& transaction, const Note& note, Tally& tally);
  long long run(std::string_view text, const std::vector<odbc::Bind>& parameters);
};

// MariaDB: exact texts are written under the settings that they were read under, whatever the
// application's session has set.
class Applier::Impl::OwnSettings {
 public:
  explicit OwnSettings(Impl& impl) : impl_(impl) {
    if (impl_.dialect.kind() != Dialect::mariadb || impl_.context.clean()) return;
    impl_.shadow.run(
        "SET @understudy_zone = @@SESSION.time_zone, @understudy_mode = @@SESSION.sql_mode");
    set_ = true;
    impl_.dialect.prepare_session(impl_.shadow);
  }
  ~OwnSettings() {
    if (!set_) return;
    try {
      impl_.shadow.run("SET SESSION time_zone = @understudy_zone, sql_mode = @understudy_mode");
    } catch (const odbc::Error&) {
      impl_.context.changed(Verdict::context);  // the connection is gone, or is going to be reset
    }
  }
  OwnSettings(const OwnSettings&) = delete;
  OwnSettings& operator=(const OwnSettings&) = delete;

 private:
  Impl& impl_;
  bool set_ = false;
};

// --- position --------------------------------------------------------------------------------

void Applier::Impl::read_position() {
  if (position_known) return;
  shadow.set_autocommit(true);
  dialect.need_position_table(shadow);
  shadow.set_autocommit(false);
  odbc::Statement select(shadow);
  // The server may still be at work on the last transaction of a replayer that was killed: its row
  // is locked until that has ended. SQLite ends with its process.
  const char* wait = dialect.kind() == Dialect::sqlite ? "" : " FOR UPDATE";
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
  figures.applied_seq = position;
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
  shadow.commit();
  context.committed();
  position = seq;
  position_row = true;
  merge(tally);
  figures.applied_seq = seq;
}

void Applier::Impl::undo() {
  joined.clear();
  shadow.rollback();
  context.rolled_back();
}

void Applier::Impl::merge(const Tally& tally) {
  const auto& more = tally.figures;
  figures.applied += more.applied;
  figures.statements += more.statements;
  figures.keyed += more.keyed;
  figures.effects += more.effects;
  figures.opaque += more.opaque;
  figures.left_out += more.left_out;
  figures.uncaptured += more.uncaptured;
  for (const auto& one : more.divergences) {
    auto key = std::make_pair(one.fingerprint, one.kind);
    if (!divergence_index.contains(key) && figures.divergences.size() >= kDivergencesMax) {
      key = {"(others)", "others"};
    }
    const auto [at, fresh] = divergence_index.try_emplace(key, figures.divergences.size());
    if (fresh) figures.divergences.push_back({key.first, key.second, one.first_seq, 0});
    figures.divergences[at->second].count += one.count;
  }
}

// --- session context ---------------------------------------------------------------------------

// First thing in a shadow transaction: the position, written with the connection's own rights, then
// the context of what follows. A context statement that the shadow refuses is left out from then
// on, and counted with every transaction that should have had it.
void Applier::Impl::enter(const std::vector<std::string>& recorded, std::uint64_t seq,
                          std::uint64_t from, Tally& tally) {
  // Of another engine they mean nothing here, and rows do not depend on them.
  const auto statements = another_engine ? std::vector<std::string>() : recorded;
  const bool same = context.known() && context.present() == statements;
  if (same && statements.empty()) return write_position(seq);
  for (bool entered = false; !entered;) {
    if (!context.reset() && !same) {
      tally.divergence("(session context)", "context not reset", from);
    }
    write_position(seq);
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

// --- the usual way: many statements in one round trip -----------------------------------------

void Applier::Impl::run_joined() {
  if (joined.empty()) return;
  ++figures.round_trips;
  if (!sent_as_utf16([&] { return joined.run(); })) throw Surprise{};
}

// An application may bind more than the text has places for, which would shift all values behind.
bool Applier::Impl::joinable(std::string_view text, const TextId& id,
                             const std::vector<odbc::Bind>& parameters) {
  if (!joins || !JoinedStatements::can_join(parameters)) return false;
  if (parameters.empty()) return true;
  auto found = markers.find(id);
  if (found == markers.end()) {
    odbc::Statement statement(shadow);
    sent_as_utf16([&] {
      statement.prepare(text);
      return true;
    });
    if (markers.size() >= kMarkersKept) markers.clear();
    found = markers.emplace(id, statement.parameter_count()).first;
  }
  return found->second == static_cast<int>(parameters.size());
}

void Applier::Impl::join_row(ShapePlan& plan, const RowEffect& row) {
  const bool simple =
      row.verb == Verb::insert || row.verb == Verb::update || row.verb == Verb::remove;
  if (!joins || !simple) {
    run_joined();
    if (run_row(plan, row.verb, row) != 1) throw Surprise{};
    return;
  }
  joined.add(plan.sql(row.verb), plan.bind(row.verb, row), 1);
  if (joined.full()) run_joined();
}

void Applier::Impl::join_rows(ShapePlan& plan, std::span<const RowEffect> rows) {
  bool as_expected = !lacks_columns(plan);
  const bool moves = rows.front().verb == Verb::move;
  if (moves) run_joined();
  const std::size_t moved = moves ? run_moves(plan, rows, &as_expected) : 0;
  if (!as_expected) throw Surprise{};
  for (const RowEffect& row : rows.subspan(moved)) join_row(plan, row);
}

void Applier::Impl::join_statement(const FeedTransaction& transaction,
                                   const StatementEntry& statement) {
  if (statement.verdict == Verdict::effects) {
    if (statement.rows.empty()) throw Surprise{};
    const OwnSettings own(*this);
    for (ShapePlan& plan : in_order(route(transaction, statement), statement.rows)) {
      join_rows(plan, statement.rows);
    }
    return;
  }
  if (another_engine || is_mapped(transaction, statement)) throw Surprise{};
  auto parameters = recorded_parameters(statement);
  const auto text = transaction.text(statement.text);
  if (joinable(text, statement.text, parameters)) {
    joined.add(text, std::move(parameters), statement.row_count);
    if (joined.full()) run_joined();
    return;
  }
  run_joined();
  const auto rows = run(text, parameters);
  if (statement.row_count >= 0 && rows != statement.row_count) throw Surprise{};
}

void Applier::Impl::join(const FeedTransaction& transaction, Tally& tally) {
  for (const auto& entry : transaction.entries) {
    if (entry.type == Entry::Type::note) note(transaction, entry.note, tally);
    if (entry.type != Entry::Type::statement) continue;
    join_statement(transaction, entry.statement);
    count(transaction, entry.statement, tally);
  }
  ++tally.figures.applied;
}

// All transactions of the batch in one of the shadow; false, rolled back, when anything is not as
// production saw it.
bool Applier::Impl::try_joined() {
  Tally tally;
  try {
    const auto statements = first_context(batch.front());
    enter(statements, wanted, batch.front().seq, tally);
    joins = driver_joins && context.plain_strings();
    for (const auto& transaction : batch) join(transaction, tally);
    run_joined();
    commit_at(wanted, tally);
    return true;
  } catch (const Surprise&) {
  } catch (const NoPlace&) {
  } catch (const odbc::Error& error) {
    if (error.connection_lost()) throw;
  }
  undo();
  return false;
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
    } else if (runs_alone(batch.front()) || !try_joined()) {
      one_by_one();
    }
  } catch (...) {
    broken = true;
    throw;
  }
  figures.skipped_rolled_back += std::exchange(rolled_back, 0);
  batch.clear();
  batch_bytes = 0;
}

// --- one by one: what went wrong is isolated ---------------------------------------------------

long long Applier::Impl::run(std::string_view text, const std::vector<odbc::Bind>& parameters) {
  ++figures.round_trips;
  return sent_as_utf16([&] {
    // psqlodbc runs a call with an answer only when it sees text and bindings together.
    const bool answers = std::any_of(parameters.begin(), parameters.end(), [](const auto& one) {
      return one.io_type != SQL_PARAM_INPUT;
    });
    return parameters.empty() || answers ? prepared.run_once(text, parameters)
                                         : prepared.run(text, parameters);
  });
}

void Applier::Impl::count(const FeedTransaction& /*transaction*/, const StatementEntry& statement,
                          Tally& tally) {
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

bool Applier::Impl::is_there(ShapePlan& plan, const RowEffect& row) {
  const std::string& remove = plan.sql(Verb::remove);
  odbc::Statement look(shadow);
  look.prepare("SELECT 1" + remove.substr(remove.find(" FROM ")));
  const auto key = plan.bind(Verb::remove, row);
  look.bind(key);
  look.execute();
  return look.fetch();
}

// How many of the rows were moved together.
std::size_t Applier::Impl::run_moves(ShapePlan& plan, std::span<const RowEffect> rows,
                                     bool* as_expected) {
  std::size_t done = 0;
  while (!single_moves && done < rows.size()) {
    const auto moves = plan.moves(rows.subspan(done));
    if (!moves) break;
    if (run(moves->text, moves->parameters) != static_cast<long long>(moves->rows)) {
      *as_expected = false;
    }
    done += moves->rows;
  }
  return done;
}

long long Applier::Impl::run_row(ShapePlan& plan, Verb verb, const RowEffect& row) {
  if (verb == Verb::replace) {
    run(plan.sql(Verb::remove), plan.bind(Verb::remove, row));
    for (const auto& [text, key] : plan.removals(row)) run(text, key);
    return run(plan.sql(Verb::insert), plan.bind(Verb::insert, row));
  }
  const Verb first = verb == Verb::put ? Verb::update : verb;
  const auto rows = run(plan.sql(first), plan.bind(first, row));
  const bool update = verb == Verb::put || (verb == Verb::update && plan.mapped());
  if (!update || rows != 0) return rows;
  // MariaDB counts only rows that an UPDATE made different, which one of a dropped column does not.
  if (dialect.kind() == Dialect::mariadb && is_there(plan, row)) return 1;
  if (verb == Verb::update) return rows;
  return run(plan.sql(Verb::insert), plan.bind(Verb::insert, row));
}

ShapeRoute& Applier::Impl::route(const FeedTransaction& transaction,
                                 const StatementEntry& statement) {
  return plans.route(statement.shape, transaction.text(statement.shape));
}

bool Applier::Impl::is_mapped(const FeedTransaction& transaction, const StatementEntry& statement) {
  return statement.shape != kNoText &&
         plans.is_mapped(statement.shape, transaction.text(statement.shape));
}

// `as_put`: the shadow is known to differ, so rows are made to be as they are in production
// whatever stands there.
void Applier::Impl::run_rows(const FeedTransaction& transaction, const StatementEntry& statement,
                             bool as_put, Tally& tally) {
  const OwnSettings own(*this);
  const auto report = [&](const char* kind) {
    tally.divergence(fingerprint(transaction.text(statement.text)), kind, transaction.seq);
  };
  for (ShapePlan& plan : in_order(route(transaction, statement), statement.rows)) {
    run_rows(plan, statement.rows, as_put, report);
  }
}

// The tables that stand for one that was emptied. Of a split one the last part goes first: it may
// refer to the others.
void Applier::Impl::clear_tables(const FeedTransaction& transaction,
                                 const StatementEntry& statement) {
  auto& all = route(transaction, statement).plans;
  for (auto plan = all.rbegin(); plan != all.rend(); ++plan) run(plan->sql(Verb::clear), {});
}

void Applier::Impl::run_rows(ShapePlan& plan, std::span<const RowEffect> rows, bool as_put,
                             const std::function<void(const char*)>& report) {
  if (lacks_columns(plan)) report("no such column");
  bool as_expected = true;
  const std::size_t moved = as_put ? 0 : run_moves(plan, rows, &as_expected);
  if (!as_expected) report("row-count");
  const auto run_one = [&](const RowEffect& row) {
    const bool removes = row.verb == Verb::remove;
    const bool changes = row.verb == Verb::update || row.verb == Verb::move;
    const bool puts = as_put && !plan.whole_row() && (changes || row.verb == Verb::insert);
    if (puts && row.verb == Verb::move) run(plan.sql(Verb::remove), plan.bind(Verb::remove, row));
    const auto changed = run_row(plan, puts ? Verb::put : row.verb, row);
    if (changed == 0 && changes) {
      report("row-count");
      if (row.verb == Verb::update) run_row(plan, Verb::insert, row);
    } else if (changed == 0 && removes && !as_put) {
      report("row-count");
    }
  };
  run_in_some_order(rows.subspan(moved), run_one);
}

// Rows of one statement that collide with each other, as when numbers move up by one: production
// took them in an order in which they do not, which is found by trying.
void Applier::Impl::run_in_some_order(std::span<const RowEffect> rows,
                                      const std::function<void(const RowEffect&)>& run_one) {
  std::vector<const RowEffect*> left;
  for (const RowEffect& row : rows) left.push_back(&row);
  while (!left.empty()) {
    std::vector<const RowEffect*> later;
    std::optional<odbc::Error> error;
    for (const RowEffect* row : left) {
      try {
        run_one(*row);
      } catch (const odbc::Error& one) {
        if (left.size() == 1 || !collides(one, dialect.kind())) throw;
        error = one;
        later.push_back(row);
      }
    }
    if (later.size() == left.size()) throw odbc::Error(*error);
    left = std::move(later);
  }
}

void Applier::Impl::run_statement(const FeedTransaction& transaction,
                                  const StatementEntry& statement, bool by_rows, Tally& tally) {
  count(transaction, statement, tally);
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
  const auto rows = run(text, recorded_parameters(statement));
  if (statement.verdict != Verdict::keyed) context.changed(statement.verdict);
  if (statement.row_count < 0 || rows < 0 || rows == statement.row_count) return;
  report("row-count");
  if (has_rows) run_rows(transaction, statement, true, tally);
}

void Applier::Impl::run_entries(const FeedTransaction& transaction, bool by_rows, Tally& tally) {
  bool first = true;
  for (const auto& entry : transaction.entries) {
    switch (entry.type) {
      case Entry::Type::note:
        note(transaction, entry.note, tally);
        break;
      case Entry::Type::context:
        if (!first && !another_engine) {
          if (!context.reset()) {
            tally.divergence("(session context)", "context not reset", transaction.seq);
          }
          context.apply(context_texts(transaction, entry.context));
        }
        break;
      case Entry::Type::statement:
        first = false;
        run_statement(transaction, entry.statement, by_rows, tally);
        break;
      case Entry::Type::piece:
      case Entry::Type::rows:
      case Entry::Type::rewind:
        break;  // the feed has put them together
    }
  }
}

void Applier::Impl::one_by_one() {
  for (const auto& transaction : batch) apply_one(transaction);
  if (wanted == position) return;
  context.reset();  // markers and rolled-back transactions behind the last one
  write_position(wanted);
  commit_at(wanted, {});
}

void Applier::Impl::apply_one(const FeedTransaction& transaction) {
  constexpr std::string_view kActiveTransaction = "25001";
  std::string kind;
  Tally tally;
  try {
    enter(first_context(transaction), transaction.seq, transaction.seq, tally);
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
    kind = "sqlstate " + error.sqlstate();
  } catch (const NoPlace& problem) {
    kind = problem.what();
  }
  undo();
  constexpr std::string_view kIntegrity = "sqlstate 23";
  if (!single_moves && kind.starts_with(kIntegrity) && has_moves(transaction)) {
    single_moves = true;
    return apply_one(transaction);
  }
  single_moves = false;
  apply_by_rows(transaction, kind);
}

// The second try, after an error: rows instead of statements wherever there are rows.
void Applier::Impl::apply_by_rows(const FeedTransaction& transaction, const std::string& kind) {
  const auto statement =
      std::find_if(transaction.entries.begin(), transaction.entries.end(),
                   [](const Entry& entry) { return entry.type == Entry::Type::statement; });
  const std::string what = statement == transaction.entries.end()
                               ? "(no statement)"
                               : fingerprint(transaction.text(statement->statement.text));
  Tally tally;
  tally.divergence(what, kind, transaction.seq);
  const bool has_rows =
      std::any_of(transaction.entries.begin(), transaction.entries.end(),
                  [](const Entry& entry) { return !entry.statement.rows.empty(); });
  if (!has_rows) return leave_out(transaction, std::move(tally));
  try {
    Tally second = tally;
    enter(first_context(transaction), transaction.seq, transaction.seq, second);
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
    kind = "sqlstate " + error.sqlstate();
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
  const bool alone = runs_alone(transaction);
  const bool fits = batch.empty() ||
                    (!alone && !runs_alone(batch.front()) && batch.size() < kBatchTransactionsMax &&
                     batch_bytes + transaction.bytes.size() <= kBatchBytesMax &&
                     first_context(transaction) == first_context(batch.front()));
  if (!fits) flush();
  wanted = transaction.seq;
  batch_bytes += transaction.bytes.size();
  batch.push_back(std::move(transaction));
  if (alone) flush();
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
  return impl_->figures;
}

}  // namespace understudy
