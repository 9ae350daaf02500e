// What a transaction is made of, in the ring and in the journal: encoding and decoding.
//
// Little-endian, unaligned fields. Texts (statement texts and shapes) are named by their 128-bit
// XXH3 hash. In the ring every payload opens with the texts it refers to; journald moves texts into
// dictionary records of the segment, so on disk a text stands once per segment.
//   ring payload    := u32 text_count { TextId id, u32 bytes, text }*  body
//   journal payload := body
//   transaction body := TransactionHead, then entry*   (a chunk's body: entry bytes only)
//   entry := u32 size (of the whole entry), u8 type, fields
// Entries of a chunked transaction are the concatenation of its chunks in order and the last
// record. So that no writer has to hold a whole statement: a large value stands in pieces of its
// own, the rows of a statement may go on in further entries, and what has left the buffer is taken
// back by an entry that says so. Nor has a reader: an entry is not much larger than a chunk, with
// the values that it names, or has one row. Byte tables: docs/internals/journal-format.md.
//
// Decoders check every bound; what they return are views into the payload. Nothing here locks.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "journal/status.h"

namespace understudy {

static_assert(std::endian::native == std::endian::little);

using TextId = std::array<std::uint8_t, 16>;
inline constexpr TextId kNoText{};
TextId text_id(std::string_view text);
struct TextIdHash {
  std::size_t operator()(const TextId& id) const;
};

enum class Verdict : std::uint8_t { keyed = 1, effects = 2, opaque = 3, context = 4, ddl = 5 };
std::string_view verdict_name(Verdict verdict);

enum class Verb : std::uint8_t {
  other = 0,
  insert = 1,
  update = 2,
  remove = 3,
  put = 4,      // whatever stood under its key before
  replace = 5,  // what collides with it in any unique key is removed first
  move = 6,     // its key has changed: the old key stands before the row
  clear = 7,    // of an opaque statement: all rows of the table of its shape go
};
inline constexpr Verb kLastVerb = Verb::clear;

enum class Side : std::uint8_t { production = 0, shadow = 1 };

enum class Outcome : std::uint8_t { committed = 1, rolled_back = 2, unknown = 3 };
std::string_view outcome_name(Outcome outcome);

inline constexpr std::uint32_t kTextBytesMax = 16u << 20;  // one statement text
inline constexpr std::uint32_t kTextsPerPayloadMax = 65536;
inline constexpr std::uint32_t kParametersMax = 65535;
inline constexpr std::uint32_t kColumnsMax = 4096;
inline constexpr std::uint32_t kNullLength = 0xffffffff;    // a NULL value in a row
inline constexpr std::uint32_t kPiecesLength = 0xfffffffe;  // a value that stands in pieces
inline constexpr std::size_t kInlineBytesMax = 64u << 10;   // a larger value stands in pieces
inline constexpr std::size_t kPieceBytesMax = 64u << 10;
inline constexpr std::uint64_t kValueBytesMax = 1u << 30;  // one value, put together
inline constexpr std::size_t kChunkBytes = 256u << 10;     // held before a chunk is written

struct TransactionHead {
  std::uint64_t txn_id = 0;
  std::uint64_t server_txid = 0;  // PostgreSQL: pg_current_xact_id(); 0 when not known
  std::int64_t sealed_at_us = 0;  // wall clock
  std::uint64_t session_id = 0;
  std::uint32_t entries = 0;  // in all chunks together
  std::uint32_t chunks = 0;   // chunk records that precede
  Side side = Side::production;
  std::uint8_t flags = 0;  // TransactionFlag
  std::array<std::uint8_t, 2> reserved{};
  /// Milliseconds before `sealed_at_us` at which it had not written yet, so that its id was not
  /// given before; 0: not known. The largest value stands for all above it.
  std::uint32_t writing_ms = 0;
};
static_assert(sizeof(TransactionHead) == 48);
/// Wall clock before its first write, microseconds; 0: not known.
[[nodiscard]] inline std::int64_t writing_at_us(const TransactionHead& head) {
  constexpr std::int64_t kUsPerMs = 1000;
  const bool known = head.writing_ms != 0 && head.writing_ms != UINT32_MAX;
  return known ? head.sealed_at_us - head.writing_ms * kUsPerMs : 0;
}
enum TransactionFlag : std::uint8_t {
  kTransactionAutocommit = 1,
  kTransactionBarrier = 2,     // holds an opaque statement: applied alone
  kTransactionUncaptured = 4,  // something in it could not be recorded; see its notes
};

/// One parameter as the application bound it, at the time of execution.
struct Parameter {
  std::int16_t io_type = 1;  // SQL_PARAM_INPUT
  std::int16_t c_type = 0;
  std::int16_t sql_type = 0;
  std::int16_t digits = 0;
  std::uint64_t column_size = 0;
  std::int64_t indicator = 0;           // SQL_NULL_DATA, SQL_DEFAULT_PARAM, or the length in bytes
  std::string_view bytes;               // the value's bytes; empty for NULL and DEFAULT
  std::optional<std::uint32_t> pieces;  // instead of `bytes`: the number of a large value
};

/// Where the value of a key column of a keyed statement comes from (the write set).
struct KeyPart {
  std::uint32_t column = 0;                // index into the shape's columns
  std::optional<std::uint32_t> parameter;  // 0-based; otherwise a literal
  std::string literal;                     // SQL literal as written
};

/// Columns of a statement's effects. Encoded as a dictionary text: fields separated by U+001F:
/// schema, table, key count, column names with the key columns first. In `effects` each row carries
/// all columns, a removed row the key columns only, a moved one its old key before all columns.
struct Shape {
  std::string schema;
  std::string table;
  std::uint32_t key_count = 0;
  std::vector<std::string> columns;

  [[nodiscard]] std::string encode() const;
  static Result<Shape> decode(std::string_view text);
};

/// A row effect. Values are in the dialect's exact text form (docs/reference/values.md):
/// PostgreSQL: column::text; SQLite: quote(column). nullopt is NULL.
struct RowEffect {
  Verb verb = Verb::other;
  std::vector<std::optional<std::string_view>> values;
  struct Large {
    std::uint32_t value = 0;   // index into `values`
    std::uint32_t number = 0;  // of the large value whose pieces it is
  };
  std::vector<Large> large;
};

enum StatementFlag : std::uint8_t {
  kStatementWideText = 1,    // the application gave UTF-16; the text here is UTF-8
  kStatementHasEffects = 2,  // rows below are the truth (verdict effects) or evidence (keyed)
  /// MariaDB, CLIENT_FOUND_ROWS: `row_count` also counts rows that an UPDATE left as they were.
  kStatementCountsFound = 4,
};

struct StatementEntry {
  Verdict verdict = Verdict::opaque;
  Verb verb = Verb::other;
  std::uint8_t flags = 0;
  TextId text = kNoText;
  TextId shape = kNoText;
  std::int64_t row_count = -1;
  std::vector<Parameter> parameters;
  std::vector<KeyPart> key;
  std::vector<RowEffect> rows;
};

/// Session context that later entries of the transaction depend on (SET ... and the like).
struct Context {
  std::vector<TextId> statements;
};

/// Something that happened in the transaction and could not be recorded exactly.
struct Note {
  std::string_view kind;    // stable name, such as "bulk-operations"
  std::string_view detail;  // never a value of a row
};

/// A stretch of a large value. The pieces of one number, in order, are the value.
struct Piece {
  std::uint32_t number = 0;
  std::string_view bytes;
};

struct Entry {
  enum class Type : std::uint8_t {
    statement = 1,
    context = 2,
    note = 3,
    piece = 4,   // before the entry that names it
    rows = 5,    // more rows of the statement before: `statement` has shape, row count and rows
    rewind = 6,  // entries from number `keep` on are void; pieces do not count
  };
  Type type = Type::statement;
  StatementEntry statement;
  Context context;
  Note note;
  Piece piece;
  std::uint32_t keep = 0;
};

struct OutcomeRecord {
  std::uint64_t txn_id = 0;
  std::int64_t at_us = 0;
  Outcome outcome = Outcome::unknown;
  std::array<std::uint8_t, 7> reserved{};
};
static_assert(sizeof(OutcomeRecord) == 24);

enum class MarkerKind : std::uint32_t { alignment = 1, common_point = 2, cutover = 3 };
struct MarkerRecord {
  std::uint64_t id = 0;
  std::int64_t at_us = 0;
  MarkerKind kind = MarkerKind::alignment;
  std::uint32_t reserved = 0;
};
static_assert(sizeof(MarkerRecord) == 24);

/// Appends entries to a byte buffer; remembers which texts it has used. Belongs to one connection.
/// Allocation failure throws std::bad_alloc; the buffer is then as before the call.
class EntryWriter {
 public:
  /// Called whenever `chunk_bytes` or more could be taken as a chunk, also in the middle of a
  /// statement: it writes a chunk and calls `chunk_taken`, or `clear`. Without it everything is
  /// held.
  void drain_by(std::function<void()> drain, std::size_t chunk_bytes);

  void begin_statement(Verdict verdict, Verb verb, std::uint8_t flags, std::string_view text,
                       std::string_view shape);  // shape: encoded, may be empty
  void add_parameter(const Parameter& parameter);
  void add_key(const KeyPart& part);
  void begin_row(Verb verb);
  void add_value(std::optional<std::string_view> value);
  /// A value of the open row whose pieces were added.
  void add_large_value(std::uint32_t number);
  void end_row();
  void add_row(Verb verb, std::span<const std::optional<std::string>> values);
  void end_statement(std::int64_t row_count);
  void cancel_statement();  // forgets everything since begin_statement; none open: nothing
  void add_context(std::span<const std::string> statements);
  void add_note(std::string_view kind, std::string_view detail);

  /// A large value that comes before the statement or row that is going to name it.
  std::uint32_t new_value() { return values_++; }
  void add_pieces(std::uint32_t number, std::string_view bytes);

  [[nodiscard]] bool empty() const { return entries_ == 0; }
  [[nodiscard]] std::uint32_t entries() const { return entries_; }
  [[nodiscard]] std::size_t bytes() const { return pieces_.size() + buffer_.size(); }

  /// A place to come back to (savepoints), also after chunks were taken.
  struct Mark {
    std::size_t bytes = 0;
    std::uint32_t entries = 0;
    std::uint32_t taken = 0;
  };
  [[nodiscard]] Mark mark() const;
  void rewind(const Mark& mark);

  /// Bytes that a chunk would take now: an open statement cannot be taken, pieces can.
  [[nodiscard]] std::size_t chunk_bytes() const;
  /// Bytes of the ring payload for what is buffered: texts, then head (unless a chunk), then
  /// entries. A chunk leaves an open statement out.
  [[nodiscard]] std::size_t payload_bytes(bool chunk) const;
  /// Writes it; `head` null for a chunk. `out.size()` must be payload_bytes().
  void write_payload(std::span<std::byte> out, const TransactionHead* head) const;
  /// After a chunk was written: drops its bytes, keeps the count of entries.
  void chunk_taken();
  void clear();

 private:
  void use_text(std::string_view text, TextId* id);
  template <class T>
  void put(T value);
  void put_bytes(std::string_view bytes);
  void put_pieces(std::string_view bytes);
  [[nodiscard]] bool too_large(std::string_view value) const;
  void open_section(int section);
  void begin_rows();
  void close_entry(std::int64_t row_count);
  void drain();

  std::vector<char> buffer_;
  std::vector<char> pieces_;  // whole piece entries; they leave before what is in `buffer_`
  std::vector<std::pair<TextId, std::string>> texts_;
  std::unordered_set<TextId, TextIdHash> known_;
  std::function<void()> drain_;
  std::size_t chunk_bytes_ = kChunkBytes;
  std::size_t texts_bytes_ = 0;
  std::size_t entry_start_ = 0;
  std::size_t entry_pieces_ = 0;  // bytes of the large values that the open entry names
  std::size_t changed_at_ = 0;    // where the open entry's row count stands
  std::size_t count_at_ = 0;      // where the running count of the open list stands
  std::size_t row_count_at_ = 0;  // where the running count of the open row's values stands
  Mark statement_;                // where the open statement begins
  std::string shape_;             // of the open statement
  std::uint32_t taken_ = 0;
  std::uint32_t taken_entries_ = 0;  // of `entries_` when a chunk was taken last
  std::uint32_t entries_ = 0;
  std::uint32_t values_ = 0;
  int section_ = 0;      // of the open statement: 0 parameters, 1 key, 2 rows
  bool open_ = false;    // an entry of a statement has been begun
  bool paused_ = false;  // a statement goes on, and its last entry is whole
};

/// The texts at the start of a ring payload and what follows them.
struct RingPayload {
  std::vector<std::pair<TextId, std::string_view>> texts;
  std::span<const std::byte> body;
};
Result<RingPayload> split_ring_payload(std::span<const std::byte> payload);
/// A ring payload without texts (outcomes, markers) around a plain struct.
template <class T>
std::vector<std::byte> plain_payload(const T& value) {
  std::vector<std::byte> out(sizeof(std::uint32_t) + sizeof(T));
  std::memset(out.data(), 0, sizeof(std::uint32_t));
  std::memcpy(out.data() + sizeof(std::uint32_t), &value, sizeof(T));
  return out;
}
template <class T>
Result<T> plain_body(std::span<const std::byte> body) {
  T value;
  if (body.size() != sizeof(T)) return Status(Code::corrupt, "record has a wrong length");
  std::memcpy(&value, body.data(), sizeof(T));
  return value;
}

Result<TransactionHead> decode_head(std::span<const std::byte> body);
/// Reads entries as they are written, one after the other; Code::end after the last. Views point
/// into `bytes`.
class EntryReader {
 public:
  explicit EntryReader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  Result<Entry> next();

 private:
  std::span<const std::byte> bytes_;
};

/// What a transaction did: statements with all their rows and values, contexts and notes.
struct TransactionEntries {
  std::vector<Entry> entries;      // views into the bytes that were read, and into `values`
  std::uint32_t written = 0;       // entries as TransactionHead counts them
  std::deque<std::string> values;  // large ones, put together
};
/// Reads all entries of one transaction, those of its chunks in order before its own, and checks
/// its parameters (c_type.h).
Result<TransactionEntries> read_transaction(std::span<const std::byte> bytes);

}  // namespace understudy
