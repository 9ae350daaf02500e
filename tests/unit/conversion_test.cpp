// What the values of one engine become on another, type by type and at their extremes.
#include "replayer/values/conversion.h"

#include <gtest/gtest.h>

#include <string>

#include "replayer/dialect/counterpart.h"
#include "replayer/values/comparable.h"

namespace understudy {
namespace {

Column column(const std::string& type) {
  Column out;
  out.name = "c";
  out.type = type;
  return out;
}

Conversion conversion(Dialect from, const std::string& type, const std::string& shadow_type) {
  return {from, column(type), Dialect::postgresql, column(shadow_type)};
}

std::string converted(Dialect from, const std::string& type, const std::string& shadow_type,
                      const std::string& exact) {
  odbc::OptionalText value = exact;
  try {
    conversion(from, type, shadow_type).convert(&value);
  } catch (const Unconvertible& reason) {
    return std::string("refused: ") + reason.what();
  }
  return *value;
}

std::string mariadb(const std::string& type, const std::string& shadow_type,
                    const std::string& exact) {
  return converted(Dialect::mariadb, type, shadow_type, exact);
}

std::string sqlite(const std::string& shadow_type, const std::string& exact) {
  return converted(Dialect::sqlite, "", shadow_type, exact);
}

TEST(ConversionMariadb, IntegersKeepTheirExtremes) {
  EXPECT_EQ(mariadb("bigint(20)", "bigint", "-9223372036854775808"), "-9223372036854775808");
  EXPECT_EQ(mariadb("bigint(20) unsigned", "numeric", "18446744073709551615"),
            "18446744073709551615");
  EXPECT_EQ(mariadb("int(5) unsigned zerofill", "bigint", "00042"), "42");
  EXPECT_EQ(mariadb("int(5) unsigned zerofill", "integer", "00000"), "0");
  EXPECT_EQ(mariadb("year(4)", "smallint", "0000"), "0");
  EXPECT_EQ(mariadb("year(4)", "smallint", "2155"), "2155");
}

TEST(ConversionMariadb, DecimalsKeepEveryDigit) {
  const std::string digits38 = "-12345678901234567890123456789012345678.12";
  EXPECT_EQ(mariadb("decimal(40,2)", "numeric(40,2)", digits38), digits38);
  EXPECT_EQ(mariadb("decimal(5,2)", "numeric(7,4)", "1.50"), "1.5000");
  EXPECT_EQ(mariadb("decimal(5,2)", "numeric", "0.00"), "0.00");
  const std::string digits65(65, '9');
  EXPECT_EQ(mariadb("decimal(65,0)", "numeric(65,0)", digits65), digits65);
}

TEST(ConversionMariadb, FloatsAreWrittenAsTheServerWritesThem) {
  EXPECT_EQ(mariadb("double", "double precision", "0.1"), "0.1");
  EXPECT_EQ(mariadb("double", "double precision", "1.7976931348623157e308"),
            "1.7976931348623157e+308");
  EXPECT_EQ(mariadb("double", "double precision", "5e-324"), "5e-324");
  EXPECT_EQ(mariadb("double", "double precision", "1e15"), "1e+15");
  EXPECT_EQ(mariadb("double", "double precision", "100000000000000"), "100000000000000");
  EXPECT_EQ(mariadb("float", "real", "0.10000000149011612"), "0.10000000149011612");
  EXPECT_EQ(mariadb("float", "double precision", "0.10000000149011612"), "0.10000000149011612");
}

TEST(ConversionMariadb, AFloatIsEqualToTheRealThatItBecomes) {
  const Conversion to_real = conversion(Dialect::mariadb, "float", "real");
  for (const auto& [from, to] :
       {std::pair("0.10000000149011612", "0.1"), std::pair("-3.3999999521443642e38", "-3.4e+38")}) {
    odbc::OptionalText here = from;
    odbc::OptionalText there = to;
    to_real.convert(&here);
    to_real.make_comparable(false, &here);
    to_real.make_comparable(true, &there);
    EXPECT_EQ(here, there) << from;
  }
}

TEST(ConversionMariadb, ADoubleThatAFloatDoesNotHoldIsSeenToDiffer) {
  const Conversion to_real = conversion(Dialect::mariadb, "double", "real");
  odbc::OptionalText here = "0.1";
  odbc::OptionalText there = "0.1";
  to_real.convert(&here);
  to_real.make_comparable(false, &here);
  to_real.make_comparable(true, &there);
  EXPECT_NE(here, there);
  EXPECT_EQ(mariadb("double", "real", "1e300"), "refused: column c holds a number too large");
}

TEST(ConversionMariadb, TextsKeepFourByteCharactersAndTheEmptyText) {
  EXPECT_EQ(mariadb("varchar(9)", "text", "a\U0001F600é"), "a\U0001F600é");
  EXPECT_EQ(mariadb("varchar(9)", "character varying(9)", ""), "");
  EXPECT_EQ(mariadb("enum('x','y')", "text", "x"), "x");
  EXPECT_EQ(mariadb("set('x','y')", "text", "x,y"), "x,y");
  EXPECT_EQ(mariadb("varchar(9)", "text", std::string("a\0b", 3)),
            "refused: column c holds a text with a NUL character, which PostgreSQL does not take");
}

TEST(ConversionMariadb, NullStaysNull) {
  odbc::OptionalText value;
  conversion(Dialect::mariadb, "date", "date").convert(&value);
  EXPECT_EQ(value, std::nullopt);
}

TEST(ConversionMariadb, BlanksAtTheEndOfACharDoNotCount) {
  EXPECT_EQ(mariadb("varchar(9)", "character(9)", "ab  "), "ab");
  EXPECT_EQ(mariadb("varchar(9)", "character varying(9)", "ab  "), "ab  ");
}

TEST(ConversionMariadb, BytesKeepNulAndPadding) {
  EXPECT_EQ(mariadb("binary(3)", "bytea", "610000"), "\\x610000");
  EXPECT_EQ(mariadb("longblob", "bytea", ""), "\\x");
  EXPECT_EQ(mariadb("varbinary(9)", "bytea", "00FFAB"), "\\x00ffab");
  EXPECT_EQ(mariadb("binary(16)", "uuid", "00112233445566778899AABBCCDDEEFF"),
            "00112233-4455-6677-8899-aabbccddeeff");
  EXPECT_EQ(mariadb("blob", "text", "61"),
            "refused: column c holds bytes, and the shadow's column is no bytea");
}

TEST(ConversionMariadb, BitsAndBooleans) {
  EXPECT_EQ(mariadb("bit(10)", "bit(10)", "3F"), "0000111111");
  EXPECT_EQ(mariadb("bit(1)", "boolean", "1"), "true");
  EXPECT_EQ(mariadb("bit(1)", "boolean", "0"), "false");
  EXPECT_EQ(mariadb("bit(64)", "numeric", "FFFFFFFFFFFFFFFF"), "18446744073709551615");
  EXPECT_EQ(mariadb("tinyint(1)", "boolean", "1"), "true");
  EXPECT_EQ(mariadb("tinyint(1)", "boolean", "2"),
            "refused: column c holds neither 0 nor 1 for a boolean");
}

TEST(ConversionMariadb, DatesAndTimes) {
  EXPECT_EQ(mariadb("date", "date", "9999-12-31"), "9999-12-31");
  EXPECT_EQ(mariadb("date", "date", "0001-01-01"), "0001-01-01");
  EXPECT_EQ(mariadb("datetime(6)", "timestamp without time zone", "2020-02-29 23:59:59.120000"),
            "2020-02-29 23:59:59.12");
  EXPECT_EQ(mariadb("datetime(6)", "timestamp without time zone", "2020-02-29 00:00:00.000000"),
            "2020-02-29 00:00:00");
  EXPECT_EQ(mariadb("timestamp", "timestamp with time zone", "2038-01-19 03:14:07"),
            "2038-01-19 03:14:07+00");
  EXPECT_EQ(mariadb("datetime", "date", "2020-01-01 00:00:00"), "2020-01-01");
  EXPECT_EQ(mariadb("time", "interval", "-838:59:59"), "-838:59:59");
  EXPECT_EQ(mariadb("time(3)", "time without time zone", "23:59:59.500"), "23:59:59.5");
  EXPECT_EQ(mariadb("time", "time without time zone", "24:00:01"),
            "refused: column c holds a time beyond 24 hours");
}

TEST(ConversionMariadb, ZeroDatesAndDatesThatAreNoneAreRefused) {
  for (const char* zero : {"0000-00-00", "2020-00-01", "2020-01-00"}) {
    EXPECT_EQ(mariadb("date", "date", zero), "refused: column c holds a zero date") << zero;
  }
  EXPECT_EQ(mariadb("datetime", "timestamp without time zone", "0000-00-00 00:00:00"),
            "refused: column c holds a zero date");
  EXPECT_EQ(mariadb("date", "date", "2020-02-31"),
            "refused: column c holds a date that does not exist");
  EXPECT_EQ(mariadb("date", "text", "0000-00-00"), "0000-00-00");
}

TEST(ConversionMariadb, WhatNeverFitsIsSaidBeforehand) {
  EXPECT_NE(conversion(Dialect::mariadb, "geometry", "text").obstacle(), "");
  EXPECT_NE(conversion(Dialect::mariadb, "blob", "jsonb").obstacle(), "");
  EXPECT_NE(conversion(Dialect::mariadb, "datetime", "bigint").obstacle(), "");
  EXPECT_NE(conversion(Dialect::mariadb, "int(11)", "bit(8)").obstacle(), "");
  EXPECT_EQ(conversion(Dialect::mariadb, "geometry", "bytea").obstacle(), "");
  EXPECT_EQ(conversion(Dialect::mariadb, "bit(3)", "bit(3)").obstacle(), "");
}

TEST(ConversionSqlite, StorageClassesBecomeTheColumnsType) {
  EXPECT_EQ(sqlite("bigint", "-9223372036854775808"), "-9223372036854775808");
  EXPECT_EQ(sqlite("bigint", "5.0"), "5");
  EXPECT_EQ(sqlite("bigint", "'12'"), "12");
  EXPECT_EQ(sqlite("numeric", "0.10000000000000000555"), "0.1");
  EXPECT_EQ(sqlite("numeric", "1.0e+30"), "1e+30");
  EXPECT_EQ(sqlite("double precision", "Inf"), "Infinity");
  EXPECT_EQ(sqlite("double precision", "-9.0e+999"), "-Infinity");
  EXPECT_EQ(sqlite("text", "'it''s'"), "it's");
  EXPECT_EQ(sqlite("text", "5"), "5");
  EXPECT_EQ(sqlite("bytea", "X'00ff'"), "\\x00ff");
  EXPECT_EQ(sqlite("bytea", "CAST(X'610062' AS TEXT)"), "\\x610062");
  EXPECT_EQ(sqlite("boolean", "1"), "true");
  EXPECT_EQ(sqlite("boolean", "'no'"), "false");
  EXPECT_EQ(sqlite("uuid", "'00112233-4455-6677-8899-AABBCCDDEEFF'"),
            "00112233-4455-6677-8899-aabbccddeeff");
}

TEST(ConversionSqlite, AnotherClassThanTheColumnsIsRefusedAndNamed) {
  EXPECT_EQ(sqlite("bigint", "'abc'"), "refused: column c holds no number");
  EXPECT_EQ(sqlite("bigint", "1.5"), "refused: column c holds no integer");
  EXPECT_EQ(sqlite("bigint", "X'00'"), "refused: column c holds no number");
  EXPECT_EQ(sqlite("boolean", "7"), "refused: column c holds neither 0 nor 1 for a boolean");
  EXPECT_EQ(sqlite("text", "X'00'"),
            "refused: column c holds bytes, and the shadow's column is no bytea");
  EXPECT_EQ(sqlite("text", "CAST(X'610062' AS TEXT)"),
            "refused: column c holds a text with a NUL character, which PostgreSQL does not take");
  EXPECT_EQ(sqlite("timestamp without time zone", "1700000000"),
            "refused: column c holds no date in the form YYYY-MM-DD HH:MM:SS");
}

TEST(ConversionSqlite, DatesAreTextsOfItsOwnForms) {
  EXPECT_EQ(sqlite("date", "'2020-02-29'"), "2020-02-29");
  EXPECT_EQ(sqlite("timestamp without time zone", "'2020-02-29T12:30'"), "2020-02-29 12:30:00");
  EXPECT_EQ(sqlite("timestamp with time zone", "'2020-01-01 00:30:00.250+02:00'"),
            "2019-12-31 22:30:00.25+00");
  EXPECT_EQ(sqlite("timestamp with time zone", "'2020-01-01 00:30:00Z'"), "2020-01-01 00:30:00+00");
  EXPECT_EQ(sqlite("time without time zone", "'12:30'"), "12:30:00");
}

// Whether production's text and the shadow's are one value, of a column that was retyped.
bool same_retyped(Dialect engine, const std::string& type, const std::string& shadow_type,
                  const std::string& exact, const std::string& shadow_exact) {
  const Conversion one(engine, column(type), engine, column(shadow_type));
  odbc::OptionalText here = exact;
  odbc::OptionalText there = shadow_exact;
  one.convert(&here);
  one.make_comparable(false, &here);
  one.make_comparable(true, &there);
  return here == there;
}

TEST(ConversionOfOneEngine, RetypedColumnsAreComparedByValue) {
  const auto postgresql = Dialect::postgresql;
  EXPECT_TRUE(same_retyped(postgresql, "integer", "numeric(9,2)", "5", "5.00"));
  EXPECT_TRUE(same_retyped(postgresql, "date", "timestamp without time zone", "2020-01-02",
                           "2020-01-02 00:00:00"));
  EXPECT_TRUE(same_retyped(postgresql, "timestamp without time zone", "timestamp with time zone",
                           "2020-01-02 03:04:05.6", "2020-01-02 03:04:05.6+00"));
  EXPECT_FALSE(same_retyped(postgresql, "timestamp without time zone", "timestamp with time zone",
                            "2020-01-02 03:04:05", "2020-01-02 03:04:06+00"));
  EXPECT_TRUE(same_retyped(Dialect::mariadb, "datetime", "datetime(6)", "2020-01-02 03:04:10",
                           "2020-01-02 03:04:10.000000"));
  EXPECT_TRUE(same_retyped(Dialect::sqlite, "INTEGER", "TEXT", "5", "'5'"));
  EXPECT_TRUE(same_retyped(Dialect::sqlite, "TEXT", "INTEGER", "'it''s'", "'it''s'"));
  EXPECT_FALSE(same_retyped(Dialect::sqlite, "INTEGER", "TEXT", "5", "'6'"));
}

TEST(ConversionOfOneEngine, TextsThatLookLikeEqualNumbersDiffer) {
  EXPECT_FALSE(same_retyped(Dialect::sqlite, "VARCHAR(9)", "TEXT", "'07'", "'7'"));
  EXPECT_FALSE(same_retyped(Dialect::postgresql, "character varying(9)", "text", "07", "7"));
  EXPECT_FALSE(
      same_retyped(Dialect::postgresql, "text", "text", "2020-01-02", "2020-01-02 00:00:00"));
}

TEST(Comparable, DecimalsAreEqualByValueAndExact) {
  EXPECT_EQ(comparable_decimal("1.50"), comparable_decimal("1.5000"));
  EXPECT_EQ(comparable_decimal("1e+30"), comparable_decimal("1000000000000000000000000000000"));
  EXPECT_EQ(comparable_decimal("-0.00"), comparable_decimal("0"));
  EXPECT_EQ(comparable_decimal("1200"), comparable_decimal("1.2e3"));
  EXPECT_NE(comparable_decimal("12345678901234567890.1"),
            comparable_decimal("12345678901234567890.2"));
  EXPECT_NE(comparable_decimal("1"), comparable_decimal("-1"));
  EXPECT_EQ(comparable_decimal("NaN"), "NaN");
  EXPECT_EQ(comparable_decimal("-00012.3400"), "-12.34");
  EXPECT_EQ(comparable_decimal("1e-3"), "0.001");
  EXPECT_EQ(comparable_decimal("10"), "10");
  EXPECT_EQ(comparable_decimal("2e1000"), "2e1000");
}

TEST(Comparable, JsonIsEqualByValue) {
  EXPECT_EQ(comparable_json(R"({"b": [1.50, "é"], "a": null})"),
            comparable_json(R"({"a":null,"b":[1.5,"\u00e9"]})"));
  EXPECT_EQ(comparable_json(R"({"a": 1, "a": 2})"), comparable_json(R"({"a": 2})"));
  EXPECT_NE(comparable_json(R"(["1"])"), comparable_json("[1]"));
  EXPECT_NE(comparable_json("[[1],2]"), comparable_json("[[1,2]]"));
  EXPECT_EQ(comparable_json("{broken"), "{broken");
}

TEST(Counterpart, OfAnotherEngineStandsInTheDefaultSchema) {
  Catalog shadow;
  shadow.dialect = Dialect::postgresql;
  shadow.search_path = {"app", "public"};
  shadow.tables.resize(4);
  shadow.tables[0].schema = shadow.tables[1].schema = shadow.tables[2].schema = "app";
  shadow.tables[0].name = "item";
  shadow.tables[1].name = "Two";
  shadow.tables[2].name = "two";
  shadow.tables[3].schema = "public";
  shadow.tables[3].name = "elsewhere";
  EXPECT_EQ(counterpart_of("", "Item", Dialect::sqlite, shadow), &shadow.tables[0]);
  EXPECT_EQ(counterpart_of("", "two", Dialect::mariadb, shadow), &shadow.tables[2]);
  EXPECT_EQ(counterpart_of("", "TWO", Dialect::mariadb, shadow), nullptr);
  EXPECT_EQ(counterpart_of("", "elsewhere", Dialect::mariadb, shadow), nullptr);
}

}  // namespace
}  // namespace understudy
