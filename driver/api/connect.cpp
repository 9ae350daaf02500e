// Connecting and disconnecting.

#include <cstring>

#include "driver/api/handles.h"
#include "driver/api/wide_output.h"
#include "driver/capture/intercept.h"
#include "driver/capture/session.h"
#include "driver/handle/attributes.h"
#include "driver/real/configuration.h"

using namespace understudy;

namespace {

using real::NarrowText;

std::string narrow_argument(const SQLCHAR* text, SQLSMALLINT length) {
  if (text == nullptr) return {};
  const auto* bytes = reinterpret_cast<const char*>(text);
  return length < 0 ? std::string(bytes) : std::string(bytes, static_cast<std::size_t>(length));
}

// An allocation the real driver refused: its first diagnostic is on a handle that the driver
// manager will not ask about here.
SQLRETURN refuse_from_environment(Connection& dbc, SQLHENV env) {
  SQLCHAR state[6] = "HY000";
  SQLCHAR text[SQL_MAX_MESSAGE_LENGTH] = "the real driver refused to allocate a connection";
  SQLINTEGER native = 0;
  SQLSMALLINT length = 0;
  if (auto* diag = api::entries(dbc).GetDiagRec) {
    diag(SQL_HANDLE_ENV, env, 1, state, &native, text, sizeof(text), &length);
  }
  return dbc.fail(reinterpret_cast<const char*>(state), reinterpret_cast<const char*>(text));
}

SQLRETURN allocate_real(Connection& dbc, SQLHENV env) {
  const real::Entries& fn = api::entries(dbc);
  const SQLRETURN ret = fn.AllocHandle != nullptr
                            ? fn.AllocHandle(SQL_HANDLE_DBC, env, &dbc.real)
                            : api::forward(dbc, fn.AllocConnect, env, &dbc.real);
  if (SQL_SUCCEEDED(ret)) return SQL_SUCCESS;
  dbc.real = SQL_NULL_HDBC;
  return dbc.diagnostics.empty() ? refuse_from_environment(dbc, env) : ret;
}

// Our keys, the library, the real handle, and what was set before connecting. A refused attribute
// is no error: the driver manager, too, ignores what the driver answers to those.
SQLRETURN make_ready(Connection& dbc) {
  auto settings = real::read_settings(dbc.connect_text);
  if (!settings.ok()) {
    const bool absent = settings.status().code() == Code::not_found;
    return dbc.fail(absent ? "IM003" : "HY000", settings.status().message());
  }
  auto library = real::load(settings->real_driver);
  if (!library.ok()) return dbc.fail("IM003", library.status().message());
  dbc.settings = std::move(*settings);
  dbc.library = *library;
  SQLHENV env = dbc.environment.real_environment(*dbc.library, dbc);
  if (env == SQL_NULL_HENV) return SQL_ERROR;
  const SQLRETURN ret = allocate_real(dbc, env);
  if (ret != SQL_SUCCESS) return ret;
  for (const Attribute& attribute : dbc.attributes) {
    set_connect_attribute(*dbc.library, dbc.real, attribute);
  }
  return SQL_SUCCESS;
}

// What the real driver does without being told may differ from the standard's default. Not asked
// after a warning: the question would clear it.
void read_autocommit(Connection& dbc, SQLRETURN connected) {
  if (connected != SQL_SUCCESS || api::entries(dbc).GetConnectAttr == nullptr) return;
  SQLULEN value = SQL_AUTOCOMMIT_ON;
  const SQLRETURN ret = api::entries(dbc).GetConnectAttr(dbc.real, SQL_ATTR_AUTOCOMMIT, &value,
                                                         SQL_IS_UINTEGER, nullptr);
  if (SQL_SUCCEEDED(ret)) dbc.autocommit = static_cast<SQLUINTEGER>(value) != SQL_AUTOCOMMIT_OFF;
}

enum class Manner { connects, connects_by_text, browses };

// Of a driver that it loads itself the driver manager knows before connecting that it is not of the
// application's version, and warns. Of ours it does not: the real driver is not known by then.
// What SQLDriverConnect tells it takes as it is, what SQLConnect tells gets its name before it.
SQLRETURN with_version_warning(Connection& dbc, Manner manner, SQLRETURN connected) {
  Environment& env = dbc.environment;
  if (env.real_version(*dbc.library) == env.odbc_version) return connected;
  if (connected == SQL_SUCCESS_WITH_INFO) {
    capture::take_diagnostics(*dbc.library, SQL_HANDLE_DBC, dbc.real, dbc.wide, dbc);
  }
  Diagnostic warning;
  std::memcpy(warning.sqlstate, "01000", sizeof(warning.sqlstate));
  warning.message = manner == Manner::connects_by_text ? "[unixODBC]" : "";
  warning.message += "[Driver Manager]Driver does not support the requested version";
  dbc.diagnostics.push_back(std::move(warning));
  return SQL_SUCCESS_WITH_INFO;
}

// `work` is the real driver's connect call. SQL_NEED_DATA goes on browsing on the same real handle.
template <class Work>
SQLRETURN connect_real(Connection& dbc, std::string text, bool wide, Manner manner, Work work) {
  if (dbc.connected) return dbc.fail("08002", "the connection is already open");
  dbc.browsed = manner == Manner::browses;
  if (!dbc.browsing) {
    api::release_real_connection(dbc);
    real::wipe(dbc.connect_text);
    dbc.connect_text = std::move(text);
    dbc.wide = wide;
    const SQLRETURN ready = make_ready(dbc);
    if (ready != SQL_SUCCESS) return ready;
  } else {
    dbc.connect_text += ";" + text;
    real::wipe(text);
  }
  if (capture::shut_out(dbc, dbc, "08004")) return SQL_ERROR;
  const SQLRETURN ret = work();
  const bool began_browsing = dbc.browsing;
  dbc.browsing = ret == SQL_NEED_DATA;
  if (ret == SQL_ERROR && !began_browsing && capture::connected_elsewhere(dbc)) {
    dbc.connected = true;
    return SQL_SUCCESS;
  }
  if (!SQL_SUCCEEDED(ret)) return ret;
  dbc.connected = true;
  read_autocommit(dbc, ret);
  capture::connected(dbc);
  return manner == Manner::browses ? ret : with_version_warning(dbc, manner, ret);
}

// The completed connection string of a connection that was made elsewhere is not the application's
// to see: it may name another data source.
template <class Character>
SQLRETURN without_text(const Connection& dbc, SQLRETURN ret, Character* out, SQLSMALLINT capacity,
                       SQLSMALLINT* length) {
  if (!SQL_SUCCEEDED(ret) || !capture::began_elsewhere(dbc)) return ret;
  if (out != nullptr && capacity > 0) *out = 0;
  if (length != nullptr) *length = 0;
  return ret;
}

SQLRETURN connect_narrowed(Connection& dbc, const NarrowText& dsn, const NarrowText& user,
                           const NarrowText& password) {
  return api::forward(dbc, api::entries(dbc).Connect, dbc.real, dsn.data(), dsn.short_length(),
                      user.data(), user.short_length(), password.data(), password.short_length());
}

// Completed connection strings come once only: there is no asking again with a larger buffer.
constexpr SQLSMALLINT kCompletedBytes = 32767;

template <class Call>
SQLRETURN completed_text(Connection& dbc, const api::WideOutput<SQLSMALLINT>& out, Call call) {
  std::string text(kCompletedBytes, '\0');
  SQLSMALLINT length = 0;
  SQLRETURN ret = call(reinterpret_cast<SQLCHAR*>(text.data()), kCompletedBytes, &length);
  text.resize(text.find('\0') == std::string::npos ? text.size() : text.find('\0'));
  if (SQL_SUCCEEDED(ret)) {
    ret = api::write_text(&dbc, ret, text, out);
  } else if (ret == SQL_NEED_DATA) {
    api::write_text(nullptr, SQL_SUCCESS, text, out);
  }
  real::wipe(text);
  return ret;
}

}  // namespace

UNDERSTUDY_ENTRY_POINT SQLConnect(SQLHDBC handle, SQLCHAR* dsn, SQLSMALLINT dsn_length,
                                  SQLCHAR* user, SQLSMALLINT user_length, SQLCHAR* password,
                                  SQLSMALLINT password_length) {
  return api::on<Connection>(handle, [&](Connection& dbc) {
    std::string secret = narrow_argument(password, password_length);
    std::string text = real::make_connect_text(narrow_argument(dsn, dsn_length),
                                               narrow_argument(user, user_length), secret);
    real::wipe(secret);
    return connect_real(dbc, std::move(text), false, Manner::connects, [&] {
      return api::forward(dbc, api::entries(dbc).Connect, dbc.real, dsn, dsn_length, user,
                          user_length, password, password_length);
    });
  });
}

UNDERSTUDY_ENTRY_POINT SQLConnectW(SQLHDBC handle, SQLWCHAR* dsn, SQLSMALLINT dsn_length,
                                   SQLWCHAR* user, SQLSMALLINT user_length, SQLWCHAR* password,
                                   SQLSMALLINT password_length) {
  return api::on<Connection>(handle, [&](Connection& dbc) {
    const NarrowText name(dsn, dsn_length);
    const NarrowText login(user, user_length);
    const NarrowText secret(password, password_length);
    for (const NarrowText* argument : {&name, &login, &secret}) {
      if (!argument->ok()) return api::refuse(dbc, *argument);
    }
    std::string text = real::make_connect_text(name.text(), login.text(), secret.text());
    return connect_real(dbc, std::move(text), true, Manner::connects, [&]() -> SQLRETURN {
      auto* wide = api::entries(dbc).ConnectW;
      if (wide == nullptr) return connect_narrowed(dbc, name, login, secret);
      return wide(dbc.real, dsn, dsn_length, user, user_length, password, password_length);
    });
  });
}

UNDERSTUDY_ENTRY_POINT SQLDriverConnect(SQLHDBC handle, SQLHWND window, SQLCHAR* in,
                                        SQLSMALLINT in_length, SQLCHAR* out,
                                        SQLSMALLINT out_capacity, SQLSMALLINT* out_length,
                                        SQLUSMALLINT completion) {
  return api::on<Connection>(handle, [&](Connection& dbc) {
    const SQLRETURN ret =
        connect_real(dbc, narrow_argument(in, in_length), false, Manner::connects_by_text, [&] {
          return api::forward(dbc, api::entries(dbc).DriverConnect, dbc.real, window, in, in_length,
                              out, out_capacity, out_length, completion);
        });
    return without_text(dbc, ret, out, out_capacity, out_length);
  });
}

UNDERSTUDY_ENTRY_POINT SQLDriverConnectW(SQLHDBC handle, SQLHWND window, SQLWCHAR* in,
                                         SQLSMALLINT in_length, SQLWCHAR* out,
                                         SQLSMALLINT out_capacity, SQLSMALLINT* out_length,
                                         SQLUSMALLINT completion) {
  return api::on<Connection>(handle, [&](Connection& dbc) {
    const NarrowText text(in, in_length);
    if (!text.ok()) return api::refuse(dbc, text);
    const SQLRETURN ret =
        connect_real(dbc, text.text(), true, Manner::connects_by_text, [&]() -> SQLRETURN {
          const real::Entries& fn = api::entries(dbc);
          if (fn.DriverConnectW != nullptr) {
            return fn.DriverConnectW(dbc.real, window, in, in_length, out, out_capacity, out_length,
                                     completion);
          }
          const api::WideOutput<SQLSMALLINT> target{out, out_capacity, out_length};
          return completed_text(
              dbc, target, [&](SQLCHAR* to, SQLSMALLINT bytes, SQLSMALLINT* length) {
                return api::forward(dbc, fn.DriverConnect, dbc.real, window, text.data(),
                                    text.short_length(), to, bytes, length, completion);
              });
        });
    return without_text(dbc, ret, out, out_capacity, out_length);
  });
}

UNDERSTUDY_ENTRY_POINT SQLBrowseConnect(SQLHDBC handle, SQLCHAR* in, SQLSMALLINT in_length,
                                        SQLCHAR* out, SQLSMALLINT out_capacity,
                                        SQLSMALLINT* out_length) {
  return api::on<Connection>(handle, [&](Connection& dbc) {
    return connect_real(dbc, narrow_argument(in, in_length), false, Manner::browses, [&] {
      return api::forward(dbc, api::entries(dbc).BrowseConnect, dbc.real, in, in_length, out,
                          out_capacity, out_length);
    });
  });
}

UNDERSTUDY_ENTRY_POINT SQLBrowseConnectW(SQLHDBC handle, SQLWCHAR* in, SQLSMALLINT in_length,
                                         SQLWCHAR* out, SQLSMALLINT out_capacity,
                                         SQLSMALLINT* out_length) {
  return api::on<Connection>(handle, [&](Connection& dbc) {
    const NarrowText text(in, in_length);
    if (!text.ok()) return api::refuse(dbc, text);
    return connect_real(dbc, text.text(), true, Manner::browses, [&]() -> SQLRETURN {
      const real::Entries& fn = api::entries(dbc);
      if (fn.BrowseConnectW != nullptr) {
        return fn.BrowseConnectW(dbc.real, in, in_length, out, out_capacity, out_length);
      }
      const api::WideOutput<SQLSMALLINT> target{out, out_capacity, out_length};
      return completed_text(dbc, target, [&](SQLCHAR* to, SQLSMALLINT bytes, SQLSMALLINT* length) {
        return api::forward(dbc, fn.BrowseConnect, dbc.real, text.data(), text.short_length(), to,
                            bytes, length);
      });
    });
  });
}

UNDERSTUDY_ENTRY_POINT SQLDisconnect(SQLHDBC handle) {
  return api::on<Connection>(handle, [](Connection& dbc) {
    if (!dbc.connected && !dbc.browsing) return dbc.fail("08003", "the connection is not open");
    if (dbc.connected) capture::disconnecting(dbc);
    const SQLRETURN ret = api::forward(dbc, api::entries(dbc).Disconnect, dbc.real);
    if (!SQL_SUCCEEDED(ret)) return ret;
    if (dbc.connected) capture::disconnected(dbc);
    api::drop_children(dbc);
    real::wipe(dbc.connect_text);
    dbc.connected = false;
    dbc.browsing = false;
    return ret;
  });
}
