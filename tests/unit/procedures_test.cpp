#include "driver/sql/procedures.h"

#include <gtest/gtest.h>

#include <utility>

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

TEST(Procedures, ResultsAreCountedWhereEachStatementRunsAtMostOnce) {
  const std::pair<const char*, std::size_t> known[] = {
      {"SELECT 1", 1},
      {" SQL SECURITY INVOKER COMMENT 'x' SHOW TABLES", 1},
      {"INSERT INTO item VALUES (1) RETURNING v", 1},
      {"BEGIN SELECT 1; UPDATE t SET v = 2; SELECT v FROM t UNION SELECT 3; END", 2},
      {"BEGIN DECLARE x INT; SELECT v INTO x FROM t LIMIT 1; SET x = (SELECT MAX(v) FROM t); END",
       0},
      {"BEGIN IF EXISTS (SELECT 1 FROM t) THEN SELECT 2; ELSE SELECT 3; END IF; END", 2},
      {"BEGIN DECLARE c CURSOR FOR SELECT v FROM t; OPEN c; l: LOOP FETCH c INTO x; "
       "INSERT INTO u SELECT v FROM t WHERE v = x; IF x > 3 THEN LEAVE l; END IF; END LOOP; "
       "CLOSE c; SELECT x; END",
       1},
      {"BEGIN DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1; SELECT 1; END", 1},
      {"BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN SELECT 'failed'; END; SELECT 1; END", 2},
      {"BEGIN WHILE n > 0 DO SET n = n - 1; END WHILE; (SELECT 1) UNION (SELECT 2); END", 1},
      {"BEGIN SET @t = REPEAT('x', 3), @u = IF(n, 1, 2); CALL other(1); END", 0}};
  for (const auto& [definition, results] : known) {
    EXPECT_EQ(results_at_most(definition), results) << definition;
  }
}

TEST(Procedures, ResultsThatMayBeRepeatedOrMadeFromTextAreNotCounted) {
  for (const char* definition :
       {"BEGIN l: LOOP SELECT 1; LEAVE l; END LOOP; END",
        "BEGIN WHILE n DO BEGIN IF n THEN SHOW TABLES; END IF; END; END WHILE; END",
        "BEGIN REPEAT INSERT INTO t VALUES (1) RETURNING v; UNTIL TRUE END REPEAT; END",
        "BEGIN FOR i IN 1..3 DO SELECT i; END FOR; END",
        "BEGIN DECLARE CONTINUE HANDLER FOR 1062 SELECT 'twice'; INSERT INTO t VALUES (1); END",
        "BEGIN DECLARE CONTINUE HANDLER FOR 1062 BEGIN SET n = 1; SELECT n; END; END",
        "BEGIN EXECUTE IMMEDIATE t; END", "BEGIN SELECT 1", "BEGIN SELECT 1; END END",
        "SELECT 'open"}) {
    EXPECT_EQ(results_at_most(definition), std::nullopt) << definition;
  }
}

TEST(Procedures, ProceduresThatOneCallsAreFound) {
  const auto called = procedures_called("BEGIN CALL a(1); IF n THEN CALL `s`.`b c`; END IF; END");
  ASSERT_EQ(called.size(), 2u);
  EXPECT_EQ(called[0].name, "a");
  EXPECT_EQ(called[1].schema, "s");
  EXPECT_EQ(called[1].name, "b c");
}

TEST(Procedures, ACallThatFailsIsRepeatedUpToItsError) {
  const std::string again =
      "BEGIN NOT ATOMIC DECLARE EXIT HANDLER FOR 1062 BEGIN END; call a.p(?, ';'); SIGNAL SQLSTATE "
      "'45000' SET MYSQL_ERRNO = 30001, MESSAGE_TEXT = 'a call that had failed did not'; END";
  EXPECT_EQ(call_that_fails("{ call a.p(?, ';') }", 1062), again);
  EXPECT_EQ(call_that_fails("/* x */ call a.p(?, ';') ; -- y", 1062), again);
  EXPECT_NE(call_that_fails("CALL p()", 30001).find("MYSQL_ERRNO = 30002"), std::string::npos);
}

TEST(Procedures, WhatFailsByChanceIsNotRepeated) {
  for (const long error : {0L, 999L, 1064L, 1213L, 1205L, 1317L, 2013L}) {
    EXPECT_EQ(call_that_fails("CALL p()", error), "") << error;
  }
  EXPECT_EQ(call_that_fails("CALL p(); DELETE FROM t", 1062), "");
  EXPECT_EQ(call_that_fails("DO p()", 1062), "");
  EXPECT_EQ(call_that_fails("CALL p('open", 1062), "");
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
