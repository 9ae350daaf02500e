#include "replayer/apply/row_effects.h"

#include <algorithm>
#include <iterator>

#include "replayer/dialect/counterpart.h"

namespace understudy {

ShapePlan::ShapePlan(const SqlDialect& dialect, const Catalog& production, const Catalog& shadow,
                     const Shape& shape)
    : dialect_(dialect), shape_columns_(shape.columns.size()), shape_key_(shape.key_count) {
  table_ = counterpart_of(shape.schema, shape.table, production.dialect, shadow);
  // Engines name the default schema differently (public, main).
  if (table_ == nullptr && !shape.schema.empty()) table_ = shadow.find("", shape.table);
  if (table_ == nullptr) throw NoPlace("no such table");
  for (std::uint32_t i = 0; i < shape.columns.size(); ++i) {
    const auto column = table_->column(shape.columns[i]);
    if (column) {
      add_place(i, *column);
      continue;
    }
    if (i < shape.key_count) throw NoPlace("no such key column");
    ++missing_;
  }
  finish(production, shadow, shape);
}

ShapePlan::ShapePlan(const SqlDialect& dialect, const Catalog& production, const Catalog& shadow,
                     const Shape& shape, const TablePair& pair)
    : dialect_(dialect),
      table_(pair.shadow),
      added_(pair.added),
      shape_columns_(shape.columns.size()),
      shape_key_(shape.key_count),
      mapped_(true) {
  for (std::uint32_t i = 0; i < shape.columns.size(); ++i) {
    const auto column = pair.production->column(shape.columns[i]);
    const auto place = column ? pair.place_of(*column) : std::nullopt;
    if (place) {
      add_place(i, pair.shadow_columns[*place]);
      continue;
    }
    if (i < shape.key_count) throw NoPlace("no such key column");
    if (!column) ++missing_;
  }
  finish(production, shadow, shape);
}

void ShapePlan::add_place(std::uint32_t value, std::uint32_t column) {
  const bool key = value < shape_key_;
  if (key) key_.push_back({value, column});
  if (table_->columns[column].generated) return;
  all_.push_back({value, column});
  if (!key) rest_.push_back({value, column});
}

void ShapePlan::finish(const Catalog& production, const Catalog& shadow, const Shape& shape) {
  if (production.dialect != shadow.dialect) find_conversions(production, shadow.dialect, shape);
  whole_row_ = table_->key.empty() && shape_key_ == shape_columns_;
  if (rest_.empty()) rest_ = key_;  // an update that changes nothing still counts its row
}

void ShapePlan::find_conversions(const Catalog& production, Dialect shadow, const Shape& shape) {
  const Table* from = production.find(shape.schema, shape.table);
  if (from == nullptr) throw NoPlace("a table that production's catalog does not have");
  conversions_.resize(shape.columns.size());
  for (const Place& place : all_) {
    const auto column = from->column(shape.columns[place.value]);
    if (!column) throw NoPlace("a column that production's catalog does not have");
    conversions_[place.value].emplace(production.dialect, from->columns[*column], shadow,
                                      table_->columns[place.column]);
  }
}

std::vector<std::uint32_t> ShapePlan::columns(std::span<const Place> places) {
  std::vector<std::uint32_t> out;
  out.reserve(places.size());
  for (const auto& place : places) out.push_back(place.column);
  return out;
}

const std::string& ShapePlan::sql(Verb verb) {
  if (verb == Verb::insert) {
    if (insert_.empty()) insert_ = dialect_.insert_sql(*table_, columns(all_), 1, added_);
    return insert_;
  }
  if (verb == Verb::clear) {
    if (clear_.empty()) clear_ = dialect_.clear_sql(*table_);
    return clear_;
  }
  if (key_.empty()) throw NoPlace("no key");
  if (verb == Verb::update) {
    if (update_.empty())
      update_ = dialect_.update_sql(*table_, columns(rest_), columns(key_), added_);
    return update_;
  }
  if (verb == Verb::move) {
    if (move_.empty()) {
      move_ = whole_row_ ? dialect_.update_whole_row_sql(*table_, columns(all_))
                         : dialect_.update_sql(*table_, columns(all_), columns(key_), added_);
    }
    if (move_.empty()) throw NoPlace("no key");
    return move_;
  }
  if (verb != Verb::remove) throw std::runtime_error("a row effect has no verb");
  if (remove_.empty()) {
    remove_ = whole_row_ ? dialect_.delete_whole_row_sql(*table_, columns(key_))
                         : dialect_.delete_sql(*table_, columns(key_));
  }
  if (remove_.empty()) throw NoPlace("no key");
  return remove_;
}

void ShapePlan::append(std::vector<odbc::Bind>& out, std::span<const Place> places,
                       const RowEffect& row, std::size_t skip) const {
  for (const auto& place : places) out.push_back(bind(place, row.values[skip + place.value]));
}

odbc::Bind ShapePlan::bind(const Place& place, std::optional<std::string_view> value) const {
  const Column& column = table_->columns[place.column];
  if (conversions_.empty() || !value || !conversions_[place.value]) {
    return dialect_.bind(column, value);
  }
  odbc::OptionalText converted(*value);
  try {
    conversions_[place.value]->convert(&converted);
  } catch (const Unconvertible& reason) {
    throw NoPlace(reason.what());
  }
  return dialect_.bind(column, converted);
}

std::vector<odbc::Bind> ShapePlan::bind(Verb verb, const RowEffect& row) const {
  // The key of a moved row may serve as that of a removed one.
  const std::size_t old_key = row.verb == Verb::move ? shape_key_ : 0;
  const bool whole = row.values.size() == shape_columns_ + old_key;
  if (!whole && !(verb == Verb::remove && row.values.size() == shape_key_)) {
    throw std::runtime_error("a row of the journal has another number of columns than its shape");
  }
  std::vector<odbc::Bind> out;
  out.reserve(all_.size() + key_.size());
  if (verb == Verb::insert || verb == Verb::move) append(out, all_, row, old_key);
  if (verb == Verb::update) append(out, rest_, row, old_key);
  if (verb == Verb::update) append(out, key_, row, old_key);
  if (verb == Verb::remove || verb == Verb::move) append(out, key_, row);
  return out;
}

std::optional<ShapePlan::Moves> ShapePlan::moves(std::span<const RowEffect> rows) const {
  constexpr std::size_t kParametersInOneStatement = 30000;
  const std::size_t each = all_.size() + key_.size();
  Moves out;
  out.rows = std::min(rows.size(), kParametersInOneStatement / std::max<std::size_t>(each, 1));
  const bool all = std::all_of(rows.begin(), rows.end(),
                               [](const RowEffect& row) { return row.verb == Verb::move; });
  if (!all || out.rows < 2 || whole_row_ || key_.empty()) return std::nullopt;
  out.text = dialect_.move_sql(*table_, columns(all_), columns(key_), out.rows, added_);
  if (out.text.empty()) return std::nullopt;
  for (const RowEffect& row : rows.first(out.rows)) {
    auto one = bind(Verb::move, row);
    std::move(one.begin(), one.end(), std::back_inserter(out.parameters));
  }
  return out;
}

std::vector<ShapePlan::Removal> ShapePlan::removals(const RowEffect& row) const {
  std::vector<Removal> out;
  for (const auto& unique : table_->unique_keys) {
    std::vector<Place> places;
    for (const std::uint32_t column : unique) {
      const auto at = std::find_if(all_.begin(), all_.end(),
                                   [&](const Place& one) { return one.column == column; });
      if (at == all_.end() || !row.values.at(at->value)) break;  // NULL collides with nothing
      places.push_back(*at);
    }
    if (places.size() != unique.size()) continue;
    auto& removal =
        out.emplace_back(dialect_.delete_sql(*table_, unique), std::vector<odbc::Bind>());
    append(removal.second, places, row);
  }
  return out;
}

std::string ShapePlan::finds(std::span<const KeyPart> key) const {
  std::string text;
  for (const KeyPart& part : key) {
    const auto place = std::find_if(key_.begin(), key_.end(),
                                    [&](const Place& one) { return one.value == part.column; });
    if (place == key_.end()) return {};
    text += (text.empty() ? " WHERE " : " AND ") +
            dialect_.quote(table_->columns[place->column].name) + " = " +
            (part.parameter ? "?" : part.literal);
  }
  return text.empty() ? text : "SELECT 1 FROM " + dialect_.qualified(*table_) + text;
}

ShapeRoute& ShapePlans::route(const TextId& id, std::string_view encoded) {
  const auto found = routes_.find(id);
  if (found != routes_.end()) return *found->second;
  const auto shape = Shape::decode(encoded);
  if (!shape.ok()) throw std::runtime_error(shape.status().message());
  auto made = std::make_unique<ShapeRoute>();
  const Table* table = mapped_.empty() ? nullptr : production_.find(shape->schema, shape->table);
  made->mapped = table != nullptr && mapped_.names(*table);
  if (!made->mapped) made->plans.emplace_back(dialect_, production_, shadow_, *shape);
  for (const TablePair& pair : mapped_.pairs) {
    if (pair.production == table)
      made->plans.emplace_back(dialect_, production_, shadow_, *shape, pair);
  }
  if (routes_.size() >= kShapePlansMax) routes_.clear();
  return *(routes_[id] = std::move(made));
}

bool ShapePlans::is_mapped(const TextId& id, std::string_view encoded) {
  if (mapped_.empty()) return false;
  try {
    return route(id, encoded).mapped;
  } catch (const NoPlace&) {
    return true;  // counted by whoever asks: the statement fits even less
  }
}

}  // namespace understudy
