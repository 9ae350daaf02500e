// One connection's share of the shop's work: places orders, takes payments, cancels and deletes,
// and checks by reading that the database holds exactly what this connection has committed.
//
// A worker owns the accounts whose number modulo the number of workers is its index, so it knows
// every balance and every order of its own. Even workers commit by hand, odd ones use autocommit.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/plain_odbc.h"

namespace shop {

/// What a worker has done; all counts are of committed work unless the name says otherwise.
struct Figures {
  std::uint64_t transactions = 0;
  std::uint64_t rolled_back = 0;
  std::uint64_t retries = 0;  // the engine asked for it: busy, serialization
  std::uint64_t errors = 0;
  std::uint64_t mismatches = 0;  // a read that was not what this worker committed
  std::uint64_t orders = 0;
  std::uint64_t order_lines = 0;
  std::uint64_t payments = 0;
  std::uint64_t orders_deleted = 0;
  std::uint64_t lines_deleted = 0;
  std::int64_t paid_cents = 0;
};

struct Statements;

/// One thread. The constructor connects and prepares; it throws plain::Error.
class Worker {
 public:
  Worker(const std::string& target, std::uint64_t seed, unsigned index, unsigned workers);
  ~Worker();

  /// One piece of work and its check. Errors of the database are counted, the first ones printed.
  void step();
  /// Reads everything back that this worker still knows of.
  void check_all();

  [[nodiscard]] const Figures& figures() const { return figures_; }
  [[nodiscard]] const plain::CallFigures& calls() const { return connection_->figures(); }
  /// Hash of every value read so far, in order.
  [[nodiscard]] std::uint64_t read_hash() const { return read_hash_; }

 private:
  struct Line {
    std::int64_t product = 0;
    std::int64_t quantity = 0;
    std::int64_t price_cents = 0;
  };
  struct Order {
    std::int64_t id = 0;
    std::int64_t account = 0;
    std::int64_t total_cents = 0;
    std::string reference;
    std::string status;
    std::vector<Line> lines;
  };

  std::uint64_t draw(std::uint64_t bound);
  std::int64_t draw_account();
  Order draw_order();
  std::size_t draw_known(std::string_view status, bool* found);

  void place_order();
  void pay_order();
  void cancel_order();
  void delete_cancelled();
  void top_up();
  void rename_note();
  void insert_order(Order& order);
  std::int64_t generated_key(const Order& order);

  template <class Body>
  void in_transaction(Body&& body, bool give_up = false);
  template <class... Values>
  void write(plain::Statement& statement, SQLLEN rows_expected, const Values&... values);
  void finish_reading();
  void check_order(const Order& order);
  void check_lines(const Order& order);
  void check_absent(const std::string& reference);
  void check_balance(std::int64_t account);
  void expect(bool equal, std::string_view what);
  std::int64_t read_integer(plain::Statement& statement, SQLUSMALLINT column);
  std::string read_text(plain::Statement& statement, SQLUSMALLINT column);
  void report(std::string_view what);

  unsigned index_;
  unsigned workers_;
  bool manual_;
  std::mt19937_64 random_;
  std::string reference_prefix_;
  std::unique_ptr<plain::Connection> connection_;
  std::unique_ptr<Statements> statements_;
  Figures figures_;
  std::uint64_t read_hash_ = 0xcbf29ce484222325u;
  std::uint64_t next_reference_ = 0;
  std::int64_t accounts_ = 0;
  std::int64_t products_ = 0;
  std::uint64_t reported_ = 0;
  std::vector<Order> known_;                       // the orders it still looks after
  std::map<std::int64_t, std::int64_t> balances_;  // of its accounts, as committed
};

}  // namespace shop
