// `understudy replay --journal DIR --shadow CONN [--from SEQ] [--until SEQ] [--follow]
// [--dry-run]`.
#pragma once

namespace CLI {
class App;
}

namespace understudy {

/// Adds `replay`. Needs nothing but a journal and a database: the shadow's tables are read from
/// itself, and the names of production's stand in the records.
///
/// Goes on from the position on the shadow, which is kept under the journal's own name unless
/// --migration says another. --from SEQ and --until SEQ name the first and the last record that may
/// be applied, both inclusive; --from sets the position, also backwards. --dry-run writes nothing.
/// Ends with 1 when statements did otherwise than in production, or when a transaction in doubt
/// holds up the rest.
void add_replay_command(CLI::App& app, int* exit_code);

}  // namespace understudy
