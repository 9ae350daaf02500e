// Every C type in and out; conversions that lose, overflow or are refused.
#include <cstring>

#include "tests/engine/parity/case.h"
#include "tests/engine/parity/program.h"

namespace understudy::parity {
namespace {

constexpr SQLSMALLINT kOut[] = {
    SQL_C_CHAR,      SQL_C_WCHAR,          SQL_C_BINARY,  SQL_C_BIT,
    SQL_C_STINYINT,  SQL_C_UTINYINT,       SQL_C_SSHORT,  SQL_C_USHORT,
    SQL_C_SLONG,     SQL_C_ULONG,          SQL_C_SBIGINT, SQL_C_UBIGINT,
    SQL_C_FLOAT,     SQL_C_DOUBLE,         SQL_C_NUMERIC, SQL_C_TYPE_DATE,
    SQL_C_TYPE_TIME, SQL_C_TYPE_TIMESTAMP, SQL_C_GUID,    SQL_C_INTERVAL_DAY_TO_SECOND,
    SQL_C_DEFAULT,   SQL_C_LONG,           SQL_C_SHORT,   SQL_C_TINYINT};

// libsqliteodbc has no SQL_C_NUMERIC, GUID and intervals and leaves the buffer as it was: equal
// too.
void reads_every_type_as_every_type(Program& p) {
  for (const char* column : {"i", "b", "n", "d", "s", "dt", "st", "bi", "bl"}) {
    SQLHSTMT h = p.stmt();
    p.exec(h, std::string("SELECT ") + column + " FROM $T ORDER BY id");
    while (SQL_SUCCEEDED(p.fetch(h))) {
      for (const SQLSMALLINT type : kOut) {
        SQLCHAR buffer[300] = {};
        SQLLEN length = -77;
        const SQLRETURN ret = SQLGetData(h, 1, type, buffer, 120, &length);
        // Character kinds are read once only; the rest of a value is another case's.
        p.done("GetData as " + std::to_string(type), SQL_HANDLE_STMT, h, ret,
               std::to_string(length) + (SQL_SUCCEEDED(ret) && length >= 0 && type != SQL_C_DEFAULT
                                             ? " " + shown_value(type, buffer, length, 120)
                                             : ""));
      }
    }
    p.drop(h);
  }
}

struct In {
  SQLSMALLINT c_type;
  SQLSMALLINT sql_type;
  SQLULEN size;
  SQLSMALLINT digits;
  const char* column;
  std::string bytes;
};

template <class T>
std::string bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

std::vector<In> inputs() {
  SQL_NUMERIC_STRUCT numeric = {};
  numeric.precision = 10;
  numeric.scale = 2;
  numeric.sign = 1;
  numeric.val[0] = 0x39;
  numeric.val[1] = 0x30;
  SQL_INTERVAL_STRUCT interval = {};
  interval.interval_type = SQL_IS_DAY_TO_SECOND;
  interval.intval.day_second = {3, 4, 5, 6, 0};
  const char16_t wide[] = u"w\u00e9\u20ac";
  return {
      {SQL_C_SLONG, SQL_INTEGER, 10, 0, "i", bytes_of(SQLINTEGER{-70000})},
      {SQL_C_ULONG, SQL_INTEGER, 10, 0, "i", bytes_of(SQLUINTEGER{70000})},
      {SQL_C_LONG, SQL_INTEGER, 10, 0, "i", bytes_of(SQLINTEGER{5})},
      {SQL_C_SSHORT, SQL_SMALLINT, 5, 0, "i", bytes_of(SQLSMALLINT{-12})},
      {SQL_C_USHORT, SQL_SMALLINT, 5, 0, "i", bytes_of(SQLUSMALLINT{12})},
      {SQL_C_STINYINT, SQL_TINYINT, 3, 0, "i", bytes_of(SQLSCHAR{-3})},
      {SQL_C_UTINYINT, SQL_TINYINT, 3, 0, "i", bytes_of(SQLCHAR{200})},
      {SQL_C_SBIGINT, SQL_BIGINT, 19, 0, "b", bytes_of(SQLBIGINT{-9000000000000LL})},
      {SQL_C_UBIGINT, SQL_BIGINT, 19, 0, "b", bytes_of(SQLUBIGINT{9000000000000ULL})},
      {SQL_C_DOUBLE, SQL_DOUBLE, 15, 0, "d", bytes_of(SQLDOUBLE{0.1})},
      {SQL_C_FLOAT, SQL_REAL, 7, 0, "d", bytes_of(SQLREAL{0.5F})},
      {SQL_C_DOUBLE, SQL_DECIMAL, 10, 2, "n", bytes_of(SQLDOUBLE{12.34})},
      {SQL_C_CHAR, SQL_NUMERIC, 10, 2, "n", "123.45"},
      {SQL_C_NUMERIC, SQL_NUMERIC, 10, 2, "n", bytes_of(numeric)},
      {SQL_C_CHAR, SQL_VARCHAR, 40, 0, "s", "it's \\ text"},
      {SQL_C_CHAR, SQL_VARCHAR, 40, 0, "s", ""},
      {SQL_C_CHAR, SQL_INTEGER, 10, 0, "i", "42"},
      {SQL_C_CHAR, SQL_INTEGER, 10, 0, "i", "not a number"},
      {SQL_C_SLONG, SQL_VARCHAR, 40, 0, "s", bytes_of(SQLINTEGER{99})},
      {SQL_C_WCHAR,
       SQL_WVARCHAR,
       40,
       0,
       "s",
       {reinterpret_cast<const char*>(wide), sizeof(wide) - sizeof(char16_t)}},
      {SQL_C_BINARY, SQL_VARBINARY, 40, 0, "bl", std::string("\0\1\xFE\xFF", 4)},
      {SQL_C_CHAR, SQL_VARBINARY, 40, 0, "bl", "00FF"},
      {SQL_C_BIT, SQL_BIT, 1, 0, "bi", bytes_of(SQLCHAR{1})},
      {SQL_C_TYPE_DATE, SQL_TYPE_DATE, 10, 0, "dt", bytes_of(SQL_DATE_STRUCT{2024, 2, 29})},
      {SQL_C_TYPE_TIME, SQL_TYPE_TIME, 8, 0, "s", bytes_of(SQL_TIME_STRUCT{23, 59, 58})},
      {SQL_C_TYPE_TIMESTAMP, SQL_TYPE_TIMESTAMP, 26, 6, "st",
       bytes_of(SQL_TIMESTAMP_STRUCT{2024, 2, 29, 23, 59, 58, 123456000})},
      {SQL_C_TYPE_TIMESTAMP, SQL_TYPE_DATE, 10, 0, "dt",
       bytes_of(SQL_TIMESTAMP_STRUCT{2024, 3, 1, 1, 2, 3, 0})},
      {SQL_C_TYPE_DATE, SQL_TYPE_TIMESTAMP, 26, 6, "st", bytes_of(SQL_DATE_STRUCT{2025, 1, 1})},
      {SQL_C_CHAR, SQL_TYPE_TIMESTAMP, 26, 6, "st", "2024-01-02 03:04:05.678"},
      {SQL_C_CHAR, SQL_TYPE_DATE, 10, 0, "dt", "not a date"},
      {SQL_C_GUID, SQL_GUID, 36, 0, "s", bytes_of(SQLGUID{1, 2, 3, {4, 5, 6, 7, 8, 9, 10, 11}})},
      {SQL_C_INTERVAL_DAY_TO_SECOND, SQL_INTERVAL_DAY_TO_SECOND, 20, 0, "s", bytes_of(interval)},
      {SQL_C_DEFAULT, SQL_INTEGER, 10, 0, "i", bytes_of(SQLINTEGER{8})},
      {SQL_C_DEFAULT, SQL_VARCHAR, 40, 0, "s", "default"},
      {SQL_C_SLONG, 7777, 10, 0, "i", bytes_of(SQLINTEGER{8})},
      {7777, SQL_INTEGER, 10, 0, "i", bytes_of(SQLINTEGER{8})}};
}

void writes_every_type(Program& p) {
  SQLINTEGER id = 100;
  std::vector<In> all = inputs();
  for (In& one : all) {
    for (const bool null : {false, true}) {
      SQLHSTMT h = p.stmt();
      SQLLEN length = null ? SQLLEN{SQL_NULL_DATA} : static_cast<SQLLEN>(one.bytes.size());
      ++id;
      p.bind_int(h, 1, &id);
      p.bind_parameter(h, 2, SQL_PARAM_INPUT, one.c_type, one.sql_type, one.size, one.digits,
                       one.bytes.data(), static_cast<SQLLEN>(one.bytes.size()), &length);
      p.exec(h, std::string("INSERT INTO $T (id, ") + one.column + ") VALUES (?, ?)");
      p.row_count(h);
      p.drop(h);
    }
  }
  p.query("SELECT id, i, b, n, d, s, dt, st, bi, bl FROM $T WHERE id > 100 ORDER BY id");
}

void loses_and_overflows(Program& p) {
  SQLHSTMT h = p.stmt();
  p.exec(h, "SELECT 70000, 1.75, 'abcdef', '12.9', '2024-02-29', -1, 99999999999, NULL");
  p.fetch(h);
  for (SQLUSMALLINT column = 1; column <= 8; ++column) {
    for (const SQLSMALLINT type : {SQL_C_STINYINT, SQL_C_SSHORT, SQL_C_ULONG, SQL_C_SLONG,
                                   SQL_C_DOUBLE, SQL_C_BIT, SQL_C_TYPE_TIME}) {
      p.get_data(h, column, static_cast<SQLSMALLINT>(type));
    }
    p.get_data(h, column, SQL_C_CHAR, 3);
    p.get_data(h, column, 7777);
    p.get_data(h, column, SQL_C_CHAR, 3, false);
  }
  p.drop(h);
  SQLINTEGER id = 500;
  char text[60] = "longer than the column allows, by far, really";
  SQLLEN length = SQL_NTS;
  h = p.stmt();
  p.bind_int(h, 1, &id);
  p.bind_text(h, 2, text, sizeof(text), &length);
  p.exec(h, "INSERT INTO $T (id, narrow) VALUES (?, ?)");
  p.exec(h, "INSERT INTO $T (id, i) VALUES (?, ?)");
  p.exec(h, "INSERT INTO $T (id, n) VALUES (501, 99999999999999999999.5)");
  p.drop(h);
}

}  // namespace

void add_type_cases(Cases& all) {
  const char* table =
      "CREATE TABLE $T (id int PRIMARY KEY, i int, b bigint, n numeric(10,2), d $double, "
      "s varchar(60), dt date, st $stamp, bi $bool, bl $blob, narrow varchar(5))";
  const auto add = [&](const char* name, void (*body)(Program&), const char* row) {
    std::vector<const char*> schema = {table};
    if (row != nullptr) schema.push_back(row);
    all.push_back({"Types", name, kAll, std::move(schema), body});
  };
  add("ReadsEveryTypeAsEveryType", reads_every_type_as_every_type,
      "INSERT INTO $T (id, i, b, n, d, s, dt, st) VALUES (1, 42, 9000000000, 12.34, 0.5, '17', "
      "'2024-02-29', '2024-02-29 23:59:58'), (2, -1, -5, -0.5, 1e300, 'not a number', "
      "'1999-12-31', '1999-12-31 00:00:00'), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL)");
  add("WritesEveryType", writes_every_type, nullptr);
  add("LosesAndOverflows", loses_and_overflows, nullptr);
}

}  // namespace understudy::parity
