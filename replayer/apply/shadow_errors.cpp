#include "replayer/apply/shadow_errors.h"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace understudy {

bool outside_the_statement(const odbc::Error& error, Dialect dialect) {
  if (error.connection_lost()) return true;
  if (dialect == Dialect::sqlite) {
    constexpr long kConstraint = 19, kError = 1, kMismatch = 20, kRange = 25, kTooBig = 18;
    const long code = error.native() & 0xff;
    if (error.native() < 0) return false;  // the driver's own, such as a missing parameter
    return code != kConstraint && code != kError && code != kMismatch && code != kRange &&
           code != kTooBig && code != 0;
  }
  if (dialect == Dialect::mariadb) {
    // Lock wait timeout, deadlock, full disk, full table, shutdown, too many connections.
    for (const long code : {1205L, 1213L, 1021L, 1114L, 1053L, 1040L}) {
      if (error.native() == code) return true;
    }
  }
  static constexpr std::string_view kClasses[] = {"40", "53", "55", "57", "58", "XX"};
  const std::string_view state(error.sqlstate());
  return std::any_of(std::begin(kClasses), std::end(kClasses),
                     [&](std::string_view one) { return state.starts_with(one); });
}

bool collides(const odbc::Error& error, Dialect dialect) {
  constexpr long kSqliteConstraint = 19;
  constexpr long kMariadbDuplicate = 1062;
  return (dialect == Dialect::sqlite && error.native() == kSqliteConstraint) ||
         (dialect == Dialect::mariadb && error.native() == kMariadbDuplicate);
}

}  // namespace understudy
