// A statement of the application and the real statement behind it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "driver/handle/connection.h"
#include "driver/handle/descriptor.h"

namespace understudy {

namespace capture {
class Execution;
}

struct ColumnBinding {
  SQLSMALLINT c_type = SQL_C_DEFAULT;
  SQLPOINTER value = nullptr;
  SQLLEN buffer_length = 0;
  SQLLEN* indicator = nullptr;
};

class Statement : public Handle {
 public:
  explicit Statement(Connection& owner);
  ~Statement();

  Connection& connection;
  SQLHSTMT real = SQL_NULL_HSTMT;
  /// Where `real` lives; differs from the connection's own after a switch, until the statement
  /// moves.
  SQLHDBC home = SQL_NULL_HDBC;
  const real::Library* library = nullptr;
  /// The real statement that ran last and that diagnostics, SQLCancel, SQLRowCount and the like
  /// must reach: `real`, or one of the capture's own. Read by SQLCancel from any thread without a
  /// lock.
  std::atomic<SQLHSTMT> current{SQL_NULL_HSTMT};
  /// A statement of ours that runs a part of this one's text: what it runs on SQLCancel of this one
  /// has to reach.
  Statement* whole = nullptr;
  /// The call before has asked `real`, whichever ran last, and it had something to say.
  bool told_by_real = false;
  /// From now on `real`, or one of the capture's own, is the one that runs.
  void run_on(SQLHSTMT statement);

  std::vector<Attribute> attributes;         // as of the connection
  std::vector<ParameterBinding> parameters;  // index 0 is parameter 1
  std::map<SQLUSMALLINT, ColumnBinding> columns;
  std::array<std::unique_ptr<Descriptor>, 4> implicit;  // SQL_ATTR_APP_ROW_DESC - 10010 ...
  void make_implicit();
  Descriptor* app_row = nullptr;  // explicit ones in use; null: implicit
  Descriptor* app_param = nullptr;
  // What arrays need (set through SQLSetStmtAttr; also in `attributes`).
  SQLULEN paramset_size = 1;
  SQLULEN param_bind_type = SQL_PARAM_BIND_BY_COLUMN;
  SQLULEN* param_bind_offset = nullptr;
  SQLUSMALLINT* param_operation = nullptr;
  SQLUSMALLINT* param_status = nullptr;
  SQLULEN* params_processed = nullptr;

  std::string prepared_text;  // UTF-8 when `prepared_wide`, else the application's bytes
  bool prepared = false;
  bool prepared_wide = false;
  std::string cursor_name;  // as set by the application
  std::uint32_t calls = 0;  // that real drivers would clear their diagnostics for

  std::unique_ptr<capture::Execution> execution;  // the capture's state; made when first needed
};

}  // namespace understudy
