#include "driver/real/wide.h"

#include <gtest/gtest.h>

#include <random>

namespace understudy::real {
namespace {

const SQLWCHAR* units(const std::u16string& text) {
  return reinterpret_cast<const SQLWCHAR*>(text.data());
}

std::string narrow(const std::u16string& text) {
  return *to_utf8(units(text), static_cast<SQLLEN>(text.size()));
}

TEST(Wide, ConvertsEveryLengthOfCharacterBothWays) {
  const std::u16string text = u"a\u00e9\u20ac\U0001F600z";
  EXPECT_EQ(narrow(text), "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z");
  EXPECT_EQ(to_utf16("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z"), text);
}

TEST(Wide, ReadsUpToTheTerminatingZero) {
  const std::u16string text = u"ab";
  EXPECT_EQ(*to_utf8(reinterpret_cast<const SQLWCHAR*>(text.c_str()), SQL_NTS), "ab");
}

TEST(Wide, KeepsZerosInsideAGivenLength) {
  const std::u16string text(u"a\0b", 3);
  EXPECT_EQ(narrow(text), std::string("a\0b", 3));
  EXPECT_EQ(to_utf16(std::string_view("a\0b", 3)), text);
}

TEST(Wide, TakesANullPointerForTheEmptyText) {
  EXPECT_EQ(*to_utf8(nullptr, SQL_NTS), "");
  EXPECT_EQ(*to_utf8(nullptr, 10), "");
}

TEST(Wide, RefusesLoneSurrogates) {
  for (const std::u16string& text :
       {std::u16string{0xD800}, std::u16string{0xDC00, u'a'}, std::u16string{0xD800, 0xD800},
        std::u16string{u'a', 0xDFFF}}) {
    EXPECT_EQ(to_utf8(units(text), static_cast<SQLLEN>(text.size())).status().code(),
              Code::invalid);
  }
}

TEST(Wide, RefusesLengthsThatCannotBe) {
  const std::u16string text = u"abc";
  EXPECT_FALSE(to_utf8(units(text), -5).ok());
  EXPECT_FALSE(to_utf8(units(text), static_cast<SQLLEN>(kWideUnitsMax) + 1).ok());
}

TEST(Wide, ReplacesBytesThatAreNotUtf8) {
  EXPECT_EQ(to_utf16("a\xFFz"), u"a\uFFFDz");
  EXPECT_EQ(to_utf16("\xC0\x80"), u"\uFFFD\uFFFD");                      // overlong zero
  EXPECT_EQ(to_utf16("\xED\xA0\x80"), u"\uFFFD\uFFFD\uFFFD");            // a surrogate
  EXPECT_EQ(to_utf16("\xE2\x82"), u"\uFFFD\uFFFD");                      // cut in the middle
  EXPECT_EQ(to_utf16("\xF4\x90\x80\x80"), u"\uFFFD\uFFFD\uFFFD\uFFFD");  // beyond Unicode
}

TEST(Wide, ComesBackUnchangedForRandomTexts) {
  const char* set = std::getenv("UNDERSTUDY_SEED");
  const std::uint64_t seed = set ? std::strtoull(set, nullptr, 10) : std::random_device{}();
  SCOPED_TRACE("UNDERSTUDY_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 2000; ++round) {
    std::u16string text;
    for (std::uint64_t i = random() % 40; i > 0; --i) {
      const auto c = static_cast<char32_t>(random() % 0x110000);
      if (c >= 0xD800 && c <= 0xDFFF) continue;
      if (c < 0x10000) {
        text.push_back(static_cast<char16_t>(c));
      } else {
        text.push_back(static_cast<char16_t>(0xD800 + ((c - 0x10000) >> 10)));
        text.push_back(static_cast<char16_t>(0xDC00 + ((c - 0x10000) & 0x3FF)));
      }
    }
    ASSERT_EQ(to_utf16(narrow(text)), text);
  }
}

TEST(Wide, CopiesAsMuchAsFitsAndTellsTheWholeLength) {
  SQLWCHAR out[4] = {9, 9, 9, 9};
  EXPECT_EQ(copy_wide(u"abcde", out, 4), 5u);
  EXPECT_EQ(out[2], u'c');
  EXPECT_EQ(out[3], 0);
}

TEST(Wide, NeverCutsASurrogatePairInTwo) {
  SQLWCHAR out[3] = {9, 9, 9};
  EXPECT_EQ(copy_wide(u"a\U0001F600", out, 3), 3u);
  EXPECT_EQ(out[0], u'a');
  EXPECT_EQ(out[1], 0);
}

TEST(Wide, CopiesNothingWithoutRoom) {
  SQLWCHAR out[1] = {9};
  EXPECT_EQ(copy_wide(u"ab", out, 0), 2u);
  EXPECT_EQ(out[0], 9);
  EXPECT_EQ(copy_wide(u"ab", nullptr, 10), 2u);
}

TEST(Wide, KeepsANullArgumentNull) {
  const NarrowText text(nullptr, SQL_NTS);
  EXPECT_EQ(text.data(), nullptr);
  EXPECT_EQ(text.length(), 0);
}

TEST(Wide, GivesLongTextsWithoutALengthToEntriesWithShortLengths) {
  const std::u16string long_text(40000, u'x');
  EXPECT_EQ(NarrowText(units(long_text), 40000).short_length(), SQL_NTS);
  EXPECT_EQ(NarrowText(units(long_text), 40000).length(), 40000);
}

}  // namespace
}  // namespace understudy::real
