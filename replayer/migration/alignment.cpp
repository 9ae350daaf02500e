#include "replayer/migration/alignment.h"

#include <fmt/format.h>

#include "journal/gate.h"
#include "journal/segment.h"
#include "replayer/migration/failure.h"

namespace understudy {
namespace {

constexpr std::uint64_t kLookAgainNs = 50'000'000;

/// Opens the gate and ends the snapshot when an attempt is left early.
class Attempt {
 public:
  Attempt(Migration& migration, const Database& production)
      : gate_(*migration.map), production_(production) {}
  ~Attempt() {
    if (closed_) (void)gate_.open(token_);
    if (!snapshot_) return;
    try {
      production_.sql().close_snapshot(production_.db());
    } catch (const std::exception&) {
      // The connection is lost, and the snapshot with it.
    }
  }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  Status close(std::uint64_t deadline_ns) {
    const auto token = gate_.close(deadline_ns);
    if (!token.ok()) return token.status();
    token_ = *token;
    closed_ = true;
    return {};
  }
  Status wait_clear(std::uint64_t deadline_ns, std::uint32_t* dead) {
    return gate_.wait_clear(deadline_ns, dead);
  }
  void open_snapshot() {
    snapshot_ = true;
    production_.sql().open_snapshot(production_.db());
  }
  Status open() {
    closed_ = false;
    return gate_.open(token_);
  }
  void keep_snapshot() { snapshot_ = false; }

 private:
  Gate gate_;
  const Database& production_;
  std::uint32_t token_ = 0;
  bool closed_ = false;
  bool snapshot_ = false;
};

enum class Spoiled { no, by_session, by_doubt };

Spoiled try_once(Migration& migration, const Database& production,
                 const CommonPointOptions& options, CommonPoint* point, std::string* why) {
  Attempt attempt(migration, production);
  const std::uint64_t began_ns = monotonic_ns();
  const std::uint64_t deadline_ns = began_ns + kGateClosedNs;
  std::uint32_t dead = 0;
  Status status = attempt.close(deadline_ns);
  if (status.code() == Code::invalid) throw Failure(kExitNo, status.message());
  if (status.ok()) status = attempt.wait_clear(deadline_ns, &dead);
  if (!status.ok()) return *why = status.message(), Spoiled::by_session;
  const std::uint64_t in_doubt = migration.header().in_doubt.load();
  if (!options.doubt_allowed && (dead != 0 || in_doubt > options.doubt_ignored)) {
    *why = fmt::format("{} transactions are in doubt: their process died in COMMIT",
                       std::max<std::uint64_t>(dead, in_doubt));
    return Spoiled::by_doubt;
  }
  attempt.open_snapshot();
  point->marker_id = Migration::random_id();
  point->seq_before = migration.header().journaled_seq.load();
  point->in_doubt = in_doubt + dead;
  point->sealed = migration.header().sealed.load();
  if (options.announce) options.announce(point->marker_id);
  migration.append_marker(point->marker_id, options.kind);
  status = attempt.open();
  if (!status.ok()) return *why = status.message(), Spoiled::by_session;
  attempt.keep_snapshot();
  point->gate_ms = static_cast<double>(monotonic_ns() - began_ns) / 1e6;
  return Spoiled::no;
}

}  // namespace

CommonPoint take_common_point(Migration& migration, const Database& production,
                              const CommonPointOptions& options) {
  const std::uint64_t doubt_deadline_ns = monotonic_ns() + kDoubtWaitNs;
  std::string why;
  for (int attempts = 0; attempts < kGateAttemptsMax && !migration.stop;) {
    CommonPoint point;
    const Spoiled spoiled = try_once(migration, production, options, &point, &why);
    if (spoiled == Spoiled::no) return point;
    if (options.waiting) options.waiting(why);
    if (spoiled == Spoiled::by_session) {
      ++attempts;
      continue;
    }
    if (monotonic_ns() > doubt_deadline_ns) break;
    if (options.settle) options.settle();
    migration.wait_for_journal(migration.journal_token(), kLookAgainNs);
  }
  throw Failure(kExitNo, fmt::format("no common point of production and journal was found: {}; try "
                                     "again",
                                     why.empty() ? "interrupted" : why));
}

std::uint64_t find_marker(Migration& migration, const CommonPoint& point) {
  const std::uint64_t deadline_ns = monotonic_ns() + kJournaldWaitNs;
  const auto reader = migration.open_journal();
  if (point.seq_before > 0) {
    const Status found = reader->seek(point.seq_before);
    if (!found.ok() && found.code() != Code::not_found) require(found);
  }
  for (;;) {
    const std::uint32_t token = migration.journal_token();
    const auto record = reader->next();
    if (record.ok()) {
      if (record->type != RecordType::marker) continue;
      if (require(plain_body<MarkerRecord>(record->payload)).id != point.marker_id) continue;
      migration.require_durable(record->seq);
      return record->seq;
    }
    if (record.status().code() != Code::end) require(record.status());
    if (monotonic_ns() > deadline_ns || migration.stop)
      throw Failure(kExitFailed, fmt::format("journald did not write a marker in time; see {}",
                                             migration.home.journald_log()));
    migration.wait_for_journal(token, kLookAgainNs);
  }
}

}  // namespace understudy
