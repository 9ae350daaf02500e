#include "tests/engine/parity/case.h"

namespace understudy::parity {

void add_cursor_cases(Cases&) {}

}  // namespace understudy::parity
