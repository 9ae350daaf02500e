// Engines of which nothing is used but what their ODBC drivers tell: what is recorded how, and that
// the shadow is equal. Beside the tests that are run again with UNDERSTUDY_DIALECT=generic.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <set>
#include <string>
#include <vector>

#include "journal/generic_value.h"
#include "replayer/dialect/generic_catalog.h"
#include "tests/engine/exact_statements.h"

namespace understudy {
namespace {

using Sent = std::vector<std::string_view>;

std::string name_of_engine(const testing::TestParamInfo<Dialect>& one) {
  return one.param == Dialect::sqlite ? "Sqlite" : "Postgresql";
}

/// As long as it lives `create` and `record` use the dialect generic.
class Forced {
 public:
  Forced() { ::setenv("UNDERSTUDY_DIALECT", "generic", 1); }
  ~Forced() {
    if (!before_) ::unsetenv("UNDERSTUDY_DIALECT");
  }
  Forced(const Forced&) = delete;
  Forced& operator=(const Forced&) = delete;

 private:
  const bool before_ = generic_forced();
};

const Sent kItems = {
    "CREATE TABLE item (id integer NOT NULL PRIMARY KEY, name varchar(40), n integer,"
    " price double precision, code varchar(8) UNIQUE)",
    "INSERT INTO item VALUES (1, 'one', 1, 0.1, 'a')",
    "INSERT INTO item VALUES (2, 'two', 2, 0.2, 'b')",
    "INSERT INTO item VALUES (3, 'three', 3, 0.3, 'c')"};

// --- what ODBC tells ---

class GenericCatalog : public testing::TestWithParam<Dialect> {
 protected:
  GenericCatalog()
      : db_(GetParam() == Dialect::sqlite ? sqlite_target(folder_, "one") : postgres_target()) {}

  TempDir folder_;
  odbc::Connection db_;
};

TEST_P(GenericCatalog, TellsKeysTypesAndReferences) {
  run_all(db_,
          {"CREATE TABLE parent (a integer NOT NULL, b varchar(9) NOT NULL, PRIMARY KEY (b, a))",
           "CREATE TABLE child (id integer NOT NULL PRIMARY KEY, x varchar(5) DEFAULT 'd',"
           " y double precision, pa integer, pb varchar(9), UNIQUE (x, y),"
           " FOREIGN KEY (pb, pa) REFERENCES parent (b, a) ON DELETE CASCADE)",
           "CREATE VIEW shown AS SELECT id FROM child"});
  const SqlDialect& dialect = dialect_for(db_, true);
  const Catalog catalog = must(Catalog::decode(dialect.read_catalog(db_).encode()));
  EXPECT_EQ(catalog.dialect, Dialect::generic);
  EXPECT_EQ(catalog.tables.size(), 3u);
  EXPECT_TRUE(table_of(catalog, "shown").is_view);
  const Table& parent = table_of(catalog, "parent");
  // libsqliteodbc tells the columns of a key in the order of the table's.
  EXPECT_EQ(std::set(parent.key.begin(), parent.key.end()), (std::set<std::uint32_t>{0, 1}));
  EXPECT_FALSE(parent.columns[0].nullable);
  const Table& child = table_of(catalog, "child");
  EXPECT_EQ(child.unique_keys, (std::vector<std::vector<std::uint32_t>>{{1, 2}}));
  EXPECT_EQ(generic_kind(child.columns[0].type), GenericKind::integer);
  EXPECT_EQ(generic_kind(child.columns[1].type), GenericKind::text);
  EXPECT_EQ(generic_kind(child.columns[2].type), GenericKind::real);
  ASSERT_EQ(child.foreign_keys.size(), 1u);
  EXPECT_EQ(child.foreign_keys[0].parent_table, "parent");
  EXPECT_EQ(child.foreign_keys[0].columns, (std::vector<std::string>{"pb", "pa"}));
  EXPECT_EQ(child.foreign_keys[0].parent_columns, (std::vector<std::string>{"b", "a"}));
  EXPECT_TRUE(child.foreign_keys[0].cascades);
}

TEST_P(GenericCatalog, TriesWhatTheEngineTakes) {
  db_.run("CREATE TABLE t (id integer NOT NULL PRIMARY KEY)");
  const Engine engine = read_engine(db_);
  EXPECT_EQ(engine.for_update, GetParam() == Dialect::postgresql);
  EXPECT_EQ(engine.serializable, GetParam() == Dialect::sqlite);
  EXPECT_TRUE(engine.savepoints && engine.snapshots && engine.limit);
  EXPECT_EQ(engine.quote, "\"");
}

TEST_P(GenericCatalog, ASnapshotSeesNothingThatCameLater) {
  if (GetParam() == Dialect::sqlite) db_.run("PRAGMA journal_mode = WAL");
  db_.run("CREATE TABLE t (id integer NOT NULL PRIMARY KEY)");
  db_.run("INSERT INTO t VALUES (1)");
  const SqlDialect& dialect = dialect_for(db_, true);
  dialect.open_snapshot(db_);
  const std::string before = *db_.scalar("SELECT COUNT(*) FROM t");
  if (GetParam() == Dialect::sqlite) {
    odbc::Connection(sqlite_target(folder_, "one")).run("INSERT INTO t VALUES (2)");
    EXPECT_EQ(db_.scalar("SELECT COUNT(*) FROM t"), before);
  }
  dialect.close_snapshot(db_);
  EXPECT_TRUE(db_.autocommit());
}

INSTANTIATE_TEST_SUITE_P(Engines, GenericCatalog,
                         testing::Values(Dialect::sqlite, Dialect::postgresql), name_of_engine);

// --- what a statement becomes ---

class GenericCapture : public testing::TestWithParam<Dialect> {
 protected:
  GenericCapture() : production_(GetParam()) {
    production_.define(kItems);
    production_.record();
    app_ = std::make_unique<Application>(production_.through());
  }

  /// Runs it alone; the one statement that the ring then holds.
  SeenStatement recorded(const std::string& sql) {
    raw::Statement stmt(*app_);
    const SQLRETURN ret = stmt.run(sql);
    EXPECT_TRUE(SQL_SUCCEEDED(ret) || ret == SQL_NO_DATA) << sql << ": " << stmt.problems();
    const Seen seen = production_.drain();
    if (seen.transactions.size() != 1 || seen.transactions[0].statements.size() != 1) return {};
    EXPECT_TRUE(seen.transactions[0].notes.empty()) << sql;
    return seen.transactions[0].statements[0];
  }
  void expect_rows(const std::string& sql, Verb verb, const std::vector<Row>& rows) {
    const SeenStatement seen = recorded(sql);
    EXPECT_EQ(seen.verdict, Verdict::effects) << sql;
    ASSERT_EQ(seen.effects.size(), rows.size()) << sql;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(seen.effects[i].verb, verb) << sql;
      EXPECT_EQ(seen.effects[i].values, rows[i]) << sql;
    }
  }

  const Forced forced_;
  Production production_;
  std::unique_ptr<Application> app_;
};

TEST_P(GenericCapture, RowsNamedByTheirKeysAreReadAfterwards) {
  expect_rows("INSERT INTO item VALUES (7, 'sev''en', 7, 0.1, 'g')", Verb::insert,
              {{"7", "sev'en", "7", "0.1", "g"}});
  expect_rows("INSERT INTO item (name, id) VALUES ('x', 8), ('y', 9)", Verb::insert,
              {{"8", "x", std::nullopt, std::nullopt, std::nullopt},
               {"9", "y", std::nullopt, std::nullopt, std::nullopt}});
  // libsqliteodbc gives numbers by 15 digits.
  const char* tripled = GetParam() == Dialect::sqlite ? "0.3" : "0.30000000000000004";
  expect_rows("UPDATE item SET n = n + 1, price = price * 3 WHERE id = 1", Verb::update,
              {{"1", "one", "2", tripled, "a"}});
  expect_rows("DELETE FROM item WHERE id = 7 AND n > 1", Verb::remove, {{"7"}});
}

TEST_P(GenericCapture, RowsOfAConditionAreFoundBeforeAndReadAgain) {
  expect_rows("UPDATE item SET n = 9 WHERE n > 1 AND name LIKE 't%'", Verb::update,
              {{"2", "two", "9", "0.2", "b"}, {"3", "three", "9", "0.3", "c"}});
  expect_rows("DELETE FROM item WHERE n = 9 OR n IS NULL", Verb::remove, {{"2"}, {"3"}});
  expect_rows("UPDATE item SET name = 'all'", Verb::update, {{"1", "all", "1", "0.1", "a"}});
}

TEST_P(GenericCapture, WhatIsNotReadAlikeByEveryEngineIsOpaque) {
  for (const char* sql :
       {"UPDATE item SET n = 5 WHERE n = (SELECT MIN(n) FROM item)",
        "INSERT INTO item SELECT id + 10, name, n, price, NULL FROM item",
        "UPDATE item SET name = 'a\\b' WHERE id = 1",
        "UPDATE item SET n = 6 WHERE id = 1 -- AND n = 7",
        "UPDATE item SET id = id + 100 WHERE id = 2",
        "DELETE FROM item WHERE lower(name) = 'one' AND random() IS NULL OR n = 3"}) {
    EXPECT_EQ(recorded(sql).verdict, Verdict::opaque) << sql;
  }
}

TEST_P(GenericCapture, ASettingMakesOpaqueWhatFollows) {
  if (GetParam() == Dialect::postgresql) {
    RUN(*app_, "SET extra_float_digits = 0");
    EXPECT_EQ(recorded("UPDATE item SET n = n + 1 WHERE id = 1").verdict, Verdict::opaque);
  } else {
    EXPECT_EQ(recorded("UPDATE item SET n = n + 1 WHERE id = 1").verdict, Verdict::effects);
  }
}

TEST_P(GenericCapture, AnErrorInATransactionTakesNothingFromWhatStands) {
  app_->autocommit(false);
  RUN(*app_, "UPDATE item SET n = 10 WHERE id = 1");
  EXPECT_EQ(run(*app_, "INSERT INTO item VALUES (1, 'twice', 1, 1, 'z')"), SQL_ERROR);
  RUN(*app_, "UPDATE item SET n = 20 WHERE id = 2");
  EXPECT_EQ(app_->commit(), SQL_SUCCESS);
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_TRUE(seen.transactions[0].notes.empty());
  EXPECT_EQ(seen.texts(), (std::vector<std::string>{"UPDATE item SET n = 10 WHERE id = 1",
                                                    "UPDATE item SET n = 20 WHERE id = 2"}));
  EXPECT_EQ(production_.scalar("SELECT SUM(n) FROM item"), "33");
}

TEST_P(GenericCapture, SavepointsOfTheApplicationStayItsOwn) {
  app_->autocommit(false);
  RUN(*app_, "UPDATE item SET n = 10 WHERE id = 1");
  RUN(*app_, "SAVEPOINT mine");
  RUN(*app_, "UPDATE item SET n = 20 WHERE id = 2");
  EXPECT_EQ(run(*app_, "INSERT INTO item VALUES (1, 'twice', 1, 1, 'z')"), SQL_ERROR);
  RUN(*app_, "UPDATE item SET n = 30 WHERE id = 3");
  RUN(*app_, "ROLLBACK TO SAVEPOINT mine");
  RUN(*app_, "UPDATE item SET n = 40 WHERE n = 3");
  EXPECT_EQ(app_->commit(), SQL_SUCCESS);
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_TRUE(seen.transactions[0].notes.empty());
  EXPECT_EQ(seen.texts(), (std::vector<std::string>{"UPDATE item SET n = 10 WHERE id = 1",
                                                    "UPDATE item SET n = 40 WHERE n = 3"}));
  EXPECT_EQ(production_.scalar("SELECT SUM(n) FROM item"), "52");
}

INSTANTIATE_TEST_SUITE_P(Engines, GenericCapture,
                         testing::Values(Dialect::sqlite, Dialect::postgresql), name_of_engine);

// --- the shadow is equal ---

class GenericExact : public ExactStatements, public testing::WithParamInterface<Dialect> {
 protected:
  GenericExact() : ExactStatements(GetParam()) {}
  const Forced forced_;
};

TEST_P(GenericExact, StatementsOfEveryKind) {
  const std::string bytes = GetParam() == Dialect::sqlite ? "BLOB" : "bytea";
  const std::string all =
      "CREATE TABLE kind (id integer NOT NULL, part varchar(9) NOT NULL, r real,"
      " d double precision, t timestamp, day date, c char(5), m numeric(12, 3),"
      " b " +
      bytes + ", PRIMARY KEY (id, part))";
  Sent schema = kItems;
  schema.push_back(all);
  schema.push_back("CREATE TABLE bare (a integer, b varchar(9))");
  schema.push_back(
      "INSERT INTO kind VALUES (1, 'Größe', 0.1, 0.1, '2026-01-02 03:04:05.5',"
      " '2026-01-02', 'ab', 12.345, NULL)");
  begin(schema);
  send(
      {"INSERT INTO kind VALUES (2, 'a''b', 1e30, 1e300, '2026-01-02 00:00:00', NULL, '', 0.001,"
       " NULL)",
       "INSERT INTO kind (id, part) VALUES (3, 'x'), (3, 'y'), (4, '')",
       "UPDATE kind SET d = d * 3, r = r * 3, m = m + 1 WHERE id < 3",
       "UPDATE kind SET t = '2026-05-06 07:08:09.123456' WHERE part = 'Größe' AND id = 1",
       "UPDATE kind SET part = 'moved' WHERE id = 4 AND part = ''",
       "UPDATE item SET n = n * 2, name = upper(name) WHERE n > 1 AND name <> 'x'",
       "DELETE FROM kind WHERE id = 3 AND part = 'x'", "DELETE FROM item WHERE n = 4 OR n = 1",
       "INSERT INTO bare VALUES (1, 'a')", "UPDATE bare SET b = 'z' WHERE a = 1",
       "INSERT INTO item SELECT id + 50, name, n, price, NULL FROM item"});
  app_->autocommit(false);
  send({"UPDATE item SET n = 0 WHERE id > 2", "INSERT INTO item VALUES (77, 'g', 7, 0.7, 'g')"});
  EXPECT_EQ(run(*app_, "INSERT INTO item VALUES (77, 'h', 7, 0.7, 'h')"), SQL_ERROR);
  send({"UPDATE item SET name = 'after' WHERE id = 77"});
  EXPECT_EQ(app_->commit(), SQL_SUCCESS);
  send({"DELETE FROM item"});
  EXPECT_EQ(app_->rollback(), SQL_SUCCESS);
  expect_equal(0);
}

INSTANTIATE_TEST_SUITE_P(Engines, GenericExact,
                         testing::Values(Dialect::sqlite, Dialect::postgresql), name_of_engine);

}  // namespace
}  // namespace understudy
