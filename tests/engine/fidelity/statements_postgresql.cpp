#include "tests/engine/fidelity/generator.h"
#include "tests/engine/fidelity/postgresql.h"

namespace fidelity {
namespace {

using Steps = std::vector<Sql>;

/// The text of a value as a program binds it; nothing where only the server knows what it is.
bool bound_text(const std::string& literal, std::optional<std::string>* out) {
  if (literal == "NULL") return out->reset(), true;
  if (literal == "'now'" || literal == "'today'") return false;  // see README.md
  if (literal.front() != '\'') {
    *out = literal;
    return literal.find_first_not_of("0123456789.-e") == std::string::npos;
  }
  std::string text;
  for (std::size_t i = 1; i + 1 < literal.size(); ++i) {
    text += literal[i];
    if (literal[i] == '\'') ++i;
  }
  *out = text;
  return true;
}

/// What is left out stands in README.md.
class Postgresql {
 public:
  Postgresql(const Schema& schema, Random& random) : schema_(schema), random_(random) {}

  Steps make() {
    using Make = Steps (Postgresql::*)();
    static const std::vector<Make> any = {
        &Postgresql::marked,       &Postgresql::marked,   &Postgresql::marked,
        &Postgresql::prepared,     &Postgresql::assigns,  &Postgresql::assigns,
        &Postgresql::upsert_where, &Postgresql::fails,    &Postgresql::moves_part,
        &Postgresql::partition,    &Postgresql::defaults, &Postgresql::noise,
        &Postgresql::noise,        &Postgresql::counted,  &Postgresql::locked_first,
        &Postgresql::ancestor,     &Postgresql::opaque,   &Postgresql::deferred,
        &Postgresql::nested,       &Postgresql::together, &Postgresql::returning,
        &Postgresql::temporary,    &Postgresql::settings};
    return random_.chance(60) ? Steps{one().make()} : (this->*random_.of(any))();
  }

 private:
  Generator one() { return Generator(schema_, random_); }
  Generator one(const std::string& table) {
    for (const Table& each : schema_.tables) {
      if (each.name == table) return Generator(schema_, random_, each);
    }
    return one();
  }
  std::string number(int bound) { return std::to_string(random_.below(bound)); }

  /// A statement without markers.
  std::string plain(Generator* out, bool moves = true) {
    using Make = Sql (Generator::*)();
    static const std::vector<Make> all = {&Generator::insert,        &Generator::insert_many,
                                          &Generator::update_range,  &Generator::update_by_key,
                                          &Generator::delete_by_key, &Generator::delete_range,
                                          &Generator::upsert,        &Generator::move_one};
    for (;;) {
      const std::size_t last = all.size() - (moves ? 0 : 1);
      const Sql sql =
          (out->*all[static_cast<std::size_t>(random_.below(static_cast<int>(last)))])();
      if (sql.values.empty()) return sql.text;
    }
  }
  std::string plain() {
    Generator any = one();
    return plain(&any);
  }

  // --- Values that are bound ---

  /// A marker and its value, or the literal.
  std::string marker(const std::string& literal, Sql* out) {
    std::optional<std::string> text;
    if (random_.chance(20) || !bound_text(literal, &text)) return literal;
    out->values.push_back(std::move(text));
    return "?";
  }
  Steps marked() {
    Generator any = one();
    const Table& table = any.table();
    Sql out;
    switch (table.key == Key::none ? 0 : random_.below(4)) {
      case 0:
        out = marked_insert(&any);
        break;
      case 1:
        out.text = "DELETE FROM " + table.name + " WHERE ";
        out.text += table.key_columns[0] + " = " + marker(key_value(table, random_), &out) +
                    " AND \"c0\" > " + marker(number(1000), &out);
        break;
      default: {
        const Column& column = random_.of(table.columns);
        out.text = "UPDATE " + table.name + " SET " + column.name + " = ";
        out.text += marker(any.given_value(column), &out);
        out.text += " WHERE " + table.key_columns[0] + " = ";
        out.text += marker(key_value(table, random_), &out);
        if (table.key == Key::pair) {
          out.text += " AND " + table.key_columns[1] + " = " + marker(number(5), &out);
        }
      }
    }
    return {out};
  }
  Sql marked_insert(Generator* any) {
    const Table& table = any->table();
    Sql out;
    out.text = "INSERT INTO " + table.name + any->columns() + " VALUES (";
    std::string values;
    if (!any->generates()) {
      for (std::size_t i = 0; i < table.key_columns.size(); ++i) {
        values += ", " + marker(i == 0 ? key_value(table, random_) : number(5), &out);
      }
    }
    for (const Column& column : table.columns) {
      if (any->given(column)) values += ", " + marker(any->given_value(column), &out);
    }
    if (!table.unique.empty()) values += ", " + marker(number(400), &out);
    if (!table.parent.empty()) values += ", " + marker(number(kKeysMax), &out);
    out.text += values.substr(2) + ")";
    return out;
  }

  /// Texts that the session keeps under one of a few names.
  Steps prepared() {
    const std::string name = random_.pick({"p1", "p2", "\"p 3\""});
    const int draw = random_.below(10);
    if (draw < 6) return {{"EXECUTE " + name + " (" + number(900) + ", " + number(40) + ")", {}}};
    if (draw < 7) return {{"DEALLOCATE " + name, {}}};
    const Table& table = one().table();
    if (table.key == Key::none || table.key == Key::text || random_.chance(30)) {
      return {{"PREPARE " + name + " (int, int) AS DELETE FROM " + table.name +
                   " WHERE \"c0\" BETWEEN $1 AND $1 + $2",
               {}}};
    }
    return {{"PREPARE " + name + " (int, int) AS UPDATE " + table.name + " SET \"c0\" = $1 WHERE " +
                 table.key_columns[0] + " = $2",
             {}}};
  }

  // --- What statements write ---

  Steps upsert_where() {
    Generator any = one();
    std::string text = any.upsert().text;
    if (text.find(" DO UPDATE SET ") == std::string::npos) return {{text, {}}};
    text += ", \"c0\" = coalesce(excluded.\"c0\", " + any.table().name + ".\"c0\") + 1 WHERE ";
    text += random_.chance(50) ? any.table().name + ".\"c0\"" : "excluded.\"c0\"";
    return {{text + " < " + number(900), {}}};
  }

  Steps assigns() {
    Generator any = one();
    const Table& table = any.table();
    const Column& column = random_.of(table.columns);
    const std::string start = "UPDATE " + table.name + " SET ";
    const std::string where = " WHERE " + any.range();
    const std::string other = one().table().name;
    if (&column == table.columns.data()) {
      return {{start + "\"c0\" = (SELECT count(*) FROM " + other + ")" + where, {}}};
    }
    switch (random_.below(4)) {
      case 0:
        return {{start + "(\"c0\", " + column.name + ") = (SELECT max(\"c0\"), " +
                     any.given_value(column) + " FROM " + other + ")" + where,
                 {}}};
      case 1:
        return {
            {start + "(\"c0\", " + column.name + ") = (" + number(900) + ", DEFAULT)" + where, {}}};
      case 2:
        return {
            {start + column.name + " = DEFAULT, \"c0\" = length(" + column.name + "::text)" + where,
             {}}};
      default:
        return {{start + column.name + " = s." + column.name + ", \"c0\" = s.\"c0\" FROM " +
                     table.name + " AS s WHERE s.\"c0\" = " + table.name + ".\"c0\" + 1 AND s." +
                     any.range(),
                 {}}};
    }
  }

  /// A statement that fails when it has written some of its rows.
  Steps fails() {
    Generator any = one();
    if (random_.chance(50)) {
      return {{"UPDATE " + any.table().name + " SET \"c0\" = 100 / (\"c0\" - " + number(900) +
                   ") WHERE " + any.range(),
               {}}};
    }
    const std::string text = any.insert_many().text;
    return {{text + ", " + text.substr(text.find(" VALUES ") + 8), {}}};
  }

  Steps moves_part() {
    const std::string range = one("parts").range();
    if (random_.chance(50)) {
      return {{"UPDATE parts SET \"part\" = (\"part\" + 1) % 5 WHERE " + range, {}}};
    }
    return {{"UPDATE parts SET \"part\" = " + number(5) + ", \"id\" = " + number(40) + " WHERE " +
                 one("parts").by_key(),
             {}}};
  }
  Steps partition() {
    Generator part = one("parts");
    part.write_to(random_.pick({"parts_a", "parts_b", "public.parts_a"}));
    return {{plain(&part), {}}};
  }

  Steps defaults() {
    Generator any = one("always");
    std::string text = any.insert().text;
    switch (random_.below(4)) {
      case 0:
        return {{"INSERT INTO " + any.table().name + " DEFAULT VALUES", {}}};
      case 1:  // an id that is given, where the server would make it
        text.replace(text.find(" (\"c0\""), 2, " (\"id\", ");
        return {{text.replace(text.find(" VALUES ("), 9,
                              " OVERRIDING SYSTEM VALUE VALUES (" + number(2000) + ", "),
                 {}}};
      case 2:
        text.replace(text.find(" (\"c0\""), 2, " (\"id\", ");
        return {{text.replace(text.find(" VALUES ("), 9,
                              " OVERRIDING USER VALUE VALUES (" + number(2000) + ", "),
                 {}}};
      default:
        return {{"INSERT INTO more.names (\"id\", \"c0\") VALUES (lower('K" + number(40) + "'), " +
                     "DEFAULT) ON CONFLICT DO NOTHING",
                 {}}};
    }
  }

  /// What a reader of texts has to pass over.
  Steps noise() {
    Generator any = one();
    const std::string text = plain(&any);
    const std::size_t space = text.find(' ');
    const std::string gap = random_.pick(
        {"/* ? ; it's */", "--it's ?;\n", "/* a /* b */ c */", "\t", "\n\n", " -- \" \n"});
    std::string out = text.substr(0, space) + " " + gap + text.substr(space);
    if (random_.chance(30)) out += random_.pick({";", " ;  ", " -- the end", "/* ' */"});
    const std::size_t quote = out.find("= 'a");
    if (quote != std::string::npos) out.replace(quote, 4, "= E'\\x61");
    return {{out, {}}};
  }

  Steps counted() {
    Generator any = one("by_hand");
    std::string text = any.insert().text;
    const std::size_t at = text.find(" VALUES (") + 9;
    text.replace(at, text.find(',', at) - at, "nextval('counter')");
    const std::string next = random_.pick({"SELECT currval('counter')", "SELECT lastval()",
                                           "SELECT nextval('counter'), nextval('counter')"});
    return {{text + " ON CONFLICT DO NOTHING", {}}, {next, {}}};
  }

  /// Rows that are in each other's way until COMMIT.
  Steps deferred() {
    const std::string a = number(kKeysMax);
    const std::string b = number(kKeysMax);
    switch (random_.below(3)) {
      case 0:
        return {{"UPDATE late SET \"v\" = \"v\" + 1 WHERE " + one("late").range(), {}}};
      case 1:
        return {
            {"UPDATE late SET \"v\" = " + a + " WHERE \"id\" = " + b, {}},
            {"UPDATE late SET \"v\" = " + b + " WHERE \"v\" = " + a + " AND \"id\" <> " + b, {}}};
      default:
        return {{"UPDATE late SET \"v\" = CASE \"id\" WHEN " + a + " THEN " + b + " ELSE " + a +
                     " END WHERE \"id\" IN (" + a + ", " + b + ")",
                 {}}};
    }
  }

  /// Savepoints within each other, of which some are gone back to.
  Steps nested() {
    const std::string outer = "outer" + number(1 << 20);
    const std::string inner = "\"in " + number(1 << 20) + '"';
    Steps out = {{"SAVEPOINT " + outer, {}},
                 one().insert(),
                 {"SAVEPOINT " + inner, {}},
                 {plain(), {}},
                 {plain(), {}}};
    if (random_.chance(70)) {
      out.push_back({"ROLLBACK TO " + (random_.chance(50) ? outer : inner), {}, true});
      out.push_back({plain(), {}});
    }
    if (random_.chance(50)) out.push_back({"RELEASE SAVEPOINT " + outer, {}});
    return out;
  }

  /// Several statements in a text.
  Steps together() {
    std::string out = plain() + "; " + plain();
    if (random_.chance(30)) out += " ; SELECT count(*) FROM " + one().table().name + "; " + plain();
    return {{out, {}}};
  }

  /// UPDATEs of keys, and of tables without one, are opaque then. Rows of large values are more
  /// than is kept of such a statement.
  Steps returning() {
    Generator any = one();
    const Table& table = any.table();
    if (table.key == Key::none || table.holds_large()) return {any.insert()};
    return {{plain(&any, false) + " RETURNING " +
                 random_.pick({"*", "\"c0\"", "now(), \"c0\" + 1 AS n"}),
             {}}};
  }

  /// Rows that go through a table of the session's.
  Steps temporary() {
    Generator any = one();
    const std::string table = any.table().name;
    return {{"CREATE TEMPORARY TABLE IF NOT EXISTS scratch (n int, c0 int)", {}},
            {"INSERT INTO scratch SELECT \"c0\" % 100, 1 FROM " + table + " WHERE " + any.range() +
                 " LIMIT 5",
             {}},
            {"UPDATE " + table + " SET \"c0\" = s.n + 1 FROM scratch AS s WHERE " + table +
                 ".\"c0\" = s.n",
             {}},
            {"DELETE FROM scratch WHERE n < " + number(100), {}}};
  }

  Steps settings() {
    const std::string set = random_.chance(30) ? "SET LOCAL " : "SET ";
    switch (random_.below(4)) {
      case 0:
        return {{set + "TIME ZONE " + random_.pick({"'Asia/Tokyo'", "'UTC'", "-3"}), {}},
                one().insert(),
                {plain(), {}}};
      case 1:
        return {{"RESET TIME ZONE", {}}, {plain(), {}}};
      case 2:
        return {{set + "search_path TO " + random_.pick({"more, public", "public", "public, more"}),
                 {}},
                {plain(), {}},
                {"UPDATE names SET \"c0\" = " + number(900) + " WHERE " + one("more.names").range(),
                 {}}};
      default:
        return {{"RESET search_path", {}}, {plain(), {}}};
    }
  }

  Steps locked_first() {
    Generator any = one();
    const Table& table = any.table();
    if (table.key == Key::none) return {{plain(&any), {}}};
    const std::string& key = table.key_columns[0];
    return {{"WITH l AS (SELECT " + key + " AS k FROM " + table.name + " WHERE " + any.range() +
                 " FOR UPDATE) UPDATE " + table.name + " AS t SET \"c0\" = " + number(900) +
                 " FROM l WHERE t." + key + " = l.k",
             {}}};
  }

  Steps ancestor() {
    return {{random_.chance(80) ? one("ancestor").insert().text
                                : "SELECT count(*), max(\"c0\") FROM ancestor",
             {}}};
  }

  /// What is opaque and exact all the same: it locks what it reads.
  Steps opaque() {
    if (!random_.chance(30)) return {one().read()};
    switch (random_.below(4)) {
      case 1:
        return {{"DO $$ BEGIN PERFORM bump(" + number(kKeysMax) + "); END $$", {}}};
      case 2:
        return {{"CALL bump_both(" + number(kKeysMax) + ", " + number(kKeysMax) + ")", {}}};
      default:
        return {{"SELECT bump(" + number(kKeysMax) + ")", {}}};
    }
  }

  const Schema& schema_;
  Random& random_;
};

}  // namespace

std::vector<Sql> postgresql_statements(const Schema& schema, Random& random) {
  return Postgresql(schema, random).make();
}

}  // namespace fidelity
