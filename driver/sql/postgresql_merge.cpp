// MERGE returns no rows in PostgreSQL 15. The condition of each action is made to keep by what key
// its row is found, last of all, so that every row that is changed is among those kept; when they
// are as many as the server has changed, they are those and no others.
#include "driver/sql/postgresql_merge.h"

#include <algorithm>

#include "driver/sql/collect.h"
#include "driver/sql/postgresql_writes.h"

namespace understudy::sql {
namespace {

using Node = PgQuery__Node;

std::string_view text_of(const char* s) {
  return s == nullptr ? std::string_view() : s;
}

/// A value of the source, or an integer: what can stand in the text twice. Empty: something else.
std::string repeatable(const Node* value) {
  if (value == nullptr) return {};
  if (value->node_case == PG_QUERY__NODE__NODE_A_CONST) {
    const PgQuery__AConst& constant = *value->a_const;
    const bool integer = constant.val_case == PG_QUERY__A__CONST__VAL_IVAL && !constant.isnull;
    return integer ? std::to_string(constant.ival->ival) : std::string();
  }
  if (value->node_case != PG_QUERY__NODE__NODE_COLUMN_REF) return {};
  std::string out;
  for (std::size_t i = 0; i < value->column_ref->n_fields; ++i) {
    const Node& field = *value->column_ref->fields[i];
    if (field.node_case != PG_QUERY__NODE__NODE_STRING) return {};
    if (i != 0) out += '.';
    out += quote_identifier(text_of(field.string->sval));
  }
  return out;
}

class MergeAnalyzer {
 public:
  MergeAnalyzer(const TokenizedText& text, const PgQuery__MergeStmt& statement,
                const Catalog& catalog, const SearchPath& path, Analysis* out)
      : text_(text), statement_(statement), catalog_(catalog), path_(path), out_(*out) {}

  void run() {
    target_ = postgresql_target(statement_.relation, catalog_, path_);
    out_.target = target_.target;
    if (!target_.obstacle.empty()) return set_opaque(&out_, target_.obstacle);
    const Table& table = *target_.table;
    if (table.inherited) return set_opaque(&out_, "inheritance");
    if (table.key.empty()) return set_opaque(&out_, "no-key");
    // Its rows are read when the triggers have run, which on the shadow are going to run again.
    if (!table.triggers.empty()) return set_opaque(&out_, "merge-triggers");
    for (std::size_t i = 0; i < statement_.n_merge_when_clauses; ++i) {
      const Node& node = *statement_.merge_when_clauses[i];
      if (node.node_case != PG_QUERY__NODE__NODE_MERGE_WHEN_CLAUSE) {
        return set_opaque(&out_, "not-understood");
      }
      const std::string_view obstacle = action(*node.merge_when_clause);
      if (!obstacle.empty()) return refuse(obstacle);
    }
    if (goes_and_comes()) return refuse("merge-order");
    const auto text = keeping();
    if (!text) return refuse("not-understood");
    set_effects(&out_, table, Verb::put);
    out_.keeping = *text;
  }

 private:
  void refuse(std::string_view reason) {
    out_.merges.clear();
    set_opaque(&out_, reason);
  }

  /// Why the rows of this action cannot be known; adds it otherwise.
  std::string_view action(const PgQuery__MergeWhenClause& clause) {
    MergeAction out;
    std::string_view obstacle;
    std::vector<std::string> kept{"'" + std::to_string(out_.merges.size()) + "'::text"};
    if (clause.command_type == PG_QUERY__CMD_TYPE__CMD_UPDATE) {
      out.verb = Verb::update;
      obstacle = assigned(clause);
    } else if (clause.command_type == PG_QUERY__CMD_TYPE__CMD_DELETE) {
      out.verb = Verb::remove;
    } else if (clause.command_type == PG_QUERY__CMD_TYPE__CMD_INSERT) {
      out.verb = Verb::insert;
      obstacle = inserted(clause, &out, &kept);
    } else if (clause.command_type != PG_QUERY__CMD_TYPE__CMD_NOTHING) {
      return "not-understood";
    }
    if (out.verb == Verb::update || out.verb == Verb::remove) {
      out.lookup = target_.table->key;
      for (const std::uint32_t ordinal : out.lookup) {
        kept.push_back(quote_identifier(target_.name) + '.' +
                       quote_identifier(target_.table->columns[ordinal].name) + "::text");
      }
    }
    keeps_.push_back(out.verb == Verb::other ? std::string() : collecting_expression(kept));
    out_.merges.push_back(std::move(out));
    return obstacle;
  }

  [[nodiscard]] std::string_view assigned(const PgQuery__MergeWhenClause& clause) const {
    const auto& key = target_.table->key;
    for (std::size_t i = 0; i < clause.n_target_list; ++i) {
      const auto column = column_of(*clause.target_list[i]);
      if (!column) return "unknown-column";
      if (std::find(key.begin(), key.end(), *column) != key.end()) return "key-assigned";
    }
    return {};
  }

  [[nodiscard]] std::optional<std::uint32_t> column_of(const Node& target) const {
    if (target.node_case != PG_QUERY__NODE__NODE_RES_TARGET) return std::nullopt;
    return target_.table->column(text_of(target.res_target->name));
  }

  /// By which of its keys the new row is going to be found.
  std::string_view inserted(const PgQuery__MergeWhenClause& clause, MergeAction* out,
                            std::vector<std::string>* kept) const {
    const Table& table = *target_.table;
    std::vector<std::string> given(table.columns.size());
    for (std::size_t i = 0; i < clause.n_values; ++i) {
      const bool named = clause.n_target_list != 0;
      if (named && i >= clause.n_target_list) return "not-understood";
      const auto column =
          named ? column_of(*clause.target_list[i]) : std::optional(static_cast<std::uint32_t>(i));
      if (!column || *column >= table.columns.size()) return "unknown-column";
      const bool whole = !named || clause.target_list[i]->res_target->n_indirection == 0;
      if (whole) given[*column] = repeatable(clause.values[i]);
    }
    if (clause.override == PG_QUERY__OVERRIDING_KIND__OVERRIDING_USER_VALUE) return "merge-key";
    const auto known = [&](const std::vector<std::uint32_t>& columns) {
      return std::none_of(columns.begin(), columns.end(),
                          [&](std::uint32_t one) { return given[one].empty(); });
    };
    const auto unique = std::find_if(table.unique_keys.begin(), table.unique_keys.end(), known);
    if (known(table.key)) {
      out->lookup = table.key;
    } else if (unique != table.unique_keys.end()) {
      out->lookup = *unique;
    } else {
      return "merge-key";
    }
    for (const std::uint32_t ordinal : out->lookup) {
      const Column& column = table.columns[ordinal];
      if (column.generated) return "merge-key";
      kept->push_back("CAST(" + given[ordinal] + " AS " + column.type + ")::text");
    }
    return {};
  }

  /// Rows go and others come into a table that is referred to: see ReplayOrder.
  [[nodiscard]] bool goes_and_comes() const {
    const auto has = [&](Verb verb) {
      return std::any_of(out_.merges.begin(), out_.merges.end(),
                         [&](const MergeAction& one) { return one.verb == verb; });
    };
    return has(Verb::remove) && has(Verb::insert) && is_referred_to(catalog_, *target_.table);
  }

  /// The text whose conditions keep. Nothing: not understood.
  [[nodiscard]] std::optional<std::string> keeping() const {
    std::string out;
    std::size_t copied = 0;  // bytes
    const auto copy_to = [&](std::size_t end) {
      out += text_.text.substr(copied, end - copied);
      copied = end;
    };
    std::size_t clause = 0;
    for (std::size_t at = 0; (at = next_clause(at)) < text_.tokens.size(); ++clause) {
      if (clause >= keeps_.size()) return std::nullopt;
      at += text_.tokens[at + 1].is_word("NOT") ? 3 : 2;
      const std::size_t then = next_word(at, "THEN");
      if (then >= text_.tokens.size()) return std::nullopt;
      if (keeps_[clause].empty()) continue;
      const bool asks = text_.tokens[at].is_word("AND");
      const std::string keep = keeps_[clause] + " IS NOT NULL";
      const Token& last = text_.tokens[then - 1];
      if (asks) copy_to(text_.tokens[at].offset + text_.tokens[at].text.size());
      if (asks) out += " CASE WHEN (";
      copy_to(last.offset + last.text.size());
      out += asks ? ") THEN " + keep + " ELSE false END" : " AND " + keep;
    }
    copy_to(text_.text.size());
    return clause == keeps_.size() && is_ours(out) ? std::optional(out) : std::nullopt;
  }

  /// From `at` on, the first token of this word that stands in no parenthesis and in no CASE; the
  /// number of tokens when there is none.
  [[nodiscard]] std::size_t next_word(std::size_t at, std::string_view word) const {
    std::size_t depth = 0;
    for (; at < text_.tokens.size(); ++at) {
      const Token& token = text_.tokens[at];
      if (depth == 0 && token.is_word(word)) return at;
      if (token.is('(') || token.is('[') || token.is_word("CASE")) ++depth;
      if ((token.is(')') || token.is(']') || token.is_word("END")) && depth > 0) --depth;
    }
    return at;
  }

  /// WHEN of the next WHEN MATCHED, WHEN NOT MATCHED.
  [[nodiscard]] std::size_t next_clause(std::size_t at) const {
    const std::size_t end = text_.tokens.size();
    const std::size_t when = next_word(at, "WHEN");
    return when + 3 < end ? when : end;
  }

  /// Checked by parsing the result.
  [[nodiscard]] bool is_ours(const std::string& text) const {
    const Tree tree = parse_with_markers(text);
    if (tree == nullptr || tree->n_stmts != 1 || tree->stmts[0]->stmt == nullptr ||
        tree->stmts[0]->stmt->node_case != PG_QUERY__NODE__NODE_MERGE_STMT) {
      return false;
    }
    const PgQuery__MergeStmt& made = *tree->stmts[0]->stmt->merge_stmt;
    if (made.n_merge_when_clauses != statement_.n_merge_when_clauses) return false;
    for (std::size_t i = 0; i < made.n_merge_when_clauses; ++i) {
      const PgQuery__MergeWhenClause& ours = *made.merge_when_clauses[i]->merge_when_clause;
      const PgQuery__MergeWhenClause& own = *statement_.merge_when_clauses[i]->merge_when_clause;
      const bool kept = keeps_[i].empty() || ours.condition != nullptr;
      if (!kept || ours.matched != own.matched || ours.command_type != own.command_type) {
        return false;
      }
    }
    return true;
  }

  const TokenizedText& text_;
  const PgQuery__MergeStmt& statement_;
  const Catalog& catalog_;
  const SearchPath& path_;
  Analysis& out_;
  PostgresqlWrite target_;
  std::vector<std::string> keeps_;  // for each clause; empty: it does nothing
};

}  // namespace

void analyze_postgresql_merge(const TokenizedText& text, const PgQuery__MergeStmt& statement,
                              const SideEffects& effects, const Catalog& catalog,
                              const SearchPath& path, Analysis* out) {
  if (effects.unknown_function) return set_opaque(out, "unknown-function");
  if (!text.escaped.empty()) return set_opaque(out, "odbc-escape");
  MergeAnalyzer(text, statement, catalog, path, out).run();
}

}  // namespace understudy::sql
