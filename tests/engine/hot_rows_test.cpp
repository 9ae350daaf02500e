// Sixteen connections of four processes on ten hot rows: the journal's order is the rows' own
// order.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <sstream>

#include "journal/record.h"
#include "journal/segment_map.h"
#include "replayer/apply/journal_feed.h"
#include "tests/engine/databases.h"

namespace understudy {
namespace {

constexpr int kSeconds = 20;            // of load, as issue and design ask for
constexpr int kSecondsOutOfOrder = 10;  // until the moved seal has shown itself

constexpr std::string_view kSchema = R"sql(
CREATE TABLE hot (id bigint PRIMARY KEY, val bigint NOT NULL, ver bigint NOT NULL);
CREATE TABLE audit (
  id bigserial PRIMARY KEY, hot_id bigint NOT NULL, ver bigint NOT NULL, delta bigint NOT NULL,
  made_at timestamptz NOT NULL DEFAULT now());
)sql";
constexpr std::string_view kRows =
    "INSERT INTO hot SELECT i, i, 0 FROM generate_series(1, 10) AS i;";

/// What the journal says, compared with the version that each change made of its row.
struct JournalOrder {
  std::uint64_t committed = 0;  // transactions
  std::uint64_t checked = 0;    // versions that were recorded with a change
  std::uint64_t inversions = 0;
  std::map<std::int64_t, std::int64_t> versions;  // of each row, by counting its changes

  void expect_version(std::int64_t id, std::int64_t recorded) {
    ++checked;
    if (recorded != versions[id]) ++inversions;
  }
};

std::int64_t integer_of(const StatementEntry& statement, std::size_t index) {
  std::int64_t value = 0;
  const std::string_view bytes = statement.parameters.at(index).bytes;
  if (bytes.size() != sizeof(value)) throw std::runtime_error("a parameter is no 64-bit integer");
  std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

void read_update(const FeedTransaction& transaction, const StatementEntry& statement,
                 JournalOrder& order) {
  const std::int64_t id = integer_of(statement, 1);
  ++order.versions[id];
  if (statement.rows.empty()) return;
  const auto shape = Shape::decode(transaction.text(statement.shape));
  if (!shape.ok()) throw std::runtime_error(shape.status().message());
  for (std::size_t i = 0; i < shape->columns.size(); ++i) {
    if (shape->columns[i] != "ver") continue;
    order.expect_version(id, std::stoll(std::string(*statement.rows.at(0).values.at(i))));
  }
}

JournalOrder read_journal(const std::string& directory) {
  JournalOrder order;
  JournalFeed feed(directory, 0);
  while (const auto item = feed.next()) {
    if (!item->transaction || item->transaction->outcome != Outcome::committed) continue;
    ++order.committed;
    for (const Entry& entry : item->transaction->entries) {
      if (entry.type != Entry::Type::statement) continue;
      const std::string_view text = item->transaction->text(entry.statement.text);
      if (text.starts_with("UPDATE hot")) {
        read_update(*item->transaction, entry.statement, order);
      } else if (text.starts_with("INSERT INTO audit")) {
        order.expect_version(integer_of(entry.statement, 0), integer_of(entry.statement, 1));
      }
    }
  }
  return order;
}

class HotRows : public ::testing::Test {
 protected:
  void SetUp() override {
    static int count = 0;
    name_ = "hot-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
    const std::string database = PostgresServer::shared().new_database();
    production_ = "Driver=PostgreSQL Unicode;" + database;
    application_ = "RealDriver=PostgreSQL Unicode;Migration=" + name_ + ";" + database;
    shadow_ = postgres_target();
    odbc::Connection(production_).run(std::string(kSchema) + std::string(kRows));
    odbc::Connection(shadow_).run(kSchema);
    tool({"create", name_, "--production", production_, "--shadow", shadow_});
    tool({"start", name_});
  }

  void TearDown() override {
    run_program({UNDERSTUDY_PATH, "cancel", name_});
    EXPECT_TRUE(SegmentMap::remove(OdbcEnvironment::shared().home(), name_).ok());
  }

  void tool(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), UNDERSTUDY_PATH);
    const Finished done = run_program(arguments);
    ASSERT_EQ(done.exit_code, 0) << done.output;
  }

  /// Four processes of four connections; the sum of the transactions that they say they committed.
  std::uint64_t run_programs(int seconds, const std::string& driver = "Understudy Unicode") {
    const char* set = std::getenv("UNDERSTUDY_SEED");
    const std::uint64_t seed = set ? std::strtoull(set, nullptr, 10) : std::random_device{}();
    std::printf("UNDERSTUDY_SEED=%llu\n", static_cast<unsigned long long>(seed));
    constexpr char kScript[] =
        "for i in 1 2 3 4; do"
        "  \"$0\" \"$1\" --threads 4 --seconds \"$2\" --seed $(($3 + i)) & all=\"$all "
        "$!\";"
        "done;"
        "for one in $all; do wait $one || code=1; done; exit ${code:-0}";
    const Finished done = run_program({"sh", "-c", kScript, HOT_ROWS_APP_PATH,
                                       "Driver=" + driver + ";" + application_,
                                       std::to_string(seconds), std::to_string(seed)});
    EXPECT_EQ(done.exit_code, 0) << done.output;
    std::uint64_t sum = 0;
    std::istringstream lines(done.output);
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("transactions ")) sum += std::stoull(line.substr(13));
    }
    return sum;
  }

  JournalOrder journal() {
    return read_journal(OdbcEnvironment::shared().home() + "/" + name_ + "/journal");
  }

  std::string name_, production_, application_, shadow_;
};

TEST_F(HotRows, AreEqualOnTheShadowAndInTheJournalInTheOrderOfTheirVersions) {
  const std::uint64_t committed = run_programs(kSeconds);
  tool({"verify", name_});
  const JournalOrder order = journal();
  EXPECT_EQ(order.committed, committed);
  EXPECT_GT(order.checked, 0u);
  EXPECT_EQ(order.inversions, 0u) << "of " << order.checked;
  odbc::Connection production(production_);
  for (const auto& [id, version] : order.versions) {
    const auto found = production.scalar("SELECT ver FROM hot WHERE id = " + std::to_string(id));
    EXPECT_EQ(found, std::to_string(version)) << "row " << id;
  }
}

TEST_F(HotRows, AreOutOfOrderInTheJournalWhenTheSealComesAfterTheCommit) {
  OdbcEnvironment::shared().add_driver("Seal Behind Commit",
                                       {{"Driver", UNDERSTUDYW_SEAL_BEHIND_PATH}});
  run_programs(kSecondsOutOfOrder, "Seal Behind Commit");
  run_program({UNDERSTUDY_PATH, "verify", name_});  // only so that everything is in the journal
  EXPECT_GT(journal().inversions, 0u);
}

}  // namespace
}  // namespace understudy
