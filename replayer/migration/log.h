// What the long-lived processes log: lines on standard error, with time and level.
#pragma once

#include <string_view>

namespace understudy {

/// Names the process in every line from now on. Called before the process has threads.
void begin_log(const char* process);

/// One line each, written before the function returns. Row values and secrets never stand in one.
/// Thread safe; nothing is thrown.
void log_info(std::string_view line);
void log_warning(std::string_view line);
void log_error(std::string_view line);

}  // namespace understudy
