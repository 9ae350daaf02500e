// The executable `understudy`.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <string>

#include "replayer/migration/failure.h"
#include "replayer/tool/commands.h"
#include "replayer/tool/journal_command.h"
#include "replayer/tool/replay_command.h"

namespace {

using namespace understudy;

/// One line whatever a library put into its words.
int fail(int exit_code, std::string message) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  fmt::print(stderr, "understudy: {}\n", message);
  return exit_code;
}

void add_commands(CLI::App& app, int* exit_code) {
  add_create_command(app, exit_code);
  add_check_command(app, exit_code);
  add_start_command(app, exit_code);
  add_status_command(app, exit_code);
  add_verify_command(app, exit_code);
  add_cutover_command(app, exit_code);
  add_reverse_command(app, exit_code);
  add_ending_commands(app, exit_code);
  add_replay_command(app, exit_code);
  add_journal_command(app, exit_code);
  add_process_commands(app, exit_code);
}

}  // namespace

// Only running out of memory can leave the handlers, and then there is nothing to say.
int main(int argc, char** argv) {  // NOLINT(bugprone-exception-escape)
  // Where a connection string names a data source that is being migrated, the tool's own statements
  // must not be recorded.
  ::setenv("UNDERSTUDY_BYPASS", "1", 1);
  CLI::App app("Moves a live ODBC application to an upgraded database.", "understudy");
  app.require_subcommand(1);
  int exit_code = kExitFailed;
  try {
    add_commands(app, &exit_code);
    app.parse(argc, argv);
    return exit_code;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help
    return fail(kExitUsage, std::string(error.what()) + "; see `understudy --help`");
  } catch (const Failure& failure) {
    return fail(failure.exit_code(), failure.what());
  } catch (const std::exception& error) {
    return fail(kExitFailed, error.what());
  }
}
