#include "driver/capture/positioned.h"

#include <strings.h>

#include <algorithm>
#include <mutex>

#include "driver/capture/own_transaction.h"
#include "driver/capture/row_reader.h"
#include "driver/handle/attributes.h"
#include "driver/real/wide.h"
#include "driver/sql/temporary.h"

namespace understudy::capture {
namespace {

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
  const bool mariadb = catalog.dialect == Dialect::mariadb;
  const SQLUSMALLINT place = mariadb ? SQL_DESC_CATALOG_NAME : SQL_DESC_SCHEMA_NAME;
  std::string name;
  std::string schema;
  for (SQLSMALLINT i = 1; i <= columns; ++i) {
    const auto number = static_cast<SQLUSMALLINT>(i);
    const std::string one = text_of(stmt, number, SQL_DESC_BASE_TABLE_NAME);
    if (one.empty()) continue;  // an expression
    if (!name.empty() && one != name) return nullptr;
    if (name.empty()) schema = text_of(stmt, number, place);
    name = one;
  }
  if (name.empty() || (mariadb && schema.empty())) return nullptr;
  const Table* table = catalog.find(schema, name);
  return table != nullptr || mariadb || !schema.empty() ? table : catalog.find("", name);
}

// A temporary table of this name is another one.
bool perhaps_temporary(const Session& session, const Table& table) {
  sql::Analysis probe;
  probe.target = sql::plain_name(table.name, session.dialect);
  return session.perhaps_hidden(probe);
}

// --- one write through a cursor ---

/// One row that it is going to touch.
struct Touched {
  KeyValues key;                                 // as it was fetched; empty: a new row
  std::size_t row = 0;                           // in the rowset
  std::vector<std::optional<std::string>> text;  // its key before the write
};

struct PositionedWrite {
  const char* kind = nullptr;  // under which it is counted when it cannot be recorded
  RowBuffers buffers;
  std::vector<Touched> rows;
  /// It is done by a call on the cursor itself, which reads the application's buffers and writes
  /// its status array; else by a statement that names the cursor.
  bool by_buffers = true;
  bool removes = false;
  bool readable = true;
};

KeyValues keys_in_buffers(const RowBuffers& buffers, const PositionedCursor& cursor,
                          std::size_t row) {
  KeyValues out;
  for (const auto& key : cursor.keys) {
    auto value = buffers.value(key.number, row, key.sql_type);
    if (!value) return {};
    out.push_back(std::move(*value));
  }
  return out;
}

/// Reads the keys before the write. False: the write would have been refused, and the caller's
/// diagnostics say why.
bool read_before(Statement& stmt, const PositionedCursor& cursor, PositionedWrite* write,
                 Statement& caller) {
  RowReader reader(stmt, cursor);
  for (Touched& one : write->rows) {
    if (one.key.empty()) continue;
    auto text = reader.read(one.key, RowReader::Wanted::key);
    if (!text && reader.locked_out(caller)) return false;
    write->readable = write->readable && text.has_value();
    if (text) one.text = std::move(*text);
  }
  return true;
}

// The server makes a key for a row that is given none; MariaDB for 0 as well.
bool key_is_made(const RowBuffers& buffers, const PositionedCursor& cursor, std::size_t row,
                 Dialect dialect) {
  if (cursor.keys.size() != 1) return false;
  const SQLUSMALLINT number = cursor.keys.front().number;
  if (buffers.left_out(number, row)) return true;
  if (dialect == Dialect::postgresql) return false;
  if (buffers.is_null(number, row)) return true;
  if (dialect != Dialect::mariadb) return false;
  const auto value = buffers.value(number, row, cursor.keys.front().sql_type);
  return value && std::all_of(value->bytes.begin(), value->bytes.end(),
                              [](char c) { return c == 0 || c == '0'; });
}

class RowsAfter {
 public:
  RowsAfter(Statement& stmt, Session& session, const PositionedWrite& write)
      : session_(session),
        cursor_(*stmt.execution->positioned),
        write_(write),
        buffers_(write.buffers),
        reader_(stmt, cursor_) {}

  /// Appends what became of the rows. False: it could not be read.
  bool append(SQLLEN* rows) {
    if (all_made()) {
      if (!added_at_once()) return false;
      *rows = rows_;
      return true;
    }
    for (const Touched& one : write_.rows) {
      if (write_.by_buffers && buffers_.failed(one.row)) continue;
      if (!(one.key.empty() ? added(one) : changed(one))) return false;
    }
    *rows = rows_;
    return true;
  }

 private:
  bool all_made() const {
    return write_.rows.size() > 1 && cursor_.table->triggers.empty() &&
           std::all_of(write_.rows.begin(), write_.rows.end(), [&](const Touched& one) {
             return one.key.empty() && !buffers_.failed(one.row) &&
                    key_is_made(buffers_, cursor_, one.row, session_.dialect);
           });
  }
  // All of them have the first one's key or a later one: when there are as many, it is these.
  bool added_at_once() {
    const auto rows = reader_.read_made(write_.rows.size());
    if (!rows) return false;
    for (const RowReader::Columns& row : *rows) put(row);
    return true;
  }
  bool put(const RowReader::Columns& row) {
    session_.transaction.entries.add_row(Verb::put, row);
    ++rows_;
    return true;
  }
  bool changed(const Touched& one) {
    const auto now = reader_.read(one.key, RowReader::Wanted::row);
    if (!now) return false;
    if (!now->empty()) return put(*now);
    if (one.text.empty()) return true;                        // somebody else had removed it before
    if (!write_.by_buffers && !write_.removes) return false;  // its key is another one
    session_.transaction.entries.add_row(Verb::remove, one.text);
    ++rows_;
    if (!write_.by_buffers) return true;
    // Its key was changed to what the buffers say, or it is gone.
    const KeyValues moved = keys_in_buffers(buffers_, cursor_, one.row);
    if (moved.empty()) return write_.removes;
    const auto there = reader_.read(moved, RowReader::Wanted::own_row);
    if (!there) return false;
    return there->empty() ? write_.removes : put(*there);
  }
  bool added(const Touched& one) {
    KeyValues key = keys_in_buffers(buffers_, cursor_, one.row);
    if (key_is_made(buffers_, cursor_, one.row, session_.dialect)) {
      // 0 is a key where the session's mode says so.
      const SQLUSMALLINT number = cursor_.keys.front().number;
      const bool given = !buffers_.left_out(number, one.row) && !buffers_.is_null(number, one.row);
      const auto zero = given ? reader_.keeps_zero() : std::optional(false);
      // Of several rows the server tells the last one's key alone.
      auto made = write_.rows.size() == 1 && zero == false ? reader_.generated_key() : std::nullopt;
      if (zero != true && !made) return false;
      if (made) key = std::move(*made);
    }
    if (key.empty()) return false;
    const auto row = reader_.read(key, RowReader::Wanted::own_row);
    return row && !row->empty() && put(*row);
  }

  Session& session_;
  const PositionedCursor& cursor_;
  const PositionedWrite& write_;
  const RowBuffers& buffers_;
  RowReader reader_;
  SQLLEN rows_ = 0;
};

/// The write has succeeded: what it did is recorded.
void record_after(Statement& stmt, Session& session, const PositionedWrite& write,
                  const std::string& text) {
  const bool known = write.readable && stmt.execution->positioned != nullptr;
  if (!known) return session.note_uncaptured(write.kind);
  session.transaction.deferrable = true;
  EntryWriter& entries = session.transaction.entries;
  entries.begin_statement(Verdict::effects, Verb::put, kStatementHasEffects, text,
                          stmt.execution->positioned->query.shape);
  SQLLEN rows = 0;
  if (!RowsAfter(stmt, session, write).append(&rows)) {
    entries.cancel_statement();
    session.note_uncaptured(write.kind);
  } else if (rows == 0) {
    entries.cancel_statement();
  } else {
    entries.end_statement(rows);
    session.spill();
  }
}

// What a text may ask of the write, before questions of ours.
void keep_counts(Session& session) {
  if (session.dialect != Dialect::mariadb) return;
  const std::string text = std::string(sql::kKeepRowCount) + sql::kAlsoKeepFoundRows;
  session.previous.found_kept = SQL_SUCCEEDED(session.send_aside(text));
  if (session.previous.found_kept) session.previous.rows = sql::kKeptRowCount;
}

SQLRETURN settle(Statement& stmt, Session& session, const PositionedWrite& write,
                 const std::string& text, SQLRETURN ret) {
  keep_counts(session);
  if (SQL_SUCCEEDED(ret)) {
    record_after(stmt, session, write, text);
  } else {
    session.transaction.tainted = true;
  }
  return ret;
}

// Runs the call inside the open transaction and records the rows. `caller`: the statement whose
// call it is.
SQLRETURN record_rows(Statement& stmt, Session& session, PositionedWrite write, Statement& caller,
                      const RunsUnchanged& unchanged) {
  if (session.transaction.tainted) session.settle_taint();
  if (session.transaction.poisoned) return session.run_poisoned(unchanged);
  if (!read_before(stmt, *stmt.execution->positioned, &write, caller)) {
    session.transaction.tainted = true;
    return SQL_ERROR;
  }
  const SQLRETURN ret = unchanged();
  if (ret != SQL_NEED_DATA) return settle(stmt, session, write, caller.execution->text(), ret);
  auto pending = std::make_unique<Pending>();
  pending->implicit = session.autocommitting();
  pending->settle = [&stmt, &session, write = std::move(write)](SQLRETURN last) {
    return settle(stmt, session, write, stmt.execution->text(), last);
  };
  stmt.execution->pending = std::move(pending);
  return ret;
}

// Not recorded: the session stays marked until the last piece of data has come.
SQLRETURN run_plain(Statement& stmt, Session& session, bool implicit,
                    const RunsUnchanged& unchanged) {
  const SQLRETURN ret = unchanged();
  if (ret == SQL_NEED_DATA) {
    stmt.execution->pending = std::make_unique<Pending>();
    stmt.execution->pending->implicit = implicit;
  } else if (implicit) {
    session.lost();
  }
  return ret;
}

SQLRETURN run_positioned(Statement& stmt, Session& session, PositionedWrite write,
                         const RunsUnchanged& unchanged) {
  const std::lock_guard lock(session.dbc.write_mutex);
  if (stmt.execution->pending != nullptr) return unchanged();  // refused: a sequence error
  const bool implicit = session.autocommitting();
  BeginWrite how = BeginWrite::unrecorded;
  SQLRETURN ret = SQL_ERROR;
  if (!begin_marked(stmt, session, &how, &ret)) return ret;
  if (how != BeginWrite::recorded) return run_plain(stmt, session, implicit, unchanged);
  const auto recorded = [&] {
    return record_rows(stmt, session, std::move(write), stmt, unchanged);
  };
  return implicit ? run_in_own_transaction(stmt, session, recorded, unchanged) : recorded();
}

std::optional<PositionedCursor::KeyColumn> key_column(const Statement& stmt, SQLSMALLINT columns,
                                                      const std::string& name) {
  for (SQLSMALLINT i = 1; i <= columns; ++i) {
    const auto number = static_cast<SQLUSMALLINT>(i);
    if (text_of(stmt, number, SQL_DESC_BASE_COLUMN_NAME) != name) continue;
    PositionedCursor::KeyColumn key;
    key.number = number;
    key.sql_type = static_cast<SQLSMALLINT>(number_of(stmt, number, SQL_DESC_CONCISE_TYPE));
    key.size = static_cast<SQLULEN>(std::max<SQLLEN>(number_of(stmt, number, SQL_DESC_LENGTH), 0));
    key.digits = static_cast<SQLSMALLINT>(number_of(stmt, number, SQL_DESC_SCALE));
    return key;
  }
  return std::nullopt;
}

}  // namespace

std::unique_ptr<PositionedCursor> PositionedCursor::of(Statement& stmt, Session& session) {
  auto out = std::make_unique<PositionedCursor>();
  out->view = session.catalog();
  if (out->view == nullptr) return nullptr;
  const auto count = stmt.library->fn.NumResultCols;
  if (count == nullptr || !SQL_SUCCEEDED(count(stmt.real, &out->columns))) return nullptr;
  out->table = table_of(stmt, out->view->catalog(), out->columns);
  if (out->table == nullptr || perhaps_temporary(session, *out->table)) return nullptr;
  auto query = sql::row_query(*out->table, session.dialect);
  if (!query) return nullptr;
  out->query = std::move(*query);
  for (const std::uint32_t ordinal : out->table->key) {
    const auto key = key_column(stmt, out->columns, out->table->columns[ordinal].name);
    if (!key) return nullptr;
    out->keys.push_back(*key);
  }
  return out;
}

void PositionedCursor::fetched(const RowBuffers& buffers, const SQLULEN* rows) {
  const SQLULEN count = rows != nullptr ? *rows : buffers.fetched().value_or(rows_fetched);
  rowset.clear();
  for (std::size_t row = 0; row < std::min<std::size_t>(count, buffers.rows()); ++row) {
    rowset.push_back(keys_in_buffers(buffers, *this, row));
    if (auto bookmark = buffers.value(0, row, SQL_BINARY);
        bookmark && by_bookmark.size() < kBookmarksMax) {
      by_bookmark[bookmark->bytes] = rowset.back();
    }
  }
}

bool may_be_positioned(const Statement& stmt) {
  const auto set = [&](SQLINTEGER attribute, SQLULEN to) {
    const Attribute* found = find_attribute(stmt.attributes, attribute);
    return found != nullptr && reinterpret_cast<std::uintptr_t>(found->value) != to;
  };
  return set(SQL_ATTR_CONCURRENCY, SQL_CONCUR_READ_ONLY) || set(SQL_ATTR_USE_BOOKMARKS, SQL_UB_OFF);
}

namespace {

void learn_cursor(Statement& stmt, Session& session) {
  Execution& execution = *stmt.execution;
  if (execution.positioned != nullptr) return;
  execution.positioned = PositionedCursor::of(stmt, session);
  execution.updatable = execution.positioned != nullptr;
}

void count_rows_at(const Statement& stmt, SQLULEN* place) {
  const auto set = stmt.library->fn.SetStmtAttr;
  if (set != nullptr) set(stmt.real, SQL_ATTR_ROWS_FETCHED_PTR, place, SQL_IS_POINTER);
}

// Connector/ODBC writes through any result. The key of its one row is read when it is asked to.
void learn_current_row(Statement& stmt, Session& session) {
  const bool told = session.dialect == Dialect::mariadb && stmt.current.load() == stmt.real;
  if (!told || RowBuffers::of(stmt).rows() != 1) return;
  learn_cursor(stmt, session);
  PositionedCursor* cursor = stmt.execution->positioned.get();
  auto key = cursor == nullptr ? std::nullopt : key_of_current_row(stmt, *cursor);
  if (!key) return;
  cursor->rowset.clear();
  cursor->rowset.push_back(std::move(*key));
}

}  // namespace

SQLRETURN fetch_with_keys(Statement& stmt, Session& session, const SQLULEN* rows,
                          const RunsUnchanged& fetch) {
  learn_cursor(stmt, session);
  PositionedCursor* cursor = stmt.execution->positioned.get();
  if (cursor == nullptr) return fetch();
  const RowBuffers buffers = RowBuffers::of(stmt);
  // How many rows there are has to be known here, too; no pointer of ours outlives the call.
  const bool count_here = rows == nullptr && !buffers.fetched();
  if (count_here) count_rows_at(stmt, &cursor->rows_fetched);
  const SQLRETURN ret = fetch();
  // What it tells would be cleared by the next call.
  if (count_here && ret != SQL_SUCCESS && ret != SQL_NO_DATA) {
    take_diagnostics(*stmt.library, SQL_HANDLE_STMT, stmt.real, stmt.connection.wide, stmt);
  }
  if (count_here) count_rows_at(stmt, nullptr);
  if (SQL_SUCCEEDED(ret)) cursor->fetched(buffers, rows);
  return ret;
}

SQLRETURN run_set_pos(Statement& stmt, Session& session, SQLSETPOSIROW row, SQLUSMALLINT operation,
                      const RunsUnchanged& unchanged) {
  constexpr const char* kKind = "set-pos";
  if (stmt.execution->positioned == nullptr && operation != SQL_ADD) {
    learn_current_row(stmt, session);
  }
  PositionedCursor* cursor = stmt.execution->positioned.get();
  if (cursor == nullptr) return run_uncaptured(stmt, session, kKind, unchanged);
  PositionedWrite write;
  write.kind = kKind;
  write.buffers = RowBuffers::of(stmt);
  write.removes = operation == SQL_DELETE;
  const RowBuffers& buffers = write.buffers;
  if (!buffers.known()) return run_uncaptured(stmt, session, kKind, unchanged);
  const std::size_t rows = operation == SQL_ADD ? buffers.rows() : cursor->rowset.size();
  for (std::size_t i = 0; i < rows; ++i) {
    // Connector/ODBC does not look at what is to be ignored. What a row has become is read
    // afterwards.
    const bool left_out = operation == SQL_ADD && buffers.ignored(i);
    if (row != 0 ? row != i + 1 : left_out) continue;
    Touched one;
    one.row = i;
    if (operation != SQL_ADD) one.key = cursor->rowset[i];
    if (operation != SQL_ADD && one.key.empty()) {
      return run_uncaptured(stmt, session, kKind, unchanged);
    }
    write.rows.push_back(std::move(one));
  }
  // A row that was not fetched: the real driver is going to complain.
  if (write.rows.empty()) return run_uncaptured(stmt, session, kKind, unchanged);
  return run_positioned(stmt, session, std::move(write), unchanged);
}

SQLRETURN run_bulk(Statement& stmt, Session& session, SQLSMALLINT operation,
                   const RunsUnchanged& unchanged) {
  constexpr const char* kKind = "bulk-operations";
  learn_cursor(stmt, session);  // rows can be added before anything was fetched
  PositionedCursor* cursor = stmt.execution->positioned.get();
  if (cursor == nullptr) return run_uncaptured(stmt, session, kKind, unchanged);
  PositionedWrite write;
  write.kind = kKind;
  write.buffers = RowBuffers::of(stmt);
  write.removes = operation == SQL_DELETE_BY_BOOKMARK;
  const RowBuffers& buffers = write.buffers;
  if (!buffers.known()) return run_uncaptured(stmt, session, kKind, unchanged);
  for (std::size_t i = 0; i < buffers.rows(); ++i) {
    if (buffers.ignored(i)) continue;
    Touched one;
    one.row = i;
    if (operation != SQL_ADD) {
      const auto bookmark = buffers.value(0, i, SQL_BINARY);
      const auto found =
          bookmark ? cursor->by_bookmark.find(bookmark->bytes) : cursor->by_bookmark.end();
      if (found == cursor->by_bookmark.end() || found->second.empty()) {
        return run_uncaptured(stmt, session, kKind, unchanged);
      }
      one.key = found->second;
    }
    write.rows.push_back(std::move(one));
  }
  return run_positioned(stmt, session, std::move(write), unchanged);
}

// --- WHERE CURRENT OF ---

namespace {

// The other statement of the connection whose cursor has this name. Names that the real driver has
// made are not asked for: that would touch the diagnostics of the statement.
Statement* named_cursor(const Statement& stmt, const std::string& name) {
  const std::lock_guard children(stmt.connection.children_mutex);
  for (Statement* one : stmt.connection.statements) {
    const bool open = one != &stmt && one->execution != nullptr && one->execution->cursor_open &&
                      one->execution->pending == nullptr && one->current.load() == one->real;
    if (open && ::strcasecmp(one->cursor_name.c_str(), name.c_str()) == 0) return one;
  }
  return nullptr;
}

}  // namespace

std::optional<SQLRETURN> run_current_of(Statement& stmt, Session& session,
                                        const sql::Analysis& analysis,
                                        const RunsUnchanged& unchanged) {
  const bool told = !analysis.cursor.empty() && analysis.table != nullptr;
  Statement* reader = told ? named_cursor(stmt, analysis.cursor) : nullptr;
  if (reader == nullptr) return std::nullopt;
  const RowBuffers buffers = RowBuffers::of(*reader);
  if (!buffers.known() || buffers.rows() != 1) return std::nullopt;
  learn_cursor(*reader, session);
  const PositionedCursor* known = reader->execution->positioned.get();
  if (known == nullptr || known->table->name != analysis.table->name) return std::nullopt;
  auto key = key_of_current_row(*reader, *known);
  if (!key) return std::nullopt;
  PositionedWrite write;
  write.kind = "current-of";
  write.by_buffers = false;
  write.removes = analysis.verb == Verb::remove;
  write.rows.emplace_back();
  write.rows.back().key = std::move(*key);
  const auto recorded = [&] {
    return record_rows(*reader, session, std::move(write), stmt, unchanged);
  };
  const bool implicit = session.autocommitting();
  return implicit ? run_in_own_transaction(stmt, session, recorded, unchanged) : recorded();
}

}  // namespace understudy::capture
