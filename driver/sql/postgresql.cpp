// Verdicts for PostgreSQL, from the grammar of PostgreSQL itself.
#include <algorithm>
#include <initializer_list>

#include "driver/sql/collect.h"
#include "driver/sql/postgresql_merge.h"
#include "driver/sql/postgresql_moves.h"
#include "driver/sql/postgresql_parts.h"
#include "driver/sql/postgresql_tree.h"
#include "driver/sql/postgresql_views.h"
#include "driver/sql/postgresql_writes.h"

namespace understudy::sql {
namespace {

using Node = PgQuery__Node;

std::string_view text_of(const char* s) {
  return s == nullptr ? std::string_view() : s;
}

bool one_of(std::string_view value, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

/// Types that name the same values in every session, under the names the parser gives them.
bool is_plain_type(const PgQuery__TypeName* type) {
  if (type == nullptr || type->setof || type->pct_type || type->n_array_bounds != 0) return false;
  return one_of(builtin_name(type->names, type->n_names),
                {"int2", "int4", "int8", "numeric", "text", "varchar", "bpchar", "bool", "uuid",
                 "float4", "float8", "bytea", "json", "jsonb"});
}

bool is_moment_type(const PgQuery__TypeName* type) {
  if (type == nullptr || type->setof || type->n_array_bounds != 0) return false;
  return one_of(builtin_name(type->names, type->n_names),
                {"date", "time", "timetz", "timestamp", "timestamptz"});
}

/// Whether casting to `type` gives the value as a column of this type stores it.
bool is_type_of(const PgQuery__TypeName* type, const Column& column) {
  if (!is_plain_type(type) || type->n_typmods != 0) return false;
  const std::string_view name = builtin_name(type->names, type->n_names);
  const auto is = [&](std::string_view cast, std::string_view stored) {
    return name == cast && column.type.starts_with(stored);
  };
  return is("int2", "smallint") || is("int4", "integer") || is("int8", "bigint") ||
         is("uuid", "uuid") || is("text", "text") || is("text", "character varying") ||
         is("varchar", "character varying") || is("varchar", "text") || is("numeric", "numeric");
}

bool is_textual(const Column& column) {
  return column.type.starts_with("text") || column.type.starts_with("char") ||
         column.type.starts_with("\"char") || column.type.starts_with("varchar") ||
         column.type.starts_with("name") || column.type.ends_with("citext");
}

/// Types of which a literal means the same in every session; a moment is of the time zone and of
/// DateStyle, money of a country. What a domain or a composite type holds is not known.
bool reads_alike(const Column& column) {
  const std::string_view type =
      std::string_view(column.type).substr(0, column.type.find_first_of("(["));
  return is_textual(column) ||
         one_of(type, {"smallint", "integer", "bigint", "numeric", "real", "double precision",
                       "boolean", "uuid", "bytea", "json", "jsonb", "bit", "bit varying", "inet",
                       "cidr", "macaddr", "macaddr8", "xml"});
}

/// The statement's target, as its own expressions may name it.
struct Target {
  const Table* table = nullptr;
  std::string schema;  // as written; empty with an alias
  std::string name;    // alias or table name

  /// Ordinal of the column a reference means; nothing when it means something else.
  [[nodiscard]] std::optional<std::uint32_t> column(const Node& node) const {
    if (node.node_case != PG_QUERY__NODE__NODE_COLUMN_REF) return std::nullopt;
    const PgQuery__ColumnRef& ref = *node.column_ref;
    if (ref.n_fields == 0 || ref.n_fields > 3) return std::nullopt;
    for (std::size_t i = 0; i < ref.n_fields; ++i) {
      if (ref.fields[i]->node_case != PG_QUERY__NODE__NODE_STRING) return std::nullopt;
    }
    const auto field = [&](std::size_t from_the_end) {
      return text_of(ref.fields[ref.n_fields - 1 - from_the_end]->string->sval);
    };
    if (ref.n_fields >= 2 && field(1) != name) return std::nullopt;
    if (ref.n_fields == 3 && (schema.empty() || field(2) != schema)) return std::nullopt;
    return table->column(field(0));
  }
};

bool is_text_literal(const Node& node) {
  return node.node_case == PG_QUERY__NODE__NODE_A_CONST && !node.a_const->isnull &&
         node.a_const->val_case == PG_QUERY__A__CONST__VAL_SVAL;
}

/// A parameter or a literal that does not name a moment.
bool is_bare_value(const Node& node) {
  if (node.node_case == PG_QUERY__NODE__NODE_PARAM_REF) return true;
  if (node.node_case != PG_QUERY__NODE__NODE_A_CONST) return false;
  return !is_text_literal(node) || !names_a_moment(text_of(node.a_const->sval->sval));
}

bool is_value(const Node* node) {
  if (node == nullptr) return false;
  if (is_bare_value(*node)) return true;
  if (node->node_case != PG_QUERY__NODE__NODE_TYPE_CAST) return false;
  const PgQuery__TypeCast& cast = *node->type_cast;
  return cast.arg != nullptr && is_bare_value(*cast.arg) &&
         (is_plain_type(cast.type_name) || is_moment_type(cast.type_name));
}

/// Whether a text in the value is read as a column of this type is, or as a moment.
bool reads_text(const Node* value, const Column& column) {
  if (value == nullptr || value->node_case == PG_QUERY__NODE__NODE_PARAM_REF) return false;
  if (value->node_case == PG_QUERY__NODE__NODE_A_CONST) {
    return is_text_literal(*value) && !reads_alike(column);
  }
  if (value->node_case == PG_QUERY__NODE__NODE_TYPE_CAST) {
    const PgQuery__TypeCast& cast = *value->type_cast;
    return cast.arg != nullptr && is_text_literal(*cast.arg) && is_moment_type(cast.type_name);
  }
  return value->node_case != PG_QUERY__NODE__NODE_COLUMN_REF && !reads_alike(column);
}

/// An expression that gives the same on the shadow as on production, given the same old row.
class Immutable {
 public:
  explicit Immutable(const Target& target) : target_(target) {}

  [[nodiscard]] bool assignment(const Node* node) const {
    if (node == nullptr) return false;
    return is_value(node) || target_.column(*node).has_value() || composite(*node);
  }

 private:
  // Recursion is bounded by kNestingMax.
  [[nodiscard]] bool operand(const Node* node) const {
    if (node == nullptr) return false;
    if (is_bare_value(*node)) return true;
    if (const auto ordinal = target_.column(*node)) {
      return target_.table->columns[*ordinal].immutable_arithmetic;
    }
    if (node->node_case == PG_QUERY__NODE__NODE_TYPE_CAST) {
      return is_plain_type(node->type_cast->type_name) && is_value(node);
    }
    return composite(*node);
  }

  [[nodiscard]] bool all(Node* const* nodes, std::size_t count) const {
    return std::all_of(nodes, nodes + count, [&](const Node* n) { return operand(n); });
  }

  [[nodiscard]] bool composite(const Node& node) const {
    switch (node.node_case) {
      case PG_QUERY__NODE__NODE_A_EXPR:
        return operation(*node.a_expr);
      case PG_QUERY__NODE__NODE_COALESCE_EXPR:
        return all(node.coalesce_expr->args, node.coalesce_expr->n_args);
      case PG_QUERY__NODE__NODE_MIN_MAX_EXPR:
        return all(node.min_max_expr->args, node.min_max_expr->n_args);
      case PG_QUERY__NODE__NODE_FUNC_CALL:
        return call(*node.func_call);
      default:
        return false;
    }
  }

  [[nodiscard]] bool operation(const PgQuery__AExpr& e) const {
    if (e.kind == PG_QUERY__A__EXPR__KIND__AEXPR_NULLIF)
      return operand(e.lexpr) && operand(e.rexpr);
    if (e.kind != PG_QUERY__A__EXPR__KIND__AEXPR_OP) return false;
    if (e.n_name != 1) return false;
    const bool known = one_of(builtin_name(e.name, e.n_name), {"+", "-", "*", "/", "%", "||"});
    return known && (e.lexpr == nullptr || operand(e.lexpr)) && operand(e.rexpr);
  }

  [[nodiscard]] bool call(const PgQuery__FuncCall& f) const {
    if (f.n_agg_order != 0 || f.agg_filter != nullptr || f.over != nullptr || f.agg_within_group ||
        f.agg_star || f.agg_distinct || f.func_variadic) {
      return false;
    }
    const std::string_view name = builtin_name(f.funcname, f.n_funcname);
    return function_effect(name, Dialect::postgresql) == FunctionEffect::immutable &&
           all(f.args, f.n_args);
  }

  const Target& target_;
};

class PostgresqlAnalyzer {
 public:
  PostgresqlAnalyzer(const TokenizedText& text, const Catalog& catalog, const SearchPath& path,
                     Analysis* out)
      : text_(text), catalog_(catalog), path_(path), out_(*out) {}

  void run() {
    numbered_ = number_parameters(text_);
    const Tree tree = parse_postgresql(numbered_.text);
    if (tree == nullptr || tree->n_stmts != 1 || tree->stmts[0]->stmt == nullptr) {
      return set_opaque(&out_, "not-understood");
    }
    const Node& statement = *tree->stmts[0]->stmt;
    effects_ = side_effects(statement);
    if (effects_.writing_cte) {
      return analyze_postgresql_parts(text_, numbered_, statement, effects_, catalog_, path_,
                                      &out_);
    }
    if (is_postgresql_write(statement)) {
      const PostgresqlWrite write = postgresql_write(statement, catalog_, path_);
      if (write.through_view()) return through_view(write);
    }
    switch (statement.node_case) {
      case PG_QUERY__NODE__NODE_SELECT_STMT:
        return query();
      case PG_QUERY__NODE__NODE_INSERT_STMT:
        return insert(*statement.insert_stmt);
      case PG_QUERY__NODE__NODE_UPDATE_STMT:
        return update(*statement.update_stmt);
      case PG_QUERY__NODE__NODE_DELETE_STMT:
        return remove(*statement.delete_stmt);
      case PG_QUERY__NODE__NODE_MERGE_STMT:
        return analyze_postgresql_merge(text_, *statement.merge_stmt, effects_, catalog_, path_,
                                        &out_);
      case PG_QUERY__NODE__NODE_TRUNCATE_STMT:
        return truncate(*statement.truncate_stmt);
      default:
        return set_opaque(&out_, "not-understood");
    }
  }

 private:
  void through_view(const PostgresqlWrite& write) {
    out_.target = write.target;
    if (effects_.unknown_function) return set_opaque(&out_, "unknown-function");
    const Table& view = *write.table;
    const auto viewed = view.readable ? viewed_table(view, catalog_) : std::nullopt;
    if (!viewed) return set_opaque(&out_, "view");
    for (const std::uint32_t column : write.assigned) {
      for (const std::uint32_t key : viewed->table->key) {
        if (viewed->names[key] == view.columns[column].name) {
          return set_opaque(&out_, "key-assigned");
        }
      }
    }
    std::vector<std::string> names;
    if (!set_viewed_effects(&out_, *viewed, write.verb, &names)) {
      out_ = opaque_again();
      return set_opaque(&out_, "view");
    }
    out_.own_returning = write.returned != 0;
    own_columns_ = write.returned;
    target_.name = write.name;
    (void)return_rows(names);
  }

  /// Opaque: the server locks the table whole. Which one it is tells a shadow where it has another
  /// name.
  void truncate(const PgQuery__TruncateStmt& s) {
    set_opaque(&out_, "truncate");
    if (s.n_relations != 1 || s.behavior != PG_QUERY__DROP_BEHAVIOR__DROP_RESTRICT ||
        s.relations[0]->node_case != PG_QUERY__NODE__NODE_RANGE_VAR) {
      return;
    }
    const PostgresqlWrite target = postgresql_target(s.relations[0]->range_var, catalog_, path_);
    out_.target = target.target;
    if (target.table == nullptr || target.table->is_view) return;
    out_.verb = Verb::clear;
    out_.table = target.table;
    out_.shape = Shape{target.table->schema, target.table->name, 0, {}}.encode();
  }

  void query() {
    StatementClass& cls = out_.classification.cls;
    if (effects_.into) return;  // as the words said
    if (effects_.unknown_function || effects_.sequences) {
      cls = StatementClass::opaque;
      return set_opaque(&out_, "unknown-function");
    }
    cls = effects_.locks ? StatementClass::locking_read : StatementClass::read;
    out_.reason.clear();
  }

  /// What forbids effects whatever the verb; sets the target. False: the verdict is given.
  bool prepare(const PgQuery__RangeVar* relation, std::size_t returning,
               const PgQuery__WithClause* with) {
    with_ = with != nullptr;
    out_.own_returning = returning != 0;
    own_columns_ = returning;
    const auto refuse = [&](std::string_view reason) {
      set_opaque(&out_, reason);
      return false;
    };
    if (relation == nullptr) return refuse("not-understood");
    const std::string_view given = text_of(relation->schemaname);
    if (given.empty() || given == "pg_temp") out_.target = text_of(relation->relname);
    if (effects_.unknown_function) return refuse("unknown-function");
    const std::string_view schema = text_of(relation->schemaname);
    const bool lost = path_.kind == SearchPath::Kind::unknown;
    if (schema.empty() && lost) return refuse("search-path");
    if (!text_of(relation->catalogname).empty()) return refuse("unknown-table");
    const Table* table = find_table(catalog_, path_, schema, text_of(relation->relname));
    const std::string_view obstacle = table_obstacle(table);
    if (!obstacle.empty()) return refuse(obstacle);
    target_.table = table;
    if (relation->alias != nullptr) {
      target_.name = text_of(relation->alias->aliasname);
    } else {
      target_.schema = schema;
      target_.name = text_of(relation->relname);
    }
    return true;
  }

  /// Effects with their texts. Checked by parsing the result: what was appended must be read as the
  /// statement's RETURNING and as nothing else. False: opaque.
  bool effects(Verb verb) {
    set_effects(&out_, *target_.table, verb);
    std::vector<std::string> names;
    for (const std::uint32_t ordinal : out_.columns) {
      names.push_back(target_.table->columns[ordinal].name);
    }
    return return_rows(names);
  }

  /// `names`: of `columns`, as the target has them.
  bool return_rows(const std::vector<std::string>& names) {
    std::vector<std::string> texts;
    std::string list;
    for (const std::string& name : names) {
      if (!list.empty()) list += ", ";
      texts.push_back(quote_identifier(target_.name) + '.' + quote_identifier(name) + "::text");
      list += texts.back();
    }
    if (out_.own_returning) {
      out_.rewritten = inserted(", " + collecting_expression(texts));
      if (returned_columns(out_.rewritten) == own_columns_ + 1) return true;
      out_ = opaque_again();
      return false;
    }
    const std::string transaction = "pg_catalog.pg_current_xact_id()::text";
    out_.rewritten = appended(list);
    out_.rewritten_with_txid = appended(list + ", " + transaction);
    if (returned_columns(out_.rewritten) == out_.columns.size()) return true;
    out_ = opaque_again();
    return false;
  }

  [[nodiscard]] Analysis opaque_again() const {
    Analysis plain;
    plain.target = out_.target;
    plain.classification = out_.classification;
    plain.parameters = out_.parameters;
    set_opaque(&plain, "not-understood");
    return plain;
  }

  [[nodiscard]] std::string appended(const std::string& list) const {
    return inserted(" RETURNING " + list);
  }

  /// The text with something more at the end of its statement, before comments and semicolons.
  [[nodiscard]] std::string inserted(const std::string& more) const {
    std::string text(text_.text.substr(0, text_.end()));
    text += more;
    return text += text_.text.substr(text_.end());
  }

  void keyed(std::vector<KeyPart> key) {
    out_.verdict = Verdict::keyed;
    out_.key = std::move(key);
    out_.txid_only = appended("pg_catalog.pg_current_xact_id()::text");
  }

  // A BEFORE trigger may compute anything; its row is an effect.
  [[nodiscard]] bool may_be_keyed() const {
    return !with_ && !out_.own_returning && target_.table->triggers.empty() &&
           !target_.table->key.empty();
  }

  /// The key part that a value gives; nothing when it cannot stand in a write set.
  [[nodiscard]] std::optional<KeyPart> key_part(std::uint32_t position, const Node* value) const {
    const Column& column = target_.table->columns[target_.table->key[position]];
    if (value != nullptr && value->node_case == PG_QUERY__NODE__NODE_TYPE_CAST) {
      if (!is_type_of(value->type_cast->type_name, column)) return std::nullopt;
      value = value->type_cast->arg;
    }
    if (value == nullptr) return std::nullopt;
    KeyPart part;
    part.column = position;
    if (value->node_case == PG_QUERY__NODE__NODE_PARAM_REF) {
      const int number = value->param_ref->number;
      if (number < 1 || static_cast<std::uint32_t>(number) > text_.parameters) return std::nullopt;
      part.parameter = static_cast<std::uint32_t>(number - 1);
      return part;
    }
    if (value->node_case != PG_QUERY__NODE__NODE_A_CONST || value->a_const->isnull) {
      return std::nullopt;
    }
    const auto literal = literal_at(value->a_const->location, column);
    if (!literal) return std::nullopt;
    part.literal = *literal;
    return part;
  }

  [[nodiscard]] std::optional<std::string> literal_at(std::int32_t location,
                                                      const Column& column) const {
    if (location < 0) return std::nullopt;
    const auto first = text_.at(numbered_.original(static_cast<std::size_t>(location)));
    if (!first) return std::nullopt;
    const std::size_t count = text_.tokens[*first].is('-') ? 2 : 1;
    if (!plain_key_literal(text_, *first, count, column, Dialect::postgresql)) return std::nullopt;
    const Token& last = text_.tokens[*first + count - 1];
    const std::size_t from = text_.tokens[*first].offset;
    return std::string(text_.text.substr(from, last.offset + last.text.size() - from));
  }

  [[nodiscard]] std::optional<std::uint32_t> key_position(std::uint32_t ordinal) const {
    const auto& key = target_.table->key;
    const auto found = std::find(key.begin(), key.end(), ordinal);
    if (found == key.end()) return std::nullopt;
    return static_cast<std::uint32_t>(found - key.begin());
  }

  // --- INSERT ---

  void insert(const PgQuery__InsertStmt& s) {
    if (!prepare(s.relation, s.n_returning_list, s.with_clause)) return;
    const PgQuery__OnConflictClause* conflict = s.on_conflict_clause;
    const bool puts =
        conflict != nullptr && conflict->action != PG_QUERY__ON_CONFLICT_ACTION__ONCONFLICT_NOTHING;
    if (puts && target_.table->key.empty()) return set_opaque(&out_, "no-key");
    if (puts && !targets_allowed(conflict->target_list, conflict->n_target_list)) return;
    std::vector<std::uint32_t> columns;
    if (!insert_columns(s, &columns)) return set_opaque(&out_, "unknown-column");
    if (!effects(puts ? Verb::put : Verb::insert)) return;
    if (conflict != nullptr || s.override == PG_QUERY__OVERRIDING_KIND__OVERRIDING_USER_VALUE) {
      return;
    }
    const bool parts = std::any_of(s.cols, s.cols + s.n_cols, [](const Node* column) {
      return column->res_target->n_indirection != 0;  // an array's element, a composite's field
    });
    if (parts || !may_be_keyed() || s.select_stmt == nullptr) return;
    if (auto key = inserted_key(*s.select_stmt, columns)) keyed(std::move(*key));
  }

  bool insert_columns(const PgQuery__InsertStmt& s, std::vector<std::uint32_t>* columns) const {
    if (s.n_cols == 0) {
      for (std::uint32_t i = 0; i < target_.table->columns.size(); ++i) columns->push_back(i);
      return true;
    }
    for (std::size_t i = 0; i < s.n_cols; ++i) {
      if (s.cols[i]->node_case != PG_QUERY__NODE__NODE_RES_TARGET) return false;
      const auto ordinal = target_.table->column(text_of(s.cols[i]->res_target->name));
      if (!ordinal) return false;
      columns->push_back(*ordinal);
    }
    return true;
  }

  /// Key parts of an INSERT of one row whose every column is known here.
  [[nodiscard]] std::optional<std::vector<KeyPart>> inserted_key(
      const Node& source, const std::vector<std::uint32_t>& columns) const {
    if (source.node_case != PG_QUERY__NODE__NODE_SELECT_STMT) return std::nullopt;
    const PgQuery__SelectStmt& values = *source.select_stmt;
    if (values.n_values_lists != 1 || values.n_sort_clause != 0 || values.limit_count != nullptr ||
        values.limit_offset != nullptr || values.with_clause != nullptr ||
        values.values_lists[0]->node_case != PG_QUERY__NODE__NODE_LIST) {
      return std::nullopt;
    }
    const PgQuery__List& row = *values.values_lists[0]->list;
    if (row.n_items > columns.size()) return std::nullopt;
    std::vector<const Node*> given(target_.table->columns.size(), nullptr);
    for (std::size_t i = 0; i < row.n_items; ++i) {
      if (row.items[i]->node_case == PG_QUERY__NODE__NODE_SET_TO_DEFAULT) continue;
      const Column& column = target_.table->columns[columns[i]];
      if (!storable(row.items[i], column)) return std::nullopt;
      note_literal(row.items[i], column);
      given[columns[i]] = row.items[i];
    }
    return key_of_row(given);
  }

  [[nodiscard]] std::optional<std::vector<KeyPart>> key_of_row(
      const std::vector<const Node*>& given) const {
    const Table& table = *target_.table;
    for (std::size_t i = 0; i < given.size(); ++i) {
      const Column& column = table.columns[i];
      const bool made = column.identity || column.default_kind == DefaultKind::computed;
      if (given[i] == nullptr && made && !column.generated) return std::nullopt;
    }
    std::vector<KeyPart> key;
    for (std::uint32_t k = 0; k < table.key.size(); ++k) {
      auto part = key_part(k, given[table.key[k]]);
      if (!part) return std::nullopt;
      key.push_back(std::move(*part));
    }
    return key;
  }

  void note_literal(const Node* value, const Column& column) const {
    out_.literals_by_setting = out_.literals_by_setting || reads_text(value, column);
  }

  /// A value that the column stores alike on both sides.
  [[nodiscard]] static bool storable(const Node* value, const Column& column) {
    return is_value(value) && !column.type.starts_with("reg");
  }

  // --- UPDATE ---

  /// False, and opaque, when a target is unknown or belongs to the key.
  bool targets_allowed(PgQuery__Node* const* targets, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const bool plain = targets[i]->node_case == PG_QUERY__NODE__NODE_RES_TARGET;
      const auto ordinal =
          plain ? target_.table->column(text_of(targets[i]->res_target->name)) : std::nullopt;
      if (ordinal && !key_position(*ordinal)) continue;
      set_opaque(&out_, ordinal ? "key-assigned" : "unknown-column");
      return false;
    }
    return true;
  }

  void update(const PgQuery__UpdateStmt& s) {
    if (!prepare(s.relation, s.n_returning_list, s.with_clause)) return;
    if (target_.table->inherited) return set_opaque(&out_, "inheritance");
    bool moved = target_.table->key.empty();
    for (std::size_t i = 0; i < s.n_target_list; ++i) {
      const bool plain = s.target_list[i]->node_case == PG_QUERY__NODE__NODE_RES_TARGET;
      const auto ordinal =
          plain ? target_.table->column(text_of(s.target_list[i]->res_target->name)) : std::nullopt;
      if (!ordinal) return set_opaque(&out_, "unknown-column");
      moved = moved || key_position(*ordinal);
    }
    if (moved ? !moves(s) : !effects(Verb::update)) return;
    if (!may_be_keyed() || s.n_from_clause != 0) return;
    for (std::size_t i = 0; i < s.n_target_list; ++i) {
      if (!assignment_is_immutable(*s.target_list[i]->res_target)) return;
    }
    if (auto key = pinned_key(s.where_clause)) keyed(std::move(*key));
  }

  /// Effects of an UPDATE that changes keys, or of a table without one.
  bool moves(const PgQuery__UpdateStmt& s) {
    const bool current = s.where_clause != nullptr &&
                         s.where_clause->node_case == PG_QUERY__NODE__NODE_CURRENT_OF_EXPR;
    if (current) return set_opaque(&out_, kCurrentOf), false;
    if (!out_.own_returning && text_.escaped.empty()) {
      if (set_moves(text_, s, *target_.table, target_.name, &out_)) return true;
      out_ = opaque_again();
    }
    set_opaque(&out_, target_.table->key.empty() ? "no-key" : "key-assigned");
    if (!with_ && target_.table->triggers.empty()) {
      out_.verb = Verb::update;
      out_.changes_rows_alone = true;
    }
    return false;
  }

  [[nodiscard]] bool assignment_is_immutable(const PgQuery__ResTarget& target) const {
    const Column& column = target_.table->columns[*target_.table->column(text_of(target.name))];
    if (target.n_indirection != 0 || target.val == nullptr) return false;
    if (target.val->node_case == PG_QUERY__NODE__NODE_SET_TO_DEFAULT) {
      return !column.identity && column.default_kind != DefaultKind::computed;
    }
    note_literal(target.val, column);
    // A new key is a value, as the old one is.
    const auto position = key_position(*target_.table->column(text_of(target.name)));
    if (position) return key_part(*position, target.val).has_value();
    return !column.type.starts_with("reg") && Immutable(target_).assignment(target.val);
  }

  // --- DELETE ---

  void remove(const PgQuery__DeleteStmt& s) {
    if (!prepare(s.relation, s.n_returning_list, s.with_clause)) return;
    if (target_.table->inherited) return set_opaque(&out_, "inheritance");
    if (!effects(Verb::remove)) return;
    if (!may_be_keyed() || s.n_using_clause != 0) return;
    if (auto key = pinned_key(s.where_clause)) keyed(std::move(*key));
  }

  // --- WHERE ---

  static void flatten(const Node* node, std::vector<const Node*>* conjuncts) {
    if (node->node_case == PG_QUERY__NODE__NODE_BOOL_EXPR &&
        node->bool_expr->boolop == PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR) {
      for (std::size_t i = 0; i < node->bool_expr->n_args; ++i) {
        flatten(node->bool_expr->args[i], conjuncts);
      }
      return;
    }
    conjuncts->push_back(node);
  }

  /// Key parts when the condition pins every key column and says nothing that is not immutable.
  [[nodiscard]] std::optional<std::vector<KeyPart>> pinned_key(const Node* where) const {
    if (where == nullptr) return std::nullopt;
    std::vector<const Node*> conjuncts;
    flatten(where, &conjuncts);
    std::vector<std::optional<KeyPart>> found(target_.table->key.size());
    for (const Node* conjunct : conjuncts) {
      auto part = pin(*conjunct);
      if (part && !found[part->column]) {
        found[part->column] = std::move(part);
      } else if (!simple_condition(*conjunct)) {
        return std::nullopt;
      }
    }
    std::vector<KeyPart> key;
    for (auto& part : found) {
      if (!part) return std::nullopt;
      key.push_back(std::move(*part));
    }
    return key;
  }

  [[nodiscard]] std::optional<KeyPart> pin(const Node& node) const {
    if (node.node_case != PG_QUERY__NODE__NODE_A_EXPR) return std::nullopt;
    const PgQuery__AExpr& e = *node.a_expr;
    if (e.kind != PG_QUERY__A__EXPR__KIND__AEXPR_OP || e.n_name != 1 || e.lexpr == nullptr ||
        e.rexpr == nullptr || builtin_name(e.name, e.n_name) != "=") {
      return std::nullopt;
    }
    for (const auto& [column, value] : {std::pair(e.lexpr, e.rexpr), std::pair(e.rexpr, e.lexpr)}) {
      const auto ordinal = target_.column(*column);
      if (!ordinal) continue;
      const auto position = key_position(*ordinal);
      if (!position) continue;
      if (auto part = key_part(*position, value)) return part;
    }
    return std::nullopt;
  }

  [[nodiscard]] bool simple_condition(const Node& node) const {
    switch (node.node_case) {
      case PG_QUERY__NODE__NODE_NULL_TEST:
        return node.null_test->arg != nullptr && target_.column(*node.null_test->arg).has_value();
      case PG_QUERY__NODE__NODE_BOOLEAN_TEST:
        return node.boolean_test->arg != nullptr &&
               target_.column(*node.boolean_test->arg).has_value();
      case PG_QUERY__NODE__NODE_COLUMN_REF:
        return target_.column(node).has_value();
      case PG_QUERY__NODE__NODE_A_EXPR:
        return simple_comparison(*node.a_expr);
      default:
        return false;
    }
  }

  [[nodiscard]] bool simple_comparison(const PgQuery__AExpr& e) const {
    if (e.lexpr == nullptr || e.rexpr == nullptr || e.n_name != 1) return false;
    const std::string_view op = builtin_name(e.name, e.n_name);
    if (e.kind == PG_QUERY__A__EXPR__KIND__AEXPR_IN) {
      const bool list = e.rexpr->node_case == PG_QUERY__NODE__NODE_LIST;
      note_comparison(*e.lexpr, *e.rexpr);
      return list && comparable(*e.lexpr, false) &&
             std::all_of(e.rexpr->list->items, e.rexpr->list->items + e.rexpr->list->n_items,
                         [&](const Node* n) { return is_value(n); });
    }
    if (e.kind != PG_QUERY__A__EXPR__KIND__AEXPR_OP) return false;
    const bool ordering = one_of(op, {"<", ">", "<=", ">="});
    if (!ordering && !one_of(op, {"=", "<>", "!="})) return false;
    note_comparison(*e.lexpr, *e.rexpr);
    return comparable(*e.lexpr, ordering) && comparable(*e.rexpr, ordering);
  }

  void note_comparison(const Node& left, const Node& right) const {
    for (const auto& [column, value] : {std::pair(&left, &right), std::pair(&right, &left)}) {
      const auto ordinal = target_.column(*column);
      if (ordinal) note_literal(value, target_.table->columns[*ordinal]);
    }
  }

  /// Texts order by a collation whose version may differ on the shadow; equality does not.
  [[nodiscard]] bool comparable(const Node& node, bool ordering) const {
    const auto ordinal = target_.column(node);
    if (!ordinal) return is_value(&node);
    return !ordering || !is_textual(target_.table->columns[*ordinal]);
  }

  const TokenizedText& text_;
  const Catalog& catalog_;
  const SearchPath& path_;
  Analysis& out_;
  NumberedText numbered_;
  SideEffects effects_;
  Target target_;
  bool with_ = false;
  std::size_t own_columns_ = 0;  // of the application's own RETURNING
};

}  // namespace

void analyze_postgresql(const TokenizedText& text, const Catalog& catalog, const SearchPath& path,
                        Analysis* analysis) {
  PostgresqlAnalyzer(text, catalog, path, analysis).run();
}

}  // namespace understudy::sql
