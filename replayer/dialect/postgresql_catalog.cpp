#include "replayer/dialect/postgresql_catalog.h"

#include <array>
#include <cctype>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "replayer/dialect/sql_text.h"

namespace understudy {
namespace {

constexpr std::string_view kTables = R"(
SELECT c.oid::text, n.nspname::text, c.relname::text, (c.relkind NOT IN ('r', 'p'))::text,
  (has_schema_privilege(n.oid, 'USAGE') AND NOT EXISTS (
    SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      AND NOT has_column_privilege(c.oid, a.attnum, 'SELECT')))::text,
  c.relrowsecurity::text,
  EXISTS (SELECT 1 FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN')::text,
  (c.relkind = 'p')::text,
  (c.relkind = 'r' AND EXISTS (SELECT 1 FROM pg_inherits i WHERE i.inhparent = c.oid))::text,
  CASE WHEN c.relkind = 'v' AND pg_relation_is_updatable(c.oid, false) & 28 = 28
    THEN pg_get_viewdef(c.oid) END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
  AND left(n.nspname, 3) <> 'pg_' AND n.nspname <> 'information_schema'
  AND c.relname <> 'understudy_position'
  AND NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.classid = 'pg_class'::regclass
    AND e.objid = c.oid AND e.deptype = 'e')
ORDER BY n.nspname, c.relname)";

// Types with their schemas, whatever is looked for where: format_type() leaves out those that are
// found without, which a session's search path need not have. Of an array its elements' decides.
constexpr std::string_view kColumns = R"(
SELECT a.attrelid::text, a.attnum::text, a.attname::text,
  CASE WHEN e.typnamespace <> 'pg_catalog'::regnamespace AND pg_type_is_visible(e.oid)
    THEN quote_ident(n.nspname) || '.' ELSE '' END || format_type(a.atttypid, a.atttypmod),
  (a.attnotnull OR t.typnotnull)::text, (a.attgenerated <> '')::text, (a.attidentity <> '')::text,
  coalesce(pg_get_expr(d.adbin, d.adrelid), pg_get_expr(t.typdefaultbin, 0))
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid
  JOIN pg_type e ON e.oid = CASE WHEN t.typtype = 'b' AND t.typlen = -1 AND t.typelem <> 0
    THEN t.typelem ELSE t.oid END
  JOIN pg_namespace n ON n.oid = e.typnamespace
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY a.attrelid, a.attnum)";

constexpr std::string_view kKeys = R"(
SELECT i.indrelid::text, i.indexrelid::text, i.indisprimary::text, k.attnum::text
FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
  AND k.place <= i.indnkeyatts
ORDER BY i.indrelid, i.indexrelid, k.place)";

constexpr std::string_view kForeignKeys = R"(
SELECT c.conrelid::text, c.oid::text, c.conname::text, n.nspname::text, p.relname::text,
  a.attname::text, b.attname::text,
  (c.confdeltype IN ('c', 'n', 'd') OR c.confupdtype IN ('c', 'n', 'd'))::text
FROM pg_constraint c JOIN pg_class p ON p.oid = c.confrelid
  JOIN pg_namespace n ON n.oid = p.relnamespace
  CROSS JOIN LATERAL unnest(c.conkey, c.confkey) WITH ORDINALITY AS k(child, parent, place)
  JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.child
  JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = k.parent
WHERE c.contype = 'f'
ORDER BY c.conrelid, c.oid, k.place)";

// Those of a partition act on what is written through its parent, too.
constexpr std::string_view kTriggers = R"(
WITH RECURSIVE family AS (
  SELECT oid AS root, oid AS member FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
  UNION SELECT f.root, i.inhrelid FROM family f JOIN pg_inherits i ON i.inhparent = f.member)
SELECT DISTINCT f.root::text, t.tgname::text
FROM family f JOIN pg_trigger t ON t.tgrelid = f.member WHERE NOT t.tgisinternal
ORDER BY 1, 2)";

// Keys that may be deferred, with both tables of a foreign key.
constexpr std::string_view kDeferrable = R"(
SELECT conrelid::text, confrelid::text FROM pg_constraint
WHERE condeferrable AND contype IN ('p', 'u', 'x', 'f'))";

// By name where ALL would be triggers, too. A check that fails is taken back by a block of
// PL/pgSQL.
constexpr std::string_view kDeferrableKeys = R"(
SELECT CASE WHEN bool_or(c.contype = 't') THEN
  string_agg(DISTINCT format('%I.%I', n.nspname, c.conname), ', ') FILTER (WHERE c.contype <> 't')
  ELSE 'ALL' END
FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
WHERE c.condeferrable AND c.contype IN ('p', 'u', 'x', 'f', 't') AND EXISTS (
  SELECT 1 FROM pg_language l WHERE l.lanname = 'plpgsql'
    AND has_language_privilege('public', l.oid, 'USAGE'))
  AND strpos(n.nspname || '.' || c.conname, '$understudy$') = 0
HAVING bool_or(c.contype <> 't'))";

// Sequences by ownership (serial, IDENTITY) or because a default calls them.
constexpr std::string_view kSequences = R"(
WITH feeds AS (
  SELECT p.objid AS sequence, p.refobjid AS relation, p.refobjsubid AS attribute FROM pg_depend p
  WHERE p.classid = 'pg_class'::regclass AND p.refclassid = 'pg_class'::regclass
    AND p.deptype IN ('a', 'i') AND p.refobjsubid > 0
  UNION
  SELECT p.refobjid, d.adrelid, d.adnum FROM pg_depend p JOIN pg_attrdef d ON d.oid = p.objid
  WHERE p.classid = 'pg_attrdef'::regclass AND p.refclassid = 'pg_class'::regclass)
SELECT f.relation::text, f.attribute::text, format('%I.%I', n.nspname, s.relname)
FROM feeds f JOIN pg_class s ON s.oid = f.sequence JOIN pg_namespace n ON n.oid = s.relnamespace
WHERE s.relkind = 'S'
ORDER BY f.relation, f.attribute, 3)";

bool yes(const odbc::OptionalText& value) {
  return value == "true";
}

bool immutable_arithmetic(std::string_view type) {
  static const std::set<std::string_view> kTypes = {
      "smallint", "integer",          "bigint", "numeric",
      "real",     "double precision", "text",   "character varying"};
  return kTypes.contains(type.substr(0, type.find('(')));
}

// Collects the tables by oid while the queries are read.
class Reader {
 public:
  explicit Reader(odbc::Connection& db) : db_(db) {}

  Catalog read() {
    catalog_.dialect = Dialect::postgresql;
    for (const auto& row : read_rows(db_, "SELECT unnest(current_schemas(false))::text")) {
      catalog_.search_path.push_back(row[0].value_or(""));
    }
    read_tables();
    read_columns();
    read_sequences();
    read_keys();
    read_foreign_keys();
    read_deferrable();
    for (const auto& row : read_rows(db_, kTriggers)) {
      if (auto* table = find(row[0])) table->triggers.push_back(*row[1]);
    }
    return std::move(catalog_);
  }

 private:
  Table* find(const odbc::OptionalText& oid) {
    const auto found = by_oid_.find(*oid);
    return found == by_oid_.end() ? nullptr : &catalog_.tables[found->second];
  }

  // Null when the attribute is no column any more (or a system column).
  const std::uint32_t* ordinal(const odbc::OptionalText& oid, const odbc::OptionalText& attribute) {
    const auto found = ordinals_.find({*oid, *attribute});
    return found == ordinals_.end() ? nullptr : &found->second;
  }

  void read_tables() {
    for (const auto& row : read_rows(db_, kTables)) {
      by_oid_[*row[0]] = catalog_.tables.size();
      auto& table = catalog_.tables.emplace_back();
      table.schema = *row[1];
      table.name = *row[2];
      table.is_view = yes(row[3]);
      table.readable = yes(row[4]);
      table.row_security = yes(row[5]);
      table.rules = yes(row[6]);
      table.partitioned = yes(row[7]);
      table.inherited = yes(row[8]);
      table.definition = row[9].value_or("");
    }
  }

  void read_columns() {
    for (const auto& row : read_rows(db_, kColumns)) {
      auto* table = find(row[0]);
      if (table == nullptr) continue;
      ordinals_[{*row[0], *row[1]}] = static_cast<std::uint32_t>(table->columns.size());
      auto& column = table->columns.emplace_back();
      column.name = *row[2];
      column.type = row[3].value_or("");
      column.nullable = !yes(row[4]);
      column.generated = yes(row[5]);
      column.immutable_arithmetic = immutable_arithmetic(column.type);
      const std::string expression = row[7].value_or("");
      column.identity = yes(row[6]) || expression.starts_with("nextval(");
      if (column.identity || column.generated) {
        column.default_kind = DefaultKind::computed;
      } else if (!expression.empty()) {
        column.default_kind = postgresql_default_kind(expression);
      }
    }
  }

  void read_sequences() {
    for (const auto& row : read_rows(db_, kSequences)) {
      auto* table = find(row[0]);
      const auto* place = ordinal(row[0], row[1]);
      if (table == nullptr || place == nullptr) continue;
      auto& column = table->columns[*place];
      if (column.identity && column.sequence.empty()) column.sequence = *row[2];
    }
  }

  void read_keys() {
    std::string index;
    for (const auto& row : read_rows(db_, kKeys)) {
      auto* table = find(row[0]);
      const auto* place = ordinal(row[0], row[3]);
      if (table == nullptr || place == nullptr) continue;
      const bool primary = yes(row[2]);
      if (!primary && index != *row[1]) table->unique_keys.emplace_back();
      index = *row[1];
      (primary ? table->key : table->unique_keys.back()).push_back(*place);
    }
  }

  void read_foreign_keys() {
    std::string constraint;
    for (const auto& row : read_rows(db_, kForeignKeys)) {
      auto* table = find(row[0]);
      if (table == nullptr) continue;
      if (constraint != *row[1]) {
        auto& key = table->foreign_keys.emplace_back();
        key.name = *row[2];
        key.parent_schema = *row[3];
        key.parent_table = *row[4];
        key.cascades = yes(row[7]);
      }
      constraint = *row[1];
      table->foreign_keys.back().columns.push_back(*row[5]);
      table->foreign_keys.back().parent_columns.push_back(*row[6]);
    }
  }

  // A row that a foreign key changes or removes may be of such a table, too.
  void read_deferrable() {
    catalog_.deferrable_keys = db_.scalar(std::string(kDeferrableKeys)).value_or("");
    for (const auto& row : read_rows(db_, kDeferrable)) {
      for (const auto& oid : row) {
        if (auto* table = find(oid)) table->deferrable = true;
      }
    }
    for (bool more = true; std::exchange(more, false);) {
      for (const Table& child : catalog_.tables) {
        for (const ForeignKey& key : child.foreign_keys) {
          if (!child.deferrable || !key.cascades) continue;
          for (Table& parent : catalog_.tables) {
            if (parent.schema != key.parent_schema || parent.name != key.parent_table) continue;
            more = more || !parent.deferrable;
            parent.deferrable = true;
          }
        }
      }
    }
  }

  odbc::Connection& db_;
  Catalog catalog_;
  std::map<std::string, std::size_t> by_oid_;
  std::map<std::pair<std::string, std::string>, std::uint32_t> ordinals_;  // (oid, attnum)
};

bool digit(char c) {
  return c >= '0' && c <= '9';
}

// Moves past a literal at the start; false when there is none.
bool skip_literal(std::string_view& text) {
  if (text.empty()) return false;
  if (text.front() == '\'') {
    for (std::size_t i = 1; i < text.size(); ++i) {
      if (text[i] != '\'') continue;
      if (i + 1 < text.size() && text[i + 1] == '\'') {
        ++i;
        continue;
      }
      text.remove_prefix(i + 1);
      return true;
    }
    return false;
  }
  for (const std::string_view word : {"NULL", "true", "false"}) {
    if (!text.starts_with(word)) continue;
    text.remove_prefix(word.size());
    return true;
  }
  std::size_t end = text.front() == '-' ? 1 : 0;
  const std::size_t first = end;
  while (end < text.size() && (digit(text[end]) || text[end] == '.')) ++end;
  text.remove_prefix(end);
  return end > first;
}

bool is_type_name(std::string_view text) {
  for (const char c : text) {
    const bool word = std::isalnum(static_cast<unsigned char>(c)) != 0;
    if (!word && std::string_view("_ .\"(),[]").find(c) == std::string_view::npos) return false;
  }
  return !text.empty();
}

}  // namespace

DefaultKind postgresql_default_kind(std::string_view expression) {
  auto rest = expression;
  if (rest.starts_with("(-") && rest.find(')') != std::string_view::npos) {
    auto number = rest.substr(1, rest.find(')') - 1);
    if (!skip_literal(number) || !number.empty()) return DefaultKind::computed;
    rest.remove_prefix(rest.find(')') + 1);
  } else if (rest.starts_with("E'") || !skip_literal(rest)) {
    return DefaultKind::computed;
  }
  if (rest.empty()) return DefaultKind::constant;
  if (!rest.starts_with("::")) return DefaultKind::computed;
  return is_type_name(rest.substr(2)) ? DefaultKind::constant : DefaultKind::computed;
}

Catalog read_postgresql_catalog(odbc::Connection& db) {
  return Reader(db).read();
}

}  // namespace understudy
