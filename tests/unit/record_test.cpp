#include "journal/record.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <random>
#include <stdexcept>

namespace understudy {
namespace {

std::vector<std::byte> payload_of(const EntryWriter& writer, const TransactionHead* head) {
  std::vector<std::byte> out(writer.payload_bytes(head == nullptr));
  writer.write_payload(out, head);
  return out;
}

Parameter integer_parameter(const std::int32_t& value) {
  Parameter parameter;
  parameter.io_type = 1;
  parameter.c_type = 4;
  parameter.sql_type = -5;
  parameter.digits = 2;
  parameter.column_size = 10;
  parameter.indicator = sizeof(value);
  parameter.bytes = {reinterpret_cast<const char*>(&value), sizeof(value)};
  return parameter;
}

const std::string& shape_text() {
  static const std::string text = Shape{"public", "item", 1, {"id", "name"}}.encode();
  return text;
}

/// One statement with a parameter, both kinds of key and two rows, then a context and a note.
EntryWriter full_writer() {
  static const std::int32_t seven = 7;
  EntryWriter writer;
  writer.begin_statement(Verdict::effects, Verb::update, kStatementHasEffects,
                         "update item set name = ? where id > 3", shape_text());
  writer.add_parameter(integer_parameter(seven));
  KeyPart by_parameter;
  by_parameter.column = 0;
  by_parameter.parameter = 0;
  writer.add_key(by_parameter);
  KeyPart by_literal;
  by_literal.column = 1;
  by_literal.literal = "'x'";
  writer.add_key(by_literal);
  writer.begin_row(Verb::put);
  writer.add_value("4");
  writer.add_value(std::nullopt);
  writer.end_row();
  writer.begin_row(Verb::remove);
  writer.add_value("");
  writer.end_row();
  writer.end_statement(2);
  const std::vector<std::string> settings = {"set role a", "set time zone 'UTC'"};
  writer.add_context(settings);
  writer.add_note("bulk-operations", "SQLBulkOperations was used");
  return writer;
}

TEST(Record, StatementReadsBackAsWritten) {
  const auto writer = full_writer();
  TransactionHead head;
  head.txn_id = 42;
  head.entries = writer.entries();
  const auto payload = payload_of(writer, &head);
  const auto split = split_ring_payload(payload);
  ASSERT_TRUE(split.ok());
  const auto read_head = decode_head(split->body);
  ASSERT_TRUE(read_head.ok());
  EXPECT_EQ(read_head->txn_id, 42u);
  EXPECT_EQ(read_head->entries, 3u);
  EntryReader reader(split->body.subspan(sizeof(TransactionHead)));
  const auto entry = reader.next();
  ASSERT_TRUE(entry.ok()) << entry.status().message();
  const StatementEntry& statement = entry->statement;
  EXPECT_EQ(statement.verdict, Verdict::effects);
  EXPECT_EQ(statement.verb, Verb::update);
  EXPECT_EQ(statement.flags, kStatementHasEffects);
  EXPECT_EQ(statement.text, text_id("update item set name = ? where id > 3"));
  EXPECT_EQ(statement.shape, text_id(shape_text()));
  EXPECT_EQ(statement.row_count, 2);
  ASSERT_EQ(statement.parameters.size(), 1u);
  EXPECT_EQ(statement.parameters[0].sql_type, -5);
  EXPECT_EQ(statement.parameters[0].digits, 2);
  EXPECT_EQ(statement.parameters[0].column_size, 10u);
  EXPECT_EQ(statement.parameters[0].bytes, std::string_view("\x07\0\0\0", 4));
  ASSERT_EQ(statement.key.size(), 2u);
  EXPECT_EQ(statement.key[0].parameter, 0u);
  EXPECT_FALSE(statement.key[1].parameter);
  EXPECT_EQ(statement.key[1].literal, "'x'");
  ASSERT_EQ(statement.rows.size(), 2u);
  EXPECT_EQ(statement.rows[0].verb, Verb::put);
  EXPECT_EQ(statement.rows[0].values[0], "4");
  EXPECT_EQ(statement.rows[0].values[1], std::nullopt);
  EXPECT_EQ(statement.rows[1].values[0], "");
}

TEST(Record, ContextAndNoteReadBackAsWritten) {
  const auto payload = payload_of(full_writer(), nullptr);
  const auto split = split_ring_payload(payload);
  ASSERT_TRUE(split.ok());
  EntryReader reader(split->body);
  ASSERT_TRUE(reader.next().ok());
  const auto context = reader.next();
  ASSERT_TRUE(context.ok());
  ASSERT_EQ(context->type, Entry::Type::context);
  EXPECT_EQ(context->context.statements.at(1), text_id("set time zone 'UTC'"));
  const auto note = reader.next();
  ASSERT_TRUE(note.ok());
  EXPECT_EQ(note->note.kind, "bulk-operations");
  EXPECT_EQ(note->note.detail, "SQLBulkOperations was used");
  EXPECT_EQ(reader.next().status().code(), Code::end);
}

TEST(Record, StatementWithoutListsReadsBackEmpty) {
  EntryWriter writer;
  writer.begin_statement(Verdict::opaque, Verb::other, 0, "call p()", "");
  writer.end_statement(-1);
  const auto payload = payload_of(writer, nullptr);
  EntryReader reader(split_ring_payload(payload)->body);
  const auto entry = reader.next();
  ASSERT_TRUE(entry.ok());
  EXPECT_EQ(entry->statement.shape, kNoText);
  EXPECT_TRUE(entry->statement.parameters.empty());
  EXPECT_TRUE(entry->statement.key.empty());
  EXPECT_TRUE(entry->statement.rows.empty());
}

TEST(Record, TextStandsOncePerPayload) {
  EntryWriter writer;
  for (int i = 0; i < 3; ++i) {
    writer.begin_statement(Verdict::keyed, Verb::insert, 0, "insert", "");
    writer.end_statement(1);
  }
  const auto payload = payload_of(writer, nullptr);
  const auto split = split_ring_payload(payload);
  ASSERT_TRUE(split.ok());
  ASSERT_EQ(split->texts.size(), 1u);
  EXPECT_EQ(split->texts[0].second, "insert");
  EXPECT_EQ(split->texts[0].first, text_id("insert"));
}

TEST(Record, ChunkAfterATakenChunkNamesItsTextsAgain) {
  EntryWriter writer;
  writer.begin_statement(Verdict::keyed, Verb::insert, 0, "insert", "");
  writer.end_statement(1);
  writer.chunk_taken();
  EXPECT_EQ(writer.bytes(), 0u);
  EXPECT_EQ(writer.entries(), 1u);
  writer.begin_statement(Verdict::keyed, Verb::insert, 0, "insert", "");
  writer.end_statement(1);
  const auto payload = payload_of(writer, nullptr);
  EXPECT_EQ(split_ring_payload(payload)->texts.size(), 1u);
  EXPECT_EQ(writer.entries(), 2u);
}

TEST(Record, CancelledStatementLeavesNoEntry) {
  auto writer = full_writer();
  const auto bytes = writer.bytes();
  writer.begin_statement(Verdict::keyed, Verb::insert, 0, "insert into item values (1)", "");
  writer.begin_row(Verb::put);
  writer.add_value("1");
  writer.cancel_statement();
  EXPECT_EQ(writer.bytes(), bytes);
  EXPECT_EQ(writer.entries(), 3u);
}

TEST(Record, RewindForgetsWhatCameAfterTheMark) {
  auto writer = full_writer();
  const auto mark = writer.mark();
  writer.add_note("a", "b");
  writer.rewind(mark);
  EXPECT_EQ(writer.entries(), 3u);
  EXPECT_EQ(writer.bytes(), mark.bytes);
}

// --- transactions that are larger than what is held ---

/// Holds little, and keeps the chunks it had to give away.
class Chunked {
 public:
  static constexpr std::size_t kChunk = 4096;

  Chunked() {
    writer.drain_by([this] { take(); }, kChunk);
  }
  void take() {
    held_max = std::max(held_max, writer.bytes());
    const auto payload = payload_of(writer, nullptr);
    const auto body = split_ring_payload(payload)->body;
    bytes_.insert(bytes_.end(), body.begin(), body.end());
    writer.chunk_taken();
    ++chunks;
  }
  /// The whole transaction, read.
  TransactionEntries read() {
    const TransactionHead head;
    const auto payload = payload_of(writer, &head);
    const auto body = split_ring_payload(payload)->body.subspan(sizeof(TransactionHead));
    bytes_.insert(bytes_.end(), body.begin(), body.end());
    auto read = read_transaction(bytes_);
    if (!read.ok()) throw std::runtime_error(read.status().message());
    EXPECT_EQ(read->written, writer.entries());
    return std::move(*read);
  }
  void statement(const std::string& text) {
    writer.begin_statement(Verdict::keyed, Verb::insert, 0, text, "");
    writer.end_statement(1);
  }

  EntryWriter writer;
  std::size_t held_max = 0;
  int chunks = 0;

 private:
  std::vector<std::byte> bytes_;
};

TEST(LongTransaction, TheRowsOfOneStatementLeaveInManyChunksAndComeBackTogether) {
  Chunked all;
  all.writer.begin_statement(Verdict::effects, Verb::put, kStatementHasEffects, "u", shape_text());
  for (int i = 0; i < 5000; ++i) {
    all.writer.begin_row(Verb::put);
    all.writer.add_value(std::to_string(i));
    all.writer.add_value(i % 3 == 0 ? std::nullopt : std::optional<std::string_view>("name"));
    all.writer.end_row();
  }
  all.writer.end_statement(5000);
  const auto read = all.read();
  EXPECT_GT(all.chunks, 10);
  EXPECT_LT(all.held_max, 2 * Chunked::kChunk);
  ASSERT_EQ(read.entries.size(), 1u);
  const StatementEntry& statement = read.entries[0].statement;
  EXPECT_EQ(statement.row_count, 5000);
  ASSERT_EQ(statement.rows.size(), 5000u);
  for (std::size_t i = 0; i < 5000; ++i) {
    EXPECT_EQ(statement.rows[i].values[0], std::to_string(i));
    EXPECT_EQ(statement.rows[i].values[1].has_value(), i % 3 != 0);
  }
}

TEST(LongTransaction, ALargeValueIsNeverHeldAsAWhole) {
  Chunked all;
  const std::string large(1u << 20, 'x');
  const std::string other(100'000, 'y');
  Parameter parameter;
  parameter.c_type = 1;  // SQL_C_CHAR
  parameter.indicator = static_cast<std::int64_t>(large.size());
  parameter.bytes = large;
  all.writer.begin_statement(Verdict::keyed, Verb::put, kStatementHasEffects, "u", shape_text());
  all.writer.add_parameter(parameter);
  all.writer.begin_row(Verb::put);
  all.writer.add_value("1");
  all.writer.add_value(other);
  all.writer.end_row();
  all.writer.end_statement(1);
  const auto read = all.read();
  EXPECT_LT(all.held_max, 3 * Chunked::kChunk);
  const StatementEntry& statement = read.entries.at(0).statement;
  EXPECT_EQ(statement.parameters.at(0).bytes, large);
  EXPECT_EQ(statement.rows.at(0).values.at(0), "1");
  EXPECT_EQ(statement.rows.at(0).values.at(1), other);
}

TEST(LongTransaction, PiecesMayComeBeforeTheStatementThatNamesThem) {
  Chunked all;
  const std::uint32_t number = all.writer.new_value();
  std::string whole;
  for (int i = 0; i < 100; ++i) {
    const std::string piece(1000, static_cast<char>('a' + i % 26));
    all.writer.add_pieces(number, piece);
    whole += piece;
    if (i % 10 == 0) all.statement("between");
  }
  Parameter parameter;
  parameter.c_type = 1;  // SQL_C_CHAR
  parameter.indicator = static_cast<std::int64_t>(whole.size());
  parameter.pieces = number;
  all.writer.begin_statement(Verdict::keyed, Verb::put, 0, "u", "");
  all.writer.add_parameter(parameter);
  all.writer.end_statement(1);
  const auto read = all.read();
  ASSERT_EQ(read.entries.size(), 11u);
  EXPECT_EQ(read.entries.back().statement.parameters.at(0).bytes, whole);
}

TEST(LongTransaction, ACancelledStatementIsTakenBackAlsoWhenItsRowsHaveLeft) {
  Chunked all;
  all.statement("before");
  all.writer.begin_statement(Verdict::effects, Verb::put, kStatementHasEffects, "u", shape_text());
  for (int i = 0; i < 1000; ++i) {
    all.writer.begin_row(Verb::put);
    all.writer.add_value(std::to_string(i));
    all.writer.add_value("name");
    all.writer.end_row();
  }
  all.writer.cancel_statement();
  all.statement("behind");
  EXPECT_GT(all.chunks, 1);
  const auto read = all.read();
  ASSERT_EQ(read.entries.size(), 2u);
  EXPECT_EQ(read.entries[0].statement.text, text_id("before"));
  EXPECT_EQ(read.entries[1].statement.text, text_id("behind"));
}

TEST(LongTransaction, ARewindReachesBehindChunksAgainAndAgain) {
  Chunked all;
  all.statement("one");
  const auto outer = all.writer.mark();
  all.statement("two");
  const auto inner = all.writer.mark();
  all.take();
  all.statement("three");
  all.writer.rewind(inner);
  all.statement("four");
  all.take();
  all.writer.rewind(inner);
  all.statement("five");
  all.writer.rewind(outer);
  all.statement("six");
  const auto read = all.read();
  ASSERT_EQ(read.entries.size(), 2u);
  EXPECT_EQ(read.entries[0].statement.text, text_id("one"));
  EXPECT_EQ(read.entries[1].statement.text, text_id("six"));
}

TEST(LongTransaction, AValueWithoutItsPiecesIsRefused) {
  EntryWriter writer;
  Parameter parameter;
  parameter.pieces = 7;
  writer.begin_statement(Verdict::keyed, Verb::put, 0, "u", "");
  writer.add_parameter(parameter);
  writer.end_statement(1);
  const auto payload = payload_of(writer, nullptr);
  const auto read = read_transaction(split_ring_payload(payload)->body);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.status().code(), Code::corrupt);
}

/// What a transaction of one statement with this parameter reads as.
Code read_with(const Parameter& parameter) {
  EntryWriter writer;
  writer.begin_statement(Verdict::keyed, Verb::put, 0, "u", "");
  writer.add_parameter(parameter);
  writer.end_statement(1);
  const auto payload = payload_of(writer, nullptr);
  const auto read = read_transaction(split_ring_payload(payload)->body);
  return read.ok() ? Code::ok : read.status().code();
}

TEST(RecordedParameter, OneThatTellsOfMoreBytesThanItHasIsRefused) {
  constexpr std::int16_t kChar = 1, kNumeric = 2, kLong = 4, kWide = -8, kDriversOwn = 4242;
  const std::string bytes = "12345678";
  Parameter parameter;
  parameter.bytes = bytes;
  for (const std::int16_t c_type : {kChar, kWide, kNumeric}) {
    parameter.c_type = c_type;
    for (const std::int64_t told : {9L, 1L << 40, -3L, -2L, -100L}) {
      parameter.indicator = told;
      EXPECT_EQ(read_with(parameter), Code::corrupt) << c_type << ' ' << told;
    }
  }
  parameter.c_type = kWide;
  parameter.bytes = std::string_view(bytes).substr(0, 7);
  parameter.indicator = 7;
  EXPECT_EQ(read_with(parameter), Code::corrupt) << "half a unit";
  parameter.c_type = kDriversOwn;
  EXPECT_EQ(read_with(parameter), Code::corrupt) << "a type whose length is not known";
  parameter.c_type = kLong;
  parameter.bytes = std::string_view(bytes).substr(0, 3);
  parameter.indicator = 4;
  EXPECT_EQ(read_with(parameter), Code::corrupt) << "a number cut off";
  parameter.indicator = 0;
  EXPECT_EQ(read_with(parameter), Code::corrupt) << "a number cut off that says it has no place";
  parameter.indicator = 4;
  parameter.bytes = std::string_view(bytes).substr(0, 4);
  parameter.io_type = 3;
  EXPECT_EQ(read_with(parameter), Code::corrupt) << "no direction";
  parameter.indicator = -1;
  parameter.io_type = 1;
  EXPECT_EQ(read_with(parameter), Code::corrupt) << "NULL with bytes";
}

TEST(RecordedParameter, WhatADriverCanBindIsTaken) {
  constexpr std::int16_t kChar = 1, kLong = 4, kTimestamp = 93, kDriversOwn = 4242;
  const std::string bytes = "12345678";
  Parameter parameter;
  parameter.c_type = kChar;
  parameter.bytes = bytes;
  parameter.indicator = 8;
  EXPECT_EQ(read_with(parameter), Code::ok);
  parameter.c_type = kLong;
  EXPECT_EQ(read_with(parameter), Code::ok) << "given in two pieces";
  parameter.bytes = {};
  parameter.c_type = kTimestamp;
  parameter.indicator = 0;
  EXPECT_EQ(read_with(parameter), Code::ok) << "no buffer was bound";
  parameter.c_type = kDriversOwn;
  for (const std::int64_t without : {-1L, -5L}) {  // NULL, DEFAULT
    parameter.indicator = without;
    EXPECT_EQ(read_with(parameter), Code::ok) << without;
  }
}

/// Reads everything there is; whether all of it made sense.
bool reads_whole(std::span<const std::byte> payload) {
  const auto split = split_ring_payload(payload);
  if (!split.ok()) return false;
  if (!decode_head(split->body).ok()) return false;
  EntryReader reader(split->body.subspan(sizeof(TransactionHead)));
  for (std::uint32_t entries = 0;; ++entries) {
    const auto entry = reader.next();
    if (entry.ok()) continue;
    return entry.status().code() == Code::end && entries == 3;
  }
}

TEST(Record, PayloadCutAtAnyByteIsRefusedOrShorter) {
  const TransactionHead head;
  const auto payload = payload_of(full_writer(), &head);
  ASSERT_TRUE(reads_whole(payload));
  for (std::size_t length = 0; length < payload.size(); ++length) {
    // A copy of exact size, so that a sanitizer sees a read past the end.
    const std::vector<std::byte> cut(payload.begin(),
                                     payload.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_FALSE(reads_whole(cut)) << length;
  }
}

TEST(Record, RandomDamageNeverReadsOutOfBounds) {
  const char* given = std::getenv("UNDERSTUDY_SEED");
  const auto seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::cout << "UNDERSTUDY_SEED=" << seed << "\n";
  std::mt19937_64 random(seed);
  const TransactionHead head;
  const auto payload = payload_of(full_writer(), &head);
  for (int round = 0; round < 20000; ++round) {
    auto damaged = payload;
    for (auto flips = 1 + random() % 4; flips != 0; --flips) {
      damaged[random() % damaged.size()] = static_cast<std::byte>(random());
    }
    reads_whole(damaged);
  }
}

TEST(Record, CountLargerThanTheBytesLeftIsRefused) {
  EntryWriter writer;
  writer.begin_statement(Verdict::keyed, Verb::insert, 0, "", "");
  writer.end_statement(1);
  auto payload = payload_of(writer, nullptr);
  const std::uint32_t huge = 0xfffffff0;
  std::memcpy(payload.data() + payload.size() - sizeof(huge), &huge, sizeof(huge));
  EntryReader reader(split_ring_payload(payload)->body);
  EXPECT_EQ(reader.next().status().code(), Code::corrupt);
}

TEST(Record, ShapeReadsBackAsWritten) {
  const auto shape = Shape::decode(Shape{"", "item", 2, {"a", "b", "c d"}}.encode());
  ASSERT_TRUE(shape.ok());
  EXPECT_EQ(shape->schema, "");
  EXPECT_EQ(shape->table, "item");
  EXPECT_EQ(shape->key_count, 2u);
  EXPECT_EQ(shape->columns, (std::vector<std::string>{"a", "b", "c d"}));
}

TEST(Record, ShapeWithMoreKeysThanColumnsIsRefused) {
  EXPECT_EQ(Shape::decode("s\x1ft\x1f"
                          "2\x1f"
                          "a")
                .status()
                .code(),
            Code::corrupt);
  EXPECT_EQ(Shape::decode("s\x1ft").status().code(), Code::corrupt);
  EXPECT_EQ(Shape::decode("s\x1ft\x1fx").status().code(), Code::corrupt);
}

TEST(Record, OutcomeGoesThroughThePlainPayload) {
  OutcomeRecord outcome;
  outcome.txn_id = 9;
  outcome.outcome = Outcome::committed;
  const auto payload = plain_payload(outcome);
  const auto split = split_ring_payload(payload);
  ASSERT_TRUE(split.ok());
  const auto read = plain_body<OutcomeRecord>(split->body);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->txn_id, 9u);
  EXPECT_EQ(read->outcome, Outcome::committed);
}

}  // namespace
}  // namespace understudy
