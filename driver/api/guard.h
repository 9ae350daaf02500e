// What every exported entry does around its work: check the handle, clear our own diagnostics, and
// let nothing be thrown across the C boundary. Costs a compare and two loads.
#pragma once

#include <new>

#include "driver/handle/connection.h"
#include "driver/handle/descriptor.h"
#include "driver/handle/environment.h"
#include "driver/handle/statement.h"

/// Of an entry the version scripts may export.
#define UNDERSTUDY_ENTRY_POINT extern "C" __attribute__((visibility("default"))) SQLRETURN SQL_API

namespace understudy::api {

template <class T>
inline constexpr HandleKind kind_of = HandleKind::freed;
template <>
inline constexpr HandleKind kind_of<Environment> = HandleKind::environment;
template <>
inline constexpr HandleKind kind_of<Connection> = HandleKind::connection;
template <>
inline constexpr HandleKind kind_of<Statement> = HandleKind::statement;
template <>
inline constexpr HandleKind kind_of<Descriptor> = HandleKind::descriptor;

/// Null unless the pointer is one of our handles of that kind.
template <class T>
T* as(SQLHANDLE handle) {
  auto* base = static_cast<Handle*>(handle);
  return base != nullptr && base->kind() == kind_of<T> ? static_cast<T*>(base) : nullptr;
}

inline SQLHANDLE to_handle(Handle* handle) {
  return handle;
}

template <class T, class Work>
SQLRETURN run(T& handle, Work& work) noexcept {
  try {
    return work(handle);
  } catch (const std::bad_alloc&) {
    return handle.fail("HY001", "out of memory");
  } catch (...) {
    return handle.fail("HY000", "an internal error; please report it with the ODBC trace");
  }
}

/// The guard of all entries but the two kinds below.
template <class T, class Work>
SQLRETURN on(SQLHANDLE given, Work work) noexcept {
  T* handle = as<T>(given);
  if (handle == nullptr) return SQL_INVALID_HANDLE;
  if (!handle->diagnostics.empty()) [[unlikely]]
    handle->diagnostics.clear();
  if constexpr (kind_of<T> == HandleKind::statement) {
    ++handle->calls;
    handle->told_by_real = false;
  }
  return run(*handle, work);
}

/// For the diagnostic functions, which clear nothing, and for SQLCancel, which may arrive while
/// another thread is inside a call on the same handle.
template <class T, class Work>
SQLRETURN on_untouched(SQLHANDLE given, Work work) noexcept {
  T* handle = as<T>(given);
  return handle == nullptr ? static_cast<SQLRETURN>(SQL_INVALID_HANDLE) : run(*handle, work);
}

/// The real driver has no such entry.
inline SQLRETURN missing(Handle& handle) {
  return handle.fail("IM001", "the real driver does not support this function");
}

/// Calls the real driver's entry, which may be null.
template <class... Parameters, class... Arguments>
SQLRETURN forward(Handle& handle, SQLRETURN (*entry)(Parameters...), Arguments... arguments) {
  if (entry == nullptr) [[unlikely]]
    return missing(handle);
  return entry(arguments...);
}

inline const real::Entries& entries(const Connection& dbc) {
  return dbc.library->fn;
}
inline const real::Entries& entries(const Statement& stmt) {
  return stmt.library->fn;
}
inline const real::Library& library_of(const Descriptor& desc) {
  return desc.statement != nullptr ? *desc.statement->library : *desc.library;
}
inline const real::Entries& entries(const Descriptor& desc) {
  return library_of(desc).fn;
}

/// Of a call on `stmt.real`: its diagnostics are the call's.
inline SQLRETURN told(Statement& stmt, SQLRETURN ret) {
  stmt.told_by_real = ret != SQL_SUCCESS;
  return ret;
}

/// The real statement whose execution the application sees.
inline SQLHSTMT current(const Statement& stmt) {
  return stmt.current.load(std::memory_order_acquire);
}

}  // namespace understudy::api
