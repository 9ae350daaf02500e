#include "driver/sql/postgresql_views.h"

#include <algorithm>

#include "driver/sql/postgresql_tree.h"

namespace understudy::sql {
namespace {

constexpr int kViewsMax = 16;  // one upon the other

using Node = PgQuery__Node;

std::string_view text_of(const char* s) {
  return s == nullptr ? std::string_view() : s;
}

/// The column that an item of the view's definition shows; empty: none, or an expression.
std::string_view shown_column(const Node& item) {
  if (item.node_case != PG_QUERY__NODE__NODE_RES_TARGET || item.res_target->val == nullptr ||
      item.res_target->val->node_case != PG_QUERY__NODE__NODE_COLUMN_REF) {
    return {};
  }
  const PgQuery__ColumnRef& ref = *item.res_target->val->column_ref;
  if (ref.n_fields == 0) return {};
  const Node& last = *ref.fields[ref.n_fields - 1];
  return last.node_case == PG_QUERY__NODE__NODE_STRING ? text_of(last.string->sval)
                                                       : std::string_view();
}

std::optional<ViewedTable> table_itself(const Table& table) {
  ViewedTable out;
  out.table = &table;
  for (const Column& column : table.columns) out.names.push_back(column.name);
  return out;
}

std::optional<ViewedTable> viewed(const Table& view, const Catalog& catalog, int left) {
  if (!view.is_view) return table_itself(view);
  if (left == 0 || view.definition.empty() || view.rules || !view.triggers.empty()) {
    return std::nullopt;
  }
  if (!tokenize(view.definition, Dialect::postgresql).understood) return std::nullopt;
  const Tree tree = parse_postgresql(view.definition);
  if (tree == nullptr || tree->n_stmts != 1 ||
      tree->stmts[0]->stmt->node_case != PG_QUERY__NODE__NODE_SELECT_STMT) {
    return std::nullopt;
  }
  const PgQuery__SelectStmt& query = *tree->stmts[0]->stmt->select_stmt;
  if (query.n_from_clause != 1 || query.n_target_list != view.columns.size() ||
      query.from_clause[0]->node_case != PG_QUERY__NODE__NODE_RANGE_VAR) {
    return std::nullopt;
  }
  const PgQuery__RangeVar& from = *query.from_clause[0]->range_var;
  if (from.alias != nullptr && from.alias->n_colnames != 0) return std::nullopt;
  // Written by the server as its own session, which read the catalog, would find the names.
  const Table* below = catalog.find(text_of(from.schemaname), text_of(from.relname));
  auto out = below == nullptr ? std::nullopt : viewed(*below, catalog, left - 1);
  if (!out) return out;
  std::vector<std::string> names(out->names.size());
  for (std::size_t i = 0; i < query.n_target_list; ++i) {
    const std::string_view shown = shown_column(*query.target_list[i]);
    const auto at = std::find(out->names.begin(), out->names.end(), shown);
    if (shown.empty() || at == out->names.end()) continue;
    names[static_cast<std::size_t>(at - out->names.begin())] = view.columns[i].name;
  }
  out->names = std::move(names);
  return out;
}

}  // namespace

std::optional<ViewedTable> viewed_table(const Table& view, const Catalog& catalog) {
  return viewed(view, catalog, kViewsMax);
}

bool set_viewed_effects(Analysis* analysis, const ViewedTable& view, Verb verb,
                        std::vector<std::string>* names) {
  const Table& table = *view.table;
  if (table.rules || table.row_security || table.inherited || table.key.empty()) return false;
  set_effects(analysis, table, verb);
  const bool comes = verb == Verb::insert || verb == Verb::put;
  Shape shape{table.schema, table.name, analysis->key_count, {}};
  std::vector<std::uint32_t> columns;
  for (const std::uint32_t ordinal : analysis->columns) {
    const Column& column = table.columns[ordinal];
    const bool key = columns.size() < analysis->key_count;
    if (view.names[ordinal].empty()) {
      // A trigger may set what is not shown; the shadow has the same default if it is a constant.
      const bool made = column.identity || column.default_kind == DefaultKind::computed;
      if (key || !table.triggers.empty() || (comes && made)) return false;
      continue;
    }
    columns.push_back(ordinal);
    names->push_back(view.names[ordinal]);
    shape.columns.push_back(column.name);
  }
  analysis->columns = std::move(columns);
  analysis->shape = shape.encode();
  return true;
}

}  // namespace understudy::sql
