// A whole migration from MariaDB to MariaDB while programs keep writing.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "tests/engine/databases.h"
#include "tests/engine/recording.h"
#include "tests/support/live_migration.h"

namespace understudy {
namespace {

// Adds up what it saw succeed; a deadlock's victim tries the next one.
class Writers {
 public:
  Writers(const std::string& target, int count) {
    for (int i = 0; i < count; ++i) threads_.emplace_back([=, this] { write(target, i); });
  }
  ~Writers() { stop(); }
  void stop() {
    ending_ = true;
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }
  [[nodiscard]] long committed() const { return committed_; }
  [[nodiscard]] long refused() const { return refused_; }

 private:
  void write(const std::string& target, int writer) {
    Application app(target);
    app.autocommit(false);
    for (int turn = 0; !ending_; ++turn) {
      const std::string here = std::to_string(1 + (turn + writer) % 5);
      const std::string there = std::to_string(1 + (turn * 3 + writer * 2) % 5);
      const bool done =
          SQL_SUCCEEDED(run(app, "UPDATE hot SET val = val + 1 WHERE id = " + here)) &&
          SQL_SUCCEEDED(run(app, "UPDATE hot SET val = val - 1 WHERE id = " + there)) &&
          SQL_SUCCEEDED(run(app, "INSERT INTO audit (word) VALUES ('" + here + "ä')")) &&
          SQL_SUCCEEDED(run(app, "DELETE FROM audit WHERE word LIKE '1%' LIMIT 1"));
      if (done && SQL_SUCCEEDED(app.commit())) {
        ++committed_;
      } else {
        ++refused_;
        app.rollback();
      }
    }
  }

  std::atomic<bool> ending_{false};
  std::atomic<long> committed_{0};
  std::atomic<long> refused_{0};
  std::vector<std::thread> threads_;
};

TEST(MariadbMigration, MovesALiveProgramToAnEqualShadow) {
  MariaDbServer& server = MariaDbServer::shared();
  const std::string production = server.new_database();
  const std::string shadow = server.new_database();
  LiveMigration migration("Understudy Unicode", "MariaDB Unicode", production, shadow);
  for (const auto& side : {migration.production(), migration.shadow()}) {
    odbc::Connection db(side);
    run_all(db, {"CREATE TABLE hot (id INT PRIMARY KEY, val BIGINT NOT NULL)",
                 "CREATE TABLE audit (id BIGINT AUTO_INCREMENT PRIMARY KEY, word VARCHAR(20),"
                 " at TIMESTAMP(6) DEFAULT NOW(6), f FLOAT DEFAULT (RAND()))"});
  }
  odbc::Connection(migration.production()).run("INSERT INTO hot SELECT seq, 0 FROM seq_1_to_5");
  {
    Writers writers(migration.application(), 4);
    migration.create_and_start();
    migration.expect_tool({"verify"});
    migration.expect_tool({"cutover"});
    const long before = writers.committed();
    while (writers.committed() < before + 20) std::this_thread::yield();
    writers.stop();
    std::printf("committed %ld, refused %ld\n", writers.committed(), writers.refused());
  }
  const auto status = migration.status();
  EXPECT_EQ(status["phase"], "switched") << status.dump(1);
  EXPECT_EQ(status["rows_different"], 0) << status.dump(1);
  EXPECT_EQ(status["divergences"], 0) << status.dump(1);
  EXPECT_EQ(status["uncaptured_writes"], 0) << status.dump(1);
  odbc::Connection there(migration.shadow());
  EXPECT_EQ(there.scalar("SELECT CAST(SUM(val) AS CHAR) FROM hot"), "0");
  migration.expect_tool({"complete"});
}

TEST(MariadbMigration, FollowsTheSettingsOfEachSession) {
  MariaDbServer& server = MariaDbServer::shared();
  const std::string production = server.new_database();
  const std::string shadow = server.new_database();
  LiveMigration migration("Understudy Unicode", "MariaDB Unicode", production, shadow);
  for (const auto& side : {migration.production(), migration.shadow()}) {
    odbc::Connection(side).run(
        "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20), ts TIMESTAMP NULL)");
  }
  migration.create_and_start();
  Application app(migration.application());
  Application other(migration.application());
  for (const char* sql :
       {"INSERT INTO t VALUES (1, 'a', NULL)",
        "SET SESSION sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES'", "SET time_zone = '+03:00'",
        "UPDATE t SET \"v\" = 'b'", "INSERT INTO \"t\" VALUES (2, 'c', '2020-01-01 03:00:00')"}) {
    EXPECT_EQ(run(app, sql), SQL_SUCCESS) << sql;
  }
  EXPECT_EQ(run(other, "SET CHARACTER SET utf8mb4"), SQL_SUCCESS);
  EXPECT_EQ(run(other, "INSERT INTO t VALUES (3, \"d\", '2020-01-01 00:00:00')"), SQL_SUCCESS);
  EXPECT_EQ(run(app, "UPDATE t SET v = 'e' WHERE ts = '2020-01-01 03:00:00'"), SQL_SUCCESS);
  migration.expect_tool({"verify"});
  const auto status = migration.status();
  EXPECT_EQ(status["rows_different"], 0) << status.dump(1);
  EXPECT_EQ(status["divergences"], 0) << status.dump(1);
  migration.expect_tool({"cancel"});
}

// What one session has set is taken back before another's transaction, whatever form it had.
TEST(MariadbMigration, TakesBackTheSettingsOfEachSession) {
  MariaDbServer& server = MariaDbServer::shared();
  LiveMigration migration("Understudy Unicode", "MariaDB Unicode", server.new_database(),
                          server.new_database());
  for (const auto& side : {migration.production(), migration.shadow()}) {
    odbc::Connection(side).run(
        "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, day VARCHAR(20), q DECIMAL(30, 20), "
        "ts TIMESTAMP NULL, n VARCHAR(40))");
  }
  migration.create_and_start();
  const std::vector<std::vector<const char*>> sessions = {
      {},
      {"SET @a = 1, @b = 'x, sql_mode = 2', @c := (SELECT MAX(id) FROM t)"},
      {"SET SESSION sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT', time_zone = '+03:00'"},
      {"SET @@session.time_zone = '-05:00'", "set local LC_TIME_NAMES = 'de_DE'"},
      {"SET @@div_precision_increment := 9, @d = 'it''s', lc_time_names = \"fr_FR\""},
      {"SET sql_mode = 'PIPES_AS_CONCAT' /* a comment */, time_zone = '+07:00'"},
      {"SET sql_mode = CONCAT(@@sql_mode, ',PIPES_AS_CONCAT')", "SET lc_time_names = 'es_ES'"},
      {"SET CHARACTER SET utf8mb4", "SET @e = 5",
       "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE"},
      {"SET collation_connection = utf8mb4_bin"}};
  std::vector<std::unique_ptr<Application>> apps;
  for (const auto& settings : sessions) {
    apps.push_back(std::make_unique<Application>(migration.application()));
    for (const char* sql : settings) EXPECT_EQ(run(*apps.back(), sql), SQL_SUCCESS) << sql;
  }
  for (int turn = 0; turn < 3; ++turn) {
    for (const auto& app : apps) {
      RUN(*app,
          "INSERT INTO t (day, q, ts, n) VALUES (DATE_FORMAT('2020-01-01', '%W'), 1 / 7, "
          "'2020-01-01 00:00:00', REPEAT('ab', 1 || 0))");
      RUN(*app, "UPDATE t SET n = CONCAT(n, COALESCE(@a, '-')) WHERE ts = '2020-01-01 00:00:00'");
    }
  }
  migration.expect_tool({"verify"});
  const auto status = migration.status();
  EXPECT_EQ(status["rows_different"], 0) << status.dump(1);
  EXPECT_EQ(status["divergences"], 0) << status.dump(1);
  migration.expect_tool({"cancel"});
}

// The shadow's server counts rows that were changed: an UPDATE that has changed nothing is no
// divergence, and one whose row the shadow lacks still is.
TEST(MariadbMigration, TakesCountsOfRowsThatWereFoundForWhatTheyAre) {
  MariaDbServer& server = MariaDbServer::shared();
  LiveMigration migration("Understudy Unicode", "MariaDB Unicode", server.new_database(),
                          server.new_database());
  for (const auto& side : {migration.production(), migration.shadow()}) {
    odbc::Connection db(side);
    run_all(db, {"CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))",
                 "CREATE TABLE pairs (a INT, b VARCHAR(9), v INT, PRIMARY KEY (a, b))"});
  }
  migration.create_and_start();
  constexpr const char* kFoundRows = ";OPTION=2";
  Application app(migration.application() + kFoundRows);
  for (const char* sql :
       {"INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')", "UPDATE t SET v = 'a' WHERE id = 1",
        "UPDATE t SET v = 'a'", "UPDATE t SET v = 'a' WHERE id > 1", "UPDATE t SET v = UPPER(v)",
        "INSERT INTO t VALUES (1, 'A') ON DUPLICATE KEY UPDATE v = 'A'",
        "UPDATE IGNORE t SET v = 'A' WHERE id > 0", "REPLACE INTO t VALUES (3, 'A')",
        "INSERT INTO pairs VALUES (1, 'x', 1)", "UPDATE pairs SET v = 1 WHERE b = 'x' AND a = 1"}) {
    EXPECT_EQ(run(app, sql), SQL_SUCCESS) << sql;
  }
  SQLINTEGER id = 2;
  raw::Statement bound(app);
  SQLBindParameter(bound.handle, 1, SQL_PARAM_INPUT, SQL_C_SLONG, SQL_INTEGER, 10, 0, &id, 0,
                   nullptr);
  EXPECT_EQ(bound.run("UPDATE t SET v = 'A' WHERE id = ?"), SQL_SUCCESS);
  migration.expect_tool({"verify"});
  auto status = migration.status();
  EXPECT_EQ(status["rows_different"], 0) << status.dump(1);
  EXPECT_EQ(status["divergences"], 0) << status.dump(1);

  odbc::Connection(migration.shadow()).run("DELETE FROM t WHERE id = 2");
  EXPECT_EQ(bound.run("UPDATE t SET v = 'A' WHERE id = ?"), SQL_SUCCESS);
  RUN(app, "UPDATE t SET v = 'A' WHERE id = 1");
  (void)migration.tool({"verify", migration.name()});
  status = migration.status();
  EXPECT_EQ(status["divergences"], 1) << status.dump(1);
  migration.expect_tool({"cancel"});
}

}  // namespace
}  // namespace understudy
