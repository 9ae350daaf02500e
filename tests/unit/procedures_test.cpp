#include "driver/sql/procedures.h"

#include <gtest/gtest.h>

namespace understudy::sql {
namespace {

TEST(Procedures, TheNameOfACallIsFoundInTextAndEscape) {
  const auto plain = called_procedure("/* now */ call shop . `do it`(1, ?)");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->schema, "shop");
  EXPECT_EQ(plain->name, "do it");
  const auto escape = called_procedure("{call close_day}");
  ASSERT_TRUE(escape);
  EXPECT_EQ(escape->schema, "");
  EXPECT_EQ(escape->name, "close_day");
  EXPECT_FALSE(called_procedure("DO close_day()"));
  EXPECT_FALSE(called_procedure("CALL 5"));
  EXPECT_FALSE(called_procedure("CALL a."));
}

TEST(Procedures, TheDefinitionIsAskedForByName) {
  EXPECT_EQ(show_procedure({"", "o`c"}), "SHOW CREATE PROCEDURE `o``c`");
  EXPECT_EQ(show_procedure({"a", "p"}), "SHOW CREATE PROCEDURE `a`.`p`");
}

TEST(Procedures, TheBodyStandsBehindTheParameters) {
  EXPECT_EQ(procedure_body("CREATE DEFINER=`a`@`%` PROCEDURE `p`()\nDELETE FROM t"),
            "\nDELETE FROM t");
  EXPECT_EQ(procedure_body("CREATE PROCEDURE `a (`(n DECIMAL(3,1), OUT m INT) BEGIN END"),
            " BEGIN END");
  EXPECT_FALSE(procedure_body("CREATE PROCEDURE `p`"));
  EXPECT_FALSE(procedure_body("CREATE PROCEDURE `p`((n INT)"));
  EXPECT_FALSE(procedure_body(""));
}

TEST(Procedures, WhatOnlyChangesRowsSendsNoResult) {
  for (const char* definition :
       {"INSERT INTO item (v) VALUES (n), (n + 1)", "SET b = a + 1, c = c * 2",
        "BEGIN UPDATE item SET v = 'SELECT'; /* SHOW */ DELETE FROM `select` WHERE v < n; END",
        "IF n > 0 THEN UPDATE item SET v = n; ELSE DELETE FROM item; END IF"}) {
    EXPECT_FALSE(may_send_results(definition)) << definition;
  }
}

TEST(Procedures, AnyWordOfAStatementWithAResultCounts) {
  for (const char* definition :
       {"SELECT 1", "INSERT INTO item VALUES (1) RETURNING v", "BEGIN VALUES (1); END",
        "IF n THEN VALUES (1); END IF", "BEGIN SET n = 1; CALL other(); END", "EXECUTE IMMEDIATE t",
        "BEGIN SET @a = 'open; END"}) {
    EXPECT_TRUE(may_send_results(definition)) << definition;
  }
}

TEST(Procedures, WhatMayEndATransactionIsSeen) {
  for (const char* definition :
       {"BEGIN DELETE FROM t; COMMIT; END", "IF n THEN ROLLBACK; END IF", "ALTER TABLE t ADD a INT",
        "BEGIN START TRANSACTION; END", "SET autocommit = 0", "CREATE TABLE u (a INT)",
        "BEGIN DROP TABLE u; END", "SET n = GET_LOCK('a', 1)", "SET @a = 'open"}) {
    EXPECT_TRUE(controls_transactions(definition)) << definition;
  }
  for (const char* definition :
       {"BEGIN CREATE TEMPORARY TABLE u (a INT); DROP TEMPORARY TABLE u; END",
        "INSERT INTO t VALUES ('COMMIT')", "BEGIN DECLARE EXIT HANDLER FOR 1062 BEGIN END; END"}) {
    EXPECT_FALSE(controls_transactions(definition)) << definition;
  }
}

}  // namespace
}  // namespace understudy::sql
