#include "tests/engine/parity/case.h"

namespace understudy::parity {

void add_attribute_cases(Cases&) {}

}  // namespace understudy::parity
