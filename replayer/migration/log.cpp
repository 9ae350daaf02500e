#include "replayer/migration/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

namespace understudy {

void begin_log(const char* process) {
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>(process, std::make_shared<spdlog::sinks::stderr_sink_mt>()));
  spdlog::flush_on(spdlog::level::info);
}

void log_info(std::string_view line) {
  spdlog::info(line);
}

void log_warning(std::string_view line) {
  spdlog::warn(line);
}

void log_error(std::string_view line) {
  spdlog::error(line);
}

}  // namespace understudy
