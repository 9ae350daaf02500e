#include "replayer/migration/doubt_ids.h"

#include <set>

#include "journal/record.h"
#include "replayer/migration/doubt.h"
#include "replayer/migration/failure.h"

namespace understudy {
namespace {

class Evidence {
 public:
  Evidence(std::uint64_t seq, const TransactionHead& head) : seq_(seq), doubtful_(head) {}

  void add(const JournalRecord& record) {
    if (record.type == RecordType::transaction)
      add_transaction(record.seq, require(decode_head(record.payload)));
    if (record.type == RecordType::outcome)
      add_outcome(require(plain_body<OutcomeRecord>(record.payload)));
  }
  [[nodiscard]] bool given_again() const { return given_again_; }

 private:
  void add_transaction(std::uint64_t seq, const TransactionHead& head) {
    if (head.txn_id == doubtful_.txn_id || head.side != doubtful_.side) return;
    if (head.server_txid == doubtful_.server_txid) same_id_.insert(head.txn_id);
    if (seq <= seq_) return;
    // The first of a session may have begun before.
    const bool began_later = !sealed_later_.insert(head.session_id).second;
    if (began_later && head.server_txid != 0 && head.server_txid <= doubtful_.server_txid)
      given_again_ = true;
  }
  void add_outcome(const OutcomeRecord& outcome) {
    if (outcome.outcome == Outcome::committed && same_id_.contains(outcome.txn_id))
      given_again_ = true;
  }

  const std::uint64_t seq_;
  const TransactionHead doubtful_;
  std::set<std::uint64_t> sealed_later_;  // sessions, behind it
  std::set<std::uint64_t> same_id_;       // transactions
  bool given_again_ = false;
};

}  // namespace

bool id_given_again(JournalReader& journal, std::uint64_t seq) {
  require(journal.seek(seq));
  const TransactionHead head = require(decode_head(require(journal.next()).payload));
  if (head.server_txid == 0) return false;
  Evidence evidence(seq, head);
  const std::uint64_t first = seq > kEarlierRecordsMax ? seq - kEarlierRecordsMax : 1;
  if (!journal.seek(first).ok()) require(journal.seek(seq));  // segments before may be gone
  while (!evidence.given_again()) {
    const auto next = journal.next();
    if (!next.ok() && next.status().code() == Code::end) break;
    const JournalRecord record = require(next);
    if (record.seq > seq + kLaterRecordsMax) break;
    evidence.add(record);
  }
  return evidence.given_again();
}

}  // namespace understudy
