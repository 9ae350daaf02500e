// libFuzzer target for recorded parameters: what is accepted is read as a real driver reads what is
// bound, by C type and indicator.
#include <sqlext.h>

#include <cstdlib>
#include <cstring>
#include <memory>

#include "journal/c_type.h"

namespace {

using namespace understudy;

void require(bool condition) {
  if (!condition) std::abort();
}

struct Told {
  std::int16_t io_type;
  std::int16_t c_type;
  std::int16_t sql_type;
  std::int16_t digits;
  std::uint64_t column_size;
  std::int64_t indicator;
};

/// Half of the inputs tell of types and lengths that there are.
Told plausible(Told told, std::size_t bytes) {
  constexpr std::int16_t kDirections[] = {SQL_PARAM_INPUT, SQL_PARAM_INPUT_OUTPUT,
                                          SQL_PARAM_OUTPUT};
  constexpr std::int16_t kTypes[] = {SQL_C_CHAR,  SQL_C_WCHAR,         SQL_C_BINARY,
                                     SQL_C_SLONG, SQL_C_SBIGINT,       SQL_C_DOUBLE,
                                     SQL_C_BIT,   SQL_C_NUMERIC,       SQL_C_TYPE_TIMESTAMP,
                                     SQL_C_GUID,  SQL_C_INTERVAL_YEAR, SQL_C_TYPE_DATE};
  told.io_type = kDirections[static_cast<std::uint16_t>(told.io_type) % std::size(kDirections)];
  told.c_type = kTypes[static_cast<std::uint16_t>(told.c_type) % std::size(kTypes)];
  const std::int64_t told_bytes[] = {static_cast<std::int64_t>(bytes), SQL_NULL_DATA, SQL_NTS,
                                     static_cast<std::int64_t>(bytes) + 1};
  told.indicator = told_bytes[static_cast<std::uint64_t>(told.indicator) % std::size(told_bytes)];
  return told;
}

std::vector<std::byte> transaction_with(const Parameter& parameter, bool in_pieces) {
  EntryWriter writer;
  Parameter given = parameter;
  if (in_pieces) {
    given.pieces = writer.new_value();
    given.bytes = {};
    writer.add_pieces(*given.pieces, parameter.bytes.substr(0, parameter.bytes.size() / 2));
    writer.add_pieces(*given.pieces, parameter.bytes.substr(parameter.bytes.size() / 2));
  }
  writer.begin_statement(Verdict::opaque, Verb::other, 0, "u", "");
  writer.add_parameter(given);
  writer.end_statement(1);
  std::vector<std::byte> out(writer.payload_bytes(true));
  writer.write_payload(out, nullptr);
  return out;
}

/// Of exact size, so that a read past the end is seen.
void bind_and_read(const Parameter& parameter) {
  const std::size_t size = parameter.bytes.size();
  const std::unique_ptr<char[]> value(new char[size]);
  std::memcpy(value.get(), parameter.bytes.data(), size);
  if (parameter.indicator == SQL_NULL_DATA || parameter.indicator == SQL_DEFAULT_PARAM) return;
  require(parameter.indicator >= 0);  // no length that announces more, or looks for an end
  const std::int64_t fixed = fixed_bytes(parameter.c_type);
  if (fixed != 0 && size == 0) return;  // bound without a place
  std::size_t sum = 0;
  const std::int64_t read = fixed != 0 ? fixed : parameter.indicator;
  for (std::int64_t i = 0; i < read; ++i) sum += static_cast<unsigned char>(value[i]);
  require(sum < SIZE_MAX);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Told told;
  if (size < 1 + sizeof(told)) return 0;
  std::memcpy(&told, data + 1, sizeof(told));
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1 + sizeof(told)),
                               size - 1 - sizeof(told));
  if (data[0] % 2 == 0) told = plausible(told, bytes.size());
  Parameter parameter;
  parameter.io_type = told.io_type;
  parameter.c_type = told.c_type;
  parameter.sql_type = told.sql_type;
  parameter.digits = told.digits;
  parameter.column_size = told.column_size;
  parameter.indicator = told.indicator;
  parameter.bytes = bytes;
  const std::vector<std::byte> payload = transaction_with(parameter, data[0] % 4 > 1);
  const auto split = split_ring_payload(payload);
  require(split.ok());
  const auto read = read_transaction(split->body);
  if (!read.ok()) return 0;
  const Parameter& taken = read->entries.at(0).statement.parameters.at(0);
  require(taken.bytes == bytes && !taken.pieces);
  bind_and_read(taken);
  return 0;
}
