#include "journal/journald.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <thread>

#include "faulty_files.h"
#include "journal/record.h"
#include "journal/ring.h"
#include "journal/segment.h"
#include "journal_folder.h"
#include "segment_fixture.h"

namespace understudy {
namespace {

namespace fs = std::filesystem;

struct Seen {
  std::uint64_t seq = 0;
  RecordType type{};
  std::uint64_t txn_id = 0;
  Outcome outcome = Outcome::unknown;
};

class Journald : public SegmentTest {
 protected:
  void SetUp() override {
    SegmentTest::SetUp();
    options_.home = home_;
    options_.migration = kName;
    options_.segment_bytes = kSegmentBytesMin;
  }

  /// Everything that is in the ring now, and the sessions that are gone now.
  Status run_once() {
    std::atomic<bool> stop = true;
    return run_journald(options_, stop);
  }

  std::uint32_t session() {
    const auto slot = map_->register_session();
    EXPECT_TRUE(slot.ok());
    return slot.ok() ? *slot : 0;
  }
  std::uint64_t next_txn(std::uint32_t slot) {
    return (map_->slot(slot).session_id.load() << 32) | ++last_txn_;
  }

  Ring::Claim publish(std::uint32_t slot, RingKind kind, std::uint64_t txn_id,
                      std::span<const std::byte> payload) {
    Ring ring(*map_);
    const auto claim =
        ring.claim(slot, kind, txn_id, static_cast<std::uint32_t>(payload.size()), soon());
    EXPECT_TRUE(claim.ok()) << claim.status().message();
    if (!claim.ok()) return {};
    if (!payload.empty()) std::memcpy(claim->payload.data(), payload.data(), payload.size());
    ring.publish(*claim);
    return *claim;
  }
  Ring::Claim publish_transaction(std::uint32_t slot, std::uint64_t txn_id) {
    EntryWriter writer;
    writer.begin_statement(Verdict::keyed, Verb::insert, 0, "insert into item values (?)", "");
    writer.end_statement(1);
    TransactionHead head;
    head.txn_id = txn_id;
    head.session_id = map_->slot(slot).session_id.load();
    head.entries = 1;
    std::vector<std::byte> payload(writer.payload_bytes(false));
    writer.write_payload(payload, &head);
    return publish(slot, RingKind::transaction, txn_id, payload);
  }
  Ring::Claim publish_outcome(std::uint32_t slot, std::uint64_t txn_id,
                              Outcome kind = Outcome::committed) {
    OutcomeRecord outcome;
    outcome.txn_id = txn_id;
    outcome.outcome = kind;
    return publish(slot, RingKind::outcome, txn_id, plain_payload(outcome));
  }

  /// The whole journal but for texts and closing records; checks that numbers are dense.
  std::vector<Seen> journal() {
    std::vector<Seen> out;
    auto reader = JournalReader::open(home_ + "/" + kName + "/journal", options_.keys);
    EXPECT_TRUE(reader.ok()) << reader.status().message();
    if (!reader.ok()) return out;
    for (std::uint64_t expected = 1;; ++expected) {
      const auto record = (*reader)->next();
      if (!record.ok()) {
        EXPECT_EQ(record.status().code(), Code::end) << record.status().message();
        return out;
      }
      EXPECT_EQ(record->seq, expected);
      Seen seen{record->seq, record->type, 0, Outcome::unknown};
      if (record->type == RecordType::transaction) {
        seen.txn_id = decode_head(record->payload)->txn_id;
        EntryReader entries(record->payload.subspan(sizeof(TransactionHead)));
        EXPECT_TRUE((*reader)->text(entries.next()->statement.text).ok());
      } else if (record->type == RecordType::outcome) {
        const auto outcome = plain_body<OutcomeRecord>(record->payload);
        seen.txn_id = outcome->txn_id;
        seen.outcome = outcome->outcome;
      } else if (record->type == RecordType::abandon) {
        std::memcpy(&seen.txn_id, record->payload.data(), sizeof(seen.txn_id));
      }
      if (record->type != RecordType::text && record->type != RecordType::next_segment &&
          record->type != RecordType::stream) {
        out.push_back(seen);
      }
    }
  }
  int count(RecordType type, std::uint64_t txn_id) {
    int found = 0;
    for (const auto& seen : journal()) found += seen.type == type && seen.txn_id == txn_id;
    return found;
  }
  Mode mode() { return mode_of(map_->header().mode_word.load()); }

  JournaldOptions options_;
  std::uint64_t last_txn_ = 0;
};

TEST_F(Journald, WritesWhatIsInTheRingInOrder) {
  create();
  const auto slot = session();
  const auto first = next_txn(slot);
  const auto second = next_txn(slot);
  publish_transaction(slot, first);
  publish_transaction(slot, second);
  publish_outcome(slot, second);
  publish_outcome(slot, first, Outcome::rolled_back);
  ASSERT_TRUE(run_once().ok());
  const auto seen = journal();
  ASSERT_EQ(seen.size(), 4u);
  EXPECT_EQ(seen[0].txn_id, first);
  EXPECT_EQ(seen[1].txn_id, second);
  EXPECT_EQ(seen[2].outcome, Outcome::committed);
  EXPECT_EQ(seen[3].outcome, Outcome::rolled_back);
}

TEST_F(Journald, PublishesItsFiguresAndFreesTheRing) {
  create();
  const auto slot = session();
  const auto txn = next_txn(slot);
  publish_transaction(slot, txn);
  publish_outcome(slot, txn, Outcome::unknown);
  ASSERT_TRUE(run_once().ok());
  ControlHeader& header = map_->header();
  EXPECT_EQ(header.journaled, 1u);
  EXPECT_EQ(header.journaled_seq, 3u);  // text, transaction, outcome
  EXPECT_EQ(header.durable_seq, 3u);
  EXPECT_EQ(header.in_doubt, 1u);
  EXPECT_GT(header.journal_bytes, 0u);
  EXPECT_EQ(header.durable_position, header.tail);
  EXPECT_EQ(header.head, header.tail);
}

TEST_F(Journald, LaterOutcomeEndsTheDoubt) {
  create();
  const auto slot = session();
  const auto txn = next_txn(slot);
  publish_transaction(slot, txn);
  publish_outcome(slot, txn, Outcome::unknown);
  ASSERT_TRUE(run_once().ok());
  EXPECT_EQ(map_->header().in_doubt, 1u);
  publish_outcome(slot, txn, Outcome::committed);
  ASSERT_TRUE(run_once().ok());
  EXPECT_EQ(map_->header().in_doubt, 0u);
}

TEST_F(Journald, SessionKilledBeforeItsOutcomeLeavesItUnknownAndItsSlotFree) {
  create();
  std::uint32_t slot = 0;
  in_killed_child([&] {
    slot = session();
    map_->slot(slot).in_flight = 1;
    publish_transaction(slot, next_txn(slot));
  });
  ASSERT_TRUE(run_once().ok());
  const auto seen = journal();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[1].type, RecordType::outcome);
  EXPECT_EQ(seen[1].txn_id, seen[0].txn_id);
  EXPECT_EQ(seen[1].outcome, Outcome::unknown);
  EXPECT_EQ(map_->header().in_doubt, 1u);
  EXPECT_EQ(map_->slot(0).state, static_cast<std::uint32_t>(SlotState::free));
  EXPECT_EQ(map_->slot(0).in_flight, 0u);
}

TEST_F(Journald, OutcomeThatADeadSessionLeftInTheRingCounts) {
  create();
  in_killed_child([&] {
    const auto slot = session();
    const auto txn = next_txn(slot);
    publish_transaction(slot, txn);
    publish_outcome(slot, txn);
  });
  ASSERT_TRUE(run_once().ok());
  const auto seen = journal();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[1].outcome, Outcome::committed);
}

TEST_F(Journald, SessionThatLivesKeepsItsTransactionOpen) {
  create();
  const auto slot = session();
  publish_transaction(slot, next_txn(slot));
  ASSERT_TRUE(run_once().ok());
  ASSERT_TRUE(run_once().ok());
  EXPECT_EQ(journal().size(), 1u);
  EXPECT_EQ(map_->header().in_doubt, 0u);
}

TEST_F(Journald, SessionThatDiedBetweenTwoRunsIsResolvedByTheSecond) {
  create();
  Child child([&] {
    const auto slot = session();
    publish_transaction(slot, next_txn(slot));
    arrive();
    sleep_for_ever();
    return true;
  });
  ASSERT_TRUE(wait_for_arrivals(1));
  ASSERT_TRUE(run_once().ok());
  EXPECT_EQ(journal().size(), 1u);
  child.end();
  ASSERT_TRUE(run_once().ok());
  ASSERT_TRUE(run_once().ok());
  EXPECT_EQ(journal().size(), 2u);
}

TEST_F(Journald, SlotThatHasAnotherSessionByNowResolvesTheFirst) {
  create();
  const auto slot = session();
  const auto txn = next_txn(slot);
  publish_transaction(slot, txn);
  map_->unregister_session(slot);
  ASSERT_EQ(session(), slot);
  ASSERT_TRUE(run_once().ok());
  EXPECT_EQ(count(RecordType::outcome, txn), 1);
}

TEST_F(Journald, ChunksOfADeadSessionAreAbandoned) {
  create();
  in_killed_child([&] {
    const auto slot = session();
    EntryWriter writer;
    writer.add_note("kind", "detail");
    std::vector<std::byte> payload(writer.payload_bytes(true));
    writer.write_payload(payload, nullptr);
    publish(slot, RingKind::chunk, 99, payload);
  });
  ASSERT_TRUE(run_once().ok());
  const auto seen = journal();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].type, RecordType::chunk);
  EXPECT_EQ(seen[1].type, RecordType::abandon);
  EXPECT_EQ(seen[1].txn_id, 99u);
}

TEST_F(Journald, RecordThatADeadSessionOnlyClaimedIsSkipped) {
  create();
  in_killed_child([&] {
    Ring ring(*map_);
    EXPECT_TRUE(ring.claim(session(), RingKind::transaction, 1, 100, soon()).ok());
  });
  const auto slot = session();
  const auto txn = next_txn(slot);
  publish_transaction(slot, txn);
  publish_outcome(slot, txn);
  ASSERT_TRUE(run_once().ok());
  const auto seen = journal();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].txn_id, txn);
}

TEST_F(Journald, AbandonAndMarkerAreWritten) {
  create();
  const auto slot = session();
  publish(slot, RingKind::abandon, 7, {});
  MarkerRecord marker;
  marker.id = 3;
  publish(slot, RingKind::marker, 0, plain_payload(marker));
  ASSERT_TRUE(run_once().ok());
  const auto seen = journal();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].txn_id, 7u);
  EXPECT_EQ(seen[1].type, RecordType::marker);
}

class Running : public Journald {
 protected:
  void start() {
    thread_ = std::thread([this] { result_ = run_journald(options_, stop_); });
  }
  Status finish() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    return result_;
  }
  void TearDown() override {
    (void)finish();
    Journald::TearDown();
  }
  std::atomic<bool> stop_ = false;
  std::thread thread_;
  Status result_;
};

TEST_F(Running, WithDurabilityPowerACommitterWaitsForItsOwnRecord) {
  create();
  map_->header().durability_power = 1;
  options_.sync_interval_ms = 1000;
  start();
  const auto slot = session();
  Ring ring(*map_);
  for (int i = 0; i < 20; ++i) {
    const auto claim = publish_transaction(slot, next_txn(slot));
    ASSERT_TRUE(ring.wait_durable(claim, soon()).ok());
    EXPECT_GE(map_->header().durable_seq, static_cast<std::uint64_t>(i) + 2);
  }
  EXPECT_TRUE(finish().ok());
}

TEST_F(Running, WithDurabilityProcessRecordsReachTheDiskToo) {
  create();
  options_.sync_interval_ms = 5;
  start();
  const auto slot = session();
  Ring ring(*map_);
  const auto claim = publish_transaction(slot, next_txn(slot));
  EXPECT_TRUE(ring.wait_durable(claim, soon()).ok());
  EXPECT_TRUE(finish().ok());
}

/// The disk has no room for a second segment.
class OnAFullDisk : public Running {
 protected:
  void SetUp() override {
    Running::SetUp();
    options_.files = &files_;
    create(kRingBytesMin << 4);  // more than the test publishes
    set_mode(Mode::record);
    slot_ = session();
  }

  /// More than a segment takes; returns when journald waits for room.
  void fill_the_segment() {
    files_.segments_until_full = 1;
    for (; published_ < kSegmentBytesMin / record_bytes(0); ++published_) {
      const auto txn = next_txn(slot_);
      publish_transaction(slot_, txn);
      publish_outcome(slot_, txn);
    }
    start();
    while (map_->header().lacks_room == 0)
      ASSERT_TRUE(futex_wait_until(map_->header().lacks_room, 0, soon()));
  }

  void expect_all_journaled() {
    std::set<std::uint64_t> transactions, outcomes;
    for (const Seen& seen : journal()) {
      if (seen.type == RecordType::transaction) transactions.insert(seen.txn_id);
      if (seen.type == RecordType::outcome) outcomes.insert(seen.txn_id);
      EXPECT_NE(seen.type, RecordType::gap);
    }
    EXPECT_EQ(transactions.size(), published_);
    EXPECT_EQ(outcomes, transactions);
  }

  FaultyFiles files_;
  std::uint32_t slot_ = 0;
  std::uint64_t published_ = 0;
};

TEST_F(OnAFullDisk, JournaldWaitsAndGoesOnWhenThereIsRoom) {
  fill_the_segment();
  EXPECT_TRUE(records(mode()));
  files_.segments_until_full = -1;
  while (map_->header().lacks_room != 0)
    ASSERT_TRUE(futex_wait_until(map_->header().lacks_room, 1, soon()));
  ASSERT_TRUE(finish().ok());
  EXPECT_EQ(map_->header().journaled, published_);
  expect_all_journaled();
}

TEST_F(OnAFullDisk, AJournaldThatIsStoppedLeavesTheRestToTheNextOne) {
  fill_the_segment();
  EXPECT_TRUE(finish().ok());
  EXPECT_TRUE(records(mode()));
  EXPECT_LT(map_->header().journaled, published_);
  files_.segments_until_full = -1;
  ASSERT_TRUE(run_once().ok());
  expect_all_journaled();
}

TEST_F(OnAFullDisk, ASecondJournaldFindsNoRoomAndChangesNothing) {
  fill_the_segment();
  EXPECT_TRUE(finish().ok());
  EXPECT_TRUE(run_once().ok());
  EXPECT_TRUE(records(mode()));
}

TEST_F(OnAFullDisk, WhenRecordingHasEndedJournaldEndsWithTheReason) {
  fill_the_segment();
  map_->invalidate("the ring is full");
  thread_.join();
  EXPECT_EQ(result_.code(), Code::full);
  EXPECT_EQ(map_->reason(), "the ring is full");
}

TEST_F(Running, RingThatDoesNotHoldTogetherInvalidatesTheMigration) {
  create();
  const auto slot = session();
  const auto claim = publish_transaction(slot, next_txn(slot));
  const std::uint32_t nonsense = 77;
  std::memcpy(map_->ring_data() + claim.position, &nonsense, sizeof(nonsense));
  start();
  thread_.join();
  EXPECT_EQ(result_.code(), Code::corrupt);
  EXPECT_EQ(mode(), Mode::invalid);
  EXPECT_NE(map_->reason().find("journald stopped"), std::string::npos);
  const auto seen = journal();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].type, RecordType::gap);
}

TEST_F(Journald, TextThatDoesNotFitItsNameInvalidatesTheMigration) {
  create();
  const auto slot = session();
  EntryWriter writer;
  writer.begin_statement(Verdict::keyed, Verb::insert, 0, "insert", "");
  writer.end_statement(1);
  TransactionHead head;
  head.txn_id = 1;
  std::vector<std::byte> payload(writer.payload_bytes(false));
  writer.write_payload(payload, &head);
  payload[4] ^= std::byte{1};  // the first text's name
  publish(slot, RingKind::transaction, 1, payload);
  EXPECT_EQ(run_once().code(), Code::corrupt);
  EXPECT_EQ(mode(), Mode::invalid);
}

TEST_F(Journald, AfterAGapNothingIsWrittenAnyMore) {
  create();
  const auto slot = session();
  publish(slot, RingKind::marker, 0, {});
  EXPECT_FALSE(run_once().ok());
  const auto size = journal().size();
  EXPECT_EQ(run_once().code(), Code::invalid);
  EXPECT_EQ(journal().size(), size);
}

TEST_F(Journald, OnlyOneRunsAtATime) {
  create();
  Child other([&] {
    if (!map_->lock(kLockJournald).ok()) return false;
    arrive();
    sleep_for_ever();
    return true;
  });
  ASSERT_TRUE(wait_for_arrivals(1));
  EXPECT_EQ(run_once().code(), Code::full);
}

TEST_F(Journald, NewSegmentNeverReusesTheNumbersOfSessionsInTheJournal) {
  create();
  map_->header().next_session_id = 40;
  const auto slot = session();
  const auto txn = next_txn(slot);
  publish_transaction(slot, txn);
  publish_outcome(slot, txn);
  ASSERT_TRUE(run_once().ok());
  map_.reset();
  ASSERT_TRUE(SegmentMap::remove(home_, kName).ok());
  create();
  ASSERT_TRUE(run_once().ok());
  EXPECT_GT(map_->slot(session()).session_id, 41u);
}

TEST_F(Journald, PositionsOfAnEarlierRingDoNotHideTheNewOnes) {
  create();
  const auto slot = session();
  for (int i = 0; i < 5; ++i) publish_transaction(slot, next_txn(slot));
  ASSERT_TRUE(run_once().ok());
  map_.reset();
  ASSERT_TRUE(SegmentMap::remove(home_, kName).ok());
  create();
  ASSERT_TRUE(run_once().ok());
  const auto later = session();
  const auto txn = next_txn(later);
  publish_transaction(later, txn);
  ASSERT_TRUE(run_once().ok());
  EXPECT_EQ(count(RecordType::transaction, txn), 1);
  EXPECT_EQ(map_->header().in_doubt, 5u);
  EXPECT_EQ(map_->header().journaled, 6u);
}

TEST_F(Journald, RecordWrittenBeforeAKillAndStillInTheRingIsNotWrittenAgain) {
  create();
  const auto slot = session();
  const auto txn = next_txn(slot);
  publish_transaction(slot, txn);
  ASSERT_TRUE(run_once().ok());
  // As the ring is when the write had returned and the head had not moved.
  ControlHeader& header = map_->header();
  const std::uint64_t end = header.tail;
  header.head = 0;
  header.tail = 0;
  publish_transaction(slot, txn);
  ASSERT_EQ(header.tail, end);
  const auto later = next_txn(slot);
  publish_transaction(slot, later);
  ASSERT_TRUE(run_once().ok());
  EXPECT_EQ(count(RecordType::transaction, txn), 1);
  EXPECT_EQ(count(RecordType::transaction, later), 1);
  EXPECT_EQ(header.journaled, 2u);
}

TEST_F(Journald, JournalThatIsShorterThanItWasIsRefused) {
  create();
  const auto slot = session();
  publish_transaction(slot, next_txn(slot));
  ASSERT_TRUE(run_once().ok());
  fs::remove_all(home_ + "/" + kName + "/journal");
  EXPECT_EQ(run_once().code(), Code::corrupt);
  EXPECT_EQ(mode(), Mode::invalid);
}

class OtherBoot : public Journald {
 protected:
  void write_journal_of_another_boot() {
    fs::create_directory(home_ + "/" + kName);
    JournalWriter::Options options;
    options.segment_bytes = kSegmentBytesMin;
    options.boot_id = "another-boot";
    auto writer = JournalWriter::open(home_ + "/" + kName + "/journal", options);
    ASSERT_TRUE(writer.ok());
    MarkerRecord marker;
    ASSERT_TRUE((*writer)
                    ->append(RecordType::marker, std::as_bytes(std::span(&marker, 1)), {}, {1, 64})
                    .ok());
    ASSERT_TRUE((*writer)->sync().ok());
  }
};

TEST_F(OtherBoot, WithDurabilityProcessTheMigrationIsInvalid) {
  create();
  write_journal_of_another_boot();
  EXPECT_EQ(run_once().code(), Code::invalid);
  EXPECT_EQ(mode(), Mode::invalid);
  EXPECT_NE(map_->reason().find("host restarted"), std::string::npos);
}

TEST_F(OtherBoot, WithDurabilityPowerRecordingGoesOn) {
  create();
  write_journal_of_another_boot();
  map_->header().durability_power = 1;
  EXPECT_TRUE(run_once().ok());
  EXPECT_NE(mode(), Mode::invalid);
}

TEST_F(Journald, WithAnotherKeyItWritesNothingAndEndsNothing) {
  create();
  set_mode(Mode::record);
  options_.keys = keys_of({'1'});
  const auto slot = session();
  const auto first = next_txn(slot);
  publish_transaction(slot, first);
  publish_outcome(slot, first);
  ASSERT_TRUE(run_once().ok());
  const auto second = next_txn(slot);
  publish_transaction(slot, second);
  publish_outcome(slot, second);
  const auto right = options_.keys;
  for (const auto& wrong : {keys_of({'2'}), std::shared_ptr<const JournalKeys>()}) {
    options_.keys = wrong;
    EXPECT_EQ(run_once().code(), Code::wrong_key);
    EXPECT_EQ(mode(), Mode::record);
    EXPECT_EQ(map_->reason(), "");
  }
  options_.keys = right;
  ASSERT_TRUE(run_once().ok());
  EXPECT_EQ(count(RecordType::transaction, second), 1);
  EXPECT_EQ(count(RecordType::transaction, first), 1);
}

// Producers in processes of their own; journald in one that is killed at random moments and begun
// again. Waiting for a random time is what the test is about.
class KilledJournald : public Journald, public testing::WithParamInterface<bool> {
 protected:
  KilledJournald() {
    if (GetParam()) options_.keys = keys_of({'1'});
  }
};
INSTANTIATE_TEST_SUITE_P(Journal, KilledJournald, testing::Bool(), [](const auto& encrypted) {
  return encrypted.param ? "Encrypted" : "Plain";
});

TEST_P(KilledJournald, AtAnyMomentLosesNothingAndWritesNothingTwice) {
  constexpr int kProducers = 2;
  constexpr std::uint64_t kTransactions = 5000;
  constexpr int kKillsMax = 150;
  constexpr std::uint64_t kShortLifeNs = 20'000'000;
  constexpr std::uint64_t kLongLifeNs = 999'999'999;
  std::mt19937_64 random(test_seed());
  create();
  std::vector<std::unique_ptr<Child>> producers;
  producers.reserve(kProducers);
  for (int i = 0; i < kProducers; ++i) {
    producers.push_back(std::make_unique<Child>([&] {
      const auto slot = session();
      for (std::uint64_t n = 0; n < kTransactions && !HasFailure(); ++n) {
        const auto txn = next_txn(slot);
        publish_transaction(slot, txn);
        publish_outcome(slot, txn);
      }
      arrive();
      return !HasFailure();
    }));
  }
  const auto run_for_ever = [&] {
    std::atomic<bool> never = false;
    return run_journald(options_, never).ok();
  };
  int kills = 0;
  std::uint64_t longest_ns = kShortLifeNs;
  for (; kills < kKillsMax && meeting().load() < kProducers; ++kills) {
    const std::uint64_t before = map_->header().journaled;
    {
      Child journald(run_for_ever);
      const timespec pause = {0, static_cast<long>(random() % longest_ns)};
      ::nanosleep(&pause, nullptr);
    }
    // Where it gets nowhere in its life, as on a busy machine, the next one lives longer.
    const bool moved = map_->header().journaled != before;
    longest_ns = moved ? kShortLifeNs : std::min(2 * longest_ns, kLongLifeNs);
  }
  {
    Child journald(run_for_ever);
    for (auto& producer : producers) EXPECT_EQ(producer->wait(), 0) << map_->reason();
  }
  ASSERT_TRUE(run_once().ok()) << map_->reason();
  std::printf("journald was killed %d times\n", kills + 1);
  std::map<std::uint64_t, int> transactions;
  std::map<std::uint64_t, int> outcomes;
  std::map<std::uint64_t, std::uint64_t> last_of_session;
  for (const auto& seen : journal()) {
    if (seen.type == RecordType::outcome) {
      ++outcomes[seen.txn_id];
      EXPECT_EQ(seen.outcome, Outcome::committed);
      continue;
    }
    ASSERT_EQ(seen.type, RecordType::transaction);
    ++transactions[seen.txn_id];
    EXPECT_EQ(seen.txn_id,
              ++last_of_session.try_emplace(seen.txn_id >> 32, seen.txn_id - 1).first->second);
  }
  EXPECT_EQ(transactions.size(), kProducers * kTransactions);
  EXPECT_EQ(outcomes.size(), kProducers * kTransactions);
  for (const auto& [txn, times] : transactions) EXPECT_EQ(times, 1) << txn;
  for (const auto& [txn, times] : outcomes) EXPECT_EQ(times, 1) << txn;
  EXPECT_EQ(map_->header().journaled, kProducers * kTransactions);
}

}  // namespace
}  // namespace understudy
