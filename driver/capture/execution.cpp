#include "driver/capture/parts.h"
#include "driver/capture/positioned.h"
#include "driver/capture/session.h"
#include "driver/handle/attributes.h"
#include "driver/sql/connector_batch.h"
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

Execution::Execution(Statement& owner) : own(owner), questions(owner), owner_(owner) {}
Execution::~Execution() = default;

Execution& execution_of(Statement& stmt) {
  if (stmt.execution == nullptr) stmt.execution = std::make_unique<Execution>(stmt);
  return *stmt.execution;
}

void Execution::set_text(std::string_view utf8, bool wide, Dialect dialect) {
  if (utf8 == given_text() && wide == wide_ && !text_.empty()) return;
  text_ = utf8;
  if (max_rows_ != 0) text_ = sql::with_max_rows(given_ = text_, max_rows_);
  wide_ = wide;
  classification_ = sql::classify(text_, dialect);
  // What takes no LIMIT the server refuses.
  const bool takes_limit = classification_.cls == sql::StatementClass::write ||
                           classification_.cls == sql::StatementClass::read ||
                           classification_.cls == sql::StatementClass::locking_read;
  if (max_rows_ != 0 && !takes_limit) {
    const std::uint32_t statements = classification_.statements;
    classification_ = {};
    classification_.statements = statements;
  }
  parameters_ = count_parameters(text_, dialect);
  analysis_.reset();
}

void Execution::take_max_rows() {
  const Attribute* set = find_attribute(owner_.attributes, SQL_ATTR_MAX_ROWS);
  const auto rows = set == nullptr ? 0 : reinterpret_cast<std::uintptr_t>(set->value);
  if (rows == max_rows_) return;
  max_rows_ = rows;
  text_.clear();
}

void Execution::begin_text() {
  direct = stands_in = remembers_own = false;
  given_to = SQL_NULL_HSTMT;
  rows_last = -1;
}

const sql::Analysis* Execution::analysis(const std::shared_ptr<CatalogView>& view,
                                         const sql::SearchPath& path) {
  if (view == nullptr) return nullptr;
  if (analysis_ == nullptr || view_ != view || analyzed_path_ != path) {
    analysis_ = view->analysis(text_, path);
    view_ = view;
    analyzed_path_ = path;
  }
  return analysis_.get();
}

std::unique_ptr<OwnStatement> Execution::take_own() {
  auto taken = spare_.empty() ? std::make_unique<OwnStatement>(owner_) : std::move(spare_.back());
  if (!spare_.empty()) spare_.pop_back();
  taken->swap(own);
  return taken;
}

void Execution::show(std::size_t number) {
  result = number;
  if (shown.empty()) return;  // all are hidden
  if (shows_part()) return show_part(owner_, shown[number]);
  const OwnStatement* statement = shown[number].statement.get();
  hidden = statement == nullptr;
  visible = !hidden;
  clipped = shown[number].clipped;
  if (visible) shown[number].statement->bind_columns();
  // Of a hidden result one that has run is asked: psqlodbc answers of a new one otherwise.
  for (auto one = shown.begin(); statement == nullptr && one != shown.end(); ++one) {
    statement = one->statement.get();
  }
  if (statement == nullptr) return;  // `shown` holds at least one that has run
  owner_.current.store(statement->handle(), std::memory_order_release);
}

void Execution::forget_result() {
  if (shows_part()) close_parts(owner_);
  for (Shown& one : shown) {
    if (one.statement == nullptr) continue;
    one.statement->close();
    spare_.push_back(std::move(one.statement));
  }
  shown.clear();
  hidden = visible = failed_on_own = in_part = false;
  ran_at = owner_.calls;
  failed_set.clear();
  rows_first = -1;
  clipped = 0;
  cursor_open = updatable = false;
  positioned.reset();
  counts.clear();
  result = 0;
}

void Execution::drop_own() {
  own.drop();
  questions.drop();
  forget_result();
  spare_.clear();
  drop_parts(owner_);
}

}  // namespace understudy::capture
