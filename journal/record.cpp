#include "journal/record.h"

#include <xxhash.h>

#include <algorithm>
#include <cassert>
#include <iterator>
#include <limits>
#include <type_traits>
#include <unordered_map>

#include "journal/c_type.h"

namespace understudy {
namespace {

constexpr char kFieldSeparator = '\x1f';

constexpr std::size_t kLongEntryValueMax = 512;   // of a statement that has grown over a chunk
constexpr std::size_t kEntryPrefixBytes = 5;      // u32 size, u8 type
constexpr std::size_t kStatementFixedBytes = 43;  // after the prefix, up to the parameter count
constexpr std::size_t kRowCountOffset = kEntryPrefixBytes + 3 + 2 * sizeof(TextId);
constexpr std::size_t kParameterFixedBytes = 28;
constexpr std::size_t kKeyFixedBytes = 9;
constexpr std::size_t kRowFixedBytes = 5;
constexpr std::size_t kTextFixedBytes = sizeof(TextId) + sizeof(std::uint32_t);

enum class KeyPartKind : std::uint8_t { parameter = 0, literal = 1 };

Status corrupt(const char* what) {
  return {Code::corrupt, what};
}

/// Takes fields from the front of a byte range; once something did not fit, everything fails.
class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> bytes) : bytes_(bytes) {}

  template <class T>
  T take() {
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    if (bytes_.size() < sizeof(T)) {
      fail();
      return value;
    }
    std::memcpy(&value, bytes_.data(), sizeof(T));
    bytes_ = bytes_.subspan(sizeof(T));
    return value;
  }

  std::string_view take_bytes(std::size_t count) {
    if (bytes_.size() < count) {
      fail();
      return {};
    }
    const std::string_view view(reinterpret_cast<const char*>(bytes_.data()), count);
    bytes_ = bytes_.subspan(count);
    return view;
  }

  /// A count of things of at least `least_bytes` each: never more than can be left, so that a
  /// damaged count cannot make the reader allocate.
  std::uint32_t take_count(std::size_t least_bytes, std::uint32_t limit) {
    const auto count = take<std::uint32_t>();
    if (count > limit || count > bytes_.size() / least_bytes) {
      fail();
      return 0;
    }
    return count;
  }

  void fail() {
    failed_ = true;
    bytes_ = {};
  }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] std::span<const std::byte> rest() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
  bool failed_ = false;
};

/// The bytes of a value, or the number of a large one.
std::string_view take_value(Cursor& in, std::uint32_t length,
                            std::optional<std::uint32_t>* pieces) {
  if (length != kPiecesLength) return in.take_bytes(length);
  *pieces = in.take<std::uint32_t>();
  return {};
}

Parameter take_parameter(Cursor& in) {
  Parameter parameter;
  parameter.io_type = in.take<std::int16_t>();
  parameter.c_type = in.take<std::int16_t>();
  parameter.sql_type = in.take<std::int16_t>();
  parameter.digits = in.take<std::int16_t>();
  parameter.column_size = in.take<std::uint64_t>();
  parameter.indicator = in.take<std::int64_t>();
  parameter.bytes = take_value(in, in.take<std::uint32_t>(), &parameter.pieces);
  return parameter;
}

KeyPart take_key_part(Cursor& in) {
  KeyPart part;
  part.column = in.take<std::uint32_t>();
  if (part.column >= kColumnsMax) in.fail();
  switch (static_cast<KeyPartKind>(in.take<std::uint8_t>())) {
    case KeyPartKind::parameter:
      part.parameter = in.take<std::uint32_t>();
      break;
    case KeyPartKind::literal:
      part.literal = in.take_bytes(in.take<std::uint32_t>());
      break;
    default:
      in.fail();
  }
  return part;
}

Verb take_verb(Cursor& in) {
  const auto verb = in.take<std::uint8_t>();
  if (verb > static_cast<std::uint8_t>(kLastVerb)) in.fail();
  return static_cast<Verb>(verb);
}

RowEffect take_row(Cursor& in) {
  RowEffect row;
  row.verb = take_verb(in);
  const auto count = in.take_count(sizeof(std::uint32_t), 2 * kColumnsMax);  // a moved row
  row.values.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto length = in.take<std::uint32_t>();
    if (length == kNullLength) {
      row.values.emplace_back(std::nullopt);
      continue;
    }
    std::optional<std::uint32_t> pieces;
    row.values.emplace_back(take_value(in, length, &pieces));
    if (pieces) row.large.push_back({i, *pieces});
  }
  return row;
}

void take_rows(Cursor& in, StatementEntry* statement) {
  const auto rows = in.take_count(kRowFixedBytes, std::numeric_limits<std::uint32_t>::max());
  statement->rows.reserve(rows);
  for (std::uint32_t i = 0; i < rows && !in.failed(); ++i) statement->rows.push_back(take_row(in));
}

void take_statement(Cursor& in, StatementEntry* statement) {
  const auto verdict = in.take<std::uint8_t>();
  if (verdict < 1 || verdict > static_cast<std::uint8_t>(Verdict::ddl)) in.fail();
  statement->verdict = static_cast<Verdict>(verdict);
  statement->verb = take_verb(in);
  statement->flags = in.take<std::uint8_t>();
  statement->text = in.take<TextId>();
  statement->shape = in.take<TextId>();
  statement->row_count = in.take<std::int64_t>();
  const auto parameters = in.take_count(kParameterFixedBytes, kParametersMax);
  statement->parameters.reserve(parameters);
  for (std::uint32_t i = 0; i < parameters && !in.failed(); ++i) {
    statement->parameters.push_back(take_parameter(in));
  }
  const auto parts = in.take_count(kKeyFixedBytes, kColumnsMax);
  statement->key.reserve(parts);
  for (std::uint32_t i = 0; i < parts && !in.failed(); ++i) {
    statement->key.push_back(take_key_part(in));
    const auto& part = statement->key.back();
    if (part.parameter && *part.parameter >= parameters) in.fail();
  }
  take_rows(in, statement);
}

void take_more_rows(Cursor& in, StatementEntry* statement) {
  statement->shape = in.take<TextId>();
  statement->row_count = in.take<std::int64_t>();
  take_rows(in, statement);
}

void take_context(Cursor& in, Context* context) {
  const auto count = in.take_count(sizeof(TextId), kTextsPerPayloadMax);
  context->statements.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) context->statements.push_back(in.take<TextId>());
}

void take_note(Cursor& in, Note* note) {
  note->kind = in.take_bytes(in.take<std::uint32_t>());
  note->detail = in.take_bytes(in.take<std::uint32_t>());
}

char* append_raw(char* out, const void* data, std::size_t bytes) {
  if (bytes != 0) std::memcpy(out, data, bytes);
  return out + bytes;
}

/// Room for `bytes` more, growing by doubling: `reserve` alone would grow to the exact size.
void grow(std::vector<char>& buffer, std::size_t bytes) {
  const std::size_t needed = buffer.size() + bytes;
  if (needed > buffer.capacity()) buffer.reserve(std::max(needed, 2 * buffer.capacity()));
}

void store_u32(std::vector<char>& buffer, std::size_t at, std::size_t value) {
  const auto narrow = static_cast<std::uint32_t>(value);
  std::memcpy(buffer.data() + at, &narrow, sizeof(narrow));
}

void add_one(std::vector<char>& buffer, std::size_t at) {
  std::uint32_t count = 0;
  std::memcpy(&count, buffer.data() + at, sizeof(count));
  store_u32(buffer, at, count + 1u);
}

}  // namespace

TextId text_id(std::string_view text) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(text.data(), text.size()));
  TextId id;
  static_assert(sizeof(canonical.digest) == sizeof(TextId));
  std::memcpy(id.data(), canonical.digest, id.size());
  return id;
}

std::size_t TextIdHash::operator()(const TextId& id) const {
  std::size_t hash = 0;
  std::memcpy(&hash, id.data(), sizeof(hash));
  return hash;
}

std::string_view verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::keyed:
      return "keyed";
    case Verdict::effects:
      return "effects";
    case Verdict::opaque:
      return "opaque";
    case Verdict::context:
      return "context";
    case Verdict::ddl:
      return "ddl";
  }
  return "unknown";
}

std::string_view outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::committed:
      return "committed";
    case Outcome::rolled_back:
      return "rolled back";
    case Outcome::unknown:
      return "unknown";
  }
  return "unknown";
}

std::string Shape::encode() const {
  std::string out = schema;
  out += kFieldSeparator;
  out += table;
  out += kFieldSeparator;
  out += std::to_string(key_count);
  for (const auto& column : columns) {
    out += kFieldSeparator;
    out += column;
  }
  return out;
}

Result<Shape> Shape::decode(std::string_view text) {
  std::vector<std::string_view> fields;
  for (std::size_t at = 0;;) {
    const auto end = text.find(kFieldSeparator, at);
    fields.push_back(text.substr(at, end == text.npos ? text.npos : end - at));
    if (end == text.npos) break;
    if (fields.size() > kColumnsMax + 3) return corrupt("a shape names too many columns");
    at = end + 1;
  }
  if (fields.size() < 3 || fields.size() > kColumnsMax + 3) {
    return corrupt("a shape has a wrong number of fields");
  }
  Shape shape;
  shape.schema = fields[0];
  shape.table = fields[1];
  if (fields[2].empty() || fields[2].size() > 4) return corrupt("a shape's key count is no number");
  for (const char digit : fields[2]) {
    if (digit < '0' || digit > '9') return corrupt("a shape's key count is no number");
    shape.key_count = shape.key_count * 10 + static_cast<std::uint32_t>(digit - '0');
  }
  shape.columns.assign(fields.begin() + 3, fields.end());
  if (shape.key_count > shape.columns.size()) return corrupt("a shape has more keys than columns");
  return shape;
}

template <class T>
void EntryWriter::put(T value) {
  static_assert(std::is_trivially_copyable_v<T>);
  const auto* raw = reinterpret_cast<const char*>(&value);
  buffer_.insert(buffer_.end(), raw, raw + sizeof(T));
}

void EntryWriter::put_bytes(std::string_view bytes) {
  put(static_cast<std::uint32_t>(bytes.size()));
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

void EntryWriter::use_text(std::string_view text, TextId* id) {
  if (text.empty()) {
    *id = kNoText;
    return;
  }
  *id = text_id(text);
  if (known_.contains(*id)) return;
  texts_.emplace_back(*id, text);
  try {
    known_.insert(*id);
  } catch (...) {
    texts_.pop_back();
    throw;
  }
  texts_bytes_ += kTextFixedBytes + text.size();
}

// A list's count is kept up to date while the list is open, so that a statement can be ended at any
// point. Sections left out are written as empty lists when a later one begins.
void EntryWriter::open_section(int section) {
  assert(section_ <= section);
  for (; section_ < section; ++section_) {
    count_at_ = buffer_.size();
    put(std::uint32_t{0});
  }
}

void EntryWriter::begin_statement(Verdict verdict, Verb verb, std::uint8_t flags,
                                  std::string_view text, std::string_view shape) {
  shape_ = shape;
  grow(buffer_, kEntryPrefixBytes + kStatementFixedBytes + 3 * sizeof(std::uint32_t));
  TextId text_name;
  TextId shape_name;
  use_text(text, &text_name);
  use_text(shape, &shape_name);
  statement_ = mark();
  entry_start_ = buffer_.size();
  entry_pieces_ = 0;
  put(std::uint32_t{0});
  put(Entry::Type::statement);
  put(verdict);
  put(verb);
  put(flags);
  put(text_name);
  put(shape_name);
  changed_at_ = buffer_.size();
  put(std::int64_t{-1});
  section_ = 0;
  count_at_ = buffer_.size();
  put(std::uint32_t{0});
  open_ = true;
  paused_ = false;
}

// The entry that takes more rows of a statement whose entry so far may have left the buffer.
void EntryWriter::begin_rows() {
  grow(buffer_, kEntryPrefixBytes + sizeof(TextId) + sizeof(std::int64_t) + sizeof(std::uint32_t));
  TextId shape_name;
  use_text(shape_, &shape_name);
  entry_start_ = buffer_.size();
  entry_pieces_ = 0;
  put(std::uint32_t{0});
  put(Entry::Type::rows);
  put(shape_name);
  changed_at_ = buffer_.size();
  put(std::int64_t{-1});
  section_ = 2;
  count_at_ = buffer_.size();
  put(std::uint32_t{0});
  open_ = true;
  paused_ = false;
}

bool EntryWriter::too_large(std::string_view value) const {
  if (value.size() > std::min(kInlineBytesMax, chunk_bytes_ / 4)) return true;
  return value.size() > kLongEntryValueMax && buffer_.size() - entry_start_ > chunk_bytes_;
}

void EntryWriter::put_pieces(std::string_view bytes) {
  const std::uint32_t number = new_value();
  put(kPiecesLength);
  put(number);
  add_pieces(number, bytes);
}

void EntryWriter::add_pieces(std::uint32_t number, std::string_view bytes) {
  const std::size_t piece_max = std::min(kPieceBytesMax, chunk_bytes_);
  if (open_) entry_pieces_ += bytes.size();
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, piece_max);
    bytes.remove_prefix(piece.size());
    const std::size_t size = kEntryPrefixBytes + 2 * sizeof(std::uint32_t) + piece.size();
    grow(pieces_, size);
    const auto append = [&](const auto& field) {
      const auto* raw = reinterpret_cast<const char*>(&field);
      pieces_.insert(pieces_.end(), raw, raw + sizeof(field));
    };
    append(static_cast<std::uint32_t>(size));
    append(Entry::Type::piece);
    append(number);
    append(static_cast<std::uint32_t>(piece.size()));
    pieces_.insert(pieces_.end(), piece.begin(), piece.end());
    drain();
  }
}

void EntryWriter::add_parameter(const Parameter& parameter) {
  if (!open_) return;
  assert(section_ == 0);
  const bool large = !parameter.pieces && too_large(parameter.bytes);
  grow(buffer_,
       kParameterFixedBytes + sizeof(std::uint32_t) + (large ? 0 : parameter.bytes.size()));
  put(parameter.io_type);
  put(parameter.c_type);
  put(parameter.sql_type);
  put(parameter.digits);
  put(parameter.column_size);
  put(parameter.indicator);
  add_one(buffer_, count_at_);
  if (parameter.pieces) {
    put(kPiecesLength);
    put(*parameter.pieces);
  } else if (large) {
    put_pieces(parameter.bytes);
  } else {
    put_bytes(parameter.bytes);
  }
}

void EntryWriter::add_key(const KeyPart& part) {
  if (!open_) return;
  grow(buffer_, sizeof(std::uint32_t) + kKeyFixedBytes + part.literal.size());
  open_section(1);
  put(part.column);
  if (part.parameter) {
    put(KeyPartKind::parameter);
    put(*part.parameter);
  } else {
    put(KeyPartKind::literal);
    put_bytes(part.literal);
  }
  add_one(buffer_, count_at_);
}

void EntryWriter::begin_row(Verb verb) {
  if (paused_) begin_rows();
  if (!open_) return;
  grow(buffer_, 2 * sizeof(std::uint32_t) + kRowFixedBytes);
  open_section(2);
  put(verb);
  row_count_at_ = buffer_.size();
  put(std::uint32_t{0});
}

void EntryWriter::add_value(std::optional<std::string_view> value) {
  if (!open_) return;
  if (!value) {
    put(kNullLength);
    add_one(buffer_, row_count_at_);
    return;
  }
  const bool large = too_large(*value);
  grow(buffer_, 2 * sizeof(std::uint32_t) + (large ? 0 : value->size()));
  add_one(buffer_, row_count_at_);
  if (large) {
    put_pieces(*value);
  } else {
    put_bytes(*value);
  }
}

void EntryWriter::add_large_value(std::uint32_t number) {
  if (!open_) return;
  grow(buffer_, 2 * sizeof(std::uint32_t));
  add_one(buffer_, row_count_at_);
  put(kPiecesLength);
  put(number);
}

void EntryWriter::end_row() {
  if (!open_) return;
  add_one(buffer_, count_at_);
  if (drain_ == nullptr || buffer_.size() - entry_start_ + entry_pieces_ < chunk_bytes_) return;
  close_entry(-1);
  paused_ = true;
  drain();
}

void EntryWriter::close_entry(std::int64_t row_count) {
  grow(buffer_, 2 * sizeof(std::uint32_t));
  open_section(2);
  std::memcpy(buffer_.data() + changed_at_, &row_count, sizeof(row_count));
  store_u32(buffer_, entry_start_, buffer_.size() - entry_start_);
  ++entries_;
  open_ = false;
}

void EntryWriter::add_row(Verb verb, std::span<const std::optional<std::string>> values) {
  begin_row(verb);
  for (const auto& value : values) {
    add_value(value ? std::optional<std::string_view>(*value) : std::nullopt);
  }
  end_row();
}

void EntryWriter::end_statement(std::int64_t row_count) {
  if (paused_) begin_rows();
  if (!open_) return;
  close_entry(row_count);
}

void EntryWriter::cancel_statement() {
  if (!open_ && !paused_) return;
  open_ = paused_ = false;
  rewind(statement_);
}

void EntryWriter::drain_by(std::function<void()> drain, std::size_t chunk_bytes) {
  drain_ = std::move(drain);
  chunk_bytes_ = chunk_bytes;
}

void EntryWriter::drain() {
  if (drain_ != nullptr && chunk_bytes() >= chunk_bytes_) drain_();
}

void EntryWriter::add_context(std::span<const std::string> statements) {
  const std::size_t size =
      kEntryPrefixBytes + sizeof(std::uint32_t) + statements.size() * sizeof(TextId);
  grow(buffer_, size);
  const std::size_t start = buffer_.size();
  try {
    put(static_cast<std::uint32_t>(size));
    put(Entry::Type::context);
    put(static_cast<std::uint32_t>(statements.size()));
    for (const auto& statement : statements) {
      TextId id;
      use_text(statement, &id);
      put(id);
    }
  } catch (...) {
    buffer_.resize(start);
    throw;
  }
  ++entries_;
}

void EntryWriter::add_note(std::string_view kind, std::string_view detail) {
  const std::size_t size =
      kEntryPrefixBytes + 2 * sizeof(std::uint32_t) + kind.size() + detail.size();
  grow(buffer_, size);
  put(static_cast<std::uint32_t>(size));
  put(Entry::Type::note);
  put_bytes(kind);
  put_bytes(detail);
  ++entries_;
}

EntryWriter::Mark EntryWriter::mark() const {
  return {buffer_.size(), entries_, taken_};
}

// What has left with a chunk is taken back by an entry.
void EntryWriter::rewind(const Mark& mark) {
  open_ = paused_ = false;
  if (mark.taken == taken_) {
    buffer_.resize(std::min(mark.bytes, buffer_.size()));
    entries_ = mark.entries;
    return;
  }
  buffer_.clear();
  entries_ = taken_entries_;
  if (entries_ == mark.entries) return;
  constexpr std::size_t kSize = kEntryPrefixBytes + sizeof(std::uint32_t);
  grow(buffer_, kSize);
  put(static_cast<std::uint32_t>(kSize));
  put(Entry::Type::rewind);
  put(mark.entries);
  ++entries_;
}

std::size_t EntryWriter::chunk_bytes() const {
  return pieces_.size() + (open_ ? 0 : texts_bytes_ + buffer_.size());
}

std::size_t EntryWriter::payload_bytes(bool chunk) const {
  if (chunk && open_) return sizeof(std::uint32_t) + pieces_.size();
  return sizeof(std::uint32_t) + texts_bytes_ + (chunk ? 0 : sizeof(TransactionHead)) + bytes();
}

void EntryWriter::write_payload(std::span<std::byte> out, const TransactionHead* head) const {
  assert(out.size() == payload_bytes(head == nullptr));
  const bool pieces_only = head == nullptr && open_;
  auto* at = reinterpret_cast<char*>(out.data());
  const auto count = static_cast<std::uint32_t>(pieces_only ? 0 : texts_.size());
  at = append_raw(at, &count, sizeof(count));
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto& [id, text] = texts_[i];
    const auto length = static_cast<std::uint32_t>(text.size());
    at = append_raw(at, id.data(), id.size());
    at = append_raw(at, &length, sizeof(length));
    at = append_raw(at, text.data(), text.size());
  }
  if (head != nullptr) at = append_raw(at, head, sizeof(*head));
  at = append_raw(at, pieces_.data(), pieces_.size());
  if (!pieces_only) append_raw(at, buffer_.data(), buffer_.size());
}

void EntryWriter::chunk_taken() {
  pieces_.clear();
  if (open_) return;
  buffer_.clear();
  texts_.clear();
  known_.clear();
  texts_bytes_ = 0;
  ++taken_;
  taken_entries_ = entries_;
}

void EntryWriter::clear() {
  open_ = paused_ = false;
  chunk_taken();
  taken_ = taken_entries_ = 0;
  entries_ = values_ = 0;
}

Result<RingPayload> split_ring_payload(std::span<const std::byte> payload) {
  Cursor in(payload);
  RingPayload out;
  const auto count = in.take_count(kTextFixedBytes, kTextsPerPayloadMax);
  out.texts.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto id = in.take<TextId>();
    const auto length = in.take<std::uint32_t>();
    if (length > kTextBytesMax) return corrupt("a text in a ring record is over its limit");
    out.texts.emplace_back(id, in.take_bytes(length));
  }
  if (in.failed()) return corrupt("the texts of a ring record run over its end");
  out.body = in.rest();
  return out;
}

Result<TransactionHead> decode_head(std::span<const std::byte> body) {
  TransactionHead head;
  if (body.size() < sizeof(head)) return corrupt("a transaction is shorter than its head");
  std::memcpy(&head, body.data(), sizeof(head));
  if (head.side != Side::production && head.side != Side::shadow) {
    return corrupt("a transaction names an unknown side");
  }
  return head;
}

Result<Entry> EntryReader::next() {
  if (bytes_.empty()) return Status(Code::end, "no more entries");
  Cursor prefix(bytes_);
  const auto size = prefix.take<std::uint32_t>();
  if (prefix.failed() || size < kEntryPrefixBytes || size > bytes_.size()) {
    return corrupt("an entry runs over the end of its transaction");
  }
  Cursor in(bytes_.subspan(sizeof(size), size - sizeof(size)));
  Entry entry;
  entry.type = in.take<Entry::Type>();
  switch (entry.type) {
    case Entry::Type::statement:
      take_statement(in, &entry.statement);
      break;
    case Entry::Type::context:
      take_context(in, &entry.context);
      break;
    case Entry::Type::note:
      take_note(in, &entry.note);
      break;
    case Entry::Type::piece:
      entry.piece.number = in.take<std::uint32_t>();
      entry.piece.bytes = in.take_bytes(in.take<std::uint32_t>());
      break;
    case Entry::Type::rows:
      take_more_rows(in, &entry.statement);
      break;
    case Entry::Type::rewind:
      entry.keep = in.take<std::uint32_t>();
      break;
    default:
      return Status(Code::unsupported, "a transaction holds an entry of an unknown type");
  }
  if (in.failed() || !in.rest().empty()) return corrupt("an entry's fields do not fill it");
  bytes_ = bytes_.subspan(size);
  return entry;
}

namespace {

/// Puts together what one transaction's entries say in several places.
class TransactionReader {
 public:
  explicit TransactionReader(TransactionEntries* out) : out_(*out) {}

  Status add(Entry&& entry) {
    if (entry.type == Entry::Type::piece) return add_piece(entry.piece);
    const std::uint32_t number = out_.written++;
    switch (entry.type) {
      case Entry::Type::rewind:
        if (entry.keep > number) return corrupt("a transaction goes back to behind its end");
        while (!numbers_.empty() && numbers_.back() >= entry.keep) {
          numbers_.pop_back();
          out_.entries.pop_back();
        }
        return {};
      case Entry::Type::rows:
        return add_rows(std::move(entry.statement));
      default:
        out_.entries.push_back(std::move(entry));
        numbers_.push_back(number);
        return {};
    }
  }

  Status finish() {
    for (Entry& entry : out_.entries) {
      for (Parameter& one : entry.statement.parameters) {
        if (one.pieces) {
          if (auto status = resolve(*one.pieces, &one.bytes); !status.ok()) return status;
          one.pieces.reset();
        }
        if (auto status = check_parameter(one); !status.ok()) return status;
      }
      for (RowEffect& row : entry.statement.rows) {
        for (const RowEffect::Large& large : row.large) {
          std::string_view bytes;
          if (auto status = resolve(large.number, &bytes); !status.ok()) return status;
          row.values[large.value] = bytes;
        }
        row.large.clear();
      }
    }
    return {};
  }

 private:
  Status add_piece(const Piece& piece) {
    auto& value = values_[piece.number];
    if (value == nullptr) value = &out_.values.emplace_back();
    if (value->size() + piece.bytes.size() > kValueBytesMax) {
      return corrupt("the pieces of a value are over its limit");
    }
    value->append(piece.bytes);
    return {};
  }

  Status add_rows(StatementEntry&& more) {
    if (out_.entries.empty() || out_.entries.back().type != Entry::Type::statement ||
        out_.entries.back().statement.shape != more.shape) {
      return corrupt("rows follow no statement of theirs");
    }
    StatementEntry& statement = out_.entries.back().statement;
    statement.row_count = more.row_count;
    std::move(more.rows.begin(), more.rows.end(), std::back_inserter(statement.rows));
    return {};
  }

  Status resolve(std::uint32_t number, std::string_view* bytes) const {
    const auto found = values_.find(number);
    if (found == values_.end()) return corrupt("the pieces of a value are missing");
    *bytes = *found->second;
    return {};
  }

  TransactionEntries& out_;
  std::vector<std::uint32_t> numbers_;  // of the entries in `out_`
  std::unordered_map<std::uint32_t, std::string*> values_;
};

}  // namespace

Result<TransactionEntries> read_transaction(std::span<const std::byte> bytes) {
  TransactionEntries out;
  TransactionReader reader(&out);
  EntryReader entries(bytes);
  for (;;) {
    Result<Entry> entry = entries.next();
    if (!entry.ok() && entry.status().code() == Code::end) break;
    if (!entry.ok()) return entry.status();
    if (auto status = reader.add(std::move(*entry)); !status.ok()) return status;
  }
  if (auto status = reader.finish(); !status.ok()) return status;
  return out;
}

}  // namespace understudy
