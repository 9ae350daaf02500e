// Migrations of random programs on random schemas: everything must be equal in the end.
//
//   fidelity_tests [--gtest_filter=*postgresql*]
//
// UNDERSTUDY_SEED: the seed of the schema and of the programs (random when not set; printed).
// UNDERSTUDY_FIDELITY_SECONDS: how long the programs write in each run (default 10).
// UNDERSTUDY_FIDELITY_FOLDER: where the journal of a failed run is written as text, row values and
// all.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "replayer/dialect/sql_text.h"
#include "replayer/verify/verify.h"
#include "tests/engine/databases.h"
#include "tests/engine/fidelity/schema.h"
#include "tests/support/live_migration.h"

namespace understudy {
namespace {

constexpr int kProcesses = 4;
constexpr int kThreads = 4;
constexpr double kSecondsDefault = 10;

struct Run {
  const char* engine;
  const char* isolation;  // of SQL_ATTR_TXN_ISOLATION; "0": as the driver has it
  const char* name;
  enum class Manner {
    usual,
    generic,  // the dialect that knows nothing of the engine is forced
    across,   // the shadow is a PostgreSQL database
  } manner = Manner::usual;
  [[nodiscard]] bool generic() const { return manner == Manner::generic; }
  [[nodiscard]] bool across() const { return manner == Manner::across; }
  [[nodiscard]] bool plain() const { return manner != Manner::usual; }
};

constexpr Run kRuns[] = {
    {"postgresql", "2", "ReadCommitted"},
    {"postgresql", "4", "RepeatableRead"},
    {"postgresql", "8", "Serializable"},
    {"sqlite", "0", "Default"},
    {"mariadb", "1", "ReadUncommitted"},
    {"mariadb", "2", "ReadCommitted"},
    {"mariadb", "4", "RepeatableRead"},
    {"mariadb", "8", "Serializable"},
    {"postgresql", "2", "Generic", Run::Manner::generic},
    {"sqlite", "0", "Generic", Run::Manner::generic},
    {"mariadb", "4", "ToPostgresql", Run::Manner::across},
    {"sqlite", "0", "ToPostgresql", Run::Manner::across},
};

// Deadlocks are part of it, and nobody waits a second for each.
constexpr const char* kDeadlocksAtOnce =
    "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = %L',"
    " current_database(), '50ms'); END $$";

std::uint64_t fidelity_seed() {
  const char* set = std::getenv("UNDERSTUDY_SEED");
  return set != nullptr ? std::strtoull(set, nullptr, 10) : std::random_device{}();
}

double seconds() {
  const char* set = std::getenv("UNDERSTUDY_FIDELITY_SECONDS");
  return set != nullptr ? std::strtod(set, nullptr) : kSecondsDefault;
}

class Fidelity : public testing::TestWithParam<Run> {
 protected:
  Fidelity()
      : seed_(fidelity_seed()),
        schema_(fidelity::make_schema(fidelity::engine_of(GetParam().engine), seed_,
                                      GetParam().plain())),
        migration_("Understudy Unicode", driver(engine()), side(engine(), "p"),
                   side(shadow_engine(), "s"), driver(shadow_engine())) {
    std::printf("UNDERSTUDY_SEED=%llu\n", static_cast<unsigned long long>(seed_));
    make_tables(migration_.production(), engine(), schema_);
    make_tables(migration_.shadow(), shadow_engine(),
                GetParam().across() ? fidelity::on_postgresql(schema_) : schema_);
    fill();
  }

  static bool is(std::string_view engine) { return GetParam().engine == engine; }
  static std::string engine() { return GetParam().engine; }
  static std::string shadow_engine() { return GetParam().across() ? "postgresql" : engine(); }
  static std::string driver(const std::string& engine) {
    return engine == "sqlite"    ? "SQLite3"
           : engine == "mariadb" ? "MariaDB Unicode"
                                 : "PostgreSQL Unicode";
  }
  std::string side(const std::string& engine, const std::string& name) {
    // Two readers that both want to write wait for each other until this time (ms) is over.
    if (engine == "sqlite") return "Database=" + folder_.path() + "/" + name + ".db;Timeout=300;";
    return engine == "mariadb" ? MariaDbServer::shared().new_database()
                               : PostgresServer::shared().new_database();
  }
  static void make_tables(const std::string& where, const std::string& engine,
                          const fidelity::Schema& schema) {
    odbc::Connection db(where);
    if (engine == "sqlite") db.run("PRAGMA journal_mode = WAL");
    if (engine == "postgresql") db.run(kDeadlocksAtOnce);
    for (const std::string& one : schema.ddl()) db.run(one);
  }

  void fill() {
    odbc::Connection db(migration_.production());
    fidelity::Random random(seed_);
    for (const fidelity::Sql& one : fidelity::first_rows(schema_, random)) {
      try {
        db.run(one.text);
      } catch (const odbc::Error&) {
        // A key that is there already, or a parent that is not.
      }
    }
  }

  void begin_programs() {
    for (int i = 1; i <= kProcesses; ++i) {
      programs_.push_back(std::make_unique<Background>(std::vector<std::string>{
          FIDELITY_APP_PATH, migration_.application(), "--engine", GetParam().engine, "--schema",
          std::to_string(seed_), "--seed", std::to_string(seed_ + static_cast<unsigned>(i)),
          "--threads", std::to_string(kThreads), "--isolation", GetParam().isolation, "--plain",
          GetParam().plain() ? "1" : "0"}));
    }
  }
  void end_programs() {
    for (const auto& one : programs_) one->kill(SIGTERM);
    for (const auto& one : programs_) EXPECT_EQ(one->wait(), 0);
    programs_.clear();
  }

  /// The difference that verify found, and what the journal says of the tables.
  void expect_equal() {
    const Finished verify = LiveMigration::tool({"verify", migration_.name()});
    EXPECT_EQ(verify.exit_code, 0) << verify.output;
    const auto status = migration_.status();
    EXPECT_EQ(status["rows_different"], 0) << status.dump(1);
    EXPECT_EQ(status["divergences"], 0) << status.dump(1);
    EXPECT_EQ(status["uncaptured_writes"], 0) << status.dump(1);
    if (GetParam().generic()) compare_as_they_are();
    const Finished journal = LiveMigration::tool({"journal", "stat", migration_.journal()});
    std::printf("%s", journal.output.c_str());
    if (HasFailure()) tell_more();
  }
  /// By what is known of the engine.
  void compare_as_they_are() {
    const VerifyResult result = compared();
    EXPECT_EQ(result.tables.size(), schema_.tables.size());
    EXPECT_EQ(result.rows_different, 0u);
    EXPECT_GT(result.rows_compared, 0u);
  }
  VerifyResult compared() {
    odbc::Connection production(migration_.production());
    odbc::Connection shadow(migration_.shadow());
    const SqlDialect& here = dialect_for(production);
    const SqlDialect& there = dialect_for(shadow);
    const Catalog tables = here.read_catalog(production);
    const Catalog others = there.read_catalog(shadow);
    std::vector<std::string> problems;
    const auto pairs = pair_tables(tables, others, Mapped{}, &problems);
    const std::atomic<bool> stop = false;
    here.prepare_session(production);
    there.prepare_session(shadow);
    return compare_tables(production, shadow, here, there, pairs, {}, stop);
  }
  using Rows = std::multiset<std::string>;
  Rows all_rows(odbc::Connection& db, const std::string& table) const {
    const char* mark = is("mariadb") ? "`" : "\"";
    const std::string name = table.substr(table.rfind('.') + 1);
    Rows out;
    for (const Row& row : read_rows(db, "SELECT * FROM " + (mark + name) + mark)) {
      std::string text;
      for (const auto& part : row) text += (text.empty() ? "" : " | ") + part.value_or("NULL");
      out.insert(text);
    }
    return out;
  }
  /// Of a table without a key, which has no name for a row.
  void tell_rows_of_one_side(const std::string& table) const {
    odbc::Connection production(migration_.production());
    odbc::Connection shadow(migration_.shadow());
    const Rows here = all_rows(production, table);
    const Rows there = all_rows(shadow, table);
    const auto tell = [&](const char* side, const Rows& rows, const Rows& others) {
      std::vector<std::string> only;
      std::set_difference(rows.begin(), rows.end(), others.begin(), others.end(),
                          std::back_inserter(only));
      for (const auto& one : only) {
        std::printf("only %s has in %s: %s\n", side, table.c_str(), one.c_str());
      }
    };
    tell("production", here, there);
    tell("the shadow", there, here);
  }
  /// The first row that differs, and the records of the journal that name its table and its key.
  void tell_first_difference(const std::string& journal) {
    const VerifyResult result = compared();
    for (const auto& one : result.tables) {
      const bool differs = one.missing + one.extra + one.different > 0;
      if (differs && one.first_keys.empty()) tell_rows_of_one_side(one.table);
    }
    const auto found = std::find_if(result.tables.begin(), result.tables.end(),
                                    [](const auto& one) { return !one.first_keys.empty(); });
    if (found == result.tables.end()) return;
    const Row& key = found->first_keys.front();
    std::string name;
    for (const auto& part : key) name += (name.empty() ? "" : ", ") + part.value_or("NULL");
    std::printf("the first row that differs is (%s) of %s; in the journal:\n", name.c_str(),
                found->table.c_str());
    std::istringstream lines(journal);
    for (std::string line; std::getline(lines, line);) {
      if (line.find(found->table) != std::string::npos && line.find(name) != std::string::npos) {
        std::printf("  %s\n", line.c_str());
      }
    }
  }
  void tell_more() {
    std::printf("repeat with UNDERSTUDY_SEED=%llu\n%s\n", static_cast<unsigned long long>(seed_),
                schema_text().c_str());
    const std::string journal =
        LiveMigration::tool({"journal", "dump", migration_.journal(), "--show-values"}).output;
    tell_first_difference(journal);
    const char* folder = std::getenv("UNDERSTUDY_FIDELITY_FOLDER");
    if (folder == nullptr) return;
    const std::string path = std::string(folder) + "/" + migration_.name() + ".journal";
    std::ofstream(path) << journal;
    std::printf("the journal, with values: %s\n", path.c_str());
  }
  std::string schema_text() {
    std::string out;
    for (const std::string& one : schema_.ddl()) out += one + ";\n";
    return out;
  }

  const std::uint64_t seed_;
  const fidelity::Schema schema_;
  TempDir folder_;
  LiveMigration migration_;
  std::vector<std::unique_ptr<Background>> programs_;
};

INSTANTIATE_TEST_SUITE_P(Runs, Fidelity, testing::ValuesIn(kRuns), [](const auto& one) {
  return std::string(one.param.engine) + one.param.name;
});

TEST_P(Fidelity, TheShadowOfARandomProgramIsEqual) {
  begin_programs();
  migration_.expect_tool({"create", "--production", migration_.production(), "--shadow",
                          migration_.shadow(), "--dialect",
                          GetParam().generic() ? "generic" : "own"});
  migration_.expect_tool({"start"});
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds()));  // the programs write
  end_programs();
  expect_equal();
}

}  // namespace
}  // namespace understudy

int main(int argc, char** argv) {
  (void)understudy::OdbcEnvironment::shared();
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
