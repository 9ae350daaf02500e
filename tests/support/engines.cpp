#include "tests/support/engines.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "journal/segment_map.h"
#include "tests/support/crash_cleaner.h"

namespace understudy {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr auto kStartMax = std::chrono::seconds(60);
constexpr int kPortAttempts = 10;
constexpr milliseconds kReadyPoll{20};  // between questions whether a server answers

// PostgreSQL's programs refuse to run as root.
const passwd* server_account() {
  if (geteuid() != 0) return nullptr;
  const passwd* account = getpwnam("postgres");
  if (account == nullptr) throw std::runtime_error("there is no user postgres to run a server as");
  return account;
}

// In a child between fork and exec.
void become(const passwd* account) {
  if (account == nullptr) return;
  const bool changed = initgroups(account->pw_name, account->pw_gid) == 0 &&
                       setgid(account->pw_gid) == 0 && setuid(account->pw_uid) == 0;
  if (!changed || chdir("/") != 0) _exit(126);
}

void execute(const std::vector<std::string>& arguments) {
  std::vector<char*> list;
  for (const auto& argument : arguments) list.push_back(const_cast<char*>(argument.c_str()));
  list.push_back(nullptr);
  execvp(list[0], list.data());
  _exit(127);
}

int exit_code(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Finished run_as(const passwd* account, const std::vector<std::string>& arguments,
                const std::string& input) {
  char name[] = "/tmp/understudy-input-XXXXXX";
  const int in = mkstemp(name);
  int pipes[2];
  if (in < 0 || pipe2(pipes, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  unlink(name);
  const bool written = write(in, input.data(), input.size()) == static_cast<ssize_t>(input.size());
  if (!written || lseek(in, 0, SEEK_SET) != 0) throw std::runtime_error("no input");
  const pid_t child = fork();
  if (child == 0) {
    become(account);
    dup2(in, 0);
    dup2(pipes[1], 1);
    dup2(pipes[1], 2);
    execute(arguments);
  }
  close(in);
  close(pipes[1]);
  Finished result;
  char buffer[4096];
  for (ssize_t got = 0; (got = read(pipes[0], buffer, sizeof(buffer))) > 0;) {
    result.output.append(buffer, static_cast<std::size_t>(got));
  }
  close(pipes[0]);
  int status = 0;
  waitpid(child, &status, 0);
  result.exit_code = exit_code(status);
  return result;
}

int free_port() {
  const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const bool bound =
      probe >= 0 && bind(probe, generic, length) == 0 && getsockname(probe, generic, &length) == 0;
  if (probe >= 0) close(probe);
  if (!bound) throw std::runtime_error("no free port on loopback");
  return ntohs(address.sin_port);
}

std::string newest_postgres() {
  std::vector<std::string> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", ignored)) {
    if (fs::exists(entry.path() / "bin/initdb")) found.push_back(entry.path() / "bin");
  }
  if (found.empty()) throw std::runtime_error("PostgreSQL's server is not installed");
  return *std::max_element(found.begin(), found.end());
}

void append(const std::string& file, const std::string& section,
            const OdbcEnvironment::Keys& keys) {
  std::ofstream out(file, std::ios::app);
  out << "[" << section << "]\n";
  for (const auto& [key, value] : keys) out << key << "=" << value << "\n";
  out << "\n";
  if (!out) throw std::runtime_error("cannot write " + file);
}

}  // namespace

TempDir::TempDir() : TempDir((fs::temp_directory_path() / "understudy-test").string()) {}

TempDir::TempDir(const std::string& beginning) {
  std::string pattern = beginning + "-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

Finished run_program(const std::vector<std::string>& arguments, const std::string& input) {
  return run_as(nullptr, arguments, input);
}

// ---- PostgreSQL ----

PostgresServer::PostgresServer(std::vector<std::string> settings)
    : settings_(std::move(settings)), bin_(newest_postgres()) {
  make_cluster();
  start();
}

// A killed server leaves a segment of System V shared memory, which only its next start finds.
PostgresServer::~PostgresServer() {
  try {
    if (killed_) start();
    stop_with(SIGQUIT);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "a PostgreSQL server did not stop cleanly: %s\n", error.what());
  }
}

PostgresServer& PostgresServer::shared() {
  static PostgresServer server;
  return server;
}

void PostgresServer::make_cluster() {
  const passwd* account = server_account();
  if (account != nullptr && chown(folder_.path().c_str(), account->pw_uid, account->pw_gid) != 0) {
    throw std::runtime_error("cannot give a folder to the user postgres");
  }
  const Finished made =
      run_as(account,
             {bin_ + "/initdb", "-D", folder_.path() + "/cluster", "-U", "postgres", "-A", "trust",
              "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"},
             "");
  if (made.exit_code != 0) throw std::runtime_error("initdb failed: " + made.output);
}

// A child of ours that is told to stop when this process dies, however it dies.
void PostgresServer::spawn() {
  const passwd* account = server_account();
  std::vector<std::string> arguments{bin_ + "/postgres", "-D", folder_.path() + "/cluster", "-p",
                                     std::to_string(port_)};
  std::vector<std::string> settings{"listen_addresses=127.0.0.1",
                                    "unix_socket_directories=", "fsync=off",
                                    "dynamic_shared_memory_type=mmap"};
  settings.insert(settings.end(), settings_.begin(), settings_.end());
  for (const auto& setting : settings) arguments.insert(arguments.end(), {"-c", setting});
  const std::string log = folder_.path() + "/server.log";
  process_ = fork();
  if (process_ != 0) return;
  become(account);
  prctl(PR_SET_PDEATHSIG, SIGQUIT);
  const int file = open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
  dup2(file, 1);
  dup2(file, 2);
  execute(arguments);
}

bool PostgresServer::wait_until_ready() {
  const auto deadline = steady_clock::now() + kStartMax;
  while (steady_clock::now() < deadline) {
    if (waitpid(process_, nullptr, WNOHANG) == process_) break;
    const Finished asked =
        run_program({bin_ + "/pg_isready", "-q", "-h", "127.0.0.1", "-p", std::to_string(port_)});
    if (asked.exit_code == 0) return true;
    poll(nullptr, 0, static_cast<int>(kReadyPoll.count()));
  }
  process_ = -1;
  return false;
}

// Another port when somebody has taken the first; after `kill` the old processes may take a moment
// to let go of the cluster.
void PostgresServer::start() {
  const bool again = port_ != 0;
  for (int attempt = 0; attempt < kPortAttempts; ++attempt) {
    if (!again) port_ = free_port();
    spawn();
    killed_ = false;
    if (wait_until_ready()) return;
  }
  throw std::runtime_error("PostgreSQL does not start; see server.log in its folder");
}

void PostgresServer::stop_with(int signal) {
  if (process_ <= 0) return;
  ::kill(process_, signal);
  waitpid(process_, nullptr, 0);
  process_ = -1;
}

void PostgresServer::stop() {
  stop_with(SIGINT);
}

void PostgresServer::kill() {
  killed_ = process_ > 0;
  stop_with(SIGKILL);
}

std::string PostgresServer::part(const std::string& database) const {
  return "Server=127.0.0.1;Port=" + std::to_string(port_) + ";Uid=postgres;Database=" + database +
         ";";
}

std::string PostgresServer::connection_string(const std::string& driver) const {
  return "Driver={" + driver + "};" + part("postgres");
}

std::string PostgresServer::new_database() {
  const std::string name = "test" + std::to_string(++databases_);
  psql("postgres", "CREATE DATABASE " + name);
  return part(name);
}

std::string PostgresServer::psql(const std::string& database, const std::string& sql) const {
  const Finished done =
      run_program({bin_ + "/psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p",
                   std::to_string(port_), "-U", "postgres", database},
                  sql);
  if (done.exit_code != 0) throw std::runtime_error("psql failed: " + done.output);
  return done.output;
}

// ---- MariaDB ----

MariaDbServer::MariaDbServer(std::vector<std::string> settings) : settings_(std::move(settings)) {
  make_data();
  start();
  sql("", "CREATE USER app@'%'; GRANT ALL ON `test%`.* TO app@'%'");
}

MariaDbServer::~MariaDbServer() {
  stop_with(SIGKILL);
}

MariaDbServer& MariaDbServer::shared() {
  static MariaDbServer server;
  return server;
}

// A server that starts removes the temporary files of all others in the same folder.
void MariaDbServer::make_data() {
  std::filesystem::create_directories(folder_.path() + "/tmp");
  const Finished made =
      run_program({"mariadb-install-db", "--no-defaults", "--datadir=" + folder_.path() + "/data",
                   "--tmpdir=" + folder_.path() + "/tmp",
                   "--auth-root-authentication-method=normal", "--skip-test-db"});
  if (made.exit_code != 0) throw std::runtime_error("mariadb-install-db failed: " + made.output);
}

// The server runs as root only when told so by name. It must not change to another account after
// its start: the kernel then forgets the signal that a dying parent is to cause.
void MariaDbServer::spawn() {
  const std::string socket = folder_.path() + "/socket";
  std::vector<std::string> arguments{"mariadbd",
                                     "--no-defaults",
                                     "--datadir=" + folder_.path() + "/data",
                                     "--tmpdir=" + folder_.path() + "/tmp",
                                     "--socket=" + socket,
                                     "--pid-file=" + folder_.path() + "/pid",
                                     "--port=" + std::to_string(port_),
                                     "--bind-address=127.0.0.1",
                                     "--skip-name-resolve",
                                     "--max-connections=300",
                                     "--innodb-buffer-pool-size=32M",
                                     "--innodb-log-file-size=32M",
                                     "--innodb-flush-log-at-trx-commit=0",
                                     "--innodb-flush-method=nosync",
                                     "--key-buffer-size=1M",
                                     "--aria-pagecache-buffer-size=4M",
                                     "--character-set-server=utf8mb4"};
  if (geteuid() == 0) arguments.emplace_back("--user=root");
  arguments.insert(arguments.end(), settings_.begin(), settings_.end());
  const std::string log = folder_.path() + "/server.log";
  process_ = fork();
  if (process_ != 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int file = open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
  dup2(file, 1);
  dup2(file, 2);
  execute(arguments);
}

std::vector<std::string> MariaDbServer::client() const {
  return {"mariadb", "--no-defaults", "--socket=" + folder_.path() + "/socket", "--user=root",
          "--default-character-set=utf8mb4"};
}

bool MariaDbServer::wait_until_ready() {
  const auto deadline = steady_clock::now() + kStartMax;
  auto ask = client();
  ask.emplace_back("--execute=SELECT 1");
  while (steady_clock::now() < deadline) {
    if (waitpid(process_, nullptr, WNOHANG) == process_) break;
    if (run_program(ask).exit_code == 0) return true;
    poll(nullptr, 0, static_cast<int>(kReadyPoll.count()));
  }
  process_ = -1;
  return false;
}

// Another port when somebody has taken the first.
void MariaDbServer::start() {
  const bool again = port_ != 0;
  for (int attempt = 0; attempt < kPortAttempts; ++attempt) {
    if (!again) port_ = free_port();
    spawn();
    if (wait_until_ready()) return;
  }
  throw std::runtime_error("MariaDB does not start; see server.log in its folder");
}

void MariaDbServer::stop_with(int signal) {
  if (process_ <= 0) return;
  ::kill(process_, signal);
  waitpid(process_, nullptr, 0);
  process_ = -1;
}

void MariaDbServer::stop() {
  stop_with(SIGTERM);
}

void MariaDbServer::kill() {
  stop_with(SIGKILL);
}

std::string MariaDbServer::new_database() {
  const std::string name = "test" + std::to_string(++databases_);
  sql("", "CREATE DATABASE " + name + " CHARACTER SET utf8mb4");
  return "Server=127.0.0.1;Port=" + std::to_string(port_) + ";Uid=app;Database=" + name + ";";
}

std::string MariaDbServer::sql(const std::string& database, const std::string& sql) const {
  auto arguments = client();
  arguments.insert(arguments.end(), {"--batch", "--raw", "--skip-column-names", "--unbuffered"});
  if (!database.empty()) arguments.push_back(database);
  const Finished done = run_program(arguments, sql);
  if (done.exit_code != 0) throw std::runtime_error("mariadb failed: " + done.output);
  return done.output;
}

// ---- ODBC ----

OdbcEnvironment& OdbcEnvironment::shared() {
  static OdbcEnvironment environment;
  return environment;
}

OdbcEnvironment::OdbcEnvironment() {
  static const CrashCleaner cleaner(home_.path(), folder_.path());
  setenv("ODBCSYSINI", folder_.path().c_str(), 1);
  setenv("ODBCINSTINI", "odbcinst.ini", 1);
  setenv("ODBCINI", (folder_.path() + "/odbc.ini").c_str(), 1);
  setenv("UNDERSTUDY_HOME", home_.path().c_str(), 1);
  std::ofstream(folder_.path() + "/odbc.ini").flush();
  add_driver("Understudy Unicode", {{"Driver", UNDERSTUDYW_PATH}});
  add_driver("Understudy ANSI", {{"Driver", UNDERSTUDYA_PATH}});
  add_driver("PostgreSQL Unicode", {{"Driver", PSQLODBCW_PATH}});
  add_driver("PostgreSQL ANSI", {{"Driver", PSQLODBCA_PATH}});
  add_driver("SQLite3", {{"Driver", SQLITE3ODBC_PATH}});
  add_driver("MariaDB Unicode", {{"Driver", MAODBC_PATH}});
}

OdbcEnvironment::~OdbcEnvironment() {
  for (const auto& name : data_sources_) (void)SegmentMap::remove(home_.path(), name);
}

void OdbcEnvironment::add_data_source(const std::string& name, const Keys& keys) {
  append(folder_.path() + "/odbc.ini", name, keys);
  data_sources_.push_back(name);
}

void OdbcEnvironment::add_driver(const std::string& name, const Keys& keys) {
  append(folder_.path() + "/odbcinst.ini", name, keys);
}

}  // namespace understudy
