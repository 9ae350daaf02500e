// Programs that others wrote, on the bare real driver and through ours while a migration records:
// they print the same, and the shadow then holds what production holds.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cctype>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "journal/segment_map.h"
#include "replayer/odbc/odbc.h"
#include "tests/support/engines.h"

namespace understudy {
namespace {

constexpr const char* kClientSecondsMax = "120";

enum class Engine { postgresql, postgresql_ansi, sqlite, mariadb };

struct Case {
  const char* program;  // the client's interpreter, or nullptr for a script that starts itself
  const char* script;
  Engine engine;
};

const char* script_argument(Engine engine) {
  if (engine == Engine::sqlite) return "sqlite";
  return engine == Engine::mariadb ? "mariadb" : "postgresql";
}

std::string real_driver(Engine engine) {
  switch (engine) {
    case Engine::postgresql:
      return "PostgreSQL Unicode";
    case Engine::postgresql_ansi:
      return "PostgreSQL ANSI";
    case Engine::sqlite:
      return "SQLite3";
    case Engine::mariadb:
      return "MariaDB Unicode";
  }
  return {};
}

/// Our driver with the same kind of text as the real one.
std::string our_driver(Engine engine) {
  const bool ansi = engine == Engine::sqlite || engine == Engine::postgresql_ansi;
  return ansi ? "Understudy ANSI" : "Understudy Unicode";
}

/// "Key=value;" pairs as keys of a data source; psqlodbc has other names for two of them there.
OdbcEnvironment::Keys keys_of(Engine engine, const std::string& part) {
  const bool postgresql = engine == Engine::postgresql || engine == Engine::postgresql_ansi;
  OdbcEnvironment::Keys keys;
  std::istringstream pairs(part);
  for (std::string pair; std::getline(pairs, pair, ';');) {
    std::string key = pair.substr(0, pair.find('='));
    if (postgresql && key == "Server") key = "Servername";
    if (postgresql && key == "Uid") key = "Username";
    keys[key] = pair.substr(pair.find('=') + 1);
  }
  return keys;
}

class Clients : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    static int count = 0;
    name_ = "client-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
    const Engine engine = GetParam().engine;
    const std::string bare = new_database("bare");
    production_ = new_database("production");
    shadow_ = new_database("shadow");
    for (const std::string& part : {bare, production_, shadow_}) make_schema(part);
    OdbcEnvironment::Keys keys = keys_of(engine, bare);
    keys["Driver"] = real_driver(engine);
    OdbcEnvironment::shared().add_data_source(name_ + "-bare", keys);
    keys = keys_of(engine, production_);
    keys["Driver"] = our_driver(engine);
    keys["RealDriver"] = real_driver(engine);
    OdbcEnvironment::shared().add_data_source(name_, keys);
  }
  void TearDown() override {
    tool({"cancel", name_});
    EXPECT_TRUE(SegmentMap::remove(OdbcEnvironment::shared().home(), name_).ok());
  }

  std::string new_database(const std::string& side) {
    switch (GetParam().engine) {
      case Engine::sqlite:
        return "Database=" + folder_.path() + "/" + side + ".db;";
      case Engine::mariadb:
        return MariaDbServer::shared().new_database();
      default:
        return PostgresServer::shared().new_database();
    }
  }
  [[nodiscard]] std::string target(const std::string& part) const {
    return "Driver=" + real_driver(GetParam().engine) + ";" + part;
  }
  void make_schema(const std::string& part) {
    const std::string engine = script_argument(GetParam().engine);
    odbc::Connection db(target(part));
    if (GetParam().engine == Engine::sqlite) db.scalar("PRAGMA journal_mode=WAL");
    std::ifstream file(std::string(CLIENTS_FOLDER) + "/schema_" + engine + ".sql");
    int statements = 0;
    for (std::string line; std::getline(file, line); ++statements) db.run(line);
    ASSERT_GT(statements, 0);
  }

  static Finished tool(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), UNDERSTUDY_PATH);
    return run_program(arguments);
  }
  static void expect_tool(const std::vector<std::string>& arguments) {
    const Finished done = tool(arguments);
    EXPECT_EQ(done.exit_code, 0) << arguments[0] << ": " << done.output;
  }
  void create_and_start() {
    expect_tool(
        {"create", name_, "--production", target(production_), "--shadow", target(shadow_)});
    expect_tool({"start", name_});
  }
  static Finished run_client(const std::string& data_source) {
    std::vector<std::string> line = {"timeout", kClientSecondsMax};
    if (GetParam().program != nullptr) line.emplace_back(GetParam().program);
    line.push_back(std::string(CLIENTS_FOLDER) + "/" + GetParam().script);
    line.push_back(data_source);
    line.emplace_back(script_argument(GetParam().engine));
    return run_program(line);
  }
  void expect_recorded_exactly() {
    expect_tool({"verify", name_});
    const Finished done = tool({"status", name_, "--json"});
    ASSERT_EQ(done.exit_code, 0) << done.output;
    const auto status = nlohmann::json::parse(done.output);
    for (const char* figure : {"rows_different", "divergences", "in_doubt", "uncaptured_writes"}) {
      EXPECT_EQ(status[figure], 0) << figure << status["divergence_report"];
    }
    EXPECT_GT(status["sealed"], 0);
    EXPECT_GT(status["rows_compared"], 0);
    std::printf("%s: %s transactions, %s opaque, %s uncaptured\n", GetParam().script,
                status["sealed"].dump().c_str(), status["opaque"].dump().c_str(),
                status["uncaptured_writes"].dump().c_str());
  }

  TempDir folder_;
  std::string name_;
  std::string production_;
  std::string shadow_;
};

TEST_P(Clients, PrintTheSameAsOnTheBareDriverAndLeaveTheShadowEqual) {
  create_and_start();
  if (HasFailure()) return;
  const Finished bare = run_client(name_ + "-bare");
  ASSERT_EQ(bare.exit_code, 0) << bare.output;
  const Finished through = run_client(name_);
  EXPECT_EQ(through.exit_code, 0);
  EXPECT_EQ(bare.output, through.output);
  expect_recorded_exactly();
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const Engine engine : {Engine::postgresql, Engine::sqlite, Engine::mariadb}) {
    cases.insert(cases.end(), {{nullptr, "isql_client.sh", engine},
                               {"/usr/bin/python3", "pyodbc_client.py", engine},
                               {"php", "php_odbc_client.php", engine},
                               {"php", "php_pdo_client.php", engine},
                               {"perl", "perl_dbi_client.pl", engine},
                               {"tclsh8.6", "tdbc_client.tcl", engine},
                               {"escript", "erlang_client.escript", engine}});
  }
  // psqlodbc's ANSI driver refuses pyodbc's parameters, with us or without.
  cases.insert(cases.end(), {{nullptr, "isql_client.sh", Engine::postgresql_ansi},
                             {"perl", "perl_dbi_client.pl", Engine::postgresql_ansi},
                             {"tclsh8.6", "tdbc_client.tcl", Engine::postgresql_ansi}});
  return cases;
}

std::string name_of(const ::testing::TestParamInfo<Case>& info) {
  std::string name = info.param.script;
  name = name.substr(0, name.find('.')) + "_on_" + real_driver(info.param.engine);
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(Debian, Clients, ::testing::ValuesIn(all_cases()), name_of);

}  // namespace
}  // namespace understudy

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  setenv("LC_ALL", "C.UTF-8", 1);
  understudy::OdbcEnvironment::shared();  // libodbc reads its configuration at the first connect
  return RUN_ALL_TESTS();
}
