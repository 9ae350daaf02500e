// `understudy journal dump|verify|stat DIR`.
#pragma once

namespace CLI {
class App;
}

namespace understudy {

/// Adds `journal` and its three commands. They only read, also while a journal is written. `verify`
/// ends with 1 when the journal is damaged or says itself that it is incomplete.
void add_journal_command(CLI::App& app, int* exit_code);

}  // namespace understudy
