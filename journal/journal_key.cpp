#include "journal/journal_key.h"

#include <sodium.h>

#include <algorithm>
#include <new>

namespace understudy {
namespace {

constexpr std::size_t kDigits = 2 * kJournalKeyBytes;
constexpr std::uint8_t kIdPurpose[] = "understudy journal key id";

void require_library() {
  // Any number of times, from any thread; it fails only where the kernel gives no random numbers.
  if (::sodium_init() < 0) throw std::bad_alloc();
}

KeyId id_of(const std::uint8_t* key) {
  KeyId id{};
  ::crypto_generichash(id.data(), id.size(), kIdPurpose, sizeof(kIdPurpose), key, kJournalKeyBytes);
  return id;
}

Status wrong_line(std::size_t line) {
  return {Code::wrong_key, "line " + std::to_string(line) +
                               " of the journal's keys is not 64 hexadecimal digits; a key is made "
                               "with `openssl rand -hex 32`"};
}

}  // namespace

std::string key_id_text(const KeyId& id) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const std::uint8_t byte : id) {
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out;
}

SecretBytes::SecretBytes(std::size_t bytes) : size_(bytes) {
  require_library();
  data_.reset(static_cast<std::uint8_t*>(::sodium_malloc(bytes)));
  if (!data_) throw std::bad_alloc();
}

void SecretBytes::Free::operator()(std::uint8_t* data) const {
  ::sodium_free(data);
}

JournalKeys::JournalKeys(std::size_t count) : secret_(count * kJournalKeyBytes), count_(count) {}

Result<std::shared_ptr<const JournalKeys>> JournalKeys::parse(std::span<const std::uint8_t> text) {
  const std::size_t lines = (text.size() + kDigits) / (kDigits + 1);
  if (text.empty()) return Status(Code::wrong_key, "there is no key for the journal");
  if (lines > kJournalKeysMax) {
    return Status(Code::wrong_key, "the journal has at most " + std::to_string(kJournalKeysMax) +
                                       " keys; remove the oldest");
  }
  const std::shared_ptr<JournalKeys> keys(new JournalKeys(lines));
  std::span<const std::uint8_t> rest = text;
  for (std::size_t line = 0; line < lines; ++line) {
    std::uint8_t* const key = keys->secret_.bytes().data() + line * kJournalKeyBytes;
    if (rest.size() < kDigits || (rest.size() > kDigits && rest[kDigits] != '\n')) {
      return wrong_line(line + 1);
    }
    std::size_t written = 0;
    const int read =
        ::sodium_hex2bin(key, kJournalKeyBytes, reinterpret_cast<const char*>(rest.data()), kDigits,
                         nullptr, &written, nullptr);
    if (read != 0 || written != kJournalKeyBytes) return wrong_line(line + 1);
    keys->ids_[line] = id_of(key);
    rest = rest.subspan(std::min(rest.size(), kDigits + 1));
  }
  ::sodium_mprotect_readonly(keys->secret_.bytes().data());
  return std::shared_ptr<const JournalKeys>(keys);
}

const std::uint8_t* JournalKeys::find(const KeyId& id) const {
  for (std::size_t i = 0; i < count_; ++i) {
    if (ids_[i] == id) return secret_.bytes().data() + i * kJournalKeyBytes;
  }
  return nullptr;
}

}  // namespace understudy
