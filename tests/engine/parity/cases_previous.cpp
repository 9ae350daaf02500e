// MariaDB: texts that ask about the statement before.
#include <string>
#include <vector>

#include "tests/engine/parity/program.h"

namespace understudy::parity {
namespace {

const char* const kWrites[] = {
    "INSERT INTO $T (v) VALUES (1)",
    "INSERT INTO $T (v) VALUES (2), (3), (4)",
    "INSERT INTO $T (id, v) VALUES (50, 5)",
    "INSERT INTO $T (v) SELECT v + 10 FROM $T WHERE v < 4",
    "INSERT IGNORE INTO $T (id, v) VALUES (50, 6), (51, 6)",
    "INSERT INTO $T (id, v) VALUES (50, 7) ON DUPLICATE KEY UPDATE v = v + 1",
    "INSERT INTO $T (id, v) VALUES (50, 7), (60, 1) ON DUPLICATE KEY UPDATE v = v + 1",
    "INSERT INTO $T (u, v) VALUES (50, 7) ON DUPLICATE KEY UPDATE u = u + 1",
    "REPLACE INTO $T (id, v) VALUES (50, 8)",
    "REPLACE INTO $T (id, v) SELECT id, v + 1 FROM $T WHERE id >= 50",
    "UPDATE $T SET v = v + 1 WHERE v BETWEEN 2 AND 4",
    "UPDATE $T SET v = v WHERE id = 50",
    "UPDATE $T SET v = 9 WHERE id = 50",
    "UPDATE $T SET id = id + 1 WHERE id = 60",
    "UPDATE $T a, $T b SET a.v = 3 WHERE a.id = b.id AND b.v > 8",
    "UPDATE $T SET v = v + 1 WHERE v IN (SELECT 3 UNION SELECT 4)",
    "UPDATE $T SET name = 'abcdef' WHERE v > 3",
    "UPDATE $T SET d = d + 0.12345 WHERE v > 3",
    "UPDATE IGNORE $T SET name = 'abcdefg' WHERE v > 3",
    "UPDATE $T a, $T b SET a.name = 'uvwxyz' WHERE a.id = b.id AND b.v > 8",
    "INSERT INTO $T (name) VALUES ('abcdef')",
    "INSERT INTO $T (id, name) VALUES (50, 'abcdef') ON DUPLICATE KEY UPDATE name = 'klmnop'",
    "REPLACE INTO $T (id, name) VALUES (50, 'qrstuv')",
    "INSERT INTO $T (id, v) VALUES (50, 1)",
    "UPDATE $T SET id = 50",
    "DELETE FROM nowhere",
    "SELECT nonsense",
    "DELETE FROM $T WHERE v = 3 LIMIT 1",
    "DELETE FROM $T WHERE v = 1000",
    "SELECT v FROM $T WHERE v < 3",
    "SELECT SQL_CALC_FOUND_ROWS id FROM $T LIMIT 2",
    "DELETE a FROM $T a JOIN $T b ON a.id = b.id WHERE b.v = 4",
    "DELETE FROM $T WHERE id = 50 RETURNING id, name",
    "INSERT INTO $T (v) VALUES (1) RETURNING v",
    "CALL $T_p(2)",
    "SET @kept = 1",
    "DELETE FROM $T",
};

/// Every write, and after it what the text tells of it.
void ask_after_each(Program& p, const std::vector<const char*>& questions) {
  p.run("SET SESSION sql_mode = ''");
  for (const bool on : {true, false}) {
    p.autocommit(on);
    for (const char* write : kWrites) {
      for (const char* question : questions) {
        p.note(write);
        p.run("SELECT 1 UNION SELECT 2 UNION SELECT 3");
        p.run(write);
        p.query(question);
      }
    }
    if (!on) p.commit();
  }
}

void row_count_as_text(Program& p) {
  ask_after_each(p, {"SELECT ROW_COUNT()"});
}
void found_rows_as_text(Program& p) {
  ask_after_each(p, {"SELECT FOUND_ROWS()"});
}
void several_functions(Program& p) {
  ask_after_each(p, {"SELECT ROW_COUNT() AS n, FOUND_ROWS() + 1, LAST_INSERT_ID(), @@identity, "
                     "@@last_insert_id, @@insert_id, @@warning_count, @@error_count, "
                     "@@in_transaction, @@autocommit"});
}
void warnings_as_text(Program& p) {
  ask_after_each(p, {"SHOW WARNINGS", "SHOW COUNT(*) WARNINGS", "SHOW ERRORS",
                     "SHOW COUNT(*) ERRORS", "SELECT @@warning_count, @@error_count"});
}

void diagnostics_as_text(Program& p) {
  p.run("SET SESSION sql_mode = ''");
  for (const bool on : {true, false}) {
    p.autocommit(on);
    for (const char* write : kWrites) {
      p.note(write);
      p.run(write);
      p.run("GET DIAGNOSTICS @n = NUMBER, @r = ROW_COUNT");
      p.query("SELECT @n, @r, ROW_COUNT()");
      p.run(write);
      p.run("GET DIAGNOSTICS CONDITION 1 @m = MESSAGE_TEXT, @s = RETURNED_SQLSTATE");
      p.query("SELECT @m, @s");
    }
    if (!on) p.commit();
  }
}

void prepared_questions(Program& p) {
  p.run("SET SESSION sql_mode = ''");
  SQLHSTMT count = p.stmt();
  SQLHSTMT found = p.stmt();
  SQLHSTMT write = p.stmt();
  SQLINTEGER v = 0;
  p.prepare(count,
            "SELECT row_count(), row_count() + 5 five, if(row_count() < 0, 'error', 'fine')");
  p.prepare(found, "SELECT found_rows() FROM (SELECT 1) AS one WHERE found_rows() >= 0");
  for (SQLUSMALLINT column = 1; column <= 3; ++column) p.describe_col(count, column);
  p.prepare(write, "UPDATE $T SET v = v + 1, name = 'abcdef' WHERE v > ?");
  p.bind_int(write, 1, &v);
  for (const bool on : {true, false}) {
    p.autocommit(on);
    p.run("INSERT INTO $T (v) VALUES (1), (2), (3), (4)");
    for (v = 0; v < 4; ++v) {
      p.query("SELECT v FROM $T");
      p.execute(write);
      p.row_count(write);
      p.execute(count);
      p.rows(count);
      p.close(count);
      p.query("SELECT v FROM $T WHERE v > 2");
      p.execute(write);
      p.execute(found);
      p.rows(found);
      p.close(found);
      p.execute(write);
      p.query("SHOW WARNINGS");
    }
    if (!on) p.commit();
  }
}

void questions_in_other_statements(Program& p) {
  p.query("SELECT 1");
  for (const bool on : {true, false}) {
    p.autocommit(on);
    p.run("INSERT INTO $T (v) VALUES (1), (2), (3)");
    p.run("INSERT INTO $T (v) VALUES (ROW_COUNT())");
    p.run("UPDATE $T SET v = v + 1 WHERE v < 4");
    p.run("UPDATE $T SET u = ROW_COUNT() WHERE u IS NULL LIMIT 1");
    p.run("DELETE FROM $T WHERE v = 3");
    p.run("SET @n = ROW_COUNT(), @f = FOUND_ROWS()");
    p.query("SELECT @n, @f");
    p.query("SELECT ROW_COUNT(), 'ROW_COUNT()' AS `FOUND_ROWS()`, ( SELECT 1 ) -- ROW_COUNT()");
    p.run("INSERT INTO $T (v) VALUES (7)");
    p.query("SELECT /* ROW_COUNT() */ DISTINCT ROW_COUNT() , row_count( ) FROM $T");
    p.run("INSERT INTO $T (v) VALUES (7)");
    p.run("SELECT ROW_COUNT() FROM WHERE");
    p.run("SELECT ROW_COUNT(1)");
    p.run("INSERT INTO $T (v) VALUES (8)");
    SQLHSTMT h = p.stmt();
    p.tables(h, nullptr, nullptr, "nothing", nullptr);
    p.drop(h);
    p.query("SELECT ROW_COUNT()");
    p.run("INSERT INTO $T (v) VALUES (8)");
    p.run("COMMIT");
    p.query("SELECT ROW_COUNT()");
    if (!on) p.commit();
  }
  p.query("SELECT v, u FROM $T ORDER BY v, u");
}

void transactions_as_seen(Program& p) {
  p.query("SELECT @@in_transaction, @@autocommit");
  p.run("INSERT INTO $T (v) VALUES (1)");
  p.query("SELECT @@in_transaction, @@autocommit");
  p.autocommit(false);
  p.query("SELECT @@in_transaction, @@autocommit");
  p.run("INSERT INTO nowhere VALUES (1)");
  p.query("SELECT @@in_transaction, @@autocommit");
  p.run("UPDATE $T SET nothing = 1");
  p.query("SELECT @@in_transaction, @@autocommit");
  p.run("INSERT INTO $T (v) VALUES (1)");
  p.query("SELECT @@in_transaction, @@autocommit");
  p.commit();
  p.query("SELECT @@in_transaction, @@autocommit");
  p.autocommit(true);
  p.run("BEGIN");
  p.query("SELECT @@in_transaction, @@autocommit");
  p.run("INSERT INTO $T (v) VALUES (1)");
  p.run("ROLLBACK");
  p.query("SELECT @@in_transaction, @@autocommit");
}

}  // namespace

void add_previous_cases(Cases& all) {
  const auto add = [&](const char* name, void (*body)(Program&)) {
    all.push_back({"Previous",
                   name,
                   kMaria,
                   {"CREATE TABLE $T (id $serial, v int, u int UNIQUE, name varchar(3), "
                    "d decimal(10,2) DEFAULT 1)",
                    "CREATE PROCEDURE $T_p(n int) UPDATE $T SET v = v + n WHERE v < 3"},
                   body,
                   false});
  };
  add("RowCountAsText", row_count_as_text);
  add("FoundRowsOfQueries", found_rows_as_text);
  add("SeveralFunctions", several_functions);
  add("WarningsAsText", warnings_as_text);
  add("DiagnosticsAsText", diagnostics_as_text);
  add("PreparedQuestions", prepared_questions);
  add("QuestionsInOtherStatements", questions_in_other_statements);
  add("TransactionsAsSeen", transactions_as_seen);
}

}  // namespace understudy::parity
