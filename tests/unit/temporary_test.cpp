#include "driver/sql/temporary.h"

#include <gtest/gtest.h>

namespace understudy::sql {
namespace {

using Names = std::vector<std::string>;

TEST(Temporary, KnowsTheNameOfWhatIsMade) {
  const auto name = [](std::string_view text) {
    return temporary_table(text, Dialect::postgresql).value_or("?");
  };
  EXPECT_EQ(name("CREATE TEMP TABLE Tmp (a int)"), "tmp");
  EXPECT_EQ(name("create local temporary table if not exists \"Tmp\" as select 1"), "Tmp");
  EXPECT_EQ(name("SELECT a INTO TEMP TABLE u FROM t"), "u");
  EXPECT_EQ(name("CREATE TEMP TABLE pg_temp.x (a int)"), "x");
  EXPECT_EQ(name("CREATE TEMP SEQUENCE s"), "?");
  EXPECT_EQ(name("CREATE TEMP TABLE public.x (a int)"), "?");
  EXPECT_EQ(temporary_table("CREATE TEMPORARY TABLE `T` (a int)", Dialect::mariadb), "t");
}

TEST(Temporary, KnowsNoNameOfWhatOtherTablesMayBeWrittenThrough) {
  const auto name = [](std::string_view text, Dialect dialect) {
    return temporary_table(text, dialect).value_or("?");
  };
  EXPECT_EQ(name("CREATE OR REPLACE TEMP VIEW v AS SELECT 1", Dialect::postgresql), "?");
  EXPECT_EQ(name("CREATE TEMP TABLE c () INHERITS (items)", Dialect::postgresql), "?");
  EXPECT_EQ(name("CREATE TEMP TRIGGER t INSERT ON a BEGIN SELECT 1; END", Dialect::sqlite), "?");
  EXPECT_EQ(name("CREATE TEMPORARY TABLE t (a int) ENGINE=Memory", Dialect::mariadb), "t");
  EXPECT_EQ(name("CREATE TEMPORARY TABLE t (a int) ENGINE MERGE UNION (a)", Dialect::mariadb), "?");
}

TEST(Temporary, KnowsTheTablesOfASchemaChange) {
  const auto names = [](std::string_view text) {
    return changed_tables(text, Dialect::postgresql).value_or(Names{"?"});
  };
  EXPECT_EQ(names("DROP TABLE IF EXISTS a, \"B\""), (Names{"a", "B"}));
  EXPECT_EQ(names("TRUNCATE TABLE ONLY a RESTART IDENTITY"), Names{"a"});
  EXPECT_EQ(names("ALTER TABLE a ADD COLUMN b int"), Names{"a"});
  EXPECT_EQ(names("CREATE UNIQUE INDEX i ON a (b)"), Names{"a"});
  EXPECT_EQ(names("CREATE INDEX ON pg_temp.a (b)"), Names{"a"});
  EXPECT_EQ(names("DROP TABLE a CASCADE"), Names{"?"});
  EXPECT_EQ(names("TRUNCATE a CASCADE"), Names{"?"});
  EXPECT_EQ(names("DROP TABLE public.a"), Names{"?"});
  EXPECT_EQ(names("CREATE TABLE a (b int)"), Names{"?"});
  EXPECT_EQ(names("DROP INDEX a"), Names{"?"});
  EXPECT_EQ(changed_tables("DROP TEMPORARY TABLE T", Dialect::mariadb), Names{"t"});
}

}  // namespace
}  // namespace understudy::sql
