// What an Applier is made of: for its own files only.
//
//   applier.cpp         the batch: what runs together, the position, the figures
//   applier_joined.cpp  the usual way: all of a batch in one transaction of the shadow
//   applier_single.cpp  one by one, when something was not as production saw it
//   applier_rows.cpp    row effects
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "replayer/apply/applier.h"
#include "replayer/apply/row_effects.h"
#include "replayer/apply/session_context.h"
#include "replayer/apply/statement_runner.h"
#include "replayer/apply/tally.h"

namespace understudy {

/// A joined batch changed other rows than expected.
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

std::vector<odbc::Bind> recorded_parameters(const StatementEntry& statement);
std::vector<std::string> context_texts(const FeedTransaction& transaction, const Context& context);
/// A split table's parts in the order in which rows come into being there, or for rows that go, the
/// other way round: the second part may refer to the first. Places in `route.plans`.
std::vector<std::size_t> in_order(const ShapeRoute& route, std::span<const RowEffect> rows);

/// Rows of a statement in several parts that are being run as rows.
struct RowsGoingOn {
  bool as_put = false;
  TextId shape{};
  std::string encoded_shape;
  std::string what;  // its fingerprint
  struct Later {
    std::size_t plan;
    Verb verb;
    std::vector<std::optional<std::string>> values;
  };
  std::vector<Later> later;  // collided with rows that may make way yet
  std::size_t later_bytes = 0;
};

struct Applier::Impl {
  Impl(odbc::Connection& shadow_connection, const SqlDialect& sql,
       const Catalog& production_catalog, const Catalog& shadow_catalog, std::string name,
       Mapped tables)
      : shadow(shadow_connection),
        dialect(sql),
        migration(std::move(name)),
        another_engine(!production_catalog.same_engine(shadow_catalog)),
        mapped(std::move(tables)),
        plans(sql, production_catalog, shadow_catalog, mapped),
        prepared(shadow_connection),
        recorded_texts(shadow_connection),
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
  PreparedStatements prepared;  // texts of ours
  PreparedStatements
      recorded_texts;  // production's texts, read by the server under `recorded_under`
  std::vector<std::string> recorded_under;
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

  /// A transaction of the open batch, and what decides how it is run.
  struct Waiting {
    FeedTransaction transaction;
    bool alone = false;                // holds what must not run with others
    std::vector<std::string> context;  // in force when its first statement runs
  };
  std::vector<Waiting> batch;
  std::size_t batch_bytes = 0;
  std::uint64_t position = 0;  // committed
  std::uint64_t wanted = 0;    // with the open batch
  std::uint64_t rolled_back = 0;
  Tally total;  // of what was committed

  std::optional<RowsGoingOn> going_on;  // while such a statement runs

  class OwnSettings;

  void read_position();
  void write_position(std::uint64_t seq);
  void add(FeedTransaction&& transaction);
  void flush();
  bool try_joined();
  void one_by_one();
  void apply_one(const Waiting& one);
  void apply_by_rows(const Waiting& one, const std::string& kind);
  void outside_transaction(const FeedTransaction& transaction);
  void leave_out(const FeedTransaction& transaction, Tally tally);
  void commit_at(std::uint64_t seq, const Tally& tally);
  void undo();

  void enter(const std::vector<std::string>& recorded, std::uint64_t seq, std::uint64_t from,
             Tally& tally);
  void join(const FeedTransaction& transaction, Tally& tally);
  void join_statement(const FeedTransaction& transaction, const StatementEntry& statement);
  void join_effects(const FeedTransaction& transaction, const StatementEntry& statement);
  void join_rows(ShapePlan& plan, std::span<const RowEffect> rows);
  void join_row(ShapePlan& plan, const RowEffect& row);
  void run_joined();
  bool joinable(std::string_view text, const TextId& id, const std::vector<odbc::Bind>& parameters);

  void run_entries(const FeedTransaction& transaction, bool by_rows, Tally& tally);
  void run_statement(const FeedTransaction& transaction, const StatementEntry& statement,
                     bool by_rows, Tally& tally);
  using Reports = std::function<void(const char* kind)>;
  void run_rows(const FeedTransaction& transaction, const StatementEntry& statement, bool as_put,
                Tally& tally);
  void finish_rows(std::uint64_t seq, Tally& tally);
  void keep_for_later(std::size_t plan, std::span<const RowEffect* const> rows);
  void clear_tables(const FeedTransaction& transaction, const StatementEntry& statement);
  ShapeRoute& route(const FeedTransaction& transaction, const StatementEntry& statement);
  bool is_mapped(const FeedTransaction& transaction, const StatementEntry& statement);
  void run_recorded_row(ShapePlan& plan, const RowEffect& row, bool as_put, const Reports& report);
  using RunsRow = std::function<void(const RowEffect&)>;
  std::vector<const RowEffect*> run_in_some_order(std::span<const RowEffect> rows,
                                                  const RunsRow& run_one, bool leave_rest);
  bool is_there(ShapePlan& plan, const RowEffect& row);
  /// Production has counted rows that the statement left as they were, too; the shadow's server has
  /// not. A row whose key is known has to be there.
  bool left_as_it_was(const FeedTransaction& transaction, const StatementEntry& statement,
                      long long rows);
  std::size_t run_moves(ShapePlan& plan, std::span<const RowEffect> rows, bool* as_expected);
  long long run_row(ShapePlan& plan, Verb verb, const RowEffect& row);
  static void count(const StatementEntry& statement, Tally& tally);
  static void note(const FeedTransaction& transaction, const Note& note, Tally& tally);
  long long run(std::string_view text, const std::vector<odbc::Bind>& parameters);
  /// Production's text, which means what the settings in force say.
  long long run_recorded(std::string_view text, const std::vector<odbc::Bind>& parameters);
  long long run_on(PreparedStatements& statements, std::string_view text,
                   const std::vector<odbc::Bind>& parameters);
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

}  // namespace understudy
