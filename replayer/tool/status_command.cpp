#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "replayer/migration/failure.h"
#include "replayer/migration/status.h"
#include "replayer/tool/commands.h"

namespace understudy {
namespace {

constexpr std::chrono::seconds kWatchInterval{1};

void print(const Home& home, bool as_json, bool watch) {
  const Figures figures = collect_figures(home);
  if (as_json) {
    // One line each when there are many: a stream that other programs can read.
    const int indent = watch ? -1 : 2;
    fmt::print("{}\n", status_json(home, figures)
                           .dump(indent, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    fmt::print("{}", status_text(home, figures));
  }
  std::fflush(stdout);
}

}  // namespace

void add_status_command(CLI::App& app, int* exit_code) {
  CLI::App* command = app.add_subcommand("status", "phase with reason, and every figure");
  struct Given {
    std::string name;
    bool json = false;
    bool watch = false;
  };
  const auto given = std::make_shared<Given>();
  command->add_option("NAME", given->name, "the migration")->required();
  command->add_flag("--json", given->json, "print JSON");
  command->add_flag("--watch", given->watch, "print again every second");
  command->callback([given, exit_code] {
    const Home home = existing_home(given->name);
    print(home, given->json, given->watch);
    while (given->watch) {
      std::this_thread::sleep_for(kWatchInterval);
      if (!given->json) fmt::print("\n");
      print(home, given->json, true);
    }
    *exit_code = kExitDone;
  });
}

}  // namespace understudy
