// The engines of the soak: two databases for each migration, the tables of hot_rows_app in the SQL
// of each, and the servers, where there are any to kill.
#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/engines.h"

namespace understudy {

enum class SoakSide { production, shadow };

/// For the main thread of a test program, as its servers are.
class SoakEngine {
 public:
  virtual ~SoakEngine() = default;

  /// `name`: postgresql, mariadb or sqlite. Throws std::runtime_error for another.
  static std::unique_ptr<SoakEngine> named(const std::string& name);

  /// Section of odbcinst.ini.
  [[nodiscard]] virtual std::string driver() const = 0;
  /// A new empty database, as the part of a connection string that names it.
  virtual std::string new_database(SoakSide side) = 0;
  /// Type of a key that the engine makes, with all that follows the column's name.
  [[nodiscard]] virtual std::string made_key() const = 0;
  /// Whether an UPDATE may have a RETURNING.
  [[nodiscard]] virtual bool has_returning() const { return true; }
  /// How many rows the programs fight over. After a COMMIT without an answer PostgreSQL tells what
  /// has become of it; elsewhere the rows do, unless they are soon written again.
  [[nodiscard]] virtual int rows() const { return 10'000; }
  /// What a new database needs before it takes part, if anything.
  [[nodiscard]] virtual std::string preparation() const { return {}; }
  /// False: the engine lives within the programs, and dies with them.
  [[nodiscard]] virtual bool has_servers() const { return true; }
  virtual void kill(SoakSide side) = 0;
  virtual void start(SoakSide side) = 0;
};

template <class Server>
class SoakServers : public SoakEngine {
 public:
  explicit SoakServers(const std::vector<std::string>& settings)
      : production_(settings), shadow_(settings) {}

  std::string new_database(SoakSide side) override { return of(side).new_database(); }
  void kill(SoakSide side) override { of(side).kill(); }
  void start(SoakSide side) override { of(side).start(); }

 private:
  Server& of(SoakSide side) { return side == SoakSide::production ? production_ : shadow_; }

  Server production_, shadow_;
};

class SoakPostgres : public SoakServers<PostgresServer> {
 public:
  SoakPostgres() : SoakServers({}) {}
  [[nodiscard]] std::string driver() const override { return "PostgreSQL Unicode"; }
  [[nodiscard]] std::string made_key() const override { return "bigserial PRIMARY KEY"; }
  [[nodiscard]] int rows() const override { return 10; }
};

/// What has committed is with the operating system, so that it outlives the server's death.
class SoakMariaDb : public SoakServers<MariaDbServer> {
 public:
  SoakMariaDb() : SoakServers({"--innodb-flush-log-at-trx-commit=2"}) {}
  [[nodiscard]] std::string driver() const override { return "MariaDB Unicode"; }
  [[nodiscard]] std::string made_key() const override {
    return "bigint AUTO_INCREMENT PRIMARY KEY";
  }
  [[nodiscard]] bool has_returning() const override { return false; }
};

class SoakSqlite : public SoakEngine {
 public:
  [[nodiscard]] std::string driver() const override { return "SQLite3"; }
  std::string new_database(SoakSide side) override {
    const std::string name = side == SoakSide::production ? "production" : "shadow";
    return "Database=" + folder_.path() + "/" + name + std::to_string(++databases_) + ".db;";
  }
  [[nodiscard]] std::string made_key() const override {
    return "integer PRIMARY KEY AUTOINCREMENT";
  }
  [[nodiscard]] std::string preparation() const override { return "PRAGMA journal_mode = WAL"; }
  [[nodiscard]] bool has_servers() const override { return false; }
  void kill(SoakSide) override {}
  void start(SoakSide) override {}

 private:
  TempDir folder_;
  int databases_ = 0;
};

inline std::unique_ptr<SoakEngine> SoakEngine::named(const std::string& name) {
  if (name == "postgresql") return std::make_unique<SoakPostgres>();
  if (name == "mariadb") return std::make_unique<SoakMariaDb>();
  if (name == "sqlite") return std::make_unique<SoakSqlite>();
  throw std::runtime_error("UNDERSTUDY_SOAK_ENGINE is postgresql, mariadb or sqlite, not " + name);
}

}  // namespace understudy
