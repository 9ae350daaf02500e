// What programs ask seldom: of statements that have written, of other handles, with small buffers.
#include <cstring>

#include "tests/engine/parity/case.h"
#include "tests/engine/parity/program.h"

namespace understudy::parity {
namespace {

constexpr const char* kInsert = "INSERT INTO $T (id, note) VALUES (?, ?)";

struct Pair {
  SQLINTEGER id = 1;
  char note[20] = "note";
  SQLLEN length = SQL_NTS;
  void bind(Program& p, SQLHSTMT h) {
    p.bind_int(h, 1, &id);
    p.bind_text(h, 2, note, sizeof(note), &length);
  }
};

SQLRETURN cancel_handle(Program& p, SQLSMALLINT type, SQLHANDLE handle) {
  return p.done("CancelHandle", type, handle, SQLCancelHandle(type, handle));
}

void cancels_handles(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    SQLHSTMT h = p.stmt();
    cancel_handle(p, SQL_HANDLE_STMT, h);
    cancel_handle(p, SQL_HANDLE_DBC, p.dbc);
    Pair pair;
    pair.id = on ? 1 : 2;
    pair.bind(p, h);
    p.prepare(h, kInsert);
    cancel_handle(p, SQL_HANDLE_STMT, h);
    p.execute(h);
    cancel_handle(p, SQL_HANDLE_STMT, h);
    p.row_count(h);
    pair.length = SQL_DATA_AT_EXEC;
    p.bind_parameter(h, 2, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_VARCHAR, 40, 0,
                     reinterpret_cast<SQLPOINTER>(22), 0, &pair.length);
    pair.id += 10;
    p.execute(h);
    p.param_data(h);
    cancel_handle(p, SQL_HANDLE_STMT, h);
    p.put_data(h, "lost", 4);
    pair.length = SQL_NTS;
    pair.bind(p, h);
    p.execute(h);
    p.drop(h);
    p.query("SELECT id, note FROM $T ORDER BY id");
    p.commit();
  }
}

void asynchronous_connections(Program& p) {
  for (const SQLINTEGER attribute : {SQL_ATTR_ASYNC_DBC_FUNCTIONS_ENABLE, SQL_ATTR_ASYNC_ENABLE}) {
    p.get_connect_attr(p.dbc, attribute);
    p.set_connect_attr(p.dbc, attribute, 0);
    p.set_connect_attr(p.dbc, attribute, 1);
    p.get_connect_attr(p.dbc, attribute);
    p.run("INSERT INTO $T (id, note) VALUES (1, 'x')");
    p.run("DELETE FROM $T");
    p.set_connect_attr(p.dbc, attribute, 0);
  }
  for (const SQLUSMALLINT type : {SQL_ASYNC_MODE, SQL_ASYNC_DBC_FUNCTIONS, SQL_ASYNC_NOTIFICATION,
                                  SQL_MAX_ASYNC_CONCURRENT_STATEMENTS}) {
    p.get_info(type, false);
  }
}

void copies_between_statements(Program& p) {
  Pair pair;
  SQLHSTMT a = p.stmt();
  SQLHSTMT b = p.stmt();
  pair.bind(p, a);
  p.prepare(a, kInsert);
  p.execute(a);
  p.prepare(b, kInsert);
  p.copy_desc(p.descriptor(a, SQL_ATTR_APP_PARAM_DESC), p.descriptor(b, SQL_ATTR_APP_PARAM_DESC));
  p.copy_desc(p.descriptor(a, SQL_ATTR_IMP_PARAM_DESC), p.descriptor(b, SQL_ATTR_IMP_PARAM_DESC));
  pair.id = 2;
  p.execute(b);
  p.row_count(b);
  SQLINTEGER id = 0;
  SQLLEN length = 0;
  SQLHSTMT reader = p.stmt();
  p.bind_col(reader, 1, SQL_C_SLONG, &id, sizeof(id), &length);
  p.exec(reader, "SELECT id FROM $T ORDER BY id");
  p.copy_desc(p.descriptor(reader, SQL_ATTR_APP_ROW_DESC), p.descriptor(b, SQL_ATTR_APP_ROW_DESC));
  p.copy_desc(p.descriptor(reader, SQL_ATTR_IMP_ROW_DESC), p.descriptor(b, SQL_ATTR_APP_ROW_DESC));
  p.fetch(reader);
  p.note("id", {id, length});
  p.close(b);
  p.free_stmt(b, SQL_RESET_PARAMS);
  id = 0;
  if (SQL_SUCCEEDED(
          p.exec(b, "INSERT INTO $T (id, note) VALUES (3, 'three') RETURNING id, note"))) {
    p.fetch(b);
    p.note("id", {id, length});
    p.get_data(b, 2, SQL_C_CHAR);
  }
  p.drop(reader);
  p.drop(a);
  p.drop(b);
  p.query("SELECT id, note FROM $T ORDER BY id");
}

void returning_in_pieces(Program& p) {
  for (const bool prepared : {false, true}) {
    const std::string sql = prepared ? "UPDATE $T SET note = note || '+' RETURNING note, id, note"
                                     : "INSERT INTO $T (id, note) VALUES (1, 'a long note of "
                                       "many pieces'), (2, NULL), (3, '') RETURNING note, id, note";
    SQLHSTMT h = p.stmt();
    if (prepared) {
      if (SQL_SUCCEEDED(p.prepare(h, sql))) p.execute(h);
    } else {
      p.exec(h, sql);
    }
    p.num_result_cols(h);
    p.describe_col(h, 3);
    p.describe_col(h, 4);
    for (int row = 0; row < 4 && SQL_SUCCEEDED(p.fetch(h)); ++row) {
      for (int i = 0; i < 4; ++i) p.get_data(h, 1, SQL_C_CHAR, 9);
      p.get_data(h, 2, SQL_C_SLONG);
      p.get_data(h, 2, SQL_C_SLONG);
      for (int i = 0; i < 3; ++i) p.get_data(h, 3, SQL_C_WCHAR, 12);
      p.get_data(h, 3, SQL_C_BINARY, 0);
      if (!p.maria()) p.get_data(h, 4, SQL_C_CHAR);
    }
    p.get_data(h, 1, SQL_C_CHAR);
    p.row_count(h);
    p.more_results(h);
    p.drop(h);
  }
}

void returning_in_blocks(Program& p) {
  SQLINTEGER ids[3] = {};
  SQLLEN lengths[3] = {};
  SQLUSMALLINT status[3] = {77, 77, 77};
  SQLULEN fetched = 7777;
  SQLHSTMT h = p.stmt();
  p.set_stmt_attr(h, SQL_ATTR_ROW_ARRAY_SIZE, 3);
  p.set_stmt_pointer(h, SQL_ATTR_ROW_STATUS_PTR, status);
  p.set_stmt_pointer(h, SQL_ATTR_ROWS_FETCHED_PTR, &fetched);
  p.bind_col(h, 1, SQL_C_SLONG, ids, sizeof(ids[0]), lengths);
  const auto show = [&] {
    p.note("fetched", static_cast<SQLLEN>(fetched));
    p.note("rows", {ids[0], ids[1], ids[2], status[0], status[1], status[2]});
  };
  if (SQL_SUCCEEDED(p.exec(h,
                           "INSERT INTO $T (id, note) VALUES (1, 'a'), (2, 'b'), (3, 'c'), "
                           "(4, 'd') RETURNING id, note"))) {
    p.get_stmt_attr(h, SQL_ATTR_ROW_NUMBER);
    for (int i = 0; i < 3; ++i) {
      p.fetch_scroll(h, SQL_FETCH_NEXT);
      show();
      p.set_pos(h, 2, SQL_POSITION);
      p.get_data(h, 2, SQL_C_CHAR);
      p.get_stmt_attr(h, SQL_ATTR_ROW_NUMBER);
    }
    p.fetch_scroll(h, SQL_FETCH_FIRST);
    p.free_stmt(h, SQL_UNBIND);
    p.fetch_scroll(h, SQL_FETCH_PRIOR);
  }
  p.close_cursor(h);
  p.set_stmt_attr(h, SQL_ATTR_ROW_ARRAY_SIZE, 1);
  p.set_stmt_attr(h, SQL_ATTR_MAX_ROWS, 2);
  if (SQL_SUCCEEDED(p.exec(h, "DELETE FROM $T WHERE id > 1 RETURNING id"))) p.fetch_all(h, 1);
  p.drop(h);
  p.query("SELECT id, note FROM $T ORDER BY id");
}

void deletes_through_returning(Program& p) {
  for (const char* text : {"INSERT INTO $T (id, note) VALUES (1, 'a') RETURNING id, note",
                           "INSERT INTO $T (id, note) VALUES (2, 'b'), (3, 'c') RETURNING note, id",
                           "INSERT INTO $T (id, note) VALUES (4, 'd') RETURNING id, UPPER(note)"}) {
    SQLHSTMT h = p.stmt();
    if (SQL_SUCCEEDED(p.exec(h, text))) {
      p.fetch(h);
      p.get_data(h, 1, SQL_C_CHAR);
      p.set_pos(h, 1, SQL_DELETE);
      p.get_data(h, 2, SQL_C_CHAR);
      p.fetch(h);
    }
    p.drop(h);
  }
  p.query("SELECT id, note FROM $T ORDER BY id");
}

void updates_through_returning(Program& p) {
  SQLHSTMT h = p.stmt();
  Pair pair;
  p.bind_col(h, 1, SQL_C_LONG, &pair.id, sizeof pair.id, nullptr);
  p.bind_col(h, 2, SQL_C_CHAR, pair.note, sizeof pair.note, &pair.length);
  if (SQL_SUCCEEDED(p.exec(h, "INSERT INTO $T (id, note) VALUES (1, 'a') RETURNING id, note"))) {
    p.fetch(h);
    std::strcpy(pair.note, "changed");
    pair.length = SQL_NTS;
    p.set_pos(h, 1, SQL_UPDATE);
  }
  p.drop(h);
  p.query("SELECT id, note FROM $T ORDER BY id");
}

void asked_after_a_write(Program& p) {
  for (const bool prepared : {true, false}) {
    SQLHSTMT h = p.stmt();
    Pair pair;
    pair.id = prepared ? 1 : 2;
    pair.bind(p, h);
    if (prepared) {
      p.prepare(h, kInsert);
      p.execute(h);
    } else {
      p.exec(h, kInsert);
    }
    p.num_params(h);
    p.describe_param(h, 2);
    for (const SQLINTEGER attribute :
         {SQL_ATTR_ROW_NUMBER, SQL_ATTR_CURSOR_TYPE, SQL_ATTR_CONCURRENCY, SQL_ATTR_QUERY_TIMEOUT,
          SQL_ATTR_PARAMSET_SIZE, SQL_ATTR_MAX_ROWS, SQL_ATTR_RETRIEVE_DATA}) {
      p.get_stmt_attr(h, attribute);
    }
    SQLHDESC parameters = p.descriptor(h, SQL_ATTR_IMP_PARAM_DESC);
    p.get_desc_field(parameters, 0, SQL_DESC_COUNT);
    p.get_desc_field(parameters, 2, SQL_DESC_CONCISE_TYPE);
    p.header(h);
    p.set_pos(h, 1, SQL_POSITION);
    p.set_pos(h, 1, SQL_REFRESH);
    p.fetch_scroll(h, SQL_FETCH_LAST);
    p.get_data(h, 1, SQL_C_CHAR);
    p.set_stmt_attr(h, SQL_ATTR_CURSOR_TYPE, SQL_CURSOR_STATIC);
    p.row_count(h);
    p.free_stmt(h, SQL_UNBIND);
    p.row_count(h);
    p.free_stmt(h, SQL_RESET_PARAMS);
    p.row_count(h);
    p.cancel(h);
    p.row_count(h);
    p.tables(h, nullptr, nullptr, "$T", nullptr);
    p.num_result_cols(h);
    p.row_count(h);
    p.close(h);
    pair.id += 10;
    pair.bind(p, h);
    p.execute(h);
    p.row_count(h);
    p.drop(h);
  }
  p.query("SELECT id, note FROM $T ORDER BY id");
}

void cursor_names(Program& p) {
  SQLHSTMT a = p.stmt();
  SQLHSTMT b = p.stmt();
  p.set_cursor_name(a, "first_$T");
  p.set_cursor_name(b, "first_$T");
  p.set_cursor_name(b, "FIRST_$T");
  p.set_cursor_name(b, "");
  p.set_cursor_name(b, "SQL_CUR_mine");
  p.set_cursor_name(b, std::string(300, 'n'));
  p.get_cursor_name(b, 400);
  p.set_cursor_name(b, "second_$T");
  p.exec(a, "INSERT INTO $T (id, note) VALUES (1, 'a')");
  p.get_cursor_name(a);
  p.get_cursor_name(a, 1);
  p.get_cursor_name(a, 0);
  p.set_cursor_name(a, "third_$T");
  p.get_cursor_name(a);
  p.exec(b, "SELECT id FROM $T");
  p.set_cursor_name(b, "fourth_$T");
  p.get_cursor_name(b);
  p.close(b);
  p.set_cursor_name(b, "third_$T");
  p.exec(b, "UPDATE $T SET note = 'b' RETURNING id");
  p.get_cursor_name(b);
  p.drop(a);
  p.drop(b);
}

// A write has no result: its row descriptor has no record.
void row_descriptors_of_writes(Program& p) {
  for (const bool prepared : {false, true}) {
    SQLHSTMT h = p.stmt();
    SQLHDESC row = p.descriptor(h, SQL_ATTR_IMP_ROW_DESC);
    int id = prepared ? 10 : 20;
    for (const char* sql : {"INSERT INTO $T (id, note) VALUES (",
                            "UPDATE $T SET note = 'u', part = ", "DELETE FROM $T WHERE id = "}) {
      const std::string text = sql + std::to_string(id) + (*sql == 'I' ? ", 'a')" : "");
      if (prepared) {
        p.prepare(h, text);
        p.get_desc_field(row, 0, SQL_DESC_COUNT);
        p.execute(h);
      } else {
        p.exec(h, text);
      }
      p.get_desc_field(row, 0, SQL_DESC_COUNT);
      p.get_desc_field(row, 0, SQL_DESC_ARRAY_SIZE);
      p.num_result_cols(h);
      p.get_desc_field(row, 0, SQL_DESC_COUNT);
      p.row_count(h);
    }
    p.drop(h);
  }
  p.query("SELECT id, note, part FROM $T ORDER BY id");
}

void headers_after_cursor_writes(Program& p) {
  p.run("INSERT INTO $T (id, note) VALUES (1, 'a'), (2, 'b'), (3, 'c')");
  for (const bool on : {true, false}) {
    p.autocommit(on);
    SQLHSTMT h = p.stmt();
    Pair row;
    SQLLEN id_length = 0;
    p.set_stmt_attr(h, SQL_ATTR_CURSOR_TYPE, SQL_CURSOR_KEYSET_DRIVEN);
    p.set_stmt_attr(h, SQL_ATTR_CONCURRENCY, SQL_CONCUR_ROWVER);
    p.bind_col(h, 1, SQL_C_SLONG, &row.id, sizeof(row.id), &id_length);
    p.bind_col(h, 2, SQL_C_CHAR, row.note, sizeof(row.note), &row.length);
    if (SQL_SUCCEEDED(p.exec(h, "SELECT id, note FROM $T ORDER BY id")) &&
        SQL_SUCCEEDED(p.fetch_scroll(h, SQL_FETCH_FIRST))) {
      std::strcpy(row.note, on ? "set" : "set too");
      row.length = SQL_NTS;
      p.set_pos(h, 1, SQL_UPDATE);
      p.header(h);
      p.row_count(h);
      row.id = on ? 11 : 12;
      row.length = SQL_NTS;
      p.bulk_operations(h, SQL_ADD);
      p.header(h);
      p.row_count(h);
      p.fetch_scroll(h, SQL_FETCH_NEXT);
      p.set_pos(h, 1, SQL_DELETE);
      p.header(h);
      p.row_count(h);
    }
    p.drop(h);
    p.commit();
  }
  p.query("SELECT id, note FROM $T ORDER BY id");
  p.commit();
}

void headers_after_cursor_names(Program& p) {
  for (const bool returning : {true, false}) {
    SQLHSTMT h = p.stmt();
    const std::string end = returning ? " RETURNING id, note" : "";
    for (const char* sql : {"INSERT INTO $T (id, note) VALUES (1, 'a')", "DELETE FROM $T"}) {
      p.exec(h, sql + end);
      p.get_cursor_name(h);
      p.header(h);
      p.row_count(h);
      p.header(h);
      if (returning) p.fetch_all(h, 2);
      p.get_cursor_name(h);
      p.header(h);
      p.close(h);
    }
    p.drop(h);
  }
}

void native_sql_without_room(Program& p) {
  const char* text = "SELECT {fn UCASE('é')} FROM $T";
  for (const SQLINTEGER capacity : {0, 1, 2, 3, 20, 30, 40}) p.native_sql(text, capacity);
  SQLINTEGER length = -7;
  SQLCHAR narrow[] = "SELECT 1";
  p.done("NativeSql without buffer", SQL_HANDLE_DBC, p.dbc,
         SQLNativeSql(p.dbc, narrow, SQL_NTS, nullptr, 0, &length), std::to_string(length));
  p.done("NativeSql without length", SQL_HANDLE_DBC, p.dbc,
         SQLNativeSql(p.dbc, narrow, 6, narrow, sizeof(narrow), nullptr),
         reinterpret_cast<char*>(narrow));
  p.native_sql("");
}

void warnings_of_writes(Program& p) {
  if (p.maria()) p.run("SET sql_mode = ''");
  for (const bool on : {true, false}) {
    p.autocommit(on);
    for (const bool prepared : {true, false}) {
      Pair pair;
      pair.id = (on ? 1 : 2) + (prepared ? 10 : 20);
      SQLHSTMT h = p.stmt();
      pair.bind(p, h);
      const char* sql = "INSERT INTO $T (id, part) VALUES (?, ?)";
      std::strcpy(pair.note, "4x");
      if (prepared) {
        p.prepare(h, sql);
        p.execute(h);
      } else {
        p.exec(h, sql);
      }
      p.row_count(h);
      p.header(h);
      p.exec(h, "UPDATE $T SET part = '7' WHERE id > ? AND ? IS NOT NULL");
      p.row_count(h);
      p.drop(h);
      p.run("UPDATE $T SET part = 8");
      if (p.maria()) p.query("SHOW WARNINGS");
    }
    p.commit();
  }
  p.query("SELECT id, part FROM $T ORDER BY id");
  p.commit();
}

void connection_attributes_amid_writes(Program& p) {
  p.autocommit(false);
  p.run("INSERT INTO $T (id, note) VALUES (1, 'a')");
  p.set_connect_attr(p.dbc, SQL_ATTR_TXN_ISOLATION, SQL_TXN_SERIALIZABLE);
  p.get_connect_attr(p.dbc, SQL_ATTR_TXN_ISOLATION);
  p.set_connect_attr(p.dbc, SQL_ATTR_ACCESS_MODE, SQL_MODE_READ_ONLY);
  p.run("INSERT INTO $T (id, note) VALUES (2, 'b')");
  p.set_connect_attr(p.dbc, SQL_ATTR_AUTOCOMMIT, 7);
  p.get_connect_attr(p.dbc, SQL_ATTR_AUTOCOMMIT);
  p.get_connect_attr(p.dbc, SQL_ATTR_CONNECTION_DEAD);
  p.get_connect_text(p.dbc, SQL_ATTR_CURRENT_CATALOG);
  p.get_connect_text(p.dbc, SQL_ATTR_CURRENT_CATALOG, 4);
  p.set_connect_attr(p.dbc, SQL_ATTR_CONNECTION_TIMEOUT, 5);
  p.set_connect_attr(p.dbc, SQL_ATTR_METADATA_ID, SQL_TRUE);
  p.get_connect_attr(p.dbc, SQL_ATTR_METADATA_ID);
  p.commit();
  p.autocommit(true);
  p.get_connect_attr(p.dbc, SQL_ATTR_AUTOCOMMIT);
  p.query("SELECT id, note FROM $T ORDER BY id");
}

}  // namespace

void add_edge_cases(Cases& all) {
  const auto add = [&](const char* name, void (*body)(Program&), unsigned engines = kAll) {
    all.push_back({"Edges",
                   name,
                   engines,
                   {"CREATE TABLE $T (id int PRIMARY KEY, note varchar(40), part int)"},
                   body});
  };
  add("CancelsHandles", cancels_handles);
  add("AsynchronousConnections", asynchronous_connections);
  // Connector/ODBC frees twice in it.
  add("CopiesBetweenStatements", copies_between_statements, kPostgres | kSqlite);
  add("ReturningInPieces", returning_in_pieces);
  // libsqliteodbc does not come back from it.
  add("ReturningInBlocks", returning_in_blocks, kPostgres | kMaria);
  add("DeletesThroughReturning", deletes_through_returning, kPostgres | kMaria);
  add("UpdatesThroughReturning", updates_through_returning, kPostgres | kMaria);
  add("AskedAfterAWrite", asked_after_a_write);
  add("CursorNames", cursor_names);
  add("RowDescriptorsOfWrites", row_descriptors_of_writes);
  add("HeadersAfterCursorWrites", headers_after_cursor_writes);
  add("HeadersAfterCursorNames", headers_after_cursor_names);
  // Before libsqliteodbc a program of wide calls damages its memory in it.
  add("NativeSqlWithoutRoom", native_sql_without_room, kPostgres | kMaria);
  add("WarningsOfWrites", warnings_of_writes);
  add("ConnectionAttributesAmidWrites", connection_attributes_amid_writes);
}

}  // namespace understudy::parity
