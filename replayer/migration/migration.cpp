#include "replayer/migration/migration.h"

#include <fmt/format.h>

#include <cstring>
#include <random>

#include "replayer/migration/failure.h"

namespace understudy {

Migration::Migration(Home where)
    : home(std::move(where)),
      settings(load_settings(home)),
      map(require(SegmentMap::open_or_create(home.root, home.name, settings.ring_bytes))),
      ring_(*map) {
  const Status locked = map->lock(kLockReplayer);
  if (locked.code() == Code::full)
    throw Failure(kExitNo, fmt::format("another process acts on migration {} already; see "
                                       "`understudy status {}`",
                                       home.name, home.name));
  require(locked);
  slot_ = require(map->register_session());
  state.emplace(home);
}

Migration::~Migration() {
  map->unregister_session(slot_);
  map->unlock(kLockReplayer);
}

bool Migration::change_mode(Mode from, Mode to) {
  std::uint32_t word = header().mode_word.load();
  do {
    if (mode_of(word) != from) return false;
  } while (!header().mode_word.compare_exchange_weak(word, mode_word(to, epoch_of(word) + 1)));
  futex_wake_all(header().mode_word);
  return true;
}

std::uint64_t Migration::random_id() {
  std::random_device device;
  std::uint64_t id = 0;
  while (id == 0) id = (static_cast<std::uint64_t>(device()) << 32) | device();
  return id;
}

void Migration::append(RingKind kind, std::uint64_t txn_id, const std::vector<std::byte>& payload) {
  const std::lock_guard guard(ring_mutex_);
  const Ring::Claim claim =
      require(ring_.claim(slot_, kind, txn_id, static_cast<std::uint32_t>(payload.size()),
                          monotonic_ns() + kRingWaitNs));
  std::memcpy(claim.payload.data(), payload.data(), payload.size());
  ring_.publish(claim);
}

void Migration::append_marker(std::uint64_t id, MarkerKind kind) {
  append(RingKind::marker, 0, plain_payload(MarkerRecord{id, wall_clock_us(), kind, 0}));
}

void Migration::append_outcome(std::uint64_t txn_id, Outcome outcome) {
  append(RingKind::outcome, txn_id,
         plain_payload(OutcomeRecord{txn_id, wall_clock_us(), outcome, {}}));
}

void Migration::require_durable(std::uint64_t seq) {
  constexpr std::uint64_t kLookNs = 10'000'000;
  if (header().durability_power.load() == 0) return;
  const std::uint64_t deadline_ns = monotonic_ns() + kJournaldWaitNs;
  for (;;) {
    const std::uint32_t token = journal_token();
    if (header().durable_seq.load() >= seq) return;
    if (monotonic_ns() > deadline_ns || stop)
      throw Failure(kExitFailed,
                    fmt::format("record {} of the journal does not reach the disk; see {}", seq,
                                home.journald_log()));
    wait_for_journal(token, kLookNs);
  }
}

std::shared_ptr<const JournalKeys> Migration::journal_keys() {
  const std::lock_guard guard(keys_mutex_);
  if (!keys_) keys_ = load_journal_keys(settings.journal_key);
  return keys_;
}

void Migration::forget_journal_keys() {
  const std::lock_guard guard(keys_mutex_);
  keys_.reset();
}

std::unique_ptr<JournalReader> Migration::open_journal() {
  auto opened = JournalReader::open(home.journal(), journal_keys());
  if (opened.status().code() == Code::wrong_key) forget_journal_keys();
  return require(std::move(opened));
}

void Migration::wait_for_journal(std::uint32_t token, std::uint64_t ns_max) {
  futex_wait_until(header().space_wake, token, monotonic_ns() + ns_max);
}

}  // namespace understudy
