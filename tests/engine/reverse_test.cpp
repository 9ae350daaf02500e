// The way back: after the switch the shadow's transactions are recorded and applied to production,
// and `reverse` moves the application there again.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/engine/databases.h"
#include "tests/engine/recording.h"
#include "tests/support/live_migration.h"

namespace understudy {
namespace {

constexpr int kWriters = 3;

// Programs that count in the database what they saw committed: even ones by hand, odd ones under
// autocommit with statements that they prepared once.
class Ledger {
 public:
  explicit Ledger(const std::string& target) {
    for (int i = 0; i < kWriters; ++i) {
      writers_.push_back(std::make_unique<Writer>());
      Writer& one = *writers_.back();
      one.thread = std::thread([this, &one, target, i] {
        i % 2 == 0 ? by_hand(one, target, i) : by_autocommit(one, target, i);
      });
    }
  }
  ~Ledger() { stop(); }
  void stop() {
    ending_ = true;
    for (auto& one : writers_) {
      if (one->thread.joinable()) one->thread.join();
    }
  }
  /// Until each writer has committed so many more.
  void wait_for(long more) {
    for (auto& one : writers_) {
      const long before = one->committed;
      while (one->committed < before + more && one->errors < 1000) std::this_thread::yield();
    }
  }
  [[nodiscard]] long committed(int writer) const { return writers_[writer]->committed; }
  [[nodiscard]] long errors() const {
    long out = 0;
    for (const auto& one : writers_) out += one->errors;
    return out;
  }
  [[nodiscard]] std::string first_error() const {
    for (const auto& one : writers_) {
      if (!one->error.empty()) return one->error;
    }
    return {};
  }

 private:
  struct Writer {
    std::atomic<long> committed{0};
    std::atomic<long> errors{0};
    std::string error;  // the first; read when the thread has ended
    std::thread thread;
  };

  static void fail(Writer& one, const std::string& why) {
    if (one.errors++ == 0) one.error = why;
  }

  void by_hand(Writer& one, const std::string& target, int number) {
    Application app(target);
    app.autocommit(false);
    const std::string id = std::to_string(number);
    for (long turn = 0; !ending_; ++turn) {
      bool done = true;
      for (const std::string& sql :
           {"UPDATE ledger SET n = n + 1 WHERE id = " + id,
            "INSERT INTO audit (word) VALUES ('w" + id + "-" + std::to_string(turn) + "')"}) {
        raw::Statement stmt(app);
        const SQLRETURN ret = stmt.run(sql);
        done = done && (SQL_SUCCEEDED(ret) || ret == SQL_NO_DATA);
        if (!SQL_SUCCEEDED(ret) && ret != SQL_NO_DATA) {
          fail(one, sql + ": " + stmt.problems());
          break;
        }
      }
      if (done && SQL_SUCCEEDED(app.commit())) {
        ++one.committed;
      } else {
        if (done) fail(one, "COMMIT: " + app.problems());
        app.rollback();
      }
    }
  }

  void by_autocommit(Writer& one, const std::string& target, int number) {
    Application app(target);
    raw::Statement update(app);
    SQLPrepare(update.handle, raw::text("UPDATE ledger SET n = n + ? WHERE id = ?"), SQL_NTS);
    SQLINTEGER more = 1;
    SQLINTEGER id = number;
    SQLBindParameter(update.handle, 1, SQL_PARAM_INPUT, SQL_C_LONG, SQL_INTEGER, 0, 0, &more, 0,
                     nullptr);
    SQLBindParameter(update.handle, 2, SQL_PARAM_INPUT, SQL_C_LONG, SQL_INTEGER, 0, 0, &id, 0,
                     nullptr);
    while (!ending_) {
      if (SQL_SUCCEEDED(SQLExecute(update.handle))) {
        ++one.committed;
      } else {
        fail(one, update.problems());
      }
    }
  }

  std::atomic<bool> ending_{false};
  std::vector<std::unique_ptr<Writer>> writers_;
};

std::string postgres_side() {
  return PostgresServer::shared().new_database();
}

class Reverse : public testing::TestWithParam<Dialect> {
 protected:
  void SetUp() override {
    switch (GetParam()) {
      case Dialect::postgresql:
        make("Understudy Unicode", "PostgreSQL Unicode", postgres_side(), postgres_side());
        return schema("BIGSERIAL PRIMARY KEY");
      case Dialect::mariadb:
        make("Understudy Unicode", "MariaDB Unicode", MariaDbServer::shared().new_database(),
             MariaDbServer::shared().new_database());
        return schema("BIGINT AUTO_INCREMENT PRIMARY KEY");
      default:
        make("Understudy ANSI", "SQLite3", sqlite_side("production"), sqlite_side("shadow"));
        schema("INTEGER PRIMARY KEY AUTOINCREMENT");
    }
  }
  void make(const char* driver, const char* real, const std::string& production,
            const std::string& shadow) {
    migration_ = std::make_unique<LiveMigration>(driver, real, production, shadow);
  }
  std::string sqlite_side(const std::string& name) {
    return "Database=" + std::string(folder_.path()) + "/" + name + ".db;Timeout=60000;";
  }
  // The shadow has a column more, as an upgraded schema may.
  void schema(const std::string& key) {
    for (const std::string& side : {migration_->production(), migration_->shadow()}) {
      odbc::Connection db(side);
      if (GetParam() == Dialect::sqlite) db.run("PRAGMA journal_mode = WAL");
      const bool upgraded = side == migration_->shadow();
      db.run(std::string("CREATE TABLE ledger (id INTEGER PRIMARY KEY, n BIGINT NOT NULL") +
             (upgraded ? ", grade INTEGER DEFAULT 7)" : ")"));
      db.run("CREATE TABLE audit (id " + key + ", word VARCHAR(40))");
    }
    odbc::Connection db(migration_->production());
    for (int i = 0; i < kWriters; ++i)
      db.run("INSERT INTO ledger VALUES (" + std::to_string(i) + ", 0)");
  }
  void tool(std::vector<std::string> arguments) { migration_->expect_tool(std::move(arguments)); }
  Finished tool_answer(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin() + 1, migration_->name());
    return LiveMigration::tool(std::move(arguments));
  }
  nlohmann::json expect_equal(const char* phase) {
    tool({"verify"});
    auto status = migration_->status();
    EXPECT_EQ(status["phase"], phase) << status.dump(1);
    EXPECT_EQ(status["rows_different"], 0) << status.dump(1);
    EXPECT_EQ(status["divergences"], 0) << status.dump(1);
    EXPECT_EQ(status["uncaptured_writes"], 0) << status.dump(1);
    EXPECT_EQ(status["in_doubt"], 0) << status.dump(1);
    return status;
  }
  void expect_ledger(const Ledger& ledger, const std::string& side) {
    odbc::Connection db(side);
    for (int i = 0; i < kWriters; ++i) {
      EXPECT_EQ(db.scalar("SELECT n FROM ledger WHERE id = " + std::to_string(i)),
                std::to_string(ledger.committed(i)))
          << "writer " << i;
    }
  }

  TempDir folder_;
  std::unique_ptr<LiveMigration> migration_;
};

TEST_P(Reverse, WhatTheShadowCommitsIsAppliedToProduction) {
  migration_->create_and_start();
  expect_equal("ready");
  Application app(migration_->application());
  EXPECT_EQ(run(app, "UPDATE ledger SET n = 5 WHERE id = 1"), SQL_SUCCESS);
  tool({"cutover"});
  EXPECT_EQ(run(app, "UPDATE ledger SET n = 6 WHERE id = 1"), SQL_SUCCESS);
  EXPECT_EQ(run(app, "INSERT INTO audit (word) VALUES ('on the shadow')"), SQL_SUCCESS);
  const auto status = expect_equal("switched");
  EXPECT_EQ(status["backlog_transactions"], 0);
  EXPECT_TRUE(status["can_reverse"]) << status.dump(1);
  odbc::Connection production(migration_->production());
  EXPECT_EQ(production.scalar("SELECT n FROM ledger WHERE id = 1"), "6");
  EXPECT_EQ(production.scalar("SELECT word FROM audit"), "on the shadow");
}

TEST_P(Reverse, MovesTheApplicationBackAndTheShadowFollowsAgain) {
  migration_->create_and_start();
  expect_equal("ready");
  Application app(migration_->application());
  tool({"cutover"});
  EXPECT_EQ(run(app, "INSERT INTO audit (word) VALUES ('a')"), SQL_SUCCESS);
  const Finished dry = tool_answer({"reverse", "--dry-run"});
  EXPECT_EQ(dry.exit_code, 0) << dry.output;
  EXPECT_EQ(migration_->status()["phase"], "switched");
  tool({"reverse"});
  EXPECT_EQ(migration_->status()["phase"], "replaying");
  EXPECT_EQ(run(app, "INSERT INTO audit (word) VALUES ('b')"), SQL_SUCCESS);
  odbc::Connection production(migration_->production());
  EXPECT_EQ(production.scalar("SELECT word FROM audit ORDER BY id DESC"), "b");
  expect_equal("ready");
  Application later(migration_->application());
  EXPECT_EQ(run(later, "INSERT INTO audit (word) VALUES ('c')"), SQL_SUCCESS);
  EXPECT_EQ(production.scalar("SELECT word FROM audit ORDER BY id DESC"), "c");
}

TEST_P(Reverse, GoesThereAndBackThreeTimesWhileProgramsWrite) {
  migration_->create_and_start();
  expect_equal("ready");
  Ledger ledger(migration_->application());
  for (int round = 0; round < 3; ++round) {
    SCOPED_TRACE(round);
    tool({"cutover", "--timeout", "60"});
    ledger.wait_for(5);
    expect_equal("switched");
    tool({"reverse", "--timeout", "60"});
    ledger.wait_for(5);
  }
  tool({"verify"});
  tool({"cutover", "--timeout", "60"});
  ledger.wait_for(5);
  ledger.stop();
  EXPECT_EQ(ledger.errors(), 0) << ledger.first_error();
  const auto status = expect_equal("switched");
  EXPECT_EQ(status["applied"], status["journaled"]) << status.dump(1);
  expect_ledger(ledger, migration_->shadow());
  expect_ledger(ledger, migration_->production());
  std::printf("%s transactions\n", status["applied"].dump().c_str());
  tool({"complete"});
}

TEST_P(Reverse, LeavesTheShadowInUseWhenATransactionStaysOpen) {
  migration_->create_and_start();
  expect_equal("ready");
  tool({"cutover"});
  Application app(migration_->application());
  app.autocommit(false);
  EXPECT_EQ(run(app, "UPDATE ledger SET n = 9 WHERE id = 1"), SQL_SUCCESS);
  const Finished refused = tool_answer({"reverse", "--timeout", "1"});
  EXPECT_EQ(refused.exit_code, 1) << refused.output;
  EXPECT_NE(refused.output.find("the shadow stays in use"), std::string::npos) << refused.output;
  EXPECT_EQ(migration_->status()["phase"], "switched");
  EXPECT_EQ(migration_->status()["mode"], "switched");
  EXPECT_EQ(app.commit(), SQL_SUCCESS);
  EXPECT_EQ(odbc::Connection(migration_->shadow()).scalar("SELECT n FROM ledger WHERE id = 1"),
            "9");
  expect_equal("switched");
  tool({"reverse"});
}

TEST_P(Reverse, IsOverAfterComplete) {
  migration_->create_and_start();
  expect_equal("ready");
  tool({"cutover"});
  Application app(migration_->application());
  EXPECT_EQ(run(app, "UPDATE ledger SET n = 2 WHERE id = 1"), SQL_SUCCESS);
  const Finished completed = tool_answer({"complete"});
  EXPECT_EQ(completed.exit_code, 0) << completed.output;
  EXPECT_NE(completed.output.find("on production"), std::string::npos) << completed.output;
  EXPECT_EQ(run(app, "UPDATE ledger SET n = 3 WHERE id = 1"), SQL_SUCCESS);
  EXPECT_NE(tool_answer({"reverse"}).exit_code, 0);
  odbc::Connection shadow(migration_->shadow());
  EXPECT_EQ(shadow.scalar("SELECT n FROM ledger WHERE id = 1"), "3");
  odbc::Connection production(migration_->production());
  EXPECT_THROW(production.run("SELECT 1 FROM understudy_position"), odbc::Error);
}

TEST_P(Reverse, IsRefusedBeforeTheSwitch) {
  migration_->create_and_start();
  const Finished refused = tool_answer({"reverse"});
  EXPECT_EQ(refused.exit_code, 1) << refused.output;
  EXPECT_EQ(migration_->status()["phase"], "replaying");
}

// A production that refuses everybody, and takes them again.
class ReverseWithoutProduction : public Reverse {
 protected:
  void production_accepts(bool yes) {
    const std::string all = migration_->production();
    const std::size_t from = all.find("Database=") + 9;
    const std::string name = all.substr(from, all.find(';', from) - from);
    odbc::Connection db(migration_->shadow());
    db.run("ALTER DATABASE " + name + " WITH ALLOW_CONNECTIONS " + (yes ? "true" : "false"));
    if (!yes)
      db.run(
          "DO $$ BEGIN PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" +
          name + "'; END $$");
  }
  template <class Condition>
  nlohmann::json status_when(Condition met) {
    for (;;) {
      auto status = migration_->status();
      if (met(status)) return status;
    }
  }
};

TEST_P(ReverseWithoutProduction, TheApplicationGoesOnAndTheWayBackOpensWhenItIsThereAgain) {
  migration_->create_and_start();
  expect_equal("ready");
  tool({"cutover"});
  Application app(migration_->application());
  EXPECT_EQ(run(app, "UPDATE ledger SET n = 1 WHERE id = 1"), SQL_SUCCESS);
  // The worker has to have reached it to lose it.
  const auto open = [](const auto& now) { return now["can_reverse"].template get<bool>(); };
  status_when(open);
  production_accepts(false);
  EXPECT_EQ(run(app, "UPDATE ledger SET n = 2 WHERE id = 1"), SQL_SUCCESS);
  Application later(migration_->application());
  EXPECT_EQ(run(later, "INSERT INTO audit (word) VALUES ('without production')"), SQL_SUCCESS);
  auto status = status_when([](const auto& now) {
    return now["reverse_blockers"].dump().find("\"production: ") != std::string::npos;
  });
  EXPECT_EQ(status["phase"], "switched") << status.dump(1);
  const Finished refused = tool_answer({"reverse"});
  EXPECT_EQ(refused.exit_code, 1) << refused.output;
  production_accepts(true);
  status = status_when(open);
  expect_equal("switched");
  tool({"reverse"});
  EXPECT_EQ(run(app, "UPDATE ledger SET n = 3 WHERE id = 1"), SQL_SUCCESS);
  EXPECT_EQ(run(later, "UPDATE ledger SET n = 4 WHERE id = 2"), SQL_SUCCESS);
  odbc::Connection production(migration_->production());
  EXPECT_EQ(production.scalar("SELECT n FROM ledger WHERE id = 1"), "3");
  EXPECT_EQ(production.scalar("SELECT n FROM ledger WHERE id = 2"), "4");
  EXPECT_EQ(production.scalar("SELECT word FROM audit"), "without production");
}

INSTANTIATE_TEST_SUITE_P(Engines, ReverseWithoutProduction, testing::Values(Dialect::postgresql),
                         [](const auto& engine) {
                           return std::string(dialect_name(engine.param));
                         });

INSTANTIATE_TEST_SUITE_P(Engines, Reverse,
                         testing::Values(Dialect::sqlite, Dialect::postgresql, Dialect::mariadb),
                         [](const auto& engine) {
                           return std::string(dialect_name(engine.param));
                         });

}  // namespace
}  // namespace understudy
