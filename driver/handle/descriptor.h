// A descriptor: implicit (belongs to a statement) or explicit (belongs to a connection).
#pragma once

#include <vector>

#include "driver/handle/connection.h"

namespace understudy {

struct ParameterBinding {
  bool bound = false;
  SQLSMALLINT io_type = SQL_PARAM_INPUT;
  SQLSMALLINT c_type = SQL_C_DEFAULT;
  SQLSMALLINT sql_type = 0;
  SQLULEN column_size = 0;
  SQLSMALLINT digits = 0;
  SQLPOINTER value = nullptr;
  SQLLEN buffer_length = 0;
  SQLLEN* indicator = nullptr;
  SQLLEN* octet_length = nullptr;  // a place of its own, set through descriptors; null: indicator
};

class Descriptor : public Handle {
 public:
  explicit Descriptor(Connection& owner) : Handle(HandleKind::descriptor), connection(owner) {}

  Connection& connection;
  SQLHDESC real = SQL_NULL_HDESC;          // of an implicit one: null until it is asked for
  const real::Library* library = nullptr;  // of an explicit one; implicit ones follow the statement
  SQLHDBC home = SQL_NULL_HDBC;            // of an explicit one: the real connection it belongs to
  Statement* statement = nullptr;          // of an implicit descriptor; null: explicit
  /// Fields were set directly (SQLSetDescField, SQLSetDescRec, SQLCopyDesc): the shadow records of
  /// SQLBindParameter no longer tell the truth; ask the real descriptor.
  bool touched = false;
  /// Of an explicit one: what SQLBindParameter set through statements that used it. psqlodbc does
  /// not answer for the fields of such a descriptor.
  std::vector<ParameterBinding> parameters;
};

}  // namespace understudy
