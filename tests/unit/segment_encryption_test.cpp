// What encryption adds to the journal; that it keeps the journal's promises is shown in
// segment_test.cpp, which runs in both forms.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>

#include "faulty_files.h"
#include "journal/record.h"
#include "journal/segment_scan.h"
#include "journal_folder.h"

namespace understudy {
namespace {

class EncryptedJournal : public JournalFolder {
 protected:
  EncryptedJournal() : JournalFolder(true) {}

  void append(JournalWriter& writer, std::string_view payload) {
    ASSERT_TRUE(writer.append(RecordType::transaction, bytes_of(payload)).ok());
    ASSERT_TRUE(writer.sync().ok());
  }
  Code reader_code(std::shared_ptr<const JournalKeys> keys, std::string* message = nullptr) {
    options_.keys = std::move(keys);
    return read_all(nullptr, message);
  }
  Code writer_code(std::shared_ptr<const JournalKeys> keys) {
    options_.keys = std::move(keys);
    return JournalWriter::open(journal(), options_).status().code();
  }
  /// Where the bytes of some file of the journal hold this text.
  [[nodiscard]] bool stands_somewhere(const std::string& text) const {
    for (const auto& entry : fs::directory_iterator(journal())) {
      const Bytes bytes = read_file(entry.path());
      if (std::search(bytes.begin(), bytes.end(), text.begin(), text.end()) != bytes.end())
        return true;
    }
    return false;
  }
};

/// The records of a segment's file, to be changed by somebody who can compute chains but has no
/// key.
struct Forged {
  explicit Forged(const fs::path& path) : path_(path), bytes(read_file(path)) {
    std::memcpy(&headers, bytes.data(), sizeof(headers));
    for (std::size_t at = kSegmentHeaderBytes;;) {
      RecordHeader header;
      std::memcpy(&header, bytes.data() + at, sizeof(header));
      if (header.length == 0) break;
      records.emplace_back(header, Bytes(bytes.begin() + offset(at + sizeof(header)),
                                         bytes.begin() + offset(at + header.length)));
      at += record_bytes(header.length - sizeof(header));
    }
  }
  /// With all hashes as they should be.
  void write() {
    headers.segment.header_hash = header_hash(headers.segment);
    headers.encryption.hash = encryption_hash(headers.encryption);
    std::memcpy(bytes.data(), &headers, sizeof(headers));
    std::fill(bytes.begin() + kSegmentHeaderBytes, bytes.end(), 0);
    std::uint64_t chain = headers.segment.previous_chain;
    std::size_t at = kSegmentHeaderBytes;
    for (auto& [header, payload] : records) {
      header.length = static_cast<std::uint32_t>(sizeof(header) + payload.size());
      chain = header.chain = record_chain(header, std::as_bytes(std::span(payload)), chain);
      std::memcpy(bytes.data() + at, &header, sizeof(header));
      std::copy(payload.begin(), payload.end(), bytes.begin() + offset(at + sizeof(header)));
      at += record_bytes(payload.size());
    }
    write_file(path_, bytes);
  }
  static std::ptrdiff_t offset(std::size_t at) { return static_cast<std::ptrdiff_t>(at); }

  fs::path path_;
  Bytes bytes;
  EncryptedSegmentHeader headers;
  std::vector<std::pair<RecordHeader, Bytes>> records;
};

TEST_F(EncryptedJournal, NoPayloadStandsInAnyFile) {
  const std::string text = "INSERT INTO t VALUES ('a literal of mine')";
  const std::string value = "a value of mine";
  {
    auto writer = open_writer();
    ASSERT_TRUE(writer->need_text(text_id(text), text).ok());
    append(*writer, value);
    append(*writer, value);
  }
  Bytes bytes = read_file(file(1));
  bytes[kSegmentHeaderBytes + size(16 + text.size()) + size(value.size()) + 60] ^= 1;
  write_file(file(1), bytes);
  auto writer = open_writer();  // what the last record was is saved aside
  append(*writer, value);
  EXPECT_TRUE(fs::exists(folder_ / "journal" / "00000001.torn"));
  EXPECT_FALSE(stands_somewhere("literal of"));
  EXPECT_FALSE(stands_somewhere("value of"));
  auto reader = open_reader();
  ASSERT_TRUE(reader->next().ok());
  EXPECT_EQ(*reader->text(text_id(text)), text);
  EXPECT_EQ(string_of(reader->next()->payload), value);
}

TEST_F(EncryptedJournal, WithoutItsKeyOrWithAnotherItIsRefusedAndLeftAsItIs) {
  {
    auto writer = open_writer();
    append(*writer, "a");
  }
  const Bytes before = read_file(file(1));
  std::string message;
  EXPECT_EQ(reader_code(keys_of({'2', '3'}), &message), Code::wrong_key);
  EXPECT_NE(message.find(key_id_text(keys_of({'1'})->current())), message.npos) << message;
  EXPECT_EQ(reader_code(nullptr, &message), Code::wrong_key);
  EXPECT_EQ(writer_code(keys_of({'2'})), Code::wrong_key);
  EXPECT_EQ(writer_code(nullptr), Code::wrong_key);
  EXPECT_EQ(read_file(file(1)), before);
  EXPECT_FALSE(fs::exists(file(2)));
}

TEST_F(EncryptedJournal, KeyForAJournalThatIsNotEncryptedIsRefused) {
  options_.keys = nullptr;
  {
    auto writer = open_writer();
    append(*writer, "a");
  }
  EXPECT_EQ(reader_code(keys_of({'1'})), Code::wrong_key);
  EXPECT_EQ(writer_code(keys_of({'1'})), Code::wrong_key);
}

TEST_F(EncryptedJournal, NewKeyBeginsANewSegmentAndTheOlderOneReadsTheOthers) {
  {
    auto writer = open_writer();
    append(*writer, "old");
  }
  options_.keys = keys_of({'2', '1'});
  {
    auto writer = open_writer();
    append(*writer, "new");
  }
  EXPECT_TRUE(fs::exists(file(2)));
  auto reader = open_reader();
  EXPECT_EQ(string_of(reader->next()->payload), "old");
  EXPECT_EQ(reader->key_id(), keys_of({'1'})->current());
  EXPECT_EQ(reader->next()->type, RecordType::next_segment);
  EXPECT_EQ(string_of(reader->next()->payload), "new");
  EXPECT_EQ(reader->key_id(), keys_of({'2'})->current());
  EXPECT_EQ(reader_code(keys_of({'2'})), Code::wrong_key);
  // The segment written last is all that a writer needs to read.
  EXPECT_EQ(writer_code(keys_of({'2'})), Code::ok);
}

TEST_F(EncryptedJournal, NoKeystreamIsUsedTwiceByAWriterThatGoesOnBehindATornTail) {
  const std::string first(40, 'a');
  const std::string second(40, 'b');
  {
    auto writer = open_writer();
    append(*writer, first);
  }
  const Forged before(file(1));
  Bytes bytes = before.bytes;
  bytes[kSegmentHeaderBytes + 50] ^= 1;
  write_file(file(1), bytes);
  {
    auto writer = open_writer();
    append(*writer, second);
  }
  const Forged after(file(1));
  ASSERT_EQ(after.records.size(), 2u);
  EXPECT_EQ(after.records[0].first.type, static_cast<std::uint8_t>(RecordType::stream));
  const Bytes& one = before.records[0].second;
  const Bytes& two = after.records[1].second;
  int same = 0;
  for (std::size_t i = 1; i <= first.size(); ++i)
    same += (one[i] ^ two[i]) == (first[i - 1] ^ second[i - 1]);
  EXPECT_LT(same, 20);
}

TEST_F(EncryptedJournal, RecordChangedBySomebodyWhoMendsTheChainIsRefusedWithItsPosition) {
  {
    auto writer = open_writer();
    for (const char* payload : {"one", "two", "three"}) append(*writer, payload);
  }
  const Bytes whole = read_file(file(1));
  const std::size_t stored = 3 + kCipherBytes;
  for (std::size_t at = 0; at < stored; ++at) {
    write_file(file(1), whole);
    Forged forged(file(1));
    forged.records[1].second[at] ^= 1;
    forged.write();
    std::string message;
    EXPECT_EQ(read_all(nullptr, &message), Code::corrupt) << at;
    EXPECT_NE(message.find("offset " + std::to_string(kSegmentHeaderBytes + size(3))), message.npos)
        << message;
    EXPECT_EQ(JournalWriter::open(journal(), options_).status().code(), Code::corrupt);
  }
}

TEST_F(EncryptedJournal, HeadersAreBoundToWhatTheyHead) {
  {
    auto writer = open_writer();
    for (const char* payload : {"one", "two"}) append(*writer, payload);
  }
  const Bytes whole = read_file(file(1));
  const auto forge = [&](const std::function<void(Forged&)>& change) {
    write_file(file(1), whole);
    Forged forged(file(1));
    change(forged);
    forged.write();
    return read_all();
  };
  EXPECT_EQ(forge([](Forged&) {}), Code::end);
  EXPECT_EQ(forge([](Forged& one) { one.headers.segment.created_at_us ^= 1; }), Code::corrupt);
  EXPECT_EQ(forge([](Forged& one) { one.headers.segment.journal_id ^= 1; }), Code::corrupt);
  EXPECT_EQ(forge([](Forged& one) { one.headers.encryption.previous_tag[3] ^= 1; }), Code::corrupt);
  EXPECT_EQ(forge([](Forged& one) { one.headers.encryption.stream[20] ^= 1; }), Code::corrupt);
  EXPECT_EQ(forge([](Forged& one) {
              one.records[0].first.type = static_cast<std::uint8_t>(RecordType::marker);
            }),
            Code::corrupt);
  EXPECT_EQ(forge([](Forged& one) { one.records[1].first.ring_position = 8; }), Code::corrupt);
  EXPECT_EQ(forge([](Forged& one) { std::swap(one.records[0].second, one.records[1].second); }),
            Code::corrupt);
  EXPECT_EQ(forge([](Forged& one) { one.records[1].second.clear(); }), Code::corrupt);
  EXPECT_EQ(forge([](Forged& one) {
              one.records[1].first.type = static_cast<std::uint8_t>(RecordType::stream);
            }),
            Code::corrupt);
}

TEST_F(EncryptedJournal, StreamOfAnotherPlaceIsRefused) {
  {
    auto writer = open_writer();
    append(*writer, "one");
  }
  { append(*open_writer(), "two"); }
  { append(*open_writer(), "three"); }
  // Records: one, stream, two, stream, three. Without the middle pair, with numbers mended.
  Forged forged(file(1));
  ASSERT_EQ(forged.records.size(), 5u);
  forged.records.erase(forged.records.begin() + 1, forged.records.begin() + 3);
  for (std::size_t i = 0; i < forged.records.size(); ++i)
    forged.records[i].first.seq = forged.records[i].first.group = i + 1;
  forged.write();
  EXPECT_EQ(read_all(), Code::corrupt);
}

TEST_F(EncryptedJournal, PlainSegmentBehindEncryptedOnesIsRefused) {
  {
    auto writer = open_writer();
    const std::string payload(40000, 'x');
    append(*writer, payload);
    append(*writer, payload);
  }
  ASSERT_TRUE(fs::exists(file(2)));
  Bytes bytes = read_file(file(2));
  SegmentHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  header.version = kJournalVersion;
  header.header_hash = header_hash(header);
  std::memcpy(bytes.data(), &header, sizeof(header));
  write_file(file(2), bytes);
  std::string message;
  EXPECT_EQ(read_all(nullptr, &message), Code::corrupt);
  EXPECT_NE(message.find("not encrypted"), message.npos) << message;
}

TEST_F(EncryptedJournal, SegmentWrittenBehindAnotherEndOfTheOneBeforeIsRefused) {
  const std::string payload(40000, 'x');
  {
    auto writer = open_writer();
    append(*writer, payload);
    append(*writer, payload);
  }
  Forged second(file(2));
  second.headers.encryption.previous_tag[0] ^= 1;
  second.write();
  std::string message;
  EXPECT_EQ(read_all(nullptr, &message), Code::corrupt);
  EXPECT_NE(message.find("segment 2"), message.npos) << message;
}

// Whatever room is left when a writer goes on, there is enough to end the segment.
TEST_F(EncryptedJournal, WriterGoesOnInASegmentWithAnyRoomLeft) {
  const std::uint64_t all = kSegmentBytesMin - kSegmentHeaderBytes;
  for (std::uint64_t left = 0; left < 400; left += 8) {
    fs::remove_all(journal());
    const std::string payload(all - record_bytes(0) - left - sizeof(RecordHeader) - kCipherBytes,
                              'x');
    { append(*open_writer(), payload); }
    EXPECT_FALSE(fs::exists(file(2))) << left;
    { append(*open_writer(), "a"); }
    { append(*open_writer(), "b"); }
    std::uint64_t last = 0;
    std::string message;
    EXPECT_EQ(read_all(&last, &message), Code::end) << left << ": " << message;
    EXPECT_GE(last, 4u);
  }
}

TEST_F(EncryptedJournal, SyncsAsOftenAsOneThatIsNotEncrypted) {
  int calls[2] = {};
  for (const bool encrypted : {false, true}) {
    FaultyFiles files;
    options_.files = &files;
    options_.keys = encrypted ? keys_of({'1'}) : nullptr;
    const char* name = encrypted ? "encrypted" : "plain";
    for (int round = 0; round < 2; ++round) fill(*open_writer(name), 50);
    calls[encrypted ? 1 : 0] = files.sync_calls;
  }
  EXPECT_GE(calls[0], 100);
  EXPECT_EQ(calls[0], calls[1]);
}

TEST_F(EncryptedJournal, WithoutAKeyItsRecordsCanBeCounted) {
  {
    auto writer = open_writer();
    append(*writer, "one");
    append(*writer, "two");
  }
  auto reader = JournalReader::open_stored(journal());
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ((*reader)->key_id(), options_.keys->current());
  const auto first = (*reader)->next();
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->type, RecordType::transaction);
  EXPECT_EQ(first->stored_bytes, 3 + kCipherBytes);
  EXPECT_EQ(string_of(first->payload).find("one"), std::string::npos);
  EXPECT_TRUE((*reader)->next().ok());
  EXPECT_EQ((*reader)->next().status().code(), Code::end);
}

// Written once and never again: a change of the format shows here.
TEST_F(EncryptedJournal, GoldenFileReadsByteForByte) {
  fs::create_directory(journal());
  const Bytes golden = read_file(fs::path(GOLDEN_FOLDER) / "journal-v2-encrypted.segment");
  ASSERT_FALSE(golden.empty());
  write_file(file(1), golden);
  auto reader = open_reader();
  ASSERT_NE(reader, nullptr);
  const auto text = reader->next();
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_EQ(*reader->text(text_id("SELECT 1")), "SELECT 1");
  EXPECT_EQ(string_of(reader->next()->payload), "first stream");
  EXPECT_EQ(reader->next()->type, RecordType::stream);
  const auto last = reader->next();
  ASSERT_TRUE(last.ok()) << last.status().message();
  EXPECT_EQ(string_of(last->payload), "second stream");
  EXPECT_EQ(last->origin.position, 4096u);
  EXPECT_EQ(reader->next().status().code(), Code::end);
}

Result<std::shared_ptr<const JournalKeys>> parsed(const std::string& text) {
  return JournalKeys::parse({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

TEST(JournalKeys, AreLinesOfSixtyFourHexadecimalDigits) {
  const std::string one(64, 'a');
  const std::string two = std::string(32, 'B') + std::string(32, '0');
  for (const std::string& text : {one, one + "\n"}) {
    const auto keys = parsed(text);
    ASSERT_TRUE(keys.ok()) << keys.status().message();
    EXPECT_EQ((*keys)->count(), 1u);
    EXPECT_EQ((*keys)->find((*keys)->current())[31], 0xaa);
  }
  const auto both = parsed(one + "\n" + two + "\n");
  ASSERT_TRUE(both.ok());
  EXPECT_EQ((*both)->count(), 2u);
  EXPECT_EQ((*both)->current(), (*parsed(one))->current());
  EXPECT_NE((*both)->find((*parsed(two))->current()), nullptr);
}

TEST(JournalKeys, AnythingElseIsRefusedWithoutBeingQuoted) {
  const std::string good(64, 'a');
  std::string many;
  for (std::size_t i = 0; i <= kJournalKeysMax; ++i) many += good + "\n";
  for (const std::string& text :
       {std::string(), std::string("\n"), good.substr(1), good + "a", good + "\r\n", good + "\n\n",
        " " + good.substr(1), good.substr(1) + "g", good + "\n" + good.substr(2), many,
        good + std::string(1, '\0')}) {
    const auto keys = parsed(text);
    ASSERT_FALSE(keys.ok()) << text;
    EXPECT_EQ(keys.status().code(), Code::wrong_key);
    EXPECT_EQ(keys.status().message().find("aaa"), std::string::npos);
  }
  EXPECT_NE(parsed(good + "\nx").status().message().find("line 2"), std::string::npos);
}

}  // namespace
}  // namespace understudy
