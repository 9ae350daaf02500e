// MariaDB: what a text tells of arrays and of writes through a cursor; several statements in one
// text; rows added whose keys the server makes.
#include <cstdio>
#include <string>

#include "tests/engine/parity/case.h"
#include "tests/engine/parity/program.h"

namespace understudy::parity {
namespace {

constexpr SQLULEN kSets = 3;

constexpr const char* kArrays[] = {
    "INSERT INTO $T (id, v) VALUES (10 + ?, ?)",
    "REPLACE INTO $T (id, v) VALUES (10 + ?, ?)",
    "UPDATE $T SET v = v + 1 WHERE id >= ? AND id <> ?",
    "UPDATE $T SET v = 7 WHERE id = 1000 * ? AND v = ?",
    "UPDATE $T SET id = IF(? = 2, 1, id) WHERE v = ?",
    "INSERT INTO $T (id, v) VALUES (2 * ?, ?)",
    "INSERT INTO $T (id, v) SELECT id + 100 * ?, v FROM $T WHERE v = ?",
    "DELETE FROM $T WHERE id = ? OR v = ?",
};

/// After each array, by column and by row, what `question` answers.
void ask_after_arrays(Program& p, const char* question) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    for (const SQLULEN by : {SQLULEN{SQL_PARAM_BIND_BY_COLUMN}, SQLULEN{sizeof(SQLINTEGER)}}) {
      for (const char* sql : kArrays) {
        p.run("DELETE FROM $T");
        p.run("INSERT INTO $T (id, v) VALUES (1, 1), (2, 2), (3, 3), (4, 3), (6, 5)");
        p.query("SELECT 1 UNION SELECT 2");
        SQLINTEGER first[kSets] = {1, 2, 3};
        SQLINTEGER second[kSets] = {1, 2, 3};
        SQLHSTMT h = p.stmt();
        p.set_stmt_attr(h, SQL_ATTR_PARAMSET_SIZE, kSets);
        p.set_stmt_attr(h, SQL_ATTR_PARAM_BIND_TYPE, by);
        p.bind_int(h, 1, first);
        p.bind_int(h, 2, second);
        p.prepare(h, sql);
        p.execute(h);
        p.query(question);
        p.drop(h);
        p.commit();
        p.query("SELECT id, v FROM $T ORDER BY id");
      }
    }
  }
}

void row_count_after_arrays(Program& p) {
  ask_after_arrays(p, "SELECT ROW_COUNT(), FOUND_ROWS()");
}
void warnings_after_arrays(Program& p) {
  ask_after_arrays(p, "SHOW WARNINGS");
}

struct Rowset {
  SQLINTEGER id[kSets] = {};
  char note[kSets][12] = {};
  SQLLEN id_length[kSets] = {};
  SQLLEN note_length[kSets] = {};
  SQLUSMALLINT status[kSets] = {77, 77, 77};

  bool open(Program& p, SQLHSTMT h) {
    p.set_stmt_attr(h, SQL_ATTR_CURSOR_TYPE, SQL_CURSOR_STATIC);
    p.set_stmt_attr(h, SQL_ATTR_CONCURRENCY, SQL_CONCUR_ROWVER);
    p.set_stmt_attr(h, SQL_ATTR_ROW_ARRAY_SIZE, kSets);
    p.set_stmt_pointer(h, SQL_ATTR_ROW_STATUS_PTR, status);
    p.bind_col(h, 1, SQL_C_SLONG, id, sizeof(id[0]), id_length);
    p.bind_col(h, 2, SQL_C_CHAR, note, sizeof(note[0]), note_length);
    return SQL_SUCCEEDED(p.exec(h, "SELECT id, name FROM $T ORDER BY id")) &&
           SQL_SUCCEEDED(p.fetch_scroll(h, SQL_FETCH_FIRST));
  }
  void show(Program& p) const { p.note("status", {status[0], status[1], status[2]}); }
};

constexpr const char* kQuestion = "SELECT ROW_COUNT(), FOUND_ROWS(), LAST_INSERT_ID()";

void row_count_after_positions(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    p.run("DELETE FROM $T");
    p.run("INSERT INTO $T (id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd')");
    for (const SQLUSMALLINT operation : {SQL_UPDATE, SQL_DELETE}) {
      for (const SQLSETPOSIROW row : {SQLSETPOSIROW{2}, SQLSETPOSIROW{0}}) {
        SQLHSTMT h = p.stmt();
        Rowset rows;
        if (rows.open(p, h)) {
          std::snprintf(rows.note[1], sizeof(rows.note[1]), "x%d", static_cast<int>(row));
          p.set_pos(h, row, operation);
          p.query(kQuestion);
          rows.show(p);
        }
        p.drop(h);
        p.commit();
      }
    }
    p.query("SELECT id, name FROM $T ORDER BY id");
    p.commit();
  }
}

/// Several rows at once, with keys of the application's own or of the server's.
void rows_added_at_once(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    for (const int way : {0, 1, 2}) {
      p.run("INSERT INTO $T (name) VALUES ('a'), ('b'), ('c')");
      SQLHSTMT h = p.stmt();
      Rowset rows;
      if (rows.open(p, h)) {
        for (SQLULEN i = 0; i < kSets; ++i) {
          rows.id[i] = way == 0 ? static_cast<SQLINTEGER>((on ? 1000 : 2000) + i) : 0;
          rows.id_length[i] = way == 2 ? SQL_COLUMN_IGNORE : 0;
          std::snprintf(rows.note[i], sizeof(rows.note[i]), "n%d", static_cast<int>(i));
          rows.note_length[i] = SQL_NTS;
        }
        p.bulk_operations(h, SQL_ADD);
        p.query(kQuestion);
        p.row_count(h);
        rows.show(p);
      }
      p.drop(h);
      p.commit();
      p.query("SELECT id, name FROM $T ORDER BY id");
    }
  }
}

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
  for (int i = 0; i < 6 && SQL_SUCCEEDED(ret); ++i) {
    SQLSMALLINT columns = 0;
    p.num_result_cols(h, &columns);
    if (columns > 0) p.fetch_all(h, columns);
    p.row_count(h);
    ret = p.more_results(h);
  }
  p.drop(h);
}

/// Each text directly and prepared, in autocommit and without, with what it leaves behind.
void run_texts(Program& p, const std::initializer_list<const char*>& texts) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    for (const char* sql : texts) {
      for (const bool prepared : {false, true}) {
        p.run("DELETE FROM $T");
        run_batch(p, sql, prepared);
        p.query("SELECT v, name FROM $T ORDER BY v, name");
        p.commit();
        p.query("SELECT v, name FROM $T ORDER BY v, name");
      }
    }
  }
}

void several_statements_of(Program& p, const std::initializer_list<const char*>& texts) {
  if (p.connect("OPTION=67108864;")) run_texts(p, texts);
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

void calls_with_results(Program& p) {
  run_texts(p, {"CALL $T_q(5)", "{call $T_q(7)}", "EXECUTE IMMEDIATE 'CALL $T_q(9)'"});
}

}  // namespace

void add_maria_cases(Cases& all) {
  const auto add = [&](const char* name, void (*body)(Program&), bool own = false) {
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
  add("RowCountAfterArrays", row_count_after_arrays);
  add("WarningsAfterArrays", warnings_after_arrays);
  add("RowCountAfterPositions", row_count_after_positions);
  add("RowsAddedAtOnce", rows_added_at_once);
  add("CallsWithResults", calls_with_results);
  add("MariaBatches", several_statements, true);
  add("MariaBatchesWithParameters", several_statements_with_parameters, true);
  add("MariaBatchesWithTransactions", several_statements_with_transactions, true);
}

}  // namespace understudy::parity
