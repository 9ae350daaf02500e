#include "driver/handle/statement.h"

#include "driver/capture/session.h"

namespace understudy {

Statement::Statement(Connection& owner) : Handle(HandleKind::statement), connection(owner) {}

Statement::~Statement() = default;

void Statement::run_on(SQLHSTMT statement) {
  current.store(statement, std::memory_order_release);
  if (whole != nullptr) whole->current.store(statement, std::memory_order_release);
}

void Statement::make_implicit() {
  for (auto& place : implicit) {
    place = std::make_unique<Descriptor>(connection);
    place->statement = this;
  }
}

}  // namespace understudy
