// The feed over journals written by the real writer.
#include "replayer/apply/journal_feed.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <stdexcept>

namespace understudy {
namespace {

class JournalFeedTest : public ::testing::Test {
 protected:
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

}  // namespace
}  // namespace understudy
