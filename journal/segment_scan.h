// Reading one segment file record by record, and telling a torn tail from damage. Shared by the
// writer's recovery and the reader; not for others.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "journal/segment.h"
#include "journal/segment_cipher.h"

namespace understudy {

/// NNNNNNNN.segment in `directory`.
std::string segment_path(const std::string& directory, std::uint64_t number);
/// Numbers of the segments there, ascending. Code::not_found without any; Code::corrupt when one is
/// missing, the first included.
Result<std::vector<std::uint64_t>> list_segments(const std::string& directory);
std::uint64_t header_hash(const SegmentHeader& header);
/// XXH3-64 over the header with a zero `chain`, then the payload.
std::uint64_t record_chain(RecordHeader header, std::span<const std::byte> payload,
                           std::uint64_t seed);
/// The longest record there can be, as a padded size.
inline constexpr std::uint64_t kSegmentBytesMax =
    kSegmentHeaderBytes + kRecordBytesMax + 2 * record_bytes(0) + 4096;

/// A read-only view of a segment file through a window. Bytes behind the end of the file read as
/// missing, not as zero.
class SegmentFile {
 public:
  /// Checks the header: magic, version, byte order, hash, number, size. Code::not_found.
  static Result<std::unique_ptr<SegmentFile>> open(const std::string& directory,
                                                   std::uint64_t number);
  ~SegmentFile();
  SegmentFile(const SegmentFile&) = delete;
  SegmentFile& operator=(const SegmentFile&) = delete;

  [[nodiscard]] const SegmentHeader& header() const { return headers_.segment; }
  [[nodiscard]] const EncryptedSegmentHeader& headers() const { return headers_; }
  [[nodiscard]] bool encrypted() const { return header().version == kEncryptedVersion; }
  /// At most `bytes` at `offset`, fewer at the end of the file. Valid until the next call.
  Result<std::span<const std::byte>> at(std::uint64_t offset, std::uint64_t bytes);
  /// Drops the window, so that the next look sees what was written meanwhile.
  void forget() { window_bytes_ = 0; }
  [[nodiscard]] std::uint64_t size() const;

 private:
  SegmentFile() = default;
  int file_ = -1;
  EncryptedSegmentHeader headers_{};
  std::vector<std::byte> window_;
  std::uint64_t window_offset_ = 0;
  std::uint64_t window_bytes_ = 0;
};

/// Between two records: what the one before left, and where the next must begin.
struct ChainPoint {
  std::uint64_t offset = kSegmentHeaderBytes;
  std::uint64_t chain = 0;
  std::uint64_t seq = 0;  // of the record before
};
ChainPoint first_point(const SegmentHeader& header);

enum class Finding { record, zero, invalid };
struct Examined {
  Finding finding = Finding::zero;
  RecordHeader header{};
  std::span<const std::byte> payload;  // valid until the next call on the file
};
/// What stands at `point`.
Result<Examined> examine(SegmentFile& file, const ChainPoint& point);
/// The point behind a valid record.
ChainPoint point_behind(const ChainPoint& point, const RecordHeader& header);
/// Whether behind `point`, where no record validates, there is one of a later flush group: then the
/// record at `point` was on disk once and is damaged, not torn.
Result<bool> later_group_behind(SegmentFile& file, const ChainPoint& point);
/// The offset behind the last byte from `offset` on that is not zero, or nothing.
Result<std::optional<std::uint64_t>> last_byte_from(SegmentFile& file, std::uint64_t offset);
/// Damage at a place, in words.
/// Whether this version knows records of the type.
bool known_type(std::uint8_t type);
/// Code::unsupported for a record that this version neither knows nor may leave aside.
Status check_known(const RecordHeader& header);

Status damage(std::uint64_t segment, std::uint64_t offset, std::uint64_t seq,
              const std::string& what);

}  // namespace understudy
