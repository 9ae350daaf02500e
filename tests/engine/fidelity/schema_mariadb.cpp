// What of MariaDB's tables no other engine has.
#include "tests/engine/fidelity/generator.h"

namespace fidelity {
namespace {

constexpr int kColumns = 8;  // of a table of many types

Column numbers(const char* name) {
  Column out;
  out.name = name;
  out.kind = Kind::integer;
  return out;
}

/// A type, its literals, and a DEFAULT that the server computes where it has one.
struct Type {
  const char* name;
  std::string (*literal)(Random&);
  const char* fallback = "";
};

const std::vector<Type>& types() {
  static const std::vector<Type> all = {
      {"DATE",
       [](Random& r) {
         return r.pick({"'2024-02-29'", "'1000-01-01'", "'9999-12-31'", "'0000-00-00'",
                        "'2024-00-10'", "CURDATE()", "20240102"});
       },
       "(CURDATE() + INTERVAL 1 DAY)"},
      {"TIME(3)",
       [](Random& r) {
         return r.pick({"'-838:59:59.999'", "'12:00:00.5'", "'00:00:00'", "CURTIME(3)", "'1 2:3'"});
       }},
      {"YEAR",
       [](Random& r) {
         return r.pick({"1901", "2155", "0", "'70'", "YEAR(NOW())"});
       }},
      {"TIMESTAMP(6) NULL",
       [](Random& r) {
         return r.pick({"'2038-01-19 01:14:07.999999'", "'1970-01-02 00:00:00.000001'", "NOW(6)",
                        "'2021-06-01 12:00:00'"});
       },
       "CURRENT_TIMESTAMP(6)"},
      {"DECIMAL(65,30)",
       [](Random& r) {
         return r.pick({"99999999999999999999999999999999999.999999999999999999999999999999",
                        "-0.000000000000000000000000000001", "0", "RAND()", "12.5e3"});
       }},
      {"BIGINT UNSIGNED",
       [](Random& r) {
         return r.pick({"18446744073709551615", "0", "9223372036854775808"});
       }},
      {"TINYINT",
       [](Random& r) {
         return r.pick({"127", "-128", "0", "1", "300"});
       }},
      {"MEDIUMINT UNSIGNED",
       [](Random& r) {
         return r.pick({"16777215", "0", "7"});
       }},
      {"BIT(11)",
       [](Random& r) {
         return r.pick({"b'11111111111'", "b'0'", "5", "b'101'"});
       }},
      {"BIT(64)",
       [](Random& r) {
         return r.pick({"18446744073709551615", "0", "b'1001'"});
       }},
      {"ENUM('a','Ö','it''s','')",
       [](Random& r) {
         return r.pick({"'a'", "'Ö'", "'it''s'", "2", "'Ö'"});
       }},
      {"SET('x','y','z w')",
       [](Random& r) {
         return r.pick({"'x'", "'z w,x'", "''", "5"});
       }},
      {"CHAR(5)",
       [](Random& r) {
         return r.pick({"'a'", "'Ä b '", "'A'", "''", "'too long'"});
       }},
      {"VARCHAR(20) COLLATE utf8mb4_general_ci",
       [](Random& r) {
         return r.pick({"'a'", "'A'", "'a '", "'ß'", "'s'", "UUID()", "' '"});
       }},
      {"VARCHAR(9) CHARACTER SET latin1",
       [](Random& r) {
         return r.pick({"'é'", "'E'", "''", "'€'", "'abc'"});
       }},
      {"BINARY(4)",
       [](Random& r) {
         return r.pick({"x'00ff'", "x''", "'abcd'", "x'20202020'"});
       }},
      {"VARBINARY(9)",
       [](Random& r) {
         return r.pick({"x'00'", "x''", "x'ff00ff'", "'a '"});
       }},
      {"JSON",
       [](Random& r) {
         return r.pick({R"('{"a": [1, 2.50, null], "ä": "\\u00e4"}')", "'null'", "'[]'",
                        "JSON_OBJECT('k', 1.50, 'n', NULL)", "'not json'"});
       }},
      {"UUID",
       [](Random& r) {
         return r.pick({"'123e4567-e89b-12d3-a456-426655440000'", "UUID()"});
       },
       "(UUID())"},
      {"INET6",
       [](Random& r) {
         return r.pick({"'::ffff:1.2.3.4'", "'::'", "'2001:db8::ff'"});
       }},
      {"FLOAT",
       [](Random& r) {
         return r.pick({"0.1", "3.402823e38", "-1.17549435e-38", "RAND()"});
       }},
      {"DOUBLE",
       [](Random& r) {
         return r.pick({"0.1", "1.7976931348623157e308", "-0.0", "RAND()"});
       }},
      {"DATETIME(3)",
       [](Random& r) {
         return r.pick({"'9999-12-31 23:59:59.999'", "'0000-00-00'", "NOW(3)", "UTC_TIMESTAMP(3)"});
       },
       "NOW(3)"},
      {"TINYTEXT",
       [](Random& r) {
         return r.pick({"''", "'ä€'", "REPEAT('x', 255)"});
       },
       "('t')"},
      {"MEDIUMBLOB", [](Random& r) {
         return r.pick({"x'00'", "''", "REPEAT(x'00ff', 99)"});
       }}};
  return all;
}

Column any_column(int number, Random& random) {
  const Type& type = random.of(types());
  Column out;
  out.name = "`w " + std::to_string(number) + "`";
  out.type = type.name;
  out.literal = type.literal;
  out.nullable = random.chance(80) || out.type.ends_with(" NULL");
  if (random.chance(40)) out.fallback = type.fallback;
  return out;
}

/// A key of 20 values or so, some of which are the same to the server and not to the eye.
struct KeyType {
  const char* name;
  std::string (*literal)(Random&);
};

std::string digits(Random& random) {
  return std::to_string(10 + random.below(20));
}

const std::vector<KeyType>& key_types() {
  static const std::vector<KeyType> all = {
      {"BIGINT UNSIGNED",
       [](Random& r) { return "184467440737095516" + std::to_string(r.below(16)); }},
      {"DATE", [](Random& r) { return "'2024-02-" + digits(r) + "'"; }},
      {"INET6",
       [](Random& r) {
         return r.pick({"'::", "'0:0::"}) + digits(r) + "'";
       }},
      {"UUID",
       [](Random& r) {
         return "'123e4567-" + r.pick({"e89b", "E89B"}) + "-12d3-a456-4266554400" + digits(r) + "'";
       }},
      {"VARBINARY(4)", [](Random& r) { return "x'00" + digits(r) + "'"; }},
      {"DECIMAL(30,10)",
       [](Random& r) {
         return "12345678901234567890." + digits(r) + r.pick({"", "0"});
       }},
      {"CHAR(3)",
       [](Random& r) {
         return "'" + r.pick({"a", "A", "ä"}) + digits(r) + "'";
       }},
      {"ENUM('a','b','c','d','E','f')",
       [](Random& r) {
         return r.pick({"'a'", "'B'", "'e'", "'f'"});
       }},
      {"DATETIME(6)", [](Random& r) { return "'2024-01-01 12:00:00.0000" + digits(r) + "'"; }},
      {"TIME(3)",
       [](Random& r) {
         return "'" + r.pick({"-", ""}) + digits(r) + ":00:00.5'";
       }},
      {"DOUBLE", [](Random& r) { return "0.1" + digits(r) + "e10"; }},
      {"BIT(9)", [](Random& r) { return digits(r); }},
      {"YEAR", [](Random& r) { return "20" + digits(r); }}};
  return all;
}

std::string cased_key(Random& random) {
  return "'" + random.pick({"k", "K", "ḱ"}) + std::to_string(1 + random.below(kKeysMax / 2)) +
         random.pick({"", " "}) + "'";
}

Table table(const char* name, Key key) {
  Table out;
  out.name = name;
  out.key = key;
  if (key != Key::none) out.key_columns.emplace_back("`id`");
  if (key == Key::pair) out.key_columns.emplace_back("`part`");
  out.columns.push_back(numbers("c0"));
  return out;
}

void add_columns(Table* table, int count, Random& random) {
  for (int i = 1; i <= count; ++i) table->columns.push_back(any_column(i, random));
}

Table every_type(Random& random) {
  Table out = table("`every type`", Key::generated);
  add_columns(&out, kColumns, random);
  out.unique = "`u`";
  out.rest =
      "twice BIGINT AS (c0 * 2) PERSISTENT, shown VARCHAR(30) AS (CONCAT('<', c0, '>')) VIRTUAL, "
      "hidden INT INVISIBLE DEFAULT 5";
  if (random.chance(50)) {
    out.opaque_moves = true;
    out.rest +=
        ", changed TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE"
        " CURRENT_TIMESTAMP(6)";
  }
  return out;
}

Table odd_pair(Random& random) {
  Table out = table("`odd pair`", Key::pair);
  const KeyType& type = random.of(key_types());
  out.key_type = type.name;
  out.key_literal = type.literal;
  add_columns(&out, 2, random);
  return out;
}

Table cased(Random& random) {
  Table out = table("Cased", Key::text);
  out.key_type = "VARCHAR(20) COLLATE utf8mb4_general_ci";
  out.key_literal = cased_key;
  add_columns(&out, 2, random);
  return out;
}

Table followers() {
  Table out = table("followers", Key::chosen);
  out.parent = "movers";
  out.parent_rule = "ON UPDATE CASCADE ON DELETE SET NULL";
  return out;
}

Table in_parts(Random& random) {
  Table out = table("`in parts`", Key::chosen);
  add_columns(&out, 2, random);
  out.tail = random.chance(50)
                 ? " PARTITION BY HASH (id) PARTITIONS 3"
                 : " PARTITION BY RANGE (id) (PARTITION a VALUES LESS THAN (10), PARTITION b VALUES"
                   " LESS THAN (25), PARTITION c VALUES LESS THAN MAXVALUE)";
  return out;
}

Table numbered() {
  Table out = table("numbered", Key::chosen);
  out.key_type = "INTEGER DEFAULT NEXTVAL(`the numbers`)";
  return out;
}

/// Whoever writes `watched` changes `noted` by triggers.
void add_watched(Schema* schema) {
  Table watched = table("watched", Key::text);
  watched.columns.push_back(numbers("c1"));
  schema->tables.push_back(watched);
  schema->before.emplace_back(
      "CREATE TABLE noted (id VARCHAR(40) COLLATE utf8mb4_bin PRIMARY KEY, inserted INT NOT NULL"
      " DEFAULT 0, updated INT NOT NULL DEFAULT 0, gone INT NOT NULL DEFAULT 0)");
  const std::string add = " ON DUPLICATE KEY UPDATE ";
  schema->after.push_back(
      "CREATE TRIGGER comes AFTER INSERT ON watched FOR EACH ROW INSERT INTO noted (id, inserted)"
      " VALUES (NEW.id, 1)" +
      add + "inserted = inserted + 1");
  schema->after.push_back(
      "CREATE TRIGGER stays AFTER UPDATE ON watched FOR EACH ROW INSERT INTO noted (id, updated)"
      " VALUES (NEW.id, 1)" +
      add + "updated = updated + 1");
  schema->after.push_back(
      "CREATE TRIGGER goes AFTER DELETE ON watched FOR EACH ROW INSERT INTO noted (id, gone)"
      " VALUES (OLD.id, 1)" +
      add + "gone = gone + 1");
}

}  // namespace

void widen_mariadb(Schema* schema, Random& random) {
  // Read only: what is written to tables of another database is counted as not captured.
  schema->before.emplace_back("CREATE DATABASE IF NOT EXISTS test_beside");
  schema->before.emplace_back(
      "CREATE TABLE IF NOT EXISTS test_beside.numbers (id INT PRIMARY KEY) AS SELECT seq AS id"
      " FROM seq_1_to_40");
  schema->before.emplace_back("CREATE SEQUENCE `the numbers` START WITH 1000");
  schema->tables.push_back(every_type(random));
  schema->tables.push_back(odd_pair(random));
  schema->tables.push_back(cased(random));
  schema->tables.push_back(table("movers", Key::chosen));
  schema->tables.push_back(followers());
  schema->tables.push_back(in_parts(random));
  schema->tables.push_back(numbered());
  Table bag = table("bag", Key::none);
  add_columns(&bag, 2, random);
  schema->tables.push_back(bag);
  add_watched(schema);
}

}  // namespace fidelity
