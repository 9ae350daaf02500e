#include <gtest/gtest.h>
#include <pthread.h>

#include <string>
#include <thread>
#include <vector>

#include "driver/sql/analyzer.h"

namespace understudy::sql {
namespace {

Column column(std::string name, std::string type, bool arithmetic = true) {
  Column out;
  out.name = std::move(name);
  out.type = std::move(type);
  out.immutable_arithmetic = arithmetic;
  return out;
}

/// s.account(id integer key, owner text, balance numeric, changed timestamptz default now(), note)
Table account() {
  Table t;
  t.schema = "s";
  t.name = "account";
  t.columns = {column("id", "integer"), column("owner", "text"), column("balance", "numeric(12,2)"),
               column("changed", "timestamp with time zone", false), column("note", "text")};
  t.columns[3].default_kind = DefaultKind::computed;
  t.columns[4].default_kind = DefaultKind::constant;
  t.key = {0};
  return t;
}

/// s."Line"(item, "Order", total generated, amount), key ("Order", item)
Table line() {
  Table t;
  t.schema = "s";
  t.name = "Line";
  t.columns = {column("item", "integer"), column("Order", "integer"), column("total", "integer"),
               column("amount", "integer")};
  t.columns[2].generated = true;
  t.key = {1, 0};
  return t;
}

Table simple(std::string name) {
  Table t;
  t.schema = "s";
  t.name = std::move(name);
  t.columns = {column("id", "integer"), column("a", "integer")};
  t.key = {0};
  return t;
}

Catalog catalog() {
  Catalog c;
  c.dialect = Dialect::postgresql;
  c.search_path = {"s"};
  c.tables = {account(), line()};
  Table serial = simple("serial");
  serial.columns[0].identity = true;
  serial.columns[0].default_kind = DefaultKind::computed;
  Table keyless = simple("keyless");
  keyless.key.clear();
  Table view = simple("view");
  view.is_view = true;
  Table secured = simple("secured");
  secured.row_security = true;
  Table ruled = simple("ruled");
  ruled.rules = true;
  Table unreadable = simple("unreadable");
  unreadable.readable = false;
  Table triggered = simple("triggered");
  triggered.triggers = {"g"};
  for (Table* t : {&serial, &keyless, &view, &secured, &ruled, &unreadable, &triggered}) {
    c.tables.push_back(*t);
  }
  return c;
}

const Catalog& shared() {
  static const Catalog c = catalog();
  return c;
}

Analysis look(std::string_view text) {
  return analyze(text, shared());
}

void expect_opaque(std::string_view text, std::string_view reason) {
  const Analysis a = look(text);
  EXPECT_EQ(a.verdict, Verdict::opaque) << text;
  EXPECT_EQ(a.reason, reason) << text;
  EXPECT_TRUE(a.rewritten.empty()) << text;
  EXPECT_TRUE(a.rewritten_with_txid.empty()) << text;
}

void expect_effects(std::string_view text, Verb verb) {
  const Analysis a = look(text);
  EXPECT_EQ(a.verdict, Verdict::effects) << text << ": " << a.reason;
  EXPECT_EQ(static_cast<int>(a.verb), static_cast<int>(verb)) << text;
  EXPECT_FALSE(a.rewritten.empty()) << text;
  EXPECT_TRUE(a.key.empty()) << text;
}

void expect_keyed(std::string_view text) {
  const Analysis a = look(text);
  EXPECT_EQ(a.verdict, Verdict::keyed) << text << ": " << a.reason;
  EXPECT_EQ(a.key.size(), a.key_count) << text;
}

TEST(PostgresqlAnalyzer, AppendsReturningWithTheKeyFirst) {
  const Analysis a = look("INSERT INTO \"Line\" VALUES (?, ?, DEFAULT, ?)");
  EXPECT_EQ(a.rewritten,
            "INSERT INTO \"Line\" VALUES (?, ?, DEFAULT, ?) RETURNING \"Line\".\"Order\"::text, "
            "\"Line\".\"item\"::text, \"Line\".\"amount\"::text");
  EXPECT_EQ(a.columns, (std::vector<std::uint32_t>{1, 0, 3}));
  EXPECT_EQ(a.key_count, 2u);
  EXPECT_EQ(a.parameters, 3u);
  EXPECT_EQ(a.shape,
            "s\x1fLine\x1f"
            "2\x1fOrder\x1fitem\x1f"
            "amount");
}

TEST(PostgresqlAnalyzer, AppendsBeforeTrailingCommentsAndSemicolons) {
  EXPECT_EQ(look("DELETE FROM serial ; -- done ?").rewritten,
            "DELETE FROM serial RETURNING \"serial\".\"id\"::text ; -- done ?");
}

TEST(PostgresqlAnalyzer, NamesTheTargetByItsAlias) {
  EXPECT_EQ(look("DELETE FROM s.account AS x USING serial y WHERE x.id = y.id").rewritten,
            "DELETE FROM s.account AS x USING serial y WHERE x.id = y.id RETURNING "
            "\"x\".\"id\"::text");
}

TEST(PostgresqlAnalyzer, ReturnsTheTransactionBesideEffectsAndAloneWhenKeyed) {
  EXPECT_EQ(look("DELETE FROM serial").rewritten_with_txid,
            "DELETE FROM serial RETURNING \"serial\".\"id\"::text, "
            "pg_catalog.pg_current_xact_id()::text");
  EXPECT_EQ(look("DELETE FROM serial WHERE id = ?").txid_only,
            "DELETE FROM serial WHERE id = ? RETURNING pg_catalog.pg_current_xact_id()::text");
}

TEST(PostgresqlAnalyzer, AnUpdateByItsWholeKeyIsKeyed) {
  for (const char* text :
       {"UPDATE account SET owner = ? WHERE id = ?",
        "UPDATE s.account a SET owner = ? WHERE a.id = ?",
        "UPDATE account SET balance = balance + ?, owner = upper(owner) WHERE ? = id",
        "UPDATE account SET balance = -balance * 2, note = DEFAULT WHERE id = 5",
        "UPDATE account SET changed = ? WHERE id = ?::integer",
        "UPDATE account SET changed = ?::timestamptz WHERE id = -5",
        "UPDATE account SET owner = note WHERE id = ? AND balance >= ? AND owner = 'x'",
        "UPDATE account SET owner = COALESCE(?, owner) WHERE id = ? AND changed IS NULL",
        "UPDATE account SET owner = pg_catalog.lower(owner) || ? WHERE (id = ?)",
        "UPDATE account SET owner = ? WHERE id = ? AND note IN ('a', ?)",
        "UPDATE ONLY \"Line\" SET amount = ? WHERE \"Order\" = ? AND item = 3;"}) {
    expect_keyed(text);
  }
}

TEST(PostgresqlAnalyzer, AKeyedStatementTellsWhereItsKeyComesFrom) {
  const Analysis a = look("UPDATE \"Line\" SET amount = ? WHERE item = ? AND \"Order\" = -12");
  ASSERT_EQ(a.verdict, Verdict::keyed);
  ASSERT_EQ(a.key.size(), 2u);
  EXPECT_EQ(a.key[0].column, 0u);
  EXPECT_FALSE(a.key[0].parameter.has_value());
  EXPECT_EQ(a.key[0].literal, "-12");
  EXPECT_EQ(a.key[1].column, 1u);
  EXPECT_EQ(a.key[1].parameter, 1u);
}

TEST(PostgresqlAnalyzer, AnUpdateThatIsNotKeyedHasEffects) {
  for (const char* text : {"UPDATE account SET owner = ?",
                           "UPDATE account SET owner = ? WHERE id > ?",
                           "UPDATE account SET owner = ? WHERE id = ? OR id = ?",
                           "UPDATE account SET owner = ? WHERE id = 1.5",
                           "UPDATE account SET owner = ? WHERE id = 1 + 1",
                           "UPDATE account SET owner = ? WHERE id = NULL",
                           "UPDATE account SET owner = ? WHERE id IN (?)",
                           "UPDATE account SET changed = now() WHERE id = ?",
                           "UPDATE account SET changed = 'now' WHERE id = ?",
                           "UPDATE account SET changed = CURRENT_TIMESTAMP WHERE id = ?",
                           "UPDATE account SET changed = DEFAULT WHERE id = ?",
                           "UPDATE account SET changed = changed + ? WHERE id = ?",
                           "UPDATE account SET balance = random() WHERE id = ?",
                           "UPDATE account SET balance = (SELECT 1) WHERE id = ?",
                           "UPDATE account SET (owner, note) = (?, ?) WHERE id = ?",
                           "UPDATE account SET owner = ? WHERE id = ? AND owner < ?",
                           "UPDATE account SET owner = ? WHERE id = ? AND changed < now()",
                           "UPDATE account SET owner = ? WHERE id = ? AND xmin = ?",
                           "UPDATE account SET owner = ? WHERE id = ? AND EXISTS (SELECT 1)",
                           "UPDATE account SET owner = y.a FROM serial y WHERE account.id = ?",
                           "WITH y AS (SELECT 1) UPDATE account SET owner = ? WHERE id = ?",
                           "UPDATE triggered SET a = ? WHERE id = ?",
                           "UPDATE \"Line\" SET amount = ? WHERE \"Order\" = ?"}) {
    expect_effects(text, Verb::update);
  }
}

TEST(PostgresqlAnalyzer, ADeleteByItsWholeKeyIsKeyed) {
  expect_keyed("DELETE FROM account WHERE id = ?");
  expect_keyed("DELETE FROM account a WHERE a.id = 7 AND a.balance = 0");
  expect_effects("DELETE FROM account WHERE id < ?", Verb::remove);
  expect_effects("DELETE FROM account", Verb::remove);
  EXPECT_EQ(look("DELETE FROM \"Line\"").columns, (std::vector<std::uint32_t>{1, 0}));
}

TEST(PostgresqlAnalyzer, AnInsertOfOneFullyGivenRowIsKeyed) {
  for (const char* text : {"INSERT INTO account (id, owner, changed) VALUES (?, ?, ?)",
                           "INSERT INTO account VALUES (1, 'x', 2.5, ?::timestamptz, DEFAULT)",
                           "INSERT INTO account AS a (id, changed) VALUES (?, NULL)",
                           "INSERT INTO serial VALUES (?, ?)"}) {
    expect_keyed(text);
  }
}

TEST(PostgresqlAnalyzer, AnInsertOfWhatTheServerMakesHasEffects) {
  for (const char* text :
       {"INSERT INTO account (id, owner) VALUES (?, ?)", "INSERT INTO account DEFAULT VALUES",
        "INSERT INTO account (id, changed) VALUES (?, DEFAULT)",
        "INSERT INTO account (id, changed) VALUES (?, now())",
        "INSERT INTO account (id, changed) VALUES (?, 'now')",
        "INSERT INTO account (id, changed) VALUES (nextval('q'), ?)",
        "INSERT INTO account (id, changed) VALUES (?, ?), (?, ?)",
        "INSERT INTO account SELECT id, 'x' FROM serial", "INSERT INTO serial (a) VALUES (?)",
        "INSERT INTO serial OVERRIDING USER VALUE VALUES (?, ?)",
        "INSERT INTO serial VALUES (?, ?) ON CONFLICT DO NOTHING",
        "WITH x AS (SELECT 1) INSERT INTO serial SELECT * FROM x",
        "INSERT INTO triggered VALUES (?, ?)"}) {
    expect_effects(text, Verb::insert);
  }
}

TEST(PostgresqlAnalyzer, AnUpsertPuts) {
  expect_effects(
      "INSERT INTO account (id) VALUES (?) ON CONFLICT (id) DO UPDATE SET owner = excluded.owner",
      Verb::put);
}

TEST(PostgresqlAnalyzer, AnUpdateThatGivesAKnownRowAKnownKeyIsKeyed) {
  expect_keyed("UPDATE account SET id = ? WHERE id = ?");
  expect_keyed("UPDATE account SET id = 7, owner = lower(owner) WHERE id = 3");
}

TEST(PostgresqlAnalyzer, AnUpdateOfKeysJoinsTheRowsThatItHasLocked) {
  const Analysis a =
      look("UPDATE account AS a SET id = a.id + ?, owner = 'x' WHERE owner = ? -- x");
  ASSERT_EQ(a.verdict, Verdict::effects);
  EXPECT_EQ(a.verb, Verb::move);
  EXPECT_TRUE(a.rewritten.starts_with(
      "UPDATE account AS a SET id = a.id + ?, owner = 'x' FROM (SELECT \"id\"::text AS"
      " understudy_0, tableoid AS understudy_part, ctid AS understudy_place FROM"
      " \"s\".\"account\") AS understudy_old WHERE (owner = ?) AND"))
      << a.rewritten;
  ASSERT_EQ(a.before.size(), 1u);
  EXPECT_EQ(a.before[0].text,
            " SELECT \"a\".tableoid::text || ' ' || \"a\".ctid::text FROM account AS a WHERE owner"
            " = ? FOR UPDATE OF \"a\"");
  EXPECT_EQ(a.before[0].parameters, std::vector<std::uint32_t>{1});
}

TEST(PostgresqlAnalyzer, AnUpdateOfKeysByOtherTablesLocksItsOwnRowsOnly) {
  const Analysis a = look(
      "WITH w AS (SELECT ? AS v) UPDATE account SET id = serial.a + ?, owner = 'b' IS DISTINCT"
      " FROM 'a' FROM serial, w WHERE account.id = serial.id AND w.v = ?");
  ASSERT_EQ(a.verdict, Verdict::effects) << a.reason;
  ASSERT_EQ(a.before.size(), 1u);
  EXPECT_EQ(a.before[0].text,
            "WITH w AS (SELECT ? AS v) SELECT \"account\".tableoid::text || ' ' ||"
            " \"account\".ctid::text FROM account, serial, w WHERE account.id = serial.id AND w.v ="
            " ? FOR UPDATE OF \"account\"");
  EXPECT_EQ(a.before[0].parameters, (std::vector<std::uint32_t>{0, 2}));
}

TEST(PostgresqlAnalyzer, TheWholeRowIsTheKeyOfATableWithoutOne) {
  for (const auto& [text, verb] : {std::pair("INSERT INTO keyless VALUES (1)", Verb::insert),
                                   std::pair("DELETE FROM keyless WHERE a = 1", Verb::remove),
                                   std::pair("UPDATE keyless SET a = 2", Verb::move)}) {
    const Analysis a = look(text);
    EXPECT_EQ(a.verdict, Verdict::effects) << text << ": " << a.reason;
    EXPECT_EQ(a.verb, verb) << text;
    EXPECT_EQ(a.key_count, a.columns.size()) << text;
  }
}

TEST(PostgresqlAnalyzer, RefusesWhatRowsCannotTell) {
  expect_opaque("INSERT INTO nowhere VALUES (1)", "unknown-table");
  expect_opaque("INSERT INTO other.account VALUES (1)", "unknown-table");
  expect_opaque("UPDATE keyless SET a = 1 RETURNING a", "no-key");
  expect_opaque("INSERT INTO view VALUES (1)", "view");
  expect_opaque("INSERT INTO ruled VALUES (1)", "rules");
  expect_opaque("INSERT INTO secured VALUES (1)", "row-security");
  expect_opaque("INSERT INTO unreadable VALUES (1)", "unreadable");
  expect_opaque("INSERT INTO account (id, gone) VALUES (1, 2)", "unknown-column");
  expect_opaque("UPDATE account SET id = ? RETURNING id", "key-assigned");
  expect_opaque("INSERT INTO account (id) VALUES (?) ON CONFLICT (id) DO UPDATE SET id = 3",
                "key-assigned");
  expect_opaque("WITH x AS (DELETE FROM serial) SELECT * FROM x", "writing-cte-columns");
  expect_opaque("WITH x AS (DELETE FROM serial RETURNING id, id) SELECT 1", "writing-cte-columns");
  expect_opaque("WITH x AS (DELETE FROM serial RETURNING id + 1) SELECT 1", "writing-cte-columns");
  expect_opaque("WITH x AS (DELETE FROM view) SELECT 1", "view");
  expect_opaque("WITH x AS (UPDATE serial SET id = 1) DELETE FROM account", "key-assigned");
  expect_opaque("WITH understudy_x AS (DELETE FROM serial) DELETE FROM account", "writing-cte");
  expect_opaque("DELETE FROM account WHERE id IN (WITH x AS (DELETE FROM serial) SELECT 1)",
                "writing-cte");
  expect_opaque("MERGE INTO keyless a USING serial b ON a.a = b.id WHEN MATCHED THEN DELETE",
                "no-key");
  expect_opaque(
      "MERGE INTO account a USING serial b ON a.id = b.id WHEN MATCHED THEN UPDATE SET id"
      " = 1",
      "key-assigned");
  expect_opaque(
      "MERGE INTO account a USING serial b ON a.id = b.id WHEN NOT MATCHED THEN INSERT"
      " (owner) VALUES ('x')",
      "merge-key");
  expect_opaque(
      "MERGE INTO account a USING serial b ON a.id = b.id WHEN NOT MATCHED THEN INSERT"
      " (id) VALUES (?)",
      "merge-key");
  expect_opaque("MERGE INTO triggered a USING serial b ON a.id = b.id WHEN MATCHED THEN DELETE",
                "merge-triggers");
  expect_opaque("UPDATE account SET balance = my_function(id) WHERE id = ?", "unknown-function");
  expect_opaque("DELETE FROM serial; DELETE FROM account", "several-statements");
  expect_opaque("INSERT INTO account (id, changed) VALUES (?, {unknown now()})", "odbc-escape");
  expect_opaque("INSERT INTO account (id, changed) VALUES (?, {fn now())", "odbc-escape");
  expect_opaque("DELETE FROM account WHERE id = $1", "not-understood");
  expect_opaque("DELETE FROM account WHERE", "not-understood");
  expect_opaque("DELETE FROM account WHERE owner = 'x\\' AND id = 1 --'", "not-understood");
  expect_opaque("DELETE FROM account WHERE owner = '\xff'", "not-understood");
  expect_opaque("CALL p()", "may-write");
}

TEST(PostgresqlAnalyzer, AStatementThatWritesInItsWithReturnsTheRowsOfAllParts) {
  const Analysis a = look(
      "WITH x (i) AS (DELETE FROM serial AS s WHERE id = ? RETURNING id) INSERT INTO account (id)"
      " SELECT i FROM x -- c");
  ASSERT_EQ(a.verdict, Verdict::effects) << a.reason;
  ASSERT_EQ(a.parts.size(), 2u);
  EXPECT_EQ(a.parts[0].verb, Verb::insert);
  EXPECT_EQ(a.parts[1].verb, Verb::remove);
  EXPECT_EQ(a.counted_part, 0u);
  EXPECT_FALSE(a.own_returning);
  const auto holds = [&](const std::string& words) {
    EXPECT_NE(a.rewritten.find(words), std::string::npos) << words << ": " << a.rewritten;
  };
  holds("WITH understudy_1  AS (DELETE FROM serial AS s WHERE id = ? RETURNING id, ");
  holds(
      "AS understudy_kept), x (i) AS (SELECT \"id\" FROM understudy_1), understudy_main AS ( "
      "INSERT");
  holds(
      " AS understudy_kept) SELECT understudy_kept FROM understudy_main UNION ALL SELECT"
      " understudy_kept FROM understudy_1 -- c");
}

TEST(PostgresqlAnalyzer, TheConditionsOfAMergeKeepTheKeys) {
  const Analysis a = look(
      "MERGE INTO account AS a USING (SELECT ? AS i, 'x' AS \"O\") s ON a.id = s.i AND CASE WHEN ?"
      " THEN true END WHEN MATCHED AND CASE a.id WHEN 1 THEN true END OR s.i > ? THEN UPDATE SET"
      " owner = CASE WHEN true THEN s.\"O\" END WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED THEN"
      " INSERT (owner, id) VALUES (s.\"O\", s.i) -- c");
  ASSERT_EQ(a.verdict, Verdict::effects) << a.reason;
  ASSERT_EQ(a.merges.size(), 3u);
  EXPECT_EQ(a.merges[0].verb, Verb::update);
  EXPECT_EQ(a.merges[1].verb, Verb::other);
  EXPECT_EQ(a.merges[2].verb, Verb::insert);
  const auto holds = [&](const std::string& words) {
    EXPECT_NE(a.keeping.find(words), std::string::npos) << words << ": " << a.keeping;
  };
  holds(
      "WHEN MATCHED AND CASE WHEN ( CASE a.id WHEN 1 THEN true END OR s.i > ?) THEN pg_catalog.s");
  holds(
      "true) IS NOT NULL ELSE false END THEN UPDATE SET owner = CASE WHEN true THEN s.\"O\" END"
      " WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED AND pg_catalog.set_config(");
  holds("CAST(\"s\".\"i\" AS integer)::text");
  holds("true) IS NOT NULL THEN INSERT (owner, id) VALUES (s.\"O\", s.i) -- c");
}

TEST(PostgresqlAnalyzer, AWriteThroughAViewReturnsTheRowOfItsTable) {
  Catalog c = catalog();
  Table shown = simple("shown");
  shown.is_view = true;
  shown.columns = {column("who", "text"), column("loud", "text"), column("number", "integer")};
  shown.key.clear();
  shown.definition = "SELECT a.owner AS who, upper(a.owner) AS loud, a.id FROM s.account a;";
  c.tables.push_back(shown);
  const auto at = [&](const char* text) { return analyze(text, c); };
  const Analysis a = at("UPDATE shown SET who = 'x' WHERE loud = 'X'");
  ASSERT_EQ(a.verdict, Verdict::effects) << a.reason;
  EXPECT_EQ(a.table->name, "account");
  EXPECT_EQ(a.columns, (std::vector<std::uint32_t>{0, 1}));
  EXPECT_TRUE(
      a.rewritten.ends_with(" RETURNING \"shown\".\"number\"::text, \"shown\".\"who\"::text"))
      << a.rewritten;
  EXPECT_EQ(at("DELETE FROM shown AS d RETURNING d.*").verdict, Verdict::effects);
  EXPECT_EQ(at("INSERT INTO shown (number) VALUES (1)").reason, "view");  // `changed` is made
  EXPECT_EQ(at("UPDATE shown SET number = 1").reason, "key-assigned");
  c.tables.back().triggers = {"instead"};
  EXPECT_EQ(at("DELETE FROM shown").reason, "view");
  c.tables.back().triggers.clear();
  c.tables.back().definition = "SELECT a.owner, a.owner, b.id FROM account a, account b;";
  EXPECT_EQ(at("DELETE FROM shown").reason, "view");
}

TEST(PostgresqlAnalyzer, ATruncateOfOneTableTellsWhichOne) {
  const Analysis a = look("TRUNCATE TABLE ONLY s.account RESTART IDENTITY");
  EXPECT_EQ(a.verdict, Verdict::opaque);
  EXPECT_EQ(a.verb, Verb::clear);
  EXPECT_EQ(a.shape, (Shape{"s", "account", 0, {}}.encode()));
  for (const char* text : {"TRUNCATE account CASCADE", "TRUNCATE account, serial", "TRUNCATE x"}) {
    EXPECT_EQ(look(text).reason, "truncate");
    EXPECT_TRUE(look(text).shape.empty());
  }
}

TEST(PostgresqlAnalyzer, AQueryThatWritesInItsWithKeepsRows) {
  const Analysis a = look("WITH x AS (DELETE FROM serial) SELECT ?");
  ASSERT_EQ(a.verdict, Verdict::effects) << a.reason;
  EXPECT_TRUE(a.own_returning);
  EXPECT_TRUE(a.shows_all);
  EXPECT_TRUE(a.rewritten.starts_with("WITH x AS (DELETE FROM serial RETURNING pg_catalog.set_"))
      << a.rewritten;
  EXPECT_TRUE(a.rewritten.ends_with(" AS understudy_kept) SELECT ?")) << a.rewritten;
}

TEST(PostgresqlAnalyzer, ResolvesNoBareNamesWhenTheSearchPathChanged) {
  const SearchPath unknown{SearchPath::Kind::unknown, {}};
  EXPECT_EQ(analyze("DELETE FROM account", shared(), unknown).reason, "search-path");
  EXPECT_EQ(analyze("DELETE FROM s.account", shared(), unknown).verdict, Verdict::effects);
  const SearchPath given{SearchPath::Kind::given, {"nowhere", "s"}};
  EXPECT_EQ(analyze("DELETE FROM account", shared(), given).verdict, Verdict::effects);
  const SearchPath other{SearchPath::Kind::given, {"nowhere"}};
  EXPECT_EQ(analyze("DELETE FROM account", shared(), other).reason, "unknown-table");
}

TEST(PostgresqlAnalyzer, ClearsQueriesThatWordsCouldNot) {
  EXPECT_EQ(look("SELECT * FROM (VALUES (1)) AS x(a)").classification.cls, StatementClass::read);
  EXPECT_EQ(look("WITH x(\"delete\") AS (SELECT 1) SELECT delete FROM x").classification.cls,
            StatementClass::read);
  EXPECT_EQ(look("SELECT * FROM (SELECT 1) AS x(a) FOR UPDATE").classification.cls,
            StatementClass::locking_read);
  EXPECT_EQ(look("SELECT nextval('q')").classification.cls, StatementClass::opaque);
  EXPECT_EQ(look("SELECT my_function(1)").reason, "unknown-function");
}

TEST(PostgresqlAnalyzer, GivesUpOnDeepAndLongTexts) {
  std::string deep = "DELETE FROM account WHERE id = ";
  for (int i = 0; i < 100000; ++i) deep += '(';
  expect_opaque(deep, "not-understood");
  std::string chain = "DELETE FROM account WHERE id = 1";
  for (int i = 0; i < 100000; ++i) chain += "+1";
  expect_opaque(chain, "not-understood");
  std::string sets = "INSERT INTO account SELECT 1, 2";
  for (int i = 0; i < 20000; ++i) sets += " UNION SELECT 1, 2";
  expect_opaque(sets, "not-understood");
  expect_opaque("DELETE FROM account WHERE owner = '" + std::string(2u << 20, 'x') + "'",
                "not-understood");
}

TEST(PostgresqlAnalyzer, KeepsRowsOfManyColumnsOnASmallStack) {
  Catalog c = catalog();
  Table wide = simple("wide");
  for (int i = 0; i < 1500; ++i) wide.columns.push_back(column("c" + std::to_string(i), "text"));
  c.tables.push_back(wide);
  const auto look_at_it = [](void* known) -> void* {
    const Catalog& tables = *static_cast<const Catalog*>(known);
    EXPECT_EQ(analyze("DELETE FROM wide RETURNING id", tables).verdict, Verdict::effects);
    EXPECT_EQ(analyze("UPDATE wide SET a = 1 RETURNING id", tables).verdict, Verdict::effects);
    EXPECT_EQ(analyze("WITH w AS (UPDATE wide SET a = 1) SELECT 1", tables).verdict,
              Verdict::effects);
    return nullptr;
  };
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 512u << 10);
  pthread_t thread{};
  ASSERT_EQ(pthread_create(&thread, &small, look_at_it, &c), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&small);
}

TEST(PostgresqlAnalyzer, TakesManyRowsInOneInsert) {
  std::string many = "INSERT INTO serial VALUES (?, ?)";
  for (int i = 0; i < 5000; ++i) many += ", (?, ?)";
  expect_effects(many, Verb::insert);
}

TEST(PostgresqlAnalyzer, WorksInSeveralThreadsAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 200; ++i) {
        expect_keyed("UPDATE account SET owner = ? WHERE id = ?");
        expect_opaque("UPDATE account SET", "not-understood");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(PostgresqlAnalyzer, KeepsRowsBesideAReturningOfTheApplication) {
  const Analysis a = look("DELETE FROM account WHERE id = ? RETURNING id, owner -- all");
  EXPECT_EQ(a.verdict, Verdict::effects) << a.reason;
  EXPECT_TRUE(a.own_returning);
  EXPECT_TRUE(a.rewritten.starts_with(
      "DELETE FROM account WHERE id = ? RETURNING id, owner, pg_catalog.set_config("))
      << a.rewritten;
  EXPECT_TRUE(a.rewritten.ends_with(", true) -- all")) << a.rewritten;
  EXPECT_TRUE(a.rewritten_with_txid.empty());
}

TEST(PostgresqlAnalyzer, TellsTheRowUnderACursorByItsRow) {
  expect_effects("DELETE FROM account WHERE CURRENT OF c", Verb::remove);
}

TEST(PostgresqlAnalyzer, ReadsThroughEscapesAndLeavesThemInTheText) {
  expect_effects("INSERT INTO account (id, changed) VALUES (?, {fn now()})", Verb::insert);
  expect_effects("UPDATE account SET owner = {fn ucase(owner)} WHERE id = ?", Verb::update);
  const Analysis a = look("DELETE FROM account WHERE changed < {ts '2020-01-01 00:00:00'}");
  EXPECT_EQ(a.verdict, Verdict::effects) << a.reason;
  EXPECT_TRUE(a.rewritten.starts_with(
      "DELETE FROM account WHERE changed < {ts '2020-01-01 00:00:00'} RETURNING "))
      << a.rewritten;
}

TEST(AnalyzerPostgresql, KeyedWritesOfATableRecordedByEffectsHaveRows) {
  Catalog c = catalog();
  for (Table& one : c.tables) one.by_effects = true;
  for (const char* text :
       {"INSERT INTO account (id, owner, changed) VALUES (1, 'a', '2020-01-01')",
        "UPDATE account SET owner = ? WHERE id = ?", "UPDATE account SET id = ? WHERE id = ?",
        "DELETE FROM account WHERE id = ?"}) {
    ASSERT_EQ(look(text).verdict, Verdict::keyed) << text;
    const Analysis a = analyze(text, c);
    EXPECT_EQ(a.verdict, Verdict::effects) << text << ": " << a.reason;
    EXPECT_FALSE(a.rewritten_with_txid.empty()) << text;
    EXPECT_TRUE(a.txid_only.empty()) << text;
    EXPECT_TRUE(a.key.empty()) << text;
  }
}

}  // namespace
}  // namespace understudy::sql
