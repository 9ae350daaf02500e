// Moving a live connection to the shadow behind the application's handles.
//
// The shadow's connection is opened ahead of the cutover. After the switch the connection moves at
// its next transaction boundary; each statement follows at its own next call, so an open read
// cursor finishes on production. The connection to production is closed when the last statement has
// left.
#pragma once

#include "driver/capture/session.h"

namespace understudy::route {

/// Before any call that may reach a database. Opens the shadow's connection when the migration asks
/// for it, and moves the session after the switch when it is at a transaction boundary. A
/// transaction that has only read moves too at READ COMMITTED; at stricter levels it ends with
/// SQLSTATE 40001. Without a migration under way it costs two loads. SQL_ERROR with a diagnostic on
/// `reporter` when the session cannot go on.
SQLRETURN at_boundary(Connection& dbc, capture::Session& session, Handle& reporter);

/// The session moves now; Connection::write_mutex is held and no transaction has written. False:
/// `*ret` is the application's answer.
bool move(capture::Session& session, SQLRETURN* ret, Handle& reporter);

/// Rebuilds the statement on the connection's present side when it is still on the other:
/// attributes, bindings, cursor name, prepared text. False: `*ret` is the application's answer.
bool rehome(Statement& stmt, capture::Session& session, SQLRETURN* ret);

/// The statement is about to be freed.
void leaving(Statement& stmt, capture::Session& session);
/// The connection is about to go: closes whatever other connections are open behind it.
void close(capture::Session& session);

}  // namespace understudy::route
