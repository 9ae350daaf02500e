// A statement of our own that runs in place of the application's.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "driver/capture/parameters.h"
#include "driver/handle/statement.h"
#include "journal/generic_value.h"
#include "journal/record.h"

namespace understudy::capture {

/// A stretch of an array of parameter sets.
struct Slice {
  std::size_t first = 0;
  std::size_t count = 1;
};

/// Settings of the application's statement that one of ours must not have: they belong to
/// parameters, or would give control back before the end.
bool kept_from_clone(SQLINTEGER attribute);
/// Binds the application's columns, as they are now, on another real statement of its connection.
bool bind_columns(const Statement& from, SQLHSTMT to);

/// One real statement beside the application's, on the same real connection, with the
/// application's parameters. Kept prepared from one execution to the next. Guarded by
/// Connection::write_mutex, but for `handle`, which other threads see through Statement::current.
class OwnStatement {
 public:
  explicit OwnStatement(Statement& stmt) : stmt_(stmt) {}
  ~OwnStatement() { drop(); }
  OwnStatement(const OwnStatement&) = delete;
  OwnStatement& operator=(const OwnStatement&) = delete;

  /// Allocates the real statement when there is none yet. `visible`: the application is going to
  /// fetch from it, so that it gets the cursor settings and column bindings of its own statement.
  SQLRETURN open(bool visible);
  /// The application's column bindings as they are now.
  bool bind_columns();
  /// Exchanges the real statements of two of the same application's statement, without parameters.
  void swap(OwnStatement& other);
  /// Parameters of these sets; the application's status array and count of processed sets are
  /// written as by its own statement. False: the real driver refused a binding.
  bool bind(const BoundParameters& bound, Slice slice);
  /// Connector/ODBC refuses a text with fewer markers than bindings.
  void forget_parameters();
  /// The same set's parameters, of these numbers (from 0) and in this order, for a question of
  /// ours.
  bool bind_some(const BoundParameters& bound, Slice set,
                 const std::vector<std::uint32_t>& numbers);
  /// Runs the text; SQLCancel and the application's diagnostics reach this statement from now on.
  SQLRETURN run(const std::string& text, bool direct, bool wide);
  /// A question of ours: runs the text and fetches its first row. Nothing of the application's
  /// reaches this statement.
  bool ask(const std::string& text);
  /// After an execution: adds this slice to the application's count of processed sets.
  void report_processed(const BoundParameters& bound, Slice slice) const;

  /// Reads all rows of the present result: `columns` values of each are appended to `entries` as
  /// row effects (0: none), the last column is the server's transaction id when `with_txid`.
  /// Returns the number of rows, or -1 when they could not be read.
  SQLLEN read_rows(std::size_t columns, bool with_txid, Verb verb, EntryWriter* entries,
                   std::uint64_t* server_txid);
  /// One value as text in UTF-8 (in the application's bytes on a narrow connection), of at most
  /// kValueBytesMax. False: it could not be read.
  bool read_value(SQLUSMALLINT column, std::string* value, bool* is_null);
  [[nodiscard]] SQLLEN row_count() const;
  /// The present result has columns.
  [[nodiscard]] bool has_columns() const;
  bool next_result();
  void close();

  [[nodiscard]] SQLHSTMT handle() const { return own_; }
  void drop();

 private:
  /// Generic: by the type that the real driver tells of a column.
  [[nodiscard]] GenericKind kind_of(SQLUSMALLINT column) const;
  void take_settings();
  using TakesText = std::function<bool(std::string_view)>;
  bool read_text(SQLUSMALLINT column, bool* is_null, const TakesText& take);
  bool append_value(SQLUSMALLINT column, EntryWriter* entries);
  bool bind_one(std::uint32_t at, const ParameterBinding& wanted);
  void set(SQLINTEGER attribute, SQLPOINTER value, SQLPOINTER* last);

  Statement& stmt_;
  SQLHSTMT own_ = SQL_NULL_HSTMT;
  const real::Library* library_ = nullptr;
  std::string prepared_;
  std::vector<SQLPOINTER> given_;  // values of the application's settings
  std::vector<ParameterBinding> bound_;
  // What is set on the real statement: at first what a new statement has.
  SQLPOINTER sets_set_ = reinterpret_cast<SQLPOINTER>(SQLULEN{1});
  SQLPOINTER bind_type_set_ = nullptr;
  SQLPOINTER offset_set_ = nullptr;
  SQLPOINTER operation_set_ = nullptr;
  SQLPOINTER status_set_ = nullptr;
  SQLPOINTER processed_set_ = nullptr;
  SQLULEN offset_ = 0;
  SQLULEN processed_ = 0;
  std::string buffer_;  // of read_text
  std::string value_;
};

}  // namespace understudy::capture
