// The keys that a journal is encrypted with. Not part of what the driver is built from.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "journal/status.h"

namespace understudy {

inline constexpr std::size_t kJournalKeyBytes = 32;
inline constexpr std::size_t kJournalKeysMax = 16;
/// What a file or a command may give at most: lines of 64 digits and a line feed.
inline constexpr std::size_t kJournalKeyTextMax = kJournalKeysMax * (2 * kJournalKeyBytes + 1);

/// A hash of a key: names it in a segment's header and in messages, and does not give it away.
using KeyId = std::array<std::uint8_t, 16>;
std::string key_id_text(const KeyId& id);

/// Memory for secrets: kept out of swap and core dumps where the system allows it, wiped when
/// freed. Throws std::bad_alloc.
class SecretBytes {
 public:
  explicit SecretBytes(std::size_t bytes);
  [[nodiscard]] std::span<std::uint8_t> bytes() const { return {data_.get(), size_}; }

 private:
  struct Free {
    void operator()(std::uint8_t* data) const;
  };
  std::unique_ptr<std::uint8_t, Free> data_;
  std::size_t size_;
};

/// The current key, which new segments are written with, and older ones, which segments from before
/// may still need. Immutable; any thread.
class JournalKeys {
 public:
  /// One to kJournalKeysMax lines, each of 64 hexadecimal digits; the first is the current key.
  /// Code::wrong_key with the line's number otherwise; a message never quotes the text.
  static Result<std::shared_ptr<const JournalKeys>> parse(std::span<const std::uint8_t> text);

  [[nodiscard]] const KeyId& current() const { return ids_[0]; }
  /// kJournalKeyBytes of it, or null.
  [[nodiscard]] const std::uint8_t* find(const KeyId& id) const;
  [[nodiscard]] std::size_t count() const { return count_; }

 private:
  explicit JournalKeys(std::size_t count);
  SecretBytes secret_;
  std::array<KeyId, kJournalKeysMax> ids_{};
  std::size_t count_ = 0;
};

}  // namespace understudy
