#include "replayer/copy/page_reader.h"

#include <algorithm>
#include <utility>

namespace understudy {
namespace {

constexpr std::uint64_t kFirstPageRows = 256;  // until the width of rows is known

}  // namespace

PageReader::PageReader(odbc::Connection& db, const SqlDialect& dialect, const Table& table,
                       std::vector<std::uint32_t> columns, std::uint64_t rows_max,
                       std::vector<std::string> more)
    : db_(db),
      dialect_(dialect),
      table_(table),
      columns_(std::move(columns)),
      more_(std::move(more)),
      rows_max_(std::max<std::uint64_t>(rows_max, 1)),
      limit_(std::min(rows_max_, kFirstPageRows)),
      statement_(db_) {}

void PageReader::prepare() {
  const bool has_after = !after_.empty();
  if (prepared_limit_ == limit_ && prepared_after_ == has_after) return;
  statement_.prepare(dialect_.page_sql(table_, columns_, has_after, limit_, more_));
  prepared_limit_ = limit_;
  prepared_after_ = has_after;
}

void PageReader::execute() {
  prepare();
  const auto place = dialect_.bind_place(table_, after_);
  statement_.bind(place);
  statement_.execute();
}

bool PageReader::next(std::vector<Row>* rows) {
  rows->clear();
  if (end_) return false;
  const std::size_t place_columns = dialect_.place_columns(table_);
  if (!open_) execute();
  open_ = place_columns == 0;
  const std::size_t wanted = columns_.size() + more_.size();
  const std::size_t columns = wanted + place_columns;
  std::uint64_t bytes = 0;
  while ((!open_ || rows->size() < limit_) && statement_.fetch()) {
    auto& row = rows->emplace_back();
    row.reserve(columns);
    for (std::size_t i = 1; i <= columns; ++i) {
      row.push_back(statement_.text(static_cast<int>(i)));
      if (row.back()) bytes += row.back()->size();
    }
    after_.assign(row.end() - static_cast<std::ptrdiff_t>(place_columns), row.end());
    row.resize(wanted);
  }
  end_ = rows->size() < limit_;
  if (!open_ || end_) statement_.close();
  adapt(rows->size(), bytes);
  return !rows->empty();
}

// Powers of two: each change of the limit costs a prepare.
void PageReader::adapt(std::uint64_t rows, std::uint64_t bytes) {
  if (rows == 0) return;
  const std::uint64_t wanted = kPageBytesTarget / std::max<std::uint64_t>(bytes / rows, 1);
  while (limit_ > 1 && limit_ > wanted) limit_ /= 2;
  if (wanted >= limit_ * 4) limit_ = std::min(limit_ * 8, rows_max_);
}

}  // namespace understudy
