// Statements, each written through the driver and replayed: the shadow holds the same rows, and no
// more of them are opaque than are known to be.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/engine/databases.h"
#include "tests/engine/recording.h"
#include "tests/support/live_migration.h"

namespace understudy {

using StatementTexts = std::vector<std::string_view>;

/// A migration between two equal databases; rows of the schema are production's.
class ExactStatements : public testing::Test {
 protected:
  explicit ExactStatements(Dialect dialect) : dialect_(dialect) {}

  void begin(const StatementTexts& schema) {
    const bool sqlite = dialect_ == Dialect::sqlite;
    const std::string production = side("p");
    if (dialect_ == Dialect::mariadb) database_ = MariaDbServer::shared().database();
    const char* driver = sqlite                         ? "SQLite3"
                         : dialect_ == Dialect::mariadb ? "MariaDB Unicode"
                                                        : "PostgreSQL Unicode";
    migration_ =
        std::make_unique<LiveMigration>("Understudy Unicode", driver, production, side("s"));
    for (const auto& where : {migration_->production(), migration_->shadow()}) {
      odbc::Connection db(where);
      if (sqlite) db.run("PRAGMA journal_mode = WAL");
      for (const std::string_view one : schema) {
        if (!one.starts_with("INSERT") || where == migration_->production()) db.run(one);
      }
    }
    migration_->create_and_start();
    app_ = std::make_unique<Application>(migration_->application());
  }

  /// Each succeeds.
  void send(const StatementTexts& statements) {
    for (const std::string_view one : statements) {
      raw::Statement stmt(*app_);
      const SQLRETURN ret = stmt.run(std::string(one));
      EXPECT_TRUE(SQL_SUCCEEDED(ret) || ret == SQL_NO_DATA) << one << ": " << stmt.problems();
    }
  }

  void expect_equal(int opaque, int uncaptured = 0) {
    app_.reset();
    migration_->expect_tool({"verify"});
    const auto status = migration_->status();
    EXPECT_EQ(status["rows_different"], 0) << status.dump(1);
    EXPECT_EQ(status["divergences"], 0) << status.dump(1);
    // What is exact without rows is so here: one program, one statement after the other.
    if (!generic_forced()) {
      EXPECT_EQ(status["opaque"], opaque);
    }
    EXPECT_EQ(status["uncaptured_writes"], uncaptured);
    EXPECT_GT(status["rows_compared"], 0);
    if (HasFailure()) {
      std::printf("%s",
                  LiveMigration::tool({"journal", "dump", migration_->journal(), "--show-values"})
                      .output.c_str());
    }
    migration_->expect_tool({"cancel"});
  }

  std::string side(const std::string& name) {
    switch (dialect_) {
      case Dialect::sqlite:
        return "Database=" + folder_.path() + "/" + name + ".db;Timeout=20000;";
      case Dialect::mariadb:
        return MariaDbServer::shared().new_database();
      default:
        return PostgresServer::shared().new_database();
    }
  }

  const Dialect dialect_;
  TempDir folder_;
  std::string database_;
  std::unique_ptr<LiveMigration> migration_;
  std::unique_ptr<Application> app_;
};

}  // namespace understudy
