#include "driver/handle/environment.h"

#include "driver/handle/attributes.h"

namespace understudy {
namespace {

SQLRETURN set_version(const real::Entries& fn, SQLHENV env, SQLINTEGER version) {
  return fn.SetEnvAttr(env, SQL_ATTR_ODBC_VERSION,
                       reinterpret_cast<SQLPOINTER>(static_cast<SQLLEN>(version)), SQL_IS_INTEGER);
}

SQLHENV allocate(const real::Entries& fn) {
  SQLHENV env = SQL_NULL_HENV;
  const SQLRETURN ret = fn.AllocHandle != nullptr
                            ? fn.AllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &env)
                            : fn.AllocEnv(&env);
  return SQL_SUCCEEDED(ret) ? env : SQL_NULL_HENV;
}

void release(const real::Entries& fn, SQLHENV env) {
  if (fn.FreeHandle != nullptr) {
    fn.FreeHandle(SQL_HANDLE_ENV, env);
  } else if (fn.FreeEnv != nullptr) {
    fn.FreeEnv(env);
  }
}

SQLINTEGER version_of(const real::Entries& fn, SQLHENV env, SQLINTEGER wanted) {
  if (fn.AllocHandle == nullptr || fn.SetEnvAttr == nullptr ||
      set_version(fn, env, wanted) != SQL_SUCCESS) {
    return SQL_OV_ODBC2;
  }
  SQLINTEGER actual = wanted;
  if (fn.GetEnvAttr != nullptr &&
      fn.GetEnvAttr(env, SQL_ATTR_ODBC_VERSION, &actual, 0, nullptr) != SQL_SUCCESS) {
    return wanted;
  }
  return actual;
}

// What an ODBC 2 driver cannot take is left out: the driver manager expects no more of it either.
void replay(const real::Entries& fn, SQLHENV env, const Environment& from, SQLINTEGER version) {
  if (fn.SetEnvAttr == nullptr) return;
  if (version == SQL_OV_ODBC2 && from.odbc_version > static_cast<SQLINTEGER>(SQL_OV_ODBC3)) {
    set_version(fn, env, SQL_OV_ODBC3);
  }
  for (const Attribute& attribute : from.attributes) {
    if (attribute.attribute == SQL_ATTR_ODBC_VERSION) continue;
    SQLPOINTER value =
        attribute.is_string ? const_cast<char*>(attribute.string.data()) : attribute.value;
    fn.SetEnvAttr(env, attribute.attribute, value, attribute.string_length);
  }
}

}  // namespace

SQLHENV Environment::real_environment(const real::Library& library, Handle& reporter) {
  const std::lock_guard lock(mutex_);
  if (auto known = real_.find(&library); known != real_.end()) return known->second;
  auto place = real_.emplace(&library, SQLHENV{SQL_NULL_HENV}).first;
  place->second = allocate(library.fn);
  if (place->second == SQL_NULL_HENV) {
    real_.erase(place);
    reporter.fail("IM004", "the real driver '" + library.path +
                               "' refused to allocate an environment; see its own log");
    return SQL_NULL_HENV;
  }
  const SQLINTEGER version = version_of(library.fn, place->second, odbc_version);
  versions_[&library] = version;
  replay(library.fn, place->second, *this, version);
  return place->second;
}

SQLINTEGER Environment::real_version(const real::Library& library) {
  const std::lock_guard lock(mutex_);
  const auto known = versions_.find(&library);
  return known == versions_.end() ? odbc_version : known->second;
}

void Environment::free_real() {
  const std::lock_guard lock(mutex_);
  for (const auto& [library, env] : real_) release(library->fn, env);
  real_.clear();
}

}  // namespace understudy
