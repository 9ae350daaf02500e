// Cursors: scrolling, blocks, bookmarks, positioned changes, bulk operations.
#include <cstdio>

#include "tests/engine/parity/block.h"
#include "tests/engine/parity/case.h"
#include "tests/engine/parity/program.h"

namespace understudy::parity {
namespace {

void scrolls(Program& p) {
  for (const SQLULEN type : {SQLULEN{SQL_CURSOR_FORWARD_ONLY}, SQLULEN{SQL_CURSOR_STATIC},
                             SQLULEN{SQL_CURSOR_KEYSET_DRIVEN}, SQLULEN{SQL_CURSOR_DYNAMIC}}) {
    SQLHSTMT h = p.stmt();
    Block block;
    block.bind(p, h, type, SQL_CONCUR_READ_ONLY);
    if (!SQL_SUCCEEDED(p.exec(h, "SELECT id, note FROM $T ORDER BY id"))) continue;
    for (const auto& [orientation, offset] :
         std::initializer_list<std::pair<SQLSMALLINT, SQLLEN>>{{SQL_FETCH_NEXT, 0},
                                                               {SQL_FETCH_NEXT, 0},
                                                               {SQL_FETCH_PRIOR, 0},
                                                               {SQL_FETCH_LAST, 0},
                                                               {SQL_FETCH_FIRST, 0},
                                                               {SQL_FETCH_ABSOLUTE, 4},
                                                               {SQL_FETCH_ABSOLUTE, -2},
                                                               {SQL_FETCH_RELATIVE, 1},
                                                               {SQL_FETCH_RELATIVE, -3},
                                                               {SQL_FETCH_ABSOLUTE, 99},
                                                               {SQL_FETCH_PRIOR, 0},
                                                               {SQL_FETCH_NEXT, 0}}) {
      if (SQL_SUCCEEDED(p.fetch_scroll(h, orientation, offset))) block.show(p);
      p.get_stmt_attr(h, SQL_ATTR_ROW_NUMBER);
    }
    p.row_count(h);
    p.drop(h);
  }
}

void blocks_and_single_rows(Program& p) {
  SQLHSTMT h = p.stmt();
  Block block;
  block.bind(p, h, SQL_CURSOR_STATIC, SQL_CONCUR_READ_ONLY);
  p.exec(h, "SELECT id, note FROM $T ORDER BY id");
  for (int i = 0; i < 4; ++i) {
    if (SQL_SUCCEEDED(p.fetch(h))) block.show(p);
  }
  p.close(h);
  p.exec(h, "SELECT id, note FROM $T ORDER BY id");
  p.fetch(h);
  p.set_pos(h, 2, SQL_POSITION);
  p.get_data(h, 2, SQL_C_CHAR);
  p.set_pos(h, 3, SQL_REFRESH);
  p.set_pos(h, 9, SQL_POSITION);
  p.drop(h);
}

struct RowOut {
  SQLINTEGER id;
  SQLLEN id_length;
  char note[12];
  SQLLEN note_length;
};

void blocks_by_row_with_offset(Program& p) {
  RowOut rows[2 * kRowset] = {};
  SQLUSMALLINT status[kRowset] = {77, 77, 77};
  SQLULEN fetched = 7777;
  SQLULEN offset = 0;
  SQLHSTMT h = p.stmt();
  p.set_stmt_attr(h, SQL_ATTR_ROW_BIND_TYPE, sizeof(RowOut));
  p.set_stmt_attr(h, SQL_ATTR_ROW_ARRAY_SIZE, kRowset);
  p.set_stmt_pointer(h, SQL_ATTR_ROW_STATUS_PTR, status);
  p.set_stmt_pointer(h, SQL_ATTR_ROWS_FETCHED_PTR, &fetched);
  p.set_stmt_pointer(h, SQL_ATTR_ROW_BIND_OFFSET_PTR, &offset);
  p.bind_col(h, 1, SQL_C_SLONG, &rows[0].id, sizeof(rows[0].id), &rows[0].id_length);
  p.bind_col(h, 2, SQL_C_CHAR, rows[0].note, sizeof(rows[0].note), &rows[0].note_length);
  p.exec(h, "SELECT id, note FROM $T ORDER BY id");
  for (int i = 0; i < 3; ++i) {
    p.fetch(h);
    p.note("fetched, status", {static_cast<SQLLEN>(fetched), status[0], status[1], status[2]});
    offset = kRowset * sizeof(RowOut);
  }
  for (const RowOut& row : rows) p.note(row.note, {row.id, row.id_length, row.note_length});
  p.drop(h);
}

void bookmarks(Program& p) {
  SQLHSTMT h = p.stmt();
  SQLCHAR mark[16] = {};
  SQLLEN length = -77;
  p.set_stmt_attr(h, SQL_ATTR_USE_BOOKMARKS, SQL_UB_VARIABLE);
  p.set_stmt_attr(h, SQL_ATTR_CURSOR_TYPE, SQL_CURSOR_STATIC);
  p.exec(h, "SELECT id, note FROM $T ORDER BY id");
  p.num_result_cols(h);
  p.describe_col(h, 0);
  p.fetch_scroll(h, SQL_FETCH_ABSOLUTE, 3);
  p.get_data(h, 0, SQL_C_VARBOOKMARK, sizeof(mark));
  p.fetch_scroll(h, SQL_FETCH_ABSOLUTE, 3);
  const SQLRETURN ret = SQLGetData(h, 0, SQL_C_VARBOOKMARK, mark, sizeof(mark), &length);
  p.done("GetData of the bookmark", SQL_HANDLE_STMT, h, ret, std::to_string(length));
  if (!SQL_SUCCEEDED(ret)) {
    p.drop(h);
    return;
  }
  p.set_stmt_pointer(h, SQL_ATTR_FETCH_BOOKMARK_PTR, mark);
  for (const SQLLEN offset : {SQLLEN{0}, SQLLEN{2}, SQLLEN{-2}, SQLLEN{99}}) {
    p.fetch_scroll(h, SQL_FETCH_BOOKMARK, offset);
    p.get_data(h, 1, SQL_C_CHAR);
  }
  p.close(h);
  p.exec(h, "UPDATE $T SET note = 'marked' WHERE id = 3");
  p.row_count(h);
  p.fetch_scroll(h, SQL_FETCH_BOOKMARK, 0);
  p.drop(h);
}

void positioned_changes(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    SQLHSTMT h = p.stmt();
    Block block;
    block.bind(p, h, SQL_CURSOR_KEYSET_DRIVEN, SQL_CONCUR_ROWVER);
    if (SQL_SUCCEEDED(p.exec(h, "SELECT id, note FROM $T ORDER BY id")) &&
        SQL_SUCCEEDED(p.fetch_scroll(h, SQL_FETCH_FIRST))) {
      std::snprintf(block.note[1], sizeof(block.note[1]), "%s", on ? "set" : "set again");
      block.note_length[1] = SQL_NTS;
      p.set_pos(h, 2, SQL_UPDATE);
      block.show(p);
      p.set_pos(h, 3, SQL_DELETE);
      block.show(p);
      block.id[0] = on ? 50 : 51;
      p.set_pos(h, 1, SQL_ADD);
      p.set_pos(h, 1, SQL_REFRESH);
      block.show(p);
      p.row_count(h);
    }
    p.drop(h);
    p.commit();
    p.query("SELECT id, note FROM $T ORDER BY id");
    p.commit();
  }
}

void bulk_operations(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    SQLHSTMT h = p.stmt();
    Block block;
    SQLINTEGER bookmark[kRowset] = {};
    SQLLEN bookmark_length[kRowset] = {};
    p.set_stmt_attr(h, SQL_ATTR_USE_BOOKMARKS, SQL_UB_VARIABLE);
    block.bind(p, h, SQL_CURSOR_KEYSET_DRIVEN, SQL_CONCUR_ROWVER);
    p.bind_col(h, 0, SQL_C_VARBOOKMARK, bookmark, sizeof(bookmark[0]), bookmark_length);
    if (SQL_SUCCEEDED(p.exec(h, "SELECT id, note FROM $T ORDER BY id")) &&
        SQL_SUCCEEDED(p.fetch_scroll(h, SQL_FETCH_FIRST))) {
      p.note("bookmarks", {bookmark[0], bookmark[1], bookmark[2]});
      std::snprintf(block.note[0], sizeof(block.note[0]), "bulk");
      block.note_length[0] = SQL_NTS;
      p.bulk_operations(h, SQL_UPDATE_BY_BOOKMARK);
      block.show(p);
      p.bulk_operations(h, SQL_FETCH_BY_BOOKMARK);
      block.show(p);
      for (SQLULEN i = 0; i < kRowset; ++i) {
        block.id[i] = static_cast<SQLINTEGER>((on ? 60 : 70) + i);
      }
      p.bulk_operations(h, SQL_ADD);
      block.show(p);
      p.row_count(h);
      p.fetch_scroll(h, SQL_FETCH_BOOKMARK, 1);
      p.fetch_scroll(h, SQL_FETCH_FIRST);
      p.bulk_operations(h, SQL_DELETE_BY_BOOKMARK);
      block.show(p);
    }
    p.drop(h);
    p.commit();
    p.query("SELECT id, note FROM $T ORDER BY id");
    p.commit();
  }
}

/// A key that the server makes, data that comes in pieces, and both through explicit descriptors.
void rows_added_by_cursor(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    SQLHSTMT h = p.stmt();
    char note[20] = "made";
    SQLLEN length = SQL_NTS;
    p.set_stmt_attr(h, SQL_ATTR_CURSOR_TYPE, SQL_CURSOR_KEYSET_DRIVEN);
    p.set_stmt_attr(h, SQL_ATTR_CONCURRENCY, SQL_CONCUR_ROWVER);
    p.bind_col(h, 2, SQL_C_CHAR, note, sizeof(note), &length);
    if (SQL_SUCCEEDED(p.exec(h, "SELECT id, note FROM $T ORDER BY id")) &&
        SQL_SUCCEEDED(p.fetch_scroll(h, SQL_FETCH_FIRST))) {
      std::snprintf(note, sizeof(note), on ? "made" : "made too");
      length = SQL_NTS;
      p.bulk_operations(h, SQL_ADD);
      p.row_count(h);
    }
    p.drop(h);
    p.commit();
    p.query("SELECT note FROM $T ORDER BY id");
    p.commit();
  }
}

void data_for_cursors(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    SQLHSTMT h = p.stmt();
    Block block;
    block.bind(p, h, SQL_CURSOR_KEYSET_DRIVEN, SQL_CONCUR_ROWVER);
    if (SQL_SUCCEEDED(p.exec(h, "SELECT id, note FROM $T ORDER BY id")) &&
        SQL_SUCCEEDED(p.fetch_scroll(h, SQL_FETCH_FIRST))) {
      block.note_length[1] = SQL_DATA_AT_EXEC;
      if (p.set_pos(h, 2, SQL_UPDATE) == SQL_NEED_DATA) {
        p.param_data(h);
        p.put_data(h, on ? "pieces" : "other ", 6);
        p.put_data(h, " two", 4);
        p.param_data(h);
        p.row_count(h);
      }
    }
    p.drop(h);
    p.commit();
    p.query("SELECT id, note FROM $T ORDER BY id");
    p.commit();
  }
}

void cursors_with_descriptors(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    SQLHSTMT h = p.stmt();
    Block block;
    SQLHDESC d = p.alloc_desc();
    p.set_stmt_pointer(h, SQL_ATTR_APP_ROW_DESC, d);
    block.bind(p, h, SQL_CURSOR_KEYSET_DRIVEN, SQL_CONCUR_ROWVER);
    // psqlodbc refuses.
    if (p.maria()) p.set_desc_field(d, 2, SQL_DESC_DATA_PTR, block.note, false);
    if (SQL_SUCCEEDED(p.exec(h, "SELECT id, note FROM $T ORDER BY id")) &&
        SQL_SUCCEEDED(p.fetch_scroll(h, SQL_FETCH_FIRST))) {
      std::snprintf(block.note[1], sizeof(block.note[1]), "%s", on ? "described" : "again");
      block.note_length[1] = SQL_NTS;
      p.set_pos(h, 2, SQL_UPDATE);
      p.set_pos(h, 3, SQL_DELETE);
      block.show(p);
    }
    p.drop(h);
    p.free_desc(d);
    p.commit();
    p.query("SELECT id, note FROM $T ORDER BY id");
    p.commit();
  }
}

void where_current_of(Program& p) {
  p.autocommit(false);
  SQLHSTMT reader = p.stmt();
  SQLHSTMT writer = p.stmt();
  p.get_cursor_name(reader);
  p.set_cursor_name(reader, "c_$T");
  p.get_cursor_name(reader);
  p.get_cursor_name(reader, 4);
  p.set_cursor_name(writer, "c_$T");
  p.set_stmt_attr(reader, SQL_ATTR_CONCURRENCY, SQL_CONCUR_LOCK);
  p.exec(reader, "SELECT id, note FROM $T ORDER BY id FOR UPDATE");
  p.fetch(reader);
  p.fetch(reader);
  p.exec(writer, "UPDATE $T SET note = 'current' WHERE CURRENT OF c_$T");
  p.row_count(writer);
  p.exec(writer, "DELETE FROM $T WHERE CURRENT OF c_$T");
  p.drop(writer);
  p.drop(reader);
  p.commit();
  p.query("SELECT id, note FROM $T ORDER BY id");
  p.commit();
}

void declared_cursors(Program& p) {
  p.run("BEGIN");
  p.run("DECLARE d_$T CURSOR FOR SELECT id FROM $T ORDER BY id FOR UPDATE");
  p.query("FETCH 2 FROM d_$T");
  p.run("UPDATE $T SET note = 'declared' WHERE CURRENT OF d_$T");
  p.run("MOVE d_$T");
  p.run("DELETE FROM $T WHERE CURRENT OF d_$T");
  p.run("CLOSE d_$T");
  p.run("COMMIT");
  p.query("SELECT id, note FROM $T ORDER BY id");
}

void server_cursors(Program& p) {
  if (!p.connect("UseDeclareFetch=1;Fetch=2;")) return;
  p.query("SELECT id, note FROM $T ORDER BY id");
  p.autocommit(false);
  SQLHSTMT reader = p.stmt();
  p.exec(reader, "SELECT id FROM $T ORDER BY id");
  p.fetch(reader);
  p.run("INSERT INTO $T VALUES (80, 'while reading')");
  for (int i = 0; i < 3; ++i) p.fetch(reader);
  p.get_data(reader, 1, SQL_C_CHAR);
  p.drop(reader);
  p.commit();
  p.query("SELECT count(*) FROM $T");
  p.commit();
}

void extended_fetches(Program& p) {
  SQLHSTMT h = p.stmt();
  Block block;
  block.bind(p, h, SQL_CURSOR_STATIC, SQL_CONCUR_READ_ONLY);
  p.set_stmt_attr(h, SQL_ROWSET_SIZE, kRowset);
  p.exec(h, "SELECT id, note FROM $T ORDER BY id");
  for (const SQLUSMALLINT orientation :
       {SQL_FETCH_NEXT, SQL_FETCH_NEXT, SQL_FETCH_NEXT, SQL_FETCH_FIRST, SQL_FETCH_LAST}) {
    SQLUSMALLINT status[kRowset] = {77, 77, 77};
    p.extended_fetch(h, orientation, 1, status);
    p.note("status", {status[0], status[1], status[2]});
    block.show(p);
  }
  p.fetch(h);
  p.drop(h);
}

}  // namespace

void add_cursor_cases(Cases& all) {
  const auto add = [&](const char* name, void (*body)(Program&), unsigned engines = kAll,
                       bool own = false) {
    all.push_back({"Cursors",
                   name,
                   engines,
                   {"CREATE TABLE $T (id int PRIMARY KEY, note varchar(20))",
                    "INSERT INTO $T VALUES (1, 'one'), (2, 'two'), (3, NULL), (4, 'four'), "
                    "(5, 'five'), (6, 'a longer note')"},
                   body,
                   own});
  };
  add("Scrolls", scrolls);
  add("BlocksAndSingleRows", blocks_and_single_rows);
  add("BlocksByRowWithOffset", blocks_by_row_with_offset);
  add("Bookmarks", bookmarks);
  add("PositionedChanges", positioned_changes);
  add("BulkOperations", bulk_operations);
  add("DataForCursors", data_for_cursors);
  add("CursorsWithDescriptors", cursors_with_descriptors, kPostgres | kMaria);
  all.push_back(
      {"Cursors",
       "RowsAddedByCursor",
       kAll,
       {"CREATE TABLE $T (id $serial, note varchar(20))", "INSERT INTO $T (note) VALUES ('one')"},
       rows_added_by_cursor});
  add("WhereCurrentOf", where_current_of);
  add("DeclaredCursors", declared_cursors, kPostgres);
  add("ServerCursors", server_cursors, kPostgres, true);
  add("ExtendedFetches", extended_fetches);
}

}  // namespace understudy::parity
