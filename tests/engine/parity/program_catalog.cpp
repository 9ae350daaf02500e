// Program's calls of catalog functions.
#include "tests/engine/parity/program.h"

namespace understudy::parity {
namespace {

SQLSMALLINT nts(const void* text) {
  return text == nullptr ? SQLSMALLINT{0} : SQLSMALLINT{SQL_NTS};
}

}  // namespace

SQLRETURN Program::tables(SQLHSTMT h, Text catalog, Text schema, Text table, Text type) {
  In c(*this, catalog), s(*this, schema), t(*this, table), k(*this, type);
  const SQLRETURN ret = style_.wide
                            ? SQLTablesW(h, c.wide(), nts(catalog), s.wide(), nts(schema), t.wide(),
                                         nts(table), k.wide(), nts(type))
                            : SQLTables(h, c.narrow(), nts(catalog), s.narrow(), nts(schema),
                                        t.narrow(), nts(table), k.narrow(), nts(type));
  return done("Tables(" + c.shown() + s.shown() + t.shown() + k.shown() + ")", SQL_HANDLE_STMT, h,
              ret);
}

SQLRETURN Program::columns(SQLHSTMT h, Text catalog, Text schema, Text table, Text column) {
  In c(*this, catalog), s(*this, schema), t(*this, table), k(*this, column);
  const SQLRETURN ret = style_.wide
                            ? SQLColumnsW(h, c.wide(), nts(catalog), s.wide(), nts(schema),
                                          t.wide(), nts(table), k.wide(), nts(column))
                            : SQLColumns(h, c.narrow(), nts(catalog), s.narrow(), nts(schema),
                                         t.narrow(), nts(table), k.narrow(), nts(column));
  return done("Columns(" + t.shown() + k.shown() + ")", SQL_HANDLE_STMT, h, ret);
}

SQLRETURN Program::primary_keys(SQLHSTMT h, Text catalog, Text schema, Text table) {
  In c(*this, catalog), s(*this, schema), t(*this, table);
  const SQLRETURN ret = style_.wide ? SQLPrimaryKeysW(h, c.wide(), nts(catalog), s.wide(),
                                                      nts(schema), t.wide(), nts(table))
                                    : SQLPrimaryKeys(h, c.narrow(), nts(catalog), s.narrow(),
                                                     nts(schema), t.narrow(), nts(table));
  return done("PrimaryKeys(" + t.shown() + ")", SQL_HANDLE_STMT, h, ret);
}

SQLRETURN Program::foreign_keys(SQLHSTMT h, Text primary, Text foreign) {
  In p(*this, primary), f(*this, foreign);
  const SQLRETURN ret = style_.wide
                            ? SQLForeignKeysW(h, nullptr, 0, nullptr, 0, p.wide(), nts(primary),
                                              nullptr, 0, nullptr, 0, f.wide(), nts(foreign))
                            : SQLForeignKeys(h, nullptr, 0, nullptr, 0, p.narrow(), nts(primary),
                                             nullptr, 0, nullptr, 0, f.narrow(), nts(foreign));
  return done("ForeignKeys(" + p.shown() + f.shown() + ")", SQL_HANDLE_STMT, h, ret);
}

SQLRETURN Program::statistics(SQLHSTMT h, Text table, SQLUSMALLINT unique) {
  In t(*this, table);
  const SQLRETURN ret =
      style_.wide
          ? SQLStatisticsW(h, nullptr, 0, nullptr, 0, t.wide(), nts(table), unique, SQL_QUICK)
          : SQLStatistics(h, nullptr, 0, nullptr, 0, t.narrow(), nts(table), unique, SQL_QUICK);
  return done("Statistics(" + t.shown() + std::to_string(unique) + ")", SQL_HANDLE_STMT, h, ret);
}

SQLRETURN Program::special_columns(SQLHSTMT h, SQLUSMALLINT kind, Text table) {
  In t(*this, table);
  const SQLRETURN ret = style_.wide
                            ? SQLSpecialColumnsW(h, kind, nullptr, 0, nullptr, 0, t.wide(),
                                                 nts(table), SQL_SCOPE_SESSION, SQL_NULLABLE)
                            : SQLSpecialColumns(h, kind, nullptr, 0, nullptr, 0, t.narrow(),
                                                nts(table), SQL_SCOPE_SESSION, SQL_NULLABLE);
  return done("SpecialColumns(" + std::to_string(kind) + t.shown() + ")", SQL_HANDLE_STMT, h, ret);
}

SQLRETURN Program::table_privileges(SQLHSTMT h, Text table) {
  In t(*this, table);
  const SQLRETURN ret = style_.wide
                            ? SQLTablePrivilegesW(h, nullptr, 0, nullptr, 0, t.wide(), nts(table))
                            : SQLTablePrivileges(h, nullptr, 0, nullptr, 0, t.narrow(), nts(table));
  return done("TablePrivileges(" + t.shown() + ")", SQL_HANDLE_STMT, h, ret);
}

SQLRETURN Program::column_privileges(SQLHSTMT h, Text table, Text column) {
  In t(*this, table), c(*this, column);
  const SQLRETURN ret = style_.wide ? SQLColumnPrivilegesW(h, nullptr, 0, nullptr, 0, t.wide(),
                                                           nts(table), c.wide(), nts(column))
                                    : SQLColumnPrivileges(h, nullptr, 0, nullptr, 0, t.narrow(),
                                                          nts(table), c.narrow(), nts(column));
  return done("ColumnPrivileges(" + t.shown() + c.shown() + ")", SQL_HANDLE_STMT, h, ret);
}

SQLRETURN Program::procedures(SQLHSTMT h, Text name) {
  In n(*this, name);
  const SQLRETURN ret = style_.wide
                            ? SQLProceduresW(h, nullptr, 0, nullptr, 0, n.wide(), nts(name))
                            : SQLProcedures(h, nullptr, 0, nullptr, 0, n.narrow(), nts(name));
  return done("Procedures(" + n.shown() + ")", SQL_HANDLE_STMT, h, ret);
}

SQLRETURN Program::procedure_columns(SQLHSTMT h, Text name, Text column) {
  In n(*this, name), c(*this, column);
  const SQLRETURN ret = style_.wide ? SQLProcedureColumnsW(h, nullptr, 0, nullptr, 0, n.wide(),
                                                           nts(name), c.wide(), nts(column))
                                    : SQLProcedureColumns(h, nullptr, 0, nullptr, 0, n.narrow(),
                                                          nts(name), c.narrow(), nts(column));
  return done("ProcedureColumns(" + n.shown() + c.shown() + ")", SQL_HANDLE_STMT, h, ret);
}

SQLRETURN Program::get_type_info(SQLHSTMT h, SQLSMALLINT type) {
  const SQLRETURN ret = style_.wide ? SQLGetTypeInfoW(h, type) : SQLGetTypeInfo(h, type);
  return done("GetTypeInfo(" + std::to_string(type) + ")", SQL_HANDLE_STMT, h, ret);
}

}  // namespace understudy::parity
