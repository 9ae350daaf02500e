// Measures one workload over several connections.
//
//   understudy_bench compare WORKLOAD ROUNDS SECONDS CONNECTIONS NAME=CONNECTION-STRING...
//     runs the variants in turn, round after round; prints the median rate of each and its ratio to
//     the first: "WORKLOAD NAME transactions-per-second ratio lowest highest"
//   understudy_bench load WORKLOAD CONNECTIONS CONNECTION-STRING
//     runs until SIGTERM; prints "running" at first, then "transactions", "errors" and
//     "longest_call_ms"; SIGUSR1 forgets the longest call so far
#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/workload.h"

namespace {

using Clock = std::chrono::steady_clock;
using Streams = std::vector<std::unique_ptr<bench::Workload>>;

constexpr unsigned kConnectionsMax = 256;
constexpr double kWarmUpSeconds = 0.5;

struct Variant {
  std::string name;
  Streams streams;
  std::vector<double> rates;
};

Streams connect(const std::string& workload, const std::string& target, unsigned connections) {
  Streams streams;
  for (unsigned i = 0; i < connections; ++i) {
    streams.push_back(bench::make_workload(workload, target, i + 1));
  }
  return streams;
}

/// Transactions per second over all streams.
double measure(Streams& streams, double seconds) {
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> done{0};
  std::atomic<bool> failed{false};
  std::barrier start(static_cast<std::ptrdiff_t>(streams.size()) + 1);
  std::vector<std::thread> threads;
  for (auto& stream : streams) {
    threads.emplace_back([&] {
      start.arrive_and_wait();
      std::uint64_t count = 0;
      try {
        for (; !stop.load(std::memory_order_relaxed); ++count) stream->transaction();
      } catch (const std::exception& error) {
        std::fprintf(stderr, "understudy_bench: %s\n", error.what());
        failed.store(true);
      }
      done.fetch_add(count);
    });
  }
  start.arrive_and_wait();
  const auto begin = Clock::now();
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  stop.store(true);
  for (std::thread& thread : threads) thread.join();
  const std::chrono::duration<double> took = Clock::now() - begin;
  if (failed.load()) throw std::runtime_error("a connection failed; no figure");
  return static_cast<double>(done.load()) / took.count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

int compare(const std::string& workload, int rounds, double seconds, unsigned connections,
            const std::vector<std::string>& specifications) {
  std::vector<Variant> variants;
  for (const std::string& text : specifications) {
    const std::size_t equals = text.find('=');
    variants.push_back(
        {text.substr(0, equals), connect(workload, text.substr(equals + 1), connections), {}});
  }
  for (Variant& variant : variants) measure(variant.streams, kWarmUpSeconds);
  for (int round = 0; round < rounds; ++round) {
    for (Variant& variant : variants) variant.rates.push_back(measure(variant.streams, seconds));
  }
  const double base = median(variants.front().rates);
  for (const Variant& variant : variants) {
    const auto [low, high] = std::minmax_element(variant.rates.begin(), variant.rates.end());
    std::printf("%s %s %.0f %.3f %.0f %.0f\n", workload.c_str(), variant.name.c_str(),
                median(variant.rates), median(variant.rates) / base, *low, *high);
  }
  return 0;
}

std::atomic<bool> stop_requested{false};
std::atomic<unsigned> resets_requested{0};

struct Load {
  std::atomic<std::uint64_t> transactions{0};
  std::atomic<std::uint64_t> errors{0};
  std::atomic<std::int64_t> longest_ns{0};
};

void run_stream(bench::Workload& stream, Load& load) {
  unsigned resets = 0;
  while (!stop_requested.load()) {
    if (const unsigned wanted = resets_requested.load(); wanted != resets) {
      stream.connection().reset_longest_call();
      resets = wanted;
    }
    try {
      stream.transaction();
      load.transactions.fetch_add(1);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "understudy_bench: %s\n", error.what());
      load.errors.fetch_add(1);
      return;
    }
  }
  const std::int64_t longest = stream.connection().figures().longest_call.count();
  std::int64_t seen = load.longest_ns.load();
  while (seen < longest && !load.longest_ns.compare_exchange_weak(seen, longest)) {
  }
}

int run_load(const std::string& workload, unsigned connections, const std::string& target) {
  std::signal(SIGTERM, [](int) { stop_requested.store(true); });
  std::signal(SIGUSR1, [](int) { resets_requested.fetch_add(1); });
  Streams streams = connect(workload, target, connections);
  for (auto& stream : streams) stream->transaction();
  std::printf("running\n");
  std::fflush(stdout);
  Load load;
  std::vector<std::thread> threads;
  for (auto& stream : streams) threads.emplace_back([&] { run_stream(*stream, load); });
  for (std::thread& thread : threads) thread.join();
  std::printf("transactions %llu\nerrors %llu\nlongest_call_ms %.1f\n",
              static_cast<unsigned long long>(load.transactions.load()),
              static_cast<unsigned long long>(load.errors.load()),
              static_cast<double>(load.longest_ns.load()) / 1e6);
  return load.errors.load() == 0 ? 0 : 1;
}

bool valid_connections(unsigned connections) {
  return connections >= 1 && connections <= kConnectionsMax;
}

int run(const std::vector<std::string>& arguments) {
  if (arguments.size() >= 6 && arguments[0] == "compare") {
    const int rounds = std::atoi(arguments[2].c_str());
    const double seconds = std::atof(arguments[3].c_str());
    const auto connections = static_cast<unsigned>(std::atoi(arguments[4].c_str()));
    if (rounds >= 1 && seconds > 0 && valid_connections(connections)) {
      return compare(arguments[1], rounds, seconds, connections,
                     {arguments.begin() + 5, arguments.end()});
    }
  }
  if (arguments.size() == 4 && arguments[0] == "load") {
    const auto connections = static_cast<unsigned>(std::atoi(arguments[2].c_str()));
    if (valid_connections(connections)) return run_load(arguments[1], connections, arguments[3]);
  }
  std::fprintf(
      stderr,
      "usage: understudy_bench compare WORKLOAD ROUNDS SECONDS CONNECTIONS NAME=TARGET...\n"
      "       understudy_bench load WORKLOAD CONNECTIONS TARGET\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "understudy_bench: %s\n", error.what());
    return 3;
  }
}
