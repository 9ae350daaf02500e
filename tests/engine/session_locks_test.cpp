// Sessions that hold a lock of their own on the server: named before the cutover, and told that
// their connection is lost behind it; nobody goes on in the belief of a lock that is gone.
#include <atomic>
#include <memory>
#include <thread>

#include "tests/engine/databases.h"
#include "tests/engine/recording.h"
#include "tests/support/live_migration.h"

namespace understudy {
namespace {

struct Locks {
  const char* name;
  bool mariadb;
  std::vector<const char*> take;
  std::vector<const char*> free;
  const char* why;
};

class SessionLocks : public testing::TestWithParam<Locks> {
 protected:
  void SetUp() override {
    migration_ = GetParam().mariadb ? mariadb_migration() : std::make_unique<LiveMigration>();
    migration_->create_and_start();
  }
  static std::unique_ptr<LiveMigration> mariadb_migration() {
    MariaDbServer& server = MariaDbServer::shared();
    const std::string production = server.new_database();
    auto out = std::make_unique<LiveMigration>("Understudy Unicode", "MariaDB Unicode", production,
                                               server.new_database());
    for (const auto& side : {out->production(), out->shadow()}) {
      odbc::Connection(side).run("CREATE TABLE hot (id INT PRIMARY KEY, ver BIGINT NOT NULL)");
    }
    odbc::Connection(out->production()).run("INSERT INTO hot SELECT seq, 0 FROM seq_1_to_5");
    return out;
  }
  static void run_each(Application& app, const std::vector<const char*>& texts) {
    for (const char* text : texts) {
      raw::Statement stmt(app);
      EXPECT_TRUE(SQL_SUCCEEDED(stmt.run(text))) << text << ": " << stmt.problems();
    }
  }
  /// Why sessions cannot be moved, as `status` says.
  std::string pinned() {
    const nlohmann::json status = migration_->status();
    std::string out;
    for (const auto& one : status["pinned_sessions"]) {
      out += (out.empty() ? "" : "; ") + one["why"].get<std::string>();
    }
    return out;
  }

  std::unique_ptr<LiveMigration> migration_;
};

INSTANTIATE_TEST_SUITE_P(
    Engines, SessionLocks,
    testing::Values(
        Locks{"PostgresqlAdvisory",
              false,
              {"SELECT pg_try_advisory_lock(7)"},
              {"SELECT pg_advisory_unlock(7)"},
              "lock held"},
        Locks{"PostgresqlCursor",
              false,
              {"BEGIN", "DECLARE c CURSOR WITH HOLD FOR SELECT id FROM hot", "COMMIT"},
              {"CLOSE c"},
              "cursor WITH HOLD"},
        Locks{"MariadbNamed",
              true,
              {"SELECT GET_LOCK('job', 0)"},
              {"SELECT RELEASE_LOCK('job')"},
              "lock held"},
        Locks{"MariadbTables", true, {"LOCK TABLES hot WRITE"}, {"UNLOCK TABLES"}, "lock held"}),
    [](const auto& locks) { return std::string(locks.param.name); });

TEST_P(SessionLocks, OneThatHoldsThemStaysBehindAndIsTold) {
  const Locks& locks = GetParam();
  Application former(migration_->application());
  run_each(former, locks.take);
  EXPECT_EQ(pinned(), locks.why);
  run_each(former, locks.free);
  EXPECT_EQ(pinned(), "");
  migration_->expect_tool({"verify"});

  Application holder(migration_->application());
  run_each(holder, locks.take);
  raw::Statement query(holder);
  const Finished refused = LiveMigration::tool({"cutover", migration_->name()});
  EXPECT_EQ(refused.exit_code, 1) << refused.output;
  EXPECT_NE(refused.output.find(locks.why), std::string::npos) << refused.output;
  migration_->expect_tool({"cutover", "--skip", "sessions"});

  for (int again = 0; again < 2; ++again) {
    EXPECT_EQ(query.run("SELECT id FROM hot WHERE id = 1"), SQL_ERROR);
    EXPECT_NE(query.problems().find("08S01"), std::string::npos) << query.problems();
  }
  run_each(former, {"UPDATE hot SET ver = 9 WHERE id = 2"});
  odbc::Connection shadow(migration_->shadow());
  EXPECT_EQ(shadow.scalar("SELECT ver FROM hot WHERE id = 2"), "9");
}

TEST(SessionLocksUnseen, OneThatAFunctionHasTakenIsFoundBeforeWritersAreHeld) {
  LiveMigration migration;
  odbc::Connection(migration.production())
      .run(
          "CREATE FUNCTION only_one() RETURNS int LANGUAGE plpgsql AS "
          "'BEGIN PERFORM pg_advisory_lock(8); RETURN 1; END'");
  Application holder(migration.application());
  RUN(holder, "SELECT only_one()");
  migration.create_and_start();
  RUN(holder, "UPDATE hot SET ver = 1 WHERE id = 1");
  migration.expect_tool({"verify"});
  // Sessions in use are asked while they connect to the shadow, at their next call.
  std::atomic<bool> over{false};
  std::thread caller([&] {
    while (!over) (void)run(holder, "SELECT 1");
  });
  const Finished refused = LiveMigration::tool({"cutover", migration.name()});
  over = true;
  caller.join();
  EXPECT_EQ(refused.exit_code, 1) << refused.output;
  EXPECT_NE(refused.output.find("lock held"), std::string::npos) << refused.output;
  EXPECT_EQ(run(holder, "UPDATE hot SET ver = 2 WHERE id = 1"), SQL_SUCCESS);
}

TEST(SessionLocksUnseen, OneThatAReplayedFunctionTakesIsNotKeptOnTheShadow) {
  LiveMigration migration;
  for (const std::string& side : {migration.production(), migration.shadow()}) {
    odbc::Connection(side).run(
        "CREATE FUNCTION only_one() RETURNS int LANGUAGE plpgsql AS "
        "'BEGIN PERFORM pg_advisory_lock(8); UPDATE hot SET ver = 5 WHERE id = 1; RETURN 1; END'");
  }
  migration.create_and_start();
  Application app(migration.application());
  RUN(app, "SELECT only_one()");
  RUN(app, "SELECT pg_advisory_unlock_all()");
  RUN(app, "UPDATE hot SET ver = 1 WHERE id = 2");
  migration.expect_tool({"verify"});
  migration.expect_tool({"cutover"});
  RUN(app, "UPDATE hot SET ver = 2 WHERE id = 2");
  odbc::Connection shadow(migration.shadow());
  EXPECT_EQ(shadow.scalar("SELECT ver FROM hot WHERE id = 1"), "5");
  EXPECT_EQ(shadow.scalar("SELECT pg_try_advisory_lock(8)::text"), "true");
}

}  // namespace
}  // namespace understudy
