#include "driver/api/handles.h"

#include <algorithm>

#include "driver/capture/intercept.h"
#include "driver/capture/session.h"

namespace understudy::api {
namespace {

// The statement is gone from the connection's list before anything else can look at it.
template <class T>
void take_out(std::vector<T*>& list, std::mutex& mutex, T* member) {
  const std::lock_guard lock(mutex);
  list.erase(std::remove(list.begin(), list.end(), member), list.end());
}

template <class T>
void put_in(std::vector<T*>& list, std::mutex& mutex, T* member) {
  const std::lock_guard lock(mutex);
  list.push_back(member);
}

SQLRETURN allocate_real_statement(Connection& dbc, SQLHSTMT* real) {
  const real::Entries& fn = entries(dbc);
  if (fn.AllocHandle != nullptr) return fn.AllocHandle(SQL_HANDLE_STMT, dbc.real, real);
  return forward(dbc, fn.AllocStmt, dbc.real, real);
}

SQLRETURN free_real_statement(Statement& stmt) {
  const real::Entries& fn = entries(stmt);
  if (fn.FreeHandle != nullptr) return fn.FreeHandle(SQL_HANDLE_STMT, stmt.real);
  return forward(stmt, fn.FreeStmt, stmt.real, SQLUSMALLINT{SQL_DROP});
}

// The standard's rule; some real drivers forget it and keep a dangling descriptor.
void revert_users(Descriptor& desc) {
  const std::lock_guard lock(desc.connection.children_mutex);
  for (Statement* stmt : desc.connection.statements) {
    if (stmt->library == nullptr) continue;  // being allocated by another thread
    const real::Entries& fn = entries(*stmt);
    const auto revert = [&](Descriptor** used, SQLINTEGER attribute) {
      if (*used != &desc) return;
      *used = nullptr;
      if (fn.SetStmtAttr != nullptr) fn.SetStmtAttr(stmt->real, attribute, nullptr, SQL_IS_POINTER);
    };
    revert(&stmt->app_row, SQL_ATTR_APP_ROW_DESC);
    revert(&stmt->app_param, SQL_ATTR_APP_PARAM_DESC);
  }
}

}  // namespace

SQLRETURN allocate_environment(SQLHANDLE* out) noexcept {
  if (out == nullptr) return SQL_ERROR;
  auto* env = new (std::nothrow) Environment;
  *out = env == nullptr ? SQL_NULL_HANDLE : to_handle(env);
  return env == nullptr ? SQL_ERROR : SQL_SUCCESS;
}

SQLRETURN allocate_connection(Environment& env, SQLHANDLE* out) {
  if (out == nullptr) return env.fail("HY009", "no place for the new handle");
  *out = SQL_NULL_HANDLE;
  *out = to_handle(new Connection(env));
  return SQL_SUCCESS;
}

SQLRETURN allocate_statement(Connection& dbc, SQLHANDLE* out) {
  if (out == nullptr) return dbc.fail("HY009", "no place for the new handle");
  *out = SQL_NULL_HANDLE;
  if (!dbc.connected) return dbc.fail("08003", "the connection is not open");
  if (const SQLRETURN moved = capture::boundary(dbc); !SQL_SUCCEEDED(moved)) return moved;
  auto stmt = std::make_unique<Statement>(dbc);
  stmt->make_implicit();
  put_in(dbc.statements, dbc.children_mutex, stmt.get());
  const SQLRETURN ret = allocate_real_statement(dbc, &stmt->real);
  if (!SQL_SUCCEEDED(ret)) {
    take_out(dbc.statements, dbc.children_mutex, stmt.get());
    return ret;
  }
  stmt->home = dbc.real;
  stmt->library = dbc.library;
  stmt->current.store(stmt->real, std::memory_order_release);
  capture::allocated(*stmt);
  *out = to_handle(stmt.release());
  return ret;
}

SQLRETURN allocate_descriptor(Connection& dbc, SQLHANDLE* out) {
  if (out == nullptr) return dbc.fail("HY009", "no place for the new handle");
  *out = SQL_NULL_HANDLE;
  if (!dbc.connected) return dbc.fail("08003", "the connection is not open");
  auto desc = std::make_unique<Descriptor>(dbc);
  desc->library = dbc.library;
  desc->home = dbc.real;
  put_in(dbc.descriptors, dbc.children_mutex, desc.get());
  const SQLRETURN ret =
      forward(dbc, entries(dbc).AllocHandle, SQLSMALLINT{SQL_HANDLE_DESC}, dbc.real, &desc->real);
  if (!SQL_SUCCEEDED(ret)) {
    take_out(dbc.descriptors, dbc.children_mutex, desc.get());
    return ret;
  }
  *out = to_handle(desc.release());
  return ret;
}

SQLRETURN find_real_descriptor(Descriptor& desc) {
  if (desc.real != SQL_NULL_HDESC) return SQL_SUCCESS;
  if (desc.statement == nullptr) return desc.fail("HY000", "the descriptor has no real descriptor");
  Statement& stmt = *desc.statement;
  SQLINTEGER attribute = SQL_ATTR_APP_ROW_DESC;
  while (stmt.implicit[static_cast<std::size_t>(attribute - SQL_ATTR_APP_ROW_DESC)].get() !=
         &desc) {
    ++attribute;
  }
  return forward(stmt, entries(stmt).GetStmtAttr, stmt.real, attribute, SQLPOINTER{&desc.real},
                 SQLINTEGER{SQL_IS_POINTER}, static_cast<SQLINTEGER*>(nullptr));
}

SQLRETURN free_environment(SQLHANDLE handle) noexcept {
  const SQLRETURN ret = on<Environment>(handle, [](Environment& env) -> SQLRETURN {
    env.free_real();
    return SQL_SUCCESS;
  });
  if (SQL_SUCCEEDED(ret)) delete as<Environment>(handle);
  return ret;
}

SQLRETURN release_real_connection(Connection& dbc) {
  if (dbc.real == SQL_NULL_HDBC) return SQL_SUCCESS;
  const real::Entries& fn = entries(dbc);
  const SQLRETURN ret = fn.FreeHandle != nullptr ? fn.FreeHandle(SQL_HANDLE_DBC, dbc.real)
                                                 : forward(dbc, fn.FreeConnect, dbc.real);
  if (SQL_SUCCEEDED(ret)) dbc.real = SQL_NULL_HDBC;
  return ret;
}

SQLRETURN free_connection(SQLHANDLE handle) noexcept {
  const SQLRETURN ret = on<Connection>(handle, [](Connection& dbc) -> SQLRETURN {
    if (dbc.connected) return dbc.fail("HY010", "the connection is still open");
    return release_real_connection(dbc);
  });
  if (SQL_SUCCEEDED(ret)) delete as<Connection>(handle);
  return ret;
}

SQLRETURN free_statement(SQLHANDLE handle) noexcept {
  const SQLRETURN ret = on<Statement>(handle, [](Statement& stmt) -> SQLRETURN {
    capture::freeing(stmt);
    const SQLRETURN freed = free_real_statement(stmt);
    if (SQL_SUCCEEDED(freed)) {
      take_out(stmt.connection.statements, stmt.connection.children_mutex, &stmt);
    }
    return freed;
  });
  if (SQL_SUCCEEDED(ret)) delete as<Statement>(handle);
  return ret;
}

SQLRETURN free_descriptor(SQLHANDLE handle) noexcept {
  const SQLRETURN ret = on<Descriptor>(handle, [](Descriptor& desc) -> SQLRETURN {
    if (desc.statement != nullptr) {
      return desc.fail("HY017", "an implicit descriptor cannot be freed");
    }
    revert_users(desc);
    const SQLRETURN freed =
        forward(desc, entries(desc).FreeHandle, SQLSMALLINT{SQL_HANDLE_DESC}, desc.real);
    if (SQL_SUCCEEDED(freed)) {
      take_out(desc.connection.descriptors, desc.connection.children_mutex, &desc);
    }
    return freed;
  });
  if (SQL_SUCCEEDED(ret)) delete as<Descriptor>(handle);
  return ret;
}

void drop_children(Connection& dbc) {
  std::vector<Statement*> statements;
  std::vector<Descriptor*> descriptors;
  {
    const std::lock_guard lock(dbc.children_mutex);
    statements.swap(dbc.statements);
    descriptors.swap(dbc.descriptors);
  }
  for (Statement* stmt : statements) delete stmt;
  for (Descriptor* desc : descriptors) delete desc;
}

}  // namespace understudy::api

using namespace understudy;

UNDERSTUDY_ENTRY_POINT SQLAllocHandle(SQLSMALLINT type, SQLHANDLE input, SQLHANDLE* output) {
  switch (type) {
    case SQL_HANDLE_ENV:
      return api::allocate_environment(output);
    case SQL_HANDLE_DBC:
      return api::on<Environment>(
          input, [&](Environment& env) { return api::allocate_connection(env, output); });
    case SQL_HANDLE_STMT:
      return api::on<Connection>(
          input, [&](Connection& dbc) { return api::allocate_statement(dbc, output); });
    case SQL_HANDLE_DESC:
      return api::on<Connection>(
          input, [&](Connection& dbc) { return api::allocate_descriptor(dbc, output); });
    default:
      return SQL_ERROR;
  }
}

UNDERSTUDY_ENTRY_POINT SQLFreeHandle(SQLSMALLINT type, SQLHANDLE handle) {
  switch (type) {
    case SQL_HANDLE_ENV:
      return api::free_environment(handle);
    case SQL_HANDLE_DBC:
      return api::free_connection(handle);
    case SQL_HANDLE_STMT:
      return api::free_statement(handle);
    case SQL_HANDLE_DESC:
      return api::free_descriptor(handle);
    default:
      return SQL_ERROR;
  }
}

UNDERSTUDY_ENTRY_POINT SQLAllocEnv(SQLHENV* env) {
  const SQLRETURN ret = api::allocate_environment(env);
  if (auto* made = SQL_SUCCEEDED(ret) ? api::as<Environment>(*env) : nullptr) {
    made->odbc_version = SQL_OV_ODBC2;
  }
  return ret;
}

UNDERSTUDY_ENTRY_POINT SQLAllocConnect(SQLHENV input, SQLHDBC* output) {
  return api::on<Environment>(
      input, [&](Environment& env) { return api::allocate_connection(env, output); });
}

UNDERSTUDY_ENTRY_POINT SQLAllocStmt(SQLHDBC input, SQLHSTMT* output) {
  return api::on<Connection>(input,
                             [&](Connection& dbc) { return api::allocate_statement(dbc, output); });
}

UNDERSTUDY_ENTRY_POINT SQLFreeEnv(SQLHENV env) {
  return api::free_environment(env);
}

UNDERSTUDY_ENTRY_POINT SQLFreeConnect(SQLHDBC dbc) {
  return api::free_connection(dbc);
}

UNDERSTUDY_ENTRY_POINT SQLFreeStmt(SQLHSTMT handle, SQLUSMALLINT option) {
  if (option == SQL_DROP) return api::free_statement(handle);
  return api::on<Statement>(handle, [&](Statement& stmt) {
    const SQLRETURN ret = capture::free_stmt(stmt, option);
    if (!SQL_SUCCEEDED(ret)) return ret;
    if (option == SQL_UNBIND) stmt.columns.clear();
    if (option == SQL_RESET_PARAMS) {
      stmt.parameters.clear();
      stmt.implicit[SQL_ATTR_APP_PARAM_DESC - SQL_ATTR_APP_ROW_DESC]->touched = false;
    }
    return ret;
  });
}
