// The applier on real engines.
#include "replayer/apply/applier.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <random>
#include <thread>

#include "tests/engine/databases.h"

namespace understudy {
namespace {

constexpr char kMigration[] = "shop";

std::uint64_t test_seed() {
  const char* set = std::getenv("UNDERSTUDY_SEED");
  const std::uint64_t seed = set ? std::strtoull(set, nullptr, 10) : std::random_device{}();
  std::printf("UNDERSTUDY_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

/// A transaction as the feed would hand it out.
class Recorded {
 public:
  explicit Recorded(std::uint64_t seq) : seq_(seq) {}

  Recorded& statement(Verdict verdict, const std::string& text, std::int64_t rows,
                      const std::vector<std::string>& parameters = {}) {
    entries_.begin_statement(verdict, Verb::other, 0, text, "");
    add(parameters);
    entries_.end_statement(rows);
    return *this;
  }
  struct Row {
    Verb verb;
    std::vector<std::optional<std::string>> values;
  };
  Recorded& rows(Verdict verdict, const std::string& text, const Shape& shape, std::int64_t count,
                 const std::vector<Row>& rows, const std::vector<std::string>& parameters = {}) {
    entries_.begin_statement(verdict, Verb::other, kStatementHasEffects, text, shape.encode());
    add(parameters);
    for (const auto& row : rows) {
      entries_.begin_row(row.verb);
      for (const auto& value : row.values) {
        entries_.add_value(value ? std::optional<std::string_view>(*value) : std::nullopt);
      }
      entries_.end_row();
    }
    entries_.end_statement(count);
    return *this;
  }
  Recorded& context(const std::vector<std::string>& statements) {
    entries_.add_context(statements);
    return *this;
  }
  Recorded& note(const std::string& kind) {
    entries_.add_note(kind, "SQLBulkOperations");
    return *this;
  }

  [[nodiscard]] FeedTransaction make(Outcome outcome = Outcome::committed) const {
    TransactionHead head;
    head.txn_id = seq_;
    head.entries = entries_.entries();
    std::vector<std::byte> payload(entries_.payload_bytes(false));
    entries_.write_payload(payload, &head);
    const auto split = split_ring_payload(payload);
    auto texts = std::make_shared<TextStore>();
    for (const auto& [id, text] : split->texts) texts->add(id, text);
    FeedTransaction out;
    out.seq = seq_;
    out.head = head;
    out.outcome = outcome;
    const auto body = split->body.subspan(sizeof(TransactionHead));
    out.bytes.assign(body.begin(), body.end());
    out.texts.push_back(texts);
    out.read_entries();
    return out;
  }

 private:
  void add(const std::vector<std::string>& parameters) {
    for (const auto& value : parameters) {
      Parameter parameter;
      parameter.io_type = SQL_PARAM_INPUT;
      parameter.c_type = SQL_C_CHAR;
      parameter.sql_type = SQL_VARCHAR;
      parameter.column_size = 100;
      parameter.indicator = static_cast<std::int64_t>(value.size());
      parameter.bytes = value;
      entries_.add_parameter(parameter);
    }
  }

  std::uint64_t seq_;
  EntryWriter entries_;
};

/// Every test runs on SQLite, PostgreSQL and MariaDB.
class ApplierTest : public ::testing::TestWithParam<Dialect> {
 protected:
  void SetUp() override {
    if (GetParam() == Dialect::sqlite) {
      target_ = "Driver=SQLite3;Database=" + folder_.path() + "/shadow.db;Timeout=20000;";
    } else {
      target_ = GetParam() == Dialect::mariadb ? mariadb_target() : postgres_target();
    }
    observer_ = std::make_unique<odbc::Connection>(target_);
    observer_->run(
        "CREATE TABLE item (id int PRIMARY KEY, name varchar(40), stock int CHECK (stock >= 0))");
    observer_->run("CREATE TABLE tally (id int PRIMARY KEY, n int)");
    observer_->run("INSERT INTO item VALUES (1, 'one', 10)");
    observer_->run("INSERT INTO item VALUES (2, 'two', 20)");
    observer_->run("INSERT INTO tally VALUES (1, 0)");
    connect();
  }
  void TearDown() override { applier_.reset(); }

  void connect() {
    applier_.reset();
    shadow_.reset();
    const auto& sql = dialect();
    shadow_ = std::make_unique<odbc::Connection>(target_ +
                                                 sql.apply_options("psqlodbcw.so libmaodbc.so"));
    catalog_ = sql.read_catalog(*shadow_);
    applier_ = std::make_unique<Applier>(*shadow_, sql, catalog_, catalog_, kMigration);
  }
  [[nodiscard]] const SqlDialect& dialect() const {
    return generic_forced() ? dialect_for(*observer_, true) : sql_dialect(GetParam());
  }
  /// A value in the exact text form of the engine.
  static std::string exact(const std::string& text) {
    if (GetParam() != Dialect::sqlite || generic_forced()) return text;
    std::string quoted = "'";
    for (const char c : text) quoted.append(c == '\'' ? 2 : 1, c);
    return quoted + "'";
  }
  std::string value(const std::string& sql) { return observer_->scalar(sql).value_or("(null)"); }
  std::string kinds() {
    std::string all;
    for (const auto& one : applier_->figures().divergences) {
      all += one.kind + " x" + std::to_string(one.count) + ";";
    }
    return all;
  }
  void run(const Recorded& recorded, Outcome outcome = Outcome::committed) {
    applier_->apply(recorded.make(outcome));
    applier_->commit();
  }
  static Shape item_shape() { return {"", "item", 1, {"id", "name", "stock"}}; }

  static constexpr char kTake[] = "UPDATE item SET stock = stock - CAST(? AS int) WHERE id = ?";

  TempDir folder_;
  std::string target_;
  Catalog catalog_;
  std::unique_ptr<odbc::Connection> observer_, shadow_;
  std::unique_ptr<Applier> applier_;
};

TEST_P(ApplierTest, RunsKeyedStatementsWithTheirValues) {
  run(Recorded(5).statement(Verdict::keyed, kTake, 1, {"3", "1"}));
  EXPECT_EQ(value("SELECT stock FROM item WHERE id = 1"), "7");
  EXPECT_EQ(applier_->figures().keyed, 1u);
  EXPECT_EQ(applier_->figures().applied_seq, 5u);
  EXPECT_EQ(kinds(), "");
}

TEST_P(ApplierTest, ShowsNothingBeforeTheBatchIsCommitted) {
  applier_->apply(Recorded(1).statement(Verdict::keyed, kTake, 1, {"1", "1"}).make());
  applier_->apply(Recorded(2).statement(Verdict::keyed, kTake, 1, {"1", "1"}).make());
  EXPECT_EQ(value("SELECT stock FROM item WHERE id = 1"), "10");
  applier_->commit();
  EXPECT_EQ(value("SELECT stock FROM item WHERE id = 1"), "8");
}

TEST_P(ApplierTest, RunsAHundredStatementsOfABatchInOrder) {
  for (std::uint64_t seq = 1; seq <= 200; ++seq) {
    const std::string text =
        seq % 2 == 0 ? "UPDATE tally SET n = n * 2 -- twice" : "UPDATE tally SET n = n - 1";
    applier_->apply(Recorded(seq)
                        .statement(Verdict::keyed,
                                   "UPDATE tally SET n = (n * 3 + CAST(? AS int)) "
                                   "% 1000 WHERE id = ?",
                                   1, {std::to_string(seq), "1"})
                        .statement(Verdict::keyed, text + "\n", 1)
                        .make());
  }
  applier_->commit();
  int n = 0;
  for (int seq = 1; seq <= 200; ++seq) {
    n = (n * 3 + seq) % 1000;
    n = seq % 2 == 0 ? n * 2 : n - 1;
  }
  EXPECT_EQ(value("SELECT n FROM tally"), std::to_string(n));
  EXPECT_EQ(kinds(), "");
  EXPECT_EQ(applier_->figures().applied, 200u);
}

TEST_P(ApplierTest, AppliesRowEffectsByTheirKeys) {
  run(Recorded(1).rows(Verdict::effects, "whatever", item_shape(), 3,
                       {{Verb::insert, {"3", exact("it's; -- {three}?"), "30"}},
                        {Verb::update, {"1", std::nullopt, "11"}},
                        {Verb::remove, {"2"}}}));
  EXPECT_EQ(value("SELECT name FROM item WHERE id = 3").substr(0, 3), "it'");
  EXPECT_EQ(value("SELECT coalesce(name, 'gone') FROM item WHERE id = 1 AND stock = 11"), "gone");
  EXPECT_EQ(value("SELECT count(*) FROM item"), "2");
  EXPECT_EQ(applier_->figures().effects, 1u);
  EXPECT_EQ(kinds(), "");
}

TEST_P(ApplierTest, PutsARowWhetherItIsThereOrNot) {
  run(Recorded(1).rows(
      Verdict::effects, "upsert", item_shape(), 2,
      {{Verb::put, {"1", exact("uno"), "1"}}, {Verb::put, {"4", exact("quattro"), "4"}}}));
  EXPECT_EQ(value("SELECT stock FROM item WHERE id = 1 AND name = 'uno'"), "1");
  EXPECT_EQ(value("SELECT stock FROM item WHERE id = 4"), "4");
  EXPECT_EQ(kinds(), "");
}

TEST_P(ApplierTest, RemovesWhatAReplacedRowCollidesWith) {
  observer_->run("CREATE UNIQUE INDEX one_name ON item (name)");
  connect();
  run(Recorded(1).rows(Verdict::effects, "replace", item_shape(), 1,
                       {{Verb::replace, {"1", exact("two"), "5"}}}));
  EXPECT_EQ(value("SELECT stock FROM item WHERE id = 1 AND name = 'two'"), "5");
  EXPECT_EQ(value("SELECT count(*) FROM item"), "1");
  EXPECT_EQ(kinds(), "");
}

TEST_P(ApplierTest, MovesRowsToTheKeysOfOthersThatMoveToo) {
  if (GetParam() == Dialect::postgresql) {
    observer_->run("CREATE TABLE part (item int REFERENCES item)");
    observer_->run("INSERT INTO part VALUES (2)");
    connect();
  }
  run(Recorded(1).rows(Verdict::effects, "UPDATE item SET id = id + 1", item_shape(), 2,
                       {{Verb::move, {"2", "3", exact("two"), "20"}},
                        {Verb::move, {"1", "2", exact("one"), "10"}}}));
  EXPECT_EQ(value("SELECT stock FROM item WHERE id = 2"), "10");
  EXPECT_EQ(value("SELECT stock FROM item WHERE id = 3"), "20");
  EXPECT_EQ(value("SELECT count(*) FROM item"), "2");
  EXPECT_EQ(kinds(), "");
}

// PostgreSQL refuses each of them while the other is there.
TEST_P(ApplierTest, KeepsRowsThatCanOnlyMoveInAnotherOrder) {
  connect();
  run(Recorded(1).rows(Verdict::effects, "UPDATE item SET id = id + 1", item_shape(), 2,
                       {{Verb::move, {"1", "2", exact("one"), "10"}},
                        {Verb::move, {"2", "3", exact("two"), "20"}}}));
  EXPECT_EQ(value("SELECT count(*) FROM item"), "2");
  EXPECT_EQ(value("SELECT stock FROM item WHERE id = 2"), "10");
  EXPECT_EQ(value("SELECT stock FROM item WHERE id = 3"), "20");
}

// On SQLite such statements are replayed as they stand.
class ApplierWithoutAKeyTest : public ApplierTest {};
INSTANTIATE_TEST_SUITE_P(Engines, ApplierWithoutAKeyTest,
                         testing::Values(Dialect::postgresql, Dialect::mariadb),
                         [](const auto& one) { return std::string(dialect_name(one.param)); });

TEST_P(ApplierWithoutAKeyTest, ChangesOneOfEqualRows) {
  observer_->run("CREATE TABLE log (a int, b varchar(9))");
  for (int i = 0; i < 3; ++i) observer_->run("INSERT INTO log VALUES (1, NULL)");
  connect();
  const Shape log{"", "log", 2, {"a", "b"}};
  run(Recorded(1).rows(Verdict::effects, "UPDATE log", log, 2,
                       {{Verb::move, {"1", std::nullopt, "1", "x"}},
                        {Verb::remove, {"1", std::nullopt}},
                        {Verb::insert, {"2", "y"}}}));
  EXPECT_EQ(value("SELECT count(*) FROM log WHERE a = 1 AND b IS NULL"), "1");
  EXPECT_EQ(value("SELECT count(*) FROM log WHERE a = 1 AND b = 'x'"), "1");
  EXPECT_EQ(value("SELECT count(*) FROM log"), "3");
  EXPECT_EQ(kinds(), "");
}

TEST_P(ApplierTest, StatementsOnAMappedTableAreReplayedByTheirRowsOrCounted) {
  applier_.reset();
  Mapped mapped;
  mapped.dropped = {&table_of(catalog_, "tally")};
  TablePair& pair = mapped.pairs.emplace_back();
  pair.production = pair.shadow = &table_of(catalog_, "item");
  pair.production_columns = pair.shadow_columns = {0, 2};
  pair.mapped = true;
  const auto& sql = dialect();
  applier_ = std::make_unique<Applier>(*shadow_, sql, catalog_, catalog_, kMigration, mapped);
  const Shape tally = {"", "tally", 1, {"id", "n"}};
  run(Recorded(1)
          .rows(Verdict::effects, "whatever", tally, 1, {{Verb::update, {"1", "5"}}})
          .rows(Verdict::effects, "whatever", item_shape(), 1,
                {{Verb::update, {"1", exact("never"), "11"}}}));
  EXPECT_EQ(kinds(), "");
  EXPECT_EQ(value("SELECT n FROM tally"), "0");
  EXPECT_EQ(value("SELECT name FROM item WHERE id = 1 AND stock = 11"), "one");
  run(Recorded(2)
          .rows(Verdict::keyed, "UPDATE item SET stock = 12 WHERE id = 1", item_shape(), 1, {})
          .rows(Verdict::keyed, "UPDATE item SET stock = 21 WHERE id = 2", item_shape(), 1,
                {{Verb::update, {"2", exact("never"), "22"}}}));
  EXPECT_EQ(kinds(), "mapped, without rows x1;");
  EXPECT_EQ(value("SELECT stock FROM item WHERE id = 1"), "11");
  EXPECT_EQ(value("SELECT stock FROM item WHERE id = 2"), "22");
  // Only a dropped column changed.
  run(Recorded(3).rows(Verdict::effects, "whatever", item_shape(), 1,
                       {{Verb::update, {"2", exact("other"), "22"}}}));
  EXPECT_EQ(kinds(), "mapped, without rows x1;");
}

TEST_P(ApplierTest, SkipsWhatWasRolledBackAndMovesOn) {
  run(Recorded(1).statement(Verdict::keyed, kTake, 1, {"1", "1"}), Outcome::rolled_back);
  EXPECT_EQ(value("SELECT stock FROM item WHERE id = 1"), "10");
  EXPECT_EQ(applier_->figures().skipped_rolled_back, 1u);
  connect();
  EXPECT_EQ(applier_->stored_position(), 1u);
}

TEST_P(ApplierTest, RunsAnOpaqueTransactionBetweenBatches) {
  applier_->apply(Recorded(1).statement(Verdict::keyed, kTake, 1, {"1", "1"}).make());
  applier_->apply(Recorded(2)
                      .statement(Verdict::opaque,
                                 "UPDATE tally SET n = (SELECT sum(stock) FROM "
                                 "item)",
                                 1)
                      .make());
  EXPECT_EQ(value("SELECT n FROM tally"), "29");
  EXPECT_EQ(applier_->figures().opaque, 1u);
  applier_->apply(Recorded(3).statement(Verdict::keyed, kTake, 1, {"1", "1"}).make());
  applier_->commit();
  EXPECT_EQ(applier_->figures().applied, 3u);
}

TEST_P(ApplierTest, CountsAWrongRowCountAndGoesOn) {
  applier_->apply(Recorded(1).statement(Verdict::keyed, kTake, 1, {"1", "1"}).make());
  applier_->apply(Recorded(2).statement(Verdict::keyed, kTake, 1, {"1", "99"}).make());
  applier_->apply(Recorded(3).statement(Verdict::keyed, kTake, 1, {"1", "1"}).make());
  applier_->commit();
  EXPECT_EQ(kinds(), "row-count x1;");
  EXPECT_EQ(applier_->figures().divergences[0].first_seq, 2u);
  EXPECT_EQ(value("SELECT stock FROM item WHERE id = 1"), "8");
  EXPECT_EQ(applier_->figures().applied_seq, 3u);
}

TEST_P(ApplierTest, PutsTheRowsOfAKeyedStatementThatMissedThem) {
  run(Recorded(1).rows(Verdict::keyed, kTake, item_shape(), 1,
                       {{Verb::update, {"9", exact("nine"), "90"}}}, {"1", "9"}));
  EXPECT_EQ(value("SELECT stock FROM item WHERE id = 9"), "90");
  EXPECT_EQ(kinds(), "row-count x1;");
}

TEST_P(ApplierTest, LeavesOutTheFailingTransactionOnly) {
  applier_->apply(Recorded(1).statement(Verdict::keyed, kTake, 1, {"1", "1"}).make());
  applier_->apply(Recorded(2)
                      .statement(Verdict::keyed, kTake, 1, {"1", "2"})
                      .statement(Verdict::keyed, kTake, 1, {"99", "2"})
                      .make());
  applier_->apply(Recorded(3).statement(Verdict::keyed, kTake, 1, {"1", "1"}).make());
  applier_->commit();
  EXPECT_EQ(value("SELECT stock FROM item WHERE id = 1"), "8");
  EXPECT_EQ(value("SELECT stock FROM item WHERE id = 2"), "20");
  EXPECT_EQ(applier_->figures().left_out, 1u);
  EXPECT_EQ(applier_->figures().applied, 2u);
  EXPECT_EQ(applier_->figures().applied_seq, 3u);
  const char* state = GetParam() == Dialect::sqlite    ? "HY000 (19)"
                      : GetParam() == Dialect::mariadb ? "23000"
                                                       : "23514";
  EXPECT_EQ(kinds(), std::string("sqlstate ") + state + " x1;");
}

TEST_P(ApplierTest, TriesAgainByRowsAfterAnError) {
  run(Recorded(1).rows(Verdict::effects, "INSERT INTO item SELECT", item_shape(), 1,
                       {{Verb::insert, {"1", exact("again"), "5"}}}));
  EXPECT_EQ(value("SELECT stock FROM item WHERE id = 1 AND name = 'again'"), "5");
  EXPECT_EQ(applier_->figures().applied, 1u);
  EXPECT_EQ(applier_->figures().left_out, 0u);
  ASSERT_EQ(applier_->figures().divergences.size(), 1u);
}

TEST_P(ApplierTest, CountsWhatTheDriverCouldNotRecord) {
  run(Recorded(1).note("bulk-operations"));
  EXPECT_EQ(kinds(), "uncaptured bulk-operations x1;");
  EXPECT_EQ(applier_->figures().uncaptured, 1u);
}

TEST_P(ApplierTest, CountsARowThatTheShadowHasNoPlaceFor) {
  run(Recorded(1).rows(Verdict::effects, "INSERT INTO lost", {"", "lost", 1, {"id"}}, 1,
                       {{Verb::insert, {"1"}}}));
  EXPECT_EQ(kinds(), "no such table x1;");
  EXPECT_EQ(applier_->figures().left_out, 1u);
}

// Whose locks can be looked at.
class ApplierOnPostgresqlTest : public ApplierTest {};
INSTANTIATE_TEST_SUITE_P(Engines, ApplierOnPostgresqlTest, testing::Values(Dialect::postgresql),
                         [](const auto& one) { return std::string(dialect_name(one.param)); });

TEST_P(ApplierOnPostgresqlTest, WaitsForTheLastTransactionOfAKilledOne) {
  run(Recorded(1).statement(Verdict::keyed, kTake, 1, {"1", "1"}));
  odbc::Connection killed(target_);
  killed.set_autocommit(false);
  killed.run("UPDATE understudy_position SET seq = 2");
  connect();
  auto position = std::async(std::launch::async, [&] { return applier_->stored_position(); });
  const auto ended = [&] {
    return position.wait_for(std::chrono::milliseconds(1)) == std::future_status::ready;
  };
  while (value("SELECT count(*) FROM pg_locks WHERE NOT granted") == "0" && !ended()) {
  }
  killed.commit();
  EXPECT_EQ(position.get(), 2u);
}

TEST_P(ApplierTest, RefusesToGoOnWhenAnotherApplierMovedThePosition) {
  run(Recorded(1).statement(Verdict::keyed, kTake, 1, {"1", "1"}));
  observer_->run("UPDATE understudy_position SET seq = 7");
  applier_->apply(Recorded(2).statement(Verdict::keyed, kTake, 1, {"1", "1"}).make());
  EXPECT_THROW(applier_->commit(), std::runtime_error);
  connect();
  EXPECT_EQ(applier_->stored_position(), 7u);
  EXPECT_EQ(value("SELECT stock FROM item WHERE id = 1"), "9");
}

TEST_P(ApplierTest, BindsNoMoreThanTheTextHasPlacesFor) {
  for (std::uint64_t seq = 1; seq <= 3; ++seq) {
    applier_->apply(Recorded(seq).statement(Verdict::keyed, kTake, 1, {"1", "1", "2"}).make());
  }
  applier_->commit();
  EXPECT_EQ(value("SELECT stock FROM item WHERE id = 2"), "20");
}

TEST_P(ApplierTest, AppliesOnceThoughKilledAtAnyMoment) {
  std::mt19937_64 random(test_seed());
  constexpr std::uint64_t kTransactions = 3000;
  const auto apply_all = [&] {
    odbc::Connection shadow(target_ + dialect().apply_options("psqlodbcw.so"));
    Applier applier(shadow, dialect(), catalog_, catalog_, kMigration);
    for (auto seq = applier.stored_position() + 1; seq <= kTransactions; ++seq) {
      applier.apply(
          Recorded(seq)
              .statement(Verdict::keyed, "UPDATE tally SET n = n + 1 WHERE id = ?", 1, {"1"})
              .make());
      if (seq % 16 == 0) applier.commit();
    }
    applier.commit();
  };
  applier_.reset();
  shadow_.reset();
  for (int kills = 0; kills < 20; ++kills) {
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        apply_all();
      } catch (const std::exception&) {
        ::_exit(1);  // what a killed one left running on the server was there first
      }
      ::_exit(0);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 60000));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  for (int attempt = 0;; ++attempt) {
    try {
      apply_all();
      break;
    } catch (const std::exception&) {
      ASSERT_LT(attempt, 5);
    }
  }
  EXPECT_EQ(value("SELECT n FROM tally"), std::to_string(kTransactions));
}

INSTANTIATE_TEST_SUITE_P(Engines, ApplierTest,
                         ::testing::Values(Dialect::sqlite, Dialect::postgresql, Dialect::mariadb),
                         [](const auto& one) { return std::string(dialect_name(one.param)); });

/// Session context is PostgreSQL's.
class ApplierContextTest : public ApplierTest {};

TEST_P(ApplierContextTest, SetsTheContextThatStatementsDependOn) {
  observer_->run("CREATE SCHEMA other");
  observer_->run("CREATE TABLE other.tally (id int PRIMARY KEY, n int)");
  observer_->run("INSERT INTO other.tally VALUES (1, 0)");
  const std::string add = "UPDATE tally SET n = n + 1 WHERE id = 1";
  applier_->apply(Recorded(1).statement(Verdict::keyed, add, 1).make());
  applier_->apply(
      Recorded(2).context({"SET search_path TO other"}).statement(Verdict::keyed, add, 1).make());
  applier_->apply(
      Recorded(3).context({"SET search_path TO other"}).statement(Verdict::keyed, add, 1).make());
  applier_->apply(Recorded(4).statement(Verdict::keyed, add, 1).make());
  applier_->commit();
  EXPECT_EQ(value("SELECT n FROM tally"), "2");
  EXPECT_EQ(value("SELECT n FROM other.tally"), "2");
  EXPECT_EQ(kinds(), "");
}

TEST_P(ApplierContextTest, ChangesTheContextInsideATransaction) {
  observer_->run("CREATE SCHEMA other");
  observer_->run("CREATE TABLE other.tally (id int PRIMARY KEY, n int)");
  observer_->run("INSERT INTO other.tally VALUES (1, 0)");
  const std::string add = "UPDATE tally SET n = n + 1 WHERE id = 1";
  run(Recorded(1)
          .statement(Verdict::keyed, add, 1)
          .context({"SET search_path TO other"})
          .statement(Verdict::keyed, add, 1));
  EXPECT_EQ(value("SELECT n FROM tally"), "1");
  EXPECT_EQ(value("SELECT n FROM other.tally"), "1");
}

TEST_P(ApplierContextTest, PreparesTextsAnewForEachSessionThatPreparedThem) {
  for (int i = 1; i <= 4; ++i) {
    const std::string added = std::to_string(i % 2 == 0 ? 10 : 1);
    run(Recorded(static_cast<std::uint64_t>(i))
            .context({"SET application_name TO 'shop'",
                      "PREPARE p AS UPDATE tally SET n = n + " + added + " WHERE id = 1"})
            .statement(Verdict::opaque, "EXECUTE p", 1));
  }
  EXPECT_EQ(value("SELECT n FROM tally"), "22");
  EXPECT_EQ(kinds(), "");
}

TEST_P(ApplierContextTest, TakesTheContextThatStandsLastBeforeTheFirstStatement) {
  observer_->run("CREATE SCHEMA other");
  observer_->run("CREATE TABLE other.tally (id int PRIMARY KEY, n int)");
  observer_->run("INSERT INTO other.tally VALUES (1, 0)");
  run(Recorded(1)
          .context({"SET search_path TO public"})
          .context({"SET search_path TO other"})
          .statement(Verdict::keyed, "UPDATE tally SET n = n + 1 WHERE id = 1", 1));
  EXPECT_EQ(value("SELECT n FROM other.tally"), "1");
}

TEST_P(ApplierContextTest, CountsAContextThatTheShadowRefuses) {
  run(Recorded(1)
          .context({"SET ROLE nobody_at_all", "SET application_name TO 'shop'"})
          .statement(Verdict::keyed, kTake, 1, {"1", "1"}));
  EXPECT_EQ(value("SELECT stock FROM item WHERE id = 1"), "9");
  ASSERT_EQ(applier_->figures().divergences.size(), 1u);
  EXPECT_TRUE(applier_->figures().divergences[0].kind.starts_with("context sqlstate "));
}

TEST_P(ApplierContextTest, LeavesOutATextThatIsNotUtf8) {
  applier_->apply(Recorded(1).statement(Verdict::keyed, kTake, 1, {"1", "1"}).make());
  applier_->apply(Recorded(2)
                      .statement(Verdict::keyed, "UPDATE item SET name = 'caf\xe9' WHERE id = 1", 1)
                      .make());
  applier_->commit();
  EXPECT_EQ(kinds(), "text is not UTF-8 x1;");
  EXPECT_EQ(value("SELECT stock FROM item WHERE id = 1"), "9");
}

TEST_P(ApplierContextTest, RunsWhatRefusesATransactionBlockOutsideOfOne) {
  run(Recorded(1).statement(Verdict::opaque, "VACUUM item", -1));
  EXPECT_EQ(kinds(), "");
  EXPECT_EQ(applier_->figures().applied_seq, 1u);
}

INSTANTIATE_TEST_SUITE_P(Engines, ApplierContextTest, ::testing::Values(Dialect::postgresql),
                         [](const auto& one) { return std::string(dialect_name(one.param)); });

}  // namespace
}  // namespace understudy
