#include "tests/engine/fidelity/generator.h"
#include "tests/engine/fidelity/postgresql.h"

namespace fidelity {
namespace {

constexpr int kBigBytes = 100 * 1024;

struct Type {
  const char* sql;
  const char* fallback;  // DEFAULT; empty: none
  std::string (*literal)(Random&);
};

std::string date(Random& random) {
  return random.pick({"'2024-02-29'", "'infinity'", "'0044-03-15 BC'", "CURRENT_DATE", "'now'",
                      "'294276-12-31'", "DATE '1999-12-31'"});
}

std::string time_of_day(Random& random) {
  return random.pick({"'23:59:59.999999'", "'24:00:00'", "LOCALTIME", "'00:00'", "'now'"});
}

std::string zoned_time(Random& random) {
  return random.pick({"'12:00:00+05:30'", "'23:59:59.5-08'", "CURRENT_TIME", "'08:00'"});
}

std::string bare_moment(Random& random) {
  return random.pick({"'infinity'", "LOCALTIMESTAMP", "'2020-01-01 00:00:00.000001'", "'today'",
                      "'4713-01-01 12:00 BC'", "TIMESTAMP '2030-06-07 08:09'"});
}

std::string interval(Random& random) {
  return random.pick({"'1 year 2 mons -3 days 04:05:06.789'", "'-1 day'", "'PT0S'",
                      "'-00:00:00.000001'", "INTERVAL '36 hours'", "'1 mon'", "'30 days'"});
}

std::string uuid(Random& random) {
  if (random.chance(30)) return "gen_random_uuid()";
  return "'6f1ed002-ab5f-4a0c-8b6e-0000000000" + std::to_string(10 + random.below(90)) + "'";
}

std::string numbers(Random& random) {
  return random.pick({"'{1,NULL,-3}'", "'{}'", "'{{1,2},{3,4}}'", "ARRAY[7, 8]", "'[0:1]={1,2}'"});
}

std::string texts(Random& random) {
  return random.pick({R"('{"a,b","quote \" it''s",NULL,"NULL","",Ä}')", R"('{"back\\slash","{}"}')",
                      "ARRAY['x', 'it''s']", "'{\" \"}'"});
}

std::string any_numeric(Random& random) {
  return random.pick({"'NaN'", "1e-30", "99999.125", "0.00", "1.500", "-7", "1.5"});
}

std::string fixed_text(Random& random) {
  return random.pick({"'ab'", "'ab   '", "''", "'12345'", "'Ä€'", "'B'"});
}

std::string short_text(Random& random) {
  return random.pick({"'x  '", "''", "'Größe'", "'ten bytes.'", "'B'"});
}

std::string mood(Random& random) {
  return random.pick({"'sad'", "'ok'", "'it''s happy'"});
}

std::string positive(Random& random) {
  return std::to_string(random.below(100));  // 0 is refused
}

std::string bits(Random& random) {
  return random.pick({"B'1010101'", "'0000000'", "'1100110'"});
}

std::string some_bits(Random& random) {
  return random.pick({"B'10'", "''", "'111111111'"});
}

std::string address(Random& random) {
  return random.pick({"'10.0.0.1/8'", "'::1'", "'192.168.0.1'", "'fe80::/10'"});
}

std::string json_as_written(Random& random) {
  return random.pick({"'{\"a\":1, \"a\" :2}'", "'[]'", "'  \"x\"'", "'1e2'"});
}

std::string range_of_numbers(Random& random) {
  return random.pick({"'[1,5)'", "'(,3]'", "'empty'", "int4range(2, 9)", "'(1,1]'"});
}

std::string spot(Random& random) {
  return random.pick({"'(1,\"it''s\")'", "ROW(2, NULL)", "'(,)'"});
}

/// Of a key that may be of a collation that tells no capitals from small letters.
std::string name(Random& random) {
  return random.pick({"'k", "'K"}) + std::to_string(1 + random.below(kKeysMax)) + "'";
}

std::string letters(Random& random) {
  return random.pick({"'a'", "'A'", "'ä'", "'B'", "'b'"});
}

std::string single(Random& random) {
  return random.pick({"0.1", "1e-40", "'NaN'", "'-Infinity'", "16777217", "-0.0"});
}

std::string small(Random& random) {
  return random.pick({"32767", "-32768", "5", "0"});
}

std::string big_text(Random& random) {
  if (!random.chance(2)) return "'" + word(random) + "'";
  if (random.chance(50)) return "repeat('ab€', " + std::to_string(kBigBytes / 5) + ")";
  return "'" + std::string(kBigBytes, static_cast<char>('a' + random.below(26))) + "'";
}

std::string big_bytes(Random& random) {
  if (!random.chance(2)) return random.pick({"'\\x00ff'", "''", "'\\x'", "'\\000a'"});
  return "decode(repeat('00ff', " + std::to_string(kBigBytes / 2) + "), 'hex')";
}

std::string money(Random& random) {
  return random.pick({"'12.34'", "-5", "'0'"});
}

const std::vector<Type>& types() {
  static const std::vector<Type> all = {
      {"DATE", "CURRENT_DATE", date},
      {"TIME", "", time_of_day},
      {"TIME WITH TIME ZONE", "", zoned_time},
      {"TIMESTAMP", "LOCALTIMESTAMP", bare_moment},
      {"TIMESTAMP(3)", "", bare_moment},
      {"INTERVAL", "", interval},
      {"UUID", "gen_random_uuid()", uuid},
      {"INTEGER[]", "'{}'", numbers},
      {"TEXT[]", "", texts},
      {"NUMERIC", "", any_numeric},
      {"NUMERIC(8, 2)", "", any_numeric},
      {"CHAR(5)", "'-'", fixed_text},
      {"VARCHAR(10)", "", short_text},
      {"mood", "'ok'", mood},
      {"positive", "", positive},
      {"BIT(7)", "", bits},
      {"BIT VARYING(9)", "", some_bits},
      {"INET", "", address},
      {"JSON", "", json_as_written},
      {"INT4RANGE", "", range_of_numbers},
      {"spot", "", spot},
      {"TEXT COLLATE \"C\"", "", letters},
      {"TEXT COLLATE caseless", "", letters},
      {"REAL", "", single},
      {"SMALLINT", "3", small},
      {"TEXT", "", big_text},
      {"BYTEA", "", big_bytes},
      {"MONEY", "", money},
  };
  return all;
}

Column column_of(Random& random, const std::string& name) {
  const Type& type = random.of(types());
  Column out;
  out.name = name;
  out.type = type.sql;
  out.literal = type.literal;
  out.nullable = random.chance(85);
  if (random.chance(40)) out.fallback = type.fallback;
  return out;
}

std::string column_name(Random& random, int number) {
  static constexpr const char* kNames[] = {"\"a b\"",      "\"we\"\"ird\"", "\"a?b\"",
                                           "\"Änderung\"", "\"select\"",    "plain"};
  return random.chance(60) ? kNames[number % 6] : "x" + std::to_string(number);
}

void add_columns(Table* table, Random& random, int count) {
  const int first = random.below(6);
  for (int i = 0; i < count; ++i) {
    table->columns.push_back(column_of(random, column_name(random, first + i)));
  }
}

Table table_of(Random& random, const std::string& name, Key key) {
  Table out;
  out.name = name;
  out.key = key;
  if (key != Key::none) out.key_columns.push_back("\"id\"");
  if (key == Key::pair) out.key_columns.push_back("\"part\"");
  out.columns.push_back({"\"c0\"", Kind::integer, true, "", "", nullptr});
  add_columns(&out, random, 1 + random.below(4));
  return out;
}

/// What statements call: rows that are always there, so that a call depends on what it locks alone.
void add_functions(Schema* schema) {
  schema->after.insert(schema->after.end(),
                       {"CREATE TABLE calls (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)",
                        "CREATE FUNCTION bump(k INTEGER) RETURNS INTEGER LANGUAGE sql AS "
                        "'UPDATE public.calls SET n = n + 1 WHERE id = k RETURNING n'",
                        "CREATE PROCEDURE bump_both(a INTEGER, b INTEGER) LANGUAGE sql AS "
                        "'UPDATE public.calls SET n = n + id WHERE id IN (a, b)'"});
}

/// A role is the server's, not the database's: it may be there already.
void add_role(Schema* schema) {
  schema->before.push_back(
      "DO $$ BEGIN CREATE ROLE fidelity; EXCEPTION WHEN duplicate_object OR unique_violation "
      "THEN NULL; END $$");
  schema->after.insert(schema->after.end(),
                       {"GRANT USAGE ON SCHEMA more TO fidelity",
                        "GRANT ALL ON ALL TABLES IN SCHEMA public, more TO fidelity",
                        "GRANT ALL ON ALL SEQUENCES IN SCHEMA public, more TO fidelity"});
}

/// A table that has what makes another row's columns from its own, or from other rows'.
void make_generated(Table* table) {
  table->rest = "\"made\" BIGINT GENERATED ALWAYS AS (\"c0\" * 2) STORED";
}

void add_partitioned(Schema* schema, Random& random) {
  Table table = table_of(random, "parts", Key::pair);
  const int by = random.below(3);
  if (by == 0) {
    table.tail = " PARTITION BY LIST (\"part\")";
    schema->after.insert(schema->after.end(),
                         {"CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN (0, 1)",
                          "CREATE TABLE parts_b PARTITION OF parts FOR VALUES IN (2, 3)",
                          "CREATE TABLE parts_c PARTITION OF parts DEFAULT"});
  } else if (by == 1) {
    table.tail = " PARTITION BY RANGE (\"id\")";
    schema->after.insert(
        schema->after.end(),
        {"CREATE TABLE parts_a PARTITION OF parts FOR VALUES FROM (MINVALUE) TO (10)",
         "CREATE TABLE parts_b PARTITION OF parts FOR VALUES FROM (10) TO (25)",
         "CREATE TABLE parts_c PARTITION OF parts FOR VALUES FROM (25) TO (MAXVALUE)"});
  } else {
    table.tail = " PARTITION BY HASH (\"part\", \"id\")";
    schema->after.insert(
        schema->after.end(),
        {"CREATE TABLE parts_a PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
         "CREATE TABLE parts_b PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1)"});
  }
  schema->tables.push_back(std::move(table));
}

void add_inherited(Schema* schema, Random& random) {
  Table ancestor = table_of(random, "ancestor", Key::chosen);
  Table heir = ancestor;
  ancestor.random = false;  // its UPDATE and DELETE are opaque
  heir.name = "heir";
  heir.tail = " INHERITS (ancestor)";
  schema->tables.push_back(std::move(ancestor));
  schema->tables.push_back(std::move(heir));
}

void add_deferred(Schema* schema, Random& random) {
  Table late = table_of(random, "late", Key::chosen);
  late.columns.push_back({"\"v\"", Kind::integer, true, "", "", nullptr});
  late.rest = "UNIQUE (\"v\") DEFERRABLE INITIALLY DEFERRED";
  schema->tables.push_back(std::move(late));
  const std::string parent = schema->tables[1].name;
  Table orphans = table_of(random, "\"late kids\"", Key::chosen);
  orphans.parent = parent;
  orphans.parent_rule = "ON UPDATE CASCADE ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED";
  schema->tables.push_back(std::move(orphans));
  Table strict = table_of(random, "strict_kids", Key::generated);
  strict.parent = parent;
  strict.parent_rule = "DEFERRABLE INITIALLY DEFERRED";
  schema->tables.push_back(std::move(strict));
}

void add_watched(Schema* schema, Random& random) {
  Table watched = table_of(random, "watched", Key::chosen);
  watched.columns.push_back({"\"note\"", Kind::text, true, "", "", nullptr});
  watched.triggers = true;
  schema->tables.push_back(std::move(watched));
  schema->after.insert(
      schema->after.end(),
      {"CREATE TABLE seen (id INTEGER PRIMARY KEY, changes INTEGER NOT NULL, note TEXT)",
       "CREATE FUNCTION tidy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
       "NEW.note := lower(trim(NEW.note)); "
       "IF NEW.c0 = 13 THEN RETURN NULL; END IF; RETURN NEW; END $$",
       "CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
       "INSERT INTO public.seen VALUES (coalesce(NEW.id, OLD.id), 1, NEW.note) "
       "ON CONFLICT (id) DO UPDATE SET changes = seen.changes + 1, note = excluded.note; "
       "RETURN NULL; END $$",
       "CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON watched "
       "FOR EACH ROW EXECUTE FUNCTION tidy()",
       "CREATE TRIGGER watch AFTER INSERT OR UPDATE OR DELETE ON watched "
       "FOR EACH ROW EXECUTE FUNCTION watch()"});
}

void add_schemas(Schema* schema, Random& random) {
  Table names = table_of(random, "more.names", Key::text);
  names.key_type = random.pick({"TEXT COLLATE \"C\"", "TEXT COLLATE caseless", "VARCHAR(20)"});
  names.key_literal = name;
  schema->tables.push_back(std::move(names));
  Table twin = schema->tables[0];  // unqualified it is one or the other by the search path
  twin.name = "more." + twin.name;
  twin.view.clear();
  schema->tables.push_back(std::move(twin));
}

}  // namespace

void widen_postgresql(Schema* schema, Random& random) {
  schema->before = {
      "CREATE SCHEMA more",
      "CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s happy')",
      "CREATE DOMAIN positive AS INTEGER CHECK (VALUE > 0)",
      "CREATE TYPE spot AS (x INTEGER, name TEXT)",
      "CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', "
      "deterministic = false)",
      "CREATE SEQUENCE counter MINVALUE 1 MAXVALUE 40 CYCLE",
  };
  for (Table& table : schema->tables) add_columns(&table, random, random.below(4));
  Table always = table_of(random, "always", Key::generated);
  always.key_type = "INTEGER GENERATED ALWAYS AS IDENTITY";
  always.unique = "\"u\"";
  make_generated(&always);
  schema->tables.push_back(std::move(always));
  add_schemas(schema, random);
  add_partitioned(schema, random);
  add_inherited(schema, random);
  add_deferred(schema, random);
  add_watched(schema, random);
  Table by_hand = table_of(random, "by_hand", Key::chosen);
  by_hand.key_type = "SERIAL";
  make_generated(&by_hand);
  schema->tables.push_back(std::move(by_hand));
  add_functions(schema);
  add_role(schema);
}

}  // namespace fidelity
