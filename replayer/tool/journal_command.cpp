#include "replayer/tool/journal_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "journal/segment_scan.h"
#include "replayer/migration/failure.h"
#include "replayer/tool/key_options.h"
#include "replayer/tool/record_text.h"

namespace understudy {
namespace {

struct JournalFigures {
  std::map<RecordType, std::uint64_t> records;
  std::map<Verdict, std::uint64_t> statements;
  std::map<Outcome, std::uint64_t> outcomes;
  std::unordered_map<std::uint64_t, Outcome> open;  // transactions without a definite outcome
  std::uint64_t payload_bytes = 0;
  std::uint64_t first_seq = 0;
  std::uint64_t last_seq = 0;
  std::uint64_t segments = 0;
  std::uint64_t end_offset = 0;  // behind the last record, in the last segment
  std::uint64_t notes = 0;
  std::vector<KeyId> keys;  // of encrypted segments, in their order
  bool readable = true;     // not encrypted, or with the key
  std::int64_t first_sealed_us = 0;
  std::int64_t last_sealed_us = 0;
  std::string gap;
};

void add_entries(const JournalReader& reader, const JournalRecord& record, JournalFigures* out) {
  const auto check_text = [&](const TextId& id) {
    if (id == kNoText) return;
    if (const auto text = reader.text(id); !text.ok()) require(text.status(), kExitNo);
  };
  for (const auto& entry : record_entries(record)) {
    if (entry.type == Entry::Type::note) ++out->notes;
    for (const auto& id : entry.context.statements) check_text(id);
    check_text(entry.statement.text);
    check_text(entry.statement.shape);
    if (entry.type != Entry::Type::statement) continue;
    ++out->statements[entry.statement.verdict];
  }
}

void add_outcome(const JournalRecord& record, JournalFigures* out) {
  const auto outcome = require(plain_body<OutcomeRecord>(record.payload), kExitNo);
  const auto found = out->open.find(outcome.txn_id);
  if (found == out->open.end()) return;
  found->second = outcome.outcome;
  if (outcome.outcome == Outcome::unknown) return;
  ++out->outcomes[outcome.outcome];
  out->open.erase(found);
}

void add_record(const JournalReader& reader, const JournalRecord& record, JournalFigures* out) {
  if (out->first_seq == 0) out->first_seq = record.seq;
  out->last_seq = record.seq;
  out->segments = record.segment;
  out->end_offset = record.offset + record_bytes(record.stored_bytes);
  out->payload_bytes += record.stored_bytes;
  ++out->records[record.type];
  const auto key = reader.key_id();
  if (key && (out->keys.empty() || out->keys.back() != *key)) out->keys.push_back(*key);
  if (key && !out->readable) return;
  if (record.type == RecordType::transaction) {
    const auto head = require(decode_head(record.payload), kExitNo);
    if (out->first_sealed_us == 0) out->first_sealed_us = head.sealed_at_us;
    out->last_sealed_us = head.sealed_at_us;
    out->open[head.txn_id] = Outcome::unknown;
    add_entries(reader, record, out);
  }
  if (record.type == RecordType::chunk) add_entries(reader, record, out);
  if (record.type == RecordType::outcome) add_outcome(record, out);
  if (record.type == RecordType::gap) {
    out->gap = fmt::format(
        "recording ended at record {} ({}); nothing after it can be trusted, the migration has to "
        "begin anew",
        record.seq,
        one_line({reinterpret_cast<const char*>(record.payload.data()), record.payload.size()}));
  }
}

/// Which journal, and the key that it may need.
struct Given {
  std::string directory;
  std::shared_ptr<KeySource> key;
  bool show_values = false;
};

/// Calls `use` with every record; damage ends with `damage_exit`. `stored`: as it is without a key.
template <class Use>
void for_each_record(const Given& given, bool stored, int damage_exit, Use use) {
  const auto exit_code_of = [&](const Status& status) {
    return status.code() == Code::corrupt ? damage_exit : kExitFailed;
  };
  auto opened = stored ? JournalReader::open_stored(given.directory)
                       : JournalReader::open(given.directory, load_journal_keys(*given.key));
  if (!opened.ok()) require(opened.status(), exit_code_of(opened.status()));
  const auto reader = std::move(*opened);
  for (;;) {
    const auto record = reader->next();
    if (!record.ok() && record.status().code() == Code::end) return;
    if (!record.ok()) require(record.status(), exit_code_of(record.status()));
    try {
      use(*reader, *record);
    } catch (const Failure&) {
      throw;
    } catch (const std::runtime_error& error) {
      throw Failure(damage_exit,
                    fmt::format("segment {}, offset {}, record {}: {}; restore the journal from a "
                                "copy, or begin the migration anew",
                                record->segment, record->offset, record->seq, error.what()));
    }
  }
}

void dump(const Given& given) {
  for_each_record(given, false, kExitFailed, [&](const JournalReader& reader, const auto& record) {
    fmt::print("{}\n", record_text(reader, record, given.show_values));
  });
}

// Readers take what does not validate at the end as not written yet, and a writer that opens the
// journal cuts it off when nothing proves that it was whole once. Whoever asks is told.
void refuse_torn_tail(const std::string& directory, const JournalFigures& figures) {
  if (figures.segments == 0) return;
  const auto file = require(SegmentFile::open(directory, figures.segments));
  const auto last = require(last_byte_from(*file, figures.end_offset));
  if (!last) return;
  throw Failure(
      kExitNo,
      fmt::format("records {} to {} hold together; behind them, in segment {} from offset {}, "
                  "stand {} bytes that are no whole record: a write that was cut short, or damage "
                  "to what was never known to be synced. While journald runs, ask again; "
                  "otherwise start it, and it saves these bytes aside and goes on",
                  figures.first_seq, figures.last_seq, figures.segments, figures.end_offset,
                  *last - figures.end_offset));
}

void verify(const Given& given) {
  JournalFigures figures;
  for_each_record(given, false, kExitNo, [&](const JournalReader& reader, const auto& record) {
    add_record(reader, record, &figures);
  });
  if (!figures.gap.empty()) throw Failure(kExitNo, figures.gap);
  refuse_torn_tail(given.directory, figures);
  fmt::print("OK: {} segments, records {} to {}, {} transactions\n", figures.segments,
             figures.first_seq, figures.last_seq, figures.records[RecordType::transaction]);
}

void print_stat(const JournalFigures& figures, const std::string& directory) {
  fmt::print("journal        {}\n", directory);
  fmt::print("records        {} to {} in {} segments, {} bytes\n", figures.first_seq,
             figures.last_seq, figures.segments, figures.payload_bytes);
  for (const auto& [type, count] : figures.records) {
    fmt::print("  {:<13}{}\n", record_type_name(type), count);
  }
  for (const KeyId& key : figures.keys)
    fmt::print("encrypted      with the key {}\n", key_id_text(key));
  if (!figures.readable) {
    fmt::print("statements     not counted: that needs the key\n");
    return;
  }
  fmt::print("statements\n");
  for (const auto& [verdict, count] : figures.statements) {
    fmt::print("  {:<13}{}\n", verdict_name(verdict), count);
  }
  fmt::print("outcomes\n");
  for (const auto& [outcome, count] : figures.outcomes) {
    fmt::print("  {:<13}{}\n", outcome_name(outcome), count);
  }
  fmt::print("  {:<13}{}\n", "open", figures.open.size());
  fmt::print("uncaptured     {}\n", figures.notes);
  if (figures.first_sealed_us != 0) {
    constexpr double kUsPerSecond = 1e6;
    const double seconds =
        static_cast<double>(figures.last_sealed_us - figures.first_sealed_us) / kUsPerSecond;
    const auto transactions = figures.records.at(RecordType::transaction);
    fmt::print("duration       {:.3f} s, {} to {}\n", seconds, time_text(figures.first_sealed_us),
               time_text(figures.last_sealed_us));
    if (seconds > 0) {
      fmt::print("rate           {:.0f} transactions/s\n",
                 static_cast<double>(transactions) / seconds);
    }
  }
  if (!figures.gap.empty()) fmt::print("incomplete     {}\n", figures.gap);
}

/// Without a key it counts what can be counted.
void stat(const Given& given) {
  JournalFigures figures;
  const auto first = require(JournalReader::open_stored(given.directory));
  figures.readable = !first->key_id() || !given.key->empty();
  for_each_record(given, !figures.readable, kExitFailed,
                  [&](const JournalReader& reader, const auto& record) {
                    add_record(reader, record, &figures);
                  });
  print_stat(figures, given.directory);
}

}  // namespace

void add_journal_command(CLI::App& app, int* exit_code) {
  CLI::App* journal = app.add_subcommand("journal", "reads a journal");
  journal->require_subcommand(1);
  const auto add = [&](const char* name, const char* about, void (*act)(const Given&)) {
    const auto given = std::make_shared<Given>();
    CLI::App* command = journal->add_subcommand(name, about);
    command->add_option("DIR", given->directory, "the journal's folder")->required();
    given->key = add_key_options(*command);
    command->callback([given, act, exit_code] {
      act(*given);
      *exit_code = kExitDone;
    });
    return std::pair(command, given);
  };
  const auto [dump_command, dumped] = add("dump", "prints one line for each record", dump);
  dump_command->add_flag("--show-values", dumped->show_values,
                         "print values of rows and parameters too");
  add("verify", "reads everything and says whether it holds together", verify);
  add("stat", "counts records, statements, outcomes and bytes", stat);
}

}  // namespace understudy
