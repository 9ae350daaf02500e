#include "tests/engine/parity/case.h"

namespace understudy::parity {

void add_transaction_cases(Cases&) {}

}  // namespace understudy::parity
