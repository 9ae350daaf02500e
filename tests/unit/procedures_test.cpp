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

TEST(Procedures, NamesAreGivenSoThatNoModeReadsThemOtherwise) {
  const std::string text = procedure_text({"", "o'c\\"});
  EXPECT_NE(text.find("ROUTINE_NAME = _utf8mb4 X'6F27635C'"), std::string::npos) << text;
  EXPECT_NE(text.find("ROUTINE_SCHEMA = DATABASE()"), std::string::npos) << text;
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

}  // namespace
}  // namespace understudy::sql
