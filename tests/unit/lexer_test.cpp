#include "driver/sql/lexer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace understudy::sql {
namespace {

std::vector<Token> tokens(std::string_view text, Dialect dialect) {
  std::vector<Token> out;
  Lexer lexer(text, dialect);
  for (Token t = lexer.next(); t.kind != TokenKind::end; t = lexer.next()) out.push_back(t);
  return out;
}

std::vector<std::string> texts(std::string_view text, Dialect dialect) {
  std::vector<std::string> out;
  for (const Token& t : tokens(text, dialect)) out.emplace_back(t.text);
  return out;
}

int parameters(std::string_view text, Dialect dialect) {
  int count = 0;
  for (const Token& t : tokens(text, dialect)) count += t.kind == TokenKind::parameter ? 1 : 0;
  return count;
}

using Texts = std::vector<std::string>;

TEST(Lexer, FindsWordsNumbersAndPunctuation) {
  EXPECT_EQ(texts("SELECT a.b,1.5e-3+.5 FROM t", Dialect::postgresql),
            (Texts{"SELECT", "a", ".", "b", ",", "1.5e-3", "+", ".5", "FROM", "t"}));
}

TEST(Lexer, TokensTellWhereTheyStand) {
  const auto found = tokens("  a /* x */ ?", Dialect::postgresql);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].offset, 2u);
  EXPECT_EQ(found[1].offset, 12u);
}

TEST(Lexer, IgnoresMarkersInsideQuotesAndComments) {
  EXPECT_EQ(parameters("SELECT '?', \"?\", ? -- ?\n, ? /* ? */", Dialect::postgresql), 2);
  EXPECT_EQ(parameters("SELECT '?', \"?\", [?], `?`, ? -- ?\n, ? /* ? */", Dialect::sqlite), 2);
  EXPECT_EQ(parameters("SELECT '?', \"?\", `?`, ? -- ?\n, ? # ?\n /* ? */", Dialect::mariadb), 2);
}

TEST(Lexer, NestsCommentsInPostgresqlOnly) {
  EXPECT_EQ(texts("/* a /* b */ c */ d", Dialect::postgresql), (Texts{"d"}));
  EXPECT_EQ(texts("/* a /* b */ c", Dialect::sqlite), (Texts{"c"}));
}

TEST(Lexer, KeepsDoubledQuotesInsideOneString) {
  EXPECT_EQ(texts("'it''s' x", Dialect::postgresql), (Texts{"'it''s'", "x"}));
  EXPECT_EQ(texts("\"a\"\"b\" x", Dialect::postgresql), (Texts{"\"a\"\"b\"", "x"}));
}

TEST(Lexer, TakesBackslashesAsEscapesOnlyWhereTheEngineDoes) {
  EXPECT_EQ(texts(R"(E'a\'b' c)", Dialect::postgresql), (Texts{R"(E'a\'b')", "c"}));
  EXPECT_EQ(texts(R"('a\' c)", Dialect::postgresql), (Texts{R"('a\')", "c"}));
  EXPECT_EQ(texts(R"('a\'b' c)", Dialect::mariadb), (Texts{R"('a\'b')", "c"}));
  EXPECT_EQ(texts(R"('a\' c)", Dialect::sqlite), (Texts{R"('a\')", "c"}));
}

TEST(Lexer, ReadsDollarQuotesWithAndWithoutTag) {
  EXPECT_EQ(texts("$$ ? ' $x$ $$ a", Dialect::postgresql), (Texts{"$$ ? ' $x$ $$", "a"}));
  EXPECT_EQ(texts("$f$ $$ ? $$ $f$ a", Dialect::postgresql), (Texts{"$f$ $$ ? $$ $f$", "a"}));
}

TEST(Lexer, DoesNotTakeADollarInsideANameForAQuote) {
  EXPECT_EQ(texts("a$b$ ?", Dialect::postgresql), (Texts{"a$b$", "?"}));
}

TEST(Lexer, MarksWhatIsNotClosed) {
  for (const char* text : {"'abc", "\"abc", "/* abc", "$$ abc", "E'abc\\"}) {
    const auto found = tokens(text, Dialect::postgresql);
    ASSERT_EQ(found.size(), 1u) << text;
    EXPECT_EQ(found[0].kind, TokenKind::unterminated) << text;
  }
}

TEST(Lexer, LetsTheEndOfTheTextCloseASqliteComment) {
  EXPECT_EQ(texts("a /* b", Dialect::sqlite), (Texts{"a"}));
}

TEST(Lexer, ReadsNamedAndNumberedMarkersOfSqlite) {
  EXPECT_EQ(texts("?1 :a @b $c #d", Dialect::sqlite), (Texts{"?1", ":a", "@b", "$c", "#d"}));
  EXPECT_EQ(parameters("?1 :a @b $c #d", Dialect::sqlite), 5);
}

TEST(Lexer, LeavesPositionalParametersOfPostgresqlAlone) {
  const auto found = tokens("$1", Dialect::postgresql);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, TokenKind::other);
}

TEST(Lexer, NeedsASpaceBehindTwoDashesInMariadb) {
  EXPECT_EQ(texts("5--1", Dialect::mariadb), (Texts{"5", "-", "-", "1"}));
  EXPECT_EQ(texts("5-- 1", Dialect::mariadb), (Texts{"5"}));
}

TEST(Lexer, ShowsExecutableCommentsOfMariadb) {
  const auto found = tokens("/*!50000 DELETE */", Dialect::mariadb);
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0].kind, TokenKind::other);
}

TEST(Lexer, SurvivesAnyByte) {
  std::string text;
  for (int c = 0; c < 256; ++c) text += static_cast<char>(c);
  for (const Dialect d :
       {Dialect::generic, Dialect::sqlite, Dialect::postgresql, Dialect::mariadb}) {
    EXPECT_FALSE(tokens(text, d).empty());
  }
}

TEST(Identifier, FoldsUnquotedNamesOfPostgresqlOnly) {
  EXPECT_EQ(identifier(tokens("FooBar", Dialect::postgresql)[0], Dialect::postgresql), "foobar");
  EXPECT_EQ(identifier(tokens("FooBar", Dialect::sqlite)[0], Dialect::sqlite), "FooBar");
}

TEST(Identifier, RemovesQuotesAndDoubling) {
  EXPECT_EQ(identifier(tokens("\"A\"\"b\"", Dialect::postgresql)[0], Dialect::postgresql), "A\"b");
  EXPECT_EQ(identifier(tokens("[a b]", Dialect::sqlite)[0], Dialect::sqlite), "a b");
  EXPECT_EQ(identifier(tokens("`a``b`", Dialect::mariadb)[0], Dialect::mariadb), "a`b");
}

TEST(Identifier, CutsPostgresqlNamesAt63BytesWithoutSplittingACharacter) {
  const std::string name(62, 'a');
  const std::string text = "\"" + name + "\xc3\xa4\"";
  EXPECT_EQ(identifier(tokens(text, Dialect::postgresql)[0], Dialect::postgresql), name);
}

}  // namespace
}  // namespace understudy::sql
