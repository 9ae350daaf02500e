#include "journal/catalog.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace understudy {
namespace {

Catalog example() {
  Catalog catalog;
  catalog.dialect = Dialect::postgresql;
  catalog.search_path = {"app", "public"};
  catalog.shadow_connection = "DSN=shadow;Note=a\tb\\c\nd";
  catalog.deferrable_keys = "public.\"a key\", public.b";
  Table parent;
  parent.schema = "app";
  parent.name = "customer";
  Column id;
  id.name = "id";
  id.type = "bigint";
  id.nullable = false;
  id.identity = true;
  id.default_kind = DefaultKind::computed;
  id.sequence = "app.customer_id_seq";
  Column amount;
  amount.name = "amount";
  amount.type = "numeric(10,2)";
  amount.immutable_arithmetic = true;
  parent.columns = {id, amount};
  parent.key = {0};
  parent.unique_keys = {{1, 0}, {1}};
  parent.foreign_keys = {{"fk", "app", "region", {"amount", "id"}, {"a", "b"}, true}};
  parent.triggers = {"stamp"};
  parent.row_security = true;
  parent.by_effects = true;
  parent.partitioned = true;
  parent.deferrable = true;
  Table view;
  view.schema = "public";
  view.name = "customer";
  view.is_view = true;
  view.definition = "SELECT id\nFROM app.customer;";
  view.inherited = true;
  view.readable = false;
  view.rules = true;
  catalog.tables = {parent, view};
  return catalog;
}

TEST(Catalog, ReadsBackAsWritten) {
  const auto text = example().encode();
  const auto read = Catalog::decode(text);
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->encode(), text);
  EXPECT_EQ(read->shadow_connection, "DSN=shadow;Note=a\tb\\c\nd");
  const Table& table = read->tables.at(0);
  EXPECT_EQ(table.columns.at(0).sequence, "app.customer_id_seq");
  EXPECT_FALSE(table.columns.at(0).nullable);
  EXPECT_TRUE(table.columns.at(1).immutable_arithmetic);
  EXPECT_EQ(table.unique_keys.at(0), (std::vector<std::uint32_t>{1, 0}));
  EXPECT_EQ(table.foreign_keys.at(0).parent_columns, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(table.foreign_keys.at(0).cascades);
  EXPECT_TRUE(table.by_effects);
  EXPECT_TRUE(table.partitioned);
  EXPECT_TRUE(table.deferrable);
  EXPECT_FALSE(read->tables.at(1).deferrable);
  EXPECT_EQ(read->deferrable_keys, "public.\"a key\", public.b");
  EXPECT_FALSE(table.inherited);
  EXPECT_FALSE(read->tables.at(1).by_effects);
  EXPECT_TRUE(read->tables.at(1).is_view);
  EXPECT_EQ(read->tables.at(1).definition, "SELECT id\nFROM app.customer;");
  EXPECT_TRUE(read->tables.at(1).inherited);
  EXPECT_FALSE(read->tables.at(1).holds_rows());
  EXPECT_FALSE(read->tables.at(1).readable);
}

TEST(Catalog, CutAnywhereIsRefused) {
  const auto text = example().encode();
  for (std::size_t length = 0; length < text.size(); ++length) {
    EXPECT_FALSE(Catalog::decode(text.substr(0, length)).ok()) << length;
  }
}

TEST(Catalog, KeyOfAColumnThatIsNotThereIsRefused) {
  const auto read =
      Catalog::decode("understudy-catalog 1\ndialect\tsqlite\ntable\t\tt\t-\nkey\t0\nend\t1\n");
  EXPECT_EQ(read.status().code(), Code::corrupt);
}

TEST(Catalog, AnotherVersionIsUnsupported) {
  EXPECT_EQ(Catalog::decode("understudy-catalog 2\nend\t0\n").status().code(), Code::unsupported);
}

TEST(Catalog, UnqualifiedNameIsTheFirstOnTheSearchPath) {
  const auto catalog = example();
  const Table* table = catalog.find("", "customer");
  ASSERT_NE(table, nullptr);
  EXPECT_EQ(table->display_name(), "app.customer");
}

TEST(Catalog, QualifiedNameIsInItsSchemaOnly) {
  const auto catalog = example();
  EXPECT_EQ(catalog.find("public", "customer"), &catalog.tables[1]);
  EXPECT_EQ(catalog.find("other", "customer"), nullptr);
}

TEST(Catalog, UnqualifiedNameInTwoSchemasWithoutSearchPathIsInDoubt) {
  auto catalog = example();
  catalog.search_path.clear();
  EXPECT_EQ(catalog.find("", "customer"), nullptr);
}

TEST(Catalog, PostgresqlNamesAreComparedExactly) {
  EXPECT_EQ(example().find("app", "Customer"), nullptr);
}

TEST(Catalog, SqliteIgnoresCaseAndCallsItsSchemaMain) {
  Catalog catalog;
  catalog.dialect = Dialect::sqlite;
  catalog.tables.emplace_back().name = "Item";
  EXPECT_NE(catalog.find("", "ITEM"), nullptr);
  EXPECT_NE(catalog.find("main", "item"), nullptr);
  EXPECT_EQ(catalog.find("temp", "item"), nullptr);
}

TEST(Catalog, ColumnPrefersTheExactName) {
  Table table;
  table.columns.resize(3);
  table.columns[0].name = "ID";
  table.columns[1].name = "id";
  table.columns[2].name = "Name";
  EXPECT_EQ(table.column("id"), 1u);
  EXPECT_EQ(table.column("Id"), std::nullopt);
  EXPECT_EQ(table.column("name"), 2u);
}

TEST(Catalog, DialectFollowsTheDbmsName) {
  EXPECT_EQ(dialect_of_dbms("PostgreSQL"), Dialect::postgresql);
  EXPECT_EQ(dialect_of_dbms("SQLite"), Dialect::sqlite);
  EXPECT_EQ(dialect_of_dbms("MariaDB"), Dialect::mariadb);
  EXPECT_EQ(dialect_of_dbms("Oracle"), Dialect::generic);
}

TEST(Catalog, SavedFileIsNotForOthersAndLoads) {
  const auto folder =
      std::filesystem::path(testing::TempDir()) / ("catalog-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  const auto path = (folder / "catalog").string();
  ASSERT_TRUE(example().save(path).ok());
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0007, 0u);
  const auto loaded = Catalog::load(path);
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded->encode(), example().encode());
  EXPECT_EQ(Catalog::load(path + ".none").status().code(), Code::not_found);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace understudy
