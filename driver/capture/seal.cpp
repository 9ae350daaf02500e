// The order everything rests on: gate, seal, COMMIT, outcome.
//
// Row locks are held until commit, so a transaction that overwrote what this one wrote cannot have
// sealed before us: our place in the ring is claimed before our COMMIT is sent. A test builds this
// file with UNDERSTUDY_TEST_SEAL_BEHIND_COMMIT to show that the order is then wrong.
#include <algorithm>
#include <cstring>
#include <utility>

#include "driver/capture/session.h"

namespace understudy::capture {

bool Session::recording_still() const {
  const Mode mode = mode_of(header().mode_word.load(std::memory_order_seq_cst));
  return records(mode) && shadow_in_use(mode) == on_shadow;
}

std::uint64_t Session::full_deadline_ns() const {
  const std::uint64_t now = monotonic_ns();
  return dbc.settings.on_full == "invalidate" ? now : now + kFullWaitNs;
}

// Since the slot was marked, rounded up: a mark that was kept for the next transaction is older.
std::uint32_t Session::writing_ms() const {
  const std::uint64_t since = slot().writing_since_ns.load(std::memory_order_relaxed);
  const std::uint64_t now = monotonic_ns();
  if (since == 0 || since > now) return 0;
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>((now - since) / 1'000'000 + 1, UINT32_MAX));
}

void Session::prepare_head(TransactionHead* head) {
  head->txn_id = transaction.txn_id;
  head->server_txid = transaction.server_txid;
  head->sealed_at_us = wall_clock_us();
  head->writing_ms = writing_ms();
  head->session_id = slot().session_id.load(std::memory_order_relaxed);
  head->entries = transaction.entries.entries();
  head->chunks = transaction.chunks;
  head->side = on_shadow ? Side::shadow : Side::production;
  head->flags = transaction.flags;
}

// Claims the place and makes the record readable. False: recording has ended with a reason.
bool Session::seal(Ring::Claim* claim) {
  TransactionHead head;
  prepare_head(&head);
  const std::size_t bytes = transaction.entries.payload_bytes(false);
  Result<Ring::Claim> got = ring_.claim(slot_, RingKind::transaction, head.txn_id,
                                        static_cast<std::uint32_t>(bytes), full_deadline_ns());
  if (!got.ok()) {
    map->invalidate("a transaction could not be recorded: " + got.status().message());
    return false;
  }
  *claim = *got;
  transaction.entries.write_payload(claim->payload, &head);
  Slot& mine = slot();
  mine.in_flight_txn.store(head.txn_id, std::memory_order_relaxed);
  ring_.publish(*claim);
  mine.sealed.fetch_add(1, std::memory_order_relaxed);
  header().sealed.fetch_add(1, std::memory_order_relaxed);
  if (header().durability_power.load(std::memory_order_relaxed) == 0) return true;
  const Status durable = ring_.wait_durable(*claim, monotonic_ns() + kDurableWaitNs);
  if (!durable.ok()) map->invalidate("the journal does not reach the disk: " + durable.message());
  return true;
}

void Session::publish_outcome(std::uint64_t txn_id, Outcome outcome) {
  OutcomeRecord record;
  record.txn_id = txn_id;
  record.at_us = wall_clock_us();
  record.outcome = outcome;
  const std::uint32_t no_texts = 0;
  Result<Ring::Claim> claim = ring_.claim(slot_, RingKind::outcome, txn_id,
                                          sizeof no_texts + sizeof record, full_deadline_ns());
  if (!claim.ok()) {
    map->invalidate("an outcome could not be recorded: " + claim.status().message());
    return;
  }
  std::memcpy(claim->payload.data(), &no_texts, sizeof no_texts);
  std::memcpy(claim->payload.data() + sizeof no_texts, &record, sizeof record);
  ring_.publish(*claim);
}

void Session::publish_abandon() {
  const std::uint32_t no_texts = 0;
  Result<Ring::Claim> claim = ring_.claim(slot_, RingKind::abandon, transaction.txn_id,
                                          sizeof no_texts, full_deadline_ns());
  if (!claim.ok()) return;  // chunks without a transaction record are never applied
  std::memcpy(claim->payload.data(), &no_texts, sizeof no_texts);
  ring_.publish(*claim);
}

SQLRETURN Session::commit(const EndsTransaction& commit, bool goes_on) {
  goes_on = goes_on || mark_keepers_ != 0;
  if (transaction.writing) check_process();
  if (transaction.tainted || transaction.unread) settle_taint();
  if (std::exchange(transaction.failed_in_part, false)) note_uncaptured(kFailedInPart);
  const bool anything = transaction.recorded && !transaction.poisoned &&
                        (!transaction.entries.empty() || transaction.chunks != 0);
  if (!anything) {
    const SQLRETURN ret = commit();
    settings_ended(SQL_SUCCEEDED(ret) && !transaction.poisoned);
    if (goes_on) {
      next_transaction();
    } else {
      lost();
    }
    return ret;
  }
  learn_server_txid();
  const DeferredKeys keys = check_deferred_keys();
  const bool stands = keys != DeferredKeys::gone;
  const bool schema_changed = transaction.schema_changed;
  std::uint64_t txn_id = transaction.txn_id;
  Ring::Claim claim;
#ifdef UNDERSTUDY_TEST_SEAL_BEHIND_COMMIT
  SQLRETURN ret = commit();
  gate_.enter(slot());
  const bool sealed = recording_still() && seal(&claim);
#else
  gate_.enter(slot());
  const bool sealed = recording_still() && seal(&claim);
  SQLRETURN ret = commit();
#endif
  // A refused or lost COMMIT proves nothing: in doubt, unless the server says how it ended.
  Outcome outcome = SQL_SUCCEEDED(ret) ? Outcome::committed : Outcome::unknown;
  if (!stands || (sealed && outcome == Outcome::unknown)) outcome = refused_outcome();
  // Of a transaction that was lost before, psqlodbc says that it has committed it.
  if (!stands && outcome != Outcome::committed) ret = SQL_ERROR;
  const bool committed = SQL_SUCCEEDED(ret);
  // Somebody has given the key away in between, and is behind us in the ring: we go behind them.
  // What has left in chunks stays where it is; the replayer tells of what collides.
  if (sealed && committed && keys == DeferredKeys::refused && transaction.chunks == 0) {
    transaction.txn_id = new_transaction_id();
    (void)seal(&claim);
    publish_outcome(std::exchange(txn_id, transaction.txn_id), Outcome::rolled_back);
  }
  if (sealed) publish_outcome(txn_id, outcome);
  slot().in_flight_txn.store(0, std::memory_order_relaxed);
  gate_.leave(slot());
  settings_ended(committed);
  if (goes_on) {
    next_transaction();
  } else {
    end_write();
    transaction.ended();
  }
  if (schema_changed && committed) {
    map->invalidate(this->schema_changed());
  }
  return ret;
}

void Session::next_transaction() {
  mark_is_idle_ = mark_keepers_ != 0;
  const bool recorded = transaction.recorded && recording_still();
  if (transaction.chunks != 0) publish_abandon();
  transaction.ended();
  transaction.writing = true;
  transaction.recorded = recorded;
  if (!recorded) return;
  transaction.txn_id = new_transaction_id();
  record_settings();
}

SQLRETURN Session::perhaps_end(const EndsTransaction& end, bool commits) {
  if (transaction.writing) check_process();
  if (transaction.tainted || transaction.unread) settle_taint();
  const bool anything = commits && transaction.recorded && !transaction.poisoned &&
                        (!transaction.entries.empty() || transaction.chunks != 0);
  const bool schema_changed = transaction.schema_changed;
  Ring::Claim claim;
  if (anything) gate_.enter(slot());
  const bool sealed = anything && recording_still() && seal(&claim);
  const SQLRETURN ret = end();
  const bool open = begun_by_text();
  const bool ended = !open && SQL_SUCCEEDED(ret);
  if (sealed) {
    const Outcome kept = ended ? Outcome::committed : Outcome::unknown;
    publish_outcome(transaction.txn_id, open ? Outcome::rolled_back : kept);
  }
  if (anything) {
    slot().in_flight_txn.store(0, std::memory_order_relaxed);
    gate_.leave(slot());
  }
  if (open) {
    // Its entries are sealed again, under another name, when it ends; chunks keep the old one.
    if (transaction.recorded && sealed) transaction.txn_id = new_transaction_id();
    if (sealed && transaction.chunks != 0) {
      transaction.chunks = 0;
      note_uncaptured("transaction-ended-unseen");
    }
  } else if (sealed) {
    end_write();
    transaction.ended();
    if (schema_changed && ended) map->invalidate(this->schema_changed());
  } else {
    lost();
  }
  return ret;
}

SQLRETURN Session::rollback(const EndsTransaction& rollback, bool goes_on) {
  if (transaction.writing) check_process();
  const SQLRETURN ret = rollback();
  if (SQL_SUCCEEDED(ret)) {
    // What was not sealed cannot be committed any more: nobody is going to send COMMIT for it.
    settings_ended(false);
    if (goes_on) {
      next_transaction();
    } else {
      lost();
    }
  } else {
    // It may go on, and be committed yet: the server is asked before anything follows.
    transaction.tainted = transaction.recorded;
  }
  return ret;
}

void Session::lost() {
  if (transaction.writing) check_process();
  if (mark_keepers_ != 0) return next_transaction();
  if (transaction.chunks != 0) publish_abandon();
  end_write();
  transaction.ended();
}

std::size_t Session::chunk_bytes() const {
  return std::min<std::size_t>(kChunkBytes, ring_.payload_bytes_max() / 2);
}

void Session::spill() {
  if (transaction.entries.chunk_bytes() < chunk_bytes()) return;
  const auto give_up = [&](const std::string& reason) {
    map->invalidate(reason);
    transaction.forget_entries();
  };
  const std::size_t bytes = transaction.entries.payload_bytes(true);
  if (bytes > ring_.payload_bytes_max()) {
    return give_up("one statement of a transaction is larger than the ring takes");
  }
  Result<Ring::Claim> claim = ring_.claim(slot_, RingKind::chunk, transaction.txn_id,
                                          static_cast<std::uint32_t>(bytes), full_deadline_ns());
  if (!claim.ok()) {
    return give_up("a long transaction could not be recorded: " + claim.status().message());
  }
  transaction.entries.write_payload(claim->payload, nullptr);
  ring_.publish(*claim);
  transaction.entries.chunk_taken();
  ++transaction.chunks;
}

void Session::note_uncaptured(const char* kind) {
  transaction.entries.add_note(kind, {});
  transaction.flags |= kTransactionUncaptured;
  header().uncaptured.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace understudy::capture
