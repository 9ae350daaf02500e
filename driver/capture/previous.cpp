// MariaDB tells of the last statement when a text asks: ROW_COUNT(), FOUND_ROWS(), warnings. Behind
// the application's there may be statements of ours.
//
// Warnings outlive what names no table: SET, COMMIT, SAVEPOINT, queries of variables. So questions
// about rows are asked before the application's statement, and afterwards only where no form of the
// statement keeps its rows by itself. The two functions read variables in the application's texts.
#include "driver/sql/previous.h"

#include <atomic>
#include <utility>

#include "driver/capture/intercept.h"
#include "driver/capture/session.h"

namespace understudy::capture {
namespace {

// A program that looks at warnings once is going to do so again, on whichever connection.
std::atomic<bool> warnings_are_read{false};

}  // namespace

std::string Session::tell_previous(const Execution& execution) {
  const std::string rows = std::exchange(previous.rows, {});
  const sql::AsksPrevious& asks = execution.asks;
  if (asks.warnings) warnings_are_read.store(true, std::memory_order_relaxed);
  const bool ours = !rows.empty() || previous.found_kept;
  if (!asks.text.empty() && (ours || previous.told)) {
    send_aside(sql::previous_sql(rows, previous.found_kept));
    previous.told = true;
  }
  if (!sql::modifies(execution.classification().cls)) found_rows_set(execution.text());
  return rows;
}

void Session::tell_diagnostics(const Execution& execution, const std::string& rows) {
  if (rows.empty() || !execution.asks.diagnostics) return;
  previous.rows = rows;
  for (const std::string& variable : execution.asks.row_count_into) {
    std::string text = "SET ";
    text += variable;
    text += " = ";
    send_aside(text += rows);
  }
}

void Session::found_rows_set(const std::string& text, bool joins) {
  if (previous.found_kept && (joins || sql::sets_found_rows(text))) previous.found_kept = false;
}

void Session::keep_found_rows() {
  if (dialect != Dialect::mariadb || previous.found_kept) return;
  previous.found_kept = SQL_SUCCEEDED(send_aside(sql::kKeepFoundRows));
}

void Session::keep_row_count(Statement& stmt, SQLRETURN ret) {
  if (dialect != Dialect::mariadb || !previous.rows.empty()) return;
  SQLSMALLINT columns = 0;
  SQLLEN rows = -1;
  // The questions are going to clear what the real driver warned of.
  if (ret == SQL_SUCCESS_WITH_INFO && stmt.diagnostics.empty()) {
    take_diagnostics(*stmt.library, SQL_HANDLE_STMT, stmt.current.load(), stmt.connection.wide,
                     stmt);
  }
  if (SQL_SUCCEEDED(ret) && SQL_SUCCEEDED(num_result_cols(stmt, &columns)) && columns == 0) {
    (void)row_count(stmt, &rows);
  }
  previous.rows = std::to_string(ret == SQL_NO_DATA ? 0 : rows);
}

bool Session::warned() {
  if (dialect != Dialect::mariadb || !warnings_are_read.load(std::memory_order_relaxed)) {
    return false;
  }
  SQLHSTMT statement = question();
  const bool none = statement != SQL_NULL_HSTMT &&
                    SQL_SUCCEEDED(real_exec_direct(*dbc.library, statement,
                                                   "SELECT @@warning_count", dbc.wide)) &&
                    first_number(*dbc.library, statement) == 0;
  drop_question();
  return !none;
}

}  // namespace understudy::capture
