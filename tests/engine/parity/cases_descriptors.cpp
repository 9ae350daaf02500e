#include "tests/engine/parity/case.h"

namespace understudy::parity {

void add_descriptor_cases(Cases&) {}

}  // namespace understudy::parity
