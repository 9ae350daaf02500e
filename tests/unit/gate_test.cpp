#include "journal/gate.h"

#include <thread>

#include "tests/unit/segment_fixture.h"

namespace understudy {
namespace {

class GateTest : public SegmentTest {
 protected:
  void SetUp() override {
    SegmentTest::SetUp();
    create();
    set_mode(Mode::record);
  }
  Slot& session() { return map_->slot(*map_->register_session()); }
  void leave_session_in_flight_and_die() {
    in_killed_child([&] { Gate(*map_).enter(session()); });
  }
};

TEST_F(GateTest, OpenGateLetsASessionInAndMarksIt) {
  Slot& slot = session();
  Gate(*map_).enter(slot);
  EXPECT_EQ(slot.in_flight.load(), 1u);
  Gate(*map_).leave(slot);
  EXPECT_EQ(slot.in_flight.load(), 0u);
}

TEST_F(GateTest, SecondCloserIsRefused) {
  Gate gate(*map_);
  ASSERT_TRUE(gate.close(soon()).ok());
  EXPECT_EQ(gate.close(soon()).status().code(), Code::full);
}

TEST_F(GateTest, ClosesAgainAfterOpening) {
  Gate gate(*map_);
  const auto first = gate.close(soon());
  ASSERT_TRUE(gate.open(*first).ok());
  const auto second = gate.close(soon());
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(gate.open(*first).code(), Code::timeout);
  EXPECT_TRUE(gate.open(*second).ok());
}

TEST_F(GateTest, InvalidMigrationIsNotClosed) {
  map_->invalidate("test");
  EXPECT_EQ(Gate(*map_).close(soon()).status().code(), Code::invalid);
}

TEST_F(GateTest, NobodyIsInFlightBetweenWaitClearAndOpen) {
  Gate gate(*map_);
  std::atomic<bool> stop{false};
  std::vector<Slot*> slots;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) slots.push_back(&session());
  for (Slot* slot : slots) {
    threads.emplace_back([this, slot, &stop] {
      Gate mine(*map_);
      while (!stop) {
        mine.enter(*slot);
        slot->sealed.fetch_add(1, std::memory_order_relaxed);
        mine.leave(*slot);
      }
    });
  }
  const auto sealed = [&] {
    std::uint64_t sum = 0;
    for (Slot* slot : slots) sum += slot->sealed.load(std::memory_order_relaxed);
    return sum;
  };
  for (int round = 0; round < 300; ++round) {
    const auto token = gate.close(soon());
    ASSERT_TRUE(token.ok());
    ASSERT_TRUE(gate.wait_clear(soon(), nullptr).ok());
    const std::uint64_t before = sealed();
    std::this_thread::yield();
    EXPECT_EQ(sealed(), before);
    ASSERT_TRUE(gate.open(*token).ok());
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

TEST_F(GateTest, ExpiredGateIsOpenedByAWaiterAndItsCloserNotices) {
  Gate gate(*map_);
  const auto token = gate.close(shortly());
  Slot& slot = session();
  gate.enter(slot);
  EXPECT_EQ(slot.in_flight.load(), 1u);
  EXPECT_EQ(gate.open(*token).code(), Code::timeout);
}

TEST_F(GateTest, GateClosedWithoutEndEndsAtTheLimit) {
  ASSERT_TRUE(Gate(*map_).close(~0ull).ok());
  EXPECT_LE(map_->header().gate_deadline_ns.load(), monotonic_ns() + kGateNsMax);
}

TEST_F(GateTest, InvalidationOpensTheGateForWaitersAndItsCloserNotices) {
  Gate gate(*map_);
  const auto token = gate.close(soon());
  Slot& slot = session();
  std::thread waiter([&] { Gate(*map_).enter(slot); });
  map_->invalidate("test");
  waiter.join();
  EXPECT_EQ(gate.open(*token).code(), Code::timeout);
}

TEST_F(GateTest, WaitClearNamesTheProcessItWaitsFor) {
  Child child([&] {
    Gate(*map_).enter(session());
    arrive();
    sleep_for_ever();
    return true;
  });
  ASSERT_TRUE(wait_for_arrivals(1));
  Gate gate(*map_);
  ASSERT_TRUE(gate.close(soon()).ok());
  const Status status = gate.wait_clear(shortly(), nullptr);
  EXPECT_EQ(status.code(), Code::timeout);
  EXPECT_NE(status.message().find(std::to_string(child.pid())), std::string::npos);
}

TEST_F(GateTest, StoppedSessionInFlightHoldsTheCloser) {
  Child child([&] {
    Gate(*map_).enter(session());
    arrive();
    sleep_for_ever();
    return true;
  });
  ASSERT_TRUE(wait_for_arrivals(1));
  child.stop();
  ASSERT_TRUE(Gate(*map_).close(soon()).ok());
  EXPECT_EQ(Gate(*map_).wait_clear(shortly(), nullptr).code(), Code::timeout);
}

TEST_F(GateTest, DeadSessionInFlightIsCountedAndDoesNotHold) {
  leave_session_in_flight_and_die();
  ASSERT_TRUE(Gate(*map_).close(soon()).ok());
  std::uint32_t dead = 0;
  EXPECT_TRUE(Gate(*map_).wait_clear(soon(), &dead).ok());
  EXPECT_EQ(dead, 1u);
}

TEST_F(GateTest, SessionThatDiesWhileWaitedForReleasesTheCloser) {
  Child child([&] {
    Gate(*map_).enter(session());
    arrive();
    sleep_for_ever();
    return true;
  });
  ASSERT_TRUE(wait_for_arrivals(1));
  ASSERT_TRUE(Gate(*map_).close(soon()).ok());
  std::thread killer([&] { child.kill(); });
  std::uint32_t dead = 0;
  EXPECT_TRUE(Gate(*map_).wait_clear(soon(), &dead).ok());
  killer.join();
  EXPECT_EQ(dead, 1u);
}

// --- hold ---

class HoldTest : public GateTest {
 protected:
  BeginWrite begin(Slot& slot, std::uint64_t deadline_ns = 0, bool on_shadow = false) {
    return Hold(*map_).begin_write(slot, deadline_ns, &timed_out_, on_shadow);
  }
  [[nodiscard]] Mode mode() { return mode_of(map_->header().mode_word.load()); }
  bool timed_out_ = false;
};

TEST_F(HoldTest, WritingWhileIdleOrInvalidIsMarkedUnrecorded) {
  Slot& slot = session();
  for (const Mode mode : {Mode::idle, Mode::invalid}) {
    set_mode(mode);
    EXPECT_EQ(begin(slot), BeginWrite::unrecorded);
    EXPECT_EQ(slot.writing.load(), static_cast<std::uint32_t>(Writing::unrecorded));
    Hold(*map_).end_write(slot);
    EXPECT_EQ(slot.writing.load(), 0u);
  }
}

TEST_F(HoldTest, WritingWhileRecordingIsMarkedRecorded) {
  Slot& slot = session();
  EXPECT_EQ(begin(slot), BeginWrite::recorded);
  EXPECT_EQ(slot.writing.load(), static_cast<std::uint32_t>(Writing::recorded));
}

TEST_F(HoldTest, SwitchedSessionsMoveFirstAndThenWriteRecorded) {
  set_mode(Mode::switched);
  Slot& slot = session();
  EXPECT_EQ(begin(slot), BeginWrite::moved);
  EXPECT_EQ(slot.writing.load(), 0u);
  EXPECT_EQ(begin(slot, 0, true), BeginWrite::recorded);
}

TEST_F(HoldTest, SessionsOnTheShadowMoveBackFirstWhenProductionIsInUse) {
  Slot& slot = session();
  for (const Mode mode : {Mode::record, Mode::idle, Mode::invalid}) {
    set_mode(mode);
    EXPECT_EQ(begin(slot, 0, true), BeginWrite::moved);
    EXPECT_EQ(slot.writing.load(), 0u);
  }
}

TEST_F(HoldTest, WithoutAWayBackSessionsWriteUnrecordedOnTheShadow) {
  set_mode(Mode::one_way);
  Slot& slot = session();
  EXPECT_EQ(begin(slot), BeginWrite::moved);
  EXPECT_EQ(begin(slot, 0, true), BeginWrite::unrecorded);
  EXPECT_EQ(slot.writing.load(), static_cast<std::uint32_t>(Writing::unrecorded));
}

TEST_F(HoldTest, OnTheShadowAHoldEndsInSwitchedOrReturning) {
  set_mode(Mode::switched);
  const auto first = Hold(*map_).begin(soon());
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(mode(), Mode::hold_back);
  EXPECT_EQ(Hold(*map_).finish(*first, Mode::switching).status().code(), Code::invalid);
  ASSERT_TRUE(Hold(*map_).finish(*first, Mode::switched).ok());
  const auto second = Hold(*map_).begin(soon());
  const auto returning = Hold(*map_).finish(*second, Mode::returning);
  ASSERT_TRUE(returning.ok());
  ASSERT_TRUE(Hold(*map_).decide(*returning, Mode::record).ok());
  EXPECT_EQ(mode(), Mode::record);
}

TEST_F(HoldTest, ExpiredHoldOnTheShadowLeavesTheShadowInUse) {
  set_mode(Mode::switched);
  const auto word = Hold(*map_).begin(shortly());
  EXPECT_EQ(begin(session(), 0, true), BeginWrite::recorded);
  EXPECT_EQ(mode(), Mode::switched);
  EXPECT_EQ(Hold(*map_).finish(*word, Mode::returning).status().code(), Code::timeout);
}

TEST_F(HoldTest, InvalidationDuringAHoldOnTheShadowEndsRecordingThere) {
  set_mode(Mode::switched);
  const auto word = Hold(*map_).begin(soon());
  map_->invalidate("test");
  EXPECT_EQ(begin(session(), 0, true), BeginWrite::unrecorded);
  EXPECT_EQ(Hold(*map_).finish(*word, Mode::returning).status().code(), Code::invalid);
}

TEST_F(HoldTest, ModeWordThatIsNoModeIsReported) {
  map_->header().mode_word = 0x77;
  EXPECT_EQ(begin(session()), BeginWrite::invalid);
}

TEST_F(HoldTest, BeginsOnlyWhileRecording) {
  set_mode(Mode::idle);
  EXPECT_EQ(Hold(*map_).begin(soon()).status().code(), Code::invalid);
  set_mode(Mode::record);
  ASSERT_TRUE(Hold(*map_).begin(soon()).ok());
  EXPECT_EQ(Hold(*map_).begin(soon()).status().code(), Code::invalid);
}

TEST_F(HoldTest, SessionUnderAHoldTimesOutByItsOwnDeadlineWithoutItsMark) {
  ASSERT_TRUE(Hold(*map_).begin(soon()).ok());
  Slot& slot = session();
  begin(slot, shortly());
  EXPECT_TRUE(timed_out_);
  EXPECT_EQ(slot.writing.load(), 0u);
  EXPECT_EQ(mode(), Mode::hold);
  EXPECT_EQ(map_->header().hold_waits.load(), 1u);
  EXPECT_GT(map_->header().hold_wait_ns_max.load(), 0u);
}

TEST_F(HoldTest, ExpiredHoldIsEndedByAWaiterAndItsCloserNotices) {
  const auto word = Hold(*map_).begin(shortly());
  EXPECT_EQ(begin(session()), BeginWrite::recorded);
  EXPECT_FALSE(timed_out_);
  EXPECT_EQ(mode(), Mode::record);
  EXPECT_EQ(Hold(*map_).finish(*word, Mode::switching).status().code(), Code::timeout);
}

TEST_F(HoldTest, LateCloserCannotSwitchEvenWhenNobodyWaited) {
  const auto word = Hold(*map_).begin(monotonic_ns());
  EXPECT_EQ(Hold(*map_).finish(*word, Mode::switching).status().code(), Code::timeout);
  EXPECT_EQ(mode(), Mode::record);
}

TEST_F(HoldTest, SessionUnderASwitchNeverEndsIt) {
  const auto word = Hold(*map_).begin(monotonic_ns() + kNsPerSecond);
  ASSERT_TRUE(Hold(*map_).finish(*word, Mode::switching).ok());
  map_->header().hold_deadline_ns = 1;
  Slot& slot = session();
  begin(slot, shortly());
  EXPECT_TRUE(timed_out_);
  EXPECT_EQ(mode(), Mode::switching);
}

TEST_F(HoldTest, SessionHeldAcrossTheSwitchMoves) {
  const auto word = Hold(*map_).begin(soon());
  Slot& slot = session();
  BeginWrite answer{};
  std::thread waiter([&] { answer = begin(slot); });
  const auto switching = Hold(*map_).finish(*word, Mode::switching);
  ASSERT_TRUE(switching.ok());
  ASSERT_TRUE(Hold(*map_).decide(*switching, Mode::switched).ok());
  waiter.join();
  EXPECT_EQ(answer, BeginWrite::moved);
}

TEST_F(HoldTest, SessionHeldDuringACutoverThatGoesBackWritesRecorded) {
  const auto word = Hold(*map_).begin(soon());
  Slot& slot = session();
  BeginWrite answer{};
  std::thread waiter([&] { answer = begin(slot); });
  ASSERT_TRUE(Hold(*map_).finish(*word, Mode::record).ok());
  waiter.join();
  EXPECT_EQ(answer, BeginWrite::recorded);
}

TEST_F(HoldTest, DecisionIsMadeOnce) {
  const auto word = Hold(*map_).begin(soon());
  const auto switching = Hold(*map_).finish(*word, Mode::switching);
  ASSERT_TRUE(Hold(*map_).decide(*switching, Mode::record).ok());
  EXPECT_EQ(Hold(*map_).decide(*switching, Mode::switched).code(), Code::invalid);
}

TEST_F(HoldTest, InvalidationDuringAHoldEndsIt) {
  const auto word = Hold(*map_).begin(soon());
  Slot& slot = session();
  BeginWrite answer{};
  std::thread waiter([&] { answer = begin(slot); });
  map_->invalidate("test");
  waiter.join();
  EXPECT_EQ(answer, BeginWrite::unrecorded);
  EXPECT_EQ(Hold(*map_).finish(*word, Mode::switching).status().code(), Code::invalid);
}

TEST_F(HoldTest, WaitClearEndsWhenTheOpenTransactionEnds) {
  Slot& slot = session();
  begin(slot);
  ASSERT_TRUE(Hold(*map_).begin(soon()).ok());
  std::thread writer([&] { Hold(*map_).end_write(slot); });
  EXPECT_TRUE(Hold(*map_).wait_clear(Writing::recorded, soon()).ok());
  writer.join();
}

TEST_F(HoldTest, WaitClearNamesTheWritingProcess) {
  begin(session());
  const Status status = Hold(*map_).wait_clear(Writing::recorded, shortly());
  EXPECT_EQ(status.code(), Code::timeout);
  EXPECT_NE(status.message().find(std::to_string(::getpid())), std::string::npos);
}

TEST_F(HoldTest, StartWaitsForTransactionsThatWroteBeforeRecordingOnly) {
  set_mode(Mode::idle);
  Slot& early = session();
  begin(early);
  set_mode(Mode::record);
  begin(session());
  EXPECT_EQ(Hold(*map_).wait_clear(Writing::unrecorded, shortly()).code(), Code::timeout);
  std::thread writer([&] { Hold(*map_).end_write(early); });
  EXPECT_TRUE(Hold(*map_).wait_clear(Writing::unrecorded, soon()).ok());
  writer.join();
}

TEST_F(HoldTest, DeadWriterDoesNotHold) {
  in_killed_child([&] { begin(session()); });
  EXPECT_TRUE(Hold(*map_).wait_clear(Writing::recorded, soon()).ok());
}

TEST_F(HoldTest, NobodyWritesBetweenWaitClearAndFinish) {
  std::atomic<bool> stop{false};
  std::atomic<int> writing{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([this, &slot = session(), &stop, &writing] {
      Hold mine(*map_);
      bool late = false;
      while (!stop) {
        mine.begin_write(slot, 0, &late, false);
        ++writing;
        --writing;
        mine.end_write(slot);
      }
    });
  }
  for (int round = 0; round < 300; ++round) {
    const auto word = Hold(*map_).begin(soon());
    ASSERT_TRUE(word.ok());
    ASSERT_TRUE(Hold(*map_).wait_clear(Writing::recorded, soon()).ok());
    EXPECT_EQ(writing.load(), 0);
    ASSERT_TRUE(Hold(*map_).finish(*word, Mode::record).ok());
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace understudy
