#include "replayer/copy/copy.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "replayer/copy/page_reader.h"
#include "replayer/values/conversion.h"

namespace understudy {
namespace {

// Manual commit for a scope; what was not committed is rolled back.
class ManualCommit {
 public:
  explicit ManualCommit(odbc::Connection& db) : db_(db) { db_.set_autocommit(false); }
  ~ManualCommit() {
    try {
      db_.rollback();
      db_.set_autocommit(true);
    } catch (const odbc::Error&) {  // the connection is gone; the cause is already on its way up
    }
  }
  ManualCommit(const ManualCommit&) = delete;
  ManualCommit& operator=(const ManualCommit&) = delete;

 private:
  odbc::Connection& db_;
};

// Inserts rows, as many in one statement as the dialect likes.
class RowWriter {
 public:
  RowWriter(odbc::Connection& db, const SqlDialect& to, const TablePair& pair)
      : db_(db),
        to_(to),
        table_(*pair.shadow),
        columns_(pair.shadow_columns),
        added_(pair.added),
        rows_max_(to.insert_rows_max(columns_.size() + added_.size())) {}

  void write(const std::vector<Row>& rows) {
    for (std::size_t at = 0; at < rows.size();) {
      const std::size_t count = std::min(rows_max_, rows.size() - at);
      auto& [prepared_rows, statement] = count == rows_max_ ? full_ : rest_;
      if (statement == nullptr || prepared_rows != count) {
        statement = std::make_unique<odbc::Statement>(db_);
        statement->prepare(to_.insert_sql(table_, columns_, count, added_));
        prepared_rows = count;
      }
      bind(rows, at, count);
      statement->bind(parameters_);
      statement->execute();
      at += count;
    }
  }

 private:
  void bind(const std::vector<Row>& rows, std::size_t first, std::size_t count) {
    parameters_.clear();
    parameters_.reserve(count * columns_.size());
    for (std::size_t row = first; row < first + count; ++row) {
      for (std::size_t i = 0; i < columns_.size(); ++i) {
        parameters_.push_back(to_.bind(table_.columns[columns_[i]], rows[row][i]));
      }
    }
  }

  struct Prepared {
    std::size_t rows = 0;
    std::unique_ptr<odbc::Statement> statement;
  };

  odbc::Connection& db_;
  const SqlDialect& to_;
  const Table& table_;
  const std::vector<std::uint32_t>& columns_;
  const std::vector<AddedColumn>& added_;
  std::size_t rows_max_;
  Prepared full_;
  Prepared rest_;
  std::vector<odbc::Bind> parameters_;
};

class Copier {
 public:
  Copier(odbc::Connection& production, odbc::Connection& shadow, const SqlDialect& from,
         const SqlDialect& to, const std::vector<TablePair>& pairs,
         const std::function<void(const CopyProgress&)>& progress, const std::atomic<bool>& stop)
      : production_(production),
        shadow_(shadow),
        from_(from),
        to_(to),
        pairs_(pairs),
        report_(progress),
        stop_(stop),
        late_(pairs.size()) {}

  bool run(bool restart) {
    to_.prepare_session(shadow_);
    if (to_.enforces_foreign_keys(shadow_)) find_late_columns();
    for (const auto& pair : pairs_) {
      progress_.total_rows +=
          static_cast<std::uint64_t>(from_.estimated_rows(production_, *pair.production));
      to_.before_copy(shadow_, *pair.shadow);
    }
    bool finished = false;
    try {
      if (restart) empty();
      finished = copy();
    } catch (...) {
      // Triggers stay off when the shadow refuses; the next copy switches them on at its end.
      try {
        triggers_on();
      } catch (const odbc::Error&) {
      }
      throw;
    }
    triggers_on();
    return finished;
  }

 private:
  using Ordinals = std::vector<std::uint32_t>;

  // Of each table, the nullable foreign key columns whose parent rows come later.
  void find_late_columns() {
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      const Table& table = *pairs_[i].shadow;
      if (table.key.empty()) continue;
      for (const auto& key : table.foreign_keys) {
        const bool is_late =
            std::any_of(pairs_.begin() + static_cast<std::ptrdiff_t>(i), pairs_.end(),
                        [&](const auto& pair) { return refers_to(key, *pair.shadow); });
        if (is_late) add_late(pairs_[i], key, late_[i]);
      }
    }
  }

  // One NULL is enough for a foreign key not to be checked.
  static void add_late(const TablePair& pair, const ForeignKey& key, Ordinals& late) {
    for (const auto& name : key.columns) {
      const auto ordinal = pair.shadow->column(name);
      if (!ordinal || !pair.shadow->columns[*ordinal].nullable) continue;
      const auto holds = [&](const Ordinals& list) {
        return std::find(list.begin(), list.end(), *ordinal) != list.end();
      };
      if (holds(pair.shadow->key) || !holds(pair.shadow_columns) || holds(late)) continue;
      late.push_back(*ordinal);
    }
  }

  void empty() {
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      for (const auto column : late_[i]) {
        shadow_.run("UPDATE " + to_.qualified(*pairs_[i].shadow) + " SET " +
                    to_.quote(pairs_[i].shadow->columns[column].name) + " = NULL");
      }
    }
    for (auto pair = pairs_.rbegin(); pair != pairs_.rend(); ++pair) {
      to_.empty_table(shadow_, *pair->shadow);
    }
  }

  bool copy() {
    const ManualCommit manual(shadow_);
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      if (!copy_table(pairs_[i], late_[i])) return false;
    }
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      if (!late_[i].empty() && !fill_late(pairs_[i], late_[i])) return false;
    }
    return true;
  }

  bool copy_table(const TablePair& pair, const Ordinals& late) {
    progress_.table = pair.production->display_name();
    std::vector<std::size_t> nulled;
    for (std::size_t i = 0; i < pair.shadow_columns.size(); ++i) {
      if (std::find(late.begin(), late.end(), pair.shadow_columns[i]) != late.end()) {
        nulled.push_back(i);
      }
    }
    PageReader reader(production_, from_, *pair.production, pair.production_columns,
                      kCopyBatchRows);
    RowWriter writer(shadow_, to_, pair);
    const auto conversions = conversions_of(pair, from_.kind(), to_.kind());
    std::vector<Row> rows;
    while (reader.next(&rows)) {
      for (auto& row : rows) {
        for (const auto i : nulled) row[i].reset();
        convert(pair, conversions, row);
      }
      writer.write(rows);
      shadow_.commit();
      if (!report(rows.size())) return false;
    }
    return true;
  }

  bool report(std::size_t rows) {
    progress_.copied_rows += rows;
    progress_.total_rows = std::max(progress_.total_rows, progress_.copied_rows);
    if (report_) report_(progress_);
    return !stop_;
  }

  bool fill_late(const TablePair& pair, const Ordinals& late) {
    progress_.table = pair.production->display_name();
    Ordinals written = late;
    written.insert(written.end(), pair.shadow->key.begin(), pair.shadow->key.end());
    Ordinals read;
    for (const auto column : written) {
      const auto at = std::find(pair.shadow_columns.begin(), pair.shadow_columns.end(), column);
      if (at == pair.shadow_columns.end()) return true;  // a key that production does not have
      read.push_back(
          pair.production_columns[static_cast<std::size_t>(at - pair.shadow_columns.begin())]);
    }
    PageReader reader(production_, from_, *pair.production, read, kCopyBatchRows);
    odbc::Statement update(shadow_);
    update.prepare(to_.update_sql(*pair.shadow, late, pair.shadow->key, pair.added));
    const auto conversions =
        conversions_of({pair.production, pair.shadow, read, written}, from_.kind(), to_.kind());
    std::vector<Row> rows;
    while (reader.next(&rows)) {
      for (auto& row : rows) {
        convert(pair, conversions, row);
        fill_row(pair, written, late.size(), row, update);
      }
      shadow_.commit();
      if (!report(0)) return false;
    }
    return true;
  }

  void fill_row(const TablePair& pair, const Ordinals& written, std::size_t late, const Row& row,
                odbc::Statement& update) {
    const auto end = row.begin() + static_cast<std::ptrdiff_t>(late);
    if (std::none_of(row.begin(), end, [](const auto& value) { return value.has_value(); })) {
      return;
    }
    std::vector<odbc::Bind> parameters;
    for (std::size_t i = 0; i < row.size(); ++i) {
      parameters.push_back(to_.bind(pair.shadow->columns[written[i]], row[i]));
    }
    update.bind(parameters);
    update.execute();
  }

  static void convert(const TablePair& pair, const std::vector<Conversion>& conversions, Row& row) {
    try {
      for (std::size_t i = 0; i < row.size(); ++i) conversions[i].convert(&row[i]);
    } catch (const Unconvertible& reason) {
      throw Unconvertible("table " + pair.production->display_name() + ": " + reason.what() +
                          "; correct it in production, or give the shadow's column another type");
    }
  }

  void triggers_on() {
    for (const auto& pair : pairs_) to_.after_copy(shadow_, *pair.shadow);
  }

  odbc::Connection& production_;
  odbc::Connection& shadow_;
  const SqlDialect& from_;
  const SqlDialect& to_;
  const std::vector<TablePair>& pairs_;
  const std::function<void(const CopyProgress&)>& report_;
  const std::atomic<bool>& stop_;
  std::vector<Ordinals> late_;  // by pair
  CopyProgress progress_;
};

}  // namespace

bool copy_tables(odbc::Connection& production, odbc::Connection& shadow, const SqlDialect& from,
                 const SqlDialect& to, const std::vector<TablePair>& pairs, bool restart,
                 const std::function<void(const CopyProgress&)>& progress,
                 const std::atomic<bool>& stop) {
  return Copier(production, shadow, from, to, pairs, progress, stop).run(restart);
}

}  // namespace understudy
