#include "replayer/apply/stored_transaction.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "journal/c_type.h"

namespace understudy {
namespace {

/// Calls `use` with the bytes of every entry; false from it ends the reading, and is returned.
template <class Use>
bool each_entry(std::span<const std::byte> bytes, Use use) {
  while (!bytes.empty()) {
    std::uint32_t size = 0;
    if (bytes.size() >= sizeof(size)) std::memcpy(&size, bytes.data(), sizeof(size));
    const std::size_t here = std::clamp<std::size_t>(size, 1, bytes.size());
    if (!use(bytes.first(here))) return false;
    bytes = bytes.subspan(here);
  }
  return true;
}

/// Calls `use` with the number of every large value that the entry names.
template <class Use>
void each_value(const Entry& entry, Use use) {
  for (const Parameter& one : entry.statement.parameters) {
    if (one.pieces) use(*one.pieces);
  }
  for (const RowEffect& row : entry.statement.rows) {
    for (const RowEffect::Large& large : row.large) use(large.number);
  }
}

bool is_large(const Entry& entry) {
  bool large = false;
  each_value(entry, [&](std::uint32_t) { large = true; });
  return large;
}

}  // namespace

/// What has to be known of all entries before the first is used.
struct StoredTransaction::Survey {
  /// Numbers of entries, from one up to but without the other; in order, and apart.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> taken_back;
  /// Of statements in several parts, by the number of the first.
  std::unordered_map<std::uint32_t, std::int64_t> row_counts;
  struct Value {
    std::uint64_t bytes = 0;
    std::uint32_t last_use = 0;  // of an entry that stands
  };
  std::unordered_map<std::uint32_t, Value> values;  // those that such an entry names

  void take_back(std::uint32_t from, std::uint32_t until) {
    while (!taken_back.empty() && taken_back.back().first >= from) taken_back.pop_back();
    if (!taken_back.empty() && taken_back.back().second >= from) {
      taken_back.back().second = until;
    } else {
      taken_back.emplace_back(from, until);
    }
  }
  [[nodiscard]] bool stands(std::uint32_t number) const {
    const auto behind = std::upper_bound(
        taken_back.begin(), taken_back.end(), number,
        [](std::uint32_t one, const auto& stretch) { return one < stretch.first; });
    return behind == taken_back.begin() || std::prev(behind)->second <= number;
  }
};

StoredTransaction::StoredTransaction(std::string directory, std::shared_ptr<const JournalKeys> keys,
                                     std::uint64_t first_seq, std::uint64_t seq,
                                     const TransactionHead& head)
    : directory_(std::move(directory)),
      keys_(std::move(keys)),
      first_seq_(first_seq),
      seq_(seq),
      head_(head) {}

StoredTransaction::~StoredTransaction() = default;

void StoredTransaction::fail(std::string_view what) const {
  throw DamagedTransaction(fmt::format(
      "transaction {}: {}; check the journal with `understudy journal verify`", seq_, what));
}

void StoredTransaction::fail(const Status& status) {
  if (status.code() == Code::wrong_key) throw JournalKeyError(status.message());
  throw DamagedTransaction(status.message());
}

// `use` gets the entries of one record after the other.
void StoredTransaction::each_record(const UsesRecord& use) {
  if (reader_ == nullptr) {
    auto opened = JournalReader::open(directory_, keys_);
    if (!opened.ok()) fail(opened.status());
    reader_ = std::move(*opened);
  }
  if (const auto status = reader_->seek(first_seq_); !status.ok()) {
    fail(status);
  }
  for (std::uint32_t chunks = 0;;) {
    const auto record = reader_->next();
    if (!record.ok()) fail(record.status());
    if (record->seq > seq_) fail("its record is no longer there");
    if (record->seq == seq_) {
      if (chunks != head_.chunks) {
        fail(fmt::format("it has {} chunks, and {} are there", head_.chunks, chunks));
      }
      use(record->payload.subspan(sizeof(TransactionHead)));
      return;
    }
    if (record->type != RecordType::chunk) continue;
    std::uint64_t txn_id = 0;
    if (record->payload.size() < sizeof(txn_id)) fail("a chunk is too short");
    std::memcpy(&txn_id, record->payload.data(), sizeof(txn_id));
    if (txn_id != head_.txn_id) continue;
    ++chunks;
    if (!use(record->payload.subspan(sizeof(txn_id)))) return;
  }
}

void StoredTransaction::take_survey() {
  if (survey_ != nullptr) return;
  auto survey = std::make_unique<Survey>();
  std::unordered_map<std::uint32_t, std::uint64_t> bytes;     // of values
  std::vector<std::pair<std::uint32_t, std::uint32_t>> uses;  // number of value, of entry
  std::uint32_t number = 0;
  std::optional<std::uint32_t> first;  // of the statement that may go on
  const auto add = [&](std::span<const std::byte> raw) {
    const auto entry = EntryReader(raw).next();
    if (!entry.ok()) fail(entry.status().message());
    if (entry->type == Entry::Type::piece) {
      auto& so_far = bytes[entry->piece.number];
      so_far += entry->piece.bytes.size();
      if (so_far > kValueBytesMax) fail("the pieces of a value are over its limit");
      return true;
    }
    const std::uint32_t here = number++;
    each_value(*entry, [&](std::uint32_t value) { uses.emplace_back(value, here); });
    if (entry->type == Entry::Type::rewind) {
      if (entry->keep > here) fail("a transaction goes back to behind its end");
      survey->take_back(entry->keep, number);
    }
    if (entry->type == Entry::Type::rows) {
      if (!first) fail("rows follow no statement of theirs");
      survey->row_counts[*first] = entry->statement.row_count;
      return true;
    }
    first.reset();
    if (entry->type == Entry::Type::statement) first = here;
    return true;
  };
  each_record([&](std::span<const std::byte> entries) { return each_entry(entries, add); });
  if (number != head_.entries) fail(fmt::format("{} entries instead of {}", number, head_.entries));
  for (const auto& [value, entry] : uses) {
    if (!survey->stands(entry)) continue;
    const auto found = bytes.find(value);
    if (found == bytes.end()) fail("the pieces of a value are missing");
    survey->values[value] = {found->second, entry};  // of several the last
  }
  survey_ = std::move(survey);
}

/// One reading of all entries.
class StoredTransaction::Walk {
 public:
  Walk(StoredTransaction& of, const UsesEntry& use) : of_(of), survey_(*of.survey_), use_(use) {}

  bool add(std::span<const std::byte> raw) {
    auto entry = EntryReader(raw).next();
    if (!entry.ok()) of_.fail(entry.status().message());
    if (entry->type == Entry::Type::piece) {
      const auto wanted = survey_.values.find(entry->piece.number);
      if (wanted == survey_.values.end()) return true;
      std::string& value = values_[entry->piece.number];
      value.reserve(wanted->second.bytes);
      value.append(entry->piece.bytes);
      return true;
    }
    const std::uint32_t number = number_++;
    if (!stands(number) || entry->type == Entry::Type::rewind) return true;
    if (entry->type != Entry::Type::rows) {
      if (!finish()) return false;
      gathers_ = false;
    }
    if (entry->type == Entry::Type::statement) begin(*entry, number);
    if (entry->type == Entry::Type::rows) go_on(*entry);
    if (!gathers_) return deliver(*entry, number);
    gather(raw, number);
    return gathered_bytes_ < kMovesTogetherBytesMax || finish();
  }
  /// What was gathered is used.
  bool finish() {
    if (parts_.empty()) return true;
    Entry whole;
    for (Part& part : parts_) {
      auto read = EntryReader(part.bytes).next();
      if (!read.ok()) of_.fail(read.status().message());
      if (read->type == Entry::Type::rows) go_on(*read);
      if (read->type == Entry::Type::statement) read->statement.row_count = statement_.row_count;
      resolve(*read);
      if (&part == &parts_.front()) {
        whole = std::move(*read);
        continue;
      }
      auto& rows = whole.statement.rows;
      std::move(read->statement.rows.begin(), read->statement.rows.end(), std::back_inserter(rows));
    }
    const bool more = use_(whole);
    for (const Part& part : parts_) release(*EntryReader(part.bytes).next(), part.number);
    parts_.clear();
    gathered_bytes_ = 0;
    return more;
  }

 private:
  struct Part {
    std::vector<std::byte> bytes;
    std::uint32_t number;
  };

  bool stands(std::uint32_t number) {
    const auto& all = survey_.taken_back;
    while (at_ < all.size() && all[at_].second <= number) ++at_;
    return at_ == all.size() || number < all[at_].first;
  }

  void begin(Entry& entry, std::uint32_t number) {
    of_.held_.clear();
    const auto whole = survey_.row_counts.find(number);
    if (whole == survey_.row_counts.end()) return;
    StatementEntry& statement = entry.statement;
    statement.row_count = whole->second;
    for (const TextId& id : {statement.text, statement.shape}) {
      const std::string text(of_.text(id));
      of_.held_.emplace(id, text);
    }
    statement_ = {};
    statement_.verdict = statement.verdict;
    statement_.verb = statement.verb;
    statement_.flags = statement.flags;
    statement_.text = statement.text;
    statement_.shape = statement.shape;
    statement_.row_count = statement.row_count;
    gathers_ = !statement.rows.empty() && statement.rows.front().verb == Verb::move;
  }

  // A further part says of itself what the statement says.
  void go_on(Entry& entry) const {
    if (entry.statement.shape != statement_.shape) of_.fail("rows follow no statement of theirs");
    auto rows = std::move(entry.statement.rows);
    entry.statement = statement_;
    entry.statement.rows = std::move(rows);
  }

  void gather(std::span<const std::byte> raw, std::uint32_t number) {
    parts_.push_back({{raw.begin(), raw.end()}, number});
    gathered_bytes_ += raw.size();
  }

  bool deliver(Entry& entry, std::uint32_t number) {
    if (!is_large(entry)) {
      check(entry);
      return use_(entry);
    }
    const Entry as_written = entry;
    resolve(entry);
    const bool more = use_(entry);
    release(as_written, number);
    return more;
  }

  std::string_view value(std::uint32_t number) const {
    const auto found = values_.find(number);
    if (found == values_.end() || found->second.size() != survey_.values.at(number).bytes) {
      of_.fail("a value is named before its pieces");
    }
    return found->second;
  }

  void check(const Entry& entry) const {
    for (const Parameter& one : entry.statement.parameters) {
      if (const auto status = check_parameter(one); !status.ok()) of_.fail(status.message());
    }
  }

  void resolve(Entry& entry) {
    for (Parameter& one : entry.statement.parameters) {
      if (one.pieces) one.bytes = value(*one.pieces);
      one.pieces.reset();
    }
    for (RowEffect& row : entry.statement.rows) {
      for (const RowEffect::Large& large : row.large) row.values[large.value] = value(large.number);
      row.large.clear();
    }
    check(entry);
  }

  void release(const Entry& entry, std::uint32_t number) {
    each_value(entry, [&](std::uint32_t value) {
      if (survey_.values.at(value).last_use == number) values_.erase(value);
    });
  }

  StoredTransaction& of_;
  const Survey& survey_;
  const UsesEntry& use_;
  std::unordered_map<std::uint32_t, std::string> values_;
  std::uint32_t number_ = 0;
  std::size_t at_ = 0;        // in `taken_back`
  StatementEntry statement_;  // in several parts: what it says, without rows
  bool gathers_ = false;
  std::deque<Part> parts_;
  std::size_t gathered_bytes_ = 0;
};

void StoredTransaction::for_each(const UsesEntry& use) {
  take_survey();
  held_.clear();
  Walk walk(*this, use);
  bool more = true;
  each_record([&](std::span<const std::byte> entries) {
    more = each_entry(entries, [&](std::span<const std::byte> raw) { return walk.add(raw); });
    return more;
  });
  if (more) walk.finish();
}

std::string_view StoredTransaction::text(const TextId& id) const {
  if (id == kNoText) return {};
  if (const auto found = held_.find(id); found != held_.end()) return found->second;
  if (reader_ == nullptr) fail("it names a text that the journal does not hold");
  const auto text = reader_->text(id);
  if (!text.ok()) fail(text.status());
  return *text;
}

}  // namespace understudy
