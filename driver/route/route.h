// Moving a live connection to the side in use behind the application's handles: to the shadow, or
// back to production.
//
// The other side's connection is opened ahead of the cutover. After the switch the connection moves
// at its next transaction boundary; each statement follows at its own next call, so an open read
// cursor finishes where it was opened. The connection left behind is closed when the last statement
// has left it.
#pragma once

#include "driver/capture/session.h"

namespace understudy::route {

/// Before any call that may reach a database. Opens the other side's connection when the migration
/// asks for it, and moves the session after the switch when it is at a transaction boundary. A
/// transaction that has only read moves too at READ COMMITTED; at stricter levels it ends with
/// SQLSTATE 40001. Without a migration under way it costs two loads. SQL_ERROR with a diagnostic on
/// `reporter` when the session cannot go on.
SQLRETURN at_boundary(Connection& dbc, capture::Session& session, Handle& reporter);

/// The session moves to the side in use now, if it is not there; Connection::write_mutex is held
/// and no transaction has written. False:
/// `*ret` is the application's answer.
bool move(capture::Session& session, SQLRETURN* ret, Handle& reporter);

/// The real connection could not be made, and the shadow is in use: the session begins there. Not
/// where the migration names an account of its own for the shadow, since nobody has checked the
/// application's. False: nothing has changed.
bool begin_on_shadow(capture::Session& session);

/// Rebuilds the statement on the connection's present side when it is still on the other:
/// attributes, bindings, cursor name, prepared text. False: `*ret` is the application's answer.
bool rehome(Statement& stmt, capture::Session& session, SQLRETURN* ret);

/// The statement is about to be freed.
void leaving(Statement& stmt, capture::Session& session);
/// The connection is about to go: closes whatever other connections are open behind it.
void close(capture::Session& session);

}  // namespace understudy::route
