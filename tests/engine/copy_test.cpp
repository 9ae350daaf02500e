#include "replayer/copy/copy.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/engine/databases.h"

namespace understudy {
namespace {

// Production and shadow of one engine or of two.
class CopyFixture : public testing::Test {
 protected:
  CopyFixture(const std::string& production, const std::string& shadow)
      : production_target_(production),
        production_(production),
        shadow_(shadow),
        from_(dialect_for(production_, generic_forced())),
        to_(dialect_for(shadow_, generic_forced())) {}

  void both(const std::vector<std::string_view>& statements) {
    run_all(production_, statements);
    run_all(shadow_, statements);
  }

  void read_catalogs() {
    production_catalog_ = from_.read_catalog(production_);
    shadow_catalog_ = to_.read_catalog(shadow_);
    problems_.clear();
    pairs_ = copy_order(pair_tables(production_catalog_, shadow_catalog_, Mapped{}, &problems_),
                        &cycles_);
  }

  bool copy(bool restart) {
    read_catalogs();
    from_.open_snapshot(production_);
    const bool finished = copy_tables(
        production_, shadow_, from_, to_, pairs_, restart,
        [this](const CopyProgress& progress) { last_ = progress; }, stop_);
    from_.close_snapshot(production_);
    return finished;
  }

  std::string production_target_;
  odbc::Connection production_;
  odbc::Connection shadow_;
  const SqlDialect& from_;
  const SqlDialect& to_;
  Catalog production_catalog_;
  Catalog shadow_catalog_;
  std::vector<std::string> problems_;
  std::vector<std::string> cycles_;
  std::vector<TablePair> pairs_;
  CopyProgress last_;
  std::atomic<bool> stop_ = false;
};

class CopyPostgresql : public CopyFixture {
 protected:
  CopyPostgresql() : CopyFixture(postgres_target(), postgres_target()) {}
};

class Folder {
 protected:
  TempDir folder_;
};

class CopySqlite : private Folder, public CopyFixture {
 protected:
  CopySqlite()
      : CopyFixture(sqlite_target(folder_, "production"), sqlite_target(folder_, "shadow")) {}
};

class CopyAcross : private Folder, public CopyFixture {
 protected:
  CopyAcross() : CopyFixture(sqlite_target(folder_, "production"), postgres_target()) {}
};

TEST_F(CopyPostgresql, BringsEveryRowOfEveryTable) {
  both({"CREATE TABLE parent (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, t text)",
        "CREATE TABLE a_child (p bigint REFERENCES parent, n int, twice int GENERATED ALWAYS AS"
        " (n * 2) STORED, PRIMARY KEY (p, n))",
        "CREATE TABLE loose (v text)"});
  run_all(production_, {"INSERT INTO parent (t) SELECT 'row ' || i FROM generate_series(1, 5003) i",
                        "INSERT INTO a_child SELECT id, id % 7 FROM parent",
                        "INSERT INTO loose SELECT 'same' FROM generate_series(1, 100)"});
  EXPECT_TRUE(copy(false));
  const char* sum = "SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM ";
  for (const char* table : {"parent t", "a_child t", "loose t"}) {
    EXPECT_EQ(production_.scalar(sum + std::string(table)),
              shadow_.scalar(sum + std::string(table)));
  }
  EXPECT_EQ(last_.copied_rows, 5003u * 2 + 100);
  EXPECT_GE(last_.total_rows, last_.copied_rows);
}

TEST_F(CopyPostgresql, FillsForeignKeysInCyclesAndToTheSameTable) {
  both({"CREATE TABLE node (id int PRIMARY KEY, up int REFERENCES node)",
        "CREATE TABLE a (id int PRIMARY KEY, b_id int)",
        "CREATE TABLE b (id int PRIMARY KEY, a_id int NOT NULL REFERENCES a)",
        "ALTER TABLE a ADD FOREIGN KEY (b_id) REFERENCES b"});
  run_all(production_, {"INSERT INTO node SELECT i, NULL FROM generate_series(1, 3000) i",
                        "UPDATE node SET up = 3001 - id", "INSERT INTO a VALUES (1), (2)",
                        "INSERT INTO b VALUES (10, 2), (11, 1)", "UPDATE a SET b_id = id + 9"});
  EXPECT_TRUE(copy(false));
  EXPECT_EQ(cycles_.size(), 1u);
  EXPECT_EQ(shadow_.scalar("SELECT count(*) FROM node WHERE up = 3001 - id"), "3000");
  EXPECT_EQ(shadow_.scalar("SELECT count(*) FROM a JOIN b ON b.id = a.b_id"), "2");
  EXPECT_TRUE(copy(true));
  EXPECT_EQ(shadow_.scalar("SELECT count(*) FROM node WHERE up = 3001 - id"), "3000");
}

TEST_F(CopyPostgresql, ReadsTheSnapshotAndNotWhatCameAfterIt) {
  both({"CREATE TABLE t (id int PRIMARY KEY)"});
  production_.run("INSERT INTO t VALUES (1)");
  read_catalogs();
  from_.open_snapshot(production_);
  odbc::Connection writer(production_target_);
  writer.run("INSERT INTO t VALUES (2)");
  copy_tables(production_, shadow_, from_, to_, pairs_, false, {}, stop_);
  EXPECT_EQ(shadow_.scalar("SELECT count(*) FROM t"), "1");
}

TEST_F(CopyPostgresql, StartsOverOnAShadowThatHoldsRows) {
  both({"CREATE TABLE t (id int PRIMARY KEY, v int)", "CREATE TABLE c (t int REFERENCES t)"});
  production_.run("INSERT INTO t VALUES (1, 1)");
  run_all(shadow_, {"INSERT INTO t VALUES (1, 9), (2, 9)", "INSERT INTO c VALUES (2)"});
  EXPECT_TRUE(copy(true));
  EXPECT_EQ(shadow_.scalar("SELECT sum(v) FROM t"), "1");
  EXPECT_EQ(shadow_.scalar("SELECT count(*) FROM c"), "0");
}

TEST_F(CopyPostgresql, LeavesTriggersUnfiredAndOnAfterwards) {
  both({"CREATE TABLE t (id int PRIMARY KEY)",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$",
        "INSERT INTO t VALUES (0)",
        "CREATE TRIGGER w BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()"});
  EXPECT_TRUE(copy(true));
  EXPECT_EQ(shadow_.scalar("SELECT count(*) FROM t"), "1");
  shadow_.run("INSERT INTO t VALUES (5)");
  EXPECT_EQ(shadow_.scalar("SELECT count(*) FROM t"), "1");
}

TEST_F(CopyPostgresql, StopsBetweenBatchesWhenAsked) {
  both({"CREATE TABLE t (id int PRIMARY KEY)"});
  production_.run("INSERT INTO t SELECT generate_series(1, 10000)");
  stop_ = true;
  EXPECT_FALSE(copy(false));
  EXPECT_LT(std::stol(*shadow_.scalar("SELECT count(*) FROM t")), 10000);
}

TEST_F(CopyPostgresql, SaysWhichTablesAndColumnsDoNotFit) {
  production_.run("CREATE TABLE gone (id int PRIMARY KEY)");
  production_.run("CREATE TABLE t (a int, old text)");
  shadow_.run("CREATE TABLE t (a int, fresh text NOT NULL)");
  read_catalogs();
  ASSERT_EQ(problems_.size(), 4u);
  EXPECT_NE(problems_[0].find("public.gone is absent"), std::string::npos);
  EXPECT_NE(problems_[1].find("no primary key"), std::string::npos);
  EXPECT_NE(problems_[2].find("column old"), std::string::npos);
  EXPECT_NE(problems_[3].find("column fresh"), std::string::npos);
}

TEST_F(CopySqlite, BringsEveryRowOfEveryTable) {
  both({"CREATE TABLE t (id INTEGER PRIMARY KEY, n, word TEXT)",
        "CREATE TABLE k (a TEXT PRIMARY KEY, b BLOB) WITHOUT ROWID", "CREATE TABLE loose (v)",
        "CREATE TRIGGER w AFTER INSERT ON t BEGIN INSERT INTO loose VALUES (1); END"});
  run_all(
      production_,
      {"DROP TRIGGER w",
       "INSERT INTO t WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT 5003)"
       " SELECT i, i / 10.0, 'it''s ' || i FROM c",
       "INSERT INTO k SELECT 'k' || id, randomblob(20) FROM t",
       "INSERT INTO loose SELECT NULL FROM t LIMIT 100"});
  EXPECT_TRUE(copy(false));
  for (const char* sum :
       {"SELECT count(*) || '/' || sum(n) || group_concat(word) FROM (SELECT * FROM t ORDER BY id)",
        "SELECT group_concat(a || hex(b)) FROM (SELECT * FROM k ORDER BY a)",
        "SELECT count(*) FROM loose"}) {
    EXPECT_EQ(production_.scalar(sum), shadow_.scalar(sum));
  }
  EXPECT_EQ(shadow_.scalar("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"), "1");
  EXPECT_TRUE(copy(true));
  EXPECT_EQ(shadow_.scalar("SELECT count(*) FROM t"), "5003");
}

TEST_F(CopySqlite, TakesWideRowsInSmallPages) {
  both({"CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)"});
  production_.run(
      "INSERT INTO t WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT 40)"
      " SELECT i, zeroblob(500000) FROM c");
  EXPECT_TRUE(copy(false));
  EXPECT_EQ(shadow_.scalar("SELECT sum(length(v)) FROM t"), "20000000");
}

TEST_F(CopyAcross, ConvertsExactTextsOfOneEngineIntoTheOther) {
  run_all(production_,
          {"CREATE TABLE t (id INTEGER PRIMARY KEY, price NUMERIC, f REAL, word TEXT, raw BLOB, ok "
           "BOOLEAN)",
           "INSERT INTO t VALUES (1, 12.5, 0.1, 'it''s é', x'00ff', 1), (2, NULL, 5, '', x'', 0)"});
  shadow_.run(
      "CREATE TABLE t (id bigint PRIMARY KEY, price numeric, f float8, word text, raw bytea,"
      " ok boolean)");
  EXPECT_TRUE(copy(false));
  EXPECT_EQ(shadow_.scalar("SELECT string_agg(t::text, ' ' ORDER BY id) FROM t"),
            "(1,12.5,0.1,\"it's é\",\"\\\\x00ff\",t) (2,,5,\"\",\"\\\\x\",f)");
}

TEST_F(CopyAcross, EndsAtAValueThatHasNoEqualAndNamesItsPlace) {
  run_all(production_, {"CREATE TABLE t (id INTEGER PRIMARY KEY, n INT)",
                        "INSERT INTO t VALUES (1, 2), (2, 'secret')"});
  shadow_.run("CREATE TABLE t (id bigint PRIMARY KEY, n bigint)");
  try {
    copy(false);
    FAIL() << "it was copied";
  } catch (const Unconvertible& reason) {
    const std::string what = reason.what();
    EXPECT_NE(what.find("table t: column n holds no number"), std::string::npos) << what;
    EXPECT_EQ(what.find("secret"), std::string::npos) << what;
  }
}

}  // namespace
}  // namespace understudy
