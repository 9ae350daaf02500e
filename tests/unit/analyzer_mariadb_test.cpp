#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "driver/sql/analyzer.h"

namespace understudy::sql {
namespace {

Column column(std::string name, std::string type) {
  Column out;
  out.name = std::move(name);
  out.type = std::move(type);
  return out;
}

Table table(std::string name, std::vector<Column> columns, std::vector<std::uint32_t> key) {
  Table t;
  t.name = std::move(name);
  t.columns = std::move(columns);
  t.key = std::move(key);
  return t;
}

Catalog catalog() {
  Catalog c;
  c.dialect = Dialect::mariadb;
  c.search_path = {"shop"};
  const Table account = table("account",
                              {column("id", "int(11)"), column("owner", "varchar(20)"),
                               column("balance", "decimal(10,2)"), column("rate", "float")},
                              {0});
  Table line =
      table("line", {column("no", "bigint(20) unsigned"), column("amount", "int(11)")}, {0});
  line.columns[0].identity = true;
  Table stamped =
      table("stamped",
            {column("id", "int(11)"), column("v", "int(11)"),
             column("changed", "datetime on update current_timestamp"), column("at", "timestamp")},
            {0});
  stamped.columns[2].default_kind = DefaultKind::computed;
  const Table moment = table("moment", {column("id", "int(11)"), column("at", "timestamp")}, {0});
  const Table named = table("named", {column("name", "varchar(9)"), column("v", "int(11)")}, {0});
  Table triggered = table("triggered", {column("id", "int(11)"), column("v", "int(11)")}, {0});
  triggered.triggers = {"g"};
  Table tagged = table(
      "tagged", {column("id", "int(11)"), column("u", "int(11)"), column("v", "int(11)")}, {0});
  tagged.columns[0].identity = true;
  tagged.unique_keys = {{1}};
  const Table by_rate = table("by_rate", {column("r", "double"), column("v", "int(11)")}, {0});
  const Table keyless = table("keyless", {column("a", "int(11)")}, {});
  c.tables = {account, line, stamped, moment, named, triggered, keyless, tagged, by_rate};
  return c;
}

Analysis analyzed(std::string_view text, const SearchPath& path = {}) {
  static const Catalog c = catalog();
  return analyze(text, c, path);
}

void expect_keyed(std::string_view text) {
  EXPECT_EQ(analyzed(text).verdict, Verdict::keyed) << text << ": " << analyzed(text).reason;
}

void expect_effects(std::string_view text) {
  const auto found = analyzed(text);
  EXPECT_EQ(found.verdict, Verdict::effects) << text << ": " << found.reason;
  EXPECT_NE(found.rewritten.find(" RETURNING "), std::string::npos) << text;
}

void expect_opaque(std::string_view text, std::string_view reason) {
  const auto found = analyzed(text);
  EXPECT_EQ(found.verdict, Verdict::opaque) << text;
  EXPECT_EQ(found.reason, reason) << text;
  EXPECT_TRUE(found.rewritten.empty()) << text;
}

TEST(AnalyzerMariadb, PinsTheKeyOfOneWholeRow) {
  expect_keyed("INSERT INTO account VALUES (?, ?, ?, ?)");
  expect_keyed("insert account (id, owner) value (7, 'it''s')");
  expect_keyed("INSERT INTO line (no, amount) VALUES (7, 1)");
}

TEST(AnalyzerMariadb, TakesTheRowsOfInsertsThatTheServerFillsIn) {
  expect_effects("INSERT INTO line (amount) VALUES (1)");
  expect_effects("INSERT INTO line VALUES (?, ?)");
  expect_effects("INSERT INTO line (no, amount) VALUES (0, 1)");
  expect_effects("INSERT INTO account VALUES (1, 'a', 2, 3), (2, 'b', 4, 5)");
  expect_effects("INSERT INTO account (id, owner) VALUES (1, UUID())");
  expect_effects("INSERT INTO account SET id = 1, owner = 'a'");
  expect_effects("INSERT IGNORE INTO account VALUES (1, 'a', 2, 3)");
  expect_effects("INSERT INTO account SELECT no, 'x', amount, 0 FROM line WHERE amount > 3");
  expect_effects("INSERT INTO named VALUES ('a', 1)");
  expect_effects("INSERT INTO account (id, owner) VALUES (1, \"a\")");
  expect_effects("INSERT INTO moment VALUES (1, '2020-01-01')");
  expect_effects("INSERT INTO stamped (id) VALUES (1)");
  expect_effects("INSERT INTO line () VALUES ()");
  expect_effects("INSERT INTO triggered VALUES (1, 2)");
}

TEST(AnalyzerMariadb, ReturnsEveryColumnInExactText) {
  EXPECT_EQ(analyzed("INSERT INTO account VALUES (1, UUID(), 2, 3); -- end").rewritten,
            "INSERT INTO account VALUES (1, UUID(), 2, 3) RETURNING CAST(`id` AS CHAR),"
            " CAST(CONVERT(`owner` USING utf8mb4) AS BINARY), CAST(`balance` AS CHAR),"
            " CAST(CAST(`rate` AS DOUBLE) AS CHAR); -- end");
  EXPECT_EQ(analyzed("DELETE FROM line WHERE amount > ?").rewritten,
            "DELETE FROM line WHERE amount > ? RETURNING CAST(`no` AS CHAR)");
}

TEST(AnalyzerMariadb, PinsUpdatesThatMakeTheSameOfTheSameRow) {
  expect_keyed("UPDATE account SET balance = balance + ?, owner = CONCAT(owner, ?) WHERE id = ?");
  expect_keyed("UPDATE account AS a SET a.balance = 3 WHERE a.id = 7 AND a.owner = 'b'");
  expect_keyed("UPDATE account a SET balance = 3 WHERE (id = 7)");
  expect_keyed("UPDATE stamped SET v = 1, changed = '2020-01-01' WHERE id = 1");
}

void expect_asks(std::string_view text, const std::vector<std::string>& queries) {
  const auto found = analyzed(text);
  EXPECT_EQ(found.verdict, Verdict::effects) << text << ": " << found.reason;
  EXPECT_TRUE(found.rewritten.empty()) << text;
  std::vector<std::string> asked;
  for (const auto* list : {&found.before, &found.after}) {
    for (const RowsQuery& one : *list) asked.push_back(one.text);
  }
  EXPECT_EQ(asked, queries) << text;
}

TEST(AnalyzerMariadb, AsksForTheRowsOfAnUpdateBeforeItRuns) {
  expect_asks("UPDATE line SET amount = RAND() WHERE amount > ? ORDER BY no LIMIT 3",
              {"SELECT CAST(`line`.`no` AS CHAR), CAST(`line`.`amount` AS CHAR) FROM line WHERE"
               " amount > ? ORDER BY no LIMIT 3 FOR UPDATE"});
  expect_asks("UPDATE IGNORE shop.line AS l SET l.amount = 0",
              {"SELECT CAST(`l`.`no` AS CHAR), CAST(`l`.`amount` AS CHAR) FROM shop.line AS l "
               " FOR UPDATE"});
  for (const char* text :
       {"UPDATE account SET balance = 0 WHERE owner = 'b'", "UPDATE account SET balance = 0",
        "UPDATE account SET balance = RAND() WHERE id = 1",
        "UPDATE account SET owner = owner || 'x' WHERE id = 1",
        "UPDATE account SET balance = 1 WHERE id = 1 OR id = 2",
        "UPDATE stamped SET v = 1 WHERE id = 1", "UPDATE moment SET at = ? WHERE id = 1",
        "UPDATE stamped SET changed = at WHERE id = 1", "UPDATE named SET v = 1 WHERE name = ?",
        "UPDATE account SET owner = \"balance\" WHERE id = 1",
        "UPDATE triggered SET v = 1 WHERE id = 1"}) {
    EXPECT_EQ(analyzed(text).verdict, Verdict::effects) << text << ": " << analyzed(text).reason;
    EXPECT_EQ(analyzed(text).before.size(), 1u) << text;
  }
}

TEST(AnalyzerMariadb, NamesTheParametersOfItsQuestions) {
  const Analysis found = analyzed(
      "UPDATE account SET balance = ?, owner = ? WHERE rate > ? AND owner = {fn UCASE(?)}");
  ASSERT_EQ(found.before.size(), 1u);
  EXPECT_EQ(found.before[0].parameters, (std::vector<std::uint32_t>{2, 3}));
  EXPECT_TRUE(found.before[0].text.ends_with("WHERE rate > ? AND owner = {fn UCASE(?)} FOR UPDATE"))
      << found.before[0].text;
}

TEST(AnalyzerMariadb, KnowsThatASubqueryMayFindOtherRows) {
  EXPECT_TRUE(
      analyzed("UPDATE line SET amount = 1 WHERE no IN (SELECT id FROM account)").before_may_miss);
  EXPECT_FALSE(analyzed("UPDATE line SET amount = 1 WHERE no > 1").before_may_miss);
}

TEST(AnalyzerMariadb, AsksForTheRowsOfEachTableThatAStatementChanges) {
  expect_asks(
      "UPDATE line l JOIN account a ON no = id SET l.amount = a.balance, owner = 'x'"
      " WHERE a.rate > 1",
      {"SELECT CAST(`l`.`no` AS CHAR), CAST(`l`.`amount` AS CHAR) FROM line l JOIN account"
       " a ON no = id WHERE a.rate > 1 FOR UPDATE",
       "SELECT CAST(`a`.`id` AS CHAR), CAST(CONVERT(`a`.`owner` USING utf8mb4) AS BINARY),"
       " CAST(`a`.`balance` AS CHAR), CAST(CAST(`a`.`rate` AS DOUBLE) AS CHAR) FROM line l"
       " JOIN account a ON no = id WHERE a.rate > 1 FOR UPDATE"});
  const std::string keys =
      "SELECT CAST(`l`.`no` AS CHAR) FROM line AS l LEFT JOIN account USING (id) WHERE rate > 2"
      " FOR UPDATE";
  expect_asks("DELETE l.* FROM line AS l LEFT JOIN account USING (id) WHERE rate > 2", {keys});
  expect_asks("DELETE FROM l USING line AS l LEFT JOIN account USING (id) WHERE rate > 2", {keys});
  EXPECT_EQ(analyzed("DELETE account, line FROM account, line WHERE id = no").before.size(), 2u);
}

TEST(AnalyzerMariadb, AsksForTheRowsOfAnUpsertAfterItRan) {
  expect_asks(
      "INSERT INTO account (id, owner) VALUES (?, UUID()), (2, 'b')"
      " ON DUPLICATE KEY UPDATE balance = balance + VALUES(balance)",
      {"SELECT CAST(`account`.`id` AS CHAR),"
       " CAST(CONVERT(`account`.`owner` USING utf8mb4) AS BINARY),"
       " CAST(`account`.`balance` AS CHAR), CAST(CAST(`account`.`rate` AS DOUBLE) AS CHAR)"
       " FROM `account` WHERE `id` = ? FOR UPDATE",
       "SELECT CAST(`account`.`id` AS CHAR),"
       " CAST(CONVERT(`account`.`owner` USING utf8mb4) AS BINARY),"
       " CAST(`account`.`balance` AS CHAR), CAST(CAST(`account`.`rate` AS DOUBLE) AS CHAR)"
       " FROM `account` WHERE `id` = 2 FOR UPDATE"});
  expect_asks("INSERT INTO line (amount) VALUES (?) ON DUPLICATE KEY UPDATE amount = 1",
              {"SELECT CAST(`line`.`no` AS CHAR), CAST(`line`.`amount` AS CHAR) FROM `line`"
               " WHERE `no` = LAST_INSERT_ID() FOR UPDATE"});
  const std::string tagged =
      "SELECT CAST(`tagged`.`id` AS CHAR), CAST(`tagged`.`u` AS CHAR), CAST(`tagged`.`v` AS CHAR)"
      " FROM `tagged`";
  expect_asks("INSERT INTO tagged (u, v) VALUES (5, ?) ON DUPLICATE KEY UPDATE v = VALUES(v)",
              {tagged + " WHERE `u` = 5 FOR UPDATE"});
  expect_asks("INSERT INTO tagged (u, v) VALUES (NULL, ?) ON DUPLICATE KEY UPDATE v = 1",
              {tagged + " WHERE `id` = LAST_INSERT_ID() FOR UPDATE"});
  expect_asks("REPLACE INTO named (name, v) VALUES (?, UUID())",
              {"SELECT CAST(CONVERT(`named`.`name` USING utf8mb4) AS BINARY), CAST(`named`.`v` AS"
               " CHAR) FROM `named` WHERE `name` = CAST(? AS CHAR) FOR UPDATE"});
  expect_asks("REPLACE INTO line (no, amount) VALUES (?, 5)",
              {"SELECT CAST(`line`.`no` AS CHAR), CAST(`line`.`amount` AS CHAR) FROM `line`"
               " WHERE `no` = ? FOR UPDATE"});
}

TEST(AnalyzerMariadb, KnowsThatAReplaceMayRemoveOtherRows) {
  const Analysis found = analyzed("REPLACE INTO tagged (u) VALUES (1)");
  EXPECT_EQ(found.verb, Verb::replace);
  ASSERT_EQ(found.after.size(), 1u);
  EXPECT_TRUE(found.after[0].text.ends_with("WHERE `id` = LAST_INSERT_ID() FOR UPDATE"));
}

TEST(AnalyzerMariadb, KnowsThatAReplaceThatCollidesWithNothingIsAnInsert) {
  expect_effects("REPLACE INTO tagged (v) VALUES (1), (2)");
  expect_effects("REPLACE INTO keyless VALUES (1)");
}

TEST(AnalyzerMariadb, PinsUpsertsThatMakeTheSameOfTheSameRow) {
  expect_keyed("REPLACE INTO account VALUES (1, 'a', 2, 3)");
  expect_keyed("INSERT INTO account (id) VALUES (?) ON DUPLICATE KEY UPDATE balance = balance + 1");
}

TEST(AnalyzerMariadb, PinsUpdatesThatGiveAKnownRowAKnownKey) {
  expect_keyed("UPDATE account SET id = ? WHERE id = ?");
  expect_keyed("UPDATE account SET id = 2, owner = 'b' WHERE id = 1");
}

TEST(AnalyzerMariadb, NamesWhyAStatementIsOpaque) {
  expect_opaque("UPDATE account, line SET nothing = 0", "several-tables");
  expect_opaque("UPDATE account, other SET no = 0", "several-tables");
  expect_opaque("UPDATE account a, account b SET owner = 'x'", "several-tables");
  expect_opaque("UPDATE account JOIN line ON no = id SET no = 0", "key-assigned");
  expect_opaque("DELETE other FROM account JOIN line", "several-tables");
  expect_opaque("DELETE a, a FROM account AS a", "several-tables");
  expect_opaque("INSERT INTO triggered SELECT 1, 2 ON DUPLICATE KEY UPDATE v = 1", "upsert");
  expect_opaque("INSERT INTO keyless SELECT 1 ON DUPLICATE KEY UPDATE a = 1", "upsert");
  expect_opaque("INSERT DELAYED INTO account VALUES (1, 'a', 2, 3)", "delayed");
  expect_opaque("INSERT INTO account VALUES (1, mine(), 2, 3)", "unknown-function");
  expect_opaque("INSERT INTO account VALUES (1, shop.mine(), 2, 3)", "unknown-function");
  expect_opaque("UPDATE account SET balance = 1 WHERE id = 1 RETURNING id", "not-understood");
  expect_opaque("DELETE FROM account WHERE CURRENT OF c", "current-of");
  expect_opaque("UPDATE account SET balance = 1 WHERE CURRENT OF c", "current-of");
  expect_opaque("INSERT INTO other.account VALUES (1, 'a', 2, 3)", "unknown-table");
  expect_opaque("UPDATE triggered SET id = id + 1", "key-assigned");
  expect_opaque("UPDATE stamped SET id = id + 1", "key-assigned");
  expect_opaque("UPDATE IGNORE account SET id = id + 1", "key-assigned");
  expect_opaque("INSERT INTO account /*! (id) */ VALUES (1, 'a', 2, 3)", "not-understood");
}

TEST(AnalyzerMariadb, KeepsTheRowsOfAReturningThatIsTheApplicationsInAVariable) {
  for (const char* text :
       {"INSERT INTO account (id) VALUES (1) RETURNING id", "DELETE FROM account RETURNING *",
        "DELETE FROM account WHERE id = 1 RETURNING id"}) {
    const Analysis found = analyzed(text);
    EXPECT_EQ(found.verdict, Verdict::effects) << text;
    EXPECT_TRUE(found.own_returning) << text;
    EXPECT_TRUE(found.rewritten.starts_with(std::string(text) + ", LENGTH(@understudy_rows := "))
        << found.rewritten;
  }
}

TEST(AnalyzerMariadb, FindsTheRowsOfAnInsertWithAReturningOfTheApplicationsByTheirKeys) {
  struct Case {
    const char* text;
    std::size_t queries;  // 0: they are kept in the variable
  };
  for (const auto& [text, queries] : std::initializer_list<Case>{
           {"INSERT INTO account (id, owner) VALUES (1, 'a'), (?, 'b') RETURNING id, owner", 2},
           {"INSERT INTO account VALUES (1 + 1, 'a', 2, 3) RETURNING id", 0},
           {"INSERT INTO account SELECT * FROM account RETURNING id", 0},
           {"INSERT IGNORE INTO account (id) VALUES (1) RETURNING id", 0},
           {"INSERT INTO line (amount) VALUES (7) RETURNING amount", 1},
           {"INSERT INTO line (amount) VALUES (7), (8) RETURNING amount", 0},
           {"INSERT INTO line (no, amount) VALUES (5, 7), (6, 8) RETURNING amount", 2},
           // NULL and 0 make a key.
           {"INSERT INTO line (no, amount) VALUES (?, 7) RETURNING amount", 0},
           {"INSERT INTO line (no, amount) VALUES (00, 7) RETURNING amount", 0},
           {"INSERT INTO line (no, amount) VALUES (NULL, 7) RETURNING amount", 0},
           {"INSERT INTO triggered (id) VALUES (1) RETURNING id", 0}}) {
    const Analysis found = analyzed(text);
    EXPECT_EQ(found.verdict, Verdict::effects) << text;
    EXPECT_EQ(found.after.size(), queries) << text;
    EXPECT_FALSE(found.rewritten.empty()) << text;
  }
}

TEST(AnalyzerMariadb, TakesTheKeysOfDeletesWithALimit) {
  expect_effects("DELETE FROM account WHERE owner = 'a' ORDER BY balance LIMIT 3");
  expect_effects("DELETE FROM account");
  expect_keyed("DELETE FROM account WHERE id = ?");
  expect_effects("DELETE FROM named WHERE name = 'a'");
}

TEST(AnalyzerMariadb, TrustsNoTextOfASessionThatChangedItsDatabase) {
  const SearchPath unknown{SearchPath::Kind::unknown, {}};
  EXPECT_EQ(analyzed("DELETE FROM account WHERE id = 1", unknown).verdict, Verdict::opaque);
}

TEST(AnalyzerMariadb, AVerbAloneIsNotUnderstood) {
  for (const char* verb : {"DELETE", "UPDATE", "INSERT", "REPLACE", "DELETE LOW_PRIORITY QUICK",
                           "UPDATE account a, line b SET"}) {
    EXPECT_EQ(analyzed(verb).reason, "not-understood") << verb;
  }
}

void expect_kept(std::string_view text, Verb verb) {
  const Analysis found = analyzed(text);
  EXPECT_EQ(found.verdict, Verdict::effects) << text << ": " << found.reason;
  EXPECT_EQ(static_cast<int>(found.verb), static_cast<int>(verb)) << text;
  EXPECT_NE(found.keeping.find("@understudy_rows := "), std::string::npos) << found.keeping;
}

TEST(AnalyzerMariadb, LetsAnUpdateKeepWhatNoQueryBesideItWouldFind) {
  for (const char* text :
       {"UPDATE account SET id = id + 1 WHERE id = 1", "UPDATE account SET id = 2",
        "UPDATE account SET id = FLOOR(RAND() * 9) ORDER BY id DESC LIMIT 3",
        "UPDATE stamped SET changed = NOW(), id = id + 1", "UPDATE keyless SET a = RAND()",
        "UPDATE keyless SET a = (@n := @n + 1)"}) {
    expect_kept(text, Verb::move);
  }
  expect_kept("UPDATE account SET owner = 'x' WHERE rate = (SELECT MAX(v) FROM named)",
              Verb::update);
  expect_kept("UPDATE by_rate SET v = 1", Verb::update);
}

TEST(AnalyzerMariadb, AnUpsertReturnsItsRowsWhereSeveralMayCollide) {
  for (const char* text :
       {"INSERT INTO tagged (u) SELECT 1 ON DUPLICATE KEY UPDATE v = 1",
        "INSERT INTO tagged (u) VALUES (1 + 1) ON DUPLICATE KEY UPDATE v = 1",
        "INSERT INTO tagged (u) VALUES (1) ON DUPLICATE KEY UPDATE u = 1",
        "INSERT INTO tagged (id, u) VALUES (1, 1) ON DUPLICATE KEY UPDATE v = RAND()",
        "INSERT INTO tagged (v) VALUES (1), (2) ON DUPLICATE KEY UPDATE v = 1"}) {
    expect_kept(text, Verb::put);
    EXPECT_NE(analyzed(text).keeping.find(" RETURNING CAST(`id` AS CHAR), "), std::string::npos);
  }
}

TEST(AnalyzerMariadb, WhatIsKeptStandsAroundTheAssignments) {
  const Analysis found = analyzed("UPDATE LOW_PRIORITY account AS a SET id = ? WHERE id > ?; -- x");
  const std::string& text = found.keeping;
  EXPECT_TRUE(text.starts_with(
      "UPDATE LOW_PRIORITY account AS a SET `a`.`id` = IF(CONCAT(@understudy_was := CONCAT("))
      << text;
  EXPECT_NE(text.find(" IS NULL, `a`.`id`, `a`.`id`), id = ?, `a`.`id` = IF(("), text.npos) << text;
  EXPECT_TRUE(text.ends_with(" IS NULL, `a`.`id`, `a`.`id`) WHERE id > ?; -- x")) << text;
  EXPECT_TRUE(found.before.empty());
}

TEST(AnalyzerMariadb, AVariableIsAssignedOnceOnly) {
  const char* text = "UPDATE account SET balance = 0 WHERE (@n := @n + 1) < 3";
  expect_kept(text, Verb::move);
  EXPECT_TRUE(analyzed(text).before.empty());
  expect_opaque("UPDATE triggered SET v = 0 WHERE (@n := @n + 1) < 3", "user-variable");
}

TEST(AnalyzerMariadb, NamesWithoutADatabaseMeanTheOneInUse) {
  const SearchPath ours{SearchPath::Kind::given, {"shop"}};
  const SearchPath other{SearchPath::Kind::given, {"other"}};
  EXPECT_EQ(analyzed("DELETE FROM account WHERE id = 1", ours).verdict, Verdict::keyed);
  EXPECT_EQ(analyzed("DELETE FROM account WHERE id = 1", other).reason, "unknown-table");
  EXPECT_EQ(analyzed("UPDATE account SET rate = 1", other).reason, "unknown-table");
  EXPECT_EQ(analyzed("UPDATE shop.account SET rate = 1", other).verdict, Verdict::effects);
  // The text would name production's database on the shadow.
  EXPECT_EQ(analyzed("DELETE FROM shop.account WHERE id = 1", other).verdict, Verdict::effects);
}

TEST(AnalyzerMariadb, KeyedWritesOfATableRecordedByEffectsHaveRows) {
  Catalog c = catalog();
  for (Table& one : c.tables) one.by_effects = true;
  for (const char* text :
       {"INSERT INTO account VALUES (1, 'a', 1.5, 2)", "DELETE FROM account WHERE id = ?",
        "UPDATE account SET owner = ? WHERE id = ?", "UPDATE account SET id = 2 WHERE id = 1",
        "REPLACE INTO account VALUES (1, 'a', 1, 2)",
        "INSERT INTO account VALUES (?, ?, ?, ?) ON DUPLICATE KEY UPDATE balance = 1"}) {
    ASSERT_EQ(analyzed(text).verdict, Verdict::keyed) << text;
    const Analysis a = analyze(text, c);
    EXPECT_EQ(a.verdict, Verdict::effects) << text << ": " << a.reason;
    EXPECT_FALSE(a.rewritten.empty() && a.before.empty() && a.after.empty() && a.keeping.empty())
        << text;
    EXPECT_TRUE(a.key.empty()) << text;
  }
}

Catalog catalog_with_numbers() {
  Catalog c = catalog();
  Table numbered = table("numbered", {column("id", "int(11)"), column("v", "int(11)")}, {0});
  numbered.columns[0].default_kind = DefaultKind::computed;
  numbered.columns[0].numbered = true;
  numbered.columns[0].sequence = "`shop`.`n`";
  c.tables.push_back(numbered);
  for (Table& one : c.tables) one.numbering = !one.triggers.empty();
  return c;
}

// MariaDB 10.11 dies of a RETURNING in a table with a default that takes a number of a sequence.
TEST(AnalyzerMariadb, AddsNoReturningWhereADefaultTakesANumberOfASequence) {
  const Catalog c = catalog_with_numbers();
  for (const char* text :
       {"INSERT INTO numbered (v) SELECT 1", "INSERT INTO numbered SELECT 1, 2",
        "INSERT INTO numbered () VALUES ()", "INSERT INTO numbered VALUES ()",
        "INSERT INTO numbered VALUE ()", "INSERT INTO numbered (v) VALUES (1) RETURNING id",
        "INSERT IGNORE INTO numbered (v) VALUES (1)", "INSERT INTO numbered VALUES (v, 1)",
        "INSERT INTO numbered VALUES (NEXTVAL(n) + 1, 1)", "INSERT INTO numbered SET v = 1",
        "INSERT INTO numbered (v) VALUES (NEXTVAL(n))", "REPLACE INTO numbered (v) VALUES (1)",
        "REPLACE INTO numbered (v) SELECT 1", "INSERT INTO triggered SELECT 1, 2",
        "DELETE FROM triggered WHERE v = 1",
        "INSERT INTO numbered (v) SELECT 1 ON DUPLICATE KEY UPDATE v = 1"}) {
    const Analysis a = analyze(text, c);
    EXPECT_EQ(a.verdict, Verdict::opaque) << text;
    EXPECT_EQ(a.rewritten + a.keeping + a.remembering, "") << text;
    EXPECT_TRUE(a.after.empty()) << text;
  }
  EXPECT_NE(analyze("DELETE FROM numbered WHERE v = 1", c).rewritten, "");
}

// LASTVAL may be another session's number.
TEST(AnalyzerMariadb, RemembersTheNumbersOfASequenceThatAreKeys) {
  const Catalog c = catalog_with_numbers();
  struct Case {
    const char* text;
    const char* remembering;
    std::vector<std::string> keys;
  };
  for (const Case& one : std::initializer_list<Case>{
           {"INSERT INTO numbered (v) VALUES (1)",
            "INSERT INTO numbered (v, `id`) VALUES (1, @understudy_number_0_0 := "
            "NEXTVAL(`shop`.`n`))",
            {"@understudy_number_0_0"}},
           {"insert numbered(v)VALUES(?),( ? ) ; -- two",
            "insert numbered(v, `id`)VALUES(?, @understudy_number_0_0 := NEXTVAL(`shop`.`n`)),( ? "
            ", @understudy_number_1_0 := NEXTVAL(`shop`.`n`)) ; -- two",
            {"@understudy_number_0_0", "@understudy_number_1_0"}},
           {"INSERT INTO numbered VALUES (DEFAULT, 1), (7, 2), (default, 3)",
            "INSERT INTO numbered VALUES (@understudy_number_0_0 := NEXTVAL(`shop`.`n`), 1), (7, "
            "2), (@understudy_number_2_0 := NEXTVAL(`shop`.`n`), 3)",
            {"@understudy_number_0_0", "7", "@understudy_number_2_0"}},
           {"INSERT INTO numbered VALUES (NEXTVAL(n), NEXTVAL(m)), (NEXT VALUE FOR a.n, 2)",
            "INSERT INTO numbered VALUES (@understudy_number_0_0 := NEXTVAL(n), NEXTVAL(m)), "
            "(@understudy_number_1_0 := NEXT VALUE FOR a.n, 2)",
            {"@understudy_number_0_0", "@understudy_number_1_0"}},
           {"INSERT INTO numbered VALUES (8, 1), (9, 2)", "", {"8", "9"}}}) {
    const Analysis a = analyze(one.text, c);
    EXPECT_EQ(a.verdict, Verdict::effects) << one.text;
    EXPECT_EQ(a.remembering, one.remembering);
    EXPECT_EQ(a.rewritten, "") << one.text;
    ASSERT_EQ(a.after.size(), one.keys.size()) << one.text;
    for (std::size_t i = 0; i < one.keys.size(); ++i) {
      EXPECT_TRUE(a.after[i].text.ends_with("`id` = " + one.keys[i] + " FOR UPDATE"))
          << a.after[i].text;
    }
  }
  EXPECT_EQ(analyze("INSERT INTO numbered VALUES (8, 1)", c).verdict, Verdict::keyed);
}

}  // namespace
}  // namespace understudy::sql
