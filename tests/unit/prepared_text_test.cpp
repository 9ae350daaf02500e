#include "driver/sql/prepared_text.h"

#include <gtest/gtest.h>

namespace understudy::sql {
namespace {

/// s.item(id serial key, v int, note text)
const Catalog& catalog() {
  static const Catalog made = [] {
    Catalog c;
    c.dialect = Dialect::postgresql;
    c.search_path = {"s"};
    Table t;
    t.schema = "s";
    t.name = "item";
    for (const char* name : {"id", "v", "note"}) {
      Column column;
      column.name = name;
      column.type = column.name == "note" ? "text" : "integer";
      t.columns.push_back(column);
    }
    t.columns[0].default_kind = DefaultKind::computed;
    t.key = {0};
    c.tables = {t};
    return c;
  }();
  return made;
}

Analysis look(std::string_view statement) {
  return analyze_prepared(statement, catalog(), {});
}

TEST(PreparedText, ReadsNameAndNumberOfArgumentsOfAnExecute) {
  const auto none = execute_text("EXECUTE Ins");
  ASSERT_TRUE(none);
  EXPECT_EQ(none->name, "ins");
  EXPECT_EQ(none->arguments, 0u);
  const std::string text = "execute \"Ins\" (1, f(2, 3), ARRAY[4, 5], ?);";
  const auto some = execute_text(text);
  ASSERT_TRUE(some);
  EXPECT_EQ(some->name, "Ins");
  EXPECT_EQ(some->arguments, 4u);
  EXPECT_EQ(text.substr(some->arguments_at), " (1, f(2, 3), ARRAY[4, 5], ?);");
}

TEST(PreparedText, TakesNothingElseForAnExecute) {
  for (const char* text : {"EXECUTE", "EXECUTE a b", "EXECUTE a (1", "EXECUTE a (1); EXECUTE b",
                           "EXECUTE a (1) b", "EXPLAIN EXECUTE a", "EXECUTE 'a'", ""}) {
    EXPECT_FALSE(execute_text(text)) << text;
  }
}

TEST(PreparedText, ReadsWhatADeallocateForgets) {
  EXPECT_EQ(deallocate_text("DEALLOCATE P;")->name, "p");
  EXPECT_EQ(deallocate_text("DEALLOCATE PREPARE \"P\"")->name, "P");
  EXPECT_EQ(deallocate_text("DEALLOCATE \"all\"")->name, "all");
  for (const char* text : {"DEALLOCATE ALL", "DEALLOCATE PREPARE ALL", "DISCARD ALL"}) {
    ASSERT_TRUE(deallocate_text(text)) << text;
    EXPECT_FALSE(deallocate_text(text)->name) << text;
  }
  for (const char* text : {"DISCARD PLANS", "DEALLOCATE", "DEALLOCATE a; DEALLOCATE b"}) {
    EXPECT_FALSE(deallocate_text(text)) << text;
  }
}

TEST(PreparedText, FindsTheStatementOfAPrepare) {
  EXPECT_EQ(prepared_statement("PREPARE p AS SELECT 1;", "p"), "SELECT 1");
  EXPECT_EQ(prepared_statement("SAVEPOINT x;PREPARE \"P\" (int, numeric(3, 1)) AS /* a */ DELETE "
                               "FROM item WHERE v = $1 -- b",
                               "P"),
            "DELETE FROM item WHERE v = $1");
  EXPECT_EQ(prepared_statement("PREPARE a AS SELECT 1; PREPARE b AS SELECT 2", "b"), "SELECT 2");
}

TEST(PreparedText, FindsNoStatementThatCouldBeAnother) {
  for (const char* text : {"PREPARE q AS SELECT 1", "PREPARE p (int AS SELECT 1", "PREPARE p AS",
                           "PREPARE p AS SELECT 1; DEALLOCATE p; PREPARE p AS SELECT 2", "PREPARE",
                           "SELECT 'PREPARE p AS SELECT 1'"}) {
    EXPECT_FALSE(prepared_statement(text, "p")) << text;
  }
}

TEST(PreparedText, JudgesAnInsertByItsEffectsAndKeepsItsParameters) {
  const Analysis a = look("INSERT INTO item (v, note) VALUES ($1, $2)");
  EXPECT_EQ(a.verdict, Verdict::effects) << a.reason;
  EXPECT_EQ(a.rewritten,
            "INSERT INTO item (v, note) VALUES ($1, $2) RETURNING \"item\".\"id\"::text, "
            "\"item\".\"v\"::text, \"item\".\"note\"::text");
  EXPECT_NE(a.rewritten_with_txid.find("pg_current_xact_id()"), std::string::npos);
}

TEST(PreparedText, NeverTakesAPreparedStatementForKeyed) {
  for (const char* text : {"DELETE FROM item WHERE id = 5", "DELETE FROM item WHERE id = $1",
                           "UPDATE item SET v = $2 WHERE id = $1"}) {
    const Analysis a = look(text);
    EXPECT_EQ(a.verdict, Verdict::effects) << text << ": " << a.reason;
    EXPECT_TRUE(a.key.empty()) << text;
    EXPECT_TRUE(a.txid_only.empty()) << text;
  }
}

TEST(PreparedText, KnowsAQueryFromAWrite) {
  EXPECT_EQ(look("SELECT v FROM item WHERE id = $1").classification.cls, StatementClass::read);
  EXPECT_EQ(look("SELECT v FROM item FOR UPDATE").classification.cls, StatementClass::locking_read);
  EXPECT_TRUE(look("INSERT INTO item (v) VALUES ($1) RETURNING id").own_returning);
}

TEST(PreparedText, LeavesOpaqueWhatItCannotKnow) {
  for (const char* text :
       {"INSERT INTO nowhere VALUES ($1)", "SELECT my_function($1)",
        "INSERT INTO item (v) VALUES ($1", "UPDATE item SET id = $1",
        "UPDATE item SET id = $1 WHERE id = $2", "DELETE FROM item WHERE note::jsonb ? 'a'"}) {
    const Analysis a = look(text);
    EXPECT_EQ(a.verdict, Verdict::opaque) << text;
    EXPECT_TRUE(modifies(a.classification.cls)) << text;
    EXPECT_TRUE(a.rewritten.empty()) << text;
  }
}

TEST(PreparedText, SeesWhatChangesPreparedStatements) {
  EXPECT_TRUE(changes_prepared("SELECT 1; deallocate p"));
  EXPECT_TRUE(changes_prepared("DISCARD ALL"));
  EXPECT_FALSE(changes_prepared("SET TIME ZONE 'UTC'"));
}

}  // namespace
}  // namespace understudy::sql
