// The program under migration: an ordinary ODBC application that keeps writing orders and payments
// and reads them back. It links libodbc and knows nothing of Understudy.
//
//   orders_app CONNECTION-STRING [--connections N] [--transactions N] [--seed N] [--rate N]
//   [--timings]
//
// Prints "running" when every connection has done its first piece of work, and at the end one
// "name value" per line. Ends on SIGTERM, SIGINT or after --transactions pieces of work on each
// connection. Exit code 1 when a call failed or a read was not what had been committed.
#include <atomic>
#include <barrier>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/demo/shop_worker.h"

namespace {

constexpr unsigned kConnectionsMax = 64;

struct Options {
  std::string target;
  unsigned connections = 4;
  std::uint64_t transactions = 0;  // pieces of work on each connection; 0: until a signal
  std::uint64_t seed = 1;
  double rate = 0;  // pieces of work a second on each connection; 0: as fast as it goes
  bool timings = false;
};

std::atomic<bool> stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void request_stop(int) {
  stop_requested.store(true);
}

bool parse(int argc, char** argv, Options* options) {
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--timings") {
      options->timings = true;
    } else if (name.rfind("--", 0) != 0 && options->target.empty()) {
      options->target = name;
    } else if (i + 1 < argc && name == "--connections") {
      options->connections = static_cast<unsigned>(std::strtoul(argv[++i], nullptr, 10));
    } else if (i + 1 < argc && name == "--transactions") {
      options->transactions = std::strtoull(argv[++i], nullptr, 10);
    } else if (i + 1 < argc && name == "--seed") {
      options->seed = std::strtoull(argv[++i], nullptr, 10);
    } else if (i + 1 < argc && name == "--rate") {
      options->rate = std::strtod(argv[++i], nullptr);
    } else {
      return false;
    }
  }
  return !options->target.empty() && options->connections >= 1 &&
         options->connections <= kConnectionsMax;
}

void work(shop::Worker& worker, const Options& options, std::barrier<>& begun) {
  worker.step();
  (void)begun.arrive();
  const auto started = std::chrono::steady_clock::now();
  for (std::uint64_t done = 1; !stop_requested.load(); ++done) {
    if (options.transactions != 0 && done >= options.transactions) break;
    worker.step();
    if (options.rate > 0) {
      const std::chrono::duration<double> due(static_cast<double>(done) / options.rate);
      std::this_thread::sleep_until(
          started + std::chrono::duration_cast<std::chrono::steady_clock::duration>(due));
    }
  }
  worker.check_all();
}

void print(const char* name, unsigned long long value) {
  std::printf("%s %llu\n", name, value);
}

struct Total {
  shop::Figures figures;
  std::uint64_t statements = 0;
  std::uint64_t read_hash = 0;
  std::chrono::nanoseconds longest_call{0};

  void add(const shop::Worker& worker) {
    const shop::Figures& one = worker.figures();
    figures.transactions += one.transactions;
    figures.rolled_back += one.rolled_back;
    figures.retries += one.retries;
    figures.errors += one.errors;
    figures.mismatches += one.mismatches;
    figures.orders += one.orders;
    figures.order_lines += one.order_lines;
    figures.payments += one.payments;
    figures.orders_deleted += one.orders_deleted;
    figures.lines_deleted += one.lines_deleted;
    figures.paid_cents += one.paid_cents;
    statements += worker.calls().statements;
    read_hash = read_hash * 31 + worker.read_hash();
    longest_call = std::max(longest_call, worker.calls().longest_call);
  }
};

int print_result(const Total& total, const Options& options) {
  const shop::Figures& figures = total.figures;
  print("connections", options.connections);
  print("transactions", figures.transactions);
  print("rolled_back", figures.rolled_back);
  print("statements", total.statements);
  print("errors", figures.errors);
  print("retries", figures.retries);
  print("read_mismatches", figures.mismatches);
  print("orders", figures.orders);
  print("order_lines", figures.order_lines);
  print("payments", figures.payments);
  print("orders_deleted", figures.orders_deleted);
  print("lines_deleted", figures.lines_deleted);
  std::printf("paid_cents %lld\n", static_cast<long long>(figures.paid_cents));
  std::printf("read_hash %016llx\n", static_cast<unsigned long long>(total.read_hash));
  if (options.timings) {
    std::printf("longest_call_ms %.1f\n", static_cast<double>(total.longest_call.count()) / 1e6);
  }
  return figures.errors == 0 && figures.mismatches == 0 ? 0 : 1;
}

int run(const Options& options) {
  std::vector<std::unique_ptr<shop::Worker>> workers;
  for (unsigned i = 0; i < options.connections; ++i) {
    workers.push_back(
        std::make_unique<shop::Worker>(options.target, options.seed, i, options.connections));
  }
  std::barrier begun(static_cast<std::ptrdiff_t>(options.connections) + 1);
  std::vector<std::thread> threads;
  for (auto& worker : workers) {
    threads.emplace_back([&] { work(*worker, options, begun); });
  }
  begun.arrive_and_wait();
  std::printf("running\n");
  std::fflush(stdout);
  for (std::thread& thread : threads) thread.join();
  Total total;
  for (const auto& worker : workers) total.add(*worker);
  return print_result(total, options);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, &options)) {
    std::fprintf(stderr,
                 "usage: orders_app CONNECTION-STRING [--connections 1..%u] [--transactions N]"
                 " [--seed N] [--rate N] [--timings]\n",
                 kConnectionsMax);
    return 2;
  }
  std::signal(SIGTERM, request_stop);
  std::signal(SIGINT, request_stop);
  try {
    return run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "orders_app: %s\n", error.what());
    return 3;
  }
}
