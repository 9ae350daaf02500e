#include "driver/sql/batch.h"

#include <gtest/gtest.h>

#include <string>

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
  for (const char* text : {"INSERT INTO t VALUES (?); COMMIT", "SELECT 'a; COMMIT",
                           "{call f()}; COMMIT", "INSERT INTO t VALUES ($1); COMMIT"}) {
    EXPECT_TRUE(split_batch(text, Dialect::postgresql).empty()) << text;
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

}  // namespace
}  // namespace understudy::sql
