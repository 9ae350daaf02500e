#include "driver/sql/search_path.h"

#include <gtest/gtest.h>

namespace understudy::sql {
namespace {

std::string set_by(std::string_view text) {
  const auto path = search_path_set_by(text);
  if (!path) return "nothing";
  if (path->kind == SearchPath::Kind::unknown) return "unknown";
  if (path->kind == SearchPath::Kind::usual) return "usual";
  std::string out;
  for (const std::string& schema : path->schemas) out += schema + ";";
  return out;
}

TEST(SearchPath, IsReadFromTheStatementThatSetsIt) {
  EXPECT_EQ(set_by("SET search_path TO app, \"Public\", 'other'"), "app;Public;other;");
  EXPECT_EQ(set_by("set local SEARCH_PATH = App;"), "app;");
  EXPECT_EQ(set_by("SET SESSION search_path TO DEFAULT"), "usual");
  EXPECT_EQ(set_by("SET SCHEMA 'app'"), "app;");
  EXPECT_EQ(set_by("RESET search_path"), "usual");
  EXPECT_EQ(set_by("RESET ALL"), "usual");
}

TEST(SearchPath, IsUnknownWhereItCannotBeTold) {
  for (const char* text :
       {"SET search_path TO \"$user\", public", "SET search_path TO ''", "SET search_path TO",
        "SET search_path TO a b", "SET search_path TO pg_temp, a", "SET search_path FROM CURRENT",
        "SET search_path TO 'it''s'", "SET search_path TO E'a'"}) {
    EXPECT_EQ(set_by(text), "unknown") << text;
  }
  EXPECT_EQ(set_by("SET ROLE other"), "nothing");
  EXPECT_EQ(set_by("SELECT 1"), "nothing");
}

}  // namespace
}  // namespace understudy::sql
