#include <algorithm>
#include <iterator>

#include "replayer/dialect/counterpart.h"
#include "replayer/mapping/table_pair.h"

namespace understudy {
namespace {

void pair_columns(TablePair& pair, std::vector<std::string>* problems) {
  const Table& from = *pair.production;
  const Table& to = *pair.shadow;
  for (std::uint32_t i = 0; i < from.columns.size(); ++i) {
    const auto& column = from.columns[i];
    const auto there = to.column(column.name);
    if (column.generated || (there && to.columns[*there].generated)) continue;
    if (!there) {
      problems->push_back("column " + column.name + " of table " + from.display_name() +
                          " is absent on the shadow; add it");
      continue;
    }
    pair.production_columns.push_back(i);
    pair.shadow_columns.push_back(*there);
  }
  for (const auto& column : to.columns) {
    if (fills_itself(column) || from.column(column.name)) continue;
    problems->push_back("column " + column.name + " of the shadow's table " + to.display_name() +
                        " takes no NULL and production has none of that name; give it a default");
  }
}

}  // namespace

std::optional<std::size_t> TablePair::place_of(std::uint32_t production_column) const {
  const auto at =
      std::find(production_columns.begin(), production_columns.end(), production_column);
  if (at == production_columns.end()) return std::nullopt;
  return static_cast<std::size_t>(at - production_columns.begin());
}

bool Mapped::names(const Table& production) const {
  return std::find(dropped.begin(), dropped.end(), &production) != dropped.end() ||
         std::any_of(pairs.begin(), pairs.end(),
                     [&](const TablePair& pair) { return pair.production == &production; });
}

bool fills_itself(const Column& column) {
  return column.nullable || column.generated || column.identity ||
         column.default_kind != DefaultKind::none;
}

std::vector<Conversion> conversions_of(const TablePair& pair, Dialect from, Dialect to) {
  std::vector<Conversion> out;
  for (std::size_t i = 0; i < pair.shadow_columns.size(); ++i) {
    out.emplace_back(from, pair.production->columns[pair.production_columns[i]], to,
                     pair.shadow->columns[pair.shadow_columns[i]]);
  }
  return out;
}

std::vector<TablePair> pair_tables(const Catalog& production, const Catalog& shadow,
                                   const Mapped& mapped, std::vector<std::string>* problems) {
  std::vector<TablePair> out;
  for (const auto& table : production.tables) {
    if (!table.holds_rows()) continue;
    if (mapped.names(table)) {
      std::copy_if(mapped.pairs.begin(), mapped.pairs.end(), std::back_inserter(out),
                   [&](const TablePair& pair) { return pair.production == &table; });
      continue;
    }
    const auto* there = counterpart_of(table.schema, table.name, production.dialect, shadow);
    if (there == nullptr || !there->holds_rows()) {
      problems->push_back("table " + table.display_name() +
                          " is absent on the shadow; create it there");
      continue;
    }
    if (table.key.empty()) {
      problems->push_back("table " + table.display_name() +
                          " has no primary key; its changes can only be replayed one by one");
    }
    TablePair pair;
    pair.production = &table;
    pair.shadow = there;
    pair_columns(pair, problems);
    out.push_back(std::move(pair));
  }
  return out;
}

void mark_by_effects(const Mapped& mapped, Catalog* production, Catalog* shadow) {
  const auto mark = [](Catalog* catalog, const Table* named) {
    for (Table& table : catalog->tables) {
      if (&table == named) table.by_effects = true;
    }
  };
  for (const Table* table : mapped.dropped) mark(production, table);
  for (const TablePair& pair : mapped.pairs) {
    mark(production, pair.production);
    mark(shadow, pair.shadow);
  }
}

std::vector<SequenceState> map_sequences(std::vector<SequenceState> sequences,
                                         const Mapped& mapped) {
  for (SequenceState& state : sequences) {
    for (const TablePair& pair : mapped.pairs) {
      const Table& table = *pair.production;
      const bool here =
          state.table == table.name && (state.schema.empty() || state.schema == table.schema);
      if (!here) continue;
      const auto column = table.column(state.column);
      const auto place = column ? pair.place_of(*column) : std::nullopt;
      if (column && !place) continue;
      if (place) state.column = pair.shadow->columns[pair.shadow_columns[*place]].name;
      state.schema = pair.shadow->schema;
      if (state.name == state.table) state.name = pair.shadow->name;
      state.table = pair.shadow->name;
      break;
    }
  }
  return sequences;
}

}  // namespace understudy
