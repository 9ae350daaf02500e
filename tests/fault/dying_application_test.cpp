// An application that dies at every single moment of a transaction, one after the other, on each
// engine: no hole, no stall, and the shadow has what production has.
#include <functional>
#include <map>
#include <optional>

#include "tests/support/live_migration.h"

namespace understudy {
namespace {

constexpr int kMomentsMax = 1000;  // of one transaction: it should have ended
constexpr int kLooks = 3;

struct Engine {
  std::string driver;
  std::function<std::string(const TempDir&, const std::string&)> database;
};

void PrintTo(const Engine& engine, std::ostream* out) {
  *out << engine.driver;
}

const Engine kPostgres{"PostgreSQL Unicode", [](const TempDir&, const std::string&) {
                         return PostgresServer::shared().new_database();
                       }};
const Engine kMariadb{"MariaDB Unicode", [](const TempDir&, const std::string&) {
                        return MariaDbServer::shared().new_database();
                      }};
const Engine kSqlite{"SQLite3", [](const TempDir& folder, const std::string& name) {
                       return "Database=" + folder.path() + "/" + name + ".db;Timeout=10000;";
                     }};

class DyingApplication : public ::testing::TestWithParam<Engine> {
 protected:
  DyingApplication() {
    for (const std::string& side : {migration_.production(), migration_.shadow()}) {
      odbc::Connection db(side);
      if (GetParam().driver == "SQLite3") db.run("PRAGMA journal_mode = WAL");
      db.run("CREATE TABLE account (id INTEGER PRIMARY KEY, amount BIGINT NOT NULL)");
    }
    odbc::Connection(migration_.production())
        .run("INSERT INTO account VALUES (1, 0), (2, 0), (3, 0)");
    migration_.create_and_start();
  }

  struct Death {
    std::string moment;  // "done": it came to its end
    int code = 0;
  };
  Death run(int id, const std::vector<std::string>& how, bool also_many_rows = true) {
    std::vector<std::string> statements = {"INSERT INTO account VALUES (" + std::to_string(id) +
                                           ", 1000)"};
    if (also_many_rows)
      statements.emplace_back("UPDATE account SET amount = amount + 1 WHERE amount < 1000");
    return run(how, statements);
  }
  Death run(const std::vector<std::string>& how, const std::vector<std::string>& statements) {
    std::vector<std::string> command = {DYING_APP_PATH, migration_.application(),
                                        migration_.name()};
    command.insert(command.end(), how.begin(), how.end());
    command.insert(command.end(), statements.begin(), statements.end());
    const Finished finished = run_program(command);
    std::istringstream lines(finished.output);
    Death death{"", finished.exit_code};
    std::getline(lines, death.moment);
    return death;
  }
  bool in_production(int id) {
    return odbc::Connection(migration_.production())
               .scalar("SELECT count(*) FROM account WHERE id = " + std::to_string(id)) == "1";
  }
  void expect_equal() {
    const auto status = migration_.status_when(
        [](const auto& now) { return now["in_doubt"] == 0 && now["backlog_transactions"] == 0; });
    EXPECT_EQ(status["in_doubt"], 0) << status.dump(1);
    EXPECT_EQ(status["backlog_transactions"], 0) << status.dump(1);
    EXPECT_EQ(status["mode"], "record");
    migration_.expect_tool({"verify"});
    const auto verified = migration_.status();
    EXPECT_EQ(verified["rows_different"], 0) << verified.dump(1);
    EXPECT_EQ(verified["divergences"], 0) << verified.dump(1);
    EXPECT_EQ(verified["uncaptured_writes"], 0) << verified.dump(1);
    EXPECT_EQ(LiveMigration::tool({"journal", "verify", migration_.journal()}).exit_code, 0);
  }

  TempDir folder_;
  LiveMigration migration_{"Understudy Unicode", GetParam().driver,
                           GetParam().database(folder_, "production"),
                           GetParam().database(folder_, "shadow")};
};

TEST_P(DyingApplication, AtEveryMomentOfATransactionLeavesNoHoleAndNoStall) {
  std::map<std::string, int> deaths;
  int moment = 1;
  for (; moment < kMomentsMax; ++moment) {
    const Death death = run(1000 + moment, {"--at", std::to_string(moment)});
    ++deaths[death.moment];
    if (death.moment == "done") break;
    ASSERT_EQ(death.code, 128 + SIGKILL) << death.moment << " at " << moment;
    if (death.moment == "commit-returned") {
      EXPECT_TRUE(in_production(1000 + moment)) << moment;
    } else if (death.moment != "commit-sent") {
      EXPECT_FALSE(in_production(1000 + moment)) << death.moment << " at " << moment;
    }
  }
  for (const auto& [name, count] : deaths) std::printf("%-24s %d\n", name.c_str(), count);
  for (const char* name : {"before-claim", "claimed", "half-written", "prepared", "commit-sent",
                           "commit-returned", "done"})
    EXPECT_GE(deaths[name], 1) << name;
  // Of one statement; the library of SQLite has no requests.
  EXPECT_EQ(deaths["between-two-requests"] > 0, GetParam().driver != "SQLite3");
  expect_equal();
}

// One row each.
TEST_P(DyingApplication, UnderAutocommitToo) {
  for (int moment = 1; moment < kMomentsMax; moment += 2) {
    const Death death = run(1000 + moment, {"--autocommit", "--at", std::to_string(moment)}, false);
    if (death.moment == "done") break;
    ASSERT_EQ(death.code, 128 + SIGKILL) << death.moment << " at " << moment;
  }
  expect_equal();
}

/// What others have made of its row since tells how it ended: they computed from what it left.
TEST_P(DyingApplication, IsSettledThoughItsRowHasBeenWrittenAgain) {
  for (const char* autocommit : {"", "--autocommit"}) {
    EXPECT_TRUE(migration_.kill_process("replayer"));
    std::vector<std::string> how = {"--named", "commit-sent"};
    if (*autocommit != 0) how.emplace_back(autocommit);
    const Death death = run(how, {"UPDATE account SET amount = amount + 1 WHERE id = 1"});
    ASSERT_EQ(death.moment, "commit-sent");
    odbc::Connection others(migration_.application());
    for (int i = 0; i < 3; ++i) others.run("UPDATE account SET amount = amount * 2 WHERE id = 1");
    migration_.expect_tool({"start"});
    expect_equal();
  }
}

/// A stopped process may go on at any time: nothing is skipped, and what comes behind it waits.
TEST_P(DyingApplication, ThatIsOnlyStoppedIsWaitedForAndThenGoesOn) {
  for (const char* moment : {"claimed", "half-written", "prepared"}) {
    SCOPED_TRACE(moment);
    const int id = 1000 + static_cast<int>(moment[0]);
    const std::uint64_t journaled = migration_.status()["journaled"];
    const std::string told = folder_.path() + "/" + moment;
    Background stopped({"/bin/sh", "-c", "exec \"$0\" \"$@\" > " + told, DYING_APP_PATH,
                        migration_.application(), migration_.name(), "--stop", "--named", moment,
                        "INSERT INTO account VALUES (" + std::to_string(id) + ", 1000)"});
    std::string line;
    while (line != moment) std::getline(std::ifstream(told), line);
    const auto one_more = [&] {
      odbc::Connection(migration_.application())
          .run("INSERT INTO account VALUES (" + std::to_string(id * 10) + ", 1000)");
    };
    // SQLite has one writer.
    const bool alone = GetParam().driver == "SQLite3";
    if (!alone) one_more();
    const bool readable = std::string_view(moment) == "prepared";
    for (int look = 0; look < kLooks; ++look)
      EXPECT_LE(migration_.status()["journaled"], journaled + (readable ? 2 : 0));
    stopped.kill(SIGCONT);
    EXPECT_EQ(stopped.wait(), 0);
    if (alone) one_more();
    EXPECT_TRUE(in_production(id));
    (void)migration_.status_when(
        [&](const auto& now) { return now["journaled"] == journaled + 2; });
    EXPECT_EQ(migration_.status()["journaled"], journaled + 2);
  }
  expect_equal();
}

class DyingInCommit : public DyingApplication {
 protected:
  /// In production COMMIT waits until somebody lets it go on.
  DyingInCommit() {
    for (const std::string& side : {migration_.production(), migration_.shadow()}) {
      odbc::Connection db(side);
      db.run(
          "CREATE FUNCTION await() RETURNS trigger LANGUAGE plpgsql AS "
          "'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END'");
      db.run(
          "CREATE CONSTRAINT TRIGGER await AFTER INSERT ON account DEFERRABLE INITIALLY DEFERRED "
          "FOR EACH ROW EXECUTE FUNCTION await()");
    }
  }
};

TEST_P(DyingInCommit, IsInDoubtUntilTheServerTellsHowItEnded) {
  std::optional<odbc::Connection> holder(std::in_place, migration_.production());
  (void)holder->scalar("SELECT pg_advisory_lock(1)::text");
  const Death death = run(1000, {"--named", "commit-sent"});
  ASSERT_EQ(death.moment, "commit-sent");
  const auto doubtful = migration_.status_when([](const auto& now) {
    return now["in_doubt"] == 1 &&
           now["reason"].dump().find("still works on its COMMIT") != std::string::npos;
  });
  EXPECT_EQ(doubtful["in_doubt"], 1) << doubtful.dump(1);
  EXPECT_NE(doubtful["reason"].dump().find("still works on its COMMIT"), std::string::npos)
      << doubtful.dump(1);
  EXPECT_NE(doubtful["blockers"].dump().find("doubt"), std::string::npos) << doubtful.dump(1);
  EXPECT_EQ(LiveMigration::tool({"cutover", migration_.name(), "--skip", "verified"}).exit_code, 1);
  holder.reset();
  expect_equal();
  EXPECT_TRUE(in_production(1000));
}

INSTANTIATE_TEST_SUITE_P(Postgres, DyingInCommit, ::testing::Values(kPostgres));
INSTANTIATE_TEST_SUITE_P(Postgres, DyingApplication, ::testing::Values(kPostgres));
INSTANTIATE_TEST_SUITE_P(Mariadb, DyingApplication, ::testing::Values(kMariadb));
INSTANTIATE_TEST_SUITE_P(Sqlite, DyingApplication, ::testing::Values(kSqlite));

}  // namespace
}  // namespace understudy
