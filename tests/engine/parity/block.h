// A rowset of `id` and `note`, bound.
#pragma once

#include <cstdio>

#include "tests/engine/parity/program.h"

namespace understudy::parity {

constexpr SQLULEN kRowset = 3;

struct Block {
  SQLINTEGER id[kRowset] = {};
  char note[kRowset][12] = {};
  SQLLEN id_length[kRowset] = {};
  SQLLEN note_length[kRowset] = {};
  SQLUSMALLINT status[kRowset] = {77, 77, 77};
  SQLUSMALLINT operation[kRowset] = {SQL_ROW_PROCEED, SQL_ROW_PROCEED, SQL_ROW_PROCEED};
  SQLULEN fetched = 7777;

  void bind(Program& p, SQLHSTMT h, SQLULEN type = SQL_CURSOR_KEYSET_DRIVEN,
            SQLULEN concurrency = SQL_CONCUR_ROWVER) {
    p.set_stmt_attr(h, SQL_ATTR_CURSOR_TYPE, type);
    p.set_stmt_attr(h, SQL_ATTR_CONCURRENCY, concurrency);
    p.set_stmt_attr(h, SQL_ATTR_ROW_ARRAY_SIZE, kRowset);
    p.set_stmt_pointer(h, SQL_ATTR_ROW_STATUS_PTR, status);
    p.set_stmt_pointer(h, SQL_ATTR_ROWS_FETCHED_PTR, &fetched);
    p.bind_col(h, 1, SQL_C_SLONG, id, sizeof(id[0]), id_length);
    p.bind_col(h, 2, SQL_C_CHAR, note, sizeof(note[0]), note_length);
  }
  void show(Program& p) const {
    p.note("fetched", static_cast<SQLLEN>(fetched));
    for (SQLULEN i = 0; i < kRowset; ++i) {
      p.note(note[i], {status[i], id[i], id_length[i], note_length[i]});
    }
  }
  /// Gives each row a new note, made of this word and its place.
  void write_notes(const char* word) {
    for (SQLULEN i = 0; i < kRowset; ++i) {
      std::snprintf(note[i], sizeof(note[i]), "%s %d", word, static_cast<int>(i));
      note_length[i] = SQL_NTS;
    }
  }
};

}  // namespace understudy::parity
