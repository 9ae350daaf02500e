// Where the application can still tell the shim from the bare driver, each with its reason. The
// list is the honest remainder: it may only get shorter.
#pragma once

#include <string>
#include <string_view>

namespace understudy::parity {

/// Why this case is not compared for this target; empty: it is.
std::string known_difference(std::string_view target, std::string_view case_name);
/// Why the shadow's table of this name may differ; empty: it must not. Each such write is counted
/// in `uncaptured_writes`, `opaque` or `divergences`.
std::string known_remainder(std::string_view target, std::string_view table);

}  // namespace understudy::parity
