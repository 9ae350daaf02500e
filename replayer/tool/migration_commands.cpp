#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "replayer/migration/control_socket.h"
#include "replayer/migration/cutover.h"
#include "replayer/migration/ending.h"
#include "replayer/migration/failure.h"
#include "replayer/migration/launcher.h"
#include "replayer/migration/mapping.h"
#include "replayer/migration/settings.h"
#include "replayer/tool/commands.h"

namespace understudy {
namespace {

using nlohmann::json;

struct Given {
  std::string name;
  std::vector<std::string> skip;
  double timeout_s = 0;
  bool follow = false, repair = false, dry_run = false, delete_journal = false;
};

void say(const std::string& line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

/// Prints what comes; a refusal leaves as Failure, so that it ends on standard error in one line.
int ask(const Home& home, const json& request) {
  const Answer answer = ask_replayer(home, request, say);
  if (answer.exit_code != kExitDone) throw Failure(answer.exit_code, answer.message);
  if (!answer.message.empty()) say(answer.message);
  return answer.exit_code;
}

int start(const Given& given) {
  const Home home = existing_home(given.name);
  const State state = load_state(home);
  if (state.phase == Phase::completed || state.phase == Phase::cancelled)
    throw Failure(kExitNo,
                  fmt::format("migration {} is {}; make a new one with `understudy create`",
                              home.name, phase_name(state.phase)));
  const Settings settings = load_settings(home);
  const bool frozen = state.phase > Phase::recording;
  if (!settings.mapping.empty() && !frozen) (void)read_mapping(settings.mapping);
  require(check_journal_keys(home.journal(), load_journal_keys(settings.journal_key)));
  launch_processes(home);
  return ask(home, {{"command", "start"},
                    {"skip", given.skip},
                    {"timeout", given.timeout_s},
                    {"follow", given.follow}});
}

int verify(const Given& given) {
  if (given.repair)
    throw Failure(kExitUsage,
                  "--repair is not there yet; run verify without it, correct the rows and "
                  "run it again");
  return ask(existing_home(given.name), {{"command", "verify"}});
}

int turn_over(const Given& given, const char* command) {
  if (!(given.timeout_s > 0) || given.timeout_s > kTimeoutSecondsMax)
    throw Failure(kExitUsage, fmt::format("--timeout is more than 0 and at most {} seconds",
                                          kTimeoutSecondsMax));
  return ask(existing_home(given.name), {{"command", command},
                                         {"dry_run", given.dry_run},
                                         {"timeout", given.timeout_s},
                                         {"skip", given.skip}});
}

/// Works without the replayer process too: then this process is the one that acts.
int end(const Home& home, const std::string& command) {
  if (replayer_listens(home)) {
    const int exit_code = ask(home, {{"command", command}});
    const auto map = SegmentMap::open(home.root, home.name);
    if (map.ok()) wait_for_end(**map, kLockReplayer, home.replayer_log());
    return exit_code;
  }
  Migration migration(home);
  settle_interrupted_cutover(migration);
  if (command == "complete") {
    complete_migration(migration);
  } else {
    cancel_migration(migration, say);
  }
  drop_positions(migration, say);
  wait_for_end(*migration.map, kLockJournald, home.journald_log());
  return kExitDone;
}

/// The journal of a migration that has ended this way before is deleted, too.
int end(const Given& given, const std::string& command) {
  const Home home = existing_home(given.name);
  const Phase phase = load_state(home).phase;
  const bool ended = phase == (command == "complete" ? Phase::completed : Phase::cancelled);
  const int exit_code = given.delete_journal && ended ? kExitDone : end(home, command);
  if (given.delete_journal) delete_journal(home, say);
  return exit_code;
}

CLI::App* add(CLI::App& app, const char* name, const char* what, Given& given) {
  CLI::App* command = app.add_subcommand(name, what);
  command->add_option("NAME", given.name, "the migration")->required();
  return command;
}

void add_turning_command(CLI::App& app, const char* name, const char* what, int* exit_code) {
  const auto given = std::make_shared<Given>();
  given->timeout_s = CutoverOptions().timeout_s;
  CLI::App* command = add(app, name, what, *given);
  command->add_flag("--dry-run", given->dry_run, "show guardrails and steps; change nothing");
  command->add_option("--timeout", given->timeout_s, "seconds that writers may be held (10)");
  command->add_option("--skip", given->skip, "guardrails that need not be met")->delimiter(',');
  command->callback([given, name, exit_code] { *exit_code = turn_over(*given, name); });
}

}  // namespace

void add_start_command(CLI::App& app, int* exit_code) {
  const auto given = std::make_shared<Given>();
  CLI::App* command =
      add(app, "start", "record, align, copy and replay; goes on where it was", *given);
  command->add_option("--skip", given->skip, "checks whose failure is accepted")->delimiter(',');
  command->add_option("--timeout", given->timeout_s,
                      "seconds to wait for transactions that wrote before recording; 0: no limit");
  command->add_flag("--follow", given->follow, "stay, and print progress");
  command->callback([given, exit_code] { *exit_code = start(*given); });
}

void add_verify_command(CLI::App& app, int* exit_code) {
  const auto given = std::make_shared<Given>();
  CLI::App* command = add(app, "verify", "compare all tables at one common point", *given);
  command->add_flag("--repair", given->repair, "bring differing rows in line");
  command->callback([given, exit_code] { *exit_code = verify(*given); });
}

void add_cutover_command(CLI::App& app, int* exit_code) {
  add_turning_command(app, "cutover", "hold, drain, replay, switch", exit_code);
}

void add_reverse_command(CLI::App& app, int* exit_code) {
  add_turning_command(app, "reverse", "the same cutover back to production", exit_code);
}

void add_ending_commands(CLI::App& app, int* exit_code) {
  for (const char* name : {"complete", "cancel"}) {
    const auto given = std::make_shared<Given>();
    const bool completes = std::string_view(name) == "complete";
    CLI::App* command =
        add(app, name,
            completes ? "end the migration after the switch; there is no way back then"
                      : "give up before the switch; production stays in use",
            *given);
    command->add_flag("--delete-journal", given->delete_journal,
                      "then remove the journal's files, which hold row values");
    command->callback([given, name, exit_code] { *exit_code = end(*given, name); });
  }
}

}  // namespace understudy
