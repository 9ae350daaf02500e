// The workloads of the benchmark, run over plain ODBC with prepared statements.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>

#include "tests/support/plain_odbc.h"

namespace bench {

// Rows that schema.sql makes.
inline constexpr std::uint64_t kBranches = 10;
inline constexpr std::uint64_t kTellers = 100;
inline constexpr std::uint64_t kAccounts = 100000;

/// One connection's stream of transactions. One thread.
class Workload {
 public:
  virtual ~Workload() = default;
  virtual void transaction() = 0;
  [[nodiscard]] plain::Connection& connection() { return connection_; }

 protected:
  Workload(const std::string& target, std::uint64_t seed) : connection_(target), random_(seed) {}
  std::int64_t draw(std::uint64_t bound) {
    return static_cast<std::int64_t>(random_() % bound) + 1;
  }

  plain::Connection connection_;

 private:
  std::mt19937_64 random_;
};

/// `name`: tpcb (three UPDATEs by key, a SELECT, an INSERT with a generated key, one COMMIT),
/// upd1 (one UPDATE by key under autocommit), sel1 (one SELECT by key under autocommit).
/// Throws std::invalid_argument for another name, plain::Error when it cannot connect.
std::unique_ptr<Workload> make_workload(std::string_view name, const std::string& target,
                                        std::uint64_t seed);

}  // namespace bench
