// libFuzzer target for the journal on disk: a segment that somebody has changed is read to its end
// or refused, and what a writer makes of it reads back whole.
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "journal/record.h"
#include "journal/segment.h"
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

JournalWriter::Options options() {
  JournalWriter::Options out;
  out.segment_bytes = kSegmentBytesMin;
  out.boot_id = "boot";
  return out;
}

std::string segment_of(const std::string& directory) {
  return directory + "/00000001.segment";
}

std::string well_formed() {
  const std::string directory = folder() + "/whole";
  {
    auto writer = JournalWriter::open(directory, options());
    require(writer.ok());
    const std::string text = "UPDATE t SET v = ?";
    require((*writer)->need_text(text_id(text), text).ok());
    const std::vector<std::byte> payload(100, std::byte{7});
    for (int group = 0; group < 3; ++group) {
      for (int i = 0; i < 3; ++i) require((*writer)->append(RecordType::transaction, payload).ok());
      require((*writer)->sync().ok());
    }
  }
  std::ostringstream bytes;
  bytes << std::ifstream(segment_of(directory), std::ios::binary).rdbuf();
  // The zeros ahead are many and say nothing.
  return bytes.str().substr(0, kSegmentHeaderBytes + 2048);
}

/// Records read; Code::end or Code::corrupt at the end.
std::uint64_t read_all(const std::string& directory, bool* whole) {
  std::uint64_t count = 0;
  *whole = false;
  const auto reader = JournalReader::open(directory);
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
    require(record->seq == count + 1 || count == 0);
    ++count;
    require(count <= kSegmentBytesMin / sizeof(RecordHeader) && sum < SIZE_MAX);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string whole = well_formed();
  const std::string directory = folder() + "/changed";
  std::filesystem::create_directories(directory);
  const std::string bytes = fuzz::patched(whole, {data, size});
  {
    std::ofstream out(segment_of(directory), std::ios::binary | std::ios::trunc);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  std::filesystem::resize_file(segment_of(directory),
                               std::max<std::uintmax_t>(bytes.size(), kSegmentBytesMin));
  bool read_whole = false;
  const std::uint64_t before = read_all(directory, &read_whole);
  {
    auto writer = JournalWriter::open(directory, options());
    if (writer.ok()) {
      const std::byte one{1};
      require((*writer)->append(RecordType::outcome, {&one, 1}).ok());
      require((*writer)->sync().ok());
      bool again = false;
      require(read_all(directory, &again) > 0 && again);
    }
  }
  require(before < SIZE_MAX);
  std::filesystem::remove_all(directory);
  return 0;
}
