// Texts of MariaDB that ask about the statement before them.
#include "driver/sql/previous.h"

#include <gtest/gtest.h>

namespace understudy::sql {
namespace {

const std::string kRows = "COALESCE(CAST(LEFT(@understudy_row_count, 20) AS SIGNED), ROW_COUNT())";
const std::string kFound =
    "COALESCE(CAST(LEFT(@understudy_found_rows, 20) AS SIGNED), FOUND_ROWS())";

TEST(AsksPrevious, ColumnsKeepTheirNames) {
  EXPECT_EQ(asks_previous("SELECT ROW_COUNT()").text, "SELECT " + kRows + " AS `ROW_COUNT()`");
  EXPECT_EQ(asks_previous("SELECT DISTINCT 1, row_count( ) + 1, v FROM t").text,
            "SELECT DISTINCT 1, " + kRows + " + 1 AS `row_count( ) + 1`, v FROM t");
  EXPECT_EQ(asks_previous("SELECT Found_Rows() AS n, ROW_COUNT() m, IF(ROW_COUNT(), 1, 2);").text,
            "SELECT " + kFound + " AS n, " + kRows + " m, IF(" + kRows +
                ", 1, 2) AS `IF(ROW_COUNT(), 1, 2)`;");
}

TEST(AsksPrevious, WhatIsNoColumnGetsNoName) {
  EXPECT_EQ(asks_previous("INSERT INTO t VALUES (ROW_COUNT(), 2)").text,
            "INSERT INTO t VALUES (" + kRows + ", 2)");
  EXPECT_EQ(asks_previous("SET @n = FOUND_ROWS()").text, "SET @n = " + kFound);
  EXPECT_EQ(asks_previous("SELECT v FROM t WHERE v = ROW_COUNT()").text,
            "SELECT v FROM t WHERE v = " + kRows);
}

TEST(AsksPrevious, LeavesAloneWhatOnlyLooksLikeIt) {
  for (const char* text :
       {"SELECT 'ROW_COUNT()'", "SELECT 1 -- ROW_COUNT()", "SELECT row_count FROM t",
        "SELECT d.row_count()", "SELECT ROW_COUNT(1)", "SELECT `ROW_COUNT`()", "SELECT 1", "",
        "SELECT 'ROW_COUNT()", "SELECT FOUND_ROWS() FROM (SELECT 1) AS one"}) {
    EXPECT_EQ(asks_previous(text).text, "") << text;
  }
}

TEST(AsksPrevious, KnowsWhoReadsWarnings) {
  for (const char* text : {"SHOW WARNINGS", "show count(*) errors", "SELECT @@warning_count",
                           "SELECT @@session.error_count + 1", "GET DIAGNOSTICS @n = NUMBER"}) {
    EXPECT_TRUE(asks_previous(text).warnings) << text;
  }
  EXPECT_FALSE(asks_previous("SELECT warnings FROM t").warnings);
}

TEST(AsksPrevious, KnowsTheVariablesOfGetDiagnostics) {
  const AsksPrevious asks =
      asks_previous("GET CURRENT DIAGNOSTICS @n = NUMBER, @`r` = ROW_COUNT, @s = ROW_COUNT");
  EXPECT_TRUE(asks.diagnostics);
  EXPECT_EQ(asks.row_count_into, (std::vector<std::string>{"@`r` ", "@s "}));
}

TEST(SetsFoundRows, QueriesAndWhatContainsThem) {
  for (const char* text : {"SELECT 1", "EXPLAIN DELETE FROM t", "SHOW TABLES", "CALL p()",
                           "UPDATE t SET v = 1 WHERE v IN (SELECT 1)"}) {
    EXPECT_TRUE(sets_found_rows(text)) << text;
  }
  for (const char* text : {"UPDATE t SET v = 1", "SHOW WARNINGS", "COMMIT", ""}) {
    EXPECT_FALSE(sets_found_rows(text)) << text;
  }
}

}  // namespace
}  // namespace understudy::sql
