// Transaction ends. The driver manager splits what is asked of an environment into one call for
// each connection, so only those arrive.

#include "driver/api/guard.h"
#include "driver/capture/intercept.h"

using namespace understudy;

namespace {

SQLRETURN end(SQLHDBC handle, SQLSMALLINT completion) {
  return api::on<Connection>(handle, [&](Connection& dbc) -> SQLRETURN {
    if (!dbc.connected) return dbc.fail("08003", "the connection is not open");
    if (completion != SQL_COMMIT && completion != SQL_ROLLBACK) {
      return dbc.fail("HY012", "the transaction can be committed or rolled back, nothing else");
    }
    const real::Entries& fn = api::entries(dbc);
    if (fn.EndTran == nullptr && fn.Transact == nullptr) return api::missing(dbc);
    return capture::end_tran(dbc, completion);
  });
}

}  // namespace

UNDERSTUDY_ENTRY_POINT SQLEndTran(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT completion) {
  if (type == SQL_HANDLE_DBC) return end(handle, completion);
  return api::on<Environment>(handle, [](Environment& env) {
    return env.fail("HYC00", "transactions end on connections; use a driver manager");
  });
}

UNDERSTUDY_ENTRY_POINT SQLTransact(SQLHENV, SQLHDBC handle, SQLUSMALLINT completion) {
  return end(handle, static_cast<SQLSMALLINT>(completion));
}
