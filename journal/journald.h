// The daemon that drains the ring into the journal.
#pragma once

#include <atomic>
#include <string>

#include "journal/file_system.h"
#include "journal/journal_key.h"
#include "journal/status.h"

namespace understudy {

struct JournaldOptions {
  std::string home;
  std::string migration;
  std::uint64_t segment_bytes = 0;      // 0: the default
  std::uint64_t sync_interval_ms = 50;  // Durability=process: at most this long between fdatasyncs
  FileSystem* files = nullptr;          // null: the operating system's
  std::string boot_id;                  // empty: the kernel's; tests give another
  std::shared_ptr<const JournalKeys> keys;  // null: the journal is not encrypted
};

/// Runs until `stop` or an error. Takes kLockJournald (Code::full when another journald runs),
/// recovers the journal, then: drains the ring in order; writes texts, transactions, chunks,
/// outcomes and markers; publishes journaled_seq, durable_seq, durable_position and figures; frees
/// the ring only after write_out. With durability_power every batch is synced before
/// durable_position moves. Looks for dead sessions when the head does not move and at least once a
/// second: a dead session's claimed record is skipped; a dead session in flight gets an outcome
/// record `unknown` unless its outcome came; then its slot is freed. A hold or a switch whose
/// replayer has died ends as the state file says, see abandoned.h. Where the disk has no room for
/// the next segment, it waits while the ring has room, and says so in the header (`lacks_room`).
/// Any other write or sync error invalidates the migration with the reason (and writes a gap record
/// when it can). Code::wrong_key when the journal needs another key: nothing is changed then, and
/// the ring keeps what it holds for a journald that has the key.
Status run_journald(const JournaldOptions& options, std::atomic<bool>& stop);

}  // namespace understudy
