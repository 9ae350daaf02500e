// migration.toml: what is written is what is read, and which tables are recorded by their rows.
#include "replayer/migration/settings.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "replayer/migration/failure.h"

namespace understudy {
namespace {

class SettingsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/understudy-settings-XXXXXX";
    ASSERT_NE(::mkdtemp(path), nullptr);
    home_ = {path, "m"};
    std::filesystem::create_directory(home_.folder());
  }
  void TearDown() override { std::filesystem::remove_all(home_.root); }

  Settings read(const std::string& more) const {
    std::ofstream(home_.settings()) << "production = 'p'\nshadow = 's'\n" << more;
    return load_settings(home_);
  }

  Home home_;
};

Catalog two_tables() {
  Catalog out;
  out.dialect = Dialect::postgresql;
  out.tables.resize(2);
  out.tables[0].schema = out.tables[1].schema = "public";
  out.tables[0].name = "a";
  out.tables[1].name = "b";
  return out;
}

Catalog of(Dialect dialect) {
  Catalog out;
  out.dialect = dialect;
  return out;
}

TEST_F(SettingsTest, RecordOfEffectsIsForAllTables) {
  const Settings settings = read("record = 'effects'\n");
  Catalog catalog = two_tables();
  EXPECT_TRUE(mark_by_effects(settings, of(Dialect::postgresql), &catalog).empty());
  EXPECT_TRUE(catalog.tables[0].by_effects && catalog.tables[1].by_effects);
}

TEST_F(SettingsTest, RecordOfEffectsIsForTheTablesNamed) {
  const Settings settings = read("[record]\n'public.b' = 'effects'\n'public.a' = 'statements'\n");
  Catalog catalog = two_tables();
  EXPECT_TRUE(mark_by_effects(settings, of(Dialect::postgresql), &catalog).empty());
  EXPECT_FALSE(catalog.tables[0].by_effects);
  EXPECT_TRUE(catalog.tables[1].by_effects);
}

TEST_F(SettingsTest, ATableThatProductionLacksIsNamed) {
  const Settings settings = read("[record]\n'public.c' = 'effects'\n");
  Catalog catalog = two_tables();
  EXPECT_EQ(mark_by_effects(settings, of(Dialect::postgresql), &catalog),
            std::vector<std::string>{"public.c"});
}

TEST_F(SettingsTest, AnotherEngineMeansEffectsForAllTables) {
  Catalog catalog = two_tables();
  mark_by_effects(read(""), of(Dialect::mariadb), &catalog);
  EXPECT_TRUE(catalog.tables[0].by_effects && catalog.tables[1].by_effects);
}

TEST_F(SettingsTest, AnUnknownEngineMeansEffectsUnlessToldOtherwise) {
  Catalog catalog = two_tables();
  catalog.dialect = Dialect::generic;
  mark_by_effects(read(""), of(Dialect::generic), &catalog);
  EXPECT_TRUE(catalog.tables[0].by_effects && catalog.tables[1].by_effects);
  mark_by_effects(read("[record]\n'public.a' = 'statements'\n"), of(Dialect::generic), &catalog);
  EXPECT_TRUE(!catalog.tables[0].by_effects && catalog.tables[1].by_effects);
  mark_by_effects(read("record = 'statements'\n"), of(Dialect::generic), &catalog);
  EXPECT_TRUE(!catalog.tables[0].by_effects && !catalog.tables[1].by_effects);
}

TEST_F(SettingsTest, TwoUnknownEnginesMeanEffectsWhateverIsSaid) {
  Catalog catalog = two_tables();
  catalog.dialect = Dialect::generic;
  catalog.engine.name = "one";
  mark_by_effects(read("record = 'statements'\n"), of(Dialect::generic), &catalog);
  EXPECT_TRUE(catalog.tables[0].by_effects && catalog.tables[1].by_effects);
}

TEST_F(SettingsTest, TheDialectIsForcedByAWord) {
  EXPECT_FALSE(read("").generic);
  EXPECT_TRUE(read("dialect = 'generic'\n").generic);
  EXPECT_THROW(read("dialect = 'oracle'\n"), Failure);
}

TEST_F(SettingsTest, AnotherWordIsRefused) {
  for (const char* text : {"record = 'rows'\n", "record = 1\n", "[record]\na = 'rows'\n"}) {
    EXPECT_THROW(read(text), Failure) << text;
  }
}

TEST_F(SettingsTest, KeyOfTheJournalIsReadAsItWasWritten) {
  Settings all;
  all.production = all.shadow = "DSN=x";
  all.journal_key.file = "/keys";
  save_settings(home_, all);
  EXPECT_EQ(load_settings(home_).journal_key.file, "/keys");
  all.journal_key = {{}, {"/bin/cat", "a 'b'"}};
  save_settings(home_, all);
  EXPECT_EQ(load_settings(home_).journal_key.command, all.journal_key.command);
}

TEST_F(SettingsTest, KeyOfTheJournalThatCannotBeUnderstoodIsNotTakenForNone) {
  for (const char* text :
       {"journal_key_file = ''\n", "journal_key_file = 1\n", "journal_key_command = []\n",
        "journal_key_command = 'cat x'\n", "journal_key_command = ['cat', 1]\n",
        "journal_key_file = 'a'\njournal_key_command = ['b']\n"}) {
    EXPECT_THROW(read(text), Failure) << text;
  }
}

TEST_F(SettingsTest, RecordIsReadAsItWasWritten) {
  Settings all;
  all.production = all.shadow = "DSN=x";
  all.record_effects = true;
  save_settings(home_, all);
  EXPECT_TRUE(load_settings(home_).record_effects);
  all.record_effects = false;
  all.tables_by_effects = {"public.a"};
  save_settings(home_, all);
  EXPECT_FALSE(load_settings(home_).record_effects);
  EXPECT_EQ(load_settings(home_).tables_by_effects, all.tables_by_effects);
  all.generic = all.record_statements = true;
  save_settings(home_, all);
  EXPECT_TRUE(load_settings(home_).generic && load_settings(home_).record_statements);
}

}  // namespace
}  // namespace understudy
