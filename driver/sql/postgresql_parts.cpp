// Each part gets a RETURNING of one more column, the row that it changed. Where a part has a
// RETURNING of its own, the rest of the statement reads it under its name: that becomes a query for
// the columns that it had before. Where the application sees no result, the parts become queries
// behind each other; where it does, they keep their rows in a setting of the transaction.
#include "driver/sql/postgresql_parts.h"

#include <algorithm>
#include <set>

#include "driver/sql/collect.h"
#include "driver/sql/postgresql_writes.h"

namespace understudy::sql {
namespace {

using Node = PgQuery__Node;

constexpr std::string_view kOurs = "understudy_";
constexpr std::string_view kKeptColumn = "understudy_kept";
constexpr std::string_view kMain = "understudy_main";

std::string_view text_of(const char* s) {
  return s == nullptr ? std::string_view() : s;
}

const PgQuery__WithClause* with_clause(const Node& statement) {
  switch (statement.node_case) {
    case PG_QUERY__NODE__NODE_SELECT_STMT:
      return statement.select_stmt->with_clause;
    case PG_QUERY__NODE__NODE_INSERT_STMT:
      return statement.insert_stmt->with_clause;
    case PG_QUERY__NODE__NODE_UPDATE_STMT:
      return statement.update_stmt->with_clause;
    case PG_QUERY__NODE__NODE_DELETE_STMT:
      return statement.delete_stmt->with_clause;
    default:
      return nullptr;
  }
}

/// The name that the server gives to a column of a RETURNING, where that is plain to see.
std::optional<std::string> output_name(const PgQuery__ResTarget& item) {
  if (!text_of(item.name).empty()) return std::string(item.name);
  const Node* value = item.val;
  while (value != nullptr && value->node_case == PG_QUERY__NODE__NODE_TYPE_CAST) {
    value = value->type_cast->arg;
  }
  if (value == nullptr) return std::nullopt;
  const Node* last = nullptr;
  if (value->node_case == PG_QUERY__NODE__NODE_COLUMN_REF && value->column_ref->n_fields != 0) {
    last = value->column_ref->fields[value->column_ref->n_fields - 1];
  } else if (value->node_case == PG_QUERY__NODE__NODE_FUNC_CALL &&
             value->func_call->n_funcname != 0) {
    last = value->func_call->funcname[value->func_call->n_funcname - 1];
  }
  const bool named = last != nullptr && last->node_case == PG_QUERY__NODE__NODE_STRING;
  return named ? std::optional(std::string(last->string->sval)) : std::nullopt;
}

/// `*`, or `t.*` of the table `name`: all of its columns, and nothing else.
bool is_star(const PgQuery__ResTarget& item, const PostgresqlWrite& write) {
  if (item.val == nullptr || item.val->node_case != PG_QUERY__NODE__NODE_COLUMN_REF) return false;
  const PgQuery__ColumnRef& ref = *item.val->column_ref;
  if (ref.n_fields == 0 || ref.fields[ref.n_fields - 1]->node_case != PG_QUERY__NODE__NODE_A_STAR) {
    return false;
  }
  if (ref.n_fields == 1) return !write.joined;
  return ref.n_fields == 2 && ref.fields[0]->node_case == PG_QUERY__NODE__NODE_STRING &&
         text_of(ref.fields[0]->string->sval) == write.name;
}

/// The columns of a RETURNING; nothing when they cannot all be told by a name of their own.
std::optional<std::vector<std::string>> output_names(const PostgresqlWrite& write) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < write.returned; ++i) {
    if (write.returning[i]->node_case != PG_QUERY__NODE__NODE_RES_TARGET) return std::nullopt;
    const PgQuery__ResTarget& item = *write.returning[i]->res_target;
    if (is_star(item, write)) {
      for (const Column& column : write.table->columns) out.push_back(column.name);
    } else if (auto name = output_name(item)) {
      out.push_back(std::move(*name));
    } else {
      return std::nullopt;
    }
  }
  const std::set<std::string_view> different(out.begin(), out.end());
  return different.size() == out.size() ? std::optional(std::move(out)) : std::nullopt;
}

bool is_unique(const Table& table, std::uint32_t column) {
  return std::any_of(table.unique_keys.begin(), table.unique_keys.end(), [&](const auto& unique) {
    return std::find(unique.begin(), unique.end(), column) != unique.end();
  });
}

struct Part {
  PostgresqlWrite write;
  const PgQuery__CommonTableExpr* cte = nullptr;  // null: the statement itself
  std::vector<std::string> columns;               // of its own RETURNING
  std::size_t number = 0;                         // in the order of replay
};

/// Its table may be a temporary one, whose rows are the session's.
bool is_temporary(const Part& part) {
  return part.write.obstacle == "unknown-table" && !part.write.target.empty();
}

bool removes(const Part& part) {
  return part.write.verb == Verb::remove;
}

/// The order in which the rows of the parts can be replayed one after the other: the server looks
/// at foreign keys only when the whole statement has ended. No row is changed by two parts, but one
/// may take the key of another that went.
class ReplayOrder {
 public:
  ReplayOrder(const Catalog& catalog, std::vector<Part>* parts)
      : catalog_(catalog), parts_(*parts) {}

  /// False: there may be none.
  bool find() {
    const bool clear = std::all_of(parts_.begin(), parts_.end(),
                                   [&](const Part& one) { return stands_apart(one); });
    if (!clear) return false;
    std::vector<Part*> order;
    for (Part& one : parts_) order.push_back(&one);
    std::stable_sort(order.begin(), order.end(),
                     [&](const Part* a, const Part* b) { return rank(*a) < rank(*b); });
    if (!sort_by_keys(&order)) return false;
    for (std::size_t i = 0; i < order.size(); ++i) order[i]->number = i;
    return true;
  }

 private:
  [[nodiscard]] bool shares_table(const Part& part, bool removing) const {
    return std::any_of(parts_.begin(), parts_.end(), [&](const Part& other) {
      return &other != &part && other.write.table == part.write.table && removes(other) == removing;
    });
  }
  // Rows of its table go, and others come.
  [[nodiscard]] bool is_mixed(const Part& part) const { return shares_table(part, !removes(part)); }

  [[nodiscard]] bool stands_apart(const Part& part) const {
    const Table& table = *part.write.table;
    const bool touched = is_mixed(part) && (is_referred_to(catalog_, table) ||
                                            std::any_of(parts_.begin(), parts_.end(), [&](auto& o) {
                                              return refers(table, *o.write.table);
                                            }));
    if (touched) return false;
    for (const std::uint32_t column : part.write.assigned) {
      const bool refer = std::any_of(parts_.begin(), parts_.end(), [&](const Part& one) {
        return refers(*one.write.table, table);
      });
      const bool unique = is_unique(table, column);
      if (unique && (refer || shares_table(part, false))) return false;
    }
    return true;
  }

  /// Rows go first where others come into their table, and last elsewhere.
  [[nodiscard]] int rank(const Part& part) const {
    if (removes(part)) return is_mixed(part) ? 0 : 3;
    return part.write.verb == Verb::update ? 1 : 2;
  }

  /// Parents come before their children and go after them. False: there is a circle.
  [[nodiscard]] static bool sort_by_keys(std::vector<Part*>* order) {
    std::vector<Part*> out;
    std::vector<Part*> left = std::move(*order);
    const auto waits_for = [](const Part& one, const Part& other) {
      const Table& table = *one.write.table;
      const Table& another = *other.write.table;
      if (&table == &another) return false;
      if (removes(one) != removes(other)) {
        return removes(one) && (refers(table, another) || refers(another, table));
      }
      return removes(one) ? refers(another, table) : refers(table, another);
    };
    while (!left.empty()) {
      const auto next = std::find_if(left.begin(), left.end(), [&](const Part* one) {
        return std::none_of(left.begin(), left.end(),
                            [&](const Part* other) { return waits_for(*one, *other); });
      });
      if (next == left.end()) return false;
      out.push_back(*next);
      left.erase(next);
    }
    *order = std::move(out);
    return true;
  }

  const Catalog& catalog_;
  std::vector<Part>& parts_;
};

/// Stretches of a text exchanged for others.
class Edits {
 public:
  void put(std::size_t at, std::string words, std::size_t instead_of = 0) {
    edits_.push_back({at, instead_of, std::move(words)});
  }
  [[nodiscard]] std::string apply(std::string_view text) {
    std::stable_sort(edits_.begin(), edits_.end(),
                     [](const Edit& a, const Edit& b) { return a.at < b.at; });
    std::string out;
    std::size_t from = 0;
    for (const Edit& one : edits_) {
      out += text.substr(from, one.at - from);
      out += one.words;
      from = one.at + one.instead_of;
    }
    return out += text.substr(from);
  }

 private:
  struct Edit {
    std::size_t at;
    std::size_t instead_of;
    std::string words;
  };
  std::vector<Edit> edits_;
};

class PartsAnalyzer {
 public:
  PartsAnalyzer(const TokenizedText& text, const NumberedText& numbered, const Node& statement,
                const SideEffects& effects, const Catalog& catalog, const SearchPath& path,
                Analysis* out)
      : text_(text),
        numbered_(numbered),
        statement_(statement),
        effects_(effects),
        catalog_(catalog),
        path_(path),
        out_(*out) {}

  void run() {
    if (effects_.unknown_function) return set_opaque(&out_, "unknown-function");
    if (effects_.into || !text_.escaped.empty() || speaks_of_us() || !find_parts()) {
      return set_opaque(&out_, "writing-cte");
    }
    if (!take_temporary()) return set_opaque(&out_, "unknown-table");
    out_.several_targets = true;
    for (const Part& part : parts_) {
      if (!part.write.obstacle.empty()) return set_opaque(&out_, part.write.obstacle);
    }
    if (!name_columns()) return set_opaque(&out_, "writing-cte-columns");
    if (!ReplayOrder(catalog_, &parts_).find()) return set_opaque(&out_, "writing-cte-order");
    list_parts();
    out_.own_returning = main_ == nullptr || main_->write.returned != 0;
    out_.shows_all = main_ == nullptr;
    out_.rewritten = made("");
    if (!out_.own_returning) {
      out_.rewritten_with_txid = made(", pg_catalog.pg_current_xact_id()::text");
    }
    if (!is_ours(out_.rewritten)) undo("not-understood");
  }

 private:
  [[nodiscard]] bool speaks_of_us() const {
    return std::any_of(text_.tokens.begin(), text_.tokens.end(), [](const Token& token) {
      return ascii_lower(token.text).find(kOurs) != std::string::npos;
    });
  }

  bool find_parts() {
    const PgQuery__WithClause* with = with_clause(statement_);
    if (with == nullptr) return false;
    for (std::size_t i = 0; i < with->n_ctes; ++i) {
      if (with->ctes[i]->node_case != PG_QUERY__NODE__NODE_COMMON_TABLE_EXPR) return false;
      const PgQuery__CommonTableExpr& cte = *with->ctes[i]->common_table_expr;
      if (cte.ctequery == nullptr || cte.search_clause != nullptr || cte.cycle_clause != nullptr) {
        return false;
      }
      if (is_postgresql_write(*cte.ctequery)) {
        parts_.push_back({postgresql_write(*cte.ctequery, catalog_, path_), &cte, {}, 0});
      }
      last_ = &cte;
    }
    const bool writes = is_postgresql_write(statement_);
    if (writes) parts_.push_back({postgresql_write(statement_, catalog_, path_), nullptr, {}, 0});
    if (writes) main_ = &parts_.back();
    return last_ != nullptr && parts_.size() == effects_.writing;
  }

  /// Parts that write temporary tables stay as they are. False: there are no others.
  bool take_temporary() {
    for (const Part& part : parts_) {
      if (is_temporary(part)) out_.temporary_targets.push_back(part.write.target);
    }
    const auto& targets = out_.temporary_targets;
    const bool main = main_ != nullptr && !is_temporary(*main_);
    std::erase_if(parts_, is_temporary);
    main_ = main ? &parts_.back() : nullptr;
    const bool one =
        std::equal(targets.begin() + (targets.empty() ? 0 : 1), targets.end(), targets.begin());
    if (parts_.empty() && one) out_.target = targets.front();
    out_.several_targets = parts_.empty() && !one;
    return !parts_.empty();
  }

  /// Names of what the parts return to the rest of the statement. One that returns nothing is not
  /// read: the server refuses it.
  bool name_columns() {
    for (Part& part : parts_) {
      if (part.cte == nullptr) continue;
      auto names = output_names(part.write);
      if (!names || (names->empty() && is_read(part.cte->ctename))) return false;
      part.columns = std::move(*names);
    }
    return true;
  }

  [[nodiscard]] bool is_read(std::string_view name) const {
    bool found = false;
    walk(&statement_.base, [&](const ProtobufCMessage& message) {
      if (message.descriptor != &pg_query__range_var__descriptor) return;
      const auto& relation = reinterpret_cast<const PgQuery__RangeVar&>(message);
      found = found || (text_of(relation.schemaname).empty() && relation.relname == name);
    });
    return found;
  }

  void list_parts() {
    out_.verdict = Verdict::effects;
    out_.verb = Verb::other;
    out_.parts.resize(parts_.size());
    for (const Part& part : parts_) {
      Analysis one;
      set_effects(&one, *part.write.table, part.write.verb);
      RowsPart& place = out_.parts[part.number];
      place.verb = part.write.verb;
      place.target = part.write.target;
      place.rows.table = one.table;
      place.rows.columns = one.columns;
      place.rows.key_count = one.key_count;
      place.rows.shape = one.shape;
      if (&part == main_) out_.counted_part = part.number;
    }
  }

  void undo(std::string_view reason) {
    Analysis plain;
    plain.several_targets = true;
    plain.temporary_targets = out_.temporary_targets;
    plain.classification = out_.classification;
    plain.parameters = out_.parameters;
    set_opaque(&plain, reason);
    out_ = std::move(plain);
  }

  /// The expression of a part's RETURNING.
  [[nodiscard]] std::string kept(const Part& part) const {
    std::vector<std::string> texts{"'" + std::to_string(part.number) + "'::text"};
    const RowsQuery& rows = out_.parts[part.number].rows;
    for (const std::uint32_t ordinal : rows.columns) {
      texts.push_back(quote_identifier(part.write.name) + '.' +
                      quote_identifier(rows.table->columns[ordinal].name) + "::text");
    }
    return out_.own_returning ? collecting_expression(texts) : collected_row(texts);
  }

  [[nodiscard]] std::string returning(const Part& part) const {
    std::string out = part.write.returned != 0 ? ", " : " RETURNING ";
    out += kept(part);
    out += " AS ";
    return out += kKeptColumn;
  }

  [[nodiscard]] std::size_t end_of(std::size_t token) const {
    return text_.tokens[token].offset + text_.tokens[token].text.size();
  }

  /// Token of the parenthesis that closes the one at `open`; the number of tokens when there is
  /// none.
  [[nodiscard]] std::size_t closing(std::size_t open) const {
    std::size_t depth = 0;
    for (std::size_t i = open; i < text_.tokens.size(); ++i) {
      if (text_.tokens[i].is('(')) ++depth;
      if (text_.tokens[i].is(')') && --depth == 0) return i;
    }
    return text_.tokens.size();
  }

  /// Tokens of a query of WITH.
  struct CtePlace {
    std::size_t name = 0;
    std::size_t names_end = 0;  // the last one of name and column list
    std::size_t open = 0;
    std::size_t close = 0;
  };
  [[nodiscard]] std::optional<CtePlace> place_of(const PgQuery__CommonTableExpr& cte) const {
    if (cte.location < 0) return std::nullopt;
    const auto name = text_.at(numbered_.original(static_cast<std::size_t>(cte.location)));
    const std::size_t end = text_.tokens.size();
    if (!name || *name + 1 >= end) return std::nullopt;
    CtePlace out{*name, *name, *name + 1, 0};
    if (text_.tokens[out.open].is('(')) {
      out.names_end = closing(out.open);
      out.open = out.names_end + 1;
    }
    while (out.open < end && !text_.tokens[out.open].is('(')) ++out.open;
    out.close = out.open < end ? closing(out.open) : end;
    return out.close < end ? std::optional(out) : std::nullopt;
  }

  /// The whole text; `more` is one more column beside the rows. Empty: not understood.
  [[nodiscard]] std::string made(const std::string& more) const {
    Edits edits;
    std::string queries;  // for what the parts return, in the order in which the server runs them
    const std::string select = "SELECT " + std::string(kKeptColumn) + more + " FROM ";
    for (const Part& part : parts_) {
      if (part.cte == nullptr) continue;
      const auto place = place_of(*part.cte);
      if (!place) return {};
      edits.put(end_of(place->close - 1), returning(part));
      std::string name = quote_identifier(part.cte->ctename);
      if (part.write.returned != 0) name = split(part, *place, &edits);
      queries.insert(0, name).insert(0, select).insert(0, " UNION ALL ");
    }
    const auto last = place_of(*last_);
    if (!last) return {};
    if (main_ != nullptr && !out_.own_returning) {
      edits.put(end_of(last->close), ", " + std::string(kMain) + " AS (");
      queries = ") " + select + std::string(kMain) + queries;
    } else {
      queries.clear();
    }
    if (main_ != nullptr) edits.put(text_.end(), returning(*main_) + queries);
    return edits.apply(text_.text);
  }

  /// The part under a name of ours, and its own name for the columns that it had; returns ours.
  [[nodiscard]] std::string split(const Part& part, const CtePlace& place, Edits* edits) const {
    const std::string ours = std::string(kOurs) + std::to_string(part.number);
    const std::size_t from = text_.tokens[place.name].offset;
    const std::size_t size = end_of(place.names_end) - from;
    edits->put(from, ours + " ", size);
    std::string own = ", " + std::string(text_.text.substr(from, size)) + " AS (SELECT ";
    for (const std::string& column : part.columns) {
      if (&column != &part.columns.front()) own += ", ";
      own += quote_identifier(column);
    }
    edits->put(end_of(place.close), own + " FROM " + ours + ")");
    return ours;
  }

  /// Checked by parsing the result: what was put in must be read as that and as nothing else.
  [[nodiscard]] bool is_ours(const std::string& text) const {
    const Tree tree = parse_with_markers(text);
    if (tree == nullptr || tree->n_stmts != 1 || tree->stmts[0]->stmt == nullptr) return false;
    const Node& made = *tree->stmts[0]->stmt;
    const bool queries = main_ != nullptr && !out_.own_returning;
    const bool kind = queries ? made.node_case == PG_QUERY__NODE__NODE_SELECT_STMT
                              : made.node_case == statement_.node_case;
    std::size_t ctes = with_clause(statement_)->n_ctes + (queries ? 1 : 0);
    for (const Part& part : parts_) ctes += part.cte != nullptr && part.write.returned != 0 ? 1 : 0;
    const PgQuery__WithClause* with = with_clause(made);
    return kind && with != nullptr && with->n_ctes == ctes &&
           side_effects(made).writing == effects_.writing;
  }

  const TokenizedText& text_;
  const NumberedText& numbered_;
  const Node& statement_;
  const SideEffects& effects_;
  const Catalog& catalog_;
  const SearchPath& path_;
  Analysis& out_;
  std::vector<Part> parts_;
  Part* main_ = nullptr;
  const PgQuery__CommonTableExpr* last_ = nullptr;
};

}  // namespace

void analyze_postgresql_parts(const TokenizedText& text, const NumberedText& numbered,
                              const Node& statement, const SideEffects& effects,
                              const Catalog& catalog, const SearchPath& path, Analysis* out) {
  PartsAnalyzer(text, numbered, statement, effects, catalog, path, out).run();
}

}  // namespace understudy::sql
