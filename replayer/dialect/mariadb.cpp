// MariaDB 10.5 and later through Connector/ODBC.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "journal/exact_text.h"
#include "replayer/dialect/mariadb_catalog.h"
#include "replayer/dialect/sql_text.h"

namespace understudy {
namespace {

constexpr std::size_t kInsertParametersMax = 1000;  // the protocol's limit is 65535
constexpr std::size_t kInsertRowsMax = 100;

// Triggers that before_copy took away, with what makes them again: a copy cut short loses none.
constexpr char kTriggerTable[] = "understudy_trigger";

constexpr long kTriggerExists = 1359;

bool is_integer(std::string_view type) {
  const auto base = mariadb_base_type(type);
  return base.ends_with("int") || base == "year";
}

bool is_unsigned(std::string_view type) {
  return type.find("unsigned") != std::string_view::npos ||
         type.find("zerofill") != std::string_view::npos || type.starts_with("year");
}

// Types that the server orders by a number that is not their text.
bool ordered_by_number(std::string_view type) {
  const auto base = mariadb_base_type(type);
  return base == "enum" || base == "set" || base == "bit";
}

// A comparison of a number with a text is one of two DOUBLEs, which loses digits, so every number
// is cast. Texts, dates, ENUM and the like take the text as it is.
std::string parameter(const Column& column) {
  const std::string_view type = column.type;
  const auto base = mariadb_base_type(type);
  if (base == "bit") return "CAST(CONV(?, 16, 10) AS UNSIGNED)";
  if (mariadb_is_binary(type)) return "UNHEX(?)";
  if (is_integer(type)) return is_unsigned(type) ? "CAST(? AS UNSIGNED)" : "CAST(? AS SIGNED)";
  if (base == "decimal") {
    return "CAST(? AS " + std::string(type.substr(0, type.find(')') + 1)) + ")";
  }
  if (base == "float" || base == "double") return "CAST(? AS DOUBLE)";
  return "?";
}

class MariadbDialect final : public WrittenDialect {
 public:
  [[nodiscard]] Dialect kind() const override { return Dialect::mariadb; }

  [[nodiscard]] std::string quote(std::string_view identifier) const override {
    return quoted(identifier, '`');
  }

  Catalog read_catalog(odbc::Connection& db) const override { return read_mariadb_catalog(db); }

  std::string page_sql(const Table& table, const std::vector<std::uint32_t>& columns,
                       bool has_after, std::uint64_t limit,
                       const std::vector<std::string>& more) const override {
    const auto name = [&](std::uint32_t c) { return "r." + quote(table.columns[c].name); };
    const auto text = [&](std::uint32_t c) { return exact_text(table.columns[c], name(c)); };
    std::string list = join(columns, ", ", text);
    for (const auto& one : more) list.append(list.empty() ? "" : ", ").append(one);
    if (!list.empty()) list += ", ";
    if (table.key.empty()) return page_without_key(table, list, has_after, limit);
    const auto place = [&](std::uint32_t c) {
      return ordered_by_number(table.columns[c].type) ? "CAST(" + name(c) + " + 0 AS CHAR)"
                                                      : text(c);
    };
    return "SELECT " + list + join(table.key, ", ", place) + " FROM " + qualified(table) + " AS r" +
           (has_after ? " WHERE " + behind_place(table) : "") + " ORDER BY " +
           join(table.key, ", ", name) + " LIMIT " + std::to_string(limit);
  }

  [[nodiscard]] std::string exact_text(const Column& column,
                                       const std::string& written) const override {
    return mariadb_exact_text(written, column.type);
  }

  [[nodiscard]] std::size_t place_columns(const Table& table) const override {
    return std::max<std::size_t>(table.key.size(), 1);
  }

  // In the order of behind_place.
  std::vector<odbc::Bind> bind_place(const Table& /*table*/, const Row& after) const override {
    std::vector<odbc::Bind> out;
    for (std::size_t last = 0; last < after.size(); ++last) {
      for (std::size_t i = 0; i <= last; ++i) out.push_back(bind(Column(), after[i]));
    }
    return out;
  }

  [[nodiscard]] std::string constant_sql(const Column& /*column*/, std::string_view text,
                                         bool number) const override {
    if (!number) return literal(text);
    return text == "true" ? "1" : text == "false" ? "0" : std::string(text);
  }

  [[nodiscard]] std::string expression_sql(const Column& /*column*/,
                                           std::string_view text) const override {
    return "(" + std::string(text) + ")";
  }

  // Texts are compared byte by byte, since a collation takes several for one; numbers as they are
  // stored, rounded.
  [[nodiscard]] std::string holds_sql(const Column& column, const std::string& sql) const override {
    const std::string name = "r." + quote(column.name);
    const auto base = mariadb_base_type(column.type);
    std::string same = name + " <=> " + sql;
    if (base == "decimal" || is_integer(column.type)) {
      std::string cast = parameter(column);
      same = name + " <=> " + cast.replace(cast.find('?'), 1, sql);
    } else if (base.ends_with("char") || base.ends_with("text")) {
      const auto bytes = [&](const std::string& value) {
        const std::string text = "CONVERT(" + value + " USING utf8mb4)";
        return "BINARY " + (base == "char" ? "TRIM(TRAILING ' ' FROM " + text + ")" : text);
      };
      same = bytes(name) + " <=> " + bytes(sql);
    }
    return "IF(" + same + ", '1', '0')";
  }

  std::string insert_sql(const Table& table, const std::vector<std::uint32_t>& columns,
                         std::size_t rows, const std::vector<AddedColumn>& added) const override {
    if (columns.empty()) return "INSERT INTO " + qualified(table) + " () VALUES ()";
    return insert_statement(pieces(table), columns, rows, "", added, in_place());
  }

  using WrittenDialect::bind;

  odbc::Bind bind(const Column& /*column*/, std::optional<std::string_view> exact) const override {
    return text_parameter(exact);
  }

  // The applying connection is the one that writes exact texts, and the copy prepares its own only.
  [[nodiscard]] std::string apply_options(std::string_view driver_name) const override {
    if (driver_name.find("maodbc") == std::string_view::npos) return {};
    return "INITSTMT={" + settings() + "};";
  }

  void prepare_session(odbc::Connection& db) const override { db.run(settings()); }

  // The texts take effect behind the driver's back: it stays in autocommit, which is the server's
  // own affair between START TRANSACTION and COMMIT.
  void open_snapshot(odbc::Connection& db) const override {
    prepare_session(db);
    db.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ");
    db.run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY");
  }

  void close_snapshot(odbc::Connection& db) const override { db.run("COMMIT"); }

  bool snapshot_is_free(odbc::Connection& /*db*/, std::string* /*remedy*/) const override {
    return true;
  }

  std::vector<std::string> rewriting_triggers(odbc::Connection& db) const override {
    std::vector<std::string> out;
    for (const auto& row :
         read_rows(db,
                   "SELECT EVENT_OBJECT_TABLE, TRIGGER_NAME FROM information_schema.TRIGGERS WHERE"
                   " TRIGGER_SCHEMA = DATABASE() AND ACTION_TIMING = 'BEFORE' AND"
                   " EVENT_MANIPULATION <> 'DELETE' ORDER BY 1, 2")) {
      out.push_back(*row[0] + "." + *row[1]);
    }
    return out;
  }

  std::vector<std::string> weak_spots(odbc::Connection& db) const override {
    std::vector<std::string> out;
    for (const auto& row :
         read_rows(db,
                   "SELECT TABLE_NAME, ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA ="
                   " DATABASE() AND TABLE_TYPE = 'BASE TABLE' AND ENGINE <> 'InnoDB' ORDER BY 1")) {
      out.push_back("table " + *row[0] + " has the engine " + row[1].value_or("?") +
                    " without transactions: ALTER TABLE " + quote(*row[0]) + " ENGINE=InnoDB");
    }
    for (const auto& row :
         read_rows(db,
                   "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE"
                   " TABLE_SCHEMA = DATABASE() AND EXTRA LIKE '%on update%' ORDER BY 1, 2")) {
      out.push_back("column " + *row[0] + "." + *row[1] +
                    " is set by the server at every UPDATE: compare it with verify");
    }
    // The analyzer's sequence-default.
    for (const auto& row : read_rows(
             db,
             "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS JOIN"
             " information_schema.TABLES USING (TABLE_SCHEMA, TABLE_NAME) WHERE TABLE_SCHEMA ="
             " DATABASE() AND TABLE_TYPE = 'BASE TABLE' AND COLUMN_DEFAULT LIKE '%nextval(%'"
             " ORDER BY 1, 2")) {
      out.push_back("column " + *row[0] + "." + *row[1] +
                    " takes numbers of a sequence: a REPLACE, or an INSERT of a SELECT, with SET,"
                    " IGNORE, a RETURNING or by a trigger, without it, is replayed as it stands,"
                    " and gets other numbers");
    }
    const auto zone = db.scalar("SELECT TIMEDIFF(NOW(), UTC_TIMESTAMP())");
    const auto stamps = db.scalar(
        "SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()"
        " AND DATA_TYPE = 'timestamp'");
    if (stamps != "0" && (!zone || zone->find_first_of("123456789") != std::string::npos)) {
      out.emplace_back(
          "sessions do not run in UTC, and an UPDATE of a TIMESTAMP column is replayed in UTC:"
          " compare such columns with verify");
    }
    return out;
  }

  std::vector<TableWrites> table_writes(odbc::Connection& db) const override {
    std::vector<TableWrites> out;
    for (const auto& row :
         read_rows(db,
                   "SELECT TABLE_NAME, COALESCE(UNIX_TIMESTAMP(UPDATE_TIME), 0) FROM"
                   " information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND"
                   " TABLE_TYPE = 'BASE TABLE' AND TABLE_NAME <> 'understudy_position'")) {
      out.push_back({row[0].value_or(""), std::stoull(row[1].value_or("0")), false});
    }
    return out;
  }
  [[nodiscard]] double estimated_rows(odbc::Connection& db, const Table& table) const override {
    const auto found = db.scalar(
        "SELECT TABLE_ROWS FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"
        " AND TABLE_NAME = " +
        literal(table.name));
    return found ? std::strtod(found->c_str(), nullptr) : 0;
  }

  [[nodiscard]] bool enforces_foreign_keys(odbc::Connection& db) const override {
    return db.scalar("SELECT @@foreign_key_checks") != "0";
  }

  [[nodiscard]] std::size_t insert_rows_max(std::size_t columns) const override {
    return std::clamp<std::size_t>(kInsertParametersMax / std::max<std::size_t>(columns, 1), 1,
                                   kInsertRowsMax);
  }

  // MariaDB cannot switch triggers off, so they are dropped, their texts kept first. Their texts
  // mean what they meant under the sql_mode of their making.
  void before_copy(odbc::Connection& shadow, const Table& table) const override {
    shadow.run("SET SESSION foreign_key_checks = 0");
    if (table.triggers.empty()) return;
    shadow.run("CREATE TABLE IF NOT EXISTS " + std::string(kTriggerTable) +
               " (name VARCHAR(64) PRIMARY KEY, table_name VARCHAR(64), mode TEXT, text LONGTEXT)"
               " ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
    for (const auto& trigger : table.triggers) {
      const auto rows = read_rows(shadow, "SHOW CREATE TRIGGER " + quote(trigger));
      if (rows.empty()) continue;
      odbc::Statement keep(shadow);
      keep.prepare("INSERT IGNORE INTO " + std::string(kTriggerTable) + " VALUES (?, ?, ?, ?)");
      std::vector<odbc::Bind> values;
      const Row row = {trigger, table.name, rows[0][1], rows[0][2]};
      for (const auto& value : row) values.push_back(bind(Column(), value));
      keep.bind(values);
      keep.execute();
      shadow.run("DROP TRIGGER IF EXISTS " + quote(trigger));
    }
  }

  void after_copy(odbc::Connection& shadow, const Table& table) const override {
    shadow.run("SET SESSION foreign_key_checks = 1");
    if (!has_table(shadow, kTriggerTable)) return;
    const std::string kept = std::string(" FROM ") + kTriggerTable;
    for (const auto& row : read_rows(shadow, "SELECT name, mode, text" + kept +
                                                 " WHERE table_name = " + literal(table.name))) {
      shadow.run("SET SESSION sql_mode = " + literal(row[1].value_or("")));
      make_trigger(shadow, *row[2]);
      prepare_session(shadow);
      shadow.run("DELETE" + kept + " WHERE name = " + literal(*row[0]));
    }
    if (shadow.scalar("SELECT COUNT(*)" + kept) == "0") {
      shadow.run("DROP TABLE " + std::string(kTriggerTable));
    }
  }

  void empty_table(odbc::Connection& shadow, const Table& table) const override {
    shadow.run("DELETE FROM " + qualified(table));
  }

  std::vector<SequenceState> read_sequences(odbc::Connection& db) const override {
    std::vector<SequenceState> out;
    for (const auto& row : read_rows(
             db,
             "SELECT TABLE_NAME, CAST(AUTO_INCREMENT AS CHAR), TABLE_TYPE FROM"
             " information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND"
             " (AUTO_INCREMENT IS NOT NULL OR TABLE_TYPE = 'SEQUENCE') ORDER BY TABLE_NAME")) {
      auto& state = out.emplace_back();
      state.name = *row[0];
      odbc::OptionalText next = row[1];
      if (row[2] == "SEQUENCE") {
        next = db.scalar("SELECT CAST(next_not_cached_value AS CHAR) FROM " + quote(*row[0]));
      } else {
        state.table = *row[0];
      }
      state.last_value = std::strtoll(next.value_or("1").c_str(), nullptr, 10) - 1;
    }
    return out;
  }

  // AUTO_INCREMENT grows with the keys that were written; what is left is the gap behind the last.
  int set_sequences(odbc::Connection& shadow, const std::vector<SequenceState>& production,
                    const Catalog& shadow_catalog) const override {
    int set = 0;
    const auto standing = read_sequences(shadow);
    for (const auto& wanted : production) {
      const auto row = std::find_if(standing.begin(), standing.end(), [&](const auto& state) {
        return state.name == wanted.name && state.table == wanted.table;
      });
      if (row == standing.end() || row->last_value >= wanted.last_value) continue;
      const std::string next = std::to_string(wanted.last_value + 1);
      if (wanted.table.empty()) {
        shadow.scalar("SELECT SETVAL(" + quote(wanted.name) + ", " + next + ", 0)");
      } else if (const auto* table = shadow_catalog.find("", wanted.table)) {
        shadow.run("ALTER TABLE " + qualified(*table) + " AUTO_INCREMENT = " + next);
      } else {
        continue;
      }
      ++set;
    }
    return set;
  }

  void make_position_table(odbc::Connection& shadow) const override {
    shadow.run("CREATE TABLE IF NOT EXISTS " + std::string(kPositionTable) +
               " (migration VARCHAR(255) PRIMARY KEY, seq BIGINT NOT NULL)"
               " ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
  }

  [[nodiscard]] bool tables_roll_back() const override { return false; }

  // Privileges that come through a role are not seen here: then the answer is no.
  [[nodiscard]] bool may_create_tables(odbc::Connection& db) const override {
    const std::string own =
        "PRIVILEGE_TYPE = 'CREATE' AND GRANTEE = CONCAT('''', SUBSTRING_INDEX(CURRENT_USER(), '@', "
        "1), '''@''', SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')";
    return db
        .scalar("SELECT 1 FROM information_schema.USER_PRIVILEGES WHERE " + own +
                " UNION SELECT 1 FROM information_schema.SCHEMA_PRIVILEGES WHERE " + own +
                " AND DATABASE() LIKE TABLE_SCHEMA")
        .has_value();
  }

  [[nodiscard]] bool can_resolve() const override { return false; }

  TxnStatus txn_status(odbc::Connection& /*db*/, std::uint64_t /*server_txid*/,
                       const TxnTimes& /*times*/) const override {
    return TxnStatus::unknown;
  }

 protected:
  [[nodiscard]] std::vector<std::string> deterministic_probe(
      const Table& table, const AddedColumn& added) const override {
    return {"CREATE OR REPLACE TEMPORARY TABLE understudy_probe LIKE " + qualified(table),
            "ALTER TABLE understudy_probe ADD COLUMN understudy_probed " +
                table.columns[added.column].type + " AS (" + added.sql + ") PERSISTENT"};
  }

 private:
  // An id of 0 and dates that are none are data here. Strict, so that what does not fit is refused.
  [[nodiscard]] static std::string settings() {
    return "SET SESSION time_zone = '+00:00',"
           " sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,"
           "NO_ENGINE_SUBSTITUTION'";
  }

  // Backslashes are doubled, since they escape unless sql_mode says otherwise, which settings()
  // does not.
  [[nodiscard]] static std::string literal(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
      if (c == '\'' || c == '\\') out += c;
      out += c;
    }
    return out += "'";
  }

  [[nodiscard]] bool in_place() const override { return true; }

  [[nodiscard]] StatementPieces pieces(const Table& table) const override {
    return {qualified(table),
            [this, &table](std::uint32_t c) { return quote(table.columns[c].name); },
            [&table](std::uint32_t c) { return parameter(table.columns[c]); }};
  }

  [[nodiscard]] std::string whole_row(const Table& table,
                                      const std::vector<std::uint32_t>& columns) const override {
    return " WHERE " +
           join(columns, " AND ",
                [&](std::uint32_t column) {
                  const Column& one = table.columns[column];
                  return "CAST(" + exact_text(one, quote(one.name)) +
                         " AS BINARY) <=> CAST(? AS BINARY)";
                }) +
           " LIMIT 1";
  }

  // (a, b) > (?, ?) written out: the optimizer uses an index for this form only.
  [[nodiscard]] std::string behind_place(const Table& table) const {
    const auto compare = [&](std::uint32_t c, const char* sign) {
      const Column& column = table.columns[c];
      const std::string name = "r." + quote(column.name);
      return ordered_by_number(column.type) ? name + " + 0" + sign + "CAST(? AS UNSIGNED)"
                                            : name + sign + parameter(column);
    };
    std::string out;
    std::string before;
    for (const auto c : table.key) {
      out += (out.empty() ? "(" : " OR (") + before + compare(c, " > ") + ")";
      before += compare(c, " = ") + " AND ";
    }
    return "(" + out + ")";
  }

  // Equal rows are next to each other and any order among them is the same.
  [[nodiscard]] std::string page_without_key(const Table& table, const std::string& list,
                                             bool has_after, std::uint64_t limit) const {
    std::string row;
    for (const auto& column : table.columns) {
      if (!row.empty()) row += ", ";
      row += "IFNULL(HEX(" + exact_text(column, "r." + quote(column.name)) + "), 'N')";
    }
    const std::string order = "SHA2(CONCAT_WS(',', " + row + "), 256)";
    const std::string inner = "SELECT CAST(ROW_NUMBER() OVER (ORDER BY " + order +
                              ") AS SIGNED) AS understudy_n, r.* FROM " + qualified(table) +
                              " AS r";
    return "SELECT " + list + "CAST(r.understudy_n AS CHAR) FROM (" + inner + ") AS r" +
           (has_after ? " WHERE r.understudy_n > CAST(? AS SIGNED)" : "") +
           " ORDER BY r.understudy_n LIMIT " + std::to_string(limit);
  }

  static void make_trigger(odbc::Connection& shadow, const std::string& text) {
    try {
      shadow.run(text);
    } catch (const odbc::Error& error) {
      if (error.native() != kTriggerExists) throw;  // made by a run that was cut short
    }
  }

  static bool has_table(odbc::Connection& db, std::string_view name) {
    return db.scalar(
               "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"
               " AND TABLE_NAME = " +
               literal(name)) != "0";
  }
};

}  // namespace

const SqlDialect& mariadb_dialect() {
  static const MariadbDialect dialect;
  return dialect;
}

}  // namespace understudy
