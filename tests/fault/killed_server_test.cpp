// The server of the side in use dies in the middle of a COMMIT: what the real driver answers then
// is no proof, and both sides have the same afterwards.
#include <chrono>
#include <thread>

#include "tests/support/live_migration.h"

namespace understudy {
namespace {

constexpr auto kPatience = std::chrono::seconds(60);
constexpr const char* kWaits =
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'";

class RestartedServer : public ::testing::Test {
 protected:
  RestartedServer() {
    for (const std::string& side : {migration_.production(), migration_.shadow()}) {
      odbc::Connection db(side);
      db.run("CREATE TABLE account (id integer PRIMARY KEY, amount bigint DEFAULT 0)");
      db.run(
          "CREATE FUNCTION await() RETURNS trigger LANGUAGE plpgsql AS "
          "'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END'");
      db.run(
          "CREATE CONSTRAINT TRIGGER await AFTER INSERT ON account DEFERRABLE INITIALLY DEFERRED "
          "FOR EACH ROW EXECUTE FUNCTION await()");
    }
    migration_.create_and_start();
  }

  void take_the_next_ids() {
    for (int i = 2; i < 5; ++i)
      odbc::Connection(migration_.application())
          .run("INSERT INTO account (id) VALUES (" + std::to_string(i) + ")");
  }
  void expect_equal() {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    nlohmann::json status;
    do {
      status = migration_.status();
    } while (std::chrono::steady_clock::now() < end &&
             (status["in_doubt"] != 0 || status["backlog_transactions"] != 0));
    EXPECT_EQ(status["in_doubt"], 0) << status.dump(1);
    migration_.expect_tool({"verify"});
  }
  std::string rows() {
    return *odbc::Connection(migration_.shadow()).scalar("SELECT count(*)::text FROM account");
  }

  PostgresServer server_;
  LiveMigration migration_{"Understudy Unicode", "PostgreSQL Unicode", server_.new_database(),
                           PostgresServer::shared().new_database()};
};

class KilledServer : public RestartedServer, public ::testing::WithParamInterface<bool> {
 protected:
  /// What the application's COMMIT is told then differs; the transaction is lost.
  void die_in_commit() {
    die_in_commit([this] { server_.kill(); });
  }
  void die_in_commit(const std::function<void()>& die) {
    odbc::Connection application(migration_.application());
    if (!GetParam()) application.set_autocommit(false);
    odbc::Connection holder(migration_.production());
    (void)holder.scalar("SELECT pg_advisory_lock(1)::text");
    std::thread commit([&] {
      try {
        application.run("INSERT INTO account (id) VALUES (1)");
        if (!GetParam()) application.commit();
      } catch (const odbc::Error&) {
      }
    });
    {
      odbc::Connection watcher(migration_.production());
      while (watcher.scalar(kWaits) != "1") std::this_thread::yield();
    }
    die();
    commit.join();
  }
  /// A server process of a session is killed: the postmaster ends all of them, and begins anew.
  void crash_backend() {
    const std::string pid = server_.psql(
        "postgres", "SELECT pid FROM pg_stat_activity WHERE wait_event = 'advisory' LIMIT 1");
    ASSERT_EQ(::kill(std::atoi(pid.c_str()), SIGKILL), 0) << pid;
  }
  void wait_for_server() {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < end) {
      try {
        odbc::Connection db(migration_.production());
        return;
      } catch (const odbc::Error&) {
      }
    }
  }
};

TEST_P(KilledServer, InCommitLeavesBothSidesWithTheSame) {
  die_in_commit();
  server_.start();
  expect_equal();
  EXPECT_EQ(rows(), "0");
}

/// The server gives the id of the transaction that it lost to the next one, which is committed
/// before anybody asks.
TEST_P(KilledServer, AnotherTransactionWithTheSameIdIsNotTakenForIt) {
  migration_.signal_process("replayer", "STOP");
  die_in_commit();
  server_.start();
  take_the_next_ids();
  migration_.signal_process("replayer", "CONT");
  expect_equal();
  EXPECT_EQ(rows(), "3");
}

/// The same, twice, and the row was written by another transaction since: what the server says of
/// the id is said of that one, and the row tells nothing.
TEST_P(KilledServer, TwiceIsNotTakenForTheTransactionThatGotItsId) {
  migration_.signal_process("replayer", "STOP");
  die_in_commit();
  server_.start();
  odbc::Connection(migration_.application()).run("INSERT INTO account (id) VALUES (1)");
  server_.kill();
  server_.start();
  migration_.signal_process("replayer", "CONT");
  expect_equal();
  EXPECT_EQ(rows(), "1");
  EXPECT_EQ(migration_.status()["divergences"], 0) << migration_.status().dump(1);
}

TEST_P(KilledServer, ABackendThatCrashesTakesTheIdsOfTheOthersWithIt) {
  migration_.signal_process("replayer", "STOP");
  die_in_commit([this] { crash_backend(); });
  wait_for_server();
  take_the_next_ids();
  migration_.signal_process("replayer", "CONT");
  expect_equal();
  EXPECT_EQ(rows(), "3");
}

/// The application looks up only when the server has long begun anew.
TEST_F(RestartedServer, ACommitThatIsSentToTheServerBeforeIsNotTakenForAnothers) {
  odbc::Connection application(migration_.application());
  application.set_autocommit(false);
  application.run("INSERT INTO account (id) VALUES (1)");
  migration_.signal_process("replayer", "STOP");
  server_.kill();
  server_.start();
  take_the_next_ids();
  EXPECT_THROW(application.commit(), odbc::Error);
  migration_.signal_process("replayer", "CONT");
  expect_equal();
  EXPECT_EQ(rows(), "3");
}

INSTANTIATE_TEST_SUITE_P(Autocommit, KilledServer, ::testing::Bool());

}  // namespace
}  // namespace understudy
