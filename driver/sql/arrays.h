// What Connector/ODBC and MariaDB make of a statement with an array of parameters. Pure.
#pragma once

#include <string_view>

namespace understudy::sql {

/// Whether Connector/ODBC sends an array bound by column as one command, rather than set by set.
bool sent_as_one_array(std::string_view text);
/// Whether the server takes such a command for this statement. It refuses what takes its rows from
/// a query, and what changes several tables.
bool server_takes_array(std::string_view text);
/// Whether the server runs the sets of such a command one after the other, so that those before
/// one that fails stand.
bool server_runs_sets(std::string_view text);

}  // namespace understudy::sql
