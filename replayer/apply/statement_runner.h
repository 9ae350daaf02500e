// Runs statements on the shadow: one by one through a cache of prepared statements, or many in one
// round trip.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "replayer/odbc/odbc.h"

namespace understudy {

inline constexpr std::size_t kPreparedStatementsMax = 512;

/// Prepared statements by text; the least recently used one goes first. One connection, one thread.
class PreparedStatements {
 public:
  explicit PreparedStatements(odbc::Connection& connection) : connection_(connection) {}
  /// Runs the text; rows changed, -1 when the driver does not know. Throws odbc::Error; the
  /// statement is then forgotten.
  long long run(std::string_view text, const std::vector<odbc::Bind>& parameters);
  /// Runs a text without preparing it: texts that hold their values seldom come again.
  long long run_once(std::string_view text, const std::vector<odbc::Bind>& parameters);
  /// Forgets all of them.
  void clear();

 private:
  struct Prepared {
    std::string text;
    std::unique_ptr<odbc::Statement> statement;
  };
  odbc::Connection& connection_;
  std::list<Prepared> recent_;  // most recent first
  std::unordered_map<std::string_view, std::list<Prepared>::iterator> by_text_;
};

inline constexpr std::size_t kJoinedStatementsMax = 80;
inline constexpr std::size_t kJoinedBytesMax = 1u << 20;

/// Statements joined into one text, so that all of them take one round trip. For drivers that put
/// the values into the text themselves and give a result for each statement (psqlodbc).
class JoinedStatements {
 public:
  explicit JoinedStatements(odbc::Connection& connection) : connection_(connection) {}
  /// Whether joined and prepared mean the same: psqlodbc writes a cast to double precision behind
  /// floating-point values, where a prepared statement takes the type that the place asks for.
  static bool can_join(const std::vector<odbc::Bind>& parameters);

  void add(std::string_view text, std::vector<odbc::Bind> parameters, long long expected_rows);
  [[nodiscard]] bool empty() const { return expected_.empty(); }
  [[nodiscard]] bool full() const {
    return expected_.size() >= kJoinedStatementsMax || bytes_ >= kJoinedBytesMax;
  }
  /// Runs what was added; whether each statement changed the rows expected. Throws odbc::Error.
  bool run();
  void clear();

 private:
  odbc::Connection& connection_;
  std::optional<odbc::Statement> statement_;
  std::string text_;
  std::vector<odbc::Bind> parameters_;
  std::vector<long long> expected_;  // -1: not checked
  std::size_t bytes_ = 0;
};

}  // namespace understudy
