// A journal in a temporary folder, written and read by the classes that journald and readers use.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "journal/segment.h"

namespace understudy {

namespace fs = std::filesystem;
using Bytes = std::vector<char>;

inline Bytes read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(in), {});
}

inline void write_file(const fs::path& path, const Bytes& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

inline std::string string_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Lines of a key file, made of one byte each.
inline std::shared_ptr<const JournalKeys> keys_of(std::initializer_list<char> digits) {
  std::string text;
  for (const char digit : digits) text += std::string(2 * kJournalKeyBytes, digit) + "\n";
  const auto keys =
      JournalKeys::parse({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  EXPECT_TRUE(keys.ok()) << keys.status().message();
  return keys.ok() ? *keys : nullptr;
}

/// A journal of small segments, encrypted or not.
class JournalFolder : public testing::Test {
 protected:
  explicit JournalFolder(bool encrypted) {
    if (encrypted) options_.keys = keys_of({'1'});
    static int count = 0;
    folder_ = fs::path(testing::TempDir()) /
              ("segment-" + std::to_string(::getpid()) + "-" + std::to_string(++count));
    fs::create_directories(folder_);
    options_.segment_bytes = kSegmentBytesMin;
    options_.boot_id = "boot-a";
  }
  ~JournalFolder() override { fs::remove_all(folder_); }

  [[nodiscard]] std::string journal(const char* name = "journal") const {
    return (folder_ / name).string();
  }
  [[nodiscard]] fs::path file(int number, const char* name = "journal") const {
    char text[32];
    std::snprintf(text, sizeof(text), "%08d.segment", number);
    return folder_ / name / text;
  }
  std::unique_ptr<JournalWriter> open_writer(const char* name = "journal") {
    auto writer = JournalWriter::open(journal(name), options_);
    EXPECT_TRUE(writer.ok()) << writer.status().message();
    return writer.ok() ? std::move(*writer) : nullptr;
  }
  std::unique_ptr<JournalReader> open_reader(const char* name = "journal") {
    auto reader = JournalReader::open(journal(name), options_.keys);
    EXPECT_TRUE(reader.ok()) << reader.status().message();
    return reader.ok() ? std::move(*reader) : nullptr;
  }
  /// Markers, each of its own flush group unless told otherwise.
  void fill(JournalWriter& writer, int count, bool sync_each = true) {
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(writer.append(RecordType::marker, bytes_of("marker payload")).ok());
      if (sync_each) {
        ASSERT_TRUE(writer.sync().ok());
      }
    }
    ASSERT_TRUE(writer.sync().ok());
  }
  /// Reads to the end; the code it ends with.
  Code read_all(std::uint64_t* last = nullptr, std::string* message = nullptr) {
    auto reader = JournalReader::open(journal(), options_.keys);
    if (!reader.ok()) {
      if (message != nullptr) *message = reader.status().message();
      return reader.status().code();
    }
    for (std::uint64_t expected = 1;; ++expected) {
      const auto record = (*reader)->next();
      if (!record.ok()) {
        if (message != nullptr) *message = record.status().message();
        return record.status().code();
      }
      EXPECT_EQ(record->seq, expected);
      if (last != nullptr) *last = record->seq;
    }
  }

  /// What a record with this payload takes in the file.
  [[nodiscard]] std::uint64_t size(std::uint64_t payload_bytes) const {
    return record_bytes(payload_bytes + (options_.keys ? kCipherBytes : 0));
  }
  /// Records that a writer adds of its own when it goes on in a segment of another.
  [[nodiscard]] std::uint64_t again() const { return options_.keys ? 1 : 0; }

  fs::path folder_;
  JournalWriter::Options options_;
};

}  // namespace understudy
