#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "replayer/migration/checks.h"
#include "replayer/migration/failure.h"
#include "replayer/tool/commands.h"

namespace understudy {
namespace {

void print_json(const std::vector<Check>& checks, bool passed) {
  nlohmann::json out = {{"passed", passed}, {"checks", nlohmann::json::array()}};
  for (const Check& check : checks)
    out["checks"].push_back({{"name", check.name},
                             {"verdict", verdict_word(check.verdict)},
                             {"detail", check.detail},
                             {"remedy", check.remedy},
                             {"skipped", check.skipped}});
  fmt::print("{}\n", out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

void print_text(const std::vector<Check>& checks) {
  for (const Check& check : checks) {
    fmt::print("{:<22} {:<7} {}\n", check.name,
               check.skipped ? "skipped" : verdict_word(check.verdict), check.detail);
    if (!check.remedy.empty()) fmt::print("{:<30} -> {}\n", "", check.remedy);
  }
}

int check(const std::string& name, const std::vector<std::string>& skip, bool as_json) {
  require_check_names(skip);
  const Home home = existing_home(name);
  const auto checks = run_checks(home, load_settings(home), load_state(home), skip);
  const Check* failed = first_failure(checks);
  if (as_json) {
    print_json(checks, failed == nullptr);
  } else {
    print_text(checks);
  }
  if (!failed) return kExitDone;
  throw Failure(kExitNo, fmt::format("check {} failed; correct it, or accept it with --skip {}",
                                     failed->name, failed->name));
}

}  // namespace

void add_check_command(CLI::App& app, int* exit_code) {
  CLI::App* command =
      app.add_subcommand("check", "preflight: named checks with verdict and remedy");
  struct Given {
    std::string name;
    std::vector<std::string> skip;
    bool json = false;
  };
  const auto given = std::make_shared<Given>();
  command->add_option("NAME", given->name, "the migration")->required();
  command->add_option("--skip", given->skip, "checks whose failure is accepted")->delimiter(',');
  command->add_flag("--json", given->json, "print JSON");
  command->callback(
      [given, exit_code] { *exit_code = check(given->name, given->skip, given->json); });
}

}  // namespace understudy
