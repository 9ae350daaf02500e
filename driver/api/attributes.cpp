// Attributes of environments, connections and statements.

#include "driver/handle/attributes.h"

#include "driver/api/handles.h"
#include "driver/api/wide_output.h"
#include "driver/capture/intercept.h"
#include "driver/real/wide.h"

using namespace understudy;

namespace {

template <class Number>
void store(SQLPOINTER out, Number value) {
  if (out != nullptr) *static_cast<Number*>(out) = value;
}

SQLULEN as_number(SQLPOINTER value) {
  return reinterpret_cast<SQLULEN>(value);
}

// ---- connections ----

constexpr std::size_t kOptionCharacters = 1024;  // the driver manager's buffer for a text

SQLRETURN keep(Connection& dbc, Attribute attribute) {
  const std::lock_guard lock(dbc.children_mutex);
  remember(dbc.attributes, std::move(attribute));
  return SQL_SUCCESS;
}

bool can_set(const real::Entries& fn) {
  return fn.SetConnectAttr != nullptr || fn.SetConnectAttrW != nullptr ||
         fn.SetConnectOption != nullptr;
}

// Lone surrogates are in no name that a server took.
std::string utf8_of(SQLPOINTER value, SQLINTEGER length, bool wide) {
  if (!wide) {
    const auto* bytes = static_cast<const char*>(value);
    return length < 0 ? std::string(bytes) : std::string(bytes, static_cast<std::size_t>(length));
  }
  const SQLINTEGER characters = length < 0 ? SQL_NTS : length / 2;
  const Result<std::string> text = real::to_utf8(static_cast<const SQLWCHAR*>(value), characters);
  return text.ok() ? *text : std::string();
}

SQLRETURN set_on_connection(Connection& dbc, SQLINTEGER attribute, SQLPOINTER value,
                            SQLINTEGER length, bool wide) {
  auto copy = copy_attribute(attribute, value, length, wide);
  if (!copy) return dbc.fail("HY090", "the value of the attribute is too long");
  const bool autocommit = attribute == SQL_ATTR_AUTOCOMMIT;
  if (dbc.connected && !can_set(api::entries(dbc))) return api::missing(dbc);
  SQLRETURN ret = SQL_SUCCESS;
  if (dbc.connected) {
    ret = autocommit ? capture::set_autocommit(dbc, as_number(value), wide)
                     : set_connect_attribute(*dbc.library, dbc.real, *copy);
  }
  if (!SQL_SUCCEEDED(ret)) return ret;
  if (autocommit) dbc.autocommit = static_cast<SQLUINTEGER>(as_number(value)) != 0;
  if (attribute == SQL_ATTR_CURRENT_CATALOG) {
    capture::database_set(dbc, utf8_of(value, length, wide));
  }
  keep(dbc, std::move(*copy));
  return ret;
}

// Before connecting only what was set is known; the driver manager answers the rest itself.
SQLRETURN answer_unconnected(Connection& dbc, SQLINTEGER attribute, SQLPOINTER value) {
  const Attribute* known = find_attribute(dbc.attributes, attribute);
  if (known == nullptr || known->is_string) return dbc.fail("08003", "the connection is not open");
  store(value, static_cast<SQLUINTEGER>(as_number(known->value)));
  return SQL_SUCCESS;
}

bool string_connect_attribute(SQLINTEGER attribute) {
  return attribute == SQL_ATTR_CURRENT_CATALOG || attribute == SQL_ATTR_TRACEFILE ||
         attribute == SQL_ATTR_TRANSLATE_LIB;
}

SQLRETURN get_narrow(Connection& dbc, SQLINTEGER attribute, SQLPOINTER value, SQLINTEGER capacity,
                     SQLINTEGER* length) {
  const real::Entries& fn = api::entries(dbc);
  if (fn.GetConnectAttr != nullptr || fn.GetConnectOption == nullptr) {
    return api::forward(dbc, fn.GetConnectAttr, dbc.real, attribute, value, capacity, length);
  }
  return fn.GetConnectOption(dbc.real, static_cast<SQLUSMALLINT>(attribute), value);
}

SQLRETURN get_wide(Connection& dbc, SQLINTEGER attribute, SQLPOINTER value, SQLINTEGER capacity,
                   SQLINTEGER* length) {
  if (auto* wide = api::entries(dbc).GetConnectAttrW) {
    return wide(dbc.real, attribute, value, capacity, length);
  }
  if (!string_connect_attribute(attribute)) {
    return get_narrow(dbc, attribute, value, capacity, length);
  }
  const api::WideOutput<SQLINTEGER> out{static_cast<SQLWCHAR*>(value),
                                        capacity / SQLLEN{sizeof(SQLWCHAR)}, length, true};
  return api::text_output(&dbc, out, [&](SQLCHAR* to, SQLINTEGER bytes, SQLINTEGER* got) {
    return get_narrow(dbc, attribute, to, bytes, got);
  });
}

// Capture may hold the real connection in manual mode; the application sees its own setting.
template <class Get>
SQLRETURN get_from_connection(Connection& dbc, SQLINTEGER attribute, SQLPOINTER value, Get get) {
  const SQLRETURN ret = dbc.connected ? get() : answer_unconnected(dbc, attribute, value);
  if (attribute == SQL_ATTR_AUTOCOMMIT && SQL_SUCCEEDED(ret)) {
    store(value, static_cast<SQLUINTEGER>(dbc.autocommit ? SQL_AUTOCOMMIT_ON : SQL_AUTOCOMMIT_OFF));
  }
  return ret;
}

// ---- statements ----

constexpr bool is_descriptor(SQLINTEGER attribute) {
  return attribute >= SQL_ATTR_APP_ROW_DESC && attribute <= SQL_ATTR_IMP_PARAM_DESC;
}

Descriptor*& user_descriptor(Statement& stmt, SQLINTEGER attribute) {
  return attribute == SQL_ATTR_APP_ROW_DESC ? stmt.app_row : stmt.app_param;
}

Descriptor& implicit(Statement& stmt, SQLINTEGER attribute) {
  return *stmt.implicit[static_cast<std::size_t>(attribute - SQL_ATTR_APP_ROW_DESC)];
}

// The real descriptor is asked for when the application (or the driver manager) first wants one.
SQLRETURN get_descriptor(Statement& stmt, SQLINTEGER attribute, SQLPOINTER value) {
  const bool settable = attribute <= SQL_ATTR_APP_PARAM_DESC;
  Descriptor* answer = settable ? user_descriptor(stmt, attribute) : nullptr;
  if (answer == nullptr) {
    answer = &implicit(stmt, attribute);
    const SQLRETURN ret = api::find_real_descriptor(*answer);
    if (!SQL_SUCCEEDED(ret)) return ret;
  }
  store(value, api::to_handle(answer));
  return SQL_SUCCESS;
}

SQLRETURN use_descriptor(Statement& stmt, SQLINTEGER attribute, SQLPOINTER value) {
  if (attribute > SQL_ATTR_APP_PARAM_DESC) {
    return stmt.fail("HY017", "an implementation descriptor cannot be set");
  }
  Descriptor* desc = nullptr;
  if (value != nullptr) {
    desc = api::as<Descriptor>(value);
    if (desc == nullptr || &desc->connection != &stmt.connection) {
      return stmt.fail("HY024", "the descriptor does not belong to the statement's connection");
    }
    if (desc->statement == nullptr && desc->home != stmt.home) {
      return stmt.fail("08S01", "the descriptor stayed behind on the other database");
    }
  }
  if (desc == &implicit(stmt, attribute)) desc = nullptr;
  if (desc != nullptr && desc->statement != nullptr) {
    return stmt.fail("HY017", "an implicit descriptor belongs to one statement");
  }
  SQLPOINTER real = desc == nullptr ? SQL_NULL_HDESC : desc->real;
  const SQLRETURN ret =
      api::told(stmt, api::forward(stmt, api::entries(stmt).SetStmtAttr, stmt.real, attribute, real,
                                   SQLINTEGER{SQL_IS_POINTER}));
  if (SQL_SUCCEEDED(ret)) user_descriptor(stmt, attribute) = desc;
  return ret;
}

void note_array(Statement& stmt, SQLINTEGER attribute, SQLPOINTER value) {
  switch (attribute) {
    case SQL_ATTR_PARAMSET_SIZE:
      stmt.paramset_size = as_number(value);
      break;
    case SQL_ATTR_PARAM_BIND_TYPE:
      stmt.param_bind_type = as_number(value);
      break;
    case SQL_ATTR_PARAM_BIND_OFFSET_PTR:
      stmt.param_bind_offset = static_cast<SQLULEN*>(value);
      break;
    case SQL_ATTR_PARAM_OPERATION_PTR:
      stmt.param_operation = static_cast<SQLUSMALLINT*>(value);
      break;
    case SQL_ATTR_PARAM_STATUS_PTR:
      stmt.param_status = static_cast<SQLUSMALLINT*>(value);
      break;
    case SQL_ATTR_PARAMS_PROCESSED_PTR:
      stmt.params_processed = static_cast<SQLULEN*>(value);
      break;
    default:
      break;
  }
}

// How the application set it: as an option where the real driver takes options.
enum class As { attribute, option };

SQLRETURN set_on_real(const real::Library& library, SQLHSTMT real, const Attribute& value, As how) {
  auto* option = library.fn.SetStmtOption;
  if (how == As::attribute || option == nullptr) return set_stmt_attribute(library, real, value);
  return option(real, static_cast<SQLUSMALLINT>(value.attribute), as_number(value.value));
}

SQLRETURN set_on_statement(Statement& stmt, SQLINTEGER attribute, SQLPOINTER value,
                           SQLINTEGER length, bool wide, As how = As::attribute) {
  if (is_descriptor(attribute)) return use_descriptor(stmt, attribute, value);
  auto copy = copy_attribute(attribute, value, length, wide);
  if (!copy) return stmt.fail("HY090", "the value of the attribute is too long");
  const real::Entries& fn = api::entries(stmt);
  if (fn.SetStmtAttr == nullptr && fn.SetStmtAttrW == nullptr && fn.SetStmtOption == nullptr) {
    return api::missing(stmt);
  }
  const SQLRETURN ret = api::told(stmt, set_on_real(*stmt.library, stmt.real, *copy, how));
  if (!SQL_SUCCEEDED(ret)) return ret;
  if (SQLHSTMT clone = capture::clone(stmt); clone != SQL_NULL_HSTMT) {
    set_on_real(*stmt.library, clone, *copy, how);
  }
  note_array(stmt, attribute, value);
  remember(stmt.attributes, std::move(*copy));
  return ret;
}

// The row number is the cursor's; everything else is the statement's own setting.
SQLHSTMT owner_of(const Statement& stmt, SQLINTEGER attribute) {
  return attribute == SQL_ATTR_ROW_NUMBER ? api::current(stmt) : stmt.real;
}

SQLRETURN get_from_statement(Statement& stmt, SQLINTEGER attribute, SQLPOINTER value,
                             SQLINTEGER capacity, SQLINTEGER* length, bool wide) {
  if (is_descriptor(attribute)) return get_descriptor(stmt, attribute, value);
  const real::Entries& fn = api::entries(stmt);
  const SQLHSTMT owner = owner_of(stmt, attribute);
  SQLRETURN ret = SQL_ERROR;
  if (wide && fn.GetStmtAttrW != nullptr) {
    ret = fn.GetStmtAttrW(owner, attribute, value, capacity, length);
  } else if (fn.GetStmtAttr == nullptr && fn.GetStmtOption != nullptr) {
    ret = fn.GetStmtOption(owner, static_cast<SQLUSMALLINT>(attribute), value);
  } else {
    ret = api::forward(stmt, fn.GetStmtAttr, owner, attribute, value, capacity, length);
  }
  return owner == stmt.real ? api::told(stmt, ret) : ret;
}

// ---- environments ----

SQLRETURN set_on_environment(Environment& env, SQLINTEGER attribute, SQLPOINTER value,
                             SQLINTEGER length) {
  if (attribute == SQL_ATTR_ODBC_VERSION) {
    env.odbc_version = static_cast<SQLINTEGER>(as_number(value));
  }
  auto copy = copy_attribute(attribute, value, length, false);
  if (!copy) return env.fail("HY090", "the value of the attribute is too long");
  remember(env.attributes, std::move(*copy));
  return SQL_SUCCESS;
}

SQLRETURN get_from_environment(Environment& env, SQLINTEGER attribute, SQLPOINTER value) {
  if (attribute == SQL_ATTR_ODBC_VERSION) {
    store(value, env.odbc_version);
    return SQL_SUCCESS;
  }
  const Attribute* known = find_attribute(env.attributes, attribute);
  if (known != nullptr && !known->is_string) {
    store(value, static_cast<SQLINTEGER>(as_number(known->value)));
    return SQL_SUCCESS;
  }
  if (attribute == SQL_ATTR_OUTPUT_NTS) {
    store(value, SQLINTEGER{SQL_TRUE});
    return SQL_SUCCESS;
  }
  if (attribute == SQL_ATTR_CONNECTION_POOLING || attribute == SQL_ATTR_CP_MATCH) {
    store(value, SQLINTEGER{0});
    return SQL_SUCCESS;
  }
  return env.fail("HY092", "the environment has no such attribute");
}

}  // namespace

UNDERSTUDY_ENTRY_POINT SQLSetEnvAttr(SQLHENV handle, SQLINTEGER attribute, SQLPOINTER value,
                                     SQLINTEGER length) {
  return api::on<Environment>(
      handle, [&](Environment& env) { return set_on_environment(env, attribute, value, length); });
}

UNDERSTUDY_ENTRY_POINT SQLGetEnvAttr(SQLHENV handle, SQLINTEGER attribute, SQLPOINTER value,
                                     SQLINTEGER, SQLINTEGER*) {
  return api::on<Environment>(
      handle, [&](Environment& env) { return get_from_environment(env, attribute, value); });
}

UNDERSTUDY_ENTRY_POINT SQLSetConnectAttr(SQLHDBC handle, SQLINTEGER attribute, SQLPOINTER value,
                                         SQLINTEGER length) {
  return api::on<Connection>(handle, [&](Connection& dbc) {
    return set_on_connection(dbc, attribute, value, length, false);
  });
}

UNDERSTUDY_ENTRY_POINT SQLSetConnectAttrW(SQLHDBC handle, SQLINTEGER attribute, SQLPOINTER value,
                                          SQLINTEGER length) {
  return api::on<Connection>(handle, [&](Connection& dbc) {
    return set_on_connection(dbc, attribute, value, length, true);
  });
}

UNDERSTUDY_ENTRY_POINT SQLGetConnectAttr(SQLHDBC handle, SQLINTEGER attribute, SQLPOINTER value,
                                         SQLINTEGER capacity, SQLINTEGER* length) {
  return api::on<Connection>(handle, [&](Connection& dbc) {
    return get_from_connection(dbc, attribute, value,
                               [&] { return get_narrow(dbc, attribute, value, capacity, length); });
  });
}

UNDERSTUDY_ENTRY_POINT SQLGetConnectAttrW(SQLHDBC handle, SQLINTEGER attribute, SQLPOINTER value,
                                          SQLINTEGER capacity, SQLINTEGER* length) {
  return api::on<Connection>(handle, [&](Connection& dbc) {
    return get_from_connection(dbc, attribute, value,
                               [&] { return get_wide(dbc, attribute, value, capacity, length); });
  });
}

UNDERSTUDY_ENTRY_POINT SQLSetConnectOption(SQLHDBC handle, SQLUSMALLINT option, SQLULEN value) {
  return api::on<Connection>(handle, [&](Connection& dbc) {
    return set_on_connection(dbc, option, reinterpret_cast<SQLPOINTER>(value), SQL_NTS, false);
  });
}

UNDERSTUDY_ENTRY_POINT SQLGetConnectOption(SQLHDBC handle, SQLUSMALLINT option, SQLPOINTER value) {
  return api::on<Connection>(handle, [&](Connection& dbc) {
    return get_from_connection(dbc, option, value, [&]() -> SQLRETURN {
      if (auto* get = api::entries(dbc).GetConnectOption) return get(dbc.real, option, value);
      SQLINTEGER length = 0;
      return get_narrow(dbc, option, value, SQL_MAX_OPTION_STRING_LENGTH, &length);
    });
  });
}

// Without such an entry the real driver would be asked by the driver manager as it is here.
UNDERSTUDY_ENTRY_POINT SQLGetConnectOptionW(SQLHDBC handle, SQLUSMALLINT option, SQLPOINTER value) {
  return api::on<Connection>(handle, [&](Connection& dbc) {
    return get_from_connection(dbc, option, value, [&]() -> SQLRETURN {
      if (auto* get = api::entries(dbc).GetConnectOptionW) return get(dbc.real, option, value);
      SQLINTEGER length = 0;
      if (!string_connect_attribute(option)) {
        return get_wide(dbc, option, value, sizeof(SQLINTEGER), &length);
      }
      SQLWCHAR text[kOptionCharacters] = {};
      const SQLRETURN ret = get_wide(dbc, option, text, sizeof(text), &length);
      if (SQL_SUCCEEDED(ret) && value != nullptr) {
        text[kOptionCharacters - 1] = 0;
        auto* out = static_cast<SQLWCHAR*>(value);
        for (std::size_t i = 0; i == 0 || text[i - 1] != 0; ++i) out[i] = text[i];
      }
      return ret;
    });
  });
}

UNDERSTUDY_ENTRY_POINT SQLSetStmtAttr(SQLHSTMT handle, SQLINTEGER attribute, SQLPOINTER value,
                                      SQLINTEGER length) {
  return api::on<Statement>(handle, [&](Statement& stmt) {
    return set_on_statement(stmt, attribute, value, length, false);
  });
}

UNDERSTUDY_ENTRY_POINT SQLSetStmtAttrW(SQLHSTMT handle, SQLINTEGER attribute, SQLPOINTER value,
                                       SQLINTEGER length) {
  return api::on<Statement>(handle, [&](Statement& stmt) {
    return set_on_statement(stmt, attribute, value, length, true);
  });
}

UNDERSTUDY_ENTRY_POINT SQLGetStmtAttr(SQLHSTMT handle, SQLINTEGER attribute, SQLPOINTER value,
                                      SQLINTEGER capacity, SQLINTEGER* length) {
  return api::on<Statement>(handle, [&](Statement& stmt) {
    return get_from_statement(stmt, attribute, value, capacity, length, false);
  });
}

UNDERSTUDY_ENTRY_POINT SQLGetStmtAttrW(SQLHSTMT handle, SQLINTEGER attribute, SQLPOINTER value,
                                       SQLINTEGER capacity, SQLINTEGER* length) {
  return api::on<Statement>(handle, [&](Statement& stmt) {
    return get_from_statement(stmt, attribute, value, capacity, length, true);
  });
}

UNDERSTUDY_ENTRY_POINT SQLSetStmtOption(SQLHSTMT handle, SQLUSMALLINT option, SQLULEN value) {
  return api::on<Statement>(handle, [&](Statement& stmt) {
    return set_on_statement(stmt, option, reinterpret_cast<SQLPOINTER>(value), SQL_IS_UINTEGER,
                            false, As::option);
  });
}

UNDERSTUDY_ENTRY_POINT SQLGetStmtOption(SQLHSTMT handle, SQLUSMALLINT option, SQLPOINTER value) {
  return api::on<Statement>(handle, [&](Statement& stmt) -> SQLRETURN {
    if (auto* get = api::entries(stmt).GetStmtOption) {
      return get(owner_of(stmt, option), option, value);
    }
    return get_from_statement(stmt, option, value, SQL_MAX_OPTION_STRING_LENGTH, nullptr, false);
  });
}

UNDERSTUDY_ENTRY_POINT SQLParamOptions(SQLHSTMT handle, SQLULEN rows, SQLULEN* processed) {
  return api::on<Statement>(handle, [&](Statement& stmt) -> SQLRETURN {
    if (auto* options = api::entries(stmt).ParamOptions) {
      const SQLRETURN ret = options(stmt.real, rows, processed);
      if (!SQL_SUCCEEDED(ret)) return ret;
      stmt.paramset_size = rows;
      stmt.params_processed = processed;
      return ret;
    }
    const SQLRETURN ret = set_on_statement(
        stmt, SQL_ATTR_PARAMSET_SIZE, reinterpret_cast<SQLPOINTER>(rows), SQL_IS_UINTEGER, false);
    if (!SQL_SUCCEEDED(ret)) return ret;
    return set_on_statement(stmt, SQL_ATTR_PARAMS_PROCESSED_PTR, processed, SQL_IS_POINTER, false);
  });
}
