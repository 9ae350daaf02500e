// libFuzzer target for the journal on disk: a segment that somebody has changed is read to its end
// or refused, and what a writer makes of it reads back whole. The first byte's bit 1 says that the
// segment is encrypted, bit 2 that whoever changed it has put the hashes right, so that what stands
// behind them is reached.
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "journal/record.h"
#include "journal/segment.h"
#include "journal/segment_scan.h"
#include "tests/fuzz/patched.h"
#include "tests/fuzz/scratch.h"

namespace {

using namespace understudy;

void require(bool condition) {
  if (!condition) std::abort();
}

/// One folder for the whole run.
const std::string& folder() {
  static const std::string path = fuzz::scratch_folder();
  return path;
}

std::shared_ptr<const JournalKeys> keys() {
  static const std::string text(2 * kJournalKeyBytes, '1');
  static const auto parsed =
      JournalKeys::parse({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  require(parsed.ok());
  return *parsed;
}

JournalWriter::Options options(bool encrypted) {
  JournalWriter::Options out;
  if (encrypted) out.keys = keys();
  out.segment_bytes = kSegmentBytesMin;
  out.boot_id = "boot";
  return out;
}

std::string segment_of(const std::string& directory) {
  return directory + "/00000001.segment";
}

std::string well_formed(bool encrypted) {
  const std::string directory = folder() + (encrypted ? "/encrypted" : "/whole");
  for (int opened = 0; opened < 2; ++opened) {
    auto writer = JournalWriter::open(directory, options(encrypted));
    require(writer.ok());
    const std::string text = "UPDATE t SET v = ?";
    require((*writer)->need_text(text_id(text), text).ok());
    const std::vector<std::byte> payload(100, std::byte{7});
    for (int group = 0; group < 2; ++group) {
      for (int i = 0; i < 3; ++i) require((*writer)->append(RecordType::transaction, payload).ok());
      require((*writer)->sync().ok());
    }
  }
  std::ostringstream bytes;
  bytes << std::ifstream(segment_of(directory), std::ios::binary).rdbuf();
  // The zeros ahead are many and say nothing.
  return bytes.str().substr(0, kSegmentHeaderBytes + 3072);
}

/// With the hashes of the headers and the chain of the records as they should be.
std::string mended(std::string bytes) {
  if (bytes.size() < sizeof(EncryptedSegmentHeader)) return bytes;
  EncryptedSegmentHeader headers;
  std::memcpy(&headers, bytes.data(), sizeof(headers));
  headers.segment.header_hash = header_hash(headers.segment);
  headers.encryption.hash = encryption_hash(headers.encryption);
  std::memcpy(bytes.data(), &headers, sizeof(headers));
  std::uint64_t chain = headers.segment.previous_chain;
  for (std::size_t at = kSegmentHeaderBytes; at + sizeof(RecordHeader) <= bytes.size();) {
    RecordHeader header;
    std::memcpy(&header, bytes.data() + at, sizeof(header));
    if (header.length < sizeof(header) || header.length > bytes.size() - at) break;
    const std::string_view payload =
        std::string_view(bytes).substr(at + sizeof(header), header.length - sizeof(header));
    chain = header.chain = record_chain(header, std::as_bytes(std::span(payload)), chain);
    std::memcpy(bytes.data() + at, &header, sizeof(header));
    at += record_bytes(header.length - sizeof(header));
  }
  return bytes;
}

/// Records read; Code::end or Code::corrupt at the end.
std::uint64_t read_all(const std::string& directory, bool encrypted, bool* whole) {
  std::uint64_t count = 0;
  std::uint64_t first = 0;  // whatever the header says
  *whole = false;
  const auto reader = JournalReader::open(directory, encrypted ? keys() : nullptr);
  if (!reader.ok()) return 0;
  std::size_t sum = 0;
  for (;;) {
    const auto record = (*reader)->next();
    if (!record.ok()) {
      *whole = record.status().code() == Code::end;
      require(*whole || !record.status().message().empty());
      return count;
    }
    for (const std::byte one : record->payload) sum += static_cast<std::size_t>(one);
    if (count == 0) first = record->seq;
    require(record->seq == first + count);
    ++count;
    require(count <= kSegmentBytesMin / sizeof(RecordHeader) && sum < SIZE_MAX);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string forms[] = {well_formed(false), well_formed(true)};
  const bool encrypted = size > 0 && (data[0] & 2) != 0;
  const std::string directory = folder() + "/changed";
  std::filesystem::create_directories(directory);
  std::string bytes = fuzz::patched(forms[encrypted ? 1 : 0], {data, size});
  if (size > 0 && (data[0] & 4) != 0) bytes = mended(std::move(bytes));
  {
    std::ofstream out(segment_of(directory), std::ios::binary | std::ios::trunc);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  std::filesystem::resize_file(segment_of(directory),
                               std::max<std::uintmax_t>(bytes.size(), kSegmentBytesMin));
  bool read_whole = false;
  const std::uint64_t before = read_all(directory, encrypted, &read_whole);
  {
    auto writer = JournalWriter::open(directory, options(encrypted));
    if (writer.ok()) {
      const std::byte one{1};
      require((*writer)->append(RecordType::outcome, {&one, 1}).ok());
      require((*writer)->sync().ok());
      bool again = false;
      require(read_all(directory, encrypted, &again) > 0 && again);
    }
  }
  require(before < SIZE_MAX);
  std::filesystem::remove_all(directory);
  return 0;
}
