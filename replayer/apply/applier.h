// Applies transactions of the journal to the shadow: in order, exactly once, checked.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "replayer/apply/journal_feed.h"
#include "replayer/dialect/dialect.h"
#include "replayer/mapping/table_pair.h"

namespace understudy {

/// A statement whose effect on the shadow was not what the application saw.
struct Divergence {
  std::string fingerprint;  // first words of the text without literals, at most 120 bytes
  /// "row-count"; "sqlstate 23505", "sqlstate HY000 (1615)" with the engine's own number (of a
  /// statement; the transaction was applied by its rows, or left out when it carries none); "no
  /// such table", "no such column", "no such key column", "no key" (the shadow has no place for a
  /// row); "context sqlstate 42501" and "context not reset"
  /// (session settings); "uncaptured KIND" (the driver could not record it); "effects
  /// missing"; "text is not UTF-8"; of a shadow on another engine "opaque on another engine" (no
  /// rows are known, so nothing was done), of a table that a mapping names "mapped, without rows",
  /// and "column C holds a zero date" or another reason why a value has no equal there.
  std::string kind;
  std::uint64_t first_seq = 0;
  std::uint64_t count = 0;
};

struct ApplyFigures {
  std::uint64_t applied_seq = 0;  // committed on the shadow
  std::uint64_t applied = 0;      // transactions since this object was made
  std::uint64_t skipped_rolled_back = 0;
  std::uint64_t statements = 0;
  std::uint64_t keyed = 0, effects = 0, opaque = 0;
  std::uint64_t left_out = 0;     // transactions with a divergence that could not be applied at all
  std::uint64_t uncaptured = 0;   // notes
  std::uint64_t round_trips = 0;  // batches of joined statements, and single statements
  std::vector<Divergence> divergences;
};

inline constexpr std::size_t kBatchTransactionsMax = 256;  // of the journal in one on the shadow
inline constexpr std::size_t kBatchBytesMax = 4u << 20;    // of their entries
inline constexpr std::size_t kDivergencesMax = 1000;       // kinds kept

/// One thread. The position is a row of kPositionTable written in the same transaction as the data,
/// first of all and only from the value this object knows: a second applier, or what a killed one
/// left running on the server, cannot apply anything twice.
///
/// Transactions are collected and run by `commit`, or by `apply` once the batch is full. When one
/// of a batch does not do what production saw, the batch is rolled back and its transactions are
/// applied one by one, each with its position: a wrong row count is counted; after an error the
/// transaction is tried again by the rows it carries, and left out, counted, when that fails too.
/// A transaction that is too large to be held is a batch of its own, read from the journal once for
/// each try. Going on is deliberate, so that one bad row does not stop a migration; verify and
/// cutover look at the figures.
///
/// Throws odbc::Error when the shadow cannot be reached, runs out of something or refuses for
/// reasons outside the statement (SQLSTATE classes 08, 40, 53, 55, 57, 58, XX; SQLite busy, full,
/// I/O); nothing is half applied then. This object is of no use afterwards: connect again, make
/// another, read `stored_position` (the COMMIT whose answer was lost may have worked) and feed from
/// there.
class Applier {
 public:
  /// `mapped` points into both catalogs.
  Applier(odbc::Connection& shadow, const SqlDialect& dialect, const Catalog& production,
          const Catalog& shadow_catalog, std::string migration, Mapped mapped = {});
  ~Applier();

  /// The journal was recorded on the newer schema: columns that are not here are left out, and that
  /// is no divergence.
  void target_is_older();
  /// The position stored on the shadow; 0 when none.
  [[nodiscard]] std::uint64_t stored_position();
  /// Sets it (after the copy), in its own transaction.
  void store_position(std::uint64_t seq);

  /// Adds one transaction, whose outcome is known, to the open batch; opaque ones commit the batch
  /// before and after themselves. Rolled-back ones only move the position.
  void apply(const FeedTransaction& transaction);
  void apply(FeedTransaction&& transaction);
  /// Moves the position past a marker or anything else without data.
  void advance(std::uint64_t seq);
  /// Commits the open batch with its position. Cheap when there is none.
  void commit();
  [[nodiscard]] bool batch_full() const;
  [[nodiscard]] const ApplyFigures& figures() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace understudy
