// Writers that fight over a few rows: plain ODBC, links libodbc, knows nothing of Understudy.
//
//   hot_rows_app CONNECTION-STRING --threads N --seconds S --seed N [--unsorted] [--reconnect]
//                [--no-returning] [--rows N]
//
// Tables: hot (id 1..10 unless told otherwise, val, ver), audit (generated id, hot_id, ver, delta).
// Even threads commit by hand: one to three rows each, in key order (with --unsorted in any order,
// so that deadlocks come and are tried again), and for each row the version it made, read back in
// the same transaction, goes into audit; one in ten rolls back. Odd threads use autocommit: an
// UPDATE by key, one in four with RETURNING unless told otherwise. The new value depends on the old
// one, so only the right order gives the same table. With --reconnect an error that does not ask
// for another try ends the connection, and another one is made. SIGTERM ends it in order, before
// its time. Prints "transactions N", "rolled_back N", "retries N", "errors N"; exit code 1 when
// there were errors.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/plain_odbc.h"

namespace {

volatile std::sig_atomic_t ending = 0;

constexpr std::uint64_t kRowsMax = 1'000'000;
constexpr unsigned kThreadsMax = 64;

struct Options {
  std::string target;
  unsigned threads = 4;
  double seconds = 20;
  std::uint64_t seed = 1;
  bool unsorted = false;
  bool reconnect = false;
  bool returning = true;
  std::uint64_t rows = 10;
};

struct Figures {
  std::uint64_t transactions = 0;
  std::uint64_t rolled_back = 0;
  std::uint64_t retries = 0;
  std::uint64_t errors = 0;

  void add(const Figures& more) {
    transactions += more.transactions;
    rolled_back += more.rolled_back;
    retries += more.retries;
    errors += more.errors;
  }
};

class Writer {
 public:
  Writer(const Options& options, unsigned index)
      : manual_(index % 2 == 0),
        reconnect_(options.reconnect),
        unsorted_(options.unsorted),
        rows_(static_cast<std::int64_t>(options.rows)),
        random_(options.seed * 7919 + index),
        connection_(options.target),
        update_(connection_, std::string(kUpdate)),
        version_(connection_, "SELECT ver FROM hot WHERE id = ?"),
        audit_(connection_, "INSERT INTO audit (hot_id, ver, delta) VALUES (?, ?, ?)") {
    if (options.returning)
      update_returning_.emplace(connection_, std::string(kUpdate) + " RETURNING ver");
    connection_.set_autocommit(!manual_);
  }

  void step() {
    try {
      manual_ ? by_hand() : by_autocommit();
    } catch (const plain::Error& error) {
      recover(error);
    }
  }
  [[nodiscard]] const Figures& figures() const { return figures_; }

 private:
  static constexpr char kUpdate[] =
      "UPDATE hot SET val = (val * 31 + ?) % 1000003, ver = ver + 1 WHERE id = ?";

  std::int64_t draw(std::int64_t bound) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(bound));
  }

  std::vector<std::int64_t> draw_rows() {
    std::set<std::int64_t> rows;
    for (std::int64_t count = 1 + draw(3); count > 0; --count) rows.insert(1 + draw(rows_));
    std::vector<std::int64_t> order(rows.begin(), rows.end());
    if (unsorted_) std::shuffle(order.begin(), order.end(), random_);
    return order;
  }

  void by_hand() {
    for (const std::int64_t id : draw_rows()) {
      const std::int64_t delta = draw(1000);
      update_.execute(delta, id);
      version_.execute(id);
      const std::int64_t version = version_.fetch() ? version_.integer(1) : -1;
      version_.close();
      audit_.execute(id, version, delta);
    }
    if (draw(10) == 0) {
      connection_.rollback();
      ++figures_.rolled_back;
    } else {
      connection_.commit();
      ++figures_.transactions;
    }
  }

  void by_autocommit() {
    const std::int64_t id = 1 + draw(rows_);
    if (draw(4) == 0 && update_returning_) {
      update_returning_->execute(draw(1000), id);
      if (!update_returning_->fetch() || update_returning_->integer(1) <= 0) ++figures_.errors;
      update_returning_->close();
    } else if (update_.execute(draw(1000), id) != 1) {
      ++figures_.errors;
    }
    ++figures_.transactions;
  }

  void recover(const plain::Error& error) {
    if (reconnect_ && !error.retryable()) throw error;
    if (error.retryable()) {
      ++figures_.retries;
    } else {
      if (figures_.errors++ == 0) std::fprintf(stderr, "hot_rows_app: %s\n", error.what());
    }
    if (manual_) connection_.rollback();
  }

  bool manual_;
  bool reconnect_;
  bool unsorted_;
  std::int64_t rows_;
  std::mt19937_64 random_;
  plain::Connection connection_;
  plain::Statement update_, version_, audit_;
  std::optional<plain::Statement> update_returning_;
  Figures figures_;
};

bool parse(int argc, char** argv, Options* options) {
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--unsorted") {
      options->unsorted = true;
    } else if (name == "--reconnect") {
      options->reconnect = true;
    } else if (name == "--no-returning") {
      options->returning = false;
    } else if (name.rfind("--", 0) != 0 && options->target.empty()) {
      options->target = name;
    } else if (i + 1 < argc && name == "--threads") {
      options->threads = static_cast<unsigned>(std::strtoul(argv[++i], nullptr, 10));
    } else if (i + 1 < argc && name == "--seconds") {
      options->seconds = std::strtod(argv[++i], nullptr);
    } else if (i + 1 < argc && name == "--rows") {
      options->rows = std::strtoull(argv[++i], nullptr, 10);
    } else if (i + 1 < argc && name == "--seed") {
      options->seed = std::strtoull(argv[++i], nullptr, 10);
    } else {
      return false;
    }
  }
  return !options->target.empty() && options->threads >= 1 && options->threads <= kThreadsMax &&
         options->seconds > 0 && options->rows >= 1 && options->rows <= kRowsMax;
}

/// One thread's work on as many connections as it takes; what each did is added up.
class Work {
 public:
  Work(const Options& options, unsigned index) : options_(options), index_(index) {
    if (!options.reconnect) writer_.emplace(options, index);
  }

  /// Throws when a connection is lost and none may follow.
  void until(std::chrono::steady_clock::time_point end) {
    while (!ending && std::chrono::steady_clock::now() < end) {
      try {
        if (!writer_) writer_.emplace(options_, index_);
        writer_->step();
      } catch (const std::exception&) {
        if (!options_.reconnect) throw;
        keep();
      }
    }
    keep();
  }
  [[nodiscard]] const Figures& figures() const { return figures_; }

 private:
  void keep() {
    if (writer_) figures_.add(writer_->figures());
    writer_.reset();
  }

  const Options& options_;
  unsigned index_;
  std::optional<Writer> writer_;
  Figures figures_;
};

int run(const Options& options) {
  std::vector<std::unique_ptr<Work>> work;
  for (unsigned i = 0; i < options.threads; ++i) work.push_back(std::make_unique<Work>(options, i));
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::nanoseconds>(
                                             std::chrono::duration<double>(options.seconds));
  std::atomic<bool> broken{false};
  std::vector<std::thread> threads;
  for (auto& one : work) {
    threads.emplace_back([&] {
      try {
        one->until(end);
      } catch (const std::exception& error) {
        std::fprintf(stderr, "hot_rows_app: %s\n", error.what());
        broken.store(true);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  Figures total;
  for (const auto& one : work) total.add(one->figures());
  std::printf("transactions %llu\nrolled_back %llu\nretries %llu\nerrors %llu\n",
              static_cast<unsigned long long>(total.transactions),
              static_cast<unsigned long long>(total.rolled_back),
              static_cast<unsigned long long>(total.retries),
              static_cast<unsigned long long>(total.errors));
  return total.errors == 0 && !broken.load() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, &options)) {
    std::fprintf(stderr,
                 "usage: hot_rows_app CONNECTION-STRING [--threads N] [--seconds S] [--seed N]"
                 " [--unsorted] [--reconnect] [--no-returning] [--rows N]\n");
    return 2;
  }
  std::signal(SIGTERM, [](int) { ending = 1; });
  try {
    return run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "hot_rows_app: %s\n", error.what());
    return 3;
  }
}
