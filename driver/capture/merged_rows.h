// What a MERGE of PostgreSQL has changed: sql::Analysis::merges.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "driver/capture/work.h"
#include "driver/sql/rows_by_key.h"

namespace understudy::capture {

/// How often a MERGE is run before it is recorded as it stands: others may change its rows while it
/// waits for them, so that it keeps more than it changes.
inline constexpr int kMergeTries = 5;

/// The rows of one execution. Guarded by Connection::write_mutex.
class MergedRows {
 public:
  MergedRows(Statement& stmt, const sql::Analysis& analysis) : stmt_(stmt), analysis_(analysis) {}

  /// After it, when the real driver told of `count` changed rows: asks for what was kept, and for
  /// the rows. False: what it changed is not known for certain.
  bool read(SQLLEN count);
  /// An entry for the rows that went, for those that changed and for those that came.
  void append(const Work& work, std::size_t set) const;

 private:
  using Row = std::vector<std::optional<std::string>>;

  bool read_kept(std::string* kept);
  bool take(std::string_view kept);
  bool read_rows(const sql::MergeAction& action, const std::vector<sql::ExactKey>& keys);
  void append(const Work& work, std::size_t set, Verb verb, const std::vector<Row>& rows) const;

  Statement& stmt_;
  const sql::Analysis& analysis_;
  /// For each action the keys of its rows, in the order in which they came.
  std::vector<std::vector<sql::ExactKey>> keys_;
  std::map<Verb, std::vector<Row>> rows_;
};

}  // namespace understudy::capture
