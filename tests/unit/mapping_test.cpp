// The mapping file: what is read of it, and that whatever is wrong is named with its place.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "replayer/mapping/mapping_file.h"

namespace understudy {
namespace {

MappingFile read(const std::string& text) {
  return parse_mapping(text, "m.toml");
}

std::string error_of(const std::string& text) {
  try {
    read(text);
  } catch (const MappingError& error) {
    return error.what();
  }
  return "no error";
}

TEST(MappingFileTest, AnEmptyFileMapsNothing) {
  EXPECT_TRUE(read("").tables.empty());
  EXPECT_TRUE(read("# a comment\n[tables]\n").tables.empty());
}

TEST(MappingFileTest, TheExampleOfThePageIsOne) {
  std::ifstream in(DOCS_FOLDER "/reference/mapping.md");
  const std::string page{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const std::string fence = "```toml\n";
  const std::size_t from = page.find(fence);
  ASSERT_NE(from, std::string::npos);
  const std::size_t begin = from + fence.size();
  const MappingFile file = read(page.substr(begin, page.find("```", begin) - begin));
  ASSERT_EQ(file.tables.size(), 3u);
  EXPECT_FALSE(file.tables[0].retyped.empty());
  EXPECT_TRUE(file.tables[1].dropped);
  EXPECT_TRUE(file.tables[2].split);
}

TEST(MappingFileTest, ATableMayBeRenamedWithItsColumns) {
  const MappingFile file = read(
      "[tables.'public.item']\n"
      "to = 'public.product'\n"
      "rename = { cents = 'price' }\n"
      "drop = ['legacy']\n"
      "retyped = ['active']\n");
  ASSERT_EQ(file.tables.size(), 1u);
  const auto& table = file.tables[0];
  EXPECT_EQ(table.name.name, "public.item");
  EXPECT_EQ(table.name.place.line, 1u);
  ASSERT_EQ(table.parts.size(), 1u);
  EXPECT_EQ(table.parts[0].to.name, "public.product");
  ASSERT_EQ(table.parts[0].rename.size(), 1u);
  EXPECT_EQ(table.parts[0].rename[0].first.name, "cents");
  EXPECT_EQ(table.parts[0].rename[0].second.name, "price");
  ASSERT_EQ(table.drop.size(), 1u);
  EXPECT_EQ(table.drop[0].place.line, 4u);
  EXPECT_EQ(table.drop[0].place.column, 9u);
  EXPECT_EQ(table.retyped[0].name, "active");
}

TEST(MappingFileTest, AddedColumnsHaveConstantsOrExpressions) {
  const MappingFile file = read(
      "[tables.item.add]\n"
      "origin = 'production'\nn = -5\nratio = 1.5\nok = true\n"
      "label = { expression = \"upper(name) || ')'\" }\n");
  const auto& add = file.tables.at(0).parts.at(0).add;
  ASSERT_EQ(add.size(), 5u);
  const auto value = [&](const std::string& name) {
    for (const auto& [column, one] : add) {
      if (column.name == name) return one;
    }
    return MappingValue();
  };
  using Kind = MappingValue::Kind;
  EXPECT_EQ(value("origin").kind, Kind::text);
  EXPECT_EQ(value("n").text, "-5");
  EXPECT_EQ(value("ratio").text, "1.5");
  EXPECT_EQ(value("ok").kind, Kind::boolean);
  EXPECT_EQ(value("label").kind, Kind::expression);
  EXPECT_EQ(value("label").text, "upper(name) || ')'");
}

TEST(MappingFileTest, ATableMayBeDropped) {
  const MappingFile file = read("[tables.log]\ndrop = true\n");
  EXPECT_TRUE(file.tables.at(0).dropped);
  EXPECT_TRUE(file.tables.at(0).parts.empty());
}

TEST(MappingFileTest, ATableMayBeSplitIntoTwo) {
  const MappingFile file = read(
      "[[tables.account.split]]\nto = 'owner'\ncolumns = ['id', 'name']\n"
      "[[tables.account.split]]\nto = 'balance'\ncolumns = ['id', 'amount']\n"
      "rename = { amount = 'cents' }\n");
  const auto& table = file.tables.at(0);
  EXPECT_TRUE(table.split);
  ASSERT_EQ(table.parts.size(), 2u);
  EXPECT_EQ(table.parts[1].to.name, "balance");
  EXPECT_EQ(table.parts[1].columns[1].name, "amount");
  EXPECT_EQ(table.parts[1].rename[0].second.name, "cents");
}

TEST(MappingFileTest, NamesInQuotationMarksMayHoldAnyCharacter) {
  const MappingFile file = read("# \xc3\xa9\n[tables.'\xc3\xa9']\nto = \"\\\"\xc3\xa9\"\n");
  EXPECT_EQ(file.tables.at(0).name.name, "\xc3\xa9");
  EXPECT_EQ(file.tables.at(0).parts.at(0).to.name, "\"\xc3\xa9");
}

TEST(MappingFileTest, TextsMayHoldAnyCharacterAndQuotationMarksAtTheEndOfABlock) {
  const MappingFile file = read(
      "[tables.'\xc3\xa9']  # \xc3\xa9'\nto = \"\"\"\xc3\xa9\\\"\xc3\xa9\"\"\"\"\"\ndrop = "
      "['\xc3\xa9', \"\xc3\xa9\"]\n");
  EXPECT_EQ(file.tables.at(0).name.name, "\xc3\xa9");
  EXPECT_EQ(file.tables.at(0).parts.at(0).to.name, "\xc3\xa9\"\xc3\xa9\"\"");
  EXPECT_EQ(file.tables.at(0).drop.size(), 2u);
}

TEST(MappingFileTest, TablesComeInTheOrderOfTheFile) {
  const MappingFile file = read("[tables.b]\n[tables.a]\n");
  EXPECT_EQ(file.tables.at(0).name.name, "b");
}

struct Wrong {
  std::string text;
  std::string place;
  std::string reason;
};

void PrintTo(const Wrong& wrong, std::ostream* out) {
  *out << wrong.place << ' ' << wrong.reason;
}

class WrongMapping : public testing::TestWithParam<Wrong> {};

TEST_P(WrongMapping, IsNamedInOneLineWithItsPlace) {
  const std::string said = error_of(GetParam().text);
  EXPECT_EQ(said.rfind("m.toml:" + GetParam().place + ": ", 0), 0u) << said;
  EXPECT_NE(said.find(GetParam().reason), std::string::npos) << said;
  EXPECT_EQ(said.find('\n'), std::string::npos) << said;
}

INSTANTIATE_TEST_SUITE_P(
    Each, WrongMapping,
    testing::Values(
        Wrong{"[tables.a\n", "1:10", "no TOML"}, Wrong{"table = 1\n", "1:1", "`tables`"},
        Wrong{"[tables.a]\n  \xef\xbb\xaf = 5\n", "2:3", "no TOML"},
        Wrong{"[tables.a]\ndrop = ['x',0'\xdb\x8b']\n", "2:14", "no TOML"},
        Wrong{"[tables.a]\nto = '''a''''\xdb\x8b\n", "2:14", "no TOML"},
        Wrong{"[tables.a]\nto = 5\n", "2:6", "in quotation marks"},
        Wrong{"[tables.a]\nrenamed = {}\n", "2:1", "none of to"},
        Wrong{"[tables.a]\ndrop = false\n", "2:1", "true, or a list"},
        Wrong{"[tables.a]\ndrop = ['x', 7]\n", "2:14", "in quotation marks"},
        Wrong{"[tables.a]\ndrop = true\nto = 'b'\n", "1:9", "nothing else"},
        Wrong{"[tables.a]\nto = ''\n", "2:6", "empty"},
        Wrong{"[tables.a]\nto = '" + std::string(256, 'x') + "'\n", "2:6", "255 bytes"},
        Wrong{"[tables.a]\nadd = { x = 2020-01-01 }\n", "2:13", "write a date as a text"},
        Wrong{"[tables.a]\nadd = { x = nan }\n", "2:13", "finite"},
        Wrong{"[tables.a]\nadd = { x = { value = 5 } }\n", "2:13", "expression"},
        Wrong{"[tables.a]\nadd = { x = { expression = ' ' } }\n", "2:28", "empty"},
        Wrong{"[tables.a]\nadd = { x = { expression = 'a ? b' } }\n", "2:28", "question mark"},
        Wrong{"[tables.a]\nadd = { x = { expression = 'a), (b' } }\n", "2:28", "did not open"},
        Wrong{"[tables.a]\nadd = { x = { expression = '(a' } }\n", "2:28", "bracket open"},
        Wrong{"[tables.a]\nadd = { x = { expression = '\"a' } }\n", "2:28", "mark open"},
        Wrong{"[tables.a]\nadd = { x = { expression = 'a; b' } }\n", "2:28", "semicolon"},
        Wrong{"[tables.a]\nadd = { x = { expression = 'a -- b' } }\n", "2:28", "comment"},
        Wrong{"[tables.a]\nsplit = 5\n", "2:1", "2 parts"},
        Wrong{"[[tables.a.split]]\nto = 'b'\ncolumns = ['id']\n", "1:12", "2 parts"},
        Wrong{"[tables.a]\nsplit = [{ to = 'b', columns = ['id'] }, { to = 'c' }]\n", "2:42",
              "lacks `columns`"},
        Wrong{"[tables.a]\nsplit = [{ columns = ['id'] }, { to = 'c', columns = ['id'] }]\n",
              "2:10", "lacks `to`"}));

TEST(MappingFileTest, AFileThatIsTooLargeIsRefused) {
  EXPECT_NE(error_of(std::string(kMappingBytesMax + 1, '#')).find("bytes"), std::string::npos);
}

TEST(MappingFileTest, MoreColumnsThanTheLimitAreRefused) {
  std::string text = "[tables.a]\ndrop = [";
  for (std::size_t i = 0; i <= kMappedColumnsMax; ++i) text += "'c',";
  EXPECT_NE(error_of(text + "]\n").find("m.toml:2:8: more than 2000 columns"), std::string::npos);
}

TEST(MappingFileTest, ControlCharactersDoNotReachTheMessage) {
  const std::string said = error_of("[tables.\"a\\nb\"]\nx = 1\ndrop = true\n");
  EXPECT_EQ(said.find('\n'), std::string::npos) << said;
}

}  // namespace
}  // namespace understudy
