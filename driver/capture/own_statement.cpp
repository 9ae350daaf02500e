#include "driver/capture/own_statement.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "driver/capture/session.h"
#include "driver/handle/attributes.h"
#include "driver/real/wide.h"

namespace understudy::capture {
namespace {

constexpr std::size_t kFirstReadBytes = 512;
// libsqliteodbc measures the whole text at each call: not many calls, then.
constexpr std::size_t kSliceBytes = 16u << 20;
constexpr std::size_t kKeptBufferBytesMax = 256u << 10;  // from one value to the next

bool same_binding(const ParameterBinding& a, const ParameterBinding& b) {
  return a.bound == b.bound && a.io_type == b.io_type && a.c_type == b.c_type &&
         a.sql_type == b.sql_type && a.column_size == b.column_size && a.digits == b.digits &&
         a.value == b.value && a.buffer_length == b.buffer_length && a.indicator == b.indicator &&
         a.octet_length == b.octet_length;
}

bool separate_length(const ParameterBinding& binding) {
  return binding.octet_length != nullptr && binding.octet_length != binding.indicator;
}

// The binding of a later set of an array. Not by an offset, which libsqliteodbc does not take.
ParameterBinding shifted(const ParameterBinding& binding, SQLULEN bind_type, std::size_t sets) {
  ParameterBinding out = binding;
  if (sets == 0) return out;
  const bool by_column = bind_type == SQL_PARAM_BIND_BY_COLUMN;
  const SQLLEN fixed = fixed_bytes(resolved_c_type(binding.c_type, binding.sql_type));
  const SQLLEN size = fixed != 0 ? fixed : std::max<SQLLEN>(binding.buffer_length, 0);
  const SQLULEN step = by_column ? static_cast<SQLULEN>(size) : bind_type;
  if (out.value != nullptr) {
    out.value =
        reinterpret_cast<SQLPOINTER>(reinterpret_cast<std::uintptr_t>(out.value) + step * sets);
  }
  const auto move = [&](SQLLEN*& place) {
    if (place != nullptr) {
      place = reinterpret_cast<SQLLEN*>(reinterpret_cast<std::uintptr_t>(place) +
                                        (by_column ? sizeof(SQLLEN) : bind_type) * sets);
    }
  };
  move(out.indicator);
  move(out.octet_length);
  return out;
}

SQLHDESC row_descriptor(const real::Library& library, SQLHSTMT statement) {
  SQLHDESC desc = SQL_NULL_HDESC;
  if (library.fn.GetStmtAttr == nullptr ||
      !SQL_SUCCEEDED(library.fn.GetStmtAttr(statement, SQL_ATTR_APP_ROW_DESC, &desc, SQL_IS_POINTER,
                                            nullptr))) {
    return SQL_NULL_HDESC;
  }
  return desc;
}

}  // namespace

bool kept_from_clone(SQLINTEGER attribute) {
  switch (attribute) {
    case SQL_ATTR_ASYNC_ENABLE:
    case SQL_ATTR_PARAMSET_SIZE:
    case SQL_ATTR_PARAM_BIND_TYPE:
    case SQL_ATTR_PARAM_BIND_OFFSET_PTR:
    case SQL_ATTR_PARAM_OPERATION_PTR:
    case SQL_ATTR_PARAM_STATUS_PTR:
    case SQL_ATTR_PARAMS_PROCESSED_PTR:
      return true;
    default:
      return false;
  }
}

SQLRETURN OwnStatement::open(bool visible) {
  if (own_ == SQL_NULL_HSTMT) {
    library_ = stmt_.connection.library;
    const SQLRETURN ret = real_alloc_statement(stmt_.connection, &own_);
    if (!SQL_SUCCEEDED(ret)) {
      own_ = SQL_NULL_HSTMT;
      return ret;
    }
  }
  if (!visible) {
    take_settings();
    return SQL_SUCCESS;
  }
  given_.clear();  // set again for the next execution that shows nothing
  const bool limited = stmt_.connection.session->dialect == Dialect::mariadb;
  for (const Attribute& attribute : stmt_.attributes) {
    // Its text has the limit already; see sql::with_max_rows.
    if (attribute.attribute == SQL_ATTR_MAX_ROWS && limited) continue;
    if (!kept_from_clone(attribute.attribute)) set_stmt_attribute(*library_, own_, attribute);
  }
  return bind_columns() ? SQL_SUCCESS : SQL_ERROR;
}

// What decides how the real driver runs a statement, and what it warns of when it does.
void OwnStatement::take_settings() {
  std::size_t i = 0;
  for (const SQLINTEGER attribute :
       {SQL_ATTR_QUERY_TIMEOUT, SQL_ATTR_NOSCAN, SQL_ATTR_CURSOR_TYPE, SQL_ATTR_CONCURRENCY,
        SQL_ATTR_CURSOR_SCROLLABLE, SQL_ATTR_CURSOR_SENSITIVITY, SQL_ATTR_KEYSET_SIZE}) {
    const Attribute* wanted = find_attribute(stmt_.attributes, attribute);
    if (given_.size() <= i) given_.resize(i + 1);
    SQLPOINTER value = wanted == nullptr ? nullptr : wanted->value;
    if (wanted != nullptr && given_[i] != value) set_stmt_attribute(*library_, own_, *wanted);
    given_[i++] = value;
  }
}

void OwnStatement::swap(OwnStatement& other) {
  std::swap(own_, other.own_);
  std::swap(library_, other.library_);
  std::swap(prepared_, other.prepared_);
  std::swap(given_, other.given_);
  std::swap(bound_, other.bound_);
  std::swap(sets_set_, other.sets_set_);
  std::swap(bind_type_set_, other.bind_type_set_);
  std::swap(offset_set_, other.offset_set_);
  std::swap(operation_set_, other.operation_set_);
  std::swap(status_set_, other.status_set_);
  std::swap(processed_set_, other.processed_set_);
}

bool bind_columns(const Statement& from, SQLHSTMT to) {
  const real::Library& library = *from.library;
  const real::Entries& fn = library.fn;
  if (fn.FreeStmt != nullptr) fn.FreeStmt(to, SQL_UNBIND);
  if (from.app_row != nullptr || from.implicit[0]->touched) {
    SQLHDESC source = row_descriptor(library, from.real);
    SQLHDESC target = row_descriptor(library, to);
    return source != SQL_NULL_HDESC && target != SQL_NULL_HDESC && fn.CopyDesc != nullptr &&
           SQL_SUCCEEDED(fn.CopyDesc(source, target));
  }
  for (const auto& [column, one] : from.columns) {
    if (fn.BindCol == nullptr || !SQL_SUCCEEDED(fn.BindCol(to, column, one.c_type, one.value,
                                                           one.buffer_length, one.indicator))) {
      return false;
    }
  }
  return true;
}

bool OwnStatement::bind_columns() {
  return capture::bind_columns(stmt_, own_);
}

void OwnStatement::forget_parameters() {
  if (bound_.empty() || library_->fn.FreeStmt == nullptr) return;
  library_->fn.FreeStmt(own_, SQL_RESET_PARAMS);
  bound_.clear();
}

void OwnStatement::set(SQLINTEGER attribute, SQLPOINTER value, SQLPOINTER* last) {
  if (*last == value || library_->fn.SetStmtAttr == nullptr) return;
  library_->fn.SetStmtAttr(own_, attribute, value, SQL_IS_POINTER);
  *last = value;
}

bool OwnStatement::bind_one(std::uint32_t at, const ParameterBinding& wanted) {
  const real::Entries& fn = library_->fn;
  if (bound_.size() <= at) bound_.resize(at + 1);
  if (same_binding(bound_[at], wanted)) return true;
  const auto number = static_cast<SQLUSMALLINT>(at + 1);
  const SQLRETURN ret = fn.BindParameter(own_, number, wanted.io_type, wanted.c_type,
                                         wanted.sql_type, wanted.column_size, wanted.digits,
                                         wanted.value, wanted.buffer_length, wanted.indicator);
  if (!SQL_SUCCEEDED(ret)) return false;
  if (separate_length(wanted)) {
    SQLHDESC desc = SQL_NULL_HDESC;
    if (fn.SetDescField == nullptr || fn.GetStmtAttr == nullptr ||
        !SQL_SUCCEEDED(
            fn.GetStmtAttr(own_, SQL_ATTR_APP_PARAM_DESC, &desc, SQL_IS_POINTER, nullptr)) ||
        !SQL_SUCCEEDED(fn.SetDescField(desc, static_cast<SQLSMALLINT>(number),
                                       SQL_DESC_OCTET_LENGTH_PTR, wanted.octet_length,
                                       SQL_IS_POINTER))) {
      return false;
    }
  }
  bound_[at] = wanted;
  return true;
}

bool OwnStatement::bind_some(const BoundParameters& bound, Slice one,
                             const std::vector<std::uint32_t>& numbers) {
  if (library_->fn.BindParameter == nullptr) return numbers.empty();
  if (bound_.size() > numbers.size()) forget_parameters();
  for (std::uint32_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] >= bound.count()) return false;
    const ParameterBinding wanted =
        shifted(bound.bindings()[numbers[i]], bound.bind_type(), one.first);
    if (!bind_one(i, wanted)) return false;
  }
  offset_ = bound.offset();
  set(SQL_ATTR_PARAM_BIND_OFFSET_PTR, offset_ == 0 ? nullptr : &offset_, &offset_set_);
  return true;
}

bool OwnStatement::bind(const BoundParameters& bound, Slice slice) {
  if (library_->fn.BindParameter == nullptr) return bound.count() == 0;
  for (std::uint32_t i = 0; i < bound.count(); ++i) {
    if (!bind_one(i, shifted(bound.bindings()[i], bound.bind_type(), slice.first))) return false;
  }
  offset_ = bound.offset();
  const auto number = [](SQLULEN value) { return reinterpret_cast<SQLPOINTER>(value); };
  const auto from_slice = [&](SQLUSMALLINT* array) -> SQLPOINTER {
    return array == nullptr ? nullptr : array + slice.first;
  };
  set(SQL_ATTR_PARAMSET_SIZE, number(slice.count), &sets_set_);
  set(SQL_ATTR_PARAM_BIND_TYPE, number(bound.bind_type()), &bind_type_set_);
  set(SQL_ATTR_PARAM_BIND_OFFSET_PTR, offset_ == 0 ? nullptr : &offset_, &offset_set_);
  set(SQL_ATTR_PARAM_OPERATION_PTR, from_slice(bound.operation()), &operation_set_);
  set(SQL_ATTR_PARAM_STATUS_PTR, from_slice(bound.status()), &status_set_);
  processed_ = 0;
  set(SQL_ATTR_PARAMS_PROCESSED_PTR, bound.processed() == nullptr ? nullptr : &processed_,
      &processed_set_);
  return true;
}

SQLRETURN OwnStatement::run(const std::string& text, bool direct, bool wide) {
  stmt_.run_on(own_);
  if (direct) {
    prepared_.clear();
    return real_exec_direct(*library_, own_, text, wide);
  }
  if (prepared_ != text) {
    prepared_.clear();
    const SQLRETURN ret = real_prepare(*library_, own_, text, wide);
    if (!SQL_SUCCEEDED(ret)) return ret;
    prepared_ = text;
  }
  const auto execute = library_->fn.Execute;
  return execute == nullptr ? static_cast<SQLRETURN>(SQL_ERROR) : execute(own_);
}

bool OwnStatement::ask(const std::string& text) {
  prepared_.clear();
  return SQL_SUCCEEDED(open(false)) && library_->fn.Fetch != nullptr &&
         SQL_SUCCEEDED(real_exec_direct(*library_, own_, text, stmt_.connection.wide)) &&
         SQL_SUCCEEDED(library_->fn.Fetch(own_));
}

void OwnStatement::report_processed(const BoundParameters& bound, Slice slice) const {
  if (bound.processed() == nullptr) return;
  std::size_t before = slice.first;
  // psqlodbc does not count those that it ignores.
  const bool counted = stmt_.connection.session->dialect == Dialect::postgresql;
  for (std::size_t set = 0; counted && set < slice.first; ++set) {
    if (bound.skipped(set)) --before;
  }
  *bound.processed() = before + processed_;
}

GenericKind OwnStatement::kind_of(SQLUSMALLINT column) const {
  const real::Entries& fn = library_->fn;
  constexpr SQLSMALLINT kNameUnits = 512;  // drivers write more than they are told to take
  SQLSMALLINT length = 0;
  SQLSMALLINT type = SQL_VARCHAR;
  SQLULEN size = 0;
  SQLSMALLINT digits = 0;
  SQLSMALLINT nullable = 0;
  if (stmt_.connection.wide && fn.DescribeColW != nullptr) {
    SQLWCHAR name[kNameUnits] = {};
    fn.DescribeColW(own_, column, name, kNameUnits / 2, &length, &type, &size, &digits, &nullable);
  } else if (fn.DescribeCol != nullptr) {
    SQLCHAR name[kNameUnits] = {};
    fn.DescribeCol(own_, column, name, kNameUnits / 2, &length, &type, &size, &digits, &nullable);
  }
  return generic_kind(static_cast<long>(type));
}

// The value in slices, each whole characters.
bool OwnStatement::read_text(SQLUSMALLINT column, bool* is_null, const TakesText& take) {
  const auto get_data = library_->fn.GetData;
  if (get_data == nullptr) return false;
  // Through a W connection a Unicode driver converts SQL_C_CHAR by the process's locale.
  // MariaDB's cuts long texts as SQL_C_WCHAR; its exact texts are bytes in UTF-8.
  const Session* session = stmt_.connection.session.get();
  const bool generic = session != nullptr && session->dialect == Dialect::generic;
  const GenericKind kind = generic ? kind_of(column) : GenericKind::unknown;
  if (kind == GenericKind::real) {
    double number = 0;
    SQLLEN length = 0;
    const SQLRETURN ret = get_data(own_, column, SQL_C_DOUBLE, &number, sizeof number, &length);
    *is_null = length == SQL_NULL_DATA;
    return SQL_SUCCEEDED(ret) && (*is_null || take(generic_real(number)));
  }
  const bool digits = kind == GenericKind::bytes;
  const bool bytes = digits || (session != nullptr && session->dialect == Dialect::mariadb);
  const bool wide = !bytes && stmt_.connection.wide && library_->unicode;
  const std::size_t unit = bytes ? 0 : wide ? sizeof(SQLWCHAR) : 1;
  const SQLSMALLINT c_type = bytes ? SQL_C_BINARY : wide ? SQL_C_WCHAR : SQL_C_CHAR;
  if (buffer_.size() < kFirstReadBytes) buffer_.resize(kFirstReadBytes);
  std::size_t kept = 0;  // at the front of the buffer: the first half of a character
  for (bool whole = false; !whole;) {
    SQLLEN length = 0;
    const SQLRETURN ret = get_data(own_, column, c_type, buffer_.data() + kept,
                                   static_cast<SQLLEN>(buffer_.size() - kept), &length);
    if (ret == SQL_NO_DATA) break;  // the last piece filled the buffer exactly
    if (!SQL_SUCCEEDED(ret)) return false;
    *is_null = length == SQL_NULL_DATA;
    if (*is_null) return true;
    if (length < 0 && length != SQL_NO_TOTAL) return false;
    const std::size_t room = buffer_.size() - kept - unit;
    whole = length != SQL_NO_TOTAL && static_cast<std::size_t>(length) <= room;
    std::size_t filled = kept + (whole ? static_cast<std::size_t>(length) : room);
    kept = 0;
    if (wide) {
      const auto* text = reinterpret_cast<const SQLWCHAR*>(buffer_.data());
      const std::size_t last = filled / sizeof(SQLWCHAR) - 1;
      const bool half = !whole && filled != 0 && (text[last] & 0xfc00) == 0xd800;
      if (half) filled -= kept = sizeof(SQLWCHAR);
      const Result<std::string> converted =
          real::to_utf8(text, static_cast<SQLLEN>(filled / sizeof(SQLWCHAR)));
      if (!converted.ok() || !take(*converted)) return false;
    } else {
      const std::string_view slice = std::string_view(buffer_).substr(0, filled);
      if (!(digits ? take(generic_bytes(slice)) : take(slice))) return false;
    }
    if (whole) break;
    std::memmove(buffer_.data(), buffer_.data() + filled, kept);
    const std::size_t missing =
        length == SQL_NO_TOTAL ? buffer_.size() : static_cast<std::size_t>(length) - room;
    const std::size_t wanted = std::min(missing, kSliceBytes) / 2 * 2 + kept + 2 * unit;
    if (buffer_.size() < wanted) buffer_.resize(wanted);
  }
  return true;
}

bool OwnStatement::read_value(SQLUSMALLINT column, std::string* value, bool* is_null) {
  value->clear();
  const bool read = read_text(column, is_null, [&](std::string_view more) {
    if (value->size() + more.size() > kValueBytesMax) return false;
    value->append(more);
    return true;
  });
  if (buffer_.size() > kKeptBufferBytesMax) buffer_ = {};
  return read;
}

// To the open row; a large value goes on as it comes.
bool OwnStatement::append_value(SQLUSMALLINT column, EntryWriter* entries) {
  value_.clear();
  bool is_null = false;
  std::optional<std::uint32_t> number;
  std::uint64_t bytes = 0;
  const bool read = read_text(column, &is_null, [&](std::string_view more) {
    bytes += more.size();
    if (bytes > kValueBytesMax) return false;
    if (!number && bytes <= kInlineBytesMax) {
      value_.append(more);
      return true;
    }
    if (!number) {
      number = entries->new_value();
      entries->add_pieces(*number, value_);
    }
    entries->add_pieces(*number, more);
    return true;
  });
  if (buffer_.size() > kKeptBufferBytesMax) buffer_ = {};
  if (!read) return false;
  if (number) {
    entries->add_large_value(*number);
  } else {
    entries->add_value(is_null ? std::nullopt : std::optional<std::string_view>(value_));
  }
  return true;
}

SQLLEN OwnStatement::read_rows(std::size_t columns, bool with_txid, Verb verb, EntryWriter* entries,
                               std::uint64_t* server_txid) {
  const real::Entries& fn = library_->fn;
  if (fn.Fetch == nullptr) return -1;
  SQLLEN rows = 0;
  for (;; ++rows) {
    const SQLRETURN ret = fn.Fetch(own_);
    if (ret == SQL_NO_DATA) break;
    if (!SQL_SUCCEEDED(ret)) return -1;
    bool is_null = false;
    if (columns != 0) entries->begin_row(verb);
    for (std::size_t i = 0; i < columns; ++i) {
      if (!append_value(static_cast<SQLUSMALLINT>(i + 1), entries)) return -1;
    }
    if (columns != 0) entries->end_row();
    if (with_txid && *server_txid == 0) {
      if (!read_value(static_cast<SQLUSMALLINT>(columns + 1), &value_, &is_null)) return -1;
      *server_txid = std::strtoull(value_.c_str(), nullptr, 10);
    }
  }
  return rows;
}

SQLLEN OwnStatement::row_count() const {
  SQLLEN count = -1;
  const auto ask = library_->fn.RowCount;
  return ask != nullptr && SQL_SUCCEEDED(ask(own_, &count)) ? count : -1;
}

bool OwnStatement::has_columns() const {
  SQLSMALLINT columns = 0;
  const auto ask = library_->fn.NumResultCols;
  return ask != nullptr && SQL_SUCCEEDED(ask(own_, &columns)) && columns > 0;
}

bool OwnStatement::next_result() {
  const auto more = library_->fn.MoreResults;
  return more != nullptr && SQL_SUCCEEDED(more(own_));
}

void OwnStatement::close() {
  if (own_ != SQL_NULL_HSTMT && library_->fn.FreeStmt != nullptr) {
    library_->fn.FreeStmt(own_, SQL_CLOSE);
  }
}

void OwnStatement::drop() {
  if (own_ != SQL_NULL_HSTMT) {
    for (Statement* one = &stmt_; one != nullptr; one = one->whole) {
      SQLHSTMT expected = own_;
      one->current.compare_exchange_strong(expected, one->real, std::memory_order_acq_rel);
    }
    real_free_statement(*library_, own_);
  }
  own_ = SQL_NULL_HSTMT;
  prepared_.clear();
  given_.clear();
  bound_.clear();
  sets_set_ = reinterpret_cast<SQLPOINTER>(SQLULEN{1});
  bind_type_set_ = offset_set_ = nullptr;
  operation_set_ = status_set_ = processed_set_ = nullptr;
}

}  // namespace understudy::capture
