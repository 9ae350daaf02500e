// Catalog functions, and what driver and data source say of themselves.
#include "tests/engine/parity/case.h"
#include "tests/engine/parity/program.h"

namespace understudy::parity {
namespace {

// A result of a catalog function: its shape with the most asked attributes, and all rows.
void show(Program& p, SQLHSTMT h, SQLRETURN ret) {
  if (SQL_SUCCEEDED(ret)) p.rows(h);
  p.row_count(h);
  p.close(h);
}

void lists_tables(Program& p) {
  SQLHSTMT h = p.stmt();
  show(p, h, p.tables(h, nullptr, nullptr, "$T%", nullptr));
  show(p, h, p.tables(h, nullptr, "%", "$T", "TABLE,VIEW"));
  show(p, h, p.tables(h, nullptr, nullptr, "$T%", "'VIEW'"));
  show(p, h, p.tables(h, "%", "", "", ""));
  show(p, h, p.tables(h, "", "%", "", ""));
  show(p, h, p.tables(h, "", "", "", "%"));
  show(p, h, p.tables(h, nullptr, nullptr, "no_such_table_anywhere", nullptr));
  p.set_stmt_attr(h, SQL_ATTR_METADATA_ID, SQL_TRUE);
  show(p, h, p.tables(h, nullptr, nullptr, "$T", nullptr));
  p.drop(h);
}

void lists_columns(Program& p) {
  SQLHSTMT h = p.stmt();
  show(p, h, p.columns(h, nullptr, nullptr, "$T", nullptr));
  show(p, h, p.columns(h, nullptr, nullptr, "$T", "n%"));
  show(p, h, p.columns(h, nullptr, nullptr, "$T_view", "%"));
  show(p, h, p.columns(h, "no_such_catalog", "no_such_schema", "$T", nullptr));
  p.drop(h);
}

void lists_keys(Program& p) {
  SQLHSTMT h = p.stmt();
  show(p, h, p.primary_keys(h, nullptr, nullptr, "$T"));
  show(p, h, p.primary_keys(h, nullptr, nullptr, "no_such_table"));
  show(p, h, p.primary_keys(h, nullptr, nullptr, nullptr));
  show(p, h, p.foreign_keys(h, nullptr, "$T_child"));
  show(p, h, p.foreign_keys(h, "$T", nullptr));
  show(p, h, p.foreign_keys(h, "$T", "$T_child"));
  show(p, h, p.foreign_keys(h, nullptr, nullptr));
  p.drop(h);
}

void lists_indexes(Program& p) {
  SQLHSTMT h = p.stmt();
  show(p, h, p.statistics(h, "$T", SQL_INDEX_ALL));
  show(p, h, p.statistics(h, "$T", SQL_INDEX_UNIQUE));
  show(p, h, p.statistics(h, nullptr, SQL_INDEX_ALL));
  p.drop(h);
}

void lists_special_columns(Program& p) {
  SQLHSTMT h = p.stmt();
  show(p, h, p.special_columns(h, SQL_BEST_ROWID, "$T"));
  show(p, h, p.special_columns(h, SQL_ROWVER, "$T"));
  show(p, h, p.special_columns(h, 77, "$T"));
  p.drop(h);
}

void lists_privileges(Program& p) {
  SQLHSTMT h = p.stmt();
  show(p, h, p.table_privileges(h, "$T"));
  show(p, h, p.column_privileges(h, "$T", "%"));
  p.drop(h);
}

void lists_procedures(Program& p) {
  SQLHSTMT h = p.stmt();
  show(p, h, p.procedures(h, "$T%"));
  show(p, h, p.procedure_columns(h, "$T%", "%"));
  show(p, h, p.procedure_columns(h, "$T_add", "a"));
  p.drop(h);
}

void lists_types(Program& p) {
  SQLHSTMT h = p.stmt();
  show(p, h, p.get_type_info(h, SQL_ALL_TYPES));
  for (const SQLSMALLINT type :
       {SQL_CHAR, SQL_VARCHAR, SQL_LONGVARCHAR, SQL_WVARCHAR, SQL_INTEGER, SQL_BIGINT, SQL_DECIMAL,
        SQL_DOUBLE, SQL_BIT, SQL_BINARY, SQL_GUID, SQL_TYPE_DATE, SQL_TYPE_TIME, SQL_TYPE_TIMESTAMP,
        SQL_INTERVAL_YEAR, 999}) {
    show(p, h, p.get_type_info(h, type));
  }
  p.drop(h);
}

void catalog_results_can_be_bound(Program& p) {
  SQLHSTMT h = p.stmt();
  char name[60] = "";
  SQLLEN length = -7;
  p.bind_col(h, 4, SQL_C_CHAR, name, sizeof(name), &length);
  p.columns(h, nullptr, nullptr, "$T", nullptr);
  while (SQL_SUCCEEDED(p.fetch(h))) p.note(name, length);
  p.free_stmt(h, SQL_UNBIND);
  p.close(h);
  p.prepare(h, "SELECT id FROM $T");
  p.tables(h, nullptr, nullptr, "$T", nullptr);
  p.execute(h);
  p.drop(h);
}

bool is_text(SQLUSMALLINT type) {
  for (const int one : {SQL_ACCESSIBLE_PROCEDURES,
                        SQL_ACCESSIBLE_TABLES,
                        SQL_CATALOG_NAME,
                        SQL_CATALOG_NAME_SEPARATOR,
                        SQL_CATALOG_TERM,
                        SQL_COLLATION_SEQ,
                        SQL_COLUMN_ALIAS,
                        SQL_DATABASE_NAME,
                        SQL_DATA_SOURCE_NAME,
                        SQL_DATA_SOURCE_READ_ONLY,
                        SQL_DBMS_NAME,
                        SQL_DBMS_VER,
                        SQL_DESCRIBE_PARAMETER,
                        SQL_DM_VER,
                        SQL_DRIVER_NAME,
                        SQL_DRIVER_ODBC_VER,
                        SQL_DRIVER_VER,
                        SQL_EXPRESSIONS_IN_ORDERBY,
                        SQL_IDENTIFIER_QUOTE_CHAR,
                        SQL_INTEGRITY,
                        SQL_KEYWORDS,
                        SQL_LIKE_ESCAPE_CLAUSE,
                        SQL_MAX_ROW_SIZE_INCLUDES_LONG,
                        SQL_MULTIPLE_ACTIVE_TXN,
                        SQL_MULT_RESULT_SETS,
                        SQL_NEED_LONG_DATA_LEN,
                        SQL_ODBC_VER,
                        SQL_ORDER_BY_COLUMNS_IN_SELECT,
                        SQL_OUTER_JOINS,
                        SQL_PROCEDURES,
                        SQL_PROCEDURE_TERM,
                        SQL_ROW_UPDATES,
                        SQL_SCHEMA_TERM,
                        SQL_SEARCH_PATTERN_ESCAPE,
                        SQL_SERVER_NAME,
                        SQL_SPECIAL_CHARACTERS,
                        SQL_TABLE_TERM,
                        SQL_USER_NAME,
                        SQL_XOPEN_CLI_YEAR}) {
    if (one == type) return true;
  }
  return false;
}

// Handles of the driver and the environment: addresses.
bool is_handle(SQLUSMALLINT type) {
  return type == SQL_DRIVER_HDBC || type == SQL_DRIVER_HENV || type == SQL_DRIVER_HSTMT ||
         type == SQL_DRIVER_HLIB || type == SQL_DRIVER_HDESC;
}

void answers_every_info(Program& p) {
  for (SQLUSMALLINT type = 0; type < 180; ++type) {
    if (!is_handle(type)) p.get_info(type, is_text(type));
  }
  for (SQLUSMALLINT type = 10000; type < 10030; ++type) p.get_info(type, is_text(type));
  p.get_info(4321, false);
}

void cuts_info_that_is_too_long(Program& p) {
  // Without W entries the driver manager converts more than libsqliteodbc wrote: chance decides.
  if (p.sqlite() && p.wide()) return;
  for (const SQLUSMALLINT type : {SQL_DBMS_NAME, SQL_DBMS_VER, SQL_DRIVER_VER, SQL_KEYWORDS,
                                  SQL_DATABASE_NAME, SQL_IDENTIFIER_QUOTE_CHAR}) {
    for (const SQLSMALLINT capacity : {0, 1, 2, 5}) {
      p.get_info(type, true, static_cast<SQLSMALLINT>(capacity));
    }
  }
}

// The driver manager derives these from what the driver exports; SQLError and SQLGetDiagRec are
// compared as a program sees them, through the driver manager.
void tells_its_functions(Program& p) {
  for (SQLUSMALLINT function = 1; function < 100; ++function) p.get_functions(function);
  for (SQLUSMALLINT function = 1000; function < 1030; ++function) p.get_functions(function);
  p.get_functions(SQL_API_ODBC3_ALL_FUNCTIONS);
  p.get_functions(SQL_API_ALL_FUNCTIONS);
  p.get_functions(5000);
}

void translates_escapes(Program& p) {
  for (const char* sql :
       {"SELECT {fn UCASE('a')}, {d '2024-02-29'}, {t '12:13:14'}, {ts '2024-02-29 12:13:14.5'}",
        "SELECT * FROM {oj $T a LEFT OUTER JOIN $T b ON a.id = b.id}",
        "SELECT name FROM $T WHERE name LIKE 'a!%' {escape '!'}", "{call p(?)}",
        "{? = call f(?, 1)}", "SELECT '{d not an escape}'", "SELECT {d 'broken"}) {
    p.native_sql(sql);
  }
  p.native_sql("SELECT 'a longer text'", 5);
  p.native_sql("SELECT 1", 0);
}

}  // namespace

void add_catalog_cases(Cases& all) {
  const char* item =
      "CREATE TABLE $T (id $serial, name varchar(30) NOT NULL, note $text, price numeric(10,2), "
      "at $stamp, weight $double)";
  const auto add = [&](const char* name, std::vector<const char*> schema, void (*body)(Program&),
                       unsigned engines = kAll) {
    all.push_back({"Catalog", name, engines, std::move(schema), body});
  };
  add("ListsTables", {item, "CREATE VIEW $T_view AS SELECT id, name FROM $T"}, lists_tables);
  add("ListsColumns", {item, "CREATE VIEW $T_view AS SELECT id, name FROM $T"}, lists_columns);
  add("ListsKeys",
      {"CREATE TABLE $T (a int NOT NULL, b int NOT NULL, PRIMARY KEY (a, b))",
       "CREATE TABLE $T_child (id $serial, a int, b int, FOREIGN KEY (a, b) REFERENCES $T (a, b) "
       "ON DELETE CASCADE)"},
      lists_keys);
  add("ListsIndexes",
      {item, "CREATE UNIQUE INDEX $T_by_name ON $T (name)",
       "CREATE INDEX $T_by_price ON $T (price, at)"},
      lists_indexes);
  add("ListsSpecialColumns", {item}, lists_special_columns);
  add("ListsPrivileges", {item}, lists_privileges);
  add("ListsProcedures",
      {"CREATE FUNCTION $T_add(a int, b int) RETURNS int LANGUAGE sql AS 'SELECT a + b'"},
      lists_procedures, kPostgres);
  add("ListsProceduresWhereThereAreNone", {}, lists_procedures, kSqlite);
  add("ListsTypes", {}, lists_types);
  add("CatalogResultsCanBeBound", {item}, catalog_results_can_be_bound);
  add("AnswersEveryInfo", {}, answers_every_info);
  add("CutsInfoThatIsTooLong", {}, cuts_info_that_is_too_long);
  add("TellsItsFunctions", {}, tells_its_functions);
  // SQLNativeSql of libsqliteodbc 0.9998 writes outside of its buffer (valgrind).
  add("TranslatesEscapes", {item}, translates_escapes, kPostgres | kMaria);
}

}  // namespace understudy::parity
