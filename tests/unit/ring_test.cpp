#include "journal/ring.h"

#include <atomic>
#include <cstring>
#include <map>
#include <thread>

#include "tests/unit/segment_fixture.h"

namespace understudy {
namespace {

constexpr std::uint64_t kHeader = sizeof(RingHeader);

class RingTest : public SegmentTest {
 protected:
  void SetUp() override {
    SegmentTest::SetUp();
    create();
    set_mode(Mode::record);
    slot_ = *map_->register_session();
  }
  Result<Ring::Claim> claim(std::uint64_t txn, std::uint32_t bytes, std::uint64_t deadline = 0) {
    return Ring(*map_).claim(slot_, RingKind::transaction, txn, bytes, deadline);
  }
  Ring::Claim put(std::uint64_t txn, std::uint32_t bytes = 8) {
    const auto made = claim(txn, bytes);
    EXPECT_TRUE(made.ok()) << made.status().message();
    std::memset(made->payload.data(), static_cast<int>(txn), bytes);
    Ring(*map_).publish(*made);
    return *made;
  }
  /// The transaction number at the head, which is then consumed; 0 when there is none yet.
  std::uint64_t take() {
    Ring ring(*map_);
    const auto item = ring.peek();
    if (!item.ok()) {
      EXPECT_EQ(item.status().code(), Code::end) << item.status().message();
      return 0;
    }
    const std::uint64_t txn = item->txn_id;
    ring.consume(*item);
    return txn;
  }
  RingHeader& header_at(std::uint64_t position) {
    return *reinterpret_cast<RingHeader*>(map_->ring_data() + position % map_->ring_bytes());
  }
  /// What a producer does up to and including the compare-and-swap, in the calling process.
  std::uint64_t announce_and_move_tail(std::uint64_t bytes) {
    Slot& slot = map_->slot(*map_->register_session());
    const std::uint64_t position = map_->header().tail.load();
    slot.claim_intent = position + 1;
    map_->header().tail = position + bytes;
    return position;
  }
  bool ahead_is_zero() {
    const std::uint64_t bytes = map_->ring_bytes();
    for (std::uint64_t at = map_->header().tail; at < map_->header().head + bytes; ++at)
      if (map_->ring_data()[at % bytes] != std::byte{0}) return false;
    return true;
  }
  std::uint32_t slot_ = 0;
};

TEST_F(RingTest, ReadsBackWhatWasPublishedInTheOrderOfTheClaims) {
  const auto first = claim(1, 5);
  const auto second = claim(2, 9);
  Ring ring(*map_);
  ring.publish(*second);
  EXPECT_EQ(take(), 0u) << "the first is still being written";
  std::memcpy(first->payload.data(), "hello", 5);
  ring.publish(*first);
  const auto item = ring.peek();
  ASSERT_TRUE(item.ok());
  EXPECT_EQ(std::memcmp(item->payload.data(), "hello", 5), 0);
  EXPECT_EQ(item->payload.size(), 5u);
  EXPECT_EQ(item->slot, slot_);
  EXPECT_EQ(take(), 1u);
  EXPECT_EQ(take(), 2u);
  EXPECT_EQ(take(), 0u);
}

TEST_F(RingTest, BatchIsReadAheadAndConsumedAtOnce) {
  put(1);
  put(2);
  put(3);
  Ring ring(*map_);
  auto item = ring.peek();
  item = ring.peek_after(*item);
  item = ring.peek_after(*item);
  ASSERT_EQ(item->txn_id, 3u);
  EXPECT_EQ(ring.peek_after(*item).status().code(), Code::end);
  ring.consume(*item);
  EXPECT_EQ(ring.used_bytes(), 0u);
  EXPECT_TRUE(ahead_is_zero());
}

TEST_F(RingTest, SkipsAnAbortedRecord) {
  const auto void_claim = claim(1, 100);
  put(2);
  Ring(*map_).abort(*void_claim);
  EXPECT_EQ(take(), 2u);
  EXPECT_TRUE(ahead_is_zero());
}

TEST_F(RingTest, RefusesARecordOverItsLimit) {
  EXPECT_EQ(claim(1, Ring(*map_).payload_bytes_max() + 1).status().code(), Code::invalid);
  EXPECT_TRUE(claim(1, Ring(*map_).payload_bytes_max()).ok());
}

TEST_F(RingTest, RefusesASlotThatIsNone) {
  EXPECT_EQ(Ring(*map_).claim(kSlotCount, RingKind::outcome, 1, 8, 0).status().code(),
            Code::invalid);
}

TEST_F(RingTest, RecordThatDoesNotFitBeforeTheEndStartsAnewBehindPadding) {
  const std::uint64_t capacity = map_->ring_bytes();
  // Every remainder from 8 bytes on, also those too small for a whole header.
  for (std::uint64_t left = 8; left <= 128; left += 8) {
    map_->header().head = capacity - left;
    map_->header().tail = capacity - left;
    const auto made = put(left, 128);
    EXPECT_EQ(made.position, capacity);
    EXPECT_EQ(take(), left);
    EXPECT_TRUE(ahead_is_zero());
  }
}

TEST_F(RingTest, RecordThatEndsExactlyAtTheEndNeedsNoPadding) {
  const std::uint64_t at = map_->ring_bytes() - kHeader - 64;
  map_->header().head = at;
  map_->header().tail = at;
  EXPECT_EQ(put(1, 64).position, at);
  EXPECT_EQ(put(2, 64).position, map_->ring_bytes());
  EXPECT_EQ(take(), 1u);
  EXPECT_EQ(take(), 2u);
}

TEST_F(RingTest, CanBeFilledToTheLastByteAndEmptied) {
  const auto bytes = static_cast<std::uint32_t>(map_->ring_bytes() / 64 - kHeader);
  for (std::uint64_t txn = 1; txn <= 64; ++txn) put(txn, bytes);
  EXPECT_EQ(Ring(*map_).used_bytes(), map_->ring_bytes());
  EXPECT_EQ(claim(65, 0).status().code(), Code::full);
  for (std::uint64_t txn = 1; txn <= 64; ++txn) EXPECT_EQ(take(), txn);
  EXPECT_EQ(take(), 0u);
  EXPECT_TRUE(ahead_is_zero());
}

TEST_F(RingTest, ClaimOnAFullRingEndsAtItsDeadline) {
  while (claim(1, 4096).ok()) {
  }
  const std::uint64_t deadline = shortly();
  EXPECT_EQ(claim(1, 4096, deadline).status().code(), Code::full);
  EXPECT_GE(monotonic_ns(), deadline);
  EXPECT_EQ(map_->slot(slot_).claim_intent.load(), 0u);
}

TEST_F(RingTest, ClaimOnAFullRingGoesOnWhenTheConsumerMakesRoom) {
  const auto bytes = static_cast<std::uint32_t>(map_->ring_bytes() / 8 - kHeader);
  for (std::uint64_t txn = 1; txn <= 8; ++txn) put(txn, bytes);
  std::thread consumer([&] { EXPECT_EQ(take(), 1u); });
  EXPECT_TRUE(claim(9, bytes, soon()).ok());
  consumer.join();
}

TEST_F(RingTest, ClaimOnAFullRingEndsWhenTheMigrationBecomesInvalid) {
  while (claim(1, 4096).ok()) {
  }
  std::thread other([&] { map_->invalidate("test"); });
  EXPECT_EQ(claim(1, 4096, soon()).status().code(), Code::full);
  other.join();
}

TEST_F(RingTest, PublishWakesASleepingConsumer) {
  std::thread producer([&] { put(1); });
  const std::uint64_t deadline = soon();
  while (take() == 0 && monotonic_ns() < deadline) Ring(*map_).wait_for_data(deadline);
  EXPECT_LT(monotonic_ns(), deadline);
  producer.join();
}

TEST_F(RingTest, WaitDurableEndsWhenThePositionIsOnDisk) {
  const auto made = put(1);
  Ring ring(*map_);
  EXPECT_EQ(ring.wait_durable(made, shortly()).code(), Code::timeout);
  std::thread journald([&] {
    map_->header().durable_position = made.position + 40;
    map_->header().durable_wake.fetch_add(1);
    futex_wake_all(map_->header().durable_wake);
  });
  EXPECT_TRUE(ring.wait_durable(made, soon()).ok());
  journald.join();
}

// --- dead producers ---

TEST_F(RingTest, SkipsZerosOfAProducerThatDiedBeforeItsHeader) {
  put(1);
  in_killed_child([&] { announce_and_move_tail(kHeader + 64); });
  put(2);
  EXPECT_EQ(take(), 1u);
  EXPECT_EQ(take(), 2u);
  EXPECT_TRUE(ahead_is_zero());
}

TEST_F(RingTest, SkipsZerosUpToTheTail) {
  in_killed_child([&] { announce_and_move_tail(kHeader + 64); });
  EXPECT_EQ(take(), 0u);
  EXPECT_EQ(Ring(*map_).used_bytes(), 0u);
}

TEST_F(RingTest, SkipsARecordWhoseProducerDiedAfterItsLength) {
  in_killed_child([&] { header_at(announce_and_move_tail(kHeader)).length = kHeader; });
  put(2);
  EXPECT_EQ(take(), 2u);
  EXPECT_TRUE(ahead_is_zero());
}

TEST_F(RingTest, SkipsARecordWhoseProducerDiedInTheMiddleOfItsHeader) {
  in_killed_child([&] {
    RingHeader& header = header_at(announce_and_move_tail(kHeader + 64));
    header.length = kHeader + 64;
    header.state = static_cast<std::uint32_t>(RingState::claimed);
    header.txn_id = 7;
  });
  put(2);
  EXPECT_EQ(take(), 2u);
  EXPECT_TRUE(ahead_is_zero());
}

TEST_F(RingTest, SkipsARecordThatADeadProducerClaimed) {
  in_killed_child([&] {
    slot_ = *map_->register_session();
    std::memset(claim(1, 64)->payload.data(), 0xff, 40);
  });
  put(2);
  EXPECT_EQ(take(), 2u);
  EXPECT_TRUE(ahead_is_zero());
}

TEST_F(RingTest, SkipsAClaimWhoseSlotBelongsToALaterSession) {
  in_killed_child([&] {
    slot_ = *map_->register_session();
    ASSERT_TRUE(claim(1, 64).ok());
  });
  ASSERT_TRUE(map_->release_dead(slot_ + 1));
  ASSERT_EQ(*map_->register_session(), slot_ + 1);
  put(2);
  EXPECT_EQ(take(), 2u);
}

TEST_F(RingTest, ReadsARecordThatADeadProducerPrepared) {
  in_killed_child([&] {
    slot_ = *map_->register_session();
    put(1);
  });
  put(2);
  EXPECT_EQ(take(), 1u);
  EXPECT_EQ(take(), 2u);
}

TEST_F(RingTest, SkipsPaddingAndZerosOfAProducerThatDiedAtTheEndOfTheMemory) {
  map_->header().head = map_->ring_bytes() - 16;
  map_->header().tail = map_->ring_bytes() - 16;
  in_killed_child([&] {
    RingHeader& padding = header_at(announce_and_move_tail(16 + kHeader + 64));
    padding.length = 16;
    padding.state = static_cast<std::uint32_t>(RingState::padding);
  });
  put(2);
  EXPECT_EQ(take(), 2u);
  EXPECT_TRUE(ahead_is_zero());
}

TEST_F(RingTest, RingFullOfDeadClaimsBecomesUsableAgain) {
  in_killed_child([&] {
    slot_ = *map_->register_session();
    while (claim(1, 4096).ok()) {
    }
  });
  EXPECT_EQ(claim(2, 4096).status().code(), Code::full);
  EXPECT_EQ(take(), 0u);
  EXPECT_TRUE(claim(2, 4096).ok());
}

TEST_F(RingTest, ExactlyFullRingOfADeadClaimAtItsHeadIsResolved) {
  const auto bytes = static_cast<std::uint32_t>(map_->ring_bytes() / 8 - kHeader);
  in_killed_child([&] {
    slot_ = *map_->register_session();
    ASSERT_TRUE(claim(1, bytes).ok());
  });
  for (std::uint64_t txn = 2; txn <= 8; ++txn) put(txn, bytes);
  ASSERT_EQ(Ring(*map_).used_bytes(), map_->ring_bytes());
  for (std::uint64_t txn = 2; txn <= 8; ++txn) EXPECT_EQ(take(), txn);
}

TEST_F(RingTest, StoppedProducerIsWaitedForHoweverLong) {
  Child child([&] {
    announce_and_move_tail(kHeader + 64);
    arrive();
    sleep_for_ever();
    return true;
  });
  ASSERT_TRUE(wait_for_arrivals(1));
  child.stop();
  put(2);
  EXPECT_EQ(take(), 0u);
  child.kill();
  EXPECT_EQ(take(), 2u);
}

TEST_F(RingTest, ClaimBehindPaddingThatWasPassedAlreadyIsStillWaitedFor) {
  map_->header().head = map_->ring_bytes() - 16;
  map_->header().tail = map_->ring_bytes() - 16;
  Child child([&] {
    RingHeader& padding = header_at(announce_and_move_tail(16 + kHeader + 64));
    padding.length = 16;
    padding.state = static_cast<std::uint32_t>(RingState::padding);
    arrive();
    sleep_for_ever();
    return true;
  });
  ASSERT_TRUE(wait_for_arrivals(1));
  EXPECT_EQ(take(), 0u);
  EXPECT_EQ(map_->header().head.load(), map_->ring_bytes());
  EXPECT_EQ(take(), 0u);
  EXPECT_EQ(map_->header().head.load(), map_->ring_bytes());
}

// --- bytes that cannot be ---

struct Damage {
  const char* name;
  void (*inflict)(RingHeader&);
};

class RingDamage : public RingTest, public ::testing::WithParamInterface<Damage> {};

TEST_P(RingDamage, IsRefused) {
  const auto made = put(1, 64);
  GetParam().inflict(header_at(made.position));
  put(2);
  EXPECT_EQ(Ring(*map_).peek().status().code(), Code::corrupt);
  EXPECT_EQ(map_->header().head.load(), 0u) << "nothing is freed";
}

INSTANTIATE_TEST_SUITE_P(
    Header, RingDamage,
    ::testing::Values(
        Damage{"LengthZero", [](RingHeader& header) { header.length = 0; }},
        Damage{"LengthOdd", [](RingHeader& header) { header.length += 1; }},
        Damage{"LengthBelowHeader", [](RingHeader& header) { header.length = 24; }},
        Damage{"LengthBeyondTail", [](RingHeader& header) { header.length = 4096; }},
        Damage{"LengthHuge", [](RingHeader& header) { header.length = 0xfffffff8; }},
        Damage{"PayloadBeyondLength", [](RingHeader& header) { header.payload_bytes += 8; }},
        Damage{"PayloadHuge", [](RingHeader& header) { header.payload_bytes = 0xffffffff; }},
        Damage{"KindUnknown", [](RingHeader& header) { header.kind = 77; }},
        Damage{"SlotUnknown", [](RingHeader& header) { header.slot = kSlotCount; }},
        Damage{"StateUnknown", [](RingHeader& header) { header.state = 9; }},
        Damage{"PaddingOdd",
               [](RingHeader& header) {
                 header.state = 3;
                 header.length = 9;
               }},
        Damage{"PaddingZero",
               [](RingHeader& header) {
                 header.state = 3;
                 header.length = 0;
               }},
        Damage{"ClaimedTooLong",
               [](RingHeader& header) {
                 header.state = 1;
                 header.length = 1u << 30;
               }}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST_F(RingTest, RefusesPositionsThatCannotBe) {
  ControlHeader& header = map_->header();
  const auto refused = [&](std::uint64_t head, std::uint64_t tail) {
    header.head = head;
    header.tail = tail;
    EXPECT_EQ(Ring(*map_).peek().status().code(), Code::corrupt) << head << " " << tail;
    EXPECT_EQ(claim(1, 8).status().code(), Code::corrupt) << head << " " << tail;
    EXPECT_LE(Ring(*map_).used_bytes(), map_->ring_bytes());
  };
  refused(64, 0);
  refused(0, map_->ring_bytes() + 8);
  refused(4, 64);
  refused(0, 63);
}

TEST_F(RingTest, ArbitraryBytesNeverCrashTheConsumer) {
  const std::uint64_t seed = test_seed();
  std::mt19937_64 random(seed);
  for (int round = 0; round < 2000; ++round) {
    auto* words = reinterpret_cast<std::uint64_t*>(map_->ring_data());
    std::memset(words, 0, map_->ring_bytes());
    const std::uint64_t tail = random() % 128 * 8;
    for (std::uint64_t i = 0; i < tail / 8; ++i) {
      if (random() % 2 == 0) words[i] = random() % 4 | (random() % 16 * 8) << 32;
      if (random() % 8 == 0) words[i] = random();
    }
    map_->header().head = 0;
    map_->header().tail = tail;
    Ring ring(*map_);
    auto item = ring.peek();
    for (int i = 0; i < 200 && item.ok(); ++i) {
      EXPECT_LE(item->next_position, tail);
      item = ring.peek_after(*item);
    }
  }
}

// --- many processes ---

struct Stamp {
  std::uint64_t producer;
  std::uint64_t number;
  std::uint64_t sum;
};

std::uint64_t sum_of(std::span<const std::byte> bytes) {
  std::uint64_t sum = 0;
  for (const std::byte b : bytes) sum = sum * 31 + static_cast<std::uint64_t>(b);
  return sum;
}

constexpr std::uint64_t kRecordsPerProducer = 20000;

/// Publishes numbered records of random sizes, aborting some claims between them.
bool produce(SegmentMap& map, std::uint64_t producer, std::uint64_t seed) {
  std::mt19937_64 random(seed + producer);
  Ring ring(map);
  const auto slot = map.register_session();
  for (std::uint64_t number = 1; slot.ok() && number <= kRecordsPerProducer; ++number) {
    const std::uint64_t limit = random() % 64 == 0 ? 4000 : 200;
    const auto bytes = static_cast<std::uint32_t>(sizeof(Stamp) + random() % limit);
    const auto made = ring.claim(*slot, RingKind::transaction, number, bytes, soon());
    if (!made.ok()) return false;
    if (random() % 16 == 0) {
      ring.abort(*made);
      --number;
      continue;
    }
    const auto rest = made->payload.subspan(sizeof(Stamp));
    for (std::byte& b : rest) b = static_cast<std::byte>(random());
    const Stamp stamp{producer, number, sum_of(rest)};
    std::memcpy(made->payload.data(), &stamp, sizeof(stamp));
    ring.publish(*made);
  }
  return slot.ok();
}

/// Checks a record and notes its number; false when it is not the producer's next.
bool accept(const Ring::Item& item, std::map<std::uint64_t, std::uint64_t>& last) {
  Stamp stamp{};
  if (item.payload.size() < sizeof(stamp)) return false;
  std::memcpy(&stamp, item.payload.data(), sizeof(stamp));
  return stamp.number == ++last[stamp.producer] && stamp.number == item.txn_id &&
         stamp.sum == sum_of(item.payload.subspan(sizeof(stamp)));
}

// The consumer looks at a record, then at who is alive: a claim that ends between the two is one of
// the living, though no intent tells of it any more.
TEST_F(RingTest, ALiveProducerIsNotPassedWhileItsClaimEnds) {
  constexpr std::uint64_t kRecords = 30000;
  std::atomic<bool> go = true;
  std::thread producer([&] {
    Ring ring(*map_);
    for (std::uint64_t txn = 1; txn <= kRecords && go; ++txn) {
      const auto made = ring.claim(slot_, RingKind::transaction, txn, 8, soon());
      if (!made.ok()) break;
      // As long as the consumer looks at all slots.
      for (std::uint32_t i = 0; i < kSlotCount; ++i) (void)map_->slot(i).claim_intent.load();
      ring.publish(*made);
    }
  });
  Ring ring(*map_);
  // Long enough for a look to fall between the two, also where each step takes long.
  const std::uint64_t deadline = monotonic_ns() + 10 * kNsPerSecond;
  std::uint64_t next = 1;
  while (next <= kRecords && monotonic_ns() < deadline) {
    const auto item = ring.peek();
    if (!item.ok() && item.status().code() == Code::end) continue;
    const bool right = item.ok() && item->txn_id == next;
    EXPECT_TRUE(right) << "in place of " << next;
    if (!right) break;
    ring.consume(*item);
    ++next;
  }
  go = false;
  producer.join();
  EXPECT_GT(next, kRecords / 100) << "too few to meet the moment";
}

TEST_F(RingTest, ManyProcessesOneOfThemKilledLoseNothingAndKeepTheirOrder) {
  const std::uint64_t seed = test_seed();
  constexpr std::uint64_t kProducers = 4;
  std::vector<Child> children;
  for (std::uint64_t producer = 0; producer < kProducers; ++producer)
    children.emplace_back([this, producer, seed] { return produce(*map_, producer, seed); });
  std::map<std::uint64_t, std::uint64_t> last;
  const std::uint64_t kill_at = seed % kRecordsPerProducer / 2;
  bool killed = false;
  const auto complete = [&] {
    for (std::uint64_t producer = 1; producer < kProducers; ++producer)
      if (last[producer] < kRecordsPerProducer) return false;
    return true;
  };
  Ring ring(*map_);
  const std::uint64_t deadline = monotonic_ns() + 120 * kNsPerSecond;
  while (!complete()) {
    ASSERT_LT(monotonic_ns(), deadline);
    auto item = ring.peek();
    if (!item.ok()) {
      ASSERT_EQ(item.status().code(), Code::end) << item.status().message();
      ring.wait_for_data(monotonic_ns() + kNsPerSecond / 10);
      continue;
    }
    for (auto next = item; next.ok(); next = ring.peek_after(*item)) {
      item = next;
      ASSERT_TRUE(accept(*item, last)) << "after " << last[0] << " of the killed producer";
    }
    ring.consume(*item);
    if (!killed && last[0] >= kill_at) {
      children[0].end();
      killed = true;
    }
  }
  for (std::uint64_t producer = 1; producer < kProducers; ++producer)
    EXPECT_EQ(children[producer].wait(), 0);
  while (take() != 0) {
  }
  EXPECT_EQ(ring.used_bytes(), 0u);
  EXPECT_TRUE(ahead_is_zero());
}

}  // namespace
}  // namespace understudy
