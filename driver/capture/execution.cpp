#include <cstring>

#include "driver/capture/session.h"
#include "driver/handle/attributes.h"
#include "driver/real/wide.h"
#include "driver/sql/lexer.h"

namespace understudy::capture {
namespace {

constexpr std::size_t kFirstReadBytes = 512;

std::uint32_t count_parameters(std::string_view text, Dialect dialect) {
  sql::Lexer lexer(text, dialect);
  std::uint32_t count = 0;
  for (sql::Token token = lexer.next(); token.kind != sql::TokenKind::end; token = lexer.next()) {
    if (token.kind == sql::TokenKind::parameter) ++count;
  }
  return count;
}

bool same_binding(const ParameterBinding& a, const ParameterBinding& b) {
  return a.bound == b.bound && a.io_type == b.io_type && a.c_type == b.c_type &&
         a.sql_type == b.sql_type && a.column_size == b.column_size && a.digits == b.digits &&
         a.value == b.value && a.buffer_length == b.buffer_length && a.indicator == b.indicator;
}

}  // namespace

Execution& execution_of(Statement& stmt) {
  if (stmt.execution == nullptr) stmt.execution = std::make_unique<Execution>(stmt);
  return *stmt.execution;
}

void Execution::set_text(std::string_view utf8, bool wide, Dialect dialect) {
  if (utf8 == text_ && wide == wide_ && !text_.empty()) return;
  text_ = utf8;
  wide_ = wide;
  classification_ = sql::classify(utf8, dialect);
  parameters_ = count_parameters(utf8, dialect);
  analysis_.reset();
}

const sql::Analysis* Execution::analysis(const std::shared_ptr<CatalogView>& view,
                                         bool default_search_path) {
  if (view == nullptr) return nullptr;
  if (analysis_ == nullptr || view_ != view || analyzed_default_path_ != default_search_path) {
    analysis_ = view->analysis(text_, default_search_path);
    view_ = view;
    analyzed_default_path_ = default_search_path;
  }
  return analysis_.get();
}

void Execution::drop_own() {
  if (own_ != SQL_NULL_HSTMT) {
    SQLHSTMT expected = own_;
    stmt_.current.compare_exchange_strong(expected, stmt_.real, std::memory_order_acq_rel);
    real_free_statement(*own_library_, own_);
  }
  own_ = SQL_NULL_HSTMT;
  own_prepared_.clear();
  own_bound_.clear();
  hidden = false;
}

bool Execution::bind_own() {
  const real::Entries& fn = own_library_->fn;
  if (fn.BindParameter == nullptr) return false;
  if (own_bound_.size() < parameters_) own_bound_.resize(parameters_);
  for (std::uint32_t i = 0; i < parameters_; ++i) {
    const ParameterBinding& wanted = stmt_.parameters[i];
    if (same_binding(own_bound_[i], wanted)) continue;
    const SQLRETURN ret = fn.BindParameter(
        own_, static_cast<SQLUSMALLINT>(i + 1), wanted.io_type, wanted.c_type, wanted.sql_type,
        wanted.column_size, wanted.digits, wanted.value, wanted.buffer_length, wanted.indicator);
    if (!SQL_SUCCEEDED(ret)) return false;
    own_bound_[i] = wanted;
  }
  if (stmt_.param_bind_offset != nullptr && fn.SetStmtAttr != nullptr) {
    fn.SetStmtAttr(own_, SQL_ATTR_PARAM_BIND_OFFSET_PTR, stmt_.param_bind_offset, SQL_IS_POINTER);
  }
  return true;
}

SQLRETURN Execution::run_own(const std::string& rewritten, bool direct) {
  if (own_ == SQL_NULL_HSTMT) {
    own_library_ = stmt_.connection.library;
    const SQLRETURN ret = real_alloc_statement(stmt_.connection, &own_);
    if (!SQL_SUCCEEDED(ret)) {
      own_ = SQL_NULL_HSTMT;
      return ret;
    }
    for (const SQLINTEGER attribute : {SQL_ATTR_QUERY_TIMEOUT, SQL_ATTR_NOSCAN}) {
      const Attribute* set = find_attribute(stmt_.attributes, attribute);
      if (set != nullptr) set_stmt_attribute(*own_library_, own_, *set);
    }
  }
  // SQLCancel and the application's questions about the outcome must reach this one.
  stmt_.current.store(own_, std::memory_order_release);
  if (!bind_own()) return SQL_ERROR;
  if (direct) {
    own_prepared_.clear();
    return real_exec_direct(*own_library_, own_, rewritten, wide_);
  }
  if (own_prepared_ != rewritten) {
    const SQLRETURN ret = real_prepare(*own_library_, own_, rewritten, wide_);
    if (!SQL_SUCCEEDED(ret)) return ret;
    own_prepared_ = rewritten;
  }
  const auto execute = own_library_->fn.Execute;
  return execute == nullptr ? static_cast<SQLRETURN>(SQL_ERROR) : execute(own_);
}

bool Execution::read_value(SQLUSMALLINT column, std::string* value, bool* is_null) {
  const auto get_data = own_library_->fn.GetData;
  // Through a W connection a Unicode driver converts SQL_C_CHAR by the process's locale.
  const bool wide = stmt_.connection.wide && own_library_->unicode;
  const std::size_t unit = wide ? sizeof(SQLWCHAR) : 1;
  const SQLSMALLINT c_type = wide ? SQL_C_WCHAR : SQL_C_CHAR;
  value->resize(std::max(value->capacity(), kFirstReadBytes) / 2 * 2);
  std::size_t used = 0;
  for (;;) {
    SQLLEN length = 0;
    const SQLRETURN ret = get_data(own_, column, c_type, value->data() + used,
                                   static_cast<SQLLEN>(value->size() - used), &length);
    if (ret == SQL_NO_DATA) break;  // the last piece filled the buffer exactly
    if (!SQL_SUCCEEDED(ret)) return false;
    *is_null = length == SQL_NULL_DATA;
    if (*is_null) return true;
    const std::size_t room = value->size() - used - unit;
    if (length != SQL_NO_TOTAL && static_cast<std::size_t>(length) <= room) {
      used += static_cast<std::size_t>(length);
      break;
    }
    used += room;
    const std::size_t missing =
        length == SQL_NO_TOTAL ? value->size() : static_cast<std::size_t>(length) - room;
    value->resize(used + missing + 2 * unit);
  }
  value->resize(used);
  if (!wide) return true;
  Result<std::string> text = real::to_utf8(reinterpret_cast<const SQLWCHAR*>(value->data()),
                                           static_cast<SQLLEN>(used / 2));
  if (!text.ok()) return false;
  *value = std::move(*text);
  return true;
}

SQLLEN Execution::read_rows(std::size_t columns, bool with_txid, Verb verb, EntryWriter* entries,
                            std::uint64_t* server_txid) {
  const real::Entries& fn = own_library_->fn;
  if (fn.Fetch == nullptr || fn.GetData == nullptr) return -1;
  SQLLEN rows = 0;
  for (;; ++rows) {
    const SQLRETURN ret = fn.Fetch(own_);
    if (ret == SQL_NO_DATA) break;
    if (!SQL_SUCCEEDED(ret)) return -1;
    bool is_null = false;
    if (columns != 0) entries->begin_row(verb);
    for (std::size_t i = 0; i < columns; ++i) {
      if (!read_value(static_cast<SQLUSMALLINT>(i + 1), &value_, &is_null)) return -1;
      entries->add_value(is_null ? std::nullopt : std::optional<std::string_view>(value_));
    }
    if (columns != 0) entries->end_row();
    if (with_txid && *server_txid == 0) {
      if (!read_value(static_cast<SQLUSMALLINT>(columns + 1), &value_, &is_null)) return -1;
      *server_txid = std::strtoull(value_.c_str(), nullptr, 10);
    }
  }
  if (fn.FreeStmt != nullptr) fn.FreeStmt(own_, SQL_CLOSE);
  return rows;
}

}  // namespace understudy::capture
