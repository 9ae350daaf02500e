// Sends statements as programs do: prepared or at once, values bound by one C type or another,
// every result read to its end.
#pragma once

#include "tests/engine/fidelity/schema.h"
#include "tests/support/plain_odbc.h"

namespace fidelity {

/// Throws plain::Error where the driver refuses. One connection belongs to one thread.
void send(plain::Connection& connection, Engine engine, const Sql& sql, Random& random);

/// A text that is not prepared.
void send_at_once(plain::Connection& connection, const std::string& text);

}  // namespace fidelity
