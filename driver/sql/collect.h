// How the rows of a statement whose RETURNING belongs to the application are kept on the server
// until they are asked for, by an expression that is one more column behind the application's own:
// on PostgreSQL in a setting of the transaction, on MariaDB in a variable of the session.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace understudy::sql {

/// Rows of one statement that are kept, in characters; a statement that returns more is counted as
/// not captured. Each row copies what is there already, so this bounds the time as well: thousands
/// of rows take milliseconds, not seconds.
inline constexpr std::size_t kCollectedCharactersMax = 256u << 10;
/// Stands in place of what did not fit.
inline constexpr std::string_view kCollectedTooMuch = "!";

/// A value in the kept form: its length in characters, a colon and its text; a dash for NULL.
std::string collected_value(std::string_view text_expression);
/// A row in the kept form: its values behind each other.
std::string collected_row(const std::vector<std::string>& text_expressions);
/// The expression that keeps one row.
std::string collecting_expression(const std::vector<std::string>& text_expressions);
/// Asks for what was kept and the transaction's id, and forgets it.
std::string collect_sql();

/// The same for MariaDB: the lengths are in bytes, and there is no transaction's id. The variable
/// outlives a statement that fails: it is asked for, and so forgotten, then as well.
std::string mariadb_collecting_expression(const std::vector<std::string>& text_expressions);
std::string mariadb_collect_sql();

/// Runs before each statement that keeps something: a variable that is not there yet when the
/// statement begins reads as NULL for its first rows, whatever it was assigned.
std::string mariadb_collect_begin_sql();

/// Of an UPDATE of MariaDB, which returns no rows: two more assignments of a column to itself, as
/// the first and the last one, which keep the old key and the new row of each row that differs
/// afterwards. Assignments are evaluated from the left to the right, once for each row.
struct KeepingAssignments {
  std::string first;
  std::string last;
};
/// `key`, `columns`: exact texts; `column`: what is assigned to itself.
KeepingAssignments mariadb_keeping(const std::string& column, const std::vector<std::string>& key,
                                   const std::vector<std::string>& columns);
/// The same of an upsert, which returns its rows: for each row that was there already, whether it
/// was changed, so that the rows can be counted as the server does without RETURNING.
inline constexpr char kUpsertChanged = 'c';
inline constexpr char kUpsertSame = 's';
KeepingAssignments mariadb_marking(const std::string& column,
                                   const std::vector<std::string>& columns);

}  // namespace understudy::sql
