#include "driver/capture/row_buffers.h"

#include <algorithm>
#include <cstring>
#include <mutex>

#include "driver/capture/parameters.h"
#include "driver/handle/attributes.h"

namespace understudy::capture {
namespace {

constexpr SQLSMALLINT kColumnsRead = 4096;  // records of a descriptor

SQLULEN attribute_of(const Statement& stmt, SQLINTEGER attribute, SQLULEN otherwise) {
  const Attribute* set = find_attribute(stmt.attributes, attribute);
  return set == nullptr ? otherwise : reinterpret_cast<std::uintptr_t>(set->value);
}

template <class T>
const T* pointer_of(const Statement& stmt, SQLINTEGER attribute) {
  const Attribute* set = find_attribute(stmt.attributes, attribute);
  return set == nullptr ? nullptr : static_cast<const T*>(set->value);
}

template <class T>
bool real_attribute(const Statement& stmt, SQLINTEGER attribute, T* value) {
  const auto get = stmt.library->fn.GetStmtAttr;
  return get != nullptr && SQL_SUCCEEDED(get(stmt.real, attribute, value, SQL_IS_POINTER, nullptr));
}

template <class T>
bool field(const Statement& stmt, SQLHDESC desc, SQLSMALLINT record, SQLSMALLINT id, T* value) {
  const auto get = stmt.library->fn.GetDescField;
  return get != nullptr && SQL_SUCCEEDED(get(desc, record, id, value, SQL_IS_POINTER, nullptr));
}

bool fields_were_set(const Statement& stmt) {
  const bool app = stmt.app_row != nullptr ? stmt.app_row->touched : stmt.implicit[0]->touched;
  return app || stmt.implicit[2]->touched;
}

bool shares_descriptor(const Statement& stmt) {
  const std::lock_guard children(stmt.connection.children_mutex);
  return std::any_of(
      stmt.connection.statements.begin(), stmt.connection.statements.end(),
      [&](const Statement* one) { return one != &stmt && one->app_row == stmt.app_row; });
}

}  // namespace

RowBuffers RowBuffers::of(const Statement& stmt) {
  RowBuffers out;
  if (stmt.app_row == nullptr && !fields_were_set(stmt)) {
    out.read_statement(stmt);
  } else {
    out.read_descriptors(stmt);
  }
  return out;
}

void RowBuffers::read_statement(const Statement& stmt) {
  for (const auto& [number, binding] : stmt.columns) columns_[number] = {binding, nullptr};
  rows_ = std::max<SQLULEN>(attribute_of(stmt, SQL_ATTR_ROW_ARRAY_SIZE, 1), 1);
  bind_type_ = attribute_of(stmt, SQL_ATTR_ROW_BIND_TYPE, SQL_BIND_BY_COLUMN);
  const auto* shift = pointer_of<SQLULEN>(stmt, SQL_ATTR_ROW_BIND_OFFSET_PTR);
  offset_ = shift == nullptr ? 0 : *shift;
  operation_ = pointer_of<SQLUSMALLINT>(stmt, SQL_ATTR_ROW_OPERATION_PTR);
  status_ = pointer_of<SQLUSMALLINT>(stmt, SQL_ATTR_ROW_STATUS_PTR);
  fetched_ = pointer_of<SQLULEN>(stmt, SQL_ATTR_ROWS_FETCHED_PTR);
}

void RowBuffers::read_descriptors(const Statement& stmt) {
  SQLULEN rows = 1;
  SQLULEN bind_type = SQL_BIND_BY_COLUMN;
  SQLULEN* shift = nullptr;
  SQLUSMALLINT* operation = nullptr;
  SQLUSMALLINT* status = nullptr;
  SQLULEN* fetched = nullptr;
  SQLHDESC app = SQL_NULL_HDESC;
  known_ = real_attribute(stmt, SQL_ATTR_ROW_ARRAY_SIZE, &rows) &&
           real_attribute(stmt, SQL_ATTR_ROW_BIND_TYPE, &bind_type) &&
           real_attribute(stmt, SQL_ATTR_ROW_BIND_OFFSET_PTR, &shift) &&
           real_attribute(stmt, SQL_ATTR_ROW_OPERATION_PTR, &operation) &&
           real_attribute(stmt, SQL_ATTR_ROW_STATUS_PTR, &status) &&
           real_attribute(stmt, SQL_ATTR_ROWS_FETCHED_PTR, &fetched) &&
           real_attribute(stmt, SQL_ATTR_APP_ROW_DESC, &app);
  if (!known_) return;
  rows_ = std::max<SQLULEN>(rows, 1);
  bind_type_ = bind_type;
  offset_ = shift == nullptr ? 0 : *shift;
  operation_ = operation;
  status_ = status;
  fetched_ = fetched;
  if (read_records(stmt, app)) return;
  // psqlodbc does not answer for explicit descriptors, and lets nothing be set there: what was
  // bound through this statement is all, unless it was bound through another.
  columns_.clear();
  known_ = !fields_were_set(stmt) && !shares_descriptor(stmt);
  for (const auto& [number, binding] : stmt.columns) columns_[number] = {binding, nullptr};
}

bool RowBuffers::read_records(const Statement& stmt, SQLHDESC app) {
  SQLSMALLINT records = 0;
  if (!field(stmt, app, 0, SQL_DESC_COUNT, &records)) return false;
  for (SQLSMALLINT i = 1; i <= std::min(records, kColumnsRead); ++i) {
    Column one;
    if (!field(stmt, app, i, SQL_DESC_DATA_PTR, &one.binding.value)) return false;
    if (one.binding.value == nullptr) continue;
    const bool told = field(stmt, app, i, SQL_DESC_CONCISE_TYPE, &one.binding.c_type) &&
                      field(stmt, app, i, SQL_DESC_OCTET_LENGTH, &one.binding.buffer_length) &&
                      field(stmt, app, i, SQL_DESC_INDICATOR_PTR, &one.binding.indicator) &&
                      field(stmt, app, i, SQL_DESC_OCTET_LENGTH_PTR, &one.octet_length);
    if (!told) return false;
    columns_[static_cast<SQLUSMALLINT>(i)] = one;
  }
  // The bookmark is bound by SQLBindCol alone.
  const auto bookmark = stmt.columns.find(0);
  if (bookmark != stmt.columns.end()) columns_[0] = {bookmark->second, nullptr};
  return true;
}

std::optional<SQLULEN> RowBuffers::fetched() const {
  return fetched_ == nullptr ? std::nullopt : std::optional(*fetched_);
}

bool RowBuffers::ignored(std::size_t row) const {
  return operation_ != nullptr && operation_[row] == SQL_ROW_IGNORE;
}

bool RowBuffers::failed(std::size_t row) const {
  return status_ != nullptr && status_[row] == SQL_ROW_ERROR;
}

bool RowBuffers::bound(SQLUSMALLINT column) const {
  const auto found = columns_.find(column);
  return found != columns_.end() && found->second.binding.value != nullptr;
}

template <class T>
T* RowBuffers::element(T* base, std::size_t row, SQLLEN size) const {
  if (base == nullptr) return nullptr;
  const SQLULEN step = bind_type_ == SQL_BIND_BY_COLUMN ? static_cast<SQLULEN>(size) : bind_type_;
  return reinterpret_cast<T*>(reinterpret_cast<std::uintptr_t>(base) + offset_ + step * row);
}

SQLLEN RowBuffers::indicator(const Column& column, std::size_t row) const {
  const SQLLEN* null = element(column.binding.indicator, row, SQLLEN{sizeof(SQLLEN)});
  if (null != nullptr && *null == SQL_NULL_DATA) return SQL_NULL_DATA;
  const SQLLEN* length = column.octet_length == nullptr
                             ? null
                             : element(column.octet_length, row, SQLLEN{sizeof(SQLLEN)});
  return length == nullptr ? SQLLEN{SQL_NTS} : *length;
}

std::optional<BufferedValue> RowBuffers::value(SQLUSMALLINT column, std::size_t row,
                                               SQLSMALLINT sql_type) const {
  if (!bound(column)) return std::nullopt;
  const Column& found = columns_.at(column);
  const ColumnBinding& binding = found.binding;
  BufferedValue out;
  out.c_type = column == 0 ? SQLSMALLINT{SQL_C_BINARY} : resolved_c_type(binding.c_type, sql_type);
  const SQLLEN fixed = column == 0 ? 0 : fixed_bytes(out.c_type);
  const SQLLEN size = fixed != 0 ? fixed : binding.buffer_length;
  const char* value = element(static_cast<char*>(binding.value), row, size);
  out.indicator = indicator(found, row);
  if (fixed != 0) {
    if (out.indicator < 0 && out.indicator != SQL_NTS) return std::nullopt;
    out.bytes.assign(value, static_cast<std::size_t>(fixed));
  } else if (out.indicator >= 0 && out.indicator <= size) {
    out.bytes.assign(value, static_cast<std::size_t>(out.indicator));
  } else if (out.indicator == SQL_NTS && out.c_type == SQL_C_CHAR) {
    out.bytes.assign(value, ::strnlen(value, static_cast<std::size_t>(size)));
  } else {
    return std::nullopt;
  }
  out.indicator = static_cast<SQLLEN>(out.bytes.size());
  return out;
}

bool RowBuffers::left_out(SQLUSMALLINT column, std::size_t row) const {
  return !bound(column) || indicator(columns_.at(column), row) == SQL_COLUMN_IGNORE;
}

bool RowBuffers::is_null(SQLUSMALLINT column, std::size_t row) const {
  return bound(column) && indicator(columns_.at(column), row) == SQL_NULL_DATA;
}

bool RowBuffers::waits_for_data(std::size_t row) const {
  return std::any_of(columns_.begin(), columns_.end(),
                     [&](const auto& one) { return comes_later(indicator(one.second, row)); });
}

}  // namespace understudy::capture
