// The exact text form of SQLite's and MariaDB's values as an expression: what the driver lets a
// statement return and what the replayer reads must be one form. Pure.
#pragma once

#include <string>
#include <string_view>

namespace understudy {

/// `name`: a column as it is written in SQL, quoted. A value as a literal that SQLite reads back as
/// the same value. Mostly quote(), which is not exact everywhere: it writes reals with 15 digits
/// whenever SQLite's own reader (not strtod) gets the same number back (measured on 3.40: 2,521 of
/// 12 million random doubles were off by one unit), and it ends a text at its first NUL.
inline std::string sqlite_exact_text(const std::string& name) {
  return "CASE typeof(" + name + ") WHEN 'null' THEN NULL WHEN 'real' THEN printf('%!.20g', " +
         name + ") WHEN 'text' THEN CASE instr(" + name + ", char(0)) WHEN 0 THEN quote(" + name +
         ") ELSE 'CAST(' || quote(CAST(" + name + " AS BLOB)) || ' AS TEXT)' END ELSE quote(" +
         name + ") END";
}

/// The base of a column's type as MariaDB writes it: "decimal" of "decimal(10,2) unsigned".
inline std::string_view mariadb_base_type(std::string_view type) {
  return type.substr(0, type.find_first_of("( "));
}

/// Types whose values are written as hexadecimal digits: bytes, bits and shapes.
inline bool mariadb_is_binary(std::string_view type) {
  const std::string_view base = mariadb_base_type(type);
  for (const std::string_view shape :
       {"bit", "binary", "varbinary", "geometry", "point", "linestring", "polygon", "multipoint",
        "multilinestring", "multipolygon", "geometrycollection"}) {
    if (base == shape) return true;
  }
  return base.ends_with("blob");
}

/// `name`: a column as it is written in SQL, quoted; `type`: COLUMN_TYPE in lower case. A value as
/// a text that does not depend on the session's time zone or on the protocol (prepared statements
/// send numbers in binary, and the driver writes them in its own way). FLOAT alone has only six
/// digits when it is read as it is; as DOUBLE it has all. A TIMESTAMP's own value is seconds since
/// 1970, and 0 stands for the zero date.
inline std::string mariadb_exact_text(const std::string& name, std::string_view type) {
  const std::string_view base = mariadb_base_type(type);
  if (mariadb_is_binary(type)) return "HEX(" + name + ")";
  if (base == "float") return "CAST(CAST(" + name + " AS DOUBLE) AS CHAR)";
  if (base == "timestamp") {
    return "IF(UNIX_TIMESTAMP(" + name + ") = 0, '0000-00-00 00:00:00', " +
           "CAST(TIMESTAMP'1970-01-01 00:00:00' + INTERVAL UNIX_TIMESTAMP(" + name +
           ") SECOND AS CHAR))";
  }
  if (base.ends_with("char") || base.ends_with("text") || base == "enum" || base == "set") {
    return "CAST(CONVERT(" + name + " USING utf8mb4) AS BINARY)";
  }
  return "CAST(" + name + " AS CHAR)";
}

}  // namespace understudy
