// The cutover as the operator and the application see it.
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
  update.execute();
  EXPECT_EQ(update.row_count(), 1);
  odbc::Connection shadow(migration.shadow());
  odbc::Connection production(migration.production());
  EXPECT_EQ(production.scalar("SELECT ver::text FROM hot WHERE id = 3"), "1");
  EXPECT_EQ(shadow.scalar("SELECT ver::text FROM hot WHERE id = 3"), "2");
}

}  // namespace
}  // namespace understudy
