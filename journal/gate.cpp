#include "journal/gate.h"

#include <fmt/format.h>

#include <algorithm>

namespace understudy {
namespace {

constexpr std::uint64_t kNsPerMs = 1'000'000;
/// Death wakes nobody: whoever waits for a session looks this often whether it still lives.
constexpr std::uint64_t kLivenessIntervalNs = 20 * kNsPerMs;

constexpr std::uint32_t word_of(Writing writing) {
  return static_cast<std::uint32_t>(writing);
}

bool closed(std::uint32_t gate) {
  return gate % 2 == 1;
}

void wake_closer(ControlHeader& header) {
  header.gate_clear.fetch_add(1);
  futex_wake_all(header.gate_clear);
}

/// Announces a deadline before the word it belongs to changes, so that no waiter ever sees the new
/// word with an old deadline. Fails when another closer announces at the same time. Should two
/// closers interleave, the one that succeeds works under a deadline the other announced: shorter
/// makes its end fail, longer is still what somebody announced.
bool announce(std::atomic<std::uint64_t>& deadline, std::uint64_t seen, std::uint64_t value) {
  return deadline.compare_exchange_strong(seen, value);
}

struct Holdup {
  std::uint32_t pid = 0;
  std::uint64_t since_ns = 0;
};

/// Waits until `marked(slot)` is false for every live session. Sets *dead to how many dead sessions
/// carry the mark. False at the deadline, *holdup being one that is waited for.
template <class Marked>
bool wait_for_marks(SegmentMap& map, std::uint64_t deadline_ns, Marked marked, std::uint32_t* dead,
                    Holdup* holdup) {
  ControlHeader& header = map.header();
  for (;;) {
    const std::uint32_t seen = header.gate_clear.load();
    bool waiting = false;
    *dead = 0;
    for (std::uint32_t i = 0; i < kSlotCount; ++i) {
      Slot& slot = map.slot(i);
      if (!marked(slot) || slot.state.load() == static_cast<std::uint32_t>(SlotState::free))
        continue;
      if (map.liveness(i) == Liveness::dead) {
        // The mark may have been cleared, and the process ended, between the two looks.
        if (marked(slot)) ++*dead;
        continue;
      }
      if (!waiting) *holdup = {slot.pid.load(), slot.writing_since_ns.load()};
      waiting = true;
    }
    if (!waiting) return true;
    const std::uint64_t now = monotonic_ns();
    if (now >= deadline_ns) return false;
    futex_wait_until(header.gate_clear, seen, std::min(deadline_ns, now + kLivenessIntervalNs));
  }
}

}  // namespace

// --- commit gate ---

void Gate::enter(Slot& slot) {
  ControlHeader& header = map_.header();
  const std::uint64_t patience = monotonic_ns() + kGateNsMax;
  for (;;) {
    slot.in_flight.store(1);
    std::uint32_t gate = header.commit_gate.load();
    if (!closed(gate) || recording_ended(mode_of(header.mode_word.load()))) return;
    slot.in_flight.store(0);
    wake_closer(header);
    const std::uint64_t deadline = std::min(header.gate_deadline_ns.load(), patience);
    if (monotonic_ns() < deadline) {
      futex_wait_until(header.commit_gate, gate, deadline);
    } else if (header.commit_gate.compare_exchange_strong(gate, gate + 1)) {
      futex_wake_all(header.commit_gate);
    }
  }
}

void Gate::leave(Slot& slot) {
  slot.in_flight.store(0);
  if (closed(map_.header().commit_gate.load())) wake_closer(map_.header());
}

Result<std::uint32_t> Gate::close(std::uint64_t deadline_ns) {
  ControlHeader& header = map_.header();
  const std::uint64_t limit = std::min(deadline_ns, monotonic_ns() + kGateNsMax);
  const std::uint64_t announced = header.gate_deadline_ns.load();
  std::uint32_t gate = header.commit_gate.load();
  if (recording_ended(mode_of(header.mode_word.load())))
    return Status(Code::invalid, "the migration is invalid; the commit gate stays open");
  if (closed(gate) || !announce(header.gate_deadline_ns, announced, limit) ||
      !header.commit_gate.compare_exchange_strong(gate, gate + 1))
    return Status(Code::full, "the commit gate is closed by somebody else; try again");
  return gate + 1;
}

Status Gate::wait_clear(std::uint64_t deadline_ns, std::uint32_t* dead_in_flight) {
  std::uint32_t dead = 0;
  Holdup holdup;
  const bool clear = wait_for_marks(
      map_, deadline_ns, [](Slot& slot) { return slot.in_flight.load() != 0; }, &dead, &holdup);
  if (dead_in_flight) *dead_in_flight = dead;
  if (clear) return {};
  return Status(Code::timeout,
                fmt::format("process {} did not finish its COMMIT while the gate was closed; try "
                            "again, or look at what it waits for",
                            holdup.pid));
}

Status Gate::open(std::uint32_t token) {
  ControlHeader& header = map_.header();
  std::uint32_t expected = token;
  if (!closed(token) || !header.commit_gate.compare_exchange_strong(expected, token + 1))
    return Status(Code::timeout,
                  "the commit gate was opened by a waiting session; what was done "
                  "under it is void, try again");
  futex_wake_all(header.commit_gate);
  return {};
}

// --- hold ---

namespace {

void clear_writing(ControlHeader& header, Slot& slot) {
  const std::uint32_t before = slot.writing.exchange(word_of(Writing::none));
  const Mode mode = mode_of(header.mode_word.load());
  const bool awaited_by_start = before == word_of(Writing::unrecorded) && mode != Mode::idle;
  if (held(mode) || awaited_by_start) wake_closer(header);
}

void mark_writing(Slot& slot, Writing writing) {
  slot.writing_since_ns.store(monotonic_ns(), std::memory_order_relaxed);
  slot.writing.store(word_of(writing));
}

/// Ends a hold seen as `word`, whose deadline has passed.
void end_expired_hold(ControlHeader& header, std::uint32_t word) {
  std::uint32_t expected = word;
  const std::uint32_t wanted = mode_word(let_go(mode_of(word)), epoch_of(word) + 1);
  if (header.mode_word.compare_exchange_strong(expected, wanted)) futex_wake_all(header.mode_word);
}

/// Counts the time sessions spend waiting under a hold.
class WaitFigure {
 public:
  explicit WaitFigure(ControlHeader& header) : header_(header) {}
  void begin() {
    if (began_ns_ == 0) began_ns_ = monotonic_ns();
  }
  ~WaitFigure() {
    if (began_ns_ == 0) return;
    header_.hold_waits.fetch_add(1, std::memory_order_relaxed);
    const std::uint64_t waited = monotonic_ns() - began_ns_;
    std::uint64_t longest = header_.hold_wait_ns_max.load(std::memory_order_relaxed);
    while (longest < waited && !header_.hold_wait_ns_max.compare_exchange_weak(longest, waited)) {
    }
  }

 private:
  ControlHeader& header_;
  std::uint64_t began_ns_ = 0;
};

enum class Waited { look_again, timed_out };

/// One wait under a hold or a switch seen as `word`; `patience_ns` bounds a damaged deadline.
Waited wait_under_hold(ControlHeader& header, std::uint32_t word, std::uint64_t own_deadline_ns,
                       std::uint64_t patience_ns) {
  const std::uint64_t now = monotonic_ns();
  const std::uint64_t hold_deadline = std::min(header.hold_deadline_ns.load(), patience_ns);
  const bool switching = being_decided(mode_of(word));
  if (!switching && now >= hold_deadline) {
    end_expired_hold(header, word);
    return Waited::look_again;
  }
  std::uint64_t until = switching ? hold_deadline + kSwitchGraceNs : hold_deadline;
  if (own_deadline_ns != 0) until = switching ? own_deadline_ns : std::min(until, own_deadline_ns);
  const bool own = switching || own_deadline_ns == until;
  if (now >= until) return own ? Waited::timed_out : Waited::look_again;
  futex_wait_until(header.mode_word, word, until);
  return Waited::look_again;
}

}  // namespace

BeginWrite Hold::begin_write(Slot& slot, std::uint64_t deadline_ns, bool* timed_out,
                             bool on_shadow) {
  ControlHeader& header = map_.header();
  WaitFigure figure(header);
  const std::uint64_t patience = monotonic_ns() + kHoldNsMax;
  *timed_out = false;
  for (;;) {
    const std::uint32_t word = header.mode_word.load();
    const Mode mode = mode_of(word);
    mark_writing(slot, records(mode) ? Writing::recorded : Writing::unrecorded);
    // Marked first, then looked: either this sees the new mode or its closer sees the mark.
    if (header.mode_word.load() != word) continue;
    if (!known_mode(mode)) return BeginWrite::invalid;
    const bool elsewhere = shadow_in_use(mode) != on_shadow;
    if (!held(mode) && !elsewhere)
      return records(mode) ? BeginWrite::recorded : BeginWrite::unrecorded;
    clear_writing(header, slot);
    if (!held(mode)) return BeginWrite::moved;
    figure.begin();
    if (wait_under_hold(header, word, deadline_ns, patience) == Waited::timed_out) {
      *timed_out = true;
      return BeginWrite::recorded;
    }
  }
}

void Hold::end_write(Slot& slot) {
  clear_writing(map_.header(), slot);
}

Result<std::uint32_t> Hold::begin(std::uint64_t deadline_ns) {
  ControlHeader& header = map_.header();
  const std::uint64_t limit = std::min(deadline_ns, monotonic_ns() + kHoldNsMax);
  const std::uint64_t announced = header.hold_deadline_ns.load();
  std::uint32_t word = header.mode_word.load();
  const Mode mode = mode_of(word);
  const Mode next = mode == Mode::switched ? Mode::hold_back : Mode::hold;
  const std::uint32_t wanted = mode_word(next, epoch_of(word) + 1);
  if ((mode != Mode::record && mode != Mode::switched) ||
      !announce(header.hold_deadline_ns, announced, limit) ||
      !header.mode_word.compare_exchange_strong(word, wanted))
    return Status(Code::invalid, "the migration is not recording, so nothing can be held");
  futex_wake_all(header.mode_word);
  return wanted;
}

Status Hold::wait_clear(Writing writing, std::uint64_t deadline_ns) {
  std::uint32_t dead = 0;
  Holdup holdup;
  const auto marked = [writing](Slot& slot) { return slot.writing.load() == word_of(writing); };
  if (wait_for_marks(map_, deadline_ns, marked, &dead, &holdup)) return {};
  const std::uint64_t now = monotonic_ns();
  const std::uint64_t since = std::min(now, holdup.since_ns);
  return Status(
      Code::timeout,
      fmt::format("process {} has had a transaction open that wrote {} ms ago; wait for it "
                  "or end it, then try again",
                  holdup.pid, (now - since) / kNsPerMs));
}

Result<std::uint32_t> Hold::finish(std::uint32_t hold_word, Mode next) {
  ControlHeader& header = map_.header();
  const Mode mode = mode_of(hold_word);
  const Mode decision = mode == Mode::hold_back ? Mode::returning : Mode::switching;
  if ((mode != Mode::hold && mode != Mode::hold_back) || (next != let_go(mode) && next != decision))
    return Status(Code::invalid, "a hold ends in record or switching, or switched or returning");
  const bool late = next == decision && monotonic_ns() >= header.hold_deadline_ns.load();
  if (late) end_expired_hold(header, hold_word);
  const std::uint32_t wanted = mode_word(next, epoch_of(hold_word) + 1);
  std::uint32_t word = hold_word;
  if (!late && header.mode_word.compare_exchange_strong(word, wanted)) {
    futex_wake_all(header.mode_word);
    return wanted;
  }
  if (recording_ended(mode_of(header.mode_word.load())))
    return Status(Code::invalid, "recording ended during the hold");
  return Status(Code::timeout, "the hold's deadline passed");
}

Status Hold::decide(std::uint32_t switching_word, Mode next) {
  ControlHeader& header = map_.header();
  if (!being_decided(mode_of(switching_word)) || (next != Mode::record && next != Mode::switched))
    return Status(Code::invalid, "a switch ends in switched or record");
  std::uint32_t word = switching_word;
  if (!header.mode_word.compare_exchange_strong(word,
                                                mode_word(next, epoch_of(switching_word) + 1)))
    return Status(Code::invalid, "the mode is no longer the switch that was begun");
  futex_wake_all(header.mode_word);
  return {};
}

}  // namespace understudy
