#include "driver/capture/positioned.h"

#include <algorithm>

#include "driver/capture/parameters.h"
#include "driver/handle/attributes.h"
#include "driver/real/wide.h"

namespace understudy::capture {
namespace {

SQLULEN attribute_of(const Statement& stmt, SQLINTEGER attribute, SQLULEN otherwise) {
  const Attribute* set = find_attribute(stmt.attributes, attribute);
  return set == nullptr ? otherwise : reinterpret_cast<std::uintptr_t>(set->value);
}

template <class T>
T* pointer_of(const Statement& stmt, SQLINTEGER attribute) {
  const Attribute* set = find_attribute(stmt.attributes, attribute);
  return set == nullptr ? nullptr : static_cast<T*>(set->value);
}

SQLULEN rowset_size(const Statement& stmt) {
  return std::max<SQLULEN>(attribute_of(stmt, SQL_ATTR_ROW_ARRAY_SIZE, 1), 1);
}

// --- what the real driver says of the result ---

std::string text_of(const Statement& stmt, SQLUSMALLINT column, SQLUSMALLINT field) {
  constexpr SQLSMALLINT kUnitsMax = 512;
  SQLSMALLINT length = 0;
  const real::Entries& fn = stmt.library->fn;
  // Through a W connection a Unicode driver writes UTF-16 at either entry.
  if (stmt.connection.wide && fn.ColAttributeW != nullptr) {
    SQLWCHAR text[kUnitsMax] = {};
    const SQLRETURN ret =
        fn.ColAttributeW(stmt.real, column, field, text, sizeof text, &length, nullptr);
    Result<std::string> read = real::to_utf8(text, SQL_NTS);
    return SQL_SUCCEEDED(ret) && read.ok() ? std::move(*read) : std::string();
  }
  char text[kUnitsMax] = "";
  if (fn.ColAttribute == nullptr || !SQL_SUCCEEDED(fn.ColAttribute(stmt.real, column, field, text,
                                                                   kUnitsMax, &length, nullptr))) {
    return {};
  }
  return text;
}

SQLLEN number_of(const Statement& stmt, SQLUSMALLINT column, SQLUSMALLINT field) {
  SQLLEN number = 0;
  const auto ask = stmt.library->fn.ColAttribute;
  if (ask == nullptr) return 0;
  return SQL_SUCCEEDED(ask(stmt.real, column, field, nullptr, 0, nullptr, &number)) ? number : 0;
}

const Table* table_of(const Statement& stmt, const Catalog& catalog, SQLSMALLINT columns) {
  std::string name;
  for (SQLSMALLINT i = 1; i <= columns; ++i) {
    const std::string one = text_of(stmt, static_cast<SQLUSMALLINT>(i), SQL_DESC_BASE_TABLE_NAME);
    if (one.empty()) continue;  // an expression
    if (!name.empty() && one != name) return nullptr;
    name = one;
  }
  if (name.empty()) return nullptr;
  const std::string schema = text_of(stmt, 1, SQL_DESC_SCHEMA_NAME);
  const Table* table = catalog.find(schema, name);
  return table != nullptr || !schema.empty() ? table : catalog.find("", name);
}

// --- the application's buffers ---

template <class T>
T* element(T* base, std::size_t row, SQLULEN bind_type, SQLULEN offset, SQLLEN size) {
  if (base == nullptr) return nullptr;
  const SQLULEN step = bind_type == SQL_BIND_BY_COLUMN ? static_cast<SQLULEN>(size) : bind_type;
  return reinterpret_cast<T*>(reinterpret_cast<std::uintptr_t>(base) + offset + step * row);
}

/// Nothing when the buffer holds no value: unbound, NULL, left out, or of unknown length.
std::optional<KeyValue> buffered(const Statement& stmt, SQLUSMALLINT column, std::size_t row,
                                 SQLSMALLINT sql_type) {
  const auto bound = stmt.columns.find(column);
  if (bound == stmt.columns.end() || bound->second.value == nullptr) return std::nullopt;
  const ColumnBinding& binding = bound->second;
  const SQLULEN bind_type = attribute_of(stmt, SQL_ATTR_ROW_BIND_TYPE, SQL_BIND_BY_COLUMN);
  const auto* shift = pointer_of<SQLULEN>(stmt, SQL_ATTR_ROW_BIND_OFFSET_PTR);
  const SQLULEN offset = shift == nullptr ? 0 : *shift;
  KeyValue out;
  out.c_type = column == 0 ? SQLSMALLINT{SQL_C_BINARY} : resolved_c_type(binding.c_type, sql_type);
  const SQLLEN fixed = column == 0 ? 0 : fixed_bytes(out.c_type);
  const SQLLEN size = fixed != 0 ? fixed : binding.buffer_length;
  const char* value = element(static_cast<char*>(binding.value), row, bind_type, offset, size);
  const SQLLEN* indicator =
      element(binding.indicator, row, bind_type, offset, SQLLEN{sizeof(SQLLEN)});
  out.indicator = indicator == nullptr ? SQLLEN{SQL_NTS} : *indicator;
  if (fixed != 0) {
    if (out.indicator < 0 && out.indicator != SQL_NTS) return std::nullopt;
    out.bytes.assign(value, static_cast<std::size_t>(fixed));
  } else if (out.indicator >= 0 && out.indicator <= size) {
    out.bytes.assign(value, static_cast<std::size_t>(out.indicator));
  } else if (out.indicator == SQL_NTS && out.c_type == SQL_C_CHAR) {
    out.bytes.assign(value, ::strnlen(value, static_cast<std::size_t>(size)));
  } else {
    return std::nullopt;
  }
  out.indicator = static_cast<SQLLEN>(out.bytes.size());
  return out;
}

KeyValues keys_in_buffers(const Statement& stmt, const PositionedCursor& cursor, std::size_t row) {
  KeyValues out;
  for (const auto& key : cursor.keys) {
    auto value = buffered(stmt, key.number, row, key.sql_type);
    if (!value) return {};
    out.push_back(std::move(*value));
  }
  return out;
}

// --- reading rows again ---

class RowReader {
 public:
  RowReader(Statement& stmt, const PositionedCursor& cursor)
      : stmt_(stmt), cursor_(cursor), question_(stmt) {}

  /// The columns of one row in exact text; empty when there is no such row, nothing when it could
  /// not be asked for.
  using Columns = std::vector<std::optional<std::string>>;
  std::optional<Columns> read(const KeyValues& key, bool whole) {
    if (!SQL_SUCCEEDED(question_.open(false)) || !bind(key)) return std::nullopt;
    const real::Entries& fn = stmt_.library->fn;
    const std::string& text = whole ? cursor_.query.row_text : cursor_.query.key_text;
    const SQLRETURN ret = real_exec_direct(*stmt_.connection.library, question_.handle(), text,
                                           stmt_.connection.wide);
    if (!SQL_SUCCEEDED(ret) || fn.Fetch == nullptr) return std::nullopt;
    Columns out;
    const SQLRETURN fetched = fn.Fetch(question_.handle());
    if (fetched != SQL_NO_DATA && !SQL_SUCCEEDED(fetched)) return std::nullopt;
    const std::size_t count = whole ? cursor_.query.columns : cursor_.query.key_count;
    for (std::size_t i = 0; SQL_SUCCEEDED(fetched) && i < count; ++i) {
      bool is_null = false;
      std::string value;
      if (!question_.read_value(static_cast<SQLUSMALLINT>(i + 1), &value, &is_null)) {
        return std::nullopt;
      }
      out.push_back(is_null ? std::nullopt : std::optional<std::string>(std::move(value)));
    }
    question_.close();
    return out;
  }

 private:
  bool bind(const KeyValues& key) {
    const auto bind = stmt_.library->fn.BindParameter;
    if (bind == nullptr) return false;
    for (std::size_t i = 0; i < key.size(); ++i) {
      const auto& column = cursor_.keys[i];
      auto& value = const_cast<KeyValue&>(key[i]);
      const SQLULEN size = std::max<SQLULEN>({column.size, value.bytes.size(), 1});
      if (!SQL_SUCCEEDED(bind(question_.handle(), static_cast<SQLUSMALLINT>(i + 1), SQL_PARAM_INPUT,
                              value.c_type, column.sql_type, size, column.digits,
                              value.bytes.data(), value.indicator, &value.indicator))) {
        return false;
      }
    }
    return true;
  }

  Statement& stmt_;
  const PositionedCursor& cursor_;
  OwnStatement question_;
};

/// One row that a positioned write is going to touch.
struct Touched {
  KeyValues key;                                 // as it was fetched; empty: a new row
  std::size_t row = 0;                           // in the rowset
  std::vector<std::optional<std::string>> text;  // its key before the write
};

bool row_failed(const Statement& stmt, std::size_t row) {
  const auto* status = pointer_of<SQLUSMALLINT>(stmt, SQL_ATTR_ROW_STATUS_PTR);
  return status != nullptr && status[row] == SQL_ROW_ERROR;
}

/// Appends what became of the rows. False: it could not be read.
bool add_rows(Statement& stmt, Session& session, const PositionedCursor& cursor,
              const std::vector<Touched>& touched, SQLLEN* rows) {
  RowReader reader(stmt, cursor);
  EntryWriter& entries = session.transaction.entries;
  for (const Touched& one : touched) {
    if (row_failed(stmt, one.row)) continue;
    std::optional<RowReader::Columns> now;
    if (!one.key.empty()) {
      now = reader.read(one.key, true);
      if (!now) return false;
      if (!now->empty()) {
        entries.add_row(Verb::put, *now);
        ++*rows;
        continue;
      }
      if (one.text.empty()) continue;  // somebody else had removed it before
      entries.add_row(Verb::remove, one.text);
      ++*rows;
    }
    // A new row, or one whose key was changed: where the application's buffers say.
    const KeyValues moved = keys_in_buffers(stmt, cursor, one.row);
    if (moved.empty()) {
      if (one.key.empty()) return false;
      continue;
    }
    now = reader.read(moved, true);
    if (!now) return false;
    if (now->empty()) continue;
    entries.add_row(Verb::put, *now);
    ++*rows;
  }
  return true;
}

void count_rows_at(const Statement& stmt, SQLULEN* place) {
  const auto set = stmt.library->fn.SetStmtAttr;
  if (set != nullptr) set(stmt.real, SQL_ATTR_ROWS_FETCHED_PTR, place, SQL_IS_POINTER);
}

/// Some value of these rows comes by SQLPutData, after the call.
bool waits_for_data(const Statement& stmt, const std::vector<Touched>& touched) {
  const SQLULEN bind_type = attribute_of(stmt, SQL_ATTR_ROW_BIND_TYPE, SQL_BIND_BY_COLUMN);
  const auto* shift = pointer_of<SQLULEN>(stmt, SQL_ATTR_ROW_BIND_OFFSET_PTR);
  const SQLULEN offset = shift == nullptr ? 0 : *shift;
  for (const Touched& one : touched) {
    for (const auto& [number, column] : stmt.columns) {
      const SQLLEN* indicator =
          element(column.indicator, one.row, bind_type, offset, SQLLEN{sizeof(SQLLEN)});
      if (indicator != nullptr && comes_later(*indicator)) return true;
    }
  }
  return false;
}

// Runs the call inside the open transaction and records the rows.
SQLRETURN record_rows(Statement& stmt, Session& session, std::vector<Touched> touched,
                      const char* kind, const RunsUnchanged& unchanged) {
  const PositionedCursor& cursor = *stmt.execution->positioned;
  if (session.transaction.tainted) session.settle_taint();
  if (session.transaction.poisoned) return unchanged();
  bool readable = true;
  {
    RowReader reader(stmt, cursor);
    for (Touched& one : touched) {
      if (one.key.empty()) continue;
      auto text = reader.read(one.key, false);
      readable = readable && text.has_value();
      if (text) one.text = std::move(*text);
    }
  }
  const SQLRETURN ret = unchanged();
  if (!SQL_SUCCEEDED(ret)) {
    session.transaction.tainted = true;
    return ret;
  }
  EntryWriter& entries = session.transaction.entries;
  entries.begin_statement(Verdict::effects, Verb::put, kStatementHasEffects, stmt.execution->text(),
                          cursor.query.shape);
  SQLLEN rows = 0;
  if (!readable || !add_rows(stmt, session, cursor, touched, &rows)) {
    entries.cancel_statement();
    session.note_uncaptured(kind);
  } else if (rows == 0) {
    entries.cancel_statement();
  } else {
    entries.end_statement(rows);
    session.spill();
  }
  return ret;
}

SQLRETURN run_positioned(Statement& stmt, Session& session, std::vector<Touched> touched,
                         const char* kind, const RunsUnchanged& unchanged) {
  if (waits_for_data(stmt, touched)) return run_uncaptured(stmt, session, kind, unchanged);
  const std::lock_guard lock(session.dbc.write_mutex);
  const bool implicit = session.autocommitting();
  BeginWrite how = BeginWrite::unrecorded;
  SQLRETURN ret = SQL_ERROR;
  if (!begin_marked(stmt, session, &how, &ret)) return ret;
  if (how != BeginWrite::recorded) {
    ret = unchanged();
    if (implicit) session.lost();
    return ret;
  }
  if (!implicit) return record_rows(stmt, session, std::move(touched), kind, unchanged);
  const auto recorded = [&] {
    return record_rows(stmt, session, std::move(touched), kind, unchanged);
  };
  return run_in_own_transaction(stmt, session, recorded, unchanged);
}

}  // namespace

std::unique_ptr<PositionedCursor> PositionedCursor::of(Statement& stmt, Session& session) {
  if (stmt.app_row != nullptr || stmt.implicit[0]->touched) return nullptr;
  auto out = std::make_unique<PositionedCursor>();
  out->view = session.catalog();
  if (out->view == nullptr) return nullptr;
  SQLSMALLINT columns = 0;
  const auto count = stmt.library->fn.NumResultCols;
  if (count == nullptr || !SQL_SUCCEEDED(count(stmt.real, &columns))) return nullptr;
  const Table* table = table_of(stmt, out->view->catalog(), columns);
  if (table == nullptr) return nullptr;
  auto query = sql::row_query(*table, session.dialect);
  if (!query) return nullptr;
  out->query = std::move(*query);
  for (const std::uint32_t ordinal : table->key) {
    KeyColumn key;
    for (SQLSMALLINT i = 1; i <= columns && key.number == 0; ++i) {
      const auto number = static_cast<SQLUSMALLINT>(i);
      if (text_of(stmt, number, SQL_DESC_BASE_COLUMN_NAME) != table->columns[ordinal].name) {
        continue;
      }
      key.number = number;
      key.sql_type = static_cast<SQLSMALLINT>(number_of(stmt, number, SQL_DESC_CONCISE_TYPE));
      key.size =
          static_cast<SQLULEN>(std::max<SQLLEN>(number_of(stmt, number, SQL_DESC_LENGTH), 0));
      key.digits = static_cast<SQLSMALLINT>(number_of(stmt, number, SQL_DESC_SCALE));
    }
    if (key.number == 0) return nullptr;
    out->keys.push_back(key);
  }
  return out;
}

void PositionedCursor::fetched(const Statement& stmt, const SQLULEN* rows) {
  const auto* given = pointer_of<SQLULEN>(stmt, SQL_ATTR_ROWS_FETCHED_PTR);
  const SQLULEN count = rows != nullptr ? *rows : given != nullptr ? *given : rows_fetched;
  rowset.clear();
  for (std::size_t row = 0; row < std::min(count, rowset_size(stmt)); ++row) {
    rowset.push_back(keys_in_buffers(stmt, *this, row));
    if (auto bookmark = buffered(stmt, 0, row, SQL_BINARY);
        bookmark && by_bookmark.size() < kBookmarksMax) {
      by_bookmark[bookmark->bytes] = rowset.back();
    }
  }
}

bool may_be_positioned(const Statement& stmt) {
  const Attribute* concurrency = find_attribute(stmt.attributes, SQL_ATTR_CONCURRENCY);
  const bool updatable = concurrency != nullptr && reinterpret_cast<std::uintptr_t>(
                                                       concurrency->value) != SQL_CONCUR_READ_ONLY;
  return updatable || attribute_of(stmt, SQL_ATTR_USE_BOOKMARKS, SQL_UB_OFF) != SQL_UB_OFF;
}

void learn_cursor(Statement& stmt, Session& session) {
  Execution& execution = *stmt.execution;
  if (execution.positioned != nullptr) return;
  execution.positioned = PositionedCursor::of(stmt, session);
  execution.updatable = execution.positioned != nullptr;
}

SQLRETURN fetch_with_keys(Statement& stmt, Session& session, const SQLULEN* rows,
                          const RunsUnchanged& fetch) {
  learn_cursor(stmt, session);
  PositionedCursor* cursor = stmt.execution->positioned.get();
  if (cursor == nullptr) return fetch();
  // How many rows there are has to be known here, too; no pointer of ours outlives the call.
  const bool count_here =
      rows == nullptr && pointer_of<SQLULEN>(stmt, SQL_ATTR_ROWS_FETCHED_PTR) == nullptr;
  if (count_here) count_rows_at(stmt, &cursor->rows_fetched);
  const SQLRETURN ret = fetch();
  if (count_here) count_rows_at(stmt, nullptr);
  if (SQL_SUCCEEDED(ret)) cursor->fetched(stmt, rows);
  return ret;
}

SQLRETURN run_set_pos(Statement& stmt, Session& session, SQLSETPOSIROW row, SQLUSMALLINT operation,
                      const RunsUnchanged& unchanged) {
  constexpr const char* kKind = "set-pos";
  PositionedCursor* cursor = stmt.execution->positioned.get();
  if (cursor == nullptr) return run_uncaptured(stmt, session, kKind, unchanged);
  const auto* ignored = pointer_of<SQLUSMALLINT>(stmt, SQL_ATTR_ROW_OPERATION_PTR);
  std::vector<Touched> touched;
  const std::size_t rows = operation == SQL_ADD ? rowset_size(stmt) : cursor->rowset.size();
  for (std::size_t i = 0; i < rows; ++i) {
    const bool meant =
        row == i + 1 || (row == 0 && (ignored == nullptr || ignored[i] != SQL_ROW_IGNORE));
    if (!meant) continue;
    Touched one;
    one.row = i;
    if (operation != SQL_ADD) one.key = cursor->rowset[i];
    if (operation != SQL_ADD && one.key.empty()) {
      return run_uncaptured(stmt, session, kKind, unchanged);
    }
    touched.push_back(std::move(one));
  }
  return run_positioned(stmt, session, std::move(touched), kKind, unchanged);
}

SQLRETURN run_bulk(Statement& stmt, Session& session, SQLSMALLINT operation,
                   const RunsUnchanged& unchanged) {
  constexpr const char* kKind = "bulk-operations";
  learn_cursor(stmt, session);  // rows can be added before anything was fetched
  PositionedCursor* cursor = stmt.execution->positioned.get();
  if (cursor == nullptr) return run_uncaptured(stmt, session, kKind, unchanged);
  const auto* ignored = pointer_of<SQLUSMALLINT>(stmt, SQL_ATTR_ROW_OPERATION_PTR);
  std::vector<Touched> touched;
  for (std::size_t i = 0; i < rowset_size(stmt); ++i) {
    if (ignored != nullptr && ignored[i] == SQL_ROW_IGNORE) continue;
    Touched one;
    one.row = i;
    if (operation != SQL_ADD) {
      const auto bookmark = buffered(stmt, 0, i, SQL_BINARY);
      const auto found =
          bookmark ? cursor->by_bookmark.find(bookmark->bytes) : cursor->by_bookmark.end();
      if (found == cursor->by_bookmark.end() || found->second.empty()) {
        return run_uncaptured(stmt, session, kKind, unchanged);
      }
      one.key = found->second;
    }
    touched.push_back(std::move(one));
  }
  return run_positioned(stmt, session, std::move(touched), kKind, unchanged);
}

}  // namespace understudy::capture
