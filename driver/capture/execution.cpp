#include "driver/capture/positioned.h"
#include "driver/capture/session.h"
#include "driver/sql/lexer.h"

namespace understudy::capture {
namespace {

std::uint32_t count_parameters(std::string_view text, Dialect dialect) {
  sql::Lexer lexer(text, dialect);
  std::uint32_t count = 0;
  for (sql::Token token = lexer.next(); token.kind != sql::TokenKind::end; token = lexer.next()) {
    if (token.kind == sql::TokenKind::parameter) ++count;
  }
  return count;
}

}  // namespace

Execution::Execution(Statement& owner) : own(owner) {}
Execution::~Execution() = default;

Execution& execution_of(Statement& stmt) {
  if (stmt.execution == nullptr) stmt.execution = std::make_unique<Execution>(stmt);
  return *stmt.execution;
}

void Execution::set_text(std::string_view utf8, bool wide, Dialect dialect) {
  if (utf8 == text_ && wide == wide_ && !text_.empty()) return;
  text_ = utf8;
  wide_ = wide;
  classification_ = sql::classify(utf8, dialect);
  parameters_ = count_parameters(utf8, dialect);
  analysis_.reset();
}

const sql::Analysis* Execution::analysis(const std::shared_ptr<CatalogView>& view,
                                         bool default_search_path) {
  if (view == nullptr) return nullptr;
  if (analysis_ == nullptr || view_ != view || analyzed_default_path_ != default_search_path) {
    analysis_ = view->analysis(text_, default_search_path);
    view_ = view;
    analyzed_default_path_ = default_search_path;
  }
  return analysis_.get();
}

void Execution::forget_result() {
  hidden = visible = asked_since = failed_on_own = false;
  clipped = 0;
  cursor_open = updatable = false;
  positioned.reset();
  counts.clear();
  result = 0;
}

void Execution::drop_own() {
  own.drop();
  forget_result();
}

}  // namespace understudy::capture
