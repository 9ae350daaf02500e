// Any engine behind an ODBC driver: standard SQL, and what ODBC itself tells.
#include "replayer/dialect/generic.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "journal/generic_value.h"
#include "replayer/dialect/generic_catalog.h"
#include "replayer/dialect/sql_text.h"

namespace understudy {
namespace {

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::optional<std::string> bytes_of(std::string_view digits) {
  if (digits.size() % 2 != 0) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    const int high = digit_of(digits[i]);
    const int low = digit_of(digits[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
  }
  return out;
}

odbc::Bind real_parameter(double value) {
  odbc::Bind out;
  out.c_type = SQL_C_DOUBLE;
  out.sql_type = SQL_DOUBLE;
  out.column_size = 15;
  out.bytes.assign(reinterpret_cast<const char*>(&value), sizeof value);
  out.indicator = sizeof value;
  return out;
}

odbc::Bind bytes_parameter(std::string bytes) {
  odbc::Bind out;
  out.c_type = SQL_C_BINARY;
  out.sql_type = SQL_VARBINARY;
  out.column_size = std::max<SQLULEN>(bytes.size(), 1);
  out.indicator = static_cast<SQLLEN>(bytes.size());
  out.bytes = std::move(bytes);
  return out;
}

class GenericDialect final : public WrittenDialect {
 public:
  explicit GenericDialect(Engine engine) : engine_(std::move(engine)) {}

  [[nodiscard]] Dialect kind() const override { return Dialect::generic; }

  [[nodiscard]] std::string quote(std::string_view identifier) const override {
    return generic_quoted(engine_, identifier);
  }

  Catalog read_catalog(odbc::Connection& db) const override {
    return read_generic_catalog(db, engine_);
  }

  // Without aliases, which engines spell differently.
  std::string page_sql(const Table& table, const std::vector<std::uint32_t>& columns,
                       bool has_after, std::uint64_t limit,
                       const std::vector<std::string>& more) const override {
    const auto name = [&](std::uint32_t c) { return quote(table.columns[c].name); };
    std::string list = join(columns, ", ", name);
    for (const auto& one : more) list.append(list.empty() ? "" : ", ").append(one);
    if (!by_pages(table)) {
      return "SELECT " + (list.empty() ? "1" : list) + " FROM " + qualified(table);
    }
    if (!list.empty()) list += ", ";
    const std::string end = engine_.limit ? " LIMIT " + std::to_string(limit)
                                          : " FETCH FIRST " + std::to_string(limit) + " ROWS ONLY";
    return "SELECT " + list + join(table.key, ", ", name) + " FROM " + qualified(table) +
           (has_after ? " WHERE " + behind_place(table) : "") + " ORDER BY " +
           join(table.key, ", ", name) + end;
  }

  [[nodiscard]] std::string exact_text(const Column& /*column*/,
                                       const std::string& written) const override {
    return written;
  }

  [[nodiscard]] std::size_t place_columns(const Table& table) const override {
    return by_pages(table) ? table.key.size() : 0;
  }

  // In the order of behind_place.
  std::vector<odbc::Bind> bind_place(const Table& table, const Row& after) const override {
    std::vector<odbc::Bind> out;
    for (std::size_t last = 0; last < after.size(); ++last) {
      for (std::size_t i = 0; i <= last; ++i) {
        out.push_back(bind(table.columns[table.key[i]], after[i]));
      }
    }
    return out;
  }

  [[nodiscard]] std::string constant_sql(const Column& /*column*/, std::string_view text,
                                         bool number) const override {
    return number ? std::string(text) : quoted(text, '\'');
  }

  [[nodiscard]] std::string expression_sql(const Column& /*column*/,
                                           std::string_view text) const override {
    return "(" + std::string(text) + ")";
  }

  [[nodiscard]] std::string holds_sql(const Column& column, const std::string& sql) const override {
    const std::string name = quote(column.name);
    return "CASE WHEN " + name + " = " + sql + " OR (" + name + " IS NULL AND " + sql +
           " IS NULL) THEN '1' ELSE '0' END";
  }

  std::string insert_sql(const Table& table, const std::vector<std::uint32_t>& columns,
                         std::size_t rows, const std::vector<AddedColumn>& added) const override {
    return insert_statement(pieces(table), columns, rows, "", added, in_place());
  }

  using WrittenDialect::bind;

  odbc::Bind bind(const Column& column, std::optional<std::string_view> exact) const override {
    if (exact) {
      const GenericKind kind = generic_kind(column.type);
      const auto number = kind == GenericKind::real ? generic_number(*exact) : std::nullopt;
      if (number) return real_parameter(*number);
      auto bytes = kind == GenericKind::bytes ? bytes_of(*exact) : std::nullopt;
      if (bytes) return bytes_parameter(std::move(*bytes));
    }
    return text_parameter(exact);
  }

  void prepare_session(odbc::Connection& /*db*/) const override {}

  // By text, since a driver in manual mode may not begin before the first write; where none of
  // these texts is taken, by the driver. A statement that finds nothing fixes the state.
  void open_snapshot(odbc::Connection& db) const override {
    const SQLUINTEGER level = strictest_isolation(db);
    const bool serializable = level == SQL_TXN_SERIALIZABLE;
    const std::string words = serializable ? "SERIALIZABLE" : "REPEATABLE READ";
    const bool begun = tries(db, "START TRANSACTION ISOLATION LEVEL " + words + ", READ ONLY") ||
                       (set_level(db, level) && tries(db, "BEGIN TRANSACTION"));
    if (!begun) db.set_autocommit(false);
    const Catalog tables = read_generic_catalog(db, engine_);
    for (const Table& table : tables.tables) {
      if (table.is_view || !table.readable) continue;
      (void)db.scalar("SELECT 1 FROM " + qualified(table) + " WHERE 1 = 0");
      break;
    }
  }

  void close_snapshot(odbc::Connection& db) const override {
    if (db.autocommit()) return db.run("COMMIT");
    db.commit();
    db.set_autocommit(true);
  }

  bool snapshot_is_free(odbc::Connection& /*db*/, std::string* remedy) const override {
    if (engine_.snapshots) return true;
    if (remedy != nullptr) {
      *remedy =
          "its driver offers no isolation level at which all reads see one state, so the copy would"
          " not be of one moment: stop the writers while it runs, and skip this check";
    }
    return false;
  }

  // What is promised less, for whoever runs `check`.
  std::vector<std::string> weak_spots(odbc::Connection& /*db*/) const override {
    std::vector<std::string> out = {
        "only what ODBC tells is known of " + engine_.name +
            ": triggers, rules, generated columns and row security are not seen",
        std::string("values are carried over as the driver tells them (libsqliteodbc rounds ") +
            "numbers to 15 digits, psqlodbc knows no infinite moments)",
        "whether a reader of one state holds up writers is not known",
        "writers past the driver are not noticed",
        "sequences and identity counters are not set at the cutover: set them on the shadow",
        "a statement whose key is made by the server is opaque"};
    if (!engine_.for_update && !engine_.serializable) {
      out.emplace_back(
          "SELECT ... FOR UPDATE is not taken: an UPDATE or DELETE that does not name one row by"
          " its key is opaque");
    }
    if (!engine_.savepoints) {
      out.emplace_back(
          "SAVEPOINT is not taken: an error in a transaction is counted as not"
          " captured");
    }
    return out;
  }

  std::vector<TableWrites> table_writes(odbc::Connection& /*db*/) const override { return {}; }

  [[nodiscard]] double estimated_rows(odbc::Connection& db, const Table& table) const override {
    const auto found = db.scalar("SELECT COUNT(*) FROM " + qualified(table));
    return found ? std::strtod(found->c_str(), nullptr) : 0;
  }

  [[nodiscard]] bool enforces_foreign_keys(odbc::Connection& /*db*/) const override { return true; }
  [[nodiscard]] std::size_t insert_rows_max(std::size_t /*columns*/) const override { return 1; }
  void before_copy(odbc::Connection& /*shadow*/, const Table& /*table*/) const override {}
  void after_copy(odbc::Connection& /*shadow*/, const Table& /*table*/) const override {}
  void empty_table(odbc::Connection& shadow, const Table& table) const override {
    shadow.run("DELETE FROM " + qualified(table));
  }

  std::vector<SequenceState> read_sequences(odbc::Connection& /*db*/) const override { return {}; }
  int set_sequences(odbc::Connection& /*shadow*/, const std::vector<SequenceState>& /*production*/,
                    const Catalog& /*shadow_catalog*/) const override {
    return 0;
  }

  // Only called where the table is not there.
  void make_position_table(odbc::Connection& shadow) const override {
    shadow.run("CREATE TABLE " + std::string(kPositionTable) +
               " (migration VARCHAR(255) NOT NULL PRIMARY KEY, seq BIGINT NOT NULL)");
  }
  [[nodiscard]] bool tables_roll_back() const override { return false; }
  [[nodiscard]] bool waits_for_rows() const override { return engine_.for_update; }

  [[nodiscard]] bool can_resolve() const override { return false; }
  TxnStatus txn_status(odbc::Connection& /*db*/, std::uint64_t /*server_txid*/,
                       const TxnTimes& /*times*/) const override {
    return TxnStatus::unknown;
  }

 protected:
  // Nobody can tell: no engine takes this.
  [[nodiscard]] std::vector<std::string> deterministic_probe(
      const Table& /*table*/, const AddedColumn& /*added*/) const override {
    return {"NOT JUDGED"};
  }

 private:
  // By its key, where rows of it cannot be missed: NULL is neither behind a key nor before it.
  [[nodiscard]] bool by_pages(const Table& table) const {
    return (engine_.limit || engine_.fetch_first) && !table.key.empty() &&
           std::none_of(table.key.begin(), table.key.end(),
                        [&](auto c) { return table.columns[c].nullable; });
  }

  [[nodiscard]] std::string behind_place(const Table& table) const {
    std::string out;
    std::string before;
    for (const auto c : table.key) {
      const std::string name = quote(table.columns[c].name);
      out.append(out.empty() ? "(" : " OR (").append(before).append(name).append(" > ?)");
      before += name + " = ? AND ";
    }
    return "(" + out + ")";
  }

  [[nodiscard]] StatementPieces pieces(const Table& table) const override {
    return {qualified(table),
            [this, &table](std::uint32_t c) { return quote(table.columns[c].name); },
            [](std::uint32_t) { return std::string("?"); }};
  }

  static bool tries(odbc::Connection& db, const std::string& text) {
    try {
      db.run(text);
      return true;
    } catch (const odbc::Error& error) {
      if (error.connection_lost()) throw;
      return false;
    }
  }

  static bool set_level(odbc::Connection& db, SQLUINTEGER level) {
    try {
      db.set_isolation(level);
    } catch (const odbc::Error& error) {
      if (error.connection_lost()) throw;
    }
    return true;
  }

  Engine engine_;
};

}  // namespace

const SqlDialect& generic_dialect(const Engine& engine) {
  static std::mutex mutex;
  static std::map<Engine, std::unique_ptr<const GenericDialect>> known;
  const std::lock_guard lock(mutex);
  auto& one = known[engine];
  if (!one) one = std::make_unique<const GenericDialect>(engine);
  return *one;
}

}  // namespace understudy
