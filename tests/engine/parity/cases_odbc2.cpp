#include "tests/engine/parity/case.h"

namespace understudy::parity {

void add_odbc2_cases(Cases&) {}

}  // namespace understudy::parity
