#include <unistd.h>

#include <cstring>
#include <optional>
#include <unordered_map>

#include "journal/record.h"
#include "journal/segment.h"
#include "journal/segment_scan.h"

namespace understudy {

struct JournalReader::Impl {
  std::string directory;
  std::unique_ptr<SegmentFile> file;
  ChainPoint point;
  std::uint64_t journal_id = 0;
  std::optional<PayloadReader> payloads;  // none: they are handed out as they are stored
  bool closed = false;                    // the segment's last record has been read
  bool zeros_seen = false;                // what is behind the first zero length has been looked at
  std::unordered_map<TextId, std::string, TextIdHash> texts;

  Status start(std::uint64_t number);
  Status next_file();
  Status enter();
  Result<Examined> find();
  Result<Examined> end_or_damage();
  Result<Examined> look_again(const char* damage_text);
  /// Past a record; its payload.
  Result<std::span<const std::byte>> advance(const Examined& found);
  void remember(std::span<const std::byte> payload);
};

// Opens a segment that is entered from its beginning, trusting its header for what came before.
Status JournalReader::Impl::start(std::uint64_t number) {
  auto opened = SegmentFile::open(directory, number);
  if (!opened.ok()) return opened.status();
  if (journal_id != 0 && (*opened)->header().journal_id != journal_id) {
    return damage(number, 0, (*opened)->header().first_seq, "it belongs to another journal");
  }
  file = std::move(*opened);
  journal_id = file->header().journal_id;
  return enter();
}

Status JournalReader::Impl::enter() {
  point = first_point(file->header());
  closed = false;
  zeros_seen = false;
  texts.clear();
  if (!payloads) return {};
  const Status entered = payloads->enter(file->headers());
  if (entered.code() != Code::corrupt) return entered;
  return damage(file->header().number, 0, point.seq + 1, entered.message());
}

// Goes from a segment that was read to its end into the one that follows.
Status JournalReader::Impl::next_file() {
  const std::uint64_t number = file->header().number + 1;
  auto opened = SegmentFile::open(directory, number);
  if (!opened.ok() && opened.status().code() == Code::not_found) {
    if (::access(segment_path(directory, number + 1).c_str(), F_OK) == 0) {
      return damage(number, 0, point.seq + 1, "the file is missing");
    }
    return {Code::end, "the next segment is not there yet"};
  }
  if (!opened.ok()) return opened.status();
  const SegmentHeader& header = (*opened)->header();
  if (header.journal_id != journal_id) {
    return damage(number, 0, point.seq + 1, "it belongs to another journal");
  }
  if (header.previous_chain != point.chain || header.first_seq != point.seq + 1) {
    return damage(number, 0, point.seq + 1, "it does not follow the segment before it");
  }
  if (payloads && file->encrypted()) {
    if (!(*opened)->encrypted()) {
      return damage(number, 0, point.seq + 1, "it is not encrypted as those before it are");
    }
    if ((*opened)->headers().encryption.previous_tag != payloads->tag()) {
      return damage(number, 0, point.seq + 1, "it was not written behind the segment before it");
    }
  }
  file = std::move(*opened);
  return enter();
}

Result<Examined> JournalReader::Impl::look_again(const char* damage_text) {
  file->forget();
  auto found = examine(*file, point);
  if (!found.ok() || found->finding == Finding::record) return found;
  return damage(file->header().number, point.offset, point.seq + 1, damage_text);
}

// Nothing validates at the point. The writer hands a batch to the kernel in one write, of which a
// reader may see any part, so by itself this is the end for now. It is damage when later bytes
// prove that the writer had gone on: the next segment exists (it gets its name only after this one
// was closed and synced), or a record of a later flush group stands behind (begun only after this
// record had been synced). The proof is looked for first and the record once more after it: writer
// and reader share the page cache, so what was complete before the proof was written is seen then.
Result<Examined> JournalReader::Impl::end_or_damage() {
  const std::uint64_t number = file->header().number;
  if (::access(segment_path(directory, number + 1).c_str(), F_OK) == 0) {
    return look_again("the record does not hold together, and another segment follows");
  }
  file->forget();
  auto found = examine(*file, point);
  if (!found.ok() || found->finding == Finding::record) return found;
  // Zeros are what a reader that follows a writer meets all the time: they are looked behind once.
  if (found->finding == Finding::zero && zeros_seen) return found;
  zeros_seen = true;
  const auto later = later_group_behind(*file, point);
  if (!later.ok()) return later.status();
  if (*later) return look_again("the record does not hold together, and synced ones follow");
  return Examined{};
}

// What stands at the point, crossing into the next segment when this one is closed; not a record:
// the end for now.
Result<Examined> JournalReader::Impl::find() {
  if (closed) {
    if (auto status = next_file(); !status.ok()) return status;
  }
  auto found = examine(*file, point);
  if (found.ok() && found->finding != Finding::record) found = end_or_damage();
  if (found.ok() && found->finding != Finding::record) return Status(Code::end, "no more records");
  return found;
}

Result<std::span<const std::byte>> JournalReader::Impl::advance(const Examined& found) {
  const RecordHeader& header = found.header;
  if (auto status = check_known(header); !status.ok()) return status;
  std::span<const std::byte> payload = found.payload;
  if (payloads) {
    const auto plain = payloads->payload(header, found.payload);
    if (!plain.ok()) {
      return damage(file->header().number, point.offset, header.seq, plain.status().message());
    }
    payload = *plain;
    if (header.type == static_cast<std::uint8_t>(RecordType::text)) {
      if (payload.size() < sizeof(TextId) ||
          payload.size() > sizeof(TextId) + std::size_t{kTextBytesMax}) {
        return damage(file->header().number, point.offset, header.seq, "a text has a wrong length");
      }
      remember(payload);
    }
  }
  closed = header.type == static_cast<std::uint8_t>(RecordType::next_segment);
  point = point_behind(point, header);
  return payload;
}

void JournalReader::Impl::remember(std::span<const std::byte> payload) {
  TextId id;
  std::memcpy(id.data(), payload.data(), id.size());
  const auto text = payload.subspan(id.size());
  texts.try_emplace(id, reinterpret_cast<const char*>(text.data()), text.size());
}

Status check_journal_keys(const std::string& directory,
                          const std::shared_ptr<const JournalKeys>& keys) {
  const auto numbers = list_segments(directory);
  if (!numbers.ok() && numbers.status().code() == Code::not_found) return {};
  if (!numbers.ok()) return numbers.status();
  for (const std::uint64_t number : *numbers) {
    const auto file = SegmentFile::open(directory, number);
    if (!file.ok()) return file.status();
    const Status entered = PayloadReader(keys).enter((*file)->headers());
    if (entered.code() == Code::wrong_key) return entered;
  }
  return {};
}

JournalReader::JournalReader() : impl_(std::make_unique<Impl>()) {}
JournalReader::~JournalReader() = default;

Result<std::unique_ptr<JournalReader>> JournalReader::open(
    const std::string& directory, std::shared_ptr<const JournalKeys> keys) {
  const auto numbers = list_segments(directory);
  if (!numbers.ok()) return numbers.status();
  std::unique_ptr<JournalReader> reader(new JournalReader);
  reader->impl_->directory = directory;
  reader->impl_->payloads.emplace(std::move(keys));
  if (auto status = reader->impl_->start(1); !status.ok()) return status;
  return reader;
}

Result<std::unique_ptr<JournalReader>> JournalReader::open_stored(const std::string& directory) {
  const auto numbers = list_segments(directory);
  if (!numbers.ok()) return numbers.status();
  std::unique_ptr<JournalReader> reader(new JournalReader);
  reader->impl_->directory = directory;
  if (auto status = reader->impl_->start(1); !status.ok()) return status;
  return reader;
}

Result<JournalRecord> JournalReader::next() {
  for (;;) {
    const auto found = impl_->find();
    if (!found.ok()) return found.status();
    const RecordHeader& header = found->header;
    JournalRecord record;
    record.type = static_cast<RecordType>(header.type);
    record.seq = header.seq;
    record.segment = impl_->file->header().number;
    record.offset = impl_->point.offset;
    record.group = header.group;
    record.origin = {header.ring, header.ring_position};
    record.stored_bytes = found->payload.size();
    const auto payload = impl_->advance(*found);
    if (!payload.ok()) return payload.status();
    record.payload = *payload;
    if (known_type(header.type)) return record;
  }
}

Status JournalReader::seek(std::uint64_t seq) {
  const auto numbers = list_segments(impl_->directory);
  if (!numbers.ok()) return numbers.status();
  for (auto number = numbers->size(); number > 0; --number) {
    if (auto status = impl_->start(number); !status.ok()) return status;
    if (number == 1 || impl_->file->header().first_seq <= seq) break;
  }
  for (;;) {
    const auto found = impl_->find();
    if (!found.ok() && found.status().code() == Code::end) {
      return {Code::not_found, "record " + std::to_string(seq) + " is not in the journal yet"};
    }
    if (!found.ok()) return found.status();
    if (found->header.seq >= seq) return {};
    if (const auto passed = impl_->advance(*found); !passed.ok()) return passed.status();
  }
}

Result<std::string_view> JournalReader::text(const std::array<std::uint8_t, 16>& id) const {
  const auto found = impl_->texts.find(id);
  if (found == impl_->texts.end()) {
    return damage(impl_->file->header().number, impl_->point.offset, impl_->point.seq,
                  "a statement's text is not in the segment");
  }
  return std::string_view(found->second);
}

std::optional<KeyId> JournalReader::key_id() const {
  if (!impl_->file->encrypted()) return std::nullopt;
  return impl_->file->headers().encryption.key_id;
}

std::uint64_t JournalReader::journal_id() const {
  return impl_->journal_id;
}

}  // namespace understudy
