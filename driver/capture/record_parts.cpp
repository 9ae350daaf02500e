#include "driver/capture/record_parts.h"

#include <charconv>
#include <cstdlib>
#include <string>

#include "driver/capture/collected.h"
#include "driver/capture/row_counts.h"
#include "driver/sql/collect.h"

namespace understudy::capture {
namespace {

/// Rows of all parts as they come.
class PartRows {
 public:
  explicit PartRows(const sql::Analysis& analysis)
      : analysis_(analysis), parts_(analysis.parts.size()) {}

  /// As many rows as the text holds. False: it is none of ours, or all are too many.
  bool take(std::string_view kept) {
    bytes_ += kept.size();
    if (bytes_ > kPartsBytesMax) return false;
    while (!kept.empty()) {
      const auto number = take_collected_row(&kept, 1, false);
      std::size_t part = 0;
      if (number.empty() || !number[0] || !read(*number[0], &part)) return false;
      const std::string_view start = kept;
      if (take_collected_row(&kept, analysis_.parts[part].rows.columns.size(), false).empty()) {
        return false;
      }
      parts_[part].text += start.substr(0, start.size() - kept.size());
      ++parts_[part].rows;
    }
    return true;
  }

  [[nodiscard]] SQLLEN counted() const { return parts_[analysis_.counted_part].rows; }

  /// An entry for each part that has rows.
  void append(const Work& work, std::size_t set) const {
    Plan plan = work.plan;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      if (parts_[i].rows == 0) continue;
      const sql::RowsPart& part = analysis_.parts[i];
      plan.verb = part.verb;
      const Work one{work.stmt, work.session, plan, work.bound, work.late};
      begin_entry(one, set, &part.rows);
      std::string_view rest = parts_[i].text;
      while (!rest.empty()) {
        one.entries().begin_row(part.verb);
        for (const auto& value : take_collected_row(&rest, part.rows.columns.size(), false)) {
          one.entries().add_value(value);
        }
        one.entries().end_row();
      }
      settle_entry(one, SQL_SUCCESS, parts_[i].rows);
      plan.values = false;  // they stand in the first entry
    }
  }

 private:
  struct Rows {
    std::string text;
    SQLLEN rows = 0;
  };

  bool read(std::string_view digits, std::size_t* part) const {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), *part);
    return error == std::errc() && end == digits.data() + digits.size() && *part < parts_.size();
  }

  const sql::Analysis& analysis_;
  std::vector<Rows> parts_;
  std::size_t bytes_ = 0;
};

bool read_result(const Work& work, PartRows* rows) {
  OwnStatement& own = work.execution().own;
  std::uint64_t& txid = work.session.transaction.server_txid;
  const auto fetch = work.stmt.connection.library->fn.Fetch;
  if (fetch == nullptr) return false;
  std::string value;
  for (;;) {
    const SQLRETURN ret = fetch(own.handle());
    if (ret == SQL_NO_DATA) return true;
    bool is_null = false;
    if (!SQL_SUCCEEDED(ret) || !own.read_value(1, &value, &is_null) || is_null ||
        !rows->take(value)) {
      return false;
    }
    if (!work.plan.with_txid || txid != 0) continue;
    if (!own.read_value(2, &value, &is_null)) return false;
    txid = std::strtoull(value.c_str(), nullptr, 10);
  }
}

}  // namespace

bool record_returned_parts(const Work& work, Slice slice, SQLRETURN ret) {
  std::vector<SQLLEN> counts;
  const auto mark = work.entries().mark();
  while (SQL_SUCCEEDED(ret)) {
    PartRows rows(*work.plan.analysis);
    if (!read_result(work, &rows)) {
      work.entries().rewind(mark);
      return false;
    }
    rows.append(work, slice.first);
    counts.push_back(rows.counted());
    if (!work.execution().own.next_result()) break;
  }
  if (ret == SQL_NO_DATA) counts.push_back(0);
  add_counts(work, counts);
  return true;
}

bool record_kept_parts(const Work& work) {
  OwnStatement question(work.stmt);
  std::string kept;
  std::string txid;
  bool none = false;
  bool is_null = false;
  if (!question.ask(sql::collect_sql()) || !question.read_value(1, &kept, &none) ||
      !question.read_value(2, &txid, &is_null)) {
    return false;
  }
  if (work.session.transaction.server_txid == 0) {
    work.session.transaction.server_txid = std::strtoull(txid.c_str(), nullptr, 10);
  }
  PartRows rows(*work.plan.analysis);
  if (!none && !rows.take(kept)) return false;
  rows.append(work, 0);
  return true;
}

}  // namespace understudy::capture
