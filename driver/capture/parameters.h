// The parameters of an execution as the real driver is going to read them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "driver/handle/statement.h"
#include "journal/c_type.h"
#include "journal/record.h"

namespace understudy::capture {

/// Bytes held of a value that comes by SQLPutData; a larger one goes into the ring as it comes.
/// Where the rows of the statement are recorded nothing of it is kept at all.
inline constexpr std::size_t kLateBytesHeld = kInlineBytesMax;

/// One value of one set: never touched before an execution, since offsets and arrays move it.
struct BoundValue {
  SQLSMALLINT c_type = 0;
  SQLLEN indicator = 0;  // length or special length; SQL_NTS where there is no place for one
  const void* value = nullptr;
};

/// A value that comes by SQLPutData.
struct LateValue {
  std::size_t set = 0;
  std::uint32_t parameter = 0;  // 0-based
  SQLSMALLINT c_type = 0;
  SQLLEN indicator = 0;
  std::string bytes;
  std::optional<std::uint32_t> pieces;  // the number of the large value that has taken `bytes`
  bool lost = false;

  /// One piece, as SQLPutData takes it. `entries`: of the transaction the statement belongs to, or
  /// null when that is over.
  void add(const void* data, SQLLEN length, EntryWriter* entries);
};

/// Bindings and array settings, from SQLBindParameter and SQLSetStmtAttr, or read from the real
/// descriptors when the application set fields there. Values are read when they are asked for: ask
/// before the real execution, which overwrites output parameters. Only the first `count` bindings
/// count: later ones are left over from other texts and may point anywhere.
class BoundParameters {
 public:
  static BoundParameters of(const Statement& stmt, std::uint32_t count);

  [[nodiscard]] std::uint32_t count() const { return count_; }
  [[nodiscard]] std::size_t sets() const { return sets_; }
  /// SQL_ATTR_PARAM_OPERATION_PTR says that this set is left out.
  [[nodiscard]] bool skipped(std::size_t set) const;
  /// Whether every parameter has a binding that another statement could be given.
  [[nodiscard]] bool complete() const;
  /// Why the values cannot be read; a stable kind, or null.
  [[nodiscard]] const char* obstacle() const;
  /// Whether the real driver makes a value of what it finds at its own discretion, such as a moment
  /// of a time alone: replayed elsewhere, or on another day, it may be another.
  [[nodiscard]] bool converts() const;
  /// Whether a bound text names a moment that PostgreSQL computes, such as 'now'. Only after
  /// `obstacle` answered null; of what comes later nothing is known.
  [[nodiscard]] bool names_moment() const;
  /// Data-at-execution parameters in the order in which SQLParamData asks for them.
  [[nodiscard]] std::vector<LateValue> late_values() const;
  /// Appends the values of one set to the open statement. Only after `obstacle` answered null.
  void append(std::size_t set, const std::vector<LateValue>& late, EntryWriter& entries) const;

  [[nodiscard]] const std::vector<ParameterBinding>& bindings() const { return bindings_; }
  [[nodiscard]] SQLULEN bind_type() const { return bind_type_; }
  [[nodiscard]] SQLULEN offset() const { return offset_ == nullptr ? 0 : *offset_; }
  [[nodiscard]] SQLUSMALLINT* operation() const { return operation_; }
  [[nodiscard]] SQLUSMALLINT* status() const { return status_; }  // the application's, or null
  [[nodiscard]] SQLULEN* processed() const { return processed_; }

 private:
  [[nodiscard]] BoundValue value(std::size_t set, std::uint32_t parameter) const;

  std::uint32_t count_ = 0;
  bool readable_ = true;
  std::vector<ParameterBinding> bindings_;
  std::size_t sets_ = 1;
  SQLULEN bind_type_ = SQL_PARAM_BIND_BY_COLUMN;
  SQLULEN* offset_ = nullptr;
  SQLUSMALLINT* operation_ = nullptr;
  SQLUSMALLINT* status_ = nullptr;
  SQLULEN* processed_ = nullptr;
};

/// A length that announces SQLPutData.
bool comes_later(SQLLEN indicator);
/// SQL_C_DEFAULT resolved by the parameter's SQL type, as the standard's table says.
SQLSMALLINT resolved_c_type(SQLSMALLINT c_type, SQLSMALLINT sql_type);

}  // namespace understudy::capture
