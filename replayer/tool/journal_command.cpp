#include "replayer/tool/journal_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "journal/segment_scan.h"
#include "replayer/migration/failure.h"
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
  out->end_offset = record.offset + record_bytes(record.payload.size());
  out->payload_bytes += record.payload.size();
  ++out->records[record.type];
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

/// Calls `use` with every record; damage ends with `damage_exit`.
template <class Use>
void for_each_record(const std::string& directory, int damage_exit, Use use) {
  const auto exit_code_of = [&](const Status& status) {
    return status.code() == Code::corrupt ? damage_exit : kExitFailed;
  };
  auto opened = JournalReader::open(directory);
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

void dump(const std::string& directory, bool show_values) {
  for_each_record(directory, kExitFailed, [&](const JournalReader& reader, const auto& record) {
    fmt::print("{}\n", record_text(reader, record, show_values));
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

void verify(const std::string& directory) {
  JournalFigures figures;
  for_each_record(directory, kExitNo, [&](const JournalReader& reader, const auto& record) {
    add_record(reader, record, &figures);
  });
  if (!figures.gap.empty()) throw Failure(kExitNo, figures.gap);
  refuse_torn_tail(directory, figures);
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

void stat(const std::string& directory) {
  JournalFigures figures;
  for_each_record(directory, kExitFailed, [&](const JournalReader& reader, const auto& record) {
    add_record(reader, record, &figures);
  });
  print_stat(figures, directory);
}

}  // namespace

void add_journal_command(CLI::App& app, int* exit_code) {
  CLI::App* journal = app.add_subcommand("journal", "reads a journal");
  journal->require_subcommand(1);
  const auto directory = std::make_shared<std::string>();
  const auto show_values = std::make_shared<bool>(false);
  const auto add = [&](const char* name, const char* about) {
    CLI::App* command = journal->add_subcommand(name, about);
    command->add_option("DIR", *directory, "the journal's folder")->required();
    return command;
  };
  CLI::App* dump_command = add("dump", "prints one line for each record");
  dump_command->add_flag("--show-values", *show_values, "print values of rows and parameters too");
  dump_command->callback([directory, show_values, exit_code] {
    dump(*directory, *show_values);
    *exit_code = kExitDone;
  });
  add("verify", "reads everything and says whether it holds together")
      ->callback([directory, exit_code] {
        verify(*directory);
        *exit_code = kExitDone;
      });
  add("stat", "counts records, statements, outcomes and bytes")->callback([directory, exit_code] {
    stat(*directory);
    *exit_code = kExitDone;
  });
}

}  // namespace understudy
