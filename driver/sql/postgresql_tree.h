// A PostgreSQL parse tree made by libpg_query, and questions that any part of it answers alike.
// Internal to driver/sql.
#pragma once

#include <pg_query/pg_query.pb-c.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "driver/sql/dialects.h"
#include "driver/sql/functions.h"

namespace understudy::sql {

/// The text with `?` turned into `$1`, `$2`, ... for the parser, and the way back.
struct NumberedText {
  std::string text;
  std::vector<std::size_t> starts;  // of each parameter in `text`

  /// Offset in the application's text of an offset in `text`.
  [[nodiscard]] std::size_t original(std::size_t offset) const;
};
NumberedText number_parameters(const TokenizedText& text);

struct TreeDeleter {
  void operator()(PgQuery__ParseResult* tree) const;
};
using Tree = std::unique_ptr<PgQuery__ParseResult, TreeDeleter>;

/// Null when the text is no PostgreSQL statement. Thread safe: libpg_query keeps its state per
/// thread. Allocates on the heap; recursion is bounded by kNestingMax of the tokenized text.
Tree parse_postgresql(const std::string& text);

/// The tree of a text of ours, in which the application's markers stand; null as above.
Tree parse_with_markers(const std::string& text);
/// Columns in the RETURNING of such a text; 0 when it is no INSERT, UPDATE or DELETE.
std::size_t returned_columns(const std::string& text);

/// Calls `visit` for every message below and including `root`, without recursion.
void walk(const ProtobufCMessage* root, const std::function<void(const ProtobufCMessage&)>& visit);

/// Name of a possibly qualified built-in function; empty when the qualifier is not pg_catalog.
std::string_view builtin_name(PgQuery__Node* const* names, std::size_t count);

/// What a statement does besides its own writing.
struct SideEffects {
  bool unknown_function = false;
  bool sequences = false;
  bool locks = false;  // advisory locks, FOR UPDATE
  bool into = false;
  bool current_of = false;
  bool writing_cte = false;
  std::size_t writing = 0;  // INSERT, UPDATE, DELETE and MERGE, itself among them
};
SideEffects side_effects(const PgQuery__Node& statement);

}  // namespace understudy::sql
