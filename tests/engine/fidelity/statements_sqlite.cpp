// What of SQLite's statements no other engine has, and what belongs together on one connection.
#include "tests/engine/fidelity/generator.h"

namespace fidelity {
namespace {

class SqliteGenerator : public Generator {
 public:
  using Generator::Generator;

  std::vector<Sql> several() {
    if (random_.chance(10)) return savepoints();
    if (random_.chance(5)) return pragmas();
    if (random_.chance(10)) return scratch();
    if (random_.chance(10)) return last_id();
    using Make = std::string (SqliteGenerator::*)();
    static const std::vector<Make> all = {
        &SqliteGenerator::replacing, &SqliteGenerator::ignoring,  &SqliteGenerator::upsert_where,
        &SqliteGenerator::with,      &SqliteGenerator::from,      &SqliteGenerator::returning,
        &SqliteGenerator::limited,   &SqliteGenerator::into_view, &SqliteGenerator::assigned};
    return {{(this->*random_.of(all))(), {}}};
  }

 private:
  [[nodiscard]] bool keyless() const { return table_.key == Key::none; }
  std::string small() { return std::to_string(random_.below(100)); }
  std::string rows() {
    std::string out = row();
    for (int i = random_.below(3); i > 0; --i) out += ", " + row();
    return out;
  }
  std::string insert_or(const char* what) {
    return "INSERT OR " + std::string(what) + " INTO " + name_ + columns() + " VALUES " + rows();
  }
  /// What is opaque is exact where nothing in it is up to chance or time: here a table without a
  /// key, or with triggers.
  [[nodiscard]] bool may_replace() const { return !keyless() && table_.name != "watched"; }

  std::string replacing() {
    if (!may_replace()) return insert_many().text;
    return insert_or("REPLACE");
  }
  std::string ignoring() {
    if (random_.chance(40)) {
      return "UPDATE OR IGNORE " + name_ + " SET " + assignment() + " WHERE " + range();
    }
    return insert_or("IGNORE");
  }
  std::string upsert_where() {
    if (keyless() || generates()) return insert_or("IGNORE");
    std::string target = table_.key_columns[0];
    if (table_.key == Key::pair) target += ", " + table_.key_columns[1];
    return "INSERT INTO " + name_ + columns() + " VALUES " + rows() + " ON CONFLICT (" + target +
           ") DO UPDATE SET " + number() + " = excluded." + number() + " + 1 WHERE " + number() +
           " < " + small();
  }
  std::string with() {
    const std::string made = "WITH n (i) AS (VALUES (" + small() + "), (" + small() + "))";
    if (random_.chance(50)) {
      return made + " DELETE FROM " + name_ + " WHERE " + number() + " IN (SELECT i FROM n)";
    }
    return made + " UPDATE " + name_ + " SET " + number() + " = (SELECT max(i) FROM n) WHERE " +
           range();
  }
  std::string from() {
    return "UPDATE " + name_ + " AS t SET " + number() + " = o.i FROM (SELECT " + small() +
           " AS i, " + small() + " AS c) AS o WHERE t." + number() + " = o.c";
  }
  std::string returning() {
    const std::string what = " RETURNING " + random_.pick({"*", "c0", "c0 + 1 AS one"});
    if (random_.chance(50)) return "DELETE FROM " + name_ + " WHERE " + range() + what;
    return "UPDATE " + name_ + " SET " + number() + " = " + small() + " WHERE " + range() + what;
  }
  std::string limited() {
    return "UPDATE " + name_ + " SET " + number() + " = coalesce(" + number() + ", 0) + 1 WHERE " +
           range() + " AND " + number() + " > " + small();
  }
  std::string into_view() {
    return "INSERT INTO shown VALUES (" + std::to_string(1 + random_.below(kKeysMax)) + ", " +
           small() + ")";
  }
  std::string assigned() {
    return "UPDATE " + name_ + " SET " + assignment() + ", " + number() + " = " + small() +
           " WHERE " + range();
  }

  std::vector<Sql> savepoints() {
    return {{"SAVEPOINT a", {}},
            {limited(), {}},
            {"SAVEPOINT b", {}},
            insert(),
            {"ROLLBACK TO " + random_.pick({"a", "b"}), {}},
            {limited(), {}},
            {"RELEASE a", {}, true}};
  }
  /// The first of them is of effect outside of a transaction alone.
  std::vector<Sql> pragmas() {
    return {{"PRAGMA " + random_.pick({"foreign_keys = ON", "foreign_keys = OFF",
                                       "recursive_triggers = 1", "case_sensitive_like = 1",
                                       "reverse_unordered_selects = 1", "cache_size = -100"}),
             {}},
            insert(),
            delete_by_key()};
  }
  std::vector<Sql> scratch() {
    return {{"CREATE TEMP TABLE IF NOT EXISTS scratch (id INTEGER PRIMARY KEY, v)", {}},
            {"INSERT OR REPLACE INTO scratch SELECT id, c0 FROM watched WHERE c0 < 500", {}},
            {"INSERT INTO \"null keys\" (c0) SELECT v FROM temp.scratch LIMIT 2", {}}};
  }
  std::vector<Sql> last_id() {
    return {{"INSERT INTO \"any value\" (c0) VALUES (" + small() + ")", {}},
            {"UPDATE \"any value\" SET c0 = last_insert_rowid() % 1000 WHERE id ="
             " last_insert_rowid()",
             {}}};
  }
};

}  // namespace

std::vector<Sql> sqlite_statements(const Schema& schema, Random& random) {
  return SqliteGenerator(schema, random).several();
}

}  // namespace fidelity
