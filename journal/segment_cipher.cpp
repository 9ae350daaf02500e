#include "journal/segment_cipher.h"

#include <sodium.h>
#include <xxhash.h>

#include <cstring>

namespace understudy {
namespace {

using State = crypto_secretstream_xchacha20poly1305_state;

static_assert(kJournalKeyBytes == crypto_secretstream_xchacha20poly1305_KEYBYTES);
static_assert(kStreamStartBytes == crypto_secretstream_xchacha20poly1305_HEADERBYTES);
static_assert(kCipherBytes == crypto_secretstream_xchacha20poly1305_ABYTES);

State* state_of(const SecretBytes& bytes) {
  return reinterpret_cast<State*>(bytes.bytes().data());
}

const std::uint8_t* raw(std::span<const std::byte> bytes) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

using Bound = std::array<std::uint8_t, sizeof(StreamContext) + sizeof(RecordHeader)>;

Bound bound_to(const StreamContext& context, RecordHeader header) {
  header.chain = 0;
  Bound out;
  std::memcpy(out.data(), context.data(), context.size());
  std::memcpy(out.data() + context.size(), &header, sizeof(header));
  return out;
}

}  // namespace

RecordTag tag_of(std::span<const std::byte> stored_payload) {
  RecordTag tag{};
  if (stored_payload.size() < tag.size()) return tag;
  std::memcpy(tag.data(), stored_payload.last(tag.size()).data(), tag.size());
  return tag;
}

std::uint64_t encryption_hash(const EncryptionHeader& header) {
  return XXH3_64bits(&header, offsetof(EncryptionHeader, hash));
}

Status wrong_key(std::uint64_t segment, const KeyId& id) {
  return {Code::wrong_key, "journal segment " + std::to_string(segment) +
                               " is encrypted with the key " + key_id_text(id) +
                               ", which is not among those given; add it to the key file, behind "
                               "the current one"};
}

Status not_encrypted(std::uint64_t segment) {
  return {Code::wrong_key, "journal segment " + std::to_string(segment) +
                               " is not encrypted, and a key is given; leave out the key, or begin "
                               "the migration anew to have its journal encrypted"};
}

StreamContext stream_context(const EncryptedSegmentHeader& header, const RecordTag& before) {
  std::array<std::uint8_t, sizeof(header) + sizeof(before)> text;
  std::memcpy(text.data(), &header, sizeof(header));
  std::memcpy(text.data() + sizeof(header), before.data(), before.size());
  StreamContext context;
  ::crypto_generichash(context.data(), context.size(), text.data(), text.size(), nullptr, 0);
  return context;
}

RecordEncryptor::RecordEncryptor() : state_(sizeof(State)) {}

void RecordEncryptor::begin(const std::uint8_t* key,
                            std::span<std::uint8_t, kStreamStartBytes> start) {
  ::crypto_secretstream_xchacha20poly1305_init_push(state_of(state_), start.data(), key);
}

void RecordEncryptor::encrypt(const RecordHeader& header, std::span<const std::byte> payload,
                              std::byte* out) {
  const Bound bound = bound_to(context_, header);
  ::crypto_secretstream_xchacha20poly1305_push(
      state_of(state_), reinterpret_cast<std::uint8_t*>(out), nullptr, raw(payload), payload.size(),
      bound.data(), bound.size(), crypto_secretstream_xchacha20poly1305_TAG_MESSAGE);
}

RecordDecryptor::RecordDecryptor() : state_(sizeof(State)) {}

bool RecordDecryptor::begin(const std::uint8_t* key, const StreamContext& context,
                            std::span<const std::uint8_t, kStreamStartBytes> start) {
  context_ = context;
  return ::crypto_secretstream_xchacha20poly1305_init_pull(state_of(state_), start.data(), key) ==
         0;
}

bool RecordDecryptor::decrypt(const RecordHeader& header, std::span<const std::byte> stored,
                              std::span<const std::byte>* payload) {
  if (stored.size() < kCipherBytes) return false;
  plain_.resize(stored.size());  // never empty, so that there is a place to write to
  const Bound bound = bound_to(context_, header);
  unsigned long long length = 0;
  unsigned char tag = 0;
  const int read = ::crypto_secretstream_xchacha20poly1305_pull(
      state_of(state_), reinterpret_cast<std::uint8_t*>(plain_.data()), &length, &tag, raw(stored),
      stored.size(), bound.data(), bound.size());
  if (read != 0 || tag != crypto_secretstream_xchacha20poly1305_TAG_MESSAGE) return false;
  *payload = std::span(plain_).first(length);
  return true;
}

Status PayloadReader::enter(const EncryptedSegmentHeader& header) {
  const std::uint64_t number = header.segment.number;
  header_ = header;
  decryptor_.reset();
  if (header.segment.version != kEncryptedVersion) return keys_ ? not_encrypted(number) : Status();
  const KeyId& id = header.encryption.key_id;
  if (!keys_) {
    return {Code::wrong_key, "journal segment " + std::to_string(number) +
                                 " is encrypted with the key " + key_id_text(id) +
                                 "; name the key file or command"};
  }
  const std::uint8_t* key = keys_->find(id);
  if (key == nullptr) return wrong_key(number, id);
  decryptor_ = std::make_unique<RecordDecryptor>();
  tag_ = header.encryption.previous_tag;
  if (!decryptor_->begin(key, stream_context(header_, tag_), header_.encryption.stream)) {
    return {Code::corrupt, "its stream cannot begin"};
  }
  return {};
}

Result<std::span<const std::byte>> PayloadReader::begin_stream(const RecordHeader& header,
                                                               std::span<const std::byte> stored) {
  const Status wrong(Code::corrupt, "its stream cannot begin");
  if (stored.size() != kStreamStartBytes + kCipherBytes) return wrong;
  std::array<std::uint8_t, kStreamStartBytes> start;
  std::memcpy(start.data(), stored.data(), start.size());
  std::span<const std::byte> nothing;
  if (!decryptor_->begin(keys_->find(header_.encryption.key_id), stream_context(header_, tag_),
                         start) ||
      !decryptor_->decrypt(header, stored.subspan(start.size()), &nothing) || !nothing.empty()) {
    return wrong;
  }
  tag_ = tag_of(stored);
  return nothing;
}

Result<std::span<const std::byte>> PayloadReader::payload(const RecordHeader& header,
                                                          std::span<const std::byte> stored) {
  const auto type = static_cast<RecordType>(header.type);
  if (!decryptor_) {
    if (type == RecordType::stream)
      return Status(Code::corrupt, "it belongs to encrypted segments");
    return stored;
  }
  if (type == RecordType::next_segment) {
    if (!stored.empty()) return Status(Code::corrupt, "a closing record has no payload");
    return stored;
  }
  if (type == RecordType::stream) return begin_stream(header, stored);
  std::span<const std::byte> payload;
  if (!decryptor_->decrypt(header, stored, &payload)) {
    return Status(Code::corrupt, "it is not what was encrypted there");
  }
  tag_ = tag_of(stored);
  return payload;
}

}  // namespace understudy
