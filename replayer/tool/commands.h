// The tool's commands. Each function adds one command to the application; when it is run, its exit
// code goes to *exit_code. Errors leave as Failure or another exception, caught in main.
#pragma once

namespace CLI {
class App;
}

namespace understudy {

void add_create_command(CLI::App& app, int* exit_code);
void add_check_command(CLI::App& app, int* exit_code);
void add_start_command(CLI::App& app, int* exit_code);
void add_status_command(CLI::App& app, int* exit_code);
void add_verify_command(CLI::App& app, int* exit_code);
void add_cutover_command(CLI::App& app, int* exit_code);
void add_reverse_command(CLI::App& app, int* exit_code);
void add_ending_commands(CLI::App& app, int* exit_code);   // complete, cancel
void add_process_commands(CLI::App& app, int* exit_code);  // journald, replayer

}  // namespace understudy
