// The demonstration's program cannot tell the shim from the bare driver while nothing is migrated.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/engine/databases.h"

namespace understudy {
namespace {

std::string schema_of(const std::string& engine) {
  std::ifstream file(std::string(DEMO_FOLDER) + "/" + engine + "/production.sql");
  std::stringstream text;
  text << file.rdbuf();
  if (!file) throw std::runtime_error("no schema of the shop for " + engine);
  return text.str();
}

/// Everything that the program prints: its counts and a hash of all that it read.
std::string run_shop(const std::string& target) {
  const Finished done = run_program(
      {ORDERS_APP_PATH, target, "--connections", "1", "--transactions", "500", "--seed", "42"});
  EXPECT_EQ(done.exit_code, 0) << done.output;
  return done.output;
}

std::string on_sqlite(const std::string& driver) {
  const TempDir folder;
  const std::string file = folder.path() + "/shop.db";
  const Finished made = run_program({"sqlite3", "-bail", file}, schema_of("sqlite"));
  if (made.exit_code != 0) throw std::runtime_error("sqlite3: " + made.output);
  return run_shop(driver + ";Database=" + file);
}

std::string on_postgresql(const std::string& driver) {
  const std::string database = PostgresServer::shared().new_database();
  const std::size_t name = database.find("Database=") + 9;
  PostgresServer::shared().psql(database.substr(name, database.find(';', name) - name),
                                schema_of("postgresql"));
  return run_shop(driver + ";" + database);
}

TEST(DemoProgram, PrintsTheSameThroughTheShimAsOnTheBareSqliteDriver) {
  const std::string bare = on_sqlite("Driver=SQLite3");
  const std::string shim = on_sqlite("Driver=Understudy ANSI;RealDriver=SQLite3;Migration=none");
  EXPECT_NE(bare.find("read_hash"), std::string::npos) << bare;
  EXPECT_EQ(bare, shim);
}

TEST(DemoProgram, PrintsTheSameThroughTheShimAsOnTheBarePostgresqlDriver) {
  const std::string bare = on_postgresql("Driver=PostgreSQL Unicode");
  const std::string shim =
      on_postgresql("Driver=Understudy Unicode;RealDriver=PostgreSQL Unicode;Migration=none");
  EXPECT_NE(bare.find("read_hash"), std::string::npos) << bare;
  EXPECT_EQ(bare, shim);
}

}  // namespace
}  // namespace understudy
