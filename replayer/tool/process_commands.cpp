#include <fmt/format.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <memory>
#include <mutex>
#include <thread>

#include "journal/journald.h"
#include "replayer/migration/failure.h"
#include "replayer/migration/log.h"
#include "replayer/migration/replayer_process.h"
#include "replayer/migration/settings.h"
#include "replayer/migration/state.h"
#include "replayer/tool/commands.h"

namespace understudy {
namespace {

constexpr std::chrono::milliseconds kStateLookInterval{100};

std::atomic<bool> stop_asked{false};
static_assert(std::atomic<bool>::is_always_lock_free);

extern "C" void ask_to_stop(int) {
  stop_asked = true;
}

void begin_process(const char* what) {
  struct sigaction action {};
  action.sa_handler = ask_to_stop;
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  begin_log(what);
}

/// Sets stop_asked once the state file says that the migration has ended: the replayer and the tool
/// may run under other accounts than journald, so they cannot signal it.
class EndWatch {
 public:
  explicit EndWatch(const Home& home) : thread_([this, home] { watch(home); }) {}
  ~EndWatch() {
    {
      const std::lock_guard guard(mutex_);
      done_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  EndWatch(const EndWatch&) = delete;
  EndWatch& operator=(const EndWatch&) = delete;

 private:
  void watch(const Home& home) {
    struct timespec seen {};
    std::unique_lock guard(mutex_);
    while (!changed_.wait_for(guard, kStateLookInterval, [this] { return done_; })) {
      struct stat info {};
      if (::stat(home.state().c_str(), &info) != 0) continue;
      if (info.st_mtim.tv_sec == seen.tv_sec && info.st_mtim.tv_nsec == seen.tv_nsec) continue;
      seen = info.st_mtim;
      try {
        const Phase phase = load_state(home).phase;
        if (phase == Phase::completed || phase == Phase::cancelled) stop_asked = true;
      } catch (const std::exception& error) {
        log_error(error.what());
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  std::thread thread_;
};

void run_journald_command(const std::string& name) {
  const Home home = existing_home(name);
  const auto keys = load_journal_keys(load_settings(home).journal_key);
  begin_process("journald");
  const EndWatch watch(home);
  log_info(fmt::format("journald of migration {} begins", home.name));
  JournaldOptions options;
  options.home = home.root;
  options.migration = home.name;
  options.keys = keys;
  const Status status = run_journald(options, stop_asked);
  if (status.code() == Code::full) throw Failure(kExitNo, status.message());
  require(status);
  log_info(fmt::format("journald of migration {} ends", home.name));
}

}  // namespace

void add_process_commands(CLI::App& app, int* exit_code) {
  const auto name = std::make_shared<std::string>();
  CLI::App* journald =
      app.add_subcommand("journald", "the process that writes the journal, for a service manager");
  journald->add_option("NAME", *name, "the migration")->required();
  journald->callback([name, exit_code] {
    run_journald_command(*name);
    *exit_code = kExitDone;
  });
  CLI::App* replayer =
      app.add_subcommand("replayer", "the process that acts on the shadow, for a service manager");
  replayer->add_option("NAME", *name, "the migration")->required();
  replayer->callback([name, exit_code] {
    const Home home = existing_home(*name);
    begin_process("replayer");
    run_replayer(home, stop_asked);
    *exit_code = kExitDone;
  });
}

}  // namespace understudy
