// What a connection knows of its open transaction on the server.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "journal/record.h"

namespace understudy::capture {

inline constexpr std::size_t kSavepointsMax = 10000;  // named marks of one transaction
/// A savepoint of ours; see Session::anchor.
inline constexpr char kAnchor[] = "understudy_kept";
/// The kind of note when work was undone to a savepoint of which nothing is known.
inline constexpr char kUnknownSavepoint[] = "rollback-to-unknown-savepoint";

/// Belongs to the server's transaction, not to the application's session: a pooled connection is
/// handed on with it. Guarded by Connection::write_mutex; readers, which do not hold it, look only
/// at what is atomic.
struct Transaction {
  std::atomic<bool> by_text{false};  // begun by BEGIN as text: a statement's end does not end it
  /// Statements that only read ran in it. Set by readers.
  std::atomic<bool> has_read{false};
  // PostgreSQL, see first_statement.h; set by readers, too.
  std::atomic<bool> begun{false};      // a statement of the application's has run in it
  std::atomic<bool> first_ran{false};  // and one that is no savepoint
  std::atomic<bool> ended_one{false};  // the connection has ended a transaction
  bool writing = false;                // the slot is marked
  std::atomic<bool> recorded{false};   // under capture since its first write
  bool tainted = false;                // a statement failed: ask the server before going on
  bool unread = false;                 // as tainted, since rows that changed could not be read
  bool poisoned = false;               // the server will roll it back whatever COMMIT answers
  bool slipped = false;                // poisoned, and yet a statement succeeded
  bool schema_changed = false;
  bool deferrable = false;  // PostgreSQL: keys that may be deferred have perhaps been written
  bool prepared = false;    // MariaDB, XA PREPARE: it outlives its session
  bool anchored = false;    // generic: the savepoint kAnchor is the innermost
  bool failed_in_part =
      false;               // MariaDB: a procedure failed, perhaps after it had written something
  std::uint8_t flags = 0;  // TransactionFlag
  std::uint32_t chunks = 0;
  std::uint64_t txn_id = 0;
  std::uint64_t server_txid = 0;
  EntryWriter entries;
  std::uint32_t first_statement = 0;  // entries before it are the session's settings
  std::string outer_savepoint;        // SQLite: the SAVEPOINT that began it; its RELEASE commits

  struct Savepoint {
    std::string name;
    EntryWriter::Mark mark;
    std::size_t settings = 0;  // of the session, when it was set
    /// An older one of the same name stands, and the server may go back to that.
    bool doubtful = false;
  };
  std::vector<Savepoint> savepoints;
  bool settings_told = false;  // the server was asked for the session's: they are not counted
  std::optional<std::size_t> settings_before;  // of the session, when the first was changed in it

  /// `unsure`: the real driver may release it by itself; see run_savepoint.
  void set_savepoint(std::string_view name, std::size_t settings = 0, bool unsure = false);
  /// The settings that a rollback to this savepoint leaves; nothing when it is not known.
  [[nodiscard]] std::optional<std::size_t> settings_at(std::string_view name) const;
  /// Takes back what was recorded since. False when there is no such savepoint, or it is not known
  /// which of several the server means.
  bool rollback_to(std::string_view name);
  void release(std::string_view name);
  /// No statement is recorded yet.
  [[nodiscard]] bool nothing_yet() const {
    return chunks == 0 && entries.entries() <= first_statement;
  }
  /// Forgets what was recorded; the transaction itself goes on.
  void forget_entries();
  /// The server's transaction is over.
  void ended();
};

}  // namespace understudy::capture
