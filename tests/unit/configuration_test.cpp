#include "driver/real/configuration.h"

#include <gtest/gtest.h>

#include <map>

namespace understudy::real {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

/// Ini files as "FILE/section/key" in place of libodbcinst.
class Files {
 public:
  Files& set(const std::string& place, const std::string& value) {
    values_[place] = value;
    return *this;
  }
  Result<Settings> read(const std::string& connect_text) const {
    return read_settings(
        connect_text, [this](const char* file, const std::string& section, const char* key) {
          const auto found = values_.find(std::string(file) + "/" + section + "/" + key);
          return found == values_.end() ? std::string() : found->second;
        });
  }

 private:
  std::map<std::string, std::string> values_;
};

Files shop() {
  return Files()
      .set("ODBC.INI/shop/Driver", "Understudy Unicode")
      .set("ODBC.INI/shop/RealDriver", "PostgreSQL Unicode");
}

TEST(ConnectText, IsPairsOfKeywordAndValue) {
  EXPECT_EQ(parse_connect_text("DSN=shop;UID=me;PWD="),
            (Pairs{{"DSN", "shop"}, {"UID", "me"}, {"PWD", ""}}));
}

TEST(ConnectText, LosesBlanksAroundKeywordsAndValues) {
  EXPECT_EQ(parse_connect_text(" DSN = shop ; Port= 5 "), (Pairs{{"DSN", "shop"}, {"Port", "5"}}));
}

TEST(ConnectText, TakesBracedValuesAsTheyAre) {
  EXPECT_EQ(parse_connect_text("DRIVER={A;B=1} ; PWD={x}}y} ;UID=z"),
            (Pairs{{"DRIVER", "A;B=1"}, {"PWD", "x}y"}, {"UID", "z"}}));
}

TEST(ConnectText, SkipsWhatIsNoPair) {
  EXPECT_EQ(parse_connect_text(";;junk;=x;A=1;tail"), (Pairs{{"A", "1"}}));
}

TEST(ConnectText, EndsWithAnOpenBrace) {
  EXPECT_EQ(parse_connect_text("A={open"), (Pairs{{"A", "open"}}));
  EXPECT_EQ(parse_connect_text("A={"), (Pairs{{"A", ""}}));
}

TEST(ConnectText, ComesBackFromItsThreeParts) {
  for (const std::string part : {"plain", "semi;colon", "bra}ce", " blank ", "{", "a=b"}) {
    const auto pairs = parse_connect_text(make_connect_text(part, part, part));
    EXPECT_EQ(pairs, (Pairs{{"DSN", part}, {"UID", part}, {"PWD", part}}));
  }
}

TEST(Settings, ComeFromTheDataSource) {
  const auto settings = shop().set("ODBC.INI/shop/Migration", "move").read("DSN=shop");
  ASSERT_TRUE(settings.ok()) << settings.status().message();
  EXPECT_EQ(settings->real_driver, "PostgreSQL Unicode");
  EXPECT_EQ(settings->migration, "move");
}

TEST(Settings, NameTheMigrationAfterTheDataSource) {
  EXPECT_EQ(shop().read("DSN=shop")->migration, "shop");
}

TEST(Settings, HaveNoMigrationWithoutADataSource) {
  EXPECT_EQ(Files().read("Driver=x;RealDriver=y")->migration, "");
}

TEST(Settings, PreferTheConnectionString) {
  const auto settings = shop().read("DSN=shop;realdriver={other};ORDER=Window");
  EXPECT_EQ(settings->real_driver, "other");
  EXPECT_EQ(settings->order, "window");
}

TEST(Settings, FallBackToTheSectionOfTheDriver) {
  Files files;
  files.set("ODBCINST.INI/Understudy Unicode/RealDriver", "SQLite3");
  EXPECT_EQ(files.read("DRIVER={Understudy Unicode};Database=x")->real_driver, "SQLite3");
  files.set("ODBC.INI/shop/Driver", "Understudy Unicode");
  EXPECT_EQ(files.read("DSN=shop")->real_driver, "SQLite3");
}

TEST(Settings, UseTheDefaultSectionAsTheDriverManagerDoes) {
  Files files;
  files.set("ODBC.INI/DEFAULT/Driver", "Understudy Unicode")
      .set("ODBC.INI/DEFAULT/RealDriver", "x");
  EXPECT_EQ(files.read("UID=me")->real_driver, "x");
  EXPECT_EQ(files.read("DSN=unknown")->real_driver, "x");
}

TEST(Settings, HaveDefaults) {
  const auto settings = shop().read("DSN=shop");
  EXPECT_EQ(settings->order, "exact");
  EXPECT_EQ(settings->on_full, "wait");
  EXPECT_EQ(settings->durability, "process");
}

TEST(Settings, SayWhereTheRealDriverIsToBeNamed) {
  const auto settings = Files().set("ODBC.INI/shop/Driver", "Understudy Unicode").read("DSN=shop");
  ASSERT_FALSE(settings.ok());
  EXPECT_EQ(settings.status().code(), Code::not_found);
  EXPECT_NE(settings.status().message().find("[shop] of odbc.ini"), std::string::npos);
}

TEST(Settings, RefuseValuesThatAreNoChoice) {
  const auto settings = shop().read("DSN=shop;OnFull=panic");
  ASSERT_FALSE(settings.ok());
  EXPECT_EQ(settings.status().code(), Code::invalid);
  EXPECT_NE(settings.status().message().find("wait or invalidate"), std::string::npos);
}

TEST(Settings, NeverRepeatThePasswordInAMessage) {
  const auto settings = Files().read("DSN=shop;PWD=secret;Order=secret");
  ASSERT_FALSE(settings.ok());
  EXPECT_EQ(settings.status().message().find("secret"), std::string::npos);
}

TEST(Settings, RefuseAStringBeyondTheLimit) {
  EXPECT_FALSE(shop().read(std::string(kConnectTextBytesMax + 1, 'x')).ok());
}

}  // namespace
}  // namespace understudy::real
