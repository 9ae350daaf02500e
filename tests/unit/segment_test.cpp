#include "journal/segment.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>

#include "faulty_files.h"
#include "journal/record.h"
#include "journal/segment_map.h"
#include "journal_folder.h"

namespace understudy {
namespace {

class Segment : public JournalFolder, public testing::WithParamInterface<bool> {
 protected:
  Segment() : JournalFolder(GetParam()) {}
};
INSTANTIATE_TEST_SUITE_P(Journal, Segment, testing::Bool(), [](const auto& encrypted) {
  return encrypted.param ? "Encrypted" : "Plain";
});

TEST_P(Segment, RecordsReadBackInOrderWithDenseNumbers) {
  auto writer = open_writer();
  ASSERT_TRUE(
      writer->append(RecordType::transaction, bytes_of("ab"), bytes_of("cd"), {3, 640}).ok());
  ASSERT_TRUE(writer->append(RecordType::outcome, bytes_of("out")).ok());
  ASSERT_TRUE(writer->write_out().ok());
  auto reader = open_reader();
  const auto first = reader->next();
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->seq, 1u);
  EXPECT_EQ(first->type, RecordType::transaction);
  EXPECT_EQ(string_of(first->payload), "abcd");
  EXPECT_EQ(first->origin.ring, 3u);
  EXPECT_EQ(first->origin.position, 640u);
  EXPECT_EQ(first->offset, kSegmentHeaderBytes);
  EXPECT_EQ(reader->next()->seq, 2u);
  EXPECT_EQ(reader->next().status().code(), Code::end);
}

TEST_P(Segment, ReaderSeesNothingBeforeWriteOutAndEverythingAfter) {
  auto writer = open_writer();
  auto reader = open_reader();
  ASSERT_TRUE(writer->append(RecordType::marker, bytes_of("m")).ok());
  EXPECT_EQ(reader->next().status().code(), Code::end);
  ASSERT_TRUE(writer->write_out().ok());
  EXPECT_TRUE(reader->next().ok());
}

TEST_P(Segment, ReaderFollowsTheWriterAcrossManySegments) {
  auto writer = open_writer();
  auto reader = open_reader();
  const std::string payload(3000, 'x');
  std::uint64_t expected = 0;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(writer->append(RecordType::marker, bytes_of(payload)).ok());
    ASSERT_TRUE(writer->write_out().ok());
    for (auto record = reader->next(); record.ok(); record = reader->next()) {
      EXPECT_EQ(record->seq, ++expected);
    }
    EXPECT_EQ(expected, writer->last_seq());
  }
  EXPECT_GT(writer->last_seq(), 100u);  // the closing records count
  EXPECT_TRUE(fs::exists(file(5)));
}

TEST_P(Segment, RecordLargerThanASegmentGetsALargerSegment) {
  auto writer = open_writer();
  fill(*writer, 1);
  const std::string payload(300000, 'y');
  ASSERT_TRUE(writer->append(RecordType::transaction, bytes_of(payload)).ok());
  ASSERT_TRUE(writer->sync().ok());
  auto reader = open_reader();
  ASSERT_TRUE(reader->seek(3).ok());
  EXPECT_EQ(string_of(reader->next()->payload), payload);
}

TEST_P(Segment, WriterGoesOnWhereTheLastOneStopped) {
  {
    auto writer = open_writer();
    fill(*writer, 3);
  }
  auto writer = open_writer();
  EXPECT_EQ(writer->last_seq(), 3u);
  fill(*writer, 2);
  std::uint64_t last = 0;
  EXPECT_EQ(read_all(&last), Code::end);
  EXPECT_EQ(last, 5 + again());
}

TEST_P(Segment, TextStandsOncePerSegment) {
  const std::string text = "insert into item values (?)";
  auto writer = open_writer();
  ASSERT_TRUE(writer->need_text(text_id(text), text).ok());
  ASSERT_TRUE(writer->need_text(text_id(text), text).ok());
  EXPECT_EQ(writer->last_seq(), 1u);
  ASSERT_TRUE(writer->sync().ok());
  writer.reset();
  writer = open_writer();
  ASSERT_TRUE(writer->need_text(text_id(text), text).ok());
  EXPECT_EQ(writer->last_seq(), 1u);
  ASSERT_TRUE(writer->reserve(kSegmentBytesMin - kSegmentHeaderBytes - 96).ok());
  ASSERT_TRUE(writer->need_text(text_id(text), text).ok());
  EXPECT_EQ(writer->last_seq(), 3u);  // the closing record, then the text again
}

TEST_P(Segment, ReaderHandsOutTheTextsOfItsSegment) {
  const std::string text = "update item set name = ?";
  auto writer = open_writer();
  ASSERT_TRUE(writer->need_text(text_id(text), text).ok());
  fill(*writer, 1);
  auto reader = open_reader();
  ASSERT_TRUE(reader->seek(2).ok());
  ASSERT_TRUE(reader->text(text_id(text)).ok());
  EXPECT_EQ(*reader->text(text_id(text)), text);
  EXPECT_EQ(reader->text(text_id("other")).status().code(), Code::corrupt);
}

TEST_P(Segment, TextThatDoesNotFitItsNameIsRefused) {
  auto writer = open_writer();
  EXPECT_EQ(writer->need_text(text_id("a"), "b").code(), Code::corrupt);
}

TEST_P(Segment, SeekFindsEveryRecordInEverySegment) {
  auto writer = open_writer();
  const std::string payload(5000, 'x');
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(writer->append(RecordType::marker, bytes_of(payload)).ok());
  }
  ASSERT_TRUE(writer->sync().ok());
  auto reader = open_reader();
  for (std::uint64_t seq = writer->last_seq(); seq > 0; --seq) {
    ASSERT_TRUE(reader->seek(seq).ok()) << seq;
    EXPECT_EQ(reader->next()->seq, seq);
  }
}

TEST_P(Segment, SeekBehindTheEndWaitsThere) {
  auto writer = open_writer();
  fill(*writer, 2);
  auto reader = open_reader();
  EXPECT_EQ(reader->seek(3).code(), Code::not_found);
  fill(*writer, 1);
  EXPECT_EQ(reader->next()->seq, 3u);
}

TEST_P(Segment, FlushGroupIsNamedByItsFirstRecord) {
  auto writer = open_writer();
  fill(*writer, 2, false);
  fill(*writer, 2, false);
  auto reader = open_reader();
  EXPECT_EQ(reader->next()->group, 1u);
  EXPECT_EQ(reader->next()->group, 1u);
  EXPECT_EQ(reader->next()->group, 3u);
  EXPECT_EQ(reader->next()->group, 3u);
}

TEST_P(Segment, SyncIsNotCalledWhenNothingWasWritten) {
  FaultyFiles files;
  options_.files = &files;
  auto writer = open_writer();
  fill(*writer, 1);
  const int calls = files.sync_calls;
  ASSERT_TRUE(writer->sync().ok());
  EXPECT_EQ(files.sync_calls, calls);
}

TEST_P(Segment, AfterAFailedSyncEveryCallFailsTheSameAndNothingIsRetried) {
  FaultyFiles files;
  options_.files = &files;
  auto writer = open_writer();
  fill(*writer, 1);
  files.syncs_until_failure = 0;
  ASSERT_TRUE(writer->append(RecordType::marker, bytes_of("m")).ok());
  EXPECT_EQ(writer->sync().message(), "the disk is broken");
  files.syncs_until_failure = -1;
  const int calls = files.sync_calls;
  EXPECT_EQ(writer->sync().message(), "the disk is broken");
  EXPECT_EQ(writer->write_out().message(), "the disk is broken");
  EXPECT_EQ(writer->append(RecordType::marker, {}).status().message(), "the disk is broken");
  EXPECT_EQ(writer->reserve(1).message(), "the disk is broken");
  EXPECT_EQ(writer->need_text(text_id("t"), "t").message(), "the disk is broken");
  EXPECT_EQ(files.sync_calls, calls);
}

TEST_P(Segment, FullDiskSticks) {
  FaultyFiles files;
  options_.files = &files;
  auto writer = open_writer();
  ASSERT_TRUE(writer->append(RecordType::marker, bytes_of("m")).ok());
  files.writes_until_full = 0;
  EXPECT_EQ(writer->write_out().code(), Code::full);
  files.writes_until_full = -1;
  EXPECT_EQ(writer->sync().code(), Code::full);
}

TEST_P(Segment, AFullDiskBetweenSegmentsDoesNotStick) {
  FaultyFiles files;
  options_.files = &files;
  auto writer = open_writer();
  files.segments_until_full = 1;
  const std::vector<std::byte> large(kSegmentBytesMin / 4);
  std::uint64_t last = 0;
  for (;;) {
    const auto seq = writer->append(RecordType::marker, large);
    if (!seq.ok()) break;
    last = *seq;
  }
  EXPECT_TRUE(writer->lacks_room());
  EXPECT_EQ(writer->append(RecordType::marker, large).status().code(), Code::full);
  files.segments_until_full = -1;
  const auto seq = writer->append(RecordType::marker, large);
  ASSERT_TRUE(seq.ok()) << seq.status().message();
  EXPECT_FALSE(writer->lacks_room());
  ASSERT_TRUE(writer->sync().ok());
  EXPECT_EQ(*seq, last + 2);  // behind the record that closed the segment before
  std::uint64_t read = 0;
  EXPECT_EQ(read_all(&read), Code::end);
  EXPECT_EQ(read, *seq);
}

TEST_P(Segment, WhatIsLeftOfADiskIsNotTakenForASegmentThatItCannotHold) {
  FaultyFiles files;
  options_.files = &files;
  { const auto writer = open_writer(); }
  files.room_left = options_.segment_bytes - 1;
  files.bytes_written = 0;
  { const auto writer = open_writer(); }  // its end waits for the next segment
  EXPECT_EQ(files.bytes_written, 0u);
  EXPECT_FALSE(std::filesystem::exists(journal() + "/next.tmp"));
}

TEST_P(Segment, RecordCutAtAnyByteIsATornTailThatIsSavedAside) {
  {
    auto writer = open_writer();
    fill(*writer, 3);
  }
  const Bytes whole = read_file(file(1));
  const std::size_t end = kSegmentHeaderBytes + 3 * size(14);
  for (std::size_t cut = end - size(14); cut < end; ++cut) {
    write_file(file(1), Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut)));
    std::uint64_t last = 0;
    EXPECT_EQ(read_all(&last), Code::end) << cut;
    EXPECT_EQ(last, 2u);
    auto writer = open_writer();
    ASSERT_NE(writer, nullptr) << cut;
    EXPECT_EQ(writer->last_seq(), 2u) << cut;
    fill(*writer, 1);
    writer.reset();
    EXPECT_EQ(read_file(file(1)).size(), whole.size());
    EXPECT_EQ(read_all(&last), Code::end);
    EXPECT_EQ(last, 3 + again());
  }
  EXPECT_TRUE(fs::exists(folder_ / "journal" / "00000001.torn"));
}

TEST_P(Segment, TornTailIsKeptByteForByte) {
  {
    auto writer = open_writer();
    fill(*writer, 2);
  }
  Bytes bytes = read_file(file(1));
  const std::size_t at = kSegmentHeaderBytes + size(14);
  bytes[at + 50] ^= 1;
  write_file(file(1), bytes);
  open_writer().reset();
  const Bytes torn = read_file(folder_ / "journal" / "00000001.torn");
  ASSERT_FALSE(torn.empty());
  EXPECT_TRUE(
      std::equal(torn.begin(), torn.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at)));
}

TEST_P(Segment, FlippedBitInAnyByteOfASyncedRecordIsRefusedWithItsPosition) {
  {
    auto writer = open_writer();
    fill(*writer, 3);
  }
  const Bytes whole = read_file(file(1));
  const std::size_t start = kSegmentHeaderBytes + size(14);
  for (std::size_t at = start; at < start + size(14); ++at) {
    for (const char mask : {char{1}, char{0x10}, static_cast<char>(0x80)}) {
      Bytes bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ mask);
      write_file(file(1), bytes);
      std::string message;
      EXPECT_EQ(read_all(nullptr, &message), Code::corrupt) << at - start << "/" << int(mask);
      EXPECT_NE(message.find("segment 1"), message.npos) << message;
      EXPECT_NE(message.find("offset " + std::to_string(start)), message.npos) << message;
      EXPECT_EQ(JournalWriter::open(journal(), options_).status().code(), Code::corrupt);
      EXPECT_EQ(read_file(file(1)), bytes) << "damage must be left as it is";
    }
  }
}

TEST_P(Segment, ZeroedSyncedRecordIsRefused) {
  {
    auto writer = open_writer();
    fill(*writer, 3);
  }
  Bytes bytes = read_file(file(1));
  std::fill_n(bytes.begin() + kSegmentHeaderBytes + size(14), size(14), 0);
  write_file(file(1), bytes);
  EXPECT_EQ(read_all(), Code::corrupt);
  EXPECT_EQ(JournalWriter::open(journal(), options_).status().code(), Code::corrupt);
}

TEST_P(Segment, RecordMissingBeforeOthersOfItsGroupIsATornTail) {
  {
    auto writer = open_writer();
    fill(*writer, 1);
    fill(*writer, 3, false);
  }
  Bytes bytes = read_file(file(1));
  std::fill_n(bytes.begin() + kSegmentHeaderBytes + size(14), size(14), 0);
  write_file(file(1), bytes);
  auto writer = open_writer();
  ASSERT_NE(writer, nullptr);
  EXPECT_EQ(writer->last_seq(), 1u);
}

TEST_P(Segment, FlippedBitInAClosedSegmentsTailIsRefused) {
  auto writer = open_writer();
  const std::string payload(9000, 'x');
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(writer->append(RecordType::marker, bytes_of(payload)).ok());
  }
  ASSERT_TRUE(writer->sync().ok());
  Bytes bytes = read_file(file(1));
  const std::size_t closing = kSegmentHeaderBytes + 6 * size(9000);
  bytes[closing + 8] ^= 1;
  write_file(file(1), bytes);
  EXPECT_EQ(read_all(), Code::corrupt);
}

TEST_P(Segment, StaleBytesBehindTheEndDoNotValidate) {
  {
    auto writer = open_writer();
    fill(*writer, 3);
  }
  Bytes bytes = read_file(file(1));
  const auto begin = bytes.begin() + kSegmentHeaderBytes;
  std::copy_n(begin + static_cast<std::ptrdiff_t>(size(14)), 2 * size(14),
              begin + static_cast<std::ptrdiff_t>(3 * size(14)));
  write_file(file(1), bytes);
  std::uint64_t last = 0;
  EXPECT_EQ(read_all(&last), Code::end);
  EXPECT_EQ(last, 3u);
  EXPECT_EQ(open_writer()->last_seq(), 3u);
}

class ThreeSegments : public Segment {
 protected:
  ThreeSegments() { write_journal("journal"); }
  void write_journal(const char* name) {
    auto writer = open_writer(name);
    const std::string payload(9000, 'x');
    for (int i = 0; i < 15; ++i) {
      EXPECT_TRUE(writer->append(RecordType::marker, bytes_of(payload)).ok());
    }
    EXPECT_TRUE(writer->sync().ok());
    EXPECT_TRUE(fs::exists(file(3, name)));
    EXPECT_FALSE(fs::exists(file(4, name)));
  }
};

INSTANTIATE_TEST_SUITE_P(Journal, ThreeSegments, testing::Bool(), [](const auto& encrypted) {
  return encrypted.param ? "Encrypted" : "Plain";
});

TEST_P(ThreeSegments, MissingSegmentIsRefused) {
  for (const int number : {1, 2}) {
    const Bytes bytes = read_file(file(number));
    fs::remove(file(number));
    std::string message;
    EXPECT_EQ(read_all(nullptr, &message), Code::corrupt);
    EXPECT_NE(message.find("missing"), message.npos);
    EXPECT_EQ(JournalWriter::open(journal(), options_).status().code(), Code::corrupt);
    write_file(file(number), bytes);
  }
}

TEST_P(ThreeSegments, SwappedSegmentsAreRefused) {
  fs::rename(file(1), folder_ / "held");
  fs::rename(file(2), file(1));
  fs::rename(folder_ / "held", file(2));
  EXPECT_EQ(read_all(), Code::corrupt);
}

TEST_P(ThreeSegments, SegmentOfAnotherJournalIsRefused) {
  write_journal("other");
  fs::copy_file(file(3, "other"), file(3), fs::copy_options::overwrite_existing);
  EXPECT_EQ(read_all(), Code::corrupt);
  EXPECT_EQ(JournalWriter::open(journal(), options_).status().code(), Code::corrupt);
}

TEST_P(ThreeSegments, FlippedBitInAnyByteOfAHeaderIsRefused) {
  const Bytes whole = read_file(file(2));
  const std::size_t header = sizeof(SegmentHeader) + (GetParam() ? sizeof(EncryptionHeader) : 0);
  for (std::size_t at = 0; at < header; ++at) {
    Bytes bytes = whole;
    bytes[at] ^= 4;
    write_file(file(2), bytes);
    EXPECT_EQ(read_all(), Code::corrupt) << at;
  }
}

TEST_P(ThreeSegments, WriterThatDiedBetweenTwoSegmentsGoesOnInTheNext) {
  fs::remove(file(3));
  auto writer = open_writer();
  const auto last = writer->last_seq();
  fill(*writer, 1);
  EXPECT_TRUE(fs::exists(file(3)));
  std::uint64_t read = 0;
  EXPECT_EQ(read_all(&read), Code::end);
  EXPECT_EQ(read, last + 1);
}

TEST_P(Segment, AnotherBootBeginsANewSegmentAndIsTold) {
  {
    auto writer = open_writer();
    EXPECT_EQ(writer->previous_boot_id(), "");
    fill(*writer, 1);
  }
  options_.boot_id = "boot-b";
  {
    auto writer = open_writer();
    EXPECT_EQ(writer->previous_boot_id(), "boot-a");
    fill(*writer, 1);
  }
  EXPECT_TRUE(fs::exists(file(2)));
  EXPECT_EQ(open_writer()->previous_boot_id(), "boot-b");
  EXPECT_EQ(read_all(), Code::end);
}

TEST_P(Segment, JournalThatIsNotThereIsNotFound) {
  EXPECT_EQ(JournalReader::open(journal("none")).status().code(), Code::not_found);
}

TEST_P(Segment, RandomDamageOfASyncedJournalIsNeverReadAsWhole) {
  const char* given = std::getenv("UNDERSTUDY_SEED");
  const auto seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::cout << "UNDERSTUDY_SEED=" << seed << "\n";
  std::mt19937_64 random(seed);
  {
    auto writer = open_writer();
    fill(*writer, 20);
  }
  const Bytes whole = read_file(file(1));
  const std::size_t used = 19 * size(14);  // the last record's loss is a torn tail
  for (int round = 0; round < 300; ++round) {
    Bytes bytes = whole;
    const auto at = kSegmentHeaderBytes + random() % used;
    const auto count = 1 + random() % std::min<std::size_t>(64, kSegmentHeaderBytes + used - at);
    for (std::size_t i = 0; i < count; ++i) bytes[at + i] = static_cast<char>(random());
    if (bytes == whole) continue;
    write_file(file(1), bytes);
    EXPECT_EQ(read_all(), Code::corrupt) << "round " << round;
  }
}

fs::path golden_file() {
  return fs::path(GOLDEN_FOLDER) / "journal-v1.segment";
}

// The file was written once and is never written again: a change of the format shows here.
class PlainSegment : public JournalFolder {
 protected:
  PlainSegment() : JournalFolder(false) {}
};

TEST_F(PlainSegment, GoldenFileReadsByteForByte) {
  fs::create_directory(journal());
  const Bytes golden = read_file(golden_file());
  ASSERT_FALSE(golden.empty());
  write_file(file(1), golden);
  auto reader = open_reader();
  ASSERT_NE(reader, nullptr);
  EXPECT_EQ(reader->journal_id(), 0x1122334455667788u);
  const auto text = reader->next();
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(text->type, RecordType::text);
  const auto transaction = reader->next();
  ASSERT_TRUE(transaction.ok());
  EXPECT_EQ(transaction->seq, 2u);
  EXPECT_EQ(transaction->origin.ring, 1u);
  EXPECT_EQ(transaction->origin.position, 4096u);
  const auto head = decode_head(transaction->payload);
  ASSERT_TRUE(head.ok());
  EXPECT_EQ(head->txn_id, 77u);
  EXPECT_EQ(head->session_id, 5u);
  EntryReader entries(transaction->payload.subspan(sizeof(TransactionHead)));
  const auto entry = entries.next();
  ASSERT_TRUE(entry.ok());
  EXPECT_EQ(*reader->text(entry->statement.text), "insert into item values (?)");
  ASSERT_EQ(entry->statement.parameters.size(), 1u);
  EXPECT_EQ(entry->statement.parameters[0].bytes, "seven");
  EXPECT_EQ(entry->statement.row_count, 1);
  const auto outcome = reader->next();
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(plain_body<OutcomeRecord>(outcome->payload)->outcome, Outcome::committed);
  EXPECT_EQ(outcome->group, 3u);
  const auto marker = reader->next();
  ASSERT_TRUE(marker.ok());
  EXPECT_EQ(plain_body<MarkerRecord>(marker->payload)->kind, MarkerKind::cutover);
  EXPECT_EQ(reader->next()->type, RecordType::gap);
  EXPECT_EQ(reader->next().status().code(), Code::end);
}

}  // namespace
}  // namespace understudy
