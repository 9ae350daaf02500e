#include "driver/sql/postgresql_writes.h"

#include <algorithm>

namespace understudy::sql {
namespace {

std::string_view text_of(const char* s) {
  return s == nullptr ? std::string_view() : s;
}

class Reader {
 public:
  Reader(const Catalog& catalog, const SearchPath& path) : catalog_(catalog), path_(path) {}

  PostgresqlWrite insert(const PgQuery__InsertStmt& s) {
    returns(s.returning_list, s.n_returning_list);
    out_.verb = Verb::insert;
    if (!relation(s.relation)) return out_;
    const PgQuery__OnConflictClause* conflict = s.on_conflict_clause;
    const bool puts =
        conflict != nullptr && conflict->action != PG_QUERY__ON_CONFLICT_ACTION__ONCONFLICT_NOTHING;
    if (puts) out_.verb = Verb::put;
    if (puts && out_.table->key.empty()) object("no-key");
    if (puts) assigns(conflict->target_list, conflict->n_target_list);
    return out_;
  }

  PostgresqlWrite update(const PgQuery__UpdateStmt& s) {
    returns(s.returning_list, s.n_returning_list);
    out_.verb = Verb::update;
    out_.joined = s.n_from_clause != 0;
    if (!relation(s.relation)) return out_;
    if (out_.table->key.empty()) object("no-key");
    if (out_.table->inherited) object("inheritance");
    assigns(s.target_list, s.n_target_list);
    return out_;
  }

  PostgresqlWrite remove(const PgQuery__DeleteStmt& s) {
    returns(s.returning_list, s.n_returning_list);
    out_.verb = Verb::remove;
    out_.joined = s.n_using_clause != 0;
    if (relation(s.relation) && out_.table->inherited) object("inheritance");
    return out_;
  }

  PostgresqlWrite target(const PgQuery__RangeVar* written) {
    (void)relation(written);
    return out_;
  }

 private:
  void returns(PgQuery__Node* const* list, std::size_t count) {
    out_.returning = list;
    out_.returned = count;
  }

  bool relation(const PgQuery__RangeVar* relation) {
    if (relation == nullptr) return refuse("not-understood");
    const std::string_view schema = text_of(relation->schemaname);
    const std::string_view name = text_of(relation->relname);
    if (schema.empty() || schema == "pg_temp") out_.target = name;
    out_.name = relation->alias != nullptr ? text_of(relation->alias->aliasname) : name;
    if (schema.empty() && path_.kind == SearchPath::Kind::unknown) return refuse("search-path");
    if (!text_of(relation->catalogname).empty()) return refuse("unknown-table");
    out_.table = find_table(catalog_, path_, schema, name);
    const std::string_view obstacle = table_obstacle(out_.table);
    out_.obstacle = obstacle;
    return obstacle.empty() || out_.through_view();
  }

  void object(std::string_view reason) {
    if (out_.obstacle.empty()) out_.obstacle = reason;
  }

  bool refuse(std::string_view reason) {
    out_.obstacle = reason;
    return false;
  }

  void assigns(PgQuery__Node* const* targets, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const bool plain = targets[i]->node_case == PG_QUERY__NODE__NODE_RES_TARGET;
      const auto column =
          plain ? out_.table->column(text_of(targets[i]->res_target->name)) : std::nullopt;
      if (!column) {
        out_.obstacle = "unknown-column";
        return;
      }
      const auto& key = out_.table->key;
      if (std::find(key.begin(), key.end(), *column) != key.end()) out_.obstacle = "key-assigned";
      out_.assigned.push_back(*column);
    }
  }

  const Catalog& catalog_;
  const SearchPath& path_;
  PostgresqlWrite out_;
};

}  // namespace

const Table* find_table(const Catalog& catalog, const SearchPath& path, std::string_view schema,
                        std::string_view name) {
  if (!schema.empty() || path.kind == SearchPath::Kind::usual) return catalog.find(schema, name);
  for (const std::string& place : path.schemas) {
    if (const Table* found = catalog.find(place, name)) return found;
  }
  return nullptr;
}

bool refers(const Table& child, const Table& parent) {
  return std::any_of(child.foreign_keys.begin(), child.foreign_keys.end(),
                     [&](const ForeignKey& one) {
                       return one.parent_table == parent.name &&
                              (one.parent_schema.empty() || one.parent_schema == parent.schema);
                     });
}

bool is_referred_to(const Catalog& catalog, const Table& table) {
  return std::any_of(catalog.tables.begin(), catalog.tables.end(),
                     [&](const Table& one) { return refers(one, table); });
}

PostgresqlWrite postgresql_target(const PgQuery__RangeVar* relation, const Catalog& catalog,
                                  const SearchPath& path) {
  return Reader(catalog, path).target(relation);
}

bool is_postgresql_write(const PgQuery__Node& node) {
  return node.node_case == PG_QUERY__NODE__NODE_INSERT_STMT ||
         node.node_case == PG_QUERY__NODE__NODE_UPDATE_STMT ||
         node.node_case == PG_QUERY__NODE__NODE_DELETE_STMT;
}

PostgresqlWrite postgresql_write(const PgQuery__Node& node, const Catalog& catalog,
                                 const SearchPath& path) {
  Reader reader(catalog, path);
  if (node.node_case == PG_QUERY__NODE__NODE_INSERT_STMT) return reader.insert(*node.insert_stmt);
  if (node.node_case == PG_QUERY__NODE__NODE_UPDATE_STMT) return reader.update(*node.update_stmt);
  return reader.remove(*node.delete_stmt);
}

}  // namespace understudy::sql
