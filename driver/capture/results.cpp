#include "driver/capture/results.h"

#include <cstring>
#include <utility>

#include "driver/capture/forward.h"
#include "driver/capture/session.h"

namespace understudy::capture {

bool without_result(const Statement& stmt) {
  return stmt.execution != nullptr && stmt.execution->hidden;
}

SQLRETURN row_count(Statement& stmt, SQLLEN* count) {
  const bool part = stmt.execution != nullptr && stmt.execution->shows_part();
  if (!part && !without_result(stmt))
    return forward(stmt, entries(stmt).RowCount, current(stmt), count);
  const Execution& execution = *stmt.execution;
  const bool known = execution.result < execution.counts.size();
  // Of an array all of whose sets are ignored, and of a set that failed, psqlodbc has no count.
  const bool none = stmt.connection.session->dialect == Dialect::postgresql;
  const SQLLEN rows = known ? execution.counts[execution.result] : none ? kNoRowCount : -1;
  if (count != nullptr && rows != kNoRowCount) *count = rows;
  return SQL_SUCCESS;
}

SQLRETURN num_result_cols(Statement& stmt, SQLSMALLINT* count) {
  if (without_result(stmt)) {
    if (count != nullptr) *count = 0;
    return SQL_SUCCESS;
  }
  const SQLRETURN ret = forward(stmt, entries(stmt).NumResultCols, current(stmt), count);
  if (SQL_SUCCEEDED(ret) && count != nullptr) *count -= clipped_columns(stmt);
  return ret;
}

namespace {

// Of Connector/ODBC, which runs on where a part has failed, or tells of it behind the others.
SQLRETURN next_part(Statement& stmt) {
  Execution& execution = *stmt.execution;
  if (execution.result + 1 < execution.counts.size()) {
    execution.show(execution.result + 1);
    return SQL_SUCCESS;
  }
  if (!execution.failed_set.empty()) {
    stmt.diagnostics = std::exchange(execution.failed_set, {});
    return SQL_ERROR;
  }
  return execution.visible ? forward(stmt, entries(stmt).MoreResults, current(stmt))
                           : static_cast<SQLRETURN>(SQL_NO_DATA);
}

}  // namespace

SQLRETURN more_results(Statement& stmt) {
  if (stmt.execution != nullptr && stmt.execution->shows_part()) return next_part(stmt);
  if (stmt.execution != nullptr && !stmt.execution->shown.empty()) {
    Execution& execution = *stmt.execution;
    if (execution.result + 1 < execution.counts.size()) {
      execution.show(execution.result + 1);
      return SQL_SUCCESS;
    }
    if (!execution.failed_set.empty()) {
      execution.failed_on_own = true;
      stmt.diagnostics = std::exchange(execution.failed_set, {});
      return SQL_ERROR;
    }
    const bool last = execution.result + 1 == execution.shown.size();
    if (last && std::exchange(execution.shown.back().followed, false)) {
      (void)forward(stmt, entries(stmt).MoreResults, current(stmt));
    }
  }
  if (!without_result(stmt)) return forward(stmt, entries(stmt).MoreResults, current(stmt));
  Execution& execution = *stmt.execution;
  if (execution.result + 1 < execution.counts.size()) {
    ++execution.result;
    return SQL_SUCCESS;
  }
  if (execution.failed_set.empty()) return SQL_NO_DATA;
  execution.result = execution.counts.size();
  execution.ran_at = stmt.calls;
  stmt.diagnostics = std::exchange(execution.failed_set, {});
  return SQL_ERROR;
}

bool counts_no_columns(const Statement& stmt) {
  return stmt.connection.session->dialect == Dialect::postgresql;
}

SQLHSTMT names_cursor(const Statement& stmt) {
  const Session* session = stmt.connection.session.get();
  const bool named_by_driver =
      session != nullptr && session->dialect == Dialect::postgresql && stmt.cursor_name.empty();
  return named_by_driver ? current(stmt) : stmt.real;
}

SQLRETURN told_by(Statement& stmt, SQLHSTMT real, SQLRETURN ret) {
  const bool told = ret == SQL_ERROR || ret == SQL_SUCCESS_WITH_INFO;
  if (told && stmt.connection.session != nullptr && current(stmt) != real) {
    take_diagnostics(*stmt.library, SQL_HANDLE_STMT, real, stmt.connection.wide, stmt);
  }
  return ret;
}

SQLRETURN told_by_application_statement(Statement& stmt, SQLRETURN ret) {
  if (ret == SQL_ERROR && without_result(stmt)) {
    take_diagnostics(*stmt.library, SQL_HANDLE_STMT, stmt.real, stmt.connection.wide, stmt);
  }
  return ret;
}

namespace {

// In the words of the real driver, which does not know of the execution.
SQLRETURN refuse_as_real(Statement& stmt, const char* state, SQLINTEGER native, const char* text) {
  Diagnostic refused;
  std::memcpy(refused.sqlstate, state, sizeof(refused.sqlstate));
  refused.message = text;
  refused.native = native;
  refused.of_real = true;
  refused.server_name = stmt.connection.settings.dsn;
  stmt.diagnostics.push_back(std::move(refused));
  return SQL_ERROR;
}

// psqlodbc makes the cursor of what is no query a forward-only one.
SQLRETURN fetch_from_psqlodbc(Statement& stmt, SQLSMALLINT orientation) {
  if (orientation == SQL_FETCH_NEXT) return SQL_NO_DATA;
  return refuse_as_real(
      stmt, "HY106", 31,
      "The fetch type for PGAPI_ExtendedFetch isn't allowed with ForwardOnly cursor.");
}

}  // namespace

SQLRETURN fetch_without_result(Statement& stmt, SQLSMALLINT orientation) {
  const Dialect dialect = stmt.connection.session->dialect;
  if (dialect == Dialect::postgresql) return fetch_from_psqlodbc(stmt, orientation);
  // The application's own statement has no result either, and says so in the real driver's words.
  if (stmt.execution->shows_part()) return stmt.fail("24000", "invalid cursor state");
  const auto fetch = entries(stmt).Fetch;
  const SQLRETURN ret = fetch == nullptr ? static_cast<SQLRETURN>(SQL_ERROR) : fetch(stmt.real);
  if (ret == SQL_ERROR) return told_by_application_statement(stmt, ret);
  // It has had one before.
  if (dialect != Dialect::sqlite) return stmt.fail("24000", "invalid cursor state");
  return refuse_as_real(stmt, "24000", -1, "[SQLite]no result set available");
}

namespace {

bool is_row_count(SQLSMALLINT field) {
  return field == SQL_DIAG_ROW_COUNT || field == SQL_DIAG_CURSOR_ROW_COUNT;
}

bool hidden_count(const Execution& execution, SQLSMALLINT field, SQLLEN* value) {
  if (field != SQL_DIAG_ROW_COUNT || !execution.hidden) return false;
  if (execution.result >= execution.counts.size()) return false;
  const SQLLEN rows = execution.counts[execution.result];
  *value = rows == kNoRowCount ? -1 : rows;
  return true;
}

bool psqlodbc_header(const Execution& execution, SQLSMALLINT field, SQLLEN* value) {
  if (field == SQL_DIAG_CURSOR_ROW_COUNT) {
    *value = -1;
    return execution.failed_on_own || execution.hidden;
  }
  if (!execution.hidden) {
    *value = execution.rows_first;
    return execution.rows_first >= 0 && !execution.asked_since();
  }
  if (execution.asked_since()) {
    *value = 0;  // it forgets at the next call
    return true;
  }
  if (execution.counts.empty()) return false;
  if (execution.result < execution.counts.size()) return hidden_count(execution, field, value);
  *value = -1;  // of the set that failed
  return true;
}

bool libsqliteodbc_header(const Execution& execution, SQLSMALLINT field, SQLLEN* value) {
  *value = field == SQL_DIAG_ROW_COUNT ? execution.rows_last : 0;
  return execution.stands_in;
}

// Connector/ODBC sends a text without parameters as a text, whose count it does not keep here.
bool connector_header(const Execution& execution, SQLSMALLINT field, SQLLEN* value) {
  // A call that has failed behind the result that is shown.
  if (field == SQL_DIAG_CURSOR_ROW_COUNT && execution.visible && execution.failed_on_own) {
    *value = 0;
    return true;
  }
  if (field != SQL_DIAG_ROW_COUNT || !execution.stands_in) return false;
  *value = 0;
  if (execution.plain) return true;
  *value = execution.rows_last;
  return (!execution.failed_on_own || execution.given_up) &&
         (execution.pending == nullptr || execution.remembers_own);
}

}  // namespace

bool answer_header(const Statement& stmt, SQLSMALLINT field, SQLLEN* value) {
  const bool recorded = stmt.execution != nullptr && stmt.connection.session != nullptr;
  if (!recorded || !is_row_count(field)) return false;
  const Execution& execution = *stmt.execution;
  SQLLEN answer = 0;
  const auto by_driver = [&]() -> bool {
    switch (stmt.connection.session->dialect) {
      case Dialect::postgresql:
        return psqlodbc_header(execution, field, &answer);
      case Dialect::sqlite:
        return libsqliteodbc_header(execution, field, &answer);
      case Dialect::mariadb:
        return connector_header(execution, field, &answer);
      default:
        return hidden_count(execution, field, &answer);
    }
  };
  if (!by_driver()) return false;
  *value = answer;
  return true;
}

SQLHSTMT parameters_of(const Statement& stmt) {
  const bool prepared =
      stmt.execution == nullptr || !stmt.execution->direct || stmt.execution->given_to == stmt.real;
  return prepared ? stmt.real : current(stmt);
}

SQLSMALLINT clipped_columns(const Statement& stmt) {
  return stmt.execution == nullptr ? SQLSMALLINT{0} : stmt.execution->clipped;
}

SQLUSMALLINT shown_column(const Statement& stmt, SQLUSMALLINT column) {
  const SQLSMALLINT clipped = clipped_columns(stmt);
  if (clipped == 0) [[likely]]
    return column;
  SQLSMALLINT columns = 0;
  const auto ask = entries(stmt).NumResultCols;
  if (ask == nullptr || !SQL_SUCCEEDED(ask(current(stmt), &columns))) return column;
  const bool behind = static_cast<SQLSMALLINT>(column) > columns - clipped;
  return behind ? static_cast<SQLUSMALLINT>(column + clipped) : column;
}

SQLHSTMT clone(const Statement& stmt) {
  const bool visible = stmt.execution != nullptr && stmt.execution->visible;
  return visible ? current(stmt) : SQL_NULL_HSTMT;
}

}  // namespace understudy::capture
