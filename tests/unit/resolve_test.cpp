// What a mapping means for two catalogs, and that whatever does not fit them is named with its
// place.
#include "replayer/mapping/resolve.h"

#include <gtest/gtest.h>

namespace understudy {
namespace {

Column column(const std::string& name, bool nullable = true, const std::string& type = "text") {
  Column out;
  out.name = name;
  out.type = type;
  out.nullable = nullable;
  return out;
}

Table table(const std::string& name, std::vector<Column> columns,
            std::vector<std::uint32_t> key = {0}) {
  Table out;
  out.schema = "public";
  out.name = name;
  out.columns = std::move(columns);
  out.key = std::move(key);
  return out;
}

Catalog catalog(std::vector<Table> tables) {
  Catalog out;
  out.dialect = Dialect::postgresql;
  out.search_path = {"public"};
  out.tables = std::move(tables);
  return out;
}

// production: item(id, name, cents, legacy), log(id, word), bare(word) without a key.
class ResolveTest : public testing::Test {
 protected:
  Catalog production_ = catalog(
      {table("item", {column("id", false), column("name"), column("cents"), column("legacy")}),
       table("log", {column("id", false), column("word")}), table("bare", {column("word")}, {})});
  Catalog shadow_ = catalog(
      {table("item", {column("id", false), column("name"), column("cents"), column("legacy")}),
       table("product", {column("id", false), column("title"), column("cents"), column("origin")}),
       table("detail", {column("id", false), column("cents"), column("legacy")}),
       table("strict", {column("id", false), column("name"), column("must", false)}),
       table("log", {column("id", false), column("word")}), table("bare", {column("word")}, {})});

  Mapped resolve(const std::string& text) {
    return resolve_mapping(parse_mapping(text, "m.toml"), production_, shadow_);
  }
  std::string error_of(const std::string& text) {
    try {
      resolve(text);
    } catch (const MappingError& error) {
      return error.what();
    }
    return "no error";
  }
  void expect_error(const std::string& text, const std::string& place, const std::string& words) {
    const std::string error = error_of(text);
    EXPECT_EQ(error.rfind("m.toml:" + place + ": ", 0), 0u) << error;
    EXPECT_NE(error.find(words), std::string::npos) << error;
  }
};

TEST_F(ResolveTest, ATableGoesToAnotherWithItsColumnsRenamedDroppedAndAdded) {
  const Mapped mapped = resolve(
      "[tables.item]\nto = 'product'\nrename = { name = 'title' }\ndrop = ['legacy']\n"
      "add = { origin = 'old' }\n");
  ASSERT_EQ(mapped.pairs.size(), 1u);
  const TablePair& pair = mapped.pairs[0];
  EXPECT_EQ(pair.production, &production_.tables[0]);
  EXPECT_EQ(pair.shadow, &shadow_.tables[1]);
  EXPECT_EQ(pair.production_columns, (std::vector<std::uint32_t>{0, 1, 2}));
  EXPECT_EQ(pair.shadow_columns, (std::vector<std::uint32_t>{0, 1, 2}));
  EXPECT_TRUE(pair.mapped);
  ASSERT_EQ(pair.added.size(), 1u);
  EXPECT_EQ(pair.added[0].column, 3u);
  EXPECT_TRUE(pair.added[0].constant);
  EXPECT_EQ(pair.added[0].sql, "CAST('old' AS text)");
}

TEST_F(ResolveTest, AnExpressionIsNoConstant) {
  const Mapped mapped = resolve(
      "[tables.item]\nto = 'product'\nrename = { name = 'title' }\ndrop = ['legacy']\n"
      "add = { origin = { expression = \"upper(title)\" } }\n");
  EXPECT_FALSE(mapped.pairs.at(0).added.at(0).constant);
}

TEST_F(ResolveTest, ADroppedTableGoesNowhere) {
  const Mapped mapped = resolve("[tables.log]\ndrop = true\n");
  EXPECT_TRUE(mapped.pairs.empty());
  ASSERT_EQ(mapped.dropped.size(), 1u);
  EXPECT_TRUE(mapped.names(production_.tables[1]));
  EXPECT_FALSE(mapped.names(production_.tables[0]));
}

TEST_F(ResolveTest, TwoTablesMayChangeTheirNames) {
  production_.tables.push_back(table("old_log", {column("id", false), column("word")}));
  shadow_.tables.push_back(table("old_log", {column("id", false), column("word")}));
  EXPECT_EQ(resolve("[tables.log]\nto = 'old_log'\n[tables.old_log]\nto = 'log'\n").pairs.size(),
            2u);
}

TEST_F(ResolveTest, ASplitIsTwoPairsOfOneTable) {
  const Mapped mapped = resolve(
      "[[tables.item.split]]\nto = 'product'\ncolumns = ['id', 'name']\n"
      "rename = { name = 'title' }\n"
      "[[tables.item.split]]\nto = 'detail'\ncolumns = ['id', 'cents', 'legacy']\n");
  ASSERT_EQ(mapped.pairs.size(), 2u);
  EXPECT_EQ(mapped.pairs[0].production, mapped.pairs[1].production);
  EXPECT_EQ(mapped.pairs[0].production_columns, (std::vector<std::uint32_t>{0, 1}));
  EXPECT_EQ(mapped.pairs[1].production_columns, (std::vector<std::uint32_t>{0, 2, 3}));
  EXPECT_EQ(mapped.pairs[1].shadow_columns, (std::vector<std::uint32_t>{0, 1, 2}));
}

TEST_F(ResolveTest, UnknownTablesAreNamed) {
  expect_error("[tables.itme]\nto = 'product'\n", "1:9", "production has no table itme");
  expect_error("[tables.log]\nto = 'logg'\n", "2:6", "the shadow has no table logg");
  production_.tables.push_back(table("lonely", {column("id", false)}));
  expect_error("[tables.lonely]\nretyped = ['id']\n", "1:9", "the shadow has no table");
}

TEST_F(ResolveTest, UnknownColumnsAreNamed) {
  expect_error("[tables.log]\ndrop = ['wrod']\n", "2:9", "has no column wrod");
  expect_error("[tables.log]\nretyped = ['wrod']\n", "2:12", "has no column wrod");
  expect_error("[tables.log]\nrename = { wrod = 'x' }\n", "2:12", "has no column wrod");
  expect_error("[tables.log]\nrename = { word = 'x' }\n", "2:19", "has no column x");
  expect_error("[tables.log]\nadd = { x = 1 }\n", "2:9", "has no column x");
}

TEST_F(ResolveTest, AColumnThatIsNeitherRenamedNorDroppedHasToBeThere) {
  expect_error("[tables.item]\nto = 'product'\ndrop = ['legacy']\n", "1:9",
               "the shadow's table public.product has no column name");
}

TEST_F(ResolveTest, NothingIsMappedTwice) {
  expect_error("[tables.log]\nretyped = ['word']\n[tables.'public.log']\nretyped = ['word']\n",
               "3:9", "mapped twice");
  expect_error("[tables.log]\ndrop = ['word', 'word']\n", "2:17", "named twice");
  expect_error("[tables.log]\ndrop = ['word']\nrename = { word = 'id' }\n", "3:12", "is dropped");
  expect_error("[tables.item]\nrename = { name = 'cents' }\n", "1:9", "filled twice");
  expect_error("[tables.log]\nadd = { word = 'x' }\n", "2:9", "filled with a column");
}

TEST_F(ResolveTest, ATableOfTheShadowTakesTheRowsOfOne) {
  expect_error("[tables.item]\ndrop = ['name', 'cents', 'legacy']\nto = 'log'\n", "3:6",
               "also takes the rows of production's table public.log");
  expect_error(
      "[tables.item]\ndrop = ['name', 'cents', 'legacy']\nto = 'strict'\nadd = { must = 1 }\n"
      "[tables.log]\ndrop = ['word']\nto = 'strict'\n",
      "7:6", "already takes the rows");
}

TEST_F(ResolveTest, TheKeyCannotBeDroppedAndHasToBeThere) {
  expect_error("[tables.log]\ndrop = ['id']\n", "2:9", "part of the primary key");
  expect_error("[tables.bare]\ndrop = ['word']\n", "1:9", "has no primary key");
  EXPECT_EQ(error_of("[tables.bare]\ndrop = true\n"), "no error");
}

TEST_F(ResolveTest, AColumnThatTakesNoNullHasToBeFilled) {
  const std::string item = "[tables.item]\nto = 'strict'\ndrop = ['cents', 'legacy']\n";
  expect_error(item, "2:6", "column must of the shadow's table public.strict takes no NULL");
  EXPECT_EQ(error_of(item + "add = { must = 'x' }\n"), "no error");
  shadow_.tables[3].columns[2].default_kind = DefaultKind::constant;
  EXPECT_EQ(error_of(item), "no error");
}

TEST_F(ResolveTest, ARetypedColumnGoesToTheShadow) {
  expect_error("[tables.log]\nretyped = ['word']\ndrop = ['word']\n", "2:12",
               "does not go to the shadow");
}

TEST_F(ResolveTest, PartsOfASplitHoldTheKeyAndEveryColumnOnce) {
  const auto split = [](const std::string& first, const std::string& second) {
    return "[[tables.item.split]]\nto = 'product'\nrename = { name = 'title' }\ncolumns = [" +
           first + "]\n[[tables.item.split]]\nto = 'detail'\ncolumns = [" + second + "]\n";
  };
  expect_error(split("'id', 'name'", "'cents', 'legacy'"), "6:6", "lacks column id");
  expect_error(split("'id', 'name', 'cents'", "'id', 'cents', 'legacy'"), "7:18",
               "stands in another part");
  expect_error(split("'id', 'name'", "'id', 'legacy'"), "1:10", "is in no part");
  expect_error(split("'id', 'name'", "'id', 'nmae'"), "7:18", "has no column nmae");
  expect_error(split("'id', 'cents'", "'id', 'name', 'legacy'"), "3:19", "not in this part");
}

TEST_F(ResolveTest, AViewAndAPartitionedTableHaveNoRowsOfTheirOwn) {
  production_.tables[1].is_view = true;
  expect_error("[tables.log]\ndrop = true\n", "1:9", "is a view");
  production_.tables[1].is_view = false;
  production_.tables[1].partitioned = true;
  expect_error("[tables.log]\ndrop = true\n", "1:9", "partitions");
}

TEST_F(ResolveTest, MappedTablesOfBothSidesAreRecordedByTheirRows) {
  const Mapped mapped = resolve(
      "[tables.item]\nto = 'product'\nrename = { name = 'title' }\ndrop = ['legacy']\n"
      "[tables.log]\ndrop = true\n");
  mark_by_effects(mapped, &production_, &shadow_);
  EXPECT_TRUE(production_.tables[0].by_effects);
  EXPECT_TRUE(production_.tables[1].by_effects);
  EXPECT_FALSE(production_.tables[2].by_effects);
  EXPECT_TRUE(shadow_.tables[1].by_effects);
  EXPECT_FALSE(shadow_.tables[0].by_effects);
}

TEST_F(ResolveTest, TheWayBackIsTheInverse) {
  const Mapped mapped = resolve(
      "[tables.item]\nto = 'product'\nrename = { name = 'title' }\ndrop = ['legacy']\n"
      "add = { origin = 'x' }\n");
  EXPECT_TRUE(no_way_back(mapped).empty());
  const Mapped back = inverse_of(mapped);
  ASSERT_EQ(back.pairs.size(), 1u);
  EXPECT_EQ(back.pairs[0].production, &shadow_.tables[1]);
  EXPECT_EQ(back.pairs[0].shadow, &production_.tables[0]);
  EXPECT_TRUE(back.pairs[0].added.empty());
  EXPECT_TRUE(back.pairs[0].mapped);
}

TEST_F(ResolveTest, WithoutAValueForADroppedColumnThereIsNoWayBack) {
  production_.tables[1].columns[1].nullable = false;
  const auto obstacles = no_way_back(resolve("[tables.log]\ndrop = ['word']\n"));
  ASSERT_EQ(obstacles.size(), 1u);
  EXPECT_NE(obstacles[0].find("column word of table public.log is dropped"), std::string::npos);
}

TEST_F(ResolveTest, ASplitTableHasNoWayBack) {
  const auto obstacles = no_way_back(
      resolve("[[tables.item.split]]\nto = 'product'\ncolumns = ['id', 'name']\n"
              "rename = { name = 'title' }\n"
              "[[tables.item.split]]\nto = 'detail'\ncolumns = ['id', 'cents', 'legacy']\n"));
  ASSERT_EQ(obstacles.size(), 1u);
  EXPECT_NE(obstacles[0].find("is split"), std::string::npos);
}

TEST_F(ResolveTest, GeneratedKeysAreCountedUnderTheShadowsNames) {
  const Mapped mapped =
      resolve("[tables.item]\nto = 'product'\nrename = { name = 'title' }\ndrop = ['legacy']\n");
  SequenceState state;
  state.schema = "public";
  state.name = "item_id_seq";
  state.table = "item";
  state.column = "id";
  const auto there = map_sequences({state}, mapped);
  ASSERT_EQ(there.size(), 1u);
  EXPECT_EQ(there[0].table, "product");
  EXPECT_EQ(there[0].column, "id");
}

}  // namespace
}  // namespace understudy
