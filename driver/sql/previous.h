// Texts of MariaDB that ask what the statement before them has done.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace understudy::sql {

struct AsksPrevious {
  /// The text that asks the variables set by `previous_sql` instead of ROW_COUNT() and
  /// FOUND_ROWS(), with the same columns. Empty: it calls neither.
  std::string text;
  bool diagnostics = false;  // GET DIAGNOSTICS
  /// The variables that it gives its ROW_COUNT.
  std::vector<std::string> row_count_into;
  /// It reads the warnings or errors of that statement.
  bool warnings = false;
};

/// Reads no more of the text than its tokens. Pure.
AsksPrevious asks_previous(std::string_view text);

/// Keeps the FOUND_ROWS() of the session before questions of ours; changes no diagnostics.
inline constexpr char kKeepFoundRows[] = "SET @understudy_found = FOUND_ROWS()";
inline constexpr char kAlsoKeepFoundRows[] = ", @understudy_found = FOUND_ROWS()";

/// The same for ROW_COUNT(), and the variable it is kept in.
inline constexpr char kKeepRowCount[] = "SET @understudy_count = ROW_COUNT()";
inline constexpr char kKeptRowCount[] = "@understudy_count";

/// Sets what `AsksPrevious::text` reads. `rows`: an expression for what ROW_COUNT() is to be;
/// empty: as the server says. `found_kept`: FOUND_ROWS() was kept.
std::string previous_sql(const std::string& rows, bool found_kept);

/// Whether a query or statement of this text leaves another FOUND_ROWS() behind.
bool sets_found_rows(std::string_view text);

}  // namespace understudy::sql
