// libFuzzer target for classify and analyze in every dialect.
// The first byte of the input chooses the dialect, the rest is the statement text. Besides not
// crashing, an analysis must keep the promises of analyzer.h.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "driver/sql/analyzer.h"
#include "driver/sql/lexer.h"

namespace {

using namespace understudy;

Catalog make_catalog(Dialect dialect) {
  Table table;
  table.schema = dialect == Dialect::postgresql ? "s" : "";
  table.name = "t";
  for (const char* name : {"id", "a", "b"}) {
    Column column;
    column.name = name;
    column.type = dialect == Dialect::mariadb ? "int(11)" : "integer";
    column.immutable_arithmetic = true;
    table.columns.push_back(column);
  }
  table.key = {0};
  Catalog out;
  out.dialect = dialect;
  if (dialect == Dialect::postgresql) out.search_path = {"s"};
  out.tables.push_back(table);
  return out;
}

void require(bool condition) {
  if (!condition) std::abort();
}

std::uint32_t markers(std::string_view text, Dialect dialect) {
  std::uint32_t count = 0;
  sql::Lexer lexer(text, dialect);
  std::size_t last = 0;
  for (sql::Token t = lexer.next(); t.kind != sql::TokenKind::end; t = lexer.next()) {
    require(t.offset >= last && t.offset + t.text.size() <= text.size() && !t.text.empty());
    last = t.offset + t.text.size();
    if (t.kind == sql::TokenKind::parameter) ++count;
  }
  return count;
}

void check(const sql::RowsQuery& query, const sql::Analysis& a, Dialect dialect) {
  require(query.table != nullptr && !query.columns.empty() && !query.shape.empty());
  require(query.key_count <= query.columns.size() && query.hint_at <= query.text.size());
  require(markers(query.text, dialect) == query.parameters.size());
  for (const std::uint32_t number : query.parameters) require(number < a.parameters);
  if (query.hint_at != 0) require(markers(query.explain, dialect) == a.parameters);
}

void check_parts(const sql::Analysis& a, Dialect dialect) {
  require(a.reason.empty() && a.counted_part < a.parts.size());
  require(markers(a.rewritten, dialect) == a.parameters);
  for (const sql::RowsPart& part : a.parts) {
    require(part.rows.table != nullptr && !part.rows.columns.empty() && !part.rows.shape.empty());
    require(part.rows.key_count <= part.rows.columns.size());
  }
}

void check(const sql::Analysis& a, std::string_view text, Dialect dialect) {
  require(a.parameters == markers(text, dialect));
  if (a.verdict != Verdict::keyed && a.verdict != Verdict::effects) {
    require(a.rewritten.empty() && a.rewritten_with_txid.empty() && a.key.empty());
    require(a.before.empty() && a.after.empty() && a.keeping.empty());
    require(a.parts.empty() && a.merges.empty());
    return;
  }
  if (!a.parts.empty()) return check_parts(a, dialect);
  require(a.table != nullptr && !a.columns.empty() && !a.shape.empty() && a.reason.empty());
  require(a.key_count <= a.columns.size());
  const bool asks = !a.before.empty() || !a.after.empty();
  const bool tells = !a.rewritten.empty() || !a.keeping.empty();
  require(tells || asks || a.verdict == Verdict::keyed);
  for (const std::string& own : {a.rewritten, a.keeping}) {
    if (!own.empty()) require(markers(own, dialect) == a.parameters);
  }
  for (const auto* queries : {&a.before, &a.after}) {
    for (const sql::RowsQuery& query : *queries) check(query, a, dialect);
  }
  require(a.key.size() == (a.verdict == Verdict::keyed ? a.key_count : 0));
  for (const KeyPart& part : a.key) {
    require(part.column < a.key_count);
    require(part.parameter ? *part.parameter < a.parameters : !part.literal.empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Catalog catalogs[] = {make_catalog(Dialect::generic), make_catalog(Dialect::sqlite),
                                     make_catalog(Dialect::postgresql),
                                     make_catalog(Dialect::mariadb)};
  if (size == 0) return 0;
  const Catalog& catalog = catalogs[data[0] % 4];
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  check(sql::analyze(text, catalog), text, catalog.dialect);
  return 0;
}
