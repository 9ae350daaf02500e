#include "journal/segment_map.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstring>

#include "journal/access.h"
#include "tests/unit/segment_fixture.h"

namespace understudy {
namespace {

class SharedSegment : public SegmentTest {
 protected:
  /// Creates the segment's file as a creator would that has not come far, locking kLockCreate.
  void half_create() const {
    const int fd = ::shm_open(segment_name(home_, kName).c_str(), O_RDWR | O_CREAT, 0660);
    ASSERT_EQ(::ftruncate(fd, 4096), 0);
    struct flock range {};
    range.l_type = F_WRLCK;
    range.l_start = static_cast<off_t>(kLockCreate);
    range.l_len = 1;
    ASSERT_EQ(::fcntl(fd, F_SETLK, &range), 0);
  }
  /// What opening says after the header was changed.
  Status open_after(const std::function<void(ControlHeader&)>& change) {
    change(create().header());
    map_.reset();
    auto opened = SegmentMap::open(home_, kName);
    return opened.ok() ? Status() : opened.status();
  }
};

TEST_F(SharedSegment, MemoryOfOneThatWasRemovedIsGivenBack) {
  const auto held = [] {
    int count = 0;
    for (const auto& one : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      const std::string target = std::filesystem::read_symlink(one, gone).string();
      count += target.find(kName) != std::string::npos && target.ends_with("(deleted)") ? 1 : 0;
    }
    return count;
  };
  create();
  auto still = map_;
  ASSERT_TRUE(SegmentMap::remove(home_, kName).ok());
  create();
  EXPECT_EQ(held(), 1);  // it is mapped yet
  map_.reset();
  ASSERT_TRUE(SegmentMap::remove(home_, kName).ok());
  const auto other = SegmentMap::open_or_create(home_, "another", kRingBytesMin);
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(held(), 1);
  still.reset();
  EXPECT_EQ(held(), 0);
  EXPECT_TRUE(SegmentMap::remove(home_, "another").ok());
}

TEST_F(SharedSegment, NameDependsOnHomeAndMigration) {
  EXPECT_NE(segment_name("/a", "m"), segment_name("/b", "m"));
  EXPECT_NE(segment_name("/a", "m"), segment_name("/a", "n"));
  EXPECT_EQ(segment_name("/a/", "m"), segment_name("/a", "m"));
  EXPECT_EQ(segment_name("/a", "m").size(), std::strlen("/understudy-") + 16 + 2);
}

TEST_F(SharedSegment, RefusesMigrationNamesThatLeaveTheHome) {
  EXPECT_TRUE(valid_migration_name("orders-2.prod_A"));
  EXPECT_FALSE(valid_migration_name(""));
  EXPECT_FALSE(valid_migration_name(".."));
  EXPECT_FALSE(valid_migration_name("a/b"));
  EXPECT_FALSE(valid_migration_name(std::string(65, 'a')));
  EXPECT_EQ(SegmentMap::open_or_create(home_, "a/b").status().code(), Code::invalid);
}

TEST_F(SharedSegment, OpenSaysWhenThereIsNone) {
  EXPECT_EQ(SegmentMap::open(home_, kName).status().code(), Code::not_found);
}

TEST_F(SharedSegment, IsUnusedMemoryWithTheSizesAskedFor) {
  SegmentMap& map = create(2 * kRingBytesMin);
  EXPECT_EQ(map.ring_bytes(), 2 * kRingBytesMin);
  EXPECT_EQ(map.header().tail.load(), 0u);
  EXPECT_EQ(mode_of(map.header().mode_word.load()), Mode::idle);
  EXPECT_GT(std::strlen(map.header().boot_id), 30u);
}

TEST_F(SharedSegment, IsPrivateUnlessTheGroupOfTheFolderMayEnterIt) {
  create();
  struct stat info {};
  ASSERT_EQ(::stat(("/dev/shm" + segment_name(home_, kName)).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  ASSERT_EQ(::mkdir((home_ + "/" + kName).c_str(), 0700), 0);
  ASSERT_EQ(::chmod((home_ + "/" + kName).c_str(), 0710), 0);
  const mode_t before = ::umask(0077);
  EXPECT_TRUE(share_segment(home_, kName).ok());
  ::umask(before);
  ASSERT_EQ(::stat(("/dev/shm" + segment_name(home_, kName)).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0660u);
  map_.reset();
  EXPECT_TRUE(SegmentMap::remove(home_, kName).ok());
  create();
  ASSERT_EQ(::stat(("/dev/shm" + segment_name(home_, kName)).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0660u);
}

TEST_F(SharedSegment, TellsWhoMayNotOpenItThatTheShadowIsInUse) {
  create();
  ASSERT_EQ(::chmod(home_.c_str(), 0711), 0);
  const auto shut_out = [&] {
    return Child([&] {
             return ::setgroups(0, nullptr) == 0 && ::setgid(4711) == 0 && ::setuid(4711) == 0 &&
                    switched(home_, kName) && may_not_open(home_, kName);
           }).wait() == 0;
  };
  EXPECT_FALSE(shut_out());
  ASSERT_TRUE(tell_switched(home_, kName, true).ok());
  EXPECT_TRUE(shut_out());
  EXPECT_FALSE(may_not_open(home_, kName));
  ASSERT_TRUE(tell_switched(home_, kName, false).ok());
  EXPECT_FALSE(shut_out());
  // Anybody may put a file there, and say of it what he likes.
  ASSERT_TRUE(tell_switched(home_, kName, true).ok());
  ASSERT_EQ(::chown(("/dev/shm" + segment_name(home_, kName)).c_str(), 4712, 4712), 0);
  EXPECT_FALSE(shut_out());
}

TEST_F(SharedSegment, SecondOpenInAProcessIsTheSameMapping) {
  create();
  EXPECT_EQ(SegmentMap::open(home_, kName)->get(), map_.get());
}

TEST_F(SharedSegment, RemovedNameMakesANewSegmentWhileOldMappingsStay) {
  create().header().sealed = 7;
  const auto old = map_;
  ASSERT_TRUE(SegmentMap::remove(home_, kName).ok());
  EXPECT_EQ(SegmentMap::open(home_, kName).status().code(), Code::not_found);
  EXPECT_EQ(create().header().sealed.load(), 0u);
  EXPECT_EQ(old->header().sealed.load(), 7u);
}

TEST_F(SharedSegment, KeepsItsRingSizeWhateverALaterOpenerAsksFor) {
  create(kRingBytesMin);
  map_.reset();
  EXPECT_EQ(create(4 * kRingBytesMin).ring_bytes(), kRingBytesMin);
}

TEST_F(SharedSegment, RefusesARingSizeThatIsNoPowerOfTwo) {
  EXPECT_EQ(SegmentMap::open_or_create(home_, kName, kRingBytesMin + 8).status().code(),
            Code::invalid);
}

TEST_F(SharedSegment, RefusesAnotherLayout) {
  EXPECT_EQ(open_after([](ControlHeader& header) { ++header.layout_hash; }).code(),
            Code::unsupported);
}

TEST_F(SharedSegment, RefusesAnotherVersion) {
  EXPECT_EQ(open_after([](ControlHeader& header) { ++header.version; }).code(), Code::unsupported);
}

TEST_F(SharedSegment, RefusesAForeignFile) {
  EXPECT_EQ(open_after([](ControlHeader& header) { header.magic[0] = 'X'; }).code(), Code::corrupt);
}

TEST_F(SharedSegment, RefusesARingThatLeavesTheFile) {
  EXPECT_EQ(open_after([](ControlHeader& header) {
              header.ring_bytes *= 2;
              header.segment_bytes = kRingOffset + header.ring_bytes;
            }).code(),
            Code::corrupt);
}

TEST_F(SharedSegment, RefusesAFileThatAnyoneMayWrite) {
  create();
  map_.reset();
  ASSERT_EQ(::chmod(("/dev/shm" + segment_name(home_, kName)).c_str(), 0666), 0);
  EXPECT_EQ(SegmentMap::open(home_, kName).status().code(), Code::invalid);
}

TEST_F(SharedSegment, CreatorThatDiedBeforeReadyIsReplaced) {
  in_killed_child([&] { half_create(); });
  EXPECT_EQ(SegmentMap::open(home_, kName).status().code(), Code::not_found);
  EXPECT_EQ(create().ring_bytes(), kRingBytesMin);
}

TEST_F(SharedSegment, CreatorThatLivesButNeverFinishesEndsInATimeout) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  Child child([&] {
    half_create();
    [[maybe_unused]] const ssize_t written = ::write(ready[1], "x", 1);
    sleep_for_ever();
    return true;
  });
  char byte;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_EQ(SegmentMap::open_or_create(home_, kName, kRingBytesMin).status().code(), Code::timeout);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(SharedSegment, ManyProcessesMayCreateItAtOnce) {
  int go[2];
  ASSERT_EQ(::pipe(go), 0);
  std::vector<Child> children;
  for (int i = 0; i < 8; ++i) {
    children.emplace_back([&] {
      char byte;
      if (::read(go[0], &byte, 1) != 1) return false;
      auto map = SegmentMap::open_or_create(home_, kName, kRingBytesMin);
      return map.ok() && (*map)->register_session().ok();
    });
  }
  ASSERT_EQ(::write(go[1], "xxxxxxxx", 8), 8);
  for (Child& child : children) EXPECT_EQ(child.wait(), 0);
  EXPECT_EQ(create().header().next_session_id.load(), 8u);
  ::close(go[0]);
  ::close(go[1]);
}

// --- locks ---

TEST_F(SharedSegment, LockIsRefusedWhileAnotherProcessHoldsIt) {
  create();
  ASSERT_TRUE(map_->lock(kLockJournald).ok());
  Child child([&] {
    return map_->locked_elsewhere(kLockJournald) && map_->lock(kLockJournald).code() == Code::full;
  });
  EXPECT_EQ(child.wait(), 0);
  EXPECT_FALSE(map_->locked_elsewhere(kLockJournald));
  EXPECT_EQ(map_->lock(kLockJournald).code(), Code::full);
}

TEST_F(SharedSegment, LockEndsWithItsProcess) {
  create();
  in_killed_child([&] { ASSERT_TRUE(map_->lock(kLockReplayer).ok()); });
  EXPECT_TRUE(map_->lock(kLockReplayer).ok());
}

TEST_F(SharedSegment, LockEndsWithItsMapping) {
  ASSERT_TRUE(create().lock(kLockJournald).ok());
  map_.reset();
  Child child([&] { return (*SegmentMap::open(home_, kName))->lock(kLockJournald).ok(); });
  EXPECT_EQ(child.wait(), 0);
}

TEST_F(SharedSegment, LocksStayWhenTheMappingIsOpenedAndDroppedAgain) {
  ASSERT_TRUE(create().lock(kLockJournald).ok());
  SegmentMap::open(home_, kName)->reset();
  Child child([&] { return map_->locked_elsewhere(kLockJournald); });
  EXPECT_EQ(child.wait(), 0);
}

// --- sessions ---

TEST_F(SharedSegment, EachSessionHasItsSlotAndItsId) {
  create();
  const auto first = map_->register_session();
  const auto second = map_->register_session();
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE(*first, *second);
  EXPECT_NE(map_->slot(*first).session_id.load(), map_->slot(*second).session_id.load());
  EXPECT_EQ(map_->slot(*first).pid.load(), static_cast<std::uint32_t>(::getpid()));
}

TEST_F(SharedSegment, SlotOfAnEndedSessionIsUsedAgainAndClean) {
  create();
  const std::uint32_t first = *map_->register_session();
  map_->slot(first).writing = 1;
  map_->unregister_session(first);
  EXPECT_EQ(*map_->register_session(), first);
  EXPECT_EQ(map_->slot(first).writing.load(), 0u);
}

TEST_F(SharedSegment, RefusesASessionMoreThanItHasSlots) {
  create();
  for (std::uint32_t i = 0; i < kSlotCount; ++i) ASSERT_TRUE(map_->register_session().ok());
  EXPECT_EQ(map_->register_session().status().code(), Code::full);
}

TEST_F(SharedSegment, SessionOfTheOwnProcessIsAlive) {
  const std::uint32_t index = *create().register_session();
  EXPECT_EQ(map_->liveness(index), Liveness::alive);
}

TEST_F(SharedSegment, StoppedProcessIsAliveAndAKilledOneIsDeadBeforeItIsReaped) {
  create();
  Child child([&] {
    if (!map_->register_session().ok()) return false;
    arrive();
    sleep_for_ever();
    return true;
  });
  ASSERT_TRUE(wait_for_arrivals(1));
  child.stop();
  EXPECT_EQ(map_->liveness(0), Liveness::alive);
  EXPECT_FALSE(map_->release_dead(0));
  child.kill();
  EXPECT_EQ(map_->liveness(0), Liveness::dead);
}

TEST_F(SharedSegment, ProcessThatClosedAllDescriptorsIsAlive) {
  create();
  Child child([&] {
    if (!map_->register_session().ok()) return false;
    ::close_range(3, ~0u, 0);
    arrive();
    sleep_for_ever();
    return true;
  });
  ASSERT_TRUE(wait_for_arrivals(1));
  ASSERT_FALSE(map_->locked_elsewhere(kLockSlot0));
  EXPECT_EQ(map_->liveness(0), Liveness::alive);
}

TEST_F(SharedSegment, ProcessThatClosedAllDescriptorsCanRegisterAgain) {
  create();
  Child child([&] {
    if (!map_->register_session().ok()) return false;
    ::close_range(3, ~0u, 0);
    if (!map_->register_session().ok()) return false;
    arrive();
    sleep_for_ever();
    return true;
  });
  ASSERT_TRUE(wait_for_arrivals(1));
  EXPECT_TRUE(map_->locked_elsewhere(kLockSlot0)) << "the earlier session's byte is taken again";
  EXPECT_TRUE(map_->locked_elsewhere(kLockSlot0 + 1));
}

TEST_F(SharedSegment, PidUsedAgainByAnotherProgramIsNotTheSession) {
  create();
  in_killed_child([&] { ASSERT_TRUE(map_->register_session().ok()); });
  Child other([] {
    sleep_for_ever();
    return true;
  });
  map_->slot(0).pid = static_cast<std::uint32_t>(other.pid());
  map_->slot(0).start_time = 1;
  EXPECT_EQ(map_->liveness(0), Liveness::dead);
}

TEST_F(SharedSegment, PidOfAnotherNamespaceIsNotBelieved) {
  create();
  in_killed_child([&] { ASSERT_TRUE(map_->register_session().ok()); });
  map_->slot(0).pid = 1;
  map_->slot(0).start_time = 0;
  map_->slot(0).pid_namespace = 12345;
  EXPECT_EQ(map_->liveness(0), Liveness::dead);
}

TEST_F(SharedSegment, DeadSessionsSlotCanBeReleased) {
  create();
  in_killed_child([&] {
    const std::uint32_t index = *map_->register_session();
    map_->slot(index).in_flight = 1;
  });
  EXPECT_TRUE(map_->release_dead(0));
  EXPECT_EQ(map_->slot(0).state.load(), static_cast<std::uint32_t>(SlotState::free));
  EXPECT_EQ(map_->slot(0).in_flight.load(), 0u);
}

TEST_F(SharedSegment, ForkedChildDoesNotOwnItsParentsSlots) {
  create();
  const std::uint32_t parents = *map_->register_session();
  Child child([&] {
    if (map_->owned_by_this_process(parents)) return false;
    map_->unregister_session(parents);  // must be ignored
    const auto own = map_->register_session();
    return own.ok() && *own != parents && map_->owned_by_this_process(*own) &&
           map_->liveness(parents) == Liveness::alive;
  });
  EXPECT_EQ(child.wait(), 0);
  EXPECT_TRUE(map_->owned_by_this_process(parents));
  EXPECT_EQ(map_->liveness(parents + 1), Liveness::dead);
}

TEST_F(SharedSegment, ForkedChildThatDropsItsCopyKeepsTheParentsLocks) {
  create();
  const std::uint32_t index = *map_->register_session();
  Child child([&] {
    map_.reset();
    return true;
  });
  EXPECT_EQ(child.wait(), 0);
  Child observer([&] { return map_->locked_elsewhere(kLockSlot0 + index); });
  EXPECT_EQ(observer.wait(), 0);
}

TEST_F(SharedSegment, SessionsComingAndGoingInManyProcessesNeverShareASlot) {
  const std::uint64_t seed = test_seed();
  create();
  std::vector<Child> children;
  for (std::uint64_t number = 0; number < 4; ++number) {
    children.emplace_back([this, seed, number] {
      std::mt19937_64 random(seed + number);
      std::vector<std::uint32_t> mine;
      for (int round = 0; round < 2000; ++round) {
        if (mine.empty() || (mine.size() < 8 && random() % 2 == 0)) {
          const auto got = map_->register_session();
          if (!got.ok() || map_->slot(*got).reserved.fetch_add(1) != 0) return false;
          mine.push_back(*got);
        } else {
          map_->slot(mine.back()).reserved.fetch_sub(1);
          map_->unregister_session(mine.back());
          mine.pop_back();
        }
      }
      return true;
    });
  }
  for (Child& child : children) EXPECT_EQ(child.wait(), 0);
}

// --- invalidate ---

TEST_F(SharedSegment, InvalidateSetsModeAndKeepsTheFirstReason) {
  create();
  set_mode(Mode::record);
  map_->invalidate("the disk is full");
  map_->invalidate("something later");
  EXPECT_EQ(map_->header().mode_word.load(), mode_word(Mode::invalid, 2));
  EXPECT_EQ(map_->reason(), "the disk is full");
}

TEST_F(SharedSegment, InvalidateEndsRecordingOnTheShadowAndSessionsStayThere) {
  create();
  for (const Mode mode : {Mode::switched, Mode::hold_back}) {
    set_mode(mode);
    map_->invalidate("the disk is full");
    EXPECT_EQ(mode_of(map_->header().mode_word.load()), Mode::one_way);
    EXPECT_TRUE(shadow_in_use(mode_of(map_->header().mode_word.load())));
  }
  EXPECT_EQ(map_->reason(), "the disk is full");
}

TEST_F(SharedSegment, InvalidateChangesNoDecisionThatIsBeingWritten) {
  create();
  for (const Mode mode : {Mode::switching, Mode::returning}) {
    set_mode(mode);
    map_->invalidate("too late");
    EXPECT_EQ(mode_of(map_->header().mode_word.load()), mode);
  }
  EXPECT_EQ(map_->reason(), "too late");
}

TEST_F(SharedSegment, ReasonIsCutAtItsLimit) {
  create();
  map_->invalidate(std::string(2 * kReasonBytes, 'x'));
  EXPECT_EQ(map_->reason(), std::string(kReasonBytes - 1, 'x'));
}

TEST_F(SharedSegment, ReasonWhoseWriterDiedIsEmptyAndInvalidateStillWorks) {
  create();
  set_mode(Mode::record);
  map_->header().reason_state = 1;
  map_->invalidate("lost");
  EXPECT_EQ(mode_of(map_->header().mode_word.load()), Mode::invalid);
  EXPECT_EQ(map_->reason(), "");
}

TEST_F(SharedSegment, FutexWaitEndsAtItsDeadlineAndWithoutOneAtOnce) {
  create();
  EXPECT_FALSE(futex_wait_until(meeting(), 0, shortly()));
  EXPECT_FALSE(futex_wait_until(meeting(), 0, 0));
  EXPECT_TRUE(futex_wait_until(meeting(), 1, soon()));
}

}  // namespace
}  // namespace understudy
