// The session's temporary tables. What happens to them concerns nobody else; what is written from
// them to other tables is recorded by its rows.
#include "driver/sql/temporary.h"

#include <algorithm>

#include "driver/capture/session.h"

namespace understudy::capture {
namespace {

bool in_catalog(const Catalog& catalog, std::string_view name) {
  return std::any_of(catalog.tables.begin(), catalog.tables.end(), [&](const Table& table) {
    return sql::plain_name(table.name, catalog.dialect) == name;
  });
}

}  // namespace

bool Session::add_temporary(std::string_view statement) {
  slot().pinned.fetch_or(kPinnedTemporaryTable, std::memory_order_relaxed);
  const auto name = sql::temporary_table(statement, dialect);
  if (name && temporary_.size() < kTemporaryMax) {
    temporary_.insert(*name);
  } else {
    temporary_unknown_ = true;
  }
  return name.has_value();
}

bool Session::writes_temporary(const sql::Analysis& analysis) const {
  // A name stays here when its table is gone; then the server refuses the statement. A trigger of
  // one may write other tables.
  return !temporary_unknown_ && analysis.reason == "unknown-table" && !analysis.several_targets &&
         temporary_.contains(analysis.target);
}

bool Session::perhaps_hidden(const sql::Analysis& analysis) const {
  if (temporary_unknown_) return true;
  const bool known =
      std::all_of(analysis.temporary_targets.begin(), analysis.temporary_targets.end(),
                  [&](const std::string& one) { return temporary_.contains(one); });
  if (!known) return true;
  if (temporary_.empty()) return false;
  if (!analysis.parts.empty()) {
    return std::any_of(analysis.parts.begin(), analysis.parts.end(),
                       [&](const sql::RowsPart& one) { return temporary_.contains(one.target); });
  }
  return analysis.several_targets || temporary_.contains(analysis.target);
}

bool Session::changes_temporary(std::string_view statement) {
  const auto names = sql::changed_tables(statement, dialect);
  const auto view = names ? catalog() : nullptr;
  if (view == nullptr) return false;
  return std::none_of(names->begin(), names->end(),
                      [&](const std::string& name) { return in_catalog(view->catalog(), name); });
}

}  // namespace understudy::capture
