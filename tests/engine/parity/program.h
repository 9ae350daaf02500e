// ODBC as a program calls it, with every call, its answers and its diagnostics written down.
//
// The methods are named after the functions. In the style `wide` each takes the W entry where there
// is one; in ODBC 2 diagnostics come from SQLError. Outputs show in the transcript as they are,
// but for addresses. Tests only; one thread.
#pragma once

#include <sql.h>
#include <sqlext.h>
#include <sqlucode.h>

#include <deque>
#include <string>
#include <vector>

#include "tests/engine/parity/case.h"

namespace understudy::parity {

struct Style {
  const char* name;
  SQLINTEGER version;  // SQL_OV_*
  bool wide;
};

/// One of the three ways from a program to its database.
struct Way {
  std::string dsn;
  std::string database;  // its name or file
  Engines engine = kPostgres;
};

class Program {
 public:
  Program(Way way, Style style, std::string table);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  [[nodiscard]] bool postgres() const { return way_.engine == kPostgres; }
  [[nodiscard]] bool sqlite() const { return way_.engine == kSqlite; }
  [[nodiscard]] bool maria() const { return way_.engine == kMaria; }
  [[nodiscard]] bool wide() const { return style_.wide; }
  [[nodiscard]] bool odbc2() const { return style_.version == SQL_OV_ODBC2; }
  [[nodiscard]] const std::string& dsn() const { return way_.dsn; }
  [[nodiscard]] const std::string& table() const { return table_; }

  /// Replaces $T by the case's table, $serial, $blob, $bool, $double, $stamp, $text by the
  /// engine's types.
  [[nodiscard]] std::string expand(std::string sql) const;
  [[nodiscard]] static std::string expand(std::string sql, Engines engine,
                                          const std::string& table);

  /// A line of the case's own.
  void note(const std::string& line);
  void note(const std::string& what, SQLLEN number);
  void note(const std::string& what, const std::vector<SQLLEN>& numbers);
  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }

  // --- environment and connection ---
  SQLHENV env = SQL_NULL_HENV;
  SQLHDBC dbc = SQL_NULL_HDBC;
  /// The case's connection, `extra` behind "DSN=..;".
  bool connect(const std::string& extra = {});
  SQLHDBC alloc_dbc();
  SQLRETURN driver_connect(SQLHDBC dbc, const std::string& text);
  SQLRETURN connect_dsn(SQLHDBC dbc, const std::string& dsn, const std::string& user,
                        const std::string& password);
  SQLRETURN browse_connect(SQLHDBC dbc, const std::string& text);
  SQLRETURN disconnect(SQLHDBC dbc);
  SQLRETURN free_dbc(SQLHDBC dbc);
  SQLRETURN end_tran(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT completion);
  SQLRETURN commit() { return end_tran(SQL_HANDLE_DBC, dbc, SQL_COMMIT); }
  SQLRETURN rollback() { return end_tran(SQL_HANDLE_DBC, dbc, SQL_ROLLBACK); }
  SQLRETURN autocommit(bool on);
  SQLRETURN set_env_attr(SQLINTEGER attribute, SQLULEN value);
  SQLRETURN get_env_attr(SQLINTEGER attribute);
  SQLRETURN set_connect_attr(SQLHDBC dbc, SQLINTEGER attribute, SQLULEN value);
  SQLRETURN set_connect_text(SQLHDBC dbc, SQLINTEGER attribute, const std::string& value);
  SQLRETURN get_connect_attr(SQLHDBC dbc, SQLINTEGER attribute);
  SQLRETURN get_connect_text(SQLHDBC dbc, SQLINTEGER attribute, SQLINTEGER capacity = 200);
  SQLRETURN get_info(SQLUSMALLINT type, bool text, SQLSMALLINT capacity = 4000);
  SQLRETURN get_functions(SQLUSMALLINT function);
  SQLRETURN native_sql(const std::string& sql, SQLINTEGER capacity = 500);

  // --- statements ---
  SQLHSTMT stmt();
  SQLHSTMT stmt(SQLHDBC of);
  SQLRETURN drop(SQLHSTMT h);
  SQLRETURN free_stmt(SQLHSTMT h, SQLUSMALLINT option);
  SQLRETURN close(SQLHSTMT h) { return free_stmt(h, SQL_CLOSE); }
  SQLRETURN close_cursor(SQLHSTMT h);
  SQLRETURN exec(SQLHSTMT h, const std::string& sql);
  SQLRETURN prepare(SQLHSTMT h, const std::string& sql);
  SQLRETURN execute(SQLHSTMT h);
  SQLRETURN cancel(SQLHSTMT h);
  SQLRETURN row_count(SQLHSTMT h);
  SQLRETURN more_results(SQLHSTMT h);
  SQLRETURN num_result_cols(SQLHSTMT h, SQLSMALLINT* count = nullptr);
  SQLRETURN describe_col(SQLHSTMT h, SQLUSMALLINT column, SQLSMALLINT capacity = 100);
  SQLRETURN col_attribute(SQLHSTMT h, SQLUSMALLINT column, SQLUSMALLINT field, bool text);
  SQLRETURN set_stmt_attr(SQLHSTMT h, SQLINTEGER attribute, SQLULEN value);
  SQLRETURN set_stmt_pointer(SQLHSTMT h, SQLINTEGER attribute, SQLPOINTER value);
  SQLRETURN get_stmt_attr(SQLHSTMT h, SQLINTEGER attribute);
  SQLRETURN set_cursor_name(SQLHSTMT h, const std::string& name);
  SQLRETURN get_cursor_name(SQLHSTMT h, SQLSMALLINT capacity = 60);

  // --- parameters ---
  SQLRETURN bind_parameter(SQLHSTMT h, SQLUSMALLINT n, SQLSMALLINT io, SQLSMALLINT c_type,
                           SQLSMALLINT sql_type, SQLULEN size, SQLSMALLINT digits, SQLPOINTER value,
                           SQLLEN capacity, SQLLEN* indicator);
  SQLRETURN bind_int(SQLHSTMT h, SQLUSMALLINT n, SQLINTEGER* value, SQLLEN* indicator = nullptr);
  SQLRETURN bind_text(SQLHSTMT h, SQLUSMALLINT n, char* value, SQLLEN capacity, SQLLEN* indicator);
  SQLRETURN num_params(SQLHSTMT h);
  SQLRETURN describe_param(SQLHSTMT h, SQLUSMALLINT n);
  /// The token shows as a number: bind small integers as addresses.
  SQLRETURN param_data(SQLHSTMT h);
  SQLRETURN put_data(SQLHSTMT h, const void* data, SQLLEN length);

  // --- results ---
  SQLRETURN bind_col(SQLHSTMT h, SQLUSMALLINT n, SQLSMALLINT c_type, SQLPOINTER value,
                     SQLLEN capacity, SQLLEN* indicator);
  SQLRETURN fetch(SQLHSTMT h);
  SQLRETURN fetch_scroll(SQLHSTMT h, SQLSMALLINT orientation, SQLLEN offset = 0);
  SQLRETURN extended_fetch(SQLHSTMT h, SQLUSMALLINT orientation, SQLLEN offset,
                           SQLUSMALLINT* status);
  SQLRETURN get_data(SQLHSTMT h, SQLUSMALLINT column, SQLSMALLINT c_type, SQLLEN capacity = 200,
                     bool with_indicator = true);
  SQLRETURN set_pos(SQLHSTMT h, SQLSETPOSIROW row, SQLUSMALLINT operation,
                    SQLUSMALLINT lock = SQL_LOCK_NO_CHANGE);
  SQLRETURN bulk_operations(SQLHSTMT h, SQLSMALLINT operation);

  // --- descriptors ---
  SQLHDESC descriptor(SQLHSTMT h, SQLINTEGER attribute);
  SQLHDESC alloc_desc();
  SQLRETURN free_desc(SQLHDESC d);
  SQLRETURN copy_desc(SQLHDESC from, SQLHDESC to);
  SQLRETURN get_desc_field(SQLHDESC d, SQLSMALLINT record, SQLSMALLINT field);
  /// Connector/ODBC 3.1.15 counts from 0 here, makes the record behind the last when it is asked
  /// for, and SQLFetch then writes behind its array of columns.
  SQLRETURN get_desc_rec(SQLHDESC d, SQLSMALLINT record);
  SQLRETURN set_desc_field(SQLHDESC d, SQLSMALLINT record, SQLSMALLINT field, SQLPOINTER value,
                           bool show = true);
  SQLRETURN set_desc_rec(SQLHDESC d, SQLSMALLINT record, SQLSMALLINT type, SQLSMALLINT subtype,
                         SQLLEN length, SQLSMALLINT precision, SQLSMALLINT scale, SQLPOINTER data,
                         SQLLEN* octets, SQLLEN* indicator);

  // --- catalog functions; a null text is a null pointer ---
  using Text = const char*;
  SQLRETURN tables(SQLHSTMT h, Text catalog, Text schema, Text table, Text type);
  SQLRETURN columns(SQLHSTMT h, Text catalog, Text schema, Text table, Text column);
  SQLRETURN primary_keys(SQLHSTMT h, Text catalog, Text schema, Text table);
  SQLRETURN foreign_keys(SQLHSTMT h, Text primary, Text foreign);
  SQLRETURN statistics(SQLHSTMT h, Text table, SQLUSMALLINT unique);
  SQLRETURN special_columns(SQLHSTMT h, SQLUSMALLINT kind, Text table);
  SQLRETURN table_privileges(SQLHSTMT h, Text table);
  SQLRETURN column_privileges(SQLHSTMT h, Text table, Text column);
  SQLRETURN procedures(SQLHSTMT h, Text name);
  SQLRETURN procedure_columns(SQLHSTMT h, Text name, Text column);
  SQLRETURN get_type_info(SQLHSTMT h, SQLSMALLINT type);

  // --- what programs do all the time ---
  /// Shape of the result, then all rows as texts.
  void rows(SQLHSTMT h);
  /// Rows only.
  void fetch_all(SQLHSTMT h, SQLSMALLINT columns);
  /// ExecDirect on a handle of its own, row count or rows, drop.
  SQLRETURN run(const std::string& sql);
  void query(const std::string& sql);

  /// The header of a statement's diagnostics, which is otherwise shown after what did not succeed.
  void header(SQLHSTMT h) { header_fields(SQL_HANDLE_STMT, h); }
  /// Writes one call down with its diagnostics. For calls that have no method.
  SQLRETURN done(const std::string& call, SQLSMALLINT type, SQLHANDLE handle, SQLRETURN ret,
                 const std::string& outputs = {});

 private:
  /// An output buffer of characters, narrow or wide.
  struct Out {
    Out(bool is_wide, SQLLEN characters);
    SQLCHAR* narrow() { return reinterpret_cast<SQLCHAR*>(bytes.data()); }
    SQLWCHAR* wide() { return reinterpret_cast<SQLWCHAR*>(bytes.data()); }
    [[nodiscard]] std::string text() const;  // up to its NUL
    bool is_wide;
    std::vector<char> bytes;
  };
  /// An argument, both ways; null stays null.
  struct In {
    In(const Program& program, Text text);
    SQLCHAR* narrow() { return null ? nullptr : reinterpret_cast<SQLCHAR*>(bytes.data()); }
    SQLWCHAR* wide() { return null ? nullptr : reinterpret_cast<SQLWCHAR*>(units.data()); }
    std::string shown() const { return null ? "NULL" : '"' + bytes + '"'; }
    bool null;
    std::string bytes;
    std::u16string units;
  };

  void write(const std::string& line);
  void diagnostics(SQLSMALLINT type, SQLHANDLE handle, SQLRETURN ret);
  void diagnostics_2(SQLSMALLINT type, SQLHANDLE handle);
  void header_fields(SQLSMALLINT type, SQLHANDLE handle);
  bool record(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT number);
  std::string record_fields(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT number);
  std::string normalised(const std::string& line) const;

  Way way_;
  Style style_;
  std::string table_;
  std::vector<std::string> lines_;
};

/// How a value of a C type shows, given what the driver wrote.
std::string shown_value(SQLSMALLINT c_type, const void* data, SQLLEN indicator, SQLLEN capacity);
std::string shown_return(SQLRETURN ret);

}  // namespace understudy::parity
