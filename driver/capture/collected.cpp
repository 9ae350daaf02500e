#include "driver/capture/collected.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "driver/sql/collect.h"

namespace understudy::capture {
namespace {

// Bytes of the first `characters` characters; npos when there are fewer.
std::size_t utf8_bytes(std::string_view text, std::size_t characters) {
  std::size_t at = 0;
  for (; characters > 0 && at < text.size(); --characters) {
    ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) ++at;
  }
  return characters == 0 ? at : std::string_view::npos;
}

}  // namespace

std::vector<std::optional<std::string_view>> take_collected_row(std::string_view* text,
                                                                std::size_t columns,
                                                                bool in_bytes) {
  std::vector<std::optional<std::string_view>> row;
  for (std::size_t i = 0; i < columns; ++i) {
    if (text->starts_with('-')) {
      row.emplace_back(std::nullopt);
      text->remove_prefix(1);
      continue;
    }
    std::size_t characters = 0;
    const auto [end, error] =
        std::from_chars(text->data(), text->data() + text->size(), characters);
    if (error != std::errc() || end == text->data() + text->size() || *end != ':') return {};
    text->remove_prefix(static_cast<std::size_t>(end - text->data()) + 1);
    const std::size_t bytes = in_bytes ? characters : utf8_bytes(*text, characters);
    if (bytes > text->size()) return {};
    row.emplace_back(text->substr(0, bytes));
    text->remove_prefix(bytes);
  }
  return row;
}

bool begin_collecting(Session& session) {
  if (session.dialect != Dialect::mariadb) return true;
  std::string begin = sql::mariadb_collect_begin_sql();
  if (!session.previous.found_kept) begin += sql::kAlsoKeepFoundRows;
  const bool begun = SQL_SUCCEEDED(session.send_aside(begin));
  session.previous.found_kept = session.previous.found_kept || begun;
  return begun;
}

SQLLEN collect_rows(Statement& stmt, Session& session, const Plan& plan) {
  OwnStatement question(stmt);
  std::string rows;
  std::string txid;
  bool none = false;
  bool is_null = false;
  const bool mariadb = session.dialect == Dialect::mariadb;
  if (!question.ask(mariadb ? sql::mariadb_collect_sql() : sql::collect_sql()) ||
      !question.read_value(1, &rows, &none) ||
      (!mariadb && !question.read_value(2, &txid, &is_null))) {
    return -1;
  }
  if (session.transaction.server_txid == 0) {
    session.transaction.server_txid = std::strtoull(txid.c_str(), nullptr, 10);
  }
  if (none) return 0;
  SQLLEN count = 0;
  EntryWriter& entries = session.transaction.entries;
  for (std::string_view rest = rows; !rest.empty(); ++count) {
    if (rest.starts_with(sql::kCollectedTooMuch)) return -1;
    const auto row = take_collected_row(&rest, plan.columns, mariadb);
    if (row.empty()) return -1;
    entries.begin_row(plan.verb);
    for (const auto& value : row) entries.add_value(value);
    entries.end_row();
  }
  return count;
}

SQLLEN append_kept(Statement& stmt, Session& session, const sql::Analysis& analysis) {
  OwnStatement question(stmt);
  std::string rows;
  bool none = false;
  if (!question.ask(sql::mariadb_collect_sql()) || !question.read_value(1, &rows, &none)) return -1;
  if (none) return 0;
  const std::size_t first = analysis.verb == Verb::move ? 0 : analysis.key_count;
  const std::size_t columns = analysis.key_count + analysis.columns.size();
  SQLLEN count = 0;
  EntryWriter& entries = session.transaction.entries;
  for (std::string_view rest = rows; !rest.empty(); ++count) {
    if (rest.starts_with(sql::kCollectedTooMuch)) return -1;
    const auto row = take_collected_row(&rest, columns, true);
    if (row.empty()) return -1;
    entries.begin_row(analysis.verb);
    for (std::size_t i = first; i < columns; ++i) entries.add_value(row[i]);
    entries.end_row();
  }
  return count;
}

SQLLEN count_upsert(Statement& stmt, SQLLEN rows, bool found) {
  OwnStatement question(stmt);
  std::string marks;
  bool none = false;
  if (!question.ask(sql::mariadb_collect_sql()) || !question.read_value(1, &marks, &none)) {
    return -1;
  }
  if (none) return rows;
  const auto changed =
      static_cast<SQLLEN>(std::count(marks.begin(), marks.end(), sql::kUpsertChanged));
  const auto there = static_cast<SQLLEN>(marks.size());
  // A row that is changed counts as two.
  return rows - there + 2 * changed + (found ? there - changed : 0);
}

void forget_collected(Statement& stmt, const Session& session) {
  if (session.dialect != Dialect::mariadb) return;  // PostgreSQL undoes it with the statement
  OwnStatement question(stmt);
  (void)question.ask(sql::mariadb_collect_sql());
}

}  // namespace understudy::capture
