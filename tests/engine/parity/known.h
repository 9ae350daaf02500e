// Where the application can still tell the shim from the bare driver, each with its reason. The
// list is the honest remainder: it may only get shorter.
#pragma once

#include <string>
#include <string_view>

namespace understudy::parity {

enum class Compared {
  all,
  without_messages,  // of each diagnostic only SQLSTATE and native code
  nothing,           // the case runs, so that its writes are recorded
  left_out,          // the case does not run: the bare driver crashes in it
};
/// How this case is compared for this target.
Compared compared(std::string_view target, std::string_view case_name);
/// Why the shadow's table of this name may differ; empty: it must not. Each such write is counted
/// in `uncaptured_writes`, `opaque` or `divergences`.
std::string known_remainder(std::string_view target, std::string_view table);

}  // namespace understudy::parity
