// What of MariaDB's statements no other engine has, and what belongs together on one connection.
// PREPARE and EXECUTE as texts are not among them: Connector/ODBC prepares every text, and the
// server prepares no EXECUTE. Nor are temporary tables: once a session has one, what it writes to
// several tables at once is opaque.
#include "tests/engine/fidelity/generator.h"

namespace fidelity {
namespace {

class MariadbGenerator : public Generator {
 public:
  using Generator::Generator;

  std::vector<Sql> several() {
    using Make = std::vector<Sql> (MariadbGenerator::*)();
    static const std::vector<Make> all = {
        &MariadbGenerator::alone,   &MariadbGenerator::alone,     &MariadbGenerator::alone,
        &MariadbGenerator::alone,   &MariadbGenerator::variables, &MariadbGenerator::made_ids,
        &MariadbGenerator::zone,    &MariadbGenerator::mode,      &MariadbGenerator::savepoints,
        &MariadbGenerator::chained, &MariadbGenerator::by_number};
    return (this->*random_.of(all))();
  }

 private:
  std::vector<Sql> alone() {
    using Make = std::string (MariadbGenerator::*)();
    static const std::vector<Make> all = {
        &MariadbGenerator::upsert_values, &MariadbGenerator::ignoring,
        &MariadbGenerator::replacing,     &MariadbGenerator::returning,
        &MariadbGenerator::both,          &MariadbGenerator::from_beside,
        &MariadbGenerator::ordered};
    return {{(this->*random_.of(all))(), {}}};
  }
  [[nodiscard]] bool keyless() const { return table_.key == Key::none; }
  /// Its statements with IGNORE, or that are upserts, are opaque.
  [[nodiscard]] bool has_triggers() const { return table_.name == "watched"; }
  std::string small() { return std::to_string(random_.below(100)); }
  std::string rows() {
    std::string out = row();
    for (int i = random_.below(3); i > 0; --i) out += ", " + row();
    return out;
  }
  /// One number, whatever the mode says of quotes and backslashes.
  std::string count_up(const std::string& by) {
    return "UPDATE " + name_ + " SET " + number() + " = (COALESCE(" + number() + ", 0) + " + by +
           ") % 10007 WHERE " + (keyless() || random_.chance(50) ? range() : by_key());
  }

  std::string upsert_values() {
    if (keyless() || has_triggers()) return insert_many().text;
    const std::string& name = random_.of(table_.columns).name;
    const std::string given =
        random_.chance(50) ? number() + " = " + number() + " % 1000 + VALUES(" + number() + ")"
                           : name + " = VALUES(" + name + ")";
    return "INSERT INTO " + name_ + columns() + " VALUES " + rows() + " ON DUPLICATE KEY UPDATE " +
           given;
  }
  std::string ignoring() {
    if (has_triggers()) return update_range().text;
    if (!keyless() && random_.chance(30)) {
      return "UPDATE IGNORE " + name_ + " SET " + assignment() + " WHERE " + range();
    }
    return "INSERT IGNORE INTO " + name_ + columns() + " VALUES " + rows();
  }
  std::string replacing() {
    if (keyless() || has_triggers()) return insert_many().text;
    return "REPLACE INTO " + name_ + columns() + " VALUES " + rows();
  }
  std::string returning() {
    const std::string what = " RETURNING " + random_.pick({"*", "c0", "c0 + 1, NOW()"});
    // The server dies of such an INSERT where another session takes a number by a default.
    const bool deadly = table_.name == "numbered";
    if (deadly || random_.chance(40)) return "DELETE FROM " + name_ + " WHERE " + range() + what;
    return "INSERT INTO " + name_ + columns() + " VALUES " + rows() + what;
  }
  /// Two tables changed by one statement.
  std::string both() {
    const Table& other = random_.of(schema_.tables);
    if (&other == &table_ || !table_.one_integer_key() || !other.one_integer_key()) {
      return update_range().text;
    }
    const std::string joined = name_ + " AS a JOIN " + other.name + " AS b ON a.`id` = b.`id`";
    const std::string some = " WHERE a.`id` BETWEEN " + small() + " AND " + small();
    if (random_.chance(40)) return "DELETE a, b FROM " + joined + some;
    return "UPDATE " + joined + " SET a.c0 = b.c0, b.c0 = " + small() + some;
  }
  std::string from_beside() {
    if (!generates() || table_.unique.empty()) return delete_range().text;
    return "INSERT IGNORE INTO " + name_ + " (" + table_.unique + ", c0) SELECT id + " + small() +
           ", id FROM test_beside.numbers WHERE id BETWEEN " + small() + " AND " + small() +
           " LIMIT 3";
  }
  std::string ordered() {
    if (table_.asked_for()) return update_range().text;
    if (random_.chance(50)) {
      return "DELETE FROM " + name_ + " WHERE " + range() + " ORDER BY " + number() + " LIMIT 1";
    }
    return "UPDATE " + name_ + " SET " + assignment() + ", " + number() + " = " + small() +
           " WHERE " + range() + " ORDER BY " + number() + " DESC LIMIT 3";
  }

  std::vector<Sql> variables() {
    std::vector<Sql> out;
    // Not SELECT ... INTO @a: it is opaque, and its row count may differ on the shadow.
    if (random_.chance(50)) {
      out.push_back({"SET @a := " + small(), {}});
    } else {
      out.push_back({"SET @a = (SELECT MAX(" + number() + ") FROM " + name_ + "), @b = 'x'", {}});
    }
    // Above 256 KiB of rows it is opaque, and without a key the rows have no order.
    const bool no_order = table_.key == Key::none && table_.holds_large();
    const bool reads = random_.chance(50) || table_.asked_for() || no_order;
    out.push_back({count_up(reads ? "COALESCE(@a, 1)" : "(@a := COALESCE(@a, 0) + 1)"), {}});
    return out;
  }
  std::vector<Sql> made_ids() {
    const Table& made = schema_.tables[0];  // has a key that the server makes
    Generator first(schema_, random_, made);
    std::vector<Sql> out = {first.insert()};
    if (random_.chance(50)) {
      out.push_back({"UPDATE " + made.name +
                         " SET `c0` = LAST_INSERT_ID() % 1000 WHERE `id` ="
                         " LAST_INSERT_ID()",
                     {}});
    } else {
      out.push_back({"UPDATE movers SET c0 = LAST_INSERT_ID(COALESCE(c0, 0) + 1) WHERE id = " +
                         key_value(schema_.tables[1], random_),
                     {}});
      out.push_back({"INSERT INTO bag (c0) VALUES (LAST_INSERT_ID())", {}});
    }
    return out;
  }
  /// Modes that leave quotes alone: after another, texts with quotes are opaque in this session.
  std::vector<Sql> mode() {
    static const std::vector<std::string> modes = {"", "STRICT_ALL_TABLES,NO_ZERO_DATE",
                                                   "STRICT_TRANS_TABLES,NO_AUTO_VALUE_ON_ZERO",
                                                   "TRADITIONAL"};
    std::vector<Sql> out = {{"SET sql_mode = '" + random_.of(modes) + "'", {}},
                            {count_up(small()), {}}};
    if (random_.chance(50)) {
      out.push_back({"INSERT INTO `every type` (id, c0) VALUES (0, " + small() + ")", {}});
    } else {
      out.push_back(insert_many());
    }
    out.push_back({"SET sql_mode = '" + modes[1] + "'", {}, true});
    return out;
  }
  std::vector<Sql> zone() {
    return {{"SET time_zone = '" + random_.pick({"+05:30", "-08:00", "+00:00"}) + "'", {}},
            insert()};
  }
  std::vector<Sql> savepoints() {
    return {{"SAVEPOINT a", {}},
            {count_up("1"), {}},
            {"SAVEPOINT b", {}},
            insert(),
            {"ROLLBACK TO SAVEPOINT " + random_.pick({"a", "b"}), {}},
            {count_up("2"), {}},
            {"RELEASE SAVEPOINT a", {}}};
  }
  std::vector<Sql> chained() {
    std::vector<Sql> out = {{"START TRANSACTION", {}}, insert(), {count_up("3"), {}}};
    if (random_.chance(50)) {
      out.push_back({random_.pick({"COMMIT AND CHAIN", "ROLLBACK AND CHAIN"}), {}});
      out.push_back({count_up("4"), {}});
    }
    out.push_back({random_.pick({"COMMIT", "COMMIT", "ROLLBACK"}), {}, true});
    return out;
  }
  std::vector<Sql> by_number() {
    const std::string next =
        random_.pick({"NEXTVAL(`the numbers`)", "NEXT VALUE FOR `the numbers`"});
    switch (random_.below(4)) {
      case 0:
        if (random_.chance(30)) {
          return {{"INSERT INTO numbered VALUES (DEFAULT, " + small() + "), (DEFAULT, 1)", {}}};
        }
        return {{"INSERT INTO numbered (c0) VALUES (" + small() + ")" +
                     (random_.chance(30) ? ", (" + small() + "), (NULL)" : ""),
                 {}}};
      case 1:
        return {{"INSERT INTO numbered VALUES (" + next + ", " + small() + ")", {}}};
      case 2:
        return {{"SELECT " + next, {}},
                {"UPDATE bag SET c0 = LASTVAL(`the numbers`) % 1000 WHERE c0 < -900", {}}};
      default:
        return {{"DELETE FROM numbered WHERE id >= 1000 ORDER BY id LIMIT 9", {}}};
    }
  }
};

}  // namespace

std::vector<Sql> mariadb_statements(const Schema& schema, Random& random) {
  return MariadbGenerator(schema, random).several();
}

}  // namespace fidelity
