#include "driver/capture/merged_rows.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "driver/capture/changed_rows.h"
#include "driver/capture/collected.h"
#include "driver/sql/collect.h"

namespace understudy::capture {

bool MergedRows::read_kept(std::string* kept) {
  OwnStatement question(stmt_);
  std::string txid;
  bool none = false;
  bool is_null = false;
  if (!question.ask(sql::collect_sql()) || !question.read_value(1, kept, &none) ||
      !question.read_value(2, &txid, &is_null)) {
    return false;
  }
  if (none) kept->clear();
  std::uint64_t& known = stmt_.connection.session->transaction.server_txid;
  if (known == 0) known = std::strtoull(txid.c_str(), nullptr, 10);
  return true;
}

// Once for each row of an action: the server looks again at a row that it has waited for.
bool MergedRows::take(std::string_view kept) {
  keys_.assign(analysis_.merges.size(), {});
  std::vector<std::set<sql::ExactKey>> seen(keys_.size());
  while (!kept.empty()) {
    const auto number = take_collected_row(&kept, 1, false);
    if (number.empty() || !number[0]) return false;
    std::size_t action = 0;
    const auto [end, error] =
        std::from_chars(number[0]->data(), number[0]->data() + number[0]->size(), action);
    if (error != std::errc() || action >= keys_.size()) return false;
    const auto row = take_collected_row(&kept, analysis_.merges[action].lookup.size(), false);
    sql::ExactKey key;
    for (const auto& value : row) {
      if (!value) return false;
      key.emplace_back(*value);
    }
    if (key.empty()) return false;
    if (seen[action].insert(key).second) keys_[action].push_back(std::move(key));
  }
  return true;
}

bool MergedRows::read(SQLLEN count) {
  std::string kept;
  if (!read_kept(&kept) || !take(kept)) return false;
  SQLLEN rows = 0;
  for (const auto& keys : keys_) rows += static_cast<SQLLEN>(keys.size());
  if (rows != count) return false;
  rows_.clear();
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    if (!read_rows(analysis_.merges[i], keys_[i])) return false;
  }
  return true;
}

bool MergedRows::read_rows(const sql::MergeAction& action, const std::vector<sql::ExactKey>& keys) {
  std::vector<Row>& out = rows_[action.verb];
  if (action.verb == Verb::remove) {
    for (const sql::ExactKey& key : keys) out.emplace_back(key.begin(), key.end());
    return true;
  }
  const auto fetch = stmt_.connection.library->fn.Fetch;
  OwnStatement question(stmt_);
  for (std::size_t first = 0; first < keys.size(); first += kKeysPerQuestion) {
    const std::span<const sql::ExactKey> some =
        std::span(keys).subspan(first, std::min(kKeysPerQuestion, keys.size() - first));
    std::map<sql::ExactKey, Row> found;
    const std::string text =
        sql::postgresql_rows_by(*analysis_.table, analysis_.columns, action.lookup, some);
    for (bool more = question.ask(text); more; more = SQL_SUCCEEDED(fetch(question.handle()))) {
      Row row(analysis_.columns.size());
      for (std::size_t i = 0; i < row.size(); ++i) {
        std::string value;
        bool is_null = false;
        if (!question.read_value(static_cast<SQLUSMALLINT>(i + 1), &value, &is_null)) return false;
        if (!is_null) row[i] = std::move(value);
      }
      sql::ExactKey key;
      for (const std::uint32_t ordinal : action.lookup) {
        const auto at = std::find(analysis_.columns.begin(), analysis_.columns.end(), ordinal);
        const auto& value = row[static_cast<std::size_t>(at - analysis_.columns.begin())];
        key.push_back(value.value_or(""));
      }
      if (!found.emplace(std::move(key), std::move(row)).second) return false;
    }
    question.close();
    for (const sql::ExactKey& key : some) {
      const auto row = found.find(key);
      if (row == found.end()) return false;
      out.push_back(std::move(row->second));
    }
  }
  return true;
}

void MergedRows::append(const Work& work, std::size_t set, Verb verb,
                        const std::vector<Row>& rows) const {
  if (rows.empty()) return;
  sql::RowsQuery shape;
  Shape encoded{analysis_.table->schema, analysis_.table->name, analysis_.key_count, {}};
  for (const std::uint32_t ordinal : analysis_.columns) {
    if (verb == Verb::remove && encoded.columns.size() == analysis_.key_count) break;
    encoded.columns.push_back(analysis_.table->columns[ordinal].name);
  }
  shape.shape = encoded.encode();
  Plan plan = work.plan;
  plan.verb = verb;
  const Work one{work.stmt, work.session, plan, work.bound, work.late};
  begin_entry(one, set, &shape);
  for (const Row& row : rows) one.entries().add_row(verb, row);
  settle_entry(one, SQL_SUCCESS, static_cast<SQLLEN>(rows.size()));
}

void MergedRows::append(const Work& work, std::size_t set) const {
  // Rows that come may have unique values of others that went or changed.
  for (const Verb verb : {Verb::remove, Verb::update, Verb::insert}) {
    const auto rows = rows_.find(verb);
    if (rows != rows_.end()) append(work, set, verb, rows->second);
  }
}

}  // namespace understudy::capture
