// The applier on transactions that are not held in memory, on real engines.
#include <gtest/gtest.h>

#include <cstring>

#include "replayer/apply/applier.h"
#include "tests/engine/databases.h"

namespace understudy {
namespace {

constexpr std::size_t kChunk = 16u << 10;
constexpr int kRows = 12'000;
constexpr int kBodyBytes = 100;
static_assert(kRows * kBodyBytes > static_cast<int>(kWholeBytesMax));

/// One transaction that goes into a journal as it comes.
class LargeTransaction : public ::testing::TestWithParam<Dialect> {
 protected:
  void SetUp() override {
    target_ = GetParam() == Dialect::sqlite
                  ? "Driver=SQLite3;Database=" + folder_.path() + "/shadow.db;Timeout=20000;"
              : GetParam() == Dialect::mariadb ? mariadb_target()
                                               : postgres_target();
    JournalWriter::Options options;
    options.segment_bytes = 1u << 20;
    auto opened = JournalWriter::open(journal_, options);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    writer_ = std::move(*opened);
    entries_.drain_by(
        [this] {
          write(nullptr);
          entries_.chunk_taken();
          ++chunks_;
        },
        kChunk);
  }
  void make_table(const std::string& columns) {
    odbc::Connection(target_).run("CREATE TABLE big (" + columns + ")");
  }
  static std::string exact(const std::string& text) {
    return GetParam() == Dialect::sqlite ? "'" + text + "'" : text;
  }
  /// Rows from `from` to `until`: of each its number, what `also` makes of it, and a body.
  void rows(Verb verb, int from, int until, const std::vector<int>& also, const std::string& body) {
    entries_.begin_statement(Verdict::effects, verb, kStatementHasEffects, "whatever",
                             shape_.encode());
    for (int id = from; id < until; ++id) {
      entries_.begin_row(verb);
      entries_.add_value(std::to_string(id));
      if (verb != Verb::remove) {
        for (const int more : also) entries_.add_value(std::to_string(id + more));
        entries_.add_value(exact(body));
      }
      entries_.end_row();
    }
    entries_.end_statement(until - from);
  }
  void keyed(const std::string& text, std::int64_t rows) {
    entries_.begin_statement(Verdict::keyed, Verb::update, 0, text, "");
    entries_.end_statement(rows);
  }
  void write(const TransactionHead* head) {
    std::vector<std::byte> payload(entries_.payload_bytes(head == nullptr));
    entries_.write_payload(payload, head);
    const auto split = split_ring_payload(payload);
    ASSERT_TRUE(split.ok());
    ASSERT_TRUE(writer_->reserve(payload.size() + 4096).ok());
    for (const auto& [id, text] : split->texts) ASSERT_TRUE(writer_->need_text(id, text).ok());
    std::vector<std::byte> body;
    const std::uint64_t txn_id = 1;
    if (head == nullptr) {
      body.resize(sizeof(txn_id));
      std::memcpy(body.data(), &txn_id, sizeof(txn_id));
    }
    body.insert(body.end(), split->body.begin(), split->body.end());
    ASSERT_TRUE(
        writer_->append(head == nullptr ? RecordType::chunk : RecordType::transaction, body).ok());
  }
  /// Ends the transaction and applies it; the kinds of divergences and their numbers.
  std::string apply() {
    TransactionHead head;
    head.txn_id = 1;
    head.entries = entries_.entries();
    head.chunks = chunks_;
    write(&head);
    OutcomeRecord outcome;
    outcome.txn_id = 1;
    outcome.outcome = Outcome::committed;
    EXPECT_TRUE(writer_->append(RecordType::outcome, std::as_bytes(std::span(&outcome, 1))).ok());
    EXPECT_TRUE(writer_->write_out().ok());
    const auto& sql = sql_dialect(GetParam());
    odbc::Connection shadow(target_ + sql.apply_options("psqlodbcw.so libmaodbc.so"));
    const Catalog catalog = sql.read_catalog(shadow);
    Applier applier(shadow, sql, catalog, catalog, "large");
    JournalFeed feed(journal_, 0);
    auto item = feed.next();
    EXPECT_NE(item->transaction->stored, nullptr);
    applier.apply(std::move(*item->transaction));
    std::string all;
    for (const auto& one : applier.figures().divergences)
      all += one.kind + " x" + std::to_string(one.count) + ";";
    EXPECT_EQ(applier.figures().left_out, 0u);
    EXPECT_EQ(applier.figures().applied, 1u);
    return all;
  }
  std::string value(const std::string& sql) {
    return odbc::Connection(target_).scalar(sql).value_or("(null)");
  }

  TempDir folder_;
  std::string target_;
  std::string journal_ = folder_.path() + "/journal";
  std::unique_ptr<JournalWriter> writer_;
  Shape shape_{"", "big", 1, {"id", "body"}};
  EntryWriter entries_;
  std::uint32_t chunks_ = 0;
};

TEST_P(LargeTransaction, IsAppliedInPartsWithoutWhatItTookBack) {
  make_table("id int PRIMARY KEY, body varchar(200)");
  rows(Verb::insert, 0, kRows, {}, std::string(kBodyBytes, 'b'));
  const auto mark = entries_.mark();
  rows(Verb::insert, kRows, 2 * kRows, {}, std::string(kBodyBytes, 'v'));
  entries_.rewind(mark);
  keyed("UPDATE big SET body = 'last' WHERE id = 2000", 1);
  rows(Verb::remove, 0, 1'000, {}, "");
  EXPECT_EQ(apply(), "");
  EXPECT_EQ(value("SELECT count(*) FROM big"), std::to_string(kRows - 1'000));
  EXPECT_EQ(value("SELECT min(id) FROM big"), "1000");
  EXPECT_EQ(value("SELECT count(*) FROM big WHERE body LIKE 'v%'"), "0");
  EXPECT_EQ(value("SELECT body FROM big WHERE id = 2000"), "last");
}

TEST_P(LargeTransaction, IsAppliedOnceMoreOneByOneWhenItDoesOtherwise) {
  make_table("id int PRIMARY KEY, body varchar(200)");
  rows(Verb::insert, 0, kRows, {}, std::string(kBodyBytes, 'b'));
  keyed("UPDATE big SET body = 'none' WHERE id = -1", 1);
  EXPECT_EQ(apply(), "row-count x1;");
  EXPECT_EQ(value("SELECT count(*) FROM big"), std::to_string(kRows));
}

TEST_P(LargeTransaction, IsAppliedByItsRowsAfterAnError) {
  make_table("id int PRIMARY KEY, body varchar(200)");
  odbc::Connection(target_).run("INSERT INTO big VALUES (5000, 'in the way')");
  rows(Verb::insert, 0, kRows, {}, std::string(kBodyBytes, 'b'));
  EXPECT_NE(apply(), "");
  EXPECT_EQ(value("SELECT count(*) FROM big"), std::to_string(kRows));
  EXPECT_EQ(value("SELECT count(*) FROM big WHERE body = 'in the way'"), "0");
}

INSTANTIATE_TEST_SUITE_P(Engines, LargeTransaction,
                         ::testing::Values(Dialect::sqlite, Dialect::postgresql, Dialect::mariadb),
                         [](const auto& one) { return std::string(dialect_name(one.param)); });

/// Engines on which a row that is in the way is told of without harm to the transaction.
class LargeTransactionInTheWay : public LargeTransaction {};

TEST_P(LargeTransactionInTheWay, RowsOfDifferentPartsMakeWayForEachOther) {
  make_table("id int PRIMARY KEY, n int UNIQUE, body text");
  shape_.columns = {"id", "n", "body"};
  constexpr int kFew = 24;  // each a part of its own
  for (int id = 0; id < kFew; ++id) {
    const std::string number = std::to_string(id);
    odbc::Connection(target_).run("INSERT INTO big VALUES (" + number + ", " + number + ", 'x')");
  }
  rows(Verb::update, 0, kFew, {1}, std::string(60'000, 'b'));
  EXPECT_EQ(apply(), "");
  EXPECT_EQ(value("SELECT count(*) FROM big WHERE n = id + 1 AND length(body) = 60000"),
            std::to_string(kFew));
}

INSTANTIATE_TEST_SUITE_P(Engines, LargeTransactionInTheWay,
                         ::testing::Values(Dialect::sqlite, Dialect::mariadb),
                         [](const auto& one) { return std::string(dialect_name(one.param)); });

/// The engine that moves many rows by one statement.
class LargeTransactionOnPostgresql : public LargeTransaction {};

TEST_P(LargeTransactionOnPostgresql, RowsOfDifferentPartsTakeEachOthersKeys) {
  // Compared when the statement ends, as in production.
  make_table("id int PRIMARY KEY DEFERRABLE INITIALLY IMMEDIATE, body varchar(200)");
  constexpr int kMoved = 8'000;
  odbc::Connection(target_).run("INSERT INTO big SELECT n, 'x' FROM generate_series(0, 7999) AS n");
  rows(Verb::move, 0, kMoved, {1}, std::string(150, 'b'));
  EXPECT_EQ(apply(), "");
  EXPECT_EQ(value("SELECT min(id) || ' ' || max(id) || ' ' || count(*) FROM big"), "1 8000 8000");
  EXPECT_EQ(value("SELECT count(*) FROM big WHERE length(body) = 150"), "8000");
}

INSTANTIATE_TEST_SUITE_P(Engines, LargeTransactionOnPostgresql,
                         ::testing::Values(Dialect::postgresql),
                         [](const auto& one) { return std::string(dialect_name(one.param)); });

}  // namespace
}  // namespace understudy
