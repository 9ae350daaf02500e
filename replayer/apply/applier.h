// Applies transactions of the journal to the shadow: in order, exactly once, checked.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "replayer/apply/journal_feed.h"
#include "replayer/copy/copy.h"
#include "replayer/dialect/dialect.h"

namespace understudy {

/// A statement whose effect on the shadow was not what the application saw.
struct Divergence {
  std::string fingerprint;  // first words of the text without literals, at most 120 bytes
  std::string kind;         // "row-count", "sqlstate 23505", ...
  std::uint64_t first_seq = 0;
  std::uint64_t count = 0;
};

struct ApplyFigures {
  std::uint64_t applied_seq = 0;      // committed on the shadow
  std::uint64_t applied = 0;          // transactions since this object was made
  std::uint64_t skipped_rolled_back = 0;
  std::uint64_t statements = 0;
  std::uint64_t keyed = 0, effects = 0, opaque = 0;
  std::uint64_t uncaptured = 0;
  std::vector<Divergence> divergences;
};

inline constexpr std::size_t kBatchTransactionsMax = 256;  // of the journal in one on the shadow
inline constexpr std::size_t kDivergencesMax = 1000;       // kinds kept

/// One thread. The position is a row of kPositionTable written in the same transaction as the data.
/// Throws odbc::Error when the shadow cannot be reached or refuses; nothing is half applied then.
class Applier {
 public:
  Applier(odbc::Connection& shadow, const SqlDialect& dialect, const Catalog& production,
          const Catalog& shadow_catalog, std::string migration);
  ~Applier();

  /// The position stored on the shadow; 0 when none.
  [[nodiscard]] std::uint64_t stored_position();
  /// Sets it (after the copy), in its own transaction.
  void store_position(std::uint64_t seq);

  /// Adds one transaction to the open batch; opaque ones commit the batch before and after
  /// themselves. Rolled-back ones only move the position.
  void apply(const FeedTransaction& transaction);
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
