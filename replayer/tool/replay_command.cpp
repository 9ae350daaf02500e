#include "replayer/tool/replay_command.h"

#include <fmt/format.h>
#include <signal.h>
#include <time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <string>

#include "replayer/apply/applier.h"
#include "replayer/migration/failure.h"
#include "replayer/migration/mapping.h"
#include "replayer/migration/settings.h"
#include "replayer/tool/key_options.h"

namespace understudy {
namespace {

using Clock = std::chrono::steady_clock;

constexpr long kFollowIntervalNs = 50'000'000;  // between two looks at a journal without news
constexpr std::chrono::seconds kProgressInterval{5};
constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

struct Given {
  std::string journal;
  std::string shadow;
  std::string migration;
  std::uint64_t from = 0;
  std::uint64_t until = kNoLimit;
  bool follow = false;
  bool dry_run = false;
  std::shared_ptr<const JournalKeys> keys;
};

/// SIGINT and SIGTERM are kept from ending the process, so that the batch in hand is finished.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGINT);
    sigaddset(&set_, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &set_, &before_);
  }
  ~StopSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// Whether one came, within the time given.
  bool wait(long nanoseconds) {
    const timespec limit{0, nanoseconds};
    stopped_ = stopped_ || ::sigtimedwait(&set_, nullptr, &limit) > 0;
    return stopped_;
  }

 private:
  sigset_t set_{};
  sigset_t before_{};
  bool stopped_ = false;
};

std::string position_name(const Given& given) {
  if (!given.migration.empty()) return given.migration;
  const auto reader = require(JournalReader::open(given.journal, given.keys));
  return fmt::format("journal {:016x}", reader->journal_id());
}

/// The position in the shadow's table, without making the table.
std::uint64_t read_position(const Given& given) {
  odbc::Connection shadow(given.shadow, true);
  std::string name;
  for (const char c : position_name(given)) name.append(c == '\'' ? 2 : 1, c);
  try {
    const auto seq = shadow.scalar(
        fmt::format("SELECT seq FROM {} WHERE migration = '{}'", kPositionTable, name));
    return seq ? std::stoull(*seq) : 0;
  } catch (const odbc::Error& error) {
    if (error.connection_lost()) throw;
    return 0;  // nothing was ever applied: the table is not there
  }
}

struct Counted {
  std::uint64_t transactions = 0, rolled_back = 0, statements = 0, markers = 0, notes = 0;
  std::uint64_t first = 0, last = 0;
  std::map<Verdict, std::uint64_t> verdicts;

  void add(const FeedTransaction& transaction) {
    if (first == 0) first = transaction.seq;
    last = transaction.seq;
    if (transaction.outcome == Outcome::rolled_back) {
      ++rolled_back;
      return;
    }
    ++transactions;
    transaction.for_each([&](const Entry& entry) {
      if (entry.type == Entry::Type::note) ++notes;
      if (entry.type != Entry::Type::statement) return true;
      ++statements;
      ++verdicts[entry.statement.verdict];
      return true;
    });
  }
};

/// What holds up the rest, in words; empty when nothing does.
std::string held_up(const JournalFeed& feed) {
  const auto wait = feed.waiting();
  if (wait.reason == FeedWait::Reason::in_doubt) {
    return fmt::format(
        "transaction {} (id {}) is in doubt and holds up {} behind it; `understudy start` resolves "
        "it where the engine can tell",
        wait.seq, wait.txn_id, feed.backlog() - 1);
  }
  if (wait.reason == FeedWait::Reason::outcome_pending) {
    return fmt::format("transaction {} (id {}) has no outcome yet and holds up {} behind it",
                       wait.seq, wait.txn_id, feed.backlog() - 1);
  }
  return {};
}

bool beyond(const FeedItem& item, std::uint64_t until) {
  return (item.transaction ? item.transaction->seq : item.marker->seq) > until;
}

int finish(const JournalFeed& feed, bool divergent) {
  const auto words = held_up(feed);
  if (!words.empty()) fmt::print("{}\n", words);
  const bool in_doubt = feed.waiting().reason == FeedWait::Reason::in_doubt;
  return divergent || in_doubt ? kExitNo : kExitDone;
}

int dry_run(const Given& given) {
  const std::uint64_t after = given.from != 0 ? given.from - 1 : read_position(given);
  JournalFeed feed(given.journal, after, given.keys);
  Counted counted;
  for (auto item = feed.next(); item && !beyond(*item, given.until); item = feed.next()) {
    if (item->marker) ++counted.markers;
    if (item->transaction) counted.add(*item->transaction);
  }
  fmt::print("would apply {} transactions with {} statements after record {}\n",
             counted.transactions, counted.statements, after);
  if (counted.last != 0) fmt::print("records {} to {}\n", counted.first, counted.last);
  for (const auto& [verdict, count] : counted.verdicts) {
    fmt::print("  {:<12}{}\n", verdict_name(verdict), count);
  }
  fmt::print("  {:<12}{}\n  {:<12}{}\n  {:<12}{}\n", "rolled back", counted.rolled_back, "markers",
             counted.markers, "uncaptured", counted.notes);
  return finish(feed, false);
}

void print_progress(const ApplyFigures& figures, Clock::time_point since) {
  const double seconds = std::chrono::duration<double>(Clock::now() - since).count();
  fmt::print("applied {} transactions, {} statements, up to record {} ({:.0f} transactions/s)\n",
             figures.applied, figures.statements, figures.applied_seq,
             seconds > 0 ? static_cast<double>(figures.applied) / seconds : 0.0);
  std::fflush(stdout);
}

void print_divergences(const ApplyFigures& figures) {
  if (figures.divergences.empty()) return;
  fmt::print(
      "{} kinds of statements did otherwise than in production; {} transactions were left "
      "out:\n",
      figures.divergences.size(), figures.left_out);
  auto sorted = figures.divergences;
  std::sort(sorted.begin(), sorted.end(),
            [](const Divergence& a, const Divergence& b) { return a.count > b.count; });
  for (const auto& one : sorted) {
    fmt::print("  {:>8}  {:<20} first at record {}: {}\n", one.count, one.kind, one.first_seq,
               one.fingerprint);
  }
}

/// Applies what is there, and with --follow what comes, until a signal.
class Replay {
 public:
  Replay(const Given& given, Applier& applier, JournalFeed& feed)
      : given_(given), applier_(applier), feed_(feed) {}

  void run() {
    while (!stop_.wait(0)) {
      auto item = feed_.next();
      if (!item) {
        applier_.commit();
        if (!given_.follow || stop_.wait(kFollowIntervalNs)) break;
        continue;
      }
      if (beyond(*item, given_.until)) break;
      take(std::move(*item));
    }
    applier_.commit();
    print_progress(applier_.figures(), began_);
  }

 private:
  void take(FeedItem item) {
    if (item.marker) applier_.advance(item.marker->seq);
    if (item.transaction) applier_.apply(std::move(*item.transaction));
    if (applier_.batch_full()) applier_.commit();
    if (Clock::now() - printed_ < kProgressInterval) return;
    printed_ = Clock::now();
    print_progress(applier_.figures(), began_);
  }

  const Given& given_;
  Applier& applier_;
  JournalFeed& feed_;
  StopSignals stop_;
  Clock::time_point began_ = Clock::now();
  Clock::time_point printed_ = began_;
};

std::unique_ptr<odbc::Connection> connect_for_applying(const std::string& target, bool generic) {
  auto shadow = std::make_unique<odbc::Connection>(target);
  const auto& dialect = dialect_for(*shadow, generic);
  const auto options = dialect.apply_options(shadow->info(SQL_DRIVER_NAME));
  if (options.empty()) return shadow;
  return std::make_unique<odbc::Connection>(with_options(target, options));
}

/// Of a migration whose home the journal lies in.
Mapped mapping_beside(const std::string& journal, const Catalog& production,
                      const Catalog& shadow) {
  const std::string path = journal + "/../mapping.toml";
  if (!std::filesystem::exists(path)) return {};
  return mapped_tables(read_mapping(path), path, production, shadow);
}

int replay(const Given& given) {
  // A journal in a migration's home stands beside production's catalog, which tells its engine.
  const auto beside = Catalog::load(given.journal + "/../catalog");
  const bool generic = beside.ok() && beside->dialect == Dialect::generic;
  const auto shadow = connect_for_applying(given.shadow, generic);
  const auto& dialect = dialect_for(*shadow, generic);
  const Catalog catalog = dialect.read_catalog(*shadow);
  const Catalog& production = beside.ok() ? *beside : catalog;
  Applier applier(*shadow, dialect, production, catalog, position_name(given),
                  mapping_beside(given.journal, production, catalog));
  if (given.from != 0) applier.store_position(given.from - 1);
  JournalFeed feed(given.journal, applier.stored_position(), given.keys);
  Replay(given, applier, feed).run();
  const auto& figures = applier.figures();
  fmt::print("keyed {}, effects {}, opaque {}, rolled back {}, uncaptured {}\n", figures.keyed,
             figures.effects, figures.opaque, figures.skipped_rolled_back, figures.uncaptured);
  print_divergences(figures);
  return finish(feed, !figures.divergences.empty());
}

}  // namespace

void add_replay_command(CLI::App& app, int* exit_code) {
  CLI::App* command = app.add_subcommand("replay", "applies a journal to a database");
  const auto given = std::make_shared<Given>();
  command->add_option("--journal", given->journal, "the journal's folder")->required();
  command->add_option("--shadow", given->shadow, "connection string or data source")->required();
  command->add_option("--migration", given->migration,
                      "whose position on the shadow is meant (default: the journal's own)");
  command->add_option("--from", given->from, "first record to apply; sets the position")
      ->check(CLI::Range(std::uint64_t{1}, kNoLimit));
  command->add_option("--until", given->until, "last record to apply");
  command->add_flag("--follow", given->follow, "go on with what is recorded, until SIGINT");
  command->add_flag("--dry-run", given->dry_run, "say what would be applied, write nothing");
  const auto key = add_key_options(*command);
  command->callback([given, key, exit_code] {
    given->keys = load_journal_keys(*key);
    *exit_code = given->dry_run ? dry_run(*given) : replay(*given);
  });
}

}  // namespace understudy
