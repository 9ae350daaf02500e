// What the analyzers of the dialects share. Internal to driver/sql.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "driver/sql/analyzer.h"
#include "driver/sql/lexer.h"

namespace understudy::sql {

inline constexpr std::size_t kAnalyzedBytesMax = 1u << 20;  // longer texts are not parsed
inline constexpr std::size_t kAnalyzedTokensMax = 200000;
/// Bound on the depth of a parse tree, estimated before parsing: libpg_query's writer and
/// protobuf-c recurse without a check of their own, and the application's threads may have small
/// stacks. Trees of this depth were measured to fit a thread of 512 KiB.
inline constexpr std::size_t kNestingMax = 150;

/// One statement cut into tokens.
struct TokenizedText {
  std::string_view text;
  std::vector<Token> tokens;  // without `end` and trailing semicolons
  std::uint32_t parameters = 0;
  bool plain_parameters = true;  // only `?`: no ?1, :name, @name
  bool escape = false;           // `{` outside quotes
  bool understood = true;        // within the limits, UTF-8, nothing unterminated
  std::size_t ends_at = 0;       // where the statement ends, when not with its last token
  std::string_view escaped;      // the application's text, when `text` hides its ODBC escapes

  /// The application's text, at the same offsets.
  [[nodiscard]] std::string_view original() const { return escaped.empty() ? text : escaped; }
  /// Behind the last token: where a clause can be appended, before comments and semicolons.
  [[nodiscard]] std::size_t end() const;
  /// Index of the token at this byte offset.
  [[nodiscard]] std::optional<std::size_t> at(std::size_t offset) const;
};
/// What stands for a value that is given later.
enum class Parameters : std::uint8_t {
  markers,   // as in an application's text
  numbered,  // $1, $2, ... of PostgreSQL's PREPARE are read as well, as plain values
};
TokenizedText tokenize(std::string_view text, Dialect dialect,
                       Parameters parameters = Parameters::markers);

void set_opaque(Analysis* analysis, std::string_view reason);
/// Why changes of this table cannot be recorded as effects; empty: they can.
std::string_view table_obstacle(const Table* table);
/// Fills columns, key_count and shape for effects of this verb, and sets the verdict `effects`. Of
/// a table without a key the whole row is the key.
void set_effects(Analysis* analysis, const Table& table, Verb verb);
/// `name` as a quoted identifier of standard SQL, and as one of MariaDB.
std::string quote_identifier(std::string_view name);
std::string backticked(std::string_view name);
/// A text constant of MariaDB, given in UTF-8, that means the same in every SQL mode and character
/// set of the connection.
std::string text_constant(std::string_view value);
/// Whether these tokens are a literal that stands for a key value as the engine stores it: an
/// integer for an integer column, '...' for a text column. So equal keys are equal texts.
bool plain_key_literal(const TokenizedText& text, std::size_t first_token, std::size_t count,
                       const Column& column, Dialect dialect);
/// Whether the literal's text names a moment that the server computes: 'now', 'today', ...
bool names_a_moment(std::string_view literal);

/// The analysis has classification and parameters; the text is one statement.
void analyze_postgresql(const TokenizedText& text, const Catalog& catalog, const SearchPath& path,
                        Analysis* analysis);
void analyze_sqlite(const TokenizedText& text, const Catalog& catalog, Analysis* analysis);
/// Of an engine of which nothing is known but what `Catalog::engine` says.
void analyze_generic(const TokenizedText& text, const Catalog& catalog, const SearchPath& path,
                     Analysis* analysis);
void analyze_mariadb(const TokenizedText& text, const Catalog& catalog, const SearchPath& path,
                     Analysis* analysis);

}  // namespace understudy::sql
