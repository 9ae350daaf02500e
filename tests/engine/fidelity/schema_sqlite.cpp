// What of SQLite's tables no other engine has.
#include "tests/engine/fidelity/generator.h"

namespace fidelity {
namespace {

constexpr int kColumns = 5;  // of a table of any value

/// Whatever the column is declared as: SQLite stores what it is given.
std::string anything(Random& random) {
  switch (random.below(8)) {
    case 0:
      return random.pick({"9223372036854775807", "-9223372036854775808", "9223372036854775808"});
    case 1:
      return random.pick({"1.0", "0.1", "-0.0", "1e300", "9e999", "12345678901234567890.5"});
    case 2:
      return random.pick({"'12'", "'1e3'", "' 7'", "'0x10'", "'3.0'", "'9999999999999999999'"});
    case 3:
      return random.pick({"x''", "x'00ff'", "x'3132'", "zeroblob(9)", "randomblob(6)"});
    case 4:
      return "'" + word(random) + "'";
    case 5:
      return random.pick({"random()", "datetime('now')", "CURRENT_TIMESTAMP", "julianday('now')"});
    case 6:
      return random.chance(5) ? "zeroblob(20000)" : "hex(randomblob(2))";
    default:
      return std::to_string(random.below(50));
  }
}

std::string cased_key(Random& random) {
  return "'" + random.pick({"k", "K", "ä", "Ä"}) + std::to_string(1 + random.below(kKeysMax / 2)) +
         "'";
}

std::string mixed_key(Random& random) {
  const std::string number = std::to_string(1 + random.below(12));
  switch (random.below(4)) {
    case 0:
      return number + ".5";
    case 1:
      return "'" + number + "'";
    case 2:
      return "x'3" + std::to_string(random.below(9)) + "'";
    default:
      return number;
  }
}

std::string key_or_null(Random& random) {
  return random.chance(30) ? "NULL" : "'k" + std::to_string(random.below(kKeysMax)) + "'";
}

Column number() {
  Column out;
  out.name = "c0";
  out.kind = Kind::integer;
  return out;
}

Table table(const char* name, Key key) {
  Table out;
  out.name = name;
  out.key = key;
  if (key != Key::none) out.key_columns.emplace_back("id");
  if (key == Key::pair) out.key_columns.emplace_back("part");
  out.columns.push_back(number());
  return out;
}

void add_columns(Table* table, int count, Random& random) {
  static const std::vector<std::string> types = {"INTEGER", "TEXT",        "REAL", "BLOB",
                                                 "NUMERIC", "VARCHAR(10)", "",     "DOUBLE"};
  for (int i = 1; i <= count; ++i) {
    Column column;
    column.name = "\"w " + std::to_string(i) + "\"";
    column.type = random.of(types);
    if (column.type.empty()) column.type = " ";
    column.literal = anything;
    table->columns.push_back(std::move(column));
  }
}

Table any_value(Random& random) {
  Table out = table("\"any value\"", Key::generated);
  out.key_type = "INTEGER PRIMARY KEY AUTOINCREMENT";
  add_columns(&out, kColumns, random);
  out.unique = "u";
  out.rest =
      "twice INT GENERATED ALWAYS AS (c0 * 2) STORED, shown TEXT AS ('<' || c0 || '>') VIRTUAL";
  return out;
}

Table with_tail(const char* name, Key key, const char* type, std::string (*literal)(Random&),
                bool rowid, Random& random) {
  Table out = table(name, key);
  out.key_type = type;
  out.key_literal = literal;
  if (!rowid) out.tail = " WITHOUT ROWID";
  add_columns(&out, 2, random);
  return out;
}

/// A key that may be NULL tells no rows apart.
Table null_keys(Random& random) {
  Table out = table("\"null keys\"", Key::none);
  Column key;
  key.name = "k";
  key.type = "TEXT UNIQUE";
  key.literal = key_or_null;
  out.columns.push_back(key);
  add_columns(&out, 1, random);
  return out;
}

void add_watched(Schema* schema) {
  Table watched = table("watched", Key::chosen);
  watched.columns.push_back(number());
  watched.columns.back().name = "c1";
  schema->tables.push_back(watched);
  schema->before.emplace_back(
      "CREATE TABLE noted (id INTEGER PRIMARY KEY, inserted INT DEFAULT 0, updated INT DEFAULT 0,"
      " gone INT DEFAULT 0)");
  const auto trigger = [&](const std::string& name, const std::string& event,
                           const std::string& row, const std::string& column) {
    schema->after.push_back("CREATE TRIGGER " + name + " AFTER " + event +
                            " ON watched BEGIN INSERT INTO noted (id, " + column + ") VALUES (" +
                            row + ".id, 1) ON CONFLICT (id) DO UPDATE SET " + column + " = " +
                            column + " + 1; END");
  };
  trigger("comes", "INSERT", "new", "inserted");
  trigger("stays", "UPDATE", "new", "updated");
  trigger("goes", "DELETE", "old", "gone");
}

}  // namespace

void widen_sqlite(Schema* schema, Random& random) {
  schema->tables.push_back(any_value(random));
  schema->tables.push_back(
      with_tail("\"no rowid\"", Key::text, "TEXT COLLATE NOCASE", cased_key, false, random));
  const char* type = random.chance(50) ? "NUMERIC" : "BLOB";
  schema->tables.push_back(
      with_tail("\"odd pair\"", Key::pair, type, mixed_key, random.chance(50), random));
  schema->tables.push_back(
      with_tail("cased", Key::text, "TEXT COLLATE NOCASE", cased_key, true, random));
  schema->tables.push_back(null_keys(random));
  add_watched(schema);
  schema->after.emplace_back(
      "CREATE UNIQUE INDEX of_some ON \"no rowid\" (c0) WHERE c0 BETWEEN 0 AND 60");
  schema->after.emplace_back("CREATE UNIQUE INDEX of_text ON cased (lower(\"w 1\")) WHERE c0 < 0");
  schema->after.emplace_back("CREATE VIEW shown AS SELECT id, c0 FROM watched");
  schema->after.emplace_back(
      "CREATE TRIGGER shown_in INSTEAD OF INSERT ON shown BEGIN INSERT OR REPLACE INTO watched (id,"
      " c0) VALUES (new.id, new.c0); END");
}

}  // namespace fidelity
