// PostgreSQL 13 and later through psqlodbc.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>

#include "journal/segment_map.h"
#include "replayer/dialect/counterpart.h"
#include "replayer/dialect/postgresql_catalog.h"
#include "replayer/dialect/sql_text.h"

namespace understudy {
namespace {

// Measured with psqlodbc 13.02, ten columns: 20,000 rows a second one by one, 70,000 to 100,000
// with 10 to 100 rows in a statement, less again with 1000. The protocol's limit is 65535
// parameters.
constexpr std::size_t kInsertParametersMax = 1000;
constexpr std::size_t kInsertRowsMax = 100;
constexpr std::int64_t kClockUncertainUs = 1'000'000;  // steps of clocks, and their reading

constexpr std::string_view kSequences = R"(
WITH feeds AS (
  SELECT p.objid AS sequence, p.refobjid AS relation, p.refobjsubid AS attribute FROM pg_depend p
  WHERE p.classid = 'pg_class'::regclass AND p.refclassid = 'pg_class'::regclass
    AND p.deptype IN ('a', 'i') AND p.refobjsubid > 0
  UNION
  SELECT p.refobjid, d.adrelid, d.adnum FROM pg_depend p JOIN pg_attrdef d ON d.oid = p.objid
  WHERE p.classid = 'pg_attrdef'::regclass AND p.refclassid = 'pg_class'::regclass)
SELECT DISTINCT ON (s.schemaname, s.sequencename) s.schemaname::text, s.sequencename::text,
  t.relname::text, a.attname::text, coalesce(s.last_value, s.start_value)::text,
  (s.last_value IS NOT NULL)::text, (s.increment_by > 0)::text
FROM pg_sequences s JOIN pg_namespace n ON n.nspname = s.schemaname
  JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = s.sequencename
  LEFT JOIN feeds f ON f.sequence = c.oid LEFT JOIN pg_class t ON t.oid = f.relation
  LEFT JOIN pg_attribute a ON a.attrelid = f.relation AND a.attnum = f.attribute
WHERE left(s.schemaname, 3) <> 'pg_'
ORDER BY s.schemaname, s.sequencename, t.relname, a.attname)";

// The type to cast a parameter to. Without length where an explicit cast would cut the value in
// silence: the assignment to the column then refuses what is too long.
std::string cast_type(const Column& column) {
  std::string_view type = column.type;
  std::string_view array;
  if (type.ends_with("[]")) array = type.substr(type.find("[]"));
  type.remove_suffix(array.size());
  const auto base = type.substr(0, type.find('('));
  std::string out(type);
  if (base == "character varying") out = "varchar";
  if (base == "character") out = "bpchar";
  if (base == "bit" || base == "bit varying") out = "varbit";
  return out.append(array);
}

struct SequenceRow {
  SequenceState state;
  bool ascending = true;
};

std::vector<SequenceRow> sequence_rows(odbc::Connection& db) {
  std::vector<SequenceRow> out;
  for (const auto& row : read_rows(db, kSequences)) {
    auto& [state, ascending] = out.emplace_back();
    state.schema = *row[0];
    state.name = *row[1];
    state.table = row[2].value_or("");
    state.column = row[3].value_or("");
    state.last_value = std::strtoll(row[4]->c_str(), nullptr, 10);
    state.is_called = row[5] == "true";
    ascending = row[6] == "true";
  }
  return out;
}

// The shadow's counterpart: what feeds the same column, otherwise what has the same name.
const SequenceRow* counterpart(const std::vector<SequenceRow>& shadow,
                               const SequenceState& wanted) {
  for (const auto& row : shadow) {
    const bool same_schema = wanted.schema.empty() || row.state.schema == wanted.schema;
    const bool same_column = wanted.column.empty() || row.state.column == wanted.column;
    const bool same_table = !wanted.table.empty() && row.state.table == wanted.table;
    if (same_schema && same_table && same_column) return &row;
  }
  for (const auto& row : shadow) {
    if (row.state.schema == wanted.schema && row.state.name == wanted.name) return &row;
  }
  return nullptr;
}

// What another engine tells of its generated keys has no schema: it is the shadow's default one.
SequenceState at_home(const SequenceState& wanted, const Catalog& shadow) {
  if (!wanted.schema.empty() || shadow.search_path.empty()) return wanted;
  SequenceState out = wanted;
  out.schema = shadow.search_path.front();
  if (wanted.table.empty()) return out;
  const Table* table = counterpart_of("", wanted.table, Dialect::generic, shadow);
  if (table == nullptr) return out;
  out.table = table->name;
  const auto column = table->column(wanted.column);
  if (column) out.column = table->columns[*column].name;
  return out;
}

class PostgresqlDialect final : public WrittenDialect {
 public:
  [[nodiscard]] Dialect kind() const override { return Dialect::postgresql; }

  [[nodiscard]] std::string quote(std::string_view identifier) const override {
    return quoted(identifier, '"');
  }

  Catalog read_catalog(odbc::Connection& db) const override { return read_postgresql_catalog(db); }

  // Names are qualified by the alias: an output column takes the name of what was cast, and
  // ORDER BY would prefer it and sort texts. ONLY, since children by inheritance are tables too.
  // Without a key no ORDER BY: it would sort the rest of the table for every page, and a scan by
  // ctid goes through the heap in its order (synchronized scans are off, see prepare_session).
  std::string page_sql(const Table& table, const std::vector<std::uint32_t>& columns,
                       bool has_after, std::uint64_t limit,
                       const std::vector<std::string>& more) const override {
    const auto name = [&](std::uint32_t c) { return "r." + quote(table.columns[c].name); };
    const auto text = [&](std::uint32_t c) { return name(c) + "::text"; };
    const auto place = [&](std::uint32_t c) { return cast(table.columns[c]); };
    std::string list = join(columns, ", ", text);
    for (const auto& one : more) list.append(list.empty() ? "" : ", ").append(one);
    if (!list.empty()) list += ", ";
    list += table.key.empty() ? "r.ctid::text" : join(table.key, ", ", text);
    const std::string order = table.key.empty() ? "r.ctid" : join(table.key, ", ", name);
    const std::string after = table.key.empty() ? "CAST(? AS tid)" : join(table.key, ", ", place);
    return "SELECT " + list + " FROM ONLY " + qualified(table) + " AS r" +
           (has_after ? " WHERE (" + order + ") > (" + after + ")" : "") +
           (table.key.empty() ? "" : " ORDER BY " + order) + " LIMIT " + std::to_string(limit);
  }

  [[nodiscard]] std::string exact_text(const Column& /*column*/,
                                       const std::string& written) const override {
    return written + "::text";
  }

  [[nodiscard]] std::size_t place_columns(const Table& table) const override {
    return std::max<std::size_t>(table.key.size(), 1);
  }

  std::vector<odbc::Bind> bind_place(const Table& table, const Row& after) const override {
    std::vector<odbc::Bind> out;
    for (std::size_t i = 0; i < after.size(); ++i) {
      const Column* column = table.key.empty() ? nullptr : &table.columns[table.key[i]];
      out.push_back(column != nullptr ? bind(*column, after[i]) : bind(Column(), after[i]));
    }
    return out;
  }

  [[nodiscard]] std::string constant_sql(const Column& column, std::string_view text,
                                         bool number) const override {
    const std::string literal = number ? std::string(text) : quoted(text, '\'');
    return "CAST(" + literal + " AS " + cast_type(column) + ")";
  }

  [[nodiscard]] std::string expression_sql(const Column& column,
                                           std::string_view text) const override {
    return "CAST((" + std::string(text) + ") AS " + cast_type(column) + ")";
  }

  [[nodiscard]] std::string holds_sql(const Column& column, const std::string& sql) const override {
    return "CASE WHEN r." + quote(column.name) +
           "::text COLLATE pg_catalog.\"C\" IS NOT DISTINCT FROM CAST(" + sql + " AS " +
           column.type + ")::text THEN '1' ELSE '0' END";
  }

  std::string insert_sql(const Table& table, const std::vector<std::uint32_t>& columns,
                         std::size_t rows, const std::vector<AddedColumn>& added) const override {
    return insert_statement(pieces(table), columns, rows, " OVERRIDING SYSTEM VALUE", added,
                            in_place());
  }

  using WrittenDialect::bind;

  // VARCHAR parameters reach the server without a type of their own, so the CAST around each
  // decides.
  odbc::Bind bind(const Column& /*column*/, std::optional<std::string_view> exact) const override {
    return text_parameter(exact);
  }

  // Level 0: no savepoint around each statement; the applier rolls a failed batch back as a whole.
  [[nodiscard]] std::string apply_options(std::string_view driver_name) const override {
    if (driver_name.find("psqlodbc") == std::string_view::npos) return {};
    return "Protocol=7.4-0;UseServerSidePrepare=1;UseDeclareFetch=0;";
  }

  void prepare_session(odbc::Connection& db) const override {
    for (const std::string_view setting :
         {"TimeZone = 'UTC'", "DateStyle = 'ISO, MDY'", "IntervalStyle = 'postgres'",
          "extra_float_digits = 3", "bytea_output = 'hex'", "xmloption = 'content'",
          "synchronize_seqscans = off", "max_parallel_workers_per_gather = 0"}) {
      db.run("SET SESSION " + std::string(setting));
    }
  }

  void open_snapshot(odbc::Connection& db) const override {
    prepare_session(db);
    db.set_isolation(SQL_TXN_REPEATABLE_READ);
    db.set_autocommit(false);
    db.run("SET TRANSACTION READ ONLY");
    db.scalar("SELECT 1");  // the snapshot is taken by the first query
  }

  void close_snapshot(odbc::Connection& db) const override {
    db.rollback();
    db.set_autocommit(true);
    db.set_isolation(SQL_TXN_READ_COMMITTED);
  }

  bool snapshot_is_free(odbc::Connection& /*db*/, std::string* /*remedy*/) const override {
    return true;
  }

  // reltuples is of the last ANALYZE, so it is scaled to today's size; -1 (none yet) means
  // guessing.
  std::vector<std::string> rewriting_triggers(odbc::Connection& db) const override {
    // Bits of tgtype: 1 for each row, 2 before, 4 INSERT, 16 UPDATE, 64 instead.
    constexpr const char* kText =
        "SELECT n.nspname || '.' || c.relname || '.' || t.tgname FROM pg_trigger t"
        " JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND t.tgtype & 67 = 3"
        " AND t.tgtype & 20 <> 0 ORDER BY 1";
    std::vector<std::string> out;
    for (const auto& row : read_rows(db, kText)) out.push_back(row[0].value_or(""));
    return out;
  }

  std::vector<TableWrites> table_writes(odbc::Connection& db) const override {
    // What is written through a parent is counted where it comes to stand.
    constexpr std::string_view kWrites = R"(
WITH RECURSIVE family AS (
  SELECT c.oid AS root, c.oid AS member FROM pg_class c WHERE c.relkind IN ('r', 'p')
    AND NOT EXISTS (SELECT 1 FROM pg_inherits i WHERE i.inhrelid = c.oid)
  UNION SELECT f.root, i.inhrelid FROM family f JOIN pg_inherits i ON i.inhparent = f.member)
SELECT rn.nspname || '.' || r.relname, n.nspname || '.' || m.relname,
  coalesce(s.n_tup_ins + s.n_tup_upd + s.n_tup_del, 0)::text
FROM family f JOIN pg_class r ON r.oid = f.root JOIN pg_namespace rn ON rn.oid = r.relnamespace
  JOIN pg_class m ON m.oid = f.member JOIN pg_namespace n ON n.oid = m.relnamespace
  LEFT JOIN pg_stat_user_tables s ON s.relid = f.member
WHERE left(n.nspname, 3) <> 'pg_' AND n.nspname <> 'information_schema'
  AND r.relname <> 'understudy_position'
ORDER BY f.root, f.root <> f.member, f.member)";
    std::vector<TableWrites> out;
    for (const auto& row : read_rows(db, kWrites)) {
      const std::string root = row[0].value_or("");
      const std::string member = row[1].value_or("");
      const std::uint64_t count = std::stoull(row[2].value_or("0"));
      if (member == root) {
        out.push_back({root, count, true});
        continue;
      }
      TableWrites& all = out.back();
      if (all.members.empty()) all.members.push_back(root);
      all.members.push_back(member);
      all.count += count;
    }
    return out;
  }
  [[nodiscard]] double estimated_rows(odbc::Connection& db, const Table& table) const override {
    const auto found = db.scalar(
        "SELECT (CASE WHEN reltuples > 0 AND relpages > 0 THEN reltuples / relpages ELSE 60 END"
        " * (pg_relation_size(oid) / current_setting('block_size')::int))::bigint::text"
        " FROM pg_class WHERE oid = " +
        regclass(qualified(table)));
    return found ? std::strtod(found->c_str(), nullptr) : 0;
  }

  [[nodiscard]] bool enforces_foreign_keys(odbc::Connection& db) const override {
    return db.scalar("SHOW session_replication_role") != "replica";
  }

  [[nodiscard]] std::size_t insert_rows_max(std::size_t columns) const override {
    return std::clamp<std::size_t>(kInsertParametersMax / std::max<std::size_t>(columns, 1), 1,
                                   kInsertRowsMax);
  }

  void before_copy(odbc::Connection& shadow, const Table& table) const override {
    switch_triggers(shadow, table, "DISABLE");
  }

  void after_copy(odbc::Connection& shadow, const Table& table) const override {
    switch_triggers(shadow, table, "ENABLE");
  }

  void empty_table(odbc::Connection& shadow, const Table& table) const override {
    shadow.run("DELETE FROM ONLY " + qualified(table));
  }

  std::vector<SequenceState> read_sequences(odbc::Connection& db) const override {
    std::vector<SequenceState> out;
    for (auto& row : sequence_rows(db)) out.push_back(std::move(row.state));
    return out;
  }

  int set_sequences(odbc::Connection& shadow, const std::vector<SequenceState>& production,
                    const Catalog& shadow_catalog) const override {
    int set = 0;
    const auto standing = sequence_rows(shadow);
    for (const auto& given : production) {
      const SequenceState wanted = at_home(given, shadow_catalog);
      const auto* row = counterpart(standing, wanted);
      if (row == nullptr || !wanted.is_called) continue;
      const auto& [state, ascending] = *row;
      const bool there =
          ascending ? state.last_value >= wanted.last_value : state.last_value <= wanted.last_value;
      if (state.is_called && there) continue;
      shadow.scalar("SELECT setval(" + regclass(quote(state.schema) + "." + quote(state.name)) +
                    ", " + std::to_string(wanted.last_value) + ", true)");
      ++set;
    }
    return set;
  }

  void make_position_table(odbc::Connection& shadow) const override {
    shadow.run("CREATE TABLE IF NOT EXISTS " + std::string(kPositionTable) +
               " (migration text PRIMARY KEY, seq bigint NOT NULL)");
  }

  [[nodiscard]] bool can_resolve() const override { return true; }

  // What a transaction wrote is flushed before its COMMIT is answered, not before. So after a crash
  // the ids from the recovery's checkpoint on are given once more, and what the server says of them
  // is of another transaction; those that had them before are gone. That checkpoint, as that of a
  // shutdown, is one during which nothing else was written.
  //
  // A server that has been the same since before the id was given speaks of this transaction. When
  // it began after that, and before COMMIT was sent, COMMIT went to a connection of the old one. A
  // backend that crashes takes the others with it, too: the postmaster goes on, and its statistics
  // begin anew. These may be reset by hand as well, which proves nothing.
  TxnStatus txn_status(odbc::Connection& production, std::uint64_t server_txid,
                       const TxnTimes& times) const override {
    odbc::Statement asked(production);
    asked.prepare("SELECT " + microseconds_since("pg_postmaster_start_time()") + ", " +
                  microseconds_since("(SELECT stats_reset FROM pg_stat_bgwriter)") +
                  ", split_part(next_xid, ':', 1), split_part(next_xid, ':', 2),"
                  " CAST(checkpoint_lsn = redo_lsn AS text) FROM pg_control_checkpoint()");
    const std::int64_t before = wall_clock_us();
    asked.execute();
    if (!asked.fetch()) return TxnStatus::unknown;
    const std::int64_t now = wall_clock_us();
    const auto up = static_cast<std::int64_t>(number_in(asked.text(1)));
    const auto uncrashed = static_cast<std::int64_t>(number_in(asked.text(2)));
    const auto surely_before = [](std::int64_t one, std::int64_t other) {
      return one + kClockUncertainUs < other;
    };
    const std::int64_t id_at = times.writing_at_us;
    if (id_at != 0 && surely_before(now - std::min(up, uncrashed), id_at))
      return status_of(production, server_txid);
    const bool restarted = id_at != 0 && surely_before(id_at, before - up);
    if (restarted && surely_before(now - up, times.sealed_at_us)) return TxnStatus::rolled_back;
    const std::uint64_t first_again = (number_in(asked.text(3)) << 32) | number_in(asked.text(4));
    const bool nothing_since = asked.text(5) == "true";
    asked.close();
    const bool may_be_given_again = server_txid >= first_again;
    if (restarted && may_be_given_again) return TxnStatus::rolled_back;
    const TxnStatus status = status_of(production, server_txid);
    if (status != TxnStatus::committed) return status;
    return nothing_since && !may_be_given_again ? TxnStatus::committed_before_restart
                                                : TxnStatus::maybe_another;
  }

 protected:
  [[nodiscard]] std::vector<std::string> deterministic_probe(
      const Table& table, const AddedColumn& added) const override {
    return {"CREATE TEMP TABLE understudy_probe (LIKE " + qualified(table) + ")",
            "CREATE INDEX ON pg_temp.understudy_probe ((" + added.sql + "))"};
  }

 private:
  /// An expression; 0 for NULL.
  [[nodiscard]] static std::string microseconds_since(const std::string& time) {
    return "COALESCE(CAST(EXTRACT(EPOCH FROM clock_timestamp() - " + time +
           ") * 1000000 AS bigint), 0)";
  }

  [[nodiscard]] static std::uint64_t number_in(const odbc::OptionalText& text) {
    return text ? std::strtoull(text->c_str(), nullptr, 10) : 0;
  }

  [[nodiscard]] static TxnStatus status_of(odbc::Connection& production,
                                           std::uint64_t server_txid) {
    try {
      const auto status = production.scalar("SELECT pg_xact_status(CAST('" +
                                            std::to_string(server_txid) + "' AS xid8))");
      if (status == "committed") return TxnStatus::committed;
      if (status == "aborted") return TxnStatus::rolled_back;
      if (status == "in progress") return TxnStatus::in_progress;
    } catch (const odbc::Error& error) {
      // 22023: an id this server has not given yet.
      if (error.sqlstate() != "22023") throw;
    }
    return TxnStatus::unknown;
  }

  [[nodiscard]] static std::string cast(const Column& column) {
    return "CAST(? AS " + cast_type(column) + ")";
  }

  [[nodiscard]] static std::string regclass(std::string_view name) {
    return "CAST(" + quoted(name, '\'') + " AS regclass)";
  }

  [[nodiscard]] StatementPieces pieces(const Table& table) const override {
    return {qualified(table),
            [this, &table](std::uint32_t c) { return quote(table.columns[c].name); },
            [&table](std::uint32_t c) { return cast(table.columns[c]); }};
  }

  std::string move_sql(const Table& table, const std::vector<std::uint32_t>& columns,
                       const std::vector<std::uint32_t>& key, std::size_t rows,
                       const std::vector<AddedColumn>& added) const override {
    const auto parameter = [&](std::uint32_t column) { return cast(table.columns[column]); };
    const std::string row =
        "(" + join(columns, ", ", parameter) + ", " + join(key, ", ", parameter) + ")";
    std::string values = row;
    for (std::size_t i = 1; i < rows; ++i) values += ", " + row;
    const auto name = [&](std::uint32_t column) { return quote(table.columns[column].name); };
    const auto set = [&](std::uint32_t column) {
      return name(column) + " = v.n" + std::to_string(column);
    };
    const auto same = [&](std::uint32_t column) {
      return "r." + name(column) + " = v.o" + std::to_string(column);
    };
    const auto fresh = [](std::uint32_t column) { return "n" + std::to_string(column); };
    const auto old = [](std::uint32_t column) { return "o" + std::to_string(column); };
    std::string sets = join(columns, ", ", set);
    std::string source = "(VALUES " + values + ") AS v (" + join(columns, ", ", fresh) + ", " +
                         join(key, ", ", old) + ")";
    if (const auto expressions = expressions_of(added); !expressions.empty()) {
      // The expressions see the new values under the columns' own names.
      std::string inner = join(columns, ", ", [&](std::uint32_t column) {
        return "w." + fresh(column) + " AS " + name(column);
      });
      std::string outer = join(columns, ", ", [&](std::uint32_t column) {
        return "s." + name(column) + " AS " + fresh(column);
      });
      for (const auto column : key) {
        inner.append(", w.").append(old(column)).append(" AS understudy_").append(old(column));
        outer.append(", s.understudy_").append(old(column)).append(" AS ").append(old(column));
      }
      for (const auto& one : expressions) {
        outer.append(", ").append(one.sql).append(" AS ").append(fresh(one.column));
        sets.append(", ").append(set(one.column));
      }
      source.replace(source.find(") AS v ("), 8, ") AS w (");
      source = "(SELECT " + outer + " FROM (SELECT " + inner + " FROM " + source + ") AS s) AS v";
    }
    return "UPDATE " + qualified(table) + " AS r SET " + sets + " FROM " + source + " WHERE " +
           join(key, " AND ", same);
  }

  // The place of a row in one partition may be that of another's in the next. A collation may take
  // several texts for one.
  [[nodiscard]] std::string whole_row(const Table& table,
                                      const std::vector<std::uint32_t>& columns) const override {
    return " WHERE (tableoid, ctid) = (SELECT r.tableoid, r.ctid FROM " + qualified(table) +
           " AS r WHERE " +
           join(columns, " AND ",
                [&](std::uint32_t column) {
                  return "r." + quote(table.columns[column].name) +
                         "::text COLLATE pg_catalog.\"C\" IS NOT DISTINCT FROM CAST(? AS text)";
                }) +
           " LIMIT 1)";
  }

  void switch_triggers(odbc::Connection& shadow, const Table& table, const char* word) const {
    if (table.triggers.empty()) return;
    try {
      shadow.run("ALTER TABLE " + qualified(table) + " " + word + " TRIGGER USER");
    } catch (const odbc::Error& error) {
      if (error.sqlstate() != "42501") throw;
      throw odbc::Error("42501", 0,
                        "switching the triggers of " + table.display_name() +
                            " (the shadow's account must own the table)",
                        error.server_text());
    }
  }
};

}  // namespace

const SqlDialect& postgresql_dialect() {
  static const PostgresqlDialect dialect;
  return dialect;
}

}  // namespace understudy
