// Migrations there and back in a loop, under load, while everything dies that can: journald, the
// replayer, the tool, a program, the servers of production and shadow, singly and together, at
// moments drawn from a seed. UNDERSTUDY_SOAK_SECONDS says how long, UNDERSTUDY_SOAK_ENGINE on which
// engine (postgresql unless told), UNDERSTUDY_SEED repeats the draws (moments still differ with the
// machine). Ends at the first difference.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <thread>

#include "tests/fault/soak_engine.h"
#include "tests/support/live_migration.h"

namespace understudy {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

constexpr int kTurnsOfRound = 6;  // of a migration, there and back counted one each
constexpr auto kRoundSecondsMax = std::chrono::seconds(120);
constexpr auto kPatience = std::chrono::seconds(120);
constexpr auto kToolLook = Milliseconds(5);
constexpr int kDefaultSeconds = 60;
constexpr std::size_t kFaultsWithoutServers = 5;  // the first ones of a round's

std::uint64_t environment(const char* name, std::uint64_t otherwise) {
  const char* given = std::getenv(name);
  return given != nullptr ? std::strtoull(given, nullptr, 10) : otherwise;
}

std::uint64_t resident_kib(const std::string& pid) {
  std::ifstream in("/proc/" + pid + "/status");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("VmRSS:")) return std::strtoull(line.c_str() + 6, nullptr, 10);
  return 0;
}

/// Memory of one kind of process: in the first and the last migration, and the most of all.
struct Memory {
  std::uint64_t first_kib = 0, last_kib = 0, most_kib = 0;
  void begin_round() { last_kib = 0; }
  void sample(std::uint64_t kib) {
    last_kib = std::max(last_kib, kib);
    most_kib = std::max(most_kib, kib);
  }
};

struct Figures {
  std::map<std::string, int> faults;
  std::map<std::string, Memory> memory;
  std::uint64_t transactions = 0;
  int migrations = 0;
  int turns = 0;
  int left_in_doubt = 0;  // migrations

  void print() const {
    int survived = 0;
    for (const auto& [name, count] : faults) survived += count;
    std::printf("soak: faults survived %d\n", survived);
    for (const auto& [name, count] : faults) std::printf("  %-24s %d\n", name.c_str(), count);
    std::printf("soak: migrations %d, cutovers and reverses %d, transactions %llu\n", migrations,
                turns, static_cast<unsigned long long>(transactions));
    std::printf("soak: migrations that ended with a transaction in doubt %d\n", left_in_doubt);
    for (const auto& [name, one] : memory)
      std::printf(
          "soak: memory of %-10s %6.1f MiB in the first migration, %6.1f in the last, "
          "%6.1f at most\n",
          name.c_str(), static_cast<double>(one.first_kib) / 1024,
          static_cast<double>(one.last_kib) / 1024, static_cast<double>(one.most_kib) / 1024);
  }
};

class Soak : public ::testing::Test {
 protected:
  static std::string engine() {
    const char* given = std::getenv("UNDERSTUDY_SOAK_ENGINE");
    return given != nullptr ? given : "postgresql";
  }

  std::unique_ptr<SoakEngine> engine_ = SoakEngine::named(engine());
  std::uint64_t seed_ = environment("UNDERSTUDY_SEED", std::random_device{}());
  std::mt19937_64 random_{seed_};
  Figures figures_;
};

/// One migration from `create` to `complete` or `cancel`.
class Round {
 public:
  Round(SoakEngine& engine, std::mt19937_64& random, Figures& figures)
      : engine_(engine),
        random_(random),
        figures_(figures),
        migration_("Understudy Unicode", engine.driver(), engine.new_database(SoakSide::production),
                   engine.new_database(SoakSide::shadow)) {
    for (const std::string& side : {migration_.production(), migration_.shadow()}) {
      odbc::Connection db(side);
      if (!engine.preparation().empty()) (void)db.scalar(engine.preparation());
      db.run("CREATE TABLE hot (id integer PRIMARY KEY, val bigint NOT NULL, ver bigint NOT NULL)");
      db.run("CREATE TABLE audit (id " + engine.made_key() +
             ", hot_id integer, ver bigint, delta bigint)");
    }
    odbc::Connection(migration_.production())
        .run(
            "INSERT INTO hot WITH RECURSIVE digits (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM "
            "digits WHERE n < 100) SELECT id, id, 0 FROM (SELECT (a.n - 1) * 100 + b.n AS id FROM "
            "digits AS a, digits AS b) AS numbers WHERE id <= " +
            std::to_string(engine.rows()));
    migration_.expect_tool(
        {"create", "--production", migration_.production(), "--shadow", migration_.shadow()});
    survivor_.emplace(load(1));
    victim_.emplace(load(2));
  }

  /// Ends when so many turns are made, or the time is up.
  void run(Clock::time_point end) {
    end = std::min(end, Clock::now() + kRoundSecondsMax);
    while (Clock::now() < end && turns_ < kTurnsOfRound && !::testing::Test::HasFailure()) step();
    settle();
  }

 private:
  std::vector<std::string> load(int number) {
    std::vector<std::string> words = {HOT_ROWS_APP_PATH,
                                      migration_.application(),
                                      "--threads",
                                      "3",
                                      "--seconds",
                                      "86400",
                                      "--seed",
                                      std::to_string(number),
                                      "--reconnect",
                                      "--rows",
                                      std::to_string(engine_.rows())};
    if (!engine_.has_returning()) words.emplace_back("--no-returning");
    return words;
  }
  std::uint64_t draw(std::uint64_t bound) { return random_() % bound; }

  /// The command that comes next for an operator who looks at the status.
  std::vector<std::string> next_command() {
    const auto status = migration_.status();
    const std::string phase = status.value("phase", "");
    EXPECT_NE(phase, "invalid") << status.dump(1);
    const bool alive = status["journald_alive"] == true && status["replayer_alive"] == true;
    if (!alive || phase == "preflight" || phase == "recording" || phase == "aligning" ||
        phase == "copying")
      return {"start", migration_.name(), "--timeout", "20"};
    if (phase == "replaying" || draw(4) == 0) return {"verify", migration_.name()};
    const char* command = phase == "switched" ? "reverse" : "cutover";
    return {command, migration_.name(), "--timeout", "5"};
  }

  void step() {
    const std::vector<std::string> words = next_command();
    std::vector<std::string> command = {"/bin/sh", "-c", "exec \"$0\" \"$@\" >/dev/null 2>&1",
                                        UNDERSTUDY_PATH};
    command.insert(command.end(), words.begin(), words.end());
    Background tool(command);
    auto fault_at = Clock::now() + Milliseconds(draw(1200));
    std::optional<int> code;
    while (!(code = tool.ended())) {
      sample();
      if (Clock::now() < fault_at) {
        std::this_thread::sleep_for(kToolLook);
        continue;
      }
      fault(tool);
      fault_at = Clock::now() + Milliseconds(100 + draw(1500));
    }
    if (*code == 0 && (words[0] == "cutover" || words[0] == "reverse")) {
      ++turns_;
      ++figures_.turns;
    }
    if (draw(4) == 0) fault(tool);
  }

  void fault(Background& tool) {
    const std::vector<std::pair<std::string, std::function<void()>>> faults = {
        {"journald", [&] { migration_.kill_process("journald"); }},
        {"replayer", [&] { migration_.kill_process("replayer"); }},
        {"journald and replayer",
         [&] {
           migration_.kill_process("journald");
           migration_.kill_process("replayer");
         }},
        {"tool", [&] { tool.kill(SIGKILL); }},
        {"application",
         [&] {
           victim_.reset();
           victim_.emplace(load(static_cast<int>(draw(1'000'000))));
         }},
        {"production's server", [&] { restart(SoakSide::production); }},
        {"shadow's server", [&] { restart(SoakSide::shadow); }},
        {"both servers and replayer",
         [&] {
           engine_.kill(SoakSide::production);
           engine_.kill(SoakSide::shadow);
           migration_.kill_process("replayer");
           engine_.start(SoakSide::production);
           engine_.start(SoakSide::shadow);
         }},
    };
    const auto& [name, act] =
        faults[draw(engine_.has_servers() ? faults.size() : kFaultsWithoutServers)];
    if (name == "tool" && tool.ended()) return;
    act();
    ++figures_.faults[name];
  }
  void restart(SoakSide side) {
    engine_.kill(side);
    engine_.start(side);
  }

  void sample() {
    for (const char* which : {"journald", "replayer"}) {
      const std::string pid = std::to_string(migration_.pid_of(which));
      figures_.memory[which].sample(resident_kib(pid));
    }
    figures_.memory["application"].sample(resident_kib(std::to_string(survivor_->pid())));
  }

  /// Everything lives again, nobody writes: all must be equal.
  void settle() {
    for (auto* load : {&survivor_, &victim_}) {
      (*load)->kill(SIGTERM);
      EXPECT_EQ((*load)->wait(), 0);
    }
    const auto patience = Clock::now() + kPatience;
    nlohmann::json status;
    do {
      (void)LiveMigration::tool({"start", migration_.name(), "--timeout", "20"});
      status = migration_.status();
    } while (Clock::now() < patience && (status["backlog_transactions"] != 0 ||
                                         status["in_doubt"] != 0 || !at_rest(status["phase"])));
    EXPECT_TRUE(at_rest(status["phase"])) << status.dump(1);
    // After crashes of its server nothing but the rows may tell, and they may be overwritten: that
    // is said, and nobody may go on from there.
    if (status["in_doubt"] != 0) {
      EXPECT_NE(LiveMigration::tool({"cutover", migration_.name()}).exit_code, 0);
      ++figures_.left_in_doubt;
      std::printf("left in doubt: %s\n", status["reason"].dump().c_str());
      return;
    }
    EXPECT_EQ(status["backlog_transactions"], 0) << status.dump(1);
    // A command whose tool was killed goes on.
    Finished verified;
    do {
      verified = LiveMigration::tool({"verify", migration_.name()});
    } while (verified.output.find("another command is under way") != std::string::npos &&
             Clock::now() < patience);
    EXPECT_EQ(verified.exit_code, 0) << verified.output;
    status = migration_.status();
    EXPECT_EQ(status["rows_different"], 0) << status.dump(1);
    EXPECT_EQ(status["divergences"], 0) << status.dump(1);
    EXPECT_EQ(status["uncaptured_writes"], 0) << status.dump(1);
    odbc::Connection production(migration_.production());
    EXPECT_EQ(production.scalar("SELECT count(*) FROM (SELECT hot_id, ver FROM audit GROUP "
                                "BY hot_id, ver HAVING count(*) > 1) AS twice"),
              "0");
    figures_.transactions += status["journaled"].get<std::uint64_t>();
    ++figures_.migrations;
    if (::testing::Test::HasFailure())
      std::printf("the journal is kept: %s\n", kept_journal().c_str());
    if (::testing::Test::HasFailure())
      std::printf("%s\n",
                  run_program({"tail", "-n", "30", migration_.journal() + "/../replayer.log",
                               migration_.journal() + "/../journald.log"})
                      .output.c_str());
  }
  /// A copy of it that outlives the test.
  [[nodiscard]] std::string kept_journal() const {
    const auto kept =
        std::filesystem::temp_directory_path() / ("understudy-soak-" + std::to_string(::getpid()));
    std::error_code failed;
    std::filesystem::copy(migration_.journal(), kept, std::filesystem::copy_options::recursive,
                          failed);
    return failed ? "no: " + failed.message() : kept.string();
  }
  static bool at_rest(const nlohmann::json& phase) {
    return phase == "replaying" || phase == "ready" || phase == "switched";
  }

  SoakEngine& engine_;
  std::mt19937_64& random_;
  Figures& figures_;
  LiveMigration migration_;
  std::optional<Background> survivor_, victim_;
  int turns_ = 0;
};

TEST_F(Soak, ShadowEqualsProductionWhateverDies) {
  std::printf("UNDERSTUDY_SOAK_ENGINE=%s UNDERSTUDY_SEED=%llu\n", engine().c_str(),
              static_cast<unsigned long long>(seed_));
  const auto end =
      Clock::now() + std::chrono::seconds(environment("UNDERSTUDY_SOAK_SECONDS", kDefaultSeconds));
  while (Clock::now() < end && !HasFailure()) {
    for (auto& [name, memory] : figures_.memory) memory.begin_round();
    Round(*engine_, random_, figures_).run(end);
    for (auto& [name, memory] : figures_.memory)
      if (memory.first_kib == 0) memory.first_kib = memory.last_kib;
  }
  figures_.print();
  EXPECT_FALSE(figures_.faults.empty());
  EXPECT_GT(figures_.migrations + figures_.left_in_doubt, 0);
  EXPECT_TRUE(figures_.transactions > 0 || figures_.migrations == 0);
  std::printf("soak: rows different %s\n", HasFailure() ? "see above" : "0");
  if (HasFailure()) std::printf("UNDERSTUDY_SEED=%llu\n", static_cast<unsigned long long>(seed_));
}

}  // namespace
}  // namespace understudy
