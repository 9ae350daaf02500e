#include "replayer/migration/across.h"

#include <algorithm>
#include <cstdlib>

#include "journal/exact_text.h"

namespace understudy {
namespace {

bool may_be_zero(const Column& production, const Column& shadow) {
  const std::string_view base = mariadb_base_type(production.type);
  const PostgresqlType there = postgresql_type(shadow.type);
  const bool date = base == "date" || base == "datetime" || base == "timestamp";
  return date && (there == PostgresqlType::date || there == PostgresqlType::timestamp ||
                  there == PostgresqlType::timestamptz);
}

}  // namespace

std::vector<std::string> never_converted(const std::vector<TablePair>& pairs, Dialect from,
                                         Dialect to) {
  std::vector<std::string> out;
  for (const TablePair& pair : pairs) {
    const auto conversions = conversions_of(pair, from, to);
    for (std::size_t i = 0; i < conversions.size(); ++i) {
      const std::string why = conversions[i].obstacle();
      if (why.empty()) continue;
      const Column& column = pair.production->columns[pair.production_columns[i]];
      out.push_back("column " + pair.production->display_name() + "." + column.name + ": " + why);
    }
  }
  return out;
}

std::vector<std::string> not_converted(const Database& production,
                                       const std::vector<TablePair>& pairs) {
  std::vector<std::string> out;
  if (production.sql().kind() != Dialect::mariadb) return out;
  for (const TablePair& pair : pairs) {
    std::string columns;
    std::string zero;
    for (std::size_t i = 0; i < pair.production_columns.size(); ++i) {
      const Column& column = pair.production->columns[pair.production_columns[i]];
      if (!may_be_zero(column, pair.shadow->columns[pair.shadow_columns[i]])) continue;
      const std::string name = production.sql().quote(column.name);
      columns += (columns.empty() ? "" : ", ") + column.name;
      zero.append(zero.empty() ? "" : " OR ");
      zero.append("MONTH(").append(name).append(") = 0 OR ");
      zero.append("DAYOFMONTH(").append(name).append(") = 0");
    }
    if (zero.empty()) continue;
    const std::string query = "SELECT 1 FROM " + production.sql().qualified(*pair.production) +
                              " WHERE " + zero + " LIMIT 1";
    if (production.db().scalar(query)) {
      out.push_back("table " + pair.production->display_name() +
                    " holds zero dates, which PostgreSQL does not take, in one of " + columns);
    }
  }
  return out;
}

std::vector<SequenceState> sequences_across(const Database& production, const Catalog& catalog) {
  std::vector<SequenceState> out = production.sql().read_sequences(production.db());
  for (const Table& table : catalog.tables) {
    const auto column = std::find_if(table.columns.begin(), table.columns.end(),
                                     [](const Column& one) { return one.identity; });
    if (!table.holds_rows() || column == table.columns.end()) continue;
    const auto known = std::find_if(out.begin(), out.end(), [&](const SequenceState& state) {
      return state.schema.empty() && state.table == table.name;
    });
    SequenceState& state = known == out.end() ? out.emplace_back() : *known;
    state.name = state.table = table.name;
    state.column = column->name;
    const std::string name = production.sql().quote(column->name);
    const auto largest = production.db().scalar("SELECT MAX(" + name + ") FROM " +
                                                production.sql().qualified(table));
    state.last_value =
        std::max(state.last_value, std::strtoll(largest.value_or("0").c_str(), nullptr, 10));
    state.is_called = state.last_value > 0;
  }
  return out;
}

}  // namespace understudy
