#include "replayer/migration/beginning.h"

#include <fmt/format.h>

#include <vector>

#include "journal/mode.h"
#include "journal/unrecorded.h"
#include "replayer/migration/failure.h"

namespace understudy {
namespace {

/// The locks of both processes, so that neither begins meanwhile.
class BothLocks {
 public:
  explicit BothLocks(SegmentMap& map) : map_(map) {
    take(kLockReplayer);
    take(kLockJournald);
  }
  ~BothLocks() {
    for (const std::uint64_t byte : held_) map_.unlock(byte);
  }
  BothLocks(const BothLocks&) = delete;
  BothLocks& operator=(const BothLocks&) = delete;

 private:
  void take(std::uint64_t byte) {
    const Status taken = map_.lock(byte);
    if (!taken.ok()) {
      for (const std::uint64_t other : held_) map_.unlock(other);
      throw Failure(kExitNo,
                    "processes of a migration of this name still run; stop them and try again");
    }
    held_.push_back(byte);
  }
  SegmentMap& map_;
  std::vector<std::uint64_t> held_;
};

bool anybody_on_shadow(SegmentMap& map) {
  for (std::uint32_t i = 0; i < kSlotCount; ++i) {
    Slot& slot = map.slot(i);
    if (slot.state.load() == static_cast<std::uint32_t>(SlotState::active) &&
        slot.route.load() >= static_cast<std::uint32_t>(SlotRoute::shadow) &&
        map.liveness(i) == Liveness::alive)
      return true;
  }
  return false;
}

}  // namespace

void renew_segment(SegmentMap& map) {
  const BothLocks locks(map);
  if (anybody_on_shadow(map))
    throw Failure(kExitNo,
                  "connections that the migration before moved are still open; restart "
                  "their programs with the new data source, then try again");
  ControlHeader& header = map.header();
  std::uint32_t word = header.mode_word.load();
  while (mode_of(word) != Mode::idle &&
         !header.mode_word.compare_exchange_weak(word, mode_word(Mode::idle, epoch_of(word) + 1))) {
  }
  header.prepare_route.store(0);
  header.reason_state.store(0);
  header.ring_number.store(0);  // its positions mean nothing in a new journal
  for (auto* figure : {&header.sealed, &header.journaled, &header.journaled_seq,
                       &header.durable_seq, &header.opaque, &header.uncaptured, &header.tainted,
                       &header.in_doubt, &header.journal_bytes, &header.hold_waits,
                       &header.hold_wait_ns_max, &header.applied_seq, &header.applied})
    figure->store(0);
  futex_wake_all(header.mode_word);
}

namespace {

void require_no_word(const Home& home, Unrecorded which) {
  const auto word = find_unrecorded_word(home.root, home.name, which);
  if (!word) return;
  throw Failure(kExitNo,
                fmt::format("a program cannot be recorded, {}; end it, then try again", *word));
}

}  // namespace

void require_all_recorded(const Home& home) {
  require_no_word(home, Unrecorded::alive);
  forget_ended_words(home.root, home.name);
}

void require_all_were_recorded(const Home& home) {
  require_no_word(home, Unrecorded::any);
}

}  // namespace understudy
