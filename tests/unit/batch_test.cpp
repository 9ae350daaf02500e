#include "driver/sql/batch.h"

#include <gtest/gtest.h>

#include <string>

#include "driver/sql/connector_batch.h"

namespace understudy::sql {
namespace {

TEST(Batch, CutsATextAtItsSemicolons) {
  const std::string text =
      "; BEGIN; INSERT INTO t VALUES (';') -- a;\n ; COMMIT AND CHAIN /* ; */;";
  const auto parts = split_batch(text, Dialect::postgresql);
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[0].text, "BEGIN");
  EXPECT_EQ(parts[0].classification.cls, StatementClass::begin);
  EXPECT_EQ(parts[1].text, "INSERT INTO t VALUES (';')");
  EXPECT_EQ(parts[1].classification.cls, StatementClass::write);
  EXPECT_EQ(parts[2].text, "COMMIT AND CHAIN");
  EXPECT_TRUE(parts[2].classification.chained);
}

TEST(Batch, CutsNothingThatItDoesNotUnderstand) {
  for (const char* text : {"SELECT 'a; COMMIT", "{call f()}; COMMIT"}) {
    EXPECT_TRUE(split_batch(text, Dialect::postgresql).empty()) << text;
  }
}

TEST(Batch, CountsTheMarkersOfEachStatement) {
  const auto parts =
      split_batch("INSERT INTO t VALUES (?, '?'); COMMIT; SELECT ?, ?", Dialect::mariadb);
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[0].parameters, 1u);
  EXPECT_EQ(parts[1].parameters, 0u);
  EXPECT_EQ(parts[2].parameters, 2u);
}

TEST(ConnectorBatch, IsSentAsItIsWithoutRowsAndMarkers) {
  for (const char* text :
       {"INSERT INTO t VALUES (1); UPDATE t SET a = 2", "BEGIN; DELETE FROM t; COMMIT",
        "INSERT INTO t VALUES (';'); -- ;\n DELETE FROM t",
        "SET @a = 1; REPLACE INTO t VALUES (@a)", "INSERT INTO t VALUES (1); DROP TABLE u"}) {
    const auto batch = connector_batch(text);
    ASSERT_TRUE(batch) << text;
    EXPECT_TRUE(batch->as_text) << text;
  }
}

TEST(ConnectorBatch, IsPreparedWhereRowsAreExpectedOrMarkersStand) {
  for (const char* text :
       {"INSERT INTO t VALUES (1); SELECT a FROM t", "INSERT INTO t VALUES (?); DELETE FROM t",
        "INSERT INTO t VALUES (1) RETURNING a; DELETE FROM t", "CALL p(1); DELETE FROM t"}) {
    const auto batch = connector_batch(text);
    ASSERT_TRUE(batch) << text;
    EXPECT_FALSE(batch->as_text) << text;
    EXPECT_EQ(batch->parts.size(), 2u) << text;
  }
}

TEST(ConnectorBatch, LeavesOutOneWordAtTheEndOfWhatItPrepares) {
  const auto three = connector_batch("INSERT INTO t VALUES (?); DELETE FROM t; ROLLBACK");
  ASSERT_TRUE(three);
  EXPECT_EQ(three->parts.size(), 2u);
  const auto two = connector_batch("INSERT INTO t VALUES (?); COMMIT");
  ASSERT_TRUE(two);
  EXPECT_EQ(two->parts.size(), 1u);
}

TEST(ConnectorBatch, IsNotToldWhereTheRealDriverMayReadItOtherwise) {
  for (const char* text :
       {"INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (1);; DELETE FROM t",
        "INSERT INTO t VALUES (?); DELETE FROM t -- all", "VALUES (1); DELETE FROM t",
        "REPLACE INTO t VALUES (1) RETURNING a; DELETE FROM t", "{call p()}; DELETE FROM t",
        "INSERT INTO t (returning_a) VALUES (1); DELETE FROM t",
        "PREPARE s FROM 'DELETE FROM t'; EXECUTE s", "HANDLER t OPEN; DELETE FROM t",
        "BEGIN NOT ATOMIC DELETE FROM t; DELETE FROM u; END",
        "SET sql_mode = 'ANSI_QUOTES'; INSERT INTO t VALUES (\"a\")",
        "INSERT INTO t VALUES ('a\n'); # b\n DELETE FROM t"}) {
    EXPECT_FALSE(connector_batch(text)) << text;
  }
}

TEST(Batch, CutsNoMoreThanTheLimit) {
  std::string text;
  for (std::size_t i = 0; i < kBatchStatementsMax; ++i) text += "COMMIT;";
  EXPECT_EQ(split_batch(text, Dialect::postgresql).size(), kBatchStatementsMax);
  EXPECT_TRUE(split_batch(text + "COMMIT", Dialect::postgresql).empty());
}

TEST(Batch, SeesWhatATransactionIsToBeLike) {
  for (const char* text : {"BEGIN", "begin work;", "START TRANSACTION"}) {
    EXPECT_FALSE(begins_with_modes(text, Dialect::postgresql)) << text;
  }
  for (const char* text : {"BEGIN READ ONLY", "START TRANSACTION ISOLATION LEVEL SERIALIZABLE"}) {
    EXPECT_TRUE(begins_with_modes(text, Dialect::postgresql)) << text;
  }
}

TEST(ConnectorText, GetsALimitBehindItWhileRowsAreLimited) {
  EXPECT_EQ(sql::with_max_rows("DELETE FROM t", 7), "DELETE FROM t LIMIT 7");
  EXPECT_EQ(sql::with_max_rows("DELETE FROM t ; \n", 7), "DELETE FROM t LIMIT 7");
  EXPECT_EQ(sql::with_max_rows("DELETE FROM t; /* x */", 7), "DELETE FROM t; /* x */ LIMIT 7");
  EXPECT_EQ(sql::with_max_rows("", 7), " LIMIT 7");
}

TEST(ConnectorText, CountsFoundRowsUnlessItRemovesOrAddsThem) {
  for (const char* text :
       {"UPDATE t SET a = 1", "/* c */ update IGNORE t SET a = 1", "CALL p()", "{call p()}",
        "INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a = 2"}) {
    EXPECT_TRUE(sql::may_count_found(text)) << text;
  }
  for (const char* text : {"DELETE FROM t", "REPLACE INTO t VALUES (1)", "INSERT INTO t VALUES (1)",
                           "INSERT INTO t VALUES ('ON DUPLICATE') -- DUPLICATE"}) {
    EXPECT_FALSE(sql::may_count_found(text)) << text;
  }
}

}  // namespace
}  // namespace understudy::sql
