// Real engines for tests: a PostgreSQL or MariaDB server of one's own, temporary folders, ODBC's
// configuration.
//
// Nothing global is touched: servers listen on a random loopback port below a temporary folder and
// die with the test process; ODBC's ini files are found through the environment. Everything here
// throws std::runtime_error when it cannot do its work: an absent engine is a failed test. For the
// main thread of a test program.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <map>
#include <string>
#include <vector>

#include "tests/support/crash_cleaner.h"

namespace understudy {

/// A folder of one's own, removed with all it holds.
class TempDir {
 public:
  TempDir();
  /// `beginning` of its path, to which something is added.
  explicit TempDir(const std::string& beginning);
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Runs a program, found through PATH or by its path, and waits for it.
struct Finished {
  int exit_code = -1;  // 128 + signal when it was killed
  std::string output;  // standard output and error
};
Finished run_program(const std::vector<std::string>& arguments, const std::string& input = {});

/// The newest installed PostgreSQL, in a cluster of its own. User postgres, no password.
class PostgresServer {
 public:
  /// `settings` as on the server's command line, such as "max_prepared_transactions=10".
  explicit PostgresServer(std::vector<std::string> settings = {});
  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  /// One server for all tests of a program that need nothing special.
  static PostgresServer& shared();

  [[nodiscard]] int port() const { return port_; }
  /// A new empty database, as the part of a connection string that names it:
  /// "Server=..;Port=..;Uid=..;Database=..;".
  std::string new_database();
  /// The same for the database `postgres`, behind "Driver={driver};".
  [[nodiscard]] std::string connection_string(const std::string& driver) const;
  /// Runs SQL with psql and returns what it prints, unaligned. Throws when it fails.
  std::string psql(const std::string& database, const std::string& sql) const;

  void start();  // after stop or kill, on the same port
  void stop();   // connections are cut, everything is written
  void kill();   // as in a power failure of the process: SIGKILL

 private:
  void make_cluster();
  void spawn();
  void stop_with(int signal);
  bool wait_until_ready();
  [[nodiscard]] std::string part(const std::string& database) const;

  std::vector<std::string> settings_;
  TempDir folder_{server_folder(getpid())};
  std::string bin_;
  int port_ = 0;
  pid_t process_ = -1;
  bool killed_ = false;
  int databases_ = 0;
};

/// The installed MariaDB with a data directory of its own. User app, no password, with all rights
/// on the databases made here and none beyond, as an application has. Nothing is synced to disk.
class MariaDbServer {
 public:
  /// `settings` as on the server's command line, such as "--innodb-rollback-on-timeout=ON".
  explicit MariaDbServer(std::vector<std::string> settings = {});
  ~MariaDbServer();
  MariaDbServer(const MariaDbServer&) = delete;
  MariaDbServer& operator=(const MariaDbServer&) = delete;

  /// One server for all tests of a program that need nothing special.
  static MariaDbServer& shared();

  [[nodiscard]] int port() const { return port_; }
  /// A new empty database (utf8mb4), as the part of a connection string that names it:
  /// "Server=..;Port=..;Uid=..;Database=..;".
  std::string new_database();
  /// The name of the newest database, for `sql`.
  [[nodiscard]] std::string database() const { return "test" + std::to_string(databases_); }
  /// Runs SQL as the server's root and returns what it prints: tabs between columns, no headings.
  /// `database` may be empty. Throws when it fails.
  std::string sql(const std::string& database, const std::string& sql) const;

  void start();  // after stop or kill, on the same port
  void stop();   // connections are cut, everything is written
  void kill();   // as in a power failure of the process: SIGKILL

 private:
  void make_data();
  void spawn();
  void stop_with(int signal);
  bool wait_until_ready();
  [[nodiscard]] std::vector<std::string> client() const;

  std::vector<std::string> settings_;
  TempDir folder_{server_folder(getpid())};
  int port_ = 0;
  pid_t process_ = -1;
  int databases_ = 0;
};

/// ODBC's configuration for this process and its children: odbcinst.ini with the sections
/// "Understudy Unicode", "Understudy ANSI", "PostgreSQL Unicode", "PostgreSQL ANSI", "SQLite3" and
/// "MariaDB Unicode", all with absolute paths, and an odbc.ini to add data sources to.
/// UNDERSTUDY_HOME is a folder of its own as well; segments of data sources added here are removed
/// at the end.
class OdbcEnvironment {
 public:
  /// Made at the first call, which has to come before the first ODBC call of the process.
  static OdbcEnvironment& shared();

  using Keys = std::map<std::string, std::string>;
  /// libodbcinst remembers sections for some seconds: never the same name twice.
  void add_data_source(const std::string& name, const Keys& keys);
  void add_driver(const std::string& name, const Keys& keys);
  [[nodiscard]] const std::string& home() const { return home_.path(); }

  ~OdbcEnvironment();
  OdbcEnvironment(const OdbcEnvironment&) = delete;
  OdbcEnvironment& operator=(const OdbcEnvironment&) = delete;

 private:
  OdbcEnvironment();

  TempDir folder_;
  TempDir home_;
  std::vector<std::string> data_sources_;
};

}  // namespace understudy
