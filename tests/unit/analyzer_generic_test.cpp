// Verdicts where nothing is known of the engine but what its ODBC driver tells.
#include <gtest/gtest.h>

#include "driver/sql/analyzer.h"
#include "driver/sql/rows_by_key.h"
#include "journal/generic_value.h"

namespace understudy::sql {
namespace {

Column column(const char* name, long type, bool nullable = true) {
  Column out;
  out.name = name;
  out.type = GenericType{"any", 10, 0, type}.text();
  out.nullable = nullable;
  return out;
}

class AnalyzerGeneric : public testing::Test {
 protected:
  AnalyzerGeneric() {
    catalog_.engine.for_update = true;
    catalog_.engine.savepoints = true;
    catalog_.engine.names = NameCase::upper;
    Table item;
    item.schema = "SHOP";
    item.name = "ITEM";
    item.columns = {column("ID", 4, false), column("NAME", 12), column("N", 4), column("AT", 93)};
    item.key = {0};
    Table pair;
    pair.schema = "SHOP";
    pair.name = "PAIR";
    pair.columns = {column("A", 4, false), column("B", 12, false), column("V", 8)};
    pair.key = {0, 1};
    pair.unique_keys = {{2}};
    Table bare;
    bare.name = "BARE";
    bare.columns = {column("X", 4)};
    catalog_.tables = {item, pair, bare};
  }

  Analysis of(std::string_view text) { return analyze(text, catalog_); }
  void expect_opaque(std::initializer_list<const char*> texts) {
    for (const char* text : texts) {
      const Analysis found = of(text);
      EXPECT_EQ(found.verdict, Verdict::opaque) << text;
      EXPECT_TRUE(found.before.empty() && found.after.empty()) << text;
    }
  }

  Catalog catalog_;
};

TEST_F(AnalyzerGeneric, AKeyThatIsPinnedMakesAStatementKeyed) {
  for (const char* text :
       {"INSERT INTO item VALUES (?, ?, 3, NULL)", "insert into Item (id, name) values (1, 'x')",
        "UPDATE item SET n = ?, name = 'x' WHERE id = ?", "UPDATE ITEM SET n = n + 1 WHERE id = 5",
        "UPDATE shop.item AS i SET n = i.n * 2 - ? WHERE i.id = ? AND i.name IS NOT NULL",
        "DELETE FROM item WHERE id = ?", "DELETE FROM \"ITEM\" WHERE \"ID\" = 3",
        "DELETE FROM pair WHERE b = 'x' AND a = ?", "UPDATE item SET id = 7 WHERE id = 6"}) {
    EXPECT_EQ(of(text).verdict, Verdict::keyed) << text;
  }
}

TEST_F(AnalyzerGeneric, NamesAreThoseThatTheEngineStores) {
  EXPECT_EQ(of("DELETE FROM \"item\" WHERE id = 3").reason, "unknown-table");
  catalog_.engine.names = NameCase::lower;
  EXPECT_EQ(of("DELETE FROM ITEM WHERE id = 3").reason, "unknown-table");
  catalog_.engine.names = NameCase::mixed;
  EXPECT_EQ(of("DELETE FROM iTeM WHERE id = 3").verdict, Verdict::keyed);
}

TEST_F(AnalyzerGeneric, WhatDependsOnMoreThanTheRowHasEffects) {
  for (const char* text :
       {"UPDATE item SET at = CURRENT_TIMESTAMP WHERE id = ?",
        "UPDATE item SET name = name || 'x' WHERE id = 1",
        "UPDATE item SET at = at + 1 WHERE id = 1",
        "INSERT INTO item (id, at) VALUES (?, CURRENT_TIMESTAMP)",
        "INSERT INTO item (id) VALUES (1), (2)", "INSERT INTO pair (a, v) VALUES (1, 2.5)",
        "UPDATE item SET n = 1 WHERE n > 5", "DELETE FROM item", "UPDATE item SET n = 1",
        "DELETE FROM item WHERE n IN (1, 2) OR NOT (name LIKE 'a%' AND n BETWEEN 1 AND ?)"}) {
    const Analysis found = of(text);
    EXPECT_EQ(found.verdict, Verdict::effects) << text << ' ' << found.reason;
    EXPECT_NE(found.before.empty(), found.after.empty()) << text;
  }
}

TEST_F(AnalyzerGeneric, RowsAreAskedForByTheStatementsOwnCondition) {
  const Analysis found = of("UPDATE item SET n = ? WHERE n > ? AND name <> ?");
  ASSERT_EQ(found.before.size(), 1u);
  EXPECT_EQ(
      found.before[0].text,
      "SELECT \"ID\", \"NAME\", \"N\", \"AT\" FROM item WHERE n > ? AND name <> ? FOR UPDATE");
  EXPECT_EQ(found.before[0].parameters, (std::vector<std::uint32_t>{1, 2}));
  EXPECT_TRUE(found.counts_met);
  const std::vector<ExactKey> keys = {{"1"}, {"-2"}};
  EXPECT_EQ(rows_by_key(found.before[0], keys),
            "SELECT \"ID\", \"NAME\", \"N\", \"AT\" FROM \"SHOP\".\"ITEM\" WHERE (\"ID\" = 1) OR"
            " (\"ID\" = -2)");
}

TEST_F(AnalyzerGeneric, OneRowIsAskedForAfterwards) {
  const Analysis found = of("UPDATE pair SET v = ? WHERE b = 'x''y' AND a = ?");
  ASSERT_EQ(found.after.size(), 1u);
  EXPECT_EQ(found.after[0].text,
            "SELECT \"A\", \"B\", \"V\" FROM \"SHOP\".\"PAIR\" WHERE \"A\" = ? AND \"B\" = 'x''y'");
  EXPECT_EQ(found.after[0].parameters, (std::vector<std::uint32_t>{1}));
}

TEST_F(AnalyzerGeneric, KeysWithoutALiteralAreNotAskedFor) {
  const Analysis found = of("UPDATE pair SET v = v + 1 WHERE v > 0");
  ASSERT_EQ(found.before.size(), 1u);
  EXPECT_EQ(rows_by_key(found.before[0], std::vector<ExactKey>{{"1", "it's"}}),
            found.before[0].again + "(\"A\" = 1 AND \"B\" = 'it''s')");
  EXPECT_EQ(rows_by_key(found.before[0], std::vector<ExactKey>{{"1", "back\\slash"}}),
            std::nullopt);
  EXPECT_EQ(rows_by_key(found.before[0], std::vector<ExactKey>{{"1 OR 1=1", "x"}}), std::nullopt);
}

TEST_F(AnalyzerGeneric, WithoutRowLocksAConditionIsOpaqueUnlessTheEngineIsSerial) {
  catalog_.engine.for_update = false;
  EXPECT_EQ(of("UPDATE item SET n = 1 WHERE n > 5").reason, "no-row-locks");
  EXPECT_EQ(of("UPDATE item SET n = 1 WHERE id = 5").verdict, Verdict::keyed);
  EXPECT_EQ(of("DELETE FROM item WHERE n > 5").reason, "no-row-locks");
  catalog_.engine.serializable = true;
  const Analysis found = of("DELETE FROM item WHERE n > 5");
  ASSERT_EQ(found.before.size(), 1u);
  EXPECT_EQ(found.before[0].text, "SELECT \"ID\" FROM item WHERE n > 5");
  EXPECT_EQ(found.before[0].lock, "DELETE FROM \"SHOP\".\"ITEM\" WHERE 1 = 0");
}

TEST_F(AnalyzerGeneric, WhereRowsCountWhenTheyDifferTheCountIsNotTakenForTheRowsMet) {
  catalog_.engine.name = "MySQL";
  EXPECT_FALSE(of("UPDATE item SET n = 1 WHERE n > 5").counts_met);
}

TEST_F(AnalyzerGeneric, WhatEnginesReadDifferentlyIsOpaque) {
  expect_opaque({"UPDATE item SET name = 'a\\' WHERE id = 1", "DELETE FROM item WHERE id = 1 -- x",
                 "DELETE FROM item WHERE id = 1 # x", "DELETE FROM item WHERE id = 1 /*! OR 1=1 */",
                 "DELETE FROM item /* a /* b */ WHERE id = 1 */", "DELETE FROM `ITEM` WHERE id = 1",
                 "DELETE FROM [item] WHERE id = 1", "UPDATE item SET name = $$x$$ WHERE id = 1",
                 "UPDATE item SET name = N'x' WHERE id = 1", "DELETE FROM item WHERE id = 0x10",
                 "DELETE FROM item WHERE id = :id", "DELETE FROM item WHERE id = @id",
                 "DELETE FROM item WHERE n = 1; DELETE FROM item WHERE n = 2"});
  EXPECT_EQ(of("DELETE FROM item /* plain */ WHERE id = 1").verdict, Verdict::keyed);
  EXPECT_EQ(of("DELETE FROM item WHERE id = 1;").verdict, Verdict::keyed);
}

TEST_F(AnalyzerGeneric, WhatIsMoreThanOneTableOrNotStandardIsOpaque) {
  expect_opaque({"INSERT INTO item SELECT * FROM pair",
                 "INSERT INTO item DEFAULT VALUES",
                 "INSERT INTO item VALUES (1, 'a', 1, NULL) ON CONFLICT DO NOTHING",
                 "INSERT INTO item VALUES (1, 'a', 1, NULL) RETURNING id",
                 "INSERT INTO item (name) VALUES ('no key')",
                 "REPLACE INTO item VALUES (1, 'a', 1, 1)",
                 "UPDATE item SET n = 1 WHERE id IN (SELECT a FROM pair)",
                 "UPDATE item SET n = (SELECT max(a) FROM pair) WHERE id = 1",
                 "UPDATE item SET n = 1 FROM pair WHERE id = a",
                 "UPDATE item SET n = 1 LIMIT 1",
                 "UPDATE item SET n = 1 WHERE n > 1 ORDER BY n",
                 "DELETE FROM item WHERE ROWNUM = 1",
                 "UPDATE item SET n = mystery(n) WHERE id = 1",
                 "UPDATE item SET n = 1 WHERE f(n)",
                 "UPDATE item SET n = 1 WHERE n > now()",
                 "UPDATE item SET id = id + 1 WHERE id = 1",
                 "DELETE FROM item WHERE CURRENT OF c",
                 "DELETE item WHERE id = 1",
                 "DELETE FROM bare WHERE x = 1",
                 "DELETE FROM db.shop.item WHERE id = 1",
                 "MERGE INTO item USING pair ON id = a WHEN MATCHED THEN DELETE",
                 "UPDATE item SET at = {ts '2026-01-01 00:00:00'} WHERE id = 1"});
}

TEST_F(AnalyzerGeneric, KeysThatAParameterMayLeaveToTheServerAreNotKeyed) {
  catalog_.tables[0].columns[0].identity = true;
  EXPECT_EQ(of("INSERT INTO item (id, name) VALUES (?, 'x')").verdict, Verdict::effects);
  EXPECT_EQ(of("INSERT INTO item (id, name) VALUES (5, 'x')").verdict, Verdict::keyed);
}

TEST_F(AnalyzerGeneric, TablesRecordedByTheirRowsAreNotKeyed) {
  catalog_.tables[0].by_effects = true;
  for (const char* text : {"INSERT INTO item VALUES (1, 'x', 3, NULL)",
                           "UPDATE item SET n = 1 WHERE id = 1", "DELETE FROM item WHERE id = 1"}) {
    EXPECT_EQ(of(text).verdict, Verdict::effects) << text;
  }
  EXPECT_EQ(of("UPDATE item SET id = 7 WHERE id = 6").reason, "no-rows");
}

TEST(GenericValue, NumbersAreWrittenByTheFewestDigitsThatNameThem) {
  for (const double value : {0.1, 0.1 + 0.2, 1e300, -5e-324, 0.0}) {
    EXPECT_EQ(generic_number(generic_real(value)), value);
  }
  EXPECT_EQ(generic_real(0.1), "0.1");
  EXPECT_EQ(generic_number("0.1x"), std::nullopt);
  EXPECT_EQ(generic_bytes(std::string("\x00\xaf", 2)), "00AF");
  EXPECT_EQ(generic_kind(GenericType{"number(9)", 9, 0, 3}.text()), GenericKind::decimal);
  EXPECT_EQ(generic_kind(std::string_view("numeric")), GenericKind::unknown);
}

}  // namespace
}  // namespace understudy::sql
