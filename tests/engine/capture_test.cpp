// What the driver records, at its two outer boundaries: an ODBC program that goes through the
// driver manager on one side, the records of the ring on the other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>

#include "tests/engine/recording.h"

namespace understudy {
namespace {

class CaptureTest : public testing::TestWithParam<Dialect> {
 protected:
  void SetUp() override { define_items(production_); }
  static void define_items(Production& production) {
    production.define({sqlite()    ? "CREATE TABLE items (id INTEGER PRIMARY KEY AUTOINCREMENT,"
                                     " v int, note text)"
                       : mariadb() ? "CREATE TABLE items (id int AUTO_INCREMENT PRIMARY KEY, v int,"
                                     " note text)"
                                   : "CREATE TABLE items (id serial PRIMARY KEY, v int, note text)",
                       "INSERT INTO items (v, note) VALUES (1, 'one')",
                       "INSERT INTO items (v, note) VALUES (2, 'two')"});
  }
  [[nodiscard]] static bool sqlite() { return GetParam() == Dialect::sqlite; }
  [[nodiscard]] static bool postgresql() { return GetParam() == Dialect::postgresql; }
  [[nodiscard]] static bool mariadb() { return GetParam() == Dialect::mariadb; }
  /// An application that meets the migration recording.
  Application& recording() {
    production_.record();
    app_ = std::make_unique<Application>(production_.through());
    return *app_;
  }
  Application& in_transactions() {
    Application& app = recording();
    app.autocommit(false);
    return app;
  }
  [[nodiscard]] std::string values_over(int least) {
    const char* all = sqlite()    ? "group_concat('(' || v || ')', '')"
                      : mariadb() ? "group_concat(concat('(', v, ')') ORDER BY v SEPARATOR '')"
                                  : "string_agg('(' || v || ')', '' ORDER BY v)";
    return production_.scalar(std::string("SELECT coalesce(") + all +
                              ", '') FROM items WHERE v > " + std::to_string(least));
  }
  [[nodiscard]] std::string insert_key_question() const {
    return sqlite() ? "SELECT last_insert_rowid()" : "SELECT lastval()";
  }

  Production production_{GetParam()};
  std::unique_ptr<Application> app_;
};

class CaptureServerTest : public CaptureTest {};
class CaptureErrorsTest : public CaptureTest {};

INSTANTIATE_TEST_SUITE_P(Engines, CaptureServerTest, testing::Values(Dialect::postgresql),
                         [](const auto& one) { return std::string(dialect_name(one.param)); });
INSTANTIATE_TEST_SUITE_P(Engines, CaptureErrorsTest,
                         testing::Values(Dialect::sqlite, Dialect::postgresql, Dialect::mariadb),
                         [](const auto& one) { return std::string(dialect_name(one.param)); });
INSTANTIATE_TEST_SUITE_P(Engines, CaptureTest,
                         testing::Values(Dialect::sqlite, Dialect::postgresql),
                         [](const auto& one) { return std::string(dialect_name(one.param)); });

// --- transactions ---

TEST_P(CaptureTest, AnAutocommitStatementIsOneCommittedTransaction) {
  Application& app = recording();
  RUN(app, "INSERT INTO items (v) VALUES (7)");
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(seen.transactions[0].outcome, Outcome::committed);
  EXPECT_TRUE(seen.transactions[0].head.flags & kTransactionAutocommit);
  EXPECT_EQ(production_.scalar("SELECT count(*) FROM items"), "3");
}

TEST_P(CaptureTest, TheApplicationStillSeesAutocommitOn) {
  Application& app = recording();
  RUN(app, "INSERT INTO items (v) VALUES (7)");
  SQLULEN on = 77;
  SQLGetConnectAttr(app.dbc, SQL_ATTR_AUTOCOMMIT, &on, sizeof on, nullptr);
  EXPECT_EQ(static_cast<SQLUINTEGER>(on), SQLUINTEGER{SQL_AUTOCOMMIT_ON});
}

TEST_P(CaptureTest, ARolledBackTransactionIsNotRecorded) {
  Application& app = in_transactions();
  RUN(app, "INSERT INTO items (v) VALUES (7)");
  ASSERT_TRUE(SQL_SUCCEEDED(app.rollback()));
  EXPECT_TRUE(production_.drain().transactions.empty());
}

TEST_P(CaptureTest, AStatementThatChangesNoRowIsNotRecorded) {
  Application& app = in_transactions();
  run(app, "UPDATE items SET v = 5 WHERE id = 99");
  run(app, "DELETE FROM items WHERE v > 100");
  ASSERT_TRUE(SQL_SUCCEEDED(app.commit()));
  EXPECT_TRUE(production_.drain().transactions.empty());
}

TEST_P(CaptureTest, ASelectLeavesNoRecord) {
  Application& app = in_transactions();
  RUN(app, "SELECT * FROM items");
  ASSERT_TRUE(SQL_SUCCEEDED(app.commit()));
  EXPECT_TRUE(production_.drain().transactions.empty());
}

TEST_P(CaptureTest, StatementsOfATransactionStandInOrder) {
  Application& app = in_transactions();
  const std::vector<std::string> texts = {"INSERT INTO items (v, note) VALUES (3, 'three')",
                                          "UPDATE items SET v = v + 10",
                                          "DELETE FROM items WHERE v = 12"};
  for (const auto& sql : texts) RUN(app, sql);
  ASSERT_TRUE(SQL_SUCCEEDED(app.commit()));
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(seen.texts(), texts);
  const auto& update = seen.transactions[0].statements[1];
  EXPECT_EQ(update.rows, 3);
  ASSERT_EQ(update.effects.size(), 3u);
  std::vector<std::string> values;
  for (const auto& row : update.effects) values.push_back(row.values[1].value_or("NULL"));
  std::sort(values.begin(), values.end());
  EXPECT_EQ(values, (std::vector<std::string>{"11", "12", "13"}));
}

TEST_P(CaptureTest, ASavepointRolledBackDropsOnlyWhatCameAfter) {
  Application& app = in_transactions();
  RUN(app, "INSERT INTO items (v) VALUES (10)");
  RUN(app, "SAVEPOINT here");
  RUN(app, "INSERT INTO items (v) VALUES (11)");
  RUN(app, "ROLLBACK TO SAVEPOINT here");
  RUN(app, "INSERT INTO items (v) VALUES (12)");
  ASSERT_TRUE(SQL_SUCCEEDED(app.commit()));
  EXPECT_EQ(production_.drain().texts(),
            (std::vector<std::string>{"INSERT INTO items (v) VALUES (10)",
                                      "INSERT INTO items (v) VALUES (12)"}));
}

TEST_P(CaptureTest, WhatFollowsARollbackToASavepointStillStandsBehindTheSettings) {
  Application& app = recording();
  RUN(app, sqlite() ? "PRAGMA case_sensitive_like = ON" : "SET TIME ZONE 'UTC'");
  app.autocommit(false);
  RUN(app, "SELECT v FROM items");
  RUN(app, "SAVEPOINT here");
  RUN(app, "INSERT INTO items (v) VALUES (11)");
  RUN(app, "ROLLBACK TO here");
  RUN(app, "INSERT INTO items (v) VALUES (12)");
  ASSERT_TRUE(SQL_SUCCEEDED(app.commit()));
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_FALSE(seen.transactions[0].contexts.empty());
  EXPECT_EQ(seen.texts(), (std::vector<std::string>{"INSERT INTO items (v) VALUES (12)"}));
}

TEST_P(CaptureTest, BeginAndCommitAsTextMakeOneTransaction) {
  Application& app = recording();
  RUN(app, "BEGIN");
  RUN(app, "INSERT INTO items (v) VALUES (10)");
  RUN(app, "INSERT INTO items (v) VALUES (11)");
  RUN(app, "COMMIT");
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(seen.transactions[0].statements.size(), 2u);
  EXPECT_EQ(seen.transactions[0].outcome, Outcome::committed);
  EXPECT_EQ(production_.scalar("SELECT count(*) FROM items"), "4");
}

TEST_P(CaptureTest, RollbackAsTextLeavesNoRecord) {
  Application& app = recording();
  RUN(app, "BEGIN");
  RUN(app, "INSERT INTO items (v) VALUES (10)");
  RUN(app, "ROLLBACK");
  EXPECT_TRUE(production_.drain().transactions.empty());
  EXPECT_EQ(production_.scalar("SELECT count(*) FROM items"), "2");
}

TEST_P(CaptureTest, TurningAutocommitOnCommitsAndIsRecorded) {
  Application& app = in_transactions();
  RUN(app, "INSERT INTO items (v) VALUES (10)");
  ASSERT_TRUE(SQL_SUCCEEDED(app.autocommit(true)));
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(seen.transactions[0].outcome, Outcome::committed);
  EXPECT_EQ(production_.scalar("SELECT count(*) FROM items"), "3");
}

TEST_P(CaptureTest, IdleModeRecordsNothingAndMarksATransactionThatHasWritten) {
  Application app(production_.through());
  app.autocommit(false);
  const auto writing = [&] {
    std::uint32_t count = 0;
    for (std::uint32_t i = 0; i < kSlotCount; ++i) {
      const Slot& slot = production_.map().slot(i);
      if (slot.writing == static_cast<std::uint32_t>(Writing::unrecorded)) ++count;
    }
    return count;
  };
  EXPECT_EQ(writing(), 0u);
  RUN(app, "INSERT INTO items (v) VALUES (10)");
  EXPECT_EQ(writing(), 1u);
  ASSERT_TRUE(SQL_SUCCEEDED(app.commit()));
  EXPECT_EQ(writing(), 0u);
  const Seen seen = production_.drain();
  EXPECT_TRUE(seen.transactions.empty());
}

// Not on SQLite, whose writer would lock out the catalog's reader.
TEST_P(CaptureServerTest, ATransactionThatBeganUnrecordedIsNotRecordedInPart) {
  Application app(production_.through());
  app.autocommit(false);
  RUN(app, "INSERT INTO items (v) VALUES (10)");
  production_.record();
  RUN(app, "INSERT INTO items (v) VALUES (11)");
  ASSERT_TRUE(SQL_SUCCEEDED(app.commit()));
  EXPECT_TRUE(production_.drain().transactions.empty());
}

// --- statements ---

TEST_P(CaptureTest, AnInsertWithAGeneratedKeyRecordsTheRow) {
  Application& app = recording();
  RUN(app, "INSERT INTO items (v) VALUES (7)");
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.texts().size(), 1u);
  const auto& insert = seen.transactions[0].statements[0];
  EXPECT_EQ(insert.verdict, Verdict::effects);
  EXPECT_EQ(insert.verb, Verb::insert);
  ASSERT_EQ(insert.effects.size(), 1u);
  const std::string null = sqlite() ? "NULL" : "";
  const auto& values = insert.effects[0].values;
  ASSERT_EQ(values.size(), 3u);
  EXPECT_EQ(values[0], "3");
  EXPECT_EQ(values[1], "7");
  EXPECT_TRUE(!values[2] || *values[2] == null);
}

TEST_P(CaptureTest, AfterARewrittenInsertTheApplicationSeesACountAndNoResult) {
  Application& app = recording();
  raw::Statement stmt(app);
  ASSERT_EQ(stmt.run("INSERT INTO items (v) VALUES (7)"), SQL_SUCCESS) << stmt.problems();
  SQLLEN rows = -1;
  SQLSMALLINT columns = -1;
  EXPECT_EQ(SQLRowCount(stmt.handle, &rows), SQL_SUCCESS);
  EXPECT_EQ(rows, 1);
  EXPECT_EQ(SQLNumResultCols(stmt.handle, &columns), SQL_SUCCESS);
  EXPECT_EQ(columns, 0);
  EXPECT_FALSE(SQL_SUCCEEDED(SQLFetch(stmt.handle)));
  EXPECT_EQ(stmt.scalar(insert_key_question()), "3");
}

TEST_P(CaptureTest, AnUpdateByKeyIsKeyed) {
  Application& app = recording();
  raw::Statement stmt(app);
  SQLINTEGER v = 50;
  SQLINTEGER id = 2;
  SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, SQL_C_LONG, SQL_INTEGER, 0, 0, &v, 0, nullptr);
  SQLBindParameter(stmt.handle, 2, SQL_PARAM_INPUT, SQL_C_LONG, SQL_INTEGER, 0, 0, &id, 0, nullptr);
  ASSERT_EQ(stmt.run("UPDATE items SET v = ? WHERE id = ?"), SQL_SUCCESS) << stmt.problems();
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.texts().size(), 1u);
  const auto& update = seen.transactions[0].statements[0];
  EXPECT_EQ(update.verdict, Verdict::keyed);
  EXPECT_EQ(update.verb, Verb::update);
  EXPECT_EQ(update.rows, 1);
  ASSERT_EQ(update.key.size(), 1u);
  EXPECT_EQ(update.key[0].column, 0u);
  EXPECT_EQ(update.key[0].parameter, 1u);
}

TEST_P(CaptureTest, AStatementWithItsOwnReturningLeavesItsRowsInTheJournalToo) {
  Application& app = recording();
  raw::Statement stmt(app);
  const std::string insert = "INSERT INTO items (v, note) VALUES (7, 'ü:-') RETURNING id";
  // libsqliteodbc shows no rows of such a statement.
  if (sqlite()) {
    ASSERT_EQ(stmt.run(insert), SQL_SUCCESS);
  } else {
    EXPECT_EQ(stmt.scalar(insert), "3");
  }
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.texts().size(), 1u);
  const SeenStatement& statement = seen.transactions[0].statements[0];
  EXPECT_EQ(statement.verdict, Verdict::effects);
  ASSERT_EQ(statement.effects.size(), 1u);
  EXPECT_EQ(statement.effects[0].values, (Row{"3", "7", sqlite() ? "'ü:-'" : "ü:-"}));
  EXPECT_EQ(production_.scalar("SELECT count(*) FROM items"), "3");
}

TEST_P(CaptureTest, AStatementPreparedOnceIsRecordedWithTheValuesOfEachExecution) {
  Application& app = recording();
  raw::Statement stmt(app);
  SQLINTEGER v = 0;
  ASSERT_EQ(SQLPrepare(stmt.handle, raw::text("INSERT INTO items (v) VALUES (?)"), SQL_NTS),
            SQL_SUCCESS);
  SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, SQL_C_LONG, SQL_INTEGER, 0, 0, &v, 0, nullptr);
  for (v = 20; v < 22; ++v) {
    ASSERT_EQ(SQLExecute(stmt.handle), SQL_SUCCESS) << stmt.problems();
  }
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 2u);
  for (int i = 0; i < 2; ++i) {
    const auto& statement = seen.transactions[static_cast<std::size_t>(i)].statements.at(0);
    EXPECT_EQ(statement.effects.at(0).values.at(1), std::to_string(20 + i));
    SQLINTEGER bound = 0;
    ASSERT_EQ(statement.parameters.at(0).bytes.size(), sizeof bound);
    std::memcpy(&bound, statement.parameters[0].bytes.data(), sizeof bound);
    EXPECT_EQ(bound, 20 + i);
  }
}

TEST_P(CaptureTest, ASchemaChangeEndsRecordingWithAReasonAndSucceeds) {
  Application& app = recording();
  RUN(app, "ALTER TABLE items ADD COLUMN more int");
  EXPECT_EQ(production_.mode(), Mode::invalid);
  EXPECT_NE(production_.map().reason().find("schema"), std::string::npos);
  RUN(app, "UPDATE items SET more = 1");
  EXPECT_EQ(production_.scalar("SELECT sum(more) FROM items"), "2");
}

TEST_P(CaptureTest, ARolledBackSchemaChangeEndsNothing) {
  Application& app = in_transactions();
  RUN(app, "ALTER TABLE items ADD COLUMN more int");
  ASSERT_TRUE(SQL_SUCCEEDED(app.rollback()));
  EXPECT_EQ(production_.mode(), Mode::record);
}

TEST_P(CaptureTest, ADuplicateKeyIsReportedAsByTheBareDriver) {
  Application& app = recording();
  Application plain(production_.bare());
  std::string seen[2];
  Application* both[] = {&plain, &app};
  for (int i = 0; i < 2; ++i) {
    raw::Statement stmt(*both[i]);
    EXPECT_EQ(stmt.run("INSERT INTO items (id, v, note) SELECT 1, 5, 'x'"), SQL_ERROR);
    for (const auto& line : raw::diagnostics(SQL_HANDLE_STMT, stmt.handle)) {
      seen[i] += line.substr(0, 5) + " ";
    }
  }
  EXPECT_NE(seen[0], "");
  EXPECT_EQ(seen[1], seen[0]);
  EXPECT_TRUE(production_.drain().transactions.empty());
}

// --- long transactions ---

TEST_P(CaptureTest, ALongTransactionArrivesInChunksAndComplete) {
  Application& app = in_transactions();
  for (int i = 0; i < 20; ++i) {
    RUN(app, "INSERT INTO items (v, note) VALUES (" + std::to_string(i) + ", '" +
                 std::string(32 << 10, 'x') + "')");
  }
  ASSERT_TRUE(SQL_SUCCEEDED(app.commit()));
  const Seen seen = production_.drain();
  EXPECT_GT(seen.chunks, 0u);
  ASSERT_EQ(seen.transactions.size(), 1u);
  const auto& transaction = seen.transactions[0];
  EXPECT_EQ(transaction.head.chunks, seen.chunks);
  ASSERT_EQ(transaction.statements.size(), 20u);
  for (std::size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(transaction.statements[i].effects.at(0).values.at(1), std::to_string(i));
  }
  EXPECT_EQ(transaction.outcome, Outcome::committed);
}

TEST_P(CaptureTest, ASavepointOutlivesAFailedFirstStatement) {
  Application& app = in_transactions();
  RUN(app, "SAVEPOINT here");
  EXPECT_EQ(run(app, "INSERT INTO nowhere (v) VALUES (10)"), SQL_ERROR);
  RUN(app, "INSERT INTO items (v) VALUES (11)");
  RUN(app, "ROLLBACK TO SAVEPOINT here");
  RUN(app, "INSERT INTO items (v) VALUES (12)");
  ASSERT_TRUE(SQL_SUCCEEDED(app.commit()));
  const Seen seen = production_.drain();
  EXPECT_EQ(seen.texts(), (std::vector<std::string>{"INSERT INTO items (v) VALUES (12)"}));
  EXPECT_TRUE(seen.transactions.at(0).notes.empty());
}

SQLRETURN run_prepared(Application& app, const std::string& sql) {
  raw::Statement stmt(app);
  const SQLRETURN ret = SQLPrepare(stmt.handle, raw::text(sql), SQL_NTS);
  return SQL_SUCCEEDED(ret) ? SQLExecute(stmt.handle) : ret;
}

// What the transaction has set is no write: after the error the server has kept it all.
TEST_P(CaptureServerTest, SettingsAndSavepointsOutliveAnErrorBeforeTheFirstWrite) {
  Application& app = in_transactions();
  RUN(app, "SAVEPOINT here");
  EXPECT_EQ(run(app, "INSERT INTO nowhere (v) VALUES (10)"), SQL_ERROR);
  RUN(app, "SET TIME ZONE 'Asia/Tokyo'");
  EXPECT_EQ(run(app, "INSERT INTO nowhere (v) VALUES (10)"), SQL_ERROR);
  RUN(app, "INSERT INTO items (v) VALUES (11)");
  RUN(app, "ROLLBACK TO SAVEPOINT here");
  RUN(app, "INSERT INTO items (v) VALUES (12)");
  ASSERT_TRUE(SQL_SUCCEEDED(app.commit()));
  const Seen seen = production_.drain();
  EXPECT_EQ(seen.texts(), (std::vector<std::string>{"INSERT INTO items (v) VALUES (12)"}));
  EXPECT_TRUE(seen.transactions.at(0).notes.empty());
}

/// The values over 999 that committed transactions have written, in brackets; nothing when it was
/// told that a rollback to a savepoint is not known.
std::optional<std::string> kept_values(const Seen& seen) {
  std::string out;
  for (const SeenTransaction& one : seen.transactions) {
    if (!one.notes.empty()) {
      EXPECT_THAT(one.notes, testing::Each("rollback-to-unknown-savepoint"));
      return std::nullopt;
    }
    if (one.outcome != Outcome::committed) continue;
    for (const SeenStatement& statement : one.statements) {
      for (const SeenRow& row : statement.effects) {
        const std::string value = row.values.at(1).value();
        if (value.size() > 3) out += "(" + value + ")";
      }
    }
  }
  return out;
}

// psqlodbc has lost its own savepoint with the application's, and answers the next error, which may
// be that of a question of ours, by ending the transaction. The next one is another.
TEST_P(CaptureServerTest, WhatFollowsATransactionThatTheRealDriverHasEndedIsRecorded) {
  Application& app = in_transactions();
  RUN(app, "INSERT INTO items (v) VALUES (3)");
  ASSERT_TRUE(SQL_SUCCEEDED(app.commit()));
  EXPECT_EQ(run(app, "INSERT INTO items (id, v) VALUES (1, 1)"), SQL_ERROR);
  EXPECT_EQ(run_prepared(app, "SAVEPOINT here"), SQL_SUCCESS);
  EXPECT_EQ(run_prepared(app, "UPDATE items SET note = 'y' WHERE id = 1"), SQL_SUCCESS);
  EXPECT_EQ(run_prepared(app, "INSERT INTO items (id, v) VALUES (1, 1)"), SQL_ERROR);
  RUN(app, "SET CONSTRAINTS ALL DEFERRED");
  EXPECT_EQ(run_prepared(app, "RELEASE here"), SQL_SUCCESS);
  EXPECT_EQ(run(app, "UPDATE items SET id = 2 WHERE id = 1"), SQL_ERROR);
  EXPECT_EQ(run_prepared(app, "UPDATE items SET id = -id WHERE v = 2"), SQL_SUCCESS);
  RUN(app, "INSERT INTO items (v) VALUES (1005)");
  ASSERT_TRUE(SQL_SUCCEEDED(app.commit()));
  std::vector<std::string> texts = production_.drain().texts();
  ASSERT_FALSE(texts.empty());
  EXPECT_EQ(texts.back(), "INSERT INTO items (v) VALUES (1005)");
  EXPECT_EQ(values_over(1000), "(1005)");
}

// Whatever the real driver and the server make of errors between savepoints: what is recorded is
// what was kept.
TEST_P(CaptureErrorsTest, WhatIsRecordedIsWhatWasKeptAmongSavepointsAndErrors) {
  Application& app = in_transactions();
  Production twin(GetParam());
  define_items(twin);
  Application bare(twin.bare());
  bare.autocommit(false);
  const char* set = std::getenv("UNDERSTUDY_SEED");
  const std::uint64_t seed = set ? std::strtoull(set, nullptr, 10) : std::random_device{}();
  std::printf("UNDERSTUDY_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  constexpr const char* kUnlike = "unlike the bare driver: ";
  int told = 0;
  for (int turn = 0, v = 1000; turn < 200; ++turn) {
    // psqlodbc takes savepoints that were prepared back with its own: which ones depends on ours.
    const bool compared = !postgresql() || turn < 100;
    std::string story;
    for (std::uint64_t steps = 1 + random() % 12; steps > 0; --steps) {
      static const std::vector<std::string> kSteps = {
          "INSERT INTO items (v) VALUES (?)",
          "INSERT INTO items (v) VALUES (?)",
          "INSERT INTO items (id, v) VALUES (1, 1)",
          "INSERT INTO nowhere (v) VALUES (1)",
          "SAVEPOINT s",
          "ROLLBACK TO SAVEPOINT s",
          "RELEASE SAVEPOINT s",
          "SAVEPOINT \"t 1\"",
          "ROLLBACK TO \"t 1\"",
          "RELEASE SAVEPOINT \"t 1\"",
          "SELECT * FROM items WHERE id = 1",
          "SET CONSTRAINTS ALL DEFERRED",
          "UPDATE items SET id = -id WHERE v = 2",
          "UPDATE items SET id = 1 - id WHERE v = 2",
          "UPDATE items SET id = id + 1 WHERE v < 3",
          "UPDATE items SET note = note || 'x' WHERE v < 3",
          "UPDATE items SET note = 'y' WHERE id = 1",
          "UPDATE items SET note = 'x' WHERE id = -1"};
      std::string text = kSteps[random() % kSteps.size()];
      if (const auto at = text.find('?'); at != std::string::npos) {
        text.replace(at, 1, std::to_string(++v));
      }
      if (mariadb()) std::replace(text.begin(), text.end(), '"', '`');
      const bool control = text.find("SAVEPOINT") != std::string::npos || text.starts_with("R");
      const bool prepared = random() % 2 == 0 && !(control && compared && postgresql());
      const SQLRETURN ret = prepared ? run_prepared(app, text) : run(app, text);
      if (compared && (prepared ? run_prepared(bare, text) : run(bare, text)) != ret)
        story += kUnlike;
      story += (prepared ? "prepared: " : "") + text;
      story += (SQL_SUCCEEDED(ret) || ret == SQL_NO_DATA ? "\n" : " -- failed\n");
    }
    const SQLRETURN committed = app.commit();
    if (compared && bare.commit() != committed) story += kUnlike;
    story += "COMMIT";
    EXPECT_EQ(story.find(kUnlike), std::string::npos) << story;
    const auto recorded = kept_values(production_.drain());
    if (recorded) {
      EXPECT_EQ(*recorded, values_over(1000)) << story;
    } else {
      ++told;  // the server may have meant one of two savepoints
    }
    for (Application* one : {&app, &bare}) {
      one->rollback();
      run(*one, "DELETE FROM items WHERE v > 1000");
      one->commit();
    }
    (void)production_.drain();
    if (HasFailure()) break;
  }
  EXPECT_LT(told, postgresql() ? 20 : 1);
}

TEST_P(CaptureTest, ASavepointIsRolledBackAlsoWhenWhatCameAfterHasLeftInChunks) {
  Application& app = in_transactions();
  RUN(app, "INSERT INTO items (v) VALUES (10)");
  RUN(app, "SAVEPOINT here");
  for (int i = 0; i < 20; ++i) {
    RUN(app, "INSERT INTO items (note) VALUES ('" + std::string(32 << 10, 'x') + "')");
  }
  RUN(app, "ROLLBACK TO SAVEPOINT here");
  RUN(app, "INSERT INTO items (v) VALUES (12)");
  ASSERT_TRUE(SQL_SUCCEEDED(app.commit()));
  const Seen seen = production_.drain();
  EXPECT_GT(seen.chunks, 0u);
  EXPECT_EQ(seen.texts(), (std::vector<std::string>{"INSERT INTO items (v) VALUES (10)",
                                                    "INSERT INTO items (v) VALUES (12)"}));
  EXPECT_TRUE(seen.transactions.at(0).notes.empty());
}

// The texts of statements with literals are what is large here: of the rows only the key is
// recorded.
TEST_P(CaptureTest, ManyLargeTextsLeaveInChunks) {
  Application& app = in_transactions();
  RUN(app, "INSERT INTO items (v, note) VALUES (1, 'one')");
  for (int i = 0; i < 20; ++i) {
    RUN(app, "UPDATE items SET note = '" + std::to_string(i) + std::string(32 << 10, 'x') +
                 "' WHERE id = 1");
  }
  ASSERT_TRUE(SQL_SUCCEEDED(app.commit()));
  const Seen seen = production_.drain();
  EXPECT_GT(seen.chunks, 0u);
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(seen.transactions[0].statements.size(), 21u);
  EXPECT_EQ(seen.transactions[0].outcome, Outcome::committed);
}

TEST_P(CaptureTest, TheRowsOfOneLargeStatementLeaveInChunks) {
  Application& app = in_transactions();
  RUN(app,
      "INSERT INTO items (v, note) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1"
      " FROM n WHERE i < 20000) SELECT i, 'a note of thirty characters...' FROM n");
  ASSERT_TRUE(SQL_SUCCEEDED(app.commit()));
  const Seen seen = production_.drain();
  EXPECT_GT(seen.chunks, 2u);
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(seen.transactions[0].statements.at(0).effects.size(), 20000u);
  EXPECT_EQ(seen.transactions[0].statements.at(0).rows, 20000);
}

TEST_P(CaptureTest, ARollbackAbandonsTheChunks) {
  Application& app = in_transactions();
  for (int i = 0; i < 20; ++i) {
    RUN(app, "INSERT INTO items (note) VALUES ('" + std::string(32 << 10, 'x') + "')");
  }
  ASSERT_TRUE(SQL_SUCCEEDED(app.rollback()));
  const Seen seen = production_.drain();
  EXPECT_GT(seen.chunks, 0u);
  EXPECT_TRUE(seen.transactions.empty());
  EXPECT_EQ(seen.abandoned.size(), 1u);
}

// --- bound values ---

struct Value {
  const char* name;
  SQLSMALLINT c_type;
  SQLSMALLINT sql_type;
  const char* column_type;  // of PostgreSQL
  SQLULEN size;
  SQLSMALLINT digits;
  std::string bytes;
  bool sqlite = true;  // libsqliteodbc takes this C type
};

template <class T>
std::string bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

std::vector<Value> values() {
  const std::u16string wide = u"gr\u00fc\u00df \U0001f600";
  SQL_NUMERIC_STRUCT numeric{};
  numeric.precision = 5;
  numeric.scale = 2;
  numeric.sign = 1;
  numeric.val[0] = 0x39;
  numeric.val[1] = 0x30;
  return {
      {"Char", SQL_C_CHAR, SQL_VARCHAR, "text", 20, 0, "a 'text'"},
      {"EmptyChar", SQL_C_CHAR, SQL_VARCHAR, "text", 20, 0, ""},
      {"Wide", SQL_C_WCHAR, SQL_WVARCHAR, "text", 20, 0,
       std::string(reinterpret_cast<const char*>(wide.data()), wide.size() * 2)},
      {"Long", SQL_C_LONG, SQL_INTEGER, "int", 0, 0, bytes_of(SQLINTEGER{-123456})},
      {"Bigint", SQL_C_SBIGINT, SQL_BIGINT, "bigint", 0, 0, bytes_of(SQLBIGINT{-1} << 60)},
      {"Double", SQL_C_DOUBLE, SQL_DOUBLE, "double precision", 0, 0, bytes_of(0.1)},
      {"Bit", SQL_C_BIT, SQL_BIT, "boolean", 0, 0, std::string(1, '\1')},
      {"Binary", SQL_C_BINARY, SQL_VARBINARY, "bytea", 20, 0, std::string("\0\1\xff\0", 4)},
      {"Timestamp", SQL_C_TYPE_TIMESTAMP, SQL_TYPE_TIMESTAMP, "timestamp", 26, 6,
       bytes_of(SQL_TIMESTAMP_STRUCT{2024, 2, 29, 23, 59, 58, 123456000})},
      {"Numeric", SQL_C_NUMERIC, SQL_NUMERIC, "numeric", 5, 2, bytes_of(numeric), false},
      {"Mebibyte", SQL_C_CHAR, SQL_LONGVARCHAR, "text", 1 << 20, 0, std::string(1 << 20, 'm')},
  };
}

class CapturedValue : public testing::TestWithParam<std::tuple<Dialect, Value>> {};

std::vector<std::tuple<Dialect, Value>> values_by_engine() {
  std::vector<std::tuple<Dialect, Value>> all;
  for (const Value& value : values()) {
    if (value.sqlite) all.emplace_back(Dialect::sqlite, value);  // libsqliteodbc takes the C type
    all.emplace_back(Dialect::postgresql, value);
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Values, CapturedValue, testing::ValuesIn(values_by_engine()),
                         [](const auto& one) {
                           return std::string(dialect_name(std::get<0>(one.param))) +
                                  std::get<1>(one.param).name;
                         });

// Runs an insert with one bound value and returns what was recorded of it.
void insert_bound(Production& production, const Value& value, SQLLEN indicator,
                  SeenParameter* seen_parameter) {
  production.define(
      {"CREATE TABLE kinds (id int PRIMARY KEY, v " + std::string(value.column_type) + ")"});
  production.record();
  Application app(production.through());
  raw::Statement stmt(app);
  std::string buffer = value.bytes;
  const SQLRETURN bound =
      SQLBindParameter(stmt.handle, 1, SQL_PARAM_INPUT, value.c_type, value.sql_type, value.size,
                       value.digits, buffer.data(), static_cast<SQLLEN>(buffer.size()), &indicator);
  ASSERT_EQ(bound, SQL_SUCCESS) << stmt.problems();
  ASSERT_EQ(stmt.run("INSERT INTO kinds (id, v) VALUES (1, ?)"), SQL_SUCCESS) << stmt.problems();
  const Seen seen = production.drain();
  ASSERT_EQ(seen.texts().size(), 1u);
  const auto& parameters = seen.transactions[0].statements[0].parameters;
  ASSERT_EQ(parameters.size(), 1u);
  *seen_parameter = parameters[0];
  EXPECT_EQ(parameters[0].c_type, value.c_type);
  EXPECT_EQ(parameters[0].sql_type, value.sql_type);
}

TEST_P(CapturedValue, ArrivesWithItsTypeLengthAndBytes) {
  const auto& [dialect, value] = GetParam();
  Production production(dialect);
  SeenParameter seen;
  insert_bound(production, value, static_cast<SQLLEN>(value.bytes.size()), &seen);
  EXPECT_EQ(seen.indicator, static_cast<std::int64_t>(value.bytes.size()));
  EXPECT_TRUE(seen.bytes == value.bytes) << seen.bytes.size() << " bytes";
}

TEST_P(CapturedValue, ArrivesAsNull) {
  const auto& [dialect, value] = GetParam();
  Production production(dialect);
  SeenParameter seen;
  insert_bound(production, value, SQL_NULL_DATA, &seen);
  EXPECT_EQ(seen.indicator, SQL_NULL_DATA);
  EXPECT_EQ(seen.bytes, "");
}

// --- PostgreSQL alone ---

// With NoTXN libsqliteodbc makes none, and commits each statement whatever the application has set.
TEST(CaptureSqlite, ADriverThatMakesNoTransactionsEndsRecording) {
  Production production(Dialect::sqlite);
  production.define({"CREATE TABLE items (id INTEGER PRIMARY KEY)"});
  production.record();
  Application app(production.through() + "NoTXN=1;");
  app.autocommit(false);
  RUN(app, "SELECT id FROM items");
  EXPECT_EQ(production.mode(), Mode::record);
  RUN(app, "INSERT INTO items VALUES (1)");
  EXPECT_TRUE(SQL_SUCCEEDED(app.rollback()));
  EXPECT_EQ(production.scalar("SELECT count(*) FROM items"), "1");
  EXPECT_EQ(production.mode(), Mode::invalid);
}

TEST(CapturePostgresql, ATransactionCarriesTheServersId) {
  Production production(Dialect::postgresql);
  production.define(
      {"CREATE TABLE t (id int PRIMARY KEY, v bigint)", "INSERT INTO t VALUES (1, 0)"});
  production.record();
  Application app(production.through());
  app.autocommit(false);
  RUN(app, "UPDATE t SET v = 1 WHERE id = 1");
  raw::Statement stmt(app);
  const std::string txid = stmt.scalar("SELECT pg_current_xact_id()::text");
  ASSERT_TRUE(SQL_SUCCEEDED(app.commit()));
  const Seen seen = production.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(std::to_string(seen.transactions[0].head.server_txid), txid);
}

class CaptureCommit : public testing::Test {
 protected:
  CaptureCommit() {
    production_.define({"CREATE TABLE parent (id int PRIMARY KEY)",
                        "CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent"
                        " DEFERRABLE INITIALLY DEFERRED)"});
    production_.record();
  }

  Production production_{Dialect::postgresql};
};

TEST_F(CaptureCommit, ThatTheServerRefusesIsKnownToBeRolledBack) {
  Application app(production_.through());
  app.autocommit(false);
  RUN(app, "INSERT INTO child (id, parent) VALUES (1, 99)");
  EXPECT_EQ(app.commit(), SQL_ERROR);
  const auto told = raw::diagnostics(SQL_HANDLE_DBC, app.dbc);
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told[0].substr(0, 5), "23503") << told[0];
  RUN(app, "INSERT INTO parent (id) VALUES (99)");
  EXPECT_EQ(app.commit(), SQL_SUCCESS);
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 2u);
  EXPECT_EQ(seen.transactions[0].outcome, Outcome::rolled_back);
  EXPECT_EQ(seen.transactions[1].outcome, Outcome::committed);
  EXPECT_EQ(production_.scalar("SELECT count(*) FROM child"), "0");
}

TEST_F(CaptureCommit, ThatIsRefusedUnderAutocommitTellsTheStatementAndIsRolledBack) {
  Application app(production_.through());
  raw::Statement stmt(app);
  EXPECT_EQ(stmt.run("INSERT INTO child (id, parent) VALUES (1, 99)"), SQL_ERROR);
  EXPECT_NE(stmt.problems().find("23503"), std::string::npos) << stmt.problems();
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(seen.transactions[0].outcome, Outcome::rolled_back);
}

TEST_F(CaptureCommit, LeavesNoTransactionOpenWhenItIsRefused) {
  Application app(production_.through());
  app.autocommit(false);
  RUN(app, "INSERT INTO child (id, parent) VALUES (1, 99)");
  EXPECT_EQ(app.commit(), SQL_ERROR);
  EXPECT_EQ(production_.scalar("SELECT count(*) FROM pg_stat_activity WHERE datname ="
                               " current_database() AND state LIKE 'idle in transaction%'"),
            "0");
}

TEST_F(CaptureCommit, WhoseConnectionIsLostIsInDoubt) {
  Application app(production_.through());
  app.autocommit(false);
  RUN(app, "INSERT INTO parent (id) VALUES (1)");
  production_.scalar(
      "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname ="
      " current_database() AND pid <> pg_backend_pid()");
  EXPECT_EQ(app.commit(), SQL_ERROR);
  app.commit();  // psqlodbc says that this one succeeds
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(seen.transactions[0].outcome, Outcome::unknown);
}

/// The value of a deferred key passes from one transaction to another while both are open.
class CaptureDeferredKey : public testing::TestWithParam<const char*> {
 protected:
  CaptureDeferredKey() : production_(Dialect::postgresql, {{"Protocol", GetParam()}}) {
    production_.define(
        {"CREATE TABLE late (id int PRIMARY KEY, v int UNIQUE DEFERRABLE INITIALLY"
         " DEFERRED, w int)",
         "INSERT INTO late VALUES (1, 1), (2, 2), (3, 3)"});
  }
  /// Of a program that waits for the server to let it go on.
  void await_waiting() {
    while (production_.scalar("SELECT count(*) FROM pg_stat_activity WHERE datname ="
                              " current_database() AND wait_event_type = 'Lock'") == "0") {
      std::this_thread::yield();
    }
  }

  Production production_;
};

INSTANTIATE_TEST_SUITE_P(Protocols, CaptureDeferredKey, testing::Values("7.4-0", "7.4-1", "7.4-2"),
                         [](const auto& one) { return std::string("Level") + one.param[4]; });

TEST_P(CaptureDeferredKey, IsWrittenBehindWhoeverGaveItsValueAway) {
  production_.record();
  Application gives(production_.through());
  Application takes(production_.through());
  gives.autocommit(false);
  takes.autocommit(false);
  RUN(gives, "UPDATE late SET v = 20 WHERE id = 2");
  RUN(takes, "UPDATE late SET v = 2 WHERE id = 1");
  SQLRETURN took = SQL_ERROR;
  std::thread waits([&] { took = takes.commit(); });
  await_waiting();
  EXPECT_EQ(gives.commit(), SQL_SUCCESS);
  waits.join();
  EXPECT_EQ(took, SQL_SUCCESS);
  EXPECT_EQ(production_.drain().texts(),
            (std::vector<std::string>{"UPDATE late SET v = 20 WHERE id = 2",
                                      "UPDATE late SET v = 2 WHERE id = 1"}));
}

TEST_P(CaptureDeferredKey, ThatIsTakenIsToldOfByCommitAsByTheBareDriver) {
  production_.define({"CREATE TABLE log (n int)",
                      "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                      "INSERT INTO log VALUES (NEW.id); RETURN NULL; END $$",
                      "CREATE CONSTRAINT TRIGGER noted AFTER UPDATE ON late DEFERRABLE INITIALLY "
                      "DEFERRED FOR EACH ROW EXECUTE FUNCTION note()"});
  production_.record();
  std::vector<std::string> told[2];
  for (const bool through : {false, true}) {
    Application app(through ? production_.through()
                            : production_.bare() + "Protocol=" + GetParam() + ";");
    app.autocommit(false);
    RUN(app, "UPDATE late SET v = 2 WHERE id = 1");
    EXPECT_EQ(app.commit(), SQL_ERROR);
    told[through ? 1 : 0] = raw::diagnostics(SQL_HANDLE_DBC, app.dbc);
    RUN(app, "UPDATE late SET w = 5 WHERE id = 3");
    EXPECT_EQ(app.commit(), SQL_SUCCESS);
  }
  ASSERT_FALSE(told[0].empty());
  EXPECT_EQ(told[1], told[0]);
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 2u);
  EXPECT_EQ(seen.transactions[0].outcome, Outcome::rolled_back);
  EXPECT_EQ(seen.transactions[1].outcome, Outcome::committed);
}

// The key is taken when we look, and given away by another transaction while COMMIT is on its way.
TEST_P(CaptureDeferredKey, ThatIsGivenAwayBehindOurLookIsWrittenBehindWhoeverGaveIt) {
  production_.define({"CREATE TABLE gate (n int PRIMARY KEY)",
                      "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                      "PERFORM pg_advisory_xact_lock_shared(7); RETURN NULL; END $$",
                      "CREATE CONSTRAINT TRIGGER waits AFTER INSERT ON gate DEFERRABLE INITIALLY "
                      "DEFERRED FOR EACH ROW EXECUTE FUNCTION wait()"});
  production_.record();
  Application holds(production_.bare());
  Application gives(production_.through());
  Application takes(production_.through());
  for (Application* one : {&holds, &gives, &takes}) one->autocommit(false);
  RUN(holds, "SELECT pg_advisory_xact_lock(7)");
  RUN(takes, "INSERT INTO gate VALUES (1)");
  RUN(takes, "UPDATE late SET v = 2 WHERE id = 1");
  SQLRETURN took = SQL_ERROR;
  std::thread waits([&] { took = takes.commit(); });
  await_waiting();
  RUN(gives, "UPDATE late SET v = 20 WHERE id = 2");
  EXPECT_EQ(holds.commit(), SQL_SUCCESS);
  EXPECT_EQ(gives.commit(), SQL_SUCCESS);
  waits.join();
  EXPECT_EQ(took, SQL_SUCCESS);
  std::vector<std::string> kept;
  for (const SeenTransaction& one : production_.drain().transactions) {
    EXPECT_TRUE(one.outcome.has_value());
    if (one.outcome != Outcome::committed) continue;
    for (const SeenStatement& statement : one.statements) kept.push_back(statement.text);
  }
  EXPECT_EQ(kept, (std::vector<std::string>{"UPDATE late SET v = 20 WHERE id = 2",
                                            "INSERT INTO gate VALUES (1)",
                                            "UPDATE late SET v = 2 WHERE id = 1"}));
}

class CaptureProtocol : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Protocols, CaptureProtocol, testing::Values("7.4-0", "7.4-1", "7.4-2"),
                         [](const auto& one) { return std::string("Level") + one.param[4]; });

TEST_P(CaptureProtocol, AfterAnErrorWhatIsKeptIsWhatIsRecorded) {
  Production production(Dialect::postgresql, {{"Protocol", GetParam()}});
  production.define({"CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)"});
  production.record();
  Application app(production.through());
  app.autocommit(false);
  run(app, "INSERT INTO t (id) VALUES (2)");
  EXPECT_EQ(run(app, "INSERT INTO t (id) VALUES (1)"), SQL_ERROR);
  run(app, "INSERT INTO t (id) VALUES (3)");
  app.commit();
  const Seen seen = production.drain();
  std::string recorded;
  for (const auto& text : seen.texts()) recorded += text.substr(text.size() - 2, 1);
  const std::string kept = production.scalar(
      "SELECT coalesce(string_agg(id::text, '' ORDER BY id), '') FROM t"
      " WHERE id > 1");
  const std::map<std::string, std::string> expected = {
      {"7.4-0", ""}, {"7.4-1", "3"}, {"7.4-2", "23"}};
  EXPECT_EQ(kept, expected.at(GetParam()));
  EXPECT_EQ(recorded, kept);
  for (const auto& one : seen.transactions) EXPECT_EQ(one.outcome, Outcome::committed);
}

}  // namespace
}  // namespace understudy
