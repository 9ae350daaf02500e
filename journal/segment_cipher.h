// Encrypting the payloads of one segment's records, and reading them again: libsodium's
// secretstream, XChaCha20-Poly1305. Shared by the writer and the reader; not for others.
//
// A stream belongs to one writer that is alive: one that opens a segment another has left begins a
// new stream, since what that one encrypted last may be lost, and no keystream may be used twice.
// What is around a payload is authenticated with it: the segment's header, the last record before
// the stream, and the record's own header.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "journal/journal_key.h"
#include "journal/segment.h"

namespace understudy {

/// The last 16 bytes of an encrypted payload: stands for it and all before it.
using RecordTag = std::array<std::uint8_t, 16>;
RecordTag tag_of(std::span<const std::byte> stored_payload);

/// Both headers of an encrypted segment as they stand in the file.
struct EncryptedSegmentHeader {
  SegmentHeader segment{};
  EncryptionHeader encryption{};
};
static_assert(sizeof(EncryptedSegmentHeader) == sizeof(SegmentHeader) + sizeof(EncryptionHeader));
std::uint64_t encryption_hash(const EncryptionHeader& header);

/// A missing key, or a missing encryption, in words.
Status wrong_key(std::uint64_t segment, const KeyId& id);
Status not_encrypted(std::uint64_t segment);

/// What a stream's messages are bound to.
using StreamContext = std::array<std::uint8_t, 32>;
StreamContext stream_context(const EncryptedSegmentHeader& header, const RecordTag& before);

/// Not thread safe. The state is in memory for secrets.
class RecordEncryptor {
 public:
  RecordEncryptor();
  /// Begins a stream with a random beginning, which is put into `start`.
  void begin(const std::uint8_t* key, std::span<std::uint8_t, kStreamStartBytes> start);
  void bind(const StreamContext& context) { context_ = context; }
  /// `out` takes payload.size() + kCipherBytes. `header` is as it is going to stand in the file but
  /// for its chain.
  void encrypt(const RecordHeader& header, std::span<const std::byte> payload, std::byte* out);

 private:
  SecretBytes state_;
  StreamContext context_{};
};

class RecordDecryptor {
 public:
  RecordDecryptor();
  /// False when `start` cannot be one.
  bool begin(const std::uint8_t* key, const StreamContext& context,
             std::span<const std::uint8_t, kStreamStartBytes> start);
  /// The payload, valid until the next call; false when it is not what was written there.
  bool decrypt(const RecordHeader& header, std::span<const std::byte> stored,
               std::span<const std::byte>* payload);

 private:
  SecretBytes state_;
  StreamContext context_{};
  std::vector<std::byte> plain_;
};

/// Follows a segment's records in order and gives their payloads, whether it is encrypted or not.
class PayloadReader {
 public:
  /// Keys null: the journal is not encrypted, and says so if it is.
  explicit PayloadReader(std::shared_ptr<const JournalKeys> keys) : keys_(std::move(keys)) {}
  /// Before the first record of a segment. Code::wrong_key.
  Status enter(const EncryptedSegmentHeader& header);
  /// Code::corrupt, without a place, when the record is not what its writer wrote there.
  Result<std::span<const std::byte>> payload(const RecordHeader& header,
                                             std::span<const std::byte> stored);
  /// Of the last record read that is encrypted; of the segment before, when none was.
  [[nodiscard]] const RecordTag& tag() const { return tag_; }

 private:
  Result<std::span<const std::byte>> begin_stream(const RecordHeader& header,
                                                  std::span<const std::byte> stored);
  std::shared_ptr<const JournalKeys> keys_;
  std::unique_ptr<RecordDecryptor> decryptor_;  // of an encrypted segment
  EncryptedSegmentHeader header_;
  RecordTag tag_{};
};

}  // namespace understudy
