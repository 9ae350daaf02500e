// Results: of statements that write, of several statements, in pieces, and their description.
#include <cstring>

#include "tests/engine/parity/case.h"
#include "tests/engine/parity/program.h"

namespace understudy::parity {
namespace {

constexpr SQLUSMALLINT kTextFields[] = {
    SQL_DESC_BASE_COLUMN_NAME, SQL_DESC_BASE_TABLE_NAME, SQL_DESC_CATALOG_NAME,    SQL_DESC_LABEL,
    SQL_DESC_LITERAL_PREFIX,   SQL_DESC_LITERAL_SUFFIX,  SQL_DESC_LOCAL_TYPE_NAME, SQL_DESC_NAME,
    SQL_DESC_SCHEMA_NAME,      SQL_DESC_TABLE_NAME,      SQL_DESC_TYPE_NAME,       SQL_COLUMN_NAME};
constexpr SQLUSMALLINT kNumberFields[] = {SQL_DESC_AUTO_UNIQUE_VALUE,
                                          SQL_DESC_CASE_SENSITIVE,
                                          SQL_DESC_CONCISE_TYPE,
                                          SQL_DESC_COUNT,
                                          SQL_DESC_DISPLAY_SIZE,
                                          SQL_DESC_FIXED_PREC_SCALE,
                                          SQL_DESC_LENGTH,
                                          SQL_DESC_NULLABLE,
                                          SQL_DESC_NUM_PREC_RADIX,
                                          SQL_DESC_OCTET_LENGTH,
                                          SQL_DESC_PRECISION,
                                          SQL_DESC_SCALE,
                                          SQL_DESC_SEARCHABLE,
                                          SQL_DESC_TYPE,
                                          SQL_DESC_UNNAMED,
                                          SQL_DESC_UNSIGNED,
                                          SQL_DESC_UPDATABLE,
                                          SQL_COLUMN_LENGTH,
                                          SQL_COLUMN_PRECISION,
                                          SQL_COLUMN_SCALE,
                                          SQL_COLUMN_COUNT,
                                          7777};

void describe(Program& p, SQLHSTMT h, SQLSMALLINT columns) {
  p.num_result_cols(h);
  for (SQLSMALLINT i = 0; i <= columns + 1; ++i) {
    const auto column = static_cast<SQLUSMALLINT>(i);
    p.describe_col(h, column);
    for (const SQLUSMALLINT field : kTextFields) p.col_attribute(h, column, field, true);
    for (const SQLUSMALLINT field : kNumberFields) p.col_attribute(h, column, field, false);
  }
  p.describe_col(h, 1, 3);
  SQLHDESC row = p.descriptor(h, SQL_ATTR_IMP_ROW_DESC);
  p.get_desc_field(row, 0, SQL_DESC_COUNT);
  const int last = p.maria() ? columns - 1 : columns;  // see Program::get_desc_rec
  for (int i = 1; i <= last; ++i) p.get_desc_rec(row, static_cast<SQLSMALLINT>(i));
}

void describes_a_query(Program& p) {
  SQLHSTMT h = p.stmt();
  p.prepare(h, "SELECT id, v AS other, note, v + 1, 'x' FROM $T ORDER BY id");
  describe(p, h, 5);
  p.execute(h);
  describe(p, h, 5);
  p.fetch_all(h, 5);
  p.row_count(h);
  p.drop(h);
}

void describes_an_insert(Program& p) {
  SQLHSTMT h = p.stmt();
  p.prepare(h, "INSERT INTO $T (v, note) VALUES (5, 'five')");
  describe(p, h, 1);
  p.execute(h);
  describe(p, h, 1);
  p.row_count(h);
  p.fetch(h);
  p.get_data(h, 1, SQL_C_CHAR);
  p.more_results(h);
  p.close_cursor(h);
  p.close(h);
  p.execute(h);
  p.num_result_cols(h);
  p.drop(h);
}

void own_returning(Program& p) {
  for (const char* sql :
       {"INSERT INTO $T (v, note) VALUES (5, 'five') RETURNING id, note",
        "INSERT INTO $T (v, note) VALUES (6, 'a'), (7, 'b') RETURNING *",
        "UPDATE $T SET v = v + 1 WHERE v > 5 RETURNING v AS new_v, id",
        "DELETE FROM $T WHERE v = 99 RETURNING id", "DELETE FROM $T WHERE v > 7 RETURNING note"}) {
    SQLHSTMT h = p.stmt();
    if (SQL_SUCCEEDED(p.exec(h, sql))) {
      p.row_count(h);
      p.rows(h);
      p.row_count(h);
      p.more_results(h);
    }
    p.drop(h);
  }
}

void own_returning_prepared(Program& p) {
  SQLHSTMT h = p.stmt();
  SQLINTEGER v = 20;
  SQLINTEGER id = 0;
  SQLLEN length = 0;
  p.bind_int(h, 1, &v);
  p.prepare(h, "INSERT INTO $T (v) VALUES (?) RETURNING id, v");
  describe(p, h, 2);
  for (v = 20; v < 23; ++v) {
    p.execute(h);
    describe(p, h, 2);
    p.bind_col(h, 1, SQL_C_SLONG, &id, sizeof(id), &length);
    p.fetch(h);
    p.note("id", {id, length});
    p.get_data(h, 2, SQL_C_CHAR);
    p.fetch(h);
    p.close(h);
  }
  p.drop(h);
}

void generated_keys(Program& p) {
  const char* last = p.postgres() ? "SELECT lastval()"
                     : p.sqlite() ? "SELECT last_insert_rowid()"
                                  : "SELECT LAST_INSERT_ID()";
  p.run("INSERT INTO $T (v) VALUES (1)");
  p.query(last);
  p.run("UPDATE $T SET v = 2");
  p.query(last);
  if (p.postgres()) p.query("SELECT currval('$T_id_seq')");
  if (p.sqlite()) p.query("SELECT changes(), total_changes()");
  if (p.maria()) p.query("SELECT ROW_COUNT()");
  p.autocommit(false);
  p.run("INSERT INTO $T (v) VALUES (3), (4)");
  p.query(last);
  p.rollback();
  p.query(last);
  p.run("INSERT INTO $T (v) VALUES (5)");
  if (p.postgres()) p.query("SELECT id FROM $T WHERE id = currval('$T_id_seq')");
  p.commit();
  p.query("SELECT id, v FROM $T ORDER BY id");
  p.commit();
}

void several_statements(Program& p) {
  for (const char* sql :
       {"INSERT INTO $T (v) VALUES (1); INSERT INTO $T (v) VALUES (2), (3)",
        "SELECT v FROM $T ORDER BY v; UPDATE $T SET v = v + 10; SELECT count(*) FROM $T",
        "INSERT INTO $T (v) VALUES (4);", "INSERT INTO $T (v) VALUES (5); SELECT nonsense",
        "DELETE FROM $T WHERE v = 99; DELETE FROM $T WHERE v < 12", ";", ""}) {
    SQLHSTMT h = p.stmt();
    SQLRETURN ret = p.exec(h, sql);
    for (int i = 0; i < 5 && (SQL_SUCCEEDED(ret) || (i == 0 && ret == SQL_NO_DATA)); ++i) {
      p.row_count(h);
      p.rows(h);
      ret = p.more_results(h);
    }
    p.drop(h);
  }
  p.query("SELECT v FROM $T ORDER BY v");
}

void data_in_pieces(Program& p) {
  SQLHSTMT h = p.stmt();
  p.exec(h, "SELECT note, v, id, note FROM $T WHERE id = 1");
  p.fetch(h);
  for (int i = 0; i < 6; ++i) p.get_data(h, 1, SQL_C_CHAR, 5);
  for (int i = 0; i < 4; ++i) p.get_data(h, 4, SQL_C_BINARY, 6);
  p.get_data(h, 2, SQL_C_CHAR, 2);
  p.get_data(h, 2, SQL_C_SLONG);
  p.get_data(h, 1, SQL_C_CHAR, 0);
  if (!p.maria()) p.get_data(h, 99, SQL_C_CHAR);  // Connector/ODBC reads beyond its columns
  p.get_data(h, 0, SQL_C_CHAR);
  p.fetch(h);
  p.get_data(h, 1, SQL_C_CHAR);
  p.drop(h);
  h = p.stmt();
  p.exec(h, "SELECT note, v FROM $T WHERE id = 2");
  p.fetch(h);
  p.get_data(h, 1, SQL_C_CHAR, 20, false);
  p.get_data(h, 1, SQL_C_CHAR, 20);
  for (int i = 0; i < 3; ++i) p.get_data(h, 2, SQL_C_WCHAR, 4);
  p.drop(h);
}

void bound_columns(Program& p) {
  SQLHSTMT h = p.stmt();
  char note[6] = "";
  SQLLEN length = -7;
  SQLINTEGER v = -7;
  p.bind_col(h, 1, SQL_C_CHAR, note, sizeof(note), &length);
  p.bind_col(h, 2, SQL_C_SLONG, &v, 0, nullptr);
  p.exec(h, "SELECT note, v FROM $T ORDER BY id");
  for (int i = 0; i < 4; ++i) {
    p.fetch(h);
    p.note(std::string(note, strnlen(note, sizeof(note))), {length, v});
  }
  p.close(h);
  p.bind_col(h, 2, SQL_C_SLONG, nullptr, 0, nullptr);
  p.exec(h, "UPDATE $T SET v = 8 WHERE id = 1");
  p.exec(h, "SELECT note, v FROM $T ORDER BY id");
  p.fetch(h);
  p.note(std::string(note, strnlen(note, sizeof(note))), {length, v});
  p.free_stmt(h, SQL_UNBIND);
  p.fetch(h);
  p.note(std::string(note, strnlen(note, sizeof(note))), {length, v});
  p.drop(h);
}

void escapes(Program& p) {
  for (const char* sql : {"INSERT INTO $T (v, note) VALUES ({fn LENGTH('four')}, {fn UCASE('up')})",
                          "INSERT INTO $T (v, note) VALUES (30, {fn CONCAT('a', 'b')})",
                          "UPDATE $T SET note = {fn LCASE(note)} WHERE v = 4",
                          "INSERT INTO $T (v, at) VALUES (31, {ts '2024-02-29 23:59:58'})",
                          "UPDATE $T SET at = {ts '2024-03-01 00:00:00'} WHERE v = 31",
                          "INSERT INTO $T (v, note) VALUES (32, {d '2024-02-29'})",
                          "INSERT INTO $T (v, note) VALUES (33, {t '23:59:58'})",
                          "DELETE FROM $T WHERE note LIKE 'a!_%' {escape '!'}"}) {
    p.run(sql);
  }
  p.query("SELECT a.v, b.note FROM {oj $T a LEFT OUTER JOIN $T b ON a.id = b.id} ORDER BY a.v");
  p.query("SELECT v, note, at FROM $T ORDER BY id");
}

void calls(Program& p) {
  SQLHSTMT h = p.stmt();
  SQLINTEGER a = 4;
  SQLINTEGER result = -7;
  SQLLEN length = 0;
  SQLLEN result_length = -7;
  p.bind_parameter(h, 1, SQL_PARAM_OUTPUT, SQL_C_SLONG, SQL_INTEGER, 10, 0, &result, sizeof(result),
                   &result_length);
  p.bind_int(h, 2, &a, &length);
  p.exec(h, "{? = call $T_add(?, 3)}");
  p.note("result", {result, result_length});
  p.num_result_cols(h);
  p.more_results(h);
  p.free_stmt(h, SQL_RESET_PARAMS);
  p.close(h);
  a = 5;
  p.bind_parameter(h, 1, SQL_PARAM_OUTPUT, SQL_C_SLONG, SQL_INTEGER, 10, 0, &result, sizeof(result),
                   &result_length);
  p.bind_int(h, 2, &a, &length);
  p.exec(h, "{? = call $T_put(?)}");
  p.note("result", {result, result_length});
  p.free_stmt(h, SQL_RESET_PARAMS);
  p.close(h);
  a = 4;
  p.bind_int(h, 1, &a, &length);
  p.exec(h, "{call $T_put(?)}");
  p.row_count(h);
  p.close(h);
  p.exec(h, "SELECT $T_put(?)");
  p.rows(h);
  p.close(h);
  p.bind_parameter(h, 1, SQL_PARAM_INPUT_OUTPUT, SQL_C_SLONG, SQL_INTEGER, 10, 0, &a, sizeof(a),
                   &length);
  p.exec(h, "{call $T_twice(?)}");
  p.note("in and out", {a, length});
  p.drop(h);
  p.query("SELECT v FROM $T ORDER BY v");
}

void calls_with_output(Program& p) {
  SQLHSTMT h = p.stmt();
  SQLINTEGER a = 4;
  SQLINTEGER b = -7;
  SQLINTEGER c = 5;
  SQLLEN a_length = 0;
  SQLLEN b_length = -7;
  SQLLEN c_length = 0;
  p.bind_int(h, 1, &a, &a_length);
  p.bind_parameter(h, 2, SQL_PARAM_OUTPUT, SQL_C_SLONG, SQL_INTEGER, 10, 0, &b, sizeof(b),
                   &b_length);
  p.bind_parameter(h, 3, SQL_PARAM_INPUT_OUTPUT, SQL_C_SLONG, SQL_INTEGER, 10, 0, &c, sizeof(c),
                   &c_length);
  p.exec(h, "{call $T_out(?, ?, ?)}");
  p.note("out", {b, b_length, c, c_length});
  p.close(h);
  p.prepare(h, "CALL $T_out(?, ?, ?)");
  p.execute(h);
  p.note("out", {b, b_length, c, c_length});
  p.close(h);
  p.free_stmt(h, SQL_RESET_PARAMS);
  p.bind_int(h, 1, &a, &a_length);
  p.exec(h, "{call $T_put(?)}");
  p.row_count(h);
  p.drop(h);
  p.query("SELECT v FROM $T ORDER BY v");
}

void calls_that_commit(Program& p) {
  for (const char* sql : {"CALL $T_both(1)", "CALL $T_both(2)", "{call $T_both(5)}",
                          "DO 'BEGIN INSERT INTO $T VALUES (8); COMMIT; END'"}) {
    SQLHSTMT h = p.stmt();
    p.exec(h, sql);
    p.row_count(h);
    p.num_result_cols(h);
    p.drop(h);
  }
  p.autocommit(false);
  p.run("CALL $T_both(10)");
  p.rollback();
  p.autocommit(true);
  p.query("SELECT v FROM $T ORDER BY v");
}

// What the server tells of the last statement, asked for as a text.
void counts_as_text(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    for (const char* sql :
         {"INSERT INTO $T (v) VALUES (1), (2), (3)", "INSERT INTO $T (id, v) VALUES (100, 9)",
          "UPDATE $T SET v = v + 1", "UPDATE $T SET v = 7 WHERE id = 100",
          "UPDATE $T SET v = 7 WHERE id = 4711", "DELETE FROM $T WHERE v > 8",
          "DELETE FROM $T WHERE id = 100", "INSERT INTO $T (v) SELECT v FROM $T"}) {
      p.run(sql);
      p.query("SELECT changes(), total_changes()");
      p.query("SELECT last_insert_rowid()");
    }
    p.run("DELETE FROM $T");
    p.commit();
  }
}

void found_rows_as_text(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    p.run("INSERT INTO $T (v) VALUES (1), (2), (3)");
    p.query("SELECT SQL_CALC_FOUND_ROWS v FROM $T ORDER BY v LIMIT 1");
    p.query("SELECT FOUND_ROWS()");
    p.query("SELECT v FROM $T ORDER BY v");
    p.run("UPDATE $T SET v = v + 1");
    p.query("SELECT FOUND_ROWS() AS found");
    p.run("DELETE FROM $T");
    p.query("SELECT FOUND_ROWS()");
    p.commit();
  }
}

}  // namespace

void add_result_cases(Cases& all) {
  const char* plain = "CREATE TABLE $T (id $serial, v int, note varchar(40), at $stamp)";
  const char* rows = "INSERT INTO $T (v, note) VALUES (1, 'a note of some length'), (2, NULL)";
  const auto add = [&](const char* name, std::vector<const char*> schema, void (*body)(Program&),
                       unsigned engines = kAll) {
    all.push_back({"Results", name, engines, std::move(schema), body});
  };
  add("DescribesAQuery", {plain, rows}, describes_a_query);
  add("DescribesAnInsert", {plain}, describes_an_insert);
  add("OwnReturning", {plain}, own_returning);
  add("OwnReturningPrepared", {plain}, own_returning_prepared);
  add("GeneratedKeys", {plain}, generated_keys);
  add("CountsAsText", {plain}, counts_as_text, kSqlite);
  add("FoundRowsAsText", {plain}, found_rows_as_text, kMaria);
  add("SeveralStatements", {plain}, several_statements);
  add("DataInPieces", {plain, rows}, data_in_pieces);
  add("BoundColumns", {plain, rows}, bound_columns);
  add("Escapes", {plain}, escapes);
  add("CallsWithOutput",
      {plain,
       "CREATE DEFINER = app@'%' PROCEDURE $T_out(IN a int, OUT b int, INOUT c int) SET b = a + 1, "
       "c = c * 2",
       "CREATE DEFINER = app@'%' PROCEDURE $T_put(IN a int) INSERT INTO $T (v) VALUES (a)"},
      calls_with_output, kMaria);
  add("CallsThatCommit",
      {"CREATE TABLE $T (v int PRIMARY KEY)",
       "CREATE PROCEDURE $T_both(a int) LANGUAGE plpgsql AS 'BEGIN INSERT INTO $T VALUES (a); "
       "COMMIT; INSERT INTO $T VALUES (a + 1); END'"},
      calls_that_commit, kPostgres);
  add("Calls",
      {plain, "CREATE FUNCTION $T_add(a int, b int) RETURNS int LANGUAGE sql AS 'SELECT a + b'",
       "CREATE FUNCTION $T_put(a int) RETURNS int LANGUAGE sql AS 'INSERT INTO $T (v) VALUES (a); "
       "SELECT a'",
       "CREATE FUNCTION $T_twice(INOUT a int) LANGUAGE sql AS 'SELECT 2 * a'"},
      calls, kPostgres);
}

}  // namespace understudy::parity
