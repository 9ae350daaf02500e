// RETURNING gives new rows only: the old ones are joined by their place, which stays theirs because
// the query before has locked them.
#include "driver/sql/postgresql_moves.h"

#include "driver/sql/text_parts.h"

namespace understudy::sql {
namespace {

/// Tokens at which the parts of an UPDATE begin; `where` is the end when there is none.
struct UpdateParts {
  std::size_t update = 0;
  std::size_t set = 0;  // 0: not understood
  std::size_t from = 0;
  std::size_t where = 0;
};

UpdateParts update_parts(const TokenizedText& text, bool has_from) {
  UpdateParts out;
  out.where = text.tokens.size();
  bool begun = false;
  std::size_t depth = 0;
  for (std::size_t i = 0; i < text.tokens.size(); ++i) {
    const Token& token = text.tokens[i];
    if (token.is('(') || token.is('[')) ++depth;
    if ((token.is(')') || token.is(']')) && depth > 0) --depth;
    if (depth != 0) continue;
    if (!begun && token.is_word("UPDATE")) {
      out.update = i;
      begun = true;
    } else if (begun && out.set == 0 && token.is_word("SET")) {
      out.set = i;
    } else if (out.set != 0 && has_from && out.from == 0 && token.is_word("FROM") &&
               !text.tokens[i - 1].is_word("DISTINCT")) {
      out.from = i;
    } else if (out.set != 0 && token.is_word("WHERE")) {
      out.where = i;
      break;
    }
  }
  if (has_from && out.from == 0) out.set = 0;
  return out;
}

/// The old versions, with their keys under names of our own.
std::string old_rows(const Table& table, const Analysis& effects, bool children) {
  std::string out = "(SELECT ";
  for (std::uint32_t i = 0; i < effects.key_count; ++i) {
    out += quote_identifier(table.columns[effects.columns[i]].name) + "::text AS understudy_" +
           std::to_string(i) + ", ";
  }
  return out + "tableoid AS understudy_part, ctid AS understudy_place FROM " +
         (children ? "" : "ONLY ") + quote_identifier(table.schema) + '.' +
         quote_identifier(table.name) + ") AS understudy_old";
}

std::string moved_columns(const Table& table, const Analysis& effects, const std::string& name) {
  std::string out;
  for (std::uint32_t i = 0; i < effects.key_count; ++i) {
    out += "understudy_old.understudy_" + std::to_string(i) + ", ";
  }
  for (const std::uint32_t ordinal : effects.columns) {
    out += name + '.' + quote_identifier(table.columns[ordinal].name) + "::text, ";
  }
  return out;
}

RowsQuery locking_query(const TokenizedText& text, const UpdateParts& at, const Table& table,
                        const Analysis& effects, const std::string& name) {
  const std::size_t end = text.tokens.size();
  RowsQuery out;
  out.table = &table;
  out.columns = effects.columns;
  out.key_count = effects.key_count;
  out.shape = effects.shape;
  TextParts parts(text);
  parts.copy(0, at.update).add(" SELECT ");
  parts.add(name + ".tableoid::text || ' ' || " + name + ".ctid::text FROM ");
  parts.copy(at.update + 1, at.set);
  if (at.from != 0) parts.add(", ").copy(at.from + 1, at.where);
  parts.add(" ").copy(at.where, end);
  parts.add(table.key.empty() ? " FOR NO KEY UPDATE OF " : " FOR UPDATE OF ").add(name);
  out.text = parts.text();
  out.parameters = parts.parameters();
  return out;
}

bool is_query(const std::string& text) {
  const Tree tree = parse_with_markers(text);
  return tree != nullptr && tree->n_stmts == 1 && tree->stmts[0]->stmt != nullptr &&
         tree->stmts[0]->stmt->node_case == PG_QUERY__NODE__NODE_SELECT_STMT;
}

}  // namespace

bool set_moves(const TokenizedText& text, const PgQuery__UpdateStmt& statement, const Table& table,
               const std::string& name, Analysis* out) {
  const bool joined = statement.n_from_clause != 0;
  const UpdateParts at = update_parts(text, joined);
  if (at.set == 0) return false;
  set_effects(out, table, Verb::move);
  const std::string quoted = quote_identifier(name);
  const std::string same = "understudy_old.understudy_place = " + quoted +
                           ".ctid AND understudy_old.understudy_part = " + quoted + ".tableoid";
  const bool all = at.where == text.tokens.size();
  TextParts parts(text);
  parts.copy(0, at.where).add(joined ? ", " : " FROM ");
  parts.add(old_rows(table, *out, statement.relation->inh)).add(all ? " WHERE " : " WHERE (");
  parts.copy(at.where + 1, text.tokens.size()).add(all ? "" : ") AND ").add(same);
  parts.add(" RETURNING " + moved_columns(table, *out, quoted));
  parts.add("understudy_old.understudy_part::text || ' ' || understudy_old.understudy_place::text");
  const std::string& changes = parts.text();
  const std::string rest(text.text.substr(text.end()));
  out->rewritten = changes + rest;
  out->rewritten_with_txid = changes + ", pg_catalog.pg_current_xact_id()::text" + rest;
  out->before.push_back(locking_query(text, at, table, *out, quoted));
  const std::size_t columns = out->key_count + out->columns.size() + 1;
  return returned_columns(out->rewritten) == columns && is_query(out->before[0].text);
}

}  // namespace understudy::sql
