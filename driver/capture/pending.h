// An execution that waits for data: SQL_NEED_DATA was answered.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "driver/capture/parameters.h"
#include "driver/capture/plan.h"

namespace understudy::capture {

struct Pending {
  bool recorded = false;
  bool implicit = false;   // a transaction of its own
  bool converted = false;  // the real connection has been taken out of autocommit for it
  bool direct = false;
  Plan plan;
  BoundParameters bound;
  std::vector<LateValue> late;
  std::size_t asked = 0;     // values SQLParamData has asked for
  std::uint64_t txn_id = 0;  // the transaction it began in, which large values are part of
  /// A write through a cursor, which may have written some rows already: records what it did, given
  /// the answer of the last SQLParamData.
  std::function<SQLRETURN(SQLRETURN)> settle;
};

}  // namespace understudy::capture
