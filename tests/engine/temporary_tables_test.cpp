// Temporary tables: what is written from them is recorded by its rows, what is written to them is
// the session's own affair.
#include <gtest/gtest.h>

#include "tests/engine/recording.h"

namespace understudy {
namespace {

class TemporaryTables : public testing::TestWithParam<Dialect> {
 protected:
  void SetUp() override {
    production_.define(
        {"CREATE TABLE items (id int PRIMARY KEY, v int)", "INSERT INTO items VALUES (1, 1)"});
    production_.record();
    app_ = std::make_unique<Application>(production_.through());
  }
  /// The rows that were recorded; nothing opaque, nothing counted.
  std::vector<Row> recorded() {
    std::vector<Row> out;
    for (const SeenTransaction& one : production_.drain().transactions) {
      EXPECT_TRUE(one.notes.empty());
      EXPECT_TRUE(one.contexts.empty());
      for (const SeenStatement& statement : one.statements) {
        for (const SeenRow& row : statement.effects) out.push_back(row.values);
      }
    }
    EXPECT_EQ(production_.map().header().uncaptured, 0u);
    EXPECT_EQ(production_.map().header().opaque, 0u);
    return out;
  }

  /// Whether an INSERT of one row with its key, keyed otherwise, is recorded as it stands.
  bool next_write_is_opaque() {
    (void)production_.drain();
    const auto before = production_.map().header().opaque.load();
    EXPECT_TRUE(SQL_SUCCEEDED(run(*app_, "INSERT INTO items VALUES (7, 7)")));
    (void)production_.drain();
    return production_.map().header().opaque.load() == before + 1;
  }

  Production production_{GetParam()};
  std::unique_ptr<Application> app_;
};

INSTANTIATE_TEST_SUITE_P(Engines, TemporaryTables,
                         testing::Values(Dialect::sqlite, Dialect::postgresql, Dialect::mariadb),
                         [](const auto& one) { return std::string(dialect_name(one.param)); });

TEST_P(TemporaryTables, RowsWrittenFromThemAreRecorded) {
  RUN(*app_, "DROP TABLE IF EXISTS scratch");
  RUN(*app_, "CREATE TEMPORARY TABLE scratch (id int, v int)");
  RUN(*app_, "INSERT INTO scratch VALUES (2, 20), (3, 30)");
  RUN(*app_, "UPDATE scratch SET v = v + 1");
  RUN(*app_, "INSERT INTO items SELECT id, v FROM scratch ORDER BY id");
  RUN(*app_, "DELETE FROM scratch");
  RUN(*app_,
      GetParam() == Dialect::mariadb ? "DROP TEMPORARY TABLE scratch" : "DROP TABLE scratch");
  EXPECT_EQ(recorded(), (std::vector<Row>{{"2", "21"}, {"3", "31"}}));
  EXPECT_EQ(production_.mode(), Mode::record);
}

TEST_P(TemporaryTables, TheyAreNoPartOfAnOpenTransaction) {
  app_->autocommit(false);
  RUN(*app_, "CREATE TEMPORARY TABLE scratch (id int, v int)");
  RUN(*app_, "INSERT INTO items SELECT 5, 50");
  RUN(*app_, "INSERT INTO scratch VALUES (2, 20)");
  RUN(*app_, "INSERT INTO items SELECT id, v FROM scratch");
  RUN(*app_,
      GetParam() == Dialect::mariadb ? "DROP TEMPORARY TABLE scratch" : "DROP TABLE scratch");
  ASSERT_TRUE(SQL_SUCCEEDED(app_->rollback()));
  EXPECT_EQ(recorded(), std::vector<Row>{});
  EXPECT_EQ(production_.scalar("SELECT count(*) FROM items"), "1");
  EXPECT_EQ(production_.mode(), Mode::record);
}

TEST_P(TemporaryTables, OneThatHidesATableIsOpaque) {
  RUN(*app_, "CREATE TEMPORARY TABLE items (id int, v int)");
  EXPECT_TRUE(next_write_is_opaque());
}

TEST_P(TemporaryTables, ATableThatIsNoneStillEndsTheRecording) {
  RUN(*app_, "CREATE TEMPORARY TABLE scratch (id int, v int)");
  RUN(*app_, "DROP TABLE items");
  EXPECT_EQ(production_.mode(), Mode::invalid);
}

class TemporaryTablesOfServers : public TemporaryTables {};
INSTANTIATE_TEST_SUITE_P(Engines, TemporaryTablesOfServers,
                         testing::Values(Dialect::postgresql, Dialect::mariadb),
                         [](const auto& one) { return std::string(dialect_name(one.param)); });

TEST_P(TemporaryTablesOfServers, OneMadeByAFunctionThatMayWriteIsCounted) {
  production_.define({GetParam() == Dialect::mariadb
                          ? "CREATE FUNCTION touch() RETURNS int MODIFIES SQL DATA RETURN 1"
                          : "CREATE FUNCTION touch() RETURNS int LANGUAGE sql AS 'SELECT 1'"});
  RUN(*app_, "CREATE TEMPORARY TABLE scratch AS SELECT touch() AS a");
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(seen.transactions[0].notes, std::vector<std::string>{"temporary-by-function"});
  EXPECT_EQ(production_.map().header().uncaptured, 1u);
}

class TemporaryTablesPostgresql : public TemporaryTables {};
INSTANTIATE_TEST_SUITE_P(Engines, TemporaryTablesPostgresql, testing::Values(Dialect::postgresql),
                         [](const auto& one) { return std::string(dialect_name(one.param)); });

TEST_P(TemporaryTablesPostgresql, OnlyTablesOfTheMigrationAreTruncatedOnTheShadow) {
  RUN(*app_, "SELECT 1 AS a INTO TEMP scratch");
  RUN(*app_, "TRUNCATE scratch");
  EXPECT_EQ(production_.map().header().opaque, 0u);
  RUN(*app_, "TRUNCATE items");
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(seen.texts(), std::vector<std::string>{"TRUNCATE items"});
  EXPECT_EQ(production_.map().header().opaque, 1u);
  EXPECT_EQ(production_.mode(), Mode::record);
}

TEST_P(TemporaryTablesPostgresql, WritesThroughATemporaryViewAreRecorded) {
  RUN(*app_, "CREATE TEMP VIEW narrow AS SELECT * FROM items");
  RUN(*app_, "INSERT INTO narrow VALUES (4, 40)");
  const Seen seen = production_.drain();
  EXPECT_EQ(seen.texts(), std::vector<std::string>{"INSERT INTO narrow VALUES (4, 40)"});
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(
      seen.transactions[0].contexts,
      (std::vector<std::vector<std::string>>{{"CREATE TEMP VIEW narrow AS SELECT * FROM items"}}));
}

TEST_P(TemporaryTablesPostgresql, OneMadeAmongOtherStatementsHidesATable) {
  RUN(*app_, "CREATE TEMP TABLE items (id int, v int); SELECT 1");
  EXPECT_TRUE(next_write_is_opaque());
}

TEST_P(TemporaryTablesPostgresql, OneMadeByABodyMayHideATable) {
  RUN(*app_, "DO $$ BEGIN CREATE TEMP TABLE other (a int); END $$");
  EXPECT_TRUE(next_write_is_opaque());
}

TEST_P(TemporaryTablesPostgresql, NamesAreInDoubtAfterABodyThatSetsThePath) {
  RUN(*app_, "DO $$ BEGIN SET search_path = elsewhere; SET search_path = public; END $$");
  EXPECT_TRUE(next_write_is_opaque());
}

TEST_P(TemporaryTablesPostgresql, ABodyThatMakesNoneLeavesNamesAsTheyWere) {
  RUN(*app_, "DO $$ BEGIN PERFORM 1; END $$");
  EXPECT_FALSE(next_write_is_opaque());
}

TEST_P(TemporaryTablesPostgresql, ACursorWhoseFunctionMayWriteIsCounted) {
  production_.define({"CREATE FUNCTION touch() RETURNS int LANGUAGE sql AS 'SELECT 1'"});
  app_->autocommit(false);
  RUN(*app_, "DECLARE c CURSOR FOR SELECT touch()");
  RUN(*app_, "FETCH c");
  ASSERT_TRUE(SQL_SUCCEEDED(app_->commit()));
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(seen.transactions[0].notes, std::vector<std::string>{"cursor-by-function"});
}

TEST_P(TemporaryTablesPostgresql, WhatABatchSetsIsSetBeforeWhatFollowsIt) {
  RUN(*app_, "SET DateStyle = 'German'; DO $$ BEGIN PERFORM 1; END $$");
  RUN(*app_, "INSERT INTO items VALUES (7, 7)");
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 2u);
  EXPECT_EQ(seen.transactions[1].contexts,
            (std::vector<std::vector<std::string>>{{"SET DateStyle = 'German'"}}));
}

class TemporaryTablesSqlite : public TemporaryTables {};
INSTANTIATE_TEST_SUITE_P(Engines, TemporaryTablesSqlite, testing::Values(Dialect::sqlite),
                         [](const auto& one) { return std::string(dialect_name(one.param)); });

TEST_P(TemporaryTablesSqlite, WhatATemporaryTriggerWritesIsRecorded) {
  RUN(*app_, "CREATE TEMP TABLE scratch (id int)");
  RUN(*app_,
      "CREATE TEMP TRIGGER copies AFTER INSERT ON scratch BEGIN "
      "INSERT INTO items VALUES (new.id, 0); END");
  RUN(*app_, "INSERT INTO scratch VALUES (9)");
  EXPECT_EQ(production_.drain().texts(),
            std::vector<std::string>{"INSERT INTO scratch VALUES (9)"});
  EXPECT_EQ(production_.scalar("SELECT count(*) FROM items"), "2");
}

}  // namespace
}  // namespace understudy
