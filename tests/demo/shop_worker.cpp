#include "tests/demo/shop_worker.h"

#include <cstdio>
#include <utility>

namespace shop {

namespace {

constexpr std::size_t kKnownOrdersMax = 200;
constexpr std::uint64_t kRetriesMax = 1000;  // of one transaction
constexpr std::uint64_t kReportsMax = 5;     // errors and mismatches printed by one worker
constexpr std::uint64_t kFnvPrime = 0x100000001b3u;

}  // namespace

struct Statements {
  explicit Statements(plain::Connection& c)
      : insert_order(c,
                     "INSERT INTO orders (account_id, reference, status, total_cents, note)"
                     " VALUES (?, ?, 'new', ?, ?)"),
        insert_line(c,
                    "INSERT INTO order_lines (order_id, product_id, quantity, price_cents)"
                    " VALUES (?, ?, ?, ?)"),
        insert_payment(
            c, "INSERT INTO payments (order_id, account_id, amount_cents) VALUES (?, ?, ?)"),
        set_status(c, "UPDATE orders SET status = ? WHERE id = ?"),
        set_note(c, "UPDATE orders SET note = ? WHERE id = ?"),
        add_balance(c, "UPDATE accounts SET balance_cents = balance_cents + ? WHERE id = ?"),
        delete_lines(c, "DELETE FROM order_lines WHERE order_id = ?"),
        delete_order(c, "DELETE FROM orders WHERE id = ? AND status = 'cancelled'"),
        last_key(c, c.dbms_name() == "SQLite" ? "SELECT last_insert_rowid()" : "SELECT lastval()"),
        order_by_reference(c, "SELECT id FROM orders WHERE reference = ?"),
        order_by_key(c,
                     "SELECT account_id, reference, status, total_cents FROM orders WHERE id = ?"),
        lines_by_order(c,
                       "SELECT product_id, quantity, price_cents FROM order_lines"
                       " WHERE order_id = ? ORDER BY id"),
        balance_by_key(c, "SELECT balance_cents FROM accounts WHERE id = ?"),
        price_by_key(c, "SELECT price_cents FROM products WHERE id = ?") {}

  plain::Statement insert_order, insert_line, insert_payment;
  plain::Statement set_status, set_note, add_balance;
  plain::Statement delete_lines, delete_order;
  plain::Statement last_key, order_by_reference, order_by_key, lines_by_order;
  plain::Statement balance_by_key, price_by_key;
};

Worker::Worker(const std::string& target, std::uint64_t seed, unsigned index, unsigned workers)
    : index_(index),
      workers_(workers),
      manual_(index % 2 == 0),
      random_(seed * 1000003 + index),
      reference_prefix_("new-" + std::to_string(seed) + "-" + std::to_string(index) + "-"),
      connection_(std::make_unique<plain::Connection>(target)) {
  accounts_ = plain::scalar(*connection_, "SELECT count(*) FROM accounts");
  products_ = plain::scalar(*connection_, "SELECT count(*) FROM products");
  connection_->set_autocommit(!manual_);
  statements_ = std::make_unique<Statements>(*connection_);
  finish_reading();
}

Worker::~Worker() = default;

std::uint64_t Worker::draw(std::uint64_t bound) {
  return random_() % bound;
}

std::int64_t Worker::draw_account() {
  const std::uint64_t owned = static_cast<std::uint64_t>(accounts_) / workers_;
  return static_cast<std::int64_t>(draw(owned) * workers_ + index_) + 1;
}

Worker::Order Worker::draw_order() {
  Order order;
  order.account = draw_account();
  order.reference = reference_prefix_ + std::to_string(next_reference_++);
  order.status = "new";
  for (std::uint64_t lines = 1 + draw(3); lines > 0; --lines) {
    Line line;
    line.product = static_cast<std::int64_t>(draw(static_cast<std::uint64_t>(products_))) + 1;
    line.quantity = static_cast<std::int64_t>(1 + draw(4));
    statements_->price_by_key.execute(line.product);
    if (statements_->price_by_key.fetch()) {
      line.price_cents = read_integer(statements_->price_by_key, 1);
    }
    statements_->price_by_key.close();
    order.total_cents += line.quantity * line.price_cents;
    order.lines.push_back(line);
  }
  finish_reading();
  return order;
}

std::size_t Worker::draw_known(std::string_view status, bool* found) {
  *found = false;
  if (known_.empty()) return 0;
  const std::size_t start = draw(known_.size());
  for (std::size_t i = 0; i < known_.size(); ++i) {
    const std::size_t at = (start + i) % known_.size();
    if (known_[at].status != status) continue;
    *found = true;
    return at;
  }
  return 0;
}

void Worker::step() {
  try {
    const std::uint64_t choice = draw(100);
    if (choice < 40) {
      place_order();
    } else if (choice < 70) {
      pay_order();
    } else if (choice < 80) {
      cancel_order();
    } else if (choice < 87) {
      delete_cancelled();
    } else if (choice < 94) {
      top_up();
    } else {
      rename_note();
    }
  } catch (const std::exception& error) {
    ++figures_.errors;
    report(error.what());
    try {
      if (manual_) connection_->rollback();
    } catch (const std::exception& again) {
      report(again.what());
    }
  }
}

void Worker::place_order() {
  Order order = draw_order();
  const bool give_up = manual_ && draw(10) == 0;
  in_transaction([&] { insert_order(order); }, give_up);
  if (give_up) {
    check_absent(order.reference);
    return;
  }
  ++figures_.orders;
  figures_.order_lines += order.lines.size();
  check_order(order);
  check_lines(order);
  finish_reading();
  if (known_.size() >= kKnownOrdersMax) known_.erase(known_.begin());
  known_.push_back(std::move(order));
}

void Worker::insert_order(Order& order) {
  Statements& s = *statements_;
  const std::string note =
      "it's worker " + std::to_string(index_) + " \xe2\x80\x93 \xc3\xa4\xc3\xb6";
  write(s.insert_order, 1, order.account, order.reference, order.total_cents, note);
  order.id = generated_key(order);
  for (const Line& line : order.lines) {
    write(s.insert_line, 1, order.id, line.product, line.quantity, line.price_cents);
  }
  check_order(order);
}

std::int64_t Worker::generated_key(const Order& order) {
  // Under autocommit another statement may come between, so the order is found by its reference.
  plain::Statement& query = manual_ ? statements_->last_key : statements_->order_by_reference;
  if (manual_) {
    query.execute();
  } else {
    query.execute(order.reference);
  }
  const bool found = query.fetch();
  const std::int64_t key = found ? read_integer(query, 1) : 0;
  query.close();
  expect(found && key > 0, "the generated key of an order is missing");
  return key;
}

void Worker::pay_order() {
  bool found = false;
  const std::size_t at = draw_known("new", &found);
  if (!found) return top_up();
  Order& order = known_[at];
  check_balance(order.account);
  finish_reading();
  in_transaction([&] {
    write(statements_->set_status, 1, std::string_view("paid"), order.id);
    write(statements_->add_balance, 1, -order.total_cents, order.account);
    write(statements_->insert_payment, 1, order.id, order.account, order.total_cents);
  });
  order.status = "paid";
  balances_[order.account] -= order.total_cents;
  ++figures_.payments;
  figures_.paid_cents += order.total_cents;
  check_order(order);
  check_balance(order.account);
  finish_reading();
}

void Worker::cancel_order() {
  bool found = false;
  const std::size_t at = draw_known("new", &found);
  if (!found) return;
  in_transaction(
      [&] { write(statements_->set_status, 1, std::string_view("cancelled"), known_[at].id); });
  known_[at].status = "cancelled";
  check_order(known_[at]);
  finish_reading();
}

void Worker::delete_cancelled() {
  bool found = false;
  const std::size_t at = draw_known("cancelled", &found);
  if (!found) return;
  const Order order = known_[at];
  in_transaction([&] {
    write(statements_->delete_lines, static_cast<SQLLEN>(order.lines.size()), order.id);
    write(statements_->delete_order, 1, order.id);
  });
  known_.erase(known_.begin() + static_cast<std::ptrdiff_t>(at));
  ++figures_.orders_deleted;
  figures_.lines_deleted += order.lines.size();
  check_absent(order.reference);
}

void Worker::top_up() {
  const std::int64_t account = draw_account();
  const auto cents = static_cast<std::int64_t>(100 + draw(10000));
  check_balance(account);
  finish_reading();
  const bool give_up = manual_ && draw(10) == 0;
  in_transaction([&] { write(statements_->add_balance, 1, cents, account); }, give_up);
  if (!give_up) balances_[account] += cents;
  check_balance(account);
  finish_reading();
}

void Worker::rename_note() {
  if (known_.empty()) return;
  const Order& order = known_[draw(known_.size())];
  const std::string note(1 + draw(900), static_cast<char>('a' + draw(26)));
  in_transaction([&] { write(statements_->set_note, 1, note, order.id); });
}

template <class Body>
void Worker::in_transaction(Body&& body, bool give_up) {
  for (std::uint64_t attempt = 0;; ++attempt) {
    try {
      body();
      if (!manual_) return;  // each statement was a transaction
      if (give_up) {
        connection_->rollback();
        ++figures_.rolled_back;
      } else {
        connection_->commit();
        ++figures_.transactions;
      }
      return;
    } catch (const plain::Error& error) {
      if (!manual_ || !error.retryable() || attempt >= kRetriesMax) throw;
      ++figures_.retries;
      connection_->rollback();
    }
  }
}

template <class... Values>
void Worker::write(plain::Statement& statement, SQLLEN rows_expected, const Values&... values) {
  for (std::uint64_t attempt = 0;; ++attempt) {
    try {
      const SQLLEN rows = statement.execute(values...);
      expect(rows == rows_expected, "a statement changed another number of rows than it had to");
      if (!manual_) ++figures_.transactions;
      return;
    } catch (const plain::Error& error) {
      if (manual_ || !error.retryable() || attempt >= kRetriesMax) throw;
      ++figures_.retries;
    }
  }
}

// Ends the transaction that reading has opened, so that the next write does not begin with old
// eyes.
void Worker::finish_reading() {
  if (manual_) connection_->commit();
}

void Worker::check_order(const Order& order) {
  plain::Statement& query = statements_->order_by_key;
  query.execute(order.id);
  if (query.fetch()) {
    expect(read_integer(query, 1) == order.account, "an order has another account");
    expect(read_text(query, 2) == order.reference, "an order has another reference");
    expect(read_text(query, 3) == order.status, "an order has another status");
    expect(read_integer(query, 4) == order.total_cents, "an order has another total");
  } else {
    expect(false, "an order is missing");
  }
  query.close();
}

void Worker::check_lines(const Order& order) {
  plain::Statement& query = statements_->lines_by_order;
  query.execute(order.id);
  std::size_t count = 0;
  for (; query.fetch(); ++count) {
    if (count >= order.lines.size()) continue;
    const Line& line = order.lines[count];
    expect(read_integer(query, 1) == line.product, "a line has another product");
    expect(read_integer(query, 2) == line.quantity, "a line has another quantity");
    expect(read_integer(query, 3) == line.price_cents, "a line has another price");
  }
  query.close();
  expect(count == order.lines.size(), "an order has another number of lines");
}

void Worker::check_absent(const std::string& reference) {
  plain::Statement& query = statements_->order_by_reference;
  query.execute(reference);
  expect(!query.fetch(), "an order that was rolled back or deleted is there");
  query.close();
  finish_reading();
}

void Worker::check_balance(std::int64_t account) {
  plain::Statement& query = statements_->balance_by_key;
  query.execute(account);
  const bool found = query.fetch();
  const std::int64_t balance = found ? read_integer(query, 1) : 0;
  query.close();
  const auto [known, first_time] = balances_.try_emplace(account, balance);
  expect(found && (first_time || known->second == balance), "an account has another balance");
}

void Worker::check_all() {
  try {
    for (const Order& order : known_) {
      check_order(order);
      check_lines(order);
    }
    for (const auto& [account, balance] : balances_) check_balance(account);
    finish_reading();
  } catch (const std::exception& error) {
    ++figures_.errors;
    report(error.what());
  }
}

void Worker::expect(bool equal, std::string_view what) {
  if (equal) return;
  ++figures_.mismatches;
  report(what);
}

std::int64_t Worker::read_integer(plain::Statement& statement, SQLUSMALLINT column) {
  const std::int64_t value = statement.integer(column);
  read_hash_ = (read_hash_ ^ static_cast<std::uint64_t>(value)) * kFnvPrime;
  return value;
}

std::string Worker::read_text(plain::Statement& statement, SQLUSMALLINT column) {
  std::string value = statement.text(column);
  for (const unsigned char byte : value) read_hash_ = (read_hash_ ^ byte) * kFnvPrime;
  return value;
}

void Worker::report(std::string_view what) {
  if (reported_++ >= kReportsMax) return;
  std::fprintf(stderr, "orders_app: connection %u: %.*s\n", index_, static_cast<int>(what.size()),
               what.data());
}

}  // namespace shop
