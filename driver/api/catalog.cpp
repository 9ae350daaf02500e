// Catalog functions: questions to the real driver, on the application's own statement.

#include <array>
#include <utility>

#include "driver/api/wide_output.h"
#include "driver/capture/intercept.h"

using namespace understudy;

namespace {

template <class Character>
struct Name {
  Character* text;
  SQLSMALLINT length;
};

template <class Work>
SQLRETURN ask(SQLHSTMT handle, Work work) {
  return api::on<Statement>(handle, [&](Statement& stmt) -> SQLRETURN {
    if (const SQLRETURN moved = capture::boundary(stmt); !SQL_SUCCEEDED(moved)) return moved;
    stmt.current.store(stmt.real, std::memory_order_release);
    capture::asks_catalog(stmt);
    return work(stmt);
  });
}

// The wide entry if there is one; otherwise `narrow` gets the names in UTF-8, in the same order.
template <std::size_t N, class Wide, class Narrow, std::size_t... I>
SQLRETURN ask_wide(SQLHSTMT handle, const std::array<Name<SQLWCHAR>, N>& names, Wide wide,
                   Narrow narrow, std::index_sequence<I...>) {
  return ask(handle, [&](Statement& stmt) -> SQLRETURN {
    const real::Entries& fn = api::entries(stmt);
    if (wide.available(fn)) return wide.call(fn, stmt.real);
    const std::array<real::NarrowText, N> texts{
        real::NarrowText(names[I].text, names[I].length)...};
    for (const real::NarrowText& text : texts) {
      if (!text.ok()) return api::refuse(stmt, text);
    }
    return narrow(stmt, fn, Name<SQLCHAR>{texts[I].data(), texts[I].short_length()}...);
  });
}

template <class Entry, class Call>
struct WideCall {
  Entry real::Entries::*entry;
  Call call_entry;
  [[nodiscard]] bool available(const real::Entries& fn) const { return fn.*entry != nullptr; }
  SQLRETURN call(const real::Entries& fn, SQLHSTMT real) const {
    return call_entry(fn.*entry, real);
  }
};

template <std::size_t N, class Entry, class Call, class Narrow>
SQLRETURN ask_with_names(SQLHSTMT handle, const Name<SQLWCHAR> (&names)[N],
                         Entry real::Entries::*entry, Call call, Narrow narrow) {
  std::array<Name<SQLWCHAR>, N> list{};
  for (std::size_t i = 0; i < N; ++i) list[i] = names[i];
  return ask_wide(handle, list, WideCall<Entry, Call>{entry, call}, narrow,
                  std::make_index_sequence<N>{});
}

using Text = Name<SQLCHAR>;

}  // namespace

UNDERSTUDY_ENTRY_POINT SQLTables(SQLHSTMT handle, SQLCHAR* catalog, SQLSMALLINT catalog_length,
                                 SQLCHAR* schema, SQLSMALLINT schema_length, SQLCHAR* table,
                                 SQLSMALLINT table_length, SQLCHAR* type, SQLSMALLINT type_length) {
  return ask(handle, [&](Statement& stmt) {
    return api::forward(stmt, api::entries(stmt).Tables, stmt.real, catalog, catalog_length, schema,
                        schema_length, table, table_length, type, type_length);
  });
}

UNDERSTUDY_ENTRY_POINT SQLTablesW(SQLHSTMT handle, SQLWCHAR* catalog, SQLSMALLINT catalog_length,
                                  SQLWCHAR* schema, SQLSMALLINT schema_length, SQLWCHAR* table,
                                  SQLSMALLINT table_length, SQLWCHAR* type,
                                  SQLSMALLINT type_length) {
  return ask_with_names(
      handle,
      {{catalog, catalog_length},
       {schema, schema_length},
       {table, table_length},
       {type, type_length}},
      &real::Entries::TablesW,
      [&](auto* entry, SQLHSTMT real) {
        return entry(real, catalog, catalog_length, schema, schema_length, table, table_length,
                     type, type_length);
      },
      [](Statement& stmt, const real::Entries& fn, Text a, Text b, Text c, Text d) {
        return api::forward(stmt, fn.Tables, stmt.real, a.text, a.length, b.text, b.length, c.text,
                            c.length, d.text, d.length);
      });
}

UNDERSTUDY_ENTRY_POINT SQLColumns(SQLHSTMT handle, SQLCHAR* catalog, SQLSMALLINT catalog_length,
                                  SQLCHAR* schema, SQLSMALLINT schema_length, SQLCHAR* table,
                                  SQLSMALLINT table_length, SQLCHAR* column,
                                  SQLSMALLINT column_length) {
  return ask(handle, [&](Statement& stmt) {
    return api::forward(stmt, api::entries(stmt).Columns, stmt.real, catalog, catalog_length,
                        schema, schema_length, table, table_length, column, column_length);
  });
}

UNDERSTUDY_ENTRY_POINT SQLColumnsW(SQLHSTMT handle, SQLWCHAR* catalog, SQLSMALLINT catalog_length,
                                   SQLWCHAR* schema, SQLSMALLINT schema_length, SQLWCHAR* table,
                                   SQLSMALLINT table_length, SQLWCHAR* column,
                                   SQLSMALLINT column_length) {
  return ask_with_names(
      handle,
      {{catalog, catalog_length},
       {schema, schema_length},
       {table, table_length},
       {column, column_length}},
      &real::Entries::ColumnsW,
      [&](auto* entry, SQLHSTMT real) {
        return entry(real, catalog, catalog_length, schema, schema_length, table, table_length,
                     column, column_length);
      },
      [](Statement& stmt, const real::Entries& fn, Text a, Text b, Text c, Text d) {
        return api::forward(stmt, fn.Columns, stmt.real, a.text, a.length, b.text, b.length, c.text,
                            c.length, d.text, d.length);
      });
}

UNDERSTUDY_ENTRY_POINT SQLColumnPrivileges(SQLHSTMT handle, SQLCHAR* catalog,
                                           SQLSMALLINT catalog_length, SQLCHAR* schema,
                                           SQLSMALLINT schema_length, SQLCHAR* table,
                                           SQLSMALLINT table_length, SQLCHAR* column,
                                           SQLSMALLINT column_length) {
  return ask(handle, [&](Statement& stmt) {
    return api::forward(stmt, api::entries(stmt).ColumnPrivileges, stmt.real, catalog,
                        catalog_length, schema, schema_length, table, table_length, column,
                        column_length);
  });
}

UNDERSTUDY_ENTRY_POINT SQLColumnPrivilegesW(SQLHSTMT handle, SQLWCHAR* catalog,
                                            SQLSMALLINT catalog_length, SQLWCHAR* schema,
                                            SQLSMALLINT schema_length, SQLWCHAR* table,
                                            SQLSMALLINT table_length, SQLWCHAR* column,
                                            SQLSMALLINT column_length) {
  return ask_with_names(
      handle,
      {{catalog, catalog_length},
       {schema, schema_length},
       {table, table_length},
       {column, column_length}},
      &real::Entries::ColumnPrivilegesW,
      [&](auto* entry, SQLHSTMT real) {
        return entry(real, catalog, catalog_length, schema, schema_length, table, table_length,
                     column, column_length);
      },
      [](Statement& stmt, const real::Entries& fn, Text a, Text b, Text c, Text d) {
        return api::forward(stmt, fn.ColumnPrivileges, stmt.real, a.text, a.length, b.text,
                            b.length, c.text, c.length, d.text, d.length);
      });
}

UNDERSTUDY_ENTRY_POINT SQLTablePrivileges(SQLHSTMT handle, SQLCHAR* catalog,
                                          SQLSMALLINT catalog_length, SQLCHAR* schema,
                                          SQLSMALLINT schema_length, SQLCHAR* table,
                                          SQLSMALLINT table_length) {
  return ask(handle, [&](Statement& stmt) {
    return api::forward(stmt, api::entries(stmt).TablePrivileges, stmt.real, catalog,
                        catalog_length, schema, schema_length, table, table_length);
  });
}

UNDERSTUDY_ENTRY_POINT SQLTablePrivilegesW(SQLHSTMT handle, SQLWCHAR* catalog,
                                           SQLSMALLINT catalog_length, SQLWCHAR* schema,
                                           SQLSMALLINT schema_length, SQLWCHAR* table,
                                           SQLSMALLINT table_length) {
  return ask_with_names(
      handle, {{catalog, catalog_length}, {schema, schema_length}, {table, table_length}},
      &real::Entries::TablePrivilegesW,
      [&](auto* entry, SQLHSTMT real) {
        return entry(real, catalog, catalog_length, schema, schema_length, table, table_length);
      },
      [](Statement& stmt, const real::Entries& fn, Text a, Text b, Text c) {
        return api::forward(stmt, fn.TablePrivileges, stmt.real, a.text, a.length, b.text, b.length,
                            c.text, c.length);
      });
}

UNDERSTUDY_ENTRY_POINT SQLPrimaryKeys(SQLHSTMT handle, SQLCHAR* catalog, SQLSMALLINT catalog_length,
                                      SQLCHAR* schema, SQLSMALLINT schema_length, SQLCHAR* table,
                                      SQLSMALLINT table_length) {
  return ask(handle, [&](Statement& stmt) {
    return api::forward(stmt, api::entries(stmt).PrimaryKeys, stmt.real, catalog, catalog_length,
                        schema, schema_length, table, table_length);
  });
}

UNDERSTUDY_ENTRY_POINT SQLPrimaryKeysW(SQLHSTMT handle, SQLWCHAR* catalog,
                                       SQLSMALLINT catalog_length, SQLWCHAR* schema,
                                       SQLSMALLINT schema_length, SQLWCHAR* table,
                                       SQLSMALLINT table_length) {
  return ask_with_names(
      handle, {{catalog, catalog_length}, {schema, schema_length}, {table, table_length}},
      &real::Entries::PrimaryKeysW,
      [&](auto* entry, SQLHSTMT real) {
        return entry(real, catalog, catalog_length, schema, schema_length, table, table_length);
      },
      [](Statement& stmt, const real::Entries& fn, Text a, Text b, Text c) {
        return api::forward(stmt, fn.PrimaryKeys, stmt.real, a.text, a.length, b.text, b.length,
                            c.text, c.length);
      });
}

UNDERSTUDY_ENTRY_POINT SQLForeignKeys(SQLHSTMT handle, SQLCHAR* pk_catalog,
                                      SQLSMALLINT pk_catalog_length, SQLCHAR* pk_schema,
                                      SQLSMALLINT pk_schema_length, SQLCHAR* pk_table,
                                      SQLSMALLINT pk_table_length, SQLCHAR* fk_catalog,
                                      SQLSMALLINT fk_catalog_length, SQLCHAR* fk_schema,
                                      SQLSMALLINT fk_schema_length, SQLCHAR* fk_table,
                                      SQLSMALLINT fk_table_length) {
  return ask(handle, [&](Statement& stmt) {
    return api::forward(stmt, api::entries(stmt).ForeignKeys, stmt.real, pk_catalog,
                        pk_catalog_length, pk_schema, pk_schema_length, pk_table, pk_table_length,
                        fk_catalog, fk_catalog_length, fk_schema, fk_schema_length, fk_table,
                        fk_table_length);
  });
}

UNDERSTUDY_ENTRY_POINT SQLForeignKeysW(SQLHSTMT handle, SQLWCHAR* pk_catalog,
                                       SQLSMALLINT pk_catalog_length, SQLWCHAR* pk_schema,
                                       SQLSMALLINT pk_schema_length, SQLWCHAR* pk_table,
                                       SQLSMALLINT pk_table_length, SQLWCHAR* fk_catalog,
                                       SQLSMALLINT fk_catalog_length, SQLWCHAR* fk_schema,
                                       SQLSMALLINT fk_schema_length, SQLWCHAR* fk_table,
                                       SQLSMALLINT fk_table_length) {
  return ask_with_names(
      handle,
      {{pk_catalog, pk_catalog_length},
       {pk_schema, pk_schema_length},
       {pk_table, pk_table_length},
       {fk_catalog, fk_catalog_length},
       {fk_schema, fk_schema_length},
       {fk_table, fk_table_length}},
      &real::Entries::ForeignKeysW,
      [&](auto* entry, SQLHSTMT real) {
        return entry(real, pk_catalog, pk_catalog_length, pk_schema, pk_schema_length, pk_table,
                     pk_table_length, fk_catalog, fk_catalog_length, fk_schema, fk_schema_length,
                     fk_table, fk_table_length);
      },
      [](Statement& stmt, const real::Entries& fn, Text a, Text b, Text c, Text d, Text e, Text f) {
        return api::forward(stmt, fn.ForeignKeys, stmt.real, a.text, a.length, b.text, b.length,
                            c.text, c.length, d.text, d.length, e.text, e.length, f.text, f.length);
      });
}

UNDERSTUDY_ENTRY_POINT SQLSpecialColumns(SQLHSTMT handle, SQLUSMALLINT kind, SQLCHAR* catalog,
                                         SQLSMALLINT catalog_length, SQLCHAR* schema,
                                         SQLSMALLINT schema_length, SQLCHAR* table,
                                         SQLSMALLINT table_length, SQLUSMALLINT scope,
                                         SQLUSMALLINT nullable) {
  return ask(handle, [&](Statement& stmt) {
    return api::forward(stmt, api::entries(stmt).SpecialColumns, stmt.real, kind, catalog,
                        catalog_length, schema, schema_length, table, table_length, scope,
                        nullable);
  });
}

UNDERSTUDY_ENTRY_POINT SQLSpecialColumnsW(SQLHSTMT handle, SQLUSMALLINT kind, SQLWCHAR* catalog,
                                          SQLSMALLINT catalog_length, SQLWCHAR* schema,
                                          SQLSMALLINT schema_length, SQLWCHAR* table,
                                          SQLSMALLINT table_length, SQLUSMALLINT scope,
                                          SQLUSMALLINT nullable) {
  return ask_with_names(
      handle, {{catalog, catalog_length}, {schema, schema_length}, {table, table_length}},
      &real::Entries::SpecialColumnsW,
      [&](auto* entry, SQLHSTMT real) {
        return entry(real, kind, catalog, catalog_length, schema, schema_length, table,
                     table_length, scope, nullable);
      },
      [&](Statement& stmt, const real::Entries& fn, Text a, Text b, Text c) {
        return api::forward(stmt, fn.SpecialColumns, stmt.real, kind, a.text, a.length, b.text,
                            b.length, c.text, c.length, scope, nullable);
      });
}

UNDERSTUDY_ENTRY_POINT SQLStatistics(SQLHSTMT handle, SQLCHAR* catalog, SQLSMALLINT catalog_length,
                                     SQLCHAR* schema, SQLSMALLINT schema_length, SQLCHAR* table,
                                     SQLSMALLINT table_length, SQLUSMALLINT unique,
                                     SQLUSMALLINT reserved) {
  return ask(handle, [&](Statement& stmt) {
    return api::forward(stmt, api::entries(stmt).Statistics, stmt.real, catalog, catalog_length,
                        schema, schema_length, table, table_length, unique, reserved);
  });
}

UNDERSTUDY_ENTRY_POINT SQLStatisticsW(SQLHSTMT handle, SQLWCHAR* catalog,
                                      SQLSMALLINT catalog_length, SQLWCHAR* schema,
                                      SQLSMALLINT schema_length, SQLWCHAR* table,
                                      SQLSMALLINT table_length, SQLUSMALLINT unique,
                                      SQLUSMALLINT reserved) {
  return ask_with_names(
      handle, {{catalog, catalog_length}, {schema, schema_length}, {table, table_length}},
      &real::Entries::StatisticsW,
      [&](auto* entry, SQLHSTMT real) {
        return entry(real, catalog, catalog_length, schema, schema_length, table, table_length,
                     unique, reserved);
      },
      [&](Statement& stmt, const real::Entries& fn, Text a, Text b, Text c) {
        return api::forward(stmt, fn.Statistics, stmt.real, a.text, a.length, b.text, b.length,
                            c.text, c.length, unique, reserved);
      });
}

UNDERSTUDY_ENTRY_POINT SQLProcedures(SQLHSTMT handle, SQLCHAR* catalog, SQLSMALLINT catalog_length,
                                     SQLCHAR* schema, SQLSMALLINT schema_length, SQLCHAR* procedure,
                                     SQLSMALLINT procedure_length) {
  return ask(handle, [&](Statement& stmt) {
    return api::forward(stmt, api::entries(stmt).Procedures, stmt.real, catalog, catalog_length,
                        schema, schema_length, procedure, procedure_length);
  });
}

UNDERSTUDY_ENTRY_POINT SQLProceduresW(SQLHSTMT handle, SQLWCHAR* catalog,
                                      SQLSMALLINT catalog_length, SQLWCHAR* schema,
                                      SQLSMALLINT schema_length, SQLWCHAR* procedure,
                                      SQLSMALLINT procedure_length) {
  return ask_with_names(
      handle, {{catalog, catalog_length}, {schema, schema_length}, {procedure, procedure_length}},
      &real::Entries::ProceduresW,
      [&](auto* entry, SQLHSTMT real) {
        return entry(real, catalog, catalog_length, schema, schema_length, procedure,
                     procedure_length);
      },
      [](Statement& stmt, const real::Entries& fn, Text a, Text b, Text c) {
        return api::forward(stmt, fn.Procedures, stmt.real, a.text, a.length, b.text, b.length,
                            c.text, c.length);
      });
}

UNDERSTUDY_ENTRY_POINT SQLProcedureColumns(SQLHSTMT handle, SQLCHAR* catalog,
                                           SQLSMALLINT catalog_length, SQLCHAR* schema,
                                           SQLSMALLINT schema_length, SQLCHAR* procedure,
                                           SQLSMALLINT procedure_length, SQLCHAR* column,
                                           SQLSMALLINT column_length) {
  return ask(handle, [&](Statement& stmt) {
    return api::forward(stmt, api::entries(stmt).ProcedureColumns, stmt.real, catalog,
                        catalog_length, schema, schema_length, procedure, procedure_length, column,
                        column_length);
  });
}

UNDERSTUDY_ENTRY_POINT SQLProcedureColumnsW(SQLHSTMT handle, SQLWCHAR* catalog,
                                            SQLSMALLINT catalog_length, SQLWCHAR* schema,
                                            SQLSMALLINT schema_length, SQLWCHAR* procedure,
                                            SQLSMALLINT procedure_length, SQLWCHAR* column,
                                            SQLSMALLINT column_length) {
  return ask_with_names(
      handle,
      {{catalog, catalog_length},
       {schema, schema_length},
       {procedure, procedure_length},
       {column, column_length}},
      &real::Entries::ProcedureColumnsW,
      [&](auto* entry, SQLHSTMT real) {
        return entry(real, catalog, catalog_length, schema, schema_length, procedure,
                     procedure_length, column, column_length);
      },
      [](Statement& stmt, const real::Entries& fn, Text a, Text b, Text c, Text d) {
        return api::forward(stmt, fn.ProcedureColumns, stmt.real, a.text, a.length, b.text,
                            b.length, c.text, c.length, d.text, d.length);
      });
}

UNDERSTUDY_ENTRY_POINT SQLGetTypeInfo(SQLHSTMT handle, SQLSMALLINT type) {
  return ask(handle, [&](Statement& stmt) {
    return api::forward(stmt, api::entries(stmt).GetTypeInfo, stmt.real, type);
  });
}

UNDERSTUDY_ENTRY_POINT SQLGetTypeInfoW(SQLHSTMT handle, SQLSMALLINT type) {
  return ask(handle, [&](Statement& stmt) -> SQLRETURN {
    const real::Entries& fn = api::entries(stmt);
    if (fn.GetTypeInfoW != nullptr) return fn.GetTypeInfoW(stmt.real, type);
    return api::forward(stmt, fn.GetTypeInfo, stmt.real, type);
  });
}
