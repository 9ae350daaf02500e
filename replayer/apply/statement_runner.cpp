#include "replayer/apply/statement_runner.h"

#include <algorithm>
#include <iterator>

namespace understudy {
namespace {

/// Drivers keep the text that they made of the values until the next execution.
constexpr std::size_t kKeptValuesBytesMax = 1u << 20;

std::size_t bytes_of(const std::vector<odbc::Bind>& parameters) {
  std::size_t bytes = 0;
  for (const auto& one : parameters) bytes += one.bytes.size();
  return bytes;
}

}  // namespace

long long PreparedStatements::run(std::string_view text,
                                  const std::vector<odbc::Bind>& parameters) {
  auto found = by_text_.find(text);
  if (found == by_text_.end()) {
    auto statement = std::make_unique<odbc::Statement>(connection_);
    statement->prepare(text);
    if (recent_.size() >= kPreparedStatementsMax) {
      by_text_.erase(recent_.back().text);
      recent_.pop_back();
    }
    recent_.push_front({std::string(text), std::move(statement)});
    found = by_text_.emplace(recent_.front().text, recent_.begin()).first;
  }
  const auto entry = found->second;
  recent_.splice(recent_.begin(), recent_, entry);
  try {
    entry->statement->bind(parameters);
    entry->statement->execute();
    const auto rows = entry->statement->row_count();
    entry->statement->close();
    if (bytes_of(parameters) > kKeptValuesBytesMax) {
      by_text_.erase(found);
      recent_.erase(entry);
    }
    return rows;
  } catch (...) {
    by_text_.erase(found);
    recent_.erase(entry);
    throw;
  }
}

long long PreparedStatements::run_once(std::string_view text,
                                       const std::vector<odbc::Bind>& parameters) {
  odbc::Statement statement(connection_);
  if (!parameters.empty()) statement.bind(parameters);
  statement.execute_direct(text);
  return statement.row_count();
}

void PreparedStatements::clear() {
  by_text_.clear();
  recent_.clear();
}

bool JoinedStatements::can_join(const std::vector<odbc::Bind>& parameters) {
  return std::none_of(parameters.begin(), parameters.end(), [](const odbc::Bind& bind) {
    return bind.indicator == SQL_DEFAULT_PARAM || bind.io_type != SQL_PARAM_INPUT ||
           bind.sql_type == SQL_DOUBLE || bind.sql_type == SQL_FLOAT || bind.sql_type == SQL_REAL;
  });
}

void JoinedStatements::add(std::string_view text, std::vector<odbc::Bind> parameters,
                           long long expected_rows) {
  text_ += text;
  text_ += "\n;\n";  // a line of its own: the text may end in a comment
  for (const auto& bind : parameters) bytes_ += bind.bytes.size();
  bytes_ += text.size();
  parameters_.insert(parameters_.end(), std::make_move_iterator(parameters.begin()),
                     std::make_move_iterator(parameters.end()));
  expected_.push_back(expected_rows);
}

bool JoinedStatements::run() {
  if (empty()) return true;
  if (!statement_) statement_.emplace(connection_);
  statement_->bind(parameters_);
  statement_->execute_direct(text_);
  std::size_t results = 0;
  bool same = true;
  do {
    const auto expected = results < expected_.size() ? expected_[results] : -1;
    ++results;
    same = same && statement_->column_count() == 0 &&
           (expected < 0 || statement_->row_count() == expected);
  } while (statement_->next_result());
  same = same && results == expected_.size();
  statement_->close();
  if (bytes_ > kKeptValuesBytesMax) statement_.reset();
  clear();
  return same;
}

void JoinedStatements::clear() {
  text_.clear();
  parameters_.clear();
  expected_.clear();
  bytes_ = 0;
}

}  // namespace understudy
