#include "replayer/tool/record_text.h"

#include <fmt/format.h>
#include <sql.h>
#include <sqlext.h>

#include <ctime>
#include <stdexcept>

#include "replayer/apply/fingerprint.h"
#include "replayer/odbc/unicode.h"

namespace understudy {
namespace {

constexpr char kShapeSeparator = '\x1f';

template <class T>
T read_as(std::string_view bytes) {
  T value{};
  std::memcpy(&value, bytes.data(), std::min(sizeof(T), bytes.size()));
  return value;
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

std::string hex(const TextId& id) {
  return hex(std::string_view(reinterpret_cast<const char*>(id.data()), id.size()));
}

std::string parameter_text(const Parameter& parameter, bool show_values) {
  if (parameter.indicator == SQL_NULL_DATA) return "NULL";
  if (parameter.indicator == SQL_DEFAULT_PARAM) return "DEFAULT";
  const auto bytes = parameter.bytes;
  if (!show_values) return fmt::format("<{} bytes>", bytes.size());
  switch (parameter.c_type) {
    case SQL_C_CHAR:
      return fmt::format("'{}'", one_line(bytes));
    case SQL_C_WCHAR: {
      std::vector<SQLWCHAR> units(bytes.size() / sizeof(SQLWCHAR));
      std::memcpy(units.data(), bytes.data(), units.size() * sizeof(SQLWCHAR));
      return fmt::format("'{}'", one_line(odbc::to_utf8(units.data(), units.size())));
    }
    case SQL_C_LONG:
    case SQL_C_SLONG:
      return std::to_string(read_as<std::int32_t>(bytes));
    case SQL_C_ULONG:
      return std::to_string(read_as<std::uint32_t>(bytes));
    case SQL_C_SHORT:
    case SQL_C_SSHORT:
      return std::to_string(read_as<std::int16_t>(bytes));
    case SQL_C_SBIGINT:
      return std::to_string(read_as<std::int64_t>(bytes));
    case SQL_C_UBIGINT:
      return std::to_string(read_as<std::uint64_t>(bytes));
    case SQL_C_DOUBLE:
      return fmt::format("{}", read_as<double>(bytes));
    case SQL_C_FLOAT:
      return fmt::format("{}", read_as<float>(bytes));
    default:
      return "x" + hex(bytes);
  }
}

std::string statement_line(std::string_view text, bool show_values) {
  return show_values ? one_line(text) : fingerprint(text);
}

std::string_view lookup(const JournalReader& reader, const TextId& id) {
  if (id == kNoText) return {};
  const auto text = reader.text(id);
  if (!text.ok()) throw std::runtime_error(text.status().message());
  return *text;
}

std::string_view verb_name(Verb verb) {
  switch (verb) {
    case Verb::insert:
      return "insert";
    case Verb::update:
      return "update";
    case Verb::remove:
      return "delete";
    case Verb::put:
      return "put";
    case Verb::replace:
      return "replace";
    case Verb::move:
      return "move";
    case Verb::clear:
      return "clear";
    case Verb::other:
      break;
  }
  return "row";
}

std::string shape_name(std::string_view encoded) {
  const auto shape = Shape::decode(encoded);
  if (!shape.ok()) throw std::runtime_error(shape.status().message());
  return (shape->schema.empty() ? "" : shape->schema + ".") + shape->table;
}

std::string row_text(const RowEffect& row) {
  std::string out;
  const char* comma = "(";
  auto large = row.large.begin();
  for (std::uint32_t i = 0; i < row.values.size(); ++i) {
    const bool elsewhere = large != row.large.end() && large->value == i;
    const auto& value = row.values[i];
    out += comma;
    out += elsewhere ? fmt::format("value #{}", (large++)->number)
           : value   ? one_line(*value)
                     : "NULL";
    comma = ", ";
  }
  return out + ")";
}

std::string rows_text(const JournalReader& reader, const StatementEntry& statement,
                      bool show_values) {
  std::string out = " on " + shape_name(lookup(reader, statement.shape)) + ":";
  for (const auto& row : statement.rows) {
    out += fmt::format(" {}", verb_name(row.verb));
    if (show_values) out += row_text(row);
  }
  return out;
}

std::string statement_text(const JournalReader& reader, const StatementEntry& statement,
                           bool show_values) {
  std::string out =
      fmt::format(" | {} rows={} \"{}\"", verdict_name(statement.verdict), statement.row_count,
                  statement_line(lookup(reader, statement.text), show_values));
  const char* comma = " (";
  for (const auto& parameter : statement.parameters) {
    out += comma;
    out += parameter.pieces ? fmt::format("value #{}", *parameter.pieces)
                            : parameter_text(parameter, show_values);
    comma = ", ";
  }
  if (!statement.parameters.empty()) out += ")";
  if (statement.rows.empty()) return out;
  return out + rows_text(reader, statement, show_values);
}

std::string entries_text(const JournalReader& reader, const JournalRecord& record,
                         bool show_values) {
  std::string out;
  for (const auto& entry : record_entries(record)) {
    switch (entry.type) {
      case Entry::Type::statement:
        out += statement_text(reader, entry.statement, show_values);
        break;
      case Entry::Type::context:
        out += " | context";
        for (const auto& id : entry.context.statements) {
          out += fmt::format(" \"{}\"", statement_line(lookup(reader, id), show_values));
        }
        break;
      case Entry::Type::note:
        out += fmt::format(" | uncaptured {} ({})", one_line(entry.note.kind),
                           one_line(entry.note.detail));
        break;
      case Entry::Type::piece:
        out +=
            fmt::format(" | {} bytes of value #{}", entry.piece.bytes.size(), entry.piece.number);
        break;
      case Entry::Type::rows:
        out += fmt::format(" | and rows={}", entry.statement.row_count);
        out += rows_text(reader, entry.statement, show_values);
        break;
      case Entry::Type::rewind:
        out += fmt::format(" | back to entry {}", entry.keep);
        break;
    }
  }
  return out;
}

std::string flags_text(std::uint8_t flags) {
  std::string out;
  if ((flags & kTransactionAutocommit) != 0) out += " autocommit";
  if ((flags & kTransactionBarrier) != 0) out += " barrier";
  if ((flags & kTransactionUncaptured) != 0) out += " uncaptured";
  return out;
}

std::string dictionary_text(std::span<const std::byte> payload, bool show_values) {
  TextId id{};
  if (payload.size() < id.size()) throw std::runtime_error("a text has no name");
  std::memcpy(id.data(), payload.data(), id.size());
  const std::string_view text(reinterpret_cast<const char*>(payload.data()) + id.size(),
                              payload.size() - id.size());
  if (text.find(kShapeSeparator) != std::string_view::npos) {
    return fmt::format("{} columns of {}", hex(id), shape_name(text));
  }
  return fmt::format("{} \"{}\"", hex(id), statement_line(text, show_values));
}

std::uint64_t number_at_front(std::span<const std::byte> payload) {
  std::uint64_t number = 0;
  if (payload.size() < sizeof(number)) throw std::runtime_error("a record is too short");
  std::memcpy(&number, payload.data(), sizeof(number));
  return number;
}

template <class T>
T plain(const JournalRecord& record) {
  const auto value = plain_body<T>(record.payload);
  if (!value.ok()) throw std::runtime_error(value.status().message());
  return *value;
}

std::string_view marker_name(MarkerKind kind) {
  switch (kind) {
    case MarkerKind::alignment:
      return "alignment";
    case MarkerKind::common_point:
      return "common point";
    case MarkerKind::cutover:
      return "cutover";
  }
  return "unknown";
}

std::string details(const JournalReader& reader, const JournalRecord& record, bool show_values) {
  const auto payload = record.payload;
  switch (record.type) {
    case RecordType::text:
      return dictionary_text(payload, show_values);
    case RecordType::transaction: {
      const auto head = decode_head(payload);
      if (!head.ok()) throw std::runtime_error(head.status().message());
      return fmt::format("id={} session={} server={} sealed={} chunks={} entries={}{}{}",
                         head->txn_id, head->session_id, head->server_txid,
                         time_text(head->sealed_at_us), head->chunks, head->entries,
                         flags_text(head->flags), entries_text(reader, record, show_values));
    }
    case RecordType::chunk:
      return fmt::format("id={}{}", number_at_front(payload),
                         entries_text(reader, record, show_values));
    case RecordType::outcome: {
      const auto outcome = plain<OutcomeRecord>(record);
      return fmt::format("id={} {} at={}", outcome.txn_id, outcome_name(outcome.outcome),
                         time_text(outcome.at_us));
    }
    case RecordType::marker: {
      const auto marker = plain<MarkerRecord>(record);
      return fmt::format("{} id={} at={}", marker_name(marker.kind), marker.id,
                         time_text(marker.at_us));
    }
    case RecordType::abandon:
      return fmt::format("id={}", number_at_front(payload));
    case RecordType::gap:
      return one_line({reinterpret_cast<const char*>(payload.data()), payload.size()});
    case RecordType::next_segment:
    case RecordType::stream:
      break;
  }
  return {};
}

}  // namespace

std::string one_line(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\\') {
      out += "\\\\";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

std::string time_text(std::int64_t us) {
  constexpr std::int64_t kUsPerSecond = 1'000'000;
  std::int64_t rest = us % kUsPerSecond;
  if (rest < 0) rest += kUsPerSecond;
  const std::time_t seconds = static_cast<std::time_t>((us - rest) / kUsPerSecond);
  std::tm parts{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return "?";
  char text[64];
  const auto length = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
  return fmt::format("{}.{:06}Z", std::string_view(text, length), rest);
}

std::string_view record_type_name(RecordType type) {
  switch (type) {
    case RecordType::text:
      return "text";
    case RecordType::transaction:
      return "transaction";
    case RecordType::chunk:
      return "chunk";
    case RecordType::outcome:
      return "outcome";
    case RecordType::marker:
      return "marker";
    case RecordType::abandon:
      return "abandon";
    case RecordType::gap:
      return "gap";
    case RecordType::next_segment:
      return "next-segment";
    case RecordType::stream:
      return "stream";
  }
  return "unknown";
}

std::vector<Entry> record_entries(const JournalRecord& record) {
  const std::size_t front =
      record.type == RecordType::transaction ? sizeof(TransactionHead) : sizeof(std::uint64_t);
  if (record.payload.size() < front) throw std::runtime_error("a record is too short");
  std::vector<Entry> entries;
  EntryReader reader(record.payload.subspan(front));
  for (;;) {
    auto entry = reader.next();
    if (!entry.ok() && entry.status().code() == Code::end) return entries;
    if (!entry.ok()) throw std::runtime_error(entry.status().message());
    entries.push_back(std::move(*entry));
  }
}

std::string record_text(const JournalReader& reader, const JournalRecord& record,
                        bool show_values) {
  return fmt::format("{} {}:{} {} {}", record.seq, record.segment, record.offset,
                     record_type_name(record.type), details(reader, record, show_values));
}

}  // namespace understudy
