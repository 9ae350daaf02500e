// SQLite 3.37 and later through sqliteodbc.
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "journal/exact_text.h"
#include "replayer/dialect/sql_text.h"
#include "replayer/dialect/sqlite_catalog.h"
#include "replayer/dialect/sqlite_literal.h"

namespace understudy {
namespace {

constexpr std::size_t kInsertParametersMax = 999;  // SQLITE_MAX_VARIABLE_NUMBER of old builds
constexpr std::size_t kInsertRowsMax = 50;

// Triggers that before_copy took away, with what makes them again: a copy cut short loses none.
constexpr char kTriggerTable[] = "understudy_trigger";

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

class SqliteDialect final : public WrittenDialect {
 public:
  [[nodiscard]] Dialect kind() const override { return Dialect::sqlite; }

  [[nodiscard]] std::string quote(std::string_view identifier) const override {
    return quoted(identifier, '"');
  }

  Catalog read_catalog(odbc::Connection& db) const override { return read_sqlite_catalog(db); }

  std::string page_sql(const Table& table, const std::vector<std::uint32_t>& columns,
                       bool has_after, std::uint64_t limit,
                       const std::vector<std::string>& more) const override {
    const auto name = [&](std::uint32_t c) { return "r." + quote(table.columns[c].name); };
    const auto text = [&](std::uint32_t c) { return sqlite_exact_text(name(c)); };
    const auto parameter = [](std::uint32_t) { return std::string("?"); };
    std::string list = join(columns, ", ", text);
    for (const auto& one : more) list.append(list.empty() ? "" : ", ").append(one);
    if (!list.empty()) list += ", ";
    std::string order;
    std::string after = "?";
    if (by_rowid(table)) {
      order = "r." + rowid(table);
      list += "quote(" + order + ")";
    } else {
      order = join(table.key, ", ", name);
      list += join(table.key, ", ", text);
      after = join(table.key, ", ", parameter);
    }
    return "SELECT " + list + " FROM " + qualified(table) + " AS r" +
           (has_after ? " WHERE (" + order + ") > (" + after + ")" : "") + " ORDER BY " + order +
           " LIMIT " + std::to_string(limit);
  }

  [[nodiscard]] std::string exact_text(const Column& /*column*/,
                                       const std::string& written) const override {
    return sqlite_exact_text(written);
  }

  [[nodiscard]] std::size_t place_columns(const Table& table) const override {
    return by_rowid(table) ? 1 : table.key.size();
  }

  std::vector<odbc::Bind> bind_place(const Table& /*table*/, const Row& after) const override {
    std::vector<odbc::Bind> out;
    for (const auto& value : after) out.push_back(bind(Column(), value));
    return out;
  }

  [[nodiscard]] std::string constant_sql(const Column& /*column*/, std::string_view text,
                                         bool number) const override {
    if (!number) return quoted(text, '\'');
    return text == "true" ? "1" : text == "false" ? "0" : std::string(text);
  }

  [[nodiscard]] std::string expression_sql(const Column& /*column*/,
                                           std::string_view text) const override {
    return "(" + std::string(text) + ")";
  }

  // The column on the left lends its affinity to the value, as when it is stored.
  [[nodiscard]] std::string holds_sql(const Column& column, const std::string& sql) const override {
    return "CASE WHEN r." + quote(column.name) + " COLLATE BINARY IS " + sql +
           " THEN '1' ELSE '0' END";
  }

  std::string insert_sql(const Table& table, const std::vector<std::uint32_t>& columns,
                         std::size_t rows, const std::vector<AddedColumn>& added) const override {
    return insert_statement(pieces(table), columns, rows, "", added, in_place());
  }

  using WrittenDialect::bind;

  odbc::Bind bind(const Column& /*column*/, std::optional<std::string_view> exact) const override {
    return exact ? bind_sqlite_literal(*exact) : odbc::Bind{};
  }

  void prepare_session(odbc::Connection& /*db*/) const override {}

  // In manual mode the driver begins a transaction with the first write only, so the text does it;
  // the first read fixes the state.
  void open_snapshot(odbc::Connection& db) const override {
    db.run("BEGIN");
    db.scalar("SELECT count(*) FROM sqlite_master");
  }

  void close_snapshot(odbc::Connection& db) const override { db.run("COMMIT"); }

  bool snapshot_is_free(odbc::Connection& db, std::string* remedy) const override {
    if (db.scalar("PRAGMA journal_mode") == "wal") return true;
    if (remedy != nullptr) {
      *remedy = "readers hold up writers: run 'PRAGMA journal_mode = WAL' once on the database";
    }
    return false;
  }

  std::vector<TableWrites> table_writes(odbc::Connection& db) const override {
    return {{"", std::stoull(db.scalar("PRAGMA data_version").value_or("0")), false}};
  }
  [[nodiscard]] double estimated_rows(odbc::Connection& db, const Table& table) const override {
    const auto found = db.scalar("SELECT count(*) FROM " + qualified(table));
    return found ? std::strtod(found->c_str(), nullptr) : 0;
  }

  [[nodiscard]] bool enforces_foreign_keys(odbc::Connection& db) const override {
    return db.scalar("PRAGMA foreign_keys") == "1";
  }

  [[nodiscard]] std::size_t insert_rows_max(std::size_t columns) const override {
    return std::clamp<std::size_t>(kInsertParametersMax / std::max<std::size_t>(columns, 1), 1,
                                   kInsertRowsMax);
  }

  // SQLite cannot switch triggers off, so they are dropped and kept as text in the same
  // transaction.
  void before_copy(odbc::Connection& shadow, const Table& table) const override {
    if (table.triggers.empty()) return;
    in_transaction(shadow, [&] {
      shadow.run("CREATE TABLE IF NOT EXISTS " + std::string(kTriggerTable) +
                 " (table_name TEXT, name TEXT PRIMARY KEY, sql TEXT)");
      shadow.run("INSERT INTO " + std::string(kTriggerTable) +
                 " SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'trigger'"
                 " AND tbl_name = " +
                 quoted(table.name, '\'') + " COLLATE NOCASE");
      for (const auto& trigger : table.triggers) {
        shadow.run("DROP TRIGGER IF EXISTS " + quote(trigger));
      }
    });
  }

  void after_copy(odbc::Connection& shadow, const Table& table) const override {
    if (!has_table(shadow, kTriggerTable)) return;
    const std::string where = " WHERE table_name = " + quoted(table.name, '\'') + " COLLATE NOCASE";
    in_transaction(shadow, [&] {
      for (const auto& row :
           read_rows(shadow, "SELECT sql FROM " + std::string(kTriggerTable) + where)) {
        shadow.run(*row[0]);
      }
      shadow.run("DELETE FROM " + std::string(kTriggerTable) + where);
      if (shadow.scalar("SELECT count(*) FROM " + std::string(kTriggerTable)) == "0") {
        shadow.run("DROP TABLE " + std::string(kTriggerTable));
      }
    });
  }

  void empty_table(odbc::Connection& shadow, const Table& table) const override {
    shadow.run("DELETE FROM " + qualified(table));
  }

  std::vector<SequenceState> read_sequences(odbc::Connection& db) const override {
    std::vector<SequenceState> out;
    if (!has_table(db, "sqlite_sequence")) return out;
    for (const auto& row : read_rows(db, "SELECT name, seq FROM sqlite_sequence ORDER BY name")) {
      auto& state = out.emplace_back();
      state.name = state.table = *row[0];
      state.last_value = std::strtoll(row[1].value_or("0").c_str(), nullptr, 10);
    }
    return out;
  }

  int set_sequences(odbc::Connection& shadow, const std::vector<SequenceState>& production,
                    const Catalog& shadow_catalog) const override {
    int set = 0;
    if (!has_table(shadow, "sqlite_sequence")) return set;
    const auto standing = read_sequences(shadow);
    for (const auto& wanted : production) {
      const auto* table = shadow_catalog.find("", wanted.table);
      if (table == nullptr || !wanted.is_called) continue;
      const auto row = std::find_if(standing.begin(), standing.end(), [&](const auto& state) {
        return same_name(state.table, table->name);
      });
      const std::string value = std::to_string(wanted.last_value);
      if (row == standing.end()) {
        shadow.run("INSERT INTO sqlite_sequence (name, seq) VALUES (" + quoted(table->name, '\'') +
                   ", " + value + ")");
      } else if (row->last_value < wanted.last_value) {
        shadow.run("UPDATE sqlite_sequence SET seq = " + value +
                   " WHERE name = " + quoted(row->name, '\''));
      } else {
        continue;
      }
      ++set;
    }
    return set;
  }

  void make_position_table(odbc::Connection& shadow) const override {
    shadow.run("CREATE TABLE IF NOT EXISTS " + std::string(kPositionTable) +
               " (migration TEXT PRIMARY KEY, seq INTEGER NOT NULL)");
  }

  [[nodiscard]] bool waits_for_rows() const override { return false; }
  [[nodiscard]] bool can_resolve() const override { return false; }

  TxnStatus txn_status(odbc::Connection& /*db*/, std::uint64_t /*server_txid*/,
                       const TxnTimes& /*times*/) const override {
    return TxnStatus::unknown;
  }

 protected:
  [[nodiscard]] std::vector<std::string> deterministic_probe(
      const Table& table, const AddedColumn& added) const override {
    return {"CREATE TEMP TABLE understudy_probe AS SELECT * FROM main." + quote(table.name) +
                " LIMIT 0",
            "CREATE INDEX temp.understudy_probed ON understudy_probe (" + added.sql + ")"};
  }

 private:
  // A key over nullable columns (SQLite allows NULLs in most primary keys) would lose rows to
  // `key > ?`. Tables WITHOUT ROWID have a key whose columns are NOT NULL.
  [[nodiscard]] static bool by_rowid(const Table& table) {
    return table.key.empty() || std::any_of(table.key.begin(), table.key.end(),
                                            [&](auto c) { return table.columns[c].nullable; });
  }

  // The name of the rowid that no column hides.
  [[nodiscard]] static std::string rowid(const Table& table) {
    for (const char* name : {"rowid", "_rowid_", "oid"}) {
      const bool hidden = std::any_of(table.columns.begin(), table.columns.end(),
                                      [&](const auto& c) { return same_name(c.name, name); });
      if (!hidden) return name;
    }
    throw std::runtime_error("table " + table.name +
                             " has no key and hides its rowid; give it a primary key");
  }

  [[nodiscard]] StatementPieces pieces(const Table& table) const override {
    return {qualified(table),
            [this, &table](std::uint32_t c) { return quote(table.columns[c].name); },
            [](std::uint32_t) { return std::string("?"); }};
  }

  // Values are equal when their exact texts are: 1 and 1.0, 'a' and 'A' may compare as equal.
  [[nodiscard]] std::string whole_row(const Table& table,
                                      const std::vector<std::uint32_t>& columns) const override {
    const auto equal = [&](std::uint32_t c) {
      return sqlite_exact_text(quote(table.columns[c].name)) + " IS (SELECT " +
             sqlite_exact_text("understudy_v") + " FROM (SELECT ? AS understudy_v))";
    };
    const std::string name = rowid(table);
    return " WHERE " + name + " = (SELECT " + name + " FROM " + qualified(table) + " WHERE " +
           join(columns, " AND ", equal) + " LIMIT 1)";
  }

  static bool has_table(odbc::Connection& db, std::string_view name) {
    return db.scalar("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = " +
                     quoted(name, '\'')) != "0";
  }

  template <class Work>
  static void in_transaction(odbc::Connection& db, Work work) {
    db.run("BEGIN IMMEDIATE");
    try {
      work();
    } catch (...) {
      db.run("ROLLBACK");
      throw;
    }
    db.run("COMMIT");
  }
};

}  // namespace

const SqlDialect& sqlite_dialect() {
  static const SqliteDialect dialect;
  return dialect;
}

}  // namespace understudy
