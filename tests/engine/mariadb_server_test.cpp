// The tests' own MariaDB server, reached through the real driver.
#include <gtest/gtest.h>

#include "replayer/odbc/odbc.h"
#include "tests/engine/databases.h"

namespace understudy {
namespace {

TEST(MariaDbServer, AnswersTheApplicationsUserThroughTheRealDriver) {
  odbc::Connection db(mariadb_target());
  db.run("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10)) ENGINE=InnoDB");
  db.run("INSERT INTO t VALUES (1, 'ä')");
  EXPECT_EQ(MariaDbServer::shared().sql(MariaDbServer::shared().database(), "SELECT v FROM t"),
            "ä\n");
}

TEST(MariaDbServer, KeepsItsDataOverAKill) {
  MariaDbServer server;
  (void)server.new_database();
  const std::string database = server.database();
  server.sql(database, "CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (7)");
  server.sql(database, "SET GLOBAL innodb_flush_log_at_trx_commit=1; INSERT INTO t VALUES (8)");
  server.kill();
  server.start();
  EXPECT_EQ(server.sql(database, "SELECT id FROM t ORDER BY id"), "7\n8\n");
  server.stop();
}

}  // namespace
}  // namespace understudy
