// Transactions: through ODBC, as text, under every rollback level of psqlodbc.
#include "tests/engine/parity/case.h"
#include "tests/engine/parity/program.h"

namespace understudy::parity {
namespace {

void commits_and_rolls_back(Program& p) {
  p.autocommit(false);
  p.run("INSERT INTO $T (v) VALUES (1)");
  p.commit();
  p.run("INSERT INTO $T (v) VALUES (2)");
  p.rollback();
  p.run("INSERT INTO $T (v) VALUES (3)");
  p.end_tran(SQL_HANDLE_ENV, p.env, SQL_COMMIT);
  p.run("INSERT INTO $T (v) VALUES (4)");
  p.end_tran(SQL_HANDLE_ENV, p.env, SQL_ROLLBACK);
  p.commit();
  p.rollback();
  p.end_tran(SQL_HANDLE_DBC, p.dbc, 7);
  p.query("SELECT v FROM $T ORDER BY v");
  p.commit();
}

void autocommit_on_commits(Program& p) {
  p.autocommit(false);
  p.run("INSERT INTO $T (v) VALUES (1)");
  p.autocommit(true);
  p.get_connect_attr(p.dbc, SQL_ATTR_AUTOCOMMIT);
  p.rollback();
  p.run("INSERT INTO $T (v) VALUES (2)");
  p.commit();
  p.autocommit(true);
  p.autocommit(false);
  p.autocommit(false);
  p.run("INSERT INTO $T (v) VALUES (3)");
  p.rollback();
  p.query("SELECT v FROM $T ORDER BY v");
  p.commit();
}

void transactions_as_text(Program& p) {
  p.run("BEGIN");
  p.run("INSERT INTO $T (v) VALUES (1)");
  p.run("COMMIT");
  p.run("BEGIN");
  p.run("INSERT INTO $T (v) VALUES (2)");
  p.run("ROLLBACK");
  p.run("BEGIN");
  p.run("INSERT INTO $T (v) VALUES (3)");
  p.run("SAVEPOINT a");
  p.run("INSERT INTO $T (v) VALUES (4)");
  p.run("ROLLBACK TO SAVEPOINT a");
  p.run("INSERT INTO $T (v) VALUES (5)");
  p.run("SAVEPOINT b");
  p.run("INSERT INTO $T (v) VALUES (6)");
  p.run("RELEASE SAVEPOINT b");
  p.run("COMMIT");
  p.query("SELECT v FROM $T ORDER BY v");
  p.run("COMMIT");
  p.run("ROLLBACK TO SAVEPOINT nowhere");
}

void texts_mixed_with_calls(Program& p) {
  p.autocommit(false);
  p.run("INSERT INTO $T (v) VALUES (1)");
  p.run("COMMIT");
  p.run("INSERT INTO $T (v) VALUES (2)");
  p.run("ROLLBACK");
  p.run("INSERT INTO $T (v) VALUES (3)");
  p.run("SAVEPOINT a");
  p.run("INSERT INTO $T (v) VALUES (4)");
  p.run("ROLLBACK TO a");
  p.commit();
  p.autocommit(true);
  p.run("BEGIN");
  p.run("INSERT INTO $T (v) VALUES (5)");
  p.commit();
  p.run("BEGIN");
  p.run("INSERT INTO $T (v) VALUES (6)");
  p.rollback();
  p.query("SELECT v FROM $T ORDER BY v");
}

void chained_transactions(Program& p) {
  p.run("BEGIN");
  p.run("INSERT INTO $T (v) VALUES (1)");
  p.run("COMMIT AND CHAIN");
  p.run("INSERT INTO $T (v) VALUES (2)");
  p.run("ROLLBACK AND CHAIN");
  p.run("INSERT INTO $T (v) VALUES (3)");
  p.run("COMMIT");
  p.query("SELECT v FROM $T ORDER BY v");
  p.run("START TRANSACTION ISOLATION LEVEL SERIALIZABLE");
  p.run("INSERT INTO $T (v) VALUES (4)");
  p.run("END");
  p.run("BEGIN; INSERT INTO $T (v) VALUES (5); COMMIT");
  p.run("BEGIN; INSERT INTO $T (v) VALUES (6); ROLLBACK");
  p.query("SELECT v FROM $T ORDER BY v");
}

void run_batch(Program& p, const char* sql, bool prepared = false) {
  SQLHSTMT h = p.stmt();
  SQLRETURN ret = SQL_SUCCESS;
  if (prepared) {
    p.prepare(h, sql);
    ret = p.execute(h);
  } else {
    ret = p.exec(h, sql);
  }
  for (int i = 0; i < 9 && (SQL_SUCCEEDED(ret) || (i == 0 && ret == SQL_NO_DATA)); ++i) {
    p.row_count(h);
    p.rows(h);
    ret = p.more_results(h);
  }
  p.drop(h);
}

void batches(Program& p) {
  for (const char* sql :
       {"BEGIN; INSERT INTO $T (v) VALUES (1); COMMIT",
        "BEGIN; INSERT INTO $T (v) VALUES (2); ROLLBACK",
        "INSERT INTO $T (v) VALUES (3); BEGIN; INSERT INTO $T (v) VALUES (4), (5); COMMIT; "
        "INSERT INTO $T (v) VALUES (6)",
        "INSERT INTO $T (v) VALUES (7); INSERT INTO $T (v, note) VALUES (8, now()::text);",
        "DELETE FROM $T WHERE v = 99; UPDATE $T SET note = 'a;b' WHERE v >= 7",
        "BEGIN ISOLATION LEVEL SERIALIZABLE; INSERT INTO $T (v) VALUES (9); SAVEPOINT a; "
        "INSERT INTO $T (v) VALUES (10); ROLLBACK TO a; INSERT INTO $T (v) VALUES (11); "
        "RELEASE a; END",
        "BEGIN; INSERT INTO $T (v) VALUES (12); COMMIT AND CHAIN; INSERT INTO $T (v) VALUES (13); "
        "COMMIT",
        "SET TIME ZONE 'UTC'; INSERT INTO $T (v) VALUES (14)",
        "BEGIN; SET LOCAL TIME ZONE 'Asia/Tokyo'; INSERT INTO $T (v, note) VALUES (15, "
        "current_setting('TimeZone')); COMMIT; INSERT INTO $T (v, note) VALUES (16, "
        "current_setting('TimeZone'))"}) {
    run_batch(p, sql);
  }
  run_batch(p, "BEGIN; INSERT INTO $T (v) VALUES (20); COMMIT", true);
  p.query("SELECT v, note FROM $T WHERE v <> 8 ORDER BY v");
}

void batches_with_rows(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    run_batch(p,
              "INSERT INTO $T (v) VALUES (1), (2) RETURNING v, note; SELECT v, note FROM $T; "
              "DELETE FROM $T WHERE v = 1; SELECT count(*) AS c FROM $T; SELECT v FROM $T");
    run_batch(p,
              "SELECT v FROM $T FOR UPDATE; UPDATE $T SET v = v + 10 WHERE v = 2 RETURNING v; "
              "UPDATE $T SET v = v + 10 WHERE v = 99 RETURNING v");
    SQLHSTMT h = p.stmt();
    SQLINTEGER v = -7;
    SQLLEN length = -7;
    p.bind_col(h, 1, SQL_C_SLONG, &v, sizeof(v), &length);
    p.exec(h, "SELECT v FROM $T; INSERT INTO $T (v) VALUES (3) RETURNING v + 0, id; SELECT 4");
    for (int i = 0; i < 3; ++i) {
      p.fetch(h);
      p.note("bound", {v, length});
      p.describe_col(h, 1);
      p.more_results(h);
    }
    p.fetch(h);
    p.close(h);
    p.exec(h, "SELECT 5; DELETE FROM $T WHERE v = 3");
    p.fetch(h);
    p.close(h);
    p.fetch(h);
    p.more_results(h);
    p.exec(h, "DELETE FROM $T WHERE v = 12; SELECT 6");
    p.more_results(h);
    p.fetch(h);
    p.note("bound", {v, length});
    p.drop(h);
    run_batch(p, "SELECT v FROM $T; SELECT nonsense");
    if (!on) p.commit();
  }
  p.autocommit(true);
  run_batch(p, "BEGIN; INSERT INTO $T (v) VALUES (20) RETURNING v; COMMIT; SELECT v FROM $T");
  p.query("SELECT v FROM $T ORDER BY v");
}

void batches_that_go_on(Program& p) {
  run_batch(p, "INSERT INTO $T (v) VALUES (1); BEGIN; INSERT INTO $T (v) VALUES (2)");
  p.run("INSERT INTO $T (v) VALUES (3)");
  p.run("COMMIT");
  run_batch(p, "BEGIN; INSERT INTO $T (v) VALUES (4)");
  run_batch(p, "INSERT INTO $T (v) VALUES (5); COMMIT; INSERT INTO $T (v) VALUES (6)");
  run_batch(p, "BEGIN; INSERT INTO $T (v) VALUES (7)");
  p.rollback();
  run_batch(p, "BEGIN; INSERT INTO $T (v) VALUES (8)");
  p.commit();
  p.query("SELECT v FROM $T ORDER BY v");
}

void batches_that_fail(Program& p) {
  run_batch(p, "INSERT INTO $T VALUES (1, 1); INSERT INTO $T VALUES (1, 2)");
  run_batch(p,
            "BEGIN; INSERT INTO $T VALUES (3, 3); COMMIT; INSERT INTO $T VALUES (4, 4); "
            "INSERT INTO $T VALUES (3, 5); INSERT INTO $T VALUES (6, 6)");
  p.query("SELECT id, v FROM $T ORDER BY id");
  run_batch(p, "BEGIN; INSERT INTO $T VALUES (7, 7); INSERT INTO $T VALUES (7, 8); COMMIT");
  p.run("INSERT INTO $T VALUES (9, 9)");
  p.run("ROLLBACK");
  run_batch(p, "INSERT INTO $T VALUES (10, 10); INSERT INTO nowhere VALUES (1); COMMIT");
  p.query("SELECT id, v FROM $T ORDER BY id");
}

void batches_at_level(Program& p, const std::string& extra) {
  if (!p.connect(extra)) return;
  run_batch(p, "BEGIN; INSERT INTO $T VALUES (30, 1); INSERT INTO $T VALUES (30, 2); COMMIT");
  p.run("INSERT INTO $T VALUES (31, 1)");
  p.run("ROLLBACK");
  p.run("BEGIN");
  p.run("INSERT INTO $T VALUES (32, 1)");
  run_batch(p, "INSERT INTO $T VALUES (33, 1); INSERT INTO $T VALUES (33, 2)");
  p.run("INSERT INTO $T VALUES (34, 1)");
  p.run("COMMIT");
  p.autocommit(false);
  run_batch(p, "INSERT INTO $T VALUES (1, 1); INSERT INTO $T VALUES (2, 2)");
  run_batch(p, "INSERT INTO $T VALUES (3, 3); COMMIT; INSERT INTO $T VALUES (4, 4)");
  p.run("INSERT INTO $T VALUES (5, 5)");
  run_batch(p, "INSERT INTO $T VALUES (6, 6); COMMIT; BEGIN; INSERT INTO $T VALUES (7, 7)");
  p.rollback();
  p.run("INSERT INTO $T VALUES (8, 8)");
  run_batch(p,
            "INSERT INTO $T VALUES (9, 9); SAVEPOINT a; INSERT INTO $T VALUES (10, 10); "
            "ROLLBACK TO a");
  run_batch(p, "INSERT INTO $T VALUES (11, 11); INSERT INTO $T VALUES (11, 12)");
  run_batch(p, "INSERT INTO $T VALUES (13, 13); ROLLBACK; INSERT INTO $T VALUES (14, 14)");
  p.run("INSERT INTO $T VALUES (15, 15)");
  run_batch(p, "INSERT INTO $T VALUES (16, 16); UPDATE $T SET v = 17 WHERE id = 16");
  p.run("INSERT INTO $T VALUES (18, 18)");
  p.commit();
  p.run("INSERT INTO $T VALUES (19, 19)");
  run_batch(p, "INSERT INTO $T VALUES (20, 20); COMMIT; INSERT INTO $T VALUES (20, 21)");
  p.rollback();
  p.query("SELECT id, v FROM $T ORDER BY id");
  p.commit();
}

void batches_at_level_0(Program& p) {
  batches_at_level(p, "Protocol=7.4-0;");
}
void batches_at_level_1(Program& p) {
  batches_at_level(p, "Protocol=7.4-1;");
}
void batches_at_level_2(Program& p) {
  batches_at_level(p, "");
}

// Warnings of the server, results with rows, parameters: run as they are, and counted.
void batches_not_told_apart(Program& p) {
  run_batch(p, "INSERT INTO $T VALUES (1, 1); COMMIT; INSERT INTO $T VALUES (2, 2); ROLLBACK");
  run_batch(p, "BEGIN; BEGIN; INSERT INTO $T VALUES (3, 3); COMMIT");
  run_batch(p, "INSERT INTO $T VALUES (4, 4); SAVEPOINT a");
  run_batch(p, "INSERT INTO $T VALUES (5, 5); COMMIT AND CHAIN");
  p.query("SELECT id, v FROM $T ORDER BY id");
}

// What stays after an error depends on the level; the transcript shows it.
void errors_inside(Program& p, const std::string& extra) {
  if (!p.connect(extra)) return;
  p.autocommit(false);
  p.run("INSERT INTO $T (id, v) VALUES (1, 1)");
  p.run("INSERT INTO $T (id, v) VALUES (1, 2)");
  p.run("INSERT INTO $T (id, v) VALUES (2, 3)");
  p.query("SELECT count(*) FROM $T");
  p.commit();
  p.query("SELECT id, v FROM $T ORDER BY id");
  p.commit();
  p.run("INSERT INTO $T (id, v) VALUES (3, 4)");
  p.run("SELECT nonsense");
  p.rollback();
  p.run("INSERT INTO $T (id, v) VALUES (4, 5)");
  p.commit();
  p.query("SELECT id, v FROM $T ORDER BY id");
  p.commit();
}

void errors_inside_by_default(Program& p) {
  errors_inside(p, "");
}
void errors_inside_at_level_0(Program& p) {
  errors_inside(p, "Protocol=7.4-0;");
}
void errors_inside_at_level_1(Program& p) {
  errors_inside(p, "Protocol=7.4-1;");
}
void errors_inside_at_level_2(Program& p) {
  errors_inside(p, "Protocol=7.4-2;");
}

// psqlodbc ends a transaction whose first statement fails; what is no first statement to it, and
// what ours must not be.
void first_statement_fails(Program& p, const std::string& extra) {
  if (!p.connect(extra)) return;
  p.autocommit(false);
  for (const char* before : {"", "SAVEPOINT a; SELECT 1", "RELEASE a", "ROLLBACK TO a", "SELECT 1",
                             "SELECT nonsense", "SAVEPOINT b", "INSERT INTO $T VALUES (9, 9)"}) {
    for (const char* failing :
         {"INSERT INTO $T VALUES (1, 1)", "UPDATE $T SET id = 3 - id, v = 1 / v",
          "UPDATE $T SET v = 1 / 0 WHERE id < 5", "SELECT 1 / 0", "SET TIME ZONE 'nowhere'",
          "ROLLBACK TO nowhere"}) {
      p.run("SAVEPOINT a");
      if (*before != 0) p.run(before);
      p.run(failing);
      p.run("ROLLBACK TO a");
      p.rollback();
      p.run("INSERT INTO $T VALUES (7, 7)");
      p.run(failing);
      p.run("DELETE FROM $T WHERE id = 7");
      p.commit();
    }
  }
  p.run("SAVEPOINT a");
  SQLHSTMT h = p.stmt();
  p.tables(h, "", "", "$T", "");
  p.drop(h);
  p.run("INSERT INTO $T VALUES (1, 1)");
  p.run("ROLLBACK TO a");
  p.run("INSERT INTO $T VALUES (8, 8)");
  p.commit();
  p.query("SELECT id, v FROM $T ORDER BY id");
  p.commit();
}

void first_statement_fails_at_level_0(Program& p) {
  first_statement_fails(p, "Protocol=7.4-0;");
}
void first_statement_fails_at_level_1(Program& p) {
  first_statement_fails(p, "Protocol=7.4-1;");
}
void first_statement_fails_at_level_2(Program& p) {
  first_statement_fails(p, "");
}

void prepared_as_text(Program& p) {
  p.run("PREPARE $T_ins (int, text) AS INSERT INTO $T (v, note) VALUES ($1, $2)");
  p.run("EXECUTE $T_ins (1, 'one')");
  p.autocommit(false);
  p.run("EXECUTE $T_ins (2, 'two')");
  p.rollback();
  p.run("EXECUTE $T_ins (3, 'three')");
  p.commit();
  p.run("DEALLOCATE $T_ins");
  p.query("SELECT v, note FROM $T ORDER BY v");
  p.commit();
}

void prepared_as_text_anyhow(Program& p) {
  p.run("PREPARE $T_ins (int, text) AS INSERT INTO $T (v, note) VALUES ($1, $2)");
  p.run("PREPARE $T_back (int) AS INSERT INTO $T (v) VALUES ($1), ($1 + 1) RETURNING v, id");
  p.run("PREPARE $T_up AS UPDATE $T SET note = note || $2 WHERE v >= $1");
  p.run("PREPARE $T_see AS SELECT v, note FROM $T WHERE v >= $1 ORDER BY v");
  for (const bool on : {true, false}) {
    p.autocommit(on);
    p.run("EXECUTE $T_ins (1, 'one')");
    p.query("EXECUTE $T_back (10)");
    p.run("EXECUTE $T_up (1, '!')");
    p.run("EXECUTE $T_up (100, '!')");
    p.query("EXECUTE $T_see (0)");
    p.run("EXECUTE $T_ins (1)");
    if (!on) p.rollback();
    p.run("EXECUTE $T_nowhere (1)");
    if (!on) p.rollback();
    p.run("EXECUTE $T_ins ('no number', NULL)");
    if (!on) p.rollback();
    SQLHSTMT h = p.stmt();
    p.prepare(h, "EXECUTE $T_ins (20, 'prepared')");
    p.num_result_cols(h);
    for (int i = 0; i < 2; ++i) {
      p.execute(h);
      p.row_count(h);
    }
    p.prepare(h, "EXECUTE $T_back (30)");
    p.num_result_cols(h);
    p.execute(h);
    p.rows(h);
    p.close(h);
    SQLINTEGER v = 40;
    SQLLEN length = 0;
    p.bind_int(h, 1, &v, &length);
    p.exec(h, "EXECUTE $T_ins (?, 'bound')");
    p.drop(h);
    if (!on) p.commit();
  }
  p.run("DEALLOCATE ALL");
  p.run("EXECUTE $T_ins (50, 'gone')");
  p.commit();
  p.query("SELECT v, note FROM $T ORDER BY v, note");
  p.commit();
}

void row_counts(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    p.run("INSERT INTO $T (v) VALUES (1)");
    p.run("INSERT INTO $T (v) VALUES (2), (3), (4)");
    p.run("UPDATE $T SET v = v + 1 WHERE v >= 2");
    p.run("UPDATE $T SET v = v WHERE v = 1");
    p.run("UPDATE $T SET v = 7 WHERE v = 99");
    p.run("DELETE FROM $T WHERE v = 99");
    p.run("DELETE FROM $T WHERE v > 3");
    p.run("INSERT INTO $T (v) SELECT v + 10 FROM $T");
    p.run("INSERT INTO $T (v) SELECT v FROM $T WHERE v > 1000");
    p.run("SELECT v FROM $T ORDER BY v");
    p.run("SELECT v FROM $T WHERE v > 1000");
    p.run("DELETE FROM $T");
    p.run("DELETE FROM $T");
    if (!on) p.commit();
  }
}

void cursors_over_commit(Program& p) {
  p.autocommit(false);
  SQLHSTMT reader = p.stmt();
  SQLHSTMT writer = p.stmt();
  p.run("INSERT INTO $T (v) VALUES (1), (2), (3)");
  p.commit();
  p.exec(reader, "SELECT v FROM $T ORDER BY v");
  p.fetch(reader);
  p.exec(writer, "INSERT INTO $T (v) VALUES (4)");
  p.commit();
  p.fetch(reader);
  p.get_data(reader, 1, SQL_C_CHAR);
  p.exec(writer, "UPDATE $T SET v = 5 WHERE v = 4");
  p.rollback();
  p.fetch(reader);
  p.close(reader);
  p.drop(reader);
  p.prepare(writer, "INSERT INTO $T (v) VALUES (6)");
  p.execute(writer);
  p.commit();
  p.execute(writer);
  p.commit();
  p.drop(writer);
  p.query("SELECT v FROM $T ORDER BY v");
  p.commit();
}

void isolation_levels(Program& p) {
  for (const SQLULEN level : {SQLULEN{SQL_TXN_READ_UNCOMMITTED}, SQLULEN{SQL_TXN_READ_COMMITTED},
                              SQLULEN{SQL_TXN_REPEATABLE_READ}, SQLULEN{SQL_TXN_SERIALIZABLE}}) {
    p.set_connect_attr(p.dbc, SQL_ATTR_TXN_ISOLATION, level);
    p.get_connect_attr(p.dbc, SQL_ATTR_TXN_ISOLATION);
    p.autocommit(false);
    p.run("INSERT INTO $T (v) VALUES (1)");
    p.set_connect_attr(p.dbc, SQL_ATTR_TXN_ISOLATION, SQL_TXN_READ_COMMITTED);
    p.commit();
    p.autocommit(true);
    p.run("UPDATE $T SET v = v + 1");
  }
  p.query("SELECT v FROM $T ORDER BY v");
}

}  // namespace

void add_transaction_cases(Cases& all) {
  const char* plain = "CREATE TABLE $T (id $serial, v int, note varchar(40))";
  const char* keyed = "CREATE TABLE $T (id int PRIMARY KEY, v int)";
  const auto add = [&](const char* name, const char* table, void (*body)(Program&),
                       unsigned engines = kAll, bool own = false) {
    all.push_back({"Transactions", name, engines, {table}, body, own});
  };
  add("CommitsAndRollsBack", plain, commits_and_rolls_back);
  add("AutocommitOnCommits", plain, autocommit_on_commits);
  add("TransactionsAsText", plain, transactions_as_text);
  add("TextsMixedWithCalls", plain, texts_mixed_with_calls);
  add("ChainedTransactions", plain, chained_transactions, kPostgres | kMaria);
  add("Batches", plain, batches, kPostgres);
  add("BatchesWithRows", plain, batches_with_rows, kPostgres);
  add("BatchesThatGoOn", plain, batches_that_go_on, kPostgres);
  add("BatchesThatFail", keyed, batches_that_fail, kPostgres);
  add("BatchesAtLevel0", keyed, batches_at_level_0, kPostgres, true);
  add("BatchesAtLevel1", keyed, batches_at_level_1, kPostgres, true);
  add("BatchesAtLevel2", keyed, batches_at_level_2, kPostgres, true);
  add("BatchesNotToldApart", keyed, batches_not_told_apart, kPostgres);
  const char* two_rows = "INSERT INTO $T VALUES (1, 1), (2, 0)";
  const auto add_first = [&](const char* name, void (*body)(Program&)) {
    all.push_back({"Transactions", name, kPostgres, {keyed, two_rows}, body, true});
  };
  add_first("FirstStatementFailsAtLevel0", first_statement_fails_at_level_0);
  add_first("FirstStatementFailsAtLevel1", first_statement_fails_at_level_1);
  add_first("FirstStatementFailsAtLevel2", first_statement_fails_at_level_2);
  add("ErrorsInsideByDefault", keyed, errors_inside_by_default, kAll, true);
  add("ErrorsInsideAtLevel0", keyed, errors_inside_at_level_0, kPostgres, true);
  add("ErrorsInsideAtLevel1", keyed, errors_inside_at_level_1, kPostgres, true);
  add("ErrorsInsideAtLevel2", keyed, errors_inside_at_level_2, kPostgres, true);
  add("PreparedAsText", plain, prepared_as_text, kPostgres);
  add("PreparedAsTextAnyhow", plain, prepared_as_text_anyhow, kPostgres);
  add("RowCounts", plain, row_counts);
  add("CursorsOverCommit", plain, cursors_over_commit);
  add("IsolationLevels", plain, isolation_levels);
}

}  // namespace understudy::parity
