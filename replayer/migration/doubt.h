// How a transaction ended whose process died in COMMIT, or whose COMMIT failed: asked of the server
// where it knows (PostgreSQL), otherwise, or where its word may be about another transaction,
// concluded from ids in the journal and from the rows the transaction wrote. Where nothing is
// certain the transaction stays in doubt.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "replayer/apply/journal_feed.h"
#include "replayer/migration/databases.h"
#include "replayer/migration/doubt_rows.h"
#include "replayer/migration/migration.h"

namespace understudy {

inline constexpr std::uint64_t kAskAgainNs = 200'000'000;  // for one that is still in progress
inline constexpr std::uint64_t kCompareAgainNsMax =
    30'000'000'000;  // its rows tell less with each write, and to look takes the commit gate
inline constexpr std::uint64_t kLaterRecordsMax = 1'000'000;  // read behind the one in doubt

/// One thread. Opens a connection of its own to the source, the side in use, when it is first
/// needed.
class DoubtResolver {
 public:
  explicit DoubtResolver(Migration& migration, Way way = Way::there)
      : migration_(migration), way_(way) {}

  /// Tries to settle the transaction that holds the feed back; true when its outcome was put into
  /// the ring. `target` holds everything before it, committed. Asks at most every kAskAgainNs;
  /// the longer its rows do not tell the less often they are compared. Throws odbc::Error when the
  /// source cannot be reached.
  bool settle(const FeedWait& wait, const DoubtTarget& target);
  /// Before the alignment, where the shadow holds nothing: settles all by the server's word alone.
  void settle_all_by_server();
  /// Why the last one could not be settled.
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  const Database& source();
  TxnStatus ask_server(std::uint64_t server_txid, const TxnTimes& times);
  /// What follows from the server's word; `rows` compares rows where that is not certain.
  std::optional<Outcome> conclude(TxnStatus status, std::uint64_t seq,
                                  const std::function<std::optional<Outcome>()>& rows);
  std::optional<Outcome> compare_rows(const FeedWait& wait, const DoubtTarget& target);
  void record(std::uint64_t txn_id, Outcome outcome);

  Migration& migration_;
  const Way way_;
  std::optional<Database> source_;
  std::set<std::uint64_t> settled_;
  std::uint64_t asked_txn_ = 0;
  std::uint64_t asked_ns_ = 0;
  std::uint64_t ask_again_ns_ = kAskAgainNs;
  std::string reason_;
};

}  // namespace understudy
