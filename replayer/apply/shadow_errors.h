// What an error on the shadow says of the statement that met it.
#pragma once

#include "journal/catalog.h"
#include "replayer/odbc/odbc.h"

namespace understudy {

/// Whether the statement is not to blame: trying again, or elsewhere, may work.
bool outside_the_statement(const odbc::Error& error, Dialect dialect);
/// A key that is there already, after which the transaction goes on.
bool collides(const odbc::Error& error, Dialect dialect);

}  // namespace understudy
