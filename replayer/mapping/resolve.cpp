#include "replayer/mapping/resolve.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "replayer/dialect/counterpart.h"

namespace understudy {
namespace {

const Table* find_table(const Catalog& catalog, const std::string& name) {
  for (const Table& table : catalog.tables) {
    if (table.display_name() == name) return &table;
  }
  if (const Table* table = catalog.find("", name)) return table;
  const std::size_t dot = name.find('.');
  if (dot == std::string::npos) return nullptr;
  return catalog.find(name.substr(0, dot), name.substr(dot + 1));
}

class Resolver {
 public:
  Resolver(const MappingFile& file, const Catalog& production, const Catalog& shadow)
      : file_(file),
        production_(production),
        shadow_(shadow),
        dialect_(file.tables.empty() ? nullptr : &sql_dialect(shadow)) {}

  Mapped resolve() {
    for (const MappingFile::Table& table : file_.tables) add_table(table);
    for (const Table& table : production_.tables) require_own_target(table);
    return std::move(out_);
  }

 private:
  using Ordinals = std::set<std::uint32_t>;

  [[noreturn]] void wrong(MappingPlace place, std::string_view reason) const {
    throw MappingError(file_.path, place, reason);
  }

  void add_table(const MappingFile::Table& said) {
    const Table& table = production_table(said.name);
    if (!seen_.insert(&table).second)
      wrong(said.name.place, fmt::format("table {} is mapped twice", table.display_name()));
    if (said.dropped) {
      out_.dropped.push_back(&table);
      return;
    }
    // Equal rows of such a table are told apart by nothing, and parts of them even less.
    if (table.key.empty())
      wrong(said.name.place, fmt::format("table {} has no primary key, by which its rows would be "
                                         "found on the shadow; give it one, or drop the table",
                                         table.display_name()));
    const Ordinals dropped = columns_of(table, said.drop);
    for (const MappingName& name : said.drop) {
      if (in_key(table, *table.column(name.name)))
        wrong(name.place, fmt::format("column {} is part of the primary key, by which rows are "
                                      "found; it cannot be dropped",
                                      name.name));
    }
    if (said.split) require_parts(said, table, dropped);
    std::set<std::uint32_t> carried;
    for (const MappingFile::Part& part : said.parts) {
      out_.pairs.push_back(pair_of(said, part, table, dropped));
      const auto& columns = out_.pairs.back().production_columns;
      carried.insert(columns.begin(), columns.end());
    }
    for (const MappingName& name : said.retyped) {
      const auto column = table.column(name.name);
      if (!column) wrong(name.place, no_column(table, name.name));
      if (!carried.contains(*column))
        wrong(name.place, fmt::format("column {} does not go to the shadow, so it has no type "
                                      "there; leave it out of `retyped`",
                                      name.name));
    }
  }

  const Table& production_table(const MappingName& said) const {
    const Table* table = find_table(production_, said.name);
    if (table == nullptr)
      wrong(said.place,
            fmt::format("production has no table {}; write it as `understudy check` names it",
                        said.name));
    require_rows(*table, said.place);
    return *table;
  }

  void require_rows(const Table& table, MappingPlace place) const {
    if (table.is_view) wrong(place, fmt::format("{} is a view", table.display_name()));
    if (table.partitioned)
      wrong(place, fmt::format("the rows of {} are those of its partitions; map these",
                               table.display_name()));
  }

  const Table& shadow_table(const MappingFile::Table& said, const MappingFile::Part& part,
                            const Table& table) {
    const bool named = !part.to.name.empty();
    const MappingPlace place = named ? part.to.place : said.name.place;
    const Table* target =
        named ? find_table(shadow_, part.to.name)
              : counterpart_of(table.schema, table.name, production_.dialect, shadow_);
    if (target == nullptr)
      wrong(place, fmt::format("the shadow has no table {}; create it there, or name another with "
                               "`to`",
                               named ? part.to.name : table.display_name()));
    require_rows(*target, place);
    const auto [taken, fresh] = targets_.try_emplace(target, place);
    if (!fresh)
      wrong(place, fmt::format("the shadow's table {} already takes the rows named in line {}",
                               target->display_name(), taken->second.line));
    return *target;
  }

  [[nodiscard]] static bool in_key(const Table& table, std::uint32_t column) {
    return std::find(table.key.begin(), table.key.end(), column) != table.key.end();
  }

  [[nodiscard]] static std::string no_column(const Table& table, const std::string& name) {
    return fmt::format("table {} has no column {}", table.display_name(), name);
  }

  /// Production's columns of these names, each once.
  [[nodiscard]] Ordinals columns_of(const Table& table,
                                    const std::vector<MappingName>& names) const {
    Ordinals out;
    for (const MappingName& name : names) {
      const auto column = table.column(name.name);
      if (!column) wrong(name.place, no_column(table, name.name));
      if (!out.insert(*column).second)
        wrong(name.place, fmt::format("column {} is named twice", name.name));
    }
    return out;
  }

  // Both parts hold the key, and every other column stands in one of them or is dropped.
  void require_parts(const MappingFile::Table& said, const Table& table,
                     const Ordinals& dropped) const {
    Ordinals placed = dropped;
    for (const MappingFile::Part& part : said.parts) {
      const Ordinals columns = columns_of(table, part.columns);
      for (const std::uint32_t column : table.key) {
        if (!columns.contains(column))
          wrong(part.to.place, fmt::format("the part {} lacks column {} of the primary key, by "
                                           "which its rows are found",
                                           part.to.name, table.columns[column].name));
      }
      for (const MappingName& name : part.columns) {
        const std::uint32_t column = *table.column(name.name);
        if (in_key(table, column) || placed.insert(column).second) continue;
        wrong(name.place,
              fmt::format("column {} stands in another part already, or is dropped", name.name));
      }
    }
    for (std::uint32_t i = 0; i < table.columns.size(); ++i) {
      if (table.columns[i].generated || in_key(table, i) || placed.contains(i)) continue;
      wrong(said.name.place,
            fmt::format("column {} of table {} is in no part of the split; add it, or drop it",
                        table.columns[i].name, table.display_name()));
    }
  }

  TablePair pair_of(const MappingFile::Table& said, const MappingFile::Part& part,
                    const Table& table, const Ordinals& dropped) {
    TablePair pair;
    pair.production = &table;
    pair.shadow = &shadow_table(said, part, table);
    pair.mapped = true;
    std::map<std::uint32_t, const MappingName*> names;
    for (const auto& [from, to] : part.rename) {
      const auto column = table.column(from.name);
      if (!column) wrong(from.place, no_column(table, from.name));
      if (dropped.contains(*column))
        wrong(from.place,
              fmt::format("column {} is dropped, so it has no name on the shadow", from.name));
      if (!names.emplace(*column, &to).second)
        wrong(from.place, fmt::format("column {} is named twice", from.name));
    }
    const Ordinals chosen = columns_of(table, part.columns);
    Ordinals filled;
    for (std::uint32_t i = 0; i < table.columns.size(); ++i) {
      const auto renamed = names.find(i);
      const bool here = part.columns.empty() || chosen.contains(i);
      if (!here && renamed != names.end())
        wrong(renamed->second->place,
              fmt::format("column {} is not in this part of the split", table.columns[i].name));
      if (!here || dropped.contains(i) || table.columns[i].generated) continue;
      add_column(said, renamed == names.end() ? nullptr : renamed->second, i, &pair, &filled);
    }
    add_added(part, &pair, &filled);
    require_filled(said, part, pair, filled);
    return pair;
  }

  void add_column(const MappingFile::Table& said, const MappingName* renamed, std::uint32_t column,
                  TablePair* pair, Ordinals* filled) const {
    const Table& from = *pair->production;
    const Table& to = *pair->shadow;
    const std::string& name = renamed == nullptr ? from.columns[column].name : renamed->name;
    const MappingPlace place = renamed == nullptr ? said.name.place : renamed->place;
    const auto there = to.column(name);
    if (!there)
      wrong(place,
            fmt::format("column {} of table {}: the shadow's table {} has no column {}; "
                        "rename it, drop it, or add it there",
                        from.columns[column].name, from.display_name(), to.display_name(), name));
    if (to.columns[*there].generated) {
      if (renamed != nullptr)
        wrong(place, fmt::format("column {} of the shadow's table {} is generated there; drop "
                                 "production's column instead",
                                 name, to.display_name()));
      return;
    }
    if (!filled->insert(*there).second)
      wrong(place, fmt::format("column {} of the shadow's table {} would be filled twice", name,
                               to.display_name()));
    pair->production_columns.push_back(column);
    pair->shadow_columns.push_back(*there);
  }

  void add_added(const MappingFile::Part& part, TablePair* pair, Ordinals* filled) const {
    const Table& to = *pair->shadow;
    for (const auto& [name, value] : part.add) {
      const auto there = to.column(name.name);
      if (!there)
        wrong(name.place, fmt::format("the shadow's table {} has no column {}; add it there",
                                      to.display_name(), name.name));
      const Column& column = to.columns[*there];
      if (column.generated)
        wrong(name.place, fmt::format("column {} of the shadow's table {} is generated there; "
                                      "leave it out",
                                      name.name, to.display_name()));
      if (!filled->insert(*there).second)
        wrong(name.place, fmt::format("column {} of the shadow's table {} is filled with a column "
                                      "of production's already; rename or drop that",
                                      name.name, to.display_name()));
      AddedColumn added;
      added.column = *there;
      added.constant = value.kind != MappingValue::Kind::expression;
      const bool number = value.kind != MappingValue::Kind::text;
      added.sql = added.constant ? dialect_->constant_sql(column, value.text, number)
                                 : dialect_->expression_sql(column, value.text);
      pair->added.push_back(std::move(added));
    }
  }

  void require_filled(const MappingFile::Table& said, const MappingFile::Part& part,
                      const TablePair& pair, const Ordinals& filled) const {
    const Table& to = *pair.shadow;
    for (std::uint32_t i = 0; i < to.columns.size(); ++i) {
      if (filled.contains(i) || fills_itself(to.columns[i])) continue;
      wrong(part.to.name.empty() ? said.name.place : part.to.place,
            fmt::format("column {} of the shadow's table {} takes no NULL and is not filled; give "
                        "it a value with `add`, or a default there",
                        to.columns[i].name, to.display_name()));
    }
  }

  // A table that goes by its name must not meet one that the mapping sends there.
  void require_own_target(const Table& table) const {
    if (!table.holds_rows() || seen_.contains(&table)) return;
    const auto taken =
        targets_.find(counterpart_of(table.schema, table.name, production_.dialect, shadow_));
    if (taken == targets_.end()) return;
    wrong(taken->second,
          fmt::format("the shadow's table {} also takes the rows of production's table {}, by its "
                      "name; map or drop that one",
                      taken->first->display_name(), table.display_name()));
  }

  const MappingFile& file_;
  const Catalog& production_;
  const Catalog& shadow_;
  const SqlDialect* dialect_;
  std::set<const Table*> seen_;
  std::map<const Table*, MappingPlace> targets_;
  Mapped out_;
};

bool is_split(const Mapped& mapped, const Table* production) {
  return std::count_if(mapped.pairs.begin(), mapped.pairs.end(),
                       [&](const TablePair& pair) { return pair.production == production; }) > 1;
}

}  // namespace

Mapped resolve_mapping(const MappingFile& file, const Catalog& production, const Catalog& shadow) {
  return Resolver(file, production, shadow).resolve();
}

Mapped inverse_of(const Mapped& mapped) {
  Mapped out;
  for (const TablePair& pair : mapped.pairs) {
    TablePair back;
    back.production = pair.shadow;
    back.shadow = pair.production;
    back.production_columns = pair.shadow_columns;
    back.shadow_columns = pair.production_columns;
    back.mapped = true;
    out.pairs.push_back(std::move(back));
  }
  return out;
}

std::vector<std::string> no_way_back(const Mapped& mapped) {
  std::vector<std::string> out;
  std::set<const Table*> split;
  for (const TablePair& pair : mapped.pairs) {
    const Table& table = *pair.production;
    if (is_split(mapped, &table)) {
      if (split.insert(&table).second)
        out.push_back("table " + table.display_name() +
                      " is split, and parts are not joined to one row again");
      continue;
    }
    for (std::uint32_t i = 0; i < table.columns.size(); ++i) {
      if (pair.place_of(i) || fills_itself(table.columns[i])) continue;
      out.push_back("column " + table.columns[i].name + " of table " + table.display_name() +
                    " is dropped, and production takes no row without it");
    }
    const auto keyed = [&](std::uint32_t column) {
      return std::find(pair.shadow_columns.begin(), pair.shadow_columns.end(), column) !=
             pair.shadow_columns.end();
    };
    if (pair.shadow->key.empty() ||
        !std::all_of(pair.shadow->key.begin(), pair.shadow->key.end(), keyed))
      out.push_back("the shadow's table " + pair.shadow->display_name() +
                    " has no primary key of columns that production has");
  }
  return out;
}

}  // namespace understudy
