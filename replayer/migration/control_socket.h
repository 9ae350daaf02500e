// The replayer process's control socket: one request per connection. Request: one JSON line with
// `command`. Answer: JSON lines {"line": TEXT}, then {"done": true, "exit": N, "message": TEXT}.
#pragma once

#include <atomic>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "replayer/migration/home.h"
#include "replayer/migration/verification.h"

namespace understudy {

inline constexpr std::size_t kRequestBytesMax = 64u << 10;
inline constexpr std::size_t kAnswerLineBytesMax = 1u << 20;
inline constexpr std::size_t kClientsMax = 16;

struct Answer {
  int exit_code = 0;
  std::string message;  // one line; empty: nothing more to say
};

/// What the process does for those who ask.
class ControlService {
 public:
  virtual ~ControlService() = default;
  /// `gone`: set when the client has hung up, or nothing is served any longer. That ends nothing by
  /// itself. Called from many threads; must not throw.
  virtual Answer handle(const nlohmann::json& request, const Say& say,
                        const std::atomic<bool>& gone) = 0;
  /// A `gone` has been set: wakes who looks at it.
  virtual void client_gone() = 0;
  /// Asked every 100 ms.
  virtual bool stopped() = 0;
};

/// Serves until `stopped`; each request on a thread of its own. Mode 0600. Throws Failure (3) when
/// the socket cannot be made.
void serve_control(const Home& home, ControlService& service);

/// Sends a request and hands over the lines as they come. Throws Failure (3) when nobody serves, or
/// when the process ends before its answer.
Answer ask_replayer(const Home& home, const nlohmann::json& request, const Say& say);
/// Whether somebody accepts connections.
bool replayer_listens(const Home& home);

}  // namespace understudy
