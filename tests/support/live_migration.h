// A migration between two databases, driven by the tool as an operator drives it: by default of the
// shared PostgreSQL server, with the ten hot rows of hot_rows_app as its schema.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "journal/segment_map.h"
#include "replayer/odbc/odbc.h"
#include "tests/support/engines.h"

namespace understudy {

/// A program started in the background; killed when it goes out of scope.
class Background {
 public:
  explicit Background(std::vector<std::string> arguments) {
    std::vector<char*> argv;
    for (std::string& one : arguments) argv.push_back(one.data());
    argv.push_back(nullptr);
    if (::posix_spawn(&pid_, argv[0], nullptr, nullptr, argv.data(), environ) != 0) pid_ = -1;
    EXPECT_GT(pid_, 0) << arguments[0];
  }
  ~Background() {
    if (pid_ > 0) kill(SIGKILL);
    if (pid_ > 0) wait();
  }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  void kill(int signal) const {
    if (pid_ > 0) ::kill(pid_, signal);
  }
  /// Exit code, or 128 + signal.
  int wait() {
    if (pid_ > 0) collect(0);
    return code_;
  }
  /// The same once it has ended.
  std::optional<int> ended() {
    if (pid_ > 0) collect(WNOHANG);
    return pid_ > 0 ? std::nullopt : std::optional(code_);
  }

 private:
  void collect(int how) {
    int status = 0;
    if (::waitpid(pid_, &status, how) == 0) return;
    pid_ = -1;
    code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  pid_t pid_ = -1;
  int code_ = -1;
};

class LiveMigration {
 public:
  /// `driver`: section of odbcinst.ini the application's data source names.
  explicit LiveMigration(const std::string& driver = "Understudy Unicode")
      : LiveMigration(driver, "PostgreSQL Unicode", PostgresServer::shared().new_database(),
                      PostgresServer::shared().new_database()) {
    for (const std::string& side : {production(), shadow()}) make_schema(side);
    odbc::Connection(production())
        .run("INSERT INTO hot SELECT n, n, 0 FROM generate_series(1, 10) AS n");
  }
  /// Between two databases, given as parts of a connection string, which the caller fills.
  /// `shadow_driver`: the shadow's real driver, when it is another.
  LiveMigration(const std::string& driver, const std::string& real_driver, std::string production,
                std::string shadow, const std::string& shadow_driver = "")
      : real_driver_(real_driver),
        shadow_driver_(shadow_driver.empty() ? real_driver : shadow_driver),
        production_(std::move(production)),
        shadow_(std::move(shadow)) {
    static int count = 0;
    name_ = "live-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
    OdbcEnvironment::Keys keys = {{"Driver", driver}, {"RealDriver", real_driver}};
    for (std::size_t at = 0; at < production_.size();) {
      const std::size_t end = production_.find(';', at);
      const std::string pair = production_.substr(at, end - at);
      if (const auto equals = pair.find('='); equals != std::string::npos) {
        // psqlodbc knows the short names in connection strings only.
        std::string key = pair.substr(0, equals);
        if (key == "Server") key = "Servername";
        if (key == "Uid") key = real_driver.starts_with("PostgreSQL") ? "Username" : "User";
        keys[key] = pair.substr(equals + 1);
      }
      at = end == std::string::npos ? production_.size() : end + 1;
    }
    OdbcEnvironment::shared().add_data_source(name_, keys);
  }
  ~LiveMigration() {
    if (tool({"cancel", name_}).exit_code != 0) tool({"complete", name_});
    for (const char* process : {"journald", "replayer"}) kill_process(process);
    EXPECT_TRUE(SegmentMap::remove(OdbcEnvironment::shared().home(), name_).ok());
  }
  LiveMigration(const LiveMigration&) = delete;
  LiveMigration& operator=(const LiveMigration&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::string application() const { return "DSN=" + name_; }
  [[nodiscard]] std::string journal() const {
    return OdbcEnvironment::shared().home() + "/" + name_ + "/journal";
  }
  [[nodiscard]] std::string production() const { return target(real_driver_, production_); }
  [[nodiscard]] std::string shadow() const { return target(shadow_driver_, shadow_); }

  static Finished tool(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), UNDERSTUDY_PATH);
    return run_program(arguments);
  }
  void expect_tool(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin() + 1, name_);
    const Finished done = tool(arguments);
    EXPECT_EQ(done.exit_code, 0) << arguments[0] << ": " << done.output;
  }
  void create_and_start() {
    expect_tool({"create", "--production", production(), "--shadow", shadow()});
    expect_tool({"start"});
  }
  nlohmann::json status() {
    const Finished done = tool({"status", name_, "--json"});
    EXPECT_EQ(done.exit_code, 0) << done.output;
    return nlohmann::json::parse(done.output, nullptr, false);
  }
  /// The last status, which meets it unless a minute has passed.
  nlohmann::json status_when(const std::function<bool(const nlohmann::json&)>& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    nlohmann::json now = status();
    while (!condition(now) && std::chrono::steady_clock::now() < end) now = status();
    return now;
  }
  /// Of the migration's journald or replayer; 0: there is none.
  [[nodiscard]] pid_t pid_of(const std::string& which) const {
    return static_cast<pid_t>(std::atoi(
        run_program({"pgrep", "-f", "understudy " + which + " " + name_}).output.c_str()));
  }
  /// A signal to the migration's journald or replayer.
  void signal_process(const std::string& which, const std::string& signal) const {
    const std::string what = "understudy " + which + " " + name_;
    EXPECT_EQ(run_program({"pkill", "-" + signal, "-f", what}).exit_code, 0) << what;
  }
  /// SIGKILL to the migration's journald or replayer, and waits until it is gone: while one of its
  /// threads lives it can be connected to. False when there is none.
  bool kill_process(const std::string& which) {
    const std::string what = "understudy " + which + " " + name_;
    std::istringstream pids(run_program({"pgrep", "-f", what}).output);
    const bool killed = run_program({"pkill", "-KILL", "-f", what}).exit_code == 0;
    for (std::string pid; std::getline(pids, pid);) {
      while (killed && has_threads("/proc/" + pid)) std::this_thread::yield();
    }
    return killed;
  }

 private:
  /// Not so a zombie that nobody has asked for.
  static bool has_threads(const std::string& process) {
    std::error_code gone;
    std::filesystem::directory_iterator tasks(process + "/task", gone);
    int threads = 0;
    for (; !gone && tasks != std::filesystem::directory_iterator(); tasks.increment(gone))
      ++threads;
    if (gone) return false;
    std::string stat;
    std::getline(std::ifstream(process + "/stat"), stat);
    const bool zombie = stat.find(") Z ") != std::string::npos;
    return !stat.empty() && !(zombie && threads <= 1);
  }
  [[nodiscard]] static std::string target(const std::string& driver, const std::string& part) {
    return "Driver=" + driver + ";" + part;
  }
  static void make_schema(const std::string& side) {
    odbc::Connection db(side);
    db.run("CREATE TABLE hot (id integer PRIMARY KEY, val bigint NOT NULL, ver bigint NOT NULL)");
    db.run(
        "CREATE TABLE audit (id bigserial PRIMARY KEY, hot_id integer, ver bigint, delta bigint)");
  }

  std::string name_;
  std::string real_driver_;
  std::string shadow_driver_;
  std::string production_;
  std::string shadow_;
};

}  // namespace understudy
