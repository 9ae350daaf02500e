// libFuzzer target for what the ring and the journal hold: texts, head, entries.
#include <cstdlib>
#include <vector>

#include "journal/record.h"
#include "tests/fuzz/patched.h"

namespace {

using namespace understudy;

void require(bool condition) {
  if (!condition) std::abort();
}

std::string well_formed() {
  EntryWriter writer;
  const std::string shape = Shape{"s", "t", 1, {"id", "note"}}.encode();
  writer.begin_statement(Verdict::keyed, Verb::update, kStatementWideText, "UPDATE t", shape);
  Parameter parameter;
  parameter.bytes = "seven";
  parameter.indicator = 5;
  writer.add_parameter(parameter);
  writer.add_key({0, 0, {}});
  writer.add_key({1, std::nullopt, "'x'"});
  writer.end_statement(1);
  const std::uint32_t number = writer.new_value();
  writer.add_pieces(number, "large");
  writer.begin_statement(Verdict::effects, Verb::move, kStatementHasEffects, "UPDATE t", shape);
  const std::vector<std::optional<std::string>> row = {"1", std::nullopt, "note"};
  writer.add_row(Verb::move, row);
  writer.end_statement(1);
  const std::vector<std::string> context = {"SET a = 1"};
  writer.add_context(context);
  writer.add_note("set-pos", "detail");
  TransactionHead head;
  head.entries = writer.entries();
  std::string out(writer.payload_bytes(false), '\0');
  writer.write_payload(std::as_writable_bytes(std::span(out)), &head);
  return out;
}

std::size_t sum = 0;  // so that every byte that is handed out is read

void read(std::string_view bytes) {
  for (const char c : bytes) sum += static_cast<unsigned char>(c);
}

void read(const Entry& entry) {
  for (const Parameter& one : entry.statement.parameters) read(one.bytes);
  for (const KeyPart& part : entry.statement.key) read(part.literal);
  for (const RowEffect& row : entry.statement.rows) {
    for (const auto& value : row.values) read(value.value_or(""));
    for (const auto& large : row.large) require(large.value < row.values.size());
  }
  read(entry.note.kind);
  read(entry.note.detail);
  read(entry.piece.bytes);
}

void read_payload(std::span<const std::byte> payload) {
  const auto split = split_ring_payload(payload);
  if (!split.ok()) return;
  for (const auto& [id, text] : split->texts) {
    read(text);
    (void)Shape::decode(text);
  }
  const auto head = decode_head(split->body);
  if (!head.ok()) return;
  const auto entries = split->body.subspan(sizeof(TransactionHead));
  EntryReader reader(entries);
  for (auto entry = reader.next(); entry.ok(); entry = reader.next()) read(*entry);
  const auto transaction = read_transaction(entries);
  if (!transaction.ok()) return;
  for (const Entry& entry : transaction->entries) read(entry);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string whole = well_formed();
  // Of exact size, so that a read past the end is seen.
  const std::string bytes = fuzz::patched(whole, {data, size});
  const std::vector<char> payload(bytes.begin(), bytes.end());
  read_payload(std::as_bytes(std::span(payload)));
  return 0;
}
