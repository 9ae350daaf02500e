// What `status` prints.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "replayer/migration/figures.h"

namespace understudy {

/// All keys of docs/reference/status.md, always.
nlohmann::json status_json(const Home& home, const Figures& figures);
std::string status_text(const Home& home, const Figures& figures);

}  // namespace understudy
