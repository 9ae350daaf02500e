#include "driver/capture/transaction.h"

#include <algorithm>

namespace understudy::capture {

void Transaction::set_savepoint(std::string_view name, std::size_t settings, bool unsure) {
  if (savepoints.size() >= kSavepointsMax) return;  // rollback_to then answers false: counted
  const bool again = std::any_of(savepoints.begin(), savepoints.end(),
                                 [&](const Savepoint& one) { return one.name == name; });
  savepoints.push_back({std::string(name), entries.mark(), settings, unsure && again});
}

std::optional<std::size_t> Transaction::settings_at(std::string_view name) const {
  for (auto one = savepoints.rbegin(); one != savepoints.rend(); ++one) {
    if (one->name == name) return one->settings;
  }
  return std::nullopt;
}

bool Transaction::rollback_to(std::string_view name) {
  const auto found = std::find_if(savepoints.rbegin(), savepoints.rend(),
                                  [&](const Savepoint& one) { return one.name == name; });
  if (found == savepoints.rend()) return nothing_yet();
  const auto mark = found->mark;
  const bool sure = !found->doubtful || nothing_yet();
  savepoints.erase(found.base(), savepoints.end());
  entries.rewind(mark);
  first_statement = std::min(first_statement, entries.entries());
  return sure;
}

void Transaction::release(std::string_view name) {
  const auto found = std::find_if(savepoints.rbegin(), savepoints.rend(),
                                  [&](const Savepoint& one) { return one.name == name; });
  if (found != savepoints.rend()) savepoints.erase(std::prev(found.base()), savepoints.end());
}

void Transaction::forget_entries() {
  entries.clear();
  first_statement = 0;
  savepoints.clear();
  flags = 0;
  schema_changed = failed_in_part = false;
  server_txid = 0;
}

void Transaction::ended() {
  forget_entries();
  has_read.store(false, std::memory_order_relaxed);
  first_ran.store(false, std::memory_order_relaxed);
  if (begun.exchange(false, std::memory_order_relaxed)) {
    ended_one.store(true, std::memory_order_relaxed);
  }
  by_text = writing = recorded = tainted = unread = poisoned = slipped = anchored = prepared =
      deferrable = false;
  chunks = 0;
  outer_savepoint.clear();
  settings_before.reset();
  settings_told = false;
  txn_id = 0;
}

}  // namespace understudy::capture
