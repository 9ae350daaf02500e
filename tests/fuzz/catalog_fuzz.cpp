// libFuzzer target for the catalog's file: what is read is written the same again.
#include <cstdlib>
#include <vector>

#include "journal/catalog.h"
#include "tests/fuzz/patched.h"

namespace {

using namespace understudy;

std::string well_formed() {
  Table table;
  table.schema = "public";
  table.name = "t\t\"";
  for (const char* name : {"id", "note"}) {
    Column column;
    column.name = name;
    column.type = "integer";
    table.columns.push_back(column);
  }
  table.key = {0};
  table.unique_keys = {{1}};
  table.triggers = {"g"};
  table.by_effects = true;
  Catalog out;
  out.dialect = Dialect::postgresql;
  out.search_path = {"public"};
  out.tables.push_back(table);
  return out.encode();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string whole = well_formed();
  const auto read = Catalog::decode(fuzz::patched(whole, {data, size}));
  if (!read.ok()) return 0;
  for (const Table& table : read->tables) {
    for (const std::uint32_t ordinal : table.key) {
      if (ordinal >= table.columns.size()) std::abort();
    }
    for (const auto& key : table.unique_keys) {
      for (const std::uint32_t ordinal : key) {
        if (ordinal >= table.columns.size()) std::abort();
      }
    }
  }
  const std::string written = read->encode();
  const auto again = Catalog::decode(written);
  if (!again.ok() || again->encode() != written) std::abort();
  return 0;
}
