#include "tests/engine/parity/case.h"

namespace understudy::parity {

void add_result_cases(Cases&) {}

}  // namespace understudy::parity
