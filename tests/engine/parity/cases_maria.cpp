// MariaDB: what a text tells of arrays and of writes through a cursor; rows added whose keys the
// server makes.
#include <cstdio>

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

// Connector/ODBC writes LIMIT behind whatever it is given while SQL_ATTR_MAX_ROWS is set.
void writes_under_max_rows(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    p.run("DELETE FROM $T");
    SQLHSTMT h = p.stmt();
    p.set_stmt_attr(h, SQL_ATTR_MAX_ROWS, 2);
    for (const char* sql :
         {"INSERT INTO $T (id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd')",
          "INSERT INTO $T (name) VALUES ('e'), ('f'), ('g')",
          "UPDATE $T SET name = UPPER(name)",
          "UPDATE $T SET name = 'x' WHERE id = 4;",
          "UPDATE $T SET name = 'y' WHERE id > 1 ; ",
          "UPDATE $T SET name = 'z' ORDER BY id DESC",
          "UPDATE $T SET name = 'limit' LIMIT 3",
          "UPDATE $T SET id = id + 100 ORDER BY id DESC",
          "INSERT INTO $T (id, name) SELECT id + 1000, name FROM $T ORDER BY id",
          "INSERT INTO $T (id, name) SELECT id + 2000, name FROM $T LIMIT 3",
          "INSERT INTO $T (id, name) VALUES (4, 'q'), (1, 'q'), (2, 'q') ON DUPLICATE KEY UPDATE "
          "name = 'r'",
          "REPLACE INTO $T (id, name) VALUES (4, 's'), (5, 's'), (6, 't')",
          "REPLACE INTO $T (id, name) SELECT id, 'u' FROM $T ORDER BY id",
          "UPDATE $T a, $T b SET a.name = 'v' WHERE a.id = b.id",
          "DELETE FROM $T WHERE id = 101",
          "DELETE FROM $T ORDER BY id -- the end",
          "DELETE a FROM $T a, $T b WHERE a.id = b.id",
          "INSERT INTO $T (name) VALUES ('w') RETURNING id",
          "DELETE FROM $T RETURNING id",
          "SET @parity = 1",
          "SAVEPOINT a",
          "CALL nowhere()",
          "{call nowhere()}",
          "DO 1",
          "COMMIT"}) {
      if (SQL_SUCCEEDED(p.exec(h, sql))) p.row_count(h);
      p.close(h);
      p.query("SELECT id, name FROM $T ORDER BY id");
    }
    SQLINTEGER id = 1;
    SQLLEN length = 0;
    p.bind_int(h, 1, &id, &length);
    for (const SQLULEN then : {SQLULEN{2}, SQLULEN{0}, SQLULEN{1}}) {
      p.run("INSERT INTO $T (name) VALUES ('e'), ('f'), ('g')");
      p.prepare(h, "UPDATE $T SET name = CONCAT(name, 'x') WHERE id > ?");
      p.set_stmt_attr(h, SQL_ATTR_MAX_ROWS, then);
      p.execute(h);
      p.row_count(h);
      p.query("SELECT id, name FROM $T ORDER BY id");
      p.exec(h, "DELETE FROM $T WHERE id > ?");
      p.row_count(h);
      p.execute(h);
      p.row_count(h);
    }
    p.drop(h);
    p.commit();
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

/// A mode in which the server makes no key for 0.
void adds_a_row_with_key_zero(Program& p) {
  p.run("SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'");
  for (const bool on : {true, false}) {
    p.autocommit(on);
    p.run("DELETE FROM $T");
    p.run("INSERT INTO $T (name) VALUES ('a'), ('b'), ('c')");
    SQLHSTMT h = p.stmt();
    Rowset rows;
    if (rows.open(p, h)) {
      p.set_stmt_attr(h, SQL_ATTR_ROW_ARRAY_SIZE, 1);
      rows.id[0] = 0;
      std::snprintf(rows.note[0], sizeof(rows.note[0]), "zero");
      rows.note_length[0] = SQL_NTS;
      p.bulk_operations(h, SQL_ADD);
      p.query(kQuestion);
    }
    p.drop(h);
    p.commit();
    p.query("SELECT id, name FROM $T ORDER BY id");
  }
}

}  // namespace

void add_maria_cases(Cases& all) {
  const auto add = [&](const char* name, void (*body)(Program&)) {
    all.push_back(
        {"Maria", name, kMaria, {"CREATE TABLE $T (id $serial, v int, name varchar(12))"}, body});
  };
  add("RowCountAfterArrays", row_count_after_arrays);
  add("WarningsAfterArrays", warnings_after_arrays);
  add("RowCountAfterPositions", row_count_after_positions);
  add("RowsAddedAtOnce", rows_added_at_once);
  add("WritesUnderMaxRows", writes_under_max_rows);
  add("AddsARowWithKeyZero", adds_a_row_with_key_zero);
}

}  // namespace understudy::parity
