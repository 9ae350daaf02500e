#include "replayer/migration/doubt_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstring>
#include <map>
#include <set>
#include <utility>

#include "replayer/migration/doubt.h"
#include "replayer/migration/doubt_trace.h"
#include "replayer/migration/failure.h"

namespace understudy {
namespace {

constexpr std::string_view kNull = "NULL";  // as quote() writes it; a text would stand in quotes

using Key = std::vector<odbc::OptionalText>;

struct TouchedRow {
  Shape shape;
  bool by_statement = false;  // keyed statement without rows: `key`, or else `binds` name the row
  Verb verb = Verb::other;
  Key key;
  std::vector<odbc::Bind> binds;
  std::optional<Key> image;  // all columns; nothing: removed
};

/// Rows of other transactions that are told apart; of a table with more all count as written.
constexpr std::size_t kKeysOfTableMax = 100'000;

using RowName = std::pair<std::string, Key>;  // table and key

struct Touched {
  bool keys_only = false;              // of transactions that are not the one in doubt
  bool everything = false;             // an opaque statement
  bool incomplete = false;             // a row that cannot be looked up by its key
  std::set<std::string> whole_tables;  // written without row images
  std::map<std::string, std::set<Key>> keys;
  std::map<RowName, TouchedRow> images;  // the last of each row
  std::vector<TouchedRow> statements;
};

/// The rows that the transaction in doubt wrote by keyed statements, and what came after it.
class Traces {
 public:
  void mine(const RowName& row, std::optional<RowStatement> statement) {
    auto& trace = rows_[row];
    if (statement) trace.mine.push_back(std::move(*statement));
    trace.untold = trace.untold || !statement;
  }
  /// Of another transaction. Without a statement: it is not known how it wrote the row.
  void later(const RowName& row, const std::function<std::optional<RowStatement>()>& statement) {
    const auto found = rows_.find(row);
    if (found == rows_.end() || found->second.untold) return;
    auto one = statement();
    found->second.untold = !one || ++statements_ > kTracedStatementsMax;
    if (!found->second.untold) found->second.later.push_back(std::move(*one));
  }
  /// Null when it does not tell what has become of the row.
  [[nodiscard]] const RowTrace* find(const RowName& row) const {
    const auto found = rows_.find(row);
    return found == rows_.end() || found->second.untold ? nullptr : &found->second;
  }

 private:
  std::map<RowName, RowTrace> rows_;
  std::size_t statements_ = 0;
};

/// Whose entries are being read.
struct Reading {
  const JournalReader& journal;
  const Catalog& catalog;
  Traces& traces;
  bool traceable = true;  // small, committed where it is not the one in doubt, no settings so far
};

std::string table_of(const Shape& shape) {
  return shape.schema + '\x1f' + shape.table;
}

odbc::Bind bind_of(const Parameter& parameter) {
  return {parameter.c_type,
          parameter.sql_type,
          static_cast<SQLULEN>(parameter.column_size),
          parameter.digits,
          static_cast<SQLLEN>(parameter.indicator),
          std::string(parameter.bytes)};
}

/// Nothing where it cannot be run by itself.
std::optional<RowStatement> row_statement(const StatementEntry& statement, const Reading& reading) {
  if (!reading.traceable || statement.verdict != Verdict::keyed) return std::nullopt;
  RowStatement out;
  out.text = require(reading.journal.text(statement.text));
  for (const Parameter& one : statement.parameters) {
    if (one.pieces || one.io_type != SQL_PARAM_INPUT) return std::nullopt;
    out.parameters.push_back(bind_of(one));
  }
  return out;
}

void add_key(const Shape& shape, const Key& key, Touched& touched) {
  const std::string table = table_of(shape);
  if (touched.keys_only && touched.whole_tables.contains(table)) return;
  auto& keys = touched.keys[table];
  keys.insert(key);
  if (!touched.keys_only || keys.size() <= kKeysOfTableMax) return;
  touched.keys.erase(table);
  touched.whole_tables.insert(table);
}

/// `statement`: null where the row was written otherwise than by a keyed statement of its own.
void trace(const StatementEntry* statement, const RowName& row, const Reading& reading,
           const Touched& touched) {
  const auto one = [&] { return statement ? row_statement(*statement, reading) : std::nullopt; };
  touched.keys_only ? reading.traces.later(row, one) : reading.traces.mine(row, one());
}

/// What a statement has made of its rows; of a keyed one it is evidence.
void add_rows(const StatementEntry& statement, const Shape& shape, const Reading& reading,
              Touched& touched) {
  for (const RowEffect& row : statement.rows) {
    if (row.values.size() < shape.key_count || shape.key_count == 0) {
      touched.whole_tables.insert(table_of(shape));
      touched.incomplete = true;
      continue;
    }
    TouchedRow out;
    out.shape = shape;
    out.verb = row.verb;
    Key values;
    for (const auto& value : row.values)
      values.push_back(value && *value != kNull ? odbc::OptionalText(std::string(*value))
                                                : std::nullopt);
    if (row.verb == Verb::move && values.size() > shape.key_count) {
      const Key old(values.begin(), values.begin() + shape.key_count);
      add_key(shape, old, touched);
      trace(nullptr, {table_of(shape), old}, reading, touched);
      values.erase(values.begin(), values.begin() + shape.key_count);
    }
    out.key.assign(values.begin(), values.begin() + shape.key_count);
    // A large value stands elsewhere in the journal: such a row tells nothing.
    touched.incomplete = touched.incomplete || !row.large.empty();
    if (row.verb != Verb::remove && row.large.empty() && values.size() == shape.columns.size())
      out.image = values;
    add_key(shape, out.key, touched);
    const bool alone = statement.rows.size() == 1 && row.verb != Verb::move;
    trace(alone ? &statement : nullptr, {table_of(shape), out.key}, reading, touched);
    if (row.large.empty() && !touched.keys_only)
      touched.images[{table_of(shape), out.key}] = std::move(out);
  }
}

std::optional<std::int64_t> integer_in(std::string_view text) {
  std::int64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

template <class Integer>
std::optional<std::int64_t> integer_as(std::string_view bytes) {
  Integer out{};
  if (bytes.size() < sizeof out) return std::nullopt;
  std::memcpy(&out, bytes.data(), sizeof out);
  if (!std::in_range<std::int64_t>(out)) return std::nullopt;
  return static_cast<std::int64_t>(out);
}

std::optional<std::int64_t> integer_of(const Parameter& parameter) {
  if (parameter.pieces || parameter.indicator == SQL_NULL_DATA) return std::nullopt;
  switch (parameter.c_type) {
    case SQL_C_LONG:
    case SQL_C_SLONG:
      return integer_as<std::int32_t>(parameter.bytes);
    case SQL_C_ULONG:
      return integer_as<std::uint32_t>(parameter.bytes);
    case SQL_C_SBIGINT:
      return integer_as<std::int64_t>(parameter.bytes);
    case SQL_C_UBIGINT:
      return integer_as<std::uint64_t>(parameter.bytes);
    case SQL_C_SHORT:
    case SQL_C_SSHORT:
      return integer_as<std::int16_t>(parameter.bytes);
    case SQL_C_CHAR:
      return integer_in(parameter.bytes);
    default:
      return std::nullopt;
  }
}

/// Whose values have one form each, in texts and parameters alike.
bool holds_integers(const Column& column) {
  std::string type = column.type;
  std::transform(type.begin(), type.end(), type.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (type.find("zerofill") != std::string::npos) return false;
  const std::string word = type.substr(0, type.find_first_of(" ("));
  return word == "int" || word == "integer" || word == "bigint" || word == "mediumint" ||
         word == "smallint" || word == "tinyint";
}

/// The key of the one row that a keyed statement writes, as the engine writes it. Only where it is
/// made of integers: a value of another type has many forms, and two texts may be one key.
std::optional<Key> integer_key(const StatementEntry& statement, const Shape& shape,
                               const Catalog& catalog) {
  const Table* table = catalog.find(shape.schema, shape.table);
  if (table == nullptr || statement.key.size() != shape.key_count || shape.key_count == 0)
    return std::nullopt;
  Key out(shape.key_count);
  for (const KeyPart& part : statement.key) {
    if (part.column >= shape.key_count || out[part.column]) return std::nullopt;
    const auto column = table->column(shape.columns[part.column]);
    if (!column || !holds_integers(table->columns[*column])) return std::nullopt;
    const bool bound = part.parameter && *part.parameter < statement.parameters.size();
    if (part.parameter && !bound) return std::nullopt;
    const auto value =
        bound ? integer_of(statement.parameters[*part.parameter]) : integer_in(part.literal);
    if (!value) return std::nullopt;
    out[part.column] = std::to_string(*value);
  }
  return out;
}

void add_statement(const StatementEntry& statement, const Shape& shape, const Reading& reading,
                   Touched& touched) {
  TouchedRow out;
  out.shape = shape;
  out.by_statement = true;
  out.verb = statement.verb;
  if (const auto key = integer_key(statement, shape, reading.catalog)) {
    out.key = *key;
    add_key(shape, *key, touched);
    trace(&statement, {table_of(shape), *key}, reading, touched);
    if (!touched.keys_only) touched.statements.push_back(std::move(out));
    return;
  }
  touched.whole_tables.insert(table_of(shape));
  if (touched.keys_only) return;
  for (const KeyPart& part : statement.key) {
    if (part.parameter && *part.parameter < statement.parameters.size() &&
        !statement.parameters[*part.parameter].pieces)
      out.binds.push_back(bind_of(statement.parameters[*part.parameter]));
  }
  if (out.binds.size() == shape.key_count && !out.binds.empty()) {
    touched.statements.push_back(std::move(out));
  } else {
    touched.incomplete = true;
  }
}

void add_entries(std::span<const std::byte> bytes, Reading reading, Touched& touched) {
  EntryReader entries(bytes);
  for (auto entry = entries.next(); entry.ok(); entry = entries.next()) {
    if (entry->type == Entry::Type::context && !entry->context.statements.empty())
      reading.traceable = false;
    const bool rows = entry->type == Entry::Type::rows;
    if (entry->type != Entry::Type::statement && !rows) continue;
    const StatementEntry& statement = entry->statement;
    if (statement.verdict == Verdict::context) {
      reading.traceable = false;
      continue;
    }
    if (statement.shape == kNoText) {
      touched.everything = true;
      continue;
    }
    const Shape shape = require(Shape::decode(require(reading.journal.text(statement.shape))));
    if (rows || (statement.flags & kStatementHasEffects) != 0) {
      add_rows(statement, shape, reading, touched);
    } else {
      add_statement(statement, shape, reading, touched);
    }
  }
}

/// Calls `use` with the journal's records up to the marker; false when there are too many.
bool records_until(JournalReader& journal, std::uint64_t marker_id,
                   const std::function<void(const JournalRecord&)>& use) {
  for (std::uint64_t count = 0; count < kLaterRecordsMax; ++count) {
    const JournalRecord record = require(journal.next());
    if (record.type == RecordType::marker &&
        require(plain_body<MarkerRecord>(record.payload)).id == marker_id)
      return true;
    use(record);
  }
  return false;
}

/// How the transactions behind `seq` ended, as far as is known at the marker.
std::map<std::uint64_t, Outcome> outcomes_until(JournalReader& journal, std::uint64_t seq,
                                                std::uint64_t marker_id) {
  std::map<std::uint64_t, Outcome> out;
  require(journal.seek(seq));
  (void)records_until(journal, marker_id, [&](const JournalRecord& record) {
    if (record.type != RecordType::outcome) return;
    const auto one = require(plain_body<OutcomeRecord>(record.payload));
    out[one.txn_id] = one.outcome;
  });
  return out;
}

/// What transactions behind the one the journal stands at, up to the marker, wrote.
Touched touched_until(JournalReader& journal, std::uint64_t marker_id,
                      const std::map<std::uint64_t, Outcome>& outcomes, const Catalog& catalog,
                      Traces& traces) {
  Touched out;
  out.keys_only = true;
  const auto add = [&](std::uint64_t txn_id, std::span<const std::byte> entries, bool whole) {
    const auto found = outcomes.find(txn_id);
    const Outcome outcome = found == outcomes.end() ? Outcome::unknown : found->second;
    if (outcome == Outcome::rolled_back) return;
    const bool traceable = whole && outcome == Outcome::committed;
    add_entries(entries, {journal, catalog, traces, traceable}, out);
  };
  const bool all = records_until(journal, marker_id, [&](const JournalRecord& record) {
    if (record.type == RecordType::transaction) {
      const TransactionHead head = require(decode_head(record.payload));
      add(head.txn_id, record.payload.subspan(sizeof(TransactionHead)), head.chunks == 0);
    } else if (record.type == RecordType::chunk) {
      std::uint64_t txn_id = 0;
      if (record.payload.size() < sizeof txn_id) return;
      std::memcpy(&txn_id, record.payload.data(), sizeof txn_id);
      add(txn_id, record.payload.subspan(sizeof txn_id), false);
    }
  });
  out.everything = out.everything || !all;
  return out;
}

/// A row by its key, all columns of the shape in exact text form; nothing when it is not there.
std::optional<Key> look_up(const Database& side, const Table& table, const TouchedRow& row) {
  std::vector<std::uint32_t> key;
  std::string columns;
  for (std::size_t i = 0; i < row.shape.columns.size(); ++i) {
    const auto column = table.column(row.shape.columns[i]);
    if (!column) throw Failure(kExitFailed, "a recorded column is not in " + table.display_name());
    if (i < row.shape.key_count) key.push_back(*column);
    if (i != 0) columns += ", ";
    columns +=
        side.sql().exact_text(table.columns[*column], side.sql().quote(row.shape.columns[i]));
  }
  // "DELETE FROM table WHERE key" with the dialect's own parameter places, turned into a SELECT.
  const std::string remove = side.sql().delete_sql(table, key);
  std::vector<odbc::Bind> binds = row.binds;
  for (std::size_t i = 0; i < row.key.size(); ++i)
    binds.push_back(side.sql().bind(table.columns[key[i]], row.key[i]));
  odbc::Statement statement(side.db());
  statement.prepare("SELECT " + columns + remove.substr(remove.find(" FROM ")));
  statement.bind(binds);
  statement.execute();
  if (!statement.fetch()) return std::nullopt;
  Key out;
  for (std::size_t i = 0; i < row.shape.columns.size(); ++i)
    out.push_back(statement.text(static_cast<int>(i) + 1));
  return out;
}

/// The row in the columns that the table has: the schema it was recorded on may have more.
TouchedRow in_columns_of(const Table& table, TouchedRow row) {
  std::vector<std::string> columns;
  Key image;
  for (std::size_t i = 0; i < row.shape.columns.size(); ++i) {
    if (i >= row.shape.key_count && !table.column(row.shape.columns[i])) continue;
    columns.push_back(row.shape.columns[i]);
    if (row.image) image.push_back((*row.image)[i]);
  }
  row.shape.columns = std::move(columns);
  if (row.image) row.image = std::move(image);
  return row;
}

struct Votes {
  int committed = 0;
  int rolled_back = 0;
  bool unclear = false;
};

void vote_by_image(const TouchedRow& row, const std::optional<Key>& production,
                   const std::optional<Key>& shadow, Votes& votes) {
  if (shadow == row.image && production == row.image) return;
  if (production == row.image) {
    ++votes.committed;
  } else if (production == shadow) {
    ++votes.rolled_back;
  } else {
    votes.unclear = true;
  }
}

void vote_by_statement(const TouchedRow& row, const std::optional<Key>& production,
                       const std::optional<Key>& shadow, Votes& votes) {
  if (production != shadow) {
    ++votes.committed;
  } else if (row.verb == Verb::insert && !production) {
    ++votes.rolled_back;
  } else if (row.verb == Verb::remove && production) {
    ++votes.rolled_back;
  }
}

void vote_by_trace(const RowImage& production, const TracedRow& traced, Votes& votes) {
  if (production != traced.with && production != traced.without) {
    votes.unclear = true;
  } else if (traced.with != traced.without) {
    ++(production == traced.with ? votes.committed : votes.rolled_back);
  }
}

}  // namespace

std::optional<Outcome> outcome_by_rows(JournalReader& journal, std::uint64_t seq,
                                       std::uint64_t marker_id, const Database& production,
                                       const DoubtTarget& target) {
  const Database& shadow = target.database;
  // The rows of two engines are written differently: such a transaction stays in doubt.
  if (!target.source_catalog.same_engine(target.catalog)) return std::nullopt;
  const auto outcomes = outcomes_until(journal, seq, marker_id);
  require(journal.seek(seq));
  const JournalRecord record = require(journal.next());
  const TransactionHead head = require(decode_head(record.payload));
  Touched mine;
  Traces traces;
  add_entries(record.payload.subspan(sizeof(TransactionHead)),
              {journal, target.source_catalog, traces, head.chunks == 0}, mine);
  const Touched later = touched_until(journal, marker_id, outcomes, target.source_catalog, traces);
  if (later.everything) return std::nullopt;
  Votes votes;
  bool all_seen = head.chunks == 0 && !mine.everything && !mine.incomplete;
  std::optional<Database> tracing;
  // A row that was written by keyed statements alone; false: it does not tell.
  const auto retrace = [&](const Table& table, const TouchedRow& row) {
    const RowTrace* found = traces.find({table_of(row.shape), row.key});
    if (found == nullptr) return false;
    if (!tracing) tracing = target.another();
    const auto traced = trace_row(*tracing, *found, [&] { return look_up(*tracing, table, row); });
    if (traced) vote_by_trace(look_up(production, table, row), *traced, votes);
    return traced.has_value();
  };
  const auto look = [&](const TouchedRow& row, auto vote) {
    const Table* table = target.catalog.find(row.shape.schema, row.shape.table);
    const std::string name = table_of(row.shape);
    const auto keys = later.keys.find(name);
    // Equal rows of a table without a key tell nothing.
    const Table* source = target.source_catalog.find(row.shape.schema, row.shape.table);
    const bool mapped = source != nullptr && target.mapped.names(*source);
    if (!table || table->key.empty() || later.whole_tables.contains(name) || mapped) {
      all_seen = false;
      return;
    }
    const TouchedRow common = in_columns_of(*table, row);
    const bool overwritten =
        keys != later.keys.end() && (row.key.empty() || keys->second.contains(row.key));
    if (retrace(*table, common)) return;
    if (overwritten) {
      all_seen = false;
    } else {
      vote(common, look_up(production, *table, common), look_up(shadow, *table, common), votes);
    }
  };
  for (const auto& [name, row] : mine.images) look(row, vote_by_image);
  for (const TouchedRow& row : mine.statements) look(row, vote_by_statement);
  if (votes.unclear || (votes.committed > 0 && votes.rolled_back > 0)) return std::nullopt;
  if (votes.committed > 0) return Outcome::committed;
  // Where every row is on both sides as the transaction would leave it, to skip it changes nothing.
  if (votes.rolled_back > 0 || all_seen) return Outcome::rolled_back;
  return std::nullopt;
}

}  // namespace understudy
