#include "tests/engine/parity/case.h"

namespace understudy::parity {

void add_connection_cases(Cases&) {}

}  // namespace understudy::parity
