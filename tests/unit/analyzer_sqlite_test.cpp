#include <dlfcn.h>
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

constexpr const char* kSchema = R"(
  CREATE TABLE account (id INTEGER PRIMARY KEY, owner TEXT, balance NUMERIC, note TEXT DEFAULT 'n');
  CREATE TABLE line ("or der" INT NOT NULL, item INT NOT NULL, twice INT AS (item * 2), amount INT,
                     PRIMARY KEY (item, "or der"));
  CREATE TABLE event (id INT PRIMARY KEY NOT NULL, at TEXT DEFAULT CURRENT_TIMESTAMP);
  CREATE TABLE name (id INT PRIMARY KEY NOT NULL, name TEXT UNIQUE);
  CREATE TABLE child (id INT PRIMARY KEY NOT NULL, event INT REFERENCES event (id));
  CREATE TABLE setting (name TEXT PRIMARY KEY NOT NULL, value TEXT);
  CREATE TABLE triggered (id INT PRIMARY KEY NOT NULL, a INT);
  CREATE TABLE keyless (a INT);
  CREATE TABLE pair (a INT, b TEXT, v, PRIMARY KEY (a, b)) WITHOUT ROWID;
  CREATE VIEW view AS SELECT 1 AS a;
)";

Catalog catalog() {
  Catalog c;
  c.dialect = Dialect::sqlite;
  Table account = table("account",
                        {column("id", "INTEGER"), column("owner", "TEXT"),
                         column("balance", "NUMERIC"), column("note", "TEXT")},
                        {0});
  account.columns[0].identity = true;
  account.columns[3].default_kind = DefaultKind::constant;
  Table line = table("line",
                     {column("or der", "INT"), column("item", "INT"), column("twice", "INT"),
                      column("amount", "INT")},
                     {1, 0});
  line.columns[2].generated = true;
  Table event = table("event", {column("id", "INT"), column("at", "TEXT")}, {0});
  event.columns[1].default_kind = DefaultKind::computed;
  Table name = table("name", {column("id", "INT"), column("name", "TEXT")}, {0});
  name.unique_keys = {{1}};
  Table child = table("child", {column("id", "INT"), column("event", "INT")}, {0});
  child.foreign_keys = {{"", "", "event", {"event"}, {"id"}, false}};
  const Table setting = table("setting", {column("name", "TEXT"), column("value", "TEXT")}, {0});
  Table triggered = table("triggered", {column("id", "INT"), column("a", "INT")}, {0});
  triggered.triggers = {"g"};
  const Table keyless = table("keyless", {column("a", "INT")}, {});
  Table pair = table("pair", {column("a", "INT"), column("b", "TEXT"), column("v", "")}, {0, 1});
  pair.columns[0].nullable = pair.columns[1].nullable = false;
  Table view = table("view", {column("a", "INT")}, {0});
  view.is_view = true;
  c.tables = {account, line, event, name, child, setting, triggered, keyless, pair, view};
  return c;
}

const Catalog& shared() {
  static const Catalog c = catalog();
  return c;
}

/// SQLite itself, as the driver loads it: the few functions that preparing a statement takes.
/// Loaded by name, so that the tests need no headers of it.
class Engine {
 public:
  Engine() : library_(dlopen("libsqlite3.so.0", RTLD_NOW | RTLD_LOCAL)) {
    if (library_ == nullptr) return;
    load("sqlite3_open", &open_);
    load("sqlite3_close", &close_);
    load("sqlite3_exec", &exec_);
    load("sqlite3_prepare_v2", &prepare_);
    load("sqlite3_column_count", &column_count_);
    load("sqlite3_finalize", &finalize_);
    load("sqlite3_errmsg", &message_);
    if (open_(":memory:", &db_) != 0 || exec_(db_, kSchema, nullptr, nullptr, nullptr) != 0) {
      close_(db_);
      db_ = nullptr;
    }
  }
  ~Engine() {
    if (db_ != nullptr) close_(db_);
  }
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// What SQLite says when it prepares the text; "" when it takes it. `columns` of the result.
  std::string prepare(const std::string& text, int* columns) {
    if (db_ == nullptr) return "libsqlite3.so.0 is missing";
    void* statement = nullptr;
    if (prepare_(db_, text.c_str(), -1, &statement, nullptr) != 0) return message_(db_);
    *columns = column_count_(statement);
    finalize_(statement);
    return {};
  }

 private:
  template <class F>
  void load(const char* name, F** function) {
    *function = reinterpret_cast<F*>(dlsym(library_, name));
  }

  void* library_;
  void* db_ = nullptr;
  int (*open_)(const char*, void**) = nullptr;
  int (*close_)(void*) = nullptr;
  int (*exec_)(void*, const char*, void*, void*, char**) = nullptr;
  int (*prepare_)(void*, const char*, int, void**, const char**) = nullptr;
  int (*column_count_)(void*) = nullptr;
  int (*finalize_)(void*) = nullptr;
  const char* (*message_)(void*) = nullptr;
};

std::string prepared(const std::string& text, int* columns) {
  static Engine engine;
  return engine.prepare(text, columns);
}

Analysis look(std::string_view text) {
  return analyze(text, shared());
}

void expect_opaque(std::string_view text, std::string_view reason) {
  const Analysis a = look(text);
  EXPECT_EQ(a.verdict, Verdict::opaque) << text;
  EXPECT_EQ(a.reason, reason) << text;
  EXPECT_TRUE(a.rewritten.empty()) << text;
}

/// The engine takes the rewritten text and returns as many columns as promised.
void expect_runs(std::string_view text, const Analysis& a) {
  int columns = 0;
  EXPECT_EQ(prepared(a.rewritten, &columns), "") << text << "\n" << a.rewritten;
  EXPECT_EQ(static_cast<std::size_t>(columns), a.columns.size()) << a.rewritten;
}

void expect_effects(std::string_view text, Verb verb) {
  const Analysis a = look(text);
  EXPECT_EQ(a.verdict, Verdict::effects) << text << ": " << a.reason;
  EXPECT_EQ(static_cast<int>(a.verb), static_cast<int>(verb)) << text;
  EXPECT_TRUE(a.key.empty()) << text;
  expect_runs(text, a);
}

/// Places and old keys are asked for before it; it returns rows and places.
void expect_moves(std::string_view text) {
  const Analysis a = look(text);
  EXPECT_EQ(a.verdict, Verdict::effects) << text << ": " << a.reason;
  EXPECT_EQ(static_cast<int>(a.verb), static_cast<int>(Verb::move)) << text;
  ASSERT_EQ(a.before.size(), 1u) << text;
  int columns = 0;
  EXPECT_EQ(prepared(a.rewritten, &columns), "") << a.rewritten;
  EXPECT_EQ(static_cast<std::size_t>(columns), a.columns.size() + 1) << a.rewritten;
  EXPECT_EQ(prepared(a.before[0].text, &columns), "") << a.before[0].text;
  EXPECT_EQ(static_cast<std::size_t>(columns), a.key_count + 1) << a.before[0].text;
  EXPECT_EQ(prepared(a.before[0].lock, &columns), "") << a.before[0].lock;
}

void expect_keyed(std::string_view text) {
  const Analysis a = look(text);
  EXPECT_EQ(a.verdict, Verdict::keyed) << text << ": " << a.reason;
  EXPECT_EQ(a.key.size(), a.key_count) << text;
  EXPECT_TRUE(a.rewritten_with_txid.empty()) << text;
  expect_runs(text, a);
}

TEST(SqliteAnalyzer, MakesTheTextLookLikeAQueryForTheDriver) {
  EXPECT_EQ(look("DELETE FROM account WHERE id > ?; -- all").rewritten,
            "WITH understudy_q AS (SELECT 1) DELETE FROM account WHERE id > ? "
            "RETURNING quote(`id`); -- all");
  EXPECT_EQ(look("WITH x AS (SELECT 1) DELETE FROM account").rewritten,
            "WITH x AS (SELECT 1) DELETE FROM account RETURNING quote(`id`)");
}

TEST(SqliteAnalyzer, PutsTheKeyFirstAndLeavesGeneratedColumnsOut) {
  const Analysis a = look("INSERT INTO line (item, \"or der\") VALUES (?, ?)");
  EXPECT_EQ(a.columns, (std::vector<std::uint32_t>{1, 0, 3}));
  EXPECT_EQ(a.key_count, 2u);
  EXPECT_EQ(a.shape,
            "\x1fline\x1f"
            "2\x1fitem\x1for der\x1f"
            "amount");
}

TEST(SqliteAnalyzer, AStaleColumnIsAnErrorAndNotAString) {
  Catalog stale = catalog();
  stale.tables[0].columns[1].name = "gone";
  int columns = 0;
  EXPECT_NE(prepared(analyze("INSERT INTO account (id) VALUES (1)", stale).rewritten, &columns),
            "");
}

TEST(SqliteAnalyzer, AnUpdateByItsWholeKeyIsKeyed) {
  for (const char* text :
       {"UPDATE account SET owner = ? WHERE id = ?",
        "update main.account as a set owner = upper(a.owner) || ? where ? == a.id",
        "UPDATE account SET balance = balance - ?, note = NULL WHERE (id = 5) AND balance >= ?",
        "UPDATE OR ABORT account SET owner = x'00' WHERE id = -3 AND owner IS NOT NULL",
        "UPDATE [account] SET `owner` = coalesce(?, \"owner\") WHERE id = ? AND note IN ('a', ?)",
        "UPDATE account INDEXED BY i SET owner = ? WHERE id = ?",
        "UPDATE line SET amount = (amount + 1) * -2 WHERE item = ? AND \"or der\" = 4",
        "UPDATE setting SET value = ? WHERE name = 'x'"}) {
    if (std::string_view(text).find("INDEXED") != std::string_view::npos) {
      EXPECT_EQ(look(text).verdict, Verdict::keyed) << text;  // there is no such index to run it
    } else {
      expect_keyed(text);
    }
  }
}

TEST(SqliteAnalyzer, AKeyedStatementTellsWhereItsKeyComesFrom) {
  const Analysis a = look("UPDATE line SET amount = ? WHERE \"or der\" = ? AND item = -12");
  ASSERT_EQ(a.verdict, Verdict::keyed);
  EXPECT_EQ(a.key[0].column, 0u);
  EXPECT_EQ(a.key[0].literal, "-12");
  EXPECT_FALSE(a.key[0].parameter.has_value());
  EXPECT_EQ(a.key[1].column, 1u);
  EXPECT_EQ(a.key[1].parameter, 1u);
}

TEST(SqliteAnalyzer, AnUpdateThatIsNotKeyedHasEffects) {
  for (const char* text : {"UPDATE account SET owner = ?",
                           "UPDATE account SET owner = ? WHERE id > ?",
                           "UPDATE account SET owner = ? WHERE id = ? OR id = ?",
                           "UPDATE account SET owner = ? WHERE id = ? AND balance BETWEEN 1 AND 2",
                           "UPDATE account SET owner = ? WHERE NOT id = ?",
                           "UPDATE account SET owner = ? WHERE id = 1 + 1",
                           "UPDATE account SET owner = ? WHERE id = '1'",
                           "UPDATE account SET owner = ? WHERE id = NULL",
                           "UPDATE account SET owner = ? WHERE id IN (?)",
                           "UPDATE account SET owner = ? WHERE rowid = ?",
                           "UPDATE account SET owner = datetime('now') WHERE id = ?",
                           "UPDATE account SET owner = CURRENT_TIMESTAMP WHERE id = ?",
                           "UPDATE account SET balance = random() WHERE id = ?",
                           "UPDATE account SET balance = (SELECT 1) WHERE id = ?",
                           "UPDATE account SET (owner, note) = (?, ?) WHERE id = ?",
                           "UPDATE account SET owner = \"text\" WHERE id = ?",
                           "UPDATE account SET owner = ? WHERE id = ? AND owner LIKE ?",
                           "UPDATE account SET owner = at FROM event WHERE account.id = ?",
                           "WITH y AS (SELECT 1) UPDATE account SET owner = ? WHERE id = ?",
                           "UPDATE triggered SET a = ? WHERE id = ?",
                           "UPDATE line SET amount = ? WHERE item = ?"}) {
    expect_effects(text, Verb::update);
  }
}

TEST(SqliteAnalyzer, ADeleteByItsWholeKeyIsKeyed) {
  expect_keyed("DELETE FROM account WHERE id = ?");
  expect_keyed("DELETE FROM line AS l WHERE l.item = ? AND l.\"or der\" = ? AND amount <> 0");
  expect_effects("DELETE FROM account WHERE id < ?", Verb::remove);
  expect_effects("DELETE FROM account", Verb::remove);
}

TEST(SqliteAnalyzer, WhatIsReturnedStandsBeforeALimit) {
  EXPECT_EQ(look("DELETE FROM account WHERE id > 1 ORDER BY id LIMIT 1").rewritten,
            "WITH understudy_q AS (SELECT 1) DELETE FROM account WHERE id > 1 "
            "RETURNING quote(`id`) ORDER BY id LIMIT 1");
  expect_effects("DELETE FROM account LIMIT 1", Verb::remove);
  expect_effects("UPDATE account SET owner = 'x' WHERE id = 1 ORDER BY id LIMIT 1", Verb::update);
  expect_moves("UPDATE keyless SET a = 1 ORDER BY a LIMIT ?");
}

TEST(SqliteAnalyzer, AnInsertOfOneFullyGivenRowIsKeyed) {
  for (const char* text :
       {"INSERT INTO account (id, owner) VALUES (7, ?)",
        "INSERT INTO account VALUES (1, 'x', 2.5, ?)", "INSERT INTO line VALUES (?, ?, ?)",
        "INSERT OR ABORT INTO event VALUES (?, ?)", "INSERT INTO setting VALUES ('x', NULL)"}) {
    expect_keyed(text);
  }
}

TEST(SqliteAnalyzer, AnInsertOfWhatTheEngineMakesHasEffects) {
  for (const char* text :
       {"INSERT INTO account (id, owner) VALUES (?, ?)",  // NULL would make a key
        "INSERT INTO account (owner) VALUES (?)", "INSERT INTO account DEFAULT VALUES",
        "INSERT INTO event (id) VALUES (?)", "INSERT INTO event VALUES (?, datetime('now'))",
        "INSERT INTO event VALUES (?, ?), (?, ?)",
        "INSERT INTO event SELECT id, owner FROM account",
        "INSERT INTO event (id, at) SELECT 1, 2 WHERE true ON CONFLICT (id) DO NOTHING",
        "INSERT OR IGNORE INTO event VALUES (?, ?)",
        "WITH x AS (SELECT 1 AS a), y (b) AS NOT MATERIALIZED (SELECT 2) INSERT INTO event SELECT "
        "a, b "
        "FROM x, y",
        "INSERT INTO triggered VALUES (?, ?)"}) {
    expect_effects(text, Verb::insert);
  }
}

TEST(SqliteAnalyzer, AnUpsertPuts) {
  expect_effects(
      "INSERT INTO event VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at WHERE at < "
      "1",
      Verb::put);
  expect_effects(
      "INSERT INTO name VALUES (?, ?) ON CONFLICT (name) DO NOTHING ON CONFLICT (id) DO UPDATE SET "
      "name = excluded.name",
      Verb::put);
}

TEST(SqliteAnalyzer, ReplacePutsWhereItCanRemoveOnlyTheRowItself) {
  expect_effects("REPLACE INTO account VALUES (?, ?, ?, ?)", Verb::put);
  expect_effects("INSERT OR REPLACE INTO setting VALUES (?, ?)", Verb::put);
  // Another unique key; rows that refer to it.
  expect_effects("REPLACE INTO name VALUES (?, ?)", Verb::replace);
  expect_effects("REPLACE INTO event VALUES (?, ?)", Verb::replace);
  expect_opaque("REPLACE INTO triggered VALUES (?, ?)", "replace");
}

TEST(SqliteAnalyzer, AnUpdateOfKeysMovesRows) {
  for (const char* text :
       {"UPDATE account SET id = ? WHERE id = ?",
        "UPDATE account SET (owner, note) = (1, 2), id = 5",
        "UPDATE line SET (amount, item) = (1, 2)",
        "UPDATE account AS a SET id = a.id + 1, owner = datetime('now') WHERE a.id BETWEEN 1 AND ?",
        "UPDATE line SET item = item * 2, amount = 1 WHERE amount IS DISTINCT FROM 7",
        "WITH y AS (SELECT 5 AS z) UPDATE pair SET a = a + (SELECT max(z) FROM y) WHERE v > 0",
        "UPDATE pair SET b = upper(b), a = ?, v = random() FROM event WHERE event.id = pair.a",
        "UPDATE setting SET name = 'x' || name FROM event AS e NATURAL JOIN child WHERE at = name",
        "UPDATE OR IGNORE setting SET name = random()"}) {
    expect_moves(text);
  }
}

TEST(SqliteAnalyzer, RefusesKeysThatAQueryBeforeWouldNotKnow) {
  for (const char* text :
       {"UPDATE pair SET a = random()", "UPDATE account SET (owner, id) = (1, 2)",
        "UPDATE account SET id = id + 1 WHERE balance < random()",
        "UPDATE account SET id = id + 1 WHERE note < CURRENT_TIMESTAMP",
        "UPDATE pair SET a = (SELECT id FROM event LIMIT 1)"}) {
    expect_opaque(text, "key-assigned");
  }
}

TEST(SqliteAnalyzer, TheQueryBeforeAMoveTakesTheParametersOfItsParts) {
  const Analysis a = look("UPDATE account SET owner = ?, id = id + ? WHERE balance > ?");
  ASSERT_EQ(a.before.size(), 1u);
  EXPECT_EQ(a.before[0].parameters, (std::vector<std::uint32_t>{1, 2}));
}

TEST(SqliteAnalyzer, RowsOfATableWithoutAKeyAreWhole) {
  expect_effects("INSERT INTO keyless VALUES (1)", Verb::insert);
  expect_effects("DELETE FROM keyless WHERE a = ?", Verb::remove);
  expect_moves("UPDATE keyless SET a = random() WHERE a > 1");
  expect_opaque("REPLACE INTO keyless VALUES (1)", "no-key");
}

TEST(SqliteAnalyzer, KnowsWhatBecomesOfCollisions) {
  expect_effects("UPDATE OR IGNORE account SET owner = ?", Verb::update);
  expect_effects("UPDATE OR REPLACE account SET owner = ? WHERE id = ?", Verb::update);
  expect_effects("UPDATE OR REPLACE name SET name = ? WHERE id = 1", Verb::replace);
  expect_opaque("UPDATE OR REPLACE account SET id = ?", "update-or");
  expect_opaque("UPDATE OR FAIL account SET owner = ?", "update-or");
  expect_opaque("UPDATE OR ROLLBACK account SET owner = ?", "update-or");
}

TEST(SqliteAnalyzer, RefusesWhatRowsCannotTell) {
  expect_opaque("INSERT INTO nowhere VALUES (1)", "unknown-table");
  expect_opaque("INSERT INTO temp.account VALUES (1)", "unknown-table");
  expect_opaque("INSERT INTO view VALUES (1)", "view");
  expect_opaque("INSERT INTO account (rowid) VALUES (1)", "unknown-column");
  expect_opaque("UPDATE account SET rowid = ? WHERE id = ?", "unknown-column");
  expect_opaque("INSERT INTO event VALUES (1, 2) ON CONFLICT DO UPDATE SET id = 2", "key-assigned");
  expect_opaque("WITH x AS (SELECT 1) DELETE FROM account RETURNING id", "own-returning");
  expect_opaque("DELETE FROM account RETURNING id + ?", "own-returning");
  expect_opaque("INSERT OR ROLLBACK INTO account VALUES (1, 2, 3, 4)", "insert-or");
  expect_opaque("INSERT OR FAIL INTO account VALUES (1, 2, 3, 4)", "insert-or");
  expect_opaque("UPDATE account SET owner = writefile('x', 'y')", "unknown-function");
  expect_opaque("DELETE FROM account; DELETE FROM event", "several-statements");
  expect_opaque("DELETE FROM account WHERE id = ?1", "named-parameters");
  expect_opaque("DELETE FROM account WHERE id = :id", "named-parameters");
  expect_opaque("INSERT INTO event VALUES (1, {unknown now()})", "odbc-escape");
  expect_opaque("UPDATE account SET owner = (1", "not-understood");
  expect_opaque("DELETE account", "not-understood");
}

TEST(SqliteAnalyzer, GivesUpOnDeepTexts) {
  expect_opaque("DELETE FROM account WHERE id = " + std::string(100000, '('), "not-understood");
}

TEST(AnalyzerSqlite, KeyedWritesOfATableRecordedByEffectsHaveRows) {
  Catalog c = catalog();
  for (Table& one : c.tables) one.by_effects = true;
  for (const char* text : {"INSERT INTO name VALUES (1, 'a')", "DELETE FROM name WHERE id = ?",
                           "UPDATE name SET name = ? WHERE id = ?"}) {
    const Analysis a = analyze(text, c);
    EXPECT_EQ(a.verdict, Verdict::effects) << text << ": " << a.reason;
    EXPECT_FALSE(a.rewritten.empty()) << text;
    EXPECT_TRUE(a.key.empty()) << text;
  }
}

}  // namespace
}  // namespace understudy::sql
