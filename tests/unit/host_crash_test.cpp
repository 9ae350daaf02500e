// The host goes down while journald writes: whatever was not synced may be lost in part.
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "journal/journald.h"
#include "journal/record.h"
#include "journal/ring.h"
#include "journal/segment.h"
#include "tests/unit/journal_folder.h"
#include "tests/unit/lossy_disk.h"
#include "tests/unit/segment_fixture.h"

namespace understudy {
namespace {

class HostCrash : public SegmentTest {
 protected:
  using Transactions = std::set<std::uint64_t>;
  static constexpr int kCommitters = 3;

  void SetUp() override {
    SegmentTest::SetUp();
    options_.home = home_;
    options_.migration = kName;
    options_.segment_bytes = kSegmentBytesMin;
    options_.sync_interval_ms = 1;
  }

  [[nodiscard]] bool invalid() const {
    return mode_of(map_->header().mode_word.load()) == Mode::invalid;
  }

  /// Commits until the host is down. What was acknowledged is added to `out`.
  void commit_until(const LossyDisk& disk, bool power, Transactions* out) {
    const auto slot = map_->register_session();
    ASSERT_TRUE(slot.ok());
    Ring ring(*map_);
    std::uint64_t number = 0;
    const std::string text(200, 'x');
    while (!disk.down()) {
      const std::uint64_t txn = (map_->slot(*slot).session_id.load() << 32) | ++number;
      EntryWriter writer;
      writer.begin_statement(Verdict::keyed, Verb::insert, 0, text + std::to_string(number % 7),
                             "");
      writer.end_statement(1);
      TransactionHead head;
      head.txn_id = txn;
      head.session_id = map_->slot(*slot).session_id.load();
      head.entries = 1;
      std::vector<std::byte> payload(writer.payload_bytes(false));
      writer.write_payload(payload, &head);
      const auto bytes = static_cast<std::uint32_t>(payload.size());
      auto claim = ring.claim(*slot, RingKind::transaction, txn, bytes, shortly());
      while (!claim.ok()) {
        if (disk.down() || invalid()) return;
        claim = ring.claim(*slot, RingKind::transaction, txn, bytes, shortly());
      }
      std::memcpy(claim->payload.data(), payload.data(), payload.size());
      ring.publish(*claim);
      // journald may have gone down before it began, and then nobody wakes who waits.
      while (power && !ring.wait_durable(*claim, shortly()).ok()) {
        if (disk.down() || invalid()) return;
      }
      out->insert(txn);
    }
  }

  /// A boot of the host, from journald's first call to its last. What was acknowledged.
  Transactions boot(std::uint64_t crash_at, std::mt19937_64& random, bool power) {
    create();
    map_->header().durability_power = power ? 1 : 0;
    LossyDisk disk(crash_at);
    options_.files = &disk;
    options_.boot_id = "boot-" + std::to_string(random());
    std::atomic<bool> stop = false;
    std::thread journald([&] { (void)run_journald(options_, stop); });
    std::vector<Transactions> seen(kCommitters);
    std::vector<std::thread> committers;
    for (Transactions& one : seen) {
      committers.emplace_back([&] { commit_until(disk, power, &one); });
    }
    for (std::thread& one : committers) one.join();
    stop =
        true;  // what failed may be the segment it was going to need, and nothing asks for it now
    journald.join();
    EXPECT_TRUE(disk.down());
    disk.lose(random);
    options_.files = nullptr;
    map_.reset();
    EXPECT_TRUE(SegmentMap::remove(home_, kName).ok());
    Transactions out;
    for (const Transactions& one : seen) out.insert(one.begin(), one.end());
    return out;
  }

  /// After the reboot.
  Status recover(bool power) {
    create();
    map_->header().durability_power = power ? 1 : 0;
    options_.boot_id = "boot-after";
    std::atomic<bool> stop = true;
    return run_journald(options_, stop);
  }

  Transactions journal() {
    Transactions out;
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
      if (record->type != RecordType::transaction) continue;
      EntryReader entries(record->payload.subspan(sizeof(TransactionHead)));
      EXPECT_TRUE((*reader)->text(entries.next()->statement.text).ok());
      out.insert(decode_head(record->payload)->txn_id);
    }
  }

  JournaldOptions options_;
};

TEST_F(HostCrash, WithDurabilityPowerNothingThatWasAcknowledgedIsLost) {
  constexpr int kCrashes = 60;
  std::mt19937_64 random(test_seed());
  std::size_t acknowledged = 0;
  for (int i = 0; i < kCrashes && !HasFailure(); ++i) {
    const std::uint64_t crash_at = random() % (i % 3 == 0 ? 30 : 400);
    options_.keys = i % 2 == 0 ? nullptr : keys_of({'1'});
    const Transactions told = boot(crash_at, random, true);
    const Status status = recover(true);
    EXPECT_TRUE(status.ok()) << status.message();
    const Transactions found = journal();
    for (const std::uint64_t txn : told) {
      EXPECT_TRUE(found.contains(txn)) << "crash " << i << " at call " << crash_at;
    }
    acknowledged += told.size();
    map_.reset();
    EXPECT_TRUE(SegmentMap::remove(home_, kName).ok());
    std::filesystem::remove_all(home_ + "/" + kName);
  }
  EXPECT_GT(acknowledged, 0u);
  std::printf("%zu transactions were acknowledged before %d crashes\n", acknowledged, kCrashes);
}

TEST_F(HostCrash, OneAfterTheOtherLeavesOneJournal) {
  constexpr int kCrashes = 12;
  options_.keys = keys_of({'1'});
  std::mt19937_64 random(test_seed());
  Transactions told;
  for (int i = 0; i < kCrashes && !HasFailure(); ++i) {
    told.merge(boot(random() % 200, random, true));
    const Transactions found = [&] {
      const Status status = recover(true);
      EXPECT_TRUE(status.ok()) << status.message();
      map_.reset();
      EXPECT_TRUE(SegmentMap::remove(home_, kName).ok());
      return journal();
    }();
    for (const std::uint64_t txn : told) EXPECT_TRUE(found.contains(txn)) << "crash " << i;
  }
}

TEST_F(HostCrash, WithDurabilityProcessTheMigrationIsInvalidAfterwards) {
  constexpr int kCrashes = 20;
  std::mt19937_64 random(test_seed());
  for (int i = 0; i < kCrashes && !HasFailure(); ++i) {
    (void)boot(50 + random() % 200, random, false);
    EXPECT_EQ(recover(false).code(), Code::invalid);
    EXPECT_EQ(mode_of(map_->header().mode_word.load()), Mode::invalid);
    EXPECT_NE(map_->reason().find("host restarted"), std::string::npos);
    map_.reset();
    EXPECT_TRUE(SegmentMap::remove(home_, kName).ok());
    std::filesystem::remove_all(home_ + "/" + kName);
  }
}

}  // namespace
}  // namespace understudy
