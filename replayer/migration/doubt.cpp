#include "replayer/migration/doubt.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "journal/segment.h"
#include "replayer/migration/alignment.h"
#include "replayer/migration/doubt_ids.h"
#include "replayer/migration/failure.h"

namespace understudy {
namespace {

/// The transaction of a session that may still end it itself.
bool owner_still_writes(Migration& migration, std::uint64_t session_id) {
  for (std::uint32_t i = 0; i < kSlotCount; ++i) {
    Slot& slot = migration.map->slot(i);
    if (slot.session_id.load() != session_id) continue;
    if (slot.state.load() != static_cast<std::uint32_t>(SlotState::active)) continue;
    if (slot.writing.load() == static_cast<std::uint32_t>(Writing::none)) continue;
    if (migration.map->liveness(i) == Liveness::alive) return true;
  }
  return false;
}

std::optional<std::uint64_t> session_of(JournalReader& reader, std::uint64_t seq) {
  require(reader.seek(seq));
  const JournalRecord record = require(reader.next());
  if (record.type != RecordType::transaction) return std::nullopt;
  return require(decode_head(record.payload)).session_id;
}

}  // namespace

const Database& DoubtResolver::source() {
  if (!source_ || source_->db().dead()) source_ = open_source(migration_.settings, way_);
  return *source_;
}

void DoubtResolver::record(std::uint64_t txn_id, Outcome outcome) {
  migration_.append_outcome(txn_id, outcome);
  settled_.insert(txn_id);
}

TxnStatus DoubtResolver::ask_server(std::uint64_t server_txid, const TxnTimes& times) {
  return source().sql().txn_status(source().db(), server_txid, times);
}

std::optional<Outcome> DoubtResolver::conclude(
    TxnStatus status, std::uint64_t seq, const std::function<std::optional<Outcome>()>& rows) {
  switch (status) {
    case TxnStatus::committed:
      return Outcome::committed;
    case TxnStatus::rolled_back:
      return Outcome::rolled_back;
    case TxnStatus::in_progress:
      reason_ = "the server still works on its COMMIT";
      return std::nullopt;
    case TxnStatus::committed_before_restart:
    case TxnStatus::maybe_another:
    case TxnStatus::unknown:
      break;
  }
  if (id_given_again(*migration_.open_journal(), seq)) return Outcome::rolled_back;
  if (const auto outcome = rows()) return outcome;
  if (status == TxnStatus::committed_before_restart) return Outcome::committed;
  reason_ = status == TxnStatus::unknown
                ? "the server no longer knows how it ended, and its rows do not tell"
                : "the server has restarted since and may have given its id once more, and neither "
                  "ids nor rows tell how it ended";
  reason_ += "; cancel the migration and start a new one";
  return std::nullopt;
}

std::optional<Outcome> DoubtResolver::compare_rows(const FeedWait& wait,
                                                   const DoubtTarget& target) {
  const auto reader = migration_.open_journal();
  const auto session = session_of(*reader, wait.seq);
  if (!session || owner_still_writes(migration_, *session)) {
    reason_ = "its session has not ended it yet";
    return std::nullopt;
  }
  CommonPointOptions options;
  options.doubt_allowed = true;
  const CommonPoint point = take_common_point(migration_, source(), options);
  (void)find_marker(migration_, point);
  const auto outcome = outcome_by_rows(*reader, wait.seq, point.marker_id, source(), target);
  source().sql().close_snapshot(source().db());
  if (!outcome) {
    reason_ = "its rows do not tell how it ended; cancel the migration and start a new one";
    ask_again_ns_ = std::min(2 * ask_again_ns_, kCompareAgainNsMax);
  }
  return outcome;
}

bool DoubtResolver::settle(const FeedWait& wait, const DoubtTarget& target) {
  if (settled_.contains(wait.txn_id)) return true;
  if (asked_txn_ != wait.txn_id) ask_again_ns_ = kAskAgainNs;
  if (asked_txn_ == wait.txn_id && monotonic_ns() - asked_ns_ < ask_again_ns_) return false;
  const bool by_server = wait.server_txid != 0 && source().sql().can_resolve();
  const auto rows = [&] { return compare_rows(wait, target); };
  const auto outcome =
      by_server ? conclude(ask_server(wait.server_txid, {wait.writing_at_us, wait.sealed_at_us}),
                           wait.seq, rows)
                : rows();
  asked_txn_ = wait.txn_id;
  asked_ns_ = monotonic_ns();
  if (!outcome) return false;
  record(wait.txn_id, *outcome);
  return true;
}

void DoubtResolver::settle_all_by_server() {
  if (!source().sql().can_resolve()) return;
  const auto reader = migration_.open_journal();
  struct Open {
    std::uint64_t seq = 0;
    std::uint64_t server_txid = 0;
    TxnTimes times;
    bool in_doubt = false;
  };
  std::unordered_map<std::uint64_t, Open> open;
  for (;;) {
    const auto next = reader->next();
    if (!next.ok() && next.status().code() == Code::end) break;
    const JournalRecord one = require(next);
    if (one.type == RecordType::transaction) {
      const TransactionHead head = require(decode_head(one.payload));
      open[head.txn_id] = {
          one.seq, head.server_txid, {writing_at_us(head), head.sealed_at_us}, false};
    } else if (one.type == RecordType::outcome) {
      const auto outcome = require(plain_body<OutcomeRecord>(one.payload));
      const auto found = open.find(outcome.txn_id);
      if (found == open.end()) continue;
      found->second.in_doubt = outcome.outcome == Outcome::unknown;
      if (!found->second.in_doubt) open.erase(found);
    }
  }
  for (const auto& [txn_id, one] : open) {
    if (!one.in_doubt || one.server_txid == 0 || settled_.contains(txn_id)) continue;
    const TxnStatus status = ask_server(one.server_txid, one.times);
    // The snapshot will hold the truth: what counts here is that it has ended.
    const auto ended = [] { return std::optional(Outcome::committed); };
    if (const auto outcome = conclude(status, one.seq, ended)) record(txn_id, *outcome);
  }
}

}  // namespace understudy
