// A descriptor: implicit (belongs to a statement) or explicit (belongs to a connection).
#pragma once

#include "driver/handle/connection.h"

namespace understudy {

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
};

}  // namespace understudy
