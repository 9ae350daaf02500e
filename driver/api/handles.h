// Making and ending handles; shared by the ODBC 3 entries and their ODBC 2 forms.
#pragma once

#include "driver/api/guard.h"

namespace understudy::api {

SQLRETURN allocate_environment(SQLHANDLE* out) noexcept;
SQLRETURN allocate_connection(Environment& env, SQLHANDLE* out);
/// The real statement first; on failure the real driver's code and no handle.
SQLRETURN allocate_statement(Connection& dbc, SQLHANDLE* out);
SQLRETURN allocate_descriptor(Connection& dbc, SQLHANDLE* out);

SQLRETURN free_environment(SQLHANDLE handle) noexcept;
SQLRETURN free_connection(SQLHANDLE handle) noexcept;
SQLRETURN free_statement(SQLHANDLE handle) noexcept;
SQLRETURN free_descriptor(SQLHANDLE handle) noexcept;

/// The real descriptor behind an implicit one, asked of the statement at first use and again after
/// the statement has moved. Explicit ones have theirs from the start.
SQLRETURN find_real_descriptor(Descriptor& desc);

/// Frees the real connection, if there is one.
SQLRETURN release_real_connection(Connection& dbc);
/// After a successful disconnect: the real driver has already freed what our objects stood for.
void drop_children(Connection& dbc);

}  // namespace understudy::api
