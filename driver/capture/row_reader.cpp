#include "driver/capture/row_reader.h"

#include <algorithm>
#include <string_view>

#include "driver/capture/session.h"

namespace understudy::capture {
namespace {

constexpr std::size_t kKeyBytesMax = 4096;  // of one column that is not bound

bool is_integer(SQLSMALLINT sql_type) {
  return sql_type == SQL_TINYINT || sql_type == SQL_SMALLINT || sql_type == SQL_INTEGER ||
         sql_type == SQL_BIGINT;
}

SQLSMALLINT read_as(SQLSMALLINT sql_type) {
  if (is_integer(sql_type)) return SQL_C_SBIGINT;
  const bool bytes =
      sql_type == SQL_BINARY || sql_type == SQL_VARBINARY || sql_type == SQL_LONGVARBINARY;
  return bytes ? SQL_C_BINARY : SQL_C_CHAR;
}

std::optional<BufferedValue> read_column(const Statement& stmt,
                                         const PositionedCursor::KeyColumn& column) {
  BufferedValue out;
  out.c_type = read_as(column.sql_type);
  out.bytes.resize(kKeyBytesMax);
  const SQLRETURN ret =
      stmt.library->fn.GetData(stmt.real, column.number, out.c_type, out.bytes.data(),
                               static_cast<SQLLEN>(out.bytes.size()), &out.indicator);
  if (ret != SQL_SUCCESS) return std::nullopt;
  const SQLLEN fixed = fixed_bytes(out.c_type);
  if (out.indicator < 0 || out.indicator >= static_cast<SQLLEN>(kKeyBytesMax)) return std::nullopt;
  out.bytes.resize(static_cast<std::size_t>(fixed != 0 ? fixed : out.indicator));
  out.indicator = static_cast<SQLLEN>(out.bytes.size());
  return out;
}

// Connector/ODBC goes on reading a column where it was left, until another one is asked for.
void forget_place(const Statement& stmt, SQLUSMALLINT other_than, SQLSMALLINT columns) {
  const SQLUSMALLINT other = other_than == 1 ? 2 : 1;
  char nothing = 0;
  SQLLEN length = 0;
  if (columns > 1) stmt.library->fn.GetData(stmt.real, other, SQL_C_CHAR, &nothing, 0, &length);
}

}  // namespace

std::optional<RowReader::Columns> RowReader::read(const KeyValues& key, Wanted wanted) {
  if (!SQL_SUCCEEDED(question_.open(false)) || !bind(key)) return std::nullopt;
  const real::Entries& fn = stmt_.library->fn;
  const bool whole = wanted != Wanted::key;
  std::string text = whole ? cursor_.query.row_text : cursor_.query.key_text;
  if (wanted != Wanted::own_row) text += cursor_.query.lock;
  const SQLRETURN ret =
      real_exec_direct(*stmt_.connection.library, question_.handle(), text, stmt_.connection.wide);
  if (!SQL_SUCCEEDED(ret) || fn.Fetch == nullptr) return std::nullopt;
  Columns out;
  const SQLRETURN fetched = fn.Fetch(question_.handle());
  if (fetched != SQL_NO_DATA && !SQL_SUCCEEDED(fetched)) return std::nullopt;
  const std::size_t count = whole ? cursor_.query.columns : cursor_.query.key_count;
  if (SQL_SUCCEEDED(fetched) && !read_columns(count, &out)) return std::nullopt;
  question_.close();
  return out;
}

bool RowReader::read_columns(std::size_t count, Columns* out) {
  for (std::size_t i = 0; i < count; ++i) {
    bool is_null = false;
    std::string value;
    if (!question_.read_value(static_cast<SQLUSMALLINT>(i + 1), &value, &is_null)) return false;
    out->push_back(is_null ? std::nullopt : std::optional<std::string>(std::move(value)));
  }
  return true;
}

std::optional<std::vector<RowReader::Columns>> RowReader::read_made(std::size_t count) {
  const auto fetch = stmt_.library->fn.Fetch;
  if (cursor_.query.made_text.empty() || fetch == nullptr) return std::nullopt;
  // One more would be another's.
  const std::string text = cursor_.query.made_text + " LIMIT " + std::to_string(count + 1);
  if (!SQL_SUCCEEDED(question_.open(false)) ||
      !SQL_SUCCEEDED(real_exec_direct(*stmt_.connection.library, question_.handle(), text,
                                      stmt_.connection.wide))) {
    return std::nullopt;
  }
  std::vector<Columns> rows;
  while (rows.size() <= count && SQL_SUCCEEDED(fetch(question_.handle()))) {
    if (!read_columns(cursor_.query.columns, &rows.emplace_back())) return std::nullopt;
  }
  question_.close();
  if (rows.size() != count) return std::nullopt;
  return rows;
}

bool RowReader::bind(const KeyValues& key) {
  const auto bind = stmt_.library->fn.BindParameter;
  if (bind == nullptr) return false;
  for (std::size_t i = 0; i < key.size(); ++i) {
    const auto& column = cursor_.keys[i];
    auto& value = const_cast<BufferedValue&>(key[i]);
    const SQLULEN size = std::max<SQLULEN>({column.size, value.bytes.size(), 1});
    if (!SQL_SUCCEEDED(bind(question_.handle(), static_cast<SQLUSMALLINT>(i + 1), SQL_PARAM_INPUT,
                            value.c_type, column.sql_type, size, column.digits, value.bytes.data(),
                            value.indicator, &value.indicator))) {
      return false;
    }
  }
  return true;
}

bool RowReader::locked_out(Handle& to) {
  if (cursor_.query.lock.empty() || question_.handle() == SQL_NULL_HSTMT) return false;
  Handle seen(HandleKind::statement);
  take_diagnostics(*stmt_.library, SQL_HANDLE_STMT, question_.handle(), stmt_.connection.wide,
                   seen);
  if (seen.diagnostics.empty()) return false;
  // The account may not lock rows of this table: that says nothing about the write.
  if (std::string_view(seen.diagnostics.front().sqlstate).starts_with("42")) return false;
  to.diagnostics = std::move(seen.diagnostics);
  return true;
}

std::optional<KeyValues> RowReader::generated_key() {
  if (cursor_.query.generated_text.empty()) return std::nullopt;
  OwnStatement question(stmt_);  // without the parameters of the other one
  BufferedValue value;
  bool is_null = false;
  if (!question.ask(cursor_.query.generated_text) ||
      !question.read_value(1, &value.bytes, &is_null) || is_null) {
    return std::nullopt;
  }
  value.c_type = SQL_C_CHAR;
  value.indicator = static_cast<SQLLEN>(value.bytes.size());
  return KeyValues{std::move(value)};
}

std::optional<bool> RowReader::keeps_zero() {
  OwnStatement question(stmt_);
  std::string answer;
  bool is_null = false;
  const bool told = question.ask("SELECT @@sql_mode LIKE '%NO_AUTO_VALUE_ON_ZERO%'") &&
                    question.read_value(1, &answer, &is_null) && !is_null;
  return told ? std::optional(answer == "1") : std::nullopt;
}

std::optional<KeyValues> key_of_current_row(const Statement& stmt, const PositionedCursor& cursor) {
  const RowBuffers buffers = RowBuffers::of(stmt);
  KeyValues out;
  SQLUSMALLINT read = 0;
  for (const auto& key : cursor.keys) {
    std::optional<BufferedValue> value;
    if (buffers.bound(key.number)) {
      value = buffers.value(key.number, 0, key.sql_type);
    } else if (stmt.library->fn.GetData != nullptr && cursor.columns > 1) {
      forget_place(stmt, key.number, cursor.columns);  // the application may have read it
      value = read_column(stmt, key);
      read = key.number;
    }
    if (!value) return std::nullopt;
    out.push_back(std::move(*value));
  }
  if (read != 0) forget_place(stmt, read, cursor.columns);
  return out;
}

}  // namespace understudy::capture
