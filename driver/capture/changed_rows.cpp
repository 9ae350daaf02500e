#include "driver/capture/changed_rows.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <utility>

#include "driver/capture/session.h"

namespace understudy::capture {
namespace {

using Values = std::vector<std::optional<std::string>>;

TextId digest(const Values& values) {
  std::string all;
  for (const auto& value : values) {
    all += value ? std::to_string(value->size()) : "-";
    all += ':';
    if (value) all += *value;
  }
  return text_id(all);
}

std::optional<sql::ExactKey> key_of(const Values& values, std::size_t columns) {
  sql::ExactKey key;
  for (std::size_t i = 0; i < columns; ++i) {
    if (!values[i]) return std::nullopt;
    key.push_back(*values[i]);
  }
  return key;
}

}  // namespace

ChangedRows::ChangedRows(Statement& stmt, const sql::Analysis& analysis,
                         const BoundParameters& bound)
    : stmt_(stmt), analysis_(analysis), bound_(bound), own_(stmt.execution->questions) {}

// The server does not know the text, or the account may not read the table.
bool ChangedRows::refused() const {
  const Dialect dialect = stmt_.connection.session->dialect;
  if (dialect == Dialect::sqlite || dialect == Dialect::generic) {
    constexpr SQLINTEGER kSqliteError = 1;
    // libsqliteodbc tells of an error once: what is read here is what the application gets.
    std::vector<Diagnostic>& told = stmt_.diagnostics;
    take_diagnostics(*stmt_.library, SQL_HANDLE_STMT, own_.handle(), stmt_.connection.wide, stmt_);
    const bool refused =
        !told.empty() &&
        (dialect == Dialect::sqlite ? told.front().native == kSqliteError
                                    : std::string_view(told.front().sqlstate).starts_with("42"));
    if (refused) told.clear();
    return refused;
  }
  Handle seen(HandleKind::statement);
  take_diagnostics(*stmt_.library, SQL_HANDLE_STMT, own_.handle(), stmt_.connection.wide, seen);
  return !seen.diagnostics.empty() &&
         std::string_view(seen.diagnostics.front().sqlstate).starts_with("42");
}

ChangedRows::Found ChangedRows::run(const std::string& text) {
  own_.close();  // an earlier question may have ended in the middle of its rows
  const bool wide = stmt_.execution->wide();
  const SQLHSTMT present = stmt_.current.load();
  SQLRETURN ret = SQL_STILL_EXECUTING;
  while (ret == SQL_STILL_EXECUTING) ret = own_.run(text, true, wide);
  const bool ran = SQL_SUCCEEDED(ret) || ret == SQL_NO_DATA;
  if (!ran && !refused()) return Found::error;
  stmt_.run_on(present);
  return ran ? Found::yes : Found::no;
}

ChangedRows::Found ChangedRows::ask(const sql::RowsQuery& query, std::size_t set) {
  if (!query.lock.empty()) {
    if (!SQL_SUCCEEDED(own_.open(false)) || !own_.bind_some(bound_, {set, 1}, {})) return Found::no;
    if (const Found found = run(query.lock); found != Found::yes) return found;
    own_.close();
  }
  std::string text = query.text;
  if (query.hint_at != 0) {
    std::string index;
    if (const Found found = planned_index(query, set, &index); found != Found::yes) return found;
    text = sql::with_index(query, index);
  }
  if (!SQL_SUCCEEDED(own_.open(false)) || !own_.bind_some(bound_, {set, 1}, query.parameters)) {
    return Found::no;
  }
  return run(text);
}

// The index the statement itself is going to use; empty: none, or several.
ChangedRows::Found ChangedRows::planned_index(const sql::RowsQuery& query, std::size_t set,
                                              std::string* index) {
  constexpr SQLUSMALLINT kKey = 6;  // of the columns of EXPLAIN
  std::vector<std::uint32_t> all(bound_.count());
  std::iota(all.begin(), all.end(), 0u);
  if (!SQL_SUCCEEDED(own_.open(false)) || !own_.bind_some(bound_, {set, 1}, all)) return Found::no;
  if (const Found found = run(query.explain); found != Found::yes) return found;
  const auto fetch = stmt_.connection.library->fn.Fetch;
  bool none = true;
  const bool read = fetch != nullptr && SQL_SUCCEEDED(fetch(own_.handle())) &&
                    own_.read_value(kKey, index, &none);
  own_.close();
  if (none || index->find(',') != std::string::npos) index->clear();
  return read ? Found::yes : Found::no;
}

bool ChangedRows::fetch(OwnStatement& from, std::size_t columns, Values* row, bool* end) {
  const auto fetch = stmt_.connection.library->fn.Fetch;
  const SQLRETURN ret = fetch == nullptr ? static_cast<SQLRETURN>(SQL_ERROR) : fetch(from.handle());
  *end = ret == SQL_NO_DATA;
  if (*end) return true;
  if (!SQL_SUCCEEDED(ret)) return false;
  row->resize(columns);
  for (std::size_t i = 0; i < columns; ++i) {
    std::string value;
    bool is_null = false;
    if (!from.read_value(static_cast<SQLUSMALLINT>(i + 1), &value, &is_null)) return false;
    (*row)[i] = is_null ? std::nullopt : std::optional(std::move(value));
  }
  return true;
}

bool ChangedRows::fetch_before(Rows* rows) {
  const sql::RowsQuery& query = *rows->query;
  Values values;
  for (;;) {
    bool end = false;
    if (!fetch(own_, query.columns.size(), &values, &end)) return false;
    if (end) break;
    auto key = key_of(values, query.key_count);
    if (!key) continue;  // of an outer join
    bytes_ += sizeof(Row);
    for (const std::string& part : *key) bytes_ += sizeof(std::string) + part.size();
    if (bytes_ > kChangedRowsBytesMax) return false;
    rows->before.push_back({std::move(*key), digest(values)});
  }
  // A join finds a row more than once.
  const auto less = [](const Row& a, const Row& b) { return a.key < b.key; };
  const auto same = [](const Row& a, const Row& b) { return a.key == b.key; };
  std::sort(rows->before.begin(), rows->before.end(), less);
  rows->before.erase(std::unique(rows->before.begin(), rows->before.end(), same),
                     rows->before.end());
  return true;
}

bool ChangedRows::fetch_places() {
  Values place;
  for (;;) {
    bool end = false;
    if (!fetch(own_, 1, &place, &end)) return false;
    if (end) break;
    bytes_ += sizeof(std::string) + (place[0] ? place[0]->size() : 0);
    if (!place[0] || bytes_ > kChangedRowsBytesMax) return false;
    places_.push_back(std::move(*place[0]));
  }
  std::sort(places_.begin(), places_.end());
  places_.erase(std::unique(places_.begin(), places_.end()), places_.end());
  return true;
}

bool ChangedRows::fetch_old_keys(const sql::RowsQuery& query) {
  Values values;
  for (;;) {
    bool end = false;
    if (!fetch(own_, query.key_count + 1, &values, &end)) return false;
    if (end) return true;
    if (!values[0]) continue;  // the statement cannot bring a row there
    std::string place = std::move(*values[0]);
    values.erase(values.begin());
    bytes_ += sizeof(OldKey) + place.size();
    for (const auto& one : values) bytes_ += sizeof(one) + (one ? one->size() : 0);
    if (bytes_ > kChangedRowsBytesMax) return false;
    const auto [at, fresh] = old_keys_.try_emplace(std::move(place));
    at->second.doubtful = !fresh && (at->second.doubtful || at->second.values != values);
    if (fresh) at->second.values = values;
  }
}

ChangedRows::Found ChangedRows::read_before(std::size_t set) {
  rows_.clear();
  places_.clear();
  old_keys_.clear();
  bytes_ = 0;
  for (const sql::RowsQuery& query : analysis_.before) {
    const Found found = ask(query, set);
    if (found != Found::yes) return found;
    Rows rows{&query, {}};
    const bool moves = analysis_.verb == Verb::move;
    const bool read = moves && !query.lock.empty() ? fetch_old_keys(query)
                      : moves                      ? fetch_places()
                                                   : fetch_before(&rows);
    own_.close();
    if (!read) return Found::no;
    rows_.push_back(std::move(rows));
  }
  return Found::yes;
}

bool ChangedRows::append_after(std::size_t set, SQLLEN count, EntryWriter& entries,
                               const BeginsEntry& begin) {
  const auto fires = [&](const Rows& rows) { return fires_unchanged(rows); };
  if (count == 0 && std::none_of(rows_.begin(), rows_.end(), fires)) return true;
  if (!analysis_.after.empty()) return append_found(set, count, entries, begin);
  SQLLEN matched = 0;
  SQLLEN changed = 0;
  for (const Rows& rows : rows_) {
    matched += static_cast<SQLLEN>(rows.before.size());
    if (rows.before.empty()) continue;
    begin(*rows.query);
    const SQLLEN here =
        rows.query->columns.size() == rows.query->key_count && analysis_.verb == Verb::remove
            ? append_removed(rows, entries)
            : append_changed(rows, entries);
    if (here < 0) {
      entries.cancel_statement();
      return false;
    }
    const bool nothing = here == 0 && !fires_unchanged(rows);
    if (nothing) entries.cancel_statement();
    if (!nothing) entries.end_statement(here);
    changed += here;
  }
  if (changed == count) return true;
  // Rows that were found and stayed as they were. A subquery of ours may have found others.
  const bool met = analysis_.counts_met || stmt_.connection.session->counts_found;
  return !analysis_.before_may_miss && matched == count && met;
}

bool ChangedRows::append_returned(SQLRETURN ret, OwnStatement& own, EntryWriter& entries,
                                  const BeginsEntry& begin, SQLLEN* count,
                                  std::uint64_t* server_txid) {
  const sql::RowsQuery& query = analysis_.before.front();
  const std::size_t columns = query.key_count + query.columns.size();
  bool same = true;
  *count = 0;
  if (ret == SQL_NO_DATA) return places_.empty();
  begin(query);
  for (Values values;; ++*count) {
    bool end = false;
    same = fetch(own, columns + 2, &values, &end) && same;
    if (end || values.size() < columns + 2) break;
    const auto& place = values[columns];
    same = same && place && std::binary_search(places_.begin(), places_.end(), *place);
    if (*server_txid == 0 && values[columns + 1]) {
      *server_txid = std::strtoull(values[columns + 1]->c_str(), nullptr, 10);
    }
    values.resize(columns);
    entries.add_row(Verb::move, values);
  }
  if (*count == 0 || !same || *count != static_cast<SQLLEN>(places_.size())) {
    entries.cancel_statement();
    return same && places_.empty();
  }
  entries.end_statement(*count);
  return true;
}

bool ChangedRows::append_moved(OwnStatement& own, EntryWriter& entries, const BeginsEntry& begin,
                               SQLLEN* count) {
  const sql::RowsQuery& query = analysis_.before.front();
  const std::size_t columns = query.columns.size();
  bool known = true;
  *count = 0;
  begin(query);
  for (Values values;; ++*count) {
    bool end = false;
    known = fetch(own, columns + 1, &values, &end) && known;
    if (end || values.size() < columns + 1) break;
    const auto found = values[columns] ? old_keys_.find(*values[columns]) : old_keys_.end();
    known = known && found != old_keys_.end() && !found->second.doubtful &&
            !std::exchange(found->second.taken, true);
    if (!known) continue;
    values.pop_back();
    const Values& old = found->second.values;
    values.insert(values.begin(), old.begin(), old.end());
    entries.add_row(Verb::move, values);
  }
  if (*count == 0 || !known) {
    entries.cancel_statement();
    return known;
  }
  entries.end_statement(*count);
  return true;
}

SQLLEN ChangedRows::append_removed(const Rows& rows, EntryWriter& entries) {
  for (const Row& row : rows.before) {
    entries.begin_row(Verb::remove);
    for (const std::string& part : row.key) entries.add_value(part);
    entries.end_row();
  }
  return static_cast<SQLLEN>(rows.before.size());
}

// MariaDB: triggers fire for rows that an UPDATE has met and left as they were.
bool ChangedRows::fires_unchanged(const Rows& rows) const {
  return stmt_.connection.session->dialect == Dialect::mariadb && analysis_.verb == Verb::update &&
         !rows.query->table->triggers.empty();
}

// -1: they cannot be read, or one is no longer where it was.
SQLLEN ChangedRows::append_changed(const Rows& rows, EntryWriter& entries) {
  SQLLEN changed = 0;
  for (std::size_t first = 0; first < rows.before.size(); first += kKeysPerQuestion) {
    const std::size_t size = std::min(kKeysPerQuestion, rows.before.size() - first);
    const auto begin = rows.before.begin() + static_cast<std::ptrdiff_t>(first);
    const auto last = begin + static_cast<std::ptrdiff_t>(size);
    std::vector<sql::ExactKey> keys;
    for (auto row = begin; row != last; ++row) keys.push_back(row->key);
    const auto text = sql::rows_by_key(*rows.query, keys);
    if (!text || !SQL_SUCCEEDED(own_.open(false)) || run(*text) != Found::yes) return -1;
    std::size_t seen = 0;
    Values values;
    for (;; ++seen) {
      bool end = false;
      if (!fetch(own_, rows.query->columns.size(), &values, &end)) return -1;
      if (end) break;
      const auto key = key_of(values, rows.query->key_count);
      if (!key) return -1;
      const auto found = std::lower_bound(
          begin, last, *key, [](const Row& row, const auto& wanted) { return row.key < wanted; });
      if (found == last || found->key != *key) return -1;
      const bool same = found->values == digest(values);
      if (same && !fires_unchanged(rows)) continue;
      // What may count no row on the shadow either is put there.
      entries.add_row(same ? Verb::put : Verb::update, values);
      if (!same) ++changed;
    }
    own_.close();
    if (seen != size) return -1;
  }
  return changed;
}

bool ChangedRows::append_found(std::size_t set, SQLLEN count, EntryWriter& entries,
                               const BeginsEntry& begin) {
  SQLLEN total = 0;
  begin(analysis_.after.front());
  for (const sql::RowsQuery& query : analysis_.after) {
    SQLLEN here = 0;
    Values values;
    bool read = ask(query, set) == Found::yes;
    for (bool end = false; read && !end;) {
      read = fetch(own_, query.columns.size(), &values, &end);
      if (!read || end) continue;
      entries.add_row(analysis_.verb, values);
      ++here;
    }
    own_.close();
    if (!read || here == 0) {
      entries.cancel_statement();
      return false;
    }
    total += here;
  }
  if (stmt_.connection.session->dialect == Dialect::generic && total != count) {
    entries.cancel_statement();
    return false;
  }
  entries.end_statement(total);
  return true;
}

}  // namespace understudy::capture
