#include "replayer/migration/replayer_process.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "journal/durable_recording.h"
#include "journal/process.h"
#include "replayer/migration/bypass_watch.h"
#include "replayer/migration/control_socket.h"
#include "replayer/migration/cutover.h"
#include "replayer/migration/ending.h"
#include "replayer/migration/failure.h"
#include "replayer/migration/log.h"
#include "replayer/migration/progress.h"
#include "replayer/migration/worker.h"

namespace understudy {
namespace {

using nlohmann::json;

constexpr std::uint64_t kFollowLookNs = 50'000'000;
constexpr std::uint64_t kProgressNs = kNsPerSecond;

class Commands : public ControlService {
 public:
  /// `stop`: of the process.
  Commands(Migration& migration, Worker& worker, BypassWatch& watch, const std::atomic<bool>& stop)
      : migration_(migration), worker_(worker), watch_(watch), stop_(stop) {}

  Answer handle(const json& request, const Say& say, const std::atomic<bool>& gone) override {
    const std::string command = request["command"];
    log_info(fmt::format("asked for {}", command));
    try {
      if (command == "start") return start(request, say);
      return alone(command, request, say, gone);
    } catch (const Failure& failure) {
      return {failure.exit_code(), failure.what()};
    } catch (const std::exception& error) {
      return {kExitFailed, error.what()};
    }
  }
  void client_gone() override { worker_.wake(); }
  bool stopped() override {
    if (stop_) migration_.stop = true;
    if (migration_.stop) worker_.wake();
    return migration_.stop;
  }

 private:
  Answer start(const json& request, const Say& say) {
    const State before = migration_.state->get();
    if (before.phase >= Phase::completed)
      throw Failure(kExitNo, fmt::format("migration {} is {}: {}", migration_.home.name,
                                         phase_name(before.phase), before.reason));
    worker_.start(request.value("skip", std::vector<std::string>()),
                  static_cast<std::uint64_t>(request.value("timeout", 0.0) * 1e9));
    const bool follow = request.value("follow", false);
    ProgressLine progress;
    std::uint64_t said_ns = 0;
    std::string last;
    for (;;) {
      // Before the state, which tells of a way back that failed before the worker does.
      const std::string failure = worker_.failure();
      const Figures figures =
          collect_figures(migration_.map.get(), migration_.home, migration_.state->get(), true);
      const State& state = figures.state;
      const std::string stage = std::string(phase_name(state.phase)) + state.reason;
      if (stage != last || monotonic_ns() - said_ns >= kProgressNs) {
        say(progress.text(figures));
        said_ns = monotonic_ns();
        last = stage;
      }
      if (state.phase == Phase::invalid) return {kExitFailed, "invalid: " + state.reason};
      // The shadow is in use, with a way back or without one.
      const bool back = way_of(state.phase) == Way::back;
      if (back && !follow && (state.production_reachable || !state.way_back.empty()))
        return {kExitDone, fmt::format("{}: {}", phase_name(state.phase), state.reason)};
      if (!failure.empty()) return {kExitFailed, failure};
      const bool replaying = state.phase == Phase::replaying || state.phase == Phase::ready;
      if (replaying && !follow)
        return {kExitDone,
                fmt::format("replaying; next: `understudy verify {}`", migration_.home.name)};
      if (state.phase >= Phase::completed) return {kExitDone, std::string(phase_name(state.phase))};
      if (migration_.stop) return {kExitFailed, "the replayer was stopped"};
      migration_.wait_for_journal(migration_.journal_token(), kFollowLookNs);
    }
  }

  /// Commands that exclude each other.
  Answer alone(const std::string& command, const json& request, const Say& say,
               const std::atomic<bool>& gone) {
    bool expected = false;
    if (!busy_.compare_exchange_strong(expected, true))
      throw Failure(kExitNo, "another command is under way; try again when it has ended");
    struct Free {
      std::atomic<bool>& busy;
      ~Free() { busy = false; }
    } free{busy_};
    const BypassWatch::Pause pause(watch_);
    if (command == "verify") {
      // Nobody waits for the answer of a tool that is gone, and the next may want to ask. The other
      // commands go on: half of them is worse than all.
      const VerifyResult result = verify_migration(migration_, worker_, say, gone);
      return {result.rows_different == 0 ? kExitDone : kExitNo,
              fmt::format("{} rows compared, {} different", result.rows_compared,
                          result.rows_different)};
    }
    if (command == "cutover" || command == "reverse") {
      CutoverOptions options;
      options.dry_run = request.value("dry_run", false);
      options.timeout_s = request.value("timeout", options.timeout_s);
      options.skip = request.value("skip", std::vector<std::string>());
      if (command == "reverse") {
        cut_back(migration_, worker_, options, say);
        return {kExitDone, options.dry_run ? "" : "replaying: production is in productive use"};
      }
      cut_over(migration_, worker_, options, say);
      return {kExitDone, options.dry_run ? "" : "switched: the shadow is in productive use"};
    }
    if (command == "complete" || command == "cancel") return end(command, say);
    throw Failure(kExitUsage,
                  "the control socket knows start, verify, cutover, reverse, complete and cancel");
  }

  Answer end(const std::string& command, const Say& say) {
    if (command == "complete") {
      complete_migration(migration_);
    } else {
      cancel_migration(migration_, say);
    }
    // A copy is not waited for: it looks at the state itself.
    if (migration_.state->get().direction_at_us != 0) worker_.halt();
    drop_positions(migration_, say);
    wait_for_end(*migration_.map, kLockJournald, migration_.home.journald_log());
    migration_.stop = true;
    worker_.wake();
    return {kExitDone, std::string(phase_name(migration_.state->get().phase))};
  }

  Migration& migration_;
  Worker& worker_;
  BypassWatch& watch_;
  const std::atomic<bool>& stop_;
  std::atomic<bool> busy_{false};
};

/// Recording has outlived the host, or it has ended and what programs find in a new boot may not
/// yet say so.
void notice_restart(Migration& migration) {
  const State state = migration.state->get();
  const bool recorded = records(migration.mode());
  if (recorded && state.phase == Phase::invalid) migration.map->invalidate(state.reason);
  if (recorded && migration.header().durability_power.load() != 0)
    require(resume_durable_recording(migration.home.root, migration.home.name));
  const std::string boot = boot_id();
  if (state.boot_id == boot) return;
  migration.state->change([&](State& next) {
    if (!next.boot_id.empty() && phase_goes_on(next.phase) && recorded) next.outlive_restart();
    next.boot_id = boot;
  });
}

}  // namespace

void run_replayer(const Home& home, const std::atomic<bool>& stop) {
  Migration migration(home);
  (void)migration.journal_keys();
  settle_interrupted_cutover(migration);
  notice_restart(migration);
  migration.state->change([&](State& state) { state.replayer_session = migration.session_id(); });
  const Phase phase = migration.state->get().phase;
  log_info(fmt::format("migration {} is {}", home.name, phase_name(phase)));
  if (phase == Phase::completed || phase == Phase::cancelled)
    throw Failure(kExitNo, fmt::format("migration {} is {}; there is nothing to do", home.name,
                                       phase_name(phase)));
  Worker worker(migration);
  std::thread working([&] { worker.run(); });
  std::optional<BypassWatch> watch(std::in_place, migration, worker);
  Commands commands(migration, worker, *watch, stop);
  std::exception_ptr trouble;
  try {
    serve_control(home, commands);
  } catch (...) {
    trouble = std::current_exception();
    migration.stop = true;
  }
  worker.wake();
  watch.reset();
  working.join();
  if (trouble) std::rethrow_exception(trouble);
}

}  // namespace understudy
