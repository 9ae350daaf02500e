// What an execution on a statement of our own must answer as the bare driver would: row counts,
// columns, results, the diagnostic header. Called as intercept.h says, by the api layer too.
#pragma once

#include "driver/handle/statement.h"

namespace understudy::capture {

SQLRETURN row_count(Statement& stmt, SQLLEN* count);
SQLRETURN num_result_cols(Statement& stmt, SQLSMALLINT* count);
SQLRETURN more_results(Statement& stmt);
/// True when the last execution ran on a statement of our own and left no result set that the
/// application may see.
bool without_result(const Statement& stmt);
/// What a fetch answers then: each real driver has an answer of its own.
SQLRETURN fetch_without_result(Statement& stmt, SQLSMALLINT orientation);
/// The diagnostics of an answer that the application's own statement gave while another is current.
SQLRETURN told_by_application_statement(Statement& stmt, SQLRETURN ret);
/// Whether a statement without result is said to have no columns, rather than to know none.
bool counts_no_columns(const Statement& stmt);
/// The real statement whose cursor has the name: the application's own, but psqlodbc names a cursor
/// only when it executes.
SQLHSTMT names_cursor(const Statement& stmt);
/// What `real`, one of the two real statements, has answered; warnings included.
SQLRETURN told_by(Statement& stmt, SQLHSTMT real, SQLRETURN ret);
/// A field of the diagnostic header that the real statement of ours would answer differently.
bool answer_header(const Statement& stmt, SQLSMALLINT field, SQLLEN* value);
/// The real statement that knows the parameters of the text given last.
SQLHSTMT parameters_of(const Statement& stmt);
/// Columns at the end of the present result that are ours.
SQLSMALLINT clipped_columns(const Statement& stmt);
/// The number to give the real driver for a column: one that the application does not have is one
/// that the real driver does not have either.
SQLUSMALLINT shown_column(const Statement& stmt, SQLUSMALLINT column);
/// The real statement of ours that the application fetches from, or null: settings and column
/// bindings that are changed while a result is open reach it as well.
SQLHSTMT clone(const Statement& stmt);

}  // namespace understudy::capture
