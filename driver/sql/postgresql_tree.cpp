#include "driver/sql/postgresql_tree.h"

#include <pg_query.h>

#include <algorithm>

namespace understudy::sql {
namespace {

const ProtobufCMessage* const* repeated(const ProtobufCMessage& message,
                                        const ProtobufCFieldDescriptor& field, std::size_t* count) {
  const auto* base = reinterpret_cast<const char*>(&message);
  *count = *reinterpret_cast<const std::size_t*>(base + field.quantifier_offset);
  return *reinterpret_cast<const ProtobufCMessage* const* const*>(base + field.offset);
}

const ProtobufCMessage* single(const ProtobufCMessage& message,
                               const ProtobufCFieldDescriptor& field) {
  const auto* base = reinterpret_cast<const char*>(&message);
  if ((field.flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
    const auto which = *reinterpret_cast<const std::uint32_t*>(base + field.quantifier_offset);
    if (which != field.id) return nullptr;
  }
  return *reinterpret_cast<const ProtobufCMessage* const*>(base + field.offset);
}

void push_children(const ProtobufCMessage& message, std::vector<const ProtobufCMessage*>* stack) {
  const ProtobufCMessageDescriptor& type = *message.descriptor;
  for (unsigned i = 0; i < type.n_fields; ++i) {
    const ProtobufCFieldDescriptor& field = type.fields[i];
    if (field.type != PROTOBUF_C_TYPE_MESSAGE) continue;
    if (field.label == PROTOBUF_C_LABEL_REPEATED) {
      std::size_t count = 0;
      const ProtobufCMessage* const* items = repeated(message, field, &count);
      for (std::size_t k = 0; k < count; ++k) stack->push_back(items[k]);
    } else if (const ProtobufCMessage* child = single(message, field); child != nullptr) {
      stack->push_back(child);
    }
  }
}

void add_function(const PgQuery__FuncCall& call, SideEffects* effects) {
  const std::string_view name = builtin_name(call.funcname, call.n_funcname);
  switch (function_effect(name, Dialect::postgresql)) {
    case FunctionEffect::unknown:
      effects->unknown_function = true;
      break;
    case FunctionEffect::sequences:
      effects->sequences = true;
      break;
    case FunctionEffect::locks:
      effects->locks = true;
      break;
    default:
      break;
  }
}

bool writes(const ProtobufCMessageDescriptor* type) {
  return type == &pg_query__insert_stmt__descriptor || type == &pg_query__update_stmt__descriptor ||
         type == &pg_query__delete_stmt__descriptor || type == &pg_query__merge_stmt__descriptor;
}

}  // namespace

std::size_t NumberedText::original(std::size_t offset) const {
  std::size_t shift = 0;  // bytes that the markers in front have grown by
  for (std::size_t i = 0; i < starts.size() && starts[i] < offset; ++i) {
    shift += std::to_string(i + 1).size();
  }
  return offset - shift;
}

NumberedText number_parameters(const TokenizedText& text) {
  NumberedText out;
  std::size_t from = 0;
  for (const Token& token : text.tokens) {
    if (token.kind != TokenKind::parameter) continue;
    out.text += text.text.substr(from, token.offset - from);
    out.starts.push_back(out.text.size());
    out.text += '$' + std::to_string(out.starts.size());
    from = token.offset + token.text.size();
  }
  out.text += text.text.substr(from);
  return out;
}

void TreeDeleter::operator()(PgQuery__ParseResult* tree) const {
  pg_query__parse_result__free_unpacked(tree, nullptr);
}

Tree parse_postgresql(const std::string& text) {
  const PgQueryProtobufParseResult parsed = pg_query_parse_protobuf(text.c_str());
  Tree tree;
  if (parsed.error == nullptr) {
    tree.reset(pg_query__parse_result__unpack(
        nullptr, parsed.parse_tree.len,
        reinterpret_cast<const std::uint8_t*>(parsed.parse_tree.data)));
  }
  pg_query_free_protobuf_parse_result(parsed);
  return tree;
}

Tree parse_with_markers(const std::string& text) {
  return parse_postgresql(number_parameters(tokenize(text, Dialect::postgresql)).text);
}

std::size_t returned_columns(const std::string& text) {
  const Tree tree = parse_with_markers(text);
  if (tree == nullptr || tree->n_stmts != 1 || tree->stmts[0]->stmt == nullptr) return 0;
  const PgQuery__Node& node = *tree->stmts[0]->stmt;
  switch (node.node_case) {
    case PG_QUERY__NODE__NODE_INSERT_STMT:
      return node.insert_stmt->n_returning_list;
    case PG_QUERY__NODE__NODE_UPDATE_STMT:
      return node.update_stmt->n_returning_list;
    case PG_QUERY__NODE__NODE_DELETE_STMT:
      return node.delete_stmt->n_returning_list;
    default:
      return 0;
  }
}

void walk(const ProtobufCMessage* root, const std::function<void(const ProtobufCMessage&)>& visit) {
  std::vector<const ProtobufCMessage*> stack;
  if (root != nullptr) stack.push_back(root);
  while (!stack.empty()) {
    const ProtobufCMessage* message = stack.back();
    stack.pop_back();
    visit(*message);
    push_children(*message, &stack);
  }
}

std::string_view builtin_name(PgQuery__Node* const* names, std::size_t count) {
  if (count == 0 || count > 2) return {};
  for (std::size_t i = 0; i < count; ++i) {
    if (names[i]->node_case != PG_QUERY__NODE__NODE_STRING) return {};
  }
  if (count == 2 && std::string_view(names[0]->string->sval) != "pg_catalog") return {};
  return names[count - 1]->string->sval;
}

SideEffects side_effects(const PgQuery__Node& statement) {
  SideEffects out;
  walk(&statement.base, [&](const ProtobufCMessage& message) {
    const ProtobufCMessageDescriptor* type = message.descriptor;
    if (type == &pg_query__func_call__descriptor) {
      add_function(reinterpret_cast<const PgQuery__FuncCall&>(message), &out);
    } else if (type == &pg_query__locking_clause__descriptor) {
      out.locks = true;
    } else if (type == &pg_query__into_clause__descriptor) {
      out.into = true;
    } else if (type == &pg_query__current_of_expr__descriptor) {
      out.current_of = true;
    } else if (writes(type)) {
      ++out.writing;
    }
  });
  const bool top_writes = statement.node_case != PG_QUERY__NODE__NODE_SELECT_STMT;
  out.writing_cte = out.writing > (top_writes ? 1u : 0u);
  return out;
}

}  // namespace understudy::sql
