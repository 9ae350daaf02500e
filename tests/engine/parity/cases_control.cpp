// Limits of a statement, its end by another thread, every word that begins or ends a transaction,
// words of a connection string.
#include <atomic>
#include <cstring>
#include <thread>

#include "tests/engine/parity/case.h"
#include "tests/engine/parity/program.h"

namespace understudy::parity {
namespace {

void returning_under_limits(Program& p) {
  SQLINTEGER id = 10;
  for (const auto& [attribute, value] : std::initializer_list<std::pair<SQLINTEGER, SQLULEN>>{
           {SQL_ATTR_MAX_LENGTH, 3},
           {SQL_ATTR_MAX_ROWS, 1},
           {SQL_ATTR_RETRIEVE_DATA, SQL_RD_OFF},
           {SQL_ATTR_NOSCAN, SQL_NOSCAN_ON},
           {SQL_ATTR_ROW_ARRAY_SIZE, 5},
           {SQL_ATTR_USE_BOOKMARKS, SQL_UB_VARIABLE}}) {
    for (const char* end : {"", " RETURNING id, note"}) {
      if (p.sqlite() && *end != 0) continue;  // libsqliteodbc does not come back from it
      SQLHSTMT h = p.stmt();
      p.set_stmt_attr(h, attribute, value);
      const std::string first = std::to_string(id);
      const std::string second = std::to_string(id + 1);
      id += 10;
      const bool rows = *end != 0 && attribute != SQL_ATTR_ROW_ARRAY_SIZE;
      for (const std::string& sql :
           {"INSERT INTO $T (id, note) VALUES (" + first + ", 'a longer note'), (" + second +
                ", UPPER('and this'))" + end,
            "UPDATE $T SET note = UPPER(note) WHERE id >= " + first + end,
            "DELETE FROM $T WHERE id > " + first + end}) {
        if (SQL_SUCCEEDED(p.exec(h, sql))) {
          p.row_count(h);
          if (rows) p.fetch_all(h, 2);
        }
        p.close(h);
      }
      p.drop(h);
    }
  }
  p.query("SELECT id, note FROM $T ORDER BY id");
}

// Calls that the statement itself refuses, when another has run for it.
void refused_behind_a_write(Program& p) {
  for (const bool prepared : {false, true}) {
    SQLHSTMT h = p.stmt();
    SQLINTEGER id = prepared ? 21 : 11;
    SQLLEN length = 0;
    const auto write = [&] {
      p.close(h);
      p.free_stmt(h, SQL_RESET_PARAMS);
      p.bind_int(h, 1, &id, &length);
      ++id;
      const char* sql = "INSERT INTO $T (id, note) VALUES (?, UPPER('x'))";
      if (prepared) {
        p.prepare(h, sql);
        p.execute(h);
      } else {
        p.exec(h, sql);
      }
    };
    write();
    p.bind_parameter(h, 1, SQL_PARAM_INPUT, 7777, SQL_INTEGER, 10, 0, &id, 0, &length);
    p.row_count(h);
    write();
    p.bind_parameter(h, 1, 77, SQL_C_SLONG, SQL_INTEGER, 10, 0, &id, 0, &length);
    p.row_count(h);
    write();
    p.set_stmt_attr(h, 9997, 1);
    p.header(h);
    p.get_stmt_attr(h, 9997);
    p.row_count(h);
    write();
    p.set_stmt_attr(h, SQL_ATTR_QUERY_TIMEOUT, 60);
    p.row_count(h);
    p.set_stmt_attr(h, SQL_ATTR_CONCURRENCY, 77);
    p.row_count(h);
    write();
    p.set_cursor_name(h, "SQL_CUR_refused");
    p.set_cursor_name(h, "");
    p.row_count(h);
    write();
    p.bind_col(h, 1, 7777, &id, sizeof(id), &length);
    p.row_count(h);
    p.num_result_cols(h);
    p.drop(h);
  }
  p.query("SELECT id, note FROM $T ORDER BY id");
}

// A statement that takes too long for its timeout, and one that does not.
void timeouts(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    SQLHSTMT h = p.stmt();
    p.set_stmt_attr(h, SQL_ATTR_QUERY_TIMEOUT, 1);
    p.exec(h, "INSERT INTO $T (id, note) SELECT 400, 'late' FROM pg_sleep(30)");
    p.rollback();
    p.set_stmt_attr(h, SQL_ATTR_QUERY_TIMEOUT, 60);
    p.exec(h, std::string("INSERT INTO $T (id, note) VALUES (") + (on ? "401" : "402") + ", 'x')");
    p.row_count(h);
    p.exec(h, "UPDATE $T SET note = UPPER(note)");
    p.row_count(h);
    p.drop(h);
    p.run("INSERT INTO $T (id, note) VALUES (" + std::string(on ? "403" : "404") + ", 'y')");
    p.commit();
  }
  p.query("SELECT id, note FROM $T ORDER BY id");
  p.commit();
}

void timeouts_not_taken(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    SQLHSTMT h = p.stmt();
    for (const char* sql : {"INSERT INTO $T (id, note) VALUES (401, 'x')",
                            "UPDATE $T SET note = UPPER(note)", "DELETE FROM $T WHERE id = 401"}) {
      p.set_stmt_attr(h, SQL_ATTR_QUERY_TIMEOUT, 60);
      p.get_stmt_attr(h, SQL_ATTR_QUERY_TIMEOUT);
      p.exec(h, sql);
      p.row_count(h);
      p.set_stmt_attr(h, SQL_ATTR_QUERY_TIMEOUT, 30);
      p.set_stmt_attr(h, SQL_ATTR_MAX_LENGTH, 100);
    }
    p.drop(h);
    p.commit();
  }
}

/// Not shown; the statement of another thread runs while it is asked.
bool answers(SQLHSTMT h, std::string question) {
  const bool yes =
      SQLExecDirect(h, reinterpret_cast<SQLCHAR*>(question.data()), SQL_NTS) == SQL_SUCCESS &&
      SQLFetch(h) == SQL_SUCCESS;
  SQLFreeStmt(h, SQL_CLOSE);
  return yes;
}

void cancels_on_mariadb(Program& p) {
  SQLHDBC other = p.alloc_dbc();
  p.driver_connect(other, "DSN=" + p.dsn() + ";");
  SQLHSTMT watch = p.stmt(other);
  for (const bool on : {true, false}) {
    p.autocommit(on);
    for (std::string sql : {"INSERT INTO $T (id, note) SELECT 500, 'x' FROM (SELECT SLEEP(60)) s",
                            "UPDATE $T SET note = SLEEP(60) WHERE id = 1"}) {
      sql = p.expand(sql);
      SQLHSTMT h = p.stmt();
      SQLRETURN ret = SQL_SUCCESS;
      std::thread runner(
          [&] { ret = SQLExecDirect(h, reinterpret_cast<SQLCHAR*>(sql.data()), SQL_NTS); });
      while (!answers(watch,
                      "SELECT 1 FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND "
                      "STATE = 'User sleep'")) {
        std::this_thread::yield();
      }
      p.note("cancel " + shown_return(SQLCancel(h)));
      runner.join();
      p.done("the cancelled", SQL_HANDLE_STMT, h, ret);
      p.exec(h, "UPDATE $T SET note = CONCAT(note, '+') WHERE id = 2");
      p.row_count(h);
      p.drop(h);
      p.commit();
    }
  }
  p.drop(watch);
  p.disconnect(other);
  p.free_dbc(other);
  p.query("SELECT id, note FROM $T ORDER BY id");
  p.commit();
}

// Nobody sees from outside whether SQLite runs, so it is cancelled until it has ended.
void cancels_on_sqlite(Program& p) {
  for (int i = 0; i < 5; ++i) {
    std::string sql = p.expand(
        "INSERT INTO $T (id, note) WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
        "SELECT x, 'never' FROM c WHERE x < 0");
    SQLHSTMT h = p.stmt();
    SQLRETURN ret = SQL_SUCCESS;
    std::atomic<bool> over{false};
    std::thread runner([&] {
      ret = SQLExecDirect(h, reinterpret_cast<SQLCHAR*>(sql.data()), SQL_NTS);
      over = true;
    });
    while (!over) {
      SQLCancel(h);
      std::this_thread::yield();
    }
    runner.join();
    p.note("the cancelled " + shown_return(ret));  // a late SQLCancel takes its diagnostic away
    p.close(h);
    p.exec(h, "UPDATE $T SET note = note || '+' WHERE id = 2");
    p.row_count(h);
    p.drop(h);
  }
  p.query("SELECT id, note FROM $T ORDER BY id");
}

// SQLite ends the transaction by itself, whoever has begun it.
void transactions_that_end_by_themselves(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    const std::string first = on ? "101" : "201";
    const std::string second = on ? "102" : "202";
    p.run("INSERT INTO $T (id, note) VALUES (" + first + ", 'a')");
    p.run("INSERT OR ROLLBACK INTO $T (id, note) VALUES (" + first + ", 'again')");
    if (on) p.run("INSERT INTO $T (id, note) VALUES (" + second + ", 'b')");
    p.run("UPDATE OR ROLLBACK $T SET id = 1 WHERE id = " + (on ? second : "2"));
    if (on) p.run("DELETE FROM $T WHERE id = " + first);
    p.rollback();
    p.rollback();
  }
  p.query("SELECT id, note FROM $T ORDER BY id");
}

// ---- transaction control ----

void every_word_for_an_end(Program& p) {
  const bool chains = !p.sqlite();
  std::vector<const char*> ends = {
      "COMMIT", "ROLLBACK", "END", "COMMIT TRANSACTION", "ROLLBACK TRANSACTION", "END TRANSACTION"};
  if (p.postgres()) {
    ends = {"COMMIT WORK",
            "ROLLBACK WORK",
            "ABORT",
            "END WORK",
            "END TRANSACTION",
            "ABORT TRANSACTION",
            "COMMIT AND NO CHAIN",
            "ROLLBACK AND NO CHAIN"};
  }
  if (p.maria()) {
    ends = {"COMMIT WORK",
            "ROLLBACK WORK",
            "COMMIT AND NO CHAIN",
            "ROLLBACK AND NO CHAIN",
            "COMMIT NO RELEASE",
            "ROLLBACK NO RELEASE",
            "COMMIT AND NO CHAIN NO RELEASE"};
  }
  int id = 600;
  for (const bool on : {true, false}) {
    p.autocommit(on);
    for (const char* end : ends) {
      if (on) p.run("BEGIN");
      p.run("INSERT INTO $T (id, note) VALUES (" + std::to_string(++id) + ", 'x')");
      p.run(end);
    }
    if (!chains) continue;
    for (const char* end : {"COMMIT AND CHAIN", "ROLLBACK AND CHAIN"}) {
      if (on) p.run("BEGIN");
      p.run("INSERT INTO $T (id, note) VALUES (" + std::to_string(++id) + ", 'chained')");
      p.run(end);
      p.run("INSERT INTO $T (id, note) VALUES (" + std::to_string(++id) + ", 'kept')");
      p.commit();
      if (on) p.run("BEGIN");
      p.run("INSERT INTO $T (id, note) VALUES (" + std::to_string(++id) + ", 'chained')");
      p.run(end);
      p.run("INSERT INTO $T (id, note) VALUES (" + std::to_string(++id) + ", 'lost')");
      p.rollback();
    }
  }
  p.query("SELECT id, note FROM $T ORDER BY id");
  p.commit();
}

void every_word_for_a_beginning(Program& p) {
  std::vector<const char*> words = {"BEGIN",           "BEGIN TRANSACTION",
                                    "BEGIN DEFERRED",  "BEGIN IMMEDIATE TRANSACTION",
                                    "BEGIN EXCLUSIVE", "SAVEPOINT outermost"};
  if (p.postgres()) {
    words = {"BEGIN WORK",        "BEGIN TRANSACTION READ WRITE",
             "START TRANSACTION", "BEGIN ISOLATION LEVEL REPEATABLE READ, READ WRITE",
             "BEGIN READ ONLY",   "START TRANSACTION ISOLATION LEVEL SERIALIZABLE NOT DEFERRABLE"};
  }
  if (p.maria()) {
    words = {"BEGIN",
             "BEGIN WORK",
             "START TRANSACTION",
             "START TRANSACTION READ WRITE",
             "START TRANSACTION WITH CONSISTENT SNAPSHOT",
             "START TRANSACTION READ ONLY"};
  }
  int id = 700;
  for (const char* word : words) {
    p.run(word);
    p.run("INSERT INTO $T (id, note) VALUES (" + std::to_string(++id) + ", 'x')");
    p.run(std::strncmp(word, "SAVEPOINT", 9) == 0 ? "RELEASE outermost" : "COMMIT");
    p.run(word);
    p.run("UPDATE $T SET note = 'lost' WHERE id = " + std::to_string(id));
    p.run("ROLLBACK");
  }
  p.query("SELECT id, note FROM $T ORDER BY id");
}

// Savepoints by names of every form.
void names_of_savepoints(Program& p) {
  const std::vector<const char*> names =
      p.maria() ? std::vector<const char*>{"sp", "`quoted one`", "`with``tick`", "SP2"}
                : std::vector<const char*>{"sp", "\"quoted one\"", "\"with\"\"mark\"", "SP2"};
  p.autocommit(false);
  int id = 800;
  for (const char* name : names) {
    const std::string text = name;
    const std::string upper = text == "SP2" ? "sp2" : text;
    p.run("INSERT INTO $T (id, note) VALUES (" + std::to_string(++id) + ", 'before')");
    p.run("SAVEPOINT " + text);
    p.run("INSERT INTO $T (id, note) VALUES (" + std::to_string(++id) + ", 'lost')");
    p.run("ROLLBACK TO " + upper);
    p.run("INSERT INTO $T (id, note) VALUES (" + std::to_string(++id) + ", 'kept')");
    p.run("SAVEPOINT " + text);
    p.run("INSERT INTO $T (id, note) VALUES (" + std::to_string(++id) + ", 'kept')");
    p.run("RELEASE SAVEPOINT " + upper);
    p.run("ROLLBACK TO SAVEPOINT " + text);
    p.run("INSERT INTO $T (id, note) VALUES (" + std::to_string(++id) + ", 'behind')");
  }
  p.commit();
  p.query("SELECT id, note FROM $T ORDER BY id");
  p.commit();
}

// Transactions that outlive the session that prepared them.
void transactions_in_two_phases(Program& p) {
  if (p.maria()) {
    for (const char* end : {"XA COMMIT '$T'", "XA ROLLBACK '$T'"}) {
      p.run("XA START '$T'");
      p.run(std::string("INSERT INTO $T (id, note) VALUES (") + (end[3] == 'C' ? "901" : "902") +
            ", 'x')");
      p.run("XA END '$T'");
      p.run("XA PREPARE '$T'");
      p.run(end);
    }
    p.run("XA START '$T'");
    p.run("UPDATE $T SET note = 'one phase' WHERE id = 1");
    p.run("XA END '$T'");
    p.run("XA COMMIT '$T' ONE PHASE");
  } else {
    p.run("BEGIN");
    p.run("INSERT INTO $T (id, note) VALUES (901, 'x')");
    p.run("PREPARE TRANSACTION '$T'");
    p.run("COMMIT PREPARED '$T'");
  }
  p.run("INSERT INTO $T (id, note) VALUES (903, 'behind')");
  p.query("SELECT id, note FROM $T ORDER BY id");
}

// ---- MariaDB: texts that are prepared as text ----

void prepared_as_text_on_mariadb(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    const std::string first = on ? "1001" : "1011";
    p.run("SET @id = " + first + ", @note = 'set'");
    p.run("PREPARE ins FROM 'INSERT INTO $T (id, note) VALUES (?, ?)'");
    p.run("EXECUTE ins USING @id, @note");
    p.query("SELECT ROW_COUNT()");
    p.run("EXECUTE ins USING @id");
    p.run("SET @id = @id + 1, @note = NULL");
    p.run("EXECUTE ins USING @id, @note");
    p.run("EXECUTE ins USING @id + 1, CONCAT('ex', 'pression')");
    p.run("SET @text = 'UPDATE $T SET note = UPPER(note) WHERE id > 1000'");
    p.run("PREPARE up FROM @text");
    p.run("EXECUTE up");
    p.run("EXECUTE IMMEDIATE 'DELETE FROM $T WHERE id = ?' USING " + first);
    p.run("EXECUTE IMMEDIATE 'SELECT COUNT(*) FROM $T'");
    p.run("DEALLOCATE PREPARE ins");
    p.run("DROP PREPARE up");
    p.run("EXECUTE ins USING @id, @note");
    if (!on) p.rollback();
  }
  p.query("SELECT id, note FROM $T ORDER BY id");
  p.commit();
}

// ---- words of a connection string ----

void settings_at_the_connect(Program& p) {
  const bool connected =
      p.maria()
          ? p.connect("INITSTMT={SET time_zone = '+05:00'};")
          : p.connect("ConnSettings=SET+TIME+ZONE+'Asia/Tokyo'%3bSET+search_path+TO+$T_s,public;");
  if (!connected) return;
  p.run("INSERT INTO $T (id, note) VALUES (1101, 'where')");
  p.run("INSERT INTO $T (id, at) VALUES (1102, '2024-02-29 12:00:00')");
  p.run("INSERT INTO $T (id, at) SELECT 1103, CURRENT_TIMESTAMP WHERE 1 = 0");
  p.run("UPDATE $T SET note = UPPER(note)");
  p.query("SELECT id, note, at FROM $T ORDER BY id");
}

void found_rows_as_counts(Program& p) {
  if (!p.connect("OPTION=2;")) return;
  for (const bool on : {true, false}) {
    p.autocommit(on);
    p.run("UPDATE $T SET note = 'one' WHERE id <= 2");
    p.run("UPDATE $T SET note = 'one' WHERE id <= 2");
    p.run("UPDATE $T SET note = note");
    p.run("UPDATE $T SET note = {fn CONCAT('b', note)} WHERE id = 4");
    p.run("UPDATE $T SET note = {fn UCASE(note)} WHERE note = 'bfour'");
    p.run("INSERT INTO $T (id, note) VALUES (1, 'one') ON DUPLICATE KEY UPDATE note = 'one'");
    p.run("INSERT INTO $T (id, note) VALUES (1, 'one') ON DUPLICATE KEY UPDATE note = 'two'");
    p.query("SELECT ROW_COUNT()");
    p.commit();
  }
  p.query("SELECT id, note FROM $T ORDER BY id");
  p.commit();
}

// The catalog that is named before the connect is where names are looked for.
void catalog_before_the_connect(Program& p) {
  p.dbc = p.alloc_dbc();
  p.set_connect_text(p.dbc, SQL_ATTR_CURRENT_CATALOG, "information_schema");
  p.driver_connect(p.dbc, "DSN=" + p.dsn());
  p.run("INSERT INTO $T (id, note) VALUES (1201, 'x')");
  p.set_connect_text(p.dbc, SQL_ATTR_CURRENT_CATALOG, "information_schema");
  p.run("INSERT INTO $T (id, note) VALUES (1202, 'x')");
  p.query("SELECT COUNT(*) FROM SCHEMATA WHERE SCHEMA_NAME = 'information_schema'");
}

}  // namespace

void add_control_cases(Cases& all) {
  const auto add = [&](const char* name, std::vector<const char*> schema, void (*body)(Program&),
                       unsigned engines = kAll, bool own = false) {
    all.push_back({"Control", name, engines, std::move(schema), body, own});
  };
  add("ReturningUnderLimits", {kNarrow, kNineRows}, returning_under_limits);
  // Connector/ODBC has no timeout that ends a statement.
  add("RefusedBehindAWrite", {kNarrow}, refused_behind_a_write);
  add("Timeouts", {kNarrow, kNineRows}, timeouts, kPostgres);
  add("TimeoutsNotTaken", {kNarrow, kNineRows}, timeouts_not_taken, kSqlite | kMaria);
  add("CancelsOnMariadb", {kNarrow, kNineRows}, cancels_on_mariadb, kMaria);
  add("CancelsOnSqlite", {kNarrow, kNineRows}, cancels_on_sqlite, kSqlite);
  add("TransactionsThatEndByThemselves", {kNarrow, kNineRows}, transactions_that_end_by_themselves,
      kSqlite);
  add("EveryWordForAnEnd", {kNarrow}, every_word_for_an_end);
  add("EveryWordForABeginning", {kNarrow}, every_word_for_a_beginning);
  add("NamesOfSavepoints", {kNarrow}, names_of_savepoints);
  add("TransactionsInTwoPhases", {kNarrow, kNineRows}, transactions_in_two_phases,
      kPostgres | kMaria);
  add("PreparedAsTextOnMariadb", {kNarrow}, prepared_as_text_on_mariadb, kMaria);
  add("SettingsAtTheConnect",
      {"CREATE TABLE $T (id int PRIMARY KEY, note varchar(40), at timestamp NULL)", kNineRows},
      settings_at_the_connect, kMaria, true);
  add("SettingsAtTheConnectOfASchema",
      {kOfManyTypes, kNineRows, "CREATE SCHEMA $T_s",
       "CREATE TABLE $T_s.$T (id int PRIMARY KEY, note text, at timestamptz)"},
      settings_at_the_connect, kPostgres, true);
  add("FoundRowsAsCounts", {kNarrow, kNineRows}, found_rows_as_counts, kMaria, true);
  add("CatalogBeforeTheConnect", {kNarrow, kNineRows}, catalog_before_the_connect, kMaria, true);
}

}  // namespace understudy::parity
