#include "tests/engine/parity/world.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

#include "journal/mode.h"
#include "replayer/odbc/odbc.h"
#include "tests/engine/parity/text.h"

namespace understudy::parity {
namespace {

Finished tool(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), UNDERSTUDY_PATH);
  return run_program(arguments);
}

void must_succeed(const std::vector<std::string>& arguments) {
  const Finished done = tool(arguments);
  if (done.exit_code != 0) throw std::runtime_error(arguments[0] + ": " + done.output);
}

// A shadow begins empty.
bool is_rows(const std::string& sql) {
  return sql.rfind("INSERT", 0) == 0;
}

int next_number() {
  static int count = 9;  // two digits always: names of equal length
  return ++count;
}

}  // namespace

std::string World::table_of(const Case& one) {
  std::string table = std::string("t_") + one.name;
  std::transform(table.begin(), table.end(), table.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
  });
  return table;
}

World::World(const Target& target, const Cases& cases) : target_(target), number_(next_number()) {
  for (const Case& one : cases) {
    if ((one.engines & target.engine) == 0) continue;
    for (const char* sql : one.schema) {
      schema_.push_back(Program::expand(sql, target.engine, table_of(one)));
    }
  }
  make_databases();
}

World::~World() {
  end_migration();
}

void World::end_migration() {
  if (!recording_) return;
  recording_ = false;
  (void)tool({"cancel", name("live")});
}

void World::renew() {
  end_migration();
  number_ = next_number();
  make_databases();
}

void World::make_databases() {
  if (target_.engine == kPostgres) make_postgres_databases();
  for (const char* way : {"bare", "idle", "live", "shad"}) {
    if (target_.engine == kSqlite) make_sqlite_database(way);
    if (target_.engine == kMaria) make_mariadb_database(way);
  }
  for (const char* way : {"bare", "idle", "live"}) add_data_source(way);
}

std::string World::name(const char* way) const {
  return "parity-" + std::to_string(number_) + "-" + way;
}

std::string World::database(const char* way) const {
  if (target_.engine == kSqlite) {
    return folder_.path() + "/" + std::to_string(number_) + way + ".db";
  }
  return "test_parity_" + std::to_string(number_) + "_" + way;
}

std::string World::connection(const char* way) const {
  const std::string driver = std::string("Driver={") + target_.real_driver + "};";
  if (target_.engine == kSqlite) return driver + "Database=" + database(way) + ";";
  if (target_.engine == kMaria) {
    return driver + "Server=127.0.0.1;Port=" + std::to_string(MariaDbServer::shared().port()) +
           ";Uid=app;Database=" + database(way) + ";";
  }
  return driver + "Server=127.0.0.1;Port=" + std::to_string(PostgresServer::shared().port()) +
         ";Uid=postgres;Database=" + database(way) + ";";
}

Way World::way(const char* which) const {
  return {name(which), database(which), target_.engine};
}

std::string World::script(bool with_rows) const {
  std::string all;
  for (const std::string& sql : schema_) {
    if (with_rows || !is_rows(sql)) all += sql + ";\n";
  }
  return all;
}

// Copies of one database, so that catalog functions give the same object numbers.
void World::make_postgres_databases() {
  PostgresServer& server = PostgresServer::shared();
  server.psql("postgres", "CREATE DATABASE " + database("bare"));
  server.psql(database("bare"), script(true));
  server.psql("postgres", "CREATE DATABASE " + database("shad"));
  server.psql(database("shad"), script(false));
  for (const char* way : {"idle", "live"}) {
    server.psql("postgres", "CREATE DATABASE " + database(way) + " TEMPLATE " + database("bare") +
                                " STRATEGY FILE_COPY");
  }
}

void World::make_mariadb_database(const char* way) {
  MariaDbServer& server = MariaDbServer::shared();
  server.sql("", "CREATE DATABASE " + database(way) + " CHARACTER SET utf8mb4");
  server.sql(database(way), script(std::string(way) != "shad"));
}

void World::make_sqlite_database(const char* way) {
  odbc::Connection db(connection(way));
  db.scalar("PRAGMA journal_mode=WAL");
  db.set_autocommit(false);
  for (const std::string& sql : schema_) {
    if (is_rows(sql) && std::string(way) == "shad") continue;
    db.run(sql);
  }
  db.commit();
}

void World::add_data_source(const char* way) {
  OdbcEnvironment::Keys keys;
  if (target_.engine == kSqlite) {
    keys = {{"Database", database(way)}, {"Timeout", "2000"}};
  } else if (target_.engine == kMaria) {
    keys = {{"SERVER", "127.0.0.1"},
            {"PORT", std::to_string(MariaDbServer::shared().port())},
            {"UID", "app"},
            {"DATABASE", database(way)}};
  } else {
    keys = {{"Servername", "127.0.0.1"},
            {"Port", std::to_string(PostgresServer::shared().port())},
            {"Username", "postgres"},
            {"Database", database(way)}};
  }
  const char* given = std::getenv("UNDERSTUDY_PARITY_KEYS");
  std::istringstream more(given != nullptr ? given : target_.keys);
  for (std::string one; std::getline(more, one, ';');) {
    keys[one.substr(0, one.find('='))] = one.substr(one.find('=') + 1);
  }
  const bool bare = std::string(way) == "bare";
  keys["Driver"] = bare ? target_.real_driver : target_.shim;
  if (!bare) keys["RealDriver"] = target_.real_driver;
  OdbcEnvironment::shared().add_data_source(name(way), keys);
}

void World::record() {
  if (recording_) return;
  recording_ = true;
  must_succeed(
      {"create", name("live"), "--production", connection("live"), "--shadow", connection("shad")});
  must_succeed({"start", name("live")});
}

std::string World::not_recording() {
  const auto map = SegmentMap::open(OdbcEnvironment::shared().home(), name("live"));
  if (!map.ok()) return "no segment: " + map.status().message();
  if (mode_of((*map)->header().mode_word) == Mode::record) return {};
  return "the migration no longer records: " + (*map)->reason();
}

Finished World::verify() {
  return tool({"verify", name("live")});
}

std::string World::figures() {
  return tool({"status", name("live"), "--json"}).output;
}

}  // namespace understudy::parity
