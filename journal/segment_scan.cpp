#include "journal/segment_scan.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <unordered_map>

namespace understudy {
namespace {

constexpr std::uint64_t kWindowBytes = 256u << 10;
constexpr std::uint32_t kEndianness = 0x01020304;
constexpr std::string_view kSuffix = ".segment";
constexpr std::size_t kNumberDigits = 8;

std::optional<std::uint64_t> number_of(std::string_view name) {
  if (name.size() != kNumberDigits + kSuffix.size() || !name.ends_with(kSuffix)) return {};
  std::uint64_t number = 0;
  for (const char digit : name.substr(0, kNumberDigits)) {
    if (digit < '0' || digit > '9') return {};
    number = number * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  return number == 0 ? std::nullopt : std::optional(number);
}

Status header_damage(const std::string& path, const char* what) {
  return {Code::corrupt,
          path + ": " + what +
              " at offset 0; restore the file from a copy, or begin the migration anew"};
}

Status check_header(const SegmentHeader& header, const std::string& path, std::uint64_t number) {
  if (std::memcmp(header.magic, kSegmentMagic, sizeof(kSegmentMagic)) != 0) {
    return header_damage(path, "not a journal segment");
  }
  if (header.header_hash != header_hash(header)) {
    return header_damage(path, "the segment's header is damaged");
  }
  const bool known = header.version == kJournalVersion || header.version == kEncryptedVersion;
  if (!known || header.endianness != kEndianness) {
    return {Code::unsupported, path +
                                   " was written by another version of Understudy or on another "
                                   "kind of machine; read it with that one"};
  }
  if (header.number != number) return header_damage(path, "the segment has another number");
  if (header.segment_bytes < kSegmentBytesMin || header.segment_bytes > kSegmentBytesMax ||
      header.first_seq == 0 || std::memchr(header.boot_id, 0, sizeof(header.boot_id)) == nullptr) {
    return header_damage(path, "the segment's header makes no sense");
  }
  return {};
}

bool known_shape(const RecordHeader& header) {
  return header.length >= sizeof(RecordHeader) && header.length <= kRecordBytesMax &&
         header.type != 0 && header.reserved == 0;
}

std::uint64_t padded(const RecordHeader& header) {
  return record_bytes(header.length - sizeof(RecordHeader));
}

Result<std::optional<RecordHeader>> header_at(SegmentFile& file, std::uint64_t offset) {
  const auto bytes = file.at(offset, sizeof(RecordHeader));
  if (!bytes.ok()) return bytes.status();
  if (bytes->size() < sizeof(RecordHeader)) return std::optional<RecordHeader>{};
  RecordHeader header;
  std::memcpy(&header, bytes->data(), sizeof(header));
  return std::optional(header);
}

/// The chain that the record at `offset` should have after `seed`; nothing when it does not fit.
Result<std::optional<std::uint64_t>> chain_at(SegmentFile& file, std::uint64_t offset,
                                              const RecordHeader& header, std::uint64_t seed) {
  std::optional<std::uint64_t> chain;
  if (!known_shape(header) || offset + padded(header) > file.header().segment_bytes) return chain;
  const auto bytes = file.at(offset, header.length);
  if (!bytes.ok()) return bytes.status();
  if (bytes->size() < header.length) return chain;
  chain = record_chain(header, bytes->subspan(sizeof(RecordHeader)), seed);
  return chain;
}

Result<bool> validates(SegmentFile& file, std::uint64_t offset, std::uint64_t seed) {
  const auto header = header_at(file, offset);
  if (!header.ok()) return header.status();
  if (!*header) return false;
  const auto chain = chain_at(file, offset, **header, seed);
  if (!chain.ok()) return chain.status();
  return *chain == (*header)->chain;
}

/// A header behind `point` whose numbers say that it is of a group begun behind the record there.
bool claims_later_group(const RecordHeader& header, const ChainPoint& point, std::uint64_t offset,
                        std::uint64_t limit) {
  const std::uint64_t expected = point.seq + 1;
  return known_shape(header) && header.version == kJournalVersion && header.seq > expected &&
         header.seq - expected <= (offset - point.offset) / sizeof(RecordHeader) &&
         header.group > expected && header.group <= header.seq && offset + padded(header) <= limit;
}

/// Chains that the record behind the one at `point` may be seeded with: the damage may be in the
/// chain field itself, or anywhere else.
Result<std::vector<std::uint64_t>> seeds_of(SegmentFile& file, const ChainPoint& point) {
  std::vector<std::uint64_t> seeds;
  const auto header = header_at(file, point.offset);
  if (!header.ok()) return header.status();
  if (!*header) return seeds;
  seeds.push_back((*header)->chain);
  const auto computed = chain_at(file, point.offset, **header, point.chain);
  if (!computed.ok()) return computed.status();
  if (*computed) seeds.push_back(**computed);
  return seeds;
}

/// Whether the header at `offset`, which claims a later group, is a record's: its own chain fits
/// one of the seeds, or the record behind it fits its chain, or nothing is behind it. The last
/// cannot be proved; a doubt is answered by refusing, because truncating would lose what was
/// durable.
Result<bool> is_record(SegmentFile& file, std::uint64_t offset, const RecordHeader& header,
                       const std::vector<std::uint64_t>& seeds) {
  for (const auto seed : seeds) {
    const auto valid = validates(file, offset, seed);
    if (!valid.ok() || *valid) return valid;
  }
  const std::uint64_t behind = offset + padded(header);
  const auto next = header_at(file, behind);
  if (!next.ok()) return next.status();
  if (!*next || (*next)->length == 0) return true;
  return validates(file, behind, header.chain);
}

}  // namespace

std::string segment_path(const std::string& directory, std::uint64_t number) {
  char name[32];
  std::snprintf(name, sizeof(name), "/%08llu.segment", static_cast<unsigned long long>(number));
  return directory + name;
}

Result<std::vector<std::uint64_t>> list_segments(const std::string& directory) {
  DIR* folder = ::opendir(directory.c_str());
  if (folder == nullptr) {
    return Status(errno == ENOENT ? Code::not_found : Code::io,
                  "cannot open the journal " + directory + ": " + std::strerror(errno));
  }
  std::vector<std::uint64_t> numbers;
  while (const dirent* entry = ::readdir(folder)) {
    if (const auto number = number_of(entry->d_name)) numbers.push_back(*number);
  }
  ::closedir(folder);
  if (numbers.empty()) return Status(Code::not_found, "there is no journal in " + directory);
  std::sort(numbers.begin(), numbers.end());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] != i + 1) {
      return Status(Code::corrupt, "journal segment " + segment_path(directory, i + 1) +
                                       " is missing; restore it from a copy, or begin the "
                                       "migration anew");
    }
  }
  return numbers;
}

std::uint64_t header_hash(const SegmentHeader& header) {
  return XXH3_64bits(&header, offsetof(SegmentHeader, header_hash));
}

std::uint64_t record_chain(RecordHeader header, std::span<const std::byte> payload,
                           std::uint64_t seed) {
  header.chain = 0;
  XXH3_state_t state;
  XXH3_INITSTATE(&state);
  XXH3_64bits_reset_withSeed(&state, seed);
  XXH3_64bits_update(&state, &header, sizeof(header));
  if (!payload.empty()) XXH3_64bits_update(&state, payload.data(), payload.size());
  return XXH3_64bits_digest(&state);
}

Result<std::unique_ptr<SegmentFile>> SegmentFile::open(const std::string& directory,
                                                       std::uint64_t number) {
  const std::string path = segment_path(directory, number);
  std::unique_ptr<SegmentFile> segment(new SegmentFile);
  segment->file_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (segment->file_ < 0) {
    return Status(errno == ENOENT ? Code::not_found : Code::io,
                  "cannot open " + path + ": " + std::strerror(errno));
  }
  const auto bytes = segment->at(0, sizeof(EncryptedSegmentHeader));
  if (!bytes.ok()) return bytes.status();
  if (bytes->size() < sizeof(EncryptedSegmentHeader)) {
    return header_damage(path, "the segment ends inside its header");
  }
  EncryptedSegmentHeader& headers = segment->headers_;
  std::memcpy(&headers, bytes->data(), sizeof(headers));
  if (auto status = check_header(headers.segment, path, number); !status.ok()) return status;
  if (segment->encrypted() && headers.encryption.hash != encryption_hash(headers.encryption)) {
    return header_damage(path, "the segment's header is damaged");
  }
  return segment;
}

SegmentFile::~SegmentFile() {
  if (file_ >= 0) ::close(file_);
}

std::uint64_t SegmentFile::size() const {
  struct stat info {};
  return ::fstat(file_, &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

Result<std::span<const std::byte>> SegmentFile::at(std::uint64_t offset, std::uint64_t bytes) {
  const bool inside = offset >= window_offset_ && offset + bytes <= window_offset_ + window_bytes_;
  if (!inside) {
    window_.resize(std::max(bytes, kWindowBytes));
    window_offset_ = offset;
    window_bytes_ = 0;
    while (window_bytes_ < window_.size()) {
      const ssize_t count =
          ::pread(file_, window_.data() + window_bytes_, window_.size() - window_bytes_,
                  static_cast<off_t>(offset + window_bytes_));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) {
        window_bytes_ = 0;
        return Status(Code::io, "cannot read journal segment " + std::to_string(header().number) +
                                    ": " + std::strerror(errno));
      }
      if (count == 0) break;
      window_bytes_ += static_cast<std::uint64_t>(count);
    }
  }
  const std::uint64_t skip = offset - window_offset_;
  return std::span<const std::byte>(window_).subspan(skip, std::min(bytes, window_bytes_ - skip));
}

ChainPoint first_point(const SegmentHeader& header) {
  return {kSegmentHeaderBytes, header.previous_chain, header.first_seq - 1};
}

ChainPoint point_behind(const ChainPoint& point, const RecordHeader& header) {
  return {point.offset + padded(header), header.chain, header.seq};
}

Result<Examined> examine(SegmentFile& file, const ChainPoint& point) {
  Examined out;
  const std::uint64_t limit = file.header().segment_bytes;
  if (point.offset + sizeof(RecordHeader) > limit) return out;
  auto bytes = file.at(point.offset, sizeof(RecordHeader));
  if (!bytes.ok()) return bytes.status();
  std::uint32_t length = 0;
  std::memcpy(&length, bytes->data(), std::min(bytes->size(), sizeof(length)));
  if (length == 0) return out;
  out.finding = Finding::invalid;
  if (bytes->size() < sizeof(RecordHeader)) return out;
  std::memcpy(&out.header, bytes->data(), sizeof(RecordHeader));
  if (!known_shape(out.header) || point.offset + padded(out.header) > limit) return out;
  bytes = file.at(point.offset, padded(out.header));
  if (!bytes.ok()) return bytes.status();
  if (bytes->size() < padded(out.header)) return out;
  for (const auto byte : bytes->subspan(out.header.length)) {
    if (byte != std::byte{0}) return out;
  }
  out.payload = bytes->subspan(sizeof(RecordHeader), out.header.length - sizeof(RecordHeader));
  if (record_chain(out.header, out.payload, point.chain) != out.header.chain) return out;
  if (out.header.seq != point.seq + 1 || out.header.group > out.header.seq) return out;
  out.finding = Finding::record;
  return out;
}

namespace {

/// The first place from `offset` on, in steps of 8, whose 8 bytes are not all zero, as no header's
/// are; or `limit`.
Result<std::uint64_t> behind_zeros(SegmentFile& file, std::uint64_t offset, std::uint64_t limit) {
  constexpr std::uint64_t kStep = 4096;  // far less than a window, which is read as a whole
  while (offset < limit) {
    const auto bytes = file.at(offset, kStep);
    if (!bytes.ok()) return bytes.status();
    if (bytes->size() < sizeof(std::uint64_t)) break;
    const std::byte* const data = bytes->data();
    const std::size_t end = bytes->size() - sizeof(std::uint64_t);
    std::size_t at = 0;
    for (std::uint64_t word = 0; at <= end; at += sizeof(word)) {
      std::memcpy(&word, data + at, sizeof(word));
      if (word != 0) return offset + at;
    }
    offset += at;
  }
  return limit;
}

}  // namespace

Result<bool> later_group_behind(SegmentFile& file, const ChainPoint& point) {
  const std::uint64_t limit = std::min(file.header().segment_bytes, file.size());
  const auto seeds = seeds_of(file, point);
  if (!seeds.ok()) return seeds.status();
  for (std::uint64_t offset = point.offset + 8;; offset += 8) {
    const auto place = behind_zeros(file, offset, limit);
    if (!place.ok()) return place.status();
    offset = *place;
    if (offset + sizeof(RecordHeader) > limit) break;
    const auto header = header_at(file, offset);
    if (!header.ok()) return header.status();
    if (!*header) break;
    if (!claims_later_group(**header, point, offset, limit)) continue;
    const auto found = is_record(file, offset, **header, *seeds);
    if (!found.ok() || *found) return found;
  }
  return false;
}

Result<std::optional<std::uint64_t>> last_byte_from(SegmentFile& file, std::uint64_t offset) {
  std::optional<std::uint64_t> last;
  for (;;) {
    const auto bytes = file.at(offset, kWindowBytes);
    if (!bytes.ok()) return bytes.status();
    if (bytes->empty()) return last;
    for (std::size_t i = bytes->size(); i-- > 0;) {
      if ((*bytes)[i] == std::byte{0}) continue;
      last = offset + i + 1;
      break;
    }
    offset += bytes->size();
  }
}

bool known_type(std::uint8_t type) {
  return type >= static_cast<std::uint8_t>(RecordType::text) &&
         type <= static_cast<std::uint8_t>(RecordType::stream);
}

Status check_known(const RecordHeader& header) {
  constexpr std::uint8_t kFlagIgnorable = 0x80;
  const bool ignorable = (header.flags & kFlagIgnorable) != 0;
  if (header.version == kJournalVersion && (known_type(header.type) || ignorable)) return {};
  return {Code::unsupported, "record " + std::to_string(header.seq) +
                                 " was written by a newer Understudy; use that one"};
}

Status damage(std::uint64_t segment, std::uint64_t offset, std::uint64_t seq,
              const std::string& what) {
  return {Code::corrupt, "journal segment " + std::to_string(segment) + " is damaged at offset " +
                             std::to_string(offset) + " (record " + std::to_string(seq) + "): " +
                             what + "; restore the file from a copy, or begin the migration anew"};
}

}  // namespace understudy
