#include "driver/capture/prepared_texts.h"

#include <charconv>

#include "driver/capture/session.h"
#include "driver/sql/prepared_text.h"

namespace understudy::capture {
namespace {

// A literal that means the same whatever standard_conforming_strings says.
std::string literal(std::string_view text) {
  std::string out = "E'";
  for (const char c : text) out.append(c == '\'' || c == '\\' ? 2 : 1, c);
  return out += '\'';
}

// One row, whether or not there is such a name.
std::string question_about(std::string_view name, std::string_view own) {
  return "SELECT (SELECT pg_catalog.count(*) FROM pg_catalog.pg_prepared_statements o "
         "WHERE o.name = " +
         literal(own) +
         ")::text, p.statement, pg_catalog.array_to_string(p.parameter_types::text[], ', '), "
         "pg_catalog.cardinality(p.parameter_types)::text FROM (VALUES (1)) v "
         "LEFT JOIN pg_catalog.pg_prepared_statements p ON p.from_sql AND p.name = " +
         literal(name);
}

// The shared part of an analysis and of what it points into.
struct Executed {
  std::shared_ptr<CatalogView> view;
  sql::Analysis analysis;
};

}  // namespace

void PreparedTexts::doubt() {
  for (auto& [name, prepared] : known_) prepared.certain = false;
}

void PreparedTexts::forget() {
  known_.clear();
}

bool PreparedTexts::ask(Statement& stmt, std::string_view name, std::string_view own,
                        Known* known) {
  OwnStatement question(stmt);
  std::string others;
  std::string count;
  bool null = false;
  if (!question.ask(question_about(name, own)) || !question.read_value(1, &others, &null) ||
      !question.read_value(2, &known->source, &null)) {
    return false;
  }
  known->own_is_there = others != "0";
  known->there = !null;
  if (null) return true;
  if (!question.read_value(3, &known->types, &null) || !question.read_value(4, &count, &null)) {
    return false;
  }
  std::from_chars(count.data(), count.data() + count.size(), known->parameters);
  return true;
}

void PreparedTexts::prepare_own(Session& session, Prepared* prepared) {
  const sql::Analysis& analysis = prepared->analysis;
  if (analysis.rewritten.empty()) return;
  const std::string name = "understudy_" + std::to_string(next_++);
  const std::string types = prepared->types.empty() ? "" : " (" + prepared->types + ')';
  const std::string& body =
      analysis.rewritten_with_txid.empty() ? analysis.rewritten : analysis.rewritten_with_txid;
  if (SQL_SUCCEEDED(session.send_aside("PREPARE " + name + types + " AS " + body)))
    prepared->own = name;
}

bool PreparedTexts::learn(Statement& stmt, Session& session, std::string_view name,
                          Prepared* prepared) {
  const std::shared_ptr<CatalogView> view = session.catalog();
  Known known;
  if (view == nullptr || !ask(stmt, name, prepared->own, &known)) return false;
  const bool same = known.there && prepared->view == view && prepared->source == known.source &&
                    prepared->types == known.types && prepared->search_path == session.search_path;
  if (same && (known.own_is_there || prepared->own.empty())) return prepared->certain = true;
  if (known.own_is_there) session.send_aside("DEALLOCATE " + prepared->own);
  *prepared = {};
  if (!known.there) return false;
  const auto statement = sql::prepared_statement(known.source, name);
  // A driver that converts ends of lines has changed what it read.
  if (!statement || known.source.find('\r') != std::string::npos) return false;
  prepared->view = view;
  prepared->source = std::move(known.source);
  prepared->types = std::move(known.types);
  prepared->parameters = known.parameters;
  prepared->search_path = session.search_path;
  prepared->analysis = sql::analyze_prepared(*statement, view->catalog(), session.search_path);
  prepare_own(session, prepared);
  return prepared->certain = true;
}

void PreparedTexts::after(Session& session, std::string_view text) {
  if (known_.empty()) return;
  const auto deallocated = sql::deallocate_text(text);
  if (!deallocated) {
    if (sql::changes_prepared(text)) doubt();
    return;
  }
  if (!deallocated->name) return forget();
  const auto found = known_.find(*deallocated->name);
  if (found == known_.end()) return;
  if (!found->second.own.empty()) session.send_aside("DEALLOCATE " + found->second.own);
  known_.erase(found);
}

std::shared_ptr<const sql::Analysis> PreparedTexts::executed(Statement& stmt, Session& session) {
  const std::string& text = stmt.execution->text();
  const auto execute = sql::execute_text(text);
  if (!execute) return nullptr;
  if (known_.size() >= kPreparedTextsMax && !known_.contains(execute->name)) return nullptr;
  Prepared& prepared = known_[execute->name];
  const bool current = prepared.certain && prepared.view == session.catalog() &&
                       prepared.search_path == session.search_path;
  if (!current && !learn(stmt, session, execute->name, &prepared)) {
    known_.erase(execute->name);
    return nullptr;
  }
  // The server is going to refuse it by its own name.
  if (execute->arguments != prepared.parameters) return nullptr;
  auto made = std::make_shared<Executed>(Executed{prepared.view, prepared.analysis});
  sql::Analysis& analysis = made->analysis;
  analysis.parameters = stmt.execution->parameters();
  if (prepared.own.empty()) {
    if (sql::modifies(analysis.classification.cls)) return nullptr;
  } else {
    const std::string own = "EXECUTE " + prepared.own + text.substr(execute->arguments_at);
    if (!analysis.rewritten_with_txid.empty()) analysis.rewritten_with_txid = own;
    analysis.rewritten = own;
  }
  return {made, &made->analysis};
}

}  // namespace understudy::capture
