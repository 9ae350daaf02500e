// The feed over journals written by the real writer.
#include "replayer/apply/journal_feed.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <functional>
#include <map>
#include <stdexcept>

namespace understudy {
namespace {

class JournalFeedTest : public ::testing::Test {
 public:
  /// What a long transaction writes into the journal by.
  struct Writes {
    std::function<void(const EntryWriter&, std::uint64_t id)> chunk;
    std::function<std::uint64_t(std::uint64_t id, const EntryWriter&, std::uint32_t chunks)> seal;
  };

 protected:
  Writes writes() {
    return {[this](const EntryWriter& entries, std::uint64_t id) {
              append_ring(RecordType::chunk, entries, nullptr, id);
            },
            [this](std::uint64_t id, const EntryWriter& entries, std::uint32_t chunks) {
              return seal(id, entries, chunks);
            }};
  }
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "understudy-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    home_ = pattern;
    journal_ = home_ + "/journal";
    reopen();
  }
  void TearDown() override {
    writer_.reset();
    std::filesystem::remove_all(home_);
  }
  void reopen() {
    writer_.reset();
    JournalWriter::Options options;
    options.segment_bytes = kSegmentBytesMin;
    auto opened = JournalWriter::open(journal_, options);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    writer_ = std::move(*opened);
  }

  std::uint64_t append(RecordType type, std::span<const std::byte> payload) {
    const auto seq = writer_->append(type, payload);
    EXPECT_TRUE(seq.ok()) << seq.status().message();
    EXPECT_TRUE(writer_->write_out().ok());
    return seq.ok() ? *seq : 0;
  }
  template <class T>
  std::uint64_t append_plain(RecordType type, const T& value) {
    return append(type, std::as_bytes(std::span(&value, 1)));
  }
  /// Moves texts into the dictionary as journald does, and appends the rest.
  std::uint64_t append_ring(RecordType type, const EntryWriter& entries,
                            const TransactionHead* head, std::uint64_t chunk_of = 0) {
    std::vector<std::byte> payload(entries.payload_bytes(head == nullptr));
    entries.write_payload(payload, head);
    const auto split = split_ring_payload(payload);
    EXPECT_TRUE(split.ok());
    EXPECT_TRUE(writer_->reserve(payload.size() + 4096).ok());
    for (const auto& [id, text] : split->texts) {
      EXPECT_TRUE(writer_->need_text(id, text).ok());
    }
    if (head != nullptr) return append(type, split->body);
    std::vector<std::byte> body(sizeof(chunk_of));
    std::memcpy(body.data(), &chunk_of, sizeof(chunk_of));
    body.insert(body.end(), split->body.begin(), split->body.end());
    return append(type, body);
  }

  static void add_statement(EntryWriter& entries, const std::string& text) {
    entries.begin_statement(Verdict::keyed, Verb::update, 0, text, "");
    entries.end_statement(1);
  }
  std::uint64_t transaction(std::uint64_t id, const std::string& text) {
    EntryWriter entries;
    add_statement(entries, text);
    return seal(id, entries, 0);
  }
  std::uint64_t seal(std::uint64_t id, const EntryWriter& entries, std::uint32_t chunks) {
    TransactionHead head;
    head.txn_id = id;
    head.server_txid = 1000 + id;
    head.sealed_at_us = static_cast<std::int64_t>(100 * id);
    head.entries = entries.entries();
    head.chunks = chunks;
    return append_ring(RecordType::transaction, entries, &head);
  }
  void outcome(std::uint64_t id, Outcome value) {
    OutcomeRecord record;
    record.txn_id = id;
    record.outcome = value;
    append_plain(RecordType::outcome, record);
  }
  std::uint64_t marker(std::uint64_t id) {
    MarkerRecord record;
    record.id = id;
    record.kind = MarkerKind::common_point;
    return append_plain(RecordType::marker, record);
  }
  /// Two chunks and the rest of a transaction; `between` runs before the last record.
  template <class Between>
  std::uint64_t chunked(std::uint64_t id, Between between) {
    EntryWriter entries;
    for (const char* text : {"first", "second"}) {
      add_statement(entries, text);
      append_ring(RecordType::chunk, entries, nullptr, id);
      entries.chunk_taken();
    }
    between();
    add_statement(entries, "third");
    return seal(id, entries, 2);
  }

  static std::uint64_t id_of(const std::optional<FeedItem>& item) {
    return item && item->transaction ? item->transaction->head.txn_id : 0;
  }
  static std::string texts_of(const FeedTransaction& transaction) {
    std::string all;
    for (const auto& entry : transaction.entries) {
      all += std::string(transaction.text(entry.statement.text)) + ";";
    }
    return all;
  }

  std::string home_;
  std::string journal_;
  std::unique_ptr<JournalWriter> writer_;
};

TEST_F(JournalFeedTest, HandsOutInSealOrderWhateverTheOrderOfTheOutcomes) {
  transaction(1, "one");
  transaction(2, "two");
  outcome(2, Outcome::committed);
  outcome(1, Outcome::committed);
  JournalFeed feed(journal_, 0);
  const auto first = feed.next();
  EXPECT_EQ(id_of(first), 1u);
  EXPECT_EQ(texts_of(*first->transaction), "one;");
  EXPECT_EQ(id_of(feed.next()), 2u);
  EXPECT_FALSE(feed.next());
  EXPECT_EQ(feed.waiting().reason, FeedWait::Reason::nothing_new);
}

TEST_F(JournalFeedTest, WaitsForTheOldestOutcome) {
  const auto seq = transaction(1, "one");
  transaction(2, "two");
  outcome(2, Outcome::committed);
  JournalFeed feed(journal_, 0);
  EXPECT_FALSE(feed.next());
  EXPECT_EQ(feed.waiting().reason, FeedWait::Reason::outcome_pending);
  EXPECT_EQ(feed.waiting().seq, seq);
  EXPECT_EQ(feed.backlog(), 2u);
  EXPECT_EQ(feed.oldest_sealed_at_us(), 100);
  outcome(1, Outcome::committed);
  EXPECT_EQ(id_of(feed.next()), 1u);
  EXPECT_EQ(id_of(feed.next()), 2u);
  EXPECT_EQ(feed.backlog(), 0u);
}

TEST_F(JournalFeedTest, HoldsATransactionInDoubtUntilItIsResolved) {
  transaction(1, "one");
  outcome(1, Outcome::unknown);
  JournalFeed feed(journal_, 0);
  EXPECT_FALSE(feed.next());
  EXPECT_EQ(feed.waiting().reason, FeedWait::Reason::in_doubt);
  EXPECT_EQ(feed.waiting().txn_id, 1u);
  EXPECT_EQ(feed.waiting().server_txid, 1001u);
  outcome(1, Outcome::committed);
  const auto item = feed.next();
  ASSERT_EQ(id_of(item), 1u);
  EXPECT_EQ(item->transaction->outcome, Outcome::committed);
}

TEST_F(JournalFeedTest, IgnoresDoubtAfterADefiniteOutcome) {
  transaction(1, "one");
  transaction(2, "two");
  outcome(2, Outcome::rolled_back);
  outcome(2, Outcome::unknown);
  outcome(1, Outcome::committed);
  JournalFeed feed(journal_, 0);
  EXPECT_EQ(id_of(feed.next()), 1u);
  const auto second = feed.next();
  ASSERT_EQ(id_of(second), 2u);
  EXPECT_EQ(second->transaction->outcome, Outcome::rolled_back);
}

TEST_F(JournalFeedTest, HandsOutMarkersInTheirPlace) {
  transaction(1, "one");
  const auto seq = marker(7);
  transaction(2, "two");
  outcome(2, Outcome::committed);
  JournalFeed feed(journal_, 0);
  EXPECT_FALSE(feed.next()) << "the marker overtook a transaction without outcome";
  outcome(1, Outcome::committed);
  EXPECT_EQ(id_of(feed.next()), 1u);
  const auto item = feed.next();
  ASSERT_TRUE(item && item->marker);
  EXPECT_EQ(item->marker->seq, seq);
  EXPECT_EQ(item->marker->marker.id, 7u);
  EXPECT_EQ(id_of(feed.next()), 2u);
}

TEST_F(JournalFeedTest, PutsTheChunksOfATransactionTogether) {
  const auto seq = chunked(1, [&] { transaction(2, "other"); });
  outcome(1, Outcome::committed);
  outcome(2, Outcome::committed);
  JournalFeed feed(journal_, 0);
  EXPECT_EQ(id_of(feed.next()), 2u);
  const auto item = feed.next();
  ASSERT_EQ(id_of(item), 1u);
  EXPECT_EQ(item->transaction->seq, seq);
  EXPECT_EQ(texts_of(*item->transaction), "first;second;third;");
}

TEST_F(JournalFeedTest, FindsChunksThatLieBeforeTheStart) {
  std::uint64_t applied = 0;
  chunked(1, [&] {
    for (std::uint64_t id = 10; id < 40; ++id) {  // several segments
      applied = transaction(id, std::string(8000, 'x') + std::to_string(id));
      outcome(id, Outcome::committed);
    }
  });
  outcome(1, Outcome::committed);
  ASSERT_TRUE(std::filesystem::exists(journal_ + "/00000003.segment"));
  JournalFeed feed(journal_, applied);
  const auto item = feed.next();
  ASSERT_EQ(id_of(item), 1u);
  EXPECT_EQ(texts_of(*item->transaction), "first;second;third;");
  EXPECT_FALSE(feed.next());
}

TEST_F(JournalFeedTest, StartsBehindTheGivenRecord) {
  const auto seq = transaction(1, "one");
  outcome(1, Outcome::committed);
  transaction(2, "one");  // its text stands before the start
  outcome(2, Outcome::committed);
  JournalFeed feed(journal_, seq);
  const auto item = feed.next();
  ASSERT_EQ(id_of(item), 2u);
  EXPECT_EQ(texts_of(*item->transaction), "one;");
  EXPECT_FALSE(feed.next());
}

TEST_F(JournalFeedTest, StartsAtTheEndAndFollows) {
  transaction(1, "one");
  outcome(1, Outcome::committed);
  JournalFeed feed(journal_, writer_->last_seq());
  EXPECT_FALSE(feed.next());
  transaction(2, "two");
  outcome(2, Outcome::committed);
  EXPECT_EQ(id_of(feed.next()), 2u);
}

TEST_F(JournalFeedTest, KeepsTextsAliveWithTheirTransaction) {
  transaction(1, "the text");
  outcome(1, Outcome::committed);
  std::optional<FeedItem> item;
  {
    JournalFeed feed(journal_, 0);
    item = feed.next();
  }
  EXPECT_EQ(texts_of(*item->transaction), "the text;");
  EXPECT_EQ(texts_of(item->transaction->copy()), "the text;");
}

TEST_F(JournalFeedTest, DropsWhatWasAbandoned) {
  EntryWriter entries;
  add_statement(entries, "never committed");
  append_ring(RecordType::chunk, entries, nullptr, 1);
  append_plain(RecordType::abandon, std::uint64_t{1});
  transaction(2, "two");
  outcome(2, Outcome::committed);
  JournalFeed feed(journal_, 0);
  EXPECT_EQ(id_of(feed.next()), 2u);
  EXPECT_FALSE(feed.next());
}

TEST_F(JournalFeedTest, RefusesATransactionThatLacksAChunk) {
  EntryWriter entries;
  add_statement(entries, "last");
  seal(1, entries, 1);
  JournalFeed feed(journal_, 0);
  EXPECT_THROW(feed.next(), std::runtime_error);
}

TEST_F(JournalFeedTest, GivesWhatCameBeforeAGapAndThenRefuses) {
  transaction(1, "one");
  outcome(1, Outcome::committed);
  const std::string reason = "ring full";
  append(RecordType::gap, std::as_bytes(std::span(reason)));
  JournalFeed feed(journal_, 0);
  EXPECT_EQ(id_of(feed.next()), 1u);
  for (int i = 0; i < 2; ++i) {
    try {
      feed.next();
      FAIL() << "the gap was passed over";
    } catch (const std::runtime_error& error) {
      EXPECT_NE(std::string(error.what()).find("ring full"), std::string::npos);
    }
  }
}

// --- more than is held ---------------------------------------------------------------------------

/// A transaction that goes into the journal as it comes, as from a driver.
class Long {
 public:
  Long(JournalFeedTest::Writes writes, std::uint64_t id) : writes_(std::move(writes)), id_(id) {
    entries.drain_by(
        [this] {
          writes_.chunk(entries, id_);
          entries.chunk_taken();
          ++chunks_;
        },
        kChunkBytesHere);
  }
  void rows(const std::string& text, Verb verb, int from, int until, const std::string& body) {
    entries.begin_statement(Verdict::effects, verb, kStatementHasEffects, text,
                            Shape{"public", "t", 1, {"id", "body"}}.encode());
    for (int id = from; id < until; ++id) {
      entries.begin_row(verb);
      if (verb == Verb::move) entries.add_value(std::to_string(id));
      entries.add_value(std::to_string(id + (verb == Verb::move ? 1 : 0)));
      entries.add_value(body);
      entries.end_row();
    }
    entries.end_statement(until - from);
  }
  std::uint64_t seal() { return writes_.seal(id_, entries, chunks_); }

  static constexpr std::size_t kChunkBytesHere = 16u << 10;
  EntryWriter entries;

 private:
  JournalFeedTest::Writes writes_;
  std::uint64_t id_;
  std::uint32_t chunks_ = 0;
};

TEST_F(JournalFeedTest, ReadsALargeTransactionFromTheJournalInParts) {
  constexpr int kRows = 20'000;
  const std::string body(100, 'b');
  Long large(writes(), 1);
  large.rows("one", Verb::insert, 0, kRows, body);
  large.rows("two", Verb::remove, 0, 10, "");
  large.seal();
  outcome(1, Outcome::committed);
  JournalFeed feed(journal_, 0);
  const auto item = feed.next();
  ASSERT_NE(item->transaction->stored, nullptr);
  for (int again = 0; again < 2; ++again) {
    int rows = 0;
    int parts = 0;
    std::string texts;
    item->transaction->for_each([&](const Entry& entry) {
      const StatementEntry& statement = entry.statement;
      texts += entry.type == Entry::Type::statement
                   ? std::string(item->transaction->text(statement.text))
                   : "";
      if (item->transaction->text(statement.text) != "one") return true;
      ++parts;
      EXPECT_EQ(statement.row_count, kRows);
      EXPECT_EQ(Shape::decode(item->transaction->text(statement.shape))->table, "t");
      for (const RowEffect& row : statement.rows) {
        EXPECT_EQ(row.values.at(0), std::to_string(rows++));
        EXPECT_EQ(row.values.at(1), body);
      }
      return true;
    });
    EXPECT_EQ(rows, kRows);
    EXPECT_GT(parts, 10);
    EXPECT_EQ(texts, "onetwo");
  }
}

TEST_F(JournalFeedTest, LeavesOutWhatALargeTransactionTookBack) {
  const std::string body(100, 'b');
  Long large(writes(), 1);
  large.rows("stays", Verb::insert, 0, 3'000, body);
  const auto mark = large.entries.mark();
  large.rows("goes", Verb::insert, 0, 3'000, body);
  large.rows("goes too", Verb::insert, 0, 10, std::string(100'000, 'v'));
  large.entries.rewind(mark);
  large.rows("follows", Verb::insert, 0, 10, std::string(100'000, 'w'));
  large.seal();
  outcome(1, Outcome::committed);
  JournalFeed feed(journal_, 0);
  const auto item = feed.next();
  ASSERT_NE(item->transaction->stored, nullptr);
  std::map<std::string, std::size_t> rows;
  item->transaction->for_each([&](const Entry& entry) {
    rows[std::string(item->transaction->text(entry.statement.text))] += entry.statement.rows.size();
    for (const RowEffect& row : entry.statement.rows) EXPECT_NE(row.values.at(1)->front(), 'v');
    return true;
  });
  EXPECT_EQ(rows, (std::map<std::string, std::size_t>{{"stays", 3'000}, {"follows", 10}}));
}

TEST_F(JournalFeedTest, PutsLargeValuesTogetherOneAfterTheOther) {
  constexpr std::size_t kValueBytes = 300'000;
  Long large(writes(), 1);
  for (char one = 'a'; one < 'k'; ++one)
    large.rows(std::string(1, one), Verb::insert, 0, 2, std::string(kValueBytes, one));
  large.seal();
  outcome(1, Outcome::committed);
  JournalFeed feed(journal_, 0);
  const auto item = feed.next();
  ASSERT_NE(item->transaction->stored, nullptr);
  std::size_t rows = 0;
  item->transaction->for_each([&](const Entry& entry) {
    const auto text = item->transaction->text(entry.statement.text);
    for (const RowEffect& row : entry.statement.rows) {
      ++rows;
      EXPECT_EQ(row.values.at(1), std::string(kValueBytes, text.front()));
    }
    // No more values come together than a chunk is large, so that few are held at a time.
    EXPECT_LE(entry.statement.rows.size(), 1u);
    return true;
  });
  EXPECT_EQ(rows, 20u);
}

TEST_F(JournalFeedTest, GivesRowsThatChangeTheirKeysTogether) {
  constexpr int kRows = 20'000;
  Long large(writes(), 1);
  large.rows("shift", Verb::move, 0, kRows, std::string(100, 'b'));
  large.seal();
  outcome(1, Outcome::committed);
  JournalFeed feed(journal_, 0);
  const auto item = feed.next();
  ASSERT_NE(item->transaction->stored, nullptr);
  int statements = 0;
  item->transaction->for_each([&](const Entry& entry) {
    ++statements;
    EXPECT_EQ(entry.statement.rows.size(), static_cast<std::size_t>(kRows));
    EXPECT_EQ(entry.statement.rows.at(kRows - 1).values.at(0), std::to_string(kRows - 1));
    EXPECT_EQ(item->transaction->text(entry.statement.text), "shift");
    return true;
  });
  EXPECT_EQ(statements, 1);
}

TEST_F(JournalFeedTest, ReadsOnceMoreWhatDidNotFitBehindATransactionWithoutOutcome) {
  transaction(1, "first");
  constexpr std::uint64_t kTransactions = 120;
  for (std::uint64_t id = 2; id < 2 + kTransactions; ++id) {
    EntryWriter entries;
    entries.begin_statement(Verdict::keyed, Verb::update, 0, "text " + std::to_string(id), "");
    Parameter parameter;
    parameter.c_type = 1;  // SQL_C_CHAR
    const std::string value(60'000, 'v');
    parameter.indicator = static_cast<std::int64_t>(value.size());
    parameter.bytes = value;
    for (int i = 0; i < 12; ++i) entries.add_parameter(parameter);
    entries.end_statement(1);
    seal(id, entries, 0);
    outcome(id, Outcome::committed);
  }
  static_assert(kTransactions * 12 * 60'000 > kFeedBytesMax);
  JournalFeed feed(journal_, 0);
  EXPECT_FALSE(feed.next());
  EXPECT_EQ(feed.backlog(), 1 + kTransactions);
  outcome(1, Outcome::committed);
  EXPECT_EQ(id_of(feed.next()), 1u);
  for (std::uint64_t id = 2; id < 2 + kTransactions; ++id) {
    const auto item = feed.next();
    ASSERT_EQ(id_of(item), id);
    EXPECT_EQ(texts_of(*item->transaction), "text " + std::to_string(id) + ";");
    EXPECT_EQ(item->transaction->entries.at(0).statement.parameters.size(), 12u);
  }
}

}  // namespace
}  // namespace understudy
