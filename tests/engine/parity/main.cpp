// Runs every case three ways and compares what was seen, line by line.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/engine/parity/case.h"
#include "tests/engine/parity/known.h"
#include "tests/engine/parity/program.h"
#include "tests/engine/parity/world.h"
#include "tests/support/engines.h"

namespace understudy::parity {
namespace {

constexpr std::size_t kLinesShown = 12;
constexpr std::size_t kLinesBefore = 3;

using Lines = std::vector<std::string>;

const std::vector<Target>& targets() {
  constexpr Style kNarrow{"Narrow", SQL_OV_ODBC3, false};
  constexpr Style kWide{"Wide", SQL_OV_ODBC3, true};
  constexpr Style kOdbc38{"Odbc38", SQL_OV_ODBC3_80, true};
  constexpr Style kOdbc2{"Odbc2", SQL_OV_ODBC2, false};
  static const std::vector<Target> all = {
      {"PostgresUnicodeWide", kPostgres, "PostgreSQL Unicode", "Understudy Unicode", kWide},
      {"PostgresUnicodeNarrow", kPostgres, "PostgreSQL Unicode", "Understudy Unicode", kNarrow},
      {"PostgresUnicodeOdbc38", kPostgres, "PostgreSQL Unicode", "Understudy Unicode", kOdbc38},
      {"PostgresUnicodeOdbc2", kPostgres, "PostgreSQL Unicode", "Understudy Unicode", kOdbc2},
      {"PostgresAnsiNarrow", kPostgres, "PostgreSQL ANSI", "Understudy ANSI", kNarrow},
      {"PostgresAnsiOdbc2", kPostgres, "PostgreSQL ANSI", "Understudy ANSI", kOdbc2},
      {"PostgresUnicodeFetches", kPostgres, "PostgreSQL Unicode", "Understudy Unicode", kWide,
       "UseDeclareFetch=1;Fetch=2"},
      {"SqliteNarrow", kSqlite, "SQLite3", "Understudy ANSI", kNarrow},
      {"SqliteWide", kSqlite, "SQLite3", "Understudy ANSI", kWide},
      {"SqliteOdbc2", kSqlite, "SQLite3", "Understudy ANSI", kOdbc2},
      {"MariaWide", kMaria, "MariaDB Unicode", "Understudy Unicode", kWide},
      {"MariaNarrow", kMaria, "MariaDB Unicode", "Understudy Unicode", kNarrow},
      {"MariaOdbc2", kMaria, "MariaDB Unicode", "Understudy Unicode", kOdbc2},
      {"MariaFoundRows", kMaria, "MariaDB Unicode", "Understudy Unicode", kNarrow, "OPTION=2"},
  };
  return all;
}

const Cases& cases() {
  static const Cases all = [] {
    Cases list;
    add_catalog_cases(list);
    add_attribute_cases(list);
    add_descriptor_cases(list);
    add_result_cases(list);
    add_type_cases(list);
    add_parameter_cases(list);
    add_path_cases(list);
    add_control_cases(list);
    add_count_cases(list);
    add_cursor_cases(list);
    add_transaction_cases(list);
    add_error_cases(list);
    add_edge_cases(list);
    add_connection_cases(list);
    add_maria_cases(list);
    add_maria_batch_cases(list);
    add_odbc2_cases(list);
    add_previous_cases(list);
    return list;
  }();
  return all;
}

std::map<std::string, std::unique_ptr<World>>& worlds() {
  static std::map<std::string, std::unique_ptr<World>> all;
  return all;
}

World& world_of(const Target& target) {
  auto& place = worlds()[target.name];
  if (place == nullptr) place = std::make_unique<World>(target, cases());
  return *place;
}

/// UNDERSTUDY_PARITY_FOLDER: whole transcripts go there, for reading.
void keep(const Target& target, const Case& one, const char* way, const Lines& lines) {
  const char* folder = std::getenv("UNDERSTUDY_PARITY_FOLDER");
  if (folder == nullptr) return;
  std::ofstream out(std::string(folder) + "/" + target.name + "." + one.name + "." + way);
  for (const auto& line : lines) out << line << "\n";
}

Lines transcript(const Target& target, const Case& one, const char* name, const Way& way) {
  Program program(way, target.style, World::table_of(one));
  if (one.own_connections || program.connect()) one.body(program);
  keep(target, one, name, program.lines());
  return program.lines();
}

std::string excerpt(const Lines& lines, std::size_t from) {
  std::string out;
  for (std::size_t at = from; at < std::min(lines.size(), from + kLinesShown); ++at) {
    out += "    " + lines[at] + "\n";
  }
  return out.empty() ? "    (the end)\n" : out;
}

bool is_header(const std::string& line) {
  const auto first = line.find_first_not_of(' ');
  return first != std::string::npos && line.compare(first, 7, "header ") == 0;
}

/// A diagnostic begins with its number, or in ODBC 2 with what SQLError gave: SQLSTATE, native code
/// and the text's length follow.
bool is_diagnostic(const std::string& line) {
  return line.starts_with("    ") && !is_header(line);
}

Lines without_messages(Lines lines) {
  for (std::string& line : lines) {
    if (!is_diagnostic(line)) continue;
    std::istringstream words(line);
    std::string number;
    std::string state;
    std::string native;
    words >> number >> state >> native;
    line = "    " + number + " " + state + " " + native;
  }
  return lines;
}

/// Hexadecimal digits behind these words are addresses.
std::string without_addresses(std::string line) {
  for (const std::string_view word : {"_exec_svp_0x", "\"CUR_", "SQL_CUR0x"}) {
    for (std::size_t at = line.find(word); at != std::string::npos; at = line.find(word, at + 1)) {
      const std::size_t from = at + word.size();
      std::size_t end = from;
      while (end < line.size() && std::isxdigit(static_cast<unsigned char>(line[end])) != 0) ++end;
      line.erase(from, end - from);
    }
  }
  return line;
}

/// The driver manager warns of a real driver's version before it connects, ours when it has: the
/// text is the same, but to what a driver says while connecting the driver manager itself adds who
/// said it and where, and does so in another way.
std::string without_origin_of_version_warning(const std::string& line) {
  const auto at = line.find("Driver does not support the requested version\" ");
  return at == std::string::npos ? line : line.substr(0, line.find('"', at) + 1);
}

/// What both drivers say alike.
Lines comparable(const Lines& lines) {
  Lines out;
  for (const std::string& line : lines) {
    out.push_back(without_addresses(without_origin_of_version_warning(line)));
  }
  return out;
}

void expect_same(const std::string& what, const Lines& said, const Lines& through) {
  const Lines bare = comparable(said);
  const Lines shim = comparable(through);
  if (bare == shim) return;
  const auto first = std::mismatch(bare.begin(), bare.end(), shim.begin(), shim.end()).first;
  const auto at = static_cast<std::size_t>(first - bare.begin());
  const std::size_t from = at < kLinesBefore ? 0 : at - kLinesBefore;
  const Lines before(bare.begin() + static_cast<std::ptrdiff_t>(from), first);
  ADD_FAILURE() << what << " differs from line " << at + 1 << " on, after\n"
                << excerpt(before, 0) << "  bare driver:\n"
                << excerpt(bare, at) << "  " << what << ":\n"
                << excerpt(shim, at);
}

/// Of the table that `verify` prints, the lines that hold a figure other than 0 behind the first.
std::string differing_tables(const std::string& output) {
  std::istringstream lines(output);
  std::string all;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string table;
    long compared = 0;
    long missing = 0;
    long extra = 0;
    long different = 0;
    const bool figures(words >> table >> compared >> missing >> extra >> different);
    if (!figures || missing + extra + different > 0) all += line + "\n";
  }
  return all;
}

class ParityTest : public testing::Test {
 public:
  ParityTest(const Target& target, const Case* one) : target_(target), case_(one) {}

  void TestBody() override {
    if (case_ == nullptr) {
      compare_databases();
    } else {
      compare_transcripts();
    }
  }

 private:
  void compare_transcripts() {
    World& world = world_of(target_);
    const Lines bare = transcript(target_, *case_, "bare", world.bare());
    const Compared how = compared(target_.name, case_->name);
    const auto compare = [&](const char* what, const Lines& through) {
      if (how == Compared::nothing) return;
      const bool messages = how == Compared::all;
      expect_same(what, messages ? bare : without_messages(bare),
                  messages ? through : without_messages(through));
    };
    compare("idle", transcript(target_, *case_, "idle", world.idle()));
    world.record();
    compare("recording", transcript(target_, *case_, "live", world.live()));
    const std::string reason = world.not_recording();
    if (reason.empty()) return;
    ADD_FAILURE() << reason;
    world.renew();
  }
  void compare_databases() {
    World& world = world_of(target_);
    world.record();
    const Finished verified = world.verify();
    EXPECT_TRUE(verified.exit_code == 0 || verified.exit_code == 1) << verified.output;
    std::istringstream differing(differing_tables(verified.output));
    for (std::string line; std::getline(differing, line);) {
      const std::string table = line.substr(0, line.find(' '));
      const bool figures =
          !line.starts_with("comparing") && line.find_last_of("0123456789") == line.size() - 1;
      if (figures && known_remainder(target_.name, table).empty()) ADD_FAILURE() << line;
    }
    const auto figures = nlohmann::json::parse(world.figures(), nullptr, false);
    for (const char* key : {"sealed", "applied", "opaque", "uncaptured_writes", "in_doubt",
                            "divergences", "rows_compared", "rows_different"}) {
      std::printf("  %s %s", key, figures.value(key, nlohmann::json()).dump().c_str());
    }
    std::printf("\n");
    for (const auto& one : figures.value("divergence_report", nlohmann::json::array())) {
      std::printf("  divergence %s\n", one.dump().c_str());
    }
    EXPECT_EQ(figures.value("in_doubt", -1), 0);
    EXPECT_GT(figures.value("rows_compared", 0), 0) << verified.output;
  }

  const Target& target_;
  const Case* case_;
};

/// Ends all migrations before the process does.
class Teardown : public testing::Environment {
 public:
  void TearDown() override { worlds().clear(); }
};

void add_test(const std::string& suite, const char* name, const Target& target, const Case* one) {
  testing::RegisterTest(suite.c_str(), name, nullptr, nullptr, __FILE__, __LINE__,
                        [&target, one]() -> ParityTest* { return new ParityTest(target, one); });
}

void add_tests() {
  for (const Target& target : targets()) {
    for (const Case& one : cases()) {
      if ((one.engines & target.engine) == 0) continue;
      if (compared(target.name, one.name) == Compared::left_out) continue;
      add_test(std::string(target.name) + one.group, one.name, target, &one);
    }
    add_test(std::string(target.name) + "Shadow", "EqualsProduction", target, nullptr);
  }
}

}  // namespace
}  // namespace understudy::parity

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  understudy::OdbcEnvironment::shared();  // libodbc reads its configuration at the first connect
  understudy::parity::add_tests();
  testing::AddGlobalTestEnvironment(new understudy::parity::Teardown);
  return RUN_ALL_TESTS();
}
