// The journal on disk: numbered segment files of one migration, written by journald, read by
// anyone.
//
//   NAME/journal/00000001.segment ...
//   file   := 4096-byte SegmentHeader, then records, zero-filled to segment_bytes ahead of time
//   record := RecordHeader, payload, zero padding to a multiple of 8
// Each record's `chain` is XXH3-64 over header (chain field zero) and payload, seeded with the
// chain of the record before it; the first is seeded from the header's `previous_chain`. So stale
// bytes never validate and nothing can be taken out of the middle. Sequence numbers are dense over
// all records of all segments. `group` is the flush group, named by the sequence number of its
// first record: a group is begun only after the previous group's fdatasync returned, so a record
// whose group began behind another record proves that the other one was on disk. A zero length is
// the clean end. `ring` and `ring_position` say what of which ring a record came from, so that a
// journald that was killed between writing and freeing the ring writes nothing twice. Torn tail: a
// record that does not validate with no valid record of a *later group* behind it; the writer saves
// the tail aside (NNNNNNNN.torn), truncates and goes on. Damage: everything else; refused with
// segment, offset and remedy, never skipped. In an encrypted segment (version 2) a payload is what
// segment_cipher.h makes of it, and `length` and `chain` are of the payload as it is stored: all of
// the above can be told without the key. Byte tables: docs/internals/journal-format.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "journal/file_system.h"
#include "journal/journal_key.h"
#include "journal/status.h"

namespace understudy {

inline constexpr char kSegmentMagic[8] = {'U', 'N', 'D', 'J', 'R', 'N', 'L', '1'};
inline constexpr std::uint32_t kJournalVersion = 1;
inline constexpr std::uint32_t kEncryptedVersion = 2;  // of the header of an encrypted segment
inline constexpr std::uint64_t kSegmentHeaderBytes = 4096;
inline constexpr std::uint64_t kSegmentBytesDefault = 64u << 20;
inline constexpr std::uint64_t kSegmentBytesMin = 64u << 10;
inline constexpr std::uint32_t kRecordBytesMax = 1u << 30;

enum class RecordType : std::uint8_t {
  text = 1,          // TextId, then the text
  transaction = 2,   // transaction body
  chunk = 3,         // u64 txn_id, then entry bytes
  outcome = 4,       // OutcomeRecord
  marker = 5,        // MarkerRecord
  abandon = 6,       // u64 txn_id
  gap = 7,           // reason text: recording ended here, nothing after it can be trusted
  next_segment = 8,  // last record of a full segment; no payload
  stream = 9,        // encrypted segments: another writer goes on; no payload
};

struct RecordHeader {
  std::uint32_t length;  // header and payload, without padding
  std::uint8_t type;     // RecordType
  std::uint8_t flags;    // bit 7: readers that do not know the type may skip the record
  std::uint16_t version;
  std::uint64_t chain;
  std::uint64_t seq;
  std::uint64_t group;          // seq of the first record of its flush group
  std::uint64_t ring_position;  // behind the ring record it came from; 0: not from a ring
  std::uint32_t ring;           // ControlHeader::ring_number; 0: not from a ring
  std::uint32_t reserved;       // zero
};
static_assert(sizeof(RecordHeader) == 48);
static_assert(offsetof(RecordHeader, chain) == 8 && offsetof(RecordHeader, group) == 24);

/// Where a record was in the ring. Positions of one ring only grow.
struct RingOrigin {
  std::uint32_t ring = 0;
  std::uint64_t position = 0;
};

/// Bytes that a record with this payload takes in a segment.
inline constexpr std::uint64_t record_bytes(std::uint64_t payload_bytes) {
  return (sizeof(RecordHeader) + payload_bytes + 7) & ~std::uint64_t{7};
}

struct SegmentHeader {
  char magic[8];
  std::uint32_t version;
  std::uint32_t endianness;  // 0x01020304 as the writer stores it
  std::uint64_t number;
  std::uint64_t first_seq;
  std::uint64_t previous_chain;
  std::uint64_t journal_id;  // random, the same in all segments of a journal
  std::int64_t created_at_us;
  std::uint64_t segment_bytes;
  char boot_id[40];
  std::uint64_t header_hash;  // XXH3-64 of the fields above
};
static_assert(sizeof(SegmentHeader) == 112);

inline constexpr std::size_t kStreamStartBytes = 24;  // what an encrypted stream begins with
inline constexpr std::size_t kCipherBytes = 17;       // that encryption adds to a payload

/// Behind the SegmentHeader of an encrypted segment.
struct EncryptionHeader {
  KeyId key_id;
  std::array<std::uint8_t, 16> previous_tag;  // of the last encrypted record before; or zero
  std::array<std::uint8_t, kStreamStartBytes> stream;
  std::uint64_t hash;  // XXH3-64 of the fields above
};
static_assert(sizeof(EncryptionHeader) == 64);

struct JournalRecord {
  RecordType type{};
  std::uint64_t seq = 0;
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;  // in the segment file
  std::uint64_t group = 0;   // seq of the first record of the flush group
  RingOrigin origin;
  std::span<const std::byte> payload;  // valid until the next call on the reader
  std::uint64_t stored_bytes = 0;      // of the payload in the file
};

/// One writer at a time (journald holds the lock byte). Not thread safe.
class JournalWriter {
 public:
  struct Options {
    std::uint64_t segment_bytes = kSegmentBytesDefault;
    FileSystem* files = nullptr;              // null: the operating system's
    std::string boot_id;                      // empty: the kernel's; tests give another
    std::shared_ptr<const JournalKeys> keys;  // null: the journal is not encrypted
  };
  /// Opens for appending; creates the directory (mode 0700) and the first segment when there is
  /// none. Recovers a torn tail as described above; Code::corrupt on damage. Code::wrong_key, and
  /// nothing is changed, where the last segment needs a key that is not given, or is not encrypted
  /// and keys are given: a journal is encrypted from its beginning or not at all. Goes on in a new
  /// segment when the last one is not encrypted with the current key.
  static Result<std::unique_ptr<JournalWriter>> open(const std::string& directory, Options options);
  ~JournalWriter();

  /// Appends to the write buffer; the sequence number it got. A text unknown to the current segment
  /// is written first by `need_text`. A record that does not fit closes the segment.
  Result<std::uint64_t> append(RecordType type, std::span<const std::byte> payload,
                               std::span<const std::byte> payload_tail = {},
                               RingOrigin origin = {});
  /// Makes sure that the current segment holds this text, given that `bytes_following` come next in
  /// the same segment.
  Status need_text(const std::array<std::uint8_t, 16>& id, std::string_view text);
  /// When fewer than `bytes` are left in the segment, goes to the next one (the dictionary starts
  /// anew). Call before need_text/append of things that belong together.
  /// Where the disk has no room for the next segment (Code::full, `lacks_room`), nothing is lost
  /// and nothing sticks: the same call may be made again when there is room. So it is with append
  /// and need_text.
  Status reserve(std::uint64_t bytes);
  /// The last call failed only since the disk has no room for the next segment.
  [[nodiscard]] bool lacks_room() const;
  /// Hands everything to the kernel (write); readers see it.
  Status write_out();
  /// write_out, then fdatasync; begins the next group. After an error every later call fails with
  /// the same status: fsync is never retried.
  Status sync();
  /// What a record with this payload takes in this journal, for `reserve`.
  [[nodiscard]] std::uint64_t bytes_of(std::uint64_t payload_bytes) const;
  [[nodiscard]] std::uint64_t last_seq() const;
  [[nodiscard]] std::uint64_t bytes() const;  // of the closed segments, and used of the last
  [[nodiscard]] std::uint64_t journal_id() const;
  [[nodiscard]] const std::string& previous_boot_id() const;  // of the last segment when opened

 private:
  JournalWriter();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Reads while a writer may still append. Not thread safe.
class JournalReader {
 public:
  /// Code::wrong_key, also from the functions below, when a segment needs a key that is not given,
  /// or is not encrypted and keys are given.
  static Result<std::unique_ptr<JournalReader>> open(
      const std::string& directory, std::shared_ptr<const JournalKeys> keys = nullptr);
  /// For who has no key: payloads are as they are stored, and no texts are remembered.
  static Result<std::unique_ptr<JournalReader>> open_stored(const std::string& directory);
  ~JournalReader();

  /// The next record; Code::end when there is none yet (call again later), Code::corrupt with
  /// segment, offset and remedy on damage. Text records are handed out too, and remembered.
  Result<JournalRecord> next();
  /// Goes to the record with this sequence number, so that `next` returns it. Code::not_found when
  /// it is not written yet: the reader then stands at the end, and `next` goes on from there.
  Status seek(std::uint64_t seq);
  /// A text of the dictionary of the segment read last. Code::corrupt when the segment has no such.
  Result<std::string_view> text(const std::array<std::uint8_t, 16>& id) const;
  [[nodiscard]] std::uint64_t journal_id() const;
  /// Of the segment read last, when it is encrypted.
  [[nodiscard]] std::optional<KeyId> key_id() const;

 private:
  JournalReader();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Whether every segment that is there can be read with these keys, by their headers:
/// Code::wrong_key otherwise. No journal is as good.
Status check_journal_keys(const std::string& directory,
                          const std::shared_ptr<const JournalKeys>& keys);

}  // namespace understudy
