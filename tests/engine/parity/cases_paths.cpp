// Ways to write that programs seldom go: data in pieces of every type, rows through a cursor by
// whole rowsets, arrays through descriptors.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "tests/engine/parity/block.h"
#include "tests/engine/parity/case.h"
#include "tests/engine/parity/program.h"

namespace understudy::parity {
namespace {

SQLPOINTER token(SQLLEN value) {
  return reinterpret_cast<SQLPOINTER>(value);
}

struct Piece {
  std::string bytes;
  SQLLEN length = 0;  // as SQLPutData is told it
};
using Pieces = std::vector<Piece>;

Piece whole(std::string bytes) {
  const auto length = static_cast<SQLLEN>(bytes.size());
  return {std::move(bytes), length};
}

std::string wide_bytes(const std::u16string& text) {
  return {reinterpret_cast<const char*>(text.data()), text.size() * sizeof(char16_t)};
}

/// Gives each parameter that the driver asks for its pieces; `given` is by token.
SQLRETURN feed(Program& p, SQLHSTMT h, const std::vector<Pieces>& given) {
  for (int i = 0; i < 20; ++i) {
    SQLPOINTER asked = nullptr;
    const SQLRETURN ret = SQLParamData(h, &asked);
    const auto number = reinterpret_cast<std::uintptr_t>(asked);
    p.done("ParamData", SQL_HANDLE_STMT, h, ret,
           ret == SQL_NEED_DATA ? std::to_string(number) : "");
    if (ret != SQL_NEED_DATA || number >= given.size()) return ret;
    for (const Piece& piece : given[number]) {
      const bool null = piece.length == SQL_NULL_DATA;
      const SQLRETURN put =
          SQLPutData(h, null ? nullptr : const_cast<char*>(piece.bytes.data()), piece.length);
      p.done("PutData", SQL_HANDLE_STMT, h, put, std::to_string(piece.length));
    }
  }
  return SQL_ERROR;
}

struct Late {
  SQLSMALLINT c_type;
  SQLSMALLINT sql_type;
  SQLULEN size;
  const char* column;
  Pieces pieces;
};

template <class T>
Piece fixed(const T& value, SQLLEN length = sizeof(T)) {
  return {std::string(reinterpret_cast<const char*>(&value), sizeof(value)), length};
}

std::vector<Late> late_values() {
  const std::string wide = wide_bytes(u"w\u00e9\u20ac\U0001F600 and more");
  return {
      {SQL_C_WCHAR, SQL_WLONGVARCHAR, 4000, "note", {whole(wide)}},
      {SQL_C_WCHAR, SQL_WVARCHAR, 40, "note", {whole(wide.substr(0, 4)), whole(wide.substr(4))}},
      {SQL_C_BINARY,
       SQL_LONGVARBINARY,
       4000,
       "bl",
       {whole(std::string("\0\1\xFE", 3)), whole(std::string("\xFF\0", 2))}},
      {SQL_C_BINARY, SQL_VARBINARY, 40, "bl", {whole("\7")}},
      {SQL_C_CHAR, SQL_VARCHAR, 40, "note", {{"nul ended", SQL_NTS}}},
      {SQL_C_SLONG, SQL_INTEGER, 10, "i", {fixed(SQLINTEGER{-42})}},
      {SQL_C_SLONG, SQL_INTEGER, 10, "i", {fixed(SQLINTEGER{43}, 0)}},
      {SQL_C_DOUBLE, SQL_DOUBLE, 15, "d", {fixed(SQLDOUBLE{0.1})}},
      {SQL_C_TYPE_DATE, SQL_TYPE_DATE, 10, "dt", {fixed(SQL_DATE_STRUCT{2024, 2, 29})}},
      {SQL_C_CHAR, SQL_INTEGER, 10, "i", {whole("4"), whole("4")}},
      {SQL_C_CHAR, SQL_VARCHAR, 40, "note", {}},
      {SQL_C_CHAR, SQL_VARCHAR, 40, "note", {{"", SQL_NULL_DATA}}},
  };
}

void data_of_every_type_in_pieces(Program& p) {
  SQLINTEGER id = 0;
  for (const bool on : {true, false}) {
    p.autocommit(on);
    for (const Late& one : late_values()) {
      SQLHSTMT h = p.stmt();
      // libsqliteodbc takes what is announced for what has come.
      std::size_t bytes = 0;
      for (const Piece& piece : one.pieces) bytes += piece.bytes.size();
      SQLLEN late = SQL_LEN_DATA_AT_EXEC(static_cast<SQLLEN>(bytes));
      ++id;
      p.bind_int(h, 1, &id);
      p.bind_parameter(h, 2, SQL_PARAM_INPUT, one.c_type, one.sql_type, one.size, 0, token(1), 0,
                       &late);
      if (p.exec(h, std::string("INSERT INTO $T (id, ") + one.column + ") VALUES (?, ?)") ==
          SQL_NEED_DATA) {
        feed(p, h, {{}, one.pieces});
      }
      p.row_count(h);
      p.drop(h);
    }
    p.commit();
  }
  p.query("SELECT id, note, bl, i, d, dt FROM $T ORDER BY id");
  p.commit();
}

// All parameters late, and asked for in the driver's order; hundreds of pieces.
void all_data_in_many_pieces(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    SQLHSTMT h = p.stmt();
    SQLLEN late[3] = {SQL_DATA_AT_EXEC, SQL_DATA_AT_EXEC, SQL_DATA_AT_EXEC};
    p.bind_parameter(h, 1, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_INTEGER, 10, 0, token(3), 0, &late[0]);
    p.bind_parameter(h, 2, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_LONGVARCHAR, 1 << 20, 0, token(2), 0,
                     &late[1]);
    p.bind_parameter(h, 3, SQL_PARAM_INPUT, SQL_C_BINARY, SQL_LONGVARBINARY, 1 << 20, 0, token(1),
                     0, &late[2]);
    p.prepare(h, "INSERT INTO $T (id, note, bl) VALUES (?, ?, ?)");
    for (const char* digit : {"1", "2"}) {
      Pieces text;
      Pieces bytes;
      for (int i = 0; i < 300; ++i) {
        text.push_back(whole(std::string(static_cast<std::size_t>(i % 40), 'a' + i % 26)));
        bytes.push_back(whole(std::string(1000, static_cast<char>(i))));
      }
      // libsqliteodbc makes room for what is announced.
      SQLLEN characters = 0;
      for (const Piece& piece : text) characters += piece.length;
      late[0] = SQL_LEN_DATA_AT_EXEC(3);
      late[1] = SQL_LEN_DATA_AT_EXEC(characters);
      late[2] = SQL_LEN_DATA_AT_EXEC(300 * 1000);
      p.execute(h);
      feed(p, h, {{}, bytes, text, {whole(on ? "10" : "20"), whole(digit)}});
      p.row_count(h);
    }
    p.drop(h);
    p.commit();
  }
  p.query(p.maria() ? "SELECT id, LENGTH(note), MD5(note), LENGTH(bl), MD5(bl) FROM $T ORDER BY id"
          : p.postgres()
              ? "SELECT id, length(note), md5(note), length(bl), md5(bl) FROM $T ORDER BY id"
              : "SELECT id, length(note), note, length(bl) FROM $T ORDER BY id");
  p.commit();
}

// Arrays whose every attribute comes through descriptors.
void arrays_through_descriptors(Program& p) {
  struct Row {
    SQLLEN unused;
    SQLINTEGER id;
    SQLLEN length;
    char note[16];
    SQLLEN note_length;
  };
  for (const bool on : {true, false}) {
    p.autocommit(on);
    const SQLINTEGER first = on ? 1 : 11;
    Row rows[4] = {{0, first, 0, "one", SQL_NTS},
                   {0, first + 1, 0, "two", 2},
                   {0, first + 2, 0, "", SQL_NULL_DATA},
                   {0, first + 3, 0, "four", SQL_NTS}};
    SQLUSMALLINT operation[4] = {SQL_PARAM_PROCEED, SQL_PARAM_PROCEED, SQL_PARAM_PROCEED,
                                 SQL_PARAM_PROCEED};
    SQLUSMALLINT status[4] = {77, 77, 77, 77};
    SQLULEN processed = 7777;
    SQLULEN offset = 0;
    SQLHSTMT h = p.stmt();
    p.prepare(h, "INSERT INTO $T (id, note) VALUES (?, ?)");
    p.bind_int(h, 1, &rows[0].id, &rows[0].length);
    p.bind_text(h, 2, rows[0].note, sizeof(rows[0].note), &rows[0].note_length);
    SQLHDESC apd = p.descriptor(h, SQL_ATTR_APP_PARAM_DESC);
    SQLHDESC ipd = p.descriptor(h, SQL_ATTR_IMP_PARAM_DESC);
    p.set_desc_field(apd, 0, SQL_DESC_ARRAY_SIZE, token(2));
    p.set_desc_field(apd, 0, SQL_DESC_BIND_TYPE, token(sizeof(Row)));
    p.set_desc_field(apd, 0, SQL_DESC_ARRAY_STATUS_PTR, operation, false);
    p.set_desc_field(ipd, 0, SQL_DESC_ARRAY_STATUS_PTR, status, false);
    p.set_desc_field(ipd, 0, SQL_DESC_ROWS_PROCESSED_PTR, &processed, false);
    p.set_desc_field(apd, 0, SQL_DESC_BIND_OFFSET_PTR, &offset, false);
    for (offset = 0; offset <= 2 * sizeof(Row); offset += 2 * sizeof(Row)) {
      p.execute(h);
      p.note("processed, status", {static_cast<SQLLEN>(processed), status[0], status[1]});
      p.row_count(h);
      p.close(h);
    }
    p.get_stmt_attr(h, SQL_ATTR_PARAMSET_SIZE);
    p.get_stmt_attr(h, SQL_ATTR_PARAM_BIND_TYPE);
    p.set_desc_field(apd, 0, SQL_DESC_ARRAY_SIZE, token(1));
    offset = 0;
    rows[0].id += 100;
    p.execute(h);
    p.row_count(h);
    p.drop(h);
    p.commit();
  }
  p.query("SELECT id, note FROM $T ORDER BY id");
  p.commit();
}

// Numbers beside them that descriptors alone can give.
void numerics_through_descriptors(Program& p) {
  SQL_NUMERIC_STRUCT value = {};
  value.precision = 10;
  value.scale = 2;
  value.sign = 1;
  value.val[0] = 0x39;
  value.val[1] = 0x30;
  SQLINTEGER id = 1;
  for (const SQLLEN scale : {SQLLEN{2}, SQLLEN{0}, SQLLEN{3}}) {
    SQLHSTMT h = p.stmt();
    p.bind_int(h, 1, &id);
    p.bind_parameter(h, 2, SQL_PARAM_INPUT, SQL_C_NUMERIC, SQL_NUMERIC, 10,
                     static_cast<SQLSMALLINT>(scale), &value, sizeof(value), nullptr);
    SQLHDESC apd = p.descriptor(h, SQL_ATTR_APP_PARAM_DESC);
    p.set_desc_field(apd, 2, SQL_DESC_TYPE, token(SQL_C_NUMERIC));
    p.set_desc_field(apd, 2, SQL_DESC_PRECISION, token(10));
    p.set_desc_field(apd, 2, SQL_DESC_SCALE, token(scale));
    p.set_desc_field(apd, 2, SQL_DESC_DATA_PTR, &value, false);
    p.exec(h, "INSERT INTO $T (id, n) VALUES (?, ?)");
    p.row_count(h);
    p.drop(h);
    ++id;
  }
  p.query("SELECT id, n FROM $T ORDER BY id");
}

// Small numbers that are addresses when the offset has been added; none of them is 0.
void offsets_in_structures(Program& p) {
  struct Row {
    char unused[16];
    SQLINTEGER id;
    SQLLEN id_length;
    char note[16];
    SQLLEN note_length;
  };
  for (const bool on : {true, false}) {
    p.autocommit(on);
    Row rows[2] = {{"", on ? 1 : 11, 0, "first", SQL_NTS}, {"", on ? 2 : 12, 0, "second", 3}};
    SQLULEN base = reinterpret_cast<SQLULEN>(&rows[0]);
    SQLHSTMT h = p.stmt();
    p.set_stmt_pointer(h, SQL_ATTR_PARAM_BIND_OFFSET_PTR, &base);
    p.bind_int(h, 1, reinterpret_cast<SQLINTEGER*>(offsetof(Row, id)),
               reinterpret_cast<SQLLEN*>(offsetof(Row, id_length)));
    p.bind_text(h, 2, reinterpret_cast<char*>(offsetof(Row, note)), sizeof(rows[0].note),
                reinterpret_cast<SQLLEN*>(offsetof(Row, note_length)));
    p.prepare(h, "INSERT INTO $T (id, note) VALUES (?, ?)");
    p.execute(h);
    p.row_count(h);
    base = reinterpret_cast<SQLULEN>(&rows[1]);
    p.execute(h);
    p.row_count(h);
    p.prepare(h, "UPDATE $T SET note = 'changed' WHERE id >= ? AND note <> ?");
    p.execute(h);
    p.row_count(h);
    p.drop(h);
    p.commit();
  }
  p.query("SELECT id, note FROM $T ORDER BY id");
  p.commit();
}

// The binding of the standard's own, without a direction.
void binds_as_the_standard_does(Program& p) {
  SQLHSTMT h = p.stmt();
  SQLINTEGER id = 1;
  SQLLEN length = 0;
  char note[16] = "bound";
  SQLLEN note_length = SQL_NTS;
  p.done("BindParam", SQL_HANDLE_STMT, h,
         SQLBindParam(h, 1, SQL_C_SLONG, SQL_INTEGER, 10, 0, &id, &length));
  p.done("BindParam", SQL_HANDLE_STMT, h,
         SQLBindParam(h, 2, SQL_C_CHAR, SQL_VARCHAR, 40, 0, note, &note_length));
  p.exec(h, "INSERT INTO $T (id, note) VALUES (?, ?)");
  p.row_count(h);
  p.prepare(h, "INSERT INTO $T (id, note) VALUES (? + 1, ?)");
  note_length = 3;
  p.execute(h);
  p.row_count(h);
  p.drop(h);
  p.query("SELECT id, note FROM $T ORDER BY id");
}

// ---- cursors ----

// Row 0 means all rows of the rowset.
void changes_whole_rowsets(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    SQLHSTMT h = p.stmt();
    Block block;
    block.bind(p, h);
    if (SQL_SUCCEEDED(p.exec(h, "SELECT id, note FROM $T ORDER BY id")) &&
        SQL_SUCCEEDED(p.fetch_scroll(h, SQL_FETCH_FIRST))) {
      block.write_notes(on ? "all" : "again");
      p.set_pos(h, 0, SQL_UPDATE);
      p.row_count(h);
      block.show(p);
      p.set_pos(h, 0, SQL_REFRESH);
      block.show(p);
      if (SQL_SUCCEEDED(p.fetch_scroll(h, SQL_FETCH_NEXT))) {
        block.show(p);
        p.set_pos(h, 0, SQL_DELETE);
        p.row_count(h);
        block.show(p);
      }
    }
    p.drop(h);
    p.commit();
    p.query("SELECT id, note FROM $T ORDER BY id");
    p.commit();
  }
}

void leaves_out_rows_of_the_rowset(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    SQLHSTMT h = p.stmt();
    Block block;
    block.bind(p, h);
    p.set_stmt_pointer(h, SQL_ATTR_ROW_OPERATION_PTR, block.operation);
    block.operation[1] = SQL_ROW_IGNORE;
    if (SQL_SUCCEEDED(p.exec(h, "SELECT id, note FROM $T ORDER BY id")) &&
        SQL_SUCCEEDED(p.fetch_scroll(h, SQL_FETCH_FIRST))) {
      block.write_notes(on ? "some" : "others");
      p.set_pos(h, 0, SQL_UPDATE);
      block.show(p);
      // A column that is left out.
      block.note_length[2] = SQL_COLUMN_IGNORE;
      block.id[2] += 100;
      p.set_pos(h, 3, SQL_UPDATE);
      block.show(p);
      if (SQL_SUCCEEDED(p.fetch_scroll(h, SQL_FETCH_NEXT))) {
        block.operation[0] = SQL_ROW_IGNORE;
        p.set_pos(h, 0, SQL_DELETE);
        block.show(p);
      }
    }
    p.drop(h);
    p.commit();
    p.query("SELECT id, note FROM $T ORDER BY id");
    p.commit();
  }
}

void locks_rows_of_a_cursor(Program& p) {
  p.autocommit(false);
  SQLHSTMT h = p.stmt();
  Block block;
  block.bind(p, h);
  if (SQL_SUCCEEDED(p.exec(h, "SELECT id, note FROM $T ORDER BY id")) &&
      SQL_SUCCEEDED(p.fetch_scroll(h, SQL_FETCH_FIRST))) {
    for (const SQLUSMALLINT lock : {SQL_LOCK_NO_CHANGE, SQL_LOCK_EXCLUSIVE, SQL_LOCK_UNLOCK}) {
      p.set_pos(h, 1, SQL_POSITION, lock);
      p.set_pos(h, 2, SQL_REFRESH, lock);
      std::snprintf(block.note[0], sizeof(block.note[0]), "lock %d", lock);
      block.note_length[0] = SQL_NTS;
      p.set_pos(h, 1, SQL_UPDATE, lock);
      block.show(p);
    }
    p.set_pos(h, 1, SQL_POSITION, 9);
    p.set_pos(h, 1, 9);
  }
  p.drop(h);
  p.commit();
  p.query("SELECT id, note FROM $T ORDER BY id");
  p.commit();
}

// SQLBulkOperations with data in pieces.
void adds_rows_in_pieces(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    SQLHSTMT h = p.stmt();
    SQLINTEGER id = 0;
    SQLLEN id_length = 0;
    SQLLEN late = 0;
    p.set_stmt_attr(h, SQL_ATTR_CURSOR_TYPE, SQL_CURSOR_KEYSET_DRIVEN);
    p.set_stmt_attr(h, SQL_ATTR_CONCURRENCY, SQL_CONCUR_ROWVER);
    char note[40] = "";
    p.bind_col(h, 1, SQL_C_SLONG, &id, sizeof(id), &id_length);
    p.bind_col(h, 2, SQL_C_CHAR, note, sizeof(note), &late);
    if (SQL_SUCCEEDED(p.exec(h, "SELECT id, note FROM $T ORDER BY id")) &&
        SQL_SUCCEEDED(p.fetch_scroll(h, SQL_FETCH_FIRST))) {
      id = on ? 201 : 202;
      late = SQL_LEN_DATA_AT_EXEC(10);
      if (p.bulk_operations(h, SQL_ADD) == SQL_NEED_DATA) {
        SQLPOINTER asked = nullptr;
        SQLRETURN ret = SQLParamData(h, &asked);
        p.done("ParamData", SQL_HANDLE_STMT, h, ret);
        if (ret == SQL_NEED_DATA) {
          p.put_data(h, "first", 5);
          p.put_data(h, " and last", 9);
          p.done("ParamData", SQL_HANDLE_STMT, h, SQLParamData(h, &asked));
        }
      }
      p.row_count(h);
    }
    p.drop(h);
    p.commit();
    p.query("SELECT id, note FROM $T ORDER BY id");
    p.commit();
  }
}

// The driver manager's own cursors: positioned statements are texts that it makes.
void cursors_of_the_driver_manager(Program& p) {
  p.dbc = p.alloc_dbc();
  p.set_connect_attr(p.dbc, SQL_ATTR_ODBC_CURSORS, SQL_CUR_USE_ODBC);
  if (!SQL_SUCCEEDED(p.driver_connect(p.dbc, "DSN=" + p.dsn()))) return;
  for (const bool on : {true, false}) {
    p.autocommit(on);
    SQLHSTMT reader = p.stmt();
    SQLHSTMT writer = p.stmt();
    SQLINTEGER id = 0;
    SQLLEN id_length = 0;
    char note[20] = "";
    SQLLEN note_length = 0;
    p.set_stmt_attr(reader, SQL_ATTR_CURSOR_TYPE, SQL_CURSOR_STATIC);
    p.set_stmt_attr(reader, SQL_ATTR_CONCURRENCY, SQL_CONCUR_VALUES);
    p.set_cursor_name(reader, "lib_$T");
    p.bind_col(reader, 1, SQL_C_SLONG, &id, sizeof(id), &id_length);
    p.bind_col(reader, 2, SQL_C_CHAR, note, sizeof(note), &note_length);
    p.exec(reader, "SELECT id, note FROM $T ORDER BY id");
    p.fetch_scroll(reader, SQL_FETCH_NEXT);
    p.fetch_scroll(reader, SQL_FETCH_NEXT);
    p.note(note, {id, id_length, note_length});
    p.exec(writer, on ? "UPDATE $T SET note = 'by library' WHERE CURRENT OF lib_$T"
                      : "DELETE FROM $T WHERE CURRENT OF lib_$T");
    p.row_count(writer);
    p.fetch_scroll(reader, SQL_FETCH_PRIOR);
    p.note(note, {id, id_length, note_length});
    p.drop(writer);
    p.drop(reader);
    p.run("INSERT INTO $T (id, note) VALUES (" + std::to_string(on ? 301 : 302) + ", 'x')");
    p.commit();
  }
  p.query("SELECT id, note FROM $T ORDER BY id");
  p.commit();
}

}  // namespace

void add_path_cases(Cases& all) {
  const auto add = [&](const char* name, std::vector<const char*> schema, void (*body)(Program&),
                       unsigned engines = kAll, bool own = false) {
    all.push_back({"Paths", name, engines, std::move(schema), body, own});
  };
  add("DataOfEveryTypeInPieces", {kOfManyTypes}, data_of_every_type_in_pieces);
  add("AllDataInManyPieces", {kOfManyTypes}, all_data_in_many_pieces);
  add("ArraysThroughDescriptors", {kNarrow}, arrays_through_descriptors, kPostgres | kMaria);
  add("NumericsThroughDescriptors", {kOfManyTypes}, numerics_through_descriptors,
      kPostgres | kMaria);
  add("OffsetsInStructures", {kNarrow}, offsets_in_structures, kPostgres | kMaria);
  add("BindsAsTheStandardDoes", {kNarrow}, binds_as_the_standard_does);
  add("ChangesWholeRowsets", {kNarrow, kNineRows}, changes_whole_rowsets);
  add("LeavesOutRowsOfTheRowset", {kNarrow, kNineRows}, leaves_out_rows_of_the_rowset);
  add("LocksRowsOfACursor", {kNarrow, kNineRows}, locks_rows_of_a_cursor);
  add("AddsRowsInPieces", {kNarrow, kNineRows}, adds_rows_in_pieces);
  add("CursorsOfTheDriverManager", {kNarrow, kNineRows}, cursors_of_the_driver_manager, kAll, true);
}

}  // namespace understudy::parity
