#include "driver/handle/statement.h"

#include "driver/capture/session.h"

namespace understudy {

Statement::Statement(Connection& owner) : Handle(HandleKind::statement), connection(owner) {}

Statement::~Statement() = default;

}  // namespace understudy
