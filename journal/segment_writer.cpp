#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <system_error>
#include <thread>
#include <unordered_set>
#include <utility>

#include "journal/process.h"
#include "journal/record.h"
#include "journal/segment.h"
#include "journal/segment_cipher.h"
#include "journal/segment_map.h"
#include "journal/segment_scan.h"

namespace understudy {
namespace {

constexpr std::uint64_t kZeroBytes = 1u << 20;
constexpr std::uint64_t kCopyBytes = 1u << 20;
constexpr int kTornFilesMax = 1000;
constexpr unsigned kFileMode = 0600;
constexpr unsigned kDirectoryMode = 0700;

/// Written, not only allocated: a first write into allocated blocks changes metadata, and every
/// fdatasync would pay for it.
Status write_zeros(FileSystem& files, int file, std::uint64_t from, std::uint64_t to) {
  const std::vector<std::byte> zeros(std::min(kZeroBytes, to > from ? to - from : 0));
  while (from < to) {
    const auto count = std::min<std::uint64_t>(zeros.size(), to - from);
    if (auto status = files.write_at(file, {zeros.data(), count}, from); !status.ok())
      return status;
    from += count;
  }
  return {};
}

std::uint64_t random_id() {
  std::random_device random;
  std::uint64_t id = 0;
  while (id == 0) id = (std::uint64_t{random()} << 32) | random();
  return id;
}

std::uint64_t file_size(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

std::uint64_t page_aligned(std::uint64_t bytes) {
  return (bytes + 4095) & ~std::uint64_t{4095};
}

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == path.npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

struct JournalWriter::Impl {
  std::string directory;
  Options options;
  FileSystem* files = nullptr;
  std::string boot_id;
  std::string previous_boot_id;
  std::uint64_t journal_id = 0;

  int file = -1;
  std::uint64_t number = 0;
  std::uint64_t segment_bytes = 0;
  ChainPoint point;                            // behind the last record appended
  std::uint64_t written = 0;                   // offset: handed to the kernel up to here
  std::uint64_t synced = 0;                    // offset
  std::uint64_t group = 1;                     // seq of the first record of the open group
  std::uint64_t closed_bytes = 0;              // of the segments before
  bool closed = false;                         // the segment has its last record
  bool torn = false;                           // recovery left something to be synced
  bool lacks_room = false;                     // for the next segment
  EncryptedSegmentHeader headers;              // of the segment
  RecordTag tag{};                             // of the last encrypted record
  std::unique_ptr<RecordEncryptor> encryptor;  // null: no stream of this writer's in the segment
  std::unordered_set<TextId, TextIdHash> texts;
  std::vector<std::byte> buffer;
  std::vector<std::byte> whole;  // a payload on its way to be encrypted
  Status failed;

  std::thread preparer;
  Status prepared_status;
  std::uint64_t prepared_bytes = 0;

  ~Impl();
  Status fail(Status status);
  [[nodiscard]] std::string next_path() const { return directory + "/next.tmp"; }
  [[nodiscard]] std::uint64_t room() const;
  [[nodiscard]] std::uint64_t stored(std::uint64_t payload_bytes) const;
  [[nodiscard]] bool encrypts() const { return options.keys != nullptr; }

  Status create_directory();
  Status open_last(std::uint64_t last);
  Status read_last();
  Status recover_tail(SegmentFile& segment);
  Status save_torn(SegmentFile& segment, std::uint64_t to);
  Result<int> create_torn_file();

  void prepare_in_background();
  Status prepare(std::uint64_t bytes, std::uint64_t from);
  Status prepare_segment(std::uint64_t bytes);
  Status begin_segment(std::uint64_t needed);
  EncryptedSegmentHeader new_headers(std::uint64_t bytes) const;
  Status close_segment();
  Status make_room(std::uint64_t bytes);

  std::uint64_t put(RecordType type, std::span<const std::byte> payload,
                    std::span<const std::byte> payload_tail, RingOrigin origin);
  void begin_stream();
  std::span<std::byte> put_header(RecordType type, std::uint64_t stored_bytes, RingOrigin origin,
                                  RecordHeader* header);
  std::uint64_t finish(RecordHeader header);
  Status write_out();
  Status sync();
};

JournalWriter::Impl::~Impl() {
  if (preparer.joinable()) preparer.join();
  if (file >= 0) files->close(file);
}

// Sticks: what a failed write or sync left on disk is unknown, and a second fdatasync may report
// success for pages that the kernel has dropped.
Status JournalWriter::Impl::fail(Status status) {
  if (failed.ok()) failed = std::move(status);
  return failed;
}

// A closing record, which is never encrypted, always has room.
std::uint64_t JournalWriter::Impl::room() const {
  const std::uint64_t begin =
      encrypts() && encryptor == nullptr ? record_bytes(kStreamStartBytes + kCipherBytes) : 0;
  const std::uint64_t taken = point.offset + begin + record_bytes(0);
  return closed || taken > segment_bytes ? 0 : segment_bytes - taken;
}

std::uint64_t JournalWriter::Impl::stored(std::uint64_t payload_bytes) const {
  return payload_bytes + (encrypts() ? kCipherBytes : 0);
}

Status JournalWriter::Impl::create_directory() {
  if (auto status = files->make_directory(directory, kDirectoryMode); !status.ok()) return status;
  return files->sync_directory(parent_of(directory));
}

Status JournalWriter::Impl::open_last(std::uint64_t last) {
  for (number = 1; number < last; ++number) {
    const std::uint64_t size = file_size(segment_path(directory, number));
    closed_bytes += size - std::min(size, kSegmentHeaderBytes);
  }
  if (last > 1) {
    const auto before = SegmentFile::open(directory, last - 1);
    if (!before.ok()) return before.status();
    journal_id = (*before)->header().journal_id;
  }
  return read_last();
}

Status JournalWriter::Impl::read_last() {
  auto opened = SegmentFile::open(directory, number);
  if (!opened.ok()) return opened.status();
  SegmentFile& segment = **opened;
  const SegmentHeader& header = segment.header();
  if (journal_id != 0 && header.journal_id != journal_id) {
    return damage(number, 0, header.first_seq, "it belongs to another journal");
  }
  journal_id = header.journal_id;
  segment_bytes = header.segment_bytes;
  previous_boot_id = header.boot_id;
  headers = segment.headers();
  PayloadReader payloads(options.keys);
  if (auto status = payloads.enter(headers); !status.ok()) {
    return status.code() == Code::corrupt ? damage(number, 0, header.first_seq, status.message())
                                          : status;
  }
  point = first_point(header);
  for (;;) {
    const auto found = examine(segment, point);
    if (!found.ok()) return found.status();
    if (found->finding != Finding::record) break;
    if (auto status = check_known(found->header); !status.ok()) return status;
    const auto payload = payloads.payload(found->header, found->payload);
    if (!payload.ok()) {
      return damage(number, point.offset, found->header.seq, payload.status().message());
    }
    if (found->header.type == static_cast<std::uint8_t>(RecordType::text)) {
      if (payload->size() < sizeof(TextId) ||
          payload->size() > sizeof(TextId) + std::size_t{kTextBytesMax}) {
        return damage(number, point.offset, found->header.seq, "a text has a wrong length");
      }
      TextId id;
      std::memcpy(id.data(), payload->data(), id.size());
      texts.insert(id);
    }
    closed = found->header.type == static_cast<std::uint8_t>(RecordType::next_segment);
    point = point_behind(point, found->header);
    if (closed) break;
  }
  tag = payloads.tag();
  return recover_tail(segment);
}

// Everything behind the last record is made zero again, whatever the reason it is not.
Status JournalWriter::Impl::recover_tail(SegmentFile& segment) {
  segment.forget();
  const auto last_byte = last_byte_from(segment, point.offset);
  if (!last_byte.ok()) return last_byte.status();
  if (*last_byte) {
    const auto later = later_group_behind(segment, point);
    if (!later.ok()) return later.status();
    if (*later) {
      return damage(number, point.offset, point.seq + 1,
                    "the record does not hold together, and synced ones follow");
    }
    if (auto status = save_torn(segment, **last_byte); !status.ok()) return status;
  }
  const auto opened = files->open(segment_path(directory, number), O_RDWR, kFileMode);
  if (!opened.ok()) return opened.status();
  file = *opened;
  if (*last_byte) {
    if (auto status = files->truncate(file, point.offset); !status.ok()) return status;
  }
  const std::uint64_t size = *last_byte ? point.offset : segment.size();
  if (auto status = write_zeros(*files, file, size, segment_bytes); !status.ok()) return status;
  // Records that a killed journald had written are still in the page cache only: they must be on
  // disk before the first group of this writer begins.
  if (auto status = files->sync_file(file); !status.ok()) return status;
  written = synced = point.offset;
  group = point.seq + 1;
  return {};
}

Result<int> JournalWriter::Impl::create_torn_file() {
  std::string path = segment_path(directory, number);
  path.replace(path.size() - std::strlen(".segment"), path.npos, ".torn");
  for (int count = 1;; ++count) {
    const std::string name = count == 1 ? path : path + "." + std::to_string(count);
    if (::access(name.c_str(), F_OK) == 0 && count < kTornFilesMax) continue;
    return files->open(name, O_WRONLY | O_CREAT | O_EXCL, kFileMode);
  }
}

Status JournalWriter::Impl::save_torn(SegmentFile& segment, std::uint64_t to) {
  const auto torn_file = create_torn_file();
  if (!torn_file.ok()) return torn_file.status();
  Status status;
  for (std::uint64_t at = point.offset; at < to && status.ok();) {
    const auto bytes = segment.at(at, std::min(kCopyBytes, to - at));
    if (!bytes.ok() || bytes->empty()) {
      status = bytes.ok() ? Status(Code::io, "a segment shrank while it was read") : bytes.status();
      break;
    }
    status = files->write_at(*torn_file, *bytes, at - point.offset);
    at += bytes->size();
  }
  if (status.ok()) status = files->sync_file(*torn_file);
  files->close(*torn_file);
  return status.ok() ? files->sync_directory(directory) : status;
}

// Runs on the preparer's thread or, for what that did not cover, on the writer's; never on both at
// once. Touches nothing of the writer but `files` and the path.
Status JournalWriter::Impl::prepare(std::uint64_t bytes, std::uint64_t from) {
  const int flags = from == 0 ? O_RDWR | O_CREAT | O_TRUNC : O_RDWR;
  const auto opened = files->open(next_path(), flags, kFileMode);
  if (!opened.ok()) return opened.status();
  // Looked at first: what fills the disk, only to find out that it does not suffice, keeps others
  // there from writing meanwhile, the state file among them.
  Status status = files->has_room(directory, bytes - std::min(from, bytes));
  if (status.ok()) status = write_zeros(*files, *opened, from, bytes);
  if (status.ok()) status = files->sync_file(*opened);
  files->close(*opened);
  // What was written of it is the room that others on a full disk need.
  if (!status.ok()) (void)files->remove(next_path());
  return status;
}

void JournalWriter::Impl::prepare_in_background() {
  prepared_status = {};
  prepared_bytes = options.segment_bytes;
  try {
    preparer =
        std::thread([this, bytes = options.segment_bytes] { prepared_status = prepare(bytes, 0); });
  } catch (const std::system_error&) {
    prepared_bytes = 0;  // no thread to be had: it is made when it is needed
  }
}

EncryptedSegmentHeader JournalWriter::Impl::new_headers(std::uint64_t bytes) const {
  EncryptedSegmentHeader both;
  SegmentHeader& header = both.segment;
  std::memcpy(header.magic, kSegmentMagic, sizeof(header.magic));
  header.version = encrypts() ? kEncryptedVersion : kJournalVersion;
  header.endianness = 0x01020304;
  header.number = number;
  header.first_seq = point.seq + 1;
  header.previous_chain = point.chain;
  header.journal_id = journal_id;
  header.created_at_us = wall_clock_us();
  header.segment_bytes = bytes;
  boot_id.copy(header.boot_id, sizeof(header.boot_id) - 1);
  header.header_hash = header_hash(header);
  return both;
}

// A full disk is found out here, where no record depends on it: what `prepare` had written is gone
// again, and a later call begins with nothing.
Status JournalWriter::Impl::prepare_segment(std::uint64_t bytes) {
  if (preparer.joinable()) preparer.join();
  Status status = std::exchange(prepared_status, Status());
  const std::uint64_t from = std::exchange(prepared_bytes, 0);
  if (status.code() == Code::full) {
    status = prepare(bytes, 0);
  } else if (status.ok() && bytes > from) {
    status = prepare(bytes, from);
  }
  lacks_room = status.code() == Code::full;
  return status;
}

// The file gets its name only when it is complete and the segment before it is closed and synced,
// so that its existence proves both.
Status JournalWriter::Impl::begin_segment(std::uint64_t needed) {
  const std::uint64_t least = kSegmentHeaderBytes + needed + record_bytes(0);
  const std::uint64_t bytes = std::max(options.segment_bytes, page_aligned(least));
  if (auto status = prepare_segment(bytes); !status.ok()) return status;
  const auto next = files->open(next_path(), O_RDWR, kFileMode);
  if (!next.ok()) return next.status();
  ++number;
  EncryptedSegmentHeader both = new_headers(bytes);
  std::unique_ptr<RecordEncryptor> stream;
  if (encrypts()) {
    both.encryption.key_id = options.keys->current();
    both.encryption.previous_tag = tag;
    stream = std::make_unique<RecordEncryptor>();
    stream->begin(options.keys->find(both.encryption.key_id), both.encryption.stream);
    both.encryption.hash = encryption_hash(both.encryption);
    stream->bind(stream_context(both, tag));
  }
  Status status = files->write_at(*next, std::as_bytes(std::span(&both, 1)), 0);
  if (status.ok()) status = files->sync_file(*next);
  if (status.ok()) status = files->rename(next_path(), segment_path(directory, number));
  if (status.ok()) status = files->sync_directory(directory);
  if (!status.ok()) {
    files->close(*next);
    return status;
  }
  if (file >= 0) {
    closed_bytes += segment_bytes - kSegmentHeaderBytes;
    files->close(file);
  }
  file = *next;
  headers = both;
  encryptor = std::move(stream);
  segment_bytes = bytes;
  point.offset = written = synced = kSegmentHeaderBytes;
  group = point.seq + 1;
  closed = false;
  texts.clear();
  prepare_in_background();
  return {};
}

Status JournalWriter::Impl::close_segment() {
  if (!closed) {
    put(RecordType::next_segment, {}, {}, {});
    closed = true;
  }
  return sync();
}

Status JournalWriter::Impl::make_room(std::uint64_t bytes) {
  if (!failed.ok()) return failed;
  if (bytes <= room()) return {};
  if (auto status = close_segment(); !status.ok()) return status;
  if (auto status = begin_segment(bytes); !status.ok()) return lacks_room ? status : fail(status);
  return {};
}

// Makes room for a record behind what the buffer holds, writes its header there and gives the place
// of its payload, which is zero.
std::span<std::byte> JournalWriter::Impl::put_header(RecordType type, std::uint64_t stored_bytes,
                                                     RingOrigin origin, RecordHeader* header) {
  header->length = static_cast<std::uint32_t>(sizeof(*header) + stored_bytes);
  header->type = static_cast<std::uint8_t>(type);
  header->version = kJournalVersion;
  header->seq = point.seq + 1;
  header->group = group;
  header->ring_position = origin.position;
  header->ring = origin.ring;
  const std::size_t start = buffer.size();
  buffer.resize(start + record_bytes(stored_bytes));
  std::memcpy(buffer.data() + start, header, sizeof(*header));
  return std::span(buffer).subspan(start + sizeof(*header), stored_bytes);
}

// The payload is in its place: chains the record.
std::uint64_t JournalWriter::Impl::finish(RecordHeader header) {
  std::byte* const at =
      buffer.data() + buffer.size() - record_bytes(header.length - sizeof(header));
  header.chain = XXH3_64bits_withSeed(at, header.length, point.chain);
  std::memcpy(at, &header, sizeof(header));
  point = point_behind(point, header);
  return header.seq;
}

// What another writer encrypted last in this segment may be lost, and what it was is not known: the
// same place of its keystream must not be used for something else.
void JournalWriter::Impl::begin_stream() {
  auto stream = std::make_unique<RecordEncryptor>();
  std::array<std::uint8_t, kStreamStartBytes> start;
  stream->begin(options.keys->find(headers.encryption.key_id), start);
  stream->bind(stream_context(headers, tag));
  RecordHeader header{};
  const auto place = put_header(RecordType::stream, kStreamStartBytes + kCipherBytes, {}, &header);
  std::memcpy(place.data(), start.data(), start.size());
  stream->encrypt(header, {}, place.subspan(start.size()).data());
  tag = tag_of(place);
  encryptor = std::move(stream);
  finish(header);
}

std::uint64_t JournalWriter::Impl::put(RecordType type, std::span<const std::byte> payload,
                                       std::span<const std::byte> payload_tail, RingOrigin origin) {
  const bool encrypted = encrypts() && type != RecordType::next_segment;
  if (encrypted && encryptor == nullptr) begin_stream();
  const std::uint64_t bytes = payload.size() + payload_tail.size();
  RecordHeader header{};
  const auto place = put_header(type, encrypted ? stored(bytes) : bytes, origin, &header);
  if (encrypted) {
    whole.assign(payload.begin(), payload.end());
    whole.insert(whole.end(), payload_tail.begin(), payload_tail.end());
    encryptor->encrypt(header, whole, place.data());
    tag = tag_of(place);
  } else {
    if (!payload.empty()) std::memcpy(place.data(), payload.data(), payload.size());
    if (!payload_tail.empty())
      std::memcpy(place.data() + payload.size(), payload_tail.data(), payload_tail.size());
  }
  return finish(header);
}

Status JournalWriter::Impl::write_out() {
  if (!failed.ok()) return failed;
  if (buffer.empty()) return {};
  if (auto status = files->write_at(file, buffer, written); !status.ok()) return fail(status);
  written += buffer.size();
  buffer.clear();
  return {};
}

Status JournalWriter::Impl::sync() {
  if (auto status = write_out(); !status.ok()) return status;
  if (written == synced) return {};
  if (auto status = files->sync_data(file); !status.ok()) return fail(status);
  synced = written;
  group = point.seq + 1;
  return {};
}

JournalWriter::JournalWriter() : impl_(std::make_unique<Impl>()) {}
JournalWriter::~JournalWriter() = default;

Result<std::unique_ptr<JournalWriter>> JournalWriter::open(const std::string& directory,
                                                           Options options) {
  if (options.segment_bytes == 0) options.segment_bytes = kSegmentBytesDefault;
  if (options.segment_bytes < kSegmentBytesMin || options.segment_bytes > kRecordBytesMax) {
    return Status(Code::invalid, "a journal segment has 64 KiB to 1 GiB");
  }
  options.segment_bytes = page_aligned(options.segment_bytes);
  std::unique_ptr<JournalWriter> writer(new JournalWriter);
  Impl& impl = *writer->impl_;
  impl.directory = directory;
  impl.files = options.files != nullptr ? options.files : &operating_system();
  impl.boot_id = options.boot_id.empty() ? understudy::boot_id() : options.boot_id;
  impl.options = std::move(options);
  if (auto status = impl.create_directory(); !status.ok()) return status;
  const auto numbers = list_segments(directory);
  if (!numbers.ok() && numbers.status().code() != Code::not_found) return numbers.status();
  if (::access(impl.next_path().c_str(), F_OK) == 0) {
    if (auto status = impl.files->remove(impl.next_path()); !status.ok()) return status;
  }
  if (!numbers.ok()) {
    impl.journal_id = random_id();
    impl.point.chain = impl.journal_id;
    if (auto status = impl.begin_segment(0); !status.ok()) return status;
    return writer;
  }
  if (auto status = impl.open_last(numbers->back()); !status.ok()) return status;
  impl.prepare_in_background();
  // A segment is of one boot, so that the header tells the next writer whether the host restarted;
  // and of one key.
  const bool other_key =
      impl.encrypts() && impl.headers.encryption.key_id != impl.options.keys->current();
  if (impl.previous_boot_id != impl.boot_id || other_key) {
    if (auto status = impl.close_segment(); !status.ok()) return status;
    if (auto status = impl.begin_segment(0); !status.ok()) return status;
  }
  return writer;
}

Result<std::uint64_t> JournalWriter::append(RecordType type, std::span<const std::byte> payload,
                                            std::span<const std::byte> payload_tail,
                                            RingOrigin origin) {
  const std::uint64_t bytes = payload.size() + payload_tail.size();
  if (impl_->stored(bytes) > kRecordBytesMax - sizeof(RecordHeader)) {
    return Status(Code::invalid, "a journal record has at most 1 GiB");
  }
  if (auto status = impl_->make_room(bytes_of(bytes)); !status.ok()) return status;
  return impl_->put(type, payload, payload_tail, origin);
}

Status JournalWriter::need_text(const std::array<std::uint8_t, 16>& id, std::string_view text) {
  if (!impl_->failed.ok()) return impl_->failed;
  if (text.size() > kTextBytesMax) return {Code::invalid, "a statement's text is over 16 MiB"};
  if (impl_->texts.contains(id)) return {};
  if (text_id(text) != id) return {Code::corrupt, "a statement's text does not fit its name"};
  if (auto status = impl_->make_room(bytes_of(id.size() + text.size())); !status.ok()) {
    return status;
  }
  const auto seq = append(RecordType::text, std::as_bytes(std::span(id)),
                          std::as_bytes(std::span(text.data(), text.size())));
  if (!seq.ok()) return seq.status();
  impl_->texts.insert(id);
  return {};
}

Status JournalWriter::reserve(std::uint64_t bytes) {
  return impl_->make_room(bytes);
}
Status JournalWriter::write_out() {
  return impl_->write_out();
}
Status JournalWriter::sync() {
  return impl_->sync();
}
bool JournalWriter::lacks_room() const {
  return impl_->lacks_room;
}
std::uint64_t JournalWriter::bytes_of(std::uint64_t payload_bytes) const {
  return record_bytes(impl_->stored(payload_bytes));
}
std::uint64_t JournalWriter::last_seq() const {
  return impl_->point.seq;
}
std::uint64_t JournalWriter::bytes() const {
  return impl_->closed_bytes + impl_->point.offset - kSegmentHeaderBytes;
}
std::uint64_t JournalWriter::journal_id() const {
  return impl_->journal_id;
}
const std::string& JournalWriter::previous_boot_id() const {
  return impl_->previous_boot_id;
}

}  // namespace understudy
