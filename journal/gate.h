// The commit gate (alignment) and the hold (cutover).
//
// Commit gate. A committer sets its slot's in_flight, then reads the gate, both sequentially
// consistent; the closer sets the gate, then reads every in_flight. One of them sees the other. So
// once `wait_clear` returns, every transaction sealed so far has its outcome and none can be sealed
// until the gate opens. Gate word: even open, odd closed; the closer's word is its token.
//
// Hold. The same with Slot::writing and Mode::hold (Mode::hold_back while the shadow is in use): a
// session sets writing before it looks at the mode; the closer sets the mode, then waits for all
// writing marks to clear.
//
// Whoever waits may end a gate or a hold whose deadline has passed; the closer notices, because its
// own compare-and-swap fails. So a closer that died or stalls costs the application at most the
// deadline it had announced.
#pragma once

#include <cstdint>

#include "journal/mode.h"
#include "journal/segment_map.h"
#include "journal/status.h"

namespace understudy {

inline constexpr std::uint64_t kGateNsMax = 60ull * 1'000'000'000;    // longest closed gate
inline constexpr std::uint64_t kHoldNsMax = 3600ull * 1'000'000'000;  // longest hold
/// How long past the hold's deadline a session waits for a switch being written down, when its
/// statement has no timeout of its own.
inline constexpr std::uint64_t kSwitchGraceNs = 5ull * 1'000'000'000;

class Gate {
 public:
  explicit Gate(SegmentMap& map) : map_(map) {}

  // --- sessions ---
  /// Marks the slot in flight and passes the gate, waiting while it is closed. Always returns with
  /// the mark set; opens an expired gate itself. In mode `invalid` it does not wait.
  void enter(Slot& slot);
  /// Clears the mark and wakes a waiting closer.
  void leave(Slot& slot);

  // --- the closer ---
  /// Closes the gate until `deadline_ns` at the latest, and for kGateNsMax at most; the result is
  /// the token. Code::full when it is closed already, Code::invalid in mode `invalid`.
  Result<std::uint32_t> close(std::uint64_t deadline_ns);
  /// Waits until no live session is in flight. Code::timeout at the deadline; the message names the
  /// pid waited for. A dead session's mark does not hold it: its transaction is in doubt and
  /// counted in *dead_in_flight (may be null). Its COMMIT may still be under way on the server:
  /// whoever takes a snapshot under the gate must first learn from the server how it ended.
  Status wait_clear(std::uint64_t deadline_ns, std::uint32_t* dead_in_flight);
  /// Opens; Code::timeout when the gate was opened by a waiter meanwhile (the work done under it is
  /// void).
  Status open(std::uint32_t token);

 private:
  SegmentMap& map_;
};

/// How a session may begin to write.
enum class BeginWrite { unrecorded, recorded, moved, invalid };

class Hold {
 public:
  explicit Hold(SegmentMap& map) : map_(map) {}

  // --- sessions: call before the first modifying statement of a transaction ---
  /// Marks the slot as writing and says how: `unrecorded` (mode idle, invalid or one_way: not
  /// captured), `recorded`, or `moved` (the other side than `on_shadow` says is in use: mark
  /// cleared, the session must be routed first, then ask again). While held it waits, at most until
  /// `deadline_ns` (the statement's own query timeout; 0: the hold's deadline), then ends an
  /// expired hold itself. `timed_out` is set when the session's own deadline passed first; the mark
  /// is then cleared and the result says nothing. Nobody may end `switching` or `returning` but its
  /// closer, so there the wait ends with `timed_out` (deadline 0: kSwitchGraceNs after the hold's
  /// deadline). `invalid`: the mode word is no mode; treat as unrecorded.
  BeginWrite begin_write(Slot& slot, std::uint64_t deadline_ns, bool* timed_out, bool on_shadow);
  /// The transaction ended.
  void end_write(Slot& slot);

  // --- the closer ---
  /// record -> hold, or switched -> hold_back, for kHoldNsMax at most. Returns the hold's mode word
  /// (for `finish`). Code::invalid in another mode.
  Result<std::uint32_t> begin(std::uint64_t deadline_ns);
  /// Waits until no live session writes, `writing` being the kind waited for (unrecorded at start,
  /// recorded under a hold). Code::timeout names the pid and for how long it has been writing.
  Status wait_clear(Writing writing, std::uint64_t deadline_ns);
  /// hold -> `next` (record or switching), hold_back -> `next` (switched or returning);
  /// Code::timeout when a waiter ended the hold before, or its deadline has passed and `next` is a
  /// decision (the hold is then ended); Code::invalid when recording has ended.
  Result<std::uint32_t> finish(std::uint32_t hold_word, Mode next);
  /// switching or returning -> switched or record. Code::invalid when the mode is not
  /// `switching_word`.
  Status decide(std::uint32_t switching_word, Mode next);

 private:
  SegmentMap& map_;
};

}  // namespace understudy
