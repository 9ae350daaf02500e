#include "tests/engine/fidelity/generator.h"
#include "tests/engine/fidelity/postgresql.h"

namespace fidelity {
namespace {

std::string hex(Random& random, int bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (int i = 0; i < 2 * bytes; ++i) out += kDigits[random.below(16)];
  return out;
}

}  // namespace

std::string word(Random& random) {
  return random.pick({"", "a", "Ä", "it''s", "\xe2\x82\xac 5", "\xf0\x9f\x98\x80", "back\\slash",
                      "two\nlines", "percent % and _", "NULL", "  spaces  "}) +
         std::to_string(random.below(50));
}

namespace {

std::string text_literal(Engine engine, Random& random) {
  std::string body = word(random);
  if (random.chance(3)) body += std::string(static_cast<std::size_t>(random.below(9000)), 'x');
  if (engine == Engine::mariadb) {
    for (std::size_t at = 0; (at = body.find('\\', at)) != std::string::npos; at += 2) {
      body.insert(at, 1, '\\');
    }
  }
  return "'" + body + "'";
}

std::string moment(Engine engine, Random& random) {
  const std::string date = "20" + std::to_string(10 + random.below(30)) + "-0" +
                           std::to_string(1 + random.below(9)) + "-1" +
                           std::to_string(random.below(10)) + " 12:34:56." +
                           std::to_string(100000 + random.below(900000));
  if (engine != Engine::postgresql) return "'" + date + "'";
  return random.chance(5) ? random.pick({"'infinity'", "'-infinity'"}) : "'" + date + "+02'";
}

}  // namespace

std::string value(Engine engine, const Column& column, Random& random) {
  const bool pg = engine == Engine::postgresql;
  if (column.nullable && random.chance(10)) return "NULL";
  if (column.literal != nullptr) return column.literal(random);
  switch (column.kind) {
    case Kind::integer:
      return std::to_string(random.below(2000) - 1000);
    case Kind::big:
      return random.pick({"9223372036854775807", "-9223372036854775807", "0"});
    case Kind::real:
      if (pg && random.chance(30)) return random.pick({"'NaN'", "'-Infinity'", "random()"});
      if (random.chance(20)) return engine == Engine::mariadb ? "RAND()" : "random()";
      return random.pick({"0.1", "1e300", "-2.5e-10", "3.0"}) + "1";
    case Kind::numeric:
      return random.pick({"1.000001", "-99999999999999.999999", "0", "12345.6"});
    case Kind::text:
      return text_literal(engine, random);
    case Kind::bytes: {
      const std::string digits = hex(random, random.below(40));
      return pg ? "'\\x" + digits + "'" : "x'" + digits + "'";
    }
    case Kind::moment:
      if (random.chance(20)) return engine == Engine::mariadb ? "NOW(6)" : "CURRENT_TIMESTAMP";
      return moment(engine, random);
    case Kind::truth:
      return random.pick({"TRUE", "FALSE"});
    case Kind::json:
      return random.pick({"'{\"a\": 1}'", "'[1, 2.50, null]'", "'\"x\"'"});
  }
  return "NULL";
}

std::string key_value(const Table& table, Random& random) {
  if (table.key_literal != nullptr) return table.key_literal(random);
  const int number = 1 + random.below(kKeysMax);
  return table.key == Key::text ? "'k" + std::to_string(number) + "'" : std::to_string(number);
}

const Table& Generator::any_table(const Schema& schema, Random& random) {
  for (;;) {
    const Table& table = random.of(schema.tables);
    if (table.random) return table;
  }
}

Sql Generator::make() {
  // The more often one stands here, the more often it is drawn.
  using Make = Sql (Generator::*)();
  static const std::vector<Make> plain = {&Generator::insert,        &Generator::insert,
                                          &Generator::insert_many,   &Generator::update_by_key,
                                          &Generator::update_by_key, &Generator::update_range,
                                          &Generator::delete_by_key, &Generator::delete_range,
                                          &Generator::move_one,      &Generator::read};
  if (schema_.plain) return (this->*random_.of(plain))();
  static const std::vector<Make> all = {&Generator::insert,        &Generator::insert,
                                        &Generator::insert_many,   &Generator::insert_select,
                                        &Generator::update_by_key, &Generator::update_by_key,
                                        &Generator::update_range,  &Generator::update_subquery,
                                        &Generator::delete_by_key, &Generator::delete_range,
                                        &Generator::upsert,        &Generator::upsert,
                                        &Generator::joined,        &Generator::read,
                                        &Generator::update_key};
  if (pg() && random_.chance(20))
    return random_.chance(60) || table_.triggers ? writing_with() : merge();
  if (!table_.view.empty() && random_.chance(10)) return through_view();
  return (this->*random_.of(all))();
}

std::string Generator::columns() {
  std::string out;
  if (!generates()) {
    for (const auto& column : table_.key_columns) out += ", " + column;
  }
  for (const Column& column : table_.columns) {
    if (given(column)) out += ", " + column.name;
  }
  if (!table_.unique.empty()) out += ", " + table_.unique;
  if (!table_.parent.empty()) out += ", parent";
  return " (" + out.substr(2) + ")";
}

bool Generator::given(const Column& column) const {
  return column.fallback.empty() || (&column - table_.columns.data()) % 2 == 0;
}

std::string Generator::row(const std::string& key) {
  std::string out;
  if (!generates()) {
    for (std::size_t i = 0; i < table_.key_columns.size(); ++i) {
      const std::string first = key.empty() ? key_value(table_, random_) : key;
      out += ", " + (i == 0 ? first : std::to_string(random_.below(5)));
    }
  }
  for (const Column& column : table_.columns) {
    if (given(column)) out += ", " + given_value(column);
  }
  if (!table_.unique.empty()) {
    out += ", " + (key.empty() ? std::to_string(random_.below(400)) : key);
  }
  if (!table_.parent.empty()) {
    out += ", " + (random_.chance(20) ? "NULL" : std::to_string(1 + random_.below(kKeysMax)));
  }
  return "(" + out.substr(2) + ")";
}

std::string Generator::assignment() {
  const Column& column = random_.of(table_.columns);
  const bool counts = column.kind == Kind::integer && random_.chance(70);
  return column.name + " = " +
         (counts ? "(coalesce(" + column.name + ", 0) * 31 + " +
                       std::to_string(random_.below(100)) + ") % 10007"
                 : given_value(column));
}

std::string Generator::given_value(const Column& column) {
  std::string out = value(engine_, column, random_);
  while (schema_.plain && out.find_first_of("\\y") != std::string::npos) {  // infinity
    out = value(engine_, column, random_);
  }
  return out;
}

std::string Generator::by_key() {
  std::string out = table_.key_columns[0] + " = " + key_value(table_, random_);
  if (table_.key == Key::pair) {
    out += " AND " + table_.key_columns[1] + " = " + std::to_string(random_.below(5));
  }
  return out;
}

std::string Generator::range() {
  const int from = random_.below(2000) - 1000;
  return number() + " BETWEEN " + std::to_string(from) + " AND " +
         std::to_string(from + random_.below(120));
}

Sql Generator::insert_many() {
  std::string out = "INSERT INTO " + name_ + columns() + " VALUES " + row();
  for (int i = random_.below(4); i > 0; --i) out += ", " + row();
  return {out, {}};
}

Sql Generator::insert_select() {
  if (!generates()) return insert();
  std::string names;
  std::string picked;
  for (const Column& column : table_.columns) {
    names += ", " + column.name;
    picked += ", " + column.name;
  }
  return {"INSERT INTO " + table_.name + " (" + names.substr(2) + ") SELECT " + picked.substr(2) +
              " FROM " + table_.name + " WHERE " + range() + " LIMIT 3",
          {}};
}

Sql Generator::update_key() {
  if (!table_.one_integer_key() || table_.opaque_moves) return update_range();
  const std::string& key = table_.key_columns[0];
  const std::string start = "UPDATE " + table_.name + " SET " + key + " = ";
  const std::string more = random_.chance(60) ? "" : ", " + assignment();
  if (random_.chance(50)) {
    return {start + key_value(table_, random_) + " WHERE " + by_key(), {}};
  }
  return {start + key + " + " + std::to_string(random_.below(9) - 4) + more + " WHERE " + range(),
          {}};
}

Sql Generator::move_one() {
  if (table_.key != Key::chosen) return update_by_key();
  return {"UPDATE " + table_.name + " SET " + table_.key_columns[0] + " = " +
              key_value(table_, random_) + " WHERE " + by_key(),
          {}};
}

Sql Generator::update_by_key() {
  if (table_.key == Key::none) return update_range();
  if (!table_.one_integer_key() || random_.chance(50)) {
    return {"UPDATE " + name_ + " SET " + assignment() + " WHERE " + by_key(), {}};
  }
  return {"UPDATE " + name_ + " SET " + number() + " = ? WHERE " + table_.key_columns[0] + " = ?",
          {std::to_string(random_.below(2000)), std::to_string(1 + random_.below(kKeysMax))}};
}

Sql Generator::update_range() {
  std::string out = "UPDATE " + name_ + " SET " + assignment() + " WHERE " + range();
  if (engine_ == Engine::mariadb && !table_.asked_for() && random_.chance(30)) {
    out += " ORDER BY " + number() + " LIMIT 2";
  }
  return {out, {}};
}

Sql Generator::update_subquery() {
  if (table_.key == Key::none) return update_range();
  const std::string& key = table_.key_columns[0];
  if (engine_ == Engine::mariadb) {
    const std::string inner = "SELECT MAX(" + number() + ") FROM " + schema_.tables[1].name +
                              " WHERE " + schema_.tables[1].columns[0].name + " < " +
                              std::to_string(random_.below(2000) - 1000);
    return {"UPDATE " + table_.name + " SET " + assignment() + " WHERE " + number() + " = (" +
                inner + ")",
            {}};
  }
  return {"UPDATE " + table_.name + " SET " + assignment() + " WHERE " + key + " IN (SELECT " +
              key + " FROM " + table_.name + " WHERE " + range() + " LIMIT 2)",
          {}};
}

Sql Generator::delete_by_key() {
  if (table_.key == Key::none) return delete_range();
  return {"DELETE FROM " + name_ + " WHERE " + by_key(), {}};
}

Sql Generator::delete_range() {
  std::string out = "DELETE FROM " + name_ + " WHERE " + range();
  if (engine_ == Engine::mariadb && random_.chance(40)) out += " LIMIT 2";
  return {out, {}};
}

Sql Generator::upsert() {
  const bool by_unique = !table_.unique.empty();
  if (table_.key == Key::none || (!by_unique && generates())) return insert_many();
  const std::string plain = "INSERT INTO " + name_ + columns() + " VALUES " + row();
  if (engine_ == Engine::mariadb) {
    if (random_.chance(30) && table_.name != schema_.tables[1].name) {
      return {"REPLACE" + plain.substr(6), {}};
    }
    return {plain + " ON DUPLICATE KEY UPDATE " + assignment(), {}};
  }
  std::string target = by_unique ? table_.unique : table_.key_columns[0];
  if (table_.key == Key::pair) target += ", " + table_.key_columns[1];
  if (random_.chance(30)) return {plain + " ON CONFLICT DO NOTHING", {}};
  const Column& column = random_.of(table_.columns);
  return {plain + " ON CONFLICT (" + target + ") DO UPDATE SET " + column.name + " = " +
              (given(column) ? "excluded." + column.name : value(engine_, column, random_)),
          {}};
}

Sql Generator::joined() {
  const Table& other = schema_.tables[1];
  const std::string& id = other.key_columns[0];
  if (&other == &table_ || !table_.one_integer_key()) return update_range();
  const std::string& key = table_.key_columns[0];
  const std::string match = "t." + key + " = o." + id + " AND o." + other.columns[0].name + " < " +
                            std::to_string(random_.below(2000) - 1000);
  const std::string taken = "o." + other.columns[0].name;
  if (engine_ == Engine::mariadb && random_.chance(30)) {
    return {"DELETE t FROM " + table_.name + " AS t JOIN " + other.name + " AS o ON " + match, {}};
  }
  if (engine_ == Engine::mariadb) {
    return {"UPDATE " + table_.name + " AS t JOIN " + other.name + " AS o SET t." + number() +
                " = " + taken + " WHERE " + match,
            {}};
  }
  if (pg() && random_.chance(40)) {
    return {"DELETE FROM " + table_.name + " AS t USING " + other.name + " AS o WHERE " + match,
            {}};
  }
  return {"UPDATE " + table_.name + " AS t SET " + number() + " = " + taken + " FROM " +
              other.name + " AS o WHERE " + match,
          {}};
}

std::string Generator::part() {
  using Make = Sql (Generator::*)();
  static const std::vector<Make> all = {&Generator::insert, &Generator::insert_many,
                                        &Generator::upsert, &Generator::delete_range,
                                        &Generator::update_range};
  const bool keyless = table_.key == Key::none;
  return (this->*all[static_cast<std::size_t>(random_.below(keyless ? 4 : 5))])().text;
}

bool Generator::is_related() const {
  return !table_.parent.empty() || &table_ == &schema_.tables[1];
}

Sql Generator::writing_with() {
  const Table& other = any_table(schema_, random_);
  if (&other == &table_ && is_related()) return insert();
  // Of such a statement rows of large values are more than is kept.
  if (table_.holds_large() || other.holds_large()) return insert();
  Generator second(schema_, random_, other);
  if (random_.chance(30)) {
    const std::string moved = "WITH d AS (DELETE FROM " + table_.name + " WHERE " + range() +
                              " RETURNING *) INSERT INTO " + other.name + second.columns();
    const std::string values = second.row();
    if (&other == &table_ && random_.chance(50)) {
      return {"WITH d AS (DELETE FROM " + table_.name + " WHERE " + range() +
                  " RETURNING *) INSERT INTO " + table_.name + " SELECT * FROM d" +
                  (random_.chance(50) ? " RETURNING *" : ""),
              {}};
    }
    return {moved + " SELECT " + values.substr(1, values.size() - 2) + " FROM d LIMIT 1", {}};
  }
  const std::string with = "WITH a AS (" + part();
  if (random_.chance(40)) return {with + " RETURNING *) SELECT * FROM a", {}};
  return {with + ") " + second.part(), {}};
}

Sql Generator::through_view() {
  using Make = Sql (Generator::*)();
  static const std::vector<Make> all = {&Generator::insert,        &Generator::insert_many,
                                        &Generator::update_by_key, &Generator::update_range,
                                        &Generator::delete_by_key, &Generator::delete_range,
                                        &Generator::upsert};
  name_ = table_.view;
  return (this->*random_.of(all))();
}

Sql Generator::merge() {
  if (table_.key == Key::none) return insert();
  const bool by_unique = !table_.unique.empty();
  std::string keys;
  for (int i = 1 + random_.below(4); i > 0; --i) {
    keys += ", (" + (by_unique ? std::to_string(random_.below(400)) : key_value(table_, random_));
    keys += ")";
  }
  std::string out = "MERGE INTO " + table_.name + " AS t USING (SELECT DISTINCT k FROM (VALUES " +
                    keys.substr(2) + ") AS v (k)) AS s ON t." +
                    (by_unique ? table_.unique : table_.key_columns[0]) + " = s.k";
  const bool referred = &table_ == &schema_.tables[1];
  const bool comes = table_.parent.empty() && random_.chance(70);
  if (random_.chance(50) && !(referred && comes)) {
    out += " WHEN MATCHED AND t." + number() + " % 2 = 0 THEN DELETE";
  }
  if (random_.chance(30)) out += " WHEN MATCHED AND " + range() + " THEN DO NOTHING";
  if (!comes || random_.chance(80)) out += " WHEN MATCHED THEN UPDATE SET " + assignment();
  if (comes) out += " WHEN NOT MATCHED THEN INSERT" + columns() + " VALUES " + row("s.k");
  return {out, {}};
}

Sql Generator::read() {
  return {"SELECT * FROM " + table_.name + " WHERE " + range() +
              (engine_ == Engine::sqlite || random_.chance(50) ? "" : " FOR UPDATE"),
          {}};
}

std::vector<Sql> make_statements(const Schema& schema, Random& random) {
  if (schema.engine == Engine::postgresql && !schema.plain) {
    return postgresql_statements(schema, random);
  }
  if (!schema.plain && random.chance(kOwnPercent)) {
    return schema.engine == Engine::mariadb ? mariadb_statements(schema, random)
                                            : sqlite_statements(schema, random);
  }
  return {Generator(schema, random).make()};
}

std::vector<Sql> first_rows(const Schema& schema, Random& random) {
  std::vector<Sql> out;
  for (int i = 0; i < 40 * static_cast<int>(schema.tables.size()); ++i) {
    out.push_back(Generator(schema, random).insert());
  }
  if (schema.engine == Engine::postgresql && !schema.plain) {
    out.push_back({"INSERT INTO calls SELECT n, 0 FROM generate_series(0, 40) AS n", {}});
  }
  return out;
}

}  // namespace fidelity
