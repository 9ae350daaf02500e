// The cutover as the operator and the application see it.
#include <atomic>
#include <thread>

#include "tests/engine/recording.h"
#include "tests/support/live_migration.h"

namespace understudy {
namespace {

TEST(Cutover, LeavesProductionInUseWhenATransactionStaysOpenBeyondTheBudget) {
  LiveMigration migration;
  migration.create_and_start();
  migration.expect_tool({"verify"});
  odbc::Connection application(migration.application());
  application.set_autocommit(false);
  application.run("UPDATE hot SET ver = ver + 1 WHERE id = 1");

  const Finished refused = LiveMigration::tool({"cutover", migration.name(), "--timeout", "1"});
  EXPECT_EQ(refused.exit_code, 1) << refused.output;
  EXPECT_NE(refused.output.find(std::to_string(::getpid())), std::string::npos) << refused.output;

  application.commit();
  application.run("UPDATE hot SET ver = ver + 1 WHERE id = 2");
  application.commit();
  odbc::Connection production(migration.production());
  EXPECT_EQ(production.scalar("SELECT sum(ver)::text FROM hot"), "2");
  migration.expect_tool({"verify"});
  EXPECT_EQ(migration.status()["rows_different"], 0);
}

TEST(Cutover, MovesAnOpenConnectionWithItsPreparedStatement) {
  LiveMigration migration;
  migration.create_and_start();
  odbc::Connection application(migration.application());
  odbc::Statement update(application);
  update.prepare("UPDATE hot SET ver = ver + ? WHERE id = 3");
  odbc::Bind one;
  one.c_type = SQL_C_CHAR;
  one.sql_type = SQL_BIGINT;
  one.indicator = 1;
  one.bytes = "1";
  const std::vector<odbc::Bind> parameters = {one};
  update.bind(parameters);
  update.execute();
  migration.expect_tool({"verify"});
  migration.expect_tool({"cutover"});
  // Which would take the way back to production.
  EXPECT_TRUE(migration.kill_process("replayer"));
  update.execute();
  EXPECT_EQ(update.row_count(), 1);
  odbc::Connection shadow(migration.shadow());
  odbc::Connection production(migration.production());
  EXPECT_EQ(production.scalar("SELECT ver::text FROM hot WHERE id = 3"), "1");
  EXPECT_EQ(shadow.scalar("SELECT ver::text FROM hot WHERE id = 3"), "2");
}

/// Sends texts of several statements, one of which commits, and looks at every result.
class BatchWriter {
 public:
  BatchWriter(const std::string& target, int id) : thread_([=, this] { write(target, id); }) {}
  ~BatchWriter() {
    ending_ = true;
    thread_.join();
  }
  [[nodiscard]] long done() const { return done_; }
  [[nodiscard]] long wrong() const { return wrong_; }

 private:
  void write(const std::string& target, int id) {
    Application app(target);
    const std::string row = std::to_string(id);
    const std::string text = "BEGIN; UPDATE hot SET ver = ver + 1 WHERE id = " + row +
                             "; SELECT ver FROM hot WHERE id = " + row +
                             "; COMMIT; UPDATE hot SET val = val + 1 WHERE id = " + row +
                             "; SELECT " + row;
    for (long turn = 1; !ending_; ++turn) {
      raw::Statement stmt(app);
      if (!SQL_SUCCEEDED(stmt.run(text)) || number(stmt, 2) != turn || number(stmt, 3) != id ||
          SQLMoreResults(stmt.handle) != SQL_NO_DATA) {
        ++wrong_;
      }
      ++done_;
    }
  }
  /// The value in the only row of the result that is `results` further on.
  static long number(raw::Statement& stmt, int results) {
    for (; results > 0; --results) {
      if (!SQL_SUCCEEDED(SQLMoreResults(stmt.handle))) return -1;
    }
    SQLINTEGER value = -1;
    if (!SQL_SUCCEEDED(SQLFetch(stmt.handle))) return -1;
    SQLGetData(stmt.handle, 1, SQL_C_LONG, &value, 0, nullptr);
    return value;
  }

  std::atomic<bool> ending_{false};
  std::atomic<long> done_{0};
  std::atomic<long> wrong_{0};
  std::thread thread_;
};

TEST(Cutover, TakesNoResultAwayFromATextOfSeveralTransactions) {
  LiveMigration migration;
  migration.create_and_start();
  {
    BatchWriter first(migration.application(), 1);
    BatchWriter second(migration.application(), 2);
    BatchWriter third(migration.application(), 3);
    BatchWriter fourth(migration.application(), 4);
    migration.expect_tool({"verify"});
    migration.expect_tool({"cutover"});
    for (const BatchWriter* one : {&first, &second, &third, &fourth}) {
      const long before = one->done();
      while (one->done() < before + 5) std::this_thread::yield();
      EXPECT_EQ(one->wrong(), 0) << "of " << one->done();
    }
  }
  EXPECT_EQ(migration.status()["phase"], "switched");
  EXPECT_EQ(migration.status()["uncaptured_writes"], 0);
}

TEST(Start, SettlesCommitsThatAreRefusedAllTheTime) {
  LiveMigration migration;
  for (const std::string& side : {migration.production(), migration.shadow()}) {
    odbc::Connection(side).run(
        "CREATE TABLE child (id serial PRIMARY KEY, parent int REFERENCES hot DEFERRABLE INITIALLY"
        " DEFERRED)");
  }
  std::atomic<bool> ending{false};
  std::atomic<long> refused{0};
  std::thread writer([&] {
    Application app(migration.application());
    app.autocommit(false);
    while (!ending) {
      run(app, "INSERT INTO child (parent) VALUES (99)");
      if (app.commit() == SQL_ERROR) ++refused;
      app.rollback();
    }
  });
  migration.create_and_start();
  migration.expect_tool({"verify"});
  ending = true;
  writer.join();
  EXPECT_GT(refused, 0);
  EXPECT_EQ(migration.status()["rows_different"], 0);
}

}  // namespace
}  // namespace understudy
