// MariaDB: several statements in one text, and procedures that send results.
#include <iterator>
#include <string>

#include "tests/engine/parity/case.h"
#include "tests/engine/parity/program.h"

namespace understudy::parity {
namespace {

constexpr int kResultsMax = 8;

void run_batch(Program& p, const std::string& sql, bool prepared) {
  SQLHSTMT h = p.stmt();
  SQLINTEGER one = 1;
  if (sql.find('?') != std::string::npos) {
    p.bind_int(h, 1, &one);
    p.bind_int(h, 2, &one);
  }
  SQLRETURN ret = SQL_ERROR;
  if (prepared) {
    p.prepare(h, sql);
    ret = p.execute(h);
  } else {
    ret = p.exec(h, sql);
  }
  for (int i = 0; i < kResultsMax && SQL_SUCCEEDED(ret); ++i) {
    SQLSMALLINT columns = 0;
    p.num_result_cols(h, &columns);
    if (columns > 0) p.fetch_all(h, columns);
    p.row_count(h);
    p.header(h);
    ret = p.more_results(h);
  }
  p.row_count(h);
  p.more_results(h);
  p.drop(h);
}

/// Each text directly and prepared, in autocommit and without, with what it leaves behind.
void run_texts(Program& p, const std::initializer_list<const char*>& texts,
               const char* question = nullptr) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    for (const char* sql : texts) {
      for (const bool prepared : {false, true}) {
        p.run("DELETE FROM $T");
        run_batch(p, sql, prepared);
        if (question != nullptr) p.query(question);
        p.query("SELECT v, name FROM $T ORDER BY v, name");
        p.commit();
        p.query("SELECT v, name FROM $T ORDER BY v, name");
      }
    }
  }
}

void several_statements_of(Program& p, const std::initializer_list<const char*>& texts,
                           const char* question = nullptr) {
  if (!p.connect("OPTION=67108864;")) return;
  p.query("SELECT 1");
  run_texts(p, texts, question);
}

void several_statements(Program& p) {
  several_statements_of(
      p, {"INSERT INTO $T (v) VALUES (1); INSERT INTO $T (v) VALUES (2)",
          "INSERT INTO $T (v) VALUES (1), (2), (3); UPDATE $T SET v = v + 1 WHERE v > 1; "
          "SELECT v FROM $T ORDER BY v; DELETE FROM $T WHERE v = 3",
          "INSERT INTO $T (v) VALUES (1); INSERT INTO nowhere VALUES (2)",
          "INSERT INTO $T (v) VALUES (1); CALL $T_p(5); INSERT INTO $T (v) VALUES (2)"});
}
void several_statements_with_parameters(Program& p) {
  several_statements_of(p, {"INSERT INTO $T (v) VALUES (?); INSERT INTO $T (v) VALUES (1 + ?)",
                            "INSERT INTO $T (v) VALUES (?); UPDATE $T SET v = v + ? WHERE v > 0",
                            "INSERT INTO $T (v) VALUES (7); INSERT INTO $T (v) VALUES (?)"});
}
void several_statements_with_transactions(Program& p) {
  several_statements_of(
      p, {"BEGIN; INSERT INTO $T (v) VALUES (1); COMMIT; INSERT INTO $T (v) VALUES (2)",
          "BEGIN; INSERT INTO $T (v) VALUES (1); ROLLBACK; INSERT INTO $T (v) VALUES (2)",
          "INSERT INTO $T (v) VALUES (1); COMMIT; INSERT INTO $T (v) VALUES (2); ROLLBACK",
          "SAVEPOINT a; INSERT INTO $T (v) VALUES (1); ROLLBACK TO a"});
}

/// A statement that fails when it runs, and one that cannot even be prepared.
void several_statements_that_fail(Program& p) {
  several_statements_of(
      p,
      {"INSERT INTO nowhere VALUES (2); INSERT INTO $T (v) VALUES (1)",
       "INSERT INTO $T (id, v) VALUES (500, 1); INSERT INTO $T (id, v) VALUES (500, 2); "
       "INSERT INTO $T (v) VALUES (3)",
       "INSERT INTO $T (v) VALUES (1), (2); UPDATE $T SET id = 500 WHERE v > 0; DELETE FROM $T",
       "SELECT 1; INSERT INTO $T (v) VALUES (1); INSERT INTO nowhere VALUES (2); "
       "INSERT INTO $T (v) VALUES (3)",
       "INSERT INTO $T (id, v) VALUES (500, 1); INSERT INTO $T (id, v) VALUES (500, 2); "
       "INSERT INTO $T (v) VALUES (3); SELECT v FROM $T ORDER BY v",
       "SELECT 1; INSERT INTO $T (id, v) VALUES (500, 1); INSERT INTO $T (id, v) VALUES (500, 2)",
       "INSERT INTO $T (id, v) VALUES (500, ?); INSERT INTO $T (id, v) VALUES (500, ?); "
       "INSERT INTO $T (v) VALUES (3)",
       "INSERT INTO $T (v) VALUES (?); INSERT INTO nowhere VALUES (?); DELETE FROM $T"},
      "SHOW WARNINGS");
}

void several_statements_that_ask(Program& p) {
  several_statements_of(
      p,
      {"INSERT INTO $T (id, v) VALUES (600, 1), (601, 2); SELECT ROW_COUNT(), FOUND_ROWS()",
       "INSERT INTO $T (v) VALUES (?); SELECT ROW_COUNT(), LAST_INSERT_ID() > 0",
       "SELECT v FROM $T UNION SELECT 1; SELECT FOUND_ROWS(), ROW_COUNT(); SHOW WARNINGS",
       "SET @n = 7; INSERT INTO $T (v) VALUES (@n), (@n + 1); SET @n = ROW_COUNT(); "
       "UPDATE $T SET v = 10 * @n",
       "INSERT INTO $T (v) VALUES (1) RETURNING v, name; DELETE FROM $T WHERE v = 1 RETURNING v",
       "INSERT INTO $T (v) VALUES (5), (6); SELECT SQL_CALC_FOUND_ROWS v FROM $T LIMIT 1; "
       "SELECT FOUND_ROWS()",
       "INSERT INTO $T (v, name) VALUES (1, 'a;b'), (2, \"c?d\"); UPDATE $T SET name = '\\'; --' "
       "WHERE v = 2; INSERT IGNORE INTO $T (v, name) VALUES ('3x', 'n')"},
      "SELECT ROW_COUNT(), FOUND_ROWS()");
}

/// Of temporary tables, and of what is not there: others end a recording.
void several_statements_with_schema_changes(Program& p) {
  several_statements_of(
      p, {"INSERT INTO $T (v) VALUES (1); CREATE TEMPORARY TABLE $T_x (a int); "
          "INSERT INTO $T_x VALUES (3), (4); INSERT INTO $T (v) SELECT a FROM $T_x; "
          "DROP TEMPORARY TABLE $T_x",
          "INSERT INTO $T (v) VALUES (1); DROP TABLE IF EXISTS $T_gone; INSERT INTO $T (v) VALUES "
          "(2)",
          "INSERT INTO $T (v) VALUES (?); DROP TABLE IF EXISTS $T_gone; UPDATE $T SET v = v + ?",
          "INSERT INTO $T (v) VALUES (1); DROP TABLE $T_gone; INSERT INTO $T (v) VALUES (2)"});
}

/// What Connector/ODBC reads in a way of its own.
void several_statements_of_all_forms(Program& p) {
  several_statements_of(
      p, {"  INSERT INTO $T (v) VALUES (1) ;\n INSERT INTO $T (v) VALUES (2) ; ",
          "INSERT INTO $T (v) VALUES (1);; INSERT INTO $T (v) VALUES (2)",
          "INSERT INTO $T (v) VALUES (-1); INSERT INTO $T (v) VALUES (4 / 2)",
          "INSERT INTO $T (v) VALUES (?); INSERT INTO $T (v) VALUES (-2)",
          "-- one\nINSERT INTO $T (v) VALUES (1); # two\nINSERT INTO $T (v) VALUES (2) /* ; */",
          "INSERT INTO $T (v) VALUES (?); COMMIT",
          "INSERT INTO $T (v) VALUES (?); INSERT INTO $T (v) VALUES (2); ROLLBACK",
          "BEGIN; INSERT INTO $T (v) VALUES (?); ROLLBACK; INSERT INTO $T (v) VALUES (?)",
          "REPLACE INTO $T (v) VALUES (1); REPLACE INTO $T (v) VALUES (2)", "SELECT 1; SELECT 2, 3",
          "SELECT 1 FOR UPDATE; UPDATE $T SET v = 1",
          "BEGIN NOT ATOMIC INSERT INTO $T (v) VALUES (1); INSERT INTO $T (v) VALUES (2); END",
          "USE mysql; SELECT DATABASE()"});
}

/// A program that looks no further than at the first result.
void several_statements_left_unread(Program& p) {
  if (!p.connect("OPTION=67108864;")) return;
  for (const bool on : {true, false}) {
    p.autocommit(on);
    for (const char* sql : {"INSERT INTO $T (v) VALUES (1); SELECT v FROM $T ORDER BY v; SELECT 2",
                            "INSERT INTO $T (v) VALUES (1); INSERT INTO $T (v) VALUES (2)"}) {
      SQLHSTMT h = p.stmt();
      p.exec(h, sql);
      p.row_count(h);
      p.close(h);
      p.exec(h, "INSERT INTO $T (v) VALUES (9)");
      p.row_count(h);
      p.more_results(h);
      p.drop(h);
      p.query("SELECT v FROM $T ORDER BY v");
      p.commit();
    }
  }
}

constexpr SQLULEN kRows = 2;

/// Columns bound beforehand and between results, rows in blocks, and the same text again.
void several_statements_read_in_blocks(Program& p) {
  if (!p.connect("OPTION=67108864;")) return;
  SQLINTEGER v[kRows] = {};
  SQLLEN length[kRows] = {};
  char name[kRows][8] = {};
  SQLULEN fetched = 77;
  SQLINTEGER least = 1;
  for (const bool prepared : {true, false}) {
    SQLHSTMT h = p.stmt();
    p.set_stmt_attr(h, SQL_ATTR_CURSOR_TYPE, SQL_CURSOR_STATIC);
    p.set_stmt_attr(h, SQL_ATTR_ROW_ARRAY_SIZE, kRows);
    p.set_stmt_pointer(h, SQL_ATTR_ROWS_FETCHED_PTR, &fetched);
    p.bind_col(h, 1, SQL_C_SLONG, v, sizeof(v[0]), length);
    p.bind_int(h, 1, &least);
    const char* sql =
        "SELECT v FROM $T WHERE v >= ? ORDER BY v; INSERT INTO $T (v, name) VALUES (4, 'four') "
        "RETURNING v, name; SELECT v, name FROM $T ORDER BY id; DELETE FROM $T WHERE v = 4";
    if (prepared) p.prepare(h, sql);
    for (least = 1; least <= 3; ++least) {
      p.run("DELETE FROM $T");
      p.run("INSERT INTO $T (v, name) VALUES (1, 'one'), (2, NULL), (3, 'three')");
      SQLRETURN ret = prepared ? p.execute(h) : p.exec(h, sql);
      for (int i = 0; i < kResultsMax && SQL_SUCCEEDED(ret); ++i) {
        SQLSMALLINT columns = 0;
        p.num_result_cols(h, &columns);
        // Without columns a fetch of Connector/ODBC succeeds for ever.
        while (columns > 0 && SQL_SUCCEEDED(p.fetch_scroll(h, SQL_FETCH_NEXT))) {
          p.note("fetched", {static_cast<SQLLEN>(fetched), v[0], v[1]});
          if (i == 2) p.note(std::string(name[0]) + " " + name[1], length[0]);
          p.query("SELECT COUNT(*) FROM $T");
        }
        if (i == 0) p.fetch_scroll(h, SQL_FETCH_LAST);
        if (i == 1) p.bind_col(h, 2, SQL_C_CHAR, name, sizeof(name[0]), length);
        p.row_count(h);
        ret = p.more_results(h);
      }
      if (least == 2) {
        p.close_cursor(h);
        p.free_stmt(h, SQL_UNBIND);
      } else {
        p.close(h);
      }
    }
    p.free_stmt(h, SQL_RESET_PARAMS);
    p.exec(h, "UPDATE $T SET v = v + 1");
    p.row_count(h);
    p.more_results(h);
    p.drop(h);
    p.query("SELECT v, name FROM $T ORDER BY id");
  }
}

constexpr SQLULEN kSets = 3;

struct Sets {
  SQLINTEGER column[kSets] = {1, 2, 3};
  struct Row {
    SQLINTEGER values[3];
  } rows[kSets] = {{{1, 1, 1}}, {{2, 2, 2}}, {{3, 3, 3}}};
  SQLUSMALLINT status[kSets] = {77, 77, 77};
  SQLULEN processed = 77;
};

void run_array(Program& p, const std::string& sql, bool prepared, bool by_row) {
  Sets sets;
  SQLHSTMT h = p.stmt();
  p.set_stmt_attr(h, SQL_ATTR_PARAMSET_SIZE, kSets);
  p.set_stmt_pointer(h, SQL_ATTR_PARAM_STATUS_PTR, sets.status);
  p.set_stmt_pointer(h, SQL_ATTR_PARAMS_PROCESSED_PTR, &sets.processed);
  if (by_row) p.set_stmt_attr(h, SQL_ATTR_PARAM_BIND_TYPE, sizeof(Sets::Row));
  for (SQLUSMALLINT i = 0; i < 3; ++i) {
    p.bind_int(h, static_cast<SQLUSMALLINT>(i + 1), by_row ? &sets.rows[0].values[i] : sets.column);
  }
  if (prepared) p.prepare(h, sql);
  SQLRETURN ret = prepared ? p.execute(h) : p.exec(h, sql);
  p.note("sets",
         {sets.status[0], sets.status[1], sets.status[2], static_cast<SQLLEN>(sets.processed)});
  p.row_count(h);
  p.header(h);
  // Behind a failure Connector/ODBC goes on to statements that it has not prepared, and crashes.
  const bool further = ret == SQL_SUCCESS || (ret == SQL_SUCCESS_WITH_INFO && prepared);
  for (int i = 0; i < kResultsMax && further && SQL_SUCCEEDED(ret); ++i) {
    SQLSMALLINT columns = 0;
    p.num_result_cols(h, &columns);
    if (columns > 0) p.fetch_all(h, columns);
    p.row_count(h);
    p.header(h);
    ret = p.more_results(h);
  }
  p.drop(h);
}

/// Each statement runs with all sets before the next does, until one of a set has failed.
void several_statements_with_arrays(Program& p) {
  if (!p.connect("OPTION=67108864;")) return;
  for (const bool on : {true, false}) {
    p.autocommit(on);
    for (const char* sql :
         {"INSERT INTO $T (v) VALUES (?); UPDATE $T SET v = v + 1 WHERE v > ?",
          "DELETE FROM $T WHERE v > ?; INSERT INTO $T (v) VALUES (?), (?)",
          "UPDATE $T SET v = v + 1 WHERE v < ?; INSERT INTO $T (v) VALUES (?); "
          "SELECT v FROM $T WHERE v <> ? ORDER BY v",
          "INSERT INTO $T (id, v) VALUES (?, 1); INSERT INTO $T (id, v) VALUES (2 * ?, 2); "
          "INSERT INTO $T (v) VALUES (?)",
          "DELETE FROM $T WHERE v > ?; INSERT INTO $T (id, v) VALUES (1000 + ? * (3 - ?), 2)",
          "INSERT INTO $T (v) VALUES (?); INSERT INTO nowhere VALUES (?); DELETE FROM $T WHERE v = "
          "?"}) {
      for (const bool prepared : {false, true}) {
        for (const bool by_row : {false, true}) {
          p.run("DELETE FROM $T");
          p.run("INSERT INTO $T (id, v) VALUES (100, 2), (101, 3)");
          run_array(p, sql, prepared, by_row);
          p.query("SELECT v, name FROM $T ORDER BY v, name");
          p.commit();
          p.query("SELECT v, name FROM $T ORDER BY v, name");
        }
      }
    }
  }
}

/// The statements before the one with a parameter that is not bound stand.
void several_statements_with_unbound_parameters(Program& p) {
  if (!p.connect("OPTION=67108864;")) return;
  SQLINTEGER one = 1;
  for (const bool on : {true, false}) {
    p.autocommit(on);
    for (const bool prepared : {false, true}) {
      SQLHSTMT h = p.stmt();
      p.bind_int(h, 1, &one);
      const char* sql =
          "INSERT INTO $T (v) VALUES (?); INSERT INTO $T (v) VALUES (1 + ?); DELETE FROM $T";
      if (prepared) p.prepare(h, sql);
      const SQLRETURN ret = prepared ? p.execute(h) : p.exec(h, sql);
      p.note("executed", ret);
      p.query("SELECT v FROM $T ORDER BY v");
      if (prepared) {
        p.bind_int(h, 2, &one);
        p.execute(h);
        p.row_count(h);
      }
      p.drop(h);
      p.query("SELECT v FROM $T ORDER BY v");
      p.commit();
    }
  }
}

/// Of a failure in the middle the next statement with parameters is not run.
void several_statements_behind_a_failure(Program& p) {
  several_statements_of(
      p, {"INSERT INTO $T (id, v) VALUES (500, ?); INSERT INTO $T (id, v) VALUES (500, 7); "
          "INSERT INTO $T (v) VALUES (8); INSERT INTO $T (v) VALUES (?); DELETE FROM $T"});
}

/// What is not told apart is counted.
void several_statements_not_told_apart(Program& p) {
  if (!p.connect("OPTION=67108864;")) return;
  const char* sql = "INSERT INTO $T (v) VALUES (?); UPDATE $T SET v = v + 1 WHERE v = ?";
  for (const bool on : {true, false}) {
    p.autocommit(on);
    SQLINTEGER ones[kRows] = {1, 2};
    SQLHSTMT h = p.stmt();
    p.bind_int(h, 1, ones);
    p.bind_int(h, 2, ones);
    p.set_stmt_attr(h, SQL_ATTR_PARAMSET_SIZE, kRows);
    p.exec(h, sql);
    p.row_count(h);
    p.close(h);
    p.set_stmt_attr(h, SQL_ATTR_PARAMSET_SIZE, 1);
    SQLLEN later = SQL_DATA_AT_EXEC;
    p.bind_parameter(h, 2, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_VARCHAR, 10, 0,
                     reinterpret_cast<SQLPOINTER>(22), 0, &later);
    p.prepare(h, sql);
    p.execute(h);
    p.cancel(h);
    p.free_stmt(h, SQL_RESET_PARAMS);
    p.bind_int(h, 1, ones);
    p.exec(h, sql);
    p.drop(h);
    p.query("SELECT v FROM $T ORDER BY v");
    p.commit();
  }
}

void several_statements_refused(Program& p) {
  run_texts(p, {"INSERT INTO $T (v) VALUES (1); INSERT INTO $T (v) VALUES (2)",
                "INSERT INTO $T (v) VALUES (?); INSERT INTO $T (v) VALUES (?)",
                "INSERT INTO $T (v) VALUES (1); COMMIT", "SELECT 1; SELECT 2"});
}

// The client's own statement around a body of several; the script goes on with a semicolon.
#define UNDERSTUDY_PROCEDURE_OF(definer, name, parameters, body)                         \
  "DELIMITER //\nCREATE DEFINER = " definer " PROCEDURE " name parameters " BEGIN " body \
  " END//\nDELIMITER "
#define UNDERSTUDY_PROCEDURE(definer, name, body) \
  UNDERSTUDY_PROCEDURE_OF(definer, name, "(n int)", body)

constexpr const char* kProcedures[] = {
    "CREATE TABLE $T (id $serial, v int, name varchar(12))",
    UNDERSTUDY_PROCEDURE("app@'%'", "$T_seen",
                         "INSERT INTO $T (id, v) VALUES (n, 1); "
                         "INSERT INTO $T (id, v) VALUES (n, 2);"),
    UNDERSTUDY_PROCEDURE("CURRENT_USER", "$T_unseen",
                         "INSERT INTO $T (id, v) VALUES (n, 1); "
                         "INSERT INTO $T (id, v) VALUES (n, 2);"),
    UNDERSTUDY_PROCEDURE("app@'%'", "$T_caught",
                         "DECLARE EXIT HANDLER FOR 1062 INSERT INTO $T (v) VALUES (9); "
                         "INSERT INTO $T (id, v) VALUES (n, 1); "
                         "INSERT INTO $T (id, v) VALUES (n, 2);"),
    UNDERSTUDY_PROCEDURE("app@'%'", "$T_ends",
                         "INSERT INTO $T (id, v) VALUES (n, 1); ROLLBACK; "
                         "INSERT INTO $T (v) VALUES (3); COMMIT;"),
    UNDERSTUDY_PROCEDURE("app@'%'", "$T_begins",
                         "START TRANSACTION; INSERT INTO $T (id, v) VALUES (n, 1); ROLLBACK; "
                         "INSERT INTO $T (v) VALUES (3);"),
    UNDERSTUDY_PROCEDURE("app@'%'", "$T_late",
                         "INSERT INTO $T (id, v) VALUES (n, 1); SELECT v FROM $T; "
                         "INSERT INTO $T (id, v) VALUES (n, 2); SELECT 3;"),
    UNDERSTUDY_PROCEDURE("app@'%'", "$T_written",
                         "INSERT INTO $T (v) VALUES (n); INSERT INTO $T (v) VALUES (n + 1);")};

constexpr const char* kFailing[] = {
    "CREATE TABLE $T (id $serial, v int, name varchar(12))",
    UNDERSTUDY_PROCEDURE("app@'%'", "$T_twice",
                         "INSERT INTO $T (id, v) VALUES (n, 1); UPDATE $T SET name = 'one'; "
                         "INSERT INTO $T (id, v) VALUES (n, 2); DELETE FROM $T;"),
    UNDERSTUDY_PROCEDURE("app@'%'", "$T_outer",
                         "INSERT INTO $T (v) VALUES (n + 1); CALL $T_twice(n); DELETE FROM $T;"),
    UNDERSTUDY_PROCEDURE("app@'%'", "$T_signals",
                         "INSERT INTO $T (v) VALUES (n); "
                         "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'enough';"),
    UNDERSTUDY_PROCEDURE("app@'%'", "$T_checks",
                         "IF n > 5 THEN SIGNAL SQLSTATE '45000'; END IF; "
                         "INSERT INTO $T (v) VALUES (n);")};

constexpr const char* kSending[] = {
    "CREATE TABLE $T (id $serial, v int, name varchar(12))",
    UNDERSTUDY_PROCEDURE("app@'%'", "$T_put", "INSERT INTO $T (v) VALUES (n), (n + 1);"),
    UNDERSTUDY_PROCEDURE("app@'%'", "$T_back",
                         "INSERT INTO $T (v) VALUES (n), (n + 1) RETURNING v, name;"),
    UNDERSTUDY_PROCEDURE("app@'%'", "$T_two",
                         "INSERT INTO $T (v) VALUES (n), (n + 1); SELECT v, name FROM $T ORDER BY "
                         "v; UPDATE $T SET v = v + 10 WHERE v = n; SELECT COUNT(*) AS many, "
                         "MAX(v) FROM $T;"),
    UNDERSTUDY_PROCEDURE("app@'%'", "$T_cursor",
                         "DECLARE x int; DECLARE done int DEFAULT 0; "
                         "DECLARE c CURSOR FOR SELECT v FROM $T; "
                         "DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1; "
                         "INSERT INTO $T (v) VALUES (n), (n + 1); OPEN c; "
                         "l: LOOP FETCH c INTO x; IF done THEN LEAVE l; END IF; "
                         "UPDATE $T SET name = x WHERE v = x; END LOOP; CLOSE c; "
                         "SELECT v, name FROM $T ORDER BY v;"),
    UNDERSTUDY_PROCEDURE("app@'%'", "$T_nested", "CALL $T_put(n); SELECT COUNT(*) FROM $T;"),
    UNDERSTUDY_PROCEDURE("app@'%'", "$T_maybe",
                         "INSERT INTO $T (v) VALUES (n); IF n > 5 THEN SELECT n; END IF;"),
    UNDERSTUDY_PROCEDURE("app@'%'", "$T_refuses",
                         "IF n > 5 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END IF; "
                         "SELECT n;")};

constexpr const char* kGivingBack[] = {
    "CREATE TABLE $T (id $serial, v int, name varchar(12))",
    UNDERSTUDY_PROCEDURE_OF("app@'%'", "$T_give", "(IN a int, OUT b int, INOUT c varchar(12))",
                            "INSERT INTO $T (v, name) VALUES (a, c); "
                            "SET b = NULLIF(a, 3) + 1, c = CONCAT(c, '!');")};

/// Procedures of several statements: under autocommit each commits by itself.
void calls_of_several_statements(Program& p) {
  run_texts(p,
            {"CALL $T_written(1)", "CALL $T_seen(700)", "CALL $T_unseen(701)", "CALL $T_late(705)",
             "CALL $T_caught(702)", "CALL $T_ends(703)", "CALL $T_begins(704)"});
}

/// What they have written before they fail stands, and is recorded.
void calls_that_fail(Program& p) {
  run_texts(p,
            {"CALL $T_twice(700)", "{call $T_outer(720)}", "CALL $T_signals(1)",
             "CALL $T_checks(9)", "CALL $T_checks(1)", "CALL $T_twice()"},
            "SHOW WARNINGS");
  for (const bool on : {true, false}) {
    p.autocommit(on);
    SQLINTEGER n = 740;
    SQLHSTMT h = p.stmt();
    p.bind_int(h, 1, &n);
    p.prepare(h, "CALL $T_twice(?)");
    for (; n < 743; ++n) {
      p.execute(h);
      p.row_count(h);
      p.header(h);
    }
    p.drop(h);
    p.query("SELECT id, v, name FROM $T ORDER BY id");
    p.commit();
  }
}

/// The results of a call are all there when it is over, and it is committed before they are read.
void calls_with_results(Program& p) {
  run_texts(p,
            {"CALL $T_back(5)", "{call $T_back(7)}", "CALL $T_two(1)", "CALL $T_cursor(1)",
             "CALL $T_nested(2)", "CALL $T_maybe(1)", "CALL $T_maybe(7)", "CALL $T_refuses(1)",
             "CALL $T_refuses(7)", "CALL $T_nowhere(1)", "CALL $T_two()"},
            "SELECT ROW_COUNT()");
}

// NO_CACHE and FORWARD_ONLY: Connector/ODBC leaves rows with the server until they are fetched.
void calls_with_rows_left_there(Program& p) {
  if (p.connect("OPTION=3145728;")) calls_with_results(p);
}

/// A program that looks at the first of them, or at none, and goes on.
void calls_with_results_left_unread(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    SQLINTEGER n = 1;
    SQLHSTMT h = p.stmt();
    p.bind_int(h, 1, &n);
    p.prepare(h, "CALL $T_two(?)");
    for (n = 1; n < 4; ++n) {
      p.execute(h);
      if (n == 1) p.fetch_all(h, 2);
      p.close(h);
      p.query("SELECT v, name FROM $T ORDER BY v");
    }
    p.exec(h, "{call $T_two(?)}");
    p.fetch(h);
    p.more_results(h);
    p.close_cursor(h);
    p.drop(h);
    p.query("SELECT v, name FROM $T ORDER BY v");
    p.commit();
  }
}

/// Columns bound beforehand and between results, rows in blocks.
void calls_with_results_in_blocks(Program& p) {
  SQLINTEGER v[kRows] = {};
  SQLLEN length[kRows] = {};
  char name[kRows][8] = {};
  SQLULEN fetched = 77;
  for (const bool on : {true, false}) {
    p.autocommit(on);
    p.run("DELETE FROM $T");
    SQLHSTMT h = p.stmt();
    p.set_stmt_attr(h, SQL_ATTR_CURSOR_TYPE, SQL_CURSOR_STATIC);
    p.set_stmt_attr(h, SQL_ATTR_ROW_ARRAY_SIZE, kRows);
    p.set_stmt_pointer(h, SQL_ATTR_ROWS_FETCHED_PTR, &fetched);
    p.bind_col(h, 1, SQL_C_SLONG, v, sizeof(v[0]), length);
    for (int time = 0; time < 2; ++time) {
      SQLRETURN ret = p.exec(h, "CALL $T_two(1)");
      for (int i = 0; i < kResultsMax && SQL_SUCCEEDED(ret); ++i) {
        SQLSMALLINT columns = 0;
        p.num_result_cols(h, &columns);
        while (columns > 0 && SQL_SUCCEEDED(p.fetch_scroll(h, SQL_FETCH_NEXT))) {
          p.note(name[0], {static_cast<SQLLEN>(fetched), v[0], v[1]});
        }
        if (i == 0) p.fetch_scroll(h, SQL_FETCH_FIRST);
        if (i == 0) p.bind_col(h, 2, SQL_C_CHAR, name, sizeof(name[0]), length);
        ret = p.more_results(h);
      }
      p.close(h);
    }
    p.drop(h);
    p.commit();
  }
}

void calls_that_give_back(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    for (const bool prepared : {false, true}) {
      SQLINTEGER a = 1;
      SQLINTEGER b = 77;
      SQLLEN a_length = 0;
      SQLLEN b_length = 77;
      char c[12] = "so";
      SQLLEN c_length = SQL_NTS;
      SQLHSTMT h = p.stmt();
      p.bind_int(h, 1, &a, &a_length);
      p.bind_parameter(h, 2, SQL_PARAM_OUTPUT, SQL_C_SLONG, SQL_INTEGER, 10, 0, &b, sizeof(b),
                       &b_length);
      p.bind_parameter(h, 3, SQL_PARAM_INPUT_OUTPUT, SQL_C_CHAR, SQL_VARCHAR, 12, 0, c, sizeof(c),
                       &c_length);
      if (prepared) p.prepare(h, "CALL $T_give(?, ?, ?)");
      for (a = 1; a < 5; ++a) {
        SQLRETURN ret = prepared ? p.execute(h) : p.exec(h, "{call $T_give(?, ?, ?)}");
        p.note(c, {b, b_length, c_length});
        p.row_count(h);
        p.header(h);
        for (int i = 0; i < kResultsMax && a > 1 && SQL_SUCCEEDED(ret); ++i) {
          SQLSMALLINT columns = 0;
          p.num_result_cols(h, &columns);
          if (columns > 0) p.fetch_all(h, columns);
          p.row_count(h);
          ret = p.more_results(h);
        }
        p.close(h);
      }
      p.drop(h);
      p.query("SELECT ROW_COUNT()");
      p.query("SELECT v, name FROM $T ORDER BY id");
      p.commit();
    }
  }
}

/// Counted: the account may not see the procedure, or it is called by a text that is put together.
void calls_not_seen(Program& p) {
  run_texts(p, {"CALL $T_q(5)", "{call $T_q(7)}", "EXECUTE IMMEDIATE 'CALL $T_q(9)'"});
}

}  // namespace

void add_maria_batch_cases(Cases& all) {
  const auto add = [&](const char* name, void (*body)(Program&), bool own = true) {
    all.push_back({"Maria",
                   name,
                   kMaria,
                   {"CREATE TABLE $T (id $serial, v int, name varchar(12))",
                    "CREATE PROCEDURE $T_p(n int) INSERT INTO $T (v) VALUES (n), (n + 1)",
                    "CREATE PROCEDURE $T_q(n int) INSERT INTO $T (v) VALUES (n), (n + 1) RETURNING "
                    "v, name"},
                   body,
                   own});
  };
  add("CallsNotSeen", calls_not_seen, false);
  all.push_back({"Maria",
                 "CallsWithResults",
                 kMaria,
                 {std::begin(kSending), std::end(kSending)},
                 calls_with_results});
  all.push_back({"Maria",
                 "CallsWithRowsLeftThere",
                 kMaria,
                 {std::begin(kSending), std::end(kSending)},
                 calls_with_rows_left_there,
                 true});
  all.push_back({"Maria",
                 "CallsWithResultsLeftUnread",
                 kMaria,
                 {std::begin(kSending), std::end(kSending)},
                 calls_with_results_left_unread});
  all.push_back({"Maria",
                 "CallsWithResultsInBlocks",
                 kMaria,
                 {std::begin(kSending), std::end(kSending)},
                 calls_with_results_in_blocks});
  all.push_back({"Maria",
                 "CallsThatFail",
                 kMaria,
                 {std::begin(kFailing), std::end(kFailing)},
                 calls_that_fail});
  all.push_back({"Maria",
                 "CallsThatGiveBack",
                 kMaria,
                 {std::begin(kGivingBack), std::end(kGivingBack)},
                 calls_that_give_back});
  all.push_back({"Maria",
                 "CallsOfSeveralStatements",
                 kMaria,
                 {std::begin(kProcedures), std::end(kProcedures)},
                 calls_of_several_statements});
  add("MariaBatches", several_statements);
  add("MariaBatchesWithParameters", several_statements_with_parameters);
  add("MariaBatchesWithTransactions", several_statements_with_transactions);
  add("MariaBatchesThatFail", several_statements_that_fail);
  add("MariaBatchesThatAsk", several_statements_that_ask);
  add("MariaBatchesWithSchemaChanges", several_statements_with_schema_changes);
  add("MariaBatchesOfAllForms", several_statements_of_all_forms);
  add("MariaBatchesLeftUnread", several_statements_left_unread);
  add("MariaBatchesInBlocks", several_statements_read_in_blocks);
  add("MariaBatchesWithArrays", several_statements_with_arrays);
  add("MariaBatchesWithUnboundParameters", several_statements_with_unbound_parameters);
  add("MariaBatchesBehindAFailure", several_statements_behind_a_failure);
  add("MariaBatchesNotToldApart", several_statements_not_told_apart);
  add("MariaBatchesRefused", several_statements_refused, false);
}

}  // namespace understudy::parity
